"""Running commands: each in a worker of its own, and what becomes of it however it ends."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local_xsoar.host import Host, HostError, markdown_of
from local_xsoar.host.settings import HostSettings
from local_xsoar.tenant import Tenant
from local_xsoar.tests.host.host_samples import SAMPLES, Remote


def texts(entries: list[dict[str, Any]]) -> list[Any]:
    return [entry["Contents"] for entry in entries]


def test_the_script_runs_as_on_a_server_and_knows_where_it_runs(rough: Host) -> None:
    """
    Given: an instance.
    When: a command runs with its arguments.
    Then: the script has the name that a server's loop gives it, and sees the command, the arguments with their defaults as text,
    its instance and its brand.
    """
    run = rough.run("rough", "rough-echo", {"text": "hi", "size": 3, "flag": True})
    assert (run.ok, run.error) == (True, "")
    (entry,) = run.entries
    assert entry["EntryContext"] == {"Rough.Echo": entry["Contents"]}
    assert markdown_of(entry) == "### Echo"
    said = entry["Contents"]
    assert said["args"] == {"text": "hi", "size": "3", "flag": "true"}
    assert (said["command"], said["instance"], said["brand"]) == ("rough-echo", "rough", "Rough")
    assert (said["main"], said["is command"], said["version"]) == ("builtins", True, "8.8.0")


def test_entries_of_every_kind_are_brought_into_one_shape(rough: Host) -> None:
    """
    Given: a script that gives text, lists, objects, entries with and without readable output, and nothing.
    When: it runs.
    Then: each makes one entry of the same shape, in order, and nothing makes none.
    """
    run = rough.run("rough", "rough-entries")
    assert [(entry["Type"], entry["ContentsFormat"]) for entry in run.entries] == [
        (1, "text"),
        (1, "text"),
        (1, "json"),
        (1, "json"),
        (1, "text"),
    ]
    assert texts(run.entries) == ["just text", "in a list", {"any": "object"}, {"a": [1, 2]}, "*raw*"]
    assert (run.entries[3]["Note"], run.entries[3]["Tags"]) == (True, ["x"])
    assert markdown_of(run.entries[2]) == '```json\n{\n    "any": "object"\n}\n```'
    assert markdown_of(run.entries[4]).startswith("| a |")


@pytest.mark.parametrize(
    ("command", "args", "said"),
    [
        ("rough-error", {}, "It went wrong on purpose"),
        ("rough-raise", {}, "KeyError: 'nobody caught me'"),
        ("rough-exit", {"code": "3"}, "The script ended with 3"),
        ("rough-kill", {}, "The script was killed by signal 9"),
        ("rough-not-json", {"kind": "set"}, "TypeError: Object of type set is not JSON serializable"),
        ("rough-not-json", {"kind": "bytes"}, "TypeError: Object of type bytes is not JSON serializable"),
        ("rough-not-json", {"kind": "infinite"}, "ValueError: Out of range float values are not JSON compliant"),
        ("rough-mock", {}, "demisto.searchIndicators() is not part of the local XSOAR"),
    ],
)
def test_a_run_that_fails_says_why(rough: Host, command: str, args: dict[str, str], said: str) -> None:
    """
    Given: a script that ends badly, one way or another.
    When: it runs.
    Then: the run is not ok, its error and its last entry say why, and other commands run as before.
    """
    run = rough.run("rough", command, args)
    assert not run.ok
    assert said in run.error
    assert run.entries[-1]["Type"] == 4
    assert said in run.entries[-1]["Contents"]
    assert rough.run("rough", "rough-entries").ok


def test_a_good_exit_is_no_failure(rough: Host) -> None:
    """
    Given: a script that calls sys.exit(0) after a result.
    When: it runs.
    Then: the run is ok and has the result.
    """
    run = rough.run("rough", "rough-exit", {"code": "0"})
    assert run.ok
    assert texts(run.entries) == ["before"]


def test_a_killed_run_gives_nothing_but_its_context_stays(rough: Host) -> None:
    """
    Given: a script that writes its context, gives a result and is killed.
    When: it ran.
    Then: the result is gone, the answered context write is not.
    """
    run = rough.run("rough", "rough-write-then-kill")
    assert not run.ok
    assert texts(run.entries) == ["The script was killed by signal 15"]
    assert rough.integration_context("rough") == ({"written": "yes"}, 1)


def test_a_run_that_takes_too_long_is_killed_with_all_it_started(open_host: Callable[..., Host], tmp_path: Path) -> None:
    """
    Given: a host with a short timeout, and a script that starts a process and waits for ever.
    When: it runs.
    Then: the run fails and says how long it was given, and neither process lives.
    """
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    host = open_host(timeout=3.0)
    host.add_instance("rough", SAMPLES / "Rough", {"url": "https://there"})
    run = host.run("rough", "rough-sleep", {"pipe": str(pipe)})
    assert run.error == "The script ran longer than 3 seconds and was killed"
    # Both processes held the pipe open; it ends once neither lives.
    assert select.select([reader], [], [], 30)[0]
    assert os.read(reader, 100) == b"begun"
    assert select.select([reader], [], [], 30)[0]
    assert os.read(reader, 100) == b""
    os.close(reader)


def test_a_process_is_kept_for_the_next_command(rough: Host) -> None:
    """
    Given: a server that keeps its containers.
    When: a command runs twice.
    Then: one process ran both, with the names of neither the first run nor its environment, but with the modules it changed;
    the platform's module and the script have one namespace.
    """
    rough.run("rough", "rough-process")
    first, second = (run.entries[0]["Contents"] for run in (rough.run("rough", "rough-process") for _ in range(2)))
    assert second == {**first, "commands before": first["commands before"] + 1}
    assert (second["LEFT"], second["own names"], second["shares names"]) == (None, False, True)


def test_a_process_that_runs_one_command(open_host: Callable[..., Host]) -> None:
    """
    Given: a server that starts a container for each command.
    When: a command runs twice.
    Then: each has a process of its own.
    """
    host = open_host(settings=HostSettings(processes="fresh"))
    host.add_instance("rough", SAMPLES / "Rough", {"url": "https://there"})
    first, second = (run.entries[0]["Contents"] for run in (host.run("rough", "rough-process") for _ in range(2)))
    assert first["id"] != second["id"]
    assert (first["commands before"], second["commands before"]) == (0, 0)


def test_what_a_script_leaves_running_ends_with_it(open_host: Callable[..., Host], tmp_path: Path) -> None:
    """
    Given: a script that starts a process and ends well, in a container of its own.
    When: it ran.
    Then: its result is there, and the process is not.
    """
    host = open_host(settings=HostSettings(processes="fresh"))
    host.add_instance("rough", SAMPLES / "Rough", {"url": "https://there"})
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert texts(host.run("rough", "rough-leave-running", {"pipe": str(pipe)}).entries) == ["done"]
    assert os.read(reader, 100) == b"begun"
    assert select.select([reader], [], [], 30)[0]
    assert os.read(reader, 100) == b""
    os.close(reader)


HOST_OF_A_SLEEPER = """
import sys
from pathlib import Path
from local_xsoar.host import Host
from local_xsoar.tenant import Tenant, TenantSettings

folder, integration, pipe = sys.argv[1:]
with Host(Tenant(TenantSettings(name="here", folder=Path(folder) / "tenant")), Path(folder) / "host") as host:
    host.add_instance("rough", Path(integration), {"url": "https://there"})
    host.run("rough", "rough-sleep", {"pipe": pipe})
"""


def test_a_host_that_is_killed_leaves_no_worker_behind(tmp_path: Path) -> None:
    """
    Given: a host in a process of its own, whose script never ends.
    When: the host's process is killed.
    Then: the script and what it started end too.
    """
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    command = [sys.executable, "-c", HOST_OF_A_SLEEPER, str(tmp_path), str(SAMPLES / "Rough"), str(pipe)]
    with subprocess.Popen(command, cwd=SAMPLES.parents[6]) as process:
        assert select.select([reader], [], [], 30)[0]
        assert os.read(reader, 100) == b"begun"
        process.kill()
    assert select.select([reader], [], [], 30)[0]
    assert os.read(reader, 100) == b""
    os.close(reader)


def test_many_threads_may_run_commands_at_once(rough: Host) -> None:
    """
    Given: a host.
    When: eight threads each run four commands, raising one counter in the context.
    Then: each run is itself; those that were overtaken were refused, and the others' writes are all counted.
    """
    with ThreadPoolExecutor(8) as pool:
        counts = [pool.submit(rough.run, "rough", "rough-context") for _ in range(16)]
        echoes = [pool.submit(rough.run, "rough", "rough-echo", {"text": str(number)}) for number in range(16)]
    assert [run.result().entries[0]["Contents"]["args"]["text"] for run in echoes] == [str(number) for number in range(16)]
    good = sum(run.result().ok for run in counts)
    assert good >= 1
    assert rough.integration_context("rough") == ({"count": good}, good)


def test_what_a_script_prints_and_logs_is_in_the_log(rough: Host) -> None:
    """
    Given: a script that prints, has a child print, and logs at every level.
    When: it runs.
    Then: all of it is in the log, half a surrogate pair made storable.
    """
    log = rough.run("rough", "rough-print").log
    assert {"info: an info line", "error: an error line", "debug: half a pair: \ufffd", "health: healthy"} <= set(log)
    assert {"printed: to stdout", "printed: to stderr", "printed: from a child"} <= set(log)


def test_the_context_counts_its_versions(rough: Host) -> None:
    """
    Given: a script that raises a counter in its context.
    When: it runs three times.
    Then: each run sees what the one before wrote, and the version grows by one.
    """
    said = [texts(rough.run("rough", "rough-context").entries) for _ in range(3)]
    assert said == [["1 in version 1"], ["2 in version 2"], ["3 in version 3"]]


def test_a_context_that_is_reset_begins_anew(rough: Host) -> None:
    """
    Given: a counter in the context.
    When: the context is reset.
    Then: the script counts from one again.
    """
    rough.run("rough", "rough-context")
    rough.reset_integration_context("rough")
    assert texts(rough.run("rough", "rough-context").entries) == ["1 in version 3"]


def test_a_stale_context_is_refused_and_a_forced_one_is_not(rough: Host) -> None:
    """
    Given: a script that writes twice with one version, then with -1.
    When: it runs.
    Then: the second write raised ValueError in the script, the forced one took effect.
    """
    assert texts(rough.run("rough", "rough-stale-context").entries) == ["refused"]
    assert rough.integration_context("rough") == ({"by": "third"}, 2)


def test_a_context_written_by_another_run_meanwhile_makes_a_version_stale(open_host: Callable[..., Host]) -> None:
    """
    Given: a script about to write the context it read.
    When: another run of the instance writes first.
    Then: the slower one fails with the version's refusal, and the faster one's write stays.
    """
    second: list[Any] = []

    def on_call(_pid: int, name: str) -> None:
        if name == "setIntegrationContextVersioned" and not second:
            second.append("begun")
            second.append(host.run("rough", "rough-context"))

    host = open_host(on_call=on_call)
    host.add_instance("rough", SAMPLES / "Rough", {"url": "https://there"})
    slow = host.run("rough", "rough-context")
    assert second[1].ok
    assert "has the version 1, and 0 was given" in slow.error
    assert host.integration_context("rough") == ({"count": 1}, 1)


@pytest.mark.parametrize("step", ["start", "getIntegrationContextVersioned", "setIntegrationContextVersioned", "results", "done"])
def test_a_worker_can_be_killed_at_any_step(open_host: Callable[..., Host], step: str) -> None:
    """
    Given: a worker that is killed when it reaches a certain call, the last one among them.
    When: it ran.
    Then: the run failed, and the context holds what was written up to there.
    """

    def on_call(pid: int, name: str) -> None:
        if name == step and not killed:
            killed.append(pid)
            os.kill(pid, signal.SIGKILL)

    killed: list[int] = []
    host = open_host(on_call=on_call)
    host.add_instance("rough", SAMPLES / "Rough", {"url": "https://there"})
    run = host.run("rough", "rough-context")
    assert (run.ok, run.error) == (False, "The script was killed by signal 9")
    assert host.integration_context("rough")[1] == (0 if step in ("start", "getIntegrationContextVersioned") else 1)
    assert host.run("rough", "rough-context").ok


def test_a_script_that_pauses_takes_its_time(rough: Host) -> None:
    """
    Given: a script that sleeps for a while.
    When: it runs on a host as it comes.
    Then: the run takes at least that long.
    """
    run = rough.run("rough", "rough-nap", {"seconds": "0.05"})
    assert texts(run.entries) == ["rested"]
    assert run.seconds >= 0.05


def test_a_host_may_pause_in_its_own_way(open_host: Callable[..., Host]) -> None:
    """
    Given: a host that is told what to do for a pause.
    When: a script sleeps for a day, and for less than nothing.
    Then: the host was asked for the day and the script went on; the other is refused as ever.
    """
    pauses: list[float] = []
    host = open_host(pause=pauses.append)
    host.add_instance("rough", SAMPLES / "Rough", {"url": "https://there"})
    run = host.run("rough", "rough-nap", {"seconds": "86400"})
    assert texts(run.entries) == ["rested"]
    assert pauses == [86400]
    assert "ValueError: sleep length must be non-negative" in host.run("rough", "rough-nap", {"seconds": "-1"}).error


def test_threads_may_log_at_once_and_are_waited_for(open_host: Callable[..., Host]) -> None:
    """
    Given: a script that logs from eight threads, and has a thread that outlives its main.
    When: it runs in a container of its own.
    Then: every line arrived whole, the last thread's too.
    """
    host = open_host(settings=HostSettings(processes="fresh"))
    host.add_instance("rough", SAMPLES / "Rough", {"url": "https://there"})
    run = host.run("rough", "rough-threads")
    assert run.ok, run.error
    assert {f"debug: line {number}" for number in range(200)} <= set(run.log)
    assert "debug: from a thread that outlives main" in run.log


def test_a_thread_that_could_speak_into_the_next_command_is_an_error(rough: Host) -> None:
    """
    Given: a script that has a thread that outlives its main.
    When: it runs in a container that is kept.
    Then: the run fails and says why; the next command is fine.
    """
    assert "The script left threads running, which could speak into the next command" in rough.run("rough", "rough-threads").error
    assert rough.run("rough", "rough-context").ok


def test_a_last_run_is_seen_by_its_own_job_only(ledger: Host, remote: Remote) -> None:
    """
    Given: an instance that fetched and mirrored, and saved a last run in each.
    When: it fetches, mirrors, is tested, and runs a command.
    Then: the fetch sees its own last run, the mirror job its own, and the others none.
    """
    ledger.fetch("ledger")
    ledger.mirror("ledger")
    remote.calls()
    ledger.fetch("ledger")
    ledger.mirror("ledger")
    ledger.test("ledger")
    remote.holds(data={"r1": {"object": {"number": "r1"}}})
    ledger.run("ledger", "get-remote-data", {"id": "r1"})
    seen = {call["command"]: (list(call["lastRun"]), list(call["lastMirrorRun"])) for call in remote.calls()}
    assert seen == {
        "fetch-incidents": (["offset"], []),
        "get-modified-remote-data": ([], ["asked"]),
        "test-module": ([], []),
        "get-remote-data": ([], []),
    }


def test_a_last_run_that_a_command_sets_is_not_kept(rough: Host) -> None:
    """
    Given: a command that sets the last run.
    When: it ran.
    Then: the last run is as before, for it belongs to the fetch.
    """
    assert rough.run("rough", "rough-last-run").ok
    assert rough.last_run("rough") == {}


def test_each_run_has_an_empty_folder_which_is_gone_afterwards(rough: Host) -> None:
    """
    Given: a command that leaves a file behind.
    When: it runs twice.
    Then: the second found nothing.
    """
    for _ in range(2):
        assert texts(rough.run("rough", "rough-leftovers").entries) == ["nothing"]


def test_a_changed_script_is_run_as_it_is_now(open_host: Callable[..., Host], tmp_path: Path) -> None:
    """
    Given: an integration that ran once.
    When: its script is changed.
    Then: the next run is of the new script, without a restart of the host.
    """
    folder = tmp_path / "Rough"
    folder.mkdir()
    (folder / "Rough.yml").write_text((SAMPLES / "Rough" / "Rough.yml").read_text())
    script = folder / "Rough.py"
    script.write_text("import demistomock as demisto\ndemisto.results('old')")
    host = open_host()
    host.add_instance("one", folder, {"url": "u"})
    assert texts(host.run("one", "rough-entries").entries) == ["old"]
    script.write_text("import demistomock as demisto\ndemisto.results('brand-new')")
    assert texts(host.run("one", "rough-entries").entries) == ["brand-new"]
    script.write_text("this is no Python")
    assert "SyntaxError" in host.run("one", "rough-entries").error


def test_pressing_test_says_what_the_script_says(open_host: Callable[..., Host]) -> None:
    """
    Given: an instance whose test passes, and one whose test gives a sentence.
    When: Test is pressed.
    Then: one is ok, the other gives the sentence, and neither kept the context it wrote.
    """
    host = open_host()
    host.add_instance("good", SAMPLES / "Rough", {"url": "https://there"})
    host.add_instance("bad", SAMPLES / "Rough", {"url": "ftp://there"})
    assert host.test("good").ok
    bad = host.test("bad")
    assert (bad.ok, bad.error) == (False, "The address must begin with https")
    assert host.integration_context("good") == ({}, 0)


@pytest.mark.parametrize(
    ("command", "args", "said"),
    [
        ("rough-ecko", {}, "Rough Goings has no command rough-ecko: it has rough-context, rough-echo"),
        ("test-module", {}, "Rough Goings has no command test-module"),
        ("rough-echo", {}, "rough-echo needs the argument text: What to say."),
        ("rough-echo", {"text": ""}, "rough-echo needs the argument text"),
        ("rough-echo", {"text": "a", "txt": "b"}, "rough-echo has no argument txt: it takes text, size, colour, flag"),
        (
            "rough-echo",
            {"text": "a", "colour": "blue"},
            "The argument colour of rough-echo cannot be 'blue': choose from red, green",
        ),
        ("rough-file", {"": "x", "name": "a"}, "rough-file takes no argument without a name"),
        ("rough-raise", {"": "x"}, "rough-raise takes no argument without a name: it takes none"),
    ],
)
def test_a_wrong_command_is_refused_before_it_runs(rough: Host, command: str, args: dict[str, str], said: str) -> None:
    """
    Given: a command or an argument that does not exist, is missing or may not have its value.
    When: it is run.
    Then: one sentence says what is wrong.
    """
    with pytest.raises(HostError, match=said):
        rough.run("rough", command, args)


def test_a_value_without_a_name_goes_to_the_default_argument(rough: Host) -> None:
    """
    Given: a command with a default argument.
    When: a value is given without a name.
    Then: the script gets it under the argument's name.
    """
    assert rough.run("rough", "rough-echo", {"": "bare"}).entries[0]["Contents"]["args"]["text"] == "bare"


def test_entries_go_into_the_war_room_of_the_incident(rough: Host, tenant: Tenant) -> None:
    """
    Given: an incident.
    When: commands run in its War Room.
    Then: their entries stand there, as markdown, JSON, text and file, tags and note kept, and the script knew the incident.
    """
    incident = tenant.create_incident({"name": "Flood"})
    assert incident is not None
    echo = rough.run("rough", "rough-echo", {"text": "x"}, incident_id=incident["id"])
    assert echo.entries[0]["Contents"]["incident"] == "Flood"
    assert echo.entries[0]["Contents"]["investigation"] == incident["id"]
    rough.run("rough", "rough-entries", incident_id=incident["id"])
    rough.run("rough", "rough-file", {"name": "a.txt", "text": "bytes"}, incident_id=incident["id"])
    rough.run("rough", "rough-error", incident_id=incident["id"])
    written = tenant.entries(incident["id"])
    assert [(entry["type"], entry["format"]) for entry in written] == [
        (1, "markdown"),
        (1, "text"),
        (1, "text"),
        (1, "json"),
        (1, "json"),
        (1, "markdown"),
        (3, "text"),
        (1, "text"),
        (4, "text"),
    ]
    assert (written[4]["contents"], written[4]["note"], written[4]["tags"]) == ({"a": [1, 2]}, True, ["x"])
    assert tenant.entry_file(written[6]["id"])[1].read_text() == "bytes"


def test_a_command_in_an_incident_that_is_not_there_is_refused(rough: Host, tenant: Tenant) -> None:
    """
    Given: no incident 99, and a pending one without a War Room.
    When: a command is run in them.
    Then: a sentence says so.
    """
    with pytest.raises(HostError, match="There is no incident 99"):
        rough.run("rough", "rough-entries", incident_id="99")
    pending = tenant.create_incident({"name": "later"}, investigate=False)
    assert pending is not None
    with pytest.raises(HostError, match="is pending and has no War Room yet"):
        rough.run("rough", "rough-entries", incident_id=pending["id"])


@pytest.mark.parametrize("name", ["a.txt", "../../up.txt", "/etc/passwd", "c:\\x\\y.txt", ".."])
def test_the_file_of_an_entry_outlives_the_run(rough: Host, tmp_path: Path, name: str) -> None:
    """
    Given: a command that gives a file, whatever its name.
    When: it ran.
    Then: its bytes are in the host's folder, under a name of the host's own.
    """
    (entry,) = rough.run("rough", "rough-file", {"name": name, "text": "grüße"}).entries
    kept = Path(entry["FilePath"])
    assert kept.read_text() == "grüße"
    assert kept.parent == tmp_path / "host" / "files"


def test_a_link_is_no_file(rough: Host, tenant: Tenant, tmp_path: Path) -> None:
    """
    Given: a script that gives a link to a file of the machine for its own file.
    When: it runs in an incident.
    Then: what the link leads to is not taken, and the War Room says that the file is lost.
    """
    (tmp_path / "secret.txt").write_text("not for the War Room")
    incident = tenant.create_incident({"name": "Flood"})
    assert incident is not None
    run = rough.run("rough", "rough-link", {"to": str(tmp_path / "secret.txt")}, incident_id=incident["id"])
    assert "FilePath" not in run.entries[0]
    (entry,) = tenant.entries(incident["id"])
    assert (entry["type"], entry["fileID"]) == (4, "")
    assert entry["contents"].startswith("The file 'link.txt' is lost")


def test_a_script_reads_the_file_of_an_entry(rough: Host, tenant: Tenant) -> None:
    """
    Given: an incident with a file in its War Room.
    When: a script asks for the path of the entry's file, and of one that does not exist.
    Then: it can read a copy in its folder under the file's name; the other raises.
    """
    incident = tenant.create_incident({"name": "Flood"}, attachments=[("report.txt", b"all wet")])
    assert incident is not None
    entry = tenant.entries(incident["id"])[0]["id"]
    assert texts(rough.run("rough", "rough-file-path", {"entry": entry}).entries) == ["report.txt: all wet"]
    assert "Failed getting the file path of 9@9" in rough.run("rough", "rough-file-path", {"entry": "9@9"}).error


def test_scripts_live_in_utc(tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: a machine in another time zone.
    When: a script asks for the time zone.
    Then: it is UTC, as in a server's containers.
    """
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    with Host(tenant, tmp_path / "own") as host:
        host.add_instance("rough", SAMPLES / "Rough", {"url": "https://there"})
        assert host.run("rough", "rough-echo", {"text": "x"}).entries[0]["Contents"]["time zone"] == "UTC"


def test_a_host_that_is_closed_runs_nothing(tenant: Tenant, tmp_path: Path) -> None:
    """
    Given: a host with workers of its own.
    When: it is left, and used again.
    Then: it refuses, in a sentence.
    """
    with Host(tenant, tmp_path / "own") as host:
        host.add_instance("rough", SAMPLES / "Rough", {"url": "https://there"})
        assert host.test("rough").ok
    with pytest.raises(Exception, match="closed"):
        host.test("rough")


def test_a_lost_fork_server_costs_one_run_at_most(tenant: Tenant, tmp_path: Path) -> None:
    """
    Given: a host whose fork server dies while a command runs.
    When: the next command runs.
    Then: the first failed and said so, the next one is fine.
    """

    def on_call(pid: int, name: str) -> None:
        if name == "getIntegrationContextVersioned" and not struck:
            struck.append(pid)
            os.kill(parent_of(pid), signal.SIGKILL)

    struck: list[int] = []
    with Host(tenant, tmp_path / "own", on_call=on_call, settings=HostSettings(processes="fresh")) as host:
        host.add_instance("rough", SAMPLES / "Rough", {"url": "https://there"})
        assert host.run("rough", "rough-context").error == "The worker was lost: its fork server ended"
        assert host.run("rough", "rough-entries").ok


def parent_of(pid: int) -> int:
    return int(subprocess.run(["ps", "-o", "ppid=", "-p", str(pid)], capture_output=True, check=True).stdout)  # noqa: S607
