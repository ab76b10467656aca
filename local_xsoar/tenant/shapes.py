"""The shape of an incident and of a War Room entry, and what may change in them. Pure functions over plain dicts.

The fields are those of objects captured from a real tenant (XSOAR REST API: incident object, entry object).
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from local_xsoar.tenant.errors import BadRequest
from local_xsoar.tenant.settings import TenantSettings
from local_xsoar.tenant.times import SECOND, ZERO_TIME, parse_iso

PENDING, ACTIVE, CLOSED, ARCHIVED = 0, 1, 2, 3
DUE_AFTER = 10 * 86400 * SECOND

# Every field an incident always has, with the value it has when nothing was given: Go's zero value, null for a list.
INCIDENT_ZERO: dict[str, Any] = {
    "CustomFields": {},
    "account": "",
    "activated": ZERO_TIME,
    "attachment": None,
    "autime": 0,
    "cacheVersn": 0,
    "canvases": None,
    "category": "",
    "closeNotes": "",
    "closeReason": "",
    "closed": ZERO_TIME,
    "closingUserId": "",
    "created": ZERO_TIME,
    "dbotCreatedBy": "",
    "dbotCurrentDirtyFields": None,
    "dbotDirtyFields": None,
    "dbotMirrorDirection": "",
    "dbotMirrorId": "",
    "dbotMirrorInstance": "",
    "dbotMirrorLastSync": ZERO_TIME,
    "dbotMirrorTags": None,
    "details": "",
    "droppedCount": 0,
    "dueDate": ZERO_TIME,
    "feedBased": False,
    "id": "",
    "investigationId": "",
    "isDebug": False,
    "isPlayground": False,
    "labels": None,
    "lastJobRunTime": ZERO_TIME,
    "lastOpen": ZERO_TIME,
    "linkedCount": 0,
    "linkedIncidents": None,
    "modified": ZERO_TIME,
    "name": "",
    "notifyTime": ZERO_TIME,
    "occurred": ZERO_TIME,
    "openDuration": 0,
    "owner": "",
    "parent": "",
    "phase": "",
    "playbookId": "",
    "rawCategory": "",
    "rawCloseReason": "",
    "rawJSON": "",
    "rawName": "",
    "rawPhase": "",
    "rawType": "",
    "reason": "",
    "reminder": ZERO_TIME,
    "runStatus": "",
    "severity": 0,
    "sla": 0,
    "sourceBrand": "",
    "sourceInstance": "",
    "status": 0,
    "type": "",
    "version": 0,
}

# What 8.x adds (XSOAR REST API: the Elasticsearch lock pair, and fields marked v8).
INCIDENT_ZERO_8: dict[str, Any] = {
    "custom_status": "",
    "primaryTerm": 0,
    "resolution_status": "",
    "retained": False,
    "sequenceNumber": 0,
}

TIME_FIELDS = tuple(field for field, zero in INCIDENT_ZERO.items() if zero == ZERO_TIME)

# What only the server sets: a client that sends something else is not heard.
SERVER_OWNED = frozenset(
    (
        "account", "autime", "cacheVersn", "created", "dbotCreatedBy", "droppedCount", "id", "investigationId", "modified",
        "openDuration", "primaryTerm", "sequenceNumber", "version",
    )
)  # fmt: skip

# Changes that the server makes by itself are no reason to send the incident out.
NEVER_DIRTY = SERVER_OWNED | frozenset(
    (
        "activated", "attachment", "canvases", "closed", "dbotCurrentDirtyFields", "dbotDirtyFields", "dbotMirrorDirection",
        "dbotMirrorId", "dbotMirrorInstance", "dbotMirrorLastSync", "dbotMirrorTags", "lastJobRunTime", "lastOpen", "notifyTime",
        "rawJSON",
    )
)  # fmt: skip

# What closing and reopening change in any case: shipped integrations look for these keys in what is sent out.
REOPENING = ("status", "closingUserId", "runStatus")
CLOSING_WORDS = ("closeReason", "closeNotes")

ENTRY_ZERO: dict[str, Any] = {
    "InstanceID": "",
    "brand": "none",
    "cacheVersn": 0,
    "category": "",
    "contents": "",
    "contentsSize": 0,
    "created": ZERO_TIME,
    "cronView": False,
    "dbotCreatedBy": "",
    "endingDate": ZERO_TIME,
    "entryTask": None,
    "errorSource": "",
    "file": "",
    "fileID": "",
    "fileMetadata": None,
    "format": "text",
    "history": None,
    "id": "",
    "incidentCreationTime": ZERO_TIME,
    "instance": "",
    "investigationId": "",
    "isTodo": False,
    "mirrored": False,
    "modified": ZERO_TIME,
    "note": False,
    "parentContent": None,
    "parentEntryTruncated": False,
    "parentId": "",
    "pinned": False,
    "playbookId": "",
    "recurrent": False,
    "reputationSize": 0,
    "reputations": None,
    "retryTime": ZERO_TIME,
    "scheduled": False,
    "startDate": ZERO_TIME,
    "system": "",
    "tags": None,
    "tagsRaw": None,
    "taskId": "",
    "times": 0,
    "timezoneOffset": 0,
    "type": 1,
    "user": "",
    "version": 1,
}


def incident_zero(settings: TenantSettings) -> dict[str, Any]:
    """Return an incident of this tenant's version in which nothing is set."""
    zero = INCIDENT_ZERO | INCIDENT_ZERO_8 if settings.is_8 else dict(INCIDENT_ZERO)
    return zero | {"CustomFields": {}}


def known_fields(given: Mapping[str, Any], settings: TenantSettings) -> dict[str, Any]:
    """Return the incident fields among those given, with times as the tenant writes them; nulls and unknown keys are left out.

    Raises:
        BadRequest: a field of the wrong type, naming it.
    """
    given = dict(given)
    if given.get("CustomFields") is None and given.get("customFields") is not None:
        given["CustomFields"] = given["customFields"]  # the 8.x documents spell it so
    zero = incident_zero(settings)
    return {
        field: _checked(field, value, zero[field], settings)
        for field, value in given.items()
        if field in zero and value is not None
    }


def _checked(field: str, value: Any, zero: Any, settings: TenantSettings) -> Any:
    if zero == ZERO_TIME and isinstance(value, str):
        try:
            moment = parse_iso(value) if value else None
        except ValueError as error:
            raise BadRequest(f"The field {field} is not a time: {error}.")
        return settings.show(moment)
    if field == "labels":
        return _checked_labels(value)
    if zero is None:
        item, kind = (dict, "objects") if field == "attachment" else (str, "strings")
        if not isinstance(value, list) or not all(isinstance(element, item) for element in value):
            raise _wrong_type(field, f"a list of {kind}", value)
        return value or None
    if isinstance(zero, bool):
        fits = isinstance(value, bool)
    elif isinstance(zero, int):
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    else:
        fits = isinstance(value, type(zero))
    if not fits:
        wanted = {bool: "true or false", int: "a number", str: "a string", dict: "an object"}[type(zero)]
        raise _wrong_type(field, wanted, value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _checked_labels(value: Any) -> list[dict[str, str]] | None:
    if not isinstance(value, list) or not all(isinstance(label, dict) for label in value):
        raise _wrong_type("labels", "a list of objects with type and value", value)
    return [{"type": str(label.get("type") or ""), "value": str(label.get("value") or "")} for label in value] or None


def _wrong_type(field: str, wanted: str, value: Any) -> BadRequest:
    return BadRequest(f"The field {field} must be {wanted}, not {json.dumps(value)[:60]}.")


def new_incident(
    fields: Mapping[str, Any],
    number: int,
    now: int,
    user: str,
    investigate: bool,
    default_playbook: str,
    settings: TenantSettings,
) -> dict[str, Any]:
    """Return a new incident with the fields given (already checked) and all that the server adds by itself."""
    created = parse_iso(str(fields.get("created", ""))) if fields.get("created") else None
    created = now if created is None else created
    incident = incident_zero(settings) | dict(fields)
    brand = incident["sourceBrand"] or "Manual"
    instance = incident["sourceInstance"] or user
    kind = incident["type"] or "Unclassified"
    incident |= {
        "id": str(number),
        "version": 1,
        "account": settings.account,
        "autime": created,
        "created": settings.show_kept(created),
        "modified": settings.show_kept(created),
        "occurred": settings.show(created) if incident["occurred"] == ZERO_TIME else incident["occurred"],
        "dueDate": settings.show(created + DUE_AFTER) if incident["dueDate"] == ZERO_TIME else incident["dueDate"],
        "dbotCreatedBy": user,
        "sourceBrand": brand,
        "sourceInstance": instance,
        "type": kind,
        "rawType": incident["rawType"] or kind,
        "rawName": incident["rawName"] or incident["name"],
        "rawJSON": "",
        "labels": labels_with(incident["labels"], instance, brand),
    }
    if settings.is_8:
        incident |= {"sequenceNumber": 1, "primaryTerm": 1}
    incident["playbookId"] = incident["playbookId"] or default_playbook
    if incident["status"] not in (CLOSED, ARCHIVED):
        incident["status"] = PENDING
    if incident["status"] == CLOSED and incident["closed"] == ZERO_TIME:
        incident["closed"] = settings.show(now)
    incident["investigationId"] = ""
    return with_investigation(incident, created, settings) if investigate else incident


def labels_with(labels: list[dict[str, str]] | None, instance: str, brand: str) -> list[dict[str, str]]:
    """Return the labels with the Instance and Brand labels the server adds, unless they are there."""
    present = {label["type"] for label in labels or []}
    added = [{"type": kind, "value": value} for kind, value in (("Instance", instance), ("Brand", brand)) if kind not in present]
    return (labels or []) + added


def with_investigation(incident: dict[str, Any], now: int, settings: TenantSettings) -> dict[str, Any]:
    """Return the incident with its War Room open: active unless it is closed, its playbook running."""
    changed = incident | {"investigationId": incident["id"]}
    if incident["status"] == PENDING:
        changed["status"] = ACTIVE
    if incident["playbookId"]:
        changed |= {"runStatus": "waiting", "notifyTime": settings.show(now)}
    return changed


def replaced_incident(old: Mapping[str, Any], fields: Mapping[str, Any], settings: TenantSettings) -> dict[str, Any]:
    """Return the incident as the fields say (already checked); what they leave out is wiped.

    What the server owns stays, and so does whether the incident is closed, and how its playbook is getting on: that is for others
    to say.
    """
    kept = {field: old[field] for field in (*SERVER_OWNED, "status", "closed", "closingUserId", "runStatus") if field in old}
    return incident_zero(settings) | dict(fields) | kept


def merged_incident(old: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the incident with the changes (already checked) laid over it, CustomFields key by key."""
    merged = dict(old) | {field: value for field, value in changes.items() if field not in SERVER_OWNED}
    merged["CustomFields"] = {**old["CustomFields"], **(changes.get("CustomFields") or {})}
    return merged


def closed_incident(
    old: Mapping[str, Any],
    now: int,
    reason: str,
    notes: str,
    custom_fields: Mapping[str, Any],
    user: str,
    settings: TenantSettings,
) -> dict[str, Any]:
    """Return the incident closed. One that is closed already keeps its time and takes the reason and notes when given."""
    closed = dict(old) | {"CustomFields": {**old["CustomFields"], **custom_fields}}
    closed["closeReason"] = reason or old["closeReason"]
    closed["closeNotes"] = notes or old["closeNotes"]
    if old["status"] == CLOSED:
        return closed
    opened = parse_iso(old["created"]) or now
    return closed | {
        "status": CLOSED,
        "closed": settings.show(now),
        "closingUserId": user or "DBot",
        "openDuration": max(0, (now - opened) // SECOND),
    }


def reopened_incident(old: Mapping[str, Any]) -> dict[str, Any]:
    """Return the incident open again; one that is not closed comes back as it is."""
    if old["status"] != CLOSED:
        return dict(old)
    return dict(old) | {
        "status": ACTIVE,
        "closed": ZERO_TIME,
        "closeReason": "",
        "closeNotes": "",
        "closingUserId": "",
        "runStatus": "",
        "openDuration": 0,
    }


def changed_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the names of the fields that differ and that mirroring out cares for: cliNames of custom fields among them."""
    own = [field for field in new if field not in NEVER_DIRTY and field != "CustomFields" and new[field] != old.get(field)]
    before, after = old["CustomFields"], new["CustomFields"]
    custom = [field for field in {**before, **after} if before.get(field) != after.get(field)]
    return own + custom


def marked_dirty(old: Mapping[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return the changed incident with its changed fields noted for the next outgoing run, when it is mirrored out."""
    if not new["dbotMirrorInstance"] or new["dbotMirrorDirection"].lower() not in ("out", "both"):
        return new
    names = changed_fields(old, new)
    if old["status"] != CLOSED and new["status"] == CLOSED:
        names = [*dict.fromkeys((*names, *REOPENING, *CLOSING_WORDS))]
    elif old["status"] == CLOSED and new["status"] != CLOSED:
        names = [name for name in dict.fromkeys((*names, *REOPENING)) if name not in CLOSING_WORDS]
    if not names:
        return new
    marks = {field: list(dict.fromkeys([*(new[field] or []), *names])) for field in ("dbotCurrentDirtyFields", "dbotDirtyFields")}
    return new | marks


def incident_wrapper(incident: Mapping[str, Any]) -> dict[str, Any]:
    """Return the incident as searches and changes answer it (XSOAR REST API: IncidentWrapper)."""
    return {**incident, "changeStatus": "new", "insights": 0, "sortValues": []}


def new_entry(
    number: int, investigation_id: str, now: int, values: Mapping[str, Any], settings: TenantSettings
) -> dict[str, Any]:
    """Return a new War Room entry with the values given."""
    entry = ENTRY_ZERO | dict(values)
    contents = entry["contents"]
    written = settings.show_kept(now)
    return entry | {
        "id": f"{number}@{investigation_id}",
        "investigationId": investigation_id,
        "contentsSize": len(contents.encode("utf-8", "replace")) if isinstance(contents, str) else len(json.dumps(contents)),
        "created": written,
        "modified": written,
        "dbotCreatedBy": entry["user"],
    }


def entry_category(category: str, *, note: bool, user: str, has_file: bool) -> str:
    """Return the category of a new entry: the one given, else what the entry is; a person's words are a chat."""
    if category:
        return category
    if has_file:
        return "attachment"
    if note:
        return "note"
    return "chat" if user else ""


def unique_tags(tags: Any) -> list[str] | None:
    """Return the tags without repetitions, None when there is none: the server shows an empty list as null."""
    return list(dict.fromkeys(str(tag).strip() for tag in tags if str(tag).strip())) or None


def entry_numbers(entry_id: str) -> tuple[int, int] | None:
    """Return the entry's number and its investigation's, or None when the id is none of a War Room entry here."""
    match = re.fullmatch(r"(\d{1,18})@(\d{1,18})", entry_id)
    return (int(match[1]), int(match[2])) if match else None


def to_json(value: Any) -> str:
    """Return compact JSON text that UTF-8 can hold: half of a surrogate pair becomes a replacement character, as Go does.

    Raises:
        BadRequest: a number that JSON cannot hold (infinite, or none at all), or nesting without end.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError, TypeError) as error:
        raise BadRequest(f"A value cannot be written as JSON: {error}.")
    return storable(text)


def storable(text: str) -> str:
    """Return the text as UTF-8 can hold it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
