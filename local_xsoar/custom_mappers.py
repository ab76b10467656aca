"""Mappers that carry custom fields: the pack's own, with one rule more for each field."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

PACK = Path(__file__).resolve().parents[1] / "Packs" / "XSOARMirroring"
_ALL_TYPES = "dbot_classification_incident_type_all"
_OWN_FIELDS = "xsoarmirroring"  # Each tenant keeps what its own mirror knows of an incident.


def custom_mappers(instance: str, incident_fields: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return an incoming and an outgoing mapper for an instance of the pack, as JSON ready to be imported.

    Args:
        instance: its name, which is a part of the mappers' ids.
        incident_fields: the local tenant's, as GET /incidentfields gives them. The custom ones among them cross, to and from
            the remote field of the same CLI name; timers do not, nor the pack's own.
    """
    fields = [
        item
        for item in incident_fields
        if not item["system"] and item["type"] != "timer" and not item["cliName"].startswith(_OWN_FIELDS)
    ]
    incoming = {item["name"]: f"CustomFields.{item['cliName']}" for item in fields}
    outgoing = {item["cliName"]: item["cliName"] for item in fields}
    return _extended("incoming", instance, incoming), _extended("outgoing", instance, outgoing)


def _extended(direction: str, instance: str, rules: Mapping[str, str]) -> dict[str, Any]:
    """Return the pack's mapper of a direction with further rules."""
    described = json.loads((PACK / "Classifiers" / f"classifier-mapper-{direction}-XSOAR_Mirroring.json").read_text("utf-8"))
    described["id"] = described["name"] = f"XSOAR Mirroring - {instance} - {direction.capitalize()}"
    section = described["mapping"][_ALL_TYPES]
    section["internalMapping"] |= {target: {"simple": source} for target, source in rules.items()}
    return described
