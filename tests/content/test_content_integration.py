"""Checks of the integration's yml and its mappers against what they promise: names, types, defaults, arguments."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

PACK = Path(__file__).resolve().parents[2] / "Packs/XSOARMirroring"
INTEGRATION: dict[str, Any] = yaml.safe_load(
    (PACK / "Integrations/XSOARMirroring/XSOARMirroring.yml").read_text(encoding="utf-8")
)
MAPPERS = {
    mapper["id"]: mapper
    for path in sorted(PACK.glob("Classifiers/classifier-mapper-*.json"))
    for mapper in [json.loads(path.read_text(encoding="utf-8"))]
}

# Types of parameters, as the platform numbers them.
TEXT, ENCRYPTED, CHECKBOX, CREDENTIALS, TEXT_AREA, INCIDENT_TYPE, ONE_OF, SOME_OF, INTERVAL = 0, 4, 8, 9, 12, 13, 15, 16, 19
KNOWN_TYPES = {TEXT, 1, ENCRYPTED, CHECKBOX, CREDENTIALS, TEXT_AREA, INCIDENT_TYPE, 14, ONE_OF, SOME_OF, 17, 18, INTERVAL, 20, 23}

# What users configured stays configured: names, types and defaults are kept from version to version.
PARAMETERS: dict[str, tuple[int, str | None]] = {
    "url": (TEXT, "https://api-xsoar.example.com"),
    "credentials_api_key": (CREDENTIALS, None),
    "advanced_api_key": (CHECKBOX, "false"),
    "incidentType": (INCIDENT_TYPE, None),
    "isFetch": (CHECKBOX, None),
    "incidentFetchInterval": (INTERVAL, "1"),
    "max_fetch": (TEXT, "100"),
    "query": (TEXT, None),
    "first_fetch": (TEXT, "3 days"),
    "fetch_by": (ONE_OF, "Creation"),
    "look_back": (TEXT, "5"),
    "categories": (SOME_OF, "notes,chats,attachments"),
    "tags": (TEXT, None),
    "mirror_tag": (TEXT, None),
    "mirror_direction": (ONE_OF, "Incoming And Outgoing"),
    "close_incident": (CHECKBOX, "true"),
    "close_out": (CHECKBOX, "true"),
    "reopen": (ONE_OF, "As closing"),
    "close_reasons": (TEXT_AREA, None),
    "conflicts": (ONE_OF, "Newest wins"),
    "came_in_tag": (TEXT, None),
    "in_fields": (TEXT, None),
    "out_fields": (TEXT, None),
    "max_file_mb": (TEXT, None),
    "file_types": (TEXT, None),
    "redact": (TEXT, None),
    "disable_from_same_integration": (CHECKBOX, "true"),
    "mirror_playbook_id": (CHECKBOX, "true"),
    "fetch_incident_history": (CHECKBOX, "false"),
    "insecure": (CHECKBOX, None),
    "proxy": (CHECKBOX, None),
    "debug_mode": (CHECKBOX, None),
}
COMMANDS: dict[str, dict[str, str | None]] = {
    "xsoar-search-incidents": {
        "query": "-status:closed -category:job",
        "start_time": "3 days",
        "max_results": "10",
        "columns": "id,name,type,status,severity,owner,occurred",
    },
    "xsoar-get-incident": {"id": None, "from_date": "3 days", "categories": "chats,notes", "tags": None, "max_results": "10"},
    "get-remote-data": {"id": None, "lastUpdate": None},
    "get-modified-remote-data": {"lastUpdate": None},
    "update-remote-system": {},
    "get-mapping-fields": {},
    "xsoar-mirror-status": {"id": None},
    "xsoar-mirror-journal": {"id": None, "since": None, "direction": None, "outcome": None, "limit": "50"},
    "xsoar-mirror-diff": {"id": None, "incident": None},
    "xsoar-mirror-resync": {"id": None, "incident": None, "fields": "true", "entries": "true"},
    "xsoar-mirror-reconcile": {"scope": "open", "max": None, "after": None, "entries": "false", "repair": "false"},
    "xsoar-mirror-stop": {"id": None},
    "xsoar-mirror-start": {"id": None},
    "xsoar-mirror-pause": {"until": None},
    "xsoar-mirror-resume": {},
    "xsoar-mirror-mappers": {"types": None, "include": None, "exclude": None, "missing": "report", "local_fields": None},
    "xsoar-mirror-check": {"write": "false", "report": "false"},
}
# The arguments that a command cannot do without.
NEEDED = {"xsoar-get-incident": {"id"}, "get-remote-data": {"id"}, "xsoar-mirror-pause": {"until"}}


def commands() -> dict[str, dict[str, Any]]:
    """Return the integration's commands by name."""
    return {command["name"]: command for command in INTEGRATION["script"]["commands"]}


def arguments_of(command: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the arguments of a command; a command may have none."""
    return command.get("arguments") or []


def mapping_of(mapper: dict[str, Any]) -> dict[str, str]:
    """Return target -> source of the mapper's part for all incident types."""
    parts: dict[str, Any] = mapper["mapping"]["dbot_classification_incident_type_all"]["internalMapping"]
    return {target: source["simple"] for target, source in parts.items()}


def test_identifiers_are_kept() -> None:
    """
    Given: the integration.
    When: its identifiers are read.
    Then: they are the ones that stand as the source on incidents and in playbooks.
    """
    assert INTEGRATION["commonfields"]["id"] == INTEGRATION["name"] == INTEGRATION["display"] == "XSOAR Mirroring"


def test_parameters_are_the_promised_ones() -> None:
    """
    Given: the parameters of the integration.
    When: their names, types and defaults are read.
    Then: they are exactly those of the contract, of types that the platform has.
    """
    found = {item["name"]: (item["type"], item.get("defaultvalue")) for item in INTEGRATION["configuration"]}
    assert found == PARAMETERS
    assert {kind for kind, _ in found.values()} <= KNOWN_TYPES


def test_choices_are_the_promised_ones() -> None:
    """
    Given: the parameters to choose from.
    When: their options are read.
    Then: they are the directions and the categories, and the default is among them.
    """
    options = {item["name"]: item["options"] for item in INTEGRATION["configuration"] if "options" in item}
    assert options == {
        "mirror_direction": ["None", "Incoming", "Outgoing", "Incoming And Outgoing"],
        "fetch_by": ["Creation", "Also when an incident comes to match"],
        "reopen": ["As closing", "None", "Incoming", "Outgoing", "Incoming And Outgoing"],
        "conflicts": ["Newest wins", "Remote wins", "Local wins"],
        "categories": ["notes", "chats", "attachments"],
    }
    for name, choices in options.items():
        assert set(str(PARAMETERS[name][1]).split(",")) <= set(choices)


def test_only_the_address_is_required() -> None:
    """
    Given: the parameters.
    When: the required ones are read.
    Then: it is only the address: a key ID is needed on 8.x only, and Test says so.
    """
    assert [item["name"] for item in INTEGRATION["configuration"] if item.get("required")] == ["url"]


def test_secrets_have_no_default() -> None:
    """
    Given: the parameters that hold secrets.
    When: their defaults are read.
    Then: there is none.
    """
    secret = [item for item in INTEGRATION["configuration"] if item["type"] in (ENCRYPTED, CREDENTIALS)]
    assert [item["name"] for item in secret if item.get("defaultvalue")] == []


def test_defaults_name_no_real_address() -> None:
    """
    Given: the defaults of all parameters and arguments.
    When: they are searched for addresses.
    Then: the only host is one of example.com, which belongs to nobody.
    """
    defaults = [str(item.get("defaultvalue", "")) for item in INTEGRATION["configuration"]]
    defaults += [str(argument.get("defaultValue", "")) for command in commands().values() for argument in arguments_of(command)]
    text = " ".join(defaults)
    hosts = re.findall(r"[a-z]+://([^/\s:]+)", text)
    assert hosts
    assert all(host.endswith(".example.com") for host in hosts)
    assert not re.search(r"\b\d{1,3}(\.\d{1,3}){3}\b|localhost|\S+@\S+", text)


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_have_the_promised_arguments(name: str) -> None:
    """
    Given: a command of the contract.
    When: its arguments are read.
    Then: their names and defaults are the promised ones, and required is only what nothing else tells.
    """
    arguments = arguments_of(commands()[name])
    assert {argument["name"]: argument.get("defaultValue") for argument in arguments} == COMMANDS[name]
    assert {argument["name"] for argument in arguments if argument.get("required")} == NEEDED.get(name, set())


def test_there_are_no_other_commands() -> None:
    """
    Given: all commands of the integration.
    When: they are compared with the contract.
    Then: there is none besides: what users call is kept from version to version.
    """
    assert commands().keys() == COMMANDS.keys()


@pytest.mark.parametrize(
    ("flag", "needed"),
    [
        ("isremotesyncin", {"get-remote-data", "get-modified-remote-data"}),
        ("isremotesyncout", {"update-remote-system"}),
        ("ismappable", {"get-mapping-fields"}),
    ],
)
def test_flags_have_their_commands(flag: str, needed: set[str]) -> None:
    """
    Given: a flag that makes the server call the integration.
    When: the commands that it will call are looked for.
    Then: the yml declares them. (demisto-sdk looks only for get-mapping-fields.)
    """
    assert INTEGRATION["script"][flag] is True
    assert needed <= commands().keys()


def test_entity_commands_declare_their_context() -> None:
    """
    Given: the commands that return incidents.
    When: their outputs are read.
    Then: all lie under XSOAR.Incident and the key, its ID, is among them.
    """
    for name in ("xsoar-search-incidents", "xsoar-get-incident"):
        paths = [output["contextPath"] for output in commands()[name]["outputs"]]
        assert "XSOAR.Incident.id" in paths
        assert [path for path in paths if not path.startswith("XSOAR.Incident.")] == []


@pytest.mark.parametrize(("key", "kind"), [("defaultmapperin", "mapping-incoming"), ("defaultmapperout", "mapping-outgoing")])
def test_default_mappers_exist(key: str, kind: str) -> None:
    """
    Given: the mapper that an instance gets by default.
    When: it is looked for in the pack.
    Then: it is there and maps in that direction. (demisto-sdk does not look.)
    """
    assert MAPPERS[INTEGRATION[key]]["type"] == kind


def test_incoming_mapper_keeps_the_mirror() -> None:
    """
    Given: the incoming mapper.
    When: its targets are read.
    Then: the four mirror fields are among them, without which the server mirrors nothing; closing is not, since it comes
    as a transition.
    """
    mapping = mapping_of(MAPPERS["XSOAR Mirroring - Incoming Mapper"])
    assert {"dbotMirrorId", "dbotMirrorInstance", "dbotMirrorDirection", "dbotMirrorTags"} <= mapping.keys()
    assert not {"closeReason", "closeNotes", "status", "id", "version"} & mapping.keys()


def test_outgoing_mapper_keeps_what_is_the_remote_servers() -> None:
    """
    Given: the outgoing mapper.
    When: its targets are read.
    Then: closing goes along, and nothing does that the remote server owns; the local id does, for the script to tell an
    incident that it has created from others.
    """
    mapping = mapping_of(MAPPERS["XSOAR Mirroring - Outgoing Mapper"])
    assert {"id", "name", "severity", "closeReason", "closeNotes"} <= mapping.keys()
    assert [target for target in mapping if target.startswith("dbot") or target in ("version", "created", "occurred")] == []
