"""The pack's incident type, fields and mappers at work between two tenants: what a person sees on the layout."""

import runpy
from datetime import datetime, timedelta
from typing import Any

import demistomock as demisto
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse

from tests.mirror.two_tenants import INSTANCE, INTEGRATION, Mirror, Site, succeeded

SCRIPTS = INTEGRATION.parents[1] / "Scripts"
TYPE = "XSOAR Mirrored Incident"
PREFIX = "xsoarmirroring"


def shown(mirror: Mirror, local_id: str) -> dict[str, Any]:
    """Return what the pack's fields of a local incident show, by the ends of their names."""
    custom = mirror.here.incident(local_id)["CustomFields"]
    return {name.removeprefix(PREFIX): value for name, value in custom.items() if name.startswith(PREFIX)}


def test_the_pack_s_type_and_fields_show_how_an_incident_stands(mirror: Mirror) -> None:
    """
    Given: an instance with the pack's incident type and no mapper chosen by hand, and a remote incident with a common custom
        field.
    When: it is fetched, and changed at both ends.
    Then: the local one has the type; its fields name the remote incident, tenant and address; it is in step, without an error,
        and says when something came and went; the custom field crossed both ways; the other tenant has its own fields and
        none of the pack's.
    """
    for tenant in (mirror.here, mirror.there):
        tenant.add_incident_field("sourceip", name="Source IP")
    mirror.configure(incidentType=TYPE, has_own_mappers=False)
    remote_id = mirror.remote_incident(name="Flood", CustomFields={"sourceip": "192.0.2.3"})
    before = datetime.now().astimezone() - timedelta(seconds=1)
    local_id = mirror.fetched_once()
    mirror.until_quiet()
    mirror.there.change_incident(remote_id, {"severity": 3, "CustomFields": {"sourceip": "192.0.2.4"}}, user="carla")
    mirror.until_quiet()
    mine = {"details": "Boats are on their way.", "CustomFields": {"sourceip": "192.0.2.5"}}
    came = mirror.here.incident(local_id)["CustomFields"]["sourceip"]
    mirror.here.change_incident(local_id, mine, user="ann")
    mirror.until_quiet()
    mirror.there.change_incident(remote_id, {"phase": "Respond"}, user="carla")
    mirror.until_quiet()

    local, remote, fields = mirror.here.incident(local_id), mirror.there.incident(remote_id), shown(mirror, local_id)
    assert local["type"] == TYPE
    assert (local["severity"], came, remote["CustomFields"]["sourceip"]) == (3, "192.0.2.4", "192.0.2.5")
    assert (fields["remoteid"], fields["state"]) == (remote_id, "In Step")
    assert (fields.get("errorin", ""), fields.get("errorout", "")) == ("", "")
    assert fields["remotelink"].startswith("http")
    assert fields["remotelink"].endswith(remote_id)
    assert fields["remotetenant"] in mirror.url
    for name in ("lastin", "lastout"):
        assert before < datetime.fromisoformat(fields[name]) < before + timedelta(minutes=5)
    assert remote["details"] == "Boats are on their way."
    assert remote["type"] == "Phishing"
    assert [name for name in remote["CustomFields"] if name.startswith(PREFIX)] == []


def test_an_error_shows_on_the_incident_and_goes_when_it_is_over(site: Site) -> None:
    """
    Given: a mirrored incident in step.
    When: for a round the remote does not have it; then it is there again, and the incident is resynced.
    Then: its state is Error, with what the remote said, and what was known stays; then it is In Step, and the error is gone.
    """
    mirror = site.mirror()
    mirror.configure(incidentType=TYPE)
    mirror.remote_incident()
    local_id = mirror.fetched_once()
    mirror.until_quiet()

    def not_there(request: Request, number: int) -> None:
        if "/incident/load/" in request.url.path:
            mirror.interference.answers[number] = lambda: JSONResponse({"detail": "item not found"}, 404)

    succeeded(mirror.host.run(INSTANCE, "xsoar-mirror-resync", {}, incident_id=local_id))
    mirror.interference.before = not_there
    mirror.round()
    lost = shown(mirror, local_id)
    mirror.interference.forget()
    succeeded(mirror.host.run(INSTANCE, "xsoar-mirror-resync", {}, incident_id=local_id))
    mirror.until_quiet()
    found = shown(mirror, local_id)

    assert lost["state"] == "Error"
    assert "item not found" in lost["errorin"]
    assert (found["state"], found["errorin"]) == ("In Step", "")
    assert found["remotelink"] == lost["remotelink"] != ""


def test_the_buttons_of_the_layout_ask_the_right_instance(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: two instances, an incident that the one mirrors, and a change there that has not come yet.
    When: the button for the comparison is clicked; then the one for the resync; then a round is run.
    Then: the comparison names the field, the resync is taken down, and the other instance was asked nothing.
    """
    mirror = site.mirror()
    mirror.configure()
    mirror.configure("another")
    remote_id = mirror.remote_incident(severity=1)
    local_id = mirror.fetched_once()
    mirror.until_quiet()
    mirror.there.change_incident(remote_id, {"severity": 4}, user="carla")
    asked: list[str] = []

    def execute(command: str, args: dict[str, Any]) -> list[dict[str, Any]]:
        asked.append(args.pop("using"))
        return succeeded(mirror.host.run(asked[-1], command, args, incident_id=local_id)).entries

    monkeypatch.setattr(demisto, "executeCommand", execute)
    click = runpy.run_path(str(SCRIPTS / "XSOARMirroringIncident" / "XSOARMirroringIncident.py"))["run"]
    compared = click({"action": "diff"}, mirror.here.incident(local_id))
    resynced = click({"action": "resync"}, mirror.here.incident(local_id))
    mirror.until_quiet()

    (diff,) = [value for entry in compared for value in (entry["EntryContext"] or {}).values()]
    (resync,) = [value for entry in resynced for value in (entry["EntryContext"] or {}).values()]
    assert (diff["id"], diff["different"]) == (remote_id, ["severity"])
    assert resync == {"id": remote_id, "fields": True, "entries": True, "again": False}
    assert asked == [INSTANCE, INSTANCE]
    assert mirror.here.incident(local_id)["severity"] == 4


def test_the_widget_tells_a_mirror_at_work_from_a_dead_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: an instance that mirrors an incident, and one whose key the remote refuses.
    When: the widget is shown; and again when the rounds have stopped for an hour.
    Then: the first is healthy, with the ages of its round and fetch, and the second down, with the remedy; then both are down.
    """
    mirror = site.mirror()
    mirror.configure()
    mirror.remote_incident()
    mirror.fetched_once()
    mirror.until_quiet()
    mirror.configure("another", credentials_api_key={"identifier": "7", "password": "wrong"})

    def execute(command: str, args: dict[str, Any]) -> list[dict[str, Any]]:
        return succeeded(mirror.host.run(args["using"], command, {})).entries

    monkeypatch.setattr(demisto, "executeCommand", execute)
    modules = {name: {"brand": "XSOAR Mirroring", "state": "active"} for name in (INSTANCE, "another")}
    widget = runpy.run_path(str(SCRIPTS / "XSOARMirroringHealth" / "XSOARMirroringHealth.py"))
    now = datetime.now().astimezone()
    dead, well = widget["rows"](modules, now)
    stopped = widget["rows"](modules, now + timedelta(hours=1))

    assert (well.instance, well.state) == (INSTANCE, "Healthy")
    assert [sentence for sentence in well.sentences if "xsoar-mirror-mappers" not in sentence] == []
    assert well.figures == {"Last Round": "0 min", "Last Fetch": "0 min", "Pending": 0, "Lag": "-", "Errors": 0}
    assert (dead.instance, dead.state) == ("another", "Down")
    assert "refused the API key" in dead.sentences[0]
    assert {row.state for row in stopped} == {"Down"}


def test_the_section_shows_the_custom_fields_that_came(mirror: Mirror) -> None:
    """
    Given: a remote incident with a custom field and a timer that both tenants have.
    When: it is fetched, and its layout opened.
    Then: the section shows the field and its value, and none of the pack's own.
    """
    mirror.here.add_incident_field("depth")
    mirror.there.add_incident_field("depth")
    mirror.remote_incident(CustomFields={"depth": "3m"})
    local_id = mirror.fetched_once()
    mirror.until_quiet()

    section = runpy.run_path(str(SCRIPTS / "XSOARMirroringFields" / "XSOARMirroringFields.py"))
    rows = section["rows"](mirror.here.incident(local_id))

    assert rows == [{"Field": "depth", "Value": "3m"}]
