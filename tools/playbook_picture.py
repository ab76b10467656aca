"""Draws the playbooks of the pack from their yml: a picture each in doc_files, for their READMEs. `pack_pictures.py` runs it.

A picture holds the digest of what it was drawn from, so that a test can tell when a playbook has changed and its picture has not.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

ROOT = Path(__file__).resolve().parent.parent
PACK = ROOT / "Packs/XSOARMirroring"

# Changes with the way of drawing, so that all pictures are drawn anew.
EDITION = 1
DIGEST_KEY = "digest"

WIDTH, HEIGHT, MARGIN, LANE, GAP = 340, 74, 40, 26, 22
FINE = 2  # Drawn at twice its size and made smaller, which smooths the edges.
INK, GREY, LINE, PAPER = "#1f2933", "#5a6672", "#7b8794", "#ffffff"
FILL = {"start": "#d8f0e0", "title": "#e4e7eb", "condition": "#fff3d1", "regular": "#e3eefb"}
EDGE_OF = {"start": "#2f8f57", "title": "#7b8794", "condition": "#b7791f", "regular": "#2b6cb0"}
# What the labels of the platform's own mean to a reader.
LABELS = {"#none#": "", "#default#": "else", "#error#": "on error"}

Point = tuple[int, int]
Box = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(frozen=True)
class Node:
    """A task as it is drawn: `detail` is its script or command, `exits` are pairs of a label and a task."""

    id: str
    kind: str
    name: str
    detail: str
    x: int
    y: int
    exits: tuple[tuple[str, str], ...]

    @property
    def box(self) -> Box:
        """The room it takes."""
        return self.x, self.y, self.x + WIDTH, self.y + HEIGHT

    @property
    def top(self) -> Point:
        """Where lines arrive."""
        return self.x + WIDTH // 2, self.y

    @property
    def bottom(self) -> Point:
        """Where lines leave."""
        return self.x + WIDTH // 2, self.y + HEIGHT


def read_nodes(playbook: Mapping[str, Any]) -> list[Node]:
    """Return the tasks of a playbook's yml, in the order of their numbers."""
    return [_node(key, task) for key, task in sorted(playbook["tasks"].items(), key=lambda item: int(item[0]))]


def _node(key: str, task: Mapping[str, Any]) -> Node:
    about, position = task["task"], json.loads(task["view"])["position"]
    exits = tuple(
        (LABELS.get(label, label), str(target)) for label, targets in (task.get("nexttasks") or {}).items() for target in targets
    )
    return Node(
        id=str(key),
        kind=task["type"],
        name="Playbook triggered" if task["type"] == "start" else about["name"],
        detail=about.get("scriptName") or str(about.get("script") or "").rpartition("|||")[2],
        x=int(position["x"]),
        y=int(position["y"]),
        exits=exits,
    )


def digest(nodes: Iterable[Node]) -> str:
    """Return what tells two drawings apart: a hash of all that is drawn."""
    drawn = json.dumps([EDITION, *(asdict(node) for node in nodes)], sort_keys=True)
    return hashlib.sha256(drawn.encode()).hexdigest()


def stored_digest(picture: Path) -> str:
    """Return the digest that a picture holds, empty when it holds none."""
    with Image.open(picture) as image:
        return str(image.info.get(DIGEST_KEY, ""))


def route(source: Node, target: Node, nodes: Iterable[Node]) -> list[Point]:
    """Return the shortest line from one task to another, made of upright and level pieces, that runs through no task."""
    boxes = [node.box for node in nodes]
    (x1, y1), (x2, y2) = source.bottom, target.top
    lanes = sorted({x1, x2, *(box[0] - LANE for box in boxes), *(box[2] + LANE for box in boxes)})
    leaves, arrives = y1 + GAP, y2 - GAP
    ways = [
        _without_repeats([(x1, y1), (x1, leaves), (lane, leaves), (lane, arrives), (x2, arrives), (x2, y2)]) for lane in lanes
    ]
    free = [way for way in ways if not any(_crosses(piece, box) for piece in pairwise(way) for box in boxes)]
    # Where there is no free way a line through a task is better than none. Of equal ones, the one that turns first looks best.
    return min(free or ways, key=lambda way: (_length(way), len(way), way[1][1]))


def _without_repeats(points: list[Point]) -> list[Point]:
    """Leave out points on a straight line between their neighbours, and those that stand twice."""
    kept: list[Point] = []
    for point in points:
        if kept and kept[-1] == point:
            continue
        if len(kept) > 1 and (kept[-2][0] == kept[-1][0] == point[0] or kept[-2][1] == kept[-1][1] == point[1]):
            kept.pop()
        kept.append(point)
    return kept


def _length(way: list[Point]) -> int:
    return sum(abs(x1 - x2) + abs(y1 - y2) for (x1, y1), (x2, y2) in pairwise(way))


def _crosses(piece: tuple[Point, Point], box: Box) -> bool:
    """Return whether an upright or level piece runs through the inside of a box."""
    (x1, y1), (x2, y2) = piece
    return _overlap((min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)), box)


def _overlap(one: Box, other: Box) -> bool:
    """Return whether two boxes have room in common; touching is not overlapping. A line is a box without width or height."""
    return one[2] > other[0] and one[0] < other[2] and one[3] > other[1] and one[1] < other[3]


def draw(nodes: list[Node]) -> Image.Image:
    """Return the picture of the tasks: boxes where the playbook editor shows them, and the lines between them."""
    ways = [(label, route(node, target, nodes)) for node in nodes for label, target in _exits(node, nodes)]
    points = [
        *(point for _, way in ways for point in way),
        *(corner for node in nodes for corner in (node.box[:2], node.box[2:])),
    ]
    left, top = min(x for x, _ in points) - MARGIN, min(y for _, y in points) - MARGIN
    size = (max(x for x, _ in points) + MARGIN - left, max(y for _, y in points) + MARGIN - top)
    image = Image.new("RGB", (size[0] * FINE, size[1] * FINE), PAPER)
    pen = Pen(ImageDraw.Draw(image), left, top)
    for _, way in ways:
        pen.line(way)
    for node in nodes:
        pen.box(node)
    for label, way in ways:
        pen.label(label, way, [node.box for node in nodes])
    return image.resize(size, Image.Resampling.LANCZOS)


def _exits(node: Node, nodes: list[Node]) -> Iterator[tuple[str, Node]]:
    by_id = {other.id: other for other in nodes}
    return ((label, by_id[target]) for label, target in node.exits)


@dataclass(frozen=True)
class Pen:
    """Draws on a picture in the playbook editor's own measures; `left` and `top` are the picture's corner there."""

    on: ImageDraw.ImageDraw
    left: int
    top: int

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point of the editor lies on the picture."""
        return (x - self.left) * FINE, (y - self.top) * FINE

    def line(self, way: list[Point]) -> None:
        """Draw a line with an arrow at its end."""
        self.on.line([self.at(*point) for point in way], fill=LINE, width=2 * FINE, joint="curve")
        x, y = way[-1]
        self.on.polygon([self.at(x, y), self.at(x - 6, y - 10), self.at(x + 6, y - 10)], fill=LINE)

    def label(self, text: str, way: list[Point], boxes: list[Box]) -> None:
        """Write a label on the longest piece of a line, beside all boxes, and nearer to its end: lines may begin as one."""
        if not text:
            return
        (x1, y1), (x2, y2) = max(pairwise(way), key=lambda piece: _length(list(piece)))
        half = int(self.on.textlength(text, font=font(14)) / FINE / 2) + 5
        places = [(round(x1 + (x2 - x1) * part / 12), round(y1 + (y2 - y1) * part / 12)) for part in (8, 7, 9, 6, 10, 5)]
        free = [(x, y) for x, y in places if not any(_overlap((x - half, y - 10, x + half, y + 10), box) for box in boxes)]
        x, y = (free or places)[0]
        self.on.rectangle((*self.at(x - half, y - 10), *self.at(x + half, y + 10)), fill=PAPER)
        self.on.text(self.at(x, y), text, fill=INK, font=font(14), anchor="mm")

    def box(self, node: Node) -> None:
        """Draw a task: its name, and below it the script or command that it runs."""
        corners = (*self.at(*node.box[:2]), *self.at(*node.box[2:]))
        radius = HEIGHT // 2 if node.kind == "start" else 8
        fill, edge = FILL.get(node.kind, FILL["regular"]), EDGE_OF.get(node.kind, EDGE_OF["regular"])
        self.on.rounded_rectangle(corners, radius * FINE, fill=fill, outline=edge, width=2 * FINE)
        if node.kind == "condition":
            self._diamond(node.x + 24, node.y + HEIGHT // 2, edge)
        lines = [(part, 17, INK) for part in self._wrapped(node.name, WIDTH - (84 if node.kind == "condition" else 30))]
        lines += [(node.detail, 13, GREY)] if node.detail else []
        first = node.y + HEIGHT / 2 - 11 * (len(lines) - 1)
        for number, (text, size, colour) in enumerate(lines):
            self.on.text(self.at(node.x + WIDTH / 2, first + 22 * number), text, fill=colour, font=font(size), anchor="mm")

    def _diamond(self, x: int, y: int, colour: str) -> None:
        self.on.polygon([self.at(x - 11, y), self.at(x, y - 11), self.at(x + 11, y), self.at(x, y + 11)], fill=colour)
        self.on.text(self.at(x, y), "?", fill=PAPER, font=font(14), anchor="mm")

    def _wrapped(self, text: str, width: int) -> list[str]:
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".strip()
            if self.on.textlength(longer, font=font(17)) <= width * FINE:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font that Pillow brings along, so that a picture is the same on every machine."""
    return ImageFont.load_default(size * FINE)


def picture_of(playbook: Path) -> Path:
    """Return where the picture of a playbook lies: demisto-sdk looks for it there."""
    return playbook.parent.parent / "doc_files" / f"{playbook.stem.removeprefix('playbook-')}.png"


def write_picture(playbook: Path) -> Path:
    """Draw a playbook and return the path of its picture."""
    nodes = read_nodes(yaml.safe_load(playbook.read_text(encoding="utf-8")))
    about = PngImagePlugin.PngInfo()
    about.add_text(DIGEST_KEY, digest(nodes))
    picture = picture_of(playbook)
    picture.parent.mkdir(exist_ok=True)
    draw(nodes).save(picture, optimize=True, pnginfo=about)
    return picture
