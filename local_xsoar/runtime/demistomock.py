"""Stand-in of demistomock, the module that plays the server's `demisto` object where no server is.

Each function gives the constant answer that the platform's mock gives; a test, or the host of local_xsoar, replaces the functions
it needs by its own. The set of functions is that of the newer mock (2025), which holds all those of the older one (2024).

What surprises, and is meant: getLastRun is not empty at the start, setLastRun keeps nothing, the versioned integration context
comes without its {'context', 'version'} wrapper, and the integration context is handed out itself, not as a copy. On a server
none of that is so.
"""

import json
import logging
import os
import uuid
from pathlib import Path
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

_NEVER = "0001-01-01T00:00:00Z"

_example_incident: dict[str, Any] = {
    "id": "1",
    "version": 4,
    "name": "Printer reports many failed sign-ins",
    "rawName": "Printer reports many failed sign-ins",
    "type": "Unclassified",
    "rawType": "Unclassified",
    "severity": 2,
    "status": 1,
    "created": "2024-02-05T09:30:00.101112Z",
    "modified": "2024-02-05T10:00:12.131415Z",
    "occurred": "2024-02-05T09:29:58Z",
    "activated": _NEVER,
    "closed": _NEVER,
    "dueDate": "2024-02-15T09:30:00.101112Z",
    "notifyTime": _NEVER,
    "reminder": _NEVER,
    "lastOpen": _NEVER,
    "autime": 1707125400101112000,
    "account": "",
    "category": "",
    "rawCategory": "",
    "phase": "",
    "rawPhase": "",
    "details": "",
    "reason": "",
    "closeReason": "",
    "rawCloseReason": "",
    "closeNotes": "",
    "closingUserId": "",
    "owner": "admin",
    "parent": "",
    "investigationId": "1",
    "isPlayground": False,
    "playbookId": "",
    "runStatus": "",
    "rawJSON": "",
    "sourceBrand": "Manual",
    "sourceInstance": "admin",
    "labels": [{"type": "Instance", "value": "admin"}, {"type": "Brand", "value": "Manual"}],
    "attachment": None,
    "canvases": None,
    "linkedIncidents": None,
    "roles": None,
    "previousRoles": None,
    "hasRole": False,
    "linkedCount": 0,
    "droppedCount": 0,
    "openDuration": 0,
    "sla": 0,
    "CustomFields": {},
}


def _entry(contents: Any, entry_type: int = 1, **fields: Any) -> list[dict[str, Any]]:
    """Return the answer of a built-in command: a list of one entry."""
    entry: dict[str, Any] = {
        "Brand": "Builtin",
        "Category": "Builtin",
        "ModuleName": "InnerServicesModule",
        "ID": "",
        "Type": entry_type,
        "Version": 0,
        "Contents": contents,
        "ContentsFormat": "json",
        "ReadableContentsFormat": "",
        "HumanReadable": None,
        "EntryContext": None,
        "ImportantEntryContext": None,
        "IgnoreAutoExtract": False,
        "Evidence": False,
        "EvidenceID": "",
        "File": "",
        "FileID": "",
        "FileMetadata": None,
        "Metadata": {"id": "", "version": 0, "investigationId": "1"},
        "Note": False,
        "System": "",
        "Tags": None,
    }
    return [entry | fields]


exampleIncidents = _entry({"data": [_example_incident], "total": 1})
exampleContext = _entry({"id": "1", "importantKeys": None, "context": {}}, entry_type=0)
exampleUsers = _entry(
    [
        {
            "id": "admin",
            "username": "admin",
            "name": "Admin",
            "email": "admin@example.com",
            "phone": "",
            "roles": {"demisto": ["Administrator"]},
        }
    ],
    HumanReadable="## Users\nUsername|Email|Name\n-|-|-\nadmin|admin@example.com|Admin\n",
    EntryContext={"DemistoUsers": [{"id": "admin", "username": "admin", "name": "Admin", "email": "admin@example.com"}]},
)


# --- The call: command, arguments, parameters ---------------------------------------------------------------------------------


def _stored_command() -> dict[str, Any]:
    """Return the content of .args_command.json beside this file, where an editor may put a command and its arguments; else {}."""
    try:
        stored = json.loads(Path(__file__).with_name(".args_command.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}


def params() -> dict[str, Any]:
    """Return the instance parameters: the JSON object in the environment variable DEMISTO_PARAMS, else {}."""
    try:
        return json.loads(os.environ.get("DEMISTO_PARAMS") or "{}")
    except ValueError:
        return {}


def args() -> dict[str, Any]:
    """Return the arguments of the command."""
    return {name: value for name, value in _stored_command().items() if name != "cmd"}


def command() -> str:
    """Return the name of the command, '' where none is called."""
    return _stored_command().get("cmd", "")


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


def credentials(credentials: Any) -> None:
    """Hand over fetched credentials."""
    logging.getLogger().info(f"credentials: {credentials}")


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


def getAssetsLastRun() -> dict[str, Any]:
    """Return the last run of the assets fetch."""
    return {"lastRun": "2018-10-24T14:13:20+00:00"}


def setAssetsLastRun(obj: Any) -> None:
    """Store the last run of the assets fetch; here nothing is kept."""


def incidents(incidents: list[dict[str, Any]] | None = None) -> list[dict[str, Any]] | None:
    """Hand over fetched incidents, or return the incidents the script runs on when called without argument."""
    if incidents is None:
        return exampleIncidents[0]["Contents"]["data"]
    return results({"Type": 1, "Contents": json.dumps(incidents), "ContentsFormat": "json"})  # type: ignore[func-returns-value]


def incident() -> dict[str, Any]:
    """Return the incident the script runs on."""
    return exampleIncidents[0]["Contents"]["data"][0]


def get_incidents() -> dict[str, Any]:
    """Return nothing; a server gives the incidents of the run."""
    return {}


def createIncidents(incidents: list[dict[str, Any]], lastRun: Any = None, userID: Any = None) -> list[dict[str, Any]]:
    """Create incidents from a long-running integration."""
    return []


def mapObject(obj: Any, mapper: str, mapper_type: str) -> Any:
    """Return the object as a mapper makes it. demistomock: unchanged (the older mock gives {})."""
    return obj


def mirrorInvestigation(id: str, mirrorType: str, autoClose: bool = False) -> str:
    """Mirror a War Room into a chat."""
    return ""


# --- Investigation, entries and files -----------------------------------------------------------------------------------------


def investigation() -> dict[str, Any]:
    """Return the investigation the script runs in."""
    return {"id": "1"}


def parentEntry() -> dict[str, Any]:
    """Return the entry that called the script."""
    return {}


def addEntry(
    id: str, entry: Any, username: str | None = None, email: str | None = None, footer: str | None = None, **kwargs: Any
) -> str:
    """Add an entry to a mirrored investigation."""
    return ""


def directMessage(
    message: str, username: str | None = None, email: str | None = None, anyoneCanOpenIncidents: bool | None = None, **kwargs: Any
) -> str:
    """Hand a direct message of a chat to the server."""
    return ""


def handleEntitlementForUser(incidentID: str, guid: str, email: str, content: str, taskID: str = "") -> dict[str, Any]:
    """Answer an entitlement question."""
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


def setContext(contextPath: str, value: Any) -> dict[str, bool]:
    """Write to the context data; here nothing is kept."""
    return {"status": True}


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


def initialize() -> None:
    """Do nothing; the newer mock has it."""


def demistoVersion() -> dict[str, str]:
    """Return version and build number of the server."""
    return {"version": "5.5.0", "buildNumber": "12345"}


def demistoUrls() -> dict[str, str]:
    """Return addresses of the server and of pages of the investigation."""
    return exampleDemistoUrls


def executeCommand(command: str, args: dict[str, Any] | None) -> Any:
    """Return the canned entries of getIncidents, getContext and getUsers, '' for other commands."""
    canned = {"getIncidents": exampleIncidents, "getContext": exampleContext, "getUsers": exampleUsers}
    return canned.get(command, "")


def internalHttpRequest(method: str, uri: str, body: Any = None) -> dict[str, Any]:
    """Return the answer of the server's own REST API: here always 404."""
    return {
        "statusCode": 404,
        "status": "404 Not Found",
        "body": "This is a mock. Your request was not found.",
        "headers": {"Content-Type": ["text/plain"]},
    }


def _apiCall(
    name: str,
    params: Any = None,
    data: Any = None,
    headers: Any = None,
    method: str | None = None,
    path: str | None = None,
    timeout: float | None = None,
    response_data_type: str | None = None,
) -> dict[str, Any]:
    """Call a service of the platform; here always {}."""
    return {}


def getAllSupportedCommands() -> dict[str, Any]:
    """Return the commands by instance."""
    return {}


def getModules() -> dict[str, Any]:
    """Return the instances."""
    return {}


def findUser(username: str | None = None, email: str | None = None) -> dict[str, Any]:
    """Return a user."""
    return {}


def getLicenseID() -> str:
    """Return the id of the licence."""
    return ""


def getLicenseCustomField(key: str) -> Any:
    """Return a field of the licence by its dotted path."""
    return get({"Http_Connector": {"token": "token", "url": "https://test-address"}}, key)


def getAutoFocusApiKey() -> str:
    """Return the AutoFocus key of the licence."""
    return "1234"


def isTimeSensitive() -> bool:
    """Return whether the command must be quick."""
    return False


# --- Indicators ---------------------------------------------------------------------------------------------------------------


def createIndicators(indicators_batch: list[dict[str, Any]], noUpdate: bool = False) -> str:
    """Create indicators."""
    return ""


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


def searchRelationships(args: dict[str, Any]) -> dict[str, list[Any]]:
    """Search relationships."""
    return {"data": []}


def getIndexHash() -> str:
    """Return the hash of the indicator index."""
    return ""
