"""Who is let in: keys of 6.x, standard and advanced keys of 8.x."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from local_xsoar.tenant import Tenant
from local_xsoar.tests.tenant.tenant_client import KEY, KEY_ID, Client, Clock, signed

Make = Callable[..., Tenant]
Serve = Callable[..., Client]

REFUSED_6 = {
    "id": "forbidden",
    "status": 403,
    "title": "Forbidden",
    "detail": "Issue with CSRF code",
    "error": "http: named cookie not present",
    "encrypted": False,
    "multires": None,
}
REFUSED_8 = {"reply": {"err_code": 401, "err_msg": "Public API request unauthorized", "err_extra": None}}


def call(client: Client, headers: dict[str, str]) -> requests.Response:
    return requests.get(f"{client.base}/health/server", headers=headers, timeout=20)


@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}, {"Authorization": "wrong"}, {"Authorization": f"Bearer {KEY}"}])
def test_6_refuses_a_wrong_key(make_tenant: Make, serve: Serve, headers: dict[str, str]) -> None:
    """
    Given: a 6.x tenant.
    When: it is called without the key, with another, or with a scheme before it.
    Then: the answer is 403, and speaks of cookies as the server does.
    """
    response = call(serve(make_tenant(version="6.12.0")), headers)
    assert (response.status_code, response.json()) == (403, REFUSED_6)


def test_6_lets_the_key_in_and_ignores_a_key_id(make_tenant: Make, serve: Serve) -> None:
    """
    Given: a 6.x tenant.
    When: it is called with the key, with and without a key id.
    Then: both are let in.
    """
    client = serve(make_tenant(version="6.12.0"))
    for headers in ({"Authorization": KEY}, {"Authorization": KEY, "x-xdr-auth-id": "99"}):
        assert call(client, headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": KEY},
        {"x-xdr-auth-id": KEY_ID},
        {"Authorization": "wrong", "x-xdr-auth-id": KEY_ID},
        {"Authorization": KEY, "x-xdr-auth-id": "8"},
        signed(KEY, KEY_ID, 1_678_010_808_446),
    ],
)
def test_8_standard_refuses(tenant: Tenant, serve: Serve, headers: dict[str, str]) -> None:
    """
    Given: an 8.x tenant with a standard key.
    When: key or key id are missing or wrong, or the request is signed as with an advanced key.
    Then: the answer is the gateway's 401.
    """
    response = call(serve(tenant), headers)
    assert (response.status_code, response.json()) == (401, REFUSED_8)


def test_8_standard_lets_key_and_id_in(tenant: Tenant, serve: Serve) -> None:
    """
    Given: an 8.x tenant with a standard key.
    When: it is called with key and id, twice.
    Then: it answers.
    """
    client = serve(tenant)
    assert [call(client, {"Authorization": KEY, "x-xdr-auth-id": KEY_ID}).status_code for _ in range(2)] == [200, 200]


@pytest.fixture
def advanced(make_tenant: Make, serve: Serve) -> Client:
    """A client of an 8.x tenant with an advanced key."""
    return serve(make_tenant(advanced_key=True))


def test_8_advanced_lets_a_signed_request_in_once(advanced: Client, clock: Clock) -> None:
    """
    Given: an 8.x tenant with an advanced key.
    When: a signed request is sent, sent again as it is, and signed anew.
    Then: the first and the last are let in, the replay is refused.
    """
    now = clock.now // 1_000_000
    headers = signed(KEY, KEY_ID, now)
    assert call(advanced, headers).status_code == 200
    assert (call(advanced, headers).status_code, call(advanced, headers).json()) == (401, REFUSED_8)
    assert call(advanced, signed(KEY, KEY_ID, now)).status_code == 200


def test_8_advanced_refuses_an_old_signature(advanced: Client, clock: Clock) -> None:
    """
    Given: requests signed just under and just over five minutes ago by the tenant's clock.
    When: they are sent.
    Then: the first is let in, the second refused; and a replay is refused even when its time would still do.
    """
    now = clock.now // 1_000_000
    fresh = signed(KEY, KEY_ID, now - 299_000)
    assert call(advanced, fresh).status_code == 200
    assert call(advanced, signed(KEY, KEY_ID, now - 301_000)).status_code == 401
    clock.advance(0.5)
    assert call(advanced, fresh).status_code == 401


def test_8_advanced_remembers_nonces_while_they_could_be_replayed(advanced: Client, clock: Clock) -> None:
    """
    Given: requests sent every two minutes over ten minutes.
    When: each is replayed at the end.
    Then: all are refused, the old ones for their age and the others as replays.
    """
    sent = []
    for _ in range(5):
        clock.advance(120)
        sent.append(signed(KEY, KEY_ID, clock.now // 1_000_000))
        assert call(advanced, sent[-1]).status_code == 200
    assert [call(advanced, headers).status_code for headers in sent] == [401] * 5


def changed(**changes: str) -> dict[str, Any]:
    return changes


@pytest.mark.parametrize(
    "changes",
    [
        changed(Authorization=KEY),
        changed(Authorization="0" * 64),
        changed(Authorization=""),
        {"x-xdr-nonce": "another nonce"},
        {"x-xdr-nonce": ""},
        {"x-xdr-timestamp": "1678010808447"},
        {"x-xdr-timestamp": ""},
        {"x-xdr-timestamp": "now"},
        {"x-xdr-timestamp": "9" * 30},
        {"x-xdr-auth-id": "8"},
    ],
)
def test_8_advanced_refuses_what_is_not_signed_so(advanced: Client, clock: Clock, changes: dict[str, str]) -> None:
    """
    Given: a rightly signed request.
    When: one of its headers is another, the bare key instead of the signature among them.
    Then: it is refused; the request as it was signed is let in, for a refused one does not use up its nonce.
    """
    headers = signed(KEY, KEY_ID, clock.now // 1_000_000)
    response = call(advanced, headers | changes)
    assert (response.status_code, response.json()) == (401, REFUSED_8)
    assert call(advanced, headers).status_code == 200


def test_8_advanced_refuses_another_key(advanced: Client, clock: Clock) -> None:
    """
    Given: a request signed with another key.
    When: it is sent.
    Then: it is refused.
    """
    assert call(advanced, signed("another key", KEY_ID, clock.now // 1_000_000)).status_code == 401


@pytest.mark.parametrize("settings", [{"api_key": ""}, {"key_id": ""}, {"version": "6.12.0", "api_key": ""}])
def test_a_tenant_without_a_key_lets_nobody_in(make_tenant: Make, serve: Serve, settings: dict[str, str]) -> None:
    """
    Given: a tenant without a key, or on 8.x without a key id.
    When: it is called with empty headers of that kind.
    Then: it refuses.
    """
    client = serve(make_tenant(**settings))
    assert call(client, {"Authorization": settings.get("api_key", KEY), "x-xdr-auth-id": ""}).status_code in (401, 403)


def test_a_large_upload_with_a_wrong_key_is_refused(tenant: Tenant, serve: Serve) -> None:
    """
    Given: an upload of several megabytes with a wrong key.
    When: it is sent.
    Then: the answer is the 401, and the connection serves the next request.
    """
    client = serve(tenant)
    response = client.session.post(f"{client.base}/entry/upload/1", files={"file": ("a", bytes(4_000_000))}, timeout=20)
    assert (response.status_code, response.json()) == (401, REFUSED_8)
    assert client.get("/about").status_code == 200
