"""Each request of each cycle of the mirror meets each fault, once and lasting; then both tenants are compared.

What came of every combination is written to build/faults.md.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests_mock
from stand_ins import KEY, NOW, Server

from tests.robust.faulty import (
    ALL,
    CURSED,
    CYCLES,
    FAULTS,
    KILLS,
    LASTING_ROUNDS,
    ONCE,
    ROUTE,
    Cycle,
    Fault,
    Killed,
    World,
    new_world,
    resume,
    saved,
)

BUILD = Path(__file__).resolve().parents[2] / "build"
# An incident that could not be read is tried again after one hour, then two, four and so on, so a round after each is enough.
HOURS_LATER = (1, 2, 4, 8, 16)

HIDDEN = "tried again in the same run"
WHOLE = "the server saw an error; whole with the next rounds"
TOLD = "the log or the incident told of it; whole with the next rounds"
UNSEEN = "nobody needed to see it; whole"
KILLED = "whole with the next rounds"
WITHOUT_FILE = "the log told of it; the incident is here without the file, as the contract says"
GOOD = (HIDDEN, WHOLE, TOLD, UNSEEN, KILLED, WITHOUT_FILE)


@dataclass(frozen=True)
class Row:
    """What came of one combination."""

    cycle: str
    number: int
    route: str
    fault: str
    mode: str
    outcome: str


Worlds = Callable[[Cycle], World]


@pytest.fixture
def worlds(monkeypatch: pytest.MonkeyPatch, server: Server, clock: Any, tmp_path: Path) -> Iterator[Worlds]:
    """Makes worlds, each in a folder of its own and at the same time of day."""
    numbers = count()
    before: dict[str, bytes] = {}
    now: list[World] = []

    def make(cycle: Cycle) -> World:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        monkeypatch.chdir(folder)
        clock.move_to(NOW)
        world = new_world(cycle, monkeypatch, clock, folder)
        now[:] = [world]
        if cycle.name not in before:
            cycle.before(world)
            before[cycle.name] = saved(world)
        else:
            resume(world, before[cycle.name])
        clock.move_to(NOW)
        clock.tick(3600)
        cycle.news(world)
        world.home.told.clear()
        return world

    with requests_mock.Mocker() as mock:
        mock.add_matcher(lambda request: now[0].strikes(request))
        yield make


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    """Write the table of all combinations when the last of the tests has run, whatever process ran it."""
    yield
    write_table(BUILD)


def whole(cycle: Cycle, worlds: Worlds) -> tuple[dict[str, Any], list[str]]:
    """Return what both sides look like when no fault strikes, and the requests of the cycle."""
    world = worlds(cycle)
    world.strikes.arm(None)
    world.round(cycle.commands)
    routes = list(world.strikes.routes)
    world.until_quiet()
    return world.picture(), routes


def items(picture: dict[str, Any]) -> Counter[str]:
    """Return all that stands in a picture, each as a line, with how often it is there."""
    lines: Counter[str] = Counter()
    for side, incidents in picture.items():
        for incident in incidents:
            key = incident.get("remote") or ""
            for name, value in incident.items():
                several = value if isinstance(value, list) else [value]
                lines.update(f"{side} {key} {name}: {item!r}" for item in several)
            lines[f"{side} an incident"] += 1
    return lines


def difference(expected: dict[str, Any], found: dict[str, Any]) -> str:
    """Return what is missing and what is too much; empty when all is there exactly once."""
    missing, extra = items(expected) - items(found), items(found) - items(expected)
    words = [f"LOST {line}" for line in list(missing)[:4]] + [f"TOO MUCH {line}" for line in list(extra)[:4]]
    return "; ".join(words)


def recovered(world: World, expected: dict[str, Any]) -> str:
    """Let the server go on until both sides are at rest; return how they differ from what is expected."""
    try:
        world.until_quiet()
        if difference(expected, world.picture()):
            for hours in HOURS_LATER:
                world.clock.tick(hours * 3600)
                world.round()
            world.until_quiet()
    except AssertionError as error:
        return str(error)
    return difference(expected, world.picture())


def strike(world: World, cycle: Cycle, fault: Fault, number: int, mode: str) -> list[str]:
    """Run the cycle with a fault at one of its requests, lasting ones for some rounds; return what of the contract is broken."""
    broken: list[str] = []
    world.strikes.arm(fault, number, mode)
    for _ in range(1 if mode == ONCE else LASTING_ROUNDS):
        struck, told = world.strikes.struck, len(world.home.told)
        world.round(cycle.commands)
        fresh = world.home.told[told:]
        if mode == ONCE or world.strikes.struck == struck:
            continue
        if not fresh:
            broken.append("SILENT")
        elif not any(re.search(fault.says, line) for line in fresh):
            broken.append(f"UNNAMED: {fresh[0][:120]}")
    world.strikes.release()
    for line in world.home.told:
        if CURSED in line or "Traceback" in line or "AssertionError" in line:
            broken.append(f"TELLS TOO MUCH: {line[:120]}")
    if KEY in json.dumps([world.home.told, world.home.server.log, world.home.server.kept_text()]):
        broken.append("TELLS THE KEY")
    return list(dict.fromkeys(broken))


def outcome(world: World, cycle: Cycle, fault: Fault, number: int, mode: str, expected: dict[str, Any]) -> str:
    """Return in a word what came of a fault."""
    broken = strike(world, cycle, fault, number, mode)
    told = list(world.home.told)
    errors = [line for line in told if "skipped for now" not in line]
    missing = recovered(world, expected)
    if missing and mode != ONCE and only_attachments(expected, world.picture()) and told:
        missing, told = "", [WITHOUT_FILE]
    if broken or missing:
        return "; ".join([*broken, *([missing] if missing else [])])
    if told == [WITHOUT_FILE]:
        return WITHOUT_FILE
    if errors:
        return WHOLE
    if told:
        return TOLD
    return HIDDEN if mode == ONCE else UNSEEN


def only_attachments(expected: dict[str, Any], found: dict[str, Any]) -> bool:
    """Return whether nothing but attachments of fetched incidents is missing, and nothing is too much."""
    missing, extra = items(expected) - items(found), items(found) - items(expected)
    return not extra and all(" files: " in line for line in missing)


def keep(rows: list[Row]) -> None:
    """Keep rows until the table is written."""
    parts = BUILD / "faults"
    parts.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"\W+", "-", f"{rows[0].cycle} {rows[0].fault}")
    (parts / f"{name}.json").write_text(json.dumps([asdict(row) for row in rows]), encoding="utf-8")


def write_table(folder: Path) -> None:
    """Write what came of all combinations that were tried."""
    order = {cycle.name: position for position, cycle in enumerate(CYCLES)}
    faults = {fault.name: position for position, fault in enumerate([*FAULTS, *KILLS])}
    rows = [Row(**row) for part in sorted((folder / "faults").glob("*.json")) for row in json.loads(part.read_text("utf-8"))]
    rows = [row for row in rows if row.cycle in order and row.fault in faults]
    rows.sort(key=lambda row: (order[row.cycle], row.number, faults[row.fault], row.mode))
    counts = Counter(row.outcome if row.outcome in GOOD else "BROKEN" for row in rows)
    summary = [f"| {word} | {number} |" for word, number in counts.most_common()]
    lines = [
        f"| {row.cycle} | {row.number + 1} `{row.route}` | {row.fault} | {row.mode} | {row.outcome.replace('|', '/')} |"
        for row in rows
    ]
    text = ["# Faults", "", "| outcome | combinations |", "|---|---|", *summary, f"| **all** | **{len(rows)}** |", ""]
    text += ["| cycle | request | fault | how long | outcome |", "|---|---|---|---|---|", *lines, ""]
    (folder / "faults.md").write_text("\n".join(text), encoding="utf-8")


def changes(route: str) -> bool:
    """Return whether a request changes something; to one that reads it is the same whether the work was done."""
    return not route.startswith(("GET ", "POST /incidents/search", "POST /investigation/"))


def named(item: Cycle | Fault) -> str:
    """Return the name of a parameter."""
    return item.name


# Incidents and entries here, incidents and entries there, and how many are closed: here, there.
CROSSED = {
    "fetch": (2, 0, 2, 2, 0, 0),
    "incoming": (3, 4, 3, 4, 1, 1),
    "outgoing": (2, 0, 2, 4, 1, 1),
    "creation": (3, 0, 3, 2, 0, 0),
    "creation without a local id": (4, 0, 4, 0, 0, 0),
    "reopening": (2, 0, 2, 2, 0, 0),
    "history": (1, 56, 1, 56, 0, 0),
}


@pytest.mark.parametrize("cycle", CYCLES, ids=named)
def test_without_a_fault_all_crosses(worlds: Worlds, cycle: Cycle) -> None:
    """
    Given: a cycle of the mirror with news on one side.
    When: no fault strikes.
    Then: all is on both sides, so that there is something to compare with.
    """
    picture, routes = whole(cycle, worlds)

    here, there = picture["here"], picture["there"]
    files = sum(len(incident["files"]) for incident in here)
    entries = [sum(len(incident["entries"]) + len(incident.get("files", [])) for incident in side) for side in (here, there)]
    entries[0] -= files if cycle.name == "fetch" else 0  # There they are attachments.
    closed = [sum(incident["status"] == 2 for incident in side) for side in (here, there)]
    assert (len(here), entries[0], len(there), entries[1], *closed) == CROSSED[cycle.name]
    assert files == {"fetch": 2, "incoming": 1, "history": 1}.get(cycle.name, 0)
    assert not any(incident["to send"] for incident in here)
    assert routes


@pytest.mark.parametrize("fault", FAULTS, ids=named)
@pytest.mark.parametrize("cycle", CYCLES, ids=named)
def test_each_request_meets_the_fault(worlds: Worlds, cycle: Cycle, fault: Fault) -> None:
    """
    Given: a cycle of the mirror with news on one side.
    When: each of its requests in turn meets the fault: once, lasting on its route, and lasting on all from there on.
    Then: while it lasts a person is told in words that name it, and when it is over each incident, field, entry and file is
        there exactly once on both sides.
    """
    expected, routes = whole(cycle, worlds)
    rows = [
        Row(cycle.name, number, route, fault.name, mode, outcome(worlds(cycle), cycle, fault, number, mode, expected))
        for number, route in enumerate(routes)
        for mode in (ONCE, ROUTE, *([ALL] if fault.from_there_on else []))
        if changes(route) or not fault.only_changes
    ]

    if rows:
        keep(rows)
    assert [f"{row.number} {row.route} {row.mode}: {row.outcome}" for row in rows if row.outcome not in GOOD] == []


@pytest.mark.parametrize("kill", KILLS, ids=named)
@pytest.mark.parametrize("cycle", CYCLES, ids=named)
def test_a_worker_that_is_killed_at_each_request(worlds: Worlds, cycle: Cycle, kill: Fault) -> None:
    """
    Given: a cycle of the mirror with news on one side.
    When: the worker is killed at each of its requests in turn: what it gave the server is lost, its context is kept.
    Then: with the next rounds each incident, field, entry and file is there exactly once on both sides.
    """
    expected, routes = whole(cycle, worlds)
    rows = []
    for number, route in enumerate(routes):
        world = worlds(cycle)
        world.strikes.arm(kill, number)
        with pytest.raises(Killed):
            world.round(cycle.commands)
        world.strikes.release()
        rows.append(Row(cycle.name, number, route, kill.name, ONCE, recovered(world, expected) or KILLED))

    keep(rows)
    assert [f"{row.number} {row.route}: {row.outcome}" for row in rows if row.outcome not in GOOD] == []
