"""Reads what one types in the War Room: !command name=value name="a value" name=`a "quoted" value`."""

import re

from local_xsoar.host.errors import HostError

_NAME = re.compile(r"[A-Za-z0-9_.\-]+")
_ARGUMENT_NAME = re.compile(r"([A-Za-z0-9_.\-]+)=")
_BARE = re.compile(r"\S*")


def parse_command_line(text: str) -> tuple[str, dict[str, str]]:
    r"""Return the command's name and its arguments by name.

    A value may stand bare (up to the next space), in double quotes (with \" and \\ for themselves) or in backticks
    (nothing is special inside). A value without a name is returned under the name "": the command's default argument.

    Raises:
        HostError: there is no command, a quote is not closed, or an argument is given twice.
    """
    text = text.strip()
    name = _NAME.match(text, 1)
    if not text.startswith("!") or name is None:
        raise HostError("A command begins with an exclamation mark and its name, for example !help.")
    if name.end() < len(text) and not text[name.end()].isspace():
        raise HostError(f"{text.split()[0]} is not a command name: it may contain only letters, digits and dashes.")
    arguments: dict[str, str] = {}
    position = name.end()
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        argument, value, position = _argument(text, position)
        if argument in arguments:
            known = f"The argument {argument}" if argument else "An argument without a name"
            raise HostError(f"{known} is given twice: give it once, and quote a value that contains spaces.")
        arguments[argument] = value
    return name.group(), arguments


def _argument(text: str, position: int) -> tuple[str, str, int]:
    """Return the name ("" when there is none), the value, and where the text goes on."""
    match = _ARGUMENT_NAME.match(text, position)
    name = match.group(1) if match else ""
    start = match.end() if match else position
    opening = text[start : start + 1]
    if opening == "`":
        end = text.find("`", start + 1)
        if end < 0:
            raise HostError(f"The backtick before the value of {name or 'an argument'} is not closed: add one at the end.")
        return name, text[start + 1 : end], end + 1
    if opening == '"':
        value, end = _double_quoted(text, start, name)
        return name, value, end
    bare = _BARE.match(text, start)
    value = bare.group() if bare else ""
    return name, value, start + len(value)


def _double_quoted(text: str, start: int, name: str) -> tuple[str, int]:
    value: list[str] = []
    position = start + 1
    while position < len(text):
        character = text[position]
        if character == "\\" and text[position + 1 : position + 2] in ('"', "\\"):
            value.append(text[position + 1])
            position += 2
        elif character == '"':
            return "".join(value), position + 1
        else:
            value.append(character)
            position += 1
    raise HostError(f"The quote before the value of {name or 'an argument'} is not closed: add one at the end.")
