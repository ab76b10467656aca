"""The embedded database of a tenant: SQLite in WAL mode, one short transaction an operation."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local_xsoar.tenant.errors import TenantError
from local_xsoar.tenant.query import text_tokens
from local_xsoar.tenant.settings import TenantSettings
from local_xsoar.tenant.shapes import storable, to_json
from local_xsoar.tenant.times import parse_iso

# Incidents: what queries compare often stands in columns of its own, folded to one case; the rest is read out of `folded`,
# the body in one case. The wide columns come last, so that a scan need not read them.
#
# What the mirror job asks for each minute are conditions on the body as `to_json` writes it, each with an index of what meets it.
# (A column would be missing in the file of an older version; an index is made when that is opened.) CHANGED and UNSENT may hold
# for too much, as a value may contain the same text, but for nothing too little.
CHANGED = """(instr(body, '"dbotCurrentDirtyFields":["') > 0 OR (dbotmirrorid = '' AND dbotmirrorlastsync IS NULL))"""
UNSENT = """(tags <> '[]' AND instr(body, '"mirrored":false') > 0)"""
MIRROR_TAGS = "CASE WHEN json_valid(body) THEN json_extract(body, '$.dbotMirrorTags') END"  # not valid: nested too deeply
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS incidents (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    status INTEGER NOT NULL, severity REAL NOT NULL,
    created INTEGER NOT NULL, modified INTEGER NOT NULL, occurred INTEGER,
    closed INTEGER, activated INTEGER, duedate INTEGER, reminder INTEGER, lastopen INTEGER,
    notifytime INTEGER, lastjobruntime INTEGER, dbotmirrorlastsync INTEGER,
    type TEXT NOT NULL, category TEXT NOT NULL, owner TEXT NOT NULL, sourcebrand TEXT NOT NULL, sourceinstance TEXT NOT NULL,
    dbotmirrorid TEXT NOT NULL, dbotmirrorinstance TEXT NOT NULL, dbotmirrordirection TEXT NOT NULL,
    name_words TEXT NOT NULL, details_words TEXT NOT NULL, closenotes_words TEXT NOT NULL,
    folded TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS incidents_created ON incidents (created);
CREATE INDEX IF NOT EXISTS incidents_modified ON incidents (modified);
CREATE INDEX IF NOT EXISTS incidents_status ON incidents (status);
CREATE INDEX IF NOT EXISTS incidents_dbotmirrorid ON incidents (dbotmirrorid);
CREATE INDEX IF NOT EXISTS incidents_changed ON incidents (dbotmirrorinstance) WHERE {CHANGED};
CREATE INDEX IF NOT EXISTS incidents_mirror_tags ON incidents (dbotmirrorinstance, {MIRROR_TAGS})
    WHERE {MIRROR_TAGS} IS NOT NULL;
CREATE TABLE IF NOT EXISTS entries (
    investigation INTEGER NOT NULL, number INTEGER NOT NULL,
    created INTEGER NOT NULL, modified INTEGER NOT NULL,
    category TEXT NOT NULL, user TEXT NOT NULL, note INTEGER NOT NULL, pinned INTEGER NOT NULL, has_file INTEGER NOT NULL,
    parent TEXT NOT NULL, tags TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (investigation, number)
);
CREATE INDEX IF NOT EXISTS entries_created ON entries (investigation, created);
CREATE INDEX IF NOT EXISTS entries_modified ON entries (investigation, modified);
CREATE INDEX IF NOT EXISTS entries_unsent ON entries (tags, investigation) WHERE {UNSENT};
CREATE TABLE IF NOT EXISTS files (
    file_id TEXT PRIMARY KEY, investigation INTEGER NOT NULL, name TEXT NOT NULL, stored_as TEXT NOT NULL, metadata TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS files_investigation ON files (investigation);
CREATE TABLE IF NOT EXISTS incident_fields (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS incident_types (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS packs (id TEXT PRIMARY KEY, body TEXT NOT NULL);
"""

_TIME_COLUMNS = (
    "created", "modified", "occurred", "closed", "activated", "dueDate", "reminder", "lastOpen", "notifyTime",
    "lastJobRunTime", "dbotMirrorLastSync",
)  # fmt: skip
_KEYWORD_COLUMNS = (
    "type", "category", "owner", "sourceBrand", "sourceInstance", "dbotMirrorId", "dbotMirrorInstance", "dbotMirrorDirection",
)  # fmt: skip
_TEXT_COLUMNS = ("name", "details", "closeNotes")


class Store:
    """The tenant's database file. Connections are kept and lent out; writers take turns."""

    def __init__(self, path: Path) -> None:
        """Open the database, making it when it is not there.

        Raises:
            TenantError: the file cannot be opened or is no database, in a sentence.
        """
        self._path = path
        self._idle: list[sqlite3.Connection] = []
        self._idle_lock = threading.Lock()
        self._write_lock = threading.RLock()
        self._current = threading.local()
        self._closed = False
        try:
            with self._lent() as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(f"BEGIN IMMEDIATE;{SCHEMA}COMMIT;")
        except sqlite3.Error as error:
            raise TenantError(f"The database {path} cannot be opened ({error}): give a folder that is writable.")

    def close(self) -> None:
        """Close the connections; the database cannot be used any more."""
        self._closed = True
        with self._idle_lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=60, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA cache_size = -16384")
        return connection

    @contextmanager
    def _lent(self) -> Iterator[sqlite3.Connection]:
        if self._closed:
            raise TenantError("The tenant is closed.")
        with self._idle_lock:
            connection = self._idle.pop() if self._idle else None
        connection = connection or self._connect()
        try:
            yield connection
        finally:
            with self._idle_lock:
                keep = not self._closed
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    def copy(self) -> sqlite3.Connection:
        """Return a copy of the database as it is now, in memory."""
        copied = sqlite3.connect(":memory:", check_same_thread=False)
        with self._write_lock, self._lent() as connection:
            connection.backup(copied)
        return copied

    def put_back(self, copied: sqlite3.Connection) -> None:
        """Make the database what it was when it was copied; what was written since is gone."""
        with self._write_lock, self._lent() as connection:
            copied.backup(connection)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that sees one state of the database throughout."""
        writing = getattr(self._current, "connection", None)
        if writing is not None:
            yield writing
            return
        with self._lent() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection inside a write transaction: committed at the end, rolled back on an error.

        Inside another `writing` of the same thread it joins that transaction.
        """
        if getattr(self._current, "connection", None) is not None:
            yield self._current.connection
            return
        with self._write_lock, self._lent() as connection:
            connection.execute("BEGIN IMMEDIATE")
            self._current.connection = connection
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            else:
                connection.execute("COMMIT")
            finally:
                self._current.connection = None


def save_incident(connection: sqlite3.Connection, incident: Mapping[str, Any], settings: TenantSettings) -> None:
    """Write the incident, new or changed, with the columns that queries use."""
    body = to_json(incident)
    row: dict[str, Any] = {"number": int(incident["id"]), "status": incident["status"], "severity": incident["severity"]}
    for field in _TIME_COLUMNS:
        moment = parse_iso(incident[field])
        row[field.lower()] = None if moment is None else settings.kept(moment)
    row |= {field.lower(): incident[field].casefold() for field in _KEYWORD_COLUMNS}
    row |= {f"{field.lower()}_words": text_tokens(incident[field]) for field in _TEXT_COLUMNS}
    row |= {"folded": body.casefold(), "body": body}
    _replace(connection, "incidents", row)


def save_entry(connection: sqlite3.Connection, entry: Mapping[str, Any], number: int) -> None:
    """Write the War Room entry, new or changed, with the columns that filters use."""
    row = {
        "investigation": int(entry["investigationId"]),
        "number": number,
        "created": parse_iso(entry["created"]),
        "modified": parse_iso(entry["modified"]),
        "category": entry["category"],
        "user": entry["user"],
        "note": int(entry["note"]),
        "pinned": int(entry["pinned"]),
        "has_file": int(bool(entry["fileID"])),
        "parent": entry["parentId"],
        "tags": to_json(entry["tags"] or []),
        "body": to_json(entry),
    }
    _replace(connection, "entries", row)


def incidents_of_remote(connection: sqlite3.Connection, remote_ids: Iterable[str]) -> set[int]:
    """Return the numbers of the incidents whose dbotMirrorId is one of the ids, in any case."""
    statement = "SELECT number FROM incidents WHERE dbotmirrorid = ?"
    wanted = {storable(remote_id).casefold() for remote_id in remote_ids}
    return {row[0] for remote_id in wanted for row in connection.execute(statement, (remote_id,))}


def incidents_to_send(connection: sqlite3.Connection, instance: str) -> set[int]:
    """Return the numbers of the incidents that may have something to send for an instance, and of some others.

    They were changed here, or the remote does not know them, or they have an unsent entry with a mirror tag of the instance.
    """
    # All of the statements is our own text; what stands in the database or was given is bound.
    changed = f"SELECT number FROM incidents WHERE dbotmirrorinstance = ? AND {CHANGED}"  # noqa: S608
    mirror_tags = f"SELECT DISTINCT {MIRROR_TAGS} FROM incidents WHERE dbotmirrorinstance = ? AND {MIRROR_TAGS} IS NOT NULL"  # noqa: S608
    entry_tags = f"SELECT DISTINCT tags FROM entries WHERE {UNSENT}"  # noqa: S608
    unsent = f"SELECT DISTINCT investigation FROM entries WHERE {UNSENT} AND tags = ?"  # noqa: S608
    name = instance.casefold()
    wanted = {tag for row in connection.execute(mirror_tags, (name,)) for tag in json.loads(row[0])}
    carried = [row[0] for row in connection.execute(entry_tags) if not wanted.isdisjoint(json.loads(row[0]))]
    numbers = {row[0] for row in connection.execute(changed, (name,))}
    return numbers | {row[0] for tags in carried for row in connection.execute(unsent, (tags,))}


def _replace(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    marks = ",".join("?" * len(row))
    statement = f"INSERT OR REPLACE INTO {table} ({','.join(row)}) VALUES ({marks})"  # noqa: S608  our own names
    connection.execute(statement, [storable(value) if isinstance(value, str) else value for value in row.values()])
