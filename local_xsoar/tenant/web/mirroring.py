"""What the page shows of a pair: an instance of this tenant and the remote tenant that it mirrors.

The tenant itself knows no instances. Whoever serves it together with a host gives `Pairs`, which ask the instance's own commands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from local_xsoar.tenant.web import markup
from local_xsoar.tenant.web.views import Badge, Row, value_nodes

MOST_CROSSINGS = 50  # that the page shows

# What of the status stands in the list of the page, as it is; what is empty is left out.
_FACTS = {
    "Remote": "Remote tenant",
    "RemoteVersion": "Version",
    "LastRound": "Last round",
    "LastFetch": "Last fetch",
    "PausedUntil": "Paused until",
    "IncidentsTracked": "Incidents",
    "IncidentsOpen": "Open",
    "IncidentsPending": "Waiting for a round",
    "IncidentsBehind": "Tried again",
    "IncidentsWithError": "With an error",
    "IncidentsStopped": "Stopped",
    "EntriesIn": "Entries in",
    "EntriesOut": "Entries out",
    "LastError": "Last failure",
    "LastErrorTime": "Failed at",
}
_TIMES = frozenset({"LastRound", "LastFetch", "PausedUntil", "LastErrorTime"})
_FIGURES = {
    "LagP50Seconds": "Median lag",
    "LagP95Seconds": "Lag of the slowest 5 %",
    "OldestPendingSeconds": "Oldest pending",
}
_TONES = {"crossed": "good", "already there": "quiet", "refused": "bad", "given up": "bad"}


@dataclass(frozen=True)
class Comparison:
    """What xsoar-mirror-reconcile found: when, XSOAR.Mirror.Reconcile and the items of XSOAR.Mirror.Drift."""

    time: str
    summary: Mapping[str, Any]
    drifts: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Pair:
    """How an instance is: XSOAR.Mirror.Status, XSOAR.Mirror.Journal, and the last comparison that the page asked for."""

    status: Mapping[str, Any]
    journal: Mapping[str, Any]
    comparison: Comparison | None


class Pairs(Protocol):
    """The mirrored instances of a tenant. A command that fails raises a TenantError with its sentence."""

    def names(self) -> list[str]:
        """Return the names of the instances."""

    def look(self, name: str) -> Pair:
        """Ask an instance how it is; it must be one of `names`."""

    def compare(self, name: str, repair: bool) -> Comparison:
        """Have an instance compare all its incidents with the remote ones, and repair what the next rounds can."""


def pair_view(name: str, pair: Pair) -> dict[str, Any]:
    """Return a pair as the page shows it."""
    status = pair.status
    problem = str(status["RemoteError"] or "")
    return {
        "name": name,
        "badges": [pair_state(status)],
        "errors": [_row("RemoteError", "Remote tenant", markup.plain(problem))] if problem else [],
        "figures": [_row(key, label, markup.plain(span_in_words(status[key]))) for key, label in _FIGURES.items()],
        "facts": [
            _row(key, label, markup.moment(str(value)) if key in _TIMES else value_nodes(value, ""))
            for key, label in _FACTS.items()
            if (value := status[key])
        ],
        "comparison": pair.comparison and comparison_view(name, pair.comparison),
        "crossings": crossing_rows(name, pair.journal),
        "count": f"The last {len(pair.journal['Crossings']):,} of {pair.journal['Total']:,}, by the IDs of the remote tenant.",
    }


def pair_state(status: Mapping[str, Any]) -> Badge:
    """Return the state of an instance: what is worst."""
    if status["RemoteError"]:
        return {"text": "Remote does not answer", "tone": "bad"}
    if status["State"] == "Paused":
        return {"text": "Paused", "tone": "warn"}
    if status["IncidentsWithError"] or status["IncidentsBehind"]:
        return {"text": "Running, with errors", "tone": "warn"}
    return {"text": "Running", "tone": "good"}


def comparison_view(name: str, comparison: Comparison) -> dict[str, Any]:
    """Return what a comparison found, in words and line by line."""
    summary = comparison.summary
    said = f"{summary['Differ']:,} of {summary['LookedAt']:,} incidents differ."
    if not summary["Differ"]:
        said = f"All {summary['LookedAt']:,} incidents are in step."
    if summary["NotLookedAt"]:
        said += f" {summary['NotLookedAt']:,} were not compared."
    return {
        "said": said,
        "time": markup.moment(comparison.time),
        "beside": "Pending and Active count as equal: only closing and reopening cross.",
        "drifts": [drift_row(name, drift) for drift in comparison.drifts],
    }


def drift_row(name: str, drift: Mapping[str, Any]) -> dict[str, Any]:
    """Return an incident that differs as a line."""
    healing = "The next rounds bring it." if drift["repaired"] else "Repair sets it right."
    return {
        "key": drift["id"],
        "id": drift["id"],
        "query": query_of(name, drift["id"]),
        "badges": [{"text": kind, "tone": "bad" if drift["decide"] else "warn"} for kind in drift["kinds"]],
        "what": drift["decide"] or healing,
        "entries": ", ".join(drift["entries"]),
    }


def crossing_rows(name: str, journal: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what crossed as lines, whose keys stay while further ones come."""
    return [
        {
            "key": str(journal["Total"] - index),
            "id": crossing["Id"],
            "query": query_of(name, crossing["Id"]),
            "direction": {"text": crossing["Direction"], "tone": "accent" if crossing["Direction"] == "in" else "quiet"},
            "outcome": {"text": crossing["Outcome"], "tone": _TONES.get(crossing["Outcome"], "warn")},
            "what": f"{crossing['Kind']} {crossing['What'] or ''}".strip(),
            "time": markup.moment(crossing["Time"]),
            "lag": "" if crossing["LagSeconds"] is None else f"after {span_in_words(crossing['LagSeconds'])}",
        }
        for index, crossing in enumerate(journal["Crossings"])
    ]


def query_of(name: str, remote_id: str) -> str:
    """Return the part of an address that finds the local incident of a remote one in the list."""
    return "query=" + quote(f'dbotMirrorId:"{remote_id}" dbotMirrorInstance:"{name}"')


def span_in_words(seconds: int | None) -> str:
    """Return a number of seconds as people read it, "-" when it is not known."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(seconds, 60)
    hours, minutes_left = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes_left, "min"), (rest if minutes < 60 else 0, "s"))
    return " ".join(f"{number:,} {unit}" for number, unit in parts if number) or "0 s"


def _row(key: str, label: str, value: list[markup.Node]) -> Row:
    return {"key": key, "label": label, "name": "", "value": value}
