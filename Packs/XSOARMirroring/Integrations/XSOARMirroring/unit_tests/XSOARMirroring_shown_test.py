"""Tests of the fields in which an incident shows how its mirroring stands."""

import json
from datetime import timedelta
from typing import Any

import pytest

import XSOARMirroring as script
from stand_ins import (
    ERRORS,
    HOST_6,
    LAST_UPDATE,
    NOW,
    REPORT,
    Remote,
    Server,
    diff,
    last_line,
    local_entry,
    local_of,
    meanwhile,
    modified,
    push,
    pushed,
    status,
)


def shown(fields: dict[str, Any]) -> dict[str, Any]:
    """Return what an incident shows of its mirroring."""
    return {key: value for key, value in fields.items() if key in REPORT}


def test_a_fetched_incident_shows_where_it_comes_from(server: Server, remote_6: Remote) -> None:
    """
    Given: a new remote incident.
    When: it is fetched.
    Then: its rawJSON tells the remote tenant and incident, with a link.
    """
    server.params["url"] = f"{HOST_6}/acc_east"
    remote_6.root = f"{HOST_6}/acc_east"
    remote_6.add("4")

    (incident,) = server.fetch()

    assert shown(json.loads(incident["rawJSON"])) == {
        "mirror_remote_id": "4",
        "mirror_remote_link": f"{HOST_6}/acc_east/#/Details/4",
        "mirror_remote_tenant": "remote.example.com:8443",
        "mirror_state": "In Step",
        "mirror_last_in": NOW.replace("Z", ".010Z"),  # The remote lets 10 ms pass for each incident.
        "in_mirror_error": "",
        "out_mirror_error": "",
    }


@pytest.mark.parametrize("direction", ["None", "Outgoing"])
def test_an_incident_that_nothing_comes_into_shows_no_state(server: Server, remote: Remote, direction: str) -> None:
    """
    Given: an instance whose incidents are not brought up to date.
    When: one is fetched.
    Then: it shows no state.
    """
    server.params["mirror_direction"] = direction
    remote.add("4")

    (incident,) = server.fetch()

    told = shown(json.loads(incident["rawJSON"]))
    assert told["mirror_remote_link"] == "https://remote.example.com/Details/4"
    assert "mirror_state" not in told
    assert "mirror_last_in" not in told


def test_a_failure_to_send_is_shown_and_cleared(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """
    Given: a local change that the remote refuses.
    When: rounds run, before and after it could be sent.
    Then: the incident shows the error once, then that it is in step, and when something went out.
    """
    remote.fail("POST /incident$", status_code=403, json={"detail": "forbidden"})
    assert push(server, mirrored, delta={"details": "x"}).error
    assert modified(server) == [mirrored]
    first = shown(server.pull(mirrored)[0])
    assert (first["mirror_state"], "may not create and edit incidents" in first["out_mirror_error"]) == ("Error", True)
    assert server.pull(mirrored) == ({"id": mirrored}, [])
    clock.tick(timedelta(minutes=1))

    pushed(server, mirrored, delta={"details": "x"})

    assert modified(server) == [mirrored]
    second = shown(server.pull(mirrored)[0])
    assert (second["mirror_state"], second["out_mirror_error"]) == ("In Step", "")
    assert second["mirror_last_out"] > first["mirror_last_in"]


@pytest.mark.parametrize("success", ["an entry that does not show", "a change that the remote has already"])
def test_an_error_goes_away_when_the_next_try_leaves_no_trace(
    server: Server, remote: Remote, mirrored: str, clock: Any, success: str
) -> None:
    """
    Given: an error that is shown.
    When: the next try succeeds without moving the remote incident.
    Then: it is in step again.
    """
    remote.entry_moves_modified = False
    remote.fail("POST /incident$", status_code=400, json={"detail": "Severity is wrong"})
    assert push(server, mirrored, delta={"severity": 3}).error
    modified(server)
    assert server.pull(mirrored)[0]["mirror_state"] == "Error"
    clock.tick(timedelta(minutes=1))

    if success == "an entry that does not show":
        pushed(server, mirrored, entries=[local_entry(1, "hello")])
    else:
        pushed(server, mirrored, delta={"severity": remote.incidents[mirrored]["severity"]})

    assert modified(server) == [mirrored]
    assert server.pull(mirrored)[0]["mirror_state"] == "In Step"


def test_a_failure_during_a_pull_is_told_with_the_next(
    server: Server, remote: Remote, mirrored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Given: an update that fails while get-remote-data is at work.
    When: the next round comes.
    Then: the error is shown.
    """
    remote.change(mirrored, details="new")
    modified(server)

    def fail(_: Any) -> None:
        script.change_record(mirrored, lambda now: script.wanted_again(now)._replace(out_error="refused"))

    meanwhile(monkeypatch, fail)
    server.pull(mirrored)

    assert modified(server) == [mirrored]
    assert server.pull(mirrored)[0]["out_mirror_error"] == "refused"


def test_an_error_is_shown_soon_although_a_file_is_tried_again_later(
    server: Server, remote: Remote, mirrored: str, clock: Any
) -> None:
    """
    Given: an incident that waits an hour for a file.
    When: an update of it fails.
    Then: the next round shows it.
    """
    remote.write_file(mirrored, "log.txt", b"x")
    remote.fail("GET /entry/download", status_code=404, json=ERRORS["not_found"], times=9)
    for _ in range(2):
        modified(server)
        server.pull(mirrored)
    assert modified(server) == []
    remote.fail("POST /incident$", status_code=400, json={"detail": "Severity is wrong"})
    push(server, mirrored, delta={"severity": 3})

    assert modified(server) == [mirrored]


def test_every_failure_of_an_update_is_named(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an update of which two parts are refused.
    When: it is sent.
    Then: the error names both.
    """
    remote.fail("POST /incident$", status_code=400, json={"detail": "Severity is wrong"})
    remote.fail("POST /entry", status_code=400, json={"detail": "Entry is too long"})

    error = push(server, mirrored, delta={"severity": 3}, entries=[local_entry(1, "x")]).error

    assert "Severity is wrong" in error
    assert "Entry is too long" in error


def test_a_context_that_cannot_be_written_does_not_hide_the_error(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a context that others change all the time.
    When: an update meets the rate limit.
    Then: the server is told of that.
    """
    remote.fail("POST /incident$", status_code=429, json={}, times=9)
    server.rivals = [lambda context: context.update(another=str(len(server.rivals))) for _ in range(20)]

    assert "API rate limit" in push(server, mirrored, delta={"severity": 3}).error


def test_a_war_room_that_cannot_be_read_does_not_hold_up_the_fields(
    server: Server, remote: Remote, mirrored: str, clock: Any
) -> None:
    """
    Given: an incident whose War Room the key may not read.
    When: it changes, and the War Room can be read again an hour later.
    Then: its fields come with the error; the entry follows, and the error is gone.
    """
    remote.write(mirrored, "hello")
    remote.change(mirrored, details="new")
    remote.fail("POST /investigation", status_code=404, json=ERRORS["not_found"])

    fields, entries = server.pull(mirrored)

    assert (fields["details"], fields["mirror_state"], entries) == ("new", "Error", [])
    assert "(404)" in fields["in_mirror_error"]
    assert status(server)["IncidentsBehind"] == 1
    clock.tick(timedelta(hours=1))
    assert modified(server) == [mirrored]
    fields, entries = server.pull(mirrored)
    assert (fields["mirror_state"], fields["in_mirror_error"], [last_line(entry) for entry in entries]) == (
        "In Step",
        "",
        ["hello"],
    )


def test_nothing_counts_as_sent_that_was_there_already(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a change that the remote has already.
    When: it is sent.
    Then: the incident does not say that something went out.
    """
    pushed(server, mirrored, delta={"severity": remote.incidents[mirrored]["severity"]})

    assert status(server, id=mirrored)["Incident"]["LastOut"] is None


def test_an_outage_is_not_written_down_each_minute(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: five mirrored incidents and a remote that is away.
    When: for ten minutes the server fetches, asks for changes, and sends a change of each incident.
    Then: after the first minute the context is written at most twice for each of the three commands.
    """
    for _ in range(5):
        remote.add()
    server.fetch()
    remote.fail("", status_code=503, times=10**6)
    versions = []
    for _ in range(11):
        clock.tick(timedelta(minutes=1))
        server.run("fetch-incidents")
        server.run("get-modified-remote-data", {"lastUpdate": LAST_UPDATE})
        for number in range(5):
            push(server, str(number + 1), delta={"name": "x"})
        versions.append(server.context_version)

    assert versions[-1] - versions[0] <= 2 * 3


@pytest.mark.parametrize("custom", [[], [1], "x", 5])
def test_custom_fields_of_another_kind_stop_nothing(server: Server, remote: Remote, mirrored: str, custom: Any) -> None:
    """
    Given: a remote incident whose custom fields are no object.
    When: it is mirrored, compared and shown.
    Then: all goes on.
    """
    remote.change(mirrored, CustomFields=custom, details="new")
    assert server.pull(mirrored)[0]["details"] == "new"
    server.incident = local_of(remote, mirrored, CustomFields={})
    assert diff(server)["equal"] is True
    server.ok("xsoar-get-incident", id=mirrored)
    pushed(server, mirrored, delta={"CustomFields": custom, "name": "z"})
    assert remote.incidents[mirrored]["name"] == "z"


@pytest.mark.parametrize("date", ["9999-12-31T23:59:59-08:00", "0001-01-01T00:00:00Z", "never"])
def test_dates_at_the_end_of_time_are_shown(server: Server, remote: Remote, mirrored: str, date: str) -> None:
    """
    Given: a date that no calendar holds in UTC.
    When: the incident is compared and shown.
    Then: it is.
    """
    remote.incidents[mirrored]["dueDate"] = date
    server.incident = local_of(remote, mirrored)

    assert diff(server)["equal"] is True
    server.ok("xsoar-get-incident", id=mirrored)


def test_diff_knows_the_custom_fields_of_a_playbook(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an incident as a playbook has it, with its custom fields at the top.
    When: it is compared.
    Then: they are found.
    """
    remote.incidents[mirrored]["CustomFields"] = {"ticket": "C-1", "mailfrom": "eve@example.com"}
    local = {**local_of(remote, mirrored), "ticket": "C-1", "mailfrom": "mallory@example.com"}
    local.pop("CustomFields")

    assert diff(server, incident=json.dumps(local))["different"] == ["mailfrom"]


def test_a_file_that_cannot_be_had_shows_that_the_incident_is_behind(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a file whose download fails.
    When: it is tried and then had.
    Then: the incident is behind, and then in step.
    """
    remote.write_file(mirrored, "log.txt", b"x")
    remote.fail("GET /entry/download", status_code=404, json=ERRORS["not_found"])
    assert shown(server.pull(mirrored)[0])["mirror_state"] == "Behind"

    fields, entries = server.pull(mirrored)

    assert [entry["File"] for entry in entries] == ["log.txt"]
    assert shown(fields)["mirror_state"] == "In Step"


def test_what_this_pack_shows_never_crosses(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a remote that runs the pack too, so that its incident shows its own mirroring.
    When: the incident comes in, and the local fields go out, alone and with others.
    Then: neither side sees the other's, and for these fields alone nothing is asked of the remote.
    """
    theirs = {"xsoarmirroringstate": "Error", "xsoarmirroringremoteid": "9", "ticket": "C-1"}
    remote.change(mirrored, CustomFields=dict(theirs))
    fields = server.pull(mirrored)[0]
    assert fields["CustomFields"]["ticket"] == "C-1"
    assert not [name for name in (*fields, *fields["CustomFields"]) if name.startswith("xsoarmirroring")]
    calls = len(remote.calls)

    ours = {"xsoarmirroringstate": "In Step", "xsoarmirroringlastin": NOW}
    pushed(server, mirrored, delta={"CustomFields": dict(ours)})
    pushed(server, mirrored, delta=dict(ours))
    assert len(remote.calls) == calls
    pushed(server, mirrored, delta={"CustomFields": {**ours, "ticket": "C-2"}, **ours})

    assert remote.incidents[mirrored]["CustomFields"] == {**theirs, "ticket": "C-2"}
    assert shown(server.pull(mirrored)[0])["mirror_state"] == "In Step"


def test_a_created_incident_does_not_carry_what_this_pack_shows(server: Server, remote: Remote) -> None:
    """
    Given: a local incident with this pack's fields.
    When: it is created there.
    Then: they stay behind.
    """
    custom = {"xsoarmirroringstate": "Error", "ticket": "C-1"}
    remote.incident_fields.append({"cliName": "xsoarmirroringstate", "system": False, "group": 0})

    remote_id = pushed(
        server, "", data={"id": "77", "name": "x", "CustomFields": custom, "xsoarmirroringstate": "Error"}, incidentChanged=True
    )

    assert remote.incidents[remote_id]["CustomFields"] == {"ticket": "C-1"}


def test_a_stopped_incident_says_so(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a mirrored incident; When it is stopped and started; Then its state says so, here and in the status."""
    server.ok("xsoar-mirror-stop", id=mirrored)
    stopped = (status(server, id=mirrored)["Incident"]["State"], server.pull(mirrored)[0].get("mirror_state"))
    server.ok("xsoar-mirror-start", id=mirrored)

    assert stopped == ("Stopped", "Stopped")
    assert status(server, id=mirrored)["Incident"]["State"] == "In Step"
