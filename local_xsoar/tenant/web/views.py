"""What the page shows of a tenant, an incident and an entry. Pure functions from the tenant's objects to plain data for the page.

A row is {"key", "label", "name", "value"}: what it is called, its name in the API (or ""), and its value as nodes of `markup`.
A badge is {"text", "tone"}; tones: quiet, good, warn, bad, note, accent.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from local_xsoar.tenant.schema import CLOSE_REASONS
from local_xsoar.tenant.settings import TenantSettings
from local_xsoar.tenant.shapes import ACTIVE, ARCHIVED, CLOSED, PENDING, TIME_FIELDS
from local_xsoar.tenant.tenant import takes_entries
from local_xsoar.tenant.times import ZERO_TIME
from local_xsoar.tenant.web import markup
from local_xsoar.tenant.web.markup import Node
from local_xsoar.tenant.web.sharing import Share, Shared

Badge = dict[str, str]
Row = dict[str, Any]

MIRROR_PREFIX = "xsoarmirroring"
ERROR_ENTRY = 4
_HUES = (255, 185, 305, 345)  # Far from the red, amber and green that mean something.

STATUSES: dict[int, Badge] = {
    PENDING: {"text": "Pending", "tone": "quiet"},
    ACTIVE: {"text": "Active", "tone": "accent"},
    CLOSED: {"text": "Closed", "tone": "quiet"},
    ARCHIVED: {"text": "Archived", "tone": "quiet"},
}
SEVERITIES: dict[float, Badge] = {
    0: {"text": "Unknown", "tone": "quiet"},
    0.5: {"text": "Informational", "tone": "quiet"},
    1: {"text": "Low", "tone": "quiet"},
    2: {"text": "Medium", "tone": "warn"},
    3: {"text": "High", "tone": "bad"},
    4: {"text": "Critical", "tone": "bad"},
}

# The parts of an incident that have a place of their own; the rest stands under "All other fields".
_FACTS = (
    "type", "severity", "owner", "created", "modified", "occurred", "dueDate", "sourceBrand", "sourceInstance",
    "closed", "closeReason", "closeNotes", "closingUserId",
)  # fmt: skip
_MIRROR_SYSTEM = ("dbotMirrorId", "dbotMirrorInstance", "dbotMirrorDirection", "dbotMirrorTags", "dbotMirrorLastSync")
_MIRROR_LABELS = {
    "dbotMirrorId": "Remote incident",
    "dbotMirrorInstance": "Instance",
    "dbotMirrorDirection": "Direction",
    "dbotMirrorTags": "Tags",
    "dbotMirrorLastSync": "Last sync",
    "dbotCurrentDirtyFields": "Waiting to go out",
    "remoteid": "Remote ID",
    "remotelink": "Remote link",
    "remotetenant": "Remote tenant",
    "state": "State",
    "lastin": "Last in",
    "lastout": "Last out",
    "errorin": "Error in",
    "errorout": "Error out",
}
_MIRROR_KINDS = {"remotelink": "url", "lastin": "date", "lastout": "date"}
_DIRECTIONS = {"both": "both ways"}
_STATE_TONES = {"in step": "good", "behind": "warn", "error": "bad"}
_ELSEWHERE = {*_FACTS, *_MIRROR_SYSTEM, "dbotCurrentDirtyFields", "id", "name", "status", "details", "attachment", "CustomFields"}
# What fields of the incident itself are called where their key does not say it.
_LABELS = {
    "closingUserId": "Closing User",
    "dbotCreatedBy": "Created By",
    "dbotDirtyFields": "Dirty Fields",
    "id": "ID",
    "investigationId": "Investigation ID",
    "modified": "Changed",
    "playbookId": "Playbook",
    "sla": "SLA",
}


def tenant_view(settings: TenantSettings, types: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what tells this tenant apart, and the choices of the page's forms."""
    return {
        "name": settings.name,
        "version": settings.version,
        "hue": hue(settings.name),
        "severities": [{"value": str(value), "text": badge["text"]} for value, badge in SEVERITIES.items()],
        "reasons": list(CLOSE_REASONS),
        "types": [item["name"] for item in sorted(types, key=lambda item: (not item.get("default"), item["name"].casefold()))],
    }


def hue(name: str) -> int:
    """Return the hue of a tenant's accent, in degrees: always the same for a name."""
    return _HUES[hashlib.sha256(name.encode("utf-8", "replace")).digest()[0] % len(_HUES)]


def icon(name: str) -> str:
    """Return the page's icon as SVG: a square in the tenant's accent with the first letter of its name."""
    first = name[:1].upper()
    letter = first if first.isascii() and first.isalnum() else ""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
        f'<rect width="32" height="32" rx="8" fill="oklch(0.5 0.13 {hue(name)})"/>'
        '<text x="16" y="22.5" font-family="system-ui,sans-serif" font-size="19" font-weight="700" text-anchor="middle"'
        f' fill="#fff">{letter}</text></svg>'
    )


# Incidents


def incident_row(incident: Mapping[str, Any]) -> dict[str, Any]:
    """Return an incident as a line of the list."""
    return {
        "key": incident["id"],
        "id": incident["id"],
        "name": incident["name"] or "(no name)",
        "type": incident["type"],
        "owner": incident["owner"],
        "modified": markup.moment(incident["modified"]),
        "severity": severity(incident["severity"]),
        "badges": [status(incident["status"]), *mirror_badges(incident)[:1]],
    }


def severity(value: float) -> Badge:
    """Return the badge of a severity; one that the platform does not know is shown as a number."""
    return SEVERITIES.get(value, {"text": f"Severity {value}", "tone": "quiet"})


def status(value: int) -> Badge:
    """Return the badge of a status."""
    return STATUSES.get(value, {"text": f"Status {value}", "tone": "quiet"})


def mirror_badges(incident: Mapping[str, Any]) -> list[Badge]:
    """Return the state of the mirroring and its direction, as far as the incident has them."""
    badges = []
    state = mirror_state(incident)
    if state:
        badges.append(state | {"text": f"Mirror: {state['text']}"})
    if incident["dbotMirrorInstance"]:
        direction = incident["dbotMirrorDirection"].casefold()
        badges.append({"text": f"Mirrored {_DIRECTIONS.get(direction, direction)}".strip(), "tone": "quiet"})
    return badges


def mirror_state(incident: Mapping[str, Any]) -> Badge | None:
    """Return the state that the pack keeps in the incident, None when it keeps none."""
    state = incident["CustomFields"].get(f"{MIRROR_PREFIX}state")
    if not isinstance(state, str) or not state:
        return None
    return {"text": state, "tone": _STATE_TONES.get(state.casefold(), "quiet")}


def incident_view(
    incident: Mapping[str, Any],
    entries: Sequence[Mapping[str, Any]],
    fields: Iterable[Mapping[str, Any]],
    shared: Shared,
    most: int,
) -> dict[str, Any]:
    """Return an incident as the page shows it.

    Args:
        incident: as the tenant gives it.
        entries: all of its War Room, oldest first.
        fields: the tenant's incident fields.
        shared: how its entries are shared with other tenants.
        most: how many entries are shown, the newest ones.
    """
    schema = {field["cliName"]: field for field in fields if field.get("group") == 0}
    return {
        "id": incident["id"],
        "name": incident["name"],
        "badges": [status(incident["status"]), severity(incident["severity"]), *mirror_badges(incident)],
        "details": markup.plain(incident["details"]),
        "closed": incident["status"] == CLOSED,
        "form": {
            "name": incident["name"],
            "severity": str(incident["severity"]),
            "owner": incident["owner"],
            "details": incident["details"],
        },
        "mirror": mirror_rows(incident, schema) | {"none": why_not_mirrored(shared)},
        "facts": [row for field in _FACTS if (row := _system_row(incident, field))],
        "custom": custom_rows(incident, schema),
        "attachments": attachment_rows(incident, entries),
        "others": [row for field in incident if field not in _ELSEWHERE if (row := _system_row(incident, field))],
        "entries": [entry_view(entry) for entry in reversed(entries[-most:])],
        "older": max(0, len(entries) - most),
        "open": takes_entries(incident),
        "why_not": why_no_entries(incident),
        "shares": [{"key": share.tag, "label": share_label(share, shared.shares)} for share in shared.shares],
        "tags": known_tags(incident, entries, shared),
    }


def why_no_entries(incident: Mapping[str, Any]) -> str:
    """Return why nothing can be written into the War Room, "" when it can."""
    if takes_entries(incident):
        return ""
    if not incident["investigationId"]:
        return "This incident is pending: its War Room is not open yet."
    return "This incident is closed: reopen it to write into its War Room."


def share_label(share: Share, shares: Iterable[Share]) -> str:
    """Return what the box says that shares an entry; the tag tells apart those that share it with the same tenant."""
    alike = sum(other.to == share.to for other in shares)
    return f"Mirror to {share.to}" if alike == 1 else f"Mirror to {share.to} ({share.tag})"


def known_tags(incident: Mapping[str, Any], entries: Iterable[Mapping[str, Any]], shared: Shared) -> list[str]:
    """Return the tags to suggest: those that mirroring goes by here, then those that are used here, none of the other side's."""
    used = sorted({tag for entry in entries for tag in entry["tags"] or []})
    tags = [*(share.tag for share in shared.shares), *(incident["dbotMirrorTags"] or []), *used]
    return [tag for tag in dict.fromkeys(tags) if tag not in shared.foreign_tags]


def _row(key: str, label: str, value: list[Node], name: str = "") -> Row:
    return {"key": key, "label": label, "name": name, "value": value}


def _system_row(incident: Mapping[str, Any], field: str) -> Row | None:
    value = value_nodes(incident[field], _kind(field))
    if field == "severity":
        value = markup.plain(severity(incident[field])["text"])
    elif field == "rawJSON" and value:
        value = _raw_json(incident[field])
    return _row(field, _LABELS.get(field) or label_of(field), value) if value else None


def label_of(key: str) -> str:
    """Return a camel-case key as words: `closeReason` is Close Reason."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key)
    return words[:1].upper() + words[1:]


def _kind(field: str) -> str:
    return "date" if field in TIME_FIELDS else ""


def _raw_json(text: str) -> list[Node]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return markup.plain(text)
    return value_nodes(value, "")


def value_nodes(value: Any, kind: str) -> list[Node]:
    """Return a field's value as nodes, none when it is empty.

    Args:
        value: any JSON value.
        kind: the field's type; date, url and markdown have a look of their own.
    """
    if _is_empty(value):
        return []
    if isinstance(value, bool):
        return markup.plain("yes" if value else "no")
    if isinstance(value, str):
        return _text_nodes(value, kind)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return [markup.element("ul", [markup.element("li", [item]) for item in value], class_="tags")]
    if isinstance(value, (list, dict)):
        return markup.folded_json(value)
    return markup.plain(str(value))


def _text_nodes(text: str, kind: str) -> list[Node]:
    if kind == "date" or text == ZERO_TIME:
        return markup.moment(text)
    if kind == "url":
        return markup.link(text)
    return markup.markdown(text) if kind == "markdown" else markup.plain(text)


def _is_empty(value: Any) -> bool:
    """Say whether there is nothing in a value: the platform keeps rows without cells and false or 0 that nobody set."""
    if isinstance(value, list):
        return all(_is_empty(item) for item in value)
    return value is None or value == "" or value == {} or value is False or (value == 0 and not isinstance(value, bool))


def custom_rows(incident: Mapping[str, Any], schema: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """Return the custom fields that hold something, those of mirroring left out; short values before objects and lists."""
    rows: list[tuple[bool, Row]] = []
    for name, value in incident["CustomFields"].items():
        if name.startswith(MIRROR_PREFIX):
            continue
        field = schema.get(name, {})
        # Unlike a system field, a custom one is there because somebody set it: false and 0 are values.
        is_number = isinstance(value, (bool, int, float))
        nodes = markup.plain(_number(value)) if is_number else value_nodes(value, str(field.get("type", "")))
        if nodes:
            is_object = isinstance(value, dict) or (isinstance(value, list) and not all(isinstance(item, str) for item in value))
            rows.append((is_object, _row(name, str(field.get("name") or name), nodes, name)))
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])]


def _number(value: float) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def mirror_rows(incident: Mapping[str, Any], schema: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the mirroring section: the state, a remark on the status, the instance ("" for none), the rows, those of errors."""
    rows: list[Row] = []
    errors: list[Row] = []
    for field in (*_MIRROR_SYSTEM, "dbotCurrentDirtyFields"):
        value = value_nodes(incident[field], _kind(field))
        if value:
            rows.append(_row(field, _MIRROR_LABELS[field], value))
    for name, value in incident["CustomFields"].items():
        part = name.removeprefix(MIRROR_PREFIX)
        if part == name or part == "state" or (part == "remoteid" and value == incident["dbotMirrorId"]):
            continue
        known = schema.get(name, {})
        nodes = value_nodes(value, _MIRROR_KINDS.get(part) or str(known.get("type", "")))
        if nodes:
            label = _MIRROR_LABELS.get(part) or str(known.get("name") or name)
            (errors if part.startswith("error") else rows).append(_row(name, label, nodes))
    return {
        "state": mirror_state(incident),
        "status": status_remark(incident),
        "instance": incident["dbotMirrorInstance"],
        "rows": rows,
        "errors": errors,
    }


def why_not_mirrored(shared: Shared) -> str:
    """Return what stands in the mirroring section of an incident that this tenant does not mirror."""
    others = " or ".join(dict.fromkeys(share.to for share in shared.shares)) or "another tenant"
    return f"This tenant does not mirror the incident. If {others} mirrors it, that one shows how it stands."


def status_remark(incident: Mapping[str, Any]) -> str:
    """Return how a mirrored incident's status may differ from the remote one's while both are in step; "" if it may not."""
    other = {PENDING: "Active", ACTIVE: "Pending"}.get(incident["status"])
    if not other or not incident["dbotMirrorInstance"]:
        return ""
    return f"{STATUSES[incident['status']]['text']} here; the remote one may be {other}: only closing and reopening cross."


def attachment_rows(incident: Mapping[str, Any], entries: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return the incident's attachments; each that lies in the War Room is a link to its bytes."""
    entry_of = {entry["fileID"]: entry["id"] for entry in entries if entry["fileID"]}
    rows = []
    for number, item in enumerate(incident["attachment"] or []):
        path, name = str(item.get("path", "")), str(item.get("name") or "file")
        shown = [markup.element("a", [name], href=file_address(entry_of[path]))] if path in entry_of else markup.plain(name)
        rows.append(_row(f"{number} {path}", str(item.get("description") or "File"), shown))
    return rows


# Entries


def entry_view(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry as the page shows it."""
    contents = entry["contents"]
    return {
        "key": entry["id"],
        "id": entry["id"],
        "number": entry["id"].partition("@")[0],
        "author": entry["user"] or "DBot",
        "created": markup.moment(entry["created"]),
        "note": entry["note"],
        "badges": entry_badges(entry),
        "body": entry_body(entry),
        "file": file_view(entry) if entry["fileID"] else None,
        "tags": entry["tags"] or [],
        "text": contents if is_editable(entry) else None,
    }


def is_editable(entry: Mapping[str, Any]) -> bool:
    """Say whether the text of the entry can be edited: people's words can, unless they are too long to be shown whole."""
    contents = entry["contents"]
    words = isinstance(contents, str) and len(contents) <= markup.MOST_CHARACTERS
    return words and entry["type"] == 1 and entry["category"] in ("chat", "note")


def entry_badges(entry: Mapping[str, Any]) -> list[Badge]:
    """Return what marks the entry."""
    marks = (
        (entry["note"], "Note", "note"),
        (entry["type"] == ERROR_ENTRY, "Error", "bad"),
        (entry["category"] == "commandAndResults", "Command", "quiet"),
        (entry["mirrored"], "Mirrored", "accent"),
        (entry["history"], "Edited", "quiet"),
    )
    return [{"text": text, "tone": tone} for marked, text, tone in marks if marked]


def entry_body(entry: Mapping[str, Any]) -> list[Node]:
    """Return the contents of an entry: Markdown as such, objects as JSON, all else (HTML, too) as text."""
    contents = entry["contents"]
    if not isinstance(contents, str):
        return [] if _is_empty(contents) else markup.as_json(contents)
    if entry["format"] == "markdown":
        return markup.markdown(contents)
    return markup.plain(contents)


def file_view(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return the file of an entry: its name, its size in words, where to load it."""
    size = (entry["fileMetadata"] or {}).get("size")
    return {
        "name": entry["file"] or "file",
        "size": size_in_words(size) if isinstance(size, int) else "",
        "href": file_address(entry["id"]),
    }


def file_address(entry_id: str) -> str:
    """Return the address of an entry's file, relative to the page."""
    return f"api/entries/{quote(entry_id)}/file"


def size_in_words(size: int) -> str:
    """Return a number of bytes as people read it."""
    if size < 1000:
        return "1 byte" if size == 1 else f"{size} bytes"
    amount = float(size)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.95 or unit == "GB":
            break
    return f"{amount:.1f} {unit}"
