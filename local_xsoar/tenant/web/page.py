"""The routes of the web page, under /web: its three files, and what its script asks for and does, under /web/api.

A handler gets what the page is of, the parameters of the path and what the page sent (the query of a GET, the JSON of a POST). It
returns plain data: a view, or {"said": a sentence} on what was done.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import compile_path

from local_xsoar.tenant.errors import BadRequest, InvestigationClosed, NotFound, TenantError
from local_xsoar.tenant.routes import API_USER, Params, download_entry, json_body, json_response, upload_entry
from local_xsoar.tenant.tenant import Tenant
from local_xsoar.tenant.web import views
from local_xsoar.tenant.web.guard import PREFIX, Guard, check_host, check_origin
from local_xsoar.tenant.web.mirroring import Pairs, comparison_view, pair_view
from local_xsoar.tenant.web.sharing import Sharing

STATIC = Path(__file__).with_name("static")
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
PAGE_SIZE = 30
ENTRIES_SHOWN = 200
SORTS = {
    "created": [{"field": "id", "asc": False}],  # Ids are given out in this order, also within one second.
    "modified": [{"field": "modified", "asc": False}],
    "severity": [{"field": "severity", "asc": False}, {"field": "created", "asc": False}],
}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Given = Mapping[str, Any]


@dataclass(frozen=True)
class Subject:
    """What the page is of: a tenant, its mirrored instances if they are known, and with whom its entries can be shared."""

    tenant: Tenant
    pairs: Pairs | None
    sharing: Sharing


Handler = Callable[[Subject, Params, Given], dict[str, Any]]


def is_page(request: Request) -> bool:
    """Say whether the web page answers: under its own addresses, and where a browser follows a link into the platform's UI."""
    return f"{request.url.path}/".startswith(f"{PREFIX}/") or _ui_address(request) is not None


def _ui_address(request: Request) -> str | None:
    """Return where the page shows what a link into the UI leads to; None when the request is none of a browser for that.

    The UI's own addresses are /#/Details/<id> on 6.x, whose fragment browsers keep, and /Details/<id> on 8.x.
    """
    navigates = request.method == "GET" and request.headers.get("sec-fetch-mode") == "navigate"
    link = re.fullmatch(r"/(?:Details/([0-9]{1,18}))?", request.url.path)
    if not navigates or not link:
        return None
    return f"{PREFIX}/#/Details/{link[1]}" if link[1] else f"{PREFIX}/"


# What is looked at


def show_tenant(subject: Subject, params: Params, given: Given) -> dict[str, Any]:
    """GET /tenant"""
    return views.tenant_view(subject.tenant.settings, subject.tenant.incident_types())


def list_incidents(subject: Subject, params: Params, given: Given) -> dict[str, Any]:
    """GET /incidents: a page of those that a query of the tenant's own language finds."""
    number = _number(given, "page", 0)
    sort = SORTS.get(_text(given, "sort"), SORTS["created"])
    query = _text(given, "query")
    found, total = subject.tenant.search({"query": query, "size": PAGE_SIZE, "page": number, "sort": sort})
    first = number * PAGE_SIZE
    return {
        "incidents": [views.incident_row(incident) for incident in found],
        "count": _count_in_words(first, len(found), total, query),
        "earlier": number > 0,
        "later": first + len(found) < total,
    }


def _count_in_words(first: int, shown: int, total: int, query: str) -> str:
    if not total:
        return "No incident matches." if query.strip() else "This tenant has no incidents yet."
    incidents = "1 incident" if total == 1 else f"{total:,} incidents"
    return incidents if shown == total else f"{first + 1:,} to {first + shown:,} of {incidents}"


def show_incident(subject: Subject, params: Params, given: Given) -> dict[str, Any]:
    """GET /incidents/{id}"""
    incident = subject.tenant.incident(params["id"])
    entries = subject.tenant.entries(params["id"]) if incident["investigationId"] else []
    most = _number(given, "entries", ENTRIES_SHOWN)
    return views.incident_view(incident, entries, subject.tenant.incident_fields(), subject.sharing(incident), most)


def show_mirroring(subject: Subject, params: Params, given: Given) -> dict[str, Any]:
    """GET /mirroring: the names of the pairs, and one of them: `instance`, or the first."""
    pairs = subject.pairs
    names = pairs.names() if pairs else []
    pair = _pair(pairs, given) if names or _text(given, "instance") else None
    return {"names": names, "pair": pair and pair_view(pair[1], pair[0].look(pair[1]))}


def _pair(pairs: Pairs | None, given: Given) -> tuple[Pairs, str]:
    """Return the pairs and the name of the one that is meant. Raises NotFound when there is none of that name."""
    wanted, names = _text(given, "instance"), pairs.names() if pairs else []
    if pairs is None or not names or (wanted and wanted not in names):
        raise NotFound(f'No instance "{wanted}" of this tenant mirrors incidents.')
    return pairs, wanted or names[0]


# What is done


def create_incident(subject: Subject, params: Params, given: Given) -> dict[str, Any]:
    """POST /incidents: a new one with name, type, severity and details, its War Room open. Its id is told beside what is said."""
    fields = _fields({"name": "", **given}, ("name", "type", "details"))
    created = subject.tenant.create_incident(fields, user=API_USER)
    if created is None:
        raise BadRequest("A pre-processing rule of this tenant dropped the incident: give it another name.")
    return {"said": "The incident was created.", "id": created["id"]}


def change_fields(subject: Subject, params: Params, given: Given) -> dict[str, Any]:
    """POST /incidents/{id}/fields: name, severity, owner, details, as far as they are sent."""
    changes = _fields(given, ("name", "owner", "details"))
    subject.tenant.change_incident(params["id"], changes, user=API_USER)
    return {"said": "The incident was changed." if changes else "Nothing was changed."}


def _fields(given: Given, texts: tuple[str, ...]) -> dict[str, Any]:
    """Return those fields of an incident that were sent: some texts, and the severity. Raises BadRequest for what cannot be."""
    fields: dict[str, Any] = {name: _text(given, name) for name in texts if name in given}
    if "severity" in given:
        chosen = [value for value in views.SEVERITIES if str(value) == given["severity"]]
        if not chosen:
            raise BadRequest("The severity is none of those to choose from.")
        fields["severity"] = chosen[0]
    if not fields.get("name", "-").strip():
        raise BadRequest("The incident needs a name.")
    return fields


def close_incident(subject: Subject, params: Params, given: Given) -> dict[str, Any]:
    """POST /incidents/{id}/close"""
    subject.tenant.close_incident(params["id"], reason=_text(given, "reason"), notes=_text(given, "notes"), user=API_USER)
    return {"said": "The incident was closed."}


def reopen_incident(subject: Subject, params: Params, given: Given) -> dict[str, Any]:
    """POST /incidents/{id}/reopen"""
    subject.tenant.reopen_incident(params["id"], user=API_USER)
    return {"said": "The incident was reopened."}


def add_entry(subject: Subject, params: Params, given: Given) -> dict[str, Any]:
    """POST /incidents/{id}/entries: a chat or a note. A text that looks like a command is a text all the same."""
    check_takes_entries(subject.tenant, params["id"])
    text, note = _text(given, "text"), given.get("note") is True
    if not text.strip():
        raise BadRequest("The entry needs a text or a file.")
    subject.tenant.add_entry(
        params["id"],
        contents=text,
        user=API_USER,
        format="markdown" if given.get("markdown") is True else "text",
        category="note" if note else "chat",
        note=note,
        tags=_strings(given, "tags"),
    )
    return {"said": "The note was added." if note else "The chat was added."}


def check_takes_entries(tenant: Tenant, incident_id: str) -> None:
    """Raise InvestigationClosed with the reason when the War Room takes no entries."""
    reason = views.why_no_entries(tenant.incident(incident_id))
    if reason:
        raise InvestigationClosed(reason)


def change_entry(subject: Subject, params: Params, given: Given) -> dict[str, Any]:
    """POST /entries/{id}: one tag more or less, the mark of a note, or another text."""
    if "text" in given:
        return _edit(subject.tenant, subject.tenant.entry(params["id"]), _text(given, "text"))
    if "note" in given:
        subject.tenant.change_entry(params["id"], note=given["note"] is True)
        return {"said": "The entry was marked as a note." if given["note"] is True else "The entry is no note any more."}
    added, removed = _text(given, "add").strip(), _text(given, "remove")
    if not added and not removed:
        raise BadRequest("The tag needs a name.")
    with subject.tenant.batch():  # one tag at a time, so that two windows do not undo each other's
        tags = subject.tenant.entry(params["id"])["tags"] or []
        subject.tenant.change_entry(params["id"], tags=[*(tag for tag in tags if tag != removed), added])
    return {"said": f"The tag {added} was added." if added else f"The tag {removed} was removed."}


def _edit(tenant: Tenant, entry: Mapping[str, Any], text: str) -> dict[str, Any]:
    if not views.is_editable(entry):
        raise BadRequest("Only chats and notes can be edited.")
    if not text.strip():
        raise BadRequest("The entry needs a text.")
    tenant.edit_entry(entry["id"], text, user=API_USER)
    return {"said": "The entry was changed."}


def compare_pair(subject: Subject, params: Params, given: Given) -> dict[str, Any]:
    """POST /mirroring: compare all incidents of `instance`, and with `repair` have the next rounds set right what they can."""
    asked, name = _pair(subject.pairs, given)
    return {"said": comparison_view(name, asked.compare(name, given.get("repair") is True))["said"]}


def _text(given: Given, name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise BadRequest(f"{name} must be a text.")
    return value


def _strings(given: Given, name: str) -> list[str]:
    values = given.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise BadRequest(f"{name} must be a list of texts.")
    return values


def _number(given: Given, name: str, default: int) -> int:
    text = _text(given, name)
    if text and not re.fullmatch(r"[0-9]{1,6}", text):
        raise BadRequest(f"{name} must be a number.")
    return int(text) if text else default


# Routes

HANDLERS: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/api/tenant", show_tenant),
    ("GET", "/api/incidents", list_incidents),
    ("GET", "/api/incidents/{id}", show_incident),
    ("POST", "/api/incidents", create_incident),
    ("POST", "/api/incidents/{id}/fields", change_fields),
    ("POST", "/api/incidents/{id}/close", close_incident),
    ("POST", "/api/incidents/{id}/reopen", reopen_incident),
    ("POST", "/api/incidents/{id}/entries", add_entry),
    ("POST", "/api/entries/{id}", change_entry),
    ("GET", "/api/mirroring", show_mirroring),
    ("POST", "/api/mirroring", compare_pair),
)

Endpoint = Callable[[Request, Subject, Params], Awaitable[Response]]


def _data_endpoint(handler: Handler) -> Endpoint:
    async def answer(request: Request, subject: Subject, params: Params) -> Response:
        given = dict(request.query_params) if request.method == "GET" else await json_body(request, required=False)
        return json_response(await run_in_threadpool(handler, subject, params, given))

    return answer


async def add_file(request: Request, subject: Subject, params: Params) -> Response:
    """POST /incidents/{id}/files: as the REST API's upload, after the same look at the War Room as for a chat."""
    await run_in_threadpool(check_takes_entries, subject.tenant, params["id"])
    await upload_entry(request, subject.tenant, params)
    return json_response({"said": "The file was added."})


async def load_file(request: Request, subject: Subject, params: Params) -> Response:
    """GET /entries/{id}/file: as the REST API's download."""
    return await download_entry(request, subject.tenant, params)


ENDPOINTS: tuple[tuple[str, str, Endpoint], ...] = (
    *((method, path, _data_endpoint(handler)) for method, path, handler in HANDLERS),
    ("POST", "/api/incidents/{id}/files", add_file),
    ("GET", "/api/entries/{id}/file", load_file),
)
ROUTES = [(method, compile_path(path)[0], endpoint) for method, path, endpoint in ENDPOINTS]


class WebPage:
    """Answers the requests to a tenant's web page."""

    def __init__(self, tenant: Tenant, token: str, pairs: Pairs | None, sharing: Sharing) -> None:
        """Take what the page is of (see `Subject`), and the token that opens it; "" lets nobody in."""
        self._subject = Subject(tenant, pairs, sharing)
        self._guard = Guard(token)

    async def answer(self, request: Request) -> Response:
        """Return the answer to a request under /web. What cannot be done is {"error": one sentence}."""
        try:
            check_host(request.headers)
            shown_at = _ui_address(request)
            response = RedirectResponse(shown_at) if shown_at else await self._respond(request)
        except TenantError as error:
            response = _refused(error)
        for name, value in HEADERS.items():
            response.headers[name] = value
        return response

    async def _respond(self, request: Request) -> Response:
        path = request.url.path.removeprefix(PREFIX)
        if request.method == "GET" and not path:
            return RedirectResponse(f"{PREFIX}/")
        if request.method == "GET" and path in FILES:
            name, media_type = FILES[path]
            return Response((STATIC / name).read_bytes(), media_type=media_type)
        if request.method == "GET" and path == "/icon.svg":
            return Response(views.icon(self._subject.tenant.settings.name), media_type="image/svg+xml")
        is_file = request.method == "GET" and path.endswith("/file")
        check_origin(request.method, request.headers, marked=not is_file)
        if request.method == "POST" and path == "/api/session":
            return await self._open(request)
        self._guard.check_session(request.headers, request.cookies)
        for method, pattern, endpoint in ROUTES:
            match = pattern.match(path) if method == request.method else None
            if match:
                return await endpoint(request, self._subject, match.groupdict())
        return json_response({"error": "The page has nothing at this address."}, 404)

    async def _open(self, request: Request) -> Response:
        """POST /session: the cookie for the token of the address."""
        given = await json_body(request, required=False)
        response = json_response({})
        self._guard.open(_text(given, "token"), request.headers, response)
        return response


def _refused(error: TenantError) -> Response:
    status = 404 if isinstance(error, NotFound) else error.status
    return json_response({"error": str(error).removesuffix(" (8)")}, status)
