"""Fetching over HTTP: each incident that matches comes exactly once, whatever happens."""

import json
from typing import Any

import pytest
from starlette.responses import HTMLResponse, JSONResponse, Response

from tests.mirror.two_tenants import INSTANCE, Mirror, Site, succeeded


def test_more_incidents_than_a_run_takes(remote: Mirror) -> None:
    """
    Given: more incidents than max_fetch.
    When: fetching until nothing comes.
    Then: each is here once, the oldest first.
    """
    ids = [remote.remote_incident(name=f"Incident {number}") for number in range(23)]
    remote.configure(max_fetch="10")

    sizes = [len(remote.fetch()) for _ in range(4)]

    assert sizes == [10, 10, 3, 0]
    assert remote.mirrored_ids() == ids


def test_a_burst_in_one_instant(remote: Mirror) -> None:
    """
    Given: more incidents of one instant than a run takes.
    When: fetching.
    Then: each is here once.
    """
    remote.clock.stop()
    ids = [remote.remote_incident() for _ in range(45)]
    remote.clock.go_on()
    remote.configure(max_fetch="10", look_back="0")

    remote.fetch_all()

    assert remote.mirrored_ids() == ids


def test_a_burst_larger_than_a_page_of_the_remote(site: Site) -> None:
    """
    Given: a remote that caps its pages at 7 and a burst of 30 in one instant.
    When: fetching.
    Then: each is here once.
    """
    made = site.mirror(there="6", search_size_limit=7, search_total="right")
    made.configure(max_fetch="20", look_back="0")
    made.clock.stop()
    ids = [made.remote_incident() for _ in range(30)]
    made.clock.go_on()

    made.fetch_all()

    assert made.mirrored_ids() == ids


def test_incidents_that_leave_the_result_while_it_is_read(site: Site) -> None:
    """
    Given: pages of 10.
    When: incidents of the first page are closed before the second is read.
    Then: no other is missed.
    """
    made = site.mirror(there="6", search_size_limit=10)
    made.configure(query="-status:closed", look_back="0")
    ids = [made.remote_incident() for _ in range(30)]

    def close_some(request: Any, number: int) -> None:
        if number == 1:
            for incident_id in ids[:5]:
                made.there.close_incident(incident_id)

    made.interference.before = close_some
    made.fetch()
    made.interference.forget()
    made.fetch_all()

    assert set(ids[5:]) <= set(made.mirrored_ids())
    assert len(made.mirrored_ids()) == len(set(made.mirrored_ids()))


def test_an_incident_that_is_indexed_late(remote: Mirror) -> None:
    """
    Given: a look-back of 5 minutes.
    When: an incident appears that is 3 minutes older than the newest.
    Then: it comes once.
    """
    newest = remote.remote_incident(name="on time")
    remote.fetch()
    remote.clock.offset_seconds = -180
    late = remote.remote_incident(name="late")
    remote.clock.offset_seconds = 0

    runs = [len(remote.fetch()) for _ in range(3)]

    assert runs == [1, 0, 0]
    assert remote.mirrored_ids() == sorted([newest, late], key=int)


def test_an_incident_that_comes_to_match_the_query(remote: Mirror) -> None:
    """
    Given: an incident that does not match and a newer one that does.
    When: that changes soon.
    Then: it comes.
    """
    remote.configure(query="severity:4")
    later = remote.remote_incident(severity=1)
    newer = remote.remote_incident(severity=4)
    assert len(remote.fetch_all()) == 1
    remote.there.change_incident(later, {"severity": 4})

    remote.fetch_all()

    assert remote.mirrored_ids() == [later, newer]


def test_a_look_back_that_is_enlarged(remote: Mirror) -> None:
    """
    Given: incidents fetched with a short look-back.
    When: it is enlarged.
    Then: none comes a second time.
    """
    remote.configure(look_back="0")
    remote.clock.offset_seconds = -600
    ids = [remote.remote_incident() for _ in range(3)]
    remote.clock.offset_seconds = 0
    ids.append(remote.remote_incident())
    remote.fetch_all()

    remote.configure(look_back="60")

    assert remote.fetch() == []
    assert remote.mirrored_ids() == ids


def test_a_query_with_or(remote: Mirror) -> None:
    """
    Given: a user's query with or.
    When: fetching.
    Then: it means what it says, and own incidents stay out all the same.
    """
    wanted = [remote.remote_incident(severity=4), remote.remote_incident(type="Malware")]
    remote.remote_incident(severity=1)
    remote.remote_incident(severity=4, sourceBrand="XSOAR Mirroring")
    remote.configure(query="severity:4 or type:Malware")

    remote.fetch_all()

    assert remote.mirrored_ids() == wanted


def test_own_incidents_on_request(remote: Mirror) -> None:
    """
    Given: that own incidents are not excluded.
    When: fetching.
    Then: they come too.
    """
    own = remote.remote_incident(sourceBrand="XSOAR Mirroring")
    remote.configure(disable_from_same_integration=False)

    remote.fetch()

    assert remote.mirrored_ids() == [own]


def test_the_first_fetch_time(remote: Mirror) -> None:
    """
    Given: an incident older than the first fetch time and a newer one.
    When: fetching.
    Then: only the newer one comes.
    """
    remote.clock.offset_seconds = -7200
    remote.remote_incident()
    remote.clock.offset_seconds = 0
    newer = remote.remote_incident()
    remote.configure(first_fetch="1 hour")

    remote.fetch_all()

    assert remote.mirrored_ids() == [newer]


FAULTS = {
    "500": lambda: JSONResponse({"error": "broken"}, status_code=500),
    "429": lambda: Response(status_code=429, headers={"Retry-After": "60"}),
    "a web page": lambda: HTMLResponse("<html>maintenance</html>"),
    "cut JSON": lambda: Response(b'{"data": [{"id"', media_type="application/json"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_each_request(site: Site, fault: str) -> None:
    """
    Given: a fetch of several requests.
    When: all from the n-th on fail.
    Then: it says so, and a later run brings all once.
    """
    made = site.mirror(there="8", search_size_limit=2, search_total="right")
    made.configure(max_fetch="4")
    ids = [made.remote_incident(name=f"Incident {number}") for number in range(4)]
    attached = made.there.create_incident({"name": "with a file"}, attachments=[("a.txt", b"a")])
    assert attached is not None
    ids.append(attached["id"])
    outcomes = []
    for number in range(3):
        # All requests from this one on.
        made.interference.forget()
        made.interference.answers = dict.fromkeys(range(number, number + 40), FAULTS[fault])
        run = made.host.fetch(INSTANCE)
        outcomes.append((run.ok, len(run.created), bool(run.error)))
    made.interference.forget()

    made.fetch_all()

    assert outcomes == [(False, 0, True)] * 3
    assert made.mirrored_ids() == ids


def test_a_remote_that_recovers_within_a_call(remote: Mirror) -> None:
    """
    Given: a remote that answers 502 once.
    When: fetching.
    Then: the call is repeated and the fetch goes well.
    """
    remote_id = remote.remote_incident()
    remote.interference.answers = {0: lambda: HTMLResponse("<html>bad gateway</html>", status_code=502)}

    remote.fetch()

    assert remote.mirrored_ids() == [remote_id]


def test_attachments(remote: Mirror) -> None:
    """
    Given: attachments of one name, an empty one and one with a path for a name.
    When: fetching.
    Then: all come whole.
    """
    contents = [("report.txt", b"first"), ("report.txt", b"second"), ("../../etc/passwd", b"third"), ("empty.bin", b"")]
    contents += [(f"more {number}.txt", b"more") for number in range(10)]
    remote.there.create_incident({"name": "with files"}, attachments=contents)

    local_id = remote.fetched_once()

    files = [entry for entry in remote.here.entries(local_id) if entry.get("file")]
    stored = sorted(remote.here.entry_file(entry["id"])[1].read_bytes() for entry in files)
    assert stored == sorted(content for _, content in contents)
    more = [f"more {number}.txt" for number in range(10)]
    assert sorted(entry["file"] for entry in files) == ["empty.bin", *more, "passwd", "report.txt", "report.txt"]


def test_an_attachment_that_cannot_be_had(remote: Mirror) -> None:
    """
    Given: an attachment that the remote does not give.
    When: fetching.
    Then: the rest comes, and the log warns.
    """
    remote_id = remote.remote_incident()
    for name in ("gone.txt", "here.txt"):
        remote.there.attach_file(remote_id, name, b"content")
    gone, _ = [entry["id"] for entry in remote.there.entries(remote_id) if entry["file"]]

    # Files are asked for at the same time, so that either may come first.
    def refuse_it(request: Any, number: int) -> None:
        if request.url.path.endswith(f"/entry/download/{gone}"):
            remote.interference.answers[number] = lambda: JSONResponse({"error": "no such file"}, status_code=500)

    remote.interference.before = refuse_it
    run = succeeded(remote.host.fetch(INSTANCE))

    (local_id,) = run.created
    assert [entry["file"] for entry in remote.here.entries(local_id) if entry.get("file")] == ["here.txt"]
    assert any("is skipped for now" in line for line in run.log)


def test_what_a_fetched_incident_holds(mirror: Mirror) -> None:
    """
    Given: a remote incident with fields and custom fields.
    When: fetching.
    Then: the local one has them.
    """
    remote_id = mirror.remote_incident(
        name="Phishing mail", severity=3, owner="carla", details="A link", CustomFields={"ticket": "C-1", "hosts": ["a", "b"]}
    )

    local = mirror.here.incident(mirror.fetched_once())

    assert {key: local[key] for key in ("name", "type", "severity", "owner", "details")} == {
        "name": "Phishing mail", "type": "Phishing", "severity": 3, "owner": "", "details": "A link",
    }  # fmt: skip
    assert (local["CustomFields"]["ticket"], local["CustomFields"]["hosts"]) == ("C-1", ["a", "b"])
    assert mirror.shown(local["id"], "remoteowner") == "carla"
    assert (local["dbotMirrorId"], local["dbotMirrorInstance"], local["dbotMirrorDirection"]) == (remote_id, INSTANCE, "Both")
    assert local["dbotMirrorTags"] == ["ToRemote"]
    assert local["sourceBrand"] == "XSOAR Mirroring"


def test_an_incident_that_itself_mirrors_a_third_tenant(remote: Mirror) -> None:
    """
    Given: a remote incident that mirrors a third tenant.
    When: fetching.
    Then: the local one mirrors the remote.
    """
    remote_id = remote.remote_incident(
        dbotMirrorId="99", dbotMirrorInstance="third", dbotMirrorDirection="In", dbotMirrorTags=["x"]
    )

    local = remote.here.incident(remote.fetched_once())

    assert (local["dbotMirrorId"], local["dbotMirrorInstance"], local["dbotMirrorDirection"]) == (remote_id, INSTANCE, "Both")


@pytest.mark.parametrize(
    ("direction", "expected"), [("None", ""), ("Incoming", "In"), ("Outgoing", "Out"), ("Incoming And Outgoing", "Both")]
)
def test_directions(site: Site, direction: str, expected: str) -> None:
    """
    Given: a mirroring direction.
    When: fetching.
    Then: the incident mirrors in that direction.
    """
    made = site.mirror()
    made.configure(mirror_direction=direction)
    made.remote_incident()

    assert made.here.incident(made.fetched_once())["dbotMirrorDirection"] == expected


@pytest.mark.parametrize("mirrored", [True, False])
def test_the_playbook(site: Site, mirrored: bool) -> None:
    """
    Given: a remote incident with a playbook.
    When: fetching with Mirror Playbook ID on or off.
    Then: it is named here or not.
    """
    made = site.mirror()
    made.configure(mirror_playbook_id=mirrored)
    made.remote_incident(playbookId="playbook-of-the-customer")

    run = succeeded(made.host.fetch(INSTANCE))

    (incident,) = run.incidents
    assert ("playbookId" in incident) is mirrored
    assert ("playbookId" in json.loads(incident["rawJSON"])) is mirrored
    assert (made.here.incident(run.created[0])["playbookId"] == "playbook-of-the-customer") is mirrored
