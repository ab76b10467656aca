"""tableToMarkdown and the small functions around it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import CommonServerPython as common
import pytest

MISSING_HEADERS = "Missing headers param for tableToMarkdown. Example: headers=['Some Header']"
NO_ENTRIES = "### T\n**No entries.**\n"


def table(*lines: str, title: str = "### T\n") -> str:
    """Return the lines as the text of a table under the title."""
    return title + "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"a": 1}], table("|a|", "|---|", "| 1 |")),
        ([{"b": 1, "a": "x"}, {"a": "y"}], table("|a|b|", "|---|---|", "| x | 1 |", "| y |  |")),
        ({"b": 1, "a": "x"}, table("|a|b|", "|---|---|", "| x | 1 |")),
        ([{"a": 1}, {"b": 2}], table("|a|", "|---|", "| 1 |", "|  |")),
        ([], NO_ENTRIES),
        ({}, NO_ENTRIES),
        (None, NO_ENTRIES),
        ("", NO_ENTRIES),
        ([{}], NO_ENTRIES),
        ([{}, {"a": 1}], NO_ENTRIES),
    ],
)
def test_rows_become_a_table(rows: Any, expected: str) -> None:
    """
    Given: a dict or a list of dicts.
    When: a table is made without headers.
    Then: its columns are the keys of the first row, sorted, and a missing key is a blank cell; nothing is 'No entries.'.
    """
    assert common.tableToMarkdown("T", rows) == expected


@pytest.mark.parametrize(
    ("name", "title"),
    [("T", "### T\n"), ("a|b *c*", "### a|b *c*\n"), ("", ""), (None, "")],
    ids=["name", "no escape", "empty", "none"],
)
def test_the_title_is_as_given(name: Any, title: str) -> None:
    """
    Given: a title, or none.
    When: a table is made.
    Then: the title stands above it as it is, or nothing does.
    """
    assert common.tableToMarkdown(name, [{"a": 1}]) == table("|a|", "|---|", "| 1 |", title=title)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["b", "a"], table("|b|a|", "|---|---|", "| 1 | x |")),
        (("b", "a"), table("|b|a|", "|---|---|", "| 1 | x |")),
        ("a", table("|a|", "|---|", "| x |")),
        (["nope", "a"], table("|nope|a|", "|---|---|", "|  | x |")),
        (["a", "a"], table("|a|a|", "|---|---|", "| x | x |")),
        ([], table("|a|b|", "|---|---|", "| x | 1 |")),
        ("", table("|a|b|", "|---|---|", "| x | 1 |")),
        (None, table("|a|b|", "|---|---|", "| x | 1 |")),
    ],
    ids=str,
)
def test_headers_choose_the_columns(headers: Any, expected: str) -> None:
    """
    Given: headers.
    When: a table is made.
    Then: it has those columns in that order; empty headers count as none.
    """
    assert common.tableToMarkdown("T", [{"b": 1, "a": "x"}], headers=headers) == expected


@pytest.mark.parametrize(
    ("transform", "header", "shown"),
    [
        (None, "a|b`c*", "a\\|b\\`c*"),
        (str.upper, "a|b", "A|B"),
        (common.pascalToSpace, "threatScore", "Threat Score"),
        (common.string_to_table_header, "remote_id", "Remote Id"),
    ],
    ids=["none", "upper", "pascal", "table header"],
)
def test_headers_may_be_transformed(transform: Callable[[str], str] | None, header: str, shown: str) -> None:
    """
    Given: a transformation of headers, or none.
    When: a table is made.
    Then: the headers are transformed and not escaped, or escaped.
    """
    made = common.tableToMarkdown("T", [{header: 1, "z": 2}], headers=[header], headerTransform=transform)
    assert made == table(f"|{shown}|", "|---|", "| 1 |")


@pytest.mark.parametrize(
    ("rows", "headers", "expected"),
    [
        ([{"a": 1, "b": None}, {"a": None, "b": ""}], None, table("|a|", "|---|", "| 1 |", "|  |")),
        ([{"a": 0, "b": False, "c": [], "d": {}}], None, table("|a|b|", "|---|---|", "| 0 | false |")),
        ([{"a": 1}], ["a", "nope"], table("|a|", "|---|", "| 1 |")),
        ([{"a": 1}], ["nope"], NO_ENTRIES),
        ([{"a": None}], None, NO_ENTRIES),
    ],
)
def test_columns_without_values_may_be_removed(rows: Any, headers: Any, expected: str) -> None:
    """
    Given: columns where no row has a value.
    When: a table is made with removeNull.
    Then: they are gone, while 0 and False are values; when none is left there is 'No entries.'.
    """
    assert common.tableToMarkdown("T", rows, headers=headers, removeNull=True) == expected


def test_removing_columns_leaves_the_caller_s_headers() -> None:
    """
    Given: a list of headers.
    When: a table is made that removes one.
    Then: the list has it still, and a tuple of headers, which cannot lose one, is refused.
    """
    headers = ["a", "nope"]
    common.tableToMarkdown("T", [{"a": 1}], headers=headers, removeNull=True)
    assert headers == ["a", "nope"]
    with pytest.raises(AttributeError):
        common.tableToMarkdown("T", [{"a": 1}], headers=("a", "nope"), removeNull=True)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ({"only": [1, 2]}, table("|only|", "|---|", "| 1 |", "| 2 |")),
        ({"only": 1}, table("|only|", "|---|", "| 1 |")),
        ({"only": None}, table("|only|", "|---|", "|  |")),
        ({"only": {"x": 1}}, table("|only|", "|---|", "|  |")),
        ({"only": [{"x": 1}, {"x": 2}]}, table("|only|", "|---|", "|  |", "|  |")),
        ({"only": (1, 2)}, table("|only|", "|---|", "| [1, 2] |")),
    ],
    ids=str,
)
def test_a_dict_with_one_key_becomes_a_column(rows: Any, expected: str) -> None:
    """
    Given: a dict with a single key and no headers.
    When: a table is made.
    Then: it is a column of that key's values; dicts among them are rows of their own that lack the key.
    """
    assert common.tableToMarkdown("T", rows) == expected


def test_a_dict_with_one_empty_list_fails() -> None:
    """
    Given: a dict whose only value is an empty list.
    When: a table is made.
    Then: IndexError comes.
    """
    with pytest.raises(IndexError):
        common.tableToMarkdown("T", {"only": []})


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["x", "y"], table("|h|", "|---|", "| x |", "| y |")),
        ([1, None], table("|h|", "|---|", "| 1 |", "|  |")),
        (({"a": 1},), table("|h|", "|---|", '| [{"a": 1}] |')),
        ("text", table("|h|", "|---|", "| text |")),
    ],
    ids=str,
)
def test_plain_values_stand_under_the_first_header(rows: Any, expected: str) -> None:
    """
    Given: values that are no dicts, or a tuple, which is one value.
    When: a table is made with a header.
    Then: they stand under it.
    """
    assert common.tableToMarkdown("T", rows, headers=["h"]) == expected


@pytest.mark.parametrize("rows", [["x"], [1], [None], ({"a": 1},), "text"], ids=str)
def test_plain_values_need_a_header(rows: Any) -> None:
    """
    Given: values that are no dicts.
    When: a table is made without headers.
    Then: the platform's error says so.
    """
    with pytest.raises(Exception) as caught:
        common.tableToMarkdown("T", rows)
    assert str(caught.value) == MISSING_HEADERS


@pytest.mark.parametrize(
    ("rows", "error"),
    [([{"a": 1}, "x"], AttributeError), ([{1: 2, 3: 4}], AttributeError), (5, TypeError), (iter([{"a": 1}]), TypeError)],
    ids=["late text", "number as header", "number", "generator"],
)
def test_what_is_no_table_fails(rows: Any, error: type[Exception]) -> None:
    """
    Given: something that is no list of rows.
    When: a table is made.
    Then: it fails.
    """
    with pytest.raises(error):
        common.tableToMarkdown("T", rows)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("text", "text"),
        ("", ""),
        (None, ""),
        (0, "0"),
        (1.5, "1.5"),
        (True, "true"),
        ([], ""),
        ({}, ""),
        (["a", "b"], "a,<br>b"),
        ([1, None, {"k": "v"}, True], "1,<br>None,<br>{'k': 'v'},<br>True"),
        ((1, 2), "[1, 2]"),
        (datetime(2020, 1, 1), '"2020-01-01 00:00:00"'),
        ({"k": "v", "n": None}, "k: v<br>n: null"),
        ({"d": {"x": 1}, "l": ["a", 1], "t": True}, 'd: {"x": 1}<br>l: a,<br>1<br>t: true'),
        ("a|b`c", "a\\|b\\`c"),
        ("one\ntwo\r\nthree\rfour", "one<br>two<br>three<br>four"),
        ("*_<>[x](y)é", "*_<>[x](y)é"),
        ({"é": "ö"}, "é: ö"),
        ({"d": {"k": "ö|"}}, 'd: {"k": "ö\\|"}'),
    ],
    ids=repr,
)
def test_how_a_cell_shows_a_value(value: Any, cell: str) -> None:
    """
    Given: a value of any kind.
    When: it stands in a table.
    Then: the cell shows it on one line, where only what breaks the table is escaped.
    """
    assert common.tableToMarkdown("T", [{"h": value, "z": 1}], headers=["h"]) == table("|h|", "|---|", f"| {cell} |")


def test_bytes_cannot_be_shown() -> None:
    """
    Given: bytes in a row.
    When: a table is made.
    Then: TypeError comes.
    """
    with pytest.raises(TypeError):
        common.tableToMarkdown("T", [{"h": b"x", "z": 1}])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "\\\\\\`\\*\\_\\{\\}\\[\\]\\(\\)\\#\\+\\-\\!\\|.<é\n"),
        ({"minimal_escaping": True}, "\\\\`*_{}[]()#+-!\\|.<é\n"),
        ({"escape_multiline": True}, "\\\\\\`\\*\\_\\{\\}\\[\\]\\(\\)\\#\\+\\-\\!\\|.<é<br>"),
        ({"minimal_escaping": True, "escape_multiline": True}, "\\\\`*_{}[]()#+-!\\|.<é<br>"),
    ],
    ids=str,
)
def test_markdown_is_escaped(arguments: dict[str, bool], expected: str) -> None:
    """
    Given: a text with all of markdown's characters.
    When: it is escaped, fully or only for a table, with or without line breaks.
    Then: each such character has a backslash, and a break is <br> when asked.
    """
    assert common.stringEscapeMD("\\`*_{}[]()#+-!|.<é\n", **arguments) == expected


@pytest.mark.parametrize(
    ("text", "spaced"),
    [
        ("threatScore", "Threat Score"),
        ("ThreatScore", "Threat Score"),
        ("dbotMirrorId", "Dbot Mirror Id"),
        ("incidentID", "Incident ID"),
        ("HTTPServer", "HTTP Server"),
        ("ID", "ID"),
        ("two words", "Two Words"),
        ("snake_case", "Snake _ Case"),
        ("", ""),
        (None, None),
        (5, 5),
    ],
)
def test_pascal_case_gets_spaces(text: Any, spaced: Any) -> None:
    """
    Given: a name in pascal or camel case.
    When: it gets spaces.
    Then: its words begin with capitals and those in capitals stay; what is no text stays as it is.
    """
    assert common.pascalToSpace(text) == spaced


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("a_b", "A B"),
        ("remote_id", "Remote Id"),
        ("two words", "Two Words"),
        ("threatScore", "Threatscore"),
        ("ID", "Id"),
        ("a__b", "A B"),
        ("_a_", "A"),
        ("a-b", "A-b"),
        ("", ""),
    ],
)
def test_a_name_becomes_a_table_header(text: str, header: str) -> None:
    """
    Given: a name in snake case.
    When: it becomes a table header.
    Then: its words begin with capitals and go on in small letters.
    """
    assert common.string_to_table_header(text) == header


def test_only_text_becomes_a_table_header() -> None:
    """
    Given: a key that is no text.
    When: it is to become a table header.
    Then: the platform's error names it.
    """
    key: Any = 5
    with pytest.raises(Exception, match=r"^The key is not a string: 5$"):
        common.string_to_table_header(key)
