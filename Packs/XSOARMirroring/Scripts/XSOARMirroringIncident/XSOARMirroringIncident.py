import demistomock as demisto
from CommonServerPython import *

from CommonServerUserPython import *

"""Runs a command of XSOAR Mirroring on one instance, for the incident it runs in, or has that created in the remote tenant.

A command that names no instance runs on every instance that has it. A button of a layout cannot name one and a playbook of a pack
may not, so both run this script, which takes the remote ID and the instance from the incident's mirror fields.
"""

import json

# The integration's name, as its instances carry it.
BRAND = "XSOAR Mirroring"
# action -> command
COMMANDS = {
    "diff": "xsoar-mirror-diff",
    "resync": "xsoar-mirror-resync",
    "status": "xsoar-mirror-status",
    "get": "xsoar-get-incident",
    "check": "xsoar-mirror-check",
}
CHECK, CREATE = "check", "create"
ACTIONS = (*COMMANDS, CREATE)
# The directions of an instance, as dbotMirrorDirection has them, in which it may create an incident.
OUTGOING = ("Out", "Both")
CHOOSE = "set its Incident Mirroring Direction to Outgoing or to Incoming And Outgoing"
CREATE_PLAYBOOK = "XSOAR Mirroring - Create in Remote"
LINK_PLAYBOOK = "XSOAR Mirroring - Link Existing Incident"
REMOTE_ID_FIELD = "xsoarmirroringremoteid"
CLOSED = 2


def run(args: dict[str, Any], incident: dict[str, Any]) -> list[Any]:
    """Run an action and return its results.

    Args:
        args: of the script. `action` is one of ACTIONS; `id` and `instance` stand in for what the incident says; `fields` and
            `entries` go on to a resync, `write` to a check.
        incident: the incident it runs in.

    Raises:
        DemistoException: the action cannot be done, or failed; the message is a sentence with the remedy.
    """
    action = args.get("action") or "diff"
    if action not in ACTIONS:
        raise DemistoException(f"There is no action {action}: choose one of {', '.join(ACTIONS)}.")
    if action == CREATE:
        return [create(str(args.get("instance") or ""), incident)]
    remote_id = str(args.get("id") or incident.get("dbotMirrorId") or "")
    instance = str(args.get("instance") or incident.get("dbotMirrorInstance") or "")
    if action == CHECK and not instance:
        raise DemistoException("A check needs an instance: name it with instance.")
    if action != CHECK and not (remote_id and instance):
        raise DemistoException(
            "This incident is not mirrored: its fields dbotMirrorId and dbotMirrorInstance are not both set."
            " The playbook XSOAR Mirroring - Link Existing Incident sets them;"
            f" the playbook {CREATE_PLAYBOOK} creates it in the remote tenant."
        )
    return execute(COMMANDS[action], {**arguments(action, remote_id, args, incident), "using": instance}, instance)


def arguments(action: str, remote_id: str, args: dict[str, Any], incident: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of an action's command. What was not given is left to the command's own default."""
    if action == "diff":
        # Handed over, since a script knows its incident on every version; the raw remote incident is not compared.
        compared = {key: value for key, value in incident.items() if key != "rawJSON"}
        return {"id": remote_id, "incident": json.dumps(compared)}
    if action == "resync":
        return assign_params(id=remote_id, fields=args.get("fields"), entries=args.get("entries"))
    if action == CHECK:
        return assign_params(write=args.get("write"))
    return {"id": remote_id}


def create(named: str, incident: dict[str, Any]) -> CommandResults:
    """Have the incident created in the remote tenant: set its mirror fields, on which the next mirroring round acts.

    Cortex XSOAR docs, mirroring: an incident that goes out and has no dbotMirrorId is handed to update-remote-system without a
    remote ID, and takes the one that comes back.

    Args:
        named: the instance to create it with; "" for the only one that can.
        incident: the local incident.

    Raises:
        DemistoException: it has another half already, or there is not one instance that can create it.
    """
    if reason := reason_not_to_create(incident):
        raise DemistoException(reason)
    instance, status = outgoing_instance(named)
    direction, tags = direction_of(status), argToList(status.get("OutgoingTags"))
    fields = {"dbotMirrorInstance": instance, "dbotMirrorDirection": direction}
    entries = demisto.executeCommand("setIncident", {**fields, **({"dbotMirrorTags": tags} if tags else {})})
    if is_error(entries):
        raise DemistoException(f"The mirror fields could not be set: {get_error(entries)}")
    when = "after its pause" if status.get("State") == "Paused" else "in a minute or two"
    return CommandResults(
        outputs_prefix="XSOAR.Mirror.Create",
        outputs_key_field="Incident",
        outputs={"Incident": str(incident.get("id") or ""), "Instance": instance, "Direction": direction},
        readable_output=f"The next mirroring round of {instance} creates this incident in the remote tenant, {when}."
        " If the field Remote ID stays empty, xsoar-mirror-status says why.",
    )


def reason_not_to_create(incident: dict[str, Any]) -> str:
    """Return why an incident cannot be created in the remote tenant; "" when it can."""
    remote_id, instance = str(incident.get("dbotMirrorId") or ""), str(incident.get("dbotMirrorInstance") or "")
    if instance and remote_id:
        return f"This incident is mirrored already: by {instance}, with the remote incident {remote_id}."
    if instance and (brand := (demisto.getModules() or {}).get(instance, {}).get("brand") or BRAND) != BRAND:
        return f"The instance {instance} of {brand} mirrors this incident, and an incident has only one mirror."
    if instance:
        return (
            f"{instance} is creating this incident in the remote tenant already: wait for its next mirroring round."
            " If nothing comes of it, xsoar-mirror-status says why."
        )
    if known_id := str((incident.get("CustomFields") or {}).get(REMOTE_ID_FIELD) or ""):
        # Its mirror fields were cleared: created anew, it would be in the remote tenant twice, or wait for its next change.
        return (
            f"This incident has the remote incident {known_id}: link them with the playbook {LINK_PLAYBOOK}."
            " If that one is gone, clear the field Remote ID."
        )
    if "@" in remote_id:
        return f"Another tenant created this incident and mirrors it (dbotMirrorId is {remote_id}), so it is not sent back."
    if remote_id:
        return f"This incident came from elsewhere (dbotMirrorId is {remote_id}): it may be in the remote tenant already."
    return "This incident is closed: reopen it, then create it in the remote tenant." if incident.get("status") == CLOSED else ""


def outgoing_instance(named: str) -> tuple[str, dict[str, Any]]:
    """Return the one instance that can create an incident, and its status.

    Raises:
        DemistoException: the named one cannot, none can, or several can and none is named. Where one does not say whether it can,
            none is taken: the incident might go to the wrong tenant.
    """
    modules = demisto.getModules() or {}
    enabled = [name for name, module in modules.items() if module.get("brand") == BRAND and module.get("state") == "active"]
    statuses = {name: status_of(name) for name in ([named] if named else sorted(enabled))}
    able = {name: status for name, status in statuses.items() if direction_of(status) in OUTGOING}
    if named and not able:
        raise DemistoException(f"The instance {named} sends nothing: {CHOOSE}.")
    if not able:
        raise DemistoException(f"No instance of {BRAND} is enabled and sends anything: enable one, and {CHOOSE}.")
    if len(able) > 1:
        raise DemistoException(
            f"The instances {' and '.join(able)} could each create it: run the playbook {CREATE_PLAYBOOK} and name one of them."
        )
    return next(iter(able.items()))


def status_of(instance: str) -> dict[str, Any]:
    """Return what xsoar-mirror-status tells of an instance. Raises DemistoException, with its name, when it does not answer."""
    try:
        contents = execute(COMMANDS["status"], {"using": instance}, instance)[0].get("Contents")
    except DemistoException as error:
        raise DemistoException(f"{instance} does not answer, so nothing was created: {error}") from error
    return contents if isinstance(contents, dict) else {}


def direction_of(status: dict[str, Any]) -> str:
    """Return the direction of an instance from its status: In, Out, Both or None."""
    return str(status.get("Direction") or "None")


def execute(command: str, args: dict[str, Any], instance: str) -> list[dict[str, Any]]:
    """Run a command on one instance and return its entries.

    Raises:
        DemistoException: it gave an error, or nothing; the message tells a missing or disabled instance from an error of the
            command itself.
    """
    try:
        # The server raises ValueError where no enabled instance has the command, and gives an error entry for what failed in it.
        entries = demisto.executeCommand(command, args)
    except ValueError as error:
        raise DemistoException(reason(instance, str(error))) from error
    if is_error(entries):
        raise DemistoException(reason(instance, get_error(entries)))
    if not entries:
        raise DemistoException(reason(instance, f"{command} returned no result."))
    return entries


def reason(instance: str, error: str) -> str:
    """Return why a command failed: what the server's list of instances says of its instance, or else the error itself."""
    instances = demisto.getModules() or {}
    found = instances.get(instance)
    if not instances or (found and found.get("brand") == BRAND and found.get("state") == "active"):
        return error
    if found is None:
        return (
            f"There is no instance {instance}: check the spelling. If it was renamed or deleted, give an instance of {BRAND}"
            " this name again."
        )
    if found.get("brand") != BRAND:
        return f"The instance {instance} belongs to {found.get('brand')}: use the commands of that integration for this incident."
    return f"The instance {instance} is disabled: enable it on the integrations page and try again."


def main() -> None:
    """Run the script: the entries of the command, or one error entry."""
    try:
        return_results(run(demisto.args(), demisto.incident()))
    except Exception as error:
        return_error(str(error))


if __name__ in ("__main__", "__builtin__", "builtins"):
    main()
