"""Commands that every server has, as a script runs them through demisto.executeCommand: those that the pack's scripts need."""

from collections.abc import Callable, Mapping
from typing import Any

from local_xsoar.host.entries import ERROR, NOTE
from local_xsoar.tenant import Tenant, TenantError

# XSOAR content, GetFailedTasks: a page has 100 incidents unless it is told otherwise.
_PAGE = 100
_FOUND_BY = ("query", "size", "page", "sort")


def error_entry(text: str) -> dict[str, Any]:
    """Return the entry that tells a script of a failure."""
    return {"Type": ERROR, "ContentsFormat": "text", "Contents": text, "HumanReadable": None, "EntryContext": {}}


def get_incidents(tenant: Tenant, incident_id: str, args: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one entry with {"data": a page of incidents, None when there are none, "total": how many match}.

    Args:
        tenant: the server.
        incident_id: of the incident that the script runs in, which is not asked for.
        args: `query`, `size` (100), `page` (0) and `sort`, such as "created.asc,id.desc". Others are not part of the local XSOAR.
    """
    if unknown := sorted(set(args) - set(_FOUND_BY)):
        return [
            error_entry(
                f"The local XSOAR does not support the argument {unknown[0]} of getIncidents, only {', '.join(_FOUND_BY)}."
            )
        ]
    keys = [key.strip().rpartition(".") for key in str(args.get("sort") or "").split(",") if key.strip()]
    sort = [{"field": field, "asc": order == "asc"} for field, _, order in keys]
    size, page = int(args.get("size") or _PAGE), int(args.get("page") or 0)
    found, total = tenant.search({"query": str(args.get("query") or ""), "size": size, "page": page, "sort": sort})
    contents = {"data": found or None, "total": total}
    return [{"Type": NOTE, "ContentsFormat": "json", "Contents": contents, "HumanReadable": None, "EntryContext": {}}]


def set_incident(tenant: Tenant, incident_id: str, args: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Change an incident as a person does, and return one entry that says so.

    Args:
        tenant: the server.
        incident_id: of the incident that the script runs in, which is changed unless the arguments name another one.
        args: `id`, and fields by their CLI names; `dbotMirrorTags` as a list or with commas.
    """
    changed_id = str(args.get("id") or incident_id)
    if not changed_id:
        return [error_entry("There is no incident here: give its id.")]
    tenant.change_incident(changed_id, _as_fields(tenant, {name: value for name, value in args.items() if name != "id"}))
    return [{"Type": NOTE, "ContentsFormat": "text", "Contents": "done", "HumanReadable": None, "EntryContext": {}}]


def create_new_incident(tenant: Tenant, incident_id: str, args: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Create an incident with an open War Room; return one entry, with its ID in the context as CreatedIncidentID.

    Args:
        tenant: the server.
        incident_id: of the incident that the script runs in, which is not asked for.
        args: fields by their CLI names, among them `name`; mirroring takes the incident up only where they say so.
    """
    created = tenant.create_incident(_as_fields(tenant, args))
    if created is None:
        return [error_entry("The pre-processing rule dropped the incident.")]
    # XSOAR content, CreateAndLink.
    context = {"CreatedIncidentID": created["id"]}
    text = f"Created incident with ID {created['id']}"
    return [{"Type": NOTE, "ContentsFormat": "text", "Contents": text, "HumanReadable": None, "EntryContext": context}]


def close_investigation(tenant: Tenant, incident_id: str, args: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Close an incident, and return one entry that says so.

    Args:
        tenant: the server.
        incident_id: of the incident that the script runs in, which is closed unless the arguments name another one.
        args: `id`, `closeReason`, `closeNotes`, and custom fields by their CLI names.
    """
    closed_id = str(args.get("id") or incident_id)
    if not closed_id:
        return [error_entry("There is no incident here: give its id.")]
    fields = _as_fields(tenant, {name: value for name, value in args.items() if name != "id"})
    tenant.close_incident(
        closed_id,
        reason=str(fields.get("closeReason") or ""),
        notes=str(fields.get("closeNotes") or ""),
        custom_fields=fields.get("CustomFields"),
    )
    return [{"Type": NOTE, "ContentsFormat": "text", "Contents": "done", "HumanReadable": None, "EntryContext": {}}]


def _as_fields(tenant: Tenant, args: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments that name fields as an incident holds these: the custom ones apart, the mirror tags as a list."""
    custom_names = {item["cliName"] for item in tenant.incident_fields() if not item["system"]}
    fields = {name: value for name, value in args.items() if name not in custom_names}
    custom = {name: value for name, value in args.items() if name in custom_names}
    if isinstance(fields.get("dbotMirrorTags"), str):
        fields["dbotMirrorTags"] = [tag.strip() for tag in fields["dbotMirrorTags"].split(",") if tag.strip()]
    return {**fields, **({"CustomFields": custom} if custom else {})}


SERVER_COMMANDS: dict[str, Callable[[Tenant, str, Mapping[str, Any]], list[dict[str, Any]]]] = {
    "getIncidents": get_incidents,
    "setIncident": set_incident,
    "createNewIncident": create_new_incident,
    "closeInvestigation": close_investigation,
}


def run_server_command(tenant: Tenant, command: str, incident_id: str, args: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Run one of SERVER_COMMANDS and return its entries: one error entry when it failed."""
    try:
        return SERVER_COMMANDS[command](tenant, incident_id, args)
    except (TenantError, ValueError) as error:
        return [error_entry(f"{command} failed: {error}")]
