"""Tests of the script, run as the server does: through `main`, with a server that answers its commands."""

import json
import runpy
from typing import Any

import pytest

import XSOARMirroringMappers as script
from stand_ins import Server, error_entry

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


@pytest.fixture
def server(server: Server) -> Server:
    """A server that does not tell its fields, and that has no Core REST API; the command succeeds."""
    server.answers = {"core-api-get": MISSING, "demisto-api-get": MISSING, "xsoar-mirror-mappers": ANSWER}
    return server


def handed_over(server: Server) -> tuple[Any, dict[str, Any]]:
    """Return the fields that the command got, and its other arguments."""
    (args,) = [args for command, args in server.asked if command == "xsoar-mirror-mappers"]
    return json.loads(args["local_fields"]), {key: value for key, value in args.items() if key != "local_fields"}


def error_of(server: Server, **args: Any) -> str:
    """Run the script, which fails before the command, and return the text of its error entry."""
    error = server.run_script(script.main, **args).error
    assert error
    assert "\n" not in error
    return error


def test_the_fields_of_the_own_server_go_to_the_command(server: Server) -> None:
    """
    Given: a server that tells a script its incident fields.
    When: the server runs the file as its main program, with an instance and arguments of the command.
    Then: the command runs on that instance with these arguments and what it reads of the fields; its entries are the result.
    """
    server.incident_fields = FIELDS
    args = {"instance": "customer", "types": "Phishing", "missing": "export"}

    outcome = server.run_script(lambda: runpy.run_path(str(script.__file__), run_name="__main__"), **args)

    assert handed_over(server) == (READ, {"using": "customer", "types": "Phishing", "missing": "export"})
    assert [command for command, _ in server.asked] == ["xsoar-mirror-mappers"]
    assert outcome.result == ANSWER


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
def test_else_core_rest_api_is_asked(server: Server, internal: Any, answers: dict[str, Any], asked: list[str]) -> None:
    """
    Given: a server that does not tell a script its fields, and Core REST API under its new name or its old one.
    When: the script runs without an instance.
    Then: the command gets the fields from there, and runs on every instance.
    """
    server.fields_answer = internal
    server.answers |= answers

    assert not server.run_script(script.main, core_api="own").error

    assert handed_over(server) == (READ, {})
    assert server.asked[:-1] == [(command, {"uri": "/incidentfields", "using": "own"}) for command in asked]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({}, "Unsupported Command"),
        ({"core-api-get": error_entry("403 Forbidden")}, "403 Forbidden"),
        ({"core-api-get": [json_entry("<html>")]}, "returned no incident fields"),
        ({"core-api-get": [json_entry(FIELDS), json_entry(FIELDS)]}, "Several Core REST API instances"),
    ],
)
def test_where_nothing_answers_it_says_what_to_do(server: Server, answers: dict[str, Any], said: str) -> None:
    """
    Given: a server that tells a script nothing, and a Core REST API that is not there, fails, or is there twice.
    When: the script runs.
    Then: it says why, and what to do; the command is not run.
    """
    server.answers |= answers

    error = error_of(server)

    assert said in error
    assert "core_api" in error if said == "Several Core REST API instances" else "Core REST API" in error
    assert "xsoar-mirror-mappers" not in [command for command, _ in server.asked]


def test_what_the_command_complains_of_is_told(server: Server) -> None:
    """
    Given: arguments that the command does not accept.
    When: the script runs.
    Then: it ends with the sentence of the command.
    """
    server.incident_fields = FIELDS
    server.answers["xsoar-mirror-mappers"] = error_entry("types names 'Flood', an incident type that there is not.")

    assert error_of(server, types="Flood") == "types names 'Flood', an incident type that there is not."
