"""xsoar-mirror-reconcile over two tenants: each kind of drift is named, nothing else is, and what can be healed is healed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.mirror.test_exact_over_http import chat, last_lines
from tests.mirror.two_tenants import IN_TAG, INSTANCE, OUT_TAG, Mirror, Site, succeeded


def reconcile(made: Mirror, **args: str) -> dict[str, dict[str, Any]]:
    """Reconcile all incidents with their entries; return the drifts by remote id."""
    run = succeeded(made.host.run(INSTANCE, "xsoar-mirror-reconcile", {"scope": "all", "entries": "true", **args}))
    (entry,) = run.entries
    context = {path.partition("(")[0]: value for path, value in entry["EntryContext"].items()}
    assert context["XSOAR.Mirror.Reconcile"]["NotLookedAt"] == 0
    return {drift["id"]: drift for drift in context["XSOAR.Mirror.Drift"]}


def kinds(drifts: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Return the kinds of drift by remote id."""
    return {remote_id: drift["kinds"] for remote_id, drift in drifts.items()}


@contextmanager
def untold(made: Mirror) -> Iterator[None]:
    """Let what happens in the remote bear a time that the search of changes has passed: half an hour ago."""
    made.clock.stopped_ns = made.clock() - 30 * 60 * 10**9
    yield
    made.clock.go_on()


def add_file(made: Mirror, remote_id: str, name: str) -> str:
    """Add a tagged file to a remote incident; return its entry's id."""
    return str(made.there.add_entry(remote_id, user="carl", entry_type=3, tags=[IN_TAG], file=(name, b"content"))["id"])


NAMES = (
    "deleted",
    "hidden",
    "changed",
    "closed",
    "reopened",
    "entry",
    "edited",
    "file",
    "untaken",
    "unsent",
    "war_room",
    "quiet",
)


def test_each_kind_of_drift_is_named_and_healed(site: Site) -> None:
    """
    Given: mirrored incidents, and a drift of each kind, none of which a search of changes tells.
    When: they are reconciled, repaired, and reconciled again after two rounds.
    Then: each drift is named and nothing else; what can be healed is healed, and what is left says what to decide.
    """
    made = site.mirror("8", "8", entry_moves_modified=False)
    made.configure()
    ids = {name: made.remote_incident(name=name) for name in NAMES}
    local = {made.here.incident(local_id)["name"]: local_id for local_id in made.fetch_all()}
    made.until_quiet()
    made.there.close_incident(ids["reopened"], reason="Resolved", user="carla")
    entry = chat(made.there, ids["edited"], "as it was", IN_TAG)
    for name in ("quiet", "war_room"):
        chat(made.there, ids[name], "from there", IN_TAG)
        chat(made.here, local[name], "from here", OUT_TAG)
    made.until_quiet()
    backup = made.there.backup()
    ids["stranger"] = made.remote_incident(name="stranger")
    made.fetch_all()
    lost = chat(made.there, ids["war_room"], "lost there", IN_TAG)
    made.pass_time(minutes=1)
    made.until_quiet()
    made.pass_time(hours=1)

    made.there.restore(backup)
    assert made.remote_incident(name="another") == ids["stranger"]
    # The cursor moves on. What a tenant refuses is tried in vain.
    made.there.change_incident(ids["quiet"], {"severity": 2}, user="carla")
    file_id = add_file(made, ids["file"], "tried.bin")
    stored = made.there.entry_file(file_id)[1]
    stored.rename(stored.with_suffix(".away"))
    made.there.refuse_change("severity", "Not allowed.")
    made.here.change_incident(local["unsent"], {"severity": 3}, user="hanna")
    made.rounds(1)
    stored.with_suffix(".away").rename(stored)
    with untold(made):
        made.there.change_incident(ids["changed"], {"details": "changed there"}, user="carla")
        made.there.close_incident(ids["closed"], reason="Resolved", user="carla")
        made.there.reopen_incident(ids["reopened"], user="carla")
        chat(made.there, ids["entry"], "unseen", IN_TAG)
        made.there.edit_entry(entry, "as it is", user="carla")
        add_file(made, ids["untaken"], "untaken.bin")
    made.there.delete_incident(ids["deleted"])
    made.there.hide(ids["hidden"])
    made.pass_time(minutes=10)

    drifts = reconcile(made)
    expected = {
        "deleted": ["gone"],
        "hidden": ["gone"],
        "stranger": ["stranger"],
        "changed": ["changed"],
        "closed": ["closed"],
        "reopened": ["reopened"],
        "entry": ["entry missing"],
        "edited": ["entry missing"],
        "file": ["file missing"],
        "untaken": ["file missing"],
        "unsent": ["unsent"],
        "war_room": ["entry lost"],
    }
    assert kinds(drifts) == {ids[name]: its_kinds for name, its_kinds in expected.items()}
    assert drifts[ids["war_room"]]["entries"] == [lost]
    assert not any(drift["repaired"] for drift in drifts.values())
    before = made.here.incident(local["changed"])

    assert kinds(reconcile(made, repair="true")) == kinds(drifts)
    assert made.here.incident(local["changed"]) == before
    made.there.accept_change("severity")
    made.rounds(2)

    assert made.here.incident(local["changed"])["details"] == "changed there"
    assert [made.here.incident(local[name])["status"] for name in ("closed", "reopened")] == [2, 1]
    assert last_lines(made.here, local["entry"]) == ["unseen"]
    assert last_lines(made.here, local["edited"]) == ["as it was", "as it is"]
    assert [last_lines(made.here, local[name]) for name in ("file", "untaken")] == [["tried.bin"], ["untaken.bin"]]
    assert last_lines(made.here, local["war_room"]) == ["from here", "from there", "lost there"]
    assert [bool(made.shown(local[name], "errorin")) for name in ("deleted", "hidden", "quiet")] == [True, True, False]
    left = reconcile(made)
    assert kinds(left) == {ids[name]: expected[name] for name in ("deleted", "hidden", "stranger", "war_room")}
    assert all(drift["decide"] for drift in left.values())


def test_nothing_is_named_of_a_mirror_in_step(mirror: Mirror) -> None:
    """
    Given: incidents with fields, entries and files that crossed both ways, closed and open ones, one created from here.
    When: they are reconciled with their entries.
    Then: none differs, and the round after it has nothing to do.
    """
    ids = [mirror.remote_incident(name=f"incident {number}") for number in range(4)]
    local_ids = mirror.fetch_all()
    mirror.created_from_here()
    for remote_id, local_id in zip(ids, local_ids, strict=True):
        mirror.there.change_incident(remote_id, {"severity": 3}, user="carla")
        chat(mirror.there, remote_id, "from there", IN_TAG)
        add_file(mirror, remote_id, "there.bin")
        chat(mirror.there, remote_id, "untagged")
        chat(mirror.here, local_id, "from here", OUT_TAG)
        mirror.here.add_entry(local_id, user="hugo", entry_type=3, tags=[OUT_TAG], file=("here.bin", b"here"))
        mirror.here.change_incident(local_id, {"details": "changed here"}, user="hanna")
    mirror.until_quiet()
    mirror.there.close_incident(ids[0], reason="Resolved", user="carla")
    mirror.here.close_incident(local_ids[1], reason="Resolved", user="hanna")
    mirror.until_quiet()
    mirror.pass_time(minutes=10)

    assert reconcile(mirror, repair="true") == {}
    assert mirror.round().modified == []


def test_a_remote_restored_to_an_older_state(remote: Mirror) -> None:
    """
    Given: a remote restored to before a change that is here.
    When: it is reconciled and repaired.
    Then: that is named, and the incident here is as it is there.
    """
    remote_id = remote.remote_incident(details="before")
    local_id = remote.fetched_once()
    remote.until_quiet()
    backup = remote.there.backup()
    remote.pass_time(minutes=10)
    remote.there.change_incident(remote_id, {"details": "lost there"}, user="carla")
    remote.until_quiet()
    assert remote.here.incident(local_id)["details"] == "lost there"
    remote.there.restore(backup)
    remote.pass_time(minutes=10)

    assert kinds(reconcile(remote, repair="true")) == {remote_id: ["restored"]}
    remote.rounds(2)
    assert remote.here.incident(local_id)["details"] == "before"
    assert reconcile(remote) == {}


def test_a_local_tenant_restored_to_an_older_state(remote: Mirror) -> None:
    """
    Given: a local tenant restored to before entries that came in and one that was sent.
    When: the incident is resynced with entries=again.
    Then: what came in is here again, once; what was written from here does not come in.
    """
    remote_id = remote.remote_incident()
    local_id = remote.fetched_once()
    remote.until_quiet()
    backup = remote.here.backup()
    chat(remote.there, remote_id, "from there", IN_TAG)
    add_file(remote, remote_id, "there.bin")
    chat(remote.here, local_id, "from here", OUT_TAG)
    remote.until_quiet()
    remote.here.restore(backup)
    remote.pass_time(minutes=10)
    remote.until_quiet()
    assert last_lines(remote.here, local_id) == []
    succeeded(remote.host.run(INSTANCE, "xsoar-mirror-resync", {"id": remote_id, "entries": "again"}))
    remote.until_quiet()
    remote.rounds()

    assert sorted(last_lines(remote.here, local_id)) == ["from there", "there.bin"]
    assert sorted(last_lines(remote.there, remote_id)) == ["from here", "from there", "there.bin"]


@pytest.mark.parametrize("how", ["closed", "reopened", "changed"])
def test_the_census_heals_what_was_not_told(remote: Mirror, how: str) -> None:
    """
    Given: an incident that was closed, reopened or changed, which no search of changes tells.
    When: an hour passes.
    Then: it is so here.
    """
    remote_id, other = remote.remote_incident(name="one"), remote.remote_incident(name="other")
    remote.fetch_all()
    local_id = remote.local_id(remote_id)
    remote.until_quiet()
    if how == "reopened":
        remote.there.close_incident(remote_id, reason="Resolved", user="carla")
        remote.until_quiet()
    remote.pass_time(hours=1)
    remote.there.change_incident(other, {"severity": 2}, user="carla")
    remote.until_quiet()
    with untold(remote):
        if how == "closed":
            remote.there.close_incident(remote_id, reason="Resolved", user="carla")
        elif how == "reopened":
            remote.there.reopen_incident(remote_id, user="carla")
        else:
            remote.there.change_incident(remote_id, {"details": "changed there"}, user="carla")
    for _ in range(13):
        remote.rounds(1, minutes=5)

    here = remote.here.incident(local_id)
    assert here["status"] == (2 if how == "closed" else 1)
    assert how != "changed" or here["details"] == "changed there"
