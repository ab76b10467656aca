"""Tests of what the mirror remembers in the integration context, and of what it does when that is damaged."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import XSOARMirroring as script
from stand_ins import LAST_UPDATE, Remote, Server, contents, ids, records_of, local_entry, packed_records, modified, pushed


def test_nothing_is_lost_when_another_command_changes_the_context_meanwhile(
    server: Server, remote: Remote, mirrored: str, clock: Any
) -> None:
    """
    Given: another command of the instance that saves its own record just before ours is saved.
    When: an entry is sent.
    Then: both are kept: the other's key is there, and the entry is not sent again.
    """
    server.rivals = [lambda context: context.update(other="kept"), lambda context: context.update(another="kept")]

    pushed(server, mirrored, entries=[local_entry(1, "once")])
    pushed(server, mirrored, entries=[local_entry(1, "once")])

    assert [entry["contents"][-4:] for entry in remote.entries[mirrored]] == ["once"]
    assert {"other": "kept", "another": "kept"}.items() <= json.loads(server.context).items()


def test_a_context_that_others_change_all_the_time_is_an_error(server: Server, remote: Remote) -> None:
    """
    Given: other commands that change the context before each of our saves.
    When: a fetch runs.
    Then: it fails with a sentence, no incident is made without its record, and the next fetch brings it.
    """
    remote.add()
    server.rivals = [lambda context: None] * 50

    outcome = server.run("fetch-incidents")

    assert "integration context could not be saved" in outcome.error
    assert outcome.incidents == []
    server.rivals = []
    assert ids(server.fetch()) == ["1"]


KEYS = (script.shard_of("1"), script.MEMORY_KEY, script.QUEUE_KEY, script.OPEN_KEY, script.JOURNAL_KEY)


@pytest.mark.parametrize(
    "context",
    [
        {},
        dict.fromkeys(KEYS, ""),
        dict.fromkeys(KEYS, "{"),
        dict.fromkeys(KEYS, "[]"),
        dict.fromkeys(KEYS, script.squeezed({"1": None})),
        dict.fromkeys(KEYS, script.squeezed({"1": {"modified": 5, "status": "2", "ledger": [], "since_ms": "x", "wanted": {}}})),
        dict.fromkeys(KEYS, script.squeezed([1])),
        {**dict.fromkeys(KEYS, 7), "other": "kept"},
        {script.QUEUE_KEY: '{"1": "soon"}', script.OPEN_KEY: "[7, null]"},
    ],
    ids=["empty", "blank", "no JSON", "a list", "null", "wrong types", "squeezed list", "a number", "tables"],
)
def test_a_damaged_context_does_not_stop_the_mirror(server: Server, remote: Remote, context: dict[str, Any]) -> None:
    """
    Given: an integration context that is empty or damaged.
    When: a round runs, and another.
    Then: the first brings the incident and its entry, the second neither, and what belongs to others is kept.
    """
    remote.add("1")
    remote.write("1", "hello")
    server.context = json.dumps(context)

    listed = modified(server)
    first, entries = server.pull("1")

    assert listed == ["1"]
    assert first["name"] == "incident 1"
    assert contents(entries) == ["hello"]
    assert server.pull("1") == ({"id": "1"}, [])
    assert json.loads(server.context).get("other") == context.get("other")


DAMAGED_LEDGERS: list[Any] = [5, "x", {"": 5}, {"": [["1"]]}, {"": [["1", [], ""]]}, {"": [["1", [1, "x"], "ab"]]}]


@pytest.mark.parametrize(
    "shard",
    [
        *("", "x", "!!", "AAAA", script.squeezed({})[:-3], 7, None, ["x"], script.squeezed({"1": 5}), script.squeezed([])),
        *(script.squeezed({"1": {"ledger": {"seen": table}}}) for table in DAMAGED_LEDGERS),
    ],
)
def test_a_damaged_shard_does_not_stop_the_mirror(server: Server, remote: Remote, shard: Any) -> None:
    """
    Given: two mirrored incidents, and what is kept of the one is damaged.
    When: a round runs, and both are pulled.
    Then: the one comes anew with its entry, nothing comes of the other, and then nothing of either.
    """
    server.params["fetch_incident_history"] = True
    for incident_id in ("1", "2"):
        remote.add(incident_id)
        remote.write(incident_id, "hello")
    server.fetch()
    for incident_id in ("1", "2"):
        assert contents(server.pull(incident_id)[1]) == ["hello"]
    server.context = json.dumps({**json.loads(server.context), script.shard_of("1"): shard})

    modified(server)

    assert contents(server.pull("1")[1]) == ["hello"]
    assert [server.pull(incident_id)[1] for incident_id in ("1", "2")] == [[], []]


def test_one_record_is_written_without_the_others(server: Server, remote: Remote) -> None:
    """
    Given: 300 mirrored incidents, kept in shards, and one of them that changed.
    When: it is pulled.
    Then: only the shard that holds it is another, beside the journal, and it holds a few incidents only.
    """
    for _ in range(300):
        remote.add()
    server.params["max_fetch"] = "200"
    server.fetch()
    server.fetch()
    remote.change("7", details="new")
    before = json.loads(server.context)

    server.pull("7")

    after = json.loads(server.context)
    assert len(records_of(server)) == 300
    assert {key for key in after if after[key] != before[key]} == {script.shard_of("7"), script.JOURNAL_KEY}
    assert len(script.expanded(after[script.shard_of("7")])) < 20


# Entries that follow one another or not, edited ones, and IDs of other servers, some of which only look like numbers.
KEYS_OF_ENTRIES = [
    *("1@4", "2@4", "3@4", "7@4", "2@94", "2@4#1.abcdef", "closing"),
    *("02@4", "\u0662@4", "-1@4", "@4", "2@", "2@4@4", "2"),
]
MARKS = st.dictionaries(st.sampled_from(KEYS_OF_ENTRIES), st.sampled_from(["", "ab", "AA", "abcdef"]) | st.text(max_size=8))
RECORDS = st.builds(
    script.Record,
    status=st.sampled_from([None, 0, 1, 2, 3]),
    here=st.sampled_from([None, 1, 2]),
    asked=st.none(),
    tries=st.integers(0, script.MOST_TRIES - 1),
    wanted=st.integers(0, 3),
    done=st.integers(0, 3),
    not_before_ms=st.sampled_from([0, 1, 10**12]),
    since_ms=st.sampled_from([None, 0, 10**12]),
    owes_files=st.booleans(),
    ledger=st.builds(script.Ledger, seen=MARKS, history=MARKS, sent=MARKS, trying=MARKS, missing=MARKS),
    notices=MARKS,
)


@given(
    records=st.dictionaries(st.text(min_size=1, max_size=6), RECORDS, max_size=100),
    gone=st.sets(st.text(min_size=1, max_size=6), max_size=3),
    swept=st.text(max_size=6),
)
def test_records_come_back_and_take_turns(records: dict[str, script.Record], gone: set[str], swept: str) -> None:
    """
    Given: records of any incidents, some of which are forgotten, and one that was looked into last, which may be gone.
    When: they are kept, and the turn goes round.
    Then: they are as they were; the queue tells what is due; and each quiet open one has its turn once, that one last.
    """
    store = script.Store({}).with_records(records).with_records({}, gone=gone)
    left = {key: record for key, record in records.items() if key not in gone}

    assert store.all_records() == left
    assert store.records(list(left)[:3]) == {key: left[key] for key in list(left)[:3]}
    assert set(store.due(100)) == {
        key for key, record in left.items() if record.wanted > record.done and record.not_before_ms <= 1
    }
    turn = [key for key, _ in script.quiet_in_turn(store, swept, frozenset())]
    quiet = {
        key
        for key, record in left.items()
        if record.status in (None, 1) and record.here != 2 and record.wanted <= record.done and not record.is_stopped
    }
    assert (set(turn), len(turn)) == (quiet, len(quiet))
    assert swept not in turn[:-1]


@given(before=RECORDS, after=RECORDS, now=RECORDS)
def test_two_changes_of_a_record_are_merged(before: script.Record, after: script.Record, now: script.Record) -> None:
    """
    Given: a record that a command has read, what it makes of it, and what another has made of it meanwhile.
    When: they are merged.
    Then: with one of them alone that one stands; no entry that either knows is forgotten; and what the other changed stays.
    """
    both = script.merged(before, after, now)

    assert script.merged(before, after, before) == after
    assert script.merged(before, before, now) == now
    for kept in ("seen", "sent"):
        was, ours, theirs, result = (getattr(record.ledger, kept) for record in (before, after, now, both))
        assert ours.keys() - was.keys() <= result.keys()
        assert theirs.keys() - was.keys() <= result.keys() | (was.keys() - ours.keys())
    assert both.wanted == (after.wanted if now.wanted == before.wanted else now.wanted)


def test_the_context_holds_ids_and_times_but_no_texts(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: an incident with names, entries and a file that came and went.
    When: all of it was mirrored.
    Then: nothing of what people wrote is in the context or the last runs, and a record is small.
    """
    remote.add("1", name="the-incident-name", details="the-incident-details")
    server.fetch()
    clock.tick(timedelta(minutes=1))
    for number in range(20):
        remote.write("1", f"the-entry-text {number}")
    remote.write_file("1", "the-file-name.txt", b"the-file-text")
    server.ok("get-modified-remote-data", lastUpdate=LAST_UPDATE)
    server.pull("1")
    pushed(server, "1", entries=[local_entry(1, "the-outgoing-text")], delta={"details": "the-new-details"})

    kept = json.dumps([server.last_run, server.last_mirror_run]) + server.kept_text()
    assert "the-" not in kept
    assert len(packed_records(server)) < 1500


@pytest.mark.parametrize(
    ("known", "packed"),
    [
        (set(), ()),
        ({"7"}, ("7-7",)),
        ({"1", "2", "3", "7", "8"}, ("1-3", "7-8")),
        ({"0", "007", "1", "x7", "-3"}, ("0-1", "=-3", "=007", "=x7")),
    ],
    ids=["none", "one", "ranges", "what is no number"],
)
def test_ids_of_all_that_was_fetched_are_kept_exactly(known: set[str], packed: tuple[str, ...]) -> None:
    """Given IDs of incidents; When they are kept; Then those and no others are read again, and numbers in a row take one item."""
    assert script.packed_ids(known) == packed
    assert script.unpacked_ids(packed) == known


def test_an_entry_takes_little_room() -> None:
    """Given an incident with 20,000 entries that came in; When it is kept; Then that takes some eight characters for each."""
    seen = {f"{number}@4": script.short_digest(number)[:2] + script.short_digest(str(number)) for number in range(20_000)}

    store = script.Store({}).with_records({"4": script.Record(ledger=script.Ledger(seen=seen))})

    assert len(store.context[script.shard_of("4")]) < 20_000 * 9


def test_incidents_closed_long_ago_are_forgotten(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: 200 closed incidents that were mirrored, and one that is open.
    When: months later another is fetched.
    Then: the context holds no more than the open ones, and they are still mirrored.
    """
    for number in range(200):
        remote.add(str(number + 1), status=2, CustomFields={})
    remote.add("500")
    server.params["max_fetch"] = "200"
    assert len(server.fetch() + server.fetch()) == 201
    for incident_id in remote.incidents:
        server.pull(incident_id)
    assert len(server.context) > 5000
    clock.tick(timedelta(days=90))
    remote.add("501")
    assert ids(server.fetch()) == ["501"]
    modified(server)

    assert set(records_of(server)) == {"500", "501"}
    assert server.pull("500")[0] == {"id": "500"}


def test_what_can_be_forgotten_is_looked_for_once_an_hour(
    server: Server, remote: Remote, mirrored: str, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    """Given a mirrored incident; When the server asks every twenty minutes; Then all records are read once an hour."""
    modified(server)
    read: list[int] = []

    def forgotten(records: dict[str, Any], now_ms: int) -> set[str]:
        read.append(now_ms)
        return set()

    monkeypatch.setattr(script, "forgotten", forgotten)
    for _ in range(9):
        clock.tick(timedelta(minutes=20))
        modified(server)

    assert len(read) == 3


def test_what_is_remembered_of_an_incident_is_small(server: Server, remote: Remote) -> None:
    """
    Given: 400 incidents.
    When: they are fetched and pulled.
    Then: the context takes at most 200 bytes for each, so that 10,000 stay below 2 MiB.
    """
    server.params["max_fetch"] = "200"
    for number in range(400):
        remote.add(str(100_000 + number), CustomFields={})
    server.fetch()
    server.fetch()
    for number in range(0, 400, 10):
        server.pull(str(100_000 + number))

    assert len(server.context) < 400 * 200


def test_a_turn_expands_each_shard_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: 2,000 incidents that are open there and closed here, so that the turn passes over all of them.
    When: the next one in turn is looked for.
    Then: no shard of the context is expanded twice.
    """
    records = {str(number): script.Record(status=1, here=2) for number in range(2_000)}
    store = script.Store({}).with_records(records)
    expanded: list[str] = []
    plain = script.expanded

    def counted(text: Any) -> dict[str, Any]:
        expanded.append(str(text))
        return plain(text)

    monkeypatch.setattr(script, "expanded", counted)

    assert list(script.quiet_in_turn(store, "", frozenset())) == []

    assert len(expanded) == script.SHARDS


def test_the_end_of_a_creation_is_that_of_no_other() -> None:
    """Given two creations whose outcome is not known; When one ends, or is known; Then the other is still to be looked for."""
    both = script.with_creation(script.with_creation(script.Memory(), "a@here", "", 1000), "b@here", "", 2000)

    ended = script.without_creation(both, "a@here")
    known = script.with_creation(both, "a@here", "4")

    assert (ended.creating, ended.begun_ms) == ({"b@here": ""}, {"b@here": 2000})
    assert (known.creating, known.begun_ms) == ({"a@here": "4", "b@here": ""}, {"b@here": 2000})
