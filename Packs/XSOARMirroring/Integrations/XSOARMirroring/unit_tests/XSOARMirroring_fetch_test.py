"""Tests of fetch-incidents: which incidents come, with which fields and attachments, and what came before them."""

import json
from datetime import datetime, timedelta
from io import RawIOBase
from pathlib import Path
from typing import Any

import pytest
import requests

import XSOARMirroring as script
from stand_ins import (
    ERRORS,
    FAULTS,
    HOST_6,
    HOST_8,
    LARGE,
    LAST_UPDATE,
    NOW,
    Remote,
    Server,
    attach,
    attached,
    contents,
    drop,
    error_body,
    ids,
    load,
    peak_memory,
)

""" FETCH """


def test_fetch_asks_for_the_incidents_after_the_start_oldest_first(server: Server, remote: Remote) -> None:
    """
    Given: a query of the user that holds an `or`, and a first fetch three days back.
    When: the first fetch runs.
    Then: the query keeps its meaning beside ours, and the time stands in it and beside it, since a server may hear only one.
    """
    server.params |= {"query": "type:Phishing or severity:>2", "max_fetch": "20"}

    server.fetch()

    assert remote.bodies("POST /incidents/search") == [
        {
            "filter": {
                "query": '((type:Phishing or severity:>2) and -sourceBrand:"XSOAR Mirroring") and '
                'created:>="2026-02-26T12:00:00.000Z"',
                "size": 20,
                "page": 0,
                "sort": [{"field": "created", "asc": True}, {"field": "id", "asc": True}],
                "fromDate": "2026-02-26T12:00:00.000Z",
            }
        }
    ]


@pytest.mark.parametrize(
    ("query", "skip_own", "expected"),
    [
        ("", True, '(-sourceBrand:"XSOAR Mirroring") and '),
        ("", False, ""),
        ("-status:closed", False, "(-status:closed) and "),
        ("a:1 or b:2", False, "(a:1 or b:2) and "),
    ],
)
def test_the_query_leaves_out_what_this_integration_created_only_where_wanted(
    server: Server, remote: Remote, query: str, skip_own: bool, expected: str
) -> None:
    """
    Given: a query or none, and the switch against incidents of this integration on or off.
    When: a fetch runs.
    Then: the remote gets exactly what both say.
    """
    server.params |= {"query": query, "disable_from_same_integration": skip_own}

    server.fetch()

    query = remote.bodies("POST /incidents/search")[0]["filter"]["query"]
    assert query == f'{expected}created:>="2026-02-26T12:00:00.000Z"'


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("12 hours", "2026-03-01T00:00:00.000Z"),
        ("2026-02-01T10:20:30Z", "2026-02-01T10:20:30.000Z"),
        ("2026-02-01T10:20:30+02:00", "2026-02-01T08:20:30.000Z"),
        ("2026-02-01", "2026-02-01T00:00:00.000Z"),
        ("", "2026-02-26T12:00:00.000Z"),
    ],
)
def test_the_first_fetch_begins_where_the_setting_says(server: Server, remote: Remote, text: str, since: str) -> None:
    """
    Given: a relative or an ISO time, with or without an offset; without one it is UTC.
    When: the first fetch runs.
    Then: it asks from then on.
    """
    server.params["first_fetch"] = text

    server.fetch()

    assert remote.bodies("POST /incidents/search")[0]["filter"]["fromDate"] == since


def test_a_fetched_incident_carries_the_remote_one_and_the_mirror_fields(
    server: Server, remote_6: Remote, requests_mock: Any
) -> None:
    """
    Given: the captured incident 4 of a real XSOAR 6.
    When: it is fetched.
    Then: the local incident has its fields; the mirror fields stand in it and in rawJSON, where the mapper finds the rest.
    """
    captured = load("incident_search")
    server.params["first_fetch"] = "2023-01-01T00:00:00Z"
    requests_mock.post(f"{HOST_6}/incidents/search", json={"data": [captured], "total": 1})

    (incident,) = server.fetch()

    raw = json.loads(incident.pop("rawJSON"))
    mirror = {
        "dbotMirrorId": "4",
        "dbotMirrorInstance": "headquarters",
        "dbotMirrorDirection": "Both",
        "dbotMirrorTags": ["send"],
    }
    assert drop(incident, "CustomFields") == {
        "name": "testing",
        "type": "Unclassified",
        "severity": 0,
        "details": "This is the new details",
        "occurred": "2023-03-05T10:06:48.446441435Z",
        "dueDate": "2023-03-15T10:06:48.446441591Z",
        "playbookId": "playbook0",
        **mirror,
    }
    assert incident["CustomFields"]["isactive"] == "true"
    assert {key: raw[key] for key in mirror} == mirror
    theirs = {key: value for key, value in captured.items() if not key.startswith("dbot") and key != "CustomFields"}
    assert {key: raw[key] for key in theirs} == theirs
    assert raw["isactive"] == "true"  # Also at the top, where a mapper finds it by its name.


@pytest.mark.parametrize(
    "unfit",
    [{"occurred": "yesterday"}, {"dueDate": 7}, {"severity": 9}, {"severity": True}, {"details": ["a"]}],
    ids=["no time", "a number for a time", "no severity", "a truth for a severity", "a list for a text"],
)
def test_a_value_that_the_server_would_refuse_costs_no_fetch(server: Server, remote: Remote, unfit: dict[str, Any]) -> None:
    """
    Given: an incident with a value that no server takes for that field.
    When: it is fetched.
    Then: the local incident lacks that field, and has the others; its rawJSON keeps the value.
    """
    remote.add(**unfit)
    (name,) = unfit

    (incident,) = server.fetch()

    assert name not in incident
    assert incident["name"] == "incident 1"
    assert json.loads(incident["rawJSON"])[name] == unfit[name]


def test_an_older_incident_that_changes_is_fetched_once_if_that_is_wanted(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: an instance that also fetches what comes to match, an incident older than its first fetch, and one fetched already.
    When: both change, and fetches run.
    Then: the older one is fetched, once, also after it has changed again; the other is not fetched again.
    """
    server.params |= {"fetch_by": "Also when an incident comes to match", "first_fetch": "1 hour", "query": "severity:>2"}
    remote.add("1", created="2026-02-01T00:00:00Z", modified="2026-02-01T00:00:00Z")
    remote.add("2")
    assert ids(server.fetch()) == ["2"]
    fetched = []
    for details in ("first", "second"):
        clock.tick(timedelta(minutes=20))
        for incident_id in ("1", "2"):
            remote.change(incident_id, details=details)
        fetched += [ids(server.fetch()), ids(server.fetch())]

    assert fetched == [["1"], [], [], []]
    assert all("(severity:>2" in body["filter"]["query"] for body in remote.bodies("POST /incidents/search"))


def test_late_fetching_begins_anew_when_the_remote_s_clock_was_put_back(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: an instance that also fetches what comes to match, and a remote whose clock is put back by a day.
    When: an older incident changes by the new clock, and fetches run.
    Then: it is fetched, once.
    """
    server.params |= {"fetch_by": "Also when an incident comes to match", "first_fetch": "1 hour"}
    remote.add("1", created="2026-02-01T00:00:00Z", modified="2026-02-01T00:00:00Z")
    server.fetch()
    clock.tick(timedelta(minutes=-60 * 24))
    remote.change("1", details="matches now")

    assert [ids(server.fetch()), ids(server.fetch())] == [["1"], []]


def test_an_incident_under_a_known_id_is_fetched_unmirrored(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: a mirrored incident, and a remote that was restored from a backup and gives its ID once more.
    When: the new one is fetched.
    Then: it comes with a sentence that says so, and names no remote incident that the server could mirror it with.
    """
    remote.add("4")
    server.fetch()
    server.ok("get-modified-remote-data", lastUpdate=LAST_UPDATE)
    server.pull("4")
    clock.tick(timedelta(minutes=30))
    del remote.incidents["4"]
    remote.add("4", name="another")

    (incident,) = server.fetch()

    raw = json.loads(incident["rawJSON"])
    assert incident["name"] == "another"
    assert "already mirrors the remote ID 4" in raw["in_mirror_error"]
    for fields in (incident, raw):
        assert not {"dbotMirrorId", "dbotMirrorInstance", "dbotMirrorDirection"} & fields.keys()


def test_a_fetched_incident_starts_no_timer_of_the_remote(server: Server, remote: Remote) -> None:
    """
    Given: an incident with SLA timers among its custom fields. XSOAR REST API: they must not be copied across tenants.
    When: it is fetched.
    Then: the local incident and its rawJSON have the custom fields without the timers.
    """
    remote.add()

    (incident,) = server.fetch()

    assert incident["CustomFields"]["isactive"] == "true"
    for fields in (incident["CustomFields"], json.loads(incident["rawJSON"])["CustomFields"]):
        assert not [name for name in fields if name.endswith("sla") or name == "timetoassignment"]


@pytest.mark.parametrize(("direction", "short"), [("Incoming", "In"), ("Outgoing", "Out"), ("Incoming And Outgoing", "Both")])
def test_a_fetched_incident_is_mirrored_in_the_chosen_direction(
    server: Server, remote: Remote, direction: str, short: str
) -> None:
    """
    Given: a direction.
    When: an incident is fetched.
    Then: it and its rawJSON carry that direction.
    """
    server.params["mirror_direction"] = direction
    remote.add()

    (incident,) = server.fetch()

    assert incident["dbotMirrorDirection"] == json.loads(incident["rawJSON"])["dbotMirrorDirection"] == short


def test_without_a_direction_an_incident_is_fetched_and_not_mirrored(server: Server, remote: Remote) -> None:
    """
    Given: the direction None.
    When: an incident is fetched.
    Then: neither it nor its rawJSON names an instance, a direction or tags, and nothing is remembered of it.
    """
    server.params["mirror_direction"] = "None"
    remote.add()

    (incident,) = server.fetch()

    for fields in (incident, json.loads(incident["rawJSON"])):
        assert fields["dbotMirrorId"] == "1"
        assert not [name for name in fields if name.startswith("dbotMirror") and name != "dbotMirrorId"]
    assert server.memory()[2] == {}


def test_the_remote_s_own_mirror_fields_do_not_leak(server: Server, remote: Remote) -> None:
    """
    Given: a remote incident that the remote itself mirrors with a third tenant.
    When: it is fetched.
    Then: nothing of that is in the local incident or its rawJSON.
    """
    theirs: dict[str, Any] = {
        "dbotMirrorId": "999",
        "dbotMirrorInstance": "third-tenant",
        "dbotMirrorDirection": "In",
        "dbotMirrorTags": ["third-tag"],
        "dbotDirtyFields": ["third-field"],
    }
    remote.add(**theirs)

    (incident,) = server.fetch()

    assert "999" not in json.dumps(incident)
    assert "third-" not in json.dumps(incident)
    assert not {"dbotDirtyFields", "dbotMirrorLastSync", "dbotCreatedBy"} & set(json.loads(incident["rawJSON"]))


@pytest.mark.parametrize(("switch", "kept"), [(True, True), ("false", False), (False, False)])
def test_the_playbook_comes_along_only_where_wanted(server: Server, remote: Remote, switch: Any, kept: bool) -> None:
    """
    Given: the switch Mirror Playbook ID, on or off.
    When: an incident is fetched, and pulled later.
    Then: the playbook is in the incident and its rawJSON only when it is on; a round does not bring it in afterwards either.
    """
    server.params["mirror_playbook_id"] = switch
    remote.add()

    (incident,) = server.fetch()
    remote.change("1", details="new")
    pulled, _ = server.pull("1")

    assert ("playbookId" in incident) is kept
    assert ("playbook0" in incident["rawJSON"]) is kept
    assert kept or "playbookId" not in pulled


@pytest.mark.parametrize("fields", [{"name": ""}, {"name": None}], ids=["blank", "null"])
def test_an_incident_without_a_name_gets_one(server: Server, remote: Remote, fields: dict[str, Any]) -> None:
    """
    Given: a remote incident with no name and null lists. The server needs a name.
    When: it is fetched.
    Then: the local one has a name.
    """
    remote.add(**fields, CustomFields=None, labels=None)

    (incident,) = server.fetch()

    assert incident["name"] == "Incident 1"
    assert incident["CustomFields"] == {}


@pytest.mark.parametrize("answer", [{"data": None, "total": 0}, {"data": [], "total": 0}, {}], ids=["null", "list", "empty"])
def test_a_fetch_that_finds_nothing_keeps_its_place(server: Server, remote: Remote, answer: dict[str, Any]) -> None:
    """
    Given: a remote where nothing matches, and says so in one of its ways.
    When: fetches run, and an incident that was created before them turns up late in the search index.
    Then: no incidents come, and then that one does.
    """
    for _ in range(3):
        remote.fail("POST /incidents/search", json=answer)
        assert server.fetch() == []
        remote.clock.tick(timedelta(minutes=10))
    remote.add(created="2026-03-01T11:00:00Z")

    assert ids(server.fetch()) == ["1"]


def test_the_next_fetch_goes_on_behind_the_last(server: Server, remote: Remote) -> None:
    """
    Given: incidents that were fetched, and one more since.
    When: fetches run.
    Then: each comes once, and the last run holds only texts, as the platform wants it.
    """
    remote.add()
    remote.add()
    assert ids(server.fetch()) == ["1", "2"]
    assert server.last_run
    assert {type(value) for value in server.last_run.values()} == {str}
    remote.clock.tick(timedelta(minutes=1))
    remote.add()

    assert ids(server.fetch()) == ["3"]
    assert server.fetch() == []


TIMES_OF_ONE_INSTANT = {
    "milliseconds": ["2026-03-01T10:00:00.38Z"],
    "nanoseconds": [f"2026-03-01T10:00:00.38{digits}Z" for digits in ("0000001", "0000002", "9999999", "1")],
    "offsets": ["2026-03-01T10:00:00.380Z", "2026-03-01T12:00:00.38+02:00", "2026-03-01T05:30:00.380000-04:30"],
}


@pytest.mark.parametrize("times", TIMES_OF_ONE_INSTANT.values(), ids=TIMES_OF_ONE_INSTANT)
@pytest.mark.parametrize("look_back", ["0", "5"])
@pytest.mark.parametrize("search_limit", [1000, 70], ids=["one page", "small pages"])
def test_a_burst_at_one_instant_comes_whole_and_once(
    server: Server, remote: Remote, times: list[str], look_back: str, search_limit: int
) -> None:
    """
    Given: 450 incidents created at one instant, and at most 100 a fetch.
    When: six fetches run.
    Then: the first five bring all of them, each once, and the sixth none.
    """
    server.params |= {"max_fetch": "100", "look_back": look_back}
    remote.search_limit = search_limit
    for number in range(450):
        remote.add(str(number + 1), created=times[number % len(times)], CustomFields={})

    runs = [ids(server.fetch()) for _ in range(6)]

    assert [len(run) for run in runs] == [100, 100, 100, 100, 50, 0]
    assert sorted(incident_id for run in runs for incident_id in run) == sorted(remote.incidents)


@pytest.mark.parametrize("spread", [0, 1, 7], ids=["one instant", "a millisecond apart", "7 ms apart"])
def test_a_fetch_reads_on_when_the_remote_gives_smaller_pages(server: Server, remote: Remote, spread: int) -> None:
    """
    Given: a remote that gives at most 40 incidents a page, however many are asked for, and 95 new incidents.
    When: a fetch of up to 100 runs.
    Then: it brings all 95, the oldest first.
    """
    remote.search_limit = 40
    start = datetime.fromisoformat("2026-03-01T10:00:00+00:00")
    for number in range(95):
        created = start + timedelta(milliseconds=spread * number)
        remote.add(str(number + 1), created=created.isoformat(timespec="milliseconds"))

    assert ids(server.fetch()) == [str(number + 1) for number in range(95)]


def test_no_fetch_brings_more_than_the_maximum(server: Server, remote: Remote) -> None:
    """
    Given: more new incidents than one fetch may bring.
    When: fetches run.
    Then: each brings the oldest that are left, at most the maximum.
    """
    server.params["max_fetch"] = "2"
    for _ in range(5):
        remote.add()

    assert [ids(server.fetch()) for _ in range(4)] == [["1", "2"], ["3", "4"], ["5"], []]


def test_an_incident_indexed_late_inside_the_look_back_comes_once(server: Server, remote: Remote) -> None:
    """
    Given: an incident that the search index shows only after a younger one was fetched.
    When: it appears inside the look-back.
    Then: it is fetched once, and the younger one not again.
    """
    remote.add("1", created="2026-03-01T11:56:00Z")
    remote.add("2", created="2026-03-01T11:59:00Z")
    remote.hidden = {"1"}
    assert ids(server.fetch()) == ["2"]
    remote.hidden = set()

    assert [ids(server.fetch()) for _ in range(3)] == [["1"], [], []]


def test_a_larger_look_back_brings_nothing_twice(server: Server, remote: Remote) -> None:
    """
    Given: incidents of the last two hours, fetched with a look-back of five minutes.
    When: the look-back is set to a day.
    Then: none comes again; a late one inside the time that is remembered still does.
    """
    for hour, minute in ((10, 5), (10, 50), (11, 20), (11, 57), (11, 59)):
        remote.add(created=f"2026-03-01T{hour}:{minute:02d}:00.12Z")
    assert len(server.fetch()) == 5
    server.params["look_back"] = "1440"
    assert server.fetch() == []
    remote.add("9", created="2026-03-01T11:58:00Z")

    assert [ids(server.fetch()) for _ in range(2)] == [["9"], []]


def test_what_is_remembered_of_a_fetch_is_a_day(server: Server, remote: Remote) -> None:
    """
    Given: incidents over five days.
    When: they are fetched.
    Then: the last run names those of the last day: the ones that would be met again if the remote's clock were put back.
    """
    for number in range(60):
        remote.add(str(number + 1), created=f"2026-02-{24 + number // 12:02d}T{number % 12 * 2:02d}:00:00Z")
    server.params["first_fetch"] = "10 days"
    server.fetch()

    known = [key.split()[0] for key in json.loads(server.last_run["known"])]
    assert sorted(known, key=int) == [str(number) for number in range(48, 61)]


@pytest.mark.parametrize(("look_back_minutes", "kept"), [(0, 2000), (10, 2000), (50, 3001)])
def test_what_is_remembered_of_many_incidents_is_bounded(look_back_minutes: int, kept: int) -> None:
    """
    Given: an incident a second for more than an hour, and a look-back.
    When: they were fetched.
    Then: the newest 2,000 are remembered, or all of the look-back if that is more.
    """
    minute = script.MINUTE_MS
    delivered = {str(number): number * 1000 for number in range(5000)}

    cursor = script.Cursor(0, 0).advance(delivered, look_back_minutes * minute, 10**12, script.KEPT_KNOWN_MS)

    assert len(cursor.known) == kept
    assert cursor.time_ms == 4999 * 1000
    assert cursor.since_ms == min(cursor.known.values())


@pytest.mark.parametrize("fault", [{"status_code": 400, "json": ERRORS["bad_query"]}, *[p.values[0] for p in FAULTS[-3:]]])
def test_a_failure_at_the_second_page_saves_nothing(server: Server, remote: Remote, fault: dict[str, Any]) -> None:
    """
    Given: a remote that gives its first page and then fails.
    When: a fetch runs.
    Then: it fails, no incident is made, nothing is kept, and the next fetch brings all of it.
    """
    remote.search_limit = 3
    for _ in range(5):
        remote.add()
    before = server.memory()
    remote.fail("POST /incidents/search", skip=1, times=9, **fault)

    outcome = server.run("fetch-incidents")

    assert outcome.error
    assert outcome.incidents == []
    assert server.memory() == before
    remote.faults.clear()
    assert ids(server.fetch()) == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    "last_run",
    [
        {"time": "garbage", "since": "2026-03-01T00:00:00Z", "known": "{}"},
        {"time": "2026-03-01T00:00:00Z"},
        {"time": "2026-03-01T00:00:00Z", "since": "2026-03-01T00:00:00Z", "known": "{"},
        {"time": "2026-03-01T00:00:00Z", "since": "2026-03-01T00:00:00Z", "known": "[1]"},
        {"time": "2026-03-01T00:00:00Z", "since": "2026-03-01T00:00:00Z", "known": {"1": 2}},
        {"time": "2026-03-01T00:00:00Z", "since": "2026-03-01T00:00:00Z", "known": '{"1": "x"}'},
        {"time": "", "since": "2026-03-01T00:00:00Z", "known": "{}"},
        {"lastRun": "2026-03-01T00:00:00Z"},
        {"time": "2026-03-01T00:00:00Z", "limit": 50, "found_incident_ids": {"1": 1772323200}},
        {"last_fetched_incidents": ["1"]},
        {"last_fetch": None, "last_fetched_incidents": ["1"]},
        {"last_fetch": "3 days", "last_fetched_incidents": ["1"]},
        {"last_fetch": "2026-03-01T00:00:00Z", "last_fetched_incidents": '["1"'},
        {"last_fetch": "2026-03-01T00:00:00Z", "last_fetched_incidents": "1,2"},
        {"last_fetch": "2026-03-01T00:00:00Z", "last_fetched_incidents": {"1": 1}},
        {"last_fetch": "2026-03-01T00:00:00Z", "last_fetched_incidents": ["1", None]},
        {"last_fetch": "2026-03-01T00:00:00Z", "last_fetched_incidents": 7},
    ],
    ids=[
        *("no time", "parts missing", "no JSON", "a list", "not packed", "no number", "time is empty"),
        *("another integration's", "a look-back's"),
        *("the official pack's, without a time", "time is None", "relative time"),
        *("IDs are no JSON", "IDs are no list", "IDs with times", "an ID is None", "a number"),
    ],
)
def test_a_damaged_last_run_is_said_and_not_begun_anew(server: Server, remote: Remote, last_run: dict[str, Any]) -> None:
    """
    Given: a last run that cannot be read.
    When: a fetch runs.
    Then: it says how to reset it, instead of bringing everything again by itself.
    """
    remote.add()
    server.last_run = last_run

    error = server.fails("fetch-incidents")

    assert "The last run cannot be read" in error
    assert "Reset the last run timestamp" in error
    assert remote.calls == []


@pytest.mark.parametrize("last_run", [{}, None], ids=["empty", "none"])
def test_without_a_last_run_the_first_fetch_begins(server: Server, remote: Remote, last_run: Any) -> None:
    """
    Given: a server that keeps no last run.
    When: a fetch runs.
    Then: it brings what was created since First fetch time.
    """
    remote.add()
    server.last_run = last_run

    assert ids(server.fetch()) == ["1"]


@pytest.mark.parametrize("fetched", [["2", "3"], [2, 3], '["2", "3"]'], ids=["texts", "numbers", "packed"])
@pytest.mark.parametrize(
    "last_fetch",
    ["2026-03-01T11:02:00.000Z", "2026-03-01T12:02:00.0000001+01:00", "2026-03-01T11:02:00", "1772362920000"],
    ids=["ISO", "an offset, and finer than ours", "without a zone", "epoch"],
)
def test_the_last_run_of_the_official_pack_is_taken_over(server: Server, remote: Remote, last_fetch: str, fetched: Any) -> None:
    """
    Given: the last run that the official pack's integration left: a time, and the incidents of that time that it fetched.
    When: fetches run.
    Then: neither those nor earlier ones come, what is newer comes once, and the last run is ours, with nothing left of theirs.
    """
    for minute in (1, 2, 2, 2, 3):
        remote.add(created=f"2026-03-01T11:0{minute}:00Z")
    server.last_run = {"last_fetch": last_fetch, "last_fetched_incidents": fetched}

    assert [ids(server.fetch()) for _ in range(2)] == [["4", "5"], []]
    assert set(server.last_run) == {"time", "since", "known"}


@pytest.mark.parametrize("fetched", [{}, {"last_fetched_incidents": None}, {"last_fetched_incidents": []}])
def test_the_last_run_of_an_old_official_pack_is_taken_over(server: Server, remote: Remote, fetched: dict[str, Any]) -> None:
    """
    Given: the last run of the official pack's integration, with a time alone.
    When: fetches run.
    Then: they bring what was created from then on.
    """
    for minute in (1, 2, 3):
        remote.add(created=f"2026-03-01T11:0{minute}:00Z")
    server.last_run = {"last_fetch": "2026-03-01T11:02:00Z", **fetched}

    assert [ids(server.fetch()) for _ in range(2)] == [["2", "3"], []]


@pytest.mark.parametrize("created", [None, "", "garbage"])
def test_an_incident_without_a_readable_time_comes_once(server: Server, remote: Remote, requests_mock: Any, created: Any) -> None:
    """
    Given: an incident whose creation time is missing or unreadable.
    When: fetches run.
    Then: it is fetched, once.
    """
    incident = {"id": "8", "name": "odd", "created": created, "modified": NOW, "status": 1}
    requests_mock.post(f"{HOST_8}/xsoar/incidents/search", json={"data": [incident], "total": 1})

    assert [ids(server.fetch()) for _ in range(2)] == [["8"], []]


""" FETCH: ATTACHMENTS """


def test_all_attachments_come_along_byte_for_byte(server: Server, remote: Remote) -> None:
    """
    Given: an incident with files, two of them of one name, and an entry with a file that is no attachment.
    When: it is fetched.
    Then: each attachment is there with its own bytes, and the other file is not.
    """
    incident_id = remote.add()["id"]
    binary = bytes(range(256)) * 5000
    attach(remote, incident_id, "mail.eml", b"first")
    remote.write_file(incident_id, "mail.eml", b"written later", tags=None)
    attach(remote, incident_id, "mail.eml", b"second")
    attach(remote, incident_id, "Überblick.bin", binary)
    attach(remote, incident_id, "empty.txt", b"")

    (incident,) = server.fetch()

    assert attached(server, incident) == [
        ("mail.eml", b"first"),
        ("mail.eml", b"second"),
        ("Überblick.bin", binary),
        ("empty.txt", b""),
    ]
    assert len({item["path"] for item in incident["attachment"]}) == 4
    assert remote.bodies("POST /investigation/1") == [{"categories": ["attachments"], "pageSize": 1000}]


def test_attachments_are_found_by_name_where_the_server_s_file_name_differs(server: Server, remote: Remote) -> None:
    """
    Given: two attachments of one name, whose paths match no entry.
    When: the incident is fetched.
    Then: both come, each entry once.
    """
    incident_id = remote.add()["id"]
    attach(remote, incident_id, "a.txt", b"one", path="")
    attach(remote, incident_id, "a.txt", b"two", path="elsewhere")

    (incident,) = server.fetch()

    assert attached(server, incident) == [("a.txt", b"one"), ("a.txt", b"two")]


def test_more_attachments_than_a_page_of_entries_holds_come_all(server: Server, remote: Remote) -> None:
    """
    Given: an incident with 60 attachments at a remote that gives 50 entries a page.
    When: it is fetched.
    Then: all 60 come.
    """
    incident_id = remote.add()["id"]
    remote.entry_limit = 50
    for number in range(60):
        attach(remote, incident_id, f"{number}.txt", str(number).encode())

    (incident,) = server.fetch()

    assert attached(server, incident) == [(f"{number}.txt", str(number).encode()) for number in range(60)]


@pytest.mark.parametrize("name", ["../../escaped.txt", "/escaped.txt", "..\\escaped.txt", "....//escaped.txt"])
def test_no_attachment_leaves_the_working_folder(server: Server, remote: Remote, tmp_path: Path, name: str) -> None:
    """
    Given: an attachment whose name points out of the folder.
    When: the incident is fetched.
    Then: the file is in the folder, under a plain name.
    """
    incident_id = remote.add()["id"]
    attach(remote, incident_id, name, b"hostile")

    (incident,) = server.fetch()

    assert attached(server, incident) == [("escaped.txt", b"hostile")]
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"hostile"]
    assert not (tmp_path.parent / "escaped.txt").exists()


@pytest.mark.parametrize("missing", ["entry", "download"])
def test_an_attachment_that_cannot_be_had_costs_a_warning(server: Server, remote: Remote, tmp_path: Path, missing: str) -> None:
    """
    Given: an incident with three attachments, the second of which has no entry, or an entry whose file is gone.
    When: it is fetched.
    Then: it comes with the two others, the log names the incident, no remains are left, and a next fetch does not repeat it.
    """
    incident_id = remote.add()["id"]
    attach(remote, incident_id, "a.txt", b"a")
    entry = attach(remote, incident_id, "b.txt", b"b")
    attach(remote, incident_id, "c.txt", b"c")
    if missing == "entry":
        remote.entries[incident_id].remove(entry)
    else:
        del remote.files[entry["id"]]

    (incident,) = server.fetch()

    assert attached(server, incident) == [("a.txt", b"a"), ("c.txt", b"c")]
    assert len(list(tmp_path.iterdir())) == 2
    (line,) = [line for line in server.lines("info") if "skipped for now" in line]
    assert "incident 1" in line
    assert server.fetch() == []


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"status_code": 502}, id="502 for this file only"),
        pytest.param({"answer": requests.exceptions.ChunkedEncodingError("cut")}, id="cut off each time"),
        pytest.param(error_body(403, "v8_no_permission"), id="no permission"),
    ],
)
@pytest.mark.parametrize(
    ("route", "rest"),
    [("GET /entry/download/1@1", [("b.txt", b"b")]), ("POST /investigation/1", [])],
    ids=["file", "War Room"],
)
def test_a_file_that_fails_at_a_remote_that_is_well_is_left_out(
    server: Server, remote: Remote, fault: dict[str, Any], route: str, rest: list[tuple[str, bytes]]
) -> None:
    """
    Given: a remote that answers everything but one download, or one War Room, however often it is tried.
    When: a fetch runs.
    Then: the incident comes without what that would have brought, and the log says so.
    """
    incident_id = remote.add()["id"]
    attach(remote, incident_id, "a.txt", b"a")
    attach(remote, incident_id, "b.txt", b"b")
    remote.fail(route, times=9, **fault)

    (incident,) = server.fetch()

    assert attached(server, incident) == rest
    assert len([line for line in server.lines("info") if "skipped for now" in line]) == 2 - len(rest)


class Broken(RawIOBase):
    """A stream that breaks after some bytes, as a connection does that is reset."""

    def __init__(self) -> None:
        self.left = 1000

    def readable(self) -> bool:
        """Return that it is to be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Give some bytes, and then break."""
        if not self.left:
            raise ConnectionResetError("reset by peer")
        count = min(len(buffer), self.left)
        buffer[:count] = b"x" * count
        self.left -= count
        return count


def test_a_download_that_breaks_in_the_middle_arrives_whole(server: Server, remote: Remote, tmp_path: Path) -> None:
    """
    Given: a download that breaks after 1,000 bytes, and goes through when it is tried again.
    When: a fetch runs.
    Then: the attachment has its own bytes and no others.
    """
    incident_id = remote.add()["id"]
    attach(remote, incident_id, "a.bin", b"all of it")
    remote.fail("GET /entry/download", body=Broken(), headers={"Content-Disposition": "attachment"})

    (incident,) = server.fetch()

    assert attached(server, incident) == [("a.bin", b"all of it")]
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("route", ["GET /entry/download", "POST /investigation"])
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"status_code": 503}, id="503"),
        pytest.param({"answer": requests.exceptions.ConnectionError("gone")}, id="gone"),
    ],
)
def test_a_remote_that_goes_away_during_the_downloads_fails_the_fetch(
    server: Server, remote: Remote, route: str, fault: dict[str, Any]
) -> None:
    """
    Given: a remote that answers the search and is away when a file is asked for.
    When: a fetch runs.
    Then: it fails, and the next one brings the incident with its file: nothing is lost.
    """
    incident_id = remote.add()["id"]
    attach(remote, incident_id, "a.txt", b"a")
    remote.fail(route, times=99, **fault)
    remote.fail("GET /about", times=99, **fault)
    outcome = server.run("fetch-incidents")
    assert outcome.error
    assert outcome.incidents == []
    remote.faults.clear()

    (incident,) = server.fetch()

    assert attached(server, incident) == [("a.txt", b"a")]


@pytest.mark.parametrize("route", ["GET /entry/download", "POST /investigation"])
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"status_code": 429}, id="rate limit"),
        pytest.param(error_body(401, "v8_wrong_key"), id="key revoked meanwhile"),
    ],
)
def test_a_remote_that_refuses_all_calls_during_the_downloads_fails_the_fetch(
    server: Server, remote: Remote, route: str, fault: dict[str, Any]
) -> None:
    """
    Given: a remote that stops to accept our calls once the search is answered.
    When: a fetch runs.
    Then: it fails, and the next one brings the incident with its file: nothing is lost.
    """
    incident_id = remote.add()["id"]
    attach(remote, incident_id, "a.txt", b"a")
    remote.fail(route, times=99, **fault)
    remote.fail("GET /about", times=99, **fault)
    outcome = server.run("fetch-incidents")
    assert outcome.error
    remote.faults.clear()

    (incident,) = server.fetch()

    assert attached(server, incident) == [("a.txt", b"a")]


def test_attachments_of_an_incident_without_a_war_room_cost_a_warning(server: Server, remote: Remote) -> None:
    """
    Given: a pending incident with an attachment. XSOAR REST API: it has no War Room, and only an entry can be downloaded.
    When: it is fetched.
    Then: it comes without the file, and no War Room with an empty ID is asked for.
    """
    remote.add(investigationId="", status=0, attachment=[{"name": "a.txt", "path": "x"}, {"name": "", "path": None}])

    (incident,) = server.fetch()

    assert "attachment" not in incident
    assert remote.asked("POST /investigation") == []
    assert len([line for line in server.lines("info") if "skipped for now" in line]) == 2


class Zeros(RawIOBase):
    """A stream of zeros of a given length, which holds none of them."""

    def __init__(self, length: int) -> None:
        self.left = length

    def readable(self) -> bool:
        """Return that it is to be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Give zeros until there are no more."""
        count = min(len(buffer), self.left)
        buffer[:count] = bytes(count)
        self.left -= count
        return count


def test_a_large_file_that_comes_in_is_never_in_memory_whole(server: Server, remote: Remote, tmp_path: Path) -> None:
    """
    Given: an attachment of 48 MiB.
    When: its incident is fetched.
    Then: all of it arrives, and it took a fraction of that in memory.
    """
    attach(remote, remote.add()["id"], "large.bin", b"")
    remote.fail("GET /entry/download", body=Zeros(LARGE), headers={"Content-Disposition": "attachment"})

    peak = peak_memory(server.fetch)

    assert [path.stat().st_size for path in tmp_path.iterdir()] == [LARGE]
    assert peak < LARGE / 4


""" FETCH: HISTORY """


def test_entries_from_before_the_fetch_stay_out_without_history(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: an incident with a tagged entry, fetched without its history, and an entry written since.
    When: rounds run.
    Then: only the entry written since comes in.
    """
    incident_id = remote.add()["id"]
    remote.write(incident_id, "before the fetch")
    clock.tick(timedelta(minutes=1))
    server.fetch()
    clock.tick(timedelta(minutes=1))
    remote.write(incident_id, "after the fetch")

    assert server.ok("get-modified-remote-data", lastUpdate=LAST_UPDATE)["Contents"] == [incident_id]
    assert contents(server.pull(incident_id)[1]) == ["after the fetch"]


def test_a_change_between_two_fetches_is_told_by_the_first_round(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: two fetches before any round, and a change of the first's incident between them.
    When: the first round runs, from the time of the second fetch on.
    Then: that change is told, and no call asks further back than the first fetch had seen, less the overlap.
    """
    first = remote.add("1")["modified"]
    server.fetch()
    clock.tick(timedelta(minutes=5))
    remote.change("1", details="changed")
    clock.tick(timedelta(minutes=30))
    remote.add("2")
    server.fetch()
    clock.tick(timedelta(minutes=5))
    remote.calls.clear()

    assert server.ok("get-modified-remote-data", lastUpdate=remote.now())["Contents"] == ["1"]
    (asked,) = remote.bodies("POST /incidents/search")
    assert script.iso(script.parse_ms(first, 0) - script.MODIFIED_OVERLAP_MS) in asked["filter"]["query"]


def test_entries_from_before_the_fetch_come_in_with_history(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: an incident with tagged entries of long ago and an attachment, fetched with its history.
    When: a round runs after a long pause, so that no change would tell of the incident.
    Then: it is named all the same, its entries come in, and the attachment, which it has already, does not.
    """
    server.params["fetch_incident_history"] = True
    incident_id = remote.add(created="2026-02-28T10:00:00Z", modified="2026-02-28T10:00:00Z")["id"]
    remote.entry_moves_modified = False
    remote.write(incident_id, "of long ago", created="2026-02-28T10:01:00Z", modified="2026-02-28T10:01:00Z")
    remote.tag(attach(remote, incident_id, "a.txt", b"a"), "share")
    assert attached(server, server.fetch()[0]) == [("a.txt", b"a")]
    clock.tick(timedelta(hours=1))

    assert server.ok("get-modified-remote-data", lastUpdate=NOW)["Contents"] == [incident_id]
    assert contents(server.pull(incident_id)[1]) == ["of long ago"]
    clock.tick(timedelta(hours=1))
    assert server.ok("get-modified-remote-data", lastUpdate=NOW)["Contents"] == []


def test_history_that_could_not_be_brought_is_not_forgotten(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: two incidents fetched with their history, in two fetches, and a remote that then fails.
    When: rounds run until it is well again.
    Then: both histories arrive, each entry once.
    """
    server.params["fetch_incident_history"] = True
    for incident_id in ("1", "2"):
        remote.add(incident_id)
        remote.write(incident_id, f"history of {incident_id}")
        server.fetch()
    clock.tick(timedelta(hours=1))
    remote.fail("POST /investigation", status_code=502, times=6)

    for incident_id in ("1", "2"):
        assert incident_id in server.ok("get-modified-remote-data", lastUpdate=NOW)["Contents"]
        assert server.pull(incident_id)[1] == []
    assert sorted(server.ok("get-modified-remote-data", lastUpdate=NOW)["Contents"]) == ["1", "2"]

    assert [contents(server.pull(incident_id)[1]) for incident_id in ("1", "2", "1", "2")] == [
        ["history of 1"],
        ["history of 2"],
        [],
        [],
    ]


def test_an_incident_that_was_closed_before_the_fetch_is_closed_here(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: an incident that is closed when it is fetched.
    When: a round runs long after.
    Then: it is named, and the local incident is closed, once.
    """
    remote.add(status=2, closeReason="Duplicate", closeNotes="See 3.")
    server.fetch()
    clock.tick(timedelta(hours=1))

    assert server.ok("get-modified-remote-data", lastUpdate=NOW)["Contents"] == ["1"]
    _, (closing,) = server.pull("1")
    assert closing["Contents"] == {"dbotIncidentClose": True, "closeReason": "Duplicate", "closeNotes": "See 3."}
    assert server.pull("1")[1] == []


def test_what_a_killed_fetch_has_kept_comes_although_the_next_brings_a_part(
    server: Server, remote: Remote, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Given: a fetch that was killed behind its write of the context, and a next one that a limit of calls cuts short.
    When: fetches go on.
    Then: each incident is created, once, with its file.
    """
    for number in range(1, 5):
        remote.add(str(number))
        attach(remote, str(number), f"{number}.txt", b"x")
    with monkeypatch.context() as killed:
        killed.setattr(script.demisto, "setLastRun", lambda run: 1 / 0)
        assert server.run("fetch-incidents").error
    remote.fail("GET /entry/download", skip=1, times=9, status_code=429, headers={"Retry-After": "60"}, json={})
    came = server.fetch()
    remote.faults.clear()
    for _ in range(4):
        clock.tick(timedelta(minutes=20))
        came += server.fetch()

    assert ids(came) == ["1", "2", "3", "4"]
    assert all(incident["attachment"] for incident in came)


def test_a_lost_last_run_doubles_nothing_that_was_confirmed(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: incidents of three fetches, which the server never asked for, and a fetch without news.
    When: the last run is lost, and fetches go on.
    Then: none comes a second time, and a new one comes.
    """
    for number in range(3):
        remote.add(str(number + 1))
        assert len(server.fetch()) == 1
        clock.tick(timedelta(minutes=20))
    assert server.fetch() == []
    server.last_run = {}
    remote.add("9")

    assert [ids(server.fetch()) for _ in range(2)] == [["9"], []]
