"""What fetching 100 incidents costs in CPU, compared with bare requests and json reading the same page."""

import json
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from local_xsoar.runtime import runtime_folders

ROOT = Path(__file__).resolve().parents[1]
INTEGRATION = ROOT / "Packs" / "XSOARMirroring" / "Integrations" / "XSOARMirroring"
INCIDENTS = 100
REPEATS = 15
MOST_RATIO = 4.0


def measure() -> dict[str, Any]:
    """Return the row of the table: the median CPU of both, measured turn by turn, as a ratio."""
    with TenantProcess() as tenant:
        ours, bare = fetch_with_pack(tenant), fetch_bare(tenant)
        ours(), bare()
        times = [(cpu_of(ours), cpu_of(bare)) for _ in range(REPEATS)]
    ratio = statistics.median(pair[0] for pair in times) / statistics.median(pair[1] for pair in times)
    return {
        "work": f"fetch {INCIDENTS} incidents, CPU",
        "measured": f"{ratio:.1f} x",
        "compared with": "bare requests and json, the same page",
        "must be": f"at most {MOST_RATIO:.0f} x",
        "holds": ratio <= MOST_RATIO,
    }


def cpu_of(work: Callable[[], None]) -> float:
    """Return the CPU seconds that some work takes in this process."""
    before = time.process_time()
    work()
    return time.process_time() - before


def fetch_with_pack(tenant: "TenantProcess") -> Callable[[], None]:
    """Return what the script does for a fetch, without the worker's start."""
    sys.path[:0] = [*runtime_folders(), str(INTEGRATION)]
    import XSOARMirroring as script

    params = {"url": tenant.url, "credentials_api_key": {"password": tenant.key}, "max_fetch": str(INCIDENTS)}
    settings = script.parse_settings(params, "there")

    def fetch() -> None:
        client = script.Client(settings)
        cursor = script.Cursor(0, 0)
        new = script.fetch_new(client, settings, cursor, script.Store({}))
        records = [script.fetched_record(incident, script.Attachments(), settings, 0) for incident in new]
        incidents = [
            script.fetched_incident(incident.raw, settings, record, []) for incident, record in zip(new, records, strict=True)
        ]
        delivered = {script.fetched_key(incident): incident.created_ms for incident in new}
        cursor.advance(delivered, 0, script.remote_now_ms(client), script.KEPT_KNOWN_MS).to_run()
        assert len(incidents) == INCIDENTS

    return fetch


def fetch_bare(tenant: "TenantProcess") -> Callable[[], None]:
    """Return the least that can be done: one request, its JSON read, each incident written as JSON."""

    def fetch() -> None:
        body = {"filter": {"query": "", "size": INCIDENTS, "sort": [{"field": "created", "asc": True}]}}
        with requests.Session() as session:
            answer = session.post(f"{tenant.url}/incidents/search", json=body, headers={"Authorization": tenant.key}, timeout=60)
        incidents = [json.dumps(incident) for incident in answer.json()["data"]]
        assert len(incidents) == INCIDENTS

    return fetch


class TenantProcess:
    """A 6.x tenant in a process of its own, so that its work is not measured; `url` and `key` reach it."""

    def __enter__(self) -> "TenantProcess":
        self.key = secrets.token_hex(8)
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVE, self.key, str(INCIDENTS)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate("stop\n", timeout=30)


SERVE = """
import sys, tempfile
from pathlib import Path
from local_xsoar.tenant import Tenant, TenantSettings, serving
from local_xsoar.tenant.samples import load_samples
with tempfile.TemporaryDirectory() as folder:
    tenant = Tenant(TenantSettings("there", Path(folder), version="6.12.0", api_key=sys.argv[1]))
    load_samples(tenant, int(sys.argv[2]))
    with serving(tenant) as url:
        print(url, flush=True)
        sys.stdin.readline()
    tenant.close()
"""
