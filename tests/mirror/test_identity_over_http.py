"""A remote ID is no identity: another tenant, a restored one and a deleted incident are told from the one that is mirrored."""

from typing import Any

import pytest

from local_xsoar.tenant import Tenant
from tests.mirror.test_exact_over_http import chat, last_lines
from tests.mirror.two_tenants import IN_TAG, INSTANCE, OUT_TAG, Interference, Mirror, Site, working_params


def seen_in(tenant: Tenant, incident_id: str) -> tuple[dict[str, Any], list[str]]:
    """Return what mirroring could have changed of an incident: some fields, and the lines of its War Room."""
    incident = tenant.incident(incident_id)
    return {name: incident[name] for name in ("name", "details", "severity", "status")}, last_lines(tenant, incident_id)


def is_said_to_be_another(sentence: str) -> bool:
    """Say whether a sentence tells that the remote incident is another one than the one that was mirrored."""
    return any(words in sentence for words in ("another", "other incident", "different incident", "not the "))


# The address of another tenant


@pytest.fixture(params=["6", "8"])
def strayed(request: pytest.FixtureRequest, site: Site) -> tuple[Mirror, Tenant, str]:
    """A mirror in step whose instance is then pointed at another tenant, that tenant, and the address.

    The incident of the same ID there was created an hour later.
    """
    made = site.mirror("8", request.param)
    other = site.tenant("other", made.there.settings.version, made.clock)
    address = site.serve(other, Interference())
    made.configure()
    made.remote_incident(name="ours", details="ours")
    made.fetch_all()
    made.until_quiet()
    made.pass_time(hours=1)
    stranger = other.create_incident({"name": "stranger", "details": "strange", "type": "Phishing"}, user="sam")
    assert stranger is not None
    assert stranger["id"] == "1"
    made.configure(**working_params(other, address))
    return made, other, address


def test_nothing_of_a_stranger_comes_in(strayed: tuple[Mirror, Tenant, str]) -> None:
    """
    Given: the address of another tenant.
    When: its incident of that ID changes.
    Then: none of it comes in, and that is said.
    """
    made, other, _ = strayed
    before = seen_in(made.here, "1")
    other.change_incident("1", {"severity": 4}, user="sam")
    chat(other, "1", "strange words", IN_TAG)
    made.rounds()
    other.close_incident("1", reason="Resolved", user="sam")
    made.rounds()

    assert seen_in(made.here, "1") == before
    assert is_said_to_be_another(made.shown("1", "errorin"))
    assert made.shown("1", "state") == "Error"


@pytest.mark.parametrize("what", ["fields", "entry", "file", "closing"])
def test_nothing_goes_to_a_stranger(strayed: tuple[Mirror, Tenant, str], what: str) -> None:
    """
    Given: the address of another tenant.
    When: something is to go out.
    Then: nothing is written there, and an error says why.
    """
    made, other, _ = strayed
    before = seen_in(other, "1")
    match what:
        case "fields":
            made.here.change_incident("1", {"severity": 3}, user="hanna")
        case "entry":
            chat(made.here, "1", "secret", OUT_TAG)
        case "file":
            made.here.add_entry("1", user="hugo", entry_type=3, tags=[OUT_TAG], file=("secret.bin", b"x"))
        case "closing":
            made.here.close_incident("1", reason="Resolved", user="hanna")
    errors = made.rounds()

    assert seen_in(other, "1") == before
    assert any(is_said_to_be_another(error) for error in errors), errors


def test_it_goes_on_when_the_right_address_is_back(strayed: tuple[Mirror, Tenant, str]) -> None:
    """
    Given: changes on both sides while the address of another tenant was entered.
    When: the right address is back, and at the latest when the incident is resynced.
    Then: all crosses once, and no error is shown.
    """
    made, other, _ = strayed
    other.change_incident("1", {"severity": 4}, user="sam")
    chat(made.here, "1", "from here", OUT_TAG)
    made.there.change_incident("1", {"details": "changed there"}, user="carla")
    chat(made.there, "1", "from there", IN_TAG)
    made.rounds()
    made.configure()
    made.rounds()
    if made.here.incident("1")["details"] != "changed there":
        made.host.run(INSTANCE, "xsoar-mirror-resync", {"id": "1"}, incident_id="1")
        made.rounds()
    made.until_quiet()

    assert (made.here.incident("1")["details"], made.here.incident("1")["severity"]) == ("changed there", 0)
    assert [line for line in last_lines(made.here, "1") if line in ("from here", "from there")] == ["from here", "from there"]
    assert sorted(last_lines(made.there, "1")) == ["from here", "from there"]
    assert (made.shown("1", "errorin"), made.shown("1", "errorout"), made.shown("1", "state")) == ("", "", "In Step")


def test_an_incident_created_from_here_is_known_too(site: Site) -> None:
    """
    Given: an incident that was created there from here.
    When: the address of another tenant is entered.
    Then: nothing mixes.
    """
    made = site.mirror("8", "8")
    made.configure()
    created_id = made.created_from_here()
    remote_id = made.here.incident(created_id)["dbotMirrorId"]
    assert made.there.incident(remote_id)["name"] == "from here"
    made.pass_time(hours=1)
    other = site.tenant("other", "8.8.0", made.clock)
    for _ in range(int(remote_id)):
        other.create_incident({"name": "stranger", "type": "Phishing"}, user="sam")
    made.configure(**working_params(other, site.serve(other)))
    before = seen_in(other, remote_id)
    other_entry = chat(other, remote_id, "strange words", IN_TAG)
    made.here.change_incident(created_id, {"severity": 3}, user="hanna")
    errors = made.rounds()

    other.remove_entry(other_entry)
    assert seen_in(other, remote_id) == before
    assert last_lines(made.here, created_id) == []
    assert made.here.incident(created_id)["name"] == "from here"
    assert any(is_said_to_be_another(error) for error in errors), errors


# A restored tenant


def test_a_new_entry_under_an_id_that_is_known(mirror: Mirror) -> None:
    """
    Given: a remote restored to before an entry that is here.
    When: a new one takes its ID.
    Then: it comes, once.
    """
    remote_id = mirror.remote_incident()
    local_id = mirror.fetched_once()
    backup = mirror.there.backup()
    lost = chat(mirror.there, remote_id, "lost there", IN_TAG)
    mirror.until_quiet()
    mirror.there.restore(backup)
    mirror.pass_time(minutes=10)
    new = chat(mirror.there, remote_id, "new", IN_TAG)
    mirror.until_quiet()
    mirror.rounds()

    assert new == lost
    assert last_lines(mirror.here, local_id) == ["lost there", "new"]


def test_a_new_file_under_an_id_that_is_known(mirror: Mirror) -> None:
    """
    Given: a remote restored to before a file that is here.
    When: another file takes its ID.
    Then: it comes, once.
    """
    remote_id = mirror.remote_incident()
    local_id = mirror.fetched_once()
    backup = mirror.there.backup()
    mirror.there.add_entry(remote_id, user="carl", entry_type=3, tags=[IN_TAG], file=("lost.bin", b"lost"))
    mirror.until_quiet()
    mirror.there.restore(backup)
    mirror.pass_time(minutes=10)
    mirror.there.add_entry(remote_id, user="carl", entry_type=3, tags=[IN_TAG], file=("new.bin", b"new"))
    mirror.until_quiet()
    mirror.rounds()

    assert last_lines(mirror.here, local_id) == ["lost.bin", "new.bin"]


def test_a_new_entry_under_the_id_of_one_that_was_sent(mirror: Mirror) -> None:
    """
    Given: a remote restored to before an entry that was written from here.
    When: somebody there writes another one, which takes its ID.
    Then: it comes in, for it is not the one that was written from here.
    """
    remote_id = mirror.remote_incident()
    local_id = mirror.fetched_once()
    mirror.until_quiet()
    backup = mirror.there.backup()
    chat(mirror.here, local_id, "from here", OUT_TAG)
    mirror.until_quiet()
    (sent,) = mirror.there.entries(remote_id)
    mirror.there.restore(backup)
    mirror.pass_time(minutes=10)
    new = chat(mirror.there, remote_id, "new", IN_TAG)
    mirror.until_quiet()
    mirror.rounds()

    assert new == sent["id"]
    assert last_lines(mirror.here, local_id) == ["from here", "new"]


def test_a_new_incident_under_an_id_that_is_known(mirror: Mirror) -> None:
    """
    Given: a remote restored to before an incident that is mirrored.
    When: a new incident takes its ID, and changes.
    Then: it comes as a local incident of its own, which is not mirrored; the old one says that it is about another one.
    """
    mirror.remote_incident(name="first")
    mirror.fetch_all()
    backup = mirror.there.backup()
    lost = mirror.remote_incident(name="lost there", details="lost")
    (old,) = mirror.fetch_all()
    mirror.until_quiet()
    before = seen_in(mirror.here, old)
    mirror.there.restore(backup)
    mirror.pass_time(minutes=10)
    new = mirror.remote_incident(name="new", details="new")
    created = mirror.fetch_all()
    chat(mirror.there, new, "about the new one", IN_TAG)
    mirror.there.change_incident(new, {"severity": 4}, user="carla")
    mirror.rounds()

    assert new == lost
    assert [mirror.here.incident(local_id)["name"] for local_id in created] == ["new"]
    assert seen_in(mirror.here, old) == before
    assert seen_in(mirror.here, created[0]) == ({"name": "new", "details": "new", "severity": 0, "status": 1}, [])
    assert is_said_to_be_another(mirror.shown(old, "errorin"))
    mirror.here.change_incident(old, {"details": "changed here"}, user="hanna")
    errors = mirror.rounds()
    assert mirror.there.incident(new)["details"] == "new"
    assert any(is_said_to_be_another(error) for error in errors), errors
    assert mirror.fetch_all() == []


# A remote incident that is gone


def hour(made: Mirror) -> list[str]:
    """Let an hour with a round every five minutes pass; return the requests that were made."""
    made.interference.paths.clear()
    for _ in range(12):
        made.pass_time(minutes=5)
        made.host.mirror(INSTANCE)
    return list(made.interference.paths)


def lose(made: Mirror, remote_id: str, how: str) -> None:
    """Delete a remote incident, or hide it from the key's role."""
    if how == "deleted":
        made.there.delete_incident(remote_id)
    else:
        made.there.hide(remote_id)


@pytest.mark.parametrize("how", ["deleted", "hidden"])
@pytest.mark.parametrize("version", ["6", "8"])
def test_an_incident_that_is_gone_is_said_within_an_hour(site: Site, version: str, how: str) -> None:
    """
    Given: three quiet mirrored incidents.
    When: one is deleted, or hidden.
    Then: it and the status say so within an hour.
    """
    made = site.mirror("8", version)
    made.configure()
    ids = [made.remote_incident(name=f"Incident {number}") for number in range(3)]
    local_ids = made.fetch_all()
    made.until_quiet()
    lose(made, ids[1], how)
    hour(made)

    assert [bool(made.shown(local_id, "errorin")) for local_id in local_ids] == [False, True, False]
    assert [made.shown(local_id, "state") for local_id in local_ids] == ["In Step", "Error", "In Step"]
    assert made.status()["IncidentsWithError"] == 1
    assert made.status(id=ids[1])["Incident"]["State"] == "Error"


def test_an_incident_that_is_seen_again_goes_on(site: Site) -> None:
    """
    Given: an incident that was hidden and is said to be gone.
    When: it is seen again.
    Then: within an hour all is well.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    made.until_quiet()
    made.there.hide(remote_id)
    hour(made)
    assert made.shown(local_id, "errorin")
    chat(made.there, remote_id, "meanwhile", IN_TAG)
    made.there.show(remote_id)
    hour(made)

    assert (made.shown(local_id, "errorin"), made.shown(local_id, "state")) == ("", "In Step")
    assert last_lines(made.here, local_id) == ["meanwhile"]
    assert made.status()["IncidentsWithError"] == 0


@pytest.mark.parametrize(("how", "count", "most"), [("deleted", 30, 2), ("hidden", 30, 2)])
def test_to_see_that_one_is_gone_costs_little(site: Site, how: str, count: int, most: int) -> None:
    """
    Given: quiet incidents, one of them gone.
    When: two hours pass.
    Then: an hour takes a search more for each 500 of them, and one for what it did not find.
    """
    made = site.mirror("8", "8", entry_moves_modified=True)
    made.configure(max_fetch="200")
    with made.there.batch():
        ids = [made.remote_incident(name=f"Incident {number}") for number in range(count)]
    made.fetch_all()
    made.until_quiet()
    hour(made)
    lose(made, ids[7], how)
    searches, others = [], []
    for _ in range(2):
        paths = hour(made)
        searches.append(sum("/incidents/search" in path for path in paths))
        others.append(sum(path.endswith(f"/{ids[7]}") for path in paths))

    assert made.shown(made.local_id(ids[7]), "errorin")
    assert max(searches) <= 12 + most
    # What is known to be gone is not asked for each round.
    assert others[1] < 12
