"""Lends the tests here the server and the remote of the unit tests: both in memory, with a clock that stands still."""

import sys
from pathlib import Path

INTEGRATION = Path(__file__).resolve().parents[2] / "Packs" / "XSOARMirroring" / "Integrations" / "XSOARMirroring"
sys.path.insert(0, str(INTEGRATION))

from XSOARMirroring_test import clock, frozen, mirrored, naps, remote, remote_6, server  # noqa: E402

__all__ = ["clock", "frozen", "mirrored", "naps", "remote", "remote_6", "server"]
