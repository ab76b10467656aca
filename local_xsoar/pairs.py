"""The mirrored instances of a host, for the web page of its tenant."""

from typing import Any

from local_xsoar.host import Host
from local_xsoar.tenant import BadRequest, Tenant
from local_xsoar.tenant.web.mirroring import MOST_CROSSINGS, Comparison, Pair

STATUS, JOURNAL, RECONCILE = "xsoar-mirror-status", "xsoar-mirror-journal", "xsoar-mirror-reconcile"


class HostPairs:
    """Asks the instances of a host with the pack's own commands (see `tenant.web.mirroring.Pairs`)."""

    def __init__(self, tenant: Tenant, host: Host) -> None:
        """Take the tenant and its host. What was compared is remembered as long as this lives."""
        self._tenant = tenant
        self._host = host
        self._comparisons: dict[str, Comparison] = {}

    def names(self) -> list[str]:
        """Return the names of the instances that mirror."""
        return self._host.instances_with(STATUS)

    def look(self, name: str) -> Pair:
        """Return how an instance is. Raises BadRequest when a command fails."""
        status = self._told(name, STATUS, {})["XSOAR.Mirror.Status"]
        journal = self._told(name, JOURNAL, {"limit": str(MOST_CROSSINGS)})["XSOAR.Mirror.Journal"]
        return Pair(status, journal, self._comparisons.get(name))

    def compare(self, name: str, repair: bool) -> Comparison:
        """Compare all incidents of an instance, entries too. Raises BadRequest when that fails."""
        args = {"scope": "all", "entries": "true", "repair": str(repair).lower()}
        context = self._told(name, RECONCILE, args)
        found = Comparison(
            self._tenant.settings.show(self._tenant.now()), context["XSOAR.Mirror.Reconcile"], context["XSOAR.Mirror.Drift"]
        )
        self._comparisons[name] = found
        return found

    def _told(self, name: str, command: str, args: dict[str, str]) -> dict[str, Any]:
        """Return the context of a command by path, without the keys in brackets."""
        run = self._host.run(name, command, args)
        if not run.ok:
            raise BadRequest(run.error)
        (entry,) = run.entries
        return {path.partition("(")[0]: value for path, value in entry["EntryContext"].items()}
