"""The check that no code of demisto-sdk is passed over: it names what is in no list, in two, unknown, or off without a reason."""

from typing import Any

import pytest

from tools.check_validation_codes import codes_on, find_problems, main

CODES = {"AA100", "AA101", "AA102", "AA103"}


def config(**changes: Any) -> dict[str, Any]:
    """Return a configuration in which each of the codes stands once, with changes."""
    return {
        "path_based_validations": {"select": ["AA100", "AA101"]},
        "use_git": {"select": ["AA102"]},
        "left_out": [{"reason": "asks a server", "codes": ["AA103"]}],
    } | changes


def test_a_whole_list_is_in_order() -> None:
    """
    Given: a configuration that has each code of demisto-sdk once.
    When: it is checked.
    Then: nothing is wrong, and what is on in either mode is told.
    """
    assert find_problems(config(), CODES) == []
    assert codes_on(config()) == ["AA100", "AA101", "AA102"]


@pytest.mark.parametrize(
    ("changes", "known", "named"),
    [
        ({}, CODES | {"AA104"}, "AA104 is a code of demisto-sdk, but not in"),
        ({}, CODES - {"AA102"}, "AA102 is no code of this demisto-sdk"),
        ({"use_git": {"select": ["AA102", "AA100"]}}, CODES, "AA100 is in validation_config.toml 2 times"),
        ({"use_git": {"select": ["AA102", "AA103"]}}, CODES, "AA103 is in validation_config.toml 2 times"),
        ({"left_out": [{"reason": " ", "codes": ["AA103"]}]}, CODES, "leaves out AA103 without a reason"),
        ({"left_out": [{"codes": ["AA103"]}]}, CODES, "leaves out AA103 without a reason"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], known: set[str], named: str) -> None:
    """
    Given: a code that is new in demisto-sdk, gone from it, listed twice, or left out without a reason.
    When: the configuration is checked.
    Then: one sentence names it.
    """
    [problem] = find_problems(config(**changes), known)
    assert named in problem


def test_the_list_names_what_is_on(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: the project's own configuration.
    When: its codes are listed for demisto-sdk.
    Then: they come in one line, and those that demisto-sdk must ask elsewhere are not among them.
    """
    main(["--list"])
    listed = capsys.readouterr().out
    assert listed.count("\n") == 1
    assert {"IN131", "RM116", "PB103", "BA101"} <= set(listed.strip().split(","))
    assert "DO106" not in listed
