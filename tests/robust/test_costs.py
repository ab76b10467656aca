"""What mirroring costs, as far as it is a count and not a time: calls, bytes, the size of what is kept.

How long it takes is measured by `make bench`, and no test here depends on it.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import XSOARMirroring as script
from stand_ins import Remote, Server, change_memory, contents, local_entry, pushed, records_of, remember

CHANGED = 10
MOST_CALLS = 25 + 2 * CHANGED
ENTRIES_EACH = 20
LARGEST_CONTEXT = 2 << 20

Answer = Callable[[Any], dict[str, Any]]


def mirror(server: Server, remote: Remote, clock: Any, count: int) -> None:
    """Let so many incidents exist at the remote and be mirrored, with nothing left to do: entries have gone both ways."""
    created = remote.now()
    for number in range(len(remote.incidents) + 1, count + 1):
        remote.add(str(number), created=created, modified=created)
    clock.tick(timedelta(hours=1))
    records = {key: in_step(key, incident) for key, incident in remote.incidents.items()}
    remember(server, records)
    server.last_mirror_run = {}


def in_step(incident_id: str, incident: dict[str, Any]) -> script.Record:
    """Return what is remembered of an incident with entries in both directions."""
    now_ms = script.local_now_ms()
    came = {
        f"{number}@{incident_id}": script.short_digest([incident_id, number])[:2] + script.short_digest([number, incident_id])
        for number in range(2, 2 + ENTRIES_EACH)
    }
    sent = {
        f"{number}@9{incident_id}": script.short_digest([incident_id, number])[:2] for number in range(3, 3 + ENTRIES_EACH // 2)
    }
    return script.Record(
        created_ms=script.parse_ms(incident["created"], 0),
        origin=script.LINKED,
        met=True,
        modified=incident["modified"],
        status=1,
        given=1,
        told=1,
        here=1,
        since_ms=0,
        ledger=script.Ledger(seen=came, sent=sent),
        in_ms=now_ms - 1,
        out_ms=now_ms,
    )


def minute(server: Server, remote: Remote) -> int:
    """Run one round as the server does; return how many calls it made."""
    remote.calls.clear()
    for incident_id in server.ok("get-modified-remote-data", lastUpdate=remote.now())["Contents"]:
        server.pull(incident_id)
    return len(remote.calls)


@pytest.mark.parametrize("entries_move", [None, True])
def test_a_minute_makes_as_many_calls_however_many_incidents_are_mirrored(
    server: Server, remote: Remote, clock: Any, entries_move: bool | None
) -> None:
    """
    Given: 100, 500 and 2,000 mirrored incidents, at a remote where it is known, or not, whether entries move their incident.
    When: ten of them changed and a round is run.
    Then: it makes at most 25 calls and two for each change, and the same number each time.
    """
    calls = []
    for size in (100, 500, 2_000):
        mirror(server, remote, clock, size)
        change_memory(server, entries_move=entries_move)
        server.ok("get-modified-remote-data", lastUpdate=remote.now())
        for number in range(1, CHANGED + 1):
            remote.change(str(number * size // CHANGED), severity=3)
        calls.append(minute(server, remote))
    assert calls[0] <= MOST_CALLS
    assert calls == calls[:1] * 3


def test_the_context_holds_10000_incidents(server: Server, remote: Remote) -> None:
    """
    Given: 10,000 mirrored incidents with 20 entries that came in and ten that went out each.
    When: one of them changes and its news was asked for.
    Then: the integration context, as the server keeps it, takes no more than 2 MiB.
    """
    remote.add("5000")
    records = {str(number): in_step(str(number), remote.incidents["5000"]) for number in range(1, 10_001)}
    remember(server, records)
    before = server.context_version
    remote.change("5000", severity=3)
    assert server.pull("5000")[0]["severity"] == 3
    assert server.context_version > before
    assert len(records_of(server)) == 10_000
    assert len(server.context.encode()) <= LARGEST_CONTEXT


def test_a_quiet_minute_moves_few_bytes_and_writes_nothing(
    server: Server, remote: Remote, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Given: 500 mirrored incidents of which none changed since the last round.
    When: a round is run.
    Then: all its answers together hold no more than 4 kB, and the context is not written.
    """
    mirror(server, remote, clock, 500)
    minute(server, remote)
    before = server.context_version
    answers: list[str] = []
    plain: Answer = remote._answer

    def counted(call: Any) -> dict[str, Any]:
        answer = plain(call)
        answers.append(json.dumps(answer["json"]))
        return answer

    monkeypatch.setattr(remote, "_answer", counted)
    assert minute(server, remote) == len(answers) <= 25
    assert sum(map(len, answers)) <= 4_000
    assert server.context_version == before


def test_a_fetch_asks_once_for_the_incidents_and_once_for_each_file(server: Server, remote: Remote) -> None:
    """
    Given: 30 new incidents, ten of them with two files.
    When: they are fetched.
    Then: one search brings all of them; an incident with files costs one call more, and each file one.
    """
    created = remote.now()
    for number in range(1, 31):
        incident = remote.add(str(number), created=created)
        if number <= 10:
            files = [remote.write_file(str(number), f"{name}.txt", b"text", created=created) for name in ("one", "two")]
            incident["attachment"] = [{"path": file["fileID"], "name": file["file"]} for file in files]
    fetched = server.fetch()
    assert sum(len(incident.get("attachment", [])) for incident in fetched) == 20
    assert len(fetched) == 30
    assert len(remote.asked("POST /incidents/search")) == 1
    assert len(remote.asked("POST /investigation")) == 10
    assert len(remote.asked("GET /entry/download")) == 20
    assert len(remote.calls) - len(remote.asked("GET /about")) == 31


def test_an_outgoing_round_makes_one_call_for_each_entry(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: 20 local entries to send.
    When: the server sends them.
    Then: there is one call for each, and one that finds the War Room; they stand there in their order.
    """
    entries = [local_entry(number, f"step {number}") for number in range(1, 21)]
    pushed(server, mirrored, entries=entries)
    assert len(remote.calls) == 21
    assert [body["contents"].split("\n")[-1] for body in remote.bodies("POST /entry")] == [f"step {n}" for n in range(1, 21)]


def test_a_long_war_room_is_read_in_pages(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an incident with 2,500 new entries, five of them files.
    When: its news is asked for.
    Then: all of them come, with one call for each file and no more than eight for all else.
    """
    created = remote.now()
    for number in range(2_495):
        remote.write(mirrored, f"step {number}", tags=["share"], created=created, modified=created)
    for number in range(5):
        remote.write_file(mirrored, f"{number}.txt", b"text", tags=["share"], created=created, modified=created)
    remote.change(mirrored)
    remote.calls.clear()
    _, entries = server.pull(mirrored)
    assert len(entries) == 2_500
    assert contents(entries[:2]) == ["step 0", "step 1"]
    assert len(remote.asked("GET /entry/download")) == 5
    assert len(remote.calls) <= 5 + 8


def test_an_outgoing_entry_costs_one_write_of_the_context(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a mirrored incident with 20 entries to send.
    When: they are sent.
    Then: the context is written once for each, once for the last, and once for the whole update.
    """
    before = server.context_version
    pushed(server, mirrored, entries=[local_entry(number, f"Step {number}.") for number in range(1, 21)])
    assert len(remote.entries[mirrored]) == 20
    assert server.context_version - before <= 22


def test_a_census_costs_little(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: 10,000 quiet mirrored incidents, a quarter of them closed.
    When: rounds run for ten minutes, in which a census is due.
    Then: it makes at most 25 calls in all and few in a round, asks for each incident once, and lists none.
    """
    mirror(server, remote, clock, 10_000)
    change_memory(server, entries_move=True)
    closed = {key for key in remote.incidents if int(key) % 4 == 0}
    for key in closed:
        remote.incidents[key]["status"] = 2
    remember(server, {key: record._replace(status=2) for key, record in records_of(server).items() if key in closed})
    server.ok("get-modified-remote-data", lastUpdate=remote.now())
    clock.tick(timedelta(hours=1))
    asked: list[list[str]] = []
    for _ in range(10):
        clock.tick(timedelta(minutes=1))
        remote.calls.clear()
        assert server.ok("get-modified-remote-data", lastUpdate=remote.now())["Contents"] == []
        round_asked = [body["filter"]["id"] for body in remote.bodies("POST /incidents/search") if "id" in body["filter"]]
        assert len(round_asked) <= script.CENSUS_CALLS
        asked += round_asked
    assert len(asked) <= 25
    assert sorted(key for portion in asked for key in portion) == sorted(remote.incidents)


# Two texts are the memory, 20 the records of War Rooms that are looked into.
@pytest.mark.parametrize(("opened", "tags", "most"), [(2_000, "share", 22), (8, "share", 10), (0, "share", 2), (8, "", 2)])
def test_a_quiet_minute_looks_at_few_records(
    server: Server, remote: Remote, clock: Any, monkeypatch: pytest.MonkeyPatch, opened: int, tags: str, most: int
) -> None:
    """
    Given: 2,000 mirrored incidents of which none changed, in shards of the integration context; all, few or none of them open,
    or no tag by which entries come in.
    When: rounds run for two hours.
    Then: a round looks into the shards whose turn it is, and each hour one looks into all: for what is to be forgotten, and
        for the census.
    """
    server.params["tags"] = tags
    mirror(server, remote, clock, 2_000)
    remember(server, {key: record._replace(status=2) for key, record in records_of(server).items() if int(key) > opened})
    for key, incident in remote.incidents.items():
        incident["status"] = 1 if int(key) <= opened else 2
    looked: list[int] = []
    plain = script.expanded

    def counted(text: Any) -> dict[str, Any]:
        looked[-1] += 1
        return plain(text)

    monkeypatch.setattr(script, "expanded", counted)
    for _ in range(120):
        clock.tick(timedelta(minutes=1))
        looked.append(0)
        assert server.ok("get-modified-remote-data", lastUpdate=remote.now())["Contents"] == []
    assert sum(shards >= script.SHARDS for shards in looked) == 2
    assert max(shards for shards in looked if shards < script.SHARDS) <= most
