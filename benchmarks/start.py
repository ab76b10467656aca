"""What the script adds to the start of a worker, and whether the tenant used for measuring is fast enough for it."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import requests

from benchmarks import row
from benchmarks.latency import AWAY
from benchmarks.remote import Remote
from benchmarks.script_runs import INTEGRATION
from local_xsoar.runtime import runtime_folders

STARTS = 9
MOST_MS = 15.0
REQUESTS = 200
MOST_OF_DISTANCE = 0.2

# In a process of its own: compiles the script, then times its import with the runtime's modules in place already.
IMPORT = """
import sys, time
from pathlib import Path
sys.path[:0] = sys.argv[2:]
import demistomock, CommonServerPython, CommonServerUserPython
text = Path(sys.argv[1]).read_text(encoding="utf-8")
begun = time.process_time()
code = compile(text, sys.argv[1], "exec")
compiled = time.process_time()
module = type(sys)("XSOARMirroring")
sys.modules["XSOARMirroring"] = module
exec(code, module.__dict__)
print((compiled - begun) * 1000, (time.process_time() - compiled) * 1000)
"""


def measure() -> list[dict[str, Any]]:
    """Return the rows of the import and of the tenant."""
    return [script_import(), tenant_speed()]


def script_import() -> dict[str, Any]:
    """Return the CPU of the script's import, the quickest of some starts: what else the machine does only adds to it."""
    command = [sys.executable, "-c", IMPORT, str(INTEGRATION / "XSOARMirroring.py"), *runtime_folders()]
    starts = [subprocess.run(command, capture_output=True, check=True, text=True).stdout.split() for _ in range(STARTS)]
    compiling, importing = (min(float(start[part]) for start in starts) for part in (0, 1))
    return row(
        "import of the script, on top of the runtime's",
        f"{importing:.1f} ms of CPU",
        f"to compile it, which the host does once: {compiling:.0f} ms",
        f"at most {MOST_MS:.0f} ms",
        importing <= MOST_MS,
    )


def tenant_speed() -> dict[str, Any]:
    """Return how long the tenant itself takes for a small request, beside the distance that stands for the network."""
    with tempfile.TemporaryDirectory() as folder, Remote(Path(folder)) as remote, requests.Session() as session:
        incident_id = str((remote.tenant.create_incident({"name": "One"}) or {})["id"])
        session.headers.update({"Authorization": remote.key, "x-xdr-auth-id": "1"})
        times = []
        for _ in range(REQUESTS):
            begun = time.perf_counter()
            session.get(f"{remote.url}/xsoar/incident/load/{incident_id}", timeout=60).raise_for_status()
            times.append(time.perf_counter() - begun)
        own = statistics.median(remote.seen().own_seconds)
    share = own / AWAY
    return row(
        "the tenant used for measuring, its own time for one incident",
        f"{own * 1000:.1f} ms (with HTTP on both sides {statistics.median(times) * 1000:.1f} ms)",
        f"the {AWAY * 1000:.0f} ms that it is away",
        f"at most {MOST_OF_DISTANCE:.1f} x",
        share <= MOST_OF_DISTANCE,
    )
