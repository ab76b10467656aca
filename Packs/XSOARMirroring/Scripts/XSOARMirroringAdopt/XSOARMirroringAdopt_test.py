"""Tests of the script, run as the server does: through `main`, with a server that has incidents, and an instance."""

import json
import runpy
from itertools import count
from typing import Any

import pytest

import XSOARMirroringAdopt as script
from stand_ins import Server, error_entry

MODULES = {
    "customer": {"brand": "XSOAR Mirroring", "category": "Utilities", "state": "active"},
    "old": {"brand": "XSOAR Mirroring", "category": "Utilities", "state": "disabled"},
    "desk": {"brand": "Ticket Desk", "category": "Case Management", "state": "active"},
}
ARGS = {"query": "type:Phishing", "id_field": "ticket", "instance": "customer", "dry_run": "false"}
LIMITED = "API rate limit: hq.example.com accepts no more calls for now (429); it is tried again in the next round."
MISSING = "The remote tenant has no such incident, or the API key may not read it (400): check the ID."


def entry(contents: Any) -> list[dict[str, Any]]:
    """Return what a command gives a script."""
    return [{"Type": 1, "ContentsFormat": "json", "Contents": contents}]


def incident(number: int, remote_id: Any = "", **fields: Any) -> dict[str, Any]:
    """Return a local incident that names a remote one in a custom field."""
    return {"id": str(number), "status": 1, "rawJSON": "{}", "CustomFields": {"ticket": remote_id}, **fields}


@pytest.fixture
def server(server: Server) -> Server:
    """A server with an instance whose remote has each incident, and that succeeds in all it is asked for."""
    server.instances = MODULES
    server.answers = {
        "xsoar-mirror-diff": lambda args: entry({"id": args["id"], "different": ["name"]}),
        "xsoar-mirror-resync": entry({}),
        "setIncident": entry("done"),
    }
    return server


def hold(server: Server, *incidents: dict[str, Any], mirrored: tuple[dict[str, Any], ...] = ()) -> None:
    """Let the query find incidents, in pages of three, and a search for remote IDs those that are mirrored."""

    def answer(args: dict[str, Any]) -> list[dict[str, Any]]:
        found = mirrored if args["query"].startswith("dbotMirrorId:") else incidents
        portion = found[args["page"] * 3 : args["page"] * 3 + 3]
        return entry({"data": list(portion) or None, "total": len(found)})

    server.answers["getIncidents"] = answer


def run(server: Server, **args: Any) -> list[dict[str, Any]]:
    """Run the script, which must succeed, and return the rows that it puts into the context."""
    outcome = server.run_script(script.main, **{**ARGS, **args})
    assert not outcome.error, outcome.error
    ((path, rows),) = outcome.result["EntryContext"].items()
    assert path.startswith("XSOAR.Mirror.Adopt(")
    return rows


def outcomes(rows: list[dict[str, Any]]) -> list[str]:
    """Return the outcome of each incident."""
    return [row["outcome"] for row in rows]


def asked(server: Server, command: str) -> list[dict[str, Any]]:
    """Return the arguments with which a command was run."""
    return [args for name, args in server.asked if name == command]


def changing(server: Server) -> list[str]:
    """Return which commands ran that change something."""
    return [name for name, _ in server.asked if name in ("xsoar-mirror-resync", "setIncident")]


def error_of(server: Server, **args: Any) -> str:
    """Run the script, which fails as a whole and changes nothing, and return the text of its error entry."""
    error = server.run_script(script.main, **{**ARGS, **args}).error
    assert error
    assert changing(server) == []
    return error


def test_a_pair_is_compared_resynced_and_linked_in_this_order(server: Server) -> None:
    """
    Given: an incident that names a remote one.
    When: the server runs the file as its main program, with tags and a direction, not as a dry run.
    Then: the instance compares and resyncs the incident as it will be, before its mirror fields are set.
    """
    hold(server, incident(7, "4", name="ours", sourceBrand="XSOAR Mirroring"))

    outcome = server.run_script(
        lambda: runpy.run_path(str(script.__file__), run_name="__main__"), **ARGS, direction="In", tags="a,b"
    )

    fields = {"dbotMirrorId": "4", "dbotMirrorInstance": "customer", "dbotMirrorDirection": "In", "dbotMirrorTags": ["a", "b"]}
    (diff, resync, linking) = server.asked[-3:]
    assert (diff[0], diff[1]["id"], diff[1]["using"]) == ("xsoar-mirror-diff", "4", "customer")
    assert json.loads(diff[1]["incident"]).keys() == {"id", "status", "name", "sourceBrand", "CustomFields"}
    assert (resync[0], resync[1]["id"], resync[1]["using"]) == ("xsoar-mirror-resync", "4", "customer")
    assert json.loads(resync[1]["incident"]) == {"id": "7", "status": 1, **fields}
    assert linking == ("setIncident", {"id": "7", **fields})
    ((row,),) = outcome.result["EntryContext"].values()
    linked = {"incident": "7", "remote": "4", "outcome": "Linked", "reason": "", "exists": True, "different": ["name"]}
    assert row == linked
    assert "1 linked" in outcome.result["HumanReadable"]


@pytest.mark.parametrize("dry_run", [None, "", "true", "yes", True])
def test_it_changes_nothing_unless_it_is_told_to(server: Server, dry_run: Any) -> None:
    """
    Given: an incident that names a remote one.
    When: the script is not told that the run is real.
    Then: it tells what it would link, and changes nothing.
    """
    hold(server, incident(7, "4"))

    assert outcomes(run(server, dry_run=dry_run)) == ["To link"]
    assert changing(server) == []


@pytest.mark.parametrize("dry_run", ["false", "no", False])
def test_a_real_run_without_tags_or_direction(server: Server, dry_run: Any) -> None:
    """
    Given: an incident that names a remote one.
    When: it is linked without more being said.
    Then: both directions are set, and no tags.
    """
    hold(server, incident(7, "4"))

    assert outcomes(run(server, dry_run=dry_run)) == ["Linked"]
    (fields,) = asked(server, "setIncident")
    assert (fields["dbotMirrorDirection"], "dbotMirrorTags" in fields) == ("Both", False)


@pytest.mark.parametrize(
    ("value", "remote_id"),
    [("4", "4"), (" 4 ", "4"), (4, "4"), (4.0, "4"), (["4"], "4"), ("a-4", "a-4")],
)
def test_the_field_may_hold_an_id_in_some_forms(server: Server, value: Any, remote_id: str) -> None:
    """
    Given: an ID in a text, a number, or a list of one.
    When: the script runs.
    Then: it is that ID.
    """
    hold(server, incident(7, value))

    assert [row["remote"] for row in run(server)] == [remote_id]


def test_the_field_may_be_one_of_the_platform_s_own(server: Server) -> None:
    """
    Given: an incident whose dbotMirrorId names a remote one, mirrored by no instance.
    When: the script takes the ID from there.
    Then: the incident is linked.
    """
    hold(server, {"id": "7", "status": 1, "CustomFields": None, "dbotMirrorId": "4"})

    assert outcomes(run(server, id_field="dbotMirrorId")) == ["Linked"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"dbotMirrorId": "4", "dbotMirrorInstance": "customer"}, "by the instance customer, with remote incident 4"),
        ({"dbotMirrorId": "9", "dbotMirrorInstance": "desk"}, "by the instance desk, with remote incident 9"),
        ({"dbotMirrorInstance": "customer"}, "which will create it"),
        ({"dbotMirrorId": "7@hq.example.com"}, "Its field dbotMirrorId is 7@hq.example.com"),
        ({"CustomFields": {"ticket": ""}}, "Its field ticket is empty"),
        ({"CustomFields": None}, "Its field ticket is empty"),
        ({"CustomFields": {"ticket": []}}, "Its field ticket is empty"),
        ({"CustomFields": {"ticket": "long " * 99}}, "contains text"),
        ({"CustomFields": {"ticket": "two\nlines"}}, "contains text"),
    ],
)
def test_an_incident_that_cannot_be_linked_is_skipped(server: Server, fields: dict[str, Any], said: str) -> None:
    """
    Given: an incident that is mirrored already or names no remote one, and one that can be linked.
    When: the script runs.
    Then: the first is told with its reason and left alone; the other is linked.
    """
    hold(server, incident(7, "4", **fields), incident(8, "5"))

    rows = run(server)

    assert outcomes(rows) == ["Skipped", "Linked"]
    assert said in rows[0]["reason"]
    assert [args["id"] for args in asked(server, "setIncident")] == ["8"]


def test_two_for_one_are_skipped(server: Server) -> None:
    """
    Given: two incidents that name the same remote one.
    When: the script runs.
    Then: both are told, neither is linked, and the remote is not asked.
    """
    hold(server, incident(7, "4"), incident(8, 4))

    rows = run(server)

    assert outcomes(rows) == ["Skipped", "Skipped"]
    assert all("Incidents 7, 8 all name the same remote incident" in row["reason"] for row in rows)
    assert asked(server, "xsoar-mirror-diff") == []


@pytest.mark.parametrize(
    ("instance", "remote_id", "expected"),
    [("customer", "a4", "Skipped"), ("Customer", "a4", "Linked"), ("customer", "A4", "Linked")],
)
def test_what_another_incident_mirrors_is_skipped(server: Server, instance: str, remote_id: str, expected: str) -> None:
    """
    Given: an incident that the query does not find and that mirrors a remote one; a search does not tell upper from lower case.
    When: the script comes to another one that names the remote one.
    Then: it is skipped where it is the same instance and the same ID.
    """
    mirrored = incident(3, dbotMirrorId=remote_id, dbotMirrorInstance=instance)
    hold(server, incident(7, "a4"), mirrored=(mirrored,))

    (row,) = run(server)

    assert row["outcome"] == expected
    assert ("Incident 3 already mirrors that remote incident" in row["reason"]) == (expected == "Skipped")


def test_an_incident_is_not_its_own_duplicate(server: Server) -> None:
    """
    Given: a search that tells a moment later than another that an incident was linked.
    When: the script runs again.
    Then: it links the incident once more, which changes nothing.
    """
    mirrored = incident(7, "4", dbotMirrorId="4", dbotMirrorInstance="customer")
    hold(server, incident(7, "4"), mirrored=(mirrored,))

    assert outcomes(run(server)) == ["Linked"]


def test_the_ids_that_are_searched_for_are_quoted(server: Server) -> None:
    r"""
    Given: IDs with quotes and backslashes.
    When: the script searches for incidents that mirror them.
    Then: each stands in the query as it is.
    """
    hold(server, incident(7, 'a"b'), incident(8, "c\\d"))

    run(server)

    queries = {args["query"] for args in asked(server, "getIncidents")}
    assert queries == {"type:Phishing", r'dbotMirrorId:"a\"b" or dbotMirrorId:"c\\d"'}


@pytest.mark.parametrize(
    ("command", "answer", "outcome", "said"),
    [
        ("xsoar-mirror-diff", error_entry(MISSING), "Skipped", "check the ID"),
        ("xsoar-mirror-resync", error_entry(MISSING), "Skipped", "check the ID"),
        ("xsoar-mirror-diff", error_entry("hq.example.com cannot be reached."), "Failed", "run it again"),
        ("xsoar-mirror-diff", ValueError("Unsupported Command : xsoar-mirror-diff"), "Failed", "Unsupported Command"),
        ("xsoar-mirror-diff", None, "Failed", "returned no result"),
        ("xsoar-mirror-diff", entry("a text"), "Failed", "returned no result"),
        ("xsoar-mirror-resync", error_entry("The context cannot be written."), "Failed", "Nothing was changed for this pair"),
        ("setIncident", error_entry("Not allowed."), "Failed", "could not be set: Not allowed."),
        ("setIncident", RuntimeError("Lost."), "Failed", "run it again"),
    ],
)
def test_the_failure_of_one_pair_is_its_row_and_does_not_stop_others(
    server: Server, command: str, answer: Any, outcome: str, said: str
) -> None:
    """
    Given: two pairs, and a command that fails for the first.
    When: the script runs.
    Then: the row of the first says why and what to do; the second is linked.
    """
    hold(server, incident(7, "4"), incident(8, "5"))
    well = server.answers[command]

    def fails_first(args: dict[str, Any]) -> Any:
        if args["id"] not in ("4", "7"):
            return well(args) if callable(well) else well
        if isinstance(answer, Exception):
            raise answer
        return answer

    server.answers[command] = fails_first

    first, second = run(server)

    assert (first["outcome"], second["outcome"]) == (outcome, "Linked")
    assert said in first["reason"]
    is_missing = answer == error_entry(MISSING)
    assert first["exists"] is (False if is_missing else None if command == "xsoar-mirror-diff" else True)


@pytest.mark.parametrize("command", ["xsoar-mirror-diff", "xsoar-mirror-resync"])
def test_behind_a_limit_of_calls_nothing_more_is_tried(server: Server, command: str) -> None:
    """
    Given: four pairs, and a remote that accepts no more calls in the middle of the second; and an incident without an ID.
    When: the script runs.
    Then: the first is linked, the second and those behind it are told as not tried, and the remote is not asked any more.
    """
    hold(server, *(incident(number, str(number)) for number in (1, 2, 3)), incident(4), incident(5, "5"))
    well = server.answers[command]
    server.answers[command] = lambda args: (well(args) if callable(well) else well) if args["id"] == "1" else error_entry(LIMITED)

    rows = run(server)

    assert outcomes(rows) == ["Linked", "Not tried", "Not tried", "Skipped", "Not tried"]
    assert {rows[place]["reason"] for place in (1, 2, 4)} == {script.NO_MORE_CALLS}
    assert [args["id"] for args in asked(server, "xsoar-mirror-diff")] == ["1", "2"]


def test_no_more_pairs_are_tried_than_the_limit(server: Server) -> None:
    """
    Given: an incident that is skipped and three pairs.
    When: the script runs with a limit of two.
    Then: two pairs are linked, the third is told as not tried; what is skipped does not count.
    """
    hold(server, incident(1), *(incident(number, str(number)) for number in (2, 3, 4)))

    rows = run(server, limit="2")

    assert outcomes(rows) == ["Skipped", "Linked", "Linked", "Not tried"]
    assert "The limit of 2 pairs is reached: run it again" in rows[-1]["reason"]


def test_a_run_ends_before_the_server_ends_it(server: Server) -> None:
    """
    Given: three pairs, each of which takes 100 seconds.
    When: the script runs.
    Then: the third is not tried any more, and not told as failed.
    """
    hold(server, *(incident(number, str(number)) for number in (1, 2, 3)))
    seconds = count(0, 100)

    rows = script.adopt(script.parse(ARGS), clock=lambda: next(seconds))

    assert [row.outcome for row in rows] == ["Linked", "Not tried", "Not tried"]
    assert "This run is out of time" in rows[-1].reason


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"query": ""}, "query is missing: give it"),
        ({"id_field": " "}, "id_field is missing: give it"),
        ({"instance": None}, "instance is missing: give it"),
        ({"direction": "both"}, "direction is both: give In"),
        ({"limit": "0"}, "limit is 0: give a whole number from 1 to 1000."),
        ({"limit": "many"}, "limit is many"),
        ({"dry_run": "perhaps"}, "dry_run is perhaps: give true or false."),
        ({"instance": "nobody"}, "There is no instance nobody of XSOAR Mirroring. The existing ones are: customer, old."),
        ({"instance": "desk"}, "There is no instance desk of XSOAR Mirroring"),
        ({"instance": "old"}, "The instance old is disabled: enable it"),
    ],
)
def test_a_wrong_argument_is_told_before_anything_is_done(server: Server, args: dict[str, Any], said: str) -> None:
    """
    Given: an argument that is missing or wrong.
    When: the script runs.
    Then: one sentence says what to give, and nothing is asked for.
    """
    hold(server, incident(7, "4"))

    assert error_of(server, **args).startswith(said)
    assert server.asked == []


@pytest.mark.parametrize("modules", [{}, None])
def test_a_server_that_does_not_list_its_instances_is_believed(server: Server, modules: Any) -> None:
    """
    Given: a server that lists no instances.
    When: the script runs.
    Then: the pair is linked.
    """
    server.instances = modules
    hold(server, incident(7, "4"))

    assert outcomes(run(server)) == ["Linked"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (error_entry("Cannot parse the query."), "Cannot parse the query."),
        (None, "The server returned no result for the query type:Phishing"),
        (entry("a text"), "The server returned no result"),
        (
            lambda args: entry({"data": [incident(args["page"] * 600 + number) for number in range(600)]}),
            "more than 1000 incidents",
        ),
    ],
)
def test_incidents_that_cannot_be_had_are_told(server: Server, answer: Any, said: str) -> None:
    """
    Given: a query that the server does not answer, or that finds too many.
    When: the script runs.
    Then: one sentence says so.
    """
    server.answers["getIncidents"] = answer

    assert said in error_of(server)


def test_a_server_without_pages_gives_each_incident_once(server: Server) -> None:
    """
    Given: a server that gives the same page whatever is asked for.
    When: the script runs.
    Then: it ends, and each incident is there once.
    """
    server.answers["getIncidents"] = lambda args: entry(
        {"data": None if "dbot" in args["query"] else [incident(7, "4"), incident(8, "5")], "total": 9}
    )

    assert [row["incident"] for row in run(server)] == ["7", "8"]


def test_a_query_that_finds_none_says_so(server: Server) -> None:
    """
    Given: no incident.
    When: the script runs.
    Then: the table says so.
    """
    hold(server)

    outcome = server.run_script(script.main, **ARGS)

    assert "the query finds none" in outcome.result["HumanReadable"]


def test_what_a_field_holds_is_shown_as_text(server: Server) -> None:
    """
    Given: an ID that is Markdown and HTML.
    When: it is shown.
    Then: it is text.
    """
    hold(server, incident(7, "![x](http://example.com/x.png)<b>"))

    shown = server.run_script(script.main, **ARGS).result["HumanReadable"]

    assert "![" not in shown
    assert "<b>" not in shown
