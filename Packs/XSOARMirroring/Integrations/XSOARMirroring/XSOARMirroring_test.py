"""Tests of the integration, ordered like the script.

Most of them run a command as the server does, through `main`, against a remote tenant that answers over requests-mock, and
look at what a user would: what is asked of the remote, what the server gets, what an error says, what is kept until the next
run. `Server` stands for the server that runs the script, `Remote` for the tenant at the other end.
"""

import copy
import hashlib
import itertools
import json
import re
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import HTTP
from functools import cache, partial
from io import RawIOBase
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import requests
from freezegun import freeze_time
from requests_mock import create_response

import CommonServerPython
import demistomock as demisto
import XSOARMirroring as script

""" CONSTANTS """

KEY = "test-only-key-of-the-remote-tenant"
HOST_6, HOST_8 = "https://remote.example.com:8443", "https://api-remote.example.com"
NOW = "2026-03-01T12:00:00Z"
LAST_UPDATE = "2026-03-01T11:00:00.000Z"

PARAMS = {
    "url": HOST_8,
    "credentials_api_key": {"identifier": "7", "password": KEY},
    "advanced_api_key": False,
    "insecure": False,
    "proxy": False,
    "isFetch": True,
    "max_fetch": "100",
    "query": "",
    "first_fetch": "3 days",
    "look_back": "5",
    "categories": ["notes", "chats", "attachments"],
    "tags": "share",
    "mirror_tag": "send",
    "mirror_direction": "Incoming And Outgoing",
    "close_incident": True,
    "close_out": True,
    "disable_from_same_integration": True,
    "mirror_playbook_id": True,
    "fetch_incident_history": False,
    "debug_mode": False,
}


def load(name: str) -> Any:
    """Return the content of a JSON file of test_data."""
    return json.loads((Path(__file__).parent / "test_data" / f"{name}.json").read_text(encoding="utf-8"))


# What an incident shows of its mirroring.
REPORT = {
    *("mirror_remote_id", "mirror_remote_link", "mirror_remote_tenant", "mirror_state", "mirror_last_in", "mirror_last_out"),
    *("in_mirror_error", "out_mirror_error"),
}
ERRORS = load("errors")
ENTRIES = load("entries")
TEMPLATE = load("incident_load")

""" THE SERVER AND THE REMOTE """


@dataclass
class Outcome:
    """What came of one run of the script: the result it gave, the incidents it made, the error it ended with."""

    result: Any
    incidents: list[dict[str, Any]]
    error: str


class Server:
    """The server that runs the script: what it gives to a run, what it takes from it, and what it keeps until the next one."""

    def __init__(self) -> None:
        self.params: dict[str, Any] = copy.deepcopy(PARAMS)
        self.version = "8.8.0"
        self.last_run: dict[str, Any] = {}
        self.last_mirror_run: dict[str, Any] = {}
        self.context = "{}"
        self.context_version = 1
        self.rivals: list[Callable[[dict[str, Any]], None]] = []  # Each changes the context just before a save.
        self.files: dict[str, dict[str, str]] = {}
        self.incident: dict[str, Any] | None = None  # The incident in whose War Room a command runs.
        self.log: list[tuple[str, str]] = []
        self._results: list[Any] = []
        self._incidents: list[list[dict[str, Any]]] = []
        self._runs: dict[str, Any] = {}
        self._unique = 0

    def attach(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand in for demistomock."""
        answers: dict[str, Callable[..., Any]] = {
            "params": lambda: copy.deepcopy(self.params),
            "integrationInstance": lambda: "headquarters",
            "demistoVersion": lambda: {"version": self.version, "buildNumber": "1", "platform": "xsoar_hosted"},
            "getLastRun": lambda: copy.deepcopy(self.last_run),
            "setLastRun": lambda run: self._runs.update(last_run=json.loads(json.dumps(run))),
            "getLastMirrorRun": lambda: copy.deepcopy(self.last_mirror_run),
            "setLastMirrorRun": lambda run: self._runs.update(last_mirror_run=json.loads(json.dumps(run))),
            "getIntegrationContextVersioned": lambda refresh=False: {
                "context": json.loads(self.context),
                "version": self.context_version,
            },
            "setIntegrationContextVersioned": self._save_context,
            "results": lambda result: self._results.append(json.loads(json.dumps(result))),
            "incidents": lambda incidents: self._incidents.append(json.loads(json.dumps(incidents))),
            "investigation": lambda: {"id": "77"},
            "incident": self._incident,
            "uniqueFile": self._unique_file,
            "getFilePath": self._file_path,
            **{level: self._logger(level) for level in ("debug", "info", "error", "log")},
        }
        for name, answer in answers.items():
            monkeypatch.setattr(demisto, name, answer, raising=False)
        self._monkeypatch = monkeypatch

    def run(self, command: str, args: dict[str, Any] | None = None) -> Outcome:
        """Run the script once. Last runs are kept only when it ends well, as on a server."""
        self._results, self._incidents, self._runs = [], [], {}
        self._monkeypatch.setattr(demisto, "command", lambda: command)
        self._monkeypatch.setattr(demisto, "args", lambda: copy.deepcopy(args or {}))
        error = ""
        try:
            script.main()
        except SystemExit:  # How return_error ends a run.
            error = self._results[-1]["Contents"]
        except NotImplementedError:
            raise
        except Exception as raised:  # How return_error ends a fetch.
            error = str(raised) or type(raised).__name__
        if not error:
            assert len(self._results) <= 1, "a server takes one result a run"
            assert len(self._incidents) <= 1, "a server takes incidents once a run"
            self.last_run = self._runs.get("last_run", self.last_run)
            self.last_mirror_run = self._runs.get("last_mirror_run", self.last_mirror_run)
        return Outcome(self._results[-1] if self._results else None, [i for made in self._incidents for i in made], error)

    def ok(self, command: str, /, **args: Any) -> Any:
        """Run a command that must succeed; return its result."""
        outcome = self.run(command, args)
        assert not outcome.error, outcome.error
        return outcome.result

    def fails(self, command: str, /, **args: Any) -> str:
        """Run a command that must fail; return what it says, which is a sentence and no stack trace."""
        error = self.run(command, args).error
        assert error, f"{command} did not fail"
        assert "Traceback" not in error
        assert "\n" not in error
        return error

    def fetch(self) -> list[dict[str, Any]]:
        """Run a fetch that must succeed; return the incidents it made."""
        outcome = self.run("fetch-incidents")
        assert not outcome.error, outcome.error
        return outcome.incidents

    def pull(self, incident_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Run get-remote-data as a mirroring round does; return the incident object and the entries."""
        first, *entries = self.ok("get-remote-data", id=incident_id, lastUpdate=LAST_UPDATE)
        return first, entries

    def content(self, file_id: str) -> bytes:
        """Return what a file result of the run holds."""
        return Path(f"77_{file_id}").read_bytes()

    def lines(self, level: str) -> list[str]:
        """Return the log lines of a level."""
        return [line for its_level, line in self.log if its_level == level]

    def kept_text(self) -> str:
        """Return the integration context and, as it keeps them compressed, the records in it: a text to search."""
        return self.context + json.dumps(kept_records(self))

    def memory(self) -> tuple[Any, ...]:
        """Return all that the server keeps from run to run, to compare; without what only xsoar-mirror-status tells."""
        context = json.loads(self.context)
        kept = {key: value for key, value in context.items() if key != "health" and value not in ("", "{}", "[]")}
        return self.last_run, self.last_mirror_run, kept

    def _save_context(self, context: dict[str, Any], version: int = -1, sync: bool = False) -> None:
        if self.rivals:
            changed = json.loads(self.context)
            self.rivals.pop(0)(changed)
            self.context, self.context_version = json.dumps(changed), self.context_version + 1
        if version not in (-1, self.context_version):
            raise ValueError("DB Version does not match")
        self.context, self.context_version = json.dumps(context), self.context_version + 1

    def _incident(self) -> dict[str, Any]:
        if self.incident is None:
            raise IndexError("list index out of range")
        return copy.deepcopy(self.incident)

    def _unique_file(self) -> str:
        self._unique += 1
        return f"file-{self._unique}"

    def _file_path(self, entry_id: str) -> dict[str, str]:
        if entry_id not in self.files:
            raise ValueError(f"could not find file for entry {entry_id}")
        return self.files[entry_id]

    def _logger(self, level: str) -> Callable[..., None]:
        return lambda message, *args: self.log.append((level, str(message)))


@dataclass
class Call:
    """A request that reached the remote. `body` is its JSON; `form` the parts of a multipart body: (file name, content)."""

    route: str
    url: str
    headers: dict[str, str]
    body: Any
    form: dict[str, tuple[str, bytes]]


@dataclass
class Fault:
    """What a request to a route meets instead of its answer; `after` the work was done, or instead of it."""

    route: str
    answer: dict[str, Any] | Exception | type[Exception]
    times: int
    after: bool
    skip: int


@cache
def instant(text: str) -> datetime:
    """Return a time of the remote, cut to microseconds."""
    return datetime.fromisoformat(text)


def sort_value(field: str, incident: dict[str, Any]) -> Any:
    """Return what a search orders an incident by."""
    return int(incident[field]) if field == "id" else instant(incident[field])


def in_order(item: dict[str, Any]) -> tuple[datetime, int]:
    """Return what entries are ordered by."""
    return instant(item["created"]), int(item["id"].partition("@")[0])


class Remote:
    """A remote tenant in memory, answering as the REST API does. With `key_id` it is an XSOAR 8, else an XSOAR 6."""

    def __init__(self, clock: Any, key_id: str = "7") -> None:
        self.clock = clock
        self.key_id = key_id
        self.advanced_key = False
        self.root = f"{HOST_8}/xsoar" if key_id else HOST_6
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self.incidents: dict[str, dict[str, Any]] = {}
        self.entries: dict[str, list[dict[str, Any]]] = {}
        self.entry_numbers: dict[str, int] = {}
        self.files: dict[str, bytes] = {}
        self.incident_fields = load("incident_fields")
        self.hidden: set[str] = set()  # Incidents that the search index does not hold yet.
        self.search_limit = 1000
        self.entry_limit = 1000
        self.page_keeps = "newest"
        self.entry_moves_modified = True
        self.drops_new_incidents = False
        self.closes_late = False  # Closings are accepted and not carried out yet.
        self.reopens = True  # Whether the command reopenInvestigation does what it says.

    # What a test does at the remote.

    def add(self, incident_id: str = "", **fields: Any) -> dict[str, Any]:
        """Create an incident; it has a War Room unless `investigationId` says otherwise."""
        number = incident_id or str(1 + max((int(key) for key in self.incidents), default=0))
        now = self.now()
        incident = {
            **TEMPLATE,
            "CustomFields": dict(TEMPLATE["CustomFields"]),
            "id": number,
            "investigationId": number,
            "name": f"incident {number}",
            "version": 1,
            "created": now,
            "modified": now,
            "occurred": now,
            **fields,
        }
        self.incidents[number] = incident
        self.entries[number] = []
        return incident

    def add_many(self, count: int) -> None:
        """Create incidents a second apart, the first one hour ago."""
        start = datetime.now(UTC) - timedelta(hours=1)
        for number in range(count):
            self.add(str(number + 1), created=(start + timedelta(seconds=number)).isoformat(), CustomFields={})

    def change(self, incident_id: str, **fields: Any) -> None:
        """Change fields as an analyst does."""
        incident = self.incidents[incident_id]
        incident |= {"version": incident["version"] + 1, "modified": self.now(), **fields}

    def close(self, incident_id: str, reason: str = "Resolved", notes: str = "Nothing left to do.") -> None:
        """Close an incident."""
        self.change(incident_id, status=2, closeReason=reason, closeNotes=notes, closed=self.now())

    def write(self, incident_id: str, contents: Any = "", **fields: Any) -> dict[str, Any]:
        """Add an entry to a War Room. By default it is a chat with the tag that lets it come in."""
        number = self.entry_numbers[incident_id] = self.entry_numbers.get(incident_id, 0) + 1
        now = self.now()
        entry = {
            **ENTRIES["chat"],
            "id": f"{number}@{incident_id}",
            "investigationId": incident_id,
            "contents": contents,
            "created": now,
            "modified": now,
            **fields,
        }
        self.entries[incident_id].append(entry)
        if self.entry_moves_modified:
            self.incidents[incident_id]["modified"] = self.incidents[incident_id]["modified"] if "created" in fields else now
        return entry

    def write_file(self, incident_id: str, name: str, content: bytes, **fields: Any) -> dict[str, Any]:
        """Add a file to a War Room."""
        path = f"{incident_id}_{len(self.files)}_{name}"
        entry = self.write(incident_id, "", **{"type": 3, "category": "attachments", "file": name, "fileID": path, **fields})
        self.files[entry["id"]] = content
        return entry

    def tag(self, entry: dict[str, Any], *tags: str) -> None:
        """Set the tags of an entry."""
        entry |= {"tags": list(tags), "modified": self.now()}

    def edit(self, entry: dict[str, Any], contents: str) -> None:
        """Give an entry another text, as an analyst does."""
        earlier = {"user": "carl", "contents": entry["contents"], "contentsFormat": "text", "contentDate": entry["modified"]}
        entry |= {"contents": contents, "history": [*(entry.get("history") or []), earlier], "modified": self.now()}
        self.change(entry["investigationId"])

    def fail(
        self, route: str, answer: Exception | None = None, *, times: int = 1, after: bool = False, skip: int = 0, **response: Any
    ) -> None:
        """Let the next requests whose route begins so, behind the first `skip`, meet an exception or an HTTP response.

        A `$` is the end of a route.
        """
        self.faults.append(Fault(route, answer or response, times, after, skip))

    # What a test asks it.

    def asked(self, route: str = "") -> list[Call]:
        """Return the requests whose route begins so."""
        return [call for call in self.calls if call.route.startswith(route)]

    def bodies(self, route: str) -> list[Any]:
        """Return the JSON bodies of the requests whose route begins so."""
        return [call.body for call in self.asked(route)]

    def writes(self) -> list[str]:
        """Return the routes of the requests that change something."""
        reading = ("GET ", "POST /incidents/search", "POST /investigation/")
        return [call.route for call in self.calls if not call.route.startswith(reading)]

    def now(self) -> str:
        """Return the time in the manner of XSOAR 8, milliseconds with trailing zeros left out, and let 10 of them pass."""
        self.clock.tick(timedelta(milliseconds=10))
        text = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
        return f"{text.rstrip('0').rstrip('.') if '.' in text else text}Z"

    # How it answers.

    def __call__(self, request: Any) -> requests.Response:
        """Answer a request that requests-mock hands on."""
        url = str(request.url)
        assert url.startswith(self.root), f"{url} is not an address of the remote"
        call = Call(
            route=f"{request.method} {unquote(url.removeprefix(self.root))}",
            url=url,
            headers=dict(request.headers),
            body=None,
            form={},
        )
        content = whole_body(request.body)
        if "multipart/form-data" in call.headers.get("Content-Type", ""):
            call.form = multipart(call.headers["Content-Type"], content)
        elif content:
            call.body = json.loads(content)
        self.calls.append(call)
        fault = next((fault for fault in self.faults if fault.times and f"{call.route}$".startswith(fault.route)), None)
        if fault and fault.skip:
            fault.skip -= 1
            fault = None
        if fault:
            fault.times -= 1
            if fault.after:
                self._answer(call)
            if isinstance(fault.answer, Exception):
                raise fault.answer
            if isinstance(fault.answer, type):
                raise fault.answer()
            return self._respond(request, {"status_code": 200, **fault.answer})
        return self._respond(request, self._answer(call))

    def _respond(self, request: Any, response: dict[str, Any]) -> requests.Response:
        date = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        kind = {"Content-Type": "application/json"} if "json" in response else {}
        headers = {"Date": date, **kind, **response.get("headers", {})}
        return create_response(request, **{**response, "headers": headers})

    def _answer(self, call: Call) -> dict[str, Any]:
        refusal = self._refusal(call.headers)
        if refusal:
            return refusal
        method, path = call.route.split(" ", 1)
        head, _, tail = path.lstrip("/").partition("/")
        routes: dict[str, Callable[[], Any]] = {
            "GET about": lambda: load("about")["8" if self.key_id else "6"],
            "GET incidentfields": lambda: self.incident_fields,
            "GET incidenttype": lambda: load("incident_types"),
            "POST incidents": lambda: self._search(call.body["filter"]),
            "GET incident": lambda: self.incidents.get(tail.removeprefix("load/")),
            "POST incident": lambda: self._close(call.body) if tail == "close" else self._save(call.body),
            "POST investigation": lambda: {"id": tail, "entries": self._entries(tail, call.body) or None},
            "POST entry": lambda: self._write(tail, call),
            "GET entry": lambda: self.files.get(tail.removeprefix("download/")),
        }
        answer = routes[f"{method} {head}"]()
        if answer is None:
            return {"status_code": 404, "json": ERRORS["not_found"]}
        if isinstance(answer, bytes):
            disposition = {"Content-Disposition": "attachment; filename=x", "Content-Type": "application/octet-stream"}
            return {"content": answer, "headers": disposition}
        return answer if isinstance(answer, dict) and "status_code" in answer else {"json": answer}

    def _refusal(self, headers: dict[str, str]) -> dict[str, Any] | None:
        signed = KEY
        if self.advanced_key:
            signed = hashlib.sha256(
                (KEY + headers.get("x-xdr-nonce", "") + headers.get("x-xdr-timestamp", "")).encode()
            ).hexdigest()
        if headers.get("Authorization") == signed and headers.get("x-xdr-auth-id", "") == self.key_id:
            return None
        if self.key_id:
            return {"status_code": 401, "json": ERRORS["v8_wrong_key"]}
        return {"status_code": 403, "json": ERRORS["v6_wrong_key"]}

    def _search(self, incident_filter: dict[str, Any]) -> dict[str, Any]:
        query = incident_filter["query"]
        found = [incident for key, incident in self.incidents.items() if key not in self.hidden]
        if "fromDate" in incident_filter:
            found = [i for i in found if instant(i["created"]) >= instant(incident_filter["fromDate"])]
        if since := re.search(r'modified:>="([^"]+)"', query):
            found = [i for i in found if instant(i["modified"]) >= instant(since[1])]
        if name := re.search(r'(?<!-)dbotMirrorId:"([^"]+)"', query):
            found = [i for i in found if i["dbotMirrorId"] == name[1]]
        if "status:active" in query:
            found = [i for i in found if i["status"] == 1]
        if '-sourceBrand:"XSOAR Mirroring"' in query:
            found = [i for i in found if i["sourceBrand"] != "XSOAR Mirroring"]
        for order in reversed(incident_filter["sort"]):
            found.sort(key=partial(sort_value, order["field"]), reverse=not order["asc"])
        size = min(incident_filter.get("size", 0), self.search_limit)
        page = found[incident_filter["page"] * size :][:size]
        data = [{**incident, "changeStatus": "new", "insights": 0, "sortValues": []} for incident in page]
        return {"data": data or None, "total": len(found), "notUpdated": 0, "searchAfter": None}

    def _entries(self, incident_id: str, entry_filter: dict[str, Any]) -> list[dict[str, Any]]:
        names = {"attachments": "attachments", "note": "notes", "chat": "chats"}

        def category(entry: dict[str, Any]) -> str:
            return (
                "attachments"
                if entry["fileID"]
                else "notes"
                if entry["note"]
                else names.get(entry["category"], "commandAndResults")
            )

        assert not entry_filter.get("tagsAndOperator"), "any of the tags is meant"
        found = sorted(self.entries[incident_id], key=in_order)
        if tags := entry_filter.get("tags"):
            found = [entry for entry in found if set(tags) & set(entry["tags"] or [])]
        if categories := entry_filter.get("categories"):
            # The file tells which category a command's result is of no more than the entry does.
            found = [entry for entry in found if category(entry) in (*categories, "commandAndResults")]
        if "fromTime" in entry_filter:
            found = [entry for entry in found if instant(entry["created"]) >= instant(entry_filter["fromTime"])]
        ids = [entry["id"] for entry in found]
        size = min(entry_filter["pageSize"], self.entry_limit)
        if "lastId" in entry_filter:
            return found[: ids.index(entry_filter["lastId"])][-size:]
        if "firstID" in entry_filter:
            return found[ids.index(entry_filter["firstID"]) :][:size]
        return found[-size:] if self.page_keeps == "newest" else found[:size]

    def _save(self, body: dict[str, Any]) -> dict[str, Any]:
        if not body.get("id"):
            return self._create(body)
        if body["version"] != self.incidents[body["id"]]["version"]:
            return {"status_code": 400, "json": ERRORS["optimistic_lock"]}
        # What is left out is wiped.
        self.incidents[body["id"]] = {**body, "version": body["version"] + 1, "modified": self.now()}
        return self.incidents[body["id"]]

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        if self.drops_new_incidents:
            return {"status_code": 200, "text": ""}
        opened = body.get("createInvestigation")
        fields = {key: value for key, value in body.items() if key != "createInvestigation"}
        incident = self.add(**{"sourceBrand": "Manual", "CustomFields": {}, **fields, "status": int(bool(opened))})
        incident["investigationId"] = incident["id"] if opened else ""
        return {"status_code": 201, "json": incident}

    def _close(self, body: dict[str, Any]) -> dict[str, Any]:
        before = dict(self.incidents[body["id"]])
        if body["version"] != before["version"]:
            return {"status_code": 400, "json": ERRORS["optimistic_lock"]}
        if not self.closes_late:
            self.close(body["id"], body["closeReason"], body["closeNotes"])
        return before  # XSOAR REST API: the answer may still show the incident as it was.

    def _write(self, tail: str, call: Call) -> Any:
        incident_id = tail.removeprefix("upload/") if tail.startswith("upload/") else call.body["investigationId"]
        if self.incidents[incident_id]["status"] == 2:
            return {"status_code": 412, "json": ERRORS["closed"]}
        written = {"tags": None, "user": "api-key", "category": ""}
        if tail.startswith("upload/"):
            name, content = call.form["file"]
            note = call.form.get("isNoteEntry", ("", b""))[1] == b"true"
            size = {"size": len(content)}
            return {"entries": [self.write_file(incident_id, name, content, **written, note=note, fileMetadata=size)]}
        if tail == "formatted":
            return self.write(incident_id, call.body["contents"], **written, format=call.body["format"])
        if tail == "execute/sync":
            command = re.fullmatch(r"!reopenInvestigation id=(\d+)", call.body["data"])
            assert command, "nothing else is to be run"
            if self.reopens:
                self.change(command[1], status=1)
            return [self.write(incident_id, "done", **written)]
        assert tail == "note", f"/entry/{tail} is not used: it would run a text that looks like a command"
        if call.body["id"]:
            entry = next(entry for entry in self.entries[incident_id] if entry["id"] == call.body["id"])
            entry["note"] = call.body["data"] == "true"
            return entry
        entry_format = "markdown" if call.body["markdown"] else "text"
        return self.write(incident_id, call.body["data"], **written, note=True, format=entry_format)


def whole_body(body: Any) -> bytes:
    """Return the body of a request, whatever it was given as."""
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes):
        return body
    return b"".join(iter(lambda: body.read(1 << 16), b"") if hasattr(body, "read") else body)


def multipart(content_type: str, body: bytes) -> dict[str, tuple[str, bytes]]:
    """Return the parts of a multipart body: (file name, content) by name. It needs the boundary of the content type."""
    message = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body, policy=HTTP)
    assert message.is_multipart(), f"no parts with the content type {content_type!r}"
    parts: dict[str, tuple[str, bytes]] = {}
    for part in message.iter_parts():
        name, content = str(part.get_param("name", header="content-disposition")), part.get_payload(decode=True)
        assert isinstance(content, bytes)
        parts[name] = (part.get_filename() or "", content)
    return parts


""" FIXTURES """


@pytest.fixture(scope="module")
def frozen() -> Iterator[Any]:
    """Stop the time, once for all tests: that takes longer than most of them."""
    with freeze_time(NOW, ignore=["_pytest"]) as frozen:
        yield frozen


@pytest.fixture(autouse=True)
def clock(frozen: Any) -> Any:
    """Let the time stand at NOW; a test moves it with `tick`."""
    frozen.move_to(NOW)
    return frozen


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let nothing wait; return how long it would have."""
    taken: list[float] = []
    real_sleep = time.sleep
    defaults = script.Client.__init__.__defaults__ or ()
    monkeypatch.setattr(script.Client.__init__, "__defaults__", tuple(taken.append if d is real_sleep else d for d in defaults))
    monkeypatch.setattr(time, "sleep", taken.append)
    return taken


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """A server that runs the script in an empty folder, and whose log never holds the key."""
    monkeypatch.chdir(tmp_path)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(CommonServerPython.get_demisto_version, "_version", None)
    # So that calls come in one order. Side by side they are made in the tests of that, and in all tests over HTTP.
    monkeypatch.setattr(script, "AT_ONCE", 1)
    # The time that is frozen here is not frozen in threads, so no run is late; what happens then is tested by `is_late`.
    monkeypatch.setattr(script, "RUN_SECONDS", 10**12)
    server = Server()
    server.attach(monkeypatch)
    yield server
    assert not [line for _, line in server.log if KEY in line], "the log holds the key"


@pytest.fixture
def remote(clock: Any, requests_mock: Any) -> Remote:
    """An XSOAR 8 tenant."""
    remote = Remote(clock)
    requests_mock.add_matcher(remote)
    return remote


@pytest.fixture
def remote_6(clock: Any, requests_mock: Any, server: Server) -> Remote:
    """An XSOAR 6 tenant, and the server's instance configured for it."""
    remote = Remote(clock, key_id="")
    requests_mock.add_matcher(remote)
    server.params |= {"url": HOST_6, "credentials_api_key": {"identifier": "", "password": KEY}}
    return remote


@pytest.fixture
def mirrored(remote: Remote, server: Server, clock: Any) -> str:
    """The ID of an incident that was fetched a minute ago and is mirrored since."""
    incident_id = remote.add(created="2026-03-01T11:30:00.5Z", modified="2026-03-01T11:30:00.5Z")["id"]
    assert [incident["dbotMirrorId"] for incident in server.fetch()] == [incident_id]
    clock.tick(timedelta(minutes=1))
    remote.calls.clear()
    return incident_id


def contents(entries: list[dict[str, Any]]) -> list[Any]:
    """Return the contents of entries, without the line above them that tells the author."""
    return [
        re.sub(r"\A.*:\n", "", entry["Contents"]) if isinstance(entry["Contents"], str) else entry["Contents"]
        for entry in entries
    ]


def ids(incidents: list[dict[str, Any]]) -> list[str]:
    """Return the remote IDs of fetched incidents."""
    return [incident["dbotMirrorId"] for incident in incidents]


def local_entry(number: int, text: Any = "", **fields: Any) -> dict[str, Any]:
    """Return a local entry as the server hands it to update-remote-system."""
    created = f"2026-03-01T11:50:{number:02d}.123456789Z"
    return {
        "id": f"{number}@77",
        "type": 1,
        "format": "text",
        "contents": text,
        "note": False,
        "tags": ["send"],
        "user": "lea",
        "created": created,
        "modified": created,
        "category": "chat",
        "file": "",
        "fileID": "",
        **fields,
    }


def push(server: Server, incident_id: str, **update: Any) -> Outcome:
    """Run update-remote-system."""
    args: dict[str, Any] = {
        "data": {},
        "delta": None,
        "entries": None,
        "incidentChanged": "delta" in update,
        "status": 1,
        "remoteId": incident_id,
    }
    return server.run("update-remote-system", {**args, **update})


def pushed(server: Server, incident_id: str, **update: Any) -> str:
    """Run update-remote-system, which must succeed; return what it gives."""
    outcome = push(server, incident_id, **update)
    assert not outcome.error, outcome.error
    return outcome.result


def drop(settings: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return a dict without some of its keys."""
    return {key: value for key, value in settings.items() if key not in names}


""" SETTINGS """

MAX_FETCH = "Maximum number of incidents to pull per fetch"
WRONG_SETTINGS: list[tuple[str, list[Any], str, str]] = [
    ("credentials_api_key", [None, {"identifier": "7"}], "API Key is missing", "generate a key"),
    ("api key", ["", "  "], "API Key is missing", "generate a key"),
    ("api key", ["abc\ndef", "abc\0def", "ключ"], "API Key", "copy"),
    ("advanced key without an ID", [True], "API Key ID is missing", "enter the ID"),
    ("url", [None, "", "  "], "XSOAR Server URL is blank", "enter the address"),
    (
        "url",
        ["remote.example.com", "ftp://h.example.com", "https://", "https:///xsoar", "https://[h"],
        "XSOAR Server URL",
        "https://",
    ),
    ("url", ["https://me:word@h.example.com"], "XSOAR Server URL holds a user name", "enter the address alone"),
    ("max_fetch", [None, "", "  ", "0", 0, "-1", "201", 201, "abc", "1.5", 1.5, "1e2", "٣"], MAX_FETCH, "from 1 to 200"),
    ("max_fetch", ["9" * 20, "5 0", True], MAX_FETCH, "from 1 to 200"),
    ("look_back", ["  ", "-1", "1441", "abc", "1.5", "5 minutes"], "Look-back", "from 0 to 1440"),
    ("first_fetch", ["soon", "3", "-3", "1700000000", "1,5"], "First fetch time", "enter a number and a unit"),
    ("first_fetch", ["in 3 days", "2027-01-01T00:00:00Z"], "First fetch time", "enter an earlier time"),
    ("categories", [["notes", "comments"], "notes,comments"], "Entry Categories holds 'comments'", "notes, chats, attachments"),
    ("mirror_direction", ["Both"], "Incident Mirroring Direction", "Incoming And Outgoing"),
    ("mirror_tag", ["share", "send, share"], "The tag 'share'", "different tags for the two directions"),
    ("advanced_api_key", ["maybe", 1], "The API key is an advanced key", "checkbox"),
    ("insecure", ["maybe", 1], "Trust any certificate (not secure)", "checkbox"),
    ("proxy", ["maybe", 1], "Use system proxy settings", "checkbox"),
    ("close_incident", ["maybe", 1], "Close Mirrored XSOAR Incident", "checkbox"),
    ("close_out", ["maybe", 1], "Close Remote Incident", "checkbox"),
    ("disable_from_same_integration", ["maybe", 1], "Disable fetching for incidents that came from this", "checkbox"),
    ("mirror_playbook_id", ["maybe", 1], "Mirror Playbook ID", "checkbox"),
    ("fetch_incident_history", ["maybe", 1], "Fetch incident history", "checkbox"),
    ("debug_mode", ["maybe", 1], "Debug mode", "checkbox"),
]


def setting(name: str, value: Any) -> dict[str, Any]:
    """Return the parameters that a setting changes."""
    if name == "api key":
        return {"credentials_api_key": {"identifier": "7", "password": value}}
    if name == "advanced key without an ID":
        return {"advanced_api_key": value, "credentials_api_key": {"password": KEY}}
    return {name: value}


@pytest.mark.parametrize(
    ("changes", "named", "remedy"),
    [
        pytest.param(setting(name, value), named, remedy, id=f"{name}: {value!r}")
        for name, values, named, remedy in WRONG_SETTINGS
        for value in values
    ],
)
def test_a_wrong_setting_fails_the_test_button_and_names_the_remedy(
    server: Server, remote: Remote, changes: dict[str, Any], named: str, remedy: str
) -> None:
    """
    Given: an instance with one wrong setting.
    When: Test runs.
    Then: it fails with a sentence that names the setting and what to do, before anything is asked of the remote in vain.
    """
    server.params |= changes

    error = server.fails("test-module")

    assert named in error
    assert remedy in error
    assert not [call for call in remote.calls if call.route != "GET /about"]
    assert server.memory() == ({}, {}, {})


READ_SETTINGS: list[tuple[str, str, list[tuple[Any, Any]]]] = [
    ("api key", "api_key", [(f" {KEY}\n", KEY)]),
    ("credentials_api_key", "key_id", [({"password": KEY, "identifier": 12}, "12"), ({"password": KEY}, "")]),
    ("advanced_api_key", "advanced_key", [(None, False), ("true", True)]),
    ("insecure", "verify", [(None, True), ("true", False), ("", True)]),
    ("proxy", "proxy", [(None, False), (True, True)]),
    ("max_fetch", "max_fetch", [("1", 1), ("200", 200), (200, 200), (" 50 ", 50), ("+5", 5)]),
    ("look_back", "look_back_ms", [(None, 300_000), ("", 300_000), ("0", 0), (0, 0), ("1440", 86_400_000), (7, 420_000)]),
    ("first_fetch", "first_fetch", [(None, "3 days"), (" 2 days ", "2 days")]),
    ("query", "query", [(None, ""), ("  type:A ", "type:A")]),
    ("categories", "categories", [(["notes", "chats"], ("notes", "chats")), (None, ()), ("", ()), ('["chats"]', ("chats",))]),
    ("categories", "categories", [(" Notes , chats,chats,", ("notes", "chats"))]),
    ("tags", "tags", [(None, ()), ("  ", ()), (" a , b,,a", ("a", "b")), ('["a", "b"]', ("a", "b")), (["a ", None], ("a",))]),
    ("mirror_tag", "mirror_tags", [("x, y", ("x", "y")), (None, ())]),
    ("mirror_direction", "direction", [(None, ""), ("None", ""), ("Incoming", "In"), ("Outgoing", "Out")]),
    ("mirror_direction", "direction", [("Incoming And Outgoing", "Both")]),
    ("close_incident", "close_in", [(None, True), ("false", False)]),
    ("close_out", "close_out", [(None, True), (True, True), ("yes", True), (False, False), ("false", False), ("no", False)]),
    ("disable_from_same_integration", "skip_own", [(None, True), ("false", False)]),
    ("mirror_playbook_id", "mirror_playbook", [(None, True), ("false", False)]),
    ("fetch_incident_history", "history", [(None, False), ("true", True)]),
    ("debug_mode", "debug", [(None, False), ("true", True)]),
]


@pytest.mark.parametrize(
    ("changes", "name", "expected"),
    [
        pytest.param(setting(name, value), attribute, expected, id=f"{name}: {value!r}")
        for name, attribute, cases in READ_SETTINGS
        for value, expected in cases
    ],
)
def test_settings_are_read_from_what_the_platform_gives(changes: dict[str, Any], name: str, expected: Any) -> None:
    """
    Given: a parameter in one of the shapes in which the platform gives it.
    When: the settings are parsed.
    Then: it has its meaning.
    """
    assert getattr(script.parse_settings(PARAMS | changes, "headquarters"), name) == expected


@pytest.mark.parametrize("end", ["", "/", "/xsoar", "/xsoar/", "/xsoar/public/v1", "/xsoar/public/v1/"])
@pytest.mark.parametrize("account", ["", "/acc_branch"])
@pytest.mark.parametrize(("host", "key_id"), [(HOST_6, ""), (HOST_8, "7")], ids=["6.x", "8.x"])
def test_the_url_may_be_given_in_any_shape(
    server: Server, requests_mock: Any, host: str, key_id: str, account: str, end: str
) -> None:
    """
    Given: the address of a remote with any of the ends that people paste, of XSOAR 6 or 8, with or without a tenant.
    When: Test runs.
    Then: the routes are asked for below the root for 6.x and below /xsoar for 8.x, before the tenant.
    """
    server.params |= {
        "url": f" {host}{account}{end} ",
        "credentials_api_key": {"identifier": key_id, "password": KEY},
    }
    requests_mock.get(f"{host}{'/xsoar' if key_id else ''}{account}/about", json=load("about")["8"])
    requests_mock.post(f"{host}{'/xsoar' if key_id else ''}{account}/incidents/search", json={"data": None, "total": 0})

    assert server.ok("test-module") == "ok"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h.example.com/xsoar/acc_branch", "https://h.example.com/xsoar/acc_branch"),
        ("https://h.example.com/gateway/xsoar/?x=1#top", "https://h.example.com/gateway/xsoar"),
        ("HTTPS://h.example.com", "https://h.example.com/xsoar"),
        ("https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443/xsoar"),
    ],
)
def test_the_url_may_name_more_than_a_host(url: str, expected: str) -> None:
    """
    Given: the address of an XSOAR 8 with a tenant, a path of a gateway, a port, a query.
    When: the settings are parsed.
    Then: what leads to the API is kept.
    """
    assert script.parse_settings(PARAMS | {"url": url}, "headquarters").api_root == expected


@pytest.mark.parametrize("text", ["now", "0 minutes", "1 second ago"])
def test_the_first_fetch_may_begin_now(server: Server, remote: Remote, text: str) -> None:
    """
    Given: a first fetch that begins at this moment, and a clock that goes on while the setting is read.
    When: Test runs.
    Then: it does not take the moment for the future.
    """
    server.params["first_fetch"] = text

    with freeze_time(NOW, auto_tick_seconds=0.01):
        assert server.ok("test-module") == "ok"


@pytest.mark.parametrize("url", ["admin:word@xsoar.example.com", "ftp://admin:word@xsoar.example.com"])
def test_a_password_in_the_url_is_repeated_nowhere(server: Server, remote: Remote, url: str) -> None:
    """Given an address with a password in it; When a run fails because of it; Then neither error, log nor context hold it."""
    server.params["url"] = url

    error = server.fails("fetch-incidents")

    assert "user name" in error
    assert "word" not in error + server.context + str(server.log)


""" CLIENT """


def test_an_xsoar_6_gets_the_key_alone(server: Server, remote_6: Remote) -> None:
    """
    Given: an instance without a key ID.
    When: Test runs.
    Then: the remote gets the bare key and none of the headers of XSOAR 8.
    """
    assert server.ok("test-module") == "ok"

    assert remote_6.calls
    for call in remote_6.calls:
        assert call.headers["Authorization"] == KEY
        assert not [name for name in call.headers if name.lower().startswith("x-xdr")]


def test_an_xsoar_8_gets_the_key_and_its_id(server: Server, remote: Remote) -> None:
    """
    Given: an instance with a standard key and its ID.
    When: Test runs.
    Then: the remote gets both, unsigned.
    """
    assert server.ok("test-module") == "ok"

    for call in remote.calls:
        assert (call.headers["Authorization"], call.headers["x-xdr-auth-id"]) == (KEY, "7")
        assert "x-xdr-nonce" not in call.headers


def test_an_advanced_key_signs_each_try_anew(server: Server, remote: Remote) -> None:
    """
    Given: an advanced key and a remote that fails at the first two tries.
    When: Test runs.
    Then: each try has a nonce of its own and a signature that only the key can have made; the key itself is not sent.
    """
    server.params["advanced_api_key"] = True
    remote.advanced_key = True
    remote.fail("GET /about", status_code=502, times=2)

    assert server.ok("test-module") == "ok"

    assert [call.route for call in remote.calls] == [*["GET /about"] * 3, "POST /incidents/search"]
    nonces = [call.headers["x-xdr-nonce"] for call in remote.calls]
    assert len(set(nonces)) == 4
    for call, nonce in zip(remote.calls, nonces, strict=True):
        timestamp = call.headers["x-xdr-timestamp"]
        assert re.fullmatch(r"[A-Za-z0-9]{64}", nonce)
        assert timestamp == "1772366400000"  # NOW, in milliseconds.
        assert call.headers["Authorization"] == hashlib.sha256((KEY + nonce + timestamp).encode()).hexdigest()
        assert KEY not in str(call.headers)


V6 = {"url": HOST_6, "credentials_api_key": {"password": KEY}}
WEB_PAGE = {"text": "<html>Sign in</html>", "headers": {"Content-Type": "text/html; charset=utf-8"}}


def error_body(status: int, name: str) -> dict[str, Any]:
    """Return an answer with an error of test_data."""
    return {"status_code": status, "json": ERRORS[name]}


@pytest.mark.parametrize(
    ("changes", "answer", "words"),
    [
        pytest.param(
            V6, error_body(403, "v6_wrong_key"), ["refused the API key (403)", "API Key ID as well"], id="6.x: wrong key"
        ),
        pytest.param(V6, error_body(401, "v8_wrong_key"), ["API Key ID is missing", "enter the ID"], id="8.x: key id missing"),
        pytest.param(
            {},
            error_body(401, "v8_wrong_key"),
            ["refused the API key (401)", "API Key ID", "expired", "standard"],
            id="8.x: wrong key",
        ),
        pytest.param(
            {"advanced_api_key": True},
            error_body(401, "v8_wrong_key"),
            ["refused the API key (401)", "advanced"],
            id="8.x: advanced",
        ),
        pytest.param(
            {},
            error_body(403, "v8_no_permission"),
            ["may not do this", "(403)", "permission", "Insufficient"],
            id="no permission",
        ),
        pytest.param({}, error_body(402, "v8_no_licence"), ["may not do this", "(402)", "No license"], id="no licence"),
        pytest.param({}, {"status_code": 403, "text": ""}, ["may not do this", "(403)"], id="403 without a body"),
        pytest.param({}, WEB_PAGE, ["web page, not with the XSOAR API", "Copy API URL"], id="web page"),
        pytest.param(
            {}, WEB_PAGE | {"status_code": 404}, ["web page, not with the XSOAR API (404)", "XSOAR Server URL"], id="404 web page"
        ),
        pytest.param({}, {"text": "It works!"}, ["is not JSON", "XSOAR Server URL"], id="not JSON"),
        pytest.param(
            {},
            {"status_code": 302, "headers": {"Location": "https://sso.example.net/login"}},
            ["redirects to sso.example.net", "XSOAR Server URL"],
            id="redirect",
        ),
        pytest.param({}, {"status_code": 301}, ["redirects to another address"], id="redirect to nowhere"),
        pytest.param({}, error_body(404, "not_found"), ["/xsoar/about (404)", "Item not found"], id="no such route"),
        pytest.param({}, error_body(400, "bad_request"), ["(400)", "bad_request", "must be JSON"], id="bad request"),
        pytest.param({}, error_body(400, "several"), ["(400)", "Item not found"], id="several errors in one body"),
        pytest.param({}, {"status_code": 400, "text": "oops", "reason": "Bad Request"}, ["(400)", "Bad Request"], id="no body"),
        pytest.param({}, {"status_code": 418, "json": ["a"], "reason": "Teapot"}, ["(418)", "Teapot"], id="unknown body"),
        pytest.param({}, error_body(400, "no_investigation"), ["no such investigation", "(400)"], id="no investigation, 400"),
        pytest.param({}, error_body(403, "no_investigation"), ["no such investigation", "(403)"], id="no investigation, 403"),
        pytest.param({}, error_body(412, "closed"), ["closed", "reopen it first"], id="closed"),
        *(
            pytest.param({}, {"status_code": status, "text": "under maintenance"}, [f"({status})", "next round"], id=str(status))
            for status in (500, 502, 503, 504)
        ),
        pytest.param({}, error_body(429, "v8_rate_limit"), ["API rate limit", "(429)"], id="429"),
        pytest.param({}, {"json": ERRORS["bad_query"] | {"id": ""}}, ["unexpected token"], id="200 with an error"),
        pytest.param({}, {"json": ERRORS["bad_query"]}, ["unexpected token"], id="200 with the body of an error"),
    ],
)
def test_an_error_answer_becomes_a_sentence_with_a_remedy(
    server: Server, remote: Remote, requests_mock: Any, changes: dict[str, Any], answer: dict[str, Any], words: list[str]
) -> None:
    """
    Given: a remote that answers with an error as real ones do.
    When: Test runs.
    Then: it says what is wrong and what to do.
    """
    server.params |= changes
    remote.root = HOST_6 if changes is V6 else remote.root
    remote.fail("GET /about", times=9, **answer)

    error = server.fails("test-module")

    for word in words:
        assert word in error
    assert remote.root.split("/")[2] in error or "remote" in error


@pytest.mark.parametrize(
    ("exception", "words"),
    [
        (requests.exceptions.ConnectTimeout("x"), ["does not answer in time", "XSOAR Server URL"]),
        (requests.exceptions.ReadTimeout("x"), ["does not answer in time", "XSOAR Server URL"]),
        (requests.exceptions.SSLError("x"), ["certificate is not trusted", "Trust any certificate"]),
        (requests.exceptions.ProxyError("x"), ["proxy", "Use system proxy settings"]),
        (requests.exceptions.ConnectionError("x"), ["connection failed", "XSOAR Server URL"]),
        (requests.exceptions.ChunkedEncodingError("x"), ["connection failed"]),
        (requests.exceptions.InvalidURL("x"), ["cannot be sent", "XSOAR Server URL"]),
        (requests.exceptions.InvalidHeader("x"), ["cannot be sent", "API Key"]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
@pytest.mark.parametrize("insecure", [False, True], ids=["certificate checked", "any certificate"])
def test_a_remote_that_cannot_be_reached_is_named_with_a_remedy(
    server: Server, remote: Remote, exception: Exception, words: list[str], insecure: bool
) -> None:
    """
    Given: a remote to which no connection comes about.
    When: Test runs.
    Then: it names the remote, what is wrong and what to check.
    """
    server.params["insecure"] = insecure
    remote.fail("GET /about", exception, times=9)

    error = server.fails("test-module")

    for word in ["api-remote.example.com cannot be reached", *words]:
        assert word in error


@pytest.mark.parametrize(
    ("route", "command", "args", "permission"),
    [
        ("GET /incident/load", "xsoar-get-incident", {"id": "1"}, "view incidents and their War Rooms"),
        ("POST /incidents/search", "xsoar-search-incidents", {}, "view incidents and their War Rooms"),
        ("POST /incident$", "update-remote-system", {"remoteId": "1", "delta": {"severity": 4}}, "edit incidents"),
    ],
)
def test_a_missing_permission_is_named(
    server: Server, remote: Remote, route: str, command: str, args: dict[str, Any], permission: str
) -> None:
    """Given a key whose role may not do something; When that is asked; Then the sentence names the permission that it takes."""
    remote.add("1")
    remote.fail(route, status_code=403, json={"detail": "forbidden"}, times=9)

    assert permission in server.fails(command, **{"data": {}, "incidentChanged": True, **args} if "delta" in args else args)


def test_what_the_library_says_of_a_failure_is_not_told(server: Server, remote: Remote) -> None:
    """Given an error of the HTTP library that quotes what was sent; When it ends a run; Then key and quote are nowhere."""
    remote.fail("POST /incidents/search", requests.exceptions.ConnectionError(f"Authorization: {KEY}"), times=9)

    error = server.fails("fetch-incidents")

    assert KEY not in error + server.context + str(server.log)


def test_a_netrc_of_the_server_does_not_take_the_place_of_the_key(
    server: Server, remote: Remote, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Given a .netrc with a password for the remote's host; When the remote is asked; Then it gets the key and nothing else."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine api-remote.example.com login word password word\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    server.fetch()

    assert {call.headers["Authorization"] for call in remote.calls} == {KEY}


@pytest.mark.parametrize("last_update", ["9" * 400, "1e400", "9" * 31])
def test_a_time_without_measure_is_refused(server: Server, remote: Remote, last_update: str) -> None:
    """Given a time of hundreds of digits; When an incident is asked for from then on; Then it says what to give, and ends."""
    remote.add("9")

    assert "give an ISO time or an epoch" in server.fails("get-remote-data", id="9", lastUpdate=last_update)


def test_a_redirect_is_not_followed_and_the_key_stays_here(server: Server, remote: Remote, requests_mock: Any) -> None:
    """
    Given: a remote that redirects to another host.
    When: a fetch runs.
    Then: that host is asked nothing, so it never sees the key.
    """
    requests_mock.post("https://elsewhere.example.net/incidents/search", json={"data": None, "total": 0})
    elsewhere = {"Location": "https://elsewhere.example.net/incidents/search"}
    remote.fail("POST /incidents/search", status_code=307, headers=elsewhere, times=9)

    error = server.fails("fetch-incidents")

    assert "redirects to elsewhere.example.net" in error
    asked = {request.url for request in requests_mock.request_history}
    assert asked == {f"{HOST_8}/xsoar/about", f"{HOST_8}/xsoar/incidents/search"}


FAULTS = [
    pytest.param({"status_code": 500}, id="500"),
    pytest.param({"status_code": 502}, id="502"),
    pytest.param({"status_code": 503}, id="503"),
    pytest.param({"status_code": 504}, id="504"),
    pytest.param({"answer": requests.exceptions.ConnectionError("reset by peer")}, id="connection reset"),
    pytest.param({"answer": requests.exceptions.ReadTimeout("slow")}, id="timeout"),
    pytest.param({"answer": requests.exceptions.ChunkedEncodingError("cut")}, id="answer cut off"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_reading_is_repeated_after_a_fault(server: Server, remote: Remote, naps: list[float], fault: dict[str, Any]) -> None:
    """
    Given: a remote that is busy or breaks the connection twice.
    When: a fetch reads from it.
    Then: the third try brings the incident, after pauses that grow.
    """
    remote.add()
    remote.fail("POST /incidents/search", times=2, **fault)

    assert ids(server.fetch()) == ["1"]

    assert len(remote.asked("POST /incidents/search")) == 3
    assert len(naps) == 2
    assert 0 < naps[0] < naps[1]


def test_reading_is_given_up_after_three_tries(server: Server, remote: Remote) -> None:
    """
    Given: a remote that is busy for long.
    When: a fetch reads from it.
    Then: it gives up after three tries and says so.
    """
    remote.fail("POST /incidents/search", status_code=503, times=9)

    assert "not able to answer for now (503)" in server.fails("fetch-incidents")

    assert [call.route for call in remote.calls].count("POST /incidents/search") == 3


def test_calls_run_side_by_side_up_to_their_number_and_keep_their_order() -> None:
    """
    Given: twelve calls, of which three may run at once, and each of which waits until three are under way.
    When: they are made.
    Then: they come to their end, in the order in which they were asked for, and never more than three at once.
    """
    three = threading.Barrier(3, timeout=30)
    under_way: list[int] = []
    most = []

    def work(number: int) -> int:
        under_way.append(number)
        most.append(len(under_way))
        three.wait()
        under_way.remove(number)
        three.wait()
        return number

    with script.Calls(3) as calls:
        started = [calls.start(work, number) for number in range(12)]

        assert [call.result() for call in started] == list(range(12))
    assert max(most) == 3


def test_a_call_that_fails_ends_those_that_have_not_begun() -> None:
    """
    Given: three calls at once, the second of which fails while many wait.
    When: they are made.
    Then: those under way come to their end, none of the others begins, and each says why.
    """
    both = threading.Barrier(2, timeout=30)
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        both.wait()
        if number == 1:
            raise script.RemoteError(script.UNREACHABLE, "it is away")
        return number

    with script.Calls(2) as calls:
        started = [calls.start(work, number) for number in range(40)]
        outcomes = [call.exception() or call.result() for call in started]

    assert outcomes[0] == 0
    # Another pair may have begun before the failure was known.
    assert begun in ([0, 1], [1, 0], [0, 1, 2, 3], [1, 0, 2, 3])
    assert {str(outcome) for outcome in outcomes[4:]} == {"it is away"}


def test_no_call_begins_while_the_remote_wants_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: two calls side by side, the first of which meets the rate limit and has to wait for five seconds.
    When: it waits.
    Then: the other does not begin until the pause is over.
    """
    told: list[str] = []
    pausing, other_may_end = threading.Event(), threading.Event()

    def pause(seconds: float) -> None:
        told.append(f"pause of {seconds:.0f}")
        pausing.set()
        other_may_end.wait(0.2)
        told.append("pause is over")

    def call_once(client: Any, method: str, route: str, use: Any, **request: Any) -> str:
        told.append(route)
        if told.count("first") == 1 and route == "first":
            raise script.RemoteError(script.RATE_LIMIT, "API rate limit", 5.0)
        if route == "second":
            other_may_end.set()
        return route

    monkeypatch.setattr(script.Client, "_call_once", call_once)
    client = script.Client(script.parse_settings(PARAMS, "headquarters"), pause)

    def second() -> str:
        assert pausing.wait(30)
        return client._call("GET", "second", True, str)

    with script.Calls(2) as calls:
        both = [calls.start(client._call, "GET", "first", True, str), calls.start(second)]

        assert [call.result() for call in both] == ["first", "second"]
    assert told[:3] == ["first", "pause of 5", "pause is over"]
    assert sorted(told[3:]) == ["first", "second"]


@pytest.mark.parametrize("is_told", [True, False], ids=["its size is told", "its size is not told"])
def test_a_file_that_is_too_large_comes_as_a_note(
    server: Server, remote: Remote, monkeypatch: pytest.MonkeyPatch, clock: Any, is_told: bool
) -> None:
    """
    Given: an incident with a small and a large attachment, and then a large and a small file in its War Room.
    When: it is fetched and pulled.
    Then: the small ones come; for each large one a note with its name and where it is; and all of that once.
    """
    monkeypatch.setattr(script, "LARGEST_FILE", 1 << 20)
    large, metadata = b"x" * (1 << 20) + b"x", {"size": (1 << 20) + 1} if is_told else {}
    remote.add("1")
    attach(remote, "1", "small.txt", b"small")
    attach(remote, "1", "dump.bin", large)
    for entry in remote.entries["1"]:
        if entry["file"] == "dump.bin":
            entry["fileMetadata"] = metadata
    (fetched,) = server.fetch()
    clock.tick(timedelta(minutes=1))
    remote.write_file("1", "memory.raw", large, fileMetadata=metadata)
    remote.write_file("1", "notes.txt", b"notes")

    entries = server.pull("1")[1]

    assert [attachment["name"] for attachment in fetched["attachment"]] == ["small.txt", "dump.bin (too large).txt"]
    note = Path(fetched["attachment"][1]["path"]).name
    assert [entry.get("File") for entry in entries] == [None, "notes.txt"]
    assert "memory.raw is larger than 1 MiB" in entries[0]["Contents"]
    assert "/Details/1" in entries[0]["Contents"]
    assert any("dump.bin is larger than 1 MiB" in path.read_text() for path in Path().glob(f"*{note}"))
    assert server.pull("1")[1] == []
    assert len(remote.asked("GET /entry/download")) == (2 if is_told else 4)


@contextmanager
def late_after(questions: int) -> Iterator[None]:
    """Let it be late once it was asked so many times whether it is."""
    asked = itertools.count()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script.Client, "is_late", lambda self: next(asked) >= questions)
        yield


@pytest.mark.parametrize("questions", range(10))
def test_a_fetch_that_takes_long_goes_on_in_the_next(server: Server, remote: Remote, questions: int) -> None:
    """
    Given: five incidents with a file each, on pages of two, and a remote so slow that a fetch gets late somewhere.
    When: fetches run, the later ones in time.
    Then: the first brings what it has whole, at least one, and in the end each incident is here once, with its file.
    """
    remote.search_limit = 2
    for number in range(1, 6):
        remote.add(str(number))
        attach(remote, str(number), f"{number}.txt", b"bytes")

    with late_after(questions):
        first = server.fetch()
    rest = [*server.fetch(), *server.fetch()]

    assert len(first) >= 1
    assert ids([*first, *rest]) == ["1", "2", "3", "4", "5"]
    # An incident whose own files take a whole run is not held back for ever.
    assert all(incident.get("attachment") for incident in [*first[1:], *rest])


@pytest.mark.parametrize("questions", range(4))
def test_a_pull_that_takes_long_goes_on_in_the_next_round(server: Server, remote: Remote, mirrored: str, questions: int) -> None:
    """
    Given: three files and a text, and a remote so slow that a pull gets late among the files.
    When: rounds run, the later one in time.
    Then: the text and the files that were had come at once, the rest in the next round, each once.
    """
    for number in range(3):
        remote.write_file(mirrored, f"{number}.txt", b"bytes")
    remote.write(mirrored, "the text")

    with late_after(questions):
        first = server.pull(mirrored)[1]

    assert len(first) == 1 + questions
    assert mirrored in modified(server)
    second = server.pull(mirrored)[1]
    names = sorted(entry["File"] for entry in [*first, *second] if entry.get("File"))
    assert names == ["0.txt", "1.txt", "2.txt"]
    assert server.pull(mirrored)[1] == []


def test_sending_that_takes_long_goes_on_in_the_next_round(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: four entries to send, and a remote so slow that time runs out after two.
    When: the server sends them, and again what failed.
    Then: it is told that some are left, and in the end each is there once, in its order.
    """
    entries = [local_entry(number, f"text {number}") for number in range(4)]

    with late_after(2):
        error = push(server, mirrored, entries=entries).error
    pushed(server, mirrored, entries=entries)

    assert "the next round goes on with them" in error
    assert [entry["contents"].rpartition("\n")[2] for entry in remote.entries[mirrored]] == [f"text {n}" for n in range(4)]


def test_tries_that_take_long_are_not_repeated_for_ever(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: a remote that takes a minute to fail, whatever it is asked.
    When: a command asks for several things.
    Then: it ends within a few minutes, as the server allows no more than five.
    """
    started = time.monotonic()

    class Slow(requests.exceptions.ReadTimeout):
        def __init__(self) -> None:
            clock.tick(timedelta(seconds=60))
            super().__init__()

    for route in ("GET /incident/load", "POST /incidents/search", "GET /about"):
        remote.faults.append(Fault(route, Slow, times=99, after=False, skip=0))

    assert "cannot be reached" in server.fails("get-remote-data", id="1", lastUpdate=LAST_UPDATE)
    assert time.monotonic() - started <= 180


@pytest.mark.parametrize("fault", FAULTS)
def test_writing_is_not_repeated_when_it_may_have_happened(
    server: Server, remote: Remote, mirrored: str, fault: dict[str, Any]
) -> None:
    """
    Given: a remote that fails at a write, so that nobody knows whether it was done.
    When: an entry is sent.
    Then: it is tried once, and the server sees the failure.
    """
    remote.fail("POST /entry/formatted", **fault)

    assert push(server, mirrored, entries=[local_entry(1, "once")]).error

    assert len(remote.asked("POST /entry")) == 1


@pytest.mark.parametrize(
    ("retry_after", "pause"), [(None, 0.5), ("4", 4.0), ("Wed, 01 Mar 2026 12:00:09 GMT", 0.5), ("-5", 0.5), ("0", 0.5)]
)
@pytest.mark.parametrize("route", ["GET /incident/load", "POST /entry/formatted"], ids=["read", "write"])
def test_what_the_rate_limit_refused_is_tried_again_after_the_pause_it_asks_for(
    server: Server, remote: Remote, mirrored: str, naps: list[float], route: str, retry_after: str | None, pause: float
) -> None:
    """
    Given: a remote that refuses a call for its rate, so that nothing was done, with or without saying how long to wait.
    When: an entry is sent.
    Then: it arrives once, after that pause.
    """
    headers = {"Retry-After": retry_after} if retry_after else {}
    remote.fail(route, status_code=429, json=ERRORS["v8_rate_limit"], headers=headers)

    pushed(server, mirrored, entries=[local_entry(1, "once")])

    assert contents([{"Contents": entry["contents"]} for entry in remote.entries[mirrored]]) == ["once"]
    (nap,) = naps
    assert pause <= nap <= pause + 0.25


def test_a_long_rate_limit_is_left_to_the_next_round(server: Server, remote: Remote, naps: list[float]) -> None:
    """
    Given: a remote that asks for a pause of a minute.
    When: a fetch runs.
    Then: it ends at once, with the words that the server knows.
    """
    remote.fail("POST /incidents/search", status_code=429, headers={"Retry-After": "60"})

    assert "API rate limit" in server.fails("fetch-incidents")

    assert ([call.route for call in remote.calls].count("POST /incidents/search"), naps) == (1, [])


@pytest.mark.parametrize("date", ["", "yesterday", None])
def test_a_remote_without_a_clock_in_its_headers_is_mirrored_all_the_same(
    server: Server, remote: Remote, requests_mock: Any, date: str | None
) -> None:
    """
    Given: a remote whose answers carry no usable Date header.
    When: an incident is fetched and an entry written a minute later.
    Then: the entry comes in, and the one from before the fetch does not.
    """
    requests_mock.add_matcher(lambda request: without_date(remote, request, date))
    incident_id = remote.add()["id"]
    remote.write(incident_id, "before")
    remote.clock.tick(timedelta(minutes=1))
    server.fetch()
    remote.clock.tick(timedelta(minutes=1))
    remote.write(incident_id, "after")

    assert contents(server.pull(incident_id)[1]) == ["after"]


def without_date(remote: Remote, request: Any, date: str | None) -> requests.Response:
    """Return the remote's answer with another Date header, or none."""
    response = remote(request)
    response.headers.pop("Date")
    if date is not None:
        response.headers["Date"] = date
    return response


""" TIMES AND IDS """


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        pytest.param("2023-03-05T10:06:48.446441591Z", 1_678_010_808_446_441_591, id="9 digits"),
        pytest.param("2024-02-21T09:28:52.38Z", 1_708_507_732_380_000_000, id="trimmed milliseconds"),
        pytest.param("2024-02-21T09:28:15Z", 1_708_507_695_000_000_000, id="no fraction"),
        pytest.param("2024-02-21T12:28:15.3+03:00", 1_708_507_695_300_000_000, id="offset"),
        pytest.param("2024-02-21T04:58:15-0430", 1_708_507_695_000_000_000, id="offset without a colon"),
        pytest.param("2024-02-21t09:28:15z", 1_708_507_695_000_000_000, id="small letters"),
        pytest.param(" 2024-02-21 09:28:15 ", 1_708_507_695_000_000_000, id="no zone"),
        pytest.param("1970-01-01T00:00:00.000000001Z", 1, id="the smallest"),
        pytest.param("1969-12-31T23:59:59.9Z", -100_000_000, id="before 1970"),
        pytest.param("2024-02-21T09:28:15.1234567899Z", 1_708_507_695_123_456_789, id="10 digits"),
        pytest.param("0001-01-01T00:00:00Z", -62_135_596_800_000_000_000, id="year 1, the zero time"),
    ],
)
def test_times_of_the_remote_are_read_to_the_nanosecond(text: str, nanoseconds: int) -> None:
    """
    Given: a time as XSOAR 6 or 8 gives it.
    When: it is read.
    Then: no digit of it is lost, and the offset counts.
    """
    assert script.parse_ns(text) == nanoseconds


@pytest.mark.parametrize("text", ["", None, "yesterday", "2024-02-21", "2024-02-30T00:00:00Z", "2024-02-21T25:00:00Z", 5, "5"])
def test_what_is_no_time_is_refused(text: Any) -> None:
    """
    Given: something that is no time.
    When: it is read.
    Then: it is refused, not taken for some time.
    """
    with pytest.raises(ValueError):
        script.parse_ns(text)


@pytest.mark.parametrize("text", ["2023-03-05T10:06:48.446Z", "2024-02-21T09:28:52.380Z", "1970-01-01T00:00:00.000Z"])
def test_a_time_goes_to_the_remote_as_it_came(text: str) -> None:
    """
    Given: a time in milliseconds.
    When: it is read and written again.
    Then: it is the same.
    """
    assert script.iso(script.parse_ms(text, 0)) == text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/etc/cron.d/x", "x"),
        ("..", "file"),
        (".", "file"),
        ("", "file"),
        (None, "file"),
        ("folder/", "file"),
        ("a\x00b\r\nc.txt", "abc.txt"),
        (".profile", ".profile"),
        ("Überblick 報告.pdf", "Überblick 報告.pdf"),
    ],
)
def test_a_file_name_stays_a_name(name: Any, expected: str) -> None:
    """
    Given: a file name that a stranger chose.
    When: it is made safe.
    Then: it names no folder and holds nothing that a file system minds.
    """
    assert script.safe_file_name(name) == expected


@pytest.mark.parametrize("name", ["a" * 400 + ".pdf", "報" * 400 + ".pdf", "a." + "b" * 400, "報" * 400])
def test_a_long_file_name_is_cut_and_keeps_its_suffix(name: str) -> None:
    """
    Given: a name longer than file systems take.
    When: it is made safe.
    Then: it fits, and a suffix of usual length is still there.
    """
    safe = script.safe_file_name(name)

    assert 100 < len(safe.encode()) <= 200
    assert safe.endswith(".pdf") == name.endswith(".pdf")


""" FETCH """


def test_fetch_asks_for_the_incidents_after_the_start_oldest_first(server: Server, remote: Remote) -> None:
    """
    Given: a query of the user that holds an `or`, and a first fetch three days back.
    When: the first fetch runs.
    Then: the query keeps its meaning beside ours, and the time goes beside it, not into it.
    """
    server.params |= {"query": "type:Phishing or severity:>2", "max_fetch": "20"}

    server.fetch()

    assert remote.bodies("POST /incidents/search") == [
        {
            "filter": {
                "query": '(type:Phishing or severity:>2) and -sourceBrand:"XSOAR Mirroring"',
                "size": 20,
                "page": 0,
                "sort": [{"field": "created", "asc": True}, {"field": "id", "asc": True}],
                "fromDate": "2026-02-26T12:00:00.000Z",
            }
        }
    ]


@pytest.mark.parametrize(
    ("query", "skip_own", "expected"),
    [
        ("", True, '-sourceBrand:"XSOAR Mirroring"'),
        ("", False, ""),
        ("-status:closed", False, "(-status:closed)"),
        ("a:1 or b:2", False, "(a:1 or b:2)"),
    ],
)
def test_the_query_leaves_out_what_this_integration_created_only_where_wanted(
    server: Server, remote: Remote, query: str, skip_own: bool, expected: str
) -> None:
    """
    Given: a query or none, and the switch against incidents of this integration on or off.
    When: a fetch runs.
    Then: the remote gets exactly what both say.
    """
    server.params |= {"query": query, "disable_from_same_integration": skip_own}

    server.fetch()

    assert remote.bodies("POST /incidents/search")[0]["filter"]["query"] == expected


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("12 hours", "2026-03-01T00:00:00.000Z"),
        ("2026-02-01T10:20:30Z", "2026-02-01T10:20:30.000Z"),
        ("2026-02-01T10:20:30+02:00", "2026-02-01T08:20:30.000Z"),
        ("2026-02-01", "2026-02-01T00:00:00.000Z"),
        ("", "2026-02-26T12:00:00.000Z"),
    ],
)
def test_the_first_fetch_begins_where_the_setting_says(server: Server, remote: Remote, text: str, since: str) -> None:
    """
    Given: a relative or an ISO time, with or without an offset; without one it is UTC.
    When: the first fetch runs.
    Then: it asks from then on.
    """
    server.params["first_fetch"] = text

    server.fetch()

    assert remote.bodies("POST /incidents/search")[0]["filter"]["fromDate"] == since


def test_a_fetched_incident_carries_the_remote_one_and_the_mirror_fields(
    server: Server, remote_6: Remote, requests_mock: Any
) -> None:
    """
    Given: the captured incident 4 of a real XSOAR 6.
    When: it is fetched.
    Then: the local incident has its fields; the mirror fields stand in it and in rawJSON, where the mapper finds the rest.
    """
    captured = load("incident_search")
    server.params["first_fetch"] = "2023-01-01T00:00:00Z"
    requests_mock.post(f"{HOST_6}/incidents/search", json={"data": [captured], "total": 1})

    (incident,) = server.fetch()

    raw = json.loads(incident.pop("rawJSON"))
    mirror = {
        "dbotMirrorId": "4",
        "dbotMirrorInstance": "headquarters",
        "dbotMirrorDirection": "Both",
        "dbotMirrorTags": ["send"],
    }
    assert drop(incident, "CustomFields") == {
        "name": "testing",
        "type": "Unclassified",
        "severity": 0,
        "owner": "admin",
        "details": "This is the new details",
        "occurred": "2023-03-05T10:06:48.446441435Z",
        "dueDate": "2023-03-15T10:06:48.446441591Z",
        "playbookId": "playbook0",
        **mirror,
    }
    assert incident["CustomFields"]["isactive"] == "true"
    assert {key: raw[key] for key in mirror} == mirror
    theirs = {key: value for key, value in captured.items() if not key.startswith("dbot") and key != "CustomFields"}
    assert {key: raw[key] for key in theirs} == theirs
    assert raw["isactive"] == "true"  # Also at the top, where a mapper finds it by its name.


def test_a_fetched_incident_starts_no_timer_of_the_remote(server: Server, remote: Remote) -> None:
    """
    Given: an incident with SLA timers among its custom fields. XSOAR REST API: they must not be copied across tenants.
    When: it is fetched.
    Then: the local incident and its rawJSON have the custom fields without the timers.
    """
    remote.add()

    (incident,) = server.fetch()

    assert incident["CustomFields"]["isactive"] == "true"
    for fields in (incident["CustomFields"], json.loads(incident["rawJSON"])["CustomFields"]):
        assert not [name for name in fields if name.endswith("sla") or name == "timetoassignment"]


@pytest.mark.parametrize(("direction", "short"), [("Incoming", "In"), ("Outgoing", "Out"), ("Incoming And Outgoing", "Both")])
def test_a_fetched_incident_is_mirrored_in_the_chosen_direction(
    server: Server, remote: Remote, direction: str, short: str
) -> None:
    """
    Given: a direction.
    When: an incident is fetched.
    Then: it and its rawJSON carry that direction.
    """
    server.params["mirror_direction"] = direction
    remote.add()

    (incident,) = server.fetch()

    assert incident["dbotMirrorDirection"] == json.loads(incident["rawJSON"])["dbotMirrorDirection"] == short


def test_without_a_direction_an_incident_is_fetched_and_not_mirrored(server: Server, remote: Remote) -> None:
    """
    Given: the direction None.
    When: an incident is fetched.
    Then: neither it nor its rawJSON names an instance, a direction or tags, and nothing is remembered of it.
    """
    server.params["mirror_direction"] = "None"
    remote.add()

    (incident,) = server.fetch()

    for fields in (incident, json.loads(incident["rawJSON"])):
        assert fields["dbotMirrorId"] == "1"
        assert not [name for name in fields if name.startswith("dbotMirror") and name != "dbotMirrorId"]
    assert server.memory()[2] == {}


def test_the_remote_s_own_mirror_fields_do_not_leak(server: Server, remote: Remote) -> None:
    """
    Given: a remote incident that the remote itself mirrors with a third tenant.
    When: it is fetched.
    Then: nothing of that is in the local incident or its rawJSON.
    """
    theirs: dict[str, Any] = {
        "dbotMirrorId": "999",
        "dbotMirrorInstance": "third-tenant",
        "dbotMirrorDirection": "In",
        "dbotMirrorTags": ["third-tag"],
        "dbotDirtyFields": ["third-field"],
    }
    remote.add(**theirs)

    (incident,) = server.fetch()

    assert "999" not in json.dumps(incident)
    assert "third-" not in json.dumps(incident)
    assert not {"dbotDirtyFields", "dbotMirrorLastSync", "dbotCreatedBy"} & set(json.loads(incident["rawJSON"]))


@pytest.mark.parametrize(("switch", "kept"), [(True, True), ("false", False), (False, False)])
def test_the_playbook_comes_along_only_where_wanted(server: Server, remote: Remote, switch: Any, kept: bool) -> None:
    """
    Given: the switch Mirror Playbook ID, on or off.
    When: an incident is fetched, and pulled later.
    Then: the playbook is in the incident and its rawJSON only when it is on; a round does not bring it in afterwards either.
    """
    server.params["mirror_playbook_id"] = switch
    remote.add()

    (incident,) = server.fetch()
    remote.change("1", details="new")
    pulled, _ = server.pull("1")

    assert ("playbookId" in incident) is kept
    assert ("playbook0" in incident["rawJSON"]) is kept
    assert kept or "playbookId" not in pulled


@pytest.mark.parametrize("fields", [{"name": ""}, {"name": None}], ids=["blank", "null"])
def test_an_incident_without_a_name_gets_one(server: Server, remote: Remote, fields: dict[str, Any]) -> None:
    """
    Given: a remote incident with no name and null lists. The server needs a name.
    When: it is fetched.
    Then: the local one has a name.
    """
    remote.add(**fields, CustomFields=None, labels=None)

    (incident,) = server.fetch()

    assert incident["name"] == "Incident 1"
    assert incident["CustomFields"] == {}


@pytest.mark.parametrize("answer", [{"data": None, "total": 0}, {"data": [], "total": 0}, {}], ids=["null", "list", "empty"])
def test_a_fetch_that_finds_nothing_keeps_its_place(server: Server, remote: Remote, answer: dict[str, Any]) -> None:
    """
    Given: a remote where nothing matches, and says so in one of its ways.
    When: fetches run, and an incident that was created before them turns up late in the search index.
    Then: no incidents come, and then that one does.
    """
    for _ in range(3):
        remote.fail("POST /incidents/search", json=answer)
        assert server.fetch() == []
        remote.clock.tick(timedelta(minutes=10))
    remote.add(created="2026-03-01T11:00:00Z")

    assert ids(server.fetch()) == ["1"]


def test_the_next_fetch_goes_on_behind_the_last(server: Server, remote: Remote) -> None:
    """
    Given: incidents that were fetched, and one more since.
    When: fetches run.
    Then: each comes once, and the last run holds only texts, as the platform wants it.
    """
    remote.add()
    remote.add()
    assert ids(server.fetch()) == ["1", "2"]
    assert server.last_run
    assert {type(value) for value in server.last_run.values()} == {str}
    remote.clock.tick(timedelta(minutes=1))
    remote.add()

    assert ids(server.fetch()) == ["3"]
    assert server.fetch() == []


TIMES_OF_ONE_INSTANT = {
    "milliseconds": ["2026-03-01T10:00:00.38Z"],
    "nanoseconds": [f"2026-03-01T10:00:00.38{digits}Z" for digits in ("0000001", "0000002", "9999999", "1")],
    "offsets": ["2026-03-01T10:00:00.380Z", "2026-03-01T12:00:00.38+02:00", "2026-03-01T05:30:00.380000-04:30"],
}


@pytest.mark.parametrize("times", TIMES_OF_ONE_INSTANT.values(), ids=TIMES_OF_ONE_INSTANT)
@pytest.mark.parametrize("look_back", ["0", "5"])
@pytest.mark.parametrize("search_limit", [1000, 70], ids=["one page", "small pages"])
def test_a_burst_at_one_instant_comes_whole_and_once(
    server: Server, remote: Remote, times: list[str], look_back: str, search_limit: int
) -> None:
    """
    Given: 450 incidents created at one instant, and at most 100 a fetch.
    When: six fetches run.
    Then: the first five bring all of them, each once, and the sixth none.
    """
    server.params |= {"max_fetch": "100", "look_back": look_back}
    remote.search_limit = search_limit
    for number in range(450):
        remote.add(str(number + 1), created=times[number % len(times)], CustomFields={})

    runs = [ids(server.fetch()) for _ in range(6)]

    assert [len(run) for run in runs] == [100, 100, 100, 100, 50, 0]
    assert sorted(incident_id for run in runs for incident_id in run) == sorted(remote.incidents)


@pytest.mark.parametrize("spread", [0, 1, 7], ids=["one instant", "a millisecond apart", "7 ms apart"])
def test_a_fetch_reads_on_when_the_remote_gives_smaller_pages(server: Server, remote: Remote, spread: int) -> None:
    """
    Given: a remote that gives at most 40 incidents a page, however many are asked for, and 95 new incidents.
    When: a fetch of up to 100 runs.
    Then: it brings all 95, the oldest first.
    """
    remote.search_limit = 40
    start = datetime.fromisoformat("2026-03-01T10:00:00+00:00")
    for number in range(95):
        created = start + timedelta(milliseconds=spread * number)
        remote.add(str(number + 1), created=created.isoformat(timespec="milliseconds"))

    assert ids(server.fetch()) == [str(number + 1) for number in range(95)]


def test_no_fetch_brings_more_than_the_maximum(server: Server, remote: Remote) -> None:
    """
    Given: more new incidents than one fetch may bring.
    When: fetches run.
    Then: each brings the oldest that are left, at most the maximum.
    """
    server.params["max_fetch"] = "2"
    for _ in range(5):
        remote.add()

    assert [ids(server.fetch()) for _ in range(4)] == [["1", "2"], ["3", "4"], ["5"], []]


def test_an_incident_indexed_late_inside_the_look_back_comes_once(server: Server, remote: Remote) -> None:
    """
    Given: an incident that the search index shows only after a younger one was fetched.
    When: it appears inside the look-back.
    Then: it is fetched once, and the younger one not again.
    """
    remote.add("1", created="2026-03-01T11:56:00Z")
    remote.add("2", created="2026-03-01T11:59:00Z")
    remote.hidden = {"1"}
    assert ids(server.fetch()) == ["2"]
    remote.hidden = set()

    assert [ids(server.fetch()) for _ in range(3)] == [["1"], [], []]


def test_a_larger_look_back_brings_nothing_twice(server: Server, remote: Remote) -> None:
    """
    Given: incidents of the last two hours, fetched with a look-back of five minutes.
    When: the look-back is set to a day.
    Then: none comes again; a late one inside the time that is remembered still does.
    """
    for hour, minute in ((10, 5), (10, 50), (11, 20), (11, 57), (11, 59)):
        remote.add(created=f"2026-03-01T{hour}:{minute:02d}:00.12Z")
    assert len(server.fetch()) == 5
    server.params["look_back"] = "1440"
    assert server.fetch() == []
    remote.add("9", created="2026-03-01T11:58:00Z")

    assert [ids(server.fetch()) for _ in range(2)] == [["9"], []]


def test_what_is_remembered_of_a_fetch_is_a_day(server: Server, remote: Remote) -> None:
    """
    Given: incidents over five days.
    When: they are fetched.
    Then: the last run names those of the last day: the ones that would be met again if the remote's clock were put back.
    """
    for number in range(60):
        remote.add(str(number + 1), created=f"2026-02-{24 + number // 12:02d}T{number % 12 * 2:02d}:00:00Z")
    server.params["first_fetch"] = "10 days"
    server.fetch()

    assert sorted(json.loads(server.last_run["known"]), key=int) == [str(number) for number in range(48, 61)]


@pytest.mark.parametrize(("look_back_minutes", "kept"), [(0, 2000), (10, 2000), (50, 3001)])
def test_what_is_remembered_of_many_incidents_is_bounded(look_back_minutes: int, kept: int) -> None:
    """
    Given: an incident a second for more than an hour, and a look-back.
    When: they were fetched.
    Then: the newest 2,000 are remembered, or all of the look-back if that is more.
    """
    minute = script.MINUTE_MS
    delivered = {str(number): number * 1000 for number in range(5000)}

    bookmark = script.Bookmark(0, 0).advance(delivered, look_back_minutes * minute, 10**12, script.KEPT_KNOWN_MS)

    assert len(bookmark.known) == kept
    assert bookmark.time_ms == 4999 * 1000
    assert bookmark.since_ms == min(bookmark.known.values())


@pytest.mark.parametrize("fault", [{"status_code": 400, "json": ERRORS["bad_query"]}, *[p.values[0] for p in FAULTS[-3:]]])
def test_a_failure_at_the_second_page_saves_nothing(server: Server, remote: Remote, fault: dict[str, Any]) -> None:
    """
    Given: a remote that gives its first page and then fails.
    When: a fetch runs.
    Then: it fails, no incident is made, nothing is kept, and the next fetch brings all of it.
    """
    remote.search_limit = 3
    for _ in range(5):
        remote.add()
    before = server.memory()
    remote.fail("POST /incidents/search", skip=1, times=9, **fault)

    outcome = server.run("fetch-incidents")

    assert outcome.error
    assert outcome.incidents == []
    assert server.memory() == before
    remote.faults.clear()
    assert ids(server.fetch()) == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    "last_run",
    [
        {"time": "garbage", "since": "2026-03-01T00:00:00Z", "known": "{}"},
        {"time": "2026-03-01T00:00:00Z"},
        {"time": "2026-03-01T00:00:00Z", "since": "2026-03-01T00:00:00Z", "known": "{"},
        {"time": "2026-03-01T00:00:00Z", "since": "2026-03-01T00:00:00Z", "known": "[1]"},
        {"time": "2026-03-01T00:00:00Z", "since": "2026-03-01T00:00:00Z", "known": {"1": 2}},
        {"time": "2026-03-01T00:00:00Z", "since": "2026-03-01T00:00:00Z", "known": '{"1": "x"}'},
    ],
    ids=["no time", "parts missing", "no JSON", "a list", "not packed", "no number"],
)
def test_a_damaged_last_run_is_said_and_not_begun_anew(server: Server, remote: Remote, last_run: dict[str, Any]) -> None:
    """
    Given: a last run that cannot be read.
    When: a fetch runs.
    Then: it says how to reset it, instead of bringing everything again by itself.
    """
    remote.add()
    server.last_run = last_run

    error = server.fails("fetch-incidents")

    assert "The last run cannot be read" in error
    assert "Reset the last run timestamp" in error
    assert remote.calls == []


@pytest.mark.parametrize("created", [None, "", "garbage"])
def test_an_incident_without_a_readable_time_comes_once(server: Server, remote: Remote, requests_mock: Any, created: Any) -> None:
    """
    Given: an incident whose creation time is missing or unreadable.
    When: fetches run.
    Then: it is fetched, once.
    """
    incident = {"id": "8", "name": "odd", "created": created, "modified": NOW, "status": 1}
    requests_mock.post(f"{HOST_8}/xsoar/incidents/search", json={"data": [incident], "total": 1})

    assert [ids(server.fetch()) for _ in range(2)] == [["8"], []]


""" FETCH: ATTACHMENTS """


def attach(remote: Remote, incident_id: str, name: str, content: bytes, **changes: Any) -> dict[str, Any]:
    """Attach a file to a remote incident, which also puts it into its War Room; return that entry."""
    entry = remote.write_file(incident_id, name, content, tags=None)
    attachment = {"name": name, "path": entry["fileID"], "type": "", "description": "", "showMediaFile": False, **changes}
    incident = remote.incidents[incident_id]
    incident["attachment"] = [*(incident["attachment"] or []), attachment]
    return entry


def attached(server: Server, incident: dict[str, Any]) -> list[tuple[str, bytes]]:
    """Return names and contents of the attachments of a fetched incident."""
    return [(item["name"], server.content(item["path"])) for item in incident.get("attachment", [])]


def test_all_attachments_come_along_byte_for_byte(server: Server, remote: Remote) -> None:
    """
    Given: an incident with files, two of them of one name, and an entry with a file that is no attachment.
    When: it is fetched.
    Then: each attachment is there with its own bytes, and the other file is not.
    """
    incident_id = remote.add()["id"]
    binary = bytes(range(256)) * 5000
    attach(remote, incident_id, "mail.eml", b"first")
    remote.write_file(incident_id, "mail.eml", b"written later", tags=None)
    attach(remote, incident_id, "mail.eml", b"second")
    attach(remote, incident_id, "Überblick.bin", binary)
    attach(remote, incident_id, "empty.txt", b"")

    (incident,) = server.fetch()

    assert attached(server, incident) == [
        ("mail.eml", b"first"),
        ("mail.eml", b"second"),
        ("Überblick.bin", binary),
        ("empty.txt", b""),
    ]
    assert len({item["path"] for item in incident["attachment"]}) == 4
    assert remote.bodies("POST /investigation/1") == [{"categories": ["attachments"], "pageSize": 1000}]


def test_attachments_are_found_by_name_where_the_server_s_file_name_differs(server: Server, remote: Remote) -> None:
    """
    Given: two attachments of one name, whose paths match no entry.
    When: the incident is fetched.
    Then: both come, each entry once.
    """
    incident_id = remote.add()["id"]
    attach(remote, incident_id, "a.txt", b"one", path="")
    attach(remote, incident_id, "a.txt", b"two", path="elsewhere")

    (incident,) = server.fetch()

    assert attached(server, incident) == [("a.txt", b"one"), ("a.txt", b"two")]


def test_more_attachments_than_a_page_of_entries_holds_come_all(server: Server, remote: Remote) -> None:
    """
    Given: an incident with 60 attachments at a remote that gives 50 entries a page.
    When: it is fetched.
    Then: all 60 come.
    """
    incident_id = remote.add()["id"]
    remote.entry_limit = 50
    for number in range(60):
        attach(remote, incident_id, f"{number}.txt", str(number).encode())

    (incident,) = server.fetch()

    assert attached(server, incident) == [(f"{number}.txt", str(number).encode()) for number in range(60)]


@pytest.mark.parametrize("name", ["../../escaped.txt", "/escaped.txt", "..\\escaped.txt", "....//escaped.txt"])
def test_no_attachment_leaves_the_working_folder(server: Server, remote: Remote, tmp_path: Path, name: str) -> None:
    """
    Given: an attachment whose name points out of the folder.
    When: the incident is fetched.
    Then: the file is in the folder, under a plain name.
    """
    incident_id = remote.add()["id"]
    attach(remote, incident_id, name, b"hostile")

    (incident,) = server.fetch()

    assert attached(server, incident) == [("escaped.txt", b"hostile")]
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"hostile"]
    assert not (tmp_path.parent / "escaped.txt").exists()


@pytest.mark.parametrize("missing", ["entry", "download"])
def test_an_attachment_that_cannot_be_had_costs_a_warning(server: Server, remote: Remote, tmp_path: Path, missing: str) -> None:
    """
    Given: an incident with three attachments, the second of which has no entry, or an entry whose file is gone.
    When: it is fetched.
    Then: it comes with the two others, the log names the incident, no remains are left, and a next fetch does not repeat it.
    """
    incident_id = remote.add()["id"]
    attach(remote, incident_id, "a.txt", b"a")
    entry = attach(remote, incident_id, "b.txt", b"b")
    attach(remote, incident_id, "c.txt", b"c")
    if missing == "entry":
        remote.entries[incident_id].remove(entry)
    else:
        del remote.files[entry["id"]]

    (incident,) = server.fetch()

    assert attached(server, incident) == [("a.txt", b"a"), ("c.txt", b"c")]
    assert len(list(tmp_path.iterdir())) == 2
    (line,) = [line for line in server.lines("info") if "left out" in line]
    assert "incident 1" in line
    assert server.fetch() == []


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"status_code": 502}, id="502 for this file only"),
        pytest.param({"answer": requests.exceptions.ChunkedEncodingError("cut")}, id="cut off each time"),
        pytest.param(error_body(403, "v8_no_permission"), id="no permission"),
    ],
)
@pytest.mark.parametrize(
    ("route", "rest"),
    [("GET /entry/download/1@1", [("b.txt", b"b")]), ("POST /investigation/1", [])],
    ids=["file", "War Room"],
)
def test_a_file_that_fails_at_a_remote_that_is_well_is_left_out(
    server: Server, remote: Remote, fault: dict[str, Any], route: str, rest: list[tuple[str, bytes]]
) -> None:
    """
    Given: a remote that answers everything but one download, or one War Room, however often it is tried.
    When: a fetch runs.
    Then: the incident comes without what that would have brought, and the log says so.
    """
    incident_id = remote.add()["id"]
    attach(remote, incident_id, "a.txt", b"a")
    attach(remote, incident_id, "b.txt", b"b")
    remote.fail(route, times=9, **fault)

    (incident,) = server.fetch()

    assert attached(server, incident) == rest
    assert len([line for line in server.lines("info") if "left out" in line]) == 2 - len(rest)


class Broken(RawIOBase):
    """A stream that breaks after some bytes, as a connection does that is reset."""

    def __init__(self) -> None:
        self.left = 1000

    def readable(self) -> bool:
        """Return that it is to be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Give some bytes, and then break."""
        if not self.left:
            raise ConnectionResetError("reset by peer")
        count = min(len(buffer), self.left)
        buffer[:count] = b"x" * count
        self.left -= count
        return count


def test_a_download_that_breaks_in_the_middle_arrives_whole(server: Server, remote: Remote, tmp_path: Path) -> None:
    """
    Given: a download that breaks after 1,000 bytes, and goes through when it is tried again.
    When: a fetch runs.
    Then: the attachment has its own bytes and no others.
    """
    incident_id = remote.add()["id"]
    attach(remote, incident_id, "a.bin", b"all of it")
    remote.fail("GET /entry/download", body=Broken(), headers={"Content-Disposition": "attachment"})

    (incident,) = server.fetch()

    assert attached(server, incident) == [("a.bin", b"all of it")]
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("route", ["GET /entry/download", "POST /investigation"])
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"status_code": 503}, id="503"),
        pytest.param({"answer": requests.exceptions.ConnectionError("gone")}, id="gone"),
    ],
)
def test_a_remote_that_goes_away_during_the_downloads_fails_the_fetch(
    server: Server, remote: Remote, route: str, fault: dict[str, Any]
) -> None:
    """
    Given: a remote that answers the search and is away when a file is asked for.
    When: a fetch runs.
    Then: it fails, and the next one brings the incident with its file: nothing is lost.
    """
    incident_id = remote.add()["id"]
    attach(remote, incident_id, "a.txt", b"a")
    remote.fail(route, times=99, **fault)
    remote.fail("GET /about", times=99, **fault)
    outcome = server.run("fetch-incidents")
    assert outcome.error
    assert outcome.incidents == []
    remote.faults.clear()

    (incident,) = server.fetch()

    assert attached(server, incident) == [("a.txt", b"a")]


@pytest.mark.parametrize("route", ["GET /entry/download", "POST /investigation"])
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"status_code": 429}, id="rate limit"),
        pytest.param(error_body(401, "v8_wrong_key"), id="key revoked meanwhile"),
    ],
)
def test_a_remote_that_refuses_all_calls_during_the_downloads_fails_the_fetch(
    server: Server, remote: Remote, route: str, fault: dict[str, Any]
) -> None:
    """
    Given: a remote that stops to accept our calls once the search is answered.
    When: a fetch runs.
    Then: it fails, and the next one brings the incident with its file: nothing is lost.
    """
    incident_id = remote.add()["id"]
    attach(remote, incident_id, "a.txt", b"a")
    remote.fail(route, times=99, **fault)
    remote.fail("GET /about", times=99, **fault)
    outcome = server.run("fetch-incidents")
    assert outcome.error
    remote.faults.clear()

    (incident,) = server.fetch()

    assert attached(server, incident) == [("a.txt", b"a")]


def test_attachments_of_an_incident_without_a_war_room_cost_a_warning(server: Server, remote: Remote) -> None:
    """
    Given: a pending incident with an attachment. XSOAR REST API: it has no War Room, and only an entry can be downloaded.
    When: it is fetched.
    Then: it comes without the file, and no War Room with an empty ID is asked for.
    """
    remote.add(investigationId="", status=0, attachment=[{"name": "a.txt", "path": "x"}, {"name": "", "path": None}])

    (incident,) = server.fetch()

    assert "attachment" not in incident
    assert remote.asked("POST /investigation") == []
    assert len([line for line in server.lines("info") if "left out" in line]) == 2


class Zeros(RawIOBase):
    """A stream of zeros of a given length, which holds none of them."""

    def __init__(self, length: int) -> None:
        self.left = length

    def readable(self) -> bool:
        """Return that it is to be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Give zeros until there are no more."""
        count = min(len(buffer), self.left)
        buffer[:count] = bytes(count)
        self.left -= count
        return count


LARGE = 48 << 20


def peak_memory(work: Callable[[], Any]) -> int:
    """Return how many bytes a piece of work needs at its peak."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_large_file_that_comes_in_is_never_in_memory_whole(server: Server, remote: Remote, tmp_path: Path) -> None:
    """
    Given: an attachment of 48 MiB.
    When: its incident is fetched.
    Then: all of it arrives, and it took a fraction of that in memory.
    """
    attach(remote, remote.add()["id"], "large.bin", b"")
    remote.fail("GET /entry/download", body=Zeros(LARGE), headers={"Content-Disposition": "attachment"})

    peak = peak_memory(server.fetch)

    assert [path.stat().st_size for path in tmp_path.iterdir()] == [LARGE]
    assert peak < LARGE / 4


""" FETCH: HISTORY """


def test_entries_from_before_the_fetch_stay_out_without_history(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: an incident with a tagged entry, fetched without its history, and an entry written since.
    When: rounds run.
    Then: only the entry written since comes in.
    """
    incident_id = remote.add()["id"]
    remote.write(incident_id, "before the fetch")
    clock.tick(timedelta(minutes=1))
    server.fetch()
    clock.tick(timedelta(minutes=1))
    remote.write(incident_id, "after the fetch")

    assert server.ok("get-modified-remote-data", lastUpdate=LAST_UPDATE)["Contents"] == [incident_id]
    assert contents(server.pull(incident_id)[1]) == ["after the fetch"]


def test_entries_from_before_the_fetch_come_in_with_history(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: an incident with tagged entries of long ago and an attachment, fetched with its history.
    When: a round runs after a long pause, so that no change would tell of the incident.
    Then: it is named all the same, its entries come in, and the attachment, which it has already, does not.
    """
    server.params["fetch_incident_history"] = True
    incident_id = remote.add(created="2026-02-28T10:00:00Z", modified="2026-02-28T10:00:00Z")["id"]
    remote.entry_moves_modified = False
    remote.write(incident_id, "of long ago", created="2026-02-28T10:01:00Z", modified="2026-02-28T10:01:00Z")
    remote.tag(attach(remote, incident_id, "a.txt", b"a"), "share")
    assert attached(server, server.fetch()[0]) == [("a.txt", b"a")]
    clock.tick(timedelta(hours=1))

    assert server.ok("get-modified-remote-data", lastUpdate=NOW)["Contents"] == [incident_id]
    assert contents(server.pull(incident_id)[1]) == ["of long ago"]
    clock.tick(timedelta(hours=1))
    assert server.ok("get-modified-remote-data", lastUpdate=NOW)["Contents"] == []


def test_history_that_could_not_be_brought_is_not_forgotten(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: two incidents fetched with their history, in two fetches, and a remote that then fails.
    When: rounds run until it is well again.
    Then: both histories arrive, each entry once.
    """
    server.params["fetch_incident_history"] = True
    for incident_id in ("1", "2"):
        remote.add(incident_id)
        remote.write(incident_id, f"history of {incident_id}")
        server.fetch()
    clock.tick(timedelta(hours=1))
    remote.fail("POST /investigation", status_code=502, times=6)

    for incident_id in ("1", "2"):
        assert incident_id in server.ok("get-modified-remote-data", lastUpdate=NOW)["Contents"]
        server.fails("get-remote-data", id=incident_id, lastUpdate=LAST_UPDATE)
    assert sorted(server.ok("get-modified-remote-data", lastUpdate=NOW)["Contents"]) == ["1", "2"]

    assert [contents(server.pull(incident_id)[1]) for incident_id in ("1", "2", "1", "2")] == [
        ["history of 1"],
        ["history of 2"],
        [],
        [],
    ]


def test_an_incident_that_was_closed_before_the_fetch_is_closed_here(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: an incident that is closed when it is fetched.
    When: a round runs long after.
    Then: it is named, and the local incident is closed, once.
    """
    remote.add(status=2, closeReason="Duplicate", closeNotes="See 3.")
    server.fetch()
    clock.tick(timedelta(hours=1))

    assert server.ok("get-modified-remote-data", lastUpdate=NOW)["Contents"] == ["1"]
    _, (closing,) = server.pull("1")
    assert closing["Contents"] == {"dbotIncidentClose": True, "closeReason": "Duplicate", "closeNotes": "See 3."}
    assert server.pull("1")[1] == []


""" WHAT THE MIRROR REMEMBERS """


def test_nothing_is_lost_when_another_command_changes_the_context_meanwhile(
    server: Server, remote: Remote, mirrored: str, clock: Any
) -> None:
    """
    Given: another command of the instance that saves its own record just before ours is saved.
    When: an entry is sent.
    Then: both are kept: the other's key is there, and the entry is not sent again.
    """
    server.rivals = [lambda context: context.update(other="kept"), lambda context: context.update(another="kept")]

    pushed(server, mirrored, entries=[local_entry(1, "once")])
    pushed(server, mirrored, entries=[local_entry(1, "once")])

    assert [entry["contents"][-4:] for entry in remote.entries[mirrored]] == ["once"]
    assert {"other": "kept", "another": "kept"}.items() <= json.loads(server.context).items()


def test_a_context_that_others_change_all_the_time_is_an_error(server: Server, remote: Remote) -> None:
    """
    Given: other commands that change the context before each of our saves.
    When: a fetch runs.
    Then: it fails with a sentence, no incident is made without its record, and the next fetch brings it.
    """
    remote.add()
    server.rivals = [lambda context: None] * 50

    outcome = server.run("fetch-incidents")

    assert "integration context is being changed all the time" in outcome.error
    assert outcome.incidents == []
    server.rivals = []
    assert ids(server.fetch()) == ["1"]


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"incidents": ""},
        {"incidents": "{"},
        {"incidents": "[]"},
        {"incidents": '{"1": null}'},
        {"incidents": '{"1": {"m": 5, "s": "2", "l": [], "b": "x", "e": "1@1", "o": {}, "p": "yes"}}'},
        {"incidents": 7, "other": "kept"},
    ],
    ids=["empty", "blank", "no JSON", "a list", "null", "wrong types", "a number"],
)
def test_a_damaged_context_does_not_stop_the_mirror(server: Server, remote: Remote, context: dict[str, Any]) -> None:
    """
    Given: an integration context that is empty or damaged.
    When: a round runs, and another.
    Then: the first brings the incident and its entry, the second neither, and what belongs to others is kept.
    """
    remote.add("1")
    remote.write("1", "hello")
    server.context = json.dumps(context)

    listed = modified(server)
    first, entries = server.pull("1")

    assert listed == ["1"]
    assert first["name"] == "incident 1"
    assert contents(entries) == ["hello"]
    assert server.pull("1") == ({"id": "1"}, [])
    assert json.loads(server.context).get("other") == context.get("other")


def kept_records(server: Server) -> dict[str, Any]:
    """Return the records as the context keeps them, of all incidents."""
    context = json.loads(server.context)
    return {key: packed for part in script.parts_of(context) for key, packed in script.unpack_part(context[part]).items()}


def without_records(context: dict[str, Any]) -> dict[str, Any]:
    """Return an integration context without its records."""
    return {key: value for key, value in context.items() if key not in script.parts_of(context)}


@pytest.mark.parametrize(
    "part",
    ["", "x", "0 0 ", "0 0 !!", "0 0 AAAA", "a b c", script.pack_part({})[:-3], 7, None, ["x"], script.pack_part({"1": 5})],
)
def test_a_damaged_part_does_not_stop_the_mirror(server: Server, remote: Remote, part: Any) -> None:
    """
    Given: two mirrored incidents, and what is kept of the one is damaged.
    When: a round runs, and both are pulled.
    Then: the one comes anew with its entry, nothing comes of the other, and then nothing of either.
    """
    server.params["fetch_incident_history"] = True
    for incident_id in ("1", "2"):
        remote.add(incident_id)
        remote.write(incident_id, "hello")
    server.fetch()
    for incident_id in ("1", "2"):
        assert contents(server.pull(incident_id)[1]) == ["hello"]
    server.context = json.dumps({**json.loads(server.context), script.part_of("1"): part})

    modified(server)

    assert contents(server.pull("1")[1]) == ["hello"]
    assert [server.pull(incident_id)[1] for incident_id in ("1", "2")] == [[], []]


def test_one_record_is_written_without_the_others(server: Server, remote: Remote) -> None:
    """
    Given: 300 mirrored incidents, kept in parts, and one of them that changed.
    When: it is pulled.
    Then: only the part that holds it is another, and a part holds a few incidents only.
    """
    for _ in range(300):
        remote.add()
    server.params["max_fetch"] = "200"
    server.fetch()
    server.fetch()
    remote.change("7", details="new")
    before = json.loads(server.context)

    server.pull("7")

    after = json.loads(server.context)
    assert len(kept_records(server)) == 300
    assert {key for key in script.parts_of(after) if after[key] != before[key]} == {script.part_of("7")}
    assert max(len(script.unpack_part(after[key])) for key in script.parts_of(after)) < 20


@pytest.mark.parametrize("command", ["get-remote-data", "get-modified-remote-data", "fetch-incidents"])
def test_records_kept_under_one_key_are_read_and_then_kept_in_parts(server: Server, remote: Remote, command: str) -> None:
    """
    Given: a context as the first builds kept it, with all records under one key.
    When: a command changes it.
    Then: nothing is forgotten, nothing delivered again, and the one key is gone.
    """
    for _ in range(3):
        remote.add()
        remote.write(remote.add()["id"], "hello")
    server.params["fetch_incident_history"] = True
    server.fetch()
    for incident_id in sorted(kept_records(server), key=int):
        server.pull(incident_id)
    context, records = json.loads(server.context), kept_records(server)
    server.context = json.dumps({**without_records(context), "incidents": json.dumps(records)})

    remote.add()
    remote.change("1", details="new")
    server.run(command, {"id": "1", "lastUpdate": LAST_UPDATE})

    assert "incidents" not in json.loads(server.context)
    assert {key: record.get("e") for key, record in kept_records(server).items() if key in records} == {
        key: record.get("e") for key, record in records.items()
    }
    assert server.pull("2")[1] == []


def test_the_context_holds_ids_and_times_but_no_texts(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: an incident with names, entries and a file that came and went.
    When: all of it was mirrored.
    Then: nothing of what people wrote is in the context or the last runs, and a record is small.
    """
    remote.add("1", name="the-incident-name", details="the-incident-details")
    server.fetch()
    clock.tick(timedelta(minutes=1))
    for number in range(20):
        remote.write("1", f"the-entry-text {number}")
    remote.write_file("1", "the-file-name.txt", b"the-file-text")
    server.ok("get-modified-remote-data", lastUpdate=LAST_UPDATE)
    server.pull("1")
    pushed(server, "1", entries=[local_entry(1, "the-outgoing-text")], delta={"details": "the-new-details"})

    kept = json.dumps(server.memory()) + server.kept_text()
    assert "the-" not in kept
    assert len(json.dumps(kept_records(server))) < 400


@pytest.mark.parametrize(
    "entry_ids",
    [
        [],
        ["1@4"],
        ["1@4", "2@4", "3@4", "7@4", "9@4", "10@4"],
        ["1@4", "1@5", "01@4", "12345678901@4", "7@4#2.0a1b2c", "a@4", "@4", "4@", "4", "", "5f0c7e9a-1b2c@8c1d", "0@0"],
    ],
)
def test_entry_ids_are_kept_short_and_come_back_as_they_were(entry_ids: list[str]) -> None:
    """Given entry ids of all kinds; When they are kept in the context and read again; Then they are the same."""
    kept = json.loads(json.dumps(script.pack_ids(entry_ids)))

    assert script.unpack_ids(kept) == frozenset(entry_ids)


def test_many_entries_of_an_incident_take_little_room() -> None:
    """Given an incident with 20,000 entries that came in; When it is kept; Then that takes a few dozen characters."""
    record = script.Record(known_entries=frozenset(f"{number}@4" for number in range(1, 20_001)))

    assert len(json.dumps(script.pack_record(record))) < 40


@pytest.mark.parametrize("packed", [None, 5, "1@4", ["1@4"], {"4": None}, {"4": "x-y"}, {"4": {}}])
def test_damaged_entry_ids_are_none(packed: Any) -> None:
    """Given kept entry ids that are damaged; When they are read; Then there are none."""
    assert script.unpack_ids(packed) == frozenset()


def test_what_a_newer_version_keeps_is_left_as_it_is(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """
    Given: a context in which a newer version keeps more, of all and of an incident.
    When: the incident is fetched, brought and updated by this version.
    Then: what it does not know is still there.
    """
    context, incidents = json.loads(server.context), kept_records(server)
    incidents[mirrored]["newer"] = {"x": [1]}
    server.context = json.dumps({**without_records(context), "incidents": json.dumps(incidents), "newer": "y"})

    remote.change(mirrored, details="new")
    modified(server)
    server.pull(mirrored)
    pushed(server, mirrored, delta={"severity": 4}, entries=[local_entry(1, "x")])

    kept = json.loads(server.context)
    assert kept["newer"] == "y"
    assert kept_records(server)[mirrored]["newer"] == {"x": [1]}


def test_incidents_closed_long_ago_are_forgotten(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: 200 closed incidents that were mirrored, and one that is open.
    When: months later another is fetched.
    Then: the context holds no more than the open ones, and they are still mirrored.
    """
    for number in range(200):
        remote.add(str(number + 1), status=2, CustomFields={})
    remote.add("500")
    server.params["max_fetch"] = "200"
    assert len(server.fetch() + server.fetch()) == 201
    for incident_id in remote.incidents:
        server.pull(incident_id)
    assert len(server.context) > 5000
    clock.tick(timedelta(days=90))
    remote.add("501")
    assert ids(server.fetch()) == ["501"]
    modified(server)

    assert len(server.context) < 500
    assert server.pull("500")[0] == {"id": "500"}


def test_what_is_remembered_of_an_incident_is_small(server: Server, remote: Remote) -> None:
    """
    Given: 400 incidents.
    When: they are fetched and pulled.
    Then: the context takes at most 200 bytes for each, so that 10,000 stay below 2 MiB.
    """
    server.params["max_fetch"] = "200"
    for number in range(400):
        remote.add(str(100_000 + number), CustomFields={})
    server.fetch()
    server.fetch()
    for number in range(0, 400, 10):
        server.pull(str(100_000 + number))

    assert len(json.dumps(kept_records(server))) < 400 * 200
    assert len(server.context) < 400 * 200


""" IN: GET-MODIFIED-REMOTE-DATA """


def modified(server: Server, last_update: Any = LAST_UPDATE) -> list[str]:
    """Run get-modified-remote-data, which must succeed; return the IDs it gives."""
    result = server.ok("get-modified-remote-data", **({} if last_update is None else {"lastUpdate": last_update}))
    assert (result["Type"], result["ContentsFormat"]) == (1, "json")
    return result["Contents"]


def test_a_round_asks_for_the_changes_in_their_order(server: Server, remote: Remote) -> None:
    """
    Given: an instance whose mirror never ran.
    When: get-modified-remote-data runs.
    Then: it asks for the changes since then, the oldest first, a little earlier than the local clock says; it keeps texts.
    """
    assert modified(server, "2026-03-01T11:00:00.25Z") == []

    assert remote.bodies("POST") == [
        {
            "filter": {
                "query": 'modified:>="2026-03-01T10:58:00.250Z"',
                "size": 500,
                "page": 0,
                "sort": [{"field": "modified", "asc": True}, {"field": "id", "asc": True}],
            }
        }
    ]
    assert server.last_mirror_run
    assert {type(value) for value in server.last_mirror_run.values()} == {str}


@pytest.mark.parametrize(
    ("last_update", "since"),
    [
        ("2026-03-01T11:00:00Z", "2026-03-01T10:58:00.000Z"),
        ("2026-03-01T12:00:00.123456789+01:00", "2026-03-01T10:58:00.123Z"),
        ("1772362800", "2026-03-01T10:58:00.000Z"),
        (1772362800, "2026-03-01T10:58:00.000Z"),
        ("1772362800123", "2026-03-01T10:58:00.123Z"),
        ("1772362800123456", "2026-03-01T10:58:00.123Z"),
        ("1772362800000000000", "2026-03-01T10:58:00.000Z"),
        ("", "2026-03-01T11:58:00.000Z"),
        (None, "2026-03-01T11:58:00.000Z"),
    ],
    ids=["ISO", "ISO with an offset", "seconds", "number", "milliseconds", "microseconds", "nanoseconds", "blank", "missing"],
)
def test_the_first_round_begins_at_the_server_s_last_update(server: Server, remote: Remote, last_update: Any, since: str) -> None:
    """
    Given: a lastUpdate in one of the shapes in which servers give it.
    When: the first get-modified-remote-data runs.
    Then: it asks from two minutes before.
    """
    modified(server, last_update)

    assert remote.bodies("POST /incidents/search")[0]["filter"]["query"] == f'modified:>="{since}"'


@pytest.mark.parametrize("last_update", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "0"])
def test_a_server_that_never_synchronised_gets_all_changes(server: Server, remote: Remote, last_update: str) -> None:
    """
    Given: the zero time of the platform as lastUpdate.
    When: get-modified-remote-data runs, and again after a change.
    Then: the first round gives every incident, the second the changed one.
    """
    remote.add("1", modified="2025-01-01T00:00:00Z")
    remote.add("2", modified="2025-01-02T00:00:00Z")

    assert modified(server, last_update) == ["1", "2"]
    remote.change("1", details="new")
    assert modified(server, last_update) == ["1"]


def test_an_unreadable_last_update_is_said(server: Server, remote: Remote) -> None:
    """
    Given: a lastUpdate that is no time.
    When: get-modified-remote-data runs.
    Then: it says so, and the server does not sweep all incidents.
    """
    error = server.fails("get-modified-remote-data", lastUpdate="yesterday")

    assert "skip update" in error
    assert "lastUpdate is 'yesterday'" in error


def test_each_change_is_told_once_in_its_order(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: incidents that change one after another, one of them twice.
    When: rounds run.
    Then: each tells the incidents changed since the one before, in the order of the changes, as texts.
    """
    for incident_id in ("1", "2", "3"):
        remote.add(incident_id, modified="2026-03-01T10:00:00Z")
    assert modified(server) == []
    remote.change("3", details="a")
    remote.change("1", details="b")
    assert modified(server) == ["3", "1"]
    assert modified(server) == []
    clock.tick(timedelta(hours=1))
    remote.change("2", details="c")
    remote.change("3", details="d")
    assert modified(server) == ["2", "3"]
    assert modified(server) == []


def test_changes_come_through_however_many_pages(server: Server, remote: Remote) -> None:
    """
    Given: 1,300 changed incidents, 600 of them at one instant, more than a page holds.
    When: a round runs.
    Then: it tells all of them, once each, with a handful of calls; the next tells none.
    """
    for number in range(1300):
        second, rest = divmod(max(0, number - 600), 1000)
        remote.add(str(number + 1), modified=f"2026-03-01T11:30:0{second}.{rest:03d}Z", CustomFields={})

    told = modified(server)

    assert sorted(told) == sorted(remote.incidents)
    assert len(remote.calls) <= 6
    assert modified(server) == []


def test_the_cursor_moves_only_behind_what_was_told(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: a change that the search index shows later than a younger one, and local clocks that run on.
    When: rounds run.
    Then: it is still told, once.
    """
    remote.add("1", modified="2026-03-01T11:29:00Z")
    remote.add("2", modified="2026-03-01T11:30:00Z")
    remote.hidden = {"1"}
    assert modified(server) == ["2"]
    clock.tick(timedelta(hours=2))
    assert modified(server) == []
    remote.hidden = set()

    assert [modified(server) for _ in range(2)] == [["1"], []]


@pytest.mark.parametrize("skip", [0, 1], ids=["first page", "second page"])
def test_a_failed_round_tells_everything_again(server: Server, remote: Remote, skip: int) -> None:
    """
    Given: a remote that fails while it is asked for changes.
    When: a round runs, and the next.
    Then: the first keeps nothing and says the words that stop the server from sweeping; the second tells all changes.
    """
    for incident_id in ("1", "2", "3"):
        remote.add(incident_id, modified="2026-03-01T11:30:00Z")
    remote.search_limit = 2
    before = server.memory()
    remote.fail("POST /incidents/search", status_code=502, times=3, skip=skip)

    assert "skip update" in server.fails("get-modified-remote-data", lastUpdate=LAST_UPDATE)
    assert server.memory() == before
    assert modified(server) == ["1", "2", "3"]


def test_a_rate_limit_is_told_in_the_server_s_words(server: Server, remote: Remote) -> None:
    """
    Given: a remote that accepts no more calls.
    When: get-modified-remote-data and get-remote-data run.
    Then: both errors hold `API rate limit`, the first also `skip update`.
    """
    remote.fail("", status_code=429, json=ERRORS["v8_rate_limit"], times=9)

    error = server.fails("get-modified-remote-data", lastUpdate=LAST_UPDATE)

    assert "API rate limit" in error
    assert error.startswith("skip update")
    assert "API rate limit" in server.fails("get-remote-data", id="1", lastUpdate=LAST_UPDATE)


@pytest.mark.parametrize("answer", [{"data": None, "total": 0}, {"data": [], "total": 0}])
def test_a_round_without_changes_tells_an_empty_list(server: Server, remote: Remote, answer: dict[str, Any]) -> None:
    """
    Given: a remote where nothing changed, with a null or an empty list.
    When: a round runs.
    Then: it tells an empty list, and keeps its place.
    """
    remote.fail("POST /incidents/search", json=answer)
    assert modified(server) == []
    kept = server.last_mirror_run
    assert modified(server) == []
    assert server.last_mirror_run == kept


@pytest.mark.parametrize("run", [{"time": "soon"}, {"time": NOW}, {"time": NOW, "since": NOW, "known": "[]"}], ids=str)
def test_a_damaged_last_mirror_run_is_begun_anew(server: Server, remote: Remote, mirrored: str, run: dict[str, Any]) -> None:
    """
    Given: a last mirror run that cannot be read. What was delivered stands in the records, so nothing is doubled.
    When: get-modified-remote-data runs, and again.
    Then: it begins at lastUpdate, and then goes on.
    """
    server.last_mirror_run = run

    assert modified(server) == [mirrored]
    assert modified(server) == [mirrored]  # Still due, since it was not pulled.
    server.pull(mirrored)
    assert modified(server) == []


def test_a_platform_without_a_last_mirror_run_is_told_to_ask_for_every_incident(server: Server, remote: Remote) -> None:
    """
    Given: a platform below 6.6, which keeps no last mirror run.
    When: get-modified-remote-data runs.
    Then: NotImplementedError reaches the server, which then asks for every incident.
    """
    server.version = "6.5.0"

    with pytest.raises(NotImplementedError, match=r"6\.6"):
        server.run("get-modified-remote-data", {"lastUpdate": LAST_UPDATE})

    assert remote.calls == []


def test_an_incident_that_was_fetched_and_did_not_change_is_told_once(
    server: Server, remote: Remote, mirrored: str, clock: Any
) -> None:
    """
    Given: an incident that was fetched, and no change since.
    When: rounds run an hour later.
    Then: the first tells it, since it may have changed while it was fetched, and brings nothing; the others do not.
    """
    clock.tick(timedelta(hours=1))

    assert modified(server, None) == [mirrored]
    assert server.pull(mirrored) == ({"id": mirrored}, [])
    assert modified(server, None) == []


def test_what_a_round_could_not_bring_is_told_again(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """
    Given: a mirrored incident that changed, and a remote that fails when it is read.
    When: rounds run, hours later and without a further change.
    Then: each tells the incident again until it was brought, and then no more.
    """
    remote.change(mirrored, details="new")
    for _ in range(2):
        assert modified(server) == [mirrored]
        remote.fail("GET /incident/load", times=3, status_code=502)
        server.fails("get-remote-data", id=mirrored, lastUpdate=LAST_UPDATE)
        clock.tick(timedelta(hours=3))

    assert modified(server) == [mirrored]
    assert server.pull(mirrored)[0]["details"] == "new"
    assert modified(server) == []


def fetched(server: Server, remote: Remote, count: int, clock: Any) -> None:
    """Let a number of incidents be fetched and one round pass."""
    remote.add_many(count)
    assert len(server.fetch()) == count
    clock.tick(timedelta(hours=1))
    modified(server)
    for incident_id in remote.incidents:
        server.pull(incident_id)
    remote.calls.clear()


def test_a_new_entry_is_found_where_it_does_not_change_its_incident(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: 45 mirrored incidents at a remote where a War Room entry does not move the incident's `modified`, and one new entry
        in each.
    When: rounds run every minute.
    Then: all entries arrive within five minutes, each once, and no round takes more than 25 calls and 2 per incident it tells.
    """
    fetched(server, remote, 45, clock)
    remote.entry_moves_modified = False
    for incident_id in remote.incidents:
        remote.write(incident_id, f"silent {incident_id}")
    arrived = []
    for _ in range(5):
        clock.tick(timedelta(minutes=1))
        remote.calls.clear()
        told = modified(server)
        assert len(remote.calls) <= 25 + 2 * len(told)
        arrived += [entry for incident_id in told for entry in server.pull(incident_id)[1]]

    assert sorted(contents(arrived)) == sorted(f"silent {incident_id}" for incident_id in remote.incidents)


def test_a_remote_whose_entries_change_their_incident_is_asked_less(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: 45 mirrored incidents at a remote where an entry moves the incident's `modified`, and an entry that came in.
    When: quiet rounds run.
    Then: each looks into at most a few War Rooms.
    """
    fetched(server, remote, 45, clock)
    remote.write("7", "hello")
    assert modified(server) == ["7"]
    assert contents(server.pull("7")[1]) == ["hello"]
    remote.calls.clear()

    for _ in range(10):
        clock.tick(timedelta(minutes=1))
        assert modified(server) == []

    assert len(remote.asked("POST /investigation")) <= 10 * 3


@pytest.mark.parametrize("changes", [{"tags": ""}, {"categories": []}], ids=["no tags", "no categories"])
def test_without_tags_or_categories_a_round_looks_into_no_war_room(
    server: Server, remote: Remote, mirrored: str, clock: Any, changes: dict[str, Any]
) -> None:
    """
    Given: no incoming tag, or no category.
    When: rounds run.
    Then: they ask for no entries.
    """
    server.params |= changes

    for _ in range(3):
        clock.tick(timedelta(minutes=1))
        modified(server)

    assert remote.asked("POST /investigation") == []


def test_a_round_looks_into_no_war_room_of_closed_or_pending_incidents(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: a closed incident, and a pending one, which has no War Room. XSOAR REST API: to ask for it may create an empty one.
    When: rounds run.
    Then: no War Room of theirs is asked for.
    """
    remote.add("1", status=2)
    remote.add("2", status=0, investigationId="")
    server.fetch()
    clock.tick(timedelta(hours=1))
    assert sorted(modified(server)) == ["1", "2"]
    for incident_id in ("1", "2"):
        server.pull(incident_id)
    remote.calls.clear()

    for _ in range(3):
        clock.tick(timedelta(minutes=1))
        assert modified(server) == []

    assert remote.asked("POST /investigation") == []


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"status_code": 503}, id="busy"),
        pytest.param({"status_code": 429, "headers": {"Retry-After": "60"}}, id="rate limit"),
        pytest.param(error_body(400, "no_investigation"), id="no War Room"),
    ],
)
def test_a_war_room_that_cannot_be_looked_into_does_not_stop_the_round(
    server: Server, remote: Remote, clock: Any, fault: dict[str, Any]
) -> None:
    """
    Given: two mirrored incidents, one with a new entry that does not show, and a War Room that fails at first.
    When: rounds run, in which another incident changes.
    Then: the change is told at once, and the entry when the remote is well again.
    """
    fetched(server, remote, 3, clock)
    remote.entry_moves_modified = False
    remote.write("2", "silent")
    remote.fail("POST /investigation/", times=9, **fault)
    remote.change("3", details="new")
    assert modified(server) == ["3"]
    remote.faults.clear()
    told = []
    for _ in range(3):
        clock.tick(timedelta(minutes=1))
        told += modified(server)

    assert "2" in told
    assert contents(server.pull("2")[1]) == ["silent"]


""" IN: GET-REMOTE-DATA """


def test_a_changed_incident_is_given_with_its_fields_and_an_unchanged_one_without(
    server: Server, remote: Remote, mirrored: str
) -> None:
    """
    Given: a mirrored incident.
    When: it is pulled before a change, after one, and again.
    Then: only the pull after the change has fields, custom ones also under their names at the top; the ID is always there.
    """
    assert server.pull(mirrored) == ({"id": mirrored}, [])
    remote.change(mirrored, severity=3, CustomFields={"customerticket": "T-1"})

    changed, entries = server.pull(mirrored)

    assert (changed["severity"], changed["customerticket"], changed["CustomFields"]) == (3, "T-1", {"customerticket": "T-1"})
    assert (changed["id"], changed["dbotMirrorId"], changed["dbotMirrorInstance"]) == (mirrored, mirrored, "headquarters")
    assert changed["in_mirror_error"] == ""
    assert entries == []
    assert server.pull(mirrored) == ({"id": mirrored}, [])


def test_two_changes_within_a_second_both_come_in(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a change that is pulled, and another a few milliseconds later.
    When: the incident is pulled again.
    Then: the second change comes in as well.
    """
    remote.change(mirrored, details="one")
    assert server.pull(mirrored)[0]["details"] == "one"
    remote.change(mirrored, details="two")

    assert server.pull(mirrored)[0]["details"] == "two"


def test_an_incident_the_mirror_knows_nothing_of_starts_at_last_update(server: Server, remote: Remote) -> None:
    """
    Given: an incident that was never mirrored by this instance, with an entry before and one after lastUpdate.
    When: it is pulled twice.
    Then: the first pull gives the fields and the later entry, the second neither.
    """
    remote.add("1", modified="2026-03-01T10:00:00Z")
    remote.write("1", "early", created="2026-03-01T10:59:00Z", modified="2026-03-01T10:59:00Z")
    remote.write("1", "just then", created=LAST_UPDATE, modified=LAST_UPDATE)
    remote.write("1", "late", created="2026-03-01T11:01:00Z", modified="2026-03-01T11:01:00Z")

    first, entries = server.pull("1")

    assert first["name"] == "incident 1"
    assert contents(entries) == ["just then", "late"]
    assert server.pull("1") == ({"id": "1"}, [])


def test_an_update_out_does_not_bring_old_entries_in_when_the_cache_was_reset(
    server: Server, remote: Remote, mirrored: str, clock: Any
) -> None:
    """
    Given: a mirrored incident whose entry came in long ago, and an instance whose integration cache was reset since.
    When: a local change goes out before the next round.
    Then: the round, which starts at lastUpdate, does not bring the old entry again.
    """
    remote.write(mirrored, "old")
    assert contents(server.pull(mirrored)[1]) == ["old"]
    clock.tick(timedelta(hours=1))
    server.context = "{}"

    pushed(server, mirrored, delta={"details": "new"}, status=1)

    assert server.ok("get-remote-data", id=mirrored, lastUpdate="2026-03-01T13:00:00Z")[1:] == []


@pytest.mark.parametrize("args", [{}, {"lastUpdate": ""}, {"lastUpdate": None}], ids=["missing", "blank", "null"])
def test_without_last_update_a_person_looks_and_nothing_is_remembered(
    server: Server, remote: Remote, mirrored: str, args: dict[str, Any]
) -> None:
    """
    Given: a mirrored incident with a new entry and changed fields.
    When: a person runs get-remote-data, without lastUpdate, twice.
    Then: both times all of it is shown, and the next round still brings it.
    """
    remote.write(mirrored, "hello")
    before = server.memory()

    for _ in range(2):
        first, *entries = server.ok("get-remote-data", id=mirrored, **args)
        assert first["name"] == f"incident {mirrored}"
        assert contents(entries) == ["hello"]
    assert server.memory() == before
    assert contents(server.pull(mirrored)[1]) == ["hello"]


def test_only_entries_with_an_incoming_tag_are_asked_for(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: two incoming tags, and entries with one, the other, both, none and a third tag.
    When: the incident is pulled.
    Then: the remote is asked for any of the two, and the three tagged entries come, in their order, once.
    """
    server.params["tags"] = "share, branch"
    for text, tags in (
        ("a", ["share"]),
        ("b", ["branch"]),
        ("c", ["x", "branch", "share"]),
        ("d", None),
        ("e", []),
        ("f", ["x"]),
    ):
        remote.write(mirrored, text, tags=tags)

    _, entries = server.pull(mirrored)

    assert contents(entries) == ["a", "b", "c"]
    assert remote.bodies("POST /investigation") == [
        {
            "categories": ["notes", "chats", "attachments"],
            "tags": ["share", "branch"],
            "tagsAndOperator": False,
            "pageSize": 1000,
        }
    ]
    assert server.pull(mirrored)[1] == []


@pytest.mark.parametrize(
    "changes", [{"tags": ""}, {"tags": None}, {"categories": []}, {"categories": None}], ids=lambda changes: str(changes)
)
def test_without_tags_or_categories_no_entry_comes_in(
    server: Server, remote: Remote, mirrored: str, changes: dict[str, Any]
) -> None:
    """
    Given: no incoming tag, or no category.
    When: an incident with entries is pulled.
    Then: its fields come, no entry does, and none is asked for.
    """
    server.params |= changes
    remote.write(mirrored, "hello")

    first, entries = server.pull(mirrored)

    assert (first["name"], entries) == (f"incident {mirrored}", [])
    assert remote.asked("POST /investigation") == []


@pytest.mark.parametrize(
    ("categories", "expected"),
    [
        (["notes"], ["note", "result"]),
        (["chats"], ["chat", "result"]),
        (["attachments"], ["file", "result"]),
        ("chats,notes", ["note", "chat", "result"]),
    ],
)
def test_only_entries_of_the_chosen_categories_come_in(
    server: Server, remote: Remote, mirrored: str, categories: Any, expected: list[str]
) -> None:
    """
    Given: a note, a chat, a file and a command's result at a remote whose filter by category lets more through.
    When: the incident is pulled with some of the categories.
    Then: those of another category stay out; where only the remote can tell, it is believed.
    """
    server.params["categories"] = categories
    remote.write(mirrored, "note", note=True, category="note")
    remote.write(mirrored, "chat")
    remote.write_file(mirrored, "file", b"file")
    remote.write(mirrored, "result", category="")
    everything = remote.entries[mirrored]
    remote.fail(f"POST /investigation/{mirrored}", json={"id": mirrored, "entries": everything})

    _, entries = server.pull(mirrored)

    assert [entry.get("File") or contents([entry])[0] for entry in entries] == expected


def test_a_pending_incident_has_no_entries_yet(server: Server, remote: Remote) -> None:
    """
    Given: a pending incident, which has no War Room.
    When: it is pulled.
    Then: its fields come, and no War Room with an empty ID is asked for.
    """
    remote.add("1", investigationId="", status=0)

    assert server.pull("1")[0]["name"] == "incident 1"
    assert remote.asked("POST /investigation") == []


@pytest.mark.parametrize("keeps", ["newest", "oldest"])
@pytest.mark.parametrize(("entry_limit", "count"), [(1000, 1250), (1000, 1000), (50, 175)])
def test_entries_beyond_a_page_all_come_in_order(
    server: Server, remote: Remote, mirrored: str, keeps: str, entry_limit: int, count: int
) -> None:
    """
    Given: more new entries than a page holds, at a remote whose page keeps the newest, or the oldest.
    When: the incident is pulled.
    Then: all come, the oldest first, each once.
    """
    remote.page_keeps, remote.entry_limit = keeps, entry_limit
    for number in range(count):
        # Hundreds at one instant: then their numbers tell the order, and not as texts.
        remote.write(mirrored, str(number), created=f"2026-03-01T12:02:{number // 300:02d}Z")

    _, entries = server.pull(mirrored)

    assert contents(entries) == [str(number) for number in range(count)]
    assert server.pull(mirrored)[1] == []


def test_few_entries_cost_one_call(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an incident with a few new entries.
    When: it is pulled.
    Then: that takes one call for the incident and one for its entries.
    """
    for number in range(10):
        remote.write(mirrored, str(number))

    server.pull(mirrored)

    assert [call.route for call in remote.calls] == [f"GET /incident/load/{mirrored}", f"POST /investigation/{mirrored}"]


def test_an_old_entry_that_is_tagged_late_comes_in(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """
    Given: an entry without a tag, and a later one that came in.
    When: hours later the first is tagged, and so is one from before the fetch.
    Then: the next round brings both.
    """
    old = remote.write(
        mirrored, "from before the fetch", tags=None, created="2026-03-01T11:30:01Z", modified="2026-03-01T11:30:01Z"
    )
    first = remote.write(mirrored, "first", tags=None)
    remote.write(mirrored, "second")
    assert contents(server.pull(mirrored)[1]) == ["second"]
    clock.tick(timedelta(hours=5))
    remote.tag(first, "share")
    remote.tag(old, "x", "share")

    assert contents(server.pull(mirrored)[1]) == ["from before the fetch", "first"]
    assert server.pull(mirrored)[1] == []


def test_clocks_that_differ_lose_and_double_nothing(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: a remote whose clock is an hour behind ours.
    When: an incident is fetched and an entry written, by the remote's clock before our fetch.
    Then: it comes in, once.
    """
    clock.tick(timedelta(hours=-1))
    remote.add("1")
    server.fetch()
    remote.write("1", "hello")
    clock.tick(timedelta(hours=1))

    assert contents(server.ok("get-remote-data", id="1", lastUpdate=NOW)[1:]) == ["hello"]
    assert server.pull("1")[1] == []


def test_formats_keep_their_looks_and_get_a_line_with_author_and_time(server: Server, remote: Remote) -> None:
    """
    Given: entries of each format. A key cannot write in another person's name, so the text must tell.
    When: they are pulled.
    Then: text, Markdown and HTML keep their format under a line with author and time, and names cannot break it; data becomes
        Markdown, fenced so that nothing in it ends the fence.
    """
    remote.add("4")
    remote.entries["4"] = list(ENTRIES.values())
    remote.files["58@4"] = b"From: eve\r\n"

    _, entries = server.pull("4")

    assert [(entry.get("ContentsFormat"), entry["Contents"]) for entry in entries] == [
        ("text", "admin, 2026-03-01 11:38:21 UTC:\ndone"),
        ("markdown", "**eve\\_\\<admin\\>, 2026-03-01 11:39:00 UTC:**\n\nThe sender is **blocked**."),
        ("html", "<p><b>Tom &amp; Co, 2026-03-01 11:40:00 UTC:</b></p>\n<ul><li>mailbox</li></ul>"),
        ("markdown", '**DBot, 2026-03-01 11:41:00 UTC:**\n\n```\n{\n  "verdict": "malicious",\n  "score": 3\n}\n```'),
        ("markdown", '**DBot, 2026-03-01 11:42:00 UTC:**\n\n````\n[{"host": "a```b"}]\n````'),
        ("text", "admin, 2026-03-01 11:43:00 UTC:\n"),
        ("text", "admin, 2026-03-01 11:44:00 UTC: the original mail"),
        ("text", "admin, 2026-03-01 11:47:00 UTC:\npong"),
    ]
    assert [entry["Note"] for entry in entries] == [False, True, True, True, True, True, False, False]
    assert {json.dumps(entry["Tags"]) for entry in entries} == {'["share"]'}
    assert {entry["Type"] for entry in entries if not entry.get("File")} == {1}
    assert entries[0]["Category"] == "chat"


@pytest.mark.parametrize("created", [None, "", "garbage", "0001-01-01T00:00:00Z"])
def test_an_entry_without_a_readable_time_still_names_its_author(server: Server, remote: Remote, created: Any) -> None:
    """
    Given: an entry whose creation time is missing or the zero time.
    When: it is pulled with the history.
    Then: it comes in, with its author alone above it.
    """
    server.params["fetch_incident_history"] = True
    remote.add("1")
    server.fetch()
    entry = {**ENTRIES["chat"], "id": "1@1", "created": created, "modified": NOW, "contents": "hello"}
    remote.fail("POST /investigation/1", json={"id": "1", "entries": [entry]})

    assert [entry["Contents"] for entry in server.pull("1")[1]] == ["admin:\nhello"]


def test_a_file_comes_in_with_its_bytes_and_as_the_note_it_is(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: tagged files in the War Room, one of them a note, one with a hostile name, one an image.
    When: the incident is pulled.
    Then: each comes as a file with its bytes and a plain name, once.
    """
    remote.write_file(mirrored, "a.bin", bytes(range(256)), note=True)
    remote.write_file(mirrored, "../../b.txt", b"b")
    remote.write_file(mirrored, "c.png", b"c", type=9)
    remote.write_file(mirrored, "", b"d", category="")

    _, entries = server.pull(mirrored)

    assert [(entry["File"], server.content(entry["FileID"]), entry["Note"], entry["Type"]) for entry in entries] == [
        ("a.bin", bytes(range(256)), True, 3),
        ("b.txt", b"b", False, 3),
        ("c.png", b"c", False, 3),
        ("file", b"d", False, 3),
    ]
    assert {json.dumps(entry["Tags"]) for entry in entries} == {'["share"]'}
    assert server.pull(mirrored)[1] == []


def test_what_comes_in_carries_no_tag_that_would_send_it_out(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an entry and a file with an incoming and an outgoing tag.
    When: they are pulled.
    Then: they come without the outgoing tag.
    """
    remote.write(mirrored, "hello", tags=["send", "share", "x"])
    remote.write_file(mirrored, "a.txt", b"a", tags=["share", "send"])

    assert [entry["Tags"] for entry in server.pull(mirrored)[1]] == [["share", "x"], ["share"]]


def test_a_failed_pull_leaves_everything_to_the_next(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a changed incident with an entry and a file, and a remote that goes away at the file.
    When: the incident is pulled, and again.
    Then: the first pull keeps nothing, and the second brings the fields, the entry and the file.
    """
    remote.change(mirrored, details="new")
    remote.write(mirrored, "hello")
    remote.write_file(mirrored, "a.txt", b"a")
    modified(server)
    before = server.memory()
    remote.fail("", status_code=502, times=99, skip=2)
    server.fails("get-remote-data", id=mirrored, lastUpdate=LAST_UPDATE)
    remote.faults.clear()
    assert server.memory() == before

    first, entries = server.pull(mirrored)

    assert first["details"] == "new"
    assert [entry.get("File") or contents([entry])[0] for entry in entries] == ["hello", "a.txt"]


def test_a_file_that_is_gone_does_not_hold_up_the_rest(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a changed incident with two entries and, between them, a file that the remote no longer has.
    When: the incident is pulled.
    Then: the fields and the entries come in, and the log names the incident: one lost file does not stop the mirror for ever.
    """
    remote.change(mirrored, details="new")
    remote.write(mirrored, "one")
    entry = remote.write_file(mirrored, "gone.txt", b"x")
    del remote.files[entry["id"]]
    remote.write(mirrored, "two")

    first, entries = server.pull(mirrored)

    assert first["details"] == "new"
    assert [text for text in contents(entries) if text in ("one", "two")] == ["one", "two"]
    assert [line for line in server.lines("info") if entry["id"] in line]


@pytest.mark.parametrize("answer", [error_body(404, "not_found"), {"text": ""}, {"json": {}}], ids=["404", "empty", "no id"])
def test_an_incident_that_is_gone_is_said(server: Server, remote: Remote, answer: dict[str, Any]) -> None:
    """
    Given: a remote incident that was deleted.
    When: it is pulled.
    Then: the field that a mapper can show says that the remote has it not, and the log does too; nothing else of it changes.
    """
    remote.fail("GET /incident/load/5", **answer)

    fields, entries = server.pull("5")

    assert "The remote tenant has no" in fields["in_mirror_error"]
    assert {key for key in fields if not key.startswith("dbotMirror")} == {"id", *REPORT} - {"mirror_last_in", "mirror_last_out"}
    assert fields["mirror_state"] == "Error"
    assert entries == []
    assert [line for line in server.lines("info") if "incident 5" in line]


def test_an_incident_that_could_not_be_read_is_tried_again_later(
    server: Server, remote: Remote, mirrored: str, clock: Any
) -> None:
    """
    Given: a mirrored incident that the key may not read for a while.
    When: rounds run every quarter of an hour.
    Then: it is told of again after an hour, its fields come in whole, and the error is cleared.
    """
    remote.change(mirrored, details="new")
    assert modified(server) == [mirrored]
    remote.fail("GET /incident/load", status_code=404, json=ERRORS["not_found"])
    assert server.pull(mirrored)[0]["in_mirror_error"]
    told = []
    for _ in range(5):
        told.append(modified(server))
        clock.tick(timedelta(minutes=15))

    assert told == [[], [], [], [], [mirrored]]
    fields, _ = server.pull(mirrored)
    assert (fields["details"], fields["in_mirror_error"]) == ("new", "")
    assert modified(server) == []


def test_a_person_who_looks_at_an_incident_that_is_gone_leaves_no_trace(server: Server, remote: Remote) -> None:
    """
    Given: an ID that the remote does not have.
    When: a person runs get-remote-data with it, without lastUpdate.
    Then: it says so, and nothing is remembered: no round would ask for it for ever.
    """
    outcome = server.run("get-remote-data", {"id": "999"})

    assert "The remote tenant has no" in outcome.error + json.dumps(outcome.result)
    assert server.memory() == ({}, {}, {})


def test_an_incident_that_stays_gone_is_forgotten(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """
    Given: a mirrored incident that was deleted.
    When: rounds and fetches run for three months.
    Then: it is told of less and less often, and then no more; the context forgets it with the next fetched incident.
    """
    del remote.incidents[mirrored]
    modified(server)
    server.pull(mirrored)
    told = 0
    for _ in range(90 * 4):
        clock.tick(timedelta(hours=6))
        if modified(server):
            told += 1
            server.pull(mirrored)
    remote.add("9")
    server.fetch()

    assert 5 <= told <= 12
    assert set(kept_records(server)) == {"9"}


def test_an_incident_without_a_time_of_change_is_brought_each_time(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a remote incident that does not say when it changed.
    When: it is pulled, changed and pulled again.
    Then: its fields come in both times.
    """
    remote.incidents[mirrored]["modified"] = None
    remote.incidents[mirrored]["details"] = "one"
    assert server.pull(mirrored)[0]["details"] == "one"
    remote.incidents[mirrored]["details"] = "two"
    assert server.pull(mirrored)[0]["details"] == "two"


def test_what_is_remembered_stays_bounded() -> None:
    """
    Given: records of an open incident, of one that was closed long ago and of one closed yesterday, and very many of others.
    When: it is told which are to be forgotten.
    Then: it is the one closed long ago, and of too many the oldest closed ones; open ones are not.
    """
    now_ms = script.parse_ms(NOW, 0)
    old, recent = "2025-01-01T00:00:00Z", "2026-02-28T00:00:00Z"
    records = {
        "open": script.Record(modified=old, status=1),
        "closed": script.Record(modified=old, status=2),
        "yesterday": script.Record(modified=recent, status=2),
    }

    assert script.forgotten(records, now_ms) == {"closed"}

    many = {str(number): script.Record(modified=NOW, status=1) for number in range(script.KEPT_RECORDS - 1)}
    assert script.forgotten({**records, **many}, now_ms) == {"closed", "yesterday"}


def test_an_id_goes_into_the_address_whole(server: Server, remote: Remote) -> None:
    """
    Given: an ID with characters that mean something in an address.
    When: it is pulled.
    Then: they are sent as part of the ID.
    """
    server.pull("../user?x#1")

    assert remote.calls[0].url == f"{HOST_8}/xsoar/incident/load/..%2Fuser%3Fx%231"


def last_line(entry: dict[str, Any]) -> str:
    """Return the last line of an entry's text."""
    return str(entry["Contents"]).rpartition("\n")[2]


@pytest.mark.parametrize("kept", ["the last three", "none"])
def test_an_edit_is_known_whatever_is_kept_of_the_history(server: Server, remote: Remote, mirrored: str, kept: str) -> None:
    """Given a remote that keeps little of a history, or stops giving it; When an entry is edited; Then each text comes once."""
    entry = remote.write(mirrored, "0")
    remote.edit(entry, "1")
    came = [last_line(item) for item in server.pull(mirrored)[1]]
    if kept == "none":
        entry["history"] = None
        came += [last_line(item) for item in server.pull(mirrored)[1]]
        assert came == ["1"]
        return
    for number in range(2, 8):
        remote.edit(entry, str(number))
        entry["history"] = entry["history"][-3:]
        came += [last_line(item) for item in server.pull(mirrored)[1]]
    assert came == [str(number) for number in range(1, 8)]


def test_a_history_with_the_newest_first_tells_an_edit_back(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a remote that gives the newest text of a history first; When an entry is edited back; Then that comes too."""
    entry = remote.write(mirrored, "a")
    came = [last_line(item) for item in server.pull(mirrored)[1]]
    for text in ("b", "a"):
        remote.edit(entry, text)
        entry["history"].sort(key=lambda item: item["contentDate"], reverse=True)
        came += [last_line(item) for item in server.pull(mirrored)[1]]
        entry["history"].sort(key=lambda item: item["contentDate"])

    assert came == ["a", "b", "a"]


def test_each_edit_of_an_entry_comes_once_and_says_so(server: Server, remote: Remote, mirrored: str) -> None:
    """Given an entry that came in; When it is edited, and edited back; Then each text comes once, marked as edited."""
    entry = remote.write(mirrored, "blocked 10.0.0.1")
    pulls = [server.pull(mirrored)[1]]
    for text in ("blocked 10.0.0.2", "blocked 10.0.0.1"):
        remote.edit(entry, text)
        pulls += [server.pull(mirrored)[1], server.pull(mirrored)[1]]

    first, second, nothing, third, nothing_again = pulls
    assert [last_line(item) for item in (*first, *second, *third)] == [
        "blocked 10.0.0.1",
        "blocked 10.0.0.2",
        "blocked 10.0.0.1",
    ]
    assert (nothing, nothing_again) == ([], [])
    assert ["edited" in item["Contents"] for item in (*first, *second, *third)] == [False, True, True]


@pytest.mark.parametrize(
    "history",
    [
        None,
        [],
        [{"user": "carl", "contents": "the text", "contentsFormat": "text"}],
        [{"user": "carl"}, {"user": "carl", "contents": None}],
        ["damaged", None],
        "damaged",
    ],
    ids=["none", "empty", "the same text", "no text", "items of another kind", "of another kind"],
)
def test_a_history_without_another_text_is_no_edit(server: Server, remote: Remote, mirrored: str, history: Any) -> None:
    """Given an entry that came in; When its history holds no other text, as after marking it as a note; Then it comes once."""
    entry = remote.write(mirrored, "the text")
    server.pull(mirrored)
    entry["history"] = history
    remote.change(mirrored)

    assert server.pull(mirrored)[1] == []


def test_what_we_wrote_comes_in_when_somebody_edits_it_there(server: Server, remote: Remote, mirrored: str) -> None:
    """Given an entry that went out and would match the incoming tags; When it is edited there; Then the edited text comes."""
    pushed(server, mirrored, entries=[local_entry(1, "from here")])
    (entry,) = remote.entries[mirrored]
    remote.tag(entry, "share")
    assert server.pull(mirrored)[1] == []

    remote.edit(entry, "corrected there")

    assert [last_line(item) for item in server.pull(mirrored)[1]] == ["corrected there"]


CLOSING = {"dbotIncidentClose": True, "closeReason": "Resolved", "closeNotes": "Nothing left to do."}
REOPENING = {"dbotIncidentReopen": True}


def test_closing_and_reopening_come_in_once_each(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a mirrored incident.
    When: the remote closes it, changes it, reopens it, changes it and closes it again.
    Then: each closing and reopening comes in once, with reason and notes, and not with the other changes.
    """
    given = []
    for fields in (
        {"status": 2, "closeReason": "Resolved", "closeNotes": "Nothing left to do."},
        {"details": "still closed"},
        {"status": 1},
        {"details": "still open"},
        {"status": 2, "closeReason": "Duplicate", "closeNotes": "See 3."},
    ):
        remote.change(mirrored, **fields)
        entries = server.pull(mirrored)[1]
        assert {entry["ContentsFormat"] for entry in entries} <= {"json"}
        given.append(contents(entries))
        assert server.pull(mirrored)[1] == []

    assert given == [
        [CLOSING],
        [],
        [REOPENING],
        [],
        [{"dbotIncidentClose": True, "closeReason": "Duplicate", "closeNotes": "See 3."}],
    ]


def test_a_closing_without_reason_and_notes_comes_in_with_some(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a remote incident that is closed without a reason or notes.
    When: it is pulled.
    Then: the local one is closed with some, as its form may require them.
    """
    remote.close(mirrored, "", "")

    (closing,) = contents(server.pull(mirrored)[1])

    assert closing["closeReason"] == "Other"
    assert closing["closeNotes"]


def test_a_reopening_comes_before_the_entries(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a closed incident that is reopened and gets an entry. XSOAR: entries are mirrored for active incidents only.
    When: it is pulled.
    Then: the reopening comes before the entry.
    """
    remote.close(mirrored)
    server.pull(mirrored)
    remote.change(mirrored, status=1)
    remote.write(mirrored, "there is more")

    assert contents(server.pull(mirrored)[1]) == [REOPENING, "there is more"]


def test_an_entry_for_a_closed_incident_reopens_it_for_a_moment(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an incident that is closed on both sides, reopened there, written into and closed again before the next round.
    When: it is pulled, and the server tells of the incident while it is open.
    Then: the entry comes between a reopening and a closing with the last words, and nothing of that goes back.
    """
    remote.close(mirrored)
    server.pull(mirrored)
    remote.change(mirrored, status=1)
    remote.write(mirrored, "one more thing")
    remote.close(mirrored, "Duplicate", "See 3.")

    entries = server.pull(mirrored)[1]
    remote.calls.clear()
    pushed(server, mirrored, status=1, delta={})

    closing = {"dbotIncidentClose": True, "closeReason": "Duplicate", "closeNotes": "See 3."}
    assert contents(entries) == [REOPENING, "one more thing", closing]
    assert not remote.writes()
    assert server.pull(mirrored)[1] == []


def test_a_pending_incident_that_is_opened_is_not_reopened(server: Server, remote: Remote) -> None:
    """
    Given: a pending incident that becomes active.
    When: it is pulled.
    Then: no reopening comes of it.
    """
    remote.add("1", status=0, investigationId="")
    server.fetch()
    remote.change("1", status=1, investigationId="1")

    assert server.pull("1")[1] == []


@pytest.mark.parametrize("status", [2, 3])
def test_an_archived_incident_is_neither_closed_again_nor_reopened(
    server: Server, remote: Remote, mirrored: str, status: int
) -> None:
    """
    Given: an incident that was closed, here too.
    When: the remote archives it, or changes it otherwise.
    Then: the local one stays as it is.
    """
    remote.close(mirrored)
    assert len(server.pull(mirrored)[1]) == 1
    remote.change(mirrored, status=status, details="x")

    assert server.pull(mirrored)[1] == []


def test_with_the_switch_off_neither_closing_nor_reopening_comes_in(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: the switch Close Mirrored XSOAR Incident, off.
    When: the remote closes and reopens the incident.
    Then: the fields come in, the transitions do not.
    """
    server.params["close_incident"] = False
    remote.close(mirrored)
    first, entries = server.pull(mirrored)
    assert (first["status"], entries) == (2, [])
    remote.change(mirrored, status=1)

    assert server.pull(mirrored)[1] == []


def test_closing_comes_behind_the_entries(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an entry and then the closing. XSOAR: entries are mirrored for active incidents only.
    When: the incident is pulled.
    Then: the entry comes before the closing.
    """
    remote.write(mirrored, "last words")
    remote.close(mirrored)

    entries = server.pull(mirrored)[1]

    assert contents(entries) == ["last words", CLOSING]


def test_a_closing_that_failed_to_come_in_comes_with_the_next_pull(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a closed remote incident whose entries cannot be read at first.
    When: it is pulled twice.
    Then: the second pull closes the local one.
    """
    remote.close(mirrored)
    remote.fail("POST /investigation", status_code=502, times=3)
    server.fails("get-remote-data", id=mirrored, lastUpdate=LAST_UPDATE)

    assert [entry["Contents"] for entry in server.pull(mirrored)[1]] == [CLOSING]


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
    Then: only the later one costs a second reading, and it arrives.
    """
    pushed(server, mirrored, delta={"customerticket": "T-1"})
    pushed(server, mirrored, delta={"mailfrom": "eve@example.com"})
    assert len(remote.asked("GET /incidentfields")) == 1
    added = {**remote.incident_fields[-1], "id": "incident_later", "cliName": "later", "system": False, "group": 0}
    remote.incident_fields = [*remote.incident_fields, added]

    pushed(server, mirrored, delta={"later": "x"})

    assert len(remote.asked("GET /incidentfields")) == 2
    assert remote.incidents[mirrored]["CustomFields"]["later"] == "x"


def test_close_reasons_are_read_once_an_hour(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: five incidents that are closed here one after another, and a remote that offers another reason behind the second.
    When: they are closed within an hour, the fourth with that reason, the last one an hour later.
    Then: the fields are asked for at first, for the reason that was not offered, and an hour later; and each reason arrives.
    """
    for number in range(1, 6):
        remote.add(str(number))
    server.fetch()
    offered = ["Resolved", "Duplicate"]
    remote.incident_fields.append({"cliName": "closeReason", "system": True, "group": 0, "selectValues": offered})
    asked = []
    for number, reason in enumerate(["Resolved", "Duplicate", "Resolved", "Handed over", "Handed over"], start=1):
        if number == 3:
            offered.append("Handed over")
        if number == 5:
            clock.tick(timedelta(hours=1))
        pushed(server, str(number), status=2, delta={"status": 2, "closeReason": reason, "closeNotes": "done"})
        asked.append(len(remote.asked("GET /incidentfields")))
        assert remote.incidents[str(number)]["closeReason"] == reason

    assert asked == [1, 1, 1, 2, 3]


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

    assert "changed by somebody else" in error
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
    assert (set(fields), entries) == ({"id", *REPORT}, [])
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
    """Given a person who runs update-remote-system without what the server gives; When it runs; Then it refuses."""
    assert "There is nothing to send" in server.fails("update-remote-system")
    assert remote.calls == []


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


""" OUT: ENTRIES """


def arrived(remote: Remote, incident_id: str) -> list[tuple[str, str, bool]]:
    """Return the entries of a remote War Room: the text under the line with author and time, the format, whether it is a note."""
    return [
        (re.sub(r"\A[^\n]*\n+", "", entry["contents"]), entry["format"], entry["note"]) for entry in remote.entries[incident_id]
    ]


def test_tagged_entries_go_once_each_in_their_order(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: entries with the outgoing tag, another tag, no tags and null tags, in no order, and one sent before.
    When: they are sent, and all of them again with one more.
    Then: the tagged ones arrive once each, the oldest first, with author and time above them.
    """
    first = [
        local_entry(3, "three"),
        local_entry(1, "one", tags=["x", "send"]),
        local_entry(4, "other tag", tags=["share"]),
        local_entry(5, "no tags", tags=[]),
        local_entry(6, "null tags", tags=None),
    ]
    pushed(server, mirrored, entries=first)
    pushed(server, mirrored, entries=[*first, local_entry(7, "seven")])

    assert [text for text, _, _ in arrived(remote, mirrored)] == ["one", "three", "seven"]
    assert remote.entries[mirrored][0]["contents"] == "lea, 2026-03-01 11:50:01 UTC:\none"


@pytest.mark.parametrize("entries", [None, [], [local_entry(1, "x", tags=None)]], ids=["null", "none", "untagged"])
def test_without_entries_to_send_nothing_is_called(
    server: Server, remote: Remote, mirrored: str, entries: list[dict[str, Any]] | None
) -> None:
    """
    Given: no entries, or none with the outgoing tag.
    When: an update runs.
    Then: the remote is asked nothing.
    """
    assert pushed(server, mirrored, entries=entries) == mirrored

    assert remote.calls == []


def test_without_an_outgoing_tag_no_entry_goes(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: no outgoing tag in the settings.
    When: entries with tags are to be sent.
    Then: none goes.
    """
    server.params["mirror_tag"] = ""

    pushed(server, mirrored, entries=[local_entry(1, "x")])

    assert remote.calls == []


NOTE_BODY = {"id": "", "version": 0, "investigationId": "1"}


@pytest.mark.parametrize(
    ("fields", "expected", "calls"),
    [
        pytest.param({"contents": "a <b>"}, ("a <b>", "text", False), ["formatted"], id="chat"),
        pytest.param({"contents": "a <b>", "note": True}, ("a <b>", "text", True), ["note"], id="note"),
        pytest.param(
            {"contents": "**a**", "format": "markdown", "note": True}, ("**a**", "markdown", True), ["note"], id="Markdown note"
        ),
        pytest.param({"contents": "**a**", "format": "markdown"}, ("**a**", "markdown", False), ["formatted"], id="Markdown"),
        pytest.param({"contents": "<i>a</i>", "format": "html"}, ("<i>a</i>", "html", False), ["formatted"], id="HTML"),
        pytest.param(
            {"contents": "<i>a</i>", "format": "html", "note": True},
            ("<i>a</i>", "html", True),
            ["formatted", "note"],
            id="HTML note",
        ),
        pytest.param(
            {"contents": {"a": ["ü"]}, "format": "json"},
            ('```\n{\n  "a": [\n    "ü"\n  ]\n}\n```', "markdown", False),
            ["formatted"],
            id="an object",
        ),
        pytest.param(
            {"contents": '[{"a": 1}]', "format": "table"}, ('```\n[{"a": 1}]\n```', "markdown", False), ["formatted"], id="table"
        ),
        pytest.param({"contents": None, "note": True}, ("", "text", True), ["note"], id="null"),
        pytest.param({"contents": None}, ("", "text", False), ["formatted"], id="null chat"),
        pytest.param({"contents": 5}, ("```\n5\n```", "markdown", False), ["formatted"], id="a number"),
        pytest.param({"contents": "a", "format": ""}, ("a", "text", False), ["formatted"], id="no format"),
        pytest.param({"contents": "a", "format": None, "note": None}, ("a", "text", False), ["formatted"], id="nulls"),
    ],
)
def test_an_entry_arrives_as_what_it_is(
    server: Server, remote: Remote, mirrored: str, fields: dict[str, Any], expected: tuple[str, str, bool], calls: list[str]
) -> None:
    """
    Given: a local entry: chat or note, of one of the formats, or with contents that are no text.
    When: it is sent.
    Then: it arrives with its text, its format and as the note it is, and never as the word False or None.
    """
    pushed(server, mirrored, entries=[local_entry(1, text=fields["contents"], **drop(fields, "contents"))])

    assert arrived(remote, mirrored) == [expected]
    assert [call.route for call in remote.asked("POST /entry")] == [f"POST /entry/{route}" for route in calls]


@pytest.mark.parametrize("text", ["!DeleteEverything id=1", "/close", "!", "/", "\n!x", "@admin look"])
@pytest.mark.parametrize("note", [True, False], ids=["note", "chat"])
def test_a_text_that_looks_like_a_command_is_not_run(
    server: Server, remote: Remote, mirrored: str, text: str, note: bool
) -> None:
    """
    Given: a text that a War Room would run as a command. XSOAR REST API: the route /entry does, /entry/note and
        /entry/formatted do not.
    When: it is sent.
    Then: it arrives as a text, by a route that runs nothing.
    """
    pushed(server, mirrored, entries=[local_entry(1, text, note=note)])

    assert [entry["contents"] for entry in remote.entries[mirrored]] == [f"lea, 2026-03-01 11:50:01 UTC:\n{text}"]
    assert {call.route for call in remote.asked("POST /entry")} <= {"POST /entry/note", "POST /entry/formatted"}


def local_file(server: Server, folder: Path, number: int, content: bytes, **fields: Any) -> dict[str, Any]:
    """Return a local entry with a file that the server keeps."""
    path = folder / f"stored-{number}"
    path.write_bytes(content)
    server.files[f"{number}@77"] = {"id": f"{number}@77", "path": str(path), "name": fields.get("file", "a.bin")}
    return local_entry(
        number, "the comment", **{"type": 3, "file": "a.bin", "fileID": f"stored-{number}", "category": "", **fields}
    )


@pytest.mark.parametrize("note", [True, False], ids=["note", "no note"])
def test_a_file_goes_as_a_file_with_its_bytes_and_nothing_else(
    server: Server, remote: Remote, mirrored: str, tmp_path: Path, note: bool
) -> None:
    """
    Given: a local file.
    When: it is sent, and again.
    Then: it is uploaded once as multipart with a boundary, its bytes and name unchanged, and no text is posted beside it.
    """
    content = bytes(range(256)) * 3000
    entry = local_file(server, tmp_path, 1, content, file="Überblick 2026.bin", note=note)

    pushed(server, mirrored, entries=[entry])
    pushed(server, mirrored, entries=[entry])

    (call,) = remote.asked("POST /entry")
    assert call.route == f"POST /entry/upload/{mirrored}"
    assert re.fullmatch(r"multipart/form-data; boundary=\S+", call.headers["Content-Type"])
    assert call.form["file"] == ("Überblick 2026.bin", content)
    assert call.form["isNoteEntry"][1] == (b"true" if note else b"false")
    assert call.form["fileComment"][1].startswith(b"lea, 2026-03-01 11:50:01 UTC")
    (written,) = remote.entries[mirrored]
    assert written["note"] is note


def test_a_file_whose_upload_answers_with_one_entry_is_known_too(
    server: Server, remote: Remote, mirrored: str, tmp_path: Path
) -> None:
    """
    Given: a remote that answers an upload with one entry instead of a list of them.
    When: a file is sent, and then gets the incoming tag there.
    Then: it does not come back in.
    """
    entry = remote.write_file(mirrored, "a.bin", b"a")
    remote.fail("POST /entry/upload", json={"entries": {"id": entry["id"]}})

    pushed(server, mirrored, entries=[local_file(server, tmp_path, 1, b"a")])

    assert server.pull(mirrored)[1] == []


def test_a_file_name_that_points_elsewhere_goes_as_a_plain_name(
    server: Server, remote: Remote, mirrored: str, tmp_path: Path
) -> None:
    """
    Given: a local file with a name that holds folders, quotes and line breaks.
    When: it is sent.
    Then: the remote gets a plain name.
    """
    pushed(server, mirrored, entries=[local_file(server, tmp_path, 1, b"a", file='../x/a\r\n"b.txt')])

    assert [entry["file"].replace("%22", '"') for entry in remote.entries[mirrored]] == ['a"b.txt']


def test_a_large_file_that_goes_out_is_never_in_memory_whole(
    server: Server, remote: Remote, mirrored: str, tmp_path: Path, requests_mock: Any
) -> None:
    """
    Given: a local file of 48 MiB.
    When: it is sent.
    Then: all of it goes, and it took a fraction of that in memory.
    """
    entry = local_file(server, tmp_path, 1, b"")
    with Path(server.files[entry["id"]]["path"]).open("wb") as content:
        content.truncate(LARGE)
    lengths: list[int] = []

    def swallow(request: Any) -> requests.Response | None:
        if "/entry/upload/" not in str(request.url):
            return None
        lengths.append(length_of(request.body))
        return create_response(request, json={"entries": [{"id": "1@1"}]})

    requests_mock.add_matcher(swallow)

    peak = peak_memory(lambda: pushed(server, mirrored, entries=[entry]))

    assert LARGE < lengths[0] < LARGE + 10_000
    assert peak < LARGE / 4


def length_of(body: Any) -> int:
    """Return how long the body of a request is, reading it piece by piece where it comes so."""
    if isinstance(body, bytes):
        return len(body)
    if hasattr(body, "read"):
        return sum(len(piece) for piece in iter(lambda: body.read(1 << 16), b""))
    return sum(len(piece) for piece in body)


def test_what_went_out_does_not_come_back_in(server: Server, remote: Remote, mirrored: str, tmp_path: Path) -> None:
    """
    Given: a chat, a note and a file that were sent.
    When: somebody there gives them the incoming tag, and the incident is pulled.
    Then: none comes back.
    """
    pushed(
        server,
        mirrored,
        entries=[local_entry(1, "chat"), local_entry(2, "note", note=True), local_file(server, tmp_path, 3, b"file")],
    )
    for entry in remote.entries[mirrored]:
        remote.tag(entry, "share")

    assert len(remote.entries[mirrored]) == 3
    assert server.pull(mirrored)[1] == []


@pytest.mark.parametrize(
    "fault", [{"status_code": 502}, {"answer": requests.exceptions.ConnectTimeout("x")}, error_body(403, "v8_no_permission")]
)
def test_each_entry_goes_once_after_a_failure_in_the_middle(
    server: Server, remote: Remote, mirrored: str, fault: dict[str, Any]
) -> None:
    """
    Given: three entries and a remote that fails at the second.
    When: they are sent, and the server sends all of them again.
    Then: the server sees the failure, and in the end each is there once.
    """
    entries = [local_entry(number, str(number), note=True) for number in (1, 2, 3)]
    remote.fail("POST /entry/note", skip=1, **fault)

    assert push(server, mirrored, entries=entries).error
    pushed(server, mirrored, entries=entries)

    assert sorted(text for text, _, _ in arrived(remote, mirrored)) == ["1", "2", "3"]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(error_body(413, "too_large"), id="too large"),
        pytest.param({"status_code": 500, "text": "oops"}, id="500"),
        pytest.param({"answer": requests.exceptions.ReadTimeout("slow")}, id="times out"),
    ],
)
def test_an_entry_that_never_goes_does_not_hold_up_the_others(
    server: Server, remote: Remote, mirrored: str, tmp_path: Path, fault: dict[str, Any]
) -> None:
    """
    Given: a file that never gets into an otherwise healthy remote, one that is no longer here, and a note behind them.
    When: they are sent, again and again.
    Then: the note arrives, once; the server sees an error that names the incident each time.
    """
    entries = [
        local_file(server, tmp_path, 1, b"huge"),
        local_entry(2, "", type=3, file="gone.txt", fileID="gone"),
        local_entry(3, "behind", note=True),
    ]
    remote.fail("POST /entry/upload", times=99, **fault)

    errors = [push(server, mirrored, entries=entries).error for _ in range(2)]

    assert arrived(remote, mirrored) == [("behind", "text", True)]
    assert all(f"Incident {mirrored}" in error for error in errors)


def test_a_local_file_that_is_gone_is_said(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an entry whose file the server no longer has.
    When: it is sent.
    Then: the error names the incident and the entry.
    """
    error = push(server, mirrored, entries=[local_entry(2, "", type=3, file="gone.txt", fileID="gone")]).error

    assert f"Incident {mirrored}" in error
    assert "2@77" in error


def test_each_edit_of_a_local_entry_goes_once_and_says_so(server: Server, remote: Remote, mirrored: str) -> None:
    """Given an entry that went out; When the server gives it again, edited, twice; Then the edited text is written once."""
    entry = local_entry(1, "blocked 10.0.0.1")
    pushed(server, mirrored, entries=[entry])
    edited = {**entry, "contents": "blocked 10.0.0.2", "history": [{"user": "lea", "contents": "blocked 10.0.0.1"}]}
    pushed(server, mirrored, entries=[edited])
    pushed(server, mirrored, entries=[edited])

    texts = [written["contents"] for written in remote.entries[mirrored]]
    assert [text.rpartition("\n")[2] for text in texts] == ["blocked 10.0.0.1", "blocked 10.0.0.2"]
    assert ["edited" in text for text in texts] == [False, True]


def test_an_entry_that_could_not_be_made_a_note_is_not_written_twice(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an HTML note, which takes two calls, and a remote that fails at the second.
    When: it is sent, and the server sends it again.
    Then: it is there once.
    """
    entries = [local_entry(1, "<i>a</i>", format="html", note=True)]
    remote.fail("POST /entry/note", status_code=502)

    push(server, mirrored, entries=entries)
    pushed(server, mirrored, entries=entries)

    assert [text for text, _, _ in arrived(remote, mirrored)] == ["<i>a</i>"]


@pytest.mark.parametrize("note", [True, False], ids=["note", "chat"])
def test_an_entry_whose_answer_was_lost_is_not_doubled(server: Server, remote: Remote, mirrored: str, note: bool) -> None:
    """
    Given: a remote that writes an entry and whose answer is lost.
    When: the server sends it again, with a later one.
    Then: each is there once, and does not come back in.
    """
    remote.fail("POST /entry", requests.exceptions.ConnectionError("reset"), after=True)
    first = local_entry(1, "once", note=note)
    assert push(server, mirrored, entries=[first]).error

    pushed(server, mirrored, entries=[first, local_entry(2, "later")])

    assert [text for text, _, _ in arrived(remote, mirrored)] == ["once", "later"]
    for entry in remote.entries[mirrored]:
        remote.tag(entry, "share")
    assert server.pull(mirrored)[1] == []


def test_a_file_whose_answer_was_lost_is_not_doubled_nor_mistaken(
    server: Server, remote: Remote, mirrored: str, tmp_path: Path
) -> None:
    """
    Given: a remote that takes a file and whose answer is lost, and that has another file of the same name.
    When: the server sends it again, with a second one of the same name.
    Then: each of the two is there once.
    """
    remote.write_file(mirrored, "a.bin", b"somebody else's", tags=None, fileMetadata={"size": 15})
    entries = [local_file(server, tmp_path, 1, b"first one"), local_file(server, tmp_path, 2, b"second")]
    remote.fail("POST /entry/upload", requests.exceptions.ConnectionError("reset"), after=True)
    assert push(server, mirrored, entries=entries[:1]).error

    pushed(server, mirrored, entries=entries)

    assert [remote.files[entry["id"]] for entry in remote.entries[mirrored]] == [b"somebody else's", b"first one", b"second"]


def test_a_file_that_the_rate_limit_refused_goes_whole(server: Server, remote: Remote, mirrored: str, tmp_path: Path) -> None:
    """
    Given: a remote that reads an upload and then refuses it for its rate.
    When: the file is sent.
    Then: the next try sends all of it again.
    """
    remote.fail("POST /entry/upload", status_code=429)

    pushed(server, mirrored, entries=[local_file(server, tmp_path, 1, b"all of it")])

    assert list(remote.files.values()) == [b"all of it"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"investigationId": "", "status": 0}, "no War Room yet"),
        ({"status": 2}, "reopen it first"),
    ],
    ids=["pending", "closed"],
)
def test_entries_to_a_war_room_that_takes_none_are_an_error_and_go_later(
    server: Server, remote: Remote, fields: dict[str, Any], words: str
) -> None:
    """
    Given: a remote incident that is pending, without a War Room, or closed.
    When: an entry is sent, and again after it was opened.
    Then: the error says what to do, and the entry arrives then.
    """
    remote.add("1", **fields)
    error = push(server, "1", entries=[local_entry(1, "hello")]).error
    assert words in error
    remote.change("1", investigationId="1", status=1)

    pushed(server, "1", entries=[local_entry(1, "hello")])

    assert arrived(remote, "1") == [("hello", "text", False)]


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
    """Given the remote's list of close reasons; When one of here is closed with another; Then nothing of it is lost."""
    remote.incident_fields.append({"cliName": "closeReason", "system": True, "group": 0, "selectValues": offered})
    pushed(server, mirrored, status=2, data={"closeReason": "Benign", "closeNotes": "A test."})

    assert [(body["closeReason"], body["closeNotes"]) for body in closings(remote)] == [(reason, notes)]


def test_a_key_that_may_not_see_the_fields_closes_all_the_same(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a key that may not ask for the incident fields; When one is closed here; Then it is closed there with the reason."""
    remote.fail("GET /incidentfields", status_code=403, json={"detail": "no"}, times=9)
    pushed(server, mirrored, status=2, data={"closeReason": "Benign", "closeNotes": "A test."})

    assert [body["closeReason"] for body in closings(remote)] == ["Benign"]


def test_an_empty_reason_among_the_changes_does_not_hide_the_one_of_the_incident(
    server: Server, remote: Remote, mirrored: str
) -> None:
    """Given a delta whose reason is empty; When an incident is closed here; Then the reason of the incident goes."""
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


""" SCHEMA """


def test_mapping_fields_are_given_per_incident_type(server: Server, remote: Remote) -> None:
    """
    Given: a remote with fields for all types, for some, for none in particular, a field that a pack brought, nulls, a type
        without a name, and fields of indicators.
    When: get-mapping-fields runs.
    Then: each type has its fields, custom ones under CustomFields; Default Mapping has all; indicator fields are nowhere.
    """
    top = {
        "name": "Name - shortText",
        "severity": "Severity - number",
        "details": "Details - longText",
    }
    custom = {
        "customerticket": "Customer Ticket - shortText",
        "isactive": "Is Active - boolean",
        "containmentsla": "Containment SLA - timer",
    }
    phishing = {"sourceip": "Source IP - shortText", "mailfrom": "Mail From - shortText"}
    access = {"sourceip": "Source IP - shortText", "nameless": "nameless - shortText"}

    assert server.ok("get-mapping-fields") == {
        "Default Mapping": {**top, "CustomFields": {**custom, **phishing, **access}},
        "Phishing": {**top, "CustomFields": {**custom, **phishing}},
        "Access": {**top, "CustomFields": {**custom, **access}},
        "nameless-type": {**top, "CustomFields": custom},
    }


def test_reading_the_schema_is_repeated_after_a_fault(server: Server, remote: Remote) -> None:
    """
    Given: a remote that is busy for a moment.
    When: get-mapping-fields runs.
    Then: it has the schema all the same.
    """
    remote.fail("GET /incidenttype", status_code=502)
    remote.fail("GET /incidentfields", status_code=502)

    assert "Phishing" in server.ok("get-mapping-fields")


@pytest.mark.parametrize("answer", [{"json": []}, {"text": "null"}], ids=["list", "null"])
def test_a_remote_without_fields_and_types_gives_a_default_mapping(
    server: Server, remote: Remote, answer: dict[str, Any]
) -> None:
    """
    Given: a remote that names no fields and no types.
    When: get-mapping-fields runs.
    Then: there is still a Default Mapping.
    """
    remote.fail("GET /incidenttype", **answer)
    remote.fail("GET /incidentfields", **answer)

    assert server.ok("get-mapping-fields") == {"Default Mapping": {"CustomFields": {}}}


""" WAR ROOM COMMANDS """

OUTPUT_KEY = "XSOAR.Incident(val.id && val.id == obj.id)"


def test_search_gives_a_table_and_the_incidents_under_their_ids(server: Server, remote_6: Remote, requests_mock: Any) -> None:
    """
    Given: a tenant with the captured incident 4.
    When: a person searches without arguments.
    Then: it asks for open incidents of three days, the newest first, and gives them as a table and under XSOAR.Incident.
    """
    captured = load("incident_search")
    requests_mock.post(f"{HOST_6}/incidents/search", json={"data": [captured], "total": 1})

    result = server.ok("xsoar-search-incidents")

    assert requests_mock.last_request.json() == {
        "filter": {
            "query": "-status:closed -category:job",
            "size": 10,
            "page": 0,
            "sort": [{"field": "created", "asc": False}, {"field": "id", "asc": False}],
            "fromDate": "2026-02-26T12:00:00.000Z",
        }
    }
    assert result["EntryContext"] == {OUTPUT_KEY: [captured]}
    assert result["HumanReadable"] == (
        "### Search Results:\n"
        "|id|name|type|status|severity|owner|occurred|\n"
        "|---|---|---|---|---|---|---|\n"
        "| 4 | testing | Unclassified | 1 | 0 | admin | 2023-03-05T10:06:48.446441435Z |\n"
    )


def test_search_takes_its_arguments_as_they_are(server: Server, remote: Remote) -> None:
    """
    Given: a query that holds an `or`, a start, a number and columns.
    When: a person searches.
    Then: the remote gets the query unchanged, and the table has those columns in that order.
    """
    remote.add("1", severity=3)

    result = server.ok(
        "xsoar-search-incidents",
        query='name:"a b" or id:1',
        start_time="2026-03-01T10:00:00Z",
        max_results="3",
        columns="severity, name,id",
    )

    assert (
        remote.bodies("POST /incidents/search")[0]["filter"].items()
        >= {
            "query": 'name:"a b" or id:1',
            "size": 3,
            "fromDate": "2026-03-01T10:00:00.000Z",
        }.items()
    )
    assert result["HumanReadable"].splitlines()[1:] == ["|severity|name|id|", "|---|---|---|", "| 3 | incident 1 | 1 |"]


def test_search_shows_every_column_of_all(server: Server, remote: Remote) -> None:
    """
    Given: an incident.
    When: a person searches with columns=all.
    Then: the table has every key of it.
    """
    remote.add("1")

    header = server.ok("xsoar-search-incidents", columns="all")["HumanReadable"].splitlines()[1]

    assert set(header.strip("|").split("|")) == {*TEMPLATE, "changeStatus", "insights", "sortValues"}


@pytest.mark.parametrize("search_limit", [1000, 300], ids=["pages as asked for", "smaller pages"])
@pytest.mark.parametrize(("wanted", "expected"), [("1", 1), ("499", 499), ("1000", 1000), ("5000", 1200)])
def test_search_gives_any_number_of_results(
    server: Server, remote: Remote, search_limit: int, wanted: str, expected: int
) -> None:
    """
    Given: 1,200 incidents, at a remote that may give smaller pages than asked for.
    When: a person searches for some number of them.
    Then: there are that many, or all, the newest first, each once.
    """
    remote.search_limit = search_limit
    remote.add_many(1200)

    result = server.ok("xsoar-search-incidents", max_results=wanted)

    assert [incident["id"] for incident in result["EntryContext"][OUTPUT_KEY]] == [str(1200 - n) for n in range(expected)]


@pytest.mark.parametrize(("count", "is_whole"), [(50, True), (51, False)])
def test_search_keeps_the_context_small_when_there_is_much(server: Server, remote: Remote, count: int, is_whole: bool) -> None:
    """
    Given: 51 incidents.
    When: 50 or 51 of them are asked for.
    Then: all are in the context; the 51 without details and custom fields, which the text says.
    """
    remote.add_many(51)

    result = server.ok("xsoar-search-incidents", max_results=str(count))

    (incidents,) = result["EntryContext"].values()
    assert len(incidents) == count
    assert all(incident["name"] == f"incident {incident['id']}" for incident in incidents)
    assert all(("CustomFields" in incident and "details" in incident) is is_whole for incident in incidents)
    assert ("more than 50" in result["HumanReadable"]) is not is_whole
    assert all("details" in incident for incident in result["Contents"])


def test_search_gives_the_number_asked_for_while_incidents_arrive(server: Server, remote: Remote, requests_mock: Any) -> None:
    """
    Given: a new incident that arrives after the first page, so that all others move on by one place.
    When: a person searches for 1,000.
    Then: there are 1,000, each once.
    """
    remote.add_many(1200)

    def arrive(request: Any) -> None:
        if len(remote.calls) == 1:
            remote.add()

    requests_mock.add_matcher(arrive)

    result = server.ok("xsoar-search-incidents", max_results="1000")

    assert len({incident["id"] for incident in result["EntryContext"][OUTPUT_KEY]}) == 1000


def test_search_says_when_there_is_nothing(server: Server, remote: Remote) -> None:
    """
    Given: no incidents, which the remote says with null.
    When: a person searches.
    Then: the table says so, and nothing goes into the context.
    """
    result = server.ok("xsoar-search-incidents")

    assert "No entries" in result["HumanReadable"]
    assert result["EntryContext"] == {}


@pytest.mark.parametrize("command", ["xsoar-search-incidents", "xsoar-get-incident"])
@pytest.mark.parametrize(
    ("args", "words"),
    [
        *(({"max_results": value}, "max_results is") for value in ("0", "-1", "ten", "1.5", " ")),
        *(({name: "soonish"}, f"{name} is 'soonish'") for name in ("start_time", "from_date")),
        *(({name: "3"}, f"{name} is '3'") for name in ("start_time", "from_date")),
        ({"categories": "notes,comments"}, "categories holds 'comments'"),
        ({"id": ""}, "id is missing"),
        ({"id": "  "}, "id is missing"),
        ({"id": None}, "id is missing"),
    ],
    ids=str,
)
def test_a_wrong_argument_is_said_before_anything_is_asked(
    server: Server, remote: Remote, command: str, args: dict[str, Any], words: str
) -> None:
    """
    Given: an argument that is wrong.
    When: a person runs a command that takes it.
    Then: a sentence names it, and the remote is asked nothing.
    """
    takes = {
        "xsoar-search-incidents": {"start_time", "max_results"},
        "xsoar-get-incident": {"id", "from_date", "categories", "max_results"},
    }
    if set(args) <= takes[command]:
        assert words in server.fails(command, **{"id": "1", **args} if command == "xsoar-get-incident" else args)
        assert remote.calls == []
    else:
        # The other command does not have that argument, so it is of no matter there.
        remote.add("1")
        server.ok(command, id="1", **drop(args, "id"))


def test_a_query_that_the_remote_refuses_is_named(server: Server, remote: Remote) -> None:
    """
    Given: a query that the remote cannot read.
    When: a person searches.
    Then: the error names the query and what the remote says of it.
    """
    remote.fail("POST /incidents/search", **error_body(400, "bad_query"))

    error = server.fails("xsoar-search-incidents", query="status:(")

    for word in ("'status:('", "unexpected token at position 7", "Correct the query"):
        assert word in error


def test_get_incident_gives_the_incident_and_its_newest_entries(server: Server, remote_6: Remote, requests_mock: Any) -> None:
    """
    Given: a tenant with the captured incident 4 and its entry.
    When: a person gets it.
    Then: it asks for the chats and notes of three days, and gives both as tables and the incident under XSOAR.Incident.
    """
    captured = load("incident_load")
    requests_mock.get(f"{HOST_6}/incident/load/4", json=captured)
    requests_mock.post(f"{HOST_6}/investigation/4", json={"id": "4", "entries": [ENTRIES["chat"]]})

    result = server.ok("xsoar-get-incident", id="4")

    assert requests_mock.last_request.json() == {
        "fromTime": "2026-02-26T12:00:00.000Z",
        "categories": ["chats", "notes"],
        "pageSize": 1000,
    }
    assert result["EntryContext"] == {OUTPUT_KEY: captured}
    assert result["Contents"] == {"incident": captured, "entries": [ENTRIES["chat"]]}
    assert "### Incident testing\n" in result["HumanReadable"]
    assert "### Last entries since 2026-02-26T12:00:00.000Z\n" in result["HumanReadable"]
    assert "| done |" in result["HumanReadable"]


def test_get_incident_takes_its_arguments(server: Server, remote: Remote) -> None:
    """
    Given: an incident with entries of all kinds.
    When: a person gets it with categories, tags, a start and a number.
    Then: the newest of those that match are shown, the oldest first.
    """
    remote.add("1")
    for number in range(7):
        remote.write("1", f"chat {number}", tags=[("a", "b", "c")[number % 3]])
    remote.write("1", "a note", note=True, tags=["a"])
    remote.write("1", "too early", tags=["a"], created="2026-03-01T09:00:00Z")

    result = server.ok(
        "xsoar-get-incident", id="1", categories="chats", tags="a, b", from_date="2026-03-01T10:00:00Z", max_results="3"
    )

    assert [entry["contents"] for entry in result["Contents"]["entries"]] == ["chat 3", "chat 4", "chat 6"]
    assert remote.bodies("POST /investigation")[0].items() >= {"tags": ["a", "b"], "tagsAndOperator": False}.items()


def test_get_incident_shows_entries_beyond_a_page(server: Server, remote: Remote) -> None:
    """
    Given: an incident with 120 entries at a remote that gives the 50 oldest first.
    When: a person gets 110 of them.
    Then: the newest 110 are shown.
    """
    remote.add("1")
    remote.entry_limit, remote.page_keeps = 50, "oldest"
    for number in range(120):
        remote.write("1", str(number))

    result = server.ok("xsoar-get-incident", id="1", max_results="110")

    assert [entry["contents"] for entry in result["Contents"]["entries"]] == [str(number) for number in range(10, 120)]


def test_get_incident_of_a_pending_one_has_no_entries(server: Server, remote: Remote) -> None:
    """
    Given: a pending incident, without a War Room or a name.
    When: a person gets it.
    Then: it is shown, with no entries.
    """
    remote.add("1", investigationId="", status=0, name="")

    result = server.ok("xsoar-get-incident", id=" 1 ")

    assert "### Incident 1\n" in result["HumanReadable"]
    assert result["HumanReadable"].endswith("**No entries.**\n")


""" WAR ROOM COMMANDS: THE MIRROR """


def local_of(remote: Remote, remote_id: str, **fields: Any) -> dict[str, Any]:
    """Return the local incident that mirrors a remote one, as the server hands it to a command."""
    incident = copy.deepcopy(remote.incidents[remote_id])
    mirroring = {"dbotMirrorId": remote_id, "dbotMirrorInstance": "headquarters", "dbotMirrorDirection": "Both"}
    return {**incident, "id": "77", "investigationId": "77", **mirroring, **fields}


def status(server: Server, **args: Any) -> dict[str, Any]:
    """Run xsoar-mirror-status; return what it puts into the context."""
    result = server.ok("xsoar-mirror-status", **args)
    return result["EntryContext"]["XSOAR.Mirror.Status(val.Instance && val.Instance == obj.Instance)"]


def diff(server: Server, **args: Any) -> dict[str, Any]:
    """Run xsoar-mirror-diff; return what it puts into the context."""
    return server.ok("xsoar-mirror-diff", **args)["EntryContext"]["XSOAR.Mirror.Diff(val.id && val.id == obj.id)"]


def test_status_tells_how_the_mirror_stands(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """
    Given: a mirror that brought an entry in and another out.
    When: its status is asked for two minutes later.
    Then: it names the remote, what is tracked and what crossed, and how old the cursor is; nothing is pending and nothing failed.
    """
    remote.write(mirrored, "in")
    modified(server)
    server.pull(mirrored)
    pushed(server, mirrored, entries=[local_entry(1, "out")])
    clock.tick(timedelta(minutes=6))
    modified(server)
    server.pull(mirrored)
    clock.tick(timedelta(minutes=2))

    told = status(server)

    assert {key: told[key] for key in ("Instance", "Remote", "RemoteVersion", "RemoteError")} == {
        "Instance": "headquarters",
        "Remote": "api-remote.example.com",
        "RemoteVersion": "8.8.0",
        "RemoteError": "",
    }
    assert {key: told[key] for key in ("IncidentsTracked", "IncidentsOpen", "IncidentsPending", "EntriesIn", "EntriesOut")} == {
        "IncidentsTracked": 1,
        "IncidentsOpen": 1,
        "IncidentsPending": 0,
        "EntriesIn": 1,
        "EntriesOut": 1,
    }
    assert 480 <= told["CursorAgeSeconds"] <= 482
    assert told["EntriesMoveModified"] is True
    assert (told["IncidentsBehind"], told["IncidentsWithError"], told["CreationsPending"]) == (0, 0, 0)
    assert (told["LastError"], told["LastErrorTime"]) == ("", None)
    assert told["LastRoundCalls"] > 0
    assert told["LastFetchCalls"] > 0


@pytest.mark.parametrize("skew", [-3600, 0, 90])
def test_status_tells_how_far_the_remote_clock_is_off(server: Server, remote: Remote, requests_mock: Any, skew: int) -> None:
    """Given a remote whose clock is off; When the status is asked for; Then it says by how much, to a second."""
    date = (datetime.now(UTC) + timedelta(seconds=skew)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    requests_mock.get(f"{remote.root}/about", json=load("about")["8"], headers={"Date": date})

    assert abs(status(server)["ClockSkewSeconds"] - skew) <= 1


def test_status_tells_the_last_error_also_while_the_remote_is_away(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a remote that went away; When a round fails and the status is asked for; Then it says so, and what it knows."""
    remote.fail("", status_code=503, times=99)
    server.fails("get-modified-remote-data", lastUpdate=LAST_UPDATE)

    result = server.ok("xsoar-mirror-status")

    told = status(server)
    assert "is not able to answer for now (503)" in told["RemoteError"]
    assert (told["RemoteVersion"], told["IncidentsTracked"]) == ("", 1)
    assert "(503)" in told["LastError"]
    assert told["LastErrorCommand"] == "get-modified-remote-data"
    assert told["LastErrorTime"].startswith("2026-03-01T12:")
    assert "not able to answer" in result["HumanReadable"]


def test_the_same_failure_is_noted_every_five_minutes_only(server: Server, remote: Remote, clock: Any) -> None:
    """Given a remote that stays away; When rounds fail each minute; Then the context is written twice in eight of them."""
    remote.fail("", status_code=503, times=999)
    versions = set()
    for _ in range(8):
        server.fails("get-modified-remote-data", lastUpdate=LAST_UPDATE)
        versions.add(server.context_version)
        clock.tick(timedelta(minutes=1))

    assert len(versions) == 2


def test_quiet_rounds_write_the_context_every_five_minutes_only(
    server: Server, remote: Remote, mirrored: str, clock: Any
) -> None:
    """Given nothing that changes; When the server asks each minute for half an hour; Then six rounds at most are noted."""
    modified(server)
    before = server.context_version
    for _ in range(30):
        clock.tick(timedelta(minutes=1))
        modified(server)

    assert 1 <= server.context_version - before <= 6


def test_a_failure_that_cannot_be_noted_is_told_all_the_same(
    server: Server, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an integration context that cannot be written; When a round fails; Then its own error is told."""

    def broken(*args: Any, **kwargs: Any) -> None:
        raise OSError("the context is not available")

    monkeypatch.setattr(demisto, "setIntegrationContextVersioned", broken, raising=False)
    remote.fail("", status_code=503, times=99)

    assert "(503)" in server.fails("get-modified-remote-data", lastUpdate=LAST_UPDATE)


def test_status_of_one_incident(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a mirrored incident and an unknown one; When the status is narrowed to each; Then the one is told, the other said."""
    remote.write(mirrored, "in")
    server.pull(mirrored)
    pushed(server, mirrored, entries=[local_entry(1, "out")])

    told = status(server, id=mirrored)["Incident"]
    unknown = status(server, id="404")["Incident"]

    assert (told["State"], told["EntriesKnown"], told["EntriesSent"], told["ErrorOut"]) == ("In Step", 2, 1, None)
    assert told["Link"] == f"https://remote.example.com/Details/{mirrored}"
    assert told["LastIn"]
    assert told["LastOut"]
    assert unknown["State"] == "Not mirrored by this instance"


def test_status_survives_a_damaged_context(server: Server, remote: Remote) -> None:
    """Given a context whose health is damaged; When the status is asked for; Then it tells what is left."""
    health = json.dumps({"round_ms": "yesterday", "entries_in": 7, "unknown": 1})
    server.context = json.dumps({"health": health})

    told = status(server)

    assert (told["LastRound"], told["EntriesIn"], told["EntriesOut"]) == (None, 7, 0)


def test_diff_compares_what_crosses(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a mirrored incident that differs in a field, in a custom field, and in much that never crosses.
    When: the diff runs in its War Room.
    Then: the two fields are told with both values, the rest is named with the reason, and nothing is written anywhere.
    """
    remote.incidents[mirrored] |= {"severity": 3, "roles": ["secret"]}
    remote.incidents[mirrored]["CustomFields"] |= {
        "ticket": "C-1",
        "containmentsla": {"runStatus": "idle", "accumulatedPause": 1},
    }
    server.incident = local_of(remote, mirrored, severity=1, roles=None, type="Other", dueDate="0001-01-01T00:00:00Z")
    server.incident["CustomFields"] |= {"ticket": "", "xsoarmirroringstate": "In Step"}
    server.incident["CustomFields"].pop("containmentsla")
    remote.incidents[mirrored]["dueDate"] = ""
    before, writes = server.context, len(remote.writes())

    result = server.ok("xsoar-mirror-diff")
    told = diff(server)

    assert (told["id"], told["equal"], told["different"]) == (mirrored, False, ["severity", "ticket"])
    (severity,) = [row for row in told["fields"] if row["field"] == "severity"]
    assert (severity["here"], severity["there"], severity["equal"]) == (1, 3, False)
    assert {row["field"] for row in told["ignored"]} == {"type", "roles", "containmentsla"}
    assert all(row["reason"] for row in told["ignored"])
    assert "2 fields differ" in result["HumanReadable"]
    assert (server.context, len(remote.writes())) == (before, writes)


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ({"details": ""}, {"details": None}),
        ({"dueDate": "2026-03-04T05:06:07.008Z"}, {"dueDate": "2026-03-04T06:06:07.008123+01:00"}),
        ({"dueDate": "0001-01-01T00:00:00Z"}, {"dueDate": ""}),
        ({"status": 0}, {"status": 1}),
        ({"CustomFields": None}, {"CustomFields": {}}),
        ({"CustomFields": {"grid": []}}, {"CustomFields": {"grid": None}}),
    ],
    ids=["empty", "one instant", "no date", "pending", "no custom fields", "empty list"],
)
def test_diff_takes_for_equal_what_means_the_same(
    server: Server, remote: Remote, mirrored: str, here: dict[str, Any], there: dict[str, Any]
) -> None:
    """Given two spellings of one value; When the diff runs; Then the incidents are equal."""
    server.incident = local_of(remote, mirrored, **here)
    if "CustomFields" not in there:
        server.incident.setdefault("CustomFields", {})
    remote.incidents[mirrored] |= there

    told = diff(server)

    assert (told["equal"], told["different"]) == (True, [])


def test_diff_takes_the_incident_of_a_playbook(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a command that runs nowhere; When the incident is given as JSON, as an object or in a list; Then it is compared."""
    local = local_of(remote, mirrored, name="another")
    for given in (json.dumps(local), local, [local], json.dumps([local])):
        assert diff(server, incident=given)["different"] == ["name"]


def test_diff_of_an_incident_that_is_to_be_linked(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a local incident that mirrors nothing; When the diff is asked with a remote ID; Then they are compared."""
    server.incident = local_of(remote, mirrored, dbotMirrorId="", dbotMirrorInstance="", name="another")

    assert diff(server, id=mirrored)["different"] == ["name"]


@pytest.mark.parametrize("command", ["xsoar-mirror-diff", "xsoar-mirror-resync"])
@pytest.mark.parametrize(
    ("incident", "sentence"),
    [
        (None, "id is missing: run the command in the War Room of a mirrored incident"),
        ({"id": "77", "dbotMirrorId": ""}, "id is missing"),
        ({"dbotMirrorId": "1", "dbotMirrorInstance": "another one"}, 'add using="another one" to the command'),
    ],
    ids=["nowhere", "not mirrored", "another instance"],
)
def test_a_command_that_does_not_know_its_incident_says_so(
    server: Server, remote: Remote, command: str, incident: dict[str, Any] | None, sentence: str
) -> None:
    """Given no ID and no incident that this instance mirrors; When the command runs; Then it says what to give."""
    server.incident = incident

    assert sentence in server.fails(command)
    assert remote.calls == []


@pytest.mark.parametrize("given", ["no JSON", "[]", "7", [7]])
def test_diff_refuses_what_is_no_incident(server: Server, remote: Remote, given: Any) -> None:
    """Given an argument that is no incident; When the diff runs; Then it says what to give."""
    assert "incident is not an incident as JSON" in server.fails("xsoar-mirror-diff", id="1", incident=given)


def test_diff_without_a_local_incident_says_so(server: Server, remote: Remote, mirrored: str) -> None:
    """Given the playground; When the diff is asked with a remote ID; Then it says where to run it."""
    assert "There is no local incident" in server.fails("xsoar-mirror-diff", id=mirrored)


@pytest.mark.parametrize("command", ["xsoar-mirror-diff", "xsoar-mirror-resync"])
def test_a_remote_incident_that_does_not_exist_is_said(server: Server, remote: Remote, command: str) -> None:
    """Given an ID that the remote does not have; When the command runs; Then it says so and remembers nothing."""
    before = server.memory()

    assert "(404)" in server.fails(command, id="404", incident={"name": "x"})
    assert server.memory() == before


def test_resync_brings_all_that_is_missing_once(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: a mirrored incident fetched without its history, with an entry that came in since.
    When: it is resynced in its War Room.
    Then: the next round tells of it and brings all fields and the earlier entry, and not again what came; the one after nothing.
    """
    remote.add("1")
    remote.write("1", "before the fetch")
    clock.tick(timedelta(minutes=1))
    server.fetch()
    clock.tick(timedelta(minutes=1))
    remote.write("1", "after the fetch")
    modified(server)
    server.pull("1")
    assert modified(server) == []
    server.incident = local_of(remote, "1")

    result = server.ok("xsoar-mirror-resync")

    assert "all fields and the earlier entries that were not brought yet" in result["HumanReadable"]
    assert modified(server) == ["1"]
    fields, entries = server.pull("1")
    assert fields["name"] == "incident 1"
    assert [last_line(entry) for entry in entries] == ["before the fetch"]
    assert modified(server) == []
    assert server.pull("1") == ({"id": "1"}, [])


@pytest.mark.parametrize(
    ("args", "has_fields", "texts"),
    [
        ({"entries": "false"}, True, []),
        ({"fields": "false"}, False, ["before the fetch"]),
    ],
)
def test_resync_of_a_part(
    server: Server, remote: Remote, clock: Any, args: dict[str, Any], has_fields: bool, texts: list[str]
) -> None:
    """Given a mirrored incident; When only its fields or only its entries are resynced; Then only these come."""
    remote.add("1")
    remote.write("1", "before the fetch")
    clock.tick(timedelta(minutes=1))
    server.fetch()
    modified(server)
    server.pull("1")

    server.ok("xsoar-mirror-resync", id="1", **args)

    fields, entries = server.pull("1")
    assert ("name" in fields) is has_fields
    assert [last_line(entry) for entry in entries] == texts


def test_status_of_an_incident_that_cannot_be_read(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a mirrored incident that was deleted there; When a round saw it; Then the status says so."""
    modified(server)
    remote.incidents.pop(mirrored)
    server.pull(mirrored)

    told = status(server, id=mirrored)

    assert (told["Incident"]["State"], told["IncidentsWithError"]) == ("Error", 1)
    assert "404" in told["Incident"]["ErrorIn"]
    assert told["Incident"]["NextTry"].startswith("2026-03-01T13:")


def test_status_names_no_time_for_what_is_due_at_once(server: Server, remote: Remote, mirrored: str) -> None:
    """Given an incident that was resynced twice; When its status is asked for; Then it is pending, with no other time."""
    server.ok("xsoar-mirror-resync", id=mirrored)
    server.ok("xsoar-mirror-resync", id=mirrored)

    told = status(server, id=mirrored)["Incident"]

    assert (told["Pending"], told["NextTry"]) == (True, None)


def test_resync_of_nothing_is_refused(server: Server, remote: Remote, mirrored: str) -> None:
    """Given neither fields nor entries; When a resync is asked for; Then it says what to set."""
    assert "There is nothing to resync" in server.fails("xsoar-mirror-resync", id=mirrored, fields="no", entries="no")
    assert server.fails("xsoar-mirror-resync", id=mirrored, fields="perhaps") == "fields is 'perhaps': give true or false."


def test_resync_where_nothing_comes_in_says_so(server: Server, remote: Remote) -> None:
    """Given an instance that mirrors outgoing only; When a resync is asked for; Then it says what that means."""
    server.params["mirror_direction"] = "Outgoing"
    remote.add("1")
    server.fetch()

    assert "By the instance's direction nothing comes in" in server.ok("xsoar-mirror-resync", id="1")["HumanReadable"]


def test_an_incident_may_be_linked_without_its_earlier_entries(server: Server, remote: Remote, clock: Any) -> None:
    """Given an incident whose entries are here already; When it is linked without them; Then only what is new comes."""
    remote.add("5")
    remote.write("5", "here already")
    clock.tick(timedelta(minutes=1))
    server.incident = local_of(remote, "5")
    server.ok("xsoar-mirror-resync", entries="false")
    clock.tick(timedelta(minutes=1))
    remote.write("5", "new")

    fields, entries = server.pull("5")

    assert (fields["name"], [last_line(entry) for entry in entries]) == ("incident 5", ["new"])


def test_resync_begins_to_mirror_an_incident_that_was_linked(server: Server, remote: Remote, clock: Any) -> None:
    """Given an incident that was never fetched; When it is linked and resynced; Then the next round brings it whole."""
    remote.add("5", created="2025-01-01T00:00:00Z", modified="2025-01-01T00:00:00Z")
    remote.write("5", "long ago", created="2025-01-01T00:00:00Z", modified="2025-01-01T00:00:00Z")
    server.incident = local_of(remote, "5")

    server.ok("xsoar-mirror-resync")

    assert modified(server) == ["5"]
    fields, entries = server.pull("5")
    assert (fields["name"], [last_line(entry) for entry in entries]) == ("incident 5", ["long ago"])


@pytest.mark.parametrize("before", ["nothing", "an update went out", "a pull"])
def test_an_incident_that_was_linked_by_hand_is_not_fetched(server: Server, remote: Remote, clock: Any, before: str) -> None:
    """Given an incident that was linked by hand, and what the server did at once; When it is resynced; Then it is not fetched."""
    remote.add("1")
    clock.tick(timedelta(minutes=1))
    server.incident = local_of(remote, "1")
    if before == "an update went out":
        pushed(server, "1", delta={"dbotMirrorId": "1"})
    elif before == "a pull":
        server.pull("1")
    server.ok("xsoar-mirror-resync")

    assert ids(server.fetch()) == []


@pytest.mark.parametrize("direction", ["None", "Incoming"])
def test_resync_of_what_this_instance_does_not_mirror_is_refused(server: Server, remote: Remote, direction: str) -> None:
    """Given an ID that no incident here mirrors; When a resync is asked for; Then it says where to run it; nothing is kept."""
    server.params["mirror_direction"] = direction
    remote.add("1")

    assert "This instance mirrors no incident 1" in server.fails("xsoar-mirror-resync", id="1")
    assert server.memory() == ({}, {}, {})


def test_a_resync_with_an_id_in_an_incident_of_another_instance_is_refused(server: Server, remote: Remote) -> None:
    """Given an incident that another instance mirrors; When this one is to resync its ID; Then it refuses, and may fetch it."""
    remote.add("1")
    server.incident = local_of(remote, "1", dbotMirrorInstance="another")

    assert 'using="another"' in server.fails("xsoar-mirror-resync", id="1")
    assert ids(server.fetch()) == ["1"]


def test_a_resync_during_a_pull_is_not_lost(server: Server, remote: Remote, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: an incident fetched without its history, which changed.
    When: it is resynced while get-remote-data is at work.
    Then: the next round tells of it again and brings what the resync asked for.
    """
    remote.add("1")
    remote.write("1", "before the fetch")
    clock.tick(timedelta(minutes=1))
    server.fetch()
    modified(server)
    server.pull("1")
    remote.change("1", details="new")
    modified(server)
    settings = script.parse_settings(server.params, "headquarters")
    meanwhile(monkeypatch, lambda client: script.mirror_resync_command(client, settings, {"id": "1"}))
    server.pull("1")

    assert modified(server) == ["1"]
    assert [last_line(entry) for entry in server.pull("1")[1]] == ["before the fetch"]


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[script.Client], Any]) -> None:
    """Have another command do something just after the first reading of a War Room."""
    read = script.Client.entries
    done: list[bool] = []

    def entries(client: script.Client, *args: Any) -> list[dict[str, Any]]:
        answer = read(client, *args)
        if not done:
            done.append(True)
            act(client)
        return answer

    monkeypatch.setattr(script.Client, "entries", entries)


def test_a_resync_during_a_fetch_is_not_lost(server: Server, remote: Remote) -> None:
    """Given an incident that is linked while a fetch is at work; When the fetch ends; Then its record stays as it was left."""
    remote.add("1")

    def link(context: dict[str, Any]) -> None:
        context.update(script.with_records(context, {"1": script.Record(linked=True, baseline_ms=0, due_ms=1)}))

    server.rivals = [link]
    server.fetch()

    record = script.all_records(json.loads(server.context))["1"]
    assert (record.linked, record.baseline_ms, record.due_ms) == (True, 0, 1)


@pytest.mark.parametrize("entries", ["true", "false"])
def test_a_resync_of_what_was_forgotten_doubles_nothing(server: Server, remote: Remote, clock: Any, entries: str) -> None:
    """
    Given: a fetched incident whose entry came in, that was closed, and forgotten a month later.
    When: it is resynced in its War Room.
    Then: its fields come, and neither the entry nor the closing a second time; the answer says so.
    """
    remote.add("1")
    server.fetch()
    remote.write("1", "once")
    modified(server)
    assert len(server.pull("1")[1]) == 1
    remote.close("1")
    modified(server)
    server.pull("1")
    clock.tick(timedelta(days=31))
    modified(server)
    server.incident = local_of(remote, "1", sourceBrand="XSOAR Mirroring")

    said = server.ok("xsoar-mirror-resync", entries=entries)["HumanReadable"]

    fields, arrived = server.pull("1")
    assert (fields["name"], arrived) == ("incident 1", [])
    assert "its entries are forgotten" in said


""" WHAT AN INCIDENT SHOWS OF ITS MIRRORING """


def shown(fields: dict[str, Any]) -> dict[str, Any]:
    """Return what an incident shows of its mirroring."""
    return {key: value for key, value in fields.items() if key in REPORT}


def test_a_fetched_incident_shows_where_it_comes_from(server: Server, remote_6: Remote) -> None:
    """Given a new remote incident; When it is fetched; Then its rawJSON tells the remote tenant and incident, with a link."""
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
    """Given an instance whose incidents are not brought up to date; When one is fetched; Then it shows no state."""
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
    assert (first["mirror_state"], "may not do this" in first["out_mirror_error"]) == ("Error", True)
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
    """Given an error that is shown; When the next try succeeds without moving the remote incident; Then it is in step again."""
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
    """Given an update that fails while get-remote-data is at work; When the next round comes; Then the error is shown."""
    remote.change(mirrored, details="new")
    modified(server)
    settings = script.parse_settings(server.params, "headquarters")
    meanwhile(monkeypatch, lambda _: script.tell_of_failure(settings, mirrored, "refused"))
    server.pull(mirrored)

    assert modified(server) == [mirrored]
    assert server.pull(mirrored)[0]["out_mirror_error"] == "refused"


def test_an_error_is_shown_soon_although_a_file_is_tried_again_later(
    server: Server, remote: Remote, mirrored: str, clock: Any
) -> None:
    """Given an incident that waits an hour for a file; When an update of it fails; Then the next round shows it."""
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
    """Given an update of which two parts are refused; When it is sent; Then the error names both."""
    remote.fail("POST /incident$", status_code=400, json={"detail": "Severity is wrong"})
    remote.fail("POST /entry", status_code=400, json={"detail": "Entry is too long"})

    error = push(server, mirrored, delta={"severity": 3}, entries=[local_entry(1, "x")]).error

    assert "Severity is wrong" in error
    assert "Entry is too long" in error


def test_a_context_that_cannot_be_written_does_not_hide_the_error(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a context that others change all the time; When an update meets the rate limit; Then the server is told of that."""
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
    """Given a change that the remote has already; When it is sent; Then the incident does not say that something went out."""
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
    """Given a remote incident whose custom fields are no object; When it is mirrored, compared and shown; Then all goes on."""
    remote.change(mirrored, CustomFields=custom, details="new")
    assert server.pull(mirrored)[0]["details"] == "new"
    server.incident = local_of(remote, mirrored, CustomFields={})
    assert diff(server)["equal"] is True
    server.ok("xsoar-get-incident", id=mirrored)
    pushed(server, mirrored, delta={"CustomFields": custom, "name": "z"})
    assert remote.incidents[mirrored]["name"] == "z"


@pytest.mark.parametrize("date", ["9999-12-31T23:59:59-08:00", "0001-01-01T00:00:00Z", "never"])
def test_dates_at_the_end_of_time_are_shown(server: Server, remote: Remote, mirrored: str, date: str) -> None:
    """Given a date that no calendar holds in UTC; When the incident is compared and shown; Then it is."""
    remote.incidents[mirrored]["dueDate"] = date
    server.incident = local_of(remote, mirrored)

    assert diff(server)["equal"] is True
    server.ok("xsoar-get-incident", id=mirrored)


def test_diff_knows_the_custom_fields_of_a_playbook(server: Server, remote: Remote, mirrored: str) -> None:
    """Given an incident as a playbook has it, with its custom fields at the top; When it is compared; Then they are found."""
    remote.incidents[mirrored]["CustomFields"] = {"ticket": "C-1", "mailfrom": "eve@example.com"}
    local = {**local_of(remote, mirrored), "ticket": "C-1", "mailfrom": "mallory@example.com"}
    local.pop("CustomFields")

    assert diff(server, incident=json.dumps(local))["different"] == ["mailfrom"]


def test_a_file_that_cannot_be_had_shows_that_the_incident_is_behind(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a file whose download fails; When it is tried and then had; Then the incident is behind, and then in step."""
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
    assert fields["CustomFields"] == {"ticket": "C-1"}
    assert not [name for name in fields if name.startswith("xsoarmirroring")]
    calls = len(remote.calls)

    ours = {"xsoarmirroringstate": "In Step", "xsoarmirroringlastin": NOW}
    pushed(server, mirrored, delta={"CustomFields": dict(ours)})
    pushed(server, mirrored, delta=dict(ours))
    assert len(remote.calls) == calls
    pushed(server, mirrored, delta={"CustomFields": {**ours, "ticket": "C-2"}, **ours})

    assert remote.incidents[mirrored]["CustomFields"] == {**theirs, "ticket": "C-2"}
    assert shown(server.pull(mirrored)[0])["mirror_state"] == "In Step"


def test_a_created_incident_does_not_carry_what_this_pack_shows(server: Server, remote: Remote) -> None:
    """Given a local incident with this pack's fields; When it is created there; Then they stay behind."""
    custom = {"xsoarmirroringstate": "Error", "ticket": "C-1"}
    remote.incident_fields.append({"cliName": "xsoarmirroringstate", "system": False, "group": 0})

    remote_id = pushed(
        server, "", data={"id": "77", "name": "x", "CustomFields": custom, "xsoarmirroringstate": "Error"}, incidentChanged=True
    )

    assert remote.incidents[remote_id]["CustomFields"] == {"ticket": "C-1"}


""" TEST """


@pytest.mark.parametrize("key_id", ["", "7"], ids=["6.x", "8.x"])
def test_the_test_button_only_reads(server: Server, remote: Remote, key_id: str, tmp_path: Path) -> None:
    """
    Given: an instance that would work, and a remote with incidents and attachments.
    When: Test runs.
    Then: it is ok; nothing was downloaded, written or kept, here or there.
    """
    server.params |= {"fetch_incident_history": True}
    if not key_id:
        server.params |= V6
        remote.key_id, remote.root = "", HOST_6
    attach(remote, remote.add()["id"], "a.txt", b"a")

    assert server.ok("test-module") == "ok"

    assert [call.route for call in remote.calls] == ["GET /about", "POST /incidents/search"]
    assert server.memory() == ({}, {}, {})
    assert list(tmp_path.iterdir()) == []


def test_the_test_button_tries_the_query(server: Server, remote: Remote) -> None:
    """
    Given: a query that the remote cannot read.
    When: Test runs.
    Then: it fails and names the parameter; without a query of the user it does not blame it.
    """
    remote.fail("POST /incidents/search", times=2, **error_body(400, "bad_query"))
    server.params["query"] = "status:open AND"

    error = server.fails("test-module")

    assert "status:open AND" in error
    assert "Fetch only incidents that match the query" in error
    server.params["query"] = ""
    assert "Fetch only incidents that match the query" not in server.fails("test-module")


@pytest.mark.parametrize("advanced", [True, False], ids=["advanced configured", "standard configured"])
def test_the_test_button_tells_a_key_of_the_other_kind(server: Server, remote: Remote, advanced: bool) -> None:
    """
    Given: a right key of XSOAR 8 whose kind, standard or advanced, is set wrongly.
    When: Test runs.
    Then: it says which checkbox to change.
    """
    server.params["advanced_api_key"] = advanced
    remote.advanced_key = not advanced

    error = server.fails("test-module")

    assert "The API key is right" in error
    assert ("standard key: clear" if advanced else "advanced key: select") in error
    assert "The API key is an advanced key" in error


@pytest.mark.parametrize("advanced", [True, False], ids=["advanced configured", "standard configured"])
def test_the_test_button_does_not_blame_the_kind_of_a_wrong_key(server: Server, remote: Remote, advanced: bool) -> None:
    """
    Given: a wrong key.
    When: Test runs.
    Then: it says that the key is refused, not that it is right.
    """
    server.params |= {"advanced_api_key": advanced, "credentials_api_key": {"identifier": "7", "password": "wrong"}}

    error = server.fails("test-module")

    assert "refused the API key (401)" in error
    assert "is right" not in error


def test_the_test_button_says_that_the_role_of_the_key_does_not_suffice(server: Server, remote: Remote) -> None:
    """
    Given: a key whose role may not search incidents.
    When: Test runs.
    Then: it says so, and not that the kind of the key is wrong.
    """
    remote.fail("POST /incidents/search", times=9, **error_body(403, "v8_no_permission"))

    error = server.fails("test-module")

    assert "permission" in error
    assert "is right" not in error


""" MAIN """


def test_an_unknown_command_is_refused(server: Server, remote: Remote) -> None:
    """
    Given: a command that the integration does not have.
    When: it runs.
    Then: it is refused by its name, and nothing is asked.
    """
    with pytest.raises(NotImplementedError, match="xsoar-unknown"):
        server.run("xsoar-unknown")

    assert remote.calls == []


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("fetch-incidents", {}),
        ("get-modified-remote-data", {"lastUpdate": LAST_UPDATE}),
        ("get-remote-data", {"id": "1", "lastUpdate": LAST_UPDATE}),
        ("update-remote-system", {"remoteId": "1", "delta": {"details": "x"}, "incidentChanged": True}),
        ("get-mapping-fields", {}),
        ("xsoar-search-incidents", {}),
        ("xsoar-get-incident", {"id": "1"}),
        ("xsoar-mirror-diff", {"id": "1", "incident": {"name": "x"}}),
        ("xsoar-mirror-resync", {"id": "1"}),
    ],
)
@pytest.mark.parametrize("problem", ["settings", "remote"])
def test_every_command_fails_with_a_sentence(
    server: Server, remote: Remote, command: str, args: dict[str, Any], problem: str
) -> None:
    """
    Given: a missing key, or a remote that refuses it.
    When: any command runs.
    Then: it fails with one sentence about the key and keeps nothing; only a round tells the server to skip the update.
    """
    server.params["credentials_api_key"] = {"identifier": "7", "password": "" if problem == "settings" else "wrong"}

    error = server.fails(command, **args)

    assert "API Key is missing" in error or "refused the API key (401)" in error
    assert ("skip update" in error) is (command == "get-modified-remote-data")
    last_run, last_mirror_run, context = server.memory()
    # Of an update that failed the incident is to be told.
    context.pop(script.part_of("1") if command == "update-remote-system" else "", None)
    assert (last_run, last_mirror_run, context) == ({}, {}, {})


@pytest.mark.parametrize(("debug", "level"), [(True, "info"), (False, "debug")])
def test_debug_mode_writes_our_lines_at_info_level(server: Server, remote: Remote, debug: bool, level: str) -> None:
    """
    Given: the switch Debug mode, on or off.
    When: a fetch runs.
    Then: the line that counts the incidents is at info level only when it is on.
    """
    server.params["debug_mode"] = debug
    remote.add()

    server.fetch()

    assert [line for line in server.lines(level) if "1 new incidents" in line]
    assert not [line for line in server.lines("debug" if debug else "info") if "1 new incidents" in line]


@pytest.mark.parametrize("debug", [True, False], ids=["debug mode", "no debug mode"])
def test_no_log_line_holds_a_text_or_the_key(server: Server, remote: Remote, clock: Any, tmp_path: Path, debug: bool) -> None:
    """
    Given: an incident, entries and files with words of people in every place, in and out.
    When: every command runs, also with failures.
    Then: no log line holds one of those words, or the key.
    """
    server.params["debug_mode"] = debug
    remote.add("1", name="the-name", details="the-details", CustomFields={"customerticket": "the-ticket"})
    attach(remote, "1", "the-attachment.txt", b"the-attached-text")
    attach(remote, "1", "the-lost-attachment.txt", b"x")
    del remote.files["2@1"]
    server.fetch()
    clock.tick(timedelta(minutes=1))
    remote.write("1", "the-chat", user="the-author")
    remote.write_file("1", "the-file.txt", b"the-file-text")
    remote.close("1", "the-reason", "the-closing")
    modified(server)
    server.pull("1")
    remote.change("1", status=1)
    update = {
        "data": {"closeReason": "the-local-reason", "closeNotes": "the-local-closing"},
        "delta": {"details": "the-new-details", "unknown": "the-dropped-value", "dbotX": "the-owned-value"},
        "entries": [
            local_entry(1, "the-outgoing-chat"),
            local_file(server, tmp_path, 2, b"the-bytes", file="the-local-file.txt"),
        ],
    }
    remote.fail("POST /entry/upload", status_code=502)
    assert push(server, "1", **update).error
    pushed(server, "1", **update)
    pushed(server, "1", **update, status=2)
    pushed(server, "1", **update, status=1)
    server.run("get-remote-data", {"id": "999", "lastUpdate": LAST_UPDATE})
    server.ok("get-mapping-fields")
    server.ok("xsoar-search-incidents")
    server.ok("xsoar-get-incident", id="1", categories="chats,notes,attachments")
    remote.fail("", times=99, status_code=502)
    for command, args in (("fetch-incidents", {}), ("get-remote-data", {"id": "1", "lastUpdate": LAST_UPDATE})):
        server.fails(command, **args)

    assert server.log
    assert not [line for _, line in server.log if "the-" in line or KEY in line]


def test_a_key_that_cannot_be_sent_is_not_logged(server: Server, remote: Remote) -> None:
    """
    Given: a key with a line break inside, which no request can carry.
    When: a fetch runs.
    Then: the error is about the key, and neither it nor the log shows it.
    """
    server.params["credentials_api_key"]["password"] = "first-half\nsecond-half"

    error = server.fails("fetch-incidents")

    assert "API Key" in error
    assert "half" not in error
    assert not [line for _, line in server.log if "half" in line]
