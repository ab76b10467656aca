"""Two running tenants whose incidents are mirrored in both directions by the pack, and the proof that both sides are equal.

Then some of it is broken on purpose, named, repaired, and proved equal again.
"""

import secrets
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from starlette.requests import Request
from starlette.responses import Response

from local_xsoar.cli.arguments import OneSentenceParser
from local_xsoar.cli.linked import (
    CUSTOMER_VERSION,
    HEADQUARTERS_VERSION,
    IN_TAG,
    INSTANCE,
    OUT_TAG,
    Linked,
    checked,
    configure,
    counted,
    keep_mirroring,
    linked_tenants,
    what_to_try,
)
from local_xsoar.comparison import Finding, compare_incidents
from local_xsoar.host import HostError
from local_xsoar.tenant import Tenant, TenantError, TenantSettings
from local_xsoar.tenant.samples import load_samples
from local_xsoar.tenant.times import MINUTE
from local_xsoar.tenant.web.views import status

MOST_ROUNDS = 10
HALF_AN_HOUR, AN_HOUR, TEN_MINUTES = 30 * MINUTE, 60 * MINUTE, 10 * MINUTE


class DemoError(Exception):
    """Something in the demo did not go as it must; the message is one sentence."""


@dataclass
class Clock:
    """The clock of both tenants: as far behind this machine's as the demo lets time pass, so that it ends in the present."""

    behind: int = HALF_AN_HOUR + TEN_MINUTES + AN_HOUR  # Nanoseconds.

    def __call__(self) -> int:
        """Return the time in epoch nanoseconds."""
        return time.time_ns() - self.behind

    def pass_time(self, nanoseconds: int) -> None:
        """Let time pass at once."""
        self.behind -= nanoseconds


@dataclass
class Line:
    """The line to the customer: `meanwhile` happens before a request arrives, and an answer it gives is the customer's."""

    meanwhile: Callable[[Request], Response | None] | None = None

    async def __call__(self, request: Request) -> Response | None:
        """Let a request pass, or answer it."""
        return self.meanwhile(request) if self.meanwhile else None


@dataclass(frozen=True)
class Stage(Linked):
    """The two tenants, their clock, the line to the customer, and where the story is told."""

    clock: Clock
    line: Line
    console: Console

    def say(self, text: str) -> None:
        """Print a line of progress, unbroken: addresses and commands in it are to be copied."""
        self.console.print(text, highlight=False, soft_wrap=True)

    def local_id(self, remote_id: str) -> str:
        """Return the id at headquarters of the customer's incident."""
        found, _ = self.headquarters.search({"query": f'dbotMirrorId:"{remote_id}" dbotMirrorInstance:{INSTANCE}', "size": 2})
        if len(found) != 1:
            raise DemoError(f"The customer's incident {remote_id} exists {len(found)} times at headquarters instead of once.")
        return str(found[0]["id"])


def main(arguments: list[str]) -> int:
    """Run the demo; return 0 when both sides are equal at its end, 1 when they are not, 2 for wrong arguments."""
    parser = OneSentenceParser("demo", description=__doc__)
    parser.add_argument(
        "--incidents", type=int, default=12, help="how many incidents the customer has (6 to 200; default: %(default)s)"
    )
    parser.add_argument("--keep", action="store_true", help="leave both tenants running until Ctrl-C")
    options = parser.parse_args(arguments)
    if not 6 <= options.incidents <= 200:
        parser.error(f"--incidents is {options.incidents}, but must be from 6 to 200")
    console = Console()
    try:
        with stage(console) as set_up:
            return run(set_up, options.incidents, options.keep)
    except (DemoError, HostError, TenantError, OSError) as error:
        console.print(f"[bold red]The demo stopped:[/] {error}", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130


@contextmanager
def stage(console: Console) -> Iterator[Stage]:
    """Start both tenants on loopback ports and the host of the pack; all of it is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="xsoar-mirroring-"))
    clock, line = Clock(), Line()
    headquarters = TenantSettings(
        "headquarters", folder / "headquarters", version=HEADQUARTERS_VERSION, api_key=secrets.token_hex(16), key_id="7"
    )
    # Its HTTP answers tell the time of its clock, so that the lag that the mirror measures is a right one.
    customer = TenantSettings(
        "customer", folder / "customer", version=CUSTOMER_VERSION, api_key=secrets.token_hex(16), date_header=0
    )
    try:
        with linked_tenants(folder / "host", headquarters, customer, clock=clock, customer_hook=line) as linked:
            yield Stage(**vars(linked), clock=clock, line=line, console=console)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(set_up: Stage, incidents: int, keep: bool) -> int:
    """Play the demo from the first fetch to the last comparison; return the exit status."""
    started = time.monotonic()
    set_up.say(f"[bold]headquarters[/] is an XSOAR {set_up.headquarters.settings.version} at {set_up.headquarters_url}")
    set_up.say(f"[bold]customer[/] is an XSOAR {set_up.customer.settings.version} at {set_up.customer_url}")
    if keep:
        set_up.say("Watch both in a browser on this machine, side by side:")
        set_up.say(f"  {set_up.headquarters_page}\n  {set_up.customer_page}")
    remote_ids = load_samples(set_up.customer, incidents)
    set_up.say(f"The customer has {len(remote_ids)} incidents with notes, chats and files.\n")

    configure(set_up)
    set_up.say(f"At headquarters an instance [bold]{INSTANCE}[/] of XSOAR Mirroring is configured; Test says ok.")
    fetch_all(set_up, remote_ids)
    mirror(set_up, "The first rounds mirror in what was written before the fetch")
    customer_works(set_up, remote_ids)
    headquarters_works(set_up, remote_ids)
    mirror(set_up, "The next rounds mirror the work of both sides")
    conflict(set_up, remote_ids[5])
    outage(set_up, remote_ids[1])
    close_and_reopen(set_up, remote_ids)

    findings = {remote_id: compare(set_up, remote_id) for remote_id in remote_ids}
    show_crossed(set_up, findings)
    show_comparison(set_up, findings)
    equal = tell_verdict(set_up, findings)
    show_journal(set_up)

    gone, changed, lost = remote_ids[2], remote_ids[3], remote_ids[5]
    break_on_purpose(set_up, gone, changed, lost)
    name_and_repair(set_up, {gone: ["gone"], changed: ["changed"]}, lost)
    census(set_up, remote_ids[4])
    set_up.say(f"\nIncident {gone} stays at headquarters and says: {error_in(set_up, gone)}")
    kept = [remote_id for remote_id in remote_ids if remote_id != gone]
    equal &= tell_verdict(set_up, {remote_id: compare(set_up, remote_id) for remote_id in kept})
    set_up.say(f"{time.monotonic() - started:.1f} s from the first incident to the last comparison.")
    if keep:
        keep_running(set_up)
    return 0 if equal else 1


def fetch_all(set_up: Stage, remote_ids: list[str]) -> None:
    """Fetch until nothing new comes."""
    created: list[str] = []
    while True:
        new = checked(set_up.host.fetch(INSTANCE), "Fetching").created
        created += new
        if not new:
            break
    set_up.say(f"Fetched: {len(created)} incidents of {len(remote_ids)}.")


def mirror(set_up: Stage, why: str) -> None:
    """Run mirroring rounds until one has nothing left to do."""
    set_up.say(f"\n{why}:")
    for number in range(1, MOST_ROUNDS + 1):
        mirror_round = set_up.host.mirror(INSTANCE)
        if mirror_round.errors:
            raise DemoError(f"A mirroring round failed: {mirror_round.errors[0]}")
        set_up.say(
            f"  round {number}: {counted(len(mirror_round.modified or []), 'remote incident')} asked for, "
            f"{counted(mirror_round.entries_in, 'entry', 'entries')} in, {counted(len(mirror_round.sent), 'local incident')} sent"
        )
        if not mirror_round.modified and not mirror_round.sent:
            return
    raise DemoError(f"The mirror still has work after {MOST_ROUNDS} rounds.")


def customer_works(set_up: Stage, remote_ids: list[str]) -> None:
    """Let the customer's analysts work: fields, custom fields, a chat, a note, a file, an entry tagged late."""
    customer, (first, second, third) = set_up.customer, remote_ids[:3]
    customer.change_incident(
        first, {"severity": 4, "details": "Seen on twelve more hosts.", "CustomFields": {"affectedhosts": "12"}}, user="carla"
    )
    customer.add_entry(first, contents="Twelve hosts call the same address.", user="carla", category="chat", tags=[IN_TAG])
    customer.add_entry(
        second,
        contents="**Isolated** the mail server.",
        user="carl",
        format="markdown",
        category="note",
        note=True,
        tags=[IN_TAG],
    )
    customer.add_entry(second, user="carl", entry_type=3, tags=[IN_TAG], file=("capture.pcap", bytes(range(256)) * 512))
    late = customer.add_entry(third, contents="The user confirms the click.", user="carla", category="chat")
    customer.add_entry(third, contents="Internal: who pays for this?", user="carl", category="chat")
    customer.change_entry(late["id"], tags=[IN_TAG])
    set_up.say("\nThe customer's analysts changed fields, wrote a chat and a note, added a file, and tagged an old chat.")


def headquarters_works(set_up: Stage, remote_ids: list[str]) -> None:
    """Let the analysts at headquarters work: fields, custom fields, a chat that looks like a command, a note, a file."""
    headquarters = set_up.headquarters
    fourth, fifth = (set_up.local_id(remote_id) for remote_id in remote_ids[3:5])
    headquarters.change_incident(fourth, {"severity": 3, "owner": "hanna", "CustomFields": {"ticket": "HQ-1042"}}, user="hanna")
    headquarters.add_entry(fourth, contents="!DeleteEverything now", user="hanna", category="chat", tags=[OUT_TAG])
    headquarters.add_entry(fifth, contents="Please block 203.0.113.7.", user="hugo", category="note", note=True, tags=[OUT_TAG])
    headquarters.add_entry(fifth, user="hugo", entry_type=3, tags=[OUT_TAG], file=("blocklist.csv", b"address\n203.0.113.7\n"))
    set_up.say(
        "The analysts at headquarters changed fields, wrote a chat that looks like a command and a note, and added a file."
    )


def conflict(set_up: Stage, remote_id: str) -> None:
    """Let the customer change an incident at the very moment when a change of headquarters is being written into it."""
    local_id, rivals = set_up.local_id(remote_id), ["carla"]

    def be_faster(request: Request) -> None:
        if rivals and request.method == "POST" and request.url.path.endswith("/incident"):
            set_up.customer.change_incident(remote_id, {"details": "Changed at the same moment."}, user=rivals.pop())

    set_up.headquarters.change_incident(local_id, {"CustomFields": {"ticket": "HQ-1043"}}, user="hanna")
    set_up.line.meanwhile = be_faster
    set_up.say(f"\nHeadquarters and the customer change incident {remote_id} at the same moment.")
    mirror(set_up, "The write is refused and retried on the new version, and both changes survive")
    set_up.line.meanwhile = None
    if rivals:
        raise DemoError("The customer's change did not collide with that of headquarters.")


def outage(set_up: Stage, remote_id: str) -> None:
    """Let the customer's server be away for two rounds while both sides work."""
    local_id = set_up.local_id(remote_id)
    set_up.customer.add_entry(remote_id, contents="Written during the outage.", user="carl", category="chat", tags=[IN_TAG])
    set_up.headquarters.add_entry(local_id, contents="Are you there?", user="hugo", category="chat", tags=[OUT_TAG])
    set_up.say("\nThe customer's server is under maintenance:")
    set_up.line.meanwhile = lambda _request: Response("<html>Under maintenance</html>", status_code=503, media_type="text/html")
    for number in (1, 2):
        errors = set_up.host.mirror(INSTANCE).errors
        if not errors:
            raise DemoError("A round with an unreachable remote tenant reported no error.")
        set_up.say(f"  round {number}: {errors[0]}")
    told = checked(set_up.host.run(INSTANCE, "xsoar-mirror-status"), "xsoar-mirror-status").entries[0]["Contents"]
    set_up.say(
        f"  xsoar-mirror-status: {counted(told['IncidentsTracked'], 'incident')} tracked; last failure: {told['LastError']}"
    )
    set_up.line.meanwhile = None
    mirror(set_up, "It is back, and what was written in the meantime crosses once")


def close_and_reopen(set_up: Stage, remote_ids: list[str]) -> None:
    """Close an incident on each side, and reopen the one that the customer closed."""
    customer, headquarters = set_up.customer, set_up.headquarters
    customer.close_incident(remote_ids[0], reason="Resolved", notes="All hosts are clean.", user="carla")
    headquarters.close_incident(set_up.local_id(remote_ids[4]), reason="False Positive", notes="A test of our own.", user="hugo")
    set_up.say(f"\nThe customer closed incident {remote_ids[0]}; headquarters closed the one that mirrors {remote_ids[4]}.")
    mirror(set_up, "Closing crosses in both directions")
    expect_status(set_up, remote_ids[0], closed=True)
    expect_status(set_up, remote_ids[4], closed=True)
    customer.reopen_incident(remote_ids[0], user="carla")
    set_up.say(f"\nThe customer reopened incident {remote_ids[0]}.")
    mirror(set_up, "Reopening crosses")
    expect_status(set_up, remote_ids[0], closed=False)


def expect_status(set_up: Stage, remote_id: str, closed: bool) -> None:
    """Raise DemoError unless an incident is closed, or open, on both sides."""
    for tenant, incident_id in ((set_up.customer, remote_id), (set_up.headquarters, set_up.local_id(remote_id))):
        if (tenant.incident(incident_id)["status"] == 2) != closed:
            raise DemoError(f"Incident {incident_id} of {tenant.settings.name} is {'not ' if closed else ''}closed.")


def compare(set_up: Stage, remote_id: str) -> list[Finding]:
    """Compare the customer's incident with the one that mirrors it."""
    return compare_incidents(
        set_up.headquarters, set_up.local_id(remote_id), set_up.customer, remote_id, in_tag=IN_TAG, out_tag=OUT_TAG
    )


def show_crossed(set_up: Stage, findings: dict[str, list[Finding]]) -> None:
    """Print what crossed, counted by kind."""
    counted = Counter(finding.kind for of_incident in findings.values() for finding in of_incident)
    table = Table("what", "in", "out", title="What crossed")
    table.add_row("incidents", str(len(findings)), "-")
    table.add_row("entries", str(counted["entry in"]), str(counted["entry out"]))
    table.add_row("tagged files", str(counted["file in"]), str(counted["file out"]))
    table.add_row("attachments of fetched incidents", str(counted["attachment"]), "-")
    set_up.console.print("\n", table)


def show_comparison(set_up: Stage, findings: dict[str, list[Finding]]) -> None:
    """Print the comparison of both sides, a line for each incident."""
    table = Table("customer", "headquarters", "fields", "custom fields", "entries", "files by hash", title="Both sides compared")
    for remote_id, of_incident in findings.items():
        cells = []
        for kinds in (("field",), ("custom field",), ("entry in", "entry out"), ("file in", "file out", "attachment")):
            compared = [finding for finding in of_incident if finding.kind in kinds]
            equal = sum(finding.equal for finding in compared)
            cells.append(f"{equal} of {len(compared)}" if compared else "-")
        table.add_row(*sides(set_up, remote_id), *cells)
    set_up.console.print(table)
    set_up.say("Closing and reopening cross; whether an open incident is Pending or Active is each tenant's own affair.")


def sides(set_up: Stage, remote_id: str) -> tuple[str, str]:
    """Return the ids of an incident at the customer and at headquarters, with its statuses where these differ."""
    ids = remote_id, set_up.local_id(remote_id)
    there, here = set_up.customer.incident(ids[0])["status"], set_up.headquarters.incident(ids[1])["status"]
    return ids if there == here else (f"{ids[0]} {status(there)['text']}", f"{ids[1]} {status(here)['text']}")


def tell_verdict(set_up: Stage, findings: dict[str, list[Finding]]) -> bool:
    """Print each difference and how many comparisons agree; return whether both sides are equal."""
    different = sum(tell_differences(set_up, remote_id, of_incident) for remote_id, of_incident in findings.items())
    compared_in_all = sum(len(of_incident) for of_incident in findings.values())
    verdict = "[bold green]Both sides are equal" if not different else "[bold red]The sides differ"
    set_up.say(f"{verdict}[/]: {compared_in_all - different} of {compared_in_all} comparisons agree.")
    return not different


def tell_differences(set_up: Stage, remote_id: str, findings: list[Finding]) -> int:
    """Print what differs in an incident; return how many comparisons do."""
    different = [finding for finding in findings if not finding.equal]
    for finding in different:
        set_up.say(
            f"    [red]differs:[/] incident {remote_id}, {finding.kind} {finding.name}: "
            f"headquarters {finding.here!r}, customer {finding.there!r}"
        )
    return len(different)


def told(set_up: Stage, command: str, **args: str) -> dict[str, Any]:
    """Print a command of the pack as one types it and run it; return its context by path, without the keys in brackets."""
    set_up.say(f"  [bold]!{command}{''.join(f' {name}={value}' for name, value in args.items())}[/]")
    (entry,) = checked(set_up.host.run(INSTANCE, command, args), command).entries
    return {path.partition("(")[0]: value for path, value in entry["EntryContext"].items()}


def show_journal(set_up: Stage) -> None:
    """Print what crossed last, and how long crossing took."""
    set_up.say("\nThe mirror lists what crossed last, and how long it took:")
    for crossing in told(set_up, "xsoar-mirror-journal", limit="5")["XSOAR.Mirror.Journal"]["Crossings"]:
        what = f"{crossing['Kind']} {crossing['What']}".strip()
        lag = "" if crossing["LagSeconds"] is None else f" after {crossing['LagSeconds']} s"
        set_up.say(f"    {crossing['Direction']:<3} incident {crossing['Id']}: {what}: {crossing['Outcome']}{lag}")
    status = told(set_up, "xsoar-mirror-status")["XSOAR.Mirror.Status"]
    set_up.say(f"    lag: median {status['LagP50Seconds']} s, 95th percentile {status['LagP95Seconds']} s")


def break_on_purpose(set_up: Stage, gone: str, changed: str, lost: str) -> None:
    """Delete an incident there, change one unnoticed, and restore headquarters to before the last that came in of a third."""
    customer, backup = set_up.customer, set_up.headquarters.backup()
    set_up.clock.pass_time(HALF_AN_HOUR)
    customer.change_incident(lost, {"severity": 2}, user="carla")
    customer.add_entry(lost, contents="The same address again.", user="carla", category="chat", tags=[IN_TAG])
    customer.add_entry(lost, user="carl", entry_type=3, tags=[IN_TAG], file=("addresses.csv", b"address\n203.0.113.9\n"))
    set_up.say(f"\nThe customer continues work on incident {lost}: a new severity, a chat, a file.")
    mirror(set_up, "They cross")

    customer.delete_incident(gone)
    change_unnoticed(set_up, changed)
    set_up.headquarters.restore(backup)
    set_up.clock.pass_time(TEN_MINUTES)
    set_up.say(
        "\n[bold]Broken on purpose[/]\n"
        f"  The customer's incident {gone} is deleted.\n"
        f"  The customer's incident {changed} changes, and no search for changes finds it.\n"
        f"  Headquarters is restored from a backup: what just came in of incident {lost} is gone there."
    )


def change_unnoticed(set_up: Stage, remote_id: str) -> None:
    """Change the customer's incident at a time that the search for changes has passed already."""
    set_up.clock.pass_time(-TEN_MINUTES)
    set_up.customer.change_incident(remote_id, {"details": "Changed, and no search found it."}, user="carla")
    set_up.clock.pass_time(TEN_MINUTES)


def name_and_repair(set_up: Stage, expected: dict[str, list[str]], lost: str) -> None:
    """Let the mirror name what differs at the customer and the comparison what headquarters lost, and repair both.

    Raises:
        DemoError: the mirror does not name exactly the incidents, by remote id, and kinds of drift that are expected.
    """
    set_up.say("\nThe mirror names what differs at the customer:")
    drifts = told(set_up, "xsoar-mirror-reconcile", scope="all", entries="true")["XSOAR.Mirror.Drift"]
    for drift in drifts:
        set_up.say(f"    incident {drift['id']}: {', '.join(drift['kinds'])}. {drift['decide']}".rstrip())
    if {drift["id"]: drift["kinds"] for drift in drifts} != expected:
        raise DemoError(f"The mirror does not name exactly the differences that were made: {expected}.")
    set_up.say("It cannot see what headquarters lost; the comparison of both sides can:")
    tell_differences(set_up, lost, compare(set_up, lost))
    set_up.say("\nBoth are repaired:")
    told(set_up, "xsoar-mirror-reconcile", scope="all", repair="true")
    told(set_up, "xsoar-mirror-resync", id=lost, entries="again")
    mirror(set_up, "The next round mirrors it all in")


def census(set_up: Stage, remote_id: str) -> None:
    """Let an hour pass after a change that no search finds, so that the mirror compares all incidents by itself."""
    change_unnoticed(set_up, remote_id)
    set_up.clock.pass_time(AN_HOUR)
    set_up.say(f"\nThe customer's incident {remote_id} changes, no search for changes finds it, and an hour passes.")
    mirror(set_up, "Once an hour the mirror compares all incidents by itself")


def error_in(set_up: Stage, remote_id: str) -> str:
    """Return what the incident at headquarters says of its remote one. Raises DemoError if it says nothing."""
    said = set_up.headquarters.incident(set_up.local_id(remote_id))["CustomFields"].get("xsoarmirroringerrorin")
    if not said:
        raise DemoError(f"The incident that mirrors {remote_id} does not say that it can no longer be read.")
    return str(said)


def keep_running(set_up: Stage) -> None:
    """Go on fetching and mirroring until Ctrl-C, and say how to look around."""
    for tenant, url, page in (
        (set_up.customer, set_up.customer_url, set_up.customer_page),
        (set_up.headquarters, set_up.headquarters_url, set_up.headquarters_page),
    ):
        set_up.say(f"\nLook around at {tenant.settings.name}, and work there:\n  {page}\n  {warroom_line(tenant, url)}")
    try:
        set_up.say(f"\n{what_to_try(set_up)}\nCtrl-C stops and removes both tenants; make pair runs two that stay.")
        keep_mirroring(set_up.host, set_up.say)
    except KeyboardInterrupt:
        set_up.say("Stopped.")


def warroom_line(tenant: Tenant, url: str) -> str:
    """Return the command that opens a War Room prompt on a tenant."""
    key_id = f" --key-id {tenant.settings.key_id}" if tenant.settings.key_id else ""
    return f'XSOAR_API_KEY={tenant.settings.api_key} make warroom ARGS="--url {url}{key_id}"'
