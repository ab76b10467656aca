import demistomock as demisto
from CommonServerPython import *

from CommonServerUserPython import *

"""Alerts an admin to problems of XSOAR Mirroring: one open incident for each instance that has one, closed on recovery.

The name of the incident includes the instance, so no run needs to remember anything.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

# The integration's name, as its instances carry it.
BRAND = "XSOAR Mirroring"
STATUS = "xsoar-mirror-status"
JOURNAL = "xsoar-mirror-journal"
RECONCILE = "xsoar-mirror-reconcile"
# What the name of an incident begins with; the name of the instance follows.
TITLE = "XSOAR Mirroring needs attention"
# From best to worst. An instance that was not checked is neither well nor in trouble.
DISABLED, WELL, NOT_ASKED, PAUSED, ATTENTION, DOWN = STATES = ("Disabled", "Well", "Not asked", "Paused", "Attention", "Down")
SEVERITIES = {ATTENTION: 2, DOWN: 3}
NO_CHANGE, CREATED, UPDATED, CLOSED, FAILED = ("none", "created", "updated", "closed", "failed")
# The status notes a round or a fetch that brought nothing every five minutes only.
LEAST_ROUND_MINUTES = 6
MOST_MINUTES = 1440
# As many limits of the age of a round as make an instance down.
ROUNDS_DOWN = 3
MOST_CROSSINGS = 2000
MOST_NAMED = 5
# A server ends a script after five minutes. A status may take 90 seconds of it, and a comparison of all incidents 150.
ASKING_SECONDS = 120
PAGE = 100
MOST_FOUND = 1000
COLUMNS = ["Instance", "State", "Reasons", "Incident", "Change"]


@dataclass(frozen=True)
class Wanted:
    """What is to be watched.

    instance: its name; "" for all that are enabled.
    lag_minutes: a change that waits, or took, longer than this is a problem.
    round_minutes: a last round or fetch older than this is a problem.
    drift: whether to also compare the incidents with the remote tenant.
    incident_type: of the incidents that are created.
    """

    instance: str
    lag_minutes: int
    round_minutes: int
    drift: bool
    incident_type: str


@dataclass(frozen=True)
class Row:
    """What came of one instance.

    state: one of STATES.
    reasons: sentences that explain the state.
    incident: the ID of its open incident, or of the one that was closed; "" for none.
    change: what became of that incident.
    """

    instance: str
    state: str
    reasons: tuple[str, ...] = ()
    incident: str = ""
    change: str = NO_CHANGE


def watch(wanted: Wanted, now: datetime, clock: Callable[[], float] = time.monotonic) -> list[Row]:
    """Ask each instance how it is, and create, update or close its incident; return a row for each, the worst first.

    Args:
        wanted: what is to be watched.
        now: the time, with its zone.
        clock: seconds that pass.

    Raises:
        DemistoException: the instances or the open incidents cannot be had; the message is a sentence with the remedy.
    """
    instances = instances_to_ask(wanted.instance)
    end = clock() + ASKING_SECONDS
    rows = [judged(instance, wanted, now, lambda: clock() > end) for instance in instances]
    alerts = open_alerts()
    if not wanted.instance:
        gone = sorted(alerts.keys() - {*instances})
        rows += [Row(instance, DISABLED, ("It is disabled or deleted, so it is not watched.",)) for instance in gone]
    kept = [with_incident(row, alerts.get(row.instance, []), wanted, now) for row in rows]
    return sorted(kept, key=lambda row: (-STATES.index(row.state), row.instance))


def parse(args: dict[str, Any]) -> Wanted:
    """Return what the arguments say. Raises DemistoException for one that is wrong."""

    def minutes(name: str, default: int, least: int) -> int:
        given = str(args.get(name) or default).strip()
        if not (given.isdecimal() and least <= int(given) <= MOST_MINUTES):
            raise DemistoException(f"{name} is {given}: give a whole number of minutes from {least} to {MOST_MINUTES}.")
        return int(given)

    try:
        drift = args.get("drift") not in (None, "") and argToBoolean(args["drift"])
    except ValueError:
        raise DemistoException(f"drift is {args['drift']}: give true or false.")
    return Wanted(
        instance=str(args.get("instance") or "").strip(),
        lag_minutes=minutes("lag_minutes", 30, 1),
        round_minutes=minutes("round_minutes", 10, LEAST_ROUND_MINUTES),
        drift=drift,
        incident_type=str(args.get("incident_type") or "Unclassified").strip(),
    )


def instances_to_ask(instance: str) -> list[str]:
    """Return the instance, or for "" all that are enabled. Raises DemistoException for one that cannot be asked."""
    modules = demisto.getModules() or {}
    ours = {name: module.get("state") for name, module in modules.items() if module.get("brand") == BRAND}
    if not instance:
        if not modules:
            raise DemistoException("The server does not list its instances: create a job for each and give its name as instance.")
        return sorted(name for name, state in ours.items() if state != "disabled")
    if modules and instance not in ours:
        raise DemistoException(
            f"There is no instance {instance} of {BRAND}. The existing ones are: {', '.join(sorted(ours)) or 'none'}."
        )
    if ours.get(instance) == "disabled":
        raise DemistoException(f"The instance {instance} is disabled: enable it on the integrations page, or end its job.")
    return [instance]


def judged(instance: str, wanted: Wanted, now: datetime, is_late: Callable[[], bool]) -> Row:
    """Ask an instance and return how it is. Whatever goes wrong with it is a reason, so that the others are watched."""
    late = (NOT_ASKED, "There was no time left to check it: create a separate job for it, with its name as instance.")
    try:
        if is_late():
            return row_of(instance, [late])
        status = contents(execute(STATUS, {"using": instance}), STATUS)
        if status.get("State") == PAUSED:
            return Row(
                instance, PAUSED, (f"It is paused until {status.get('PausedUntil')}: run xsoar-mirror-resume to end the pause.",)
            )
        found = findings(status, wanted, now)
        if over(status.get("LagP95Seconds"), wanted.lag_minutes):
            found += lag_findings(recent_lags(instance, wanted.lag_minutes), wanted.lag_minutes)
        if wanted.drift and not status.get("RemoteError"):
            found += [late] if is_late() else drift_findings(instance)
        return row_of(instance, found)
    except Exception as error:
        return Row(instance, DOWN, (one_line(f"It does not answer: {error}"),))


def row_of(instance: str, found: list[tuple[str, str]]) -> Row:
    """Return the row of an instance from what was found, as pairs of a state and a sentence: the worst state counts."""
    state = max([WELL, *(state for state, _ in found)], key=STATES.index)
    return Row(instance, state, tuple(one_line(sentence) for _, sentence in found))


def findings(status: dict[str, Any], wanted: Wanted, now: datetime) -> list[tuple[str, str]]:
    """Return what its status says is wrong with an instance, as states and sentences with the remedy."""
    found: list[tuple[str, str]] = []
    last_round, last_fetch = (minutes_since(status.get(key), now) for key in ("LastRound", "LastFetch"))
    failed = minutes_since(status.get("LastErrorTime"), now)
    # An older one has nothing to do with what is wrong now: whatever fails is tried again every minute.
    is_failing = failed is not None and failed <= wanted.round_minutes
    error = f" {status.get('LastErrorCommand')} fails: {status.get('LastError')}" if is_failing else ""
    if status.get("RemoteError"):
        found.append((DOWN, str(status["RemoteError"])))
    if last_round is not None and last_round > wanted.round_minutes:
        found.append(
            (
                DOWN if last_round > ROUNDS_DOWN * wanted.round_minutes else ATTENTION,
                f"The server has not mirrored in for {int(last_round)} minutes: check that the instance still fetches and that"
                f" its engine is connected.{error}",
            )
        )
    if last_fetch is not None and last_fetch > wanted.round_minutes:
        found.append(
            (
                ATTENTION,
                f"The last fetch was {int(last_fetch)} minutes ago: check that the instance still fetches and that its engine is"
                f" connected, or raise round_minutes if its fetch interval is longer.{error}",
            )
        )
    if last_round is None and last_fetch is None and error:
        found.append((ATTENTION, f"It has neither fetched nor mirrored in yet: click Test in the instance.{error}"))
    waits = status.get("OldestPendingSeconds") or 0
    if over(waits, wanted.lag_minutes):
        found.append(
            (
                ATTENTION,
                f"The oldest change has been waiting for {int(waits) // 60} minutes: {STATUS} shows how much is pending and, with"
                f" id, why an incident is waiting.{error}",
            )
        )
    if errors := status.get("IncidentsWithError"):
        found.append((ATTENTION, f"Incidents with errors: {errors}. The Mirroring Errors table of the dashboard says why."))
    return found


def over(seconds: Any, minutes: int) -> bool:
    """Return whether a number of seconds, None for none, is above a limit in minutes."""
    return (seconds or 0) > minutes * 60


def recent_lags(instance: str, minutes: int) -> list[int]:
    """Return how many seconds each crossing of the last minutes took, as far as it is known."""
    asked = {"since": f"{minutes} minutes", "limit": str(MOST_CROSSINGS), "using": instance}
    crossings = contents(execute(JOURNAL, asked), JOURNAL).get("Crossings") or []
    return [crossing["LagSeconds"] for crossing in crossings if crossing.get("LagSeconds") is not None]


def lag_findings(lags: list[int], limit: int) -> list[tuple[str, str]]:
    """Return what lags of late, in seconds, say. The status still counts those of an outage that is over."""
    slow = sum(over(lag, limit) for lag in lags)
    if slow * 20 <= len(lags):  # 95 % of them are in time.
        return []
    return [
        (
            ATTENTION,
            f"Of {len(lags)} changes that crossed in the last {limit} minutes, {slow} took longer than {limit} minutes:"
            f" {JOURNAL} lists them. Check whether the remote tenant is slow or limits calls.",
        )
    ]


def drift_findings(instance: str) -> list[tuple[str, str]]:
    """Compare the mirrored incidents with the remote tenant, and return what that says.

    What the next rounds repair is not a problem. If they cannot, the status shows it as pending for too long or as an error.
    """
    try:
        entries = execute(RECONCILE, {"using": instance})
    except DemistoException as error:
        return [(ATTENTION, f"Its incidents could not be compared with the remote tenant: {error}")]
    context = (entries[0].get("EntryContext") if entries else None) or {}
    by_path = {path.partition("(")[0]: value for path, value in context.items()}
    summary, rows = by_path.get("XSOAR.Mirror.Reconcile"), by_path.get("XSOAR.Mirror.Drift") or []
    if not isinstance(summary, dict):
        raise DemistoException(f"{RECONCILE} returned no result.")
    found: list[tuple[str, str]] = []
    if undecided := [f"{row.get('id')} ({', '.join(row.get('kinds') or [])})" for row in rows if row.get("decide")]:
        named = ", ".join(undecided[:MOST_NAMED]) + (" and others" if len(undecided) > MOST_NAMED else "")
        found.append(
            (
                ATTENTION,
                f"Incidents that differ from the remote tenant and need a decision: {len(undecided)}, with the remote IDs"
                f" {named}. {RECONCILE} says what to decide.",
            )
        )
    if on_their_way := len(rows) - len(undecided):
        found.append((WELL, f"Incidents that differ but that the next rounds will repair: {on_their_way}."))
    if left := summary.get("NotLookedAt"):
        found.append((WELL, f"Incidents not compared because time or API calls ran out: {left}."))
    return found


def open_alerts() -> dict[str, list[dict[str, Any]]]:
    """Return the open incidents that this script made, the oldest first, by the names of the instances.

    Raises:
        DemistoException: they cannot be read.
    """
    query = f'name:"{TITLE}" -status:closed'
    incidents: dict[str, dict[str, Any]] = {}
    # A page may be shorter than it was asked for, so the end is where nothing new comes.
    for page in range(MOST_FOUND):
        entries = execute("getIncidents", {"query": query, "size": PAGE, "page": page, "sort": "created.asc"})
        portion = {str(incident.get("id")): incident for incident in contents(entries, "getIncidents").get("data") or []}
        if portion.keys() <= incidents.keys() or len(incidents) > MOST_FOUND:
            break
        incidents |= portion
    alerts = defaultdict(list)
    for incident in incidents.values():
        title, _, instance = str(incident.get("name")).partition(": ")
        # One of the same name that another tenant made may have been mirrored here.
        if title == TITLE and not incident.get("dbotMirrorId") and not incident.get("dbotMirrorInstance"):
            alerts[instance].append(incident)
    return dict(alerts)


def with_incident(row: Row, alerts: list[dict[str, Any]], wanted: Wanted, now: datetime) -> Row:
    """Bring the incident of an instance to where it belongs, and return the row with what was changed.

    Args:
        row: how the instance is.
        alerts: its open incidents, the oldest first. All but that one are closed as its duplicates.
    """
    incident_id = str(alerts[0].get("id")) if alerts else ""
    try:
        for duplicate in alerts[1:]:
            close(str(duplicate.get("id")), "Duplicate", f"Incident {incident_id} is already open for the same instance.")
        if row.state in SEVERITIES:
            return told(row, incident_id, wanted, now)
        if not alerts or row.state not in (WELL, DISABLED):
            return replace(row, incident=incident_id)
        close(incident_id, "Resolved", closing_note(row, alerts[0], now))
        return replace(row, incident=incident_id, change=CLOSED)
    except Exception as error:
        reason = one_line(f"Its incident could not be written: {error} Check the permissions of the user that runs the job.")
        return replace(row, reasons=(*row.reasons, reason), incident=incident_id, change=FAILED)


def told(row: Row, incident_id: str, wanted: Wanted, now: datetime) -> Row:
    """Create the incident of an instance with a problem, or update the existing one; return the row with it."""
    fields = {"severity": SEVERITIES[row.state], "details": details_of(row, now)}
    if incident_id:
        execute("setIncident", {"id": incident_id, **fields})
        return replace(row, incident=incident_id, change=UPDATED)
    # Without mirror fields it goes nowhere.
    entries = execute("createNewIncident", {"name": f"{TITLE}: {row.instance}", "type": wanted.incident_type, **fields})
    context = (entries[0].get("EntryContext") if entries else None) or {}
    return replace(row, incident=str(context.get("CreatedIncidentID") or ""), change=CREATED)


def details_of(row: Row, now: datetime) -> str:
    """Return the details of an incident: how the instance is, a line for each reason, and when that was seen."""
    reasons = "\n".join(f"- {reason}" for reason in row.reasons)
    return (
        f"The instance {row.instance} of {BRAND}: {row.state}.\n\n{reasons}\n\n"
        f"Last seen: {minute(now)}. XSOARMirroringWatch closes this incident when the instance has recovered."
    )


def closing_note(row: Row, alert: dict[str, Any], now: datetime) -> str:
    """Return the close notes of an instance's incident: the state now, how long the problem lasted, and its reasons."""
    since = minute(datetime.fromisoformat(str(alert.get("created")).replace("Z", "+00:00")))
    reasons = [line[2:] for line in str(alert.get("details") or "").splitlines() if line.startswith("- ")]
    now_is = "has recovered" if row.state == WELL else "is disabled or deleted"
    return " ".join([f"The instance {row.instance} {now_is}. It had problems from {since} to {minute(now)}.", *reasons])


def minute(moment: datetime) -> str:
    """Return a time as people read it: 2026-03-01 12:00 UTC."""
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"


def minutes_since(moment: Any, now: datetime) -> float | None:
    """Return how many minutes ago a time of xsoar-mirror-status was; None where there is none."""
    if not moment:
        return None
    return max(0.0, (now - datetime.fromisoformat(str(moment).replace("Z", "+00:00"))).total_seconds() / 60)


def close(incident_id: str, reason: str, notes: str) -> None:
    """Close an incident. Raises DemistoException when that fails."""
    execute("closeInvestigation", {"id": incident_id, "closeReason": reason, "closeNotes": notes})


def execute(command: str, args: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a command and return its entries. Raises DemistoException when it failed, or no enabled instance has it."""
    try:
        entries = demisto.executeCommand(command, args)
    except Exception as error:  # Versions differ in what they raise.
        raise DemistoException(str(error)) from error
    if is_error(entries):
        raise DemistoException(get_error(entries))
    return entries or []


def contents(entries: list[dict[str, Any]], command: str) -> dict[str, Any]:
    """Return what the first entry of a command holds. Raises DemistoException when that is no object."""
    found = entries[0].get("Contents") if entries else None
    if not isinstance(found, dict):
        raise DemistoException(f"{command} returned no result.")
    return found


def report(rows: list[Row]) -> CommandResults:
    """Return the rows as a table, and under XSOAR.Mirror.Watch."""
    number = sum(row.state in SEVERITIES for row in rows)
    title = f"{number} of {len(rows)} instances of {BRAND} need attention" if rows else f"There is no enabled instance of {BRAND}"
    outputs = [{key.capitalize(): value for key, value in asdict(row).items()} for row in rows]
    table = [
        {**output, "Instance": plain(output["Instance"]), "Reasons": plain(" ".join(output["Reasons"]))} for output in outputs
    ]
    return CommandResults(
        outputs_prefix="XSOAR.Mirror.Watch",
        outputs_key_field="Instance",
        outputs=outputs,
        readable_output=tableToMarkdown(title, table, headers=COLUMNS),
    )


def one_line(text: str) -> str:
    """Return a text on one line."""
    return " ".join(text.split())


def plain(text: str) -> str:
    """Return a text on one line, with what is Markdown or HTML in it shown as it is."""
    safe = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\*_\[\]~!])", r"\\\1", safe)


def main() -> None:
    """Run the script: a table with a row for each instance, and an error entry if one could not be checked or reported."""
    try:
        rows = watch(parse(demisto.args()), datetime.now(timezone.utc))
        return_results(report(rows))
        untold = [f"{row.instance}: {row.reasons[-1]}" for row in rows if row.change == FAILED or row.state == NOT_ASKED]
        if untold:  # The task of a job fails, so that somebody looks.
            raise DemistoException(" ".join(untold))
    except Exception as error:
        return_error(str(error))


if __name__ in ("__main__", "__builtin__", "builtins"):
    main()
