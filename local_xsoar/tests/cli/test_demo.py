"""The demo: it ends well when both sides are equal, and says so when they are not."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from local_xsoar.cli.arguments import called
from local_xsoar.cli.linked import counted
from local_xsoar.comparison import Finding, compare_incidents
from local_xsoar.tenant import Tenant, TenantSettings

ROOT = Path(__file__).resolve().parents[3]


def command(*arguments: str) -> list[str]:
    """Return the command line of the demo."""
    return [sys.executable, "-m", "local_xsoar", "demo", *arguments]


def test_the_demo() -> None:
    """
    Given: nothing.
    When: the demo runs.
    Then: it mirrors two tenants and proves that they are equal; what it breaks is named and repaired, and they are equal again.
    """
    run = subprocess.run(command("--incidents", "9"), cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert run.returncode == 0, run.stdout + run.stderr
    assert "Fetched: 9 incidents of 9." in run.stdout
    story, _, broken = run.stdout.partition("Broken on purpose")
    assert re.search(r"9 Pending +│ 9 Active ", story)
    assert story.count("Both sides are equal") == broken.count("Both sides are equal") == 1
    assert re.search(r"lag: median \d+ s, 95th percentile \d+ s", story)
    named, _, repaired = broken.partition("Both are repaired")
    assert re.findall(r"^    incident (\d): (\w+)\.", named, re.MULTILINE) == [("3", "gone"), ("4", "changed")]
    lost = re.findall(r"differs: incident 6, ([a-z ]+) \S+.*: headquarters '(.+)', customer '(.+)'", named)
    assert lost == [("field", "4", "2"), ("entry in", "0 x", "1 x"), ("file in", "0 x", "1 x")]
    assert "Incident 3 stays at headquarters and says: The remote tenant has no such incident" in repaired
    assert "differs" not in story + repaired


def test_keeping_it_running() -> None:
    """
    Given: --keep.
    When: Ctrl-C is pressed at the end.
    Then: it said where to look around, the page tells of the mirroring meanwhile, and it ends in order.
    """
    # A shell that runs tests in the background has Ctrl-C ignored, and a child would inherit that.
    listening = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    # test_the_demo has waited for the retries of the outage already.
    without_waiting = "linked.Host = functools.partial(linked.Host, pause=lambda seconds: None)"
    imports = "import functools, signal, sys; from local_xsoar.cli import demo, linked"
    code = f"{imports}; {listening}; {without_waiting}; sys.exit(demo.main(['--keep', '--incidents', '6']))"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            break
    shown = "".join(lines)
    links = re.findall(r"^  http://127\.0\.0\.1:(\d+)/web/#token=(\S+)$", shown, re.MULTILINE)
    mirrored, compared = ask_page(*links[0])
    os.kill(process.pid, signal.SIGINT)
    rest, _ = process.communicate(timeout=60)

    assert (mirrored["names"], mirrored["pair"]["badges"][0]["text"]) == (["Customer"], "Running, with errors")
    assert len(mirrored["pair"]["crossings"]) > 20
    assert compared == {"said": "1 of 6 incidents differ."}  # the one that was deleted
    assert shown.count("make warroom ARGS=") == 2
    pages = re.findall(r"^  (http://127\.0\.0\.1:\d+/web/)#token=\S+$", shown, re.MULTILINE)
    assert len(pages) == 4 and len(set(pages)) == 2, shown  # before the play, to watch it, and at its end
    assert rest.strip().endswith("Stopped.")
    assert process.returncode == 0


def test_killing_it_leaves_nothing_behind(tmp_path: Path) -> None:
    """
    Given: --keep, and a folder for temporary files.
    When: the process is asked to end, as kill does.
    Then: it ends with the status of that signal, and the folder is empty.
    """
    without_waiting = "linked.Host = functools.partial(linked.Host, pause=lambda seconds: None)"
    imports = "import functools, sys; from local_xsoar.__main__ import main; from local_xsoar.cli import demo, linked"
    code = f"{imports}; {without_waiting}; sys.exit(main(['demo', '--keep', '--incidents', '6']))"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("The customer has"):
            break
    assert list(tmp_path.iterdir())
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def ask_page(port: str, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the web page of headquarters shows of the mirroring, and what it says after a comparison."""
    address = f"http://127.0.0.1:{port}"
    with requests.Session() as session:
        session.headers.update({"X-Local-XSOAR": "page", "Origin": address})
        session.post(f"{address}/web/api/session", json={"token": token}, timeout=20).raise_for_status()
        mirrored = session.get(f"{address}/web/api/mirroring", timeout=60)
        compared = session.post(f"{address}/web/api/mirroring", json={"instance": "Customer"}, timeout=60)
    return mirrored.json(), compared.json()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo", "--incidents", "3"], "from 6 to 200"),
        (["demo", "--incidents", "some"], "invalid int value"),
        (["demo", "--loud"], "--loud"),
        ([], "A command is missing"),
        (["dance"], "'dance'"),
    ],
    ids=str,
)
def test_wrong_arguments(arguments: list[str], words: str) -> None:
    """
    Given: wrong arguments.
    When: a command is run.
    Then: one sentence says what is wrong, and the status is 2.
    """
    run = subprocess.run([sys.executable, "-m", "local_xsoar", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert run.returncode == 2
    assert words in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(("name", "given"), [("demo", []), ("serve", []), ("warroom", ["--local"])])
def test_a_wrong_option_names_a_command_that_helps(name: str, given: list[str]) -> None:
    """
    Given: an option that a command does not have.
    When: what the sentence names is run.
    Then: it shows the command's help.
    """
    refused = subprocess.run([*command()[:-1], name, *given, "--loud"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    named = refused.stderr.strip().partition(": see ")[2].removesuffix(".")
    helped = subprocess.run(shlex.split(named), cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert refused.returncode == 2
    assert helped.stdout.startswith(f"usage: {named.removesuffix(' --help')} ")


@pytest.mark.parametrize(
    ("python", "shown"),
    [
        (".venv/bin/python", ".venv/bin/python"),
        ("my venv/bin/python", "'my venv/bin/python'"),
        ("/usr/bin/python3", "/usr/bin/python3"),
    ],
)
def test_a_command_is_named_as_one_types_it(python: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: a Python below the current folder, or elsewhere.
    When: a command is named.
    Then: it begins with the path of that Python, quoted where a shell needs it.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / python))
    assert called("demo") == f"{shown} -m local_xsoar demo"


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 entries, 0 incidents"), (1, "1 entry, 1 incident"), (2, "2 entries, 2 incidents")]
)
def test_what_is_counted_reads_right(number: int, said: str) -> None:
    """
    Given: a number of things.
    When: they are counted.
    Then: one is told in the singular.
    """
    assert f"{counted(number, 'entry', 'entries')}, {counted(number, 'incident')}" == said


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Tenant, str, Tenant, str]]:
    """Two tenants with one equal incident each: fields, an entry in each direction, a file in each, an attachment."""
    tenants = [Tenant(TenantSettings(name, tmp_path / name, api_key="k", key_id="1")) for name in ("here", "there")]
    here, there = tenants
    ids = []
    for tenant in tenants:
        made = tenant.create_incident(
            {"name": "same", "severity": 2, "dueDate": "2026-12-01T00:00:00Z", "CustomFields": {"ticket": "1"}},
            attachments=[("a.txt", b"a")],
        )
        assert made is not None
        ids.append(str(made["id"]))
    there.add_entry(ids[1], contents="from there", user="carla", category="chat", tags=["in"])
    here.add_entry(ids[0], contents="carla, today:\nfrom there")
    here.add_entry(ids[0], contents="from here", user="hanna", category="chat", tags=["out"])
    there.add_entry(ids[1], contents="hanna, today:\nfrom here")
    there.add_entry(ids[1], file=("in.bin", b"in"), entry_type=3, tags=["in"])
    here.add_entry(ids[0], file=("in.bin", b"in"), entry_type=3)
    yield here, ids[0], there, ids[1]
    for tenant in tenants:
        tenant.close()


def found_different(pair: tuple[Tenant, str, Tenant, str]) -> list[tuple[str, str]]:
    """Return kind and name of what differs."""
    findings: list[Finding] = compare_incidents(*pair, in_tag="in", out_tag="out")
    return [(finding.kind, finding.name.partition(" (")[0]) for finding in findings if not finding.equal]


def test_equal_sides(pair: tuple[Tenant, str, Tenant, str]) -> None:
    """
    Given: two equal incidents.
    When: they are compared.
    Then: nothing differs.
    """
    assert found_different(pair) == []


CHANGES: dict[str, tuple[Callable[[Tenant, str, Tenant, str], Any], list[tuple[str, str]]]] = {
    "a field": (lambda here, mine, there, theirs: here.change_incident(mine, {"severity": 4}), [("field", "severity")]),
    "closed": (lambda here, mine, there, theirs: there.close_incident(theirs), [("field", "closed")]),
    "a custom field": (
        lambda here, mine, there, theirs: there.change_incident(theirs, {"CustomFields": {"more": "x"}}),
        [("custom field", "more")],
    ),
    "a missing entry": (
        lambda here, mine, there, theirs: there.add_entry(theirs, contents="lost", user="carl", category="chat", tags=["in"]),
        [("entry in", "lost")],
    ),
    "a doubled entry": (
        lambda here, mine, there, theirs: there.add_entry(theirs, contents="hanna, again:\nfrom here"),
        [("entry out", "from here")],
    ),
    "a doubled file": (
        lambda here, mine, there, theirs: here.add_entry(mine, file=("in.bin", b"in"), entry_type=3),
        [("file in", "in.bin")],
    ),
    "a file with other bytes": (
        lambda here, mine, there, theirs: there.add_entry(theirs, file=("in.bin", b"IN"), entry_type=3, tags=["in"]),
        [("file in", "in.bin")],
    ),
    "an attachment that is missing": (
        lambda here, mine, there, theirs: there.attach_file(theirs, "b.txt", b"b"),
        [("attachment", "b.txt")],
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_difference_is_found(pair: tuple[Tenant, str, Tenant, str], change: str) -> None:
    """
    Given: two equal incidents.
    When: one thing is changed on one side.
    Then: the comparison names it.
    """
    act, expected = CHANGES[change]
    act(*pair)

    assert found_different(pair) == expected
