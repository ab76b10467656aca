"""How the host finds the incidents of an instance."""

from pathlib import Path

import pytest

from local_xsoar.host.queries import mirrored_incidents
from local_xsoar.tenant import Tenant, TenantSettings


@pytest.mark.parametrize("limit", [1, 2, 5, 1000])
def test_incidents_of_an_instance_are_all_found_however_short_the_pages_are(tmp_path: Path, limit: int) -> None:
    """
    Given: a tenant that gives a few incidents a page.
    When: those of an instance are asked for.
    Then: all come, in order.
    """
    tenant = Tenant(TenantSettings(name="here", folder=tmp_path, api_key="k", search_size_limit=limit))
    with tenant.batch():
        for number in range(5):
            made = tenant.create_incident({"name": str(number)})
            assert made
            tenant.change_incident(made["id"], {"dbotMirrorInstance": "there" if number != 2 else "There"}, dirty=False)

    found = [incident["name"] for incident in mirrored_incidents(tenant, "there")]

    tenant.close()
    assert found == ["0", "1", "3", "4"]
