"""What happens around a fetch: entries of its moment, clocks and headers that are wrong, last runs that are gone or foreign."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.requests import Request

from tests.mirror.test_exact_over_http import chat, last_lines
from tests.mirror.two_tenants import IN_TAG, INSTANCE, OUT_TAG, Mirror, Site


def with_file(made: Mirror, name: str) -> str:
    """Create a remote incident with an attachment and return its id."""
    created = made.there.create_incident({"name": name, "type": "Phishing"}, user="carla", attachments=[(f"{name}.bin", b"x")])
    assert created is not None
    return str(created["id"])


def hours_ago(hours: float) -> str:
    """Return the time of some hours ago as ISO text."""
    return (datetime.now(UTC) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


# During a fetch


def requests_of_a_fetch(site: Site) -> range:
    """Return the numbers of the requests that the fetch of three incidents with a file each makes, from its first search on."""
    made = Site(site.folder / "counted", site.exits, site.workers).mirror("8", "8")
    made.configure()
    for name in ("first", "second", "third"):
        with_file(made, name)
    made.interference.forget()
    assert len(made.fetch()) == 3
    paths = made.interference.paths
    return range(next(number for number, path in enumerate(paths) if path.endswith("/incidents/search")), len(paths))


def at_each_request(
    site: Site, happen: Callable[[Mirror, str], Any], prepare: Callable[[Mirror, str], Any] | None = None
) -> None:
    """Let something happen in the first incident at each request of the fetch of three, in turn; it must come in once.

    The remote is busy: another incident changes at each request after it.
    """
    for number in requests_of_a_fetch(site):
        made = Site(site.folder / str(number), site.exits, site.workers).mirror("8", "68"[number % 2])
        made.configure(fetch_incident_history=False)
        first = with_file(made, "first")
        if prepare:
            prepare(made, first)
        for name in ("second", "third"):
            with_file(made, name)
        busy = made.remote_incident(name="busy", created=hours_ago(200))

        def interfere(
            _request: Request, at: int, made: Mirror = made, first: str = first, busy: str = busy, number: int = number
        ) -> None:
            if at == number:
                happen(made, first)
            if at > number:
                made.there.change_incident(busy, {"details": f"at request {at}"}, user="carla")

        made.interference.forget()
        made.interference.before = interfere
        assert len(made.fetch()) == 3
        made.interference.forget()
        made.until_quiet()
        assert made.rounds(3) == []

        lines = last_lines(made.here, made.local_id(first))
        assert (sorted(lines), number) == (sorted(["first.bin", "news"]), number)


def test_an_entry_written_at_any_request_of_a_fetch(site: Site) -> None:
    """
    Given: a fetch of incidents with files.
    When: a tagged entry is written at each of its requests in turn.
    Then: it comes.
    """
    at_each_request(site, lambda made, first: chat(made.there, first, "news", IN_TAG))


def test_an_entry_tagged_at_any_request_of_a_fetch(site: Site) -> None:
    """
    Given: an entry without a tag.
    When: it is tagged at each request of the fetch in turn.
    Then: it comes in once.
    """

    def tag(made: Mirror, first: str) -> None:
        (entry,) = [entry for entry in made.there.entries(first) if entry["contents"] == "news"]
        made.there.change_entry(entry["id"], tags=[IN_TAG])

    at_each_request(site, tag, prepare=lambda made, first: chat(made.there, first, "news"))


def test_history_stays_out(site: Site) -> None:
    """
    Given: an entry of an hour before the fetch.
    When: its incident is fetched without history.
    Then: it stays out.
    """
    made = site.mirror("8", "8")
    made.configure(fetch_incident_history=False)
    made.clock.offset_seconds = -7200
    remote_id = made.remote_incident()
    chat(made.there, remote_id, "old", IN_TAG)
    made.clock.offset_seconds = -3600
    made.there.change_incident(remote_id, {"severity": 3}, user="carla")
    made.clock.offset_seconds = 0
    local_id = made.fetched_once()
    chat(made.there, remote_id, "new", IN_TAG)
    made.until_quiet()
    assert made.rounds(3) == []

    assert last_lines(made.here, local_id) == ["new"]


# The header Date


DATES: dict[str, str | int | None] = {
    "5 s ahead": 5,
    "90 s ahead": 90,
    "5 s behind": -5,
    "90 s behind": -90,
    "a day ahead": 86_400,
    "a day behind": -86_400,
    "missing": None,
    "garbage": "yesterday, about noon",
    "empty": "",
    "year 1": "Mon, 01 Jan 0001 00:00:00 GMT",
}


def with_date(site: Site, date: str | int | None, version: str) -> Mirror:
    """Make a mirror whose remote tells a date in the header: off by some seconds, none, or a text that is no date."""
    if not isinstance(date, str):
        made = site.mirror("8", version, date_header=date)
    else:
        made = site.mirror("8", version, date_header=None)
        made.interference.date = date
    made.configure(fetch_incident_history=False)
    return made


@pytest.mark.parametrize("version", ["6", "8"])
@pytest.mark.parametrize("date", DATES.values(), ids=DATES)
def test_entries_around_a_fetch_whatever_the_header_says(site: Site, date: str | int | None, version: str) -> None:
    """
    Given: a header Date that is wrong.
    When: entries are written from the fetch on, seconds apart.
    Then: all come in, once.
    """
    made = with_date(site, date, version)
    remote_id = made.remote_incident()
    made.pass_time(minutes=0.1)
    local_id = made.fetched_once()
    texts = []
    for seconds in (0, 1, 3, 10, 30, 60, 120):
        made.pass_time(minutes=seconds / 60)
        texts.append(f"{seconds} s later")
        chat(made.there, remote_id, texts[-1], IN_TAG)
        if seconds in (0, 30):
            made.round()
    made.there.change_incident(remote_id, {"severity": 4}, user="carla")
    made.until_quiet()
    assert made.rounds(3) == []

    assert last_lines(made.here, local_id) == texts
    assert made.here.incident(local_id)["severity"] == 4


@pytest.mark.parametrize("date", DATES.values(), ids=DATES)
def test_incidents_are_fetched_whatever_the_header_says(site: Site, date: str | int | None) -> None:
    """
    Given: a header Date that is wrong.
    When: incidents are created one after another.
    Then: each is fetched once, and changes.
    """
    made = with_date(site, date, "8")
    ids = []
    for number in range(4):
        ids.append(made.remote_incident(name=f"Incident {number}"))
        made.pass_time(minutes=0.5)
        made.fetch()
        made.there.change_incident(ids[-1], {"details": "changed"}, user="carla")
        assert made.rounds(1) == []
    made.until_quiet()

    assert made.mirrored_ids() == ids
    assert [made.here.incident(made.local_id(remote_id))["details"] for remote_id in ids] == ["changed"] * 4


@pytest.mark.parametrize("skew", [-86_400.0, -90.0, 90.0, 86_400.0])
@pytest.mark.parametrize("date", [None, 90, -90])
def test_a_clock_and_a_header_that_are_both_wrong(site: Site, date: int | None, skew: float) -> None:
    """
    Given: a remote clock that is off, and a header that is off from it.
    When: entries are written.
    Then: all come in, once.
    """
    made = site.mirror("8", "8", date_header=date)
    made.configure(first_fetch="30 days", fetch_incident_history=False)
    made.clock.offset_seconds = skew
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    texts = [f"entry {number}" for number in range(5)]
    for text in texts:
        chat(made.there, remote_id, text, IN_TAG)
        assert made.rounds(1, minutes=20 / 60) == []
    made.until_quiet()

    assert last_lines(made.here, local_id) == texts


def linked(made: Mirror, remote_id: str) -> str:
    """Create a local incident that is linked by hand to a remote one; return its id."""
    link = {"dbotMirrorInstance": INSTANCE, "dbotMirrorDirection": "Both", "dbotMirrorId": remote_id, "dbotMirrorTags": [OUT_TAG]}
    local = made.here.create_incident({"name": "linked", "type": "Phishing", **link}, user="hanna")
    assert local is not None
    return str(local["id"])


def first_pull(made: Mirror, remote_id: str) -> None:
    """Let a linked incident be pulled for the first time, without what was written before."""
    made.there.change_incident(remote_id, {"severity": 3}, user="carla")
    made.pass_time(minutes=1)
    made.round()


@pytest.mark.parametrize("date", [None, 90, -90])
@pytest.mark.parametrize("skew", [-90.0, 90.0])
def test_a_linked_incident_whose_tenant_has_another_clock(site: Site, skew: float, date: int | None) -> None:
    """
    Given: a remote clock that is off, and an incident linked by hand.
    When: entries are written.
    Then: all come in, once.
    """
    made = site.mirror("8", "8", date_header=date)
    made.configure(query="name:none")
    made.clock.offset_seconds = skew
    remote_id = made.remote_incident()
    local_id = linked(made, remote_id)
    first_pull(made, remote_id)
    texts = [f"entry {number}" for number in range(5)]
    for text in texts:
        chat(made.there, remote_id, text, IN_TAG)
        assert made.rounds(1, minutes=20 / 60) == []
    made.until_quiet()

    assert last_lines(made.here, local_id) == texts


@pytest.mark.parametrize("date", [90, 5, -90, None])
def test_a_resync_without_earlier_entries_whatever_the_header_says(site: Site, date: int | None) -> None:
    """
    Given: a header Date that is wrong.
    When: a linked incident is resynced without entries.
    Then: what follows comes in, once.
    """
    made = site.mirror("8", "8", date_header=date)
    made.configure(query="name:none")
    remote_id = made.remote_incident()
    chat(made.there, remote_id, "before", IN_TAG)
    local_id = linked(made, remote_id)
    made.pass_time(minutes=10)
    made.there.change_incident(remote_id, {"severity": 3}, user="carla")
    made.pass_time(minutes=1)
    run = made.host.run(INSTANCE, "xsoar-mirror-resync", {"id": remote_id, "entries": "false"}, incident_id=local_id)
    assert run.ok, run.error
    (said,) = last_lines(made.here, local_id)
    texts = [f"entry {number}" for number in range(4)]
    for text in texts:
        chat(made.there, remote_id, text, IN_TAG)
        assert made.rounds(1, minutes=20 / 60) == []
    made.until_quiet()

    assert last_lines(made.here, local_id) == [said, *texts]


# A last run that is foreign, or gone


FOREIGN: dict[str, dict[str, Any]] = {
    "the integration before": {"last_fetch": hours_ago(1), "last_fetched_incidents": ["1", "2"]},
    "the integration before, an epoch": {
        "last_fetch": int((datetime.now(UTC) - timedelta(hours=1)).timestamp() * 1000),
        "last_fetched_incidents": ["1", "2"],
    },
    "the integration before, nothing fetched": {"last_fetch": hours_ago(1), "last_fetched_incidents": []},
    "a look-back of other integrations": {"time": hours_ago(1), "limit": 50, "found_incident_ids": {"1": 0, "2": 0}},
    "a garbled time": {"last_fetch": "garbage", "last_fetched_incidents": ["1", "2"]},
    "what nobody knows": {"foo": 1},
}


@pytest.mark.parametrize("last_run", FOREIGN.values(), ids=FOREIGN)
def test_a_last_run_of_another_integration(site: Site, last_run: dict[str, Any]) -> None:
    """
    Given: the last run of another integration, under whose name two incidents are here, and a new incident there.
    When: a fetch runs.
    Then: the two are not fetched again: only the new one comes, or nothing and a sentence about the last run.
    """
    made = site.mirror("8", "8")
    made.configure()
    for hours in (60, 30):
        made.remote_incident(name="old", created=hours_ago(hours))
    new = made.remote_incident(name="new")
    made.host.set_last_run(INSTANCE, last_run)
    run = made.host.fetch(INSTANCE)

    if run.ok:
        assert made.mirrored_ids() == [new]
        assert made.fetch_all() == []
    else:
        assert made.mirrored_ids() == []
        assert "last run" in run.error.splitlines()[-1].lower()


def test_after_a_refused_last_run_a_reset_helps(site: Site) -> None:
    """
    Given: a last run that nobody knows.
    When: it is reset, as the sentence may say.
    Then: incidents are fetched, each once.
    """
    made = site.mirror("8", "8")
    made.configure()
    made.host.set_last_run(INSTANCE, {"foo": 1})
    made.host.fetch(INSTANCE)
    made.host.reset_last_run(INSTANCE)
    remote_id = made.remote_incident()
    made.fetch_all()

    assert made.mirrored_ids() == [remote_id]


@pytest.mark.parametrize("version", ["6", "8"])
def test_a_last_run_that_is_gone(site: Site, version: str) -> None:
    """
    Given: incidents that were fetched and are quiet.
    When: the last run is gone after the next fetch.
    Then: none comes twice.
    """
    made = site.mirror("8", version)
    made.configure()
    ids = [made.remote_incident(name=f"Incident {number}") for number in range(5)]
    assert len(made.fetch()) == 5
    assert made.fetch() == []
    made.host.reset_last_run(INSTANCE)
    made.fetch_all()

    assert made.mirrored_ids() == ids
    new = made.remote_incident(name="new")
    made.fetch_all()
    assert made.mirrored_ids() == [*ids, new]


def test_a_last_run_that_is_gone_again_and_again(site: Site) -> None:
    """
    Given: a server that keeps no last run.
    When: new incidents come between fetches.
    Then: each comes once.
    """
    made = site.mirror("8", "8")
    made.configure()
    ids = []
    for number in range(4):
        ids.append(made.remote_incident(name=f"Incident {number}"))
        made.fetch()
        made.pass_time(minutes=1)
        made.fetch()
        made.host.mirror(INSTANCE)
        made.host.reset_last_run(INSTANCE)
    made.fetch_all()

    assert made.mirrored_ids() == ids


# Created from here


@pytest.mark.parametrize("source_brand", ["as_sent", "by_label"])
@pytest.mark.parametrize("created_answer", ["incident", "empty", "no_id"])
def test_what_was_created_from_here_is_not_fetched(site: Site, created_answer: str, source_brand: str) -> None:
    """
    Given: that incidents of this integration are fetched too.
    When: one is created from here.
    Then: it is not fetched.
    """
    made = site.mirror("8", "8", created_answer=created_answer, source_brand=source_brand)
    made.configure(disable_from_same_integration=False)
    other = made.remote_incident(name="theirs")
    made.fetch_all()
    mirroring = {"dbotMirrorInstance": INSTANCE, "dbotMirrorDirection": "Both", "dbotMirrorTags": [OUT_TAG]}
    created = made.here.create_incident({"name": "from here", **mirroring}, user="hanna")
    assert created is not None
    for _ in range(4):
        made.pass_time(minutes=1)
        made.host.mirror(INSTANCE)
        made.fetch()
    remote_id = made.here.incident(created["id"])["dbotMirrorId"]
    made.there.change_incident(remote_id, {"severity": 4}, user="carla")
    made.until_quiet()
    made.fetch_all()

    assert made.mirrored_ids() == sorted([other, remote_id], key=int)
    assert made.here.incident(created["id"])["severity"] == 4


def test_what_was_created_from_here_is_not_fetched_when_the_last_run_is_gone(site: Site) -> None:
    """
    Given: an incident created from here.
    When: the last run is gone and all of this integration is fetched.
    Then: it is not.
    """
    made = site.mirror("8", "8")
    made.configure()
    created_id = made.created_from_here()
    made.fetch_all()
    made.configure(disable_from_same_integration=False)
    made.host.reset_last_run(INSTANCE)
    made.fetch_all()

    assert made.mirrored_ids() == [made.here.incident(created_id)["dbotMirrorId"]]


def test_what_was_linked_by_hand_is_not_fetched(site: Site) -> None:
    """
    Given: a remote incident that a local one was linked to by hand.
    When: all is fetched.
    Then: it is not fetched again.
    """
    made = site.mirror("8", "8")
    made.configure(query="name:none")
    remote_id = made.remote_incident(name="theirs")
    linked(made, remote_id)
    first_pull(made, remote_id)
    made.configure()
    made.host.reset_last_run(INSTANCE)
    made.fetch_all()

    assert made.mirrored_ids() == [remote_id]


def test_what_another_instance_created_there_is_fetched(site: Site) -> None:
    """
    Given: a switch that lets incidents of this integration in.
    When: one came there from a third tenant.
    Then: it is fetched.
    """
    made = site.mirror("8", "8")
    made.configure(disable_from_same_integration=False)
    labels = [{"type": "Instance", "value": "third"}, {"type": "Brand", "value": "XSOAR Mirroring"}]
    remote_id = made.remote_incident(sourceBrand="XSOAR Mirroring", sourceInstance="third", labels=labels)
    made.fetch_all()

    assert made.mirrored_ids() == [remote_id]
