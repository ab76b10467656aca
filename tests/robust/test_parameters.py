"""Every parameter and every argument, in every shape: it has a meaning, or one sentence says what to enter.

The table of all of them is written to build/parameters.md.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import XSOARMirroring as script
import yaml
from stand_ins import HOST_8, KEY, LAST_UPDATE, PARAMS, Outcome, Remote, Server, load

ROOT = Path(__file__).resolve().parents[2]
YML = yaml.safe_load((ROOT / "Packs/XSOARMirroring/Integrations/XSOARMirroring/XSOARMirroring.yml").read_text(encoding="utf-8"))
MISSING = object()
SHAPES: dict[str, Any] = {
    "missing": MISSING,
    "null": None,
    "blank": "",
    "spaces": "  \t\n",
    "a number": 7,
    "a fraction": 1.5,
    "true": True,
    "the text true": "True",
    "a word": "word",
    "a small number": "-1",
    "zero": "0",
    "a large number": "9" * 20,
    "a number without measure": "9" * 400,
    "a long text": "x" * 20_000,
    "many units": "99999999999999999999 years",
    "a time": "2026-02-28T00:00:00+05:30",
    "unicode": "ключ 報告 \u202eabc",
    "half a character": "a\ud800b",
    "a list": ["a", "b"],
    "a list of anything": [None, 7, {"a": 1}, ["b"], ""],
    "an empty list": [],
    "an object": {"a": 1},
    "a list as JSON": '["a", "b"]',
    "an object as JSON": '{"a": 1}',
    "JSON cut off": '["a", ',
    "a comma": ",",
    "Markdown": "**a** | <b>",
}
BY_THE_SERVER = {"isFetch", "incidentType", "incidentFetchInterval"}  # The script never sees their meaning.
# The field of Settings that holds a parameter, where it has another name.
FIELDS = {
    "url": "api_root",
    "insecure": "verify",
    "mirror_tag": "mirror_tags",
    "mirror_direction": "direction",
    "close_incident": "close_in",
    "disable_from_same_integration": "skip_own",
    "mirror_playbook_id": "mirror_playbook",
    "fetch_incident_history": "history",
    "debug_mode": "debug",
    "look_back": "look_back_ms",
    "credentials_api_key": "key_id",
    "advanced_api_key": "advanced_key",
    "fetch_by": "fetch_late",
    "reopen": "reopen_out",
    "in_fields": "sharing",
    "out_fields": "sharing",
    "max_file_mb": "sharing",
    "file_types": "sharing",
    "redact": "sharing",
}
NAMES = {  # How a sentence names a parameter, where it is not by its whole display.
    "credentials_api_key": "API Key",
    "look_back": "Look-back",
    "debug_mode": "Debug mode",
    "tags": "tag",
    "mirror_tag": "tag",
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "xsoar-search-incidents": {},
    "xsoar-get-incident": {"id": "1"},
    "xsoar-mirror-status": {"id": "1"},
    "xsoar-mirror-journal": {},
    "xsoar-mirror-diff": {"id": "1", "incident": {"id": "77", "name": "here"}},
    "xsoar-mirror-resync": {"id": "1"},
    "xsoar-mirror-reconcile": {},
    "xsoar-mirror-stop": {"id": "1"},
    "xsoar-mirror-start": {"id": "1"},
    "xsoar-mirror-pause": {"until": "2 hours"},
    "xsoar-mirror-mappers": {"local_fields": load("incident_fields")},
    "xsoar-mirror-check": {},
    "get-remote-data": {"id": "1", "lastUpdate": LAST_UPDATE},
    "get-modified-remote-data": {"lastUpdate": LAST_UPDATE},
}
PYTHON = re.compile(
    r"Traceback|has no attribute|not subscriptable|not iterable|unsupported operand|unhashable|NoneType|codec|recursion|"
    r"out of range|too large|Python int|argument must|\btimedelta\b|\bErrno\b"
)
MEANT = re.compile(r"^(\w+\.)*(ValueError|RemoteError|DemistoException|Exception): ")


@pytest.fixture(scope="module")
def table() -> "Table":
    """The table that this module writes."""
    return Table()


class Table:
    """What came of each shape of each parameter and argument."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], dict[str, str]] = {}

    def add(self, kind: str, name: str, shape: str, result: str) -> None:
        """Note a result, and write all that is known so far."""
        self.rows.setdefault((kind, name), {})[shape] = result
        lines = ["# Parameters and arguments", "", "Written by tests/robust/test_parameters.py.", ""]
        for (its_kind, its_name), results in sorted(self.rows.items()):
            lines += [f"## {its_kind}: {its_name}", "", "|Given|What comes of it|", "|---|---|"]
            lines += [f"|{shape}|{cell(result)}|" for shape, result in results.items()]
            lines.append("")
        build = ROOT / "build"
        build.mkdir(exist_ok=True)
        (build / "parameters.md").write_text("\n".join(lines), encoding="utf-8")


def cell(text: str) -> str:
    """Return a text as the cell of a table."""
    line = " ".join(text.encode(errors="replace").decode().split())
    line = line if len(line) <= 240 else line[:239] + "…"
    return line.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\u202e", "")


def must_be_a_sentence(server: Server, error: str) -> None:
    """Check that an error is one sentence that the script meant to say, and no longer than one can read."""
    error = error.removeprefix("skip update. error: ")
    assert "\n" not in error
    assert len(error) < 800, error[:300]
    assert not PYTHON.search(error), error
    # What the remote said itself stands last.
    assert error.endswith(".") or re.search(r"\(\d{3}\)", error), error
    assert KEY not in error
    traces = [line for _, line in server.log if "Traceback" in line]
    if traces:
        last = [line for line in traces[-1].splitlines() if line.strip()][-1]
        assert MEANT.match(last), last


@pytest.mark.parametrize("name", [item["name"] for item in YML["configuration"]])
def test_every_parameter_has_a_meaning_or_a_sentence(server: Server, remote: Remote, table: Table, name: str) -> None:
    """
    Given: a parameter in every shape in which it can come.
    When: Test and a fetch run.
    Then: both go well, or both fail with the same one sentence that names the parameter; nothing else happens.
    """
    display = next(item["display"] for item in YML["configuration"] if item["name"] == name)
    display = NAMES.get(name, display)
    for shape, value in SHAPES.items():
        server.params = {key: given for key, given in PARAMS.items() if key != name}
        if value is not MISSING:
            server.params[name] = value
        server.last_run, server.context = {}, "{}"
        server.log.clear()

        tested, fetched = server.run("test-module"), server.run("fetch-incidents")

        try:
            settings = script.parse_settings(server.params, "headquarters")._asdict()
            is_read = "First fetch time" not in tested.error
        except ValueError:
            is_read = False
        if not is_read:
            must_be_a_sentence(server, tested.error)
            assert display in tested.error, (shape, tested.error)
            assert fetched.error == tested.error, shape
            assert not remote.writes()
            table.add("Parameter", name, shape, f"Refused: {tested.error}")
            continue
        meaning = "the server's own" if name in BY_THE_SERVER else repr(settings[FIELDS.get(name, name)])
        table.add("Parameter", name, shape, f"Accepted: {meaning}")
        if tested.error:
            must_be_a_sentence(server, tested.error)


@pytest.mark.parametrize("part", ["password", "identifier"])
def test_both_parts_of_the_credentials_have_a_meaning_or_a_sentence(
    server: Server, remote: Remote, table: Table, part: str
) -> None:
    """
    Given: the key, or its ID, in every shape.
    When: Test runs.
    Then: it goes well or one sentence names it, without it.
    """
    for shape, value in SHAPES.items():
        credentials = {"identifier": "7", "password": KEY}
        credentials.pop(part)
        server.params["credentials_api_key"] = credentials | ({} if value is MISSING else {part: value})
        server.log.clear()
        identifier = "" if value is MISSING else str(value or "").strip()
        remote.root = f"{HOST_8}/xsoar" if part == "password" or identifier else HOST_8

        error = server.run("test-module").error

        if error:
            must_be_a_sentence(server, error)
            assert "API Key" in error or "API key" in error
            assert part == "identifier" or not isinstance(value, str) or len(value.strip()) < 4 or value not in error
        table.add("Parameter", f"credentials_api_key.{part}", shape, f"Refused: {error}" if error else "Accepted")


def arguments() -> list[Any]:
    """Return each argument of each command."""
    return [
        pytest.param(command["name"], argument["name"], id=f"{command['name']} {argument['name']}")
        for command in YML["script"]["commands"]
        for argument in command["arguments"]
    ]


@pytest.mark.parametrize(("command", "name"), arguments())
def test_every_argument_has_a_meaning_or_a_sentence(
    server: Server, remote: Remote, table: Table, command: str, name: str
) -> None:
    """
    Given: an argument in every shape in which it can come.
    When: its command runs.
    Then: it goes well, or fails with one sentence; it writes nothing there, unless that is what it is for.
    """
    remote.add("1")
    server.fetch()
    remote.write("1", "the text", tags=["share"])
    checks = command == "xsoar-mirror-check"
    kept = server.last_run, server.last_mirror_run, server.context
    for shape, value in SHAPES.items():
        server.last_run, server.last_mirror_run, server.context = kept
        server.log.clear()
        remote.calls.clear()
        args = {key: given for key, given in ARGUMENTS[command].items() if key != name}
        if value is not MISSING:
            args[name] = value

        outcome = server.run(command, args)

        assert not remote.writes() or (checks and name == "write")
        assert len(server.kept_text()) < 5000
        assert len(remote.calls) < (100 if checks else 20)
        if outcome.error:
            must_be_a_sentence(server, outcome.error)
            table.add("Argument", f"{command} {name}", shape, f"Refused: {outcome.error}")
        else:
            table.add("Argument", f"{command} {name}", shape, f"Accepted: {asked(remote, outcome)}")


def asked(remote: Remote, outcome: Outcome) -> str:
    """Return what an accepted argument came to: what the remote was asked, and how much came."""
    calls = [f"{call.route} {json.dumps(call.body) if call.body else ''}".strip() for call in remote.calls]
    return "; ".join(calls[:2]) or "nothing is asked"


def test_the_table_names_them_all(server: Server, remote: Remote, table: Table) -> None:
    """
    Given: a parameter with a new display.
    When: the yml is read.
    Then: the table has a way to name its meaning.
    """
    settings = script.parse_settings(PARAMS, "headquarters")._asdict()
    for item in YML["configuration"]:
        assert item["name"] in BY_THE_SERVER or FIELDS.get(item["name"], item["name"]) in settings
    for command in YML["script"]["commands"]:
        assert command["name"] in ARGUMENTS or not command["arguments"]


@pytest.mark.parametrize(
    ("command", "args", "word"),
    [
        ("xsoar-search-incidents", {"max_results": "0"}, "max_results"),
        ("xsoar-search-incidents", {"max_results": "999999999"}, "max_results"),
        ("xsoar-search-incidents", {"start_time": "soon"}, "start_time"),
        ("xsoar-get-incident", {"id": "1", "max_results": "-1"}, "max_results"),
        ("xsoar-get-incident", {"id": "1", "max_results": "999999999"}, "max_results"),
        ("xsoar-get-incident", {"id": "1", "categories": "x"}, "categories"),
        ("xsoar-get-incident", {"id": " "}, "id"),
        ("xsoar-mirror-resync", {"id": "1", "fields": "x"}, "fields"),
        ("xsoar-mirror-journal", {"since": "soon"}, "since"),
        ("xsoar-mirror-journal", {"direction": "up"}, "direction"),
        ("xsoar-mirror-journal", {"outcome": "well"}, "outcome"),
        ("xsoar-mirror-journal", {"limit": "0"}, "limit"),
        ("xsoar-mirror-reconcile", {"scope": "x"}, "scope"),
        ("xsoar-mirror-reconcile", {"max": "0"}, "max"),
        ("xsoar-mirror-reconcile", {"repair": "x"}, "repair"),
        ("xsoar-mirror-reconcile", {"entries": "some"}, "entries"),
        ("xsoar-mirror-diff", {"id": "1", "incident": "x"}, "incident"),
        ("xsoar-mirror-mappers", {"local_fields": load("incident_fields"), "types": "x"}, "types"),
        ("xsoar-mirror-mappers", {"local_fields": load("incident_fields"), "include": "x"}, "include"),
        ("xsoar-mirror-mappers", {"local_fields": load("incident_fields"), "exclude": "x"}, "exclude"),
        ("xsoar-mirror-mappers", {"local_fields": load("incident_fields"), "missing": "x"}, "missing"),
        ("xsoar-mirror-mappers", {"local_fields": "x"}, "local_fields"),
        ("get-remote-data", {"id": "", "lastUpdate": LAST_UPDATE}, "id"),
    ],
)
def test_a_wrong_argument_is_named(server: Server, remote: Remote, command: str, args: dict[str, Any], word: str) -> None:
    """
    Given: an argument that is wrong.
    When: its command runs.
    Then: the sentence names it.
    """
    remote.add("1")

    run: Callable[..., str] = server.fails
    assert word in run(command, **args)
