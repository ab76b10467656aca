"""How the terminal War Room shows what a command gave: entries, files, context, and its log."""

import json
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markdown_it import MarkdownIt
from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markdown import Markdown, TableElement
from rich.table import Table
from rich.text import Text

from local_xsoar.host import CommandRun
from local_xsoar.host.entries import ERROR, NOTE, file_name, is_file, readable, without_controls
from local_xsoar.tenant.web.views import SEVERITIES

FILE_WIDTH = 200  # Columns, where the output is no terminal.
READABLE_COLUMN = 12  # A table that cannot give each column so many letters, or all that it holds, is shown row by row.
KEY_SHOWN_AS = "<API key>"

# Overrides and isolates of writing direction: in a terminal they make a text look like another one.
_DIRECTION_CONTROLS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_LINE_BREAK = "\u2028"  # Stands for <br> in a cell, which holds no line end of its own.
_BR = re.compile(r"<br\s*/?>")
_LINE_END = re.compile(r"(?m)^(?!\|)(.*\S)[ \t]*\n(?=[^\n|])")


def harmless(text: str) -> str:
    """Return a text without what a terminal would obey: control characters and changes of writing direction."""
    return _DIRECTION_CONTROLS.sub("", without_controls(text))


def without_key(text: str, key: str) -> str:
    """Return a text with the API key replaced, as it is and as Python, JSON and addresses write it."""
    if not key:
        return text
    spellings = {key, repr(key)[1:-1], json.dumps(key)[1:-1], json.dumps(key, ensure_ascii=False)[1:-1], quote(key, safe="")}
    for spelling in sorted(spellings, key=len, reverse=True):
        text = text.replace(spelling, KEY_SHOWN_AS)
    return text


class _FittingTable(TableElement):
    """A table that loses nothing in a narrow terminal: its cells fold, and with too many columns it is shown row by row."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table for the width that there is."""
        heads = [_broken(cell.content) for cell in self.header.row.cells] if self.header and self.header.row else []
        rows = [[_broken(cell.content) for cell in row.cells] for row in (self.body.rows if self.body else [])]
        if rows and _needed_width([heads, *rows]) > options.max_width:
            yield from (_record(heads, row) for row in rows)
            return
        table = Table(box=box.SIMPLE, pad_edge=False, style="markdown.table.border", collapse_padding=True)
        for head in heads:
            table.add_column(_styled(head), overflow="fold")
        for row in rows:
            table.add_row(*row)
        yield table


def _needed_width(rows: Sequence[Sequence[Text]]) -> int:
    """Return the width in which a table of these rows can still be read."""
    columns = zip_longest(*rows, fillvalue=Text())
    return sum(min(max(cell.cell_len for cell in column), READABLE_COLUMN) + 2 for column in columns)


def _record(heads: Sequence[Text], row: Sequence[Text]) -> RenderableType:
    """Return a row of a table as lines of name and value; blank values are left out."""
    lines = Table(box=box.HORIZONTALS, show_header=False, pad_edge=False, style="markdown.table.border", expand=True)
    lines.add_column(overflow="fold", max_width=30)
    lines.add_column(overflow="fold", ratio=1)
    for head, value in zip(heads, row, strict=False):
        if value.plain.strip():
            lines.add_row(_styled(head), value)
    return lines


def _broken(cell: Text) -> Text:
    broken = cell.copy()
    broken.plain = cell.plain.replace(_LINE_BREAK, "\n")
    return broken


def _styled(head: Text) -> Text:
    styled = head.copy()
    styled.stylize("markdown.table.header")
    return styled


class EntryMarkdown(Markdown):
    """Markdown as the War Room shows it: tags are text, line ends are kept, tables fit the terminal."""

    elements = {**Markdown.elements, "table_open": _FittingTable}  # noqa: RUF012  (rich's own way to add elements)

    def __init__(self, markup: str) -> None:
        broken = re.sub(r"(?m)^\|.*", lambda row: _BR.sub(_LINE_BREAK, row.group()), markup)
        text = _LINE_END.sub(r"\1  \n", _BR.sub("\n", broken))
        super().__init__(text, hyperlinks=False)
        parser = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])
        self.parsed = parser.parse(text)


def fetch_entry(incidents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the entry that shows the incidents that a fetch would create, given their fields."""
    count = f"{len(incidents) or 'no'} incident{'' if len(incidents) == 1 else 's'}"
    heads = ("name", "type", "severity", "occurred", "remote id", "attachments")
    rows = [
        (
            *(incident.get(name) for name in ("name", "type")),
            SEVERITIES[incident["severity"]]["text"] if incident.get("severity") in SEVERITIES else "",
            re.sub(r"(\.\d{3})\d+", r"\1", str(incident.get("occurred") or "")),
            incident.get("dbotMirrorId"),
            ", ".join(str(file.get("name")) for file in incident.get("attachment") or []),
        )
        for incident in incidents
    ]
    table = _markdown_table(heads, rows) if rows else ""
    return {
        "Type": NOTE,
        "ContentsFormat": "json",
        "Contents": list(incidents),
        "HumanReadable": f"### A fetch would create {count}\n{table}",
        "EntryContext": {},
    }


def _markdown_table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    def line(cells: Iterable[Any]) -> str:
        texts = ("" if cell is None else " ".join(str(cell).split()).replace("|", "\\|") for cell in cells)
        return f"| {' | '.join(texts)} |"

    return "\n".join([line(heads), line("---" for _ in heads), *(line(row) for row in rows)])


def console() -> Console:
    """Return where entries are printed; into a file or pipe wide enough for a table of many columns."""
    return Console() if sys.stdout.isatty() else Console(width=FILE_WIDTH)


def show_entry(entry: Mapping[str, Any], saved_as: str, key: str) -> None:
    """Print an entry as the War Room shows it, an error to stderr. `saved_as` is where its file went, "" if nowhere."""
    text, shown_as = readable(entry)
    text = harmless(text)
    if entry["Type"] == ERROR:
        print(without_key(short_error(text), key), file=sys.stderr)
    elif shown_as == "markdown":
        console().print(EntryMarkdown(text))
    elif text:
        console().print(Text(text), soft_wrap=True)
    if is_file(entry):
        print(f"Saved the file {saved_as}." if saved_as else "The file is missing: the script did not write it.")


def short_error(text: str) -> str:
    """Return an error as one reads it: of a stack trace its last line, since the log has the rest."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or not lines[0].startswith("Traceback (most recent call last)"):
        return text
    return f"The script failed with {lines[-1]} (the debug log says where)."


def log_lines(run: CommandRun, key: str) -> list[str]:
    """Return the debug log of a command, without the API key and without what a terminal would obey."""
    lines = list(run.log)
    if run.error and short_error(run.error) != run.error:
        lines += run.error.splitlines()
    return [harmless(without_key(line, key)) for line in lines] or ["The command wrote nothing into its log."]


def save_file(entry: Mapping[str, Any], folder: Path) -> str:
    """Save the file of an entry into `folder`, made if need be, and return its path; "" when the entry has no file.

    The name is made harmless, and unique: nothing that is there is overwritten or followed.

    Raises:
        OSError: the folder cannot be written to.
    """
    if not entry.get("FilePath"):
        return ""
    wanted = Path(harmless(file_name(entry.get("File"))).lstrip(".") or "file")
    stem, suffix = wanted.stem[:100], wanted.suffix[:20]
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    while True:
        path = folder / f"{stem}{f' ({number})' if number else ''}{suffix}"
        try:
            with path.open("xb") as target, Path(entry["FilePath"]).open("rb") as source:
                shutil.copyfileobj(source, target)
        except FileExistsError:
            number += 1
            continue
        return str(path)


def context_of(entries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what entries put into context, as the context shows it: nested by the paths, without their conditions.

    {"XSOAR.Incident(val.id == obj.id)": {...}} becomes {"XSOAR": {"Incident": {...}}}. What several entries put under one path
    becomes a list.
    """
    context: dict[str, Any] = {}
    for entry in entries:
        for key, value in (entry.get("EntryContext") or {}).items():
            *parents, name = re.sub(r"\(.*\)", "", str(key), flags=re.DOTALL).split(".")
            level = context
            for parent in parents:
                below = level.setdefault(parent, {})
                level = below if isinstance(below, dict) else level
            level[name] = [*_listed(level[name]), *_listed(value)] if name in level else value
    return context


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def as_json(value: Any, *, indent: int | None = 2) -> str:
    """Return JSON in which a terminal finds nothing to obey."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return re.sub(r"[\x7f-\x9f\u202a-\u202e\u2066-\u2069]", lambda match: f"\\u{ord(match.group()):04x}", text)


def run_as_json(run: CommandRun, saved: Sequence[str], key: str) -> dict[str, Any]:
    """Return what a command did, for scripts.

    {"command", "args", "ok", "error", "entries", "context"}: `ok` is false and `error` a sentence when the command failed;
    `entries` are the platform's (Type, Contents, ContentsFormat, HumanReadable, EntryContext, File ...), one with a file has
    "SavedAs", where it was saved; `context` is what they put into context together, nested.
    """
    entries = []
    for entry, path in zip(run.entries, saved, strict=True):
        kept = {name: value for name, value in entry.items() if name != "FilePath"}
        if entry["Type"] == ERROR and isinstance(entry["Contents"], str):
            kept["Contents"] = without_key(short_error(entry["Contents"]), key)
        entries.append({**kept, "SavedAs": path} if path else kept)
    return {
        "command": run.command,
        "args": run.args,
        "ok": run.ok,
        "error": without_key(short_error(run.error), key),
        "entries": entries,
        "context": context_of(run.entries),
    }
