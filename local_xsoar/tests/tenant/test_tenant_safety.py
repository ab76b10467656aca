"""The local tenant is no hole in the machine that it runs on: who reaches it, how much it takes, and what it never touches."""

import http.client
import io
import json
import re
import socket
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests

from local_xsoar.cli.serve import main as serve_command
from local_xsoar.tenant import Tenant, access
from local_xsoar.tenant.errors import BadRequest
from local_xsoar.tenant.packs import METADATA, read_pack
from local_xsoar.tenant.routes import FILE_ROUTES, JSON_ROUTES, MAX_DEPTH
from local_xsoar.tenant.web import guard
from local_xsoar.tests.tenant.tenant_client import KEY, Client

MakeTenant = Callable[..., Tenant]
Serve = Callable[..., Client]
CANARY = "what nobody may read over HTTP"


# Who reaches it


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.2"), (socket.AF_INET6, "::1")])
def test_it_listens_on_one_address_of_this_machine(tenant: Tenant, serve: Serve, family: int, host: str) -> None:
    """
    Given: a tenant that is served.
    When: its port is tried at another address of this machine.
    Then: nobody answers there.
    """
    port = urlsplit(serve(tenant).address).port
    with socket.socket(family) as other:
        other.settimeout(2)
        with pytest.raises(OSError):
            other.connect((host, port))


@pytest.mark.parametrize("option", ["--host", "--bind", "--address"])
def test_no_option_opens_it_to_others(option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: the command line.
    When: an address to listen at is given.
    Then: it is refused in a sentence.
    """
    with pytest.raises(SystemExit) as ended:
        serve_command(["--folder", str(tmp_path / "data"), option, "192.0.2.1"])
    assert ended.value.code == 2
    assert option in capsys.readouterr().err


@pytest.mark.parametrize(
    "settings",
    [{"version": "6.12.0"}, {"version": "8.8.0"}, {"version": "8.8.0", "advanced_key": True}],
    ids=["6.x", "8.x", "8.x advanced"],
)
def test_keys_are_compared_in_constant_time(
    make_tenant: MakeTenant, serve: Serve, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    """
    Given: a tenant of each kind.
    When: a key is right or wrong from any letter on.
    Then: only the constant comparison sees it.
    """
    compared: list[tuple[bytes, bytes]] = []

    class Spied(str):
        """A key that tells when it is compared in another way."""

        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            raise AssertionError("The key was compared letter by letter.")

    real = access.hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(access.hmac, "compare_digest", compare)
    client = serve(make_tenant(**settings, api_key=Spied(KEY)))

    def headers() -> dict[str, str]:
        return {name: "".join(value) for name, value in client.headers().items()}

    assert requests.get(f"{client.base}/about", headers=headers(), timeout=20).status_code == 200
    for wrong in ("x" + KEY[1:], KEY[:-1] + "x", KEY + "x", KEY[:-1]):
        compared.clear()
        sent = headers() | {"Authorization": wrong}
        assert requests.get(f"{client.base}/about", headers=sent, timeout=20).status_code in (401, 403)
        assert wrong.encode() in {given for given, _ in compared}


def test_the_page_compares_its_secrets_in_constant_time(tenant: Tenant, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: the web page.
    When: a wrong token is shown.
    Then: the constant comparison saw it.
    """
    compared: list[bytes] = []
    real = guard.hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return real(one, other)

    monkeypatch.setattr(guard.hmac, "compare_digest", compare)
    client = serve(tenant, page_token="the-token")
    headers = {guard.MARK: "1", "Origin": client.address}
    response = requests.post(f"{client.address}/web/api/session", json={"token": "the-tokex"}, headers=headers, timeout=20)
    assert response.status_code == 401
    assert b"the-tokex" in compared


# How much it takes


@pytest.fixture
def small(make_tenant: MakeTenant, serve: Serve) -> Client:
    """A client of a tenant with low limits, which has one incident."""
    tenant = make_tenant(body_limit=2_000, upload_limit=20_000)
    tenant.create_incident({"name": "first"})
    return serve(tenant)


def pieces(content: bytes) -> Iterator[bytes]:
    """Yield content in pieces, which makes requests send it without saying how long it is."""
    for start in range(0, len(content), 700):
        yield content[start : start + 700]


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_beyond_the_limit_is_refused(small: Client, declared: bool) -> None:
    """
    Given: a limit for bodies.
    When: a longer one is sent, at once or in pieces that do not say how many follow.
    Then: it is answered with 413 and a sentence, nothing is created, and the connection serves the next request.
    """
    body = json.dumps({"name": "x" * 5_000}).encode()
    response = small.post("/incident", data=body if declared else pieces(body))
    assert response.status_code == 413
    assert response.json()["id"] == "too_large"
    assert response.json()["error"] == "The request's body is too large: 2000 bytes are allowed."
    assert small.tenant.search({})[1] == 1
    assert small.get("/about").status_code == 200


def test_a_body_up_to_the_limit_is_taken(small: Client) -> None:
    """
    Given: a limit for bodies.
    When: one is just as long.
    Then: it is taken, and one byte more is not.
    """
    start = json.dumps({"name": "n", "details": ""}).encode()
    details = "d" * (2_000 - len(start))
    fits = json.dumps({"name": "n", "details": details}).encode()
    assert len(fits) == 2_000
    assert small.post("/incident", data=fits).status_code == 201
    assert small.post("/incident", data=fits + b" ").status_code == 413


@pytest.mark.parametrize("route", ["/entry/upload/1", "/incident/upload/1", "/contentpacks/installed/upload"])
@pytest.mark.parametrize("declared", [True, False])
def test_an_upload_beyond_the_limit_is_refused(small: Client, tmp_path: Path, route: str, declared: bool) -> None:
    """
    Given: a limit for uploads, far above the one for other bodies.
    When: a larger file is sent.
    Then: it is answered with 413 and a sentence, and nothing of it is kept.
    """
    prepared = requests.Request("POST", small.base + route, files={"file": ("a.bin", bytes(30_000))}).prepare()
    assert isinstance(prepared.body, bytes)
    data = prepared.body if declared else pieces(prepared.body)
    headers = small.headers() | {"Content-Type": prepared.headers["Content-Type"]}
    response = small.session.post(small.base + route, data=data, headers=headers, timeout=20)
    assert (response.status_code, response.json()["id"]) == (413, "too_large")
    assert "20000 bytes are allowed" in response.json()["error"]
    assert list((tmp_path / "tenant" / "files").iterdir()) == []
    assert small.tenant.entries("1") == []


def test_an_upload_up_to_the_limit_is_taken(small: Client) -> None:
    """
    Given: a limit for uploads.
    When: a file fits.
    Then: it is taken.
    """
    assert small.post("/entry/upload/1", files={"file": ("a.bin", bytes(19_000))}).status_code == 200
    (entry,) = small.tenant.entries("1")
    assert small.tenant.entry_file(entry["id"])[1].stat().st_size == 19_000


def test_the_key_comes_before_the_size(small: Client) -> None:
    """
    Given: a wrong key.
    When: too much is sent with it.
    Then: it is refused for the key.
    """
    body = json.dumps({"name": "x" * 5_000})
    headers = small.headers() | {"Authorization": "another"}
    assert requests.post(f"{small.base}/incident", data=body, headers=headers, timeout=20).status_code == 401


def test_the_page_refuses_too_much_in_a_sentence(make_tenant: MakeTenant, serve: Serve) -> None:
    """
    Given: the web page.
    When: too long a body is posted.
    Then: it answers 413 with one sentence.
    """
    client = serve(make_tenant(body_limit=100), page_token="the-token")
    headers = {guard.MARK: "1", "Origin": client.address}
    sent = {"token": "x" * 500}
    response = requests.post(f"{client.address}/web/api/session", json=sent, headers=headers, timeout=20)
    assert (response.status_code, response.json()) == (
        413,
        {"error": "The request's body is too large: 100 bytes are allowed."},
    )


@pytest.mark.parametrize("what", ["files", "fields"])
def test_a_form_with_many_parts_is_refused(client: Client, what: str) -> None:
    """
    Given: a form with a hundred parts.
    When: it is uploaded.
    Then: it is refused as not well-formed, and nothing is written.
    """
    client.tenant.create_incident({"name": "first"})
    parts = [("file", ("a", b"x"))] * 100 if what == "files" else [("file", ("a", b"x"))] + [("f", (None, "x"))] * 100
    response = client.post("/entry/upload/1", files=parts)
    assert response.status_code == 400
    assert client.tenant.entries("1") == []


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_has_an_end(client: Client, opening: str, closing: str) -> None:
    """
    Given: a custom field whose value is nested as deeply as is allowed, and one that is nested more deeply.
    When: incidents are created with them.
    Then: the first can be read and searched again; the other is refused, whatever its depth, and spoils nothing.
    """

    def create(depth: int) -> requests.Response:
        value = opening * depth + "1" + closing * depth
        return client.post("/incident", data=f'{{"name": "n", "CustomFields": {{"state": {value}}}}}')

    assert create(MAX_DEPTH - 2).status_code in (200, 201)
    for depth in (MAX_DEPTH - 1, 300, 900, 950, 1_000, 100_000):
        assert create(depth).status_code == 400
    found = client.post("/incidents/search", {"filter": {"query": "", "size": 10}})
    assert (found.status_code, found.json()["total"]) == (200, 1)


def test_a_pack_that_lies_about_its_size_is_not_unpacked() -> None:
    """
    Given: a zip that says of a file of 40 MB that it has 100 bytes.
    When: it is read.
    Then: it is refused, and never unpacked.
    """
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(METADATA[0], b" " * 40_000_000)
    content = bytearray(raw.getvalue())
    central = content.index(b"PK\x01\x02")
    for place in (22, central + 24):  # where the local and the central header hold the unpacked size
        content[place : place + 4] = struct.pack("<I", 100)
    tracemalloc.start()
    try:
        with pytest.raises(BadRequest, match=r"holds no JSON object|cannot be read"):
            read_pack(io.BytesIO(content))
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


# What it never touches

HOSTILE = [
    "../secret.txt",
    "../../secret.txt",
    "../access.json",
    "../tenant.sqlite",
    "..\\secret.txt",
    "/etc/passwd",
    "//etc/passwd",
    "file:///etc/passwd",
    "~/.profile",
    "C:\\Windows\\win.ini",
    "secret.txt\0.png",
    "1@../../secret.txt",
    "1@1/../../secret.txt",
    "%2e%2e%2fsecret.txt",
    "CON",
    "x" * 3_000,
    "'; DROP TABLE incidents; --",
    "\u202etxt.secret",
]
PATHS = sorted({(method, path) for method, path, _ in (*JSON_ROUTES, *FILE_ROUTES)})


@pytest.fixture
def guarded(make_tenant: MakeTenant, serve: Serve, tmp_path: Path) -> Client:
    """A client of a tenant whose folder, and the one around it, hold files that are nobody's business."""
    tenant = make_tenant()
    for place in (tmp_path, tmp_path / "tenant"):
        for name in ("secret.txt", "access.json"):
            (place / name).write_text(CANARY, encoding="utf-8")
    tenant.create_incident({"name": "first"})
    tenant.add_entry("1", file=("a.txt", b"harmless"))
    return serve(tenant, page_token="the-token")


def raw_call(client: Client, method: str, target: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    """Call an address exactly as it is written: other clients tidy up `..` beforehand."""
    parts = urlsplit(client.address)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=20)
    try:
        connection.putrequest(method, target, skip_host=False, skip_accept_encoding=True)
        for name, value in {**client.headers(), "Content-Length": str(len(body)), **headers}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def tree(folder: Path) -> dict[str, bytes]:
    """Return what lies below a folder, but for the tenant's own database and the names of its own files."""
    own = re.compile(r"tenant/(tenant\.sqlite.*|files/[0-9a-f]{32})")
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not own.fullmatch(name)}


def is_harmless(content: bytes) -> bool:
    """Say whether an answer holds nothing of the files around the tenant."""
    return not any(secret in content for secret in (CANARY.encode(), b"SQLite format", b"root:x:", b"root:*:"))


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_no_route_reaches_the_file_system(guarded: Client, tmp_path: Path, method: str, path: str) -> None:
    """
    Given: files next to the tenant's own.
    When: a route is called with their paths in each place that it takes a text: its address, its body's fields.
    Then: no answer holds them, none is a failure of the server, and none of them was changed or made.
    """
    before = tree(tmp_path)
    names = ("id", "investigationId", "name", "data", "contents", "format", "closeReason", "type", "path", "file")
    for hostile in HOSTILE:
        for written in {quote(hostile, safe=""), quote(hostile, safe="/%\\:@")}:
            target = "/xsoar" + "".join(written if part.startswith("{") else part for part in re.split(r"(\{\w+\})", path))
            if "{" not in path:
                target += f"?id={written}"
            fields = dict.fromkeys(names, hostile) | {"attachment": [{"path": hostile, "name": hostile}], "tags": [hostile]}
            for body in (fields, {"filter": {"query": f"name:{json.dumps(hostile)}", "id": [hostile], "size": 5}}):
                status, content = raw_call(guarded, method, target, json.dumps(body).encode() if method == "POST" else b"")
                assert status < 500, (target, content)
                assert is_harmless(content), target
    assert tree(tmp_path) == before
    assert guarded.get("/incident/load/1").json()["name"] == "first"


def test_nothing_else_is_served(guarded: Client, tmp_path: Path) -> None:
    """
    Given: files next to the tenant's own.
    When: the page and unknown addresses are asked for them.
    Then: none is given.
    """
    before = tree(tmp_path)
    for hostile in HOSTILE:
        for prefix in ("/", "/web/", "/web/api/", "/web/api/entries/", "/xsoar/", "/xsoar/public/v1/", "/static/"):
            for written in {quote(hostile, safe=""), quote(hostile, safe="/%\\:@"), quote(f"../../{hostile}", safe="/")}:
                status, content = raw_call(guarded, "GET", prefix + written)
                assert status < 500, (prefix, hostile)
                assert is_harmless(content), (prefix, hostile)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("hostile", [name for name in HOSTILE if len(name) < 1_000])
@pytest.mark.parametrize("route", ["/entry/upload/1", "/incident/upload/1"])
def test_a_hostile_file_name_stays_a_name(guarded: Client, tmp_path: Path, route: str, hostile: str) -> None:
    """
    Given: a file with a name that is a path.
    When: it is uploaded, its name also given in the form, and downloaded again.
    Then: its bytes come back from a file with a name of the tenant's own, and none lies anywhere else.
    """
    before = tree(tmp_path)
    form = {"fileName": hostile, "fileComment": hostile, "tags": hostile}
    response = guarded.post(route, data=form, files={"file": (hostile, b"the content")})
    assert response.status_code == 200, response.text
    entry = guarded.tenant.entries("1")[-1]
    _, path = guarded.tenant.entry_file(entry["id"])
    assert re.fullmatch(r"[0-9a-f]{32}", path.name)
    assert path.parent == tmp_path / "tenant" / "files"
    downloaded = guarded.get(f"/entry/download/{quote(entry['id'])}")
    assert downloaded.content == b"the content"
    assert "\n" not in downloaded.headers["Content-Disposition"]
    assert tree(tmp_path) == before


@pytest.mark.parametrize("hostile", HOSTILE)
def test_an_attachment_that_was_never_uploaded_leads_nowhere(guarded: Client, hostile: str) -> None:
    """
    Given: an incident whose attachment names a path.
    When: its War Room opens.
    Then: no entry gives a file for it.
    """
    item = {"name": hostile, "path": hostile, "type": "", "description": "", "showMediaFile": False}
    created = guarded.post("/incident", {"name": "n", "attachment": [item], "createInvestigation": False})
    assert created.status_code in (201, 400), created.text
    if created.status_code == 400:
        return
    incident_id = created.json()["id"]
    assert guarded.post("/incident/investigate", {"id": incident_id, "version": 1}).status_code == 200
    for entry in guarded.tenant.entries(incident_id):
        answer = guarded.get(f"/entry/download/{quote(entry['id'])}")
        assert answer.status_code == 400
        assert is_harmless(answer.content)
