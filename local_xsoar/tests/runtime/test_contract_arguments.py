"""The functions of CommonServerPython that read arguments and dates."""

from datetime import UTC, datetime
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
    Given: an argument.
    When: it is read as a list.
    Then: a text is split, one in brackets read as JSON where it is, nothing is no item, and other values are the only item.
    """
    assert common.argToList(arg) == items


@pytest.mark.parametrize(("arg", "items"), [("a;b,c", ["a", "b,c"]), ("[1;2]", ["[1", "2]"]), ("[1]", [1])])
def test_arg_to_list_with_another_separator(arg: str, items: list[Any]) -> None:
    """
    Given: a text with another separator.
    When: it is read as a list.
    Then: it is split there, and JSON stays JSON.
    """
    assert common.argToList(arg, ";") == items


def test_arg_to_list_gives_a_list_back_itself() -> None:
    """
    Given: a list.
    When: it is read as a list.
    Then: it is the same object, and with a transformation a new one.
    """
    items = ["1", "2"]
    assert common.argToList(items) is items
    assert common.argToList(items, transform=int) == [1, 2]
    assert items == ["1", "2"]


@pytest.mark.parametrize(("arg", "items"), [("1,2", [1, 2]), ('["1"]', [1]), ("", []), (5, [5]), (None, [])])
def test_arg_to_list_transforms_each_item(arg: Any, items: list[Any]) -> None:
    """
    Given: a transformation.
    When: an argument is read as a list.
    Then: each item is transformed.
    """
    assert common.argToList(arg, transform=int) == items


def test_arg_to_list_lets_errors_of_the_transformation_out() -> None:
    """
    Given: a transformation that fails for an empty item.
    When: an argument with one is read.
    Then: its error comes out.
    """
    with pytest.raises(ValueError, match="invalid literal"):
        common.argToList("1,,2", transform=int)


def test_arg_to_list_refuses_bytes() -> None:
    """
    Given: bytes.
    When: they are read as a list.
    Then: TypeError comes.
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
    Given: a boolean, or true, yes, false or no in any case.
    When: it is read as boolean.
    Then: it is that.
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
    Given: another value.
    When: it is read as boolean.
    Then: the platform's ValueError comes.
    """
    with pytest.raises(ValueError, match=f"^{message}$"):
        common.argToBoolean(value)


# --- arg_to_number ------------------------------------------------------------------------------------------------------------


# --- arg_to_datetime ----------------------------------------------------------------------------------------------------------


ZONES = pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])


def utc_now() -> datetime:
    """Return the time in UTC, naive."""
    return datetime.now(UTC).replace(tzinfo=None)


# --- timestamp_to_datestring, date_to_timestamp -------------------------------------------------------------------------------


# --- Empty values -------------------------------------------------------------------------------------------------------------


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
    Given: arguments for a request, some of them empty.
    When: assign_params collects them.
    Then: the empty ones are gone, or those of values_to_ignore in their place; 0 and False stay.
    """
    assert common.assign_params(**arguments) == expected
