"""Tests of update-remote-system as far as it changes incidents of the remote or creates them."""

import copy
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests

import demistomock as demisto
from stand_ins import (
    NOW,
    REPORT,
    Remote,
    Server,
    TEMPLATE,
    drop,
    error_body,
    local_entry,
    memory_of,
    modified,
    push,
    pushed,
    records_of,
)

""" OUT: FIELDS """


def saved(remote: Remote) -> list[Any]:
    """Return the bodies of the incidents that were written."""
    return [call.body for call in remote.asked("POST /incident") if call.route == "POST /incident"]


def test_a_change_goes_into_the_whole_incident_as_it_is_now(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: local changes of a field, of custom fields under their names and nested, and of one the incident lacks yet.
    When: they are sent.
    Then: the remote gets its whole incident with exactly these changed, each in its place, at the version it has; XSOAR REST
        API: what is left out is wiped.
    """
    before = copy.deepcopy(remote.incidents[mirrored])
    delta = {"details": "new", "isactive": "false", "customerticket": "T-1", "CustomFields": {"mailfrom": "eve@example.com"}}

    assert pushed(server, mirrored, delta=delta) == mirrored

    custom = {**before["CustomFields"], "isactive": "false", "customerticket": "T-1", "mailfrom": "eve@example.com"}
    assert saved(remote) == [{**before, "details": "new", "CustomFields": custom}]


def test_the_schema_of_the_remote_is_read_only_for_fields_the_incident_lacks(
    server: Server, remote: Remote, mirrored: str
) -> None:
    """
    Given: changes of fields that the remote incident has, and then of two that it lacks, with a conflict.
    When: they are sent.
    Then: the first take one call to read and one to write, the second read the schema once.
    """
    pushed(server, mirrored, delta={"details": "new", "isactive": "false"})
    assert [call.route for call in remote.calls] == [f"GET /incident/load/{mirrored}", "POST /incident"]
    remote.fail("POST /incident$", **error_body(400, "optimistic_lock"))

    pushed(server, mirrored, delta={"customerticket": "T-1", "mailfrom": "eve@example.com"})

    assert len(remote.asked("GET /incidentfields")) == 1
    assert remote.incidents[mirrored]["CustomFields"].items() >= {"customerticket": "T-1", "mailfrom": "eve@example.com"}.items()


def test_the_schema_of_the_remote_is_kept_and_read_anew_for_an_unknown_field(
    server: Server, remote: Remote, mirrored: str
) -> None:
    """
    Given: a schema that was read once, and a custom field that the remote gets later.
    When: fields of the kept schema are sent for an incident that lacks them, then the later one.
    Then: only the later one costs a second reading, and it arrives, also when it is sent again for an incident that lacks it.
    """
    pushed(server, mirrored, delta={"customerticket": "T-1"})
    pushed(server, mirrored, delta={"mailfrom": "eve@example.com"})
    assert len(remote.asked("GET /incidentfields")) == 1
    added = {**remote.incident_fields[-1], "id": "incident_later", "cliName": "later", "system": False, "group": 0}
    remote.incident_fields = [*remote.incident_fields, added]

    pushed(server, mirrored, delta={"later": "x"})
    pushed(server, mirrored, delta={"later": "y"})
    remote.incidents[mirrored]["CustomFields"].pop("later")
    pushed(server, mirrored, delta={"later": "z"})

    assert len(remote.asked("GET /incidentfields")) == 2
    assert remote.incidents[mirrored]["CustomFields"]["later"] == "z"


def test_a_known_field_goes_out_though_the_fields_cannot_be_read(
    server: Server, remote: Remote, mirrored: str, clock: Any
) -> None:
    """
    Given: a custom field that was sent before, and hours later a key that may no longer ask for the remote's fields.
    When: it is sent again for an incident that lacks it, with another change.
    Then: both arrive.
    """
    pushed(server, mirrored, delta={"customerticket": "T-1"})
    del remote.incidents[mirrored]["CustomFields"]["customerticket"]
    clock.tick(timedelta(hours=5))
    remote.fail("GET /incidentfields", times=9, status_code=403)

    pushed(server, mirrored, delta={"customerticket": "T-2", "details": "new"})

    incident = remote.incidents[mirrored]
    assert (incident["CustomFields"]["customerticket"], incident["details"]) == ("T-2", "new")


def test_many_custom_fields_cost_no_more_looks_at_the_context(
    server: Server, remote: Remote, mirrored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Given: 20 custom fields that the remote has and its incident lacks.
    When: one of them is sent, and all of them.
    Then: the integration context is read as often.
    """
    names = [f"extra{number}" for number in range(20)]
    remote.incident_fields += [{"id": f"incident_{name}", "cliName": name, "system": False, "group": 0} for name in names]
    pushed(server, mirrored, delta={names[0]: "x"})
    reads: list[Any] = []
    plain = demisto.getIntegrationContextVersioned

    def counted(*args: Any) -> Any:
        reads.append(args)
        return plain(*args)

    monkeypatch.setattr(demisto, "getIntegrationContextVersioned", counted)
    counts = []
    for delta in ({names[1]: "y"}, dict.fromkeys(names, "z")):
        reads.clear()
        pushed(server, mirrored, delta=delta)
        counts.append(len(reads))

    assert counts[0] == counts[1]
    assert {remote.incidents[mirrored]["CustomFields"][name] for name in names} == {"z"}


SERVER_OWNED = {
    "id": "99",
    "version": -1,
    "modified": NOW,
    "created": NOW,
    "autime": 1,
    "sequenceNumber": 5,
    "primaryTerm": 6,
    "status": 2,
    "runStatus": "completed",
    "roles": ["r"],
    "previousRoles": ["r"],
    "playbookId": "p",
    "labels": [{"type": "x", "value": "x"}],
    "hasRole": True,
    "xsoarReadOnlyRoles": ["r"],
    "sla": 5,
    "investigationId": "99",
    "sourceBrand": "x",
    "sourceInstance": "x",
    "rawJSON": "{}",
    "rawName": "x",
    "rawType": "x",
    "openDuration": 7,
    "closingUserId": "lea",
    "dbotMirrorId": "99",
    "dbotMirrorDirection": "In",
    "dbotDirtyFields": ["x"],
    "dbotCurrentDirtyFields": ["x"],
    "attachment": [{"name": "x", "path": "x"}],
    "linkedIncidents": ["x"],
}


def test_what_the_remote_server_owns_never_goes(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a delta with one change of a person and all the keys that a server keeps for itself.
    When: it is sent.
    Then: only the person's change is written.
    """
    before = copy.deepcopy(remote.incidents[mirrored])

    pushed(server, mirrored, delta={**SERVER_OWNED, "details": "new"})

    assert saved(remote) == [{**before, "details": "new"}]


@pytest.mark.parametrize(
    "delta",
    [
        pytest.param(SERVER_OWNED, id="owned by the server"),
        pytest.param({"nowhere": "x"}, id="unknown to the remote"),
        pytest.param({"containmentsla": {"runStatus": "running", "accumulatedPause": 5, "sla": 30}}, id="a timer"),
        pytest.param({"CustomFields": {"triagesla": {"runStatus": "running", "accumulatedPause": 5}}}, id="a nested timer"),
        pytest.param({"details": TEMPLATE["details"], "isactive": "true"}, id="equal already"),
        pytest.param({"CustomFields": None}, id="null custom fields"),
        pytest.param({}, id="empty"),
        pytest.param(None, id="null"),
    ],
)
def test_what_changes_nothing_there_is_not_written(
    server: Server, remote: Remote, mirrored: str, delta: dict[str, Any] | None
) -> None:
    """
    Given: a delta of which nothing is to go, or that the remote has already.
    When: it is sent.
    Then: nothing is written, and the server is told the remote ID.
    """
    assert pushed(server, mirrored, delta=delta) == mirrored

    assert remote.writes() == []


def test_a_custom_field_may_be_named_like_what_the_server_owns(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: custom fields of the remote whose names begin like keys of the server.
    When: changes of them are sent.
    Then: they are written: they are the customer's, and nothing of his is lost.
    """
    remote.incidents[mirrored]["CustomFields"] |= {"xsoarcustomer": "a", "haintegrationpartner": "b"}

    pushed(server, mirrored, delta={"xsoarcustomer": "new", "CustomFields": {"haintegrationpartner": "new"}})

    custom = remote.incidents[mirrored]["CustomFields"]
    assert (custom["xsoarcustomer"], custom["haintegrationpartner"]) == ("new", "new")


def test_an_incident_that_did_not_change_is_not_written(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an update with a delta although the server says that the incident did not change.
    When: it is sent.
    Then: nothing is written.
    """
    pushed(server, mirrored, delta={"details": "new"}, incidentChanged=False)

    assert remote.writes() == []


def rival(remote: Remote, incident_id: str, times: int) -> Callable[[Any], None]:
    """Return a matcher for requests-mock that lets somebody else change the incident before the next writes."""
    left = iter(range(times))

    def change(request: Any) -> None:
        if request.method == "POST" and str(request.url).endswith("/incident") and next(left, None) is not None:
            remote.change(incident_id, owner=f"rival of version {remote.incidents[incident_id]['version']}", phase="theirs")

    return change


def test_a_change_of_somebody_else_meanwhile_is_kept(
    server: Server, remote: Remote, mirrored: str, requests_mock: Any, naps: list[float]
) -> None:
    """
    Given: somebody else who changes the remote incident before each of our first two writes.
    When: a local change is sent.
    Then: it is applied to what they made of it: both are there, and the pauses between the tries grow.
    """
    requests_mock.add_matcher(rival(remote, mirrored, 2))

    pushed(server, mirrored, delta={"details": "ours"})

    incident = remote.incidents[mirrored]
    assert (incident["details"], incident["phase"], incident["owner"]) == ("ours", "theirs", "rival of version 2")
    assert [body["version"] for body in saved(remote)] == [1, 2, 3]
    assert 0 < naps[0] < naps[1]


@pytest.mark.parametrize("body", ["optimistic_lock", "elastic_conflict"])
def test_a_conflict_without_end_is_an_error(server: Server, remote: Remote, mirrored: str, body: str) -> None:
    """
    Given: a remote where somebody else is always first.
    When: a local change is sent.
    Then: after some tries it is an error that says so, and no version is forced.
    """
    remote.fail("POST /incident$", times=99, **error_body(400, body))

    error = push(server, mirrored, delta={"details": "ours"}).error

    assert "Somebody else changed" in error
    assert f"Incident {mirrored}" in error
    assert 2 <= len(saved(remote)) <= 10
    assert {body["version"] for body in saved(remote)} == {1}


def test_our_own_change_does_not_come_back_in(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a local change that was sent, which moves the remote's `modified`.
    When: a round tells the incident, and it is pulled.
    Then: no fields come back.
    """
    assert server.pull(mirrored)[0] == {"id": mirrored}

    pushed(server, mirrored, delta={"details": "ours"})

    assert modified(server) == [mirrored]
    fields, entries = server.pull(mirrored)
    assert (set(fields), entries) == ({"id", "mirror_remote_owner", *REPORT}, [])
    assert server.pull(mirrored) == ({"id": mirrored}, [])


def test_a_remote_change_just_before_ours_still_comes_in(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a remote change that no round has brought yet, and then a local change that is sent.
    When: the incident is pulled.
    Then: the remote change comes in.
    """
    remote.change(mirrored, phase="theirs")
    pushed(server, mirrored, delta={"details": "ours"})

    assert server.pull(mirrored)[0]["phase"] == "theirs"


def test_an_answer_without_the_incident_counts_as_written(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a remote that answers a write with an empty body.
    When: a local change is sent.
    Then: that is no error.
    """
    remote.fail("POST /incident$", text="", after=True)

    pushed(server, mirrored, delta={"details": "ours"})

    assert remote.incidents[mirrored]["details"] == "ours"


""" OUT: CREATING """

LOCAL = {
    **SERVER_OWNED,
    "name": "from here",
    "type": "Phishing",
    "severity": 2,
    "customerticket": "T-1",
    "CustomFields": {"mailfrom": "eve@example.com", "containmentsla": {"runStatus": "idle", "accumulatedPause": 0}},
}


def test_an_incident_is_created_with_its_custom_fields_and_a_war_room(server: Server, remote: Remote) -> None:
    """
    Given: a local incident that the remote does not have.
    When: update-remote-system runs without a remote ID.
    Then: it is created with its fields, the custom ones in their place, without what a server owns; its new ID is given.
    """
    new_id = pushed(server, "", data=LOCAL, delta={"severity": 2})

    assert new_id == "1"
    (body,) = saved(remote)
    assert body["createInvestigation"] is True
    assert (body["name"], body["type"], body["severity"]) == ("from here", "Phishing", 2)
    assert body["CustomFields"].items() >= {"mailfrom": "eve@example.com", "customerticket": "T-1"}.items()
    assert "containmentsla" not in body["CustomFields"]
    assert "customerticket" not in body
    owned = drop(SERVER_OWNED, "sourceBrand", "dbotMirrorId")  # With these it may say where it comes from.
    assert not [key for key in owned if key in body and body[key] == owned[key]]


def test_an_update_by_hand_creates_nothing(server: Server, remote: Remote) -> None:
    """
    Given: a person who runs update-remote-system without what the server gives.
    When: it runs.
    Then: it refuses, and does not count it as an error of the mirror.
    """
    assert "Nothing to send" in server.fails("update-remote-system")
    assert (remote.calls, memory_of(server).health.errors) == ([], {})


@pytest.mark.parametrize("data", [{}, {"name": ""}, {"name": None}, None], ids=["none", "blank", "null", "no data"])
def test_an_incident_without_a_name_is_created_with_one(server: Server, remote: Remote, data: dict[str, Any] | None) -> None:
    """
    Given: a local incident whose name the mapper does not send. XSOAR REST API: 8.x needs one.
    When: it is created.
    Then: it has a name.
    """
    pushed(server, "", data=data)

    assert saved(remote)[0]["name"]


def test_entries_and_changes_follow_to_the_created_incident(server: Server, remote: Remote) -> None:
    """
    Given: a local incident with an entry, without a remote one.
    When: it is created, and updated again.
    Then: the entry is there once, and neither it nor the fields come back in.
    """
    new_id = pushed(server, "", data=LOCAL, entries=[local_entry(1, "hello")])
    pushed(server, new_id, data=LOCAL, entries=[local_entry(1, "hello")])

    (entry,) = remote.entries[new_id]
    assert entry["contents"].endswith("hello")
    remote.tag(entry, "share")
    assert server.pull(new_id)[1] == []


@pytest.mark.parametrize("delta", [{"owner": "lea"}, None], ids=["changes", "no changes"])
@pytest.mark.parametrize("fault", ["the answer to the creation is lost", "the entry fails"])
def test_what_changes_here_while_a_creation_is_repeated_goes_too(
    server: Server, remote: Remote, delta: dict[str, Any] | None, fault: str
) -> None:
    """
    Given: a creation that succeeded there and whose update failed all the same.
    When: a field changes here, and the server asks for the creation again, naming the change or not.
    Then: there is one remote incident, and it holds the change.
    """
    if fault == "the entry fails":
        remote.fail("POST /entry", status_code=503)
    else:
        remote.fail("POST /incident$", requests.exceptions.ConnectionError("reset"), after=True)
    data = {"id": "77", "name": "from here", "owner": "carl"}
    assert push(server, "", data=data, delta={"owner": "carl"}, entries=[local_entry(1, "hello")]).error

    pushed(server, "", data={**data, "owner": "lea"}, delta=delta, entries=[local_entry(1, "hello")], incidentChanged=True)

    assert [incident["owner"] for incident in remote.incidents.values()] == ["lea"]


def test_what_is_deleted_before_its_creation_is_complete_is_created_anew(server: Server, remote: Remote) -> None:
    """
    Given: a remote incident that was created from here, and deleted before an entry was in it.
    When: the server asks for the creation again, twice.
    Then: it is created once more with all of it, and nothing of the first is remembered.
    """
    remote.fail("POST /entry", status_code=503)
    data = {"id": "77", "name": "from here"}
    assert push(server, "", data=data, delta={}, entries=[local_entry(1, "hello")]).error
    (first,) = remote.incidents
    del remote.incidents[first]
    remote.add(str(int(first) + 1))

    for _ in range(2):
        created = pushed(server, "", data=data, delta={}, entries=[local_entry(1, "hello")])
        assert remote.incidents[created]["name"] == "from here"
        assert [entry["contents"].splitlines()[-1] for entry in remote.entries[created]] == ["hello"]

    assert list(records_of(server)) == [created]


def test_an_incident_that_the_remote_drops_is_an_error(server: Server, remote: Remote) -> None:
    """
    Given: a pre-processing rule of the remote that drops the new incident: it answers 200 with an empty body.
    When: it is created.
    Then: the server sees an error that says what to do, and no ID.
    """
    remote.drops_new_incidents = True

    error = push(server, "", data=LOCAL).error

    assert "dropped" in error
    assert "pre-processing rules" in error


@pytest.mark.parametrize("identity", [{"id": "4711"}, {}], ids=["with the local ID", "without"])
def test_creating_is_not_doubled_by_a_lost_answer(server: Server, remote: Remote, identity: dict[str, Any]) -> None:
    """
    Given: a remote that creates the incident and whose answer is lost; the mapper may or may not send the local ID.
    When: the server sends the update again.
    Then: there is one incident, and the server gets its ID.
    """
    remote.fail("POST /incident$", requests.exceptions.ConnectionError("reset"), after=True)
    data = {**drop(LOCAL, "id"), **identity}
    assert push(server, "", data=data).error

    new_id = pushed(server, "", data=data)

    assert [new_id] == list(remote.incidents)
    (created,) = saved(remote)
    assert remote.bodies("POST /incidents/search")[-1]["filter"]["query"] == f'dbotMirrorId:"{created["dbotMirrorId"]}"'


@pytest.mark.parametrize("identity", [({"id": "1"}, {"id": "2"}), ({}, {})], ids=["with their local IDs", "without"])
def test_two_local_incidents_that_look_alike_become_two(
    server: Server, remote: Remote, identity: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """
    Given: two local incidents with the same fields, as one rule makes them; the mapper may or may not send their IDs.
    When: they are created in the remote.
    Then: there are two: none is taken for the other.
    """
    new_ids = [pushed(server, "", data={**drop(LOCAL, "id"), **each}) for each in identity]

    assert sorted(new_ids) == sorted(remote.incidents) == ["1", "2"]


def test_an_incident_we_created_there_is_not_fetched_back(server: Server, remote: Remote) -> None:
    """
    Given: an incident that this instance created in the remote tenant, which calls it `Manual` unless told otherwise.
    When: a fetch runs.
    Then: it does not come back as a new incident.
    """
    pushed(server, "", data=LOCAL)

    assert server.fetch() == []


@pytest.mark.parametrize(
    ("rule", "stands", "told"),
    [
        ("Remote wins", "theirs", "The remote value wins and is mirrored in. If the local value is right, set it again."),
        ("Local wins", "ours", "The local value wins in both tenants. If the remote value is right, set it here."),
    ],
)
def test_a_field_that_both_sides_changed_follows_the_rule_and_is_noted_once(
    server: Server, remote: Remote, mirrored: str, rule: str, stands: str, told: str
) -> None:
    """
    Given: a field that somebody changed in each tenant since both held the same.
    When: the local change goes out, and two pulls follow.
    Then: the value that the rule names stands in the remote, and one note here names both values and the one that stands.
    """
    server.params["conflicts"] = rule
    server.pull(mirrored)
    remote.change(mirrored, details="theirs")

    pushed(server, mirrored, delta={"details": "ours"}, data={"details": "ours"})
    _, entries = server.pull(mirrored)

    assert remote.incidents[mirrored]["details"] == stands
    assert ["There: theirs. Here: ours." in entry["Contents"] and entry["Contents"].endswith(told) for entry in entries] == [True]
    assert server.pull(mirrored)[1] == []


def test_a_note_of_a_conflict_shows_values_as_people_write_them(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a list that both sides changed; When the local change goes out; Then the note shows both with their own letters."""
    server.pull(mirrored)
    remote.change(mirrored, CustomFields={**remote.incidents[mirrored]["CustomFields"], "places": ["Zürich"]})

    pushed(server, mirrored, delta={"places": ["Köln"]}, data={"CustomFields": {"places": ["Köln"]}})
    _, (note,) = server.pull(mirrored)

    assert 'There: ["Zürich"]. Here: ["Köln"].' in note["Contents"]


def test_an_edit_of_a_redacted_text_is_held_back_and_noted(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a text that was redacted on its way in, and that somebody here edits, leaving the blank in.
    When: it goes out and a pull follows.
    Then: the original stays there, and a note here says that the change was held back.
    """
    server.params["redact"] = "email"
    remote.change(mirrored, details="Ask ann@example.com.")
    redacted = server.pull(mirrored)[0]["details"]
    edited = f"{redacted} Today."

    pushed(server, mirrored, delta={"details": edited, "severity": 3}, data={"details": edited, "severity": 3})
    _, entries = server.pull(mirrored)

    assert remote.incidents[mirrored]["details"] == "Ask ann@example.com."
    assert [("contains text that is redacted here" in entry["Contents"]) for entry in entries] == [True]


def test_the_fields_there_are_read_once_for_all_that_are_unknown(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a change of three fields that the remote incident does not hold.
    When: it goes out.
    Then: one call reads which fields the remote has.
    """
    pushed(server, mirrored, delta={"nosuchone": "1", "nosuchtwo": "2", "nosuchthree": "3"})

    assert [call.route for call in remote.calls].count("GET /incidentfields") == 1
