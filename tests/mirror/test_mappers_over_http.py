"""Mappers that xsoar-mirror-mappers makes, imported by two tenants and at work between them."""

import json
from pathlib import Path
from typing import Any

import pytest

from local_xsoar.host import Host, HostSettings
from tests.mirror.two_tenants import INSTANCE, INTEGRATION, Mirror, Site, succeeded

COMMAND = "xsoar-mirror-mappers"
COUNT = 300
# Fields of newer servers that the local XSOAR has not.
CORE_FIELDS = ["IncomingMirrorError", "OutgoingMirrorError"]
TYPES = (None, None, ["Phishing"])
# For each type of field: what it holds at first, and what the other side makes of it.
VALUES: dict[str, tuple[Any, Any]] = {
    "shortText": ("low water", "high water"),
    "longText": ("Two boats.\nThree anchors.", "No boats."),
    "markdown": ("**Two** boats", "| boats |\n|---|\n| 3 |"),
    "html": ("<b>Two</b> boats", "<i>Three</i> boats"),
    "url": ("https://tide.example.com/1", "https://tide.example.com/2?x=1&y=2"),
    "number": (3, 4.5),
    "boolean": (False, True),
    "date": ("2026-03-01T10:00:00Z", "2026-03-02T11:30:00Z"),
    "singleSelect": ("low", "high"),
    "multiSelect": (["low"], ["low", "high"]),
    "tagsSelect": (["boats"], ["anchors", "boats"]),
    "grid": ([{"name": "Elbe", "depth": 3}], [{"name": "Elbe", "depth": 4}, {"name": "Weser", "depth": 2}]),
    "user": ("carla", "hanna"),
    "role": ("Analyst", "Administrator"),
}
KINDS = tuple(VALUES)


def values(turn: int) -> dict[str, Any]:
    """Return a value for each field, another at each turn."""
    return {f"field{number}": VALUES[KINDS[number % len(KINDS)]][turn] for number in range(COUNT)}


def with_fields(mirror: Mirror) -> None:
    """Give both tenants three hundred custom fields of every kind, under other names there than here."""
    for tenant, word in ((mirror.here, "Here"), (mirror.there, "There")):
        for number in range(COUNT):
            tenant.add_incident_field(
                f"field{number}",
                name=f"Field {number} {word}",
                type=KINDS[number % len(KINDS)],
                associated_types=TYPES[number % len(TYPES)],
            )


def entries_of(host: Host, **args: Any) -> list[dict[str, Any]]:
    """Run the command; return its entries: the table, and a file each."""
    return succeeded(host.run(INSTANCE, COMMAND, args)).entries


def import_mappers(host: Host, entries: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Import the two mappers; return their ids, incoming and outgoing, and the rules of which the import says they do nothing."""
    files = [Path(entry["FilePath"]) for entry in entries[1:] if entry["File"].startswith("classifier-mapper-")]
    idle = [name for file in files for name in host.import_mapper(file)]
    return [json.loads(file.read_text(encoding="utf-8"))["id"] for file in files], idle


def custom_of(incident: dict[str, Any]) -> dict[str, Any]:
    """Return the three hundred fields of an incident."""
    return {name: value for name, value in incident["CustomFields"].items() if name.startswith("field")}


@pytest.mark.parametrize("versions", [("6", "8"), ("8", "6")], ids="-".join)
def test_three_hundred_custom_fields_cross_both_ways(site: Site, versions: tuple[str, str]) -> None:
    """
    Given: two tenants that share three hundred custom fields of every kind, of all types and of one, under different names; and
        an instance that has the mappers which the command made.
    When: an incident with all of them is fetched, each is changed there, and then each is changed here.
    Then: the import finds no rule of a custom field that does nothing; each change arrives at the other side.
    """
    mirror = site.mirror(*versions)
    with_fields(mirror)
    mirror.configure(has_own_mappers=False)
    (incoming, outgoing), idle = import_mappers(mirror.host, entries_of(mirror.host))
    params = dict(mirror.host.instance(INSTANCE).params)
    mirror.host.add_instance(INSTANCE, INTEGRATION, params, incoming_mapper=incoming, outgoing_mapper=outgoing)
    assert idle == CORE_FIELDS

    remote_id = mirror.remote_incident(CustomFields=values(0))
    local_id = mirror.fetched_once()
    mirror.until_quiet()
    mirror.there.change_incident(remote_id, {"CustomFields": values(1)}, user="carla")
    mirror.until_quiet()
    came = custom_of(mirror.here.incident(local_id))
    mirror.here.change_incident(local_id, {"CustomFields": values(0)}, user="hanna")
    mirror.until_quiet()

    assert came == values(1)
    assert custom_of(mirror.there.incident(remote_id)) == values(0)


@pytest.mark.parametrize("side", ["missing", "raises"])
def test_a_server_that_does_not_tell_its_fields_takes_an_upload(site: Site, side: str) -> None:
    """
    Given: a server that does not let an integration ask it, and a file of its incident fields in a War Room.
    When: the command runs without it, and with its entry.
    Then: it first says what to do, and then makes the same mappers as on a server that tells.
    """
    mirror = site.mirror(host_settings=HostSettings(internal_requests=side))
    mirror.there.add_incident_field("shared", name="Shared There")
    mirror.here.add_incident_field("shared", name="Shared Here")
    mirror.configure(has_own_mappers=False)
    local_id = str((mirror.here.create_incident({"name": "Flood"}, user="ann") or {})["id"])
    content = json.dumps(mirror.here.incident_fields()).encode()
    entry = mirror.here.add_entry(local_id, contents="", user="ann", category="attachment", file=("fields.json", content))

    refused = mirror.host.run(INSTANCE, COMMAND, {})
    entries = entries_of(mirror.host, local_fields=entry["id"])
    (incoming, _), idle = import_mappers(mirror.host, entries)

    assert "XSOARMirroringMappers" in refused.error
    assert "incidentfields in a browser" in refused.error
    assert (incoming, idle) == (f"XSOAR Mirroring - {INSTANCE} - Incoming", CORE_FIELDS)
    file = Path(entries[1]["FilePath"]).read_text(encoding="utf-8")
    assert '"Shared Here": {' in file
