"""What the yml of an automation script says: its name and its arguments."""

from dataclasses import dataclass
from pathlib import Path

from local_xsoar.host.errors import HostError
from local_xsoar.host.integration import Command, described_by_yml, read_command


@dataclass(frozen=True)
class Automation:
    """An automation script as its folder in a pack describes it; `command` holds its name and arguments."""

    command: Command
    script: Path


def read_automation(folder: Path) -> Automation:
    """Return the automation script of `folder`, which holds one yml and its script.

    Raises:
        HostError: there is no yml, more than one, no script beside it, or it cannot be read.
    """
    yml, described = described_by_yml(folder)
    script = yml.with_suffix(".py")
    if not script.is_file():
        raise HostError(f"The script {script} is missing: put it next to the yml, under the same name.")
    try:
        command = read_command({**described, "description": described.get("comment"), "arguments": described.get("args")})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise HostError(f"{yml} is not the yml of an automation script: {' '.join(str(error).split())}.") from error
    return Automation(command, script)
