"""What can be run at the War Room prompt: the integration's commands, and those that a server adds for an instance."""

from collections.abc import Mapping

from local_xsoar.host import HostError
from local_xsoar.host.integration import Argument, Command, Integration

TEST = "test-module"
USING, DEBUG_MODE = "using", "debug-mode"

# What a server takes with every command, beside the command's own arguments.
COMMON_ARGUMENTS = (
    Argument(USING, "The instance that runs the command.", required=False, default=None, predefined=(), positional=False),
    Argument(
        DEBUG_MODE,
        "Whether to also show the debug log of the command.",
        required=False,
        default=None,
        predefined=("true", "false"),
        positional=False,
    ),
)

# What a server takes with every command as well, and nothing here carries out.
ONLY_ON_A_SERVER = frozenset(
    {"auto-extract", "execution-timeout", "extend-context", "ignore-outputs", "quiet-mode", "raw-response", "retry-count"}
    | {"retry-interval", "using-brand"}
)


def fetch_command(instance: str) -> str:
    """Return the name of the command that runs a fetch of an instance by hand."""
    return f"{instance}-fetch"


def commands_of(integration: Integration, instance: str) -> Mapping[str, Command]:
    """Return by name what may be run on an instance: the integration's commands, Test, and the fetch of one that fetches."""
    test = Command(TEST, "Tests the connection, like the Test button.", (), execution=False)
    fetch = Command(
        fetch_command(instance),
        f"With {DEBUG_MODE}=true, shows the incidents that a fetch would create, without creating them or saving the last run.",
        (),
        execution=False,
    )
    added = [test, fetch] if integration.fetches else [test]
    return {**integration.commands, **{command.name: command for command in added}}


def taken_apart(args: Mapping[str, str], known_instance: str) -> tuple[dict[str, str], bool]:
    """Return the arguments of the command itself, and whether its debug log is asked for as well.

    Raises:
        HostError: another instance is named, debug-mode is neither true nor false, or only a server takes an argument.
    """
    if of_server := sorted(ONLY_ON_A_SERVER & args.keys()):
        more = "; --json shows all that the command returned" if "raw-response" in of_server else ""
        raise HostError(
            f"Only an XSOAR server takes {' and '.join(of_server)}: leave {'them' if of_server[1:] else 'it'} out{more}."
        )
    own = {name: value for name, value in args.items() if name not in (USING, DEBUG_MODE)}
    using, debug_mode = args.get(USING, ""), args.get(DEBUG_MODE, "false")
    if using not in ("", known_instance):
        raise HostError(f"There is no instance {using}, only {known_instance}: leave {USING} out.")
    if debug_mode not in ("true", "false"):
        raise HostError(f"{DEBUG_MODE} must be true or false, not {debug_mode!r}.")
    return own, debug_mode == "true"
