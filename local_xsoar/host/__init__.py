"""What a Cortex XSOAR server does with an integration: instances, the fetch job, the mirror job, mappers and the War Room."""

from local_xsoar.host.command_line import parse_command_line
from local_xsoar.host.entries import markdown_of
from local_xsoar.host.errors import HostError
from local_xsoar.host.host import Host
from local_xsoar.host.mirror_job import MirrorRound
from local_xsoar.host.runner import CommandRun, Instance
from local_xsoar.host.settings import HostSettings
from local_xsoar.host.workers import Workers

__all__ = [
    "CommandRun",
    "Host",
    "HostError",
    "HostSettings",
    "Instance",
    "MirrorRound",
    "Workers",
    "markdown_of",
    "parse_command_line",
]
