"""Fields that need care: refused, unknown, of files, emptied, and changed on both sides at once."""

from typing import Any

import pytest

from local_xsoar.host import HostSettings
from local_xsoar.tenant import Tenant
from tests.mirror.test_exact_over_http import last_lines
from tests.mirror.two_tenants import IN_TAG, INSTANCE, Mirror, Site


def in_step(made: Mirror, **fields: Any) -> tuple[str, str]:
    """Let the two tenants have an incident with some fields; return its remote and its local id."""
    remote_id = made.remote_incident(**fields)
    local_id = made.fetched_once()
    made.until_quiet()
    return remote_id, local_id


def value_of(tenant: Tenant, incident_id: str, name: str) -> Any:
    """Return the value of a field or of a custom field, None when it is empty or not there."""
    incident = tenant.incident(incident_id)
    return (incident[name] if name in incident else incident["CustomFields"].get(name)) or None


def write(tenant: Tenant, incident_id: str, name: str, value: Any, user: str) -> None:
    """Change a field or a custom field, as a person does."""
    changes = {name: value} if name in tenant.incident(incident_id) else {"CustomFields": {name: value}}
    tenant.change_incident(incident_id, changes, user=user)


def take_out(tenant: Tenant, incident_id: str, *names: str) -> None:
    """Empty custom fields so that their keys are gone."""
    incident = tenant.incident(incident_id)
    custom = {name: value for name, value in incident["CustomFields"].items() if name not in names}
    tenant.replace_incident({**incident, "CustomFields": custom}, user="carla")


# What the remote refuses


REFUSALS = ["Unknown user: zoe", "Bad request"]  # Not all name what they are about.


@pytest.mark.parametrize("reason", REFUSALS)
@pytest.mark.parametrize("refused", ["phase", "ticket"])
def test_one_field_that_the_remote_refuses(remote: Mirror, refused: str, reason: str) -> None:
    """
    Given: three changed fields of which the remote refuses one.
    When: they go out.
    Then: two are there, the third later.
    """
    remote_id, local_id = in_step(remote, severity=1, phase="carla", CustomFields={"ticket": "C-1"})
    remote.there.refuse_change(refused, reason)
    values = {"details": "seen here", "severity": 3, refused: "zoe"}
    for name, value in values.items():
        write(remote.here, local_id, name, value, "hanna")
    remote.rounds()

    there = {name: value_of(remote.there, remote_id, name) for name in values}
    assert there == {**values, refused: "carla" if refused == "phase" else "C-1"}
    assert refused in remote.shown(local_id, "errorout").lower()
    assert value_of(remote.here, local_id, refused) == "zoe"

    remote.there.accept_change(refused)
    remote.rounds(5)
    remote.until_quiet()
    assert {name: value_of(remote.there, remote_id, name) for name in values} == values
    assert {name: value_of(remote.here, local_id, name) for name in values} == values
    assert remote.shown(local_id, "errorout") == ""


def test_two_fields_that_the_remote_refuses(site: Site) -> None:
    """
    Given: five changed fields of which the remote refuses two.
    When: they go out.
    Then: three are there, and both are named.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id, local_id = in_step(made, CustomFields={"ticket": "C-1", "hosts": "a", "depth": "1 m"})
    for name in ("hosts", "phase"):
        made.there.refuse_change(name, "Bad request")
    for name in ("details", "phase", "ticket", "hosts", "depth"):
        write(made.here, local_id, name, "new", "hanna")
    made.rounds()

    there = {name: value_of(made.there, remote_id, name) for name in ("details", "ticket", "depth", "hosts", "phase")}
    assert there == {"details": "new", "ticket": "new", "depth": "new", "hosts": "a", "phase": None}
    told = made.shown(local_id, "errorout").lower()
    assert "phase" in told
    assert "hosts" in told or "affected hosts" in told


def test_a_field_that_stays_refused_holds_no_later_change_back(site: Site) -> None:
    """
    Given: a phase that is refused there.
    When: another field changes later.
    Then: it goes all the same.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id, local_id = in_step(made)
    made.there.refuse_change("phase", "Unknown user: zoe")
    write(made.here, local_id, "phase", "zoe", "hanna")
    made.rounds()
    write(made.here, local_id, "severity", 4, "hanna")
    made.rounds()

    assert value_of(made.there, remote_id, "severity") == 4


@pytest.mark.parametrize("version", ["6", "8"])
def test_a_key_that_may_not_read_the_field_definitions(site: Site, version: str) -> None:
    """
    Given: a key whose role may not read /incidentfields.
    When: a severity, details, and a custom field that the remote incident lacks go out.
    Then: the two known fields are there, and the log names the third.
    """
    made = site.mirror("8", version, barred_from=frozenset({"incidentfields"}))
    made.configure()
    remote_id, local_id = in_step(made, severity=1)
    made.here.change_incident(local_id, {"severity": 3, "details": "new", "CustomFields": {"depth": "3 m"}}, user="hanna")
    log = [line for _ in range(3) for run in made.host.mirror(INSTANCE).runs for line in run.log]

    assert (value_of(made.there, remote_id, "severity"), value_of(made.there, remote_id, "details")) == (3, "new")
    assert any("depth" in line and not line.startswith("debug") for line in log), log


def test_a_custom_field_that_is_there_needs_no_definition(site: Site) -> None:
    """
    Given: a key whose role may not read /incidentfields.
    When: a custom field that is there changes here.
    Then: it goes.
    """
    made = site.mirror("8", "8", barred_from=frozenset({"incidentfields"}))
    made.configure()
    remote_id, local_id = in_step(made, CustomFields={"ticket": "C-1"})
    write(made.here, local_id, "ticket", "H-1", "hanna")
    made.rounds()

    assert value_of(made.there, remote_id, "ticket") == "H-1"


# Fields of files, and such as look like them


def with_field(site: Site, cli_name: str, kind: str) -> Mirror:
    """Make a mirror whose tenants have a further custom field, which the mappers name."""
    made = site.mirror("8", "8")
    for tenant in (made.here, made.there):
        tenant.add_incident_field(cli_name, name=cli_name.title(), type=kind)
    made.configure()
    return made


@pytest.mark.parametrize("when", ["fetched", "mirrored"])
def test_no_path_of_a_field_of_files_comes_in(site: Site, when: str) -> None:
    """
    Given: a remote field of attachments.
    When: a file is put into it.
    Then: its path does not come in, and the file may.
    """
    made = with_field(site, "evidence", "attachments")
    remote_id = made.remote_incident()
    if when == "fetched":
        made.there.attach_file(remote_id, "a.bin", b"there", field="evidence")
        local_id = made.fetched_once()
    else:
        local_id = made.fetched_once()
        made.there.attach_file(remote_id, "a.bin", b"there", field="evidence")
    made.until_quiet()
    (attached,) = made.there.incident(remote_id)["CustomFields"]["evidence"]
    (entry,) = made.there.entries(remote_id)
    made.there.change_entry(entry["id"], tags=[IN_TAG])
    made.there.change_incident(remote_id, {"severity": 4}, user="carla")
    made.until_quiet()

    assert attached["path"] not in str(made.here.incident(local_id))
    assert value_of(made.here, local_id, "severity") == 4
    assert last_lines(made.here, local_id) == ["a.bin"]


def test_no_path_of_a_field_of_files_goes_out(site: Site) -> None:
    """
    Given: files in a field of attachments on both sides.
    When: another is added here.
    Then: the remote's are as they were.
    """
    made = with_field(site, "evidence", "attachments")
    remote_id = made.remote_incident()
    made.there.attach_file(remote_id, "there.bin", b"there", field="evidence")
    local_id = made.fetched_once()
    made.until_quiet()
    before = made.there.incident(remote_id)["CustomFields"]["evidence"]
    made.here.attach_file(local_id, "here.bin", b"here", field="evidence")
    write(made.here, local_id, "severity", 3, "hanna")
    made.rounds()
    made.until_quiet()

    assert made.there.incident(remote_id)["CustomFields"]["evidence"] == before
    assert value_of(made.there, remote_id, "severity") == 3
    assert "here.bin" in str(made.here.incident(local_id)["CustomFields"]["evidence"])


def test_a_grid_with_columns_name_and_path_crosses(site: Site) -> None:
    """
    Given: a grid whose columns are called name and path.
    When: it changes on either side.
    Then: the rows cross.
    """
    made = with_field(site, "processes", "grid")
    rows = [{"name": "init", "path": "/sbin/init"}, {"name": "sh", "path": "/bin/sh"}]
    remote_id, local_id = in_step(made, CustomFields={"processes": rows[:1]})
    assert value_of(made.here, local_id, "processes") == rows[:1]
    write(made.there, remote_id, "processes", rows, "carla")
    made.until_quiet()
    assert value_of(made.here, local_id, "processes") == rows
    write(made.here, local_id, "processes", rows[1:], "hanna")
    made.until_quiet()

    assert value_of(made.there, remote_id, "processes") == rows[1:]


# What is emptied


def test_a_custom_field_that_is_gone_there_is_cleared_here(remote: Mirror) -> None:
    """
    Given: a text that is here and there.
    When: it is taken out there.
    Then: it is empty here, and what only is here stays.
    """
    remote_id, local_id = in_step(remote, CustomFields={"ticket": "C-1", "hosts": "a"})
    remote.here.change_incident(local_id, {"CustomFields": {"localonly": "ours"}}, user="hanna", dirty=False)
    take_out(remote.there, remote_id, "ticket")
    remote.until_quiet()
    remote.rounds()

    assert [value_of(remote.here, local_id, name) for name in ("ticket", "hosts", "localonly")] == [None, "a", "ours"]
    assert value_of(remote.there, remote_id, "ticket") is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [("multiSelect", ["a", "b"]), ("grid", [{"column": "1"}]), ("longText", "long"), ("number", 7), ("boolean", True)],
)
def test_a_field_of_any_type_that_is_gone_there_is_cleared_here(site: Site, kind: str, value: Any) -> None:
    """
    Given: a custom field of a type that is here and there.
    When: it is taken out there.
    Then: it is empty here, and stays so.
    """
    made = with_field(site, "extra", kind)
    remote_id, local_id = in_step(made, CustomFields={"extra": value})
    assert value_of(made.here, local_id, "extra") == value
    take_out(made.there, remote_id, "extra")
    made.until_quiet()
    made.rounds()

    assert value_of(made.here, local_id, "extra") is None
    assert value_of(made.there, remote_id, "extra") is None


def test_a_custom_field_that_is_gone_there_and_comes_back(site: Site) -> None:
    """
    Given: a text that is taken out there.
    When: it is filled there again.
    Then: it is here again.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id, local_id = in_step(made, CustomFields={"ticket": "C-1"})
    take_out(made.there, remote_id, "ticket")
    made.until_quiet()
    write(made.there, remote_id, "ticket", "C-2", "carla")
    made.until_quiet()

    assert value_of(made.here, local_id, "ticket") == "C-2"


def test_a_custom_field_that_only_is_here_is_not_cleared(site: Site) -> None:
    """
    Given: a custom field that was filled here and never there.
    When: the remote changes.
    Then: it stays here.
    """
    made = site.mirror("8", "8")
    made.configure(mirror_direction="Incoming")
    remote_id, local_id = in_step(made, CustomFields={"ticket": "C-1"})
    write(made.here, local_id, "hosts", "ours", "hanna")
    write(made.there, remote_id, "ticket", "C-2", "carla")
    made.until_quiet()

    assert [value_of(made.here, local_id, name) for name in ("ticket", "hosts")] == ["C-2", "ours"]


# Changed on both sides


def told_of(made: Mirror, local_id: str, *texts: str) -> int:
    """Return how many entries of the local War Room hold all of some texts."""
    lines = [str(entry["contents"]) for entry in made.here.entries(local_id)]
    return sum(all(text in line for text in texts) for line in lines)


@pytest.fixture(params=["6", "8"])
def kind_host(request: pytest.FixtureRequest, site: Site) -> Mirror:
    """A mirror whose own server keeps a local edit that was not sent yet when another value comes in."""
    made = site.mirror("8", request.param, None, HostSettings(unsent_changes="kept"))
    made.configure()
    return made


@pytest.mark.parametrize("field", ["details", "ticket"])
def test_the_same_field_changed_on_both_sides(kind_host: Mirror, field: str) -> None:
    """
    Given: a field that changes on both sides between two rounds.
    When: rounds run.
    Then: ours wins, and both are told, once.
    """
    made = kind_host
    remote_id, local_id = in_step(made, details="at first", CustomFields={"ticket": "at first"})
    write(made.there, remote_id, field, "from there", "carla")
    write(made.here, local_id, field, "from here", "hanna")
    made.rounds()
    made.until_quiet()
    made.rounds()

    assert (value_of(made.there, remote_id, field), value_of(made.here, local_id, field)) == ("from here", "from here")
    assert told_of(made, local_id, "from there", "from here") == 1
    (line,) = [str(entry["contents"]) for entry in made.here.entries(local_id)]
    assert field in line.lower()
    assert last_lines(made.there, remote_id) == []


def test_both_sides_change_a_field_again_and_again(kind_host: Mirror) -> None:
    """
    Given: four rounds before each of which both sides change a field.
    When: they ran.
    Then: each pair of values was told once.
    """
    made = kind_host
    remote_id, local_id = in_step(made, details="at first")
    for number in range(4):
        write(made.there, remote_id, "details", f"theirs {number}", "carla")
        write(made.here, local_id, "details", f"ours {number}", "hanna")
        made.rounds(1)
    made.until_quiet()
    made.rounds()

    assert (value_of(made.there, remote_id, "details"), value_of(made.here, local_id, "details")) == ("ours 3", "ours 3")
    assert [told_of(made, local_id, f"theirs {number}", f"ours {number}") for number in range(4)] == [1, 1, 1, 1]
    assert len(made.here.entries(local_id)) == 4


def test_two_sides_that_take_turns_are_no_conflict(kind_host: Mirror) -> None:
    """
    Given: two sides that change a field in turn.
    When: rounds run between them.
    Then: the last wins, and nothing is told.
    """
    made = kind_host
    remote_id, local_id = in_step(made, details="at first")
    for number in range(3):
        write(made.there, remote_id, "details", f"theirs {number}", "carla")
        made.rounds(3)
        assert value_of(made.here, local_id, "details") == f"theirs {number}"
        write(made.here, local_id, "details", f"ours {number}", "hanna")
        made.rounds(3)
    made.until_quiet()

    assert (value_of(made.there, remote_id, "details"), value_of(made.here, local_id, "details")) == ("ours 2", "ours 2")
    assert made.here.entries(local_id) == []


def test_the_same_change_on_both_sides_is_no_conflict(kind_host: Mirror) -> None:
    """
    Given: a field that both sides change to the same value.
    When: rounds run.
    Then: nothing is told.
    """
    made = kind_host
    remote_id, local_id = in_step(made, severity=1)
    write(made.there, remote_id, "severity", 4, "carla")
    write(made.here, local_id, "severity", 4, "hanna")
    made.rounds()
    made.until_quiet()

    assert (value_of(made.there, remote_id, "severity"), value_of(made.here, local_id, "severity")) == (4, 4)
    assert made.here.entries(local_id) == []


def test_other_fields_than_the_one_in_conflict_cross(kind_host: Mirror) -> None:
    """
    Given: a field changed on both sides and one more on each.
    When: rounds run.
    Then: those two cross, and only one is told.
    """
    made = kind_host
    remote_id, local_id = in_step(made, details="at first", CustomFields={"ticket": "C-1", "hosts": "a"})
    write(made.there, remote_id, "details", "from there", "carla")
    write(made.there, remote_id, "ticket", "C-2", "carla")
    write(made.here, local_id, "details", "from here", "hanna")
    write(made.here, local_id, "hosts", "a, b", "hanna")
    made.rounds()
    made.until_quiet()

    for tenant, incident_id in ((made.there, remote_id), (made.here, local_id)):
        assert [value_of(tenant, incident_id, name) for name in ("details", "ticket", "hosts")] == ["from here", "C-2", "a, b"]
    assert told_of(made, local_id, "from there", "from here") == 1
    assert len(made.here.entries(local_id)) == 1


def test_where_the_server_overwrites_both_sides_end_equal(site: Site) -> None:
    """
    Given: a server that overwrites unsent edits.
    When: a field changes on both sides, thrice.
    Then: both sides end equal.
    """
    made = site.mirror("8", "8", None, HostSettings(unsent_changes="overwritten"))
    made.configure()
    remote_id, local_id = in_step(made, details="at first")
    for number in range(3):
        write(made.there, remote_id, "details", f"theirs {number}", "carla")
        write(made.here, local_id, "details", f"ours {number}", "hanna")
        made.rounds(1)
    made.until_quiet()

    assert value_of(made.there, remote_id, "details") == value_of(made.here, local_id, "details")
    assert value_of(made.here, local_id, "details") in ("ours 2", "theirs 2")
