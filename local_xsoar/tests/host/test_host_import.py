"""Imported mappers: what may be imported, what is told of it, and which mapper an instance then has."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local_xsoar.host import Host, HostError, HostSettings
from local_xsoar.tenant import Tenant
from local_xsoar.tests.host.host_samples import SAMPLES, Remote

UNKIND = HostSettings(incoming_targets="names", custom_fields_rule="ignored")
KIND = HostSettings(incoming_targets="any", custom_fields_rule="copied")


def described(mapper_id: str, kind: str = "mapping-incoming", **rules: str) -> dict[str, Any]:
    """Return a mapper with simple rules."""
    section = {"internalMapping": {target.replace("_", " "): {"simple": path} for target, path in rules.items()}}
    return {"id": mapper_id, "name": mapper_id, "type": kind, "mapping": {"dbot_classification_incident_type_all": section}}


def fetched_details(host: Host, remote: Remote, tenant: Tenant) -> str:
    """Fetch one incident with several texts and return the details that the mapper gave it."""
    remote.holds(
        incidents=[{"name": "Flood", "rawJSON": json.dumps({"text": "of the pack", "more": "imported", "new": "newer"})}]
    )
    host.reset_last_run("ledger")
    return str(tenant.incident(host.fetch("ledger").created[0])["details"])


def test_an_imported_mapper_goes_before_the_pack_s_and_is_there_after_a_restart(
    open_host: Callable[..., Host], remote: Remote, tenant: Tenant
) -> None:
    """
    Given: a host that imported a mapper with an id of its own, and an instance that has it.
    When: it fetches; after a restart; after a mapper of the same id was imported; and one of the pack's own id after its was.
    Then: each time the mapper imported last decides.
    """
    host = open_host()
    assert host.import_mapper(described("Mine", details="more")) == []
    host.add_instance("ledger", SAMPLES / "Ledger", remote.params, incoming_mapper="Mine")
    assert fetched_details(host, remote, tenant) == "imported"
    host.close()
    again = open_host()
    assert fetched_details(again, remote, tenant) == "imported"
    again.import_mapper(described("Mine", details="new"))
    assert fetched_details(again, remote, tenant) == "newer"
    again.add_instance("ledger", SAMPLES / "Ledger", remote.params)
    assert fetched_details(again, remote, tenant) == "of the pack"
    again.import_mapper(described("Ledger In", details="more"))
    assert fetched_details(again, remote, tenant) == "imported"


def test_a_mapper_is_imported_from_its_file(open_host: Callable[..., Host], remote: Remote, tmp_path: Path) -> None:
    """
    Given: the file of an outgoing mapper.
    When: it is imported and an instance gets it.
    Then: the instance has its rules.
    """
    file = tmp_path / "mapper.json"
    file.write_text(json.dumps(described("Mine", "mapping-outgoing", headline="name")))
    host = open_host()
    host.import_mapper(file)
    mapper = host.add_instance("ledger", SAMPLES / "Ledger", remote.params, outgoing_mapper="Mine").outgoing_mapper
    assert mapper is not None
    assert [rule.target for rule in mapper.rules("")] == ["headline"]


@pytest.mark.parametrize(
    ("kind", "side", "told"),
    [
        ("mapping-incoming", UNKIND, ["CustomFields", "Unheard Of", "closeReason", "created", "depth", "dueDate"]),
        ("mapping-incoming", KIND, ["Unheard Of", "created"]),
        ("mapping-outgoing", UNKIND, ["CustomFields", "Unheard Of", "Water Depth"]),
        ("mapping-outgoing", KIND, ["Unheard Of", "Water Depth"]),
    ],
)
def test_the_import_tells_which_rules_do_nothing(
    open_host: Callable[..., Host], tenant: Tenant, kind: str, side: HostSettings, told: list[str]
) -> None:
    """
    Given: a tenant with a custom field, and a mapper whose rules name it, system fields, unmapped ones and what is no field.
    When: it is imported, by servers on either side, as an incoming and an outgoing one.
    Then: the import gives the local fields that it cannot set, or that an outgoing rule cannot read.
    """
    tenant.add_incident_field("depth", name="Water Depth")
    local = ["name", "dbotMirrorId", "Water Depth", "depth", "closeReason", "dueDate", "created", "Unheard Of", "CustomFields"]
    rules = [(name, name) for name in local]
    mapper = described("Mine", kind)
    mapper["mapping"]["dbot_classification_incident_type_all"]["internalMapping"] = {
        target: {"simple": path} for target, path in rules
    }
    assert open_host(settings=side).import_mapper(mapper) == told


@pytest.mark.parametrize(
    ("mapper", "said"),
    [
        (
            {"id": "Mine", "type": "classification", "mapping": {}},
            "Mine is of the type classification: give a mapping-incoming or",
        ),
        ({"type": "mapping-incoming", "mapping": {}}, "The mapper has no id: give it one"),
        ({"id": "Mine", "type": "mapping-incoming"}, "The mapper Mine has no mapping"),
        ({"id": "Mine", "type": "mapping-incoming", "mapping": {"Flood": []}}, "The mapper Mine has no mapping"),
        (
            {"id": "Mine", "type": "mapping-incoming", "mapping": {"Flood": {"internalMapping": {"name": "text"}}}},
            "The rule for name in Mine is not an object",
        ),
        (described("Ledger Out", details="more"), "The instance ledger uses Ledger Out for the other direction"),
    ],
)
def test_what_is_no_mapper_is_not_imported(ledger: Host, mapper: dict[str, Any], said: str) -> None:
    """
    Given: an instance, and JSON that is no mapper, or one that has the id of the instance's mapper for the other direction.
    When: it is imported.
    Then: one sentence says what is wrong.
    """
    with pytest.raises(HostError, match=said):
        ledger.import_mapper(mapper)


@pytest.mark.parametrize(("text", "said"), [("{", "is not JSON"), ("[]", "contains no JSON object"), (None, "is not JSON")])
def test_a_file_that_is_no_mapper_is_named(open_host: Callable[..., Host], tmp_path: Path, text: str | None, said: str) -> None:
    """
    Given: a file that holds no JSON object, or that is not there.
    When: it is imported.
    Then: one sentence names it.
    """
    file = tmp_path / "mapper.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(HostError, match=f"mapper.json {said}"):
        open_host().import_mapper(file)
