"""Tests of the section with the custom fields, run as the server does: through `main`, with an incident."""

import runpy
from typing import Any

import pytest

import XSOARMirroringFields as script
from stand_ins import Server

TIMER = {"accumulatedPause": 0, "breachTriggered": False, "runStatus": "running", "sla": 30, "slaStatus": 0}


def shown(server: Server, incident: dict[str, Any]) -> str:
    """Run the script in an incident and return the text of its entry. It may run nothing."""
    server.incident = incident
    entry = server.run_script(script.main).result
    assert (entry["Type"], entry["ContentsFormat"]) == (1, "markdown")
    assert server.asked == []
    return entry["Contents"]


def table(server: Server, fields: Any) -> dict[str, str]:
    """Return the rows of the table for custom fields, by name."""
    text = shown(server, {"id": "12", "severity": 2, "CustomFields": fields})
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[0] == "|Field|Value|"
    rows = [line.strip("| ").split(" | ", 1) for line in lines[2:]]
    return {row[0]: row[1] for row in rows}


def test_fields_with_a_value_are_shown_by_name(server: Server) -> None:
    """
    Given: an incident with custom fields of several kinds.
    When: its layout is opened.
    Then: each that holds a value is there, by name, and a flag or a number that is zero is a value.
    """
    fields = {"sourceip": "203.0.113.7", "hosts": ["a", "b"], "isactive": False, "hits": 0, "rows": [{"port": 22, "name": "ü"}]}

    assert table(server, fields) == {
        "hits": "0",
        "hosts": "a, b",
        "isactive": "false",
        "rows": '\\[{"port": 22, "name": "ü"}\\]',
        "sourceip": "203.0.113.7",
    }


def test_what_tells_nothing_is_left_out(server: Server) -> None:
    """
    Given: empty fields of each kind, a timer and the fields of the pack.
    When: the layout is opened.
    Then: only the one with a value is shown.
    """
    empty: dict[str, Any] = {"text": "", "list": [], "grid": [{}], "none": None, "object": {}, "date": "0001-01-01T00:00:00Z"}
    others = {"remediationsla": TIMER, "xsoarmirroringstate": "In Step", "depth": "3m"}

    assert table(server, empty | others) == {"depth": "3m"}


@pytest.mark.parametrize("incident", [{}, {"CustomFields": None}, {"CustomFields": {"text": "", "sla": TIMER}}])
def test_without_a_value_it_says_so(server: Server, incident: dict[str, Any]) -> None:
    """
    Given: an incident without custom fields, or without a value in them.
    When: the layout is opened.
    Then: a sentence stands where the table would.
    """
    assert shown(server, incident) == "No custom field has a value."


def test_values_are_shown_as_text(server: Server) -> None:
    """
    Given: a value of the other tenant that holds Markdown, HTML and line breaks, and a very long one.
    When: the layout is opened.
    Then: the first loads no picture and breaks no table, and the second is cut.
    """
    cells = table(server, {"html": "![x](http://example.com/x.png)|<img src=x>\nend", "long": "y" * 10_000})

    assert "![" not in cells["html"]
    assert "<img" not in cells["html"]
    assert cells["html"].endswith("<br>end")
    assert cells["long"] == "y" * 499 + "…"


def test_it_runs_when_the_server_starts_it(server: Server) -> None:
    """
    Given: an incident.
    When: the server runs the file as its main program.
    Then: one entry is the result.
    """
    server.incident = {"CustomFields": {"depth": "3m"}}

    outcome = server.run_script(lambda: runpy.run_path(str(script.__file__), run_name="__main__"))

    assert "depth" in outcome.result["Contents"]


def test_without_an_incident_it_is_an_error_entry(server: Server) -> None:
    """
    Given: a place without an incident.
    When: the script runs.
    Then: an error entry says so.
    """
    assert server.run_script(script.main).error
