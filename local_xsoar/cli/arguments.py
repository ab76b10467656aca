"""Command line parsing that answers a wrong argument with one sentence, not a page."""

import argparse
import contextlib
import shlex
import sys
from pathlib import Path
from typing import Any, NoReturn


class OneSentenceParser(argparse.ArgumentParser):
    """The argument parser of one of our commands; it says what is wrong in one sentence and exits with status 2."""

    def __init__(self, command: str, **options: Any) -> None:
        super().__init__(prog=called(command), **options)

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and how to see what is right, and exit."""
        print(f"{message[:1].upper()}{message[1:].rstrip('.')}: see {self.prog} --help.", file=sys.stderr)
        sys.exit(2)


def called(command: str) -> str:
    """Return the command line that runs a command, with this Python: as a relative path if it lies in the current folder."""
    python = Path(sys.executable)
    with contextlib.suppress(ValueError):
        python = python.relative_to(Path.cwd())
    return f"{shlex.quote(str(python))} -m local_xsoar {command}"


def named_folder(text: str) -> Path:
    """Return the folder that an argument names. Raises ArgumentTypeError for an empty one, which would be the current folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it names no folder")
    return Path(text)
