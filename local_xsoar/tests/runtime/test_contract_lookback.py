"""The look-back helpers of CommonServerPython: fetching again a while back without fetching an incident twice."""

import copy
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import CommonServerPython as common
import pytest
from freezegun import freeze_time

INCIDENTS = [
    {"id": "1", "created": "2026-11-21T10:00:00"},
    {"id": "2", "created": "2026-11-21T11:00:00"},
    {"id": "3", "created": "2026-11-21T10:30:00"},
]


@pytest.fixture(scope="module", autouse=True)
def noon() -> Iterator[None]:
    """It is noon, UTC, on 21 November 2026."""
    with freeze_time("2026-11-21T12:00:00"):
        yield


@pytest.mark.parametrize(
    ("last_run", "first_fetch", "arguments", "start"),
    [
        ({}, "3 days", {}, "2026-11-18T12:00:00"),
        (None, "3 days", {}, "2026-11-18T12:00:00"),
        ({"time": ""}, "3 days", {}, "2026-11-18T12:00:00"),
        ({"time": None}, "3 days", {}, "2026-11-18T12:00:00"),
        ({}, "2026-01-02T03:04:05", {}, "2026-01-02T03:04:05"),
        ({}, "2026-01-02T03:04:05+03:00", {}, "2026-01-02T00:04:05"),
        ({"time": "2026-11-21T11:00:00"}, "3 days", {}, "2026-11-21T11:00:00"),
        ({"time": "2026-11-21T11:00:00Z"}, "3 days", {}, "2026-11-21T11:00:00"),
        ({"time": "2026-11-21T11:00:00+03:00"}, "3 days", {}, "2026-11-21T08:00:00"),
        ({"time": "1700000000"}, "3 days", {}, "2023-11-14T22:13:20"),
        ({"time": "2026-11-22T11:00:00"}, "3 days", {}, "2026-11-22T11:00:00"),
        ({}, "3 days", {"timezone": 2}, "2026-11-18T14:00:00"),
        ({}, "2026-01-02T03:04:05", {"timezone": 2}, "2026-01-02T05:04:05"),
        ({"time": "2026-11-21T11:00:00"}, "3 days", {"timezone": 2}, "2026-11-21T11:00:00"),
        ({"time": "2026-11-21T11:55:00"}, "3 days", {"look_back": 10}, "2026-11-21T11:50:00"),
        ({"time": "2026-11-21T11:50:00"}, "3 days", {"look_back": 10}, "2026-11-21T11:50:00"),
        ({"time": "2026-11-21T11:00:00"}, "3 days", {"look_back": 10}, "2026-11-21T11:00:00"),
        ({"time": "2026-11-22T11:00:00"}, "3 days", {"look_back": 10}, "2026-11-21T11:50:00"),
        ({}, "1 minute", {"look_back": 10}, "2026-11-21T11:50:00"),
        ({"time": "2026-11-21T11:55:00"}, "3 days", {"look_back": None}, "2026-11-21T11:55:00"),
        ({"time": "2026-11-21T11:55:00"}, "3 days", {"look_back": -5}, "2026-11-21T11:55:00"),
    ],
)
def test_where_a_fetch_starts(last_run: Any, first_fetch: str, arguments: dict[str, Any], start: str) -> None:
    """
    Given a last run or the first fetch
    When the window to fetch is asked for
    Then it starts at the last time, else at the first fetch, at least the look-back before now, and ends now.
    """
    window = common.get_fetch_run_time_range(last_run, first_fetch, **arguments)
    end = datetime(2026, 11, 21, 12) + timedelta(hours=arguments.get("timezone", 0))
    assert window == (start, end.strftime("%Y-%m-%dT%H:%M:%S"))


def test_the_window_in_another_format() -> None:
    """
    Given a format of dates
    When the window to fetch is asked for
    Then both ends are in it.
    """
    window = common.get_fetch_run_time_range({}, "1 hour", date_format="%Y-%m-%dT%H:%M:%S.%fZ")
    assert window == ("2026-11-21T11:00:00.000000Z", "2026-11-21T12:00:00.000000Z")


@pytest.mark.parametrize(
    ("last_run", "first_fetch", "look_back", "error"),
    [
        ({}, "nonsense", 0, AttributeError),
        ({"time": "nonsense"}, "3 days", 0, AttributeError),
        ({"time": "nonsense"}, "3 days", 10, TypeError),
        ({}, None, 0, TypeError),
        ({"time": 5}, "3 days", 0, TypeError),
        ({}, "3 days", "5", TypeError),
    ],
)
def test_a_window_that_cannot_be_read(last_run: Any, first_fetch: Any, look_back: Any, error: type[Exception]) -> None:
    """
    Given a time that is none
    When the window to fetch is asked for
    Then Python's error comes.
    """
    with pytest.raises(error):
        common.get_fetch_run_time_range(last_run, first_fetch, look_back)


@pytest.mark.parametrize(
    ("last_run", "limit", "ids"),
    [
        ({}, 10, ["1", "2", "3"]),
        ({"found_incident_ids": {"2": 5}}, 10, ["1", "3"]),
        ({"found_incident_ids": {"2": 5}}, 1, ["1"]),
        ({}, 0, []),
        ({}, None, ["1", "2", "3"]),
        ({}, -1, ["1", "2"]),
        ({"found_incident_ids": {2: 5}}, 10, ["1", "2", "3"]),
    ],
)
def test_known_incidents_are_left_out(last_run: dict[str, Any], limit: int | None, ids: list[str]) -> None:
    """
    Given incidents and the ids known from the last run
    When the known ones are left out
    Then the others are there in their order, cut to the limit; an id and a number are never the same.
    """
    left = common.filter_incidents_by_duplicates_and_limit(INCIDENTS, last_run, limit, "id")
    assert [incident["id"] for incident in left] == ids


def test_incidents_of_one_batch_are_not_compared_with_each_other() -> None:
    """
    Given the same incident twice in one answer
    When the known ones are left out
    Then both are there.
    """
    assert len(common.filter_incidents_by_duplicates_and_limit([INCIDENTS[0]] * 2, {}, 10, "id")) == 2


@pytest.mark.parametrize(
    ("last_run", "id_field", "error"), [({}, "nope", KeyError), ({"found_incident_ids": None}, "id", TypeError)]
)
def test_ids_must_be_there(last_run: dict[str, Any], id_field: str, error: type[Exception]) -> None:
    """
    Given incidents without the id field, or None for the known ids
    When the known ones are left out
    Then Python's error comes.
    """
    with pytest.raises(error):
        common.filter_incidents_by_duplicates_and_limit(INCIDENTS, last_run, 10, id_field)


@pytest.mark.parametrize(
    ("incidents", "arguments", "latest"),
    [
        (INCIDENTS, {}, "2026-11-21T11:00:00"),
        (INCIDENTS, {"increase_last_run_time": True}, "2026-11-21T11:00:00"),
        (
            [{"created": "2026-11-21T10:00:00.999500"}],
            {"date_format": "%Y-%m-%dT%H:%M:%S.%f", "increase_last_run_time": True},
            "2026-11-21T10:00:01.000500",
        ),
    ],
)
def test_the_latest_time_of_incidents(incidents: list[Any], arguments: dict[str, Any], latest: str) -> None:
    """
    Given incidents
    When their latest time is asked for, and a millisecond more
    Then it is that, where the millisecond shows only in a format with fractions.
    """
    assert common.get_latest_incident_created_time(incidents, "created", **arguments) == latest


@pytest.mark.parametrize(
    ("incidents", "error"),
    [
        ([], IndexError),
        ([{"created": "2026-11-21T10:00:00Z"}], ValueError),
        ([{"created": "2026-11-21"}], ValueError),
        ([{}], KeyError),
    ],
)
def test_incidents_without_a_latest_time(incidents: list[Any], error: type[Exception]) -> None:
    """
    Given no incidents, or a time in another format
    When their latest time is asked for
    Then Python's error comes.
    """
    with pytest.raises(error):
        common.get_latest_incident_created_time(incidents, "created")


@pytest.mark.parametrize(("look_back", "kept"), [(1, {"now", "edge"}), (0, {"now"}), (10, {"now", "edge", "old"})])
def test_old_ids_are_forgotten(look_back: int, kept: set[str]) -> None:
    """
    Given known ids of now, of two minutes ago and of a second before that
    When the old ones are removed
    Then those within twice the look-back stay.
    """
    ids = {"now": 1000, "edge": 880, "old": 879}
    assert set(common.remove_old_incidents_ids(ids, 1000, look_back)) == kept
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("remove", "expected"),
    [(False, {"1": 0, "2": 0, "3": 0, "8": -100, "9": -5000}), (True, {"1": 0, "2": 0, "3": 0, "8": -100})],
)
def test_found_ids_are_noted_with_their_time(remove: bool, expected: dict[str, int]) -> None:
    """
    Given a last run that knows two ids, one of them old
    When incidents are found
    Then their ids are added with the time of now, in the last run too; the old one is gone from the result when asked.
    """
    now = int(time.time())
    last_run = {"found_incident_ids": {"1": now - 50, "8": now - 100, "9": now - 5000}}
    found = common.get_found_incident_ids(last_run, INCIDENTS, 10, "id", remove)
    assert found == {incident_id: now + age for incident_id, age in expected.items()}
    assert last_run["found_incident_ids"] == {"1": now, "2": now, "3": now, "8": now - 100, "9": now - 5000}


def test_found_ids_of_a_first_run() -> None:
    """
    Given a last run without known ids
    When incidents are found
    Then the result has their ids, and the last run is as before.
    """
    last_run: dict[str, Any] = {}
    found = common.get_found_incident_ids(last_run, INCIDENTS[:1], 10, "id", True)
    assert found == {"1": int(time.time())}
    assert last_run == {}


END = "2026-11-21T12:00:00"
LATEST = "2026-11-21T11:00:00"


@pytest.mark.parametrize(
    ("incidents", "look_back", "start", "arguments", "expected", "prune"),
    [
        ([], 10, "start", {}, {"time": END, "limit": 5}, True),
        ([], 0, "start", {}, {"time": END, "limit": 5}, True),
        (INCIDENTS, 10, "start", {}, {"time": LATEST, "limit": 10}, True),
        (INCIDENTS, 0, "start", {}, {"time": LATEST, "limit": 5}, True),
        (INCIDENTS, 10, LATEST, {}, {"time": LATEST, "limit": 10}, False),
        (INCIDENTS, 0, LATEST, {}, {"time": LATEST, "limit": 5}, False),
        (INCIDENTS, 10, LATEST + "Z", {}, {"time": LATEST, "limit": 10}, True),
        (INCIDENTS, 10, "start", {"new_offset": 3}, {"time": "before", "limit": 5, "offset": 3}, True),
        (INCIDENTS, 10, LATEST, {"new_offset": 3}, {"time": "before", "limit": 5, "offset": 3}, True),
        (INCIDENTS, 10, "start", {"new_offset": 0}, {"time": LATEST, "limit": 5, "offset": 0}, True),
        ([], 10, "start", {"new_offset": 0}, {"time": END, "limit": 5, "offset": 0}, True),
    ],
)
def test_where_the_next_fetch_starts(
    incidents: list[Any], look_back: int, start: str, arguments: dict[str, Any], expected: dict[str, Any], prune: bool
) -> None:
    """
    Given a last run that knows two ids, and what a fetch found
    When the next last run is made
    Then its time is the latest incident's, else the end of the window, or stays while pages are fetched; with look-back its limit
    leaves room for the known ones; old ids go unless the time, as text, is where this window started.
    """
    last_run = {"time": "before", "found_incident_ids": {"8": 1, "9": 1}}
    made = common.create_updated_last_run_object(last_run, incidents, 5, look_back, start, END, "created", **arguments)
    assert made == (expected, prune)
    assert last_run == {"time": "before", "found_incident_ids": {"8": 1, "9": 1}}


def test_a_millisecond_more_moves_the_next_fetch() -> None:
    """
    Given a format with fractions, and a window that started at the latest incident
    When the next last run is made with increase_last_run_time
    Then its time has moved on by a millisecond, and old ids may go.
    """
    text = "2026-11-21T11:00:00.000000"
    made = common.create_updated_last_run_object(
        {}, [{"created": text}], 5, 10, text, END, "created", "%Y-%m-%dT%H:%M:%S.%f", increase_last_run_time=True
    )
    assert made == ({"time": "2026-11-21T11:00:00.001000", "limit": 6}, True)


def test_pages_of_a_first_run_have_no_time() -> None:
    """
    Given a last run without time
    When the first page of a window was fetched
    Then the next last run has no time either.
    """
    made = common.create_updated_last_run_object({}, [], 5, 10, "start", END, "created", new_offset=5)
    assert made == ({"time": None, "limit": 5, "offset": 5}, True)


@pytest.mark.parametrize(("look_back", "limit"), [(10, 8), (None, 5), (0, 5)])
def test_the_last_run_is_changed_itself(look_back: Any, limit: int) -> None:
    """
    Given a last run with keys of its own
    When it is updated after a fetch
    Then the same object has the new time, limit and ids, and its own keys still; no look-back is one of 0.
    """
    last_run: dict[str, Any] = {"own": "kept", "limit": 99}
    now = int(time.time())
    returned = common.update_last_run_object(last_run, INCIDENTS, 5, "start", END, look_back, "created", "id")
    assert returned is last_run
    assert last_run == {"own": "kept", "time": LATEST, "limit": limit, "found_incident_ids": {"1": now, "2": now, "3": now}}


def test_old_ids_stay_while_the_window_does_not_move() -> None:
    """
    Given a very old id, and a fetch whose latest incident is where its window started
    When the last run is updated, and again after a fetch that moved on
    Then the old id is still there, and gone.
    """
    stuck: dict[str, Any] = {"found_incident_ids": {"9": 1}}
    moved = copy.deepcopy(stuck)
    common.update_last_run_object(stuck, INCIDENTS, 5, LATEST, END, 10, "created", "id")
    common.update_last_run_object(moved, INCIDENTS, 5, "start", END, 10, "created", "id")
    assert set(stuck["found_incident_ids"]) == {"1", "2", "3", "9"}
    assert set(moved["found_incident_ids"]) == {"1", "2", "3"}


def test_two_fetches_that_overlap_find_each_incident_once() -> None:
    """
    Given a look-back, and an incident that the remote server shows late
    When two fetches are made one after the other
    Then the second leaves out what the first found, and finds the late one.
    """
    last_run: dict[str, Any] = {}
    late = {"id": "4", "created": "2026-11-21T10:45:00"}
    fetched = []
    for answer in (INCIDENTS, [*INCIDENTS, late]):
        start, end = common.get_fetch_run_time_range(last_run, "1 day", look_back=180)
        found = common.filter_incidents_by_duplicates_and_limit(answer, last_run, last_run.get("limit", 5), "id")
        fetched.append([incident["id"] for incident in found])
        common.update_last_run_object(last_run, found, 5, start, end, 180, "created", "id")
    assert fetched == [["1", "2", "3"], ["4"]]


@pytest.mark.parametrize(
    ("old", "found", "total", "offset"),
    [(0, 5, 20, 5), (5, 5, 20, 10), (15, 5, 20, 0), (15, 6, 20, 0), (5, 0, 20, 0), (5, 5, None, 10), (5, 5, 0, 10)],
)
def test_the_offset_of_the_next_page(old: int, found: int, total: int | None, offset: int) -> None:
    """
    Given an offset and what its page held
    When the next offset is asked for
    Then it is behind the page, and 0 when the page was empty or the last.
    """
    assert common.calculate_new_offset(old, found, total) == offset
