"""Tests of the commands that people and playbooks run in a War Room."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import demistomock as demisto
import XSOARMirroring as script
from stand_ins import (
    contents,
    record_of,
    with_records,
    ENTRIES,
    HOST_6,
    LAST_UPDATE,
    Remote,
    Server,
    TEMPLATE,
    diff,
    drop,
    error_body,
    ids,
    last_line,
    load,
    local_entry,
    local_of,
    meanwhile,
    modified,
    pushed,
    status,
)

""" WAR ROOM COMMANDS """

OUTPUT_KEY = "XSOAR.Incident(val.id && val.id == obj.id)"


def test_search_gives_a_table_and_the_incidents_under_their_ids(server: Server, remote_6: Remote, requests_mock: Any) -> None:
    """
    Given: a tenant with the captured incident 4.
    When: a person searches without arguments.
    Then: it asks for open incidents of three days, the newest first, and gives them as a table and under XSOAR.Incident.
    """
    captured = {**load("incident_search"), "created": "2026-03-01T10:00:00.123456789Z"}
    requests_mock.post(f"{HOST_6}/incidents/search", json={"data": [captured], "total": 1})

    result = server.ok("xsoar-search-incidents")

    assert requests_mock.last_request.json() == {
        "filter": {
            "query": '(-status:closed -category:job) and created:>="2026-02-26T12:00:00.000Z"',
            "size": 10,
            "page": 0,
            "sort": [{"field": "created", "asc": False}, {"field": "id", "asc": False}],
            "fromDate": "2026-02-26T12:00:00.000Z",
        }
    }
    assert result["EntryContext"] == {OUTPUT_KEY: [captured]}
    assert result["HumanReadable"] == (
        "### Search Results:\n"
        "|id|name|type|status|severity|owner|occurred|\n"
        "|---|---|---|---|---|---|---|\n"
        "| 4 | testing | Unclassified | Active | Unknown | admin | 2023-03-05T10:06:48.446Z |\n"
    )


def test_search_takes_its_arguments_as_they_are(server: Server, remote: Remote) -> None:
    """
    Given: a query that holds an `or`, a start, a number and columns.
    When: a person searches.
    Then: the remote gets the query, its meaning unchanged, and the table has those columns in that order.
    """
    remote.add("1", severity=3)

    result = server.ok(
        "xsoar-search-incidents",
        query='name:"a b" or id:1',
        start_time="2026-03-01T10:00:00Z",
        max_results="3",
        columns="severity, name,id",
    )

    assert (
        remote.bodies("POST /incidents/search")[0]["filter"].items()
        >= {
            "query": '(name:"a b" or id:1) and created:>="2026-03-01T10:00:00.000Z"',
            "size": 3,
            "fromDate": "2026-03-01T10:00:00.000Z",
        }.items()
    )
    assert result["HumanReadable"].splitlines()[1:] == ["|severity|name|id|", "|---|---|---|", "| High | incident 1 | 1 |"]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("status", 0, "Pending"),
        ("status", 2, "Closed"),
        ("status", 9, 9),
        ("severity", 0.5, "Informational"),
        ("severity", 4, "Critical"),
        ("tickets", 4, 4),
        ("status", True, True),
        ("occurred", "2026-11-28T00:37:25.261643115Z", "2026-11-28T00:37:25.261Z"),
        ("occurred", "2026-11-28T00:37:25.261643115+01:00", "2026-11-28T00:37:25.261+01:00"),
        ("occurred", "2026-11-28T00:37:25Z", "2026-11-28T00:37:25Z"),
        ("closed", "0001-01-01T00:00:00Z", ""),
        ("name", "2026-11-28T00:37:25.261643115Z", "2026-11-28T00:37:25.261643115Z"),
        ("contents", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("occurred", "at 2026-11-28T00:37:25.261643115Z", "at 2026-11-28T00:37:25.261643115Z"),
    ],
)
def test_tables_say_words_and_short_times(name: str, value: Any, told: Any) -> None:
    """
    Given: a value of an incident.
    When: it is shown in a table with a column for each field, and in one with a row for each.
    Then: statuses and severities are words, times end at the millisecond, no time is blank, and everything else stays.
    """
    assert script.rows_shown([{name: value}]) == [{name: told}]
    assert script.rows_shown([{"field": name, "here": value, "there": value}]) == [{"field": name, "here": told, "there": told}]


def test_search_shows_every_column_of_all(server: Server, remote: Remote) -> None:
    """
    Given: an incident.
    When: a person searches with columns=all.
    Then: the table has every key of it.
    """
    remote.add("1")

    header = server.ok("xsoar-search-incidents", columns="all")["HumanReadable"].splitlines()[1]

    assert set(header.strip("|").split("|")) == {*TEMPLATE, "changeStatus", "insights", "sortValues"}


@pytest.mark.parametrize("search_limit", [1000, 300], ids=["pages as asked for", "smaller pages"])
@pytest.mark.parametrize(("wanted", "expected"), [("1", 1), ("499", 499), ("1000", 1000), ("5000", 1200)])
def test_search_gives_any_number_of_results(
    server: Server, remote: Remote, search_limit: int, wanted: str, expected: int
) -> None:
    """
    Given: 1,200 incidents, at a remote that may give smaller pages than asked for.
    When: a person searches for some number of them.
    Then: there are that many, or all, the newest first, each once.
    """
    remote.search_limit = search_limit
    remote.add_many(1200)

    result = server.ok("xsoar-search-incidents", max_results=wanted)

    assert [incident["id"] for incident in result["EntryContext"][OUTPUT_KEY]] == [str(1200 - n) for n in range(expected)]


@pytest.mark.parametrize(("count", "is_whole"), [(50, True), (51, False)])
def test_search_keeps_the_context_small_when_there_is_much(server: Server, remote: Remote, count: int, is_whole: bool) -> None:
    """
    Given: 51 incidents.
    When: 50 or 51 of them are asked for.
    Then: all are in the context; the 51 without details and custom fields, which the text says.
    """
    remote.add_many(51)

    result = server.ok("xsoar-search-incidents", max_results=str(count))

    (incidents,) = result["EntryContext"].values()
    assert len(incidents) == count
    assert all(incident["name"] == f"incident {incident['id']}" for incident in incidents)
    assert all(("CustomFields" in incident and "details" in incident) is is_whole for incident in incidents)
    assert ("more than 50" in result["HumanReadable"]) is not is_whole
    assert all("details" in incident for incident in result["Contents"])


def test_search_gives_the_number_asked_for_while_incidents_arrive(server: Server, remote: Remote, requests_mock: Any) -> None:
    """
    Given: a new incident that arrives after the first page, so that all others move on by one place.
    When: a person searches for 1,000.
    Then: there are 1,000, each once.
    """
    remote.add_many(1200)

    def arrive(request: Any) -> None:
        if len(remote.calls) == 1:
            remote.add()

    requests_mock.add_matcher(arrive)

    result = server.ok("xsoar-search-incidents", max_results="1000")

    assert len({incident["id"] for incident in result["EntryContext"][OUTPUT_KEY]}) == 1000


def test_search_says_when_there_is_nothing(server: Server, remote: Remote) -> None:
    """
    Given: no incidents, which the remote says with null.
    When: a person searches.
    Then: the table says so, and nothing goes into the context.
    """
    result = server.ok("xsoar-search-incidents")

    assert "No entries" in result["HumanReadable"]
    assert result["EntryContext"] == {}


@pytest.mark.parametrize("command", ["xsoar-search-incidents", "xsoar-get-incident"])
@pytest.mark.parametrize(
    ("args", "words"),
    [
        *(({"max_results": value}, "max_results is") for value in ("0", "-1", "ten", "1.5", " ")),
        *(({name: "soonish"}, f"{name} is 'soonish'") for name in ("start_time", "from_date")),
        *(({name: "3"}, f"{name} is '3'") for name in ("start_time", "from_date")),
        ({"categories": "notes,comments"}, "categories contains 'comments'"),
        ({"id": ""}, "id is missing"),
        ({"id": "  "}, "id is missing"),
        ({"id": None}, "id is missing"),
    ],
    ids=str,
)
def test_a_wrong_argument_is_said_before_anything_is_asked(
    server: Server, remote: Remote, command: str, args: dict[str, Any], words: str
) -> None:
    """
    Given: an argument that is wrong.
    When: a person runs a command that takes it.
    Then: a sentence names it, and the remote is asked nothing.
    """
    takes = {
        "xsoar-search-incidents": {"start_time", "max_results"},
        "xsoar-get-incident": {"id", "from_date", "categories", "max_results"},
    }
    if set(args) <= takes[command]:
        assert words in server.fails(command, **{"id": "1", **args} if command == "xsoar-get-incident" else args)
        assert remote.calls == []
    else:
        # The other command does not have that argument, so it is of no matter there.
        remote.add("1")
        server.ok(command, id="1", **drop(args, "id"))


def test_a_query_that_the_remote_refuses_is_named(server: Server, remote: Remote) -> None:
    """
    Given: a query that the remote cannot read.
    When: a person searches.
    Then: the error names the query and what the remote says of it.
    """
    remote.fail("POST /incidents/search", times=2, **error_body(400, "bad_query"))

    error = server.fails("xsoar-search-incidents", query="status:(")

    for word in ("'status:('", "unexpected token at position 7", "Correct the query"):
        assert word in error


def test_get_incident_gives_the_incident_and_its_newest_entries(server: Server, remote_6: Remote, requests_mock: Any) -> None:
    """
    Given: a tenant with the captured incident 4 and its entry.
    When: a person gets it.
    Then: it asks for the chats and notes of three days, and gives both as tables and the incident under XSOAR.Incident.
    """
    captured = load("incident_load")
    requests_mock.get(f"{HOST_6}/incident/load/4", json=captured)
    requests_mock.post(f"{HOST_6}/investigation/4", json={"id": "4", "entries": [ENTRIES["chat"]]})

    result = server.ok("xsoar-get-incident", id="4")

    assert requests_mock.last_request.json() == {
        "fromTime": "2026-02-26T12:00:00.000Z",
        "categories": ["chats", "notes"],
        "pageSize": 1000,
    }
    assert result["EntryContext"] == {OUTPUT_KEY: captured}
    assert result["Contents"] == {"incident": captured, "entries": [ENTRIES["chat"]]}
    assert "### Incident testing\n" in result["HumanReadable"]
    assert "### Last entries since 2026-02-26T12:00:00.000Z\n" in result["HumanReadable"]
    assert "| done |" in result["HumanReadable"]


def test_get_incident_takes_its_arguments(server: Server, remote: Remote) -> None:
    """
    Given: an incident with entries of all kinds.
    When: a person gets it with categories, tags, a start and a number.
    Then: the newest of those that match are shown, the oldest first.
    """
    remote.add("1")
    for number in range(7):
        remote.write("1", f"chat {number}", tags=[("a", "b", "c")[number % 3]])
    remote.write("1", "a note", note=True, tags=["a"])
    remote.write("1", "too early", tags=["a"], created="2026-03-01T09:00:00Z")

    result = server.ok(
        "xsoar-get-incident", id="1", categories="chats", tags="a, b", from_date="2026-03-01T10:00:00Z", max_results="3"
    )

    assert [entry["contents"] for entry in result["Contents"]["entries"]] == ["chat 3", "chat 4", "chat 6"]
    assert remote.bodies("POST /investigation")[0].items() >= {"tags": ["a", "b"], "tagsAndOperator": False}.items()


def test_get_incident_shows_entries_beyond_a_page(server: Server, remote: Remote) -> None:
    """
    Given: an incident with 120 entries at a remote that gives the 50 oldest first.
    When: a person gets 110 of them.
    Then: the newest 110 are shown.
    """
    remote.add("1")
    remote.entry_limit, remote.page_keeps = 50, "oldest"
    for number in range(120):
        remote.write("1", str(number))

    result = server.ok("xsoar-get-incident", id="1", max_results="110")

    assert [entry["contents"] for entry in result["Contents"]["entries"]] == [str(number) for number in range(10, 120)]


def test_get_incident_of_a_pending_one_has_no_entries(server: Server, remote: Remote) -> None:
    """
    Given: a pending incident, without a War Room or a name.
    When: a person gets it.
    Then: it is shown, with no entries.
    """
    remote.add("1", investigationId="", status=0, name="")

    result = server.ok("xsoar-get-incident", id=" 1 ")

    assert "### Incident 1\n" in result["HumanReadable"]
    assert result["HumanReadable"].endswith("**No entries.**\n")


""" WAR ROOM COMMANDS: THE MIRROR """


def test_status_tells_how_the_mirror_stands(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """
    Given: a mirror that brought an entry in and another out.
    When: its status is asked for two minutes later.
    Then: it names the remote, what is tracked and what crossed, and how old the cursor is; nothing is pending and nothing failed.
    """
    remote.write(mirrored, "in")
    modified(server)
    server.pull(mirrored)
    pushed(server, mirrored, entries=[local_entry(1, "out")])
    clock.tick(timedelta(minutes=6))
    modified(server)
    server.pull(mirrored)
    clock.tick(timedelta(minutes=2))

    told = status(server)

    assert {key: told[key] for key in ("Instance", "Remote", "RemoteVersion", "RemoteError")} == {
        "Instance": "headquarters",
        "Remote": "api-remote.example.com",
        "RemoteVersion": "8.8.0",
        "RemoteError": "",
    }
    assert {key: told[key] for key in ("IncidentsTracked", "IncidentsOpen", "IncidentsPending", "EntriesIn", "EntriesOut")} == {
        "IncidentsTracked": 1,
        "IncidentsOpen": 1,
        "IncidentsPending": 0,
        "EntriesIn": 1,
        "EntriesOut": 1,
    }
    assert 480 <= told["CursorAgeSeconds"] <= 482
    assert told["EntriesMoveModified"] is True
    assert (told["IncidentsBehind"], told["IncidentsWithError"], told["CreationsPending"]) == (0, 0, 0)
    assert (told["LastError"], told["LastErrorTime"]) == ("", None)
    assert told["LastRoundCalls"] > 0
    assert told["LastFetchCalls"] > 0


@pytest.mark.parametrize("skew", [-3600, 0, 90])
def test_status_tells_how_far_the_remote_clock_is_off(server: Server, remote: Remote, requests_mock: Any, skew: int) -> None:
    """Given a remote whose clock is off; When the status is asked for; Then it says by how much, to a second."""
    date = (datetime.now(UTC) + timedelta(seconds=skew)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    requests_mock.get(f"{remote.root}/about", json=load("about")["8"], headers={"Date": date})

    assert abs(status(server)["ClockSkewSeconds"] - skew) <= 1


def test_status_tells_the_last_error_also_while_the_remote_is_away(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a remote that went away; When a round fails and the status is asked for; Then it says so, and what it knows."""
    remote.fail("", status_code=503, times=99)
    server.fails("get-modified-remote-data", lastUpdate=LAST_UPDATE)

    result = server.ok("xsoar-mirror-status")

    told = status(server)
    assert "is temporarily unavailable (503)" in told["RemoteError"]
    assert (told["RemoteVersion"], told["IncidentsTracked"]) == ("", 1)
    assert "(503)" in told["LastError"]
    assert told["LastErrorCommand"] == "get-modified-remote-data"
    assert told["LastErrorTime"].startswith("2026-03-01T12:")
    assert "temporarily unavailable" in result["HumanReadable"]


def test_the_same_failure_is_noted_every_five_minutes_only(server: Server, remote: Remote, clock: Any) -> None:
    """Given a remote that stays away; When rounds fail each minute; Then the context is written twice in eight of them."""
    remote.fail("", status_code=503, times=999)
    versions = set()
    for _ in range(8):
        server.fails("get-modified-remote-data", lastUpdate=LAST_UPDATE)
        versions.add(server.context_version)
        clock.tick(timedelta(minutes=1))

    assert len(versions) == 2


def test_quiet_rounds_write_the_context_every_five_minutes_only(
    server: Server, remote: Remote, mirrored: str, clock: Any
) -> None:
    """Given nothing that changes; When the server asks each minute for half an hour; Then six rounds at most are noted."""
    modified(server)
    before = server.context_version
    for _ in range(30):
        clock.tick(timedelta(minutes=1))
        modified(server)

    assert 1 <= server.context_version - before <= 6


def test_a_remote_that_refuses_calls_is_noted_once_a_minute(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """Given a remote that refuses all calls; When rounds fail within a minute, and later; Then it is written once a minute."""
    modified(server)
    remote.fail("", status_code=429, headers={"Retry-After": "600"}, times=99)
    versions = []
    for seconds in (60, 20, 20, 60):
        clock.tick(timedelta(seconds=seconds))
        server.fails("get-modified-remote-data", lastUpdate=LAST_UPDATE)
        versions.append(server.context_version)

    assert versions[0] == versions[1] == versions[2] < versions[3]


def test_a_failure_that_cannot_be_noted_is_told_all_the_same(
    server: Server, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an integration context that cannot be written; When a round fails; Then its own error is told."""

    def broken(*args: Any, **kwargs: Any) -> None:
        raise OSError("the context is not available")

    monkeypatch.setattr(demisto, "setIntegrationContextVersioned", broken, raising=False)
    remote.fail("", status_code=503, times=99)

    assert "(503)" in server.fails("get-modified-remote-data", lastUpdate=LAST_UPDATE)


def test_status_of_one_incident(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a mirrored incident and an unknown one; When the status is narrowed to each; Then the one is told, the other said."""
    remote.write(mirrored, "in")
    server.pull(mirrored)
    pushed(server, mirrored, entries=[local_entry(1, "out")])

    told = status(server, id=mirrored)["Incident"]
    unknown = status(server, id="404")["Incident"]

    assert (told["State"], told["EntriesKnown"], told["EntriesSent"], told["ErrorOut"]) == ("In Step", 2, 1, None)
    assert told["Link"] == f"https://remote.example.com/Details/{mirrored}"
    assert told["LastIn"]
    assert told["LastOut"]
    assert unknown["State"] == "Not mirrored by this instance"


def test_status_survives_a_damaged_context(server: Server, remote: Remote) -> None:
    """Given a context whose health is damaged; When the status is asked for; Then it tells what is left."""
    health = {"round_ms": "yesterday", "entries_in": 7, "unknown": 1}
    server.context = json.dumps({script.MEMORY_KEY: script.squeezed({"health": health, "creating": 5})})

    told = status(server)

    assert (told["LastRound"], told["EntriesIn"], told["EntriesOut"]) == (None, 7, 0)


def test_diff_compares_what_crosses(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a mirrored incident that differs in a field, in a custom field, and in much that never crosses.
    When: the diff runs in its War Room.
    Then: the two fields are told with both values, the rest is named with the reason, and nothing is written anywhere.
    """
    remote.incidents[mirrored] |= {"severity": 3, "roles": ["secret"]}
    remote.incidents[mirrored]["CustomFields"] |= {
        "ticket": "C-1",
        "containmentsla": {"runStatus": "idle", "accumulatedPause": 1},
    }
    server.incident = local_of(remote, mirrored, severity=1, roles=None, type="Other", dueDate="0001-01-01T00:00:00Z")
    server.incident["CustomFields"] |= {"ticket": "", "xsoarmirroringstate": "In Step"}
    server.incident["CustomFields"].pop("containmentsla")
    remote.incidents[mirrored]["dueDate"] = ""
    before, writes = server.context, len(remote.writes())

    result = server.ok("xsoar-mirror-diff")
    told = diff(server)

    assert (told["id"], told["equal"], told["different"]) == (mirrored, False, ["severity", "ticket"])
    (severity,) = [row for row in told["fields"] if row["field"] == "severity"]
    assert (severity["here"], severity["there"], severity["equal"]) == (1, 3, False)
    assert {row["field"] for row in told["ignored"]} == {"type", "roles", "containmentsla"}
    assert all(row["reason"] for row in told["ignored"])
    assert "2 fields differ" in result["HumanReadable"]
    assert (server.context, len(remote.writes())) == (before, writes)


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ({"details": ""}, {"details": None}),
        ({"dueDate": "2026-03-04T05:06:07.008Z"}, {"dueDate": "2026-03-04T06:06:07.008123+01:00"}),
        ({"dueDate": "0001-01-01T00:00:00Z"}, {"dueDate": ""}),
        ({"status": 0}, {"status": 1}),
        ({"CustomFields": None}, {"CustomFields": {}}),
        ({"CustomFields": {"grid": []}}, {"CustomFields": {"grid": None}}),
    ],
    ids=["empty", "one instant", "no date", "pending", "no custom fields", "empty list"],
)
def test_diff_takes_for_equal_what_means_the_same(
    server: Server, remote: Remote, mirrored: str, here: dict[str, Any], there: dict[str, Any]
) -> None:
    """Given two spellings of one value; When the diff runs; Then the incidents are equal."""
    server.incident = local_of(remote, mirrored, **here)
    if "CustomFields" not in there:
        server.incident.setdefault("CustomFields", {})
    remote.incidents[mirrored] |= there

    told = diff(server)

    assert (told["equal"], told["different"]) == (True, [])


def test_diff_takes_the_incident_of_a_playbook(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a command that runs nowhere; When the incident is given as JSON, as an object or in a list; Then it is compared."""
    local = local_of(remote, mirrored, name="another")
    for given in (json.dumps(local), local, [local], json.dumps([local])):
        assert diff(server, incident=given)["different"] == ["name"]


def test_diff_of_an_incident_that_is_to_be_linked(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a local incident that mirrors nothing; When the diff is asked with a remote ID; Then they are compared."""
    server.incident = local_of(remote, mirrored, dbotMirrorId="", dbotMirrorInstance="", name="another")

    assert diff(server, id=mirrored)["different"] == ["name"]


@pytest.mark.parametrize("command", ["xsoar-mirror-diff", "xsoar-mirror-resync"])
@pytest.mark.parametrize(
    ("incident", "sentence"),
    [
        (None, "id is missing: run the command in the War Room of a mirrored incident"),
        ({"id": "77", "dbotMirrorId": ""}, "id is missing"),
        ({"dbotMirrorId": "1", "dbotMirrorInstance": "another one"}, 'add using="another one" to the command'),
    ],
    ids=["nowhere", "not mirrored", "another instance"],
)
def test_a_command_that_does_not_know_its_incident_says_so(
    server: Server, remote: Remote, command: str, incident: dict[str, Any] | None, sentence: str
) -> None:
    """Given no ID and no incident that this instance mirrors; When the command runs; Then it says what to give."""
    server.incident = incident

    assert sentence in server.fails(command)
    assert remote.calls == []


@pytest.mark.parametrize("command", ["xsoar-mirror-diff", "xsoar-mirror-resync"])
@pytest.mark.parametrize("given", ["no JSON", "[]", "7", [7]])
def test_what_is_no_incident_is_refused(server: Server, remote: Remote, command: str, given: Any) -> None:
    """Given an argument that is no incident; When the command runs; Then it says what to give."""
    assert "incident is not JSON of an incident" in server.fails(command, id="1", incident=given)


def test_diff_without_a_local_incident_says_so(server: Server, remote: Remote, mirrored: str) -> None:
    """Given the playground; When the diff is asked with a remote ID; Then it says where to run it."""
    assert "There is no local incident" in server.fails("xsoar-mirror-diff", id=mirrored)


@pytest.mark.parametrize("command", ["xsoar-mirror-diff", "xsoar-mirror-resync"])
def test_a_remote_incident_that_does_not_exist_is_said(server: Server, remote: Remote, command: str) -> None:
    """Given an ID that the remote does not have; When the command runs; Then it says so and remembers nothing."""
    before = server.memory()

    assert "(404)" in server.fails(command, id="404", incident={"name": "x"})
    assert server.memory() == before


def test_resync_brings_all_that_is_missing_once(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: a mirrored incident fetched without its history, with an entry that came in since.
    When: it is resynced in its War Room.
    Then: the next round tells of it and brings all fields and the earlier entry, and not again what came; the one after nothing.
    """
    remote.add("1")
    remote.write("1", "before the fetch")
    clock.tick(timedelta(minutes=1))
    server.fetch()
    clock.tick(timedelta(minutes=1))
    remote.write("1", "after the fetch")
    modified(server)
    server.pull("1")
    assert modified(server) == []
    server.incident = local_of(remote, "1")

    result = server.ok("xsoar-mirror-resync")

    assert "all fields and the earlier entries that were not mirrored in yet" in result["HumanReadable"]
    assert modified(server) == ["1"]
    fields, entries = server.pull("1")
    assert fields["name"] == "incident 1"
    assert [last_line(entry) for entry in entries] == ["before the fetch"]
    assert modified(server) == []
    assert server.pull("1") == ({"id": "1"}, [])


@pytest.mark.parametrize(
    ("args", "has_fields", "texts"),
    [
        ({"entries": "false"}, True, []),
        ({"fields": "false"}, False, ["before the fetch"]),
    ],
)
def test_resync_of_a_part(
    server: Server, remote: Remote, clock: Any, args: dict[str, Any], has_fields: bool, texts: list[str]
) -> None:
    """Given a mirrored incident; When only its fields or only its entries are resynced; Then only these come."""
    remote.add("1")
    remote.write("1", "before the fetch")
    clock.tick(timedelta(minutes=1))
    server.fetch()
    modified(server)
    server.pull("1")

    server.ok("xsoar-mirror-resync", id="1", **args)

    fields, entries = server.pull("1")
    assert ("name" in fields) is has_fields
    assert [last_line(entry) for entry in entries] == texts


def test_status_of_an_incident_that_cannot_be_read(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a mirrored incident that was deleted there; When a round saw it; Then the status says so."""
    modified(server)
    remote.incidents.pop(mirrored)
    server.pull(mirrored)

    told = status(server, id=mirrored)

    assert (told["Incident"]["State"], told["IncidentsWithError"]) == ("Error", 1)
    assert "404" in told["Incident"]["ErrorIn"]
    assert told["Incident"]["NextTry"].startswith("2026-03-01T13:")


def test_status_names_no_time_for_what_is_due_at_once(server: Server, remote: Remote, mirrored: str) -> None:
    """Given an incident that was resynced twice; When its status is asked for; Then it is pending, with no other time."""
    server.ok("xsoar-mirror-resync", id=mirrored)
    server.ok("xsoar-mirror-resync", id=mirrored)

    told = status(server, id=mirrored)["Incident"]

    assert (told["Pending"], told["NextTry"]) == (True, None)


def test_resync_of_nothing_is_refused(server: Server, remote: Remote, mirrored: str) -> None:
    """Given neither fields nor entries; When a resync is asked for; Then it says what to set."""
    assert "There is nothing to resync" in server.fails("xsoar-mirror-resync", id=mirrored, fields="no", entries="no")
    assert server.fails("xsoar-mirror-resync", id=mirrored, fields="perhaps") == "fields is 'perhaps': give true or false."


def test_resync_where_nothing_comes_in_says_so(server: Server, remote: Remote) -> None:
    """Given an instance that mirrors outgoing only; When a resync is asked for; Then it says what that means."""
    server.params["mirror_direction"] = "Outgoing"
    remote.add("1")
    server.fetch()

    assert "The instance does not mirror in" in server.ok("xsoar-mirror-resync", id="1")["HumanReadable"]


def test_an_incident_may_be_linked_without_its_earlier_entries(server: Server, remote: Remote, clock: Any) -> None:
    """Given an incident whose entries are here already; When it is linked without them; Then only what is new comes."""
    remote.add("5")
    remote.write("5", "here already")
    clock.tick(timedelta(minutes=1))
    server.incident = local_of(remote, "5")
    server.ok("xsoar-mirror-resync", entries="false")
    clock.tick(timedelta(minutes=1))
    remote.write("5", "new")

    fields, entries = server.pull("5")

    assert (fields["name"], [last_line(entry) for entry in entries]) == ("incident 5", ["new"])


def test_resync_begins_to_mirror_an_incident_that_was_linked(server: Server, remote: Remote, clock: Any) -> None:
    """Given an incident that was never fetched; When it is linked and resynced; Then the next round brings it whole."""
    remote.add("5", created="2025-01-01T00:00:00Z", modified="2025-01-01T00:00:00Z")
    remote.write("5", "long ago", created="2025-01-01T00:00:00Z", modified="2025-01-01T00:00:00Z")
    server.incident = local_of(remote, "5")

    server.ok("xsoar-mirror-resync")

    assert modified(server) == ["5"]
    fields, entries = server.pull("5")
    assert (fields["name"], [last_line(entry) for entry in entries]) == ("incident 5", ["long ago"])


@pytest.mark.parametrize("before", ["nothing", "an update went out", "a pull"])
def test_an_incident_that_was_linked_by_hand_is_not_fetched(server: Server, remote: Remote, clock: Any, before: str) -> None:
    """Given an incident that was linked by hand, and what the server did at once; When it is resynced; Then it is not fetched."""
    remote.add("1")
    clock.tick(timedelta(minutes=1))
    server.incident = local_of(remote, "1")
    if before == "an update went out":
        pushed(server, "1", delta={"dbotMirrorId": "1"})
    elif before == "a pull":
        server.pull("1")
    server.ok("xsoar-mirror-resync")

    assert ids(server.fetch()) == []


@pytest.mark.parametrize("as_json", [True, False])
def test_resync_takes_the_incident_of_a_script(server: Server, remote: Remote, as_json: bool) -> None:
    """Given a command that runs nowhere; When an incident that was linked is given; Then it is resynced, and not fetched."""
    remote.add("5", name="theirs")
    local = local_of(remote, "5", name="ours", sourceBrand="Manual")

    server.ok("xsoar-mirror-resync", id="5", incident=json.dumps(local) if as_json else local)

    assert modified(server) == ["5"]
    assert server.pull("5")[0]["name"] == "theirs"
    assert server.fetch() == []


@pytest.mark.parametrize("direction", ["None", "Incoming"])
def test_resync_of_what_this_instance_does_not_mirror_is_refused(server: Server, remote: Remote, direction: str) -> None:
    """Given an ID that no incident here mirrors; When a resync is asked for; Then it says where to run it; nothing is kept."""
    server.params["mirror_direction"] = direction
    remote.add("1")

    assert "This instance does not mirror incident 1" in server.fails("xsoar-mirror-resync", id="1")
    assert server.memory() == ({}, {}, {})


def test_a_resync_with_an_id_in_an_incident_of_another_instance_is_refused(server: Server, remote: Remote) -> None:
    """Given an incident that another instance mirrors; When this one is to resync its ID; Then it refuses, and may fetch it."""
    remote.add("1")
    server.incident = local_of(remote, "1", dbotMirrorInstance="another")

    assert 'using="another"' in server.fails("xsoar-mirror-resync", id="1")
    assert ids(server.fetch()) == ["1"]


def test_a_resync_during_a_pull_is_not_lost(server: Server, remote: Remote, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: an incident fetched without its history, which changed.
    When: it is resynced while get-remote-data is at work.
    Then: the next round tells of it again and brings what the resync asked for.
    """
    remote.add("1")
    remote.write("1", "before the fetch")
    clock.tick(timedelta(minutes=1))
    server.fetch()
    modified(server)
    server.pull("1")
    remote.change("1", details="new")
    modified(server)
    settings = script.parse_settings(server.params, "headquarters")
    meanwhile(monkeypatch, lambda client: script.mirror_resync_command(client, settings, {"id": "1"}))
    server.pull("1")

    assert modified(server) == ["1"]
    assert [last_line(entry) for entry in server.pull("1")[1]] == ["before the fetch"]


def test_what_is_linked_while_a_fetch_reads_files_is_not_brought(
    server: Server, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Given: two new remote incidents.
    When: one of them is linked to a local one by hand while the fetch reads files.
    Then: only the other one comes, then and later.
    """
    remote.add("1")
    remote.add("2")
    deliver = script.delivered_whole

    def linked_meanwhile(found: Any) -> Any:
        script.change_store(lambda store: store.with_records({"1": script.Record(origin=script.LINKED)}))
        return deliver(found)

    with monkeypatch.context() as patched:
        patched.setattr(script, "delivered_whole", linked_meanwhile)
        brought = server.fetch()

    assert [incident["dbotMirrorId"] for incident in brought] == ["2"]
    assert server.fetch() == []


def test_a_resync_during_a_fetch_is_not_lost(server: Server, remote: Remote) -> None:
    """Given an incident that is linked while a fetch is at work; When the fetch ends; Then its record stays as it was left."""
    remote.add("1")

    def link(context: dict[str, Any]) -> None:
        context.update(with_records(context, {"1": script.Record(origin=script.LINKED, wanted=1)}))

    server.rivals = [link]
    server.fetch()

    assert record_of(server, "1") == script.Record(origin=script.LINKED, wanted=1)


@pytest.mark.parametrize("entries", ["true", "false"])
def test_a_resync_of_what_was_forgotten_doubles_nothing(server: Server, remote: Remote, clock: Any, entries: str) -> None:
    """
    Given: a fetched incident whose entry came in, that was closed, and forgotten a month later.
    When: it is resynced in its War Room.
    Then: its fields come, and neither the entry nor the closing a second time; the answer says so.
    """
    remote.add("1")
    server.fetch()
    remote.write("1", "once")
    modified(server)
    assert len(server.pull("1")[1]) == 1
    remote.close("1")
    modified(server)
    server.pull("1")
    clock.tick(timedelta(days=31))
    modified(server)
    server.incident = local_of(remote, "1", sourceBrand="XSOAR Mirroring")

    said = server.ok("xsoar-mirror-resync", entries=entries)["HumanReadable"]

    fields, arrived = server.pull("1")
    assert (fields["name"], arrived) == ("incident 1", [])
    assert "record of its earlier entries is gone" in said


def test_a_resync_tells_that_an_incident_is_open_here_again(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an incident that was closed here alone, an entry tagged there, and a reopening here of which no update tells.
    When: it is resynced in its War Room.
    Then: the entry that waited comes.
    """
    server.params["close_out"] = False
    pushed(server, mirrored, status=2)
    remote.write(mirrored, "while it was closed here")
    assert contents(server.pull(mirrored)[1]) == []
    server.incident = local_of(remote, mirrored, sourceBrand="XSOAR Mirroring", status=1)

    server.ok("xsoar-mirror-resync")

    assert contents(server.pull(mirrored)[1]) == ["while it was closed here"]
