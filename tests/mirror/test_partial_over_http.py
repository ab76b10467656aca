"""Mirroring over HTTP when a part of it fails for long, or two things happen at once: the rest goes on, nothing is doubled."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from tests.mirror.test_exact_over_http import chat, last_lines, local_incident
from tests.mirror.two_tenants import IN_TAG, INSTANCE, OUT_TAG, Mirror, Site


def refusing(made: Mirror, path: str, status: int, times: int = 999, skip: int = 0) -> Callable[[Any, int], None]:
    """Return what refuses some requests whose path holds a text, behind the first `skip` of them."""
    met: list[int] = []

    def refuse(request: Any, number: int) -> None:
        if path in request.url.path:
            met.append(number)
            if skip < len(met) <= skip + times:
                made.interference.answers[number] = lambda: JSONResponse({"error": "refused"}, status_code=status)

    return refuse


def test_a_creation_whose_second_entry_fails(site: Site) -> None:
    """
    Given: a local incident for the remote with two entries.
    When: the second fails at first.
    Then: all is there once.
    """
    made = site.mirror("8", "8")
    made.configure()
    local_id = local_incident(made)
    for text in ("one", "two"):
        chat(made.here, local_id, text, OUT_TAG)
    made.interference.before = refusing(made, "/entry/formatted", 500, times=1, skip=1)
    assert made.host.mirror(INSTANCE).errors
    made.interference.forget()
    made.until_quiet()

    (created,), total = made.there.search({"query": "", "size": 9})
    assert total == 1
    assert last_lines(made.there, created["id"]) == ["one", "two"]
    assert last_lines(made.here, local_id) == ["one", "two"]


def test_a_change_while_the_fetch_goes_on(site: Site) -> None:
    """
    Given: a fetch that is under way.
    When: the incident changes and a round runs meanwhile.
    Then: the change arrives.
    """
    steps: list[Callable[[], Any]] = []

    def on_call(_pid: int, name: str) -> None:
        if name == "log" and steps:
            steps.pop()()

    made = site.mirror("8", "8", on_call)
    made.configure()
    made.remote_incident(name="first")
    made.fetch_all()
    made.until_quiet()
    remote_id = made.remote_incident(name="second")

    def meanwhile() -> None:
        made.there.change_incident(remote_id, {"severity": 4})
        assert remote_id in (made.host.mirror(INSTANCE).modified or [])

    steps.append(meanwhile)
    local_id = made.fetched_once()
    made.until_quiet()

    assert not steps
    assert made.here.incident(local_id)["severity"] == 4


def test_a_closing_that_the_server_here_does_not_do(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: a remote closing that cannot be done here.
    When: the open incident is edited.
    Then: the remote stays closed.
    """
    made = site.mirror("8", "8")
    made.configure()
    other, remote_id = made.remote_incident(name="other"), made.remote_incident()
    made.fetch_all()
    made.until_quiet()
    local_id = made.local_id(remote_id)
    made.there.close_incident(remote_id, reason="Resolved", user="carla")
    with monkeypatch.context() as patched:
        # As a closing form with a required field does.
        patched.setattr(made.here, "close_incident", lambda *_args, **_kwargs: None)
        made.round()
    made.here.change_incident(local_id, {"severity": 3}, user="hanna")
    made.round()

    assert made.there.incident(remote_id)["status"] == 2
    assert made.there.incident(remote_id)["severity"] == 3
    assert made.there.entries(other) == []


@pytest.mark.parametrize("status", [500, 403])
def test_one_war_room_that_cannot_be_read(site: Site, status: int) -> None:
    """
    Given: a remote whose entries do not show, and one War Room that fails.
    When: others get entries.
    Then: these arrive.
    """
    made = site.mirror("8", "8", entry_moves_modified=False)
    made.configure()
    ids = [made.remote_incident(name=f"Incident {number}") for number in range(4)]
    made.fetch_all()
    made.until_quiet()
    for remote_id in ids[1:]:
        chat(made.there, remote_id, "unseen", IN_TAG)
    made.interference.before = refusing(made, f"/investigation/{ids[0]}", status)
    for _ in range(3):
        made.round()

    assert [last_lines(made.here, made.local_id(remote_id)) for remote_id in ids[1:]] == [["unseen"]] * 3


def test_a_file_that_could_not_be_had(site: Site) -> None:
    """
    Given: many incidents and a file whose download fails.
    When: the remote is well again.
    Then: the next round brings it.
    """
    made = site.mirror("8", "8")
    made.configure()
    ids = [made.remote_incident(name=f"Incident {number}") for number in range(30)]
    made.fetch_all()
    made.until_quiet()
    made.there.add_entry(ids[20], user="carl", entry_type=3, tags=[IN_TAG], file=("a.bin", b"a"))
    chat(made.there, ids[20], "behind it", IN_TAG)
    made.interference.before = refusing(made, "/entry/download", 500)
    made.round()
    assert last_lines(made.here, made.local_id(ids[20])) == ["behind it"]
    made.interference.forget()
    made.round()

    assert sorted(last_lines(made.here, made.local_id(ids[20]))) == ["a.bin", "behind it"]


def test_a_closing_that_the_remote_answers_and_does_not_do(site: Site) -> None:
    """
    Given: a remote that answers a closing and does nothing.
    When: rounds run.
    Then: the server sees it, and it is done later.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    ignored: list[int] = []

    def ignore_first(request: Any, number: int) -> None:
        if request.url.path.endswith("/incident/close") and not ignored:
            ignored.append(number)
            made.interference.answers[number] = lambda: Response(b'{"id": "1", "status": 1}', media_type="application/json")

    made.interference.before = ignore_first
    made.here.close_incident(local_id, reason="Other", user="hugo")
    (error,) = made.host.mirror(INSTANCE).errors
    made.until_quiet()

    assert "not closed the incident yet" in error
    assert made.there.incident(remote_id)["status"] == 2


def test_a_file_that_the_remote_never_takes(site: Site) -> None:
    """
    Given: a file that is too large for the remote.
    When: the incident is closed here.
    Then: it is closed there all the same.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    made.here.add_entry(local_id, user="hugo", entry_type=3, tags=[OUT_TAG], file=("large.bin", b"x"))
    made.interference.before = refusing(made, "/entry/upload", 413)
    made.here.close_incident(local_id, reason="Other", user="hugo")
    errors = [made.host.mirror(INSTANCE).errors for _ in range(2)]

    assert all(errors)
    assert made.there.incident(remote_id)["status"] == 2


def test_two_files_that_look_alike(site: Site) -> None:
    """
    Given: a remote file of the same name and size.
    When: sending ours is tried twice.
    Then: both are there.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    made.there.add_entry(remote_id, user="carl", entry_type=3, file=("image.png", b"AAAA"))
    made.here.add_entry(local_id, user="hugo", entry_type=3, tags=[OUT_TAG], file=("image.png", b"BBBB"))
    made.interference.before = refusing(made, "/entry/upload", 500, times=1)
    assert made.host.mirror(INSTANCE).errors
    made.until_quiet()

    files = [made.there.entry_file(entry["id"])[1].read_bytes() for entry in made.there.entries(remote_id)]
    assert files == [b"AAAA", b"BBBB"]
