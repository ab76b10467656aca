"""Tests of the script, run as the server does: through `main`, with a server that answers its commands."""

import json
import runpy
from typing import Any

import pytest

import demistomock as demisto
import XSOARMirroringMappers as script

DEPTH = {"id": "incident_depth", "name": "Water Depth", "cliName": "depth", "type": "number", "group": 0, "associatedToAll": True}
GRID = {"id": "incident_hosts", "name": "Hosts", "cliName": "hosts", "type": "grid", "group": 0, "description": "Long. " * 99}
COLUMNS = [{"key": "name", "type": "shortText", "width": 150, "displayName": "Name"}, None]
FIELDS = [DEPTH, {**GRID, "columns": COLUMNS, "selectValues": None, "isReadOnly": False}]
READ = [
    {key: value for key, value in DEPTH.items() if value},
    {**{key: GRID[key] for key in ("id", "name", "cliName", "type")}, "columns": [{"key": "name", "type": "shortText"}]},
]
ANSWER = [{"Type": 1, "ContentsFormat": "json", "Contents": {}, "EntryContext": {"XSOAR.Mirror.Mappers": {"Mapped": 2}}}]
MISSING = ValueError("Unsupported Command : core-api-get")


def json_entry(response: Any) -> dict[str, Any]:
    """Return the entry that Core REST API gives."""
    return {"Type": 1, "ContentsFormat": "json", "Contents": {"response": response}}


def error_entry(text: str) -> list[dict[str, Any]]:
    """Return the error entry that a command gives."""
    return [{"Type": 4, "ContentsFormat": "text", "Contents": text}]


class Server:
    """The server that runs the script: it answers commands, an exception is raised; and keeps what it was asked and given."""

    def __init__(self) -> None:
        self.internal: Any = {"statusCode": 404, "body": ""}
        self.answers: dict[str, Any] = {"core-api-get": MISSING, "demisto-api-get": MISSING, "xsoar-mirror-mappers": ANSWER}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.given: list[Any] = []

    def request(self, method: str, uri: str, body: Any = None) -> Any:
        """Answer a request of the script's own server."""
        assert (method, uri, body) == ("GET", "/incidentfields", None)
        if isinstance(self.internal, Exception):
            raise self.internal
        return self.internal

    def execute(self, command: str, args: dict[str, Any]) -> Any:
        """Run a command of an integration."""
        self.asked.append((command, args))
        answer = self.answers[command]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def handed_over(self) -> tuple[Any, dict[str, Any]]:
        """Return the fields that the command got, and its other arguments."""
        (args,) = [args for command, args in self.asked if command == "xsoar-mirror-mappers"]
        return json.loads(args["local_fields"]), {key: value for key, value in args.items() if key != "local_fields"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server on which the script runs."""
    made = Server()
    monkeypatch.setattr(demisto, "executeCommand", made.execute)
    monkeypatch.setattr(demisto, "internalHttpRequest", made.request, raising=False)
    monkeypatch.setattr(demisto, "results", made.given.append)
    return made


def run(monkeypatch: pytest.MonkeyPatch, **args: Any) -> None:
    """Run the script with arguments."""
    monkeypatch.setattr(demisto, "args", lambda: args)
    script.main()


def error_of(monkeypatch: pytest.MonkeyPatch, server: Server, **args: Any) -> str:
    """Run the script, which fails before the command, and return the text of its error entry."""
    with pytest.raises(SystemExit):
        run(monkeypatch, **args)
    (entry,) = server.given
    assert entry["Type"] == 4
    assert "\n" not in entry["Contents"]
    return str(entry["Contents"])


def test_the_fields_of_the_own_server_go_to_the_command(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    """
    Given: a server that tells a script its incident fields.
    When: the server runs the file as its main program, with an instance and arguments of the command.
    Then: the command runs on that instance with these arguments and what it reads of the fields; its entries are the result.
    """
    server.internal = {"statusCode": 200, "body": json.dumps(FIELDS)}
    monkeypatch.setattr(demisto, "args", lambda: {"instance": "customer", "types": "Phishing", "missing": "export"})

    runpy.run_path(str(script.__file__), run_name="__main__")

    assert server.handed_over() == (READ, {"using": "customer", "types": "Phishing", "missing": "export"})
    assert [command for command, _ in server.asked] == ["xsoar-mirror-mappers"]
    assert server.given == [ANSWER]


@pytest.mark.parametrize(
    "internal",
    [
        AttributeError("no such function"),
        {"statusCode": 403, "body": json.dumps(FIELDS)},
        {"statusCode": 200, "body": "<html>"},
        {"statusCode": 200, "body": "null"},
        None,
    ],
)
@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        ({"core-api-get": [json_entry(FIELDS)]}, ["core-api-get"]),
        ({"demisto-api-get": [json_entry(FIELDS)]}, ["core-api-get", "demisto-api-get"]),
        ({"core-api-get": None, "demisto-api-get": [json_entry(FIELDS)]}, ["core-api-get", "demisto-api-get"]),
    ],
)
def test_else_core_rest_api_is_asked(
    monkeypatch: pytest.MonkeyPatch, server: Server, internal: Any, answers: dict[str, Any], asked: list[str]
) -> None:
    """
    Given: a server that does not tell a script its fields, and Core REST API under its new name or its old one.
    When: the script runs without an instance.
    Then: the command gets the fields from there, and runs on every instance.
    """
    server.internal = internal
    server.answers |= answers

    run(monkeypatch, core_api="own")

    assert server.handed_over() == (READ, {})
    assert server.asked[:-1] == [(command, {"uri": "/incidentfields", "using": "own"}) for command in asked]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({}, "Unsupported Command"),
        ({"core-api-get": error_entry("403 Forbidden")}, "403 Forbidden"),
        ({"core-api-get": [json_entry("<html>")]}, "gave no incident fields"),
        ({"core-api-get": [json_entry(FIELDS), json_entry(FIELDS)]}, "Several instances"),
    ],
)
def test_where_nothing_answers_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, server: Server, answers: dict[str, Any], said: str
) -> None:
    """
    Given: a server that tells a script nothing, and a Core REST API that is not there, fails, or is there twice.
    When: the script runs.
    Then: it says why, and what to do; the command is not run.
    """
    server.answers |= answers

    error = error_of(monkeypatch, server)

    assert said in error
    assert "core_api" in error if said == "Several instances" else "Core REST API" in error
    assert "xsoar-mirror-mappers" not in [command for command, _ in server.asked]


def test_what_the_command_complains_of_is_told(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    """
    Given: arguments that the command does not accept.
    When: the script runs.
    Then: it ends with the sentence of the command.
    """
    server.internal = {"statusCode": 200, "body": json.dumps(FIELDS)}
    server.answers["xsoar-mirror-mappers"] = error_entry("types names 'Flood', an incident type that there is not.")

    assert error_of(monkeypatch, server, types="Flood") == "types names 'Flood', an incident type that there is not."
