"""Tests of how times are read and written, and of the names that files get."""

from typing import Any

import pytest

import XSOARMirroring as script


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        pytest.param("2023-03-05T10:06:48.446441591Z", 1_678_010_808_446_441_591, id="9 digits"),
        pytest.param("2024-02-21T09:28:52.38Z", 1_708_507_732_380_000_000, id="trimmed milliseconds"),
        pytest.param("2024-02-21T09:28:15Z", 1_708_507_695_000_000_000, id="no fraction"),
        pytest.param("2024-02-21T12:28:15.3+03:00", 1_708_507_695_300_000_000, id="offset"),
        pytest.param("2024-02-21T04:58:15-0430", 1_708_507_695_000_000_000, id="offset without a colon"),
        pytest.param("2024-02-21t09:28:15z", 1_708_507_695_000_000_000, id="small letters"),
        pytest.param(" 2024-02-21 09:28:15 ", 1_708_507_695_000_000_000, id="no zone"),
        pytest.param("1970-01-01T00:00:00.000000001Z", 1, id="the smallest"),
        pytest.param("1969-12-31T23:59:59.9Z", -100_000_000, id="before 1970"),
        pytest.param("2024-02-21T09:28:15.1234567899Z", 1_708_507_695_123_456_789, id="10 digits"),
        pytest.param("0001-01-01T00:00:00Z", -62_135_596_800_000_000_000, id="year 1, the zero time"),
    ],
)
def test_times_of_the_remote_are_read_to_the_nanosecond(text: str, nanoseconds: int) -> None:
    """
    Given: a time as XSOAR 6 or 8 gives it.
    When: it is read.
    Then: no digit of it is lost, and the offset counts.
    """
    assert script.parse_ns(text) == nanoseconds


@pytest.mark.parametrize("text", ["", None, "yesterday", "2024-02-21", "2024-02-30T00:00:00Z", "2024-02-21T25:00:00Z", 5, "5"])
def test_what_is_no_time_is_refused(text: Any) -> None:
    """
    Given: something that is no time.
    When: it is read.
    Then: it is refused, not taken for some time.
    """
    with pytest.raises(ValueError):
        script.parse_ns(text)


@pytest.mark.parametrize("text", ["2023-03-05T10:06:48.446Z", "2024-02-21T09:28:52.380Z", "1970-01-01T00:00:00.000Z"])
def test_a_time_goes_to_the_remote_as_it_came(text: str) -> None:
    """
    Given: a time in milliseconds.
    When: it is read and written again.
    Then: it is the same.
    """
    assert script.iso(script.parse_ms(text, 0)) == text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/etc/cron.d/x", "x"),
        ("..", "file"),
        (".", "file"),
        ("", "file"),
        (None, "file"),
        ("folder/", "file"),
        ("a\x00b\r\nc.txt", "abc.txt"),
        (".profile", ".profile"),
        ("Überblick 報告.pdf", "Überblick 報告.pdf"),
    ],
)
def test_a_file_name_stays_a_name(name: Any, expected: str) -> None:
    """
    Given: a file name that a stranger chose.
    When: it is made safe.
    Then: it names no folder and holds nothing that a file system minds.
    """
    assert script.safe_file_name(name) == expected


@pytest.mark.parametrize("name", ["a" * 400 + ".pdf", "報" * 400 + ".pdf", "a." + "b" * 400, "報" * 400])
def test_a_long_file_name_is_cut_and_keeps_its_suffix(name: str) -> None:
    """
    Given: a name longer than file systems take.
    When: it is made safe.
    Then: it fits, and a suffix of usual length is still there.
    """
    safe = script.safe_file_name(name)

    assert 100 < len(safe.encode()) <= 200
    assert safe.endswith(".pdf") == name.endswith(".pdf")
