"""Tests of what holds although servers differ: bounds, totals, brands, answers, permissions, routes and deltas, both ways."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import XSOARMirroring as script
from stand_ins import (
    CLOSING,
    ERRORS,
    Remote,
    LAST_UPDATE,
    Server,
    arrived,
    contents,
    ids,
    records_of,
    local_entry,
    memory_of,
    modified,
    push,
    pushed,
    status,
)

FORBIDDEN: dict[str, Any] = {"status_code": 403, "json": {"detail": "forbidden"}}

""" SEARCH """


@pytest.mark.parametrize("total", [None, 0, 1, 500, 10_000], ids=["right", "zero", "one", "a page", "too many"])
@pytest.mark.parametrize("hears_from_date", [True, False])
def test_each_incident_is_fetched_once_whatever_a_search_says_of_itself(
    server: Server, remote: Remote, clock: Any, total: int | None, hears_from_date: bool
) -> None:
    """
    Given: a remote whose `total` is wrong, or that does not hear `fromDate` beside a query, and incidents older than the start.
    When: fetches run while new incidents appear.
    Then: each that was created since the start comes once, and no older one.
    """
    remote.total, remote.hears_from_date = total, hears_from_date
    for number in range(70):
        remote.add(f"{number + 1}", created=f"2026-02-20T10:00:{number % 60:02d}Z")
    for number in range(120):
        remote.add(f"{number + 101}", created="2026-03-01T11:00:00Z")
    server.params["max_fetch"] = "50"

    found = [key for _ in range(4) for key in ids(server.fetch())]
    clock.tick(timedelta(minutes=1))
    remote.add("300")
    found += ids(server.fetch()) + ids(server.fetch())

    assert found == [*(f"{number + 101}" for number in range(120)), "300"]


@pytest.mark.parametrize("hears_query_bounds", [True, False])
@pytest.mark.parametrize("total", [None, 0], ids=["right", "zero"])
def test_a_burst_of_changes_is_told_whole(
    server: Server, remote: Remote, clock: Any, hears_query_bounds: bool, total: int | None
) -> None:
    """
    Given: 1,200 incidents that change within a minute, on a remote whose `total` is wrong or that does not hear a bound.
    When: a round asks what changed.
    Then: it gives them all, the next one those that changed after it, and none that changed before the mirroring began.
    """
    remote.total, remote.hears_query_bounds = total, hears_query_bounds
    remote.add("1", modified="2026-02-20T10:00:00Z")
    for number in range(1200):
        remote.add(f"{number + 101}", modified=f"2026-03-01T11:00:{number // 20:02d}.{number % 20:03d}Z")

    first = modified(server)
    remote.change("205", name="again")

    assert sorted(first, key=int) == [f"{number + 101}" for number in range(1200)]
    assert modified(server) == ["205"]


@pytest.mark.parametrize("total", [None, 0, 10_000], ids=["right", "zero", "too many"])
def test_an_analyst_finds_all_whatever_the_total_says(server: Server, remote: Remote, total: int | None) -> None:
    """Given 620 incidents and a total that may be wrong; When an analyst asks for 1,000; Then all are found, each once."""
    remote.total = total
    for number in range(620):
        remote.add(f"{number + 1}", created=f"2026-03-01T11:{number // 60:02d}:{number % 60:02d}Z")

    result = server.ok("xsoar-search-incidents", max_results="1000", query="")

    assert len(next(iter(result["EntryContext"].values()))) == 620


""" WHAT IS FROM HERE """


@pytest.mark.parametrize("keeps_brand", [True, False])
@pytest.mark.parametrize("skips", [True, False], ids=["brand left out", "brand asked for"])
def test_what_was_created_from_here_is_never_fetched(
    server: Server, remote: Remote, keeps_brand: bool, skips: bool, mirrored: str
) -> None:
    """
    Given: an incident that was created there from here, on a remote that keeps its brand or not; the parameter on or off.
    When: fetches run, also after the records were lost and the last run was reset.
    Then: it is not fetched.
    """
    remote.keeps_brand = keeps_brand
    server.params["disable_from_same_integration"] = skips
    made = pushed(server, "", data={"id": "5", "name": "from here"})

    assert server.fetch() == []
    server.context, server.last_run = "{}", {}
    assert made not in ids(server.fetch())


def test_what_a_tenant_whose_instance_has_the_same_name_created_there_is_fetched(server: Server, remote: Remote) -> None:
    """Given an incident that a tenant without an address made there from an instance of our name; When fetched; Then it comes."""
    theirs = remote.add(dbotMirrorId="5@headquarters")

    assert ids(server.fetch()) == [theirs["id"]]


def test_a_created_incident_carries_what_makes_the_server_keep_its_brand(server: Server, remote: Remote) -> None:
    """Given a server that keeps a brand only beside a label; When one is created there; Then brand and instance are kept."""
    made = pushed(server, "", data={"id": "5", "name": "from here", "labels": [{"type": "Instance", "value": "stolen"}]})

    incident = remote.incidents[made]
    assert (incident["sourceBrand"], incident["sourceInstance"]) == ("XSOAR Mirroring", "headquarters")
    assert {(label["type"], label["value"]) for label in incident["labels"]} == {
        ("Brand", "XSOAR Mirroring"),
        ("Instance", "headquarters"),
    }


def test_what_is_mirrored_here_is_not_fetched_again_after_a_reset(server: Server, remote: Remote, mirrored: str) -> None:
    """Given an incident that the server mirrors; When the last run is lost; Then a fetch does not create it again."""
    server.pull(mirrored)
    server.last_run = {}

    assert server.fetch() == []


def test_what_a_killed_fetch_did_not_deliver_comes_with_the_next(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a fetch whose records were kept and whose incidents were not created; When the next runs; Then they come."""
    server.last_run = {}

    assert ids(server.fetch()) == [mirrored]


@pytest.mark.parametrize(
    "answer",
    [{"status_code": 201, "text": ""}, {"status_code": 201, "json": {"name": "x"}}, {"status_code": 200, "json": {"id": ""}}],
    ids=["201 and empty", "no id", "an empty id"],
)
@pytest.mark.parametrize("data", [{"id": "5", "name": "new"}, {"name": "new"}], ids=["id mapped", "id not mapped"])
def test_an_accepted_creation_that_names_no_incident_is_looked_for(
    server: Server, remote: Remote, answer: dict[str, Any], data: dict[str, Any]
) -> None:
    """
    Given: a remote that accepts a new incident and does not say which it has become.
    When: the server asks again in the next rounds.
    Then: it is found by its origin and not created a second time; the first error says that it will be.
    """
    remote.created_answer = answer

    outcome = push(server, "", data=data)
    assert "the next try looks for it" in outcome.error
    made = pushed(server, "", data=data)

    assert list(remote.incidents) == [made]


def test_a_creation_without_an_answer_is_not_repeated_before_a_search_can_show_it(
    server: Server, remote: Remote, clock: Any
) -> None:
    """
    Given: a remote that created an incident without answering, and whose searches show it two minutes later only.
    When: the server asks again each minute.
    Then: it is found at last, and not created a second time; until then the error says that it is looked for.
    """
    new = {"id": "5", "name": "new"}
    remote.fail("POST /incident$", status_code=503, after=True)
    assert push(server, "", data=new).error
    remote.hidden = {*remote.incidents}
    for _ in range(2):
        clock.tick(timedelta(seconds=59))
        assert "the next try looks for it" in push(server, "", data=new).error
    remote.hidden = set()

    assert [pushed(server, "", data=new)] == [*remote.incidents]


def test_a_creation_that_came_to_nothing_is_repeated(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: a remote that was away when an incident was to be created, or that refused calls.
    When: the server asks again each minute.
    Then: it is created once that is certain, two minutes later; after the refusal at once.
    """
    remote.fail("POST /incident$", status_code=503)
    remote.fail("POST /incident$", status_code=429, times=3)
    assert push(server, "", data={"id": "5", "name": "new"}).error
    clock.tick(timedelta(minutes=2, seconds=1))
    assert "rate limit" in push(server, "", data={"id": "5", "name": "new"}).error

    assert [pushed(server, "", data={"id": "5", "name": "new"})] == [*remote.incidents]


def test_only_an_empty_200_says_that_the_incident_was_dropped(server: Server, remote: Remote) -> None:
    """Given a remote whose rule drops new incidents; When one is created there; Then the error says so."""
    remote.drops_new_incidents = True

    assert "exempt it from the pre-processing rules there" in push(server, "", data={"id": "5", "name": "new"}).error


""" TIMES AND OLD COPIES """


@pytest.mark.parametrize("there", ["2026-03-01T12:00:30.123456789Z", "2026-03-01T14:00:30.123456+02:00"])
def test_a_search_in_another_precision_lists_nothing_again(
    server: Server, remote: Remote, mirrored: str, clock: Any, there: str
) -> None:
    """
    Given: a remote that gives times to the millisecond in a search, and finer when an incident is loaded.
    When: an incident changed and was pulled, and the next rounds ask what changed.
    Then: they do not list it again, but a second change they do.
    """
    remote.searches_in_ms = True
    remote.change(mirrored, name="new", modified=there)
    clock.tick(timedelta(minutes=1))
    assert modified(server) == [mirrored]
    assert server.pull(mirrored)[0]["name"] == "new"

    assert modified(server) == []
    remote.change(mirrored, name="newer", modified="2026-03-01T12:00:30.124Z")
    assert modified(server) == [mirrored]


def test_an_old_copy_brings_no_old_value_back(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a remote of which one server lags: it gives an incident once more as it was before its last change.
    When: that incident is pulled.
    Then: the old value does not come.
    """
    before = dict(remote.incidents[mirrored])
    remote.change(mirrored, name="new")
    assert server.pull(mirrored)[0]["name"] == "new"
    remote.old_copies[mirrored] = before

    assert "name" not in server.pull(mirrored)[0]
    assert modified(server) == []


@pytest.mark.parametrize("by", ["from here", "there"])
def test_an_old_copy_opens_nothing_again(server: Server, remote: Remote, mirrored: str, by: str) -> None:
    """
    Given: an incident that both sides have closed, and a remote that once more gives it as it was before.
    When: it is pulled.
    Then: it is not reopened here; a real reopening, also one by a restore from a backup, comes.
    """
    server.pull(mirrored)
    before = dict(remote.incidents[mirrored])
    if by == "there":
        remote.close(mirrored)
        server.pull(mirrored)
    pushed(server, mirrored, status=2, delta={"closingUserId": "lea"})
    remote.old_copies[mirrored] = before

    assert server.pull(mirrored)[1] == []
    remote.incidents[mirrored] = before
    assert [entry["Contents"] for entry in server.pull(mirrored)[1]] == [{"dbotIncidentReopen": True}]


def test_an_old_copy_makes_no_conflict(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a field that came in, and a remote that once more gives the incident as it was before; conflicts go to the remote.
    When: that field is changed here a while later.
    Then: the change goes out.
    """
    server.params["conflicts"] = "Remote wins"
    before = dict(remote.incidents[mirrored])
    remote.change(mirrored, details="there")
    server.pull(mirrored)
    remote.clock.tick(timedelta(minutes=30))
    remote.old_copies[mirrored] = before

    pushed(server, mirrored, delta={"details": "here"})

    assert remote.incidents[mirrored]["details"] == "here"


def test_what_a_page_holds_twice_comes_once(
    server: Server, remote: Remote, mirrored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Given: a remote whose pages hold an incident or an entry twice, as while its index is moved.
    When: it is fetched, and a War Room is read.
    Then: each comes once.
    """
    remote.add("9")
    remote.write(mirrored, "once")
    search, entries = script.Client.search, script.Client.entries

    def search_twice(client: script.Client, *args: Any, **options: Any) -> tuple[list[dict[str, Any]], int]:
        found, total = search(client, *args, **options)
        return [*found, *found], total

    monkeypatch.setattr(script.Client, "search", search_twice)
    monkeypatch.setattr(script.Client, "entries", lambda *args: entries(*args) * 2)

    assert ids(server.fetch()) == ["9"]
    assert contents(server.pull(mirrored)[1]) == ["once"]


""" PERMISSIONS """


def test_a_war_room_that_the_key_may_not_see_keeps_back_no_fields(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a key that may not view one War Room.
    When: the incident changes and is pulled.
    Then: its fields come, the missing permission is named, and the incident does not show In Step.
    """
    remote.change(mirrored, name="renamed")
    remote.fail("POST /investigation", times=9, **FORBIDDEN)

    first, entries = server.pull(mirrored)

    assert (first["name"], entries, first["mirror_state"]) == ("renamed", [], "Error")
    assert "view the War Room of the incident" in first["in_mirror_error"]


def test_an_incident_that_the_key_may_not_see_stops_no_other(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a key that may not view one incident; When it is pulled; Then no error ends the round, and the incident says why."""
    remote.fail("GET /incident/load", **FORBIDDEN)

    first, entries = server.pull(mirrored)

    assert (first["mirror_state"], entries) == ("Error", [])
    assert "view the incident" in first["in_mirror_error"]


def test_known_fields_go_although_the_key_may_not_read_the_remote_s_fields(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a key that may not read /incidentfields.
    When: two known fields and a key that the incident lacks change here.
    Then: the two go, and the third is named in the log with the permission that is missing.
    """
    remote.fail("GET /incidentfields", times=9, **FORBIDDEN)

    pushed(server, mirrored, delta={"severity": 4, "details": "new", "unheardof": "x"})

    there = remote.incidents[mirrored]
    assert (there["severity"], there["details"]) == (4, "new")
    assert [line for line in server.lines("info") if "unheardof" in line and "read the incident fields" in line]


def test_an_incident_is_created_although_the_key_may_not_read_the_remote_s_fields(server: Server, remote: Remote) -> None:
    """Given a key that may not read /incidentfields; When one is created there; Then its fields and custom fields arrive."""
    remote.fail("GET /incidentfields", times=9, **FORBIDDEN)

    made = pushed(server, "", data={"id": "5", "name": "new", "severity": 3, "sourceip": "10.0.0.1"})

    there = remote.incidents[made]
    assert (there["name"], there["severity"], there["CustomFields"]) == ("new", 3, {"sourceip": "10.0.0.1"})


def test_attachments_that_the_key_may_not_list_are_named(server: Server, remote: Remote) -> None:
    """Given an incident with a file that the key may not list; When it is fetched; Then it comes, and shows what is missing."""
    remote.add("1", attachment=[{"name": "a.txt", "path": "1_0_a.txt"}])
    remote.fail("POST /investigation", times=9, **FORBIDDEN)

    (incident,) = server.fetch()

    raw = json.loads(incident["rawJSON"])
    assert raw["mirror_state"] == "Error"
    assert "view the War Room" in raw["in_mirror_error"]


""" ONE THAT ALWAYS FAILS """


@pytest.mark.parametrize("route", ["GET /incident/load/1", "POST /investigation/1"])
def test_one_incident_that_always_answers_500_is_told_and_stops_nothing(
    server: Server, remote: Remote, clock: Any, route: str
) -> None:
    """
    Given: an incident, or its War Room, that answers 500 for ever, while the remote is well; and another.
    When: rounds run for a quarter of an hour.
    Then: a few tries of the incident end with an error, those of its War Room bring the fields; then the incident says what is
        wrong and is left alone for hours. The other one is mirrored all the time.
    """
    remote.add("1"), remote.add("2")
    server.fetch()
    clock.tick(timedelta(minutes=1))
    remote.fail(route, times=10**6, status_code=500)
    remote.change("1", name="new")
    outcomes = []
    for number in range(15):
        remote.change("2", details=str(number))
        for incident_id in modified(server):
            outcome = server.run("get-remote-data", {"id": incident_id, "lastUpdate": "2026-03-01T11:00:00Z"})
            if incident_id == "1":
                outcomes.append(outcome)
            else:
                assert not outcome.error
        clock.tick(timedelta(minutes=1))

    is_readable = route == "POST /investigation/1"
    assert [bool(outcome.error) for outcome in outcomes] == [not is_readable] * 3 + [False] * (len(outcomes) - 3)
    assert len(outcomes) in (4, 5)
    told = next(first for first in (outcome.result[0] for outcome in reversed(outcomes)) if "mirror_state" in first)
    assert (told["mirror_state"], "(500)" in told["in_mirror_error"]) == ("Error", True)
    # The fields come although the War Room cannot be read.
    given = [outcome.result[0].get("name") for outcome in outcomes if not outcome.error]
    assert ("new" in given) == is_readable
    assert status(server)["IncidentsWithError"] == 1


def test_an_outage_puts_off_no_incident(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """Given a remote that is away for ten minutes; When it is back; Then the next round brings what changed."""
    remote.change(mirrored, name="new")
    assert modified(server) == [mirrored]
    remote.fail("GET /", times=10**6, status_code=503)
    for _ in range(10):
        assert server.run("get-remote-data", {"id": mirrored, "lastUpdate": "2026-03-01T11:00:00Z"}).error
        clock.tick(timedelta(minutes=1))
    remote.faults.clear()

    assert modified(server) == [mirrored]
    assert server.pull(mirrored)[0]["name"] == "new"


""" WAR ROOMS """


@pytest.mark.parametrize("keeps", ["newest", "oldest"])
@pytest.mark.parametrize("positions", [("lastId",), ("firstID",), ("lastId", "firstID")], ids=str)
@pytest.mark.parametrize("way", ["refuses", "ignores"])
def test_a_long_war_room_is_read_whole_whatever_position_is_not_heard(
    server: Server, remote: Remote, mirrored: str, keeps: str, positions: tuple[str, ...], way: str
) -> None:
    """
    Given: a War Room of more than a page, on a remote that refuses to go on from its newest or its oldest entry, or both, or
        gives the same page whatever entry it is to go on from.
    When: the incident is pulled, twice.
    Then: all entries come, oldest first, once.
    """
    remote.page_keeps, remote.entry_limit = keeps, 60
    setattr(remote, way, positions)
    for number in range(150):
        remote.write(mirrored, str(number))

    assert contents(server.pull(mirrored)[1]) == [str(number) for number in range(150)]
    assert server.pull(mirrored)[1] == []


def test_what_lies_behind_the_last_full_page_costs_no_more(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a War Room of one full page; When it is pulled from a remote that hears both positions; Then not all is read anew."""
    for number in range(60):
        remote.write(mirrored, str(number))
    remote.calls.clear()

    assert len(server.pull(mirrored)[1]) == 60

    assert [sorted(body.keys() & {"pageSize", "lastId", "firstID"}) for body in remote.bodies("POST /investigation")] == [
        ["pageSize"],
        ["lastId", "pageSize"],
        ["firstID", "pageSize"],
    ]


@pytest.mark.parametrize(
    "answer", [{"status_code": 303}, {"status_code": 404, "json": ERRORS["not_found"]}, {"status_code": 405}]
)
def test_texts_go_where_the_route_for_formatted_entries_is_closed(
    server: Server, remote: Remote, mirrored: str, answer: dict[str, Any]
) -> None:
    """
    Given: a remote that does not open /entry/formatted to keys.
    When: entries that look like commands, Markdown and HTML are tagged here.
    Then: each arrives once and none is run; the log names the closed route.
    """
    remote.fail("POST /entry/formatted", times=9, **answer)
    texts = [("text", "!reopenInvestigation id=1"), ("markdown", "**bold**"), ("html", "<b>bold</b>")]

    for _ in range(2):
        entries = [local_entry(number, text, format=kind) for number, (kind, text) in enumerate(texts, 1)]
        pushed(server, mirrored, entries=entries)

    assert [text for text, _, _ in arrived(remote, mirrored)] == [text for _, text in texts]
    assert [line for line in server.lines("info") if "/entry/formatted" in line]


""" DELTAS """


@pytest.mark.parametrize("key", ["closingUserId", "closinguserid"])
@pytest.mark.parametrize("with_status", [True, False])
def test_a_second_closing_here_is_told_by_what_a_delta_holds(
    server: Server, remote: Remote, mirrored: str, key: str, with_status: bool
) -> None:
    """
    Given: an incident that is closed on both sides, then reopened here, written into and closed again between two updates.
    When: the update comes with or without a status in its delta.
    Then: the entry arrives, and the incident is closed there with the second reason.
    """
    pushed(server, mirrored, status=2, data={"closeReason": "Resolved", "closeNotes": "first"}, delta={key: "admin"})
    remote.add("9")
    server.fetch()
    delta = {
        key: "admin",
        "closeReason": "Other",
        "closeNotes": "second",
        "runStatus": "",
        **({"status": 2} if with_status else {}),
    }

    pushed(server, mirrored, status=2, data={}, delta=delta, entries=[local_entry(1, "in between")])

    there = remote.incidents[mirrored]
    assert (there["status"], there["closeReason"], there["closeNotes"]) == (2, "Other", "second")
    assert [text for text, _, _ in arrived(remote, mirrored)] == ["in between"]


@pytest.mark.parametrize(
    ("delta", "reopened"),
    [
        ({"runStatus": "waiting"}, False),
        ({"details": "an edit"}, False),
        ({"closingUserId": "", "runStatus": ""}, True),
        ({"closinguserid": ""}, True),
        ({"status": 1}, True),
    ],
    ids=["a playbook runs", "an edit", "reopened", "reopened, in lower case", "an older server"],
)
def test_only_a_person_s_reopening_reopens_there(
    server: Server, remote: Remote, mirrored: str, delta: dict[str, Any], reopened: bool
) -> None:
    """
    Given: an incident that was closed there, whose closing the server here has not carried out.
    When: something of it changes here.
    Then: the remote one is reopened only when the delta holds a person's reopening.
    """
    remote.add("9")
    server.fetch()
    remote.close(mirrored)
    assert server.pull(mirrored)[1][-1]["Contents"] == CLOSING

    pushed(server, mirrored, status=1, delta=delta)

    assert (remote.incidents[mirrored]["status"] == 1) == reopened


def test_what_the_remote_owns_costs_no_call(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a playbook that runs here; When its runStatus changes; Then the remote is not even asked for the incident."""
    pushed(server, mirrored, delta={"runStatus": "running", "dbotMirrorLastSync": "x"})

    assert remote.calls == []


@pytest.mark.parametrize(
    ("delta", "there"),
    [
        ({"DETAILS": "new"}, {"details": "new"}),
        ({"dbotduedate": "2026-05-01T00:00:00Z"}, {"dueDate": "2026-05-01T00:00:00Z"}),
        ({"dbotDueDate": "2026-05-01T00:00:00Z"}, {"dueDate": "2026-05-01T00:00:00Z"}),
        ({"CustomFields.sourceip": "10.0.0.1"}, {"CustomFields.sourceip": "10.0.0.1"}),
        ({"customfields.SourceIP": "10.0.0.1"}, {"CustomFields.sourceip": "10.0.0.1"}),
        ({"SourceIP": "10.0.0.1"}, {"CustomFields.sourceip": "10.0.0.1"}),
        ({"CustomFields": {"sourceip": "10.0.0.1"}}, {"CustomFields.sourceip": "10.0.0.1"}),
        ({"xsoarrating": "A"}, {"CustomFields.xsoarrating": "A"}),
        ({"dbotsource": "feed"}, {"CustomFields.dbotsource": "feed"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else str(value),
)
def test_a_field_arrives_whatever_the_mapper_calls_it(
    server: Server, remote: Remote, mirrored: str, delta: dict[str, Any], there: dict[str, Any]
) -> None:
    """Given a mapper that spells a field in one of the ways there are; When it changes here; Then it arrives in its place."""
    names = ("xsoarrating", "dbotsource")
    remote.incident_fields += [
        {"cliName": name, "name": name, "system": False, "group": 0, "type": "shortText"} for name in names
    ]

    pushed(server, mirrored, delta=delta)

    incident = remote.incidents[mirrored]
    for name, value in there.items():
        head, _, tail = name.partition(".")
        assert (incident[head][tail] if tail else incident[head]) == value
    assert set(incident) - set(remote.add("99")) == set(), "a key was made up at the top"


def test_whole_custom_fields_undo_nothing_there(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a server whose delta holds all custom fields; one was changed there since the last round, another one here.
    When: the update goes out.
    Then: the one of here arrives, the one of there stays, and comes in with the next round.
    """
    remote.change(mirrored, CustomFields={"sourceip": "10.0.0.1", "customerticket": "T-1"})
    server.pull(mirrored)
    remote.change(mirrored, CustomFields={"sourceip": "203.0.113.9", "customerticket": "T-1"})

    pushed(server, mirrored, delta={"CustomFields": {"sourceip": "10.0.0.1", "customerticket": "T-2"}})

    assert remote.incidents[mirrored]["CustomFields"] == {"sourceip": "203.0.113.9", "customerticket": "T-2"}
    assert modified(server) == [mirrored]
    assert server.pull(mirrored)[0]["CustomFields"]["sourceip"] == "203.0.113.9"


def test_what_did_not_change_there_is_not_given(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a mirrored incident, on a server that lets what comes in overwrite what was changed here and not sent yet.
    When: one field, and one custom field, change there.
    Then: only these two are given, so that no other edit is undone; a resync gives all.
    """
    remote.change(mirrored, CustomFields={"sourceip": "10.0.0.1", "customerticket": "T-1"}, severity=1)
    server.pull(mirrored)
    remote.change(mirrored, severity=3, CustomFields={"sourceip": "10.0.0.2", "customerticket": "T-1"})

    first, _ = server.pull(mirrored)

    assert (first["severity"], first["CustomFields"], first["sourceip"]) == (3, {"sourceip": "10.0.0.2"}, "10.0.0.2")
    assert not {"name", "details", "owner", "customerticket"} & set(first)
    server.ok("xsoar-mirror-resync", id=mirrored)
    again, _ = server.pull(mirrored)
    assert (again["severity"], again["customerticket"], again["name"]) == (3, "T-1", f"incident {mirrored}")


def test_a_field_that_is_emptied_there_is_given(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a mirrored incident; When a field is emptied there; Then the empty value is given."""
    remote.change(mirrored, details="old", CustomFields={"sourceip": "10.0.0.1"})
    server.pull(mirrored)
    remote.change(mirrored, details="", CustomFields={"sourceip": ""})

    first, _ = server.pull(mirrored)

    assert (first["details"], first["CustomFields"]) == ("", {"sourceip": ""})


def test_what_went_out_is_not_given_back(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a field that went out from here while another changed there; When the next round pulls; Then only that one comes."""
    remote.change(mirrored, severity=3)
    pushed(server, mirrored, delta={"details": "from here"})
    modified(server)

    first, _ = server.pull(mirrored)

    assert (first["severity"], "details" in first) == (3, False)


def test_a_custom_field_named_like_one_of_the_server_comes_in(server: Server, remote: Remote, mirrored: str) -> None:
    """Given custom fields whose names begin like the server's own; When they change there; Then they come, and steer nothing."""
    remote.change(mirrored, CustomFields={"xsoarrating": "A", "dbotsource": "feed", "dbotmirrorid": "999", "mirror_state": "x"})

    first, _ = server.pull(mirrored)

    assert {"xsoarrating": "A", "dbotsource": "feed", "mirror_state": "x"}.items() <= first["CustomFields"].items()
    assert "dbotmirrorid" not in first["CustomFields"]
    assert (first["dbotMirrorId"], first["mirror_state"]) == (mirrored, "In Step")


""" CLOCKS AND MODES """


@pytest.mark.parametrize("ahead", [-90, 5, 600])
def test_no_header_decides_what_is_history(server: Server, remote: Remote, clock: Any, ahead: int) -> None:
    """
    Given: a proxy before the remote whose Date is another clock's.
    When: an entry is written there right after an incident was fetched.
    Then: it comes.
    """
    offset = timedelta(seconds=ahead)
    remote.date_offset = offset
    remote.add("1")
    assert ids(server.fetch()) == ["1"]
    remote.write("1", "right after")
    clock.tick(timedelta(minutes=1))

    assert "1" in modified(server)
    assert contents(server.pull("1")[1]) == ["right after"]


@pytest.mark.parametrize("later", [timedelta(minutes=30), timedelta(days=3)], ids=str)
def test_an_incident_from_the_future_makes_nothing_history(server: Server, remote: Remote, clock: Any, later: timedelta) -> None:
    """
    Given: an incident whose time of change lies in the future.
    When: it is fetched together with another one, and an entry is written into both right after that.
    Then: both entries come.
    """
    remote.add("1")
    remote.add("2", modified=(datetime.now(UTC) + later).isoformat(timespec="seconds"))
    remote.write("1", "history")
    assert ids(server.fetch()) == ["1", "2"]
    for key in ("1", "2"):
        remote.write(key, "right after")
    clock.tick(timedelta(minutes=1))

    assert {"1", "2"} <= {*modified(server)}
    assert [contents(server.pull(key)[1]) for key in ("1", "2")] == [["right after"], ["right after"]]


def test_a_remote_clock_put_back_before_a_fetch_makes_nothing_history(
    server: Server, remote: Remote, mirrored: str, clock: Any
) -> None:
    """
    Given: a remote whose clock was an hour ahead when something changed, and was put back.
    When: an incident is fetched before the next round, and an entry is written there right after that.
    Then: it comes.
    """
    remote.date_offset = timedelta(hours=1)
    remote.change(mirrored, name="new", modified="2026-03-01T13:00:30Z")
    clock.tick(timedelta(minutes=1))
    assert modified(server) == [mirrored]
    remote.date_offset = timedelta()
    remote.add("2")
    assert ids(server.fetch()) == ["2"]
    remote.write("2", "right after")
    clock.tick(timedelta(minutes=1))

    assert "2" in modified(server)
    assert contents(server.pull("2")[1]) == ["right after"]


def test_a_local_clock_put_back_makes_no_conflict(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """
    Given: a field that came in while the clock here was a day ahead, before it was put back; conflicts go to the remote.
    When: that field is changed here half an hour later.
    Then: the change goes out.
    """
    server.params["conflicts"] = "Remote wins"
    remote.date_offset = timedelta(days=-1)
    clock.tick(timedelta(days=1))
    remote.change(mirrored, details="there", modified="2026-03-01T12:02:00Z")
    assert server.pull(mirrored)[0]["details"] == "there"
    remote.date_offset = timedelta()
    clock.move_to("2026-03-01T12:30:00Z")

    pushed(server, mirrored, delta={"details": "here"})

    assert remote.incidents[mirrored]["details"] == "here"


def test_a_local_clock_put_back_hides_no_failure(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """
    Given: a command that failed while the clock here was a day ahead, before it was put back.
    When: it fails otherwise; when a round succeeds.
    Then: xsoar-mirror-status tells the new failure, and when that round was.
    """
    clock.tick(timedelta(days=1))
    remote.fail("GET /incident/load", status_code=401, json={})
    server.fails("get-remote-data", id=mirrored, lastUpdate=LAST_UPDATE)
    modified(server)
    clock.move_to("2026-03-01T12:30:00Z")
    remote.fail("GET /incident/load", times=3, status_code=302, headers={"Location": "https://login.example.com"})
    server.fails("get-remote-data", id=mirrored, lastUpdate=LAST_UPDATE)
    modified(server)

    assert "redirects to login.example.com" in memory_of(server).health.errors["get-remote-data"][1]
    assert script.iso(memory_of(server).health.round_ms).startswith("2026-03-01T12:30:00")


@pytest.mark.parametrize("mode", ["xsiam", "xdr", "XSIAM"])
def test_a_remote_that_is_no_xsoar_is_refused(server: Server, remote: Remote, mode: str) -> None:
    """Given the address of another product of the platform; When Test runs; Then it says which it is and what to enter."""
    remote.fail("GET /about", json={"demistoVersion": "8.8.0", "productMode": mode})

    error = server.fails("test-module")

    assert f"is {mode}, not Cortex XSOAR" in error
    assert "XSOAR Server URL" in error


def test_an_xsoar_8_without_key_id_is_recognised_by_its_error(server: Server, remote: Remote) -> None:
    """Given an XSOAR 8 and an instance without a key ID; When Test runs; Then the 500 that it answers is explained."""
    server.params["credentials_api_key"] = {"password": server.params["credentials_api_key"]["password"]}
    remote.root = "https://api-remote.example.com"
    remote.fail("GET /about", times=9, status_code=500)

    assert "and the API Key ID" in server.fails("test-module")


@pytest.mark.parametrize(
    "spelling", [{}, {"cliName": "closeReason"}, {"id": None}, {"id": None, "cliName": "closeReason"}], ids=str
)
def test_offered_close_reasons_are_found_however_they_are_spelled(
    server: Server, remote: Remote, mirrored: str, spelling: dict[str, Any]
) -> None:
    """Given the remote's field of close reasons; When one is closed here with another reason; Then Other goes, with the notes."""
    remote.offer(["Other"], **spelling)

    pushed(server, mirrored, status=2, data={"closereason": "Benign", "closenotes": "A test."})

    there = remote.incidents[mirrored]
    assert (there["closeReason"], there["closeNotes"]) == ("Other", "Benign: A test.")


def test_debug_mode_names_what_a_delta_holds(server: Server, remote: Remote, mirrored: str) -> None:
    """Given debug mode; When an update goes out; Then the log names the keys of the delta and whether the incident changed."""
    server.params["debug_mode"] = True

    pushed(server, mirrored, delta={"severity": 4, "runStatus": "idle"}, data={"severity": 4})

    line = next(line for line in server.lines("info") if "delta" in line)
    assert "changed True" in line
    assert "runStatus, severity" in line


def test_what_is_kept_of_fields_is_bounded(server: Server, remote: Remote) -> None:
    """Given an incident with 300 custom fields; When it is fetched; Then eight characters are kept for each, and no value."""
    remote.add("1", CustomFields={f"field{number}": f"secret {number}" for number in range(300)})
    server.fetch()

    kept = records_of(server)["1"].fields
    assert len(kept) <= 8 * 350
    assert "secret" not in server.kept_text()
