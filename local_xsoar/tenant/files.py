"""Files of a tenant on disk. They lie under names of our own, never under the name they came with."""

import hashlib
import mimetypes
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from local_xsoar.tenant.shapes import storable

CHUNK = 1 << 20

Content = bytes | Path | BinaryIO


@dataclass(frozen=True)
class StoredFile:
    """A file that lies in the tenant's folder: the name it came with, the name it lies under, what the server says of it."""

    name: str
    stored_as: str
    metadata: dict[str, Any]


def keep_file(folder: Path, name: str, content: Content) -> StoredFile:
    """Write the content into the folder, reading it once and in pieces, and return what is known of it."""
    stored_as = uuid.uuid4().hex
    digests = {algorithm: hashlib.new(algorithm, usedforsecurity=False) for algorithm in ("md5", "sha1", "sha256", "sha512")}
    size = 0
    try:
        with (folder / stored_as).open("xb") as target:
            for chunk in _chunks(content):
                target.write(chunk)
                size += len(chunk)
                for digest in digests.values():
                    digest.update(chunk)
    except BaseException:
        drop_file(folder, stored_as)
        raise
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    metadata = {
        "info": kind,
        "isMediaFile": kind.startswith(("image/", "video/", "audio/")),
        "size": size,
        "ssdeep": "",
        "type": kind,
        **{algorithm: digest.hexdigest() for algorithm, digest in digests.items()},
    }
    return StoredFile(storable(name), stored_as, metadata)


def _chunks(content: Content) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
    elif isinstance(content, Path):
        with content.open("rb") as source:
            while chunk := source.read(CHUNK):
                yield chunk
    else:
        while chunk := content.read(CHUNK):
            yield chunk


def drop_file(folder: Path, stored_as: str) -> None:
    """Remove a stored file; one that is gone already is no error."""
    (folder / stored_as).unlink(missing_ok=True)


def server_name(incident_id: str, name: str) -> str:
    """Return the server's name of a new file, `<incident>_<uuid>_<name>` (XSOAR REST API: attachment path, fileID)."""
    return f"{incident_id}_{uuid.uuid4()}_{name}"
