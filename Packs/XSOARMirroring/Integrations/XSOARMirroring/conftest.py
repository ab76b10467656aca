"""Lends the unit tests the server and the remote of stand_ins.py."""

from stand_ins import clock, frozen, mirrored, naps, remote, remote_6, server

__all__ = ["clock", "frozen", "mirrored", "naps", "remote", "remote_6", "server"]
