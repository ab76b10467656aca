"""Faults that only a real connection has: it hangs, is reset in the middle, ends early, or its certificate is a bad one.

`Wire` is a server that writes what a test tells it to, byte for byte, and notes what arrived. Time stands still for the
script, and its pauses are not taken; the time that a connection may hang is the platform's REQUESTS_TIMEOUT, set short.
"""

import gzip
import json
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from stand_ins import KEY, Server, attached, load

TIMEOUT = "0.3"  # Seconds.
CONTENT = b"all of the file, " * 4000
CREATED = "2026-03-01T11:30:00.5Z"
ATTACHMENT = {"name": "a.bin", "path": "1_0_a.bin", "type": "", "description": "", "showMediaFile": False}

Answer = Callable[["Wire", socket.socket], None]


@dataclass
class Wire:
    """What the server at the other end does: an answer for each path, the next one for each request, the last one for ever."""

    answers: dict[str, list[Answer]]
    asked: list[str] = field(default_factory=list)
    received: bytes = b""
    over: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def serve(self, connection: socket.socket, context: ssl.SSLContext | None) -> None:
        """Answer one request and end the connection."""
        with suppress(OSError), connection:
            connection.settimeout(5)
            with context.wrap_socket(connection, server_side=True) if context else nullcontext(connection) as stream:
                path = self._read(stream)
                waiting = next((answers for end, answers in self.answers.items() if path.endswith(end)), [])
                if waiting:
                    (waiting.pop(0) if len(waiting) > 1 else waiting[0])(self, stream)

    def _read(self, connection: socket.socket) -> str:
        head = b""
        while b"\r\n\r\n" not in head:
            received = connection.recv(65536)
            if not received:
                return "nothing"
            head += received
        head, _, body = head.partition(b"\r\n\r\n")
        lengths = [line.partition(b":")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        while len(body) < int(lengths[0] if lengths else b"0"):
            body += connection.recv(65536)
        self.received += head + body
        path = head.split(b" ", 2)[1].decode()
        self.asked.append(path)
        return path


def plain(body: bytes, *headers: str, length: int | None = None) -> Answer:
    """Answer with a body, and say that it has a length."""
    lines = ["HTTP/1.1 200 OK", *headers, f"Content-Length: {len(body) if length is None else length}", "Connection: close"]
    return lambda wire, connection: connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)


def answer_json(data: Any) -> Answer:
    """Answer with JSON."""
    return plain(json.dumps(data).encode(), "Content-Type: application/json")


FILE = ("Content-Type: application/octet-stream", "Content-Disposition: attachment; filename=a.bin")
JSON = ("Content-Type: application/json",)


def hang(wire: Wire, connection: socket.socket) -> None:
    """Say nothing."""
    wire.over.wait(5)


def hang_in_the_middle(*headers: str) -> Answer:
    """Give half of a body and then say nothing."""

    def answer(wire: Wire, connection: socket.socket) -> None:
        plain(CONTENT[: len(CONTENT) // 2], *headers, length=len(CONTENT))(wire, connection)
        wire.over.wait(5)

    return answer


def reset_in_the_middle(*headers: str) -> Answer:
    """Give half of a body and then reset the connection."""

    def answer(wire: Wire, connection: socket.socket) -> None:
        plain(CONTENT[: len(CONTENT) // 2], *headers, length=len(CONTENT))(wire, connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return answer


def close_in_the_middle(*headers: str) -> Answer:
    """Give half of a body and then end the connection in an orderly way."""
    return plain(CONTENT[: len(CONTENT) // 2], *headers, length=len(CONTENT))


def chunked(body: bytes, *headers: str) -> Answer:
    """Give a piece of a chunked body, and end the connection without the last one."""
    head = "\r\n".join(["HTTP/1.1 200 OK", *headers, "Transfer-Encoding: chunked", "", ""]).encode()
    return lambda wire, connection: connection.sendall(head + f"{len(body):x}\r\n".encode() + body + b"\r\n")


def gzipped(body: bytes, *headers: str) -> Answer:
    """Give the first half of a gzipped body as if it were whole."""
    packed = gzip.compress(body)
    return plain(packed[: len(packed) // 2], *headers, "Content-Encoding: gzip")


def without_length(wire: Wire, connection: socket.socket) -> None:
    """Give half of a file in the old manner, where the end of the connection is the end of the body."""
    connection.sendall("\r\n".join(["HTTP/1.0 200 OK", *FILE, "", ""]).encode() + CONTENT[: len(CONTENT) // 2])


# Not so even that half of the packed bytes would unpack to nothing.
UNEVEN = json.dumps({"data": [{"id": str(number), "name": f"incident {number * 7919 % 997}"} for number in range(999)]}).encode()


@contextmanager
def wired(answers: dict[str, list[Answer]], context: ssl.SSLContext | None = None) -> Iterator[Wire]:
    """Serve on a port of this machine; all is over when the test is."""
    wire = Wire(answers)
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        wire.port = listener.getsockname()[1]

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threads.append(threading.Thread(target=wire.serve, args=(connection, context), daemon=True))
                    threads[-1].start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield wire
        finally:
            wire.over.set()
            listener.shutdown(socket.SHUT_RDWR)
            for thread in [accepting, *threads]:
                thread.join(5)


def well(**changed: list[Answer]) -> dict[str, list[Answer]]:
    """Return the answers of a remote with one incident with a file, some of them changed: search, entries, download."""
    incident = {**load("incident_load"), "id": "1", "investigationId": "1", "created": CREATED, "modified": CREATED}
    incident["attachment"] = [ATTACHMENT]
    entry = {**load("entries")["chat"], "id": "1@1", "file": "a.bin", "fileID": "1_0_a.bin", "tags": None}
    entry["fileMetadata"] = {"size": len(CONTENT)}
    answers = {
        "search": [answer_json({"data": [incident], "total": 1})],
        "entries": [answer_json({"id": "1", "entries": [entry]})],
        "download": [plain(CONTENT, *FILE)],
        **changed,
    }
    return {
        "/incidents/search": answers["search"],
        "/investigation/1": answers["entries"],
        "/entry/download/1%401": answers["download"],
        "/about": [answer_json(load("about")["8"])],
    }


def point(server: Server, wire: Wire, scheme: str = "http") -> None:
    """Configure the instance for the wire."""
    server.params["url"] = f"{scheme}://127.0.0.1:{wire.port}"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """Let a connection that hangs do so for a moment only."""
    if "hangs" in fault:
        monkeypatch.setenv("REQUESTS_TIMEOUT", TIMEOUT)


BROKEN_JSON = {
    "hangs": (hang, "the connection timed out"),
    "hangs in the middle": (hang_in_the_middle(*JSON), "cannot be reached"),
    "is reset in the middle": (reset_in_the_middle(*JSON), "cannot be reached"),
    "ends too early": (close_in_the_middle(*JSON), "cannot be reached"),
    "is chunked and ends too early": (chunked(b'{"data": [{"id": "1", "na', *JSON), "cannot be reached"),
    "is half of what was packed": (gzipped(UNEVEN, *JSON), "is not JSON"),
    "is no gzip": (plain(UNEVEN, *JSON, "Content-Encoding: gzip"), "cannot be reached"),
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", BROKEN_JSON)
def test_an_answer_that_breaks(server: Server, fault: str) -> None:
    """
    Given: a remote whose answer breaks, always or once.
    When: a fetch runs, and another when it is over.
    Then: the first fails with a sentence that names it, and the other brings the incident with its file; once, it goes unseen.
    """
    broken, word = BROKEN_JSON[fault]
    with wired(well(search=[broken])) as wire:
        point(server, wire)
        error = server.fails("fetch-incidents")
    with wired(well(search=[broken, *well()["/incidents/search"]], entries=[broken, *well()["/investigation/1"]])) as wire:
        point(server, wire)
        (incident,) = server.fetch()

    assert word in error
    assert attached(server, incident) == [("a.bin", CONTENT)]


BROKEN_FILES = {
    "hangs": (hang, "the connection timed out"),
    "hangs in the middle": (hang_in_the_middle(*FILE), "cannot be reached"),
    "is reset in the middle": (reset_in_the_middle(*FILE), "cannot be reached"),
    "ends too early": (close_in_the_middle(*FILE), "cannot be reached"),
    "is chunked and ends too early": (chunked(CONTENT[:999], *FILE), "cannot be reached"),
    "has no length and ends too early": (without_length, f"{len(CONTENT) // 2} bytes of a file of {len(CONTENT)} bytes"),
    "is half of what was packed": (gzipped(UNEVEN, *FILE), f"bytes of a file of {len(CONTENT)} bytes"),
    "is JSON": (plain(b'{"id": "1', *JSON), "something other than the file"),
    "is empty": (plain(b"", *JSON), "something other than the file"),
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", BROKEN_FILES)
def test_a_download_that_breaks_once(server: Server, fault: str) -> None:
    """
    Given: a download that breaks, and goes through when it is tried again.
    When: a fetch runs.
    Then: the file arrives whole.
    """
    with wired(well(download=[BROKEN_FILES[fault][0], plain(CONTENT, *FILE)])) as wire:
        point(server, wire)
        (incident,) = server.fetch()

    assert attached(server, incident) == [("a.bin", CONTENT)]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", BROKEN_FILES)
def test_a_download_that_always_breaks(server: Server, tmp_path: Path, fault: str) -> None:
    """
    Given: a download that always breaks, of a remote that is well.
    When: a fetch runs.
    Then: the incident comes without the file, the log says why, and no part of the file is delivered or left in the folder.
    """
    broken, word = BROKEN_FILES[fault]
    with wired(well(download=[broken])) as wire:
        point(server, wire)
        (incident,) = server.fetch()

    assert "attachment" not in incident
    assert any("skipped for now" in line and word in line for line in server.lines("info"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_not_asked_for_in_packed_form(server: Server) -> None:
    """
    Given: a remote that packs what it may.
    When: a file is downloaded.
    Then: it was asked not to: of a packed file that arrives in part, nobody sees that it is a part.
    """
    with wired(well()) as wire:
        point(server, wire)
        server.fetch()

    heads = [head for head in wire.received.split(b"HTTP/1.1")[1:] if b"gzip" not in head]
    assert len(heads) == 1
    assert b"Accept-Encoding: identity" in heads[0]


CERTIFICATES = {"expired": ("20200101000000Z", "20200201000000Z"), "valid": ("20200101000000Z", "20991231000000Z")}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make certificates for 127.0.0.1 that sign themselves; each file holds its key as well."""
    folder = tmp_path_factory.mktemp("certificates")
    (folder / "index.txt").touch()
    (folder / "serial").write_text("01")
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=d\n[d]\nnew_certs_dir=.\ndatabase=index.txt\nserial=serial\ndefault_md=sha256\npolicy=p\n"
        "unique_subject=no\nx509_extensions=e\n[p]\ncommonName=supplied\n"
        "[e]\nsubjectAltName=IP:127.0.0.1\nbasicConstraints=CA:TRUE\n"
    )

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)  # noqa: S607

    request = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=127.0.0.1")
    openssl("req", *request, "-keyout", "key.pem", "-out", "request.pem")
    made = {}
    for name, (start, end) in CERTIFICATES.items():
        signing = ("-selfsign", "-keyfile", "key.pem", "-in", "request.pem", "-startdate", start, "-enddate", end)
        openssl("ca", "-batch", "-config", "ca.cnf", *signing, "-notext", "-out", f"{name}.pem")
        made[name] = folder / f"{name} with key.pem"
        made[name].write_text((folder / f"{name}.pem").read_text() + (folder / "key.pem").read_text())
    return made


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize(
    ("name", "trusted", "insecure", "works"),
    [
        pytest.param("expired", True, False, False, id="expired"),
        pytest.param("valid", False, False, False, id="self-signed"),
        pytest.param("valid", True, False, True, id="trusted"),
        pytest.param("expired", False, True, True, id="any certificate is trusted"),
    ],
)
def test_certificates(
    server: Server,
    certificates: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    trusted: bool,
    insecure: bool,
    works: bool,
) -> None:
    """
    Given: a remote with a certificate that is good or bad, and an instance that checks it or not.
    When: a fetch runs.
    Then: with a bad one it fails, says so and what to do, and not a byte of the key was sent; else the incident comes.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates[name])
    server.params["insecure"] = insecure
    if trusted:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates[name]))
    with wired(well(), context) as wire:
        point(server, wire, "https")
        outcome = server.run("fetch-incidents")

    assert len(outcome.incidents) == int(works)
    assert (KEY.encode() in wire.received) == works
    if not works:
        assert "its certificate is not trusted; install a trusted one there" in outcome.error
        assert wire.received == b""
