"""What happens to a tenant: it is restored from a backup, incidents are hidden from the key's role, changes are refused."""

from collections.abc import Callable

import pytest

from local_xsoar.tenant import NotFound, Tenant
from local_xsoar.tests.tenant.tenant_client import Client


def new_incident(tenant: Tenant, name: str) -> str:
    incident = tenant.create_incident({"name": name})
    assert incident is not None
    return str(incident["id"])


def test_a_restored_tenant_gives_its_ids_out_again(tenant: Tenant) -> None:
    """
    Given: a backup, and an incident and an entry that were written after it.
    When: the tenant is restored and the same is written anew.
    Then: the new ones have the ids of those that are gone.
    """
    kept = new_incident(tenant, "kept")
    tenant.add_entry(kept, contents="kept", user="carla")
    backup = tenant.backup()
    gone, entry = new_incident(tenant, "gone"), tenant.add_entry(kept, contents="gone", user="carla")

    tenant.restore(backup)

    assert [item["contents"] for item in tenant.entries(kept)] == ["kept"]
    with pytest.raises(NotFound):
        tenant.incident(gone)
    assert new_incident(tenant, "new") == gone
    assert tenant.add_entry(kept, contents="new", user="carla")["id"] == entry["id"]


def test_a_removed_entry_is_gone(tenant: Tenant) -> None:
    """
    Given: a War Room of two entries.
    When: one is removed, and asked for again.
    Then: the other is left, and there is none to remove.
    """
    incident_id = new_incident(tenant, "one")
    first, second = (tenant.add_entry(incident_id, contents=text, user="carla") for text in ("a", "b"))

    tenant.remove_entry(first["id"])

    assert [item["id"] for item in tenant.entries(incident_id)] == [second["id"]]
    with pytest.raises(NotFound):
        tenant.remove_entry(first["id"])


def test_a_hidden_incident(tenant: Tenant, serve: Callable[..., Client]) -> None:
    """
    Given: two incidents, one of them hidden from the key's role.
    When: it is searched for, loaded, read and written by REST, and once more when it is shown again.
    Then: no search lists it and the rest is forbidden, until it is shown.
    """
    seen, hidden = new_incident(tenant, "seen"), new_incident(tenant, "hidden")
    client = serve(tenant)

    def found() -> list[str]:
        return [item["id"] for item in client.post("/incidents/search", {"filter": {"size": 9}}).json()["data"]]

    def statuses() -> list[int]:
        answers = [client.get(f"/incident/load/{hidden}"), client.post(f"/investigation/{hidden}", {})]
        return [answer.status_code for answer in [*answers, client.post("/incident", {**tenant.incident(hidden)})]]

    tenant.hide(hidden)
    assert found() == [seen]
    assert statuses() == [403, 403, 403]

    tenant.show(hidden)
    assert sorted(found()) == [seen, hidden]
    assert statuses() == [200, 200, 200]


def test_a_refused_change(tenant: Tenant, serve: Callable[..., Client]) -> None:
    """
    Given: a tenant that refuses a change of the owner.
    When: an update changes the owner, one changes something else, and the owner again when it is accepted.
    Then: the first is refused with the reason and changes nothing; the others are done.
    """
    incident_id = new_incident(tenant, "one")
    client = serve(tenant)

    def update(**changes: str) -> int:
        return client.post("/incident", {**tenant.incident(incident_id), **changes}).status_code

    tenant.refuse_change("owner", "Unknown user.")
    assert update(owner="zoe", details="new") == 400
    assert (tenant.incident(incident_id)["owner"], tenant.incident(incident_id)["details"]) == ("", "")
    assert update(details="new") == 200
    tenant.accept_change("owner")
    assert update(owner="zoe") == 200
    assert tenant.incident(incident_id)["owner"] == "zoe"
