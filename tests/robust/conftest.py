"""Lends the tests here the server and the remote of the unit tests: both in memory, with a clock that stands still."""

from stand_ins import clock, frozen, mirrored, naps, remote, remote_6, server

__all__ = ["clock", "frozen", "mirrored", "naps", "remote", "remote_6", "server"]
