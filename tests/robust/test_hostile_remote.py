"""What a hostile or broken remote may answer, and what it must not bring about.

The fuzz tests take the objects that a real tenant gave, replace one value at a time by what does not belong there, and run
the commands that read it. Each run ends well or with one sentence that the script meant to say; the other incidents go on;
and once the value is sane again, everything is here and there once.
"""

import copy
import gzip
import json
import pickle
import re
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import RawIOBase
from pathlib import Path
from typing import Any

import pytest
import requests
import XSOARMirroring as script
from stand_ins import (
    ERRORS,
    HOST_8,
    KEY,
    LAST_UPDATE,
    Call,
    Outcome,
    Remote,
    Server,
    attach,
    attached,
    ids,
    load,
    local_entry,
    peak_memory,
    push,
)

MIB = 1 << 20
NO_CRASH = re.compile(r"(RemoteError|ValueError|DemistoException|Exception): ")  # What the script raises on purpose.
PYTHON_WORDS = re.compile(
    r"Traceback|object has no attribute|not subscriptable|not iterable|unsupported operand|unhashable|NoneType|codec can't|"
    r"invalid literal|recursion|\bint\b|\bdict\b|\bstr\b|^'\w+'$"
)


def deep(levels: int) -> Any:
    """Return lists in lists."""
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


HUGE = "A" * 100_000
VALUES: dict[str, Any] = {
    "null": None,
    "number": 7,
    "fraction": -1.5,
    "infinity": float("inf"),
    "true": True,
    "string": "x",
    "empty string": "",
    "half a character": "\ud800",
    "digits": "9" * 5000,
    "huge string": HUGE,
    "far future": "9999-12-31T23:59:59.999999999Z",
    "no such day": "2026-02-30T25:00:00Z",
    "two dots": "..",
    "empty list": [],
    "list": ["x", None, 7, {}],
    "empty object": {},
    "object": {"x": [1], "id": {}, "name": []},
    "deep": deep(300),
}

READ = {
    *("id", "name", "type", "severity", "owner", "details", "occurred", "phase", "dueDate", "playbookId", "CustomFields"),
    *("attachment", "created", "modified", "status", "version", "investigationId", "closeReason", "closeNotes", "dbotMirrorId"),
    *("tags", "history", "user", "category", "format", "contents", "note", "file", "fileID", "fileMetadata"),
}


CORE = ("null", "number", "string", "list", "object", "huge string", "deep")
OTHERS = [name for name in VALUES if name not in CORE]


def values_for(path: tuple[Any, ...], document: str = "") -> dict[str, Any]:
    """Return what to put at the end of a way: the core and some others where the script reads, a few where it passes on.

    The others take turns, so that each comes to many places.
    """
    is_read = not path or (path[0] in READ and path[:1] != ("CustomFields",)) or path == ("CustomFields",)
    turn = sum(map(ord, f"{document}{path}"))
    others = [OTHERS[(turn + 3 * number) % len(OTHERS)] for number in range(4 if is_read else 1)]
    names = [*(CORE if is_read else ("null", "object")), *others]
    return {name: VALUES[name] for name in dict.fromkeys(names)}


def copied(value: Any) -> Any:
    """Return a copy of plain data; copy.deepcopy takes many times as long."""
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own


class Hostile(Remote):
    """A remote whose answers are spoiled on their way: `spoil` takes a call and its answer."""

    spoil: Callable[[Call, Any], Any] | None = None

    def _answer(self, call: Call) -> dict[str, Any]:
        try:
            answer = super()._answer(call)
        except (KeyError, ValueError, IndexError, AttributeError, TypeError):
            # What it was asked for by spoiled ids.
            return {"status_code": 400, "json": ERRORS["no_investigation"]}
        if self.spoil and "json" in answer and answer.get("status_code", 200) < 300:
            return {**answer, "json": self.spoil(call, copied(answer["json"]))}
        return answer


@pytest.fixture
def hostile(clock: Any, requests_mock: Any) -> Hostile:
    """An XSOAR 8 tenant that can answer anything."""
    remote = Hostile(clock)
    requests_mock.add_matcher(remote)
    return remote


class World:
    """A server and a remote that can be set back to where they were."""

    def __init__(self, server: Server, remote: Hostile) -> None:
        self.server, self.remote = server, remote
        self._kept = copied((server.last_run, server.last_mirror_run, server.context, remote.incidents, remote.entries))
        self._numbers = dict(remote.entry_numbers)

    def reset(self) -> None:
        """Set both back."""
        server, remote = self.server, self.remote
        server.last_run, server.last_mirror_run, server.context, remote.incidents, remote.entries = copied(self._kept)
        remote.entry_numbers = dict(self._numbers)
        remote.spoil = None
        remote.calls.clear()
        server.log.clear()


def must_be_meant(server: Server, outcome: Outcome) -> None:
    """Check that a run ended well, or with one sentence that the script meant to say, and left little behind."""
    error = outcome.error.removeprefix("skip update. error: ")
    if error:
        assert "\n" not in error, error
        assert len(error) < 1500, error[:200]
        assert not PYTHON_WORDS.search(error), error
        assert error.rstrip().endswith((".", "empty.")), error
        traces = [line for _, line in server.log if "Traceback" in line]
        last = traces[-1].strip().splitlines()[-1] if traces else ""
        assert not last or NO_CRASH.search(last), last
    assert len(server.kept_text()) < 50_000, "the context grew by what the remote sent"
    assert len(json.dumps([server.last_run, server.last_mirror_run])) < 50_000, "a last run grew by what the remote sent"


def paths(value: Any, depth: int) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value of an object, itself first, not further down than `depth`."""
    yield ()
    if depth:
        items = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
        for key, inner in items:
            yield from ((key, *rest) for rest in paths(inner, depth - 1))


def put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a document with a value at the end of a way."""
    if not path:
        return value
    inner = document
    for step in path[:-1]:
        if inner is not None:
            inner[step] = copy.copy(inner[step])  # Others may share it.
            inner = inner[step]
    if inner is not None:
        inner[path[-1]] = value
    return document


def way(path: tuple[Any, ...]) -> str:
    """Return a way as the id of a test."""
    return ".".join(map(str, path)) or "whole"


def reads(route: str) -> Callable[[Call], bool]:
    """Return what tells whether a call is for a route."""
    return lambda call: call.route.startswith(route)


def spoiling(
    is_it: Callable[[Call], bool], path: tuple[Any, ...], value: Any, inside: Callable[[Any], Any] | None = None
) -> Callable[[Call, Any], Any]:
    """Return what spoils the answers to some calls: the whole answer, or the object in it that `inside` gives."""

    def spoil(call: Call, answer: Any) -> Any:
        if not is_it(call):
            return answer
        if inside is None:
            return put(answer, path, value)
        target = inside(answer)
        if target is not None:
            put(target, path, value)
        return answer

    return spoil


def item(key: str, wanted: str) -> Callable[[Any], Any]:
    """Return what finds, in the list under a key of an answer, the object with an id."""
    return lambda answer: next((found for found in answer.get(key) or [] if found["id"] == wanted), None)


TEXT_TYPES = {"name": str, "type": str, "owner": str, "details": str, "occurred": str, "phase": str, "dueDate": str}


def must_be_taken(incidents: list[dict[str, Any]]) -> None:
    """Check that the server can take incidents: one value of a wrong type would cost all of them."""
    for incident in incidents:
        for name, kind in {**TEXT_TYPES, "playbookId": str, "dbotMirrorId": str}.items():
            assert isinstance(incident.get(name, ""), kind), f"{name} is {incident[name]!r:.80}"
        assert incident.get("severity", 0) in (0, 0.5, 1, 2, 3, 4), "no severity"
        for name in ("occurred", "dueDate"):
            assert name not in incident or script.parse_ms(incident[name], -1) != -1, f"{name} is no time"
        assert isinstance(incident["CustomFields"], dict)
        json.dumps(incident, allow_nan=False)
        json.loads(incident["rawJSON"], parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


""" ANYTHING IN ANY FIELD """

INCIDENT = {**load("incident_load"), "attachment": [{"name": "a.txt", "path": "1_0_a.txt", "type": "", "description": ""}]}
INCIDENT_PATHS = [path for path in paths(INCIDENT, 3) if not (path[:1] == ("CustomFields",) and len(path) > 2)]


@pytest.fixture
def three(server: Server, hostile: Hostile, clock: Any) -> World:
    """Three incidents that are not here yet, the first of them with a file."""
    for number in "123":
        hostile.add(number)
    attach(hostile, "1", "a.txt", b"a")
    clock.tick(timedelta(minutes=1))
    return World(server, hostile)


@pytest.mark.parametrize("path", INCIDENT_PATHS[1:], ids=way)
def test_a_spoiled_incident_costs_the_fetch_nothing_but_itself(three: World, path: tuple[Any, ...]) -> None:
    """
    Given: a search whose answer holds three incidents, one with a value that does not belong there.
    When: a fetch runs, and another one once the value is sane.
    Then: the first brings the two others at least, in a form that the server takes; in the end each is here once.
    """
    for name, value in values_for(path).items():
        three.reset()
        server, remote = three.server, three.remote
        remote.spoil = spoiling(reads("POST /incidents/search"), path, value, item("data", "1"))

        first = server.run("fetch-incidents")
        remote.spoil = None
        second = server.run("fetch-incidents")
        third = server.run("fetch-incidents")

        for outcome in (first, second, third):
            must_be_meant(server, outcome)
            assert not outcome.error, (name, outcome.error)
            must_be_taken(outcome.incidents)
        assert {"2", "3"} <= set(ids(first.incidents)), name
        made = ids([*first.incidents, *second.incidents, *third.incidents])
        assert {"1", "2", "3"} <= set(made), name
        assert len(made) == len(set(made)), name
        assert len(made) == 3 or path == ("id",), name


@pytest.fixture
def several(server: Server, hostile: Hostile, clock: Any) -> World:
    """Three incidents that are mirrored, the first with a text, an edited text, a file and an attachment."""
    for number in "123":
        hostile.add(number)
    attach(hostile, "1", "a.txt", b"a")
    assert len(server.fetch()) == 3
    clock.tick(timedelta(minutes=1))
    hostile.write("1", "the text")
    hostile.edit(hostile.write("1", "the first wording"), "the edited text")
    hostile.write_file("1", "the file.txt", b"the bytes", fileMetadata={"size": 9, "sha256": "", "type": "text"})
    for number in "123":
        hostile.change(number, details=f"new details {number}")
    return World(server, hostile)


def modified(server: Server) -> tuple[Outcome, list[str]]:
    """Ask for changes; return the outcome, and the ids that it gives."""
    outcome = server.run("get-modified-remote-data", {"lastUpdate": LAST_UPDATE})
    must_be_meant(server, outcome)
    found = [] if outcome.error else outcome.result[0]["Contents"] if isinstance(outcome.result, list) else outcome.result
    return outcome, list(found["Contents"] if isinstance(found, dict) else found)


def pulled(server: Server, incident_id: str) -> tuple[dict[str, Any], list[Any]]:
    """Run get-remote-data as a round does; return the incident object, and the texts and file names that came."""
    outcome = server.run("get-remote-data", {"id": incident_id, "lastUpdate": LAST_UPDATE})
    must_be_meant(server, outcome)
    if outcome.error:
        return {}, []
    first, *entries = outcome.result
    json.dumps(outcome.result, allow_nan=False)
    said = [entry for entry in entries if entry.get("File") or isinstance(entry["Contents"], str)]
    # Both sides change the same field within a minute, which is told.
    said = [entry for entry in said if "was changed in both tenants" not in str(entry["Contents"])]
    return first, [entry.get("File") or entry["Contents"].partition("\n")[2].strip("`\n") for entry in said]


@pytest.mark.parametrize("path", INCIDENT_PATHS[1:], ids=way)
def test_a_spoiled_incident_costs_the_round_nothing_but_itself(several: World, path: tuple[Any, ...]) -> None:
    """
    Given: three incidents that changed, one of them with a value that does not belong there.
    When: the server asks for changes and searches, and asks again once the value is sane.
    Then: the two others are named at once, and that one later at the latest.
    """
    for name, value in values_for(path).items():
        several.reset()
        server, remote = several.server, several.remote
        remote.spoil = spoiling(reads("POST /incidents/search"), path, value, item("data", "1"))

        outcome, first = modified(server)
        must_be_meant(server, server.run("xsoar-search-incidents", {"columns": "all"}))
        must_be_meant(server, server.run("xsoar-search-incidents"))
        remote.spoil = None
        _, second = modified(server)
        remote.change("2", details="changed once more")
        _, third = modified(server)

        assert not outcome.error, (name, outcome.error)
        assert {"2", "3"} <= set(first), name
        assert "1" in [*first, *second], name
        assert "2" in third, f"{name}: a later change is missed"


@pytest.mark.parametrize("path", INCIDENT_PATHS, ids=way)
def test_a_spoiled_incident_is_mirrored_again_once_it_is_sane(several: World, path: tuple[Any, ...]) -> None:
    """
    Given: an incident that the remote answers with a value that does not belong there.
    When: it is pulled, pushed to, shown, compared, asked for anew; and pulled and pushed to once the value is sane.
    Then: nothing crashes, another incident goes on, and in the end fields and entries are on both sides once.
    """
    for name, value in values_for(path).items():
        several.reset()
        server, remote = several.server, several.remote
        server.incident = {"id": "77", "dbotMirrorId": "1", "dbotMirrorInstance": "headquarters", "CustomFields": {}}
        remote.spoil = spoiling(reads("GET /incident/load/1"), path, value)
        sent = {"delta": {"details": "from here"}, "entries": [local_entry(1, "text from here")]}

        fields, texts = pulled(server, "1")
        for command in ("xsoar-get-incident", "xsoar-mirror-diff", "xsoar-mirror-status"):
            must_be_meant(server, server.run(command, {"id": "1"}))
        must_be_meant(server, push(server, "1", **sent))
        must_be_meant(server, push(server, "1", **sent, status=2))
        other, _ = pulled(server, "2")
        remote.spoil = None
        # What the remote said of itself went back to it with the change.
        remote.incidents["1"] |= {"status": 1, "investigationId": "1"}
        for incident in remote.incidents.values():
            assert incident["id"] in "123", "another incident was made or changed"
        # It takes entries once it is open again here.
        must_be_meant(server, push(server, "1", status=1))
        later, later_texts = pulled(server, "1")
        again = push(server, "1", **sent)

        assert other["details"] == "new details 2", name
        assert {first.get("dbotMirrorId", "1") for first in (fields, later)} == {"1"}, f"{name}: it mirrors another one now"
        assert not again.error, (name, again.error)
        assert remote.incidents["1"]["details"] == "from here", name
        mine = [entry for entry in remote.entries["1"] if "text from here" in str(entry["contents"])]
        assert len(mine) == 1, name
        came = [*texts, *later_texts]
        assert sorted(came) == ["the edited text", "the file.txt", "the text"], name
        assert "details" in {**fields, **later}, name


ENTRY_PATHS = [
    pytest.param(entry_id, path, id=f"{word} {way(path)}")
    for entry_id, word, extra in (
        ("2@1", "text", {}),
        ("3@1", "edited", {"history": [{"user": "", "contents": "", "contentsFormat": "", "contentDate": ""}]}),
        ("4@1", "file", {"fileMetadata": {"size": 9, "sha256": "", "type": "text"}}),
    )
    for path in paths({**load("entries")["chat"], **extra}, 3)
    if word == "text"
    or path[:1] in [(), ("history",), ("file",), ("fileID",), ("fileMetadata",), ("contents",), ("id",), ("type",)]
]


@pytest.mark.parametrize(("entry_id", "path"), ENTRY_PATHS)
def test_a_spoiled_entry_costs_nothing_but_itself(several: World, entry_id: str, path: tuple[Any, ...]) -> None:
    """
    Given: a War Room with three entries, one of which the remote answers with a value that does not belong there.
    When: the incident is pulled and shown, changes are asked for, entries are sent; and again once the value is sane.
    Then: the others come at once, all of them come in the end, each once.
    """
    whole = ["the edited text", "the file.txt", "the text"]
    spoiled = {"2@1": "the text", "3@1": "the edited text", "4@1": "the file.txt"}[entry_id]

    def inside(answer: Any) -> Any:
        return item("entries", entry_id)(answer)

    def replace_item(call: Call, answer: Any) -> Any:
        if call.route.startswith("POST /investigation"):
            answer["entries"] = [value if entry["id"] == entry_id else entry for entry in answer["entries"] or []]
        return answer

    for name, value in values_for(path).items():
        several.reset()
        server, remote = several.server, several.remote
        remote.spoil = spoiling(reads("POST /investigation"), path, value, inside) if path else replace_item

        must_be_meant(server, server.run("xsoar-get-incident", {"id": "1", "categories": "notes,chats,attachments"}))
        outcome, _ = modified(server)
        fields, texts = pulled(server, "1")
        remote.spoil = None
        _, later_texts = pulled(server, "1")

        assert not outcome.error, (name, outcome.error)
        assert fields["details"] == "new details 1", name
        assert set(whole) - {spoiled} <= set(texts), name
        came = sorted([*texts, *later_texts])
        assert all(text in [*whole, spoiled] or path for text in came), (name, came)
        others = [text for text in came if text in whole and text != spoiled]
        assert sorted(others) == sorted(set(whole) - {spoiled}), name
        assert spoiled in came or path in (("contents",), ("file",), ("fileID",), ("history",)) or path[:1] == ("history",), name


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize(
    ("route", "path"),
    [
        ("POST /incidents/search", ()),
        ("POST /incidents/search", ("data",)),
        ("POST /incidents/search", ("data", 0)),
        ("POST /incidents/search", ("total",)),
        ("POST /investigation", ()),
        ("POST /investigation", ("entries",)),
        ("GET /incident/load", ()),
        ("GET /about", ()),
        ("GET /about", ("demistoVersion",)),
        ("GET /incidentfields", ()),
        ("GET /incidenttype", ()),
    ],
    ids=str,
)
def test_a_spoiled_answer_is_said_and_got_over(several: World, route: str, path: tuple[Any, ...], name: str) -> None:
    """
    Given: a remote that answers a question with something else altogether.
    When: every command runs, and again once it answers sanely.
    Then: each ends well or with one sentence; afterwards everything new comes.
    """
    server, remote = several.server, several.remote
    remote.add("4")
    server.incident = {"id": "77", "dbotMirrorId": "1", "dbotMirrorInstance": "headquarters", "CustomFields": {}}
    remote.spoil = spoiling(reads(route), path, VALUES[name])

    made = []
    for command, args in (
        ("test-module", {}),
        ("fetch-incidents", {}),
        ("get-mapping-fields", {}),
        ("xsoar-search-incidents", {}),
        ("xsoar-get-incident", {"id": "1"}),
        ("xsoar-mirror-status", {"id": "1"}),
        ("xsoar-mirror-diff", {}),
        ("xsoar-mirror-resync", {}),
        ("xsoar-mirror-reconcile", {"entries": "true", "scope": "all"}),
        ("xsoar-mirror-check", {}),
    ):
        outcome = server.run(command, args)
        must_be_meant(server, outcome)
        made += outcome.incidents
    _, listed = modified(server)
    _, texts = pulled(server, "1")
    sent = {"delta": {"details": "from here", "isactive": "no", "unheardof": "1"}, "entries": [local_entry(1, "text from here")]}
    must_be_meant(server, push(server, "1", **sent))
    must_be_meant(server, push(server, "2", status=2))
    must_be_meant(server, push(server, "", data={"id": "78", "name": "new"}, delta={"name": "new"}))
    remote.spoil = None

    made += server.fetch()
    _, later = modified(server)
    _, later_texts = pulled(server, "1")
    assert not push(server, "1", **sent).error
    new_id = push(server, "", data={"id": "78", "name": "new"}, delta={"name": "new"})

    assert not new_id.error
    assert len([incident for incident in remote.incidents.values() if incident["name"] == "new"]) == 1
    assert ids(made).count("4") == 1
    assert {"1", "2", "3"} <= {*listed, *later}
    assert sorted([*texts, *later_texts]) == ["the edited text", "the file.txt", "the text"]
    assert len([entry for entry in remote.entries["1"] if "text from here" in str(entry["contents"])]) == 1


WRITES = [
    ("POST /incident$", {"id": "", "version": 1, "modified": "", "status": 1}),
    ("POST /entry/formatted", {"id": "", "note": False}),
    ("POST /entry/note", {"id": "", "note": True}),
    ("POST /entry/upload", {"entries": [{"id": ""}]}),
]


@pytest.mark.parametrize(
    ("route", "path"),
    [pytest.param(route, path, id=f"{route} {way(path)}") for route, answer in WRITES for path in paths(answer, 3)],
)
def test_a_spoiled_answer_to_a_write_doubles_nothing(several: World, tmp_path: Path, route: str, path: tuple[Any, ...]) -> None:
    """
    Given: a remote that does what it is asked, and answers it with something else.
    When: fields, a text, a note and a file are sent, and sent again once it answers sanely, as the server does.
    Then: each is there once.
    """
    (tmp_path / "kept").write_bytes(b"bytes from here")
    server, remote = several.server, several.remote
    server.files["3@77"] = {"path": str(tmp_path / "kept"), "name": "sent.txt", "id": "3@77"}
    sent = {
        "delta": {"details": "from here"},
        "entries": [
            local_entry(1, "text from here"),
            local_entry(2, "note from here", note=True),
            local_entry(3, "", type=3, file="sent.txt", fileID="kept", category="attachments"),
        ],
    }
    for name, value in values_for((), str(path)).items():
        several.reset()
        remote.spoil = spoiling(lambda call: f"{call.route}$".startswith(route), path, value)

        for _ in range(2):
            must_be_meant(server, push(server, "1", **sent))
            must_be_meant(server, push(server, "", data={"id": "78", "name": "new"}, delta={"name": "new"}))
        remote.spoil = None
        outcomes = [push(server, "1", **sent), push(server, "", data={"id": "78", "name": "new"}, delta={"name": "new"})]

        assert [outcome.error for outcome in outcomes] == ["", ""], name
        assert len([incident for incident in remote.incidents.values() if incident["name"] == "new"]) == 1, name
        there = [f"{entry['file']}{entry['contents']}" for entry in remote.entries["1"]]
        for text in ("text from here", "note from here", "sent.txt"):
            assert len([line for line in there if text in line]) == 1, (name, text)
        assert remote.incidents["1"]["details"] == "from here", name


@pytest.mark.parametrize("document", ["incident_fields", "incident_types"])
def test_a_spoiled_schema_still_maps_the_rest(several: World, document: str) -> None:
    """
    Given: a field or a type of the remote with a value that does not belong there.
    When: the mapper editor asks for the schema; mappers are made; an incident is closed, a custom field sent.
    Then: the other fields and types are there, and nothing crashes.
    """
    server, remote = several.server, several.remote
    route = "GET /incidentfields" if document == "incident_fields" else "GET /incidenttype"
    originals = load(document)
    local_fields = [item for item in load("incident_fields") if item["cliName"] == "sourceip"]
    for number in sorted({0, len(originals) // 2, len(originals) - 1}):
        original = originals[number]
        for path in paths(original, 2):
            for name, value in values_for(
                ("name",) if path[-1:] in [(), ("cliName",), ("name",)] else ("passed on",), f"{number}{path}"
            ).items():
                several.reset()
                remote.spoil = spoiling(reads(route), (number, *path), value)

                outcome = server.run("get-mapping-fields")

                must_be_meant(server, outcome)
                assert not outcome.error, (name, path, outcome.error)
                must_be_meant(server, server.run("xsoar-mirror-mappers", {"local_fields": local_fields, "missing": "export"}))
                if name in ("null", "object", "list"):
                    must_be_meant(server, push(server, "2", delta={"unheardof": "1"}))
                    must_be_meant(server, push(server, "3", status=2, data={"closeReason": "Other"}))


""" IDS """

IDS = [
    "0b7e2f0c-3d7e-4c1b-9d1c-5a9c7a1e2f10",
    "a/b",
    "a?b=c",
    "100%",
    "%2F..%2F",
    'a"b',
    "a#b",
    "a b",
    '4" or "x":"y',
    "*",
    "a\\b",
    "ключ",
]


@pytest.mark.parametrize("incident_id", IDS)
def test_an_id_may_hold_what_it_likes(
    server: Server, hostile: Hostile, clock: Any, monkeypatch: pytest.MonkeyPatch, incident_id: str
) -> None:
    """
    Given: an incident, and entries, with an id that means something in an address or in a query.
    When: it is fetched, changed, pulled, pushed to and closed.
    Then: each call is about that incident and no other, below the address of the remote.
    """
    monkeypatch.setattr("stand_ins.sort_value", lambda field, item: 0)
    monkeypatch.setattr("stand_ins.in_order", lambda item: 0)
    entries: list[dict[str, Any]] = []
    incident = hostile.add("1")
    incident |= {"id": incident_id, "investigationId": incident_id}
    hostile.incidents = {incident_id: incident}
    hostile.entries = {incident_id: entries}

    assert ids(server.fetch()) == [incident_id]
    clock.tick(timedelta(minutes=1))
    file = {**hostile.write(incident_id, "", file="a.txt", fileID="a"), "id": f"1@{incident_id}"}
    entries[:] = [file]
    hostile.files[file["id"]] = b"the bytes"
    incident |= {"details": "changed", "modified": hostile.now()}
    outcome, listed = modified(server)
    fields, came = pulled(server, incident_id)
    hostile._save = lambda body: incident.update(body) or incident  # type: ignore[method-assign]
    assert not push(server, incident_id, delta={"details": "from here"}, entries=[local_entry(1, "sent")]).error

    assert listed == [incident_id], outcome
    assert (fields["dbotMirrorId"], fields["details"], came) == (incident_id, "changed", ["a.txt"])
    assert incident["details"] == "from here"
    assert all(call.url.startswith(f"{HOST_8}/xsoar/") for call in hostile.calls)
    assert {call.route for call in hostile.calls if "/load" in call.route} == {f"GET /incident/load/{incident_id}"}
    assert {call.route for call in hostile.calls if "GET /entry" in call.route} == {f"GET /entry/download/1@{incident_id}"}
    assert not hostile.asked("POST /entry/execute")


@pytest.mark.parametrize("entry_id", ["..", ".", "../../incident/load/2", "", " ", "x" * 5000, "\ud800", 7.5, [], {"a": 1}])
def test_an_entry_id_leads_to_no_other_route(several: World, entry_id: Any) -> None:
    """
    Given: a file entry whose id would lead to another route of the remote, or is no id.
    When: the incident is pulled.
    Then: nothing is asked for but downloads, and the other entries come.
    """
    several.remote.spoil = spoiling(reads("POST /investigation"), ("id",), entry_id, item("entries", "4@1"))

    _, texts = pulled(several.server, "1")

    assert {"the text", "the edited text"} <= set(texts)
    routes = {call.route.partition("/download")[0] for call in several.remote.calls if call.route.startswith("GET /")}
    assert routes <= {"GET /incident/load/1", "GET /entry", "GET /about"}


def test_another_incident_in_the_answer_is_not_taken_for_the_one_asked_for(several: World) -> None:
    """
    Given: a remote that answers the question for one incident with another one.
    When: it is pulled, and local changes are pushed.
    Then: the local incident does not become the mirror of the other, and the other is not changed.
    """
    server, remote = several.server, several.remote
    before = copy.deepcopy(remote.incidents["2"])
    remote.spoil = lambda call, answer: copy.deepcopy(before) if call.route == "GET /incident/load/1" else answer

    fields, _ = pulled(server, "1")
    outcome = push(server, "1", delta={"details": "meant for 1"})

    assert fields.get("dbotMirrorId", "1") == "1"
    assert outcome.error
    assert remote.incidents["2"] == before


@pytest.mark.parametrize("field", ["dbotMirrorDirection", "dbotMirrorInstance", "dbotMirrorId", "dbotMirrorTags", "mirror_state"])
@pytest.mark.parametrize("direction", ["None", "Incoming And Outgoing", "Incoming"])
def test_a_custom_field_cannot_steer_the_mirroring(server: Server, remote: Remote, field: str, direction: str) -> None:
    """
    Given: a remote incident with a custom field that is named like one that steers the local mirroring.
    When: it is fetched and pulled.
    Then: its value stands nowhere at the top, where the mapper and the server look.
    """
    server.params["mirror_direction"] = direction
    remote.add("1", CustomFields={field: "steered", "ticket": "kept"})

    (incident,) = server.fetch()
    remote.change("1", details="new")
    fields, _ = server.pull("1")

    assert incident.get(field) != "steered"
    assert json.loads(incident["rawJSON"]).get(field) != "steered"
    assert fields.get(field) != "steered"
    assert json.loads(incident["rawJSON"])["ticket"] == "kept"


""" TIMES """


@pytest.mark.parametrize("far", ["9999-12-31T23:59:59.999999999Z", "2036-03-01T12:00:00Z"])
def test_one_incident_from_the_future_does_not_end_the_mirroring(server: Server, remote: Remote, clock: Any, far: str) -> None:
    """
    Given: an incident that says it was created, and changed, far in the future.
    When: others are created and changed after it.
    Then: they are fetched and named as ever, and that one only once.
    """
    remote.add("1", created=far, modified=far)
    assert ids(server.fetch()) == ["1"]
    assert modified(server)[1] == []

    for number in "234":
        clock.tick(timedelta(minutes=10))
        remote.add(number)
        assert ids(server.fetch()) == [number]
        remote.change(number, details="new")
        assert modified(server)[1] == [number]
        server.pull(number)


@pytest.mark.parametrize("date", ["", "x", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 -0000", "9" * 400, "\x00"])
def test_a_date_header_may_hold_anything(server: Server, remote: Remote, date: str) -> None:
    """
    Given: a remote with any Date.
    When: a fetch and a round run.
    Then: they bring what is there.
    """
    remote.add("1")
    remote._respond = lambda request, response: Remote._respond(  # type: ignore[method-assign]
        remote, request, {**response, "headers": {**response.get("headers", {}), "Date": date}}
    )

    assert ids(server.fetch()) == ["1"]
    remote.change("1", details="new")
    assert modified(server)[1] == ["1"]
    assert server.pull("1")[0]["details"] == "new"


""" NAMES OF FILES """

NAMES = [
    "../../escaped.txt",
    "/etc/passwd",
    "C:\\Windows\\win.ini",
    "\\\\host\\share\\x.txt",
    "..",
    ".",
    "",
    "a\x00b.txt",
    "a\r\nContent-Type: text/html\r\n\r\nb.txt",
    "n" * 300 + ".txt",
    "報" * 300,
    "CON",
    "nul.txt",
    "COM1.log.txt",
    "lpt9 .txt",
    "aux.",
    "invoice\u202etxt.exe",
    "\u2066a\u2069\u200f.txt",
    "trailing. . ",
    'q"uote".txt',
    "half\ud800.txt",
    None,
    7,
    ["x"],
    {"x": 1},
]
DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{word}{number}" for word in ("COM", "LPT") for number in range(1, 10))}


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:40])
def test_a_file_keeps_no_hostile_name(server: Server, hostile: Hostile, clock: Any, tmp_path: Path, name: Any) -> None:
    """
    Given: an attachment, and a file written later, whose name is hostile.
    When: the incident is fetched and pulled.
    Then: both arrive byte for byte in the working folder, under names that are harmless on any system.
    """
    hostile.add("1")
    hostile.add("2")
    entry = attach(hostile, "1", "x.txt", b"attached")
    hostile.incidents["1"]["attachment"][0]["name"] = name
    entry["file"] = name if isinstance(name, str) and name else "x.txt"
    (first, second) = server.fetch()
    clock.tick(timedelta(minutes=1))
    hostile.write_file("1", "y.txt", b"written")["file"] = name
    outcome = server.run("get-remote-data", {"id": "1", "lastUpdate": LAST_UPDATE})

    assert not outcome.error
    files = [*attached(server, first), *((item["File"], server.content(item["FileID"])) for item in outcome.result[1:])]
    assert sorted(content for _, content in files) == [b"attached", b"written"]
    assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == [b"attached", b"written"]
    assert all(re.fullmatch(r"77_file-\d+", path.name) for path in tmp_path.iterdir())
    for given, _ in files:
        assert given
        assert given == given.strip(" .") or given.startswith(".")
        assert not set(given) & set("/\\\x00\r\n")
        assert given.isprintable()
        assert len(given.encode()) <= 255
        assert given.split(".")[0].strip().upper() not in DEVICES
    assert "attachment" not in second


""" WITHOUT END AND WITHOUT MEASURE """


def test_a_million_characters_come_in_and_go_out(server: Server, hostile: Hostile, mirrored_hostile: str) -> None:
    """
    Given: entries with a million characters there and here.
    When: a round runs both ways.
    Then: all of both arrives, and it takes a few times that in memory.
    """
    text = "é" * 500_000 + "x" * 500_000
    hostile.write(mirrored_hostile, text)
    results: list[Any] = []

    def work() -> None:
        results.append(server.pull(mirrored_hostile)[1])
        results.append(push(server, mirrored_hostile, entries=[local_entry(1, text)]))

    peak = peak_memory(work)

    assert results[0][0]["Contents"].endswith(text)
    assert hostile.entries[mirrored_hostile][-1]["contents"].endswith(text)
    assert peak < 80 * MIB
    assert len(server.kept_text()) < 5000


@pytest.fixture
def mirrored_hostile(server: Server, hostile: Hostile, clock: Any) -> str:
    """The id of a mirrored incident."""
    hostile.add("1")
    assert ids(server.fetch()) == ["1"]
    clock.tick(timedelta(minutes=1))
    hostile.calls.clear()
    return "1"


MOST_CALLS = 450  # No command may ask more often than this, whatever it is answered.


def limited(remote: Hostile) -> None:
    """Let the remote fail a test that asks too often, instead of running for ever."""
    answer = remote._answer

    def count(call: Call) -> dict[str, Any]:
        assert len(remote.calls) < 3 * MOST_CALLS, "asked for ever"
        return answer(call)

    remote._answer = count  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("fetch-incidents", {}),
        ("get-modified-remote-data", {"lastUpdate": LAST_UPDATE}),
        ("xsoar-search-incidents", {"max_results": "2000"}),
    ],
)
@pytest.mark.parametrize("kind", ["same page", "same incidents ever newer", "ever new", "ever new at one time"])
def test_a_search_without_end_ends(
    server: Server, hostile: Hostile, mirrored_hostile: str, command: str, args: dict[str, Any], kind: str
) -> None:
    """
    Given: a remote that answers each search with the same page, or with more incidents, without end.
    When: a command searches.
    Then: it ends after a bounded number of requests, well or with a sentence.
    """
    limited(hostile)
    template = dict(hostile.incidents["1"])
    count = [0]

    def spoil(call: Call, answer: Any) -> Any:
        if not call.route.startswith("POST /incidents/search"):
            return answer
        count[0] += 1
        time = script.iso(1772360000000 + (0 if kind in ("same page", "ever new at one time") else 60_000 * count[0]))
        first = 1000 + (100 * count[0] if kind.startswith("ever new") else 0)
        data = [{**template, "id": str(first + number), "created": time, "modified": time} for number in range(100)]
        return {"data": data, "total": 10**9}

    hostile.spoil = spoil
    server.params["max_fetch"] = "200"

    outcome = server.run(command, args)

    assert "asked for ever" not in outcome.error
    must_be_ended(outcome)
    assert len(hostile.calls) <= MOST_CALLS
    assert len(outcome.incidents) <= 200


def must_be_ended(outcome: Outcome) -> None:
    """Check that a command ended well or with a sentence."""
    assert "\n" not in outcome.error
    assert not PYTHON_WORDS.search(outcome.error), outcome.error


@pytest.mark.parametrize("kind", ["same page", "ever older", "ever newer", "both ways"])
@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("get-remote-data", {"id": "1", "lastUpdate": LAST_UPDATE}),
        ("get-modified-remote-data", {"lastUpdate": LAST_UPDATE}),
        ("xsoar-get-incident", {"id": "1"}),
    ],
)
def test_a_war_room_without_end_ends(
    server: Server, hostile: Hostile, mirrored_hostile: str, command: str, args: dict[str, Any], kind: str
) -> None:
    """
    Given: a remote that answers each question for entries with a full page of others, without end.
    When: the War Room is read.
    Then: it ends after a bounded number of requests, the fields come all the same, and other incidents are brought.
    """
    limited(hostile)
    template = dict(load("entries")["chat"])
    hostile.add("2")
    hostile.change("1", details="new details")
    older, newer = [0], [0]

    def spoil(call: Call, answer: Any) -> Any:
        if call.route != "POST /investigation/1":
            return answer
        if kind == "same page":
            first = 5_000_000
        elif "lastId" in call.body and kind in ("ever older", "both ways"):
            older[0] += 1
            first = 5_000_000 - 1000 * older[0]
        elif kind in ("ever newer", "both ways"):
            newer[0] += 1
            first = 5_000_000 + 1000 * newer[0]
        else:
            first = 5_000_000
        time = script.iso(1772360000000 + first // 1000)
        return {"id": "1", "entries": [{**template, "id": f"{first + n}@1", "created": time, "contents": ""} for n in range(60)]}

    hostile.spoil = spoil

    outcome = server.run(command, args)

    assert "asked for ever" not in outcome.error
    must_be_ended(outcome)
    assert len(hostile.calls) <= MOST_CALLS
    if command == "get-remote-data":
        assert outcome.result[0]["details"] == "new details"
    if command == "get-modified-remote-data":
        assert not outcome.error
    assert len(server.kept_text()) < 10_000_000


def bomb(size: int) -> bytes:
    """Return gzipped JSON that is `size` long when unpacked: an object with one long text."""
    packer = zlib.compressobj(9, wbits=31)
    packed = packer.compress(b'{"data": null, "total": 0, "id": "1", "x": "')
    block = b"a" * MIB
    packed += b"".join(packer.compress(block) for _ in range(size // MIB))
    return packed + packer.compress(b'"}') + packer.flush()


BOMB = bomb(200 * MIB)
GZIP = {"Content-Encoding": "gzip", "Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("route", "status"),
    [
        ("POST /incidents/search", 200),
        ("POST /incidents/search", 302),
        ("POST /incidents/search", 500),
        ("GET /incident/load", 200),
        ("POST /investigation", 400),
        ("GET /entry/download", 200),
        ("GET /entry/download", 429),
    ],
)
def test_a_decompression_bomb_is_not_unpacked(
    server: Server,
    hostile: Hostile,
    mirrored_hostile: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    route: str,
    status: int,
) -> None:
    """
    Given: a remote that answers a call with 200 kB that unpack to 200 MB.
    When: a fetch, a question for changes and a pull run.
    Then: none needs as much memory, each ends well or with a sentence, and the next ones are as ever.
    """
    attach(hostile, hostile.add("2")["id"], "a.txt", b"a")
    hostile.write("1", "the text")
    monkeypatch.setattr(script, "LARGEST_FILE", 64 * MIB)
    hostile.fail(route, times=99, status_code=status, content=BOMB, headers={**GZIP, "Location": HOST_8 + "/x"})
    outcomes = []

    def work() -> None:
        outcomes.append(server.run("fetch-incidents"))
        outcomes.append(server.run("get-modified-remote-data", {"lastUpdate": LAST_UPDATE}))
        outcomes.append(server.run("get-remote-data", {"id": "1", "lastUpdate": LAST_UPDATE}))

    peak = peak_memory(work)
    hostile.faults.clear()

    assert peak < 150 * MIB
    for outcome in outcomes:
        must_be_ended(outcome)
    made = ids([*outcomes[0].incidents, *server.fetch()])
    assert made == ["2"]
    assert not [path for path in tmp_path.iterdir() if path.stat().st_size > 64 * MIB]


@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip,gzip,gzip", "br", "zstd", "x"])
def test_an_encoding_that_was_not_asked_for_is_refused(server: Server, hostile: Hostile, encoding: str) -> None:
    """
    Given: a remote that packs its answer more than once, or otherwise.
    When: a fetch runs.
    Then: it is refused unread.
    """
    content = gzip.compress(gzip.compress(gzip.compress(b"{}")))
    hostile.fail("POST /incidents/search", times=9, content=content, headers={**GZIP, "Content-Encoding": encoding})

    outcome = server.run("fetch-incidents")

    must_be_ended(outcome)
    assert outcome.error


class Endless(RawIOBase):
    """A stream of zeros that ends only where a test would take too long."""

    def __init__(self, most: int, wait: Callable[[], None] | None = None) -> None:
        self.left = most
        self._wait = wait

    def readable(self) -> bool:
        """Return that it is to be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Give zeros."""
        if self._wait:
            self._wait()
        count = min(len(buffer), self.left)
        buffer[:count] = bytes(count)
        self.left -= count
        return count


@pytest.mark.parametrize("status", [200, 307, 400, 500])
@pytest.mark.parametrize("route", ["POST /incidents/search", "GET /entry/download"])
def test_an_answer_without_end_ends(
    server: Server, hostile: Hostile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, route: str, status: int
) -> None:
    """
    Given: a remote that sends an answer, or a file, without end.
    When: a fetch runs.
    Then: it gives the answer up at the limit, leaves no piece behind, and a next fetch is as ever.
    """
    monkeypatch.setattr(script, "LARGEST_ANSWER", 4 * MIB)
    monkeypatch.setattr(script, "LARGEST_FILE", 8 * MIB)
    attach(hostile, hostile.add("1")["id"], "a.txt", b"a")
    streams = [Endless(400 * MIB) for _ in range(6)]
    for stream in streams:
        hostile.fail(route, status_code=status, body=stream, headers={"Content-Disposition": "x", "Location": f"{HOST_8}/x"})
    outcomes: list[Outcome] = []

    peak = peak_memory(lambda: outcomes.append(server.run("fetch-incidents")))
    hostile.faults.clear()

    must_be_ended(outcomes[0])
    assert peak < 40 * MIB
    assert all(stream.left > 380 * MIB for stream in streams)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < MIB
    assert len(server.fetch()) == (0 if outcomes[0].incidents else 1)


def test_an_answer_that_drips_ends(server: Server, hostile: Hostile, clock: Any) -> None:
    """
    Given: a remote that sends a file in drops, one a minute, without end.
    When: a fetch runs.
    Then: it gives the file up after some minutes, and brings the incident.
    """
    attach(hostile, hostile.add("1")["id"], "a.txt", b"a")
    begin = script.local_now_ms()
    stream = Endless(2000 * 65536, wait=lambda: clock.tick(timedelta(seconds=50)))
    hostile.fail("GET /entry/download", body=stream, headers={"Content-Disposition": "attachment"})

    outcome = server.run("fetch-incidents")

    must_be_ended(outcome)
    assert ids(outcome.incidents) == ["1"]
    assert script.local_now_ms() - begin < 15 * 60_000


@pytest.mark.parametrize("text", ["[" * 100_000 + "]" * 100_000, '{"data":' * 50_000, "[" * 100_000])
def test_an_answer_nested_without_measure_is_refused(server: Server, hostile: Hostile, text: str) -> None:
    """
    Given: JSON nested deeper than any is.
    When: a fetch runs.
    Then: it says so in a sentence, and the next is as ever.
    """
    hostile.add("1")
    hostile.fail("POST /incidents/search", text=text, headers={"Content-Type": "application/json"}, times=3)

    error = server.run("fetch-incidents").error
    hostile.faults.clear()

    assert error
    assert not PYTHON_WORDS.search(error), error
    assert ids(server.fetch()) == ["1"]


""" ELSEWHERE """

LOCATIONS = [
    "file:///etc/passwd",
    "http://169.254.169.254/latest/meta-data/",
    "https://10.0.0.1/incidents/search",
    "http://localhost:9200/",
    "//elsewhere.example.net/x",
    "https://api-remote.example.com.elsewhere.example.net/",
    "https://user:word@elsewhere.example.net/",
    "http://[::1",
    "http://[",
    "https://\u2100.example.net/",
    "https://a b/",
    "http://:99999999/",
    "javascript:alert(1)",
    "\x00",
    "",
    "x" * 60_000,
]


@pytest.mark.parametrize("location", LOCATIONS, ids=lambda location: location[:30])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(
    server: Server, hostile: Hostile, requests_mock: Any, mirrored_hostile: str, location: str, status: int
) -> None:
    """
    Given: a remote that redirects to a file, to an address inside, elsewhere, or nowhere.
    When: a fetch, a pull, a download and a push run.
    Then: nothing but the remote is asked, no file is read, and the error is a sentence without the address's path or password.
    """
    hosts: list[str] = []
    hostile.write_file("1", "a.txt", b"a")
    for route in ("POST /incidents/search", "GET /entry/download", "POST /entry"):
        hostile.fail(route, status_code=status, headers={"Location": location.encode().decode("latin-1")}, times=99)

    outcomes = [
        server.run("fetch-incidents"),
        server.run("get-remote-data", {"id": "1", "lastUpdate": LAST_UPDATE}),
        push(server, "1", entries=[local_entry(1, "text")]),
    ]

    hosts += [request.url for request in requests_mock.request_history]
    assert all(url.startswith(f"{HOST_8}/xsoar/") for url in hosts)
    for outcome, failed in zip(outcomes, (True, False, True), strict=True):
        assert bool(outcome.error) is failed
        must_be_meant(server, outcome)
        for word in ("word@", "passwd", "meta-data", "Invalid IPv6", KEY):
            assert word not in outcome.error
    assert "redirects to" in outcomes[0].error


@pytest.mark.parametrize(
    "after", ["31536000", "1e400", "nan", "-inf", "9" * 5000, "Fri, 31 Dec 9999 23:59:59 GMT", "x", "\u0663"]
)
def test_a_pause_of_a_year_is_not_waited_for(
    server: Server, hostile: Hostile, mirrored_hostile: str, naps: list[float], after: str
) -> None:
    """
    Given: a remote that asks us to wait for a year, or for what is no time.
    When: each command that the server runs by itself runs.
    Then: each ends within seconds with the words that the server knows.
    """
    headers = {"Retry-After": after.encode().decode("latin-1")}
    hostile.fail("", status_code=429, headers=headers, times=999)

    for command, args in (
        ("fetch-incidents", {}),
        ("get-modified-remote-data", {"lastUpdate": LAST_UPDATE}),
        ("get-remote-data", {"id": "1", "lastUpdate": LAST_UPDATE}),
    ):
        assert "API rate limit" in server.fails(command, **args)

    assert sum(naps) < 60
    assert all(0 <= nap <= 10 for nap in naps)


@pytest.mark.parametrize("problem", [requests.exceptions.InvalidURL("x"), requests.exceptions.TooManyRedirects("x")])
def test_what_the_library_refuses_is_a_sentence(server: Server, hostile: Hostile, problem: Exception) -> None:
    """
    Given: a call that the HTTP library refuses.
    When: a fetch runs.
    Then: it ends with a sentence that names the host.
    """
    hostile.fail("POST /incidents/search", problem, times=9)

    assert "api-remote.example.com" in server.fails("fetch-incidents")
