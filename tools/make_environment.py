"""Makes a virtual environment that holds exactly what a lock names: `make` calls it with the folder and the lock.

Nothing is resolved: each package of the lock is installed as it stands there, checked against its digests, whatever else a
registry offers. What comes only as source is built with the setuptools of the lock. The output of pip is kept in build/.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")
INSTALL = (*PIP, "install", "--no-deps", "--require-hashes", "--no-build-isolation", "--use-pep517", "--requirement")
# What would send packages elsewhere, or add to them.
LEFT_OUT = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_CONSTRAINT", "PIP_REQUIREMENT", "PYTHONPATH", "PYTHONHOME")

# What pip says when something is wrong, and the sentence for it; {0} is what the expression found.
REMEDIES = (
    (
        r"No space left|Disk quota exceeded",
        "There is no room left on the disk: the two environments take 0.8 GB; make room and run the command again.",
    ),
    (
        r"Permission denied|Read-only file system",
        "This folder cannot be written to: give yourself the right to it, or clone the repository where you have it.",
    ),
    (
        r"THESE PACKAGES DO NOT MATCH THE HASHES(?:.|\n)*?^ {4}(\S+)",
        "{0} is not the file that was locked: the package registry, or a mirror or proxy before it, gives another one. Nothing "
        "of it was installed; use another registry, and tell the maintainers if it stays so.",
    ),
    (
        r"NewConnectionError|NameResolutionError|Max retries exceeded|Connection refused|Read timed out|ConnectTimeoutError|"
        r"ConnectionResetError|ProxyError|SSLError|Network is unreachable|Temporary failure in name resolution",
        "The package registry cannot be reached: check the network, the proxy and what pip is configured to use (pip config "
        "list), then run the command again.",
    ),
    (
        r"HTTP error (\d+)|(\d{3}) (?:Client|Server) Error",
        "The package registry answers with the error {0}: try again later, or use another registry.",
    ),
    (
        r"No matching distribution found for (\S+)",
        f"The package registry has no file of {{0}} for Python {sys.version_info.major}.{sys.version_info.minor} on this "
        "machine: use a registry that has it, or another Python (make PYTHON=python3.12).",
    ),
)


def remedy(said: str) -> str:
    """Return the sentence for what pip said when it failed."""
    for pattern, sentence in REMEDIES:
        if found := re.search(pattern, said, re.MULTILINE):
            return sentence.format(next(filter(None, found.groups()), ""))
    errors = re.findall(r"^ERROR: (.+)", said, re.MULTILINE)
    return f"pip could not install the packages: {errors[-1] if errors else 'it does not say why'}".rstrip(".") + "."


def build_tools(lock: str) -> str:
    """Return the part of a lock that other packages are built with: setuptools and its digests."""
    return "".join(re.findall(r"^setuptools==[^\n]*(?:\n[ \t]+[^\n]*)*\n?", lock, re.MULTILINE))


def install(python: Path, lock: Path, log: Path, environment: Mapping[str, str]) -> str:
    """Install what a lock names into the environment of a Python. Returns an empty text, or one sentence with the remedy.

    Args:
        python: the interpreter of the new environment.
        lock: the file with names, versions and digests of all packages.
        log: where the output of pip is kept.
        environment: variables for pip; it may name the registry, as its user configured it.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    variables = {name: value for name, value in environment.items() if name not in LEFT_OUT}
    variables = {"PIP_RETRIES": "2", **variables}
    first = log.with_suffix(".first.txt")
    first.write_text(build_tools(lock.read_text(encoding="utf-8")), encoding="utf-8")
    steps = [[*INSTALL, str(first)]] if first.stat().st_size else []
    steps += [[*INSTALL, str(lock)], [*PIP, "check"]]
    said = ""
    for step in steps:
        done = subprocess.run(
            [python, *step], env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        said += done.stdout
        log.write_text(said, encoding="utf-8")
        if done.returncode and step[-1] == "check":
            return f"The lock {lock.name} is not closed, so run make lock: {' '.join(done.stdout.split())}"
        if done.returncode:
            return f"{remedy(done.stdout)} What pip said is in {log}."
    first.unlink()
    return ""


def make(folder: Path, lock: Path) -> str:
    """Make an environment anew. Returns an empty text, or one sentence with the remedy."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
        log = ROOT / "build" / f"{folder.name.lstrip('.')}.log"
        log.parent.mkdir(exist_ok=True)
        made = subprocess.run(
            [sys.executable, "-m", "venv", folder], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        if made.returncode and "ensurepip" in made.stdout:
            return "This Python has no venv with pip: install it (Debian: apt-get install python3-venv), or name another Python."
        if made.returncode:
            return f"{remedy(made.stdout)} It was about the environment {folder.name}."
        return install(folder / "bin" / "python", lock, log, os.environ)
    except OSError as error:
        return remedy(f"{error}")


def main(folder: str, lock: str) -> int:
    """Make an environment; return the exit status. An interrupted one is made anew the next time."""
    try:
        problem = make(ROOT / folder, ROOT / lock)
    except KeyboardInterrupt:
        problem = "Stopped. Run the command again: it begins anew where it has to."
    if problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    (ROOT / folder / "made-from-requirements").touch()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
