"""What follows the README sees each command and each line that is not true, and nothing else."""

import sys
from pathlib import Path

import pytest

from tools import follow_readme
from tools.follow_readme import Outcome, Step, chosen, first_untrue, newcomers_environment, run, steps_of, untrue

PAGE = """\
# A page

```console
$ make demo
Fetched: … of 12.

…
$ make warroom
War Room> exit
```

```text
$ make upload
```

| command | what it does |
|---|---|
| `make pack` | `dist/pack.zip`, not `make cake` |
| `make demo`, `make sbom` | twice |
"""
PROMPT = """\
while (line := input("War Room> ")) != "exit":
    print("You said", line)
"""
SERVER = """\
import time
print("Ctrl-C stops it.", flush=True)
try:
    while True:
        time.sleep(60)
except KeyboardInterrupt:
    print("Stopped.")
"""


@pytest.fixture(autouse=True)
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a short silence for a pause."""
    monkeypatch.setattr(follow_readme, "PAUSE", 0.2)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return newcomers_environment(tmp_path, {"PATH": "/usr/local/bin:/usr/bin:/bin"})


def program(folder: Path, text: str) -> str:
    """Write a program; return the command that runs it."""
    (folder / "program.py").write_text(text, encoding="utf-8")
    return f"'{sys.executable}' program.py"


def test_the_commands_of_a_page() -> None:
    """
    Given: a page with blocks for a terminal, another block, and a table of commands.
    When: it is read.
    Then: there are the commands of the console blocks with what is shown beneath them, then those of the column of commands.
    """
    assert steps_of("page.md", PAGE) == [
        Step("page.md", 4, "make demo", ("Fetched: … of 12.", "", "…")),
        Step("page.md", 8, "make warroom", ("War Room> exit",)),
        Step("page.md", 18, "make pack"),
        Step("page.md", 19, "make demo"),
        Step("page.md", 19, "make sbom"),
    ]


def test_a_block_without_a_command_is_refused() -> None:
    """
    Given: a console block whose command lacks its mark.
    When: the page is read.
    Then: one sentence names the line and what is missing.
    """
    with pytest.raises(SystemExit, match=r"^page\.md:2: a block marked console begins with a command"):
        steps_of("page.md", "```console\nmake demo\n```\n")


def test_what_is_run_and_in_which_order() -> None:
    """
    Given: commands of a block and of a table: one in both, one with a value to put in, one that runs elsewhere, one that serves,
        and the one that removes all.
    When: those to run are chosen.
    Then: each is there once, what removes comes last, and Ctrl-C is pressed where the command says that it waits for it.
    """
    listed = ["make clean", "make test", "make demo", "make test-real X=<folder>", "make serve", "make lint"]
    steps = chosen([Step("page.md", 3, "make demo", ("…",)), *(Step("page.md", 9, command) for command in listed)])

    assert [step.command for step in steps] == ["make demo", "make serve", "make lint", "make clean"]
    assert steps[0].line == 3
    assert steps[1].shown == ("…", "Press Ctrl-C to stop.", "…", "^C…", "…")


def test_a_command_that_shows_two_things_is_run_twice() -> None:
    """
    Given: two blocks with the same command and different lines beneath it.
    When: the steps to run are chosen.
    Then: both are.
    """
    steps = [Step("page.md", 3, "make demo", ("one",)), Step("page.md", 9, "make demo", ("two",))]
    assert chosen(steps) == steps


@pytest.mark.parametrize(
    ("shown", "printed", "found"),
    [
        ([], [], None),
        (["one", "", "two"], ["", "one  ", "two"], None),
        (["…", "two"], ["one", "one and a half", "two"], None),
        (["…"], [], None),
        (["one", "…", "one", "…"], ["one", "one", "one", "two"], None),
        (["port … is open"], ["port 40123 is open"], None),
        (["a.b [c]"], ["axb c"], (0, "axb c")),
        (["one", "two"], ["one", "three"], (1, "three")),
        (["one", "two"], ["one"], (1, "")),
        (["one"], ["one", "two"], (1, "two")),
        (["…", "two"], ["one", "three"], (1, "three")),
        (["…", "two"], ["two", "three"], (2, "three")),
        (["two", "…", "one"], ["one", "two"], (0, "one")),
    ],
)
def test_what_is_shown_against_what_was_printed(shown: list[str], printed: list[str], found: tuple[int, str] | None) -> None:
    """
    Given: lines of a page and lines that were printed.
    When: they are compared.
    Then: the first line that is not true is found, and what stands in its place; an ellipsis stands for anything.
    """
    assert first_untrue(shown, printed) == found


def test_lines_are_typed_at_a_prompt(tmp_path: Path, environment: dict[str, str]) -> None:
    """
    Given: a block with lines at a program's prompt.
    When: it is followed.
    Then: they are typed when the prompt asks, and the whole is what the block shows.
    """
    step = Step(
        "page.md",
        4,
        program(tmp_path, PROMPT),
        ("War Room> good morning", "You said good morning", "War Room> bye", "You said …", "War Room> exit"),
    )
    outcome = run(step, tmp_path, environment)

    assert outcome.status == 0
    assert untrue(step, outcome) == ""


def test_ctrl_c_is_pressed_when_all_above_it_was_shown(tmp_path: Path, environment: dict[str, str]) -> None:
    """
    Given: a program that serves until Ctrl-C.
    When: its block presses it.
    Then: it ends in order, and the terminal shows what a user sees.
    """
    step = Step("page.md", 4, program(tmp_path, SERVER), ("Ctrl-C stops it.", "^CStopped."))
    outcome = run(step, tmp_path, environment)

    assert untrue(step, outcome) == "", outcome


def test_what_never_comes_is_named(tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: a program that waits for Ctrl-C and never prints what its block shows above it.
    When: it is followed.
    Then: it is ended, and the line is named.
    """
    monkeypatch.setattr(follow_readme, "PATIENCE", 0.5)
    step = Step("page.md", 4, program(tmp_path, SERVER), ("…", "Listening.", "^C"))
    outcome = run(step, tmp_path, environment)

    assert outcome.status is None
    assert untrue(step, outcome).startswith("page.md:6: ")
    assert 'shows "Listening."' in untrue(step, outcome)


@pytest.mark.parametrize(
    ("shown", "outcome", "sentence"),
    [
        ((), Outcome(("anything",), 0, 1.0), ""),
        ((), Outcome(("make: *** No rule",), 2, 1.0), "page.md:4: make demo: ends with 2."),
        ((), Outcome((), None, 1.0), "page.md:4: make demo: prints nothing for 600 seconds and does not end."),
        (("Equal.",), Outcome(("Equal.",), 1, 1.0), "page.md:4: make demo: ends with 1."),
        (("Equal.",), Outcome(("Equal.",), 130, 1.0), "page.md:4: make demo: ends with 130."),
        (("…", "^CStopped."), Outcome(("^CStopped.",), 130, 1.0), ""),
        (("One.", "Two."), Outcome(("One.", "Three."), 0, 1.0), 'page.md:6: make demo: shows "Two.", but prints "Three.".'),
        (("One.",), Outcome(("One.", "Two."), 0, 1.0), 'page.md:4: make demo: prints more than is shown: "Two.".'),
    ],
)
def test_the_line_that_is_not_true_is_named(shown: tuple[str, ...], outcome: Outcome, sentence: str) -> None:
    """
    Given: a command of a page, and what it did.
    When: both are compared.
    Then: one sentence names the line and what happened instead; an interrupted command may say so in its status.
    """
    assert untrue(Step("page.md", 4, "make demo", shown), outcome) == sentence


def test_a_newcomer_has_nothing_of_ours(tmp_path: Path) -> None:
    """
    Given: our variables, and an environment of ours that comes first in the path.
    When: those of a newcomer are made.
    Then: only how the network is reached is kept, and HOME is their own.
    """
    ours = {
        "PATH": f"{follow_readme.ROOT}/.venv/bin:/usr/bin",
        "HOME": "/nobody",
        "CI": "true",
        "MAKEFLAGS": "-k",
        "XSOAR_API_KEY": "k",
        "PIP_INDEX_URL": "u",
        "https_proxy": "p",
    }
    theirs = newcomers_environment(tmp_path, ours)

    shape = {"TERM": "dumb", "LINES": "40", "COLUMNS": "120"}
    assert theirs == {"PATH": "/usr/bin", "PIP_INDEX_URL": "u", "https_proxy": "p", "HOME": str(tmp_path), **shape}


def test_what_runs_until_ctrl_c_says_so_as_it_is_waited_for() -> None:
    """
    Given: the commands that run until Ctrl-C, with the sentence that is waited for before it is pressed.
    When: the sentence is looked for in the command's module.
    Then: it is there: otherwise the wait would last for minutes and end in a false alarm.
    """
    for command, sentence in follow_readme.UNTIL_CTRL_C.items():
        module = follow_readme.ROOT / "local_xsoar" / "cli" / f"{command.removeprefix('make ')}.py"
        assert sentence in module.read_text(encoding="utf-8")
