"""What the host remembers of its instances, in one SQLite file that survives a restart."""

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_xsoar.host.errors import HostError

_SCHEMA = """
create table if not exists instance ( name text primary key, integration text not null, params text not null, incoming_mapper
    text not null, outgoing_mapper text not null, last_run text not null default '{}', last_mirror_run text not null default
    '{}', last_update text not null, remaining text not null default '[]', context text not null default '{}', context_version
    integer not null default 0);
create table if not exists mirrored ( instance text not null, incident text not null, last_update text not null, primary key
    (instance, incident));
create table if not exists fetched ( instance text primary key, run text not null, incidents text not null, last_run text,
    newest_before text not null);
create table if not exists fetched_incident ( run text not null, position integer not null, incident text not null, primary
    key (run, position));
create table if not exists mapper ( id text primary key, described text not null);
create table if not exists log ( number integer primary key autoincrement, instance text not null, time text not null, line
    text not null);
"""
_LOG_LINES_KEPT = 1000


class StaleVersionError(ValueError):
    """The integration context was written since the version that a script holds."""


@dataclass(frozen=True)
class InstanceRow:
    """How an instance was set up."""

    name: str
    integration: Path
    params: dict[str, Any]
    incoming_mapper: str
    outgoing_mapper: str


@dataclass(frozen=True)
class FetchedRun:
    """A fetch whose incidents are being created: what to create, and the last run to save once all are.

    `newest_before` is the id of the newest incident of the instance when the run began, "" when there was none.
    """

    run: str
    incidents: list[dict[str, Any]]
    last_run: dict[str, Any] | None
    newest_before: str


class HostState:
    """The host's store. Each method is one transaction; it may be called from several threads."""

    def __init__(self, path: Path) -> None:
        """Open the file, making it when it is not there. Raises HostError when it cannot be opened or is no database."""
        path.touch(mode=0o600)  # it holds the parameters, keys included
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        try:
            self._connection.execute("pragma journal_mode=wal")
            self._connection.execute("pragma synchronous=normal")
            self._connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self._connection.close()
            raise HostError(f"The database {path} cannot be opened ({error}): give a folder that can be written to.") from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("begin immediate")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("rollback")
                raise
            self._connection.execute("commit")

    def _value(self, name: str, column: str) -> Any:
        """Return one column of an instance that is known to exist; `column` is a name of this module."""
        with self._lock:
            return self._connection.execute(f"select {column} from instance where name = ?", (name,)).fetchone()[0]  # noqa: S608

    def _set(self, name: str, column: str, value: Any) -> None:
        with self._transaction() as connection:
            connection.execute(f"update instance set {column} = ? where name = ?", (value, name))  # noqa: S608

    def save_instance(self, row: InstanceRow, now: str) -> None:
        """Add an instance, or change how it is set up and keep what it remembers."""
        values = (row.name, str(row.integration), json.dumps(row.params), row.incoming_mapper, row.outgoing_mapper, now)
        with self._transaction() as connection:
            connection.execute(
                "insert into instance (name, integration, params, incoming_mapper, outgoing_mapper, last_update)"
                " values (?, ?, ?, ?, ?, ?) on conflict (name) do update set integration = excluded.integration,"
                " params = excluded.params, incoming_mapper = excluded.incoming_mapper,"
                " outgoing_mapper = excluded.outgoing_mapper",
                values,
            )

    def instances(self) -> list[InstanceRow]:
        """Return every instance."""
        with self._lock:
            rows = self._connection.execute(
                "select name, integration, params, incoming_mapper, outgoing_mapper from instance order by rowid"
            ).fetchall()
        return [
            InstanceRow(name, Path(folder), json.loads(params), incoming, outgoing)
            for name, folder, params, incoming, outgoing in rows
        ]

    def save_mapper(self, mapper_id: str, described: Mapping[str, Any]) -> None:
        """Keep the JSON of an imported mapper; one of the same id is replaced."""
        with self._transaction() as connection:
            connection.execute("insert or replace into mapper values (?, ?)", (mapper_id, json.dumps(described)))

    def mapper(self, mapper_id: str) -> dict[str, Any] | None:
        """Return the JSON of an imported mapper, None when there is none of that id."""
        with self._lock:
            row = self._connection.execute("select described from mapper where id = ?", (mapper_id,)).fetchone()
        return json.loads(row[0]) if row else None

    def last_run(self, name: str) -> dict[str, Any]:
        """Return the last run of the instance's fetch, {} before the first."""
        return json.loads(self._value(name, "last_run"))

    def set_last_run(self, name: str, last_run: dict[str, Any]) -> None:
        """Replace the last run of the instance's fetch."""
        self._set(name, "last_run", json.dumps(last_run))

    def last_mirror_run(self, name: str) -> dict[str, Any]:
        """Return the last run of the instance's mirroring, {} before the first."""
        return json.loads(self._value(name, "last_mirror_run"))

    def set_last_mirror_run(self, name: str, last_run: dict[str, Any]) -> None:
        """Replace the last run of the instance's mirroring."""
        self._set(name, "last_mirror_run", json.dumps(last_run))

    def last_update(self, name: str) -> str:
        """Return when the last round of mirroring began, as ISO time; when the instance was added before the first."""
        return self._value(name, "last_update")

    def set_last_update(self, name: str, time: str) -> None:
        """Say when the last round of mirroring began."""
        self._set(name, "last_update", time)

    def remaining(self, name: str) -> list[str]:
        """Return the local incidents that a rate limit left for the next round, in order."""
        return json.loads(self._value(name, "remaining"))

    def set_remaining(self, name: str, incident_ids: list[str]) -> None:
        """Say which local incidents the next round begins with."""
        self._set(name, "remaining", json.dumps(incident_ids))

    def context(self, name: str) -> tuple[dict[str, Any], int]:
        """Return the integration context and its version, ({}, 0) before the first write."""
        with self._lock:
            row = self._connection.execute("select context, context_version from instance where name = ?", (name,)).fetchone()
        return json.loads(row[0]), row[1]

    def set_context(self, name: str, context: dict[str, Any], version: int) -> int:
        """Write the integration context if `version` is the stored one (-1 writes in any case). Returns the new version.

        Raises:
            StaleVersionError: it was written meanwhile.
        """
        with self._transaction() as connection:
            stored = connection.execute("select context_version from instance where name = ?", (name,)).fetchone()[0]
            if version not in (-1, stored):
                raise StaleVersionError(
                    f"The integration context has the version {stored}, and {version} was given: read it again."
                )
            connection.execute(
                "update instance set context = ?, context_version = ? where name = ?", (json.dumps(context), stored + 1, name)
            )
        return stored + 1

    def mirrored_at(self, name: str, incident_id: str) -> str:
        """Return when get-remote-data was last asked for a local incident, "" if it never was."""
        with self._lock:
            row = self._connection.execute(
                "select last_update from mirrored where instance = ? and incident = ?", (name, incident_id)
            ).fetchone()
        return row[0] if row else ""

    def set_mirrored_at(self, name: str, incident_id: str, time: str) -> None:
        """Say when get-remote-data was last asked for an incident."""
        with self._transaction() as connection:
            connection.execute("insert or replace into mirrored values (?, ?, ?)", (name, incident_id, time))

    def begin_fetched(self, name: str, fetched: FetchedRun) -> None:
        """Note what a fetch brought, before any of it is created."""
        last_run = None if fetched.last_run is None else json.dumps(fetched.last_run)
        with self._transaction() as connection:
            connection.execute(
                "insert into fetched values (?, ?, ?, ?, ?)",
                (name, fetched.run, json.dumps(fetched.incidents), last_run, fetched.newest_before),
            )

    def fetched(self, name: str) -> FetchedRun | None:
        """Return the fetch whose incidents were not all created, if any."""
        with self._lock:
            row = self._connection.execute(
                "select run, incidents, last_run, newest_before from fetched where instance = ?", (name,)
            ).fetchone()
        if row is None:
            return None
        return FetchedRun(row[0], json.loads(row[1]), None if row[2] is None else json.loads(row[2]), row[3])

    def created(self, run: str) -> list[str]:
        """Return, in order, the ids of what was created of a fetch ("" for an incident that was not to be)."""
        with self._lock:
            rows = self._connection.execute(
                "select incident from fetched_incident where run = ? order by position", (run,)
            ).fetchall()
        return [row[0] for row in rows]

    def note_created(self, run: str, position: int, incident_id: str) -> None:
        """Note that the incident at `position` of a fetch was created, or ("") that it was not to be."""
        with self._transaction() as connection:
            connection.execute("insert into fetched_incident values (?, ?, ?)", (run, position, incident_id))

    def finish_fetched(self, name: str, fetched: FetchedRun) -> None:
        """Save the last run and forget the notes of the fetch, in one transaction."""
        with self._transaction() as connection:
            if fetched.last_run is not None:
                connection.execute("update instance set last_run = ? where name = ?", (json.dumps(fetched.last_run), name))
            connection.execute("delete from fetched where instance = ?", (name,))
            connection.execute("delete from fetched_incident where run = ?", (fetched.run,))

    def add_log(self, name: str, time: str, line: str) -> None:
        """Add a line to the instance's log, of which the last 1000 are kept."""
        with self._transaction() as connection:
            connection.execute("insert into log (instance, time, line) values (?, ?, ?)", (name, time, line))
            connection.execute(
                "delete from log where instance = ? and number <= (select max(number) from log where instance = ?) - ?",
                (name, name, _LOG_LINES_KEPT),
            )

    def log(self, name: str) -> list[str]:
        """Return the lines of the instance's log, oldest first, each beginning with its time."""
        with self._lock:
            rows = self._connection.execute("select time, line from log where instance = ? order by number", (name,)).fetchall()
        return [f"{time} {line}" for time, line in rows]
