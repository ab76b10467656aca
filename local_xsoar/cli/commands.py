"""What can be run at the War Room prompt: the integration's commands, and those that a server adds for an instance."""

from collections.abc import Mapping

from local_xsoar.host import HostError
from local_xsoar.host.integration import Argument, Command, Integration

TEST = "test-module"
USING, DEBUG_MODE = "using", "debug-mode"

# What a server takes with every command, beside the command's own arguments.
COMMON_ARGUMENTS = (
    Argument(USING, "The instance that runs it.", required=False, default=None, predefined=(), positional=False),
    Argument(
        DEBUG_MODE,
        "Whether to show the debug log of the command as well.",
        required=False,
        default=None,
        predefined=("true", "false"),
        positional=False,
    ),
)


def fetch_command(instance: str) -> str:
    """Return the name of the command that runs a fetch of an instance by hand."""
    return f"{instance}-fetch"


def commands_of(integration: Integration, instance: str) -> Mapping[str, Command]:
    """Return by name what may be run on an instance: the integration's commands, Test, and the fetch of one that fetches."""
    test = Command(TEST, "Tests the connection, as the button Test does.", (), execution=False)
    fetch = Command(
        fetch_command(instance),
        f"Shows the incidents that a fetch would create, with {DEBUG_MODE}=true. It creates none and keeps no last run.",
        (),
        execution=False,
    )
    added = [test, fetch] if integration.fetches else [test]
    return {**integration.commands, **{command.name: command for command in added}}


def taken_apart(args: Mapping[str, str], known_instance: str) -> tuple[dict[str, str], bool]:
    """Return the arguments of the command itself, and whether its debug log is asked for as well.

    Raises:
        HostError: another instance is named, or debug-mode is neither true nor false.
    """
    own = {name: value for name, value in args.items() if name not in (USING, DEBUG_MODE)}
    using, debug_mode = args.get(USING, ""), args.get(DEBUG_MODE, "false")
    if using not in ("", known_instance):
        raise HostError(f"There is no instance {using}: there is {known_instance}. Leave {USING} out.")
    if debug_mode not in ("true", "false"):
        raise HostError(f"The argument {DEBUG_MODE} is true or false, not {debug_mode!r}.")
    return own, debug_mode == "true"
