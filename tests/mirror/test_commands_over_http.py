"""The operator's commands over HTTP, run in the War Room of a mirrored incident: status, diff, resync."""

from typing import Any

from starlette.responses import Response

from local_xsoar.host import CommandRun
from tests.mirror.two_tenants import IN_TAG, INSTANCE, OUT_TAG, Mirror, Site, succeeded


def in_war_room(mirror: Mirror, local_id: str, command: str, **args: Any) -> CommandRun:
    """Run a command in the War Room of a local incident."""
    return mirror.host.run(INSTANCE, command, args, incident_id=local_id)


def context_of(run: CommandRun) -> dict[str, Any]:
    """Return what a command puts into the context, under its path without the key."""
    (entry,) = succeeded(run).entries
    return {path.partition("(")[0]: value for path, value in entry["EntryContext"].items()}


def texts(mirror: Mirror, local_id: str) -> list[str]:
    """Return the last lines of what was written into a local War Room, the results of commands left out."""
    entries = mirror.here.entries(local_id)
    return [str(entry["contents"]).rpartition("\n")[2] for entry in entries if IN_TAG in (entry["tags"] or [])]


def test_status_while_all_is_well_and_while_the_remote_is_away(mirror: Mirror) -> None:
    """
    Given: a mirror at work.
    When: the remote goes away.
    Then: the status tells what crossed, and why nothing does now.
    """
    remote_id = mirror.remote_incident()
    local_id = mirror.fetched_once()
    mirror.there.add_entry(remote_id, contents="in", user="carla", category="chat", tags=[IN_TAG])
    mirror.here.add_entry(local_id, contents="out", user="hanna", category="chat", tags=[OUT_TAG])
    mirror.until_quiet()
    well = context_of(in_war_room(mirror, local_id, "xsoar-mirror-status", id=remote_id))["XSOAR.Mirror.Status"]
    first = len(mirror.interference.paths)
    mirror.interference.answers.update(dict.fromkeys(range(first, first + 20), lambda: Response(status_code=503)))

    assert not mirror.host.mirror(INSTANCE).runs[0].ok
    away = context_of(in_war_room(mirror, local_id, "xsoar-mirror-status"))["XSOAR.Mirror.Status"]

    assert (well["EntriesIn"], well["EntriesOut"], well["IncidentsTracked"], well["IncidentsPending"]) == (1, 1, 1, 0)
    assert (well["RemoteVersion"], well["LastError"]) == (mirror.there.settings.version, "")
    assert abs(well["ClockSkewSeconds"] - (mirror.there.settings.date_header or 0)) <= 1
    assert (well["Incident"]["State"], well["Incident"]["EntriesSent"]) == ("In Step", 1)
    assert (away["RemoteVersion"], away["EntriesIn"]) == ("", 1)
    assert "(503)" in away["RemoteError"]
    assert "(503)" in away["LastError"]


def test_diff_before_and_after_a_round(mirror: Mirror) -> None:
    """
    Given: a change on each side.
    When: the diff runs before and after the rounds.
    Then: it tells both, and then none.
    """
    remote_id = mirror.remote_incident(severity=1, CustomFields={"ticket": "C-1"})
    local_id = mirror.fetched_once()
    mirror.until_quiet()
    mirror.there.change_incident(remote_id, {"severity": 4, "CustomFields": {"ticket": "C-2"}}, user="carla")
    mirror.here.change_incident(local_id, {"details": "seen here"}, user="hanna")

    before = context_of(in_war_room(mirror, local_id, "xsoar-mirror-diff"))["XSOAR.Mirror.Diff"]
    mirror.until_quiet()
    after = context_of(in_war_room(mirror, local_id, "xsoar-mirror-diff"))["XSOAR.Mirror.Diff"]

    assert (before["id"], before["equal"], before["different"]) == (remote_id, False, ["details", "severity", "ticket"])
    assert (after["equal"], after["different"]) == (True, [])


def test_resync_brings_the_history_that_was_not_wanted_at_first(mirror: Mirror) -> None:
    """
    Given: an incident fetched without its history.
    When: it is resynced, twice.
    Then: each earlier entry comes once.
    """
    remote_id = mirror.remote_incident()
    for number in range(3):
        mirror.there.add_entry(remote_id, contents=f"before {number}", user="carla", category="chat", tags=[IN_TAG])
    # What was written before the last change in the remote is history. An entry may not be one.
    mirror.there.change_incident(remote_id, {"severity": 3}, user="carla")
    mirror.clock.offset_seconds = 5
    local_id = mirror.fetched_once()
    mirror.there.add_entry(remote_id, contents="after", user="carla", category="chat", tags=[IN_TAG])
    mirror.until_quiet()
    assert texts(mirror, local_id) == ["after"]

    for _ in range(2):
        succeeded(in_war_room(mirror, local_id, "xsoar-mirror-resync"))
        mirror.until_quiet()

    assert texts(mirror, local_id) == ["after", "before 0", "before 1", "before 2"]


def test_an_existing_incident_is_linked(mirror: Mirror) -> None:
    """
    Given: two incidents that know nothing of each other.
    When: the one is set to mirror the other.
    Then: they are equal.
    """
    remote_id = mirror.remote_incident(name="Theirs", severity=3)
    mirror.there.add_entry(remote_id, contents="theirs", user="carla", category="chat", tags=[IN_TAG])
    created = mirror.here.create_incident({"name": "Ours"}, user="hanna")
    assert created is not None
    local_id = created["id"]
    link = {
        "dbotMirrorId": remote_id,
        "dbotMirrorInstance": INSTANCE,
        "dbotMirrorDirection": "Both",
        "dbotMirrorTags": [OUT_TAG],
    }
    mirror.here.change_incident(local_id, link, dirty=False)

    succeeded(in_war_room(mirror, local_id, "xsoar-mirror-resync"))
    mirror.here.add_entry(local_id, contents="ours", user="hanna", category="chat", tags=[OUT_TAG])
    mirror.until_quiet()

    assert (mirror.here.incident(local_id)["name"], texts(mirror, local_id)) == ("Theirs", ["theirs"])
    assert [entry["contents"].rpartition("\n")[2] for entry in mirror.there.entries(remote_id)] == ["theirs", "ours"]
    assert mirror.fetch() == []


def test_a_command_on_another_instance_s_incident(site: Site) -> None:
    """
    Given: two instances.
    When: a command runs on both.
    Then: the one that mirrors the incident does it, the other says so.
    """
    made = site.mirror("8", "6")
    made.configure()
    made.configure("another")
    made.remote_incident()
    local_id = made.fetched_once()

    assert in_war_room(made, local_id, "xsoar-mirror-resync").ok
    other = made.host.run("another", "xsoar-mirror-resync", {}, incident_id=local_id)

    assert not other.ok
    assert f'using="{INSTANCE}"' in other.error
