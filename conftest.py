"""What all tests share: the modules they import by name, and the order in which files are handed to the processes.

The modules are the platform's, the real ones when XSOAR_RUNTIME is set and else the stand-ins; the integration; and the server
and the remote of its unit tests.
"""

import sys
from pathlib import Path

import pytest

from local_xsoar.runtime import runtime_folders

INTEGRATION = Path(__file__).resolve().parent / "Packs/XSOARMirroring/Integrations/XSOARMirroring"
sys.path[:0] = [*runtime_folders(), str(INTEGRATION), str(INTEGRATION / "unit_tests")]

# The folders whose files take longest. They come first: a long file that comes last is run while the other processes are idle.
LONG_ONES = ("robust", "mirror", "cli")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of the folders that take longest first, and leave all else in its order."""
    items.sort(key=lambda item: LONG_ONES.index(item.path.parent.name) if item.path.parent.name in LONG_ONES else len(LONG_ONES))
