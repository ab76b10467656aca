"""Checks that the pack's content items hold together: every id is unique, and whatever one item names is there."""

import re
import runpy
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from local_xsoar.host import HostSettings
from local_xsoar.host.mapper import map_incoming, read_mapper
from local_xsoar.tenant import Tenant, TenantSettings
from local_xsoar.tenant.shapes import INCIDENT_ZERO
from tests.content.pack_items import (
    ITEMS,
    PACK,
    PREFIXES,
    Item,
    arguments_of,
    can_be_set,
    commands,
    field_names,
    ids,
    of,
    outputs_of,
    read_json,
    script,
    script_constant,
    the,
    unknown_fields,
    values_under,
)

# What users see, search for and map: kept from version to version. display name -> CLI name, type, key of the incoming object
FIELDS = {
    "XSOAR Mirroring Remote ID": ("xsoarmirroringremoteid", "shortText", "mirror_remote_id"),
    "XSOAR Mirroring Remote Link": ("xsoarmirroringremotelink", "url", "mirror_remote_link"),
    "XSOAR Mirroring Remote Tenant": ("xsoarmirroringremotetenant", "shortText", "mirror_remote_tenant"),
    "XSOAR Mirroring Remote Owner": ("xsoarmirroringremoteowner", "shortText", "mirror_remote_owner"),
    "XSOAR Mirroring State": ("xsoarmirroringstate", "singleSelect", "mirror_state"),
    "XSOAR Mirroring Last In": ("xsoarmirroringlastin", "date", "mirror_last_in"),
    "XSOAR Mirroring Last Out": ("xsoarmirroringlastout", "date", "mirror_last_out"),
    "XSOAR Mirroring Error In": ("xsoarmirroringerrorin", "longText", "in_mirror_error"),
    "XSOAR Mirroring Error Out": ("xsoarmirroringerrorout", "longText", "out_mirror_error"),
}
STATES = {"In Step", "Behind", "Error", "Stopped"}
# Names that layouts and tables have for system fields besides the CLI ones.
SHOWN_NAMES = {
    *("dbotcreated", "dbotmodified", "dbotclosed", "dbotduedate", "dbotstatus", "dbotsource"),
    *("status", "id"),
}
TABS = {"summary", "custom", "warRoom", "workPlan", "evidenceBoard", "relatedIncidents", "canvas"}
SECTIONS = {"notes", "evidence", "indicators", "linkedIncidents", "childInv", "team", "workplan", "dynamic"}
WIDGETS = {"number", "pie", "bar", "column", "line", "table"}
# What lets a script be a button, a section of a layout, or a widget.
BUTTON_TAG, SECTION_TAG, WIDGET_TAG = "incident-action-button", "dynamic-section", "widget"
COLUMNS_OF_LAYOUT, COLUMNS_OF_DASHBOARD = 3, 12


def by_label(items: list[Item]) -> dict[str, Any]:
    """Return the arguments of a parametrization over items, each test named after its item."""
    return {"argvalues": items, "ids": [item.label for item in items]}


def boxes(parts: list[dict[str, Any]]) -> dict[str, tuple[int, int, int, int]]:
    """Return the places of sections or widgets: left, top, right, bottom."""
    return {part["i"]: (part["x"], part["y"], part["x"] + part["w"], part["y"] + part["h"]) for part in parts}


def overlapping(parts: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return the pairs of sections or widgets that lie upon each other."""
    return [
        (one, other)
        for (one, a), (other, b) in combinations(boxes(parts).items(), 2)
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]


def not_in_prefix(field_ids: set[str]) -> set[str]:
    """Return the names of fields without the group before them, in lower case."""
    return {name.removeprefix("incident_").lower() for name in field_ids}


def test_every_kind_of_item_is_there() -> None:
    """
    Given: the pack.
    When: its items are counted by kind.
    Then: there is what the README promises, and nothing in a folder that no test knows.
    """
    assert Counter(item.folder for item in ITEMS) == {
        "Classifiers": 2,
        "Dashboards": 1,
        "IncidentFields": len(FIELDS),
        "IncidentTypes": 1,
        "Integrations": 1,
        "Layouts": 1,
        "Playbooks": 5,
        "Scripts": 7,
        "TestPlaybooks": 1,
    }


@pytest.mark.parametrize("item", **by_label(ITEMS))
def test_an_item_says_what_it_is(item: Item) -> None:
    """
    Given: a content item.
    When: its head is read.
    Then: id, name, version, lowest server version, marketplace and file name agree with those of all others.
    """
    data = item.data
    name = data["name"]
    assert item.id == (f"incident_{data['cliName']}" if item.folder == "IncidentFields" else name)
    assert (data.get("commonfields") or data)["version"] == -1
    assert data.get("fromVersion", data.get("fromversion")) == "6.10.0"
    assert data["marketplaces"] == ["xsoar"]
    assert item.path.name.startswith(PREFIXES[item.folder])
    if item.folder not in ("Classifiers", "Integrations"):
        assert item.path.stem == PREFIXES[item.folder] + name.replace(" ", "_")


def test_everything_inside_items_is_unique() -> None:
    """
    Given: the sections, fields and buttons of the layout, the widgets of the dashboard and the tasks of all playbooks.
    When: their ids are counted.
    Then: none stands twice: the editors of the platform tell them apart by it.
    """
    layout, dashboard = the("Layouts"), the("Dashboards")
    tabs = layout["detailsV2"]["tabs"]
    sections = [section for tab in tabs for section in tab.get("sections", [])]
    found = [
        *(tab["id"] for tab in tabs),
        *(section["i"] for section in sections),
        *(part["id"] for section in sections for part in section["items"]),
        *(part["i"] for part in dashboard["layout"]),
        *(part["widget"]["id"] for part in dashboard["layout"]),
        *(task["task"]["id"] for item in (*of("Playbooks"), *of("TestPlaybooks")) for task in item.data["tasks"].values()),
    ]
    assert len(found) > 50
    assert [key for key, count in Counter(found).items() if count > 1] == []


def test_fields_are_the_promised_ones() -> None:
    """
    Given: the incident fields.
    When: names, CLI names and types are read.
    Then: they are those of the contract.
    """
    found = {item.data["name"]: (item.data["cliName"], item.data["type"]) for item in of("IncidentFields")}
    assert found == {name: (cli_name, kind) for name, (cli_name, kind, _) in FIELDS.items()}


@pytest.mark.parametrize("item", **by_label(of("IncidentFields")))
def test_a_field_shows_and_is_not_asked_for(item: Item) -> None:
    """
    Given: an incident field.
    When: it is read.
    Then: every incident type has it, a mapper may write it, no form asks for it, and its tooltip says what it holds.
    """
    field = item.data
    assert field["associatedToAll"] is True
    assert "associatedTypes" not in field
    assert field["isReadOnly"] is False  # Whether a mapper may write a read-only field is not documented.
    assert (field["editForm"], field["closeForm"], field["required"], field["hidden"]) == (False, False, False, False)
    assert re.fullmatch(r"[A-Z].{20,}\.", field["description"])


def test_states_are_the_ones_that_the_integration_gives() -> None:
    """
    Given: the field State.
    When: its values are read.
    Then: they are the four states, and an empty one for incidents that are not mirrored.
    """
    (state,) = [item.data for item in of("IncidentFields") if item.data["name"] == "XSOAR Mirroring State"]
    assert state["selectValues"][0] == ""
    assert set(state["selectValues"][1:]) == STATES
    source = (PACK / "Integrations/XSOARMirroring/XSOARMirroring.py").read_text(encoding="utf-8")
    assert all(f'"{value}"' in source for value in STATES)


def test_only_what_is_searched_for_is_indexed() -> None:
    """
    Given: the fields.
    When: those that a search finds are set beside the long texts and the link, which nobody searches for.
    Then: they are the others, and those are the ones that .pack-ignore excuses.
    """
    searchable = {item.path.name for item in of("IncidentFields") if not item.data["unsearchable"]}
    assert searchable == {item.path.name for item in of("IncidentFields") if item.data["type"] not in ("longText", "url")}
    ignored = (PACK / ".pack-ignore").read_text(encoding="utf-8")
    assert set(re.findall(r"^\[file:(.*)\]$", ignored, flags=re.MULTILINE)) == searchable


def test_incident_type_has_its_layout() -> None:
    """
    Given: the incident type.
    When: its layout and playbook are read.
    Then: the layout is the pack's, and the type begins no playbook: which one an incident needs, its own tenant decides.
    """
    kind = the("IncidentTypes")
    assert kind["name"] == "XSOAR Mirrored Incident"
    assert kind["layout"] in ids("Layouts")
    assert kind["playbookId"] == ""


def test_layout_shows_fields_that_there_are() -> None:
    """
    Given: the layout: its tabs, forms and quick view.
    When: the fields are read.
    Then: each is one of the platform or of the pack, and all fields of the pack are shown.
    """
    shown = not_in_prefix({name for name in values_under("fieldId", the("Layouts")) if name})
    assert unknown_fields(shown - SHOWN_NAMES) == set()
    assert {cli_name for cli_name, _, _ in FIELDS.values()} <= shown
    assert {"dbotmirrorid", "dbotmirrordirection", "dbotmirrorinstance"} & shown


def test_layout_is_one_that_the_platform_can_draw() -> None:
    """
    Given: the tabs of the layout.
    When: their kinds and the places of their sections are read.
    Then: the platform knows each kind, and no two sections lie upon each other or beside the page.
    """
    tabs = the("Layouts")["detailsV2"]["tabs"]
    (custom,) = [tab for tab in tabs if tab["type"] == "custom"]
    sections = custom["sections"]
    assert {tab["type"] for tab in tabs} <= TABS
    assert {"warRoom", "workPlan", "evidenceBoard"} <= {tab["type"] for tab in tabs}
    assert {section["type"] for section in sections if "type" in section} <= SECTIONS
    assert overlapping(sections) == []
    assert max(box[2] for box in boxes(sections).values()) <= COLUMNS_OF_LAYOUT
    for section in sections:
        assert "type" in section or section["items"], section["name"]
        assert [part["index"] for part in section["items"]] == list(range(len(section["items"])))


def test_mirroring_section_says_how_it_stands() -> None:
    """
    Given: the section on mirroring.
    When: its fields and buttons are read.
    Then: state, link, ID, tenant, times, direction and instance are there, and buttons for diff, resync and creating.
    """
    sections = next(tab for tab in the("Layouts")["detailsV2"]["tabs"] if tab["type"] == "custom")["sections"]
    (mirroring,) = [section for section in sections if section["name"] == "Mirroring"]
    shown = {part["fieldId"] for part in mirroring["items"]}
    assert {"xsoarmirroringstate", "xsoarmirroringremotelink", "xsoarmirroringremoteid", "xsoarmirroringremotetenant"} <= shown
    assert {"xsoarmirroringlastin", "xsoarmirroringlastout", "dbotmirrordirection", "dbotmirrorinstance"} <= shown
    assert [part["args"]["action"]["simple"] for part in mirroring["items"] if part["sectionItemType"] == "button"] == [
        "diff",
        "resync",
        "create",
    ]


def test_buttons_run_scripts_of_the_pack() -> None:
    """
    Given: the buttons of the layout.
    When: their scripts and arguments are looked up.
    Then: the pack has the script, it may be a button, and it takes the arguments with these values.
    """
    buttons = [part for part in values_under("items", the("Layouts")) for part in part if part["sectionItemType"] == "button"]
    scripts = {item.id: item.data for item in of("Scripts")}
    assert len(buttons) == 3
    for button in buttons:
        script = scripts[button["scriptId"]]
        assert BUTTON_TAG in script["tags"]
        for name, value in button["args"].items():
            assert value["simple"] in arguments_of(script)[name]["predefined"]


def test_the_section_of_custom_fields_runs_a_script_of_the_pack() -> None:
    """
    Given: the sections of the layout that a script fills.
    When: their scripts are looked up.
    Then: the pack has each, it may be a section, and it needs no argument.
    """
    sections = next(tab for tab in the("Layouts")["detailsV2"]["tabs"] if tab["type"] == "custom")["sections"]
    filled = [section for section in sections if section.get("type") == "dynamic"]
    assert [section["name"] for section in filled] == ["Custom Fields"]
    for section in filled:
        assert section["queryType"] == "script"
        assert SECTION_TAG in script(section["query"]).data["tags"]
        assert arguments_of(script(section["query"]).data) == {}


def test_the_widget_of_the_instances_runs_a_script_of_the_pack() -> None:
    """
    Given: the widgets that a script fills.
    When: their scripts are looked up.
    Then: it is the first of the dashboard, the pack has its script, and that may be a widget and asks a command that there is.
    """
    first, *others = the("Dashboards")["layout"]
    widget = first["widget"]
    assert (first["x"], first["y"], widget["dataType"], widget["widgetType"]) == (0, 0, "scripts", "text")
    assert {part["widget"]["dataType"] for part in others} == {"incidents"}
    item = script(widget["query"])
    assert WIDGET_TAG in item.data["tags"]
    assert script_constant(item.id, "BRAND") == the("Integrations")["name"]
    source = item.path.with_suffix(".py").read_text(encoding="utf-8")
    assert set(re.findall(r'executeCommand\("([^"]+)"', source)) <= commands().keys()
    read = {*re.findall(r'status\.get\("(\w+)"', source), "LastRound", "LastFetch"}
    outputs = {path.removeprefix("XSOAR.Mirror.Status.") for path in outputs_of("xsoar-mirror-status")}
    assert len(read) > 5
    assert read - outputs == set()


def test_actions_of_the_script_are_commands() -> None:
    """
    Given: the actions of the automation script.
    When: their commands are looked up in the integration.
    Then: each is there and takes what the script gives it; the yml offers these actions and the one that creates.
    """
    actions = script_constant("XSOARMirroringIncident", "COMMANDS")
    given = {
        "diff": {"id", "incident"},
        "resync": {"id", "fields", "entries"},
        "status": {"id"},
        "get": {"id"},
        "check": {"write"},
    }
    for action, command in actions.items():
        assert given[action] <= arguments_of(commands()[command]).keys(), command
    assert {"XSOAR.Mirror.Status.Direction", "XSOAR.Mirror.Status.OutgoingTags"} <= outputs_of("xsoar-mirror-status")
    assert [*actions, "create"] == arguments_of(script("XSOARMirroringIncident").data)["action"]["predefined"]
    assert script_constant("XSOARMirroringIncident", "BRAND") == the("Integrations")["name"]


def test_the_script_for_mappers_takes_what_its_command_takes() -> None:
    """
    Given: the automation script that runs xsoar-mirror-mappers.
    When: its arguments are compared with those of the command.
    Then: it hands on each but the fields, which it finds itself.
    """
    taken = arguments_of(script("XSOARMirroringMappers").data)
    known = arguments_of(commands()[script_constant("XSOARMirroringMappers", "COMMAND")])
    assert taken.keys() - {"instance", "core_api"} == known.keys() - {"local_fields"}
    assert taken["missing"]["predefined"] == known["missing"]["predefined"]


def test_the_script_that_adopts_takes_what_its_commands_take() -> None:
    """
    Given: the automation script that links many incidents.
    When: the commands that it runs, and its choices, are looked up.
    Then: the commands are there and take what it gives them; the yml offers the directions that it knows.
    """
    name = "XSOARMirroringAdopt"
    for command in ("DIFF", "RESYNC"):
        assert {"id", "incident"} <= arguments_of(commands()[script_constant(name, command)]).keys()
    assert script_constant(name, "BRAND") == the("Integrations")["name"]
    assert tuple(arguments_of(script(name).data)["direction"]["predefined"]) == script_constant(name, "DIRECTIONS")


def test_the_script_that_watches_reads_what_its_commands_give() -> None:
    """
    Given: the automation script that watches the instances.
    When: the commands that it runs, their arguments and what it reads of them are looked up.
    Then: each is there; its states and changes are those that the yml tells.
    """
    name = "XSOARMirroringWatch"
    source = script(name).path.with_suffix(".py").read_text(encoding="utf-8")
    assert script_constant(name, "BRAND") == the("Integrations")["name"]
    assert {"since", "limit"} <= arguments_of(commands()[script_constant(name, "JOURNAL")]).keys()
    status = {path.removeprefix("XSOAR.Mirror.Status.") for path in outputs_of(script_constant(name, "STATUS"))}
    read = set(re.findall(r'status\.get\("(\w+)"', source))
    assert len(read) > 5
    assert (read | {"LastRound", "LastFetch"}) - status == set()
    drift = {path.rpartition(".")[2] for path in outputs_of(script_constant(name, "RECONCILE"))}
    assert {"NotLookedAt", "id", "kinds", "decide"} <= drift
    texts = {output["contextPath"].rpartition(".")[2]: output["description"] for output in script(name).data["outputs"]}
    states = ("Disabled", "Well", "Not asked", "Paused", "Attention", "Down")
    changes = ("none", "created", "updated", "closed", "failed")
    assert [word for word in states if word not in texts["State"] or f'"{word}"' not in source] == []
    assert [word for word in changes if word not in texts["Change"] or f'"{word}"' not in source] == []


def test_the_script_that_reconciles_takes_what_its_commands_take() -> None:
    """
    Given: the automation script that compares the local incidents.
    When: the commands that it runs, and its choices, are looked up.
    Then: the commands are there and take what it gives them; the yml offers the choices of its command and the same outputs; it
        compares the fields that xsoar-mirror-diff does, and calls kinds and states as the integration does.
    """
    name = "XSOARMirroringReconcile"
    given = {
        "RECONCILE": {"scope", "entries", "repair"},
        "SEARCH": {"query", "start_time", "max_results", "columns"},
        "DIFF": {"id", "incident"},
        "RESYNC": {"id", "fields", "entries"},
        "STATUS": set(),
    }
    for constant, arguments in given.items():
        assert arguments <= arguments_of(commands()[script_constant(name, constant)]).keys(), constant
    assert script_constant(name, "BRAND") == the("Integrations")["name"]
    taken, known = arguments_of(script(name).data), arguments_of(commands()[script_constant(name, "RECONCILE")])
    for argument, options in (("scope", "SCOPES"), ("entries", "ENTRIES")):
        assert set(taken[argument]["predefined"]) == set(known[argument]["predefined"]) == set(script_constant(name, options))
    outputs = {output["contextPath"] for output in script(name).data["outputs"]}
    assert outputs - {"XSOAR.Mirror.Drift.local", "XSOAR.Mirror.Drift.fields"} == outputs_of("xsoar-mirror-reconcile")
    source = runpy.run_path(str(PACK / "Integrations/XSOARMirroring/XSOARMirroring.py"))
    assert script_constant(name, "COMPARED_FIELDS") == source["COMPARED_FIELDS"]
    kinds = (script_constant(name, kind) for kind in ("GONE", "STRANGER", "UNSENT"))
    assert tuple(kinds) == (source["GONE"], source["OTHER"], source["UNSENT"])


def rules_of(kind: str) -> dict[str, str]:
    """Return target -> source of the pack's mapper of a kind."""
    (mapper,) = [item.data for item in of("Classifiers") if item.data["type"] == kind]
    rules = mapper["mapping"]["dbot_classification_incident_type_all"]["internalMapping"]
    return {target: rule["simple"] for target, rule in rules.items()}


def common_fields() -> dict[str, str]:
    """Return name -> CLI name of the custom fields of other packs that the incoming mapper takes over."""
    prefix = "CustomFields."
    incoming = rules_of("mapping-incoming").items()
    return {name: path.removeprefix(prefix) for name, path in incoming if path.startswith(prefix)}


def test_common_custom_fields_cross_both_ways_by_their_names() -> None:
    """
    Given: both mappers.
    When: their rules for custom fields of other packs are read.
    Then: some forty come in under the field's name and go out under its CLI name, and a name and its CLI name belong together.
    """
    outgoing = {target for target, path in rules_of("mapping-outgoing").items() if target == path}
    common = common_fields()
    assert len(common) >= 40
    assert set(common.values()) == outgoing - set(INCIDENT_ZERO)
    assert {name: cli_name for name, cli_name in common.items() if cli_name != name.lower().replace(" ", "")} == {}


def test_the_command_that_makes_mappers_knows_the_rules_of_the_pack() -> None:
    """
    Given: the tables of rules in the integration's script, which cannot read the files of its pack.
    When: they are set beside both mappers.
    Then: they are the same: what an exported mapper holds besides custom fields, and what counts where none was exported.
    """
    tables = runpy.run_path(str(PACK / "Integrations/XSOARMirroring/XSOARMirroring.py"))
    common = common_fields()
    assert set(common.values()) == tables["COMMON_FIELDS"]
    custom_in = {name: f"CustomFields.{cli_name}" for name, cli_name in common.items()}
    assert rules_of("mapping-incoming") == {**tables["INCOMING_RULES"], **custom_in}
    assert rules_of("mapping-outgoing") == {**tables["OUTGOING_RULES"], **{name: name for name in common.values()}}


def test_no_rule_does_nothing() -> None:
    """
    Given: both mappers.
    When: the local fields that they name are looked up as a server does, besides those of other packs.
    Then: each is one that an incident has and that a mapper may set, by its name; the core's own for errors are among them.
    """
    shared = {"IncomingMirrorError", "OutgoingMirrorError"}
    targets = rules_of("mapping-incoming").keys() - common_fields().keys()
    assert shared <= targets
    assert [name for name in sorted(targets - shared) if not can_be_set(name)] == []
    sources = set(rules_of("mapping-outgoing").values()) - set(common_fields().values())
    assert sources <= set(INCIDENT_ZERO) - {"CustomFields"}


def test_incoming_rules_name_what_the_integration_gives() -> None:
    """
    Given: the incoming mapper.
    When: the keys that it takes from the remote object are read.
    Then: each is a key of an incident, of its custom fields, or one of the integration's own.
    """
    sources = set(rules_of("mapping-incoming").values())
    common = {f"CustomFields.{cli_name}" for cli_name in common_fields().values()}
    assert sources - common - {key for _, _, key in FIELDS.values()} - set(INCIDENT_ZERO) == set()


def test_incoming_mapper_fills_every_field_of_the_pack() -> None:
    """
    Given: the incoming mapper and an object with a value under each key that the integration gives.
    When: it is mapped.
    Then: each value stands under the CLI name of its field, and nothing else.
    """
    (incoming,) = [item.data for item in of("Classifiers") if item.data["type"] == "mapping-incoming"]
    remote = {key: f"value of {key}" for _, _, key in FIELDS.values()} | {"CustomFields": {"depth": "3m"}, "severity": 3}

    mapped = map_incoming(read_mapper(incoming), remote, "Phishing", field_names(), HostSettings())

    assert mapped.custom == {cli_name: f"value of {key}" for cli_name, _, key in FIELDS.values()}
    assert mapped.fields == {"severity": 3}


def test_incoming_mapper_leaves_what_is_not_said() -> None:
    """
    Given: the incoming mapper and an object without a single key of the integration.
    When: it is mapped.
    Then: nothing is set; and an empty error clears the field.
    """
    (incoming,) = [item.data for item in of("Classifiers") if item.data["type"] == "mapping-incoming"]
    mapper = read_mapper(incoming)
    assert map_incoming(mapper, {}, "", field_names(), HostSettings()).custom == {}
    assert map_incoming(mapper, {"in_mirror_error": ""}, "", field_names(), HostSettings()).custom == {
        "xsoarmirroringerrorin": ""
    }


def test_outgoing_mapper_leaves_the_pack_s_own_fields() -> None:
    """
    Given: the outgoing mapper.
    When: its rules are read.
    Then: none names a field of the pack: each tenant keeps what its own mirror knows.
    """
    (outgoing,) = [item.data for item in of("Classifiers") if item.data["type"] == "mapping-outgoing"]
    text = str(outgoing["mapping"])
    assert [name for name, (cli_name, _, _) in FIELDS.items() if name in text or cli_name in text] == []


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tenant with the pack's fields and some mirrored incidents: in step, behind, in error, closed, mirrored out only."""
    made = Tenant(TenantSettings(name="here", folder=tmp_path_factory.mktemp("tenant"), api_key="k"))
    for item in of("IncidentFields"):
        made.add_incident_field(item.data["cliName"], name=item.data["name"], type=item.data["type"])

    def mirrored(name: str, state: str, direction: str = "Both") -> str:
        fields = {"xsoarmirroringremoteid": "4", **({"xsoarmirroringstate": state} if state else {})}
        mirror = {"dbotMirrorId": "4", "dbotMirrorInstance": "customer", "dbotMirrorDirection": direction}
        created = made.create_incident({"name": name, **mirror, "CustomFields": fields})
        assert created
        return str(created["id"])

    for name, state in (("well", "In Step"), ("late", "Behind"), ("broken", "Error")):
        mirrored(name, state)
    mirrored("sent", "", "Out")
    made.close_incident(mirrored("closed", "Error"))
    made.create_incident({"name": "ours alone"})
    made.create_incident({"name": "of another integration", "dbotMirrorId": "9", "dbotMirrorInstance": "desk"})
    yield made
    made.close()


def incident_widgets() -> list[dict[str, Any]]:
    """Return the widgets of the dashboard that show incidents."""
    widgets = [part["widget"] for part in the("Dashboards")["layout"]]
    return [widget for widget in widgets if widget["dataType"] == "incidents"]


@pytest.mark.parametrize("widget", incident_widgets(), ids=lambda widget: widget["id"])
def test_a_widget_finds_what_its_name_says(widget: dict[str, Any], tenant: Tenant) -> None:
    """
    Given: a widget of the dashboard, and incidents that this pack mirrors, another integration mirrors, and nobody mirrors.
    When: its query is run.
    Then: it finds the open ones of this pack, or of them those that are not in step.
    """
    query = widget["query"]
    found, _ = tenant.search({"query": query, "size": 99})
    troubled = "Behind" in query
    assert {incident["name"] for incident in found} == ({"late", "broken"} if troubled else {"well", "late", "broken", "sent"})
    assert troubled == (widget["id"] in ("xsoar-mirroring-behind", "xsoar-mirroring-errors"))


def test_dashboard_uses_fields_that_a_search_knows() -> None:
    """
    Given: the widgets.
    When: the fields that they query, group by, sort by and show are read.
    Then: each is one of the platform or the pack; and those of the pack that are queried, grouped or sorted by are indexed.
    """
    widgets = incident_widgets()
    used = {
        *(name for widget in widgets for name in re.findall(r"([A-Za-z]+):", widget["query"])),
        *(name for widget in widgets for name in widget["params"].get("groupBy", [])),
        *(order["field"] for widget in widgets for order in widget["sort"] or []),
    }
    shown = {column["key"] for widget in widgets for column in widget["params"].get("tableColumns", [])}
    assert {"xsoarmirroringstate", "dbotMirrorDirection", "dbotMirrorInstance", "xsoarmirroringlastin"} <= used
    assert unknown_fields((used | shown) - SHOWN_NAMES) == set()
    unsearchable = {item.data["cliName"] for item in of("IncidentFields") if item.data["unsearchable"]}
    assert used & unsearchable == set()
    assert set(re.findall(r'"([^"]+)"', " ".join(widget["query"] for widget in widgets))) <= STATES


def test_dashboard_is_one_that_the_platform_can_draw() -> None:
    """
    Given: the dashboard.
    When: its widgets and their places are read.
    Then: each kind is one that the platform has, none lies upon another, and each says what it shows.
    """
    dashboard = the("Dashboards")
    assert dashboard["name"] == "XSOAR Mirroring"
    assert overlapping(dashboard["layout"]) == []
    periods = [dashboard["period"], *(part["widget"]["dateRange"]["period"] for part in dashboard["layout"])]
    assert {(period["byFrom"], period["fromValue"]) for period in periods} == {("days", 365)}
    assert max(box[2] for box in boxes(dashboard["layout"]).values()) <= COLUMNS_OF_DASHBOARD
    for part in dashboard["layout"]:
        widget = part["widget"]
        assert widget["widgetType"] in (WIDGETS if widget["dataType"] == "incidents" else {"text"})
        assert " and " in widget["query"] or widget["dataType"] == "scripts"
        assert bool(widget["params"].get("groupBy")) == (widget["widgetType"] in ("pie", "bar", "column"))
        assert bool(widget["params"].get("tableColumns")) == (widget["widgetType"] == "table")
        assert widget["description"].endswith(".")


def test_test_playbooks_exist() -> None:
    """
    Given: what each item names as its tests.
    When: they are looked for.
    Then: each is a test playbook of the pack, or says that there is none; and no test playbook is named by nobody.
    """
    named = {name for item in ITEMS for name in item.data.get("tests", []) if not name.startswith("No tests")}
    assert named == ids("TestPlaybooks") == {"XSOAR Mirroring - Test"}


def test_default_mappers_are_the_pack_s() -> None:
    """
    Given: the integration.
    When: its default mappers are looked for.
    Then: they are the pack's.
    """
    integration = the("Integrations")
    assert {integration["defaultmapperin"], integration["defaultmapperout"]} == ids("Classifiers")


def test_readme_of_the_pack_names_every_item() -> None:
    """
    Given: the README of the pack.
    When: its items are looked for.
    Then: all that a user can see are named, and it begins with a situation, not with a heading.
    """
    text = (PACK / "README.md").read_text(encoding="utf-8")
    names = [item.data["name"] for item in ITEMS if item.folder not in ("TestPlaybooks", "IncidentFields")]
    names += [name.removeprefix("XSOAR Mirroring ") for name in FIELDS]
    assert [name for name in names if name not in text] == []
    assert not text.startswith("#")
    assert text.count("\n## ") >= 3


def test_readme_of_the_pack_names_nothing_else() -> None:
    """
    Given: the table of items in the README of the pack.
    When: its rows are compared with the items.
    Then: each row names an item that is there.
    """
    text = (PACK / "README.md").read_text(encoding="utf-8").partition("## What is in it?")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([A-Z][a-z ]+) \| ([^|]+) \|", text, flags=re.MULTILINE)
    listed = Counter(name.strip() for kind, name in rows if kind not in ("Item", "Incident fields"))
    assert listed == Counter(item.data["name"] for item in ITEMS if item.folder not in ("IncidentFields", "TestPlaybooks"))


def uploaded_readme() -> str:
    """Return the README of the pack as far as it is uploaded: demisto-sdk leaves out what is marked for another marketplace."""
    text, mark, pictures = (PACK / "README.md").read_text(encoding="utf-8").partition("<!--<~XSIAM>-->")
    assert mark
    assert pictures.endswith("<!--</~XSIAM>-->\n")
    return text


def test_readme_of_the_pack_lists_every_command_once() -> None:
    """
    Given: the table of commands in the README of the pack.
    When: its rows are compared with the integration.
    Then: each command stands there once and none besides, with what it is for and whether it changes something.
    """
    table = uploaded_readme().partition("## Commands")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([a-z][a-z, -]+) \| (.+) \| (.+) \|$", table, flags=re.MULTILINE)
    assert sorted(name for names, _, _ in rows for name in names.split(", ")) == sorted(commands())


def test_readme_of_the_pack_needs_no_other_page() -> None:
    """
    Given: the README of the pack as it is uploaded: no other page is.
    When: its links, pictures and references are read.
    Then: it shows no picture, and each link leads to one of its own headings.
    """
    text = uploaded_readme()
    headings = {
        re.sub(r"[^a-z -]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    assert "![" not in text
    assert {target.removeprefix("#") for target in re.findall(r"\]\(([^)]+)\)", text)} <= headings
    assert "own page" not in text


def test_readme_of_the_pack_shows_every_picture_to_readers_of_the_repository() -> None:
    """
    Given: the pictures of the pack.
    When: they are looked for in its README.
    Then: each is shown.
    """
    text = (PACK / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(doc_files/([^)]+)\)", text)) == {path.name for path in (PACK / "doc_files").iterdir()}


@pytest.mark.parametrize("name", ["README.md", "Integrations/XSOARMirroring/XSOARMirroring_description.md"])
def test_an_operator_reads_what_the_defaults_do(name: str) -> None:
    """
    Given: the two texts that are uploaded with the pack.
    When: they are read beside the defaults of the parameters.
    Then: while no tag is set and closing goes out by default, both name these parameters, and example tags for entries.
    """
    defaults = {item["name"]: item.get("defaultvalue") for item in the("Integrations")["configuration"]}
    assert (defaults["tags"], defaults["mirror_tag"], defaults["close_out"]) == (None, None, "true")
    assert defaults["mirror_direction"] == "Incoming And Outgoing"
    text = (PACK / name).read_text(encoding="utf-8")
    for words in ("Incoming And Outgoing", "Close Remote Incident", "Incoming Entry tags", "Outgoing Entry Tags", "`FromRemote`"):
        assert words in text


def test_description_of_the_integration_fits_the_panel() -> None:
    """
    Given: the description, which XSOAR shows in a narrow panel beside the settings of an instance.
    When: its words are counted.
    Then: they are about a screen and a half.
    """
    text = (PACK / "Integrations/XSOARMirroring/XSOARMirroring_description.md").read_text(encoding="utf-8")
    assert len(text.split()) < 500


def test_example_tags_have_one_spelling() -> None:
    """
    Given: the texts of the pack.
    When: they are searched for example tags.
    Then: these are FromRemote and ToRemote everywhere.
    """
    texts = [path for path in PACK.rglob("*") if path.suffix in (".md", ".yml", ".json", ".txt")]
    found = Counter(
        tag for path in texts for tag in re.findall(r"(?i)\b(?:from|to)[-_]?remote\b", path.read_text(encoding="utf-8"))
    )
    assert {"FromRemote", "ToRemote"} == found.keys()


def test_description_of_the_pack_is_short_and_not_its_readme() -> None:
    """
    Given: the description of the pack.
    When: it is read.
    Then: it has at most 150 characters and is a sentence.
    """
    description = read_json(PACK / "pack_metadata.json")["description"]
    assert len(description) <= 150
    assert description.endswith(".")


@pytest.mark.parametrize("item", **by_label(of("Scripts")))
def test_script_readme_agrees_with_its_yml(item: Item) -> None:
    """
    Given: the README of an automation script.
    When: it is compared with the yml.
    Then: description, tags and arguments agree, and those who use it are named.
    """
    text = (item.path.parent / "README.md").read_text(encoding="utf-8").replace("\\", "")
    assert text.startswith(item.data["comment"])
    assert f"| Tags | {', '.join(item.data['tags'])} |" in text
    rows = re.findall(r"^\| (\w+) \| (.*) \|$", text.partition("## Inputs")[2], flags=re.MULTILINE)
    assert rows == [(name, argument["description"]) for name, argument in arguments_of(item.data).items()]
    users = [user.id for user in (*of("Dashboards"), *of("Layouts"), *of("Playbooks")) if item.id in str(user.data)]
    assert bool(users) == ("## Used In" in text)
    assert all(f"* {user}\n" in text for user in users)


def test_images_of_items_are_under_the_pack() -> None:
    """
    Given: the READMEs of the pack's items.
    When: the pictures that they show are looked for.
    Then: each is in the pack.
    """
    shown = [
        (readme.parent / target)
        for readme in PACK.rglob("*README.md")
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", readme.read_text(encoding="utf-8"))
    ]
    assert len(shown) >= len(of("Playbooks"))
    assert [path for path in shown if not Path(path).resolve().is_file()] == []
