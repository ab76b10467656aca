"""Mirroring over HTTP when things go wrong or are unusual: nothing is lost, nothing is doubled."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from local_xsoar.host import Host
from local_xsoar.tenant import Tenant
from tests.mirror.two_tenants import (
    CUSTOM_FIELDS,
    IN_TAG,
    INSTANCE,
    INTEGRATION,
    OUT_TAG,
    Mirror,
    Site,
    succeeded,
    working_params,
)


def last_lines(tenant: Tenant, incident_id: str) -> list[str]:
    """Return the last lines of the texts in a War Room, or the names of its files."""
    return [entry.get("file") or str(entry["contents"]).rpartition("\n")[2] for entry in tenant.entries(incident_id)]


def chat(tenant: Tenant, incident_id: str, text: str, *tags: str) -> str:
    """Write a chat and return its id."""
    return str(tenant.add_entry(incident_id, contents=text, user="carla", category="chat", tags=tags)["id"])


# In


def test_2300_changes_in_one_minute(site: Site) -> None:
    """
    Given: 2,300 remote incidents that changed within a minute.
    When: asked what changed.
    Then: all are listed, as texts.
    """
    made = site.mirror("8", "8")
    made.configure()
    with made.there.batch():
        ids = [made.remote_incident(name=f"Incident {number}") for number in range(2300)]

    run = succeeded(made.host.mirror(INSTANCE).runs[0])

    assert sorted(run.entries[0]["Contents"], key=int) == ids


@pytest.mark.parametrize("version", ["6", "8"])
def test_a_remote_whose_entries_do_not_show(site: Site, version: str) -> None:
    """
    Given: a remote where an entry does not change its incident.
    When: 50 incidents get entries.
    Then: five rounds bring all.
    """
    made = site.mirror("8", version, entry_moves_modified=False)
    made.configure()
    for number in range(50):
        made.remote_incident(name=f"Incident {number}")
    local_ids = made.fetch_all()
    made.until_quiet()
    for local_id in local_ids:
        chat(made.there, made.here.incident(local_id)["dbotMirrorId"], "unseen", IN_TAG)
    calls = []
    for _ in range(5):
        made.interference.forget()
        made.round()
        calls.append(len(made.interference.paths))

    assert [last_lines(made.here, local_id) for local_id in local_ids] == [["unseen"]] * 50
    # A round looks into 20 War Rooms, and an incident with something new costs three calls more.
    assert max(calls) <= 25 + 3 * 20


def test_which_kind_of_remote_it_is_is_learned(site: Site) -> None:
    """
    Given: remotes of both kinds.
    When: entries have come in.
    Then: the quiet rounds of the one cost few calls.
    """
    quiet_calls = {}
    for moves in (True, False):
        made = site.mirror("8", "8", entry_moves_modified=moves) if moves else site.mirror("6", "6", entry_moves_modified=moves)
        made.configure()
        ids = [made.remote_incident(name=f"Incident {number}") for number in range(30)]
        made.fetch_all()
        chat(made.there, ids[0], "hello", IN_TAG)
        for _ in range(3):
            made.round()
        made.interference.forget()
        made.round()
        quiet_calls[moves] = len(made.interference.paths)
        site = Site(site.folder / "second", site.exits, site.workers)

    assert quiet_calls[True] == 4  # One search, and three War Rooms in case it was a coincidence.
    assert 20 <= quiet_calls[False] <= 25


@pytest.mark.parametrize("skew", [-90.0, 90.0, 86_400.0])
def test_two_clocks(remote: Mirror, skew: float) -> None:
    """
    Given: a remote whose clock is off.
    When: entries and changes come in one after another.
    Then: each arrives once.
    """
    remote.clock.offset_seconds = skew
    remote.configure(first_fetch="30 days")
    remote_id = remote.remote_incident()
    # A clock that is ahead may show an incident in the future; it is fetched all the same.
    local_id = remote.fetched_once()
    for number in range(3):
        chat(remote.there, remote_id, f"entry {number}", IN_TAG)
        remote.there.change_incident(remote_id, {"details": f"change {number}"})
        remote.round()
        assert remote.here.incident(local_id)["details"] == f"change {number}"
    remote.until_quiet()

    assert last_lines(remote.here, local_id) == ["entry 0", "entry 1", "entry 2"]


def test_an_edited_entry(mirror: Mirror) -> None:
    """
    Given: a note that crossed each way.
    When: both are edited.
    Then: each edited text crosses once, marked as edited.
    """
    remote_id = mirror.remote_incident()
    local_id = mirror.fetched_once()
    theirs = mirror.there.add_entry(remote_id, contents="block 10.0.0.1", user="carla", note=True, tags=[IN_TAG])
    ours = mirror.here.add_entry(local_id, contents="seen twice", user="hanna", note=True, tags=[OUT_TAG])
    mirror.until_quiet()

    mirror.there.edit_entry(theirs["id"], "block 10.0.0.2", user="carla")
    mirror.here.edit_entry(ours["id"], "seen once", user="hanna")
    mirror.here.change_entry(ours["id"], mirrored=False)  # As a server may that takes an edited entry for a new one.
    mirror.until_quiet()

    assert last_lines(mirror.here, local_id) == ["seen once", "block 10.0.0.1", "block 10.0.0.2"]
    assert sorted(last_lines(mirror.there, remote_id)) == ["block 10.0.0.2", "seen once", "seen twice"]
    (edited,) = [entry for entry in mirror.here.entries(local_id) if entry["contents"].endswith("10.0.0.2")]
    assert "edited" in edited["contents"]
    assert edited["note"]


@pytest.mark.parametrize("from_time_field", ["created", "modified"])
@pytest.mark.parametrize("entries_move", [True, False])
def test_an_entry_tagged_an_hour_later(site: Site, from_time_field: str, entries_move: bool) -> None:
    """
    Given: an entry of an hour ago.
    When: it is tagged.
    Then: it comes, whatever fromTime means and entries move.
    """
    made = site.mirror("8", "6", from_time_field=from_time_field, entry_moves_modified=entries_move)
    made.configure(first_fetch="1 day")
    made.clock.offset_seconds = -7200
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    made.clock.offset_seconds = -3600
    old = chat(made.there, remote_id, "an hour ago")
    chat(made.there, remote_id, "tagged at once", IN_TAG)
    made.until_quiet()
    made.clock.offset_seconds = 0
    made.there.change_entry(old, tags=["other", IN_TAG])
    for _ in range(5):
        made.round()

    assert last_lines(made.here, local_id) == ["tagged at once", "an hour ago"]


FAULTS: dict[str, Callable[[], Response]] = {
    "500": lambda: JSONResponse({"error": "broken"}, status_code=500),
    "429": lambda: Response(status_code=429, headers={"Retry-After": "60"}),
    "cut JSON": lambda: Response(b'{"data": [{"id"', media_type="application/json"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_round_that_fails_at_any_request(site: Site, fault: str) -> None:
    """
    Given: news of two incidents.
    When: its requests fail in turn.
    Then: the server sees it, and all arrives once.
    """
    made = site.mirror("8", "8")
    made.configure()
    ids = [made.remote_incident(), made.remote_incident()]
    made.fetch_all()
    local_ids = [made.local_id(remote_id) for remote_id in ids]
    for number in range(5):
        for remote_id in ids:
            chat(made.there, remote_id, f"entry {number}", IN_TAG)
        made.there.add_entry(ids[0], user="carl", entry_type=3, tags=[IN_TAG], file=(f"file {number}", b"x"))
        made.interference.forget()
        made.interference.answers = dict.fromkeys(range(number, number + 40), FAULTS[fault])
        failed = made.host.mirror(INSTANCE)
        # Of what is optional, and of what a pull could not read, the log tells.
        log = [line for run in failed.runs for line in run.log if "cannot be read" in line or "skipped for now" in line]
        assert [*failed.errors, *log]
        made.interference.forget()
    made.until_quiet()

    assert last_lines(made.here, local_ids[1]) == [f"entry {number}" for number in range(5)]
    files_too = [line for number in range(5) for line in (f"entry {number}", f"file {number}")]
    # Texts come at once, a file whose download failed behind them.
    assert sorted(last_lines(made.here, local_ids[0])) == sorted(files_too)


def test_errors_say_what_the_server_must_do(site: Site) -> None:
    """
    Given: a remote that limits or fails.
    When: asked what changed.
    Then: the error stops the round in the server's own words.
    """
    made = site.mirror("8", "8")
    made.configure()
    made.remote_incident()
    made.fetch_all()
    said = {}
    for name, fault in FAULTS.items():
        made.interference.answers = dict.fromkeys(range(99), fault)
        mirror_round = made.host.mirror(INSTANCE)
        said[name] = mirror_round.errors
        assert [run.command for run in mirror_round.runs] == ["get-modified-remote-data"]
        made.interference.forget()

    assert all(len(errors) == 1 for errors in said.values())
    assert "API rate limit" in said["429"][0]
    assert all("skip update" in errors[0] for errors in said.values())


def test_history_beyond_a_page_after_a_failure(site: Site) -> None:
    """
    Given: 1,050 earlier entries and a file.
    When: the first try fails and another fetch comes first.
    Then: all are here once.
    """
    made = site.mirror("8", "8")
    made.configure(fetch_incident_history=True)
    remote_id = made.remote_incident()
    with made.there.batch():
        for number in range(1050):
            chat(made.there, remote_id, f"entry {number}", IN_TAG)
    made.there.add_entry(remote_id, user="carl", entry_type=3, tags=[IN_TAG], file=("last.bin", b"x"))
    local_id = made.fetched_once()
    made.interference.before = lambda request, number: made.interference.answers.update(
        {number: FAULTS["500"]} if "/entry/download" in request.url.path or number > 30 else {}
    )
    made.host.mirror(INSTANCE)
    made.interference.forget()
    made.remote_incident(name="second")
    made.fetch()
    made.until_quiet()
    made.there.change_incident(remote_id, {"severity": 3})
    made.until_quiet()

    lines = last_lines(made.here, local_id)
    assert sorted(lines) == sorted([*(f"entry {number}" for number in range(1050)), "last.bin"])


def test_an_incident_that_is_gone_stops_nothing_else(site: Site) -> None:
    """
    Given: two mirrored incidents of which one is deleted.
    When: the other changes.
    Then: that arrives, and no round fails.
    """
    made = site.mirror("8", "6")
    made.configure()
    gone, kept = made.remote_incident(), made.remote_incident()
    made.fetch_all()
    made.there.change_incident(gone, {"severity": 4})
    made.there.delete_incident(gone)
    made.there.change_incident(kept, {"severity": 4})
    made.until_quiet()

    assert made.here.incident(made.local_id(kept))["severity"] == 4
    assert made.here.incident(made.local_id(gone))["status"] == 1


# Out


@pytest.mark.parametrize("rivals", [1, 4])
def test_rivals(remote: Mirror, rivals: int) -> None:
    """
    Given: a local change.
    When: others change the incident at each try to write it.
    Then: all changes survive.
    """
    remote_id = remote.remote_incident()
    local_id = remote.fetched_once()
    remote.here.change_incident(local_id, {"severity": 3, "CustomFields": {"ticket": "H"}}, user="hanna")
    others = [cli_name for cli_name, _ in CUSTOM_FIELDS if cli_name != "ticket"][:rivals]
    seen: list[int] = []

    def rival(request: Any, number: int) -> None:
        if request.method == "POST" and request.url.path.endswith("/incident") and len(seen) < rivals:
            custom = {others[len(seen)]: "x"}
            seen.append(number)
            remote.there.change_incident(remote_id, {"details": f"rival {len(seen)}", "CustomFields": custom})

    remote.interference.before = rival
    remote.round()
    remote.interference.forget()
    remote.until_quiet()

    for incident in (remote.there.incident(remote_id), remote.here.incident(local_id)):
        assert (incident["severity"], incident["details"], incident["CustomFields"]["ticket"]) == (3, f"rival {rivals}", "H")
        assert set(others) <= set(incident["CustomFields"])


def test_a_rival_that_never_gives_way(remote: Mirror) -> None:
    """
    Given: a rival at every try.
    When: a local change is sent.
    Then: the server sees an error, and a later round sends it.
    """
    remote_id = remote.remote_incident()
    local_id = remote.fetched_once()
    remote.here.change_incident(local_id, {"severity": 3}, user="hanna")

    def rival(request: Any, number: int) -> None:
        if request.method == "POST" and request.url.path.endswith("/incident"):
            remote.there.change_incident(remote_id, {"details": f"rival {number}"})

    remote.interference.before = rival
    failed = remote.host.mirror(INSTANCE)
    remote.interference.forget()
    remote.until_quiet()

    assert "Somebody else changed" in failed.errors[0]
    assert remote.there.incident(remote_id)["severity"] == 3


def all_that_goes_out(made: Mirror, local_id: str) -> None:
    """Change a field, write a chat, a note, an HTML note and a file, all to go out."""
    made.here.change_incident(local_id, {"severity": 3}, user="hanna")
    chat(made.here, local_id, "a chat", OUT_TAG)
    made.here.add_entry(local_id, contents="a note", user="hugo", category="note", note=True, tags=[OUT_TAG])
    made.here.add_entry(local_id, contents="<i>html</i>", format="html", user="hugo", note=True, tags=[OUT_TAG])
    made.here.add_entry(local_id, user="hugo", entry_type=3, tags=[OUT_TAG], file=("out.bin", b"out"))


def arrived_once(made: Mirror, remote_id: str) -> None:
    """Assert that all of `all_that_goes_out` is there once."""
    assert sorted(last_lines(made.there, remote_id)) == ["<i>html</i>", "a chat", "a note", "out.bin"]
    notes = [
        entry["note"]
        for entry in made.there.entries(remote_id)
        if "note" in str(entry["contents"]) or "html" in str(entry["contents"])
    ]
    assert notes == [True, True]
    assert made.there.incident(remote_id)["severity"] == 3


def test_a_lost_answer_at_any_request(site: Site) -> None:
    """
    Given: a field, texts and a file to send.
    When: the answer to each request is lost in turn.
    Then: all is there once.
    """
    for number in range(12):
        made = Site(site.folder / str(number), site.exits, site.workers).mirror("8", "6" if number % 2 else "8")
        made.configure()
        remote_id = made.remote_incident()
        local_id = made.fetched_once()
        made.round()
        all_that_goes_out(made, local_id)
        made.interference.forget()
        made.interference.lost_answers = {number}
        made.host.mirror(INSTANCE)
        made.interference.forget()
        for _ in range(3):
            made.host.mirror(INSTANCE)
        made.until_quiet()

        arrived_once(made, remote_id)
        assert sorted(last_lines(made.here, local_id)) == ["<i>html</i>", "a chat", "a note", "out.bin"]


def test_a_closing_whose_answer_is_lost(remote: Mirror) -> None:
    """
    Given: a local closing.
    When: the remote does it and its answer is lost.
    Then: it is closed once, and nothing bounces.
    """
    remote_id = remote.remote_incident()
    local_id = remote.fetched_once()
    remote.here.close_incident(local_id, reason="Duplicate", notes="See 7.", user="hugo")

    def lose(request: Any, number: int) -> None:
        if request.url.path.endswith("/incident/close"):
            remote.interference.lost_answers.add(number)

    remote.interference.before = lose
    assert remote.host.mirror(INSTANCE).errors
    remote.interference.before = None
    remote.until_quiet()

    assert (remote.there.incident(remote_id)["status"], remote.here.incident(local_id)["status"]) == (2, 2)
    assert len([path for path in remote.interference.paths if path.endswith("/incident/close")]) == 1


def local_incident(made: Mirror, **fields: Any) -> str:
    """Create a local incident that is to be created in the remote tenant."""
    created = made.here.create_incident(
        {
            "name": "from here",
            "dbotMirrorInstance": INSTANCE,
            "dbotMirrorDirection": "Both",
            "dbotMirrorTags": [OUT_TAG],
            **fields,
        },
        user="hanna",
    )
    assert created is not None
    return str(created["id"])


def test_creating_there(remote: Mirror) -> None:
    """
    Given: a local incident for the remote.
    When: its answer is lost first.
    Then: there is one, and it mirrors.
    """
    local_id = local_incident(remote, severity=3, CustomFields={"ticket": "H-1"})
    chat(remote.here, local_id, "at once", OUT_TAG)

    def lose_first(request: Any, number: int) -> None:
        if request.method == "POST" and request.url.path.endswith("/incident") and not remote.interference.lost_answers:
            remote.interference.lost_answers.add(number)

    remote.interference.before = lose_first
    assert remote.host.mirror(INSTANCE).errors
    remote.interference.before = None
    remote.until_quiet()

    (created,), total = remote.there.search({"query": "", "size": 9})
    assert total == 1
    assert (created["name"], created["severity"], created["CustomFields"]["ticket"]) == ("from here", 3, "H-1")
    assert remote.here.incident(local_id)["dbotMirrorId"] == created["id"]
    assert last_lines(remote.there, created["id"]) == ["at once"]
    assert remote.fetch_all() == []


def test_creating_what_a_rule_drops(site: Site) -> None:
    """
    Given: a remote whose pre-processing drops the incident.
    When: it is to be created.
    Then: the error says so.
    """
    made = site.mirror("8", "8", drop_created_if_name_contains="from here")
    made.configure()
    local_incident(made)

    (error,) = made.host.mirror(INSTANCE).errors

    assert "dropped" in error
    assert "pre-processing rules" in error


def test_reopening_goes_out(mirror: Mirror) -> None:
    """
    Given: an incident that was closed here and there, and another open one.
    When: it is reopened here.
    Then: it is open there.
    """
    mirror.remote_incident(name="another")
    remote_id = mirror.remote_incident()
    mirror.fetch_all()
    local_id = mirror.local_id(remote_id)
    mirror.here.close_incident(local_id, reason="Other", user="hugo")
    mirror.until_quiet()
    mirror.here.reopen_incident(local_id, user="hugo")
    chat(mirror.here, local_id, "once more", OUT_TAG)
    mirror.until_quiet()

    assert (mirror.there.incident(remote_id)["status"], mirror.here.incident(local_id)["status"]) == (1, 1)
    assert last_lines(mirror.there, remote_id) == ["once more"]


def test_reopening_where_no_incident_is_open(remote: Mirror) -> None:
    """
    Given: the only incident of the remote, closed.
    When: it is reopened here.
    Then: it stays open, and the log says so.
    """
    remote_id = remote.remote_incident()
    local_id = remote.fetched_once()
    remote.here.close_incident(local_id, reason="Other", user="hugo")
    remote.until_quiet()
    remote.here.reopen_incident(local_id, user="hugo")
    logs = [line for run in remote.round().runs for line in run.log]
    remote.until_quiet()

    assert any("still closed in the remote tenant" in line for line in logs)
    assert (remote.there.incident(remote_id)["status"], remote.here.incident(local_id)["status"]) == (2, 1)


# Both ways


def joined(site: Site, *versions: str) -> list[tuple[Tenant, Host]]:
    """Make tenants in a ring: each runs the pack against the next, all with the same tags in both directions."""
    tenants = [site.tenant(f"tenant {number}", f"{version}.8.0") for number, version in enumerate(versions)]
    urls = [site.serve(tenant) for tenant in tenants]
    ring = []
    for number, tenant in enumerate(tenants):
        following = (number + 1) % len(tenants)
        host = site.host(tenant)
        host.add_instance(INSTANCE, INTEGRATION, working_params(tenants[following], urls[following]))
        ring.append((tenant, host))
    return ring


def run_all(ring: list[tuple[Tenant, Host]], times: int) -> None:
    """Let all hosts fetch and mirror some times."""
    for _ in range(times):
        for _tenant, host in ring:
            succeeded(host.fetch(INSTANCE))
            assert host.mirror(INSTANCE).errors == []


@pytest.mark.parametrize("versions", [("6", "8"), ("8", "8"), ("6", "8", "8")], ids="-".join)
def test_tenants_that_all_run_the_pack(site: Site, versions: tuple[str, ...]) -> None:
    """
    Given: tenants that fetch from each other in a ring.
    When: all run.
    Then: each incident goes one step, entries too.
    """
    ring = joined(site, *versions)
    created = []
    for number, (tenant, _host) in enumerate(ring):
        made = tenant.create_incident({"name": f"of {number}"}, user="carla")
        assert made is not None
        created.append(str(made["id"]))
    run_all(ring, 2)
    for number, (tenant, _host) in enumerate(ring):
        chat(tenant, created[number], f"in from {number}", IN_TAG, OUT_TAG)
        (mirrored,), _ = tenant.search({"query": f"dbotMirrorInstance:{INSTANCE}", "size": 9})
        chat(tenant, mirrored["id"], f"out from {number}", OUT_TAG, IN_TAG)
    run_all(ring, 4)

    for number, (tenant, _host) in enumerate(ring):
        following, before = (number + 1) % len(ring), (number - 1) % len(ring)
        found, total = tenant.search({"query": "", "size": 9, "sort": [{"field": "id", "asc": True}]})
        assert total == 2, [incident["name"] for incident in found]
        names = {incident["name"]: incident["id"] for incident in found}
        assert set(names) == {f"of {number}", f"of {following}"}
        assert sorted(last_lines(tenant, names[f"of {number}"])) == sorted([f"in from {number}", f"out from {before}"])
        assert sorted(last_lines(tenant, names[f"of {following}"])) == sorted([f"in from {following}", f"out from {number}"])


# State


def test_two_commands_at_once(site: Site) -> None:
    """
    Given: two incidents with news.
    When: both are asked for at the same time.
    Then: what each delivered is remembered.
    """
    made = site.mirror("8", "8")
    made.configure()
    ids = [made.remote_incident() for _ in range(6)]
    made.fetch_all()
    for remote_id in ids:
        chat(made.there, remote_id, "news", IN_TAG)
    runs: list[Any] = []

    def ask(remote_id: str) -> None:
        runs.append(made.host.run(INSTANCE, "get-remote-data", {"id": remote_id, "lastUpdate": "2020-01-01T00:00:00Z"}))

    for _ in range(2):
        threads = [threading.Thread(target=ask, args=(remote_id,)) for remote_id in ids]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert all(run.ok for run in runs)
    # Each entry was given once: the second time each incident had nothing more.
    given = [entry for run in runs for entry in run.entries if "news" in str(entry.get("Contents"))]
    assert len(given) == len(ids)
