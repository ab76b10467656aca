"""Tests of xsoar-mirror-mappers, and of what status, Test and diff tell of custom fields that have no rule."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

import XSOARMirroring as script
from stand_ins import HERE, Remote, Server, diff, local_of, memory_of, spoil_memory, status

ALL = "dbot_classification_incident_type_all"
KINDS = (
    *("shortText", "longText", "number", "boolean", "date", "singleSelect", "multiSelect", "tagsSelect", "grid", "markdown"),
    *("html", "url", "user", "role"),
)
NOT_ALLOWED = {"detail": "The role may not do this."}
OUTPUT_KEY = "XSOAR.Mirror.Mappers(val.Instance && val.Instance == obj.Instance)"


def custom(cli_name: str, name: str = "", kind: str = "shortText", types: list[str] | None = None, **more: Any) -> dict[str, Any]:
    """Return a custom field as /incidentfields gives it; without types it is of all."""
    return {
        "id": f"incident_{cli_name}",
        "cliName": cli_name,
        "name": name or cli_name.title(),
        "type": kind,
        "group": 0,
        "system": False,
        "content": False,
        "unmapped": False,
        "isReadOnly": False,
        "associatedToAll": types is None,
        "associatedTypes": types,
        "systemAssociatedTypes": None,
        "selectValues": None,
        "columns": None,
        **more,
    }


def fields_of_every_kind(count: int) -> list[dict[str, Any]]:
    """Return custom fields of every kind, every third of one incident type or two."""
    types = (None, None, ["Phishing"], None, None, ["Phishing", "Access"])
    return [
        custom(f"field{number}", f"Field {number}", KINDS[number % len(KINDS)], types[number % len(types)])
        for number in range(count)
    ]


def made(server: Server, **args: Any) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Run the command; return its outputs, the content of its files by name, and what it shows."""
    result, *entries = server.ok("xsoar-mirror-mappers", **args)
    files = {entry["File"]: json.loads(server.content(entry["FileID"])) for entry in entries}
    return result["EntryContext"][OUTPUT_KEY], files, result["HumanReadable"]


def rules(files: dict[str, Any], direction: str, section: str = ALL) -> dict[str, str]:
    """Return target -> source of an exported mapper."""
    (mapper,) = [content for content in files.values() if content.get("type") == f"mapping-{direction}"]
    mapping = mapper["mapping"].get(section, {"internalMapping": {}})["internalMapping"]
    return {target: rule["simple"] for target, rule in mapping.items()}


def custom_rules(files: dict[str, Any], direction: str, section: str = ALL) -> dict[str, str]:
    """Return the rules of an exported mapper besides those of the pack."""
    base = script.INCOMING_RULES if direction == "incoming" else script.OUTGOING_RULES
    return {target: source for target, source in rules(files, direction, section).items() if target not in base}


""" WHAT IS MAPPED """


def test_three_hundred_fields_of_every_kind_are_mapped_both_ways(server: Server, remote: Remote) -> None:
    """
    Given: two tenants that share three hundred custom fields of every kind, whose names here are not those there.
    When: the command runs.
    Then: each has a rule in both mappers, under all types or under each of its types here; the pack's own rules come along; the
        files are named after the instance.
    """
    server.incident_fields = fields_of_every_kind(300)
    remote.incident_fields = [{**item, "name": f"{item['name']} there"} for item in server.incident_fields]

    told, files, shown = made(server)

    assert (told["Mapped"], told["OnlyHere"], told["OnlyThere"], told["TypeDiffers"]) == (300, 0, 0, 0)
    assert (
        list(files)
        == told["Files"]
        == [
            "classifier-mapper-incoming-XSOAR_Mirroring_headquarters.json",
            "classifier-mapper-outgoing-XSOAR_Mirroring_headquarters.json",
        ]
    )
    assert [content["id"] for content in files.values()] == [
        "XSOAR Mirroring - headquarters - Incoming",
        "XSOAR Mirroring - headquarters - Outgoing",
    ]
    assert rules(files, "incoming").items() >= script.INCOMING_RULES.items()
    assert rules(files, "outgoing").items() >= script.OUTGOING_RULES.items()
    sections = {number: {2: ["Phishing"], 5: ["Access", "Phishing"]}.get(number % 6, [ALL]) for number in range(300)}
    for section in (ALL, "Access", "Phishing"):
        numbers = [number for number in range(300) if section in sections[number]]
        assert custom_rules(files, "incoming", section) == {f"Field {n}": f"CustomFields.field{n}" for n in numbers}
        assert custom_rules(files, "outgoing", section) == {f"field{n}": f"field{n}" for n in numbers}
    assert "| mapped | 300 |" in shown
    assert "headquarters" in shown


def test_the_same_fields_give_the_same_files(server: Server, remote: Remote) -> None:
    """
    Given: fields of both tenants.
    When: the command runs twice, the second time with the fields in another order.
    Then: the files are the same, byte by byte.
    """
    server.incident_fields = fields_of_every_kind(60)
    remote.incident_fields = [*server.incident_fields, custom("extra", kind="grid", columns=[{"key": "a", "type": "shortText"}])]
    first = [server.content(entry["FileID"]) for entry in server.ok("xsoar-mirror-mappers", missing="export")[1:]]
    random.Random(7).shuffle(server.incident_fields)
    remote.incident_fields = remote.incident_fields[::-1]
    second = [server.content(entry["FileID"]) for entry in server.ok("xsoar-mirror-mappers", missing="export")[1:]]

    assert len(first) == 3
    assert first == second


@pytest.mark.parametrize(
    ("local", "remote_field", "fate"),
    [
        ({}, {}, "Mapped"),
        ({"kind": "shortText"}, {"kind": "markdown"}, "Mapped"),
        ({"kind": "url"}, {"kind": "longText"}, "Mapped"),
        ({"kind": "multiSelect"}, {"kind": "tagsSelect"}, "Mapped"),
        ({"kind": "shortText"}, {"kind": "html"}, "TypeDiffers"),
        ({"kind": "shortText"}, {"kind": "number"}, "TypeDiffers"),
        ({"kind": "singleSelect"}, {"kind": "shortText"}, "TypeDiffers"),
        ({"kind": "date"}, {"kind": "shortText"}, "TypeDiffers"),
        ({}, None, "OnlyHere"),
        (None, {}, "OnlyThere"),
        ({"kind": "timer"}, {"kind": "timer"}, "NeverMirrored"),
        ({"kind": "attachments"}, {"kind": "attachments"}, "NeverMirrored"),
        ({"kind": "internal"}, {"kind": "internal"}, "NeverMirrored"),
        ({"isReadOnly": True}, {}, "NeverMirrored"),
        ({}, {"isReadOnly": True}, "NeverMirrored"),
        ({"unmapped": True}, {}, "NeverMirrored"),
        ({"name": "IncomingMirrorError"}, {}, "NeverMirrored"),
        ({"name": "Incoming Mirror Error"}, {}, "NeverMirrored"),
        (None, {"name": "XSOAR Mirroring State"}, "NeverMirrored"),
        ({"system": True, "content": True}, {"content": True}, "Mapped"),
    ],
)
def test_what_becomes_of_a_field(
    server: Server,
    remote: Remote,
    local: dict[str, Any] | None,
    remote_field: dict[str, Any] | None,
    fate: str,
) -> None:
    """
    Given: a custom field of one tenant or both.
    When: the command runs.
    Then: it is told what becomes of it, and it has a rule in both mappers only when it is mapped.
    """
    server.incident_fields = [] if local is None else [custom("depth", **{"name": "Depth", **local})]
    server.incident_fields.append(custom("other"))
    remote.incident_fields = [] if remote_field is None else [custom("depth", **remote_field)]

    told, files, _ = made(server)

    fates = {key: told[key] for key in script.FATES if "depth" in told[f"{key}Fields"]}
    assert fates == {fate: told[fate]}
    assert custom_rules(files, "incoming") == ({"Depth": "CustomFields.depth"} if fate == "Mapped" else {})
    assert custom_rules(files, "outgoing") == ({"depth": "depth"} if fate == "Mapped" else {})


def test_fields_of_the_incident_itself_and_of_others_are_no_custom_ones(server: Server, remote: Remote) -> None:
    """
    Given: two tenants with fields of the platform, a field of indicators, and a custom one that is spelled another way there.
    When: the command runs.
    Then: the custom one alone is mapped, under the name that each tenant has for it.
    """
    system = [custom("severity", system=True), custom("reputation", group=2), {"cliName": None, "name": "Nobody"}]
    server.incident_fields = [*system, custom("depth", "Water Depth", content=True)]
    remote.incident_fields = [*system, custom("Depth", "Depth there")]

    told, files, _ = made(server)

    assert {key: told[key] for key in script.FATES} == {**dict.fromkeys(script.FATES, 0), "Mapped": 1}
    assert custom_rules(files, "incoming") == {"Water Depth": "CustomFields.Depth"}
    assert custom_rules(files, "outgoing") == {"Depth": "depth"}


def test_choices_and_columns_that_differ_are_mapped_and_told(server: Server, remote: Remote) -> None:
    """
    Given: a select field and a grid that are not alike in both tenants, one of each that are, and a type that differs.
    When: the command runs.
    Then: the four are mapped, the two are told with what only one tenant has, and so are the two types.
    """
    columns = [{"key": "name", "type": "shortText"}, {"key": "size", "type": "number"}]
    server.incident_fields = [
        custom("level", kind="singleSelect", selectValues=["", "low", "high"]),
        custom("same", kind="singleSelect", selectValues=["", "a", "b"]),
        custom("hosts", kind="grid", columns=columns),
        custom("files", kind="grid", columns=columns),
        custom("depth", kind="number"),
    ]
    remote.incident_fields = [
        custom("level", kind="singleSelect", selectValues=["low", "extreme|"]),
        custom("same", kind="singleSelect", selectValues=["b", "a"]),
        custom("hosts", kind="grid", columns=[columns[0], {"key": "size", "type": "shortText"}, "spoiled"]),
        custom("files", kind="grid", columns=columns[::-1]),
        custom("depth", kind="date"),
    ]

    told, files, shown = made(server)

    assert told["MappedFields"] == ["files", "hosts", "level", "same"]
    assert (told["ChoicesDiffer"], told["ChoicesDifferFields"]) == (2, ["hosts", "level"])
    assert len(custom_rules(files, "incoming")) == 4
    assert "choices only here: high; choices only there: extreme" in shown
    assert "columns only here: size (number); columns only there: size (shortText)" in shown
    assert "| depth | number | date |" in shown


""" WHAT IS CHOSEN """


@pytest.fixture
def four(server: Server, remote: Remote) -> None:
    """Two tenants that share a field of all types, one of Phishing, one of Access, and one of both."""
    types = {"all": None, "mail": ["Phishing"], "door": ["Access"], "both": ["Access", "Phishing"]}
    server.incident_fields = [custom(name, types=its_types) for name, its_types in types.items()]
    remote.incident_fields = [custom(name, types=["Theirs"]) for name in types]


@pytest.mark.parametrize(
    ("args", "mapped"),
    [
        ({}, {"all": [ALL], "mail": ["Phishing"], "door": ["Access"], "both": ["Access", "Phishing"]}),
        ({"types": "Phishing"}, {"all": [ALL], "mail": ["Phishing"], "both": ["Phishing"]}),
        ({"include": "mail, ALL"}, {"all": [ALL], "mail": ["Phishing"]}),
        ({"exclude": "mail,door"}, {"all": [ALL], "both": ["Access", "Phishing"]}),
        ({"types": "Access", "include": ["door", "mail"], "exclude": ["all"]}, {"door": ["Access"]}),
    ],
)
def test_arguments_choose_fields(server: Server, four: None, args: dict[str, Any], mapped: dict[str, list[str]]) -> None:
    """
    Given: fields of all types and of some, in other types there.
    When: the command runs with types, include and exclude.
    Then: the fields that are left are mapped, under the types of this tenant that were chosen; the others are told as left out.
    """
    told, files, _ = made(server, **args)

    assert told["MappedFields"] == sorted(mapped)
    assert told["ExcludedFields"] == sorted({"all", "mail", "door", "both"} - mapped.keys())
    for section in (ALL, "Access", "Phishing", "Theirs"):
        expected = {name: name for name, sections in mapped.items() if section in sections}
        assert custom_rules(files, "outgoing", section) == expected


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"types": "Phishing,Phishng"}, ["'Phishng'", "choose from Access, Phishing"]),
        ({"include": "mail,male"}, ["include has 'male'", "CLI name"]),
        ({"exclude": "Mail From"}, ["exclude has 'mail from'", "CLI name"]),
        ({"missing": "create"}, ["missing is 'create'", "report, export, ignore"]),
        ({"local_fields": "9@9"}, ["local_fields", f"{HERE}/xsoar/incidentfields"]),
        ({"local_fields": "[]"}, ["local_fields contains no incident fields", "XSOARMirroringMappers"]),
        ({"local_fields": '[{"cliName":'}, ["local_fields contains no incident fields"]),
    ],
)
def test_what_there_is_not_is_refused(server: Server, four: None, args: dict[str, str], words: list[str]) -> None:
    """
    Given: two tenants.
    When: the command gets a type, a field, a way or an entry that there is not.
    Then: it says in one sentence what is wrong and what to give, makes no file, and remembers nothing.
    """
    before = server.context

    error = server.fails("xsoar-mirror-mappers", **args)

    assert all(word in error for word in words), error
    assert server.context == before
    assert list(Path().iterdir()) == []


""" FIELDS THAT ONLY THE REMOTE HAS """


def test_missing_fields_are_exported_and_mapped(server: Server, remote: Remote) -> None:
    """
    Given: a remote with a grid, a select field and a text that this tenant lacks, and one whose name another field has here.
    When: the command runs with missing=export.
    Then: a third file holds the three as the server imports them, with choices, columns and the types that there are here, and
        without scripts or demands; they have rules; the fourth is told as only there.
    """
    server.incident_fields = [custom("mail", types=["Phishing"]), custom("taken", "Water Depth")]
    remote.incident_fields = [
        custom("hosts", kind="grid", columns=[{"key": "name", "displayName": "Name", "type": "shortText", "script": "Run"}]),
        custom("level", kind="singleSelect", types=["Phishing", "Theirs"], selectValues=["", "low", "", "high"]),
        custom("note", types=["Theirs"], required=True, closeForm=True, script="Run", description="What\nelse."),
        custom("depth", "water depth"),
    ]

    told, files, shown = made(server, missing="export")

    (exported,) = [content["incidentFields"] for name, content in files.items() if name.startswith("incidentfields-")]
    by_name = {item["cliName"]: item for item in exported}
    assert (told["ExportedFields"], told["OnlyThereFields"]) == (["hosts", "level", "note"], ["depth"])
    assert list(by_name) == ["hosts", "level", "note"]
    assert by_name["level"]["selectValues"] == ["", "low", "high"]
    assert (by_name["level"]["associatedToAll"], by_name["level"]["associatedTypes"]) == (False, ["Phishing"])
    assert (by_name["note"]["associatedToAll"], "associatedTypes" in by_name["note"]) == (False, False)
    assert (by_name["note"]["required"], by_name["note"]["closeForm"], by_name["note"]["script"]) == (False, False, "")
    assert by_name["note"]["description"] == "What\nelse."
    assert [(c["key"], c["displayName"], c["type"], c["script"]) for c in by_name["hosts"]["columns"]] == [
        ("name", "Name", "shortText", "")
    ]
    assert custom_rules(files, "incoming") == {"Hosts": "CustomFields.hosts", "Note": "CustomFields.note"}
    assert custom_rules(files, "outgoing", "Phishing") == {"level": "level"}
    assert "1. Import incidentfields-" in shown


@pytest.mark.parametrize(("missing", "without_rule"), [("report", 1), ("ignore", 0)])
def test_missing_fields_are_told_until_they_are_to_be_ignored(
    server: Server, remote: Remote, missing: str, without_rule: int
) -> None:
    """
    Given: a remote with a field that this tenant lacks.
    When: the command runs with missing=report, or ignore, and the status is asked for.
    Then: the field is told, no file of fields is made; the status counts it unless it is to be ignored.
    """
    server.incident_fields = [custom("mail")]
    remote.incident_fields = [custom("mail"), custom("note")]

    told, files, _ = made(server, missing=missing)

    assert (told["OnlyThereFields"], len(files)) == (["note"], 2)
    assert status(server)["FieldsWithoutRule"] == without_rule


def test_long_lists_are_cut_in_the_context_and_counted_whole(server: Server, remote: Remote) -> None:
    """
    Given: two tenants that share more fields than a context should hold.
    When: the command runs.
    Then: the count is whole, the list and the table are cut; all have rules, and what is remembered of them is small.
    """
    server.incident_fields = [custom(f"field{number:04d}") for number in range(700)]
    remote.incident_fields = list(server.incident_fields)

    told, files, shown = made(server)

    assert (told["Mapped"], len(told["MappedFields"])) == (700, 500)
    assert len(custom_rules(files, "incoming")) == 700
    assert "and 670 more" in shown
    assert len(server.context) < 4_000
    assert status(server)["FieldsWithoutRule"] == 0


""" WHERE THE LOCAL FIELDS COME FROM """


@pytest.mark.parametrize(
    "wrap",
    [
        lambda fields: fields,
        lambda fields: {"incidentFields": fields},
        lambda fields: {"response": fields},
        lambda fields: {"response": {"incidentFields": fields}},
        lambda fields: fields[0],
    ],
    ids=["answer", "export", "Core REST API", "both", "one field"],
)
@pytest.mark.parametrize("way", ["file", "text", "object"])
def test_local_fields_may_be_given(server: Server, remote: Remote, tmp_path: Path, wrap: Any, way: str) -> None:
    """
    Given: the fields of this tenant in any form in which they can be had, as a file of the War Room or as JSON.
    When: the command gets them.
    Then: it takes them, and does not ask its server.
    """
    server.fields_answer = AssertionError("it is not to be asked")
    fields = wrap([custom("depth", "Water Depth")])
    remote.incident_fields = [custom("depth")]
    given: Any = fields
    if way == "file":
        (tmp_path / "kept").mkdir()
        path = tmp_path / "kept" / "fields.json"
        path.write_text(json.dumps(fields), encoding="utf-8-sig")
        server.files["5@77"] = {"path": str(path), "name": "fields.json"}
        given = " 5@77"
    elif way == "text":
        given = json.dumps(fields)

    _, files, _ = made(server, local_fields=given)

    assert custom_rules(files, "incoming") == {"Water Depth": "CustomFields.depth"}


@pytest.mark.parametrize(
    "answer",
    [
        AttributeError("module 'demistomock' has no attribute 'internalHttpRequest'"),
        ValueError("not supported"),
        {"statusCode": 403, "body": "[]"},
        {"statusCode": 200, "body": "<html>Sign in</html>"},
        {"statusCode": 200, "body": "null"},
        {"statusCode": 200},
        "nothing",
    ],
    ids=["missing", "raises", "forbidden", "a web page", "null", "no body", "no answer"],
)
@pytest.mark.parametrize(("version", "route"), [("8.8.0", "/xsoar/incidentfields"), ("6.12.0", "/incidentfields")])
def test_a_server_that_does_not_tell_its_fields_leaves_two_ways(
    server: Server, remote: Remote, answer: Any, version: str, route: str
) -> None:
    """
    Given: a server that does not tell an integration its incident fields, of either version.
    When: the command runs without local_fields.
    Then: one sentence names the script, and the address whose answer can be uploaded; the remote is asked nothing.
    """
    server.fields_answer, server.version = answer, version

    error = server.fails("xsoar-mirror-mappers")

    assert "XSOARMirroringMappers" in error
    assert "Core REST API" in error
    assert f"open {HERE}{route} in a browser" in error
    assert "local_fields" in error
    assert remote.calls == []


def test_a_file_that_is_too_large_is_not_read(server: Server, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: a huge file.
    When: its entry is given.
    Then: it is told that it holds no fields, and it is not read.
    """
    monkeypatch.setattr(script, "LARGEST_ANSWER", 10)
    Path("large.json").write_text(json.dumps([custom("depth")]), encoding="utf-8")
    server.files["5@77"] = {"path": "large.json", "name": "large.json"}

    assert "contains no incident fields" in server.fails("xsoar-mirror-mappers", local_fields="5@77")


def test_a_remote_that_may_not_be_asked_is_told(server: Server, remote: Remote) -> None:
    """
    Given: a key that may not read the fields.
    When: the command runs.
    Then: it names the permission, and keeps nothing.
    """
    server.incident_fields = [custom("depth")]
    remote.fail("GET /incidentfields", status_code=403, json=NOT_ALLOWED)

    error = server.fails("xsoar-mirror-mappers")

    assert "may not read the incident fields" in error
    assert memory_of(server).rules == script.Rules()


""" NEVER STALE IN SILENCE """


def test_before_an_export_the_rules_of_the_pack_count(server: Server, remote: Remote) -> None:
    """
    Given: an instance that exported nothing, and a remote with common fields, others, and a timer.
    When: the status is asked for, and Test runs.
    Then: the status counts the others and says what to do; Test is ok all the same, and the log says it.
    """
    remote.incident_fields = [custom("sourceip"), custom("md5"), custom("depth"), custom("sla", kind="timer"), custom("tide")]

    result = server.ok("xsoar-mirror-status")

    assert status(server)["FieldsWithoutRule"] == 2
    assert "2 remote custom fields have no rule here: run xsoar-mirror-mappers" in result["HumanReadable"]
    assert "(depth, tide)" in result["HumanReadable"]
    assert server.ok("test-module") == "ok"
    assert any("2 remote custom fields have no rule here" in line for line in server.lines("info"))


def test_a_field_that_is_added_there_after_the_export_is_told(server: Server, remote: Remote) -> None:
    """
    Given: mappers that were exported, with a field left out as the operator chose, and one that is read-only here.
    When: the remote gets another field, and then the command runs again.
    Then: the status counts none, then that one, and then none again.
    """
    server.incident_fields = [custom("depth"), custom("tide"), custom("level", isReadOnly=True), custom("wind")]
    remote.incident_fields = [custom("depth"), custom("tide"), custom("level")]
    made(server, exclude="tide")
    at_first = status(server)["FieldsWithoutRule"]
    remote.incident_fields.append(custom("wind"))
    result = server.ok("xsoar-mirror-status")
    later = status(server)["FieldsWithoutRule"]
    made(server, exclude="tide")

    assert (at_first, later, status(server)["FieldsWithoutRule"]) == (0, 1, 0)
    assert "1 remote custom field has no rule here" in result["HumanReadable"]


@pytest.mark.parametrize(
    "break_it",
    [
        lambda server, remote: remote.fail("GET /incidentfields", times=9, status_code=403, json=NOT_ALLOWED),
        lambda server, remote: remote.fail("GET /incidentfields", times=9, status_code=503),
        lambda server, remote: server.params.update(mirror_direction="None"),
    ],
    ids=["forbidden", "busy", "nothing is mirrored"],
)
def test_what_cannot_be_told_or_does_not_matter_is_not_told(server: Server, remote: Remote, break_it: Any) -> None:
    """
    Given: fields that cannot be read, or an instance that only fetches.
    When: the status is asked for, and Test runs.
    Then: the status says nothing of rules, and Test is ok.
    """
    break_it(server, remote)

    assert status(server)["FieldsWithoutRule"] is None
    assert server.ok("test-module") == "ok"
    assert not [line for line in server.lines("info") if "no rule here" in line]


@pytest.mark.parametrize(
    "kept",
    [
        "x",
        "[]",
        json.dumps({"mapped": "x", "left_out": 3, "exported_ms": "x"}),
        json.dumps({"mapped": None}),
        json.dumps({"mapped": "====", "exported_ms": 0}),
    ],
)
def test_damaged_rules_are_as_if_none_were_exported(server: Server, remote: Remote, kept: str) -> None:
    """
    Given: a damaged context.
    When: the status is asked for.
    Then: the rules of the pack count.
    """
    spoil_memory(server, "rules", kept)
    remote.incident_fields = [custom("sourceip"), custom("depth")]

    assert status(server)["FieldsWithoutRule"] == 1


def test_the_diff_marks_fields_without_a_rule(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: mappers that were exported with one field of two, and an incident that differs in both.
    When: the diff runs.
    Then: both are told as different, and the one without a rule is marked, in the table too.
    """
    server.incident_fields = [custom("depth")]
    remote.incident_fields = [custom("depth"), custom("tide")]
    made(server)
    server.incident = local_of(remote, mirrored)
    remote.incidents[mirrored]["CustomFields"] = {"depth": "3", "tide": "low"}
    server.incident["CustomFields"] = {"depth": "4", "tide": "high"}

    told, shown = diff(server), server.ok("xsoar-mirror-diff")["HumanReadable"]

    assert told["different"] == ["depth", "tide"]
    assert {row["field"]: row["mapped"] for row in told["fields"] if not row["equal"]} == {"depth": True, "tide": False}
    assert all(row["mapped"] for row in told["fields"] if row["field"] != "tide")
    assert "| tide | high | low | no | no rule here |" in shown
    assert "xsoar-mirror-mappers" in shown
