"""Runs a playbook of the pack on a local tenant: as much of what a server does with one as the pack's playbooks need."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from local_xsoar.host.server_commands import run_server_command
from tests.mirror.two_tenants import INTEGRATION, Mirror

PACK = INTEGRATION.parents[1]
_ERROR = 4


@dataclass
class PlaybookRun:
    """What came of a playbook: the names of the tasks that ran, what Print said, the errors, and the context."""

    tasks: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    context: dict[str, Any] = field(default_factory=dict)


def run_playbook(mirror: Mirror, name: str, incident_id: str, **inputs: str) -> PlaybookRun:
    """Run a playbook of the pack in a local incident, from its first task to its last.

    Raises:
        AssertionError: a task failed that has no path for errors.
    """
    described = yaml.safe_load((PACK / "Playbooks" / f"playbook-{name.replace(' ', '_')}.yml").read_text(encoding="utf-8"))
    defaults = {item["key"]: item["value"].get("simple", "") for item in described["inputs"]}
    assert inputs.keys() <= defaults.keys()
    run = PlaybookRun(context={"inputs": defaults | inputs})
    number = described["starttaskid"]
    while number:
        number = _Task(described["tasks"][number], mirror, incident_id, run).done()
    return run


@dataclass
class _Task:
    """One task of a playbook at its turn."""

    described: dict[str, Any]
    mirror: Mirror
    incident_id: str
    run: PlaybookRun

    def done(self) -> str:
        """Do what the task says and return the number of the next one, "" after the last."""
        about, exits = self.described["task"], self.described.get("nexttasks") or {}
        self.run.context["incident"] = self.mirror.here.incident(self.incident_id)
        self.run.tasks.append(about["name"])
        label = "#none#"
        if self.described["type"] == "condition":
            label = next((answer["label"] for answer in self.described["conditions"] if self.holds(answer)), "#default#")
        elif error := self.error():
            self.run.errors.append(error)
            assert "#error#" in exits, error
            label = "#error#"
        return str(exits[label][0]) if exits else ""

    def error(self) -> str:
        """Run the script or command of the task, keep its context, and return its error, "" for none."""
        script, command = self.described["task"].get("scriptName"), self.described["task"].get("script")
        given = {name: self.value(value) for name, value in (self.described.get("scriptarguments") or {}).items()}
        args = {name: value for name, value in given.items() if value not in (None, "")}
        if script == "Print":
            self.run.printed.append(args["value"])
            return ""
        if script:
            ran = self.mirror.host.run_script(PACK / "Scripts" / script, args, incident_id=self.incident_id)
            error, entries = ran.error, ran.entries
        elif command:
            entries = run_server_command(self.mirror.here, command.rpartition("|||")[2], self.incident_id, args)
            error = next((str(entry["Contents"]) for entry in entries if entry["Type"] == _ERROR), "")
        else:
            return ""
        for entry in entries:
            for path, value in (entry["EntryContext"] or {}).items():
                self.keep(path.partition("(")[0].split("."), value)
        return error

    def keep(self, path: list[str], value: Any) -> None:
        """Put a value into the context."""
        place = self.run.context
        for part in path[:-1]:
            place = place.setdefault(part, {})
        place[path[-1]] = value

    def holds(self, answer: dict[str, Any]) -> bool:
        """Return whether an answer of a condition is the one: each group must hold, and of a group one part."""
        return all(any(self.part_holds(part) for part in group) for group in answer["condition"])

    def part_holds(self, part: dict[str, Any], item: Any = None) -> bool:
        """Return whether a comparison holds, that of a filter for an item of its list."""
        left = self.side(part["left"], item)
        if part["operator"] == "isNotEmpty":
            return left not in (None, "", [])
        equals = str(left) == str(self.side(part["right"], item))
        return {"isEqualString": equals, "isNotEqualString": not equals}[part["operator"]]

    def side(self, side: dict[str, Any], item: Any) -> Any:
        """Return the value of one side of a comparison; a filter names a key of its item by its whole path."""
        simple = side["value"].get("simple")
        if not side.get("iscontext") or simple is None:
            return self.value(side["value"])
        if item is not None and not simple.startswith("inputs."):
            return item.get(simple.rpartition(".")[2])
        return self.at(simple)

    def value(self, value: dict[str, Any]) -> Any:
        """Return what a value of a task stands for."""
        if "complex" not in value:
            return re.sub(r"\$\{([^}]+)\}", lambda found: str(self.at(found[1]) or ""), str(value.get("simple") or ""))
        wanted = value["complex"]
        found = self.at(wanted["root"])
        for group in wanted.get("filters") or []:
            found = [item for item in _listed(found) if any(self.part_holds(part, item) for part in group)]
        if "accessor" in wanted:
            found = [item.get(wanted["accessor"]) for item in _listed(found)]
        return found[0] if isinstance(found, list) and len(found) == 1 else found

    def at(self, path: str) -> Any:
        """Return what the context holds at a path, None for nothing."""
        place: Any = self.run.context
        for part in path.split("."):
            place = place.get(part) if isinstance(place, dict) else None
        return place


def _listed(value: Any) -> Iterator[Any]:
    return iter(value if isinstance(value, list) else [] if value is None else [value])
