import demistomock as demisto
from CommonServerPython import *

from CommonServerUserPython import *

"""Runs xsoar-mirror-mappers with the incident fields of this tenant, where the integration cannot ask for them itself.

A script may ask the server that it runs on, and the integration Core REST API, which an integration cannot.
"""

import json

COMMAND = "xsoar-mirror-mappers"
# The commands of Core REST API, and of Demisto REST API as it was called before.
ASKING = ("core-api-get", "demisto-api-get")
ROUTE = "/incidentfields"
# What the command reads of a field. The whole list is ten times as long.
KEPT = (
    *("id", "name", "cliName", "type", "group", "system", "content", "unmapped", "isReadOnly", "selectValues", "columns"),
    *("associatedToAll", "associatedTypes", "systemAssociatedTypes"),
)
KEPT_OF_COLUMN = ("key", "type")
REMEDY = (
    "install and configure the Core REST API integration for this tenant, or give the fields as a file, as the error of"
    f" {COMMAND} explains"
)


def run(args: dict[str, Any]) -> list[dict[str, Any]]:
    """Run the command with the incident fields of this tenant and return its entries.

    Args:
        args: of the script. `instance` is the instance of XSOAR Mirroring, all when it is not given; `core_api` the instance of
            Core REST API; the others go on to the command.

    Raises:
        DemistoException: the fields cannot be had, or the command failed; the message is a sentence with the remedy.
    """
    fields = own_fields() or fields_of_core_api(args.get("core_api"))
    passed_on = {key: value for key, value in args.items() if key not in ("instance", "core_api")}
    command = assign_params(**passed_on, local_fields=json.dumps([brief(item) for item in fields]), using=args.get("instance"))
    return execute(COMMAND, command)


def brief(incident_field: dict[str, Any]) -> dict[str, Any]:
    """Return what the command reads of a field."""
    kept = {key: incident_field[key] for key in KEPT if incident_field.get(key) not in (None, "", [], False)}
    if columns := kept.get("columns"):
        kept["columns"] = [{key: column.get(key) for key in KEPT_OF_COLUMN} for column in columns if isinstance(column, dict)]
    return kept


def own_fields() -> list[dict[str, Any]]:
    """Return what the server itself answers; nothing where the platform does not let a script ask."""
    try:
        answer = demisto.internalHttpRequest("GET", ROUTE)
        return listed(json.loads(answer["body"])) if answer["statusCode"] == 200 else []
    except Exception as error:  # Where it is missing or not allowed, versions differ in what they raise.
        demisto.debug(f"XSOARMirroringMappers: the server does not answer: {type(error).__name__}.")
        return []


def fields_of_core_api(instance: str | None) -> list[dict[str, Any]]:
    """Return what Core REST API answers.

    Raises:
        DemistoException: it is not there, failed, or several of its instances answered: which one reaches this tenant?
    """
    failures: list[str] = []
    for command in ASKING:
        try:
            entries = execute(command, assign_params(uri=ROUTE, using=instance))
        except DemistoException as error:
            failures.append(str(error))
            continue
        answers = [entry["Contents"] for entry in entries if isinstance(entry.get("Contents"), dict)]
        if len(answers) > 1:
            raise DemistoException(
                "Several Core REST API instances answered: give the one that connects to this tenant as core_api."
            )
        if answers and (fields := listed(answers[0].get("response"))):
            return fields
        failures.append(f"{command} returned no incident fields.")
    raise DemistoException(f"The incident fields of this tenant cannot be read: {REMEDY}. {failures[0]}")


def listed(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list; none when it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def execute(command: str, args: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a command and return its entries. Raises DemistoException when it failed, or no enabled instance has it."""
    try:
        entries = demisto.executeCommand(command, args)
    except ValueError as error:
        raise DemistoException(str(error)) from error
    if is_error(entries):
        raise DemistoException(get_error(entries))
    return entries or []


def main() -> None:
    """Run the script: the entries of the command, or one error entry."""
    try:
        return_results(run(demisto.args()))
    except Exception as error:
        return_error(str(error))


if __name__ in ("__main__", "__builtin__", "builtins"):
    main()
