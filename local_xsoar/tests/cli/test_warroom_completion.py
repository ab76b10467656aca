"""What the War Room's prompt offers while one types."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from local_xsoar.cli.commands import commands_of
from local_xsoar.cli.completion import CommandCompleter, nearest, offers, words_of
from local_xsoar.host.integration import Command, read_integration

SAMPLES = Path(__file__).resolve().parents[1] / "host" / "test_data" / "Packs" / "Sample" / "Integrations"
COMMANDS = [f"console-{name}" for name in ("params", "table", "fail", "file", "context", "log", "crash", "wait", "choose")]


@pytest.fixture(scope="module")
def console() -> Mapping[str, Command]:
    return commands_of(read_integration(SAMPLES / "Console"), "here")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("", [*(f"!{name}" for name in COMMANDS), "!test-module", "help", "context", "log", "exit"]),
        ("!console-f", ["!console-fail", "!console-file"]),
        ("console-f", ["!console-fail", "!console-file"]),
        ("co", [*(f"!{name}" for name in COMMANDS), "context"]),
        ("help console-f", ["console-fail", "console-file"]),
        ("help !console-fa", ["console-fail"]),
        ("!help test", ["test-module"]),
        ("te", ["!test-module"]),
        ("!console-table ", ["value=", "colour=", "using=", "debug-mode="]),
        ("!console-table value=x using=here ", ["colour=", "debug-mode="]),
        ('!console-table value="x ', []),
        ('!console-table value="x y" c', ["colour="]),
        ('!console-table value="x \\" y" c', ["colour="]),
        ("!console-fail debug-mode=", ["debug-mode=true", "debug-mode=false"]),
        ("!console-table value=`x y` co", ["colour="]),
        ("!console-table colour=", ["colour=red", "colour=green"]),
        ("!console-table colour=g", ["colour=green"]),
        ("!console-choose value=", ['value="In Step"', "value=Behind", 'value="say \\"no\\""']),
        ('!console-choose value="In S', ['value="In Step"']),
        ("!console-fail ", ["using=", "debug-mode="]),
        ("!nothing ", []),
        ("log ", []),
    ],
)
def test_the_prompt_offers_what_may_come_next(console: Mapping[str, Command], typed: str, offered: list[str]) -> None:
    """
    Given: the beginning of a line.
    When: Tab is pressed.
    Then: commands, arguments not given yet, or predefined values are offered, and nothing within a quoted text.
    """
    assert [offer.text for offer in offers(console, typed)] == offered


@pytest.mark.parametrize(
    ("typed", "meta"),
    [
        ("!console-tab", "Shows a table."),
        ("!console-table val", "Required. What to show."),
        ("!console-table col", "Which colour."),
        ("!console-table colour=r", "default"),
        ("!console-table colour=g", ""),
        ("ex", "leave the prompt"),
    ],
)
def test_what_is_offered_says_what_it_is(console: Mapping[str, Command], typed: str, meta: str) -> None:
    """
    Given: the beginning of a line that can become one thing only.
    When: it is offered.
    Then: the description of the yml stands beside it.
    """
    assert [offer.meta for offer in offers(console, typed)] == [meta]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("!console-choose several=", ["several=red", 'several="dark blue"', "several=green"]),
        ("!console-choose several=red,", ['several="red,dark blue"', "several=red,green"]),
        ("!console-choose several=red,g", ["several=red,green"]),
        ('!console-choose several="dark blue,r', ['several="dark blue,red"']),
        ('!console-choose several="red, g', ["several=red,green"]),
        ("!console-choose several=red,green,dark", ['several="red,green,dark blue"']),
        ("!console-choose several=red,x", []),
        ("!console-table colour=red,", []),
        ("!console-choose categories=", ["categories=notes", "categories=chats"]),
        ("!console-choose categories=chats,", ["categories=chats,notes"]),
    ],
)
def test_of_a_list_each_item_is_completed(console: Mapping[str, Command], typed: str, offered: list[str]) -> None:
    """
    Given: an argument that takes a list, and one with the name of a parameter that has options.
    When: Tab is pressed at the beginning of the list and after a comma.
    Then: what is not in the list yet is offered, with the list before it.
    """
    assert [offer.text for offer in offers(console, typed, {"categories": ("notes", "chats")})] == offered


def test_an_instance_that_fetches_has_a_fetch_to_look_at() -> None:
    """
    Given: an instance of an integration that fetches, and one of an integration that does not.
    When: the end of a command's name is typed.
    Then: the fetch by hand is offered for the first only.
    """
    ledger, console = (commands_of(read_integration(SAMPLES / name), "here") for name in ("Ledger", "Console"))
    assert [offer.text for offer in offers(ledger, "here")] == ["!here-fetch"]
    assert offers(console, "here") == []


def test_a_completion_replaces_the_word_and_nothing_before_it(console: Mapping[str, Command]) -> None:
    """
    Given: a line whose last word is a value with a blank, in quotes.
    When: its completion is taken over.
    Then: the word stands there once, and what is before it is untouched.
    """
    typed = '!console-choose value="In St'
    (completion,) = CommandCompleter(console, {}).get_completions(Document(typed), CompleteEvent())
    assert typed[: len(typed) + completion.start_position] + completion.text == '!console-choose value="In Step"'


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", [""]),
        ("!a  b ", ["!a", "b", ""]),
        ('!a b="c d" e', ["!a", 'b="c d"', "e"]),
        ('!a b=c"d e', ["!a", 'b=c"d', "e"]),
        ('!a "c d', ["!a", '"c d']),
    ],
)
def test_words_of_a_line(typed: str, words: list[str]) -> None:
    """
    Given: a line with quotes.
    When: it is split.
    Then: a quote that opens a value holds its blanks together.
    """
    assert words_of(typed) == words


@pytest.mark.parametrize(("name", "meant"), [("console-tabel", "console-table"), ("whatever", "")])
def test_the_nearest_name(name: str, meant: str) -> None:
    """
    Given: a name that does not exist.
    When: the nearest is looked for.
    Then: it is found only if it is near.
    """
    assert nearest(name, COMMANDS) == meant
