"""Uploads the pack to local tenants with demisto-sdk, as an operator would to a real one, and looks whether it arrived.

    python tools/upload_pack.py        (or: make upload, which builds the pack first)

For a tenant of 6.x (an API key) and one of 8.x (a key and its ID): the built zip, then the folder of the pack, which demisto-sdk
zips itself, then with a wrong key. Ends with status 1 and a sentence for each thing that is wrong.
"""

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from local_xsoar.tenant import Tenant, TenantSettings, serving

ROOT = Path(__file__).resolve().parent.parent
SDK = ROOT / ".venv-sdk/bin/demisto-sdk"
PACK = Path("Packs/XSOARMirroring")
ZIP = Path("dist/XSOARMirroring.zip")
KEY, KEY_ID, WRONG_KEY = "local-key", "7", "another-key"
VERSIONS = ("6.12.0", "8.8.0")


def upload(address: str, settings: TenantSettings, key: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run `demisto-sdk upload` against the address, with nothing of the caller's own tenants in its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DEMISTO_", "XSIAM_"))}
    environment |= {"DEMISTO_BASE_URL": address, "DEMISTO_API_KEY": key, "DEMISTO_SDK_LOG_NO_COLORS": "true"}
    environment |= {"DEMISTO_SDK_IGNORE_CONTENT_WARNING": "1", "DEMISTO_SDK_LOG_FILE_PATH": str(settings.folder)}
    environment |= {"TMPDIR": str(settings.folder), "NO_PROXY": "127.0.0.1"}
    if settings.is_8:
        environment["XSIAM_AUTH_ID"] = settings.key_id
    command = [str(SDK), "upload", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def find_missing(tenant: Tenant, pack: Path) -> list[str]:
    """Return a sentence for each thing of the pack in the folder that the tenant does not show."""
    metadata = json.loads((pack / "pack_metadata.json").read_text(encoding="utf-8"))
    wanted = (pack.name, metadata["name"], metadata["currentVersion"])
    shown = [(record["id"], record["name"], record["currentVersion"]) for record in tenant.packs()]
    problems = [] if shown == [wanted] else [f"it lists the packs {shown}, not {wanted}"]
    fields = {field["cliName"] for field in tenant.incident_fields()}
    types = {kind["name"] for kind in tenant.incident_types()}
    problems += [f"it has no field {name}" for name in named(pack / "IncidentFields", "cliName") if name not in fields]
    return problems + [f"it has no incident type {name}" for name in named(pack / "IncidentTypes", "name") if name not in types]


def named(folder: Path, key: str) -> list[str]:
    """Return what the items of the folder have under the key."""
    items: list[dict[str, Any]] = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    return [item[key] for item in items]


def check(version: str) -> list[str]:
    """Upload in all three ways to tenants of the version; return a sentence for each thing that is wrong."""
    problems = []
    for what, key, arguments in (
        ("the zip", KEY, ["-i", str(ZIP)]),
        ("the folder", KEY, ["-i", str(PACK), "-z"]),
        ("the zip with a wrong key", WRONG_KEY, ["-i", str(ZIP)]),
    ):
        with tempfile.TemporaryDirectory() as folder:
            settings = TenantSettings("upload", Path(folder), version=version, api_key=KEY, key_id=KEY_ID)
            tenant = Tenant(settings)
            try:
                with serving(tenant) as address:
                    run = upload(address, settings, key, arguments)
                is_let_in = key == KEY
                if (run.returncode == 0) != is_let_in:
                    problems.append(f"{version}: uploading {what} ended with {run.returncode}:\n{run.stdout}{run.stderr}")
                elif is_let_in:
                    problems += [f"{version}: after uploading {what} {missing}." for missing in find_missing(tenant, ROOT / PACK)]
                elif tenant.packs():
                    problems.append(f"{version}: uploading {what} left a pack behind.")
            finally:
                tenant.close()
    return problems


def main() -> None:
    """Upload to both kinds of tenants at the same time."""
    for needed in (SDK, ROOT / ZIP):
        if not needed.is_file():
            sys.exit(f"There is no {needed.relative_to(ROOT)} yet: run `make pack` first.")
    with ThreadPoolExecutor() as pool:
        problems = [problem for found in pool.map(check, VERSIONS) for problem in found]
    if problems:
        sys.exit("\n".join(problems))
    sys.stdout.write(f"Tenants of {' and '.join(VERSIONS)} took the pack as a zip and as a folder, and refused a wrong key.\n")


if __name__ == "__main__":
    main()
