"""What one types in the War Room is read into a command and its arguments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_xsoar.host import HostError, parse_command_line


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("!help", ("help", {})),
        ("  !xsoar-get-incident   id=4  ", ("xsoar-get-incident", {"id": "4"})),
        (
            '!search query="-status:closed -category:job" max_results=5',
            ("search", {"query": "-status:closed -category:job", "max_results": "5"}),
        ),
        (r'!search query="name:\"a b\" c:\\d"', ("search", {"query": r'name:"a b" c:\d'})),
        (r'!search path="C:\new"', ("search", {"path": r"C:\new"})),
        ('!say text=`say "hi" a=b`', ("say", {"text": 'say "hi" a=b'})),
        ("!say text=`two\nlines`", ("say", {"text": "two\nlines"})),
        ('!say ""', ("say", {"": ""})),
        ("!say hello", ("say", {"": "hello"})),
        ('!say "hello there" size=3', ("say", {"": "hello there", "size": "3"})),
        ("!say text=a=b", ("say", {"text": "a=b"})),
        ("!say text=", ("say", {"text": ""})),
        ("!say text=grüße", ("say", {"text": "grüße"})),
    ],
)
def test_a_line_is_read_into_its_command_and_arguments(line: str, expected: tuple[str, dict[str, str]]) -> None:
    """
    Given: a line with bare, quoted or backticked values.
    When: it is read.
    Then: each value is what was meant, quotes and escapes taken away.
    """
    assert parse_command_line(line) == expected


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "begins with an exclamation mark"),
        ("search query=a", "begins with an exclamation mark"),
        ("! search", "begins with an exclamation mark"),
        ("!se;arch", "letters, digits and dashes"),
        ('!search query="open', "quote before the value of query is not closed"),
        ("!search query=`open", "backtick before the value of query is not closed"),
        ('!search "open', "quote before the value of an argument is not closed"),
        ("!search id=1 id=2", "id is given twice"),
        ("!search one two", "without a name is given twice"),
    ],
)
def test_a_line_that_cannot_be_read_says_what_is_wrong(line: str, said: str) -> None:
    """
    Given: a line that is no command, or whose quotes are not closed.
    When: it is read.
    Then: one sentence says what is wrong.
    """
    with pytest.raises(HostError, match=said):
        parse_command_line(line)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text(), max_size=4))
def test_whatever_is_quoted_comes_back(arguments: dict[str, str]) -> None:
    """
    Given: any arguments, written in double quotes with quotes and backslashes escaped.
    When: the line is read.
    Then: the arguments come back as they were.
    """
    quoted = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in arguments.items()}
    line = "!say " + " ".join(f'{name}="{value}"' for name, value in quoted.items())
    assert parse_command_line(line) == ("say", arguments)


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    """
    Given: any text after a command's name.
    When: it is read.
    Then: it is read, or refused in a sentence.
    """
    try:
        name, _arguments = parse_command_line(f"!say {text}")
    except HostError as error:
        assert str(error).endswith((".", "example !help."))
    else:
        assert name == "say"
