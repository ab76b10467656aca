"""The War Room's prompt: its history, its words, Ctrl-C and Ctrl-D, and the hidden question for the key in a terminal."""

import io
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from local_xsoar.cli import warroom

ROOT = Path(__file__).resolve().parents[3]
CONSOLE = ROOT / "local_xsoar/tests/host/test_data/Packs/Sample/Integrations/Console"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
KEY = "never-shown-4711"


class TypedAt(io.StringIO):
    """A stdin that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sit at a terminal, in a home of one's own, with a key in the environment."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XSOAR_API_KEY", KEY)
    monkeypatch.setattr(sys, "stdin", TypedAt())
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return tmp_path / "state" / "xsoar-mirroring" / "warroom_history"


def typing(text: str, *options: str) -> int:
    """Type `text` at the prompt and return the exit status."""
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text(text)
        return warroom.main(["--url", "https://there", *options], CONSOLE)


def test_lines_are_run_until_exit(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: a prompt.
    When: a good line, a wrong one, a word and exit are typed, and another line after it.
    Then: it says where it is, each line is answered, and what follows exit is not run.
    """
    assert typing("!console-table value=good\r!console-tabel\rhelp console-fail\rexit\r!console-table value=late\r") == 0
    out, err = capsys.readouterr()
    assert out.startswith("Console on https://there: type a command such as !console-params")
    assert "good" in out
    assert "It takes no arguments." in out
    assert "late" not in out
    assert err == "Console has no command console-tabel: did you mean console-table?\n"


@pytest.mark.parametrize("line", ["help console-table", "!help console-table", "!console-table --help", "!console-table -h"])
def test_help_on_a_command_is_given_however_it_is_asked_for(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: a prompt.
    When: help on a command is asked for as on an XSOAR server, or as in a shell.
    Then: its arguments are shown, and it is not run.
    """
    assert typing(f"{line}\rexit\r") == 0
    out, err = capsys.readouterr()
    assert "colour" in out
    assert err == ""


def test_ctrl_d_ends_and_ctrl_c_empties_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: a prompt with a half-typed line.
    When: Ctrl-C is pressed, a line is typed, and Ctrl-D is pressed.
    Then: the half line is not run, the other one is, and the status is 0.
    """
    assert typing("!console-fail\x03!console-table value=after\r\x04") == 0
    out, err = capsys.readouterr()
    assert "after" in out
    assert err == ""


def test_the_history_is_private_kept_and_without_the_key(history: Path) -> None:
    """
    Given: no history yet.
    When: lines are typed, one with the key in it, in two sessions, and the arrow up is pressed in the second.
    Then: the file is for its owner alone, holds the lines of both without that with the key, and the arrow brings a line back.
    """
    assert typing(f"!console-fail\r!console-table value={KEY}\rexit\r") == 0
    assert history.stat().st_mode & 0o777 == 0o600
    assert history.parent.stat().st_mode & 0o777 == 0o700
    history.chmod(0o644)
    assert typing("\x1b[A\x1b[A\r\x04") == 0  # up past "exit"
    text = history.read_text()
    assert text.count("+!console-fail") == 2
    assert "+exit" in text
    assert KEY not in text
    assert history.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("named", "path"),
    [("/state", "/state"), ("", "/home/me/.local/state"), ("relative", "/home/me/.local/state")],
)
def test_where_the_history_lies(named: str, path: str) -> None:
    """
    Given: XDG_STATE_HOME, which counts when it is an absolute path only.
    When: the place of the history is looked for.
    Then: it is below it, else below ~/.local/state.
    """
    found = warroom.history_file({"XDG_STATE_HOME": named}, Path("/home/me"))
    assert found == Path(path, "xsoar-mirroring", "warroom_history")


def test_without_a_place_for_the_history_one_can_work(capsys: pytest.CaptureFixture[str], history: Path) -> None:
    """
    Given: a file where the folder of the history should be.
    When: a line is typed.
    Then: one sentence says that the history is not kept, and the line is run.
    """
    history.parent.parent.mkdir()
    history.parent.write_text("in the way")
    assert typing("!console-table value=good\r\x04") == 0
    out, err = capsys.readouterr()
    assert "good" in out
    assert err.startswith("The history cannot be saved and lasts for this session only: ")
    assert err.count("\n") == 1


def test_json_is_not_for_the_prompt(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: a terminal.
    When: --json is given without a command.
    Then: one sentence says what to give.
    """
    assert typing("", "--json") == 2
    assert capsys.readouterr().err == (
        "The option --json only works with --command or with commands from a pipe: give the command to run.\n"
    )


class Terminal:
    """A pseudo-terminal with a program in it. What it shows is kept in `shown`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.shown = ""
        self._unread = ""

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._descriptor, text.encode())

    def wait_for(self, text: str) -> None:
        """Read until `text` is shown, after what was waited for before."""
        deadline = time.monotonic() + 60
        while text not in self._unread:
            ready, _, _ = select.select([self._descriptor], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"{text!r} was not shown, but {self._unread!r}"
            try:
                piece = os.read(self._descriptor, 65536).decode(errors="replace")
            except OSError as error:  # the program has ended
                raise AssertionError(f"{text!r} was not shown, but {self._unread!r}") from error
            if "\x1b[6n" in piece:  # the prompt asks a terminal where its cursor is
                self.type("\x1b[1;1R")
            self.shown += piece
            self._unread = ESCAPES.sub("", self._unread + piece)
        self._unread = self._unread.partition(text)[2]


@contextmanager
def in_a_terminal(*options: str) -> Iterator[tuple[Terminal, "subprocess.Popen[bytes]"]]:
    """Run the War Room in a pseudo-terminal of its own, without a key in the environment."""
    code = (
        "import signal, sys; from pathlib import Path; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"from local_xsoar.cli.warroom import main; sys.exit(main(sys.argv[1:], Path({str(CONSOLE)!r})))"
    )
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "XSOAR_API_KEY"}
    # The terminal becomes the program's own, so that Ctrl-C reaches it.
    controlled = (
        "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", controlled, "-c", code, "--url", "https://there", *options],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**environment, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"},
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(ours), process
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_in_a_terminal_the_key_is_asked_for_unseen_and_ctrl_c_ends_the_command_only(tmp_path: Path, history: Path) -> None:
    """
    Given: a terminal, and no key in the environment.
    When: the key is typed, a command that never ends is stopped with Ctrl-C, others are run, one completed with Tab, then Ctrl-D.
    Then: the key is never shown nor kept, the prompt goes on, and the status is 0.
    """
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with in_a_terminal() as (terminal, process):
        terminal.wait_for("API key: ")
        terminal.type(f"{KEY}\r")
        terminal.wait_for("War Room>")
        terminal.type(f"!console-wait pipe={pipe}\r")
        with pipe.open() as started:  # opens when the command has opened its end
            terminal.type("\x03")
            terminal.wait_for("Interrupted.")
            assert started.read() == ""  # the command's process is gone
        terminal.wait_for("War Room>")
        terminal.type("!console-log\r")
        terminal.wait_for("done")
        terminal.wait_for("War Room>")
        terminal.type("log\r")
        terminal.wait_for("debug: the key is <API key>")
        terminal.wait_for("War Room>")
        terminal.type("!console-choose categories=no")
        terminal.wait_for("categories=notes")  # one of the values of the parameter of that name
        terminal.type("\x03")
        terminal.wait_for("War Room>")
        terminal.type("!console-cra")
        terminal.wait_for("Ends with an error that holds its key.")  # the description, beside what Tab would complete
        terminal.type("\t\r")
        terminal.wait_for("The script failed with ValueError: bad key <API key>")
        terminal.wait_for("War Room>")
        terminal.type("\x04")
        assert process.wait(60) == 0
        assert KEY not in terminal.shown
    assert KEY not in history.read_text()


def test_ctrl_c_ends_a_single_command(tmp_path: Path) -> None:
    """
    Given: a command that never ends, run with --command in a terminal.
    When: Ctrl-C is pressed.
    Then: it says so, without a stack trace, and the status is 1.
    """
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with in_a_terminal("--command", f"!console-wait pipe={pipe}") as (terminal, process):
        terminal.wait_for("API key: ")
        terminal.type(f"{KEY}\r")
        with pipe.open():
            terminal.type("\x03")
            terminal.wait_for("Interrupted.")
        assert process.wait(60) == 1
        assert "Traceback" not in terminal.shown
