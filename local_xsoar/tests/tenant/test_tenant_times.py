"""Times: read with any precision and offset, written as the server writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_xsoar.tenant.times import ZERO_TIME, format_iso, parse_iso, parse_moment

CREATED = 1_678_010_808_446_441_591


@pytest.mark.parametrize(
    "text",
    [
        "2023-03-05T10:06:48.446441591Z",
        "2023-03-05T12:06:48.446441591+02:00",
        "2023-03-05T06:36:48.446441591-0330",
        "2023-03-05 10:06:48.4464415919999",
    ],
)
def test_one_instant_is_read_from_any_spelling(text: str) -> None:
    """
    Given: one instant written with different offsets, separators and numbers of digits.
    When: it is read.
    Then: it is the same nanosecond.
    """
    assert parse_iso(text) == CREATED


@pytest.mark.parametrize(("text", "expected"), [("2023-03-05", 1_677_974_400), ("2023-03-05T10:06Z", 1_678_010_760)])
def test_missing_parts_of_a_time_are_zero(text: str, expected: int) -> None:
    """
    Given: a day, or a time without seconds.
    When: it is read.
    Then: what is missing is zero.
    """
    assert parse_iso(text) == expected * 1_000_000_000


@pytest.mark.parametrize("text", ["banana", "", "2023-13-01", "2023-03-05T25:00:00Z", "2023-03-05T10:06:48Zulu", "5.3.2023"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """
    Given: a text that is no ISO time.
    When: it is read.
    Then: it is refused.
    """
    with pytest.raises(ValueError):
        parse_iso(text)


@pytest.mark.parametrize(
    ("fraction", "written"),
    [(0, ""), (380_000_000, ".38"), (300_000_000, ".3"), (1, ".000000001"), (446_441_591, ".446441591")],
)
def test_trailing_zeros_of_the_fraction_are_trimmed(fraction: int, written: str) -> None:
    """
    Given: times whose fraction ends in zeros.
    When: they are written.
    Then: the zeros are gone, as in the samples of the 8.x documents.
    """
    assert format_iso(1_678_010_808_000_000_000 + fraction) == f"2023-03-05T10:06:48{written}Z"


@pytest.mark.parametrize(("minutes", "written"), [(120, "12:06:48+02:00"), (-210, "06:36:48-03:30")])
def test_a_local_offset_is_shown(minutes: int, written: str) -> None:
    """
    Given: an offset.
    When: a time is written.
    Then: it is the local time with the offset behind it.
    """
    assert format_iso(1_678_010_808_000_000_000, minutes) == f"2023-03-05T{written}"


def test_an_unset_time_is_year_one() -> None:
    """
    Given: no time.
    When: it is written and read again.
    Then: it is year 1 on the wire and no time inside.
    """
    assert format_iso(None) == ZERO_TIME
    assert parse_iso(ZERO_TIME) is None


@given(st.integers(min_value=-(10**18), max_value=5 * 10**18), st.integers(min_value=-14 * 60, max_value=14 * 60))
def test_writing_and_reading_loses_nothing(nanoseconds: int, offset_minutes: int) -> None:
    """
    Given: any instant and any offset.
    When: it is written and read again.
    Then: it is the same nanosecond.
    """
    assert parse_iso(format_iso(nanoseconds, offset_minutes)) == nanoseconds


@pytest.mark.parametrize(
    ("text", "seconds"), [("3 days ago", 3 * 86400), ("2 weeks ago", 14 * 86400), ("90 minutes ago", 5400), ("1 hour ago", 3600)]
)
def test_relative_times_count_from_the_tenants_clock(text: str, seconds: int) -> None:
    """
    Given: a relative time, and a clock that stands in 2023.
    When: it is read.
    Then: it lies so long before that clock's time, not before the machine's.
    """
    now = 1_678_010_808_000_000_000
    assert parse_moment(text, now) == now - seconds * 1_000_000_000
