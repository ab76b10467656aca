"""How the command lines read their arguments: a wrong one costs one sentence, not a page."""

import argparse
import sys
from typing import NoReturn


class OneSentenceParser(argparse.ArgumentParser):
    """An argument parser that says what is wrong in one sentence and exits with status 2."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and how to see what is right, and exit."""
        print(f"{message[:1].upper()}{message[1:].rstrip('.')}: see {self.prog} --help.", file=sys.stderr)
        sys.exit(2)
