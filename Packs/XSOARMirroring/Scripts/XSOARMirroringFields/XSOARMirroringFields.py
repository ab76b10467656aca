import demistomock as demisto
from CommonServerPython import *

from CommonServerUserPython import *

"""A section of the layout: the custom fields of the incident that hold a value. It reads the incident alone and calls nothing.

A layout of this pack cannot name the custom fields of a tenant; this shows whichever it has.
"""

import json

OWN_PREFIX = "xsoarmirroring"  # The CLI names of this pack's fields. The layout shows them in sections of their own.
NO_TIME = "0001-01-01T00:00:00Z"
LONGEST = 500  # Characters of a value.


def rows(incident: dict[str, Any]) -> list[dict[str, str]]:
    """Return the custom fields of an incident that hold a value, by name. The pack's own and timers are left out."""
    fields = incident.get("CustomFields")
    return [
        {"Field": name, "Value": text(value)}
        for name, value in sorted((fields if isinstance(fields, dict) else {}).items())
        if not name.startswith(OWN_PREFIX) and not is_timer(value) and not is_empty(value)
    ]


def is_timer(value: Any) -> bool:
    """Return whether a value is the state of an SLA timer, which is not mirrored."""
    return isinstance(value, dict) and {"runStatus", "accumulatedPause"} <= set(value)


def is_empty(value: Any) -> bool:
    """Return whether a field holds nothing: a new grid has one row without cells, and a date that was never set is year 1."""
    if isinstance(value, list):
        return all(map(is_empty, value))
    return value in (None, "", {}, NO_TIME)


def text(value: Any) -> str:
    """Return a value as a cell of a table shows it: what is Markdown or HTML in it shows as the text that it is."""
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        value = ", ".join(map(str, value))
    whole = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = whole if len(whole) <= LONGEST else whole[: LONGEST - 1] + "…"
    safe = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\*_\[\]~!])", r"\\\1", safe)  # The table escapes what else would break it.


def main() -> None:
    """Run the script: a table, or one error entry."""
    try:
        found = rows(demisto.incident())
        table = tableToMarkdown("", found, headers=["Field", "Value"]) if found else "No custom field has a value."
        return_results({"Type": EntryType.NOTE, "ContentsFormat": EntryFormat.MARKDOWN, "Contents": table})
    except Exception as error:
        return_error(str(error))


if __name__ in ("__main__", "__builtin__", "builtins"):
    main()
