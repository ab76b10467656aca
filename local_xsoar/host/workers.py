"""Runs scripts in worker processes, each command with a fresh folder to work in.

A worker is kept for the commands that follow, as a server keeps its containers, or ends with its command: see `Workers.run`.
"""

import contextlib
import io
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_xsoar.host.errors import HostError
from local_xsoar.runtime import runtime_folders

_PLATFORM_MODULES = ("demistomock", "CommonServerPython", "CommonServerUserPython")
MOST_IDLE = 8  # Workers that are kept for the commands to come.

Answer = Callable[[str, Any, Path], Any]
OnCall = Callable[[int, str], None]


@dataclass
class Outcome:
    """What a worker said, and how it ended.

    `done` is true when the script came to its end (also by an error) and the process was not killed; only then does what it
    said count. `error` is the traceback or the sentence of a failed run, `error_type` the exception's name ("" when none
    escaped). `log` holds lines "level: text". `folder` is the worker's working folder, there as long as the run's context.
    `cpu` is in seconds, `peak` in bytes of resident memory (a worker begins with what the fork server has loaded). Of a worker
    that was killed they count from its start.
    """

    folder: Path
    investigation: str
    done: bool = False
    error: str = ""
    error_type: str = ""
    results: list[Any] = field(default_factory=list)
    incidents: list[Any] = field(default_factory=list)
    last_run: dict[str, Any] | None = None
    last_mirror_run: dict[str, Any] | None = None
    log: list[str] = field(default_factory=list)
    cpu: float = 0.0
    peak: int = 0

    def file(self, file_id: str) -> Path:
        """Return the file that the script named `file_id` (a FileID of fileResult) in its working folder.

        Raises:
            FileNotFoundError: there is none, or the id points out of the folder.
        """
        path = self.folder / f"{self.investigation}_{file_id}"
        if path.name != f"{self.investigation}_{file_id}" or path.is_symlink() or not path.is_file():
            raise FileNotFoundError(f"the script wrote no file {file_id!r}")
        return path


class Workers:
    """The fork server and the runs it serves; a context manager. May be shared by hosts, and used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._paths = runtime_folders()
        self._modules = {name: path for name in _PLATFORM_MODULES if (path := _module_path(self._paths, name))}
        self._idle: list[_Worker] = []
        self._start()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the fork server and every worker that still runs."""
        with self._lock:
            self._stop()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-P", str(Path(__file__).with_name("fork_server.py")), str(theirs.fileno())]
            # A session of its own: Ctrl-C in the terminal is the host's to handle. UTC: that is what a server's containers have.
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "TZ": "UTC"},
            )
        self._control = ours

    def _stop(self) -> None:
        while self._idle:
            self._idle.pop().close()
        if self._control is not None and self._process is not None:
            self._control.close()
            self._process.wait()
        self._control = self._process = None

    def _fork(self, script: str, call: socket.socket, status: int) -> None:
        """Have a child forked that gets `call`; `status` is where the fork server tells of it."""
        payload = json.dumps([*self._modules.values(), script]).encode()
        with self._lock:
            if self._control is None:
                raise HostError("The host is closed and runs nothing more.")
            try:
                self._request(payload, call, status)
            except BrokenPipeError:  # somebody ended the fork server
                self._stop()
                self._start()
                self._request(payload, call, status)

    def _request(self, payload: bytes, call: socket.socket, status: int) -> None:
        if self._control is not None:
            socket.send_fds(self._control, [len(payload).to_bytes(4, "big")], [call.fileno(), status])
            self._control.sendall(payload)

    @contextlib.contextmanager
    def run(
        self,
        script: Path,
        job: dict[str, Any],
        *,
        answer: Answer,
        timeout: float,
        on_call: OnCall | None = None,
        is_fresh: bool = False,
    ) -> Iterator[Outcome]:
        """Run `script` in a worker and yield its outcome; its working folder is removed afterwards.

        Args:
            script: the integration's Python file.
            job: what `in_worker` needs to know beside the folders.
            answer: called as (name, data, working folder) for each call that waits; a ValueError it raises is raised in the
                script.
            timeout: seconds after which the worker is killed.
            on_call: called as (pid, call name) at the start ("start") and for each thing the worker says, before it is dealt
                with.
            is_fresh: have a process of its own run the script, which ends with it and all that it started. Otherwise one that
                has run others may do so, and it is kept for the next unless it has ended.
        """
        scratch = Path(tempfile.mkdtemp(prefix="xsoar-run-"))
        try:
            work = scratch / "work"
            work.mkdir()
            outcome = Outcome(folder=work, investigation=job["investigation"])
            output = scratch / "output.txt"
            output.touch(0o600)
            folders = {"folder": str(work), "output": str(output), "paths": self._paths, "modules": self._modules}
            whole_job = {**job, **folders, "script": str(script), "is_last": is_fresh}
            self._attend(whole_job, outcome, answer, timeout, on_call)
            printed = output.read_text(encoding="utf-8", errors="replace")
            outcome.log.extend(f"printed: {line}" for line in printed.splitlines())
            yield outcome
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _attend(self, job: dict[str, Any], outcome: Outcome, answer: Answer, timeout: float, on_call: OnCall | None) -> None:
        deadline = time.monotonic() + timeout
        worker = (None if job["is_last"] else self._idle_worker()) or self._new_worker(job["script"], outcome)
        if worker is None:
            return
        is_kept = False
        try:
            conversation = _Conversation(worker, outcome, answer, on_call)
            try:
                said_done = conversation.hold(json.dumps(job).encode() + b"\n", deadline)
            except TimeoutError:
                said_done = False
                outcome.error = f"The script ran longer than {timeout:g} seconds and was killed"
            is_kept = said_done and not job["is_last"] and conversation.is_next_awaited(deadline)
            if is_kept:
                outcome.done = True
                return
            if not _readable(worker.status.fileno(), deadline):
                _kill(worker.pid)
            _note_end(outcome, worker.end(), said_done)
        finally:
            if is_kept:
                self._keep(worker)
            else:
                _kill(worker.pid)  # And what the script may have left running.
                worker.close()

    def _idle_worker(self) -> "_Worker | None":
        """Return a worker that waits for a job, if there is one."""
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if not _readable(worker.status.fileno(), 0):
                    return worker
                worker.close()  # It has ended meanwhile.
        return None

    def _new_worker(self, script: str, outcome: Outcome) -> "_Worker | None":
        """Return a worker that has run nothing; None if there can be none, and the outcome says why."""
        ours, theirs = socket.socketpair()
        status_read, status_write = os.pipe()
        status = os.fdopen(status_read, "rb", buffering=0)
        try:
            with theirs:
                try:
                    self._fork(script, theirs, status_write)
                finally:
                    os.close(status_write)
            started = json.loads(status.readline() or b"{}")
            if "pid" in started:
                return _Worker(ours, status, started["pid"])
            outcome.error = f"No worker could be started: {started.get('failed', 'the fork server ended')}"
        except BaseException:
            ours.close()
            status.close()
            raise
        ours.close()
        status.close()
        return None

    def _keep(self, worker: "_Worker") -> None:
        with self._lock:
            if self._control is not None and len(self._idle) < MOST_IDLE:
                self._idle.append(worker)
                return
        worker.close()


@dataclass(frozen=True)
class _Worker:
    """A worker process: the line to it, where the fork server tells of its end, and its ID."""

    connection: socket.socket
    status: io.FileIO
    pid: int

    def end(self) -> dict[str, Any]:
        """Wait for its end; return how it ended: {} if the fork server is no longer there to tell."""
        return json.loads(self.status.readline() or b"{}")

    def close(self) -> None:
        """Hang up, so that it ends."""
        self.connection.close()
        self.status.close()


def _note_end(outcome: Outcome, ended: dict[str, Any], said_done: bool) -> None:
    wait_status = ended.get("status")
    if not said_done:
        outcome.cpu, outcome.peak = ended.get("cpu", 0.0), ended.get("peak", 0)
    outcome.done = said_done and wait_status == 0
    if outcome.done or outcome.error:
        return
    if wait_status is None:
        outcome.error = "The worker was lost: its fork server ended"
    elif os.WIFSIGNALED(wait_status):
        outcome.error = f"The script was killed by signal {os.WTERMSIG(wait_status)}"
    else:
        outcome.error = f"The script ended the process with {os.waitstatus_to_exitcode(wait_status)}"


class _Conversation:
    """What is said between the host and one worker."""

    def __init__(self, worker: _Worker, outcome: Outcome, answer: Answer, on_call: OnCall | None) -> None:
        self._connection = worker.connection
        self._pid = worker.pid
        self._outcome = outcome
        self._answer = answer
        self._on_call = on_call
        self._received = bytearray()

    def hold(self, job: bytes, deadline: float) -> bool:
        """Give the job, then deal with what the worker says. Returns whether it said that it is done.

        Raises:
            TimeoutError: the deadline passed.
        """
        self._tell_callback("start")
        if not self._send(job, deadline):
            return False
        while (line := self._line(deadline)) is not None:
            message = json.loads(line)
            name, data = message["call"], _clean(message["data"]) if b"\\ud" in line else message["data"]
            self._tell_callback(name)
            reply = self._deal(name, data, message["wait"])
            if message["wait"] and not self._send(json.dumps(reply).encode() + b"\n", deadline):
                return name == "done"
            if name == "done":
                return True
        return False

    def is_next_awaited(self, deadline: float) -> bool:
        """Return whether the worker is still there after its job, and waits for the next."""
        with contextlib.suppress(TimeoutError):
            return b'"ready"' in (self._line(deadline) or b"")
        return False

    def _tell_callback(self, name: str) -> None:
        if self._on_call is not None:
            self._on_call(self._pid, name)

    def _deal(self, name: str, data: Any, wait: bool) -> dict[str, Any]:
        outcome = self._outcome
        if name == "log":
            outcome.log.append(f"{data['level']}: {data['text']}")
        elif name == "results":
            outcome.results.append(data)
        elif name == "incidents":
            outcome.incidents.extend(data)
        elif name == "setLastRun":
            outcome.last_run = data
        elif name == "setLastMirrorRun":
            outcome.last_mirror_run = data
        elif name == "done":
            outcome.error, outcome.error_type = data["error"], data["error_type"]
            outcome.cpu, outcome.peak = data["cpu"], data["peak"]
        elif wait:
            try:
                return {"value": self._answer(name, data, outcome.folder)}
            except ValueError as error:
                return {"error": str(error)}
        return {"value": None}

    def _send(self, data: bytes, deadline: float) -> bool:
        """Return whether the worker was still there to be told."""
        self._connection.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            self._connection.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def _line(self, deadline: float) -> bytes | None:
        """Return the worker's next line, None when it has gone."""
        searched = 0
        while (end := self._received.find(b"\n", searched)) < 0:
            searched = len(self._received)
            self._connection.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                data = self._connection.recv(1 << 20)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._received += data
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line


def _clean(value: Any) -> Any:
    """Return a value of JSON with half surrogate pairs replaced, as a server's decoder does: no store can hold them."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return value


def _readable(descriptor: int, deadline: float) -> bool:
    """Return whether there is something to read, waiting for it until the deadline at most."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP)
    return bool(poll.poll(max(deadline - time.monotonic(), 0) * 1000))


def _kill(pid: int) -> None:
    """Kill a worker and what it started."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _module_path(folders: list[str], name: str) -> str:
    for folder in folders:
        path = Path(folder) / f"{name}.py"
        if path.is_file():
            return str(path)
    return ""
