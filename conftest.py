"""Puts on the path what the tests import by name.

That is the platform's modules, the real ones when XSOAR_RUNTIME is set and else the stand-ins; the integration; and the server
and the remote of its unit tests.
"""

import sys
from pathlib import Path

from local_xsoar.runtime import runtime_folders

INTEGRATION = Path(__file__).resolve().parent / "Packs/XSOARMirroring/Integrations/XSOARMirroring"

sys.path[:0] = [*runtime_folders(), str(INTEGRATION), str(INTEGRATION / "unit_tests")]
