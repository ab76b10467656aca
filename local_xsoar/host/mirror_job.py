"""The mirror job: what a server does each minute with the incidents that an instance mirrors.

Which incidents. Those whose dbotMirrorInstance is the instance; coming in when dbotMirrorDirection is In or Both, going out
when it is Out or Both. Fields are mirrored while an incident is pending or active, War Room entries only while it is active,
and mirroring goes on after a reopening (mirroring, Cortex XSOAR docs). Closed incidents are asked for as long as they are kept,
so that a reopening arrives. What is written in the War Room of an incident that is not active has no place to go and is logged.

In. get-modified-remote-data is called once. An error with `skip update` or `API rate limit` in it ends the incoming side of the
round; any other error means that the integration cannot tell, and get-remote-data is called for every incident. (For
NotImplementedError that is documented; for other errors nothing is, and it is the likely reading.) Else get-remote-data is
called for the ids in the answer. The time of a round, and of an incident's own call, move on also when a call fails. `API rate
limit` in an error of get-remote-data ends the calls of the round, and the next round begins with that incident and those that
came after it; other errors are logged and the incident is passed over. The object of an answer goes through the incoming
mapper. (A server classifies it again as well; there are no classifiers here, so a type changes only if the mapper says so.)

Out. update-remote-system is called for incidents with dirty fields, with tagged entries that were not sent yet, or that have
no id in the remote and were never sent. When it succeeds its entries are marked as mirrored and its fields are clean, but for
what was changed meanwhile; when it fails all of it comes again in the next round. The entries of a closed incident go out with
its closing only. Whatever the mapper says, the delta tells of closing (closingUserId, runStatus, closeReason, closeNotes) and
reopening (closingUserId and runStatus, both empty), and of a playbook's run (runStatus): six shipped integrations look for that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_xsoar.host.entries import ERROR, NOTE, file_name, is_file, normalised, readable
from local_xsoar.host.mapper import CUSTOM_FIELDS, FieldNames, map_incoming, map_outgoing
from local_xsoar.host.queries import mirrored_incidents
from local_xsoar.host.runner import CommandRun, Instance, Runner
from local_xsoar.host.times import iso
from local_xsoar.host.workers import Outcome
from local_xsoar.tenant import NotFound, Tenant, TenantError

MODIFIED_COMMAND, IN_COMMAND, OUT_COMMAND = "get-modified-remote-data", "get-remote-data", "update-remote-system"
RATE_LIMIT, SKIP = "API rate limit", "skip update"
_PENDING, _ACTIVE, _CLOSED = 0, 1, 2
_CLOSER = "closingUserId"  # It is dirty when the incident was closed or reopened here.
_NEVER = "0001-01-01T00:00:00Z"
_CLOSING_WORDS = ("closeReason", "closeNotes")


@dataclass
class MirrorRound:
    """What one round of the mirror job did.

    `modified` are the remote ids that get-modified-remote-data gave, None when it could not tell. `updated`, `closed`,
    `reopened` and `sent` are ids of local incidents; `entries_in` and `entries_out` count War Room entries. `errors` are
    sentences "command id: error".
    """

    instance: str
    modified: list[str] | None = None
    updated: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    reopened: list[str] = field(default_factory=list)
    entries_in: int = 0
    sent: list[str] = field(default_factory=list)
    entries_out: int = 0
    errors: list[str] = field(default_factory=list)
    runs: list[CommandRun] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every command of the round went well."""
        return not self.errors


def mirror(runner: Runner, instance: Instance) -> MirrorRound:
    """Run one round of the mirror job, the incoming side first."""
    done = MirrorRound(instance.name)
    if instance.integration.mirrors_in:
        _Incoming(runner, instance, done).round()
    if instance.integration.mirrors_out:
        _Outgoing(runner, instance, done).round()
    return done


def _goes(incident: Mapping[str, Any], direction: str) -> bool:
    return incident["dbotMirrorDirection"].lower() in (direction, "both")


def _dirty(incident: Mapping[str, Any]) -> list[str]:
    return list(incident.get("dbotCurrentDirtyFields") or [])


def _report(runner: Runner, instance: Instance, done: MirrorRound, run: CommandRun, subject: str = "") -> None:
    """Note a run, and its error if it has one."""
    done.runs.append(run)
    if not run.ok:
        line = f"{run.command} {subject}".strip() + f": {run.error}"
        done.errors.append(line)
        runner.log(instance, line)


class _Incoming:
    """The incoming side of one round."""

    def __init__(self, runner: Runner, instance: Instance, done: MirrorRound) -> None:
        self._runner = runner
        self._tenant = runner.tenant
        self._state = runner.state
        self._instance = instance
        self._done = done
        self._names = FieldNames(runner.tenant.incident_fields(), runner.settings)

    def round(self) -> None:
        """Ask what was modified, then ask for each of it."""
        may_ask, remote_ids = self._modified()
        if not may_ask:
            return
        incidents = self._asked_for(remote_ids)
        for position, incident in enumerate(incidents):
            last_update = self._state.mirrored_at(self._instance.name, incident["id"]) or incident["created"]
            if self._rate_limited(incident, last_update):
                self._state.set_remaining(self._instance.name, [later["id"] for later in incidents[position:]])
                return
        self._state.set_remaining(self._instance.name, [])

    def _modified(self) -> tuple[bool, list[str] | None]:
        """Return whether get-remote-data may be called in this round, and the remote ids that changed, None for all."""
        state, name = self._state, self._instance.name
        began = iso(self._tenant.now())
        with self._runner.run(self._instance, "mirror", MODIFIED_COMMAND, {"lastUpdate": state.last_update(name)}) as (
            run,
            outcome,
        ):
            state.set_last_update(name, began)
            if run.ok and outcome.last_mirror_run is not None:
                state.set_last_mirror_run(name, outcome.last_mirror_run)
        _report(self._runner, self._instance, self._done, run)
        if not run.ok:
            return SKIP not in run.error and RATE_LIMIT not in run.error, None
        given = [item for entry in run.entries for item in (entry["Contents"] if isinstance(entry["Contents"], list) else [])]
        self._done.modified = [item for item in given if isinstance(item, str)]
        if len(self._done.modified) < len(given):
            line = f"{MODIFIED_COMMAND}: {len(given) - len(self._done.modified)} of the ids are not strings and are skipped"
            self._done.errors.append(line)
            self._runner.log(self._instance, line)
        return True, self._done.modified

    def _asked_for(self, remote_ids: list[str] | None) -> list[dict[str, Any]]:
        """Return the local incidents to ask for: those that a rate limit left first."""
        remaining = self._state.remaining(self._instance.name)
        if remote_ids is None:
            named = list(mirrored_incidents(self._tenant, self._instance.name))
        else:
            named = self._tenant.mirrored_with_ids(self._instance.name, remote_ids=remote_ids, incident_ids=remaining)
        incidents = [incident for incident in named if self._may_come_in(incident)]
        order = {incident_id: position for position, incident_id in enumerate(remaining)}
        return sorted(incidents, key=lambda incident: order.get(incident["id"], len(order)))

    def _may_come_in(self, incident: Mapping[str, Any]) -> bool:
        return bool(incident["dbotMirrorId"]) and _goes(incident, "in") and incident["status"] in (_PENDING, _ACTIVE, _CLOSED)

    def _rate_limited(self, incident: dict[str, Any], last_update: str) -> bool:
        """Ask for one incident and apply the answer. Returns whether the remote said that it is asked too often."""
        began = iso(self._tenant.now())
        args = {"id": incident["dbotMirrorId"], "lastUpdate": last_update}
        with self._runner.run(self._instance, "mirror", IN_COMMAND, args) as (run, outcome):
            _report(self._runner, self._instance, self._done, run, incident["dbotMirrorId"])
            if not run.ok and RATE_LIMIT in run.error:
                return True
            self._state.set_mirrored_at(self._instance.name, incident["id"], began)
            if run.ok:
                try:
                    self._apply(incident["id"], outcome)
                except TenantError as error:
                    line = f"{IN_COMMAND} {incident['dbotMirrorId']}: the answer could not be applied: {error}"
                    self._done.errors.append(line)
                    self._runner.log(self._instance, line)
        return False

    def _apply(self, incident_id: str, outcome: Outcome) -> None:
        """Apply the answer of get-remote-data: an object for the mapper, then entries."""
        answer = [item for result in outcome.results for item in (result if isinstance(result, list) else [result])]
        items = [item for item in answer if isinstance(item, Mapping)]
        if items:
            self._apply_object(incident_id, items[0])
        for entry in normalised(items[1:]):
            self._apply_entry(incident_id, entry, outcome)

    def _apply_object(self, incident_id: str, remote: Mapping[str, Any]) -> None:
        """Put the remote's fields into the local incident; the settings say what becomes of those not sent out yet."""
        settings = self._runner.settings
        incident = self._tenant.incident(incident_id)
        dirty = _dirty(incident)
        stays = set(dirty) if settings.unsent_changes == "kept" else set()
        mapped = map_incoming(self._instance.incoming_mapper, remote, incident["type"], self._names, settings)
        changes = {name: value for name, value in mapped.fields.items() if name not in stays and incident.get(name) != value}
        custom = incident[CUSTOM_FIELDS] or {}
        changed_custom = {
            name: value
            for name, value in mapped.custom.items()
            if name not in stays and (name not in custom or custom[name] != value)
        }
        still_dirty = [name for name in dirty if name not in changes and name not in changed_custom]
        if changed_custom:
            changes[CUSTOM_FIELDS] = changed_custom
        if changes:
            self._done.updated.append(incident_id)
        own = {"dbotMirrorLastSync": iso(self._tenant.now()), "dbotCurrentDirtyFields": still_dirty or None}
        self._tenant.change_incident(incident_id, {**changes, **own}, dirty=False)

    def _apply_entry(self, incident_id: str, entry: Mapping[str, Any], outcome: Outcome) -> None:
        """Close, reopen, or write one entry into the War Room.

        An entry that came in goes out again only if it carries an outgoing tag, as on a server: it is not marked as mirrored.
        """
        incident = self._tenant.incident(incident_id)
        contents = entry["Contents"] if isinstance(entry["Contents"], Mapping) else {}
        if contents.get("dbotIncidentClose") or contents.get("dbotIncidentReopen"):
            self._apply_status(incident, contents)
        elif incident["status"] != _ACTIVE or not incident["investigationId"]:
            self._runner.log(self._instance, f"{IN_COMMAND}: incident {incident_id} is not active and takes no entry")
        else:
            self._write_entry(incident, entry, outcome)

    def _apply_status(self, incident: Mapping[str, Any], contents: Mapping[str, Any]) -> None:
        if _CLOSER in _dirty(incident):
            return
        closed = incident["status"] == _CLOSED
        if contents.get("dbotIncidentClose") and not closed:
            reason, notes = str(contents.get("closeReason") or ""), str(contents.get("closeNotes") or "")
            self._tenant.close_incident(incident["id"], reason=reason, notes=notes, dirty=False)
            self._done.closed.append(incident["id"])
        elif contents.get("dbotIncidentReopen") and closed:
            self._tenant.reopen_incident(incident["id"], dirty=False)
            self._done.reopened.append(incident["id"])

    def _write_entry(self, incident: Mapping[str, Any], entry: Mapping[str, Any], outcome: Outcome) -> None:
        write_entry(self._tenant, incident["investigationId"], entry, outcome)
        self._done.entries_in += 1


def write_entry(tenant: Tenant, investigation_id: str, entry: Mapping[str, Any], outcome: Outcome) -> dict[str, Any]:
    """Write an entry of a script, with its file, into a War Room. A file that the script did not write becomes an error entry."""
    text, shown_as = readable(entry)
    kind = entry["Type"]
    file: tuple[str, Path] | None = None
    if is_file(entry):
        try:
            file = (file_name(entry.get("File")), outcome.file(str(entry["FileID"])))
        except FileNotFoundError as error:
            text, shown_as, kind = f"The file {entry.get('File')!r} is lost: {error}", "text", ERROR
    structured = shown_as == "json" and not isinstance(entry["Contents"], str) and entry["Contents"] is not None
    return tenant.add_entry(
        investigation_id,
        contents=entry["Contents"] if structured else text,
        entry_type=kind,
        format=shown_as,
        category=str(entry.get("Category") or ""),
        note=bool(entry.get("Note")),
        tags=[str(tag) for tag in entry.get("Tags") or []],
        file=file,
    )


class _Outgoing:
    """The outgoing side of one round."""

    def __init__(self, runner: Runner, instance: Instance, done: MirrorRound) -> None:
        self._runner = runner
        self._tenant = runner.tenant
        self._instance = instance
        self._done = done

    def round(self) -> None:
        """Send every incident that has something to send."""
        for incident in self._tenant.mirrored_perhaps_to_send(self._instance.name):
            if _goes(incident, "out") and self._has_news(incident):
                try:
                    self._send(self._tenant.incident(incident["id"]))
                except NotFound:
                    line = f"{OUT_COMMAND} {incident['id']}: the local incident was deleted in the meantime"
                    self._runner.log(self._instance, line)

    def _has_news(self, incident: Mapping[str, Any]) -> bool:
        unknown_there = not incident["dbotMirrorId"] and incident["dbotMirrorLastSync"] == _NEVER
        return bool(_dirty(incident) or unknown_there or self._entries_to_send(incident))

    def _entries_to_send(self, incident: Mapping[str, Any]) -> list[dict[str, Any]]:
        tags = list(incident["dbotMirrorTags"] or [])
        closing = incident["status"] == _CLOSED and _CLOSER in _dirty(incident)
        if not tags or not incident["investigationId"] or not (incident["status"] == _ACTIVE or closing):
            return []
        try:
            entries = self._tenant.entries(incident["investigationId"], {"tags": tags})
        except NotFound:  # deleted meanwhile
            return []
        return [entry for entry in entries if not entry["mirrored"] and set(entry["tags"] or []) & set(tags)]

    def _send(self, incident: dict[str, Any]) -> None:
        dirty, entries = _dirty(incident), self._entries_to_send(incident)
        args = self._args(incident, dirty, entries)
        with self._runner.run(self._instance, "mirror", OUT_COMMAND, args) as (run, _outcome):
            pass
        _report(self._runner, self._instance, self._done, run, incident["id"])
        if run.ok:
            self._mark_sent(incident, dirty, entries, run)

    def _args(self, incident: Mapping[str, Any], dirty: list[str], entries: list[dict[str, Any]]) -> dict[str, Any]:
        mapped = [name for name in dirty if name != "status"]
        data, delta = map_outgoing(self._instance.outgoing_mapper, incident, mapped, self._runner.settings)
        delta |= self._status_changes(incident, dirty)
        return {
            "data": data,
            "delta": delta or None,
            "entries": [{**entry, "tags": entry["tags"] or None} for entry in entries] or None,
            "incidentChanged": bool(dirty) or not incident["dbotMirrorId"],
            "remoteId": incident["dbotMirrorId"],
            "status": incident["status"],
        }

    def _status_changes(self, incident: Mapping[str, Any], dirty: list[str]) -> dict[str, Any]:
        """Return what the delta says of closing, reopening and the run of a playbook, whatever the mapper says."""
        names = [name for name in (_CLOSER, "runStatus") if name in dirty]
        if _CLOSER in dirty and incident["status"] == _CLOSED:
            names += _CLOSING_WORDS
        if "status" in dirty and self._runner.settings.delta_status == "present":
            names.append("status")
        return {name: incident[name] for name in names}

    def _mark_sent(self, sent: Mapping[str, Any], dirty: list[str], entries: list[dict[str, Any]], run: CommandRun) -> None:
        """Note what went out: entries, clean fields, and the id of an incident that the remote created."""
        for entry in entries:
            self._tenant.change_entry(entry["id"], mirrored=True)
        now = self._tenant.incident(sent["id"])
        still_dirty = [name for name in _dirty(now) if name not in dirty or _field(now, name) != _field(sent, name)]
        changes: dict[str, Any] = {
            "dbotCurrentDirtyFields": still_dirty or None,
            "dbotMirrorLastSync": iso(self._tenant.now()),
        }
        if not sent["dbotMirrorId"]:
            remote_id = next((entry["Contents"] for entry in run.entries if entry["Type"] == NOTE and entry["Contents"]), None)
            if isinstance(remote_id, str):
                changes["dbotMirrorId"] = remote_id
            else:
                self._runner.log(self._instance, f"{OUT_COMMAND}: no remote id came back for the new incident {sent['id']}")
        self._tenant.change_incident(sent["id"], changes, dirty=False)
        self._done.sent.append(sent["id"])
        self._done.entries_out += len(entries)


def _field(incident: Mapping[str, Any], name: str) -> Any:
    """Return the value of a field that dbotCurrentDirtyFields names."""
    custom = incident[CUSTOM_FIELDS] or {}
    return custom[name] if name in custom else incident.get(name)
