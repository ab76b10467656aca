"""Runs the examples of the integration's README and writes what came out into it.

The command lines stand in command_examples.txt. They run through the local host, in the War Room of an incident that is mirrored
from a local tenant made up here: its data, its ids and the time of day are always the same, so that the same README comes out on
every machine. `integration_readme.py` calls this; nothing of it is written by hand.
"""

import contextlib
import json
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_xsoar.cli.entry_view import context_of
from local_xsoar.host import Host, HostError, MirrorRound, Workers, parse_command_line
from local_xsoar.host.entries import ERROR, file_name, is_file
from local_xsoar.host.integration import Integration, command_of, completed_args, read_integration
from local_xsoar.host.workers import Outcome
from local_xsoar.tenant import Tenant, TenantSettings, serving
from local_xsoar.tenant.times import MINUTE, format_iso, parse_iso

INSTANCE = "Customer"
MIRRORED = "4"  # The remote incident in whose local counterpart the examples run.
# Hosts that stand for the remote tenant and for the one that runs the integration.
REMOTE_HOST, LOCAL_HOST = "xsoar.example.com", "local.example.com"
BEGINNING = "2026-11-21T08:00:00Z"

MOST_ITEMS = 2  # of a list
MOST_KEYS = (30, 12, 6, 3)  # of an object: the first of these with which the whole has no more than MOST_JSON_LINES
MOST_JSON_LINES = 120
MOST_ROWS = 10  # of a table
MOST_LINES = 40  # of text

_UUID = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f])")

# In the worker, the time stands still at the stage's: "3 days" means the same at each run.
_SCRIPT_AT = """\
from pathlib import Path
from freezegun import freeze_time
freeze_time({time!r}).start()
exec(compile(Path({script!r}).read_bytes(), {script!r}, "exec"), globals())
"""


class ExampleError(Exception):
    """An example cannot be run or failed; the message is one sentence."""


@dataclass(frozen=True)
class Example:
    """One example: the line typed, what it put into context (nested), and the entries as one reads them, in Markdown."""

    line: str
    command: str
    context: Mapping[str, Any]
    readable: str


class Clock:
    """A clock that stands still between the steps of the story."""

    def __init__(self) -> None:
        self.nanoseconds = parse_iso(BEGINNING) or 0

    def __call__(self) -> int:
        return self.nanoseconds

    def forward(self, minutes: int) -> None:
        """Let time pass."""
        self.nanoseconds += minutes * MINUTE


class WorkersAt(Workers):
    """Workers whose scripts meet the time of a clock."""

    def __init__(self, clock: Clock, folder: Path) -> None:
        super().__init__()
        self._clock = clock
        self._scripts = folder

    @contextlib.contextmanager
    def run(self, script: Path, job: dict[str, Any], **how: Any) -> Iterator[Outcome]:
        """Run a script at the clock's time, in a process of its own, where time stays as it was put. See `Workers.run`."""
        wrapper = self._scripts / f"{script.stem}_at_{self._clock()}.py"
        wrapper.write_text(_SCRIPT_AT.format(time=format_iso(self._clock()), script=str(script)), encoding="utf-8")
        with super().run(wrapper, job, **{**how, "is_fresh": True}) as outcome:
            yield outcome


def read_examples(text: str) -> list[str]:
    """Return the command lines of a command_examples.txt; blank lines and those that begin with # are passed over."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def run_examples(integration: Path, lines: Sequence[str]) -> list[Example]:
    """Run command lines of the integration on the stage and return what came out, the same at each run.

    Raises:
        ExampleError: a line is no command of the integration, or the command failed.
    """
    described = read_integration(integration)
    commands = [_parsed(described, line) for line in lines]
    with _stage(integration) as (host, incident_id, url):
        return [_run(host, incident_id, url, line, *command) for line, command in zip(lines, commands, strict=True)]


def _parsed(integration: Integration, line: str) -> tuple[str, dict[str, Any]]:
    try:
        name, args = parse_command_line(line)
        return name, completed_args(command_of(integration, name), args)
    except HostError as error:
        raise ExampleError(f"The example {line} cannot be run: {error}") from error


def _run(host: Host, incident_id: str, url: str, line: str, command: str, args: dict[str, Any]) -> Example:
    run = host.run(INSTANCE, command, args, incident_id=incident_id)
    if not run.ok:
        raise ExampleError(f"The example {line} failed: {run.error}")
    same = _sameness(url)
    context = same(context_of(run.entries))
    readable = "\n\n".join(part for entry in same(run.entries) if (part := readable_of(entry)))
    return Example(line, command, context, readable)


def _sameness(url: str) -> Any:
    """Return a function that replaces, within a value of JSON, what differs from run to run: the address and random ids."""
    known: dict[str, str] = {}
    host = url.removeprefix("http://")

    def number(match: re.Match[str]) -> str:
        return known.setdefault(match.group(), f"00000000-0000-4000-8000-{len(known) + 1:012d}")

    def same(value: Any) -> Any:
        if isinstance(value, str):
            for real, shown in ((url, f"https://{REMOTE_HOST}"), (host, REMOTE_HOST), ("//localhost", f"//{LOCAL_HOST}")):
                value = value.replace(real, shown)
            return _UUID.sub(number, value)
        if isinstance(value, list):
            return [same(item) for item in value]
        if isinstance(value, dict):
            return {key: same(item) for key, item in value.items()}
        return value

    return same


# The stage


@contextlib.contextmanager
def _stage(integration: Path) -> Iterator[tuple[Host, str, str]]:
    """Play the story; yield the host, the local incident that mirrors MIRRORED, and the address of the remote tenant."""
    clock = Clock()
    with contextlib.ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="xsoar-examples-")))
        key = secrets.token_hex(32)
        there = Tenant(TenantSettings("customer", folder / "there", version="8.8.0", api_key=key, key_id="7"), clock)
        exits.callback(there.close)
        here = Tenant(TenantSettings("headquarters", folder / "here", version="8.8.0", api_key=secrets.token_hex(32)), clock)
        exits.callback(here.close)
        url = exits.enter_context(serving(there))
        scripts = folder / "scripts"
        scripts.mkdir()
        workers = exits.enter_context(WorkersAt(clock, scripts))
        host = exits.enter_context(Host(here, folder / "host", workers=workers))
        params = {
            "url": url,
            "credentials_api_key": {"identifier": "7", "password": key},
            "isFetch": True,
            "tags": "FromRemote",
            "mirror_tag": "ToRemote",
            "fetch_incident_history": True,
        }
        for tenant in (here, there):
            tenant.add_incident_field("affectedhosts", name="Affected Hosts", type="number")
            tenant.add_incident_field("ticket", name="Ticket", type="shortText")
        host.add_instance(INSTANCE, integration, params)
        incoming, outgoing = _import_mappers(host)
        host.add_instance(INSTANCE, integration, params, incoming_mapper=incoming, outgoing_mapper=outgoing)
        yield host, _play(clock, here, there, host), url


def _import_mappers(host: Host) -> list[str]:
    """Import the mappers that the command makes, as an operator does; return their ids, incoming and outgoing."""
    made = host.run(INSTANCE, "xsoar-mirror-mappers")
    if not made.ok:
        raise ExampleError(f"The mappers before the examples failed: {made.error}")
    files = [Path(entry["FilePath"]) for entry in made.entries if "FilePath" in entry]
    for file in files:
        host.import_mapper(file)
    return [str(json.loads(file.read_text(encoding="utf-8"))["id"]) for file in files]


def _play(clock: Clock, here: Tenant, there: Tenant, host: Host) -> str:
    """Let incidents come up, be mirrored, and change on both sides. Returns the local id of the one that mirrors MIRRORED."""
    _customer_reports(clock, there)
    clock.forward(5)
    fetched = host.fetch(INSTANCE)
    if not fetched.ok:
        raise ExampleError(f"The fetch before the examples failed: {fetched.error}")
    _rest(clock, host)
    found, _ = here.search({"query": f'dbotMirrorId:"{MIRRORED}"', "size": 1})
    local = str(found[0]["id"])

    clock.forward(30)
    there.change_incident(MIRRORED, {"severity": 3, "CustomFields": {"affectedhosts": 3}}, user="carla")
    there.add_entry(MIRRORED, contents="Three mailboxes got it.", user="carla", category="chat", tags=["FromRemote"])
    here.change_incident(local, {"CustomFields": {"ticket": "HQ-1042"}}, user="hanna")
    here.add_entry(local, contents="Please block 203.0.113.7.", user="hanna", category="note", note=True, tags=["ToRemote"])
    _rest(clock, host)

    clock.forward(20)
    there.change_incident(MIRRORED, {"details": "Two users entered their password."}, user="carla")
    here.change_incident(local, {"severity": 4}, user="hanna")
    clock.forward(5)
    return local


def _rest(clock: Clock, host: Host) -> None:
    """Run mirroring rounds, a minute apart, until one has nothing left to do."""
    for _ in range(10):
        clock.forward(1)
        done: MirrorRound = host.mirror(INSTANCE)
        if done.errors:
            raise ExampleError(f"A mirroring round before the examples failed: {done.errors[0]}")
        if not done.modified and not done.sent:
            return
    raise ExampleError("The mirror did not come to rest before the examples.")


def _customer_reports(clock: Clock, there: Tenant) -> None:
    """Create the remote incidents, five minutes apart."""
    reports: tuple[tuple[str, str, str, float, str], ...] = (
        ("Malware", "Trojan quarantined on WS-0117", "The endpoint agent quarantined a file.", 2, "carl"),
        ("Access", "Sign-ins from two countries within an hour", "The account was used from places far apart.", 1, ""),
        ("Phishing", "Invoice mail with a macro", "Opened by nobody, as far as is known.", 1, "carla"),
        ("Phishing", "Password reset mail with a look-alike link", "Several users report a mail.", 2, "carla"),
        ("Denial of Service", "Unusual load on the web shop", "Ten times the requests of last week.", 3, "carl"),
    )
    for number, (kind, name, details, severity, owner) in enumerate(reports, start=1):
        fields = {
            "name": name,
            "type": kind,
            "details": details,
            "severity": severity,
            "owner": owner,
            "occurred": there.settings.show(clock() - MINUTE),
            "labels": [{"type": "Reporter", "value": "reporter@example.com"}],
            "CustomFields": {"affectedhosts": number % 3},
        }
        mail = (
            [("mail.eml", b"Subject: Reset your password\n\nhttps://login.example.net/reset\n")]
            if str(number) == MIRRORED
            else []
        )
        there.create_incident(fields, user=owner or "admin", attachments=mail)
        clock.forward(5)
    there.close_incident("2", reason="Resolved", notes="The user travels.", user="carl")
    there.add_entry(MIRRORED, contents="Who else got this mail?", user="carla", category="chat", tags=["FromRemote"])
    clock.forward(1)
    there.add_entry(
        MIRRORED,
        contents="**Checked** the headers: the sender is forged.",
        format="markdown",
        user="carla",
        category="note",
        note=True,
        tags=["FromRemote", "triage"],
    )


# The text


def readable_of(entry: Mapping[str, Any]) -> str:
    """Return an entry as the War Room shows it, in Markdown; long tables, texts and JSON are cut, and it says of what."""
    if is_file(entry):
        return f"Uploaded file: {file_name(entry.get('File'))}"
    if entry.get("HumanReadable"):
        return _cut_lines(str(entry["HumanReadable"]).strip())
    contents = entry.get("Contents")
    if contents is None or contents == "":
        return ""
    if isinstance(contents, str):
        text = _cut_lines(contents.strip())
        return f"**Error:** {text}" if entry.get("Type") == ERROR else text
    cut, notes = shortened(contents)
    return "\n\n".join(part for part in (_json_block(cut), _sentence(notes)) if part)


def _cut_lines(text: str) -> str:
    """Return Markdown with the rows of a table beyond MOST_ROWS, and the lines of all beyond MOST_LINES, counted only."""
    kept: list[str] = []
    rows = 0
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            rows += 1
            if rows <= MOST_ROWS + 2:  # the head and the line below it
                kept.append(line)
            continue
        if rows > MOST_ROWS + 2:
            kept += ["", f"(Shortened: the table has {rows - MOST_ROWS - 2} more rows.)"]
        rows = 0
        kept.append(line)
    kept.pop()  # the line that ended a table
    if len(kept) > MOST_LINES:
        kept = [*kept[:MOST_LINES], "", f"(Shortened: {len(kept) - MOST_LINES} more lines.)"]
    return "\n".join(kept)


def shortened(value: Any, outputs: Sequence[str] = ()) -> tuple[Any, list[str]]:
    """Return a value of JSON cut to what an example needs, and what was cut, in words.

    Args:
        value: the value; context begins with the name of its first path.
        outputs: the context paths that the command declares. Of a long object on such a path these keys are kept.
    """
    for most_keys in MOST_KEYS:
        cut, notes = _cut(value, outputs, most_keys)
        if len(_json(cut).splitlines()) <= MOST_JSON_LINES:
            break
    return cut, notes


def _cut(value: Any, outputs: Sequence[str], most_keys: int) -> tuple[Any, list[str]]:
    lists: dict[str, int] = {}
    kept_declared: list[str] = []
    kept_first = False

    def cut(part: Any, place: str) -> Any:
        nonlocal kept_first
        if isinstance(part, list):
            if len(part) > MOST_ITEMS:
                lists[place] = max(lists.get(place, 0), len(part))
            return [cut(item, place) for item in part[:MOST_ITEMS]]
        if not isinstance(part, dict):
            return part
        keys = list(part)
        if len(keys) > most_keys:
            begin = f"{place}." if place else ""
            declared = [key for key in keys if any(f"{out}.".startswith(f"{begin}{key}.") for out in outputs)]
            keys = declared or keys[:most_keys]
            if declared and len(keys) < len(part):
                kept_declared.append(place)
            kept_first = kept_first or not declared
        return {key: cut(part[key], f"{place}.{key}" if place else str(key)) for key in keys}

    shown = cut(value, "")
    notes = [f"{_named(place)} has {length} items, of which {MOST_ITEMS} are shown" for place, length in lists.items()]
    notes += [f"of {_named(place)} only the keys listed above are shown" for place in dict.fromkeys(kept_declared)]
    notes += [f"of an object only the first {most_keys} keys are shown"] if kept_first else []
    return shown, notes


def _named(place: str) -> str:
    return f"`{place}`" if place else "the result"


def _sentence(notes: Sequence[str]) -> str:
    return f"(Shortened: {'; '.join(notes)}.)" if notes else ""


def _json_block(value: Any) -> str:
    return f"```json\n{_json(value)}\n```"


def _json(value: Any) -> str:
    return json.dumps(value, indent=4, ensure_ascii=False)


def example_text(example: Example, outputs: Sequence[str]) -> str:
    """Return the sections of one example, as demisto-sdk lays them out."""
    parts = ["#### Command example", f"```{example.line}```"]
    if example.context:
        context, notes = shortened(example.context, outputs)
        parts += ["#### Context Example", _json_block(context)]
        parts += [_sentence(notes)] if notes else []
    quoted = "\n".join(f">{line}" if line else ">" for line in example.readable.splitlines())
    parts += ["#### Human Readable Output", quoted or ">(Nothing is shown.)"]
    return "\n\n".join(parts)


def with_examples(readme: str, examples: Sequence[Example], outputs: Mapping[str, Sequence[str]]) -> str:
    """Return a README with the examples at the end of their commands' sections.

    Args:
        readme: as demisto-sdk writes it: a heading "### name" for each command.
        examples: what was run.
        outputs: the context paths that each command declares.

    Raises:
        ExampleError: a command has no section.
    """
    for command in dict.fromkeys(example.command for example in examples):
        section = re.search(rf"^### {re.escape(command)}\n.*?(?=^#{{1,3}} |\Z)", readme, flags=re.DOTALL | re.MULTILINE)
        if section is None:
            raise ExampleError(f"The README has no section on {command}: write it first.")
        texts = [example_text(example, outputs.get(command, ())) for example in examples if example.command == command]
        parts = [section.group().rstrip("\n"), *texts]
        after = readme[section.end() :]
        readme = readme[: section.start()] + "\n\n".join(parts) + ("\n\n" if after else "\n") + after
    return readme


def without_examples(readme: str) -> str:
    """Return a README without the examples in it."""
    return re.sub(r"^#### Command example\n.*?(?=^#{1,3} |\Z)", "", readme, flags=re.DOTALL | re.MULTILINE)


def examples_of(integration: Path) -> list[Example]:
    """Run the examples that stand in the integration's command_examples.txt. Raises ExampleError."""
    return run_examples(integration, read_examples((integration / "command_examples.txt").read_text(encoding="utf-8")))
