import demistomock as demisto
from CommonServerPython import *

from CommonServerUserPython import *

"""Links local incidents that already name a remote one, so that XSOAR Mirroring mirrors each pair from then on.

A pair is resynced before its mirror fields are set. From the resync on no fetch brings the remote incident, and a run that dies
between the two leaves a local incident that is not linked yet, which the next run links.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

# The integration's name, as its instances carry it.
BRAND = "XSOAR Mirroring"
DIFF = "xsoar-mirror-diff"
RESYNC = "xsoar-mirror-resync"
DIRECTIONS = ("In", "Out", "Both")
TO_LINK, LINKED, SKIPPED, FAILED, NOT_TRIED = OUTCOMES = ("To link", "Linked", "Skipped", "Failed", "Not tried")
# How the integration's errors begin that concern more than one pair, and those about an incident that does not exist.
LIMITED = "API rate limit"
MISSING = "The remote tenant has no "
NO_MORE_CALLS = "The remote tenant is refusing calls because of its API rate limit: run it again in a few minutes."
# The server gives 100 incidents at a time unless it is told otherwise.
PAGE = 100
MOST_FOUND = 1000
LONGEST_ID = 100
IDS_AT_ONCE = 50
# A server ends a script after five minutes, and a pair whose remote is away may take 90 seconds.
RUN_SECONDS = 150
COLUMNS = ["incident", "remote", "exists", "different", "outcome", "reason"]


@dataclass(frozen=True)
class Wanted:
    """What is to be linked, and how.

    query: finds the local incidents.
    field: the CLI name of the local field that names the remote incident.
    instance, direction, tags: what the mirror fields are set to.
    limit: how many pairs are looked at.
    is_dry: whether nothing is changed.
    """

    query: str
    field: str
    instance: str
    direction: str
    tags: tuple[str, ...]
    limit: int
    is_dry: bool

    def mirror_fields(self, remote_id: str) -> dict[str, Any]:
        """Return the mirror fields of an incident that is linked."""
        fields = {"dbotMirrorId": remote_id, "dbotMirrorInstance": self.instance, "dbotMirrorDirection": self.direction}
        return {**fields, "dbotMirrorTags": list(self.tags)} if self.tags else fields


@dataclass(frozen=True)
class Row:
    """What came of one local incident.

    incident, remote: the IDs of the pair.
    outcome: one of OUTCOMES.
    reason: why it was not linked, and what to do.
    exists: whether the remote incident exists; None: it was not asked.
    different: the fields that differ; None: they were not compared.
    """

    incident: str
    remote: str
    outcome: str
    reason: str = ""
    exists: bool | None = None
    different: list[str] | None = None


def adopt(wanted: Wanted, clock: Callable[[], float] = time.monotonic) -> list[Row]:
    """Link the local incidents that a query finds with the remote ones that they name; return a row for each.

    Args:
        wanted: what is to be linked, and how.
        clock: seconds that pass.

    Raises:
        DemistoException: the instance or the local incidents cannot be had; the message is a sentence with the remedy.
    """
    end = clock() + RUN_SECONDS
    ensure_instance(wanted.instance)
    incidents = found(wanted.query, MOST_FOUND)
    reasons = reasons_to_skip(incidents, wanted)
    free = [named_id(incident, wanted.field) for incident in incidents if id_of(incident) not in reasons]
    taken = mirrored_by(free, wanted.instance)
    rows: list[Row] = []
    tried, stop = 0, ""
    for incident in incidents:
        row = Row(id_of(incident), named_id(incident, wanted.field), NOT_TRIED)
        if reason := reasons.get(row.incident) or reason_taken(row, taken, wanted):
            row = replace(row, outcome=SKIPPED, reason=reason)
        elif stop := stop or reason_to_stop(tried, wanted.limit, is_late=clock() > end):
            row = replace(row, reason=stop)
        else:
            row = linked(incident, row, wanted)
            tried += 1
            stop = row.reason if row.outcome == NOT_TRIED else ""
        rows.append(row)
    return rows


def parse(args: dict[str, Any]) -> Wanted:
    """Return what the arguments say. Raises DemistoException for one that is missing or wrong."""
    for name, example in (("query", "type:Phishing -status:closed"), ("id_field", "ticketnumber"), ("instance", "customer")):
        if not str(args.get(name) or "").strip():
            raise DemistoException(f'{name} is missing: give it, for example {name}="{example}".')
    direction = str(args.get("direction") or "Both")
    if direction not in DIRECTIONS:
        raise DemistoException(
            f"direction is {direction}: give In (remote changes are mirrored here), Out (local changes are mirrored there) or"
            " Both."
        )
    limit = str(args.get("limit") or "50")
    if not (limit.isdecimal() and 1 <= int(limit) <= MOST_FOUND):
        raise DemistoException(f"limit is {limit}: give a whole number from 1 to {MOST_FOUND}.")
    try:
        is_dry = args.get("dry_run") in (None, "") or argToBoolean(args["dry_run"])
    except ValueError:
        raise DemistoException(f"dry_run is {args['dry_run']}: give true or false.")
    query, field, instance = (str(args[name]).strip() for name in ("query", "id_field", "instance"))
    return Wanted(query, field, instance, direction, tuple(argToList(args.get("tags"))), int(limit), is_dry)


def ensure_instance(instance: str) -> None:
    """Raise DemistoException where the server lists its instances and this one cannot link anything."""
    instances = demisto.getModules() or {}
    if not instances:
        return
    found_instance = instances.get(instance)
    if found_instance is None or found_instance.get("brand") != BRAND:
        ours = sorted(name for name, module in instances.items() if module.get("brand") == BRAND)
        raise DemistoException(f"There is no instance {instance} of {BRAND}. The existing ones are: {', '.join(ours) or 'none'}.")
    if found_instance.get("state") != "active":
        raise DemistoException(f"The instance {instance} is disabled: enable it on the integrations page and try again.")


def found(query: str, most: int) -> list[dict[str, Any]]:
    """Return the local incidents that a query finds, each once, the oldest first.

    Raises:
        DemistoException: there are more than `most`, or they cannot be read.
    """
    incidents: dict[str, dict[str, Any]] = {}
    # A page may be shorter than it was asked for, so the end is where nothing new comes.
    for page in range(most):
        entries = execute("getIncidents", {"query": query, "size": PAGE, "page": page, "sort": "created.asc"})
        contents = entries[0].get("Contents") if entries else None
        if not isinstance(contents, dict):
            raise DemistoException(f"The server returned no result for the query {query}: check it on the incidents page.")
        portion = {id_of(incident): incident for incident in contents.get("data") or []}
        if portion.keys() <= incidents.keys():
            break
        incidents |= portion
        if len(incidents) > most:
            raise DemistoException(f"The query finds more than {most} incidents: narrow it, for example by created.")
    return list(incidents.values())


def id_of(incident: dict[str, Any]) -> str:
    """Return the ID of a local incident."""
    return str(incident.get("id"))


def named_id(incident: dict[str, Any], field: str) -> str:
    """Return the remote ID that a field of a local incident holds; "" when it is empty."""
    custom = incident.get("CustomFields") or {}
    value = custom.get(field, incident.get(field))
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value in (None, [], {}) else str(value).strip()


def reasons_to_skip(incidents: list[dict[str, Any]], wanted: Wanted) -> dict[str, str]:
    """Return why local incidents cannot be linked, as far as they tell it themselves, by their IDs."""
    reasons: dict[str, str] = {}
    free: dict[str, list[str]] = defaultdict(list)
    for incident in incidents:
        remote_id = named_id(incident, wanted.field)
        if reason := reason_of_its_own(incident, remote_id, wanted):
            reasons[id_of(incident)] = reason
        else:
            free[remote_id].append(id_of(incident))
    for ids in free.values():
        if len(ids) > 1:
            reason = f"Incidents {', '.join(ids)} all name the same remote incident: clear {wanted.field} in all but one."
            reasons |= dict.fromkeys(ids, reason)
    return reasons


def reason_of_its_own(incident: dict[str, Any], remote_id: str, wanted: Wanted) -> str:
    """Return why an incident cannot be linked, whatever others there are; "" when it can."""
    mirrored_id, instance = str(incident.get("dbotMirrorId") or ""), str(incident.get("dbotMirrorInstance") or "")
    if instance:
        partner = f"with remote incident {mirrored_id}" if mirrored_id else "which will create it in the remote tenant"
        return f"It is already mirrored by the instance {instance}, {partner}: there is nothing to do."
    if not remote_id:
        return (
            f"Its field {wanted.field} is empty: enter the ID of the remote incident, or check that id_field is the CLI name of"
            " the field."
        )
    if len(remote_id) > LONGEST_ID or not remote_id.isprintable():
        return f"Its field {wanted.field} contains text, not an incident ID: enter the ID there, or give another id_field."
    if mirrored_id not in ("", remote_id):
        return (
            f"Its field dbotMirrorId is {mirrored_id}, so another mirror created or still mirrors it: clear that field if the"
            " other mirroring has ended."
        )
    return ""


def mirrored_by(remote_ids: list[str], instance: str) -> dict[str, list[str]]:
    """Return the local incidents that an instance mirrors already, by the remote IDs, of which it is asked."""
    taken: dict[str, list[str]] = defaultdict(list)
    unique = list(dict.fromkeys(remote_ids))
    for start in range(0, len(unique), IDS_AT_ONCE):
        asked = unique[start : start + IDS_AT_ONCE]
        for incident in found(" or ".join(f"dbotMirrorId:{quoted(remote_id)}" for remote_id in asked), MOST_FOUND):
            # A search does not tell upper from lower case.
            if incident.get("dbotMirrorInstance") == instance:
                taken[str(incident.get("dbotMirrorId"))].append(id_of(incident))
    return taken


def quoted(text: str) -> str:
    """Return a text as a value of a query."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def reason_taken(row: Row, taken: dict[str, list[str]], wanted: Wanted) -> str:
    """Return why a pair cannot be linked of which the remote incident is mirrored here already; "" when it is not."""
    others = [incident_id for incident_id in taken.get(row.remote, []) if incident_id != row.incident]
    if not others:
        return ""
    return (
        f"Incident {', '.join(others)} already mirrors that remote incident: close this one as its duplicate, or clear its field"
        f" {wanted.field}."
    )


def reason_to_stop(tried: int, limit: int, *, is_late: bool) -> str:
    """Return why no further pair is tried, and what to do; "" when one is."""
    if tried >= limit:
        return f"The limit of {limit} pairs is reached: run it again once these are linked, or raise limit."
    return "This run is out of time: run it again." if is_late else ""


def linked(incident: dict[str, Any], row: Row, wanted: Wanted) -> Row:
    """Compare a pair and, unless it is a dry run, link it; return its row."""
    try:
        row = replace(row, different=different_fields(incident, row.remote, wanted.instance), exists=True)
    except DemistoException as error:
        return failed(row, str(error))
    if wanted.is_dry:
        return replace(row, outcome=TO_LINK)
    fields = wanted.mirror_fields(row.remote)
    try:
        # It is resynced as what it is about to be: linked by hand, wherever it came from.
        about_to_be = {"id": row.incident, "status": incident.get("status"), **fields}
        execute(RESYNC, {"id": row.remote, "incident": json.dumps(about_to_be), "using": wanted.instance})
    except DemistoException as error:
        return failed(row, str(error))
    try:
        execute("setIncident", {"id": row.incident, **fields})
    except DemistoException as error:
        reason = f"Its mirror fields could not be set: {error} The remote incident is no longer fetched, so run it again."
        return replace(row, outcome=FAILED, reason=reason)
    return replace(row, outcome=LINKED)


def different_fields(incident: dict[str, Any], remote_id: str, instance: str) -> list[str]:
    """Return the names of the fields in which a pair differs. Raises DemistoException when the remote one cannot be read."""
    compared = {key: value for key, value in incident.items() if key != "rawJSON"}
    entries = execute(DIFF, {"id": remote_id, "incident": json.dumps(compared), "using": instance})
    contents = entries[0].get("Contents") if entries else None
    if not isinstance(contents, dict):
        raise DemistoException(f"{DIFF} returned no result: check that the instance {instance} is enabled.")
    return list(contents.get("different") or [])


def failed(row: Row, error: str) -> Row:
    """Return the row of a pair for which the remote could not be asked, or said no."""
    if LIMITED in error:
        return replace(row, outcome=NOT_TRIED, reason=NO_MORE_CALLS)
    if error.startswith(MISSING):
        return replace(row, outcome=SKIPPED, exists=False, reason=error)
    return replace(row, outcome=FAILED, reason=f"{error} Nothing was changed for this pair: run it again.")


def execute(command: str, args: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a command and return its entries. Raises DemistoException when it failed, or no enabled instance has it."""
    try:
        entries = demisto.executeCommand(command, args)
    except Exception as error:  # Versions differ in what they raise.
        raise DemistoException(str(error)) from error
    if is_error(entries):
        raise DemistoException(get_error(entries))
    return entries or []


def report(rows: list[Row], is_dry: bool) -> CommandResults:
    """Return the rows as a table, and under XSOAR.Mirror.Adopt."""
    numbers = Counter(row.outcome for row in rows)
    counts = ", ".join(f"{numbers[outcome]} {outcome.lower()}" for outcome in OUTCOMES if numbers[outcome])
    title = f"Incidents to adopt: {counts or 'the query finds none'}"
    yes_no = {True: "yes", False: "no", None: ""}
    table = [
        {
            "incident": plain(row.incident),
            "remote": plain(row.remote),
            "exists": yes_no[row.exists],
            "different": plain(", ".join(row.different or [])),
            "outcome": row.outcome,
            "reason": plain(row.reason),
        }
        for row in rows
    ]
    readable = tableToMarkdown(title, table, headers=COLUMNS)
    if is_dry:
        readable += "\nThis dry run changed nothing. To link the pairs marked *To link*, run it with dry_run=false."
    elif any(row.outcome == LINKED for row in rows):
        readable += "\nThe next mirroring round mirrors in the whole remote incidents, unless the direction is Out."
    return CommandResults(
        outputs_prefix="XSOAR.Mirror.Adopt",
        outputs_key_field="incident",
        outputs=[asdict(row) for row in rows],
        readable_output=readable,
    )


def plain(text: str) -> str:
    """Return a text on one line, with what is Markdown or HTML in it shown as it is."""
    safe = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\*_\[\]~!])", r"\\\1", safe)


def main() -> None:
    """Run the script: a table with a row for each incident, or one error entry."""
    try:
        wanted = parse(demisto.args())
        return_results(report(adopt(wanted), wanted.is_dry))
    except Exception as error:
        return_error(str(error))


if __name__ in ("__main__", "__builtin__", "builtins"):
    main()
