"""Uploading content packs over real HTTP: what is taken in shows in the tenant, what is wrong is refused with a sentence."""

import io
import json
import zipfile
from typing import Any

import pytest
import requests

from local_xsoar.tenant import packs
from local_xsoar.tests.tenant.tenant_client import Client

METADATA = {"id": "Ledger", "name": "A Ledger", "currentVersion": "1.2.3", "contentItems": {"integration": [{"name": "Ledger"}]}}
STATE = {"cliName": "ledgerstate", "name": "Ledger State", "type": "singleSelect", "associatedToAll": True}
OWNER = {"cliName": "ledgerowner", "name": "Ledger Owner", "type": "user", "associatedTypes": ["Ledger Entry"]}


def pack_zip(**files: Any) -> bytes:
    """Return a pack's zip: the metadata and the given files, named with __ for / and . for the JSON ones."""
    content = {"metadata.json": METADATA} | {name.replace("__", "/"): value for name, value in files.items()}
    return zip_of({name: value for name, value in content.items() if value is not None})


def zip_of(files: dict[str, Any]) -> bytes:
    """Return a zip of the files: name -> text, bytes, or an object to write as JSON."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in files.items():
            archive.writestr(name, value if isinstance(value, str | bytes) else json.dumps(value))
    return buffer.getvalue()


def upload(client: Client, content: bytes) -> requests.Response:
    """Upload as demisto-sdk does."""
    form = {"skipVerify": "true", "skipValidation": "true"}
    return client.post("/contentpacks/installed/upload", files={"file": ("pack.zip", content)}, data=form)


def installed(client: Client) -> list[tuple[str, str, str]]:
    """Return the id, name and version of each pack that the tenant lists."""
    listed = client.get("/contentpacks/metadata/installed").json() or []
    return [(pack["id"], pack["name"], pack["currentVersion"]) for pack in listed]


def test_an_uploaded_pack_shows_with_its_fields_and_types(client: Client) -> None:
    """
    Given: the zip of a pack with two incident fields and an incident type.
    When: it is uploaded.
    Then: the pack, its fields and its type are listed with the platform's own, and an incident of the type gets its playbook.
    """
    kind = {"id": "Ledger Entry", "name": "Ledger Entry", "playbookId": "Ledger Playbook"}
    content = pack_zip(
        **{"IncidentFields__a.json": STATE, "IncidentFields__b.json": OWNER, "IncidentTypes__c.json": kind, "README.md": "text"}
    )
    response = upload(client, content)
    assert response.status_code == 200, response.text
    assert installed(client) == [("Ledger", "A Ledger", "1.2.3")]
    assert client.get("/contentpacks/metadata/installed").json()[0]["contentItems"] == METADATA["contentItems"]
    fields = {field["cliName"]: field for field in client.get("/incidentfields").json()}
    assert (fields["ledgerstate"]["type"], fields["ledgerstate"]["name"]) == ("singleSelect", "Ledger State")
    assert (fields["ledgerowner"]["associatedTypes"], fields["ledgerowner"]["associatedToAll"]) == (["Ledger Entry"], False)
    of_phishing = {field["cliName"] for field in client.get("/incidentfields/associatedTypes/Phishing").json()}
    assert of_phishing & {"ledgerstate", "ledgerowner"} == {"ledgerstate"}
    assert "Ledger Entry" in {listed["name"] for listed in client.get("/incidenttype").json()}
    incident = client.tenant.create_incident({"name": "one", "type": "Ledger Entry"})
    assert incident and incident["playbookId"] == "Ledger Playbook"


def test_a_newer_version_takes_the_place_of_the_older(client: Client) -> None:
    """
    Given: a pack that was uploaded.
    When: its next version and another pack are uploaded.
    Then: the next version stands in its place, beside the other.
    """
    upload(client, pack_zip())
    upload(client, pack_zip(**{"metadata.json": METADATA | {"currentVersion": "1.3.0"}}))
    upload(client, zip_of({"pack_metadata.json": {"name": "Other", "currentVersion": "2.0.0"}}))
    assert installed(client) == [("Ledger", "A Ledger", "1.3.0"), ("Other", "Other", "2.0.0")]


def encrypted(content: bytes) -> bytes:
    """Return the zip with the mark of encryption on its first file."""
    local, central = content.index(b"PK\x03\x04"), content.index(b"PK\x01\x02")
    marked = bytearray(content)
    marked[local + 6] |= 1
    marked[central + 8] |= 1
    return bytes(marked)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "must be a zip file"),
        (b"no zip", "must be a zip file"),
        (pack_zip()[:-30], "must be a zip file"),
        (pack_zip().replace(b"metadata.json", b"metadata.jsoo", 1), "must be a zip file"),
        (encrypted(pack_zip()), "not encrypted"),
        (zip_of({}), "no metadata.json at its top"),
        (zip_of({"Ledger/metadata.json": METADATA}), "no metadata.json at its top"),
        (zip_of({"metadata.json": "{"}), "metadata.json holds no JSON object"),
        (zip_of({"metadata.json": "[1]"}), "metadata.json holds no JSON object"),
        (zip_of({"metadata.json": "[" * 100_000}), "metadata.json holds no JSON object"),
        (zip_of({"metadata.json": b"\xff\xfe\x00"}), "metadata.json holds no JSON object"),
        (pack_zip(**{"pack_metadata.json": "{"}), "pack_metadata.json holds no JSON object"),
        (pack_zip(**{"metadata.json": METADATA | {"name": ""}}), "has no name"),
        (pack_zip(**{"metadata.json": METADATA | {"name": ["x"]}}), "has no name"),
        (pack_zip(**{"metadata.json": {"name": "A Ledger"}}), "has no currentVersion"),
        (pack_zip(**{"IncidentFields__a.json": "{"}), "IncidentFields/a.json holds no JSON object"),
        (pack_zip(**{"IncidentFields__a.json": {"name": "x"}}), "without cliName"),
        (pack_zip(**{"IncidentFields__a.json": STATE | {"cliName": "Ledger State"}}), "is no cliName"),
        (pack_zip(**{"IncidentTypes__a.json": {"id": "x"}}), "without name"),
        (pack_zip(**{"../evil.txt": "x"}), "outside it: ../evil.txt"),
        (pack_zip(**{"Integrations/../../evil.txt": "x"}), "outside it"),
        (pack_zip(**{"..\\evil.txt": "x"}), "outside it"),
        (pack_zip(**{"/etc/evil.txt": "x"}), "outside it"),
        (pack_zip(**{"C:/evil.txt": "x"}), "outside it"),
    ],
)
def test_a_bad_pack_is_refused_and_leaves_nothing(client: Client, content: bytes, named: str) -> None:
    """
    Given: a file that is no zip, is damaged, or holds no proper pack.
    When: it is uploaded.
    Then: the tenant answers 400 with one sentence that names what is wrong, and neither pack nor field nor type is new.
    """
    before = (client.tenant.incident_fields(), client.tenant.incident_types(), client.tenant.packs())
    response = upload(client, content)
    assert response.status_code == 400, response.text
    body = response.json()
    assert named in body["error"]
    assert "\n" not in body["error"] and "Traceback" not in response.text
    assert (client.tenant.incident_fields(), client.tenant.incident_types(), client.tenant.packs()) == before


def test_a_pack_that_is_half_right_leaves_nothing(client: Client) -> None:
    """
    Given: a pack whose first field is in order and whose type has no name.
    When: it is uploaded.
    Then: it is refused, and the field is not there either.
    """
    response = upload(client, pack_zip(**{"IncidentFields__a.json": STATE, "IncidentTypes__a.json": {"id": "x"}}))
    assert response.status_code == 400
    assert "ledgerstate" not in {field["cliName"] for field in client.tenant.incident_fields()}
    assert installed(client) == []


@pytest.mark.parametrize(
    ("limit", "value", "named"),
    [("MAX_ZIP_BYTES", 200, "200 are allowed"), ("MAX_UNPACKED_BYTES", 5_000, "when unpacked"), ("MAX_FILES", 2, "3 files")],
)
def test_a_pack_beyond_a_limit_is_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, named: str
) -> None:
    """
    Given: limits that are lowered for the test, and a pack beyond one of them: in size, in unpacked size, in files.
    When: it is uploaded.
    Then: it is refused with the limit, and not remembered.
    """
    monkeypatch.setattr(packs, limit, value)
    response = upload(client, pack_zip(**{"README.md": "x" * 100_000, "LICENSE": "x"}))
    assert response.status_code == 413, response.text
    assert named in response.json()["error"]
    assert installed(client) == []


def test_a_wrong_key_uploads_nothing(client: Client) -> None:
    """
    Given: a good pack, and a key that is not the tenant's.
    When: it is uploaded with that key.
    Then: it is refused as every request with a wrong key is, and nothing is remembered.
    """
    files = {"file": ("pack.zip", pack_zip())}
    headers = client.headers() | {"Authorization": "another"}
    response = requests.post(f"{client.base}/contentpacks/installed/upload", files=files, headers=headers, timeout=20)
    assert response.status_code == (401 if client.tenant.settings.is_8 else 403)
    assert installed(client) == []


def test_an_upload_without_a_file_is_refused(client: Client) -> None:
    """
    Given: a form without a file.
    When: it is uploaded.
    Then: the tenant says which part is missing.
    """
    response = client.post("/contentpacks/installed/upload", data={"skipVerify": "true"}, files={"other": (None, "x")})
    assert response.status_code == 400
    assert "part named file" in response.json()["error"]
