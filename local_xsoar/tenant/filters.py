"""The filters of POST /incidents/search and POST /investigation/{id}, turned into SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_xsoar.tenant.errors import BadRequest
from local_xsoar.tenant.query import Match, Meaning, Sql, Value, compile_match, compile_query, joined
from local_xsoar.tenant.settings import TenantSettings
from local_xsoar.tenant.shapes import entry_numbers
from local_xsoar.tenant.times import parse_iso, parse_moment

# XSOAR REST API: filter fields. Lists of values, and the incident field each of them is about.
_LISTS = {
    "id": "id",
    "name": "name",
    "type": "type",
    "category": "category",
    "investigation": "investigationId",
    "parent": "parent",
    "reason": "reason",
    "status": "status",
    "level": "severity",
}
_EXCLUDING_LISTS = {"notStatus": "status", "notCategory": "category", "notInvestigation": "investigationId"}
_NUMBER_LISTS = {"status", "notStatus", "level"}
_BOUNDS = {
    "fromDate": ("created", ">="),
    "toDate": ("created", "<="),
    "fromClosedDate": ("closed", ">="),
    "toClosedDate": ("closed", "<="),
    "fromActivatedDate": ("activated", ">="),
    "toActivatedDate": ("activated", "<="),
    "fromDueDate": ("dueDate", ">="),
    "toDueDate": ("dueDate", "<="),
    "fromReminder": ("reminder", ">="),
    "toReminder": ("reminder", "<="),
}


MOST = 2**31 - 1  # the largest `size` there is


@dataclass(frozen=True)
class Search:
    """A search for incidents: the condition, the order (SQL), and the page."""

    where: Sql
    order: Sql
    limit: int
    offset: int


def as_heard(incident_filter: Mapping[str, Any], settings: TenantSettings) -> dict[str, Any]:
    """Return the filter as POST /incidents/search hears it: what the tenant ignores is not in it.

    Raises:
        BadRequest: several sort keys, on a tenant that takes one.
    """
    heard = dict(incident_filter)
    if settings.search_bounds == "ignored" and heard.get("query"):
        heard = {name: value for name, value in heard.items() if name not in (*_BOUNDS, "period", "timeFrame")}
    sort = heard.get("sort")
    if settings.search_sort != "all" and isinstance(sort, list) and len(sort) > 1:
        if settings.search_sort == "refused":
            raise BadRequest("The filter's sort must be one field.")
        heard["sort"] = [sort[0], {"field": "id", "asc": False}]  # what compares equal comes in another order than was hoped
    return heard


def incident_search(incident_filter: Mapping[str, Any], meaning: Meaning, settings: TenantSettings) -> Search:
    """Return the search that a REST filter asks for. Fields that are null are not heard: demisto-py sends every field.

    Raises:
        BadRequest: a query that does not parse, or a field of the wrong type.
    """
    given = {name: value for name, value in incident_filter.items() if value is not None}
    conditions = [compile_query(_text(given, "query"), meaning)]
    for name, field in _LISTS.items():
        if given.get(name):
            conditions.append(_one_of(name, field, given[name], meaning))
    for name, field in _EXCLUDING_LISTS.items():
        if given.get(name):
            inner = _one_of(name, field, given[name], meaning)
            conditions.append(Sql(f"(NOT {inner.text})", inner.parameters))
    for name, (field, comparison) in _BOUNDS.items():
        # Go writes an unset time as year 1, and so do clients of its.
        if _text(given, name) and _time(given, name) is not None:
            conditions.append(compile_match(Match(field, (Value(given[name]),), comparison), meaning))
    if _text(given, "details"):
        conditions.append(compile_match(Match("details", (Value(given["details"]),)), meaning))
    conditions += _periods(given, meaning)
    size = min(_count(given, "size"), settings.search_size_limit or MOST)
    return Search(joined("AND", conditions), _order(given.get("sort") or []), size, size * _count(given, "page"))


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise BadRequest(f"The filter's {name} must be a string, not {value!r}.")
    return value


def _time(given: Mapping[str, Any], name: str) -> int | None:
    try:
        return parse_iso(_text(given, name))
    except ValueError as error:
        raise BadRequest(f"The filter's {name} is not a time: {error}.")


def _count(given: Mapping[str, Any], name: str) -> int:
    value = given.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST:
        raise BadRequest(f"The filter's {name} must be a number from 0 up, not {value!r}.")
    return value


def _one_of(name: str, field: str, values: Any, meaning: Meaning) -> Sql:
    numeric = name in _NUMBER_LISTS
    wanted = (int, float) if numeric else str
    if not isinstance(values, list) or not all(isinstance(value, wanted) and not isinstance(value, bool) for value in values):
        raise BadRequest(f"The filter's {name} must be a list of {'numbers' if numeric else 'strings'}, not {values!r}.")
    return compile_match(Match(field, tuple(Value(str(value)) for value in values)), meaning)


def _periods(given: Mapping[str, Any], meaning: Meaning) -> list[Sql]:
    """`period` ({"by": "day", "fromValue": 7}) and `timeFrame` (nanoseconds): incidents created since then."""
    conditions = []
    if isinstance(given.get("timeFrame"), int) and given["timeFrame"] > 0:
        conditions.append(Sql("created >= ?", (meaning.kept(meaning.now - given["timeFrame"]),)))
    period = given.get("period")
    if isinstance(period, dict):
        for key, by, comparison in (("fromValue", "byFrom", ">="), ("toValue", "byTo", "<=")):
            amount, unit = period.get(key), period.get("by") or period.get(by)
            if isinstance(amount, int) and amount > 0 and unit:
                conditions.append(
                    compile_match(Match(period.get("field") or "created", (Value(f"{amount} {unit} ago"),), comparison), meaning)
                )
    return conditions


_SORTABLE_COLUMNS = {
    "id": "number",
    "status": "status",
    "severity": "severity",
    "name": "json_extract(folded, '$.name')",
    "type": "type",
    "owner": "owner",
    "created": "created",
    "modified": "modified",
    "occurred": "occurred",
    "closed": "closed",
    "duedate": "duedate",
}


def _order(sort: Any) -> Sql:
    """Return the ORDER BY terms. What compares equal comes in the order of the ids, which no client may count on."""
    if not isinstance(sort, list) or not all(isinstance(key, dict) and isinstance(key.get("field"), str) for key in sort):
        raise BadRequest("The filter's sort must be a list of objects with field and asc.")
    terms: list[str] = []
    parameters: list[str] = []
    for key in sort:
        name = key["field"].casefold()
        direction = "ASC" if key.get("asc") else "DESC"
        if name in _SORTABLE_COLUMNS:
            terms.append(f"{_SORTABLE_COLUMNS[name]} {direction}")
        elif name.replace("_", "").replace(".", "").isalnum():
            terms.append(f"coalesce(json_extract(folded, ?), json_extract(folded, ?)) {direction}")
            parameters += [f'$."{name}"', f'$.customfields."{name}"']
    return Sql(", ".join([*terms, "number ASC"]), tuple(parameters))


# XSOAR REST API: the filter's categories are plural names, an entry's own category is not.
_CATEGORIES = {
    "chats": Sql("category = 'chat'"),
    "notes": Sql("note = 1"),
    "attachments": Sql("has_file = 1"),
    "evidence": Sql("pinned = 1"),
    "commandAndResults": Sql("(category = 'commandAndResults' OR (category = '' AND note = 0 AND has_file = 0))"),
}


@dataclass(frozen=True)
class EntrySearch:
    """A look into a War Room: the condition, how many entries (0: all), and from which end they are counted."""

    where: Sql
    limit: int
    newest: bool


def entry_search(investigation: int, entry_filter: Mapping[str, Any], now: int, settings: TenantSettings) -> EntrySearch:
    """Return the look into a War Room that a REST filter asks for.

    Raises:
        BadRequest: a field of the wrong type, a time or an entry id that is none.
    """
    given = {name: value for name, value in entry_filter.items() if value is not None}
    for name, side in (("firstID", settings.first_id), ("lastId", settings.last_id)):
        if given.get(name) and side == "refused":
            raise BadRequest(f"The filter has no {name}.")
        if side == "ignored":
            given.pop(name, None)
    conditions = [Sql("investigation = ?", (investigation,))]
    categories, tags = _strings(given, "categories"), _strings(given, "tags")
    tagged = [Sql("EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)", (tag,)) for tag in tags]
    carries = [joined("AND" if given.get("tagsAndOperator") else "OR", tagged)] if tags else []
    if not categories or settings.entry_tags == "combined":
        conditions += carries
    if categories:
        is_one = settings.entry_tags == "category"
        alternatives = [carries if name == "tags" and is_one and carries else [_category(name)] for name in categories]
        conditions.append(joined("OR", [condition for some in alternatives for condition in some]))
    for name in _strings(given, "notCategories"):
        inner = _category(name)
        conditions.append(Sql(f"(NOT {inner.text})", inner.parameters))
    if users := _strings(given, "users"):
        conditions.append(joined("OR", [Sql("user = ?", (user,)) for user in users]))
    if _text(given, "parentID"):
        conditions.append(Sql("parent = ?", (given["parentID"],)))
    if _text(given, "fromTime"):
        moment = _from_time(given["fromTime"], now)
        if moment is not None:
            conditions.append(Sql(f"{settings.from_time_field} >= ?", (settings.kept(moment),)))
    if _text(given, "lastId"):
        conditions.append(Sql("number < ?", (_entry_number(given["lastId"], investigation),)))
    if _text(given, "firstID"):
        conditions.append(Sql("number >= ?", (_entry_number(given["firstID"], investigation),)))
    forward = bool(given.get("firstID")) and not given.get("lastId")
    newest = settings.page_keeps == "newest" and not forward
    return EntrySearch(joined("AND", conditions), _count(given, "pageSize"), newest)


def _category(name: str) -> Sql:
    return _CATEGORIES.get(name, Sql("category = ?", (name,)))


def _strings(given: Mapping[str, Any], name: str) -> Sequence[str]:
    values = given.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise BadRequest(f"The filter's {name} must be a list of strings, not {values!r}.")
    return values


def _from_time(text: str, now: int) -> int | None:
    try:
        return parse_moment(text, now)
    except ValueError as error:
        raise BadRequest(f"The filter's fromTime is not a time: {error}.")


def _entry_number(entry_id: str, investigation: int) -> int:
    numbers = entry_numbers(entry_id)
    if numbers is None or numbers[1] != investigation:
        raise BadRequest(f'"{entry_id}" is not the id of an entry of investigation {investigation}.')
    return numbers[0]
