"""Tests of the script, run as the server does: through `main`, with a server that answers its commands."""

import json
import runpy
from typing import Any

import pytest

import XSOARMirroringIncident as script
from stand_ins import Server, error_entry

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


@pytest.fixture
def server(server: Server) -> Server:
    """A server with instances and a mirrored incident, on which every command succeeds."""
    server.incident, server.instances = dict(MIRRORED), MODULES
    answer_all(server, ANSWER)
    return server


def answer_all(server: Server, answer: Any) -> None:
    """Let every command that the script can run give an answer."""
    server.answers = dict.fromkeys(script.COMMANDS.values(), answer)


def run(server: Server, **args: str) -> Any:
    """Run the script with arguments, which must succeed, and return what it gives."""
    outcome = server.run_script(script.main, **args)
    assert not outcome.error, outcome.error
    return outcome.result


def error_of(server: Server, **args: str) -> str:
    """Run the script, which fails, and return the text of its error entry."""
    error = server.run_script(script.main, **args).error
    assert error
    return error


def test_diff_is_run_on_the_incident_s_own_instance(server: Server) -> None:
    """
    Given: an incident that the instance "customer" mirrors as incident 4.
    When: the button for the diff is clicked, which gives no more than the action.
    Then: xsoar-mirror-diff runs on that instance only, gets the incident to compare with, and its entries are the result.
    """
    result = run(server, action="diff")

    ((command, args),) = server.asked
    compared = json.loads(args.pop("incident"))
    assert (command, args) == ("xsoar-mirror-diff", {"id": "4", "using": "customer"})
    assert compared == {key: value for key, value in MIRRORED.items() if key != "rawJSON"}
    assert result == ANSWER


def test_it_runs_when_the_server_starts_it(server: Server) -> None:
    """
    Given: a mirrored incident.
    When: the server runs the file as its main program.
    Then: the entries of the command are the result.
    """
    outcome = server.run_script(lambda: runpy.run_path(str(script.__file__), run_name="__main__"), action="diff")

    assert outcome.result == ANSWER


def test_diff_is_the_default(server: Server) -> None:
    """
    Given: a mirrored incident.
    When: the script runs without an action.
    Then: the diff is run, which changes nothing.
    """
    run(server)

    assert [command for command, _ in server.asked] == ["xsoar-mirror-diff"]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({}, {}),
        ({"fields": "true", "entries": "false"}, {"fields": "true", "entries": "false"}),
    ],
)
def test_resync_hands_on_what_to_bring(server: Server, args: dict[str, str], expected: dict[str, str]) -> None:
    """
    Given: a mirrored incident.
    When: a resync is asked for, of all or of fields only.
    Then: xsoar-mirror-resync gets what was asked for; what was not said is left to its defaults.
    """
    run(server, action="resync", **args)

    assert server.asked == [("xsoar-mirror-resync", {"id": "4", "using": "customer", **expected})]


@pytest.mark.parametrize(("action", "command"), [("status", "xsoar-mirror-status"), ("get", "xsoar-get-incident")])
def test_other_actions_run_their_command(server: Server, action: str, command: str) -> None:
    """
    Given: a mirrored incident.
    When: its status, or the remote incident, is asked for.
    Then: the command of that action runs for the incident on its instance.
    """
    run(server, action=action)

    assert server.asked == [(command, {"id": "4", "using": "customer"})]


def test_remote_id_and_instance_may_be_given(server: Server) -> None:
    """
    Given: an incident that is not mirrored.
    When: the script is told a remote ID and an instance, as the playbook does that links an incident.
    Then: those are used.
    """
    server.incident = {"id": "12"}

    run(server, action="get", id="77", instance="customer")

    assert server.asked == [("xsoar-get-incident", {"id": "77", "using": "customer"})]


@pytest.mark.parametrize("missing", ["dbotMirrorId", "dbotMirrorInstance"])
def test_an_incident_that_is_not_mirrored_is_told_so(server: Server, missing: str) -> None:
    """
    Given: an incident without a remote ID, or without an instance.
    When: a button of the layout is clicked.
    Then: one sentence says that it is not mirrored and what sets the fields, and no command ran anywhere.
    """
    server.incident = {**MIRRORED, missing: ""}

    said = error_of(server, action="resync")

    assert said.startswith("This incident is not mirrored")
    assert "XSOAR Mirroring - Link Existing Incident" in said
    assert server.asked == []


def test_an_unknown_action_is_refused(server: Server) -> None:
    """
    Given: a mirrored incident.
    When: an action is asked for that there is not.
    Then: the error names those that there are, and no command ran.
    """
    assert (
        error_of(server, action="delete") == "There is no action delete: choose one of diff, resync, status, get, check, create."
    )
    assert server.asked == []


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        ("old", "The instance old is disabled: enable it on the integrations page and try again."),
        ("gone", "There is no instance gone: check the spelling. If it was renamed or deleted, give an instance of"),
        ("desk", "The instance desk belongs to Ticket Desk: use the commands of that integration for this incident."),
    ],
)
@pytest.mark.parametrize(
    "answer",
    [ValueError("Unsupported Command : xsoar-mirror-diff"), error_entry("No instance is enabled."), None],
    ids=["raised", "error entry", "nothing"],
)
def test_an_instance_that_cannot_answer_is_named(server: Server, instance: str, expected: str, answer: Any) -> None:
    """
    Given: an incident whose instance is disabled, gone, or of another integration, and a server that says so in one of its ways.
    When: a diff is asked for.
    Then: one sentence says what is wrong with the instance, not what the server said.
    """
    server.incident = {**MIRRORED, "dbotMirrorInstance": instance}
    answer_all(server, answer)

    assert error_of(server, action="diff").startswith(expected)


@pytest.mark.parametrize("modules", [MODULES, {}, None], ids=["instance is well", "no list", "no answer"])
def test_an_error_of_the_command_is_handed_on(server: Server, modules: Any) -> None:
    """
    Given: an enabled instance, or a server that does not list its instances.
    When: the command fails.
    Then: its own error is shown.
    """
    server.instances = modules
    answer_all(server, error_entry("The remote tenant refuses the API key: generate a new one."))

    assert error_of(server, action="diff") == "The remote tenant refuses the API key: generate a new one."


def test_no_result_at_all_is_an_error(server: Server) -> None:
    """
    Given: an enabled instance.
    When: its command gives no entry.
    Then: the error says so, so that nobody takes silence for success.
    """
    answer_all(server, [])

    assert error_of(server, action="resync") == "xsoar-mirror-resync returned no result."


@pytest.mark.parametrize(("args", "expected"), [({}, {}), ({"write": "true"}, {"write": "true"})])
def test_a_check_needs_an_instance_and_no_incident(server: Server, args: dict[str, str], expected: dict[str, str]) -> None:
    """
    Given: an incident that is not mirrored.
    When: an instance is to be checked.
    Then: xsoar-mirror-check runs on it, and writes only if that was asked for.
    """
    server.incident = {"id": "12"}

    result = run(server, action="check", instance="customer", **args)

    assert server.asked == [("xsoar-mirror-check", {"using": "customer", **expected})]
    assert result == ANSWER


def test_a_check_of_no_instance_is_refused(server: Server) -> None:
    """
    Given: an incident that is not mirrored.
    When: a check is asked for without an instance.
    Then: one sentence asks for it.
    """
    server.incident = {"id": "12"}

    assert error_of(server, action="check") == "A check needs an instance: name it with instance."
    assert server.asked == []


SET = ("setIncident", {"dbotMirrorInstance": "customer", "dbotMirrorDirection": "Both", "dbotMirrorTags": ["ToRemote"]})


@pytest.fixture
def alone(server: Server) -> Server:
    """A server with an open incident that nobody mirrors, and one enabled instance that mirrors both ways."""
    server.incident = {"id": "12", "status": 1, "dbotMirrorId": "", "dbotMirrorInstance": ""}
    server.answers = {"customer": told(Direction="Both", OutgoingTags=["ToRemote"]), "setIncident": ANSWER}
    return server


def told(**status: Any) -> list[dict[str, Any]]:
    """Return what xsoar-mirror-status gives a script."""
    return [{"Type": 1, "ContentsFormat": "json", "Contents": status}]


def with_instances(server: Server, **directions: str) -> None:
    """Let the server have these instances, each with its direction."""
    server.instances = dict.fromkeys(directions, MODULES["customer"])
    server.answers |= {name: told(Direction=direction, OutgoingTags=["ToRemote"]) for name, direction in directions.items()}


def changes(server: Server) -> list[tuple[str, dict[str, Any]]]:
    """Return the commands that the script ran and that change something."""
    return [asked for asked in server.asked if asked[0] != "xsoar-mirror-status"]


def test_an_incident_is_created_by_its_mirror_fields(alone: Server) -> None:
    """
    Given: an incident that nobody mirrors, and one enabled instance of the pack beside a disabled one and one of another pack.
    When: the button is clicked.
    Then: the incident names the instance, its direction and its outgoing tags, no remote ID is set, and the answer says what
        comes next.
    """
    result = run(alone, action="create")

    assert changes(alone) == [SET]
    assert result["EntryContext"] == {
        "XSOAR.Mirror.Create(val.Incident && val.Incident == obj.Incident)": {
            "Incident": "12",
            "Instance": "customer",
            "Direction": "Both",
        }
    }
    assert result["HumanReadable"].startswith("The next mirroring round of customer creates this incident in the remote tenant")


def test_a_paused_instance_creates_after_its_pause(alone: Server) -> None:
    """Given a paused instance; When the button is clicked; Then the answer promises the incident for the time after the pause."""
    alone.answers["customer"] = told(Direction="Both", OutgoingTags=[], State="Paused")

    assert "in the remote tenant, after its pause." in run(alone, action="create")["HumanReadable"]


def test_the_one_instance_that_sends_is_taken(alone: Server) -> None:
    """
    Given: three instances, of which one sends and has no outgoing tags.
    When: the button is clicked.
    Then: that one creates the incident, outgoing only, and no tag is set.
    """
    with_instances(alone, a="In", b="Out", c="None")
    alone.answers["b"] = told(Direction="Out", OutgoingTags=[])

    run(alone, action="create")

    assert changes(alone) == [("setIncident", {"dbotMirrorInstance": "b", "dbotMirrorDirection": "Out"})]


def test_several_that_send_are_named_and_one_may_be_chosen(alone: Server) -> None:
    """
    Given: two instances that send.
    When: the button is clicked; then one of them is named.
    Then: nothing is changed and both are named, since only a person knows which tenant is meant; then that one is taken, and the
        other is not asked.
    """
    with_instances(alone, customer="Both", other="Out")

    refused = error_of(alone, action="create")
    first = list(alone.asked)
    run(alone, action="create", instance="customer")

    assert refused == (
        "The instances customer and other could each create it: run the playbook XSOAR Mirroring - Create in Remote and name one"
        " of them."
    )
    assert alone.asked[len(first) :] == [("xsoar-mirror-status", {"using": "customer"}), SET]


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (
            "",
            "No instance of XSOAR Mirroring is enabled and sends anything: enable one, and set its",
        ),
        ("customer", "The instance customer sends nothing: set its Incident Mirroring Direction to Outgoing"),
    ],
)
def test_an_instance_that_sends_nothing_creates_nothing(alone: Server, named: str, expected: str) -> None:
    """
    Given: instances that only take in, or do not mirror.
    When: an incident is to be created, with or without naming one.
    Then: the sentence says what to set, and the incident stays as it was.
    """
    with_instances(alone, customer="In", other="None")

    assert error_of(alone, action="create", instance=named).startswith(expected)
    assert changes(alone) == []


def test_an_instance_that_does_not_answer_is_not_passed_over(alone: Server) -> None:
    """
    Given: two instances, of which one fails to say whether it sends.
    When: the button is clicked.
    Then: it is named and nothing is created: it may be the one that was meant.
    """
    with_instances(alone, customer="Both", other="Both")
    alone.answers["other"] = error_entry("Enter the API key.")

    assert error_of(alone, action="create") == "other does not answer, so nothing was created: Enter the API key."
    assert changes(alone) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"dbotMirrorId": "4", "dbotMirrorInstance": "customer"},
            "This incident is mirrored already: by customer, with the remote incident 4.",
        ),
        (
            {"dbotMirrorInstance": "customer"},
            "customer is creating this incident in the remote tenant already: wait for its",
        ),
        ({"dbotMirrorId": "7@hq.example.com"}, "Another tenant created this incident and mirrors it"),
        ({"dbotMirrorId": "INC77"}, "This incident came from elsewhere (dbotMirrorId is INC77)"),
        (
            {"CustomFields": {"xsoarmirroringremoteid": "4"}},
            "This incident has the remote incident 4: link them with the playbook",
        ),
        ({"status": 2}, "This incident is closed: reopen it, then create it in the remote tenant."),
    ],
    ids=["mirrored", "clicked twice", "created from there", "another integration's", "cleared", "closed"],
)
def test_an_incident_that_has_another_half_is_not_created(alone: Server, fields: dict[str, Any], expected: str) -> None:
    """
    Given: an incident that is mirrored, is being created, was created here by another tenant, or is closed.
    When: the button is clicked.
    Then: one sentence says so; no instance is asked and nothing is changed.
    """
    assert alone.incident is not None
    alone.incident |= fields

    assert error_of(alone, action="create").startswith(expected)
    assert alone.asked == []


def test_fields_that_cannot_be_set_are_told(alone: Server) -> None:
    """
    Given: a server that refuses to change the incident.
    When: the button is clicked.
    Then: the error says so.
    """
    alone.answers["setIncident"] = error_entry("no permission")

    assert error_of(alone, action="create") == "The mirror fields could not be set: no permission"
