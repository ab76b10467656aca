"""What the tests of faults are made of: the faults, a local tenant in memory, and the cycles of the mirror that they strike.

`Home` does with what a run of the script gives what the server does with it, and sends again what failed. `Strikes` stands
before the remote and lets one of its requests meet a fault: once, or until it is released.
"""

import io
import json
import pickle
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import requests
from requests_mock import create_response
from stand_ins import Remote, Server, local_entry
from stand_ins import attach as attach_there

ELSEWHERE = "elsewhere.example.com"
CURSED = "INJECTED"  # Stands in no sentence that the script makes.
YEAR = 365 * 24 * 3600
PAGE = "<!doctype html><html><body><h1>Please sign in</h1></body></html>"
LASTING_ROUNDS = 2
MOST_ROUNDS = 12


class Killed(BaseException):
    """The end of a worker: nothing in the script may catch it."""


class Torn(io.RawIOBase):
    """A stream that gives a part of a content and then breaks, as a connection does that is reset."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        """Return that it is to be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Give what there is, and then break."""
        count = self._content.readinto(buffer)
        if not count:
            raise ConnectionResetError("reset by peer")
        return count


@dataclass(frozen=True)
class Fault:
    """What a request meets instead of its answer.

    answer: an exception to raise, or the arguments of a requests-mock response; it takes whether a file was asked for.
    done: whether the remote does the work all the same.
    only_changes: whether another fault is the same for a request that reads.
    from_there_on: whether it is tried lasting on all routes too; of faults that are alike there one is enough.
    says: a regular expression for the words that name it to a person.
    """

    name: str
    answer: Callable[[bool], BaseException | dict[str, Any]]
    says: str
    done: bool = False
    only_changes: bool = False
    from_there_on: bool = False


def http(status: int, **response: Any) -> Callable[[bool], dict[str, Any]]:
    """Return the answer of a fault that is an HTTP response."""
    return lambda _: {"status_code": status, **response}


def raising(kind: type[Exception], *args: Any) -> Callable[[bool], Exception]:
    """Return the answer of a fault that is no answer."""
    return lambda _: kind(*args)


def torn(file: bool) -> dict[str, Any]:
    """Return an answer in the middle of which the connection breaks."""
    headers = {"Content-Disposition": "attachment; filename=x"} if file else {"Content-Type": "application/json"}
    return {"status_code": 200, "body": Torn(b'{"id": "1", "data": [{"id": "1", "na'), "headers": headers}


JSON_ERROR = {"id": "errInternal", "status": 500, "detail": "something went wrong"}
TRUNCATED = {"text": '{"id": "1", "data": [{"id": "1", "na', "headers": {"Content-Type": "application/json"}}
HTML = {"text": PAGE, "headers": {"Content-Type": "text/html; charset=utf-8"}}
REACHED = "cannot be reached"
FAULTS = [
    Fault("429", http(429, json={"error": "too many"}), "API rate limit"),
    Fault("429, again in 5 s", http(429, headers={"Retry-After": "5"}), "API rate limit"),
    Fault("429, again in a year", http(429, headers={"Retry-After": str(YEAR)}), "API rate limit"),
    Fault("500", http(500, json=JSON_ERROR), r"temporarily unavailable.*\(500\)", from_there_on=True),
    Fault("500, done", http(500, json=JSON_ERROR), r"temporarily unavailable.*\(500\)", done=True, only_changes=True),
    Fault("502 HTML", http(502, **HTML), r"temporarily unavailable.*\(502\)"),
    Fault("502 HTML, done", http(502, **HTML), r"temporarily unavailable.*\(502\)", done=True, only_changes=True),
    Fault("503", http(503), r"temporarily unavailable.*\(503\)"),
    Fault("200 HTML", http(200, **HTML), "web page"),
    Fault("200 truncated JSON", http(200, **TRUNCATED), "is not JSON|something other than the file"),
    Fault(
        "200 truncated JSON, done",
        http(200, **TRUNCATED),
        "is not JSON|something other than the file",
        done=True,
        only_changes=True,
    ),
    Fault("reset in the middle of the answer, done", torn, REACHED, done=True),
    Fault("204", http(204), "empty"),
    Fault("204, done", http(204), "empty", done=True, only_changes=True),
    Fault(
        "refused", raising(requests.exceptions.ConnectionError, ConnectionRefusedError(111, CURSED)), REACHED, from_there_on=True
    ),
    Fault("reset", raising(requests.exceptions.ConnectionError, ConnectionResetError(104, CURSED)), REACHED),
    Fault(
        "reset, done",
        raising(requests.exceptions.ConnectionError, ConnectionResetError(104, CURSED)),
        REACHED,
        done=True,
        only_changes=True,
    ),
    Fault("times out", raising(requests.exceptions.ReadTimeout, CURSED), "the connection timed out"),
    Fault(
        "times out, done",
        raising(requests.exceptions.ReadTimeout, CURSED),
        "the connection timed out",
        done=True,
        only_changes=True,
    ),
    Fault("redirect", http(302, headers={"Location": f"https://{ELSEWHERE}/login"}), f"redirects to {ELSEWHERE}"),
    Fault("expired certificate", raising(requests.exceptions.SSLError, CURSED), "certificate is not trusted"),
]
KILLS = [
    Fault("worker killed", lambda _: Killed(), ""),
    Fault("worker killed, done", lambda _: Killed(), "", done=True),
]
ONCE, ROUTE, ALL = "once", "lasting, this route", "lasting, all from there on"


@dataclass
class Strikes:
    """What stands before a remote: it counts the requests, and lets the one of a number meet a fault.

    With ROUTE the later requests of that route meet it too, with ALL all later ones, until `release`.
    """

    remote: Remote
    routes: list[str] = field(default_factory=list)
    fault: Fault | None = None
    number: int = 0
    mode: str = ONCE
    struck: int = 0

    def arm(self, fault: Fault | None, number: int = 0, mode: str = ONCE) -> None:
        """Count from the next request on."""
        self.routes, self.fault, self.number, self.mode, self.struck = [], fault, number, mode, 0

    def release(self) -> None:
        """Let all pass."""
        self.fault = None

    def __call__(self, request: Any) -> requests.Response:
        """Answer a request that requests-mock hands on."""
        number, route = len(self.routes), f"{request.method} {unquote(str(request.url).removeprefix(self.remote.root))}"
        self.routes.append(route)
        if not self.fault or not self._meets(number, route):
            return self.remote(request)
        self.struck += 1
        if self.fault.done:
            self.remote(request)
        answer = self.fault.answer(route.startswith("GET /entry/download/"))
        if isinstance(answer, BaseException):
            raise answer
        return create_response(request, **answer)

    def _meets(self, number: int, route: str) -> bool:
        if number == self.number:
            return True
        first = self.routes[self.number] if len(self.routes) > self.number else ""
        return number > self.number and (self.mode == ALL or (self.mode == ROUTE and route == first))


@dataclass
class Local:
    """A local incident: its fields as the mapper would get them, its War Room, and what of it has yet to go out."""

    fields: dict[str, Any]
    status: int = 1
    remote_id: str = ""
    attachments: list[tuple[str, bytes]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    update: dict[str, Any] | None = None


SHOWN_HERE = ("name", "severity", "details", "mirror_state", "in_mirror_error", "out_mirror_error")
SHOWN_THERE = ("name", "severity", "details", "status", "closeReason", "closeNotes", "sourceBrand", "dbotMirrorId")


class Home:
    """The local tenant: it keeps what the runs of the script give, and sends again what failed."""

    def __init__(self, server: Server, clock: Any) -> None:
        self.server = server
        self.clock = clock
        self.locals: list[Local] = []
        self.left: list[str] = []  # The remote ids that a rate limit left for the next round.
        self.told: list[str] = []  # Errors, and what else tells a person of one.
        self.busy = False  # Whether the last round brought anything or failed.

    def fetch(self) -> None:
        """Run a fetch and create the incidents."""
        outcome = self._run("fetch-incidents", {})
        if outcome is None:
            return
        for made in outcome.incidents:
            self.busy = True
            files = [(item["name"], self.server.content(item["path"])) for item in made.get("attachment", [])]
            self.locals.append(Local({**json.loads(made["rawJSON"])}, 1, made["dbotMirrorId"], files))

    def incoming(self) -> None:
        """Ask what was modified, then ask for each of it."""
        outcome = self._run("get-modified-remote-data", {"lastUpdate": "2026-03-01T11:00:00.000Z"})
        if outcome is None:
            return
        wanted = list(dict.fromkeys([*self.left, *outcome.result["Contents"]]))
        self.left = []
        for position, remote_id in enumerate(wanted):
            local = next((local for local in self.locals if local.remote_id == remote_id), None)
            if not local:
                continue
            answer = self._run("get-remote-data", {"id": remote_id, "lastUpdate": "2026-03-01T11:00:00.000Z"})
            if answer:
                self._apply(local, *answer.result)
            elif "API rate limit" in self.told[-1]:
                self.left = wanted[position:]
                return

    def outgoing(self) -> None:
        """Send what has yet to go out."""
        for local in self.locals:
            if local.update is None:
                continue
            outcome = self._run("update-remote-system", {**local.update, "remoteId": local.remote_id})
            if outcome:
                self.busy, local.update, local.remote_id = (
                    True,
                    None,
                    outcome.result["Contents"] if isinstance(outcome.result, dict) else outcome.result,
                )

    def _apply(self, local: Local, first: dict[str, Any], *entries: dict[str, Any]) -> None:
        if set(first) > {"id"}:
            self.busy = True
        if first.get("in_mirror_error"):
            self.told.append(first["in_mirror_error"])
        custom = {**(local.fields.get("CustomFields") or {}), **first.get("CustomFields", {})}
        local.fields |= {**first, "CustomFields": custom}
        for entry in entries:
            self.busy = True
            contents = entry["Contents"] if isinstance(entry["Contents"], dict) else {}
            if contents.get("dbotIncidentClose"):
                local.status = 2
            elif contents.get("dbotIncidentReopen"):
                local.status = 1
            else:
                assert local.status == 1, "the server takes entries only into an active incident"
                content = self.server.content(entry["FileID"]) if entry.get("FileID") else b""
                local.entries.append(
                    {"text": entry["Contents"], "note": entry["Note"], "file": entry.get("File", ""), "content": content}
                )

    def _run(self, command: str, args: dict[str, Any]) -> Any:
        before = len(self.server.log)
        outcome = self.server.run(command, args)
        self.told += [
            line
            for level, line in self.server.log[before:]
            if level == "info" and re.search("skipped for now|cannot be read", line)
        ]
        if outcome.error:
            self.told.append(outcome.error)
            self.busy = True
            return None
        return outcome


Commands = tuple[str, ...]
ROUND: Commands = ("fetch", "incoming", "outgoing")


@dataclass
class World:
    """Both tenants, and what stands between them."""

    home: Home
    remote: Remote
    strikes: Strikes
    clock: Any
    folder: Path

    def round(self, commands: Commands = ROUND) -> None:
        """Run the commands of a round, a minute after the last one."""
        self.clock.tick(timedelta(minutes=1))
        self.home.busy = False
        for command in commands:
            getattr(self.home, command)()

    def until_quiet(self) -> int:
        """Run rounds until one has nothing to do; return how many had."""
        for number in range(MOST_ROUNDS):
            self.round()
            if not self.home.busy:
                return number
        raise AssertionError(f"the mirror did not come to rest within {MOST_ROUNDS} rounds; last: {self.home.told[-1:]}")

    def picture(self) -> dict[str, Any]:
        """Return all that a person would find on both sides, in an order of its own."""
        remote = self.remote
        here = [
            {
                **{key: local.fields.get(key) or "" for key in SHOWN_HERE},
                "custom": local.fields.get("CustomFields"),
                "status": local.status,
                "remote": local.remote_id,
                # An attachment that the fetch could not have comes as an entry.
                "files": sorted([*local.attachments, *((e["file"], e["content"]) for e in local.entries if e["file"])]),
                "entries": sorted((e["text"], e["note"]) for e in local.entries if not e["file"]),
                "to send": bool(local.update),
            }
            for local in self.home.locals
        ]
        there = [
            {
                **{key: incident.get(key) or "" for key in SHOWN_THERE},
                "custom": incident["CustomFields"],
                "entries": sorted(
                    (str(e["contents"]), e["format"], e["note"], e["file"], remote.files.get(e["id"], b""))
                    for e in remote.entries[incident_id]
                ),
            }
            for incident_id, incident in remote.incidents.items()
        ]
        return {"here": sorted(here, key=repr), "there": sorted(there, key=repr)}


KEPT_HERE = ("last_run", "last_mirror_run", "context", "context_version")
KEPT_THERE = ("incidents", "entries", "entry_numbers", "files")


def saved(world: World) -> bytes:
    """Return what both tenants hold, to begin another world with. It is for the tests of this folder alone to read."""
    here = {name: getattr(world.home.server, name) for name in KEPT_HERE}
    there = {name: getattr(world.remote, name) for name in KEPT_THERE}
    return pickle.dumps((here, there, world.home.locals))


def resume(world: World, state: bytes) -> None:
    """Let a new world hold what another did."""
    here, there, world.home.locals = pickle.loads(state)  # noqa: S301 - our own, of this run
    vars(world.home.server).update(here)
    vars(world.remote).update(there)


@dataclass(frozen=True)
class Cycle:
    """A cycle of the mirror: what was there before, what is new, and the commands that the server runs then."""

    name: str
    before: Callable[[World], None]
    news: Callable[[World], None]
    commands: Commands
    params: dict[str, Any] = field(default_factory=dict)


def nothing(world: World) -> None:
    """Begin with two empty tenants."""


def two_with_files(world: World) -> None:
    """Two incidents in the remote, one with two files."""
    first = world.remote.add(created="2026-03-01T11:30:00.5Z", name="with files")["id"]
    attach_there(world.remote, first, "mail.eml", b"Dear all" * 9)
    attach_there(world.remote, first, "mail.eml", b"Second of that name")
    world.remote.add(created="2026-03-01T11:31:00.5Z", name="without")


def mirrored(world: World) -> None:
    """Two incidents that are mirrored since some rounds."""
    world.remote.add(created="2026-03-01T11:30:00.5Z", modified="2026-03-01T11:30:00.5Z", name="first")
    world.remote.add(created="2026-03-01T11:31:00.5Z", modified="2026-03-01T11:31:00.5Z", name="second")
    world.until_quiet()


def mirrored_and_quiet(world: World) -> None:
    """A third one that stays quiet: its War Room is looked into in its turn."""
    world.remote.add(created="2026-03-01T11:32:00.5Z", modified="2026-03-01T11:32:00.5Z", name="quiet")
    mirrored(world)


def changes_there(world: World) -> None:
    """A field, a chat, a note and a file in one incident; a chat and the closing of the other."""
    remote = world.remote
    remote.write("1", "a chat from there", tags=["share"])
    remote.write("1", "a note from there", tags=["share"], note=True, category="note")
    remote.write_file("1", "log.txt", b"line\n" * 50, tags=["share"])
    remote.change("1", severity=3, details="changed there")
    remote.write("2", "the last word", tags=["share"])
    remote.close("2")


def changes_here(world: World) -> None:
    """Fields, one of them custom and not in the incident yet, texts of all kinds, a file, and the closing."""
    local = next(local for local in world.home.locals if local.remote_id == "1")
    local.status = 2
    closing = {"status": 2, "closeReason": "Resolved", "closeNotes": "Done here."}
    local.update = {
        "data": {"id": "501", "name": "renamed here", **closing},
        "delta": {"name": "renamed here", "details": "found here", NEW_FIELD: "of our own", **closing},
        "entries": [
            local_entry(1, "a chat from here"),
            local_entry(2, "a note from here", note=True),
            local_entry(3, "<i>a note in HTML</i>", format="html", note=True),
            a_file(world, 4, b"\x00\x01" * 300),
        ],
        "incidentChanged": True,
        "status": 2,
    }
    custom = {**(local.fields.get("CustomFields") or {}), NEW_FIELD: "of our own"}
    local.fields |= {"name": "renamed here", "details": "found here", "CustomFields": custom}


def alike_here(world: World) -> None:
    """Two local incidents that look alike, whose ids the mapper leaves out; the remote has neither."""
    for _ in range(2):
        created_here(world)
        update = world.home.locals[-1].update
        assert update
        update["entries"] = None


def created_here(world: World, **data: Any) -> None:
    """A local incident that the remote does not have, with a custom field, a text and a file."""
    fields = {"name": "made here", "severity": 2, NEW_FIELD: "of our own", **data}
    local = Local({**fields, "CustomFields": {NEW_FIELD: "of our own"}})
    local.update = {
        "data": fields,
        "delta": dict(fields),
        "entries": [local_entry(1, "at once"), a_file(world, 2, b"evidence")],
        "incidentChanged": True,
        "status": 1,
    }
    world.home.locals.append(local)


def closed_both(world: World) -> None:
    """Mirrored incidents, the first of them closed on both sides."""
    mirrored(world)
    world.remote.close("1")
    world.until_quiet()


def reopened_here(world: World) -> None:
    """The first is reopened here, and written into."""
    local = next(local for local in world.home.locals if local.remote_id == "1")
    local.status = 1
    local.update = {
        "data": {"id": "501", "status": 1},
        "delta": {"status": 1},
        "entries": [local_entry(1, "there is more")],
        "incidentChanged": True,
        "status": 1,
    }


def a_long_history(world: World) -> None:
    """An incident with more entries than the remote gives at once, and a file, from before the fetch."""
    remote = world.remote
    remote.entry_limit = 50
    incident_id = remote.add(created="2026-03-01T11:30:00.5Z", name="with history")["id"]
    for number in range(55):
        remote.write(incident_id, f"entry {number}", tags=["share"], created=f"2026-03-01T11:40:{number:02d}Z")
    remote.write_file(incident_id, "old.bin", b"\xff" * 40, tags=["share"])


NEW_FIELD = "faultfield"


def a_file(world: World, number: int, content: bytes) -> dict[str, Any]:
    """Return a local entry with a file that the server keeps."""
    path = world.folder / f"stored-{number}"
    path.write_bytes(content)
    world.home.server.files[f"{number}@77"] = {"id": f"{number}@77", "path": str(path), "name": "a.bin"}
    return local_entry(number, "", type=3, file="a.bin", fileID=f"stored-{number}", category="")


# What a remote may be like. See `Remote`.
SIDES: dict[str, tuple[Any, ...]] = {
    "page_keeps": ("newest", "oldest"),
    "entry_moves_modified": (True, False),
    "total": (None, 0, 1),
    "hears_from_date": (True, False),
    "refuses": ((), ("lastId",), ("firstID",)),
    "ignores": ((), ("lastId",), ("firstID",)),
    "keeps_brand": (True, False),
    "date_offset": (timedelta(), timedelta(seconds=240), timedelta(seconds=-240)),
}
HISTORY = {"fetch_incident_history": True}
CYCLES = [
    Cycle("fetch", nothing, two_with_files, ("fetch",)),
    Cycle("incoming", mirrored_and_quiet, changes_there, ("incoming",)),
    Cycle("outgoing", mirrored, changes_here, ("outgoing",)),
    Cycle("creation", mirrored, lambda world: created_here(world, id="502"), ("outgoing",)),
    Cycle("creation without a local id", mirrored, alike_here, ("outgoing",)),
    Cycle("reopening", closed_both, reopened_here, ("outgoing",)),
    Cycle("history", nothing, a_long_history, ("fetch", "incoming"), HISTORY),
]


def new_world(cycle: Cycle, monkeypatch: pytest.MonkeyPatch, clock: Any, folder: Path) -> World:
    """Return a world in which what was before a cycle has come to rest."""
    server = Server()
    server.params |= cycle.params
    server.attach(monkeypatch)
    remote = Remote(clock)
    # How a server may be, another way for each cycle.
    chance = random.Random(cycle.name)
    for name, sides in SIDES.items():
        setattr(remote, name, chance.choice(sides))
    custom = {**remote.incident_fields[0], "cliName": NEW_FIELD, "system": False, "content": False, "group": 0}
    remote.incident_fields = [*remote.incident_fields, custom]
    return World(Home(server, clock), remote, Strikes(remote), clock, folder)
