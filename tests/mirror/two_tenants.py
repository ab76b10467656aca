"""Two tenants over HTTP, the pack running at the local one against the remote one: what the tests here are made of."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from local_xsoar.custom_mappers import custom_mappers
from local_xsoar.host import CommandRun, Host, HostSettings, MirrorRound
from local_xsoar.host.workers import Workers
from local_xsoar.tenant import Tenant, TenantSettings, serving
from local_xsoar.tenant.server import LostAnswer

INTEGRATION = Path(__file__).resolve().parents[2] / "Packs" / "XSOARMirroring" / "Integrations" / "XSOARMirroring"
INSTANCE = "remote"
IN_TAG, OUT_TAG = "FromRemote", "ToRemote"
# Custom fields that both tenants have and that cross: CLI name, name.
CUSTOM_FIELDS = (
    ("ticket", "Ticket Number"),
    ("hosts", "Affected Hosts"),
    ("kept", "Kept As It Is"),
    ("added", "Added Later"),
    ("depth", "Water Depth"),
)
VERSIONS = {"6": "6.12.0", "8": "8.8.0"}
QUIET = 8


@dataclass
class Clock:
    """A tenant's clock: this machine's, off by some seconds, or stopped."""

    offset_seconds: float = 0.0
    stopped_ns: int | None = None

    def __call__(self) -> int:
        return self.stopped_ns if self.stopped_ns is not None else time.time_ns() + int(self.offset_seconds * 1e9)

    def stop(self) -> None:
        """Let all that follows happen in one instant."""
        self.stopped_ns = self()

    def go_on(self) -> None:
        """Let time go on."""
        self.stopped_ns = None


@dataclass
class Interference:
    """What stands before a tenant: it counts the requests, may answer some of them itself, and may lose the answers of others.

    With `calls_a_minute` it lets so many requests pass after each `next_minute` and answers the others with 429. `date` is a
    header Date that it writes; it stays if the tenant has none of its own. With `heard` it keeps the bodies of all requests.
    """

    paths: list[str] = field(default_factory=list)
    answers: dict[int, Callable[[], Response]] = field(default_factory=dict)
    lost_answers: set[int] = field(default_factory=set)
    before: Callable[[Request, int], None] | None = None
    calls_a_minute: int | None = None
    calls_taken: int = 0
    date: str | None = None
    heard: list[bytes] | None = None

    async def __call__(self, request: Request) -> Response | None:
        number = len(self.paths)
        self.paths.append(f"{request.method} {request.url.path}")
        if self.heard is not None:
            self.heard.append(await request.body())
        if self.before:
            self.before(request, number)
        answer = self.answers.get(number)
        if answer:
            return answer()
        if self.calls_a_minute is not None and self.calls_taken >= self.calls_a_minute:
            return Response(status_code=429, headers={"Retry-After": "60"})
        self.calls_taken += 1
        return None

    def next_minute(self) -> None:
        """Let as many requests pass again as a minute has."""
        self.calls_taken = 0

    async def after(self, request: Request, response: Response) -> Response | None:
        """Lose the answer of a request whose work was done, or date it."""
        if self.date is not None:
            response.headers["Date"] = self.date
        return LostAnswer() if len(self.paths) - 1 in self.lost_answers else None

    def forget(self) -> None:
        """Count from the next request on, and let all of them pass."""
        self.paths.clear()
        self.answers.clear()
        self.lost_answers.clear()
        self.before = None


def working_params(remote: Tenant, url: str) -> dict[str, Any]:
    """Return parameters with which an instance of the pack works against a tenant."""
    settings = remote.settings
    return {
        "url": url,
        "credentials_api_key": {"identifier": settings.key_id, "password": settings.api_key},
        "advanced_api_key": settings.advanced_key,
        "isFetch": True,
        "tags": IN_TAG,
        "mirror_tag": OUT_TAG,
    }


@dataclass
class Mirror:
    """A local tenant that runs the pack, and the remote one. `clock` is the remote's, `clock_here` that of the local one."""

    here: Tenant
    there: Tenant
    url: str
    host: Host
    clock: Clock
    interference: Interference
    clock_here: Clock = field(default_factory=Clock)

    def pass_time(self, *, minutes: float = 0, hours: float = 0) -> None:
        """Let both clocks, and with them the time of the scripts, go on."""
        for clock in (self.clock, self.clock_here):
            clock.offset_seconds += minutes * 60 + hours * 3600

    def configure(self, name: str = INSTANCE, *, has_own_mappers: bool = True, **params: Any) -> None:
        """Add an instance of the pack with working parameters, some of them changed.

        It has mappers that name all custom fields of the local tenant, unless it is to have those that come with the pack.
        """
        mappers = custom_mappers(name, self.here.incident_fields()) if has_own_mappers else ()
        for mapper in mappers:
            self.host.import_mapper(mapper)
        incoming, outgoing = (mapper["id"] for mapper in mappers) if mappers else (None, None)
        self.host.add_instance(
            name,
            INTEGRATION,
            {**working_params(self.there, self.url), **params},
            incoming_mapper=incoming,
            outgoing_mapper=outgoing,
        )

    def fetch(self) -> list[str]:
        """Fetch once, without a failure; return the ids of the incidents that were created."""
        return succeeded(self.host.fetch(INSTANCE)).created

    def fetch_all(self) -> list[str]:
        """Fetch until nothing comes; return the ids of all that were created."""
        created: list[str] = []
        while new := self.fetch():
            created += new
        return created

    def fetched_once(self) -> str:
        """Fetch the one incident there is; return its local id."""
        (local_id,) = self.fetch()
        return local_id

    def round(self) -> MirrorRound:
        """Run one mirroring round, without a failure."""
        mirror_round = self.host.mirror(INSTANCE)
        assert mirror_round.errors == []
        return mirror_round

    def rounds(self, number: int = 3, minutes: float = 1) -> list[str]:
        """Run mirroring rounds, some minutes apart; return the errors that the server was given."""
        errors: list[str] = []
        for _ in range(number):
            self.pass_time(minutes=minutes)
            errors += self.host.mirror(INSTANCE).errors
        return errors

    def until_quiet(self) -> None:
        """Run mirroring rounds until one has nothing to do."""
        for _ in range(QUIET):
            mirror_round = self.round()
            if not mirror_round.modified and not mirror_round.sent:
                return
        raise AssertionError(f"The mirror did not come to rest within {QUIET} rounds.")

    def remote_incident(self, **fields: Any) -> str:
        """Create an incident in the remote tenant and return its id."""
        created = self.there.create_incident({"name": "Phishing", "type": "Phishing", **fields}, user="carla")
        assert created is not None
        return str(created["id"])

    def created_from_here(self) -> str:
        """Create a local incident that is to be created in the remote, and mirror it; return its local id."""
        mirroring = {"dbotMirrorInstance": INSTANCE, "dbotMirrorDirection": "Both", "dbotMirrorTags": [OUT_TAG]}
        created = self.here.create_incident({"name": "from here", **mirroring}, user="hanna")
        assert created is not None
        for _ in range(4):
            self.host.mirror(INSTANCE)
        return str(created["id"])

    def local_id(self, remote_id: str) -> str:
        """Return the id of the one local incident that mirrors a remote one."""
        (found,), _ = self.here.search({"query": f'dbotMirrorId:"{remote_id}"', "size": 9})
        return str(found["id"])

    def minutes(self, number: int) -> None:
        """Let some minutes pass; in each there is a fetch and a mirroring round, whatever comes of them."""
        for _ in range(number):
            self.pass_time(minutes=1)
            self.host.fetch(INSTANCE)
            self.host.mirror(INSTANCE)

    def shown(self, local_id: str, field_name: str) -> str:
        """Return what a local incident shows of its mirroring: `state`, `errorin`, `errorout` …, "" for nothing."""
        return str(self.here.incident(local_id)["CustomFields"].get(f"xsoarmirroring{field_name}") or "")

    def status(self, **args: Any) -> dict[str, Any]:
        """Return what xsoar-mirror-status tells, as the context holds it."""
        (entry,) = succeeded(self.host.run(INSTANCE, "xsoar-mirror-status", args)).entries
        return next(value for path, value in entry["EntryContext"].items() if path.startswith("XSOAR.Mirror.Status"))

    def mirrored_ids(self) -> list[str]:
        """Return the remote ids of all incidents of the local tenant, each as often as it is there."""
        found, total = self.here.search({"query": "", "size": 1000, "sort": [{"field": "id", "asc": True}]})
        assert total <= 1000
        return sorted((str(incident["dbotMirrorId"]) for incident in found), key=int)


def succeeded(run: CommandRun) -> CommandRun:
    """Return a run that must have gone well."""
    assert run.ok, run.error
    return run


@dataclass
class Site:
    """Where tests make tenants and hosts; all of them are gone when the test ends.

    Between its tries the script does not wait: `pauses` tells how many seconds it would have.
    """

    folder: Path
    exits: ExitStack
    workers: Workers
    pauses: list[float] = field(default_factory=list)

    def tenant(self, name: str, version: str, clock: Callable[[], int] = time.time_ns, **settings: Any) -> Tenant:
        """Make a tenant with some custom fields; 8.x ones get a key ID."""
        key_id = {"key_id": "7"} if version.startswith("8") else {}
        made = Tenant(
            TenantSettings(name, self.folder / name, version=version, api_key=f"key of {name}", **{**key_id, **settings}), clock
        )
        self.exits.callback(made.close)
        for cli_name, field_name in CUSTOM_FIELDS:
            made.add_incident_field(cli_name, name=field_name)
        return made

    def serve(self, tenant: Tenant, interference: Interference | None = None) -> str:
        """Let a tenant answer; return its address."""
        through = interference or Interference()
        return self.exits.enter_context(serving(tenant, hook=through, after=through.after))

    def host(
        self, tenant: Tenant, on_call: Callable[[int, str], None] | None = None, settings: HostSettings | None = None
    ) -> Host:
        """Make a host that runs the pack on a tenant; `on_call` sees each step of its workers."""
        folder = self.folder / f"host of {tenant.settings.name}"
        return self.exits.enter_context(
            Host(tenant, folder, workers=self.workers, on_call=on_call, pause=self.pauses.append, settings=settings)
        )

    def mirror(
        self,
        here: str = "8",
        there: str = "8",
        on_call: Callable[[int, str], None] | None = None,
        host_settings: HostSettings | None = None,
        **remote_settings: Any,
    ) -> Mirror:
        """Make a local and a remote tenant of two versions, with no instance configured yet."""
        clock, clock_here, interference = Clock(), Clock(), Interference()
        local = self.tenant("headquarters", VERSIONS[here], clock_here)
        remote = self.tenant("customer", VERSIONS[there], clock, **remote_settings)
        host = self.host(local, on_call, host_settings)
        return Mirror(local, remote, self.serve(remote, interference), host, clock, interference, clock_here)
