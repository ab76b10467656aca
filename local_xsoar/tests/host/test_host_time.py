"""Scripts live in the time of their tenant."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest

from local_xsoar.host import Host
from local_xsoar.tenant import Tenant
from local_xsoar.tests.host.host_samples import SAMPLES

SCRIPT = "import time\nimport demistomock as demisto\ndemisto.results(str(int(time.time())))\n"


@pytest.mark.parametrize("hours", [-48, 0, 5])
def test_a_script_has_the_time_of_its_tenant(
    open_host: Callable[..., Host], tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """
    Given: a tenant whose clock is some hours off.
    When: a script looks at the time.
    Then: it sees the tenant's.
    """
    folder = tmp_path / "Rough"
    copytree(SAMPLES / "Rough", folder)
    (folder / "Rough.py").write_text(SCRIPT, encoding="utf-8")
    start = tenant.now()
    monkeypatch.setattr(tenant, "now", lambda: start + hours * 3600 * 10**9)
    host = open_host()
    host.add_instance("rough", folder, {"url": "https://there"})

    (entry,) = host.run("rough", "rough-echo", {"text": "hi"}).entries

    assert abs(int(entry["Contents"]) - tenant.now() // 10**9) <= 2
