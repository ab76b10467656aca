"""The command line `warroom`: it runs a command of the integration and shows its entries."""

import io
import json
import sys
from functools import partial
from pathlib import Path

import pytest

from local_xsoar.cli import warroom
from local_xsoar.host import Host, Workers
from local_xsoar.host.integration import read_integration
from tests.host.host_samples import SAMPLES

CONSOLE = SAMPLES / "Console"
URL = ["--url", "https://there"]


@pytest.fixture(autouse=True)
def in_a_folder_with_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: Workers) -> None:
    folder = tmp_path / "current"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XSOAR_API_KEY", "the key")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(warroom, "Host", partial(Host, workers=workers))  # to start one fork server, not thirty


def run(*arguments: str) -> int:
    return warroom.main([*arguments], CONSOLE)


def test_a_command_is_run_with_the_options_as_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: every option.
    When: a command is run and its entries are asked for as JSON.
    Then: the integration saw them as its parameters, the key from the environment among them.
    """
    options = [
        *URL,
        "--key-id",
        "7",
        "--insecure",
        "--advanced",
        "--pack-params",
        "max_fetch=5",
        "categories=notes, chats",
        "debug_mode=true",
    ]
    assert run(*options, "--command", "!console-params", "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["Contents"] == {
        "url": "https://there",
        "credentials_api_key": {"identifier": "7", "password": "the key"},
        "advanced_api_key": True,
        "insecure": True,
        "max_fetch": "5",
        "categories": ["notes", "chats"],
        "debug_mode": True,
    }


def test_markdown_is_rendered_and_control_characters_are_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: a command whose table holds a terminal's escape sequence and a tag.
    When: it is run.
    Then: the table is drawn with the tag in it, and the escape character is gone.
    """
    assert run(*URL, "--command", '!console-table value="\x1b[2Jred <b>"') == 0
    shown = capsys.readouterr().out
    assert "|---|" not in shown
    assert "[2Jred <b>" in shown
    assert "\x1b[2J" not in shown


def test_a_command_that_fails_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: a command that gives an error entry.
    When: it is run.
    Then: the error is printed as it is, and the status is 1.
    """
    assert run(*URL, "--command", "!console-fail") == 1
    assert capsys.readouterr() == ("", "Not today\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "The following arguments are required: --url: see local_xsoar warroom --help."),
        ([*URL, "--colour"], "Unrecognized arguments: --colour: see local_xsoar warroom --help."),
        ([*URL, "--json"], "The option --json goes with --command only: give the command to run."),
        ([*URL, "--pack-params", "max_fetch"], "A parameter is given as name=value, not as max_fetch."),
        ([*URL, "--pack-params", "max=5", "--command", "!x"], "Console has no parameter max: it has"),
        ([*URL, "--pack-params", "debug_mode=maybe"], "The parameter debug_mode is true or false, not 'maybe'."),
        (
            [*URL, "--pack-params", "credentials_api_key=k"],
            "The parameter credentials_api_key is credentials and cannot be typed",
        ),
        ([*URL, "--command", "console-table"], "A command begins with an exclamation mark"),
        ([*URL, "--command", "!console-tabel"], "Console has no command console-tabel: it has console-fail"),
        ([*URL, "--command", "!console-table"], "console-table needs the argument value"),
        (["--url", "", "--command", "!console-fail"], "The parameter url (Address) of Console is required: give it a value."),
    ],
)
def test_bad_usage_costs_one_sentence(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    """
    Given: arguments that cannot be right.
    When: the command line is run.
    Then: the status is 2 and one line says what is wrong.
    """
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(said)
    assert err.count("\n") == 1


def test_without_a_key_it_says_where_to_put_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: no key in the environment, and nobody to ask.
    When: a command is run.
    Then: the sentence names the variable.
    """
    monkeypatch.delenv("XSOAR_API_KEY")
    assert run(*URL, "--command", "!console-params") == 2
    assert capsys.readouterr().err == "An API key is needed: set the environment variable XSOAR_API_KEY.\n"


def test_help_is_printed_and_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: --help.
    When: the command line is run.
    Then: it shows the options and ends with 0.
    """
    assert run("--help") == 0
    assert "--key-id" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("a.txt", "a.txt"),
        ("../../up.txt", "up.txt"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\up.txt", "up.txt"),
        (".bashrc", "bashrc"),
        ("..", "file"),
        ("taken.txt", "taken (1).txt"),
        ("link.txt", "link (1).txt"),
        ("x" * 300 + ".txt", "x" * 100 + ".txt"),
        ("new\x1b[31m\nline.txt", "new[31mline.txt"),
    ],
)
def test_files_are_saved_in_this_folder_and_nowhere_else(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, saved: str
) -> None:
    """
    Given: a command that gives a file whose name leads elsewhere, is taken, or is a link to somewhere.
    When: it is run.
    Then: the file is in the current folder under a harmless name that is printed, and nothing else was touched.
    """
    Path("taken.txt").write_text("mine")
    Path("link.txt").symlink_to(tmp_path / "elsewhere.txt")
    quoted = name.replace("\\", "\\\\")
    assert run(*URL, "--command", f'!console-file name="{quoted}"') == 0
    assert f"Saved the file {saved}." in capsys.readouterr().out
    assert Path(saved).read_text() == "bytes"
    assert {path.name for path in Path().iterdir()} == {"taken.txt", "link.txt", saved}
    assert Path("taken.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["current"]


def test_as_json_a_file_says_where_it_was_saved(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: a command that gives a file.
    When: its entries are asked for as JSON.
    Then: the entry names the saved file, and no path of the machine.
    """
    assert run(*URL, "--command", "!console-file name=a.txt", "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["File"], entry["SavedAs"]) == ("a.txt", "a.txt")
    assert "FilePath" not in entry


def test_lines_of_a_pipe_are_run_one_by_one(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: no --command, and lines that are help, wrong, failing and good, then exit and one more.
    When: they are piped in.
    Then: each is answered, a wrong one ends nothing, and what follows exit is not run.
    """
    lines = [
        "help",
        "",
        "what?",
        "!console-nothing",
        "!console-fail",
        "!console-table value=good",
        "exit",
        "!console-table value=late",
    ]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines)))
    assert run(*URL) == 0
    out, err = capsys.readouterr()
    assert "!console-table" in out
    assert "good" in out
    assert "late" not in out
    assert [line.split(" ")[0] for line in err.splitlines()] == ["A", "Console", "Not"]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("", ["!console-params", "!console-table", "!console-fail", "!console-file", "help", "exit"]),
        ("!console-f", ["!console-fail", "!console-file"]),
        ("!console-table ", ["value=", "colour="]),
        ("!console-table value=x ", ["colour="]),
        ("!console-table colour=", ["colour=red", "colour=green"]),
        ("!console-table colour=g", ["colour=green"]),
        ("!nothing ", []),
    ],
)
def test_the_prompt_offers_what_may_come_next(typed: str, offered: list[str]) -> None:
    """
    Given: the beginning of a line.
    When: Tab is pressed.
    Then: commands, arguments not given yet, or predefined values are offered.
    """
    assert warroom.completions(read_integration(CONSOLE), typed) == offered
