"""Tests of the section with the custom fields, run as the server does: through `main`, with an incident."""

import runpy
from typing import Any

import pytest

import demistomock as demisto
import XSOARMirroringFields as script

TIMER = {"accumulatedPause": 0, "breachTriggered": False, "runStatus": "running", "sla": 30, "slaStatus": 0}


def run(monkeypatch: pytest.MonkeyPatch, incident: Any) -> dict[str, Any]:
    """Run the script in an incident and return its entry. It may call nothing."""
    given: list[Any] = []
    monkeypatch.setattr(demisto, "incident", lambda: incident)
    monkeypatch.setattr(demisto, "results", given.append)
    for name in ("executeCommand", "internalHttpRequest"):
        monkeypatch.setattr(demisto, name, lambda *_: pytest.fail("it asked for more than the incident"), raising=False)
    script.main()
    (entry,) = given
    assert (entry["Type"], entry["ContentsFormat"]) == (1, "markdown")
    return entry


def table(monkeypatch: pytest.MonkeyPatch, fields: Any) -> dict[str, str]:
    """Return the rows of the table for custom fields, by name."""
    text = run(monkeypatch, {"id": "12", "severity": 2, "CustomFields": fields})["Contents"]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[0] == "|Field|Value|"
    rows = [line.strip("| ").split(" | ", 1) for line in lines[2:]]
    return {row[0]: row[1] for row in rows}


def test_fields_with_a_value_are_shown_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: an incident with custom fields of several kinds.
    When: its layout is opened.
    Then: each that holds a value is there, by name, and a flag or a number that is zero is a value.
    """
    fields = {"sourceip": "203.0.113.7", "hosts": ["a", "b"], "isactive": False, "hits": 0, "rows": [{"port": 22, "name": "ü"}]}

    assert table(monkeypatch, fields) == {
        "hits": "0",
        "hosts": "a, b",
        "isactive": "false",
        "rows": '\\[{"port": 22, "name": "ü"}\\]',
        "sourceip": "203.0.113.7",
    }


def test_what_tells_nothing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: empty fields of each kind, a timer and the fields of the pack.
    When: the layout is opened.
    Then: only the one with a value is shown.
    """
    empty: dict[str, Any] = {"text": "", "list": [], "grid": [{}], "none": None, "object": {}, "date": "0001-01-01T00:00:00Z"}
    others = {"remediationsla": TIMER, "xsoarmirroringstate": "In Step", "depth": "3m"}

    assert table(monkeypatch, empty | others) == {"depth": "3m"}


@pytest.mark.parametrize("incident", [{}, {"CustomFields": None}, {"CustomFields": {"text": "", "sla": TIMER}}])
def test_without_a_value_it_says_so(monkeypatch: pytest.MonkeyPatch, incident: dict[str, Any]) -> None:
    """
    Given: an incident without custom fields, or without a value in them.
    When: the layout is opened.
    Then: a sentence stands where the table would.
    """
    assert run(monkeypatch, incident)["Contents"] == "No custom field holds a value."


def test_values_are_shown_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: a value of the other tenant that holds Markdown, HTML and line breaks, and a very long one.
    When: the layout is opened.
    Then: the first loads no picture and breaks no table, and the second is cut.
    """
    shown = table(monkeypatch, {"html": "![x](http://example.com/x.png)|<img src=x>\nend", "long": "y" * 10_000})

    assert "![" not in shown["html"]
    assert "<img" not in shown["html"]
    assert shown["html"].endswith("<br>end")
    assert shown["long"] == "y" * 499 + "…"


def test_it_runs_when_the_server_starts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: an incident.
    When: the server runs the file as its main program.
    Then: one entry is the result.
    """
    given: list[Any] = []
    monkeypatch.setattr(demisto, "incident", lambda: {"CustomFields": {"depth": "3m"}})
    monkeypatch.setattr(demisto, "results", given.append)

    runpy.run_path(str(script.__file__), run_name="__main__")

    assert "depth" in given[0]["Contents"]


def test_without_an_incident_it_is_an_error_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: a place without an incident.
    When: the script runs.
    Then: an error entry says so.
    """
    given: list[Any] = []
    monkeypatch.setattr(demisto, "incident", lambda: None)
    monkeypatch.setattr(demisto, "results", given.append)

    with pytest.raises(SystemExit):
        script.main()

    assert given[0]["Type"] == 4
