"""The mirror job: what comes in, what goes out, and what happens when a call fails."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from local_xsoar.host import Host, HostSettings
from local_xsoar.tenant import Tenant
from local_xsoar.tests.host.host_samples import SAMPLES, Clock, Remote

MODIFIED, IN, OUT = "get-modified-remote-data", "get-remote-data", "update-remote-system"


def mirrored(tenant: Tenant, remote_id: str, **fields: Any) -> str:
    """Create a local incident that the instance "ledger" mirrors, and return its id."""
    mirror = {"dbotMirrorId": remote_id, "dbotMirrorInstance": "ledger", "dbotMirrorDirection": "Both", "dbotMirrorTags": ["out"]}
    incident = tenant.create_incident({"name": f"Flood {remote_id}", **mirror, **fields})
    assert incident is not None
    return str(incident["id"])


def data(remote_id: str, *entries: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {remote_id: {"object": {"number": remote_id, **fields}, "entries": list(entries)}}


def note(text: str, **more: Any) -> dict[str, Any]:
    return {"Type": 1, "Contents": text, "ContentsFormat": "text", "Note": True, **more}


# In


def test_only_what_the_remote_names_as_modified_is_asked_for(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: three mirrored incidents, one not mirrored and one mirrored out only.
    When: the remote says that some are modified, one that is unknown here among them.
    Then: only the mirrored ones of them are asked for, with the time of their creation as the last update.
    """
    first, _second = mirrored(tenant, "r1"), mirrored(tenant, "r2")
    mirrored(tenant, "r3", dbotMirrorDirection="Out")
    mirrored(tenant, "r4", dbotMirrorInstance="someone else")
    remote.holds(modified=["r1", "r3", "r4", "r99"], data=data("r1", text="wetter", CustomFields={"depth": "4m"}))
    done = ledger.mirror("ledger")
    assert done.ok, done.errors
    assert (done.modified, done.updated) == (["r1", "r3", "r4", "r99"], [first])
    asked = [call["args"] for call in remote.calls(IN)]
    assert asked == [{"id": "r1", "lastUpdate": tenant.incident(first)["created"]}]
    incident = tenant.incident(first)
    assert (incident["details"], incident["CustomFields"], incident["name"]) == ("wetter", {"depth": "4m"}, "Flood r1")
    assert incident["dbotMirrorLastSync"] != "0001-01-01T00:00:00Z"
    assert incident["dbotCurrentDirtyFields"] is None
    assert remote.calls(OUT) == []


def test_the_times_of_the_last_update_follow_each_other(ledger: Host, remote: Remote, tenant: Tenant, clock: Clock) -> None:
    """
    Given: an incident that is modified in each round.
    When: three rounds run a day apart, the second of which fails.
    Then: each is told when the one before began, failed or not, and the last mirror run is what the last good one set.
    """
    mirrored(tenant, "r1")
    days = []
    for answer in (["r1"], {"error": "skip update"}, ["r1"]):
        remote.holds(modified=answer, data=data("r1"))
        ledger.mirror("ledger")
        days.append([call["args"]["lastUpdate"][:10] for call in remote.calls()])
        clock.forward(days=1)
    assert days == [["2026-01-05", "2026-01-05"], ["2026-01-05"], ["2026-01-06", "2026-01-05"]]
    assert ledger.last_mirror_run("ledger")["asked"][:10] == "2026-01-06"


def test_the_last_mirror_run_is_what_a_good_run_set(ledger: Host, remote: Remote) -> None:
    """
    Given: an integration that saves the last mirror run.
    When: a round succeeds, one fails, one succeeds.
    Then: each sees what the last good one saved.
    """
    seen = []
    answers: list[Any] = [[], {"error": "skip update"}, []]
    for answer in answers:
        remote.holds(modified=answer)
        ledger.mirror("ledger")
        seen.append(remote.calls(MODIFIED)[0])
    assert seen[0]["lastMirrorRun"] == {}
    assert seen[1]["lastMirrorRun"] == seen[2]["lastMirrorRun"] == {"asked": seen[0]["args"]["lastUpdate"]}


@pytest.mark.parametrize("error", ["skip update: the remote is down", "API rate limit"])
def test_an_error_that_says_so_ends_the_incoming_side_of_the_round(
    ledger: Host, remote: Remote, tenant: Tenant, error: str
) -> None:
    """
    Given: a remote that cannot say what was modified, and says that the round is to be skipped.
    When: the mirror job runs, a local change being ready to go out.
    Then: no incident is asked for, the change goes out, and the error is reported.
    """
    number = mirrored(tenant, "r1")
    tenant.change_incident(number, {"details": "mine"}, user="ann")
    remote.holds(modified={"error": error}, data=data("r1", text="theirs"))
    done = ledger.mirror("ledger")
    assert remote.calls(IN) == []
    assert done.sent == [number]
    assert not done.ok
    assert error in done.errors[0]
    assert error in ledger.log("ledger")[0]


@pytest.mark.parametrize("answer", [{"not implemented": "too old"}, {"caught": "too old"}])
def test_when_the_integration_cannot_tell_every_incident_is_asked_for(
    ledger: Host, remote: Remote, tenant: Tenant, answer: dict[str, str]
) -> None:
    """
    Given: a get-modified-remote-data that is not implemented: the exception escapes, or return_error tells of it.
    When: the mirror job runs.
    Then: get-remote-data is called for every incident that is mirrored in.
    """
    for remote_id in ("r1", "r2"):
        mirrored(tenant, remote_id)
    mirrored(tenant, "r3", dbotMirrorDirection="Out")
    remote.holds(modified=answer, data={**data("r1"), **data("r2")})
    ledger.mirror("ledger")
    assert [call["args"]["id"] for call in remote.calls(IN)] == ["r1", "r2"]


def test_entries_come_in_with_their_files_and_marks(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: an answer with a note, a chat in markdown, a file and an error entry.
    When: it comes in.
    Then: they stand in the War Room in that order with tags, category and bytes, and nothing of it goes out.
    """
    number = mirrored(tenant, "r1")
    entries = [
        note("a note", Tags=["in"]),
        {"Type": 1, "Contents": "**loud**", "ContentsFormat": "markdown", "Category": "chat"},
        {"file": ["../a.txt", "bytes"], "Note": True, "Tags": ["in"]},
        {"Type": 4, "Contents": "it failed there", "ContentsFormat": "text"},
    ]
    remote.holds(modified=["r1"], data=data("r1", *entries))
    done = ledger.mirror("ledger")
    assert done.ok, done.errors
    assert done.entries_in == 4
    written = tenant.entries(number)
    assert [(entry["type"], entry["format"], entry["contents"]) for entry in written] == [
        (1, "text", "a note"),
        (1, "markdown", "**loud**"),
        (3, "text", ""),
        (4, "text", "it failed there"),
    ]
    assert [(entry["note"], entry["tags"], entry["category"]) for entry in written[:2]] == [
        (True, ["in"], "note"),
        (False, None, "chat"),
    ]
    name, path = tenant.entry_file(written[2]["id"])
    assert (name, path.read_text()) == ("a.txt", "bytes")
    assert remote.calls(OUT) == []


def test_an_entry_that_came_in_with_an_outgoing_tag_goes_out_again(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: an answer whose entry carries the tag of outgoing entries.
    When: it comes in.
    Then: it goes out in the same round, as on a server: to keep the tags apart is the integration's business.
    """
    mirrored(tenant, "r1")
    remote.holds(modified=["r1"], data=data("r1", note("ping", Tags=["out"])))
    assert ledger.mirror("ledger").entries_out == 1
    assert remote.calls(OUT)[0]["args"]["entries"][0]["contents"] == "ping"


@pytest.mark.parametrize(
    ("side", "details", "depth", "sent"),
    [("kept", "mine", "2m", {"text": "mine", "deep": "2m"}), ("overwritten", "theirs", "9m", {"title": "Mine"})],
)
def test_what_was_changed_here_and_not_sent_yet_may_be_overwritten(
    open_host: Callable[..., Host], remote: Remote, tenant: Tenant, side: str, details: str, depth: str, sent: dict[str, str]
) -> None:
    """
    Given: hosts that keep unsent changes or not, and fields and a custom field changed by an analyst.
    When: an object comes in that has other values for some of them, and for more.
    Then: the analyst's values stay and go out; or they are gone, and only what the object did not have goes out. The rest is
        taken.
    """
    host = open_host(settings=HostSettings(unsent_changes=side))
    host.add_instance("ledger", SAMPLES / "Ledger", remote.params)
    number = mirrored(tenant, "r1", CustomFields={"depth": "1m", "colour": "blue"})
    tenant.change_incident(number, {"details": "mine", "name": "Mine", "CustomFields": {"depth": "2m"}}, user="ann")
    remote.holds(modified=["r1"], data=data("r1", text="theirs", level=3, CustomFields={"depth": "9m", "colour": "brown"}))
    host.mirror("ledger")
    incident = tenant.incident(number)
    assert (incident["details"], incident["severity"]) == (details, 3)
    assert incident["CustomFields"] == {"depth": depth, "colour": "brown"}
    assert remote.calls(OUT)[0]["args"]["delta"] == {**sent, "title": "Mine"}


def test_an_empty_answer_changes_nothing(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: an answer whose object is empty, so that CommonServerPython gives nothing at all.
    When: it comes in with entries.
    Then: neither the incident nor its War Room changed.
    """
    number = mirrored(tenant, "r1")
    before = tenant.incident(number)
    remote.holds(modified=["r1"], data={"r1": {"object": {}, "entries": [note("lost")]}})
    assert ledger.mirror("ledger").ok
    assert (tenant.incident(number), tenant.entries(number)) == (before, [])


def test_closing_and_reopening_come_in_and_do_not_go_back(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: a remote that closes an incident, says it again, and reopens it.
    When: three rounds run.
    Then: the incident is closed once with reason and notes, then open again, and nothing is sent out.
    """
    number = mirrored(tenant, "r1")
    close = {
        "Type": 1,
        "Contents": {"dbotIncidentClose": True, "closeReason": "Resolved", "closeNotes": "dry"},
        "ContentsFormat": "json",
    }
    reopen = {"Type": 1, "Contents": {"dbotIncidentReopen": True}, "ContentsFormat": "json"}
    changes = []
    for entry in (close, close, reopen):
        remote.holds(modified=["r1"], data=data("r1", entry))
        done = ledger.mirror("ledger")
        incident = tenant.incident(number)
        changes.append((done.closed, done.reopened, incident["status"], incident["closeReason"], incident["closeNotes"]))
    assert changes == [([number], [], 2, "Resolved", "dry"), ([], [], 2, "Resolved", "dry"), ([], [number], 1, "", "")]
    assert remote.calls(OUT) == []
    assert tenant.entries(number) == []


def test_a_reopening_that_was_not_sent_yet_goes_before_a_closing_that_comes_in(
    ledger: Host, remote: Remote, tenant: Tenant
) -> None:
    """
    Given: a closed incident that an analyst reopened, and a remote that says in the same minute that it is closed.
    When: the round runs.
    Then: the incident stays open, and its reopening is sent.
    """
    number = mirrored(tenant, "r1")
    tenant.close_incident(number, dirty=False)
    tenant.reopen_incident(number, user="ann")
    close = {"Type": 1, "Contents": {"dbotIncidentClose": True, "closeReason": "Resolved"}, "ContentsFormat": "json"}
    remote.holds(modified=["r1"], data=data("r1", close))
    assert ledger.mirror("ledger").closed == []
    assert tenant.incident(number)["status"] == 1
    assert remote.calls(OUT)[0]["args"]["delta"] == {"closingUserId": "", "runStatus": ""}


def test_entries_for_an_incident_that_is_not_active_are_logged(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: a pending incident without a War Room, and a closed one.
    When: notes come in for both.
    Then: the fields are taken, the notes have no place and the log says so.
    """
    pending = tenant.create_incident(
        {"name": "later", "dbotMirrorId": "r1", "dbotMirrorInstance": "ledger", "dbotMirrorDirection": "In"}, investigate=False
    )
    assert pending is not None
    closed = mirrored(tenant, "r2")
    tenant.close_incident(closed, dirty=False)
    remote.holds(modified=["r1", "r2"], data={**data("r1", note("a"), text="wet"), **data("r2", note("b"), text="dry")})
    done = ledger.mirror("ledger")
    assert (done.ok, done.entries_in) == (True, 0)
    assert [tenant.incident(number)["details"] for number in (pending["id"], closed)] == ["wet", "dry"]
    assert sum("is not active and takes no entry" in line for line in ledger.log("ledger")) == 2


def test_a_closed_incident_is_asked_for_as_long_as_it_is_kept(ledger: Host, remote: Remote, tenant: Tenant, clock: Clock) -> None:
    """
    Given: an incident that was closed.
    When: it is modified a year later, and after it was deleted.
    Then: it is asked for the first time only.
    """
    number = mirrored(tenant, "r1")
    tenant.close_incident(number, dirty=False)
    remote.holds(modified=["r1"], data=data("r1"))
    clock.forward(days=365)
    ledger.mirror("ledger")
    assert len(remote.calls(IN)) == 1
    tenant.delete_incident(number)
    ledger.mirror("ledger")
    assert remote.calls(IN) == []


def test_a_rate_limit_ends_the_calls_and_the_next_round_goes_on_there(
    ledger: Host, remote: Remote, tenant: Tenant, open_host: Callable[..., Host]
) -> None:
    """
    Given: three modified incidents, and a remote that says `API rate limit` at the second.
    When: the host is restarted, and the next round, in which only the first is modified, runs.
    Then: the first stopped at the second incident; the next begins there, with the time that was not served, and asks for all.
    """
    numbers = [mirrored(tenant, remote_id) for remote_id in ("r1", "r2", "r3")]
    answers = {**data("r1"), "r2": {"error": "API rate limit exceeded"}, **data("r3")}
    remote.holds(modified=["r1", "r2", "r3"], data=answers)
    done = ledger.mirror("ledger")
    assert [call["args"]["id"] for call in remote.calls(IN)] == ["r1", "r2"]
    assert done.errors == ["get-remote-data r2: API rate limit exceeded"]

    again = open_host()
    remote.holds(modified=["r1"], data={**data("r1"), **data("r2"), **data("r3")})
    assert again.mirror("ledger").ok
    asked = [call["args"] for call in remote.calls(IN)]
    assert [args["id"] for args in asked] == ["r2", "r3", "r1"]
    assert asked[0]["lastUpdate"] == tenant.incident(numbers[1])["created"]
    again.mirror("ledger")
    assert [call["args"]["id"] for call in remote.calls(IN)] == ["r1"]


def test_another_error_costs_its_incident_only(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: two modified incidents, the first of which fails.
    When: the round runs.
    Then: the second is updated, the first is reported.
    """
    mirrored(tenant, "r1")
    second = mirrored(tenant, "r2")
    remote.holds(modified=["r1", "r2"], data={"r1": {"error": "no such incident"}, **data("r2", text="wet")})
    done = ledger.mirror("ledger")
    assert done.updated == [second]
    assert done.errors == ["get-remote-data r1: no such incident"]


def test_an_object_that_the_incident_cannot_hold_is_reported(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: an answer whose mapped value is of a wrong type for its field, and another good answer.
    When: both come in.
    Then: the first is reported, the second is applied.
    """
    first, second = mirrored(tenant, "r1"), mirrored(tenant, "r2")
    remote.holds(modified=["r1", "r2"], data={**data("r1", level="x", text="wet", tags=[]), **data("r2", text="dry")})
    ledger.mirror("ledger")
    assert tenant.incident(second)["details"] == "dry"
    assert tenant.incident(first)["severity"] == 0


def test_ids_that_are_no_strings_are_reported(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: a get-modified-remote-data that gives a number among its ids.
    When: the round runs.
    Then: the strings are asked for and the number is reported: a server takes strings only.
    """
    mirrored(tenant, "r1")
    remote.holds(modified=["r1", 7], data=data("r1"))
    done = ledger.mirror("ledger")
    assert len(remote.calls(IN)) == 1
    assert done.errors == ["get-modified-remote-data: 1 of the ids are not strings and are skipped"]


# Out


def test_a_local_change_goes_out_once(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: an incident whose details an analyst changed.
    When: two rounds run.
    Then: the first sends the whole incident and the change in the remote's names, the second nothing.
    """
    number = mirrored(tenant, "r1", severity=2, CustomFields={"depth": "1m"})
    tenant.change_incident(number, {"details": "mine"}, user="ann")
    done = ledger.mirror("ledger")
    assert (done.ok, done.sent) == (True, [number])
    (call,) = remote.calls(OUT)
    assert call["args"] == {
        "data": {"text": "mine", "level": 2, "title": "Flood r1", "deep": "1m"},
        "delta": {"text": "mine"},
        "entries": None,
        "incidentChanged": True,
        "remoteId": "r1",
        "status": 1,
    }
    assert tenant.incident(number)["dbotCurrentDirtyFields"] is None
    assert ledger.mirror("ledger").sent == []
    assert remote.calls(OUT) == []


@pytest.mark.parametrize(("setting", "sent"), [("changed", {"deep": "2m"}), ("whole", {"deep": "2m", "hue": "blue"})])
def test_the_delta_of_custom_fields_is_a_setting(
    open_host: Callable[..., Host], remote: Remote, tenant: Tenant, setting: str, sent: dict[str, str]
) -> None:
    """
    Given: hosts with either reading of what a delta of custom fields is.
    When: one of two custom fields changed.
    Then: the delta holds that one, or both.
    """
    host = open_host(settings=HostSettings(custom_fields_delta=setting))
    host.add_instance("ledger", SAMPLES / "Ledger", remote.params)
    number = mirrored(tenant, "r1", CustomFields={"depth": "1m", "colour": "blue"})
    tenant.change_incident(number, {"CustomFields": {"depth": "2m"}}, user="ann")
    host.mirror("ledger")
    assert remote.calls(OUT)[0]["args"]["delta"] == sent


def test_tagged_entries_go_out_once_with_their_files(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: an untagged note, a tagged note, a tagged file, and later an old entry that gets the tag.
    When: three rounds run.
    Then: the tagged ones go once each, the file's bytes can be read, and the incident counts as unchanged.
    """
    number = mirrored(tenant, "r1")
    late = tenant.add_entry(number, contents="stay", user="ann")
    tenant.add_entry(number, contents="go", user="ann", note=True, tags=["out", "more"])
    tenant.add_entry(number, user="ann", tags=["out"], file=("a.txt", b"bytes"))
    assert ledger.mirror("ledger").entries_out == 2
    (call,) = remote.calls(OUT)
    sent = call["args"]["entries"]
    assert [(entry["contents"], entry["note"], entry["tags"]) for entry in sent] == [
        ("go", True, ["out", "more"]),
        ("", False, ["out"]),
    ]
    assert {"id", "format", "type", "user", "created", "file"} <= set(sent[0])
    assert call["files"] == [["a.txt", "bytes"]]
    assert (call["args"]["incidentChanged"], call["args"]["delta"]) == (False, None)
    assert ledger.mirror("ledger").entries_out == 0
    tenant.change_entry(late["id"], tags=["out"])
    assert ledger.mirror("ledger").entries_out == 1
    assert [entry["contents"] for entry in remote.calls(OUT)[0]["args"]["entries"]] == ["stay"]


def test_what_failed_to_go_out_goes_in_the_next_round(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: a change and an entry, and a remote that fails.
    When: a round fails and the next one succeeds.
    Then: both got the same, the failure was reported, and then there is nothing left.
    """
    number = mirrored(tenant, "r1")
    tenant.change_incident(number, {"details": "mine"}, user="ann")
    tenant.add_entry(number, contents="go", user="ann", tags=["out"])
    remote.holds(update={"error": "the remote is down"})
    done = ledger.mirror("ledger")
    assert (done.sent, done.errors) == ([], [f"update-remote-system {number}: the remote is down"])
    first = remote.calls(OUT)[0]["args"]
    remote.holds(update="r1")
    ledger.mirror("ledger")
    assert remote.calls(OUT)[0]["args"] == first
    ledger.mirror("ledger")
    assert remote.calls(OUT) == []


def test_a_worker_killed_while_sending_sends_again(open_host: Callable[..., Host], remote: Remote, tenant: Tenant) -> None:
    """
    Given: a change and a tagged entry, and a worker that is killed when the remote has them.
    When: that round ran, and another.
    Then: both go out again, for nothing was marked, and then no more.
    """

    def on_call(pid: int, name: str) -> None:
        if name == "results" and not killed:
            killed.append(pid)
            os.kill(pid, signal.SIGKILL)

    killed: list[int] = []
    host = open_host(on_call=on_call)
    host.add_instance("ledger", SAMPLES / "Ledger", remote.params)
    number = mirrored(tenant, "r1", dbotMirrorDirection="Out")
    tenant.change_incident(number, {"details": "mine"}, user="ann")
    tenant.add_entry(number, contents="go", user="ann", tags=["out"])
    remote.holds(modified={"not implemented": "so that the only results are those of sending"})
    assert host.mirror("ledger").errors[-1] == f"update-remote-system {number}: The script was killed by signal 9"
    assert host.mirror("ledger").entries_out == 1
    first, second = (call["args"] for call in remote.calls(OUT))
    assert first == second
    host.mirror("ledger")
    assert remote.calls(OUT) == []


def test_a_change_made_while_sending_stays_for_the_next_round(
    open_host: Callable[..., Host], remote: Remote, tenant: Tenant
) -> None:
    """
    Given: two changed fields, one of which the analyst changes again while the first change is on its way.
    When: two rounds run.
    Then: the first sent the old values, the second only the newer change.
    """

    def on_call(_pid: int, name: str) -> None:
        if name == "results" and changes:
            tenant.change_incident(number, changes.pop(), user="ann")

    changes: list[dict[str, Any]] = []
    host = open_host(on_call=on_call)
    host.add_instance("ledger", SAMPLES / "Ledger", remote.params)
    number = mirrored(tenant, "r1", dbotMirrorDirection="Out")
    tenant.change_incident(number, {"details": "first", "severity": 3}, user="ann")
    remote.holds(modified={"not implemented": "so that the only results are those of sending"})
    changes.append({"details": "second"})
    host.mirror("ledger")
    host.mirror("ledger")
    assert [call["args"]["delta"] for call in remote.calls(OUT)] == [{"text": "first", "level": 3}, {"text": "second"}]


@pytest.mark.parametrize("side", ["absent", "present"])
def test_closing_and_reopening_here_go_out(open_host: Callable[..., Host], remote: Remote, tenant: Tenant, side: str) -> None:
    """
    Given: hosts whose deltas hold the status or not, and an incident with a tagged entry that is closed, and reopened later.
    When: a round runs after each.
    Then: the delta tells who closed it, with reason and notes, then that nobody has; the entry went along with the closing.
    """
    host = open_host(settings=HostSettings(delta_status=side))
    host.add_instance("ledger", SAMPLES / "Ledger", remote.params)
    number = mirrored(tenant, "r1")
    tenant.add_entry(number, contents="last words", user="ann", tags=["out"])
    tenant.close_incident(number, reason="Resolved", notes="dry", user="ann")
    host.mirror("ledger")
    (closing,) = [call["args"] for call in remote.calls(OUT)]
    told = {"closingUserId": "ann", "runStatus": "waiting", "closeReason": "Resolved", "closeNotes": "dry"}
    assert closing["delta"] == told | ({"status": 2} if side == "present" else {})
    assert (closing["status"], closing["incidentChanged"], closing["data"]["title"]) == (2, True, "Flood r1")
    assert [entry["contents"] for entry in closing["entries"]] == ["last words"]
    tenant.reopen_incident(number, user="ann")
    host.mirror("ledger")
    (reopening,) = [call["args"] for call in remote.calls(OUT)]
    assert reopening["delta"] == {"closingUserId": "", "runStatus": ""} | ({"status": 1} if side == "present" else {})
    assert (reopening["status"], reopening["incidentChanged"]) == (1, True)
    host.mirror("ledger")
    assert remote.calls(OUT) == []


def test_a_playbook_that_moves_on_is_sent(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: an incident whose playbook changes its state.
    When: a round runs.
    Then: the delta holds that alone, and the incident counts as changed.
    """
    number = mirrored(tenant, "r1")
    tenant.change_incident(number, {"runStatus": "completed"}, user="DBot")
    ledger.mirror("ledger")
    (sent,) = [call["args"] for call in remote.calls(OUT)]
    assert (sent["delta"], sent["incidentChanged"]) == ({"runStatus": "completed"}, True)


@pytest.mark.parametrize(("playbook", "delta"), [("", None), ("Dry Out", {"runStatus": "waiting"})])
def test_opening_a_pending_incident_is_sent(
    ledger: Host, remote: Remote, tenant: Tenant, playbook: str, delta: dict[str, str] | None
) -> None:
    """
    Given: a pending incident, with and without a playbook.
    When: it is opened and a round runs.
    Then: the delta holds the playbook's state, or nothing, and the incident counts as changed.
    """
    fields = {"name": "Flood", "playbookId": playbook, "type": "Access" if playbook else "Job"}
    mirror = {"dbotMirrorId": "r1", "dbotMirrorInstance": "ledger", "dbotMirrorDirection": "Out"}
    incident = tenant.create_incident({**fields, **mirror}, investigate=False)
    assert incident is not None
    tenant.investigate(incident["id"])
    ledger.mirror("ledger")
    (sent,) = [call["args"] for call in remote.calls(OUT)]
    assert (sent["delta"], sent["incidentChanged"], sent["status"]) == (delta, True, 1)


def test_an_entry_of_a_closed_incident_waits_for_its_reopening(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: a closed incident that gets a tagged entry.
    When: rounds run before and after it is reopened.
    Then: the entry goes out after.
    """
    number = mirrored(tenant, "r1")
    tenant.close_incident(number, dirty=False)
    tenant.add_entry(number, contents="late", user="ann", tags=["out"])
    assert ledger.mirror("ledger").entries_out == 0
    tenant.reopen_incident(number, dirty=False)
    assert ledger.mirror("ledger").entries_out == 1


def test_an_incident_that_the_remote_does_not_have_is_created_there(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: a local incident that is mirrored out and has no id in the remote.
    When: the remote fails once, then gives an id, then is asked no more.
    Then: the id is kept and the incident is sent until it has one.
    """
    number = mirrored(tenant, "", dbotMirrorDirection="Out")
    remote.holds(update={"error": "busy"})
    ledger.mirror("ledger")
    remote.holds(update="r7")
    ledger.mirror("ledger")
    sent = [
        (call["args"]["remoteId"], call["args"]["incidentChanged"], call["args"]["data"]["title"]) for call in remote.calls(OUT)
    ]
    assert sent == [("", True, "Flood ")] * 2
    assert tenant.incident(number)["dbotMirrorId"] == "r7"
    ledger.mirror("ledger")
    assert remote.calls(OUT) == []


def test_an_incident_created_without_an_answer_is_not_created_again(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: an integration that succeeds in creating an incident but gives no id back.
    When: two rounds run, then the incident is changed here and a third runs.
    Then: it is sent once, the log says what is missing, and the change is sent.
    """
    number = mirrored(tenant, "", dbotMirrorDirection="Out")
    assert [ledger.mirror("ledger").sent for _ in range(2)] == [[number], []]
    assert "no remote id came back" in ledger.log("ledger")[-1]
    tenant.change_incident(number, {"details": "mine"}, user="ann")
    assert ledger.mirror("ledger").sent == [number]


def test_an_incident_deleted_while_the_job_runs_is_passed_over(
    open_host: Callable[..., Host], remote: Remote, tenant: Tenant
) -> None:
    """
    Given: two incidents that changed on both sides.
    When: a round runs, in which the first is deleted while its data comes in, and the second while it is sent.
    Then: it comes to its end.
    """

    def on_call(_pid: int, name: str) -> None:
        if name == "results":
            results.append(name)
            if len(results) == 2:
                tenant.delete_incident(first)
            if len(results) == 4:
                tenant.delete_incident(second)

    results: list[str] = []
    host = open_host(on_call=on_call)
    host.add_instance("ledger", SAMPLES / "Ledger", remote.params)
    first, second = mirrored(tenant, "r1"), mirrored(tenant, "r2")
    for number in (first, second):
        tenant.change_incident(number, {"details": "mine"}, user="ann")
    remote.holds(modified=["r1", "r2"], data={**data("r1"), **data("r2")})
    done = host.mirror("ledger")
    assert len(done.errors) == 1
    assert done.errors[0].startswith("get-remote-data r1: the answer could not be applied: Could not find incident")
    assert [call["args"]["remoteId"] for call in remote.calls(OUT)] == ["r2"]
    assert "update-remote-system 2: the local incident was deleted in the meantime" in host.log("ledger")[-1]


def test_an_instance_may_have_any_name(open_host: Callable[..., Host], remote: Remote, tenant: Tenant) -> None:
    """
    Given: instances whose names hold quotes, backslashes and operators, or differ in case only.
    When: each fetches and mirrors.
    Then: each has its own incident.
    """
    host = open_host()
    names = ['He said "no" \\ or (a:b)', "north", "North", "*"]
    for name in names:
        host.add_instance(name, SAMPLES / "Ledger", remote.params)
        remote.holds(incidents=[{"name": name, "dbotMirrorId": "r1", "dbotMirrorInstance": name, "dbotMirrorDirection": "Both"}])
        host.fetch(name)
    remote.holds(modified=["r1"], data=data("r1", text="wet"))
    for position, name in enumerate(names):
        assert host.mirror(name).updated == [str(position + 1)]


def test_incidents_mirrored_in_only_send_nothing(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: an incident that is mirrored in only, changed and with a tagged entry.
    When: a round runs.
    Then: nothing goes out.
    """
    number = mirrored(tenant, "r1", dbotMirrorDirection="In")
    tenant.change_incident(number, {"details": "mine"}, user="ann")
    tenant.add_entry(number, contents="go", user="ann", tags=["out"])
    assert ledger.mirror("ledger").sent == []
    assert remote.calls(OUT) == []


def test_an_integration_that_does_not_mirror_is_left_alone(rough: Host) -> None:
    """
    Given: an instance of an integration without mirroring.
    When: the mirror job runs.
    Then: no command ran.
    """
    assert rough.mirror("rough").runs == []


def test_more_incidents_than_a_page_are_mirrored(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: 1,100 mirrored incidents.
    When: the last one is modified and changed here.
    Then: it is asked for and sent.
    """
    with tenant.batch():
        numbers = [mirrored(tenant, f"r{index}") for index in range(1100)]
    tenant.change_incident(numbers[-1], {"details": "mine"}, user="ann")
    remote.holds(modified=["r1099"], data=data("r1099", level=3))
    done = ledger.mirror("ledger")
    assert (done.updated, done.sent) == ([numbers[-1]], [numbers[-1]])


# Which incidents: what the job leaves out, and what it must not


def test_remote_ids_are_taken_as_they_are(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: incidents whose remote ids hold quotes, backslashes and operators, or differ in case only, two of them with the same.
    When: the remote names them all but "R1", some twice, and with them an id that is empty and one that is no text in UTF-8.
    Then: each is asked for once, the oldest first, and "R1" is not.
    """
    odd = ['He said "no"', "back\\slash\\", "r:(a or b)", "*", "-r2", "r1", "R1", "stra\u00dfe", "nul\0", "r1", "STRASSE"]
    for remote_id in odd:
        mirrored(tenant, remote_id)
    mirrored(tenant, "")
    named = [remote_id for remote_id in odd if remote_id != "R1"]
    answers = {key: value for remote_id in odd for key, value in data(remote_id).items()}
    remote.holds(modified=["", "\ud800", *reversed(named), *named], data=answers)
    done = ledger.mirror("ledger")
    assert done.ok, done.errors
    assert [call["args"]["id"] for call in remote.calls(IN)] == named


def test_thousands_of_modified_ids_are_looked_up(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: three mirrored incidents.
    When: the remote names 3,000 ids, the last of them first, two of the three among them.
    Then: these two are asked for, the oldest first.
    """
    for remote_id in ("r0", "r2999", "r3000"):
        mirrored(tenant, remote_id)
    remote.holds(modified=[f"r{index}" for index in reversed(range(3000))], data={**data("r0"), **data("r2999")})
    done = ledger.mirror("ledger")
    assert done.ok, done.errors
    assert [call["args"]["id"] for call in remote.calls(IN)] == ["r0", "r2999"]


def test_what_a_rate_limit_left_is_not_asked_for_when_it_is_mirrored_no_more(
    ledger: Host, remote: Remote, tenant: Tenant
) -> None:
    """
    Given: a round that the rate limit ended at the first of four incidents.
    When: one is deleted, one is given to another instance, one is mirrored out only, and a round runs without modified ids.
    Then: it asks for the fourth only.
    """
    numbers = [mirrored(tenant, f"r{index}") for index in range(4)]
    remote.holds(modified=[f"r{index}" for index in range(4)], data={"r0": {"error": "API rate limit exceeded"}})
    ledger.mirror("ledger")
    tenant.delete_incident(numbers[0])
    tenant.change_incident(numbers[1], {"dbotMirrorInstance": "Ledger"}, dirty=False)
    tenant.change_incident(numbers[2], {"dbotMirrorDirection": "Out"}, dirty=False)
    remote.calls()
    remote.holds(modified=[], data=data("r3"))
    done = ledger.mirror("ledger")
    assert done.ok, done.errors
    assert [call["args"]["id"] for call in remote.calls(IN)] == ["r3"]


def test_an_entry_goes_out_with_a_mirror_tag_of_its_own_incident_only(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: an incident with the mirror tag "out" and an entry with the tag "beta", and another with the mirror tag "beta".
    When: a round runs, then the first gets the mirror tag "beta" too, and another round runs.
    Then: the entry goes out with the second.
    """
    number = mirrored(tenant, "r1")
    mirrored(tenant, "r2", dbotMirrorTags=["beta"])
    tenant.add_entry(number, contents="go", user="ann", tags=["gamma", "beta"])
    assert ledger.mirror("ledger").sent == []
    tenant.change_incident(number, {"dbotMirrorTags": ["out", "beta"]}, user="ann")
    done = ledger.mirror("ledger")
    assert (done.sent, done.entries_out) == ([number], 1)
    assert [entry["contents"] for entry in remote.calls(OUT)[0]["args"]["entries"]] == ["go"]


def test_a_mirror_tag_is_not_a_part_of_a_tag(ledger: Host, tenant: Tenant) -> None:
    """
    Given: an incident with the mirror tag "out", and entries whose tags contain the word, or differ in case.
    When: a round runs.
    Then: nothing goes out.
    """
    number = mirrored(tenant, "r1")
    for tag in ("Out", "outgoing", 'say "out"', "out,in"):
        tenant.add_entry(number, contents="stay", user="ann", tags=[tag])
    assert ledger.mirror("ledger").sent == []


def test_each_instance_sends_its_own(open_host: Callable[..., Host], remote: Remote, tenant: Tenant) -> None:
    """
    Given: instances whose names differ in case only, each with an incident that was changed, one with an entry, one unknown.
    When: each mirrors.
    Then: each sends its own three.
    """
    host = open_host()
    numbers: dict[str, list[str]] = {}
    for name in ("north", "North"):
        host.add_instance(name, SAMPLES / "Ledger", remote.params)
        changed, talking, new = (mirrored(tenant, remote_id, dbotMirrorInstance=name) for remote_id in ("r1", "r2", ""))
        tenant.change_incident(changed, {"details": "mine"}, user="ann")
        tenant.add_entry(talking, contents="go", user="ann", tags=["out"])
        numbers[name] = [changed, talking, new]
    remote.holds(update="r9")
    assert {name: host.mirror(name).sent for name in numbers} == numbers


def test_a_value_that_looks_like_a_mark_of_the_tenant_sends_nothing(ledger: Host, remote: Remote, tenant: Tenant) -> None:
    """
    Given: an incident with a custom field of an object with dirty fields, and a sent entry of an object that is not mirrored.
    When: rounds run.
    Then: the entry was sent once, and nothing more is.
    """
    number = mirrored(tenant, "r1", CustomFields={"kept": {"dbotCurrentDirtyFields": ["name"]}})
    tenant.add_entry(number, contents={"mirrored": False}, format="json", user="ann", tags=["out"])
    assert [ledger.mirror("ledger").entries_out for _ in range(2)] == [1, 0]
    assert len(remote.calls(OUT)) == 1


def test_the_war_rooms_of_quiet_incidents_are_not_read(
    ledger: Host, remote: Remote, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Given: incidents with entries that came in or went out, and one with an entry to send.
    When: a round runs.
    Then: of all War Rooms only that one is read.
    """
    numbers = [mirrored(tenant, f"r{index}") for index in range(5)]
    for number in numbers:
        tenant.add_entry(number, contents="came", tags=["in"])
        tenant.add_entry(number, contents="went", user="ann", tags=["out"], mirrored=True)
    tenant.add_entry(numbers[3], contents="go", user="ann", tags=["out"])
    read: list[str] = []
    entries = tenant.entries

    def noted(investigation_id: str, *args: Any) -> list[dict[str, Any]]:
        read.append(investigation_id)
        return entries(investigation_id, *args)

    monkeypatch.setattr(tenant, "entries", noted)
    assert ledger.mirror("ledger").sent == [numbers[3]]
    assert set(read) == {numbers[3]}
