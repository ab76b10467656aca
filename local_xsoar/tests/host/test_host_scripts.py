"""Automation scripts: what demisto.executeCommand does for them, and what they may not do."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from local_xsoar.host import CommandRun, Host, HostError
from local_xsoar.tenant import Tenant
from local_xsoar.tests.host.host_samples import SAMPLES

CLERK = SAMPLES.parent / "Scripts" / "Clerk"


@pytest.fixture
def host(open_host: Callable[..., Host]) -> Host:
    """A host with two instances of the integration Console."""
    host = open_host()
    for name in ("one", "two"):
        host.add_instance(name, SAMPLES / "Console", {"url": f"https://{name}"})
    return host


def run(host: Host, command: str, incident_id: str = "", **args: Any) -> CommandRun:
    """Have a script run a command."""
    return host.run_script(CLERK, {"command": command, "args": json.dumps(args)}, incident_id=incident_id)


def answer(host: Host, command: str, incident_id: str = "", **args: Any) -> Any:
    """Return what a script was answered."""
    ran = run(host, command, incident_id, **args)
    assert ran.ok, ran.error
    return ran.entries[0]["Contents"]


def test_a_command_runs_on_the_instance_that_is_named_or_on_all(host: Host) -> None:
    """
    Given: two instances that have a command.
    When: a script runs it on one of them, and without naming any.
    Then: it gets the entries of that one, and of both.
    """
    named = answer(host, "console-params", using="two")
    both = answer(host, "console-params")

    assert [entry["Contents"]["url"] for entry in named] == ["https://two"]
    assert [entry["Contents"]["url"] for entry in both] == ["https://one", "https://two"]


@pytest.mark.parametrize(("command", "args"), [("console-nothing", {}), ("console-params", {"using": "three"}), ("Print", {})])
def test_a_command_that_no_instance_has_raises(host: Host, command: str, args: dict[str, str]) -> None:
    """
    Given: a command that there is not, one of an instance that there is not, and a script.
    When: a script runs it.
    Then: the server raises ValueError in the script.
    """
    assert f"ValueError: Unsupported Command : {command}" in run(host, command, **args).error


@pytest.mark.parametrize(
    ("command", "args", "said"),
    [
        ("console-fail", {}, "Not today"),
        ("console-table", {}, "console-table needs the argument value"),
        ("console-crash", {}, "bad key"),
        ("setIncident", {"id": "404", "name": "x"}, "setIncident failed"),
        ("setIncident", {"name": "x"}, "There is no incident here"),
        ("createNewIncident", {"name": 7}, "createNewIncident failed"),
        ("closeInvestigation", {"id": "404"}, "closeInvestigation failed"),
        ("closeInvestigation", {}, "There is no incident here"),
        ("getIncidents", {"query": "name:("}, "getIncidents failed"),
        ("getIncidents", {"owner": "ann"}, "does not support the argument owner"),
    ],
)
def test_a_command_that_fails_gives_an_error_entry(host: Host, command: str, args: dict[str, str], said: str) -> None:
    """
    Given: commands that fail.
    When: a script runs one.
    Then: it gets one error entry, and goes on.
    """
    (entry,) = answer(host, command, **({"using": "one"} if command.startswith("console") else {}), **args)

    assert entry["Type"] == 4
    assert said in entry["Contents"]


def test_incidents_are_found_page_by_page(host: Host, tenant: Tenant) -> None:
    """
    Given: three incidents that match and one that does not.
    When: a script asks for pages of two, and for what there is not.
    Then: it gets them in the order that it asked for, with the total; and null for nothing.
    """
    for name in ("Flood a", "Flood b", "Flood c", "Fire"):
        tenant.create_incident({"name": name})
    pages = [answer(host, "getIncidents", query="name:Flood*", size=2, page=page, sort="id.desc") for page in (0, 1, 2)]

    found = [[incident["name"] for incident in entry["Contents"]["data"] or []] for (entry,) in pages]
    assert found == [["Flood c", "Flood b"], ["Flood a"], []]
    assert [entry["Contents"]["total"] for (entry,) in pages] == [3, 3, 3]
    assert pages[2][0]["Contents"]["data"] is None


def test_an_incident_is_changed_as_a_person_does_it(host: Host, tenant: Tenant) -> None:
    """
    Given: two incidents, one of them mirrored out, and a custom field.
    When: a script that runs in the one changes both: fields, a custom field, and the mirror tags as a text.
    Then: they are changed, and the change of the mirrored one is to go out.
    """
    tenant.add_incident_field("depth", name="Depth")
    first = str((tenant.create_incident({"name": "here"}) or {})["id"])
    mirroring = {"dbotMirrorId": "4", "dbotMirrorInstance": "one", "dbotMirrorDirection": "Both"}
    second = str((tenant.create_incident({"name": "mirrored", **mirroring}) or {})["id"])

    answer(host, "setIncident", first, dbotMirrorTags="a, b", depth="3m")
    answer(host, "setIncident", first, id=second, details="new")

    changed = tenant.incident(first)
    assert (changed["dbotMirrorTags"], changed["CustomFields"]["depth"]) == (["a", "b"], "3m")
    assert tenant.incident(second)["details"] == "new"
    assert tenant.incident(second)["dbotCurrentDirtyFields"] == ["details"]


def test_an_incident_is_created_and_closed(host: Host, tenant: Tenant) -> None:
    """
    Given: a custom field.
    When: a script creates an incident, and closes it and the one that it runs in.
    Then: the first has its fields and no mirror, its ID was in the context, and both are closed with reason and notes.
    """
    tenant.add_incident_field("depth", name="Depth")
    here = str((tenant.create_incident({"name": "here"}) or {})["id"])

    (entry,) = answer(host, "createNewIncident", name="Flood", type="Unclassified", severity=3, depth="3m")
    created_id = entry["EntryContext"]["CreatedIncidentID"]
    created = tenant.incident(created_id)
    answer(host, "closeInvestigation", here, id=created_id, closeReason="Resolved", closeNotes="dry", depth="0m")
    answer(host, "closeInvestigation", here)

    assert (created["name"], created["severity"], created["CustomFields"]["depth"]) == ("Flood", 3, "3m")
    assert (created["status"], created["dbotMirrorInstance"], bool(created["investigationId"])) == (1, "", True)
    closed = tenant.incident(created_id)
    assert (closed["status"], closed["closeReason"], closed["closeNotes"]) == (2, "Resolved", "dry")
    assert closed["CustomFields"]["depth"] == "0m"
    assert tenant.incident(here)["status"] == 2


def test_a_script_knows_the_instances_and_keeps_nothing(host: Host) -> None:
    """
    Given: two instances.
    When: a script asks for the instances, for the last run of a fetch, and for an integration context.
    Then: it gets the instances; the others are refused.
    """
    assert {name: module["brand"] for name, module in answer(host, "demisto.getModules").items()} == {
        "one": "Console",
        "two": "Console",
    }
    for name in ("getLastRun", "getIntegrationContext", "integrationInstance"):
        assert "NotImplementedError" in run(host, f"demisto.{name}").error


def test_what_a_script_gives_stands_in_the_war_room(host: Host, tenant: Tenant) -> None:
    """
    Given: an incident.
    When: a script runs in it.
    Then: its entry is there; that of the command which it ran is not.
    """
    incident_id = str((tenant.create_incident({"name": "Flood"}) or {})["id"])

    answer(host, "console-table", incident_id, value="shown", using="one")

    assert len(tenant.entries(incident_id)) == 1


@pytest.mark.parametrize(
    ("args", "incident_id", "said"),
    [({}, "", "Clerk needs the argument command"), ({"command": "x"}, "404", "There is no incident 404")],
)
def test_a_script_that_cannot_run_is_refused(host: Host, args: dict[str, str], incident_id: str, said: str) -> None:
    """
    Given: a script.
    When: it is run without an argument that it needs, and in an incident that there is not.
    Then: a sentence says so.
    """
    with pytest.raises(HostError, match=said):
        host.run_script(CLERK, args, incident_id=incident_id)
