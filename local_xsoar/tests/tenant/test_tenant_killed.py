"""A tenant's process that is killed while it is written to: what it has acknowledged is there after a restart."""

import hashlib
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from local_xsoar.tenant import Tenant, TenantSettings

ROOT = Path(__file__).resolve().parents[3]
WRITERS = 3
Serving = tuple[subprocess.Popen[str], str, dict[str, str]]


class Writer(threading.Thread):
    """Writes incidents, notes, changes and files without a pause, until the tenant is gone; knows what was acknowledged."""

    def __init__(self, root: str, headers: dict[str, str], name: str, on_acknowledged: Callable[[], None]) -> None:
        super().__init__(name=name)
        self._root, self._headers, self._on_acknowledged = root, headers, on_acknowledged
        self.incidents: dict[str, dict[str, Any]] = {}
        self.notes: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.surprise = ""

    def run(self) -> None:
        """Write until no answer comes."""
        number = 0
        try:
            while True:
                number += 1
                self._write(f"{self.name} {number}")
        except requests.RequestException:
            return
        except Exception as error:
            self.surprise = repr(error)

    def _write(self, text: str) -> None:
        created = self._post("/incident", json={"name": text, "createInvestigation": True})
        incident_id = created["id"]
        self.incidents[incident_id] = {"name": text, "details": ""}
        self._on_acknowledged()
        note = self._post("/entry/note", json={"investigationId": incident_id, "data": text, "id": "", "version": 0})
        self.notes[note["id"]] = text
        self._on_acknowledged()
        content = (text * 9_999).encode()
        (entry,) = self._post(f"/entry/upload/{incident_id}", files={"file": ("f.bin", content)})["entries"]
        self.files[entry["id"]] = hashlib.sha256(content).hexdigest()
        self._on_acknowledged()
        loaded = requests.get(f"{self._root}/incident/load/{incident_id}", headers=self._headers, timeout=20).json()
        self._post("/incident", json={**loaded, "details": text})
        self.incidents[incident_id]["details"] = text
        self._on_acknowledged()

    def _post(self, route: str, **sent: Any) -> dict[str, Any]:
        response = requests.post(self._root + route, headers=self._headers, timeout=20, **sent)
        response.raise_for_status()
        return response.json()


@pytest.fixture
def serve_process(tmp_path: Path) -> Iterator[Callable[[], Serving]]:
    """Starts `local_xsoar serve` on one folder; gives its process, the address of its API, and headers that let in."""
    started: list[subprocess.Popen[str]] = []

    def start() -> Serving:
        command = [sys.executable, "-m", "local_xsoar", "serve", "--folder", str(tmp_path / "data")]
        command += ["--switch", "created_answer=incident"]  # So that it says what it acknowledges.
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        started.append(process)
        assert process.stdout
        printed = ""
        while "Ctrl-C" not in printed:
            line = process.stdout.readline()
            assert line, printed
            printed += line

        def value(name: str) -> str:
            found = re.search(rf"^  {name} +(\S+)", printed, re.MULTILINE)
            assert found, printed
            return found[1]

        return process, f"{value('address')}/xsoar", {"Authorization": value("API key"), "x-xdr-auth-id": value("key ID")}

    yield start
    for process in started:
        process.kill()
        process.communicate()


def written_until_killed(serving: Serving, after: int) -> list[Writer]:
    """Let writers write, kill the process once so much was acknowledged, and return them when they have noticed."""
    process, root, headers = serving
    acknowledged = threading.Semaphore(0)
    writers = [Writer(root, headers, f"writer {number} of {after}", acknowledged.release) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    for _ in range(after):
        assert acknowledged.acquire(timeout=30)
    process.send_signal(signal.SIGKILL)
    assert process.wait(20) == -signal.SIGKILL
    for writer in writers:
        writer.join(30)
    return writers


def test_what_was_acknowledged_survives_a_kill(serve_process: Callable[[], Serving], tmp_path: Path) -> None:
    """
    Given: a tenant's process, to which three clients write incidents, changes, notes and files without a pause.
    When: it is killed in the middle of it, started again on its folder, and killed again, three times.
    Then: all that it ever acknowledged is there, whole; and what it had not is there whole or not at all.
    """
    writers: list[Writer] = []
    for after in (5, 40, 77):
        writers += written_until_killed(serve_process(), after)
    assert [writer.surprise for writer in writers if writer.surprise] == []
    _, root, headers = serve_process()

    def get(path: str) -> requests.Response:
        response = requests.get(root + path, headers=headers, timeout=20)
        assert response.status_code == 200, (path, response.text)
        return response

    for writer in writers:
        for incident_id, fields in writer.incidents.items():
            found = get(f"/incident/load/{incident_id}").json()
            assert found["name"] == fields["name"]
            assert found["details"] in (fields["details"], found["name"])  # or one whose answer was lost
        for entry_id, digest in writer.files.items():
            assert hashlib.sha256(get(f"/entry/download/{entry_id}").content).hexdigest() == digest
    assert sum(len(writer.incidents) for writer in writers) >= 30

    # The folder as a whole: nothing doubled, nothing by halves.
    tenant = Tenant(TenantSettings("local", tmp_path / "data"))
    try:
        incidents, total = tenant.search({"size": 1000})
        names = [incident["name"] for incident in incidents]
        assert len(set(names)) == len(names) == total
        entries = {entry["id"]: entry for incident in incidents for entry in tenant.entries(incident["id"])}
        files = [entry for entry in entries.values() if entry["fileID"]]
        for entry in files:
            assert hashlib.sha256(tenant.entry_file(entry["id"])[1].read_bytes()).hexdigest() == entry["fileMetadata"]["sha256"]
    finally:
        tenant.close()
    notes = {entry_id: text for writer in writers for entry_id, text in writer.notes.items()}
    assert {entry_id: entries[entry_id]["contents"] for entry_id in notes} == notes
