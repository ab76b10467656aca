import demistomock as demisto
from CommonServerPython import *

from CommonServerUserPython import *

"""Checks that both sides of a mirror are in step: runs xsoar-mirror-reconcile and adds what only the local incidents show.

The command compares the instance's records with the remote tenant. A script also sees the local incidents: values that differ,
incidents missing here, and incidents that mirror one that does not exist there.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace

# The integration's name, as its instances carry it.
BRAND = "XSOAR Mirroring"
RECONCILE = "xsoar-mirror-reconcile"
SEARCH = "xsoar-search-incidents"
DIFF = "xsoar-mirror-diff"
RESYNC = "xsoar-mirror-resync"
STATUS = "xsoar-mirror-status"
SCOPES = ("open", "all")
ENTRIES = ("false", "true", "all")
# The kinds of drift that the script adds to those of the command.
FIELDS, NO_LOCAL, LOCAL_ONLY, NOT_COMPARED = "fields", "no local incident", "local only", "not compared"
# Kinds of the command: under the ID there is nothing, or nothing to compare with; and local changes have yet to go out.
GONE = "gone"
STRANGER = "stranger"
UNSENT = "unsent"
STOPPED = "Stopped"
# An incident's own fields that xsoar-mirror-diff compares, besides custom ones.
COMPARED_FIELDS = ("name", "details", "severity", "phase", "dueDate")
# It has no incoming rule, as servers hold it for read-only.
NEVER_IN = "dueDate"
OWN_FIELD_PREFIX = "xsoarmirroring"
STATE_FIELD = "xsoarmirroringstate"
# How the integration's errors begin that concern more than one incident, and those about an incident that does not exist.
LIMITED = "API rate limit"
MISSING = "The remote tenant has no "
NO_MORE_CALLS = "The remote tenant is refusing calls because of its API rate limit: run it again in a few minutes."
NO_MORE_TIME = "This run is out of time: run it again."
# The server gives 100 incidents at a time unless it is told otherwise.
PAGE = 100
MOST_COMPARED = 1000
# With more, xsoar-search-incidents does not give them whole.
IDS_AT_ONCE = 50
# What changed within the first may still be on its way, and what changed during the run as well.
SETTLED_MS, LONGEST_RUN_MS = 2 * 60 * 1000, 5 * 60 * 1000
# A server ends a script after five minutes, and a call of a remote that is away may take 90 seconds.
RUN_SECONDS = 200
COLUMNS = ["id", "local", "kinds", "fields", "entries", "decide"]
DECISIONS = {
    NO_LOCAL: (
        "No local incident mirrors it: end its mirroring with xsoar-mirror-stop, or create an incident and link the two with the"
        " playbook XSOAR Mirroring - Link Existing Incident."
    ),
    LOCAL_ONLY: (
        "The remote tenant has no such incident, or the role of the key may not see it: let the role see it, or clear the field"
        " dbotMirrorInstance here to end its mirroring."
    ),
}
NOT_IN = f"{NEVER_IN} is never mirrored in: enter the right value here or there."
ONLY_OUT = "Its direction is outgoing only: enter here again the values that are to go out."


@dataclass(frozen=True)
class Wanted:
    """What is to be compared, and how.

    instance: the name of the instance.
    scope: one of SCOPES.
    limit: how many local incidents are compared, and of how many more it is looked up whether they are here.
    after: where the last run said to go on: with the values of local incidents created at an ISO time or later, or, when all
        were compared, with looking up what is missing here, behind a remote ID; "" for all.
    entries: one of ENTRIES.
    repair: whether to repair what can be repaired.
    """

    instance: str
    scope: str
    limit: int
    after: str
    entries: str
    repair: bool

    @property
    def behind(self) -> str:
        """The remote ID behind which to look up what is missing here; "" for all."""
        return self.after if self.after.isdecimal() else ""


@dataclass(frozen=True)
class News:
    """A kind of drift that the script found, what a person must decide about it, and the fields whose values differ."""

    kind: str
    decide: str = ""
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drift:
    """How one incident differs: what the command gives, the local incident, and the fields whose values differ."""

    id: str
    instance: str
    kinds: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    repaired: bool = False
    decide: str = ""
    local: str = ""
    fields: tuple[str, ...] = ()

    def also(self, news: News) -> "Drift":
        """Return the drift with one more kind."""
        said = " ".join(filter(None, (self.decide, news.decide)))
        return replace(self, kinds=(*self.kinds, news.kind), decide=said, fields=(*self.fields, *news.fields))


@dataclass(frozen=True)
class Compared:
    """What came of comparing local incidents.

    found: how incidents differ, by remote ID.
    unruled: the fields that differ and have no rule.
    left: the incidents that were not compared.
    stop: why they were not; "" when all were.
    """

    found: dict[str, News]
    unruled: list[str]
    left: list[dict[str, Any]]
    stop: str


@dataclass(frozen=True)
class Outcome:
    """All that a run found. `after` is where the next one goes on, `notes` are sentences on what was not looked at."""

    instance: str
    drifts: list[Drift]
    looked_at: int
    not_looked_at: int
    after: str
    notes: list[str]


def reconcile(wanted: Wanted, clock: Callable[[], float] = time.monotonic) -> Outcome:
    """Compare the incidents of an instance with the remote ones and, when it is asked for, have repaired what can be.

    Args:
        wanted: what is to be compared, and how.
        clock: seconds that pass.

    Raises:
        DemistoException: nothing can be compared; the message is a sentence with the remedy.
    """
    end = clock() + RUN_SECONDS

    def is_late() -> bool:
        return clock() > end

    summary, drifts, known_here = drifts_of_command(wanted)
    skew_ms, now_ms = skew_of(wanted.instance), int(time.time() * 1000)
    mirrored, left, go_on = local_incidents(wanted)
    # Of two that mirror the same incident, the oldest.
    by_id = {remote_id_of(incident): incident for incident in reversed(mirrored)}
    ready = [
        incident
        for remote_id, incident in reversed(by_id.items())
        if is_settled(incident, now_ms)
        and custom_fields(incident).get(STATE_FIELD) != STOPPED
        and not (remote_id in drifts and {GONE, STRANGER} & set(drifts[remote_id].kinds))
    ]
    compared = compare(ready, wanted.instance, now_ms + skew_ms, is_late)
    if compared.left:
        left, go_on = left + len(compared.left), created_of(compared.left[0])
    local_ids = {remote_id: id_of(incident) for remote_id, incident in by_id.items()}
    differing = [key for key in drifts if key not in local_ids]
    others = sorted(known_here - drifts.keys() - local_ids.keys(), key=in_order)
    others = [key for key in others if in_order(key) > in_order(wanted.behind)]
    # While values are left, the next runs read more of the local incidents.
    asked = differing + ([] if left else others[: wanted.limit])
    here = looked_up(asked, wanted.instance, is_late)
    not_looked_up = [key for key in differing + others if key not in here]
    if not_looked_up and not left:
        go_on = next((key for key in reversed(others) if key in here), wanted.behind or "0")
    local_ids |= here
    missing = known_here & {remote_id for remote_id, local_id in here.items() if not local_id}
    news = compared.found | {key: News(NO_LOCAL, DECISIONS[NO_LOCAL]) for key in missing}
    for remote_id, its_news in news.items():
        drifts[remote_id] = drifts.get(remote_id, Drift(remote_id, wanted.instance)).also(its_news)
    drifts = {key: replace(drift, local=local_ids.get(key, "")) for key, drift in drifts.items()}
    if wanted.repair:
        drifts = {key: repaired(drift, by_id.get(key, {})) for key, drift in drifts.items()}
    looked_at = max(summary["LookedAt"], len(by_id) - len(compared.left))
    limit = f"The limit of {wanted.limit} incidents is reached."
    later = f"{limit if len(here) == len(asked) else NO_MORE_TIME} Continue with after={go_on}."
    later = "The run that compares the last values looks them up." if left else later
    said = [
        (
            summary["NotLookedAt"],
            f"{RECONCILE} did not compare {summary['NotLookedAt']} incidents: run it on its own, and it says where to continue.",
        ),
        (not_looked_up, f"{len(not_looked_up)} remote incidents were not looked up here. {later}"),
        (left, f"The values of {left} local incidents were not compared. {compared.stop or limit} Continue with after={go_on}."),
        (compared.unruled, f"Fields that differ and have no rule from xsoar-mirror-mappers: {', '.join(compared.unruled)}."),
    ]
    notes = [sentence for is_so, sentence in said if is_so]
    ordered = [drifts[key] for key in sorted(drifts, key=in_order)]
    not_looked_at = summary["NotLookedAt"] + (left or len(not_looked_up))
    return Outcome(wanted.instance, ordered, looked_at, not_looked_at, go_on, notes)


def parse(args: dict[str, Any]) -> Wanted:
    """Return what the arguments say. Raises DemistoException for one that is wrong, or that is needed and missing."""
    limit = str(args.get("limit") or "200")
    if not (limit.isdecimal() and 1 <= int(limit) <= MOST_COMPARED):
        raise DemistoException(f"limit is {limit}: give a whole number from 1 to {MOST_COMPARED}.")
    after = str(args.get("after") or "").strip()
    if after and not after.isdecimal() and milliseconds(after) is None:
        raise DemistoException(f"after is {after}: give the value shown by the last run, such as 2026-03-01T00:00:00Z or 4711.")
    try:
        repair = argToBoolean(args.get("repair") or False)
    except ValueError:
        raise DemistoException(f"repair is {args['repair']}: give true or false.")
    scope, entries = (chosen(args, name, options) for name, options in (("scope", SCOPES), ("entries", ENTRIES)))
    return Wanted(chosen_instance(str(args.get("instance") or "").strip()), scope, int(limit), after, entries, repair)


def chosen(args: dict[str, Any], name: str, options: tuple[str, ...]) -> str:
    """Return an argument that has one of some values, of which the first is the default."""
    value = str(args.get(name) or options[0]).strip().lower()
    if value not in options:
        raise DemistoException(f"{name} is {value}: give {', '.join(options[:-1])} or {options[-1]}.")
    return value


def chosen_instance(name: str) -> str:
    """Return the instance: the one that is named, else the only one that is enabled.

    Raises DemistoException where the server lists its instances and this one is not enabled or not ours, or where none is named
    and there is not exactly one.
    """
    instances = demisto.getModules() or {}
    ours = {key: module for key, module in instances.items() if module.get("brand") == BRAND}
    enabled = sorted(key for key, module in ours.items() if module.get("state") == "active")
    if not name and len(enabled) == 1:
        return enabled[0]
    if not name:
        there_is = ", ".join(enabled) or "none is enabled"
        raise DemistoException(f"instance is missing: give the name of an instance of {BRAND}: {there_is}.")
    if instances and name not in ours:
        raise DemistoException(
            f"There is no instance {name} of {BRAND}. The existing ones are: {', '.join(sorted(ours)) or 'none'}."
        )
    if instances and name not in enabled:
        raise DemistoException(f"The instance {name} is disabled: enable it on the integrations page and try again.")
    return name


def drifts_of_command(wanted: Wanted) -> tuple[dict[str, int], dict[str, Drift], set[str]]:
    """Run xsoar-mirror-reconcile; return how many incidents it looked at and did not, its drifts, and what it takes to be here.

    Drifts are by remote ID. The remote IDs in the set are of those compared that a local incident is known to mirror.
    """
    args = {"scope": wanted.scope, "entries": wanted.entries, "repair": str(wanted.repair).lower(), "using": wanted.instance}
    entries = execute(RECONCILE, args)
    contents, context = (entries[0].get(key) if entries else None for key in ("Contents", "EntryContext"))
    outputs = {path.partition("(")[0]: value for path, value in (context or {}).items()}
    summary, rows = outputs.get("XSOAR.Mirror.Reconcile"), outputs.get("XSOAR.Mirror.Drift") or []
    if not (isinstance(summary, dict) and isinstance(contents, dict)):
        raise DemistoException(f"{RECONCILE} returned no result: check that the instance {wanted.instance} is enabled.")
    drifts = {
        str(row["id"]): Drift(
            str(row["id"]),
            wanted.instance,
            tuple(row.get("kinds") or ()),
            tuple(row.get("entries") or ()),
            bool(row.get("repaired")),
            str(row.get("decide") or ""),
        )
        for row in rows
    }
    counts = {key: int(summary.get(key) or 0) for key in ("LookedAt", "NotLookedAt")}
    return counts, drifts, set(contents.get("known_here") or ())


def local_incidents(wanted: Wanted) -> tuple[list[dict[str, Any]], int, str]:
    """Return the local incidents to compare, the oldest first; how many are behind the limit, and when the first was created."""
    if wanted.behind:
        return [], 0, ""
    query = f"dbotMirrorInstance:{quoted(wanted.instance)}"
    query += " -status:closed" if wanted.scope == "open" else ""
    query += f" created:>={quoted(wanted.after)}" if wanted.after else ""
    incidents, total = found(query, wanted.limit)
    chosen_ones, more = incidents[: wanted.limit], incidents[wanted.limit :]
    left = max(len(more), total - len(chosen_ones)) if more else 0
    return [item for item in chosen_ones if is_mirrored(item, wanted.instance)], left, created_of(more[0]) if more else ""


def found(query: str, most: int) -> tuple[list[dict[str, Any]], int]:
    """Return the local incidents that a query finds, each once, the oldest first, and how many there are by the server.

    They are all, or more than `most`, and of each there is only what is compared. Raises DemistoException if they cannot be read.
    """
    incidents: dict[str, dict[str, Any]] = {}
    page = total = 0
    # A page may be shorter than it was asked for, so the end is where nothing new comes.
    while len(incidents) <= most:
        contents = contents_of("getIncidents", {"query": query, "size": PAGE, "page": page, "sort": "created.asc"})
        portion = {id_of(incident): brief(incident) for incident in contents.get("data") or []}
        if portion.keys() <= incidents.keys():
            break
        incidents |= portion
        page, total = page + 1, int(contents.get("total") or 0)
    return list(incidents.values()), total


def brief(incident: dict[str, Any]) -> dict[str, Any]:
    """Return what is compared of an incident, and what tells how it is mirrored."""
    kept = (*COMPARED_FIELDS, "id", "status", "created", "modified", "CustomFields")
    return {key: value for key, value in incident.items() if key in kept or key.startswith("dbotMirror")}


def is_mirrored(incident: dict[str, Any], instance: str) -> bool:
    """Return whether a local incident says that an instance mirrors it with a remote one that exists already.

    A search does not tell upper from lower case.
    """
    return bool(
        incident.get("dbotMirrorInstance") == instance and incident.get("dbotMirrorId") and incident.get("dbotMirrorDirection")
    )


def is_settled(incident: dict[str, Any], now_ms: int) -> bool:
    """Return whether the last change of an incident is so old that it has crossed.

    Args:
        incident: a local or a remote one.
        now_ms: the time by the clock of its tenant, before the incident was read.
    """
    modified_ms = milliseconds(incident.get("modified"))
    return modified_ms is None or not now_ms - SETTLED_MS < modified_ms < now_ms + LONGEST_RUN_MS


def compare(incidents: list[dict[str, Any]], instance: str, there_ms: int, is_late: Callable[[], bool]) -> Compared:
    """Compare local incidents, in their order, with the remote ones that they mirror.

    Which fields may differ is seen here. For an incident in which one seems to, xsoar-mirror-diff is asked: it knows what the
    sharing policy keeps back, which fields have a rule in the mappers, and whether an incident that no search gives is there.

    Args:
        incidents: what `brief` gives of each.
        instance: the name of the instance.
        there_ms: the time by the clock of the remote tenant.
        is_late: whether the time of the run is used up.
    """
    remote, stop = remote_incidents([remote_id_of(incident) for incident in incidents], instance, is_late)
    # A tenant has a field that one of its incidents has: an incident in which it was emptied may not.
    both = set().union(*map(custom_fields, incidents)) & set().union(*map(custom_fields, remote.values()))
    shared = {name for name in both if not name.lower().startswith(OWN_FIELD_PREFIX)}
    differing: dict[str, News] = {}
    unruled: set[str] = set()

    def result(place: int, why: str = "") -> Compared:
        return Compared(differing, sorted(unruled), incidents[place:], why)

    for place, incident in enumerate(incidents):
        remote_id = remote_id_of(incident)
        there = remote.get(remote_id)
        if there is None and stop:
            return result(place, stop)
        seeming = seeming_different(incident, there, shared) if there else []
        if there and not (seeming and is_settled(there, there_ms)):
            continue
        if is_late():
            return result(place, NO_MORE_TIME)
        try:
            rows = different_rows(incident, remote_id, instance)
        except DemistoException as error:
            if LIMITED in str(error):
                return result(place, NO_MORE_CALLS)
            is_missing = str(error).startswith(MISSING)
            differing[remote_id] = News(LOCAL_ONLY, DECISIONS[LOCAL_ONLY]) if is_missing else News(NOT_COMPARED, str(error))
            continue
        # What is kept back or has no rule is so in all incidents, so it is not asked for again.
        shared -= set(seeming) - {row["field"] for row in rows if row.get("mapped")}
        different = [row for row in rows if not row.get("equal") and row["field"] in seeming]
        unruled |= {row["field"] for row in different if not row.get("mapped")}
        if fields := tuple(row["field"] for row in different if row.get("mapped")):
            differing[remote_id] = News(FIELDS, decision(fields, incident), fields)
    return result(len(incidents))


def seeming_different(here: dict[str, Any], there: dict[str, Any], shared: Iterable[str]) -> list[str]:
    """Return the names of the fields whose values differ, of COMPARED_FIELDS and of the given custom fields.

    What the remote incident lacks of the first is kept back by the sharing policy.
    """
    mine, theirs = custom_fields(here), custom_fields(there)
    own = [name for name in COMPARED_FIELDS if name in there and plain_value(here.get(name)) != plain_value(there[name])]
    return own + sorted(name for name in shared if plain_value(mine.get(name)) != plain_value(theirs.get(name)))


def decision(different: Iterable[str], incident: dict[str, Any]) -> str:
    """Return what a person must do about fields that no resync brings; "" if it brings them all."""
    if str(incident.get("dbotMirrorDirection")).lower() == "out":
        return ONLY_OUT
    return NOT_IN if NEVER_IN in different else ""


def custom_fields(incident: dict[str, Any]) -> dict[str, Any]:
    """Return the custom fields of an incident."""
    custom = incident.get("CustomFields")
    return custom if isinstance(custom, dict) else {}


def plain_value(value: Any) -> Any:
    """Return a field's value for comparison: all empty values are None, and times are compared in milliseconds."""
    if value in (None, "", [], {}) or str(value).startswith("0001-01-01T00:00:00"):
        return None
    moment_ms = milliseconds(value)
    return value if moment_ms is None else f"time {moment_ms}"


def milliseconds(value: Any) -> int | None:
    """Return an ISO time as milliseconds since 1970; None for what is none. Without a zone it is UTC."""
    if not (isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d", value)):
        return None
    try:
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)


def remote_incidents(remote_ids: list[str], instance: str, is_late: Callable[[], bool]) -> tuple[dict[str, dict[str, Any]], str]:
    """Return the remote incidents of some IDs, by ID, as a few searches give them, and why some were not asked for."""
    remote: dict[str, dict[str, Any]] = {}
    for begin in range(0, len(remote_ids), IDS_AT_ONCE):
        if is_late():
            return remote, NO_MORE_TIME
        asked = remote_ids[begin : begin + IDS_AT_ONCE]
        query = " or ".join(f"id:{quoted(remote_id)}" for remote_id in asked)
        args = {"query": query, "start_time": "1970-01-01T00:00:00Z", "max_results": len(asked), "columns": "id"}
        try:
            entries = execute(SEARCH, {**args, "using": instance})
        except DemistoException as error:
            return remote, reason_of(error)
        contents = entries[0].get("Contents") if entries else None
        remote |= {id_of(incident): brief(incident) for incident in contents or [] if isinstance(incident, dict)}
    return remote, ""


def different_rows(incident: dict[str, Any], remote_id: str, instance: str) -> list[dict[str, Any]]:
    """Return what xsoar-mirror-diff tells of each field. Raises DemistoException when the remote one cannot be read."""
    contents = contents_of(DIFF, {"id": remote_id, "incident": json.dumps(incident), "using": instance})
    return list(contents.get("fields") or [])


def skew_of(instance: str) -> int:
    """Return how many milliseconds the clock of the remote tenant is ahead of the local one, as far as the status tells."""
    return int(contents_of(STATUS, {"using": instance}).get("ClockSkewSeconds") or 0) * 1000


def looked_up(remote_ids: list[str], instance: str, is_late: Callable[[], bool]) -> dict[str, str]:
    """Return the local incidents that the instance mirrors with some remote ones: remote ID -> local ID, "" if there is none.

    Those that there is no time for are left out.
    """
    here: dict[str, str] = {}
    for begin in range(0, len(remote_ids), IDS_AT_ONCE):
        if is_late():
            break
        asked = remote_ids[begin : begin + IDS_AT_ONCE]
        incidents, _ = found(" or ".join(f"dbotMirrorId:{quoted(remote_id)}" for remote_id in asked), MOST_COMPARED)
        ours = {remote_id_of(item): id_of(item) for item in incidents if item.get("dbotMirrorInstance") == instance}
        here |= {remote_id: ours.get(remote_id, "") for remote_id in asked}
    return here


def repaired(drift: Drift, incident: dict[str, Any]) -> Drift:
    """Have the next round bring the fields of an incident whose values differ, and return its drift.

    Where local changes have yet to go out, they would be lost.
    """
    is_out = decision([], incident) == ONLY_OUT
    if FIELDS not in drift.kinds or UNSENT in drift.kinds or is_out or set(drift.fields) == {NEVER_IN}:
        return drift
    try:
        execute(RESYNC, {"id": drift.id, "fields": "true", "entries": "false", "using": drift.instance})
    except DemistoException as error:
        return replace(drift, decide=" ".join(filter(None, (drift.decide, reason_of(error)))))
    return replace(drift, repaired=True)


def id_of(incident: dict[str, Any]) -> str:
    """Return the ID of an incident."""
    return str(incident.get("id"))


def remote_id_of(incident: dict[str, Any]) -> str:
    """Return the ID of the remote incident that a local one mirrors."""
    return str(incident.get("dbotMirrorId") or "")


def created_of(incident: dict[str, Any]) -> str:
    """Return when an incident was created."""
    return str(incident.get("created"))


def in_order(incident_id: str) -> tuple[int, str]:
    """Return the sort key of an ID: numbers by their value."""
    return len(incident_id), incident_id


def quoted(text: str) -> str:
    """Return a text as a value of a query."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def reason_of(error: DemistoException) -> str:
    """Return why the remote tenant could not be asked, as a sentence with the remedy."""
    return NO_MORE_CALLS if LIMITED in str(error) else str(error)


def contents_of(command: str, args: dict[str, Any]) -> dict[str, Any]:
    """Run a command and return the object that it gives. Raises DemistoException when it failed or gives none."""
    entries = execute(command, args)
    contents = entries[0].get("Contents") if entries else None
    if not isinstance(contents, dict):
        raise DemistoException(f"{command} returned no result: check that the instance is enabled, and try again.")
    return contents


def execute(command: str, args: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a command and return its entries. Raises DemistoException when it failed, or no enabled instance has it."""
    try:
        entries = demisto.executeCommand(command, args)
    except Exception as error:  # Versions differ in what they raise.
        raise DemistoException(str(error)) from error
    if is_error(entries):
        raise DemistoException(get_error(entries))
    return entries or []


def report(outcome: Outcome, repair: bool) -> CommandResults:
    """Return the drifts as a table and under XSOAR.Mirror.Drift, and the counts under XSOAR.Mirror.Reconcile."""
    rows = [asdict(drift) for drift in outcome.drifts]
    table = [
        {key: plain(", ".join(value) if isinstance(value, tuple) else str(value)) for key, value in row.items()} for row in rows
    ]
    title = f"{len(rows)} of {outcome.looked_at} incidents differ"
    readable = tableToMarkdown(title, table, headers=COLUMNS, removeNull=True)
    if repair and any(drift.repaired for drift in outcome.drifts):
        readable += "\nThe next mirroring rounds repair what does not need a decision."
    elif not repair and any(not drift.decide for drift in outcome.drifts):
        readable += (
            "\nWith repair=true, the next rounds repair what does not need a decision. Remote values overwrite local ones."
        )
    readable += "".join(f"\n{note}" for note in outcome.notes)
    summary = {
        "Instance": outcome.instance,
        "LookedAt": outcome.looked_at,
        "NotLookedAt": outcome.not_looked_at,
        "After": outcome.after,
        "Differ": len(rows),
    }
    return CommandResults(
        outputs={
            "XSOAR.Mirror.Reconcile(val.Instance && val.Instance == obj.Instance)": summary,
            "XSOAR.Mirror.Drift(val.id && val.id == obj.id && val.instance == obj.instance)": rows,
        },
        readable_output=readable,
    )


def plain(text: str) -> str:
    """Return a text on one line, with what is Markdown or HTML in it shown as it is."""
    safe = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\*_\[\]~!])", r"\\\1", safe)


def main() -> None:
    """Run the script: a table of what differs, or one error entry."""
    try:
        wanted = parse(demisto.args())
        return_results(report(reconcile(wanted), wanted.repair))
    except Exception as error:
        return_error(NO_MORE_CALLS if LIMITED in str(error) else str(error))


if __name__ in ("__main__", "__builtin__", "builtins"):
    main()
