"""The script that tells an admin of an instance that needs attention, run on a tenant that mirrors another over HTTP."""

from typing import Any

import pytest
from starlette.responses import Response

from local_xsoar.host import CommandRun
from tests.mirror.test_fields_over_http import in_step
from tests.mirror.test_reconcile_over_http import untold
from tests.mirror.two_tenants import INSTANCE, INTEGRATION, Mirror, succeeded

WATCH = INTEGRATION.parents[1] / "Scripts" / "XSOARMirroringWatch"
NAME = "XSOAR Mirroring needs attention"


def run(made: Mirror, **args: str) -> CommandRun:
    """Run the script."""
    return made.host.run_script(WATCH, args)


def watched(made: Mirror, **args: str) -> dict[str, dict[str, Any]]:
    """Run the script, which must succeed; return what it tells, by instance."""
    (entry,) = succeeded(run(made, **args)).entries
    (rows,) = entry["EntryContext"].values()
    return {row["Instance"]: row for row in rows}


def alerts(made: Mirror, query: str = "-status:closed") -> list[dict[str, Any]]:
    """Return the incidents that the script made, those that are open or those of a query."""
    found, _ = made.here.search({"query": f'name:"{NAME}" {query}', "size": 99, "sort": [{"field": "id", "asc": True}]})
    return found


def after(made: Mirror, minutes: int) -> None:
    """Let some minutes pass; in the last of them there is a fetch and a mirroring round, whatever comes of them."""
    made.pass_time(minutes=minutes - 1)
    made.minutes(1)


def go_away(made: Mirror) -> None:
    """Let the remote answer nothing but that it is not there."""
    first = len(made.interference.paths)
    made.interference.answers.update(dict.fromkeys(range(first, first + 500), lambda: Response(status_code=503)))


def test_a_remote_that_is_down_for_three_runs_gives_one_incident_and_in_the_end_none(remote: Mirror) -> None:
    """
    Given: an incident that is mirrored, and a change that waits while the remote is away for forty minutes.
    When: the script runs every ten minutes, and again after the remote came back and the change crossed.
    Then: there is one incident, which was updated and went nowhere; it is closed with its reason, though the lag was long.
    """
    local_id, remote_id = reversed(in_step(remote))
    assert watched(remote)[INSTANCE]["State"] == "Well"
    go_away(remote)
    remote.here.change_incident(local_id, {"severity": 4}, user="hanna")

    told = []
    for _ in range(3):
        after(remote, 10)
        told.append(watched(remote)[INSTANCE])
    (alert,) = alerts(remote)
    remote.pass_time(minutes=10)
    remote.interference.answers.clear()
    remote.minutes(6)
    while_slow = watched(remote)[INSTANCE]
    after(remote, 31)
    well = watched(remote)[INSTANCE]

    assert [row["Change"] for row in told] == ["created", "updated", "updated"]
    assert {row["State"] for row in told} == {"Down"}
    assert {row["Incident"] for row in told} == {alert["id"]}
    assert "503" in told[0]["Reasons"][0]
    assert (alert["name"], alert["severity"], alert["dbotMirrorInstance"]) == (f"{NAME}: {INSTANCE}", 3, "")
    assert told[-1]["Reasons"][0] in alert["details"]
    assert remote.there.incident(remote_id)["severity"] == 4
    assert while_slow["State"] == "Attention"
    assert "took longer than 30 minutes" in " ".join(while_slow["Reasons"])
    assert (well["State"], well["Incident"], well["Change"]) == ("Well", alert["id"], "closed")
    assert alerts(remote) == []
    (closed,) = alerts(remote, "status:closed")
    assert "has recovered. It had problems from" in closed["closeNotes"]
    assert [incident["name"] for incident in remote.there.search({"query": "", "size": 9})[0] if NAME in incident["name"]] == []


def test_of_two_instances_only_the_ailing_one_has_an_incident(remote: Mirror) -> None:
    """
    Given: an instance that is well, and one whose remote no one can reach.
    When: the script runs for all of them, and for the one that is well.
    Then: the other one has an incident, of the type that was asked for, which the last run leaves alone.
    """
    remote.configure("unreachable", url="http://127.0.0.1:9")
    remote.minutes(2)

    rows = watched(remote, incident_type="Phishing")
    alone = watched(remote, instance=INSTANCE)

    assert {name: (row["State"], row["Change"]) for name, row in rows.items()} == {
        "unreachable": ("Down", "created"),
        INSTANCE: ("Well", "none"),
    }
    assert list(alone) == [INSTANCE]
    assert [(alert["name"], alert["type"]) for alert in alerts(remote)] == [(f"{NAME}: unreachable", "Phishing")]


def test_drift_that_needs_a_decision_is_told_until_it_is_decided(remote: Mirror) -> None:
    """
    Given: two mirrored incidents, of which one is deleted in the remote and the other changed a moment ago.
    When: the script runs without drift, with drift, and with drift after the mirroring of the first was ended.
    Then: only drift finds the deleted one, for which the instance needs attention until then; the change on its way does not.
    """
    deleted, changed = remote.remote_incident(), remote.remote_incident()
    remote.fetch_all()
    remote.until_quiet()
    remote.minutes(11)
    remote.there.delete_incident(deleted)
    remote.there.change_incident(changed, {"severity": 4}, user="carla")

    before = watched(remote)[INSTANCE]
    found = watched(remote, drift="true")[INSTANCE]
    remote.minutes(2)
    succeeded(remote.host.run(INSTANCE, "xsoar-mirror-stop", {"id": deleted}))
    decided = watched(remote, drift="true")[INSTANCE]

    assert (before["State"], before["Change"]) == ("Well", "none")
    assert (found["State"], found["Change"]) == ("Attention", "created")
    assert found["Reasons"] == [
        f"Incidents that differ from the remote tenant and need a decision: 1, with the remote IDs {deleted} (gone)."
        " xsoar-mirror-reconcile says what to decide.",
    ]
    assert (decided["State"], decided["Change"], alerts(remote)) == ("Well", "closed", [])


def test_drift_that_stays_is_told_as_waiting(remote: Mirror) -> None:
    """
    Given: a mirrored incident that changed in the remote, unseen by the search of changes, and cannot be loaded any more.
    When: the hourly comparison has found it, and the time that a change may wait has passed.
    Then: the instance needs attention for it.
    """
    remote_id = in_step(remote)[0]
    remote.minutes(1)
    with untold(remote):
        remote.there.change_incident(remote_id, {"severity": 4}, user="carla")
    remote.interference.before = lambda request, number: (
        remote.interference.answers.update({number: lambda: Response(status_code=500)})
        if request.url.path.endswith(f"/incident/load/{remote_id}")
        else None
    )

    for _ in range(12):
        after(remote, 10)

    row = watched(remote, drift="true")[INSTANCE]
    assert (row["State"], row["Change"]) == ("Attention", "created")
    assert row["Reasons"][0].startswith("The oldest change has been waiting for ")
    assert "get-remote-data fails: " in row["Reasons"][0]


def test_a_paused_instance_is_told_and_has_no_incident(remote: Mirror) -> None:
    """
    Given: an instance that was paused, for longer than a round may be old.
    When: the script runs meanwhile.
    Then: it says until when, and creates nothing.
    """
    in_step(remote)
    succeeded(remote.host.run(INSTANCE, "xsoar-mirror-pause", {"until": "2 hours"}))
    after(remote, 30)

    row = watched(remote)[INSTANCE]

    assert (row["State"], row["Change"]) == ("Paused", "none")
    assert "It is paused until" in row["Reasons"][0]
    assert alerts(remote) == []


def test_two_runs_at_once_leave_one_incident_open(remote: Mirror) -> None:
    """
    Given: an incident that a second run made at the same time.
    When: the script runs.
    Then: the older one stays, and the newer one is closed as its duplicate.
    """
    go_away(remote)
    first = watched(remote)[INSTANCE]["Incident"]
    second = remote.here.create_incident({"name": f"{NAME}: {INSTANCE}"})
    assert second

    row = watched(remote)[INSTANCE]

    assert (row["Incident"], row["Change"]) == (first, "updated")
    assert [alert["id"] for alert in alerts(remote)] == [first]
    assert remote.here.incident(str(second["id"]))["closeReason"] == "Duplicate"


@pytest.mark.parametrize("name", ["round_minutes", "lag_minutes"])
def test_a_wrong_number_is_told_in_one_sentence(remote: Mirror, name: str) -> None:
    """
    Given: an argument that is no number.
    When: the script runs.
    Then: one sentence names it and says what to give.
    """
    ran = run(remote, **{name: "soon"})

    assert not ran.ok
    assert f"{name} is soon: give a whole number of minutes from" in ran.error
