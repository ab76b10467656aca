"""An integration whose remote is a JSON file (parameter remote) and which writes down its calls (parameter calls)."""

# ruff: noqa: F403, F405

import json
from pathlib import Path

import demistomock as demisto
from CommonServerPython import *
from CommonServerUserPython import *


def write_down(**call):
    with Path(demisto.params()["calls"]).open("a") as calls:
        seen = {"lastRun": demisto.getLastRun(), "lastMirrorRun": demisto.getLastMirrorRun()}
        calls.write(json.dumps({"command": demisto.command(), "args": demisto.args(), **seen, **call}) + "\n")


def with_file(entry):
    """An entry {"file": [name, text], ...} becomes a file that is written, with the other keys kept."""
    if "file" not in entry:
        return entry
    name, text = entry.pop("file")
    return {**fileResult(name, text), **entry}


def answer_or_fail(answer):
    if isinstance(answer, dict) and "error" in answer:
        return_error(answer["error"])
    if isinstance(answer, dict) and "not implemented" in answer:
        raise NotImplementedError(answer["not implemented"])
    if isinstance(answer, dict) and "caught" in answer:
        try:
            raise NotImplementedError(answer["caught"])
        except NotImplementedError as error:
            return_error(str(error), error)
    return answer


def fetch_incidents(remote):
    last_run = demisto.getLastRun()
    write_down()
    incidents = remote["incidents"][last_run.get("offset", 0) :]
    for incident in incidents:
        if not isinstance(incident, dict):
            continue
        files = [fileResult(name, text) for name, text in incident.pop("files", [])]
        if files:
            incident["attachment"] = [{"path": file["FileID"], "name": file["File"]} for file in files]
    demisto.setLastRun({"offset": len(remote["incidents"])})
    demisto.incidents(incidents)
    answer_or_fail(remote.get("fetch"))


def get_modified(remote):
    write_down()
    demisto.setLastMirrorRun({"asked": demisto.args()["lastUpdate"]})
    return_results(GetModifiedRemoteDataResponse(answer_or_fail(remote["modified"])))


def get_remote_data(remote):
    write_down()
    answer = answer_or_fail(remote["data"][demisto.args()["id"]])
    entries = [with_file(entry) for entry in answer.get("entries", [])]
    return_results(GetRemoteDataResponse(answer["object"], entries))


def update_remote(remote):
    files = []
    for entry in demisto.args()["entries"] or []:
        if entry["fileID"]:
            found = demisto.getFilePath(entry["id"])
            files.append([found["name"], Path(found["path"]).read_text()])
    write_down(files=files)
    demisto.results(answer_or_fail(remote["update"]))


def main():
    remote = json.loads(Path(demisto.params()["remote"]).read_text())
    command = demisto.command()
    if command == "test-module":
        write_down()
        demisto.results(answer_or_fail(remote.get("test", "ok")))
    elif command == "fetch-incidents":
        fetch_incidents(remote)
    elif command == "get-modified-remote-data":
        get_modified(remote)
    elif command == "get-remote-data":
        get_remote_data(remote)
    elif command == "update-remote-system":
        update_remote(remote)


main()
