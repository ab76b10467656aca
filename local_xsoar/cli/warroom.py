"""A War Room for one integration instance: runs the pack's commands against any tenant, real or local."""

import argparse
import contextlib
import getpass
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from local_xsoar.cli.arguments import OneSentenceParser
from local_xsoar.cli.commands import (
    COMMON_ARGUMENTS,
    DEBUG_MODE,
    ONLY_ON_A_SERVER,
    TEST,
    commands_of,
    fetch_command,
    taken_apart,
)
from local_xsoar.cli.completion import OTHER_WORDS, PROMPT_WORDS, CommandCompleter, nearest
from local_xsoar.cli.entry_view import (
    as_json,
    console,
    context_of,
    fetch_entry,
    harmless,
    log_lines,
    run_as_json,
    save_file,
    show_entry,
    without_key,
)
from local_xsoar.host import CommandRun, Host, HostError, parse_command_line
from local_xsoar.host.fetch_job import FETCH_COMMAND
from local_xsoar.host.integration import Command, Integration, completed_args, param_from_text, read_integration
from local_xsoar.tenant import Tenant, TenantError, TenantSettings, serving
from local_xsoar.tenant.samples import load_samples

PACK_INTEGRATION = Path(__file__).resolve().parents[2] / "Packs" / "XSOARMirroring" / "Integrations" / "XSOARMirroring"
KEY_VARIABLE = "XSOAR_API_KEY"
INSTANCE = "warroom"
LOCAL_INCIDENTS = 20
OK, FAILED, BAD_USAGE = 0, 1, 2

_DESCRIPTION = "Run XSOAR Mirroring commands against a tenant: at a prompt, from a pipe, or one with --command."
_EPILOG = f"""\
The API key comes from the environment variable {KEY_VARIABLE} or a prompt, never from an option.

--json prints one object per command, and nothing else, to stdout:
  {{"command": name, "args": {{...}}, "ok": true or false, "error": sentence or "",
   "entries": [{{"Type", "Contents", "ContentsFormat", "HumanReadable", "EntryContext", ..., "SavedAs" for a file}}],
   "context": what the entries put into context, nested}}
indented with --command, one object per line for commands from a pipe.

Besides the integration's commands there are !help, !{TEST} and !{fetch_command(INSTANCE)} {DEBUG_MODE}=true, which shows
the incidents that a fetch would create, without creating them. Any command takes {DEBUG_MODE}=true, which also shows its log.

Tables show statuses and severities as words, and times to the millisecond; --json shows them as the command returned them.

Exit status: 0 success; 1 a command failed; 2 wrong usage, and the command was not run.
"""


def main(arguments: list[str], integration: Path = PACK_INTEGRATION) -> int:
    """Run one command, or those of a prompt or pipe, and return the exit status: 0, 1 a command failed, 2 bad usage."""
    try:
        options = _options(arguments)
        described = read_integration(integration)
        with contextlib.ExitStack() as exits:
            folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="xsoar-warroom-")))
            params = _local_params(folder, exits) if options.local else _remote_params(options)
            key = params["credentials_api_key"]["password"]
            params |= _further_params(described, options.pack_params)
            with _host(described, params, folder) as host:
                room = WarRoom(host, described, key, options.save_to, options.log, options.json)
                if options.command is not None:
                    return room.answer(options.command)
                return _at_the_prompt(room, params["url"]) if sys.stdin.isatty() else _from_a_pipe(room)
    except SystemExit as ended:  # the parser's, which has said what is to be said
        return int(ended.code or OK)
    except BrokenPipeError:  # the reader of stdout has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (HostError, TenantError, OSError) as error:
        print(error, file=sys.stderr)
        return BAD_USAGE
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return FAILED


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = OneSentenceParser(
        "warroom",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    tenant = parser.add_argument_group("the tenant")
    where = tenant.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", help="address of the tenant's API")
    where.add_argument(
        "--local", action="store_true", help=f"start a tenant with {LOCAL_INCIDENTS} sample incidents for as long as this runs"
    )
    tenant.add_argument("--key-id", default="", help="ID of the API key, for 8.x")
    tenant.add_argument("--advanced", action="store_true", help="the key is an advanced key")
    tenant.add_argument("--insecure", action="store_true", help="trust any certificate instead of verifying it")
    tenant.add_argument(
        "--pack-params", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="further parameters of the instance"
    )
    output = parser.add_argument_group("what to run and show")
    output.add_argument("--command", help="run this command and exit, for example '!xsoar-get-incident id=4'")
    output.add_argument("--json", action="store_true", help="print each command as JSON, for scripts (see below)")
    output.add_argument(
        "--save-to", type=Path, default=Path(), metavar="FOLDER", help="where to save files (default: the current folder)"
    )
    output.add_argument(
        "--log",
        nargs="?",
        const="-",
        metavar="FILE",
        help="show the debug log of each command on stderr, or append it to FILE; it never contains the key",
    )
    options = parser.parse_args(arguments)
    if options.local and (options.key_id or options.advanced or options.insecure):
        raise HostError("The options --key-id, --advanced and --insecure only work with --url: leave them out with --local.")
    if options.json and options.command is None and sys.stdin.isatty():
        raise HostError("The option --json only works with --command or with commands from a pipe: give the command to run.")
    if options.save_to.exists() and not options.save_to.is_dir():
        raise HostError(f"{options.save_to} is not a folder: give one with --save-to.")
    return options


def _remote_params(options: argparse.Namespace) -> dict[str, Any]:
    """Return the parameters that the options and the environment give."""
    return {
        "url": options.url,
        "credentials_api_key": {"identifier": options.key_id, "password": _api_key()},
        "advanced_api_key": options.advanced,
        "insecure": options.insecure,
    }


def _local_params(folder: Path, exits: contextlib.ExitStack) -> dict[str, Any]:
    """Start a tenant with sample incidents, to be stopped by `exits`, and return the parameters that reach it."""
    settings = TenantSettings("sample", folder / "sample", api_key=secrets.token_hex(32), key_id="1", date_header=0)
    tenant = exits.enter_context(contextlib.closing(Tenant(settings)))
    load_samples(tenant, LOCAL_INCIDENTS)
    url = exits.enter_context(serving(tenant))
    return {"url": url, "credentials_api_key": {"identifier": settings.key_id, "password": settings.api_key}}


def _further_params(integration: Integration, texts: list[str]) -> dict[str, Any]:
    """Return the parameters that were given as name=value."""
    params: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise HostError(f"{text} is not a parameter: give it as name=value.")
        if name not in integration.parameters:
            known = ", ".join(sorted(integration.parameters))
            raise HostError(f"{integration.display} has no parameter {name}: it has {known}.")
        params[name] = param_from_text(integration.parameters[name], value)
    return params


def _api_key() -> str:
    key = os.environ.get(KEY_VARIABLE, "")
    if not key and sys.stdin.isatty():
        with contextlib.suppress(EOFError):
            key = getpass.getpass("API key: ")
    if not key:
        raise HostError(f"The API key is missing: set the environment variable {KEY_VARIABLE}.")
    return key


@contextlib.contextmanager
def _host(integration: Integration, params: Mapping[str, Any], folder: Path) -> Iterator[Host]:
    """Open a host on a tenant of its own that is thrown away afterwards."""
    tenant = Tenant(TenantSettings(name=INSTANCE, folder=folder / "tenant", api_key=secrets.token_hex(16)))
    with contextlib.closing(tenant), Host(tenant, folder / "host") as host:
        host.add_instance(INSTANCE, integration.folder, dict(params))
        yield host


@dataclass
class WarRoom:
    """Runs lines and shows what they gave. `last` is the last command that was run."""

    host: Host
    integration: Integration
    key: str
    save_to: Path
    log_to: str | None
    json: bool
    last: CommandRun | None = None
    known: Mapping[str, Command] = field(init=False)

    def __post_init__(self) -> None:
        self.known = commands_of(self.integration, INSTANCE)

    def answer(self, line: str, *, indent: int | None = 2) -> int:
        """Do what a word of the prompt says, or run a command line and show its entries; return the exit status.

        Raises:
            HostError: the line is neither; one sentence.
            OSError: a file cannot be saved, or the log not be written.
        """
        if (words := prompt_words(line)) is None:
            return self._run_line(line, indent)
        if self.json:
            raise HostError(f"{line.strip()} has no JSON output: leave --json out.")
        self._obey(*words)
        return OK

    def _run_line(self, line: str, indent: int | None) -> int:
        name, args = self._parsed(line)
        args, is_debugged = taken_apart(args, INSTANCE)
        run = self.last = self._run(name, args, is_debugged)
        for target in {self.log_to, "-" if is_debugged else None} - {None}:
            self._write_log(line, run, str(target))
        saved = [save_file(entry, self.save_to) for entry in run.entries]
        if self.json:
            print(as_json(run_as_json(run, saved, self.key), indent=indent), flush=True)
        else:
            for entry, path in zip(run.entries, saved, strict=True):
                show_entry(entry, path, self.key)
        return OK if run.ok else FAILED

    def _run(self, name: str, args: dict[str, str], is_debugged: bool) -> CommandRun:
        """Run a command. Raises HostError as `Host.run` does, and for a fetch that is to keep what it brings."""
        if name in self.integration.commands:
            return self.host.run(INSTANCE, name, args)
        completed_args(self.known[name], args)
        if name == TEST:
            return self.host.test(INSTANCE)
        if not is_debugged:
            raise HostError(
                f"Incidents are not saved here: run !{name} {DEBUG_MODE}=true to see those that a fetch would create."
            )
        run = self.host.preview_fetch(INSTANCE)
        run.entries = [fetch_entry(run.incidents)] if run.ok else run.entries
        return run

    def _parsed(self, line: str) -> tuple[str, dict[str, str]]:
        """Return the command and its arguments. Raises HostError, which names what was probably meant."""
        first = line.split(maxsplit=1)[0] if line.strip() else ""
        if not first.startswith("!") and (meant := nearest(first, [*self.known, *PROMPT_WORDS])):
            if meant in PROMPT_WORDS:
                raise HostError(f"{first} is not a command: did you mean {meant}?")
            raise HostError(f"A command begins with an exclamation mark: did you mean !{meant}?")
        name, args = parse_command_line(line)
        known = [argument.name for argument in (*self.command(name).arguments, *COMMON_ARGUMENTS)]
        for argument in args:
            if argument and argument not in {*known, *ONLY_ON_A_SERVER} and (meant := nearest(argument, known)):
                raise HostError(f"{name} has no argument {argument}: did you mean {meant}?")
        return name, args

    def command(self, name: str) -> Command:
        """Return a command by its name. Raises HostError, which names the one that was probably meant."""
        if name in self.known:
            return self.known[name]
        own_fetch = fetch_command(INSTANCE)
        if name == FETCH_COMMAND and own_fetch in self.known:
            raise HostError(f"Only the server runs {name}: run !{own_fetch} {DEBUG_MODE}=true to see what it would create.")
        if name.endswith(fetch_command("")) and own_fetch in self.known:
            self.host.instance(name.removesuffix(fetch_command("")))
        if meant := nearest(name, self.known):
            raise HostError(f"{self.integration.display} has no command {name}: did you mean {meant}?")
        raise HostError(
            f"{self.integration.display} has no command {name}: type help to see those it has. Scripts and XSOAR's own commands "
            "run on an XSOAR server only."
        )

    def _write_log(self, line: str, run: CommandRun, target: str) -> None:
        lines = [f"# {harmless(without_key(line, self.key))}", *log_lines(run, self.key)]
        if target == "-":
            print("\n".join(lines), file=sys.stderr)
            return
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    def _obey(self, word: str, *rest: str) -> None:
        """Do what a word of the prompt says. Raises HostError when help was asked for a command that does not exist."""
        if word == "help" and rest:
            show_help_of(self.command(rest[0].removeprefix("!")))
        elif word == "help":
            show_help(self.known)
        elif word == "exit":
            return
        elif self.last is None:
            print("No command has been run yet.")
        elif word == "log":
            print("\n".join(log_lines(self.last, self.key)))
        elif context := context_of(self.last.entries):
            print(as_json(context, indent=4))
        else:
            print(f"{self.last.command} put nothing into context.")


def prompt_words(line: str) -> list[str] | None:
    """Return a line that is one of the prompt's words, "help" perhaps with a command behind it; None for any other line."""
    word, *rest = line.split() or [""]
    if word.startswith("!") and rest in (["--help"], ["-h"]):
        return ["help", word]
    word = OTHER_WORDS.get(word, word)
    return [word, *rest] if word in PROMPT_WORDS and (not rest or (word == "help" and len(rest) == 1)) else None


def show_help(known: Mapping[str, Command]) -> None:
    """Print the commands and the words of the prompt, a line each: of a description the first sentence, cut at the edge."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, min_width=max(len(name) for name in known) + 1)
    table.add_column(no_wrap=True, overflow="ellipsis")
    for command in known.values():
        table.add_row(Text(f"!{command.name}", style="bold"), Text(command.description.partition(". ")[0].rstrip(".")))
    table.add_section()
    for word, meaning in PROMPT_WORDS.items():
        table.add_row(Text(word, style="bold"), Text(meaning))
    console().print(table)


def show_help_of(command: Command) -> None:
    """Print a command's description and its arguments."""
    out = console()
    out.print(Text(f"!{command.name}", style="bold"), highlight=False)
    out.print(Text(command.description))
    if command.execution:
        out.print(Text("This command makes changes; XSOAR marks it as potentially harmful."))
    if not command.arguments:
        out.print(Text("It takes no arguments."))
        return
    lines = []
    for argument in command.arguments:
        marks = ["required"] if argument.required else []
        marks += [f"default `{argument.default}`"] if argument.default and "Default is" not in argument.description else []
        marks += [f"one of {', '.join(f'`{value}`' for value in argument.predefined)}"] if argument.predefined else []
        marks += ["the name may be left out"] if argument.positional else []
        noted = f" ({'; '.join(marks)})" if marks else ""
        lines.append(f"- **{argument.name}**{noted} {argument.description}".rstrip())
    out.print(Markdown("\n".join(lines).replace("<", "\\<")))


def _from_a_pipe(room: WarRoom) -> int:
    """Run the lines of a file or pipe; blank ones and those that begin with # are passed over. Returns the worst status."""
    worst = OK
    for line in (raw.strip() for raw in sys.stdin):
        if prompt_words(line) == ["exit"]:
            break
        if not line or line.startswith("#"):
            continue
        try:
            worst = max(worst, room.answer(line, indent=None))
        except BrokenPipeError:
            raise
        except (HostError, OSError) as error:
            print(error, file=sys.stderr)
            worst = BAD_USAGE
    return worst


def _at_the_prompt(room: WarRoom, url: str) -> int:
    """Run what is typed until "exit" or Ctrl-D; Ctrl-C ends the command that runs, and empties the line otherwise."""
    example = next(iter(room.integration.commands))
    print(f'{room.integration.display} on {url}: type a command such as !{example}, "help" or "exit".')
    session: PromptSession[str] = PromptSession(
        completer=CommandCompleter(room.known, {name: param.options for name, param in room.integration.parameters.items()}),
        history=_history(room.key),
        auto_suggest=AutoSuggestFromHistory(),
    )
    while True:
        try:
            line = session.prompt("War Room> ").strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return OK
        if prompt_words(line) == ["exit"]:
            return OK
        try:
            if line:
                room.answer(line)
        except KeyboardInterrupt:
            print("Interrupted.", file=sys.stderr)
        except (HostError, OSError) as error:
            print(error, file=sys.stderr)


class _PrivateHistory(FileHistory):
    """A history in a file; a line that holds the API key is not kept."""

    def __init__(self, path: Path, key: str) -> None:
        super().__init__(str(path))
        self._key = key

    def append_string(self, string: str) -> None:
        """Keep a line that was typed."""
        if self._key not in string:
            super().append_string(string)


def history_file(environment: Mapping[str, str], home: Path) -> Path:
    """Return where the history lies: in XDG_STATE_HOME, by default ~/.local/state (XDG Base Directory Specification)."""
    named = Path(environment.get("XDG_STATE_HOME") or "")
    base = named if named.is_absolute() else home / ".local" / "state"
    return base / "xsoar-mirroring" / "warroom_history"


def _history(key: str) -> History:
    """Return the history of this user, which nobody else can read; one for this session only when it cannot be written."""
    try:
        path = history_file(os.environ, Path.home())
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.chmod(0o600)
    except (OSError, RuntimeError) as error:
        print(f"The history cannot be saved and lasts for this session only: {error}.", file=sys.stderr)
        return InMemoryHistory()
    return _PrivateHistory(path, key)
