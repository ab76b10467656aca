"""What is won by calls side by side, with a remote tenant 50 ms away: each command with one call at a time and with eight."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import row
from benchmarks.remote import Remote
from benchmarks.script_runs import IN_TAG, OUT_TAG, Run, Server, script

AWAY = 0.05
AT_ONCE = 8
REPEATS = 3
INCIDENTS, FILES_EACH = 100, 2
TEXTS, FILES = 2_000, 20
SENT = 20
CONTENT = b"Seen by the gateway.\n" * 500


def measure() -> list[dict[str, Any]]:
    """Return the rows: a fetch with files, a history, an outgoing round."""
    with tempfile.TemporaryDirectory() as folder:
        return [fetch_with_files(Path(folder) / "fetch"), history(Path(folder) / "in"), outgoing_round(Path(folder) / "out")]


def side_by_side(work: str, least: float, runs: list[Run], came: str) -> dict[str, Any]:
    """Return the row of a command that was run with one call at a time and with eight."""
    one, many = runs
    ratio = one.seconds / many.seconds
    return row(
        f"{work}, {AWAY * 1000:.0f} ms away",
        f"{ratio:.1f} x faster ({many.seconds:.2f} s, {many.cpu:.2f} s of it CPU; {came})",
        f"one call after another ({one.seconds:.2f} s)",
        f"at least {least:.0f} x faster",
        ratio >= least,
    )


def quickest(server: Server, command: str, at_once: int, **args: Any) -> Run:
    """Return the quickest of some runs that keep nothing: what else the machine does only adds to them."""
    return min((server.run(command, at_once, keep=False, **args) for _ in range(REPEATS)), key=lambda run: run.seconds)


def fetch_with_files(folder: Path) -> dict[str, Any]:
    """Fetch incidents with attachments."""
    with Remote(folder / "remote", AWAY) as remote:
        with remote.tenant.batch():
            for number in range(INCIDENTS):
                files = [(f"report {part}.txt", CONTENT) for part in range(FILES_EACH)]
                remote.tenant.create_incident({"name": f"Incident {number}"}, attachments=files)
        server = Server({**remote.params, "max_fetch": str(INCIDENTS)}, folder / "work")
        runs = [quickest(server, "fetch-incidents", at_once) for at_once in (1, AT_ONCE)]
    for run in runs:
        attached = sum(len(incident["attachment"]) for incident in run.incidents)
        assert (len(run.incidents), attached, run.files) == (INCIDENTS, INCIDENTS * FILES_EACH, INCIDENTS * FILES_EACH)
    work = f"fetch {INCIDENTS} incidents with {FILES_EACH} files each"
    return side_by_side(work, 6, runs, f"{runs[1].files} files came")


def history(folder: Path) -> dict[str, Any]:
    """Bring the whole War Room of an incident."""
    with Remote(folder / "remote", AWAY) as remote:
        with remote.tenant.batch():
            incident_id = str((remote.tenant.create_incident({"name": "Long"}) or {})["id"])
            for number in range(TEXTS):
                remote.tenant.add_entry(incident_id, contents=f"Step {number} is done.", user="carla", tags=[IN_TAG])
                if number % (TEXTS // FILES) == 0:
                    remote.tenant.add_entry(incident_id, user="carla", tags=[IN_TAG], file=(f"log {number}.txt", CONTENT))
        server = Server({**remote.params, "fetch_incident_history": True}, folder / "work")
        assert len(server.run("fetch-incidents").incidents) == 1
        args = {"id": incident_id, "lastUpdate": "2020-01-01T00:00:00Z"}
        runs = [quickest(server, "get-remote-data", at_once, **args) for at_once in (1, AT_ONCE)]
    came = [(len(run.result) - 1, run.files) for run in runs]
    assert came == [(TEXTS + FILES, FILES)] * 2, came
    work = f"history of {TEXTS:,} entries and {FILES} files"
    return side_by_side(work, 4, runs, f"{came[1][0]:,} entries came, {came[1][1]} with a file")


def outgoing_round(folder: Path) -> dict[str, Any]:
    """Write entries into a remote War Room. Their order is kept, so they go one after another."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    with Remote(folder / "remote", AWAY) as remote:
        incident_id = str((remote.tenant.create_incident({"name": "Outgoing"}) or {})["id"])
        server = Server(remote.params, folder / "work")
        args: dict[str, Any] = {
            "data": {},
            "delta": {},
            "entries": [sent_entry(number, now) for number in range(SENT)],
            "incidentChanged": False,
            "remoteId": incident_id,
            "status": 1,
        }
        run = server.run("update-remote-system", **args)
        calls = len(remote.seen().paths)
        there = [entry["contents"] for entry in remote.tenant.entries(incident_id) if "Step" in str(entry["contents"])]
    assert [text.rpartition("\n")[2] for text in there] == [f"Step {number}." for number in range(SENT)]
    ratio = run.seconds / (calls * AWAY)
    return row(
        f"outgoing round of {SENT} entries, {AWAY * 1000:.0f} ms away",
        f"{calls} calls, {run.seconds:.2f} s, in their order",
        f"{calls} x {AWAY * 1000:.0f} ms ({calls * AWAY:.2f} s)",
        f"at most {SENT + 2} calls and 1.5 x",
        calls <= SENT + 2 and ratio <= 1.5,
    )


def sent_entry(number: int, now: str) -> dict[str, Any]:
    """Return an entry as the server gives it to update-remote-system."""
    return {
        "id": f"{number + 1}@9",
        "type": 1,
        "contents": f"Step {number}.",
        "format": script.EntryFormat.TEXT,
        "tags": [OUT_TAG],
        "note": False,
        "category": "chat",
        "user": "hanna",
        "created": now,
        "modified": now,
    }
