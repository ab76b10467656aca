"""Draws the pictures of the pack in doc_files: its playbooks, its layout and its dashboard, each from its yml or JSON.

    python tools/pack_pictures.py        (or: make docs)

Layout and dashboard show an example, which is made up here and says so. A picture holds the digest of what it was drawn from, so
that a test can tell when an item has changed and its picture has not.
"""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, PngImagePlugin

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # so that it also runs as a file

from tools.playbook_picture import DIGEST_KEY, FINE, GREY, INK, PACK, PAPER, font, write_picture  # noqa: E402

# Changes with the way of drawing, so that all pictures are drawn anew.
EDITION = 1

MARGIN, GAP, HEAD, ROW = 24, 12, 34, 22
COLUMN_OF_LAYOUT, UNIT_OF_LAYOUT, COLUMNS_OF_LAYOUT, COLUMNS_OF_SECTION = 400, 118, 3, 2
COLUMN_OF_DASHBOARD, UNIT_OF_DASHBOARD, COLUMNS_OF_DASHBOARD = 105, 112, 12
PAGE, EDGE, HEADLINE, LINK = "#f1f4f8", "#d3dae3", "#e4e7eb", "#2b6cb0"
GREEN, ORANGE, RED = "#2f8f57", "#b7791f", "#c53030"
PALETTE = ("#2b6cb0", "#2f8f57", "#b7791f", "#c53030")
BUTTONS = {"primary": LINK, "warning": ORANGE}

# What the platform calls its own fields and columns.
NAMES = {
    "type": "Type",
    "severity": "Severity",
    "owner": "Owner",
    "dbotstatus": "Status",
    "status": "Status",
    "phase": "Phase",
    "playbookid": "Playbook",
    "sourcebrand": "Source Brand",
    "sourceinstance": "Source Instance",
    "dbotmirrordirection": "Mirror Direction",
    "dbotmirrorinstance": "Mirror Instance",
    "dbotmirrortags": "Mirror Tags",
    "details": "Details",
    "occurred": "Occurred",
    "dbotcreated": "Created",
    "dbotmodified": "Last Updated",
    "dbotduedate": "Due Date",
    "dbotclosed": "Closed",
    "attachment": "Attachment",
    "closereason": "Close Reason",
    "closenotes": "Close Notes",
    "id": "ID",
    "name": "Name",
}
# An incident that a provider mirrors with a customer, by the fields of the layout.
INCIDENT = {
    "type": "XSOAR Mirrored Incident",
    "severity": "High",
    "owner": "hanna",
    "dbotstatus": "Active",
    "phase": "Containment",
    "playbookid": "",
    "sourcebrand": "XSOAR Mirroring",
    "sourceinstance": "customer-a",
    "xsoarmirroringstate": "In Step",
    "xsoarmirroringremotelink": "https://xsoar.example.com/Details/4",
    "xsoarmirroringremoteid": "4",
    "xsoarmirroringremotetenant": "xsoar.example.com",
    "xsoarmirroringremoteowner": "carla",
    "xsoarmirroringlastin": "Mar 1, 02:31 UTC",
    "xsoarmirroringlastout": "Mar 1, 02:29 UTC",
    "dbotmirrordirection": "Both",
    "dbotmirrorinstance": "customer-a",
    "dbotmirrortags": "ToRemote",
    "xsoarmirroringerrorin": "",
    "xsoarmirroringerrorout": "",
    "details": "Two passwords entered.",
    "occurred": "Mar 1, 02:08 UTC",
    "dbotcreated": "Mar 1, 02:11 UTC",
    "dbotmodified": "Mar 1, 02:31 UTC",
    "dbotduedate": "Mar 11, 02:11 UTC",
    "dbotclosed": "",
    "attachment": "mail.eml",
    "closereason": "",
    "closenotes": "",
}
# What the sections hold that the platform or a script fills, by their kind.
SECTIONS = {
    "notes": ("carla (remote), Mar 1, 02:30 UTC:", "Both passwords are reset. #FromRemote"),
    "evidence": ("No evidence yet",),
    "indicators": ("login.example.net", "203.0.113.7"),
    "linkedIncidents": ("No linked incidents",),
    "team": ("hanna",),
    "workplan": ("No playbook",),
    "dynamic": ("affectedhosts    3", "ticket    HQ-1042"),
}
# The dashboard of that provider: open mirrored incidents by the field that a widget groups by ...
GROUPS = {
    "xsoarmirroringstate": {"In Step": 39, "Behind": 1, "Error": 2},
    "dbotMirrorDirection": {"Both": 30, "In": 12},
    "dbotMirrorInstance": {"customer-a": 25, "customer-b": 17},
}
# ... their numbers by the name of the widget, and the incidents of the tables.
NUMBERS = {"Open Mirrored Incidents": 42, "Behind or in Error": 3}
GONE = "The remote tenant has no incident 17, or the API key may not read it."
INCIDENTS = (
    ("212", "Invoice mail with a macro", "Error", "customer-b", "Feb 27, 09:14", "", GONE, ""),
    (
        "230",
        "Unusual load on the web shop",
        "Error",
        "customer-b",
        "Feb 28, 16:02",
        "Feb 28, 16:40",
        "",
        "Severity: refused there.",
    ),
    ("241", "Trojan quarantined on WS-0117", "Behind", "customer-a", "Mar 1, 01:55", "", "", ""),
    ("245", "Password reset mail", "In Step", "customer-a", "Mar 1, 02:31", "Mar 1, 02:29", "", ""),
)
COLUMNS = (
    "id",
    "name",
    "xsoarmirroringstate",
    "dbotMirrorInstance",
    "xsoarmirroringlastin",
    "xsoarmirroringlastout",
    "xsoarmirroringerrorin",
    "xsoarmirroringerrorout",
)
SAME = {"status": "Active", "dbotMirrorDirection": "Both", "xsoarmirroringremotetenant": "xsoar.example.com"}
# What the script of the first widget shows.
HEALTH = (
    ("Instance", "State", "Last Round", "Last Fetch", "Pending", "Lag", "Errors"),
    ("customer-b", "Attention", "1 min", "1 min", "1", "75 s", "2"),
    ("customer-a", "Healthy", "1 min", "0 min", "0", "62 s", "0"),
)
HEALTH_SAYS = "customer-b: Incidents in error: 2. The table Mirroring Errors says why."
COLOURS = {"Attention": ORANGE, "Healthy": GREEN, "Down": RED, "In Step": GREEN, "Behind": ORANGE, "Error": RED}


@dataclass(frozen=True)
class Box:
    """A rectangle in the measures of the picture, with round corners."""

    x: int
    y: int
    width: int
    height: int
    fill: str
    edge: str = ""


@dataclass(frozen=True)
class Text:
    """One line of text; what is wider than `width` ends with an ellipsis. `anchor` is Pillow's: where `x` and `y` lie on it."""

    x: int
    y: int
    text: str
    width: int
    size: int = 14
    colour: str = INK
    anchor: str = "lm"


@dataclass(frozen=True)
class Slice:
    """A piece of a pie: its middle, radius, and where it begins and ends, in degrees."""

    x: int
    y: int
    radius: int
    start: int
    end: int
    fill: str


Mark = Box | Text | Slice


def field_names() -> dict[str, str]:
    """Return the display names of fields and columns by their CLI names in lower case."""
    fields = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(PACK.glob("IncidentFields/*.json"))]
    return NAMES | {field["cliName"]: field["name"] for field in fields}


def layout_marks(layout: Mapping[str, Any]) -> Iterator[Mark]:
    """Yield what the picture of a layout shows: the sections of its own tab, filled with an example."""
    (tab,) = [tab for tab in layout["detailsV2"]["tabs"] if tab["type"] == "custom"]
    width = COLUMNS_OF_LAYOUT * COLUMN_OF_LAYOUT
    yield from headline(f"{layout['name']}: the tab {tab['name']}", width)
    names = field_names()
    for section in tab["sections"]:
        place = placed(section, COLUMN_OF_LAYOUT, UNIT_OF_LAYOUT)
        yield from panel(place, section["name"])
        if section["items"]:
            yield from items_of(section["items"], place, names)
        else:
            for number, line in enumerate(SECTIONS[section["type"]]):
                yield Text(place.x + 14, place.y + HEAD + 18 + ROW * number, line, place.width - 28, colour=GREY)


def items_of(items: Sequence[Mapping[str, Any]], place: Box, names: Mapping[str, str]) -> Iterator[Mark]:
    """Yield the fields and buttons of a section, in their order."""
    y = place.y + HEAD + 18
    for item in items:
        if item["sectionItemType"] == "button":
            half = (place.width - 28) // 2
            x = place.x + 14 + half * item["startCol"]
            box = Box(x, y - 10, half * (item["endCol"] - item["startCol"]) - 8, 30, BUTTONS[item["buttonClass"]])
            yield box
            yield Text(box.x + box.width // 2, y + 5, item["name"], box.width - 12, colour=PAPER, anchor="mm")
            y += 40 if item["endCol"] == COLUMNS_OF_SECTION else 0
            continue
        name, value = names[item["fieldId"]], INCIDENT[item["fieldId"]]
        yield Text(place.x + 14, y, name, 205, colour=GREY, size=13)
        colour = COLOURS.get(value, LINK if value.startswith("https:") else INK)
        yield Text(place.x + 224, y, value or "-", place.width - 236, colour=colour, size=13)
        y += ROW


def dashboard_marks(dashboard: Mapping[str, Any]) -> Iterator[Mark]:
    """Yield what the picture of a dashboard shows: its widgets, filled with an example."""
    yield from headline(f"The dashboard {dashboard['name']}", COLUMNS_OF_DASHBOARD * COLUMN_OF_DASHBOARD)
    names = {name.lower(): shown for name, shown in field_names().items()}
    for part in dashboard["layout"]:
        widget, place = part["widget"], placed(part, COLUMN_OF_DASHBOARD, UNIT_OF_DASHBOARD)
        yield from panel(place, widget["name"])
        kind = widget["widgetType"]
        if kind == "text":
            yield from table(HEALTH[0], HEALTH[1:], [140] * len(HEALTH[0]), place)
            yield Text(place.x + 14, place.y + HEAD + 110, HEALTH_SAYS, place.width - 28, colour=GREY)
        elif kind == "number":
            middle = (place.x + place.width // 2, place.y + HEAD + 34)
            yield Text(*middle, str(NUMBERS[widget["name"]]), place.width, size=34, anchor="mm")
        elif kind == "table":
            columns = [column for column in widget["params"]["tableColumns"] if column["displayed"]]
            yield from table(
                [names[column["key"].lower()] for column in columns],
                [[cell(row, column["key"]) for column in columns] for row in rows_for(widget)],
                [column["width"] for column in columns],
                place,
            )
        else:
            (field,) = widget["params"]["groupBy"]
            yield from (pie if kind == "pie" else bars)(GROUPS[field], place)


def rows_for(widget: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the incidents that a table finds: those not in step, where its query asks for their state, else all."""
    rows = [dict(zip(COLUMNS, incident, strict=True)) | SAME for incident in INCIDENTS]
    return [row for row in rows if row["xsoarmirroringstate"] != "In Step"] if "xsoarmirroringstate:" in widget["query"] else rows


def cell(row: Mapping[str, str], key: str) -> str:
    """Return what a table shows of an incident in a column."""
    return row[key] or "-"


def headline(title: str, width: int) -> Iterator[Mark]:
    """Yield the line above a picture, which says that it shows an example."""
    yield Text(0, -HEAD // 2 - 4, title, width - 330, size=18)
    yield Text(width - GAP, -HEAD // 2 - 4, "Example: the data is made up", 320, colour=GREY, anchor="rm")


def placed(part: Mapping[str, Any], column: int, unit: int) -> Box:
    """Return where a section or widget lies, given the width of a column and the height of a row."""
    return Box(part["x"] * column, part["y"] * unit, part["w"] * column - GAP, part["h"] * unit - GAP, PAPER, EDGE)


def panel(place: Box, title: str) -> Iterator[Mark]:
    """Yield the frame of a section or widget and its title."""
    yield place
    yield Text(place.x + 14, place.y + 18, title, place.width - 28, size=16)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], place: Box) -> Iterator[Mark]:
    """Yield a table that fills the width of its place, its columns in the given proportions."""
    room, x = place.width - 28, place.x + 14
    yield Box(x, place.y + HEAD, room, 26, HEADLINE)
    for number, share in enumerate(widths):
        width = room * share // sum(widths)
        yield Text(x + 6, place.y + HEAD + 13, head[number], width - 10, size=13)
        for line, row in enumerate(rows):
            colour = COLOURS.get(row[number], INK)
            yield Text(x + 6, place.y + HEAD + 42 + 26 * line, row[number], width - 10, size=13, colour=colour)
        x += width


def pie(groups: Mapping[str, int], place: Box) -> Iterator[Mark]:
    """Yield a pie and its legend."""
    total, done = sum(groups.values()), 0
    radius = (place.height - HEAD - 20) // 2
    for (name, count), colour in zip(groups.items(), PALETTE, strict=False):
        fill = COLOURS.get(name, colour)
        ends = 360 * (done + count) // total
        yield Slice(place.x + 30 + radius, place.y + HEAD + radius + 4, radius, 360 * done // total, ends, fill)
        done += count
    yield from legend(groups, place.x + 60 + 2 * radius, place)


def legend(groups: Mapping[str, int], x: int, place: Box) -> Iterator[Mark]:
    """Yield the names and numbers beside a pie."""
    for number, ((name, count), colour) in enumerate(zip(groups.items(), PALETTE, strict=False)):
        y = place.y + HEAD + 26 + 28 * number
        yield Box(x, y - 7, 14, 14, COLOURS.get(name, colour))
        yield Text(x + 24, y, f"{name}: {count}", place.x + place.width - x - 30)


def bars(groups: Mapping[str, int], place: Box) -> Iterator[Mark]:
    """Yield level bars with their names."""
    room = place.width - 170
    for number, ((name, count), colour) in enumerate(zip(groups.items(), PALETTE, strict=False)):
        y = place.y + HEAD + 30 + 44 * number
        yield Text(place.x + 14, y, name, 90, size=13)
        yield Box(place.x + 110, y - 13, max(4, room * count // max(groups.values())), 26, colour)
        yield Text(place.x + place.width - 16, y, str(count), 40, anchor="rm")


def digest(marks: Sequence[Mark]) -> str:
    """Return what tells two drawings apart: a hash of all that is drawn."""
    drawn = json.dumps([EDITION, *([type(mark).__name__, *astuple(mark)] for mark in marks)])
    return hashlib.sha256(drawn.encode()).hexdigest()


def paint(marks: Sequence[Mark]) -> Image.Image:
    """Return the picture of what is drawn."""
    boxes = [mark for mark in marks if isinstance(mark, Box)]
    width = max(box.x + box.width for box in boxes) + 2 * MARGIN
    height = max(box.y + box.height for box in boxes) + 2 * MARGIN + HEAD
    image = Image.new("RGB", (width * FINE, height * FINE), PAGE)
    pen = ImageDraw.Draw(image)

    def at(x: int, y: int) -> tuple[int, int]:
        return (x + MARGIN) * FINE, (y + MARGIN + HEAD) * FINE

    for mark in marks:
        if isinstance(mark, Box):
            corners = (*at(mark.x, mark.y), *at(mark.x + mark.width, mark.y + mark.height))
            pen.rounded_rectangle(corners, 5 * FINE, fill=mark.fill, outline=mark.edge or None, width=FINE)
        elif isinstance(mark, Slice):
            corners = (*at(mark.x - mark.radius, mark.y - mark.radius), *at(mark.x + mark.radius, mark.y + mark.radius))
            pen.pieslice(corners, mark.start - 90, mark.end - 90, fill=mark.fill, outline=PAPER, width=FINE)
        else:
            line = shortened(pen, mark)
            pen.text(at(mark.x, mark.y), line, fill=mark.colour, font=font(mark.size), anchor=mark.anchor)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def shortened(pen: ImageDraw.ImageDraw, mark: Text) -> str:
    """Return a text as far as it has room, with an ellipsis where it is cut."""
    text = mark.text
    while text and pen.textlength(text if text == mark.text else f"{text}...", font=font(mark.size)) > mark.width * FINE:
        text = text[:-1]
    return text if text == mark.text else f"{text.rstrip()}..."


@dataclass(frozen=True)
class Drawing:
    """The picture of a layout or dashboard: where it lies, and what is drawn."""

    path: Path
    marks: tuple[Mark, ...]


def panel_drawings(pack: Path = PACK) -> list[Drawing]:
    """Return the drawings of the pack's layouts and dashboards."""
    kinds = (("Layouts/layoutscontainer-", layout_marks), ("Dashboards/dashboard-", dashboard_marks))
    return [
        Drawing(
            pack / "doc_files" / f"{path.stem.replace('layoutscontainer-', 'Layout_').replace('dashboard-', 'Dashboard_')}.png",
            tuple(marks_of(json.loads(path.read_text(encoding="utf-8")))),
        )
        for prefix, marks_of in kinds
        for path in sorted(pack.glob(f"{prefix}*.json"))
    ]


def write_drawing(drawing: Drawing) -> Path:
    """Paint a drawing and return the path of its picture."""
    about = PngImagePlugin.PngInfo()
    about.add_text(DIGEST_KEY, digest(drawing.marks))
    drawing.path.parent.mkdir(exist_ok=True)
    # Of the ways to reduce the colours, this one keeps those that few pixels have.
    paint(drawing.marks).quantize(method=Image.Quantize.MAXCOVERAGE).save(drawing.path, optimize=True, pnginfo=about)
    return drawing.path


def main() -> None:
    """Draw all pictures of the pack."""
    written = [write_picture(playbook) for playbook in sorted(PACK.glob("Playbooks/*.yml"))]
    written += [write_drawing(drawing) for drawing in panel_drawings()]
    for path in written:
        sys.stdout.write(f"Wrote {path.relative_to(ROOT)}.\n")


if __name__ == "__main__":
    main()
