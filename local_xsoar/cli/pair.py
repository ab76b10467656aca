"""`python -m local_xsoar pair`: two linked tenants that stay; started again, they pick up where they left off."""

import argparse
import sqlite3
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from local_xsoar.cli.arguments import OneSentenceParser, named_folder
from local_xsoar.cli.folders import (
    CUSTOMER,
    HEADQUARTERS,
    FolderError,
    default_folder,
    held,
    holds_tenant,
    keep_access,
    kept_access,
)
from local_xsoar.cli.linked import (
    CUSTOMER_VERSION,
    HEADQUARTERS_VERSION,
    INSTANCE,
    Linked,
    configure,
    counted,
    keep_mirroring,
    linked_tenants,
    what_to_try,
)
from local_xsoar.host import HostError
from local_xsoar.tenant import Tenant, TenantError, TenantSettings
from local_xsoar.tenant.samples import load_samples
from local_xsoar.tenant.server import is_free

KEY_ID = "7"
MOST_SAMPLES = 200


def _parser() -> argparse.ArgumentParser:
    parser = OneSentenceParser(
        "pair",
        description="Serve two linked tenants on 127.0.0.1 until Ctrl-C: the customer, and headquarters, which mirrors its "
        "incidents. Start it again and it picks up where it left off.",
    )
    parser.add_argument("--folder", type=named_folder, help="where both are kept (default ~/.local_xsoar/pair)")
    for name in (HEADQUARTERS, CUSTOMER):
        parser.add_argument(f"--{name}-port", type=int, help=f"of {name} (default: that of the last start, or any that is free)")
    parser.add_argument(
        "--incidents", type=int, default=6, help="load so many sample incidents into a customer that has none (default 6)"
    )
    return parser


def main(arguments: list[str]) -> int:
    """Serve the pair until Ctrl-C. Returns the exit status: 0, or 2 after one sentence on what is wrong."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not 0 <= options.incidents <= MOST_SAMPLES:
        parser.error(f"--incidents is {options.incidents}, which is not from 0 to {MOST_SAMPLES}")
    folder = options.folder or default_folder("pair")
    try:
        _serve(folder, options)
    except (FolderError, HostError, TenantError) as error:
        print(error, file=sys.stderr)
        return 2
    except (OSError, sqlite3.Error) as error:
        print(f"What is kept in {folder} cannot be used ({error}): give another --folder.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped. The same command picks up where it left off.")
    return 0


def _serve(folder: Path, options: argparse.Namespace) -> None:
    """Serve the pair of a folder until something is raised."""
    if holds_tenant(folder):
        raise FolderError(
            f'The folder {folder} holds a single tenant: serve it with make serve ARGS="--folder {folder}", or give another one.'
        )
    with ExitStack() as exits:
        for name in (HEADQUARTERS, CUSTOMER):  # Before their keys are read: two first starts at once would each make some.
            exits.enter_context(held(folder / name))
        # The customer's HTTP answers tell the time of its clock, so that the lag that the mirror measures is a right one.
        headquarters = _settings(folder / HEADQUARTERS, HEADQUARTERS_VERSION, key_id=KEY_ID)
        customer = _settings(folder / CUSTOMER, CUSTOMER_VERSION, date_header=0)
        ports = _port(headquarters, options.headquarters_port), _port(customer, options.customer_port)
        linked = exits.enter_context(linked_tenants(folder / "host", headquarters, customer, ports=ports))
        for settings, url in ((headquarters, linked.headquarters_url), (customer, linked.customer_url)):
            keep_access(settings.folder, kept_access(settings.folder), port=int(url.rpartition(":")[2]))
        if not _incidents(linked.customer):
            load_samples(linked.customer, options.incidents)
        configure(linked)
        print(_introduction(folder, linked), flush=True)
        keep_mirroring(linked.host, lambda text: print(text, flush=True))


def _settings(folder: Path, new_version: str, **more: Any) -> TenantSettings:
    """Return the settings of the tenant that is kept in a folder, or of a new one. Raises FolderError if it cannot be used."""
    kept = kept_access(folder)
    access = keep_access(folder, kept, version=kept.get("version", new_version))
    return TenantSettings(folder.name, folder, version=access["version"], api_key=access["api_key"], **more)


def _port(settings: TenantSettings, given: int | None) -> int:
    """Return the port to take: the one that was given, else that of the last start if nobody took it, else 0 for any."""
    if given is not None:
        return given
    last = int(kept_access(settings.folder).get("port", 0))
    return last if last and is_free(last) else 0


def _incidents(tenant: Tenant) -> int:
    """Return how many incidents a tenant has."""
    _, total = tenant.search({"totalOnly": True})
    return total


def _introduction(folder: Path, linked: Linked) -> str:
    """Return where both tenants are and how to get in, what to try, and how to stop."""
    lines = [f"Two linked tenants, kept in {folder}", ""]
    for tenant, url, page, what in (
        (linked.customer, linked.customer_url, linked.customer_page, "where nothing is installed"),
        (
            linked.headquarters,
            linked.headquarters_url,
            linked.headquarters_page,
            f"which mirrors it (instance {INSTANCE})",
        ),
    ):
        lines += [
            f"{tenant.settings.name}, an XSOAR {tenant.settings.version} with {counted(_incidents(tenant), 'incident')}, {what}",
            f"  page     {page}",
            f"  address  {url}",
            f"  API key  {tenant.settings.api_key}",
            *([f"  key ID   {tenant.settings.key_id}"] if tenant.settings.key_id else []),
            "",
        ]
    return "\n".join([*lines, what_to_try(linked), "", "Ctrl-C stops both; the same command picks up where they left off."])
