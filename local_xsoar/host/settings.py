"""What may differ between servers in how they treat an integration: one plain object, and the sides of each switch."""

from dataclasses import dataclass
from typing import Any

from local_xsoar.host.errors import HostError

# The sides of each switch, the kind one first. Whatever side a server is on, mirroring keeps its promises.
SWITCHES: dict[str, tuple[Any, ...]] = {
    "incoming_targets": ("any", "names"),
    "custom_fields_rule": ("copied", "ignored"),
    "custom_fields_delta": ("changed", "whole"),
    "delta_status": ("present", "absent"),
    "unsent_changes": ("kept", "overwritten"),
    "internal_requests": ("answered", "raises", "missing"),
    "processes": ("fresh", "kept"),
}


@dataclass(frozen=True)
class HostSettings:
    """The manners of one host. Where it is not known what a server does, the default is the side that asks more of the pack.

    Raises:
        HostError: a side that no host can be on.
    """

    # Mappers
    incoming_targets: str = "names"  # what a rule may name: names (a field's name, exactly) | any (CLI names, in any case)
    custom_fields_rule: str = "ignored"  # a rule from or to `CustomFields` as a whole: ignored | copied, key by key
    # The delta of update-remote-system
    custom_fields_delta: str = "changed"  # which custom fields it holds when one changed: changed | whole (all that are mapped)
    delta_status: str = "absent"  # does it hold `status` when the incident was closed or reopened: absent | present
    # get-remote-data
    unsent_changes: str = "overwritten"  # what becomes of a field changed here and not sent yet: overwritten by the answer | kept
    # demisto
    internal_requests: str = "answered"  # demisto.internalHttpRequest: answered | raises | missing
    # Containers
    processes: str = "kept"  # what runs a command: a process that may have run others: kept | one of its own: fresh

    def __post_init__(self) -> None:
        for name, sides in SWITCHES.items():
            if getattr(self, name) not in sides:
                raise HostError(f'{name} is "{getattr(self, name)}": give {" or ".join(sides)}.')
