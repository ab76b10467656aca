"""What the host does with the content of a pack beside its integration: incident fields and types, and mappers that use them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local_xsoar.host import Host, HostError
from local_xsoar.tenant import Tenant
from local_xsoar.tests.host.host_samples import SAMPLES, Remote

WATER_LEVEL = {"id": "incident_waterlevel", "cliName": "waterlevel", "name": "Water Level", "type": "shortText"}
RULES = {
    "Water Level": {"simple": "depth"},
    "details": {"simple": "text"},
    "dbotMirrorId": {"simple": "number"},
    "dbotMirrorDirection": {"simple": "direction"},
    "dbotMirrorInstance": {"simple": "instance"},
}


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A pack with an integration, an incident field, an incident type, and a mapper that names the field as people see it."""
    folder = tmp_path / "Packs" / "Flood"
    shutil.copytree(SAMPLES / "Ledger", folder / "Integrations" / "Ledger")
    shutil.copytree(SAMPLES.parent / "Classifiers", folder / "Classifiers")
    mapper = {
        "id": "Flood In",
        "type": "mapping-incoming",
        "mapping": {"dbot_classification_incident_type_all": {"dontMapEventToLabels": True, "internalMapping": RULES}},
    }
    (folder / "Classifiers" / "flood.json").write_text(json.dumps(mapper))
    write(folder, "IncidentFields/incidentfield-Water_Level.json", {**WATER_LEVEL, "associatedToAll": True})
    write(folder, "IncidentTypes/incidenttype-Flood.json", {"id": "Flood", "name": "Flood", "playbookId": "Close The Gate"})
    return folder


def write(pack: Path, name: str, item: Any) -> None:
    """Write an item of the pack."""
    (pack / name).parent.mkdir(exist_ok=True)
    (pack / name).write_text(json.dumps(item))


def named(items: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Return the fields or types of a name."""
    return [item for item in items if item["name"] == name]


def test_an_instance_brings_the_fields_and_types_of_its_pack(
    open_host: Callable[..., Host], pack: Path, remote: Remote, tenant: Tenant
) -> None:
    """
    Given: a pack with an incident field for all types, one for a type of its own, and that type.
    When: an instance of its integration is added, twice.
    Then: the tenant has each of them once, as the pack describes them.
    """
    write(
        pack,
        "IncidentFields/incidentfield-Gate.json",
        {**WATER_LEVEL, "cliName": "gate", "name": "Gate", "associatedTypes": ["Flood"]},
    )
    host = open_host()
    for _ in range(2):
        host.add_instance("ledger", pack / "Integrations" / "Ledger", remote.params, incoming_mapper="Flood In")

    (field,) = named(tenant.incident_fields(), "Water Level")
    (gate,) = named(tenant.incident_fields(), "Gate")
    (kind,) = named(tenant.incident_types(), "Flood")
    assert (field["cliName"], field["type"], field["associatedToAll"]) == ("waterlevel", "shortText", True)
    assert gate["associatedTypes"] == ["Flood"]
    assert kind["playbookId"] == "Close The Gate"


def test_a_field_of_the_tenant_s_own_is_kept(open_host: Callable[..., Host], pack: Path, remote: Remote, tenant: Tenant) -> None:
    """
    Given: a tenant with a number field of the same CLI name as a text field of the pack, and a type of the same name.
    When: the pack arrives.
    Then: both stay as they were.
    """
    tenant.add_incident_field("waterlevel", name="Level", type="number")
    tenant.add_incident_type("Flood", "Ours")

    open_host().add_instance("ledger", pack / "Integrations" / "Ledger", remote.params)

    (field,) = [item for item in tenant.incident_fields() if item["cliName"] == "waterlevel"]
    assert (field["name"], field["type"]) == ("Level", "number")
    assert [kind["playbookId"] for kind in named(tenant.incident_types(), "Flood")] == ["Ours"]


def test_a_mapper_may_name_the_field_as_people_see_it(
    open_host: Callable[..., Host], pack: Path, remote: Remote, tenant: Tenant
) -> None:
    """
    Given: a mapper with a rule for "Water Level", the display name of the pack's field, and an incident of the remote.
    When: it is fetched; then a round gives an object without the value; then one with an empty value.
    Then: the value stands under the field's CLI name, stays while nothing is said of it, and is cleared by the empty one.
    """
    host = open_host()
    host.add_instance("ledger", pack / "Integrations" / "Ledger", remote.params, incoming_mapper="Flood In")
    mirrored = {"number": "7", "direction": "Both", "instance": "ledger"}
    raw = {"text": "wet", "depth": "3m", **mirrored}
    remote.holds(incidents=[{"name": "Flood", "rawJSON": json.dumps(raw)}])
    (incident_id,) = host.fetch("ledger").created
    levels = [tenant.incident(incident_id)["CustomFields"]["waterlevel"]]

    for changed in ({"text": "damp"}, {"text": "dry", "depth": ""}):
        remote.holds(modified=["7"], data={"7": {"object": {**mirrored, **changed}}})
        assert host.mirror("ledger").errors == []
        levels.append(tenant.incident(incident_id)["CustomFields"]["waterlevel"])

    assert levels == ["3m", "3m", ""]
    assert tenant.incident(incident_id)["details"] == "dry"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("IncidentFields/incidentfield-Broken.json", "{", "incidentfield-Broken.json is not JSON"),
        ("IncidentFields/incidentfield-Broken.json", "[]", "incidentfield-Broken.json contains no JSON object"),
        ("IncidentFields/incidentfield-Broken.json", '{"cliName": "gate"}', "incidentfield-Broken.json has no name: give it one"),
        (
            "IncidentFields/incidentfield-Broken.json",
            '{"cliName": "Gate!", "name": "Gate", "type": "shortText"}',
            "incidentfield-Broken.json is not an incident field: .*only lower-case letters",
        ),
        ("IncidentTypes/incidenttype-Broken.json", '{"id": "Gate"}', "incidenttype-Broken.json has no name"),
    ],
)
def test_an_item_that_cannot_be_read_is_named(
    open_host: Callable[..., Host], pack: Path, remote: Remote, name: str, text: str, said: str
) -> None:
    """
    Given: a pack with a field or a type that is broken.
    When: an instance of its integration is added.
    Then: one sentence names the file and what it lacks, and there is no instance.
    """
    (pack / name).write_text(text)
    host = open_host()

    with pytest.raises(HostError, match=said):
        host.add_instance("ledger", pack / "Integrations" / "Ledger", remote.params)

    with pytest.raises(HostError, match="There is no instance ledger"):
        host.instance("ledger")
