"""Tests of the script, run as the server does: through `main`, with a server that answers its commands."""

import json
import runpy
from typing import Any

import pytest

import demistomock as demisto
import XSOARMirroringIncident as script

MIRRORED = {
    "id": "12",
    "dbotMirrorId": "4",
    "dbotMirrorInstance": "customer",
    "severity": 2,
    "rawJSON": "{}",
    "CustomFields": {"depth": "3m"},
}
MODULES = {
    "customer": {"brand": "XSOAR Mirroring", "category": "Utilities", "state": "active"},
    "old": {"brand": "XSOAR Mirroring", "category": "Utilities", "state": "disabled"},
    "desk": {"brand": "Ticket Desk", "category": "Case Management", "state": "active"},
}
ANSWER = [{"Type": 1, "ContentsFormat": "json", "Contents": {"id": "4"}, "EntryContext": {"XSOAR.Mirror.Diff": {"id": "4"}}}]


def error_entry(text: str) -> list[dict[str, Any]]:
    """Return the error entry that a command gives."""
    return [{"Type": 4, "ContentsFormat": "text", "Contents": text}]


class Server:
    """The server that runs the script: it answers a command with `answer`, and keeps what it was asked and given."""

    def __init__(self) -> None:
        self.incident: dict[str, Any] = dict(MIRRORED)
        self.modules: Any = MODULES
        self.answer: Any = ANSWER
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.given: list[Any] = []

    def execute(self, command: str, args: dict[str, Any]) -> Any:
        """Run a command of an integration."""
        self.asked.append((command, args))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server on which the script runs."""
    made = Server()
    monkeypatch.setattr(demisto, "executeCommand", made.execute)
    monkeypatch.setattr(demisto, "getModules", lambda: made.modules)
    monkeypatch.setattr(demisto, "incident", lambda: made.incident)
    monkeypatch.setattr(demisto, "results", made.given.append)
    return made


def run(monkeypatch: pytest.MonkeyPatch, **args: str) -> None:
    """Run the script with arguments."""
    monkeypatch.setattr(demisto, "args", lambda: args)
    script.main()


def error_of(monkeypatch: pytest.MonkeyPatch, server: Server, **args: str) -> str:
    """Run the script, which fails, and return the text of its error entry."""
    with pytest.raises(SystemExit):
        run(monkeypatch, **args)
    (entry,) = server.given
    assert entry["Type"] == 4
    return entry["Contents"]


def test_diff_is_run_on_the_incident_s_own_instance(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    """
    Given: an incident that the instance "customer" mirrors as incident 4.
    When: the button for the diff is clicked, which gives no more than the action.
    Then: xsoar-mirror-diff runs on that instance only, gets the incident to compare with, and its entries are the result.
    """
    run(monkeypatch, action="diff")

    ((command, args),) = server.asked
    compared = json.loads(args.pop("incident"))
    assert (command, args) == ("xsoar-mirror-diff", {"id": "4", "using": "customer"})
    assert compared == {key: value for key, value in MIRRORED.items() if key != "rawJSON"}
    assert server.given == [ANSWER]


def test_it_runs_when_the_server_starts_it(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    """
    Given: a mirrored incident.
    When: the server runs the file as its main program.
    Then: the entries of the command are the result.
    """
    monkeypatch.setattr(demisto, "args", lambda: {"action": "diff"})

    runpy.run_path(str(script.__file__), run_name="__main__")

    assert server.given == [ANSWER]


def test_diff_is_the_default(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    """
    Given: a mirrored incident.
    When: the script runs without an action.
    Then: the diff is run, which changes nothing.
    """
    run(monkeypatch)

    assert [command for command, _ in server.asked] == ["xsoar-mirror-diff"]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({}, {}),
        ({"fields": "true", "entries": "false"}, {"fields": "true", "entries": "false"}),
    ],
)
def test_resync_hands_on_what_to_bring(
    monkeypatch: pytest.MonkeyPatch, server: Server, args: dict[str, str], expected: dict[str, str]
) -> None:
    """
    Given: a mirrored incident.
    When: a resync is asked for, of all or of fields only.
    Then: xsoar-mirror-resync gets what was asked for; what was not said is left to its defaults.
    """
    run(monkeypatch, action="resync", **args)

    assert server.asked == [("xsoar-mirror-resync", {"id": "4", "using": "customer", **expected})]


@pytest.mark.parametrize(("action", "command"), [("status", "xsoar-mirror-status"), ("get", "xsoar-get-incident")])
def test_other_actions_run_their_command(monkeypatch: pytest.MonkeyPatch, server: Server, action: str, command: str) -> None:
    """
    Given: a mirrored incident.
    When: its status, or the remote incident, is asked for.
    Then: the command of that action runs for the incident on its instance.
    """
    run(monkeypatch, action=action)

    assert server.asked == [(command, {"id": "4", "using": "customer"})]


def test_remote_id_and_instance_may_be_given(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    """
    Given: an incident that is not mirrored.
    When: the script is told a remote ID and an instance, as the playbook does that links an incident.
    Then: those are used.
    """
    server.incident = {"id": "12"}

    run(monkeypatch, action="get", id="77", instance="customer")

    assert server.asked == [("xsoar-get-incident", {"id": "77", "using": "customer"})]


@pytest.mark.parametrize("missing", ["dbotMirrorId", "dbotMirrorInstance"])
def test_an_incident_that_is_not_mirrored_is_told_so(monkeypatch: pytest.MonkeyPatch, server: Server, missing: str) -> None:
    """
    Given: an incident without a remote ID, or without an instance.
    When: a button of the layout is clicked.
    Then: one sentence says that it is not mirrored and what sets the fields, and no command ran anywhere.
    """
    server.incident[missing] = ""

    said = error_of(monkeypatch, server, action="resync")

    assert said.startswith("This incident is not mirrored")
    assert "XSOAR Mirroring - Link Existing Incident" in said
    assert server.asked == []


def test_an_unknown_action_is_refused(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    """
    Given: a mirrored incident.
    When: an action is asked for that there is not.
    Then: the error names those that there are, and no command ran.
    """
    assert error_of(monkeypatch, server, action="delete") == "There is no action delete: choose one of diff, resync, status, get."
    assert server.asked == []


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        ("old", "The instance old is disabled: enable it on the integrations page and try again."),
        ("gone", "There is no instance gone: it was renamed or deleted."),
        ("desk", "The instance desk belongs to Ticket Desk, so its own commands look after this incident."),
    ],
)
@pytest.mark.parametrize(
    "answer",
    [ValueError("Unsupported Command : xsoar-mirror-diff"), error_entry("No instance is enabled."), None],
    ids=["raised", "error entry", "nothing"],
)
def test_an_instance_that_cannot_answer_is_named(
    monkeypatch: pytest.MonkeyPatch, server: Server, instance: str, expected: str, answer: Any
) -> None:
    """
    Given: an incident whose instance is disabled, gone, or of another integration, and a server that says so in one of its ways.
    When: a diff is asked for.
    Then: one sentence says what is wrong with the instance, not what the server said.
    """
    server.incident["dbotMirrorInstance"] = instance
    server.answer = answer

    assert error_of(monkeypatch, server, action="diff").startswith(expected)


@pytest.mark.parametrize("modules", [MODULES, {}, None], ids=["instance is well", "no list", "no answer"])
def test_an_error_of_the_command_is_handed_on(monkeypatch: pytest.MonkeyPatch, server: Server, modules: Any) -> None:
    """
    Given: an enabled instance, or a server that does not list its instances.
    When: the command fails.
    Then: its own error is shown.
    """
    server.modules = modules
    server.answer = error_entry("The remote tenant refuses the API key: generate a new one.")

    assert error_of(monkeypatch, server, action="diff") == "The remote tenant refuses the API key: generate a new one."


def test_no_result_at_all_is_an_error(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    """
    Given: an enabled instance.
    When: its command gives no entry.
    Then: the error says so, so that nobody takes silence for success.
    """
    server.answer = []

    assert error_of(monkeypatch, server, action="resync") == "xsoar-mirror-resync gave no result."
