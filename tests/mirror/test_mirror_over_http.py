"""Mirroring over HTTP, in each pairing of versions: what changes on one side is on the other, once."""

import hashlib
from typing import Any

import pytest
from starlette.responses import JSONResponse

from local_xsoar.comparison import compare_incidents
from tests.mirror.two_tenants import IN_TAG, INSTANCE, INTEGRATION, OUT_TAG, Mirror, Site, succeeded, working_params


def texts(mirror: Mirror, local_id: str) -> list[str]:
    """Return the texts in the War Room of a local incident."""
    return [str(entry["contents"]) for entry in mirror.here.entries(local_id)]


def differences(mirror: Mirror, local_id: str, remote_id: str) -> list[Any]:
    """Return in what two incidents that mirror each other differ."""
    findings = compare_incidents(mirror.here, local_id, mirror.there, remote_id, in_tag=IN_TAG, out_tag=OUT_TAG)
    return [finding for finding in findings if not finding.equal]


def test_fields_come_in(mirror: Mirror) -> None:
    """
    Given: a mirrored incident.
    When: fields and custom fields of the remote change.
    Then: the local ones follow.
    """
    remote_id = mirror.remote_incident()
    local_id = mirror.fetched_once()
    mirror.there.change_incident(remote_id, {"severity": 4, "phase": "Triage", "CustomFields": {"ticket": "C-7"}}, user="carl")

    mirror.until_quiet()

    local = mirror.here.incident(local_id)
    assert (local["severity"], local["phase"], local["CustomFields"]["ticket"]) == (4, "Triage", "C-7")
    assert local["dbotMirrorId"] == remote_id


def test_two_changes_within_a_second(mirror: Mirror) -> None:
    """
    Given: a change that was mirrored.
    When: another follows a few milliseconds later.
    Then: it arrives too.
    """
    remote_id = mirror.remote_incident()
    local_id = mirror.fetched_once()
    for severity in (2, 3, 4):
        mirror.there.change_incident(remote_id, {"severity": severity})
        mirror.round()

    assert mirror.here.incident(local_id)["severity"] == 4


def test_entries_come_in_once(mirror: Mirror) -> None:
    """
    Given: entries with and without the tag.
    When: mirroring for several rounds.
    Then: the tagged ones are here once.
    """
    remote_id = mirror.remote_incident()
    local_id = mirror.fetched_once()
    mirror.there.add_entry(remote_id, contents="a chat", user="carla", category="chat", tags=[IN_TAG])
    mirror.there.add_entry(
        remote_id, contents="a **note**", user="carl", format="markdown", category="note", note=True, tags=[IN_TAG]
    )
    mirror.there.add_entry(remote_id, contents="internal", user="carl", category="chat")
    mirror.until_quiet()
    mirror.there.change_incident(remote_id, {"severity": 2})
    mirror.until_quiet()

    entries = mirror.here.entries(local_id)

    assert [(entry["format"], entry["note"], entry["contents"].rpartition("\n")[2]) for entry in entries] == [
        ("text", False, "a chat"),
        ("markdown", True, "a **note**"),
    ]
    assert "carla" in entries[0]["contents"]
    assert "carl" in entries[1]["contents"]


def test_an_entry_that_is_tagged_late(mirror: Mirror) -> None:
    """
    Given: an untagged entry and a later one that was mirrored.
    When: it is tagged.
    Then: it alone comes.
    """
    remote_id = mirror.remote_incident()
    local_id = mirror.fetched_once()
    old = mirror.there.add_entry(remote_id, contents="written first", user="carla", category="chat")
    mirror.there.add_entry(remote_id, contents="tagged at once", user="carla", category="chat", tags=[IN_TAG])
    mirror.until_quiet()
    mirror.there.change_entry(old["id"], tags=[IN_TAG])
    mirror.until_quiet()

    assert [text.rpartition("\n")[2] for text in texts(mirror, local_id)] == ["tagged at once", "written first"]


def test_files_come_in(mirror: Mirror) -> None:
    """
    Given: a tagged file.
    When: mirroring.
    Then: it is here under its name, byte for byte, once.
    """
    content = bytes(range(256)) * 100
    remote_id = mirror.remote_incident()
    local_id = mirror.fetched_once()
    mirror.there.add_entry(remote_id, user="carl", entry_type=3, tags=[IN_TAG], file=("capture.pcap", content))

    mirror.until_quiet()

    (entry,) = mirror.here.entries(local_id)
    name, path = mirror.here.entry_file(entry["id"])
    assert (name, path.read_bytes()) == ("capture.pcap", content)


@pytest.mark.parametrize("page_keeps", ["newest", "oldest"])
def test_more_entries_than_a_page(site: Site, page_keeps: str) -> None:
    """
    Given: more tagged entries than a page.
    When: mirroring.
    Then: all are here, in their order, whichever end a page keeps.
    """
    made = site.mirror("8", "8", page_keeps=page_keeps)
    made.configure()
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    with made.there.batch():
        for number in range(1105):
            made.there.add_entry(remote_id, contents=f"entry {number}", user="carla", category="chat", tags=[IN_TAG])

    made.until_quiet()

    assert [text.rpartition("\n")[2] for text in texts(made, local_id)] == [f"entry {number}" for number in range(1105)]


@pytest.mark.parametrize("history", [True, False])
@pytest.mark.parametrize("entry_moves_modified", [True, False])
def test_history(site: Site, history: bool, entry_moves_modified: bool) -> None:
    """
    Given: entries that were written before the fetch.
    When: mirroring with history on or off.
    Then: they come, or do not.
    """
    made = site.mirror("8", "6", entry_moves_modified=entry_moves_modified)
    made.configure(fetch_incident_history=history)
    made.clock.offset_seconds = -60
    remote_id = made.remote_incident()
    made.there.add_entry(remote_id, contents="from before", user="carla", category="chat", tags=[IN_TAG])
    # What was written before the last change in the remote is history. An entry may not be one.
    made.there.change_incident(remote_id, {"severity": 3}, user="carla")
    made.clock.offset_seconds = 0
    local_id = made.fetched_once()
    made.until_quiet()
    made.there.add_entry(remote_id, contents="from after", user="carla", category="chat", tags=[IN_TAG])
    made.until_quiet()

    expected = ["from before", "from after"] if history else ["from after"]
    assert [text.rpartition("\n")[2] for text in texts(made, local_id)] == expected


def test_an_attachment_that_is_tagged_too(site: Site) -> None:
    """
    Given: a tagged attachment, and history.
    When: fetching and mirroring.
    Then: the file is here once.
    """
    made = site.mirror("8", "8")
    made.configure(fetch_incident_history=True)
    attached = made.there.create_incident({"name": "with a file"}, attachments=[("a.txt", b"a")])
    assert attached is not None
    (entry,) = made.there.entries(attached["id"])
    made.there.change_entry(entry["id"], tags=[IN_TAG])
    local_id = made.fetched_once()
    made.until_quiet()

    assert [entry["file"] for entry in made.here.entries(local_id)] == ["a.txt"]


def test_no_incoming_tags(site: Site) -> None:
    """
    Given: no incoming tag.
    When: mirroring.
    Then: no entry comes, and the War Room is not even asked.
    """
    made = site.mirror()
    made.configure(tags="")
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    made.there.add_entry(remote_id, contents="a chat", category="chat", tags=[IN_TAG])
    made.until_quiet()

    assert texts(made, local_id) == []
    assert not [path for path in made.interference.paths if "/investigation/" in path]


def test_any_of_several_tags_and_categories(site: Site) -> None:
    """
    Given: two incoming tags and notes only.
    When: mirroring.
    Then: notes with either tag come, and no chat.
    """
    made = site.mirror("8", "6")
    made.configure(tags="one, two", categories=["notes"])
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    for number, (note, tags) in enumerate([(True, ["one"]), (True, ["two", "x"]), (True, ["x"]), (False, ["one"])]):
        made.there.add_entry(remote_id, contents=f"entry {number}", category="note" if note else "chat", note=note, tags=tags)
    made.until_quiet()

    assert [text.rpartition("\n")[2] for text in texts(made, local_id)] == ["entry 0", "entry 1"]


def test_closing_and_reopening_come_in(mirror: Mirror) -> None:
    """
    Given: a mirrored incident.
    When: the remote closes and reopens it.
    Then: the local one follows, with reason and notes.
    """
    remote_id = mirror.remote_incident()
    local_id = mirror.fetched_once()
    mirror.there.close_incident(remote_id, reason="Resolved", notes="All clean.", user="carla")
    mirror.until_quiet()
    closed = mirror.here.incident(local_id)
    mirror.there.reopen_incident(remote_id, user="carla")
    mirror.there.add_entry(remote_id, contents="once more", user="carla", category="chat", tags=[IN_TAG])
    mirror.until_quiet()

    assert (closed["status"], closed["closeReason"], closed["closeNotes"]) == (2, "Resolved", "All clean.")
    assert mirror.here.incident(local_id)["status"] == 1
    assert texts(mirror, local_id)[-1].endswith("once more")


def test_a_local_reopening_is_not_shut_again(mirror: Mirror) -> None:
    """
    Given: an incident that the remote closed.
    When: it is reopened here and the remote changes.
    Then: it stays open.
    """
    remote_id = mirror.remote_incident()
    local_id = mirror.fetched_once()
    mirror.there.close_incident(remote_id, reason="Resolved")
    mirror.until_quiet()
    mirror.here.reopen_incident(local_id, user="hanna")
    mirror.until_quiet()
    mirror.there.change_incident(remote_id, {"details": "a word more"})
    mirror.until_quiet()

    assert mirror.here.incident(local_id)["status"] == 1


def test_closing_does_not_come_in_when_switched_off(site: Site) -> None:
    """
    Given: close_incident off.
    When: the remote closes.
    Then: the local incident stays open.
    """
    made = site.mirror()
    made.configure(close_incident=False)
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    made.there.close_incident(remote_id, reason="Resolved")
    made.until_quiet()

    assert made.here.incident(local_id)["status"] == 1


def test_an_incident_that_is_closed_when_it_is_fetched(mirror: Mirror) -> None:
    """
    Given: a closed remote incident.
    When: it is fetched and mirrored.
    Then: the local one is closed.
    """
    remote_id = mirror.remote_incident()
    mirror.there.close_incident(remote_id, reason="Duplicate", notes="See 1.")
    local_id = mirror.fetched_once()
    mirror.until_quiet()

    local = mirror.here.incident(local_id)
    assert (local["status"], local["closeReason"], local["closeNotes"]) == (2, "Duplicate", "See 1.")


def test_fields_go_out(mirror: Mirror) -> None:
    """
    Given: a mirrored incident.
    When: local fields change.
    Then: the remote has them, and all else there is as it was.
    """
    remote_id = mirror.remote_incident(details="keep me", CustomFields={"kept": "yes", "ticket": "C-1"})
    local_id = mirror.fetched_once()
    before = mirror.there.incident(remote_id)
    mirror.here.change_incident(local_id, {"severity": 3, "CustomFields": {"ticket": "H-2", "added": "new"}}, user="hanna")

    mirror.until_quiet()

    after = mirror.there.incident(remote_id)
    assert (after["severity"], after["CustomFields"]["ticket"], after["CustomFields"]["added"]) == (3, "H-2", "new")
    moved = {"severity", "CustomFields", "version", "modified", "sizeInBytes", "cacheVersn", "sequenceNumber"}
    assert {key: value for key, value in after.items() if key not in moved} == {
        key: value for key, value in before.items() if key not in moved
    }
    assert after["CustomFields"]["kept"] == "yes"


def test_a_remote_change_in_the_meantime_survives(mirror: Mirror) -> None:
    """
    Given: a local change.
    When: the remote changes another field meanwhile.
    Then: both changes are on both sides.
    """
    remote_id = mirror.remote_incident()
    local_id = mirror.fetched_once()
    mirror.here.change_incident(local_id, {"severity": 3}, user="hanna")
    rivals: list[Any] = []

    def rival(request: Any, number: int) -> None:
        if request.method == "POST" and request.url.path.endswith("/incident") and not rivals:
            rivals.append(mirror.there.change_incident(remote_id, {"phase": "Triage"}))

    mirror.interference.before = rival
    mirror.round()
    mirror.interference.forget()
    mirror.until_quiet()

    assert rivals
    assert differences(mirror, local_id, remote_id) == []
    assert mirror.here.incident(local_id)["phase"] == "Triage"
    assert mirror.there.incident(remote_id)["severity"] == 3


def test_entries_go_out_once(mirror: Mirror) -> None:
    """
    Given: tagged entries, one of them like a command.
    When: mirroring.
    Then: each is there once, signed, and none ran.
    """
    remote_id = mirror.remote_incident()
    local_id = mirror.fetched_once()
    mirror.here.add_entry(local_id, contents="a chat", user="hanna", category="chat", tags=[OUT_TAG])
    mirror.here.add_entry(
        local_id, contents="a **note**", user="hugo", format="markdown", category="note", note=True, tags=[OUT_TAG]
    )
    mirror.here.add_entry(local_id, contents="!DeleteAll", user="hugo", category="chat", tags=[OUT_TAG])
    mirror.here.add_entry(local_id, contents="internal", user="hugo", category="chat")
    mirror.until_quiet()
    mirror.here.change_incident(local_id, {"severity": 2}, user="hanna")
    mirror.until_quiet()

    entries = mirror.there.entries(remote_id)
    assert [(entry["note"], entry["contents"].rpartition("\n")[2]) for entry in entries] == [
        (False, "a chat"),
        (True, "a **note**"),
        (False, "!DeleteAll"),
    ]
    assert [name in entry["contents"] for name, entry in zip(["hanna", "hugo", "hugo"], entries, strict=True)] == [True] * 3
    assert not any(entry["category"] == "commandAndResults" for entry in entries)


def test_a_file_goes_out(mirror: Mirror) -> None:
    """
    Given: a tagged local file.
    When: mirroring.
    Then: it is there under its name, byte for byte, and nothing beside it.
    """
    content = bytes(range(256)) * 50
    remote_id = mirror.remote_incident()
    local_id = mirror.fetched_once()
    mirror.here.add_entry(local_id, user="hugo", entry_type=3, tags=[OUT_TAG], file=("list of hosts.csv", content))
    mirror.until_quiet()

    (entry,) = mirror.there.entries(remote_id)
    assert entry["file"] == "list of hosts.csv"
    assert mirror.there.entry_file(entry["id"])[1].read_bytes() == content
    assert entry["fileMetadata"]["sha256"] == hashlib.sha256(content).hexdigest()


def test_entries_after_a_failure_in_the_middle(remote: Mirror) -> None:
    """
    Given: three tagged entries.
    When: the second fails.
    Then: the next round sends the rest, none twice.
    """
    remote_id = remote.remote_incident()
    local_id = remote.fetched_once()
    for number in range(3):
        remote.here.add_entry(local_id, contents=f"entry {number}", user="hanna", category="chat", tags=[OUT_TAG])
    written: list[int] = []

    def fail_second(request: Any, number: int) -> None:
        if "/entry/formatted" in request.url.path:
            written.append(number)
            if len(written) == 2:
                remote.interference.answers[number] = lambda: JSONResponse({"error": "broken"}, status_code=500)

    remote.interference.before = fail_second
    failed = remote.host.mirror(INSTANCE)
    remote.interference.forget()
    remote.until_quiet()

    assert len(failed.errors) == 1
    assert [entry["contents"].rpartition("\n")[2] for entry in remote.there.entries(remote_id)] == [
        "entry 0",
        "entry 1",
        "entry 2",
    ]


def test_what_went_out_does_not_come_back(site: Site) -> None:
    """
    Given: an entry that went out.
    When: the remote tags it for coming in.
    Then: it does not come back.
    """
    made = site.mirror("8", "6")
    made.configure()
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    made.here.add_entry(local_id, contents="from here", user="hanna", category="chat", tags=[OUT_TAG])
    made.until_quiet()
    (sent,) = made.there.entries(remote_id)
    made.there.change_entry(sent["id"], tags=[IN_TAG])
    made.until_quiet()

    assert texts(made, local_id) == ["from here"]


def test_what_came_in_does_not_go_back(site: Site) -> None:
    """
    Given: a remote entry that carries the outgoing tag too.
    When: mirroring.
    Then: it comes in and does not go back.
    """
    made = site.mirror("6", "8")
    made.configure()
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    made.there.add_entry(remote_id, contents="from there", user="carla", category="chat", tags=[IN_TAG, OUT_TAG])
    made.until_quiet()

    assert len(texts(made, local_id)) == 1
    assert len(made.there.entries(remote_id)) == 1


def test_closing_goes_out(mirror: Mirror) -> None:
    """
    Given: a mirrored incident.
    When: it is closed here and changed later.
    Then: the remote is closed once, with notes.
    """
    remote_id = mirror.remote_incident()
    local_id = mirror.fetched_once()
    mirror.here.close_incident(local_id, reason="False Positive", notes="A test.", user="hugo")
    mirror.until_quiet()
    mirror.here.change_incident(local_id, {"details": "more"}, user="hugo")
    mirror.until_quiet()

    closed = mirror.there.incident(remote_id)
    assert (closed["status"], closed["closeReason"], closed["closeNotes"]) == (2, "False Positive", "A test.")
    assert len([path for path in mirror.interference.paths if path.endswith("/incident/close")]) == 1


@pytest.mark.parametrize(
    ("close_reasons", "reason", "notes"),
    [("listed", "Other", "Benign Positive: A test."), ("null", "Benign Positive", "A test.")],
)
@pytest.mark.parametrize("there", ["6", "8"])
def test_a_close_reason_of_our_own(site: Site, there: str, close_reasons: str, reason: str, notes: str) -> None:
    """
    Given: a close reason that the remote does not offer, or does not list.
    When: one is closed here.
    Then: nothing is lost.
    """
    made = site.mirror("8", there, close_reasons=close_reasons)
    made.configure()
    remote_id = made.remote_incident()
    made.here.close_incident(made.fetched_once(), reason="Benign Positive", notes="A test.", user="hugo")
    made.until_quiet()

    closed = made.there.incident(remote_id)
    assert (closed["status"], closed["closeReason"], closed["closeNotes"]) == (2, reason, notes)


def test_closing_does_not_go_out_when_switched_off(site: Site) -> None:
    """
    Given: close_out off.
    When: the incident is closed here.
    Then: the remote one stays open.
    """
    made = site.mirror()
    made.configure(close_out=False)
    remote_id = made.remote_incident()
    made.here.close_incident(made.fetched_once(), reason="Resolved", user="hugo")
    made.until_quiet()

    assert made.there.incident(remote_id)["status"] == 1


def test_the_two_sides_are_equal_in_the_end(mirror: Mirror) -> None:
    """
    Given: work on both sides at once.
    When: the mirror is quiet.
    Then: fields, entries and files of both sides are equal.
    """
    remote_id = mirror.remote_incident(severity=1, CustomFields={"ticket": "C-1"})
    local_id = mirror.fetched_once()
    mirror.there.change_incident(remote_id, {"severity": 3}, user="carla")
    mirror.here.change_incident(local_id, {"details": "seen here"}, user="hanna")
    mirror.there.add_entry(remote_id, user="carl", entry_type=3, tags=[IN_TAG], file=("in.bin", b"in"))
    mirror.here.add_entry(local_id, user="hugo", entry_type=3, tags=[OUT_TAG], file=("out.bin", b"out"))
    mirror.there.add_entry(remote_id, contents="in", user="carl", category="chat", tags=[IN_TAG])
    mirror.here.add_entry(local_id, contents="out", user="hugo", category="chat", tags=[OUT_TAG])

    mirror.until_quiet()

    assert differences(mirror, local_id, remote_id) == []


def test_both_tenants_run_the_pack(site: Site) -> None:
    """
    Given: two tenants that each fetch from the other.
    When: both fetch and mirror.
    Then: every incident is once on each side.
    """
    made = site.mirror("8", "6")
    made.configure()
    back = site.host(made.there)
    back.add_instance("back", INTEGRATION, working_params(made.here, site.serve(made.here)))
    made.remote_incident(name="of the customer")
    made.here.create_incident({"name": "of headquarters"}, user="hanna")

    for _ in range(3):
        succeeded(made.host.fetch(INSTANCE))
        succeeded(back.fetch("back"))
        made.round()
        assert back.mirror("back").errors == []

    for tenant in (made.here, made.there):
        found, total = tenant.search({"query": "", "size": 50})
        assert total == 2
        assert {incident["name"] for incident in found} == {"of the customer", "of headquarters"}
