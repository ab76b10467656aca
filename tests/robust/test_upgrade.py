"""The newest code reads what earlier versions kept, and keeps what a newer version kept.

The samples below state/ were written by the version that names their folder, at a moment when entries, closings, creations and a
resync were on their way. What they hold is told by `state_samples.play_a_day`.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from stand_ins import (
    PARAMS,
    Remote,
    Server,
    change_memory,
    contents,
    ids,
    local_entry,
    memory_of,
    modified,
    push,
    pushed,
    records_of,
    remember,
)

from tests.robust.state_samples import AT, FOLDER, LOCAL_HALF, LOCAL_LOST, load_sample, play_a_day, state_of

VERSIONS = sorted(folder.name for folder in FOLDER.iterdir())
LAST_UPDATE = "2026-03-01T12:29:00Z"


@pytest.fixture(params=VERSIONS)
def upgraded(request: pytest.FixtureRequest, server: Server, remote: Remote, clock: Any) -> Remote:
    """The remote of a sample; the server has its state."""
    load_sample(request.param, server, remote, clock)
    return remote


def texts_of(remote: Remote, incident_id: str) -> list[str]:
    """Return the last lines of the entries of a remote War Room."""
    return [str(entry["contents"]).rpartition("\n")[2] for entry in remote.entries[incident_id]]


def test_there_is_a_sample_of_the_first_version() -> None:
    """
    Given: the samples.
    When: they are listed.
    Then: the first version is among them.
    """
    assert "1.0.0" in VERSIONS


def test_fetching_goes_on_where_it_was(server: Server, upgraded: Remote) -> None:
    """
    Given: a last run of an earlier version.
    When: fetches run.
    Then: what is new comes once, and nothing that came already.
    """
    # The one that was linked by hand, and those that were created from here, are here already.
    assert [ids(server.fetch()) for _ in range(2)] == [["11"], []]


def test_what_was_delivered_does_not_come_again(server: Server, upgraded: Remote) -> None:
    """
    Given: entries that crossed under an earlier version.
    When: all is asked for.
    Then: only what is new since then comes.
    """
    came = {incident_id: contents(server.pull(incident_id)[1]) for incident_id in ("1", "2", "3", "4", "6")}

    assert came == {"1": ["since then"], "2": [], "3": [], "4": [], "6": ["listed"]}


def test_a_round_lists_what_changed_and_what_was_left_undone(server: Server, upgraded: Remote, clock: Any) -> None:
    """
    Given: a last mirror run of an earlier version.
    When: rounds run.
    Then: they list what changed and what was left.
    """
    listed = modified(server)
    for incident_id in listed:
        server.pull(incident_id)

    # 1 has an entry, 6 was listed, 10 is to be resynced; 3, 4, 7 and 9 have yet to show how sending ended.
    assert set(listed) >= {"1", "3", "4", "6", "7", "9", "10"}
    assert "5" not in listed
    assert modified(server) == []
    clock.tick(timedelta(hours=1))
    assert modified(server) == ["5"]


def test_a_resync_that_was_asked_for_comes(server: Server, upgraded: Remote) -> None:
    """
    Given: a resync that an earlier version had noted.
    When: the next round runs.
    Then: it brings fields and entries.
    """
    fields, entries = server.pull("10")

    assert (fields["name"], contents(entries)) == ("incident 10", ["of a linked incident"])


def test_a_failure_is_shown(server: Server, upgraded: Remote) -> None:
    """
    Given: an update that failed under an earlier version.
    When: the next round brings the incident.
    Then: it shows why.
    """
    fields, _ = server.pull("4")

    assert fields["mirror_state"] == "Error"
    assert "The API key may not do this" in fields["out_mirror_error"]


def test_what_went_does_not_go_again(server: Server, upgraded: Remote) -> None:
    """
    Given: an entry that went, and one of which nobody knows.
    When: the server sends both again.
    Then: neither is doubled.
    """
    pushed(server, "1", entries=[local_entry(1, "went")])
    pushed(server, "3", entries=[local_entry(2, "its answer was lost")])

    assert texts_of(upgraded, "1").count("went") == 1
    assert texts_of(upgraded, "3").count("its answer was lost") == 1
    assert contents(server.pull("3")[1]) == []


def test_creations_come_to_their_end(server: Server, upgraded: Remote) -> None:
    """
    Given: creations that were under way.
    When: the server asks for them again.
    Then: nothing is created a second time.
    """
    before = len(upgraded.incidents)

    ids_given = [
        pushed(server, "", data=LOCAL_LOST),
        pushed(server, "", data=LOCAL_HALF, entries=[local_entry(3, "has yet to go")]),
    ]

    assert ids_given == ["8", "9"]
    assert len(upgraded.incidents) == before
    assert texts_of(upgraded, "9") == ["has yet to go"]


def test_a_closing_is_not_repeated(server: Server, upgraded: Remote) -> None:
    """
    Given: an incident closed on both sides under an earlier version.
    When: it is reopened there.
    Then: it is reopened here.
    """
    assert server.pull("2")[1] == []
    upgraded.change("2", status=1)

    assert contents(server.pull("2")[1]) == [{"dbotIncidentReopen": True}]


def test_the_status_command_knows_what_happened_before(server: Server, upgraded: Remote) -> None:
    """
    Given: the health that an earlier version kept.
    When: the status is asked for.
    Then: it tells of it.
    """
    (status,) = [value for key, value in server.ok("xsoar-mirror-status")["EntryContext"].items() if "Status" in key]

    assert (status["IncidentsTracked"], status["EntriesMoveModified"], status["CreationsPending"]) == (9, True, 2)
    assert status["LastFetch"].startswith("2026-03-01T12:01:00")
    assert "cannot be reached" in status["LastError"]


def test_the_state_of_an_earlier_version_is_read_by_all_settings(server: Server, upgraded: Remote) -> None:
    """
    Given: the state of an earlier version.
    When: a round runs with other settings.
    Then: it is read all the same.
    """
    server.params = {**PARAMS, "mirror_direction": "Outgoing", "look_back": "0", "tags": ""}

    assert ids(server.fetch()) == ["11"]
    assert modified(server)


# What a newer version keeps

NEWER: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "the last run": lambda state: state["last_run"],
    "the last mirror run": lambda state: state["last_mirror_run"],
    "the context": lambda state: state["context"],
}


def work(server: Server, remote: Remote, clock: Any) -> None:
    """Let each command do something."""
    server.fetch()
    for incident_id in modified(server):
        server.pull(incident_id)
    pushed(server, "1", entries=[local_entry(8, "later")], delta={"severity": 1})
    remote.fail("POST /incident$", status_code=403, json={"detail": "read only"})
    assert push(server, "4", delta={"severity": 4}).error
    server.ok("xsoar-mirror-resync", id="1")
    clock.tick(timedelta(minutes=10))
    server.fetch()
    modified(server)


@pytest.mark.parametrize("place", list(NEWER))
@pytest.mark.parametrize("value", ["a text", '{"a":["json","text"]}'])
def test_what_a_newer_version_keeps_stays(server: Server, remote: Remote, clock: Any, place: str, value: str) -> None:
    """
    Given: a key that this version does not know.
    When: all commands have done something.
    Then: it is as it was.
    """
    load_sample("1.0.0", server, remote, clock)
    state = state_of(server)
    NEWER[place](state)["of a newer version"] = value
    server.last_run, server.last_mirror_run = state["last_run"], state["last_mirror_run"]
    server.context = json.dumps(state["context"])

    work(server, remote, clock)

    after = state_of(server)
    assert NEWER[place](after)["of a newer version"] == value
    assert after != state


@pytest.mark.parametrize("value", [7, "a text", ["a", "list"], {"an": "object"}, True])
def test_what_a_newer_version_keeps_of_an_incident_stays(server: Server, remote: Remote, clock: Any, value: Any) -> None:
    """
    Given: records with a key that this version does not know.
    When: commands change them.
    Then: it is as it was.
    """
    load_sample("1.0.0", server, remote, clock)
    before = {key: replace(record, rest={"newer": value}) for key, record in records_of(server).items()}
    remember(server, before)

    work(server, remote, clock)

    after = records_of(server)
    assert {key: after[key].rest for key in before} == {key: {"newer": value} for key in before}
    assert after["1"] != before["1"]


@pytest.mark.parametrize("value", [7, "a text", ["a", "list"], {"an": "object"}])
def test_what_a_newer_version_keeps_of_the_health_stays(server: Server, remote: Remote, clock: Any, value: Any) -> None:
    """
    Given: a health with a key that this version does not know.
    When: commands change it.
    Then: it is as it was.
    """
    load_sample("1.0.0", server, remote, clock)
    before = replace(memory_of(server).health, rest={"newer": value})
    change_memory(server, health=before)

    work(server, remote, clock)

    after = memory_of(server).health
    assert after.rest == {"newer": value}
    assert after != before


def test_a_day_leaves_what_the_samples_hold(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: the day of the samples.
    When: it is played with the newest code.
    Then: it leaves work of each kind undone.
    """
    play_a_day(server, remote, clock)

    memory = memory_of(server)
    assert memory.entries_move is not None
    assert memory.health.errors
    assert len(records_of(server)) == 9
    assert sorted(memory.creating.values()) == ["", "9"]
    assert remote.now().startswith(AT.removesuffix("Z"))
