"""What `make bench` measures: ratios within one run, since machines are noisy."""

from typing import Any


def row(work: str, measured: str, compared_with: str, must_be: str, holds: bool) -> dict[str, Any]:
    """Return one row of the table."""
    return {"work": work, "measured": measured, "compared with": compared_with, "must be": must_be, "holds": holds}
