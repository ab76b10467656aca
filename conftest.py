"""Puts the platform's modules where the tests find them: the real ones when XSOAR_RUNTIME is set, else the stand-ins."""

import sys

from local_xsoar.runtime import runtime_folders

sys.path[:0] = runtime_folders()
