"""The server and the remote tenant that stand in for real ones in the unit tests of the pack, and what these tests share.

Most of them run a command as the server does, through `main`, against a remote tenant that answers over requests-mock, and
look at what a user would: what is asked of the remote, what the server gets, what an error says, what is kept until the next
run. `Server` stands for the server that runs the script, `Remote` for the tenant at the other end. The fixtures are below
them; a conftest.py lends them to a folder.
"""

import copy
import hashlib
import json
import re
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import HTTP
from functools import cache, partial
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
HERE = demisto.demistoUrls()["server"]  # The address of the server.
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
    return json.loads((Path(__file__).parents[1] / "test_data" / f"{name}.json").read_text(encoding="utf-8"))


# What an incident shows of its mirroring.
REPORT = {
    *("mirror_remote_id", "mirror_remote_link", "mirror_remote_tenant", "mirror_state", "mirror_last_in", "mirror_last_out"),
    *("in_mirror_error", "out_mirror_error"),
}
ERRORS = load("errors")
ENTRIES = load("entries")
TEMPLATE = load("incident_load")
V6 = {"url": HOST_6, "credentials_api_key": {"password": KEY}}
FAULTS = [
    pytest.param({"status_code": 500}, id="500"),
    pytest.param({"status_code": 502}, id="502"),
    pytest.param({"status_code": 503}, id="503"),
    pytest.param({"status_code": 504}, id="504"),
    pytest.param({"answer": requests.exceptions.ConnectionError("reset by peer")}, id="connection reset"),
    pytest.param({"answer": requests.exceptions.ReadTimeout("slow")}, id="timeout"),
    pytest.param({"answer": requests.exceptions.ChunkedEncodingError("cut")}, id="answer cut off"),
]
LARGE = 48 << 20
CLOSING = {"dbotIncidentClose": True, "closeReason": "Resolved", "closeNotes": "Nothing left to do."}
REOPENING = {"dbotIncidentReopen": True}

""" THE SERVER AND THE REMOTE """


@dataclass
class Outcome:
    """What came of one run of the script: the result it gave, the incidents it made, the error it ended with."""

    result: Any
    incidents: list[dict[str, Any]]
    error: str


class Server:
    """The server that runs a script of the pack: what it gives a run, takes from it and keeps until the next."""

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
        self.incident_fields: list[dict[str, Any]] | None = None  # Its own ones. None: it does not tell a script.
        self.fields_answer: Any = {"statusCode": 404, "body": ""}  # What it answers then; an exception is raised.
        self.instances: Any = {}  # As getModules lists them, by name.
        self.answers: dict[str, Any] = {}  # What a command gives a script, or makes of its arguments: by its instance or name.
        self.asked: list[tuple[str, dict[str, Any]]] = []  # The commands that scripts ran.
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
            "internalHttpRequest": self._own_api,
            "getModules": lambda: self.instances,
            "executeCommand": self._execute,
            "uniqueFile": self._unique_file,
            "getFilePath": self._file_path,
            **{level: self._logger(level) for level in ("debug", "info", "error", "log")},
        }
        for name, answer in answers.items():
            monkeypatch.setattr(demisto, name, answer, raising=False)
        self._monkeypatch = monkeypatch

    def run(self, command: str, args: dict[str, Any] | None = None) -> Outcome:
        """Run the integration once. Last runs are kept only when it ends well, as on a server. It may run during another run."""
        outer = self._results, self._incidents, self._runs
        with self._monkeypatch.context() as patched:
            patched.setattr(demisto, "command", lambda: command)
            patched.setattr(demisto, "args", demisto.args)
            try:
                outcome = self.run_script(script.main, **(args or {}))
            except NotImplementedError:
                raise
            except Exception as raised:  # How return_error ends a fetch.
                outcome = self._outcome(str(raised) or type(raised).__name__)
            if not outcome.error:
                self.last_run = self._runs.get("last_run", self.last_run)
                self.last_mirror_run = self._runs.get("last_mirror_run", self.last_mirror_run)
        self._results, self._incidents, self._runs = outer
        return outcome

    def run_script(self, main: Callable[[], Any], /, **args: Any) -> Outcome:
        """Run a script of the pack once, by its `main`. What it raises is raised, but for the end that return_error makes."""
        self._results, self._incidents, self._runs = [], [], {}
        self._monkeypatch.setattr(demisto, "args", lambda: copy.deepcopy(args))
        try:
            main()
        except SystemExit:
            entry = self._results[-1]
            assert entry["Type"] == 4
            return self._outcome(entry["Contents"])
        return self._outcome()

    def _outcome(self, error: str = "") -> Outcome:
        assert error or len(self._results) <= 1, "a server takes one result a run"
        assert error or len(self._incidents) <= 1, "a server takes incidents once a run"
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
        return self.context + packed_records(self)

    def memory(self) -> tuple[Any, ...]:
        """Return all that the server keeps from run to run, to compare: both last runs, and what the integration context holds.

        Of that the records by incident ID, and the rest by its keys; without what only xsoar-mirror-status tells.
        """
        memory = pack_without_health(memory_of(self))
        return self.last_run, self.last_mirror_run, {**memory, **records_of(self)}

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

    def _own_api(self, method: str, uri: str, body: Any = None) -> Any:
        assert (method, uri, body) == ("GET", "/incidentfields", None)
        if self.incident_fields is not None:
            return {"statusCode": 200, "status": "200 OK", "headers": {}, "body": json.dumps(self.incident_fields)}
        return given(self.fields_answer)

    def _execute(self, command: str, args: dict[str, Any]) -> Any:
        self.asked.append((command, args))
        instance = args.get("using")
        answer = self.answers[instance if instance in self.answers else command]
        return given(answer(args) if callable(answer) else answer)

    def _unique_file(self) -> str:
        self._unique += 1
        return f"file-{self._unique}"

    def _file_path(self, entry_id: str) -> dict[str, str]:
        if entry_id not in self.files:
            raise ValueError(f"could not find file for entry {entry_id}")
        return self.files[entry_id]

    def _logger(self, level: str) -> Callable[..., None]:
        return lambda message, *args: self.log.append((level, str(message)))


def given(answer: Any) -> Any:
    """Return an answer, or raise it when it is an exception."""
    if isinstance(answer, Exception):
        raise answer
    return answer


def error_entry(text: str) -> list[dict[str, Any]]:
    """Return the error entry that a command gives a script."""
    return [{"Type": 4, "ContentsFormat": "text", "Contents": text}]


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
    value = incident[field]
    return int(value) if field == "id" else instant(value) if isinstance(value, str) else value


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
        self.total: int | None = None  # What a search says there is in all; None: the truth.
        self.hears_from_date = True
        self.hears_query_bounds = True
        self.refuses: tuple[str, ...] = ()  # Which of the positions in a War Room, lastId and firstID, it refuses.
        self.ignores: tuple[str, ...] = ()  # Which of them it passes over.
        self.searches_in_ms = False  # A search cuts times to milliseconds, a load does not.
        self.old_copies: dict[str, dict[str, Any]] = {}  # Incidents as the next load of them gives them, by ID.
        self.created_answer: dict[str, Any] | None = None  # What it answers to a new incident instead of that.
        self.date_offset = timedelta()  # How far the Date header is ahead of the clock that it keeps times by.
        self.keeps_brand = False  # Without a label Instance, like a server.
        self.closes_late = False  # Closings are accepted and not carried out yet.
        self.reopens = True  # Whether the command reopenInvestigation does what it says.
        self.call_takes = timedelta()  # How far the clock goes on with each call.
        self.before_answer: Callable[[Call], Any] = lambda call: None  # What happens at the remote before it answers a call.

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

    def offer(self, reasons: Any, **spelling: Any) -> None:
        """Offer close reasons, under the field as real servers spell it or another way."""
        others = [item for item in self.incident_fields if item["id"] != "incident_closereason"]
        field = {"id": "incident_closereason", "cliName": "closereason", "name": "closeReason", "system": True, "group": 0}
        self.incident_fields = [*others, {**field, "unmapped": True, "selectValues": reasons, **spelling}]

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
        reading = ("GET ", "POST /incidents/search", "POST /investigation/", "POST /public/v1/incidents/modified")
        return [call.route for call in self.calls if not call.route.startswith(reading)]

    def now(self) -> str:
        """Return the time in the manner of XSOAR 8, milliseconds with trailing zeros left out, and let 10 of them pass."""
        self.clock.tick(timedelta(milliseconds=10))
        text = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
        return f"{text.rstrip('0').rstrip('.') if '.' in text else text}Z"

    # How it answers.

    def __call__(self, request: Any) -> requests.Response:
        """Answer a request that requests-mock hands on."""
        self.clock.tick(self.call_takes)
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
        date = (datetime.now(UTC) + self.date_offset).strftime("%a, %d %b %Y %H:%M:%S GMT")
        kind = {"Content-Type": "application/json"} if "json" in response else {}
        headers = {"Date": date, **kind, **response.get("headers", {})}
        return create_response(request, **{**response, "headers": headers})

    def _answer(self, call: Call) -> dict[str, Any]:
        self.before_answer(call)
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
            "GET incident": lambda: self._load(tail.removeprefix("load/")),
            "POST incident": lambda: self._close(call.body) if tail == "close" else self._save(call.body),
            "POST investigation": lambda: self._war_room(tail, call.body),
            "POST entry": lambda: self._write(tail, call),
            "GET public": lambda: None,  # The list of modified incidents, which this tenant does not have.
            "POST public": lambda: None,
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

    def _load(self, incident_id: str) -> dict[str, Any] | None:
        return self.old_copies.pop(incident_id, None) or self.incidents.get(incident_id)

    def _search(self, incident_filter: dict[str, Any]) -> dict[str, Any]:
        query = incident_filter["query"]
        found = [incident for key, incident in self.incidents.items() if key not in self.hidden]
        if "fromDate" in incident_filter and self.hears_from_date:
            found = [i for i in found if instant(i["created"]) >= instant(incident_filter["fromDate"])]
        for time_field in ("created", "modified"):
            if self.hears_query_bounds and (since := re.search(rf'{time_field}:>="([^"]+)"', query)):
                found = [i for i in found if instant(i[time_field]) >= instant(since[1])]
        if name := re.search(r'(?<!-)dbotMirrorId:"([^"]+)"', query):
            found = [i for i in found if i["dbotMirrorId"] == name[1]]
        if named := incident_filter.get("id") or re.findall(r'(?<!\w)id:"(\d+)"', query):
            found = [i for i in found if i["id"] in named]
        if "status:active" in query:
            found = [i for i in found if i["status"] == 1]
        if '-sourceBrand:"XSOAR Mirroring"' in query:
            found = [i for i in found if i["sourceBrand"] != "XSOAR Mirroring"]
        for order in reversed(incident_filter.get("sort", [])):
            found.sort(key=partial(sort_value, order["field"]), reverse=not order["asc"])
        size = min(incident_filter.get("size", 0), self.search_limit)
        page = found[incident_filter.get("page", 0) * size :][:size]
        data = [{**incident, "changeStatus": "new", "insights": 0, "sortValues": []} for incident in page]
        if self.searches_in_ms:
            data = [{**incident, "modified": re.sub(r"(\.\d{3})\d+", r"\1", incident["modified"])} for incident in data]
        total = len(found) if self.total is None else self.total
        return {"data": data or None, "total": total, "notUpdated": 0, "searchAfter": None}

    def _war_room(self, incident_id: str, entry_filter: dict[str, Any]) -> dict[str, Any]:
        if any(position in entry_filter for position in self.refuses):
            return {"status_code": 400, "json": ERRORS["bad_request"]}
        return {"id": incident_id, "entries": self._entries(incident_id, entry_filter) or None}

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
        # XSOAR REST API: without a page size every entry comes.
        size = min(entry_filter["pageSize"], self.entry_limit) if "pageSize" in entry_filter else len(found)
        if "lastId" in entry_filter and "lastId" not in self.ignores:
            return found[: ids.index(entry_filter["lastId"])][-size:]
        if "firstID" in entry_filter and "firstID" not in self.ignores:
            return found[ids.index(entry_filter["firstID"]) :][:size]
        return found[len(found) - size :] if self.page_keeps == "newest" and size < len(found) else found[:size]

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
        if not self.keeps_brand and not any(label["type"] == "Instance" for label in body.get("labels") or []):
            incident |= {"sourceBrand": "Manual", "sourceInstance": "admin"}
        return self.created_answer or {"status_code": 201, "json": incident}

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
        if not tail:
            assert not call.body["data"].startswith(("!", "/")), "the text would be run as a command"
            return self.write(incident_id, call.body["data"], **written, format="markdown" if call.body["markdown"] else "text")
        if tail == "tags":
            entry = next(entry for entry in self.entries[incident_id] if entry["id"] == call.body["id"])
            self.tag(entry, *call.body["tags"])
            if self.entry_moves_modified:
                self.incidents[incident_id]["modified"] = self.now()
            return entry
        assert tail == "note", f"/entry/{tail} is not used"
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


""" WHAT THE MIRROR REMEMBERS """

# How the integration context keeps it is known here and in the tests of the packers, in XSOARMirroring_memory_test.py.


def store_of(server: Server) -> script.Store:
    """Return all that is remembered."""
    return script.Store(json.loads(server.context))


def records_of(server: Server) -> dict[str, script.Record]:
    """Return what is remembered of each incident, by its remote ID."""
    return store_of(server).all_records()


def record_of(server: Server, incident_id: str) -> script.Record:
    """Return what is remembered of an incident; an empty record when that is nothing."""
    return store_of(server).record(incident_id)


def with_records(context: dict[str, Any], records: dict[str, script.Record]) -> dict[str, Any]:
    """Return an integration context that remembers some incidents so."""
    return script.Store(context).with_records(records).context


def remember(server: Server, records: dict[str, script.Record]) -> None:
    """Let the server remember some incidents so, and all else as before."""
    server.context = json.dumps(with_records(json.loads(server.context), records))


def memory_of(server: Server) -> script.Memory:
    """Return what is remembered besides the records."""
    return store_of(server).memory


def pack_without_health(memory: script.Memory) -> dict[str, Any]:
    """Return what is remembered besides the records, without what only xsoar-mirror-status tells, as plain data."""
    return dict(script.pack(memory._replace(health=script.Health(), limited_ms=0)))


def change_memory(server: Server, **fields: Any) -> None:
    """Let the server remember other things besides the records, by the names of `Memory`."""
    server.context = json.dumps(store_of(server).with_memory(lambda memory: memory._replace(**fields)).context)


def spoil_record(server: Server, incident_id: str, kept: Any) -> None:
    """Put something else where an incident is remembered."""
    server.context = json.dumps({**json.loads(server.context), script.shard_of(incident_id): kept})


def spoil_memory(server: Server, name: str, kept: Any) -> None:
    """Put something else where a field of `Memory` is kept."""
    memory = {**script.pack(memory_of(server)), name: kept}
    server.context = json.dumps({**json.loads(server.context), script.MEMORY_KEY: script.squeezed(memory)})


def packed_records(server: Server) -> str:
    """Return what is remembered as it is kept, before it is compressed: JSON to search and to measure."""
    return json.dumps([script.pack(memory_of(server)), {key: script.pack(record) for key, record in records_of(server).items()}])


""" WHAT TESTS SEND AND READ """


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


""" WHAT SEVERAL FILES USE """


def error_body(status: int, name: str) -> dict[str, Any]:
    """Return an answer with an error of test_data."""
    return {"status_code": status, "json": ERRORS[name]}


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


def peak_memory(work: Callable[[], Any]) -> int:
    """Return how many bytes a piece of work needs at its peak."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def modified(server: Server, last_update: Any = LAST_UPDATE) -> list[str]:
    """Run get-modified-remote-data, which must succeed; return the IDs it gives."""
    result = server.ok("get-modified-remote-data", **({} if last_update is None else {"lastUpdate": last_update}))
    assert (result["Type"], result["ContentsFormat"]) == (1, "json")
    return result["Contents"]


def last_line(entry: dict[str, Any]) -> str:
    """Return the last line of an entry's text."""
    return str(entry["Contents"]).rpartition("\n")[2]


def arrived(remote: Remote, incident_id: str) -> list[tuple[str, str, bool]]:
    """Return the entries of a remote War Room: the text under the line with author and time, the format, whether it is a note."""
    return [
        (re.sub(r"\A[^\n]*\n+", "", entry["contents"]), entry["format"], entry["note"]) for entry in remote.entries[incident_id]
    ]


def local_file(server: Server, folder: Path, number: int, content: bytes, **fields: Any) -> dict[str, Any]:
    """Return a local entry with a file that the server keeps."""
    path = folder / f"stored-{number}"
    path.write_bytes(content)
    server.files[f"{number}@77"] = {"id": f"{number}@77", "path": str(path), "name": fields.get("file", "a.bin")}
    return local_entry(
        number, "the comment", **{"type": 3, "file": "a.bin", "fileID": f"stored-{number}", "category": "", **fields}
    )


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


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[script.Client], Any], times: int = 1) -> None:
    """Have another command do something just after a reading of a War Room, some times; not while it does so."""
    read = script.Client.entries
    done: list[bool] = []
    is_acting: list[bool] = []

    def entries(client: script.Client, *args: Any) -> list[dict[str, Any]]:
        answer = read(client, *args)
        if len(done) < times and not is_acting:
            done.append(True)
            is_acting.append(True)
            act(client)
            is_acting.clear()
        return answer

    monkeypatch.setattr(script.Client, "entries", entries)
