"""Checks of the playbooks: every task is reached, whatever one names is there, and their pictures show what they do."""

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from tests.content.pack_items import (
    Item,
    arguments_of,
    commands,
    of,
    script_constant,
    sources,
    the,
    unknown_fields,
)
from tools.playbook_picture import MARGIN, Node, digest, draw, picture_of, read_nodes, route, stored_digest, write_picture

PLAYBOOKS = of("Playbooks")
ALL = [*PLAYBOOKS, *of("TestPlaybooks")]
# Scripts and commands that every server has, with the arguments of theirs that are used here; these commands take any field.
PLATFORM_SCRIPTS = {"Print": {"value"}, "PrintErrorEntry": {"message"}, "DeleteContext": {"all"}}
PLATFORM_COMMANDS = {"setIncident", "closeInvestigation"}
FALLBACK, NEXT, ON_ERROR = "#default#", "#none#", "#error#"

playbooks = pytest.mark.parametrize("playbook", PLAYBOOKS, ids=[item.id for item in PLAYBOOKS])
all_playbooks = pytest.mark.parametrize("playbook", ALL, ids=[item.id for item in ALL])


def tasks(playbook: Item) -> dict[str, dict[str, Any]]:
    """Return the tasks of a playbook by number."""
    found: dict[str, dict[str, Any]] = playbook.data["tasks"]
    return found


def next_of(task: dict[str, Any]) -> dict[str, list[str]]:
    """Return what follows a task, by label."""
    return task.get("nexttasks") or {}


def script_of(task: dict[str, Any]) -> str:
    """Return the automation script that a task runs, empty when it runs none."""
    return str(task["task"].get("scriptName") or "")


def command_of(task: dict[str, Any]) -> str:
    """Return the command that a task runs, empty when it runs none."""
    return str(task["task"].get("script") or "").rpartition("|||")[2]


def given(task: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that a task gives."""
    return task.get("scriptarguments") or {}


def commands_behind(playbook: Item) -> set[str]:
    """Return the commands of the integration that a playbook runs, itself or through the script."""
    actions = script_constant("XSOARMirroringIncident", "COMMANDS")
    ran = {command_of(task) for task in tasks(playbook).values()}
    ran |= {actions.get(given(task)["action"]["simple"], "") for task in tasks(playbook).values() if "action" in given(task)}
    return ran & commands().keys()


def outputs_behind(playbook: Item) -> dict[str, str]:
    """Return the context paths, with their types, that the commands and scripts of a playbook fill."""
    ran = [commands()[name] for name in commands_behind(playbook)]
    ran += [item.data for item in of("Scripts") if item.id in {script_of(task) for task in tasks(playbook).values()}]
    return {output["contextPath"]: output["type"] for one in ran for output in one.get("outputs") or []}


def inputs_of(playbook: Item) -> dict[str, dict[str, Any]]:
    """Return the inputs of a playbook by name."""
    return {item["key"]: item for item in playbook.data["inputs"]}


@all_playbooks
def test_every_task_is_reached(playbook: Item) -> None:
    """
    Given: a playbook.
    When: it is followed from its first task.
    Then: every task is met, none that is not there, and it ends at a heading or at a task that says why it failed.
    """
    met: set[str] = set()
    waiting = [playbook.data["starttaskid"]]
    while waiting:
        number = waiting.pop()
        if number not in met:
            met.add(number)
            waiting += [target for targets in next_of(tasks(playbook)[number]).values() for target in targets]
    assert met == tasks(playbook).keys()
    ends = [task for task in tasks(playbook).values() if not next_of(task)]
    assert all(task["type"] == "title" or script_of(task) == "PrintErrorEntry" for task in ends)


@all_playbooks
def test_tasks_are_numbered_and_named(playbook: Item) -> None:
    """
    Given: the tasks of a playbook.
    When: their heads are read.
    Then: number and id agree, each has a name and says what it does, and a question is a condition's alone.
    """
    for number, task in tasks(playbook).items():
        assert (task["id"], task["taskid"]) == (number, task["task"]["id"])
        if task["type"] != "start":
            assert task["task"]["name"]
            assert (task["type"] == "condition") == task["task"]["name"].endswith("?")
        if task["type"] not in ("start", "title"):
            assert task["task"]["description"].endswith(".")


@all_playbooks
def test_conditions_lead_somewhere_whatever_the_answer(playbook: Item) -> None:
    """
    Given: the conditions of a playbook.
    When: their answers are compared with what follows.
    Then: each answer has a task, and so has none of them.
    """
    for task in tasks(playbook).values():
        if task["type"] == "condition":
            assert {*(answer["label"] for answer in task["conditions"]), FALLBACK} == next_of(task).keys()
        else:
            assert next_of(task).keys() <= {NEXT, ON_ERROR}
        assert (task.get("continueonerrortype") == "errorPath") == (ON_ERROR in next_of(task))


@all_playbooks
def test_scripts_and_commands_are_there(playbook: Item) -> None:
    """
    Given: the tasks that run something.
    When: their scripts, commands and arguments are looked up.
    Then: the pack or every server has them, they take the arguments, and what they require is given.
    """
    scripts = {item.id: item.data for item in of("Scripts")}
    for task in tasks(playbook).values():
        script, command = script_of(task), command_of(task)
        if script in PLATFORM_SCRIPTS:
            assert given(task).keys() == PLATFORM_SCRIPTS[script]
        elif command in PLATFORM_COMMANDS:
            assert unknown_fields(given(task)) == set()
        elif script or command:
            known = arguments_of(scripts[script] if script else commands()[command])
            assert given(task).keys() <= known.keys()
            assert {name for name, argument in known.items() if argument.get("required")} <= given(task).keys()
            for name, value in given(task).items():
                simple, allowed = value.get("simple"), known[name].get("predefined")
                chosen = str(simple).split(",") if known[name].get("isArray") else [simple]
                assert simple is None or allowed is None or {*chosen} <= {*allowed}, name


@all_playbooks
def test_no_task_names_an_instance(playbook: Item) -> None:
    """
    Given: the tasks of a playbook.
    When: their arguments are read.
    Then: none fixes an instance: its name is another one in each tenant.
    """
    assert [task["id"] for task in tasks(playbook).values() if "using" in given(task)] == []


@all_playbooks
def test_what_is_read_was_written(playbook: Item) -> None:
    """
    Given: the context paths that a playbook reads.
    When: they are looked up.
    Then: each is an input of it, a field of the incident, or an output of what it runs.
    """
    written = outputs_behind(playbook)
    for path in sources(list(tasks(playbook).values())):
        if path.startswith("inputs."):
            assert path.removeprefix("inputs.") in inputs_of(playbook)
        elif path.startswith("incident."):
            assert unknown_fields([path.removeprefix("incident.")]) == set()
        else:
            assert any(output == path or output.startswith(f"{path}.") for output in written), path


@playbooks
def test_inputs_and_outputs_are_used(playbook: Item) -> None:
    """
    Given: the inputs and outputs of a playbook.
    When: they are looked for among its tasks.
    Then: each input is read, and each output is one of what it runs, of the same type.
    """
    read = set(sources(list(tasks(playbook).values())))
    assert {f"inputs.{name}" for name in inputs_of(playbook)} <= read
    types = outputs_behind(playbook)
    assert playbook.data["outputs"]
    for output in playbook.data["outputs"]:
        assert types[output["contextPath"]] == output["type"]
        assert output["description"].endswith(".")


@playbooks
def test_readme_agrees(playbook: Item) -> None:
    """
    Given: the README of a playbook.
    When: it is compared with the yml.
    Then: description, scripts, commands, inputs and outputs agree, and it shows the picture.
    """
    readme = playbook.path.with_name(f"{playbook.path.stem}_README.md").read_text(encoding="utf-8")
    text = readme.replace("\\", "")
    assert text.startswith(playbook.data["description"])

    def listed(heading: str) -> set[str]:
        part = re.search(rf"^### {heading}\n(.*?)(?=^#)", text, flags=re.DOTALL | re.MULTILINE)
        assert part
        return set(re.findall(r"^\* (.+)$", part[1], flags=re.MULTILINE))

    assert listed("Scripts") == {script_of(task) for task in tasks(playbook).values()} - {""}
    assert listed("Commands") == {command_of(task) for task in tasks(playbook).values()} - {""}
    before, _, outputs = text.partition("## Playbook Outputs")
    rows = re.findall(r"^\| (\w+) \| (.*) \| (.*?) ?\| (Required|Optional) \|$", before, flags=re.MULTILINE)
    assert rows == [
        (name, item["description"], item["value"].get("simple", ""), "Required" if item["required"] else "Optional")
        for name, item in inputs_of(playbook).items()
    ]
    assert re.findall(r"^\| (XSOAR\.\S+) \| (.*) \| (\w+) \|$", outputs, flags=re.MULTILINE) == [
        (output["contextPath"], output["description"], output["type"]) for output in playbook.data["outputs"]
    ]
    assert f"](../doc_files/{picture_of(playbook.path).name})" in text


def test_linking_refuses_what_it_should() -> None:
    """
    Given: the playbook that links an incident.
    When: it is read for what comes before the mirror fields are set.
    Then: the direction, another link and the remote incident's being there are checked; and the four fields come from the inputs.
    """
    (link,) = [item for item in PLAYBOOKS if item.id.endswith("Link Existing Incident")]
    by_name = {task["task"]["name"]: task for task in tasks(link).values()}
    setting = by_name["Set the mirror fields"]
    assert {name: next(sources(value)) for name, value in given(setting).items()} == {
        "dbotMirrorId": "inputs.RemoteID",
        "dbotMirrorInstance": "inputs.Instance",
        "dbotMirrorDirection": "inputs.Direction",
        "dbotMirrorTags": "inputs.Tags",
    }
    before = [task for task in tasks(link).values() if [setting["id"]] in next_of(task).values()]
    assert [given(task)["action"]["simple"] for task in before] == ["get"]
    mirrored = by_name["Is the incident mirrored already?"]
    assert next_of(mirrored)[FALLBACK] == [before[0]["id"]]
    assert "inputs.RemoteID" in set(sources(mirrored["conditions"]))
    directions = by_name["Is the direction In, Out or Both?"]["conditions"][0]["condition"]
    assert {right["right"]["value"]["simple"] for any_of in directions for right in any_of} == {"In", "Out", "Both"}


def test_test_playbook_runs_every_command_that_a_person_runs_and_harms_nothing() -> None:
    """
    Given: the test playbook.
    When: its commands are read.
    Then: it begins with an empty context, and those that only read are all run, each followed by a check of its context.
    """
    (item,) = of("TestPlaybooks")
    order = [task for _, task in sorted(tasks(item).items(), key=lambda pair: int(pair[0]))]
    assert script_of(order[1]) == "DeleteContext"
    reading = {name for name, command in commands().items() if name.startswith("xsoar-") and not command.get("execution")}
    assert {command_of(task) for task in order} - {""} == reading
    for task, following in pairwise(order):
        if command_of(task):
            assert next_of(task) == {NEXT: [following["id"]]}
            assert following["type"] == "condition"
    assert the("Integrations")["name"] in item.data["description"]


@playbooks
def test_picture_is_up_to_date(playbook: Item) -> None:
    """
    Given: the picture of a playbook.
    When: the digest in it is compared with the tasks in the yml.
    Then: they agree; otherwise run `make docs`.
    """
    assert stored_digest(picture_of(playbook.path)) == digest(read_nodes(playbook.data))


def task(kind: str, x: int, y: int, name: str = "", **more: Any) -> dict[str, Any]:
    """Return a task of a yml."""
    about = {"name": name, **({"scriptName": more.pop("script")} if "script" in more else {})}
    return {"type": kind, "task": about, "view": f'{{"position": {{"x": {x}, "y": {y}}}}}', **more}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A playbook with a condition, one of whose answers passes by another task."""
    described = {
        "tasks": {
            "0": task("start", 0, 0, nexttasks={NEXT: ["1"]}),
            "1": task("condition", 0, 150, "Is the gate open?", nexttasks={"yes": ["2"], FALLBACK: ["3"]}),
            "2": task("regular", 0, 300, "Close the gate", script="CloseGate", nexttasks={NEXT: ["3"]}),
            "3": task("title", 0, 450, "Done"),
        }
    }
    path = tmp_path / "Playbooks" / "playbook-Small_One.yml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(described, sort_keys=False), encoding="utf-8")
    return path


def test_a_picture_is_the_same_each_time_and_tells_what_it_shows(small: Path) -> None:
    """
    Given: a playbook.
    When: it is drawn twice, and once more after a task got another name.
    Then: the first two pictures are equal to the last byte, and the third has another digest.
    """
    picture = write_picture(small)
    first, first_digest = picture.read_bytes(), stored_digest(picture)
    assert picture == small.parent.parent / "doc_files" / "Small_One.png"
    assert write_picture(small).read_bytes() == first

    small.write_text(small.read_text().replace("Close the gate", "Shut the gate"))
    write_picture(small)

    assert picture.read_bytes() != first
    assert first_digest != stored_digest(picture) == digest(read_nodes(yaml.safe_load(small.read_text())))


def test_nodes_are_what_a_reader_sees(small: Path) -> None:
    """
    Given: a playbook.
    When: its tasks are read for drawing.
    Then: they have their names, what they run, and what follows under words that a reader knows.
    """
    nodes = read_nodes(yaml.safe_load(small.read_text()))
    assert [node.name for node in nodes] == ["Playbook triggered", "Is the gate open?", "Close the gate", "Done"]
    assert [node.detail for node in nodes] == ["", "", "CloseGate", ""]
    assert [node.exits for node in nodes] == [(("", "1"),), (("yes", "2"), ("else", "3")), (("", "3"),), ()]


def test_a_line_goes_around_what_stands_in_its_way(small: Path) -> None:
    """
    Given: a task that leads to one below another task, and one right below it.
    When: the lines are laid.
    Then: the first goes around in level and upright pieces, and the second is straight.
    """
    nodes = read_nodes(yaml.safe_load(small.read_text()))
    start, condition, between, done = nodes

    around = route(condition, done, nodes)

    assert around[0] == condition.bottom
    assert around[-1] == done.top
    assert all(x1 == x2 or y1 == y2 for (x1, y1), (x2, y2) in pairwise(around))
    left, _, right, _ = between.box
    assert any(x < left or x > right for x, _ in around)
    assert route(start, condition, nodes) == [start.bottom, condition.top]


def test_a_line_is_drawn_even_where_there_is_no_way() -> None:
    """
    Given: two tasks that lie upon each other.
    When: the line between them is laid.
    Then: there is one all the same.
    """
    one = Node("0", "start", "", "", 0, 0, (("", "1"),))
    other = Node("1", "title", "Done", "", 10, 10, ())
    assert route(one, other, [one, other])[-1] == other.top


def test_a_picture_shows_every_box_in_its_colour(small: Path) -> None:
    """
    Given: a playbook with a start, a condition, a task and a heading.
    When: it is drawn.
    Then: each box is there where the editor shows it, in the colour of its kind, and the paper around it is white.
    """
    nodes = read_nodes(yaml.safe_load(small.read_text()))
    image = draw(nodes).convert("RGB")
    # A spot beside the text of each box; the line that goes around one lies on the left.
    x = image.width - MARGIN - 28
    spots = [image.getpixel((x, MARGIN + node.y + 36)) for node in nodes]
    assert spots == [(216, 240, 224), (255, 243, 209), (227, 238, 251), (228, 231, 235)]
    assert image.getpixel((0, 0)) == (255, 255, 255)


def test_a_picture_of_something_else_has_no_digest(tmp_path: Path) -> None:
    """
    Given: a picture that the tool did not draw.
    When: its digest is asked for.
    Then: it is empty, which no playbook has.
    """
    Image.new("RGB", (1, 1)).save(tmp_path / "other.png")
    assert stored_digest(tmp_path / "other.png") == ""


def test_no_task_is_drawn_upon_another() -> None:
    """
    Given: the playbooks.
    When: the places of their tasks are read.
    Then: no two share one.
    """
    for item in ALL:
        places = Counter((node.x, node.y) for node in read_nodes(item.data))
        assert [place for place, count in places.items() if count > 1] == []
