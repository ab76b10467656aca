"""Runs of the pack's script in this process: its main, with a small stand-in for the server.

Without the start of a worker, which belongs to the platform, and with the same work around the integration context: it comes and
goes as JSON, as between a server and a worker.
"""

import contextlib
import gc
import json
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from local_xsoar.runtime import runtime_folders

INTEGRATION = Path(__file__).resolve().parents[1] / "Packs" / "XSOARMirroring" / "Integrations" / "XSOARMirroring"
sys.path[:0] = [*runtime_folders(), str(INTEGRATION)]

import demistomock as demisto  # noqa: E402
import XSOARMirroring as script  # noqa: E402

IN_TAG, OUT_TAG = "FromRemote", "ToRemote"
INVESTIGATION = "77"
USUAL = {
    "max_fetch": "100",
    "categories": ["notes", "chats", "attachments"],
    "tags": IN_TAG,
    "mirror_tag": OUT_TAG,
    "mirror_direction": "Incoming And Outgoing",
}


@dataclass(frozen=True)
class Run:
    """One run of a command: how long it took, the CPU of this process in it, what it gave and the files it left."""

    seconds: float
    cpu: float
    result: Any
    incidents: list[dict[str, Any]]
    files: int
    context_writes: int


class Server:
    """What an instance of the pack sees of its server."""

    def __init__(self, params: dict[str, Any], folder: Path) -> None:
        self.params = {**USUAL, **params}
        self.last_run: dict[str, Any] = {}
        self.last_mirror_run: dict[str, Any] = {}
        self.context = "{}"
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, command: str, at_once: int | None = None, keep: bool = True, **args: Any) -> Run:
        """Run a command.

        Args:
            at_once: how many calls the script may have under way; None: as it comes.
            keep: without it, what the run wanted kept is forgotten, so that it can be run again.

        Raises:
            RuntimeError: the command failed.
        """
        before = (self.last_run, self.last_mirror_run, self.context)
        results: list[Any] = []
        incidents: list[dict[str, Any]] = []
        writes: list[int] = []
        stands_in: dict[str, Any] = {
            "command": lambda: command,
            "args": lambda: dict(args),
            "params": lambda: dict(self.params),
            "integrationInstance": lambda: "remote",
            "demistoVersion": lambda: {"version": "8.8.0", "buildNumber": "1", "platform": "xsoar_hosted"},
            "demistoUrls": lambda: {"server": "https://localhost"},
            "getLastRun": lambda: dict(self.last_run),
            "setLastRun": lambda run: setattr(self, "last_run", run),
            "getLastMirrorRun": lambda: dict(self.last_mirror_run),
            "setLastMirrorRun": lambda run: setattr(self, "last_mirror_run", run),
            "getIntegrationContextVersioned": lambda refresh=False: {"context": json.loads(self.context), "version": 1},
            "setIntegrationContextVersioned": lambda context, version=-1, sync=False: self._write(context, writes),
            "results": results.append,
            "incidents": incidents.extend,
            "investigation": lambda: {"id": INVESTIGATION},
            "uniqueFile": lambda: str(uuid.uuid4()),
            **{level: lambda message, *parts: None for level in ("debug", "info", "error", "log")},
        }
        at_once = getattr(script, "AT_ONCE", 1) if at_once is None else at_once
        gc.collect()
        with (
            patch.dict(vars(demisto), stands_in),
            patch.object(script, "AT_ONCE", at_once, create=True),
            contextlib.chdir(self._folder),
        ):
            begun, cpu_begun = time.perf_counter(), time.process_time()
            try:
                script.main()
            except SystemExit as ended:
                raise RuntimeError(f"{command} failed: {results[-1]['Contents']}") from ended
            seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu_begun
        files = list(self._folder.glob(f"{INVESTIGATION}_*"))
        for path in files:
            path.unlink()
        if not keep:
            self.last_run, self.last_mirror_run, self.context = before
        return Run(seconds, cpu, results[-1] if results else None, incidents, len(files), len(writes))

    def change_records(self, change: Any) -> None:
        """Change what the script remembers, with the script's own functions: `change` takes and returns records by id."""
        store = script.Store(json.loads(self.context))
        self.context = json.dumps(store.with_records(change(store.all_records())).context)

    def _write(self, context: dict[str, Any], writes: list[int]) -> None:
        self.context = json.dumps(context)
        writes.append(len(self.context))
