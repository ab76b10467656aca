"""The incident fields and incident types that a tenant has from the start (XSOAR REST API: schema routes)."""

import re
from collections.abc import Sequence
from typing import Any

from local_xsoar.tenant.errors import BadRequest
from local_xsoar.tenant.times import ZERO_TIME

INCIDENT_GROUP, EVIDENCE_GROUP, INDICATOR_GROUP = 0, 1, 2

# The platform's own fields: name, type. Those of a captured answer of a real server, and below them those that later versions
# have for mirroring. The name is the key in the incident, except for some (dbotDueDate is its dueDate, dbotStatus its status).
SYSTEM_FIELDS = (
    ("attachment", "internal"),
    ("category", "shortText"),
    ("closeNotes", "longText"),
    ("closeReason", "singleSelect"),
    ("closingUserId", "shortText"),
    ("dbotClosed", "date"),
    ("dbotCreated", "date"),
    ("dbotDueDate", "date"),
    ("dbotModified", "date"),
    ("dbotSource", "shortText"),
    ("dbotStatus", "singleSelect"),
    ("dbotTotalTime", "date"),
    ("details", "longText"),
    ("droppedCount", "internal"),
    ("labels", "internal"),
    ("linkedCount", "internal"),
    ("name", "shortText"),
    ("occurred", "date"),
    ("owner", "singleSelect"),
    ("phase", "singleSelect"),
    ("playbookId", "singleSelect"),
    ("reminder", "date"),
    ("roles", "role"),
    ("runStatus", "internal"),
    ("severity", "singleSelect"),
    ("sourceBrand", "shortText"),
    ("sourceInstance", "shortText"),
    ("type", "singleSelect"),
    ("dbotCreatedBy", "shortText"),
    ("dbotCurrentDirtyFields", "internal"),
    ("dbotDirtyFields", "internal"),
    ("dbotMirrorDirection", "shortText"),
    ("dbotMirrorId", "shortText"),
    ("dbotMirrorInstance", "shortText"),
    ("dbotMirrorLastSync", "date"),
    ("dbotMirrorTags", "multiSelect"),
)
# What no mapper reaches: a rule for it does nothing.
UNMAPPED = frozenset((
    "attachment", "category", "closeNotes", "closeReason", "closingUserId", "dbotClosed", "dbotCreated", "dbotDueDate",
    "dbotModified", "dbotSource", "dbotStatus", "dbotTotalTime", "labels", "playbookId", "reminder", "type",
    "dbotCreatedBy", "dbotCurrentDirtyFields", "dbotDirtyFields",
))  # fmt: skip
READ_ONLY = frozenset((
    "category", "dbotClosed", "dbotDueDate", "dbotModified", "dbotSource", "dbotStatus", "dbotTotalTime", "droppedCount",
    "linkedCount", "runStatus", "sourceBrand", "sourceInstance",
    "dbotCreatedBy", "dbotCurrentDirtyFields", "dbotDirtyFields", "dbotMirrorLastSync",
))  # fmt: skip
CLOSE_FORM = frozenset(("closeNotes", "closeReason"))
CLOSE_REASONS = ("False Positive", "Resolved", "Other", "Duplicate")

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
    ("evidence", "description", "longText", EVIDENCE_GROUP),
    ("evidence", "occurred", "date", EVIDENCE_GROUP),
    ("evidence", "tags", "multiSelect", EVIDENCE_GROUP),
    ("indicator", "firstSeen", "date", INDICATOR_GROUP),
    ("indicator", "lastSeen", "date", INDICATOR_GROUP),
    ("indicator", "investigationIDs", "multiSelect", INDICATOR_GROUP),
)

DEFAULT_TYPES = (
    ("Unclassified", "playbook0"),
    ("Phishing", "Phishing - Generic v3"),
    ("Malware", "Malware Investigation - Generic"),
    ("Access", "Access Investigation - Generic"),
    ("Denial of Service", ""),
    ("Job", ""),
)

# The keys of a captured field, and the pack that newer versions name.
_FIELD_REST: dict[str, Any] = {
    "breachScript": "",
    "caseInsensitive": True,
    "closeForm": False,
    "columns": None,
    "commitMessage": "",
    "defaultRows": None,
    "description": "",
    "editForm": True,
    "fieldCalcScript": "",
    "hidden": False,
    "isReadOnly": False,
    "locked": False,
    "modified": ZERO_TIME,
    "neverSetAsRequired": False,
    "ownerOnly": False,
    "packID": "",
    "packName": "",
    "placeholder": "",
    "required": False,
    "script": "",
    "selectValues": None,
    "shouldCommit": False,
    "sla": 0,
    "sortValues": None,
    "systemAssociatedTypes": None,
    "threshold": 72,
    "unmapped": False,
    "unsearchable": False,
    "useAsKpi": False,
    "validatedError": "",
    "validationRegex": "",
    "vcShouldIgnore": False,
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


def incident_field(
    cli_name: str, name: str, kind: str, *, content: bool = False, associated_types: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return a custom incident field as GET /incidentfields lists it; one of a content pack is marked as `content`.

    Raises:
        BadRequest: the cliName has other characters than lower-case letters, digits and underscores.
    """
    if not re.fullmatch(r"[a-z0-9_]+", cli_name):
        raise BadRequest(f'"{cli_name}" is no cliName: it has only lower-case letters, digits and underscores.')
    is_timer = kind == "timer"
    return {
        **_FIELD_REST,
        "id": f"incident_{cli_name}",
        "cliName": cli_name,
        "name": name or cli_name,
        "prevName": name or cli_name,
        "type": kind,
        "group": INCIDENT_GROUP,
        "system": False,
        "content": content,
        "associatedToAll": associated_types is None,
        "associatedTypes": None if associated_types is None else list(associated_types),
        "isReadOnly": is_timer,
        "editForm": not is_timer,
    }


def system_field(name: str, kind: str, *, owner: str = "incident", group: int = INCIDENT_GROUP) -> dict[str, Any]:
    """Return a field of the platform's own, as GET /incidentfields lists it: its cliName and id are in lower case."""
    return {
        **_FIELD_REST,
        "id": f"{owner}_{name.lower()}",
        "cliName": name.lower(),
        "name": name,
        "prevName": name,
        "type": kind,
        "group": group,
        "system": True,
        "content": False,
        "associatedToAll": group == INCIDENT_GROUP,
        "associatedTypes": None,
        "caseInsensitive": False,
        "threshold": 0,
        "unmapped": name in UNMAPPED,
        "isReadOnly": name in READ_ONLY,
        "neverSetAsRequired": kind == "internal",
        "closeForm": name in CLOSE_FORM,
        "editForm": name not in READ_ONLY | CLOSE_FORM | {"closingUserId", "dbotCreated"},
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
    own = [system_field(name, kind) for name, kind in SYSTEM_FIELDS]
    packs = [incident_field(cli_name, name, kind, content=True) for cli_name, name, kind in PACK_FIELDS]
    others = [system_field(name, kind, owner=owner, group=group) for owner, name, kind, group in OTHER_FIELDS]
    return own + packs + others


def initial_types() -> list[dict[str, Any]]:
    """Return the incident types of a new tenant."""
    return [incident_type(name, playbook, system=True, default=name == "Unclassified") for name, playbook in DEFAULT_TYPES]
