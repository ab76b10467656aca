"""One incident that is stopped, and an instance that is paused: nothing crosses meanwhile, and all of it afterwards, once."""

import json
import re
import runpy
from datetime import UTC, datetime, timedelta
from typing import Any

import demistomock as demisto
import pytest

from local_xsoar.host import HostSettings, MirrorRound
from tests.mirror.test_content_over_http import SCRIPTS
from tests.mirror.test_exact_over_http import chat, last_lines
from tests.mirror.test_fields_over_http import in_step, value_of
from tests.mirror.test_status_over_http import ACTIVE, CLOSED, statuses
from tests.mirror.two_tenants import IN_TAG, INSTANCE, OUT_TAG, Mirror, Site, succeeded

PAUSED = re.compile(rf"Mirroring of {INSTANCE} is paused until \S+: run xsoar-mirror-resume to end the pause\.")


def run(made: Mirror, command: str, **args: Any) -> dict[str, Any]:
    """Run a command of the mirror; return what it puts into the context."""
    (entry,) = succeeded(made.host.run(INSTANCE, f"xsoar-mirror-{command}", args)).entries
    (value,) = entry["EntryContext"].values()
    assert isinstance(value, dict)
    return value


def stopped_sentence(remote_id: str) -> str:
    """Return the sentence with which an update of a stopped incident fails."""
    return f"Mirroring of incident {remote_id} is stopped: run xsoar-mirror-start id={remote_id} to start it again."


def with_files(made: Mirror, remote_id: str, local_id: str) -> None:
    """Let fields change and a chat and a file be written on both sides."""
    made.there.change_incident(remote_id, {"details": "from there"}, user="carla")
    made.here.change_incident(local_id, {"severity": 4}, user="hanna")
    for tenant, incident_id, tag, word in ((made.there, remote_id, IN_TAG, "in"), (made.here, local_id, OUT_TAG, "out")):
        chat(tenant, incident_id, f"chat {word}", tag)
        tenant.add_entry(incident_id, user="carl", entry_type=3, tags=[tag], file=(f"{word}.bin", word.encode()))


def has_arrived(made: Mirror, remote_id: str, local_id: str) -> None:
    """Assert that all of `with_files` is on both sides, once."""
    for tenant, incident_id in ((made.there, remote_id), (made.here, local_id)):
        assert (value_of(tenant, incident_id, "details"), value_of(tenant, incident_id, "severity")) == ("from there", 4)
        assert sorted(last_lines(tenant, incident_id)) == ["chat in", "chat out", "in.bin", "out.bin"]


def nothing_has_crossed(made: Mirror, remote_id: str, local_id: str) -> None:
    """Assert that nothing of `with_files` is on the other side."""
    assert (value_of(made.here, local_id, "details"), value_of(made.there, remote_id, "severity")) == (None, 1)
    assert last_lines(made.here, local_id) == ["chat out", "out.bin"]
    assert last_lines(made.there, remote_id) == ["chat in", "in.bin"]


def minute(made: Mirror) -> MirrorRound:
    """Let a minute pass with a fetch that goes well and a round, whatever comes of it; return the round."""
    made.pass_time(minutes=1)
    succeeded(made.host.fetch(INSTANCE))
    return made.host.mirror(INSTANCE)


def settle(made: Mirror) -> None:
    """Run rounds, which go well, until nothing crosses any more."""
    assert made.rounds(3) == []
    made.until_quiet()


@pytest.fixture(params=["6", "8"])
def pair(request: pytest.FixtureRequest, site: Site) -> tuple[Mirror, str, str]:
    """A mirror of one incident, with a remote of each version; its remote and its local id."""
    made = site.mirror("8", request.param, None, HostSettings(unsent_changes="kept"))
    made.configure()
    return made, *in_step(made, severity=1)


@pytest.fixture
def made(site: Site) -> Mirror:
    """A mirror."""
    made = site.mirror("8", "8", None, HostSettings(unsent_changes="kept"))
    made.configure()
    return made


def test_what_changes_on_both_sides_crosses(pair: tuple[Mirror, str, str]) -> None:
    """
    Given: a mirror that is neither stopped nor paused.
    When: fields, chats and files change on both sides.
    Then: all is on both sides, once.
    """
    with_files(*pair)
    settle(pair[0])
    has_arrived(*pair)


# Stop


def test_nothing_of_a_stopped_incident_crosses_and_afterwards_all_of_it(pair: tuple[Mirror, str, str]) -> None:
    """
    Given: an incident that is stopped.
    When: fields, chats and files change on both sides, rounds run, and it is started again.
    Then: the state and the sentence say so, nothing crossed or was read meanwhile; afterwards all arrives once.
    """
    made, remote_id, local_id = pair
    assert run(made, "stop", id=remote_id) == {"id": remote_id, "stopped": True}
    minute(made)
    assert made.shown(local_id, "state") == "Stopped"
    with_files(*pair)
    made.interference.forget()
    done = [minute(made) for _ in range(3)]

    nothing_has_crossed(*pair)
    assert [remote_id in (each.modified or []) for each in done] == [False] * 3
    assert all(stopped_sentence(remote_id) in error for each in done for error in each.errors)
    assert [len(each.errors) for each in done] == [1] * 3
    read = [path for path in made.interference.paths if path.endswith((f"/load/{remote_id}", f"/investigation/{remote_id}"))]
    assert read == []
    status = made.status(id=remote_id)
    assert (status["IncidentsStopped"], status["Incident"]["State"], status["LastError"]) == (1, "Stopped", "")
    assert (made.shown(local_id, "errorin"), made.shown(local_id, "errorout")) == ("", "")

    assert run(made, "start", id=remote_id) == {"id": remote_id, "stopped": False}
    settle(made)
    has_arrived(*pair)
    assert (made.shown(local_id, "state"), made.status()["IncidentsStopped"]) == ("In Step", 0)


def test_other_incidents_go_on_beside_a_stopped_one(made: Mirror) -> None:
    """
    Given: two incidents, one of which is stopped in its War Room, without an ID.
    When: both change on both sides.
    Then: the other is mirrored, and a new one is fetched.
    """
    stopped, other = made.remote_incident(severity=1), made.remote_incident(severity=1)
    made.fetch_all()
    made.until_quiet()
    local_id, local_other = made.local_id(stopped), made.local_id(other)
    succeeded(made.host.run(INSTANCE, "xsoar-mirror-stop", {}, incident_id=local_id))
    minute(made)
    for remote_id in (stopped, other):
        with_files(made, remote_id, made.local_id(remote_id))
    new = made.remote_incident()
    for _ in range(3):
        minute(made)

    has_arrived(made, other, local_other)
    assert (value_of(made.here, local_id, "details"), value_of(made.there, stopped, "severity")) == (None, 1)
    assert made.mirrored_ids() == [stopped, other, new]


@pytest.mark.parametrize("where", ["there", "here"])
def test_a_closing_while_it_is_stopped(made: Mirror, where: str) -> None:
    """
    Given: an incident that is stopped.
    When: it is closed on one side, and started again; and reopened on that side while it is stopped once more.
    Then: the other side follows when it is started, not before.
    """
    made.remote_incident(name="another")
    made.fetch()
    remote_id, local_id = in_step(made, severity=1)
    for steps in (("close_incident", CLOSED, ACTIVE), ("reopen_incident", ACTIVE, CLOSED)):
        method, after, before = steps
        run(made, "stop", id=remote_id)
        minute(made)
        tenant, incident_id = (made.there, remote_id) if where == "there" else (made.here, local_id)
        getattr(tenant, method)(incident_id, user="carla")
        minute(made)
        minute(made)
        assert statuses(made, remote_id, local_id) == ((after, before) if where == "there" else (before, after))
        run(made, "start", id=remote_id)
        settle(made)
        assert statuses(made, remote_id, local_id) == (after, after)


def test_a_field_that_both_sides_change_while_it_is_stopped(made: Mirror) -> None:
    """
    Given: an incident that is stopped.
    When: both sides change one field, and it is started again.
    Then: both sides are equal, and one note tells both values.
    """
    remote_id, local_id = in_step(made, details="at first")
    run(made, "stop", id=remote_id)
    minute(made)
    made.there.change_incident(remote_id, {"details": "theirs"}, user="carla")
    made.here.change_incident(local_id, {"details": "ours"}, user="hanna")
    minute(made)
    run(made, "start", id=remote_id)
    settle(made)

    assert value_of(made.there, remote_id, "details") == value_of(made.here, local_id, "details")
    lines = [str(entry["contents"]) for entry in made.here.entries(local_id)]
    assert sum("theirs" in line and "ours" in line for line in lines) == 1


def test_a_stop_lasts_for_months_and_through_a_restart_and_a_resync(site: Site, made: Mirror) -> None:
    """
    Given: a closed incident that is stopped.
    When: two months pass, the host restarts, and the remote one is changed and reopened.
    Then: nothing crosses, and a fetch doubles nothing; when it is started, the change comes.
    """
    remote_id, local_id = in_step(made, severity=1)
    made.there.close_incident(remote_id, reason="Resolved", user="carla")
    made.until_quiet()
    run(made, "stop", id=remote_id)
    minute(made)
    for _ in range(3):
        made.pass_time(hours=20 * 24)
        minute(made)
    made.host = site.host(made.here)
    made.there.reopen_incident(remote_id, user="carla")
    made.there.change_incident(remote_id, {"details": "from there"}, user="carla")
    for _ in range(3):
        minute(made)
    assert (value_of(made.here, local_id, "details"), made.here.incident(local_id)["status"]) == (None, CLOSED)
    assert made.mirrored_ids() == [remote_id]

    run(made, "start", id=remote_id)
    settle(made)
    assert (value_of(made.here, local_id, "details"), made.here.incident(local_id)["status"]) == ("from there", ACTIVE)


def test_stopping_and_starting_twice_is_no_error(made: Mirror) -> None:
    """
    Given: an incident, and an ID that nothing here mirrors.
    When: the one is started, stopped twice and started twice; the other is stopped.
    Then: the first is mirrored, and the second is a sentence that names the ID.
    """
    remote_id, local_id = in_step(made, severity=1)
    for command in ("start", "stop", "stop", "start", "start"):
        assert run(made, command, id=remote_id)["stopped"] == (command == "stop")
    with_files(made, remote_id, local_id)
    settle(made)
    unknown = made.host.run(INSTANCE, "xsoar-mirror-stop", {"id": "4711"})

    has_arrived(made, remote_id, local_id)
    assert not unknown.ok
    assert "4711" in unknown.error
    assert "Traceback" not in unknown.error


# Pause


def remembered(made: Mirror) -> list[dict[str, Any]]:
    """Return the last runs of fetching and of mirroring."""
    return [made.host.last_run(INSTANCE), made.host.last_mirror_run(INSTANCE)]


@pytest.mark.parametrize("end", ["resume", "time"])
def test_nothing_crosses_in_a_pause_and_afterwards_all_of_it(pair: tuple[Mirror, str, str], end: str) -> None:
    """
    Given: an instance that is paused for two hours.
    When: fields, chats and files change, incidents are created on both sides, and the pause is ended or its time is over.
    Then: nothing crossed, the remote was not even asked, the cursors stood still; afterwards all arrives once.
    """
    made = pair[0]
    told = run(made, "pause", until="2 hours")
    before = remembered(made)
    with_files(*pair)
    new = made.remote_incident(name="new there")
    mirroring = {"dbotMirrorInstance": INSTANCE, "dbotMirrorDirection": "Both", "dbotMirrorTags": [OUT_TAG]}
    assert made.here.create_incident({"name": "new here", **mirroring}, user="hanna")
    made.interference.forget()
    done = [minute(made) for _ in range(3)]

    nothing_has_crossed(*pair)
    assert (made.interference.paths, remembered(made)) == ([], before)
    assert [each.modified for each in done] == [[]] * 3
    assert [len(each.errors) for each in done] == [2] * 3
    assert all(PAUSED.search(error) for each in done for error in each.errors)
    status = made.status()
    assert (status["State"], status["PausedUntil"], status["LastError"]) == ("Paused", told["Until"], "")
    assert (made.here.search({"query": "", "size": 9})[1], made.there.search({"query": "", "size": 9})[1]) == (2, 2)

    if end == "resume":
        assert not run(made, "resume")["Until"]
    else:
        made.pass_time(hours=2)
    made.minutes(4)
    settle(made)
    has_arrived(*pair)
    names = [sorted(item["name"] for item in tenant.search({"query": "", "size": 9})[0]) for tenant in (made.here, made.there)]
    assert names == [["Phishing", "new here", "new there"]] * 2
    assert made.here.incident(made.local_id(new))["name"] == "new there"
    status = made.status()
    assert (status["State"], bool(status["PausedUntil"])) == ("Running", False)


@pytest.mark.parametrize("rounds_before", [0, 1])
def test_what_changes_at_the_beginning_of_a_long_pause(made: Mirror, rounds_before: int) -> None:
    """
    Given: an incident that was fetched, with or without a round since.
    When: the instance is paused for 23 hours, in whose first minutes it changes and another is created.
    Then: both are here afterwards.
    """
    made.configure(look_back="0")
    remote_id = made.remote_incident(severity=1)
    local_id = made.fetched_once()
    made.rounds(rounds_before)
    run(made, "pause", until="23 hours")
    made.pass_time(minutes=2)
    with_files(made, remote_id, local_id)
    new = made.remote_incident()
    for hours in (1, 10, 11.5):
        made.pass_time(hours=hours)
        minute(made)
    made.pass_time(hours=1)
    made.minutes(3)
    settle(made)

    has_arrived(made, remote_id, local_id)
    assert made.mirrored_ids() == [remote_id, new]


def test_a_closing_in_a_pause_and_a_stop_that_outlasts_it(made: Mirror) -> None:
    """
    Given: three incidents, one of them stopped, and a pause.
    When: one is closed there, one here, the stopped one changes, and the pause ends.
    Then: the closings cross, and the stopped one stays as it was.
    """
    there, here, stopped = (made.remote_incident(severity=1) for _ in range(3))
    made.fetch_all()
    made.until_quiet()
    run(made, "stop", id=stopped)
    run(made, "pause", until="1 hour")
    made.there.close_incident(there, reason="Resolved", user="carla")
    made.here.close_incident(made.local_id(here), reason="Other", user="hanna")
    made.there.change_incident(stopped, {"details": "from there"}, user="carla")
    minute(made)
    assert [statuses(made, remote_id, made.local_id(remote_id)) for remote_id in (there, here)] == [(2, 1), (1, 2)]
    run(made, "resume")
    made.minutes(4)

    assert [statuses(made, remote_id, made.local_id(remote_id)) for remote_id in (there, here)] == [(2, 2), (2, 2)]
    local_id = made.local_id(stopped)
    assert (value_of(made.here, local_id, "details"), made.shown(local_id, "state")) == (None, "Stopped")


def test_reading_goes_on_in_a_pause(made: Mirror) -> None:
    """
    Given: a pause.
    When: commands that read run, Test is pressed, and an incident is asked for by hand.
    Then: they work, and what is asked for by hand gives nothing and loses nothing.
    """
    remote_id, local_id = in_step(made, severity=1)
    run(made, "pause", until="1 hour")
    chat(made.there, remote_id, "news", IN_TAG)
    for command in ("xsoar-search-incidents", "xsoar-mirror-status", "xsoar-mirror-diff"):
        succeeded(made.host.run(INSTANCE, command, {}, incident_id=local_id))
    assert made.host.test(INSTANCE).ok
    given = succeeded(made.host.run(INSTANCE, "get-remote-data", {"id": remote_id, "lastUpdate": "2020-01-01T00:00:00Z"}))
    assert "news" not in json.dumps(given.entries)
    run(made, "resume")
    settle(made)

    assert last_lines(made.here, local_id).count("news") == 1


def test_a_pause_outlasts_a_restart(site: Site, made: Mirror) -> None:
    """
    Given: a pause until a time.
    When: the host restarts.
    Then: it is paused until then, and no longer.
    """
    remote_id, local_id = in_step(made, severity=1)
    until = (datetime.now(UTC) + timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M:%S")
    run(made, "pause", until=f"{until}Z")
    made.host = site.host(made.here)
    made.there.change_incident(remote_id, {"details": "from there"}, user="carla")
    made.pass_time(hours=4)
    minute(made)
    assert value_of(made.here, local_id, "details") is None
    assert made.status()["PausedUntil"].startswith(until)
    made.pass_time(hours=1)
    minute(made)

    assert value_of(made.here, local_id, "details") == "from there"


def test_a_pause_lasts_a_day_at_most_though_the_clock_is_put_back(made: Mirror) -> None:
    """
    Given: a pause of two hours.
    When: the local clock is put back by three days.
    Then: a day later at the latest mirroring goes on.
    """
    remote_id, local_id = in_step(made, severity=1)
    run(made, "pause", until="2 hours")
    made.clock_here.offset_seconds -= 3 * 86_400
    made.there.change_incident(remote_id, {"details": "from there"}, user="carla")
    made.pass_time(hours=24.1)
    made.minutes(3)

    assert value_of(made.here, local_id, "details") == "from there"
    assert made.status()["State"] == "Running"


@pytest.mark.parametrize(
    ("until", "words"),
    [
        ("25 hours", ["24 hours"]),
        ("2 days", ["24 hours"]),
        ("2020-01-01T00:00:00Z", ["until"]),
        ("2999-01-01T00:00:00Z", ["24 hours"]),
        ("0 hours", ["until"]),
        ("a while", ["until"]),
    ],
)
def test_a_pause_that_cannot_be(made: Mirror, until: str, words: list[str]) -> None:
    """
    Given: an instance.
    When: it is to be paused for longer than a day, until a time that is over, or a text that is none.
    Then: a sentence says so, and it is not paused.
    """
    refused = made.host.run(INSTANCE, "xsoar-mirror-pause", {"until": until})

    assert not refused.ok
    assert "Traceback" not in refused.error
    assert all(word in refused.error for word in words)
    assert made.status()["State"] == "Running"


def test_a_pause_of_a_day_and_one_that_replaces_it(made: Mirror) -> None:
    """
    Given: an instance.
    When: it is resumed unpaused, paused for a whole day, then for an hour.
    Then: none is an error, and after the hour it runs.
    """
    assert not run(made, "resume")["Until"]
    day, hour = (run(made, "pause", until=until) for until in ("24 hours", "1 hour"))
    assert (day["Instance"], day["Until"] > hour["Until"]) == (INSTANCE, True)
    assert made.status()["State"] == "Paused"
    made.pass_time(hours=1.1)

    assert made.status()["State"] == "Running"


def test_the_widget_shows_a_pause(made: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: an instance that is paused for hours, so that its last round is long ago.
    When: the widget is shown.
    Then: it is paused, not down.
    """
    in_step(made)
    run(made, "pause", until="5 hours")
    made.pass_time(hours=3)
    minute(made)

    def execute(command: str, _args: dict[str, Any]) -> list[dict[str, Any]]:
        return succeeded(made.host.run(INSTANCE, command, {})).entries

    monkeypatch.setattr(demisto, "executeCommand", execute)
    widget = runpy.run_path(str(SCRIPTS / "XSOARMirroringHealth" / "XSOARMirroringHealth.py"))
    modules = {INSTANCE: {"brand": "XSOAR Mirroring", "state": "active"}}
    (row,) = widget["rows"](modules, datetime.now().astimezone() + timedelta(hours=3))

    assert row.state == "Paused"


def test_a_pause_before_the_first_fetch(site: Site) -> None:
    """
    Given: an instance that fetches the last hour, and is paused for five before it has fetched at all.
    When: the pause is over.
    Then: what was created within the hour before the pause and during it is here.
    """
    made = site.mirror("8", "8")
    made.configure(first_fetch="1 hour")
    remote_ids = [made.remote_incident(name="before")]
    run(made, "pause", until="5 hours")
    for _ in range(2):
        assert made.fetch() == []
        made.pass_time(hours=1.5)
        remote_ids.append(made.remote_incident(name="meanwhile"))
    run(made, "resume")
    made.fetch_all()

    assert made.mirrored_ids() == remote_ids
