"""Lends the unit tests of the scripts the server of the integration's stand_ins.py."""

from stand_ins import clock, frozen, naps, server

__all__ = ["clock", "frozen", "naps", "server"]
