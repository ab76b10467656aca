"""`python -m local_xsoar serve`: one tenant on a port, for demisto-py, curl or a real Cortex XSOAR to talk to."""

import argparse
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

from local_xsoar.cli.arguments import OneSentenceParser, named_folder
from local_xsoar.cli.folders import FolderError, default_folder, held, holds_pair, keep_access, kept_access
from local_xsoar.tenant import Tenant, TenantError, TenantSettings, serving
from local_xsoar.tenant.manners import SWITCHES
from local_xsoar.tenant.samples import load_samples
from local_xsoar.tenant.web import new_token, page_address

KEY_ID = "1"
NEW_VERSION = "8.8.0"


class _UsageError(Exception):
    """Options that do not go together, or with the folder."""


def _parser() -> argparse.ArgumentParser:
    parser = OneSentenceParser("serve", description="Serve one Cortex XSOAR tenant on 127.0.0.1 until Ctrl-C.")
    parser.add_argument(
        "--version",
        help=f"the version to behave like, such as 8.8.0 or 6.12.0 (default: that of its folder; {NEW_VERSION} for a new one)",
    )
    parser.add_argument("--port", type=int, default=0, help="default: any free port")
    parser.add_argument("--folder", type=named_folder, help="where its data are kept (default ~/.local_xsoar/<name>)")
    parser.add_argument("--name", default="local", help="the tenant's name (default local)")
    parser.add_argument("--account", default="", help="6.x: also answer under /acc_<account>")
    parser.add_argument("--advanced-key", action="store_true", help="8.x: use an advanced key, whose requests are signed")
    parser.add_argument("--incidents", type=int, default=0, help="how many sample incidents to load into an empty tenant")
    parser.add_argument(
        "--switch",
        action="append",
        default=[],
        metavar="NAME=SIDE",
        help="set a behaviour on which servers differ, such as search_total=zero (see docs/servers.md); may be repeated",
    )
    return parser


def main(arguments: list[str]) -> int:
    """Serve a tenant until Ctrl-C. Returns the exit status: 0, or 2 after one sentence on what is wrong."""
    options = _parser().parse_args(arguments)
    token = new_token()
    try:
        settings = _settings(options)
        with (
            held(settings.folder),
            closing(Tenant(settings)) as tenant,
            serving(tenant, options.port, page_token=token) as address,
        ):
            print(_load(tenant, options.incidents) + _introduction(settings, address, token), flush=True)
            threading.Event().wait()
    except (_UsageError, FolderError, TenantError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped.")
    return 0


def _settings(options: argparse.Namespace) -> TenantSettings:
    """Return the tenant's settings, with the version and the key that its folder keeps.

    Raises:
        _UsageError: options that do not go together, or with the folder.
        FolderError: the folder cannot be used.
    """
    if not options.name.strip() or Path(options.name).name != options.name:
        raise _UsageError(f'The name "{options.name}" cannot be the name of a folder: give one without slashes.')
    if options.incidents < 0:
        raise _UsageError(f"--incidents is {options.incidents}; give 0 or more.")
    folder = options.folder or default_folder(options.name)
    if holds_pair(folder):
        raise _UsageError(
            f'The folder {folder} holds a linked pair: serve it with make pair ARGS="--folder {folder}", or give another one.'
        )
    kept = kept_access(folder)
    draft = TenantSettings(options.name, folder, version=kept.get("version") or options.version or NEW_VERSION)
    if options.version not in (None, draft.version):
        raise _UsageError(
            f"The folder {folder} holds a tenant of {draft.version}, not of {options.version}: leave --version out, or give "
            "another --name or --folder."
        )
    if options.advanced_key and not draft.is_8:
        raise _UsageError(f"--advanced-key needs an 8.x tenant, and the version is {draft.version}: leave it out.")
    if options.account and draft.is_8:
        raise _UsageError(f"--account needs a 6.x tenant, and the version is {draft.version}: leave it out.")
    access = keep_access(folder, kept, version=draft.version)
    return TenantSettings(
        options.name,
        folder,
        version=draft.version,
        api_key=access["api_key"],
        key_id=KEY_ID if draft.is_8 else "",
        advanced_key=options.advanced_key,
        account=options.account,
        **dict(_switch(given) for given in options.switch),
    )


def _switch(given: str) -> tuple[str, Any]:
    """Return the name and the side of a switch that was given as NAME=SIDE.

    Raises:
        _UsageError: there is no such switch, or it has no such side.
    """
    name, _, wanted = given.partition("=")
    sides = {str(side): side for side in SWITCHES.get(name, ())}
    if not sides:
        raise _UsageError(f'There is no switch "{name}": give one of {", ".join(SWITCHES)}.')
    if wanted not in sides:
        raise _UsageError(f"The switch {name} cannot be {wanted}: give {' or '.join(sides)}.")
    return name, sides[wanted]


def _load(tenant: Tenant, count: int) -> str:
    """Load the sample incidents into a tenant that has none, and say so."""
    if not count:
        return ""
    _, present = tenant.search({"totalOnly": True})
    if present:
        return f"The folder already holds {present} incidents, so no samples were added.\n"
    return f"Loaded {len(load_samples(tenant, count))} sample incidents.\n"


def _introduction(settings: TenantSettings, address: str, token: str) -> str:
    """Return what to know to call the tenant: address, key, key id, the web page, and a call to copy."""
    lines = [
        f"Cortex XSOAR {settings.version} tenant {settings.name}",
        f"  address  {address}",
        f"  API key  {settings.api_key}",
    ]
    if settings.is_8:
        lines.append(f"  key ID   {settings.key_id} ({'advanced' if settings.advanced_key else 'standard'} key)")
    if settings.account:
        lines.append(f"  account  {address}/acc_{settings.account}")
    lines += [
        f"  folder   {settings.folder}",
        f"  page     {page_address(address, token)}",
        "           (for a browser on this machine; the part after # lets it in)",
        "",
        "Try:",
        *_example(settings, address),
        "",
        "Press Ctrl-C to stop.",
    ]
    return "\n".join(lines)


def _example(settings: TenantSettings, address: str) -> list[str]:
    body = """-H 'Content-Type: application/json' -d '{"filter": {"query": "-status:closed", "size": 5}}'"""
    if not settings.is_8:
        return [f"  curl -H 'Authorization: {settings.api_key}' {body} {address}/incidents/search"]
    url = f"{address}/xsoar/incidents/search"
    if not settings.advanced_key:
        return [f"  curl -H 'Authorization: {settings.api_key}' -H 'x-xdr-auth-id: {settings.key_id}' {body} {url}"]
    return [
        "  nonce=$(head -c 32 /dev/urandom | sha256sum | cut -c 1-64); timestamp=$(date +%s)000",
        f"  signature=$(printf '%s' \"{settings.api_key}$nonce$timestamp\" | sha256sum | cut -d ' ' -f 1)",
        f'  curl -H "Authorization: $signature" -H \'x-xdr-auth-id: {settings.key_id}\' -H "x-xdr-nonce: $nonce"'
        f' -H "x-xdr-timestamp: $timestamp" {body} {url}',
    ]
