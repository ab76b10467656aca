"""Looks for keys, passwords and tokens in all files that are, or are about to be, in the repository.

    .venv-sdk/bin/python tools/find_secrets.py        (or: make secrets)

All detectors of detect-secrets, with nothing sent anywhere. What looks like a secret and is none stands in
tools/allowed_secrets.toml with its reason; a mark in a file allows nothing. Prints one sentence for each finding, with the
value, and ends with status 1, or says that there is none and ends with 0.
"""

import subprocess
import sys
import tomllib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from detect_secrets import SecretsCollection
from detect_secrets.settings import default_settings

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = ROOT / "tools/allowed_secrets.toml"
# Filters that would let a secret pass unseen: by a remark beside it, within a call, or by the name of its file.
FILTERS_OFF = (
    "detect_secrets.filters.allowlist.is_line_allowlisted",
    "detect_secrets.filters.heuristic.is_indirect_reference",
    "detect_secrets.filters.heuristic.is_lock_file",
    "detect_secrets.filters.heuristic.is_swagger_file",
)
Finding = tuple[str, int, str, str]  # file, line, kind, value


def files_of(root: Path) -> list[Path]:
    """Return the files that git knows or would add, within the root. SystemExit when it is no repository."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"The files of {root} cannot be listed, it is no git repository: run this in a clone.")
    names = sorted(set(filter(None, run.stdout.split("\0"))))
    return [Path(name) for name in names if (root / name).is_file()]


def find(files: list[Path]) -> list[Finding]:
    """Return what looks like a secret in the files, sorted."""
    with ProcessPoolExecutor() as pool:
        return sorted({finding for findings in pool.map(find_in, files, chunksize=8) for finding in findings})


def find_in(file: Path) -> list[Finding]:
    """Return what looks like a secret in the file, which is relative to the root."""
    secrets = SecretsCollection(root=str(ROOT))
    with default_settings() as settings:
        settings.disable_filters(*FILTERS_OFF)
        secrets.scan_file(str(file))
    return [(name, secret.line_number, secret.type, str(secret.secret_value)) for name, secret in secrets]


def main() -> None:
    """Look through the repository."""
    allowed = {entry["value"] for entry in tomllib.loads(ALLOWED.read_text(encoding="utf-8"))["allowed"]}
    files = files_of(ROOT)
    found = find([file for file in files if ROOT / file != ALLOWED])
    problems = [
        f"{name}:{line}: this looks like a secret ({kind}): {value}\n"
        "    Take it out and revoke it; if it is none, list it in tools/allowed_secrets.toml with the reason."
        for name, line, kind, value in found
        if value not in allowed
    ]
    unused = sorted(allowed - {value for _, _, _, value in found})
    problems += [f"tools/allowed_secrets.toml allows {value!r}, which is found nowhere: take the entry out." for value in unused]
    if problems:
        sys.exit("\n".join(problems))
    sys.stdout.write(f"No secret in {len(files)} files; {len(allowed)} values are allowed with their reasons.\n")


if __name__ == "__main__":
    main()
