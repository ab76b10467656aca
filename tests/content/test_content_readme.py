"""Checks that the integration's README says what its yml says, and of the tool that writes the one from the other."""

import html
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.integration_readme import GUIDE_HEADING, split_at_guide, tidy

FOLDER = Path(__file__).resolve().parents[2] / "Packs/XSOARMirroring/Integrations/XSOARMirroring"
INTEGRATION: dict[str, Any] = yaml.safe_load((FOLDER / "XSOARMirroring.yml").read_text(encoding="utf-8"))
COMMANDS: dict[str, dict[str, Any]] = {command["name"]: command for command in INTEGRATION["script"]["commands"]}
GENERATED, GUIDE = split_at_guide((FOLDER / "README.md").read_text(encoding="utf-8"))


def section(heading: str, text: str) -> str:
    """Return what stands under the heading, up to the next one of its own rank or a higher one. KeyError without the heading."""
    rank = len(heading.split(" ", maxsplit=1)[0])
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{rank}}} |\Z)", text, flags=re.DOTALL | re.MULTILINE)
    if not found:
        raise KeyError(f"The README has no heading '{heading}': run `make docs`.")
    return found[1]


def rows(text: str) -> list[list[str]]:
    """Return the cells of the first table in the text without its head, as plain text: no escapes."""
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    return [[re.sub(r"\\(.)", r"\1", html.unescape(cell.strip())) for cell in row] for row in cells]


def rows_of(command: str, title: str) -> list[list[str]]:
    """Return the rows of a command's table of inputs or outputs."""
    return rows(section(f"#### {title}", section(f"### {command}", section("## Commands", GENERATED))))


def test_parameters_agree() -> None:
    """
    Given the table of parameters in the README
    When it is compared with the yml
    Then names, order and descriptions agree; otherwise run `make docs`.
    """
    wanted = []
    for item in INTEGRATION["configuration"]:
        wanted.append([item["display"], item.get("additionalinfo", "")])
        if "displaypassword" in item:
            wanted.append([item["displaypassword"], ""])
    table = rows(section(f"## Configure {INTEGRATION['display']} in Cortex", GENERATED))
    assert [row[:2] for row in table] == wanted


def test_commands_agree() -> None:
    """
    Given the commands in the README
    When their headings are compared with the yml
    Then all are there, in the same order; otherwise run `make docs`.
    """
    assert re.findall(r"^### (\S+)$", section("## Commands", GENERATED), flags=re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_command_agrees(name: str) -> None:
    """
    Given a command in the README
    When it is compared with the yml
    Then description, arguments and outputs agree; otherwise run `make docs`.
    """
    command = COMMANDS[name]
    assert command["description"] in section(f"### {name}", section("## Commands", GENERATED))

    arguments = [
        [argument["name"], argument["description"], "Required" if argument.get("required") else "Optional"]
        for argument in command.get("arguments", [])
    ]
    found = rows_of(name, "Input")
    assert [[row[0], row[2]] for row in found] == [[row[0], row[2]] for row in arguments]
    for row, argument in zip(found, arguments, strict=True):
        assert row[1].startswith(argument[1])  # demisto-sdk may add the default

    outputs = [[output["contextPath"], output["type"], output["description"]] for output in command.get("outputs", [])]
    assert rows_of(name, "Context Output") == outputs


def test_guide_explains_each_way_to_mirror() -> None:
    """
    Given the guide, the part of the README that is written by hand
    When it is searched for what a user has to decide
    Then each direction, the tags, closing, the mappers and each of their parameters are in it.
    """
    options = next(item["options"] for item in INTEGRATION["configuration"] if item["name"] == "mirror_direction")
    displays = {item["name"]: item["display"] for item in INTEGRATION["configuration"]}
    for text in (
        *options,
        *(displays[name] for name in ("mirror_direction", "tags", "mirror_tag", "categories", "close_incident", "close_out")),
        *(displays[name] for name in ("first_fetch", "query", "fetch_incident_history", "mirror_playbook_id")),
        INTEGRATION["defaultmapperin"],
        INTEGRATION["defaultmapperout"],
    ):
        assert text in GUIDE, f"The guide does not mention '{text}'."


def test_examples_are_commands_with_known_arguments() -> None:
    """
    Given the commands in command_examples.txt and in the guide
    When they are compared with the yml
    Then each is a command of the integration with arguments that it has.
    """
    examples = (FOLDER / "command_examples.txt").read_text(encoding="utf-8").splitlines()
    examples += [line for block in re.findall(r"```\n(.*?)```", GUIDE, flags=re.DOTALL) for line in block.splitlines()]
    assert len(examples) > 5
    for example in examples:
        name, *_ = example.removeprefix("!").split()
        known = {argument["name"] for argument in COMMANDS[name].get("arguments", [])}
        assert set(re.findall(r" ([a-zA-Z_]+)=", example)) <= known, example


def test_tool_keeps_the_guide() -> None:
    """
    Given a README with a generated part and a guide
    When it is split
    Then the guide begins with its heading and is kept to the last character.
    """
    guide = f"{GUIDE_HEADING}\n\nBy hand.\n\n## More\n\nAlso by hand.\n"
    assert split_at_guide(f"Made.\n\n## Commands\n\n{guide}") == ("Made.\n\n## Commands\n", guide)
    assert split_at_guide("Made.\n") == ("Made.\n", "")


def test_tool_tidies_what_the_sdk_writes() -> None:
    """
    Given a text as demisto-sdk writes it
    When it is tidied
    Then the sentence to be filled in is gone, no default is named twice, and headings have air above them.
    """
    written = (
        "About.\nThis integration was integrated and tested with version xx of X.\n\n\n"
        "| a | How many. Default is 10. Default is 10. | Optional | \nNone.\n### next\n"
    )
    assert tidy(written) == "About.\n\n| a | How many. Default is 10. | Optional |\nNone.\n\n### next\n"
