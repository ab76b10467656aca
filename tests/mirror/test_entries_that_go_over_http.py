"""Which War Room entries cross and as what: none goes back where it came from, none stays for its name, its kind stays."""

import base64
from typing import Any

import pytest

from tests.mirror.test_exact_over_http import chat, last_lines
from tests.mirror.two_tenants import IN_TAG, INSTANCE, OUT_TAG, Mirror, Site

NOTE_ENTRY, FILE_ENTRY, IMAGE_ENTRY = 1, 3, 7
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
HALF = "\ud83d"  # The first half of a surrogate pair.


def tag_all(made: Mirror, local_id: str, *tags: str) -> None:
    """Give all entries of a local War Room further tags, as a script may."""
    for entry in made.here.entries(local_id):
        made.here.change_entry(entry["id"], tags=[*(entry["tags"] or []), *tags])


# What came in


@pytest.mark.parametrize("kind", ["chat", "note", "html", "file", "image"])
def test_what_came_in_does_not_go_back(remote: Mirror, kind: str) -> None:
    """
    Given: an entry that came in.
    When: it is given the outgoing tag here.
    Then: it is not sent, and what was written here is.
    """
    remote_id = remote.remote_incident()
    local_id = remote.fetched_once()
    file = (f"in.{kind}", PIXEL) if kind in ("file", "image") else None
    remote.there.add_entry(
        remote_id,
        contents="came in",
        user="carla",
        entry_type=IMAGE_ENTRY if kind == "image" else FILE_ENTRY if file else NOTE_ENTRY,
        format="html" if kind == "html" else "text",
        note=kind == "note",
        tags=[IN_TAG],
        file=file,
    )
    remote.until_quiet()
    before = last_lines(remote.there, remote_id)
    assert len(remote.here.entries(local_id)) == 1
    chat(remote.here, local_id, "written here")
    tag_all(remote, local_id, OUT_TAG)
    remote.until_quiet()
    remote.rounds()

    assert last_lines(remote.there, remote_id) == [*before, "written here"]
    assert len(remote.here.entries(local_id)) == 2


def test_an_attachment_of_the_fetch_does_not_go_back(remote: Mirror) -> None:
    """
    Given: an incident fetched with two files.
    When: a script tags all entries here.
    Then: no file is sent back.
    """
    created = remote.there.create_incident(
        {"name": "with files", "type": "Phishing"}, user="carla", attachments=[("a.bin", b"a"), ("b.bin", b"b")]
    )
    assert created is not None
    local_id = remote.fetched_once()
    assert sorted(last_lines(remote.here, local_id)) == ["a.bin", "b.bin"]
    tag_all(remote, local_id, OUT_TAG)
    remote.until_quiet()
    remote.rounds()

    assert sorted(last_lines(remote.there, created["id"])) == ["a.bin", "b.bin"]
    assert sorted(last_lines(remote.here, local_id)) == ["a.bin", "b.bin"]


def test_history_does_not_go_back(site: Site) -> None:
    """
    Given: an incident fetched with its history.
    When: a script tags all entries here.
    Then: none is sent back.
    """
    made = site.mirror("8", "8")
    made.configure(fetch_incident_history=True)
    remote_id = made.remote_incident()
    for number in range(3):
        chat(made.there, remote_id, f"entry {number}", IN_TAG)
    made.there.add_entry(remote_id, user="carl", entry_type=FILE_ENTRY, tags=[IN_TAG], file=("a.bin", b"a"))
    local_id = made.fetched_once()
    made.until_quiet()
    before = last_lines(made.there, remote_id)
    assert sorted(last_lines(made.here, local_id)) == sorted(before)
    tag_all(made, local_id, OUT_TAG)
    made.until_quiet()
    assert made.rounds() == []

    assert last_lines(made.there, remote_id) == before


def test_a_file_of_the_same_name_written_here_goes(remote: Mirror) -> None:
    """
    Given: a file that came in.
    When: another of the same name is added here, both tagged.
    Then: that one is sent, once.
    """
    remote_id = remote.remote_incident()
    local_id = remote.fetched_once()
    remote.there.add_entry(remote_id, user="carl", entry_type=FILE_ENTRY, tags=[IN_TAG], file=("report.txt", b"from there"))
    remote.until_quiet()
    remote.here.add_entry(local_id, user="hugo", entry_type=FILE_ENTRY, file=("report.txt", b"from here, longer"))
    tag_all(remote, local_id, OUT_TAG)
    remote.until_quiet()
    remote.rounds()

    files = [remote.there.entry_file(entry["id"])[1].read_bytes() for entry in remote.there.entries(remote_id)]
    assert files == [b"from there", b"from here, longer"]


# The tag of the instance


@pytest.mark.parametrize("kind", ["chat", "file"])
def test_an_entry_with_the_tag_that_was_renamed(remote: Mirror, kind: str) -> None:
    """
    Given: an incident fetched with one outgoing tag.
    When: the tag is renamed.
    Then: an entry with the old one goes, once.
    """
    remote_id = remote.remote_incident()
    local_id = remote.fetched_once()
    remote.until_quiet()
    remote.configure(mirror_tag="ToCustomer")
    if kind == "chat":
        chat(remote.here, local_id, "old tag", OUT_TAG)
    else:
        remote.here.add_entry(local_id, user="hugo", entry_type=FILE_ENTRY, tags=[OUT_TAG], file=("old tag", b"x"))
    chat(remote.here, local_id, "no tag")
    remote.until_quiet()
    remote.rounds()

    assert last_lines(remote.there, remote_id) == ["old tag"]


def test_an_incident_fetched_after_the_tag_was_renamed(site: Site) -> None:
    """
    Given: a renamed tag.
    When: an old and a new incident get entries.
    Then: each sends those with the tag it was fetched with.
    """
    made = site.mirror("8", "8")
    made.configure()
    old = made.remote_incident(name="old")
    made.fetch_all()
    made.configure(mirror_tag="ToCustomer")
    new = made.remote_incident(name="new")
    made.fetch_all()
    for remote_id in (old, new):
        chat(made.here, made.local_id(remote_id), "old tag", OUT_TAG)
        chat(made.here, made.local_id(remote_id), "new tag", "ToCustomer")
    made.until_quiet()

    assert last_lines(made.there, old) == ["old tag"]
    assert last_lines(made.there, new) == ["new tag"]


# Names and texts


NAMES = {
    "quote": 'a "quoted" name.txt',
    "percent": "100%22 sure.txt",
    "backslash": "back\\slash.txt",
    "apostrophe": "it's.txt",
    "non-ASCII": "Übersicht größer.txt",
    "emoji": "smile \U0001f600.txt",
    "semicolon": "a; filename=b.txt",
    "spaces": "  two  spaces .txt",
}


@pytest.mark.parametrize("there", ["6", "8"])
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_file_whose_upload_was_done_and_not_answered(site: Site, name: str, there: str) -> None:
    """
    Given: a file of any name.
    When: the answer of its upload is lost.
    Then: the file is there once, and stays so.
    """
    made = site.mirror("8", there)
    made.configure()
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    made.until_quiet()
    made.here.add_entry(local_id, user="hugo", entry_type=FILE_ENTRY, tags=[OUT_TAG], file=(name, b"content"))

    def lose(request: Any, number: int) -> None:
        if "/entry/upload" in request.url.path and not made.interference.lost_answers:
            made.interference.lost_answers.add(number)

    made.interference.before = lose
    assert made.host.mirror(INSTANCE).errors
    assert made.interference.lost_answers
    made.interference.forget()
    for _ in range(3):
        made.host.mirror(INSTANCE)
    made.until_quiet()

    files = [made.there.entry_file(entry["id"])[1].read_bytes() for entry in made.there.entries(remote_id)]
    assert files == [b"content"]


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_file_of_any_name_comes_in_once(site: Site, name: str) -> None:
    """
    Given: a remote file of any name.
    When: rounds run.
    Then: it is here once, with its content, and is not sent back.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    made.there.add_entry(remote_id, user="carl", entry_type=FILE_ENTRY, tags=[IN_TAG], file=(name, b"content"))
    made.until_quiet()
    tag_all(made, local_id, OUT_TAG)
    made.until_quiet()
    assert made.rounds() == []

    for tenant, incident_id in ((made.here, local_id), (made.there, remote_id)):
        assert [tenant.entry_file(entry["id"])[1].read_bytes() for entry in tenant.entries(incident_id)] == [b"content"]


@pytest.mark.parametrize("kind", ["comment of a file", "name of a file", "chat", "note", "html"])
def test_half_a_surrogate(site: Site, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """
    Given: a text with half of a surrogate pair.
    When: it is to go out.
    Then: it goes, the half replaced, and no round fails.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    has_file = "file" in kind
    made.here.add_entry(
        local_id,
        contents="before  after",
        user="hugo",
        entry_type=FILE_ENTRY if has_file else NOTE_ENTRY,
        format="html" if kind == "html" else "text",
        category="" if has_file else "note" if kind == "note" else "chat",
        note=kind == "note",
        tags=[OUT_TAG],
        file=("a.bin", b"content") if has_file else None,
    )
    # The tenant itself repairs what it is given, which a server need not do.
    entries = made.here.entries
    broken = {"file": f"a{HALF}.bin"} if kind == "name of a file" else {"contents": f"before {HALF} after"}
    monkeypatch.setattr(made.here, "entries", lambda *args: [{**entry, **broken} for entry in entries(*args)])
    made.until_quiet()
    assert made.rounds() == []

    (sent,) = made.there.entries(remote_id)
    if kind == "name of a file":
        assert (sent["file"][0], sent["file"][-4:]) == ("a", ".bin")
    else:
        assert "before " in sent["contents"]
        assert " after" in sent["contents"]
    if has_file:
        assert made.there.entry_file(sent["id"])[1].read_bytes() == b"content"


def test_half_a_surrogate_in_a_field(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: a field with half of a surrogate pair.
    When: it is to go out.
    Then: it goes, the half replaced, and no round fails.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    made.here.change_incident(local_id, {"details": "before  after", "severity": 3}, user="hanna")
    incident = made.here.incident

    def broken(incident_id: str) -> dict[str, Any]:
        return {**incident(incident_id), "details": f"before {HALF} after"}

    monkeypatch.setattr(made.here, "incident", broken)
    made.round()
    monkeypatch.undo()
    made.until_quiet()

    there = made.there.incident(remote_id)
    assert (there["details"].partition(" ")[0], there["details"].rpartition(" ")[2], there["severity"]) == ("before", "after", 3)


# Kinds of entries


@pytest.mark.parametrize("name", ["screen.png", "photo.JPG", "drawn.svg"])
def test_an_image_comes_in_as_an_image(remote: Mirror, name: str) -> None:
    """
    Given: a picture in the remote War Room, and a file.
    When: they come in.
    Then: the one is a picture, the other a file.
    """
    remote_id = remote.remote_incident()
    local_id = remote.fetched_once()
    remote.there.add_entry(remote_id, user="carl", entry_type=IMAGE_ENTRY, tags=[IN_TAG], file=(name, PIXEL))
    remote.there.add_entry(remote_id, user="carl", entry_type=FILE_ENTRY, tags=[IN_TAG], file=("report.bin", b"x"))
    remote.until_quiet()

    kinds = [(entry["file"], entry["type"]) for entry in remote.here.entries(local_id)]
    assert kinds == [(name, IMAGE_ENTRY), ("report.bin", FILE_ENTRY)]
    assert remote.here.entry_file(remote.here.entries(local_id)[0]["id"])[1].read_bytes() == PIXEL


def test_an_image_whose_download_fails_at_first(site: Site) -> None:
    """
    Given: a picture whose first download fails.
    When: it comes with a later round.
    Then: it is a picture all the same, once.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    made.there.add_entry(remote_id, user="carl", entry_type=IMAGE_ENTRY, tags=[IN_TAG], file=("screen.png", PIXEL))
    made.interference.before = lambda request, number: made.there.hide(remote_id) if "/download" in request.url.path else None
    made.host.mirror(INSTANCE)
    made.interference.forget()
    made.there.show(remote_id)
    for _ in range(3):
        made.pass_time(hours=1)
        made.host.mirror(INSTANCE)
    made.until_quiet()

    assert [(entry["file"], entry["type"]) for entry in made.here.entries(local_id)] == [("screen.png", IMAGE_ENTRY)]


@pytest.mark.parametrize("kind", [FILE_ENTRY, IMAGE_ENTRY])
def test_a_file_that_is_a_note_comes_in_as_a_note(remote: Mirror, kind: int) -> None:
    """
    Given: a remote file that is marked as a note, and one that is not.
    When: both come in.
    Then: each is here as it is there.
    """
    remote_id = remote.remote_incident()
    local_id = remote.fetched_once()
    for name, note in (("evidence.png", True), ("plain.png", False)):
        remote.there.add_entry(remote_id, user="carl", entry_type=kind, note=note, tags=[IN_TAG], file=(name, PIXEL))
    remote.until_quiet()

    came = [(entry["file"], entry["note"], entry["type"]) for entry in remote.here.entries(local_id)]
    assert came == [("evidence.png", True, kind), ("plain.png", False, kind)]


def test_a_file_that_is_a_note_goes_out_as_a_note(remote: Mirror) -> None:
    """
    Given: a local file that is marked as a note, and one that is not.
    When: both go out.
    Then: each is there as it is here.
    """
    remote_id = remote.remote_incident()
    local_id = remote.fetched_once()
    for name, note in (("evidence.bin", True), ("plain.bin", False)):
        remote.here.add_entry(local_id, user="hugo", entry_type=FILE_ENTRY, note=note, tags=[OUT_TAG], file=(name, b"x"))
    remote.until_quiet()

    assert [(entry["file"], entry["note"]) for entry in remote.there.entries(remote_id)] == [
        ("evidence.bin", True),
        ("plain.bin", False),
    ]


def test_a_file_that_is_a_note_whose_upload_was_done_and_not_answered(site: Site) -> None:
    """
    Given: a file that is a note.
    When: the answer of its upload is lost.
    Then: it is there once, as a note.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    made.here.add_entry(local_id, user="hugo", entry_type=FILE_ENTRY, note=True, tags=[OUT_TAG], file=("a.bin", b"x"))

    def lose(request: Any, number: int) -> None:
        if "/entry/upload" in request.url.path and not made.interference.lost_answers:
            made.interference.lost_answers.add(number)

    made.interference.before = lose
    assert made.host.mirror(INSTANCE).errors
    made.interference.forget()
    for _ in range(3):
        made.host.mirror(INSTANCE)

    assert [(entry["file"], entry["note"]) for entry in made.there.entries(remote_id)] == [("a.bin", True)]
