"""What it takes to prove 10,000 incidents with 100,000 entries in step: by xsoar-mirror-reconcile at once, and by the census."""

import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import row
from benchmarks.calls import AWAY, HOUR_NS, SPACING_NS, Clock
from benchmarks.remote import Remote
from benchmarks.script_runs import IN_TAG, Run, Server, script

INCIDENTS, ENTRIES_EACH, CHANGED = 10_000, 10, 100
LONGEST_SECONDS, MOST_CALLS = 600, 2_500
MOST_CENSUS_CALLS = 25


def measure() -> list[dict[str, Any]]:
    """Return a row for each proof and one for the calls of the hourly census."""
    with tempfile.TemporaryDirectory() as folder:
        return rows_of(INCIDENTS, CHANGED, Path(folder))


def rows_of(size: int, changes: int, folder: Path) -> list[dict[str, Any]]:
    """Bring some incidents in step, let entries be written into a few that no round tells, and prove and count."""
    clock = Clock(time.time_ns() - 2 * HOUR_NS - size * SPACING_NS)
    what = f"{size:,} incidents with {size * ENTRIES_EACH:,} entries, {AWAY * 1000:.0f} ms away"
    with Remote(folder / "remote", AWAY, clock=clock, entry_moves_modified=True) as remote:
        server = in_step(remote, clock, size, folder)
        remote.seen()
        census = census_calls(server, remote)
        changed = [str(number + 1) for number in range(0, size, size // changes)]
        clock.now_ns = time.time_ns() - HOUR_NS
        for incident_id in changed:
            remote.tenant.add_entry(incident_id, contents="not told", tags=[IN_TAG], user="carla")
        remote.seen()
        trusting, named, seconds = proof(server, "true")
        calls = len(remote.seen().paths)
        thorough, named_by_all, seconds_of_all = proof(server, "all")
        calls_of_all = len(remote.seen().paths)
    is_right = named == named_by_all == set(changed)
    return [
        row(
            f"proof, entries=true: {what}, {changes} of them changed",
            f"{calls:,} calls, {seconds:.0f} s in {counted(trusting)}; {len(named)} named",
            f"entries=all: {calls_of_all:,} calls, {seconds_of_all:.0f} s in {counted(thorough)}; {len(named_by_all)} named",
            f"at most {MOST_CALLS:,} calls and {LONGEST_SECONDS} s, each that changed and no other",
            is_right and calls <= MOST_CALLS and seconds <= LONGEST_SECONDS,
        ),
        row(
            f"the hourly census of {size:,} quiet incidents",
            f"{sum(census)} calls, at most {max(census)} in a round",
            f"{-(-size // script.SEARCH_PAGE)} searches of {script.SEARCH_PAGE}",
            f"at most {MOST_CENSUS_CALLS} calls",
            sum(census) <= MOST_CENSUS_CALLS,
        ),
    ]


def in_step(remote: Remote, clock: Clock, size: int, folder: Path) -> Server:
    """Return a server that has brought some incidents with all their entries, as its records say."""
    with remote.tenant.batch():
        for number in range(size):
            clock.now_ns += SPACING_NS
            remote.tenant.create_incident({"name": f"Incident {number}", "createInvestigation": True})
            for count in range(ENTRIES_EACH):
                remote.tenant.add_entry(str(number + 1), contents=f"entry {count}", tags=[IN_TAG], user="carla")
    clock.now_ns = time.time_ns()
    server = Server({**remote.params, "max_fetch": "200", "first_fetch": "30 days"}, folder / "work")
    fetched = 0
    while new := len(server.run("fetch-incidents").incidents):
        fetched += new
    assert fetched == size

    def brought(incident_id: str, record: Any) -> Any:
        entries = [script.Entry.of(entry) for entry in remote.tenant.entries(incident_id)]
        ledger = script.Ledger(seen={entry.key: entry.mark + script.copy_digest(entry.raw["contents"]) for entry in entries})
        incident = script.Incident.of(remote.tenant.incident(incident_id))
        now = record._replace(modified=incident.modified, status=incident.status, given=incident.status)
        return now._replace(done=record.wanted, met=True, told=1, here=1, since_ms=0, ledger=ledger)

    server.change_records(lambda records: {key: brought(key, record) for key, record in records.items()})
    store = script.Store(script.json.loads(server.context))
    server.context = script.json.dumps(store.with_memory(lambda memory: memory._replace(entries_move=True)).context)
    return server


def census_calls(server: Server, remote: Remote) -> list[int]:
    """Let a census begin at once and run rounds until it is through; return what each cost beside its search for changes."""
    server.run("get-modified-remote-data", lastUpdate=script.iso(time.time_ns() // 10**6))
    server.last_mirror_run["census"] = script.iso(time.time_ns() // 10**6 - 2 * script.HOUR_MS)
    remote.seen()
    calls = list[int]()
    while not calls or calls[-1]:
        server.run("get-modified-remote-data", lastUpdate=script.iso(time.time_ns() // 10**6))
        paths = remote.seen().paths
        calls.append(sum(path.endswith("/incidents/search") for path in paths) - 1)
    return calls


def proof(server: Server, entries: str) -> tuple[int, set[str], float]:
    """Reconcile all incidents, going on where a run stopped; return the runs, the IDs of those that differ, and the seconds."""
    named, runs, summary = set[str](), list[Run](), {"After": "", "NotLookedAt": 1}
    while summary["NotLookedAt"]:
        runs.append(server.run("xsoar-mirror-reconcile", scope="all", entries=entries, after=summary["After"]))
        context = {path.partition("(")[0]: value for path, value in runs[-1].result["EntryContext"].items()}
        named |= {drift["id"] for drift in context["XSOAR.Mirror.Drift"]}
        summary = context["XSOAR.Mirror.Reconcile"]
    return len(runs), named, sum(run.seconds for run in runs)


def counted(runs: int) -> str:
    """Return how many runs there were, in words."""
    return "one run" if runs == 1 else f"{runs} runs"
