"""The environments hold what their locks name, whatever else a registry offers, and what goes wrong is one sentence."""

import base64
import hashlib
import importlib.metadata
import os
import re
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import make_environment

ROOT = Path(__file__).resolve().parents[2]
LOCKS = {"dev": ".venv", "sdk": ".venv-sdk"}
PYTHONS = ("3.11", "3.12", "3.13")


def wheel(index: Path, name: str, version: str, *requires: str, extra: str = "") -> str:
    """Put a package into an index that is a folder; return its line for a lock."""
    info = f"{name}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *([f"Provides-Extra: {extra}"] if extra else [])]
    metadata += [f"Requires-Dist: {requirement}" for requirement in requires]
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{info}/METADATA": "\n".join(metadata) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }

    def line(path: str, text: str) -> str:
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        return f"{path},sha256={digest},{len(text)}"

    files[f"{info}/RECORD"] = "\n".join([*(line(*item) for item in files.items()), f"{info}/RECORD,,"]) + "\n"
    path = index / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """A registry that is a folder."""
    made = tmp_path / "the index"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The Python of an empty environment, in a path with a blank."""
    folder = tmp_path_factory.mktemp("an environment") / ".venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    yield folder / "bin" / "python"


def installed(python: Path) -> dict[str, str]:
    """Return the packages of an environment and their versions, but for pip."""
    (folder,) = (python.parent.parent / "lib").glob("python*/site-packages")
    found = {dist.metadata["Name"]: dist.version for dist in importlib.metadata.distributions(path=[str(folder)])}
    return {name: version for name, version in found.items() if name not in ("pip", "setuptools")}


def install(python: Path, tmp_path: Path, lock: str, **variables: str) -> str:
    """Run the step that the environments are made with; return what it complains of."""
    path = tmp_path / "lock.txt"
    path.write_text(lock, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    problem = make_environment.install(
        python, path, tmp_path / "build" / "log.txt", {**kept, "PIP_CONFIG_FILE": os.devnull, **variables}
    )
    assert "Traceback" not in problem
    assert "\n" not in problem
    return problem


def test_an_environment_is_what_its_lock_says(python: Path, index: Path, tmp_path: Path) -> None:
    """
    Given: a lock whose package asks for an extra of another one, and a registry that offers a newer version of that.
    When: the environment is made.
    Then: it holds exactly the versions of the lock.
    """
    lock = wheel(index, "wants", "1.0", "given[more]>=1") + wheel(
        index, "given", "1.0", "further>=1; extra == 'more'", extra="more"
    )
    lock += wheel(index, "further", "1.0")
    wheel(index, "given", "2.0", "further>=1; extra == 'more'", extra="more")
    wheel(index, "further", "9.0")

    assert install(python, tmp_path, lock, PIP_NO_INDEX="1", PIP_FIND_LINKS=index.as_uri()) == ""

    assert installed(python) == {"wants": "1.0", "given": "1.0", "further": "1.0"}


@pytest.mark.parametrize("name", LOCKS)
def test_the_step_is_the_one_that_make_takes(name: str) -> None:
    """
    Given: the Makefile.
    When: it makes an environment.
    Then: it is by that step, from that lock, and by nothing else.
    """
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"requirements/{name}.txt tools/make_environment.py\n\t$(call make-environment,{LOCKS[name]})" in makefile
    assert '\t@"$(PYTHON)" tools/make_environment.py $(1) $<\n' in makefile
    assert "pip install" not in makefile


def test_a_file_that_is_not_the_locked_one_is_refused(python: Path, index: Path, tmp_path: Path) -> None:
    """
    Given: a registry that gives another file.
    When: the environment is made.
    Then: one sentence names the package.
    """
    lock = wheel(index, "other", "1.0")
    wheel(index, "other", "1.0", "changed")

    problem = install(python, tmp_path, lock, PIP_NO_INDEX="1", PIP_FIND_LINKS=index.as_uri())

    assert problem.startswith("other==1.0 is not the file that was locked")


def test_a_package_that_the_registry_lacks_is_named(python: Path, index: Path, tmp_path: Path) -> None:
    """
    Given: a registry without a package.
    When: the environment is made.
    Then: one sentence names it and what to do.
    """
    lock = wheel(index, "lacking", "1.0")
    (index / "lacking-1.0-py3-none-any.whl").unlink()

    problem = install(python, tmp_path, lock, PIP_NO_INDEX="1", PIP_FIND_LINKS=index.as_uri())

    assert "has no file of lacking==1.0" in problem
    assert "make PYTHON=" in problem


def test_a_registry_that_is_away_is_said(python: Path, index: Path, tmp_path: Path) -> None:
    """
    Given: a registry that cannot be reached.
    When: the environment is made.
    Then: one sentence says what to check.
    """
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/simple"

        problem = install(python, tmp_path, wheel(index, "away", "1.0"), PIP_INDEX_URL=url, PIP_RETRIES="1", PIP_TIMEOUT="5")

    assert "cannot be reached: check the network" in problem


def test_a_lock_that_lacks_something_is_said(python: Path, index: Path, tmp_path: Path) -> None:
    """
    Given: a lock without what a package needs.
    When: the environment is made.
    Then: one sentence says so.
    """
    lock = wheel(index, "open", "1.0", "nowhere>=1")

    problem = install(python, tmp_path, lock, PIP_NO_INDEX="1", PIP_FIND_LINKS=index.as_uri())
    subprocess.run([python, "-m", "pip", "uninstall", "--yes", "--quiet", "open"], check=True)

    assert "The lock lock.txt is not closed" in problem
    assert "nowhere" in problem


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("OSError: [Errno 28] No space left on device", "no room left"),
        ("PermissionError: [Errno 13] Permission denied: '/x'", "cannot be written to"),
        ("ERROR: HTTP error 503 while getting x", "the error 503"),
        ("ERROR: something new.", "something new."),
        ("", "does not say why"),
    ],
)
def test_what_pip_says_becomes_one_sentence(said: str, word: str) -> None:
    """
    Given: what pip printed when it failed.
    When: it is told.
    Then: it is one sentence with the remedy, as far as there is one.
    """
    sentence = make_environment.remedy(said)
    assert word in sentence
    assert sentence.count("\n") == 0


def requirements_of(name: str) -> dict[str, list[Requirement]]:
    """Return what each package of an environment requires, by normalised name."""
    folders = [str(path) for path in (ROOT / LOCKS[name]).glob("lib/python*/site-packages")]
    assert folders, f"There is no {LOCKS[name]}: run make lint once."
    return {
        canonicalize_name(dist.metadata["Name"]): [Requirement(text) for text in dist.requires or []]
        for dist in importlib.metadata.distributions(path=folders)
    }


def missing(locked: dict[str, str], requires: dict[str, list[Requirement]], python: str) -> set[str]:
    """Return what the packages of a lock require, with the extras that are asked for, and the lock does not hold."""
    environment: dict[str, Any] = {**default_environment(), "python_version": python, "python_full_version": f"{python}.0"}
    extras: dict[str, set[str]] = {name: {""} for name in locked}
    lacking: set[str] = set()
    changed = True
    while changed:
        changed = False
        for name in locked:
            for requirement in requires.get(name, []):
                marker = requirement.marker
                if marker and not any(marker.evaluate({**environment, "extra": extra}) for extra in extras[name]):
                    continue
                wanted = canonicalize_name(requirement.name)
                if wanted not in locked or not requirement.specifier.contains(locked[wanted], prereleases=True):
                    lacking.add(f"{name} requires {requirement}")
                elif requirement.extras - extras[wanted]:
                    extras[wanted] |= requirement.extras
                    changed = True
    return lacking


@pytest.mark.parametrize("python_version", PYTHONS)
@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_all_that_its_packages_need(name: str, python_version: str) -> None:
    """
    Given: a lock.
    When: the requirements of its packages are read, extras included.
    Then: each is met by the lock.
    """
    lock = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s\\;]+)", lock, re.MULTILINE)
    locked = {str(canonicalize_name(package)): version for package, version in pins}

    assert missing(locked, requirements_of(name), python_version) == set()


def test_a_lock_that_is_open_is_noticed() -> None:
    """
    Given: a lock that lacks what an extra needs.
    When: it is looked at.
    Then: that is named.
    """
    requires = {
        "wants": [Requirement("given[more]>=1")],
        "given": [Requirement("further>=2; extra == 'more'"), Requirement("never; extra == 'other'")],
        "further": [],
    }
    locked = {"wants": "1", "given": "1", "further": "1"}
    assert missing(locked, requires, "3.12") == {'given requires further>=2; extra == "more"'}
