"""Sample incidents to try things on: made from an incident captured from a real tenant, the same ones each time."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local_xsoar.tenant.settings import TenantSettings
from local_xsoar.tenant.shapes import CLOSED, known_fields
from local_xsoar.tenant.tenant import Tenant
from local_xsoar.tenant.times import MINUTE

TEMPLATE = Path(__file__).with_name("sample_incident.json")
SPACING = 7 * MINUTE
BATCH = 250

# Custom fields that the samples bring along: cliName, name, type.
SAMPLE_FIELDS = (
    ("sourceip", "Source IP", "shortText"),
    ("affectedusers", "Affected Users", "multiSelect"),
    ("reportsummary", "Report Summary", "markdown"),
    ("blocked", "Blocked", "boolean"),
)

# Type, subject, details, text of a report file.
_STORIES = (
    ("Phishing", "Password reset mail with a look-alike link", "Several users report a mail that asks for their password."),
    ("Malware", "Trojan found on a workstation", "The endpoint agent quarantined a file in the download folder."),
    ("Access", "Logins from two countries within an hour", "The same account logged in from places far apart."),
    ("Unclassified", "Alert without a rule", "An alert arrived that no classifier knows."),
    ("Denial of Service", "Unusual load on the web shop", "Requests per second are ten times those of last week."),
)
_SEVERITIES = (0, 0.5, 1, 2, 3, 4)
_OWNERS = ("", "admin", "analyst", "nora")


def load_samples(tenant: Tenant, count: int) -> list[str]:
    """Create sample incidents in the tenant and return their ids.

    What they hold depends only on their place in the row; they were created seven minutes apart, the last one just now.
    Several types, severities and owners; custom fields; chats and notes, some tagged `FromRemote`; files on every fifth,
    two of one name on the first and every twentieth; every ninth is pending, every tenth closed.
    """
    for cli_name, name, kind in SAMPLE_FIELDS:
        tenant.add_incident_field(cli_name, name=name, type=kind)
    template = _template(tenant.settings)
    newest = tenant.now()
    ids: list[str] = []
    for start in range(0, count, BATCH):
        with tenant.batch():
            for place in range(start, min(start + BATCH, count)):
                ids += _load_sample(tenant, template, place, newest - (count - 1 - place) * SPACING)
    return ids


def _template(settings: TenantSettings) -> dict[str, Any]:
    captured = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    return known_fields({"CustomFields": captured["CustomFields"], "sla": captured["sla"]}, settings)


def _load_sample(tenant: Tenant, template: dict[str, Any], place: int, created: int) -> Iterator[str]:
    show = tenant.settings.show
    pending, closed = place % 10 == 8, place % 10 == 9
    fields = sample_fields(template, place) | {"created": show(created), "occurred": show(created - MINUTE)}
    if closed:
        fields |= {
            "status": CLOSED,
            "closed": show(created + 5 * MINUTE),
            "closeReason": "Resolved",
            "closeNotes": "Handled by the runbook.",
            "closingUserId": "admin",
        }
    incident = tenant.create_incident(fields, user="admin", investigate=not pending, attachments=sample_files(place))
    if incident is None:
        return
    if not pending:
        for minutes, entry in enumerate(sample_entries(place), start=1):
            tenant.add_entry(incident["id"], at=created + minutes * MINUTE, **entry)
    yield incident["id"]


def sample_fields(template: dict[str, Any], place: int) -> dict[str, Any]:
    """Return the fields of the sample at this place of the row."""
    kind, subject, details = _STORIES[place % len(_STORIES)]
    custom = {
        **template["CustomFields"],
        "sourceip": f"192.0.2.{place % 254 + 1}",
        "affectedusers": [f"user{place % 7}", f"user{place % 11 + 7}"],
        "reportsummary": f"**{subject}**: seen {place % 5 + 1} times.",
        "blocked": place % 2 == 0,
        "numberofrelatedincidents": place % 4,
    }
    return {
        **template,
        "name": f"{subject} ({place + 1})",
        "type": kind,
        "details": details,
        "severity": _SEVERITIES[place % len(_SEVERITIES)],
        "owner": _OWNERS[place % len(_OWNERS)],
        "labels": [{"type": "Email/from", "value": f"reporter{place % 3}@example.com"}],
        "CustomFields": custom,
    }


def sample_files(place: int) -> list[tuple[str, bytes]]:
    """Return the files of the sample at this place: name and content."""
    if place % 5:
        return []
    report = ("report.txt", f"Report {place + 1}\nSeen by the gateway.\n".encode())
    return [report, ("report.txt", f"Report {place + 1}\nSeen by the agent.\n".encode())] if place % 20 == 0 else [report]


def sample_entries(place: int) -> list[dict[str, Any]]:
    """Return the War Room entries of the sample at this place, as the arguments of `Tenant.add_entry`."""
    entries: list[dict[str, Any]] = [
        {"contents": f"Looking into it, case {place + 1}.", "user": "analyst", "tags": ["FromRemote"] if place % 2 == 0 else []}
    ]
    if place % 3 == 0:
        note = {"contents": "**Checked** the headers: the sender is forged.", "format": "markdown", "user": "nora", "note": True}
        entries.append(note | {"tags": ["FromRemote", "triage"]})
    if place % 4 == 0:
        entries.append({"contents": "!ip ip=192.0.2.1", "category": "commandAndResults"})
    if place % 10 == 0:
        evidence = (f"evidence-{place + 1}.csv", f"time,source\n0{place % 10}:00,192.0.2.{place % 254 + 1}\n".encode())
        entries.append({"contents": "Evidence from the proxy", "user": "nora", "tags": ["FromRemote"], "file": evidence})
    return entries
