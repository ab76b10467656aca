"""The tenants that the tests here are given."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local_xsoar.host.workers import Workers
from tests.mirror.two_tenants import Mirror, Site


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    """The fork server that the hosts of all tests share, since it takes half a second to start."""
    started = Workers()
    yield started
    started.close()


@pytest.fixture
def site(tmp_path: Path, workers: Workers) -> Iterator[Site]:
    """A place for the tenants and hosts of one test."""
    with ExitStack() as exits:
        yield Site(tmp_path, exits, workers)


@pytest.fixture(params=["6-6", "6-8", "8-6", "8-8"])
def mirror(request: pytest.FixtureRequest, site: Site) -> Mirror:
    """A local and a remote tenant in each pairing of versions, an instance of the pack configured at the local one."""
    here, there = request.param.split("-")
    made = site.mirror(here, there)
    made.configure()
    return made


@pytest.fixture(params=["6", "8"])
def remote(request: pytest.FixtureRequest, site: Site) -> Mirror:
    """A local tenant and a remote one of each version, an instance of the pack configured at the local one."""
    made = site.mirror("8", request.param)
    made.configure()
    return made
