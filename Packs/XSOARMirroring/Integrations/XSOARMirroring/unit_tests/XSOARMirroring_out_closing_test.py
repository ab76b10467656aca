"""Tests of update-remote-system as far as it closes and reopens incidents of the remote."""

from datetime import timedelta
from typing import Any

import pytest
import requests

import XSOARMirroring as script
from stand_ins import CLOSING, REOPENING, Remote, Server, arrived, error_body, local_entry, push, pushed, record_of, store_of

""" OUT: CLOSING """


def closings(remote: Remote) -> list[Any]:
    """Return the bodies of the closings that the remote got."""
    return remote.bodies("POST /incident/close")


@pytest.mark.parametrize(
    ("offered", "reason", "notes"),
    [
        (["Resolved", "Other"], "Other", "Benign: A test."),
        (["Solved", "Given up"], "Solved", "Benign: A test."),
        (["", "Solved"], "Solved", "Benign: A test."),
        (["Benign", "Other"], "Benign", "A test."),
        (None, "Benign", "A test."),
        ([None, 7, {"value": "x"}], "Benign", "A test."),
        ("Other,Solved", "Benign", "A test."),
    ],
    ids=["other", "no other", "blank first", "offered", "anything goes", "odd ones", "no list"],
)
def test_a_close_reason_that_the_remote_does_not_offer_goes_with_the_notes(
    server: Server, remote: Remote, mirrored: str, offered: list[str] | None, reason: str, notes: str
) -> None:
    """
    Given: the remote's list of close reasons.
    When: one of here is closed with another.
    Then: nothing of it is lost.
    """
    remote.offer(offered)
    pushed(server, mirrored, status=2, data={"closeReason": "Benign", "closeNotes": "A test."})

    assert [(body["closeReason"], body["closeNotes"]) for body in closings(remote)] == [(reason, notes)]


def test_a_key_that_may_not_see_the_fields_closes_all_the_same(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a key that may not ask for the incident fields.
    When: one is closed here.
    Then: it is closed there with the reason.
    """
    remote.fail("GET /incidentfields", status_code=403, json={"detail": "no"}, times=9)
    pushed(server, mirrored, status=2, data={"closeReason": "Benign", "closeNotes": "A test."})

    assert [body["closeReason"] for body in closings(remote)] == ["Benign"]


def test_an_empty_reason_among_the_changes_does_not_hide_the_one_of_the_incident(
    server: Server, remote: Remote, mirrored: str
) -> None:
    """
    Given: a delta whose reason is empty.
    When: an incident is closed here.
    Then: the reason of the incident goes.
    """
    data = {"closeReason": "Resolved", "closeNotes": "n"}
    pushed(server, mirrored, status=2, data=data, delta={"closeReason": "", "closeNotes": None})

    assert [(body["closeReason"], body["closeNotes"]) for body in closings(remote)] == [("Resolved", "n")]


def test_closing_goes_with_reason_and_notes_once(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a local incident that is closed.
    When: that is sent, and later changes of the closed incident.
    Then: the remote is closed once, with reason and notes; the later change goes as a change.
    """
    data = {"closeReason": "False Positive", "closeNotes": "A test."}
    assert pushed(server, mirrored, status=2, data=data, delta={**data, "closingUserId": "lea"}) == mirrored
    pushed(server, mirrored, status=2, data=data, delta={"details": "afterwards"})

    assert closings(remote) == [
        {"id": mirrored, "version": 1, "closeReason": "False Positive", "closeNotes": "A test.", "CustomFields": {}}
    ]
    incident = remote.incidents[mirrored]
    assert (incident["status"], incident["closeReason"], incident["details"]) == (2, "False Positive", "afterwards")
    assert server.pull(mirrored)[1] == []


@pytest.mark.parametrize(
    ("data", "delta", "reason", "notes"),
    [
        ({"closeReason": "A", "closeNotes": "a"}, {"closeNotes": "b"}, "A", "b"),
        ({"closeReason": "A", "closeNotes": "a"}, {}, "A", "a"),
        ({"closeReason": "A", "closeNotes": "a"}, None, "A", "a"),
        ({}, {"closeReason": "B", "closeNotes": "b"}, "B", "b"),
    ],
    ids=["both", "data alone", "no delta", "delta alone"],
)
def test_the_reason_comes_from_the_change_or_from_the_incident(
    server: Server, remote: Remote, mirrored: str, data: Any, delta: Any, reason: str, notes: str
) -> None:
    """
    Given: reason and notes in the delta, in the whole incident, or in both.
    When: the closing is sent.
    Then: they arrive, the delta's first.
    """
    pushed(server, mirrored, status=2, data=data, delta=delta)

    assert [(body["closeReason"], body["closeNotes"]) for body in closings(remote)] == [(reason, notes)]


def test_a_closing_without_reason_and_notes_still_goes(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a local incident that was closed without a reason or notes.
    When: that is sent.
    Then: the remote is closed with some, as its form may require them.
    """
    pushed(server, mirrored, status=2, data=None, delta=None)

    (body,) = closings(remote)
    assert body["closeReason"] == "Other"
    assert body["closeNotes"]


def test_the_last_changes_and_entries_go_before_the_closing(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an update with a field, an entry and the closing. XSOAR REST API: a closed War Room takes no entries.
    When: it is sent.
    Then: the remote gets the field and the entry, and is closed then.
    """
    pushed(server, mirrored, status=2, delta={"details": "new"}, entries=[local_entry(1, "last words")])

    assert remote.writes() == ["POST /incident", "POST /entry/formatted", "POST /incident/close"]
    assert closings(remote)[0]["version"] == 2


def test_with_the_switch_off_the_remote_stays_open(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: the switch Close Remote Incident, off.
    When: the local incident is closed.
    Then: other changes go, the closing does not.
    """
    server.params["close_out"] = False

    pushed(server, mirrored, status=2, delta={"details": "new"})

    assert closings(remote) == []
    assert (remote.incidents[mirrored]["status"], remote.incidents[mirrored]["details"]) == (1, "new")


def test_a_remote_that_is_closed_already_is_not_closed_again(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an incident that the remote closed, which closed the local one.
    When: the server tells us of the local closing.
    Then: nothing is written: reason and notes of the remote stay.
    """
    remote.close(mirrored)
    assert [entry["Contents"] for entry in server.pull(mirrored)[1]] == [CLOSING]
    remote.calls.clear()

    pushed(server, mirrored, status=2, data=CLOSING, delta={"closeReason": "Resolved", "closeNotes": "other words"})

    assert remote.writes() == []


def test_a_closing_that_failed_goes_with_the_next_update(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a remote that refuses the closing at first.
    When: it is sent, and the server sends the update again, now without a delta.
    Then: the first is an error, and the second closes it, with the reason.
    """
    remote.fail("POST /incident/close", **error_body(400, "bad_request"))
    data = {"closeReason": "Duplicate", "closeNotes": "See 3."}

    assert push(server, mirrored, status=2, data=data, delta=data).error
    pushed(server, mirrored, status=2, data=data)

    assert (remote.incidents[mirrored]["status"], remote.incidents[mirrored]["closeReason"]) == (2, "Duplicate")


def test_an_incident_that_the_remote_reopened_is_closed_there_again(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an incident that was closed here and so there, and that the remote reopened, which reopened it here.
    When: it is closed here again.
    Then: the remote is closed again.
    """
    pushed(server, mirrored, status=2, data=CLOSING)
    assert server.pull(mirrored)[1] == []
    remote.change(mirrored, status=1)
    assert [entry["Contents"] for entry in server.pull(mirrored)[1]] == [REOPENING]

    pushed(server, mirrored, status=2, data=CLOSING)

    assert remote.incidents[mirrored]["status"] == 2
    assert len(closings(remote)) == 2


def test_a_closing_that_shows_late_reopens_nothing_here(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a remote that accepts a closing and carries it out later. XSOAR REST API: the answer comes before the closing shows.
    When: rounds run before it shows, and after.
    Then: the server sees that it is not closed yet and asks again; nothing reopens the local incident, or closes either again.
    """
    remote.closes_late = True
    assert "not closed the incident yet" in push(server, mirrored, status=2, data=CLOSING).error
    assert server.pull(mirrored)[1] == []
    remote.change(mirrored, details="still open")
    assert server.pull(mirrored)[1] == []
    remote.close(mirrored)
    pushed(server, mirrored, status=2, data=CLOSING)

    assert server.pull(mirrored)[1] == []
    assert len(closings(remote)) == 1


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("Benign", "False Positive"), ("Handled", "Handled"), ("Duplicate", "Duplicate")],
    ids=["one of theirs", "two of theirs", "none"],
)
def test_a_close_reason_is_translated_where_one_of_theirs_stands_for_it(
    server: Server, remote: Remote, mirrored: str, reason: str, expected: str
) -> None:
    """
    Given: close reasons that the tenants call differently, two of theirs for one of ours.
    When: an incident is closed here for one of them.
    Then: it closes there with theirs if only one is meant; otherwise the reason goes as it is.
    """
    server.params["close_reasons"] = "False Positive = Benign\nResolved = Handled\nDone = Handled"
    remote.offer(None)

    pushed(server, mirrored, status=2, data={**CLOSING, "closeReason": reason})

    assert [body["closeReason"] for body in closings(remote)] == [expected]


def test_a_closing_that_was_not_to_cross_crosses_once_the_switch_is_on(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an incident that was closed here while Close Remote Incident was off.
    When: the switch is on and the server sends the incident once more.
    Then: the remote one is closed.
    """
    server.params["close_out"] = False
    pushed(server, mirrored, status=2, data=CLOSING)
    assert closings(remote) == []
    server.params["close_out"] = True

    pushed(server, mirrored, status=2, data=CLOSING)

    assert len(closings(remote)) == 1


def test_the_status_here_is_known_although_the_closing_failed(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a remote that refuses a closing; When it fails; Then the record says that the incident is closed here."""
    remote.fail("POST /incident/close", status_code=403, json={}, times=9)

    assert push(server, mirrored, status=2, data=CLOSING).error

    assert record_of(server, mirrored).here == 2


def test_a_closing_is_given_three_seconds_to_show(server: Server, remote: Remote, mirrored: str, naps: list[float]) -> None:
    """
    Given: a remote that accepts a closing and carries it out later.
    When: the closing goes out.
    Then: the remote is looked at again after pauses that grow, of three seconds in all, before the server is told to ask again.
    """
    remote.closes_late = True

    push(server, mirrored, status=2, data=CLOSING)

    assert naps == sorted(naps)
    assert sum(naps) == pytest.approx(3)


""" OUT: REOPENING """


def commands(remote: Remote) -> list[Any]:
    """Return the commands that were run in the remote: in which War Room, and what."""
    return [(body["investigationId"], body["data"]) for body in remote.bodies("POST /entry/execute")]


@pytest.fixture
def closed_both(server: Server, remote: Remote, mirrored: str) -> str:
    """The ID of a mirrored incident that was closed here and so there; the remote has another one, which is open."""
    remote.add("50", investigationId="50")
    pushed(server, mirrored, status=2, data=CLOSING)
    assert server.pull(mirrored)[1] == []
    remote.calls.clear()
    return mirrored


def test_reopening_goes_out_once_and_before_the_entries(server: Server, remote: Remote, closed_both: str) -> None:
    """
    Given: an incident that was closed here and so there, and another one that is open there.
    When: it is reopened here and gets a field and an entry; the update comes twice.
    Then: the remote is reopened by a command in the other War Room, once, and then has the field and the entry; it does not
        come back in.
    """
    update = {"delta": {"details": "new"}, "entries": [local_entry(1, "there is more")], "status": 1}

    pushed(server, closed_both, **update)
    pushed(server, closed_both, **update)

    assert commands(remote) == [("50", f"!reopenInvestigation id={closed_both}")]
    assert (remote.incidents[closed_both]["status"], remote.incidents[closed_both]["details"]) == (1, "new")
    assert arrived(remote, closed_both) == [("there is more", "text", False)]
    assert server.pull(closed_both)[1] == []


@pytest.mark.parametrize("shows_late", [False, True], ids=["shows at once", "shows late"])
def test_what_is_reopened_after_a_closing_whose_answer_was_lost_goes_on(
    server: Server, remote: Remote, mirrored: str, shows_late: bool
) -> None:
    """
    Given: an incident that we closed there, the answer of which was lost, and that somebody reopened here before the next try;
        a load may still show it open.
    When: the server sends that, with a new entry.
    Then: it is open there, and the entry is in it.
    """
    was_open = dict(remote.incidents[mirrored])
    remote.fail("POST /incident/close", requests.ConnectionError("reset"), after=True)
    remote.add()  # An open incident, in whose War Room the command can run.
    assert push(server, mirrored, status=2, delta={"closingUserId": "hanna"}).error
    assert remote.incidents[mirrored]["status"] == 2
    remote.old_copies = {mirrored: was_open} if shows_late else {}

    pushed(server, mirrored, status=1, delta={"closingUserId": "", "runStatus": ""}, entries=[local_entry(1, "on we go")])

    assert remote.incidents[mirrored]["status"] == 1
    assert [text for text, _, _ in arrived(remote, mirrored)] == ["on we go"]


def test_what_was_reopened_can_be_closed_again(server: Server, remote: Remote, closed_both: str) -> None:
    """
    Given: an incident that was reopened here and so there.
    When: it is closed here.
    Then: the remote is closed.
    """
    pushed(server, closed_both, status=1)
    assert remote.incidents[closed_both]["status"] == 1

    pushed(server, closed_both, status=2, data=CLOSING)

    assert remote.incidents[closed_both]["status"] == 2


@pytest.mark.parametrize("obstacle", ["no open incident", "the command does nothing", "the command is refused", "odd ID"])
def test_a_reopening_that_cannot_go_out_is_said_and_closes_nothing_here(
    server: Server, remote: Remote, mirrored: str, obstacle: str
) -> None:
    """
    Given: an incident that is closed on both sides, and a remote where it cannot be reopened.
    When: it is reopened here, and rounds run.
    Then: the log tells to reopen it there; the remote's old closing does not close it here again.
    """
    if obstacle != "no open incident":
        remote.add("50", investigationId="50")
    if obstacle == "odd ID":
        remote.incidents["x y"] = {**remote.incidents.pop(mirrored), "id": "x y"}
        remote.entries["x y"] = []
        mirrored = "x y"
        remote.hidden = {"x y"}
    pushed(server, mirrored, status=2, data=CLOSING)
    remote.reopens = obstacle == "the command is refused"
    if obstacle == "the command is refused":
        remote.fail("POST /entry/execute", **error_body(403, "v8_no_permission"))

    pushed(server, mirrored, status=1)
    remote.change(mirrored, details="x")

    assert server.pull(mirrored)[1] == []
    (line,) = [line for line in server.lines("info") if "reopen it there" in line]
    assert f"incident {mirrored}" in line
    assert len(commands(remote)) == (0 if obstacle in ("no open incident", "odd ID") else 1)


def test_a_reopening_that_failed_is_tried_again(server: Server, remote: Remote, closed_both: str) -> None:
    """
    Given: a remote that goes away while it is to be reopened.
    When: the update is sent, and again.
    Then: the first is an error, and after the second it is open.
    """
    remote.fail("POST /entry/execute", status_code=502)

    assert push(server, closed_both, status=1).error
    pushed(server, closed_both, status=1)

    assert remote.incidents[closed_both]["status"] == 1


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({"close_out": False}, 1, id="switch off"),
        pytest.param({}, 3, id="archived"),
        pytest.param({}, None, id="no status given"),
        pytest.param({}, 2, id="still closed"),
    ],
)
def test_what_is_no_reopening_reopens_nothing(
    server: Server, remote: Remote, closed_both: str, changes: dict[str, Any], status: int | None
) -> None:
    """
    Given: an incident that is closed on both sides.
    When: an update comes that does not say that it is open again, or the switch Close Remote Incident is off.
    Then: the remote stays closed.
    """
    server.params |= changes

    pushed(server, closed_both, status=status, delta={"details": "new"})

    assert commands(remote) == []
    assert remote.incidents[closed_both]["status"] == 2


def test_a_remote_that_is_open_already_is_not_reopened(server: Server, remote: Remote, closed_both: str) -> None:
    """
    Given: an incident that was closed on both sides and that somebody reopened on both sides before a round ran.
    When: the update comes.
    Then: no command is run there.
    """
    remote.change(closed_both, status=1)

    pushed(server, closed_both, status=1)

    assert commands(remote) == []
    assert "reopen" not in {row[3] for row in store_of(server).journal}


def test_a_reopening_that_came_in_does_not_go_out(server: Server, remote: Remote, closed_both: str) -> None:
    """
    Given: an incident that was closed on both sides and reopened there, which reopened it here.
    When: the server tells us that it is open here.
    Then: nothing is written there.
    """
    remote.change(closed_both, status=1)
    assert [entry["Contents"] for entry in server.pull(closed_both)[1]] == [REOPENING]
    remote.calls.clear()

    pushed(server, closed_both, status=1)

    assert remote.writes() == []


@pytest.mark.parametrize("closed_first", ["here", "there"])
def test_both_closed_in_one_round_disturb_nothing(server: Server, remote: Remote, mirrored: str, closed_first: str) -> None:
    """
    Given: an incident that is closed on both sides before a round runs.
    When: the round brings one closing in or finds the other out.
    Then: the remote was written at most once, and the next rounds bring nothing.
    """
    if closed_first == "there":
        remote.close(mirrored)
    pushed(server, mirrored, status=2, data=CLOSING)
    if closed_first == "there":
        assert closings(remote) == []

    server.pull(mirrored)

    assert server.pull(mirrored)[1] == []
    assert remote.incidents[mirrored]["status"] == 2
    assert len(closings(remote)) <= 1


def test_a_failing_part_leaves_the_others_their_chance(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an update with a field and an entry, and a remote that refuses the field.
    When: it is sent, and the server sends it again.
    Then: the entry arrived the first time, the failure is seen, and in the end both are there once.
    """
    remote.fail("POST /incident$", **error_body(400, "bad_request"))
    update = {"delta": {"details": "new"}, "entries": [local_entry(1, "hello")]}

    error = push(server, mirrored, **update).error

    assert f"Incident {mirrored}" in error
    assert "bad_request" in error
    assert arrived(remote, mirrored) == [("hello", "text", False)]
    pushed(server, mirrored, **update)
    assert len(remote.entries[mirrored]) == 1
    assert remote.incidents[mirrored]["details"] == "new"


def test_failing_entries_leave_the_fields_their_chance_and_the_incident_open(
    server: Server, remote: Remote, mirrored: str
) -> None:
    """
    Given: an update with a field, an entry and the closing, and a remote that refuses the entry.
    When: it is sent, and the server sends it again.
    Then: the field arrived the first time; the incident is closed only when the entry is there, as a closed War Room takes none.
    """
    remote.fail("POST /entry", **error_body(400, "bad_request"))
    update = {"delta": {"details": "new"}, "entries": [local_entry(1, "hello")], "status": 2, "data": CLOSING}

    assert push(server, mirrored, **update).error

    assert (remote.incidents[mirrored]["details"], remote.incidents[mirrored]["status"]) == ("new", 1)
    pushed(server, mirrored, **update)
    assert arrived(remote, mirrored) == [("hello", "text", False)]
    assert remote.incidents[mirrored]["status"] == 2


def test_a_remote_that_is_away_fails_the_update(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a remote that cannot be reached.
    When: an update with everything is sent.
    Then: the server sees an error that names the incident and the remote.
    """
    remote.fail("", requests.exceptions.ConnectionError("gone"), times=99)

    error = push(server, mirrored, delta={"details": "x"}, entries=[local_entry(1, "x")], status=2).error

    assert f"Incident {mirrored}: api-remote.example.com cannot be reached" in error


def test_close_reasons_are_kept_for_ten_minutes(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: five incidents that are closed here one after another, and a remote that offers another reason behind the second.
    When: they are closed within minutes, the fourth with that reason, the last one ten minutes later.
    Then: the fields are asked for at first, for the reason that was not offered, and at last; and each reason arrives.
    """
    for number in range(1, 6):
        remote.add(str(number))
    server.fetch()
    offered = ["Resolved", "Duplicate"]
    remote.offer(offered)
    asked = []
    for number, reason in enumerate(["Resolved", "Duplicate", "Resolved", "Handed over", "Handed over"], start=1):
        if number == 3:
            offered.append("Handed over")
        if number == 5:
            clock.tick(timedelta(minutes=10))
        pushed(server, str(number), status=2, delta={"status": 2, "closeReason": reason, "closeNotes": "done"})
        asked.append(len(remote.asked("GET /incidentfields")))
        assert remote.incidents[str(number)]["closeReason"] == reason

    assert asked == [1, 1, 1, 2, 3]


def test_a_reason_that_is_no_longer_offered_becomes_other(
    server: Server, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Given: close reasons that were read a minute ago, and a remote that has withdrawn one since then and refuses it.
    When: an incident is closed with it.
    Then: it is closed as Other, and the reason goes with the notes.
    """
    for incident_id in "12":
        remote.add(incident_id)
    server.fetch()
    offered = ["Resolved", "Other", "Duplicate"]
    remote.offer(offered)
    plain = remote._close
    refused = {"status_code": 400, "json": {"detail": "no such reason"}}
    monkeypatch.setattr(remote, "_close", lambda body: plain(body) if body["closeReason"] in offered else refused)
    delta = {"status": 2, "closeReason": "Duplicate", "closeNotes": "See 3."}
    pushed(server, "1", status=2, delta=delta)
    offered.remove("Duplicate")

    pushed(server, "2", status=2, delta=delta)

    closed = [(incident["status"], incident["closeReason"], incident["closeNotes"]) for incident in remote.incidents.values()]
    assert closed == [(2, "Duplicate", "See 3."), (2, "Other", "Duplicate: See 3.")]


def test_a_closing_does_not_wait_for_what_is_kept_of_the_fields(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a context that others change each time.
    When: an incident is closed.
    Then: it is closed there all the same.
    """
    remote.offer(["Resolved"])
    server.rivals = [lambda context: context.update(x="1")] * script.CONTEXT_TRIES

    push(server, mirrored, status=2, delta={"status": 2, "closeReason": "Resolved", "closeNotes": "done"})

    assert (remote.incidents[mirrored]["status"], remote.incidents[mirrored]["closeReason"]) == (2, "Resolved")


def test_an_entry_that_can_never_go_reopens_and_closes_nothing_again(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an incident closed here with a tagged file that is no longer on this server.
    When: the server sends the update again and again.
    Then: each says so, the remote is closed once, and it is never reopened.
    """
    remote.add("50", status=1)
    gone = local_entry(1, "", type=3, file="gone.bin", fileID="x", category="")
    delta = {**CLOSING, "closingUserId": "lea"}

    for _ in range(6):
        assert "no longer on this server" in push(server, mirrored, status=2, data=delta, delta=delta, entries=[gone]).error

    assert remote.incidents[mirrored]["status"] == 2
    assert len(remote.asked("POST /incident/close")) == 1
    assert remote.asked("POST /entry/execute") == []


def test_an_entry_that_met_a_closed_incident_goes_with_a_later_closing(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an incident closed on both sides, and an entry that the closed remote did not take.
    When: it is reopened, written into and closed again here within one round.
    Then: the entry is there, once, and the incident is closed.
    """
    remote.add("50", status=1)
    pushed(server, mirrored, status=2, data=CLOSING, delta={**CLOSING, "closingUserId": "lea"})
    late = local_entry(1, "late")
    assert "is closed" in push(server, mirrored, status=2, entries=[late]).error

    pushed(server, mirrored, status=2, data=CLOSING, delta={**CLOSING, "closingUserId": "lea"}, entries=[late])

    assert [text for text, _, _ in arrived(remote, mirrored)].count("late") == 1
    assert remote.incidents[mirrored]["status"] == 2
