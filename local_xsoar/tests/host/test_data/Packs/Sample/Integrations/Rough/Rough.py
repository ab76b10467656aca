"""An integration whose commands do what scripts do at their worst."""

# ruff: noqa: F403, F405, S605, S607, T201

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import demistomock as demisto
from CommonServerPython import *
from CommonServerUserPython import *


def echo():
    said = {
        "params": demisto.params(),
        "args": demisto.args(),
        "command": demisto.command(),
        "instance": demisto.integrationInstance(),
        "brand": demisto.callingContext["context"]["IntegrationBrand"],
        "investigation": demisto.investigation()["id"],
        "incident": demisto.incident().get("name"),
        "version": get_demisto_version().get("version"),
        "main": __name__,
        "time zone": time.tzname[0],
        "is command": is_integration_command_execution(),
    }
    return_results(CommandResults("Rough.Echo", outputs=said, readable_output="### Echo"))


def entries():
    demisto.results("just text")
    demisto.results(["in a list", None, {"any": "object"}])
    demisto.results({"Type": 1, "Contents": {"a": [1, 2]}, "ContentsFormat": "json", "Note": True, "Tags": ["x"]})
    demisto.results({"Type": 1, "Contents": "*raw*", "ContentsFormat": "text", "HumanReadable": "| a |\n|---|\n| 1 |"})
    demisto.results(None)


def context():
    read = demisto.getIntegrationContextVersioned(True)
    count = read["context"].get("count", 0) + 1
    set_integration_context({"count": count}, version=read["version"])
    demisto.results(f"{count} in version {demisto.getIntegrationContextVersioned()['version']}")


def stale_context():
    version = demisto.getIntegrationContextVersioned()["version"]
    demisto.setIntegrationContextVersioned({"by": "first"}, version, True)
    try:
        demisto.setIntegrationContextVersioned({"by": "second"}, version, True)
    except ValueError:
        demisto.results("refused")
    demisto.setIntegrationContextVersioned({"by": "third"}, -1, True)


def not_json(kind):
    values = {"set": {1, 2}, "bytes": b"x", "infinite": float("inf")}
    demisto.results({"Type": 1, "ContentsFormat": "json", "Contents": {"value": values[kind]}})


def process():
    commands_before = getattr(sys, "commands_before", 0)
    sys.commands_before = commands_before + 1
    left, os.environ["LEFT"] = os.environ.get("LEFT"), "left"
    said = {"id": os.getpid(), "commands before": commands_before, "LEFT": left, "own names": "earlier" in globals()}
    globals()["earlier"] = True
    demisto.results({**said, "shares names": return_error.__globals__ is globals()})


def threads():
    support_multithreading()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: demisto.debug(f"line {number}"), range(200)))
    late = threading.Event()
    threading.Thread(target=lambda: (late.wait(0.05), demisto.debug("from a thread that outlives main"))).start()
    demisto.results("threads are done")


def start_a_process_that_never_ends(pipe):
    held = os.open(pipe, os.O_WRONLY)
    subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"], pass_fds=[held])
    os.write(held, b"begun")


def link(to):
    result = fileResult("link.txt", "")
    written = Path(f"{demisto.investigation()['id']}_{result['FileID']}")
    written.unlink()
    written.symlink_to(to)
    demisto.results(result)


def main():
    command, args = demisto.command(), demisto.args()
    if command == "test-module":
        set_integration_context({"written by": "test"})
        demisto.results("ok" if demisto.params()["url"].startswith("https") else "The address must begin with https")
    elif command == "fetch-incidents":
        demisto.incidents([])
    elif command == "rough-echo":
        echo()
    elif command == "rough-entries":
        entries()
    elif command == "rough-file":
        demisto.results(fileResult(args["name"], args["text"]))
    elif command == "rough-error":
        demisto.results("before")
        return_error("It went wrong on purpose")
    elif command == "rough-raise":
        demisto.results("before")
        raise KeyError("nobody caught me")
    elif command == "rough-exit":
        demisto.results("before")
        sys.exit(int(args["code"]))
    elif command == "rough-kill":
        demisto.results("before")
        os.kill(os.getpid(), signal.SIGKILL)
    elif command == "rough-sleep":
        start_a_process_that_never_ends(args["pipe"])
        threading.Event().wait()
    elif command == "rough-nap":
        time.sleep(float(args["seconds"]))
        demisto.results("rested")
    elif command == "rough-leave-running":
        start_a_process_that_never_ends(args["pipe"])
        demisto.results("done")
    elif command == "rough-link":
        link(args["to"])
    elif command == "rough-print":
        print("to stdout")
        print("to stderr", file=sys.stderr)
        os.system("echo from a child")
        demisto.info("an info line")
        demisto.error("an error line")
        demisto.debug("half a pair: \ud83d")
        demisto.updateModuleHealth("healthy")
    elif command == "rough-context":
        context()
    elif command == "rough-stale-context":
        stale_context()
    elif command == "rough-write-then-kill":
        set_integration_context({"written": "yes"})
        demisto.results("before")
        os.kill(os.getpid(), signal.SIGTERM)
    elif command == "rough-not-json":
        not_json(args["kind"])
    elif command == "rough-mock":
        demisto.searchIndicators()
    elif command == "rough-process":
        process()
    elif command == "rough-threads":
        threads()
    elif command == "rough-last-run":
        demisto.results({"lastRun": demisto.getLastRun(), "lastMirrorRun": demisto.getLastMirrorRun()})
        demisto.setLastRun({"by": "a command"})
    elif command == "rough-file-path":
        found = demisto.getFilePath(args["entry"])
        demisto.results(f"{found['name']}: {Path(found['path']).read_text()}")
    elif command == "rough-request":
        if not hasattr(demisto, "internalHttpRequest"):
            demisto.results("there is no internalHttpRequest")
            return
        demisto.results(demisto.internalHttpRequest(args["method"], args["uri"], args.get("body")))
    elif command == "rough-leftovers":
        demisto.results(sorted(path.name for path in Path().iterdir()) or "nothing")
        Path("left.txt").write_text("left")


if __name__ in ("__main__", "__builtin__", "builtins"):
    main()
