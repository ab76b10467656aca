"""What the folder of a served tenant keeps beside the tenant's own data: its API key, version and port, and who is using it."""

import fcntl
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ACCESS_FILE, LOCK_FILE = "access.json", "in-use"
HEADQUARTERS, CUSTOMER = "headquarters", "customer"  # The tenants of a linked pair, each in a folder of that name.
# Of the databases in the folder and of the host beside it. It is raised when a program with the other number cannot read them.
FORMAT = 1


class FolderError(Exception):
    """A folder cannot be used; the message is one sentence with the remedy."""


def default_folder(name: str) -> Path:
    """Return where what is served under a name is kept."""
    return Path.home() / ".local_xsoar" / name


def holds_pair(folder: Path) -> bool:
    """Say whether a linked pair is kept in a folder."""
    return (folder / HEADQUARTERS / ACCESS_FILE).exists()


def holds_tenant(folder: Path) -> bool:
    """Say whether a single tenant is kept in a folder."""
    return (folder / ACCESS_FILE).exists()


def kept_access(folder: Path) -> dict[str, Any]:
    """Return what a folder keeps: {"api_key", "version", "port", "format"}, {} for a new one. Older ones have but the key.

    Raises:
        FolderError: the folder cannot be read, what lies there is no key, or the data there are of another format.
    """
    path = folder / ACCESS_FILE
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        access = {"api_key": str(kept["api_key"]), **{name: str(kept[name]) for name in ("version",) if name in kept}}
        # A port that is none is no reason to lose the key: another one is taken.
        numbers = {name: kept[name] for name in ("port", "format") if isinstance(kept.get(name), int)}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unusable(folder, error)
    except (ValueError, KeyError, TypeError):
        raise FolderError(f"{path} contains no API key: delete it to get a new one.")
    if numbers.get("format", FORMAT) != FORMAT:
        raise FolderError(
            f"The folder {folder} was written by another version of the local XSOAR: use that version, or give another --folder."
        )
    return access | numbers


def keep_access(folder: Path, kept: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Keep the access of a tenant in its folder, changed by `more`, and return it; a new one gets a key.

    Raises:
        FolderError: the folder cannot be written to.
    """
    access = {"api_key": secrets.token_hex(32), **kept, **more, "format": FORMAT}
    if access == kept:
        return access
    written = folder / f"{ACCESS_FILE}.new"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written.touch(mode=0o600)
        written.write_text(json.dumps(access), encoding="utf-8")
        written.replace(folder / ACCESS_FILE)
    except OSError as error:
        raise _unusable(folder, error)
    return access


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other processes from serving what lies in a folder; a process that ends in any way lets go of it.

    Raises:
        FolderError: another process has it, or it cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK_FILE).open("a")
    except OSError as error:
        raise _unusable(folder, error)
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderError(f"The folder {folder} is in use by another process: stop that one, or give another --folder.")
        yield


def _unusable(folder: Path, error: OSError) -> FolderError:
    return FolderError(f"The folder {folder} cannot be used ({error.strerror}); give one that can be written to.")
