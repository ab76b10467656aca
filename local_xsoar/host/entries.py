"""Entries: what a script gives to demisto.results(), in one shape, and what a person sees of them."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

NOTE, FILE, ERROR = 1, 3, 4
_FILE_TYPES = (3, 7, 9, 10, 12)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def normalised(results: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the entries of a run, lists in it laid flat.

    Each has at least Type (number), Contents, ContentsFormat ("text", "json", "markdown" ...), HumanReadable (text or None),
    EntryContext (dict); further keys (File, FileID, Tags, Note, Category ...) are kept as they came. None makes no entry.
    """
    entries: list[dict[str, Any]] = []
    for result in results:
        if isinstance(result, list):
            entries.extend(normalised(result))
        elif result is not None:
            entries.append(_entry(result))
    return entries


def _entry(result: Any) -> dict[str, Any]:
    if not isinstance(result, Mapping):
        text = result if isinstance(result, str) else json.dumps(result)
        result = {"Contents": text, "ContentsFormat": "text"}
    elif "Type" not in result and "Contents" not in result:
        result = {"Contents": result, "ContentsFormat": "json"}
    contents = result.get("Contents")
    return {
        **result,
        "Type": result.get("Type") or NOTE,
        "Contents": contents,
        "ContentsFormat": result.get("ContentsFormat") or ("text" if isinstance(contents, str) else "json"),
        "HumanReadable": result.get("HumanReadable"),
        "EntryContext": result.get("EntryContext") or {},
    }


def is_file(entry: Mapping[str, Any]) -> bool:
    """Tell whether an entry carries a file that the script wrote."""
    return bool(entry.get("FileID")) and entry.get("Type") in _FILE_TYPES


def file_name(name: Any) -> str:
    """Return the last part of a file's name, without anything that could lead out of a folder; "file" when nothing is left."""
    last = re.sub(r"[\t\n]", "", without_controls(str(name))).replace("\\", "/").rstrip("/").rpartition("/")[2].strip()
    return "file" if last in ("", ".", "..") else last


def without_controls(text: str) -> str:
    """Return a text without the control characters that a terminal would act on; tabs and line ends stay."""
    return _CONTROLS.sub("", text)


def readable(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Return what the War Room shows of an entry, and its format: its HumanReadable as markdown, else the contents."""
    if entry.get("HumanReadable"):
        return str(entry["HumanReadable"]), "markdown"
    contents = entry.get("Contents")
    if isinstance(contents, str):
        return contents, str(entry.get("ContentsFormat") or "text")
    return ("" if contents is None else json.dumps(contents, indent=4, ensure_ascii=False)), "json"


def markdown_of(entry: Mapping[str, Any]) -> str:
    """Return what a person sees of an entry, as markdown, without control characters that a terminal would act on."""
    text, shown_as = readable(entry)
    text = without_controls(text)
    if is_file(entry):
        return "\n\n".join(part for part in (f"Uploaded file: {file_name(entry.get('File'))}", text) if part)
    if entry.get("Type") == ERROR:
        return f"**Error:** {text}"
    return f"```json\n{text}\n```" if shown_as == "json" and text else text
