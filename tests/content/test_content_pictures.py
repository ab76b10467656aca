"""Checks of the pictures of the layout and the dashboard: they show what the items hold, and say that the data is an example."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.content.pack_items import PACK, of, script_constant, the
from tools.pack_pictures import (
    GROUPS,
    HEALTH,
    INCIDENTS,
    NUMBERS,
    Box,
    Drawing,
    Mark,
    Slice,
    Text,
    dashboard_marks,
    digest,
    layout_marks,
    paint,
    panel_drawings,
    write_drawing,
)
from tools.playbook_picture import picture_of, stored_digest

DRAWINGS = panel_drawings()
drawings = pytest.mark.parametrize("drawing", DRAWINGS, ids=[drawing.path.stem for drawing in DRAWINGS])


def said(marks: tuple[Mark, ...]) -> list[str]:
    """Return the texts of a drawing."""
    return [mark.text for mark in marks if isinstance(mark, Text)]


@drawings
def test_picture_is_up_to_date(drawing: Drawing) -> None:
    """
    Given: the picture of a layout or dashboard.
    When: the digest in it is compared with what the item holds.
    Then: they agree; otherwise run `make docs`.
    """
    assert stored_digest(drawing.path) == digest(drawing.marks)


def test_there_is_no_picture_without_an_item() -> None:
    """
    Given: the pictures of the pack.
    When: they are compared with its items.
    Then: each belongs to a playbook, a layout or a dashboard, and none is large.
    """
    pictures = set((PACK / "doc_files").iterdir())
    assert pictures == {*(picture_of(item.path) for item in of("Playbooks")), *(drawing.path for drawing in DRAWINGS)}
    assert max(picture.stat().st_size for picture in pictures) < 200_000


@drawings
def test_a_picture_says_that_it_is_an_example(drawing: Drawing) -> None:
    """
    Given: the drawing of a layout or dashboard.
    When: its headline is read.
    Then: it names the item and says that the data is made up.
    """
    title, note, *_ = said(drawing.marks)
    assert "XSOAR Mirror" in title
    assert note == "Example: the data is made up"


def test_the_layout_shows_every_section_field_and_button() -> None:
    """
    Given: the layout.
    When: its drawing is read.
    Then: each section stands there with its name, each button with its words, and each field in its section.
    """
    tab = next(tab for tab in the("Layouts")["detailsV2"]["tabs"] if tab["type"] == "custom")
    texts = Counter(said(tuple(layout_marks(the("Layouts")))))
    assert {section["name"] for section in tab["sections"]} <= texts.keys()
    buttons = [part["name"] for section in tab["sections"] for part in section["items"] if part["sectionItemType"] == "button"]
    assert {"Compare with remote", "Resync", "Create in remote"} == set(buttons) <= texts.keys()
    assert {item.data["name"] for item in of("IncidentFields")} <= texts.keys()


def test_the_dashboard_shows_every_widget_and_its_numbers_agree() -> None:
    """
    Given: the dashboard.
    When: its drawing is read.
    Then: each widget stands there with its name, the first with the columns of its script; and the made-up numbers agree with
        each other, as those of a dashboard do.
    """
    texts = said(tuple(dashboard_marks(the("Dashboards"))))
    assert {part["widget"]["name"] for part in the("Dashboards")["layout"]} <= set(texts)
    assert list(HEALTH[0]) == script_constant("XSOARMirroringHealth", "COLUMNS")
    assert {sum(groups.values()) for groups in GROUPS.values()} == {NUMBERS["Open Mirrored Incidents"]}
    states = GROUPS["xsoarmirroringstate"]
    assert states["Behind"] + states["Error"] == NUMBERS["Behind or in Error"]
    assert Counter(incident[2] for incident in INCIDENTS if incident[2] != "In Step") == {"Behind": 1, "Error": 2}


def test_all_lies_on_the_picture() -> None:
    """
    Given: the drawings.
    When: the places of boxes, pies and texts are read.
    Then: none begins left of the picture, and none but the headline above the first panel; none ends beyond the last panel.
    """
    for drawing in DRAWINGS:
        boxes = [mark for mark in drawing.marks if isinstance(mark, Box)]
        right, bottom = max(box.x + box.width for box in boxes), max(box.y + box.height for box in boxes)
        for mark in drawing.marks:
            assert 0 <= mark.x <= right
            assert mark.y <= bottom
            if isinstance(mark, Slice):
                assert mark.x - mark.radius >= 0
                assert mark.y + mark.radius <= bottom


def small_layout(name: str) -> dict[str, Any]:
    """Return a layout with one section."""
    field = {"sectionItemType": "field", "fieldId": "severity", "startCol": 0, "endCol": 2}
    section = {"name": name, "x": 0, "y": 0, "w": 1, "h": 1, "items": [field]}
    return {"name": "Small", "detailsV2": {"tabs": [{"type": "custom", "name": "Tab", "sections": [section]}]}}


def test_a_picture_is_the_same_each_time_and_tells_what_it_shows(tmp_path: Path) -> None:
    """
    Given: a layout.
    When: it is drawn twice, and once more after a section got another name.
    Then: the first two pictures are equal to the last byte, and the third has another digest.
    """
    drawing = Drawing(tmp_path / "doc_files" / "small.png", tuple(layout_marks(small_layout("Case"))))
    first = write_drawing(drawing).read_bytes()
    assert write_drawing(drawing).read_bytes() == first
    other = Drawing(drawing.path, tuple(layout_marks(small_layout("Incident"))))
    assert stored_digest(write_drawing(other)) == digest(other.marks) != digest(drawing.marks)


def test_a_text_without_room_is_cut() -> None:
    """
    Given: a text that is wider than its room, and none but the paper around it.
    When: it is painted.
    Then: nothing is painted beyond its room.
    """
    box = Box(0, 0, 300, 40, "#ffffff")
    image = paint((box, Text(10, 20, "a text that is much too long for its room" * 3, 60))).convert("L")
    found = image.point(lambda value: 255 if value < 100 else 0).getbbox()
    assert found
    assert found[2] < 24 + 10 + 60 + 2


def test_a_pie_is_painted_in_its_colours() -> None:
    """
    Given: a pie of two halves.
    When: it is painted.
    Then: the right half has the first colour and the left half the second.
    """
    halves = (Box(0, 0, 120, 120, "#ffffff"), Slice(60, 60, 50, 0, 180, "#ff0000"), Slice(60, 60, 50, 180, 360, "#0000ff"))
    image: Image.Image = paint(halves)
    # The margin, and room for the headline.
    assert image.getpixel((24 + 80, 24 + 34 + 60)) == (255, 0, 0)
    assert image.getpixel((24 + 40, 24 + 34 + 60)) == (0, 0, 255)
