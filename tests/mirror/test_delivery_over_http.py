"""What is given is remembered, and what could not be read is said: refused writes, a barred War Room, times that are none."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request

from local_xsoar.host.state import HostState, StaleVersionError
from tests.mirror.test_exact_over_http import chat, last_lines
from tests.mirror.test_partial_over_http import refusing
from tests.mirror.two_tenants import IN_TAG, INSTANCE, OUT_TAG, Mirror, Site

NO_TIMES = ["None", "garbage", "", "0001-01-01T00:00:00Z", "-1", "99999999999999999999"]


def in_step(made: Mirror, **fields: Any) -> tuple[str, str]:
    """Let the two tenants have an incident; return its remote and its local id."""
    remote_id = made.remote_incident(**fields)
    local_id = made.fetched_once()
    made.until_quiet()
    return remote_id, local_id


# Writes of the integration context


@pytest.fixture
def refuse_writes(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Lets each write of the integration context be refused, or again be done."""
    refused: list[bool] = [False]
    write = HostState.set_context

    def set_context(state: HostState, name: str, context: dict[str, Any], version: int) -> int:
        if refused[0]:
            raise StaleVersionError("The integration context was written meanwhile: read it again.")
        return write(state, name, context, version)

    def switch(is_refused: bool) -> None:
        refused[0] = is_refused

    monkeypatch.setattr(HostState, "set_context", set_context)
    return switch


def news(made: Mirror, remote_id: str) -> list[str]:
    """Write a chat and a file into a remote War Room and change a field; return the lines that are to come."""
    chat(made.there, remote_id, "news", IN_TAG)
    made.there.add_entry(remote_id, user="carl", entry_type=3, tags=[IN_TAG], file=("news.bin", b"x"))
    made.there.change_incident(remote_id, {"severity": 4}, user="carla")
    return ["news", "news.bin"]


@pytest.mark.parametrize("version", ["6", "8"])
def test_an_answer_that_could_not_be_remembered_is_not_given(
    site: Site, version: str, refuse_writes: Callable[[bool], None]
) -> None:
    """
    Given: entries to bring.
    When: each write of the context is refused during the pull.
    Then: it fails and gives none.
    """
    made = site.mirror("8", version)
    made.configure()
    remote_id, local_id = in_step(made)
    lines = news(made, remote_id)
    refuse_writes(True)
    args = {"id": remote_id, "lastUpdate": "2020-01-01T00:00:00Z"}
    run = made.host.run(INSTANCE, "get-remote-data", args)
    refuse_writes(False)

    assert not run.ok
    assert not any("news" in str(entry.get("Contents")) or entry.get("File") for entry in run.entries)
    made.until_quiet()
    made.round()
    assert last_lines(made.here, local_id) == lines
    assert made.here.incident(local_id)["severity"] == 4


def test_a_round_in_which_nothing_can_be_remembered(site: Site, refuse_writes: Callable[[bool], None]) -> None:
    """
    Given: entries to bring.
    When: each write of the context is refused in two whole rounds.
    Then: they come later, each once.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id, local_id = in_step(made)
    lines = news(made, remote_id)
    refuse_writes(True)
    made.rounds(2)
    refuse_writes(False)
    made.rounds()
    made.until_quiet()

    assert last_lines(made.here, local_id) == lines
    assert made.here.incident(local_id)["severity"] == 4


@pytest.mark.parametrize("path", ["/incident/load/", "/investigation/", "/entry/download/"])
def test_writes_that_are_refused_from_some_request_of_a_pull_on(
    site: Site, path: str, refuse_writes: Callable[[bool], None]
) -> None:
    """
    Given: entries to bring.
    When: writes are refused from a request of the round on.
    Then: they come with a later one, once.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id, local_id = in_step(made)
    lines = news(made, remote_id)

    def refuse(request: Request, _number: int) -> None:
        if path in request.url.path:
            refuse_writes(True)

    made.interference.before = refuse
    made.host.mirror(INSTANCE)
    made.interference.forget()
    refuse_writes(False)
    made.rounds()
    made.until_quiet()

    assert last_lines(made.here, local_id) == lines


def test_sending_while_nothing_can_be_remembered(site: Site, refuse_writes: Callable[[bool], None]) -> None:
    """
    Given: entries to send.
    When: each write of the context is refused in a round.
    Then: they are there later, each once.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id, local_id = in_step(made)
    chat(made.here, local_id, "from here", OUT_TAG)
    made.here.add_entry(local_id, user="hugo", entry_type=3, tags=[OUT_TAG], file=("out.bin", b"x"))
    refuse_writes(True)
    made.host.mirror(INSTANCE)
    refuse_writes(False)
    made.rounds()
    made.until_quiet()

    assert last_lines(made.there, remote_id) == ["from here", "out.bin"]
    assert last_lines(made.here, local_id) == ["from here", "out.bin"]


# A War Room that may not be read


@pytest.mark.parametrize("version", ["6", "8"])
@pytest.mark.parametrize("status", [403, 500])
def test_one_war_room_that_may_not_be_read(site: Site, version: str, status: int) -> None:
    """
    Given: two incidents, the War Room of one of which answers with an error.
    When: both change and get entries, and the War Room can be read again later.
    Then: the fields of both come; the one says what is missing and is not in step, and in the end has all.
    """
    made = site.mirror("8", version)
    made.configure()
    barred, well = made.remote_incident(name="barred"), made.remote_incident(name="well")
    made.fetch_all()
    made.until_quiet()
    for remote_id in (barred, well):
        made.there.change_incident(remote_id, {"severity": 4}, user="carla")
        chat(made.there, remote_id, "news", IN_TAG)
    made.interference.before = refusing(made, f"/investigation/{barred}", status)
    made.rounds()
    local_barred, local_well = made.local_id(barred), made.local_id(well)

    assert [made.here.incident(local_id)["severity"] for local_id in (local_barred, local_well)] == [4, 4]
    assert "War Room" in made.shown(local_barred, "errorin")
    assert made.shown(local_barred, "state") in ("Error", "Behind")
    assert (made.shown(local_well, "state"), made.shown(local_well, "errorin")) == ("In Step", "")
    assert last_lines(made.here, local_well) == ["news"]

    made.interference.forget()
    for _ in range(3):
        made.pass_time(hours=1)
        made.host.mirror(INSTANCE)
    assert last_lines(made.here, local_barred) == ["news"]
    assert (made.shown(local_barred, "state"), made.shown(local_barred, "errorin")) == ("In Step", "")


def test_a_closing_comes_though_the_war_room_may_not_be_read(site: Site) -> None:
    """
    Given: a War Room that answers 403.
    When: the incident is closed there.
    Then: it is closed here.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id, local_id = in_step(made)
    made.there.close_incident(remote_id, reason="Resolved", user="carla")
    made.interference.before = refusing(made, f"/investigation/{remote_id}", 403)
    made.rounds()

    assert (made.here.incident(local_id)["status"], made.here.incident(local_id)["closeReason"]) == (2, "Resolved")


def test_fields_that_change_while_the_war_room_may_not_be_read(site: Site) -> None:
    """
    Given: a War Room that answers 403 for long.
    When: a field changes again and again.
    Then: each change comes.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id, local_id = in_step(made)
    made.interference.before = refusing(made, f"/investigation/{remote_id}", 403)
    came = []
    for number in range(4):
        made.there.change_incident(remote_id, {"details": f"change {number}"}, user="carla")
        made.pass_time(minutes=1)
        made.host.mirror(INSTANCE)
        came.append(made.here.incident(local_id)["details"])

    assert came == [f"change {number}" for number in range(4)]


# Times that are none


@pytest.mark.parametrize("no_time", NO_TIMES)
def test_a_server_whose_last_update_is_no_time(site: Site, monkeypatch: pytest.MonkeyPatch, no_time: str) -> None:
    """
    Given: a server that tells no time of the last round.
    When: things change there.
    Then: rounds bring them, without an error.
    """
    made = site.mirror("8", "8")
    monkeypatch.setattr(HostState, "last_update", lambda _state, _name: no_time)
    monkeypatch.setattr(HostState, "mirrored_at", lambda _state, _name, _incident: no_time)
    made.configure()
    remote_id, local_id = in_step(made)
    for number in range(3):
        made.there.change_incident(remote_id, {"details": f"change {number}"}, user="carla")
        chat(made.there, remote_id, f"entry {number}", IN_TAG)
        made.pass_time(minutes=1)
        made.round()
    made.until_quiet()

    assert made.here.incident(local_id)["details"] == "change 2"
    assert last_lines(made.here, local_id) == ["entry 0", "entry 1", "entry 2"]


@pytest.mark.parametrize("no_time", NO_TIMES)
def test_what_changed_is_listed_for_a_last_update_that_is_no_time(site: Site, no_time: str) -> None:
    """
    Given: a change there.
    When: the command is run by hand with a text that is no time.
    Then: the incident is listed.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id, _ = in_step(made)
    made.there.change_incident(remote_id, {"details": "changed"}, user="carla")
    made.pass_time(minutes=1)
    run = made.host.run(INSTANCE, "get-modified-remote-data", {"lastUpdate": no_time})

    assert run.ok, run.error
    assert remote_id in run.entries[0]["Contents"]


@pytest.mark.parametrize("no_time", NO_TIMES)
def test_the_first_pull_of_an_incident_with_a_last_update_that_is_no_time(
    site: Site, monkeypatch: pytest.MonkeyPatch, no_time: str
) -> None:
    """
    Given: an incident that was linked by hand.
    When: its first pull is told no time.
    Then: its fields come, without an error.
    """
    made = site.mirror("8", "8")
    monkeypatch.setattr(HostState, "last_update", lambda _state, _name: no_time)
    monkeypatch.setattr(HostState, "mirrored_at", lambda _state, _name, _incident: no_time)
    made.configure(query="name:none")
    remote_id = made.remote_incident(details="there")
    linked = {
        "dbotMirrorInstance": INSTANCE,
        "dbotMirrorDirection": "Both",
        "dbotMirrorId": remote_id,
        "dbotMirrorTags": [OUT_TAG],
    }
    local = made.here.create_incident({"name": "linked", "type": "Phishing", **linked}, user="hanna")
    assert local is not None
    for _ in range(2):
        made.there.change_incident(remote_id, {"severity": 4}, user="carla")
        made.pass_time(minutes=1)
        made.round()
    made.until_quiet()

    assert made.here.incident(local["id"])["severity"] == 4
