"""The linked pair that stays: what one start leaves is what the next one goes on with, and what is wrong is one sentence."""

import json
import re
import signal
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from local_xsoar.cli.folders import held, keep_access, kept_access
from local_xsoar.cli.linked import INSTANCE, INTEGRATION, keep_mirroring, mirror_until
from local_xsoar.cli.pair import main
from local_xsoar.cli.serve import main as serve_command
from local_xsoar.host import CommandRun, Host, MirrorRound
from local_xsoar.pairs import sharing_in, sharing_out
from local_xsoar.tenant import Tenant, TenantSettings
from local_xsoar.tenant.web import Shared
from local_xsoar.tests.served import Start, starting


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the command and gives its process and what it printed until it served."""
    with starting("pair", tmp_path / "pair") as run:
        yield run


def pages(printed: str) -> list[str]:
    """Return the addresses of the pages, of the customer and of headquarters, without what lets a browser in."""
    return re.findall(r"^  page +(http://127\.0\.0\.1:\d+/web/)#token=\S+$", printed, re.MULTILINE)


def keys(printed: str) -> list[str]:
    """Return the API keys."""
    return re.findall(r"^  API key +(\S+)$", printed, re.MULTILINE)


def customer_incidents(printed: str) -> list[dict[str, Any]]:
    """Return the customer's incidents, as its REST API tells them to whoever has the printed key."""
    url = pages(printed)[0].removesuffix("/web/")
    search = {"filter": {"query": "", "size": 50}}
    found = requests.post(f"{url}/incidents/search", json=search, headers={"Authorization": keys(printed)[0]}, timeout=20)
    return list(found.json()["data"])


@pytest.fixture
def kept(tmp_path: Path) -> Callable[[], dict[str, Any]]:
    """Gives what the folder keeps of headquarters: incidents with their entries by remote id, and the state of the instance."""

    def look() -> dict[str, Any]:
        folder = tmp_path / "pair"
        settings = TenantSettings("headquarters", folder / "headquarters")
        with closing(Tenant(settings)) as tenant, Host(tenant, folder / "host") as host:
            found, _ = tenant.search({"size": 50, "sort": [{"field": "id", "asc": True}]})
            return {
                "incidents": [(item["dbotMirrorId"], len(tenant.entries(item["id"]))) for item in found],
                "last run": host.last_run(INSTANCE),
                "records": sorted(host.integration_context(INSTANCE)[0]),
                "params": host.instance(INSTANCE).params,
            }

    return look


def test_the_next_start_goes_on(start: Start, kept: Callable[[], dict[str, Any]]) -> None:
    """
    Given: a pair that was started, mirrored its samples, and was stopped with Ctrl-C.
    When: it is started again, killed in its work, and started a third time with one more incident at the customer.
    Then: addresses, keys, settings, last run and records are the same; no incident and no entry is there twice.
    """
    process, first = start("--incidents", "2", until="incidents fetched")
    assert "2 incidents fetched" in first
    assert "FromRemote" in first and "ToRemote" in first and "Ctrl-C stops both" in first
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert rest.strip().endswith("Stopped. The same command picks up where it left off.")
    before = kept()
    assert [remote_id for remote_id, _ in before["incidents"]] == ["1", "2"]

    process, second = start("--incidents", "2")
    assert (pages(second), keys(second)) == (pages(first), keys(first))
    assert len(customer_incidents(second)) == 2
    process.kill()
    process.communicate()
    after = kept()
    assert {**after, "last run": None} == {**before, "last run": None}
    assert after["last run"]["time"] == before["last run"]["time"]

    process, third = start()
    new = {"name": "Third", "createInvestigation": True}
    url = pages(third)[0].removesuffix("/web/")
    requests.post(f"{url}/incident", json=new, headers={"Authorization": keys(third)[0]}, timeout=20).raise_for_status()
    assert process.stdout
    while "1 incident fetched" not in process.stdout.readline():
        assert process.poll() is None
    process.kill()
    process.communicate()
    last = kept()
    assert [remote_id for remote_id, _ in last["incidents"]] == ["1", "2", "3"]
    assert last["incidents"][:2] == before["incidents"]


def test_another_port_and_another_clone_of_the_pack(start: Start, tmp_path: Path, kept: Callable[[], dict[str, Any]]) -> None:
    """
    Given: a kept pair whose last port somebody took, and whose pack lay in another folder.
    When: it is started.
    Then: it takes a free port, and the instance calls the customer there.
    """
    process, first = start("--incidents", "0")
    process.kill()
    process.communicate()
    host_file = tmp_path / "pair" / "host" / "host.sqlite"
    with closing(sqlite3.connect(host_file)) as database, database:
        database.execute("update instance set integration = '/gone'")
    port = int(pages(first)[0].split(":")[2].partition("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        process, second = start()
    process.kill()
    process.communicate()

    customer, headquarters = pages(second)
    assert headquarters == pages(first)[1]
    assert customer != pages(first)[0]
    assert kept()["params"]["url"] == customer.removesuffix("/web/")


def refused(command: Callable[[list[str]], int], arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must be refused before it serves; return the one sentence that says why."""
    assert command(arguments) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    return printed.err.strip()


def test_a_port_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: a port that another process has.
    When: the pair is to take it.
    Then: one sentence says so.
    """
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        for option in ("--headquarters-port", "--customer-port"):
            sentence = refused(main, ["--folder", str(tmp_path / "pair"), option, port], capsys)
            assert sentence.startswith(f"Port {port} cannot be used") and sentence.endswith("or 0 for any free port.")


@pytest.mark.parametrize("command", [main, serve_command], ids=["pair", "serve"])
def test_a_folder_that_is_in_use(command: Callable[[list[str]], int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: a tenant's folder that another start holds.
    When: it is to be served.
    Then: one sentence says so.
    """
    folder = tmp_path / "customer" if command is main else tmp_path
    keep_access(folder, {}, version="6.12.0")
    with held(folder):
        sentence = refused(command, ["--folder", str(tmp_path)], capsys)
    assert sentence == f"The folder {folder} is in use by another process: stop that one, or give another --folder."


def test_a_folder_of_the_other_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: a folder of a single tenant and one of a pair.
    When: each is served by the other's command.
    Then: one sentence names the right one.
    """
    keep_access(tmp_path / "one", {}, version="8.8.0")
    keep_access(tmp_path / "two" / "headquarters", {}, version="8.8.0")

    one = refused(main, ["--folder", str(tmp_path / "one")], capsys)
    two = refused(serve_command, ["--folder", str(tmp_path / "two")], capsys)

    assert "holds a single tenant" in one and f'make serve ARGS="--folder {tmp_path / "one"}"' in one
    assert "holds a linked pair" in two and f'make pair ARGS="--folder {tmp_path / "two"}"' in two


@pytest.mark.parametrize("command", [main, serve_command], ids=["pair", "serve"])
def test_a_folder_without_a_name(command: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: an option with nothing in it, as from an empty variable of a shell.
    When: it is to name the folder.
    Then: one sentence says so, and the current folder stays as it is.
    """
    with pytest.raises(SystemExit):
        command(["--folder", ""])
    assert capsys.readouterr().err.startswith("Argument --folder: it names no folder: see ")


@pytest.mark.parametrize("command", [main, serve_command], ids=["pair", "serve"])
def test_a_folder_written_by_another_version(
    command: Callable[[list[str]], int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Given: a folder whose data are of a format that this version does not know.
    When: it is to be served.
    Then: one sentence says so, and what lies there is left alone.
    """
    folder = tmp_path / "customer" if command is main else tmp_path
    keep_access(folder, {}, version="6.12.0")
    access = folder / "access.json"
    access.write_text(json.dumps(json.loads(access.read_text()) | {"format": 2}))
    written = access.read_text()

    sentence = refused(command, ["--folder", str(tmp_path)], capsys)

    assert sentence.startswith(f"The folder {folder} was written by another version of the local XSOAR")
    assert access.read_text() == written


def test_what_a_folder_keeps_is_broken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: a tenant's folder whose access file is not one.
    When: the pair is started.
    Then: one sentence names the file.
    """
    access = tmp_path / "customer" / "access.json"
    access.parent.mkdir()
    access.write_text("[]")

    assert refused(main, ["--folder", str(tmp_path)], capsys).startswith(f"{access} contains no API key")


@pytest.mark.parametrize("database", ["host/host.sqlite", "customer/tenant.sqlite"])
def test_a_database_that_is_none(database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: a folder in which a database is something else.
    When: the pair is started.
    Then: one sentence says so, and the file is left alone.
    """
    path = tmp_path / database
    path.parent.mkdir()
    path.write_text("no database, but longer than the head of one would be: " * 20)
    written = path.read_text()
    assert "cannot be" in refused(main, ["--folder", str(tmp_path)], capsys)
    assert path.read_text() == written


def test_a_folder_of_an_earlier_version_is_served(tmp_path: Path) -> None:
    """
    Given: a folder that keeps nothing but its key.
    When: its access is read and kept.
    Then: the key stays, and what was missing is added.
    """
    (tmp_path / "access.json").write_text('{"api_key": "k"}')
    keep_access(tmp_path, kept_access(tmp_path), version="8.8.0")
    assert kept_access(tmp_path) == {"api_key": "k", "version": "8.8.0", "format": 1}


def tags_of(shared: Shared) -> tuple[list[tuple[str, str]], list[str]]:
    """Return to whom which tags lead, and the tags of the other side."""
    return [(share.to, share.tag) for share in shared.shares], sorted(shared.foreign_tags)


def test_which_tags_share_an_entry(tmp_path: Path) -> None:
    """
    Given: an instance with two incoming and two outgoing tags, which nobody has told of yet, and then everybody.
    When: it is asked how the entries of an incident are shared, at headquarters and at the customer.
    Then: each side has its own tags; headquarters only for an incident that the instance mirrors out.
    """
    out = {"dbotMirrorInstance": INSTANCE, "dbotMirrorDirection": "Both"}
    with closing(Tenant(TenantSettings("headquarters", tmp_path / "tenant"))) as tenant, Host(tenant, tmp_path / "host") as host:
        here, there = sharing_out(host), sharing_in(host, INSTANCE, "headquarters")
        assert tags_of(here(out)) == tags_of(there({})) == ([], [])

        credentials = {"identifier": "", "password": "k"}
        params = {"url": "http://127.0.0.1:9", "credentials_api_key": credentials, "tags": "in, more", "mirror_tag": "out,copy,"}
        host.add_instance(INSTANCE, INTEGRATION, params)

        assert tags_of(here(out)) == ([(INSTANCE, "out"), (INSTANCE, "copy")], ["in", "more"])
        assert tags_of(here({**out, "dbotMirrorDirection": "In"})) == ([], ["in", "more"])
        assert tags_of(here({**out, "dbotMirrorInstance": ""})) == ([], [])
        assert tags_of(there({})) == ([("headquarters", "in"), ("headquarters", "more")], ["copy", "out"])


class SomeHost:
    """A host whose fetches end as a test wants them to; `done` is called when the last one has begun."""

    def __init__(self, fetches: list[tuple[str, int]], done: Callable[[], None]) -> None:
        self.fetches = fetches
        self.done = done
        self.mirrored = 0

    def fetch(self, name: str) -> CommandRun:
        error, created = self.fetches.pop(0)
        if not self.fetches:
            self.done()
        return CommandRun("fetch-incidents", {}, ok=not error, error=error, created=[str(number) for number in range(created)])

    def mirror(self, name: str) -> MirrorRound:
        self.mirrored += 1
        return MirrorRound(name)


def test_what_the_rounds_say() -> None:
    """
    Given: a remote that is away for two rounds.
    When: the rounds go on.
    Then: they do not end; the failure is told once, its end and what crossed too, and nothing of a quiet round.
    """
    said: list[str] = []
    over = threading.Event()
    host = SomeHost([("The remote is away.", 0), ("The remote is away.", 0), ("", 1), ("", 0)], over.set)

    mirror_until(over, host, said.append, pause=0)  # type: ignore[arg-type]

    assert said == ["The remote is away.", "1 incident fetched", "It works again."]
    assert host.mirrored == 4


def test_ctrl_c_lets_the_round_end() -> None:
    """
    Given: a round that has fetched.
    When: Ctrl-C is pressed.
    Then: the round goes on to its end, and no other begins.
    """
    said: list[str] = []
    host = SomeHost([("", 1)], lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            keep_mirroring(host, said.append)  # type: ignore[arg-type]
    finally:
        signal.signal(signal.SIGINT, before)

    assert (host.mirrored, said) == (1, ["1 incident fetched"])
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("mirroring")]


def test_a_kept_port_that_is_none_costs_no_key(tmp_path: Path) -> None:
    """
    Given: a folder whose kept port was spoilt.
    When: its access is read.
    Then: the key is still there, and no port.
    """
    keep_access(tmp_path, {"api_key": "k"}, port="x")

    assert kept_access(tmp_path) == {"api_key": "k", "format": 1}
