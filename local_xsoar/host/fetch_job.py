"""The fetch job: runs fetch-incidents and makes local incidents of what it gives.

Incidents and the last run belong together, and they lie in two stores. So what a run brought is noted first, each creation is
noted after it, and the last run is saved once all are there. A host that stops in between goes on where it was: the next fetch
of the instance first creates what is missing. The one incident that may have been created without being noted is recognised:
only this host makes incidents with that instance as their source, so it is the one newer than all when the run began and not
among the noted ones.
"""

import json
import re
import shutil
import uuid
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

from local_xsoar.host.entries import ERROR, file_name, normalised
from local_xsoar.host.mapper import CUSTOM_FIELDS, SERVER_OWNED, TEXT_FIELDS, FieldNames, labels_of_rest, map_incoming
from local_xsoar.host.queries import fetched_incidents
from local_xsoar.host.runner import CommandRun, Instance, Runner
from local_xsoar.host.settings import HostSettings
from local_xsoar.host.state import FetchedRun
from local_xsoar.host.workers import Outcome
from local_xsoar.tenant import Tenant, TenantError

FETCH_COMMAND = "fetch-incidents"
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


class BadIncidentError(ValueError):
    """An incident of demisto.incidents() has not the shape that a server takes; the message says what is wrong."""


def fetch(runner: Runner, instance: Instance, kept_files: Path) -> CommandRun:
    """Run one fetch of an instance. A failed one saves and creates nothing.

    `kept_files` is a folder of this instance alone, for files on their way.
    """
    resumed = _resume(runner, instance, kept_files)
    shutil.rmtree(kept_files, ignore_errors=True)
    with runner.run(instance, "fetch", FETCH_COMMAND, {}) as (run, outcome):
        if run.ok:
            try:
                fetched = _fetched(runner, instance, run, outcome, kept_files)
            except BadIncidentError as error:
                _refuse(run, error)
        if not run.ok:
            runner.log(instance, f"{FETCH_COMMAND} failed: {run.error}")
            run.created = resumed
            return run
        runner.state.begin_fetched(instance.name, fetched)
    run.created = resumed + _create(runner, instance, fetched, kept_files)
    return run


def preview_fetch(runner: Runner, instance: Instance) -> CommandRun:
    """Run a fetch that creates and keeps nothing: `incidents` of the run are the fields of the incidents that it would create.

    Their `attachment` is as the script gave it.
    """
    with runner.run(instance, "preview", FETCH_COMMAND, {}) as (run, _outcome):
        if run.ok:
            try:
                fields = _checked_fields(runner, instance, run)
                run.incidents = [
                    {**new, "attachment": item.get("attachment") or []} for new, item in zip(fields, run.incidents, strict=True)
                ]
            except BadIncidentError as error:
                _refuse(run, error)
    return run


def _resume(runner: Runner, instance: Instance, kept_files: Path) -> list[str]:
    """Finish a fetch that a stopped host left behind. Returns the ids of the incidents that were still to be created."""
    fetched = runner.state.fetched(instance.name)
    if fetched is None:
        return []
    noted = runner.state.created(fetched.run)
    unnoted = [number for number in _newer_than(runner.tenant, instance.name, fetched.newest_before) if number not in noted]
    if unnoted:
        runner.state.note_created(fetched.run, len(noted), unnoted[0])
    runner.log(instance, f"a fetch of {len(fetched.incidents)} incidents was interrupted after {len(noted)}: finishing it now")
    return unnoted[:1] + _create(runner, instance, fetched, kept_files)


def _create(runner: Runner, instance: Instance, fetched: FetchedRun, kept_files: Path) -> list[str]:
    """Create what is missing of a fetch, save its last run, and return the new ids. What the tenant refuses is logged."""
    created: list[str] = []
    for position in range(len(runner.state.created(fetched.run)), len(fetched.incidents)):
        prepared = fetched.incidents[position]
        try:
            attachments = [(name, kept_files / path) for name, path in prepared["attachments"]]
            incident = runner.tenant.create_incident(prepared["fields"], user="DBot", investigate=True, attachments=attachments)
        except TenantError as error:
            runner.log(instance, f"the incident {prepared['fields'].get('name')!r} could not be created: {error}")
            incident = None
        incident_id = incident["id"] if incident else ""
        runner.state.note_created(fetched.run, position, incident_id)
        created += [incident_id] if incident_id else []
    runner.state.finish_fetched(instance.name, fetched)
    shutil.rmtree(kept_files, ignore_errors=True)
    return created


def _fetched(runner: Runner, instance: Instance, run: CommandRun, outcome: Outcome, kept_files: Path) -> FetchedRun:
    """Return what the run brought, ready to be created; its files are moved to a folder of the host.

    Raises:
        BadIncidentError: an incident has not the shape that a server takes.
    """
    incidents = [
        {"fields": fields, "attachments": _kept_attachments(item, run, outcome, kept_files)}
        for item, fields in zip(run.incidents, _checked_fields(runner, instance, run), strict=True)
    ]
    newest = next(fetched_incidents(runner.tenant, instance.name), None)
    return FetchedRun(uuid.uuid4().hex, incidents, outcome.last_run, newest["id"] if newest else "")


def _checked_fields(runner: Runner, instance: Instance, run: CommandRun) -> list[dict[str, Any]]:
    """Return the fields of the local incidents that a run brought.

    Raises:
        BadIncidentError: an incident has not the shape that a server takes.
    """
    for item in run.incidents:
        check_incident(item)
    names = FieldNames(runner.tenant.incident_fields(), runner.settings)
    return [incident_fields(instance, item, names, runner.settings) for item in run.incidents]


def _refuse(run: CommandRun, error: BadIncidentError) -> None:
    """Let a run have failed."""
    run.ok, run.error = False, str(error)
    run.entries = normalised([{"Type": ERROR, "ContentsFormat": "text", "Contents": run.error}])


def check_incident(item: Any) -> None:
    """Check an incident of demisto.incidents() as a server does when it reads it into its own types.

    Raises:
        BadIncidentError: something is missing or of the wrong type.
    """
    if not isinstance(item, Mapping):
        raise BadIncidentError(f"An incident is an object, not {type(item).__name__}")
    if not item.get("name"):
        raise BadIncidentError("An incident has no name")
    for name in (*TEXT_FIELDS, "rawJSON"):
        if not isinstance(item.get(name, ""), str):
            raise BadIncidentError(f"The {name} of an incident is text, not {type(item[name]).__name__}")
    for name, kind in ((CUSTOM_FIELDS, dict), ("labels", list), ("dbotMirrorTags", list), ("attachment", list)):
        if item.get(name) is not None and not isinstance(item[name], kind):
            raise BadIncidentError(f"The {name} of an incident is a {kind.__name__}, not {type(item[name]).__name__}")
    severity = item.get("severity", 0)
    if isinstance(severity, bool) or not isinstance(severity, int | float):
        raise BadIncidentError(f"The severity of an incident is a number, not {type(severity).__name__}")
    if item.get("occurred") and not _RFC_3339.fullmatch(item["occurred"]):
        raise BadIncidentError(f"The occurred of an incident is a time such as 2023-03-05T10:06:48Z, not {item['occurred']}")
    if item.get("rawJSON"):
        try:
            json.loads(item["rawJSON"])
        except ValueError as error:
            raise BadIncidentError(f"The rawJSON of an incident is not JSON: {error}") from error


def incident_fields(instance: Instance, item: Mapping[str, Any], names: FieldNames, settings: HostSettings) -> dict[str, Any]:
    """Return the fields of the local incident for one of demisto.incidents().

    The type is the instance's incidentType, else what the mapper or the incident says. What the mapper sets goes before what
    stands on the incident itself, but for empty text; custom fields of both are put together.
    """
    event = json.loads(item.get("rawJSON") or "{}")
    event = event if isinstance(event, Mapping) else {}
    chosen_type = instance.params.get("incidentType") or ""
    given = {name: value for name, value in item.items() if name not in SERVER_OWNED and name != CUSTOM_FIELDS}
    incident_type = chosen_type or str(given.get("type") or "")
    mapped = map_incoming(instance.incoming_mapper, event, incident_type, names, settings)
    fields = {**given, **{name: value for name, value in mapped.fields.items() if value != ""}}
    if chosen_type:
        fields["type"] = chosen_type
    if instance.incoming_mapper:
        rest = labels_of_rest(instance.incoming_mapper, event, incident_type)
        fields["labels"] = [*(fields.get("labels") or []), *rest]
    fields[CUSTOM_FIELDS] = {**(item.get(CUSTOM_FIELDS) or {}), **mapped.custom}
    return {**fields, "sourceBrand": instance.integration.display, "sourceInstance": instance.name}


def _kept_attachments(item: Mapping[str, Any], run: CommandRun, outcome: Outcome, folder: Path) -> list[tuple[str, str]]:
    """Keep the files of an incident. Returns (file name, name in `folder`); one that the script did not write is logged."""
    kept: list[tuple[str, str]] = []
    for attachment in item.get("attachment") or []:
        try:
            source = outcome.file(str(attachment["path"]))
        except (FileNotFoundError, KeyError, TypeError) as error:
            run.log.append(f"error: the attachment {attachment} of {item['name']!r} is skipped: {error}")
            continue
        folder.mkdir(parents=True, exist_ok=True)
        name = uuid.uuid4().hex
        shutil.copyfile(source, folder / name)
        kept.append((file_name(attachment.get("name") or attachment["path"]), name))
    return kept


def _newer_than(tenant: Tenant, instance: str, newest_before: str) -> list[str]:
    """Return the ids of the instance's incidents that are newer than a given one, oldest first."""
    newest_first = (incident["id"] for incident in fetched_incidents(tenant, instance))
    newer = list(takewhile(lambda incident_id: int(incident_id) > int(newest_before or 0), newest_first))
    return newer[::-1]
