"""Samples of what a server keeps for an instance, as a version of the pack wrote it, with the remote tenant of that moment.

`python -m tests.robust.state_samples 1.1.0` writes the folder state/1.1.0 with the code that is there. Do so once a version, when
it is released, and never change a folder again: test_upgrade.py holds the newest code to all of them.
"""

import copy
import json
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "state"
AT = "2026-03-01T12:30:00Z"  # When a sample was taken; the day itself begins half an hour earlier.
LOCAL_NEW = {"id": "90", "name": "from here", "type": "Phishing", "severity": 2, "status": 1}
LOCAL_LOST = {"id": "91", "name": "its answer was lost", "type": "Phishing", "severity": 1, "status": 1}
LOCAL_HALF = {"id": "92", "name": "its entries have yet to go", "type": "Phishing", "severity": 1, "status": 1}


def play_a_day(server: Any, remote: Any, clock: Any) -> None:
    """Bring a server and a remote into a state that holds each kind of thing that is kept, with work left undone."""
    from stand_ins import LAST_UPDATE, local_entry, modified, push, pushed
    from stand_ins import requests as http

    def later(**pause: float) -> None:
        clock.tick(timedelta(**pause))

    for number in range(1, 7):
        remote.add(str(number))
        remote.write(str(number), "before the fetch")
        later(seconds=10)
    server.fetch()
    modified(server)
    for number in range(1, 7):
        server.pull(str(number))
    later(minutes=1)

    # 1: entries crossed both ways, one of them edited and one a file.
    remote.edit(remote.write("1", "came"), "came and was edited")
    remote.write_file("1", "came.txt", b"a file that came")
    pushed(server, "1", entries=[local_entry(1, "went")], delta={"severity": 3})
    later(seconds=30)
    modified(server)
    server.pull("1")
    # 2: closed there, and here after it.
    remote.close("2")
    modified(server)
    server.pull("2")
    pushed(server, "2", status=2, delta={"status": 2, "closeReason": "Resolved"})
    # 3: an entry was about to go, and nobody knows whether it did: the answer was lost.
    remote.fail("POST /entry/formatted", http.exceptions.ConnectionError("reset"), after=True)
    assert push(server, "3", entries=[local_entry(2, "its answer was lost")]).error
    # 4: refused there, which the local incident has yet to show.
    remote.fail("POST /incident$", status_code=403, json={"detail": "read only"})
    assert push(server, "4", delta={"severity": 1}).error
    # 5: could not be read, and is tried again in an hour.
    remote.fail("GET /incident/load/5", status_code=404, json={"detail": "not found"})
    server.run("get-remote-data", {"id": "5", "lastUpdate": LAST_UPDATE})
    # 7 was created from here, 8 too but its answer was lost, 9 too but its entry has yet to go.
    assert pushed(server, "", data=LOCAL_NEW) == "7"
    remote.fail("POST /incident$", http.exceptions.ConnectionError("reset"), after=True)
    assert push(server, "", data=LOCAL_LOST).error
    remote.fail("POST /entry/formatted", status_code=503)
    assert push(server, "", data=LOCAL_HALF, entries=[local_entry(3, "has yet to go")]).error
    # 10: linked by hand and resynced, not brought yet.
    remote.add("10", created="2026-02-01T00:00:00Z")
    remote.write("10", "of a linked incident")
    server.incident = {"id": "77", "dbotMirrorId": "10", "dbotMirrorInstance": "headquarters", "sourceBrand": "Manual"}
    server.ok("xsoar-mirror-resync")
    server.incident = None
    # 6: listed, and not brought yet.
    remote.write("6", "listed")
    modified(server)
    # Since then.
    later(minutes=1)
    remote.write("1", "since then")
    remote.add("11")
    clock.move_to(AT)


def state_of(server: Any) -> dict[str, Any]:
    """Return what the server keeps, by the name of the file that it goes into."""
    return {"last_run": server.last_run, "last_mirror_run": server.last_mirror_run, "context": json.loads(server.context)}


def remote_state(remote: Any) -> dict[str, Any]:
    """Return what the remote holds; of incidents and entries only what differs from the captured ones."""
    from stand_ins import ENTRIES, TEMPLATE

    def differing(item: dict[str, Any], template: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in item.items() if key not in template or template[key] != value}

    return {
        "incidents": {key: differing(incident, TEMPLATE) for key, incident in remote.incidents.items()},
        "entries": {key: [differing(entry, ENTRIES["chat"]) for entry in entries] for key, entries in remote.entries.items()},
        "entry_numbers": remote.entry_numbers,
        "files": {key: content.decode() for key, content in remote.files.items()},
    }


def load_sample(version: str, server: Any, remote: Any, clock: Any) -> None:
    """Bring a server and a remote into the state of a sample, at the moment when it was taken."""
    from stand_ins import ENTRIES, TEMPLATE

    def read(name: str) -> Any:
        return json.loads((FOLDER / version / f"{name}.json").read_text(encoding="utf-8"))

    clock.move_to(AT)
    server.last_run, server.last_mirror_run = read("last_run"), read("last_mirror_run")
    server.context = json.dumps(read("context"))
    kept = read("remote")
    remote.incidents = {key: {**copy.deepcopy(TEMPLATE), **incident} for key, incident in kept["incidents"].items()}
    remote.entries = {key: [{**ENTRIES["chat"], **entry} for entry in entries] for key, entries in kept["entries"].items()}
    remote.entry_numbers = kept["entry_numbers"]
    remote.files = {key: content.encode() for key, content in kept["files"].items()}


def main(version: str) -> None:
    """Write the sample of a version."""
    root = Path(__file__).resolve().parents[2]
    from local_xsoar.runtime import runtime_folders

    integration = root / "Packs/XSOARMirroring/Integrations/XSOARMirroring"
    sys.path[:0] = [*runtime_folders(), str(integration), str(integration / "unit_tests")]
    import pytest
    import requests_mock
    from freezegun import freeze_time
    from stand_ins import NOW, Remote, Server

    with (
        tempfile.TemporaryDirectory() as empty,
        freeze_time(NOW) as clock,
        requests_mock.Mocker() as mocker,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.chdir(empty)
        patch.setattr("time.sleep", lambda seconds: None)
        server, remote = Server(), Remote(clock)
        server.attach(patch)
        mocker.add_matcher(remote)
        play_a_day(server, remote, clock)
        written = {**state_of(server), "remote": remote_state(remote)}
    (FOLDER / version).mkdir(parents=True)
    for name, content in written.items():
        text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        (FOLDER / version / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
