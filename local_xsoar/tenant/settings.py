"""What makes one tenant differ from another."""

from dataclasses import dataclass
from pathlib import Path

from local_xsoar.tenant.errors import TenantError
from local_xsoar.tenant.manners import RIGHTS, SWITCHES, TROUBLES
from local_xsoar.tenant.times import format_iso, in_64_bits, to_milliseconds


@dataclass(frozen=True)
class TenantSettings:
    """The settings of one tenant. Its folder holds `tenant.sqlite` and `files/`, and survives a restart.

    From `entry_moves_modified` on stand the points on which the platform's documents are silent or clients disagree. Their sides
    are in `manners`, how sure each is in `docs/servers.md`.

    Raises:
        TenantError: a value that no tenant can have.
    """

    name: str
    folder: Path
    version: str = "8.8.0"  # 8 and above: the manners of 8.x, below: those of 6.x
    api_key: str = ""  # with no key, the REST API refuses every request
    key_id: str = ""  # 8.x only
    advanced_key: bool = False  # 8.x: requests are signed with the key instead of carrying it
    account: str = ""  # 6.x multi-tenant: also answers under /acc_<account>
    utc_offset_minutes: int = 0  # 6.x: the offset that times are shown with

    # War Rooms
    entry_moves_modified: bool = False  # does a War Room entry move its incident's `modified`?
    from_time_field: str = "created"  # what `fromTime` of POST /investigation/{id} compares: created | modified
    page_keeps: str = "newest"  # which entries a `pageSize` keeps: newest | oldest
    first_id: str = "refused"  # what becomes of a `firstID`: heard | ignored | refused with 400
    last_id: str = "heard"  # and of a `lastId`, which two of the vendor's documents name
    entry_tags: str = "category"  # `tags` beside `categories`: combined | ignored | category (count only if that lists "tags")
    formatted_entries: str = "closed"  # POST /entry/formatted: open | closed to keys (303)
    # Lists and searches
    empty_list: str = "null"  # how an empty list looks: null | list
    search_total: str = "zero"  # a search's `total`: right | zero | page (how many are on this page)
    search_bounds: str = "ignored"  # times such as `fromDate` beside a `query`: combined | ignored
    search_sort: str = "all"  # which sort keys count: all | first | refused with 400 when there are several
    search_size_limit: int = 1000  # a larger `size` is capped to it; 0: any size is heard
    modified_route: str = "not_found"  # /incidents/modified: present | not_found (404) | see_other (303)
    # Writing
    created_answer: str = "empty"  # what follows on a creation: incident | empty (201 without a body) | no_id
    source_brand: str = "by_label"  # a new incident's brand and instance: as_sent | by_label (only beside an Instance label)
    close_reasons: str = "null"  # the closeReason field's selectValues: listed | null
    close_shows_after: int = 2  # how many loads still show an incident open that was closed by REST
    reopen_command: str = "works"  # !reopenInvestigation in a War Room: works | refused (an error entry)
    # Who may do what, and when
    barred_from: frozenset[str] = frozenset()  # which of `manners.RIGHTS` the key's role has not: 403
    broken_incidents: frozenset[str] = frozenset()  # ids of incidents whose load answers 500 for ever
    calls_a_minute: int = 0  # more of them are answered with 429 until the next minute; 0: any number
    retry_after: str = "told"  # how long to wait, with a 429: told | untold
    date_header: int | None = 240  # by how many seconds the header Date is ahead of the server's clock; None: there is none
    product_mode: str = "xsoar"  # what /about says it is: xsoar | xsiam

    body_limit: int = 50_000_000  # bytes of a request's body; what is longer is answered with 413
    upload_limit: int = 1_000_000_000  # the same for a form that carries a file
    drop_created_if_name_contains: str = ""  # stands for a pre-processing rule that drops new incidents

    def __post_init__(self) -> None:
        major = self.version.split(".")[0]
        if not major.isdigit() or int(major) < 6 or int(major) == 7:  # There was no XSOAR 7.
            raise TenantError(f'The version "{self.version}" is not one such as 8.8.0 or 6.12.0.')
        for field, sides in {**SWITCHES, **TROUBLES}.items():
            value = getattr(self, field)
            if isinstance(value, str) and value not in sides:
                raise TenantError(f'{field} is "{value}": give {" or ".join(sides)}.')
        if unknown := sorted(self.barred_from - RIGHTS.keys()):
            raise TenantError(f'barred_from has "{unknown[0]}": give some of {", ".join(RIGHTS)}.')

    @property
    def is_8(self) -> bool:
        """Say whether the tenant has the manners of 8.x."""
        return int(self.version.split(".")[0]) >= 8

    def kept(self, nanoseconds: int) -> int:
        """Return a time as the tenant's index keeps it: in milliseconds on 8.x, whole on 6.x."""
        return in_64_bits(to_milliseconds(nanoseconds) if self.is_8 else nanoseconds)

    def show(self, nanoseconds: int | None) -> str:
        """Return a time as the tenant writes it, with all its digits."""
        return format_iso(nanoseconds, 0 if self.is_8 else self.utc_offset_minutes)

    def show_kept(self, nanoseconds: int) -> str:
        """Return `created` or `modified` as the tenant writes it."""
        return self.show(self.kept(nanoseconds))
