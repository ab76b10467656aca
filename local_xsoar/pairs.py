"""The mirrored instances of a host, for the web page of its tenant and that of the remote tenant."""

from collections.abc import Mapping
from typing import Any

from local_xsoar.host import Host
from local_xsoar.tenant import BadRequest, Tenant
from local_xsoar.tenant.web import Share, Shared, Sharing
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


def sharing_out(host: Host) -> Sharing:
    """Return how entries are shared from the tenant of the host: with the remote tenant of the incident's instance."""

    def shared(incident: Mapping[str, Any]) -> Shared:
        name = incident["dbotMirrorInstance"]
        if name not in host.instances_with(STATUS):
            return Shared()
        outgoing = _tags(host, name, "mirror_tag") if incident["dbotMirrorDirection"] in ("Out", "Both") else []
        return _shared(name, outgoing, _tags(host, name, "tags"))

    return shared


def sharing_in(host: Host, instance: str, to: str) -> Sharing:
    """Return how entries are shared from the remote tenant of an instance: with the tenant of the host, which is called `to`."""

    def shared(incident: Mapping[str, Any]) -> Shared:
        if instance not in host.instances_with(STATUS):
            return Shared()
        return _shared(to, _tags(host, instance, "tags"), _tags(host, instance, "mirror_tag"))

    return shared


def _shared(to: str, tags: list[str], foreign: list[str]) -> Shared:
    return Shared([Share(to, tag) for tag in tags], frozenset(foreign))


def _tags(host: Host, instance: str, parameter: str) -> list[str]:
    """Return the tags that a parameter of an instance lists."""
    return list(filter(None, (tag.strip() for tag in (host.instance(instance).params[parameter] or "").split(","))))
