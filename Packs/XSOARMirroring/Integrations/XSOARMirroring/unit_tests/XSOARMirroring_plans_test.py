"""Decision tables: what a pull delivers, what a push does and in which order, what becomes of the remote's status."""

import json
from typing import Any

import pytest

import XSOARMirroring as script
from stand_ins import PARAMS, TEMPLATE

SETTINGS = script.parse_settings(PARAMS, "headquarters")
NOW_MS = script.parse_ms("2026-03-01T12:00:00Z", 0)
OPEN, DONE, ARCHIVED = 1, 2, 3
REOPEN, CLOSE, SAVE, SEND = script.REOPEN, script.CLOSE, script.SAVE, script.SEND


@pytest.mark.parametrize(
    ("told", "asked", "now", "says", "brings", "expected"),
    [
        # Nothing is awaited here: the local status is compared with what the remote was told last.
        (None, None, OPEN, "", False, ()),
        (None, None, DONE, "", False, (CLOSE,)),
        (OPEN, None, OPEN, "", False, ()),
        (OPEN, None, DONE, "", False, (CLOSE,)),
        (OPEN, None, DONE, CLOSE, True, (CLOSE,)),
        (OPEN, None, ARCHIVED, "", False, (CLOSE,)),
        (DONE, None, DONE, "", False, ()),
        (DONE, None, DONE, CLOSE, False, ()),
        (DONE, None, DONE, CLOSE, True, (REOPEN, CLOSE)),
        (DONE, None, DONE, "", True, ()),
        (DONE, None, ARCHIVED, "", False, ()),
        (DONE, None, OPEN, "", False, (REOPEN,)),
        (DONE, None, 0, "", False, (REOPEN,)),
        (DONE, None, OPEN, REOPEN, False, (REOPEN,)),
        # The server was asked to close: an open incident is not closed yet, unless a person has reopened it.
        (OPEN, DONE, OPEN, "", False, ()),
        (OPEN, DONE, OPEN, CLOSE, False, ()),
        (OPEN, DONE, OPEN, REOPEN, False, (REOPEN,)),
        (OPEN, DONE, DONE, "", False, ()),
        (OPEN, DONE, DONE, CLOSE, False, ()),
        (OPEN, DONE, DONE, CLOSE, True, (REOPEN, CLOSE)),
        # The server was asked to reopen: a closed incident was closed again.
        (DONE, OPEN, OPEN, "", False, ()),
        (DONE, OPEN, DONE, "", False, (CLOSE,)),
        (DONE, OPEN, DONE, CLOSE, True, (CLOSE,)),
        # The server does not say.
        (OPEN, None, None, "", False, ()),
        (DONE, DONE, None, REOPEN, True, ()),
    ],
)
@pytest.mark.parametrize("follows", [True, False])
def test_what_becomes_of_the_remote_s_status(
    told: int | None,
    asked: int | None,
    now: int | None,
    says: str,
    brings: bool,
    expected: tuple[str, ...],
    follows: bool,
) -> None:
    """
    Given: what the remote was told, what the server was asked for, the local status, and what the delta says.
    When: an update is planned.
    Then: the remote is closed, reopened, both or neither; and neither where it does not follow.
    """
    assert script.plan_status(told, asked, now, follows, says, brings) == (expected if follows else ())


def an_update(**fields: Any) -> script.Update:
    """Return an update of incident 1."""
    given = {"remote_id": "1", "data": {}, "delta": {}, "entries": [], "status": OPEN, "is_changed": True}
    return script.Update(**{**given, **fields})


def an_entry(number: int, tags: tuple[str, ...] = ("send",), **fields: Any) -> script.Entry:
    """Return an entry."""
    raw = {"id": f"{number}@1", "created": f"2026-03-01T11:{number:02d}:00Z", "contents": f"text {number}", "tags": list(tags)}
    return script.Entry.of({**raw, **fields})


@pytest.mark.parametrize(
    ("record", "update", "wanted", "expected"),
    [
        ({}, {}, [], []),
        ({}, {"delta": {"severity": 3}}, [], [SAVE]),
        ({}, {"delta": {"severity": 3}, "is_changed": False}, [], []),
        ({}, {"delta": {"runStatus": "waiting"}}, [], []),
        ({}, {"delta": {"xsoarmirroringstate": "Error"}}, [], []),
        ({}, {}, [1], [SEND]),
        ({"told": OPEN}, {"status": DONE}, [], [CLOSE]),
        ({"told": OPEN}, {"status": DONE, "delta": {"closeReason": "Other", "severity": 1}}, [1], [SAVE, SEND, CLOSE]),
        ({"told": OPEN}, {"status": DONE, "delta": {"closeReason": "Other"}}, [], [CLOSE]),
        ({"told": DONE, "status": DONE}, {"delta": {"severity": 1}}, [1], [REOPEN, SAVE, SEND]),
        ({"told": DONE, "status": DONE}, {"status": DONE, "delta": {"closingUserId": "lea"}}, [1], [REOPEN, SEND, CLOSE]),
        ({"told": DONE, "status": OPEN}, {"status": DONE, "delta": {"closingUserId": "lea"}}, [1], [SEND]),
        ({"told": OPEN, "asked": DONE}, {"delta": {"runStatus": ""}}, [1], [SEND]),
        ({"told": OPEN, "asked": DONE}, {"delta": {"closingUserId": ""}}, [], [REOPEN]),
        # A closing was tried and its answer lost.
        ({"told": OPEN, "ledger": script.Ledger(trying={script.CLOSING: ""})}, {"status": DONE}, [], [CLOSE]),
        ({"told": OPEN, "ledger": script.Ledger(trying={script.CLOSING: ""})}, {}, [1], [REOPEN, SEND]),
    ],
)
def test_what_a_push_does_and_in_which_order(
    record: dict[str, Any], update: dict[str, Any], wanted: list[int], expected: list[str]
) -> None:
    """
    Given: a record, an update, and the entries that are to go.
    When: the push is planned.
    Then: it is opened before anything is written, and closed behind all of it; what is not for the remote makes no step.
    """
    steps = script.plan_push(script.Record(**record), an_update(**update), SETTINGS, [an_entry(number) for number in wanted])

    assert [step.kind for step in steps] == expected


@pytest.mark.parametrize(
    ("tags", "ledger", "goes"),
    [
        (["send"], {}, True),
        (["sent by its former name"], {}, True),
        (["send", "x"], {}, True),
        ([], {}, False),
        (["share"], {}, False),
        (["send"], {"sent": {"1@1": "mk"}}, False),
        (["send"], {"sent": {"1@1": "ot"}}, True),
        (["send"], {"sent": {"1@1": script.UNMARKED}}, False),
        (["send"], {"seen": {"7@4": "mk" + script.copy_digest("text 1")}}, False),
        (["send"], {"seen": {"7@4": "mk" + script.copy_digest("text 2")}}, True),
        (["send"], {"trying": {"1@1": "mk"}}, True),
    ],
)
def test_which_local_entries_go(tags: list[str], ledger: dict[str, Any], goes: bool) -> None:
    """
    Given: an entry that the server offers, its tags, and what the ledger holds.
    When: it is decided whether it goes.
    Then: it goes unless it has no tag of this side, went already, or came in; an ID alone is no identity.
    """
    entry = an_entry(1, tuple(tags))._replace(mark="mk")

    left = script.leaving([entry], script.Record(ledger=script.Ledger(**ledger)), SETTINGS, script.local_digest)

    assert bool(left) is goes


def a_look(status: int | None = OPEN, entries: tuple[script.Entry, ...] = (), **fields: Any) -> script.Look:
    """Return what was read of incident 1."""
    raw = {**TEMPLATE, "id": "1", "status": status, "modified": "2026-03-01T11:59:00Z", **fields.pop("raw", {})}
    return script.Look(script.Incident.of(raw), list(entries), **fields)


def shown(plan: script.PullPlan) -> list[str]:
    """Return the entries of a plan in a word each."""
    words = {"dbotIncidentClose": "close", "dbotIncidentReopen": "reopen"}
    return [
        next((word for key, word in words.items() if isinstance(entry["Contents"], dict) and key in entry["Contents"]), "entry")
        for entry in plan.entries
    ]


TAGGED = (an_entry(1, ("share",), category="chat"),)


@pytest.mark.parametrize(
    ("record", "status", "entries", "close_in", "expected"),
    [
        ({"given": OPEN}, OPEN, (), True, []),
        ({"given": OPEN}, OPEN, TAGGED, True, ["entry"]),
        ({"given": OPEN}, DONE, TAGGED, True, ["entry", "close"]),
        ({"given": OPEN}, ARCHIVED, (), True, ["close"]),
        ({"given": DONE}, ARCHIVED, (), True, []),
        ({"given": DONE, "asked": DONE}, OPEN, TAGGED, True, ["reopen", "entry"]),
        ({"given": OPEN, "here": DONE}, DONE, (), True, []),
        ({"given": DONE, "here": OPEN}, DONE, (), True, []),
        ({"given": DONE, "here": DONE}, DONE, TAGGED, True, ["reopen", "entry", "close"]),
        ({"given": OPEN, "here": DONE}, OPEN, TAGGED, True, []),
        ({"given": OPEN}, DONE, TAGGED, False, ["entry"]),
        ({"given": OPEN, "here": DONE}, DONE, TAGGED, False, []),
        ({"given": DONE, "here": DONE}, OPEN, TAGGED, False, []),
        ({"given": None}, DONE, (), True, ["close"]),
        ({"given": None}, OPEN, (), True, []),
        ({"given": OPEN}, None, (), True, []),
    ],
)
def test_what_a_pull_delivers(
    record: dict[str, Any], status: int | None, entries: tuple[script.Entry, ...], close_in: bool, expected: list[str]
) -> None:
    """
    Given: what was delivered, the remote's status, a tagged entry or none, and whether closing comes in.
    When: a pull is planned, and again with what it remembers.
    Then: states are compared, entries come only into an open incident, and the second plan delivers nothing again.
    """
    settings = SETTINGS._replace(close_in=close_in, reopen_in=close_in)
    before = script.Record(since_ms=0, wanted=1, **record)

    plan = script.plan_pull(before, a_look(status, entries), settings, NOW_MS, script.Schema())
    again = script.plan_pull(plan.record, a_look(status, entries), settings, NOW_MS, script.Schema())

    assert shown(plan) == expected
    assert again.entries == []
    assert not plan.record.is_due


GONE = script.RemoteError(script.NOT_FOUND, "The remote tenant has no such file.")
LIMIT = script.RemoteError(script.RATE_LIMIT, "API rate limit")
FILE = an_entry(2, ("share",), file="log.txt", fileID="x")


@pytest.mark.parametrize(
    ("tries", "problem", "outcome", "state"),
    [
        ({}, None, "missing", ("Behind", True)),
        ({"2@1": "1"}, None, "missing", ("Behind", True)),
        ({"2@1": "2"}, None, "note", ("In Step", False)),
        ({}, LIMIT, "limited", ("In Step", True)),
        ({"2@1": "2"}, LIMIT, "limited", ("In Step", True)),
    ],
)
def test_what_becomes_of_a_file_that_cannot_be_had(
    tries: dict[str, str], problem: script.RemoteError | None, outcome: str, state: tuple[str, bool]
) -> None:
    """
    Given: a file that is gone there, or that a limit of calls kept back, after none or some tries.
    When: a pull is planned.
    Then: it is tried again, soon where calls ran out, and after three tries a note stands for it, and that is the end.
    """
    before = script.Record(given=OPEN, since_ms=0, ledger=script.Ledger(missing=tries))
    look = a_look(entries=(FILE,), files={FILE.key: problem or GONE})

    plan = script.plan_pull(before, look, SETTINGS, NOW_MS, script.Schema())

    assert ["log.txt" in json.dumps(entry) for entry in plan.entries] == ([True] if outcome == "note" else [])
    assert (script.mirror_state(plan.record), plan.record.is_due) == state
    assert plan.record.not_before_ms == 0 or tries


def test_what_was_asked_for_during_a_pull_is_still_due() -> None:
    """
    Given: an incident that is listed once more while a pull is at work.
    When: the pull is remembered.
    Then: it is still due, as the pull has not seen why it was listed.
    """
    before = script.Record(given=OPEN, since_ms=0, wanted=1)
    plan = script.plan_pull(before, a_look(), SETTINGS, NOW_MS, script.Schema())

    assert not script.merged(before, plan.record, before).is_due
    assert script.merged(before, plan.record, script.wanted_again(before)).is_due
