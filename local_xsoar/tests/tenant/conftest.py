"""Tenants to test: made in a temporary folder, with a clock that the test sets, called over real HTTP."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from local_xsoar.tenant import Tenant, TenantSettings, serving
from local_xsoar.tenant.manners import KIND
from local_xsoar.tests.tenant.tenant_client import KEY, KEY_ID, MANNERS, Client, Clock

TEST_DATA = Path(__file__).parent / "test_data"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_tenant(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Tenant]]:
    """Makes tenants; any setting can be given. All are closed at the end."""
    with ExitStack() as opened:

        def make(**settings: Any) -> Tenant:
            values: dict[str, Any] = {
                "name": "headquarters",
                "folder": tmp_path / "tenant",
                "api_key": KEY,
                "key_id": KEY_ID,
                # What a tenant is like when nothing is uncertain. Its other sides stand in test_tenant_manners.py.
                **KIND,
                "empty_list": "null",
            } | settings
            tenant = Tenant(TenantSettings(**values), clock)
            opened.callback(tenant.close)
            return tenant

        yield make


@pytest.fixture
def tenant(make_tenant: Callable[..., Tenant]) -> Tenant:
    """A tenant of 8.x with a standard key."""
    return make_tenant()


@pytest.fixture
def tenant_6(make_tenant: Callable[..., Tenant]) -> Tenant:
    """A tenant of 6.x."""
    return make_tenant(version="6.12.0")


@pytest.fixture
def serve() -> Iterator[Callable[..., Client]]:
    """Serves a tenant over HTTP and gives a client for it; `hook` and `after` as for `serving`."""
    with ExitStack() as opened:

        def start(tenant: Tenant, **more: Any) -> Client:
            client = Client(tenant, opened.enter_context(serving(tenant, **more)))
            opened.callback(client.session.close)
            return client

        yield start


@pytest.fixture(params=list(MANNERS))
def client(request: pytest.FixtureRequest, make_tenant: Callable[..., Tenant], serve: Callable[..., Client]) -> Client:
    """A client of a tenant, once for each manner: 6.x, 8.x with a standard key, 8.x with an advanced one."""
    return serve(make_tenant(**MANNERS[request.param]))


@pytest.fixture
def captured() -> Callable[[str], dict[str, Any]]:
    """Reads a captured object: the incident as searched or loaded, or the War Room entry."""

    def read(name: str) -> dict[str, Any]:
        return json.loads((TEST_DATA / name).read_text(encoding="utf-8"))

    return read
