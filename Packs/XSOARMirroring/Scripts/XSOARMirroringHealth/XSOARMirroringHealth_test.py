"""Tests of the widget, run as the server does: through `main`, with a server that lists its instances and answers for them."""

import runpy
from datetime import datetime, timedelta
from typing import Any

import pytest

import demistomock as demisto
import XSOARMirroringHealth as script
from stand_ins import NOW, Server, error_entry

WELL = {
    "Instance": "customer",
    "RemoteError": "",
    "LastRound": "2026-03-01T11:57:00.000Z",
    "LastFetch": "2026-03-01T11:56:00.000Z",
    "IncidentsTracked": 12,
    "IncidentsPending": 2,
    "IncidentsWithError": 0,
    "LagP95Seconds": 45,
    "LastError": "",
    "LastErrorCommand": "",
    "LastErrorTime": None,
}
COLORS = {"Healthy": "green", "Attention": "orange", "Down": "red"}


def instance(brand: str = "XSOAR Mirroring", state: str = "active") -> dict[str, str]:
    """Return an instance as the server lists it."""
    return {"brand": brand, "category": "Utilities", "state": state}


def answer(**changes: Any) -> list[dict[str, Any]]:
    """Return the entries of xsoar-mirror-status on a healthy instance, with some values as they are given."""
    return [{"Type": 1, "ContentsFormat": "json", "Contents": {**WELL, **changes}}]


@pytest.fixture
def server(server: Server) -> Server:
    """A server with one instance, which is healthy."""
    server.instances = {"customer": instance()}
    server.answers = {"customer": answer()}
    return server


def shown(server: Server) -> str:
    """Run the widget at NOW and return its text."""
    outcome = server.run_script(script.main)
    assert not outcome.error, outcome.error
    return outcome.result


def cells(text: str) -> list[list[str]]:
    """Return the cells of the table, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[0] == "|Instance|State|Last Round|Last Fetch|Pending|Lag|Errors|"
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def sentences(text: str) -> list[str]:
    """Return the sentences below the table."""
    return [line for line in text.splitlines() if line.startswith("- ")]


def assert_state(text: str, state: str) -> None:
    """Assert that the only instance shows a state in its color."""
    ((_, its_state, *_),) = cells(text)
    assert its_state == f"{{{{color:{COLORS[state]}}}}}({state})"


def test_a_healthy_mirror_is_green_and_needs_no_sentence(server: Server) -> None:
    """
    Given: an instance that mirrored in three minutes ago.
    When: the dashboard is opened.
    Then: it is green, with the ages, what is pending and no errors; the status was asked for on that instance.
    """
    text = shown(server)

    assert cells(text) == [["customer", "{{color:green}}(Healthy)", "3 min", "4 min", "2", "45 s", "0"]]
    assert sentences(text) == []
    assert server.asked == [("xsoar-mirror-status", {"using": "customer"})]


def test_it_runs_when_the_server_starts_it(server: Server) -> None:
    """
    Given: an instance.
    When: the server runs the file as its main program.
    Then: a text is the result, as a text widget takes it.
    """
    outcome = server.run_script(lambda: runpy.run_path(str(script.__file__), run_name="__main__"))

    assert isinstance(outcome.result, str)


@pytest.mark.parametrize(
    ("minutes", "state", "age"),
    [(10, "Healthy", "10 min"), (11, "Attention", "11 min"), (30, "Attention", "30 min"), (31, "Down", "31 min")],
)
def test_a_mirror_that_stands_still_is_not_green(server: Server, minutes: int, state: str, age: str) -> None:
    """
    Given: an instance whose remote answers, and which the server has not asked for changes for a while.
    When: the dashboard is opened.
    Then: after ten minutes it is orange and after thirty red, and a sentence says where to look.
    """
    server.answers["customer"] = answer(LastRound=(datetime.fromisoformat(NOW) - timedelta(minutes=minutes)).isoformat())

    text = shown(server)

    assert_state(text, state)
    assert cells(text)[0][2] == age
    assert [f"has not mirrored in for {age}" in sentence for sentence in sentences(text)] == (
        [] if state == "Healthy" else [True]
    )


@pytest.mark.parametrize(
    ("moment", "age"),
    [
        ("2026-03-01T10:01:00Z", "119 min"),
        ("2026-03-01T09:59:00Z", "2 h"),
        ("2026-02-27T12:01:00Z", "47 h"),
        ("2026-02-20T12:00:00Z", "9 d"),
    ],
)
def test_an_age_is_said_in_the_unit_that_fits(server: Server, moment: str, age: str) -> None:
    """
    Given: a last round of long ago.
    When: the dashboard is opened.
    Then: its age is in minutes, hours or days.
    """
    server.answers["customer"] = answer(LastRound=moment)

    assert cells(shown(server))[0][2] == age


def test_a_clock_that_is_behind_makes_no_negative_age(server: Server) -> None:
    """
    Given: an engine whose clock is ahead of the server's.
    When: the dashboard is opened.
    Then: the age is zero.
    """
    server.answers["customer"] = answer(LastRound="2026-03-01T12:00:30.000Z")

    assert cells(shown(server))[0][2] == "0 min"


@pytest.mark.parametrize(
    ("changes", "state", "said"),
    [
        ({"RemoteError": "hq.example.com cannot be reached."}, "Down", "hq.example.com cannot be reached."),
        ({"LastFetch": "2026-03-01T11:00:00.000Z"}, "Attention", "The last fetch was 60 min ago"),
        ({"LastRound": None}, "Attention", "has not mirrored in yet: unless the direction is Outgoing"),
        ({"LastRound": None, "LastFetch": None, "IncidentsTracked": 0}, "Attention", "It has not fetched yet"),
        ({"IncidentsWithError": 3}, "Attention", "Incidents with errors: 3."),
        (
            {
                "LastErrorTime": "2026-03-01T11:55:00.000Z",
                "LastErrorCommand": "get-remote-data",
                "LastError": "API rate limit: wait.",
            },
            "Attention",
            "get-remote-data failed 5 min ago: API rate limit: wait.",
        ),
    ],
    ids=["remote away", "no fetch", "no round yet", "nothing yet", "errors", "a failure"],
)
def test_what_is_not_well_is_said(server: Server, changes: dict[str, Any], state: str, said: str) -> None:
    """
    Given: an instance with one thing that is not as it should be.
    When: the dashboard is opened.
    Then: its state is not green, and one sentence names the instance and says what it is.
    """
    server.answers["customer"] = answer(**changes)

    text = shown(server)

    assert_state(text, state)
    (sentence,) = sentences(text)
    assert sentence.startswith("- **customer**: ")
    assert said in sentence


def test_fields_without_a_rule_are_told_and_leave_a_mirror_green(server: Server) -> None:
    """
    Given: an instance at work whose remote has custom fields that no mapper names.
    When: the dashboard is opened.
    Then: it is green, and one sentence says how many there are and what to run.
    """
    server.answers["customer"] = answer(FieldsWithoutRule=17)

    text = shown(server)

    assert_state(text, "Healthy")
    assert sentences(text) == ["- **customer**: Remote custom fields without a rule here: 17. Run xsoar-mirror-mappers."]


@pytest.mark.parametrize(
    "changes",
    [
        {"LastRound": None, "IncidentsTracked": 0},
        {"LastFetch": None},
        {"LastErrorTime": "2026-03-01T11:40:00.000Z", "LastErrorCommand": "fetch-incidents", "LastError": "away"},
        {"IncidentsPending": 40},
    ],
    ids=["fetches only", "mirrors only", "a failure that is over", "much is pending"],
)
def test_what_may_well_be_is_green(server: Server, changes: dict[str, Any]) -> None:
    """
    Given: an instance that only fetches, only mirrors, had a failure once, or is busy.
    When: the dashboard is opened.
    Then: it is green.
    """
    server.answers["customer"] = answer(**changes)

    assert_state(shown(server), "Healthy")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            error_entry("API Key is missing:\ngenerate one."),
            "API Key is missing: generate one.",
        ),
        (ValueError("Unsupported Command : xsoar-mirror-status"), "Unsupported Command"),
        ([], "returned no result"),
        (None, "returned no result"),
        ([{"Type": 1, "ContentsFormat": "text", "Contents": "something else"}], "returned no result"),
    ],
    ids=["error entry", "raised", "no entry", "nothing", "no status"],
)
def test_an_instance_that_does_not_answer_is_red(server: Server, given: Any, said: str) -> None:
    """
    Given: an enabled instance whose status fails in one of the ways in which commands fail, and one that is well.
    When: the dashboard is opened.
    Then: the first is red and comes first, a sentence of one line says why, and the other is shown as ever.
    """
    server.instances = {"alpha": instance(), "customer": instance()}
    server.answers = {"alpha": answer(), "customer": given}

    text = shown(server)

    assert [row[:2] for row in cells(text)] == [
        ["customer", "{{color:red}}(Down)"],
        ["alpha", "{{color:green}}(Healthy)"],
    ]
    (sentence,) = sentences(text)
    assert sentence.startswith("- **customer**: It does not answer: ")
    assert said in sentence


def test_disabled_instances_come_last_and_are_not_asked(server: Server) -> None:
    """
    Given: instances of this and another integration, one of them disabled.
    When: the dashboard is opened.
    Then: the disabled one stands last, without a color; the other integration's is neither shown nor asked.
    """
    server.instances = {"a former one": instance(state="disabled"), "customer": instance(), "desk": instance("Ticket Desk")}

    text = shown(server)

    assert [row[:2] for row in cells(text)] == [["customer", "{{color:green}}(Healthy)"], ["a former one", "Disabled"]]
    assert [args["using"] for _, args in server.asked] == ["customer"]


@pytest.mark.parametrize("modules", [{}, None, {"desk": instance("Ticket Desk")}])
def test_without_an_instance_it_says_so(server: Server, modules: Any) -> None:
    """
    Given: a server without an instance of this integration, or one that lists none.
    When: the dashboard is opened.
    Then: a sentence says what to do.
    """
    server.instances = modules

    assert shown(server) == "There is no instance of XSOAR Mirroring: add one on the integrations page."


def test_slow_instances_do_not_keep_the_widget_from_showing(server: Server) -> None:
    """
    Given: three instances of which each takes 90 seconds to say that its remote is away.
    When: they are asked.
    Then: the third is not asked any more, and not shown as well.
    """
    server.instances = {name: instance() for name in "abc"}
    server.answers = {name: answer(RemoteError="away") for name in "abc"}
    seconds = iter([0, 0, 90, 180])

    found = script.rows(server.instances, datetime.fromisoformat(NOW), clock=lambda: next(seconds))

    assert [(row.instance, row.state) for row in found] == [("a", "Down"), ("b", "Down"), ("c", "Attention")]
    assert [args["using"] for _, args in server.asked] == ["a", "b"]
    assert found[-1].sentences == ("It was not checked: other instances took too long to answer.",)


def test_what_an_answer_holds_is_shown_as_text(server: Server) -> None:
    """
    Given: an instance with a name, and a remote with an error, that hold Markdown and HTML.
    When: the dashboard is opened.
    Then: it is shown as it is, and breaks no table.
    """
    server.instances = {"a|b*": instance()}
    server.answers = {"a|b*": answer(RemoteError="![x](http://example.com/x.png) <b>away</b>")}

    text = shown(server)

    assert "![" not in text
    assert "<b>" not in text
    assert "| a\\|b\\* | {{color:red}}(Down) |" in text


def test_a_failure_of_the_widget_is_an_error_entry(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: a server that does not list its instances.
    When: the dashboard is opened.
    Then: the widget shows the error, not an empty table.
    """
    monkeypatch.setattr(demisto, "getModules", lambda: 1 / 0)

    assert server.run_script(script.main).error
