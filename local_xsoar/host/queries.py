"""How the host finds an instance's incidents in the tenant."""

from collections.abc import Iterator
from typing import Any

from local_xsoar.tenant import Tenant

_MANY, _FEW = 500, 20


def quoted(text: str) -> str:
    """Return a text as a value of a query."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def mirrored_incidents(tenant: Tenant, instance: str) -> Iterator[dict[str, Any]]:
    """Yield the local incidents that an instance mirrors, oldest first."""
    return _found(tenant, "dbotMirrorInstance", instance, oldest_first=True, size=_MANY)


def fetched_incidents(tenant: Tenant, instance: str) -> Iterator[dict[str, Any]]:
    """Yield the local incidents that an instance fetched, newest first."""
    return _found(tenant, "sourceInstance", instance, oldest_first=False, size=_FEW)


def _found(tenant: Tenant, field: str, instance: str, *, oldest_first: bool, size: int) -> Iterator[dict[str, Any]]:
    page, seen = 0, 0
    while True:
        sort = [{"field": "id", "asc": oldest_first}]
        found, total = tenant.search({"query": f"{field}:{quoted(instance)}", "size": size, "page": page, "sort": sort})
        # Queries do not tell upper from lower case, names of instances do.
        yield from (incident for incident in found if incident[field] == instance)
        page, seen = page + 1, seen + len(found)
        if not found or seen >= total:  # A tenant may give shorter pages than it is asked for.
            return
