"""Tests of the census, of xsoar-mirror-reconcile, and of a resync that brings again what was brought."""

import json
from datetime import timedelta
from typing import Any

import pytest

import XSOARMirroring as script
from stand_ins import (
    Remote,
    Server,
    change_memory,
    contents,
    last_line,
    local_entry,
    modified,
    pushed,
    record_of,
    records_of,
    remember,
    status,
    store_of,
)

NOW_MS = script.parse_ms("2026-03-01T12:00:00Z", 0)
EARLIER, EARLY, LATELY = "2026-03-01T09:00:00Z", "2026-03-01T10:00:00.123Z", "2026-03-01T11:59:00Z"
KNOWN = script.Record(created_ms=script.parse_ms(EARLIER, 0), met=True, modified=EARLY, status=1, given=1, since_ms=0)


def found(**fields: Any) -> script.Incident:
    """Return a remote incident as a search gives it."""
    return script.Incident.of({"id": "1", "created": EARLIER, "modified": EARLY, "status": 1, **fields})


@pytest.mark.parametrize(
    ("incident", "kind"),
    [
        pytest.param(found(), "", id="in step"),
        pytest.param(found(modified="2026-03-01T10:00:00.123456789Z"), "", id="in a finer precision"),
        pytest.param(found(modified=None), "", id="does not say when it changed"),
        pytest.param(found(modified="2026-03-01T10:00:00.124Z"), "changed", id="changed"),
        pytest.param(found(modified="soon"), "changed", id="another text for the time"),
        pytest.param(found(status=0), "changed", id="status"),
        pytest.param(found(modified="2026-03-01T09:30:00Z"), "restored", id="an older state"),
        pytest.param(found(status=2), "closed", id="closed"),
        pytest.param(found(status=None), "", id="does not say its status"),
        pytest.param(found(modified=LATELY, status=2), "", id="just changed"),
        pytest.param(found(created=LATELY, modified=LATELY), "stranger", id="stranger"),
        pytest.param(None, "gone", id="gone"),
    ],
)
def test_how_a_remote_incident_differs_from_its_record(incident: script.Incident | None, kind: str) -> None:
    """Given what a search gave of an incident; When it is compared with its record; Then it is named how they differ."""
    assert script.drift(KNOWN, incident, NOW_MS) == kind


@pytest.mark.parametrize(
    ("record", "incident", "kind"),
    [
        (KNOWN._replace(status=2), found(), "reopened"),
        (KNOWN._replace(status=3), found(status=2, modified="2026-03-01T11:00:00Z"), "changed"),
        (KNOWN._replace(status=None), found(), ""),
        # The search may not show yet what a pull has read.
        (KNOWN._replace(modified=LATELY, status=2), found(), ""),
        (KNOWN._replace(created_ms=script.parse_ms(LATELY, 0)), None, ""),
        (KNOWN._replace(created_ms=0), None, "gone"),
        (KNOWN._replace(modified=""), found(), "changed"),
    ],
)
def test_how_a_record_differs_from_its_remote_incident(
    record: script.Record, incident: script.Incident | None, kind: str
) -> None:
    """Given a record; When it is compared with what a search gave; Then it is named how they differ."""
    assert script.drift(record, incident, NOW_MS) == kind


# The census


def tracked(server: Server, remote: Remote, clock: Any, count: int) -> None:
    """Let so many incidents be mirrored for an hour, in step; the census is due with the next round."""
    for number in range(1, count + 1):
        remote.add(str(number), CustomFields={})
    server.params["tags"] = ""
    remember(
        server,
        {
            key: KNOWN._replace(created_ms=script.parse_ms(incident["created"], 0), modified=incident["modified"])
            for key, incident in remote.incidents.items()
        },
    )
    modified(server)
    clock.tick(timedelta(minutes=61))
    remote.calls.clear()


def by_id(remote: Remote) -> list[list[str]]:
    """Return the IDs that each search of a census asked for."""
    return [body["filter"]["id"] for body in remote.bodies("POST /incidents/search") if "id" in body["filter"]]


def rounds(server: Server, remote: Remote, clock: Any, count: int) -> list[list[str]]:
    """Run rounds a minute apart, each with the pulls that it lists; return what each listed."""
    listed = []
    for _ in range(count):
        listed.append(modified(server))
        for incident_id in listed[-1]:
            server.pull(incident_id)
        clock.tick(timedelta(minutes=1))
    return listed


def test_the_census_lists_what_differs_and_nothing_else(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: incidents of which one each was deleted, closed, reopened and changed without a sign, one is another, one was closed
        and deleted, and one is stopped.
    When: the hour has passed.
    Then: those that a pull helps are listed and pulled, once.
    """
    tracked(server, remote, clock, 12)
    remember(server, {key: record_of(server, key)._replace(status=2, given=2) for key in ("3", "8", "9")})
    for key in ("8", "9"):
        remote.incidents[key]["status"] = 2
    del remote.incidents["1"], remote.incidents["9"], remote.incidents["7"]
    remote.incidents["2"]["status"] = 2
    remote.incidents["4"]["modified"] = "2026-03-01T12:30:00Z"
    remote.incidents["5"]["created"] = "2026-02-01T12:30:00Z"
    remember(server, {"7": record_of(server, "7")._replace(is_stopped=True)})
    server.last_mirror_run["time"] = server.last_mirror_run["since"] = "2026-03-01T12:59:00Z"

    assert rounds(server, remote, clock, 3) == [["1", "2", "3", "4", "5"], [], []]


def test_the_census_goes_on_where_it_stopped(server: Server, remote: Remote, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: more incidents than a round compares.
    When: rounds run for an hour.
    Then: each incident is asked for once; the next hour begins anew.
    """
    monkeypatch.setattr(script, "CENSUS_RECORDS", 10)
    monkeypatch.setattr(script, "CENSUS_CALLS", 2)
    tracked(server, remote, clock, 100)

    assert not any(rounds(server, remote, clock, 20))
    assert len(by_id(remote)) > 2
    assert sorted(key for asked in by_id(remote) for key in asked) == sorted(remote.incidents)
    clock.tick(timedelta(minutes=41))
    rounds(server, remote, clock, 1)
    assert sorted(key for asked in by_id(remote) for key in asked) != sorted(remote.incidents)


def test_many_that_are_gone_do_not_wait_an_hour(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: 130 incidents, all of them deleted there.
    When: three rounds run.
    Then: all are listed, each once and no more than 50 in a round.
    """
    tracked(server, remote, clock, 130)
    remote.incidents.clear()

    listed = rounds(server, remote, clock, 4)

    assert [len(ids) for ids in listed] == [50, 50, 30, 0]
    assert len({key for ids in listed for key in ids}) == 130


def test_a_quota_stops_the_census_and_nothing_else(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: a remote that refuses the search of the census with 429, and an incident that is gone.
    When: rounds run.
    Then: they succeed, and the census goes on when calls are allowed again.
    """
    tracked(server, remote, clock, 3)
    del remote.incidents["2"]
    remote.fail("POST /incidents/search", skip=1, times=1, status_code=429, headers={"Retry-After": "60"})

    assert rounds(server, remote, clock, 3) == [[], ["2"], []]


def test_the_census_does_not_search_once_a_limit_was_met(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: a remote that refuses a look into a War Room with 429.
    When: a round runs in which a census is due.
    Then: it does not search.
    """
    tracked(server, remote, clock, 3)
    server.params["tags"] = "share"
    remote.fail("POST /investigation", times=9, status_code=429, headers={"Retry-After": "60"})

    assert modified(server) == []
    assert by_id(remote) == []


def test_the_census_skips_none_when_incidents_are_forgotten(
    server: Server, remote: Remote, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Given: many incidents that changed, so that a census lists a part of its first portion, and some are forgotten then.
    When: rounds run.
    Then: each that is still tracked is listed.
    """
    monkeypatch.setattr(script, "CENSUS_RECORDS", 20)
    monkeypatch.setattr(script, "MOST_DRIFTED", 10)
    tracked(server, remote, clock, 60)
    server.last_mirror_run["time"] = server.last_mirror_run["since"] = "2026-03-01T12:59:00Z"
    for incident in remote.incidents.values():
        incident["modified"] = "2026-03-01T12:30:00Z"

    (first,) = rounds(server, remote, clock, 1)
    store = store_of(server)
    gone = [key for key in store.portion(0, 20)[0] if key not in first][:6]
    server.context = json.dumps(store.with_records({}, gone=gone).context)
    listed = [key for ids in [first, *rounds(server, remote, clock, 8)] for key in ids]

    assert sorted([*listed, *gone]) == sorted(remote.incidents)


def test_a_round_lists_no_more_than_its_share_of_what_a_census_finds(
    server: Server, remote: Remote, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Given: eight changed incidents in the first portion of a census and eight behind it, where a round lists ten.
    When: two rounds run.
    Then: the first lists ten and the second the other six.
    """
    monkeypatch.setattr(script, "CENSUS_RECORDS", 20)
    monkeypatch.setattr(script, "MOST_DRIFTED", 10)
    tracked(server, remote, clock, 60)
    server.last_mirror_run["time"] = server.last_mirror_run["since"] = "2026-03-01T12:59:00Z"
    first = [*store_of(server).portion(0, 20)[0]]
    changed = [*first[:8], *[key for key in remote.incidents if key not in first][:8]]
    for key in changed:
        remote.incidents[key]["modified"] = "2026-03-01T12:30:00Z"

    listed = rounds(server, remote, clock, 2)

    assert [len(ids) for ids in listed] == [10, 6]
    assert sorted(key for ids in listed for key in ids) == sorted(changed)


def test_a_slow_census_ends_before_the_server_ends_the_round(
    server: Server, remote: Remote, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Given: a remote that is slow and gives one incident a page, and an incident that changed.
    When: a round with a census has out of time.
    Then: it asks no more and lists what changed.
    """
    tracked(server, remote, clock, 30)
    server.last_mirror_run["time"] = server.last_mirror_run["since"] = "2026-03-01T12:59:00Z"
    remote.change("2", details="new")
    remote.search_limit = 1
    monkeypatch.setattr(script.Client, "is_late", lambda client: client.calls >= 6)

    assert modified(server) == ["2"]
    assert len(remote.calls) == 6


def test_the_census_sees_incidents_whose_war_room_cannot_be_read(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: two incidents whose War Rooms the key may not see, so that they are tried again after ever longer pauses; one is closed
        and one deleted without a sign.
    When: an hour has passed.
    Then: both are listed, once.
    """
    tracked(server, remote, clock, 3)
    server.params["tags"] = "share"
    remote.fail("POST /investigation", times=999, status_code=403, json={"error": "forbidden"})
    server.last_mirror_run["census"] = remote.now()
    for _ in range(4):
        for key in ("1", "2"):
            server.pull(key)
    remote.incidents["1"]["status"] = 2
    del remote.incidents["2"]
    clock.tick(timedelta(minutes=61))
    server.last_mirror_run["time"] = server.last_mirror_run["since"] = remote.now()

    assert rounds(server, remote, clock, 3) == [["1", "2"], [], []]
    assert (record_of(server, "1").given, "404" in record_of(server, "2").in_error) == (2, True)


@pytest.mark.parametrize("way", ["ignores the filter", "refuses the filter", "caps pages"])
def test_a_remote_that_searches_otherwise_tells_nothing_wrong(server: Server, remote: Remote, clock: Any, way: str) -> None:
    """
    Given: a remote that ignores or refuses a search by ID, or gives two incidents a page.
    When: an hour has passed.
    Then: no incident is listed.
    """
    tracked(server, remote, clock, 7)
    remote.search_limit = 2 if way == "caps pages" else 5
    if way == "ignores the filter":
        remote.add("99")
        server.ok("get-modified-remote-data", lastUpdate=remote.now())
        clock.tick(timedelta(minutes=61))
        remote.before_answer = lambda call: (call.body or {}).get("filter", {}).pop("id", None)
    elif way == "refuses the filter":
        remote.fail("POST /incidents/search", skip=1, times=1, status_code=400, json={"error": "no"})

    assert "99" not in records_of(server)
    assert [key for ids in rounds(server, remote, clock, 2) for key in ids if key != "99"] == []


# xsoar-mirror-reconcile


def reconcile(server: Server, **args: Any) -> tuple[dict[str, Any], dict[str, list[str]], str]:
    """Run xsoar-mirror-reconcile; return its summary, the kinds of drift by incident, and what it shows."""
    result = server.ok("xsoar-mirror-reconcile", **args)
    context = {path.partition("(")[0]: value for path, value in result["EntryContext"].items()}
    kinds = {row["id"]: row["kinds"] for row in context["XSOAR.Mirror.Drift"]}
    return context["XSOAR.Mirror.Reconcile"], kinds, result["HumanReadable"]


def test_reconcile_writes_nothing_unless_it_repairs(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: an incident whose closing was missed.
    When: it is reconciled, without repair and with it.
    Then: only the latter has the next round list it.
    """
    tracked(server, remote, clock, 3)
    server.last_mirror_run["census"] = remote.now()
    remote.incidents["2"]["status"] = 2
    version = server.context_version

    _, kinds, shown = reconcile(server)
    assert (kinds, server.context_version, "repair=true" in shown) == ({"2": ["closed"]}, version, True)
    assert "xsoar-mirror-diff" in shown
    assert remote.writes() == []
    assert modified(server) == []
    assert reconcile(server, repair="true")[1] == kinds
    assert rounds(server, remote, clock, 2) == [["2"], []]
    assert reconcile(server)[1] == {}


@pytest.mark.parametrize(
    ("args", "looked_at", "left"),
    [
        ({}, ["1", "2", "4"], 0),
        ({"scope": "all"}, ["1", "2", "3", "4"], 0),
        ({"max": "2"}, ["1", "2"], 1),
        ({"after": "2"}, ["4"], 0),
        ({"max": "1", "after": "1"}, ["2"], 1),
    ],
)
def test_reconcile_looks_at_what_it_is_asked_for(
    server: Server, remote: Remote, clock: Any, args: dict[str, str], looked_at: list[str], left: int
) -> None:
    """
    Given: five incidents, one of them closed and one stopped, all gone there.
    When: they are reconciled in a scope, or so many of them.
    Then: these are named, and how many were not looked at.
    """
    tracked(server, remote, clock, 5)
    records = records_of(server)
    remember(server, {"3": records["3"]._replace(status=2), "5": records["5"]._replace(is_stopped=True)})
    remote.incidents.clear()

    summary, kinds, shown = reconcile(server, **args)

    assert kinds == {key: ["gone"] for key in looked_at}
    assert (summary["LookedAt"], summary["NotLookedAt"], summary["Differ"]) == (len(looked_at), left, len(looked_at))
    assert (f"after={looked_at[-1]}" in shown) is bool(left)


@pytest.mark.parametrize(("args", "ids"), [({}, ["1"]), ({"scope": "all"}, ["1", "2"]), ({"after": "1"}, [])])
def test_reconcile_gives_a_script_the_ids_that_must_be_here(
    server: Server, remote: Remote, clock: Any, args: dict[str, str], ids: list[str]
) -> None:
    """
    Given: an open and a closed incident that local ones mirror; one that is stopped, one whose fetch may have been killed, two
        of which something came in or went out just now, and one whose creation from here is under way.
    When: they are reconciled in a scope.
    Then: the raw response gives the first two, as far as they are compared.
    """
    tracked(server, remote, clock, 7)
    now_ms, records = script.parse_ms(remote.now(), 0), records_of(server)
    changes: dict[str, dict[str, Any]] = {
        "2": {"status": 2},
        "3": {"is_stopped": True},
        "4": {"met": False, "origin": script.FETCHED},
        "5": {"in_ms": now_ms - 60_000},
        "6": {"out_ms": now_ms - 60_000},
    }
    remember(server, {key: records[key]._replace(**fields) for key, fields in changes.items()})
    change_memory(server, creating={"local 7": "7"})

    result = server.ok("xsoar-mirror-reconcile", **args)

    assert result["Contents"] == {"known_here": ids}


def test_what_was_fetched_must_be_here_after_the_next_fetch(server: Server, remote: Remote, clock: Any) -> None:
    """Given a fetched incident; When it is reconciled before and after the next fetch; Then only the latter gives its ID."""
    remote.add("1")
    server.fetch()
    clock.tick(timedelta(minutes=10))
    before = server.ok("xsoar-mirror-reconcile")["Contents"]
    server.fetch()

    assert (before, server.ok("xsoar-mirror-reconcile")["Contents"]) == ({"known_here": []}, {"known_here": ["1"]})


def test_reconcile_names_what_the_records_hold(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: records of a file that could not be read, of one that a note stands for, and of changes that could not go out.
    When: they are reconciled.
    Then: each is named with what is to be done; a pull is no remedy for all of them.
    """
    tracked(server, remote, clock, 4)
    missing = {"5@1": "1"}
    records = records_of(server)
    ledgers = (script.Ledger(missing=missing), script.Ledger(missing=missing, seen={"5@1": "xx1234"}))
    remember(server, {key: records[key]._replace(ledger=ledger) for key, ledger in zip("12", ledgers, strict=True)})
    remember(
        server,
        {"3": records["3"]._replace(unsent={"x": 1}), "4": records["4"]._replace(ledger=script.Ledger(trying={"closing": ""}))},
    )

    _, kinds, _ = reconcile(server, repair="true")

    assert kinds == {"1": ["file missing"], "2": ["file given up"], "3": ["unsent"], "4": ["unsent"]}
    assert modified(server) == ["1"]


def test_reconcile_names_entries_by_their_ids(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: an edited entry whose file is missing, and an attachment that no entry holds, which is known by its file's name.
    When: their incident is reconciled.
    Then: the entry is named by its ID and the number of its edit, the attachment without its name.
    """
    tracked(server, remote, clock, 1)
    ledger = script.Ledger(missing={"5@1#1.abcdef": "1", "attachment Layoffs.pdf": "1"})
    remember(server, {"1": record_of(server, "1")._replace(ledger=ledger, owes_files=True)})

    result = server.ok("xsoar-mirror-reconcile")

    (row,) = next(rows for path, rows in result["EntryContext"].items() if "Drift" in path)
    assert sorted(row["entries"]) == ["5@1#1", "attachment"]
    assert "Layoffs" not in str(result)


def test_a_repair_shows_no_error_where_a_closed_incident_was_cleared_away(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: an open and a closed incident that are gone there.
    When: they are reconciled with repair.
    Then: both are named, and only the open one is pulled, to show the error.
    """
    tracked(server, remote, clock, 3)
    server.last_mirror_run["census"] = remote.now()
    remember(server, {"2": record_of(server, "2")._replace(status=2, given=2)})
    del remote.incidents["1"], remote.incidents["2"]

    assert reconcile(server, scope="all", repair="true")[1] == {"1": ["gone"], "2": ["gone"]}

    assert rounds(server, remote, clock, 2) == [["1"], []]


@pytest.mark.parametrize("entries", ["false", "true"])
def test_reconcile_stops_in_time(
    server: Server, remote: Remote, clock: Any, monkeypatch: pytest.MonkeyPatch, entries: str
) -> None:
    """
    Given: a run that is late after the first portion, or after the first War Room.
    When: incidents are reconciled.
    Then: it says where to go on, and that goes on there.
    """
    tracked(server, remote, clock, 4)
    server.params["tags"] = "share"
    monkeypatch.setattr(script, "SEARCH_PAGE", 4 if entries == "true" else 1)
    most = 2
    monkeypatch.setattr(script.Client, "is_late", lambda client: client.calls >= most)

    summary, kinds, shown = reconcile(server, entries=entries)
    most = 99
    after = shown.partition("after=")[2].partition(".")[0]

    assert (kinds, 0 < summary["LookedAt"] < 4, summary["LookedAt"] + summary["NotLookedAt"]) == ({}, True, 4)
    assert reconcile(server, entries=entries, after=after)[0]["LookedAt"] == summary["NotLookedAt"]


def test_what_is_pulled_during_a_long_run_is_no_drift(
    server: Server, remote: Remote, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Given: an incident that was changed, and one that was written into, just before a run that takes minutes.
    When: they are pulled while the run looks at others.
    Then: neither is named.
    """
    tracked(server, remote, clock, 4)
    server.params["tags"] = "share"
    monkeypatch.setattr(script, "SEARCH_PAGE", 2)
    remote.change("3", details="new")
    remote.entry_moves_modified = False
    remote.write("4", "new")

    def pull_meanwhile(call: Any) -> None:
        if remote.calls == [call]:
            records = records_of(server)
            remember(server, {"3": records["3"]._replace(modified=remote.incidents["3"]["modified"])})
            remember(server, {"4": records["4"]._replace(ledger=script.Ledger(seen={"1@4": "AA"}))})
        clock.tick(timedelta(seconds=45))

    remote.before_answer = pull_meanwhile

    assert reconcile(server, entries="all")[1] == {}


@pytest.mark.parametrize("offset", [240, -240])
def test_what_the_next_round_brings_is_no_drift_by_any_header(server: Server, remote: Remote, clock: Any, offset: int) -> None:
    """
    Given: a remote whose header Date is four minutes off, an incident that changed a moment ago, and another one an hour ago.
    When: they are reconciled.
    Then: the other one is named alone.
    """
    tracked(server, remote, clock, 4)
    server.params["tags"] = "share"
    remote.date_offset = timedelta(seconds=offset)
    remote.incidents["1"]["modified"] = "2026-03-01T12:05:00Z"
    remote.change("2", details="new")
    remote.entry_moves_modified = False
    remote.write("3", "new")
    clock.tick(timedelta(seconds=10))

    assert reconcile(server, entries="all")[1] == {"1": ["changed"]}


def test_reconcile_under_a_limit_of_calls(server: Server, remote: Remote, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: a remote that refuses calls after the first portion, or at once.
    When: incidents are reconciled.
    Then: it says what it has not looked at and why, or fails with that sentence.
    """
    tracked(server, remote, clock, 4)
    monkeypatch.setattr(script, "SEARCH_PAGE", 2)
    remote.fail("POST /incidents/search", skip=1, times=1, status_code=429, headers={"Retry-After": "60"})
    summary, _, shown = reconcile(server)
    assert (summary["LookedAt"], summary["NotLookedAt"]) == (2, 2)
    assert "rate limit" in shown
    remote.fail("POST /incidents/search", times=1, status_code=429, headers={"Retry-After": "60"})
    assert "rate limit" in server.fails("xsoar-mirror-reconcile")


def test_a_remote_that_does_not_search_by_id_cannot_be_reconciled(server: Server, remote: Remote, clock: Any) -> None:
    """Given a remote that ignores the IDs; When incidents are reconciled; Then it says so and names none."""
    tracked(server, remote, clock, 2)
    remote.add("99")
    remote.before_answer = lambda call: (call.body or {}).get("filter", {}).pop("id", None)

    remote.search_limit = 1
    remote.incidents = dict(reversed(remote.incidents.items()))

    assert "ignores a search by ID" in server.fails("xsoar-mirror-reconcile")


def test_nothing_is_reconciled_while_mirroring_is_paused(server: Server, remote: Remote, clock: Any) -> None:
    """Given a paused instance; When it is reconciled; Then it says that it is paused, and asks nothing."""
    tracked(server, remote, clock, 2)
    server.ok("xsoar-mirror-pause", until="2 hours")

    assert "is paused until" in server.fails("xsoar-mirror-reconcile", repair="true")
    assert remote.calls == []


def test_what_does_not_come_in_by_direction_is_no_drift(server: Server, remote: Remote, clock: Any) -> None:
    """Given an instance that only sends; When incidents are reconciled; Then changes there are not named, one that is gone is."""
    tracked(server, remote, clock, 3)
    server.params["mirror_direction"] = "Outgoing"
    remote.incidents["1"]["modified"] = "2026-03-01T12:30:00Z"
    del remote.incidents["2"]

    assert reconcile(server)[1] == {"2": ["gone"]}


def test_a_repair_waits_for_no_pull_where_nothing_comes_in(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: an instance that only sends, and an incident that is gone there.
    When: it is reconciled with repair, and days pass.
    Then: it is named and nothing counts as repaired or pending: the server pulls nothing.
    """
    tracked(server, remote, clock, 2)
    server.params["mirror_direction"] = "Outgoing"
    del remote.incidents["2"]

    result = server.ok("xsoar-mirror-reconcile", repair="true")
    clock.tick(timedelta(days=3))

    (row,) = next(rows for path, rows in result["EntryContext"].items() if "Drift" in path)
    assert (row["kinds"], row["repaired"]) == (["gone"], False)
    assert "repair=true" not in reconcile(server)[2]
    assert (status(server)["IncidentsPending"], status(server)["OldestPendingSeconds"]) == (0, 0)


def test_a_war_room_that_cannot_be_read_is_named(server: Server, remote: Remote, clock: Any) -> None:
    """Given a War Room that the key may not see; When entries are compared; Then that is said, and the others are compared."""
    tracked(server, remote, clock, 3)
    server.params["tags"] = "share"
    remote.write("3", "unseen", created="2026-03-01T12:10:00Z", modified="2026-03-01T12:10:00Z")
    remote.fail("POST /investigation/2", times=9, status_code=403, json={"error": "forbidden"})

    assert reconcile(server, entries="true")[1] == {"2": ["War Room unread"], "3": ["entry missing"]}


def test_an_entry_from_here_that_is_lost_there_is_named_where_no_entry_comes_in(
    server: Server, remote: Remote, mirrored: str, clock: Any
) -> None:
    """
    Given: an instance without incoming tags; two entries of an incident went out, and one is lost there. No entry of another did.
    When: entries are compared.
    Then: the lost one is named, and no War Room is read into which nothing went.
    """
    server.params["tags"] = ""
    other = remote.add(created="2026-03-01T11:30:00Z")["id"]
    server.fetch()
    pushed(server, mirrored, entries=[local_entry(1, "kept"), local_entry(2, "lost")])
    lost = remote.entries[mirrored].pop()["id"]
    server.pull(mirrored)
    clock.tick(timedelta(minutes=10))
    remote.calls.clear()

    result = server.ok("xsoar-mirror-reconcile", entries="all")

    (row,) = next(rows for path, rows in result["EntryContext"].items() if "Drift" in path)
    assert (row["id"], row["kinds"], row["entries"]) == (mirrored, ["entry lost"], [lost])
    assert remote.asked(f"POST /investigation/{other}") == []


def test_what_did_not_change_needs_no_look_where_entries_move_modified(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: a remote whose entries are known to move `modified`, one incident that changed, and one whose entry moved nothing.
    When: entries are compared, and then all of them.
    Then: the first reads the War Room of the changed incident alone, the second reads each and names both.
    """
    tracked(server, remote, clock, 3)
    server.params["tags"] = "share"
    change_memory(server, entries_move=True)
    remote.write("2", "moves", created="2026-03-01T12:10:00Z", modified="2026-03-01T12:10:00Z")
    remote.incidents["2"]["modified"] = "2026-03-01T12:10:00Z"
    unmoved = remote.incidents["3"]["modified"]
    remote.write("3", "moves nothing", created="2026-03-01T12:10:00Z", modified="2026-03-01T12:10:00Z")
    remote.incidents["3"]["modified"] = unmoved

    _, kinds, _ = reconcile(server, entries="true")
    rooms = [call.route for call in remote.calls if call.route.startswith("POST /investigation")]
    assert (kinds, rooms) == ({"2": ["changed", "entry missing"]}, ["POST /investigation/2"])
    assert reconcile(server, entries="all")[1] == {"2": ["changed", "entry missing"], "3": ["entry missing"]}


# A resync that brings again what was brought


def test_a_resync_brings_again_what_was_brought(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """
    Given: entries that came in, and one that was written from here.
    When: a resync brings entries again, twice.
    Then: those that came in come each time, once; the one from here never does, and no copy goes out before or after it.
    """
    remote.write(mirrored, "one")
    remote.write_file(mirrored, "two.txt", b"two", tags=["share"])
    _, came = server.pull(mirrored)
    assert len(came) == 2
    pushed(server, mirrored, entries=[local_entry(3, "from here")])
    for entry in remote.entries[mirrored]:
        remote.tag(entry, "share")
    server.pull(mirrored)
    copy = local_entry(4, came[0]["Contents"])

    for _ in range(2):
        said = server.ok("xsoar-mirror-resync", id=mirrored, entries="again")["HumanReadable"]
        assert "all earlier entries again" in said
        pushed(server, mirrored, entries=[copy])
        assert modified(server) == [mirrored]
        _, again = server.pull(mirrored)
        assert [last_line(entry) for entry in again[:1]] == contents(came[:1]) == ["one"]
        assert len(again) == 2
        pushed(server, mirrored, entries=[copy])
        assert server.pull(mirrored)[1] == []
    assert len(remote.entries[mirrored]) == 3


def test_no_copy_goes_out_however_it_was_redacted(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an entry that resyncs brought again, redacted since the second time, so that its copies here differ.
    When: a script tags all of them to go out, before and after a third resync.
    Then: none goes out.
    """
    remote.write(mirrored, "call joe@example.com")
    copies = server.pull(mirrored)[1]
    server.params["redact"] = "email"
    for _ in range(3):
        server.ok("xsoar-mirror-resync", id=mirrored, entries="again")
        copies += server.pull(mirrored)[1]
        tagged = [local_entry(number, copy["Contents"]) for number, copy in enumerate(copies, 4)]
        pushed(server, mirrored, entries=tagged)

    assert len(copies) == 4
    assert len({copy["Contents"] for copy in copies}) == 2
    assert len(remote.entries[mirrored]) == 1


def test_no_note_for_a_file_goes_out_after_a_resync(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """
    Given: a file that could not be read, so that a note stands for it here.
    When: a resync brings the file, and a script tags the note to go out.
    Then: the note does not go out.
    """
    remote.write_file(mirrored, "a.txt", b"x", tags=["share"])
    remote.fail("GET /entry/download", status_code=404, json={"error": "no"}, times=script.FILE_TRIES)
    came: list[dict[str, Any]] = []
    for _ in range(script.FILE_TRIES):
        came += server.pull(mirrored)[1]
    server.ok("xsoar-mirror-resync", id=mirrored)
    _, (file,) = server.pull(mirrored)

    pushed(server, mirrored, entries=[local_entry(4, came[0]["Contents"])])

    assert (len(came), file["File"], len(remote.entries[mirrored])) == (1, "a.txt", 1)
