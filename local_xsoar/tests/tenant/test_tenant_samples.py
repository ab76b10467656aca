"""The sample incidents."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local_xsoar.tenant import Tenant
from local_xsoar.tenant.samples import load_samples

TIMES = ("created", "modified", "occurred", "closed", "dueDate", "notifyTime")


def test_samples_hold_what_there_is_to_try(tenant: Tenant) -> None:
    """
    Given: an empty tenant.
    When: twenty samples are loaded.
    Then: there are several types and severities, pending and closed ones, custom fields that the schema knows, chats and
        notes, tagged and not, and files, two of one name on one incident.
    """
    ids = load_samples(tenant, 20)
    incidents = [tenant.incident(incident_id) for incident_id in ids]
    assert len({incident["type"] for incident in incidents}) >= 4
    assert len({incident["severity"] for incident in incidents}) >= 4
    assert Counter(incident["status"] for incident in incidents) == {1: 16, 0: 2, 2: 2}
    custom = {field["cliName"] for field in tenant.incident_fields() if not field["system"]}
    assert set(incidents[0]["CustomFields"]) <= custom
    names = [item["name"] for item in incidents[0]["attachment"]]
    assert len(names) == 2 and len(set(names)) == 1
    entries = tenant.entries(ids[0])
    files = [tenant.entry_file(entry["id"])[1].read_bytes() for entry in entries if entry["file"] == names[0]]
    assert len(set(files)) == 2
    assert {entry["note"] for entry in entries} == {True, False}
    assert tenant.entries(ids[0], {"tags": ["FromRemote"], "categories": ["chats"]})
    assert tenant.entries(ids[0], {"tags": ["FromRemote"], "categories": ["notes"]})


def test_samples_spread_over_the_past(tenant: Tenant) -> None:
    """
    Given: an empty tenant.
    When: fifteen samples are loaded.
    Then: they were created seven minutes apart, the last one now.
    """
    load_samples(tenant, 15)
    assert tenant.search({"query": 'created:>="14 minutes ago"'})[1] == 3
    assert tenant.search({"query": 'created:>="1 hour ago"'})[1] == 9
    assert tenant.incident("15")["created"] == "2023-03-05T10:06:48.446Z"


def test_numbers_and_times_of_sample_entries_agree(tenant: Tenant) -> None:
    """
    Given: an empty tenant.
    When: samples with and without attachments are loaded.
    Then: the entries of each War Room were written in the order of their numbers.
    """
    for incident_id in load_samples(tenant, 12):
        if tenant.incident(incident_id)["investigationId"]:
            entries = sorted(tenant.entries(incident_id), key=lambda entry: int(entry["id"].partition("@")[0]))
            times = [entry["created"] for entry in entries]
            assert times == sorted(times)


def test_samples_are_the_same_each_time(make_tenant: Callable[..., Tenant], tmp_path: Path) -> None:
    """
    Given: two empty tenants.
    When: twelve samples are loaded into each.
    Then: incidents and entries are equal, but for the server's file names.
    """

    def content(name: str) -> Any:
        tenant = make_tenant(folder=tmp_path / name)
        ids = load_samples(tenant, 12)
        incidents = [tenant.incident(incident_id) | {"attachment": None} for incident_id in ids]
        rooms = [tenant.entries(incident["id"]) for incident in incidents if incident["investigationId"]]
        return incidents, [[entry | {"fileID": ""} for entry in room] for room in rooms]

    assert content("one") == content("two")


def test_samples_are_added_to_what_is_there(tenant: Tenant) -> None:
    """
    Given: a tenant with an incident.
    When: no samples, and then three, are loaded.
    Then: the ids are those of the new ones.
    """
    tenant.create_incident({"name": "a"})
    assert load_samples(tenant, 0) == []
    assert load_samples(tenant, 3) == ["2", "3", "4"]
