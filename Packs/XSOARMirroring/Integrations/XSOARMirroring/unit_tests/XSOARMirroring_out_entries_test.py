"""Tests of update-remote-system as far as it sends entries and files."""

import re
from pathlib import Path
from typing import Any

import pytest
import requests
from requests_mock import create_response

from stand_ins import (
    LARGE,
    Remote,
    Server,
    arrived,
    drop,
    error_body,
    local_entry,
    local_file,
    peak_memory,
    push,
    pushed,
)


def test_tagged_entries_go_once_each_in_their_order(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: entries with the outgoing tag, another tag, no tags and null tags, in no order, and one sent before.
    When: they are sent, and all of them again with one more.
    Then: the tagged ones arrive once each, the oldest first, with author and time above them.
    """
    first = [
        local_entry(3, "three"),
        local_entry(1, "one", tags=["x", "send"]),
        local_entry(4, "other tag", tags=["share"]),
        local_entry(5, "no tags", tags=[]),
        local_entry(6, "null tags", tags=None),
    ]
    pushed(server, mirrored, entries=first)
    pushed(server, mirrored, entries=[*first, local_entry(7, "seven")])

    assert [text for text, _, _ in arrived(remote, mirrored)] == ["one", "three", "seven"]
    assert remote.entries[mirrored][0]["contents"] == "lea, 2026-03-01 11:50:01 UTC:\none"


@pytest.mark.parametrize("entries", [None, [], [local_entry(1, "x", tags=None)]], ids=["null", "none", "untagged"])
def test_without_entries_to_send_nothing_is_called(
    server: Server, remote: Remote, mirrored: str, entries: list[dict[str, Any]] | None
) -> None:
    """
    Given: no entries, or none with the outgoing tag.
    When: an update runs.
    Then: the remote is asked nothing.
    """
    assert pushed(server, mirrored, entries=entries) == mirrored

    assert remote.calls == []


def test_without_an_outgoing_tag_no_entry_goes(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: no outgoing tag in the settings.
    When: entries with tags are to be sent.
    Then: none goes.
    """
    server.params["mirror_tag"] = ""

    pushed(server, mirrored, entries=[local_entry(1, "x")])

    assert remote.calls == []


@pytest.mark.parametrize(
    ("fields", "expected", "calls"),
    [
        pytest.param({"contents": "a <b>"}, ("a <b>", "text", False), ["formatted"], id="chat"),
        pytest.param({"contents": "a <b>", "note": True}, ("a <b>", "text", True), ["note"], id="note"),
        pytest.param(
            {"contents": "**a**", "format": "markdown", "note": True}, ("**a**", "markdown", True), ["note"], id="Markdown note"
        ),
        pytest.param({"contents": "**a**", "format": "markdown"}, ("**a**", "markdown", False), ["formatted"], id="Markdown"),
        pytest.param({"contents": "<i>a</i>", "format": "html"}, ("<i>a</i>", "html", False), ["formatted"], id="HTML"),
        pytest.param(
            {"contents": "<i>a</i>", "format": "html", "note": True},
            ("<i>a</i>", "html", True),
            ["formatted", "note"],
            id="HTML note",
        ),
        pytest.param(
            {"contents": {"a": ["ü"]}, "format": "json"},
            ('```\n{\n  "a": [\n    "ü"\n  ]\n}\n```', "markdown", False),
            ["formatted"],
            id="an object",
        ),
        pytest.param(
            {"contents": '[{"a": 1}]', "format": "table"}, ('```\n[{"a": 1}]\n```', "markdown", False), ["formatted"], id="table"
        ),
        pytest.param({"contents": None, "note": True}, ("", "text", True), ["note"], id="null"),
        pytest.param({"contents": None}, ("", "text", False), ["formatted"], id="null chat"),
        pytest.param({"contents": 5}, ("```\n5\n```", "markdown", False), ["formatted"], id="a number"),
        pytest.param({"contents": "a", "format": ""}, ("a", "text", False), ["formatted"], id="no format"),
        pytest.param({"contents": "a", "format": None, "note": None}, ("a", "text", False), ["formatted"], id="nulls"),
    ],
)
def test_an_entry_arrives_as_what_it_is(
    server: Server, remote: Remote, mirrored: str, fields: dict[str, Any], expected: tuple[str, str, bool], calls: list[str]
) -> None:
    """
    Given: a local entry: chat or note, of one of the formats, or with contents that are no text.
    When: it is sent.
    Then: it arrives with its text, its format and as the note it is, and never as the word False or None.
    """
    pushed(server, mirrored, entries=[local_entry(1, text=fields["contents"], **drop(fields, "contents"))])

    assert arrived(remote, mirrored) == [expected]
    assert [call.route for call in remote.asked("POST /entry")] == [f"POST /entry/{route}" for route in calls]


@pytest.mark.parametrize("text", ["!DeleteEverything id=1", "/close", "!", "/", "\n!x", "@admin look"])
@pytest.mark.parametrize("note", [True, False], ids=["note", "chat"])
def test_a_text_that_looks_like_a_command_is_not_run(
    server: Server, remote: Remote, mirrored: str, text: str, note: bool
) -> None:
    """
    Given: a text that a War Room would run as a command. XSOAR REST API: the route /entry does, /entry/note and
        /entry/formatted do not.
    When: it is sent.
    Then: it arrives as a text, by a route that runs nothing.
    """
    pushed(server, mirrored, entries=[local_entry(1, text, note=note)])

    assert [entry["contents"] for entry in remote.entries[mirrored]] == [f"lea, 2026-03-01 11:50:01 UTC:\n{text}"]
    assert {call.route for call in remote.asked("POST /entry")} <= {"POST /entry/note", "POST /entry/formatted"}


@pytest.mark.parametrize("note", [True, False], ids=["note", "no note"])
def test_a_file_goes_as_a_file_with_its_bytes_and_nothing_else(
    server: Server, remote: Remote, mirrored: str, tmp_path: Path, note: bool
) -> None:
    """
    Given: a local file.
    When: it is sent, and again.
    Then: it is uploaded once as multipart with a boundary, its bytes and name unchanged, and no text is posted beside it.
    """
    content = bytes(range(256)) * 3000
    entry = local_file(server, tmp_path, 1, content, file="Überblick 2026.bin", note=note)

    pushed(server, mirrored, entries=[entry])
    pushed(server, mirrored, entries=[entry])

    (call,) = remote.asked("POST /entry")
    assert call.route == f"POST /entry/upload/{mirrored}"
    assert re.fullmatch(r"multipart/form-data; boundary=\S+", call.headers["Content-Type"])
    assert call.form["file"] == ("Überblick 2026.bin", content)
    assert call.form["isNoteEntry"][1] == (b"true" if note else b"false")
    assert call.form["fileComment"][1].startswith(b"lea, 2026-03-01 11:50:01 UTC")
    (written,) = remote.entries[mirrored]
    assert written["note"] is note


def test_a_file_whose_upload_answers_with_one_entry_is_known_too(
    server: Server, remote: Remote, mirrored: str, tmp_path: Path
) -> None:
    """
    Given: a remote that answers an upload with one entry instead of a list of them.
    When: a file is sent, and then gets the incoming tag there.
    Then: it does not come back in.
    """
    entry = remote.write_file(mirrored, "a.bin", b"a")
    remote.fail("POST /entry/upload", json={"entries": {"id": entry["id"]}})

    pushed(server, mirrored, entries=[local_file(server, tmp_path, 1, b"a")])

    assert server.pull(mirrored)[1] == []


def test_a_file_name_that_points_elsewhere_goes_as_a_plain_name(
    server: Server, remote: Remote, mirrored: str, tmp_path: Path
) -> None:
    """
    Given: a local file with a name that holds folders, quotes and line breaks.
    When: it is sent.
    Then: the remote gets a plain name.
    """
    pushed(server, mirrored, entries=[local_file(server, tmp_path, 1, b"a", file='../x/a\r\n"b.txt')])

    assert [entry["file"].replace("%22", '"') for entry in remote.entries[mirrored]] == ['a"b.txt']


def test_a_large_file_that_goes_out_is_never_in_memory_whole(
    server: Server, remote: Remote, mirrored: str, tmp_path: Path, requests_mock: Any
) -> None:
    """
    Given: a local file of 48 MiB.
    When: it is sent.
    Then: all of it goes, and it took a fraction of that in memory.
    """
    entry = local_file(server, tmp_path, 1, b"")
    with Path(server.files[entry["id"]]["path"]).open("wb") as content:
        content.truncate(LARGE)
    lengths: list[int] = []

    def swallow(request: Any) -> requests.Response | None:
        if "/entry/upload/" not in str(request.url):
            return None
        lengths.append(length_of(request.body))
        return create_response(request, json={"entries": [{"id": "1@1"}]})

    requests_mock.add_matcher(swallow)

    peak = peak_memory(lambda: pushed(server, mirrored, entries=[entry]))

    assert LARGE < lengths[0] < LARGE + 10_000
    assert peak < LARGE / 4


def length_of(body: Any) -> int:
    """Return how long the body of a request is, reading it piece by piece where it comes so."""
    if isinstance(body, bytes):
        return len(body)
    if hasattr(body, "read"):
        return sum(len(piece) for piece in iter(lambda: body.read(1 << 16), b""))
    return sum(len(piece) for piece in body)


def test_what_went_out_does_not_come_back_in(server: Server, remote: Remote, mirrored: str, tmp_path: Path) -> None:
    """
    Given: a chat, a note and a file that were sent.
    When: somebody there gives them the incoming tag, and the incident is pulled.
    Then: none comes back.
    """
    pushed(
        server,
        mirrored,
        entries=[local_entry(1, "chat"), local_entry(2, "note", note=True), local_file(server, tmp_path, 3, b"file")],
    )
    for entry in remote.entries[mirrored]:
        remote.tag(entry, "share")

    assert len(remote.entries[mirrored]) == 3
    assert server.pull(mirrored)[1] == []


@pytest.mark.parametrize(
    "fault", [{"status_code": 502}, {"answer": requests.exceptions.ConnectTimeout("x")}, error_body(403, "v8_no_permission")]
)
def test_each_entry_goes_once_after_a_failure_in_the_middle(
    server: Server, remote: Remote, mirrored: str, fault: dict[str, Any]
) -> None:
    """
    Given: three entries and a remote that fails at the second.
    When: they are sent, and the server sends all of them again.
    Then: the server sees the failure, and in the end each is there once.
    """
    entries = [local_entry(number, str(number), note=True) for number in (1, 2, 3)]
    remote.fail("POST /entry/note", skip=1, **fault)

    assert push(server, mirrored, entries=entries).error
    pushed(server, mirrored, entries=entries)

    assert sorted(text for text, _, _ in arrived(remote, mirrored)) == ["1", "2", "3"]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(error_body(413, "too_large"), id="too large"),
        pytest.param({"status_code": 500, "text": "oops"}, id="500"),
        pytest.param({"answer": requests.exceptions.ReadTimeout("slow")}, id="times out"),
    ],
)
def test_an_entry_that_never_goes_does_not_hold_up_the_others(
    server: Server, remote: Remote, mirrored: str, tmp_path: Path, fault: dict[str, Any]
) -> None:
    """
    Given: a file that never gets into an otherwise healthy remote, one that is no longer here, and a note behind them.
    When: they are sent, again and again.
    Then: the note arrives, once; the server sees an error that names the incident each time.
    """
    entries = [
        local_file(server, tmp_path, 1, b"huge"),
        local_entry(2, "", type=3, file="gone.txt", fileID="gone"),
        local_entry(3, "behind", note=True),
    ]
    remote.fail("POST /entry/upload", times=99, **fault)

    errors = [push(server, mirrored, entries=entries).error for _ in range(2)]

    assert arrived(remote, mirrored) == [("behind", "text", True)]
    assert all(f"Incident {mirrored}" in error for error in errors)


@pytest.mark.parametrize("answer", [{}, {"id": "gone", "name": "gone.txt"}, {"path": None}, None, "gone.txt"], ids=str)
def test_a_local_file_that_the_server_tells_no_path_of_is_said(
    server: Server, remote: Remote, mirrored: str, answer: Any
) -> None:
    """Given a tagged file of which the server tells no path; When it is to go; Then the error says that the file is not here."""
    server.files["2@77"] = answer

    error = push(server, mirrored, entries=[local_entry(2, "", type=3, file="gone.txt", fileID="gone")]).error

    assert "no longer on this server" in error


def test_a_local_file_that_is_gone_is_said(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an entry whose file the server no longer has.
    When: it is sent.
    Then: the error names the incident and the entry.
    """
    error = push(server, mirrored, entries=[local_entry(2, "", type=3, file="gone.txt", fileID="gone")]).error

    assert f"Incident {mirrored}" in error
    assert "2@77" in error


def test_each_edit_of_a_local_entry_goes_once_and_says_so(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an entry that went out.
    When: the server gives it again, edited, twice.
    Then: the edited text is written once.
    """
    entry = local_entry(1, "blocked 10.0.0.1")
    pushed(server, mirrored, entries=[entry])
    edited = {**entry, "contents": "blocked 10.0.0.2", "history": [{"user": "lea", "contents": "blocked 10.0.0.1"}]}
    pushed(server, mirrored, entries=[edited])
    pushed(server, mirrored, entries=[edited])

    texts = [written["contents"] for written in remote.entries[mirrored]]
    assert [text.rpartition("\n")[2] for text in texts] == ["blocked 10.0.0.1", "blocked 10.0.0.2"]
    assert ["edited" in text for text in texts] == [False, True]


def test_an_entry_that_could_not_be_made_a_note_is_not_written_twice(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: an HTML note, which takes two calls, and a remote that fails at the second.
    When: it is sent, and the server sends it again.
    Then: it is there once.
    """
    entries = [local_entry(1, "<i>a</i>", format="html", note=True)]
    remote.fail("POST /entry/note", status_code=502)

    push(server, mirrored, entries=entries)
    pushed(server, mirrored, entries=entries)

    assert [text for text, _, _ in arrived(remote, mirrored)] == ["<i>a</i>"]


@pytest.mark.parametrize("note", [True, False], ids=["note", "chat"])
def test_an_entry_whose_answer_was_lost_is_not_doubled(server: Server, remote: Remote, mirrored: str, note: bool) -> None:
    """
    Given: a remote that writes an entry and whose answer is lost.
    When: the server sends it again, with a later one.
    Then: each is there once, and does not come back in.
    """
    remote.fail("POST /entry", requests.exceptions.ConnectionError("reset"), after=True)
    first = local_entry(1, "once", note=note)
    assert push(server, mirrored, entries=[first]).error

    pushed(server, mirrored, entries=[first, local_entry(2, "later")])

    assert [text for text, _, _ in arrived(remote, mirrored)] == ["once", "later"]
    for entry in remote.entries[mirrored]:
        remote.tag(entry, "share")
    assert server.pull(mirrored)[1] == []


def test_a_file_whose_answer_was_lost_is_not_doubled_nor_mistaken(
    server: Server, remote: Remote, mirrored: str, tmp_path: Path
) -> None:
    """
    Given: a remote that takes a file and whose answer is lost, and that has another file of the same name.
    When: the server sends it again, with a second one of the same name.
    Then: each of the two is there once.
    """
    remote.write_file(mirrored, "a.bin", b"somebody else's", tags=None, fileMetadata={"size": 15})
    entries = [local_file(server, tmp_path, 1, b"first one"), local_file(server, tmp_path, 2, b"second")]
    remote.fail("POST /entry/upload", requests.exceptions.ConnectionError("reset"), after=True)
    assert push(server, mirrored, entries=entries[:1]).error

    pushed(server, mirrored, entries=entries)

    assert [remote.files[entry["id"]] for entry in remote.entries[mirrored]] == [b"somebody else's", b"first one", b"second"]


def test_a_file_that_the_rate_limit_refused_goes_whole(server: Server, remote: Remote, mirrored: str, tmp_path: Path) -> None:
    """
    Given: a remote that reads an upload and then refuses it for its rate.
    When: the file is sent.
    Then: the next try sends all of it again.
    """
    remote.fail("POST /entry/upload", status_code=429)

    pushed(server, mirrored, entries=[local_file(server, tmp_path, 1, b"all of it")])

    assert list(remote.files.values()) == [b"all of it"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"investigationId": "", "status": 0}, "no War Room yet"),
        ({"status": 2}, "reopen it first"),
    ],
    ids=["pending", "closed"],
)
def test_entries_to_a_war_room_that_takes_none_are_an_error_and_go_later(
    server: Server, remote: Remote, fields: dict[str, Any], words: str
) -> None:
    """
    Given: a remote incident that is pending, without a War Room, or closed.
    When: an entry is sent, and again after it was opened.
    Then: the error says what to do, and the entry arrives then.
    """
    remote.add("1", **fields)
    error = push(server, "1", entries=[local_entry(1, "hello")]).error
    assert words in error
    remote.change("1", investigationId="1", status=1)

    pushed(server, "1", entries=[local_entry(1, "hello")])

    assert arrived(remote, "1") == [("hello", "text", False)]


def test_a_file_that_cannot_be_read_is_told_whatever_went_before(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: a tagged file that is no longer on this server, and another entry that went.
    When: the file is offered before and after that.
    Then: each time the update fails and says so.
    """
    gone = local_entry(2, "", type=3, file="gone.bin", fileID="x", category="")
    before = push(server, mirrored, entries=[gone]).error
    pushed(server, mirrored, entries=[local_entry(1, "first")])

    after = push(server, mirrored, entries=[gone]).error

    assert "no longer on this server" in before
    assert "no longer on this server" in after
