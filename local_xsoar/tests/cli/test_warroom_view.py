"""How the terminal War Room shows entries, saves files and takes the key out of a log."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from local_xsoar.cli.entry_view import EntryMarkdown, context_of, harmless, save_file, short_error, without_key

WIDE = "### Found\n|id|name|note|\n|---|---|---|\n| 1 | " + "abcdefghij" * 6 + " | first<br>second |\n"


def shown(markdown: str, width: int) -> list[str]:
    """Return the lines of a terminal of that width."""
    written = io.StringIO()
    Console(file=written, width=width).print(EntryMarkdown(markdown))
    return [line.rstrip() for line in written.getvalue().splitlines()]


@pytest.mark.parametrize("width", [30, 50, 120])
def test_a_wide_table_loses_nothing_in_a_narrow_terminal(width: int) -> None:
    """
    Given: a table with a word wider than the terminal.
    When: it is shown.
    Then: no line is wider than the terminal, and every letter is there.
    """
    lines = shown(WIDE, width)
    assert max(len(line) for line in lines) <= width
    assert "".join(lines).count("abcdefghij") >= 1
    letters = [letter for line in lines[3:] for letter in line if letter in "abghij"]
    assert letters.count("j") == 6
    assert "…" not in "".join(lines)


def test_a_table_of_many_columns_is_shown_row_by_row() -> None:
    """
    Given: a table of twelve columns, some cells blank, and a terminal for five.
    When: it is shown.
    Then: each row is a list of names and values, without the blank ones.
    """
    names = [f"column{number}" for number in range(12)]
    rows = [[f"{row}-{number}" if number % 2 else "" for number in range(12)] for row in ("a", "b")]
    markdown = "\n".join(f"|{'|'.join(cells)}|" for cells in (names, ["---"] * 12, *rows))
    lines = shown(markdown, 50)
    assert [line.split() for line in lines if "-" in line] == [
        [f"column{number}", f"{row}-{number}"] for row in ("a", "b") for number in (1, 3, 5, 7, 9, 11)
    ]


def test_a_line_break_in_a_cell_and_between_lines() -> None:
    """
    Given: a cell with <br>, a text of two lines, and a tag.
    When: they are shown.
    Then: the lines stay lines, and the tag is text.
    """
    assert [line.split()[-1] for line in shown(WIDE, 120) if line.strip()][-2:] == ["first", "second"]
    assert shown("nora wrote:\n<b>hello</b>", 40) == ["nora wrote:", "<b>hello</b>"]


def test_nothing_is_obeyed() -> None:
    """
    Given: a text with an escape sequence, a bell and a change of writing direction.
    When: it is made harmless.
    Then: what a terminal would obey is gone; tabs and line ends stay.
    """
    assert harmless("a\x1b[31mb\x07c\u202ed\x9b5n\te\nf") == "a[31mbcd5n\te\nf"


def test_context_is_nested_by_its_paths() -> None:
    """
    Given: entries with conditions in their paths, and two with one path.
    When: their context is shown.
    Then: it is nested, without conditions, and what shares a path is a list.
    """
    entries: list[dict[str, Any]] = [
        {"EntryContext": {"A.B(val.id && val.id == obj.id)": {"id": "1"}, "A.C": [1]}},
        {"EntryContext": None},
        {"EntryContext": {"A.B(val.id && val.id == obj.id)": {"id": "2"}, "A.C": [2], "D": "x"}},
    ]
    assert context_of(entries) == {"A": {"B": [{"id": "1"}, {"id": "2"}], "C": [1, 2]}, "D": "x"}


def test_the_key_is_taken_out_in_every_spelling() -> None:
    """
    Given: a key with a quote, a backslash, a blank and a letter beyond ASCII.
    When: it is taken out of a text that holds it as it is, as JSON, as Python and in an address.
    Then: no spelling is left; and without a key the text stays.
    """
    key = 'a"b\\c dé'
    text = f'{key} "a\\"b\\\\c dé" "a\\"b\\\\c d\\u00e9" {key!r} ?k=a%22b%5Cc%20d%C3%A9'
    assert without_key(text, key) == '<API key> "<API key>" "<API key>" \'<API key>\' ?k=<API key>'
    assert without_key("text", "") == "text"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("Not today", "Not today"),
        ("", ""),
        (
            'Traceback (most recent call last):\n  File "x"\nValueError: no\n',
            "The script failed with ValueError: no (the debug log says where).",
        ),
    ],
)
def test_a_stack_trace_is_one_sentence(error: str, said: str) -> None:
    """
    Given: an error.
    When: it is shown.
    Then: of a stack trace only the last line is left.
    """
    assert short_error(error) == said


def test_an_entry_without_a_file_saves_none(tmp_path: Path) -> None:
    """
    Given: an entry without a file.
    When: its file is saved.
    Then: nothing is written, not even the folder.
    """
    assert save_file({"Type": 1}, tmp_path / "new") == ""
    assert list(tmp_path.iterdir()) == []
