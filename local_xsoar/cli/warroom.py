"""A War Room for one integration instance: runs the pack's commands against any tenant, real or local."""

import argparse
import contextlib
import getpass
import json
import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from local_xsoar.cli.arguments import OneSentenceParser
from local_xsoar.host import CommandRun, Host, HostError, parse_command_line
from local_xsoar.host.entries import ERROR, file_name, is_file, readable, without_controls
from local_xsoar.host.integration import Integration, param_from_text, read_integration
from local_xsoar.tenant import Tenant, TenantSettings

PACK_INTEGRATION = Path(__file__).resolve().parents[2] / "Packs" / "XSOARMirroring" / "Integrations" / "XSOARMirroring"
KEY_VARIABLE = "XSOAR_API_KEY"
INSTANCE = "warroom"
OK, FAILED, BAD_USAGE = 0, 1, 2


def main(arguments: list[str], integration: Path = PACK_INTEGRATION) -> int:
    """Run one command, or a prompt for many, and return the exit status: 0, 1 when the command failed, 2 on bad usage."""
    try:
        options = _options(arguments)
        described = read_integration(integration)
        params = _params(described, options)
        with _host(described, params) as host:
            if options.command is not None:
                return _run_line(host, described, options.command, as_json=options.json)
            return _prompt(host, described)
    except SystemExit as ended:  # the parser's, which has said what is to be said
        return int(ended.code or OK)
    except (HostError, OSError) as error:
        print(error, file=sys.stderr)
        return BAD_USAGE
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return FAILED


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = OneSentenceParser(
        prog="local_xsoar warroom",
        description="Run the commands of XSOAR Mirroring against a tenant.",
        epilog=f"The API key is read from the environment variable {KEY_VARIABLE}, or asked for.",
        allow_abbrev=False,
    )
    parser.add_argument("--url", required=True, help="address of the tenant's API")
    parser.add_argument("--key-id", default="", help="id of the API key, for 8.x")
    parser.add_argument("--advanced", action="store_true", help="the key is an advanced one")
    parser.add_argument("--insecure", action="store_true", help="trust any certificate")
    parser.add_argument(
        "--pack-params", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="further parameters of the instance"
    )
    parser.add_argument("--command", help="run this command and end, for example '!xsoar-get-incident id=4'")
    parser.add_argument("--json", action="store_true", help="with --command: print the entries as JSON")
    options = parser.parse_args(arguments)
    if options.json and options.command is None:
        raise HostError("The option --json goes with --command only: give the command to run.")
    return options


def _params(integration: Integration, options: argparse.Namespace) -> dict[str, Any]:
    """Return the instance's parameters: those of the options, and those given by name."""
    params: dict[str, Any] = {"url": options.url, "insecure": options.insecure, "advanced_api_key": options.advanced}
    for text in options.pack_params:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise HostError(f"A parameter is given as name=value, not as {text}.")
        if name not in integration.parameters:
            known = ", ".join(sorted(integration.parameters))
            raise HostError(f"{integration.display} has no parameter {name}: it has {known}.")
        params[name] = param_from_text(integration.parameters[name], value)
    params["credentials_api_key"] = {"identifier": options.key_id, "password": _api_key()}
    return params


def _api_key() -> str:
    key = os.environ.get(KEY_VARIABLE, "")
    if not key and sys.stdin.isatty():
        with contextlib.suppress(EOFError):
            key = getpass.getpass("API key: ")
    if not key:
        raise HostError(f"An API key is needed: set the environment variable {KEY_VARIABLE}.")
    return key


@contextlib.contextmanager
def _host(integration: Integration, params: Mapping[str, Any]) -> Iterator[Host]:
    """Open a host on a tenant that is thrown away afterwards."""
    with tempfile.TemporaryDirectory(prefix="xsoar-warroom-") as folder:
        tenant = Tenant(TenantSettings(name=INSTANCE, folder=Path(folder) / "tenant", api_key=secrets.token_hex(16)))
        with contextlib.closing(tenant), Host(tenant, Path(folder) / "host") as host:
            host.add_instance(INSTANCE, integration.folder, dict(params))
            yield host


def _run_line(host: Host, integration: Integration, line: str, *, as_json: bool = False) -> int:
    """Run a command line, show its entries and return the exit status."""
    name, args = parse_command_line(line)
    run = host.run(INSTANCE, name, args)
    saved = [_saved(entry) for entry in run.entries]
    if as_json:
        _print_json(run, saved)
    else:
        for entry, name_of_file in zip(run.entries, saved, strict=True):
            _show(entry, name_of_file)
    return OK if run.ok else FAILED


def _saved(entry: Mapping[str, Any]) -> str:
    """Save the file of an entry into the current folder and return the name it has there, "" when there is none."""
    if not entry.get("FilePath"):
        return ""
    wanted = Path(file_name(entry.get("File")).lstrip(".") or "file")
    stem, suffix = wanted.stem[:100], wanted.suffix[:20]
    number = 0
    while True:
        name = f"{stem}{f' ({number})' if number else ''}{suffix}"
        try:
            # Never over a file that is there, and never through a link.
            with Path(name).open("xb") as target, Path(entry["FilePath"]).open("rb") as source:
                shutil.copyfileobj(source, target)
        except FileExistsError:
            number += 1
            continue
        return name


def _print_json(run: CommandRun, saved: Sequence[str]) -> None:
    shown = []
    for entry, name in zip(run.entries, saved, strict=True):
        kept = {key: value for key, value in entry.items() if key != "FilePath"}
        shown.append({**kept, "SavedAs": name} if name else kept)
    text = json.dumps(shown, indent=2, ensure_ascii=False)
    print(re.sub(r"[\x7f-\x9f]", lambda match: f"\\u{ord(match.group()):04x}", text))


def _console() -> Console:
    """Return where entries are printed; into a file or pipe wide enough for a table of many columns."""
    return Console() if sys.stdout.isatty() else Console(width=200)


def _show(entry: Mapping[str, Any], saved_as: str) -> None:
    """Print an entry as the War Room shows it."""
    text, shown_as = readable(entry)
    text = without_controls(text)
    if entry["Type"] == ERROR:
        print(text, file=sys.stderr)
    elif shown_as == "markdown":
        # A tag in a value is text here: the terminal's markdown would leave it out.
        marked = re.sub(r"<br\s*/?>", " ", text).replace("<", "\\<")
        _console().print(Markdown(marked, hyperlinks=False))
    elif text:
        _console().print(Text(text), soft_wrap=True)
    if is_file(entry):
        print(f"Saved the file {saved_as}." if saved_as else "The file is lost: the script did not write it.")


def _prompt(host: Host, integration: Integration) -> int:
    """Run what is typed until "exit". Returns the exit status."""
    print(f'{integration.display}: type a command such as !{next(iter(integration.commands))}, "help" or "exit".')
    for line in _lines(integration):
        if line in ("exit", "quit"):
            break
        if line == "help":
            _console().print(Markdown(help_text(integration)))
        elif line:
            try:
                _run_line(host, integration, line)
            except (HostError, OSError) as error:
                print(error, file=sys.stderr)
            except KeyboardInterrupt:
                print("Interrupted.", file=sys.stderr)
    return OK


def help_text(integration: Integration) -> str:
    """Return the commands and their arguments as markdown."""
    lines = []
    for command in integration.commands.values():
        lines.append(f"- **!{command.name}** {command.description}".rstrip())
        for argument in command.arguments:
            marks = ["required"] if argument.required else []
            marks += [f"default {argument.default}"] if argument.default else []
            noted = f" ({', '.join(marks)})" if marks else ""
            lines.append(f"    - *{argument.name}*{noted} {argument.description}".rstrip())
    return "\n".join(lines)


def completions(integration: Integration, typed: str) -> list[str]:
    """Return what the last word of `typed` may become: a command, an argument that is not given yet, or a predefined value."""
    *before, last = typed.split(" ")
    if not before:
        words = [*(f"!{name}" for name in integration.commands), "help", "exit"]
        return [word for word in words if word.startswith(last)]
    command = integration.commands.get(before[0].removeprefix("!"))
    if command is None:
        return []
    name, equals, _value = last.partition("=")
    if equals:
        values = [f"{name}={value}" for argument in command.arguments if argument.name == name for value in argument.predefined]
        return [value for value in values if value.startswith(last)]
    given = {word.partition("=")[0] for word in before}
    return [
        f"{argument.name}=" for argument in command.arguments if argument.name not in given and argument.name.startswith(last)
    ]


class CommandCompleter(Completer):
    """Offers `completions` to the prompt."""

    def __init__(self, integration: Integration) -> None:
        self._integration = integration

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Yield what the word before the cursor may become."""
        typed = document.text_before_cursor
        for word in completions(self._integration, typed):
            yield Completion(word, start_position=-len(typed.split(" ")[-1]))


def _lines(integration: Integration) -> Iterator[str]:
    """Yield the lines typed, or those of a file or pipe."""
    if not sys.stdin.isatty():
        yield from (line.strip() for line in sys.stdin)
        return
    session: PromptSession[str] = PromptSession(completer=CommandCompleter(integration))
    while True:
        try:
            yield session.prompt("War Room> ").strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
