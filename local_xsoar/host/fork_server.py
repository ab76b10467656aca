"""The parent of all workers: a process that has the heavy modules loaded and forks a child when the host needs one more.

Importing what CommonServerPython needs costs some 400 ms; a child forked from a process that has it starts at once. The modules
of the platform themselves are only compiled here, never run: CommonServerPython looks at demisto.params() when it is run, so
each command runs it anew.

Run as a program by `workers.py`, with the descriptor of a socket to the host as its only argument. It must not import the
package it lies in: a worker has no business with the host's modules.

A request of the host is 4 bytes of length, a JSON list of paths to compile, and two descriptors: the socket over which the
child speaks with the host, and the pipe on which the host reads {"pid": n} at the start and {"status": wait status, "cpu":
seconds, "peak": bytes} at the end. When the host goes away, so do the workers.
"""

import contextlib
import gc
import importlib
import importlib.machinery
import importlib.util
import json
import os
import select
import signal
import socket
import ssl
import sys
import types
from pathlib import Path

# What CommonServerPython and integrations import; whatever is not installed is left out.
_PRELOADED = (
    "requests", "requests.adapters", "urllib3", "urllib3.util.retry", "dateparser", "pytz", "tzlocal", "distutils.version",
    "xml.etree.ElementTree", "gzip", "ssl", "base64", "uuid", "hashlib", "hmac", "secrets", "tempfile", "shutil", "zoneinfo",
    "queue", "threading", "concurrent.futures.thread", "email.message", "mimetypes", "logging", "traceback", "inspect",
    "string", "random", "dataclasses", "enum", "collections.abc", "typing", "http.client", "urllib.parse", "datetime",
    "decimal", "calendar", "fractions", "statistics", "textwrap", "difflib", "ipaddress", "html", "email.utils",
)  # fmt: skip


class CodeStore:
    """Compiled code of scripts and of the platform's modules, kept while their files stay as they are."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[int, int], types.CodeType]] = {}

    def code_of(self, path: str) -> types.CodeType:
        """Return the code of the file at `path`. Raises OSError or SyntaxError."""
        status = Path(path).stat()
        stamp = (status.st_mtime_ns, status.st_size)
        kept = self._kept.get(path)
        if kept is None or kept[0] != stamp:
            code = importlib.machinery.SourceFileLoader("__main__", path).get_code("__main__")
            if code is None:
                raise ImportError(f"{path} holds no code")
            kept = self._kept[path] = (stamp, code)
        return kept[1]

    def prepare(self, paths: list[str]) -> None:
        """Compile what can be compiled. A worker meets the error of the rest itself, and reports it."""
        for path in paths:
            with contextlib.suppress(OSError, SyntaxError, ValueError, ImportError):
                self.code_of(path)


def preload() -> None:
    """Import what workers need and parse one date, whose first parse costs 150 ms."""
    for name in _PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    if dateparser := sys.modules.get("dateparser"):
        for text in ("3 days", "2023-03-05T10:06:48.446Z"):
            dateparser.parse(text)
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # The first one starts OpenSSL.


def run_in_worker_module() -> types.ModuleType:
    """Return the module `in_worker.py`, which lies beside this file."""
    spec = importlib.util.spec_from_file_location("in_worker", Path(__file__).with_name("in_worker.py"))
    if spec is None or spec.loader is None:
        raise ImportError("in_worker.py is missing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def receive_request(control: socket.socket) -> tuple[list[str], int, int] | None:
    """Return the paths to compile, the child's socket and the status pipe; None when the host has gone."""
    length, descriptors, _flags, _address = socket.recv_fds(control, 4, 2)
    if not length:
        return None
    while len(length) < 4:
        length += _received(control, 4 - len(length))
    wanted = int.from_bytes(length, "big")
    payload = b""
    while len(payload) < wanted:
        payload += _received(control, wanted - len(payload))
    call, status = descriptors
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return json.loads(payload), call, status


def _received(control: socket.socket, size: int) -> bytes:
    data = control.recv(size)
    if not data:
        raise ConnectionError("The host went away in the middle of a request")
    return data


def tell(status_pipe: int, message: dict) -> None:
    """Write a line to the host; it may have gone, which is no matter of the fork server."""
    with contextlib.suppress(OSError):
        os.write(status_pipe, json.dumps(message).encode() + b"\n")


def reap(running: dict[int, int]) -> None:
    """Tell the host about every child that has ended."""
    while running:
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        pipe = running.pop(pid, None)
        if pipe is not None:
            unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB
            tell(pipe, {"status": status, "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss * unit})
            os.close(pipe)


def serve(control: socket.socket) -> None:
    """Fork a child for each request until the host goes; then kill what still runs. Returns in the parent only."""
    worker = run_in_worker_module()
    codes = CodeStore()
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    gc.collect()
    gc.freeze()
    running: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([control.fileno(), wake_read], [], [])
        if wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wake_read, 4096)
            reap(running)
        if control.fileno() not in ready:
            continue
        try:
            received = receive_request(control)
        except ConnectionError:
            break
        if received is None:
            break
        paths, call, status = received
        codes.prepare(paths)
        try:
            pid = os.fork()
        except OSError as error:
            tell(status, {"failed": str(error)})
            os.close(call)
            os.close(status)
            continue
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            for descriptor in (control.fileno(), wake_read, wake_write, status, *running.values()):
                os.close(descriptor)
            worker.serve(call, codes.code_of)
        os.close(call)
        running[pid] = status
        tell(status, {"pid": pid})
    for pid in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    # A child that was forked a moment ago may not have made its own group yet.
    for pid in running:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    preload()
    serve(socket.socket(fileno=int(sys.argv[1])))
