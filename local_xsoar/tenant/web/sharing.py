"""With whom the page shares War Room entries: which tags let an entry go to another tenant.

The tenant itself does not know who mirrors it. Whoever serves it together with a host gives a `Sharing`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Share:
    """An entry with the tag goes to the tenant that is called `to`."""

    to: str
    tag: str


@dataclass(frozen=True)
class Shared:
    """How the entries of an incident are shared, and the tags that mean something in the other tenant only."""

    shares: Sequence[Share] = ()
    foreign_tags: frozenset[str] = frozenset()


Sharing = Callable[[Mapping[str, Any]], Shared]  # of an incident


def nothing_shared(incident: Mapping[str, Any]) -> Shared:
    """Return the sharing of a tenant of which it is not known who mirrors it."""
    return Shared()
