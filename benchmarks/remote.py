"""A remote tenant in a process of its own, some milliseconds away, so that its work is not measured as the pack's.

    python -m benchmarks.remote <folder> <version> <key> <seconds away> <settings of the tenant as JSON>

It is the tenant of `local_xsoar`. Each request waits until the distance is over before it is dealt with; others go on meanwhile.
"""

import asyncio
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from local_xsoar.tenant import Tenant, TenantSettings, serving

ROOT = Path(__file__).resolve().parents[1]
KEY_ID = "1"


@dataclass(frozen=True)
class Seen:
    """What a remote saw since it was asked last.

    paths: method and path of each request.
    own_seconds: how long the tenant itself took for each.
    most_at_once: how many requests were under way at the same time, at most.
    """

    paths: list[str]
    own_seconds: list[float]
    most_at_once: int


class Remote:
    """A context manager. `tenant` is a second hand on the tenant's data, to prepare and to change it; `params` reach it.

    `switches` are settings of the tenant that differ from what `settings_of` gives.
    """

    def __init__(
        self,
        folder: Path,
        away: float = 0.0,
        version: str = "8.8.0",
        clock: Callable[[], int] = time.time_ns,
        **switches: Any,
    ) -> None:
        self.key = secrets.token_hex(8)
        self.tenant = Tenant(replace(settings_of(folder, version, self.key), **switches), clock)
        self._arguments = [str(folder), version, self.key, str(away), json.dumps(switches)]

    def __enter__(self) -> "Remote":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.remote", *self._arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self._line().strip()
        credentials = {"identifier": self.tenant.settings.key_id, "password": self.key}
        self.params: dict[str, Any] = {"url": self.url, "credentials_api_key": credentials, "isFetch": True}
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate(timeout=30)  # It ends with its input.
        self.tenant.close()

    def seen(self) -> Seen:
        """Return what it saw since it was asked last."""
        assert self._process.stdin is not None
        self._process.stdin.write("seen\n")
        self._process.stdin.flush()
        return Seen(**json.loads(self._line()))

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def settings_of(folder: Path, version: str, key: str) -> TenantSettings:
    """Return the settings of a remote tenant. It heeds the tags of a War Room's filter, which most servers are likely to do."""
    key_id = KEY_ID if version.startswith("8") else ""
    return TenantSettings("remote", folder, version=version, api_key=key, key_id=key_id, entry_tags="combined")


class Door:
    """What stands before and behind the tenant: it lets each request wait, and notes it."""

    def __init__(self, away: float) -> None:
        self._away = away
        self._under_way = 0
        self.forget()

    def forget(self) -> None:
        """Begin to count anew."""
        self.paths: list[str] = []
        self.own_seconds: list[float] = []
        self.most_at_once = 0

    async def before(self, request: Request) -> None:
        """Note a request, and let it wait."""
        self.paths.append(f"{request.method} {request.url.path}")
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        if self._away:
            await asyncio.sleep(self._away)
        request.state.begun = time.perf_counter()

    async def after(self, request: Request, response: Response) -> None:
        """Note how long the tenant took."""
        self._under_way -= 1
        self.own_seconds.append(time.perf_counter() - request.state.begun)


def main() -> None:
    """Serve the tenant until the input ends; tell what was seen at each line of it."""
    folder, version, key, away, switches = sys.argv[1:]
    settings = replace(settings_of(Path(folder), version, key), **json.loads(switches))
    tenant, door = Tenant(settings), Door(float(away))
    with serving(tenant, hook=door.before, after=door.after) as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        for _ in sys.stdin:
            seen = {"paths": door.paths, "own_seconds": door.own_seconds, "most_at_once": door.most_at_once}
            sys.stdout.write(json.dumps(seen) + "\n")
            sys.stdout.flush()
            door.forget()
    tenant.close()


if __name__ == "__main__":
    main()
