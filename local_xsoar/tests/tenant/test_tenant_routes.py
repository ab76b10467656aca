"""The REST API over real HTTP: every route, in the manners of 6.x, of 8.x, and of 8.x with an advanced key."""

import threading
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests
from starlette.requests import Request
from starlette.responses import Response

from local_xsoar.tenant import Tenant, TenantError, serving
from local_xsoar.tenant.server import LostAnswer
from local_xsoar.tests.tenant.tenant_client import Client, Clock

Make = Callable[..., Tenant]
Serve = Callable[..., Client]


def answer(response: requests.Response, status: int = 200) -> Any:
    """Return the JSON of an answer that has the status."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/json"
    return response.json()


def refusal(response: requests.Response, status: int, error_id: str) -> str:
    """Return the text of a standard error body."""
    body = answer(response, status)
    assert set(body) == {"id", "status", "title", "detail", "error", "encrypted", "multires"}
    assert (body["id"], body["status"], body["encrypted"], body["multires"]) == (error_id, status, False, None)
    assert "Traceback" not in response.text
    return body["error"]


def create(client: Client, **fields: Any) -> dict[str, Any]:
    """Create an incident with an open War Room over HTTP and return the answer."""
    response = client.post("/incident", {"name": "case", "createInvestigation": True} | fields)
    return answer(response, 201 if client.tenant.settings.is_8 else 200)


# Incidents


def test_create_load_update_search(client: Client) -> None:
    """
    Given: a tenant.
    When: an incident is created, loaded, changed and sent back whole, and searched.
    Then: each answer is the incident as it then is; changing it moved its version.
    """
    wrapper = create(client, severity=2, CustomFields={"sourceip": "192.0.2.1"})
    assert (wrapper["id"], wrapper["status"], wrapper["investigationId"], wrapper["changeStatus"]) == ("1", 1, "1", "new")
    loaded = answer(client.get("/incident/load/1"))
    assert {field: wrapper[field] for field in loaded} == loaded
    updated = answer(client.post("/incident", loaded | {"severity": 3, "CustomFields": {"sourceip": "192.0.2.2"}}))
    assert (updated["severity"], updated["CustomFields"], updated["version"]) == (
        3,
        {"sourceip": "192.0.2.2"},
        loaded["version"] + 1,
    )
    found = answer(client.post("/incidents/search", {"filter": {"query": "severity:high", "size": 5}}))
    assert (found["total"], found["data"]) == (1, [updated])
    assert {"notUpdated", "searchAfter", "searchBefore", "accountErrors", "totalAccounts"} <= set(found)


def test_create_without_investigation_is_pending(client: Client) -> None:
    """
    Given: an incident created without `createInvestigation`.
    When: its War Room is read, opened, and opened again.
    Then: at first there is none; opening gives it; the second time the server says that it is there already.
    """
    assert create(client, createInvestigation=False)["investigationId"] == ""
    assert refusal(client.post("/investigation/1", {}), 400, "errNotFound") == "Could not find investigation 1 (8)"
    opened = answer(client.post("/incident/investigate", {"id": "1", "version": 1}))
    assert (opened["error"], opened["id"], opened["investigation"]["id"], opened["version"]) == (None, "1", "1", 2)
    again = client.post("/incident/investigate", {"id": "1", "version": 2})
    assert refusal(again, 400, "bad_request") == "Investigation already exists for incident 1"


def test_create_dropped_by_a_rule_has_an_empty_body(make_tenant: Make, serve: Serve) -> None:
    """
    Given: tenants of both versions with a pre-processing rule.
    When: an incident that the rule drops is created.
    Then: the answer is 200 without a body.
    """
    for version in ("6.12.0", "8.8.0"):
        client = serve(make_tenant(version=version, drop_created_if_name_contains="noise"))
        response = client.post("/incident", {"name": "noise", "createInvestigation": True})
        assert (response.status_code, response.content) == (200, b"")


def test_8_wants_a_name_and_6_does_not(make_tenant: Make, serve: Serve) -> None:
    """
    Given: tenants of both versions.
    When: an incident without a name is created.
    Then: 8.x refuses, 6.x does not.
    """
    assert "name" in refusal(serve(make_tenant()).post("/incident", {"name": " "}), 400, "bad_request")
    assert serve(make_tenant(version="6.12.0")).post("/incident", {"severity": 1}).status_code == 200


def test_an_update_with_an_old_version_is_a_conflict(client: Client) -> None:
    """
    Given: an incident changed since it was loaded.
    When: the loaded one is sent back.
    Then: the answer is 400 with the body captured from a real server, and the incident is as it was.
    """
    loaded = create(client)
    current = client.tenant.change_incident("1", {"severity": 4})
    body = answer(client.post("/incident", loaded), 400)
    assert body == {
        "id": "errOptimisticLock",
        "status": 400,
        "title": "Optimistic lock error",
        "detail": "Optimistic lock error",
        "error": "DB Version '2' and Insert version '1' do not match for id: 1 on bucket [] [incidents] (15)",
        "encrypted": False,
        "multires": None,
    }
    assert client.tenant.incident("1") == current
    assert answer(client.post("/incident", loaded | {"version": -1}))["severity"] == 0


def test_of_two_updates_at_once_exactly_one_wins(client: Client) -> None:
    """
    Given: an incident that two clients loaded.
    When: both send it back at the same moment.
    Then: one gets the changed incident, the other a conflict.
    """
    loaded = create(client)
    start = threading.Barrier(2)
    statuses: list[int] = []

    def update(name: str) -> None:
        start.wait()
        url, headers = f"{client.base}/incident", client.headers()
        statuses.append(requests.post(url, json=loaded | {"name": name}, headers=headers, timeout=20).status_code)

    threads = [threading.Thread(target=update, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 400]


def test_close_answers_before_it_shows(client: Client) -> None:
    """
    Given: an open incident.
    When: it is closed.
    Then: the answer still shows it open, as the captured one did; loading it shows it closed.
    """
    create(client)
    body = {"id": "1", "version": 1, "closeReason": "Resolved", "closeNotes": "done", "CustomFields": {"x": "1"}}
    assert answer(client.post("/incident/close", body))["status"] == 1
    loaded = answer(client.get("/incident/load/1"))
    assert (loaded["status"], loaded["closeReason"], loaded["closeNotes"], loaded["CustomFields"]) == (
        2,
        "Resolved",
        "done",
        {"x": "1"},
    )
    assert loaded["closingUserId"] == "admin"


def test_batch_close_and_batch_delete(client: Client) -> None:
    """
    Given: three incidents.
    When: two and an unknown one are closed as a batch, and all closed ones deleted by a filter.
    Then: the answers count what was done and what was not.
    """
    for _ in range(3):
        create(client)
    closed = answer(client.post("/incident/batchClose", {"ids": ["1", "3", "9"], "closeReason": "Other", "closeNotes": "n"}))
    assert (closed["total"], closed["notUpdated"], [item["status"] for item in closed["data"]]) == (2, 1, [2, 2])
    deleted = answer(client.post("/incident/batchDelete", {"ids": [], "all": True, "filter": {"query": "status:closed"}}))
    assert (deleted["totalDeleted"], client.tenant.search({})[1]) == (2, 1)


def test_unknown_incidents_are_named(client: Client) -> None:
    """
    Given: no incident 77.
    When: it is loaded, updated, closed or investigated.
    Then: the answer is 400 with a text that names it.
    """
    for response in (
        client.get("/incident/load/77"),
        client.post("/incident", {"id": "77", "version": 1, "name": "a"}),
        client.post("/incident/close", {"id": "77"}),
        client.post("/incident/investigate", {"id": "77"}),
    ):
        assert refusal(response, 400, "errNotFound") == "Could not find incident 77 (8)"


# War Rooms


def test_investigation_gives_its_object_and_entries(client: Client) -> None:
    """
    Given: an incident with chats.
    When: its War Room is read with and without a filter.
    Then: the entries are there, oldest first, inside the investigation.
    """
    create(client, owner="nora")
    for text in ("one", "two", "three"):
        client.post("/entry", {"investigationId": "1", "data": text})
    room = answer(client.post("/investigation/1", {}))
    assert (room["id"], room["name"], room["status"], room["users"]) == ("1", "case", 0, ["nora"])
    assert [entry["contents"] for entry in room["entries"]] == ["one", "two", "three"]
    page = answer(client.post("/investigation/1", {"pageSize": 2, "categories": ["chats"], "fromTime": "2020-01-01T00:00:00Z"}))
    assert [entry["contents"] for entry in page["entries"]] == ["two", "three"]


def test_chat(client: Client) -> None:
    """
    Given: an open War Room.
    When: a text and a markdown text are posted.
    Then: they are chats of the key's user.
    """
    create(client)
    chat = answer(client.post("/entry", {"investigationId": "1", "data": "hello", "id": "", "version": 0, "args": None}))
    assert (chat["id"], chat["category"], chat["contents"], chat["format"], chat["user"]) == (
        "1@1",
        "chat",
        "hello",
        "text",
        "admin",
    )
    assert answer(client.post("/entry", {"investigationId": "1", "data": "**b**", "markdown": True}))["format"] == "markdown"


@pytest.mark.parametrize("text", ["!ip ip=192.0.2.1", "/invite nora"])
def test_a_text_that_looks_like_a_command_runs(client: Client, text: str) -> None:
    """
    Given: an open War Room.
    When: a text that begins with ! or / is posted as a chat.
    Then: it is no chat: a command ran, and its result is in the War Room.
    """
    create(client)
    assert answer(client.post("/entry", {"investigationId": "1", "data": text}))["category"] == "commandAndResults"
    entries = client.tenant.entries("1")
    assert [entry["category"] for entry in entries] == ["commandAndResults"] * 2
    assert entries[1]["contents"].startswith("Command i")
    assert entries[1]["parentId"] == entries[0]["id"]
    results = answer(client.post("/entry/execute/sync", {"investigationId": "1", "data": text}))
    assert [entry["parentId"] for entry in results] == ["3@1"]


def test_reopen_by_a_command_of_another_war_room(client: Client) -> None:
    """
    Given: a closed incident and an open one.
    When: reopenInvestigation runs in the open one's War Room, with the closed one's id, and with an unknown one.
    Then: the closed one is open; the unknown one gives an error entry.
    """
    create(client), create(client)
    client.tenant.close_incident("1", reason="Resolved")
    command = {"investigationId": "2", "data": '!reopenInvestigation id="1"'}
    assert [entry["type"] for entry in answer(client.post("/entry/execute/sync", command))] == [1]
    assert client.tenant.incident("1")["status"] == 1
    unknown = answer(client.post("/entry/execute/sync", command | {"data": "!reopenInvestigation id=9"}))
    assert (unknown[0]["type"], "9" in unknown[0]["contents"]) == (4, True)


def test_a_closed_war_room_takes_no_entry(client: Client) -> None:
    """
    Given: a closed incident.
    When: a chat, a command, a note, a formatted text and a file are posted.
    Then: each answer is 412; reading it still works, and so does tagging.
    """
    create(client)
    client.tenant.add_entry("1", contents="before", user="nora")
    client.tenant.close_incident("1")
    for path, body in (
        ("/entry", {"data": "x"}),
        ("/entry/execute/sync", {"data": "!reopenInvestigation"}),
        ("/entry/note", {"data": "x"}),
        ("/entry/formatted", {"contents": "x", "format": "text"}),
    ):
        assert "closed" in refusal(client.post(path, {"investigationId": "1"} | body), 412, "errInvestigationClosed")
    refusal(client.post("/entry/upload/1", files={"file": ("a.txt", b"1")}), 412, "errInvestigationClosed")
    assert answer(client.post("/investigation/1"))["status"] == 1
    assert answer(client.post("/entry/tags", {"id": "1@1", "investigationId": "1", "tags": ["x"]}))["tags"] == ["x"]
    assert len(client.tenant.entries("1")) == 1


def test_formatted_text_is_a_persons_and_never_runs(client: Client) -> None:
    """
    Given: an open War Room.
    When: texts are posted formatted, one that looks like a command among them.
    Then: they are chats of that format; a format that does not exist and contents that is no string are refused.
    """
    create(client)
    for text_format in ("text", "markdown", "json", "table", "html"):
        entry = answer(client.post("/entry/formatted", {"investigationId": "1", "format": text_format, "contents": "!ip"}))
        assert (entry["format"], entry["contents"], entry["category"]) == (text_format, "!ip", "chat")
    wrong = {"investigationId": "1", "format": "pdf", "contents": "x"}
    assert "pdf" in refusal(client.post("/entry/formatted", wrong), 400, "bad_request")
    assert "contents" in refusal(client.post("/entry/formatted", wrong | {"format": "json", "contents": {}}), 400, "bad_request")
    assert len(client.tenant.entries("1")) == 5


def test_note_without_id_creates_and_with_id_marks(client: Client) -> None:
    """
    Given: a chat.
    When: a note is written, the chat is marked as a note and unmarked.
    Then: the note is one of category note; the chat becomes a note and stops being one, its text untouched.
    """
    create(client)
    answer(client.post("/entry", {"investigationId": "1", "data": "chat"}))
    note = answer(client.post("/entry/note", {"investigationId": "1", "data": "!note", "markdown": True, "id": "", "version": 0}))
    assert (note["id"], note["note"], note["category"], note["contents"], note["format"]) == (
        "2@1",
        True,
        "note",
        "!note",
        "markdown",
    )
    for data, marked in (("true", True), ("false", False)):
        entry = answer(client.post("/entry/note", {"id": "1@1", "version": 1, "investigationId": "1", "data": data}))
        assert (entry["note"], entry["contents"], entry["category"]) == (marked, "chat", "chat")


def test_tags_are_set_as_a_whole(client: Client) -> None:
    """
    Given: an entry with tags.
    When: others are set.
    Then: the old ones are gone.
    """
    create(client)
    client.tenant.add_entry("1", contents="x", user="nora", tags=["a", "b"])
    body = {"id": "1@1", "investigationId": "1", "version": -1, "tags": ["c"]}
    assert answer(client.post("/entry/tags", body))["tags"] == ["c"]
    assert client.tenant.entry("1@1")["tags"] == ["c"]
    assert "9@1" in refusal(client.post("/entry/tags", body | {"id": "9@1"}), 400, "errNotFound")


@pytest.mark.parametrize("path", ["/entry", "/entry/note", "/entry/formatted", "/entry/execute/sync"])
def test_entries_of_an_unknown_war_room(client: Client, path: str) -> None:
    """
    Given: no incident 5.
    When: something is written into its War Room.
    Then: the answer names the investigation.
    """
    body = {"investigationId": "5", "data": "x", "contents": "x"}
    assert refusal(client.post(path, body), 400, "errNotFound") == "Could not find investigation 5 (8)"


# Files


@pytest.mark.parametrize(
    ("name", "disposition"),
    [
        ("report.txt", "attachment; filename=report.txt"),
        ("two words.txt", 'attachment; filename="two words.txt"'),
        ("größe.txt", "attachment; filename=\"gr__e.txt\"; filename*=utf-8''gr%C3%B6%C3%9Fe.txt"),
        ("../../etc/passwd", 'attachment; filename="../../etc/passwd"'),
    ],
)
def test_upload_and_download_an_entrys_file(client: Client, name: str, disposition: str) -> None:
    """
    Given: a file with a plain, a spaced, a foreign or a hostile name.
    When: it is uploaded into a War Room with a comment, tags and the note mark, and downloaded.
    Then: the entry has it all, and the download gives the same bytes under that name.
    """
    create(client)
    content = bytes(range(256)) * 5000
    form = {"fileComment": "see this", "isNoteEntry": "true", "showMediaFiles": "false", "tags": "a, b"}
    body = answer(client.post("/entry/upload/1", files={"file": (name, content)}, data=form))
    (entry,) = body["entries"]
    assert (entry["file"], entry["type"], entry["contents"], entry["note"], entry["tags"]) == (
        name,
        3,
        "see this",
        True,
        ["a", "b"],
    )
    assert (entry["category"], entry["fileMetadata"]["size"], entry["fileID"].endswith(name)) == (
        "attachment",
        len(content),
        True,
    )
    for entry_id in (entry["id"], entry["id"].replace("@", "%40")):
        download = client.get(f"/entry/download/{entry_id}")
        assert (download.status_code, download.content) == (200, content)
        assert (download.headers["Content-Type"], download.headers["Content-Disposition"]) == (
            "application/octet-stream",
            disposition,
        )


def test_upload_to_an_incident(client: Client) -> None:
    """
    Given: a pending incident.
    When: files are uploaded to it: one as an attachment, one into a custom field, a last one that opens the War Room.
    Then: they are where they belong, and all of the attachments are in the War Room once it is open.
    """
    create(client, createInvestigation=False)
    first = client.post("/incident/upload/1", files={"file": ("a.txt", b"1")}, data={"fileName": "b.txt", "fileComment": "first"})
    assert [(item["name"], item["description"]) for item in answer(first)["attachment"]] == [("b.txt", "first")]
    custom = client.post("/incident/upload/1", files={"file": ("c.txt", b"2")}, data={"field": "evidencefiles"})
    assert [item["name"] for item in answer(custom)["CustomFields"]["evidencefiles"]] == ["c.txt"]
    last = answer(client.post("/incident/upload/1", files={"file": ("d.txt", b"3")}, data={"last": "true"}))
    assert (last["status"], [item["name"] for item in last["attachment"]]) == (1, ["b.txt", "d.txt"])
    assert sorted(entry["file"] for entry in client.tenant.entries("1")) == ["b.txt", "d.txt"]


def test_uploads_that_are_none(client: Client) -> None:
    """
    Given: requests without a file, with a file part that is a field, with no multipart body, for unknown incidents.
    When: they are sent to the upload routes.
    Then: each is refused in a sentence, and no file stays on disk.
    """
    create(client)
    for path in ("/entry/upload/1", "/incident/upload/1"):
        assert "file" in refusal(client.post(path, files={"other": ("a", b"1")}), 400, "bad_request")
        assert "file" in refusal(client.post(path, data={"file": "text"}), 400, "bad_request")
        headers = client.headers() | {"Content-Type": "multipart/form-data"}  # without a boundary
        response = requests.post(client.base + path, data=b"--x\r\nnonsense", headers=headers, timeout=20)
        assert "multipart" in refusal(response, 400, "bad_request")
    for path in ("/entry/upload/9", "/incident/upload/9"):
        assert " 9 " in refusal(client.post(path, files={"file": ("a", b"1")}), 400, "errNotFound")
    assert list((client.tenant.settings.folder / "files").iterdir()) == []


def test_download_of_what_has_no_file(client: Client) -> None:
    """
    Given: a chat, and a file entry whose file was taken away.
    When: they and an unknown entry are downloaded.
    Then: each is refused in a sentence.
    """
    create(client)
    client.tenant.add_entry("1", contents="x", user="nora")
    client.tenant.add_entry("1", file=("a.txt", b"1"))
    client.tenant.entry_file("2@1")[1].unlink()
    for entry_id in ("1@1", "2@1", "7@1", "nonsense"):
        assert entry_id in refusal(client.get(f"/entry/download/{entry_id}"), 400, "errNotFound")


# Schema and server


def test_incident_fields_are_a_bare_list(client: Client) -> None:
    """
    Given: a tenant with a custom field of its own, associated with one type.
    When: the fields are listed, all and by type.
    Then: the packs', the own one and those of evidence and indicators are there, each once and with its marks.
    """
    client.tenant.add_incident_field("sourceip", name="Source IP", associated_types=["Phishing"])
    fields = answer(client.get("/incidentfields"))
    by_id = {field["id"]: field for field in fields}
    assert list(by_id) == sorted(field["id"] for field in fields)
    timer, own = by_id["incident_triagesla"], by_id["incident_sourceip"]
    assert (timer["system"], timer["content"], timer["isReadOnly"]) == (False, True, True)
    assert (own["system"], own["content"], own["name"], own["associatedTypes"]) == (False, False, "Source IP", ["Phishing"])
    assert {field["group"] for field in fields} == {0, 1, 2}
    of_malware = {field["cliName"] for field in answer(client.get("/incidentfields/associatedTypes/Malware"))}
    assert "severity" in of_malware and "sourceip" not in of_malware


def test_system_fields_are_as_captured(client: Client, captured: Callable[[str], Any]) -> None:
    """
    Given: system fields that a real server gave.
    When: the fields are listed.
    Then: they are the same but for version and time; keys of an incident that are no field of that server are none here.
    """
    by_id = {field["id"]: field for field in answer(client.get("/incidentfields"))}
    for field in captured("system_fields.json"):
        given = by_id[field["id"]] | {"modified": field["modified"], "version": field["version"], "selectValues": None}
        assert {key: given[key] for key in field} == field
    for name in ("CustomFields", "dueDate", "status", "created", "modified", "closed", "id"):
        assert f"incident_{name.lower()}" not in by_id


@pytest.mark.parametrize(
    ("setting", "offered"), [("listed", ["False Positive", "Resolved", "Other", "Duplicate"]), ("null", None)]
)
def test_close_reasons_may_be_listed(make_tenant: Make, serve: Serve, setting: str, offered: Any) -> None:
    """
    Given: a tenant whose closeReason field lists the reasons, and one whose does not.
    When: the fields are listed.
    Then: its values are the reasons, or null as in the captured field.
    """
    fields = answer(serve(make_tenant(close_reasons=setting)).get("/incidentfields"))
    (reason,) = [field for field in fields if field["name"] == "closeReason"]
    assert (reason["cliName"], reason["unmapped"], reason["selectValues"]) == ("closereason", True, offered)


def test_a_tenant_of_an_older_version_lists_todays_fields(make_tenant: Make) -> None:
    """
    Given: a tenant whose database holds a system field of an older version, and a custom field.
    When: it is opened again.
    Then: it lists today's system fields, and the custom field.
    """
    tenant = make_tenant()
    tenant.add_incident_field("sourceip")
    tenant._put("incident_fields", {"id": "incident_created", "system": True})
    tenant.close()
    ids = [field["id"] for field in make_tenant().incident_fields()]
    assert "incident_sourceip" in ids and "incident_created" not in ids


def test_incident_types_are_a_bare_list(client: Client) -> None:
    """
    Given: a tenant with a type of its own.
    When: the types are listed.
    Then: it and the default one are there.
    """
    client.tenant.add_incident_type("Leak", "leak-playbook")
    types = {kind["id"]: kind for kind in answer(client.get("/incidenttype"))}
    assert types["Unclassified"]["default"] is True
    assert (types["Leak"]["name"], types["Leak"]["playbookId"]) == ("Leak", "leak-playbook")


def test_about_health_user_workers(client: Client) -> None:
    """
    Given: a tenant.
    When: the routes by which clients probe a server are called.
    Then: they tell version and mode, and that all is well.
    """
    about = answer(client.get("/about"))
    assert about["demistoVersion"] == client.tenant.settings.version
    mode = ("xsoar", "saas") if client.tenant.settings.is_8 else (None, None)
    assert (about.get("productMode"), about.get("deploymentMode")) == mode
    assert [client.get(path).status_code for path in ("/health", "/health/server")] == [200, 200]
    assert answer(client.get("/user"))["id"] == "admin"
    assert answer(client.get("/workers/status"))["Busy"] == 0


# Bad requests


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"text"', b"null", b'{"filter": NaN}', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 5_000]
)
def test_a_body_that_is_no_json_object_is_refused(client: Client, body: bytes) -> None:
    """
    Given: a body that is no JSON object.
    When: it is sent.
    Then: the answer is the server's bad_request.
    """
    text = refusal(client.post("/incidents/search", data=body), 400, "bad_request")
    assert text == "Request body is not well-formed. It must be JSON."


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/incidents/search", {}, "filter"),
        ("/incidents/search", {"filter": {"query": "name:(", "size": 1}}, "could not be parsed"),
        ("/incidents/search", {"filter": {"size": 2**40}}, "size"),
        ("/incident", {"name": 5}, "name"),
        ("/incident", {"name": "a", "severity": "high"}, "severity"),
        ("/incident", {"name": "a", "id": 5}, "id"),
        ("/incident", {"name": "a", "occurred": "noon"}, "occurred"),
        ("/incident/close", {"id": "1", "CustomFields": "x"}, "CustomFields"),
        ("/incident/batchClose", {"ids": "1"}, "ids"),
        ("/entry", {"investigationId": "1"}, "data"),
        ("/entry", {"investigationId": "1", "data": 5}, "data"),
        ("/entry/tags", {"id": "1@1", "tags": "a"}, "tags"),
        ("/investigation/1", {"pageSize": "x"}, "pageSize"),
    ],
)
def test_a_wrong_body_is_refused_by_name(client: Client, path: str, body: dict[str, Any], named: str) -> None:
    """
    Given: a body with something missing or of the wrong type.
    When: it is sent.
    Then: the answer is 400 with a sentence that names it.
    """
    create(client)
    assert named in refusal(client.post(path, body), 400, "bad_request")


def test_a_number_that_json_cannot_hold_is_refused(client: Client) -> None:
    """
    Given: an infinite number, which JSON readers take for 1e999.
    When: an incident with it in a custom field is created.
    Then: it is refused, and searches go on working.
    """
    response = client.post("/incident", data=b'{"name": "a", "CustomFields": {"n": 1e999}}')
    refusal(response, 400, "bad_request")
    assert answer(client.post("/incidents/search", {"filter": {"query": "n:>1", "size": 1}}))["total"] == 0


def test_half_characters_and_null_characters_are_stored(client: Client) -> None:
    """
    Given: JSON escapes of half a surrogate pair and of a null character.
    When: an incident and a chat with them are created.
    Then: the half is a replacement character, the null character is kept, and searches go on working.
    """
    create(client)
    response = client.post("/incident", data=b'{"name": "a\\ud800b", "details": "a\\u0000b", "CustomFields": {"x": "\\udc00"}}')
    assert response.status_code in (200, 201)
    loaded = answer(client.get("/incident/load/2"))
    assert (loaded["name"], loaded["details"], loaded["CustomFields"]) == ("a\ufffdb", "a\x00b", {"x": "\ufffd"})
    assert answer(client.post("/incidents/search", {"filter": {"query": "-x:y and -owner:z", "size": 1}}))["total"] == 2


def test_unknown_routes(client: Client) -> None:
    """
    Given: paths and methods within the API that no route serves.
    When: they are called.
    Then: the answer is a 404 in the standard shape.
    """
    for method, path in (
        ("GET", "/incident/nonsense"),
        ("GET", "/incidents/search"),
        ("POST", "/entry/1@1"),
        ("DELETE", "/incident"),
    ):
        assert path in refusal(client.call(method, path), 404, "not_found")


def test_a_failure_inside_gives_no_stack_trace(
    tenant: Tenant, serve: Serve, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Given: a tenant with a fault.
    When: it is called.
    Then: the answer is a 500 in the standard shape; what happened is in the server's log only.
    """
    client = serve(tenant)
    monkeypatch.setattr(tenant, "incident", lambda incident_id: 1 / 0)
    assert refusal(client.get("/incident/load/1"), 500, "internal") == "The request could not be handled."
    assert "ZeroDivisionError" in caplog.text


# The server


def test_every_answer_carries_the_tenants_date(client: Client, clock: Clock) -> None:
    """
    Given: a tenant whose clock stands in 2023.
    When: it answers, refuses, and gives a page.
    Then: the Date header is the tenant's time.
    """
    create(client)
    clock.advance(3600)
    for response in (
        client.get("/incident/load/1"),
        client.get("/incident/load/2"),
        requests.get(client.base + "/about", timeout=20),
    ):
        assert parsedate_to_datetime(response.headers["Date"]).timestamp() == clock.now // 1_000_000_000


def test_8_answers_under_both_prefixes(tenant: Tenant, serve: Serve) -> None:
    """
    Given: an 8.x tenant.
    When: it is called under /xsoar and under /xsoar/public/v1.
    Then: both answer alike.
    """
    client = serve(tenant)
    create(client)
    under = [
        requests.get(f"{client.address}/{prefix}/incident/load/1", headers=client.headers(), timeout=20)
        for prefix in ("xsoar", "xsoar/public/v1")
    ]
    assert answer(under[0]) == answer(under[1]) == tenant.incident("1")


def test_8_outside_the_api(tenant: Tenant, serve: Serve) -> None:
    """
    Given: an 8.x tenant.
    When: addresses outside the API are called, with and without a key.
    Then: pages of the UI are HTML for everyone; routes of the API there are refused without a key and fail with one.
    """
    client = serve(tenant)

    def call(method: str, path: str, headers: dict[str, str] | None = None) -> requests.Response:
        return requests.request(method, client.address + path, headers=headers, json={}, timeout=20)

    for path in ("/", "/login", "/xsoarish"):
        page = call("GET", path)
        assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    for method, path in (
        ("GET", "/about"),
        ("GET", "/health/server"),
        ("POST", "/incidents/search"),
        ("POST", "/"),
        ("GET", "/xsoar"),
    ):
        assert call(method, path).json() == {
            "reply": {"err_code": 401, "err_msg": "Public API request unauthorized", "err_extra": None}
        }
    refusal(call("GET", "/about", client.headers()), 500, "internal")
    refusal(call("POST", "/incidents/search", client.headers()), 500, "internal")
    assert call("GET", "/login", client.headers()).headers["Content-Type"].startswith("text/html")
    refusal(call("POST", "/login", client.headers()), 404, "not_found")
    assert answer(call("GET", "/public_api/v1/healthcheck", client.headers())) == {"status": "available"}


def test_8_public_routes_that_are_closed(tenant: Tenant, serve: Serve) -> None:
    """
    Given: an 8.x tenant.
    When: routes that /xsoar/public/v1 does not have are called there.
    Then: they lead to the web client; the incident types are 405 there, and come without public/v1.
    """
    client = serve(tenant)

    def call(path: str) -> requests.Response:
        address = f"{client.address}/xsoar/{path}"
        return requests.get(address, headers=client.headers(), timeout=20, allow_redirects=False)

    unknown = call("public/v1/classifier/search")
    assert (unknown.status_code, unknown.headers["Location"]) == (303, "/")
    refusal(call("public/v1/incidenttype"), 405, "method_not_allowed")
    assert answer(call("incidenttype"))


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_must_be_called_json(client: Client, kind: str) -> None:
    """
    Given: a search in JSON.
    When: it is sent without a content type, or with another.
    Then: it is refused with 415.
    """
    headers = client.headers() | ({"Content-Type": kind} if kind else {})
    response = requests.post(f"{client.base}/incidents/search", data=b'{"filter": {}}', headers=headers, timeout=20)
    assert "Content-Type" in refusal(response, 415, "unsupported_media_type")


def test_6_outside_the_api_is_the_page_of_the_ui(make_tenant: Make, serve: Serve) -> None:
    """
    Given: a 6.x tenant.
    When: an address that no API route begins with is called, as a client set up for 8.x does.
    Then: the answer is 200 with the UI's HTML.
    """
    client = serve(make_tenant(version="6.12.0"))
    for method, path in (
        ("GET", "/"),
        ("GET", "/xsoar/about"),
        ("POST", "/xsoar/public/v1/incidents/search"),
        ("GET", "/acc_other/about"),
    ):
        page = client.call(method, path)
        assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


def test_6_answers_under_its_account_too(make_tenant: Make, serve: Serve) -> None:
    """
    Given: a 6.x tenant with an account.
    When: it is called at the root and under /acc_<account>.
    Then: both answer, and incidents carry the account.
    """
    client = serve(make_tenant(version="6.12.0", account="blue"))
    assert create(client)["account"] == "blue"
    assert answer(client.get("/acc_blue/incident/load/1")) == answer(client.get("/incident/load/1"))


def test_hooks_may_answer_instead_and_lose_answers(tenant: Tenant, serve: Serve) -> None:
    """
    Given: a hook that answers a first search with 429, and one that loses the answer of a creation.
    When: searches and a creation are sent.
    Then: the first search is 429 and the second is the tenant's; the creation's answer never comes, but the incident is there.
    """
    seen: list[str] = []

    async def before(request: Request) -> Response | None:
        seen.append(request.url.path)
        await request.body()
        return Response(status_code=429) if seen == ["/xsoar/incidents/search"] else None

    async def after(request: Request, response: Response) -> Response | None:
        return LostAnswer() if request.url.path == "/xsoar/incident" and response.status_code == 201 else None

    client = serve(tenant, hook=before, after=after)
    search = {"filter": {"size": 1}}
    assert [client.post("/incidents/search", search).status_code for _ in range(2)] == [429, 200]
    with pytest.raises(requests.RequestException):
        client.post("/incident", {"name": "a"})
    assert tenant.incident("1")["name"] == "a"


def test_serving_stops_and_its_port_can_be_had_again(tenant: Tenant) -> None:
    """
    Given: a served tenant.
    When: it is served a second time on the same port, stopped, and served on that port.
    Then: the second is refused in a sentence that names the port, the third works.
    """
    with serving(tenant) as address:
        port = int(address.rsplit(":", 1)[1])
        with pytest.raises(TenantError, match=f"Port {port} cannot be used"), serving(tenant, port):
            pass
    with serving(tenant, port) as again:
        assert requests.get(again, timeout=20).status_code == 200
    with pytest.raises(requests.ConnectionError):
        requests.get(again, timeout=20)
