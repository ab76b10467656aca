"""The incident fields and incident types that a tenant has from the start (XSOAR REST API: schema routes)."""

import re
from collections.abc import Sequence
from typing import Any

from local_xsoar.tenant.errors import BadRequest
from local_xsoar.tenant.times import ZERO_TIME

INCIDENT_GROUP, EVIDENCE_GROUP, INDICATOR_GROUP = 0, 1, 2

# The platform's own fields: key in the incident, name that is shown, type.
SYSTEM_FIELDS = (
    ("account", "Account", "shortText"),
    ("activated", "Activated", "date"),
    ("attachment", "Attachment", "attachments"),
    ("autime", "Autime", "number"),
    ("category", "Category", "shortText"),
    ("closeNotes", "Close Notes", "longText"),
    ("closeReason", "Close Reason", "singleSelect"),
    ("closed", "Closed", "date"),
    ("closingUserId", "Closing User", "user"),
    ("created", "Created", "date"),
    ("dbotCreatedBy", "Created By", "user"),
    ("dbotCurrentDirtyFields", "Current Dirty Fields", "internal"),
    ("dbotDirtyFields", "Dirty Fields", "internal"),
    ("dbotMirrorDirection", "Mirror Direction", "shortText"),
    ("dbotMirrorId", "Mirror ID", "shortText"),
    ("dbotMirrorInstance", "Mirror Instance", "shortText"),
    ("dbotMirrorLastSync", "Mirror Last Sync", "date"),
    ("dbotMirrorTags", "Mirror Tags", "tagsSelect"),
    ("details", "Details", "longText"),
    ("droppedCount", "Dropped Count", "number"),
    ("dueDate", "Due Date", "date"),
    ("id", "ID", "shortText"),
    ("investigationId", "Investigation ID", "shortText"),
    ("labels", "Labels", "grid"),
    ("lastOpen", "Last Open", "date"),
    ("linkedCount", "Linked Count", "number"),
    ("linkedIncidents", "Linked Incidents", "internal"),
    ("modified", "Modified", "date"),
    ("name", "Name", "shortText"),
    ("notifyTime", "Notify Time", "date"),
    ("occurred", "Occurred", "date"),
    ("openDuration", "Open Duration", "number"),
    ("owner", "Owner", "user"),
    ("parent", "Parent", "shortText"),
    ("phase", "Phase", "singleSelect"),
    ("playbookId", "Playbook", "shortText"),
    ("rawJSON", "Raw JSON", "longText"),
    ("reason", "Reason", "shortText"),
    ("reminder", "Reminder", "date"),
    ("roles", "Roles", "role"),
    ("runStatus", "Run Status", "shortText"),
    ("severity", "Severity", "singleSelect"),
    ("sla", "SLA", "number"),
    ("sourceBrand", "Source Brand", "shortText"),
    ("sourceInstance", "Source Instance", "shortText"),
    ("status", "Status", "singleSelect"),
    ("type", "Type", "singleSelect"),
)

# Custom fields that content packs bring along: those of the captured incident.
PACK_FIELDS = (
    ("containmentsla", "Containment SLA", "timer"),
    ("detectionsla", "Detection SLA", "timer"),
    ("endpoint", "Endpoint", "grid"),
    ("filerelationships", "File Relationships", "grid"),
    ("isactive", "Is Active", "shortText"),
    ("numberofrelatedincidents", "Number Of Related Incidents", "number"),
    ("numberofsimilarfiles", "Number Of Similar Files", "number"),
    ("remediationsla", "Remediation SLA", "timer"),
    ("similarincidentsdbot", "Similar incidents Dbot", "grid"),
    ("timetoassignment", "Time to Assignment", "timer"),
    ("triagesla", "Triage SLA", "timer"),
    ("urlsslverification", "URL SSL Verification", "grid"),
)

# The route lists the fields of evidence and indicators too.
OTHER_FIELDS = (
    ("evidence_description", "description", "Description", "longText", EVIDENCE_GROUP),
    ("evidence_occurred", "occurred", "Occurred", "date", EVIDENCE_GROUP),
    ("indicator_value", "value", "Value", "shortText", INDICATOR_GROUP),
    ("indicator_score", "score", "Verdict", "number", INDICATOR_GROUP),
    ("indicator_firstseen", "firstSeen", "First Seen", "date", INDICATOR_GROUP),
)

DEFAULT_TYPES = (
    ("Unclassified", "playbook0"),
    ("Phishing", "Phishing - Generic v3"),
    ("Malware", "Malware Investigation - Generic"),
    ("Access", "Access Investigation - Generic"),
    ("Denial of Service", ""),
    ("Job", ""),
)

_FIELD_REST: dict[str, Any] = {
    "closeForm": True,
    "columns": None,
    "defaultRows": None,
    "description": "",
    "editForm": True,
    "fieldCalcScript": "",
    "hidden": False,
    "isReadOnly": False,
    "locked": False,
    "modified": ZERO_TIME,
    "ownerOnly": False,
    "packID": "",
    "packName": "",
    "placeholder": "",
    "required": False,
    "script": "",
    "selectValues": None,
    "sla": 0,
    "systemAssociatedTypes": None,
    "threshold": 72,
    "unmapped": False,
    "unsearchable": False,
    "useAsKpi": False,
    "validationRegex": "",
    "version": 1,
}

_TYPE_REST: dict[str, Any] = {
    "autorun": True,
    "closureScript": "",
    "color": "#29B5CE",
    "days": 0,
    "daysR": 0,
    "detached": False,
    "disabled": False,
    "hours": 0,
    "hoursR": 0,
    "layout": "",
    "locked": False,
    "modified": ZERO_TIME,
    "onChangeRepAlg": 0,
    "packID": "",
    "packName": "",
    "preProcessingScript": "",
    "readonly": False,
    "reputationCalc": 0,
    "sla": 0,
    "slaReminder": 0,
    "version": 1,
    "weeks": 0,
    "weeksR": 0,
}

_SELECT_VALUES = {
    "closeReason": ["False Positive", "Resolved", "Other", "Duplicate"],
    "severity": ["0", "0.5", "1", "2", "3", "4"],
    "status": ["0", "1", "2", "3"],
}


def incident_field(
    cli_name: str,
    name: str,
    kind: str,
    *,
    system: bool = False,
    content: bool = False,
    associated_types: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return an incident field as GET /incidentfields lists it.

    Raises:
        BadRequest: a custom field whose cliName has other characters than lower-case letters, digits and underscores.
    """
    if not system and not re.fullmatch(r"[a-z0-9_]+", cli_name):
        raise BadRequest(f'"{cli_name}" is no cliName: it has only lower-case letters, digits and underscores.')
    return {
        **_FIELD_REST,
        "id": f"incident_{cli_name.lower()}",
        "cliName": cli_name,
        "name": name or cli_name,
        "type": kind,
        "group": INCIDENT_GROUP,
        "system": system,
        "content": content,
        "associatedToAll": associated_types is None,
        "associatedTypes": None if associated_types is None else list(associated_types),
        "selectValues": _SELECT_VALUES.get(cli_name) if system else None,
    }


def incident_type(name: str, playbook_id: str, *, system: bool = False, default: bool = False) -> dict[str, Any]:
    """Return an incident type as GET /incidenttype lists it."""
    return {
        **_TYPE_REST,
        "id": name,
        "name": name,
        "prevName": name,
        "playbookId": playbook_id,
        "system": system,
        "default": default,
    }


def initial_fields() -> list[dict[str, Any]]:
    """Return the fields of a new tenant: incident fields of the platform and of packs, and some of evidence and indicators."""
    own = [incident_field(cli_name, name, kind, system=True) for cli_name, name, kind in SYSTEM_FIELDS]
    packs = [incident_field(cli_name, name, kind, content=True) for cli_name, name, kind in PACK_FIELDS]
    others = [
        {**incident_field(cli_name, name, kind, system=True), "id": field_id, "group": group}
        for field_id, cli_name, name, kind, group in OTHER_FIELDS
    ]
    return own + packs + others


def initial_types() -> list[dict[str, Any]]:
    """Return the incident types of a new tenant."""
    return [incident_type(name, playbook, system=True, default=name == "Unclassified") for name, playbook in DEFAULT_TYPES]
