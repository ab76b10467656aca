"""One Cortex XSOAR tenant: its incidents, War Rooms, files and schema, over an embedded database."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local_xsoar.tenant import shapes
from local_xsoar.tenant.errors import BadRequest, Barred, NotFound, OptimisticLock, TenantError
from local_xsoar.tenant.files import Content, StoredFile, drop_file, keep_file, server_name
from local_xsoar.tenant.filters import entry_search, incident_search
from local_xsoar.tenant.query import Meaning
from local_xsoar.tenant.schema import CLOSE_REASONS, incident_field, incident_type, initial_fields, initial_types
from local_xsoar.tenant.settings import TenantSettings
from local_xsoar.tenant.shapes import ARCHIVED, CLOSED, SERVER_OWNED, entry_numbers, known_fields, to_json
from local_xsoar.tenant.store import Store, incidents_of_remote, incidents_to_send, save_entry, save_incident
from local_xsoar.tenant.times import parse_iso

FILE_ENTRY = 3
_PROSE_TYPES = ("longText", "markdown", "html")


class Tenant:
    """A tenant over its folder. Safe to use from several threads and processes at a time.

    Incidents and entries are plain dicts in the shape that the REST API of the tenant's version gives.
    """

    def __init__(self, settings: TenantSettings, clock: Callable[[], int] = time.time_ns) -> None:
        """Open the tenant, making its folder and database when they are not there.

        Args:
            settings: what the tenant is like.
            clock: gives the current time in epoch nanoseconds.

        Raises:
            TenantError: the folder cannot be made or written to.
        """
        self.settings = settings
        self._clock = clock
        self._files = settings.folder / "files"
        try:
            self._files.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TenantError(f"The folder {settings.folder} cannot be used ({error.strerror}): give one that is writable.")
        self._store = Store(settings.folder / "tenant.sqlite")
        self._hidden: set[str] = set()  # ids of incidents that the key's role may not see
        self._refused: dict[str, str] = {}  # by field: why its changes by REST are refused
        self._closing: dict[str, tuple[int, dict[str, Any]]] = {}  # by id: loads that still show it open, how it is closed
        self._add_initial_types()

    def close(self) -> None:
        """Close the database. The tenant cannot be used any more; a new one on the same folder has everything."""
        self._store.close()

    def now(self) -> int:
        """Return the tenant's time in epoch nanoseconds."""
        return self._clock()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Make all changes of the block in one transaction: faster for many, and all or nothing."""
        with self._store.writing():
            yield

    # What happens to a tenant

    def backup(self) -> sqlite3.Connection:
        """Return a copy of all that the tenant knows now, for `restore`. Files are not in it."""
        return self._store.copy()

    def restore(self, backup: sqlite3.Connection) -> None:
        """Make the tenant what it was at a backup: what was written since is gone, and its ids are given out again."""
        self._store.put_back(backup)

    def hide(self, incident_id: str) -> None:
        """Let the key's role no longer see an incident: no search lists it, and to ask for it is forbidden."""
        self._hidden.add(incident_id)

    def show(self, incident_id: str) -> None:
        """Let the key's role see a hidden incident again."""
        self._hidden.discard(incident_id)

    def check_seen(self, incident_id: str) -> None:
        """Raise Barred when the key's role may not see an incident."""
        if incident_id in self._hidden:
            raise Barred(f"The role of this key may not view incident {incident_id}.")

    def refuse_change(self, field: str, reason: str) -> None:
        """Refuse, with 400 and a reason, each update by REST that changes a field: its name, or a custom one's cliName."""
        self._refused[field] = reason

    def accept_change(self, field: str) -> None:
        """Let a refused field be changed again."""
        self._refused.pop(field, None)

    # Incidents

    def incident(self, incident_id: str) -> dict[str, Any]:
        """Return the incident as GET /incident/load gives it.

        Raises:
            NotFound: there is none of this id.
        """
        with self._store.reading() as db:
            return _load_incident(db, incident_id)

    def search(self, incident_filter: Mapping[str, Any]) -> tuple[list[dict[str, Any]], int]:
        """Return a page of incidents (as wrappers) and how many match in all.

        Args:
            incident_filter: the filter of POST /incidents/search; without `size` the page is empty.

        Raises:
            BadRequest: a query that does not parse, or a field of the wrong type.
        """
        search = incident_search(incident_filter, self._meaning(), self.settings)
        # The condition is our own text; all that the client wrote is bound.
        hidden = f" AND number NOT IN ({','.join(sorted(self._hidden))})" if self._hidden else ""
        page = f"SELECT body FROM incidents WHERE ({search.where.text}){hidden} ORDER BY {search.order.text} LIMIT ? OFFSET ?"  # noqa: S608
        count = f"SELECT count(*) FROM incidents WHERE ({search.where.text}){hidden}"  # noqa: S608
        only_total = bool(incident_filter.get("totalOnly"))
        limit = 0 if only_total else search.limit
        try:
            with self._store.reading() as db:
                total = db.execute(count, search.where.parameters).fetchone()[0]
                parameters = (*search.where.parameters, *search.order.parameters, limit, search.offset)
                rows = db.execute(page, parameters).fetchall() if limit else []
        except (sqlite3.OperationalError, OverflowError) as error:
            raise BadRequest(f"The search is too large to run ({error}).")
        return [shapes.incident_wrapper(json.loads(row[0])) for row in rows], total

    def mirrored_with_ids(
        self, instance: str, *, remote_ids: Iterable[str], incident_ids: Iterable[str] = ()
    ) -> list[dict[str, Any]]:
        """Return the incidents that an instance mirrors and that have one of the remote ids, or of the ids here, oldest first.

        Unlike a search it tells upper from lower case. An empty remote id is none.
        """
        remote = {remote_id for remote_id in remote_ids if remote_id}
        local = {int(incident_id) for incident_id in incident_ids}
        with self._store.reading() as db:
            found = _mirrored(db, instance, incidents_of_remote(db, remote) | local)
        return [incident for incident in found if incident["dbotMirrorId"] in remote or int(incident["id"]) in local]

    def mirrored_perhaps_to_send(self, instance: str) -> list[dict[str, Any]]:
        """Return the incidents that an instance mirrors and that may have something to send, oldest first; no other has.

        They were changed here, or the remote does not know them, or they have an entry that was not mirrored yet and carries a
        mirror tag that incidents of the instance have. The direction and the status are not looked at.
        """
        with self._store.reading() as db:
            return _mirrored(db, instance, incidents_to_send(db, instance))

    def _meaning(self) -> Meaning:
        with self._store.reading() as db:
            rows = db.execute(
                "SELECT json_extract(body, '$.cliName') FROM incident_fields"
                " WHERE json_extract(body, '$.type') IN (?, ?, ?) AND json_extract(body, '$.group') = 0",
                _PROSE_TYPES,
            ).fetchall()
        return Meaning(self.now(), self.settings.kept, frozenset(row[0] for row in rows))

    def create_incident(
        self,
        fields: Mapping[str, Any],
        *,
        user: str = "admin",
        investigate: bool = True,
        attachments: Sequence[tuple[str, bytes | Path]] = (),
    ) -> dict[str, Any] | None:
        """Create an incident and return it, or None when the pre-processing rule dropped it.

        Args:
            fields: any incident fields, in the REST shape; `created` may be given to set the incident back in time.
            user: who creates it.
            investigate: open its War Room (and let its playbook run).
            attachments: file names and contents; they become attachments and War Room file entries of the same time.

        Raises:
            BadRequest: a field of the wrong type.
        """
        checked = known_fields(fields, self.settings)
        checked = {field: value for field, value in checked.items() if field == "created" or field not in SERVER_OWNED}
        drop = self.settings.drop_created_if_name_contains
        if drop and drop in checked.get("name", ""):
            return None
        kept: list[StoredFile] = []
        try:
            for name, content in attachments:
                kept.append(keep_file(self._files, name, content))
            with self._store.writing() as db:
                row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'incidents'").fetchone()
                number = (row[0] if row else 0) + 1
                playbook = _default_playbook(db, checked.get("type", ""))
                incident = shapes.new_incident(checked, number, self.now(), user, investigate, playbook, self.settings)
                save_incident(db, incident, self.settings)
                for file in kept:
                    incident = self._attach(db, incident, file, user=user, at=parse_iso(incident["created"]))
                if kept:
                    save_incident(db, incident, self.settings)
        except BaseException:
            self._drop_files(kept)
            raise
        return incident

    def replace_incident(self, body: Mapping[str, Any], *, user: str) -> dict[str, Any]:
        """Replace an incident by the body, as POST /incident with an id does: what it leaves out is wiped.

        The body's `version` must be the stored one, or -1 to overwrite whatever is there.

        Raises:
            NotFound: there is no such incident.
            OptimisticLock: the incident has been changed since the body was loaded.
            BadRequest: a field of the wrong type, or one that is refused.
        """
        fields = known_fields(body, self.settings)
        with self._store.writing() as db:
            old = _load_incident(db, str(fields.get("id", "")))
            version = fields.get("version", 0)
            if version not in (-1, old["version"]):
                raise OptimisticLock(
                    f"DB Version '{old['version']}' and Insert version '{version}' do not match for id: {old['id']}"
                    " on bucket [] [incidents] (15)"
                )
            new = shapes.replaced_incident(old, fields, self.settings)
            for field in shapes.changed_fields(old, new):
                if field in self._refused:
                    raise BadRequest(self._refused[field])
            return self._save_change(db, old, new, dirty=True, always=True)

    def change_incident(
        self, incident_id: str, changes: Mapping[str, Any], *, user: str = "", dirty: bool = True
    ) -> dict[str, Any]:
        """Lay changes over an incident (CustomFields key by key) and return it. What changes nothing is no change.

        Args:
            incident_id: which one.
            changes: incident fields in the REST shape.
            user: who changes it.
            dirty: note the fields for the next outgoing mirror run; off for what mirroring itself writes.

        Raises:
            NotFound: there is no such incident.
            BadRequest: a field of the wrong type.
        """
        checked = known_fields(changes, self.settings)
        # A null here means "empty it", unlike in a REST body, where it stands for "not sent".
        zero = shapes.incident_zero(self.settings)
        emptied = {field: zero[field] for field, value in changes.items() if value is None and field in zero}
        with self._store.writing() as db:
            old = _load_incident(db, incident_id)
            return self._save_change(db, old, shapes.merged_incident(old, emptied | checked), dirty=dirty)

    def close_incident(
        self,
        incident_id: str,
        *,
        reason: str = "",
        notes: str = "",
        custom_fields: Mapping[str, Any] | None = None,
        user: str = "",
        dirty: bool = True,
    ) -> dict[str, Any]:
        """Close the incident and its War Room, and return it.

        Raises:
            NotFound: there is no such incident.
        """
        self._closing.pop(incident_id, None)
        with self._store.writing() as db:
            old = _load_incident(db, incident_id)
            closed = shapes.closed_incident(old, self.now(), reason, notes, custom_fields or {}, user, self.settings)
            return self._save_change(db, old, closed, dirty=dirty)

    def close_in_time(self, incident_id: str, **closing: Any) -> None:
        """Close the incident as `close_incident` does, but only after the loads that by the settings still show it open.

        Raises:
            NotFound: there is no such incident.
        """
        loads = self.settings.close_shows_after
        if loads and self.incident(incident_id)["status"] != CLOSED:
            self._closing.setdefault(incident_id, (loads, closing))
        else:
            self.close_incident(incident_id, **closing)

    def load_incident(self, incident_id: str) -> dict[str, Any]:
        """Return the incident as a client loads it; a closing that is under way comes nearer.

        Raises:
            NotFound: there is none of this id.
        """
        loads, closing = self._closing.get(incident_id, (-1, {}))
        if loads > 0:
            self._closing[incident_id] = (loads - 1, closing)
        elif loads == 0:
            self.close_incident(incident_id, **closing)
        return self.incident(incident_id)

    def reopen_incident(self, incident_id: str, *, user: str = "", dirty: bool = True) -> dict[str, Any]:
        """Open a closed incident and its War Room again, and return it. One that is open stays as it is.

        Raises:
            NotFound: there is no such incident.
        """
        self._closing.pop(incident_id, None)
        with self._store.writing() as db:
            old = _load_incident(db, incident_id)
            changed = self._save_change(db, old, shapes.reopened_incident(old), dirty=dirty)
        return changed if changed["investigationId"] else self.investigate(incident_id)

    def investigate(self, incident_id: str) -> dict[str, Any]:
        """Open the War Room of an incident that has none yet, and return the incident.

        Raises:
            NotFound: there is no such incident.
            BadRequest: its War Room is open already.
        """
        with self._store.writing() as db:
            old = _load_incident(db, incident_id)
            if old["investigationId"]:
                raise BadRequest(f"Investigation already exists for incident {incident_id}")
            return self._save_change(db, old, self._with_war_room(db, old), dirty=True)

    def _with_war_room(self, db: sqlite3.Connection, incident: dict[str, Any]) -> dict[str, Any]:
        """Return the incident with its War Room open; its attachments are written into it."""
        opened = shapes.with_investigation(incident, self.now(), self.settings)
        for item in incident["attachment"] or []:
            comment = str(item.get("description") or "")
            self._add_file_entry(db, opened, str(item.get("path")), user=incident["dbotCreatedBy"], comment=comment)
        return opened

    def delete_incident(self, incident_id: str) -> None:
        """Delete the incident, its War Room and its files. Its id is not used again.

        Raises:
            NotFound: there is no such incident.
        """
        with self._store.writing() as db:
            number = int(_load_incident(db, incident_id)["id"])
            stored = [row[0] for row in db.execute("SELECT stored_as FROM files WHERE investigation = ?", (number,))]
            db.execute("DELETE FROM incidents WHERE number = ?", (number,))
            db.execute("DELETE FROM entries WHERE investigation = ?", (number,))
            db.execute("DELETE FROM files WHERE investigation = ?", (number,))
        for stored_as in stored:
            drop_file(self._files, stored_as)

    def attach_file(
        self,
        incident_id: str,
        name: str,
        content: Content,
        *,
        user: str = "",
        comment: str = "",
        field: str = "attachment",
        show_media: bool = False,
        investigate: bool = False,
    ) -> dict[str, Any]:
        """Add a file to an incident's attachments (or to a custom field of attachments), and return the incident.

        The file also becomes a War Room entry, at once or when the War Room is opened.

        Raises:
            NotFound: there is no such incident.
        """
        kept = keep_file(self._files, name, content)
        try:
            with self._store.writing() as db:
                old = _load_incident(db, incident_id)
                new = old
                if investigate and not old["investigationId"]:
                    new = self._with_war_room(db, old)
                new = self._attach(db, new, kept, user=user, comment=comment, field=field, show_media=show_media)
                return self._save_change(db, old, new, dirty=True)
        except BaseException:
            self._drop_files([kept])
            raise

    def _attach(
        self,
        db: sqlite3.Connection,
        incident: dict[str, Any],
        file: StoredFile,
        *,
        user: str,
        comment: str = "",
        field: str = "attachment",
        show_media: bool = False,
        at: int | None = None,
    ) -> dict[str, Any]:
        """Return the incident with the file among its attachments; its record and its entry (`at`: else now) are written."""
        path = server_name(incident["id"], file.name)
        _record_file(db, path, incident["id"], file)
        item = {
            "name": file.name,
            "path": path,
            "type": file.metadata["type"],
            "description": comment,
            "showMediaFile": show_media,
            "isTempPath": False,
        }
        if incident["investigationId"]:
            self._add_file_entry(db, incident, path, user=user, comment=comment, at=at)
        if field == "attachment":
            return incident | {"attachment": [*(incident["attachment"] or []), item]}
        custom = incident["CustomFields"]
        return incident | {"CustomFields": {**custom, field: [*(custom.get(field) or []), item]}}

    def _save_change(
        self, db: sqlite3.Connection, old: dict[str, Any], new: dict[str, Any], *, dirty: bool, always: bool = False
    ) -> dict[str, Any]:
        """Write a changed incident with its new version, and return it; when nothing changed, return the old one."""
        if new == old and not always:
            return old
        if dirty:
            new = shapes.marked_dirty(old, new)
        new = new | {"version": old["version"] + 1}
        if always or _without_stamps(new) != _without_stamps(old):
            new["modified"] = self.settings.show_kept(self.now())
        if "sequenceNumber" in new:
            new["sequenceNumber"] = old["sequenceNumber"] + 1
        save_incident(db, new, self.settings)
        return new

    # War Rooms

    def add_entry(
        self,
        investigation_id: str,
        *,
        contents: Any = "",
        user: str = "",
        entry_type: int = 1,
        format: str = "text",
        category: str = "",
        note: bool = False,
        tags: Sequence[str] = (),
        file: tuple[str, Content] | None = None,
        mirrored: bool = False,
        parent_id: str = "",
        at: int | None = None,
    ) -> dict[str, Any]:
        """Write an entry into a War Room and return it. A closed War Room takes it too: only the REST API refuses.

        Args:
            investigation_id: the incident's id.
            contents: text, or an object for the formats json and table.
            user: who wrote it; "" for the DBot.
            entry_type: 1 a note or chat, 3 a file, 4 an error … (XSOAR REST API: entry types).
            format: text, markdown, json, table, html.
            category: "" lets it follow from what the entry is: chat, note or attachment.
            note: it is marked as a note.
            tags: its tags.
            file: file name and content; the entry becomes a file entry.
            mirrored: it came in or went out by mirroring already.
            parent_id: the entry it answers.
            at: when it is written, in epoch nanoseconds; None for now.

        Raises:
            NotFound: there is no such War Room.
        """
        kept = keep_file(self._files, *file) if file else None
        values = {
            "contents": contents,
            "user": user,
            "type": FILE_ENTRY if kept and entry_type == 1 else entry_type,
            "format": format,
            "category": shapes.entry_category(category, note=note, user=user, has_file=kept is not None),
            "note": note,
            "tags": shapes.unique_tags(tags),
            "mirrored": mirrored,
            "parentId": parent_id,
        }
        values["tagsRaw"] = values["tags"]
        try:
            with self._store.writing() as db:
                incident = _load_investigation(db, investigation_id)
                if kept:
                    file_id = server_name(investigation_id, kept.name)
                    _record_file(db, file_id, investigation_id, kept)
                    values |= {"file": kept.name, "fileID": file_id, "fileMetadata": kept.metadata}
                entry = self._write_entry(db, incident, values, self.now() if at is None else at)
                self._move_modified(db, incident, entry["created"])
                return entry
        except BaseException:
            self._drop_files([kept] if kept else [])
            raise

    def _add_file_entry(
        self, db: sqlite3.Connection, incident: dict[str, Any], path: str, *, user: str, comment: str, at: int | None = None
    ) -> None:
        row = db.execute("SELECT name, metadata FROM files WHERE file_id = ?", (path,)).fetchone()
        if row is None:
            return
        values = {
            "contents": comment,
            "user": user,
            "type": FILE_ENTRY,
            "category": "attachment",
            "file": row[0],
            "fileID": path,
            "fileMetadata": json.loads(row[1]),
        }
        self._write_entry(db, incident, values, self.now() if at is None else at)

    def _write_entry(
        self, db: sqlite3.Connection, incident: Mapping[str, Any], values: Mapping[str, Any], at: int
    ) -> dict[str, Any]:
        investigation_id = incident["id"]
        highest = db.execute("SELECT max(number) FROM entries WHERE investigation = ?", (int(investigation_id),)).fetchone()[0]
        number = (highest or 0) + 1
        entry = shapes.new_entry(number, investigation_id, at, values, self.settings)
        save_entry(db, entry, number)
        return entry

    def _move_modified(self, db: sqlite3.Connection, incident: Mapping[str, Any], modified: str) -> None:
        """Let an entry move its incident's `modified`, but not its version, when the settings say that entries do."""
        if self.settings.entry_moves_modified:
            save_incident(db, {**incident, "modified": modified}, self.settings)

    def entry(self, entry_id: str) -> dict[str, Any]:
        """Return the entry.

        Raises:
            NotFound: there is none of this id.
        """
        with self._store.reading() as db:
            return _load_entry(db, entry_id)

    def change_entry(
        self, entry_id: str, *, tags: Sequence[str] | None = None, note: bool | None = None, mirrored: bool | None = None
    ) -> dict[str, Any]:
        """Set the tags, the note mark or the mirrored mark of an entry and return it; None leaves as it is.

        Tagging and noting move the entry's `modified`, being marked as mirrored does not.

        Raises:
            NotFound: there is no such entry.
        """
        with self._store.writing() as db:
            old = _load_entry(db, entry_id)
            new = dict(old)
            if tags is not None:
                new["tags"] = new["tagsRaw"] = shapes.unique_tags(tags)
            if note is not None:
                new["note"] = note
            touched = new != old
            if mirrored is not None:
                new["mirrored"] = mirrored
            if new == old:
                return old
            if touched:
                new |= {"version": old["version"] + 1, "modified": self.settings.show_kept(self.now())}
                self._move_modified(db, _load_incident(db, old["investigationId"]), new["modified"])
            number, _ = entry_numbers(entry_id) or (0, 0)
            save_entry(db, new, number)
            return new

    def remove_entry(self, entry_id: str) -> None:
        """Take an entry out of its War Room. The next one that is written there may get its id.

        Raises:
            NotFound: there is no such entry.
        """
        with self._store.writing() as db:
            _load_entry(db, entry_id)
            db.execute("DELETE FROM entries WHERE number = ? AND investigation = ?", entry_numbers(entry_id) or (0, 0))

    def edit_entry(self, entry_id: str, contents: str, *, user: str) -> dict[str, Any]:
        """Give an entry another text and return it; its `history` keeps the earlier one.

        Raises:
            NotFound: there is no such entry.
        """
        with self._store.writing() as db:
            old = _load_entry(db, entry_id)
            if contents == old["contents"]:
                return old
            now = self.settings.show_kept(self.now())
            earlier = {"user": user, "contents": old["contents"], "contentsFormat": old["format"], "contentDate": old["modified"]}
            history = [*(old["history"] or []), earlier]
            size = len(contents.encode("utf-8", "replace"))
            new = {**old, "contents": contents, "contentsSize": size, "history": history}
            new |= {"version": old["version"] + 1, "modified": now}
            self._move_modified(db, _load_incident(db, old["investigationId"]), now)
            number, _ = entry_numbers(entry_id) or (0, 0)
            save_entry(db, new, number)
            return new

    def entries(self, investigation_id: str, entry_filter: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the entries of a War Room, oldest first.

        Args:
            investigation_id: the incident's id.
            entry_filter: the filter of POST /investigation/{id}; None for all of them.

        Raises:
            NotFound: there is no such War Room.
            BadRequest: a field of the filter is of the wrong type.
        """
        return [json.loads(body) for body in self.entry_bodies(investigation_id, entry_filter)]

    def entry_bodies(self, investigation_id: str, entry_filter: Mapping[str, Any] | None = None) -> list[str]:
        """Return what `entries` does, each as the JSON text that it is kept as: a page of many is sent on as it is."""
        with self._store.reading() as db:
            number = int(_load_investigation(db, investigation_id)["id"])
            search = entry_search(number, entry_filter or {}, self.now(), self.settings)
            direction = "DESC" if search.newest else "ASC"
            # The page is chosen without the bodies, which sorting would otherwise carry along.
            page = f"SELECT rowid FROM entries WHERE {search.where.text} ORDER BY number {direction} LIMIT ?"  # noqa: S608
            statement = f"SELECT body FROM entries WHERE rowid IN ({page}) ORDER BY number"  # noqa: S608
            rows = db.execute(statement, (*search.where.parameters, search.limit or -1)).fetchall()
        return [row[0] for row in rows]

    def entry_file(self, entry_id: str) -> tuple[str, Path]:
        """Return the name of the entry's file and where its bytes lie.

        Raises:
            NotFound: there is no such entry, or it has no file.
        """
        with self._store.reading() as db:
            entry = _load_entry(db, entry_id)
            row = db.execute("SELECT name, stored_as FROM files WHERE file_id = ?", (entry["fileID"],)).fetchone()
        if row is None or not (self._files / row[1]).is_file():
            raise NotFound(f"Could not find a file in entry {entry_id[:60]} (8)")
        return row[0], self._files / row[1]

    def _drop_files(self, kept: Sequence[StoredFile]) -> None:
        for file in kept:
            drop_file(self._files, file.stored_as)

    # Schema and content

    def incident_fields(self) -> list[dict[str, Any]]:
        """Return all fields as GET /incidentfields lists them: of incidents (group 0) and others."""
        added = [field for field in self._all("incident_fields") if not field["system"]]
        by_id = {field["id"]: field for field in (*initial_fields(), *added)}
        if self.settings.close_reasons == "listed":
            by_id["incident_closereason"]["selectValues"] = list(CLOSE_REASONS)
        return sorted(by_id.values(), key=lambda field: str(field["id"]))

    def incident_types(self) -> list[dict[str, Any]]:
        """Return the incident types as GET /incidenttype lists them."""
        return self._all("incident_types")

    def packs(self) -> list[dict[str, Any]]:
        """Return the content packs that were uploaded: id, name, currentVersion, size, sha256, updated."""
        return self._all("packs")

    def add_incident_field(
        self,
        cli_name: str,
        *,
        name: str = "",
        type: str = "shortText",
        associated_types: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Add a custom incident field and return it; None associates it with all types.

        Raises:
            BadRequest: a cliName with other characters than lower-case letters, digits and underscores.
        """
        field = incident_field(cli_name, name, type, associated_types=associated_types)
        self._put("incident_fields", field)
        return field

    def add_incident_type(self, name: str, playbook_id: str = "") -> dict[str, Any]:
        """Add an incident type and return it; new incidents of the type get the playbook."""
        kind = incident_type(name, playbook_id)
        self._put("incident_types", kind)
        return kind

    def add_pack(self, pack: Mapping[str, Any]) -> None:
        """Remember an uploaded content pack; one of the same id takes its place."""
        self._put("packs", pack)

    def _add_initial_types(self) -> None:
        with self._store.writing() as db:
            rows = [(item["id"], to_json(item)) for item in initial_types()]
            db.executemany("INSERT OR IGNORE INTO incident_types (id, body) VALUES (?, ?)", rows)

    def _all(self, table: str) -> list[dict[str, Any]]:
        with self._store.reading() as db:
            return [json.loads(row[0]) for row in db.execute(f"SELECT body FROM {table} ORDER BY rowid")]  # noqa: S608

    def _put(self, table: str, item: Mapping[str, Any]) -> None:
        with self._store.writing() as db:
            statement = f"INSERT INTO {table} (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body"  # noqa: S608
            db.execute(statement, (item["id"], to_json(item)))


def takes_entries(incident: Mapping[str, Any]) -> bool:
    """Say whether the incident's War Room is open and the REST API would write into it."""
    return bool(incident["investigationId"]) and incident["status"] not in (CLOSED, ARCHIVED)


def _load_incident(db: sqlite3.Connection, incident_id: str) -> dict[str, Any]:
    numeric = incident_id.isascii() and incident_id.isdecimal() and len(incident_id) < 19
    row = db.execute("SELECT body FROM incidents WHERE number = ?", (int(incident_id),)).fetchone() if numeric else None
    if row is None:
        raise NotFound(f"Could not find incident {incident_id[:60]} (8)")
    return json.loads(row[0])


def _mirrored(db: sqlite3.Connection, instance: str, numbers: Iterable[int]) -> list[dict[str, Any]]:
    """Return those of the incidents that are there and that the instance mirrors, oldest first."""
    statement = "SELECT body FROM incidents WHERE number = ? AND dbotmirrorinstance = ?"
    rows = (db.execute(statement, (number, instance.casefold())).fetchone() for number in sorted(numbers))
    incidents = [json.loads(row[0]) for row in rows if row]
    return [incident for incident in incidents if incident["dbotMirrorInstance"] == instance]


def _load_investigation(db: sqlite3.Connection, investigation_id: str) -> dict[str, Any]:
    try:
        incident = _load_incident(db, investigation_id)
    except NotFound:
        incident = {"investigationId": ""}
    if not incident["investigationId"]:
        raise NotFound(f"Could not find investigation {investigation_id[:60]} (8)")
    return incident


def _load_entry(db: sqlite3.Connection, entry_id: str) -> dict[str, Any]:
    numbers = entry_numbers(entry_id)
    statement = "SELECT body FROM entries WHERE number = ? AND investigation = ?"
    row = db.execute(statement, numbers).fetchone() if numbers else None
    if row is None:
        raise NotFound(f"Could not find entry {entry_id[:60]} (8)")
    return json.loads(row[0])


def _default_playbook(db: sqlite3.Connection, type_name: str) -> str:
    row = db.execute("SELECT json_extract(body, '$.playbookId') FROM incident_types WHERE id = ?", (type_name or "Unclassified",))
    found = row.fetchone()
    return found[0] if found else ""


def _record_file(db: sqlite3.Connection, file_id: str, incident_id: str, file: StoredFile) -> None:
    db.execute(
        "INSERT INTO files (file_id, investigation, name, stored_as, metadata) VALUES (?, ?, ?, ?, ?)",
        (shapes.storable(file_id), int(incident_id), shapes.storable(file.name), file.stored_as, to_json(file.metadata)),
    )


def _without_stamps(incident: Mapping[str, Any]) -> dict[str, Any]:
    """Return an incident without what the mirror job notes for itself, which is no change of the incident.

    Whether a server moves `modified` for it is not documented. If it did, two tenants that mirror each other would never rest.
    """
    own = ("dbotMirrorLastSync", "dbotCurrentDirtyFields", "version")
    return {key: value for key, value in incident.items() if key not in own}
