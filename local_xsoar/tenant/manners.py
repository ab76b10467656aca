"""Where servers may differ and nobody outside knows: the switches of a tenant, as plain data, and a draw of them.

Each is a field of `TenantSettings`, where a line says what it models; `docs/servers.md` says how sure that is. Here stand the
sides of each, the kind one first.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

# Things that a role may be barred from, and their routes. To create and to edit an incident is one route.
RIGHTS: dict[str, tuple[str, ...]] = {
    "search": ("/incidents/search", "/incidents/modified"),
    "load": ("/incident/load/{id}",),
    "create": ("/incident",),
    "edit": ("/incident",),
    "close": ("/incident/close", "/incident/batchClose"),
    "delete": ("/incident/batchDelete",),
    "investigate": ("/incident/investigate",),
    "war_room": ("/investigation/{id}",),
    "entry": ("/entry",),
    "entry/execute": ("/entry/execute/sync",),
    "entry/formatted": ("/entry/formatted",),
    "entry/note": ("/entry/note",),
    "entry/tags": ("/entry/tags",),
    "incidentfields": ("/incidentfields", "/incidentfields/associatedTypes/{type}"),
    "incidenttype": ("/incidenttype",),
    "upload": ("/entry/upload/{id}", "/incident/upload/{id}"),
    "download": ("/entry/download/{id}",),
}

# How a server may be: whatever side it is on, mirroring keeps its promises.
SWITCHES: dict[str, tuple[Any, ...]] = {
    "entry_moves_modified": (True, False),
    "from_time_field": ("created", "modified"),
    "page_keeps": ("newest", "oldest"),
    "first_id": ("heard", "ignored", "refused"),
    "last_id": ("heard", "ignored", "refused"),
    "entry_tags": ("combined", "ignored", "category"),
    "formatted_entries": ("open", "closed"),
    "empty_list": ("list", "null"),
    "search_total": ("right", "zero", "page"),
    "search_bounds": ("combined", "ignored"),
    "search_sort": ("all", "first", "refused"),
    "search_size_limit": (1000, 0),
    "modified_route": ("present", "not_found", "see_other"),
    "created_answer": ("incident", "empty", "no_id"),
    "source_brand": ("as_sent", "by_label"),
    "close_reasons": ("listed", "null"),
    "close_shows_after": (0, 2),
    "date_header": (0, 240, -240, None),
}

# What a server may refuse: nothing is lost by it, and the operator is told, but something does not cross.
TROUBLES: dict[str, tuple[Any, ...]] = {
    "barred_from": (frozenset(), *(frozenset({right}) for right in RIGHTS)),
    "broken_incidents": (frozenset(), frozenset({"1"})),
    "calls_a_minute": (0, 60),
    "retry_after": ("told", "untold"),
    "reopen_command": ("works", "refused"),
    "product_mode": ("xsoar", "xsiam"),
}

# The kind side of each: what most documents and clients hope for.
KIND: dict[str, Any] = {name: sides[0] for name, sides in SWITCHES.items()}


def drawn(
    choose: Callable[[Sequence[Any]], Any], switches: Mapping[str, Sequence[Any]] = SWITCHES, **fixed: Any
) -> dict[str, Any]:
    """Return a side for each of the switches, as settings of a tenant.

    Args:
        choose: picks one of the sides: `random.Random(7).choice`, or `lambda sides: draw(st.sampled_from(sides))`.
        switches: `SWITCHES`, `TROUBLES` or a part of them.
        fixed: switches that stand as given and are not drawn.
    """
    return {name: choose(sides) for name, sides in switches.items() if name not in fixed} | fixed
