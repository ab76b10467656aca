"""Follows the README as a newcomer does: in a fresh clone, command by command. Says which line is no longer true.

    .venv/bin/python tools/follow_readme.py [--reuse-environments] [page ...]        (or: make newcomer)

It clones the last commit into an empty temporary folder with a HOME of its own and, in a terminal of 120 columns, runs

- each fenced block of README.md and docs/contributing.md that is marked `console`, as it would look in a terminal: a line that
  begins with `$ ` is a command, one that begins with the name of a prompt (`War Room> `) is typed at it, one that begins with
  `^C` is where Ctrl-C is pressed, once all above it was shown. All other lines are what must be printed. `…` stands for
  anything in a line, and alone on a line for any number of lines. Blank lines do not count. A command with nothing beneath it
  may print what it likes;
- each command in a column of a table with the heading "command", but for those that CHECKED_ELSEWHERE names.

Each command must end with status 0, or by Ctrl-C where that was pressed. Blocks with other marks, such as `text`, are not run.
"""

import argparse
import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "docs/contributing.md")
SIZE = (40, 120)  # Lines and columns of the terminal.
PATIENCE = 600.0  # Seconds that a command may be silent: making an environment is.
PAUSE = 1.0  # Seconds of silence after which a prompt waits for what is typed.
MARK = "…"
CTRL_C = "^C"
LEFT_BY_CTRL_C = (0, 128 + signal.SIGINT, -signal.SIGINT)

# Commands of the tables that are not run here, and why.
CHECKED_ELSEWHERE = {
    "make test": "CI runs it, and it takes minutes",
    "make bench": "takes ten minutes; its tests are part of make test",
    "make mutants": "takes half an hour; its tests are part of make test",
    "make soak": "takes half an hour; a short day is part of make test",
    "make newcomer": "is what runs this",
    "make lock": "asks the package registry for each package",
    "make warroom": "wants a tenant; the tour calls it with one",
}
# A command of a table that runs until Ctrl-C, and the line by which it says so.
UNTIL_CTRL_C = {
    "make pair": "Ctrl-C stops both; the same command picks up where they left off.",
    "make serve": "Press Ctrl-C to stop.",
}
# What must come after all others, as it removes what they need.
LAST = ("make clean",)
# What a newcomer's machine may be configured with, and nothing of ours.
KEPT_VARIABLES = re.compile(
    r"PATH|USER|LOGNAME|LANG|LC_.*|TMPDIR|PIP_.*|SSL_CERT_.*|REQUESTS_CA_BUNDLE|(?i:https?_proxy|no_proxy)"
)

_PLACEHOLDER = re.compile(r"<[\w ]+>")  # Where the reader has to put something in.
_TYPED = re.compile(r"(\w[\w ]*> )(.+)")
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[()].|[=>])")

# Makes the terminal that of the command, so that Ctrl-C reaches it; a shell in the background would have it ignored.
_LOGIN = """
import os, signal, sys
os.login_tty(0)
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp("bash", ["bash", "-c", sys.argv[1]])
"""


@dataclass(frozen=True)
class Step:
    """A command of a page, the number of its line, and the lines that are shown beneath it; without any, none are promised."""

    page: str
    line: int
    command: str
    shown: tuple[str, ...] = ()


def steps_of(page: str, text: str) -> list[Step]:
    """Return the commands of a page of Markdown: those of its console blocks, then those of its tables."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    blocks = [step for token in tokens if token.type == "fence" for step in _steps_of_block(page, token)]
    return [*blocks, *_steps_of_tables(page, tokens)]


def _steps_of_block(page: str, fence: Token) -> list[Step]:
    steps: list[Step] = []
    first = fence.map[0] + 2 if fence.map else 0
    for number, line in enumerate(fence.content.splitlines() if fence.info.strip() == "console" else (), first):
        if line.startswith("$ "):
            steps.append(Step(page, number, line.removeprefix("$ ")))
        elif not steps:
            raise SystemExit(f"{page}:{number}: a block marked console begins with a command: put $ and a blank before it.")
        else:
            steps[-1] = replace(steps[-1], shown=(*steps[-1].shown, line))
    return steps


def _steps_of_tables(page: str, tokens: Sequence[Token]) -> Iterator[Step]:
    column, wanted, line = 0, -1, 0
    for opening, token in pairwise(tokens):
        if opening.type == "table_open":
            wanted = -1
        if opening.type == "tr_open":
            column, line = 0, opening.map[0] + 1 if opening.map else 0
        if opening.type == "th_open" and token.content == "command":
            wanted = column
        if opening.type == "td_open" and column == wanted:
            yield from (Step(page, line, code.content) for code in token.children or () if code.type == "code_inline")
        column += opening.type in ("th_open", "td_open")


def chosen(steps: Sequence[Step]) -> list[Step]:
    """Return the steps to run, in order: each that shows something, and each other command once, unless another place runs it."""
    kept: list[Step] = []
    for step in steps:
        is_run_already = not step.shown and step.command in {other.command for other in kept}
        if is_run_already or step.command in CHECKED_ELSEWHERE or _PLACEHOLDER.search(step.command):
            continue
        if not step.shown and step.command in UNTIL_CTRL_C:
            step = replace(step, shown=(MARK, UNTIL_CTRL_C[step.command], MARK, f"{CTRL_C}{MARK}", MARK))
        kept.append(step)
    return sorted(kept, key=lambda step: step.command in LAST)


def first_untrue(shown: Sequence[str], printed: Sequence[str]) -> tuple[int, str] | None:
    """Compare what a page shows with what was printed; blank lines and blanks at the end of a line do not count.

    Returns:
        None when it is the same; else the index in `shown` of the line that is not true (its length where more was printed) and
        what was printed in its place, "" where nothing was.
    """
    wanted = [(index, line.rstrip()) for index, line in enumerate(shown) if line.strip()]
    got = [line.rstrip() for line in printed if line.strip()]
    # Where the lines before may end: all numbers of printed lines that fit what is shown up to here.
    ends = {0}
    for index, line in wanted:
        if line.strip() == MARK:
            ends = set(range(min(ends), len(got) + 1))
            continue
        pattern = _pattern(line)
        further = {end + 1 for end in ends if end < len(got) and pattern.fullmatch(got[end])}
        if not further:
            # After an ellipsis anything may stand there, so the last line says most.
            said = got[-1:] if len(ends) > 1 else got[min(ends) : min(ends) + 1]
            return index, said[0] if said else ""
        ends = further
    return None if len(got) in ends else (len(shown), got[max(ends)])


@dataclass(frozen=True)
class Outcome:
    """What the terminal showed, line by line, the exit status, and the seconds it took. The status is None where it hung."""

    printed: tuple[str, ...]
    status: int | None
    seconds: float


class _Terminal:
    """A terminal that runs one command. `text` is what it has shown, without colours."""

    def __init__(self, command: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.text = ""
        self._shown = b""
        self._hung = False
        self._descriptor, theirs = os.openpty()
        termios.tcsetwinsize(theirs, SIZE)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _LOGIN, command], stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=environment
        )
        os.close(theirs)

    def read(self, seconds: float) -> bool | None:
        """Read on. Returns whether something came in time; None when the command has ended."""
        if not select.select([self._descriptor], [], [], seconds)[0]:
            return False
        try:
            read = os.read(self._descriptor, 1 << 16)
        except OSError:  # Linux tells so that the other side has ended.
            read = b""
        self._shown += read
        self.text = _ESCAPES.sub("", self._shown.decode(errors="replace")).replace("\r", "")
        return True if read else None

    def type(self, keys: str, awaited: re.Pattern[str], since: int) -> bool:
        """Press keys once what is awaited is shown behind a position, and a pause follows. Returns whether that came."""
        while (came := self.read(PAUSE if awaited.search(self.text, since) else PATIENCE)) is not None:
            if not came and awaited.search(self.text, since):
                os.write(self._descriptor, keys.encode())
                return True
            if not came:
                self.kill()
        return False

    def kill(self) -> None:
        """End a command that hangs."""
        self._hung = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> int | None:
        """Read to the end and return the exit status; None where the command had to be killed."""
        while (came := self.read(PATIENCE)) is not None:
            if not came:
                self.kill()
        os.close(self._descriptor)
        status = self._process.wait()
        return None if self._hung else status


def run(step: Step, folder: Path, environment: Mapping[str, str]) -> Outcome:
    """Run a command in a terminal, type what its block types, and return what one saw."""
    started, since, above = time.monotonic(), 0, ""
    terminal = _Terminal(step.command, folder, environment)
    try:
        for line in step.shown:
            if typed := _TYPED.fullmatch(line):
                keys, awaited = f"{typed[2]}\r", re.compile(rf"(?m:^){re.escape(typed[1])}\Z")
            elif line.startswith(CTRL_C):
                keys, awaited = "\x03", _pattern(above)
            else:
                above = above if line.strip() in ("", MARK) else line.rstrip()
                continue
            if not terminal.type(keys, awaited, since):
                break
            since = len(terminal.text)
        status = terminal.end()
    except BaseException:
        terminal.kill()
        raise
    return Outcome(tuple(terminal.text.split("\n")), status, time.monotonic() - started)


def _pattern(line: str) -> re.Pattern[str]:
    """Return what a line of a page stands for, each mark in it for anything."""
    return re.compile(".*".join(re.escape(part) for part in line.split(MARK)))


def untrue(step: Step, outcome: Outcome) -> str:
    """Return what a page says of a command that was not so, one sentence with the line; "" when all is true."""
    here = f"{step.page}:{step.line}: {step.command}"
    if step.shown and (found := first_untrue(step.shown, outcome.printed)):
        index, said = found
        instead = f'"{said}"' if said else "nothing"
        if index == len(step.shown):
            return f"{here}: prints more than is shown: {instead}."
        return f'{step.page}:{step.line + 1 + index}: {step.command}: shows "{step.shown[index].strip()}", but prints {instead}.'
    if outcome.status is None:
        return f"{here}: prints nothing for {PATIENCE:.0f} seconds and does not end."
    pressed = any(line.startswith(CTRL_C) for line in step.shown)
    return "" if outcome.status == 0 or (pressed and outcome.status in LEFT_BY_CTRL_C) else f"{here}: ends with {outcome.status}."


def newcomers_environment(home: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a newcomer whose HOME is empty: of ours only how the network is reached, and where we live."""
    kept = {name: value for name, value in variables.items() if KEPT_VARIABLES.fullmatch(name)}
    configured = Path(variables.get("HOME", "/")) / ".config" / "pip" / "pip.conf"
    if configured.is_file():
        kept.setdefault("PIP_CONFIG_FILE", str(configured))
    environments = tuple(str(ROOT / name / "bin") for name in (".venv", ".venv-sdk"))
    path = [folder for folder in kept.get("PATH", os.defpath).split(os.pathsep) if folder not in environments]
    lines, columns = SIZE
    # A terminal without colours shows what the page shows; such a one has to be told its size.
    shape = {"TERM": "dumb", "LINES": str(lines), "COLUMNS": str(columns)}
    return {**kept, "PATH": os.pathsep.join(path), "HOME": str(home), **shape}


def clone(target: Path, *, reuse: bool) -> None:
    """Clone the last commit of this repository; with `reuse` the clone has the environments that lie here."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(target)], check=True)  # noqa: S607
    if not reuse:
        return
    for name in (".venv", ".venv-sdk"):
        (target / name).symlink_to((ROOT / name).resolve(strict=True))
    # Older than the environments, so that make does not make them anew.
    for file in (*(target / "requirements").glob("*.txt"), target / "tools" / "make_environment.py"):
        os.utime(file, (0, 0))


def main(arguments: list[str]) -> int:
    """Follow the pages; return 0 when all they say is true, else 1."""
    parser = argparse.ArgumentParser(description="Follow the README as a newcomer does, in a fresh clone.", allow_abbrev=False)
    parser.add_argument("pages", nargs="*", default=PAGES, help="pages of the repository, or others (default: %(default)s)")
    parser.add_argument("--reuse-environments", action="store_true", help="with the environments that lie here: quick")
    options = parser.parse_args(arguments)
    work = Path(tempfile.mkdtemp(prefix="newcomer-"))
    problems: list[str] = []
    try:
        folder, home = work / "xsoar-mirroring", work / "home"
        home.mkdir()
        clone(folder, reuse=options.reuse_environments)
        environment = newcomers_environment(home, os.environ)
        texts = {page: (folder / page).read_text(encoding="utf-8") for page in options.pages}
        steps = [step for page, text in texts.items() for step in steps_of(page, text)]
        for step in chosen(steps):
            outcome = run(step, folder, environment)
            problem = untrue(step, outcome)
            sys.stdout.write(f"{'NO' if problem else 'ok'}  {outcome.seconds:6.1f} s  {step.page}:{step.line}: {step.command}\n")
            if problem:
                sys.stdout.write("".join(f"      | {line}\n" for line in outcome.printed if line.strip()))
                problems.append(problem)
            sys.stdout.flush()
    except KeyboardInterrupt:
        problems.append("Stopped.")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    sys.stdout.write("".join(f"{problem}\n" for problem in problems) or "All that the pages show is true.\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
