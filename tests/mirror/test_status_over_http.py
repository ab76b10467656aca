"""Closing, archiving and reopening when a switch was off, a look was missed, or the delta says little: both sides end right."""

from typing import Any

import pytest

from local_xsoar.host import HostSettings
from local_xsoar.host.settings import SWITCHES
from tests.mirror.test_exact_over_http import chat, last_lines
from tests.mirror.two_tenants import IN_TAG, INSTANCE, OUT_TAG, Mirror, Site, succeeded

ACTIVE, CLOSED, ARCHIVED = 1, 2, 3


def in_step(site: Site, there: str = "8", **params: Any) -> tuple[Mirror, str, str]:
    """Make a mirror of one incident, another one being open there; return it and the remote and the local id."""
    made = site.mirror("8", there)
    made.configure(**params)
    made.remote_incident(name="another")
    remote_id = made.remote_incident()
    made.fetch_all()
    made.until_quiet()
    return made, remote_id, made.local_id(remote_id)


def statuses(made: Mirror, remote_id: str, local_id: str) -> tuple[int, int]:
    """Return the status there and here."""
    return made.there.incident(remote_id)["status"], made.here.incident(local_id)["status"]


def happen(made: Mirror, remote_id: str, local_id: str, what: str) -> None:
    """Let the remote incident change, or be resynced."""
    if what == "change":
        made.there.change_incident(remote_id, {"severity": 4}, user="carla")
    else:
        succeeded(made.host.run(INSTANCE, "xsoar-mirror-resync", {"id": remote_id}))


def archive(made: Mirror, remote_id: str) -> None:
    """Close a remote incident and move it to the archive."""
    made.there.close_incident(remote_id, reason="Resolved", notes="done there", user="carla")
    made.there.change_incident(remote_id, {"status": ARCHIVED}, user="carla")


# Switched on later


@pytest.mark.parametrize("what", ["change", "resync"])
@pytest.mark.parametrize("there", ["6", "8"])
def test_a_remote_closing_before_the_switch_was_on(site: Site, there: str, what: str) -> None:
    """
    Given: a remote closed while the switch was off.
    When: it is on and there is a change or a resync.
    Then: it is closed.
    """
    made, remote_id, local_id = in_step(site, there, close_incident=False)
    made.there.close_incident(remote_id, reason="Resolved", notes="done there", user="carla")
    made.until_quiet()
    assert made.here.incident(local_id)["status"] == ACTIVE
    made.configure(close_incident=True)
    happen(made, remote_id, local_id, what)
    made.until_quiet()

    assert statuses(made, remote_id, local_id) == (CLOSED, CLOSED)
    local = made.here.incident(local_id)
    assert (local["closeReason"], local["closeNotes"].endswith("done there")) == ("Resolved", True)


@pytest.mark.parametrize("what", ["change", "resync"])
def test_a_remote_reopening_before_the_switch_was_on(site: Site, what: str) -> None:
    """
    Given: a remote reopened while the switch was off.
    When: it is on and there is a change or a resync.
    Then: it is open.
    """
    made, remote_id, local_id = in_step(site)
    made.there.close_incident(remote_id, reason="Resolved", user="carla")
    made.until_quiet()
    made.configure(close_incident=False)
    made.there.reopen_incident(remote_id, user="carla")
    made.until_quiet()
    assert made.here.incident(local_id)["status"] == CLOSED
    made.configure(close_incident=True)
    happen(made, remote_id, local_id, what)
    made.until_quiet()

    assert statuses(made, remote_id, local_id) == (ACTIVE, ACTIVE)


def test_a_local_closing_before_the_switch_was_on(site: Site) -> None:
    """
    Given: an incident closed here while the switch was off.
    When: it is on and there is an edit here.
    Then: both are closed.
    """
    made, remote_id, local_id = in_step(site, close_out=False)
    made.here.close_incident(local_id, reason="Duplicate", notes="done here", user="hanna")
    made.until_quiet()
    assert statuses(made, remote_id, local_id) == (ACTIVE, CLOSED)
    made.configure(close_out=True)
    made.here.change_incident(local_id, {"severity": 3}, user="hanna")
    made.until_quiet()

    assert statuses(made, remote_id, local_id) == (CLOSED, CLOSED)
    assert made.there.incident(remote_id)["severity"] == 3


def test_a_change_of_a_closed_pair_closes_nothing_again(site: Site) -> None:
    """
    Given: an incident that was reopened here alone.
    When: the closed remote changes.
    Then: the local one stays open.
    """
    made, remote_id, local_id = in_step(site, close_out=False)
    made.there.close_incident(remote_id, reason="Resolved", user="carla")
    made.until_quiet()
    made.here.reopen_incident(local_id, user="hanna")
    made.until_quiet()
    made.there.change_incident(remote_id, {"severity": 4}, user="carla")
    made.until_quiet()

    assert statuses(made, remote_id, local_id) == (CLOSED, ACTIVE)
    assert made.here.incident(local_id)["severity"] == 4


# Archived


def test_closed_and_archived_between_two_looks(remote: Mirror) -> None:
    """
    Given: an open incident.
    When: it is closed and archived between two rounds.
    Then: the local one is closed, as there.
    """
    remote_id = remote.remote_incident()
    local_id = remote.fetched_once()
    remote.until_quiet()
    archive(remote, remote_id)
    remote.until_quiet()

    local = remote.here.incident(local_id)
    assert local["status"] == CLOSED
    assert (local["closeReason"], local["closeNotes"].endswith("done there")) == ("Resolved", True)
    assert remote.there.incident(remote_id)["status"] == ARCHIVED


@pytest.mark.parametrize("what", ["change", "resync"])
def test_archived_before_the_switch_was_on(site: Site, what: str) -> None:
    """
    Given: a remote archived while the switch was off.
    When: it is on and there is a change or a resync.
    Then: it is closed.
    """
    made, remote_id, local_id = in_step(site, close_incident=False)
    archive(made, remote_id)
    made.until_quiet()
    assert made.here.incident(local_id)["status"] == ACTIVE
    made.configure(close_incident=True)
    happen(made, remote_id, local_id, what)
    made.until_quiet()

    assert statuses(made, remote_id, local_id) == (ARCHIVED, CLOSED)


def test_archived_after_its_closing_had_come(site: Site) -> None:
    """
    Given: a closing that came in.
    When: the remote is archived.
    Then: nothing changes here, and nothing is sent.
    """
    made, remote_id, local_id = in_step(site)
    made.there.close_incident(remote_id, reason="Resolved", user="carla")
    made.until_quiet()
    before = made.here.incident(local_id)
    made.there.change_incident(remote_id, {"status": ARCHIVED}, user="carla")
    done = [made.round() for _ in range(3)]

    assert statuses(made, remote_id, local_id) == (ARCHIVED, CLOSED)
    assert made.here.incident(local_id)["closed"] == before["closed"]
    assert [sent for each in done for sent in each.sent] == []


# Closed here only


@pytest.mark.parametrize("there", ["6", "8"])
def test_what_is_tagged_there_while_only_this_side_is_closed(site: Site, there: str) -> None:
    """
    Given: an incident closed here only.
    When: entries are tagged there and it is reopened here.
    Then: they come, each once.
    """
    made, remote_id, local_id = in_step(site, there, close_out=False)
    made.here.close_incident(local_id, reason="Other", user="hanna")
    made.until_quiet()
    chat(made.there, remote_id, "meanwhile", IN_TAG)
    made.there.add_entry(remote_id, user="carl", entry_type=3, tags=[IN_TAG], file=("meanwhile.bin", b"x"))
    made.there.change_incident(remote_id, {"severity": 4}, user="carla")
    made.until_quiet()
    assert last_lines(made.here, local_id) == []
    chat(made.there, remote_id, "later", IN_TAG)
    made.until_quiet()
    made.here.reopen_incident(local_id, user="hanna")
    made.until_quiet()
    for _ in range(3):
        made.round()

    assert last_lines(made.here, local_id) == ["meanwhile", "meanwhile.bin", "later"]
    assert statuses(made, remote_id, local_id) == (ACTIVE, ACTIVE)
    assert made.here.incident(local_id)["severity"] == 4


def test_what_is_tagged_there_while_both_are_closed(site: Site) -> None:
    """
    Given: an incident closed on both sides.
    When: a note is tagged there and it is reopened there.
    Then: the note comes, once.
    """
    made, remote_id, local_id = in_step(site)
    made.there.close_incident(remote_id, reason="Other", user="carla")
    made.until_quiet()
    chat(made.there, remote_id, "while closed", IN_TAG)
    made.until_quiet()
    made.there.reopen_incident(remote_id, user="carla")
    made.until_quiet()
    for _ in range(3):
        made.round()

    lines = last_lines(made.here, local_id)
    assert lines.count("while closed") == 1
    assert statuses(made, remote_id, local_id) == (ACTIVE, ACTIVE)


# What a delta says


@pytest.fixture(params=SWITCHES["delta_status"])
def told(request: pytest.FixtureRequest, site: Site) -> tuple[Mirror, str, str]:
    """A mirror of one incident, on a server whose deltas hold `status` or do not; the remote and the local id."""
    made = site.mirror("8", "8", None, HostSettings(delta_status=request.param))
    made.configure()
    made.remote_incident(name="another")
    remote_id = made.remote_incident()
    made.fetch_all()
    made.until_quiet()
    return made, remote_id, made.local_id(remote_id)


def test_a_second_closing_and_the_entry_before_it(told: tuple[Mirror, str, str]) -> None:
    """
    Given: an incident closed here.
    When: it is reopened, written into and closed again, a round each.
    Then: all arrives.
    """
    made, remote_id, local_id = told
    made.here.close_incident(local_id, reason="Duplicate", notes="first", user="hanna")
    made.until_quiet()
    assert made.there.incident(remote_id)["status"] == CLOSED
    made.here.reopen_incident(local_id, user="hanna")
    made.until_quiet()
    assert made.there.incident(remote_id)["status"] == ACTIVE
    chat(made.here, local_id, "in between", OUT_TAG)
    made.here.close_incident(local_id, reason="Resolved", notes="second", user="hanna")
    made.until_quiet()

    there = made.there.incident(remote_id)
    assert (there["status"], there["closeReason"], there["closeNotes"].endswith("second")) == (CLOSED, "Resolved", True)
    assert last_lines(made.there, remote_id) == ["in between"]
    assert made.here.incident(local_id)["status"] == CLOSED


@pytest.mark.parametrize("reason", ["Resolved", "Duplicate"])
@pytest.mark.parametrize("first", ["here", "there"])
def test_reopened_written_into_and_closed_again_between_two_rounds(
    told: tuple[Mirror, str, str], first: str, reason: str
) -> None:
    """
    Given: an incident closed on both sides.
    When: it is reopened, written into and closed within a minute.
    Then: all arrives.
    """
    made, remote_id, local_id = told
    if first == "here":
        made.here.close_incident(local_id, reason="Duplicate", notes="first", user="hanna")
    else:
        made.there.close_incident(remote_id, reason="Duplicate", notes="first", user="carla")
    made.until_quiet()
    assert statuses(made, remote_id, local_id) == (CLOSED, CLOSED)
    made.here.reopen_incident(local_id, user="hanna")
    chat(made.here, local_id, "in between", OUT_TAG)
    made.here.add_entry(local_id, user="hugo", entry_type=3, tags=[OUT_TAG], file=("in between.bin", b"x"))
    made.here.close_incident(local_id, reason=reason, notes="second", user="hanna")
    made.until_quiet()
    for _ in range(3):
        made.round()

    there = made.there.incident(remote_id)
    assert (there["status"], there["closeReason"], there["closeNotes"].endswith("second")) == (CLOSED, reason, True)
    assert last_lines(made.there, remote_id) == ["in between", "in between.bin"]
    assert made.here.incident(local_id)["status"] == CLOSED


def test_closed_here_while_the_remote_was_reopened(told: tuple[Mirror, str, str]) -> None:
    """
    Given: a pair closed and then reopened there.
    When: it is closed here again.
    Then: the remote is closed again, once.
    """
    made, remote_id, local_id = told
    made.here.close_incident(local_id, reason="Duplicate", notes="first", user="hanna")
    made.until_quiet()
    made.there.reopen_incident(remote_id, user="carla")
    made.until_quiet()
    assert made.here.incident(local_id)["status"] == ACTIVE
    chat(made.here, local_id, "last words", OUT_TAG)
    made.here.close_incident(local_id, reason="Resolved", notes="second", user="hanna")
    made.interference.forget()
    made.until_quiet()

    there = made.there.incident(remote_id)
    assert (there["status"], there["closeReason"]) == (CLOSED, "Resolved")
    assert last_lines(made.there, remote_id) == ["last words"]
    assert len([path for path in made.interference.paths if path.endswith("/incident/close")]) == 1


def test_a_playbook_that_runs_reopens_nothing(told: tuple[Mirror, str, str]) -> None:
    """
    Given: an incident closed there only.
    When: a playbook's run changes here.
    Then: the remote stays closed.
    """
    made, remote_id, local_id = told
    made.configure(close_incident=False)
    made.there.close_incident(remote_id, reason="Resolved", user="carla")
    made.until_quiet()
    made.here.change_incident(local_id, {"runStatus": "running"}, user="hanna")
    made.until_quiet()

    assert statuses(made, remote_id, local_id) == (CLOSED, ACTIVE)
