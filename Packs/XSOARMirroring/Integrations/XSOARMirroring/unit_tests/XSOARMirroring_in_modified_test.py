"""Tests of get-modified-remote-data: which incidents a round tells of."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import XSOARMirroring as script
from stand_ins import ERRORS, LAST_UPDATE, NOW, Remote, Server, contents, error_body, modified, push


def test_a_round_asks_for_the_changes_in_their_order(server: Server, remote: Remote) -> None:
    """
    Given: an instance whose mirror never ran.
    When: get-modified-remote-data runs.
    Then: it asks for the changes since then, the oldest first, a little earlier than the local clock says; it keeps texts.
    """
    assert modified(server, "2026-03-01T11:00:00.25Z") == []

    assert remote.bodies("POST") == [
        {
            "filter": {
                "query": 'modified:>="2026-03-01T10:58:00.250Z"',
                "size": 500,
                "page": 0,
                "sort": [{"field": "modified", "asc": True}, {"field": "id", "asc": True}],
            }
        }
    ]
    assert server.last_mirror_run
    assert {type(value) for value in server.last_mirror_run.values()} == {str}


@pytest.mark.parametrize(
    ("last_update", "since"),
    [
        ("2026-03-01T11:00:00Z", "2026-03-01T10:58:00.000Z"),
        ("2026-03-01T12:00:00.123456789+01:00", "2026-03-01T10:58:00.123Z"),
        ("1772362800", "2026-03-01T10:58:00.000Z"),
        (1772362800, "2026-03-01T10:58:00.000Z"),
        ("1772362800123", "2026-03-01T10:58:00.123Z"),
        ("1772362800123456", "2026-03-01T10:58:00.123Z"),
        ("1772362800000000000", "2026-03-01T10:58:00.000Z"),
        ("", "2026-03-01T11:58:00.000Z"),
        (None, "2026-03-01T11:58:00.000Z"),
    ],
    ids=["ISO", "ISO with an offset", "seconds", "number", "milliseconds", "microseconds", "nanoseconds", "blank", "missing"],
)
def test_the_first_round_begins_at_the_server_s_last_update(server: Server, remote: Remote, last_update: Any, since: str) -> None:
    """
    Given: a lastUpdate in one of the shapes in which servers give it.
    When: the first get-modified-remote-data runs.
    Then: it asks from two minutes before.
    """
    modified(server, last_update)

    assert remote.bodies("POST /incidents/search")[0]["filter"]["query"] == f'modified:>="{since}"'


@pytest.mark.parametrize("last_update", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "0"])
def test_a_server_that_never_synchronised_gets_all_changes(server: Server, remote: Remote, last_update: str) -> None:
    """
    Given: the zero time of the platform as lastUpdate.
    When: get-modified-remote-data runs, and again after a change.
    Then: the first round gives every incident, the second the changed one.
    """
    remote.add("1", modified="2025-01-01T00:00:00Z")
    remote.add("2", modified="2025-01-02T00:00:00Z")

    assert modified(server, last_update) == ["1", "2"]
    remote.change("1", details="new")
    assert modified(server, last_update) == ["1"]


@pytest.mark.parametrize("last_update", ["yesterday", "None", "garbage", "", None])
def test_a_last_update_that_is_no_time_counts_as_missing(
    server: Server, remote: Remote, mirrored: str, last_update: str | None
) -> None:
    """Given a lastUpdate that is no time; When the first round runs; Then it begins now, and tells what changes."""
    remote.change(mirrored, details="new")

    assert modified(server, last_update) == [mirrored]


def test_where_nothing_comes_in_a_failed_update_asks_for_nothing(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an instance with the direction Outgoing, and an incident whose change the remote refuses.
    When: rounds run.
    Then: none asks for that incident, since nothing would come in.
    """
    server.params["mirror_direction"] = "Outgoing"
    modified(server)
    remote.fail("POST /incident", status_code=400, json={}, times=9)

    assert push(server, mirrored, delta={"details": "new"}).error
    remote.faults.clear()

    assert modified(server) == []


def test_each_change_is_told_once_in_its_order(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: incidents that change one after another, one of them twice.
    When: rounds run.
    Then: each tells the incidents changed since the one before, in the order of the changes, as texts.
    """
    for incident_id in ("1", "2", "3"):
        remote.add(incident_id, modified="2026-03-01T10:00:00Z")
    assert modified(server) == []
    remote.change("3", details="a")
    remote.change("1", details="b")
    assert modified(server) == ["3", "1"]
    assert modified(server) == []
    clock.tick(timedelta(hours=1))
    remote.change("2", details="c")
    remote.change("3", details="d")
    assert modified(server) == ["2", "3"]
    assert modified(server) == []


def test_changes_come_through_however_many_pages(server: Server, remote: Remote) -> None:
    """
    Given: 1,300 changed incidents, 600 of them at one instant, more than a page holds.
    When: a round runs.
    Then: it tells all of them, once each, with a handful of calls; the next tells none.
    """
    for number in range(1300):
        second, rest = divmod(max(0, number - 600), 1000)
        remote.add(str(number + 1), modified=f"2026-03-01T11:30:0{second}.{rest:03d}Z", CustomFields={})

    told = modified(server)

    assert sorted(told) == sorted(remote.incidents)
    assert len(remote.calls) <= 6
    assert modified(server) == []


def test_the_cursor_moves_only_behind_what_was_told(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: a change that the search index shows later than a younger one, and local clocks that run on.
    When: rounds run.
    Then: it is still told, once.
    """
    remote.add("1", modified="2026-03-01T11:29:00Z")
    remote.add("2", modified="2026-03-01T11:30:00Z")
    remote.hidden = {"1"}
    assert modified(server) == ["2"]
    clock.tick(timedelta(hours=2))
    assert modified(server) == []
    remote.hidden = set()

    assert [modified(server) for _ in range(2)] == [["1"], []]


def time_there(remote: Remote, seconds: float = 0) -> str:
    """Return the time by the remote's clock, some seconds later or earlier."""
    moment = datetime.now(UTC) + remote.date_offset + timedelta(seconds=seconds)
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def change_many(remote: Remote, count: int) -> None:
    """Let incidents change within the last minute, the last one now."""
    for number in range(count):
        remote.add(str(number + 1001), modified=time_there(remote, 60 * (number + 1 - count) / count), CustomFields={})


@pytest.mark.parametrize("put", [timedelta(), -timedelta(days=1)], ids=str)
def test_after_a_burst_a_quiet_remote_is_asked_from_its_newest_change_on(
    server: Server, remote: Remote, clock: Any, put: timedelta
) -> None:
    """
    Given: 1,200 incidents that change within a minute, and then none for ten minutes; the local clock may be put back meanwhile.
    When: a round runs each minute.
    Then: the first tells all of them; the last ones ask one question each, from the newest change on, and tell nothing; the next
        change is told, and so is one of the same millisecond as the newest.
    """
    change_many(remote, 1200)
    newest = remote.incidents["2200"]["modified"]
    assert len(modified(server)) == 1200
    clock.tick(put)
    remote.date_offset -= put
    for _ in range(10):
        clock.tick(timedelta(minutes=1))
        remote.calls.clear()
        assert modified(server) == []

    assert [body["filter"]["query"] for body in remote.bodies("POST /incidents/search")] == [f'modified:>="{newest}"']
    remote.incidents["1007"]["modified"] = newest
    remote.change("1003", details="new", modified=time_there(remote))
    assert modified(server) == ["1007", "1003"]
    assert modified(server) == []


@pytest.mark.parametrize(
    ("ahead", "put", "date"),
    [(0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1)],
    ids=["right", "ahead", "behind", "put forward here", "put back here", "Date ahead"],
)
@pytest.mark.parametrize("rounds", [(61, 121, 181), (61, 125, 190), (100, 180, 250)], ids=str)
def test_a_change_that_the_index_shows_late_after_a_burst_is_told(
    server: Server, remote: Remote, clock: Any, rounds: tuple[int, ...], ahead: int, put: int, date: int
) -> None:
    """
    Given: 100 changes within a minute, one of which the search index shows two minutes after it was made; a remote whose clock,
        or whose Date header alone, is off by an hour, or a local clock that is put forward or back by an hour in between.
    When: rounds run so many seconds after the newest change.
    Then: that one is told too, once.
    """
    remote.date_offset = timedelta(hours=ahead)
    change_many(remote, 100)
    remote.hidden = {"1095"}  # Made three seconds before the newest.
    remote.date_offset += timedelta(hours=date)
    clock.tick(timedelta(seconds=1))
    assert len(modified(server)) == 99
    clock.tick(timedelta(hours=put))
    remote.date_offset -= timedelta(hours=put)

    told, before = [], 1
    for seconds in (*rounds, 300, 360, 420):
        clock.tick(timedelta(seconds=seconds - before))
        before = seconds
        remote.hidden = {"1095"} if seconds < 117 else set()
        told += modified(server)

    assert told == ["1095"]


def test_a_round_that_is_cut_short_ends_no_overlap(
    server: Server, remote: Remote, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Given: 1,200 changes within a minute, one of which the search index shows two minutes later, and a round that gets no further
        than to the first page of them.
    When: the next round runs.
    Then: it tells that one.
    """
    change_many(remote, 1200)
    remote.hidden = {"2199"}
    assert len(modified(server)) == 1199
    clock.tick(timedelta(seconds=150))
    remote.hidden = set()
    with monkeypatch.context() as short_of_time:
        short_of_time.setattr(script.Client, "is_late", lambda _: True)
        assert modified(server) == []

    assert modified(server) == ["2199"]


@pytest.mark.parametrize("back", [302, 340, 420, 600])
def test_a_change_after_a_burst_is_told_when_the_remote_s_clock_was_put_back(
    server: Server, remote: Remote, mirrored: str, clock: Any, back: int
) -> None:
    """
    Given: 100 changes within a minute, and five minutes later a remote whose clock is put back before the newest of them.
    When: a mirrored incident changes there at once, and rounds run.
    Then: that change is told in the next round.
    """
    change_many(remote, 100)
    modified(server)
    server.pull(mirrored)
    for _ in range(5):
        clock.tick(timedelta(minutes=1))
        assert modified(server) == []
    remote.date_offset -= timedelta(seconds=back)
    remote.change(mirrored, modified=time_there(remote), details="new")
    clock.tick(timedelta(minutes=1))

    assert mirrored in modified(server)
    assert server.pull(mirrored)[0]["details"] == "new"


def test_changes_are_read_to_the_end_on_a_remote_with_small_pages_and_no_total(server: Server, remote: Remote) -> None:
    """
    Given: a remote that gives 60 incidents a page, fewer than asked for, and 0 as the number of all.
    When: 150 have changed and a round runs.
    Then: all of them are told.
    """
    for number in range(1, 151):
        remote.add(str(number), modified=f"2026-03-01T11:30:00.{number:03d}Z")
    remote.search_limit, remote.total = 60, 0

    assert sorted(modified(server), key=int) == [str(number) for number in range(1, 151)]


@pytest.mark.parametrize("skip", [0, 1], ids=["first page", "second page"])
def test_a_failed_round_tells_everything_again(server: Server, remote: Remote, skip: int) -> None:
    """
    Given: a remote that fails while it is asked for changes.
    When: a round runs, and the next.
    Then: the first keeps nothing and says the words that stop the server from sweeping; the second tells all changes.
    """
    for incident_id in ("1", "2", "3"):
        remote.add(incident_id, modified="2026-03-01T11:30:00Z")
    remote.search_limit = 2
    before = server.memory()
    remote.fail("POST /incidents/search", status_code=502, times=3, skip=skip)

    assert "skip update" in server.fails("get-modified-remote-data", lastUpdate=LAST_UPDATE)
    assert server.memory() == before
    assert modified(server) == ["1", "2", "3"]


def test_a_rate_limit_is_told_in_the_server_s_words(server: Server, remote: Remote) -> None:
    """
    Given: a remote that accepts no more calls.
    When: get-modified-remote-data and get-remote-data run.
    Then: both errors hold `API rate limit`, the first also `skip update`.
    """
    remote.fail("", status_code=429, json=ERRORS["v8_rate_limit"], times=9)

    error = server.fails("get-modified-remote-data", lastUpdate=LAST_UPDATE)

    assert "API rate limit" in error
    assert error.startswith("skip update")
    assert "API rate limit" in server.fails("get-remote-data", id="1", lastUpdate=LAST_UPDATE)


@pytest.mark.parametrize("answer", [{"data": None, "total": 0}, {"data": [], "total": 0}])
def test_a_round_without_changes_tells_an_empty_list(server: Server, remote: Remote, answer: dict[str, Any]) -> None:
    """
    Given: a remote where nothing changed, with a null or an empty list.
    When: a round runs.
    Then: it tells an empty list, and keeps its place.
    """
    remote.fail("POST /incidents/search", json=answer)
    assert modified(server) == []
    kept = server.last_mirror_run
    assert modified(server) == []
    assert server.last_mirror_run == kept


@pytest.mark.parametrize("run", [{"time": "soon"}, {"time": NOW}, {"time": NOW, "since": NOW, "known": "[]"}], ids=str)
def test_a_damaged_last_mirror_run_is_begun_anew(server: Server, remote: Remote, mirrored: str, run: dict[str, Any]) -> None:
    """
    Given: a last mirror run that cannot be read, and a change. What was delivered stands in the records.
    When: get-modified-remote-data runs, and again.
    Then: it begins at lastUpdate, and then goes on.
    """
    server.last_mirror_run = run
    remote.change(mirrored, details="new")

    assert modified(server) == [mirrored]
    assert modified(server) == [mirrored]  # Still due, since it was not pulled.
    server.pull(mirrored)
    assert modified(server) == []


def test_a_platform_without_a_last_mirror_run_is_told_to_ask_for_every_incident(server: Server, remote: Remote) -> None:
    """
    Given: a platform below 6.6, which keeps no last mirror run.
    When: get-modified-remote-data runs.
    Then: NotImplementedError reaches the server, which then asks for every incident.
    """
    server.version = "6.5.0"

    with pytest.raises(NotImplementedError, match=r"6\.6"):
        server.run("get-modified-remote-data", {"lastUpdate": LAST_UPDATE})

    assert remote.calls == []


def test_an_incident_that_was_fetched_and_did_not_change_is_not_told(
    server: Server, remote: Remote, mirrored: str, clock: Any
) -> None:
    """
    Given: an incident that was fetched, and no change since.
    When: rounds run an hour later.
    Then: none tells it, and each costs the one search for changes and a look into its War Room.
    """
    remote.calls.clear()

    assert [modified(server, None) for _ in range(3)] == [[], [], []]
    assert len(remote.calls) == 3 * 2


def test_what_a_round_could_not_bring_is_told_again(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """
    Given: a mirrored incident that changed, and a remote that fails when it is read.
    When: rounds run, hours later and without a further change.
    Then: each tells the incident again until it was brought, and then no more.
    """
    remote.change(mirrored, details="new")
    for _ in range(2):
        assert modified(server) == [mirrored]
        remote.fail("GET /incident/load", times=3, status_code=502)
        server.fails("get-remote-data", id=mirrored, lastUpdate=LAST_UPDATE)
        clock.tick(timedelta(hours=3))

    assert modified(server) == [mirrored]
    assert server.pull(mirrored)[0]["details"] == "new"
    assert modified(server) == []


def fetched(server: Server, remote: Remote, count: int, clock: Any) -> None:
    """Let a number of incidents be fetched and one round pass."""
    remote.add_many(count)
    assert len(server.fetch()) == count
    clock.tick(timedelta(hours=1))
    modified(server)
    for incident_id in remote.incidents:
        server.pull(incident_id)
    remote.calls.clear()


def test_a_new_entry_is_found_where_it_does_not_change_its_incident(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: 45 mirrored incidents at a remote where a War Room entry does not move the incident's `modified`, and one new entry
        in each.
    When: rounds run every minute.
    Then: all entries arrive within five minutes, each once, and no round takes more than 25 calls and 2 per incident it tells.
    """
    fetched(server, remote, 45, clock)
    remote.entry_moves_modified = False
    for incident_id in remote.incidents:
        remote.write(incident_id, f"silent {incident_id}")
    arrived = []
    for _ in range(5):
        clock.tick(timedelta(minutes=1))
        remote.calls.clear()
        told = modified(server)
        assert len(remote.calls) <= 25 + 2 * len(told)
        arrived += [entry for incident_id in told for entry in server.pull(incident_id)[1]]

    assert sorted(contents(arrived)) == sorted(f"silent {incident_id}" for incident_id in remote.incidents)


def test_a_remote_whose_entries_change_their_incident_is_asked_less(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: 45 mirrored incidents at a remote where an entry moves the incident's `modified`, and an entry that came in.
    When: quiet rounds run.
    Then: each looks into at most a few War Rooms.
    """
    fetched(server, remote, 45, clock)
    remote.write("7", "hello")
    assert modified(server) == ["7"]
    assert contents(server.pull("7")[1]) == ["hello"]
    remote.calls.clear()

    for _ in range(10):
        clock.tick(timedelta(minutes=1))
        assert modified(server) == []

    assert len(remote.asked("POST /investigation")) <= 10 * 3


@pytest.mark.parametrize("changes", [{"tags": ""}, {"categories": []}], ids=["no tags", "no categories"])
def test_without_tags_or_categories_a_round_looks_into_no_war_room(
    server: Server, remote: Remote, mirrored: str, clock: Any, changes: dict[str, Any]
) -> None:
    """
    Given: no incoming tag, or no category.
    When: rounds run.
    Then: they ask for no entries.
    """
    server.params |= changes

    for _ in range(3):
        clock.tick(timedelta(minutes=1))
        modified(server)

    assert remote.asked("POST /investigation") == []


def test_a_round_looks_into_no_war_room_of_closed_or_pending_incidents(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: a closed incident, and a pending one, which has no War Room. XSOAR REST API: to ask for it may create an empty one.
    When: rounds run.
    Then: no War Room of theirs is asked for.
    """
    remote.add("1", status=2)
    remote.add("2", status=0, investigationId="")
    server.fetch()
    clock.tick(timedelta(hours=1))
    assert modified(server) == ["1"]  # Its closing is still before it.
    for incident_id in ("1", "2"):
        server.pull(incident_id)
    remote.calls.clear()

    for _ in range(3):
        clock.tick(timedelta(minutes=1))
        assert modified(server) == []

    assert remote.asked("POST /investigation") == []


@pytest.mark.parametrize(("minutes", "looks"), [(1, False), (9, False), (11, True)])
def test_what_is_due_comes_first_while_the_remote_refuses_calls(
    server: Server, remote: Remote, clock: Any, minutes: int, looks: bool
) -> None:
    """
    Given: ten quiet incidents, and a remote that refused calls some minutes ago.
    When: a round runs in which another incident has changed.
    Then: for ten minutes it looks into no War Room of a quiet one.
    """
    for _ in range(11):
        remote.add()
    server.fetch()
    for incident_id in list(remote.incidents):
        server.pull(incident_id)
    remote.fail("", status_code=429, headers={"Retry-After": "600"}, times=99)
    server.fails("get-modified-remote-data", lastUpdate=LAST_UPDATE)
    remote.faults.clear()
    clock.tick(timedelta(minutes=minutes))
    remote.change("1", details="new")
    remote.calls.clear()

    assert "1" in modified(server)

    assert bool(remote.asked("POST /investigation")) is looks


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"status_code": 503}, id="busy"),
        pytest.param({"status_code": 429, "headers": {"Retry-After": "60"}}, id="rate limit"),
        pytest.param(error_body(400, "no_investigation"), id="no War Room"),
    ],
)
def test_a_war_room_that_cannot_be_looked_into_does_not_stop_the_round(
    server: Server, remote: Remote, clock: Any, fault: dict[str, Any]
) -> None:
    """
    Given: two mirrored incidents, one with a new entry that does not show, and a War Room that fails at first.
    When: rounds run, in which another incident changes.
    Then: the change is told at once, and the entry when the remote is well again.
    """
    fetched(server, remote, 3, clock)
    remote.entry_moves_modified = False
    remote.write("2", "silent")
    remote.fail("POST /investigation/", times=9, **fault)
    remote.change("3", details="new")
    assert modified(server) == ["3"]
    remote.faults.clear()
    server.pull("3")
    told = []
    for _ in range(3):
        clock.tick(timedelta(minutes=1))
        told += modified(server)

    assert "2" in told
    assert contents(server.pull("2")[1]) == ["silent"]


@pytest.mark.parametrize("limit", [1000, 100])
@pytest.mark.parametrize("gone", [[], ["7", "250"]], ids=["all there", "two gone"])
def test_the_census_names_what_is_gone_and_nothing_else(
    server: Server, remote: Remote, clock: Any, limit: int, gone: list[str]
) -> None:
    """
    Given: 300 mirrored incidents on a remote that gives so many a page, some of which are deleted.
    When: an hour passes.
    Then: those are told, and no other.
    """
    for number in range(1, 301):
        remote.add(str(number))
    server.params |= {"max_fetch": "200", "tags": ""}
    while server.fetch():
        clock.tick(timedelta(minutes=1))
    modified(server)
    remote.search_limit = limit
    for incident_id in gone:
        del remote.incidents[incident_id]
    clock.tick(timedelta(minutes=61))

    assert modified(server) == gone
