"""What the mirror job asks a tenant for: the incidents with some ids, and those that may have something to send."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local_xsoar.tenant import Tenant


def mirrored(tenant: Tenant, remote_id: str, instance: str = "remote", **fields: Any) -> str:
    """Create an incident that an instance mirrors in both directions, and return its id."""
    mirror = {"dbotMirrorId": remote_id, "dbotMirrorInstance": instance, "dbotMirrorDirection": "Both", "dbotMirrorTags": ["out"]}
    incident = tenant.create_incident({"name": f"mirrors {remote_id}", **mirror, **fields})
    assert incident is not None
    return str(incident["id"])


def to_send(tenant: Tenant) -> list[str]:
    return [incident["id"] for incident in tenant.mirrored_perhaps_to_send("remote")]


def test_mirrored_incidents_are_found_by_either_id(tenant: Tenant) -> None:
    """
    Given: incidents of an instance, with equal remote ids and such that differ in case, and one of another instance.
    When: some are asked for by remote ids, some by their own, one by both, and such as cannot be there.
    Then: each comes once, oldest first, as it can be loaded, and with the case that was asked for.
    """
    first, second, _other_case = (mirrored(tenant, remote_id) for remote_id in ("a", "b", "A"))
    elsewhere = mirrored(tenant, "a", "Remote")
    again, unknown = mirrored(tenant, "a"), mirrored(tenant, "")
    found = tenant.mirrored_with_ids("remote", remote_ids=["a", "", "c", "\ud800"], incident_ids=[second, again, elsewhere, "99"])
    assert found == [tenant.incident(number) for number in (first, second, again)]
    assert [incident["id"] for incident in tenant.mirrored_with_ids("remote", remote_ids=[], incident_ids=[unknown])] == [unknown]


@pytest.mark.parametrize("version", ["8.8.0", "6.12.0"])
def test_what_has_something_to_send_is_found_and_what_is_at_rest_is_not(make_tenant: Callable[..., Tenant], version: str) -> None:
    """
    Given: incidents at rest: with mirrored, untagged and otherwise tagged entries, and one that was sent without getting an id.
    When: one is changed, one closed, one gets a tagged entry, one an old entry tagged, one is new; then the changes are sent.
    Then: just these are found, oldest first, and afterwards only what was not sent.
    """
    tenant = make_tenant(version=version)
    resting, changed, closed, talking, tagged = (mirrored(tenant, str(index)) for index in range(5))
    sent_without_id = mirrored(tenant, "", dbotMirrorLastSync="2026-01-05T08:00:00Z")
    old = tenant.add_entry(tagged, contents="old", user="ann")
    for number in (resting, sent_without_id):
        tenant.add_entry(number, contents="went", user="ann", tags=["out"], mirrored=True)
        tenant.add_entry(number, contents="stays", user="ann", tags=["evidence"])
    assert to_send(tenant) == []
    tenant.change_incident(changed, {"CustomFields": {"depth": "2m"}})
    tenant.close_incident(closed)
    entry = tenant.add_entry(talking, contents="new", user="ann", tags=["evidence", "out"])
    tenant.change_entry(old["id"], tags=["out"])
    new = mirrored(tenant, "")
    assert to_send(tenant) == [changed, closed, talking, tagged, new]
    sent = {"dbotCurrentDirtyFields": None, "dbotMirrorLastSync": "2026-01-05T08:00:00Z"}
    for number in (changed, new):
        tenant.change_incident(number, sent, dirty=False)
    tenant.change_entry(entry["id"], mirrored=True)
    tenant.delete_incident(closed)
    assert to_send(tenant) == [tagged]


def test_the_file_of_an_older_version_can_be_asked_too(make_tenant: Callable[..., Tenant], tmp_path: Path) -> None:
    """
    Given: a database in which what these questions look at was not noted yet.
    When: it is opened.
    Then: what has something to send is found, what is written before and after.
    """
    older = make_tenant()
    before, after = mirrored(older, "1"), mirrored(older, "2")
    older.add_entry(before, contents="go", user="ann", tags=["out"])
    older.close()
    connection = sqlite3.connect(tmp_path / "tenant" / "tenant.sqlite")
    for index in ("incidents_changed", "incidents_mirror_tags", "entries_unsent"):
        connection.execute(f"DROP INDEX {index}")
    connection.close()
    tenant = make_tenant()
    assert to_send(tenant) == [before]
    tenant.change_incident(after, {"details": "mine"})
    assert to_send(tenant) == [before, after]
