"""The filter of a search for incidents: pages, order, typed lists, bounds in time."""

from collections.abc import Callable
from typing import Any

import pytest

from local_xsoar.tenant import BadRequest, Tenant
from local_xsoar.tests.tenant.tenant_client import Clock

Make = Callable[..., Tenant]


@pytest.fixture
def seven(tenant: Tenant, clock: Clock) -> Tenant:
    """A tenant with seven incidents, created an hour apart; the sixth is closed, the seventh pending."""
    for number in range(1, 8):
        kind = "Phishing" if number % 2 else "Malware"
        tenant.create_incident({"name": f"case {number}", "type": kind, "severity": number % 5}, investigate=number != 7)
        clock.advance(3600)
    tenant.close_incident("6")
    return tenant


def ids(tenant: Tenant, **incident_filter: Any) -> list[int]:
    """Return the ids that a filter finds, by default all that match, oldest first."""
    values = {"size": 50, "sort": [{"field": "id", "asc": True}]} | incident_filter
    return [int(incident["id"]) for incident in tenant.search(values)[0]]


def test_items_are_wrappers_with_the_captured_keys(seven: Tenant, captured: Callable[[str], dict[str, Any]]) -> None:
    """
    Given: a search on a real 6.x tenant, captured.
    When: incidents are searched here.
    Then: each has at least the captured one's fields, with values of the same types.
    """
    item = seven.search({"size": 1})[0][0]
    wanted = captured("incident_4_search.json")
    assert set(wanted) <= set(item)
    assert item["changeStatus"] == "new"
    for field in set(wanted) - {"attachment"}:
        assert isinstance(item[field], type(wanted[field])), field


@pytest.mark.parametrize("size", [{}, {"size": 0}, {"size": None}])
def test_without_a_size_no_incident_is_given(seven: Tenant, size: dict[str, Any]) -> None:
    """
    Given: seven incidents.
    When: they are searched without a size, as the documents warn.
    Then: none is given, but the total is.
    """
    assert seven.search({"query": "", **size}) == ([], 7)


def test_pages_follow_each_other_without_gap_or_repetition(seven: Tenant) -> None:
    """
    Given: seven incidents.
    When: they are read in pages of three.
    Then: every one is in exactly one page, and the pages after the last are empty.
    """
    assert [ids(seven, size=3, page=page) for page in range(4)] == [[1, 2, 3], [4, 5, 6], [7], []]


def test_a_larger_size_than_allowed_is_capped(make_tenant: Make) -> None:
    """
    Given: a tenant that gives two incidents at most.
    When: three are asked for, page by page.
    Then: pages hold two, and the second page goes on behind the first.
    """
    tenant = make_tenant(search_size_limit=2)
    for name in "abc":
        tenant.create_incident({"name": name})
    assert ids(tenant, size=3) == [1, 2]
    assert ids(tenant, size=3, page=1) == [3]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ([{"field": "created", "asc": True}], [1, 2, 3, 4, 5, 6, 7]),
        ([{"field": "created", "asc": False}], [7, 6, 5, 4, 3, 2, 1]),
        ([{"field": "created"}], [7, 6, 5, 4, 3, 2, 1]),
        ([{"field": "id", "asc": False, "fieldType": "number"}], [7, 6, 5, 4, 3, 2, 1]),
        ([{"field": "severity", "asc": False}, {"field": "id", "asc": False}], [4, 3, 7, 2, 6, 1, 5]),
        ([{"field": "type", "asc": True}, {"field": "Created", "asc": True}], [2, 4, 6, 1, 3, 5, 7]),
        ([{"field": "modified", "asc": False}], [6, 7, 5, 4, 3, 2, 1]),
        ([{"field": "name", "asc": False}], [7, 6, 5, 4, 3, 2, 1]),
        ([{"field": "runStatus", "asc": False}], [1, 3, 5, 2, 4, 6, 7]),
        (None, [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_order(seven: Tenant, sort: Any, expected: list[int]) -> None:
    """
    Given: seven incidents.
    When: they are searched in an order; without `asc` it is descending, as a missing boolean is false.
    Then: they come in that order.
    """
    found = ids(seven, sort=sort)
    if sort and sort[0]["field"] == "runStatus":
        assert set(found[-1:]) == {7}  # the only one that runs no playbook
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("incident_filter", "expected"),
    [
        ({"id": ["2", "3", "99"]}, [2, 3]),
        ({"name": ["case 4"]}, [4]),
        ({"type": ["Malware", "Access"]}, [2, 4, 6]),
        ({"status": [2]}, [6]),
        ({"status": [0, 2]}, [6, 7]),
        ({"notStatus": [1]}, [6, 7]),
        ({"level": [3, 4]}, [3, 4]),
        ({"investigation": ["5", "7"]}, [5]),
        ({"notInvestigation": ["1", "2", "3"]}, [4, 5, 6, 7]),
        ({"fromDate": "2023-03-05T14:06:48.446Z"}, [5, 6, 7]),
        ({"toDate": "2023-03-05T13:06:48.446+02:00"}, [1, 2]),
        ({"fromDate": "2023-03-05T12:06:48Z", "toDate": "2023-03-05T13:07:00Z"}, [3, 4]),
        ({"fromDate": "0001-01-01T00:00:00Z"}, [1, 2, 3, 4, 5, 6, 7]),
        ({"fromClosedDate": "2023-03-05T00:00:00Z"}, [6]),
        ({"period": {"by": "hours", "fromValue": 3}}, [5, 6, 7]),
        ({"timeFrame": 7_200_000_000_000}, [6, 7]),
        ({"query": "type:Malware or id:1", "level": [1, 4]}, [1, 4, 6]),
        ({"details": "nothing"}, []),
    ],
)
def test_typed_fields_of_the_filter(seven: Tenant, incident_filter: dict[str, Any], expected: list[int]) -> None:
    """
    Given: seven incidents.
    When: they are searched by the filter's own fields.
    Then: only those that match all of them are found.
    """
    assert ids(seven, **incident_filter) == expected


def test_null_fields_are_not_heard(seven: Tenant) -> None:
    """
    Given: a filter as demisto-py sends it, every field of it null but the query and the size.
    When: it is searched.
    Then: the nulls change nothing.
    """
    nulls: dict[str, Any] = dict.fromkeys(
        ["id", "name", "type", "status", "level", "fromDate", "period", "page", "sort", "details", "timeFrame"]
    )
    assert [item["id"] for item in seven.search({**nulls, "query": "id:2", "size": 5})[0]] == ["2"]


@pytest.mark.parametrize(
    ("incident_filter", "named"),
    [
        ({"size": -1}, "size"),
        ({"size": "5"}, "size"),
        ({"size": True}, "size"),
        ({"page": -1}, "page"),
        ({"size": 5, "sort": "created"}, "sort"),
        ({"size": 5, "sort": [{"asc": True}]}, "sort"),
        ({"size": 5, "query": 5}, "query"),
        ({"size": 5, "status": ["active"]}, "status"),
        ({"size": 5, "type": "Phishing"}, "type"),
        ({"size": 5, "fromDate": "yesterday at noon o'clock"}, "fromDate"),
    ],
)
def test_a_wrong_field_is_refused_by_name(seven: Tenant, incident_filter: dict[str, Any], named: str) -> None:
    """
    Given: a filter with a field of the wrong type.
    When: it is searched.
    Then: the tenant refuses it in a sentence that names the field.
    """
    with pytest.raises(BadRequest, match=named):
        seven.search(incident_filter)


def test_total_only_gives_no_incidents(seven: Tenant) -> None:
    """
    Given: seven incidents.
    When: only the total is asked for.
    Then: it is given without incidents.
    """
    assert seven.search({"totalOnly": True, "size": 10, "query": "type:Phishing"}) == ([], 4)


def test_incidents_of_one_instant_are_paged_once_each(tenant: Tenant) -> None:
    """
    Given: thirty incidents created in the same instant.
    When: they are read in pages of seven, by creation time.
    Then: every one comes exactly once.
    """
    for number in range(30):
        tenant.create_incident({"name": f"burst {number}"})
    sort = [{"field": "created", "asc": True}]
    read = [number for page in range(5) for number in ids(tenant, size=7, page=page, sort=sort)]
    assert sorted(read) == list(range(1, 31))
