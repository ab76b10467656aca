import demistomock as demisto
from CommonServerPython import *

from CommonServerUserPython import *

"""A dashboard widget: whether each instance of XSOAR Mirroring is working, what is waiting, and what fails.

The other widgets count incidents. If mirroring stalls, they do not change: they keep showing the last good state.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

# The integration's name, as its instances carry it.
BRAND = "XSOAR Mirroring"
# From best to worst.
DISABLED, HEALTHY, PAUSED, ATTENTION, DOWN = STATES = ("Disabled", "Healthy", "Paused", "Attention", "Down")
COLORS = {HEALTHY: "green", ATTENTION: "orange", DOWN: "red"}
# The status notes a round or a fetch that brought nothing every five minutes only.
ROUND_LATE_MINUTES = 10
ROUND_DOWN_MINUTES = 30
FETCH_LATE_MINUTES = 30
# An instance whose remote is away may take 90 seconds to say so, and a server ends a script after five minutes.
ASKING_SECONDS = 150
COLUMNS = ["Instance", "State", "Last Round", "Last Fetch", "Pending", "Lag", "Errors"]


@dataclass(frozen=True)
class Row:
    """What the widget shows of one instance.

    state: one of STATES.
    sentences: what is wrong, and what to do.
    figures: the columns behind the state, by title; none where the instance did not tell.
    """

    instance: str
    state: str
    sentences: tuple[str, ...]
    figures: dict[str, Any]


def row_of(instance: str, status: dict[str, Any], now: datetime) -> Row:
    """Return what the widget shows of an instance that answered.

    Args:
        status: what xsoar-mirror-status gives.
        now: the time, with its zone.
    """
    last_round, last_fetch = (minutes_since(status.get(key), now) for key in ("LastRound", "LastFetch"))
    errors = status.get("IncidentsWithError") or 0
    if status.get("State") == PAUSED:
        # Nothing is mirrored during a pause, so ages mean nothing.
        found = [(PAUSED, f"It is paused until {status.get('PausedUntil')}: run xsoar-mirror-resume to end the pause.")]
    else:
        found = [*remote_findings(status, now), *age_findings(status, last_round, last_fetch)]
    if stopped := status.get("IncidentsStopped"):
        found.append((HEALTHY, f"Stopped incidents: {stopped}. To start one again, run xsoar-mirror-start."))
    if errors:
        found.append((ATTENTION, f"Incidents with errors: {errors}. The Mirroring Errors table says why."))
    if without_rule := status.get("FieldsWithoutRule"):
        # An operator may want it so, and the instance is at work.
        found.append((HEALTHY, f"Remote custom fields without a rule here: {without_rule}. Run xsoar-mirror-mappers."))
    state = max([HEALTHY, *(state for state, _ in found)], key=STATES.index)
    figures = {
        "Last Round": age(last_round),
        "Last Fetch": age(last_fetch),
        "Pending": status.get("IncidentsPending") or 0,
        "Lag": lag(status),
        "Errors": errors,
    }
    return Row(instance, state, tuple(sentence for _, sentence in found), figures)


def remote_findings(status: dict[str, Any], now: datetime) -> list[tuple[str, str]]:
    """Return what is wrong with the remote tenant or failed a moment ago, as state and sentence."""
    if status.get("RemoteError"):
        return [(DOWN, str(status["RemoteError"]))]
    failed = minutes_since(status.get("LastErrorTime"), now)
    if failed is not None and failed <= ROUND_LATE_MINUTES:
        return [(ATTENTION, f"{status.get('LastErrorCommand')} failed {age(failed)} ago: {status.get('LastError')}")]
    return []


def age_findings(status: dict[str, Any], last_round: float | None, last_fetch: float | None) -> list[tuple[str, str]]:
    """Return what has stood still for too long, as state and sentence. The ages are in minutes; None: never."""
    found = []
    if last_round is not None and last_round > ROUND_LATE_MINUTES:
        found.append(
            (
                DOWN if last_round > ROUND_DOWN_MINUTES else ATTENTION,
                f"The server has not mirrored in for {age(last_round)}: check that the instance still fetches and that its"
                " engine is connected, and see the last error.",
            )
        )
    if last_round is None and status.get("IncidentsTracked"):
        found.append((ATTENTION, "The server has not mirrored in yet: unless the direction is Outgoing, wait two minutes."))
    if last_fetch is not None and last_fetch > FETCH_LATE_MINUTES:
        found.append(
            (
                ATTENTION,
                f"The last fetch was {age(last_fetch)} ago: unless fetching is off or its interval is longer, see the last"
                " error and check that the engine is connected.",
            )
        )
    if last_round is None and last_fetch is None:
        found.append((ATTENTION, "It has not fetched yet: select Fetch incidents in the instance and wait two minutes."))
    return found


def minutes_since(moment: Any, now: datetime) -> float | None:
    """Return how many minutes ago a time of xsoar-mirror-status was; None where there is none."""
    if not moment:
        return None
    return max(0.0, (now - datetime.fromisoformat(str(moment).replace("Z", "+00:00"))).total_seconds() / 60)


def age(minutes: float | None) -> str:
    """Return a number of minutes as people say it: 3 min, 5 h, 2 d."""
    if minutes is None:
        return "never"
    if minutes < 120:
        return f"{int(minutes)} min"
    return f"{int(minutes // 60)} h" if minutes < 48 * 60 else f"{int(minutes // (24 * 60))} d"


def lag(status: dict[str, Any]) -> str:
    """Return how long 95 % of the crossings took at most, in seconds or as `age` says it; a dash where nothing tells."""
    seconds = status.get("LagP95Seconds")
    if seconds is None:
        return "-"
    return f"{seconds} s" if seconds < 120 else age(seconds / 60)


def ask(instance: str) -> dict[str, Any]:
    """Return what xsoar-mirror-status gives for an instance.

    Raises:
        DemistoException: it gave an error, or nothing.
    """
    try:
        # The server raises ValueError where no enabled instance has the command, and gives an error entry for what failed in it.
        entries = demisto.executeCommand("xsoar-mirror-status", {"using": instance})
    except ValueError as error:
        raise DemistoException(str(error)) from error
    if is_error(entries):
        raise DemistoException(get_error(entries))
    status = entries[0].get("Contents") if entries else None
    if not isinstance(status, dict):
        raise DemistoException("xsoar-mirror-status returned no result.")
    return status


def rows(modules: dict[str, Any], now: datetime, clock: Callable[[], float] = time.monotonic) -> list[Row]:
    """Return a row for each instance of the integration, the worst first.

    Args:
        modules: what demisto.getModules() gives: instances by name, with brand and state.
        now: the time, with its zone.
        clock: seconds that pass.
    """
    end = clock() + ASKING_SECONDS
    found = []
    for instance, module in modules.items():
        if module.get("brand") != BRAND:
            continue
        if module.get("state") == "disabled":
            found.append(Row(instance, DISABLED, (), {}))
        elif clock() > end:
            found.append(Row(instance, ATTENTION, ("It was not checked: other instances took too long to answer.",), {}))
        else:
            try:
                found.append(row_of(instance, ask(instance), now))
            except DemistoException as error:
                found.append(Row(instance, DOWN, (f"It does not answer: {error}",), {}))
    return sorted(found, key=lambda row: (-STATES.index(row.state), row.instance))


def markdown(found: list[Row]) -> str:
    """Return the rows as a table, and below it a sentence for all that is not well."""
    if not found:
        return f"There is no instance of {BRAND}: add one on the integrations page."
    table = [
        {
            "Instance": plain(row.instance),
            "State": f"{{{{color:{COLORS[row.state]}}}}}({row.state})" if row.state in COLORS else row.state,
            **row.figures,
        }
        for row in found
    ]
    sentences = [f"- **{plain(row.instance)}**: {plain(text)}" for row in found for text in row.sentences]
    return "\n".join([tableToMarkdown("", table, headers=COLUMNS), *sentences])


def plain(text: str) -> str:
    """Return a text on one line, with what is Markdown or HTML in it shown as it is."""
    safe = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\*_\[\]~!])", r"\\\1", safe)


def main() -> None:
    """Run the script: the widget's text, or one error entry."""
    try:
        return_results(markdown(rows(demisto.getModules() or {}, datetime.now(timezone.utc))))
    except Exception as error:
        return_error(str(error))


if __name__ in ("__main__", "__builtin__", "builtins"):
    main()
