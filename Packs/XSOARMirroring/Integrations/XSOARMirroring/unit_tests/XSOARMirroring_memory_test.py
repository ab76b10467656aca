"""Tests of what the mirror remembers in the integration context, and of what it does when that is damaged."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import XSOARMirroring as script
from stand_ins import (
    LAST_UPDATE,
    Remote,
    Server,
    contents,
    ids,
    local_entry,
    modified,
    packed_records,
    pushed,
    record_of,
    records_of,
    remember,
    spoil_memory,
    spoil_record,
    status,
)


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

    assert "integration context is being changed all the time" in outcome.error
    assert outcome.incidents == []
    server.rivals = []
    assert ids(server.fetch()) == ["1"]


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"incidents": ""},
        {"incidents": "{"},
        {"incidents": "[]"},
        {"incidents": '{"1": null}'},
        {"incidents": '{"1": {"m": 5, "s": "2", "l": [], "b": "x", "e": "1@1", "o": {}, "p": "yes"}}'},
        {"incidents": 7, "other": "kept"},
    ],
    ids=["empty", "blank", "no JSON", "a list", "null", "wrong types", "a number"],
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


def without_records(context: dict[str, Any]) -> dict[str, Any]:
    """Return an integration context without its records."""
    return {key: value for key, value in context.items() if key not in script.parts_of(context)}


@pytest.mark.parametrize(
    "part",
    ["", "x", "0 0 ", "0 0 !!", "0 0 AAAA", "a b c", script.pack_part({})[:-3], 7, None, ["x"], script.pack_part({"1": 5})],
)
def test_a_damaged_part_does_not_stop_the_mirror(server: Server, remote: Remote, part: Any) -> None:
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
    spoil_record(server, "1", part)

    modified(server)

    assert contents(server.pull("1")[1]) == ["hello"]
    assert [server.pull(incident_id)[1] for incident_id in ("1", "2")] == [[], []]


def test_one_record_is_written_without_the_others(server: Server, remote: Remote) -> None:
    """
    Given: 300 mirrored incidents, kept in parts, and one of them that changed.
    When: it is pulled.
    Then: only the part that holds it is another, and a part holds a few incidents only.
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
    assert status(server)["IncidentsTracked"] == 300
    assert {key for key in script.parts_of(after) if after[key] != before[key]} == {script.part_of("7")}
    assert max(len(script.unpack_part(after[key])) for key in script.parts_of(after)) < 20


@pytest.mark.parametrize("command", ["get-remote-data", "get-modified-remote-data", "fetch-incidents"])
def test_records_kept_under_one_key_are_read_and_then_kept_in_parts(server: Server, remote: Remote, command: str) -> None:
    """
    Given: a context as the first builds kept it, with all records under one key.
    When: a command changes it.
    Then: nothing is forgotten, nothing delivered again, and the one key is gone.
    """
    for _ in range(3):
        remote.add()
        remote.write(remote.add()["id"], "hello")
    server.params["fetch_incident_history"] = True
    server.fetch()
    for incident_id in sorted(records_of(server), key=int):
        server.pull(incident_id)
    before = records_of(server)
    server.context = json.dumps({**without_records(json.loads(server.context)), "incidents": packed_records(server)})

    remote.add()
    remote.change("1", details="new")
    server.run(command, {"id": "1", "lastUpdate": LAST_UPDATE})

    assert "incidents" not in json.loads(server.context)
    assert {key: record_of(server, key).known_entries for key in before} == {
        key: record.known_entries for key, record in before.items()
    }
    assert server.pull("2")[1] == []


def test_records_kept_in_parts_as_plain_json_are_read(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: a context whose parts are plain JSON, as builds of 1.0.0 kept them, and an incident in it that is due.
    When: a round runs and the incident is pulled.
    Then: it is listed, and nothing of it is delivered again.
    """
    server.params["fetch_incident_history"] = True
    remote.add("1")
    remote.write("1", "hello")
    server.fetch()
    assert contents(server.pull("1")[1]) == ["hello"]
    clock.tick(timedelta(hours=1))
    record = {**json.loads(packed_records(server))["1"], "d": 1}
    server.context = json.dumps({**without_records(json.loads(server.context)), script.part_of("1"): json.dumps({"1": record})})

    assert modified(server) == ["1"]
    assert server.pull("1")[1] == []


def test_a_record_in_the_part_of_another_stops_no_round(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: a context with a long closed incident in a part that is not its own.
    When: rounds run.
    Then: they bring what changed, and the record is gone.
    """
    remote.add("1")
    server.fetch()
    part = script.part_of("1")
    assert script.part_of("999") != part
    context = json.loads(server.context)
    records = {**script.unpack_part(context[part]), "999": {"m": "2020-01-01T00:00:00Z", "s": 2}}
    server.context = json.dumps({**context, part: script.pack_part(records)})

    assert [modified(server), modified(server)] == [["1"], ["1"]]
    assert set(records_of(server)) == {"1"}


@pytest.mark.parametrize("key", ["d", "b"])
def test_a_flag_in_the_place_of_a_time_hides_no_other_record(key: str) -> None:
    """
    Given: a part with a flag where a time should be.
    When: it is kept.
    Then: it tells of the times of the other records.
    """
    about = script.about_part(script.pack_part({"1": {key: True}, "2": {key: 1_000}, "3": {key: "x"}, "4": None}))

    assert (about.due_ms, about.baseline_ms) == ((1_000, 0) if key == "d" else (0, 1_000))


@given(
    records=st.dictionaries(
        st.text(min_size=1, max_size=6),
        st.builds(
            script.Record,
            status=st.sampled_from([None, 0, 1, 2]),
            due_ms=st.sampled_from([0, 0, 1, 10**12]),
            baseline_ms=st.sampled_from([None, 0, 5, 10**12]),
            known_entries=st.frozensets(st.sampled_from(["1@4", "2@4", "x"])),
        ),
        max_size=150,
    ),
    swept_last=st.text(max_size=6),
)
def test_records_come_back_and_take_turns(records: dict[str, script.Record], swept_last: str) -> None:
    """
    Given: records of any incidents, and one that was looked into last, which may be gone.
    When: they are kept, and the turn goes round.
    Then: they are as they were; parts tell what is due and ahead in them; and each quiet one has its turn once, that one last.
    """
    context = script.with_records({}, records)

    assert script.all_records(context) == records
    assert script.records_of(context, list(records)[:3]) == {key: records[key] for key in list(records)[:3]}
    assert set(script.due_ids(context, 100)) == {key for key, record in records.items() if record.due_ms == 1}
    assert set(script.ahead_of(context, 100)) == {key for key, record in records.items() if record.baseline_ms == 10**12}
    turn = [key for key, _ in script.quiet_in_turn(context, swept_last)]
    quiet = {key for key, record in records.items() if record.status in (None, 1) and not record.due_ms}
    assert (set(turn), len(turn)) == (quiet, len(quiet))
    assert swept_last not in turn[:-1]


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

    kept = str(server.memory()) + server.kept_text()
    assert "the-" not in kept
    assert len(packed_records(server)) < 400


@pytest.mark.parametrize(
    "entry_ids",
    [
        [],
        ["1@4"],
        ["1@4", "2@4", "3@4", "7@4", "9@4", "10@4"],
        ["1@4", "1@5", "01@4", "12345678901@4", "7@4#2.0a1b2c", "a@4", "@4", "4@", "4", "", "5f0c7e9a-1b2c@8c1d", "0@0"],
    ],
)
def test_entry_ids_are_kept_short_and_come_back_as_they_were(entry_ids: list[str]) -> None:
    """
    Given: entry ids of all kinds.
    When: they are kept in the context and read again.
    Then: they are the same.
    """
    kept = json.loads(json.dumps(script.pack_ids(entry_ids)))

    assert script.unpack_ids(kept) == frozenset(entry_ids)


def test_many_entries_of_an_incident_take_little_room() -> None:
    """
    Given: an incident with 20,000 entries that came in.
    When: it is kept.
    Then: that takes a few dozen characters.
    """
    record = script.Record(known_entries=frozenset(f"{number}@4" for number in range(1, 20_001)))

    assert len(json.dumps(script.pack_record(record))) < 40


@pytest.mark.parametrize("packed", [None, 5, "1@4", ["1@4"], {"4": None}, {"4": "x-y"}, {"4": {}}])
def test_damaged_entry_ids_are_none(packed: Any) -> None:
    """
    Given: kept entry ids that are damaged.
    When: they are read.
    Then: there are none.
    """
    assert script.unpack_ids(packed) == frozenset()


def test_what_a_newer_version_keeps_is_left_as_it_is(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """
    Given: a context in which a newer version keeps more, of all and of an incident.
    When: the incident is fetched, brought and updated by this version.
    Then: what it does not know is still there.
    """
    remember(server, {mirrored: replace(record_of(server, mirrored), rest={"newer": {"x": [1]}})})
    schema = json.dumps({"custom_fields": [], "newer": 1})
    spoil_memory(server, "newer", "y")
    spoil_memory(server, "schema", schema)

    remote.change(mirrored, details="new")
    modified(server)
    server.pull(mirrored)
    pushed(server, mirrored, delta={"severity": 4}, entries=[local_entry(1, "x")])

    kept = json.loads(server.context)
    assert (kept["newer"], kept["schema"]) == ("y", schema)
    assert record_of(server, mirrored).rest == {"newer": {"x": [1]}}


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

    assert status(server)["IncidentsTracked"] == 2
    assert status(server, id="1")["Incident"]["State"] == "Not mirrored by this instance"
    assert server.pull("500")[0] == {"id": "500"}


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

    assert len(packed_records(server)) < 400 * 200
    assert len(server.context) < 400 * 200
