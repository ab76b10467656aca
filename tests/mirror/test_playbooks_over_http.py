"""The playbooks of the pack, run on a tenant that mirrors another over HTTP."""

from typing import Any

import pytest
from starlette.responses import Response

from local_xsoar.host import CommandRun
from local_xsoar.tenant.manners import KIND
from tests.mirror.playbook_runs import run_playbook
from tests.mirror.test_check_over_http import populate
from tests.mirror.two_tenants import INSTANCE, INTEGRATION, OUT_TAG, Mirror, Site, succeeded

SET_UP, CREATE = "XSOAR Mirroring - Set Up", "XSOAR Mirroring - Create in Remote"
LINK, RESYNC = "XSOAR Mirroring - Link Existing Incident", "XSOAR Mirroring - Resync Incident"
SCRIPT = INTEGRATION.parents[1] / "Scripts" / "XSOARMirroringIncident"


def local_incident(mirror: Mirror, **fields: Any) -> str:
    """Create an incident here, with an open War Room, that nobody mirrors; return its ID."""
    created = mirror.here.create_incident({"name": "Lateral movement from WS-0117", "severity": 3, **fields}, user="hanna")
    assert created is not None
    return str(created["id"])


def remote_names(mirror: Mirror) -> list[str]:
    """Return the names of all incidents of the remote tenant."""
    found, _ = mirror.there.search({"query": "", "size": 99})
    return [incident["name"] for incident in found]


def press(mirror: Mirror, incident_id: str) -> CommandRun:
    """Click the button Create in remote."""
    return mirror.host.run_script(SCRIPT, {"action": "create"}, incident_id=incident_id)


def created_there(mirror: Mirror) -> None:
    """Let the rounds run that create an incident there: the first one may not learn its ID, and looks for it in the next."""
    mirror.rounds(3)
    mirror.until_quiet()


def refuse(mirror: Mirror, *parts: str, status: int) -> None:
    """Let the remote answer with a status to requests whose path holds one of the parts."""
    mirror.interference.before = lambda request, number: (
        mirror.interference.answers.update({number: lambda: Response(status_code=status)})
        if any(part in request.url.path for part in parts)
        else None
    )


def test_set_up_says_what_does_not_cross(remote: Mirror) -> None:
    """
    Given: an instance that works, and a custom field that only the remote tenant has.
    When: the playbook runs.
    Then: its table is in the War Room, the verdict is warn, and the next step is the mappers and then Fetch incidents; nothing
        was created in the remote.
    """
    remote.remote_incident()
    remote.there.add_incident_field("depthofwater")
    incident_id = local_incident(remote)

    run = run_playbook(remote, SET_UP, incident_id, Instance=INSTANCE)

    (said,) = run.printed
    assert run.tasks[-3:] == ["What did the check find?", "Say what does not cross", "Done"]
    assert run.context["XSOAR"]["Mirror"]["Check"]["Verdict"] == "warn"
    assert f'!xsoar-mirror-mappers using="{INSTANCE}"' in said
    shown = remote.here.entries(incident_id, {})
    assert any(f"Check of {INSTANCE}: warn" in str(entry["contents"]) for entry in shown)
    assert remote_names(remote) == ["Phishing"]


def test_set_up_says_how_to_go_live(site: Site) -> None:
    """
    Given: a tenant in which there is nothing that would not cross or is not known.
    When: the playbook runs.
    Then: the verdict is ok and the next step is Fetch incidents.
    """
    mirror = site.mirror(**KIND)
    mirror.configure(tags="seen")
    # Where there are fewer incidents, the check does not know what a page of 1,000 does. Old ones are not for the first fetch.
    mirror.clock.offset_seconds = -90 * 24 * 3600
    for _ in range(1001):
        mirror.remote_incident()
    populate(mirror)

    run = run_playbook(mirror, SET_UP, local_incident(mirror), Instance=INSTANCE)

    assert [row for row in run.context["XSOAR"]["Mirror"]["Check"]["Findings"] if row["Verdict"] != "ok"] == []
    assert run.tasks[-2] == "Say how to go live"
    assert run.printed == [
        f"{INSTANCE} is ready. Next: select Fetch incidents in the instance. The first incidents arrive within minutes;"
        " the dashboard XSOAR Mirroring shows how it goes."
    ]


def test_set_up_stops_where_mirroring_cannot_work(remote: Mirror) -> None:
    """
    Given: a key that may not search incidents.
    When: the playbook runs.
    Then: the verdict is stop, and the next step is the remedies in the table, with Fetch incidents left cleared.
    """
    refuse(remote, "/incidents/search", status=403)

    run = run_playbook(remote, SET_UP, local_incident(remote), Instance=INSTANCE)

    assert run.context["XSOAR"]["Mirror"]["Check"]["Verdict"] == "stop"
    assert run.tasks[-2] == "Say what to repair"
    assert run.printed[0].startswith(f"{INSTANCE} cannot mirror yet. Next: for each line with the verdict stop")


def test_set_up_tells_a_wrong_name(remote: Mirror) -> None:
    """
    Given: an instance of another name.
    When: the playbook runs for a name that there is not.
    Then: it says that there was no verdict, and the error names the instance.
    """
    run = run_playbook(remote, SET_UP, local_incident(remote), Instance="costumer")

    assert run.tasks[-2] == "Explain that the check did not run"
    assert "costumer gave no verdict" in run.printed[0]
    assert "There is no instance costumer" in run.errors[0]


def test_set_up_takes_the_verdict_of_its_own_instance(remote: Mirror) -> None:
    """
    Given: what an earlier run left in the context for another instance.
    When: the verdict of the check is read.
    Then: only the one of the instance counts.
    """
    remote.configure("unreachable", url="http://127.0.0.1:9")

    run = run_playbook(remote, SET_UP, local_incident(remote), Instance="unreachable")

    assert run.context["XSOAR"]["Mirror"]["Check"]["Instance"] == "unreachable"
    assert run.tasks[-2] == "Say what to repair"


def test_a_local_incident_is_created_in_the_remote_once(remote: Mirror) -> None:
    """
    Given: an incident that began here and that nobody mirrors.
    When: the button is clicked twice, two rounds run, it is clicked again, and both sides are changed.
    Then: the remote tenant has it once, with its fields; the second click says that it is on its way, the third that it is
        mirrored; and each change arrives on the other side.
    """
    local_id = local_incident(remote)

    first, second = press(remote, local_id), press(remote, local_id)
    created_there(remote)
    third = press(remote, local_id)
    remote.until_quiet()
    (there,), _ = remote.there.search({"query": "", "size": 9})
    remote.here.change_incident(local_id, {"details": "Seen on two hosts."}, user="hanna")
    remote.until_quiet()
    remote.there.change_incident(there["id"], {"severity": 4}, user="carla")
    remote.until_quiet()

    local = remote.here.incident(local_id)
    assert succeeded(first).entries[0]["EntryContext"]
    assert f"{INSTANCE} is creating this incident in the remote tenant already" in second.error
    assert f"mirrored already: by {INSTANCE}, with the remote incident {there['id']}." in third.error
    assert (there["name"], there["severity"]) == ("Lateral movement from WS-0117", 3)
    assert local["dbotMirrorId"] == there["id"]
    assert remote.shown(local_id, "remoteid") == there["id"]
    assert remote.there.incident(there["id"])["details"] == "Seen on two hosts."
    assert local["severity"] == 4
    assert remote_names(remote) == ["Lateral movement from WS-0117"]


def test_the_playbook_creates_as_the_button_does(remote: Mirror) -> None:
    """
    Given: an incident that began here.
    When: the playbook runs, a round brings it there, and the playbook runs again.
    Then: the remote tenant has it once, and the second run says with what it is mirrored.
    """
    local_id = local_incident(remote)

    first = run_playbook(remote, CREATE, local_id)
    created_there(remote)
    second = run_playbook(remote, CREATE, local_id)
    remote.until_quiet()

    remote_id = remote.here.incident(local_id)["dbotMirrorId"]
    assert first.tasks[-2:] == ["Create the incident in the remote tenant", "Done"]
    assert first.context["XSOAR"]["Mirror"]["Create"] == {"Incident": local_id, "Instance": INSTANCE, "Direction": "Both"}
    assert second.tasks[-2:] == ["Explain that it has another half", "Done"]
    assert f'Its dbotMirrorId is "{remote_id}", its dbotMirrorInstance is "{INSTANCE}".' in second.printed[0]
    assert remote_names(remote) == ["Lateral movement from WS-0117"]


def test_of_two_instances_the_named_one_creates(remote: Mirror) -> None:
    """
    Given: two instances that send.
    When: the playbook runs without naming one, and with.
    Then: at first nothing is created and the War Room says where the reason stands; then the named one creates it.
    """
    remote.configure("another")
    local_id = local_incident(remote)

    vague = run_playbook(remote, CREATE, local_id)
    untouched = remote.here.incident(local_id)["dbotMirrorInstance"]
    run_playbook(remote, CREATE, local_id, Instance=INSTANCE)
    created_there(remote)

    assert f"The instances another and {INSTANCE} could each create it" in vague.errors[0]
    assert vague.printed[0].startswith("Nothing was created.")
    assert untouched == ""
    assert remote.here.incident(local_id)["dbotMirrorInstance"] == INSTANCE
    assert remote_names(remote) == ["Lateral movement from WS-0117"]


def test_what_is_created_there_takes_its_tagged_entries_along(remote: Mirror) -> None:
    """
    Given: an incident that began here, with an entry that carries an outgoing tag and one that does not.
    When: the button is clicked.
    Then: the incident has the outgoing tags of the instance, and the remote one the tagged entry alone.
    """
    local_id = local_incident(remote)
    remote.here.add_entry(local_id, contents="Seen on two hosts.", user="hanna", tags=[OUT_TAG])
    remote.here.add_entry(local_id, contents="Between us.", user="hanna")

    succeeded(press(remote, local_id))
    created_there(remote)

    local = remote.here.incident(local_id)
    texts = " ".join(str(entry["contents"]) for entry in remote.there.entries(local["dbotMirrorId"], {}))
    assert local["dbotMirrorTags"] == [OUT_TAG]
    assert "Seen on two hosts." in texts
    assert "Between us." not in texts


def test_an_instance_that_only_takes_in_creates_nothing(remote: Mirror) -> None:
    """
    Given: an instance that only takes in.
    When: the button is clicked, and rounds run.
    Then: the sentence says which parameter to set; the incident is as it was and the remote tenant has none.
    """
    remote.configure(mirror_direction="Incoming")
    local_id = local_incident(remote)

    pressed = press(remote, local_id)
    created_there(remote)

    assert "set its Incident Mirroring Direction to Outgoing" in pressed.error
    assert remote.here.incident(local_id)["dbotMirrorInstance"] == ""
    assert remote_names(remote) == []


def test_what_was_created_there_is_not_sent_back(site: Site) -> None:
    """
    Given: two tenants that both run the pack, and an incident that the one created in the other.
    When: somebody clicks the button on it in that other tenant.
    Then: one sentence says that it was created by another tenant, and the first one has no second incident.
    """
    mirror = site.mirror()
    mirror.configure()
    local_id = local_incident(mirror)
    succeeded(press(mirror, local_id))
    created_there(mirror)
    (there,), _ = mirror.there.search({"query": "", "size": 9})
    back = Mirror(
        mirror.there, mirror.here, site.serve(mirror.here), site.host(mirror.there), mirror.clock_here, mirror.interference
    )
    back.configure()

    pressed = press(back, str(there["id"]))

    assert pressed.error.startswith("Another tenant created this incident and mirrors it")
    assert back.there.search({"query": "", "size": 9})[1] == 1


def test_linking_and_resyncing_work_as_they_say(remote: Mirror) -> None:
    """
    Given: an incident here and one there about the same thing.
    When: the playbook that links them runs, then the one that resyncs, then the first again for another remote incident.
    Then: they are one pair, equal but for what never comes in; the comparison is in the context; the last run says with what it
        is mirrored.
    """
    remote_id, other_id = remote.remote_incident(name="Flood", severity=4), remote.remote_incident()
    local_id = local_incident(remote)

    run_playbook(remote, LINK, local_id, RemoteID=remote_id, Instance=INSTANCE, Tags=OUT_TAG)
    remote.until_quiet()
    resynced = run_playbook(remote, RESYNC, local_id)
    again = run_playbook(remote, LINK, local_id, RemoteID=other_id, Instance=INSTANCE)

    local = remote.here.incident(local_id)
    assert (local["name"], local["severity"], local["dbotMirrorTags"]) == ("Flood", 4, [OUT_TAG])
    assert set(resynced.context["XSOAR"]["Mirror"]["Diff"]["different"]) <= {"dueDate"}
    assert f"is mirrored with the incident {remote_id} by the instance {INSTANCE}" in again.printed[0]


@pytest.mark.parametrize(
    ("inputs", "task"),
    [
        ({"RemoteID": "999"}, "Explain that it was not found"),
        ({"RemoteID": "1", "Direction": "Sideways"}, "Explain the directions"),
    ],
)
def test_linking_refuses_and_says_why(remote: Mirror, inputs: dict[str, str], task: str) -> None:
    """
    Given: an incident here.
    When: it is linked with a remote incident that there is not, or in a direction that there is not.
    Then: the War Room says so, and its mirror fields stay empty.
    """
    remote.remote_incident()
    local_id = local_incident(remote)

    run = run_playbook(remote, LINK, local_id, Instance=INSTANCE, **inputs)

    assert run.tasks[-2] == task
    assert run.printed[0].startswith("Nothing was linked: ")
    assert remote.here.incident(local_id)["dbotMirrorInstance"] == ""


def test_a_fetched_incident_is_not_created_again(remote: Mirror) -> None:
    """
    Given: an incident that was fetched from the remote tenant, and whose mirror fields somebody cleared.
    When: the button is clicked, and rounds run.
    Then: the remote tenant has it once.
    """
    remote.remote_incident()
    local_id = remote.fetched_once()
    remote.until_quiet()
    remote.here.change_incident(local_id, {"dbotMirrorId": "", "dbotMirrorInstance": ""}, user="hanna")

    pressed = press(remote, local_id)
    created_there(remote)

    assert remote_names(remote) == ["Phishing"]
    assert "link them with the playbook XSOAR Mirroring - Link Existing Incident" in pressed.error
