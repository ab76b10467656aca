"""A simulated day of two tenants that mirror each other, over real HTTP, with faults, and what was seen of it.

    python -m tests.soak.soak --incidents 3000 --entries 30000 --hours 24 --seed 1

`soak_plan` says what happens, `Soak` lets it happen. Time is simulated: each round begins some minutes after the last one, a
look at a clock takes a millisecond, and pauses of the workers take simulated time only. A request that hangs does so for real,
but the workers' patience is `Size.patience` real seconds instead of 60.

One instance of the pack, at headquarters, mirrors in both directions. Persons here write with its outgoing tag, persons there
with its incoming tag. A person closes an incident only when that side has all that was written on the other, and reopens one
only when it is closed on both: what arrives in an incident that was closed meanwhile is not promised (see docs/promises.md).
"""

import argparse
import itertools
import json
import os
import platform
import random
import re
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.table import Table
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from benchmarks.plot import Series, line_plot
from local_xsoar.comparison import Finding, compare_incidents
from local_xsoar.host import CommandRun, HostSettings, MirrorRound
from local_xsoar.host.settings import SWITCHES as HOST_SWITCHES
from local_xsoar.host.workers import Workers
from local_xsoar.runtime import runtime_folders
from local_xsoar.tenant import NotFound
from local_xsoar.tenant.manners import drawn
from local_xsoar.tenant.server import LostAnswer
from tests.mirror.two_tenants import IN_TAG, INSTANCE, OUT_TAG, VERSIONS, Clock, Interference, Mirror, Site
from tests.soak.soak_plan import (
    ASIDE,
    CLOSE,
    CREATE,
    EDIT,
    FILE,
    HERE,
    NOTE,
    REOPEN,
    REWRITE,
    TAG,
    THERE,
    Act,
    Size,
    fault_of,
    killed_at,
    planned_day,
)

RESULT = Path(__file__).resolve().parents[2] / "dist" / "soak.json"
MIDNIGHT_NS = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) * 10**9
FIRST_FETCH = "2026-03-01T00:00:00Z"
MINUTE_NS = 60 * 10**9
LOOK_NS = 10**6
SKEW_NS = -90 * 10**9  # The remote's clock is behind.
PERSONS = {HERE: "hanna", THERE: "carla"}
ACTIVE, CLOSED = 1, 2
QUIET_ROUNDS = 5  # A remote whose entries do not show is looked into in turn.
MOST_QUIETING_ROUNDS = 60
SETTLE_MINUTES = 61  # What could not be read is tried again after an hour.
TEXT = re.compile(r"text (\d+)\.")
BOTH_CHANGED = "was changed in both tenants"

# The last thing that a worker imports before the script: here time becomes the soak's.
SIMULATED_TIME = '''
"""Time in a worker: it begins where the soak's clock stands, and passes by pauses, and by a millisecond a look."""

import os
import time
from pathlib import Path

_now = [int(Path(os.environ["SOAK_CLOCK"]).read_text()) / 1e9]


def _pass(seconds):
    _now[0] += seconds


def _look():
    _pass(0.001)
    return _now[0]


time.time = _look
time.sleep = _pass
'''


class SimulatedClock:
    """The clock of both tenants. Its file tells the workers where it stood when the round began."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._now_ns = MIDNIGHT_NS
        self.move_to(MIDNIGHT_NS)

    def __call__(self) -> int:
        with self._lock:
            self._now_ns += LOOK_NS
            return self._now_ns

    def move_to(self, now_ns: int) -> None:
        """Let time be at least this."""
        with self._lock:
            self._now_ns = max(now_ns, self._now_ns)
            self._file.write_text(str(self._now_ns))

    def pass_minutes(self, minutes: float) -> None:
        """Let some time pass."""
        self.move_to(self._now_ns + int(minutes * MINUTE_NS))


@contextmanager
def workers_in_simulated_time(folder: Path, patience: float) -> Iterator[Workers]:
    """Yield workers whose time is that of the file `clock` in a folder, and who wait some real seconds for an answer.

    The platform's modules are the ones that other tests use.
    """
    for name in ("CommonServerPython.py", "demistomock.py"):
        source = next(path for place in runtime_folders() if (path := Path(place) / name).is_file())
        (folder / name).symlink_to(source)
    (folder / "CommonServerUserPython.py").write_text(SIMULATED_TIME)
    environment = {"XSOAR_RUNTIME": str(folder), "SOAK_CLOCK": str(folder / "clock"), "REQUESTS_TIMEOUT": str(patience)}
    with patch.dict(os.environ, environment), Workers() as workers:
        yield workers


def faulty_answer(kind: str) -> Response:
    """Return what a request gets instead of its answer."""
    match kind.removesuffix(", done"):
        case "429":
            return JSONResponse({"error": "too many"}, status_code=429)
        case "429, again in 5 s":
            return Response(status_code=429, headers={"Retry-After": "5"})
        case "500":
            return JSONResponse({"id": "errInternal", "status": 500}, status_code=500)
        case "502 HTML":
            return HTMLResponse("<html><h1>Bad gateway</h1></html>", status_code=502)
        case "503":
            return Response(status_code=503)
        case "cut JSON":
            return Response(b'{"id": "1", "data": [{"id": "1", "na', media_type="application/json")
        case "reset" | "hangs":
            return LostAnswer()
    raise ValueError(f"{kind!r} is no fault.")


class Wire(Interference):
    """What stands before the remote: it counts the requests and lets faults befall them."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self._size = size
        self._kind = ""
        self.away = ""
        self.calm = False
        self.requests = 0
        self.faults: Counter[str] = Counter()

    async def __call__(self, request: Request) -> Response | None:
        """Answer in the remote's place, or let the request pass."""
        self.requests += 1
        self._kind = "" if self.calm else self.away or fault_of(self._size, self.requests)
        if self._kind:
            self.faults[f"away: {self._kind}" if self.away else self._kind] += 1
        return None if not self._kind or self._kind.endswith(", done") else await self._strike(request)

    async def after(self, request: Request, response: Response) -> Response | None:
        """Replace an answer whose work was done."""
        return await self._strike(request) if self._kind.endswith(", done") else None

    async def _strike(self, request: Request) -> Response:
        if self._kind.startswith("hangs"):
            while (await request.receive())["type"] != "http.disconnect":
                pass
        return faulty_answer(self._kind)


# What a worker may say between its last write into the integration context and its end.
LAST_STEPS = ("setIntegrationContextVersioned", "results", "done")


class Reaper:
    """What kills workers. It sees each step of each."""

    def __init__(self, size: Size) -> None:
        self._size = size
        self._left: int | None = None
        self._has_written = False
        self.calm = False
        self.workers = 0
        self.killed = 0
        self.parent_memory = 0

    def __call__(self, pid: int, name: str) -> None:
        """Note a step of a worker, and kill it if its time has come.

        Not from its last write into the context to its end: nobody can tell such an end from an ordinary one. What the worker
        says is dealt with even if it is killed meanwhile, so that write belongs to it. Nor at a line of its log, for which it
        does not wait: the write behind it may be on its way.
        """
        if name == "log":
            return
        if name == "start":
            self.workers += 1
            self._has_written = False
            self._left = None if self.calm else killed_at(self._size, self.workers)
            self.parent_memory = memory_of(parent_of(pid))
        self._has_written = self._has_written or name == "setIntegrationContextVersioned"
        if self._left is None or (self._has_written and name in LAST_STEPS):
            return
        if self._left == 0:
            os.kill(pid, signal.SIGKILL)
            self.killed += 1
            self._left = None
        else:
            self._left -= 1


def parent_of(pid: int) -> int:
    """Return the process that started another."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def memory_of(pid: int) -> int:
    """Return the resident memory of a process in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Sample:
    """What was seen of one round.

    minute: of the simulated day. seconds: how long the round took. runs: how many commands ran, failed: how many failed.
    worker: the most memory that one of its workers had, in bytes; heaviest: that worker's command.
    parent: the memory of the process that they are forked from, in bytes, which lives through the day.
    context: the bytes of the integration context as JSON. incidents: how many there are here.
    """

    minute: float
    seconds: float
    runs: int
    failed: int
    requests: int
    entries_in: int
    entries_out: int
    worker: int
    heaviest: str
    parent: int
    context: int
    incidents: int


@dataclass
class Outcome:
    """What came of the day: what differs in the end (nothing, if all is well), and the figures of each round."""

    size: Size
    differences: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    first_round_of_day: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    acts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    commands: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def context_per_incident(self) -> float:
        """The most bytes of context that there were for each mirrored incident, in the rounds of the day."""
        return max(sample.context / max(sample.incidents, 1) for sample in self.samples[self.first_round_of_day :])

    def memory_growth(self) -> float:
        """How many times as much memory the workers of the last quarter of the day needed as those of the first."""
        day = self.samples[self.first_round_of_day :]
        quarter = max(1, len(day) // 4)
        return max(sample.worker for sample in day[-quarter:]) / max(sample.worker for sample in day[:quarter])


class Soak:
    """Two tenants, what is done to them, and what is known of that."""

    def __init__(self, size: Size, folder: Path, exits: ExitStack, say: Callable[[str], None]) -> None:
        self.size, self.say, self.started = size, say, time.monotonic()
        self.day = planned_day(size)
        self.outcome = Outcome(size)
        runtime = folder / "runtime"
        runtime.mkdir()
        self.clock = SimulatedClock(runtime / "clock")
        self.wire, self.reaper = Wire(size), Reaper(size)
        workers = exits.enter_context(workers_in_simulated_time(runtime, size.patience))
        site = Site(folder, exits, workers)
        here = site.tenant("headquarters", VERSIONS["8"], self.clock)
        # How the servers are, another way for each seed.
        chance = random.Random(size.seed)
        there = site.tenant("customer", VERSIONS["8"], lambda: self.clock() + SKEW_NS, **drawn(chance.choice))
        host = site.host(here, self.reaper, HostSettings(**drawn(chance.choice, HOST_SWITCHES)))
        self.mirror = Mirror(here, there, site.serve(there, self.wire), host, Clock(), self.wire)
        self.mirror.configure(fetch_incident_history=True, max_fetch="200", first_fetch=FIRST_FETCH)
        self.tenants = {HERE: here, THERE: there}
        self.ids: dict[tuple[str, int], str] = {}
        self.entries: dict[int, str] = {}
        self.waiting: dict[int, deque[Act]] = defaultdict(deque)
        self.runs: dict[str, list[CommandRun]] = defaultdict(list)

    # What people do.

    def id_of(self, side: str, incident: int) -> str:
        """Return the id that an incident has on a side; empty while it is not there yet."""
        if (side, incident) not in self.ids:
            if side == HERE and (THERE, incident) in self.ids:
                found, _ = self.tenants[HERE].search({"query": f'dbotMirrorId:"{self.ids[THERE, incident]}"', "size": 2})
                found_ids = [str(item["id"]) for item in found]
            elif (HERE, incident) in self.ids:
                found_ids = [self.tenants[HERE].incident(self.ids[HERE, incident])["dbotMirrorId"]]
            else:
                found_ids = []
            if found_ids and found_ids[0]:
                self.ids[side, incident] = found_ids[0]
        return self.ids.get((side, incident), "")

    def do_all(self, acts: list[Act]) -> None:
        """Do what is to be done, incident by incident in its order; what cannot be done yet waits, and what is behind it."""
        for act in acts:
            self.waiting[act.incident].append(act)
        for incident, queue in list(self.waiting.items()):
            while queue and self.do(queue[0]):
                act = queue.popleft()
                self.outcome.acts[f"{act.kind} {act.side}"] += 1
            if not queue:
                del self.waiting[incident]

    def do(self, act: Act) -> bool:
        """Do one act; return whether it could be done."""
        tenant, person, text = self.tenants[act.side], PERSONS[act.side], f"text {act.text}."
        if act.kind == CREATE:
            self.create(act, text)
            return True
        incident_id = self.id_of(act.side, act.incident)
        if not incident_id:
            return False
        status = tenant.incident(incident_id)["status"]
        if act.kind == REOPEN:
            if not self.is_closed_on_both_sides(act.incident):
                return False
            tenant.reopen_incident(incident_id, user=person)
            return True
        if status != ACTIVE:
            return False
        if act.kind == CLOSE:
            if not self.has_all_of_the_other(act.side, act.incident):
                return False
            tenant.close_incident(incident_id, reason="Resolved", notes=text, user=person)
        elif act.kind == EDIT:
            tenant.change_incident(incident_id, change_of(act, text), user=person)
        elif act.kind == TAG:
            tenant.change_entry(self.entries[act.of], tags=[IN_TAG])
        elif act.kind == REWRITE:
            tenant.edit_entry(self.entries[act.of], text, user=person)
            if act.side == HERE:
                # A server that does not give an edited entry again cannot have it mirrored.
                tenant.change_entry(self.entries[act.of], mirrored=False)
        else:
            self.write(act, incident_id, text)
        return True

    def create(self, act: Act, text: str) -> None:
        """Make an incident; here, one that is to be mirrored."""
        mirroring = {"dbotMirrorInstance": INSTANCE, "dbotMirrorDirection": "Both", "dbotMirrorTags": [OUT_TAG]}
        fields = {"name": text, "severity": 1 + act.text % 4, **(mirroring if act.side == HERE else {})}
        created = self.tenants[act.side].create_incident(fields, user=PERSONS[act.side])
        assert created
        self.ids[act.side, act.incident] = str(created["id"])

    def write(self, act: Act, incident_id: str, text: str) -> None:
        """Write an entry."""
        tag = OUT_TAG if act.side == HERE else IN_TAG
        tags = [] if act.kind == ASIDE else [tag]
        write = partial(self.tenants[act.side].add_entry, incident_id, user=PERSONS[act.side], tags=tags)
        if act.kind == FILE:
            entry = write(entry_type=3, file=(f"{text}bin", text.encode() * 9))
        else:
            note = act.kind == NOTE
            entry = write(contents=text, category="note" if note else "chat", note=note)
        self.entries[act.text] = str(entry["id"])

    def has_all_of_the_other(self, side: str, incident: int) -> bool:
        """Return whether all that the other side has written into an incident is on this side."""
        local_id, remote_id = self.id_of(HERE, incident), self.id_of(THERE, incident)
        if not local_id or not remote_id:
            return False
        ways = ("entry in", "file in") if side == HERE else ("entry out", "file out")
        return all(finding.equal for finding in self.findings(local_id, remote_id) if finding.kind in ways)

    def is_closed_on_both_sides(self, incident: int) -> bool:
        """Return whether an incident is closed on both sides, each has all of the other, and the server here is done with it."""
        if not all(self.has_all_of_the_other(side, incident) for side in (HERE, THERE)):
            return False
        here, there = (self.tenants[side].incident(self.id_of(side, incident)) for side in (HERE, THERE))
        return here["status"] == there["status"] == CLOSED and not here["dbotCurrentDirtyFields"]

    def findings(self, local_id: str, remote_id: str) -> list[Finding]:
        """Return how the two sides of an incident compare."""
        return compare_incidents(self.tenants[HERE], local_id, self.tenants[THERE], remote_id, in_tag=IN_TAG, out_tag=OUT_TAG)

    # What the server does.

    def round(self, minute: float) -> MirrorRound:
        """Fetch, mirror, and note what was seen."""
        began, requests = time.monotonic(), self.wire.requests
        host = self.mirror.host
        fetched = host.fetch(INSTANCE)
        mirrored = host.mirror(INSTANCE)
        runs = [fetched, *mirrored.runs]
        for run in runs:
            self.runs[run.command].append(run)
            if not run.ok:
                self.outcome.errors[sentence_of(run)] += 1
        context, _ = host.integration_context(INSTANCE)
        heaviest = max(runs, key=lambda run: run.peak_memory)
        self.outcome.samples.append(
            Sample(
                minute=minute,
                seconds=round(time.monotonic() - began, 3),
                runs=len(runs),
                failed=sum(not run.ok for run in runs),
                requests=self.wire.requests - requests,
                entries_in=mirrored.entries_in,
                entries_out=mirrored.entries_out,
                worker=heaviest.peak_memory,
                heaviest=heaviest.command,
                parent=self.reaper.parent_memory,
                context=len(json.dumps(context)),
                incidents=self.tenants[HERE].search({"query": "", "size": 1})[1],
            )
        )
        for run in runs:
            run.entries, run.incidents, run.args, run.log = [], [], {}, []
        if not fetched.ok or fetched.created:
            mirrored.sent.append("fetched")
        return mirrored

    def come_to_rest(self, minutes: float) -> None:
        """Run rounds without faults until nothing is left to do; what people still wanted to do is done meanwhile."""
        self.wire.calm = self.reaper.calm = True
        quiet = 0
        for _ in range(MOST_QUIETING_ROUNDS):
            self.clock.pass_minutes(minutes)
            self.do_all([])
            done = self.round(self.minute())
            busy = done.modified or done.sent or done.errors or self.waiting
            quiet = 0 if busy else quiet + 1
            if quiet == QUIET_ROUNDS:
                return
        waiting = [act for queue in self.waiting.values() for act in queue]
        self.outcome.differences.append(
            f"It did not come to rest within {MOST_QUIETING_ROUNDS} rounds; waiting: {waiting[:3]}; errors: {done.errors[:3]}"
        )

    def minute(self) -> float:
        """Return the minute of the simulated day."""
        return round((self.clock() - self.begin_ns) / MINUTE_NS, 2)

    # The day.

    def run(self) -> Outcome:
        """Let the day happen, with the evening before it and the night behind it, and compare both sides."""
        self.begin_ns = MIDNIGHT_NS
        with self.tenants[HERE].batch(), self.tenants[THERE].batch():
            self.do_all(self.day.before)
        self.phase("make what is there before")
        while len(self.outcome.samples) < MOST_QUIETING_ROUNDS + self.size.incidents // 200:
            self.clock.pass_minutes(1)
            done = self.round(0)
            if not done.modified and not done.sent and not done.errors:
                break
        self.phase("bring it to the other side")
        self.outcome.first_round_of_day = len(self.outcome.samples)
        self.begin_ns = self.clock()
        for step, acts in enumerate(self.day.steps):
            self.clock.move_to(self.begin_ns + step * self.size.step_minutes * MINUTE_NS)
            self.wire.away = self.day.away.get(step, "")
            self.do_all(acts)
            self.round(self.minute())
            if (step + 1) % max(1, self.size.steps // 24) == 0:
                sample = self.outcome.samples[-1]
                self.say(
                    f"{time.monotonic() - self.started:7.0f} s: minute {sample.minute:.0f}, {sample.incidents} incidents, "
                    f"context {sample.context:,} bytes, worker {sample.worker >> 20} MB, {self.wire.requests} requests, "
                    f"{self.wire.faults.total()} faults, {self.reaper.killed} killed, {len(self.waiting)} wait"
                )
        self.phase("the day")
        self.wire.away = ""
        self.come_to_rest(SETTLE_MINUTES)
        self.phase("come to rest")
        self.compare()
        self.phase("compare")
        self.prove()
        self.phase("prove")
        self.sum_up()
        return self.outcome

    def phase(self, name: str) -> None:
        """Note how long a phase took."""
        seconds = time.monotonic() - self.started - sum(self.outcome.seconds.values())
        self.outcome.seconds[name] = round(seconds, 1)
        self.say(f"{name}: {seconds:.0f} s")

    # In the end.

    def compare(self) -> None:
        """Note what differs: each incident is on both sides once, with equal fields; each tagged text and file is there once."""
        here, there = self.all_incidents(HERE), self.all_incidents(THERE)
        differences = self.outcome.differences
        mirrored = Counter(incident["dbotMirrorId"] for incident in here)
        remote_ids = {str(incident["id"]) for incident in there}
        differences += [
            f"The incident {remote_id!r} is there {int(remote_id in remote_ids)} times and here {mirrored[remote_id]} times."
            for remote_id in sorted({*mirrored, *remote_ids})
            if mirrored[remote_id] != 1 or remote_id not in remote_ids
        ]
        is_open = {str(incident["id"]): incident["status"] != CLOSED for incident in here}
        compared = 0
        for incident in here:
            local_id, remote_id = str(incident["id"]), str(incident["dbotMirrorId"])
            try:
                findings = self.findings(local_id, remote_id)
            except NotFound as error:
                differences.append(f"{local_id}, there {remote_id}: {error}")
                continue
            compared += len(findings)
            differences += [
                f"{local_id}, there {remote_id}: {finding.kind} {finding.name}: {finding.here} and {finding.there}"
                for finding in findings
                # What an open incident was closed with once stays where it was said.
                if not finding.equal and not (is_open[local_id] and finding.name in ("closeReason", "closeNotes"))
            ]
            differences += self.strangers(local_id, remote_id)
        entries = {side: self.count_entries(side) for side in (HERE, THERE)}
        self.outcome.counts = {
            "incidents here": len(here),
            "incidents there": len(there),
            "entries here": entries[HERE],
            "entries there": entries[THERE],
            "comparisons": compared,
            "texts written": sum(len(numbers_in(act)) for act in [*self.day.before, *itertools.chain(*self.day.steps)]),
        }

    def prove(self) -> None:
        """Let the mirror itself compare both sides, each incident with its entries, and note its lag."""
        self.clock.pass_minutes(SETTLE_MINUTES)
        proved = 0
        summary: dict[str, Any] = {"After": "", "NotLookedAt": 1}
        while summary["NotLookedAt"]:
            args = {"scope": "all", "entries": "all", "after": summary["After"]}
            told = self.context_of("xsoar-mirror-reconcile", args)
            self.outcome.differences += [f"xsoar-mirror-reconcile: {drift}" for drift in told["XSOAR.Mirror.Drift"]]
            summary = told["XSOAR.Mirror.Reconcile"]
            proved += summary["LookedAt"]
        status = self.context_of("xsoar-mirror-status", {})["XSOAR.Mirror.Status"]
        names = {
            "lag, median, in s": "LagP50Seconds",
            "lag, 95 %, in s": "LagP95Seconds",
            "pending, in s": "OldestPendingSeconds",
        }
        self.outcome.counts |= {"incidents proved": proved, **{name: status[key] or 0 for name, key in names.items()}}

    def context_of(self, command: str, args: dict[str, str]) -> dict[str, Any]:
        """Run a command of the War Room; return what it gave, by its path in the context."""
        run = self.mirror.host.run(INSTANCE, command, args)
        assert run.ok, run.error
        (entry,) = run.entries
        return {path.partition("(")[0]: value for path, value in entry["EntryContext"].items()}

    def all_incidents(self, side: str) -> list[dict[str, Any]]:
        """Return all incidents of a side, oldest first."""
        found: list[dict[str, Any]] = []
        for page in itertools.count():
            more, total = self.tenants[side].search(
                {"query": "", "size": 1000, "page": page, "sort": [{"field": "id", "asc": True}]}
            )
            found += more
            if not more or len(found) >= total:
                return found
        raise AssertionError("the pages end")

    def strangers(self, local_id: str, remote_id: str) -> list[str]:
        """Return what stands in a War Room more than once, or came without a tag that lets it cross."""
        wrote = {HERE: (local_id, OUT_TAG), THERE: (remote_id, IN_TAG)}
        found: list[str] = []
        for side, other in ((HERE, THERE), (THERE, HERE)):
            # A note of ours that names both values of a field which both sides changed is no entry that came.
            own = [entry for entry in self.tenants[side].entries(wrote[side][0]) if BOTH_CHANGED not in entry_words(entry)]
            theirs = self.tenants[other].entries(wrote[other][0])
            came = Counter(
                number for entry in own if entry["user"] != PERSONS[side] for number in TEXT.findall(entry_words(entry))
            )
            may_come = {
                number
                for entry in theirs
                if entry["user"] == PERSONS[other] and wrote[other][1] in (entry["tags"] or [])
                for number in TEXT.findall(entry_words(entry) + json.dumps(entry.get("history") or []))
            }
            found += [
                f"{local_id}, there {remote_id}: text {number} is {side} {count} times"
                f"{'' if number in may_come else ', and has no tag'}"
                for number, count in came.items()
                if count > 1 or number not in may_come
            ]
        return found

    def count_entries(self, side: str) -> int:
        """Return how many entries there are on a side."""
        return sum(len(self.tenants[side].entries(str(incident["id"]))) for incident in self.all_incidents(side))

    def sum_up(self) -> None:
        """Note the figures of the whole day."""
        outcome = self.outcome
        outcome.faults = self.wire.faults + Counter({"worker killed": self.reaper.killed})
        outcome.counts |= {"requests": self.wire.requests, "workers": self.reaper.workers, "rounds": len(outcome.samples)}
        for command, runs in self.runs.items():
            outcome.commands[command] = {
                "runs": len(runs),
                "failed": sum(not run.ok for run in runs),
                "seconds": round(sum(run.seconds for run in runs), 1),
                "CPU seconds": round(sum(run.cpu_seconds for run in runs), 1),
                "most memory in MB": round(max(run.peak_memory for run in runs) / 2**20, 1),
            }


def numbers_in(act: Act) -> list[int]:
    """Return the text of an act, if it writes one into a War Room."""
    return [act.text] if act.kind not in (CREATE, EDIT, CLOSE, REOPEN, TAG) else []


def change_of(act: Act, text: str) -> dict[str, Any]:
    """Return what an edit changes."""
    if act.field == "severity":
        return {"severity": 1 + act.text % 4}
    return {"CustomFields": {act.field: text}} if act.field == "ticket" else {act.field: text}


def entry_words(entry: dict[str, Any]) -> str:
    """Return where the number of a text may stand in an entry."""
    return f"{entry.get('contents')} {entry.get('file') or ''}"


def sentence_of(run: CommandRun) -> str:
    """Return why a run failed, without what differs from one to the next."""
    last = run.error.strip().splitlines()[-1] if run.error.strip() else ""
    return re.sub(r"127\.0\.0\.1:\d+", "the remote", re.sub(r"Incident \d+", "Incident", f"{run.command}: {last}"))[:300]


def soak(size: Size, folder: Path, say: Callable[[str], None] = lambda _: None) -> Outcome:
    """Let a simulated day happen in a folder; return what came of it."""
    with ExitStack() as exits:
        return Soak(size, folder, exits, say).run()


# The command line.


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return the outcome with what it was measured on, as JSON takes it."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"system": platform.system(), "architecture": platform.machine(), "processors": os.cpu_count()},
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("requests", "starlette", "uvicorn")},
        },
        "size": asdict(outcome.size),
        "equal": not outcome.differences,
        "differences": outcome.differences[:1000],
        "context bytes per incident": round(outcome.context_per_incident, 1),
        "worker memory, last quarter of the day to the first": round(outcome.memory_growth(), 3),
        "counts": outcome.counts,
        "acts": dict(outcome.acts),
        "faults": dict(outcome.faults),
        "errors that the server saw": dict(outcome.errors.most_common(100)),
        "commands": outcome.commands,
        "seconds": outcome.seconds,
        "first round of the day": outcome.first_round_of_day,
        "rounds": [asdict(sample) for sample in outcome.samples],
    }


def pictures(outcome: Outcome) -> dict[str, str]:
    """Return the plots of the day as SVG, by name."""
    day = outcome.samples[outcome.first_round_of_day :]
    hours = [sample.minute / 60 for sample in day]
    memory = [
        Series("heaviest worker of the round", hours, [sample.worker / 2**20 for sample in day]),
        Series("process they are forked from", hours, [sample.parent / 2**20 for sample in day]),
    ]
    context = [
        Series("integration context", hours, [sample.context / 1000 for sample in day]),
    ]
    return {
        "soak-memory": line_plot("Memory of the workers", "hour of the simulated day", "MB", memory),
        "soak-context": line_plot("Size of the integration context", "hour of the simulated day", "kB", context),
    }


def tables(outcome: Outcome) -> list[Table]:
    """Return what is shown of the outcome."""
    counts = Table("what", "how many", title="The day")
    for name, count in {**outcome.counts, **outcome.acts}.items():
        counts.add_row(name, f"{count:,}")
    faults = Table("fault", "times", title="Faults")
    for name, count in sorted(outcome.faults.items()):
        faults.add_row(name, f"{count:,}")
    commands = Table("command", "runs", "failed", "seconds", "CPU seconds", "most memory", title="Commands")
    for name, row in outcome.commands.items():
        numbers = [f"{row[key]:,.0f}" for key in ("runs", "failed", "seconds", "CPU seconds", "most memory in MB")]
        commands.add_row(name, *numbers[:-1], f"{numbers[-1]} MB")
    return [counts, faults, commands]


def parse_arguments(arguments: list[str]) -> tuple[Size, Path]:
    """Return the size of the day, and where its result goes."""
    parser = argparse.ArgumentParser(prog="make soak", description="Let two tenants mirror each other for a simulated day.")
    parser.add_argument("--incidents", type=int, default=3000)
    parser.add_argument("--entries", type=int, default=30_000)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--step-minutes", type=int, default=10, help="simulated minutes between two rounds")
    parser.add_argument("--at-once", type=float, default=0.9, help="part of it that is there before the first fetch")
    parser.add_argument("--result", type=Path, default=RESULT)
    given = parser.parse_args(arguments)
    if min(given.incidents, given.entries, given.step_minutes) < 1 or given.hours <= 0 or not 0 < given.at_once <= 1:
        parser.error("give incidents, entries, hours and step minutes above 0, and a part from 0 to 1")
    size = Size(given.incidents, given.entries, given.hours, given.seed, given.step_minutes, given.at_once)
    return size, given.result


def main(arguments: list[str]) -> int:
    """Run, show, and write the result and its pictures; return 1 when the two sides differ in the end."""
    size, result = parse_arguments(arguments)
    console = Console(width=130)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        outcome = soak(size, Path(folder), lambda line: console.print(line, highlight=False))
    for table in tables(outcome):
        console.print(table)
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_text(json.dumps(as_json(outcome), indent=1) + "\n")
    for name, picture in pictures(outcome).items():
        (result.parent / f"{name}.svg").write_text(picture)
    for difference in outcome.differences[:20]:
        console.print(difference, highlight=False, markup=False)
    said = "Both sides are equal." if not outcome.differences else f"{len(outcome.differences)} differences."
    console.print(
        f"{said} At most {outcome.context_per_incident:.0f} bytes of context for each incident; the workers of the last quarter "
        f"needed {outcome.memory_growth():.2f} times the memory of those of the first. Written: {result}",
        highlight=False,
    )
    return int(bool(outcome.differences))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
