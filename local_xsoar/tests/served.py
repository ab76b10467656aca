"""Runs a command that serves until Ctrl-C, in a process of its own."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
Start = Callable[..., tuple[subprocess.Popen[str], str]]


@contextmanager
def starting(command: str, folder: Path) -> Iterator[Start]:
    """Yield what starts `command` on a folder, with more arguments: it gives the process and what that printed up to `until`.

    What still runs at the end is killed.
    """
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, until: str = "Ctrl-C") -> tuple[subprocess.Popen[str], str]:
        # A shell that runs tests in the background has Ctrl-C ignored, and a child would inherit that.
        listening = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
        code = f"{listening}; from local_xsoar.__main__ import main; sys.exit(main(sys.argv[1:]))"
        process = subprocess.Popen(
            [sys.executable, "-c", code, command, "--folder", str(folder), *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        printed = ""
        assert process.stdout
        for line in process.stdout:
            printed += line
            if until in line:
                break
        return process, printed

    try:
        yield run
    finally:
        for process in started:
            process.kill()
            process.communicate()
