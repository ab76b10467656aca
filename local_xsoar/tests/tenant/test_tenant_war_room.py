"""War Room entries: what they look like, which of them a filter gives, what they do to their incident."""

from collections.abc import Callable
from typing import Any

import pytest

from local_xsoar.tenant import BadRequest, NotFound, Tenant
from local_xsoar.tests.tenant.tenant_client import Clock

Make = Callable[..., Tenant]


def filled(tenant: Tenant, clock: Clock) -> Tenant:
    """Fill the War Room of incident 1 with six entries of all kinds, a minute apart, the first a minute after the incident."""
    tenant.create_incident({"name": "a"})
    entries: list[dict[str, Any]] = [
        {"contents": "a chat", "user": "nora", "tags": ["red", "blue"]},
        {"contents": "a note", "user": "admin", "note": True, "tags": ["red"]},
        {"contents": "with a file", "user": "nora", "file": ("a.txt", b"bytes")},
        {"contents": "!ip ip=192.0.2.1", "category": "commandAndResults"},
        {"contents": "a result", "parent_id": "4@1"},
        {"contents": "a task", "category": "playbookTaskResult", "tags": ["blue"]},
    ]
    for entry in entries:
        clock.advance(60)
        tenant.add_entry("1", **entry)
    return tenant


@pytest.fixture
def war_room(tenant: Tenant, clock: Clock) -> Tenant:
    return filled(tenant, clock)


def numbers(tenant: Tenant, **entry_filter: Any) -> list[int]:
    """Return the numbers of the entries that a filter gives, in its order."""
    return [int(entry["id"].split("@")[0]) for entry in tenant.entries("1", entry_filter)]


def test_a_chat_looks_like_the_captured_one(tenant_6: Tenant, clock: Clock, captured: Callable[[str], dict[str, Any]]) -> None:
    """
    Given: a chat of a real 6.x tenant, captured.
    When: the same is written here.
    Then: it has all its fields, with the same values but for ids and times.
    """
    tenant_6.create_incident({"name": "a"})
    entry = tenant_6.add_entry("1", contents="done", user="admin")
    wanted = captured("entry_52_4.json")
    assert set(wanted) <= set(entry)
    different = {field for field in wanted if entry[field] != wanted[field]}
    assert different == {"id", "investigationId", "created", "modified"}
    assert (entry["id"], entry["created"]) == ("1@1", "2023-03-05T10:06:48.446441591Z")


def test_times_of_entries_on_8_are_in_milliseconds(war_room: Tenant) -> None:
    """
    Given: an 8.x tenant.
    When: an entry is read.
    Then: its times have three digits at most.
    """
    assert war_room.entry("1@1")["created"] == war_room.entry("1@1")["modified"] == "2023-03-05T10:07:48.446Z"


@pytest.mark.parametrize(
    ("entry_filter", "expected"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"categories": ["chats"]}, [1]),
        ({"categories": ["notes"]}, [2]),
        ({"categories": ["attachments"]}, [3]),
        ({"categories": ["chats", "notes", "attachments"]}, [1, 2, 3]),
        ({"categories": ["commandAndResults"]}, [4, 5]),
        ({"categories": ["playbookTaskResult"]}, [6]),
        ({"categories": ["deleted", "evidence"]}, []),
        ({"notCategories": ["commandAndResults"]}, [1, 2, 3, 6]),
        ({"tags": ["red"]}, [1, 2]),
        ({"tags": ["red", "blue"]}, [1, 2, 6]),
        ({"tags": ["red", "blue"], "tagsAndOperator": True}, [1]),
        ({"tags": ["Red"]}, []),
        ({"tags": ["blue"], "categories": ["chats"]}, [1]),
        ({"users": ["nora"]}, [1, 3]),
        ({"users": ["nora", "admin"]}, [1, 2, 3]),
        ({"parentID": "4@1"}, [5]),
        ({"fromTime": "2023-03-05T10:10:48.446Z"}, [4, 5, 6]),
        ({"fromTime": "2023-03-05T12:10:48.446+02:00"}, [4, 5, 6]),
        ({"fromTime": "0001-01-01T00:00:00Z"}, [1, 2, 3, 4, 5, 6]),
        ({"fromTime": None, "tags": None, "categories": None, "pageSize": None}, [1, 2, 3, 4, 5, 6]),
        ({"pageSize": 2}, [5, 6]),
        ({"pageSize": 100}, [1, 2, 3, 4, 5, 6]),
        ({"pageSize": 0}, [1, 2, 3, 4, 5, 6]),
        ({"lastId": "5@1"}, [1, 2, 3, 4]),
        ({"lastId": "5@1", "pageSize": 2}, [3, 4]),
        ({"lastId": "1@1"}, []),
        ({"firstID": "4@1"}, [4, 5, 6]),
        ({"firstID": "2@1", "pageSize": 2}, [2, 3]),
    ],
)
def test_filter_gives(war_room: Tenant, entry_filter: dict[str, Any], expected: list[int]) -> None:
    """
    Given: a War Room with six entries.
    When: it is read with a filter.
    Then: exactly the entries that the filter describes are given, oldest first.
    """
    assert numbers(war_room, **entry_filter) == expected


def test_paging_backward_gives_every_entry_once(tenant: Tenant) -> None:
    """
    Given: a War Room with 25 entries of one instant.
    When: it is read in pages of ten, each before the oldest entry seen.
    Then: every entry comes once.
    """
    tenant.create_incident({"name": "a"})
    for _ in range(25):
        tenant.add_entry("1", contents="x", user="nora")
    pages, last = [], ""
    while page := tenant.entries("1", {"pageSize": 10, "lastId": last}):
        pages.append(len(page))
        last = page[0]["id"]
    assert pages == [10, 10, 5]


@pytest.mark.parametrize(
    ("setting", "entry_filter", "expected"),
    [
        ({"page_keeps": "oldest"}, {"pageSize": 2}, [1, 2]),
        ({"from_time_field": "modified"}, {"fromTime": "2023-03-05T10:13:00Z"}, [1]),
        ({"from_time_field": "created"}, {"fromTime": "2023-03-05T10:13:00Z"}, []),
    ],
)
def test_switches_of_the_filter(
    make_tenant: Make, clock: Clock, setting: dict[str, str], entry_filter: dict[str, Any], expected: list[int]
) -> None:
    """
    Given: tenants set to one or the other guess about pageSize and fromTime, and an old entry tagged just now.
    When: the War Room is read.
    Then: they answer as they are set to.
    """
    tenant = filled(make_tenant(**setting), clock)
    clock.advance(60)
    tenant.change_entry("1@1", tags=["late"])
    assert numbers(tenant, **entry_filter) == expected


@pytest.mark.parametrize(
    ("entry_filter", "named"),
    [
        ({"pageSize": -1}, "pageSize"),
        ({"pageSize": "many"}, "pageSize"),
        ({"fromTime": "banana"}, "banana"),
        ({"lastId": "nonsense"}, "nonsense"),
        ({"lastId": "3@2"}, "3@2"),
        ({"tags": "red"}, "tags"),
        ({"categories": [1]}, "categories"),
    ],
)
def test_a_wrong_filter_is_refused_by_name(war_room: Tenant, entry_filter: dict[str, Any], named: str) -> None:
    """
    Given: a filter with a field of the wrong type.
    When: a War Room is read with it.
    Then: the tenant refuses it in a sentence that names what is wrong.
    """
    with pytest.raises(BadRequest, match=named):
        war_room.entries("1", entry_filter)


def test_an_entry_moves_its_incidents_modified_but_not_its_version(war_room: Tenant, clock: Clock) -> None:
    """
    Given: an incident with entries.
    When: an entry is added, tagged, noted, and marked as mirrored, a minute apart.
    Then: each but the last moves the incident's modified, and none its version.
    """
    moved = []
    for change in (
        lambda: war_room.add_entry("1", contents="x", user="nora"),
        lambda: war_room.change_entry("1@1", tags=["green"]),
        lambda: war_room.change_entry("1@1", note=True),
        lambda: war_room.change_entry("1@1", mirrored=True),
        lambda: war_room.change_entry("1@1", note=True),
    ):
        clock.advance(60)
        change()
        moved.append(war_room.incident("1")["modified"])
    assert moved == ["2023-03-05T10:13:48.446Z", "2023-03-05T10:14:48.446Z"] + ["2023-03-05T10:15:48.446Z"] * 3
    assert war_room.incident("1")["version"] == 1
    assert war_room.search({"query": 'modified:>="2023-03-05T10:15:48Z"'})[1] == 1


def test_entries_leave_modified_alone_when_the_tenant_is_set_so(make_tenant: Make, clock: Clock) -> None:
    """
    Given: a tenant where entries do not move their incident's modified.
    When: entries are added and tagged later.
    Then: the incident's modified stays.
    """
    tenant = filled(make_tenant(entry_moves_modified=False), clock)
    tenant.change_entry("1@1", tags=["green"])
    assert tenant.incident("1")["modified"] == "2023-03-05T10:06:48.446Z"


def test_tagging_moves_the_entrys_modified_only(war_room: Tenant, clock: Clock) -> None:
    """
    Given: an entry.
    When: it is tagged an hour later, with a tag twice and an empty one, and then untagged.
    Then: its modified moves, created stays; tags are unique; no tag is shown as null.
    """
    clock.advance(3600)
    tagged = war_room.change_entry("2@1", tags=["x", "x", " ", "y"])
    assert (tagged["created"], tagged["modified"]) == ("2023-03-05T10:08:48.446Z", "2023-03-05T11:12:48.446Z")
    assert tagged["tags"] == ["x", "y"]
    assert war_room.change_entry("2@1", tags=[])["tags"] is None
    assert numbers(war_room, tags=["x"]) == []


def test_contents_may_be_an_object(war_room: Tenant) -> None:
    """
    Given: an entry of the format json whose contents is an object.
    When: it is read.
    Then: the object is as it was.
    """
    written = war_room.add_entry("1", contents={"a": [1, None, "ü"]}, format="json")
    assert war_room.entry(written["id"])["contents"] == {"a": [1, None, "ü"]}


def test_a_text_of_half_a_character_is_stored(war_room: Tenant) -> None:
    """
    Given: a text with half of a surrogate pair, as broken escapes in JSON give.
    When: it is written and read.
    Then: the half is a replacement character, as Go's JSON makes it; the rest is untouched.
    """
    written = war_room.add_entry("1", contents="a\ud800b", user="nora", tags=["\udfff"])
    assert war_room.entry(written["id"])["contents"] == "a\ufffdb"


def test_unknown_war_rooms_and_entries_are_named(war_room: Tenant) -> None:
    """
    Given: a pending incident, and ids of nothing.
    When: entries are read or written there.
    Then: the error says what could not be found.
    """
    war_room.create_incident({"name": "pending"}, investigate=False)
    for unknown in ("2", "99", "abc"):
        with pytest.raises(NotFound, match=f"Could not find investigation {unknown}"):
            war_room.entries(unknown)
        with pytest.raises(NotFound, match=f"Could not find investigation {unknown}"):
            war_room.add_entry(unknown, contents="x", file=("a.txt", b"1"))
    for call in (war_room.entry, war_room.entry_file, war_room.change_entry):
        with pytest.raises(NotFound, match="99@1"):
            call("99@1")
    with pytest.raises(NotFound, match="file in entry 1@1"):
        war_room.entry_file("1@1")
    assert len(list((war_room.settings.folder / "files").iterdir())) == 1
