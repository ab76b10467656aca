"""Plots of lines as SVG text: axes with units, a legend, nothing to install and nothing that runs in a browser."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 80, 20, 44, 76
COLOURS = ("#1f5fa8", "#c4581a", "#2c7a3f", "#8a3a9b", "#666666")
DASHES = ("", "6 3", "2 3", "9 3 2 3", "1 2")  # So that lines differ without colour, too.


@dataclass(frozen=True)
class Series:
    """A line: its name in the legend, and its points."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def line_plot(title: str, x_axis: str, y_axis: str, series: Sequence[Series]) -> str:
    """Return a plot of some lines as SVG; the y axis begins at 0, both end at a round number.

    Raises:
        ValueError: there is no point, or a series has not as many x as y.
    """
    points = [point for line in series for point in zip(line.x, line.y, strict=True)]
    if not points:
        raise ValueError("A plot needs a point at least.")
    x_ticks = ticks(min(x for x, _ in points), max(x for x, _ in points))
    y_ticks = ticks(min(0.0, *(y for _, y in points)), max(y for _, y in points))

    def across(x: float) -> float:
        return LEFT + (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]) * (WIDTH - LEFT - RIGHT)

    def up(y: float) -> float:
        return HEIGHT - BOTTOM - (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * (HEIGHT - TOP - BOTTOM)

    def text(x: float, y: float, words: str, anchor: str = "middle", more: str = "") -> str:
        return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(words)}</text>'

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        ' font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        text(WIDTH / 2, 24, title, more=' font-size="15"'),
    ]
    for tick in y_ticks:
        parts.append(f'<path d="M{LEFT} {up(tick):.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>')
        parts.append(text(LEFT - 8, up(tick) + 4, f"{tick:,g}", "end"))
    for tick in x_ticks:
        parts.append(f'<path d="M{across(tick):.1f} {HEIGHT - BOTTOM}v5" stroke="#333333"/>')
        parts.append(text(across(tick), HEIGHT - BOTTOM + 18, f"{tick:,g}"))
    parts.append(f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="#333333"/>')
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 38, x_axis))
    parts.append(
        text(18, (TOP + HEIGHT - BOTTOM) / 2, y_axis, more=f' transform="rotate(-90 18 {(TOP + HEIGHT - BOTTOM) / 2:.1f})"')
    )
    for number, line in enumerate(series):
        look = f'stroke="{COLOURS[number % len(COLOURS)]}" stroke-width="1.5" stroke-dasharray="{DASHES[number % len(DASHES)]}"'
        corners = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in zip(line.x, line.y, strict=True))
        parts.append(f'<polyline points="{corners}" fill="none" {look}/>')
        left = LEFT + number * (WIDTH - LEFT - RIGHT) / len(series)
        parts.append(f'<path d="M{left:.1f} {HEIGHT - 16}h28" {look}/>')
        parts.append(text(left + 34, HEIGHT - 12, line.name, "start"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def ticks(lowest: float, highest: float) -> list[float]:
    """Return four to ten round numbers, evenly apart, that reach from below the lowest to above the highest."""
    span = (highest - lowest) or abs(highest) or 1.0
    rough = span / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough)
    first, last = math.floor(lowest / step), math.ceil(highest / step)
    return [round(number * step, 12) for number in range(first, max(last, first + 1) + 1)]
