"""Content packs: what a tenant reads out of the zip of one before it takes the pack in."""

import io
import json
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from local_xsoar.tenant.errors import BadRequest, TooLarge
from local_xsoar.tenant.tenant import Tenant

# Far above any pack, and far below what would hurt.
MAX_ZIP_BYTES = 50_000_000
MAX_UNPACKED_BYTES = 200_000_000
MAX_FILES = 5_000

METADATA = ("metadata.json", "pack_metadata.json")  # what demisto-sdk packs, and what lies in a repository: the richer one first
SHOWN = ("author", "certification", "created", "description", "serverMinVersion", "support", "updated")


@dataclass(frozen=True)
class Pack:
    """A content pack as it was uploaded.

    `record` is what GET /contentpacks/metadata/installed lists; `fields` and `types` are the pack's own incident fields and
    incident types as its files hold them.
    """

    record: dict[str, Any]
    fields: list[dict[str, Any]]
    types: list[dict[str, Any]]


def read_pack(content: BinaryIO) -> Pack:
    """Return what the zip of a content pack holds. Nothing is unpacked to disk.

    Raises:
        TooLarge: it is larger than any pack, in bytes, unpacked or in files.
        BadRequest: it is no zip, has paths that leave it, no metadata, or an item that is wrong.
    """
    size = content.seek(0, io.SEEK_END)
    if size > MAX_ZIP_BYTES:
        raise TooLarge(f"The content pack has {size} bytes, {MAX_ZIP_BYTES} are allowed.")
    try:
        with zipfile.ZipFile(content) as archive:
            return _pack(archive, size)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, RuntimeError, ValueError):
        raise BadRequest("The content pack cannot be read: it must be a zip file, not encrypted and not damaged.")


def install_pack(tenant: Tenant, pack: Pack) -> None:
    """Take the pack in: its record, its incident fields and its incident types. One of the same id is replaced.

    Raises:
        BadRequest: a field or type has no name, or a cliName that is none. Then nothing is taken in.
    """
    with tenant.batch():
        for field in pack.fields:
            types = field.get("associatedTypes")
            tenant.add_incident_field(
                _named(field, "cliName"),
                name=str(field.get("name") or ""),
                type=str(field.get("type") or "shortText"),
                associated_types=[str(name) for name in types] if isinstance(types, list) else None,
            )
        for kind in pack.types:
            tenant.add_incident_type(_named(kind, "name"), str(kind.get("playbookId") or ""))
        tenant.add_pack(pack.record)


def _pack(archive: zipfile.ZipFile, size: int) -> Pack:
    files = _files(archive)
    names = [name for name in METADATA if name in files]
    if not names:
        raise BadRequest("The content pack has no metadata.json at its top: build it with demisto-sdk prepare-content.")
    metadata: dict[str, Any] = {}
    for name in reversed(names):
        metadata |= _object(archive, name)
    for key in ("name", "currentVersion"):
        if not isinstance(metadata.get(key), str) or not metadata[key].strip():
            raise BadRequest(f"The content pack's {names[0]} has no {key}.")
    items = metadata.get("contentItems")
    record = {
        **{key: metadata.get(key) or "" for key in SHOWN},
        "id": str(metadata.get("id") or metadata["name"]),
        "name": metadata["name"],
        "currentVersion": metadata["currentVersion"],
        "contentItems": items if isinstance(items, dict) else {},
        "files": len(files),
        "size": size,
    }
    return Pack(record, list(_objects(archive, files, "IncidentFields")), list(_objects(archive, files, "IncidentTypes")))


def _files(archive: zipfile.ZipFile) -> list[str]:
    """Return the names of the files in the archive."""
    entries = archive.infolist()
    if len(entries) > MAX_FILES:
        raise TooLarge(f"The content pack has {len(entries)} files, {MAX_FILES} are allowed.")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > MAX_UNPACKED_BYTES:
        raise TooLarge(f"The content pack would have {unpacked} bytes when unpacked, {MAX_UNPACKED_BYTES} are allowed.")
    for entry in entries:
        if _leaves(entry.filename):
            raise BadRequest(f"The content pack has a file that would lie outside it: {entry.filename[:100]}")
    return [entry.filename for entry in entries if not entry.is_dir()]


def _leaves(name: str) -> bool:
    """Say whether the path could lead out of the folder that a zip is unpacked into, on any system."""
    return ".." in PurePosixPath(name.replace("\\", "/")).parts or bool(re.match(r"[/\\]|[A-Za-z]:", name))


def _objects(archive: zipfile.ZipFile, files: list[str], folder: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects in the files of the folder."""
    for name in sorted(files):
        if name.startswith(f"{folder}/") and name.endswith(".json"):
            yield _object(archive, name)


def _object(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    try:
        # What a file really holds may be far more than the zip says of it; no more than that is unpacked.
        with archive.open(name) as packed:
            parsed = json.loads(packed.read(archive.getinfo(name).file_size))
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise BadRequest(f"The content pack's {name[:100]} holds no JSON object.")
    return parsed


def _named(item: dict[str, Any], key: str) -> str:
    if not isinstance(item.get(key), str) or not item[key]:
        raise BadRequest(f"The content pack has an incident field or type without {key}.")
    return item[key]
