"""An integration to look at in a terminal."""

# ruff: noqa: F403, F405

import signal
from pathlib import Path

import demistomock as demisto
from CommonServerPython import *
from CommonServerUserPython import *


def main():
    command, args = demisto.command(), demisto.args()
    if command == "console-params":
        demisto.results({"Type": 1, "ContentsFormat": "json", "Contents": dict(demisto.params())})
    elif command == "console-table":
        return_results(CommandResults(readable_output=tableToMarkdown("A table", [{"value": args["value"]}])))
    elif command == "test-module":
        demisto.results("ok" if demisto.params()["url"].startswith("https") else "The address must begin with https")
    elif command == "console-fail":
        return_error("Not today")
    elif command == "console-file":
        # fileResult cleans names; a hostile script would not use it.
        demisto.results({**fileResult("x", "bytes"), "File": args["name"]})
    elif command == "console-context":
        demisto.results(
            {"Type": 1, "ContentsFormat": "text", "Contents": "one", "EntryContext": {"A.B(val.id == obj.id)": {"id": 1}}}
        )
        demisto.results(
            {"Type": 1, "ContentsFormat": "text", "Contents": "two", "EntryContext": {"A.B(val.id == obj.id)": {"id": 2}}}
        )
    elif command == "console-log":
        key = demisto.params()["credentials_api_key"]["password"]
        demisto.debug(f"the key is {key}, in JSON {json.dumps(key)}, in Python {key!r}, and \x1b[2Jred")
        demisto.results("done")
    elif command == "console-crash":
        raise ValueError("bad key " + demisto.params()["credentials_api_key"]["password"])
    elif command == "console-wait":
        with Path(args["pipe"]).open("w"):
            signal.pause()
    elif command == "console-choose":
        demisto.results(args.get("value") or args.get("several", ""))


main()
