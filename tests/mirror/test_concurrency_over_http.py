"""Commands that run at the same time, each in its own process on the real host: nothing is lost, nothing is doubled.

What a server runs at a time: one fetch and one mirroring round of an instance each; commands of the War Room and of playbooks at
any time beside them, and several instances at once. Two fetches of one instance at a time are not the platform's habit: two that
began with one last run would each create what is new, and no script could prevent it. So the host lets one wait.
"""

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from local_xsoar.host import CommandRun
from local_xsoar.tenant import Tenant
from tests.mirror.two_tenants import IN_TAG, INSTANCE, OUT_TAG, Mirror, Site


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Do several things at the same time; return what each gave, and raise the first failure."""
    results: list[Any] = [None] * len(works)
    failures: list[BaseException] = []
    ready = threading.Barrier(len(works))

    def do(number: int, work: Callable[[], Any]) -> None:
        ready.wait(30)
        try:
            results[number] = work()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=do, args=(number, work)) for number, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failure in failures:
        raise failure
    return results


def texts(tenant: Tenant, incident_id: str) -> list[str]:
    """Return the last lines of the texts in a War Room, sorted."""
    return sorted(str(entry["contents"]).rpartition("\n")[2] for entry in tenant.entries(incident_id))


def chat(tenant: Tenant, incident_id: str, text: str, *tags: str) -> str:
    """Write a chat and return its id."""
    return str(tenant.add_entry(incident_id, contents=text, user="carla", category="chat", tags=tags)["id"])


@pytest.fixture
def made(site: Site) -> Mirror:
    """A local and a remote tenant of 8.x, an instance configured at the local one."""
    mirror = site.mirror("8", "8")
    mirror.configure(fetch_incident_history=True, max_fetch="200")
    return mirror


def pull(made: Mirror, remote_id: str) -> CommandRun:
    """Ask for what is new of one incident, as a round does."""
    return made.host.run(INSTANCE, "get-remote-data", {"id": remote_id, "lastUpdate": "2020-01-01T00:00:00Z"})


def expect_equal(made: Mirror) -> None:
    """Fail unless each remote incident is here once, with its details and each of its entries once."""
    found, total = made.there.search({"query": "", "size": 1000})
    assert made.mirrored_ids() == sorted((incident["id"] for incident in found), key=int)
    assert total <= 1000
    for incident in found:
        local_id = made.local_id(incident["id"])
        assert made.here.incident(local_id)["details"] == incident["details"]
        assert texts(made.here, local_id) == texts(made.there, incident["id"])


def test_two_fetches_at_once(made: Mirror) -> None:
    """
    Given: an instance, and new remote incidents.
    When: two fetches are asked for at the same time, over and over.
    Then: the host runs one after the other, as the platform does; each incident is created once.
    """
    created: list[str] = []
    for burst in range(3):
        for number in range(15):
            made.remote_incident(name=f"Incident {burst} {number}")
        for run in at_once(*[lambda: made.host.fetch(INSTANCE)] * 2):
            assert run.ok, run.error
            created += run.created

    assert len(created) == 45
    expect_equal(made)


def test_a_fetch_during_a_round(made: Mirror) -> None:
    """
    Given: news of all kinds.
    When: fetches and mirroring rounds run at the same time.
    Then: all of it comes, each thing once.
    """
    ids = [made.remote_incident(name=f"Incident {number}") for number in range(10)]
    for cycle in range(4):
        for remote_id in ids[::2]:
            chat(made.there, remote_id, f"entry of cycle {cycle}", IN_TAG)
            made.there.change_incident(remote_id, {"details": f"change of cycle {cycle}"})
        ids += [made.remote_incident(name=f"Incident of cycle {cycle}") for _ in range(3)]
        run, mirror_round = at_once(lambda: made.host.fetch(INSTANCE), lambda: made.host.mirror(INSTANCE))
        assert run.ok, run.error
        assert mirror_round.errors == []

    made.fetch_all()
    made.until_quiet()
    expect_equal(made)


def test_several_pulls_of_one_incident_at_once(made: Mirror) -> None:
    """
    Given: an incident with news.
    When: three workers ask for it at the same time, and again after that.
    Then: all succeed, what they delivered is remembered, so the last has nothing more; and nothing of it is missing.

    A server does not ask for one incident twice at a time. If it did, each would be given what was new when it began.
    """
    remote_id = made.remote_incident()
    made.fetch_all()
    expected = [chat(made.there, remote_id, f"news {number}", IN_TAG) for number in range(5)]

    runs = at_once(*[lambda: pull(made, remote_id)] * 3)
    last = pull(made, remote_id)

    for run in runs:
        assert run.ok, run.error
        given = Counter(str(entry["Contents"]).rpartition("\n")[2] for entry in run.entries[1:])
        assert max(given.values(), default=0) <= 1
    delivered = {str(entry["Contents"]).rpartition("\n")[2] for run in runs for entry in run.entries[1:]}
    assert delivered == {f"news {number}" for number in range(len(expected))}
    assert (last.ok, len(last.entries)) == (True, 1)


def test_many_pulls_beside_a_round(made: Mirror) -> None:
    """
    Given: twelve incidents with news.
    When: four workers and a round bring them at once.
    Then: what each gave is remembered.
    """
    ids = [made.remote_incident(name=f"Incident {number}") for number in range(12)]
    made.fetch_all()
    made.until_quiet()
    for remote_id in ids:
        chat(made.there, remote_id, "news", IN_TAG)

    def worker(share: list[str]) -> list[CommandRun]:
        return [pull(made, remote_id) for remote_id in share]

    results = at_once(*(partial(worker, ids[number::4]) for number in range(4)), partial(made.host.mirror, INSTANCE))

    runs = [run for share in results[:4] for run in share]
    assert [run.error for run in runs if not run.ok] == []
    assert results[4].errors == []
    again = [pull(made, remote_id) for remote_id in ids]
    assert [len(run.entries) for run in again] == [1] * 12


def test_a_resync_during_a_round(made: Mirror) -> None:
    """
    Given: mirrored incidents whose local details were overwritten here.
    When: a resync of each is asked for while rounds are at work.
    Then: each is brought anew, and no entry is doubled.
    """
    ids = [made.remote_incident(name=f"Incident {number}", details="as there") for number in range(6)]
    local_ids = made.fetch_all()
    for remote_id in ids:
        chat(made.there, remote_id, "entry", IN_TAG)
    made.until_quiet()
    for local_id in local_ids:
        made.here.change_incident(local_id, {"details": "lost here"}, dirty=False)
    for remote_id in ids:
        made.there.change_incident(remote_id, {"severity": 3})

    def resync() -> list[CommandRun]:
        return [made.host.run(INSTANCE, "xsoar-mirror-resync", incident_id=local_id) for local_id in local_ids]

    runs, mirror_round = at_once(resync, lambda: made.host.mirror(INSTANCE))

    assert [run.error for run in runs if not run.ok] == []
    assert mirror_round.errors == []
    made.until_quiet()
    assert [made.here.incident(local_id)["details"] for local_id in local_ids] == ["as there"] * 6
    # The resyncs wrote their answers here; of the remote's entries each is here once.
    assert [texts(made.here, local_id).count("entry") for local_id in local_ids] == [1] * 6


def test_an_update_during_a_pull(site: Site) -> None:
    """
    Given: incidents with entries and changes on both sides, whose changes go out with the rounds.
    When: they are pulled while a round pushes them, over and over.
    Then: each entry is on each side once, and none went back.
    """
    made = site.mirror("8", "8")
    # Rounds only push, so that the pulls beside them are the only ones.
    made.configure(mirror_direction="Outgoing")
    remote_ids = [made.remote_incident(name=f"Incident {number}") for number in range(3)]
    made.fetch_all()
    came: dict[str, list[str]] = {remote_id: [] for remote_id in remote_ids}

    def pull_all() -> None:
        for remote_id in remote_ids:
            run = pull(made, remote_id)
            assert run.ok, run.error
            came[remote_id] += [str(entry["Contents"]).rpartition("\n")[2] for entry in run.entries[1:]]

    for cycle in range(4):
        for remote_id in remote_ids:
            local_id = made.local_id(remote_id)
            chat(made.there, remote_id, f"from there {cycle}", IN_TAG)
            chat(made.here, local_id, f"from here {cycle}", OUT_TAG)
            made.here.change_incident(local_id, {"details": f"cycle {cycle}"})
        mirror_round, _ = at_once(lambda: made.host.mirror(INSTANCE), pull_all)
        assert mirror_round.errors == []
    pull_all()

    expected = [f"from there {cycle}" for cycle in range(4)]
    sent = [f"from here {cycle}" for cycle in range(4)]
    assert came == dict.fromkeys(remote_ids, expected)
    assert [texts(made.there, remote_id) for remote_id in remote_ids] == [sorted(expected + sent)] * 3
    assert {made.there.incident(remote_id)["details"] for remote_id in remote_ids} == {"cycle 3"}


def test_two_instances_on_one_remote(site: Site) -> None:
    """
    Given: two instances on one remote, one for severe incidents and one for the others.
    When: both fetch and mirror at the same time while the remote works.
    Then: each incident is here once, mirrored by the instance whose query finds it, with each entry once.
    """
    made = site.mirror("8", "8")
    queries = {"severe": "severity:>=3", "others": "severity:<3"}
    for name, query in queries.items():
        made.configure(name, query=query, fetch_incident_history=True)
    ids: list[str] = []
    for cycle in range(3):
        ids += [made.remote_incident(name=f"Incident {cycle} {number}", severity=number) for number in (1, 2, 3, 4)]
        for remote_id in ids:
            chat(made.there, remote_id, f"entry of cycle {cycle}", IN_TAG)
        results = at_once(
            *(partial(made.host.fetch, name) for name in queries), *(partial(made.host.mirror, name) for name in queries)
        )
        assert [run.error for run in results[:2] if not run.ok] == []
        assert [error for mirror_round in results[2:] for error in mirror_round.errors] == []
    for _ in range(3):
        for name in queries:
            assert made.host.mirror(name).errors == []

    expect_equal(made)
    for remote_id in ids:
        local = made.here.incident(made.local_id(remote_id))
        wanted = "severe" if made.there.incident(remote_id)["severity"] >= 3 else "others"
        assert (local["dbotMirrorInstance"], local["sourceInstance"]) == (wanted, wanted)


def test_all_at_once(made: Mirror) -> None:
    """
    Given: work on both sides.
    When: fetches, rounds, a resync and the status run at once.
    Then: both sides end up equal.
    """
    ids = [made.remote_incident(name=f"Incident {number}") for number in range(5)]
    local_ids = made.fetch_all()
    made.until_quiet()
    for cycle in range(3):
        for remote_id in ids:
            chat(made.there, remote_id, f"from there {cycle}", IN_TAG)
            made.there.change_incident(remote_id, {"details": f"cycle {cycle}"})
        for local_id in local_ids:
            chat(made.here, local_id, f"from here {cycle}", OUT_TAG)
        made.remote_incident(name=f"Incident of cycle {cycle}")
        results = at_once(
            lambda: made.host.fetch(INSTANCE),
            lambda: made.host.mirror(INSTANCE),
            lambda: made.host.run(INSTANCE, "xsoar-mirror-resync", {"id": ids[0]}),
            lambda: made.host.run(INSTANCE, "xsoar-mirror-status"),
        )
        assert [run.error for run in (results[0], *results[2:]) if not run.ok] == []
        assert results[1].errors == []
    made.fetch_all()
    made.until_quiet()

    expect_equal(made)
