"""Tests of get-remote-data: the fields, entries, edits, closings and reopenings that come in."""

import json
from datetime import timedelta
from typing import Any

import pytest

import XSOARMirroring as script
from stand_ins import (
    meanwhile,
    CLOSING,
    ENTRIES,
    ERRORS,
    HOST_8,
    LAST_UPDATE,
    NOW,
    REOPENING,
    REPORT,
    Remote,
    Server,
    contents,
    error_body,
    last_line,
    local_entry,
    memory_of,
    modified,
    pushed,
    record_of,
    remember,
    with_records,
)


def test_a_changed_incident_is_given_with_its_fields_and_an_unchanged_one_without(
    server: Server, remote: Remote, mirrored: str
) -> None:
    """
    Given: a mirrored incident.
    When: it is pulled before a change, after one, and again.
    Then: only the pull after the change has fields, custom ones also under their names at the top; the ID is always there.
    """
    assert server.pull(mirrored) == ({"id": mirrored}, [])
    remote.change(mirrored, severity=3, CustomFields={"customerticket": "T-1"})

    changed, entries = server.pull(mirrored)

    assert (changed["severity"], changed["customerticket"], changed["CustomFields"]["customerticket"]) == (3, "T-1", "T-1")
    assert (changed["id"], changed["dbotMirrorId"], changed["dbotMirrorInstance"]) == (mirrored, mirrored, "headquarters")
    assert changed["in_mirror_error"] == ""
    assert entries == []
    assert server.pull(mirrored) == ({"id": mirrored}, [])


def test_two_changes_within_a_second_both_come_in(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a change that is pulled, and another a few milliseconds later.
    When: the incident is pulled again.
    Then: the second change comes in as well.
    """
    remote.change(mirrored, details="one")
    assert server.pull(mirrored)[0]["details"] == "one"
    remote.change(mirrored, details="two")

    assert server.pull(mirrored)[0]["details"] == "two"


def test_an_incident_the_mirror_knows_nothing_of_starts_at_last_update(server: Server, remote: Remote) -> None:
    """
    Given: an incident that was never mirrored by this instance, with an entry before and one after lastUpdate.
    When: it is pulled twice.
    Then: the first pull gives the fields and the later entry, the second neither.
    """
    remote.add("1", modified="2026-03-01T10:00:00Z")
    remote.write("1", "early", created="2026-03-01T10:59:00Z", modified="2026-03-01T10:59:00Z")
    remote.write("1", "just then", created=LAST_UPDATE, modified=LAST_UPDATE)
    remote.write("1", "late", created="2026-03-01T11:01:00Z", modified="2026-03-01T11:01:00Z")

    first, entries = server.pull("1")

    assert first["name"] == "incident 1"
    assert contents(entries) == ["just then", "late"]
    assert server.pull("1") == ({"id": "1"}, [])


def test_an_update_out_does_not_bring_old_entries_in_when_the_cache_was_reset(
    server: Server, remote: Remote, mirrored: str, clock: Any
) -> None:
    """
    Given: a mirrored incident whose entry came in long ago, and an instance whose integration cache was reset since.
    When: a local change goes out before the next round.
    Then: the round, which starts at lastUpdate, does not bring the old entry again.
    """
    remote.write(mirrored, "old")
    assert contents(server.pull(mirrored)[1]) == ["old"]
    clock.tick(timedelta(hours=1))
    server.context = "{}"

    pushed(server, mirrored, delta={"details": "new"}, status=1)

    assert server.ok("get-remote-data", id=mirrored, lastUpdate="2026-03-01T13:00:00Z")[1:] == []


@pytest.mark.parametrize("args", [{}, {"lastUpdate": ""}, {"lastUpdate": None}], ids=["missing", "blank", "null"])
def test_without_last_update_a_person_looks_and_nothing_is_remembered(
    server: Server, remote: Remote, mirrored: str, args: dict[str, Any]
) -> None:
    """
    Given: a mirrored incident with a new entry and changed fields.
    When: a person runs get-remote-data, without lastUpdate, twice.
    Then: both times all of it is shown, and the next round still brings it.
    """
    remote.write(mirrored, "hello")
    before = server.memory()

    for _ in range(2):
        first, *entries = server.ok("get-remote-data", id=mirrored, **args)
        assert first["name"] == f"incident {mirrored}"
        assert contents(entries) == ["hello"]
    assert server.memory() == before
    assert contents(server.pull(mirrored)[1]) == ["hello"]


def test_only_entries_with_an_incoming_tag_are_asked_for(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: two incoming tags, and entries with one, the other, both, none and a third tag.
    When: the incident is pulled.
    Then: the remote is asked for any of the two, and the three tagged entries come, in their order, once.
    """
    server.params["tags"] = "share, branch"
    for text, tags in (
        ("a", ["share"]),
        ("b", ["branch"]),
        ("c", ["x", "branch", "share"]),
        ("d", None),
        ("e", []),
        ("f", ["x"]),
    ):
        remote.write(mirrored, text, tags=tags)

    _, entries = server.pull(mirrored)

    assert contents(entries) == ["a", "b", "c"]
    assert remote.bodies("POST /investigation") == [
        {
            "categories": ["notes", "chats", "attachments"],
            "tags": ["share", "branch"],
            "tagsAndOperator": False,
            "pageSize": 1000,
        }
    ]
    assert server.pull(mirrored)[1] == []


@pytest.mark.parametrize(
    "changes", [{"tags": ""}, {"tags": None}, {"categories": []}, {"categories": None}], ids=lambda changes: str(changes)
)
def test_without_tags_or_categories_no_entry_comes_in(
    server: Server, remote: Remote, mirrored: str, changes: dict[str, Any]
) -> None:
    """
    Given: no incoming tag, or no category.
    When: an incident with entries is pulled.
    Then: its fields come, no entry does, and none is asked for.
    """
    server.params |= changes
    remote.write(mirrored, "hello")
    remote.change(mirrored, name="renamed")

    first, entries = server.pull(mirrored)

    assert (first["name"], entries) == ("renamed", [])
    assert remote.asked("POST /investigation") == []


@pytest.mark.parametrize(
    ("categories", "expected"),
    [
        (["notes"], ["note", "result"]),
        (["chats"], ["chat", "result"]),
        (["attachments"], ["file", "result"]),
        ("chats,notes", ["note", "chat", "result"]),
    ],
)
def test_only_entries_of_the_chosen_categories_come_in(
    server: Server, remote: Remote, mirrored: str, categories: Any, expected: list[str]
) -> None:
    """
    Given: a note, a chat, a file and a command's result at a remote whose filter by category lets more through.
    When: the incident is pulled with some of the categories.
    Then: those of another category stay out; where only the remote can tell, it is believed.
    """
    server.params["categories"] = categories
    remote.write(mirrored, "note", note=True, category="note")
    remote.write(mirrored, "chat")
    remote.write_file(mirrored, "file", b"file")
    remote.write(mirrored, "result", category="")
    everything = remote.entries[mirrored]
    remote.fail(f"POST /investigation/{mirrored}", json={"id": mirrored, "entries": everything})

    _, entries = server.pull(mirrored)

    assert [entry.get("File") or contents([entry])[0] for entry in entries] == expected


def test_a_pending_incident_has_no_entries_yet(server: Server, remote: Remote) -> None:
    """
    Given: a pending incident, which has no War Room.
    When: it is pulled.
    Then: its fields come, and no War Room with an empty ID is asked for.
    """
    remote.add("1", investigationId="", status=0)

    assert server.pull("1")[0]["name"] == "incident 1"
    assert remote.asked("POST /investigation") == []


@pytest.mark.parametrize("keeps", ["newest", "oldest"])
@pytest.mark.parametrize(("entry_limit", "count"), [(1000, 1250), (1000, 1000), (50, 175)])
def test_entries_beyond_a_page_all_come_in_order(
    server: Server, remote: Remote, mirrored: str, keeps: str, entry_limit: int, count: int
) -> None:
    """
    Given: more new entries than a page holds, at a remote whose page keeps the newest, or the oldest.
    When: the incident is pulled.
    Then: all come, the oldest first, each once.
    """
    remote.page_keeps, remote.entry_limit = keeps, entry_limit
    for number in range(count):
        # Hundreds at one instant: then their numbers tell the order, and not as texts.
        remote.write(mirrored, str(number), created=f"2026-03-01T12:02:{number // 300:02d}Z")

    _, entries = server.pull(mirrored)

    assert contents(entries) == [str(number) for number in range(count)]
    assert server.pull(mirrored)[1] == []


def test_few_entries_cost_one_call(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an incident with a few new entries.
    When: it is pulled.
    Then: that takes one call for the incident and one for its entries.
    """
    for number in range(10):
        remote.write(mirrored, str(number))

    server.pull(mirrored)

    assert [call.route for call in remote.calls] == [f"GET /incident/load/{mirrored}", f"POST /investigation/{mirrored}"]


def test_an_old_entry_that_is_tagged_late_comes_in(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """
    Given: an entry without a tag, and a later one that came in.
    When: hours later the first is tagged, and so is one from before the fetch.
    Then: the next round brings both.
    """
    old = remote.write(
        mirrored, "from before the fetch", tags=None, created="2026-03-01T11:30:01Z", modified="2026-03-01T11:30:01Z"
    )
    first = remote.write(mirrored, "first", tags=None)
    remote.write(mirrored, "second")
    assert contents(server.pull(mirrored)[1]) == ["second"]
    clock.tick(timedelta(hours=5))
    remote.tag(first, "share")
    remote.tag(old, "x", "share")

    assert contents(server.pull(mirrored)[1]) == ["from before the fetch", "first"]
    assert server.pull(mirrored)[1] == []


def test_clocks_that_differ_lose_and_double_nothing(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: a remote whose clock is an hour behind ours.
    When: an incident is fetched and an entry written, by the remote's clock before our fetch.
    Then: it comes in, once.
    """
    clock.tick(timedelta(hours=-1))
    remote.add("1")
    server.fetch()
    remote.write("1", "hello")
    clock.tick(timedelta(hours=1))

    assert contents(server.ok("get-remote-data", id="1", lastUpdate=NOW)[1:]) == ["hello"]
    assert server.pull("1")[1] == []


def test_formats_keep_their_looks_and_get_a_line_with_author_and_time(server: Server, remote: Remote) -> None:
    """
    Given: entries of each format. A key cannot write in another person's name, so the text must tell.
    When: they are pulled.
    Then: text, Markdown and HTML keep their format under a line with author and time, and names cannot break it; data becomes
        Markdown, fenced so that nothing in it ends the fence.
    """
    remote.add("4")
    remote.entries["4"] = list(ENTRIES.values())
    remote.files["58@4"] = b"From: eve\r\n"

    _, entries = server.pull("4")

    assert [(entry.get("ContentsFormat"), entry["Contents"]) for entry in entries] == [
        ("text", "admin, 2026-03-01 11:38:21 UTC:\ndone"),
        ("markdown", "**eve\\_\\<admin\\>, 2026-03-01 11:39:00 UTC:**\n\nThe sender is **blocked**."),
        ("html", "<p><b>Tom &amp; Co, 2026-03-01 11:40:00 UTC:</b></p>\n<ul><li>mailbox</li></ul>"),
        ("markdown", '**DBot, 2026-03-01 11:41:00 UTC:**\n\n```\n{\n  "verdict": "malicious",\n  "score": 3\n}\n```'),
        ("markdown", '**DBot, 2026-03-01 11:42:00 UTC:**\n\n````\n[{"host": "a```b"}]\n````'),
        ("text", "admin, 2026-03-01 11:43:00 UTC:\n"),
        ("text", "admin, 2026-03-01 11:44:00 UTC: the original mail"),
        ("text", "admin, 2026-03-01 11:47:00 UTC:\npong"),
    ]
    assert [entry["Note"] for entry in entries] == [False, True, True, True, True, True, False, False]
    assert {json.dumps(entry["Tags"]) for entry in entries} == {'["share"]'}
    assert {entry["Type"] for entry in entries if not entry.get("File")} == {1}
    assert entries[0]["Category"] == "chat"


@pytest.mark.parametrize("created", [None, "", "garbage", "0001-01-01T00:00:00Z"])
def test_an_entry_without_a_readable_time_still_names_its_author(server: Server, remote: Remote, created: Any) -> None:
    """
    Given: an entry whose creation time is missing or the zero time.
    When: it is pulled with the history.
    Then: it comes in, with its author alone above it.
    """
    server.params["fetch_incident_history"] = True
    remote.add("1")
    server.fetch()
    entry = {**ENTRIES["chat"], "id": "1@1", "created": created, "modified": NOW, "contents": "hello"}
    remote.fail("POST /investigation/1", json={"id": "1", "entries": [entry]})

    assert [entry["Contents"] for entry in server.pull("1")[1]] == ["admin:\nhello"]


def test_a_file_comes_in_with_its_bytes_and_as_the_note_it_is(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: tagged files in the War Room, one of them a note, one with a hostile name, one an image.
    When: the incident is pulled.
    Then: each comes as a file with its bytes and a plain name, once.
    """
    remote.write_file(mirrored, "a.bin", bytes(range(256)), note=True)
    remote.write_file(mirrored, "../../b.txt", b"b")
    remote.write_file(mirrored, "c.png", b"c", type=9)
    remote.write_file(mirrored, "", b"d", category="")

    _, entries = server.pull(mirrored)

    assert [(entry["File"], server.content(entry["FileID"]), entry["Note"], entry["Type"]) for entry in entries] == [
        ("a.bin", bytes(range(256)), True, 3),
        ("b.txt", b"b", False, 3),
        ("c.png", b"c", False, 9),
        ("file", b"d", False, 3),
    ]
    assert {json.dumps(entry["Tags"]) for entry in entries} == {'["share"]'}
    assert server.pull(mirrored)[1] == []


def test_what_comes_in_carries_no_tag_that_would_send_it_out(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an entry and a file with an incoming and an outgoing tag.
    When: they are pulled.
    Then: they come without the outgoing tag.
    """
    remote.write(mirrored, "hello", tags=["send", "share", "x"])
    remote.write_file(mirrored, "a.txt", b"a", tags=["share", "send"])

    assert [entry["Tags"] for entry in server.pull(mirrored)[1]] == [["share", "x"], ["share"]]


def test_a_failed_pull_leaves_everything_to_the_next(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a changed incident with an entry and a file, and a remote that goes away at the file.
    When: the incident is pulled, and again.
    Then: the first pull keeps nothing, and the second brings the fields, the entry and the file.
    """
    remote.change(mirrored, details="new")
    remote.write(mirrored, "hello")
    remote.write_file(mirrored, "a.txt", b"a")
    modified(server)
    before = server.memory()
    remote.fail("", status_code=502, times=99, skip=2)
    server.fails("get-remote-data", id=mirrored, lastUpdate=LAST_UPDATE)
    remote.faults.clear()
    assert server.memory() == before

    first, entries = server.pull(mirrored)

    assert first["details"] == "new"
    assert [entry.get("File") or contents([entry])[0] for entry in entries] == ["hello", "a.txt"]


def test_a_file_that_is_gone_does_not_hold_up_the_rest(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a changed incident with two entries and, between them, a file that the remote no longer has.
    When: the incident is pulled.
    Then: the fields and the entries come in, and the log names the incident: one lost file does not stop the mirror for ever.
    """
    remote.change(mirrored, details="new")
    remote.write(mirrored, "one")
    entry = remote.write_file(mirrored, "gone.txt", b"x")
    del remote.files[entry["id"]]
    remote.write(mirrored, "two")

    first, entries = server.pull(mirrored)

    assert first["details"] == "new"
    assert [text for text in contents(entries) if text in ("one", "two")] == ["one", "two"]
    assert [line for line in server.lines("info") if entry["id"] in line]


@pytest.mark.parametrize("answer", [error_body(404, "not_found"), {"text": ""}, {"json": {}}], ids=["404", "empty", "no id"])
def test_an_incident_that_is_gone_is_said(server: Server, remote: Remote, answer: dict[str, Any]) -> None:
    """
    Given: a remote incident that was deleted.
    When: it is pulled.
    Then: the field that a mapper can show says that the remote has it not, and the log does too; nothing else of it changes.
    """
    remote.fail("GET /incident/load/5", **answer)

    fields, entries = server.pull("5")

    assert "The remote tenant has no" in fields["in_mirror_error"]
    assert {key for key in fields if not key.startswith("dbotMirror")} == {"id", *REPORT} - {"mirror_last_in", "mirror_last_out"}
    assert fields["mirror_state"] == "Error"
    assert entries == []
    assert [line for line in server.lines("info") if "incident 5" in line]


def test_an_incident_that_could_not_be_read_is_tried_again_later(
    server: Server, remote: Remote, mirrored: str, clock: Any
) -> None:
    """
    Given: a mirrored incident that the key may not read for a while.
    When: rounds run every quarter of an hour.
    Then: it is told of again after an hour, its fields come in whole, and the error is cleared.
    """
    remote.change(mirrored, details="new")
    assert modified(server) == [mirrored]
    remote.fail("GET /incident/load", status_code=404, json=ERRORS["not_found"])
    assert server.pull(mirrored)[0]["in_mirror_error"]
    told = []
    for _ in range(5):
        told.append(modified(server))
        clock.tick(timedelta(minutes=15))

    assert told == [[], [], [], [], [mirrored]]
    fields, _ = server.pull(mirrored)
    assert (fields["details"], fields["in_mirror_error"]) == ("new", "")
    assert modified(server) == []


def test_a_person_who_looks_at_an_incident_that_is_gone_leaves_no_trace(server: Server, remote: Remote) -> None:
    """
    Given: an ID that the remote does not have.
    When: a person runs get-remote-data with it, without lastUpdate.
    Then: it says so, and nothing is remembered: no round would ask for it for ever.
    """
    outcome = server.run("get-remote-data", {"id": "999"})

    assert "The remote tenant has no" in outcome.error + json.dumps(outcome.result)
    assert server.memory() == ({}, {}, {})


def test_an_incident_that_stays_gone_is_given_up(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """
    Given: a mirrored incident that was deleted.
    When: rounds and fetches run for three months.
    Then: it is told of less and less often, and then no more, which it says; a resync tries it again.
    """
    gone = remote.incidents.pop(mirrored)
    modified(server)
    server.pull(mirrored)
    told = 0
    for _ in range(90 * 4):
        clock.tick(timedelta(hours=6))
        if modified(server):
            told += 1
            said = server.pull(mirrored)[0]["in_mirror_error"]

    assert 5 <= told <= 12
    assert "It is no longer retried" in said
    remote.incidents[mirrored] = gone
    server.ok("xsoar-mirror-resync", id=mirrored)
    assert modified(server) == [mirrored]
    assert server.pull(mirrored)[0]["mirror_state"] == "In Step"


def test_an_incident_without_a_time_of_change_is_brought_each_time(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a remote incident that does not say when it changed.
    When: it is pulled, changed and pulled again.
    Then: its fields come in both times.
    """
    remote.incidents[mirrored]["modified"] = None
    remote.incidents[mirrored]["details"] = "one"
    assert server.pull(mirrored)[0]["details"] == "one"
    remote.incidents[mirrored]["details"] = "two"
    assert server.pull(mirrored)[0]["details"] == "two"


def test_what_is_remembered_stays_bounded() -> None:
    """
    Given: records of an open incident, of one closed 30 days ago, of one closed a millisecond later, and very many of others.
    When: it is told which are to be forgotten.
    Then: it is the one closed 30 days ago, and of too many the oldest closed ones; open ones are not.
    """
    now_ms = script.parse_ms(NOW, 0)
    old = script.iso(now_ms - script.KEPT_CLOSED_MS)
    recent = script.iso(now_ms - script.KEPT_CLOSED_MS + 1)
    records = {
        "open": script.Record(modified=old, status=1),
        "closed": script.Record(modified=old, status=2),
        "later": script.Record(modified=recent, status=2),
    }

    assert script.forgotten(records, now_ms) == {"closed"}

    many = {str(number): script.Record(modified=NOW, status=1) for number in range(script.KEPT_RECORDS - 1)}
    assert script.forgotten({**records, **many}, now_ms) == {"closed", "later"}


def test_an_id_goes_into_the_address_whole(server: Server, remote: Remote) -> None:
    """
    Given: an ID with characters that mean something in an address.
    When: it is pulled.
    Then: they are sent as part of the ID.
    """
    server.pull("../user?x#1")

    assert remote.calls[0].url == f"{HOST_8}/xsoar/incident/load/..%2Fuser%3Fx%231"


@pytest.mark.parametrize("kept", ["the last three", "none"])
def test_an_edit_is_known_whatever_is_kept_of_the_history(server: Server, remote: Remote, mirrored: str, kept: str) -> None:
    """Given a remote that keeps little of a history, or stops giving it; When an entry is edited; Then each text comes once."""
    entry = remote.write(mirrored, "0")
    remote.edit(entry, "1")
    came = [last_line(item) for item in server.pull(mirrored)[1]]
    if kept == "none":
        entry["history"] = None
        came += [last_line(item) for item in server.pull(mirrored)[1]]
        assert came == ["1"]
        return
    for number in range(2, 8):
        remote.edit(entry, str(number))
        entry["history"] = entry["history"][-3:]
        came += [last_line(item) for item in server.pull(mirrored)[1]]
    assert came == [str(number) for number in range(1, 8)]


def test_a_history_with_the_newest_first_tells_an_edit_back(server: Server, remote: Remote, mirrored: str) -> None:
    """Given a remote that gives the newest text of a history first; When an entry is edited back; Then that comes too."""
    entry = remote.write(mirrored, "a")
    came = [last_line(item) for item in server.pull(mirrored)[1]]
    for text in ("b", "a"):
        remote.edit(entry, text)
        entry["history"].sort(key=lambda item: item["contentDate"], reverse=True)
        came += [last_line(item) for item in server.pull(mirrored)[1]]
        entry["history"].sort(key=lambda item: item["contentDate"])

    assert came == ["a", "b", "a"]


def test_each_edit_of_an_entry_comes_once_and_says_so(server: Server, remote: Remote, mirrored: str) -> None:
    """Given an entry that came in; When it is edited, and edited back; Then each text comes once, marked as edited."""
    entry = remote.write(mirrored, "blocked 10.0.0.1")
    pulls = [server.pull(mirrored)[1]]
    for text in ("blocked 10.0.0.2", "blocked 10.0.0.1"):
        remote.edit(entry, text)
        pulls += [server.pull(mirrored)[1], server.pull(mirrored)[1]]

    first, second, nothing, third, nothing_again = pulls
    assert [last_line(item) for item in (*first, *second, *third)] == [
        "blocked 10.0.0.1",
        "blocked 10.0.0.2",
        "blocked 10.0.0.1",
    ]
    assert (nothing, nothing_again) == ([], [])
    assert ["edited" in item["Contents"] for item in (*first, *second, *third)] == [False, True, True]


@pytest.mark.parametrize(
    "history",
    [
        None,
        [],
        [{"user": "carl", "contents": "the text", "contentsFormat": "text"}],
        [{"user": "carl"}, {"user": "carl", "contents": None}],
        ["damaged", None],
        "damaged",
    ],
    ids=["none", "empty", "the same text", "no text", "items of another kind", "of another kind"],
)
def test_a_history_without_another_text_is_no_edit(server: Server, remote: Remote, mirrored: str, history: Any) -> None:
    """Given an entry that came in; When its history holds no other text, as after marking it as a note; Then it comes once."""
    entry = remote.write(mirrored, "the text")
    server.pull(mirrored)
    entry["history"] = history
    remote.change(mirrored)

    assert server.pull(mirrored)[1] == []


def test_what_we_wrote_comes_in_when_somebody_edits_it_there(server: Server, remote: Remote, mirrored: str) -> None:
    """Given an entry that went out and would match the incoming tags; When it is edited there; Then the edited text comes."""
    pushed(server, mirrored, entries=[local_entry(1, "from here")])
    (entry,) = remote.entries[mirrored]
    remote.tag(entry, "share")
    assert server.pull(mirrored)[1] == []

    remote.edit(entry, "corrected there")

    assert [last_line(item) for item in server.pull(mirrored)[1]] == ["corrected there"]


def test_closing_and_reopening_come_in_once_each(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a mirrored incident.
    When: the remote closes it, changes it, reopens it, changes it and closes it again.
    Then: each closing and reopening comes in once, with reason and notes, and not with the other changes.
    """
    given = []
    for fields in (
        {"status": 2, "closeReason": "Resolved", "closeNotes": "Nothing left to do."},
        {"details": "still closed"},
        {"status": 1},
        {"details": "still open"},
        {"status": 2, "closeReason": "Duplicate", "closeNotes": "See 3."},
    ):
        remote.change(mirrored, **fields)
        entries = server.pull(mirrored)[1]
        assert {entry["ContentsFormat"] for entry in entries} <= {"json"}
        given.append(contents(entries))
        assert server.pull(mirrored)[1] == []

    assert given == [
        [CLOSING],
        [],
        [REOPENING],
        [],
        [{"dbotIncidentClose": True, "closeReason": "Duplicate", "closeNotes": "See 3."}],
    ]


def test_a_closing_without_reason_and_notes_comes_in_with_some(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a remote incident that is closed without a reason or notes.
    When: it is pulled.
    Then: the local one is closed with some, as its form may require them.
    """
    remote.close(mirrored, "", "")

    (closing,) = contents(server.pull(mirrored)[1])

    assert closing["closeReason"] == "Other"
    assert closing["closeNotes"]


def test_a_reopening_comes_before_the_entries(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a closed incident that is reopened and gets an entry. XSOAR: entries are mirrored for active incidents only.
    When: it is pulled.
    Then: the reopening comes before the entry.
    """
    remote.close(mirrored)
    server.pull(mirrored)
    remote.change(mirrored, status=1)
    remote.write(mirrored, "there is more")

    assert contents(server.pull(mirrored)[1]) == [REOPENING, "there is more"]


def test_an_entry_for_a_closed_incident_reopens_it_for_a_moment(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an incident that is closed on both sides, reopened there, written into and closed again before the next round.
    When: it is pulled, and the server tells of the incident while it is open.
    Then: the entry comes between a reopening and a closing with the last words, and nothing of that goes back.
    """
    remote.close(mirrored)
    server.pull(mirrored)
    remote.change(mirrored, status=1)
    remote.write(mirrored, "one more thing")
    remote.close(mirrored, "Duplicate", "See 3.")

    entries = server.pull(mirrored)[1]
    remote.calls.clear()
    pushed(server, mirrored, status=1, delta={})

    closing = {"dbotIncidentClose": True, "closeReason": "Duplicate", "closeNotes": "See 3."}
    assert contents(entries) == [REOPENING, "one more thing", closing]
    assert not remote.writes()
    assert server.pull(mirrored)[1] == []


def test_a_pending_incident_that_is_opened_is_not_reopened(server: Server, remote: Remote) -> None:
    """
    Given: a pending incident that becomes active.
    When: it is pulled.
    Then: no reopening comes of it.
    """
    remote.add("1", status=0, investigationId="")
    server.fetch()
    remote.change("1", status=1, investigationId="1")

    assert server.pull("1")[1] == []


@pytest.mark.parametrize("status", [2, 3])
def test_an_archived_incident_is_neither_closed_again_nor_reopened(
    server: Server, remote: Remote, mirrored: str, status: int
) -> None:
    """
    Given: an incident that was closed, here too.
    When: the remote archives it, or changes it otherwise.
    Then: the local one stays as it is.
    """
    remote.close(mirrored)
    assert len(server.pull(mirrored)[1]) == 1
    remote.change(mirrored, status=status, details="x")

    assert server.pull(mirrored)[1] == []


def test_with_the_switch_off_neither_closing_nor_reopening_comes_in(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: the switch Close Mirrored XSOAR Incident, off.
    When: the remote closes and reopens the incident.
    Then: the fields come in, the transitions do not.
    """
    server.params["close_incident"] = False
    remote.close(mirrored)
    first, entries = server.pull(mirrored)
    assert (first["status"], entries) == (2, [])
    remote.change(mirrored, status=1)

    assert server.pull(mirrored)[1] == []


def test_closing_comes_behind_the_entries(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an entry and then the closing. XSOAR: entries are mirrored for active incidents only.
    When: the incident is pulled.
    Then: the entry comes before the closing.
    """
    remote.write(mirrored, "last words")
    remote.close(mirrored)

    entries = server.pull(mirrored)[1]

    assert contents(entries) == ["last words", CLOSING]


def test_a_closing_that_failed_to_come_in_comes_with_the_next_pull(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a closed remote incident that cannot be read at first.
    When: it is pulled twice.
    Then: the second pull closes the local one.
    """
    remote.close(mirrored)
    remote.fail("GET /incident/load", status_code=502, times=3)
    server.fails("get-remote-data", id=mirrored, lastUpdate=LAST_UPDATE)

    assert [entry["Contents"] for entry in server.pull(mirrored)[1]] == [CLOSING]


@pytest.mark.parametrize(
    "fault",
    [{"status_code": 429, "headers": {"Retry-After": "60"}, "json": {}}, {"status_code": 503}, {"answer": OSError("killed")}],
    ids=["rate limit", "busy", "killed"],
)
def test_the_first_pull_of_an_incident_without_a_record_is_repeated(
    server: Server, remote: Remote, clock: Any, fault: dict[str, Any]
) -> None:
    """
    Given: an incident that a local one was linked to by hand, a change of it, and a first pull that fails.
    When: rounds run, in which it changes no more.
    Then: it is told again until it was pulled, and the entry comes, once.
    """
    modified(server)
    remote.add("9", created="2026-01-01T00:00:00Z")
    clock.tick(timedelta(minutes=1))
    remote.write("9", "hello")
    assert modified(server) == ["9"]
    remote.fail("GET /incident/load", times=9, **fault)
    assert server.run("get-remote-data", {"id": "9", "lastUpdate": LAST_UPDATE}).error
    remote.faults.clear()
    clock.tick(timedelta(minutes=5))

    assert modified(server) == ["9"]
    assert contents(server.pull("9")[1]) == ["hello"]
    assert modified(server) == []


def test_two_pulls_at_once_leave_no_old_value(
    server: Server, remote: Remote, mirrored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Given: a pull that has read a field, and another one that reads and gives the field's next value before the first ends.
    When: the rounds go on.
    Then: the next value comes once, and the older one no more.
    """
    server.pull(mirrored)
    remote.change(mirrored, details="one")
    given: list[str | None] = []

    def change_and_pull(_: script.Client) -> None:
        remote.change(mirrored, details="two")
        given.append(server.pull(mirrored)[0].get("details"))

    meanwhile(monkeypatch, change_and_pull)
    assert modified(server) == [mirrored]
    given.append(server.pull(mirrored)[0].get("details"))

    assert modified(server) == [mirrored]
    given.append(server.pull(mirrored)[0].get("details"))
    assert given == ["two", None, None]
    assert modified(server) == []


def test_two_pulls_at_once_give_nothing_twice(
    server: Server, remote: Remote, mirrored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Given: an incident with a new entry, a new file, and a note about a conflict.
    When: it is pulled while another pull of it is on its way.
    Then: each comes with one of them; a third pull gives nothing more.
    """
    remote.write(mirrored, "once")
    remote.write_file(mirrored, "once.txt", b"once")
    remember(server, {mirrored: record_of(server, mirrored)._replace(notices={"a": "said once"})})
    given: list[list[dict[str, Any]]] = []
    meanwhile(monkeypatch, lambda _: given.append(server.pull(mirrored)[1]))
    given.append(server.pull(mirrored)[1])

    assert [[entry.get("File") or last_line(entry) for entry in entries] for entries in given] == [
        ["once", "once.txt", "said once"],
        [],
    ]
    assert server.pull(mirrored)[1] == []


CLOSED_HERE = {"remoteId": "1", "data": {}, "delta": {"closingUserId": "lea", "runStatus": ""}, "status": 2, "entries": []}


@pytest.mark.parametrize(
    ("command", "args"),
    [
        pytest.param("xsoar-mirror-stop", {"id": "1"}, id="stopped"),
        pytest.param("update-remote-system", CLOSED_HERE, id="closed here"),
    ],
)
def test_a_pull_gives_no_entry_to_an_incident_that_takes_none_by_now(
    server: Server, remote: Remote, mirrored: str, monkeypatch: pytest.MonkeyPatch, command: str, args: dict[str, Any]
) -> None:
    """
    Given: a new entry, and a pull that reads it.
    When: the incident is stopped or closed here meanwhile.
    Then: that pull gives nothing.
    """
    server.pull(mirrored)
    server.params["close_out"] = False
    remote.write(mirrored, "new")
    meanwhile(monkeypatch, lambda _: server.ok(command, **args))

    assert server.pull(mirrored) == ({"id": mirrored}, [])


def test_a_resync_during_the_pull_of_an_unreadable_incident_brings_all_fields(
    server: Server, remote: Remote, mirrored: str, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    """
    Given: an incident that may be read again, and a pull of it at work.
    When: it is resynced meanwhile.
    Then: the next pulls bring a field that did not change.
    """
    remote.change(mirrored, details="as before")
    server.pull(mirrored)
    remote.fail("GET /incident/load", status_code=403, json={})
    server.pull(mirrored)
    meanwhile(monkeypatch, lambda _: server.ok("xsoar-mirror-resync", id=mirrored))
    clock.tick(timedelta(hours=3))

    modified(server)
    given = [server.pull(mirrored)[0]]
    modified(server)
    given.append(server.pull(mirrored)[0])

    assert [fields["details"] for fields in given if "details" in fields] == ["as before"]


def test_what_goes_out_during_each_pull_keeps_no_entry_back(
    server: Server, remote: Remote, mirrored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Given: a new entry there, and a chat here that goes on.
    When: a message of the chat goes out during each pull.
    Then: the first pull gives the entry.
    """
    server.pull(mirrored)
    remote.write(mirrored, "new")
    numbers = iter(range(1, 9))
    meanwhile(monkeypatch, lambda _: pushed(server, mirrored, entries=[local_entry(next(numbers), "chat")]), times=3)

    assert [contents(server.pull(mirrored)[1]) for _ in range(3)] == [["new"], [], []]


def test_a_pull_that_was_overtaken_notes_that_the_remote_refuses_calls(
    server: Server, remote: Remote, mirrored: str, monkeypatch: pytest.MonkeyPatch, naps: list[float]
) -> None:
    """
    Given: a new file, and a pull that reads it.
    When: a field goes out meanwhile, and then the remote refuses the download.
    Then: the next round knows that.
    """
    server.pull(mirrored)
    remote.write_file(mirrored, "a.txt", b"a")

    def push_then_refuse(_: script.Client) -> None:
        pushed(server, mirrored, delta={"severity": 3}, data={"severity": 3})
        remote.fail("GET /entry/download", status_code=429, json={}, times=9)

    meanwhile(monkeypatch, push_then_refuse)
    assert server.pull(mirrored)[1] == []

    assert memory_of(server).limited_ms


def test_a_pull_that_is_no_longer_overtaken_gives_what_it_read(
    server: Server, remote: Remote, mirrored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Given: a new entry, and a pull that reads it, then finds the record changed by another command.
    When: the record is as before by the time that the pull has saved what it knows.
    Then: the entry comes, once.
    """
    server.pull(mirrored)
    before = record_of(server, mirrored)
    remote.write(mirrored, "new")

    def change(_: script.Client) -> None:
        remember(server, {mirrored: before._replace(modified="")})
        server.rivals.append(lambda context: context.update(with_records(context, {mirrored: before})))

    meanwhile(monkeypatch, change)
    given = contents(server.pull(mirrored)[1])
    modified(server)

    assert given + contents(server.pull(mirrored)[1]) == ["new"]


def test_a_resync_during_the_first_pull_brings_the_history(
    server: Server, remote: Remote, mirrored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Given: an incident fetched without its history, and its first pull at work.
    When: it is resynced meanwhile.
    Then: the next round brings the earlier entry.
    """
    remote.write(mirrored, "old", created="2026-03-01T11:20:00Z", modified="2026-03-01T11:20:00Z")
    remote.change(mirrored, details="new")
    settings = script.parse_settings(server.params, "headquarters")
    meanwhile(monkeypatch, lambda client: script.mirror_resync_command(client, settings, {"id": mirrored}))
    first = server.pull(mirrored)[1]

    assert modified(server) == [mirrored]
    assert contents(first) + contents(server.pull(mirrored)[1]) == ["old"]


def test_a_resync_empties_what_was_emptied(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: fields that are emptied there, so that their keys are gone.
    When: a resync is asked for before the round that would bring that.
    Then: they are given empty, and all others as they are.
    """
    remote.change(mirrored, details="full", CustomFields={"waterdepth": "3 m", "other": "kept"})
    remote.incident_fields = [
        *remote.incident_fields,
        {"id": "incident_waterdepth", "cliName": "waterdepth", "name": "Water depth", "type": "shortText"},
    ]
    server.pull(mirrored)
    del remote.incidents[mirrored]["details"]
    remote.change(mirrored, CustomFields={"other": "kept"})

    server.ok("xsoar-mirror-resync", id=mirrored)
    fields, _ = server.pull(mirrored)

    assert fields["details"] == ""
    assert fields["CustomFields"] == {"waterdepth": "", "other": "kept"}
    assert fields["name"] == remote.incidents[mirrored]["name"]


@pytest.mark.parametrize(
    ("limit", "name", "content", "downloads"),
    [({"file_types": "-exe"}, "tool.exe", b"MZ", 0), ({"max_file_mb": "1"}, "dump.bin", b"x" * (1 << 20) + b"x", 1)],
    ids=["type", "size that only the download tells"],
)
def test_a_file_that_is_not_shared_gives_way_to_a_note(
    server: Server, remote: Remote, mirrored: str, limit: dict[str, str], name: str, content: bytes, downloads: int
) -> None:
    """
    Given: a tagged file there that the sharing policy keeps back; its entry does not say how large it is.
    When: it is pulled.
    Then: a note stands in its place that says why and does not name it; it is downloaded only to learn its size.
    """
    server.params |= limit
    remote.write_file(mirrored, name, content, tags=["share"])

    _, (note,) = server.pull(mirrored)

    assert note["Type"] == 1
    assert "is not shared" in note["Contents"]
    assert name not in json.dumps(note)
    assert len(remote.asked("GET /entry/download")) == downloads
