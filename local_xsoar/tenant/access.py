"""Who may call the REST API: the keys of 6.x and 8.x, and which addresses are the API's (XSOAR REST API: auth headers)."""

import hashlib
import hmac
import threading
from collections.abc import Mapping

from local_xsoar.tenant.settings import TenantSettings
from local_xsoar.tenant.times import MILLISECOND, MINUTE

SIGNATURE_LIFE = 5 * MINUTE
PREFIXES_8 = ("/xsoar/public/v1", "/xsoar")


def api_path(path: str, settings: TenantSettings) -> str | None:
    """Return the path within the API, without the prefix of the tenant's version; None when the address is not the API's.

    6.x: at the root, and under /acc_<account> when the tenant has an account. 8.x: under /xsoar and /xsoar/public/v1.
    """
    if not settings.is_8:
        return _without(path, f"/acc_{settings.account}") or path if settings.account else path
    for prefix in PREFIXES_8:
        inner = _without(path, prefix)
        if inner is not None:
            return inner
    return None


def _without(path: str, prefix: str) -> str | None:
    if path == prefix:
        return "/"
    return path.removeprefix(prefix) if path.startswith(f"{prefix}/") else None


class Gate:
    """Checks the headers of a request against the tenant's key. Remembers the nonces of signed requests."""

    def __init__(self, settings: TenantSettings) -> None:
        self._settings = settings
        self._seen: dict[str, int] = {}
        self._lock = threading.Lock()

    def lets_in(self, headers: Mapping[str, str], now: int) -> bool:
        """Say whether the request may pass. A signed request passes once, and only within five minutes of its time.

        Args:
            headers: the request's headers, by lower-case name.
            now: the tenant's time in epoch nanoseconds.
        """
        settings = self._settings
        given = headers.get("authorization", "")
        if not settings.api_key or not given:
            return False
        if not settings.is_8:
            return _same(given, settings.api_key)
        if not settings.key_id or not _same(headers.get("x-xdr-auth-id", ""), settings.key_id):
            return False
        if not settings.advanced_key:
            return _same(given, settings.api_key)
        return self._signature_fits(given, headers.get("x-xdr-nonce", ""), headers.get("x-xdr-timestamp", ""), now)

    def _signature_fits(self, given: str, nonce: str, timestamp: str, now: int) -> bool:
        if not nonce or not (timestamp.isascii() and timestamp.isdecimal()) or len(timestamp) > 15:
            return False
        expected = hashlib.sha256(f"{self._settings.api_key}{nonce}{timestamp}".encode()).hexdigest()
        oldest = now - SIGNATURE_LIFE
        signed_at = int(timestamp) * MILLISECOND
        if not _same(given, expected) or signed_at < oldest:
            return False
        with self._lock:
            if nonce in self._seen:
                return False
            self._forget(oldest)
            self._seen[nonce] = signed_at
        return True

    def _forget(self, oldest: int) -> None:
        """Drop the nonces seen first, as far as their requests are too old by now to be let in again."""
        while self._seen:
            nonce, signed_at = next(iter(self._seen.items()))
            if signed_at >= oldest:
                return
            del self._seen[nonce]


class Quota:
    """Counts the calls of each minute of the tenant's clock. Not for several threads."""

    def __init__(self, calls_a_minute: int) -> None:
        self._most = calls_a_minute
        self._minute = 0
        self._calls = 0

    def is_used_up(self, now: int) -> bool:
        """Count a call and say whether it is one too many; `now` is in epoch nanoseconds. With a quota of 0 none is."""
        if now // MINUTE != self._minute:
            self._minute, self._calls = now // MINUTE, 0
        self._calls += 1
        return 0 < self._most < self._calls


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode("utf-8", "replace"))
