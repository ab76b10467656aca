import demistomock as demisto
from CommonServerPython import *

from CommonServerUserPython import *

"""Runs a command of XSOAR Mirroring for the incident it runs in, on the instance that mirrors the incident.

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
}


def run(args: dict[str, Any], incident: dict[str, Any]) -> list[dict[str, Any]]:
    """Run the command of an action and return its entries.

    Args:
        args: of the script. `action` is a key of COMMANDS; `id` and `instance` stand in for what the incident says; `fields` and
            `entries` go on to a resync.
        incident: the incident it runs in.

    Raises:
        DemistoException: the incident is not mirrored, or the command failed; the message is a sentence with the remedy.
    """
    action = args.get("action") or "diff"
    if action not in COMMANDS:
        raise DemistoException(f"There is no action {action}: choose one of {', '.join(COMMANDS)}.")
    remote_id = str(args.get("id") or incident.get("dbotMirrorId") or "")
    instance = str(args.get("instance") or incident.get("dbotMirrorInstance") or "")
    if not (remote_id and instance):
        raise DemistoException(
            "This incident is not mirrored: its fields dbotMirrorId and dbotMirrorInstance are not both set."
            " The playbook XSOAR Mirroring - Link Existing Incident sets them."
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
    return {"id": remote_id}


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
        raise DemistoException(reason(instance, f"{command} gave no result."))
    return entries


def reason(instance: str, error: str) -> str:
    """Return why a command failed: what the server's list of instances says of its instance, or else the error itself."""
    instances = demisto.getModules() or {}
    found = instances.get(instance)
    if not instances or (found and found.get("brand") == BRAND and found.get("state") == "active"):
        return error
    if found is None:
        return (
            f"There is no instance {instance}: it was renamed or deleted. Give an instance of {BRAND} this name,"
            " or set the incident's dbotMirrorInstance to the new one."
        )
    if found.get("brand") != BRAND:
        return f"The instance {instance} belongs to {found.get('brand')}, so its own commands look after this incident."
    return f"The instance {instance} is disabled: enable it on the integrations page and try again."


def main() -> None:
    """Run the script: the entries of the command, or one error entry."""
    try:
        return_results(run(demisto.args(), demisto.incident()))
    except Exception as error:
        return_error(str(error))


if __name__ in ("__main__", "__builtin__", "builtins"):
    main()
