"""Tenants with their web pages."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from local_xsoar.tenant import Tenant, TenantSettings, serving
from local_xsoar.tenant.web import Pairs, Sharing, nothing_shared
from local_xsoar.tests.web.web_client import TOKEN, PageClient

Serve = Callable[..., PageClient]


@pytest.fixture
def serve_page(tmp_path: Path) -> Iterator[Serve]:
    """Makes a tenant and serves its page; any setting can be given. Gives a client that has not shown the token yet."""
    with ExitStack() as opened:

        def start(
            name: str = "headquarters",
            token: str = TOKEN,
            pairs: Pairs | None = None,
            sharing: Sharing = nothing_shared,
            **settings: Any,
        ) -> PageClient:
            values: dict[str, Any] = {"name": name, "folder": tmp_path / name, "api_key": "the-key", "key_id": "7"} | settings
            tenant = Tenant(TenantSettings(**values))
            opened.callback(tenant.close)
            address = opened.enter_context(serving(tenant, page_token=token, pairs=pairs, sharing=sharing))
            client = PageClient(tenant, address)
            opened.callback(client.session.close)
            return client

        yield start


@pytest.fixture
def page_client(serve_page: Serve) -> PageClient:
    """A client of the page of a tenant of 8.x, let in."""
    return serve_page().open()


@pytest.fixture
def make_incident() -> Callable[..., str]:
    """Creates an incident and gives its id."""

    def make(tenant: Tenant, **fields: Any) -> str:
        incident = tenant.create_incident({"name": "Beacon", **fields}, investigate=fields.pop("investigate", True))
        assert incident is not None
        return str(incident["id"])

    return make
