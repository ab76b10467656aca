"""A tenant with a clock of its own, hosts on it, and the sample integrations."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_xsoar.host import Host, Workers
from local_xsoar.tenant import Tenant, TenantSettings
from local_xsoar.tests.host.host_samples import SAMPLES, Clock, Remote


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    with Workers() as shared:
        yield shared


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tenant(tmp_path: Path, clock: Clock) -> Iterator[Tenant]:
    made = Tenant(TenantSettings(name="here", folder=tmp_path / "tenant", api_key="k"), clock)
    yield made
    made.close()


@pytest.fixture
def open_host(tenant: Tenant, workers: Workers, tmp_path: Path) -> Iterator[Callable[..., Host]]:
    """Open hosts on the tenant, all on the same folder; they are closed at the end."""
    opened: list[Host] = []

    def open_one(**options: Any) -> Host:
        opened.append(Host(tenant, tmp_path / "host", workers=workers, **options))
        return opened[-1]

    yield open_one
    for host in opened:
        host.close()


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path / "remote")


@pytest.fixture
def rough(open_host: Callable[..., Host]) -> Host:
    """A host with the instance "rough" of the integration Rough."""
    host = open_host()
    host.add_instance("rough", SAMPLES / "Rough", {"url": "https://there"})
    return host


@pytest.fixture
def ledger(open_host: Callable[..., Host], remote: Remote) -> Host:
    """A host with the instance "ledger" of the integration Ledger."""
    host = open_host()
    host.add_instance("ledger", SAMPLES / "Ledger", remote.params)
    return host
