"""What makes one tenant differ from another."""

from dataclasses import dataclass
from pathlib import Path

from local_xsoar.tenant.errors import TenantError
from local_xsoar.tenant.times import format_iso, in_64_bits, to_milliseconds

_CHOICES = {
    "from_time_field": ("created", "modified"),
    "page_keeps": ("newest", "oldest"),
    "empty_list": ("null", "list"),
    "close_reasons": ("listed", "null"),
}


@dataclass(frozen=True)
class TenantSettings:
    """The settings of one tenant. Its folder holds `tenant.sqlite` and `files/`, and survives a restart.

    The last group are points on which the platform's documents are silent or clients disagree, so they can be switched.

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

    entry_moves_modified: bool = True  # does a War Room entry move its incident's `modified`?
    from_time_field: str = "created"  # what `fromTime` of POST /investigation/{id} compares: created | modified
    page_keeps: str = "newest"  # which entries a `pageSize` keeps: newest | oldest
    empty_list: str = "null"  # how no incidents and no entries look: null | list
    close_reasons: str = "listed"  # the closeReason field's selectValues: listed | null
    search_size_limit: int = 1000  # a larger `size` is capped to it
    body_limit: int = 50_000_000  # bytes of a request's body; what is longer is answered with 413
    upload_limit: int = 1_000_000_000  # the same for a form that carries a file
    drop_created_if_name_contains: str = ""  # stands for a pre-processing rule that drops new incidents

    def __post_init__(self) -> None:
        major = self.version.split(".")[0]
        if not major.isdigit() or int(major) < 6:
            raise TenantError(f'The version "{self.version}" is not one such as 8.8.0 or 6.12.0.')
        for field, choices in _CHOICES.items():
            if getattr(self, field) not in choices:
                raise TenantError(f'{field} is "{getattr(self, field)}": give {" or ".join(choices)}.')

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
