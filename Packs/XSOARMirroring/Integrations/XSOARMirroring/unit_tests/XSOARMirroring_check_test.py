"""Tests of xsoar-mirror-check: how it judges what it reads, what it asks, what it writes and leaves behind."""

import json
from dataclasses import fields
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

import XSOARMirroring as script
from stand_ins import change_memory, memory_of, HOST_8, KEY, NOW, PARAMS, Call, Remote, Server, load
from XSOARMirroring import OK, STOP, WARN, Finding

HOUR_MS = 3_600_000
NOW_MS = 1_772_366_400_000
FIELDS = load("incident_fields")

""" HOW IT JUDGES """


def custom(name: str, kind: str = "shortText") -> dict[str, Any]:
    """Return a custom field as /incidentfields lists it."""
    return {"id": f"incident_{name}", "cliName": name, "name": name, "type": kind, "system": False, "group": 0}


def reasons(*values: str) -> list[dict[str, Any]]:
    """Return the field of the close reasons alone."""
    return [{"id": "incident_closereason", "cliName": "closereason", "system": True, "selectValues": list(values) or None}]


def entry(number: int, *tags: str) -> dict[str, Any]:
    """Return an entry of a War Room."""
    return {"id": f"{number}@1", "created": f"2026-03-01T10:00:0{number}Z", "tags": list(tags)}


def incident(number: int, severity: int = 1) -> dict[str, Any]:
    """Return an incident of a search."""
    return {"id": str(number), "severity": severity, "created": f"2026-03-01T10:00:0{number}Z"}


def error(kind: str, status: int = 0) -> script.RemoteError:
    """Return an error of the remote."""
    error = script.RemoteError(kind, "No.")
    error.status = status
    return error


def found(*incidents: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the answer of a search."""
    return {"data": list(incidents) or None, **more}


def pages(total: int, *sizes: int) -> list[dict[str, Any]]:
    """Return the answers of a search that is read page by page."""
    return [found(*({"id": f"{page}-{number}"} for number in range(size)), total=total) for page, size in enumerate(sizes)]


def to_fetch(*types: str) -> list[dict[str, Any]]:
    """Return incidents of these types."""
    return [{"id": str(number), "type": name} for number, name in enumerate(types)]


def asked(question: str, **given: Any) -> Finding:
    """Put one question to a remote.

    Args:
        given: what the check knows so far, by the fields of `Check`; `params`; and what the client answers: a list has the
            answers of a method in turn, an exception is raised; all else is an attribute.
    """
    known = {item.name: given.pop(item.name) for item in fields(script.Check) if item.name in given}
    settings = script.parse_settings({**PARAMS, **given.pop("params", {})}, "here")
    answers = {"is_late": [False] * 9, "remote_time_ms": 0, "pause": lambda _: None, **given}
    client: Any = SimpleNamespace(
        **{name: Mock(side_effect=value) if isinstance(value, list) else value for name, value in answers.items()}
    )
    questions = {**script.READING, **script.IN_WAR_ROOMS, **script.CREATING, **script.WRITING, **script.ENDING}
    ask = {**questions, "Scratch incident": script.cleaned_up}[question]
    (finding,) = script.answers(script.Check(client, settings, **known), {question: ask})
    return finding


OPEN, DONE = {"id": "4", "status": 1, "version": 1}, {"id": "4", "status": 2}
OURS = {"id": "4", "dbotMirrorId": "o"}
OLDER, NEWER = (incident(number) | {"modified": f"2026-03-01T11:00:0{number}Z"} for number in (1, 9))
ROOM = {"1": [entry(1), entry(2), entry(3)]}
TWO = {"changed": [OLDER, NEWER]}
TAGGED = {"1": [entry(1, "t")]}
CHANGED_LATER = {"1": [{**entry(1), "modified": "2026-03-01T11:00:00Z"}]}
STILL, MOVED = ({"id": "4", "modified": f"2026-03-01T11:00:0{number}Z"} for number in (1, 2))
REFUSED = error(script.REJECTED, 400)

# By case: the question, what it meets, the verdict and words of the finding.
JUDGED: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "8": ("Version", {"about": [{"demistoVersion": "8.8.0", "productMode": "xsoar"}]}, OK, "8.8.0"),
    "6": ("Version", {"about": [{"demistoVersion": "6.12.0"}]}, OK, "as on 6.x"),
    "another product": ("Version", {"about": [{"demistoVersion": "8.8.0", "productMode": "xsiam"}]}, STOP, "xsiam"),
    "an unknown version": ("Version", {"about": [{"demistoVersion": "9.1"}]}, WARN, "version 9.1"),
    "a version that is none": ("Version", {"about": [{"demistoVersion": "host.example.com"}]}, WARN, "in an unknown format"),
    "a mode that is none": (
        "Version",
        {"about": [{"demistoVersion": "8.8.0", "productMode": "no.mode"}]},
        STOP,
        "in an unknown format",
    ),
    "nothing to fetch": ("First fetch", {"search": [([], 0)]}, WARN, "no incidents"),
    "some to fetch": (
        "First fetch",
        {"search": [(to_fetch("A", "B", "A"), 3)], "params": {"max_fetch": "2"}},
        OK,
        "bring: 3; their types: 2; fetches: 2",
    ),
    "many to fetch": ("First fetch", {"search": [(to_fetch(*["A"] * 1001), 1001), ([], 1001)]}, WARN, "bring: 1001"),
    "more than counted": (
        "First fetch",
        {"search": [(to_fetch(*["A"] * 9), 9)], "is_late": [False, True]},
        WARN,
        "more than 9;",
    ),
    "fields here": ("Custom fields", {"fields_here": [custom("ticket")], "fields": [custom("ticket")]}, OK, "missing here: 0"),
    "field missing": ("Custom fields", {"fields_here": [custom("other")], "fields": [custom("ticket")]}, WARN, "missing here: 1"),
    "other type": (
        "Custom fields",
        {"fields_here": [custom("ticket", "number")], "fields": [custom("ticket")]},
        WARN,
        "another type here: 1",
    ),
    "a timer": ("Custom fields", {"fields_here": reasons(), "fields": [custom("clock", "timer")]}, OK, "custom fields: 0"),
    "fields here unknown": ("Custom fields", {"fields": [custom("ticket")]}, WARN, "fields: 1; those here are not known"),
    "types alike": (
        "Custom fields",
        {"fields_here": [custom("ticket", "longText")], "fields": [custom("ticket")]},
        OK,
        "another type here: 0",
    ),
    "fields there unknown": ("Custom fields", {}, WARN, "not known"),
    "no reasons": ("Close reasons", {"fields_here": reasons("Mine"), "fields": reasons()}, OK, "null"),
    "the reasons fit": (
        "Close reasons",
        {"fields_here": reasons("Other"), "fields": reasons("Other", "Resolved")},
        OK,
        "it has all",
    ),
    "a reason is lacking": (
        "Close reasons",
        {"fields_here": reasons("Mine"), "fields": reasons("Other")},
        WARN,
        "it lacks: 1",
    ),
    "clocks agree": ("Clocks", {"remote_time_ms": NOW_MS + 900, "changed": [NEWER]}, OK, "within two seconds"),
    "the clock is ahead": ("Clocks", {"remote_time_ms": NOW_MS + 240_000, "changed": [NEWER]}, WARN, "4 min ahead of"),
    "the clock is behind": ("Clocks", {"remote_time_ms": NOW_MS - 240_000}, WARN, "4 min behind"),
    "a Date of a gateway": (
        "Clocks",
        {"remote_time_ms": NOW_MS, "changed": [{"modified": "2026-03-01T12:04:00Z"}]},
        WARN,
        "not the server clock",
    ),
    "no Date": ("Clocks", {"changed": [NEWER]}, WARN, "remote clock is not known"),
    "a sort that counts": (
        "Sort keys",
        {"answer_of_search": [found(incident(1), incident(2)), found(incident(2), incident(1))]},
        OK,
        "all sort keys",
    ),
    "a sort that does not": ("Sort keys", {"answer_of_search": [found(incident(1), incident(2))] * 2}, OK, "only the first"),
    "no tie to sort": ("Sort keys", {"answer_of_search": [found(incident(1), incident(2, 3))] * 2}, WARN, "not known"),
    "sort keys refused": ("Sort keys", {"answer_of_search": [REFUSED]}, OK, "refused"),
    "empty list": ("Empty answers", {"answer_of_search": [{"data": []}]}, OK, "a list"),
    "empty null": ("Empty answers", {"answer_of_search": [{"data": None}]}, OK, "null"),
    "not empty": ("Empty answers", {"answer_of_search": [{"data": [{"id": "1"}]}]}, WARN, "finds something"),
    "total right": ("Total", {"answer_of_search": pages(5, 2, 2, 1)}, OK, "total is right"),
    "total zero": ("Total", {"answer_of_search": pages(0, 2, 2, 1)}, OK, "zero"),
    "total of the page": ("Total", {"answer_of_search": pages(2, 2, 2, 1)}, OK, "the size of the page"),
    "total wrong": ("Total", {"answer_of_search": pages(7, 2, 2, 1)}, OK, "wrong"),
    "total of many": ("Total", {"answer_of_search": pages(900, 2, 2, 2, 2)}, OK, "at least the 8"),
    "total of one page": ("Total", {"answer_of_search": pages(1, 1)}, WARN, "not known"),
    "bound kept": (
        "Time bound beside a query",
        {**TWO, "answer_of_search": [found(NEWER), found(NEWER)]},
        OK,
        "fromDate beside a query holds; created:>= in it holds",
    ),
    "one bound ignored": (
        "Time bound beside a query",
        {**TWO, "answer_of_search": [found(OLDER, NEWER), found(NEWER)]},
        OK,
        "fromDate beside a query is ignored; created:>= in it holds",
    ),
    "no bound kept": (
        "Time bound beside a query",
        {**TWO, "answer_of_search": [found(OLDER, NEWER), found(OLDER, NEWER)]},
        WARN,
        "times are checked again here",
    ),
    "a bound refused": (
        "Time bound beside a query",
        {**TWO, "answer_of_search": [REFUSED, found(NEWER)]},
        STOP,
        "fromDate beside a query is refused",
    ),
    "a bound that loses": (
        "Time bound beside a query",
        {**TWO, "answer_of_search": [found(), found(), found(), found(NEWER)]},
        STOP,
        "fromDate beside a query finds nothing",
    ),
    "a coarse bound": (
        "Search by modified",
        {**TWO, "answer_of_search": [found(), found(), found(NEWER)]},
        OK,
        "modified:>= holds to the second",
    ),
    "a bound without its very millisecond": (
        "Search by modified",
        {**TWO, "answer_of_search": [found(), found(NEWER)]},
        OK,
        "modified:>= holds, but excludes that exact millisecond",
    ),
    "no bound to try": ("Time bound beside a query", {"changed": [OLDER]}, WARN, "not known"),
    "modified list": (
        "Route incidents/modified",
        {"modified_ids": [["1", "2"], {}]},
        OK,
        "GET answers with a list of 2; POST answers with an object",
    ),
    "modified absent": (
        "Route incidents/modified",
        {"modified_ids": [error(script.NOT_API, 303), None]},
        OK,
        "GET is not there (303); POST answers with nothing",
    ),
    "newest page": ("Page of a War Room", {"rooms": ROOM, "entries": [[entry(2), entry(3)]]}, OK, "newest"),
    "oldest page": ("Page of a War Room", {"rooms": ROOM, "entries": [[entry(1), entry(2)]]}, OK, "oldest"),
    "a longer page": ("Page of a War Room", {"rooms": ROOM, "entries": [ROOM["1"]]}, OK, "gives 3"),
    "lastId works": ("War Room, back from an entry", {"rooms": ROOM, "entries": [[]]}, OK, "leaves out"),
    "lastId inclusive": ("War Room, back from an entry", {"rooms": ROOM, "entries": [[entry(1)]]}, OK, "includes"),
    "lastId ignored": (
        "War Room, back from an entry",
        {"rooms": ROOM, "entries": [[entry(2), entry(3)]]},
        OK,
        "lastId is ignored; War Rooms are read whole",
    ),
    "firstID works": ("War Room, on from an entry", {"rooms": ROOM, "entries": [[entry(3)]]}, OK, "includes"),
    "firstID ignored": (
        "War Room, on from an entry",
        {"rooms": ROOM, "entries": [[entry(2), entry(3)]]},
        OK,
        "firstID is ignored; War Rooms are read whole",
    ),
    "firstID refused": ("War Room, on from an entry", {"rooms": ROOM, "entries": [REFUSED]}, OK, "refused"),
    "tags combine": (
        "Tags beside categories",
        {"rooms": TAGGED, "entries": [[entry(1, "t")], [entry(1, "t"), entry(2)], []]},
        OK,
        "combine",
    ),
    "tags ignored": (
        "Tags beside categories",
        {"rooms": TAGGED, "entries": [[entry(1, "t"), entry(2)], [entry(1, "t"), entry(2)], []]},
        OK,
        "ignored",
    ),
    "a category": (
        "Tags beside categories",
        {"rooms": TAGGED, "entries": [[entry(2)], [entry(2)], [entry(1, "t")]]},
        OK,
        "only as a category",
    ),
    "all tagged": (
        "Tags beside categories",
        {"rooms": TAGGED, "entries": [[entry(1, "t")], [entry(1, "t")], []]},
        WARN,
        "not known",
    ),
    "fromTime created": ("fromTime of a War Room", {"rooms": CHANGED_LATER, "entries": [[]]}, OK, "compares created"),
    "fromTime modified": ("fromTime of a War Room", {"rooms": CHANGED_LATER, "entries": [[entry(1)]]}, OK, "compares modified"),
    "created": ("Creating", {"create_as_answered": [(201, {"id": "4"})]}, OK, "created (201); the answer holds the incident"),
    "created without id": ("Creating", {"create_as_answered": [(201, {})]}, OK, "no id"),
    "created without answer": ("Creating", {"create_as_answered": [(201, None)]}, OK, "empty answer"),
    "dropped": ("Creating", {"create_as_answered": [(200, None)]}, STOP, "dropped"),
    "search by origin": (
        "Search by dbotMirrorId",
        {"origin": "o", "answer_of_search": [found(), found(), found(OURS)]},
        OK,
        "after 3 s",
    ),
    "no search by origin": ("Search by dbotMirrorId", {"origin": "o", "answer_of_search": [found()] * 6}, WARN, "does not find"),
    "moves": ("A note", {"scratch_id": "4", "load": [STILL, STILL, MOVED], "add_note": [{}]}, OK, "a note changes"),
    "does not change": ("A note", {"scratch_id": "4", "load": [STILL] * 7, "add_note": [{}]}, OK, "does not change"),
    "formatted open": ("Formatted entries", {"scratch_id": "4", "add_formatted": [{}], "entries": [[]]}, OK, "may use"),
    "formatted closed": (
        "Formatted entries",
        {"scratch_id": "4", "add_formatted": [error(script.NOT_API, 303)], "add_chat": [{}], "entries": [[]]},
        OK,
        "may not use /entry/formatted (303)",
    ),
    "server's clock": (
        "Clock of the server",
        {"scratch_id": "4", "load": [{"created": NOW}], "remote_time_ms": NOW_MS + 240_000},
        WARN,
        "4 min ahead of the server clock",
    ),
    "server's clock unknown": ("Clock of the server", {"scratch_id": "4", "load": [{"created": NOW}]}, WARN, "not known"),
    "closing": ("Closing", {"scratch_id": "4", "load": [OPEN, DONE], "close": [None]}, OK, "the closing takes effect at once"),
    "a late closing": (
        "Closing",
        {"scratch_id": "4", "load": [OPEN, OPEN, OPEN, DONE], "close": [None]},
        OK,
        "the closing takes effect after 0.6 s",
    ),
    "no closing": ("Closing", {"scratch_id": "4", "load": [OPEN] * 6, "close": [None]}, WARN, "did not take effect"),
    "a status that reopens": (
        "Status of a closed incident",
        {"scratch_id": "4", "load": [DONE, OPEN], "save": [{}]},
        OK,
        "reopens it",
    ),
    "a status that does nothing": (
        "Status of a closed incident",
        {"scratch_id": "4", "load": [DONE, DONE], "save": [{}]},
        OK,
        "changes nothing",
    ),
    "a status that is refused": (
        "Status of a closed incident",
        {"scratch_id": "4", "load": [DONE], "save": [error(script.CLOSED)]},
        OK,
        "is refused (closed)",
    ),
    "reopening": (
        "Reopening",
        {
            "scratch_id": "4",
            "load": [DONE, DONE, DONE, OPEN],
            "answer_of_search": [found({"id": "9", "investigationId": "9"})],
            "run": [None],
        },
        OK,
        "reopens after 0.2 s",
    ),
    "no reopening": (
        "Reopening",
        {
            "scratch_id": "4",
            "load": [DONE] * 7,
            "answer_of_search": [found({"id": "9", "investigationId": "9"})],
            "run": [None],
        },
        WARN,
        "does not reopen",
    ),
    "cleaned up": ("Scratch incident", {"scratch_id": "4", "load": [DONE, DONE]}, OK, "is closed"),
    "left open": ("Scratch incident", {"scratch_id": "4", "load": [OPEN] * 6, "close": [None]}, WARN, "still open"),
    "perhaps left": ("Scratch incident", {"origin": "o", "answer_of_search": [found()] * 6}, WARN, "not known"),
}


@pytest.mark.parametrize("case", JUDGED)
def test_each_answer_is_judged(case: str) -> None:
    """Given an answer of the remote; When it is judged; Then verdict and words fit it, and what is not well has a remedy."""
    question, given, verdict, says = JUDGED[case]
    finding = asked(question, **given)
    assert finding.verdict == verdict
    assert says in finding.found
    assert finding.remedy or verdict == OK or finding.found.startswith("not known")


@pytest.mark.parametrize(
    ("kept", "verdict"),
    [
        ({}, OK),
        ({"sourceBrand": "Manual", "sourceInstance": "admin"}, WARN),
        ({"labels": None}, OK),
        ({"dbotMirrorId": ""}, STOP),
    ],
    ids=["all", "another brand", "no labels", "no origin"],
)
def test_what_is_kept_of_the_origin_is_judged(kept: dict[str, Any], verdict: str) -> None:
    """Given a new incident as the remote keeps it; When it is judged; Then losing its origin stops, losing its brand warns."""
    labels = [{"type": "Instance", "value": "here"}, {"type": "Brand", "value": script.BRAND}]
    whole = {"sourceBrand": script.BRAND, "sourceInstance": "here", "labels": labels, "dbotMirrorId": "1@here"}
    assert asked("Brand and labels", load=[{**whole, **kept}], scratch_id="4", origin="1@here").verdict == verdict


@pytest.mark.parametrize(
    ("direction", "tags", "mirror_tag", "tagged", "verdict", "lacking"),
    [
        ("Incoming And Outgoing", "in", "out", 1, OK, ""),
        ("Incoming And Outgoing", "in", "out", 0, WARN, "spelled exactly"),
        ("Incoming And Outgoing", "", "", 0, WARN, "Incoming Entry tags"),
        ("Incoming", "in", "", 1, OK, ""),
        ("Outgoing", "", "out", 0, OK, ""),
        ("Outgoing", "in", "", 0, WARN, "Outgoing Entry Tags"),
        ("None", "", "", 0, OK, ""),
    ],
)
def test_the_tags_that_a_direction_needs(
    direction: str, tags: str, mirror_tag: str, tagged: int, verdict: str, lacking: str
) -> None:
    """Given a direction, tags, and tagged entries there; When they are judged; Then only what the direction needs is missed."""
    rooms: dict[str, Any] = {"1": [], "2": [], "3": []}
    finding = asked(
        "Entry tags",
        params={"mirror_direction": direction, "tags": tags, "mirror_tag": mirror_tag},
        rooms=rooms,
        entries=[[entry(1, "in")] * tagged, [], []],
    )
    assert (finding.verdict, lacking in finding.remedy) == (verdict, True)


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ({"note": True, "tag": True, "file": True}, True),
        ({"note": True, "file": True}, True),
        ({"note": True, "tag": False, "file": True}, False),
        ({"file": False}, False),
        ({"note": True}, None),
        ({}, None),
    ],
    ids=str,
)
def test_entries_move_only_when_all_of_them_do(server: Server, moves: dict[str, bool], expected: bool | None) -> None:
    """Given what moved; When it is summed up; Then one that does not is enough for no, and yes needs a note and a file."""
    script.remember_moves(moves)
    assert memory_of(server).entries_move is expected


""" WHAT IT ASKS AND WRITES """


@pytest.fixture
def checked(remote: Remote) -> Remote:
    """An XSOAR 8 tenant with three incidents, in one of them a War Room. Its clock goes on, so what moves is seen to move."""
    remote.call_takes = timedelta(milliseconds=10)
    for number in range(3):
        remote.add(created=f"2026-03-01T11:00:0{number}Z", modified=f"2026-03-01T11:10:0{number}Z")
    for number in range(4):
        times = {"created": f"2026-03-01T11:05:0{number}Z", "modified": f"2026-03-01T11:06:0{number}Z"}
        remote.write("3", f"text {number}", **times, tags=["t"] * (number == 2))
    return remote


def check(server: Server, **args: Any) -> dict[str, dict[str, str]]:
    """Run the command; return its findings by question."""
    result = server.ok("xsoar-mirror-check", **args)
    return {finding["Question"]: finding for finding in outputs_of(result)["Findings"]}


def outputs_of(result: Any) -> dict[str, Any]:
    """Return what the command puts into the context."""
    shown = result[0] if isinstance(result, list) else result
    (outputs,) = shown["EntryContext"].values()
    return outputs


def test_by_default_it_only_reads(server: Server, checked: Remote) -> None:
    """Given a remote; When the check runs without arguments; Then nothing is written there, nor remembered here."""
    before = server.memory()

    found = check(server)

    assert checked.writes() == []
    assert server.memory() == before
    assert found["Rights to write"]["Found"] == "not tested"
    assert not [question for question, finding in found.items() if finding["Verdict"] == "stop"]
    assert found["First fetch"]["Found"].startswith("incidents a first fetch would bring: 3;")


def test_the_context_has_one_place_for_each_instance(server: Server, checked: Remote) -> None:
    """Given a check; When it is read from the context; Then it stands under the instance, with the worst verdict."""
    result = server.ok("xsoar-mirror-check")
    (key,) = result[0]["EntryContext"]
    assert key == "XSOAR.Mirror.Check(val.Instance && val.Instance == obj.Instance)"
    outputs = outputs_of(result)
    assert (outputs["Instance"], outputs["Verdict"], outputs["Wrote"]) == ("headquarters", "warn", False)


@pytest.mark.parametrize("moves", [True, False])
def test_writing_settles_the_rest_and_closes_its_incident(server: Server, checked: Remote, moves: bool) -> None:
    """Given a remote; When the check writes; Then it tells and remembers whether entries move `modified`, and cleans up."""
    checked.entry_moves_modified = moves

    found = check(server, write="true")

    assert found["A note"]["Found"].startswith("a note changes" if moves else "a note does not change")
    assert memory_of(server).entries_move is moves
    assert len(checked.incidents) == 5
    scratch = checked.incidents["4"]
    assert scratch["name"] == script.SCRATCH_NAME
    assert scratch["status"] == 2
    assert found["Scratch incident"]["Verdict"] == "ok"
    assert server.fetch() and "4" not in {made["dbotMirrorId"] for made in server.fetch()}


def test_a_playbook_at_work_is_not_taken_for_an_entry_that_moves(server: Server, checked: Remote) -> None:
    """Given a new incident that its own playbook changes for a while; When the check writes; Then only entries count."""
    checked.entry_moves_modified = False
    changes = iter(range(5))

    def meanwhile(call: Call) -> None:
        if call.route == "GET /incident/load/4" and next(changes, None) is not None:
            checked.change("4")

    checked.before_answer = meanwhile

    found = check(server, write="true")

    assert found["A note"]["Found"].startswith("a note does not change")
    assert memory_of(server).entries_move is False


def test_what_moves_a_little_later_moves(server: Server, checked: Remote) -> None:
    """Given a remote whose incident moves only after the note was answered; When the check writes; Then the note moves it."""
    checked.entry_moves_modified = False
    looks: list[str] = []

    def meanwhile(call: Call) -> None:
        if call.route == "GET /incident/load/4" and any("/entry/note" in route for route in checked.writes()):
            looks.append(call.route)
            if len(looks) == 3:
                checked.change("4")

    checked.before_answer = meanwhile

    assert check(server, write="true")["A note"]["Found"].startswith("a note changes")


@pytest.mark.parametrize(("moves", "known", "kept"), [(True, False, False), (False, True, False), (True, None, True)])
def test_that_entries_do_not_move_stays_known(
    server: Server, checked: Remote, moves: bool, known: bool | None, kept: bool
) -> None:
    """Given what an incident has shown; When the check writes; Then one that did not move is never forgotten."""
    checked.entry_moves_modified = moves
    change_memory(server, entries_move=known)

    check(server, write="true")

    assert memory_of(server).entries_move is kept


def test_reading_alone_shows_that_entries_do_not_move(server: Server, checked: Remote) -> None:
    """Given an entry that is newer than its incident; When the check only reads; Then it tells and remembers that."""
    checked.entry_moves_modified = False
    checked.write("3", "later")

    found = check(server)

    assert found["Entries and modified"]["Found"].startswith("an entry does not change")
    assert memory_of(server).entries_move is False


def test_what_cannot_be_remembered_is_told_all_the_same(server: Server, checked: Remote) -> None:
    """Given a context that others change all the time; When the check writes; Then what it found is shown."""
    server.rivals = [lambda context: context.update(other=len(server.rivals)) for _ in range(9)]

    assert check(server, write="true")["A note"]["Verdict"] == "ok"


def test_a_search_index_that_takes_ten_seconds(server: Server, checked: Remote, naps: list[float]) -> None:
    """Given a remote that does not say what it created, and finds it later; When the check writes; Then it waits for it."""
    checked.created_answer = {"status_code": 201, "text": ""}
    checked.hidden = {"4"}

    def meanwhile(call: Call) -> None:
        if sum(naps) >= 10:
            checked.hidden.clear()

    checked.before_answer = meanwhile

    found = check(server, write="true")

    assert found["Search by dbotMirrorId"]["Found"].endswith("finds the new incident after 10 s")
    assert found["A note"]["Verdict"] == "ok"
    assert checked.incidents["4"]["status"] == 2


def test_a_limit_of_calls_is_waited_for_before_anything_is_left_open(server: Server, checked: Remote, naps: list[float]) -> None:
    """Given a limit that holds for the rest of the minute; When the check ends by it; Then it closes its incident after that."""
    checked.fail("POST /entry/upload", times=3, status_code=429, json={})
    checked.fail("POST /incident/close", times=3, status_code=429, json={})

    found = check(server, write="true")

    assert "(429)" in found["A file"]["Found"]
    assert found["Scratch incident"]["Found"] == "the scratch incident is closed"
    assert checked.incidents["4"]["status"] == 2
    assert script.QUOTA_SECONDS in naps


def test_a_bound_that_is_ignored_is_named(server: Server, checked: Remote) -> None:
    """Given a remote that hears no bound in a query; When the check runs; Then it says so of each, and that it costs calls."""
    checked.hears_query_bounds = False

    found = check(server)

    assert "created:>= in it is ignored" in found["Time bound beside a query"]["Found"]
    assert (found["Search by modified"]["Verdict"], "is ignored" in found["Search by modified"]["Found"]) == ("warn", True)


@pytest.mark.parametrize("route", ["POST /entry/note", "POST /entry/upload", "POST /entry/formatted", "GET /incident/load/4"])
@pytest.mark.parametrize("status", [400, 403, 429, 500])
def test_what_fails_midway_leaves_nothing_open(server: Server, checked: Remote, route: str, status: int) -> None:
    """Given a call that fails after the creation; When the check writes; Then the scratch incident is closed all the same."""
    checked.fail(route, times=3, status_code=status, json={"detail": "no"})

    found = check(server, write="true")

    assert checked.incidents["4"]["status"] == 2
    assert found["Scratch incident"]["Verdict"] == "ok"
    assert ("Closing" in found) is (status != 429)


@pytest.mark.parametrize(
    "answer", [{"status_code": 201, "text": ""}, {"status_code": 201, "json": {"name": "x"}}], ids=["empty", "no id"]
)
def test_an_incident_whose_id_is_not_told_is_found_and_closed(server: Server, checked: Remote, answer: dict[str, Any]) -> None:
    """Given a remote that does not say what it created; When the check writes; Then it finds the incident and closes it."""
    checked.created_answer = answer
    check(server, write="true")
    assert checked.incidents["4"]["status"] == 2


def test_a_lost_answer_to_the_creation_is_cleaned_up(server: Server, checked: Remote) -> None:
    """Given a creation whose answer is lost; When the check runs, writing; Then what was created is found and closed."""
    checked.fail("POST /incident$", after=True, status_code=502)

    found = check(server, write="true")

    assert "busy (502)" in found["Creating"]["Found"]
    assert checked.incidents["4"]["status"] == 2


def test_what_was_created_without_an_id_is_looked_for_even_when_nothing_else_is(
    server: Server, checked: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a remote that does not say what it created, and a run that is late then; When it ends; Then that is closed."""
    checked.created_answer = {"status_code": 201, "text": ""}
    monkeypatch.setattr(script.Client, "is_late", lambda _: "POST /incident" in checked.writes())

    found = check(server, write="true")

    assert "A note" not in found
    assert checked.incidents["4"]["status"] == 2


def test_a_first_fetch_counts_no_incident_that_was_created_from_here(server: Server, checked: Remote) -> None:
    """Given an instance that fetches all brands, and a check that wrote; When it runs again; Then its incident does not count."""
    server.params["disable_from_same_integration"] = False
    check(server, write="true")
    assert check(server)["First fetch"]["Found"].startswith("incidents a first fetch would bring: 3;")


def test_what_cannot_be_closed_is_told_with_the_way_to_close_it(server: Server, checked: Remote) -> None:
    """Given a remote that closes nothing; When the check runs, writing; Then it says what is left and how to close it by hand."""
    checked.closes_late = True

    found = check(server, write="true")

    left = found["Scratch incident"]
    assert (left["Verdict"], left["Names"]) == ("warn", "its ID is 4")
    assert script.SCRATCH_NAME in left["Remedy"]
    assert "by hand" in left["Remedy"]


def test_a_dropped_creation_leaves_nothing_to_close(server: Server, checked: Remote) -> None:
    """Given a pre-processing rule that drops new incidents; When the check runs, writing; Then it stops there and says so."""
    checked.drops_new_incidents = True

    found = check(server, write="true")

    assert found["Creating"]["Verdict"] == "stop"
    assert "Scratch incident" not in found


@pytest.mark.parametrize(
    "answer", [{"status_code": 200, "text": ""}, {"status_code": 403, "json": {}}], ids=["dropped", "refused"]
)
def test_a_creation_that_fails_leaves_other_incidents_alone(server: Server, checked: Remote, answer: dict[str, Any]) -> None:
    """Given incidents that were not created from here; When the check cannot create its own; Then it writes into none of them."""
    checked.fail("POST /incident$", **answer)

    found = check(server, write="true")

    assert checked.writes() == ["POST /incident"]
    assert found["Search by dbotMirrorId"]["Found"] == "not known: no incident was created"
    assert {incident["status"] for incident in checked.incidents.values()} == {1}


def test_nothing_is_created_while_something_stops(server: Server, checked: Remote) -> None:
    """Given a key that may not view incidents; When the check runs, writing; Then nothing is created that could not be closed."""
    checked.fail("GET /incident/load", times=9, status_code=403, json={})

    found = check(server, write="true")

    assert checked.writes() == []
    assert "not tried" in found["Creating"]["Found"]


def test_an_answer_that_nobody_understands_is_one_line(server: Server, checked: Remote) -> None:
    """Given fields and a search of another form; When the check runs; Then those are told, and the rest is answered."""
    checked.fail("GET /incidentfields", times=9, json=[{"cliName": {"a": 1}}, 7, None])
    checked.fail("POST /incidents/search", skip=2, times=1, json={"data": 5, "total": "x"})

    found = check(server)

    assert found["Clocks"]["Verdict"] == "ok"
    assert len(found) > 20


@pytest.mark.parametrize("answer", [{"status_code": 401, "json": {}}, {"status_code": 503}, {"status_code": 303}], ids=str)
def test_a_remote_that_does_not_let_us_in_is_asked_nothing_more(server: Server, checked: Remote, answer: dict[str, Any]) -> None:
    """Given a key that is refused, or no tenant there; When the check runs; Then it stops at once, with the reason."""
    checked.fail("GET /about", times=9, **answer)

    found = check(server)

    assert [(question, finding["Verdict"]) for question, finding in found.items()] == [("Version", "stop")]
    assert found["Version"]["Names"]
    assert {call.route for call in checked.calls} == {"GET /about"}


def test_a_limit_of_calls_ends_the_questions(server: Server, checked: Remote) -> None:
    """Given a remote that wants no more calls; When the check runs; Then one line says so, and nothing more is asked."""
    checked.fail("GET /incidenttype", times=99, status_code=429, json={})

    found = check(server)

    assert "(429)" in found["Right to read incident types"]["Found"]
    assert list(found)[-1] == "Right to read incident types"


def test_it_stops_when_it_gets_late(server: Server, checked: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a run that lasts too long once it has written; When the check goes on; Then it ends early, and cleans up."""
    monkeypatch.setattr(script.Client, "is_late", lambda _: any("/entry/note" in route for route in checked.writes()))

    found = check(server, write="true")

    assert "out of time" in found["A tag"]["Found"]
    assert "A file" not in found
    assert checked.incidents["4"]["status"] == 2


@pytest.mark.parametrize("name", ["write", "report"])
def test_a_wrong_argument_is_one_sentence_and_asks_nothing(server: Server, checked: Remote, name: str) -> None:
    """Given an argument that is neither true nor false; When the check runs; Then it says so, and makes no call."""
    error = server.fails("xsoar-mirror-check", **{name: "perhaps"})
    assert error.endswith(f"{name} is 'perhaps': give true or false.")
    assert checked.calls == []


def test_a_first_fetch_time_that_is_none_is_one_line(server: Server, checked: Remote) -> None:
    """Given a parameter that a fetch could not use; When the check runs; Then that question says so and the rest is answered."""
    server.params["first_fetch"] = "when it was warm"

    found = check(server)

    assert found["First fetch"]["Verdict"] == "stop"
    assert "First fetch time" in found["First fetch"]["Names"]
    assert found["Empty answers"]["Verdict"] == "ok"


def test_the_custom_fields_of_both_sides_are_compared(server: Server, checked: Remote) -> None:
    """Given a platform that tells its fields, one of the remote's missing; When the check runs; Then that one is named."""
    here = [item for item in FIELDS if item.get("cliName") != "ticket"]
    checked.incident_fields = [*here, custom("ticket")]
    server.incident_fields = here

    found = check(server)

    assert found["Custom fields"]["Names"] == "missing: ticket"
    assert "xsoar-mirror-mappers" in found["Custom fields"]["Remedy"]


@pytest.mark.parametrize("answer", [{"statusCode": 403, "body": "[]"}, {"statusCode": 200, "body": "<html>"}, {}, None], ids=str)
def test_a_platform_that_does_not_tell_its_fields(server: Server, checked: Remote, answer: Any) -> None:
    """Given a platform that does not let a script read its fields; When the check runs; Then it says how to compare them."""
    server.fields_answer = answer

    finding = check(server)["Custom fields"]

    assert (finding["Verdict"], finding["Remedy"]) == ("warn", "run xsoar-mirror-mappers")


""" THE REPORT """


def test_the_report_holds_nothing_of_either_tenant(server: Server, checked: Remote) -> None:
    """Given names, contents and errors that can be told apart; When a report is asked for; Then none of them stands in it."""
    words = {name: f"canary{name}" for name in ("name", "type", "owner", "entry", "tag", "field", "reason", "query", "error")}
    server.params["query"] = f'-owner:"{words["query"]}"'
    for number in ("1", "2", "3"):
        checked.change(number, name=words["name"], type=words["type"], owner=words["owner"])
    checked.write("3", words["entry"], tags=[words["tag"]])
    checked.incident_fields = [*reasons(words["reason"]), custom(words["field"])]
    checked.fail("GET /incidenttype", status_code=400, json={"detail": words["error"]})

    result = server.ok("xsoar-mirror-check", report="true", write="true")

    report = server.content(result[1]["FileID"]).decode()
    shown = json.dumps(result[0])
    assert all(word in shown for word in (words["type"], words["reason"], words["error"])), "they are the operator's to see"
    for secret in (*words.values(), KEY, HOST_8.removeprefix("https://"), "headquarters", checked.incidents["4"]["dbotMirrorId"]):
        assert secret not in report
    assert "ok\tVersion: version 8" in report
    assert "ID is" not in report
