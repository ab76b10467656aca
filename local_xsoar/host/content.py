"""What a pack brings along for incidents: its fields and types, as a server has them once the pack is installed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local_xsoar.host.errors import HostError
from local_xsoar.tenant import BadRequest, Tenant


def install_content(tenant: Tenant, pack: Path) -> None:
    """Add the incident fields and types of a pack to a tenant. Those that it has already stay as they are.

    XSOAR docs, incident fields: a field of the tenant's own is kept where a pack brings one of the same name.

    Raises:
        HostError: an item of the pack cannot be read.
    """
    fields = {item["cliName"] for item in tenant.incident_fields()}
    for path, item in _items(pack / "IncidentFields"):
        cli_name, name, kind = (_text(item, key, path) for key in ("cliName", "name", "type"))
        if cli_name not in fields:
            types = None if item.get("associatedToAll") else item.get("associatedTypes") or []
            try:
                tenant.add_incident_field(cli_name, name=name, type=kind, associated_types=types)
            except BadRequest as error:
                raise HostError(f"{path} is not an incident field: {error}") from error
    types_there = {item["name"] for item in tenant.incident_types()}
    for path, item in _items(pack / "IncidentTypes"):
        if (name := _text(item, "name", path)) not in types_there:
            tenant.add_incident_type(name, item.get("playbookId") or "")


def _items(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the JSON objects of a pack's folder, with their files. Raises HostError when one is no JSON object."""
    for path in sorted(folder.glob("*.json")):
        try:
            item = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise HostError(f"{path} is not JSON: {error}.") from error
        if not isinstance(item, dict):
            raise HostError(f"{path} contains no JSON object.")
        yield path, item


def _text(item: dict[str, Any], key: str, path: Path) -> str:
    """Return a text of an item. Raises HostError when it has none."""
    text = item.get(key)
    if not isinstance(text, str) or not text:
        raise HostError(f"{path} has no {key}: give it one.")
    return text
