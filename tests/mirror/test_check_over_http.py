"""The command xsoar-mirror-check over HTTP: on tenants that differ, it names the side that each is on."""

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from local_xsoar.host import CommandRun
from local_xsoar.tenant.manners import SWITCHES, TROUBLES
from tests.mirror.two_tenants import INSTANCE, Mirror, Site, succeeded

SCRATCH = "Scratch incident of xsoar-mirror-check"


def populate(mirror: Mirror) -> str:
    """Give the remote tenant five incidents, one with a War Room of notes, tagged entries and a file; return its id."""
    for number in range(4):
        mirror.clock.offset_seconds = number - 60
        mirror.remote_incident(type="Phishing" if number % 2 else "Malware")
    mirror.clock.offset_seconds = -50
    incident_id = mirror.remote_incident()
    for number in range(4):
        mirror.clock.offset_seconds = number - 40
        entry = mirror.there.add_entry(incident_id, contents=f"entry {number}", user="carla", category="chat")
    mirror.there.add_entry(incident_id, user="carla", category="attachment", file=("report.txt", b"a small file"))
    mirror.clock.offset_seconds = -20
    mirror.there.change_entry(entry["id"], tags=["seen"])
    mirror.clock.offset_seconds = 0
    return incident_id


def check(mirror: Mirror, **args: Any) -> dict[str, dict[str, str]]:
    """Run the command; return its findings by question."""
    return findings_of(succeeded(mirror.host.run(INSTANCE, "xsoar-mirror-check", args)))


def findings_of(run: CommandRun) -> dict[str, dict[str, str]]:
    """Return the findings of a run by question."""
    (outputs,) = (value for entry in run.entries for value in (entry.get("EntryContext") or {}).values())
    return {finding["Question"]: finding for finding in outputs["Findings"]}


# By switch and side: whether the command writes, the question that tells, and what it says.
SIDES = [
    ("entry_moves_modified", True, True, "A note", "a note changes modified"),
    ("entry_moves_modified", False, True, "A note", "a note does not change modified"),
    ("entry_moves_modified", False, True, "A file", "a file does not change modified"),
    ("from_time_field", "created", False, "fromTime of a War Room", "fromTime compares created"),
    ("from_time_field", "modified", False, "fromTime of a War Room", "fromTime compares modified"),
    ("page_keeps", "newest", False, "Page of a War Room", "keeps the newest"),
    ("page_keeps", "oldest", False, "Page of a War Room", "keeps the oldest"),
    ("first_id", "heard", False, "War Room, on from an entry", "firstID works"),
    ("first_id", "ignored", False, "War Room, on from an entry", "firstID is ignored"),
    ("first_id", "refused", False, "War Room, on from an entry", "firstID is refused"),
    ("last_id", "heard", False, "War Room, back from an entry", "lastId works"),
    ("last_id", "ignored", False, "War Room, back from an entry", "lastId is ignored"),
    ("last_id", "refused", False, "War Room, back from an entry", "lastId is refused"),
    ("entry_tags", "combined", False, "Tags beside categories", "combine"),
    ("entry_tags", "ignored", False, "Tags beside categories", "ignored"),
    ("entry_tags", "category", False, "Tags beside categories", "only as a category"),
    ("formatted_entries", "open", True, "Formatted entries", "may use"),
    ("formatted_entries", "closed", True, "Formatted entries", "may not use /entry/formatted (303)"),
    ("empty_list", "list", False, "Empty answers", "a list"),
    ("empty_list", "null", False, "Empty answers", "null"),
    ("search_total", "right", False, "Total", "total is right"),
    ("search_total", "zero", False, "Total", "total is zero"),
    ("search_total", "page", False, "Total", "the size of the page"),
    ("search_bounds", "combined", False, "Time bound beside a query", "fromDate beside a query holds"),
    (
        "search_bounds",
        "ignored",
        False,
        "Time bound beside a query",
        "fromDate beside a query is ignored; created:>= in it holds",
    ),
    ("search_sort", "all", False, "Sort keys", "all sort keys count"),
    ("search_sort", "first", False, "Sort keys", "only the first"),
    ("search_sort", "refused", False, "Sort keys", "refused"),
    (
        "modified_route",
        "present",
        False,
        "Route incidents/modified",
        "GET answers with a list of 5; POST answers with a list of 5",
    ),
    ("modified_route", "not_found", False, "Route incidents/modified", "GET is not there (404); POST is not there (404)"),
    ("modified_route", "see_other", False, "Route incidents/modified", "GET is not there (303); POST is not there (303)"),
    ("created_answer", "incident", True, "Creating", "the incident"),
    ("created_answer", "empty", True, "Creating", "empty answer"),
    ("created_answer", "no_id", True, "Creating", "no id"),
    ("source_brand", "as_sent", True, "Brand without a label", "is kept without a label"),
    ("source_brand", "by_label", True, "Brand without a label", "only with an Instance label"),
    ("close_reasons", "listed", False, "Close reasons", "reasons listed by the remote tenant: 4"),
    ("close_reasons", "null", False, "Close reasons", "lists none (null)"),
    ("close_shows_after", 0, True, "Closing", "takes effect at once"),
    ("close_shows_after", 2, True, "Closing", "takes effect after 0.6 s"),
    ("date_header", 0, False, "Clocks", "within two seconds"),
    ("date_header", 240, True, "Clock of the server", "4 min ahead of the server clock"),
    ("date_header", -240, True, "Clock of the server", "4 min behind the server clock"),
    ("date_header", -240, False, "Clocks", "behind the local clock"),
    ("date_header", None, False, "Clocks", "remote clock is not known"),
    ("reopen_command", "works", True, "Reopening", "reopenInvestigation reopens"),
    ("reopen_command", "refused", True, "Reopening", "does not reopen"),
]


# A test of its own, since it takes a thousand incidents.
APART = {"search_size_limit"}


def test_each_side_has_its_case() -> None:
    """
    Given: the switches of a tenant.
    When: the cases here are compared with them.
    Then: each side that can be seen has one.
    """
    sides = {(switch, side) for switch, sides in SWITCHES.items() if switch not in APART for side in sides}
    assert sides <= {(switch, side) for switch, side, *_ in SIDES}


@pytest.mark.parametrize(("switch", "side", "writes", "question", "says"), SIDES, ids=lambda value: str(value))
def test_it_names_the_side_that_a_server_is_on(
    site: Site, switch: str, side: Any, writes: bool, question: str, says: str
) -> None:
    """
    Given: a remote on one side of a switch.
    When: the check runs.
    Then: it names that side, and leaves nothing open there.
    """
    mirror = site.mirror(**{switch: side})
    mirror.configure()
    populate(mirror)

    found = check(mirror, write=str(writes).lower())

    assert says in found[question]["Found"], found
    assert not [question for question, finding in found.items() if "cannot make sense of the answer" in finding["Found"]]
    scratch = [incident for incident in mirror.there.search({"query": "", "size": 50})[0] if SCRATCH in incident["name"]]
    assert [incident["status"] for incident in scratch] == [2, 2] * writes


@pytest.mark.parametrize(
    ("search_size_limit", "says"), [(1000, "cut to 1000"), (0, "more than 1,000 incidents is accepted")], ids=["capped", "heard"]
)
def test_it_names_how_large_a_page_may_be(site: Site, search_size_limit: int, says: str) -> None:
    """
    Given: a remote with 1,005 incidents that caps a page or does not.
    When: the check runs.
    Then: it names that side.
    """
    mirror = site.mirror(search_size_limit=search_size_limit)
    mirror.configure()
    with mirror.there.batch():
        for number in range(1005):
            mirror.remote_incident(name=str(number))

    assert says in check(mirror, write="false")["Page of a search"]["Found"]


# By what the key may not do: the question that tells, its verdict, and the question that is answered all the same.
BARRED = [
    ("search", "Right to search incidents", "stop", "Right to read incident types"),
    ("load", "Right to view incidents", "stop", "Right to view War Rooms"),
    ("war_room", "Right to view War Rooms", "stop", "First fetch"),
    ("incidentfields", "Right to read incident fields", "warn", "First fetch"),
    ("incidenttype", "Right to read incident types", "warn", "First fetch"),
    ("download", "Right to download files", "warn", "First fetch"),
    ("create", "Creating", "stop", "First fetch"),
    ("edit", "Right to edit incidents", "warn", "Closing"),
    ("entry/note", "A note", "warn", "Closing"),
    ("entry/tags", "A tag", "warn", "Closing"),
    ("upload", "A file", "warn", "Closing"),
    ("entry/formatted", "Formatted entries", "warn", "Closing"),
    ("close", "Closing", "warn", "Formatted entries"),
    ("entry/execute", "Reopening", "warn", "Closing"),
]


@pytest.mark.parametrize(("right", "question", "verdict", "answered"), BARRED, ids=lambda value: str(value))
def test_it_names_what_the_key_may_not_do(site: Site, right: str, question: str, verdict: str, answered: str) -> None:
    """
    Given: a key that may not do one thing.
    When: the check runs.
    Then: it says so of that, and the rest is answered.
    """
    mirror = site.mirror(barred_from=frozenset({right}))
    mirror.configure()
    populate(mirror)

    found = check(mirror, write="true")

    assert (found[question]["Verdict"], found[question]["Found"]) == (verdict, "not answered: forbidden (403)"), found
    assert "permission" in found[question]["Remedy"]
    assert found[answered]["Verdict"] == "ok", found
    was_created = right not in ("search", "load", "war_room", "create")
    assert ("Scratch incident" in found) is was_created
    if was_created:
        left = "search the remote tenant for" in found["Scratch incident"]["Remedy"]
        assert left is (right == "close")


def test_another_product_is_asked_nothing_more(site: Site) -> None:
    """
    Given: a remote that is no XSOAR.
    When: the check runs, writing.
    Then: it stops there, says which, and writes nothing.
    """
    mirror = site.mirror(product_mode="xsiam")
    mirror.configure()

    found = check(mirror, write="true")

    assert list(found) == ["Version", "Creating"]
    assert "not tried" in found["Creating"]["Found"]
    assert found["Version"]["Verdict"] == "stop"
    assert "xsiam, not Cortex XSOAR" in found["Version"]["Found"]
    assert mirror.interference.paths == ["GET /xsoar/about"]


def test_a_quota_of_calls_ends_the_questions_and_closes_what_was_created(site: Site) -> None:
    """
    Given: a remote that accepts no more calls once a note was written.
    When: the check runs.
    Then: it ends, and cleans up.
    """
    mirror = site.mirror()
    mirror.configure()
    populate(mirror)

    def limit(request: Request, number: int) -> None:
        if request.url.path.endswith("/entry/note"):
            mirror.interference.answers.update({later: lambda: Response(status_code=429) for later in range(number, number + 3)})

    mirror.interference.before = limit

    found = check(mirror, write="true")

    assert "(429)" in found["A note"]["Found"]
    assert "A tag" not in found
    assert found["Scratch incident"]["Found"] == "the scratch incident is closed"


@pytest.mark.parametrize("retry_after", TROUBLES["retry_after"])
def test_a_quota_that_is_used_up_leaves_nothing_unsaid(site: Site, retry_after: str) -> None:
    """
    Given: a remote that takes 40 calls a minute of a clock that stands.
    When: the check writes.
    Then: it says what is left.
    """
    mirror = site.mirror(calls_a_minute=40, retry_after=retry_after)
    mirror.configure()
    populate(mirror)
    mirror.clock.stop()

    found = check(mirror, write="true")

    assert [question for question, finding in found.items() if "(429)" in finding["Found"]]
    assert found["Scratch incident"]["Verdict"] == "warn"
    assert "close it by hand" in found["Scratch incident"]["Remedy"]
    assert 60 in site.pauses


def test_an_incident_that_cannot_be_read_is_told(site: Site) -> None:
    """
    Given: a remote whose newest incident always answers with an error.
    When: the check runs.
    Then: it says so, and goes on.
    """
    mirror = site.mirror(broken_incidents=frozenset({"5"}))
    mirror.configure()
    populate(mirror)

    found = check(mirror)

    assert (found["Right to view incidents"]["Verdict"], found["Right to view incidents"]["Found"]) == (
        "warn",
        "not answered: busy (500)",
    )
    assert found["First fetch"]["Verdict"] == "ok"


@pytest.mark.parametrize("there", ["6", "8"])
def test_both_versions_fit(site: Site, there: str) -> None:
    """
    Given: a remote of each version.
    When: the check runs, writing.
    Then: nothing stops, and what it learned is remembered.
    """
    mirror = site.mirror("8", there, entry_moves_modified=False)
    mirror.configure()
    populate(mirror)

    found = check(mirror, write="true")

    assert [question for question, finding in found.items() if finding["Verdict"] == "stop"] == []
    status = succeeded(mirror.host.run(INSTANCE, "xsoar-mirror-status"))
    assert next(iter(status.entries[0]["EntryContext"].values()))["EntriesMoveModified"] is False
