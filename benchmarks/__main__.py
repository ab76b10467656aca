"""Run the measurements; print a table and write dist/bench.json."""

import json
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import calls, fetch_cpu

RESULT = Path(__file__).resolve().parents[1] / "dist" / "bench.json"


def main() -> int:
    """Measure, show and write."""
    measured = [fetch_cpu.measure(), *calls.measure()]
    table = Table("work", "measured", "compared with", "must be", "holds")
    for row in measured:
        table.add_row(row["work"], row["measured"], row["compared with"], row["must be"], "yes" if row["holds"] else "no")
    Console(width=150).print(table)
    RESULT.parent.mkdir(exist_ok=True)
    about = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    RESULT.write_text(json.dumps({**about, "measured": measured}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
