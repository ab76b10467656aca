"""What happens to an instance and to incidents of the official pack, whose integration has the same name, once this one runs.

The server keeps its last run and its integration context, and goes on asking for the incidents that name the instance, of which
this integration has no record.
"""

from datetime import timedelta
from typing import Any

import pytest
from stand_ins import PARAMS, Remote, Server, contents, ids, local_entry, local_of, modified, push, pushed

LAST_ROUND = "2026-03-01T11:59:00Z"  # When the server asked the old integration last.


@pytest.fixture
def old(server: Server, remote: Remote) -> str:
    """The ID of an incident that the official pack fetched and mirrored, and an entry that it brought."""
    incident_id = str(remote.add(created="2026-03-01T11:30:00Z", modified="2026-03-01T11:58:00Z")["id"])
    earlier = "2026-03-01T11:57:00Z"
    remote.write(incident_id, "brought by the old one", created=earlier, modified=earlier)
    remote.incidents[incident_id]["modified"] = "2026-03-01T11:58:00Z"
    server.last_run = {"last_fetch": "2026-03-01T11:30:00Z", "last_fetched_incidents": [incident_id]}
    server.context = '{"their_ids": "[\\"1\\"]"}'
    return incident_id


def resync(server: Server, remote: Remote, incident_id: str, **args: str) -> None:
    """Run xsoar-mirror-resync in the War Room of the local incident, whose source is the integration of this name."""
    server.incident = local_of(remote, incident_id, sourceBrand="XSOAR Mirroring")
    server.ok("xsoar-mirror-resync", **args)


def test_it_is_not_fetched_again(server: Server, remote: Remote, old: str) -> None:
    """
    Given: an incident that the official pack fetched.
    When: fetches run.
    Then: only what was created later comes.
    """
    remote.add(created="2026-03-01T11:59:30Z")

    assert [ids(server.fetch()) for _ in range(2)] == [["2"], []]


def test_it_comes_in_from_the_last_round_on(server: Server, remote: Remote, old: str, clock: Any) -> None:
    """
    Given: an incident that the official pack mirrored.
    When: it changes.
    Then: fields and new entries come, not the earlier.
    """
    clock.tick(timedelta(minutes=1))
    remote.change(old, name="renamed")
    remote.write(old, "written since")

    assert modified(server, LAST_ROUND) == [old]
    fields, *entries = server.ok("get-remote-data", id=old, lastUpdate=LAST_ROUND)

    assert (fields["name"], fields["mirror_state"]) == ("renamed", "In Step")
    assert contents(entries) == ["written since"]


@pytest.mark.parametrize(
    ("args", "expected"),
    [({"entries": "false"}, []), ({}, ["brought by the old one"])],
    ids=["without entries", "with entries"],
)
def test_a_resync_does_not_know_what_the_old_one_brought(
    server: Server, remote: Remote, old: str, args: dict[str, str], expected: list[str]
) -> None:
    """
    Given: an incident that was mirrored on.
    When: it is resynced.
    Then: only without entries what is here stays away.
    """
    server.ok("get-remote-data", id=old, lastUpdate=LAST_ROUND)

    resync(server, remote, old, **args)

    assert contents(server.ok("get-remote-data", id=old, lastUpdate=LAST_ROUND)[1:]) == expected


def test_it_goes_out(server: Server, remote: Remote, old: str) -> None:
    """
    Given: an incident that the official pack mirrored.
    When: it changes here and is closed.
    Then: all of it is sent.
    """
    pushed(server, old, delta={"name": "renamed here"}, entries=[local_entry(1, "written here")])
    closing = {"closeReason": "Resolved", "closingUserId": "lea"}
    pushed(server, old, delta=closing, data={"closeReason": "Resolved", "closeNotes": "done"}, status=2)

    remote_incident = remote.incidents[old]
    assert (remote_incident["name"], remote_incident["status"]) == ("renamed here", 2)
    assert "written here" in str(remote.entries[old][-1]["contents"])


def test_its_closing_comes_in(server: Server, remote: Remote, old: str, clock: Any) -> None:
    """
    Given: an incident that the official pack mirrored.
    When: it is closed there.
    Then: it is closed here, once.
    """
    clock.tick(timedelta(minutes=1))
    remote.close(old)

    came = [contents(server.ok("get-remote-data", id=old, lastUpdate=LAST_ROUND)[1:]) for _ in range(2)]

    assert [entry["dbotIncidentClose"] for entry in came[0]] == [True]
    assert came[1] == []


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"credentials_api_key": {}, "apikey": "the key"}, "API Key is missing"),
        ({"max_fetch": ""}, "Maximum number of incidents to pull per fetch is blank"),
        ({"tags": "both", "mirror_tag": "both"}, "different tags for the two directions"),
    ],
    ids=["the hidden key", "a blank maximum", "one tag for both directions"],
)
def test_what_the_old_instance_lacks_is_said(server: Server, remote: Remote, params: dict[str, Any], said: str) -> None:
    """
    Given: parameters that the official pack took.
    When: Test is pressed.
    Then: one sentence says what to enter instead.
    """
    server.params = PARAMS | params

    assert said in server.fails("test-module")


def test_any_listed_tag_is_enough(server: Server, remote: Remote, old: str, clock: Any) -> None:
    """
    Given: two incoming tags, both of which the official pack wanted on an entry.
    When: an entry has one.
    Then: it comes.
    """
    server.params["tags"] = "share, urgent"
    clock.tick(timedelta(minutes=1))
    remote.write(old, "one of two", tags=["urgent"])

    assert contents(server.ok("get-remote-data", id=old, lastUpdate=LAST_ROUND)[1:]) == ["one of two"]


def test_what_the_old_one_kept_stays_as_it_is(server: Server, remote: Remote, old: str) -> None:
    """
    Given: an integration context of the official pack.
    When: commands run.
    Then: its keys are left alone and disturb nothing.
    """
    server.fetch()
    assert not push(server, old, delta={"name": "renamed here"}).error

    assert '"their_ids": "[\\"1\\"]"' in server.context
