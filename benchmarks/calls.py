"""One minute of mirroring with more and more mirrored incidents of which ten changed: its calls, its time, its context."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import row
from benchmarks.remote import Remote
from benchmarks.script_runs import Server, script

SIZES = (100, 1_000, 10_000)
CHANGED = 10
MOST_CALLS = 25 + 2 * CHANGED
AWAY = 0.05
SPACING_NS = 10 * 10**9
HOUR_NS = 3600 * 10**9
LARGEST_CONTEXT = 2 << 20
ENTRIES_EACH = 8
SLOWEST_ROUND = 2.0
MOST_LAG = 10  # The round itself, in seconds; a server that asks once a minute adds up to that.


@dataclass(frozen=True)
class Minute:
    """What one round took: its calls, its time and CPU, the bytes of the context after it, and the lag that the mirror tells."""

    calls: int
    seconds: float
    cpu: float
    context: int
    lag_p50: int
    lag_p95: int


@dataclass
class Clock:
    """A clock that is set by hand, in nanoseconds since 1970."""

    now_ns: int

    def __call__(self) -> int:
        return self.now_ns


def measure() -> list[dict[str, Any]]:
    """Return a row of calls for each size, one for the time of the round and one for the context."""
    minutes = {}
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            minutes[size] = minute_of(size, Path(folder))
    fewest, most = minutes[SIZES[0]], minutes[SIZES[-1]]
    slower = most.seconds / fewest.seconds
    return [
        *(calls_row(size, minute, fewest) for size, minute in minutes.items()),
        row(
            f"the same minute, {SIZES[-1]:,} incidents, {AWAY * 1000:.0f} ms away",
            f"{slower:.1f} x as long ({most.seconds:.2f} s; CPU {most.cpu / fewest.cpu:.1f} x, {most.cpu:.2f} s)",
            f"{SIZES[0]} incidents ({fewest.seconds:.2f} s; CPU {fewest.cpu:.2f} s)",
            f"at most {SLOWEST_ROUND:.0f} x",
            slower <= SLOWEST_ROUND,
        ),
        row(
            f"lag of the {CHANGED} changes, {SIZES[-1]:,} incidents, in a round that begins at once",
            f"half of them within {most.lag_p50} s, 95 % within {most.lag_p95} s",
            f"{SIZES[0]} incidents: {fewest.lag_p50} s and {fewest.lag_p95} s",
            f"at most {MOST_LAG} s",
            most.lag_p95 <= MOST_LAG,
        ),
        row(
            f"integration context, {SIZES[-1]:,} incidents with {ENTRIES_EACH} mirrored entries each",
            f"{most.context / (1 << 20):.2f} MiB",
            f"{most.context / SIZES[-1]:.0f} bytes an incident",
            f"at most {LARGEST_CONTEXT >> 20} MiB",
            most.context <= LARGEST_CONTEXT,
        ),
    ]


def calls_row(size: int, minute: Minute, fewest: Minute) -> dict[str, Any]:
    """Return the row of the calls for one size."""
    return row(
        f"one minute of {size:,} mirrored incidents, {CHANGED} changed",
        f"{minute.calls} calls",
        f"25 calls and 2 per change; {fewest.calls} for {SIZES[0]} incidents",
        f"at most {MOST_CALLS} calls, for each size alike",
        minute.calls <= MOST_CALLS and minute.calls == fewest.calls,
    )


def minute_of(size: int, folder: Path) -> Minute:
    """Mirror some incidents, change ten of them, and run the next round.

    All are fetched by the script. Then their records are written as they are when each has had entries in both directions, which
    in rounds would take hours.
    """
    clock = Clock(time.time_ns() - HOUR_NS - size * SPACING_NS)
    with Remote(folder / "remote", AWAY, clock=clock, date_header=0) as remote:
        with remote.tenant.batch():
            for number in range(size):
                clock.now_ns += SPACING_NS
                remote.tenant.create_incident({"name": f"Incident {number}"})
        clock.now_ns = time.time_ns()
        server = Server({**remote.params, "max_fetch": "200"}, folder / "work")
        fetched = 0
        while new := len(server.run("fetch-incidents").incidents):
            fetched += new
        assert fetched == size
        server.change_records(lambda records: {key: in_step(key, record) for key, record in records.items()})
        assert server.run("get-modified-remote-data", lastUpdate=script.iso(clock.now_ns // 10**6)).result["Contents"] == []
        changed = [str(number + 1) for number in range(0, size, size // CHANGED)]
        for incident_id in changed:
            clock.now_ns = time.time_ns()
            remote.tenant.change_incident(incident_id, {"severity": 3})
        remote.seen()
        runs = [server.run("get-modified-remote-data", lastUpdate=script.iso(clock.now_ns // 10**6))]
        listed = runs[0].result["Contents"]
        assert set(changed) == set(listed), listed
        runs += [server.run("get-remote-data", id=key, lastUpdate=script.iso(clock.now_ns // 10**6)) for key in listed]
        calls, context = len(remote.seen().paths), len(server.context)
        status = server.run("xsoar-mirror-status").result["Contents"]
    lags = status["LagP50Seconds"], status["LagP95Seconds"]
    return Minute(calls, sum(run.seconds for run in runs), sum(run.cpu for run in runs), context, *lags)


def in_step(incident_id: str, record: Any) -> Any:
    """Return the record of an incident as it is when entries went both ways, and nothing is left to do."""
    came = {f"{number}@{incident_id}": script.short_digest([number, incident_id]) + "AA" for number in range(2, 2 + ENTRIES_EACH)}
    sent = {
        f"{number}@9{incident_id}": script.short_digest([incident_id, number])[:2] for number in range(3, 3 + ENTRIES_EACH // 2)
    }
    ledger = script.Ledger(seen=came, sent=sent)
    now = record._replace(done=record.wanted, met=True, told=1, here=1, since_ms=0, ledger=ledger)
    return now._replace(in_ms=record.in_ms + 1, out_ms=record.in_ms + 2)
