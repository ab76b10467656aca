"""Times as the server gives them to scripts."""

from datetime import UTC, datetime


def iso(nanoseconds: int) -> str:
    """Return epoch nanoseconds as an ISO time in UTC, trailing zeros of the fraction trimmed: 2023-03-05T10:06:48.446441591Z."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{fraction:09d}".rstrip("0").rstrip(".") + "Z"
