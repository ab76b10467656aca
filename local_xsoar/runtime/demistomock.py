"""Stand-in of demistomock, the module that plays the server's `demisto` object where no server is.

Each function gives the constant answer that the platform's mock (2025) gives; a test, or the host of local_xsoar, replaces the
functions it needs by its own. Only functions that the pack or the host knows are here.

What surprises, and is meant: getLastRun is not empty at the start, setLastRun keeps nothing, the versioned integration context
comes without its {'context', 'version'} wrapper, and the integration context is handed out itself, not as a copy. On a server
none of that is so.
"""

import json
import logging
import os
import uuid
from typing import Any

callingContext: dict[str, Any] = {}
is_debug = False
integrationContext: dict[str, Any] = {}

exampleDemistoUrls: dict[str, str] = {
    name: f"https://test-address:8443{path}"
    for name, path in (
        ("evidenceBoard", "/#/EvidenceBoard/1"),
        ("investigation", "/#/Details/1"),
        ("relatedIncidents", "/#/Cluster/1"),
        ("server", ""),
        ("warRoom", "/#/WarRoom/1"),
        ("workPlan", "/#/WorkPlan/1"),
    )
}

_example_incident: dict[str, Any] = {
    "id": "1",
    "name": "Printer reports many failed sign-ins",
    "type": "Unclassified",
    "severity": 2,
    "status": 1,
    "created": "2024-02-05T09:30:00.101112Z",
    "modified": "2024-02-05T10:00:12.131415Z",
    "owner": "admin",
    "labels": [{"type": "Instance", "value": "admin"}, {"type": "Brand", "value": "Manual"}],
    "CustomFields": {},
}


# --- The call: command, arguments, parameters ---------------------------------------------------------------------------------


def params() -> dict[str, Any]:
    """Return the instance parameters: the JSON object in the environment variable DEMISTO_PARAMS, else {}."""
    try:
        return json.loads(os.environ.get("DEMISTO_PARAMS") or "{}")
    except ValueError:
        return {}


def args() -> dict[str, Any]:
    """Return the arguments of the command."""
    return {}


def command() -> str:
    """Return the name of the command, '' where none is called."""
    return ""


def getParam(param: str) -> Any:
    """Return one instance parameter, None where it is missing."""
    return params().get(param)


def getArg(arg: str) -> Any:
    """Return one argument, None where it is missing."""
    return args().get(arg)


def integrationInstance() -> str:
    """Return the name of the instance: ''."""
    return ""


# --- Results and log ----------------------------------------------------------------------------------------------------------


def results(results: Any) -> None:
    """Log the entries that a server would put into the War Room.

    demistomock: a dict with a lower-case 'contents' is replaced by it, and what is no JSON raises TypeError.
    """
    if isinstance(results, dict) and results.get("contents"):
        results = results["contents"]
    logging.getLogger().info("demisto results: %s", json.dumps(results, indent=4, sort_keys=True))


def info(msg: Any, *args: Any) -> None:
    """Write to the server's log at level info."""
    logging.getLogger().info(msg, *args)


def debug(msg: Any, *args: Any) -> None:
    """Write to the server's log. demistomock: at level info, not debug."""
    logging.getLogger().info(msg, *args)


def log(msg: Any) -> None:
    """Write to the War Room's log."""
    logging.getLogger().info(msg)


def error(msg: Any, *args: Any) -> None:
    """Write an error to the server's log. demistomock: prints to the standard output, and does not fill placeholders."""
    print(msg, *args)


def updateModuleHealth(data: Any, is_error: bool = False) -> str:
    """Set the health text of the instance."""
    return ""


# --- Fetching and mirroring ---------------------------------------------------------------------------------------------------


def getLastRun() -> dict[str, Any]:
    """Return the last run of the fetch. demistomock: not empty, and what setLastRun was given does not come back."""
    return {"lastRun": "2018-10-24T14:13:20+00:00"}


def setLastRun(obj: Any) -> None:
    """Store the last run of the fetch; here nothing is kept."""


def getLastMirrorRun() -> dict[str, Any]:
    """Return the last run of the mirror job."""
    return {}


def setLastMirrorRun(obj: Any) -> None:
    """Store the last run of the mirror job; here nothing is kept."""


def incidents(incidents: list[dict[str, Any]] | None = None) -> list[dict[str, Any]] | None:
    """Hand over fetched incidents, or return the incidents the script runs on when called without argument."""
    if incidents is None:
        return [_example_incident]
    return results({"Type": 1, "Contents": json.dumps(incidents), "ContentsFormat": "json"})  # type: ignore[func-returns-value]


def incident() -> dict[str, Any]:
    """Return the incident the script runs on."""
    return _example_incident


# --- Investigation, entries and files -----------------------------------------------------------------------------------------


def investigation() -> dict[str, Any]:
    """Return the investigation the script runs in."""
    return {"id": "1"}


def parentEntry() -> dict[str, Any]:
    """Return the entry that called the script."""
    return {}


def uniqueFile() -> str:
    """Return a new id for a file entry."""
    return str(uuid.uuid4())


def getFilePath(id: str) -> dict[str, str]:
    """Return id, path and name of a file entry."""
    return {"id": id, "path": "test/test.txt", "name": "test.txt"}


# --- Context ------------------------------------------------------------------------------------------------------------------


def context() -> dict[str, Any]:
    """Return the context data of the investigation."""
    return {}


def get(obj: Any, field: str, defaultParam: Any = None) -> Any:
    """Return the value at a dotted path of nested dicts, the default where a part is missing or is no dict."""
    for part in field.split("."):
        if not isinstance(obj, dict) or part not in obj:
            return defaultParam
        obj = obj[part]
    return obj


def gets(obj: Any, field: str) -> str:
    """Return `get` as text, so 'None' where the path is missing."""
    return str(get(obj, field))


def dt(obj: Any = None, trnsfrm: str | None = None) -> str:
    """Apply a transform language expression; here always ''."""
    return ""


def getIntegrationContext() -> dict[str, Any]:
    """Return the integration context. demistomock: the stored dict itself, no copy."""
    return integrationContext


def setIntegrationContext(context: dict[str, Any]) -> None:
    """Replace the integration context."""
    global integrationContext
    integrationContext = context


def getIntegrationContextVersioned(refresh: bool = False) -> dict[str, Any]:
    """Return the integration context. demistomock: without the {'context', 'version'} around it that a server gives."""
    return integrationContext


def setIntegrationContextVersioned(context: dict[str, Any], version: int = -1, sync: bool = False) -> None:
    """Replace the integration context. demistomock: never refuses a stale version, as a server does."""
    global integrationContext
    integrationContext = context


# --- Server -------------------------------------------------------------------------------------------------------------------


def demistoVersion() -> dict[str, str]:
    """Return version and build number of the server."""
    return {"version": "5.5.0", "buildNumber": "12345"}


def demistoUrls() -> dict[str, str]:
    """Return addresses of the server and of pages of the investigation."""
    return exampleDemistoUrls


def executeCommand(command: str, args: dict[str, Any] | None) -> Any:
    """Execute a command of a server; here always ''."""
    return ""


def internalHttpRequest(method: str, uri: str, body: Any = None) -> dict[str, Any]:
    """Return the answer of the server's own REST API: here always 404."""
    return {
        "statusCode": 404,
        "status": "404 Not Found",
        "body": "This is a mock. Your request was not found.",
        "headers": {"Content-Type": ["text/plain"]},
    }


def getModules() -> dict[str, Any]:
    """Return the instances."""
    return {}


def getLicenseID() -> str:
    """Return the id of the licence."""
    return ""


def isTimeSensitive() -> bool:
    """Return whether the command must be quick."""
    return False


# --- Indicators ---------------------------------------------------------------------------------------------------------------


def searchIndicators(
    fromDate: str = "",
    query: str = "",
    size: int = 100,
    page: int = 0,
    toDate: str = "",
    value: str = "",
    searchAfter: Any = None,
    populateFields: Any = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Search indicators."""
    return {}
