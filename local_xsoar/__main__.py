"""The local XSOAR's commands: `python -m local_xsoar demo|pair|serve|warroom`. `make` calls them."""

import importlib
import signal
import sys

COMMANDS = {
    "demo": "two tenants that mirror incidents, and the proof that both sides are equal",
    "pair": "two linked tenants that stay",
    "serve": "one tenant on a port",
    "warroom": "a prompt for the integration's commands",
}


def main(arguments: list[str]) -> int:
    """Run a command and return its exit status: 2 for a command that does not exist."""
    choices = "; ".join(f"{name} ({text})" for name, text in COMMANDS.items())
    if arguments and arguments[0] in ("-h", "--help"):
        print(f"The commands are {choices}. Each tells more with --help.")  # noqa: T201
        return 0
    if not arguments or arguments[0] not in COMMANDS:
        named = f"There is no command {arguments[0]!r}" if arguments else "A command is missing"
        print(f"{named}: choose one of {choices}.", file=sys.stderr)  # noqa: T201
        return 2
    signal.signal(signal.SIGTERM, _end)
    command = importlib.import_module(f"local_xsoar.cli.{arguments[0]}")
    return command.main(arguments[1:])


def _end(number: int, _frame: object) -> None:
    """End in order when the process is asked to, so that what a command put up is taken down and its folders are removed."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
