"""Mappers: what their JSON says, and what it makes of a remote object and of a local incident."""

from typing import Any

import pytest

from local_xsoar.host import HostError, HostSettings
from local_xsoar.host.mapper import FieldNames, Mapped, labels_of_rest, map_incoming, map_outgoing, read_mapper, value_at

FIELDS = [
    {"cliName": "details", "name": "details", "system": True},
    {"cliName": "owner", "name": "owner", "system": True},
    {"cliName": "phase", "name": "phase", "system": True},
    {"cliName": "severity", "name": "severity", "system": True},
    {"cliName": "closereason", "name": "closeReason", "system": True, "unmapped": True},
    {"cliName": "closereasontext", "name": "Close Reason Text", "system": False},
    {"cliName": "fromapack", "name": "From A Pack", "system": False, "content": True},
    {"cliName": "created", "name": "created", "system": True},
    {"cliName": "notanincidentfield", "name": "Evidence", "system": False, "group": 1},
]
UNKIND = HostSettings(incoming_targets="names", custom_fields_rule="ignored")
KIND = HostSettings(incoming_targets="any", custom_fields_rule="copied")


def mapped(made: Any, event: dict[str, Any], incident_type: str = "", settings: HostSettings = UNKIND) -> Mapped:
    return map_incoming(made, event, incident_type, FieldNames(FIELDS, settings), settings)


def mapper(**rules: Any) -> Any:
    section = {"internalMapping": {target.replace("_", " "): rule for target, rule in rules.items()}}
    return read_mapper({"id": "m", "mapping": {"dbot_classification_incident_type_all": section}})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a", {"b": 1, "c": [{"d": 2}, {"d": 3}, {}]}),
        ("a.b", 1),
        ("a.c.d", [2, 3]),
        ("x.y", "a key with a dot"),
        ("a.b.c", None),
        ("nowhere", None),
        ("nothing", None),
        ("a.c.nowhere", None),
    ],
)
def test_a_path_leads_to_a_value(path: str, value: Any) -> None:
    """
    Given: an object with objects, lists and a key that has a dot in it.
    When: a dotted path is followed.
    Then: it gives the value there, a list's items' values, or None.
    """
    source = {"a": {"b": 1, "c": [{"d": 2}, {"d": 3}, {}]}, "x.y": "a key with a dot", "nothing": None}
    assert value_at(source, path) == value


RULES = {
    "details": "text",
    "severity": "level",
    "Close Reason Text": "text",
    "From A Pack": "text",
    "dbotMirrorTags": "text",
    "Owner": "text",
    "closereasontext": "text",
    "closeReason": "text",
    "created": "text",
    "Evidence": "text",
    "Unheard Of": "text",
}


def test_incoming_rules_name_fields_by_their_names() -> None:
    """
    Given: rules whose targets are names of fields, names in another case, CLI names, an unmapped field, mirror fields, and what
        no field that can be set is called.
    When: an object is mapped.
    Then: those that name a field exactly set it, custom ones under CustomFields, and the mirror field; the rest does nothing.
    """
    made = mapper(**{target: {"simple": path} for target, path in RULES.items()})
    found = mapped(made, {"text": "wet", "level": "2"})
    assert found.fields == {"details": "wet", "severity": 2.0, "dbotMirrorTags": ["wet"]}
    assert found.custom == {"closereasontext": "wet", "fromapack": "wet"}


def test_a_kind_server_takes_cli_names_in_any_case() -> None:
    """
    Given: the same rules, and a server that is set to take any name of a field.
    When: an object is mapped.
    Then: CLI names, other cases and unmapped fields count too; what the server owns and what no field is called do not.
    """
    made = mapper(**{target: {"simple": path} for target, path in RULES.items()}, fromapack={"simple": "level"})
    found = mapped(made, {"text": "wet", "level": "2"}, settings=KIND)
    assert found.fields == {"details": "wet", "severity": 2.0, "dbotMirrorTags": ["wet"], "owner": "wet", "closeReason": "wet"}
    assert found.custom == {"closereasontext": "wet", "fromapack": "2"}


@pytest.mark.parametrize(("settings", "custom"), [(UNKIND, {}), (KIND, {"depth": "3m", "colour": "brown"})])
def test_custom_fields_as_a_whole_are_nothing_to_a_mapper(settings: HostSettings, custom: dict[str, Any]) -> None:
    """
    Given: a rule from CustomFields to CustomFields, one from it to another field, and one from a single key of it.
    When: an object is mapped by a server on either side.
    Then: the single key is read by both; the whole is copied by the kind one only.
    """
    made = mapper(
        CustomFields={"simple": "CustomFields"},
        Details={"simple": "CustomFields"},
        Close_Reason_Text={"simple": "CustomFields.colour"},
    )
    found = mapped(made, {"CustomFields": {"depth": "3m", "colour": "brown"}}, settings=settings)
    assert found.custom == custom | {"closereasontext": "brown"}


def test_a_constant_is_a_value() -> None:
    """
    Given: a rule with the constant that a mapper exported from a server has.
    When: an object is mapped.
    Then: the field has the text.
    """
    made = mapper(dbotMirrorDirection={"complex": None, "simple": ".='Both'"})
    assert mapped(made, {}).fields == {"dbotMirrorDirection": "Both"}


def test_what_is_missing_or_null_sets_nothing_and_empty_text_does() -> None:
    """
    Given: rules for a missing value, a null and an empty text.
    When: an object is mapped.
    Then: only the empty text is set.
    """
    made = mapper(details={"simple": "gone"}, owner={"simple": "null"}, phase={"simple": "empty"})
    assert mapped(made, {"null": None, "empty": ""}).fields == {"phase": ""}


def test_complex_rules_follow_root_accessor_and_transformers() -> None:
    """
    Given: a complex rule with a root, an accessor and transformers, and text that is no text in the remote.
    When: an object is mapped.
    Then: the transformers ran in order, and an object in a text field is JSON.
    """
    rule = {
        "root": "people",
        "accessor": "name",
        "filters": [],
        "transformers": [{"operator": "FirstArrayElement"}, {"operator": "toUpperCase"}],
    }
    made = mapper(owner={"complex": rule}, details={"complex": {"root": "people"}, "simple": ""})
    assert mapped(made, {"people": [{"name": "ann"}, {"name": "bob"}]}).fields == {
        "owner": "ANN",
        "details": '[{"name": "ann"}, {"name": "bob"}]',
    }


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"root": "a", "filters": [[{"operator": "isEqual"}]]}, "The rule for Owner in m has a filter"),
        (
            {"root": "a", "transformers": [{"operator": "DT"}]},
            "has the transformer DT: the local XSOAR supports only toLowerCase",
        ),
    ],
)
def test_what_a_mapper_holds_and_the_host_does_not_know_is_refused(rule: dict[str, Any], said: str) -> None:
    """
    Given: a rule with a filter, or with an unknown transformer.
    When: the mapper is read.
    Then: a sentence names the rule and what it has.
    """
    with pytest.raises(HostError, match=said):
        mapper(Owner={"complex": rule})


def test_what_no_rule_takes_becomes_labels_when_the_mapper_says_so() -> None:
    """
    Given: a mapper whose dontMapEventToLabels is false, and one where it is true.
    When: an object is mapped.
    Then: only the first turns the rest into labels.
    """
    rules = {"internalMapping": {"details": {"simple": "text.long"}}}
    asking = read_mapper({"id": "m", "mapping": {"Flood": {**rules, "dontMapEventToLabels": False}}})
    silent = read_mapper({"id": "m", "mapping": {"Flood": {**rules, "dontMapEventToLabels": True}}})
    event = {"text": {"long": "x"}, "level": 2, "colour": "brown"}
    assert labels_of_rest(asking, event, "Flood") == [{"type": "level", "value": "2"}, {"type": "colour", "value": "brown"}]
    assert labels_of_rest(silent, event, "Flood") == []


INCIDENT = {
    "id": "1",
    "type": "Flood",
    "name": "Flood",
    "details": "wet",
    "severity": 2,
    "CustomFields": {"depth": "3m", "colour": "brown"},
}


def test_outgoing_data_is_what_is_mapped_in_the_remotes_names_and_the_delta_what_is_dirty_of_it() -> None:
    """
    Given: a local incident with three dirty fields, two of them custom, one of which no rule takes.
    When: it is mapped to go out.
    Then: data has every rule's value under the key as it is written, delta the dirty ones; the rest is in neither.
    """
    made = mapper(
        text={"simple": "details"},
        title={"simple": "name"},
        how_deep={"simple": "depth"},
        CustomFields={"simple": "CustomFields"},
        alias={"simple": "CustomFields.colour"},
    )
    data, delta = map_outgoing(made, INCIDENT, ["details", "depth", "smell"], UNKIND)
    assert data == {"text": "wet", "title": "Flood", "how deep": "3m", "alias": "brown"}
    assert delta == {"text": "wet", "how deep": "3m"}
    assert map_outgoing(made, INCIDENT, [], UNKIND)[1] == {}


def test_a_kind_server_sends_custom_fields_as_a_whole() -> None:
    """
    Given: a rule from CustomFields to CustomFields, and a server that heeds it.
    When: an incident with one dirty custom field is mapped to go out.
    Then: data has all custom fields, delta the dirty one.
    """
    made = mapper(CustomFields={"simple": "CustomFields"})
    data, delta = map_outgoing(made, INCIDENT, ["depth"], KIND)
    assert data == {"CustomFields": INCIDENT["CustomFields"]}
    assert delta == {"CustomFields": {"depth": "3m"}}


@pytest.mark.parametrize(("rules", "whole"), [(("deep", "hue"), {"deep": "3m", "hue": "brown"}), (("hue",), {"hue": "brown"})])
def test_one_dirty_custom_field_may_bring_all_that_are_mapped(rules: tuple[str, ...], whole: dict[str, str]) -> None:
    """
    Given: a server whose deltas hold all mapped custom fields when one of them changed.
    When: a custom field is dirty, mapped or not; and when only another field is.
    Then: the delta has all mapped ones; and none.
    """
    known = {"deep": {"simple": "depth"}, "hue": {"simple": "colour"}}
    made = mapper(**{target: known[target] for target in rules}, text={"simple": "details"})
    settings = HostSettings(custom_fields_delta="whole")
    assert map_outgoing(made, INCIDENT, ["depth"], settings)[1] == whole
    assert map_outgoing(made, INCIDENT, ["details"], settings)[1] == {"text": "wet"}


@pytest.mark.parametrize(("side", "custom"), [("changed", {"depth": "3m"}), ("whole", INCIDENT["CustomFields"])])
def test_without_a_mapper_local_names_go_out(side: str, custom: dict[str, str]) -> None:
    """
    Given: no outgoing mapper.
    When: an incident is mapped to go out.
    Then: data is the incident, delta its dirty part under the same names.
    """
    data, delta = map_outgoing(None, INCIDENT, ["details", "depth"], HostSettings(custom_fields_delta=side))
    assert data == INCIDENT
    assert delta == {"details": "wet", "CustomFields": custom}


def test_a_setting_has_one_of_its_sides() -> None:
    """
    Given: a side that no server can be on.
    When: settings are made of it.
    Then: a sentence says which sides there are.
    """
    with pytest.raises(HostError, match='custom_fields_delta is "all": give changed or whole'):
        HostSettings(custom_fields_delta="all")
