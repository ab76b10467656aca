"""What the contract tests share: a clean platform for each test, and a server on the loopback address."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import CommonServerPython as common
import demistomock as demisto
import pytest

_ENVIRONMENT = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "http_proxy",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
)


@pytest.fixture(autouse=True)
def clean_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start from nothing: no proxy, no calling context, no integration context, no remembered version, an empty log."""
    for name in [*_ENVIRONMENT, *(name for name in os.environ if name.startswith("REQUESTS_TIMEOUT"))]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(demisto, "callingContext", {})
    monkeypatch.setattr(demisto, "integrationContext", {})
    monkeypatch.setattr(common.get_demisto_version, "_version", None)
    monkeypatch.setattr(common.LOG, "messages", [])


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The arguments of each call of demisto.results."""
    calls: list[Any] = []
    monkeypatch.setattr(demisto, "results", calls.append)
    return calls


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """(level, message) of each call of demisto.info, debug, error and log."""
    calls: list[tuple[str, str]] = []
    for level in ("info", "debug", "error", "log"):
        monkeypatch.setattr(demisto, level, lambda message, *_, level=level: calls.append((level, str(message))))
    return calls


@pytest.fixture
def server_version(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that gives the server a version and a build number."""

    def give(version: str | None, build: Any = "12345") -> None:
        monkeypatch.setattr(demisto, "demistoVersion", lambda: {"version": version, "buildNumber": build})
        monkeypatch.setattr(common.get_demisto_version, "_version", None)

    return give


@dataclass(frozen=True)
class Answer:
    """What the server answers. fault: 'drop' closes without a word, 'cut' within the body, 'hang' says nothing at all."""

    status: int
    body: bytes
    headers: dict[str, str]
    fault: str


@dataclass(frozen=True)
class Request:
    """What the server was asked."""

    method: str
    path: str
    query: list[tuple[str, str]]
    raw_query: str
    headers: dict[str, str]
    body: bytes


class Server:
    """A server on the loopback address: it answers what it was given, else 200 with {}, and keeps the `requests` it got."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}
        self.requests: list[Request] = []
        self.stopping = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                query = parse_qsl(parts.query, keep_blank_values=True)
                owner.requests.append(Request(self.command, parts.path, query, parts.query, dict(self.headers), body))
                answer = owner._answers.get(parts.path, Answer(200, b"{}", {}, ""))
                if answer.fault:
                    self.close_connection = True
                if answer.fault == "hang":
                    owner.stopping.wait(10)
                if answer.fault in ("hang", "drop"):
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body) + (1 if answer.fault == "cut" else 0)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def give(
        self, path: str, status: int = 200, body: bytes = b"{}", headers: dict[str, str] | None = None, fault: str = ""
    ) -> None:
        """Answer requests for the path so from now on."""
        self._answers[path] = Answer(status, body, headers or {}, fault)

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """End it, and whatever hangs."""
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on the loopback address."""
    with contextlib.closing(Server()) as running:
        yield running


@pytest.fixture
def closed_port() -> int:
    """A port on the loopback address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
