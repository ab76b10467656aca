"""The host: what a Cortex XSOAR server does with instances of integrations, on top of a tenant."""

import hashlib
import shutil
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from local_xsoar.host.automation import read_automation
from local_xsoar.host.content import install_content
from local_xsoar.host.entries import is_file
from local_xsoar.host.errors import HostError
from local_xsoar.host.fetch_job import fetch, preview_fetch
from local_xsoar.host.integration import Integration, command_of, completed_args, completed_params, read_integration
from local_xsoar.host.mapper import (
    INCOMING,
    OUTGOING,
    Mapper,
    described_mapper,
    find_mapper,
    read_mapper,
    unknown_fields,
)
from local_xsoar.host.mirror_job import MirrorRound, mirror, write_entry
from local_xsoar.host.runner import CommandRun, Instance, Runner
from local_xsoar.host.server_commands import SERVER_COMMANDS, error_entry, run_server_command
from local_xsoar.host.settings import HostSettings
from local_xsoar.host.state import HostState, InstanceRow
from local_xsoar.host.times import iso
from local_xsoar.host.workers import OnCall, Outcome, Workers
from local_xsoar.tenant import NotFound, Tenant

_OK = "ok"


class Host:
    """A host of integrations; a context manager that stops its workers on exit.

    Its state lies in `folder` and survives a restart: instances are there again without being added.
    It may be used by several threads: of one instance one fetch and one round of the mirror job run at a time, as on a server.
    """

    def __init__(
        self,
        tenant: Tenant,
        folder: Path,
        *,
        timeout: float = 300,
        on_call: OnCall | None = None,
        settings: HostSettings | None = None,
        workers: Workers | None = None,
        pause: Callable[[float], None] | None = None,
    ) -> None:
        """Open the host.

        Args:
            tenant: where its incidents live.
            folder: for its database and files.
            timeout: seconds after which a command is killed.
            on_call: called as (pid, call name) whenever a worker starts ("start"), says something, or is done ("done").
            settings: its manners where it is not known what a server does; by default the sides that ask more of the pack.
            workers: to share a fork server with other hosts; it is then not stopped on exit.
            pause: called with the seconds wherever a script would sleep, which goes on when it returns; by default scripts sleep.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._tenant = tenant
        self._state = HostState(folder / "host.sqlite")
        self._own_workers = workers is None
        self._workers = workers or Workers()
        self._runner = Runner(tenant, self._state, self._workers, settings or HostSettings(), timeout, on_call, pause)
        self._locks: dict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)
        self._instances = {
            row.name: self._instance(row, read_integration(row.integration))
            for row in self._state.instances()
            if row.integration.is_dir()  # Its pack may be gone, or elsewhere by now: the instance can be added anew.
        }

    def __enter__(self) -> "Host":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the workers and close the state."""
        if self._own_workers:
            self._workers.close()
        self._state.close()

    def add_instance(
        self,
        name: str,
        integration: Path,
        params: dict[str, Any],
        *,
        incoming_mapper: str | None = None,
        outgoing_mapper: str | None = None,
    ) -> Instance:
        """Add an instance, or set an existing one up anew, which keeps its last run and context.

        The tenant gets the incident fields and types of the integration's pack, as from installing it.

        Args:
            name: the instance's name, which becomes `sourceInstance` of its incidents.
            integration: folder of the integration in its pack.
            params: values as the UI stores them; defaults are added.
            incoming_mapper: id of an imported mapper or of one in the pack's Classifiers; None for the yml's default, "" for
                none.
            outgoing_mapper: likewise.

        Raises:
            HostError: a parameter is unknown, missing or of the wrong type, or the integration, a mapper, or a field or type of
                its pack cannot be read.
        """
        if not name.strip():
            raise HostError("The instance has no name: give it one.")
        described = read_integration(integration)
        row = InstanceRow(
            name=name,
            integration=described.folder,
            params=completed_params(described, params),
            incoming_mapper=described.incoming_mapper if incoming_mapper is None else incoming_mapper,
            outgoing_mapper=described.outgoing_mapper if outgoing_mapper is None else outgoing_mapper,
        )
        instance = self._instance(row, described)
        install_content(self._tenant, described.pack)
        self._state.save_instance(row, iso(self._tenant.now()))
        self._instances[name] = instance
        return instance

    def import_mapper(self, mapper: Mapping[str, Any] | Path) -> list[str]:
        """Take in a mapper, as importing its file does. It goes before one of the pack with the same id, and survives a restart.

        Args:
            mapper: its JSON, or the file that holds it.

        Returns:
            The local fields that its rules name and that the tenant lacks or lets no mapper set, sorted: those rules do nothing.

        Raises:
            HostError: it is no mapper, or holds what the local XSOAR does not know.
        """
        described = described_mapper(mapper) if isinstance(mapper, Path) else dict(mapper)
        if described.get("type") not in (INCOMING, OUTGOING):
            raise HostError(f"{described.get('id')} is of the type {described.get('type')}: give a {INCOMING} or a {OUTGOING}.")
        read = read_mapper(described)
        rows = [row for row in self._state.instances() if row.name in self._instances]
        for row in rows:
            if read.id == (row.outgoing_mapper if described["type"] == INCOMING else row.incoming_mapper):
                raise HostError(f"The instance {row.name} uses {read.id} for the other direction: give the mapper another id.")
        self._state.save_mapper(read.id, described)
        self._instances = {row.name: self._instance(row, self._instances[row.name].integration) for row in rows}
        return unknown_fields(read, described["type"], self._tenant.incident_fields(), self._runner.settings)

    def _instance(self, row: InstanceRow, integration: Integration) -> Instance:
        def mapper(mapper_id: str, kind: str) -> Mapper | None:
            if not mapper_id:
                return None
            return read_mapper(self._state.mapper(mapper_id) or find_mapper(integration.classifiers, mapper_id), kind)

        incoming, outgoing = mapper(row.incoming_mapper, INCOMING), mapper(row.outgoing_mapper, OUTGOING)
        return Instance(row.name, integration, row.params, incoming, outgoing)

    def instance(self, name: str) -> Instance:
        """Return an instance by its name. Raises HostError when there is none."""
        if name not in self._instances:
            known = ", ".join(self._instances) or "none"
            raise HostError(f"There is no instance {name}. The existing ones are: {known}.")
        return self._instances[name]

    def instances_with(self, command: str) -> list[str]:
        """Return the names of the instances that have a command."""
        return [name for name, instance in self._instances.items() if command in instance.integration.commands]

    def test(self, name: str) -> CommandRun:
        """Press Test: the run is ok when the script says "ok". What it writes into its integration context is not kept."""
        with self._runner.run(self.instance(name), "test", "test-module", {}) as (run, _outcome):
            said = [entry["Contents"] for entry in run.entries]
        if run.ok and said != [_OK]:
            run.ok = False
            run.error = "\n".join(str(text) for text in said) or "The test did not return ok."
            run.entries = [error_entry(run.error)]
        return run

    def run(self, name: str, command: str, args: dict[str, Any] | None = None, *, incident_id: str = "") -> CommandRun:
        """Run a command as in a War Room; with `incident_id` its entries are written there.

        Raises:
            HostError: the command or an argument does not exist, an argument is missing or has a value it may not have, or
                there is no such incident.
        """
        instance = self.instance(name)
        completed = completed_args(command_of(instance.integration, command), args or {})
        investigation = self._war_room(incident_id)
        with self._runner.run(instance, "command", command, completed, incident_id) as (run, outcome):
            self._keep_entries(run, outcome, investigation)
        return run

    def run_script(self, folder: Path, args: dict[str, Any] | None = None, *, incident_id: str = "") -> CommandRun:
        """Run an automation script as in a War Room; with `incident_id` its entries are written there.

        Its demisto.executeCommand knows the commands of the instances, of which `using` names one, and some of the server's own
        (`server_commands`). Other scripts it does not know.

        Args:
            folder: of the script in its pack.
            args: its arguments.
            incident_id: of the incident that it runs in.

        Raises:
            HostError: there is no such script, argument or incident, or an argument is missing or has a value it may not have.
        """
        automation = read_automation(folder)
        completed = completed_args(automation.command, args or {})
        investigation = self._war_room(incident_id)
        with self._runner.run_script(automation, completed, incident_id, partial(self._answer, incident_id)) as (run, outcome):
            self._keep_entries(run, outcome, investigation)
        return run

    def _answer(self, incident_id: str, name: str, data: Any) -> Any:
        """Answer what a script asks. Raises ValueError for a command that no instance has, as a server does."""
        if name == "getModules":
            return {
                instance.name: {"brand": instance.integration.id, "category": "Utilities", "state": "active"}
                for instance in self._instances.values()
            }
        if name != "executeCommand":
            raise ValueError(f"The host knows no {name}")
        command, using = data["command"], data["args"].get("using")
        args = {key: value for key, value in data["args"].items() if key != "using"}
        if command in SERVER_COMMANDS:
            return run_server_command(self._tenant, command, incident_id, args)
        having = [
            instance
            for instance in self._instances.values()
            if command in instance.integration.commands and using in (None, "", instance.name)
        ]
        if not having:
            raise ValueError(f"Unsupported Command : {command}")
        return [entry for instance in having for entry in self._executed(instance, command, args, incident_id)]

    def _executed(self, instance: Instance, command: str, args: dict[str, Any], incident_id: str) -> list[dict[str, Any]]:
        """Return the entries of a command that a script runs; what is wrong with its arguments is an error entry."""
        try:
            completed = completed_args(command_of(instance.integration, command), args)
        except HostError as error:
            return [error_entry(str(error))]
        with self._runner.run(instance, "command", command, completed, incident_id) as (run, _):
            return run.entries

    def _war_room(self, incident_id: str) -> str:
        """Return the War Room of an incident; "" for none. Raises HostError when it has none, or there is no such incident."""
        if not incident_id:
            return ""
        try:
            investigation = str(self._tenant.incident(incident_id)["investigationId"])
        except NotFound as error:
            raise HostError(
                f"There is no incident {incident_id}: give the id of an incident of {self._tenant.settings.name}."
            ) from error
        if not investigation:
            raise HostError(f"Incident {incident_id} is pending and has no War Room yet: investigate it first.")
        return investigation

    def _keep_entries(self, run: CommandRun, outcome: Outcome, investigation: str) -> None:
        """Write the entries of a run into a War Room, if there is one, and keep their files."""
        for entry in run.entries:
            if investigation:
                write_entry(self._tenant, investigation, entry, outcome)
            self._keep_file(entry, outcome)

    def _keep_file(self, entry: dict[str, Any], outcome: Outcome) -> None:
        """Keep the file of an entry beyond the run, under "FilePath"."""
        if not is_file(entry):
            return
        try:
            source = outcome.file(str(entry["FileID"]))
        except FileNotFoundError:
            return
        kept = self._folder / "files" / uuid.uuid4().hex
        kept.parent.mkdir(exist_ok=True)
        shutil.move(source, kept)
        entry["FilePath"] = str(kept)

    def fetch(self, name: str) -> CommandRun:
        """Run one fetch; `created` of the run are the ids of the new incidents.

        Raises:
            HostError: the instance does not fetch.
        """
        instance = self.instance(name)
        if not instance.integration.fetches or not instance.params.get("isFetch"):
            raise HostError(f"The instance {name} does not fetch: set its parameter isFetch.")
        with self._locks[name, "fetch"]:
            kept_files = self._folder / "fetched" / hashlib.sha256(name.encode()).hexdigest()[:16]
            return fetch(self._runner, instance, kept_files)

    def preview_fetch(self, name: str) -> CommandRun:
        """Show what a fetch would create, as the server's command <instance>-fetch with debug-mode=true does.

        `incidents` of the run are the fields of those incidents. Nothing is created; neither the last run nor the integration
        context is kept.

        Raises:
            HostError: the integration does not fetch.
        """
        instance = self.instance(name)
        if not instance.integration.fetches:
            raise HostError(f"{instance.integration.display} does not fetch: choose an integration that does.")
        return preview_fetch(self._runner, instance)

    def mirror(self, name: str) -> MirrorRound:
        """Run one round of the mirror job."""
        instance = self.instance(name)
        with self._locks[name, "mirror"]:
            return mirror(self._runner, instance)

    def last_run(self, name: str) -> dict[str, Any]:
        """Return the last run of the instance's fetch."""
        return self._state.last_run(self.instance(name).name)

    def reset_last_run(self, name: str) -> None:
        """Make the next fetch the first one again, as *Reset the "last run" timestamp* does."""
        self.set_last_run(name, {})

    def set_last_run(self, name: str, last_run: dict[str, Any]) -> None:
        """Replace the last run of the instance's fetch, as one does in the instance's settings."""
        self._state.set_last_run(self.instance(name).name, last_run)

    def last_mirror_run(self, name: str) -> dict[str, Any]:
        """Return the last run of the instance's mirroring."""
        return self._state.last_mirror_run(self.instance(name).name)

    def integration_context(self, name: str) -> tuple[dict[str, Any], int]:
        """Return the instance's integration context and its version."""
        return self._state.context(self.instance(name).name)

    def reset_integration_context(self, name: str) -> None:
        """Empty the integration context of the instance, as one does who resets its integration cache."""
        self._state.set_context(self.instance(name).name, {}, -1)

    def log(self, name: str) -> list[str]:
        """Return what the jobs of an instance logged: failures, and what they passed over."""
        return self._state.log(self.instance(name).name)
