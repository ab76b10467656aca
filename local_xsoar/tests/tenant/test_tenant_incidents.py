"""Incidents: created, changed, closed, reopened, deleted; what they look like, and that they survive."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local_xsoar.tenant import BadRequest, NotFound, OptimisticLock, Tenant, TenantError, TenantSettings
from local_xsoar.tests.tenant.tenant_client import Clock

Make = Callable[..., Tenant]
ZERO_TIME = "0001-01-01T00:00:00Z"
MIRRORED = {"name": "mirrored", "dbotMirrorId": "77", "dbotMirrorInstance": "remote", "dbotMirrorDirection": "Both"}


def created(tenant: Tenant, fields: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return a new incident; the pre-processing rule lets it through."""
    incident = tenant.create_incident(fields or {"name": "case"}, **more)
    assert incident is not None
    return incident


def test_a_new_incident_of_6_has_exactly_the_captured_fields(tenant_6: Tenant, captured: Callable[[str], dict[str, Any]]) -> None:
    """
    Given: an incident of a real 6.x tenant, loaded, captured.
    When: one is created here at the same nanosecond.
    Then: it has the same fields, of the same types, and the same values where the server sets them.
    """
    wanted = captured("incident_4_load.json")
    incident = created(tenant_6, {"name": "testing"})
    assert set(incident) == set(wanted)
    assert all(isinstance(incident[field], type(wanted[field])) for field in wanted)
    by_server = (
        "activated closed created dbotCreatedBy dueDate labels rawName rawType runStatus sourceBrand sourceInstance status type"
    )
    for field in [*by_server.split(), "playbookId", "attachment", "linkedIncidents", "dbotMirrorTags", "rawJSON"]:
        assert incident[field] == wanted[field], field


def test_a_new_incident_of_8_has_the_captured_fields_and_its_own(
    tenant: Tenant, captured: Callable[[str], dict[str, Any]]
) -> None:
    """
    Given: an incident of a real tenant, captured.
    When: one is created on 8.x.
    Then: it has all those fields, and the lock pair of Elasticsearch besides.
    """
    incident = created(tenant)
    assert set(captured("incident_4_load.json")) <= set(incident)
    assert (incident["sequenceNumber"], incident["primaryTerm"]) == (1, 1)


def test_times_of_6_keep_nanoseconds(tenant_6: Tenant) -> None:
    """
    Given: a 6.x tenant.
    When: an incident is created.
    Then: its times have nine digits.
    """
    incident = created(tenant_6)
    assert incident["created"] == incident["modified"] == incident["occurred"] == "2023-03-05T10:06:48.446441591Z"
    assert incident["dueDate"] == "2023-03-15T10:06:48.446441591Z"
    assert incident["autime"] == 1_678_010_808_446_441_591


def test_times_of_8_keep_milliseconds_but_occurred_does_not(tenant: Tenant, clock: Clock) -> None:
    """
    Given: an 8.x tenant, at an instant whose milliseconds end in zero.
    When: an incident is created.
    Then: created and modified are cut to milliseconds and trimmed, occurred has its nanoseconds.
    """
    clock.advance(0.014)  # .460441591
    incident = created(tenant)
    assert incident["created"] == incident["modified"] == "2023-03-05T10:06:48.46Z"
    assert incident["occurred"] == "2023-03-05T10:06:48.460441591Z"


def test_times_of_6_may_show_a_local_offset(make_tenant: Make) -> None:
    """
    Given: a 6.x tenant two hours east.
    When: an incident is created and searched by its creation time in UTC.
    Then: its times carry the offset and mean the same instant; unset times stay year 1.
    """
    tenant = make_tenant(version="6.12.0", utc_offset_minutes=120)
    incident = created(tenant, {"name": "case", "occurred": "2023-03-05T08:00:00Z"})
    assert incident["created"] == "2023-03-05T12:06:48.446441591+02:00"
    assert incident["occurred"] == "2023-03-05T10:00:00+02:00"
    assert incident["closed"] == ZERO_TIME
    assert tenant.search({"query": 'created:>="2023-03-05T10:06:48.446441591Z"'})[1] == 1


def test_without_an_investigation_it_is_pending(tenant: Tenant) -> None:
    """
    Given: incidents created with and without a War Room.
    When: they are looked at.
    Then: one is active and its investigation has its id, the other is pending and has none.
    """
    fields = ("status", "investigationId", "runStatus")
    active, pending = created(tenant), created(tenant, investigate=False)
    assert [active[field] for field in fields] == [1, "1", "waiting"]
    assert [pending[field] for field in fields] == [0, "", ""]


def test_given_fields_are_kept(tenant: Tenant) -> None:
    """
    Given: an incident as a fetch hands it over.
    When: it is created.
    Then: its fields are kept, with the labels that the server adds for brand and instance.
    """
    fields = {
        **MIRRORED,
        "type": "Phishing",
        "severity": 0.5,
        "sourceBrand": "XSOAR Mirroring",
        "sourceInstance": "remote",
        "labels": [{"type": "Email/from", "value": "a@example.com"}],
        "CustomFields": {"sourceip": "192.0.2.1", "grid": [{"a": 1}, {}]},
        "dbotMirrorTags": ["ForRemote"],
        "occurred": "2023-01-01T00:00:00.123456789Z",
    }
    incident = created(tenant, fields, user="DBot")
    assert {field: incident[field] for field in fields if field != "labels"} == {
        field: fields[field] for field in fields if field != "labels"
    }
    assert [label["value"] for label in incident["labels"]] == ["a@example.com", "remote", "XSOAR Mirroring"]
    assert incident["dbotCreatedBy"] == "DBot"


def test_a_type_brings_its_playbook(tenant: Tenant) -> None:
    """
    Given: an incident type with a playbook.
    When: incidents of the type are created, one of them with a playbook of its own.
    Then: the first gets the type's playbook, the other keeps its own.
    """
    tenant.add_incident_type("Leak", "leak-playbook")
    assert created(tenant, {"name": "a", "type": "Leak"})["playbookId"] == "leak-playbook"
    assert created(tenant, {"name": "b", "type": "Leak", "playbookId": "own"})["playbookId"] == "own"


def test_the_server_owned_fields_cannot_be_given(tenant: Tenant) -> None:
    """
    Given: fields that only the server sets, and fields that do not exist.
    When: an incident is created with them.
    Then: they are not heard.
    """
    incident = created(tenant, {"name": "a", "id": "99", "version": 5, "autime": 1, "investigationId": "3", "nonsense": 1})
    assert (incident["id"], incident["version"], incident["investigationId"]) == ("1", 1, "1")
    assert "nonsense" not in incident


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 5),
        ("severity", "high"),
        ("CustomFields", []),
        ("labels", "x"),
        ("labels", ["x"]),
        ("attachment", ["x"]),
        ("occurred", "noon"),
        ("feedBased", 1),
        ("linkedIncidents", "1"),
    ],
)
def test_a_field_of_the_wrong_type_is_refused_by_name(tenant: Tenant, field: str, value: Any) -> None:
    """
    Given: an incident with a field of the wrong type.
    When: it is created.
    Then: it is refused in a sentence that names the field, and none is there.
    """
    with pytest.raises(BadRequest, match=field):
        tenant.create_incident({"name": "a", field: value})
    assert tenant.search({})[1] == 0


def test_a_pre_processing_rule_drops(make_tenant: Make) -> None:
    """
    Given: a rule that drops incidents with a word in their name.
    When: one with it and one without are created.
    Then: only the other is there.
    """
    tenant = make_tenant(drop_created_if_name_contains="noise")
    assert tenant.create_incident({"name": "just noise"}) is None
    assert created(tenant, {"name": "signal"})["id"] == "1"


def test_change_merges_and_moves_version_and_modified(tenant: Tenant, clock: Clock) -> None:
    """
    Given: an incident with two custom fields.
    When: one of them and the severity change a minute later.
    Then: the rest stays, the version goes up by one, and modified is a minute later.
    """
    created(tenant, {"name": "a", "owner": "nora", "CustomFields": {"x": "1", "y": "2"}})
    clock.advance(60)
    changed = tenant.change_incident("1", {"severity": 3, "CustomFields": {"x": "9"}})
    assert (changed["severity"], changed["owner"], changed["CustomFields"]) == (3, "nora", {"x": "9", "y": "2"})
    assert (changed["version"], changed["modified"]) == (2, "2023-03-05T10:07:48.446Z")
    assert changed == tenant.incident("1")


def test_a_change_that_changes_nothing_is_none(tenant: Tenant, clock: Clock) -> None:
    """
    Given: an incident.
    When: it is changed to what it is already.
    Then: neither its version nor its modified moves.
    """
    before = created(tenant, {"name": "a", "severity": 2, "CustomFields": {"x": "1"}})
    clock.advance(60)
    assert tenant.change_incident("1", {"severity": 2.0, "CustomFields": {"x": "1"}}) == before


def test_a_null_change_empties_the_field(tenant: Tenant) -> None:
    """
    Given: an incident with an owner and labels.
    When: both are changed to null.
    Then: they are empty as in a new incident.
    """
    created(tenant, {"name": "a", "owner": "nora", "dbotMirrorTags": ["x"]})
    changed = tenant.change_incident("1", {"owner": None, "dbotMirrorTags": None})
    assert (changed["owner"], changed["dbotMirrorTags"]) == ("", None)


def test_replace_wipes_what_is_left_out(tenant: Tenant) -> None:
    """
    Given: an incident with severity, details and custom fields.
    When: it is replaced by a body with its name only, and the right version.
    Then: the rest is wiped; what the server owns stays.
    """
    before = created(tenant, {"name": "a", "severity": 3, "details": "long story", "CustomFields": {"x": "1"}})
    after = tenant.replace_incident({"id": "1", "version": 1, "name": "b"}, user="admin")
    assert (after["name"], after["severity"], after["details"], after["CustomFields"], after["labels"]) == ("b", 0, "", {}, None)
    assert all(after[field] == before[field] for field in ("id", "created", "autime", "investigationId", "dbotCreatedBy"))
    assert after["version"] == 2


def test_replace_neither_closes_nor_reopens(tenant: Tenant) -> None:
    """
    Given: an open incident and a closed one.
    When: they are replaced by bodies with the other's status.
    Then: both stay as they were; only closing and reopening change that.
    """
    opened, closed = created(tenant), created(tenant)
    closed = tenant.close_incident("2")
    assert tenant.replace_incident({**opened, "status": 2}, user="admin")["status"] == 1
    assert tenant.replace_incident({**closed, "status": 1, "closed": ZERO_TIME}, user="admin")["closed"] == closed["closed"]


def test_replace_checks_the_version(tenant: Tenant) -> None:
    """
    Given: an incident of version 4.
    When: it is replaced with version 1, with none, and with -1.
    Then: the first two are refused with the server's words, -1 goes through.
    """
    created(tenant)
    for severity in (1, 2, 3):
        tenant.change_incident("1", {"severity": severity})
    for version, shown in ((1, "1"), (None, "0")):
        with pytest.raises(OptimisticLock) as refusal:
            tenant.replace_incident({"id": "1", "version": version, "name": "late"}, user="admin")
        assert str(refusal.value) == (
            f"DB Version '4' and Insert version '{shown}' do not match for id: 1 on bucket [] [incidents] (15)"
        )
    assert tenant.replace_incident({"id": "1", "version": -1, "name": "forced"}, user="admin")["version"] == 5


def test_close_and_reopen(tenant: Tenant, clock: Clock) -> None:
    """
    Given: an open incident.
    When: it is closed after ninety seconds, and reopened.
    Then: closing sets status, time, reason, notes, who and how long; reopening takes it all back.
    """
    created(tenant)
    clock.advance(90)
    closed = tenant.close_incident("1", reason="Resolved", notes="done", custom_fields={"x": "1"}, user="nora")
    assert [closed[field] for field in ("status", "closeReason", "closeNotes", "closingUserId", "openDuration")] == [
        2,
        "Resolved",
        "done",
        "nora",
        90,
    ]
    assert closed["closed"] == "2023-03-05T10:08:18.446441591Z"
    assert closed["CustomFields"] == {"x": "1"}
    opened = tenant.reopen_incident("1")
    assert [opened[field] for field in ("status", "closeReason", "closeNotes", "closed", "openDuration")] == [
        1,
        "",
        "",
        ZERO_TIME,
        0,
    ]


def test_closing_twice_and_reopening_an_open_one_change_nothing(tenant: Tenant, clock: Clock) -> None:
    """
    Given: a closed incident and an open one.
    When: the closed one is closed again later, the open one reopened.
    Then: both are as they were.
    """
    created(tenant)
    closed, opened = tenant.close_incident("1", reason="Resolved"), created(tenant)
    clock.advance(60)
    assert tenant.close_incident("1", reason="Resolved") == closed
    assert tenant.reopen_incident("2") == opened


def test_reopening_one_closed_while_pending_opens_its_war_room(tenant: Tenant) -> None:
    """
    Given: an incident closed before its War Room was opened.
    When: it is reopened.
    Then: it is active and has a War Room.
    """
    created(tenant, investigate=False)
    tenant.close_incident("1")
    reopened = tenant.reopen_incident("1")
    assert (reopened["status"], reopened["investigationId"]) == (1, "1")


def test_unknown_incidents_are_named(tenant: Tenant) -> None:
    """
    Given: no incident.
    When: one is loaded, changed, closed or deleted.
    Then: the error names its id.
    """
    for call in (tenant.incident, tenant.reopen_incident, tenant.close_incident, tenant.delete_incident, tenant.investigate):
        for unknown in ("12", "", "abc", "-1", "1" * 30, "²"):
            with pytest.raises(NotFound, match=f"Could not find incident {unknown} "):
                call(unknown)


def test_deleted_is_gone_with_its_files_and_its_id_is_not_used_again(tenant: Tenant) -> None:
    """
    Given: an incident with a file and an entry.
    When: it is deleted and another is created.
    Then: nothing of it is left, on disk neither, and the other has an id of its own.
    """
    created(tenant, attachments=[("a.txt", b"1")])
    tenant.delete_incident("1")
    assert created(tenant)["id"] == "2"
    assert list((tenant.settings.folder / "files").iterdir()) == []
    with pytest.raises(NotFound):
        tenant.entry("1@1")


def test_a_custom_field_needs_a_cli_name(tenant: Tenant) -> None:
    """
    Given: names with capitals or blanks.
    When: custom fields are added with them.
    Then: they are refused; one that is added twice is there once.
    """
    for name in ("Source IP", "sourceIP", ""):
        with pytest.raises(BadRequest, match="cliName"):
            tenant.add_incident_field(name)
    tenant.add_incident_field("sourceip")
    tenant.add_incident_field("sourceip", type="url")
    assert [field["type"] for field in tenant.incident_fields() if field["cliName"] == "sourceip"] == ["url"]


# Dirty fields


def test_a_change_of_a_mirrored_incident_is_noted_for_the_outgoing_run(tenant: Tenant) -> None:
    """
    Given: an incident mirrored in both directions.
    When: an analyst changes fields twice, closes and reopens it, and its playbook moves on.
    Then: the names of all changed fields are noted, custom ones by cliName; closing and reopening as status, the user who closed
        it and the playbook's state, closing with reason and notes; and the playbook's state alone.
    """
    created(tenant, MIRRORED)
    tenant.change_incident("1", {"severity": 3, "CustomFields": {"sourceip": "192.0.2.1"}})
    changed = tenant.replace_incident({**tenant.incident("1"), "severity": 4, "details": "more"}, user="admin")
    assert set(changed["dbotCurrentDirtyFields"]) == set(changed["dbotDirtyFields"]) == {"severity", "sourceip", "details"}
    tenant.change_incident("1", {"dbotCurrentDirtyFields": None}, dirty=False)
    closed = tenant.close_incident("1")
    closing = {"status", "closingUserId", "runStatus", "closeReason", "closeNotes"}
    assert set(closed["dbotCurrentDirtyFields"]) == closing
    assert set(closed["dbotDirtyFields"]) == {"severity", "sourceip", "details", *closing}
    tenant.change_incident("1", {"dbotCurrentDirtyFields": None}, dirty=False)
    reopened = tenant.reopen_incident("1")
    assert set(reopened["dbotCurrentDirtyFields"]) == {"status", "closingUserId", "runStatus"}
    assert (reopened["closingUserId"], reopened["runStatus"]) == ("", "")
    tenant.change_incident("1", {"dbotCurrentDirtyFields": None}, dirty=False)
    assert tenant.change_incident("1", {"runStatus": "running"})["dbotCurrentDirtyFields"] == ["runStatus"]


@pytest.mark.parametrize(
    "fields", [{"name": "own"}, {**MIRRORED, "dbotMirrorDirection": "In"}, {**MIRRORED, "dbotMirrorInstance": ""}]
)
def test_a_change_of_an_incident_not_mirrored_out_is_not_noted(tenant: Tenant, fields: dict[str, Any]) -> None:
    """
    Given: an incident that is not mirrored, or only in.
    When: it changes.
    Then: nothing is noted.
    """
    created(tenant, fields)
    assert tenant.change_incident("1", {"severity": 3})["dbotCurrentDirtyFields"] is None


def test_what_mirroring_writes_is_not_noted(tenant: Tenant) -> None:
    """
    Given: an incident mirrored out.
    When: the host writes fields, closes and reopens it, and a file is attached.
    Then: nothing is noted.
    """
    created(tenant, MIRRORED)
    tenant.change_incident("1", {"severity": 3}, dirty=False)
    tenant.close_incident("1", reason="Resolved", dirty=False)
    tenant.reopen_incident("1", dirty=False)
    tenant.attach_file("1", "a.txt", b"1")
    assert tenant.incident("1")["dbotCurrentDirtyFields"] is None


# Files


def test_attachments_are_on_the_incident_and_in_the_war_room(tenant: Tenant, tmp_path: Path) -> None:
    """
    Given: an incident with two files of one name, one given as bytes and one as a path.
    When: it is created.
    Then: both are attachments and file entries that share the server's file name, each with its own bytes.
    """
    source = tmp_path / "source"
    source.write_bytes(b"second")
    incident = created(tenant, attachments=[("report.txt", b"first"), ("report.txt", source)])
    entries = tenant.entries("1")
    assert [item["name"] for item in incident["attachment"]] == [entry["file"] for entry in entries] == ["report.txt"] * 2
    assert [item["path"] for item in incident["attachment"]] == [entry["fileID"] for entry in entries]
    assert all(item["path"].startswith("1_") and item["path"].endswith("_report.txt") for item in incident["attachment"])
    assert [tenant.entry_file(entry["id"])[1].read_bytes() for entry in entries] == [b"first", b"second"]
    assert [(entry["type"], entry["category"], entry["fileMetadata"]["size"]) for entry in entries] == [
        (3, "attachment", 5),
        (3, "attachment", 6),
    ]
    assert entries[0]["fileMetadata"]["md5"] == "8b04d5e3775d298e78455efc5ca404d5"
    assert incident == tenant.incident("1")


def test_attachments_of_a_pending_incident_enter_the_war_room_when_it_opens(tenant: Tenant) -> None:
    """
    Given: a pending incident with a file.
    When: its War Room is opened.
    Then: the file is an entry there, with the attachment's server file name.
    """
    incident = created(tenant, investigate=False, attachments=[("a.txt", b"bytes")])
    opened = tenant.investigate("1")
    assert (opened["status"], opened["investigationId"]) == (1, "1")
    (entry,) = tenant.entries("1")
    assert entry["fileID"] == incident["attachment"][0]["path"]
    assert tenant.entry_file(entry["id"])[1].read_bytes() == b"bytes"
    with pytest.raises(BadRequest, match="Investigation already exists for incident 1"):
        tenant.investigate("1")


@pytest.mark.parametrize("name", ["../../outside.txt", "/etc/outside", "..", "a\x00b", "C:\\x", "x" * 300, "", "\udcff.txt"])
def test_hostile_file_names_do_not_reach_the_disk(tenant: Tenant, name: str) -> None:
    """
    Given: a file whose name points elsewhere, or cannot be a name.
    When: it is attached.
    Then: it lies in the tenant's folder under another name, and its bytes can be had.
    """
    created(tenant, attachments=[(name, b"bytes")])
    path = tenant.entry_file("1@1")[1]
    assert path.parent == tenant.settings.folder / "files"
    assert path.name.isalnum()
    assert path.read_bytes() == b"bytes"


def test_attachments_that_only_the_incident_names_have_no_entry(tenant: Tenant) -> None:
    """
    Given: a pending incident created with an attachment list that came from elsewhere.
    When: its War Room is opened.
    Then: there is no entry for it: there are no bytes.
    """
    created(tenant, {"name": "a", "attachment": [{"name": "a.txt", "path": "9_elsewhere_a.txt"}]}, investigate=False)
    tenant.investigate("1")
    assert tenant.entries("1") == []


def test_a_failed_creation_leaves_no_file(tenant: Tenant, tmp_path: Path) -> None:
    """
    Given: two files, of which the second does not exist.
    When: an incident is created with them.
    Then: it fails, and neither incident nor file is left.
    """
    with pytest.raises(FileNotFoundError):
        tenant.create_incident({"name": "a"}, attachments=[("a", b"1"), ("b", tmp_path / "missing")])
    assert tenant.search({})[1] == 0
    assert list((tenant.settings.folder / "files").iterdir()) == []


# The database


def test_everything_survives_a_restart(make_tenant: Make) -> None:
    """
    Given: a tenant with incidents, entries, a file, a field, a type and a pack.
    When: it is closed and opened again on its folder.
    Then: all of it is there, and ids go on where they were.
    """
    first = make_tenant()
    created(first, {"name": "a", "CustomFields": {"x": [1, 2]}}, attachments=[("a.txt", b"bytes")])
    first.add_entry("1", contents="hello", user="nora", tags=["t"])
    first.add_incident_field("sourceip")
    first.add_incident_type("Leak")
    first.add_pack({"id": "Pack"})
    seen = (first.incident("1"), first.entries("1"), first.incident_fields(), first.incident_types(), first.packs())
    first.close()
    second = make_tenant()
    assert (second.incident("1"), second.entries("1"), second.incident_fields(), second.incident_types(), second.packs()) == seen
    assert second.entry_file("1@1")[1].read_bytes() == b"bytes"
    assert created(second)["id"] == "2"


def test_a_closed_tenant_says_so(make_tenant: Make) -> None:
    """
    Given: a tenant that was closed.
    When: it is asked.
    Then: it says that it is closed.
    """
    tenant = make_tenant()
    tenant.close()
    with pytest.raises(TenantError, match="closed"):
        tenant.incident("1")


def test_of_two_changes_of_one_version_exactly_one_wins(tenant: Tenant) -> None:
    """
    Given: an incident, and eight threads that loaded it at the same version.
    When: all of them replace it at once.
    Then: one of them succeeds, the others are told of the conflict, and the winner's change is what is stored.
    """
    body = created(tenant)
    start = threading.Barrier(8)
    outcomes: list[str] = []

    def replace(name: str) -> None:
        start.wait()
        try:
            outcomes.append(tenant.replace_incident({**body, "name": name}, user="admin")["name"])
        except OptimisticLock:
            outcomes.append("conflict")

    threads = [threading.Thread(target=replace, args=(f"writer {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("conflict") == 7
    assert tenant.incident("1")["name"] in outcomes
    assert tenant.incident("1")["version"] == 2


def test_two_tenants_over_one_folder_see_each_others_writes(make_tenant: Make) -> None:
    """
    Given: one folder opened twice, as by two processes.
    When: both create incidents in turns from threads.
    Then: no incident is lost and no id used twice.
    """
    tenants = [make_tenant(), make_tenant()]
    threads = [threading.Thread(target=lambda tenant=tenant: [created(tenant) for _ in range(25)]) for tenant in tenants]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [tenant.search({})[1] for tenant in tenants] == [50, 50]


def test_a_batch_is_all_or_nothing(tenant: Tenant) -> None:
    """
    Given: changes made as one batch.
    When: the batch fails in the middle.
    Then: none of them is there.
    """
    with pytest.raises(NotFound), tenant.batch():
        created(tenant)
        tenant.change_incident("99", {"severity": 1})
    assert tenant.search({})[1] == 0


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """
    Given: a path where a file lies, and a folder whose database is none.
    When: a tenant is opened on them.
    Then: a sentence names the path.
    """
    (tmp_path / "file").write_text("x")
    with pytest.raises(TenantError, match=r"file.*cannot be used"):
        Tenant(TenantSettings("a", tmp_path / "file"))
    (tmp_path / "tenant.sqlite").write_text("not a database at all, but long enough to be taken for one" * 20)
    with pytest.raises(TenantError, match=r"tenant\.sqlite cannot be opened"):
        Tenant(TenantSettings("a", tmp_path))


@pytest.mark.parametrize("wrong", [{"version": "eight"}, {"page_keeps": "all"}, {"from_time_field": "x"}, {"empty_list": "none"}])
def test_settings_that_no_tenant_can_have_are_refused(tmp_path: Path, wrong: dict[str, str]) -> None:
    """
    Given: a setting with a value that means nothing.
    When: settings are made of it.
    Then: a sentence names the value.
    """
    with pytest.raises(TenantError, match=next(iter(wrong.values()))):
        TenantSettings("a", tmp_path, **wrong)  # type: ignore[arg-type]
