"""How many calls one minute of mirroring makes, for more and more mirrored incidents of which ten changed."""

import secrets
import tempfile
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from local_xsoar.host import Host
from local_xsoar.tenant import Tenant, TenantSettings, serving

INTEGRATION = Path(__file__).resolve().parents[1] / "Packs" / "XSOARMirroring" / "Integrations" / "XSOARMirroring"
SIZES = (100, 1000)
CHANGED = 10
MOST_CALLS = 25 + 2 * CHANGED


def measure() -> list[dict[str, Any]]:
    """Return a row for each number of mirrored incidents."""
    return [measure_size(size) for size in SIZES]


def measure_size(size: int) -> dict[str, Any]:
    """Mirror some incidents until nothing is left to do, change ten, and count the calls of the next round."""
    calls: list[str] = []

    async def count(request: Request) -> Response | None:
        calls.append(request.url.path)
        return None

    with tempfile.TemporaryDirectory() as folder:
        here = Tenant(TenantSettings("here", Path(folder) / "here", api_key=secrets.token_hex(8), key_id="1"))
        there = Tenant(TenantSettings("there", Path(folder) / "there", api_key=secrets.token_hex(8), key_id="1"))
        ids = [str((there.create_incident({"name": f"Incident {number}"}) or {})["id"]) for number in range(size)]
        with serving(there, hook=count) as url, Host(here, Path(folder) / "host") as host:
            credentials = {"identifier": "1", "password": there.settings.api_key}
            host.add_instance(
                "there",
                INTEGRATION,
                {"url": url, "credentials_api_key": credentials, "isFetch": True, "tags": "in", "max_fetch": "200"},
            )
            while host.fetch("there").created:
                pass
            while host.mirror("there").modified:
                pass
            for incident_id in ids[:CHANGED]:
                there.change_incident(incident_id, {"severity": 3})
            calls.clear()
            host.mirror("there")
        here.close()
        there.close()
    return {
        "work": f"one minute of {size} mirrored incidents, {CHANGED} changed",
        "measured": f"{len(calls)} calls",
        "compared with": "25 calls and 2 per change",
        "must be": f"at most {MOST_CALLS} calls",
        "holds": len(calls) <= MOST_CALLS,
    }
