"""Tests of the journal: what crossed, when and how long it took; and of the lag that xsoar-mirror-status tells from it."""

import json
import random
import string
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import XSOARMirroring as script
from stand_ins import (
    Remote,
    Server,
    attach,
    local_entry,
    local_file,
    modified,
    push,
    pushed,
    spoil_memory,
    status,
    store_of,
)

CANARY = "CANARY"  # Stands in every value and text, and in no name of a field.


def journal(server: Server, **args: Any) -> list[dict[str, Any]]:
    """Run xsoar-mirror-journal; return what it puts into the context, the newest first."""
    result = server.ok("xsoar-mirror-journal", **args)
    outputs = result["EntryContext"]["XSOAR.Mirror.Journal(val.Instance && val.Instance == obj.Instance)"]
    crossings: list[dict[str, Any]] = outputs["Crossings"]
    assert all(str(item["Id"]) in result["HumanReadable"] for item in crossings)
    return crossings


def brief(crossings: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return direction, kind, what and outcome of crossings, the oldest first."""
    return [(item["Direction"], item["Kind"], item["What"], item["Outcome"]) for item in reversed(crossings)]


def test_what_comes_in_is_listed(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """
    Given: a mirrored incident that changes, is written into, gets a file and is closed in the remote, a minute before a round.
    When: it is pulled and the journal is asked for.
    Then: each stands there once with its name or ID and its lag of a minute, and a second pull adds nothing.
    """
    remote.change(mirrored, details=CANARY, severity=3)
    text, file = remote.write(mirrored, CANARY), remote.write_file(mirrored, f"{CANARY}.bin", b"x", tags=["share"])
    remote.close(mirrored, notes=CANARY)
    clock.tick(timedelta(minutes=1))
    modified(server)

    server.pull(mirrored)
    server.pull(mirrored)

    found = journal(server, since="30 seconds")
    assert brief(found) == [
        ("in", "fields", "closeNotes, closeReason, details, severity", "crossed"),
        ("in", "close", "", "crossed"),
        ("in", "entry", text["id"], "crossed"),
        ("in", "file", file["id"], "crossed"),
    ]
    assert {item["LagSeconds"] for item in found} <= {59, 60}
    assert {item["Time"][:19] for item in found} == {"2026-03-01T12:02:00"}
    assert CANARY not in json.dumps(journal(server, limit=2000))


def test_what_goes_out_is_listed(server: Server, remote: Remote, mirrored: str, clock: Any, tmp_path: Path) -> None:
    """
    Given: local changes, entries and a closing, made a minute ago.
    When: they go out, and the server sends the same again.
    Then: each is listed once, with its lag.
    """
    now = remote.now()
    clock.tick(timedelta(minutes=1))
    update: dict[str, Any] = {
        "data": {"id": "77", "modified": now, "closeNotes": CANARY},
        "delta": {"details": CANARY, "severity": 3},
        "entries": [
            local_entry(1, CANARY, created=now, modified=now),
            local_file(server, tmp_path, 2, b"x", created=now, modified=now),
        ],
        "status": 2,
    }

    pushed(server, mirrored, **update)
    pushed(server, mirrored, **update)

    found = journal(server, direction="out")
    assert brief(found) == [
        ("out", "fields", "details, severity", "crossed"),
        ("out", "entry", "1@77", "crossed"),
        ("out", "file", "2@77", "crossed"),
        ("out", "close", "", "crossed"),
    ]
    assert {item["LagSeconds"] for item in found} <= {59, 60}
    assert CANARY not in json.dumps(found)


def test_a_creation_that_is_asked_for_again_is_listed_once(server: Server, remote: Remote) -> None:
    """Given a creation that is on record and that the server asks for again; When it is found there; Then it is listed once."""
    made = pushed(server, "", data={"id": "5", "name": "from here"})
    spoil_memory(server, "creating", {})

    assert pushed(server, "", data={"id": "5", "name": "from here"}) == made

    assert [kind for _, kind, _, _ in brief(journal(server, direction="out"))].count("created") == 1


def test_a_closing_from_here_is_no_news_from_there(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """Given an incident that we closed there, with a reason that it lists otherwise; When pulled; Then no field comes in."""
    modified(server)
    server.pull(mirrored)
    before = journal(server, direction="in")
    clock.tick(timedelta(minutes=1))
    pushed(server, mirrored, status=2, data={"closeReason": "Benign", "closeNotes": "A test."})
    clock.tick(timedelta(minutes=1))
    modified(server)

    fields, _ = server.pull(mirrored)

    assert "closeReason" not in fields
    assert journal(server, direction="in") == before


def test_what_is_edited_there_after_a_closing_from_here_comes_in(
    server: Server, remote: Remote, mirrored: str, clock: Any
) -> None:
    """Given an incident that we closed there and whose close notes somebody edited since; When pulled; Then they come in."""
    pushed(server, mirrored, status=2, data={"closeNotes": "A test."})
    clock.tick(timedelta(minutes=1))
    remote.change(mirrored, closeNotes="A test. See 3.")
    modified(server)

    fields, _ = server.pull(mirrored)

    assert fields["closeNotes"] == "A test. See 3."
    assert brief(journal(server, direction="in"))[-1] == ("in", "fields", "closeNotes", "crossed")


def test_creations_and_fetches_are_listed(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: a remote incident with an attachment from before the first fetch, one from after it, and a local one to create.
    When: they cross.
    Then: each is listed, and only what is newer than the first fetch has a lag.
    """
    old = remote.add(created="2026-03-01T11:30:00Z")
    attach(remote, old["id"], f"{CANARY}.bin", b"x")
    clock.tick(timedelta(minutes=1))
    server.fetch()
    remote.add(name=CANARY)
    clock.tick(timedelta(minutes=2))
    server.fetch()
    pushed(server, "", data={"id": "9", "name": CANARY, "modified": "2026-03-01T12:02:30Z"}, delta={"name": CANARY})

    found = journal(server)
    assert [(item["Direction"], item["Kind"]) for item in reversed(found)] == [
        *(("in", "fetched"), ("in", "file"), ("in", "fetched"), ("out", "created")),
    ]
    assert [item["LagSeconds"] is None for item in reversed(found)] == [True, True, False, False]
    assert "name" in found[0]["What"].split(", ")
    assert CANARY not in json.dumps(found)


def test_what_does_not_cross_is_listed_once(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """
    Given: a field that the remote refuses, and the server sends it again and again.
    When: the journal is asked for what was refused.
    Then: it names the field once; and nothing counts as crossed.
    """
    remote.fail("POST /incident$", status_code=400, json={"error": "no"}, times=50)

    for _ in range(3):
        assert push(server, mirrored, delta={"details": CANARY}).error

    assert brief(journal(server, direction="out")) == [("out", "fields", "details", "refused")]
    assert journal(server, outcome="crossed", direction="out") == []


def test_what_is_refused_in_ever_other_words_is_listed_once(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """
    Given: a remote that refuses fields, two entries and the closing, each time with another number in its sentence.
    When: the server tries again and again; then all cross, and a field is refused again.
    Then: each is listed once, and the field once more.
    """
    update: dict[str, Any] = {"delta": {"details": "a"}, "entries": [local_entry(1, "x"), local_entry(2, "y")], "status": 2}
    for number in range(4):
        remote.faults.clear()
        for route in ("POST /incident$", "POST /entry", "POST /incident/close"):
            remote.fail(route, status_code=400, json={"error": f"request {number}"}, times=50)
        assert push(server, mirrored, **update).error
        clock.tick(timedelta(minutes=1))
    refused = [("fields", "details"), ("entry", "1@77"), ("entry", "2@77"), ("close", "")]
    assert [item[1:3] for item in brief(journal(server, outcome="refused"))] == refused

    remote.faults.clear()
    pushed(server, mirrored, **update)
    remote.fail("POST /incident$", status_code=400, json={"error": "no"}, times=50)
    assert push(server, mirrored, delta={"details": "b"}).error
    assert [item[1:3] for item in brief(journal(server, outcome="refused"))] == [*refused, ("fields", "details")]


def test_a_value_that_a_killed_run_wrote_is_listed_once(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a run that wrote a field and was killed before it could note that.
    When: the server sends the change again, twice.
    Then: the field is listed once, as already there.
    """
    remote.change(mirrored, details="here")

    for _ in range(2):
        pushed(server, mirrored, delta={"details": "here"})

    assert brief(journal(server, direction="out")) == [("out", "fields", "details", "already there")]


def test_a_fetch_that_is_killed_is_listed_once(server: Server, remote: Remote) -> None:
    """
    Given: a fetch that is killed after it noted what it brings.
    When: the next fetch brings the same.
    Then: each is listed once.
    """
    attach(remote, remote.add()["id"], "a.bin", b"x")
    last_run = dict(server.last_run)
    server.fetch()
    server.last_run = last_run

    assert len(server.fetch()) == 1

    assert [kind for _, kind, _, _ in brief(journal(server))] == ["fetched", "file"]


def test_concurrent_writes_lose_and_double_nothing(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: another command that journals a crossing of its own just before ours is saved.
    When: an incident is pulled.
    Then: both are listed, each once.
    """
    remote.change(mirrored, details="new")
    other = script.Crossing(script.OUT, "9", "close")
    server.rivals = [lambda context: context.update(script.Store(context).with_crossings([other]).context)]

    server.pull(mirrored)

    assert brief(journal(server))[1:] == [("out", "close", "", "crossed"), ("in", "fields", "details", "crossed")]


def test_the_journal_takes_no_write_of_its_own(
    server: Server, remote: Remote, mirrored: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """
    Given: a day's work in both directions, with refusals.
    When: it is done with and without the journal.
    Then: the integration context is written as often.
    """

    def work() -> int:
        remote.change(mirrored, details=str(random.random()))
        remote.write(mirrored, "text")
        modified(server)
        server.pull(mirrored)
        pushed(server, mirrored, delta={"severity": 2 + work_done % 2}, entries=[local_entry(10 + work_done, "a text")])
        remote.fail("POST /incident$", status_code=400, json={"error": "no"}, times=3)
        for _ in range(3):
            push(server, mirrored, delta={"name": f"a name {work_done}"})
        remote.faults.clear()
        pushed(server, mirrored, delta={"name": f"a name {work_done}"})
        remote.add()
        server.fetch()
        return server.context_version

    counts = []
    for work_done in range(3):
        if work_done == 2:
            monkeypatch.setattr(script.Store, "with_crossings", lambda store, *_, **__: store)
        before = server.context_version
        counts.append(work() - before)

    assert counts[1] == counts[2]


@pytest.mark.parametrize("length", [5, 250])
def test_the_journal_is_bounded(length: int) -> None:
    """
    Given: a full journal, with short or very long names of fields, no two alike.
    When: more crosses.
    Then: it keeps the newest, at most 2,000 and 64 KiB.
    """
    chance = random.Random(1)
    store = script.Store({})
    for _ in range(30):
        crossings = [
            script.Crossing("in", str(number), "fields", "".join(chance.choices(string.ascii_letters, k=length)))
            for number in range(100)
        ]
        store = store.with_crossings(crossings)

    kept = script.Store(store.context).journal
    assert len(store.context[script.JOURNAL_KEY]) <= 64 << 10
    assert len(kept) <= 2000
    assert len(kept) > (1900 if length == 5 else 150)
    assert [row[4] for row in kept[-100:]] == [item.what for item in crossings]


def test_a_busy_journal_holds_two_thousand() -> None:
    """
    Given: 2,000 crossings of entries and fields of several incidents, as a busy day brings them.
    When: they are kept.
    Then: all are, in less than 64 KiB.
    """
    chance = random.Random(2)
    names = [*"abcdefghijklm", "name", "severity", "details", "owner", "phase", "ticket", "affectedhosts", "waterdepth"]
    crossings = []
    for _ in range(2000):
        room, some = str(chance.randrange(10_000, 20_000)), ", ".join(sorted(chance.sample(names, 4)))
        kind, what = chance.choice([("entry", f"{chance.randrange(900)}@{room}"), ("fields", some)])
        since_ms = chance.randrange(1, 10**12)
        crossings.append(script.Crossing(chance.choice(["in", "out"]), room, kind, what, since_ms=since_ms))

    assert len(script.Store({}).with_crossings(crossings, 10**12).journal) == 2000


@pytest.mark.parametrize(
    "kept",
    [
        *(None, 7, "x", "AAAA", script.squeezed([]), script.squeezed({"columns": 5})),
        *(script.squeezed({"columns": rows}) for rows in ([[1], ["in"]], [["x"], *[["in"]] * 6], [[1], *[[5]] * 6])),
    ],
)
def test_a_damaged_journal_begins_anew(kept: Any) -> None:
    """
    Given: a journal that is damaged.
    When: something crosses.
    Then: the journal holds that.
    """
    store = script.Store({script.JOURNAL_KEY: kept}).with_crossings([script.Crossing("in", "1", "close")])

    assert [row[1:4] for row in store.journal] == [["in", "1", "close"]]


def test_the_arguments_narrow_it_down(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: crossings of two incidents in both directions, an hour apart.
    When: the journal is asked for some.
    Then: those come, the newest first, and Total counts those that match beyond the limit.
    """
    remote.add("1")
    remote.add("2")
    server.fetch()
    remote.change("1", details="new")
    server.pull("1")
    clock.tick(timedelta(hours=1))
    pushed(server, "2", delta={"details": "here"})
    clock.tick(timedelta(hours=1))
    remote.change("2", severity=3)
    server.pull("2")
    clock.tick(timedelta(hours=1))
    remote.calls.clear()

    def ids_of(**args: Any) -> list[tuple[str, str]]:
        return [(item["Direction"], item["Id"]) for item in journal(server, **args)]

    assert ids_of() == [("in", "2"), ("out", "2"), ("in", "1"), ("in", "2"), ("in", "1")]
    assert ids_of(id="2") == [("in", "2"), ("out", "2"), ("in", "2")]
    assert ids_of(direction="in", limit="1") == [("in", "2")]
    assert ids_of(since="90 minutes") == [("in", "2")]
    assert ids_of(outcome="refused") == []
    assert not remote.calls


def test_the_status_tells_the_lag(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: 20 crossings that took 1 to 20 seconds, and one of which that is not known.
    When: the status is asked for.
    Then: it tells of half and of 95 % of them how long they took at most; with an empty journal nothing.
    """
    assert status(server)["LagP50Seconds"] is None
    now_ms = script.local_now_ms()
    crossings = [script.Crossing("out", "1", "fields", "name", since_ms=now_ms - 1000 * lag) for lag in range(1, 21)]
    server.context = json.dumps(store_of(server).with_crossings([*crossings, script.Crossing("out", "1", "close")]).context)

    told = status(server)

    assert (told["LagP50Seconds"], told["LagP95Seconds"]) == (10, 19)


def test_the_status_tells_what_waits_longest(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """
    Given: nothing that waits; then a change here that cannot go out; then a change there that is not pulled yet.
    When: the status is asked for.
    Then: it tells how long the oldest has been waiting, and nothing once it crossed or its incident is stopped.
    """
    assert status(server)["OldestPendingSeconds"] == 0
    remote.change(mirrored, details="new")
    modified(server)
    clock.tick(timedelta(minutes=3))
    assert 180 <= status(server)["OldestPendingSeconds"] <= 181
    server.pull(mirrored)
    assert status(server)["OldestPendingSeconds"] == 0
    remote.fail("POST /incident$", status_code=400, json={"error": "no"}, times=3)
    push(server, mirrored, delta={"details": "here"})
    server.pull(mirrored)
    clock.tick(timedelta(minutes=2))
    assert 120 <= status(server)["OldestPendingSeconds"] <= 121
    server.ok("xsoar-mirror-stop", id=mirrored)
    assert status(server)["OldestPendingSeconds"] == 0


def test_what_nobody_asks_for_does_not_wait_for_ever(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """
    Given: a change there whose local incident was deleted, so that the server never asks for it.
    When: a day has passed.
    Then: it no longer counts as waiting.
    """
    remote.change(mirrored, details="new")
    for _ in range(2):
        modified(server)
        clock.tick(timedelta(hours=12))

    assert status(server)["OldestPendingSeconds"] == 0


def test_a_queue_of_an_older_version_is_understood(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an incident that is due, in the queue as an older version kept it.
    When: a round runs.
    Then: it is listed, and does not count as waiting since 1970.
    """
    remote.change(mirrored, details="new")
    modified(server)
    server.context = json.dumps({**json.loads(server.context), script.QUEUE_KEY: json.dumps({mirrored: 0})})

    assert modified(server) == [mirrored]
    assert status(server)["OldestPendingSeconds"] == 0


@pytest.mark.parametrize("entries", ["true", "again"])
@pytest.mark.parametrize("fields", ["true", "false"])
def test_what_a_resync_brings_has_no_lag(
    server: Server, remote: Remote, mirrored: str, clock: Any, fields: str, entries: str
) -> None:
    """
    Given: an incident with an entry that came in and one that was history, written days ago, and one written a minute ago.
    When: a resync brings them.
    Then: they are listed and have no lag; what changes after that has one.
    """
    remote.write(mirrored, "history", created="2026-02-01T11:00:00Z", modified="2026-02-01T11:00:00Z")
    remote.write(mirrored, "came")
    server.pull(mirrored)
    clock.tick(timedelta(days=3))
    server.ok("xsoar-mirror-resync", id=mirrored, fields=fields, entries=entries)
    assert len(server.pull(mirrored)[1]) == (2 if entries == "again" else 1)
    remote.write(mirrored, "new")
    clock.tick(timedelta(minutes=1))
    server.pull(mirrored)

    *of_resync, of_new = [item["LagSeconds"] for item in reversed(journal(server, since="2 minutes"))]
    assert (set(of_resync), of_new) == ({None}, 59)  # The header Date has whole seconds.


def test_a_time_that_says_nothing_gives_no_lag(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: changes and an entry whose times are the zero time of a server, the year 1.
    When: they cross.
    Then: they are listed without a lag.
    """
    zero = "0001-01-01T00:00:00Z"
    remote.change(mirrored, details="new", modified=zero)
    server.pull(mirrored)
    entry = local_entry(1, "text", created=zero, modified=zero)
    pushed(server, mirrored, data={"modified": zero}, delta={"severity": 3}, entries=[entry])

    found = journal(server, since="30 seconds")
    assert [(item["Direction"], item["Kind"]) for item in found] == [("out", "entry"), ("out", "fields"), ("in", "fields")]
    assert {item["LagSeconds"] for item in found} == {None}


def test_a_field_that_only_goes_out_is_not_listed_at_each_push(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a custom field that may not come in, and a server that sends all custom fields when one changed.
    When: another field changes here, again and again.
    Then: the journal lists that one alone.
    """
    server.params["in_fields"] = "-waterdepth"
    field = {"id": "incident_waterdepth", "cliName": "waterdepth", "name": "Water depth", "type": "shortText"}
    remote.incident_fields = [*remote.incident_fields, field]
    remote.change(mirrored, CustomFields={"waterdepth": "3 m"})
    server.pull(mirrored)

    for text in ("a", "b", "c"):
        pushed(server, mirrored, delta={"details": text, "CustomFields": {"waterdepth": "3 m"}})

    assert brief(journal(server, direction="out")) == [("out", "fields", "details", "crossed")] * 3


def test_a_closing_has_not_waited_as_long_as_a_field_that_is_refused(
    server: Server, remote: Remote, mirrored: str, clock: Any
) -> None:
    """
    Given: a field that the remote has refused for ten days.
    When: the incident is closed here, and the closing goes out.
    Then: its lag is that of the closing.
    """
    remote.fail("POST /incident$", status_code=400, json={"error": "no"}, times=50)
    assert push(server, mirrored, delta={"details": "a"}).error
    clock.tick(timedelta(days=10))

    assert push(server, mirrored, delta={"details": "a"}, status=2).error

    (closing,) = journal(server, outcome="crossed", direction="out")
    assert (closing["Kind"], closing["LagSeconds"]) == ("close", 0)
