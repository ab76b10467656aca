"""The one error that the host raises for what its user can fix."""


class HostError(Exception):
    """Says in one sentence what is wrong with what was asked of the host, and what to do about it."""
