"""Lends the tests here the server and the remote of the unit tests: both in memory, with a clock that stands still."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

INTEGRATION = Path(__file__).resolve().parents[2] / "Packs" / "XSOARMirroring" / "Integrations" / "XSOARMirroring"
sys.path.insert(0, str(INTEGRATION))

from XSOARMirroring_test import clock, frozen, mirrored, naps, remote, remote_6, server  # noqa: E402

__all__ = ["clock", "frozen", "mirrored", "naps", "remote", "remote_6", "server"]

PROXIES = [f"{scheme}_proxy" for scheme in ("http", "https", "all")]


@pytest.fixture(autouse=True)
def quick_look_for_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have requests read the environment only if it names a proxy: a fifth of the time would go into that, twice a request."""
    thorough = requests.sessions.get_environ_proxies

    def look(*args: Any, **kwargs: Any) -> Any:
        is_named = any(name in os.environ or name.upper() in os.environ for name in PROXIES)
        return thorough(*args, **kwargs) if is_named else {}

    monkeypatch.setattr(requests.sessions, "get_environ_proxies", look)
