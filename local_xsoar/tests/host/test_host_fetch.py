"""The fetch job: what fetch-incidents gives becomes incidents, each once, together with the last run."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local_xsoar.host import Host, HostError
from local_xsoar.host.state import HostState
from local_xsoar.tenant import Tenant
from local_xsoar.tests.host.host_samples import SAMPLES, Remote


def raw(**event: Any) -> str:
    return json.dumps(event)


def incidents_of(tenant: Tenant) -> list[dict[str, Any]]:
    return tenant.search({"size": 100, "sort": [{"field": "id", "asc": True}]})[0]


def test_an_incident_is_created_from_its_fields_and_its_mapped_raw_json(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: a remote with one incident, whose rawJSON holds what the mapper maps.
    When: the instance fetches.
    Then: the local incident has both, the mapper's values first, custom fields of both, and says where it came from.
    """
    event = raw(text="from the mapper", level=3, holder={"name": "ANN"}, CustomFields={"depth": "3m"}, number="77", tags=["out"])
    remote.holds(
        incidents=[
            {
                "name": "Flood",
                "occurred": "2026-01-04T10:00:00.123456789Z",
                "rawJSON": event,
                "details": "from the incident",
                "type": "Water",
                "CustomFields": {"colour": "brown", "depth": "?"},
                "dbotMirrorDirection": "Both",
                "dbotMirrorInstance": "ledger",
                "playbookId": "pump",
                "id": "999",
                "status": 2,
            }
        ]
    )
    run = ledger.fetch("ledger")
    assert run.ok, run.error
    incident = tenant.incident(run.created[0])
    expected = {
        "name": "Flood",
        "occurred": "2026-01-04T10:00:00.123456789Z",
        "details": "from the mapper",
        "severity": 3,
        "owner": "ann",
        "type": "Water",
        "CustomFields": {"colour": "brown", "depth": "3m"},
        "dbotMirrorId": "77",
        "dbotMirrorDirection": "Both",
        "dbotMirrorInstance": "ledger",
        "dbotMirrorTags": ["out"],
        "playbookId": "pump",
        "sourceBrand": "Ledger of Files",
        "sourceInstance": "ledger",
        "status": 1,
        "investigationId": "1",
        "id": "1",
    }
    assert {name: incident[name] for name in expected} == expected
    assert incident["dbotCurrentDirtyFields"] is None


def test_empty_text_of_the_mapper_does_not_wipe_what_the_script_set(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: an incident that says which instance mirrors it, and a rawJSON where that is empty, as it is on the remote.
    When: it is fetched through a mapper that maps it.
    Then: what the script set stays.
    """
    remote.holds(incidents=[{"name": "Flood", "dbotMirrorInstance": "ledger", "rawJSON": raw(instance="", text="wet")}])
    incident = tenant.incident(ledger.fetch("ledger").created[0])
    assert (incident["dbotMirrorInstance"], incident["details"]) == ("ledger", "wet")


def test_the_chosen_type_decides_the_mapping(open_host: Callable[..., Host], remote: Remote, tenant: Tenant) -> None:
    """
    Given: an instance with an incident type, for which the mapper has rules of its own.
    When: it fetches an incident of another type.
    Then: the incident has the chosen type, and the type's rule went before the one for all types.
    """
    host = open_host()
    host.add_instance("ledger", SAMPLES / "Ledger", {**remote.params, "incidentType": "Flood"})
    remote.holds(incidents=[{"name": "a", "type": "Other", "rawJSON": raw(text="any", water="high", level=2)}])
    incident = tenant.incident(host.fetch("ledger").created[0])
    assert (incident["type"], incident["details"], incident["severity"]) == ("Flood", "high", 2)


def test_without_a_mapper_the_incident_is_as_the_script_gave_it(
    open_host: Callable[..., Host], remote: Remote, tenant: Tenant
) -> None:
    """
    Given: an instance without an incoming mapper.
    When: it fetches.
    Then: rawJSON changes nothing.
    """
    host = open_host()
    host.add_instance("ledger", SAMPLES / "Ledger", remote.params, incoming_mapper="")
    remote.holds(incidents=[{"name": "a", "details": "own", "rawJSON": raw(text="mapped")}])
    assert tenant.incident(host.fetch("ledger").created[0])["details"] == "own"


def test_attachments_of_one_name_come_along_byte_for_byte(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: an incident with two files of one name, one with a path in its name, and one that the script did not write.
    When: it is fetched.
    Then: three files hang on it and stand in its War Room; the missing one is in the log.
    """
    files = [["a.txt", "one"], ["a.txt", "two"], ["../up.txt", "three"]]
    remote.holds(incidents=[{"name": "Flood", "files": files}, {"name": "Lost", "attachment": [{"path": "../x", "name": "x"}]}])
    run = ledger.fetch("ledger")
    first, second = (tenant.incident(number) for number in run.created)
    assert [item["name"] for item in first["attachment"]] == ["a.txt", "a.txt", "up.txt"]
    entries = [entry for entry in tenant.entries(first["id"]) if entry["fileID"]]
    assert [tenant.entry_file(entry["id"])[1].read_text() for entry in entries] == ["one", "two", "three"]
    assert second["attachment"] is None
    assert any("'Lost' is skipped: the script wrote no file '../x'" in line for line in run.log)


def test_the_last_run_goes_from_fetch_to_fetch(ledger: Host, remote: Remote) -> None:
    """
    Given: a remote that gains an incident between two fetches.
    When: the instance fetches twice.
    Then: the first saw no last run, the second the one that was set, and only the new incident was created.
    """
    remote.holds(incidents=[{"name": "one"}])
    assert len(ledger.fetch("ledger").created) == 1
    remote.holds(incidents=[{"name": "one"}, {"name": "two"}])
    run = ledger.fetch("ledger")
    assert [incident["name"] for incident in run.incidents] == ["two"]
    assert [call["lastRun"] for call in remote.calls()] == [{}, {"offset": 1}]
    assert ledger.last_run("ledger") == {"offset": 2}
    ledger.reset_last_run("ledger")
    assert len(ledger.fetch("ledger").created) == 2


@pytest.mark.parametrize("end", [{"error": "no way"}, {"not implemented": "no way"}])
def test_a_failed_fetch_saves_and_creates_nothing(ledger: Host, remote: Remote, tenant: Tenant, end: dict[str, str]) -> None:
    """
    Given: a fetch that fails after it gave incidents and a last run.
    When: it ran, and the next one succeeds.
    Then: the failed one left nothing but a line in the log, the next one created all.
    """
    remote.holds(incidents=[{"name": "one"}], fetch=end)
    run = ledger.fetch("ledger")
    assert not run.ok
    assert "no way" in run.error
    assert (run.created, incidents_of(tenant), ledger.last_run("ledger")) == ([], [], {})
    assert "no way" in ledger.log("ledger")[-1]
    remote.holds(incidents=[{"name": "one"}])
    assert len(ledger.fetch("ledger").created) == 1


@pytest.mark.parametrize(
    ("incident", "said"),
    [
        ("text", "An incident is an object, not str"),
        ({}, "An incident has no name"),
        ({"name": "a", "dbotMirrorId": 7}, "The dbotMirrorId of an incident is text, not int"),
        ({"name": "a", "rawJSON": {"b": 1}}, "The rawJSON of an incident is text, not dict"),
        ({"name": "a", "rawJSON": "{'b': 1}"}, "The rawJSON of an incident is not JSON"),
        ({"name": "a", "severity": "high"}, "The severity of an incident is a number, not str"),
        ({"name": "a", "occurred": "yesterday"}, "The occurred of an incident is a time such as"),
        ({"name": "a", "dbotMirrorTags": "out"}, "The dbotMirrorTags of an incident is a list, not str"),
        ({"name": "a", "CustomFields": []}, "The CustomFields of an incident is a dict, not list"),
    ],
)
def test_an_incident_of_the_wrong_shape_fails_the_whole_run(
    ledger: Host, remote: Remote, tenant: Tenant, incident: Any, said: str
) -> None:
    """
    Given: a good incident and one that no server could read.
    When: both are fetched in one run.
    Then: the run fails, says what is wrong, and neither is created.
    """
    remote.holds(incidents=[{"name": "good"}, incident])
    run = ledger.fetch("ledger")
    assert not run.ok
    assert said in run.error
    assert incidents_of(tenant) == []
    assert ledger.last_run("ledger") == {}


def test_an_incident_that_the_tenant_refuses_does_not_stop_the_others(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: three incidents, the second with a field that the tenant cannot read.
    When: they are fetched.
    Then: two are created, the third is named in the log, and the last run moves on.
    """
    remote.holds(incidents=[{"name": "one"}, {"name": "two", "dueDate": "tomorrow-ish"}, {"name": "three"}])
    run = ledger.fetch("ledger")
    assert [tenant.incident(number)["name"] for number in run.created] == ["one", "three"]
    assert "the incident 'two' could not be created" in ledger.log("ledger")[-1]
    assert ledger.last_run("ledger") == {"offset": 3}


def test_an_instance_that_does_not_fetch_says_so(rough: Host) -> None:
    """
    Given: an instance whose isFetch is off.
    When: it is to fetch.
    Then: a sentence says what to set.
    """
    with pytest.raises(HostError, match=r"The instance rough does not fetch: set its parameter isFetch\."):
        rough.fetch("rough")


@pytest.mark.parametrize("step", ["setLastRun", "incidents", "done"])
def test_a_fetch_that_is_killed_leaves_nothing(open_host: Callable[..., Host], remote: Remote, tenant: Tenant, step: str) -> None:
    """
    Given: a worker that is killed in a fetch, at the latest when it says that it is done.
    When: that fetch ran, and another.
    Then: the first created and saved nothing, the second all.
    """

    def on_call(pid: int, name: str) -> None:
        if name == step and not killed:
            killed.append(pid)
            os.kill(pid, signal.SIGKILL)

    killed: list[int] = []
    host = open_host(on_call=on_call)
    host.add_instance("ledger", SAMPLES / "Ledger", remote.params)
    remote.holds(incidents=[{"name": "one"}])
    run = host.fetch("ledger")
    assert (run.ok, run.created, incidents_of(tenant), host.last_run("ledger")) == (False, [], [], {})
    assert len(host.fetch("ledger").created) == 1


class StoppedError(Exception):
    """Stands for the host's end at some point."""


def stop_at(monkeypatch: pytest.MonkeyPatch, owner: type, method: str, turn: int, after: bool) -> None:
    """Make the host stop before or after the `turn`-th call of a method."""
    original = getattr(owner, method)
    calls: list[int] = []

    def stopping(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == turn and not after:
            raise StoppedError
        result = original(*args, **kwargs)
        if len(calls) == turn:
            raise StoppedError
        return result

    monkeypatch.setattr(owner, method, stopping)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("owner", "method", "turn"),
    [
        (HostState, "begin_fetched", 1),
        (Tenant, "create_incident", 1),
        (Tenant, "create_incident", 3),
        (HostState, "note_created", 1),
        (HostState, "note_created", 2),
        (HostState, "note_created", 3),
        (HostState, "finish_fetched", 1),
    ],
)
def test_a_host_that_stops_in_a_fetch_neither_loses_nor_doubles(
    open_host: Callable[..., Host],
    remote: Remote,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    owner: type,
    method: str,
    turn: int,
    after: bool,
) -> None:
    """
    Given: a fetch of three incidents with a file each, after an earlier one, and a host that stops somewhere in it.
    When: the host is started again and fetches.
    Then: each incident is there once with its file, the last run is saved, and nothing is left behind.
    """
    host = open_host()
    host.add_instance("ledger", SAMPLES / "Ledger", remote.params)
    remote.holds(incidents=[{"name": "zero"}])
    host.fetch("ledger")
    names = ["zero", "one", "two", "three"]
    remote.holds(incidents=[{"name": name, "files": [[f"{name}.txt", name]]} for name in names])
    with monkeypatch.context() as stopped, pytest.raises(StoppedError):
        stop_at(stopped, owner, method, turn, after)
        host.fetch("ledger")
    host.close()

    again = open_host()
    assert again.fetch("ledger").ok
    found = incidents_of(tenant)
    assert [incident["name"] for incident in found] == names
    assert [[item["name"] for item in incident["attachment"]] for incident in found[1:]] == [
        ["one.txt"],
        ["two.txt"],
        ["three.txt"],
    ]
    assert again.last_run("ledger") == {"offset": 4}
    assert again.fetch("ledger").created == []
    assert not list((tmp_path / "host").glob("fetched/*"))


def test_a_preview_creates_and_keeps_nothing(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: an instance that fetched, and a new incident of the remote with a file.
    When: the next fetch is previewed, twice, and run.
    Then: the preview gives the fields that are created by the fetch after it, and no incident; the last run stays.
    """
    first = {"name": "Flood", "rawJSON": raw(text="all wet")}
    second = {"name": "Drought", "rawJSON": raw(text="all dry"), "files": [["a.txt", "bytes"]]}
    remote.holds(incidents=[first])
    ledger.fetch("ledger")
    remote.holds(incidents=[first, second])
    for _ in range(2):
        run = ledger.preview_fetch("ledger")
        assert [(item["name"], item["details"], item["attachment"][0]["name"]) for item in run.incidents] == [
            ("Drought", "all dry", "a.txt")
        ]
        assert (run.ok, run.created) == (True, [])
    assert [incident["name"] for incident in incidents_of(tenant)] == ["Flood"]
    assert ledger.last_run("ledger") == {"offset": 1}
    (created,) = ledger.fetch("ledger").created
    assert tenant.incident(created)["details"] == "all dry"


def test_a_preview_of_what_no_server_takes_fails(ledger: Host, remote: Remote) -> None:
    """
    Given: a remote whose incident has no name.
    When: the fetch is previewed.
    Then: it fails with the sentence of a fetch.
    """
    remote.holds(incidents=[{"details": "nameless"}])
    run = ledger.preview_fetch("ledger")
    assert (run.ok, run.error) == (False, "An incident has no name")
    assert run.entries[0]["Contents"] == run.error


def test_there_is_no_preview_where_nothing_is_fetched(open_host: Callable[..., Host]) -> None:
    """
    Given: an integration that does not fetch.
    When: its fetch is previewed.
    Then: one sentence says so.
    """
    host = open_host()
    host.add_instance("console", SAMPLES / "Console", {"url": "https://there"})
    with pytest.raises(HostError, match=r"^Console does not fetch: "):
        host.preview_fetch("console")
