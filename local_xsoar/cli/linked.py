"""Two linked tenants: headquarters, which runs an instance of the pack, and the customer, whose incidents it mirrors."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from local_xsoar.custom_mappers import custom_mappers
from local_xsoar.host import CommandRun, Host, HostError
from local_xsoar.pairs import HostPairs, sharing_in, sharing_out
from local_xsoar.tenant import Tenant, TenantSettings, serving
from local_xsoar.tenant.samples import SAMPLE_FIELDS
from local_xsoar.tenant.server import BeforeHook
from local_xsoar.tenant.web import new_token, page_address

INTEGRATION = Path(__file__).resolve().parents[2] / "Packs" / "XSOARMirroring" / "Integrations" / "XSOARMirroring"
INSTANCE = "Customer"
IN_TAG, OUT_TAG = "FromRemote", "ToRemote"
# The custom fields of both tenants, besides those of the samples: CLI name, name, type.
FIELDS = (*SAMPLE_FIELDS, ("affectedhosts", "Affected Hosts", "number"), ("ticket", "Ticket", "shortText"))
HEADQUARTERS_VERSION, CUSTOMER_VERSION = "8.8.0", "6.12.0"
PAUSE = 5.0  # Seconds between two rounds. The platform's is a minute.


@dataclass(frozen=True)
class Linked:
    """The two tenants, where they and their web pages are, and the host of headquarters."""

    headquarters: Tenant
    customer: Tenant
    headquarters_url: str
    customer_url: str
    headquarters_page: str
    customer_page: str
    host: Host


@contextmanager
def linked_tenants(
    folder: Path,
    headquarters_settings: TenantSettings,
    customer_settings: TenantSettings,
    *,
    ports: tuple[int, int] = (0, 0),
    clock: Callable[[], int] = time.time_ns,
    customer_hook: BeforeHook | None = None,
) -> Iterator[Linked]:
    """Serve both tenants with their web pages, and run the host of headquarters.

    Args:
        folder: of the host's state; the tenants' folders stand in their settings.
        headquarters_settings: what headquarters is like.
        customer_settings: what the customer is like.
        ports: of headquarters and of the customer; 0 takes a free one.
        clock: of both.
        customer_hook: sees each request to the customer first, and may answer it.

    Raises:
        TenantError: a port or a folder cannot be had.
        HostError: the host's state cannot be used.
    """
    with ExitStack() as exits:
        headquarters = Tenant(headquarters_settings, clock)
        exits.callback(headquarters.close)
        customer = Tenant(customer_settings, clock)
        exits.callback(customer.close)
        host = exits.enter_context(Host(headquarters, folder))
        tokens = new_token(), new_token()
        headquarters_url = exits.enter_context(
            serving(headquarters, ports[0], page_token=tokens[0], pairs=HostPairs(headquarters, host), sharing=sharing_out(host))
        )
        sharing = sharing_in(host, INSTANCE, headquarters_settings.name)
        customer_url = exits.enter_context(serving(customer, ports[1], hook=customer_hook, page_token=tokens[1], sharing=sharing))
        pages = page_address(headquarters_url, tokens[0]), page_address(customer_url, tokens[1])
        yield Linked(headquarters, customer, headquarters_url, customer_url, *pages, host)


def configure(linked: Linked) -> None:
    """Set up the instance of the pack at headquarters, with mappers for the custom fields of both, and press Test.

    An instance that is there already keeps what it remembers.

    Raises:
        HostError: Test fails, or the pack cannot be read.
    """
    for tenant in (linked.headquarters, linked.customer):
        for cli_name, name, kind in FIELDS:
            tenant.add_incident_field(cli_name, name=name, type=kind)
    incoming, outgoing = custom_mappers(INSTANCE, linked.headquarters.incident_fields())
    for mapper in (incoming, outgoing):
        linked.host.import_mapper(mapper)
    linked.host.add_instance(
        INSTANCE,
        INTEGRATION,
        {
            "url": linked.customer_url,
            "credentials_api_key": {"identifier": "", "password": linked.customer.settings.api_key},
            "isFetch": True,
            "tags": IN_TAG,
            "mirror_tag": OUT_TAG,
            "fetch_incident_history": True,
        },
        incoming_mapper=incoming["id"],
        outgoing_mapper=outgoing["id"],
    )
    checked(linked.host.test(INSTANCE), "Test")


def checked(command_run: CommandRun, what: str) -> CommandRun:
    """Return a run that went well. Raises HostError with the integration's own sentence otherwise."""
    if not command_run.ok:
        raise HostError(f"{what} failed: {command_run.error}")
    return command_run


def keep_mirroring(host: Host, say: Callable[[str], None]) -> None:
    """Fetch and mirror until something is raised here, such as by Ctrl-C; a round under way is ended first.

    What a server has been given in a round and has not written when it stops, no later round asks for.
    """
    over, ended = threading.Event(), Future[None]()

    def run() -> None:
        try:
            mirror_until(over, host, say)
        except Exception as error:
            ended.set_exception(error)

    thread = threading.Thread(target=run, name="mirroring")
    try:
        thread.start()
        ended.result()
    finally:
        over.set()
        if thread.ident:
            thread.join()


def mirror_until(over: threading.Event, host: Host, say: Callable[[str], None], pause: float = PAUSE) -> None:
    """Fetch and mirror, with a pause in seconds between rounds; say what crossed, and what failed once as long as it lasts."""
    last_failure = ""
    while not over.is_set():
        crossed, failure = one_round(host)
        if crossed:
            say(crossed)
        if failure != last_failure:
            say(failure or "It works again.")
        last_failure = failure
        over.wait(pause)


def one_round(host: Host) -> tuple[str, str]:
    """Run a fetch and a round of the mirror job; return what crossed and what failed, "" for nothing."""
    fetched, mirrored = host.fetch(INSTANCE), host.mirror(INSTANCE)
    counts = (
        (len(fetched.created), "incident fetched", "incidents fetched"),
        (len(mirrored.modified or []), "remote incident asked for", "remote incidents asked for"),
        (mirrored.entries_in, "entry in", "entries in"),
        (len(mirrored.sent), "local incident sent", "local incidents sent"),
    )
    failures = [*([] if fetched.ok else [fetched.error]), *mirrored.errors]
    return ", ".join(counted(number, one, many) for number, one, many in counts if number), failures[0] if failures else ""


def counted(number: int, one: str, many: str = "") -> str:
    """Return how many there are of something: 1 entry, 2 entries. `many` is the plural, by default with an s."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def what_to_try(linked: Linked) -> str:
    """Return what there is to do on the two pages, as lines for the terminal."""
    here, there = linked.headquarters.settings.name, linked.customer.settings.name
    return (
        f"Open both pages side by side in a browser on this machine (the part after # lets it in), and try:\n"
        f'  - At the {there}, open an incident and add an entry with "Mirror to {here}" ticked (it sets the tag {IN_TAG}).\n'
        f'  - At {here}, answer with "Mirror to {INSTANCE}" (the tag {OUT_TAG}).\n'
        f"  - Change the severity on one side; close the incident on the other; press New incident at the {there}.\n"
        f"  - Mirroring, on the page of {here}, shows what crossed, the lag and what differs.\n"
        f"Changes cross every few seconds."
    )
