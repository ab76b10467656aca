"""A clock that a test sets, and a client that calls a tenant over HTTP in the manner of its version."""

import hashlib
import uuid
from typing import Any

import requests

from local_xsoar.tenant import Tenant

SECOND = 1_000_000_000
START = 1_678_010_808_446_441_591  # 2023-03-05T10:06:48.446441591Z, when the captured incident was created
KEY, KEY_ID = "the-key", "7"

MANNERS: dict[str, dict[str, Any]] = {
    "6.x": {"version": "6.12.0"},
    "8.x": {"version": "8.8.0"},
    "8.x advanced": {"version": "8.8.0", "advanced_key": True},
}


class Clock:
    """A clock that stands still until the test moves it."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


class Client:
    """Calls a tenant over HTTP with the key and in the manner of its version."""

    def __init__(self, tenant: Tenant, address: str) -> None:
        self.tenant = tenant
        self.address = address
        self.base = f"{address}/xsoar" if tenant.settings.is_8 else address
        self.session = requests.Session()

    def headers(self) -> dict[str, str]:
        settings = self.tenant.settings
        if not settings.is_8:
            return {"Authorization": settings.api_key}
        if not settings.advanced_key:
            return {"Authorization": settings.api_key, "x-xdr-auth-id": settings.key_id}
        return signed(settings.api_key, settings.key_id, self.tenant.now() // 1_000_000)

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        if body is not None:
            more["json"] = body
        headers = self.headers()
        if method == "POST" and "files" not in more and not isinstance(more.get("data"), dict):
            headers["Content-Type"] = "application/json"
        return self.session.request(method, self.base + path, headers=headers, timeout=20, **more)

    def get(self, path: str) -> requests.Response:
        return self.call("GET", path)

    def post(self, path: str, body: Any = None, **more: Any) -> requests.Response:
        return self.call("POST", path, body, **more)


def signed(key: str, key_id: str, timestamp_ms: int, nonce: str = "") -> dict[str, str]:
    """Return the headers of a request signed with an advanced key."""
    nonce = nonce or uuid.uuid4().hex * 2
    signature = hashlib.sha256(f"{key}{nonce}{timestamp_ms}".encode()).hexdigest()
    return {"Authorization": signature, "x-xdr-auth-id": key_id, "x-xdr-nonce": nonce, "x-xdr-timestamp": str(timestamp_ms)}
