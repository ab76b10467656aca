"""Mappers: the JSON of a pack's Classifiers folder, and what it makes of a remote object or a local incident.

A rule of a mapper names a target and where its value comes from: `simple` (a dotted path) or `complex` (a root, an accessor,
filters and transformers). The rules of "dbot_classification_incident_type_all" hold for every type; those of the incident's own
type add to them and replace those of the same target. A dotted path that meets a list goes on in each of its items. A path
`.='Both'` is the text Both.

An incoming mapper's targets are names of fields. What no field has as its name, or is marked as unmapped, is passed over. An
outgoing mapper's sources are CLI names of fields, its targets keys of the remote as they are written. A rule from or to
`CustomFields` as a whole does nothing: no public mapper has one, and XSOAR Mirroring's README asks for custom fields to be named
one by one. `HostSettings` has the kinder readings.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_xsoar.host.errors import HostError
from local_xsoar.host.settings import HostSettings
from local_xsoar.tenant.shapes import INCIDENT_ZERO, INCIDENT_ZERO_8

INCOMING, OUTGOING = "mapping-incoming", "mapping-outgoing"
CUSTOM_FIELDS = "CustomFields"
_ALL_TYPES = "dbot_classification_incident_type_all"
_CONSTANT = re.compile(r"\.='(.*)'", re.DOTALL)
_MISSING = object()

# What a server keeps for itself: neither a fetched incident nor a mapper sets it.
SERVER_OWNED = frozenset((
    "id", "version", "cacheVersn", "sequenceNumber", "primaryTerm", "sizeInBytes", "created", "modified", "autime", "status",
    "closed", "activated", "closingUserId", "openDuration", "investigationId", "sourceBrand", "sourceInstance",
    "dbotCreatedBy", "dbotMirrorLastSync", "dbotDirtyFields", "dbotCurrentDirtyFields", "lastOpen", "lastJobRunTime",
    "notifyTime", "linkedIncidents", "linkedCount", "droppedCount", "roles", "previousRoles", "sortValues", "changeStatus",
    "insights", "isPlayground", "isDebug", "rawName", "rawType", "rawCategory", "rawPhase", "rawCloseReason", "rawJSON",
    "runStatus", "cacheVersion", "attachment",
))  # fmt: skip

# Fields of the incident object itself that hold text, and those a mapper may set although no field of the UI has their name.
TEXT_FIELDS = (
    "name", "type", "details", "owner", "occurred", "category", "phase", "reason", "closeReason", "closeNotes", "dueDate",
    "reminder", "playbookId", "parent", "dbotMirrorId", "dbotMirrorDirection", "dbotMirrorInstance", "account",
)  # fmt: skip
# The server's own, which it takes from a mapper although no list of fields need have them.
_MIRROR_FIELDS = ("dbotMirrorId", "dbotMirrorDirection", "dbotMirrorInstance", "dbotMirrorTags")
LIST_FIELDS = ("dbotMirrorTags", "labels")
_NUMBER_FIELDS = ("severity", "sla")
_TOP_LEVEL = {name.lower(): name for name in (*TEXT_FIELDS, *LIST_FIELDS, *_NUMBER_FIELDS)}


@dataclass(frozen=True)
class Rule:
    """One line of a mapper: the value at `path`, or the `constant`, goes through `transformers` to `target`."""

    target: str
    path: str
    transformers: tuple[Callable[[Any], Any], ...] = ()
    constant: str | None = None

    @property
    def is_about_all_custom_fields(self) -> bool:
        """Whether the rule takes or sets `CustomFields` as a whole."""
        return CUSTOM_FIELDS in (self.path, self.target)


@dataclass(frozen=True)
class Mapper:
    """A mapper: its rules by incident type, and whether what no rule takes becomes labels of a fetched incident."""

    id: str
    sections: Mapping[str, tuple[Rule, ...]]
    rest_to_labels: bool = False

    def rules(self, incident_type: str) -> list[Rule]:
        """Return the rules for incidents of a type, those for all types first."""
        merged = {rule.target: rule for section in (_ALL_TYPES, incident_type) for rule in self.sections.get(section, ())}
        return list(merged.values())


@dataclass
class Mapped:
    """What an incoming mapper made: fields of the incident itself, and its custom fields."""

    fields: dict[str, Any] = field(default_factory=dict)
    custom: dict[str, Any] = field(default_factory=dict)


def described_mapper(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file. Raises HostError when it holds none."""
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HostError(f"{path} is not JSON: {error}.") from error
    if not isinstance(described, dict):
        raise HostError(f"{path} contains no JSON object: give the file of a mapper.")
    return described


def find_mapper(folder: Path, mapper_id: str) -> dict[str, Any]:
    """Return the JSON of the mapper of that id among the files of `folder`. Raises HostError when there is none."""
    for path in sorted(folder.glob("*.json")):
        described = described_mapper(path)
        if described.get("id") == mapper_id:
            return described
    raise HostError(f"There is no mapper {mapper_id} in {folder}: give the id of a mapper in the pack, or import it.")


def read_mapper(described: Mapping[str, Any], kind: str = "") -> Mapper:
    """Return the mapper that the JSON describes, of the kind `INCOMING` or `OUTGOING` where one is wanted.

    Raises:
        HostError: it is no mapper, of the other kind, or holds what the local XSOAR does not know.
    """
    mapper_id = described.get("id")
    if not isinstance(mapper_id, str) or not mapper_id:
        raise HostError("The mapper has no id: give it one.")
    if kind and described.get("type") != kind:
        raise HostError(f"{mapper_id} is of the type {described.get('type')}: give the id of a {kind}.")
    mapping = described.get("mapping")
    if not isinstance(mapping, dict) or not all(isinstance(section, dict) for section in mapping.values()):
        raise HostError(f"The mapper {mapper_id} has no mapping: give it one, with an object for each incident type.")
    sections = {
        name: tuple(_rule(mapper_id, target, source) for target, source in (section.get("internalMapping") or {}).items())
        for name, section in mapping.items()
    }
    labels = any(section.get("dontMapEventToLabels") is False for section in mapping.values())
    return Mapper(mapper_id, sections, labels)


def _rule(mapper_id: str, target: str, source: Any) -> Rule:
    if not isinstance(source, dict):
        raise HostError(f"The rule for {target} in {mapper_id} is not an object: give it a simple or complex source.")
    complex_source = source.get("complex")
    if not complex_source:
        path = source.get("simple") or ""
        constant = _CONSTANT.fullmatch(path)
        return Rule(target, "", constant=constant[1]) if constant else Rule(target, path)
    if complex_source.get("filters"):
        raise HostError(f"The rule for {target} in {mapper_id} has a filter, which the local XSOAR does not support: remove it.")
    path = ".".join(part for part in (complex_source.get("root"), complex_source.get("accessor")) if part)
    transformers = tuple(_transformer(mapper_id, target, item) for item in complex_source.get("transformers") or ())
    return Rule(target, path, transformers)


def _transformer(mapper_id: str, target: str, item: Mapping[str, Any]) -> Callable[[Any], Any]:
    operator = item.get("operator")
    if operator not in _TRANSFORMERS:
        known = ", ".join(_TRANSFORMERS)
        raise HostError(
            f"The rule for {target} in {mapper_id} has the transformer {operator}: the local XSOAR supports only {known}."
        )
    return _TRANSFORMERS[operator]


def _on_text(change: Callable[[str], str]) -> Callable[[Any], Any]:
    return lambda value: change(value) if isinstance(value, str) else value


_TRANSFORMERS: dict[Any, Callable[[Any], Any]] = {
    "toLowerCase": _on_text(str.lower),
    "toUpperCase": _on_text(str.upper),
    "trim": _on_text(str.strip),
    "FirstArrayElement": lambda value: value[0] if isinstance(value, list) and value else value,
    "LastArrayElement": lambda value: value[-1] if isinstance(value, list) and value else value,
}


def value_at(source: Any, path: str) -> Any:
    """Return the value at a dotted path, None when there is none; a list on the way gives the list of its items' values."""
    found = _value_at(source, path)
    return None if found is _MISSING else found


def _value_at(source: Any, path: str) -> Any:
    if isinstance(source, list):
        found = [value for item in source if (value := _value_at(item, path)) is not _MISSING]
        return found or _MISSING
    if not isinstance(source, Mapping):
        return _MISSING
    if path in source:
        return source[path]
    head, _, rest = path.partition(".")
    return _value_at(source[head], rest) if rest and head in source else _MISSING


def _mapped_value(rule: Rule, source: Any) -> Any:
    value = value_at(source, rule.path) if rule.path else rule.constant
    for transform in rule.transformers:
        value = None if value is None else transform(value)
    return value


class FieldNames:
    """Where a field that a mapper names lives: on the incident itself or among its custom fields."""

    def __init__(self, incident_fields: Iterable[Mapping[str, Any]], settings: HostSettings) -> None:
        """Take the fields as GET /incidentfields gives them; group 0 are those of incidents."""
        self._takes_any_name = settings.incoming_targets == "any"
        self._places: dict[str, tuple[str, bool]] = (
            {} if self._takes_any_name else {name: (name, False) for name in _MIRROR_FIELDS}
        )
        for item in incident_fields:
            if item.get("group", 0) == 0:
                self._add(item)

    def _add(self, item: Mapping[str, Any]) -> None:
        cli_name, name = item["cliName"], item.get("name") or item["cliName"]
        is_custom = bool(item.get("content")) or not item.get("system")
        place = (cli_name if is_custom else name, is_custom)
        if self._takes_any_name:
            self._places.setdefault(cli_name.lower(), place)
            self._places.setdefault(name.lower(), place)
        elif not item.get("unmapped"):
            self._places.setdefault(name, place)

    def place(self, target: str) -> tuple[str, bool] | None:
        """Return (name on the incident, whether it is a custom field), None when no field that may be set has that name."""
        if self._takes_any_name:
            top_level = _TOP_LEVEL.get(target.lower().replace(" ", ""))
            found = (top_level, False) if top_level else self._places.get(target.lower())
        else:
            found = self._places.get(target)
        return None if found is None or found[0] in SERVER_OWNED else found


def map_incoming(
    mapper: Mapper | None, event: Mapping[str, Any], incident_type: str, names: FieldNames, settings: HostSettings
) -> Mapped:
    """Return what the mapper makes of a remote object. A value that is missing or null sets nothing."""
    mapped = Mapped()
    for rule in mapper.rules(incident_type) if mapper else ():
        value = _mapped_value(rule, event)
        if value is None or (rule.is_about_all_custom_fields and settings.custom_fields_rule == "ignored"):
            continue
        if rule.target == CUSTOM_FIELDS:
            mapped.custom.update(value if isinstance(value, Mapping) else {})
            continue
        place = names.place(rule.target)
        if place is None:
            continue
        if place[1]:
            mapped.custom[place[0]] = value
        else:
            mapped.fields[place[0]] = _as_field(place[0], value)
    return mapped


def _as_field(name: str, value: Any) -> Any:
    """Return a mapped value in the type of the incident's own field."""
    if name in LIST_FIELDS:
        return value if isinstance(value, list) else [value]
    if name in _NUMBER_FIELDS:
        try:
            return value if isinstance(value, int | float) else float(value)
        except (TypeError, ValueError):
            return 0
    if name in TEXT_FIELDS and not isinstance(value, str):
        return json.dumps(value)
    return value


def labels_of_rest(mapper: Mapper, event: Mapping[str, Any], incident_type: str) -> list[dict[str, str]]:
    """Return the labels for the parts of an event that no rule takes, when the mapper asks for them."""
    if not mapper.rest_to_labels:
        return []
    taken = {rule.path.partition(".")[0] for rule in mapper.rules(incident_type)}
    return [
        {"type": key, "value": value if isinstance(value, str) else json.dumps(value)}
        for key, value in event.items()
        if key not in taken
    ]


def map_outgoing(
    mapper: Mapper | None, incident: Mapping[str, Any], dirty: Iterable[str], settings: HostSettings
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (data, delta) in the remote's names: the whole local incident, and the part of it that is in `dirty`.

    `dirty` holds names of fields as `dbotCurrentDirtyFields` does: custom ones by their CLI name. Without a mapper the local
    names are the remote ones.
    """
    custom = incident.get(CUSTOM_FIELDS) or {}
    changed = set(dirty)
    if settings.custom_fields_delta == "whole" and changed & custom.keys():
        changed |= custom.keys()
    source = {**custom, **incident}
    rules = mapper.rules(str(incident.get("type") or "")) if mapper else [Rule(name, name) for name in incident]
    data: dict[str, Any] = {}
    delta: dict[str, Any] = {}
    for rule in rules:
        value = _mapped_value(rule, source)
        if mapper and (value is None or (rule.is_about_all_custom_fields and settings.custom_fields_rule == "ignored")):
            continue
        data[rule.target] = value
        if rule.path == CUSTOM_FIELDS:
            if changed_custom := {name: custom[name] for name in custom if name in changed}:
                delta[rule.target] = changed_custom
        elif rule.path.removeprefix(f"{CUSTOM_FIELDS}.").partition(".")[0] in changed:
            delta[rule.target] = value
    return data, delta


def unknown_fields(mapper: Mapper, kind: str, incident_fields: Iterable[Mapping[str, Any]], settings: HostSettings) -> list[str]:
    """Return the local fields that the rules of a mapper name and that nobody can set, or read, through it, sorted.

    Args:
        kind: `INCOMING`, whose targets are local, or `OUTGOING`, whose sources are.
        incident_fields: the tenant's, as GET /incidentfields gives them.
    """
    fields = list(incident_fields)
    rules = [rule for section in mapper.sections.values() for rule in section]
    if kind == INCOMING:
        names = FieldNames(fields, settings)
        found = {rule.target for rule in rules if names.place(rule.target) is None}
    else:
        known = {*INCIDENT_ZERO, *INCIDENT_ZERO_8, *(item["cliName"] for item in fields if not item.get("system"))}
        sources = {rule.path.removeprefix(f"{CUSTOM_FIELDS}.").partition(".")[0] for rule in rules if rule.path}
        found = (sources - known) | (sources & {CUSTOM_FIELDS})
    return sorted(found if settings.custom_fields_rule == "ignored" else found - {CUSTOM_FIELDS})
