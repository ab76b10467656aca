"""Times as a tenant reads and writes them: epoch nanoseconds inside, text outside.

6.x keeps nanoseconds and may show a local offset; 8.x keeps `created` and `modified` in milliseconds. Both trim trailing
zeros of the fraction and write an unset time as year 1 (XSOAR REST API: dates and precision).
"""

import re
from datetime import UTC, datetime, timedelta

ZERO_TIME = "0001-01-01T00:00:00Z"
SECOND = 1_000_000_000
MILLISECOND = 1_000_000
MINUTE = 60 * SECOND

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?"
    r"\s*([Zz]|[+-]\d\d:?\d\d)?"
)
_EPOCH = datetime(1970, 1, 1)


def parse_iso(text: str) -> int | None:
    """Return the epoch nanoseconds of an ISO 8601 time, or None when the text stands for "unset" (year 1).

    Any number of fractional digits (those after the ninth are dropped) and any offset; without an offset it is UTC.

    Raises:
        ValueError: the text is not such a time.
    """
    match = _ISO.fullmatch(text.strip())
    if not match:
        raise ValueError(f'"{text}" is not a time such as 2023-03-05T10:06:48Z')
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    try:
        moment = datetime(year, month, day, hour, minute, second)
    except ValueError as error:
        raise ValueError(f'"{text}" is not a time: {error}')
    if year == 1:
        return None
    fraction = int((match[7] or "")[:9].ljust(9, "0"))
    difference = moment - _EPOCH
    return (difference.days * 86400 + difference.seconds) * SECOND + fraction - _offset_minutes(match[8]) * MINUTE


def _offset_minutes(text: str | None) -> int:
    if not text or text in "Zz":
        return 0
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return -minutes if text[0] == "-" else minutes


def format_iso(nanoseconds: int | None, offset_minutes: int = 0) -> str:
    """Return the time as the server writes it: trailing zeros of the fraction trimmed, `Z` or the offset at the end."""
    if nanoseconds is None:
        return ZERO_TIME
    seconds, fraction = divmod(nanoseconds, SECOND)
    text = (_EPOCH + timedelta(seconds=seconds, minutes=offset_minutes)).isoformat(timespec="seconds")
    if fraction:
        text += f".{fraction:09d}".rstrip("0")
    if not offset_minutes:
        return f"{text}Z"
    hours, minutes = divmod(abs(offset_minutes), 60)
    return f"{text}{'-' if offset_minutes < 0 else '+'}{hours:02d}:{minutes:02d}"


def in_64_bits(nanoseconds: int) -> int:
    """Return the time, or the first or last one (of 1677 and 2262) that the database's integers reach."""
    return max(-(2**63), min(nanoseconds, 2**63 - 1))


def to_milliseconds(nanoseconds: int) -> int:
    """Return the time cut to whole milliseconds, still in nanoseconds."""
    return nanoseconds // MILLISECOND * MILLISECOND


def is_date_only(text: str) -> bool:
    """Say whether the text names a day and no time of day."""
    return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", text.strip()))


def parse_moment(text: str, now: int) -> int | None:
    """Return the epoch nanoseconds of an ISO time or of a relative one such as "3 days ago"; None for year 1.

    Raises:
        ValueError: the text is neither.
    """
    if re.match(r"\s*\d{4}-\d\d-\d\d", text):
        return parse_iso(text)
    import dateparser  # slow to load, and most queries hold ISO times

    base = _EPOCH + timedelta(microseconds=now // 1000)
    parsed = dateparser.parse(
        text, languages=["en"], settings={"RELATIVE_BASE": base, "TIMEZONE": "UTC", "RETURN_AS_TIMEZONE_AWARE": True}
    )
    if parsed is None:
        raise ValueError(f'"{text}" is no time: give one such as "3 days ago" or 2023-03-05T10:06:48Z')
    difference = parsed.astimezone(UTC).replace(tzinfo=None) - _EPOCH
    return (difference.days * 86400 + difference.seconds) * SECOND + difference.microseconds * 1000
