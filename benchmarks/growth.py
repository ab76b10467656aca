"""How the CPU of a command grows with what there is and does not change: three sizes each, and a plot of them.

CPU of the script's process, the quickest of some runs: what else the machine does only adds to it. The tenant's is not in it.
"""

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import row
from benchmarks.calls import HOUR_NS, SPACING_NS, Clock, in_step
from benchmarks.plot import Series, line_plot
from benchmarks.remote import Remote
from benchmarks.script_runs import IN_TAG, Server, script

LOOK_BACK = (100, 1_000, 10_000)
TRACKED = (100, 1_000, 10_000)
ENTRIES = (200, 2_000, 20_000)
INCIDENTS = (500, 5_000, 50_000)
NEW, CHANGED, TAGGED = 10, 100, 20
REPEATS = 5
FLAT = 2.0
STRAIGHT = 2.0
LONG_AGO = "2020-01-01T00:00:00Z"

Growth = tuple[str, Sequence[int], list[float]]


def measure() -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return the rows, and the plots as SVG by name."""
    window = sized(LOOK_BACK, look_back)
    one, round_ = (sized(TRACKED, partial(tracked, command=name)) for name in ("get-remote-data", "get-modified-remote-data"))
    few, all_ = (sized(ENTRIES, partial(entries, is_all_tagged=is_all)) for is_all in (False, True))
    many = sized(INCIDENTS, modified)
    rows = [
        straight(f"fetch of {NEW} new incidents, {LOOK_BACK[-1]:,} known ones in the look-back window", LOOK_BACK, window),
        flat(f"get-remote-data of one of {TRACKED[-1]:,} mirrored incidents", TRACKED, one),
        flat(f"get-modified-remote-data, {TRACKED[-1]:,} mirrored incidents, none changed", TRACKED, round_),
        flat(f"get-remote-data of 1 new of {ENTRIES[-1]:,} entries, {TAGGED} of them tagged", ENTRIES, few),
        straight(f"get-remote-data of 1 new of {ENTRIES[-1]:,} entries, all of them tagged", ENTRIES, all_),
        flat(f"get-modified-remote-data, {CHANGED} of {INCIDENTS[-1]:,} remote incidents changed", INCIDENTS, many),
    ]
    plots = {
        "growth-look-back": plot("Fetch over a look-back window", "known incidents in the window", ("10 new", LOOK_BACK, window)),
        "growth-tracked": plot(
            "Commands and the number of mirrored incidents",
            "mirrored incidents",
            ("get-remote-data of one", TRACKED, one),
            ("get-modified-remote-data", TRACKED, round_),
        ),
        "growth-entries": plot(
            "get-remote-data of one new entry",
            "entries in the War Room",
            (f"{TAGGED} tagged", ENTRIES, few),
            ("all tagged", ENTRIES, all_),
        ),
        "growth-modified": plot(
            "get-modified-remote-data", "incidents in the remote tenant", (f"{CHANGED} changed", INCIDENTS, many)
        ),
    }
    return rows, plots


def sized(sizes: Sequence[int], work: Callable[[int, Path], float]) -> list[float]:
    """Return what some work takes at each size."""
    times = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            times.append(work(size, Path(folder)))
    return times


def shown(sizes: Sequence[int], times: list[float]) -> str:
    """Return the times by size, as the table shows them."""
    return ", ".join(f"{size:,}: {seconds * 1000:.0f} ms" for size, seconds in zip(sizes, times, strict=True))


def flat(work: str, sizes: Sequence[int], times: list[float]) -> dict[str, Any]:
    """Return the row of what must not grow with the size."""
    ratio = times[-1] / times[0]
    return row(f"CPU: {work}", f"{ratio:.1f} x ({shown(sizes, times)})", f"{sizes[0]:,}", f"at most {FLAT:.0f} x", ratio <= FLAT)


def straight(work: str, sizes: Sequence[int], times: list[float]) -> dict[str, Any]:
    """Return the row of what may grow with the size, and not faster."""
    each = [(times[i + 1] - times[i]) / (sizes[i + 1] - sizes[i]) for i in (0, 1)]
    ratio = each[1] / each[0]
    return row(
        f"CPU: {work}",
        f"{ratio:.1f} x as much for each further one, {each[1] * 1e6:.0f} µs ({shown(sizes, times)})",
        f"from {sizes[0]:,} to {sizes[1]:,}: {each[0] * 1e6:.0f} µs",
        f"at most {STRAIGHT:.1f} x, where a quadratic way has 10 x",
        ratio <= STRAIGHT,
    )


def plot(title: str, x_axis: str, *lines: Growth) -> str:
    """Return a plot of CPU by size."""
    series = [Series(name, sizes, [seconds * 1000 for seconds in times]) for name, sizes, times in lines]
    return line_plot(title, x_axis, "CPU of the script, ms", series)


def quickest(server: Server, command: str, **args: Any) -> float:
    """Return the CPU of a command that keeps nothing, the quickest of some runs."""
    return min(server.run(command, keep=False, **args).cpu for _ in range(REPEATS))


def spaced(remote: Remote, clock: Clock, count: int, spacing_ns: int) -> None:
    """Create incidents some time apart; the last one an hour ago, far behind the overlap of the next round."""
    clock.now_ns = time.time_ns() - HOUR_NS - count * spacing_ns
    with remote.tenant.batch():
        for number in range(count):
            clock.now_ns += spacing_ns
            remote.tenant.create_incident({"name": f"Incident {number}"})
    clock.now_ns = time.time_ns()


def look_back(size: int, folder: Path) -> float:
    """Fetch what is new behind incidents that are all in the look-back window and known."""
    clock = Clock(0)
    with Remote(folder / "remote", clock=clock) as remote:
        spaced(remote, clock, size + NEW, 10**9)
        server = Server({**remote.params, "look_back": "1440"}, folder / "work")
        found, _ = remote.tenant.search({"query": "", "size": 1, "sort": [{"field": "created", "asc": True}]})
        first_ms = script.parse_ms(found[0]["created"], 0)
        known = {f"{number + 1} {first_ms + number * 1000}": first_ms + number * 1000 for number in range(size)}
        server.last_run = script.Cursor(first_ms + (size - 1) * 1000, first_ms, known).to_run()
        assert len(server.run("fetch-incidents", keep=False).incidents) == NEW
        return quickest(server, "fetch-incidents")


def tracked(size: int, folder: Path, command: str) -> float:
    """Run a command of a quiet mirror that remembers some number of incidents."""
    clock = Clock(0)
    with Remote(folder / "remote", clock=clock) as remote:
        spaced(remote, clock, size, SPACING_NS)
        server = Server(remote.params, folder / "work")
        server.context = kept(records_of(remote, size))
        now = script.iso(clock.now_ns // 10**6)
        if command == "get-remote-data":
            return quickest(server, command, id="7", lastUpdate=now)
        # The first one also looks for what is to be forgotten, as one does each hour.
        assert server.run(command, lastUpdate=now).result["Contents"] == []
        return quickest(server, command, lastUpdate=now)


def kept(records: dict[str, Any]) -> str:
    """Return the integration context with some records, where it is known that entries move their incident."""
    store = script.Store({}).with_memory(lambda memory: memory._replace(entries_move=True))
    return json.dumps(store.with_records(records).context)


def records_of(remote: Remote, size: int) -> dict[str, Any]:
    """Return what the script remembers of the first incidents when nothing is to be done with them."""
    found: dict[str, Any] = {}
    page_size = min(size, 1000)
    for page in range(size // page_size):
        order = [{"field": "id", "asc": True}]
        incidents, _ = remote.tenant.search({"query": "", "size": page_size, "page": page, "sort": order})
        for incident in incidents:
            created_ms = script.parse_ms(incident["created"], 0)
            record = script.Record(created_ms=created_ms, modified=incident["modified"], status=1, given=1, in_ms=created_ms)
            found[incident["id"]] = in_step(incident["id"], record)
    assert len(found) == size
    return found


def entries(size: int, folder: Path, is_all_tagged: bool) -> float:
    """Bring the one new entry of a long War Room."""
    with Remote(folder / "remote") as remote:
        incident_id = str((remote.tenant.create_incident({"name": "Long"}) or {})["id"])
        with remote.tenant.batch():
            for number in range(size):
                tags = [IN_TAG] if is_all_tagged or number % (size // TAGGED) == 0 else []
                remote.tenant.add_entry(incident_id, contents=f"Step {number} is done.", user="carla", tags=tags)
        server = Server(remote.params, folder / "work")
        server.run("get-remote-data", id=incident_id, lastUpdate=LONG_AGO)
        remote.tenant.add_entry(incident_id, contents="The last step.", user="carla", tags=[IN_TAG])
        assert len(server.run("get-remote-data", keep=False, id=incident_id, lastUpdate=LONG_AGO).result) == 2
        return quickest(server, "get-remote-data", id=incident_id, lastUpdate=LONG_AGO)


def modified(size: int, folder: Path) -> float:
    """Ask what changed in a tenant with many incidents, of which as many as ever are mirrored."""
    clock = Clock(0)
    with Remote(folder / "remote", clock=clock) as remote:
        spaced(remote, clock, size, 10**9)
        server = Server(remote.params, folder / "work")
        server.context = kept(records_of(remote, INCIDENTS[0]))
        with remote.tenant.batch():
            for number in range(CHANGED):
                remote.tenant.change_incident(str(number + 1), {"severity": 3})
        now = script.iso(clock.now_ns // 10**6)
        assert len(server.run("get-modified-remote-data", keep=False, lastUpdate=now).result["Contents"]) == CHANGED
        return quickest(server, "get-modified-remote-data", lastUpdate=now)
