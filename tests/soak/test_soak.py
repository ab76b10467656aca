"""A short simulated day of two tenants that mirror each other, and what such days have brought to light.

`make soak` lets a long one happen.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.plot import Series, line_plot, ticks
from local_xsoar.comparison import compare_incidents
from local_xsoar.host.workers import Workers
from tests.mirror.two_tenants import IN_TAG, OUT_TAG, Mirror, Site
from tests.soak.soak import Outcome, pictures, soak
from tests.soak.soak_plan import CLOSE, CREATE, ENTRY_KINDS, REOPEN, Act, Size, fault_of, killed_at, planned_day

SHORT = Size(
    incidents=16,
    entries=180,
    hours=4,
    seed=360,  # One of those by which all happens that the first test asks for.
    step_minutes=15,
    at_once=0.4,
    made_here=0.15,
    fault_rate=0.06,
    hang_rate=0.004,
    kill_rate=0.04,
    outages=1,
    patience=1.0,
)
MOST_CONTEXT = 800  # Bytes for each of so few incidents, nearly each in a shard of its own. Of 10,000 each takes a third.
CALLS_A_ROUND = 25
CALLS_AN_ACT = 6  # Each of its tries, and the look at what came of it.


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What came of the short day."""
    return soak(SHORT, tmp_path_factory.mktemp("soak"))


def test_both_sides_are_equal_after_a_day_with_faults(outcome: Outcome) -> None:
    """
    Given: two tenants with work on both sides, a remote that fails and hangs, is away for a while, and workers that are killed.
    When: the day is over and all has come to rest.
    Then: each incident, field, entry and file is on both sides once, the mirror's own proof says so, and all of that did happen.
    """
    assert outcome.differences == []
    assert outcome.counts["incidents here"] == outcome.counts["incidents there"] == SHORT.incidents
    assert outcome.counts["incidents proved"] == SHORT.incidents
    assert (outcome.counts["lag, 95 %, in s"] > 0, outcome.counts["pending, in s"]) == (True, 0)
    assert outcome.counts["entries here"] > 0.9 * SHORT.entries
    happened = {kind.partition(" ")[0] for kind in outcome.acts}
    assert happened >= {*ENTRY_KINDS, CREATE, CLOSE, REOPEN, "edit", "tag", "rewrite"}
    struck = set(outcome.faults)
    assert struck >= {"429", "500", "502 HTML", "reset", "worker killed"}
    assert any(kind.startswith("hangs") for kind in struck)
    assert any(kind.startswith("away") for kind in struck)
    assert any(kind.endswith(", done") for kind in struck)


def test_what_the_mirror_keeps_and_asks_stays_small(outcome: Outcome) -> None:
    """
    Given: the short day.
    When: its rounds are looked at.
    Then: the context holds few bytes for each incident, the calls are few for each round and act, and the workers do not grow.
    """
    acts = sum(outcome.acts.values())

    assert outcome.context_per_incident < MOST_CONTEXT
    assert outcome.counts["requests"] < CALLS_A_ROUND * outcome.counts["rounds"] + CALLS_AN_ACT * acts
    assert outcome.memory_growth() < 1.1


def test_the_pictures_of_a_day(outcome: Outcome) -> None:
    """
    Given: the short day.
    When: its pictures are drawn.
    Then: each has a line for each series, and says what is to be seen.
    """
    for picture in pictures(outcome).values():
        drawn = ElementTree.fromstring(picture)  # noqa: S314 - our own
        words = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
        lines = list(drawn.iter("{http://www.w3.org/2000/svg}polyline"))
        assert "hour of the simulated day" in words
        assert {"MB", "kB"} & set(words)
        assert {len(line.attrib["points"].split()) for line in lines} == {len(outcome.samples) - outcome.first_round_of_day}


def test_a_day_follows_from_its_size() -> None:
    """
    Given: a size.
    When: its day is planned twice.
    Then: both are the same, of that size, and another seed gives another.
    """
    size = Size(200, 2000, 24, 1)
    day = planned_day(size)
    acts = [*day.before, *(act for step in day.steps for act in step)]

    assert planned_day(size) == day
    assert planned_day(Size(200, 2000, 24, 2)) != day
    assert sum(act.kind == CREATE for act in acts) == 200
    assert 2000 <= sum(act.kind in ENTRY_KINDS for act in acts) <= 2010
    assert len(day.steps) == 288
    assert 0.005 < sum(bool(fault_of(size, number)) for number in range(3000)) / 3000 < 0.05
    assert 0.002 < sum(killed_at(size, number) is not None for number in range(3000)) / 3000 < 0.01


def test_nothing_is_done_in_a_closed_incident() -> None:
    """
    Given: a day.
    When: its acts are read incident by incident.
    Then: in a closed one the next thing is that it is reopened.
    """
    day = planned_day(Size(50, 1500, 24, 7, at_once=0.2))
    last: dict[int, Act] = {}
    for act in (act for step in day.steps for act in step):
        before = last.get(act.incident)
        assert (act.kind == REOPEN) == (before is not None and before.kind == CLOSE)
        last[act.incident] = act


@pytest.mark.parametrize(
    ("lowest", "highest", "expected"),
    [
        pytest.param(0, 24, [0, 5, 10, 15, 20, 25], id="hours"),
        pytest.param(0, 0.37, [0, 0.1, 0.2, 0.3, 0.4], id="fractions"),
        pytest.param(0, 0, [0, 0.2], id="nothing"),
        pytest.param(41, 41, [40, 50], id="one value"),
        pytest.param(-3, 12, [-5, 0, 5, 10, 15], id="below 0"),
    ],
)
def test_ticks(lowest: float, highest: float, expected: list[float]) -> None:
    """
    Given: the ends of an axis.
    When: it is divided.
    Then: by round numbers that reach over both ends.
    """
    assert ticks(lowest, highest) == expected


def test_a_plot_shows_what_it_is_given() -> None:
    """
    Given: names with signs that mean something in SVG.
    When: they are drawn.
    Then: they stand there as they are.
    """
    drawn = ElementTree.fromstring(line_plot("a < b", "x & y", '"%"', [Series("<one>", [0, 1], [2, 3])]))  # noqa: S314 - our own

    words = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a < b", "x & y", '"%"', "<one>"} <= set(words)
    with pytest.raises(ValueError, match="needs a point"):
        line_plot("nothing", "x", "y", [Series("none", [], [])])


# What days brought to light, in small.


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """The fork server of the tests below."""
    with Workers() as started:
        yield started


@pytest.fixture
def mirror(tmp_path: Path, workers: Workers) -> Iterator[Mirror]:
    """A local and a remote tenant with an instance between them, in real time."""
    with ExitStack() as exits:
        made = Site(tmp_path, exits, workers).mirror()
        made.configure()
        yield made


def closed_on_both_sides(mirror: Mirror) -> tuple[str, str]:
    """Make two incidents, close one there, and mirror it; return its local and its remote id."""
    mirror.remote_incident(name="stays open")
    remote_id = mirror.remote_incident()
    mirror.fetch_all()
    mirror.until_quiet()
    mirror.there.close_incident(remote_id, reason="Resolved", notes="First.", user="carla")
    mirror.until_quiet()
    return mirror.local_id(remote_id), remote_id


def differences(mirror: Mirror, local_id: str, remote_id: str) -> list[str]:
    """Return what differs between both sides of an incident."""
    findings = compare_incidents(mirror.here, local_id, mirror.there, remote_id, in_tag=IN_TAG, out_tag=OUT_TAG)
    return [f"{finding.name}: {finding.here}, {finding.there}" for finding in findings if not finding.equal]


def test_what_was_written_there_between_two_closings(mirror: Mirror) -> None:
    """
    Given: an incident that is closed on both sides.
    When: it is reopened there, written into and closed again before the next round.
    Then: the entry is here once, and the incident is closed here with the last words.
    """
    local_id, remote_id = closed_on_both_sides(mirror)
    mirror.there.reopen_incident(remote_id, user="carla")
    mirror.there.add_entry(remote_id, contents="one more thing", user="carla", category="chat", tags=[IN_TAG])
    mirror.there.close_incident(remote_id, reason="Resolved", notes="Second.", user="carla")
    mirror.until_quiet()

    assert differences(mirror, local_id, remote_id) == []


def test_what_was_written_here_between_two_closings(mirror: Mirror) -> None:
    """
    Given: an incident that is closed on both sides.
    When: it is reopened here, written into and closed again before the next round.
    Then: no round fails, the entry is there once, and the incident is closed there with the last words.
    """
    local_id, remote_id = closed_on_both_sides(mirror)
    mirror.here.reopen_incident(local_id, user="hanna")
    mirror.here.add_entry(local_id, contents="one more thing", user="hanna", category="chat", tags=[OUT_TAG])
    mirror.here.close_incident(local_id, reason="Resolved", notes="Second.", user="hanna")
    mirror.until_quiet()

    assert differences(mirror, local_id, remote_id) == []
