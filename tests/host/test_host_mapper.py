"""Mappers: what their JSON says, and what it makes of a remote object and of a local incident."""

from typing import Any

import pytest

from local_xsoar.host import HostError
from local_xsoar.host.mapper import FieldNames, labels_of_rest, map_incoming, map_outgoing, read_mapper, value_at

FIELDS = FieldNames(
    [
        {"cliName": "details", "name": "details", "system": True},
        {"cliName": "closereasontext", "name": "Close Reason Text", "system": False},
        {"cliName": "fromapack", "name": "From A Pack", "system": False, "content": True},
        {"cliName": "created", "name": "created", "system": True},
        {"cliName": "notanincidentfield", "name": "Evidence", "system": False, "group": 1},
    ]
)


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


def test_incoming_rules_name_fields_by_display_or_cli_name() -> None:
    """
    Given: rules whose targets are display names, CLI names, mirror fields, and what is no field that can be set.
    When: an object is mapped.
    Then: system fields go to the top, others under CustomFields, and the rest is reported.
    """
    made = mapper(
        Details={"simple": "text"},
        severity={"simple": "level"},
        Close_Reason_Text={"simple": "text"},
        fromapack={"simple": "text"},
        dbotMirrorTags={"simple": "text"},
        Created={"simple": "text"},
        Evidence={"simple": "text"},
        Unheard_Of={"simple": "text"},
    )
    mapped = map_incoming(made, {"text": "wet", "level": "2"}, "Flood", FIELDS)
    assert mapped.fields == {"details": "wet", "severity": 2.0, "dbotMirrorTags": ["wet"]}
    assert mapped.custom == {"closereasontext": "wet", "fromapack": "wet"}
    assert sorted(mapped.unknown) == ["Created", "Evidence", "Unheard Of"]


def test_what_is_missing_or_null_sets_nothing_and_empty_text_does() -> None:
    """
    Given: rules for a missing value, a null and an empty text.
    When: an object is mapped.
    Then: only the empty text is set.
    """
    made = mapper(Details={"simple": "gone"}, Owner={"simple": "null"}, Phase={"simple": "empty"})
    assert map_incoming(made, {"null": None, "empty": ""}, "", FIELDS).fields == {"phase": ""}


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
    made = mapper(Owner={"complex": rule}, Details={"complex": {"root": "people"}, "simple": ""})
    mapped = map_incoming(made, {"people": [{"name": "ann"}, {"name": "bob"}]}, "", FIELDS)
    assert mapped.fields == {"owner": "ANN", "details": '[{"name": "ann"}, {"name": "bob"}]'}


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"root": "a", "filters": [[{"operator": "isEqual"}]]}, "The rule for Owner in m has a filter"),
        ({"root": "a", "transformers": [{"operator": "DT"}]}, "has the transformer DT: the local XSOAR knows toLowerCase"),
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
    rules = {"internalMapping": {"Details": {"simple": "text.long"}}}
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


def test_outgoing_data_is_the_whole_incident_in_the_remotes_names_and_the_delta_what_is_dirty() -> None:
    """
    Given: a local incident with two dirty fields, one of them custom.
    When: it is mapped to go out.
    Then: data has every rule's value, delta the dirty ones, with only the changed key under CustomFields.
    """
    made = mapper(
        text={"simple": "details"},
        title={"simple": "name"},
        how_deep={"simple": "depth"},
        CustomFields={"simple": "CustomFields"},
        alias={"simple": "CustomFields.colour"},
    )
    data, delta = map_outgoing(made, INCIDENT, ["details", "depth"])
    assert data == {"text": "wet", "title": "Flood", "how deep": "3m", "CustomFields": INCIDENT["CustomFields"], "alias": "brown"}
    assert delta == {"text": "wet", "how deep": "3m", "CustomFields": {"depth": "3m"}}
    _, whole = map_outgoing(made, INCIDENT, ["depth"], whole_custom_fields=True)
    assert whole == {"how deep": "3m", "CustomFields": INCIDENT["CustomFields"]}
    assert map_outgoing(made, INCIDENT, [])[1] == {}


def test_without_a_mapper_local_names_go_out() -> None:
    """
    Given: no outgoing mapper.
    When: an incident is mapped to go out.
    Then: data is the incident, delta its dirty part under the same names.
    """
    data, delta = map_outgoing(None, INCIDENT, ["details", "depth"])
    assert data == INCIDENT
    assert delta == {"details": "wet", "CustomFields": {"depth": "3m"}}
