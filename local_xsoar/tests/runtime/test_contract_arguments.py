"""The functions of CommonServerPython that read arguments and dates."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import CommonServerPython as common
import pytest

# --- argToList, argToBoolean --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arg", "items"),
    [
        (None, []),
        ("", []),
        (0, []),
        ({}, []),
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        (" a , b ", ["a", "b"]),
        ("a,,b", ["a", "", "b"]),
        (",", ["", ""]),
        ('["a", 1, null]', ["a", 1, None]),
        ("[]", []),
        ('["a"] ', ['["a"]']),
        ("[a,b]", ["[a", "b]"]),
        ("['a']", ["['a']"]),
        ('{"a":1}', ['{"a":1}']),
        (5, [5]),
        (True, [True]),
        ({"a": 1}, [{"a": 1}]),
        ((1, 2), [(1, 2)]),
    ],
    ids=repr,
)
def test_arg_to_list(arg: Any, items: list[Any]) -> None:
    """
    Given an argument
    When it is read as a list
    Then a text is split, one in brackets read as JSON where it is, nothing is no item, and other values are the only item.
    """
    assert common.argToList(arg) == items


@pytest.mark.parametrize(("arg", "items"), [("a;b,c", ["a", "b,c"]), ("[1;2]", ["[1", "2]"]), ("[1]", [1])])
def test_arg_to_list_with_another_separator(arg: str, items: list[Any]) -> None:
    """
    Given a text with another separator
    When it is read as a list
    Then it is split there, and JSON stays JSON.
    """
    assert common.argToList(arg, ";") == items


def test_arg_to_list_gives_a_list_back_itself() -> None:
    """
    Given a list
    When it is read as a list
    Then it is the same object, and with a transformation a new one.
    """
    items = ["1", "2"]
    assert common.argToList(items) is items
    assert common.argToList(items, transform=int) == [1, 2]
    assert items == ["1", "2"]


@pytest.mark.parametrize(("arg", "items"), [("1,2", [1, 2]), ('["1"]', [1]), ("", []), (5, [5]), (None, [])])
def test_arg_to_list_transforms_each_item(arg: Any, items: list[Any]) -> None:
    """
    Given a transformation
    When an argument is read as a list
    Then each item is transformed.
    """
    assert common.argToList(arg, transform=int) == items


def test_arg_to_list_lets_errors_of_the_transformation_out() -> None:
    """
    Given a transformation that fails for an empty item
    When an argument with one is read
    Then its error comes out.
    """
    with pytest.raises(ValueError, match="invalid literal"):
        common.argToList("1,,2", transform=int)


def test_arg_to_list_refuses_bytes() -> None:
    """
    Given bytes
    When they are read as a list
    Then TypeError comes.
    """
    with pytest.raises(TypeError):
        common.argToList(b"a,b")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("TRUE", True),
        ("Yes", True),
        ("false", False),
        ("No", False),
    ],
)
def test_arg_to_boolean(value: Any, expected: bool) -> None:
    """
    Given a boolean, or true, yes, false or no in any case
    When it is read as boolean
    Then it is that.
    """
    assert common.argToBoolean(value) is expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "Argument does not contain a valid boolean-like value"),
        ("1", "Argument does not contain a valid boolean-like value"),
        (" true", "Argument does not contain a valid boolean-like value"),
        ("on", "Argument does not contain a valid boolean-like value"),
        (1, "Argument is neither a string nor a boolean"),
        (None, "Argument is neither a string nor a boolean"),
        ([], "Argument is neither a string nor a boolean"),
    ],
)
def test_arg_to_boolean_refuses_other_values(value: Any, message: str) -> None:
    """
    Given another value
    When it is read as boolean
    Then the platform's ValueError comes.
    """
    with pytest.raises(ValueError, match=f"^{message}$"):
        common.argToBoolean(value)


# --- arg_to_number ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arg", "number"),
    [
        (None, None),
        ("", None),
        ("5", 5),
        ("007", 7),
        ("5.7", 5),
        ("-5.7", -5),
        ("1e3", 1000),
        (" 5 ", 5),
        ("+4", 4),
        ("1_000", 1000),
        ("٣", 3),
        (5, 5),
        (-5, -5),
        (0, 0),
        (True, True),
        ("9" * 40, int("9" * 40)),
    ],
)
def test_arg_to_number(arg: Any, number: int | None) -> None:
    """
    Given a number, a text of one, or nothing
    When it is read as number
    Then it is that, cut to a whole one, and None for nothing.
    """
    assert common.arg_to_number(arg) == number
    assert common.arg_to_number(True) is True


@pytest.mark.parametrize("arg", ["abc", "1,000", "0x10", "inf", "nan", "1e400", 5.0, 5.7, [], {}, b"5"], ids=repr)
def test_arg_to_number_refuses_other_values(arg: Any) -> None:
    """
    Given a value that is no whole number, a float too
    When it is read as number
    Then the platform's ValueError names it, and the argument when its name is given.
    """
    with pytest.raises(ValueError) as caught:
        common.arg_to_number(arg)
    assert str(caught.value) == f'"{arg}" is not a valid number'
    with pytest.raises(ValueError) as caught:
        common.arg_to_number(arg, "limit")
    assert str(caught.value) == f'Invalid number: "limit"="{arg}"'


@pytest.mark.parametrize("arg", [None, ""])
def test_a_required_number_must_be_there(arg: Any) -> None:
    """
    Given nothing
    When a required number is read
    Then ValueError says that it is missing; anything but True for `required` does not require it.
    """
    with pytest.raises(ValueError, match=r"^Missing required argument$"):
        common.arg_to_number(arg, required=True)
    with pytest.raises(ValueError, match=r'^Missing "limit"$'):
        common.arg_to_number(arg, "limit", True)
    truthy: Any = "yes"
    assert common.arg_to_number(arg, required=truthy) is None


# --- arg_to_datetime ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
@pytest.mark.parametrize(
    ("arg", "expected"),
    [
        ("1577836800", datetime(2020, 1, 1, tzinfo=UTC)),
        (1577836800, datetime(2020, 1, 1, tzinfo=UTC)),
        (1577836800.5, datetime(2020, 1, 1, 0, 0, 0, 500000, tzinfo=UTC)),
        ("1577836800123", datetime(2020, 1, 1, 0, 0, 0, 123000, tzinfo=UTC)),
        (1577836800123, datetime(2020, 1, 1, 0, 0, 0, 123000, tzinfo=UTC)),
        (2000000000, datetime(2033, 5, 18, 3, 33, 20, tzinfo=UTC)),
        (2000000001, datetime(1970, 1, 24, 3, 33, 20, 1000, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (True, datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
    ],
    ids=repr,
)
def test_numbers_are_epoch_seconds_or_milliseconds(
    local_zone: Callable[[str], None], zone: str, arg: Any, expected: datetime
) -> None:
    """
    Given a number, on a machine in any zone
    When it is read as date
    Then up to 2,000,000,000 it is seconds, above milliseconds, and the date is aware, in UTC.
    """
    local_zone(zone)
    date = common.arg_to_datetime(arg)
    assert date == expected
    assert date
    assert date.utcoffset() == timedelta(0)


def test_numbers_may_be_read_in_local_time(local_zone: Callable[[str], None]) -> None:
    """
    Given a number, on a machine in New York
    When it is read with is_utc off
    Then the date is naive, in local time.
    """
    local_zone("America/New_York")
    assert common.arg_to_datetime(1577836800, is_utc=False) == datetime(2019, 12, 31, 19)


ZONES = pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])


@ZONES
@pytest.mark.parametrize("is_utc", [True, False])
@pytest.mark.parametrize(
    ("arg", "expected"), [("2020-01-01T02:03:04", datetime(2020, 1, 1, 2, 3, 4)), ("2020-01-01", datetime(2020, 1, 1))]
)
def test_texts_without_an_offset_give_naive_dates(
    local_zone: Callable[[str], None], zone: str, is_utc: bool, arg: str, expected: datetime
) -> None:
    """
    Given a date without an offset, on a machine in any zone
    When it is read as date
    Then it is naive and as written; is_utc does not matter.
    """
    local_zone(zone)
    date = common.arg_to_datetime(arg, is_utc=is_utc)
    assert date == expected
    assert date
    assert date.tzinfo is None


def utc_now() -> datetime:
    """Return the time in UTC, naive."""
    return datetime.now(UTC).replace(tzinfo=None)


@ZONES
@pytest.mark.parametrize(
    ("arg", "distance"),
    [
        ("3 days", timedelta(days=-3)),
        ("3 days ago", timedelta(days=-3)),
        ("in 2 hours", timedelta(hours=2)),
        ("now", timedelta()),
    ],
)
def test_relative_texts_count_from_utc(local_zone: Callable[[str], None], zone: str, arg: str, distance: timedelta) -> None:
    """
    Given a text that counts from now, on a machine in any zone
    When it is read as date
    Then the date is naive, and counts from the time in UTC.
    """
    local_zone(zone)
    before = utc_now()
    date = common.arg_to_datetime(arg)
    assert date
    assert date.tzinfo is None
    assert before <= date - distance <= utc_now()


def test_a_negative_number_as_text_is_a_month() -> None:
    """
    Given the text -1
    When it is read as date
    Then the date parser takes it for January.
    """
    date = common.arg_to_datetime("-1")
    assert date
    assert date.month == 1


@pytest.mark.parametrize(
    ("arg", "expected"),
    [
        ("2020-01-01T00:00:00Z", datetime(2020, 1, 1, tzinfo=UTC)),
        ("2020-01-01T00:00:00+02:00", datetime(2019, 12, 31, 22, tzinfo=UTC)),
        ("2020-01-01T00:00:00.123456789Z", datetime(2020, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)),
    ],
)
def test_texts_with_an_offset_give_aware_dates(arg: str, expected: datetime) -> None:
    """
    Given a text with an offset
    When it is read as date
    Then the date is aware, the same moment in UTC.
    """
    date = common.arg_to_datetime(arg)
    assert date == expected
    assert date
    assert date.utcoffset() == timedelta(0)


def test_a_naive_date_misses_the_offset_of_the_machine(local_zone: Callable[[str], None]) -> None:
    """
    Given a date without offset that was meant in UTC, on a machine in New York
    When its time stamp is taken
    Then it is five hours late, and it cannot be compared with an aware one.
    """
    local_zone("America/New_York")
    naive, aware = (common.arg_to_datetime(f"2020-01-01T00:00:00{offset}") for offset in ("", "Z"))
    assert naive
    assert aware
    assert naive.timestamp() - aware.timestamp() == 5 * 3600
    with pytest.raises(TypeError):
        _ = naive < aware


def test_settings_of_the_date_parser_replace_the_zone(local_zone: Callable[[str], None]) -> None:
    """
    Given settings for the date parser, on a machine in Tokyo
    When a relative text is read
    Then it counts from their zone, not from UTC.
    """
    local_zone("Asia/Tokyo")
    before = datetime.now()
    date = common.arg_to_datetime("1 hour", settings={"TIMEZONE": "local"})
    assert date
    assert before <= date + timedelta(hours=1) <= datetime.now()


@pytest.mark.parametrize("arg", ["", " ", "abc", [], {}, b"1"], ids=repr)
def test_what_is_no_date_is_refused(arg: Any) -> None:
    """
    Given a value that is no date, an empty text too
    When it is read as date
    Then the platform's ValueError names it, and the argument when its name is given.
    """
    with pytest.raises(ValueError) as caught:
        common.arg_to_datetime(arg)
    assert str(caught.value) == f'"{arg}" is not a valid date'
    with pytest.raises(ValueError) as caught:
        common.arg_to_datetime(arg, "since")
    assert str(caught.value) == f'Invalid date: "since"="{arg}"'


def test_a_required_date_must_be_there() -> None:
    """
    Given nothing
    When a date is read, required or not
    Then it is missing, or None; anything but True for `required` does not require it.
    """
    assert common.arg_to_datetime(None) is None
    truthy: Any = 1
    assert common.arg_to_datetime(None, required=truthy) is None
    with pytest.raises(ValueError, match=r"^Missing required argument$"):
        common.arg_to_datetime(None, required=True)
    with pytest.raises(ValueError, match=r'^Missing "since"$'):
        common.arg_to_datetime(None, "since", required=True)


@ZONES
@pytest.mark.parametrize("hours", [0, 2, -1.5])
def test_the_current_time_is_that_of_utc_and_some_hours(local_zone: Callable[[str], None], zone: str, hours: float) -> None:
    """
    Given hours from UTC, on a machine in any zone
    When the current time is asked for
    Then it is that of UTC and the hours more, labelled UTC all the same.
    """
    local_zone(zone)
    before = datetime.now(UTC)
    now = common.get_current_time(hours)
    assert before <= now - timedelta(hours=hours) <= datetime.now(UTC)
    assert now.utcoffset() == timedelta(0)


# --- timestamp_to_datestring, date_to_timestamp -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        (1541494441222, "2018-11-06T08:54:01.000Z"),
        ("1541494441222", "2018-11-06T08:54:01.000Z"),
        (0, "1970-01-01T00:00:00.000Z"),
        (-1000, "1969-12-31T23:59:59.000Z"),
    ],
)
def test_a_time_stamp_as_text_loses_its_milliseconds(local_zone: Callable[[str], None], timestamp: int | str, text: str) -> None:
    """
    Given epoch milliseconds, on a machine in New York
    When they are made text in the default format
    Then it is in UTC and says .000 for the milliseconds.
    """
    local_zone("America/New_York")
    assert common.timestamp_to_datestring(timestamp) == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"date_format": "%H:%M"}, "03:54"),
        ({"date_format": "%H:%M", "is_utc": True}, "08:54"),
        ({"date_format": "%H:%MZ"}, "08:54Z"),
        ({"date_format": "%S.%f", "is_utc": True}, "01.222000"),
        ({"date_format": "%H%z|", "is_utc": True}, "08|"),
    ],
)
def test_a_time_stamp_as_text_in_other_formats(local_zone: Callable[[str], None], arguments: dict[str, Any], text: str) -> None:
    """
    Given epoch milliseconds, on a machine in New York
    When they are made text in another format
    Then it is in local time, unless the format ends with Z or is_utc is set.
    """
    local_zone("America/New_York")
    assert common.timestamp_to_datestring(1541494441222, **arguments) == text


@pytest.mark.parametrize(
    ("timestamp", "error"), [(None, TypeError), ("1.5", ValueError), ("x", ValueError), (10**18, ValueError)]
)
def test_what_is_no_time_stamp_is_refused(timestamp: Any, error: type[Exception]) -> None:
    """
    Given a value that is no time stamp
    When it is made text
    Then Python's error comes.
    """
    with pytest.raises(error):
        common.timestamp_to_datestring(timestamp)


@pytest.mark.parametrize(("zone", "hours"), [("UTC", 0), ("America/New_York", 5)])
@pytest.mark.parametrize(
    "date",
    ["2020-01-01T01:02:03", datetime(2020, 1, 1, 1, 2, 3, 456789), datetime(2020, 1, 1, 1, 2, 3, tzinfo=UTC)],
    ids=["text", "naive", "aware"],
)
def test_a_date_becomes_a_time_stamp_in_local_time(
    local_zone: Callable[[str], None], zone: str, hours: int, date: str | datetime
) -> None:
    """
    Given a date as text or object, on a machine in any zone
    When it becomes a time stamp
    Then it is read in local time to the second, whatever zone it names.
    """
    local_zone(zone)
    assert common.date_to_timestamp(date) == 1577840523000 + hours * 3600000


def test_a_date_in_another_format_becomes_a_time_stamp(local_zone: Callable[[str], None]) -> None:
    """
    Given a date in another format
    When it becomes a time stamp
    Then that format is needed: a Z at the end is not of the default one.
    """
    local_zone("UTC")
    assert common.date_to_timestamp("2020-01-01", "%Y-%m-%d") == 1577836800000
    with pytest.raises(ValueError, match="unconverted data remains"):
        common.date_to_timestamp("2020-01-01T00:00:00Z")


# --- Empty values -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"a": None, "b": {}, "c": [], "d": "", "e": 0, "f": False}, {"d": "", "e": 0, "f": False}),
        ({"a": {"b": {"c": None}}, "d": [[], [None], {"e": []}]}, {}),
        ({"a": [1, None, {"b": None, "c": 2}]}, {"a": [1, {"c": 2}]}),
        ([None, 1, []], [1]),
        ({"a": ()}, {"a": ()}),
        (None, None),
        ("", ""),
        (5, 5),
    ],
    ids=repr,
)
def test_empty_elements_are_removed_at_any_depth(data: Any, expected: Any) -> None:
    """
    Given data with None, empty dicts and empty lists, at any depth
    When they are removed
    Then they are gone, those that became empty too; '', 0 and False stay.
    """
    assert common.remove_empty_elements(data) == expected


def test_removing_empty_elements_leaves_the_data() -> None:
    """
    Given data with empty parts
    When they are removed
    Then the result is new, and the data as before.
    """
    data = {"a": {"b": None}, "c": [None]}
    common.remove_empty_elements(data)
    assert data == {"a": {"b": None}, "c": [None]}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"a": None, "b": "", "c": [], "d": {}, "e": (), "f": 0, "g": False, "h": "x"}, {"f": 0, "g": False, "h": "x"}),
        ({"keys_to_ignore": ["a"], "a": 1, "b": 2}, {"b": 2}),
        ({"values_to_ignore": [1], "a": 1, "b": "", "c": None}, {"b": "", "c": None}),
        ({"values_to_ignore": (None,), "a": None, "b": ""}, {"b": ""}),
        ({}, {}),
    ],
    ids=repr,
)
def test_assign_params_drops_what_is_not_given(arguments: dict[str, Any], expected: dict[str, Any]) -> None:
    """
    Given arguments for a request, some of them empty
    When assign_params collects them
    Then the empty ones are gone, or those of values_to_ignore in their place; 0 and False stay.
    """
    assert common.assign_params(**arguments) == expected


def test_nulls_are_removed_from_the_dict_itself() -> None:
    """
    Given a dict with empty values
    When they are removed
    Then the dict itself has lost them, at the top only.
    """
    data: dict[str, Any] = {"a": None, "b": "", "c": [], "d": {}, "e": (), "f": 0, "g": False, "h": {"i": None}}
    common.remove_nulls_from_dictionary(data)
    assert data == {"f": 0, "g": False, "h": {"i": None}}
