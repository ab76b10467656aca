"""What happens inside a worker: the functions of `demisto` are put in place, then a script runs, as in a server's container.

A server starts a container with a loop in it, hands it one script after another, and may use it again (XSOAR's documentation,
*Using Docker*, and the example of the loop beside the content): the process, its modules and its threads stay, the environment
is set back. CommonServerPython, CommonServerUserPython and the script are one text there, so they share one namespace, in which
`__name__` is "builtins".

The worker speaks with the host in lines of JSON over one socket. A job is a line of the host: {"script", "folder", "output",
"modules": {name: path}, "paths", "command", "args", "params", "context", "last_run", "last_mirror_run", "investigation",
"incident", "version", "urls", "asks_for_pauses", "ahead_seconds", "internal_requests", "is_integration", "is_last"}.
The worker's lines are {"call": name, "data": value, "wait": bool}; the host answers a waiting one with {"value": value} or
{"error": text}. A job's last line is the call "done" with {"error": text, "error_type": name, "cpu": seconds, "peak": bytes};
once that is answered, "ready" says that it waits for the next. What the worker said takes effect only then. It ends after the
last job, or when the host hangs up.
"""

import contextlib
import copy
import json
import os
import resource
import socket
import sys
import threading
import time
import traceback
import types
import uuid
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

CodeOf = Callable[[str], types.CodeType]  # A file's compiled code. Raises OSError or SyntaxError.

_ENDED_WELL = (None, 0)
_SAME_TIME_SECONDS = 1
# What only automation scripts may do, and what only integrations may.
_OF_SCRIPTS = frozenset({"executeCommand", "getModules"})
_OF_INTEGRATIONS = frozenset(
    {
        *("getLastRun", "setLastRun", "getLastMirrorRun", "setLastMirrorRun", "integrationInstance"),
        *("getIntegrationContext", "setIntegrationContext"),
        *("getIntegrationContextVersioned", "setIntegrationContextVersioned"),
    }
)


class Channel:
    """The line to the host, for one caller at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._file = connection.makefile("rwb")
        self._lock = threading.Lock()

    def job(self) -> dict[str, Any] | None:
        """Return the next job, None when the host has hung up."""
        line = self._file.readline()
        return json.loads(line) if line else None

    def call(self, name: str, data: Any, wait: bool) -> Any:
        """Send a call and, if asked, return the host's answer.

        Raises:
            TypeError or ValueError: JSON cannot hold `data`.
            ValueError: the host refused.
        """
        line = json.dumps({"call": name, "data": data, "wait": wait}, allow_nan=False).encode() + b"\n"
        with self._lock:
            self._file.write(line)
            self._file.flush()
            if not wait:
                return None
            answer = json.loads(self._file.readline())
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["value"]


class Platform:
    """The functions a server gives to a script. Names and signatures are the server's."""

    def __init__(self, channel: Channel, job: dict[str, Any], module: types.ModuleType) -> None:
        self._channel = channel
        self._job = job
        self._module = module
        self.calling_context = {
            "command": job["command"],
            "args": job["args"],
            "params": job["params"],
            "integration": job["is_integration"],
            "IsDebug": False,
            "context": job["context"],
        }

    def do(self, request: dict[str, Any]) -> Any:
        """Pass one request to the host. support_multithreading() of CommonServerPython puts one that locks in its place."""
        return self._channel.call(request["call"], request["data"], request["wait"])

    def _ask(self, name: str, data: Any = None) -> Any:
        return self._module._Demisto__do({"call": name, "data": data, "wait": True})

    def _say(self, name: str, data: Any) -> None:
        self._module._Demisto__do({"call": name, "data": data, "wait": False})

    def params(self) -> Any:
        return self.calling_context["params"]

    def args(self) -> Any:
        return self.calling_context["args"]

    def command(self) -> str:
        return self.calling_context["command"]

    def getParam(self, param: str) -> Any:
        return self.params().get(param)

    def getArg(self, arg: str) -> Any:
        return self.args().get(arg)

    def getLastRun(self) -> Any:
        return copy.deepcopy(self._job["last_run"])

    def setLastRun(self, obj: Any) -> None:
        self._say("setLastRun", _object(obj, "last run"))

    def getLastMirrorRun(self) -> Any:
        return copy.deepcopy(self._job["last_mirror_run"])

    def setLastMirrorRun(self, obj: Any) -> None:
        self._say("setLastMirrorRun", _object(obj, "last mirror run"))

    def incidents(self, incidents: Any = None) -> Any:
        if incidents is None:
            return [copy.deepcopy(self._job["incident"])]
        if not isinstance(incidents, list):
            raise ValueError("demisto.incidents() takes a list of incidents")
        self._say("incidents", incidents)
        return None

    def incident(self) -> Any:
        return copy.deepcopy(self._job["incident"])

    def results(self, results: Any) -> None:
        self._say("results", results)

    def getIntegrationContext(self) -> Any:
        return self._ask("getIntegrationContext")

    def setIntegrationContext(self, context: Any) -> None:
        self._ask("setIntegrationContext", {"context": _object(context, "integration context"), "version": -1})

    def getIntegrationContextVersioned(self, refresh: bool = False) -> Any:
        return self._ask("getIntegrationContextVersioned")

    def setIntegrationContextVersioned(self, context: Any, version: int = -1, sync: bool = False) -> None:
        self._ask("setIntegrationContextVersioned", {"context": _object(context, "integration context"), "version": version})

    def getFilePath(self, id: str) -> Any:
        return self._ask("getFilePath", id)

    def internalHttpRequest(self, method: str, uri: str, body: Any = None) -> Any:
        if self._job["internal_requests"] == "raises":
            raise ValueError("internalHttpRequest is not supported")
        return self._ask("internalHttpRequest", {"method": method, "uri": uri, "body": body})

    def executeCommand(self, command: str, args: dict[str, Any] | None) -> Any:
        return self._ask("executeCommand", {"command": command, "args": args or {}})

    def getModules(self) -> Any:
        return self._ask("getModules")

    def integrationInstance(self) -> str:
        return self._job["context"]["IntegrationInstance"]

    def uniqueFile(self) -> str:
        return str(uuid.uuid4())

    def investigation(self) -> Any:
        return {"id": self._job["investigation"]}

    def demistoVersion(self) -> Any:
        return dict(self._job["version"])

    def demistoUrls(self) -> Any:
        return dict(self._job["urls"])

    def debug(self, msg: Any, *args: Any) -> None:
        self._log("debug", msg, *args)

    def info(self, msg: Any, *args: Any) -> None:
        self._log("info", msg, *args)

    def log(self, msg: Any) -> None:
        self._log("info", msg)

    def error(self, msg: Any, *args: Any) -> None:
        self._log("error", msg, *args)

    def updateModuleHealth(self, data: Any, is_error: bool = False) -> None:
        self._log("health error" if is_error else "health", data)

    def _log(self, level: str, *parts: Any) -> None:
        self._say("log", {"level": level, "text": " ".join(str(part) for part in parts)})

    def context(self) -> Any:
        return {}

    def parentEntry(self) -> Any:
        return {}

    def isTimeSensitive(self) -> bool:
        return False

    def getLicenseID(self) -> str:
        return ""

    def get(self, obj: Any, field: str, defaultParam: Any = None) -> Any:
        """Return the value at a dotted path, `defaultParam` when there is none."""
        for part in field.split("."):
            if not isinstance(obj, Mapping) or part not in obj:
                return defaultParam
            obj = obj[part]
        return obj

    def gets(self, obj: Any, field: str) -> str:
        return str(self.get(obj, field))

    def dt(self, obj: Any, trnsfrm: str) -> Any:
        """Return the value at a dotted path. The rest of the DT language is not part of the local XSOAR."""
        if not all(part.isidentifier() for part in trnsfrm.split(".")):
            raise NotImplementedError(f"The local XSOAR supports only dotted paths of DT, not {trnsfrm}")
        return self.get(obj, trnsfrm)


def _object(value: Any, what: str) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError(f"The {what} is an object, not {type(value).__name__}")
    return value


def install(channel: Channel, job: dict[str, Any], code: types.CodeType) -> None:
    """Make a module demistomock, whose code is given, and its functions those of the server.

    What the server does not have is taken away (executeCommand, which integrations do not have, and internalHttpRequest where
    the host is set so), and what the local XSOAR does not have, or an automation script may not do, refuses to work: made-up
    answers of a mock must not pass for a server's.
    """
    module = sys.modules["demistomock"] = types.ModuleType("demistomock")
    exec(code, module.__dict__)  # noqa: S102  (a worker is there to run it)
    platform = Platform(channel, job, module)
    absent = {"internalHttpRequest"} if job["internal_requests"] == "missing" else set()
    absent |= {"executeCommand"} if job["is_integration"] else set()
    refused = _OF_SCRIPTS if job["is_integration"] else _OF_INTEGRATIONS
    given = {
        name: getattr(platform, name)
        for name in vars(Platform)
        if not name.startswith("_") and name != "do" and name not in absent | refused
    }
    for name, value in list(vars(module).items()):
        if isinstance(value, types.FunctionType) and value.__module__ == module.__name__ and name not in given:
            delattr(module, name) if name in absent else setattr(module, name, _refusing(name))
    for name, value in given.items():
        setattr(module, name, value)
    for name, value in {
        "callingContext": platform.calling_context,
        "is_debug": False,
        "lock": threading.Lock(),
        "_Demisto__do": platform.do,
    }.items():
        setattr(module, name, value)


def ask_for_pauses(channel: Channel) -> None:
    """Have the host pause for the script wherever it, or a library of its, would sleep."""

    def sleep(seconds: Any) -> None:
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        channel.call("pause", float(seconds), wait=True)

    time.sleep = sleep


def follow_clock(ahead_seconds: float) -> None:
    """Have the script's time be that of its tenant, when the tenant's clock is not the machine's."""
    if abs(ahead_seconds) < _SAME_TIME_SECONDS:
        return
    machine_time = time.time
    time.time = lambda: machine_time() + ahead_seconds


def _refusing(name: str) -> Any:
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(f"demisto.{name}() is not part of the local XSOAR")

    return refuse


def serve(descriptor: int, code_of: CodeOf) -> NoReturn:
    """Do the jobs that the host gives over `descriptor`, one after another, then end the process."""
    channel = Channel(socket.socket(fileno=descriptor))
    environment, paths, clock, sleep = dict(os.environ), list(sys.path), time.time, time.sleep
    stdout, stderr, show_warning = sys.stdout, sys.stderr, warnings.showwarning
    is_last = False
    while not is_last and (job := channel.job()) is not None:
        sys.path[:] = job["paths"] + paths
        ended = perform(channel, job, code_of)
        is_last = job["is_last"] or threading.active_count() > 1
        channel.call("done", ended, wait=True)
        # As the loop of a server does it: a plain dictionary.
        os.environ = environment.copy()  # type: ignore[assignment]  # noqa: B003
        # Time is the tenant's, what is printed the host's log's. CommonServerPython keeps the handler of warnings that it finds,
        # and with it all that the last run had.
        time.time, time.sleep, warnings.showwarning = clock, sleep, show_warning
        sys.stdout, sys.stderr = stdout, stderr
        if not is_last:
            channel.call("ready", None, wait=False)
    os._exit(0)


def perform(channel: Channel, job: dict[str, Any], code_of: CodeOf) -> dict[str, Any]:
    """Do a job; return the data of the call "done"."""
    os.chdir(job["folder"])
    _redirect_streams(job["output"])
    cpu, is_measured = time.process_time(), _forget_peak()
    error = error_type = ""
    try:
        follow_clock(job["ahead_seconds"])
        install(channel, job, code_of(job["modules"]["demistomock"]))
        if job["asks_for_pauses"]:
            ask_for_pauses(channel)
        _run_script(job, code_of)
    except SystemExit as ended:
        if ended.code not in _ENDED_WELL:
            error, error_type = f"The script ended with {ended.code}", "SystemExit"
    except BaseException as raised:
        error, error_type = traceback.format_exc(), type(raised).__name__
    if job["is_last"]:
        # Threads that still work are waited for, as at the end of any Python program.
        threading._shutdown()  # type: ignore[attr-defined]
    elif threading.active_count() > 1:
        left = ", ".join(thread.name for thread in threading.enumerate() if thread is not threading.main_thread())
        error = f"{error}\nThe script left threads running, which could speak into the next command: {left}".lstrip()
    sys.stdout.flush()
    sys.stderr.flush()
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB.
    peak = _peak() if is_measured else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {"error": error, "error_type": error_type, "cpu": time.process_time() - cpu, "peak": peak}


def _forget_peak() -> bool:
    """Have the peak of the memory counted anew; return whether that is possible."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
        return True
    return False


def _peak() -> int:
    """Return the most resident memory since `_forget_peak`, in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _run_script(job: dict[str, Any], code_of: CodeOf) -> None:
    """Run the platform's modules and the script in one namespace, without a `__name__` of its own."""
    namespace: dict[str, Any] = {}
    for name in ("CommonServerPython", "CommonServerUserPython"):
        # The namespace has all of it already, so what a script imports with * is empty.
        sys.modules[name] = types.ModuleType(name)
        if path := job["modules"].get(name):
            exec(code_of(path), namespace)  # noqa: S102  (a worker is there to run it)
    sys.argv = [job["script"]]
    exec(code_of(job["script"]), namespace)  # noqa: S102


def _redirect_streams(output: str) -> None:
    """Send what the script prints to the file `output`; it has nothing to read."""
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(written)
