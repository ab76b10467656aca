"""The routes of the REST API: what a request means to the tenant, and how the answer looks.

A handler of a JSON route gets the tenant, the parameters of the path and the body, and returns the answer; it runs in a
thread of its own. Paths are those within the API, without a prefix.
"""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, BinaryIO
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import compile_path

from local_xsoar.tenant.errors import (
    BadRequest,
    Barred,
    InvestigationClosed,
    NoJsonType,
    NotFound,
    TenantError,
    TooLarge,
    error_body,
)
from local_xsoar.tenant.filters import MOST, as_heard
from local_xsoar.tenant.manners import RIGHTS
from local_xsoar.tenant.packs import install_pack, read_pack
from local_xsoar.tenant.shapes import CLOSED, SERVER_OWNED, incident_wrapper, to_json
from local_xsoar.tenant.tenant import Tenant, takes_entries
from local_xsoar.tenant.times import SECOND, ZERO_TIME

API_USER = "admin"  # whose key it is: entries and incidents made with it carry this name
FORMATS = ("table", "json", "text", "markdown", "html")

FORM_PARTS = 20  # more than any client sends
MAX_DEPTH = 100  # of nesting in a JSON body: what is stored has to be read again inside lists and objects of ours

Params = Mapping[str, str]
JsonHandler = Callable[[Tenant, Params, dict[str, Any]], Response]


def json_response(content: Any, status: int = 200) -> Response:
    """Return an answer with a JSON body."""
    return Response(to_json(content), status, media_type="application/json")


def error_response(error: TenantError) -> Response:
    """Return an answer with the standard error body."""
    return json_response(error.body(), error.status)


def unknown_route(method: str, path: str) -> Response:
    """Return the answer to a request that no route serves."""
    return json_response(error_body(404, "not_found", "Not found", "Not found", f"No route for {method} {path}"), 404)


def see_other() -> Response:
    """Return the answer to a request for a route that is closed to keys: the way to the web client."""
    return Response(status_code=303, headers={"Location": "/"})


def check_right(tenant: Tenant, right: str) -> None:
    """Raise Barred when the key's role may not do this."""
    if right in tenant.settings.barred_from:
        raise Barred(f"The role of this key has no permission for {right}.")


NOT_JSON = "Request body is not well-formed. It must be JSON."


async def json_body(request: Request, required: bool) -> dict[str, Any]:
    """Return the request's body, {} when it is empty and need not be there.

    Raises:
        NoJsonType: the request does not say that it is JSON.
        BadRequest: it is no JSON object.
    """
    raw = await request.body()
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise NoJsonType("The request needs the header Content-Type: application/json.")
    if not raw.strip() and not required:
        return {}
    try:
        body = json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise BadRequest(NOT_JSON)
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _depth(body) > MAX_DEPTH:
        raise BadRequest(f"The request body is nested too deeply: {MAX_DEPTH} levels are allowed.")
    if body is None and not required:
        return {}
    if not isinstance(body, dict):
        raise BadRequest(NOT_JSON)
    return body


def _depth(value: Any) -> int:
    """Return how many lists and objects lie in one another."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return depth


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRequest(f"{name} must be a string, not {json.dumps(value)[:60]}.")
    return value


def _object(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequest(f"{name} must be an object, not {json.dumps(value)[:60]}.")
    return value


def _strings(body: Mapping[str, Any], name: str) -> list[str]:
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadRequest(f"{name} must be a list of strings, not {json.dumps(value)[:60]}.")
    return value


# Incidents


def search_incidents(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """POST /incidents/search"""
    if not isinstance(body.get("filter"), dict):
        raise BadRequest("The search needs a filter object.")
    incidents, total = tenant.search(as_heard(body["filter"], tenant.settings))
    told = {"right": total, "zero": 0, "page": len(incidents)}[tenant.settings.search_total]
    return json_response(_search_wrapper(tenant, incidents, told))


def _search_wrapper(tenant: Tenant, incidents: list[dict[str, Any]], total: int, not_updated: int = 0) -> dict[str, Any]:
    return {
        "total": total,
        "data": _list_or_null(tenant, incidents),
        "notUpdated": not_updated,
        "searchAfter": None,
        "searchBefore": None,
        "searchAfterElastic": None,
        "searchBeforeElastic": None,
        "accountErrors": None,
        "totalAccounts": 0,
    }


def _list_or_null(tenant: Tenant, items: list[Any]) -> list[Any] | None:
    return items if items or tenant.settings.empty_list == "list" else None


def modified_incidents(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """GET and POST /incidents/modified: ids only, changed since a time in whole seconds; {} for none.

    It is on no page of the documents: any number in the body or the query is taken for the time.
    """
    if tenant.settings.modified_route == "see_other":
        return see_other()
    if tenant.settings.modified_route == "not_found":
        return unknown_route("GET", "/incidents/modified")
    numbers = [int(float(value)) for value in body.values() if re.fullmatch(r"\d{1,10}(\.\d*)?", str(value))]
    since = tenant.settings.show(numbers[0] * SECOND) if numbers else ZERO_TIME
    found, _ = tenant.search({"query": f'modified:>="{since}"', "size": MOST, "sort": [{"field": "modified", "asc": True}]})
    return json_response([incident["id"] for incident in found] or {})


def load_incident(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """GET /incident/load/{id}"""
    if params["id"] in tenant.settings.broken_incidents:
        raise TenantError(f"Incident {params['id']} cannot be read.")
    return json_response(tenant.load_incident(params["id"]))


def create_or_update_incident(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """POST /incident: with an id it replaces that incident, without one it creates."""
    if tenant.settings.is_8 and not _text(body, "name").strip():
        raise BadRequest("The incident needs a name.")
    if _text(body, "id"):
        check_right(tenant, "edit")
        tenant.check_seen(_text(body, "id"))
        return json_response(incident_wrapper(tenant.replace_incident(body, user=API_USER)))
    check_right(tenant, "create")
    fields = {field: value for field, value in body.items() if field not in (*SERVER_OWNED, *_unheard(tenant, body))}
    incident = tenant.create_incident(fields, user=API_USER, investigate=bool(body.get("createInvestigation")))
    if incident is None:
        return Response(status_code=200)  # dropped by a pre-processing rule
    if tenant.settings.created_answer == "empty":
        return Response(status_code=201)
    wrapper = incident_wrapper(incident)
    if tenant.settings.created_answer == "no_id":
        wrapper = {key: value for key, value in wrapper.items() if key not in ("id", "investigationId")}
    return json_response(wrapper, 201 if tenant.settings.is_8 else 200)


def _unheard(tenant: Tenant, body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the fields of a new incident that the tenant does not hear: where it comes from, without an Instance label."""
    labels = body.get("labels")
    named = isinstance(labels, list) and any(isinstance(label, dict) and label.get("type") == "Instance" for label in labels)
    return () if named or tenant.settings.source_brand == "as_sent" else ("sourceBrand", "sourceInstance")


def close_incident(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """POST /incident/close: the answer still shows the incident as it was, as the captured one did."""
    before = tenant.incident(_text(body, "id"))
    tenant.close_in_time(before["id"], **_closing(body))
    return json_response(incident_wrapper(before))


def _closing(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a body says that an incident is to be closed, as the arguments of `Tenant.close_incident`."""
    return {
        "reason": _text(body, "closeReason"),
        "notes": _text(body, "closeNotes"),
        "custom_fields": _object(body, "CustomFields"),
        "user": API_USER,
    }


def close_incidents(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """POST /incident/batchClose"""
    ids = _chosen_ids(tenant, body)
    closed = []
    for incident_id in ids:
        try:
            tenant.close_incident(incident_id, **_closing(body))
        except NotFound:
            continue
        closed.append(incident_wrapper(tenant.incident(incident_id)))
    return json_response(_search_wrapper(tenant, closed, len(closed), len(ids) - len(closed)))


def delete_incidents(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """POST /incident/batchDelete"""
    ids = _chosen_ids(tenant, body)
    deleted = 0
    for incident_id in ids:
        try:
            tenant.delete_incident(incident_id)
        except NotFound:
            continue
        deleted += 1
    return json_response(_search_wrapper(tenant, [], deleted, len(ids) - deleted) | {"totalDeleted": deleted})


def _chosen_ids(tenant: Tenant, body: Mapping[str, Any]) -> list[str]:
    """The ids of a batch: those given, or with `all` those that the filter finds."""
    if not body.get("all"):
        return _strings(body, "ids")
    incidents, _ = tenant.search({**_object(body, "filter"), "size": tenant.settings.search_size_limit or MOST})
    return [incident["id"] for incident in incidents]


def investigate(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """POST /incident/investigate"""
    incident = tenant.investigate(_text(body, "id"))
    return json_response(
        {
            "error": None,
            "id": incident["id"],
            "invPlaybook": None,
            "investigation": _investigation(incident),
            "version": incident["version"],
        }
    )


def _investigation(incident: Mapping[str, Any]) -> dict[str, Any]:
    users = [incident["owner"]] if incident["owner"] else []
    return {
        "id": incident["investigationId"],
        "name": incident["name"],
        "status": 1 if incident["status"] == CLOSED else 0,
        "type": 0,
        "users": users,
        "entryUsers": users,
        "created": incident["created"],
        "modified": incident["modified"],
        "closed": incident["closed"],
        "closingUserId": incident["closingUserId"],
        "category": incident["category"],
        "details": incident["details"],
        "runStatus": incident["runStatus"],
        "version": incident["version"],
        "tags": None,
        "systems": None,
        "mirrorTypes": None,
        "mirrorAutoClose": None,
        "childInvestigations": None,
        "reason": None,
        "rawCategory": incident["rawCategory"],
        "slackMirrorType": "",
        "slackMirrorAutoClose": False,
    }


# War Rooms


def load_investigation(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """POST /investigation/{id}"""
    bodies = tenant.entry_bodies(params["id"], body)
    investigation = to_json(_investigation(tenant.incident(params["id"])))
    entries = f"[{','.join(bodies)}]" if bodies else to_json(_list_or_null(tenant, []))
    return Response(f'{investigation[:-1]},"entries":{entries}}}', media_type="application/json")


def _open_incident(tenant: Tenant, investigation_id: str) -> dict[str, Any]:
    """Return the incident whose War Room is to be written to.

    Raises:
        NotFound, InvestigationClosed: there is none, or it is closed.
    """
    try:
        incident = tenant.incident(investigation_id)
    except NotFound:
        raise NotFound(f"Could not find investigation {investigation_id[:60]} (8)")
    if incident["investigationId"] and not takes_entries(incident):
        raise InvestigationClosed(f"Investigation {investigation_id} is closed")
    return incident


def write_entry(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """POST /entry: a chat; or a command, when the text starts with ! or /"""
    return json_response(_write(tenant, body)[0])


def execute_entry(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """POST /entry/execute/sync: as POST /entry, but the answer holds the entries that came of it."""
    entries = _write(tenant, body)
    return json_response(entries[1:] or entries)


def _write(tenant: Tenant, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Write the text of the body into the War Room: the entry itself and, for a command, its results."""
    investigation_id = _text(body, "investigationId")
    _open_incident(tenant, investigation_id)
    text = _text(body, "data")
    if not text:
        raise BadRequest("The entry needs data.")
    if text.startswith(("!", "/")):
        return _run_command(tenant, investigation_id, text)
    text_format = "markdown" if body.get("markdown") else "text"
    return [tenant.add_entry(investigation_id, contents=text, user=API_USER, format=text_format, category="chat")]


def _run_command(tenant: Tenant, investigation_id: str, text: str) -> list[dict[str, Any]]:
    """Record that a command ran, and its result. Only reopenInvestigation does something here."""
    asked = tenant.add_entry(investigation_id, contents=text, user=API_USER, category="commandAndResults")
    name = re.split(r"\s", text[1:], maxsplit=1)[0]
    result, entry_type = f"Command {name} ran.", 1
    if name == "reopenInvestigation":
        found = re.search(r"""\bid=(?:"([^"]*)"|'([^']*)'|(\S+))""", text)
        target = next(filter(None, found.groups()), "") if found else investigation_id
        try:
            if tenant.settings.reopen_command == "refused":
                raise Barred(f"Investigation {target[:60]} may not be reopened by a command.")
            tenant.reopen_incident(target, user=API_USER)
            result = f"Investigation {target} was reopened."
        except NotFound:
            result, entry_type = f"Could not find investigation {target[:60]} (8)", 4
        except Barred as error:
            result, entry_type = str(error), 4
    answer = tenant.add_entry(
        investigation_id, contents=result, entry_type=entry_type, category="commandAndResults", parent_id=asked["id"]
    )
    return [asked, answer]


def write_formatted_entry(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """POST /entry/formatted"""
    if tenant.settings.formatted_entries == "closed":
        return see_other()
    investigation_id = _text(body, "investigationId")
    _open_incident(tenant, investigation_id)
    text_format = _text(body, "format") or "text"
    if text_format not in FORMATS:
        raise BadRequest(f'The format "{text_format}" is none of {", ".join(FORMATS)}.')
    contents = _text(body, "contents")
    return json_response(
        tenant.add_entry(investigation_id, contents=contents, user=API_USER, format=text_format, category="chat")
    )


def write_note(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """POST /entry/note: with an id it marks that entry as a note or not ("true", "false"), without one it writes a note."""
    data = body.get("data")
    if _text(body, "id"):
        marked = data is True or str(data).lower() == "true"
        return json_response(tenant.change_entry(_text(body, "id"), note=marked))
    investigation_id = _text(body, "investigationId")
    _open_incident(tenant, investigation_id)
    text_format = "markdown" if body.get("markdown") else "text"
    return json_response(
        tenant.add_entry(
            investigation_id, contents=_text(body, "data"), user=API_USER, format=text_format, category="note", note=True
        )
    )


def tag_entry(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """POST /entry/tags: sets the whole list."""
    return json_response(tenant.change_entry(_text(body, "id"), tags=_strings(body, "tags")))


# Schema and server


def list_fields(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """GET /incidentfields"""
    return json_response(_list_or_null(tenant, tenant.incident_fields()))


def list_fields_of_type(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """GET /incidentfields/associatedTypes/{type}"""
    fields = [field for field in tenant.incident_fields() if field["group"] == 0]
    bound = [field for field in fields if field["associatedToAll"] or params["type"] in (field["associatedTypes"] or [])]
    return json_response(_list_or_null(tenant, bound))


def list_types(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """GET /incidenttype"""
    return json_response(_list_or_null(tenant, tenant.incident_types()))


def about(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """GET /about"""
    version = {"demistoVersion": tenant.settings.version, "buildNum": "1"}
    mode = {"productMode": tenant.settings.product_mode, "deploymentMode": "saas"}
    return json_response(version | mode if tenant.settings.is_8 else version)


def health(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """GET /health and /health/server"""
    return Response(status_code=200)


def own_user(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """GET /user"""
    return json_response(
        {
            "id": API_USER,
            "username": API_USER,
            "name": "Admin",
            "email": f"{API_USER}@{tenant.settings.name}.example",
            "roles": {"demisto": ["Administrator"]},
            "type": 0,
            "disabled": False,
        }
    )


def workers(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """GET /workers/status"""
    return json_response({"Total": 4, "Busy": 0, "Limit": 4, "ProcessInfo": []})


def list_packs(tenant: Tenant, params: Params, body: dict[str, Any]) -> Response:
    """GET /contentpacks/metadata/installed"""
    return json_response(_list_or_null(tenant, tenant.packs()))


# Files


@asynccontextmanager
async def _form(request: Request) -> AsyncIterator[FormData]:
    try:
        form = await request.form(max_files=FORM_PARTS, max_fields=FORM_PARTS)
    except TooLarge:
        raise
    except (HTTPException, MultiPartException):
        raise BadRequest("The request body is not well-formed. It must be multipart/form-data.")
    try:
        yield form
    finally:
        await form.close()


def _uploaded(form: FormData) -> tuple[str, BinaryIO]:
    """Return the name and the content of the form's part `file`."""
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise BadRequest("The form needs a part named file, with a file name.")
    return file.filename or "file", file.file


def _field(form: FormData, name: str) -> str:
    value = form.get(name)
    return value if isinstance(value, str) else ""


def _is_true(form: FormData, name: str) -> bool:
    return _field(form, name).lower() in ("true", "1", "yes")


async def upload_entry(request: Request, tenant: Tenant, params: Params) -> Response:
    """POST /entry/upload/{id}: a file entry in the War Room."""
    async with _form(request) as form:
        name, content = _uploaded(form)

        def write() -> dict[str, Any]:
            _open_incident(tenant, params["id"])
            return tenant.add_entry(
                params["id"],
                contents=_field(form, "fileComment"),
                user=API_USER,
                category="attachment",
                note=_is_true(form, "isNoteEntry"),
                tags=_field(form, "tags").split(","),
                file=(name, content),
            )

        return json_response({"entries": [await run_in_threadpool(write)]})


async def upload_attachment(request: Request, tenant: Tenant, params: Params) -> Response:
    """POST /incident/upload/{id}: an attachment of the incident, and a file entry in its War Room."""
    async with _form(request) as form:
        name, content = _uploaded(form)

        def write() -> dict[str, Any]:
            return tenant.attach_file(
                params["id"],
                _field(form, "fileName") or name,
                content,
                user=API_USER,
                comment=_field(form, "fileComment"),
                field=_field(form, "field") or "attachment",
                show_media=_is_true(form, "showMediaFile"),
                investigate=_is_true(form, "last"),
            )

        return json_response(incident_wrapper(await run_in_threadpool(write)))


async def upload_pack(request: Request, tenant: Tenant, params: Params) -> Response:
    """POST /contentpacks/installed/upload: a content pack's zip. Its signature is never asked for, so skipVerify says nothing."""
    async with _form(request) as form:
        _, content = _uploaded(form)
        pack = await run_in_threadpool(read_pack, content)
        await run_in_threadpool(install_pack, tenant, pack)
        return json_response([pack.record])


async def download_entry(request: Request, tenant: Tenant, params: Params) -> Response:
    """GET /entry/download/{id}"""
    name, path = await run_in_threadpool(tenant.entry_file, params["id"])
    return FileResponse(path, media_type="application/octet-stream", headers={"Content-Disposition": content_disposition(name)})


def content_disposition(name: str) -> str:
    """Return the header for a download: the bare name when it is a plain one, else quoted, and encoded when it must be."""
    if re.fullmatch(r"[A-Za-z0-9!#$&+.^_`|~-]+", name):
        return f"attachment; filename={name}"
    plain = re.sub(r'[^\x20-\x7e]|["\\]', "_", name)
    quoted = f'attachment; filename="{plain}"'
    return quoted if plain == name else f"{quoted}; filename*=utf-8''{quote(name, safe='')}"


JSON_ROUTES: tuple[tuple[str, str, JsonHandler], ...] = (
    ("POST", "/incidents/search", search_incidents),
    ("GET", "/incidents/modified", modified_incidents),
    ("POST", "/incidents/modified", modified_incidents),
    ("GET", "/incident/load/{id}", load_incident),
    ("POST", "/incident", create_or_update_incident),
    ("POST", "/incident/close", close_incident),
    ("POST", "/incident/batchClose", close_incidents),
    ("POST", "/incident/batchDelete", delete_incidents),
    ("POST", "/incident/investigate", investigate),
    ("POST", "/investigation/{id}", load_investigation),
    ("POST", "/entry", write_entry),
    ("POST", "/entry/execute/sync", execute_entry),
    ("POST", "/entry/formatted", write_formatted_entry),
    ("POST", "/entry/note", write_note),
    ("POST", "/entry/tags", tag_entry),
    ("GET", "/incidentfields", list_fields),
    ("GET", "/incidentfields/associatedTypes/{type}", list_fields_of_type),
    ("GET", "/incidenttype", list_types),
    ("GET", "/about", about),
    ("GET", "/health", health),
    ("GET", "/health/server", health),
    ("GET", "/user", own_user),
    ("GET", "/workers/status", workers),
    ("GET", "/contentpacks/metadata/installed", list_packs),
)

FileHandler = Callable[[Request, Tenant, Params], Awaitable[Response]]

FILE_ROUTES: tuple[tuple[str, str, FileHandler], ...] = (
    ("POST", "/entry/upload/{id}", upload_entry),
    ("GET", "/entry/download/{id}", download_entry),
    ("POST", "/incident/upload/{id}", upload_attachment),
    ("POST", "/contentpacks/installed/upload", upload_pack),
)

BODY_OPTIONAL = ("/investigation/{id}", "/incidents/modified")
RIGHT_OF = {path: right for right, paths in RIGHTS.items() for path in paths if path != "/incident"}
API_ROOTS = frozenset(path.split("/")[1] for _, path, _ in (*JSON_ROUTES, *FILE_ROUTES))


def _json_endpoint(path: str, handler: JsonHandler) -> FileHandler:
    async def answer(request: Request, tenant: Tenant, params: Params) -> Response:
        body = (
            dict(request.query_params)
            if request.method == "GET"
            else await json_body(request, required=path not in BODY_OPTIONAL)
        )
        return await run_in_threadpool(handler, tenant, params, body)

    return answer


def _compiled() -> list[tuple[str, re.Pattern[str], str, FileHandler]]:
    endpoints = [(method, path, _json_endpoint(path, handler)) for method, path, handler in JSON_ROUTES]
    routes = (*endpoints, *FILE_ROUTES)
    return [(method, compile_path(path)[0], RIGHT_OF.get(path, ""), handler) for method, path, handler in routes]


ROUTES = _compiled()


async def answer_api(request: Request, tenant: Tenant, path: str, *, is_public: bool = False) -> Response:
    """Return the answer to a request that was let in; `path` is the one within the API. Errors become standard bodies.

    `is_public` says that the path came under /xsoar/public/v1, where real servers lead to the web client what they do not know.
    """
    if is_public and (request.method, path) == ("GET", "/incidenttype"):
        return json_response(error_body(405, "method_not_allowed", "Method not allowed", "", f"No GET for {path}"), 405)
    for method, pattern, right, handler in ROUTES:
        match = pattern.match(path) if method == request.method else None
        if match:
            try:
                check_right(tenant, right)
                tenant.check_seen(match.groupdict().get("id", "").rpartition("@")[2])
                return await handler(request, tenant, match.groupdict())
            except TenantError as error:
                return error_response(error)
    return see_other() if is_public else unknown_route(request.method, path)
