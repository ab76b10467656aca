"""The platform's Python modules, as the integration script meets them on a server.

On a server the platform injects CommonServerPython and demistomock; they are on no package registry. The stand-ins in this
folder hold what the pack uses. The environment variable XSOAR_RUNTIME names a folder with the real modules to use instead.
"""

import os
from pathlib import Path


def runtime_folders() -> list[str]:
    """Return the folders to put in front of sys.path so that the platform's modules are found, the first one first.

    The folder named by XSOAR_RUNTIME, when set, goes before the stand-ins, which still give what it lacks.

    Raises:
        FileNotFoundError: XSOAR_RUNTIME names a folder without CommonServerPython.py and demistomock.py.
    """
    own = Path(__file__).resolve().parent
    named = os.environ.get("XSOAR_RUNTIME", "")
    if not named:
        return [str(own)]
    real = Path(named).resolve()
    missing = [name for name in ("CommonServerPython.py", "demistomock.py") if not (real / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"XSOAR_RUNTIME names {named}, which holds no {' and no '.join(missing)}: name a folder that does."
        )
    return [str(real), str(own)]
