"""An integration to look at in a terminal."""

# ruff: noqa: F403, F405

import demistomock as demisto
from CommonServerPython import *
from CommonServerUserPython import *


def main():
    command, args = demisto.command(), demisto.args()
    if command == "console-params":
        demisto.results({"Type": 1, "ContentsFormat": "json", "Contents": dict(demisto.params())})
    elif command == "console-table":
        return_results(CommandResults(readable_output=tableToMarkdown("A table", [{"value": args["value"]}])))
    elif command == "console-fail":
        return_error("Not today")
    elif command == "console-file":
        # fileResult cleans names; a hostile script would not use it.
        demisto.results({**fileResult("x", "bytes"), "File": args["name"]})


main()
