"""Compares two incidents that mirror each other, field by field, entry by entry, file by file."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from local_xsoar.tenant import Tenant

# What both sides of a mirrored incident have in common besides their custom fields.
MIRRORED_FIELDS = ("name", "type", "severity", "details", "phase", "dueDate", "closeReason", "closeNotes")

# How the pack's own custom fields begin: each tenant keeps what its own mirror knows of an incident.
OWN_FIELDS = "xsoarmirroring"

CLOSED = 2  # The status of a closed incident. Whether an open one is pending or active is each tenant's own affair.


@dataclass(frozen=True)
class Finding:
    """One comparison: what was compared, how it looks here and there, and whether that is as it should be."""

    kind: str
    name: str
    here: str
    there: str
    equal: bool


def compare_incidents(here: Tenant, local_id: str, there: Tenant, remote_id: str, in_tag: str, out_tag: str) -> list[Finding]:
    """Compare a local incident with the remote one it mirrors.

    Args:
        in_tag: entries there with this tag must be here, each once.
        out_tag: entries here with this tag must be there, each once.
    """
    local, remote = here.incident(local_id), there.incident(remote_id)
    local_entries, remote_entries = _entries(here, local), _entries(there, remote)
    return [
        *_compare_fields(local, remote),
        *_compare_texts("entry in", remote_entries, local_entries, in_tag),
        *_compare_texts("entry out", local_entries, remote_entries, out_tag),
        *_compare_files("file in", _tagged_files(there, remote_entries, in_tag), _files(here, local_entries)),
        *_compare_files("file out", _tagged_files(here, local_entries, out_tag), _files(there, remote_entries)),
        *_compare_files("attachment", _attached_files(there, remote, remote_entries), _files(here, local_entries)),
    ]


def _entries(tenant: Tenant, incident: dict[str, Any]) -> list[dict[str, Any]]:
    """Return an incident's entries; a pending one has no War Room yet."""
    return tenant.entries(incident["investigationId"]) if incident["investigationId"] else []


def _compare_fields(local: dict[str, Any], remote: dict[str, Any]) -> Iterable[Finding]:
    for name in MIRRORED_FIELDS:
        mine, theirs = local.get(name), remote.get(name)
        equal = _instant(mine) == _instant(theirs) if name.endswith("Date") else mine == theirs
        yield Finding("field", name, str(mine), str(theirs), equal)
    closed_here, closed_there = local["status"] == CLOSED, remote["status"] == CLOSED
    yield Finding("field", "closed", str(closed_here), str(closed_there), closed_here == closed_there)
    mine_custom, their_custom = local.get("CustomFields") or {}, remote.get("CustomFields") or {}
    for name in sorted(name for name in {*mine_custom, *their_custom} if not name.startswith(OWN_FIELDS)):
        mine, theirs = mine_custom.get(name), their_custom.get(name)
        if not _is_timer(mine) and not _is_timer(theirs):
            yield Finding("custom field", name, str(mine), str(theirs), (mine or None) == (theirs or None))


def _instant(time: Any) -> int:
    """Return a time in milliseconds since year 1, the finest that an XSOAR 8 tenant keeps."""
    return (datetime.fromisoformat(str(time)) - datetime(1, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _is_timer(value: Any) -> bool:
    return isinstance(value, dict) and "runStatus" in value


def _compare_texts(kind: str, source: list[dict[str, Any]], target: list[dict[str, Any]], tag: str) -> Iterable[Finding]:
    """Compare texts: each tagged one of the source stands in the target as often, below the name of its author."""
    wanted = Counter(
        (entry["user"], str(entry["contents"])) for entry in source if _is_tagged(entry, tag) and not entry.get("file")
    )
    for (user, text), count in wanted.items():
        found = sum(1 for entry in target if _quotes(entry, user, text))
        yield _counted(kind, text.strip()[:60], count, found)


def _quotes(entry: dict[str, Any], user: str, text: str) -> bool:
    contents = str(entry.get("contents"))
    return contents != text and contents.endswith(text) and user in contents[: -len(text)]


def _is_tagged(entry: dict[str, Any], tag: str) -> bool:
    return tag in (entry.get("tags") or [])


def _compare_files(kind: str, source: Counter[tuple[str, str]], target: Counter[tuple[str, str]]) -> Iterable[Finding]:
    for (name, digest), count in source.items():
        found = target[name, digest]
        yield _counted(kind, f"{name} ({digest[:12]})", count, found)


def _counted(kind: str, name: str, wanted: int, found: int) -> Finding:
    """Return the comparison of how often something stands where it comes from, and where it must be."""
    here, there = (wanted, found) if kind.endswith(" out") else (found, wanted)
    return Finding(kind, name, f"{here} x", f"{there} x", found == wanted)


def _files(tenant: Tenant, entries: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    """Return how often each file stands among entries, by name and SHA-256 of what is on disk."""
    files = [tenant.entry_file(entry["id"]) for entry in entries if entry.get("file")]
    return Counter((name, hashlib.sha256(path.read_bytes()).hexdigest()) for name, path in files)


def _tagged_files(tenant: Tenant, entries: list[dict[str, Any]], tag: str) -> Counter[tuple[str, str]]:
    return _files(tenant, [entry for entry in entries if _is_tagged(entry, tag)])


def _attached_files(tenant: Tenant, incident: dict[str, Any], entries: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    paths = {attachment["path"] for attachment in incident.get("attachment") or []}
    return _files(tenant, [entry for entry in entries if entry.get("fileID") in paths])
