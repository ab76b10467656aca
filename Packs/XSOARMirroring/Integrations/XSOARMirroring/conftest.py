"""Lends the tests in unit_tests the server and the remote that stand in XSOARMirroring_test.py."""

from XSOARMirroring_test import clock, frozen, mirrored, naps, remote, remote_6, server

__all__ = ["clock", "frozen", "mirrored", "naps", "remote", "remote_6", "server"]
