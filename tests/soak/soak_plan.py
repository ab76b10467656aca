"""What happens on a simulated day, as plain data: who does what in which incident, and what befalls the wire and the workers.

All of it is a pure function of a `Size`, its seed among it: the same size gives the same day.
"""

import random
from collections import defaultdict
from dataclasses import dataclass, field

HERE, THERE = "here", "there"
CREATE, EDIT, WRITE, NOTE, FILE, ASIDE, TAG, REWRITE, CLOSE, REOPEN = (
    "create",
    "edit",
    "write",
    "note",
    "file",
    "aside",  # An entry that carries no tag yet.
    "tag",
    "rewrite",
    "close",
    "reopen",
)
ENTRY_KINDS = (WRITE, NOTE, FILE, ASIDE)
# How often each happens in an open incident. TAG and REWRITE need an earlier entry, else nothing happens.
WEIGHTS = {WRITE: 40, NOTE: 15, FILE: 4, ASIDE: 6, EDIT: 20, TAG: 5, REWRITE: 4, CLOSE: 4}
FIELDS = ("severity", "phase", "details", "ticket")

# A fault of one request; whether the remote has done its work all the same is part of the name.
FAULTS = (
    "429",
    "429, again in 5 s",
    "500",
    "500, done",
    "502 HTML",
    "502 HTML, done",
    "503",
    "cut JSON",
    "cut JSON, done",
    "reset",
    "reset, done",
)
HANGS = ("hangs", "hangs, done")  # They cost real time, so there are fewer.
OUTAGES = ("429", "502 HTML", "reset")
LONGEST_FAULT = 4  # Requests in a row. More than the pack tries, so that some failures reach the server.


@dataclass(frozen=True)
class Size:
    """How much happens.

    incidents, entries: how many there are in the end, about.
    hours, step_minutes: how long the day is, and the simulated minutes between two rounds of the server.
    at_once: the part of the incidents and of their entries that is there before the first fetch.
    made_here: the part of the incidents that begin here.
    fault_rate, hang_rate: the part of the requests at which a fault, or a hang, begins.
    kill_rate: the part of the workers that are killed.
    outages: how many times the remote is away for a while.
    patience: the real seconds that a worker waits for an answer.
    """

    incidents: int
    entries: int
    hours: float
    seed: int
    step_minutes: int = 5
    at_once: float = 0.9
    made_here: float = 0.1
    fault_rate: float = 0.01
    hang_rate: float = 0.0002
    kill_rate: float = 0.005
    outages: int = 4
    patience: float = 2.0

    @property
    def steps(self) -> int:
        """How many rounds the day has."""
        return max(1, round(self.hours * 60 / self.step_minutes))


@dataclass(frozen=True)
class Act:
    """One thing that a person does on a side in an incident.

    incident: its number on the day, from 0, in the order in which incidents are made.
    text: the number of the text that is written, each of them once a day; 0: none.
    of: the number of the earlier text whose entry is tagged or rewritten.
    field: which field is edited.
    """

    side: str
    kind: str
    incident: int
    text: int = 0
    of: int = 0
    field: str = ""


@dataclass(frozen=True)
class Day:
    """What is there before the first fetch, what is done in each step, and in which steps the remote is away, and how."""

    before: list[Act]
    steps: list[list[Act]]
    away: dict[int, str]


@dataclass
class _Writer:
    """Makes up acts, and keeps what those to come depend on."""

    chance: random.Random
    made_here: float
    texts: int = 0
    incidents: int = 0
    entries: int = 0
    closed: set[int] = field(default_factory=set)
    aside: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    written: dict[tuple[int, str], list[int]] = field(default_factory=lambda: defaultdict(list))

    def text(self) -> int:
        self.texts += 1
        return self.texts

    def create(self) -> Act:
        side = HERE if self.chance.random() < self.made_here else THERE
        self.incidents += 1
        return Act(side, CREATE, self.incidents - 1, self.text())

    def entry(self, side: str, incident: int, kind: str) -> Act:
        act = Act(side, kind, incident, self.text())
        self.entries += 1
        if kind == ASIDE:
            self.aside[incident].append(act.text)
        elif kind != FILE:
            self.written[incident, side].append(act.text)
        return act

    def edit(self, side: str, incident: int) -> Act:
        return Act(side, EDIT, incident, self.text(), field=self.chance.choice(FIELDS))

    def any_act(self, side: str, incident: int) -> Act | None:
        """Return something that a person may do in an open incident; None when what was drawn has nothing to be done to."""
        (kind,) = self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
        # Only the remote can be tagged late: what is written here is offered to the pack with its tags.
        if kind == ASIDE and side == HERE:
            kind = WRITE
        if kind in ENTRY_KINDS:
            return self.entry(side, incident, kind)
        if kind == EDIT:
            return self.edit(side, incident)
        if kind == TAG:
            return Act(THERE, TAG, incident, of=self.aside[incident].pop(0)) if self.aside[incident] else None
        if kind == REWRITE:
            earlier = self.written[incident, side]
            return Act(side, REWRITE, incident, self.text(), of=self.chance.choice(earlier)) if earlier else None
        self.closed.add(incident)
        return Act(side, CLOSE, incident, self.text())

    def bundle(self, side: str, incident: int, entries: int) -> list[Act]:
        """Return what one person does in an incident in one step, until they have written so many entries or closed it."""
        acts: list[Act] = []
        if incident in self.closed:
            self.closed.discard(incident)
            # Closed again at once, and with nothing written that crosses, it would be as if nothing had happened.
            acts += [Act(side, REOPEN, incident), self.entry(side, incident, WRITE)]
        last = self.entries + entries
        while self.entries < last and incident not in self.closed:
            act = self.any_act(side, incident)
            acts += [act] if act else []
        return acts


def planned_day(size: Size) -> Day:
    """Return the day of a size."""
    writer = _Writer(random.Random(f"day {size.seed}"), size.made_here)
    incidents_before = max(1, round(size.incidents * size.at_once))
    entries_before = round(size.entries * size.at_once)
    before = [writer.create() for _ in range(incidents_before)]
    sides = {act.incident: act.side for act in before}
    for number in range(entries_before):
        incident = number % incidents_before
        kind = FILE if writer.chance.random() < 0.02 else WRITE
        before.append(writer.entry(sides[incident], incident, kind))
    steps = [_step(writer, size, step) for step in range(size.steps)]
    return Day(before, steps, _away(size))


def _step(writer: _Writer, size: Size, step: int) -> list[Act]:
    """Return what is done in a step: its share of the new incidents and of the entries, in a few incidents each."""
    acts: list[Act] = []
    part = (step + 1) / size.steps
    wanted_incidents = round(size.incidents * (size.at_once + (1 - size.at_once) * part))
    wanted_entries = round(size.entries * (size.at_once + (1 - size.at_once) * part))
    while writer.incidents < wanted_incidents:
        acts.append(writer.create())
    while writer.entries < wanted_entries:
        side = writer.chance.choice((HERE, THERE))
        acts += writer.bundle(side, writer.chance.randrange(writer.incidents), writer.chance.randint(1, 6))
        # A change that comes alone: what a later entry brings along would hide that it was lost.
        alone = writer.chance.randrange(writer.incidents)
        if alone not in writer.closed:
            acts.append(writer.edit(writer.chance.choice((HERE, THERE)), alone))
    return acts


def _away(size: Size) -> dict[int, str]:
    chance = random.Random(f"outages {size.seed}")
    away: dict[int, str] = {}
    for _ in range(size.outages):
        first, kind = chance.randrange(size.steps), chance.choice(OUTAGES)
        # Not in the last steps: what is to be seen is that work goes on behind it.
        away.update(dict.fromkeys(range(first, min(first + chance.randint(1, 3), size.steps - 2)), kind))
    return away


def fault_of(size: Size, request: int) -> str:
    """Return what befalls a request, by its number on the day; an empty text when nothing does."""
    for earlier in range(LONGEST_FAULT):
        chance = random.Random(f"fault {size.seed} {request - earlier}")
        drawn = chance.random()
        if drawn < size.hang_rate and earlier == 0:
            return chance.choice(HANGS)
        if drawn < size.fault_rate and chance.randint(1, LONGEST_FAULT) > earlier:
            return chance.choice(FAULTS)
    return ""


def killed_at(size: Size, worker: int) -> int | None:
    """Return before which of its calls to the server a worker is killed, by its number on the day; None when it lives."""
    chance = random.Random(f"kill {size.seed} {worker}")
    return chance.randrange(9) if chance.random() < size.kill_rate else None
