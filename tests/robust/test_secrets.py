"""What leaves the process holds no secret: one play of all commands with all faults, and a search through everything of it."""

import base64
import hashlib
import json
import logging
import os
import re
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

import pytest
import requests
from stand_ins import (
    ERRORS,
    HOST_6,
    HOST_8,
    KEY,
    LAST_UPDATE,
    Outcome,
    Remote,
    Server,
    attach,
    load,
    local_entry,
    memory_of,
    push,
    records_of,
    script,
)

NAMES = [
    "incident",
    "details",
    "ticket",
    "owner",
    "label",
    "attachment",
    "attachmentbytes",
    "chat",
    "note",
    "author",
    "file",
    "filebytes",
    "closereason",
    "closenotes",
    "localname",
    "localdetails",
    "localchat",
    "localnote",
    "localauthor",
    "localfile",
    "localbytes",
    "localticket",
    "localclosenotes",
]
# Each stands in one place only, on one side. None may be where it is not meant to be.
WORDS = {name: f"canary-{name}-{number:03d}" for number, name in enumerate(NAMES)}
SIGNED = ("authorization", "x-xdr-nonce")
LEAKING = [
    requests.exceptions.ConnectionError,
    requests.exceptions.ReadTimeout,
    requests.exceptions.SSLError,
    requests.exceptions.ProxyError,
    requests.exceptions.InvalidHeader,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.RetryError,
    requests.exceptions.ContentDecodingError,
]
ANSWERS: list[dict[str, Any]] = [
    {"status_code": 401, "json": ERRORS["v8_wrong_key"]},
    {"status_code": 403, "json": ERRORS["v6_wrong_key"]},
    {"status_code": 429, "json": ERRORS["v8_rate_limit"], "headers": {"Retry-After": "60"}},
    {"status_code": 400, "json": ERRORS["bad_request"]},
    {"status_code": 400, "json": ERRORS["optimistic_lock"]},
    {"status_code": 412, "json": ERRORS["closed"]},
    {"status_code": 404, "json": ERRORS["not_found"]},
    {"status_code": 500, "text": "oops"},
    {"status_code": 502, "text": "<html>gateway</html>", "headers": {"Content-Type": "text/html"}},
    {"status_code": 200, "text": "<html>sign in</html>", "headers": {"Content-Type": "text/html"}},
    {"status_code": 200, "text": '{"cut": '},
    {"status_code": 200, "json": []},
    {"status_code": 200, "json": {"data": "x", "id": {}, "total": "x", "version": "x"}},
    {"status_code": 204},
    {"status_code": 302, "headers": {"Location": "https://elsewhere.example.net/x"}},
]


class Outside:
    """Everything that left the process: log, results, errors, what is kept, what was printed and written."""

    def __init__(self) -> None:
        self.private: list[str] = []  # What only people with rights to the incident see: results and incidents.
        self.public: list[str] = []  # What anybody may see: logs, errors, what is kept.

    def add(self, server: Server, outcome: Outcome) -> None:
        """Collect what one run left."""
        self.private.append(json.dumps([outcome.result if not outcome.error else None, outcome.incidents], ensure_ascii=False))
        self.public += [outcome.error, kept_without_notices(server), json.dumps([server.last_run, server.last_mirror_run])]
        self.public += [line for _, line in server.log]
        server.log.clear()


def kept_without_notices(server: Server) -> str:
    """Return what is kept but for the notes on conflicts, which hold both values until the next pull tells them."""
    records = [script.pack(record._replace(notices={})) for record in records_of(server).values()]
    return server.context + json.dumps([script.pack(memory_of(server)), records])


def secrets_of(remote: Remote) -> set[str]:
    """Return the key, and each signature and nonce that went out, in all the ways in which they can be written."""
    plain = {KEY, *(call.headers["Authorization"] for call in remote.calls)}
    plain |= {call.headers[name] for call in remote.calls for name in call.headers if name.lower() == "x-xdr-nonce"}
    coded: set[str] = set()
    # Written otherwise, each signature is as likely to be seen as another.
    for text in [KEY, *sorted(plain)[:20]]:
        pair = base64.b64encode(f"7:{text}".encode()).decode()
        coded |= {text, text[::-1], quote(text), quote_plus(text), text.encode().hex(), pair.rstrip("=")}
        # Base64 of it, wherever it stands in a longer text.
        coded |= {base64.b64encode(b"x" * shift + text.encode()).decode()[4:-4] for shift in range(3)}
        coded |= {hashlib.sha256(text.encode()).hexdigest()}
    return {text for text in coded if len(text) > 12}


def signatures_in(text: str, remote: Remote) -> set[str]:
    """Return the signatures and nonces that went out and stand in a text."""
    sent = {call.headers[name] for call in remote.calls for name in call.headers if name.lower() in SIGNED}
    return sent & set(re.findall(r"[0-9A-Za-z]{64}", text))


def commands(remote_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Return every command with arguments that it takes."""
    return [
        ("test-module", {}),
        ("fetch-incidents", {}),
        ("get-modified-remote-data", {"lastUpdate": LAST_UPDATE}),
        ("get-remote-data", {"id": remote_id, "lastUpdate": LAST_UPDATE}),
        ("get-mapping-fields", {}),
        ("xsoar-search-incidents", {"columns": "all"}),
        ("xsoar-get-incident", {"id": remote_id, "categories": "chats,notes,attachments"}),
        ("xsoar-mirror-status", {"id": remote_id}),
        ("xsoar-mirror-diff", {"id": remote_id}),
        ("xsoar-mirror-resync", {"id": remote_id}),
        ("xsoar-mirror-mappers", {"local_fields": load("incident_fields")}),
        ("xsoar-mirror-check", {"report": "true"}),
    ]


def populate(server: Server, remote: Remote, folder: Path) -> None:
    """Fill the remote, and the local incident, with words that can be told apart."""
    word = WORDS
    remote.add(
        "1",
        name=word["incident"],
        details=word["details"],
        owner=word["owner"],
        labels=[{"type": "x", "value": word["label"]}],
        CustomFields={"customerticket": word["ticket"]},
    )
    attach(remote, "1", f"{word['attachment']}.txt", word["attachmentbytes"].encode())
    remote.write("1", word["chat"], user=word["author"])
    remote.write("1", word["note"], note=True)
    remote.write_file("1", f"{word['file']}.txt", word["filebytes"].encode())
    remote.add("2")
    local = folder / "local.bin"
    local.write_bytes(word["localbytes"].encode())
    server.files["3@77"] = {"id": "3@77", "path": str(local), "name": f"{word['localfile']}.txt"}
    server.incident = {
        "id": "77",
        "name": word["localname"],
        "details": word["localdetails"],
        "dbotMirrorId": "1",
        "dbotMirrorInstance": "headquarters",
        "CustomFields": {},
    }


def update() -> dict[str, Any]:
    """Return a local update that holds something of everything."""
    word = WORDS
    return {
        "data": {"name": word["localname"], "closeReason": "Other", "closeNotes": word["localclosenotes"]},
        "delta": {"details": word["localdetails"], "customerticket": word["localticket"], "unknown": word["localname"]},
        "entries": [
            local_entry(1, word["localchat"], user=word["localauthor"]),
            local_entry(2, word["localnote"], note=True),
            local_entry(3, "", type=3, file=f"{word['localfile']}.txt", fileID="x", category="attachments"),
        ],
    }


def faults(remote: Remote) -> Iterator[dict[str, Any]]:
    """Yield every fault. Exceptions carry the request with its headers, and name it in their text, as careless ones do."""
    yield from ANSWERS
    for kind in LEAKING:
        request = requests.Request("POST", f"{remote.root}/x", headers={"Authorization": "as sent"}).prepare()
        yield {"answer": kind(f"failed: {request.headers}", request=request)}


@pytest.mark.parametrize(("kind", "debug"), [("6", True), ("8 standard", False), ("8 advanced", True)])
def test_no_secret_leaves_the_process(
    server: Server,
    clock: Any,
    requests_mock: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    kind: str,
    debug: bool,
) -> None:
    """
    Given: a tenant full of words that can be told apart, each kind of key, and debug mode or not.
    When: every command runs, well and with every fault at every kind of call, while Python's own loggers tell all they know.
    Then: nothing that left the process holds the key or a signature; words stand only in results, incidents and files.
    """
    caplog.set_level(logging.DEBUG)
    remote = Remote(clock, key_id="" if kind == "6" else "7")
    requests_mock.add_matcher(remote)
    remote.advanced_key = kind == "8 advanced"
    server.params |= {
        "url": HOST_6 if kind == "6" else HOST_8,
        "credentials_api_key": {"identifier": remote.key_id, "password": KEY},
        "advanced_api_key": remote.advanced_key,
        "debug_mode": debug,
        "fetch_incident_history": True,
    }
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    populate(server, remote, tmp_path)
    outside = Outside()

    def play() -> None:
        for command, args in commands("1"):
            outside.add(server, server.run(command, args))
        for changes in ({}, {"status": 2}, {"status": 1}):
            outside.add(server, push(server, "1", **{**update(), **changes}))
        outside.add(server, push(server, "", data={"id": "78", "name": WORDS["localname"]}, delta={"name": WORDS["localname"]}))

    play()
    remote.close("1", WORDS["closereason"], WORDS["closenotes"])
    play()
    assert any(WORDS["chat"] in text for text in outside.private), "the play shows nothing"
    routes = ("POST /incidents/search", "GET /incident/load", "POST /investigation", "GET /entry", "POST /entry")
    for number, fault in enumerate(faults(remote)):
        # All calls meet it, and then those of one kind, each kind in its turn.
        for route in ("", routes[number % len(routes)]):
            remote.faults.clear()
            remote.fail(route, times=10**6, **fault)
            clock.tick(timedelta(minutes=6))
            remote.change("1", status=1, details=WORDS["details"])
            play()
    remote.faults.clear()

    printed = "".join(capfd.readouterr())
    written = [f"{path.name}\n{path.read_text(errors='replace')}" for path in work.rglob("*") if path.is_file()]
    library_lines = [record.getMessage() for record in caplog.records]
    everywhere = "\n".join([*outside.public, *outside.private, printed, *written, *library_lines])
    assert not [secret for secret in secrets_of(remote) if secret in everywhere]
    assert not signatures_in(everywhere, remote)
    public = "\n".join([*outside.public, printed])
    assert not [word for word in WORDS.values() if word in public]
    assert not [word for word in WORDS.values() if word in "\n".join(path.name for path in work.rglob("*"))]
    assert printed == ""
    environment = json.dumps(dict(os.environ))
    assert KEY not in environment


@pytest.mark.parametrize("kind", LEAKING)
@pytest.mark.parametrize("advanced", [False, True])
def test_an_exception_of_the_library_is_not_passed_on(
    server: Server, remote: Remote, kind: type[requests.exceptions.RequestException], advanced: bool
) -> None:
    """
    Given: an exception of the HTTP library whose text and request hold the headers as they were sent.
    When: any command meets it.
    Then: neither the error nor the log, traceback included, holds them.
    """
    server.params["advanced_api_key"] = remote.advanced_key = advanced
    told: list[str] = []

    def refuse(request: Any) -> None:
        told.append(request.headers["Authorization"])
        raise kind(f"{request.method} {request.url} {request.headers}", request=request)

    remote._answer = lambda call: refuse(requests.Request("GET", call.url, headers=call.headers).prepare())  # type: ignore

    errors = [server.run(command, args).error for command, args in commands("1")]
    errors.append(push(server, "1", **update()).error)

    assert told
    text = "\n".join([*errors, *(line for _, line in server.log), server.kept_text()])
    assert not [secret for secret in told if secret in text]


@pytest.mark.parametrize("way", ["password", "identifier"])
def test_a_key_with_special_characters_is_hidden_too(server: Server, remote: Remote, way: str) -> None:
    """
    Given: a key with characters that JSON and addresses write otherwise.
    When: a run fails.
    Then: no writing of it shows.
    """
    key = 'k"e\\y/+=&<>%41 zz-canary'
    server.params["credentials_api_key"] = {"identifier": "7", "password": KEY, way: key}
    remote.fail("", times=99, answer=requests.exceptions.InvalidHeader(f"bad value {key!r}"))

    errors = [server.run(command, args).error for command, args in commands("1")]

    text = "\n".join([*errors, *(line for _, line in server.log), server.kept_text()])
    if way == "password":
        for written in (key, json.dumps(key)[1:-1], quote(key), quote_plus(key), "zz-canary"):
            assert written not in text


@pytest.mark.parametrize("insecure", [None, False, "false", "", True, "true"])
def test_certificates_are_checked_unless_it_is_said_otherwise(
    server: Server, remote: Remote, monkeypatch: pytest.MonkeyPatch, insecure: Any
) -> None:
    """
    Given: the parameter insecure, in each shape.
    When: commands run, the test with a key of the other kind among them.
    Then: each call checks the certificate unless it is selected; calls of others in the process are as before.
    """
    server.params["insecure"] = insecure
    remote.add("1")
    seen: list[Any] = []
    send = requests.Session.send
    context = ssl._create_default_https_context

    def note(session: requests.Session, request: Any, **options: Any) -> Any:
        seen.append(options.get("verify"))
        return send(session, request, **options)

    # It is put back before requests_mock puts back what it has replaced itself.
    with monkeypatch.context() as patch:
        patch.setattr(requests.Session, "send", note)
        for command, args in commands("1"):
            server.run(command, args)
        remote.advanced_key = True
        server.run("test-module")

    wanted = insecure not in (True, "true")
    assert seen
    assert all(bool(verify) is wanted for verify in seen)
    assert requests.Session().verify is True
    assert ssl._create_default_https_context is context
    assert ssl.create_default_context().verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize("advanced", [False, True])
def test_the_key_goes_to_the_configured_host_alone(server: Server, remote: Remote, requests_mock: Any, advanced: bool) -> None:
    """
    Given: a remote whose every answer names other hosts: in links, in redirects, in ids, in cookies.
    When: every command runs.
    Then: each request went to the configured host, under its root, and none carries a cookie that it set.
    """
    server.params["advanced_api_key"] = remote.advanced_key = advanced
    other = "https://elsewhere.example.net"
    respond = remote._respond
    remote._respond = lambda request, response: respond(  # type: ignore[method-assign]
        request,
        {
            **response,
            "headers": {
                **response.get("headers", {}),
                "Location": other,
                "Link": f"<{other}>; rel=next",
                "Refresh": f"0; url={other}",
                "Set-Cookie": "track=1; Domain=example.com",
                "Content-Location": other,
            },
        },
    )
    remote.add("1", investigationId=f"@{other}/", dbotMirrorInstance=other)
    remote.fail("POST /incidents/search", status_code=307, headers={"Location": f"{other}/incidents/search"})

    for command, args in [*commands("1"), *commands(f"{other}/x"), *commands("//elsewhere.example.net/x"), *commands("../../..")]:
        server.run(command, args)

    roots = {"{0.scheme}://{0.netloc}".format(urlsplit(request.url)) for request in requests_mock.request_history}
    assert roots == {HOST_8}
    assert all(urlsplit(request.url).path.startswith("/xsoar/") for request in requests_mock.request_history)
    assert not [request for request in requests_mock.request_history if "Cookie" in request.headers]


def test_a_body_is_not_part_of_an_error(server: Server, remote: Remote) -> None:
    """
    Given: a proxy before the remote that answers with what it was sent, headers and body.
    When: a fetch and a push meet it.
    Then: the error says so much of it as helps, and neither the key nor a text.
    """

    def echo(**fields: Any) -> dict[str, Any]:
        return {"json": {"detail": f"cannot forward Authorization: {KEY} {WORDS['localdetails']}", **fields}}

    remote.add("1")
    for status in (400, 403, 404, 409, 422):
        remote.faults.clear()
        remote.fail("", times=99, status_code=status, **echo())
        outcomes = [server.run("fetch-incidents"), push(server, "1", **update())]
        for outcome in outcomes:
            assert outcome.error
            assert KEY not in outcome.error
    assert KEY not in server.kept_text() + str(server.log)
