"""Incidents that come to match the query later: each is fetched then, once, whatever happens around it."""

import os
import signal
from itertools import permutations
from typing import Any

import pytest

from tests.mirror.test_exact_over_http import chat, last_lines
from tests.mirror.two_tenants import (
    IN_TAG,
    INSTANCE,
    INTEGRATION,
    OUT_TAG,
    VERSIONS,
    Clock,
    Mirror,
    Site,
    succeeded,
    working_params,
)

NEWEST = "newest"
LATE: dict[str, Any] = {"fetch_by": "Also when an incident comes to match", "query": "severity:4"}


@pytest.fixture(params=["6", "8"])
def either(request: pytest.FixtureRequest, site: Site) -> Mirror:
    """A mirror of each version that also fetches what comes to match, its cursors set."""
    return begun(site.mirror("8", request.param))


@pytest.fixture
def made(site: Site) -> Mirror:
    """A mirror that also fetches what comes to match, its cursors set."""
    return begun(site.mirror("8", "8"))


def begun(made: Mirror, **params: Any) -> Mirror:
    """Configure a mirror to fetch what comes to match, and let it have fetched; an hour passes."""
    made.configure(**{**LATE, **params})
    assert made.fetch() == []
    made.pass_time(hours=1)
    return made


def an_hour_later(made: Mirror) -> None:
    """Let an hour pass, in which another incident was created and fetched, so that no look-back reaches what is older."""
    made.pass_time(minutes=30)
    made.remote_incident(name=NEWEST, severity=4, type="Malware")
    made.fetch_all()
    made.pass_time(minutes=30)


def quiet_one(made: Mirror, name: str = "quiet") -> str:
    """Create a remote incident that does not match, and let an hour pass; return its id."""
    remote_id = made.remote_incident(name=name, severity=1)
    an_hour_later(made)
    return remote_id


def came(made: Mirror) -> list[str]:
    """Return the remote ids of all local incidents, each as often as it is there, without those of `an_hour_later`."""
    found, _ = made.here.search({"query": f"-name:{NEWEST}", "size": 1000})
    return sorted((str(incident["dbotMirrorId"]) for incident in found), key=int)


def raise_it(made: Mirror, remote_id: str, severity: float = 4) -> None:
    """Change the severity of a remote incident."""
    made.there.change_incident(remote_id, {"severity": severity}, user="carla")


def test_an_incident_that_is_raised_an_hour_after_its_creation(either: Mirror) -> None:
    """
    Given: an incident that did not match when it was created, with a file.
    When: it is raised an hour later.
    Then: it is fetched once with its file, is mirrored both ways from then on, and the status counts it.
    """
    created = either.there.create_incident({"name": "slow", "severity": 1}, user="carla", attachments=[("mail.eml", b"slow")])
    assert created is not None
    remote_id = str(created["id"])
    an_hour_later(either)
    raise_it(either, remote_id)
    local_id = either.fetched_once()
    either.there.change_incident(remote_id, {"details": "from there"}, user="carla")
    chat(either.there, remote_id, "entry in", IN_TAG)
    either.until_quiet()
    either.here.change_incident(local_id, {"severity": 3}, user="hanna")
    chat(either.here, local_id, "entry out", OUT_TAG)
    either.until_quiet()

    assert (either.fetch_all(), came(either)) == ([], [remote_id])
    local, remote = either.here.incident(local_id), either.there.incident(remote_id)
    assert (local["name"], local["details"], remote["severity"]) == ("slow", "from there", 3)
    assert last_lines(either.here, local_id) == ["mail.eml", "entry in", "entry out"]
    assert last_lines(either.there, remote_id) == ["mail.eml", "entry in", "entry out"]
    assert either.status()["FetchedLate"] == 1


def test_by_creation_it_is_not_fetched(site: Site) -> None:
    """
    Given: an instance that fetches by creation.
    When: an incident is raised an hour after its creation.
    Then: it is not fetched, and no search more is made than one.
    """
    made = begun(site.mirror("8", "8"), fetch_by="Creation")
    raise_it(made, quiet_one(made))
    made.interference.forget()

    assert made.fetch() == []
    assert sum(path.endswith("/incidents/search") for path in made.interference.paths) == 1


def test_it_costs_one_search_more(made: Mirror) -> None:
    """
    Given: an instance that also fetches what comes to match, and nothing new.
    When: it fetches.
    Then: it searches twice.
    """
    quiet_one(made)
    made.interference.forget()

    assert made.fetch() == []
    assert sum(path.endswith("/incidents/search") for path in made.interference.paths) == 2


def test_what_does_not_match_when_it_is_looked_for_stays_out(made: Mirror) -> None:
    """
    Given: three older incidents.
    When: one is raised and lowered again, one changed without matching, one raised, lowered and raised.
    Then: the last is fetched, once.
    """
    lowered, changed, raised = (quiet_one(made, name) for name in ("lowered", "changed", "raised"))
    for severity in (4, 1):
        raise_it(made, lowered, severity)
    made.there.change_incident(changed, {"details": "changed"}, user="carla")
    for severity in (4, 2, 4):
        raise_it(made, raised, severity)
    made.fetch_all()
    for severity in (1, 4):
        raise_it(made, raised, severity)
        made.pass_time(minutes=10)
        made.fetch_all()

    assert came(made) == [raised]


def test_a_reopening_that_makes_it_match(site: Site) -> None:
    """
    Given: a query for open incidents, and one that was closed before it was ever fetched.
    When: it is reopened.
    Then: it is fetched, open.
    """
    made = begun(site.mirror("8", "8"), query="-status:closed")
    remote_id = made.remote_incident()
    made.there.close_incident(remote_id, user="carla")
    an_hour_later(made)
    made.there.reopen_incident(remote_id, user="carla")

    assert made.here.incident(made.fetched_once())["status"] == 1
    made.until_quiet()
    assert came(made) == [remote_id]


def test_one_that_is_older_than_the_first_fetch_time(site: Site) -> None:
    """
    Given: an incident of last month, and a first fetch time of three days.
    When: it is raised today.
    Then: it is fetched.
    """
    made = site.mirror("8", "8")
    made.pass_time(hours=-30 * 24)
    remote_id = made.remote_incident(severity=1)
    made.pass_time(hours=30 * 24)
    begun(made)
    an_hour_later(made)
    raise_it(made, remote_id)
    made.fetch_all()

    assert came(made) == [remote_id]


def test_own_incidents_stay_out_when_they_come_to_match(made: Mirror) -> None:
    """
    Given: a local incident that was created there, one of another mirror there, and one that is linked by hand.
    When: each is raised there, and a plain one too.
    Then: only the plain one is fetched.
    """
    local_id = made.created_from_here()
    from_here = str(made.here.incident(local_id)["dbotMirrorId"])
    of_others = made.remote_incident(severity=1, sourceBrand="XSOAR Mirroring", labels=[{"type": "Instance", "value": "x"}])
    linked, plain = quiet_one(made, "linked"), quiet_one(made, "plain")
    link = {"dbotMirrorInstance": INSTANCE, "dbotMirrorDirection": "Both", "dbotMirrorId": linked, "dbotMirrorTags": [OUT_TAG]}
    ours = made.here.create_incident({"name": "linked", **link}, user="hanna")
    assert ours is not None
    succeeded(made.host.run(INSTANCE, "xsoar-mirror-resync", {}, incident_id=str(ours["id"])))
    for remote_id in (from_here, of_others, linked, plain):
        raise_it(made, remote_id)
    made.fetch_all()

    assert came(made) == sorted([from_here, linked, plain], key=int)


# Shared with what is new


def test_max_fetch_is_shared_and_what_is_new_goes_first(site: Site) -> None:
    """
    Given: four new incidents and three that came to match, and three to a run.
    When: fetching.
    Then: no run brings more than three, the new ones come first, and each is here once.
    """
    made = begun(site.mirror("8", "8"), max_fetch="3")
    late = [quiet_one(made, f"late {number}") for number in range(3)]
    for remote_id in late:
        raise_it(made, remote_id)
    new = [made.remote_incident(name=f"new {number}", severity=4) for number in range(4)]
    runs = [[made.here.incident(local_id)["dbotMirrorId"] for local_id in made.fetch()] for _ in range(4)]

    assert [len(run) for run in runs] == [3, 3, 1, 0]
    assert [remote_id for run in runs for remote_id in run][:4] == new
    assert came(made) == sorted([*late, *new], key=int)
    assert made.status()["FetchedLate"] == 3


def test_a_burst_that_comes_to_match_in_one_instant(site: Site) -> None:
    """
    Given: more incidents than a run takes.
    When: all are raised in one instant, and two more a minute later.
    Then: each is here once.
    """
    made = begun(site.mirror("8", "6"), max_fetch="5", look_back="0")
    ids = [made.remote_incident(severity=1) for _ in range(14)]
    an_hour_later(made)
    made.clock.stop()
    for remote_id in ids[:12]:
        raise_it(made, remote_id)
    made.clock.go_on()
    made.fetch()
    made.pass_time(minutes=1)
    for remote_id in ids[12:]:
        raise_it(made, remote_id)
    made.fetch_all()

    assert came(made) == ids


def test_a_backlog_of_new_ones_whose_incidents_change(site: Site) -> None:
    """
    Given: seven new incidents and two to a run.
    When: all are changed between the runs, again and again.
    Then: each is here once, in the order of creation, and none counts as late.
    """
    made = begun(site.mirror("8", "8"), max_fetch="2")
    ids = [made.remote_incident(severity=4) for _ in range(7)]
    in_order: list[str] = []
    for number in range(6):
        in_order += [made.here.incident(local_id)["dbotMirrorId"] for local_id in made.fetch()]
        for remote_id in ids:
            made.there.change_incident(remote_id, {"details": f"change {number}"}, user="carla")
        made.pass_time(minutes=1)

    assert in_order == ids
    assert made.status()["FetchedLate"] == 0


ORDERS = sorted(set(permutations(("raise", "change", "fetch", "fetch"))))


def test_never_doubled_whatever_the_order(site: Site) -> None:
    """
    Given: incidents that match when they are created, and such as do not.
    When: each is raised and changed, with two fetches, in each order.
    Then: each is here once, and as it is there.
    """
    made = begun(site.mirror("8", "8"))
    ids = []
    for number, order in enumerate(ORDERS):
        remote_id = made.remote_incident(name=f"order {number}", severity=1 + 3 * (number % 2))
        for step in order:
            if step == "raise":
                raise_it(made, remote_id)
            elif step == "change":
                made.there.change_incident(remote_id, {"details": f"change {number}"}, user="carla")
            else:
                an_hour_later(made)
        ids.append(remote_id)
        made.pass_time(hours=1)
    made.fetch_all()
    made.until_quiet()

    assert came(made) == ids
    details = [made.here.incident(made.local_id(remote_id))["details"] for remote_id in ids]
    assert details == [f"change {number}" for number in range(len(ids))]


@pytest.mark.parametrize("skew", [-90.0, 90.0, 86_400.0])
def test_a_remote_whose_clock_is_off(site: Site, skew: float) -> None:
    """
    Given: a remote clock that is off.
    When: incidents are raised one after another.
    Then: each is here once.
    """
    made = site.mirror("8", "8")
    made.clock.offset_seconds = skew
    begun(made, first_fetch="30 days")
    ids = [made.remote_incident(severity=1) for _ in range(3)]
    for remote_id in ids:
        an_hour_later(made)
        raise_it(made, remote_id)
        made.fetch()
    made.pass_time(hours=1)
    made.fetch_all()

    assert came(made) == ids


def test_one_that_is_raised_while_a_fetch_searches(made: Mirror) -> None:
    """
    Given: an incident that does not match, and a newer one that is new.
    When: the first is raised between the two searches of the fetch that brings the second.
    Then: the next fetch brings it, once.
    """
    raised = made.remote_incident(severity=1)
    made.pass_time(minutes=40)
    made.remote_incident(name=NEWEST, severity=4, type="Malware")
    made.interference.forget()

    def between(_request: Any, number: int) -> None:
        if number == 1:
            raise_it(made, raised)

    made.interference.before = between
    made.fetch()
    made.interference.forget()
    for _ in range(3):
        made.pass_time(minutes=1)
        made.fetch_all()

    assert came(made) == [raised]


# Killed, forgotten, switched, changed


@pytest.mark.parametrize("step", ["setIntegrationContextVersioned", "setLastRun", "incidents", "done"])
def test_a_fetch_that_is_killed(site: Site, step: str) -> None:
    """
    Given: an older incident that was raised, and a new one.
    When: the fetch is killed at some step.
    Then: the next brings both, once, and they are mirrored.
    """
    armed: list[str] = []

    def on_call(pid: int, name: str) -> None:
        if armed and name == armed[0]:
            armed.clear()
            os.kill(pid, signal.SIGKILL)

    made = begun(site.mirror("8", "8", on_call))
    late = quiet_one(made)
    raise_it(made, late)
    new = made.remote_incident(severity=4)
    armed.append(step)
    assert not made.host.fetch(INSTANCE).ok
    raise_it(made, late, 4)
    made.pass_time(minutes=1)
    made.fetch_all()
    for remote_id in (late, new):
        made.there.change_incident(remote_id, {"details": "changed"}, user="carla")
    made.until_quiet()

    assert came(made) == [late, new]
    assert [made.here.incident(made.local_id(remote_id))["details"] for remote_id in (late, new)] == ["changed"] * 2
    assert made.status()["FetchedLate"] == 1


@pytest.mark.parametrize("first", ["Creation", LATE["fetch_by"]])
def test_forgotten_records_double_nothing(site: Site, first: str) -> None:
    """
    Given: incidents fetched by creation, one that came to match, and one created from here.
    When: the integration context is reset, and all of them change a month later.
    Then: none is fetched again, and one that was never fetched is.
    """
    made = begun(site.mirror("8", "8"), fetch_by=first)
    ids = [made.remote_incident(severity=4) for _ in range(3)]
    made.fetch_all()
    from_here = str(made.here.incident(made.created_from_here())["dbotMirrorId"])
    made.configure(**LATE)
    made.fetch()
    late, never = quiet_one(made, "late"), quiet_one(made, "never")
    raise_it(made, late)
    made.fetch_all()
    assert late in came(made)
    made.host.reset_integration_context(INSTANCE)
    made.pass_time(hours=31 * 24)
    for remote_id in (*ids, from_here, late, never):
        made.there.change_incident(remote_id, {"details": "changed", "severity": 4}, user="carla")
    created = made.fetch_all()

    assert [made.here.incident(local_id)["dbotMirrorId"] for local_id in created] == [never]
    assert came(made) == sorted([*ids, from_here, late, never], key=int)


def test_an_incident_that_was_deleted_here_is_not_fetched_again(made: Mirror) -> None:
    """
    Given: a fetched incident that was deleted here.
    When: the remote one changes.
    Then: it stays away.
    """
    made.remote_incident(severity=4)
    late = quiet_one(made)
    raise_it(made, late)
    made.fetch_all()
    made.here.delete_incident(made.local_id(late))
    made.pass_time(hours=1)
    raise_it(made, late, 3)
    raise_it(made, late, 4)

    assert made.fetch_all() == []


def test_it_is_switched_on_later(site: Site) -> None:
    """
    Given: an instance that fetched by creation, and an incident that was raised then.
    When: it is switched on, and another incident is raised; later it is switched off, and a third is.
    Then: the second is fetched, the first and the third are not.
    """
    made = begun(site.mirror("8", "8"), fetch_by="Creation")
    fetched = made.remote_incident(severity=4)
    made.fetch_all()
    before, after, never = (quiet_one(made, name) for name in ("before", "after", "never"))
    raise_it(made, before)
    an_hour_later(made)
    made.configure(**LATE)
    an_hour_later(made)
    raise_it(made, after)
    made.there.change_incident(fetched, {"details": "changed"}, user="carla")
    made.fetch_all()
    assert came(made) == [fetched, after]

    made.configure(**{**LATE, "fetch_by": "Creation"})
    made.fetch()
    raise_it(made, never)
    made.pass_time(hours=1)
    made.fetch_all()
    assert came(made) == [fetched, after]


def test_what_came_to_match_while_it_was_switched_off(made: Mirror) -> None:
    """
    Given: an instance that was switched off for two months, in which an incident was raised.
    When: it is switched on again, and another is raised.
    Then: only the second is fetched.
    """
    meanwhile, after = (quiet_one(made, name) for name in ("meanwhile", "after"))
    made.configure(**{**LATE, "fetch_by": "Creation"})
    made.fetch_all()
    made.pass_time(hours=24 * 30)
    raise_it(made, meanwhile)
    made.pass_time(hours=24 * 30)
    made.fetch_all()
    made.configure(**LATE)
    made.fetch_all()
    assert came(made) == []
    made.pass_time(minutes=10)
    raise_it(made, after)
    made.fetch_all()

    assert came(made) == [after]


def test_a_query_that_is_changed(made: Mirror) -> None:
    """
    Given: incidents fetched under one query.
    When: the query is another, and old ones change that match it, among them those that are here.
    Then: those are fetched that are not here, once.
    """
    here = made.remote_incident(severity=4, type="Malware")
    made.fetch_all()
    late, other = (made.remote_incident(severity=1, type="Malware") for _ in range(2))
    an_hour_later(made)
    raise_it(made, late)
    made.fetch_all()
    made.configure(**{**LATE, "query": "type:Malware"})
    an_hour_later(made)
    for remote_id in (here, late, other):
        made.there.change_incident(remote_id, {"details": "changed"}, user="carla")
    made.fetch_all()

    assert came(made) == sorted([here, late, other], key=int)


def test_tenants_in_a_ring(site: Site) -> None:
    """
    Given: two tenants that fetch from each other what comes to match.
    When: an older incident of each is raised.
    Then: each tenant has its own and one copy of the other's.
    """
    clock = Clock()
    tenants = [site.tenant(f"tenant {number}", version, clock) for number, version in enumerate(VERSIONS.values())]
    urls = [site.serve(tenant) for tenant in tenants]
    hosts = [site.host(tenant) for tenant in tenants]
    for number, host in enumerate(hosts):
        host.add_instance(INSTANCE, INTEGRATION, {**working_params(tenants[1 - number], urls[1 - number]), **LATE})

    def run_all(times: int) -> None:
        for _ in range(times):
            clock.offset_seconds += 600
            for host in hosts:
                succeeded(host.fetch(INSTANCE))
                assert host.mirror(INSTANCE).errors == []

    def create_in_each(name: str, severity: int) -> list[str]:
        made = [tenant.create_incident({"name": f"{name} of {tenant.settings.name}", "severity": severity}) for tenant in tenants]
        run_all(2)
        return [str(incident["id"]) for incident in made if incident]

    run_all(1)
    late = create_in_each("late", 1)
    create_in_each("new", 4)
    for tenant, incident_id in zip(tenants, late, strict=True):
        tenant.change_incident(incident_id, {"severity": 4}, user="carla")
    run_all(4)

    expected = [f"{name} of {tenant.settings.name}" for name in ("late", "new") for tenant in tenants]
    for tenant in tenants:
        assert sorted(incident["name"] for incident in tenant.search({"query": "", "size": 99})[0]) == expected
