"""The switches of a tenant over real HTTP: where servers may differ, each on both sides."""

import random
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from local_xsoar.tenant import Tenant, TenantError, TenantSettings
from local_xsoar.tenant.manners import RIGHTS, SWITCHES, TROUBLES, drawn
from local_xsoar.tests.tenant.tenant_client import Client, Clock

Make = Callable[..., Tenant]
Serve = Callable[..., Client]
EARLY, LATE = "2023-03-05T10:00:00Z", "2023-03-05T11:00:00Z"


@pytest.fixture
def connect(make_tenant: Make, serve: Serve) -> Callable[..., Client]:
    """Serves a tenant with the settings given, and gives a client for it."""
    return lambda **settings: serve(make_tenant(**settings))


Connect = Callable[..., Client]


def answer(response: requests.Response, status: int = 200) -> Any:
    """Return the JSON of an answer that has the status."""
    assert response.status_code == status, response.text
    return response.json()


def search(client: Client, **incident_filter: Any) -> dict[str, Any]:
    """Return what a search answers."""
    return answer(client.post("/incidents/search", {"filter": {"size": 10} | incident_filter}))


def ids(found: dict[str, Any]) -> list[str]:
    """Return the ids that a search found."""
    return [incident["id"] for incident in found["data"] or []]


def opened(client: Client, **fields: Any) -> Any:
    """Return an incident with an open War Room, made without the API."""
    return client.tenant.create_incident({"name": "case"} | fields)


# The switches


def test_every_switch_is_a_setting(tmp_path: Path) -> None:
    """
    Given: the tables of switches.
    When: a tenant's settings are made with each side of each.
    Then: they are taken, and the side that a tenant has unasked is one of them.
    """
    default = TenantSettings("a", tmp_path)
    for name, sides in {**SWITCHES, **TROUBLES}.items():
        assert getattr(default, name) in sides and len(set(sides)) == len(sides) > 1
        for side in sides:
            TenantSettings("a", tmp_path, **{name: side})


def test_switches_are_drawn_alike_from_one_seed() -> None:
    """
    Given: a seed.
    When: the switches are drawn twice with it, one of them fixed.
    Then: both draws are the same, each has a side for every switch, and the fixed one stands as given.
    """
    first, second = (drawn(random.Random(7).choice, search_total="zero") for _ in range(2))
    assert first == second
    assert first.keys() == SWITCHES.keys()
    assert first["search_total"] == "zero"
    assert drawn(min, {"close_shows_after": (0, 2)}) == {"close_shows_after": 0}


def test_a_right_that_there_is_not_is_refused(tmp_path: Path) -> None:
    """
    Given: a right that no role has.
    When: settings bar from it.
    Then: a sentence names it.
    """
    with pytest.raises(TenantError, match="flying"):
        TenantSettings("a", tmp_path, barred_from=frozenset({"flying"}))


# Searches


@pytest.mark.parametrize(("side", "told"), [("right", [3, 3]), ("zero", [0, 0]), ("page", [2, 1])])
def test_total_may_be_wrong(connect: Connect, side: str, told: list[int]) -> None:
    """
    Given: three incidents.
    When: they are read in pages of two.
    Then: all are there; `total` is what the tenant says of it.
    """
    client = connect(search_total=side)
    for _ in range(3):
        opened(client)
    pages = [search(client, size=2, page=page) for page in range(2)]
    assert [page["total"] for page in pages] == told
    assert sorted(ids(pages[0]) + ids(pages[1])) == ["1", "2", "3"]


@pytest.mark.parametrize(("side", "found"), [("combined", ["2"]), ("ignored", ["1", "2"])])
@pytest.mark.parametrize("bound", [{"fromDate": LATE}, {"period": {"by": "minute", "fromValue": 1}}])
def test_bounds_beside_a_query_may_be_ignored(connect: Connect, side: str, found: list[str], bound: dict[str, Any]) -> None:
    """
    Given: an incident created early and one created late.
    When: the late ones are searched for, beside a query and without one.
    Then: without one the bound is kept; beside one it is kept or not.
    """
    client = connect(search_bounds=side)
    client.tenant._clock.advance(7200)  # type: ignore[attr-defined]
    opened(client, created=EARLY)
    opened(client, created="2023-03-05T12:06:40Z")
    assert ids(search(client, **bound)) == ["2"]
    assert ids(search(client, query="name:case", **bound)) == found


@pytest.mark.parametrize(("side", "found"), [("all", ["1", "2", "3"]), ("first", ["3", "2", "1"]), ("refused", None)])
def test_several_sort_keys(connect: Connect, side: str, found: list[str] | None) -> None:
    """
    Given: three incidents created at one moment.
    When: they are sorted by creation and id.
    Then: both keys count, or only the first, or the search is refused with a sentence.
    """
    client = connect(search_sort=side)
    for _ in range(3):
        opened(client)
    keys = [{"field": "created", "asc": True}, {"field": "id", "asc": True}]
    assert ids(search(client, sort=keys[1:])) == ["1", "2", "3"]
    response = client.post("/incidents/search", {"filter": {"size": 10, "sort": keys}})
    if found is None:
        assert "sort" in answer(response, 400)["error"]
    else:
        assert ids(answer(response)) == found


@pytest.mark.parametrize(("limit", "found"), [(2, 2), (0, 3)])
def test_a_large_size_is_capped_or_heard(connect: Connect, limit: int, found: int) -> None:
    """
    Given: a tenant with a limit of two incidents a page, and one without a limit.
    When: three incidents are asked for at once.
    Then: two come, or all; deleting all by a filter reaches as many.
    """
    client = connect(search_size_limit=limit)
    for _ in range(3):
        opened(client)
    assert len(ids(search(client, size=20_000))) == found
    assert answer(client.post("/incident/batchDelete", {"all": True, "filter": {}}))["totalDeleted"] == found


@pytest.mark.parametrize(("side", "expected"), [("null", None), ("list", [])])
def test_empty_lists(connect: Connect, side: str, expected: Any) -> None:
    """
    Given: a tenant without incidents, entries or packs.
    When: they are listed.
    Then: each list is null, or has nothing in it.
    """
    client = connect(empty_list=side)
    assert search(client)["data"] == expected
    assert answer(client.get("/contentpacks/metadata/installed")) == expected
    opened(client)
    assert answer(client.post("/investigation/1", {}))["entries"] == expected


@pytest.mark.parametrize("how", ["GET", "POST"])
def test_modified_incidents_in_whole_seconds(connect: Connect, clock: Clock, how: str) -> None:
    """
    Given: two incidents, one changed later than the other.
    When: what was modified is asked for, since a second in epoch seconds.
    Then: the ids are a bare list; a part of that second counts; nothing is an empty object.
    """
    client = connect(modified_route="present")
    opened(client)
    clock.advance(10)
    opened(client)

    def since(seconds: int) -> Any:
        if how == "GET":
            return answer(client.get(f"/incidents/modified?from={seconds}"))
        return answer(client.post("/incidents/modified", {"from": seconds}))

    now = clock() // 1_000_000_000
    assert (since(now - 60), since(now), since(now + 1)) == (["1", "2"], ["2"], {})


@pytest.mark.parametrize(("side", "status"), [("not_found", 404), ("see_other", 303)])
def test_no_route_for_modified_incidents(connect: Connect, side: str, status: int) -> None:
    """
    Given: a tenant without the route.
    When: it is called.
    Then: the answer is 404, or leads to the web client.
    """
    response = connect(modified_route=side).call("GET", "/incidents/modified", allow_redirects=False)
    assert (response.status_code, response.headers.get("Location")) == (status, "/" if status == 303 else None)


# Incidents


@pytest.mark.parametrize("version", ["6.12.0", "8.8.0"])
def test_what_follows_on_a_creation(connect: Connect, version: str) -> None:
    """
    Given: tenants that answer a creation with the incident, with nothing, and without its id; and a rule that drops some.
    When: an incident is created, and one that the rule drops.
    Then: the first is there whatever was answered; only an empty 200 means that it was dropped.
    """
    for side, status in (("incident", 201 if version == "8.8.0" else 200), ("empty", 201), ("no_id", None)):
        client = connect(version=version, created_answer=side, drop_created_if_name_contains="noise")
        before = client.tenant.search({})[1]
        response = client.post("/incident", {"name": "case", "createInvestigation": True})
        assert client.tenant.search({})[1] == before + 1
        assert status in (None, response.status_code)
        body = response.json() if response.content else {}
        assert ("id" in body, body.get("name")) == (side == "incident", None if side == "empty" else "case")
        dropped = client.post("/incident", {"name": "noise"})
        assert (dropped.status_code, dropped.content) == (200, b"")


@pytest.mark.parametrize(
    ("side", "labels", "brand"),
    [
        ("as_sent", None, "XSOAR Mirroring"),
        ("by_label", None, "Manual"),
        ("by_label", [{"type": "Brand", "value": "XSOAR Mirroring"}], "Manual"),
        ("by_label", [{"type": "Instance", "value": "remote"}], "XSOAR Mirroring"),
    ],
)
def test_a_brand_may_need_a_label(connect: Connect, side: str, labels: Any, brand: str) -> None:
    """
    Given: an incident with a brand and an instance, with and without an Instance label.
    When: it is created.
    Then: both stay, unless the tenant needs the label and there is none: then it is Manual.
    """
    client = connect(source_brand=side)
    client.post("/incident", {"name": "a", "sourceBrand": "XSOAR Mirroring", "sourceInstance": "remote", "labels": labels})
    incident = client.tenant.incident("1")
    assert (incident["sourceBrand"], incident["sourceInstance"]) == (brand, "admin" if brand == "Manual" else "remote")


@pytest.mark.parametrize("loads", [0, 2])
def test_a_closing_may_show_later(connect: Connect, loads: int) -> None:
    """
    Given: an open incident.
    When: it is closed over REST, twice, and loaded until it shows closed.
    Then: so many loads as set show it open, and then it is closed as was asked first.
    """
    client = connect(close_shows_after=loads)
    opened(client)
    for reason in ("Resolved", "Other") if loads else ("Resolved",):
        assert answer(client.post("/incident/close", {"id": "1", "closeReason": reason}))["status"] == 1
    shown = [answer(client.get("/incident/load/1")) for _ in range(3)]
    assert [incident["status"] for incident in shown] == [1] * loads + [2] * (3 - loads)
    assert shown[-1]["closeReason"] == "Resolved"


def test_a_closing_under_way_ends_when_somebody_closes_or_reopens(connect: Connect) -> None:
    """
    Given: an incident whose closing over REST does not show yet.
    When: somebody closes it in the tenant and opens it again, and it is loaded.
    Then: it stays open.
    """
    client = connect(close_shows_after=1)
    opened(client)
    client.post("/incident/close", {"id": "1", "closeReason": "Other"})
    client.tenant.close_incident("1", reason="Resolved")
    client.tenant.reopen_incident("1")
    assert [answer(client.get("/incident/load/1"))["status"] for _ in range(3)] == [1, 1, 1]


def test_an_incident_that_cannot_be_read(connect: Connect) -> None:
    """
    Given: an incident that the tenant cannot read, and another.
    When: both are loaded, and searched.
    Then: the one answers 500 each time, the other and the search as ever.
    """
    client = connect(broken_incidents=frozenset({"1"}))
    opened(client), opened(client)
    assert [answer(client.get("/incident/load/1"), 500)["id"] for _ in range(2)] == ["internal"] * 2
    assert answer(client.get("/incident/load/2"))["id"] == "2"
    assert len(ids(search(client))) == 2


# War Rooms


@pytest.mark.parametrize(("side", "status"), [("heard", 200), ("ignored", 200), ("refused", 400)])
@pytest.mark.parametrize(
    ("switch", "entry_filter", "heard"), [("first_id", {"firstID": "2@1"}, "bc"), ("last_id", {"lastId": "3@1"}, "ab")]
)
def test_positions_in_a_war_room(
    connect: Connect, switch: str, entry_filter: dict[str, str], heard: str, side: str, status: int
) -> None:
    """
    Given: three entries.
    When: those from the second on are asked for by `firstID`, or those before the third by `lastId`.
    Then: they come, or all do, or the tenant refuses.
    """
    client = connect(**{switch: side})
    opened(client)
    for text in "abc":
        client.tenant.add_entry("1", contents=text, user="nora")
    body = answer(client.post("/investigation/1", entry_filter), status)
    found = "".join(entry["contents"] for entry in body.get("entries", []))
    assert found == {"heard": heard, "ignored": "abc", "refused": ""}[side]


@pytest.mark.parametrize(
    ("side", "categories", "found"),
    [
        ("combined", [], "bd"),
        ("combined", ["chats"], "b"),
        ("ignored", [], "bd"),
        ("ignored", ["chats"], "ab"),
        ("category", [], "bd"),
        ("category", ["chats"], "ab"),
        ("category", ["chats", "tags"], "abd"),
        ("category", ["tags"], "bd"),
    ],
)
def test_tags_beside_categories(connect: Connect, side: str, categories: list[str], found: str) -> None:
    """
    Given: a chat and a note, each with the tag and without.
    When: tagged ones of some categories are asked for.
    Then: both filters count, or the categories alone, or the tag only as a category.
    """
    client = connect(entry_tags=side)
    opened(client)
    for text, note, tags in (("a", False, []), ("b", False, ["x"]), ("c", True, []), ("d", True, ["x"])):
        client.tenant.add_entry("1", contents=text, user="nora", note=note, tags=tags)
    entries = answer(client.post("/investigation/1", {"tags": ["x"], "categories": categories}))["entries"]
    assert "".join(entry["contents"] for entry in entries) == found


@pytest.mark.parametrize(("side", "status"), [("open", 200), ("closed", 303)])
def test_formatted_entries(connect: Connect, side: str, status: int) -> None:
    """
    Given: an open War Room.
    When: a formatted text is posted.
    Then: it is taken, or the route is closed to keys and leads to the web client; a chat is taken anyhow.
    """
    client = connect(formatted_entries=side)
    opened(client)
    body = {"investigationId": "1", "contents": "x", "format": "markdown"}
    assert client.post("/entry/formatted", body, allow_redirects=False).status_code == status
    assert client.post("/entry", {"investigationId": "1", "data": "y"}).status_code == 200
    assert len(client.tenant.entries("1")) == (2 if status == 200 else 1)


@pytest.mark.parametrize(("side", "entry_type", "status"), [("works", 1, 1), ("refused", 4, 2)])
def test_reopening_by_a_command(connect: Connect, side: str, entry_type: int, status: int) -> None:
    """
    Given: a closed incident.
    When: reopenInvestigation runs for it in another War Room.
    Then: it is open, or an error entry says that it may not be.
    """
    client = connect(reopen_command=side)
    opened(client), opened(client)
    client.tenant.close_incident("1")
    body = {"investigationId": "2", "data": "!reopenInvestigation id=1"}
    assert [entry["type"] for entry in answer(client.post("/entry/execute/sync", body))] == [entry_type]
    assert client.tenant.incident("1")["status"] == status


# Who may do what, and when


def everything(client: Client) -> dict[str, Callable[[], requests.Response]]:
    """Return a call for each thing that a role may be barred from."""
    room = {"investigationId": "1", "data": "x"}
    incident = client.tenant.incident("1")
    return {
        "search": lambda: client.post("/incidents/search", {"filter": {}}),
        "load": lambda: client.get("/incident/load/1"),
        "create": lambda: client.post("/incident", {"name": "b"}),
        "edit": lambda: client.post("/incident", incident | {"version": -1}),
        "war_room": lambda: client.post("/investigation/1", {}),
        "entry": lambda: client.post("/entry", room),
        "entry/execute": lambda: client.post("/entry/execute/sync", room),
        "entry/formatted": lambda: client.post("/entry/formatted", room | {"contents": "x"}),
        "entry/note": lambda: client.post("/entry/note", room),
        "entry/tags": lambda: client.post("/entry/tags", {"id": "1@1", "tags": []}),
        "upload": lambda: client.post("/entry/upload/1", files={"file": ("a", b"1")}),
        "download": lambda: client.get("/entry/download/1@1"),
        "incidentfields": lambda: client.get("/incidentfields"),
        "incidenttype": lambda: client.get("/incidenttype"),
        "investigate": lambda: client.post("/incident/investigate", {"id": "2"}),
        "close": lambda: client.post("/incident/close", {"id": "1"}),
        "delete": lambda: client.post("/incident/batchDelete", {"ids": ["1"]}),
    }


@pytest.mark.parametrize("right", [*RIGHTS, ""])
def test_a_role_may_not_do_one_thing(connect: Connect, right: str) -> None:
    """
    Given: a key whose role may do all but one thing, or all.
    When: everything is done.
    Then: that one thing is 403 with a sentence that names it, and nothing else is refused.
    """
    client = connect(barred_from=frozenset({right} - {""}))
    opened(client), client.tenant.create_incident({"name": "pending"}, investigate=False)
    client.tenant.add_entry("1", file=("a.txt", b"1"))
    calls = everything(client)
    assert calls.keys() == RIGHTS.keys()
    refused = {name: response for name, call in calls.items() if (response := call()).status_code >= 400}
    assert refused.keys() == {right} - {""}
    for response in refused.values():
        assert right in answer(response, 403)["error"]


@pytest.mark.parametrize(("told", "wait"), [("told", "40"), ("untold", None)])
def test_a_quota_of_calls(connect: Connect, clock: Clock, told: str, wait: str | None) -> None:
    """
    Given: a tenant that takes two calls a minute.
    When: three are made at second 20 of a minute, and one in the next.
    Then: the third is 429, with the seconds to wait or without, and the next minute's is taken; refused keys do not count.
    """
    clock.now = clock.now // 60_000_000_000 * 60_000_000_000 + 20_000_000_000
    client = connect(calls_a_minute=2, retry_after=told)
    requests.get(client.base + "/about", timeout=20)
    answers = [client.get("/about") for _ in range(3)]
    assert [response.status_code for response in answers] == [200, 200, 429]
    assert answers[-1].headers.get("Retry-After") == wait
    clock.advance(40)
    assert client.get("/about").status_code == 200


@pytest.mark.parametrize("ahead", [0, 240, -240, None])
def test_the_date_header(connect: Connect, clock: Clock, ahead: int | None) -> None:
    """
    Given: a tenant whose answers carry its time, another one, or none.
    When: it answers.
    Then: the header Date is as set.
    """
    date = connect(date_header=ahead).get("/about").headers.get("Date")
    seconds = parsedate_to_datetime(date).timestamp() - clock.now // 1_000_000_000 if date else None
    assert seconds == ahead


@pytest.mark.parametrize("mode", ["xsoar", "xsiam"])
def test_what_the_server_says_it_is(connect: Connect, mode: str) -> None:
    """
    Given: a tenant of XSOAR, and one of XSIAM.
    When: it is asked what it is.
    Then: it says so.
    """
    assert answer(connect(product_mode=mode).get("/about"))["productMode"] == mode
