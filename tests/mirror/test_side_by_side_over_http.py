"""Reading calls run side by side: as many as they may, never more, and what they bring is whole and in its order."""

import asyncio
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from local_xsoar.tenant import serving
from tests.mirror.two_tenants import IN_TAG, VERSIONS, Clock, Interference, Mirror, Site

AT_ONCE = 8
FILES = 12


class Held:
    """Holds the downloads of a tenant until `AT_ONCE` are under way. `most` is how many there were at once."""

    def __init__(self) -> None:
        self.most = 0
        self._under_way = 0
        self._enough = asyncio.Event()

    async def __call__(self, request: Request) -> Response | None:
        """Hold a request, before the tenant sees it."""
        if is_download(request):
            self._under_way += 1
            self.most = max(self.most, self._under_way)
            if self._under_way >= AT_ONCE:
                self._enough.set()
            await asyncio.wait_for(self._enough.wait(), timeout=30)
        return None

    async def after(self, request: Request, response: Response) -> Response | None:
        """Note that a request was answered."""
        self._under_way -= is_download(request)
        return None


def is_download(request: Request) -> bool:
    """Return whether a file is asked for."""
    return "/entry/download/" in request.url.path


@pytest.fixture
def held() -> Held:
    """What holds the downloads of the remote tenant."""
    return Held()


@pytest.fixture(params=["6", "8"])
def made(request: pytest.FixtureRequest, site: Site, held: Held) -> Mirror:
    """A local tenant, and a remote one of each version whose downloads are held."""
    clock = Clock()
    local, remote = site.tenant("headquarters", VERSIONS["8"]), site.tenant("customer", VERSIONS[request.param], clock)
    url = site.exits.enter_context(serving(remote, hook=held, after=held.after))
    mirror = Mirror(local, remote, url, site.host(local), clock, Interference())
    mirror.configure(fetch_incident_history=True)
    return mirror


def test_the_attachments_of_a_fetch_come_side_by_side(made: Mirror, held: Held) -> None:
    """
    Given: six remote incidents with two attachments each.
    When: a fetch runs.
    Then: eight files are on their way at once and never more, and each incident has its own two, in their order.
    """
    for number in range(FILES // 2):
        names = [f"{number}-{letter}.txt" for letter in "ab"]
        made.there.create_incident({"name": f"incident {number}"}, attachments=[(name, name.encode()) for name in names])

    local_ids = made.fetch_all()

    assert held.most == AT_ONCE
    for local_id in local_ids:
        incident = made.here.incident(local_id)
        number = incident["name"].removeprefix("incident ")
        assert [attachment["name"] for attachment in incident["attachment"]] == [f"{number}-a.txt", f"{number}-b.txt"]
        assert files_of(made, local_id) == {name: name.encode() for name in (f"{number}-a.txt", f"{number}-b.txt")}


def test_the_files_of_a_war_room_come_side_by_side(made: Mirror, held: Held) -> None:
    """
    Given: a mirrored incident in whose War Room texts and twelve files alternate.
    When: a round runs.
    Then: eight files are on their way at once and never more, and all is here in its order.
    """
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    expected = []
    for number in range(FILES):
        made.there.add_entry(remote_id, contents=f"text {number}", category="chat", tags=[IN_TAG])
        name = f"{number}.txt"
        made.there.add_entry(remote_id, category="attachments", tags=[IN_TAG], file=(name, name.encode()))
        expected += [f"text {number}", name]
    made.until_quiet()

    came = [entry["file"] or str(entry["contents"]).rpartition("\n")[2] for entry in made.here.entries(local_id)]
    assert held.most == AT_ONCE
    assert [item for item in came if item in expected] == expected
    assert files_of(made, local_id) == {f"{number}.txt": f"{number}.txt".encode() for number in range(FILES)}


def files_of(made: Mirror, local_id: str) -> dict[str, bytes]:
    """Return the files in a local War Room by their names."""
    found = [made.here.entry_file(str(entry["id"])) for entry in made.here.entries(local_id) if entry["file"]]
    assert len(found) == len(dict(found))
    return {name: Path(path).read_bytes() for name, path in found}
