"""Runs one command of an instance, as a server does: gives it what the instance remembers, and keeps what may be kept."""

import contextlib
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from local_xsoar.host.automation import Automation
from local_xsoar.host.entries import ERROR, normalised
from local_xsoar.host.integration import Integration
from local_xsoar.host.internal_request import internal_request
from local_xsoar.host.mapper import Mapper
from local_xsoar.host.settings import HostSettings
from local_xsoar.host.state import HostState
from local_xsoar.host.times import iso
from local_xsoar.host.workers import OnCall, Outcome, Workers
from local_xsoar.tenant import NotFound, Tenant
from local_xsoar.tenant.times import SECOND

# Why a script runs decides what it sees: the last run belongs to the fetch alone, the last mirror run to the mirror job
# (fetching incidents, Cortex XSOAR docs: getLastRun is {} in commands), and Test and the preview of a fetch keep nothing.
Purpose = Literal["command", "test", "fetch", "preview", "mirror"]

PLAYGROUND = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Instance:
    """A configured instance of an integration. `params` is what demisto.params() gives."""

    name: str
    integration: Integration
    params: Mapping[str, Any]
    incoming_mapper: Mapper | None
    outgoing_mapper: Mapper | None


@dataclass
class CommandRun:
    """What a command did.

    `ok` is false when it gave an error entry, raised, was killed or ran too long; `error` then says why. `entries` are
    normalised (see `entries.normalised`; those with files have "FilePath", where the host keeps the file), `incidents` what the
    script gave to demisto.incidents(), `created` the ids of local incidents created, `log` lines "level: text", `cpu_seconds`
    and `peak_memory` (bytes) what the worker used.
    """

    command: str
    args: dict[str, Any]
    ok: bool = True
    error: str = ""
    entries: list[dict[str, Any]] = field(default_factory=list)
    incidents: list[dict[str, Any]] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory: int = 0


@dataclass(frozen=True)
class Runner:
    """What is needed to run commands."""

    tenant: Tenant
    state: HostState
    workers: Workers
    settings: HostSettings
    timeout: float
    on_call: OnCall | None
    pause: Callable[[float], None] | None

    def log(self, instance: Instance, line: str) -> None:
        """Add a line to the instance's log."""
        self.state.add_log(instance.name, iso(self.tenant.now()), line)

    @contextlib.contextmanager
    def run(
        self, instance: Instance, purpose: Purpose, command: str, args: dict[str, Any], incident_id: str = ""
    ) -> Iterator[tuple[CommandRun, Outcome]]:
        """Run a command and yield its run and the worker's outcome, whose files are there until the context ends.

        Nothing that the script said is kept yet, but for its integration context, which is written while it runs.
        """
        brand = instance.integration.id
        executed = {"moduleBrand": brand, "moduleName": instance.name, "name": command, "args": args}
        job = {
            **self._job(command, args, incident_id),
            "is_integration": True,
            "params": dict(instance.params),
            "context": {
                "IntegrationInstance": instance.name,
                "IntegrationBrand": brand,
                "ExecutedCommands": [executed],
                "ParentEntry": None,
                "ScriptName": "",
            },
            "last_run": self.state.last_run(instance.name) if purpose in ("fetch", "preview") else {},
            "last_mirror_run": self.state.last_mirror_run(instance.name) if purpose == "mirror" else {},
        }
        own = partial(self._context, instance.name, purpose)
        with self._worker(instance.integration.script, job, own) as ran:
            yield ran

    @contextlib.contextmanager
    def run_script(
        self, automation: Automation, args: dict[str, Any], incident_id: str, own: Callable[[str, Any], Any]
    ) -> Iterator[tuple[CommandRun, Outcome]]:
        """Run an automation script, and yield as `run` does.

        `own` answers what only a script may ask, given as (name, data): executeCommand and getModules.
        """
        name = automation.command.name
        context = {"IntegrationInstance": "", "IntegrationBrand": "", "ParentEntry": None, "ScriptName": name}
        job = {**self._job(name, args, incident_id), "is_integration": False, "params": {}, "context": context}
        with self._worker(automation.script, {**job, "last_run": {}, "last_mirror_run": {}}, own) as ran:
            yield ran

    @contextlib.contextmanager
    def _worker(self, script: Path, job: dict[str, Any], own: Callable[[str, Any], Any]) -> Iterator[tuple[CommandRun, Outcome]]:
        """Run a job; `own` answers what depends on whose it is."""
        started = time.monotonic()

        def answer(name: str, data: Any, folder: Path) -> Any:
            if name == "getFilePath":
                return self._file(str(data), folder, job["investigation"])
            if name == "internalHttpRequest":
                return internal_request(self.tenant, **data)
            if name == "pause" and self.pause:
                self.pause(data)
                return None
            return own(name, data)

        is_fresh = self.settings.processes == "fresh"
        run = self.workers.run(script, job, answer=answer, timeout=self.timeout, on_call=self.on_call, is_fresh=is_fresh)
        with run as outcome:
            yield _command_run(job["command"], job["args"], outcome, time.monotonic() - started), outcome

    def _context(self, instance: str, purpose: Purpose, name: str, data: Any) -> Any:
        """Read or write the integration context; a stale version raises ValueError. Test and a preview keep nothing."""
        if name == "getIntegrationContext":
            return self.state.context(instance)[0]
        if name == "getIntegrationContextVersioned":
            context, version = self.state.context(instance)
            return {"context": context, "version": version}
        if name not in ("setIntegrationContext", "setIntegrationContextVersioned"):
            raise ValueError(f"The host knows no {name}")
        if purpose not in ("test", "preview"):
            self.state.set_context(instance, data["context"], data["version"])
        return None

    def _file(self, entry_id: str, folder: Path, investigation: str) -> dict[str, str]:
        """Copy an entry's file into the working folder: {"id", "path" (from there), "name"}. ValueError when there is none."""
        try:
            name, source = self.tenant.entry_file(entry_id)
        except NotFound as error:
            raise ValueError(f"Failed getting the file path of {entry_id}: {error}") from error
        path = f"{investigation}_{uuid.uuid4()}"
        shutil.copyfile(source, folder / path)
        return {"id": entry_id, "path": path, "name": name}

    def _job(self, command: str, args: dict[str, Any], incident_id: str) -> dict[str, Any]:
        """Return what a worker is told whatever it runs."""
        version = self.tenant.settings.version
        investigation = incident_id or PLAYGROUND
        return {
            "command": command,
            "args": args,
            "investigation": investigation,
            "incident": self.tenant.incident(incident_id) if incident_id else {},
            "asks_for_pauses": self.pause is not None,
            "ahead_seconds": (self.tenant.now() - time.time_ns()) / SECOND,
            "internal_requests": self.settings.internal_requests,
            "version": {
                "version": version,
                "buildNumber": "1",
                "platform": "xsoar_hosted" if int(version.split(".")[0]) >= 8 else "xsoar",
            },
            "urls": {
                "server": "https://localhost",
                "investigation": f"https://localhost/#/Details/{investigation}",
                "warRoom": f"https://localhost/#/WarRoom/{investigation}",
                "workPlan": f"https://localhost/#/WorkPlan/{investigation}",
                "evidenceBoard": f"https://localhost/#/EvidenceBoard/{investigation}",
                "relatedIncidents": f"https://localhost/#/Cluster/{investigation}",
            },
        }


def _command_run(command: str, args: dict[str, Any], outcome: Outcome, seconds: float) -> CommandRun:
    """Return the run: a failed worker's only entry is its error, and nothing else that it said counts."""
    run = CommandRun(
        command=command, args=args, log=outcome.log, seconds=seconds, cpu_seconds=outcome.cpu, peak_memory=outcome.peak
    )
    if not outcome.done or outcome.error:
        run.ok = False
        run.error = outcome.error.strip()
        run.entries = normalised([{"Type": ERROR, "ContentsFormat": "text", "Contents": run.error}])
        return run
    run.entries = normalised(outcome.results)
    run.incidents = outcome.incidents
    errors = [str(entry["Contents"]) for entry in run.entries if entry["Type"] == ERROR]
    if errors and not _is_remote_data(command, run.entries):
        run.ok = False
        run.error = "\n".join(errors)
    return run


def _is_remote_data(command: str, entries: list[dict[str, Any]]) -> bool:
    """Tell whether error entries are data: in the answer of get-remote-data all but the first are the remote's entries."""
    return command == "get-remote-data" and entries[0]["Type"] != ERROR
