"""The search language, asked of a tenant with known incidents."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_xsoar.tenant import BadRequest, Tenant
from local_xsoar.tenant.query import parse_query
from local_xsoar.tests.tenant.tenant_client import Clock

DAY = 86400


@pytest.fixture
def known(tenant: Tenant, clock: Clock) -> Tenant:
    """A tenant with five incidents, created a day apart; the last one now."""
    tenant.add_incident_field("report", type="longText")
    incidents: list[dict[str, Any]] = [
        {
            "name": "Phishing mail reported",
            "type": "Phishing",
            "severity": 3,
            "owner": "Nora",
            "details": "look-alike link in the mail",
            "CustomFields": {
                "sourceip": "192.0.2.7",
                "users": ["ann", "bob"],
                "count": 5,
                "blocked": True,
                "when": "2023-03-01T00:00:00Z",
            },
        },
        {"name": "Malware found", "type": "Malware", "severity": 4, "labels": [{"type": "Email/from", "value": "x@example.com"}]},
        {
            "name": "Übergroße Last",
            "type": "Denial of Service",
            "severity": 0.5,
            "CustomFields": {"sla": {"runStatus": "idle"}, "report": "Seen on three hosts", "blocked": False},
        },
        {"name": "100% [disk] full: C:\\", "type": "Unclassified", "category": "job", "sourceBrand": "XSOAR Mirroring"},
        {"name": "mail server down", "type": "Unclassified", "severity": 1, "owner": "admin"},
    ]
    for place, fields in enumerate(incidents):
        tenant.create_incident(fields, investigate=place != 3)
        if place < 4:
            clock.advance(DAY)
    tenant.close_incident("2", reason="Resolved", notes="wiped and reinstalled")
    return tenant


def found(tenant: Tenant, query: str) -> list[int]:
    """Return the ids that the query finds."""
    incidents, total = tenant.search({"query": query, "size": 100, "sort": [{"field": "id", "asc": True}]})
    assert total == len(incidents)
    return [int(incident["id"]) for incident in incidents]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        # Nothing to search for, and the examples of the documents.
        ("", [1, 2, 3, 4, 5]),
        ("   ", [1, 2, 3, 4, 5]),
        ("*", [1, 2, 3, 4, 5]),
        ("-status:closed -category:job", [1, 3, 5]),
        ("id:1", [1]),
        ('type:("Malware" "Denial of Service")', [2, 3]),
        ('-sourceBrand:"XSOAR Mirroring"', [1, 2, 3, 5]),
        # And, or, not, parentheses; `and` binds closer than `or`.
        ("type:Malware or type:Phishing", [1, 2]),
        ("type:Malware OR type:Phishing AND owner:nobody", [2]),
        ("(type:Malware or type:Phishing) and -status:closed", [1]),
        ("not type:Malware and NOT (owner:nora or owner:admin)", [3, 4]),
        ("-(-type:Malware)", [2]),
        ("- type:Malware - type:Phishing", [3, 4, 5]),
        ("type:Unclassified owner:admin", [5]),
        # Keywords are compared whole, in any case; names of fields too.
        ("TYPE:phishing", [1]),
        ("type:phish", []),
        ("type:phish*", [1]),
        ("type:?alware", [2]),
        ("type:(mal* phish*)", [1, 2]),
        ('type:"phish*"', []),
        ('type:(malware or "denial of service" phishing)', [1, 2, 3]),
        ("type:mal\\*", []),
        ("owner:*", [1, 5]),
        ("-owner:*", [2, 3, 4]),
        ('owner:""', [2, 3, 4]),
        # Words of the prose fields.
        ("name:mail", [1, 5]),
        ('name:"mail reported"', [1]),
        ('name:"reported mail"', []),
        ("name:mai", []),
        ("name:mai*", [1, 5]),
        ("name:*port*", [1]),
        ("name:übergroße", [3]),
        ("name:ÜBERGROSSE", [3]),
        ('name:"100% [disk]"', [4]),
        ('name:"C:\\\\"', [4]),
        ("details:look-alike", [1]),
        ("closeNotes:reinstalled", [2]),
        ("mail", [1, 5]),
        ("mail link", [1]),
        ('"lookalike"', []),
        ('"look alike"', [1]),
        ("-mail", [2, 3, 4]),
        # Status and severity, by word and by number.
        ("status:pending", [4]),
        ("status:Closed", [2]),
        ("status:2", [2]),
        ("status:(active pending)", [1, 3, 4, 5]),
        ("status:archived", []),
        ("status:unheard-of", []),
        ("severity:high", [1]),
        ("severity:(Critical informational)", [2, 3]),
        ("severity:0.5", [3]),
        ("severity:>=3", [1, 2]),
        ("severity:<low", [3, 4]),
        ("severity:unknown", [4]),
        # Ids.
        ("id:(1 3 99)", [1, 3]),
        ("id:>3", [4, 5]),
        ("-id:1 -id:2 -id:3", [4, 5]),
        ("id:none", []),
        ("investigationId:4", []),
        ("investigationId:5", [5]),
        # Times.
        ('created:>="3 days ago"', [2, 3, 4, 5]),
        ('created:>"3 days ago"', [3, 4, 5]),
        ("created:<2023-03-06T00:00:00Z", [1]),
        ('created:<="2023-03-05T12:06:48.446+02:00"', [1]),
        ('created:>="2023-03-08T10:06:48.446000001Z"', [4, 5]),
        ("created:2023-03-07", [3]),
        ('created:"2023-03-07T10:06:48.446Z"', [3]),
        ("closed:*", [2]),
        ("-closed:*", [1, 3, 4, 5]),
        ('-closed:>"2020-01-01"', [1, 3, 4, 5]),
        ('closed:>="0001-01-01T00:00:00Z"', [2]),
        ('created:<"9999-12-31T23:59:59Z"', [1, 2, 3, 4, 5]),
        ('modified:>="10 seconds ago"', [2, 5]),
        # Custom fields: any element of a list, any type.
        ("sourceip:192.0.2.7", [1]),
        ("SourceIP:192.0.2.*", [1]),
        ("users:BOB", [1]),
        ("users:(eve ann)", [1]),
        ("-users:bob", [2, 3, 4, 5]),
        ("count:5", [1]),
        ("count:5.0", [1]),
        ("count:>4", [1]),
        ("count:>5", []),
        ("blocked:true", [1]),
        ("blocked:false", [3]),
        ("when:>2023-02-28", [1]),
        ('when:<"10 days ago"', []),
        ("sourceip:*", [1]),
        ("unheardof:*", []),
        ("-unheardof:x", [1, 2, 3, 4, 5]),
        ("sla.runStatus:idle", [3]),
        ("report:hosts", [3]),
        # Labels, by their type.
        ("Email/from:x@example.com", [2]),
        ("labels:x@example.com", [2]),
        ("labels.Email/from:*", [2]),
        ('Brand:"XSOAR Mirroring"', [4]),
        ("labels:reporter*", []),
        ("labels:x@*", [2]),
        ("labels:>a", []),
        # Comparisons and wildcards where they are rare.
        ("owner:>admin", [1]),
        ("id:?", [1, 2, 3, 4, 5]),
        ("id:*", [1, 2, 3, 4, 5]),
        ("status:*", [1, 2, 3, 4, 5]),
        ("severity:>banana", []),
        ('closed:"0001-01-01T00:00:00Z"', [1, 3, 4, 5]),
        ('created:<"0001-01-01T00:00:00Z"', []),
        ("sourceip:>192.0.1", [1]),
        ("sourceip:>193", []),
        ('name:""', []),
        ('details:""', [2, 3, 4, 5]),
        ('name:"%"', [4]),
        ("name:*", [1, 2, 3, 4, 5]),
        ("investigationId:>3", [5]),
        # Other fields of the platform.
        ("dbotCreatedBy:admin", [1, 2, 3, 4, 5]),
        ("version:>1", [2]),
        ("feedBased:false", [1, 2, 3, 4, 5]),
        ('account:""', [1, 2, 3, 4, 5]),
    ],
)
def test_query_finds(known: Tenant, query: str, ids: list[int]) -> None:
    """
    Given: five incidents.
    When: they are searched with a query.
    Then: exactly the incidents that the query describes are found.
    """
    assert found(known, query) == ids


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("status:active )", "')' at character 15"),
        ("(status:active", "ends"),
        ("name:", "ends"),
        ("status:active and", "ends"),
        ("or status:active", "'or status:active' at character 1"),
        ("a and or b", "'or b' at character 7"),
        ('name:"never closed', "quotation mark at character 6"),
        ("type:()", "')' at character 7"),
        ("10:30", "':30' at character 3"),
        ('created:>="banana"', '"banana" is no time'),
        ("created:2023-99-99", "2023-99-99"),
        ("-(" * 5000 + "a" + ")" * 5000, "nested too deeply"),
    ],
)
def test_query_that_does_not_parse_is_refused_saying_where(known: Tenant, query: str, where: str) -> None:
    """
    Given: a query that is wrong.
    When: it is searched.
    Then: the tenant refuses it in one sentence that says where it is wrong.
    """
    with pytest.raises(BadRequest) as refusal:
        known.search({"query": query, "size": 1})
    assert where in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_values_cannot_reach_the_database_as_sql(known: Tenant) -> None:
    """
    Given: values and field names that try to be SQL.
    When: they are searched.
    Then: they find nothing, and all incidents are still there.
    """
    for query in ['name:"\'; DROP TABLE incidents; --"', "type:\"' OR '1'='1\"", "x')--:1", 'a.b.c:"\') OR 1=1"']:
        try:
            assert found(known, query) == []
        except BadRequest:
            continue
    assert found(known, "") == [1, 2, 3, 4, 5]


def test_a_long_list_of_ids_is_searched(known: Tenant) -> None:
    """
    Given: a query that joins a thousand ids with `or`.
    When: it is searched.
    Then: the incidents among them are found.
    """
    assert found(known, " or ".join(f"id:{number}" for number in range(2, 1002))) == [2, 3, 4, 5]


def test_a_query_too_large_for_the_database_is_refused(known: Tenant) -> None:
    """
    Given: a query that is legal but negated a thousand times over.
    When: it is searched.
    Then: it is refused in one sentence.
    """
    with pytest.raises(BadRequest, match=r"too large|too deeply"):
        known.search({"query": "-(" * 600 + "a" + ")" * 600, "size": 1})


def test_8_compares_times_in_milliseconds_and_6_in_nanoseconds(tenant: Tenant, clock: Clock) -> None:
    """
    Given: an incident created at .446441591 of a second on an 8.x tenant.
    When: it is searched from one microsecond later within the same millisecond.
    Then: it is found again: the index of 8.x knows milliseconds only.
    """
    tenant.create_incident({"name": "first"})
    assert found(tenant, 'created:>="2023-03-05T10:06:48.446442Z"') == [1]
    assert found(tenant, 'created:>="2023-03-05T10:06:48.447Z"') == []


def test_6_compares_times_in_nanoseconds(tenant_6: Tenant) -> None:
    """
    Given: an incident created at .446441591 of a second on a 6.x tenant.
    When: it is searched from that nanosecond, and from the next one.
    Then: it is found the first time only.
    """
    tenant_6.create_incident({"name": "first"})
    assert found(tenant_6, 'created:>="2023-03-05T10:06:48.446441591Z"') == [1]
    assert found(tenant_6, 'created:>="2023-03-05T10:06:48.446441592Z"') == []


@settings(deadline=None)  # the first query builds the parser
@given(st.text(alphabet='ab:()"*- \\<>=ornd', max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """
    Given: any text at all.
    When: it is parsed as a query.
    Then: it is a query, or it is refused as a bad request; nothing else happens.
    """
    try:
        parse_query(text)
    except BadRequest as error:
        assert str(error).startswith("The query could not be parsed")
