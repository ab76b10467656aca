"""Run the measurements; print a table and write dist/bench.json.

    python -m benchmarks [--only PART ...] [--docs]

`--docs` also writes the table and the plots of the growth to docs/.
"""

import argparse
import json
import os
import platform
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import calls, fetch_cpu, growth, latency, memory, proof, start

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "dist" / "bench.json"
DOCUMENT = ROOT / "docs" / "performance.md"
COLUMNS = ("work", "measured", "compared with", "must be", "holds")
PACKAGES = ("requests", "urllib3", "dateparser", "starlette", "uvicorn")
PARTS = ("cpu", "latency", "calls", "proof", "memory", "growth", "start")


def main() -> int:
    """Measure, show and write."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure the pack, each figure beside its floor.")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="measure these parts alone")
    parser.add_argument("--docs", action="store_true", help="write the table and the plots of the growth to docs/")
    wanted = parser.parse_args()
    if wanted.docs and wanted.only != PARTS:
        parser.error("--docs is for a run of all parts: leave --only out")
    about = {"date": datetime.now(UTC).isoformat(timespec="seconds"), **machine()}
    plots: dict[str, str] = {}
    before = processor_time()

    def grow() -> list[dict[str, Any]]:
        rows, drawn = growth.measure()
        plots.update(drawn)
        return rows

    parts: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "cpu": lambda: [fetch_cpu.measure()],
        "latency": latency.measure,
        "calls": calls.measure,
        "proof": proof.measure,
        "memory": memory.measure,
        "growth": grow,
        "start": start.measure,
    }
    console = Console(width=190)
    measured: list[dict[str, Any]] = []
    for name in PARTS:
        if name in wanted.only:
            console.print(f"Measuring: {name}", style="dim")
            measured += parts[name]()
    table = Table(*COLUMNS, show_lines=True)
    for row in measured:
        table.add_row(*cells(row))
    console.print(table)
    RESULT.parent.mkdir(exist_ok=True)
    about["load at the end"] = load()
    about["stolen"] = stolen(before, processor_time())
    RESULT.write_text(json.dumps({**about, "measured": measured}, indent=2) + "\n", encoding="utf-8")
    if wanted.docs:
        DOCUMENT.write_text(with_run(DOCUMENT.read_text(encoding="utf-8"), about, measured), encoding="utf-8")
        for name, drawn in plots.items():
            (ROOT / "docs" / f"{name}.svg").write_text(drawn, encoding="utf-8")
    return 0


def cells(row: dict[str, Any]) -> list[str]:
    """Return a row as the table shows it."""
    return [*(row[name] for name in COLUMNS[:-1]), "yes" if row["holds"] else "**no**"]


def with_run(text: str, about: dict[str, Any], measured: list[dict[str, Any]]) -> str:
    """Return the document with its section "A run" as this run was."""
    first, last = about["load at the beginning"][0], about["load at the end"][0]
    packages = ", ".join(f"`{name}` {number}" for name, number in about["packages"].items())
    lines = [
        f"`make bench ARGS=--docs` on {about['date'][:10]}, {about['machine']} with {about['processors']} virtual processors, of "
        f"which {first} were busy when it began and {last} when it ended, and other machines took {about['stolen']:.0%} of the "
        f"time; Python {about['python']}, {packages}:",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
        *(f"| {' | '.join(cells(row))} |" for row in measured),
    ]
    return re.sub(r"(?s)(?<=\n## A run\n\n).*?(?=\n\n## )", lambda _: "\n".join(lines), text)


def machine() -> dict[str, Any]:
    """Return what the figures were taken on."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
        "processors": os.cpu_count(),
        "packages": {name: version(name) for name in PACKAGES},
        "load at the beginning": load(),
    }


def processor_time() -> list[int]:
    """Return what the processors have done since the machine began, in ticks by kind (proc(5), "stat"); zeros elsewhere."""
    counts = Path("/proc/stat")
    return [int(number) for number in counts.read_text().splitlines()[0].split()[1:9]] if counts.exists() else [0] * 8


def stolen(before: list[int], after: list[int]) -> float:
    """Return the part of the busy time that a virtual machine's host gave to others meanwhile."""
    user, nice, system, _idle, _wait, interrupts, soft, steal = (last - first for first, last in zip(before, after, strict=True))
    busy = user + nice + system + interrupts + soft + steal
    return steal / busy if busy else 0.0


def load() -> list[float]:
    """Return how many processes wanted a processor in the last 1, 5 and 15 minutes."""
    return [round(average, 2) for average in os.getloadavg()]


if __name__ == "__main__":
    sys.exit(main())
