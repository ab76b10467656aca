"""The script that links incidents which already name a remote one, run on a tenant against another over HTTP."""

import os
import signal
from typing import Any

import pytest
from starlette.responses import Response

from local_xsoar.host import CommandRun
from tests.mirror.two_tenants import IN_TAG, INSTANCE, INTEGRATION, OUT_TAG, Mirror, Site, succeeded

ADOPT = INTEGRATION.parents[1] / "Scripts" / "XSOARMirroringAdopt"
PAIRS = 5
NOWHERE = "404404"
# The mappers of the pack bring no due date in, and a new incident has one of its own.
DUE = "2026-12-01T08:15:00Z"


def adopt(mirror: Mirror, **args: str) -> CommandRun:
    """Run the script for all incidents that are about the flood; it is a real run unless `dry_run` says otherwise."""
    given = {"query": 'name:"Flood"', "id_field": "ticket", "instance": INSTANCE, "tags": OUT_TAG, "dry_run": "false"}
    return mirror.host.run_script(ADOPT, {**given, **args})


def rows(run: CommandRun) -> dict[str, dict[str, Any]]:
    """Return what the script tells of each local incident, by its ID."""
    (entry,) = succeeded(run).entries
    (told,) = entry["EntryContext"].values()
    return {row["incident"]: row for row in told}


def outcomes(run: CommandRun) -> list[str]:
    """Return the outcome of each incident, the oldest first."""
    return [row["outcome"] for row in rows(run).values()]


def local(mirror: Mirror, remote_id: str = "", **fields: Any) -> str:
    """Create a local incident that names a remote one in a custom field; return its ID."""
    custom = {"ticket": remote_id} if remote_id else {}
    created = mirror.here.create_incident({"name": "Flood", "dueDate": DUE, "CustomFields": custom, **fields}, user="hanna")
    assert created is not None
    return str(created["id"])


def pairs(mirror: Mirror, number: int) -> dict[str, str]:
    """Create remote incidents with an entry each, and local ones that name them; return local ID -> remote ID."""
    made: dict[str, str] = {}
    for count in range(number):
        remote_id = mirror.remote_incident(name=f"Theirs {count}", severity=3, dueDate=DUE, CustomFields={"depth": f"{count}m"})
        mirror.there.change_incident(remote_id, {"CustomFields": {"ticket": remote_id}}, user="carla")
        mirror.there.add_entry(remote_id, contents=f"entry {count}", user="carla", category="chat", tags=[IN_TAG])
        made[local(mirror, remote_id, severity=1)] = remote_id
    return made


def differences(mirror: Mirror, pairing: dict[str, str]) -> list[list[str]]:
    """Return which fields differ in each pair."""
    runs = [mirror.host.run(INSTANCE, "xsoar-mirror-diff", {}, incident_id=local_id) for local_id in pairing]
    return [succeeded(run).entries[0]["Contents"]["different"] for run in runs]


def came(mirror: Mirror, local_id: str) -> list[str]:
    """Return the last lines of the entries that came in."""
    entries = mirror.here.entries(local_id)
    return [str(entry["contents"]).rpartition("\n")[2] for entry in entries if IN_TAG in (entry["tags"] or [])]


def incidents_here(mirror: Mirror) -> list[dict[str, Any]]:
    """Return all local incidents, the oldest first."""
    found, _ = mirror.here.search({"query": "", "size": 1000, "sort": [{"field": "id", "asc": True}]})
    return found


def test_pairs_end_equal_and_neither_a_second_run_nor_a_fetch_changes_anything(mirror: Mirror) -> None:
    """
    Given: five pairs that know nothing of each other but for an ID in a local field.
    When: the script runs, mirroring rounds follow, and the script runs once more.
    Then: it tells what differed; all are equal with their entries; the second run and the fetches change nothing.
    """
    made = pairs(mirror, PAIRS)

    first = adopt(mirror)
    mirror.until_quiet()
    after = incidents_here(mirror)
    second = adopt(mirror)

    assert outcomes(first) == ["Linked"] * PAIRS
    assert [(row["remote"], row["exists"]) for row in rows(first).values()] == [(there, True) for there in made.values()]
    assert all({"name", "severity", "depth"} <= set(row["different"]) for row in rows(first).values())
    assert differences(mirror, made) == [[]] * PAIRS
    assert [came(mirror, local_id) for local_id in made] == [[f"entry {count}"] for count in range(PAIRS)]
    assert succeeded(second).entries[0]["Contents"] == []  # No incident is about the flood any more: all are as they are there.
    assert outcomes(adopt(mirror, query="name:Theirs*")) == ["Skipped"] * PAIRS
    assert mirror.fetch_all() == []
    assert incidents_here(mirror) == after


def test_what_is_changed_in_a_linked_incident_crosses_both_ways(mirror: Mirror) -> None:
    """
    Given: a pair that was linked.
    When: something is changed and written on each side.
    Then: it arrives on the other.
    """
    ((local_id, remote_id),) = pairs(mirror, 1).items()
    adopt(mirror)
    mirror.until_quiet()

    mirror.here.change_incident(local_id, {"details": "seen here"}, user="hanna")
    mirror.here.add_entry(local_id, contents="ours", user="hanna", category="chat", tags=[OUT_TAG])
    mirror.there.change_incident(remote_id, {"severity": 4}, user="carla")
    mirror.until_quiet()

    assert mirror.there.incident(remote_id)["details"] == "seen here"
    assert str(mirror.there.entries(remote_id)[-1]["contents"]).endswith("ours")
    assert mirror.here.incident(local_id)["severity"] == 4


def test_a_dry_run_writes_nothing(mirror: Mirror) -> None:
    """
    Given: three pairs, one of them equal, and an ID that the remote does not have.
    When: the script runs without saying that it is to write.
    Then: it tells the same as a real run would; no incident and nothing that the instance remembers is changed.
    """
    made = pairs(mirror, 2)
    remote_id = mirror.remote_incident(name="Flood", type="Phishing")
    mirror.there.change_incident(remote_id, {"CustomFields": {"ticket": remote_id}}, user="carla")
    theirs = mirror.there.incident(remote_id)
    equal = local(mirror, remote_id, **{key: theirs[key] for key in ("details", "severity", "owner", "phase", "dueDate")})
    lost = local(mirror, NOWHERE)
    before = incidents_here(mirror), mirror.host.integration_context(INSTANCE), mirror.there.incident(remote_id)

    run = mirror.host.run_script(ADOPT, {"query": "name:Flood", "id_field": "ticket", "instance": INSTANCE})

    told = rows(run)
    assert [told[local_id]["outcome"] for local_id in (*made, equal, lost)] == ["To link"] * 3 + ["Skipped"]
    assert (told[equal]["different"], told[lost]["exists"]) == ([], False)
    assert "This dry run changed nothing" in run.entries[0]["HumanReadable"]
    assert (incidents_here(mirror), mirror.host.integration_context(INSTANCE), mirror.there.incident(remote_id)) == before


def test_what_cannot_be_linked_is_skipped_and_told(remote: Mirror) -> None:
    """
    Given: an incident for each reason not to be linked, and one to link.
    When: the script runs.
    Then: each reason is told, none of these incidents is changed, and the one is linked.
    """
    remote.configure("another")
    theirs = [remote.remote_incident(name=f"Theirs {number}") for number in range(5)]
    (fetched,) = [local_id for local_id in remote.fetch_all() if remote.here.incident(local_id)["dbotMirrorId"] == theirs[0]]
    fresh = [remote.remote_incident(name=f"New {number}") for number in range(3)]
    said = {
        local(remote): "Its field ticket is empty",
        local(remote, NOWHERE): "The remote tenant has no such incident",
        local(remote, fresh[0]): "name the same remote incident: clear ticket in all but one",
        local(remote, fresh[0]): "name the same remote incident: clear ticket in all but one",
        local(remote, theirs[0]): f"Incident {fetched} already mirrors that remote incident",
        local(remote, fresh[1], dbotMirrorInstance="another", dbotMirrorId="1"): "already mirrored by the instance another",
        local(remote, fresh[1], dbotMirrorInstance=INSTANCE, dbotMirrorId="77"): f"already mirrored by the instance {INSTANCE}",
        local(remote, fresh[1], dbotMirrorInstance=INSTANCE, dbotMirrorDirection="Out"): "which will create it",
        local(remote, fresh[1], dbotMirrorId="9@elsewhere"): "Its field dbotMirrorId is 9@elsewhere",
        local(remote, "a long text " * 20): "contains text, not an incident ID",
    }
    good = local(remote, fresh[2])
    before = [remote.here.incident(local_id) for local_id in said]

    told = rows(adopt(remote))

    assert {local_id: row["outcome"] for local_id, row in told.items()} == {**dict.fromkeys(said, "Skipped"), good: "Linked"}
    assert [local_id for local_id, reason in said.items() if reason not in told[local_id]["reason"]] == []
    assert [remote.here.incident(local_id) for local_id in said] == before
    assert remote.here.incident(good)["dbotMirrorId"] == fresh[2]


def test_a_remote_with_a_quota_takes_some_and_the_next_run_the_rest(remote: Mirror) -> None:
    """
    Given: five pairs and a remote that lets few calls pass.
    When: the script runs until all is linked, each time in another minute.
    Then: what was linked stays, the rest is told as not tried, and all pairs end equal.
    """
    made = pairs(remote, PAIRS)
    remote.interference.calls_a_minute = 5  # The resync of the third pair is one too many.
    linked: list[int] = []
    for _ in range(PAIRS):
        remote.interference.next_minute()
        run = adopt(remote)
        mirrored = [row for row in incidents_here(remote) if row["dbotMirrorInstance"] == INSTANCE]
        assert set(outcomes(run)) <= {"Linked", "Skipped", "Not tried"}
        assert outcomes(run).count("Not tried") == PAIRS - len(mirrored)
        linked.append(len(mirrored))
        if linked[-1] == PAIRS:
            break
    remote.interference.calls_a_minute = None
    remote.until_quiet()

    assert linked == [2, 4, 5]
    assert differences(remote, made) == [[]] * PAIRS
    assert remote.fetch_all() == []


def test_a_remote_that_is_away_is_told_once_for_each_pair(remote: Mirror) -> None:
    """
    Given: two pairs, and a remote that refuses the key.
    When: the script runs, and again when it does not.
    Then: each pair has failed with a sentence and nothing was changed; then both are linked.
    """
    pairs(remote, 2)
    before = incidents_here(remote)
    first = len(remote.interference.paths)
    remote.interference.answers.update(dict.fromkeys(range(first, first + 20), lambda: Response(status_code=401)))

    away = rows(adopt(remote))

    assert [row["outcome"] for row in away.values()] == ["Failed"] * 2
    assert all("(401)" in row["reason"] and row["reason"].endswith("run it again.") for row in away.values())
    assert incidents_here(remote) == before
    remote.interference.answers.clear()
    assert outcomes(adopt(remote)) == ["Linked"] * 2


# The commands of a run for three pairs: two pages of the query, one of those that are mirrored, and three for each pair.
@pytest.mark.parametrize("dies_with", [4, 5, 6, 8])
def test_a_run_that_dies_in_the_middle_is_run_again(site: Site, dies_with: int) -> None:
    """
    Given: three pairs, and a run that is killed while the server carries out one of its commands.
    When: a fetch and a round follow, and the script runs once more.
    Then: the pairs end equal, and no remote incident that was begun with is here twice.
    """
    commands: list[int] = []

    def kill(pid: int, name: str) -> None:
        if name == "executeCommand":
            commands.append(pid)
            if len(commands) == dies_with:
                os.kill(pid, signal.SIGKILL)

    made_mirror = site.mirror("8", "8", on_call=kill)
    made_mirror.configure()
    made = pairs(made_mirror, 3)

    died = adopt(made_mirror)
    made_mirror.round()
    again = adopt(made_mirror, query="-name:Nothing")
    made_mirror.until_quiet()

    assert not died.ok
    assert set(outcomes(again)) <= {"Linked", "Skipped"}
    assert differences(made_mirror, made) == [[]] * 3
    assert made_mirror.fetch_all() == []
    assert len(incidents_here(made_mirror)) == 3


def test_a_fetch_behind_a_run_that_died_brings_only_what_was_not_begun(site: Site) -> None:
    """
    Given: two pairs, and a run that is killed behind the resync of the first.
    When: a fetch runs before the script runs again.
    Then: it brings the second only, which is then told as mirrored already; the first is linked.
    """
    commands: list[int] = []

    def kill(pid: int, name: str) -> None:
        if name == "executeCommand":
            commands.append(pid)
            if len(commands) == 5:
                os.kill(pid, signal.SIGKILL)

    made_mirror = site.mirror("8", "8", on_call=kill)
    made_mirror.configure()
    first, second = pairs(made_mirror, 2)
    assert not adopt(made_mirror).ok

    (fetched,) = made_mirror.fetch_all()
    told = rows(adopt(made_mirror, query=f"id:({first} {second})"))

    assert (told[first]["outcome"], told[second]["outcome"]) == ("Linked", "Skipped")
    assert f"Incident {fetched} already mirrors that remote incident" in told[second]["reason"]


def test_pages_and_the_limit_leave_out_nothing(remote: Mirror) -> None:
    """
    Given: more local incidents than a page has, and a limit of one.
    When: the script runs dry.
    Then: each is listed once, one is compared, and the others are told as not tried.
    """
    remote_ids = [remote.remote_incident() for _ in range(3)]
    local_ids = [local(remote, remote_ids[number]) if number < 3 else local(remote) for number in range(103)]

    told = rows(adopt(remote, limit="1", dry_run="true"))

    assert sorted(told, key=int) == local_ids
    assert [told[local_id]["outcome"] for local_id in local_ids[:4]] == ["To link", "Not tried", "Not tried", "Skipped"]
    assert "The limit of 1 pairs is reached" in told[local_ids[1]]["reason"]
