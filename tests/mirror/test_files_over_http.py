"""Files that cannot be had: for a while, and they come later, once; for good, and a note says so and that is the end."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import JSONResponse

from local_xsoar.tenant import Tenant
from tests.mirror.test_exact_over_http import chat, last_lines
from tests.mirror.test_partial_over_http import refusing
from tests.mirror.two_tenants import IN_TAG, INSTANCE, Mirror, Site

TRIES = 5  # Rounds, an hour apart, after which a file is given up at the latest.


def hourly(made: Mirror, rounds: int) -> None:
    """Run rounds an hour apart, which may fail."""
    for _ in range(rounds):
        made.pass_time(hours=1)
        made.host.mirror(INSTANCE)


def downloads(made: Mirror) -> int:
    """Return how many downloads were tried."""
    return sum("/entry/download" in path for path in made.interference.paths)


def named_in(tenant: Tenant, incident_id: str, name: str) -> list[dict[str, Any]]:
    """Return the entries that tell of a file and do not hold it."""
    return [entry for entry in tenant.entries(incident_id) if name in str(entry["contents"]) and not entry["file"]]


def with_file(made: Mirror, name: str = "gone.bin") -> tuple[str, str, str]:
    """Let a mirrored incident get a file there, and a chat behind it; return its remote and local id and the entry's id."""
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    made.until_quiet()
    entry = made.there.add_entry(remote_id, user="carl", entry_type=3, tags=[IN_TAG], file=(name, b"content"))
    chat(made.there, remote_id, "behind it", IN_TAG)
    return remote_id, local_id, entry["id"]


# Gone for good


@pytest.mark.parametrize("version", ["6", "8"])
@pytest.mark.parametrize("status", [None, 404])
def test_a_file_that_is_gone_for_good(site: Site, version: str, status: int | None) -> None:
    """
    Given: a listed file that is not there when it is downloaded, in the words of XSOAR (400) or of a web server (404).
    When: rounds run for hours.
    Then: after a few a note names the file and where it is, once; all is in step, and the file is not asked for any more.
    """
    made = site.mirror("8", version)
    made.configure()
    remote_id, local_id, entry_id = with_file(made)
    if status is None:
        made.there.entry_file(entry_id)[1].unlink()
    else:
        made.interference.before = refusing(made, "/entry/download", status)
    hourly(made, TRIES)

    assert "behind it" in last_lines(made.here, local_id)
    (note,) = named_in(made.here, local_id, "gone.bin")
    assert any(sign in note["contents"] for sign in (made.url, entry_id, f"incident {remote_id}", "127.0.0.1"))
    assert made.shown(local_id, "state") == "In Step"
    assert made.status()["IncidentsBehind"] == 0

    tried = downloads(made)
    hourly(made, 4)
    made.there.change_incident(remote_id, {"severity": 4}, user="carla")
    made.until_quiet()
    assert downloads(made) == tried
    assert len(named_in(made.here, local_id, "gone.bin")) == 1
    assert made.here.incident(local_id)["severity"] == 4
    assert made.there.entries(remote_id)[-1]["contents"] == "behind it"


def test_an_entry_that_is_removed_between_listing_and_download(remote: Mirror) -> None:
    """
    Given: a listed file.
    When: its entry is removed before the download.
    Then: the rest comes, and all is in step in the end.
    """
    remote_id, local_id, entry_id = with_file(remote)
    removed: list[str] = []

    def remove(request: Any, _number: int) -> None:
        if "/entry/download" in request.url.path and not removed:
            removed.append(entry_id)
            remote.there.remove_entry(entry_id)

    remote.interference.before = remove
    hourly(remote, TRIES)
    tried = downloads(remote)
    hourly(remote, 4)

    assert removed
    assert "behind it" in last_lines(remote.here, local_id)
    assert remote.shown(local_id, "state") == "In Step"
    assert downloads(remote) == tried
    assert len(remote.there.entries(remote_id)) == 1


def test_another_file_comes_while_one_is_gone_for_good(site: Site) -> None:
    """
    Given: a file that is gone for good.
    When: another is added later.
    Then: that comes, and the first is named once.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id, local_id, entry_id = with_file(made)
    made.there.entry_file(entry_id)[1].unlink()
    hourly(made, 2)
    made.there.add_entry(remote_id, user="carl", entry_type=3, tags=[IN_TAG], file=("new.bin", b"new"))
    hourly(made, TRIES)

    assert [entry["file"] for entry in made.here.entries(local_id) if entry["file"]] == ["new.bin"]
    assert len(named_in(made.here, local_id, "gone.bin")) == 1


def test_a_file_that_is_well_again_in_time(site: Site) -> None:
    """
    Given: a file whose download fails for two rounds.
    When: the remote is well again.
    Then: it comes, once, and no note.
    """
    made = site.mirror("8", "8")
    made.configure()
    _remote_id, local_id, _entry_id = with_file(made, "late.bin")
    made.interference.before = refusing(made, "/entry/download", 500)
    hourly(made, 2)
    made.interference.forget()
    hourly(made, TRIES)
    made.until_quiet()

    assert sorted(last_lines(made.here, local_id)) == ["behind it", "late.bin"]
    assert made.shown(local_id, "state") == "In Step"


# Attachments of the fetch


def with_attachments(made: Mirror, *names: str) -> str:
    """Create a remote incident with attachments and return its id."""
    attachments = [(name, name.encode()) for name in names]
    created = made.there.create_incident({"name": "with files", "type": "Phishing"}, user="carla", attachments=attachments)
    assert created is not None
    return str(created["id"])


def fetched_through(made: Mirror, before: Callable[[Any, int], None] | None) -> str:
    """Fetch the one incident there is, at first with interference; return its local id."""
    made.interference.forget()
    made.interference.before = before
    created = made.host.fetch(INSTANCE).created
    made.interference.forget()
    for _ in range(3):
        made.pass_time(minutes=1)
        created += made.host.fetch(INSTANCE).created
    (local_id,) = created
    return local_id


@pytest.mark.parametrize("version", ["6", "8"])
@pytest.mark.parametrize("status", [403, 429, 500])
@pytest.mark.parametrize("path", ["/entry/download", "/investigation/"])
def test_attachments_that_could_not_be_had_when_the_incident_was_fetched(
    site: Site, version: str, path: str, status: int
) -> None:
    """
    Given: two attachments.
    When: the War Room or the downloads fail during the fetch.
    Then: they come later, each once.
    """
    made = site.mirror("8", version)
    made.configure()
    remote_id = with_attachments(made, "a.bin", "b.bin")
    local_id = fetched_through(made, refusing(made, path, status))
    hourly(made, 3)
    made.until_quiet()

    assert sorted(last_lines(made.here, local_id)) == ["a.bin", "b.bin"]
    contents = sorted(made.here.entry_file(entry["id"])[1].read_bytes() for entry in made.here.entries(local_id))
    assert contents == [b"a.bin", b"b.bin"]
    assert last_lines(made.there, remote_id) == ["a.bin", "b.bin"]
    assert made.mirrored_ids() == [remote_id]


@pytest.mark.parametrize("skip", [0, 1])
def test_one_attachment_of_two_that_could_not_be_had(site: Site, skip: int) -> None:
    """
    Given: two attachments.
    When: the download of one fails during the fetch.
    Then: both are here, each once.
    """
    made = site.mirror("8", "8")
    made.configure()
    with_attachments(made, "a.bin", "b.bin")
    local_id = fetched_through(made, refusing(made, "/entry/download", 403, times=1, skip=skip))
    hourly(made, 3)
    made.until_quiet()

    assert sorted(last_lines(made.here, local_id)) == ["a.bin", "b.bin"]


def test_an_attachment_that_a_resync_brings(site: Site) -> None:
    """
    Given: an attachment whose download failed during the fetch.
    When: the incident is resynced.
    Then: it is here once.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id = with_attachments(made, "a.bin")
    local_id = fetched_through(made, refusing(made, "/entry/download", 500))
    made.host.run(INSTANCE, "xsoar-mirror-resync", {"id": remote_id})
    made.until_quiet()

    assert last_lines(made.here, local_id) == ["a.bin"]


def test_an_attachment_that_is_gone_for_good(site: Site) -> None:
    """
    Given: an attachment whose content is lost.
    When: its incident is fetched.
    Then: a note names it after a few rounds, once.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id = with_attachments(made, "gone.bin", "kept.bin")
    gone = next(entry for entry in made.there.entries(remote_id) if entry["file"] == "gone.bin")
    made.there.entry_file(gone["id"])[1].unlink()
    local_id = fetched_through(made, None)
    hourly(made, TRIES)
    tried = downloads(made)
    hourly(made, 3)

    assert [entry["file"] for entry in made.here.entries(local_id) if entry["file"]] == ["kept.bin"]
    assert len(named_in(made.here, local_id, "gone.bin")) == 1
    assert made.shown(local_id, "state") == "In Step"
    assert downloads(made) == tried


def test_a_file_in_a_war_room_that_is_barred_during_the_fetch(site: Site) -> None:
    """
    Given: an incident whose War Room answers 403 to the fetch.
    When: it may be read again.
    Then: file and chat are here once.
    """
    made = site.mirror("8", "8")
    made.configure(fetch_incident_history=True)
    remote_id = with_attachments(made, "a.bin")
    chat(made.there, remote_id, "history", IN_TAG)

    def bar(request: Any, number: int) -> None:
        if "/investigation/" in request.url.path:
            made.interference.answers[number] = lambda: JSONResponse({"error": "forbidden"}, status_code=403)

    local_id = fetched_through(made, bar)
    hourly(made, 3)
    made.until_quiet()

    assert sorted(last_lines(made.here, local_id)) == ["a.bin", "history"]
