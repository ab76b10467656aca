"""The content items of the pack as the tests here read them."""

import ast
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local_xsoar.host import HostSettings
from local_xsoar.host.mapper import FieldNames
from local_xsoar.tenant.schema import incident_field, initial_fields
from local_xsoar.tenant.shapes import INCIDENT_ZERO

PACK = Path(__file__).resolve().parents[2] / "Packs/XSOARMirroring"
# How the files of a folder begin.
PREFIXES = {
    "Classifiers": "classifier-mapper-",
    "Dashboards": "dashboard-",
    "IncidentFields": "incidentfield-",
    "IncidentTypes": "incidenttype-",
    "Layouts": "layoutscontainer-",
    "Playbooks": "playbook-",
    "TestPlaybooks": "playbook-",
    "Integrations": "",
    "Scripts": "",
}


@dataclass(frozen=True)
class Item:
    """A content item: the folder that says what it is, its file, and what the file holds."""

    folder: str
    path: Path
    data: dict[str, Any]

    @property
    def id(self) -> str:
        """What others call it by."""
        return str((self.data.get("commonfields") or self.data)["id"])

    @property
    def label(self) -> str:
        """Its place in the pack, to name a test after it."""
        return self.path.relative_to(PACK).as_posix()


def read_items() -> list[Item]:
    """Return every content item of the pack."""
    paths = [path for path in sorted(PACK.rglob("*")) if path.suffix in (".json", ".yml") and "test_data" not in path.parts]
    return [
        Item(path.relative_to(PACK).parts[0], path, yaml.safe_load(path.read_text(encoding="utf-8")))
        for path in paths
        if path.parent != PACK
    ]


ITEMS = read_items()


def of(folder: str) -> list[Item]:
    """Return the items of a folder."""
    return [item for item in ITEMS if item.folder == folder]


def ids(folder: str) -> set[str]:
    """Return the ids of a folder's items."""
    return {item.id for item in of(folder)}


def the(folder: str) -> dict[str, Any]:
    """Return what the one item of a folder holds."""
    (item,) = of(folder)
    return item.data


def incident_fields() -> list[dict[str, Any]]:
    """Return the fields that incidents have once the pack is installed: the platform's and the pack's."""
    own = [
        incident_field(item.data["cliName"], item.data["name"], item.data["type"], content=True) for item in of("IncidentFields")
    ]
    return [*initial_fields(), *own]


def field_names() -> FieldNames:
    """Return what a mapper may set of these fields."""
    return FieldNames(incident_fields(), HostSettings())


def unknown_fields(names: Iterable[str]) -> set[str]:
    """Return the names, display or CLI ones, that no incident field has, nor an incident itself as a key."""
    known = {name.lower() for item in incident_fields() if item["group"] == 0 for name in (item["cliName"], item["name"])}
    return {name for name in names if name.lower() not in known and name not in INCIDENT_ZERO}


def can_be_set(name: str) -> bool:
    """Return whether a mapper or a person can set the field of a name."""
    return field_names().place(name) is not None


def commands() -> dict[str, dict[str, Any]]:
    """Return the commands of the integration by name."""
    return {command["name"]: command for command in the("Integrations")["script"]["commands"]}


def arguments_of(command: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the arguments of a command or script by name."""
    return {argument["name"]: argument for argument in command.get("arguments") or command.get("args") or []}


def outputs_of(command: str) -> set[str]:
    """Return the context paths that a command of the integration fills."""
    return {output["contextPath"] for output in commands()[command].get("outputs") or []}


def script(name: str) -> Item:
    """Return the automation script of a name."""
    (item,) = [item for item in of("Scripts") if item.id == name]
    return item


def script_constant(script_name: str, name: str) -> Any:
    """Return the value of a constant at the top of an automation script."""
    item = script(script_name)
    for statement in ast.parse(item.path.with_suffix(".py").read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and [target.id for target in statement.targets if isinstance(target, ast.Name)] == [
            name
        ]:
            return ast.literal_eval(statement.value)
    raise KeyError(name)


def values_under(key: str, data: Any) -> Iterator[Any]:
    """Yield the values that stand under a key anywhere in nested data."""
    if isinstance(data, dict):
        for name, value in data.items():
            if name == key:
                yield value
            yield from values_under(key, value)
    elif isinstance(data, list):
        for value in data:
            yield from values_under(key, value)


def sources(value: Any) -> Iterator[str]:
    """Yield the context paths that a playbook's value reads: `root.accessor` of complex ones, and ${path} in simple ones."""
    if isinstance(value, dict):
        if "root" in value:
            yield ".".join(part for part in (value["root"], value.get("accessor")) if part)
        for inner in value.values():
            yield from sources(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from sources(inner)
    elif isinstance(value, str):
        yield from (part.partition("}")[0] for part in value.split("${")[1:])


def read_json(path: Path) -> Any:
    """Return what a JSON file holds."""
    return json.loads(path.read_text(encoding="utf-8"))
