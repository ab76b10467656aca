"""The proof that the tenant speaks the API: the official client demisto-py, driven against it over HTTP."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import demisto_client
import pytest
from demisto_client.demisto_api import CreateIncidentRequest, IncidentFilter, SearchIncidentsData, UpdateEntry
from demisto_client.demisto_api.models import UpdateDataBatch, UpdateEntryTags
from demisto_client.demisto_api.rest import ApiException

from local_xsoar.tenant import Tenant
from local_xsoar.tests.tenant.tenant_client import Client

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def api(client: Client, monkeypatch: pytest.MonkeyPatch) -> Any:
    """demisto-py set up for the tenant: with a key, a key and its id, or an advanced key and its id."""
    for name in ("DEMISTO_API_KEY_ID", "XSIAM_AUTH_ID", "DEMISTO_ADVANCED_API_KEY", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    settings = client.tenant.settings
    key = {"advanced_api_key": settings.api_key} if settings.advanced_key else {"api_key": settings.api_key}
    auth_id = {"auth_id": settings.key_id} if settings.is_8 else {}
    return demisto_client.configure(base_url=client.address, verify_ssl=False, **key, **auth_id)


def create(api: Any, **fields: Any) -> Any:
    request = CreateIncidentRequest(name="made by demisto-py", create_investigation=True, **fields)
    return api.create_incident(create_incident_request=request)


def call(api: Any, method: str, path: str, body: Any = None) -> Any:
    """Call a route that demisto-py has no method for."""
    answer, _status, _headers = demisto_client.generic_request_func(
        self=api, path=path, method=method, body=body, response_type="object"
    )
    return answer


def test_about(api: Any, client: Client) -> None:
    """
    Given: demisto-py.
    When: it asks for the server's version.
    Then: it gets the tenant's.
    """
    assert call(api, "GET", "/about")["demistoVersion"] == client.tenant.settings.version


def test_create_and_search(api: Any) -> None:
    """
    Given: demisto-py, whose typed bodies carry every field as null.
    When: it creates incidents and searches them with a query, a size and an order.
    Then: it understands the answers: ids, times, severities, totals.
    """
    created = create(api, type="Phishing", severity=3, details="by the official client")
    assert (created.id, created.status, created.investigation_id) == ("1", 1, "1")
    create(api, severity=1)
    search = IncidentFilter(query="-status:closed", size=5, page=0, sort=[{"field": "created", "asc": True}])
    found = api.search_incidents(filter=SearchIncidentsData(filter=search))
    assert (found.total, [incident.id for incident in found.data]) == (2, ["1", "2"])
    assert (found.data[0].name, found.data[0].severity, found.data[0].type) == ("made by demisto-py", 3, "Phishing")
    assert found.data[0].created.isoformat().startswith("2023-03-05T10:06:48.446")
    typed = IncidentFilter(level=[3], status=[1], type=["Phishing"], size=5)
    assert [incident.id for incident in api.search_incidents(filter=SearchIncidentsData(filter=typed)).data] == ["1"]


def test_nothing_found(api: Any) -> None:
    """
    Given: no incident.
    When: demisto-py searches.
    Then: the total is 0 and there is no data.
    """
    found = api.search_incidents(filter=SearchIncidentsData(filter=IncidentFilter(query="id:1", size=5)))
    assert (found.total, found.data) == (0, None)


def test_update_and_conflict(api: Any) -> None:
    """
    Given: an incident loaded with demisto-py.
    When: it is sent back changed, and then once more as it was loaded.
    Then: the first goes through, the second is the server's optimistic lock error.
    """
    create(api, details="first")
    loaded = call(api, "GET", "/incident/load/1")
    updated = call(api, "POST", "/incident", loaded | {"details": "second"})
    assert (updated["details"], updated["version"]) == ("second", 2)
    with pytest.raises(ApiException) as conflict:
        call(api, "POST", "/incident", loaded | {"details": "third"})
    assert conflict.value.status == 400
    assert json.loads(conflict.value.body)["id"] == "errOptimisticLock"
    assert call(api, "GET", "/incident/load/1")["details"] == "second"


def test_close(api: Any) -> None:
    """
    Given: two incidents.
    When: one is closed by itself and the other in a batch.
    Then: both are closed, with reason and notes.
    """
    create(api), create(api)
    call(api, "POST", "/incident/close", {"id": "1", "closeReason": "Resolved", "closeNotes": "done", "CustomFields": {}})
    batch = UpdateDataBatch(ids=["2"], close_reason="Resolved", close_notes="done")
    assert api.close_incidents_batch(update_data_batch=batch).total == 1
    for incident_id in ("1", "2"):
        loaded = call(api, "GET", f"/incident/load/{incident_id}")
        assert (loaded["status"], loaded["closeReason"], loaded["closeNotes"]) == (2, "Resolved", "done")


def test_war_room(api: Any) -> None:
    """
    Given: an incident.
    When: demisto-py writes a chat, a formatted text and a note, tags one, and reads the War Room.
    Then: all of it is there as written.
    """
    create(api)
    chat = api.investigation_add_entry_handler(update_entry=UpdateEntry(investigation_id="1", data="hello"))
    assert (chat.id, chat.contents, chat.user) == ("1@1", "hello", "admin")
    formatted = {"investigationId": "1", "format": "markdown", "contents": "**b**"}
    assert call(api, "POST", "/entry/formatted", formatted)["format"] == "markdown"
    call(api, "POST", "/entry/note", {"investigationId": "1", "data": "a note", "markdown": False, "id": "", "version": 0})
    tags = UpdateEntryTags(id="1@1", investigation_id="1", version=-1, tags=["ForRemote"])
    assert api.update_entry_tags_op(update_entry_tags=tags).tags == ["ForRemote"]
    entries = call(api, "POST", "/investigation/1", {"pageSize": 10})["entries"]
    assert [(entry["contents"], entry["tags"], entry["note"]) for entry in entries] == [
        ("hello", ["ForRemote"], False),
        ("**b**", None, False),
        ("a note", None, True),
    ]
    results = api.investigation_add_entries_sync(update_entry=UpdateEntry(investigation_id="1", data="!reopenInvestigation"))
    assert len(results) == 1


def test_upload_and_download(api: Any, tmp_path: Path) -> None:
    """
    Given: an incident and a file.
    When: demisto-py uploads it to the incident and downloads the War Room entry that came of it.
    Then: the bytes are the same.
    """
    create(api)
    source = tmp_path / "report.bin"
    source.write_bytes(bytes(range(256)) * 300)
    wrapper = api.incident_file_upload("1", str(source), file_comment="see this")
    assert [attachment.name for attachment in wrapper.attachment] == ["report.bin"]
    api.api_client.configuration.temp_folder_path = str(tmp_path / "downloads")
    (tmp_path / "downloads").mkdir()
    downloaded = Path(api.download_file("1@1"))
    assert (downloaded.name, downloaded.read_bytes()) == ("report.bin", source.read_bytes())


def test_fields_types_and_pack(api: Any, tmp_path: Path) -> None:
    """
    Given: demisto-py.
    When: it lists the fields of an incident type and the types, and uploads a content pack.
    Then: the answers are lists, and the upload is accepted; a pack that is no zip is refused.
    """
    assert {"severity", "owner"} <= {field.cli_name for field in api.get_incidents_fields_by_incident_type("Phishing")}
    assert "Unclassified" in {kind["name"] for kind in call(api, "GET", "/incidenttype")}
    pack = tmp_path / "pack.zip"
    with zipfile.ZipFile(pack, "w") as archive:
        archive.writestr("metadata.json", '{"id": "Ledger", "name": "A Ledger", "currentVersion": "1.0.0"}')
    api.upload_content_packs(file=str(pack))
    assert [found["name"] for found in call(api, "GET", "/contentpacks/metadata/installed")] == ["A Ledger"]
    pack.write_bytes(b"no zip")
    with pytest.raises(ApiException):
        api.upload_content_packs(file=str(pack))


def test_delete(api: Any) -> None:
    """
    Given: two incidents.
    When: demisto-py deletes one in a batch.
    Then: the other is left.
    """
    create(api), create(api)
    api.delete_incidents_batch(update_data_batch=UpdateDataBatch(ids=["1"], all=False))
    assert [incident.id for incident in api.search_incidents(filter=SearchIncidentsData(filter=IncidentFilter(size=5))).data] == [
        "2"
    ]


def test_a_wrong_key_is_refused(client: Client, api: Any) -> None:
    """
    Given: demisto-py set up with another key.
    When: it searches.
    Then: the error has the status of the tenant's version: 401 on 8.x, 403 on 6.x.
    """
    configuration = api.api_client.configuration
    if client.tenant.settings.advanced_key:
        configuration.auth_signed_key = "wrong"
    else:
        configuration.api_key["Authorization"] = "wrong"
    with pytest.raises(ApiException) as refused:
        api.search_incidents(filter=SearchIncidentsData(filter=IncidentFilter(size=1)))
    assert refused.value.status == (401 if client.tenant.settings.is_8 else 403)


def test_a_client_set_up_for_8_meets_the_page_of_6(make_tenant: Callable[..., Tenant], serve: Callable[..., Client]) -> None:
    """
    Given: demisto-py with a key id, and a 6.x tenant.
    When: it asks for the version.
    Then: what it gets is the UI's page.
    """
    client = serve(make_tenant(version="6.12.0"))
    api = demisto_client.configure(base_url=client.address, api_key=client.tenant.settings.api_key, auth_id="7", verify_ssl=False)
    answer, status, headers = demisto_client.generic_request_func(self=api, path="/about", method="GET")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "<html>" in answer
