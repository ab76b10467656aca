"""What the War Room prompt completes: commands, their arguments, and the values an argument may have."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from local_xsoar.cli.commands import COMMON_ARGUMENTS
from local_xsoar.host.integration import Argument, Command

# Words of the prompt itself, with what they do.
PROMPT_WORDS: Mapping[str, str] = {
    "help": "list the commands; help <command> shows its arguments",
    "context": "show what the last command put into context",
    "log": "show the debug log of the last command",
    "exit": "leave the prompt",
}
# What else people type for them.
OTHER_WORDS: Mapping[str, str] = {"!help": "help", "?": "help", "quit": "exit"}


@dataclass(frozen=True)
class Offer:
    """What the last word typed may become, and what is told about it."""

    text: str
    meta: str = ""


def words_of(typed: str) -> list[str]:
    r"""Split a line that is being typed at the blanks between its arguments; the last item is the word under the cursor.

    Blanks within "..." (with \" and \\) or `...` that open a value belong to it, closed or not, as in `parse_command_line`.
    """
    words = [""]
    quote = ""
    position = 0
    while position < len(typed):
        character = typed[position]
        if quote:
            if quote == '"' and character == "\\":
                words[-1] += typed[position : position + 2]
                position += 2
                continue
            quote = "" if character == quote else quote
            words[-1] += character
        elif character.isspace():
            words.append("")
        else:
            if character in '"`' and (not words[-1] or words[-1].endswith("=")):
                quote = character
            words[-1] += character
        position += 1
    return [word for word in words[:-1] if word] + words[-1:]


def offers(known: Mapping[str, Command], typed: str, options: Mapping[str, Sequence[str]] = MappingProxyType({})) -> list[Offer]:
    """Return what the last word of `typed` may become: a command, an argument that is not given yet, or a predefined value.

    `known` are the commands that may be run, `options` the values of the instance's parameters that have some, both by name:
    an argument without predefined values takes those of the parameter of its name.
    """
    *before, last = words_of(typed)
    if not before:
        commands = [Offer(f"!{name}", _line(command.description)) for name, command in known.items()]
        words = [Offer(word, meta) for word, meta in PROMPT_WORDS.items()]
        return [
            offer for offer in commands + words if offer.text.startswith(last) or (last and offer.text.startswith(f"!{last}"))
        ]
    if [OTHER_WORDS.get(word, word) for word in before] == ["help"]:
        wanted = last.removeprefix("!")
        return [Offer(name, _line(command.description)) for name, command in known.items() if name.startswith(wanted)]
    command = known.get(before[0].removeprefix("!")) if before[0].startswith("!") else None
    return _argument_offers(command, before[1:], last, options) if command else []


def _argument_offers(command: Command, before: list[str], last: str, options: Mapping[str, Sequence[str]]) -> list[Offer]:
    name, equals, value = last.partition("=")
    if equals:
        return [
            Offer(f"{name}={_quoted(became)}", "default" if became == argument.default else "")
            for argument in (*command.arguments, *COMMON_ARGUMENTS)
            if argument.name == name
            for became in _values(argument, value.lstrip('"`'), options.get(name, ()))
        ]
    given = {word.partition("=")[0] for word in before}
    return [
        Offer(f"{argument.name}=", described(argument))
        for argument in (*command.arguments, *COMMON_ARGUMENTS)
        if argument.name not in given and argument.name.startswith(last)
    ]


def _values(argument: Argument, typed: str, options: Sequence[str]) -> list[str]:
    """Return what the value of an argument may become; of a list its last item, with those before it."""
    *before, last = [item.strip() for item in typed.split(",")] if argument.is_list else [typed]
    return [
        ",".join([*before, choice])
        for choice in argument.predefined or options
        if choice.startswith(last) and choice not in before
    ]


def described(argument: Argument) -> str:
    """Return what is to know about an argument, in one line."""
    return " ".join(part for part in ("Required." if argument.required else "", _line(argument.description)) if part)


def _line(text: str) -> str:
    return " ".join(text.split())


def _quoted(value: str) -> str:
    if value and not any(character.isspace() or character in '"`\\' for character in value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def nearest(name: str, names: Iterable[str]) -> str:
    """Return the name that was probably meant, "" if none is close."""
    found = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return found[0] if found else ""


class CommandCompleter(Completer):
    """Gives `offers` to the prompt."""

    def __init__(self, known: Mapping[str, Command], options: Mapping[str, Sequence[str]]) -> None:
        self._known = known
        self._options = options

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Yield what the word before the cursor may become."""
        typed = document.text_before_cursor
        start = -len(words_of(typed)[-1])
        for offer in offers(self._known, typed, self._options):
            yield Completion(offer.text, start_position=start, display_meta=offer.meta)
