"""Checks that the integration's README says what its yml and its commands say, and of the tools that write it."""

import html
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.command_examples import (
    Example,
    ExampleError,
    example_text,
    examples_of,
    read_examples,
    readable_of,
    run_examples,
    shortened,
    with_examples,
    without_examples,
)
from tools.integration_readme import GUIDE_HEADING, split_at_guide, tidy, with_examples_of

FOLDER = Path(__file__).resolve().parents[2] / "Packs/XSOARMirroring/Integrations/XSOARMirroring"
INTEGRATION: dict[str, Any] = yaml.safe_load((FOLDER / "XSOARMirroring.yml").read_text(encoding="utf-8"))
COMMANDS: dict[str, dict[str, Any]] = {command["name"]: command for command in INTEGRATION["script"]["commands"]}
PLATFORM_COMMANDS = {"setIncident"}  # which the guide uses
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
    Given: the table of parameters in the README.
    When: it is compared with the yml.
    Then: names, order and descriptions agree; otherwise run `make docs`.
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
    Given: the commands in the README.
    When: their headings are compared with the yml.
    Then: all are there, in the same order; otherwise run `make docs`.
    """
    assert re.findall(r"^### (\S+)$", section("## Commands", GENERATED), flags=re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_command_agrees(name: str) -> None:
    """
    Given: a command in the README.
    When: it is compared with the yml.
    Then: description, arguments and outputs agree; otherwise run `make docs`.
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


@pytest.fixture(scope="module")
def ran() -> list[Example]:
    """What the lines of command_examples.txt give."""
    return examples_of(FOLDER)


def test_examples_are_what_the_commands_give(ran: list[Example]) -> None:
    """
    Given: the examples in the README.
    When: their commands are run again.
    Then: each stands there to the last character, and none besides; otherwise run `make docs`.
    """
    assert with_examples_of(FOLDER, without_examples(GENERATED), ran) == GENERATED


def test_each_command_has_an_example(ran: list[Example]) -> None:
    """
    Given: the commands of the yml.
    When: the examples are looked at.
    Then: each has one that shows something, but for the one that only the server may run.
    """
    assert {example.command for example in ran if example.readable} == set(COMMANDS) - {"update-remote-system"}


def test_examples_of_mirroring_show_a_mirror_at_work(ran: list[Example]) -> None:
    """
    Given: the examples of the commands for mirroring.
    When: they are read.
    Then: there are mirrored incidents and entries, and fields that differ: an example of nothing teaches nothing.
    """
    context = {
        example.line: example.context["XSOAR"]["Mirror"] for example in ran if "Mirror" in example.context.get("XSOAR", {})
    }
    status = context["!xsoar-mirror-status"]["Status"]
    assert status["IncidentsTracked"] > 1
    assert status["EntriesIn"] > 0
    assert status["EntriesOut"] > 0
    assert context["!xsoar-mirror-diff"]["Diff"]["equal"] is False


def test_nothing_of_this_machine_is_in_the_examples(ran: list[Example]) -> None:
    """
    Given: the examples.
    When: they are searched for addresses, ports, folders and keys.
    Then: there are only those of the examples.
    """
    shown = "".join(example_text(example, ()) for example in ran)
    assert "xsoar.example.com" in shown
    assert not re.search(r"127\.0\.0\.1|localhost|/tmp|/var/|/home/", shown)
    assert not re.search(r"[0-9a-f]{64}", re.sub(r"(sha256|sha512): \w+", "", shown))
    assert not re.search(r"[0-9a-f]{8}-(?!0000-4000-8000-)[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-", shown)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("xsoar-mirror-status", "The example xsoar-mirror-status cannot be run: A command begins with an exclamation mark"),
        ("!xsoar-nothing", "The example !xsoar-nothing cannot be run: XSOAR Mirroring has no command xsoar-nothing"),
        ("!xsoar-get-incident id=999", "The example !xsoar-get-incident id=999 failed: "),
    ],
)
def test_an_example_that_fails_is_refused(line: str, said: str) -> None:
    """
    Given: a line that is no command, or whose command fails.
    When: the examples are run.
    Then: a sentence says which and why.
    """
    with pytest.raises(ExampleError, match=f"^{re.escape(said)}"):
        run_examples(FOLDER, [line])


def test_guide_explains_each_way_to_mirror() -> None:
    """
    Given: the guide, the part of the README that is written by hand.
    When: it is searched for what a user has to decide.
    Then: each direction, the tags, closing, the mappers and each of their parameters are in it.
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
    Given: the commands in command_examples.txt and in the guide.
    When: they are compared with the yml.
    Then: each is a command of the integration with arguments that it has, or one that the platform is known to have.
    """
    examples = read_examples((FOLDER / "command_examples.txt").read_text(encoding="utf-8"))
    examples += [line for block in re.findall(r"```\n(.*?)```", GUIDE, flags=re.DOTALL) for line in block.splitlines()]
    assert len(examples) > 5
    for example in examples:
        name, *_ = example.removeprefix("!").split()
        if name in PLATFORM_COMMANDS:
            continue
        known = {argument["name"] for argument in COMMANDS[name].get("arguments", [])}
        assert set(re.findall(r" ([a-zA-Z_]+)=", example)) <= known, example


def test_tool_keeps_the_guide() -> None:
    """
    Given: a README with a generated part and a guide.
    When: it is split.
    Then: the guide begins with its heading and is kept to the last character.
    """
    guide = f"{GUIDE_HEADING}\n\nBy hand.\n\n## More\n\nAlso by hand.\n"
    assert split_at_guide(f"Made.\n\n## Commands\n\n{guide}") == ("Made.\n\n## Commands\n", guide)
    assert split_at_guide("Made.\n") == ("Made.\n", "")


def test_tool_tidies_what_the_sdk_writes() -> None:
    """
    Given: a text as demisto-sdk writes it.
    When: it is tidied.
    Then: the sentence to be filled in is gone, no default is named twice, and headings have air above them.
    """
    written = (
        "About.\nThis integration was integrated and tested with version xx of X.\n\n\n"
        "| a | How many. Default is 10. Default is 10. | Optional | \nNone.\n### next\n"
    )
    assert tidy(written) == "About.\n\n| a | How many. Default is 10. | Optional |\nNone.\n\n### next\n"


def test_tool_says_values_and_defaults_once() -> None:
    """
    Given: an argument whose description ends with its values.
    When: it is tidied.
    Then: what demisto-sdk adds is gone.
    """
    described = "| a | Whether. Possible values are true and false. Default is true.{} | Optional |\n"
    assert tidy(described.format(" Possible values are: true, false. Default is true.")) == described.format("")


README = "About.\n\n## Commands\n\n### one\n\nFirst.\n\n#### Context Output\n\nNone.\n\n### two\n\nSecond.\n"


def test_tool_puts_examples_behind_their_commands() -> None:
    """
    Given: a README, and examples of both commands, one without context.
    When: they are put in and taken out again.
    Then: each stands at the end of its command's section as demisto-sdk lays it out, and nothing else changes.
    """
    examples = [
        Example("!two", "two", {}, "a\n\nb"),
        Example("!one x=1", "one", {"A": {"id": 1}}, "### T\n|a|\n|---|\n| 1 |"),
        Example("!one", "one", {}, ""),
    ]
    written = with_examples(README, examples, {"one": ["A.id"]})
    assert written == (
        "About.\n\n## Commands\n\n### one\n\nFirst.\n\n#### Context Output\n\nNone.\n\n"
        "#### Command example\n\n```!one x=1```\n\n"
        '#### Context Example\n\n```json\n{\n    "A": {\n        "id": 1\n    }\n}\n```\n\n'
        "#### Human Readable Output\n\n>### T\n>|a|\n>|---|\n>| 1 |\n\n"
        "#### Command example\n\n```!one```\n\n#### Human Readable Output\n\n>(Nothing is shown.)\n\n"
        "### two\n\nSecond.\n\n#### Command example\n\n```!two```\n\n#### Human Readable Output\n\n>a\n>\n>b\n"
    )
    assert without_examples(written) == README.rstrip("\n") + "\n\n"
    with pytest.raises(ExampleError, match="The README has no section on three"):
        with_examples(README, [Example("!three", "three", {}, "")], {})


def test_tool_says_what_it_cuts_from_context() -> None:
    """
    Given: a context with a long list, an object of many keys on a path that the yml declares, and another one.
    When: it is shortened.
    Then: two items, the declared keys and the first ones are left, and each cut is said.
    """
    many = {f"key{number}": number for number in range(40)}
    cut, notes = shortened({"A": [many] * 5, "B": many}, ["A.key3", "A.key30.deep", "A.key"])
    assert cut == {"A": [{"key3": 3, "key30": 30}] * 2, "B": {f"key{number}": number for number in range(30)}}
    assert notes == [
        "`A` has 5 items, of which 2 are shown",
        "of `A` only the keys listed above are shown",
        "of an object only the first 30 keys are shown",
    ]
    assert shortened({"A": {"id": 1}}) == ({"A": {"id": 1}}, [])


def test_tool_says_what_it_cuts_from_what_is_read() -> None:
    """
    Given: entries with a long table, a long text, JSON, a file, an error and nothing.
    When: they are written as Markdown.
    Then: what is long is cut and counted, and the rest is as the War Room shows it.
    """
    table = "|a|\n|---|\n" + "".join(f"| {number} |\n" for number in range(15))
    text = readable_of({"Type": 1, "HumanReadable": f"### T\n{table}after"})
    assert "| 9 |\n\n(Shortened: the table has 5 more rows.)\nafter" in text
    assert "| 10 |" not in text
    assert readable_of({"Type": 1, "Contents": "line\n" * 50}).endswith("line\n\n(Shortened: 10 more lines.)")
    assert readable_of({"Type": 1, "Contents": [1, 2, 3]}).endswith(
        "```\n\n(Shortened: the result has 3 items, of which 2 are shown.)"
    )
    assert readable_of({"Type": 3, "FileID": "x", "File": "a.txt"}) == "Uploaded file: a.txt"
    assert readable_of({"Type": 4, "Contents": "No."}) == "**Error:** No."
    assert readable_of({"Type": 1, "Contents": ""}) == ""
