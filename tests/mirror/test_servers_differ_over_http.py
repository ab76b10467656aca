"""Whatever side of each switch a server is on, all that crosses crosses once, in both directions.

The tenants and hosts of all other tests here are on the side that asks more of the pack. Here each other side runs, one at a
time; `test_mirror_properties.py` draws them all at random.
"""

from typing import Any

import pytest
from starlette.responses import Response

from local_xsoar.comparison import compare_incidents
from local_xsoar.host import HostSettings
from local_xsoar.host.settings import SWITCHES as HOST_SWITCHES
from local_xsoar.tenant import TenantSettings
from local_xsoar.tenant.manners import SWITCHES as TENANT_SWITCHES
from tests.mirror.two_tenants import IN_TAG, INSTANCE, OUT_TAG, Mirror, Site

ENTRIES = 60  # More than the smallest page that a tenant may give.

DEFAULTS = {**vars(TenantSettings("x", ".")), **vars(HostSettings())}  # type: ignore[arg-type]
OTHER_SIDES = [
    (name, side) for name, sides in [*TENANT_SWITCHES.items(), *HOST_SWITCHES.items()] for side in sides if side != DEFAULTS[name]
]
# The versions take turns.
SIDES = [pytest.param("68"[number % 2], *side, id=f"{side[0]}={side[1]}") for number, side in enumerate(OTHER_SIDES)]


def made_with(site: Site, there: str, name: str, side: Any) -> Mirror:
    """Make a mirror whose remote tenant, or whose own server, is on a side of a switch."""
    if name in HOST_SWITCHES:
        return site.mirror("8", there, None, HostSettings(**{name: side}))
    return site.mirror("8", there, **{name: side})


def quiet(made: Mirror) -> None:
    """Run rounds until several in a row bring nothing. An error is right only for a creation that is looked for."""
    calm = 0
    for _ in range(30):
        done = made.host.mirror(INSTANCE)
        assert [error for error in done.errors if "the next try looks for it" not in error] == []
        calm = 0 if done.modified or done.sent or done.errors else calm + 1
        if calm == 3:
            return
    raise AssertionError("The mirror did not come to rest within 30 rounds.")


def differences(made: Mirror, local_id: str, remote_id: str) -> list[str]:
    """Return in what two incidents differ that should not, apart from what an open one was closed with once."""
    findings = compare_incidents(made.here, local_id, made.there, remote_id, in_tag=IN_TAG, out_tag=OUT_TAG)
    return [str(finding) for finding in findings if not finding.equal and finding.name not in ("closeReason", "closeNotes")]


@pytest.mark.parametrize(("there", "name", "side"), SIDES)
def test_all_crosses_once_on_each_side(site: Site, there: str, name: str, side: Any) -> None:
    """
    Given: a server on one side of one switch.
    When: an incident is fetched, and fields, custom fields, chats, notes, HTML and files cross both ways; one is created from
        here; incidents are closed and reopened from both sides.
    Then: all is on both sides, each once, and what was created from here is not fetched.
    """
    made = made_with(site, there, name, side)
    made.configure()
    first, second = made.remote_incident(severity=1, CustomFields={"ticket": "C-1"}), made.remote_incident(name="Second")
    local, other = made.fetch_all()
    for number in range(ENTRIES):
        made.there.add_entry(first, contents=f"in {number}", user="carla", category="chat", tags=[IN_TAG])
    made.there.add_entry(first, user="carla", entry_type=3, tags=[IN_TAG], file=("in.bin", b"\x00in"))
    made.there.change_incident(first, {"severity": 4, "CustomFields": {"ticket": "C-2", "hosts": "a, b"}}, user="carla")
    quiet(made)
    made.here.change_incident(local, {"details": "seen here", "CustomFields": {"depth": "3 m"}}, user="hanna")
    for kind, text in (("text", "!out"), ("markdown", "**out**"), ("html", "<b>out</b>")):
        made.here.add_entry(local, contents=text, user="hanna", category="chat", format=kind, tags=[OUT_TAG])
    made.here.add_entry(local, contents="a note", user="hanna", category="note", note=True, tags=[OUT_TAG])
    made.here.add_entry(local, user="hanna", entry_type=3, tags=[OUT_TAG], file=("out.bin", b"\x00out"))
    mirroring = {"dbotMirrorInstance": INSTANCE, "dbotMirrorDirection": "Both", "dbotMirrorTags": [OUT_TAG]}
    created = made.here.create_incident({"name": "From here", "CustomFields": {"ticket": "H-1"}, **mirroring}, user="hanna")
    assert created is not None
    made.there.close_incident(second, reason="Resolved", notes="done there", user="carla")
    quiet(made)

    assert differences(made, local, first) == []
    assert made.here.incident(other)["status"] == 2
    third = made.here.incident(created["id"])["dbotMirrorId"]
    assert (made.there.incident(third)["name"], made.there.incident(third)["CustomFields"]["ticket"]) == ("From here", "H-1")
    assert made.fetch_all() == []
    assert made.mirrored_ids() == sorted([first, second, third], key=int)

    made.here.reopen_incident(other, user="hanna")
    made.here.close_incident(local, reason="Duplicate", notes="done here", user="hanna")
    quiet(made)
    assert (made.there.incident(second)["status"], made.there.incident(first)["status"]) == (1, 2)
    assert made.there.incident(first)["closeNotes"].endswith("done here")
    made.there.reopen_incident(first, user="carla")
    quiet(made)

    assert made.here.incident(local)["status"] == 1
    assert differences(made, local, first) == []


@pytest.mark.parametrize("custom_fields_delta", HOST_SWITCHES["custom_fields_delta"])
@pytest.mark.parametrize("unsent_changes", HOST_SWITCHES["unsent_changes"])
def test_two_fields_that_change_at_once_on_both_sides(site: Site, custom_fields_delta: str, unsent_changes: str) -> None:
    """
    Given: one field that is changed there and another one here, before either could cross.
    When: rounds run, while the first ones cannot reach the remote for what goes out.
    Then: both changes are on both sides.
    """
    settings = HostSettings(custom_fields_delta=custom_fields_delta, unsent_changes=unsent_changes)
    made = site.mirror("8", "8", None, settings)
    made.configure()
    remote_id = made.remote_incident(severity=1, CustomFields={"ticket": "C-1", "hosts": "a"})
    local_id = made.fetched_once()
    quiet(made)
    made.there.change_incident(remote_id, {"severity": 4, "CustomFields": {"ticket": "C-2"}}, user="carla")
    made.here.change_incident(local_id, {"details": "seen here", "CustomFields": {"hosts": "a, b"}}, user="hanna")

    def refuse(request: Any, number: int) -> None:
        if request.url.path.endswith("/incident"):
            made.interference.answers[number] = lambda: Response(status_code=503)

    made.interference.before = refuse
    assert made.host.mirror(INSTANCE).errors
    made.interference.forget()
    quiet(made)

    for tenant, incident_id in ((made.here, local_id), (made.there, remote_id)):
        incident = tenant.incident(incident_id)
        custom = {key: incident["CustomFields"][key] for key in ("ticket", "hosts")}
        assert (incident["severity"], incident["details"], custom) == (4, "seen here", {"ticket": "C-2", "hosts": "a, b"})


@pytest.mark.parametrize(
    ("right", "permission"),
    [
        ("war_room", "view the War Room of the incident"),
        ("load", "view the incident"),
        ("edit", "create and edit incidents"),
        ("entry/note", "write into the War Room"),
        ("upload", "add files to the War Room"),
        ("close", "close incidents"),
    ],
)
def test_a_role_that_may_not_do_one_thing(site: Site, right: str, permission: str) -> None:
    """
    Given: a key whose role lacks one right.
    When: all is mirrored.
    Then: the rest crosses, and an error names the permission.
    """
    made = site.mirror("8", "8", barred_from=frozenset({right}))
    made.configure()
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    made.there.change_incident(remote_id, {"severity": 4}, user="carla")
    made.there.add_entry(remote_id, contents="in", user="carla", category="chat", tags=[IN_TAG])
    made.here.change_incident(local_id, {"details": "from here"}, user="hanna")
    made.here.add_entry(local_id, contents="a note", user="hanna", category="note", note=True, tags=[OUT_TAG])
    made.here.add_entry(local_id, user="hanna", entry_type=3, tags=[OUT_TAG], file=("out.bin", b"out"))
    made.here.close_incident(local_id, reason="Resolved", notes="done", user="hanna")
    told = [error for _ in range(4) for error in made.host.mirror(INSTANCE).errors]
    local, there = made.here.incident(local_id), made.there.incident(remote_id)

    told.append(str(local["CustomFields"].get("xsoarmirroringerrorin")))
    assert permission in " ".join(told)
    assert local["CustomFields"].get("xsoarmirroringstate") == "Error"
    if right != "load":
        assert local["severity"] == 4
        assert (there["details"] == "from here") == (right != "edit")
        entries = made.there.entries(remote_id)
        assert any(entry["file"] == "out.bin" for entry in entries) == (right != "upload")
        assert any("a note" in str(entry["contents"]) for entry in entries) == (right != "entry/note")


@pytest.mark.parametrize("custom_fields_delta", HOST_SWITCHES["custom_fields_delta"])
def test_a_delta_writes_no_stale_custom_field(site: Site, custom_fields_delta: str) -> None:
    """
    Given: a custom field that changes there while an update of another one is on its way.
    When: the update goes out, with the changed custom field alone or with all.
    Then: the newer value stays there and comes in, and the change of here is there.
    """
    made = site.mirror("8", "8", None, HostSettings(custom_fields_delta=custom_fields_delta))
    made.configure()
    remote_id = made.remote_incident(CustomFields={"ticket": "1", "depth": "1 m"})
    local_id = made.fetched_once()
    quiet(made)
    made.here.change_incident(local_id, {"CustomFields": {"ticket": "2"}}, user="hanna")
    changed: list[int] = []

    def change(request: Any, number: int) -> None:
        if request.url.path.endswith(f"/incident/load/{remote_id}") and not changed:
            changed.append(number)
            made.there.change_incident(remote_id, {"CustomFields": {"depth": "2 m"}}, user="carla")

    made.interference.before = change
    made.host.mirror(INSTANCE)
    quiet(made)

    for tenant, incident_id in ((made.there, remote_id), (made.here, local_id)):
        custom = tenant.incident(incident_id)["CustomFields"]
        assert (custom["ticket"], custom["depth"]) == ("2", "2 m")
