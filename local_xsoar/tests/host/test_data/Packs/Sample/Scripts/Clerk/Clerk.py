"""An automation script that runs a command, or a function of demisto, and shows what came of it."""

# ruff: noqa: F403, F405

import demistomock as demisto
from CommonServerPython import *
from CommonServerUserPython import *


def main():
    args = demisto.args()
    if args["command"].startswith("demisto."):
        answer = getattr(demisto, args["command"].removeprefix("demisto."))()
    else:
        answer = demisto.executeCommand(args["command"], json.loads(args["args"]))
    demisto.results({"Type": 1, "ContentsFormat": "json", "Contents": answer})


main()
