"""Compares the codes in tools/validation_config.toml with those of the installed demisto-sdk.

    .venv-sdk/bin/python tools/check_validation_codes.py          says whether each code is on, or left out with a reason
    .venv-sdk/bin/python tools/check_validation_codes.py --list   prints the codes that are on, for `demisto-sdk validate -sv`

demisto-sdk itself passes over codes that it does not know, and over those that are in no list: an update would leave its new
ones out in silence. Ends with status 1 and a sentence for each problem.
"""

import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

CONFIG = Path(__file__).resolve().parent / "validation_config.toml"


def codes_on(config: dict[str, Any]) -> list[str]:
    """Return the codes that are on in either mode, in the order of the file."""
    return [*config["path_based_validations"]["select"], *config["use_git"]["select"]]


def find_problems(config: dict[str, Any], known: set[str]) -> list[str]:
    """Return a sentence for each code of `known` that is nowhere, for each that is twice, and for each that does not exist."""
    left_out = [code for group in config["left_out"] for code in group["codes"]]
    listed = Counter([*codes_on(config), *left_out])
    problems = [
        f"{code} is a code of demisto-sdk, but not in {CONFIG.name}: switch it on, or leave it out with a reason."
        for code in sorted(known - set(listed))
    ]
    problems += [f"{code} is no code of this demisto-sdk: take it out of {CONFIG.name}." for code in sorted(set(listed) - known)]
    problems += [f"{code} is in {CONFIG.name} {times} times: leave one." for code, times in sorted(listed.items()) if times > 1]
    problems += [
        f"{CONFIG.name} leaves out {', '.join(group['codes'])} without a reason: add one."
        for group in config["left_out"]
        if not group.get("reason", "").strip()
    ]
    return problems


def sdk_codes() -> set[str]:
    """Return all error codes of the installed demisto-sdk."""
    # Loading it takes seconds and needs a folder Packs, so only here.
    from demisto_sdk.commands.validate.validators.base_validator import get_all_validators

    return {validator.error_code for validator in get_all_validators()}


def main(arguments: list[str]) -> None:
    """Check the list, or print what is on."""
    config = tomllib.loads(CONFIG.read_text(encoding="utf-8"))
    if arguments == ["--list"]:
        sys.stdout.write(",".join(codes_on(config)) + "\n")
        return
    problems = find_problems(config, sdk_codes())
    if problems:
        sys.exit("\n".join(problems))
    left_out = sum(len(group["codes"]) for group in config["left_out"])
    sys.stdout.write(f"{len(codes_on(config))} codes of demisto-sdk are on, {left_out} are left out with a reason.\n")


if __name__ == "__main__":
    main(sys.argv[1:])
