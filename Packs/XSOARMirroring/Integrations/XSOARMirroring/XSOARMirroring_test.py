"""Tests of `main`; the others are in unit_tests, a file for each topic, with the server and the remote of all in stand_ins.py."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stand_ins import KEY, LAST_UPDATE, Remote, Server, attach, local_entry, local_file, modified, push, pushed


def test_an_unknown_command_is_refused(server: Server, remote: Remote) -> None:
    """
    Given: a command that the integration does not have.
    When: it runs.
    Then: it is refused by its name, and nothing is asked.
    """
    with pytest.raises(NotImplementedError, match="xsoar-unknown"):
        server.run("xsoar-unknown")

    assert remote.calls == []


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("fetch-incidents", {}),
        ("get-modified-remote-data", {"lastUpdate": LAST_UPDATE}),
        ("get-remote-data", {"id": "1", "lastUpdate": LAST_UPDATE}),
        ("update-remote-system", {"remoteId": "1", "delta": {"details": "x"}, "incidentChanged": True}),
        ("get-mapping-fields", {}),
        ("xsoar-search-incidents", {}),
        ("xsoar-get-incident", {"id": "1"}),
        ("xsoar-mirror-diff", {"id": "1", "incident": {"name": "x"}}),
        ("xsoar-mirror-resync", {"id": "1"}),
    ],
)
@pytest.mark.parametrize("problem", ["settings", "remote"])
def test_every_command_fails_with_a_sentence(
    server: Server, remote: Remote, command: str, args: dict[str, Any], problem: str
) -> None:
    """
    Given: a missing key, or a remote that refuses it.
    When: any command runs.
    Then: it fails with one sentence about the key and keeps nothing; only a round tells the server to skip the update.
    """
    server.params["credentials_api_key"] = {"identifier": "7", "password": "" if problem == "settings" else "wrong"}

    error = server.fails(command, **args)

    assert "API Key is missing" in error or "refused the API key (401)" in error
    assert ("skip update" in error) is (command == "get-modified-remote-data")
    last_run, last_mirror_run, context = server.memory()
    # An incident that was asked for, or that an update failed of, is to be told.
    context.pop("1" if command in ("get-remote-data", "update-remote-system") else "", None)
    assert (last_run, last_mirror_run, context) == ({}, {}, {})


@pytest.mark.parametrize(("debug", "level"), [(True, "info"), (False, "debug")])
def test_debug_mode_writes_our_lines_at_info_level(server: Server, remote: Remote, debug: bool, level: str) -> None:
    """
    Given: the switch Debug mode, on or off.
    When: a fetch runs.
    Then: the line that counts the incidents is at info level only when it is on.
    """
    server.params["debug_mode"] = debug
    remote.add()

    server.fetch()

    assert [line for line in server.lines(level) if "1 new incidents" in line]
    assert not [line for line in server.lines("debug" if debug else "info") if "1 new incidents" in line]


@pytest.mark.parametrize("debug", [True, False], ids=["debug mode", "no debug mode"])
def test_no_log_line_holds_a_text_or_the_key(server: Server, remote: Remote, clock: Any, tmp_path: Path, debug: bool) -> None:
    """
    Given: an incident, entries and files with words of people in every place, in and out.
    When: every command runs, also with failures.
    Then: no log line holds one of those words, or the key.
    """
    server.params["debug_mode"] = debug
    remote.add("1", name="the-name", details="the-details", CustomFields={"customerticket": "the-ticket"})
    attach(remote, "1", "the-attachment.txt", b"the-attached-text")
    attach(remote, "1", "the-lost-attachment.txt", b"x")
    del remote.files["2@1"]
    server.fetch()
    clock.tick(timedelta(minutes=1))
    remote.write("1", "the-chat", user="the-author")
    remote.write_file("1", "the-file.txt", b"the-file-text")
    remote.close("1", "the-reason", "the-closing")
    modified(server)
    server.pull("1")
    remote.change("1", status=1)
    update = {
        "data": {"closeReason": "the-local-reason", "closeNotes": "the-local-closing"},
        "delta": {"details": "the-new-details", "unknown": "the-dropped-value", "dbotX": "the-owned-value"},
        "entries": [
            local_entry(1, "the-outgoing-chat"),
            local_file(server, tmp_path, 2, b"the-bytes", file="the-local-file.txt"),
        ],
    }
    remote.fail("POST /entry/upload", status_code=502)
    assert push(server, "1", **update).error
    pushed(server, "1", **update)
    pushed(server, "1", **update, status=2)
    pushed(server, "1", **update, status=1)
    server.run("get-remote-data", {"id": "999", "lastUpdate": LAST_UPDATE})
    server.ok("get-mapping-fields")
    server.ok("xsoar-search-incidents")
    server.ok("xsoar-get-incident", id="1", categories="chats,notes,attachments")
    remote.fail("", times=99, status_code=502)
    for command, args in (("fetch-incidents", {}), ("get-remote-data", {"id": "1", "lastUpdate": LAST_UPDATE})):
        server.fails(command, **args)

    assert server.log
    assert not [line for _, line in server.log if "the-" in line or KEY in line]


def test_a_key_that_cannot_be_sent_is_not_logged(server: Server, remote: Remote) -> None:
    """
    Given: a key with a line break inside, which no request can carry.
    When: a fetch runs.
    Then: the error is about the key, and neither it nor the log shows it.
    """
    server.params["credentials_api_key"]["password"] = "first-half\nsecond-half"

    error = server.fails("fetch-incidents")

    assert "API Key" in error
    assert "half" not in error
    assert not [line for _, line in server.log if "half" in line]
