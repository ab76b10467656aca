"""A remote that lets only some calls of a minute pass: what a run had read arrives, and the next one goes on behind it.

A minute is a fetch and a mirroring round; each may fail, as long as all arrives, in time and once.
"""

from collections.abc import Callable

import pytest

from tests.mirror.test_exact_over_http import chat, last_lines
from tests.mirror.two_tenants import IN_TAG, INSTANCE, OUT_TAG, Mirror, Site

QUOTAS = [12, 25]
FEW = 5  # Minutes that may be lost beside those that the calls need.


def minutes_until(made: Mirror, quota: int, is_done: Callable[[], bool], needed_calls: int) -> None:
    """Let minutes with so many calls pass until all is done; fail when they are more than twice those that the calls need."""
    most = 2 * needed_calls // quota + FEW
    made.interference.forget()
    made.interference.calls_a_minute = quota
    for _ in range(most):
        made.interference.next_minute()
        made.minutes(1)
        if is_done():
            made.interference.calls_a_minute = None
            return
    raise AssertionError(f"It is not done after {most} minutes with {quota} calls each; {needed_calls} calls are needed.")


def files_here(made: Mirror) -> list[list[str]]:
    """Return the names of the files of each local incident, the incidents in the order in which they came."""
    found, _ = made.here.search({"query": "", "size": 1000, "sort": [{"field": "id", "asc": True}]})
    return [[entry["file"] for entry in made.here.entries(incident["id"]) if entry["file"]] for incident in found]


def with_files(made: Mirror, count: int) -> list[str]:
    """Create remote incidents with a file each and return their ids."""
    ids = []
    for number in range(count):
        created = made.there.create_incident(
            {"name": f"Incident {number}", "type": "Phishing"}, user="carla", attachments=[(f"{number}.bin", b"\x00")]
        )
        assert created is not None
        ids.append(str(created["id"]))
    return ids


@pytest.mark.parametrize("quota", QUOTAS)
@pytest.mark.parametrize("version", ["6", "8"])
def test_new_incidents_with_a_file_each(site: Site, version: str, quota: int) -> None:
    """
    Given: 20 new incidents with a file each.
    When: few calls pass each minute.
    Then: all come with files, in order, once.
    """
    made = site.mirror("8", version)
    made.configure(max_fetch="20")
    ids = with_files(made, 20)
    files = [[f"{number}.bin"] for number in range(20)]

    # A search, a War Room and a file.
    minutes_until(made, quota, lambda: files_here(made) == files, needed_calls=20 * 3)

    made.minutes(3)
    assert files_here(made) == files
    assert made.mirrored_ids() == ids


@pytest.mark.parametrize("quota", QUOTAS)
def test_changed_incidents(site: Site, quota: int) -> None:
    """
    Given: 30 incidents that changed.
    When: few calls pass each minute.
    Then: all changes arrive.
    """
    made = site.mirror("8", "8")
    made.configure()
    ids = [made.remote_incident(name=f"Incident {number}") for number in range(30)]
    made.fetch_all()
    made.until_quiet()
    for number, remote_id in enumerate(ids):
        made.there.change_incident(remote_id, {"details": f"change {number}"}, user="carla")
        chat(made.there, remote_id, f"entry {number}", IN_TAG)
    local_ids = [made.local_id(remote_id) for remote_id in ids]

    def all_arrived() -> bool:
        return all(
            made.here.incident(local_id)["details"] == f"change {number}"
            and last_lines(made.here, local_id) == [f"entry {number}"]
            for number, local_id in enumerate(local_ids)
        )

    minutes_until(made, quota, all_arrived, needed_calls=30 * 2)

    made.until_quiet()
    assert all_arrived()


@pytest.mark.parametrize("quota", QUOTAS)
def test_many_files_of_one_incident(site: Site, quota: int) -> None:
    """
    Given: 30 entries with files in one War Room.
    When: few calls pass each minute.
    Then: all files come, each once.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    made.until_quiet()
    for number in range(30):
        made.there.add_entry(remote_id, user="carl", entry_type=3, tags=[IN_TAG], file=(f"{number}.bin", b"\x00"))
    names = sorted(f"{number}.bin" for number in range(30))

    minutes_until(made, quota, lambda: sorted(last_lines(made.here, local_id)) == names, needed_calls=32)

    made.until_quiet()
    assert sorted(last_lines(made.here, local_id)) == names


@pytest.mark.parametrize("quota", QUOTAS)
def test_one_quiet_war_room_of_many(site: Site, quota: int) -> None:
    """
    Given: 30 incidents and an entry that moves none.
    When: few calls pass each minute.
    Then: it comes all the same.
    """
    made = site.mirror("8", "8", entry_moves_modified=False)
    made.configure()
    ids = [made.remote_incident(name=f"Incident {number}") for number in range(30)]
    made.fetch_all()
    made.until_quiet()
    chat(made.there, ids[17], "unseen", IN_TAG)
    local_id = made.local_id(ids[17])

    minutes_until(made, quota, lambda: last_lines(made.here, local_id) == ["unseen"], needed_calls=32)


@pytest.mark.parametrize("quota", QUOTAS)
def test_what_is_due_goes_before_quiet_war_rooms(site: Site, quota: int) -> None:
    """
    Given: 60 quiet incidents and three that change each minute.
    When: few calls pass.
    Then: none waits two.
    """
    made = site.mirror("8", "8", entry_moves_modified=False)
    made.configure()
    ids = [made.remote_incident(name=f"Incident {number}") for number in range(60)]
    made.fetch_all()
    made.until_quiet()
    local_ids = [made.local_id(remote_id) for remote_id in ids[:3]]
    made.interference.calls_a_minute = quota
    behind = []
    for minute in range(6):
        for remote_id in ids[:3]:
            made.there.change_incident(remote_id, {"details": f"minute {minute}"}, user="carla")
        made.interference.next_minute()
        made.minutes(1)
        shown = [made.here.incident(local_id)["details"] for local_id in local_ids]
        behind += [details for details in shown if minute and details not in (f"minute {minute}", f"minute {minute - 1}")]

    assert behind == []


@pytest.mark.parametrize("quota", QUOTAS)
def test_local_changes_of_many_incidents(site: Site, quota: int) -> None:
    """
    Given: 15 incidents changed and written into here.
    When: few calls pass each minute.
    Then: all is there once.
    """
    made = site.mirror("8", "8")
    made.configure()
    ids = [made.remote_incident(name=f"Incident {number}") for number in range(15)]
    made.fetch_all()
    made.until_quiet()
    for remote_id in ids:
        local_id = made.local_id(remote_id)
        made.here.change_incident(local_id, {"severity": 3}, user="hanna")
        chat(made.here, local_id, "from here", OUT_TAG)

    def all_arrived() -> bool:
        return all(
            made.there.incident(remote_id)["severity"] == 3 and last_lines(made.there, remote_id) == ["from here"]
            for remote_id in ids
        )

    # A load and an update; an entry by the route that is closed and by the other; and what is begun and has to be repeated.
    minutes_until(made, quota, all_arrived, needed_calls=15 * 5)

    made.until_quiet()
    assert all_arrived()


# The first minute


QUIET = 60
MOST_CALLS = 25


def first_minute(made: Mirror, count: int) -> tuple[list[str], int]:
    """Create remote incidents, fetch them and run the first round; return their ids and how many calls that took."""
    with made.there.batch():
        ids = [made.remote_incident(name=f"Incident {number}") for number in range(count)]
    made.interference.paths.clear()
    made.fetch()
    made.round()
    return ids, len(made.interference.paths)


@pytest.mark.parametrize("version", ["6", "8"])
def test_the_first_minute_of_quiet_incidents_costs_few_calls(site: Site, version: str) -> None:
    """
    Given: 60 new incidents without files.
    When: they are fetched and the first round runs.
    Then: 25 calls are enough.
    """
    made = site.mirror("8", version)
    made.configure()

    ids, calls = first_minute(made, QUIET)

    assert made.mirrored_ids() == ids
    assert calls <= MOST_CALLS


def test_each_incident_that_changed_meanwhile_costs_two_calls_more(site: Site) -> None:
    """
    Given: 60 new incidents.
    When: five change between fetch and first round.
    Then: their changes arrive, for ten calls more.
    """
    made = site.mirror("8", "8")
    made.configure()
    with made.there.batch():
        ids = [made.remote_incident(name=f"Incident {number}") for number in range(QUIET)]
    made.interference.paths.clear()
    made.fetch()
    for remote_id in ids[::12]:
        made.there.change_incident(remote_id, {"details": "changed"}, user="carla")
    made.round()

    assert [made.here.incident(made.local_id(remote_id))["details"] for remote_id in ids[::12]] == ["changed"] * 5
    assert len(made.interference.paths) <= MOST_CALLS + 2 * 5


def test_a_change_at_any_request_of_the_fetch(site: Site) -> None:
    """
    Given: new incidents.
    When: one changes at each request of the fetch in turn.
    Then: the change arrives, for two calls more.
    """
    counted = Site(site.folder / "counted", site.exits, site.workers).mirror("8", "8")
    counted.configure()
    with counted.there.batch():
        for number in range(12):
            counted.remote_incident(name=f"Incident {number}")
    counted.fetch()
    requests = len(counted.interference.paths)

    for number in range(requests + 1):
        made = Site(site.folder / str(number), site.exits, site.workers).mirror("8", "68"[number % 2])
        made.configure()
        ids: list[str] = []

        def change(_request: object, at: int, number: int = number, made: Mirror = made, ids: list[str] = ids) -> None:
            if at == number:
                made.there.change_incident(ids[0], {"details": "changed"}, user="carla")

        with made.there.batch():
            ids += [made.remote_incident(name=f"Incident {each}") for each in range(12)]
        made.interference.forget()
        made.interference.before = change
        created = made.host.fetch(INSTANCE).created
        made.round()
        calls = len(made.interference.paths)

        assert len(created) == 12
        assert made.here.incident(created[0])["details"] == "changed", f"changed at request {number}"
        assert calls <= MOST_CALLS + 2
