"""The memory of a worker, started as the host starts it: with large files in and out, and with many of them in one fetch."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import row
from benchmarks.remote import Remote
from benchmarks.script_runs import IN_TAG, INTEGRATION, INVESTIGATION, USUAL
from local_xsoar.host.workers import Outcome, Workers

MIB = 1 << 20
LARGE, SMALL = 200 * MIB, 1000
MOST_ADDED = 32 * MIB
INCIDENTS, EACH = 100, 20 * MIB
MOST_IN_ALL = 150 * MIB
ROOM = 3 * INCIDENTS * EACH


def measure() -> list[dict[str, Any]]:
    """Return the rows: a large file in, a large file out, a fetch with many files. The last needs some gigabytes of disk."""
    with tempfile.TemporaryDirectory() as folder, Workers() as workers:
        return [
            added("in", incoming(workers, Path(folder), SMALL), incoming(workers, Path(folder), LARGE)),
            added("out", outgoing(workers, Path(folder), SMALL), outgoing(workers, Path(folder), LARGE)),
            fetch(workers, Path(folder)),
        ]


def added(way: str, small: int, large: int) -> dict[str, Any]:
    """Return the row for a large file."""
    return row(
        f"peak memory that one file of {LARGE // MIB} MiB adds to a worker, {way}",
        f"{(large - small) / MIB:.1f} MiB ({large / MIB:.0f} MiB in all)",
        f"the same with {SMALL} bytes ({small / MIB:.0f} MiB in all)",
        f"at most {MOST_ADDED // MIB} MiB",
        large - small <= MOST_ADDED,
    )


def incoming(workers: Workers, folder: Path, size: int) -> int:
    """Return the peak of a get-remote-data that brings a file, in bytes."""
    with tempfile.TemporaryDirectory(dir=folder) as place, Remote(Path(place)) as remote:
        incident_id = str((remote.tenant.create_incident({"name": "Large"}) or {})["id"])
        remote.tenant.add_entry(incident_id, tags=[IN_TAG], file=("image.raw", hollow(Path(place), size)))
        args = {"id": incident_id, "lastUpdate": "2020-01-01T00:00:00Z"}
        outcome, file_sizes, _ = run(workers, remote, "get-remote-data", args)
    assert file_sizes == [size], file_sizes
    return outcome.peak


def outgoing(workers: Workers, folder: Path, size: int) -> int:
    """Return the peak of an update-remote-system that sends a file, in bytes."""
    with tempfile.TemporaryDirectory(dir=folder) as place, Remote(Path(place)) as remote:
        incident_id = str((remote.tenant.create_incident({"name": "Large"}) or {})["id"])
        entry = {"id": "1@9", "type": 3, "file": "image.raw", "fileID": "x", "contents": "", "tags": ["ToRemote"]}
        args = {"data": {}, "delta": {}, "entries": [entry], "incidentChanged": False, "remoteId": incident_id, "status": 1}
        outcome, _, _ = run(workers, remote, "update-remote-system", args, hollow(Path(place), size))
        (arrived,) = [entry for entry in remote.tenant.entries(incident_id) if entry["file"]]
    assert arrived["fileMetadata"]["size"] == size
    return outcome.peak


def fetch(workers: Workers, folder: Path) -> dict[str, Any]:
    """Return the row of a fetch whose incidents have a file each."""
    work = f"peak memory of a fetch of {INCIDENTS} incidents with a file of {EACH // MIB} MiB each"
    must_be = f"at most {MOST_IN_ALL // MIB} MiB in all"
    if shutil.disk_usage(folder).free < ROOM:
        return row(work, f"not measured: {ROOM >> 30} GiB of disk are needed", "", must_be, False)
    with tempfile.TemporaryDirectory(dir=folder) as place, Remote(Path(place)) as remote:
        source = hollow(Path(place), EACH)
        with remote.tenant.batch():
            for number in range(INCIDENTS):
                remote.tenant.create_incident({"name": f"Incident {number}"}, attachments=[("image.raw", source)])
        outcome, file_sizes, most_at_once = run(workers, remote, "fetch-incidents", {})
    assert (len(outcome.incidents), file_sizes) == (INCIDENTS, [EACH] * INCIDENTS)
    return row(
        work,
        f"{outcome.peak / MIB:.0f} MiB ({most_at_once} files at once)",
        f"{INCIDENTS * EACH / (1 << 30):.1f} GiB that came",
        must_be,
        outcome.peak <= MOST_IN_ALL,
    )


def hollow(folder: Path, size: int) -> Path:
    """Return a file of zeros that takes no room on most disks."""
    path = folder / "source"
    with path.open("wb") as content:
        content.truncate(size)
    return path


def run(
    workers: Workers, remote: Remote, command: str, args: dict[str, Any], sent: Path | None = None
) -> tuple[Outcome, list[int], int]:
    """Run a command in a worker.

    Returns:
        What it said; the sizes of the files it left; how many requests were under way at once, at most.
    """
    context: list[dict[str, Any]] = [{}]

    def answer(name: str, data: Any, folder: Path) -> Any:
        if name == "getFilePath":
            return {"id": data, "path": str(sent), "name": "image.raw"}
        if name.startswith("setIntegrationContext"):
            context.append(data["context"])
            return None
        return {"context": context[-1], "version": len(context)} if name.endswith("Versioned") else context[-1]

    job = {
        "command": command,
        "args": args,
        "params": {**USUAL, **remote.params},
        "context": {"IntegrationInstance": "remote", "IntegrationBrand": "XSOAR Mirroring"},
        "last_run": {},
        "last_mirror_run": {},
        "investigation": INVESTIGATION,
        "incident": {},
        "asks_for_pauses": False,
        "version": {"version": "8.8.0", "buildNumber": "1", "platform": "xsoar_hosted"},
        "urls": {"server": "https://localhost"},
    }
    with workers.run(INTEGRATION / "XSOARMirroring.py", job, answer=answer, timeout=600) as outcome:
        failed = [entry["Contents"] for entry in outcome.results if isinstance(entry, dict) and entry.get("Type") == 4]
        assert outcome.done and not outcome.error and not failed, (outcome.error, failed)
        sizes = [path.stat().st_size for path in outcome.folder.glob(f"{INVESTIGATION}_*")]
    return outcome, sizes, remote.seen().most_at_once
