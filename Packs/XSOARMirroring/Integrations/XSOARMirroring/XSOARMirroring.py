import demistomock as demisto
from CommonServerPython import *
from CommonServerUserPython import *

"""Mirrors incidents between two Cortex XSOAR tenants.

Read from top to bottom: constants, basics, settings, incidents and entries, client, what the mirror remembers, cursor, fetch,
pull, push, schema, War Room commands, Test, main. A pull and a push read, plan, execute and record. Functions that plan are pure
and take plain data; `demisto` is touched only by the functions whose names end in _command, by the few that keep state or
files, and by main.

Times are integers: nanoseconds since 1970 where they order incidents or entries (`_ns`), milliseconds where they are kept or
asked for (`_ms`), since an XSOAR 8 tenant knows no finer time than that.
"""

import base64
import contextlib
import functools
import hashlib
import io
import secrets
import string
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import MISSING, dataclass, field, is_dataclass, replace
from dataclasses import fields as fields_of
from email.utils import parsedate_to_datetime
from itertools import islice, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO
from urllib.parse import quote, urlsplit, urlunsplit

""" CONSTANTS """

BRAND = "XSOAR Mirroring"  # The sourceBrand of the incidents that this integration creates.
DIRECTIONS = {"None": "", "Incoming": "In", "Outgoing": "Out", "Incoming And Outgoing": "Both"}
CATEGORIES = ("notes", "chats", "attachments")
FIRST_PAGE, OLDER, NEWER, ALL_AT_ONCE = "first", "older", "newer", "all"  # How a War Room is read. See `war_room_pages`.
CUSTOM = "CustomFields."  # What stands before the CLI name of a custom field, where it could be taken for another.
DEFAULT_COLUMNS = ["id", "name", "type", "status", "severity", "owner", "occurred"]
MOST_WHOLE_INCIDENTS = 50  # Above it the context gets these fields of an incident only, as the platform's design guide asks.
BRIEF_FIELDS = (*DEFAULT_COLUMNS, "created", "modified", "closed", "closeReason", "phase", "sourceBrand", "sourceInstance")
ENTRY_COLUMNS = ["id", "created", "user", "category", "tags", "file", "contents"]
SHOWN_FIELDS = (*BRIEF_FIELDS, "details", "dueDate", "closeNotes", "playbookId", "investigationId")
MAX_FETCH_LIMIT = 200
MOST_RESULTS = 10_000
LOOK_BACK_LIMIT_MINUTES = 1440
SEARCH_PAGE = 500
SEARCH_PAGE_LIMIT = 1000  # XSOAR REST API: a search gives no more than 1,000 incidents a page.
ENTRY_PAGE = 1000
PAGE_SMALLEST = 50  # No tenant is known to cap a page below this; one that is shorter, and than was asked for, is the last.
RETRY_PAUSES = (0.5, 1.0)  # Seconds before the second and the third try of a call, and up to half as much again.
RETRY_BUDGET = 90.0  # Seconds that the failed tries of one run may take in all. After that a failure ends the call at once.
RETRY_AFTER_LIMIT = 10.0  # Seconds. A remote that asks for a longer pause is left alone until the next round.
LARGEST_ANSWER = 100 << 20  # Bytes, unpacked. A larger answer is not read to its end.
LARGEST_ERROR = 1 << 20  # Bytes, of the body of an error.
LARGEST_FILE = 1 << 30  # Bytes. Of a larger file only a note comes, with its name and where it is.
SLOWEST_ANSWER_MS = 240_000  # An answer that takes longer is given up: the server ends a run after five minutes.
PIECE = 1 << 14  # Bytes, packed, that are unpacked at once: 1,000 times as much at most.
MOST_PAGES = 200  # Pages of one search or War Room in one run. What lies behind them waits for the next.
LONGEST_ID = 200  # Characters. No tenant is known to give longer IDs or times.
RUN_SECONDS = 150  # After that a run begins nothing that the next may do as well: the server ends it after five minutes.
AT_ONCE = 8  # Reading calls that run side by side.
SAVE_PAUSES = (0.2, 0.4, 0.8, 1.6)  # Seconds before the next try of a save that met another's change.
CONTEXT_TRIES = 5
SWEEP = 20  # Incidents a round looks into, where a new entry does not show in its incident. It bounds the calls of a round.
SWEEP_TRUSTED = 3  # The same where it does show, as far as is known.
MOVED_WITHIN_MS = 100  # An incident that changed so soon after its newest entry is taken to have changed with it.
SWEEP_LIMITED = 4  # The same while the remote limits calls.
LIMITED_MS = 600_000  # So long a limit that was met is taken to hold.
MOST_GONE = 50  # Incidents that a census did not find, and that are pulled in one round.
MOST_TRIED_ALONE = 64  # Fields: of more, single ones are not found out when the remote refuses them.
BOTH_SIDES_MS = 120_000  # A field that came in within this time and is changed here was perhaps changed here before.
HOUR_MS = 3_600_000
BUSY_TRIES = 3  # After so many, an incident that answers with a server error while the remote is well is unreadable.
MOST_TRIES = 10  # After so many, in six weeks, an incident that cannot be read is given up.
FILE_TRIES = 3  # After so many, a note stands for a file that cannot be had.
KEPT_CLOSED_MS = 30 * 24 * HOUR_MS  # A closed incident that has not changed for so long is forgotten.
KEPT_RECORDS = 20_000
MODIFIED_OVERLAP_MS = 120_000  # How late a change may appear in the remote's search index and still be found.
MINUTE_MS = 60_000
LARGEST_SKEW_MS = 7 * 24 * HOUR_MS  # A clock that is further from ours tells nothing.
KEPT_KNOWN_MS = 24 * HOUR_MS  # So far the remote's clock may be put back, and no incident is fetched twice or passed over.
KEPT_KNOWN = 2_000
SCHEMA_MS = 10 * MINUTE_MS  # So old the kept close reasons of the remote may be.
HEALTH_MS = 5 * MINUTE_MS  # What xsoar-mirror-status tells may be so old, where nothing else has to be written.
MAX_NAME_BYTES = 200
# Windows opens a device instead of a file of such a name, whatever its suffix.
DEVICE_NAMES = frozenset({"CON", "PRN", "AUX", "NUL", *(f"{word}{number}" for word in ("COM", "LPT") for number in range(1, 10))})
# What a fetched incident takes over from the remote one besides its custom fields. The rest is in rawJSON, for mappers.
FETCHED_FIELDS = ("name", "type", "severity", "owner", "details", "occurred", "phase", "dueDate", "playbookId")
FETCHED_TIMES = ("occurred", "dueDate")
SEVERITIES = (0, 0.5, 1, 2, 3, 4)
# The fields of the incident itself that an incident which is created in the remote may bring along.
INCIDENT_FIELDS = (
    *("name", "type", "severity", "owner", "details", "occurred", "phase", "category", "reason", "dueDate", "reminder"),
    *("closeReason", "closeNotes"),
)
# Keys that the remote server owns. They are never written, whatever an outgoing mapper sends.
SERVER_OWNED_FIELDS = frozenset(
    "id version modified created autime cacheVersn sizeInBytes syncHash indexName numericId shardid sequenceNumber primaryTerm "
    "account activated activatingingUserId attachment canvases changeStatus closed closingUserId droppedCount exported "
    "feedBased hasRole insights investigationId isDebug isPlayground lastJobRunTime lastOpen linkedCount linkedIncidents "
    "notifyTime openDuration parent playbookId previousRoles rawCategory rawCloseReason rawJSON rawName rawPhase rawType "
    "retained roles labels runStatus sla sortValues sourceBrand sourceInstance status allRead allReadWrite todoTaskIds "
    "in_mirror_error out_mirror_error".lower().split()
)
CLOSING_KEYS = frozenset({"closereason", "closenotes"})  # In lower case: mappers spell them both ways.
# Of fields of the incident itself, never of custom ones.
SERVER_OWNED_PREFIXES = ("dbot", "xsoar", "haintegration", "haoriginal")
# These tell a tenant how to mirror an incident. Those of one tenant mean nothing in the other.
MIRROR_KEYS = frozenset(
    "dbotMirrorId dbotMirrorDirection dbotMirrorInstance dbotMirrorTags dbotMirrorLastSync dbotDirtyFields "
    "dbotCurrentDirtyFields".lower().split()
)
# What a mapper may call a field of the incident itself, besides its own name in any case. XSOAR REST API: the field
# dbotDueDate is `dueDate` in an incident.
FIELD_ALIASES = {"dbotduedate": "dueDate"}
LIST_TYPES = frozenset({"multiselect", "tagsselect", "grid", "role", "attachments"})  # Types of fields that hold lists.
OWN_FIELD_PREFIX = "xsoarmirroring"  # The CLI names of this pack's incident fields. They tell how one tenant's mirroring stands.
# The commands that the server runs by itself, whose failure xsoar-mirror-status tells of.
MIRRORING_COMMANDS = frozenset({"fetch-incidents", "get-modified-remote-data", "get-remote-data", "update-remote-system"})
# What a remote error means, as far as the code must know it. The message tells a person.
RATE_LIMIT, BUSY, UNREACHABLE, LATE = "rate limit", "busy", "unreachable", "late"
REFUSED_KEY, FORBIDDEN, NOT_API = "refused key", "forbidden", "not an API"
NOT_FOUND, CONFLICT, CLOSED, REJECTED = "not found", "conflict", "closed", "rejected"
UNUSABLE, TOO_LARGE, STRANGER = "unusable", "too large", "stranger"
# What concerns one incident alone.
UNREADABLE = (NOT_FOUND, REJECTED, FORBIDDEN, UNUSABLE, TOO_LARGE, STRANGER)

""" BASICS """


def local_now_ms() -> int:
    """Return the local clock, in milliseconds since 1970."""
    return int(time.time() * 1000)


def short(text: Any, length: int = 300) -> str:
    """Return a text on one line, cut to a length."""
    line = " ".join(str(text).split())
    return line if len(line) <= length else line[: length - 1] + "…"


def host_of(url: str) -> str:
    """Return the host of an address, with its port if it names one; an empty text when it is no address."""
    try:
        return short(urlsplit(url).netloc.rpartition("@")[2], LONGEST_ID)
    except ValueError:
        return ""


def keys_of(packed: str) -> list[str]:
    """Return the four-character keys that stand in a text one behind the other."""
    return [packed[position : position + 4] for position in range(0, len(packed), 4)]


def digest_of(data: Any) -> str:
    """Return a short text that is the same for the same data."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()[:16]


def to_json(value: Any) -> str:
    """Return a value as JSON without blanks."""
    return json.dumps(value, separators=(",", ":"))


UNITS_MS = {"second": 1000, "minute": MINUTE_MS, "hour": HOUR_MS, "day": 24 * HOUR_MS, "week": 7 * 24 * HOUR_MS}
PAST_TIME = re.compile(r"([0-9]{1,9}) ?(second|minute|hour|day|week)s?( ago)?", re.IGNORECASE)
ISO_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|z|[+-]\d\d:?\d\d)?")


def parse_ns(text: Any) -> int:
    """Return a time of the remote in nanoseconds since 1970, whatever its precision and offset. Without an offset it is UTC.

    XSOAR REST API: 6.x gives up to nine digits of a second, 8.x three with trailing zeros left out; 6.x may give an offset.

    Raises:
        ValueError: it is not an ISO time.
    """
    return parse_text_ns(str(text))


@functools.lru_cache(maxsize=8192)
def parse_text_ns(text: str) -> int:
    """See `parse_ns`: an incident's and an entry's times are asked for several times each."""
    match = ISO_TIME.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{short(text, 80)!r} is not an ISO time.")
    day, clock, fraction, offset = match.groups()
    zone = "+00:00" if offset in (None, "Z", "z") else offset
    moment = datetime.fromisoformat(f"{day}T{clock}{zone}")
    since_1970 = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since_1970.days * 86_400 + since_1970.seconds) * 10**9 + int((fraction or "")[:9].ljust(9, "0"))


def parse_ms(text: Any, otherwise: int) -> int:
    """Return a time of the remote in milliseconds since 1970, rounded down; `otherwise` when it is none."""
    try:
        return parse_ns(text) // 1_000_000
    except ValueError:
        return otherwise


def iso(time_ms: int) -> str:
    """Return a time as the REST API takes it, in UTC."""
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=time_ms)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def parse_last_update(value: Any, otherwise_ms: int) -> int:
    """Return the server's lastUpdate, an ISO time or an epoch in seconds, milliseconds or nanoseconds, in milliseconds.

    Args:
        otherwise_ms: what is returned when it is missing, or neither.
    """
    text = str(value or "").strip()
    if re.fullmatch(r"\d{1,30}(\.\d+)?", text):
        number = float(text)
        while number > 10**14:
            number /= 1000
        return int(number if number > 10**11 else number * 1000)
    return parse_ms(text, otherwise_ms)


def entry_number(entry_id: str) -> tuple[int, str]:
    """Return what entries of one instant are ordered by: the number before the @, then the ID itself."""
    number = str(entry_id).partition("@")[0]
    return (int(number) if number.isdecimal() and len(number) < 20 else 0, str(entry_id))


def safe_file_name(name: Any) -> str:
    """Return a file name that stays a name: no folders, no control characters, not longer than file systems take."""
    base = re.split(r"[\\/]", name if isinstance(name, str) else "")[-1].encode(errors="replace").decode()
    clean = "".join(character for character in base if character.isprintable()).strip().rstrip(". ")
    if not clean:
        return "file"
    if clean.partition(".")[0].strip().upper() in DEVICE_NAMES:
        clean = f"_{clean}"
    stem, dot, suffix = clean.rpartition(".")
    if not stem or len(suffix.encode()) > 20:
        stem, dot, suffix = clean, "", ""
    room = MAX_NAME_BYTES - len((dot + suffix).encode())
    return stem.encode()[:room].decode(errors="ignore") + dot + suffix


def is_id(value: Any) -> bool:
    """Return whether a value of the remote can be an ID, or a name of a field: what fits into an address and into our memory."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return 0 < len(text) <= LONGEST_ID and text.isprintable() and text.strip(" .") != ""


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list that the remote gave; none when it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def with_ids(value: Any) -> list[dict[str, Any]]:
    """Return the incidents or entries of a list that the remote gave. What has no ID cannot be mirrored."""
    return [item for item in objects(value) if is_id(item.get("id"))]


def texts(value: Any) -> list[str]:
    """Return the texts of a list that the remote gave; none when it is no list."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def whole(value: Any, otherwise: int) -> int:
    """Return a whole number that the remote gave; `otherwise` when it is something else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise


def decoded(body: bytes) -> Any:
    """Return the value of a JSON text; numbers that JSON does not know become None. Raises ValueError when it is none."""

    def finite(text: str) -> float | None:
        number = float(text)
        return number if abs(number) != float("inf") else None

    try:
        value = json.loads(body, parse_constant=lambda _: None, parse_float=finite)
        if b"\\ud" in body.lower():
            # Half a surrogate, which no encoding takes.
            value = json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
        return value
    except RecursionError:
        raise ValueError("It is nested too deep.")


def as_text(value: Any) -> Any:
    """Return a value as a cell of a table shows it, with what is Markdown or HTML in it shown as the text that it is."""
    if isinstance(value, str):
        safe = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return re.sub(r"([\\*_\[\]~!])", r"\\\1", safe)
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        if any(isinstance(item, dict | list) for item in inner):
            return as_text(json.dumps(value, ensure_ascii=False))
    if isinstance(value, dict):
        return {as_text(key): as_text(item) for key, item in value.items()}
    return [as_text(item) for item in value] if isinstance(value, list) else value


def rows_shown(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a table with their values as they are shown."""
    return [{key: as_text(value) for key, value in row.items()} for row in rows]


def parse_when(text: Any, name: str, now_ms: int) -> int:
    """Return a time that a person typed, relative ("3 days") or ISO, in milliseconds since 1970. Without a zone it is UTC.

    Args:
        now_ms: what a relative time is taken back from.

    Raises:
        ValueError: it is no time. A bare number is refused: dateparser would read it as a month or as an epoch.
    """
    typed = str(text or "").strip()
    if ago := PAST_TIME.fullmatch(typed):
        return max(0, now_ms - int(ago[1]) * UNITS_MS[ago[2].lower()])
    try:
        return parse_ns(typed if "T" in typed.upper() else f"{typed}T00:00:00") // 1_000_000
    except ValueError:
        moment = None
    if not re.fullmatch(r"[+-]?[0-9.,]*", typed):
        base = datetime(1970, 1, 1) + timedelta(milliseconds=now_ms)
        try:
            # Its way is slow, and slower still when it tries all languages; and some take a letter for a month.
            moment = dateparser.parse(
                typed[:LONGEST_ID],
                languages=["en"],
                settings={"RELATIVE_BASE": base, "TIMEZONE": "UTC", "RETURN_AS_TIMEZONE_AWARE": True},
            )
        except (ValueError, OverflowError):
            moment = None
    if moment is None:
        raise ValueError(
            f"{name} is {short(typed, 80)!r}: enter a number and a unit such as 3 days, or an ISO time such as "
            "2026-03-01T00:00:00Z."
        )
    return int(moment.timestamp() * 1000)


""" SETTINGS """


def whole_number(value: Any, name: str, lowest: int, highest: int | None = None) -> int:
    """Return a whole number between two bounds. Raises ValueError with a sentence that names the parameter or argument."""
    allowed = f"enter a whole number from {lowest}" + (f" to {highest}." if highest is not None else " on.")
    text = "" if value is None else str(value).strip()
    if not text:
        raise ValueError(f"{name} is blank: {allowed}")
    if not re.fullmatch(r"[+-]?[0-9]{1,15}", text):
        raise ValueError(f"{name} is {short(text, 80)!r}, which is not a whole number: {allowed}")
    number = int(text)
    if number < lowest or (highest is not None and number > highest):
        raise ValueError(f"{name} is {number}: {allowed}")
    return number


def flag(params: dict[str, Any], name: str, display: str, default: bool, remedy: str = "select or clear the checkbox") -> bool:
    """Return a checkbox parameter, or an argument that is true or false, as a bool; `default` when it was never set."""
    value = params.get(name)
    if value is None or value == "":
        return default
    try:
        return argToBoolean(value)
    except ValueError:
        raise ValueError(f"{display} is {short(value, 80)!r}: {remedy}.")


def listed(value: Any) -> tuple[str, ...]:
    """Return a comma-separated or ready list as stripped texts, each once, in order; blank ones are left out."""
    return tuple(dict.fromkeys(text for text in (str(item or "").strip() for item in argToList(value)) if text))


def whole_query(value: Any) -> str:
    """Return the user's query. Raises ValueError when it would change what is asked beside it: a bracket or a quote is open."""
    query = str(value or "").strip()
    # Without what is quoted or escaped, only brackets can reach beyond the end.
    rest = re.sub(r'"(?:[^"\\]|\\.)*"|\\.', "", query, flags=re.DOTALL)
    depths = [0]
    for character in rest:
        depths.append(depths[-1] + {"(": 1, ")": -1}.get(character, 0))
    if min(depths) < 0 or depths[-1] or '"' in rest or "\\" in rest:
        raise ValueError(
            f"Fetch only incidents that match the query is {short(query, 80)!r}: a bracket, a quote or a backslash in it stands "
            "alone; correct the query."
        )
    return query


def parse_categories(value: Any, name: str) -> tuple[str, ...]:
    """Return the entry categories, as the REST API spells them. Raises ValueError for an unknown one."""
    categories = tuple(category.lower() for category in listed(value))
    unknown = [category for category in categories if category not in CATEGORIES]
    if unknown:
        raise ValueError(f"{name} holds {short(unknown[0], 80)!r}: choose from {', '.join(CATEGORIES)}.")
    return categories


def api_root(url: Any, key_id: str) -> str:
    """Return the address before the routes: with `/xsoar` for XSOAR 8 (a key ID is given), without for XSOAR 6.

    The address may be given with or without a trailing `/`, `/xsoar`, `/xsoar/public/v1` and `/acc_<tenant>`.
    `/xsoar` is what the official clients use; the documented `/xsoar/public/v1` lacks some of the routes.
    """
    text = str(url or "").strip()
    if not text:
        raise ValueError(
            "XSOAR Server URL is blank: enter the address of the remote tenant, for example https://xsoar.example.com."
        )
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if "@" in text:
        raise ValueError("XSOAR Server URL holds a user name: enter the address alone, and the key as API Key.")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"XSOAR Server URL is {short(text, 80)!r}: enter an address that begins with https://.")
    path, account = parts.path.rstrip("/"), ""
    known_end = re.compile(r"/(acc_[^/]+|xsoar|xsoar/public/v1)$")
    while match := known_end.search(path):
        if match.group(1).startswith("acc_"):
            account = match.group(0)
        path = path[: match.start()].rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, path + ("/xsoar" if key_id else "") + account, "", ""))


@dataclass(frozen=True)
class Settings:
    """The parameters of the instance, checked and typed. See `parse_settings`."""

    instance: str
    api_root: str
    api_key: str
    key_id: str
    advanced_key: bool
    verify: bool
    proxy: bool
    max_fetch: int
    query: str
    first_fetch: str
    look_back_ms: int
    categories: tuple[str, ...]
    tags: tuple[str, ...]
    mirror_tags: tuple[str, ...]
    direction: str
    close_in: bool
    close_out: bool
    skip_own: bool
    mirror_playbook: bool
    history: bool
    debug: bool

    @property
    def comes_in(self) -> bool:
        """Whether changes of the remote incident arrive here."""
        return self.direction in ("In", "Both")


def parse_settings(params: dict[str, Any], instance: str) -> Settings:
    """Return the settings of an instance.

    Args:
        params: what `demisto.params()` gives.
        instance: the name of the instance.

    Raises:
        ValueError: a parameter is missing or wrong; the message is one sentence that names the parameter and the remedy.
    """
    credentials = params.get("credentials_api_key")
    credentials = credentials if isinstance(credentials, dict) else {}
    api_key = str(credentials.get("password") or "").strip()
    key_id = str(credentials.get("identifier") or "").strip()
    advanced_key = flag(params, "advanced_api_key", "The API key is an advanced key", False)
    if not api_key:
        raise ValueError(
            "API Key is missing: generate a key in the remote tenant under Settings > Integrations > API Keys and enter it."
        )
    if not (api_key + key_id).isprintable() or not (api_key + key_id).isascii():
        raise ValueError("API Key or its ID holds a character that no key has: copy both again from the remote tenant.")
    if advanced_key and not key_id:
        raise ValueError("API Key ID is missing: an advanced key belongs to XSOAR 8; enter the ID that its API Keys page shows.")

    direction = str(params.get("mirror_direction") or "None")
    if direction not in DIRECTIONS:
        raise ValueError(f"Incident Mirroring Direction is {short(direction, 80)!r}: choose one of {', '.join(DIRECTIONS)}.")
    tags = listed(params.get("tags"))
    mirror_tags = listed(params.get("mirror_tag"))
    shared = sorted(set(tags) & set(mirror_tags))
    if shared:
        raise ValueError(
            f"The tag {short(shared[0], 80)!r} stands in Incoming Entry tags and in Outgoing Entry Tags: entries would be sent "
            "back and forth; use different tags for the two directions."
        )

    return Settings(
        instance=instance,
        api_root=api_root(params.get("url"), key_id),
        api_key=api_key,
        key_id=key_id,
        advanced_key=advanced_key,
        verify=not flag(params, "insecure", "Trust any certificate (not secure)", False),
        proxy=flag(params, "proxy", "Use system proxy settings", False),
        max_fetch=whole_number(params.get("max_fetch"), "Maximum number of incidents to pull per fetch", 1, MAX_FETCH_LIMIT),
        query=whole_query(params.get("query")),
        first_fetch=str(params.get("first_fetch") or "3 days").strip(),
        look_back_ms=MINUTE_MS
        * whole_number(
            5 if params.get("look_back") in (None, "") else params.get("look_back"), "Look-back", 0, LOOK_BACK_LIMIT_MINUTES
        ),
        categories=parse_categories(params.get("categories"), "Entry Categories"),
        tags=tags,
        mirror_tags=mirror_tags,
        direction=DIRECTIONS[direction],
        close_in=flag(params, "close_incident", "Close Mirrored XSOAR Incident", True),
        close_out=flag(params, "close_out", "Close Remote Incident", True),
        skip_own=flag(
            params, "disable_from_same_integration", "Disable fetching for incidents that came from this integration", True
        ),
        mirror_playbook=flag(params, "mirror_playbook_id", "Mirror Playbook ID", True),
        history=flag(params, "fetch_incident_history", "Fetch incident history", False),
        debug=flag(params, "debug_mode", "Debug mode", False),
    )


def remote_link(settings: Settings, incident_id: str) -> str:
    """Return the address of an incident's page in the remote tenant.

    An XSOAR 8 answers its API under `api-` and the tenant's own name. Which page shows an incident is not documented: 6.x has
    it under `#/Details`, and so its own links say; 8.x under `Details`.
    """
    parts = urlsplit(settings.api_root)
    page = quote(incident_id, safe="", errors="replace")
    if settings.key_id:
        return urlunsplit((parts.scheme, parts.netloc.removeprefix("api-"), f"/Details/{page}", "", ""))
    return urlunsplit((parts.scheme, parts.netloc, f"{parts.path}/", "", f"/Details/{page}"))


def first_fetch_ms(settings: Settings, now_ms: int) -> int:
    """Return when the first fetch begins, in milliseconds since 1970. Raises ValueError when it is no time, or not past.

    Args:
        now_ms: the remote's clock. It may be far from the local one.
    """
    start_ms = parse_when(settings.first_fetch, "First fetch time", now_ms)
    if start_ms > now_ms:
        raise ValueError(f"First fetch time is {short(settings.first_fetch, 80)!r}, which is not past: enter an earlier time.")
    return start_ms


""" INCIDENTS AND ENTRIES """

SHUT = (IncidentStatus.DONE, IncidentStatus.ARCHIVE)
FILE_KEYS = frozenset({"name", "path", "type", "description", "showMediaFile", "isTempPath"})
UNMARKED = "AA"  # The mark of an entry that does not say when it was created.


@dataclass(frozen=True)
class Incident:
    """A remote incident, read once.

    created_ms: when it was created there; 0: it does not say. With its ID it is the incident's identity.
    modified: what tells whether it changed. It is kept, so what is no time stands as a digest.
    status: 0 to 3; None: it does not say.
    raw: all of it, as the remote gave it.
    """

    id: str
    created_ms: int
    modified: str
    status: int | None
    investigation_id: str
    raw: dict[str, Any]

    @staticmethod
    def of(raw: dict[str, Any]) -> "Incident":
        """Return the incident that the remote gave."""
        modified, status = raw.get("modified") or "", whole(raw.get("status"), -1)
        return Incident(
            id=str(raw.get("id")),
            created_ms=max(0, parse_ms(raw.get("created"), 0)),
            modified=modified if isinstance(modified, str) and len(modified) <= LONGEST_ID else digest_of(modified),
            status=status if 0 <= status <= IncidentStatus.ARCHIVE else None,
            investigation_id=str(raw.get("investigationId") or ""),
            raw=raw,
        )

    @property
    def modified_ms(self) -> int:
        """When it changed last, in the remote's time; 0: it does not say."""
        return parse_ms(self.modified, 0)


@dataclass(frozen=True)
class Entry:
    """An entry of a War Room, of either tenant, read once.

    key: its ID; and once its text was edited, how often, with a digest of the text. XSOAR REST API: `history` holds the earlier
        texts, in an order and up to a number that are not documented. Marking an entry as a note may add one that is the same;
        that is no edit.
    mark: tells it from another entry that gets its ID when a tenant is restored from a backup: when it was created, as a digest.
    touched_ms: when it was written or last changed.
    order: what entries are ordered by: when they were created, then their number.
    """

    id: str
    key: str
    mark: str
    touched_ms: int
    order: tuple[int, tuple[int, str]]
    has_file: bool
    is_note: bool
    tags: tuple[str, ...]
    raw: dict[str, Any]

    @staticmethod
    def of(raw: dict[str, Any]) -> "Entry":
        """Return the entry that a tenant gave."""
        entry_id, created_ms = str(raw.get("id")), parse_ms(raw.get("created"), 0)
        has_file = bool(raw.get("file") or raw.get("fileID"))  # XSOAR REST API: several entry types carry one.
        return Entry(
            id=entry_id,
            key=entry_id + ("" if has_file else edit_suffix(raw)),
            mark=short_digest(created_ms)[: len(UNMARKED)] if created_ms > 0 else UNMARKED,
            touched_ms=max(created_ms, parse_ms(raw.get("modified"), 0)),
            order=created_order(raw),
            has_file=has_file,
            is_note=bool(raw.get("note")),
            tags=tuple(texts(raw.get("tags"))),
            raw=raw,
        )

    @property
    def category(self) -> str:
        """The category that it plainly is of, as filters spell it; empty where only the remote can tell."""
        if self.has_file:
            return "attachments"
        return "notes" if self.is_note else "chats" if self.raw.get("category") == "chat" else ""


def is_closed(status: int | None) -> bool:
    """Return whether a status is that of a closed incident; an archived one is closed too."""
    return status in SHUT


def is_open(status: int | None) -> bool:
    """Return whether a status is that of an open incident."""
    return status is not None and status not in SHUT


def edit_suffix(entry: dict[str, Any]) -> str:
    """Return what an edited entry's key has behind its ID; an empty text when its text was never edited."""
    history = entry.get("history")
    earlier = [item for item in objects(history) if item.get("contents") is not None]
    earlier.sort(key=lambda item: parse_ms(item.get("contentDate"), 0))
    contents = [*(item["contents"] for item in earlier), entry.get("contents")]
    edits = sum(before != after for before, after in pairwise(contents))
    return f"#{edits}.{digest_of(entry.get('contents'))[:6]}" if edits else ""


def is_marked(entry: Entry, kept: str | None) -> bool:
    """Return whether what a ledger keeps under an entry's key is about this entry: both were created at one time."""
    return kept is not None and (kept[: len(UNMARKED)] == entry.mark or UNMARKED in (kept[: len(UNMARKED)], entry.mark))


def created_order(item: dict[str, Any], otherwise_ms: int = 0) -> tuple[int, tuple[int, str]]:
    """Return what incidents and entries are ordered by: when they were created, then their number."""
    try:
        created_ns = parse_ns(item.get("created"))
    except ValueError:
        created_ns = otherwise_ms * 1_000_000
    return created_ns, entry_number(str(item.get("id")))


def copy_digest(text: Any, file: Path | None = None) -> str:
    """Return what the copy of an entry is known again by in the other tenant: its text; of a file the name and what it holds."""
    if file is None:
        return short_digest(text.strip() if isinstance(text, str) else text)
    with file.open("rb") as content:
        return short_digest([text, hashlib.file_digest(content, "sha256").hexdigest()])


def custom_fields(incident: dict[str, Any]) -> dict[str, Any]:
    """Return the custom fields of an incident, or of changes; none when they are anything but an object."""
    custom = incident.get("CustomFields")
    return custom if isinstance(custom, dict) else {}


def is_files(value: Any) -> bool:
    """Return whether a custom field's value is a list of files: they lie in one tenant's store, under a name of the server's.

    XSOAR REST API: `{name, path, type, description, showMediaFile, isTempPath}`, the path as `<ID>_<uuid>_<name>`. A grid may
    have columns of these names as well.
    """

    def is_file(item: dict[str, Any]) -> bool:
        name, path = str(item.get("name")), str(item.get("path"))
        return "path" in item and FILE_KEYS.issuperset(item) and ("showMediaFile" in item or path.endswith(f"_{name}"))

    return isinstance(value, list) and bool(value) and len(objects(value)) == len(value) and all(map(is_file, value))


def is_timer(value: Any) -> bool:
    """Return whether a custom field's value is the state of an SLA timer, which each tenant keeps for itself."""
    return isinstance(value, dict) and {"runStatus", "accumulatedPause"} <= set(value)


def stays(key: str, value: Any) -> bool:
    """Return whether a custom field is of one tenant alone: how its mirroring stands, an SLA timer, or files."""
    return key.lower().startswith(OWN_FIELD_PREFIX) or is_timer(value) or is_files(value)


def steers(key: str) -> bool:
    """Return whether a field tells a tenant how to mirror an incident. Those of one tenant mean nothing in the other."""
    return key.lower() in MIRROR_KEYS


def is_server_owned(key: str) -> bool:
    """Return whether a key is the remote server's to write."""
    return key.lower() in SERVER_OWNED_FIELDS or key.lower().startswith(SERVER_OWNED_PREFIXES)


def plain(value: Any) -> Any:
    """Return a field's value as fields are compared: all that is empty is alike, and so are times of one millisecond."""
    if value in (None, "", [], {}) or str(value).startswith("0001-01-01T00:00:00"):
        return None
    if isinstance(value, str):
        moment_ms = parse_ms(value, -1)
        return f"time {moment_ms}" if moment_ms >= 0 else value
    return value


def field_digests(incident: dict[str, Any]) -> dict[str, str]:
    """Return what tells whether a field of an incident is another than before: for each that holds something, a short digest.

    Keys and values are four characters each; a custom field stands beside one of the same name at the top. What the server owns
    is left out.
    """
    values = {key: value for key, value in incident.items() if key != "CustomFields" and not is_server_owned(key)}
    values |= {f"{CUSTOM}{key}": value for key, value in custom_fields(incident).items() if not stays(key, value)}
    found = {key: plain(value) for key, value in values.items()}
    return {name_digest(key): short_digest(value) for key, value in found.items() if value is not None}


@functools.lru_cache(maxsize=4096)
def name_digest(name: str) -> str:
    """Return the key of a field in `field_digests`."""
    return short_digest(name)


def short_digest(value: Any) -> str:
    """Return four characters that differ for different values, but for one pair in 16 million."""
    text = json.dumps(value, sort_keys=True, default=str)
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:3]).decode()


def pack_digests(digests: dict[str, str]) -> str:
    """Return the digests of fields as one text, keys first: those of one type are alike, so they compress well."""
    return "".join(sorted(digests)) + "".join(digests[key] for key in sorted(digests))


def unpack_digests(packed: str) -> dict[str, str]:
    """Return the digests that `pack_digests` packed; none when the text is damaged."""
    parts = keys_of(packed)
    half = len(parts) // 2
    return dict(zip(parts[:half], parts[half:], strict=False)) if len(packed) == 8 * half else {}


def quoted(text: str) -> str:
    """Return a text as one value of the search language."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


""" CLIENT """


class RemoteError(DemistoException):
    """A call to the remote tenant that did not succeed: `kind` is for the code, the message is one sentence for a person."""

    def __init__(self, kind: str, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after
        self.status = 0  # The HTTP status of the answer; 0: there was none, or it was a good one.


CHECK_URL = (
    "check the XSOAR Server URL; for XSOAR 8 it is the value of Copy API URL on the API Keys page and an API Key ID is "
    "needed, for XSOAR 6 the address of the server with the API Key ID left empty."
)


def detail_of(response: requests.Response) -> str:
    """Return what an error body says, shortened. An XSOAR server and the gateway of XSOAR 8 say it under different keys."""
    try:
        body = decoded(b"".join(pieces_of(response, LARGEST_ERROR)))
    except (ValueError, RemoteError):
        return ""
    if not isinstance(body, dict):
        return ""
    parts = [body.get("id"), body.get("detail"), body.get("error")]
    reply, errors = body.get("reply"), body.get("errors")
    parts += [reply.get("err_msg")] if isinstance(reply, dict) else []
    parts += [item.get("detail") for item in errors if isinstance(item, dict)] if isinstance(errors, list) else []
    return short(without_key(response, "; ".join(dict.fromkeys(str(part) for part in parts if part))))


def without_key(response: requests.Response, text: Any) -> str:
    """Return a text of an answer without the key or signature that was sent, which a proxy may repeat."""
    sent = str(response.request.headers.get("Authorization") or "")
    return str(text).replace(sent, "<key>") if sent else str(text)


def retry_after_of(response: requests.Response) -> float:
    """Return the pause that the remote asks for, in seconds; 0 when it names none."""
    try:
        return max(0.0, float(response.headers.get("Retry-After", "0")))
    except ValueError:
        return 0.0


# What a call needs the permission for, by the beginning of its route.
PERMISSIONS = (
    ("/incidents/search", "search incidents"),
    ("/incident/load", "view the incident"),
    ("/incident/close", "close incidents"),
    ("/incidentfields", "read the incident fields"),
    ("/incidenttype", "read the incident types"),
    ("/incident", "create and edit incidents"),
    ("/investigation", "view the War Room of the incident"),
    ("/entry/download", "download files of the War Room"),
    ("/entry/upload", "add files to the War Room"),
    ("/entry/execute", "run commands in the War Room"),
    ("/entry", "write into the War Room"),
    ("/about", "use the API"),
)


def what_it_takes(response: requests.Response) -> str:
    """Return what a refused request would have done, as the permission for it is called."""
    path = urlsplit(response.url).path
    return next((permission for route, permission in PERMISSIONS if route in path), "do this")


def refused_key_sentence(status: int, settings: Settings) -> str:
    """Return the sentence for a key that was not accepted, as exact as the settings allow."""
    host = host_of(settings.api_root)
    if settings.key_id:
        kind = "an advanced" if settings.advanced_key else "a standard"
        return (
            f"{host} refused the API key ({status}): check API Key and API Key ID, that the key has not expired, and that it is "
            f"{kind} key as configured."
        )
    if status == 401:
        return (
            f"{host} refused the request ({status}) as XSOAR 8 does when the API Key ID is missing: enter the ID that the remote "
            "tenant's API Keys page shows beside the key."
        )
    return f"{host} refused the API key ({status}): check API Key; if the remote tenant is XSOAR 8, enter the API Key ID as well."


def unreachable(error: BaseException, settings: Settings) -> RemoteError:
    """Return the error for a call that got no answer, or only a part of one."""
    host = host_of(settings.api_root)
    if isinstance(error, requests.exceptions.SSLError):
        advice = "its certificate is not trusted; have a trusted one installed, or select Trust any certificate"
    elif isinstance(error, requests.exceptions.ProxyError):
        advice = "the proxy does not let the call through; check Use system proxy settings and the proxy"
    elif isinstance(error, requests.exceptions.Timeout):
        advice = "it does not answer in time; check XSOAR Server URL and that this server or engine may connect to it"
    elif isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidHeader):
        advice = "the address or the key holds a character that cannot be sent; enter XSOAR Server URL and API Key again"
    else:
        advice = "the connection failed; check XSOAR Server URL and that this server or engine may connect to it"
    return RemoteError(UNREACHABLE, f"{host} cannot be reached: {advice} ({type(error).__name__}).")


def empty_answer(response: requests.Response) -> str:
    """Return the sentence for an answer that holds nothing."""
    return f"{host_of(response.url)} gave an empty answer ({response.status_code}); it is tried again in the next round."


def clock_of(response: requests.Response) -> int:
    """Return what the remote's clock showed when it answered, in milliseconds since 1970; 0 when it does not tell."""
    try:
        time_ms = int(parsedate_to_datetime(response.headers["Date"]).timestamp()) * 1000
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        return 0
    return time_ms if abs(time_ms - local_now_ms()) < LARGEST_SKEW_MS else 0


def error_of(response: requests.Response, settings: Settings) -> RemoteError | None:
    """Return what an answer complains of, or None when it is good."""
    status = response.status_code
    content_type = response.headers.get("Content-Type", "")
    host = host_of(settings.api_root)
    if 300 <= status < 400:
        target = host_of(response.headers.get("Location", "")) or "another address"
        return RemoteError(NOT_API, f"{host} redirects to {target}: {CHECK_URL}")
    if status == 204:
        # The API never answers so. Whether a change was made is not known, as when an answer is lost.
        return RemoteError(BUSY, empty_answer(response))
    if status < 400:
        if "text/html" in content_type and "content-disposition" not in response.headers:
            return RemoteError(NOT_API, f"{host} answers with a web page, not with the XSOAR API: {CHECK_URL}")
        return None

    detail = detail_of(response)
    if status == 429:
        return RemoteError(
            RATE_LIMIT,
            f"API rate limit: {host} accepts no more calls for now (429); it is tried again in the next round.",
            retry_after_of(response),
        )
    if "errOptimisticLock" in detail or "version conflict" in detail.lower():
        return RemoteError(CONFLICT, "The remote incident was changed by somebody else in the meantime; try again.")
    if missing := re.search("could not find (incident|investigation)", detail.lower()):
        return RemoteError(
            NOT_FOUND,
            f"The remote tenant has no such {missing[1]}, or the API key may not read it ({status}): check the ID, and that the "
            "key's role sees the incident.",
        )
    if status == 401 or (status == 403 and "csrf" in detail.lower()):
        return RemoteError(REFUSED_KEY, refused_key_sentence(status, settings))
    if status in (402, 403):
        # It is about this call alone: a role may lack one permission.
        return RemoteError(
            FORBIDDEN,
            f"The API key may not {what_it_takes(response)} on {host} ({status}): give its role that permission. "
            f"{detail}".strip(),
        )
    if status == 412:
        return RemoteError(CLOSED, "The remote incident is closed, so nothing can be written into its War Room: reopen it first.")
    if status in (500, 502, 503, 504):
        return RemoteError(BUSY, f"{host} is not able to answer for now ({status}); it is tried again in the next round.")
    if "text/html" in content_type:
        return RemoteError(NOT_API, f"{host} answers with a web page, not with the XSOAR API ({status}): {CHECK_URL}")
    if status == 404:
        return RemoteError(NOT_FOUND, f"The remote tenant has no {urlsplit(response.url).path} (404). {detail}".strip())
    return RemoteError(REJECTED, f"The remote tenant refused the request ({status}): {detail or response.reason}.")


def pieces_of(response: requests.Response, most: int) -> Iterator[bytes]:
    """Yield an answer piece by piece. Raises RemoteError when it is larger than `most` bytes unpacked, or takes too long."""
    host = host_of(response.url)
    if response.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity", "gzip"):
        raise RemoteError(UNUSABLE, f"{host} packs its answer in a way that it was not asked for: check the proxy before it.")
    begin_ms, size = local_now_ms(), 0
    for piece in response.iter_content(chunk_size=PIECE):
        size += len(piece)
        if size > most:
            raise RemoteError(TOO_LARGE, f"The answer of {host} is larger than {most >> 20} MiB, so it is not read.")
        if local_now_ms() - begin_ms > SLOWEST_ANSWER_MS:
            raise RemoteError(UNUSABLE, f"The answer of {host} took more than {SLOWEST_ANSWER_MS // MINUTE_MS} minutes.")
        yield piece


def json_body(response: requests.Response, reads: bool = False) -> Any:
    """Return the JSON of an answer; None when it is empty. Raises RemoteError when it is something else."""
    content = b"".join(pieces_of(response, LARGEST_ANSWER))
    if not content.strip():
        if reads:
            raise RemoteError(BUSY, empty_answer(response))
        return None
    try:
        body = decoded(content)
    except ValueError:
        raise RemoteError(NOT_API, f"The answer of {host_of(response.url)} is not JSON: {CHECK_URL}")
    # XSOAR REST API: some failures come with status 200 and an `error` that is not null.
    if isinstance(body, dict) and body.get("error"):
        raise RemoteError(REJECTED, f"The remote tenant answered: {short(without_key(response, body['error']))}.")
    return body


def json_of_reading(response: requests.Response) -> Any:
    """Return the JSON of what was read. An empty answer is none: an XSOAR says `null` where it has nothing."""
    return json_body(response, reads=True)


def signed_headers(settings: Settings, now_ms: int) -> dict[str, str]:
    """Return the headers that carry the key, for one request: an advanced key is signed anew for each.

    XSOAR REST API: 6.x takes the key alone; 8.x the key with its ID; an advanced key goes as
    sha256(key + nonce + timestamp), the nonce of 64 letters and digits, the timestamp in milliseconds.
    """
    headers = {"Accept": "application/json", "Authorization": settings.api_key}
    if settings.key_id:
        headers["x-xdr-auth-id"] = settings.key_id
    if settings.advanced_key:
        nonce = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(64))
        timestamp = str(now_ms)
        headers["x-xdr-nonce"] = nonce
        headers["x-xdr-timestamp"] = timestamp
        headers["Authorization"] = hashlib.sha256((settings.api_key + nonce + timestamp).encode()).hexdigest()
    return headers


class MultipartFile:
    """The body of an upload: form fields and one file, read from disk piece by piece while it is sent.

    requests would build such a body in memory. An object with a length and `read` is streamed.
    """

    def __init__(self, fields: dict[str, str], name: str, path: Path) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()
        ]
        file_name = name.replace('"', '\\"')  # RFC 2045. Browsers write %22, which servers take for a part of the name.
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{file_name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        self._pieces: tuple[BinaryIO, ...] = (
            io.BytesIO("".join(parts).encode(errors="replace")),
            path.open("rb"),
            io.BytesIO(f"\r\n--{boundary}--\r\n".encode()),
        )
        self._size = sum(piece.seek(0, io.SEEK_END) for piece in self._pieces)
        self.rewind()

    def __len__(self) -> int:
        return self._size

    def rewind(self) -> None:
        """Begin anew, for another try."""
        for piece in self._pieces:
            piece.seek(0)

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes of the body, all that are left without a size; none at its end."""
        if size < 0:
            return b"".join(piece.read() for piece in self._pieces)
        return next((read for piece in self._pieces if (read := piece.read(size))), b"")

    def close(self) -> None:
        """Close the file."""
        for piece in self._pieces:
            piece.close()


def pause_before_retry(error: RemoteError, attempt: int, reads: bool) -> float | None:
    """Return how long to wait before a call is made again, in seconds; None when it is not.

    Args:
        attempt: how often it was made again already.
        reads: whether the call changes nothing in the remote.
    """
    # A gateway in trouble may also answer with a page of its own.
    is_repeatable = error.kind == RATE_LIMIT or (reads and error.kind in (BUSY, UNREACHABLE, NOT_API))
    if attempt >= len(RETRY_PAUSES) or not is_repeatable or error.retry_after > RETRY_AFTER_LIMIT:
        return None
    return max(RETRY_PAUSES[attempt], error.retry_after)


class Client(BaseClient):
    """The REST API of the remote tenant: one method a route, which returns what the tenant answers.

    Every method raises RemoteError. Reading calls are repeated when the remote is busy or the connection breaks; writing
    ones only when it is certain that nothing was done. Threads may share a client.
    """

    def __init__(self, settings: Settings, pause: Callable[[float], None] = time.sleep) -> None:
        super().__init__(base_url=settings.api_root, verify=settings.verify, proxy=settings.proxy)
        # Which proxy and certificates the environment names is looked up once, not for each call. Nothing else of it counts:
        # requests would take what a .netrc of this server or engine holds, in the place of the key.
        named = self._session.merge_environment_settings(settings.api_root, {}, None, self._verify, None)
        self._session.proxies, self._verify = dict(named["proxies"]), named["verify"] or False
        self._session.trust_env = False
        # requests prepares the next call of a redirect, and reads all of the answer for it, even where it is not to follow.
        self._session.get_redirect_target = lambda resp: None  # type: ignore[method-assign]
        self._settings = settings
        self.pause = pause
        self.limit: RemoteError | None = None  # What the remote said when it accepted no more calls.
        self.remote_time_ms = 0  # The remote's clock at its last answer, in whole seconds. 0: not known yet.
        self.calls = 0  # How many requests went out.
        self.schema: Schema | None = None  # The remote's incident fields, as they were kept, or as this run has read them.
        self.has_read_schema = False
        self._ahead_ms = 0  # How far the remote's clock is taken to be ahead of ours, in what is signed.
        self._sort_keys = 2  # How many a search names.
        self._failing_seconds = 0.0  # How long failed tries have taken.
        self._begun = time.monotonic()
        self._counting = threading.Lock()
        self._gate = threading.Lock()  # Is closed while the remote wants no calls.

    def is_late(self) -> bool:
        """Return whether this run has lasted so long that what can wait is left to the next."""
        return time.monotonic() - self._begun > RUN_SECONDS

    def about(self) -> dict[str, Any]:
        """Return the version of the remote and its modes."""
        return self._object("GET", "/about", reads=True)

    def search(
        self, query: str, size: int, page: int = 0, sort: str = "created", ascending: bool = True, from_ms: int | None = None
    ) -> tuple[list[dict[str, Any]], int]:
        """Return a page of the incidents that match, and how many match in all as the remote says.

        XSOAR REST API: `total` is unreliable on some tenants: it may tell that there is more, never that there is not. It is not
        certain that `fromDate` counts beside a query, so the bound stands in both; callers check it once more.

        Args:
            query: what the incidents match.
            from_ms: bounds their creation time.
        """
        incident_filter: dict[str, Any] = {
            "query": query,
            "size": size,
            "page": page,
            "sort": [{"field": sort, "asc": ascending}, {"field": "id", "asc": ascending}][: self._sort_keys],
        }
        if from_ms is not None:
            bound = f'created:>="{iso(from_ms)}"'
            incident_filter |= {"fromDate": iso(from_ms), "query": f"({query}) and {bound}" if query else bound}
        try:
            answer = self._object("POST", "/incidents/search", reads=True, json_data={"filter": incident_filter})
        except RemoteError as error:
            if error.kind != REJECTED:
                raise
            if self._sort_keys == 1:
                raise RemoteError(REJECTED, f"The remote tenant did not accept the query {query!r}. {error} Correct the query.")
            # It may be that it sorts by one field alone. The second spares calls; the order is ours.
            self._sort_keys = 1
            return self.search(query, size, page, sort, ascending, from_ms)
        # XSOAR REST API: `data` is null when nothing matches.
        return with_ids(answer.get("data")), whole(answer.get("total"), 0)

    def answer_of_search(self, incident_filter: dict[str, Any]) -> dict[str, Any]:
        """Return what a search answers, as it is."""
        return self._object("POST", "/incidents/search", reads=True, json_data={"filter": incident_filter})

    def modified_ids(self, method: str, since_seconds: int) -> Any:
        """Return what the route for changed incidents answers, which some servers have.

        XSOAR REST API: it is on no page of the documents; upstream gives it a start in whole seconds.
        """
        route = f"{'/public/v1' if self._settings.key_id else ''}/incidents/modified"
        start = {"params" if method == "GET" else "json_data": {"lastUpdate": since_seconds}}
        return self._call(method, route, reads=True, use=json_body, **start)

    def load(self, incident_id: str) -> dict[str, Any]:
        """Return an incident, whole."""
        if not is_id(incident_id):
            raise RemoteError(REJECTED, f"{short(incident_id, 40)!r} is not the ID of an incident.")
        incident = self._object("GET", f"/incident/load/{quote(incident_id, safe='')}", reads=True)
        if str(incident.get("id")) != incident_id:
            raise RemoteError(NOT_FOUND, f"The remote tenant has no incident {incident_id}, or the API key may not read it.")
        return incident

    def save(self, incident: dict[str, Any]) -> dict[str, Any]:
        """Write a whole incident and return it as it is now. What is left out is wiped; kind `conflict`: the version is old."""
        return self._object("POST", "/incident", json_data=incident)

    def create(self, incident: dict[str, Any]) -> dict[str, Any]:
        """Create an incident, with its War Room, and return it."""

        def read_created(response: requests.Response) -> dict[str, Any]:
            created = json_body(response)
            if created is None and response.status_code == 200:
                # XSOAR REST API: 200 with an empty body. Other servers answer 201 with an empty one to what they accepted.
                raise RemoteError(
                    REJECTED, "The remote tenant dropped the new incident: exempt it from the tenant's pre-processing rules."
                )
            return created if isinstance(created, dict) else {}

        created = self._call(
            "POST", "/incident", reads=False, use=read_created, json_data={**incident, "createInvestigation": True}
        )
        if not is_id(created.get("id")):
            raise RemoteError(
                UNUSABLE, "The remote tenant did not say which incident it has created; it is looked for next time."
            )
        return created

    def create_as_answered(self, incident: dict[str, Any]) -> tuple[int, Any]:
        """Create an incident, with its War Room; return the HTTP status and the JSON of the answer, None when that is empty."""
        return self._call(
            "POST",
            "/incident",
            reads=False,
            use=lambda response: (response.status_code, json_body(response)),
            json_data={**incident, "createInvestigation": True},
        )

    def close(self, incident_id: str, version: int, reason: str, notes: str) -> None:
        """Close an incident. The remote may finish only after it has answered."""
        body = {"id": incident_id, "version": version, "closeReason": reason, "closeNotes": notes, "CustomFields": {}}
        self._json("POST", "/incident/close", json_data=body)

    def entries(self, investigation_id: str, entry_filter: dict[str, Any]) -> list[dict[str, Any]]:
        """Return a page of the entries of a War Room."""
        if not is_id(investigation_id):
            raise RemoteError(NOT_FOUND, f"{short(investigation_id, 40)!r} is not the ID of a War Room.")
        route = f"/investigation/{quote(investigation_id, safe='')}"
        return with_ids(self._object("POST", route, reads=True, json_data=entry_filter).get("entries"))

    def add_note(self, investigation_id: str, text: str, markdown: bool) -> dict[str, Any]:
        """Write a note and return its entry."""
        body = {"investigationId": investigation_id, "data": text, "markdown": markdown, "id": "", "version": 0}
        return self._object("POST", "/entry/note", json_data=body)

    def mark_as_note(self, entry: dict[str, Any], investigation_id: str) -> None:
        """Turn an entry into a note."""
        body = {"id": entry.get("id"), "version": entry.get("version", 0), "investigationId": investigation_id, "data": "true"}
        self._json("POST", "/entry/note", json_data=body)

    def add_formatted(self, investigation_id: str, text: str, entry_format: str) -> dict[str, Any]:
        """Write an entry in a format and return it. Unlike /entry, this route never runs a text that looks like a command."""
        body = {"investigationId": investigation_id, "contents": text, "format": entry_format}
        return self._object("POST", "/entry/formatted", json_data=body)

    def add_chat(self, investigation_id: str, text: str, markdown: bool) -> dict[str, Any]:
        """Write a chat and return its entry. This route runs a text that begins with ! or /, so it must not."""
        body = {"investigationId": investigation_id, "data": text, "markdown": markdown, "id": "", "version": 0}
        return self._object("POST", "/entry", json_data=body)

    def tag_entry(self, entry: dict[str, Any], investigation_id: str, tags: list[str]) -> None:
        """Set the tags of an entry."""
        body = {"id": entry.get("id"), "version": entry.get("version", 0), "investigationId": investigation_id, "tags": tags}
        self._json("POST", "/entry/tags", json_data=body)

    def run(self, investigation_id: str, command: str) -> None:
        """Run a command in a War Room and wait for its end."""
        body = {"investigationId": investigation_id, "data": command, "id": "", "version": 0}
        self._json("POST", "/entry/execute/sync", json_data=body)

    def upload(self, investigation_id: str, path: Path, name: str, comment: str, note: bool) -> list[dict[str, Any]]:
        """Add a file to a War Room and return the entries that came of it."""
        body = MultipartFile({"fileComment": comment, "isNoteEntry": "true" if note else "false"}, name, path)
        route = f"/entry/upload/{quote(investigation_id, safe='')}"
        try:
            answer = self._json("POST", route, data=body, content_type=body.content_type)
        finally:
            body.close()
        entries = answer.get("entries") if isinstance(answer, dict) else None
        return with_ids(entries if isinstance(entries, list) else [entries])

    def download(self, entry_id: str, target: Path, size: int | None = None) -> None:
        """Write the file of an entry to `target`, piece by piece. One that has not its `size`, if that is known, is an error."""

        def save_to_target(response: requests.Response) -> None:
            # XSOAR REST API: a file comes with this header, JSON without it is something else.
            if "content-disposition" not in response.headers and "json" in response.headers.get("Content-Type", ""):
                raise RemoteError(NOT_API, f"{host_of(response.url)} gave something else than the file: {CHECK_URL}")
            with target.open("wb") as content:
                content.writelines(pieces_of(response, LARGEST_FILE))
            arrived = target.stat().st_size
            if size not in (None, arrived):
                raise RemoteError(UNREACHABLE, f"{host_of(response.url)} gave {arrived} bytes of a file that has {size}.")

        if size is not None and size > LARGEST_FILE:
            raise RemoteError(TOO_LARGE, f"The file of the entry {entry_id} is larger than {LARGEST_FILE >> 20} MiB.")
        route = f"/entry/download/{quote(entry_id, safe='')}"
        # Packed on its way, a file of which only a part arrives would look whole.
        self._call("GET", route, reads=True, use=save_to_target, accept_encoding="identity")

    def incident_fields(self) -> list[dict[str, Any]]:
        """Return the incident fields of the remote."""
        return incident_fields_among(self._json("GET", "/incidentfields", reads=True))

    def incident_types(self) -> list[dict[str, Any]]:
        """Return the incident types of the remote."""
        return objects(self._json("GET", "/incidenttype", reads=True))

    def _object(self, method: str, route: str, reads: bool = False, **request: Any) -> dict[str, Any]:
        """Return the JSON object of an answer, an empty one when the answer is empty."""
        answer = self._json(method, route, reads, **request)
        if answer is not None and not isinstance(answer, dict):
            raise RemoteError(
                UNUSABLE, f"{host_of(self._settings.api_root)} answers with what the XSOAR API never gives: {CHECK_URL}"
            )
        return answer or {}

    def _json(self, method: str, route: str, reads: bool = False, **request: Any) -> Any:
        return self._call(method, route, reads=reads, use=json_of_reading if reads else json_body, **request)

    def _call(self, method: str, route: str, reads: bool, use: Callable[[requests.Response], Any], **request: Any) -> Any:
        """Make a call, repeated where that is safe, and return what `use` makes of the answer."""
        for attempt in range(len(RETRY_PAUSES) + 1):
            with self._gate:
                started = time.monotonic()
            try:
                return self._call_once(method, route, use, **request)
            except RemoteError as error:
                with self._counting:
                    self._failing_seconds += time.monotonic() - started
                if error.kind in (REFUSED_KEY, FORBIDDEN) and attempt < len(RETRY_PAUSES) and self._takes_over_clock():
                    continue
                seconds = pause_before_retry(error, attempt, reads)
                if seconds is None or self._failing_seconds > RETRY_BUDGET:
                    self.limit = error if error.kind == RATE_LIMIT else self.limit
                    raise
                # A limit of calls holds for all that are under way.
                with self._gate if error.kind == RATE_LIMIT else contextlib.nullcontext():
                    # Not all instances, nor all workers of one, shall come back at the same moment.
                    self.pause(seconds + RETRY_PAUSES[attempt] * secrets.randbelow(500) / 1000)
        raise AssertionError("the last try either returns or raises")

    def _takes_over_clock(self) -> bool:
        """Return whether what is signed next will hold the remote's time, unlike what it has just refused."""
        ahead_ms = remote_now_ms(self) - local_now_ms()
        if not self._settings.advanced_key or abs(ahead_ms - self._ahead_ms) < MINUTE_MS:
            return False
        self._ahead_ms = ahead_ms
        return True

    def _call_once(
        self,
        method: str,
        route: str,
        use: Callable[[requests.Response], Any],
        content_type: str = "application/json",
        accept_encoding: str = "gzip",
        **request: Any,
    ) -> Any:
        signed = signed_headers(self._settings, local_now_ms() + self._ahead_ms)
        headers = {**signed, "Content-Type": content_type, "Accept-Encoding": accept_encoding}
        if isinstance(request.get("data"), MultipartFile):
            request["data"].rewind()
        with self._counting:
            self.calls += 1
        try:
            response = self._http_request(
                method,
                route,
                headers=headers,
                resp_type="response",
                error_handler=lambda _: None,
                # A redirect would carry the key to another address.
                allow_redirects=False,
                # An answer is read no further than to a limit.
                stream=True,
                **request,
            )
            with response:
                self.remote_time_ms = clock_of(response) or self.remote_time_ms
                error = error_of(response, self._settings)
                if error:
                    error.status = response.status_code
                    raise error
                return use(response)
        except RemoteError:
            raise
        except DemistoException as error:
            # Without the library's own error: its text may hold what was sent, and return_error logs what it is given.
            raise unreachable(error.exception or error, self._settings) from None
        except requests.exceptions.RequestException as error:
            raise unreachable(error, self._settings) from None


def remote_now_ms(client: "Client") -> int:
    """Return the remote's clock at its last answer, in milliseconds since 1970; the local one where it did not tell."""
    return client.remote_time_ms or local_now_ms()


def asked_now_ms(client: "Client") -> int:
    """Return the remote's clock, which is asked for it."""
    client.about()
    return remote_now_ms(client)


def as_result(work: Callable[..., Any], *args: Any) -> Any:
    """Return what a call returns, or its RemoteError."""
    try:
        return work(*args)
    except RemoteError as error:
        return error


class ReadPool:
    """Calls to the remote that run side by side, at most `at_once`. When one fails, those that have not begun fail as it did.

    What is called must not touch `demisto`: that is for the main thread, which calls nothing by itself meanwhile.
    0: each call is made when it is started, in the thread that starts it.
    """

    def __init__(self, at_once: int) -> None:
        self._pool = ThreadPoolExecutor(at_once) if at_once else None
        self._failure: BaseException | None = None

    def __enter__(self) -> "ReadPool":
        return self

    def __exit__(self, kind: Any, failure: BaseException | None, trace: Any) -> None:
        self._failure = self._failure or failure
        if self._pool:
            self._pool.shutdown()

    def start(self, work: Callable[..., Any], *args: Any) -> "Future[Any]":
        """Begin a call as soon as there is room."""
        if self._pool:
            return self._pool.submit(self._run, work, *args)
        future: Future[Any] = Future()
        future.set_result(work(*args))
        return future

    def _run(self, work: Callable[..., Any], *args: Any) -> Any:
        if self._failure:
            raise self._failure
        try:
            return work(*args)
        except BaseException as error:
            self._failure = error
            raise


""" WHAT THE MIRROR REMEMBERS """


@dataclass(frozen=True)
class Ledger:
    """Which entries of an incident crossed, by `Entry.key`. An ID alone is no identity, so each key has its entry's mark.

    seen: entries of the remote that are not to come in, as they came in or were written from here: the mark, and behind it
        the digest of the local copy (`copy_digest`), by which the copy is known again when somebody tags it.
    history: entries of the remote from before the incident was mirrored, with their marks.
    missing: entries of the remote whose file could not be had, with the number of tries.
    trying: local entries that were about to go, and a closing: the remote may have them all the same.
    sent: local entries that the remote has, with their marks.
    """

    seen: dict[str, str] = field(default_factory=dict)
    history: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    trying: dict[str, str] = field(default_factory=dict)
    sent: dict[str, str] = field(default_factory=dict)

    def has_seen(self, entry: "Entry") -> bool:
        """Return whether a remote entry is known. Where the remote no longer gives a history, an edited one has its plain ID."""
        return any(
            is_marked(entry, known.get(entry.key)) or (entry.key == entry.id and is_marked(entry, self._edited(known, entry)))
            for known in (self.seen, self.history)
        )

    def has_sent(self, entry: "Entry") -> bool:
        """Return whether the remote has a local entry."""
        return is_marked(entry, self.sent.get(entry.key))

    def has_copy(self, digest: str) -> bool:
        """Return whether a local entry of that `copy_digest` came in."""
        return bool(digest) and any(value[len(UNMARKED) :] == digest for value in self.seen.values())

    @staticmethod
    def _edited(known: dict[str, str], entry: "Entry") -> str | None:
        return next((mark for key, mark in known.items() if key.startswith(f"{entry.id}#")), None)


@dataclass(frozen=True)
class Record:
    """What is remembered of one remote incident: IDs, times, digests, and of texts only sentences for a person.

    created_ms: when it was created there. With its ID it is its identity; 0: it does not say.
    origin: how the two incidents came together: FETCHED, CREATED (there, from here) or LINKED (by hand).
    met: a local incident mirrors it: the server has asked for it or sent it, or kept the last run of the fetch that brought it.
    modified: the remote's `modified` of the fields that were delivered last.
    fields: digests of the fields when both sides were last known to be equal. See `field_digests` and `pack_digests`.
    news: the keys of the fields that the last pull gave, packed as in `fields`.
    status: the remote's status, as it was read last.
    given: the remote's status that was delivered here last.
    asked: the status that the server here was asked for and has not confirmed yet.
    told: the local status that the remote was told last.
    here: the local status, as it was seen last.
    since_ms: entries before it are history, until the War Room was read once; None: since the server's lastUpdate.
    owes_files: attachments of the fetched incident have yet to come.
    wanted, done: how often it was asked for, and the `wanted` that the last whole pull had read. It is due while they differ.
    tries, not_before_ms: how often in a row something could not be read, and when it is tried again (local clock).
    in_ms, out_ms: when something crossed last (local clock); 0: nothing yet.
    in_error, out_error: why something does not cross.
    shown: the digest of the report that the local incident shows. See `mirror_report`.
    notices: what people here have yet to be told in the War Room, by its digest.
    """

    created_ms: int = 0
    origin: str = ""
    met: bool = False
    modified: str = ""
    fields: str = ""
    news: str = ""
    status: int | None = None
    given: int | None = None
    asked: int | None = None
    told: int | None = None
    here: int | None = None
    since_ms: int | None = None
    owes_files: bool = False
    ledger: Ledger = field(default_factory=Ledger)
    wanted: int = 0
    done: int = 0
    tries: int = 0
    not_before_ms: int = 0
    in_ms: int = 0
    in_error: str = ""
    out_ms: int = 0
    out_error: str = ""
    shown: str = ""
    notices: dict[str, str] = field(default_factory=dict)

    @property
    def is_mirrored_here(self) -> bool:
        """Whether a local incident mirrors it. A fetch that was killed kept its records and created no incidents."""
        return self.met or self.origin in (CREATED, LINKED)

    @property
    def is_due(self) -> bool:
        """Whether it is to be pulled, now or at `not_before_ms`."""
        return self.wanted > self.done and self.tries < MOST_TRIES

    @property
    def is_closed_here(self) -> bool:
        """Whether the local incident is closed, or about to be, as far as is known."""
        return is_closed(self.here if self.asked is None else self.asked)

    @property
    def may_have_quiet_news(self) -> bool:
        """Whether entries may wait in it that nothing tells of. A pending incident has no War Room yet."""
        return self.status not in (IncidentStatus.PENDING, *SHUT)


@dataclass(frozen=True)
class Health:
    """What xsoar-mirror-status tells of the instance. Times are the local clock's, in milliseconds; 0: not yet.

    cursor_ms: the newest change of the remote that was answered, in the remote's time.
    fetch_ms, round_ms: when the last fetch, and the last question for changes, went well; about, see HEALTH_MS.
    fetch_calls, round_calls: how many requests they made.
    entries_in, entries_out: how many entries crossed.
    errors: the last failure of each command that the server runs by itself: its time and its sentence.
    """

    cursor_ms: int = 0
    fetch_ms: int = 0
    fetch_calls: int = 0
    round_ms: int = 0
    round_calls: int = 0
    entries_in: int = 0
    entries_out: int = 0
    errors: dict[str, list[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Schema:
    """What is kept of the remote's incident fields.

    custom_fields: the types of the custom ones, by CLI name.
    close_reasons: what a closing may say; none: anything.
    read_ms: when they were read (local clock); 0: not yet.
    """

    custom_fields: dict[str, str] = field(default_factory=dict)
    close_reasons: tuple[str, ...] = ()
    read_ms: int = 0


@dataclass(frozen=True)
class Rules:
    """Which of the remote's custom fields have a rule in the mappers that xsoar-mirror-mappers exported last.

    mapped: those that have one, by their CLI names in lower case.
    left_out: those that were to have none.
    exported_ms: when that was (local clock); 0: not yet, and the instance is taken to have the mappers of this pack.
    """

    mapped: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    exported_ms: int = 0


@dataclass(frozen=True)
class Memory:
    """What the mirror remembers besides the records of its incidents.

    entries_move: whether a new entry moves its incident's `modified` in the remote; None: not known yet.
    creating: the incidents that are being created there, by origin: their remote ID, empty while it is not known. The server
        learns the ID only when all of the update went well, and until then asks for the creation again.
    reach_ms: how far back the next question for changes must reach, in the remote's time; 0: no further than usual.
    limited_ms: when the remote last refused a call because there were too many (local clock); 0: never.
    """

    entries_move: bool | None = None
    creating: dict[str, str] = field(default_factory=dict)
    reach_ms: int = 0
    limited_ms: int = 0
    schema: Schema = field(default_factory=Schema)
    rules: Rules = field(default_factory=Rules)
    health: Health = field(default_factory=Health)

    @property
    def is_limited(self) -> bool:
        """Whether the remote refused calls a short time ago, so that what is optional gives way."""
        return local_now_ms() - self.limited_ms < LIMITED_MS


FETCHED, CREATED, LINKED = "fetched", "created", "linked"
EMPTY_RECORD = Record()
CLOSING = "closing"  # Stands in `Ledger.trying` for a closing whose end is not known.
SHARD_KEY, SHARDS = "incidents_", 64  # With 10,000 incidents some 150 of them are read and written for one.
MEMORY_KEY, QUEUE_KEY, OPEN_KEY = "memory", "queue", "open"


def pack(value: Any) -> Any:
    """Return what is kept as plain data; of a dataclass only what differs from a new one."""
    if is_dataclass(value):
        kept = {item.name: getattr(value, item.name) for item in fields_of(value)}
        return {item.name: pack(kept[item.name]) for item in fields_of(value) if kept[item.name] != default_of(item)}
    return sorted(value) if isinstance(value, frozenset) else list(value) if isinstance(value, tuple) else value


def unpack(kind: type[Any], packed: Any) -> Any:
    """Return the dataclass of a kind that `pack` packed; what is damaged or missing is as in a new one."""
    kept = packed if isinstance(packed, dict) else {}
    return kind(**{item.name: restored(kept[item.name], default_of(item)) for item in fields_of(kind) if item.name in kept})


def restored(value: Any, default: Any) -> Any:
    """Return a value of `unpack` in the type of its default; the default when it cannot have that."""
    if is_dataclass(default):
        return unpack(type(default), value)
    if isinstance(default, frozenset | tuple):
        return type(default)(texts(value))
    if default is None:
        return value if isinstance(value, int) else None
    return value if type(value) is type(default) else default


def default_of(item: Any) -> Any:
    """Return what a field of a dataclass holds in a new one."""
    return item.default if item.default_factory is MISSING else item.default_factory()


def squeezed(value: Any) -> str:
    """Return plain data as a compressed text."""
    return base64.b64encode(zlib.compress(to_json(value).encode(), 1)).decode()


def expanded(text: Any) -> dict[str, Any]:
    """Return the object that `squeezed` was given; an empty one when the text is missing or damaged."""
    try:
        value = json.loads(zlib.decompress(base64.b64decode(str(text or ""))))
    except (ValueError, zlib.error):
        return {}
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class Store:
    """The integration context as a value: all that the mirror remembers between commands.

    Records lie in compressed shards, of which a command touches only a few. Beside them stand, as plain JSON, `queue` (when
    each incident that is due is to be pulled, by ID) and `open` (the incidents that may have quiet news), so that a round
    need not open a shard where it has nothing to do.
    """

    context: dict[str, Any]

    def records(self, incident_ids: Iterable[str]) -> dict[str, Record]:
        """Return the records of some incidents, by ID; there is none of an incident that is not mirrored."""
        shards = {incident_id: self._shard(shard_of(incident_id)) for incident_id in incident_ids}
        return {key: unpack(Record, shard[key]) for key, shard in shards.items() if key in shard}

    def record(self, incident_id: str) -> Record:
        """Return the record of an incident, an empty one when there is none."""
        return self.records([incident_id]).get(incident_id, EMPTY_RECORD)

    def all_records(self) -> dict[str, Record]:
        """Return all records by ID."""
        shards = sorted(key for key in self.context if key.startswith(SHARD_KEY))
        return {key: unpack(Record, packed) for shard in shards for key, packed in self._shard(shard).items()}

    @functools.cached_property
    def memory(self) -> Memory:
        """What is remembered besides the records."""
        return unpack(Memory, expanded(self.context.get(MEMORY_KEY)))

    @functools.cached_property
    def queue(self) -> dict[str, int]:
        """When each incident that is due is to be pulled (local clock, in ms), by ID, those that have waited longest first."""
        kept = self._table(QUEUE_KEY, dict)
        return {key: whole(not_before_ms, 0) for key, not_before_ms in kept.items()}

    @functools.cached_property
    def open(self) -> list[str]:
        """The incidents that may have quiet news, by age."""
        return texts(self._table(OPEN_KEY, list))

    @functools.cached_property
    def _expanded(self) -> dict[str, dict[str, Any]]:
        return {}

    def _shard(self, key: str) -> dict[str, Any]:
        """Return the packed records of a shard, which is expanded once."""
        if key not in self._expanded:
            self._expanded[key] = expanded(self.context.get(key))
        return self._expanded[key]

    def _table(self, key: str, kind: type[Any]) -> Any:
        try:
            value = json.loads(self.context.get(key) or "")
        except (TypeError, ValueError):
            return kind()
        return value if isinstance(value, kind) else kind()

    def due(self, now_ms: int) -> list[str]:
        """Return the incidents that are to be pulled now, those that have waited longest first."""
        return [incident_id for incident_id, not_before_ms in self.queue.items() if not_before_ms <= now_ms]

    def with_records(self, records: dict[str, Record], gone: Iterable[str] = ()) -> "Store":
        """Return the store with some records as they are now, and without others."""
        left_out = set(gone)
        changed: dict[str, dict[str, Any]] = {}
        for incident_id in {*records, *left_out}:
            key = shard_of(incident_id)
            shard = changed[key] = changed[key] if key in changed else dict(self._shard(key))
            shard.pop(incident_id, None)
            if incident_id in records and incident_id not in left_out:
                shard[incident_id] = pack(records[incident_id])
        kept = {key: record for key, record in records.items() if key not in left_out}
        queue = {key: moment for key, moment in self.queue.items() if key not in left_out}
        for incident_id, record in kept.items():
            if not record.is_due:
                queue.pop(incident_id, None)
            else:
                queue[incident_id] = record.not_before_ms
        still_open = {*self.open, *(key for key, record in kept.items() if record.may_have_quiet_news)}
        still_open -= {*left_out, *(key for key, record in kept.items() if not record.may_have_quiet_news)}
        tables: dict[str, Any] = {}
        if queue != self.queue:
            tables[QUEUE_KEY] = to_json(queue)
        if still_open != set(self.open):
            tables[OPEN_KEY] = to_json(sorted(still_open, key=entry_number))
        kept_context = {key: value for key, value in self.context.items() if key not in changed}
        shards = {key: squeezed(shard) for key, shard in changed.items() if shard}
        return Store({**kept_context, **shards, **tables})

    def with_memory(self, change: Callable[[Memory], Memory]) -> "Store":
        """Return the store with what is remembered besides the records changed."""
        after = change(self.memory)
        return self if after == self.memory else Store({**self.context, MEMORY_KEY: squeezed(pack(after))})

    def with_health(self, before: "Store", noted: str, **health: Any) -> "Store":
        """Return the store with the health as it is now.

        Args:
            before: the store as it is kept. Where nothing else differs from it, health alone is written every five minutes only.
            noted: the time among the health that tells when this part of it was noted last.
        """
        now_ms = local_now_ms()
        if self == before and now_ms - getattr(self.memory.health, noted) < HEALTH_MS:
            return before
        return self.with_memory(lambda memory: replace(memory, health=replace(memory.health, **{**health, noted: now_ms})))


def shard_of(incident_id: str) -> str:
    """Return the key of the integration context under which the record of an incident is kept, with a few others."""
    return f"{SHARD_KEY}{zlib.crc32(incident_id.encode(errors='replace')) % SHARDS:02d}"


def read_store() -> Store:
    """Return what the mirror remembers; nothing when the integration context is damaged."""
    context = get_integration_context()
    return Store(context if isinstance(context, dict) else {})


def change_store(change: Callable[[Store], Store]) -> None:
    """Change what the mirror remembers; when another command changed it meanwhile, do it again on that.

    Raises:
        DemistoException: others changed it each time.
    """
    for _ in range(CONTEXT_TRIES):
        context, version = get_integration_context_with_version()
        before = Store(context if isinstance(context, dict) else {})
        after = change(before)
        if after == before:
            return
        try:
            set_integration_context(after.context, version=version)
            return
        except ValueError:  # The platform's word for: the version is old.
            continue
    raise DemistoException("The integration context is being changed all the time; the next round tries again.")


def change_memory(change: Callable[[Memory], Memory]) -> None:
    """Change what the mirror remembers besides its records. See `change_store`."""
    change_store(lambda store: store.with_memory(change))


def change_record(incident_id: str, change: Callable[[Record], Record], entries_out: int = 0) -> None:
    """Change the record of one incident, and count entries that went out. See `change_store`."""

    def count(memory: Memory) -> Memory:
        return replace(memory, health=replace(memory.health, entries_out=memory.health.entries_out + entries_out))

    def change_one(store: Store) -> Store:
        before = store.record(incident_id)
        after = change(before)
        return (store if after == before else store.with_records({incident_id: after})).with_memory(count)

    change_store(change_one)


def merged(before: Any, after: Any, now: Any) -> Any:
    """Three-way merge of records: apply `before` -> `after` onto `now`. What `now` has changed as well stays as it is there."""
    if now == before:
        return after
    changes: dict[str, Any] = {}
    for item in fields_of(before):
        was, then, current = (getattr(record, item.name) for record in (before, after, now))
        if is_dataclass(was):
            changes[item.name] = merged(was, then, current)
        elif isinstance(was, dict):
            added = {key: value for key, value in then.items() if was.get(key) != value}
            gone = was.keys() - then.keys()
            changes[item.name] = {key: value for key, value in {**current, **added}.items() if key not in gone}
        elif current == was:
            changes[item.name] = then
    return replace(now, **changes)


def asked_for(record: Record, settings: Settings) -> Record:
    """Return the record of an incident that the next round is to pull, where changes come in at all."""
    return wanted_again(record) if settings.comes_in else record


def wanted_again(record: Record) -> Record:
    """Return the record of an incident that is to be pulled once more, and at once."""
    return replace(record, wanted=record.wanted + 1, not_before_ms=0, tries=0 if record.tries >= MOST_TRIES else record.tries)


def tried_in_vain(record: Record, now_ms: int, at_once: int = 0) -> Record:
    """Return the record of an incident of which something could not be read: tried again after longer and longer pauses.

    Args:
        at_once: how many of the first pauses are left out.
    """
    pauses = record.tries - at_once
    return replace(
        record,
        wanted=max(record.wanted, record.done + 1),
        tries=min(record.tries + 1, MOST_TRIES),
        not_before_ms=now_ms + HOUR_MS * 2**pauses if pauses >= 0 else 0,
    )


def note_error(command: str, error: str) -> None:
    """Remember why a command failed, for xsoar-mirror-status.

    An outage fails each minute, and for many incidents: another failure of a command is written once a minute, the same one
    every five minutes.
    """

    def note(memory: Memory) -> Memory:
        last_ms, last_error = last_failure(memory.health, command)
        same = without_incident(error) == without_incident(last_error)
        if local_now_ms() - last_ms < (HEALTH_MS if same else MINUTE_MS):
            return memory
        errors = {**memory.health.errors, command: [local_now_ms(), error]}
        return replace(memory, health=replace(memory.health, errors=errors))

    change_memory(note)


def note_limit() -> None:
    """Remember that the remote refuses calls because there were too many, once a minute."""

    def note(memory: Memory) -> Memory:
        return replace(memory, limited_ms=local_now_ms()) if local_now_ms() - memory.limited_ms >= MINUTE_MS else memory

    change_memory(note)


def last_failure(health: Health, command: str) -> tuple[int, str]:
    """Return when a command failed last, and why; 0 and an empty text when it did not, or what was kept is damaged."""
    kept = health.errors.get(command)
    if not isinstance(kept, list) or len(kept) != 2 or not isinstance(kept[0], int):
        return 0, ""
    return kept[0], str(kept[1])


def without_incident(error: str) -> str:
    """Return the sentence of a failure without the incident that it was about."""
    return re.sub(r"^Incident [^:]+: ", "", error)


def forgotten(records: dict[str, Record], now_ms: int) -> set[str]:
    """Return the incidents that were closed long ago, and the oldest of those that are too many."""

    def is_old(record: Record) -> bool:
        # One that was reopened here would be shut again, were it forgotten that the remote is closed.
        is_shut = is_closed(record.status) and not is_open(record.told) and not is_open(record.here)
        return is_shut and parse_ms(record.modified, now_ms) <= now_ms - KEPT_CLOSED_MS

    recent = {key: record for key, record in records.items() if not is_old(record)}
    oldest_first = sorted(recent, key=lambda key: (not is_closed(recent[key].status), parse_ms(recent[key].modified, 0)))
    return set(records) - set(oldest_first[-KEPT_RECORDS:])


""" CURSOR """

UNREADABLE_RUN = (
    "The last run cannot be read: set First fetch time to when incidents were last fetched, so that none comes twice, "
    "and reset it with Reset the last run timestamp in the instance settings."
)


@dataclass(frozen=True)
class Cursor:
    """Up to where incidents of the remote have been delivered, in the remote's own time.

    time_ms: when the newest delivered one was created (fetch) or changed (mirroring).
    since_ms: from when on `known` is complete; nothing before it is asked for again.
    known: what was delivered at or after `since_ms`, by key, with its time. What is found again there is left out.
    """

    time_ms: int
    since_ms: int
    known: dict[str, int] = field(default_factory=dict)

    def start(self, look_back_ms: int) -> int:
        """Return from when on to ask. A look-back that was enlarged does not reach behind what is known."""
        return max(self.since_ms, self.time_ms - look_back_ms)

    def is_ahead(self, now_ms: int) -> bool:
        """Return whether the remote's clock seems to have been put back behind what was delivered, so that to look back pays."""
        return now_ms < self.time_ms

    def advance(self, delivered: dict[str, int], look_back_ms: int, now_ms: int, kept_ms: int = 0) -> "Cursor":
        """Return the cursor behind a delivery, given as times by key.

        Of what lies before the look-back, only what is no older than `kept_ms` and among the newest 2,000 is still known.
        A time that has yet to come does not move it further than to now: what comes until then would be passed over.
        """
        time_ms = max([self.time_ms, *(min(moment, now_ms) for moment in delivered.values())])
        known = {**self.known, **delivered}
        kept_from_ms = max(time_ms - kept_ms, sorted(known.values())[-KEPT_KNOWN] if len(known) > KEPT_KNOWN else 0)
        since_ms = max(self.since_ms, min(kept_from_ms, time_ms - look_back_ms))
        return Cursor(time_ms, since_ms, {key: moment for key, moment in known.items() if moment >= since_ms})

    def to_run(self) -> dict[str, str]:
        """Return the cursor as a last run, whose values are texts."""
        return {"time": iso(self.time_ms), "since": iso(self.since_ms), "known": to_json(self.known)}


def read_cursor(run: dict[str, Any] | None, first_ms: Callable[[], int]) -> Cursor:
    """Return the cursor of a last run; when there was none, one at the time that `first_ms` gives.

    Raises:
        ValueError: the last run is damaged, or not one of ours. To begin anew by itself would deliver incidents again.
    """
    if not run:
        start_ms = first_ms()
        return Cursor(start_ms, start_ms)
    try:
        known = {str(key): int(moment) for key, moment in json.loads(run["known"]).items()}
        return Cursor(parse_ns(run["time"]) // 1_000_000, parse_ns(run["since"]) // 1_000_000, known)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError(UNREADABLE_RUN)


def taken_over(run: dict[str, Any]) -> dict[str, Any]:
    """Return a last run in our own form, where the official pack left it: its integration has the same name and instances.

    There `last_fetch` is the time from which on it would fetch next, and `last_fetched_incidents` holds the IDs that it
    fetched from then on already; versions before 2.0.20 kept the time alone. Any other last run is returned as it is.

    Raises:
        ValueError: the time or the IDs cannot be read.
    """
    if "last_fetch" not in run or "time" in run:
        return run
    fetched = run.get("last_fetched_incidents") or []
    try:
        time_ms = parse_last_update(run["last_fetch"], -1)
        fetched = json.loads(fetched) if isinstance(fetched, str) else fetched
    except ValueError:
        raise ValueError(UNREADABLE_RUN)
    if time_ms < 0 or not isinstance(fetched, list) or not all(map(is_id, fetched)):
        raise ValueError(UNREADABLE_RUN)
    ours = {key: value for key, value in run.items() if key not in ("last_fetch", "last_fetched_incidents")}
    return ours | Cursor(time_ms, time_ms, {str(incident_id): time_ms for incident_id in fetched}).to_run()


def search_everything(
    client: Client,
    read_page: Callable[[int, int], tuple[list[dict[str, Any]], int]],
    size: int,
    time_field: str,
    since_ms: int,
) -> Iterator[list[dict[str, Any]]]:
    """Yield all incidents from a time on, ascending, in portions, each incident once; when it gets late, only the first ones.

    Pages shift while they are read when incidents leave the result. So the next page is asked for by time, from the last
    incident read on, and by page number only where more incidents share one millisecond than a page holds. The last page is
    one that is short although the remote does not say that there is more, or that holds nothing new. What is older than was
    asked for is left out: a remote that does not keep the bound costs pages, and delivers nothing twice.

    Args:
        read_page: takes a time in milliseconds and a page number; returns that page of the incidents from that time on
            (inclusive, ascending by `time_field`), and how many the remote says there are in all.
        size: how many incidents `read_page` asks for.
    """
    begin_ms = since_ms
    seen: set[str] = set()
    page = 0
    keeps_bound = True
    for _ in range(MOST_PAGES):
        incidents, total = read_page(since_ms, page)
        fresh = [incident for incident in incidents if str(incident.get("id")) not in seen]
        seen.update(str(incident.get("id")) for incident in fresh)
        wanted = [incident for incident in fresh if parse_ms(incident.get(time_field), begin_ms) >= begin_ms]
        if wanted:
            yield wanted
        if not incidents:
            return
        is_short = len(incidents) < min(size, PAGE_SMALLEST) and total <= (page + 1) * len(incidents)
        if is_short or (page > 0 and not fresh) or client.is_late():
            return
        times = [parse_ms(incident.get(time_field), since_ms) for incident in incidents]
        keeps_bound = keeps_bound and min(times) >= since_ms
        since_ms, page = (max(times), 0) if keeps_bound and max(times) > since_ms else (since_ms, page + 1)


""" FETCH """


def combined_query(query: str, skip_own: bool) -> str:
    """Return the user's query, its meaning unchanged, with the incidents that this integration made left out.

    This spares calls only: a remote may keep the brand of a new incident or not. Records and `is_from_here` decide.
    """
    own = f'-sourceBrand:"{BRAND}"'
    if not skip_own:
        return query
    return f"({query}) and {own}" if query else own


def fetch_new(client: Client, settings: Settings, cursor: Cursor, store: Store) -> list[Incident]:
    """Return the remote incidents to create, the oldest first, at most `max_fetch`.

    Those are left out that a local incident mirrors already, as their records say, or that were created from here, as
    `dbotMirrorId` says where a record is lost.
    """
    query = combined_query(settings.query, settings.skip_own)
    start_ms = cursor.start(settings.look_back_ms)
    passed_over = sum(moment >= start_ms for moment in cursor.known.values())
    size = min(SEARCH_PAGE_LIMIT, passed_over + settings.max_fetch)
    here = tenant_name(settings)
    new: list[Incident] = []
    portions = search_everything(
        client,
        lambda since_ms, page: client.search(query, size=size, page=page, from_ms=since_ms),
        size,
        "created",
        start_ms,
    )
    for portion in portions:
        found = [Incident.of(raw) for raw in portion]
        # An ID alone is no identity: a tenant that was restored gives it once more.
        fresh = [incident for incident in found if not {incident.id, fetched_key(incident)} & cursor.known.keys()]
        records = store.records(incident.id for incident in fresh)
        mirrored = {key for key, record in records.items() if record.is_mirrored_here}
        new.extend(
            incident
            for incident in fresh
            if not (incident.id in mirrored and is_same(records[incident.id], incident)) and not is_from_here(incident.raw, here)
        )
        if len(new) >= settings.max_fetch:
            break
    return sorted(new, key=lambda incident: created_order(incident.raw, cursor.time_ms))[: settings.max_fetch]


def fetched_key(incident: Incident) -> str:
    """Return the key of an incident among what was fetched. What the official pack has fetched stands under its ID alone."""
    return f"{incident.id} {incident.created_ms}"


def is_same(record: Record, incident: Incident) -> bool:
    """Return whether a record is about a remote incident: both were created at one time. Tenants tell it in different detail."""
    return not record.created_ms or not incident.created_ms or abs(record.created_ms - incident.created_ms) < 1000


def is_from_here(remote: dict[str, Any], here: str) -> bool:
    """Return whether a remote incident was created for one of this tenant. See `origin_of`."""
    return str(remote.get("dbotMirrorId") or "").endswith(f"@{here}")


def tenant_name(settings: Settings) -> str:
    """Return what tells this tenant from others: its host, or where the server does not say it, the name of the instance."""
    return host_of(str(demisto.demistoUrls().get("server"))) or settings.instance


def ensure_same(record: Record, incident: Incident, settings: Settings) -> Incident:
    """Return a remote incident that is the one of its record. Raises RemoteError for a stranger that has its ID."""
    if is_same(record, incident):
        return incident
    raise RemoteError(
        STRANGER,
        f"Incident {incident.id} of {host_of(settings.api_root)} is another one than the one mirrored here: it was created "
        f"{iso(incident.created_ms)[:19]}Z, not {iso(record.created_ms)[:19]}Z. Check XSOAR Server URL; if the remote tenant was "
        "restored from a backup, end the mirroring of this incident.",
    )


def fetched_incident(
    remote: dict[str, Any], settings: Settings, record: Record, attachments: list[dict[str, str]], is_mirrored: bool = True
) -> dict[str, Any]:
    """Return the incident that `demisto.incidents` takes. The mirror fields stand in it and in its rawJSON, for the mapper."""
    raw = mirrored_fields(remote, settings, record)
    if settings.direction and is_mirrored:
        raw |= {"dbotMirrorDirection": settings.direction, "dbotMirrorTags": list(settings.mirror_tags)}
    else:
        raw.pop("dbotMirrorInstance")
    if not is_mirrored:
        raw.pop("dbotMirrorId")
    incident = {key: raw[key] for key in FETCHED_FIELDS if raw.get(key) not in (None, "") and server_accepts(key, raw[key])}
    incident |= {key: value for key, value in raw.items() if key.startswith("dbotMirror")}
    incident["name"] = str(incident.get("name") or f"Incident {remote.get('id')}")
    incident["CustomFields"] = raw["CustomFields"]
    if attachments:
        incident["attachment"] = attachments
    incident["rawJSON"] = json.dumps(raw)
    return incident


def server_accepts(key: str, value: Any) -> bool:
    """Return whether the server takes a value for a field of a fetched incident. One that it does not may cost them all."""
    if key == "severity":
        return isinstance(value, int | float) and not isinstance(value, bool) and value in SEVERITIES
    if key in FETCHED_TIMES:
        return parse_ms(value, -1) != -1
    return isinstance(value, str)


def mirrored_fields(remote: dict[str, Any], settings: Settings, record: "Record") -> dict[str, Any]:
    """Return a remote incident for the incoming mapper: custom fields also stand at the top, under their CLI names.

    SLA timers stay behind, and the playbook unless it is wanted. The remote's own mirror fields, with which it may itself
    mirror a third tenant, give way to ours: otherwise the mapper would point the local incident at that tenant.
    """
    report = mirror_report(settings, str(remote.get("id")), record)
    custom = {key: value for key, value in custom_fields(remote).items() if not stays(key, value) and not steers(key)}
    own = {key: value for key, value in remote.items() if not key.lower().startswith("dbot")}
    if not settings.mirror_playbook:
        own.pop("playbookId", None)
    return {
        **{key: value for key, value in custom.items() if key not in REPORT_KEYS},
        **{key: value for key, value in own.items() if key not in REPORT_KEYS},
        "CustomFields": custom,
        "dbotMirrorId": str(remote.get("id")),
        "dbotMirrorInstance": settings.instance,
        **report,
    }


# The keys of `mirror_report`.
REPORT_KEYS = frozenset(
    {
        *("mirror_remote_id", "mirror_remote_link", "mirror_remote_tenant", "mirror_state", "mirror_last_in"),
        *("mirror_last_out", "in_mirror_error", "out_mirror_error"),
    }
)


def mirror_report(settings: Settings, incident_id: str, record: Record) -> dict[str, Any]:
    """Return what the incoming mapper puts into this pack's incident fields.

    An incident whose changes do not come in cannot be told of errors later on, so it shows no state.
    """
    report = {
        "mirror_remote_id": incident_id,
        "mirror_remote_link": remote_link(settings, incident_id),
        "mirror_remote_tenant": host_of(settings.api_root).removeprefix("api-"),
        "in_mirror_error": record.in_error,
        "out_mirror_error": record.out_error,
    }
    if settings.comes_in:
        report["mirror_state"] = mirror_state(record)
    if record.in_ms and settings.comes_in:
        report["mirror_last_in"] = iso(record.in_ms)
    if record.out_ms:
        report["mirror_last_out"] = iso(record.out_ms)
    return report


def mirror_state(record: Record) -> str:
    """Return how the mirroring of an incident stands: in step, behind (something is tried again), or an error."""
    if record.in_error or record.out_error:
        return "Error"
    return "Behind" if record.tries else "In Step"


def report_digest(settings: Settings, incident_id: str, record: Record) -> str:
    """Return what tells whether a local incident shows how its mirroring stands."""
    return short_digest(mirror_report(settings, incident_id, record))


def attachment_entries(incident: Incident, entries: list[Entry]) -> list[tuple[str, Entry | None]]:
    """Return an incident's attachments as (name, entry); there is none where no War Room entry holds the file.

    XSOAR REST API: an attachment cannot be downloaded itself, its War Room entry can. They are matched by the server's
    file name and, where that differs, by name, each entry once.
    """
    left = {entry.id: entry for entry in entries if entry.has_file}
    found: list[tuple[str, Entry | None]] = []
    for attachment in objects(incident.raw.get("attachment")):
        path, name = attachment.get("path"), attachment.get("name") or attachment.get("path")
        match = next((entry for entry in left.values() if path and entry.raw.get("fileID") == path), None) or next(
            (entry for entry in left.values() if entry.raw.get("file") == name), None
        )
        if match:
            left.pop(match.id)
        found.append((str(name or "file"), match))
    return found


@dataclass(frozen=True)
class Attachments:
    """The attachments of one incident, as far as they could be read.

    files: what was downloaded, with the entry that holds it.
    is_whole: whether all of them are there.
    problem: why the first that is not could not be had.
    """

    files: list[tuple[Entry, "Download"]] = field(default_factory=list)
    is_whole: bool = True
    problem: RemoteError | None = None


def read_attachments(
    client: Client, settings: Settings, incidents: list[Incident], at_once: int
) -> Iterator[tuple[Incident, Attachments]]:
    """Yield the incidents, in their order, with their attachments; for one that is too large, with a note in its place.

    Args:
        at_once: how many calls run side by side. War Rooms are listed no further ahead, so that under a quota of calls the first
            incidents become whole first.
    """
    with ReadPool(at_once) as pool:
        to_list = iter([incident for incident in incidents if incident.raw.get("attachment")])
        listings: dict[str, Future[Any]] = {}

        def list_next() -> None:
            for incident in islice(to_list, 1):
                listings[incident.id] = pool.start(readable, client, entries_with_files, client, incident)

        for _ in range(at_once):
            list_next()
        begun: list[tuple[Incident, RemoteError | None, list[tuple[str, Entry | None, Any]]]] = []
        for incident in incidents:
            listed = listings[incident.id].result() if incident.id in listings else []
            problem = listed if isinstance(listed, RemoteError) else None
            downloads = [
                (name, entry, start_download(client, pool, entry, name) if entry else None)
                for name, entry in attachment_entries(incident, [] if problem else listed)
            ]
            begun.append((incident, problem, downloads))
            list_next()
        for incident, problem, downloads in begun:
            yield incident, collected(settings, incident, problem, downloads)


def collected(
    settings: Settings, incident: Incident, problem: RemoteError | None, downloads: list[tuple[str, Entry | None, Any]]
) -> Attachments:
    """Return the attachments of an incident once their downloads are done. The log tells of those that could not be had."""
    files: list[tuple[Entry, Download]] = []
    for name, entry, download in downloads:
        outcome = download.result() if download else problem or NO_FILE
        if isinstance(outcome, RemoteError) and outcome.kind == TOO_LARGE and entry:
            note = too_large_note(settings, incident.id, name)
            outcome = Download(fileResult(safe_file_name(f"{name} (too large).txt"), note), copy_digest(note))
        if entry and isinstance(outcome, Download):
            files.append((entry, outcome))
        else:
            problem = problem or outcome
            key = entry.id if entry else name
            demisto.info(f"{BRAND}: a file of the remote incident {incident.id} is left out for now ({key}): {outcome}")
    return Attachments(files, len(files) == len(downloads), problem)


NO_FILE = RemoteError(NOT_FOUND, "The remote War Room has no entry that holds it.")


def entries_with_files(client: Client, incident: Incident) -> list[Entry]:
    """Return the entries of an incident that hold files."""
    return read_entries(client, incident.investigation_id, {"categories": ["attachments"]})


def readable(client: Client, work: Callable[..., Any], *args: Any) -> Any:
    """Return what a call returns, or why it alone cannot be made: no time or no calls are left, or this one thing cannot be had.

    Raises:
        RemoteError: the remote as a whole is away, so that the run is repeated.
    """
    if client.is_late():
        return RemoteError(LATE, "This run has lasted long enough; the next one goes on with it.")
    if client.limit:
        return client.limit
    try:
        return work(*args)
    except RemoteError as error:
        if error.kind in (BUSY, UNREACHABLE, REFUSED_KEY, NOT_API):
            client.about()
        return error


# The types of entries whose file the War Room shows in place.
SHOWN_FILE_TYPES = (EntryType.IMAGE, EntryType.ENTRY_INFO_FILE, EntryType.VIDEO_FILE, EntryType.STATIC_VIDEO_FILE)


@dataclass(frozen=True)
class Download:
    """A file of the remote that was read: its file result, and by what its copy here is known again (`copy_digest`)."""

    result: dict[str, Any]
    digest: str


def start_download(client: Client, pool: ReadPool, entry: Entry, name: str) -> "Future[Any]":
    """Begin to download the file of an entry into the working folder. Its result is a Download, or what `readable` gives."""
    kind = entry.raw.get("type")
    kind = kind if kind in SHOWN_FILE_TYPES else EntryType.FILE
    result = fileResult(safe_file_name(name), "", file_type=kind)
    # CommonServerPython: fileResult makes the file under this name. It is filled here, so that it never is in memory whole.
    path = Path(f"{demisto.investigation()['id']}_{result['FileID']}")

    def download() -> Download:
        try:
            client.download(entry.id, path, file_size(entry))
            return Download(result, copy_digest(result["File"], path))
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    return pool.start(readable, client, download)


def file_size(entry: Entry) -> int | None:
    """Return how many bytes the file of an entry has; None where the entry does not say."""
    metadata = entry.raw.get("fileMetadata")
    return whole(metadata.get("size"), -1) if isinstance(metadata, dict) and whole(metadata.get("size"), -1) >= 0 else None


def too_large_note(settings: Settings, incident_id: str, name: str) -> str:
    """Return the note that stands for a file which is too large to be mirrored."""
    return (
        f"The file {name} is larger than {LARGEST_FILE >> 20} MiB, so it is not mirrored. It is in the remote incident: "
        f"{remote_link(settings, incident_id)}"
    )


def delivered_whole(found: Iterable[tuple[Incident, Attachments]]) -> list[tuple[Incident, Attachments]]:
    """Return the new incidents before the first whose files are not there because time or calls ran out.

    When that is the first of all, it goes alone, with the files that were read, and the others follow it.

    Raises:
        RemoteError: calls ran out before anything was read.
    """
    ready: list[tuple[Incident, Attachments]] = []
    for incident, attachments in found:
        problem = attachments.problem
        if problem is None or problem.kind not in (LATE, RATE_LIMIT):
            ready.append((incident, attachments))
            continue
        if not ready and problem.kind == RATE_LIMIT and not attachments.files:
            raise problem
        return ready or [(incident, attachments)]
    return ready


def fetch_incidents_command(client: Client, settings: Settings) -> None:
    """Create the local incidents for the new remote ones, with their attachments, and move the last run behind them."""
    last_run = taken_over(demisto.getLastRun() or {})
    cursor = read_cursor(last_run, lambda: first_fetch_ms(settings, asked_now_ms(client)))
    # What the last fetch brought is here, since the server has kept its last run.
    brought = texts_of(last_run.pop("brought", ""))
    store = with_brought(read_store(), brought)
    new = fetch_new(client, settings, cursor, store)
    was_put_back = cursor.is_ahead(remote_now_ms(client))
    if was_put_back:
        cursor = replace(cursor, time_ms=cursor.since_ms)
        new = fetch_new(client, settings, cursor, store)
    # The newest change that was seen there by now. What is older is history; what is newer is asked for by the next round. One
    # that says it was changed in a far future tells nothing.
    times = [incident.modified_ms for incident in new if incident.modified_ms < local_now_ms() + LARGEST_SKEW_MS]
    seen_ms = max([store.memory.health.cursor_ms, *times])
    ready = delivered_whole(read_attachments(client, settings, new, 1 if store.memory.is_limited else AT_ONCE))
    if was_put_back and len(ready) == len(new) < settings.max_fetch and not client.is_late():
        # That is all of it until now, but for what is not in the index yet.
        cursor = replace(cursor, time_ms=max(cursor.since_ms, remote_now_ms(client) - MODIFIED_OVERLAP_MS))
    incidents: list[dict[str, Any]] = []
    records: dict[str, Record] = {}
    former = store.records(incident.id for incident, _ in ready)
    for incident, attachments in ready:
        is_taken = incident.id in former and former[incident.id].is_mirrored_here
        record = fetched_record(incident, attachments, settings, seen_ms + 1)
        if is_taken:
            record = replace(record, in_error=TAKEN_ID.format(incident.id))
        record = replace(record, shown=report_digest(settings, incident.id, record))
        files = [{"path": download.result["FileID"], "name": download.result["File"]} for _, download in attachments.files]
        incidents.append(fetched_incident(incident.raw, settings, record, files, is_mirrored=not is_taken))
        if settings.direction and not is_taken:
            records[incident.id] = record
    # One that does not say when it was created is remembered as long as the newest.
    newest_ms = max((incident.created_ms or cursor.time_ms for incident, _ in ready), default=cursor.time_ms)
    delivered = {fetched_key(incident): incident.created_ms or newest_ms for incident, _ in ready}
    names = ", ".join(incident.id for incident, _ in ready)
    log(settings, f"fetch-incidents: {len(ready)} new incidents: {names or 'none'}.")

    def remember(kept: Store) -> Store:
        # One that was linked while the fetch was under way keeps what its resync asked for.
        linked = {key for key, record in kept.records(records).items() if record.origin == LINKED}
        after = with_brought(kept, brought)
        after = after.with_records({key: record for key, record in records.items() if key not in linked})

        def note(memory: Memory) -> Memory:
            reach_ms = max(1, min(memory.reach_ms or seen_ms, seen_ms))
            return replace(memory, reach_ms=reach_ms) if records else memory

        return after.with_memory(note).with_health(kept, "fetch_ms", fetch_calls=client.calls)

    change_store(remember)
    cursor = cursor.advance(delivered, settings.look_back_ms, remote_now_ms(client), KEPT_KNOWN_MS)
    # What a newer version of this pack keeps there stays.
    now_brought = [fetched_key(incident) for incident, _ in ready if incident.id in records]
    demisto.setLastRun({**last_run, **cursor.to_run(), **({"brought": to_json(now_brought)} if now_brought else {})})
    demisto.incidents(incidents)


def texts_of(packed: Any) -> list[str]:
    """Return the texts of a JSON list that was kept; none when it is damaged."""
    try:
        return texts(json.loads(str(packed)))
    except ValueError:
        return []


def with_brought(store: Store, brought: list[str]) -> Store:
    """Return the store with the records of what a fetch brought, given by `fetched_key`, as those of incidents that are here."""
    ids = {key.rpartition(" ")[0]: key for key in brought}
    met = {
        incident_id: replace(record, met=True)
        for incident_id, record in store.records(ids).items()
        if f"{incident_id} {record.created_ms}" == ids[incident_id]
    }
    return store.with_records(met)


TAKEN_ID = (
    "Another local incident mirrors the remote ID {}, as after the restoring of a backup, so this one is not mirrored: end the "
    "mirroring of the other one, and link this one by hand."
)


def fetched_record(incident: Incident, attachments: Attachments, settings: Settings, since_ms: int) -> Record:
    """Return the record of an incident that is fetched now.

    Args:
        since_ms: where its history ends.
    """
    problem = attachments.problem
    denied = str(problem) if problem and problem.kind == FORBIDDEN else ""
    record = Record(
        created_ms=incident.created_ms,
        origin=FETCHED,
        modified=incident.modified,
        fields=pack_digests(field_digests(incident.raw)),
        status=incident.status,
        # An incident that is closed already has its closing still before it here.
        given=IncidentStatus.ACTIVE,
        since_ms=0 if settings.history else since_ms,
        ledger=Ledger(seen={entry.key: entry.mark + download.digest for entry, download in attachments.files}),
        in_ms=local_now_ms(),
        in_error=short(denied),
    )
    if not attachments.is_whole and settings.comes_in:
        return tried_in_vain(replace(record, owes_files=True), local_now_ms(), at_once=1)
    has_more = settings.history and takes_entries(settings)
    return asked_for(record, settings) if has_more or (is_closed(incident.status) and settings.close_in) else record


""" PULL """


def modified_since(client: Client, cursor: Cursor, start_ms: int) -> list[Incident]:
    """Return the remote incidents that changed since a time."""

    def read_page(since_ms: int, page: int) -> tuple[list[dict[str, Any]], int]:
        return client.search(f'modified:>="{iso(since_ms)}"', size=SEARCH_PAGE, page=page, sort="modified")

    portions = search_everything(client, read_page, SEARCH_PAGE, "modified", start_ms)
    return [Incident.of(raw) for portion in portions for raw in portion]


def changed_key(incident: Incident) -> str:
    """Return what a change of an incident is known by among those that were answered."""
    return f"{incident.id} {incident.modified}"


def not_delivered(changed: list[Incident], cursor: Cursor, records: dict[str, Record]) -> list[str]:
    """Return the incidents whose change has yet to be told: one that was not answered yet and is not what was delivered last.

    What was answered before its record was kept is told again.
    """

    def is_news(incident: Incident) -> bool:
        record, is_answered = records.get(incident.id), changed_key(incident) in cursor.known
        if record is None or not incident.modified:
            return not is_answered
        is_other = record.modified != incident.modified or not is_same(record, incident)
        return is_other and not (is_answered and record.wanted > record.done)

    return list(dict.fromkeys(incident.id for incident in changed if is_news(incident)))


def get_modified_remote_data_command(client: Client, settings: Settings, args: dict[str, Any]) -> GetModifiedRemoteDataResponse:
    """Return the IDs of the remote incidents to pull: what is due first, then what changed, then what a look found.

    Raises:
        NotImplementedError: the platform keeps no last mirror run (below 6.6).
    """
    try:
        last_run = get_last_mirror_run() or {}
    except DemistoException as error:
        raise NotImplementedError(str(error))

    def first_ms() -> int:
        # The time of the first round is the local clock's, so it is taken wide.
        return max(0, parse_last_update(args.get("lastUpdate"), local_now_ms()) - MODIFIED_OVERLAP_MS)

    try:
        cursor = read_cursor(last_run, first_ms)
    except ValueError:
        # Beginning anew costs a few calls: what a record says was delivered is not delivered again.
        cursor = read_cursor(None, first_ms)
    store, now_ms = read_store(), local_now_ms()
    reach_ms = store.memory.reach_ms
    start_ms = cursor.start(MODIFIED_OVERLAP_MS)
    changed = modified_since(client, cursor, min(start_ms, reach_ms - MODIFIED_OVERLAP_MS) if reach_ms else start_ms)
    if cursor.is_ahead(remote_now_ms(client)):
        # What is listed again is not delivered again.
        start_ms = remote_now_ms(client) - HOUR_MS
        cursor = Cursor(start_ms, start_ms)
        changed = modified_since(client, cursor, start_ms)
    news = not_delivered(changed, cursor, store.records(incident.id for incident in changed))
    due = store.due(now_ms)
    found, read, looks = look_around(client, settings, store, frozenset([*due, *news]), last_run)
    ids = list(dict.fromkeys([*due, *news, *found]))
    cursor = cursor.advance(
        {changed_key(incident): incident.modified_ms or start_ms for incident in changed},
        MODIFIED_OVERLAP_MS,
        remote_now_ms(client),
    )
    is_forgetting = abs(now_ms - parse_ms(last_run.get("forgot"), 0)) >= HOUR_MS

    def remember(kept: Store) -> Store:
        looked_into = {key: with_history_known(record, read[key], settings) for key, record in kept.records(read).items()}
        after = kept.with_records(looked_into)
        after = after.with_records({key: wanted_again(record) for key, record in after.records([*news, *found]).items()})
        if is_forgetting:
            after = after.with_records({}, gone=forgotten(after.all_records(), now_ms))
        if reach_ms and not client.is_late():
            after = after.with_memory(
                lambda memory: replace(memory, reach_ms=0 if memory.reach_ms == reach_ms else memory.reach_ms)
            )
        return after.with_health(kept, "round_ms", round_calls=client.calls, cursor_ms=cursor.time_ms)

    change_store(remember)
    forgot = {"forgot": iso(now_ms)} if is_forgetting else {}
    set_last_mirror_run({**last_run, **cursor.to_run(), **looks, **forgot})
    log(settings, f"get-modified-remote-data: {len(ids)} incidents: {', '.join(ids) or 'none'}.")
    return GetModifiedRemoteDataResponse(ids)


def look_around(
    client: Client, settings: Settings, store: Store, listed: frozenset[str], last_run: dict[str, Any]
) -> tuple[list[str], dict[str, list[Entry]], dict[str, str]]:
    """Look for news that no change tells of. It is optional: where the remote limits calls, what is due goes first.

    Returns:
        The incidents that have some, the entries of War Rooms that were read for the first time, and what the last mirror run is
        to keep.
    """
    if client.is_late() or (store.memory.is_limited and listed):
        return [], {}, {}
    silent, read, swept = sweep(client, settings, store, listed, str(last_run.get("swept") or ""))
    gone, counted = census(client, store, listed, last_run)
    return [*silent, *gone], read, {"swept": swept, **counted}


def sweep(
    client: Client, settings: Settings, store: Store, listed: frozenset[str], swept: str
) -> tuple[list[str], dict[str, list[Entry]], str]:
    """Look into the War Rooms of some open incidents, the next ones in turn, for entries that `modified` did not tell of.

    XSOAR REST API: whether an entry moves its incident's `modified` is not documented. The memory holds what was learned;
    where it does not, each open incident is looked into in its turn, but those that are `listed` anyway.

    Returns:
        The incidents with new entries, the entries of War Rooms that were read for the first time, and the last incident that was
        looked into.
    """
    found: list[str] = []
    read: dict[str, list[Entry]] = {}
    if not takes_entries(settings):
        return found, read, swept
    most = SWEEP_LIMITED if store.memory.is_limited else SWEEP_TRUSTED if store.memory.entries_move else SWEEP
    with ReadPool(AT_ONCE) as pool:
        looks: list[tuple[str, Record, Future[Any]]] = []
        for incident_id, record in islice(quiet_in_turn(store, swept, listed), most):
            # XSOAR REST API: an investigation has the ID of its incident.
            looks.append((incident_id, record, pool.start(looked_into, client, incident_id, tag_filter(settings))))
        for incident_id, record, look in looks:
            entries = look.result()
            if isinstance(entries, RemoteError):
                demisto.info(
                    f"{BRAND}: get-modified-remote-data: the War Room of incident {incident_id} cannot be read: {entries}"
                )
                if entries.kind in (RATE_LIMIT, UNREACHABLE):
                    break
            else:
                found += [incident_id] if arriving(entries, settings, record) else []
                read |= {incident_id: entries} if record.since_ms else {}
            swept = incident_id  # Also past one that cannot be read: it must not hold up the others.
    return found, read, swept


def looked_into(client: Client, investigation_id: str, entry_filter: dict[str, Any]) -> list[Entry] | RemoteError:
    """Return the entries of a War Room that pass a filter, or why a look that is optional cannot be had."""
    if client.limit:
        return client.limit
    try:
        return read_entries(client, investigation_id, entry_filter)
    except RemoteError as error:
        return error


def quiet_in_turn(store: Store, swept: str, listed: frozenset[str]) -> Iterator[tuple[str, Record]]:
    """Yield the open incidents that are not due, in turn, beginning behind the one that was looked into last."""
    last = entry_number(swept)
    for incident_id in sorted(store.open, key=lambda incident_id: (entry_number(incident_id) <= last, entry_number(incident_id))):
        if incident_id in listed or incident_id in store.queue:
            continue
        record = store.record(incident_id)
        if not record.is_closed_here:  # It takes no entry.
            yield incident_id, record


def census(client: Client, store: Store, listed: frozenset[str], last_run: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """Ask once an hour whether the open incidents are still there: no change tells of one that was deleted or hidden.

    One search is about up to 500 of them. What it does not find is pulled, which tells why.

    Returns:
        The incidents to pull, and what the last mirror run is to keep: when the census began, and how far it has come.
    """
    begun_ms, now_ms, counted = parse_ms(last_run.get("census"), 0), local_now_ms(), str(last_run.get("counted") or "")
    if not begun_ms:
        return [], {"census": iso(now_ms)}
    if not counted and abs(now_ms - begun_ms) < HOUR_MS:
        return [], {}
    begun_ms = begun_ms if counted else now_ms
    tracked = [incident_id for incident_id in store.open if not counted or entry_number(incident_id) > entry_number(counted)]
    portion = tracked[:SEARCH_PAGE]
    # Of one that is due the pull tells, and of one that could not be read it has told.
    records = {key: record for key, record in store.records(portion).items() if key not in listed and not record.tries}
    try:
        gone = not_there(client, records)
    except RemoteError as error:
        demisto.info(f"{BRAND}: get-modified-remote-data: which incidents are still there cannot be read: {error}")
        return [], {}
    return gone[:MOST_GONE], {"census": iso(begun_ms), "counted": portion[-1] if len(tracked) > len(portion) else ""}


def not_there(client: Client, records: dict[str, Record]) -> list[str]:
    """Return the incidents that the remote does not list, or that are others than those of their records.

    What an answer lacks is asked for again until one lists none of it: a remote may give fewer than were asked for. One that
    answers with what was not asked for does not hear the filter, and tells nothing.
    """
    missing, strangers = list(records), set[str]()
    while missing:
        answer = client.answer_of_search({"query": "", "id": missing, "size": len(missing)})
        there = {incident.id: incident for incident in map(Incident.of, with_ids(answer.get("data")))}
        if not there.keys() <= set(missing):
            return []
        strangers |= {key for key, incident in there.items() if not is_same(records[key], incident)}
        if not there:
            break
        missing = [incident_id for incident_id in missing if incident_id not in there]
    return sorted({*missing, *strangers}, key=entry_number)


def read_entries(client: Client, investigation_id: str, entry_filter: dict[str, Any]) -> list[Entry]:
    """Return all entries of a War Room that pass a filter, the oldest first, each once; none while there is no War Room."""
    pages = war_room_pages(client, ReadPool(0), investigation_id, entry_filter) if investigation_id else []
    return in_order(entry for page in pages for entry in page)


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries, the oldest first."""
    return sorted(entries, key=lambda entry: entry.order)


def war_room_pages(client: Client, pool: ReadPool, investigation_id: str, entry_filter: dict[str, Any]) -> Iterator[list[Entry]]:
    """Yield the entries of a War Room that pass a filter, in portions, each once.

    Which entries a page keeps is not documented, so both ends are followed: back from its oldest, and on from its newest. Where
    the remote refuses to follow one, all entries are asked for at once instead.
    """
    seen: set[str] = set()
    ends: list[Entry] = []  # The oldest and the newest so far.
    pages = 0

    def start(way: str) -> "Future[Any]":
        nonlocal pages
        pages += 1
        if pages > MOST_PAGES:
            raise RemoteError(
                UNUSABLE, f"The War Room {investigation_id} has more than {MOST_PAGES} pages of entries, so it is not read."
            )
        # XSOAR REST API: without a `pageSize` every entry comes.
        position: dict[str, dict[str, Any]] = {
            FIRST_PAGE: {"pageSize": ENTRY_PAGE},
            OLDER: {"pageSize": ENTRY_PAGE, "lastId": ends[0].id if ends else ""},
            NEWER: {"pageSize": ENTRY_PAGE, "firstID": ends[-1].id if ends else ""},
            ALL_AT_ONCE: {},
        }
        return pool.start(as_result, client.entries, investigation_id, {**entry_filter, **position[way]})

    reading = {start(FIRST_PAGE): FIRST_PAGE}
    is_whole = False
    while reading:
        wait(reading, return_when=FIRST_COMPLETED)
        begun = next(future for future in reading if future.done())
        way, page = reading.pop(begun), begun.result()
        if isinstance(page, RemoteError):
            if way not in (OLDER, NEWER) or page.kind not in UNREADABLE:
                raise page
            if not is_whole:
                is_whole = True
                reading[start(ALL_AT_ONCE)] = ALL_AT_ONCE
            continue
        fresh = [entry for entry in map(Entry.of, page) if entry.id not in seen]
        seen.update(entry.id for entry in fresh)
        if fresh:
            ends = in_order([*ends, *fresh])
            ends = [ends[0], ends[-1]]
        # Before what was read is used, which begins calls of its own.
        if fresh and len(page) >= PAGE_SMALLEST and way != ALL_AT_ONCE:
            reading |= {start(one_way): one_way for one_way in ((OLDER, NEWER) if way == FIRST_PAGE else (way,))}
        if fresh:
            yield fresh


def takes_entries(settings: Settings) -> bool:
    """Return whether entries come in at all."""
    return bool(settings.tags and settings.categories)


def tag_filter(settings: Settings) -> dict[str, Any]:
    """Return what asks for the entries that carry an incoming tag.

    Without fromTime: an entry that was tagged long after it was written would be missed. The record tells what is new.
    """
    return {"categories": list(settings.categories), "tags": list(settings.tags), "tagsAndOperator": False}


def is_meant(entry: Entry, settings: Settings) -> bool:
    """Return whether a remote entry is meant to come in. Not every remote hears all of the filter, so it is asked once more."""
    return bool(set(settings.tags) & set(entry.tags)) and entry.category in (*settings.categories, "")


def arriving(entries: Iterable[Entry], settings: Settings, record: Record) -> list[Entry]:
    """Return the remote entries that are to come in: tagged for it, of a wanted category, not known, and no history."""
    return [
        entry
        for entry in entries
        if is_meant(entry, settings) and entry.touched_ms >= (record.since_ms or 0) and not record.ledger.has_seen(entry)
    ]


def author_of(entry: dict[str, Any]) -> str:
    """Return who wrote an entry, on one line."""
    names = [name for name in (entry.get("user"), entry.get("dbotCreatedBy")) if name and isinstance(name, str)]
    # Behind no sign that begins a command.
    return (short(names[0], LONGEST_ID).lstrip("!/@{ ") if names else "") or "DBot"


def signature(entry: Entry) -> str:
    """Return the line that tells who wrote an entry, and when. An API key cannot write in another person's name."""
    author = author_of(entry.raw)
    created = parse_ms(entry.raw.get("created"), -1)
    when = f", {iso(created)[:19].replace('T', ' ')} UTC" if created > 0 else ""
    return f"{author}{when}{', edited' if entry.key != entry.id else ''}"


def signed_comment(entry: Entry) -> str:
    """Return the comment of a file: who added it, when, and what that person wrote with it."""
    return ": ".join(text for text in (signature(entry), str(entry.raw.get("contents") or "").strip()) if text)


def signed_text(entry: Entry) -> tuple[str, str]:
    """Return the text of an entry with its author above it, and its format.

    Text, Markdown and HTML keep their format. What is data (JSON, a table) becomes Markdown, the only way to put a line above it.
    """
    entry_format = entry.raw.get("format") or EntryFormat.TEXT
    contents = entry.raw.get("contents")
    if contents is None:
        contents = ""
    line = signature(entry)
    if isinstance(contents, str) and entry_format == EntryFormat.TEXT:
        return f"{line}:\n{contents}", EntryFormat.TEXT
    markdown_line = "**" + re.sub(r"([\\`*_\[\]<>|])", r"\\\1", line) + ":**"
    if isinstance(contents, str):
        if entry_format == EntryFormat.MARKDOWN:
            return f"{markdown_line}\n\n{contents}", EntryFormat.MARKDOWN
        if entry_format == EntryFormat.HTML:
            escaped = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            return f"<p><b>{escaped}:</b></p>\n{contents}", EntryFormat.HTML
    else:
        contents = json.dumps(contents, indent=2, ensure_ascii=False)
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in re.findall("`+", contents))])
    return f"{markdown_line}\n\n{fence}\n{contents}\n{fence}", EntryFormat.MARKDOWN


def local_entry(entry: Entry, settings: Settings, file_result: dict[str, Any] | None = None, note: str = "") -> dict[str, Any]:
    """Return a remote entry as get-remote-data gives it. It carries no tag that would send it out again.

    Args:
        note: a text that stands for a file which does not come.
    """
    common = {"Tags": [tag for tag in entry.tags if tag not in settings.mirror_tags], "Note": entry.is_note}
    if file_result:
        return {**file_result, "Contents": signed_comment(entry), **common}
    raw = {**entry.raw, "contents": note, "format": EntryFormat.TEXT} if note else entry.raw
    text, entry_format = signed_text(replace(entry, raw=raw))
    category = entry.raw["category"] if isinstance(entry.raw.get("category"), str) else ""
    return {"Type": EntryType.NOTE, "Contents": text, "ContentsFormat": entry_format, "Category": category, **common}


def reopening() -> dict[str, Any]:
    """Return the entry that reopens the local incident."""
    return {"Type": EntryType.NOTE, "Contents": {"dbotIncidentReopen": True}, "ContentsFormat": EntryFormat.JSON}


def closing_with(remote: dict[str, Any]) -> dict[str, Any]:
    """Return the entry that closes the local incident with the words of the remote one."""
    contents = {
        "dbotIncidentClose": True,
        "closeReason": str(remote.get("closeReason") or "Other"),
        "closeNotes": str(remote.get("closeNotes") or "Closed in the remote tenant."),
    }
    return {"Type": EntryType.NOTE, "Contents": contents, "ContentsFormat": EntryFormat.JSON}


@dataclass(frozen=True)
class Look:
    """What was read of a remote incident for one pull.

    entries: the tagged entries of its War Room, those already known among them.
    files: the outcome of each download, by the key of its entry: a file result, or the RemoteError for which it cannot be had.
    attachments: the attachments that a fetch could not bring: name, and the entry that holds the file, if there is one.
    problem: why its War Room cannot be read; None: it was read whole.
    """

    incident: Incident
    entries: list[Entry] = field(default_factory=list)
    files: dict[str, Any] = field(default_factory=dict)
    attachments: list[tuple[str, Entry | None]] = field(default_factory=list)
    problem: RemoteError | None = None


def read_incident(client: Client, settings: Settings, incident_id: str, record: Record) -> Look:
    """Return a remote incident with what of its War Room is to come in. It decides nothing and changes nothing.

    Raises:
        RemoteError: the incident itself cannot be read, or is another one than the record is about.
    """
    with ReadPool(AT_ONCE) as pool:
        loading = pool.start(as_result, client.load, incident_id)
        # XSOAR REST API: an investigation has the ID of its incident. A pending incident has none yet.
        expected_id = incident_id if record.status else ""
        read = read_war_room(client, settings, pool, expected_id, record)
        loaded = loading.result()
        if isinstance(loaded, RemoteError):
            raise loaded
        incident = ensure_same(record, Incident.of(loaded), settings)
        if incident.investigation_id != expected_id:
            read = read_war_room(client, settings, pool, incident.investigation_id, record)
        entries, downloads, problem = read
        attachments: list[tuple[str, Entry | None]] = []
        if record.owes_files and not problem:
            holding = readable(client, entries_with_files, client, incident)
            problem = holding if isinstance(holding, RemoteError) else None
            matched = [] if problem else attachment_entries(incident, holding)
            attachments = [(name, entry) for name, entry in matched if entry is None or not record.ledger.has_seen(entry)]
            for name, entry in attachments:
                if entry and entry.key not in downloads:
                    downloads[entry.key] = start_download(client, pool, entry, name)
        files = {key: download.result() for key, download in downloads.items()}
        return Look(incident, in_order(entries), files, attachments, problem)


def read_war_room(
    client: Client, settings: Settings, pool: ReadPool, investigation_id: str, record: Record
) -> tuple[list[Entry], "dict[str, Future[Any]]", RemoteError | None]:
    """Read the tagged entries of a War Room and begin to download the files that are to come in, page by page."""
    entries: list[Entry] = []
    downloads: dict[str, Future[Any]] = {}
    if not takes_entries(settings) or not investigation_id:
        return entries, downloads, None
    try:
        for page in war_room_pages(client, pool, investigation_id, tag_filter(settings)):
            entries += page
            for entry in arriving(page, settings, record):
                if entry.has_file:
                    downloads[entry.key] = start_download(client, pool, entry, str(entry.raw.get("file")))
    except RemoteError as error:
        # What only the War Room is refused keeps back no fields, nor does a limit of calls.
        if error.kind == BUSY:
            client.about()
        elif error.kind not in (*UNREADABLE, RATE_LIMIT):
            raise
        return entries, downloads, error
    return entries, downloads, None


def with_history_known(record: Record, entries: Iterable[Entry], settings: Settings) -> Record:
    """Return the record of an incident whose War Room was read whole: its history is known by itself now, whatever clocks say."""
    since_ms, ledger = record.since_ms or 0, record.ledger
    # One that is not tagged yet is none: it comes when it is.
    old = [entry for entry in entries if is_meant(entry, settings) and entry.touched_ms < since_ms]
    past = {entry.key: entry.mark for entry in old if not ledger.has_seen(entry)}
    return replace(record, since_ms=0, ledger=replace(ledger, history={**ledger.history, **past}))


@dataclass(frozen=True)
class PullPlan:
    """What one pull gives to the server, and what is remembered of it.

    fields: the object for the incoming mapper.
    entries: what goes into the local War Room, in this order; closing and reopening are among it.
    record: the record afterwards.
    crossed: how many entries come in.
    log: lines for the log.
    """

    fields: dict[str, Any]
    entries: list[dict[str, Any]]
    record: Record
    crossed: int = 0
    log: list[str] = field(default_factory=list)


def plan_pull(
    before: Record, look: Look, settings: Settings, now_ms: int, schema: Schema, is_for_person: bool = False
) -> PullPlan:
    """Decide what a pull delivers. State is compared: what was delivered is in the record, what is there is in the look.

    Args:
        schema: names the remote's custom fields, where one was emptied.
        is_for_person: a person looks at it, by hand: all of it is given.
    """
    incident = look.incident
    # An incident that does not say when it changed may have changed.
    is_changed = not incident.modified or incident.modified != before.modified
    is_closed_there = is_closed(incident.status)
    turn = None
    if settings.close_in and is_closed_there and not is_closed(before.given) and not before.is_closed_here:
        turn = closing_with(incident.raw)
    elif settings.close_in and is_open(incident.status) and is_closed(before.given):
        turn = reopening()
    # The server takes entries only into an open incident.
    is_shut_here = before.is_closed_here and not (turn and not is_closed_there)
    waits = is_shut_here and not (settings.close_in and is_closed_there)
    delivery = Delivery() if waits else plan_entries(before, look, settings)
    entries = [*delivery.entries, *(() if waits else map(notice_entry, before.notices.values()))]
    if turn:
        # It is reopened before entries come, and closed behind them.
        given_entries = [*entries, turn] if is_closed_there else [turn, *entries]
    elif is_shut_here and entries:
        # It was reopened there, written into and closed again since the last look, or an entry was tagged in a closed one.
        given_entries = [reopening(), *entries, closing_with(incident.raw)]
    else:
        given_entries = entries
    # While the switch is off, closing and reopening are not delivered. They wait until it is on.
    is_first_open = before.given is None and is_open(incident.status)
    is_delivered = incident.status is not None and (settings.close_in or is_first_open)
    asked = before.asked
    if turn or (is_shut_here and entries):
        asked = IncidentStatus.DONE if is_closed_there else IncidentStatus.ACTIVE
    ledger = delivery.ledger(before.ledger)
    told_notices = {} if waits else {f"notice {key}": UNMARKED + copy_digest(text) for key, text in before.notices.items()}
    ledger = replace(ledger, seen={**ledger.seen, **told_notices})
    is_read_whole = not look.problem and takes_entries(settings) and not waits
    base = (
        with_history_known(replace(before, ledger=ledger), look.entries, settings)
        if is_read_whole
        else replace(before, ledger=ledger)
    )
    after = replace(
        base,
        created_ms=incident.created_ms or before.created_ms,
        met=True,
        modified=incident.modified,
        fields=pack_digests(field_digests(incident.raw)) if is_changed else before.fields,
        news=changed_names(before, incident) if is_changed else before.news,
        status=incident.status if incident.status is not None else before.status,
        given=incident.status if is_delivered else before.given,
        asked=asked,
        owes_files=before.owes_files and (waits or not delivery.is_whole or look.problem is not None),
        notices=before.notices if waits else {},
        in_ms=now_ms if given_entries or (is_changed and incident.modified) else before.in_ms,
        in_error=war_room_error(look.problem),
    )
    if look.problem:
        delivery.log.append(f"get-remote-data: the War Room of incident {incident.id} cannot be read: {look.problem}")
    after = settled_pull(after, before, look, delivery, now_ms)
    after = replace(after, shown=report_digest(settings, incident.id, after))
    if is_changed:
        news = incident.raw if is_for_person else news_of(incident.raw, before, schema)
        fields = mirrored_fields(news, settings, after)
    elif after.shown != before.shown:
        fields = {"id": incident.id, **mirror_report(settings, incident.id, after)}
    else:
        fields = {"id": incident.id}
    return PullPlan(fields, given_entries, after, len(delivery.seen), delivery.log)


def war_room_error(problem: RemoteError | None) -> str:
    """Return what an incident shows of a War Room that cannot be read; nothing where the next round goes on with it."""
    is_told = problem and problem.kind not in (RATE_LIMIT, LATE)
    return short(f"The War Room of the remote incident cannot be read: {problem}", 500) if is_told else ""


def settled_pull(after: Record, before: Record, look: Look, delivery: "Delivery", now_ms: int) -> Record:
    """Return the record with what is left to do: nothing after a whole pull, else the next try; soon, where calls ran out."""
    problems = [look.problem, *(problem for problem in look.files.values() if isinstance(problem, RemoteError))]
    if any(problem and problem.kind in (RATE_LIMIT, LATE) for problem in problems):
        return replace(after, wanted=max(before.wanted, before.done + 1), not_before_ms=0)
    if look.problem or not delivery.is_whole:
        return tried_in_vain(after, now_ms, at_once=BUSY_TRIES if look.problem and look.problem.kind == BUSY else 1)
    return replace(after, done=before.wanted, tries=0, not_before_ms=0)


@dataclass(frozen=True)
class Delivery:
    """The entries of one pull that can be delivered now.

    entries: as the server takes them, the oldest first.
    seen: what the ledger keeps of them, by their keys.
    tried: the files that could not be had, with the number of tries so far. Where a note stands for one, it is seen as well.
    log: lines for the log.
    """

    entries: list[dict[str, Any]] = field(default_factory=list)
    seen: dict[str, str] = field(default_factory=dict)
    tried: dict[str, str] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to be tried again."""
        return self.tried.keys() <= self.seen.keys()

    def ledger(self, before: Ledger) -> Ledger:
        """Return the ledger after the delivery."""
        missing = {key: tries for key, tries in before.missing.items() if key not in self.seen} | self.tried
        return replace(before, seen={**before.seen, **self.seen}, missing=missing)


def plan_entries(before: Record, look: Look, settings: Settings) -> Delivery:
    """Decide which entries of a look are delivered, and how. A note stands for a file that cannot be had for good."""
    plan = Delivery()
    attached = [(entry or no_entry(name, look.incident), name) for name, entry in look.attachments]
    keys = {entry.key for entry, _ in attached}
    tagged = [(entry, str(entry.raw.get("file"))) for entry in arriving(look.entries, settings, before) if entry.key not in keys]
    for entry, name in sorted([*attached, *tagged], key=lambda item: item[0].order):
        if before.ledger.has_seen(entry):
            continue
        outcome = look.files.get(entry.key, NO_FILE) if entry.has_file else None
        note = ""
        if isinstance(outcome, RemoteError) and outcome.kind == TOO_LARGE:
            note = too_large_note(settings, look.incident.id, name)
        elif isinstance(outcome, RemoteError):
            tries = int(before.ledger.missing.get(entry.key, "0")) + (outcome.kind not in (RATE_LIMIT, LATE))
            plan.tried[entry.key] = str(tries)
            if tries < FILE_TRIES:
                plan.log.append(f"get-remote-data: the file of the entry {entry.id} is left out for now: {outcome}")
                continue
            note = lost_file_note(settings, look.incident.id, name, outcome)
        file = outcome if isinstance(outcome, Download) else None
        given = local_entry(entry, settings, file.result if file else None, note)
        plan.entries.append(given)
        plan.seen[entry.key] = entry.mark + (file.digest if file else copy_digest(given["Contents"]))
    return plan


def no_entry(name: str, incident: Incident) -> Entry:
    """Return what stands for an attachment that no entry of the War Room holds."""
    return Entry.of({"id": f"attachment {name}", "file": name, "created": incident.raw.get("created")})


def lost_file_note(settings: Settings, incident_id: str, name: str, problem: RemoteError) -> str:
    """Return the note that stands for a file which could not be had for good."""
    return (
        f"The file {name} could not be read from the remote tenant, and is no longer tried: {problem} If it is still there, get "
        f"it from the remote incident: {remote_link(settings, incident_id)}"
    )


def notice_entry(text: str) -> dict[str, Any]:
    """Return the note that tells people here of something that needs them."""
    return {"Type": EntryType.NOTE, "Contents": text, "ContentsFormat": EntryFormat.TEXT, "Tags": [], "Note": True}


def plan_unreadable(before: Record, problem: RemoteError, settings: Settings, incident_id: str, now_ms: int) -> PullPlan:
    """Decide what is given of an incident that cannot be read: why, in the field that a mapper can show. It is tried again."""
    is_last = before.tries + 1 >= MOST_TRIES
    sentence = f"{problem} It is not tried any more: xsoar-mirror-resync does." if is_last else str(problem)
    # The first success gives all of it.
    failed = replace(before, met=True, modified="", fields="", news="", in_error=short(sentence, 500))
    after = tried_in_vain(failed, now_ms)
    after = replace(after, shown=report_digest(settings, incident_id, after))
    mirror_fields = {"id": incident_id, "dbotMirrorId": incident_id, "dbotMirrorInstance": settings.instance}
    line = f"get-remote-data: incident {incident_id} cannot be read: {problem.kind}."
    return PullPlan({**mirror_fields, **mirror_report(settings, incident_id, after)}, [], after, log=[line])


def get_remote_data_command(client: Client, settings: Settings, args: dict[str, Any]) -> None:
    """Give the server what is new of one remote incident: its fields if they changed, closing or reopening, new entries.

    What is given is remembered first: an answer that could not be remembered is not given, so that it does not come twice.
    """
    incident_id = str(args.get("id") or "").strip()
    if not incident_id:
        raise ValueError("id is missing: give the ID of an incident of the remote tenant, for example id=4.")
    # The server always gives lastUpdate. Without it a person looks, and what is shown has not arrived.
    is_for_person = not args.get("lastUpdate")
    store, now_ms = read_store(), local_now_ms()
    is_remembered = not is_for_person and is_id(incident_id)
    before = store.record(incident_id)
    if before.since_ms is None:
        # Its first pull. It was listed for once, so before it is read a record keeps it due, and where its history ends.
        read, since_ms = before, parse_last_update(args.get("lastUpdate"), 0)
        before = replace(wanted_again(read), met=True, since_ms=since_ms)
        if is_remembered:
            change_record(incident_id, lambda now: merged(read, before, now))
    moves: bool | None = None
    try:
        look = read_incident(client, settings, incident_id, before)
        moves = learned_moves(client, look, store.memory.entries_move)
        schema = store.memory.schema
        if has_lost_fields(before, look.incident):
            schema = schema_if_allowed(client, lambda _: False, "so what was emptied there stays here") or schema
        plan = plan_pull(before, look, settings, now_ms, schema, is_for_person)
    except RemoteError as error:
        if error.kind == BUSY:
            # It may be this one incident that the remote cannot give.
            client.about()
        elif error.kind not in UNREADABLE:
            raise
        if error.kind == BUSY and before.tries < BUSY_TRIES:
            if is_remembered:
                change_record(incident_id, lambda now: merged(before, tried_in_vain(before, now_ms, at_once=BUSY_TRIES), now))
            raise
        plan = plan_unreadable(before, error, settings, incident_id, now_ms)
    for line in plan.log:
        demisto.info(f"{BRAND}: {line}")
    log(settings, f"get-remote-data: incident {incident_id}: {len(plan.fields)} fields, {len(plan.entries)} entries.")

    def remember(now: Store) -> Store:
        current = now.records([incident_id]).get(incident_id, before)
        record = merged(before, plan.record, current)
        if current.since_ms != before.since_ms:
            # Another command has settled meanwhile what is history.
            record = replace(record, ledger=replace(record.ledger, history=current.ledger.history))
        after = now.with_records({incident_id: record})

        def count(memory: Memory) -> Memory:
            health = replace(memory.health, entries_in=memory.health.entries_in + plan.crossed)
            limited_ms = local_now_ms() if client.limit else memory.limited_ms
            move = memory.entries_move if moves is None else moves
            return replace(memory, health=health, entries_move=move, limited_ms=limited_ms)

        return after.with_memory(count)

    if is_remembered:
        change_store(remember)
    return_results(GetRemoteDataResponse(plan.fields, plan.entries))


def learned_moves(client: Client, look: Look, known: bool | None) -> bool | None:
    """Return what a look tells of whether entries move their incident's `modified`; None: nothing.

    An entry that is newer than its incident proves that they do not, once and for all; an incident as new as its newest entry,
    that they do.
    """
    newest_ms = max((entry.touched_ms for entry in look.entries), default=0)
    if known is False or not newest_ms:
        return None
    if newest_ms > look.incident.modified_ms:
        # An entry may have come between the two calls. Only one that is newer than the incident is now proves it.
        again = client.limit or as_result(client.load, look.incident.id)
        return False if isinstance(again, dict) and newest_ms > Incident.of(again).modified_ms else None
    return True if look.incident.modified_ms - newest_ms < MOVED_WITHIN_MS else None


def news_of(remote: dict[str, Any], record: Record, schema: Schema) -> dict[str, Any]:
    """Return a remote incident with only those fields that are not as both sides had them; all where that is not known.

    XSOAR REST API: it is not certain that the server spares a local change that it has not sent yet. What did not change there
    is not given, so that it cannot undo one. What the remote's server owns always comes, and so does the type. A field that
    was emptied there may be gone altogether: it is given empty.
    """
    before, now = unpack_digests(record.fields), field_digests(remote)
    if not before:
        return remote

    def is_new(name: str) -> bool:
        key = name_digest(name)
        return before.get(key) != now.get(key)

    news = {key: value for key, value in remote.items() if key in ("id", "type") or is_server_owned(key) or is_new(key)}
    theirs = custom_fields(remote)
    emptied = {name: empty_value(kind) for name, kind in schema.custom_fields.items() if name not in theirs}
    news |= {name: "" for name in INCIDENT_FIELDS if name not in remote and is_new(name)}
    news["CustomFields"] = {key: value for key, value in (emptied | theirs).items() if is_new(f"{CUSTOM}{key}")}
    return news


def has_lost_fields(record: Record, incident: Incident) -> bool:
    """Return whether a field that held something is empty now, so that it must be known what it is called."""
    return bool(unpack_digests(record.fields).keys() - field_digests(incident.raw).keys())


def empty_value(kind: str) -> Any:
    """Return what a custom field of a type holds when it is empty."""
    return [] if kind.lower() in LIST_TYPES else ""


def changed_names(record: Record, incident: Incident) -> str:
    """Return which fields of an incident are not as both sides had them, packed; none when that is not known."""
    before, now = unpack_digests(record.fields), field_digests(incident.raw)
    return "".join(sorted(key for key in {*before, *now} if before.get(key) != now.get(key))) if before else ""


""" PUSH """


@dataclass(frozen=True)
class Update:
    """What the server sends with update-remote-system.

    data: the local incident, in remote names. delta: its changes.
    entries: the local entries that are offered.
    status: the local status; None: it is not told.
    is_changed: whether fields changed.
    """

    remote_id: str
    data: dict[str, Any]
    delta: dict[str, Any]
    entries: list[Entry]
    status: int | None
    is_changed: bool

    @staticmethod
    def of(args: dict[str, Any]) -> "Update":
        """Return the update of a command's arguments. Half a surrogate in a text, which no encoding takes, is repaired."""
        given = UpdateRemoteSystemArgs(decoded(json.dumps(args).encode()))
        return Update(
            remote_id=str(given.remote_incident_id or ""),
            data=given.data or {},
            delta=given.delta or {},
            entries=in_order(Entry.of(entry) for entry in with_ids(given.entries)),
            status=given.inc_status,
            is_changed=bool(given.incident_changed),
        )


@dataclass(frozen=True)
class Step:
    """One thing to do in the remote, in its turn.

    kind: REOPEN, SAVE, SEND or CLOSE.
    fields: what is saved.
    entries: what is sent.
    """

    kind: str
    fields: dict[str, Any] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)


REOPEN, SAVE, SEND, CLOSE = "reopen", "save", "send", "close"


def plan_status(
    told: int | None, asked: int | None, now: int | None, follows: bool, says: str = "", brings_into_closed: bool = False
) -> tuple[str, ...]:
    """Decide what becomes of the remote's status: nothing, CLOSE, REOPEN, or both.

    Args:
        told: the local status that the remote was told last.
        asked: the local status that the server here was asked for and has not confirmed; None: nothing is awaited.
        now: the local status.
        follows: whether the remote follows at all (*Close Remote Incident*).
        says: REOPEN or CLOSE where the delta tells of a person's doing. Without it an incident that was to be closed and is open
            is not closed yet: its closing may need more than we can give.
        brings_into_closed: entries come with the closing of an incident that is closed there.
    """
    known = told if asked is None else asked
    if not follows or now is None:
        return ()
    if is_closed(now):
        if is_closed(known):
            # It was reopened here, written into and closed again since the last update.
            return (REOPEN, CLOSE) if says == CLOSE and brings_into_closed else ()
        return (CLOSE,)
    if not is_closed(known) or (asked is not None and says != REOPEN):
        return ()
    return (REOPEN,)


def plan_push(record: Record, update: Update, settings: Settings, wanted: list[Entry]) -> list[Step]:
    """Decide what is done in the remote, in this order: it is reopened before anything is written, and closed behind all of it.

    Args:
        wanted: the entries that are to go. See `leaving`.
    """
    turns = plan_status(
        record.told,
        record.asked,
        update.status,
        settings.close_out,
        person_says(update.delta),
        # What was tried before would have it reopened and closed at each try.
        brings_into_closed=is_closed(record.status) and any(entry.key not in record.ledger.trying for entry in wanted),
    )
    # What belongs to a closing goes with it, or not at all.
    fields = may_go(
        {key: value for key, value in update.delta.items() if not (is_closed(update.status) and key.lower() in CLOSING_KEYS)}
    )
    return [
        *([Step(REOPEN)] if REOPEN in turns else []),
        *([Step(SAVE, fields=fields)] if update.is_changed and fields else []),
        *([Step(SEND, entries=wanted)] if wanted else []),
        *([Step(CLOSE, entries=wanted)] if CLOSE in turns else []),
    ]


def may_follow(step: Step, failures: list[RemoteError], record: Record) -> bool:
    """Return whether a step is taken after failures. A closed War Room takes nothing, so a closing waits for what may go later;
    what is refused again keeps nothing open.
    """
    is_last_try = all(entry.key in record.ledger.trying for entry in step.entries)
    return step.kind != CLOSE or not failures or (is_last_try and all(error.kind in UNREADABLE for error in failures))


def leaving(entries: list[Entry], record: Record, settings: Settings, digest: Callable[[Entry], str]) -> list[Entry]:
    """Return the local entries that are to go: what the server offers, unless it went already, or came in.

    The server chooses them by the tags that the incident was fetched with, which may not be those of today. Some servers may
    offer entries without any.

    Args:
        digest: gives the `copy_digest` of an entry; asked only where copies came in.
    """
    own = [entry for entry in entries if settings.mirror_tags and set(entry.tags) - set(settings.tags)]
    offered = [entry for entry in own if not record.ledger.has_sent(entry)]
    return [entry for entry in offered if not (record.ledger.seen and record.ledger.has_copy(digest(entry)))]


def local_digest(entry: Entry) -> str:
    """Return the `copy_digest` of a local entry; an empty text where its file is no longer here."""
    if not entry.has_file:
        return copy_digest(entry.raw.get("contents"))
    file = local_file(entry)
    return copy_digest(*file) if file else ""


def local_file(entry: Entry) -> tuple[str, Path] | None:
    """Return the name and the place of a local entry's file; None when it is no longer on this server."""
    try:
        local = demisto.getFilePath(entry.id)
        path = Path(local["path"])
        path.stat()
        return safe_file_name(local.get("name") or entry.raw.get("file")), path
    except (AttributeError, KeyError, OSError, TypeError, ValueError):
        return None


def says_reopened(delta: dict[str, Any]) -> bool:
    """Return whether a delta holds a person's reopening.

    XSOAR REST API: on reopening `closingUserId` and `runStatus` are emptied, and a status may be among the changes or not. A
    running playbook changes `runStatus` too, so that alone tells nothing.
    """
    changed = in_lower_case(delta)
    return changed.get("closinguserid") == "" or changed.get("status") in (IncidentStatus.PENDING, IncidentStatus.ACTIVE)


def says_closed(delta: dict[str, Any]) -> bool:
    """Return whether a delta holds a person's closing. XSOAR REST API: it names who closed the incident, or the status."""
    changed = in_lower_case(delta)
    return bool(changed.get("closinguserid")) or changed.get("status") == IncidentStatus.DONE


def person_says(delta: dict[str, Any]) -> str:
    """Return REOPEN or CLOSE where a delta tells that a person did it; else an empty text."""
    return REOPEN if says_reopened(delta) else CLOSE if says_closed(delta) else ""


def in_lower_case(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields under their names in lower case: mappers spell them both ways."""
    return {str(key).lower(): value for key, value in fields.items()}


def may_go(delta: dict[str, Any]) -> dict[str, Any]:
    """Return local changes without this pack's own incident fields, and what the remote server owns in any case."""
    flat = {
        key: value
        for key, value in delta.items()
        if key != "CustomFields" and not stays(key, value) and not steers(key) and key.lower() not in SERVER_OWNED_FIELDS
    }
    nested = {key: value for key, value in custom_fields(delta).items() if not stays(key, value)}
    return {**flat, "CustomFields": nested} if nested else flat


def flat_delta(delta: dict[str, Any]) -> Iterator[tuple[str, Any, bool]]:
    """Yield the fields of a delta: name, value, and whether it names a custom field, in or by `CustomFields`."""
    for key, value in delta.items():
        if key.lower().startswith(CUSTOM.lower()):
            yield key[len(CUSTOM) :], value, True
        elif key != "CustomFields":
            yield key, value, False
    yield from ((key, value, True) for key, value in custom_fields(delta).items())


def split_delta(
    delta: dict[str, Any], remote: dict[str, Any], custom_name: Callable[[str], str], known: dict[str, str] | None = None
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Return the changes that go to the top of an incident, those to its custom fields, and the keys that do not go.

    A key is understood whatever the mapper calls the field: in upper or lower case, and `CustomFields.<CLI name>`.

    Args:
        delta: the local changes, in remote names; it may hold `CustomFields` itself.
        remote: the remote incident: a key that it has at the top, or among its custom fields, goes there.
        custom_name: gives the CLI name of the remote's custom field of that name in lower case, an empty text when it has
            none; asked only for a key that the incident lacks.
        known: the digests of the fields that both sides were last known to hold. A server may give all custom fields when one
            changed: what is as it was then did not change here, and must not undo what changed there since.
    """
    at_top = {key.lower(): key for key in remote if key != "CustomFields"}
    in_custom = {key.lower(): key for key in custom_fields(remote)}
    top: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    dropped: list[str] = []
    for key, value, nested in flat_delta(delta):
        name = key.lower()
        if stays(key, value) or steers(key):
            dropped.append(key)
        elif name in in_custom or nested:
            custom[in_custom.get(name) or custom_name(name) or key] = value
        elif name in FIELD_ALIASES:
            top[FIELD_ALIASES[name]] = value
        elif name in SERVER_OWNED_FIELDS or (name in at_top and is_server_owned(name)):
            dropped.append(key)
        elif name in at_top:
            top[at_top[name]] = value
        elif own_name := custom_name(name):
            custom[own_name] = value
        else:
            dropped.append(key)
    if known:
        custom = {key: value for key, value in custom.items() if not is_as_known(key, value, known)}
    return top, custom, dropped


def is_as_known(name: str, value: Any, known: dict[str, str]) -> bool:
    """Return whether a custom field holds what both sides were last known to hold."""
    shown = plain(value)
    return known.get(name_digest(f"{CUSTOM}{name}")) == (None if shown is None else short_digest(shown))


def apply_delta(remote: dict[str, Any], top: dict[str, Any], custom: dict[str, Any]) -> dict[str, Any]:
    """Return a remote incident with changes applied and all else as it was."""
    changed = {**remote, **top}
    if custom:
        changed["CustomFields"] = {**custom_fields(remote), **custom}
    return changed


def custom_field_names(fields: Iterable[dict[str, Any]]) -> frozenset[str]:
    """Return the CLI names of the custom fields. XSOAR REST API: a field of a content pack is one too."""
    return frozenset(str(item.get("cliName")) for item in fields if item.get("content") or not item.get("system"))


def remote_schema(client: Client, holds: Callable[[Schema], bool]) -> Schema:
    """Return the remote's incident fields as they are kept; where those do not hold what is looked for, read anew once a run."""
    if client.schema is None:
        client.schema = read_store().memory.schema
    if client.has_read_schema or holds(client.schema):
        return client.schema
    fields = client.incident_fields()
    client.has_read_schema = True
    types = {str(item.get("cliName")): str(item.get("type") or "") for item in fields}
    custom = {name: types[name] for name in sorted(custom_field_names(fields))}
    schema = client.schema = Schema(custom, offered_reasons(fields), local_now_ms())

    def remember(memory: Memory) -> Memory:
        is_known = replace(memory.schema, read_ms=schema.read_ms) == schema
        return memory if is_known and is_recent(memory.schema) else replace(memory, schema=schema)

    # What it is needed for matters more than the note of it.
    with contextlib.suppress(DemistoException):
        change_memory(remember)
    return schema


def is_recent(schema: Schema) -> bool:
    """Return whether what the remote offers was read within the last minutes."""
    return 0 <= local_now_ms() - schema.read_ms < SCHEMA_MS


def schema_if_allowed(client: Client, holds: Callable[[Schema], bool], purpose: str) -> Schema | None:
    """Return the remote's incident fields, see `remote_schema`; None where the key may not read them."""
    try:
        return remote_schema(client, holds)
    except RemoteError as error:
        if error.kind not in (FORBIDDEN, NOT_FOUND, REJECTED):
            raise
        demisto.info(f"{BRAND}: the remote's fields cannot be read, {purpose}: {error}")
        return None


def custom_field_name(client: Client, name: str) -> str:
    """Return the CLI name of the remote's custom field of a name in lower case; an empty text when it has none."""

    def found(schema: Schema) -> str:
        return next((cli_name for cli_name in schema.custom_fields if cli_name.lower() == name), "")

    schema = schema_if_allowed(
        client, lambda kept: bool(found(kept)), f"so whether there is a field {short(name, 80)} is not known"
    )
    return found(schema) if schema else ""


def load_same(client: Client, settings: Settings, incident_id: str) -> Incident:
    """Return a remote incident that is the one of its record. Raises RemoteError, for a stranger that has its ID as well."""
    return ensure_same(read_store().record(incident_id), Incident.of(client.load(incident_id)), settings)


@dataclass(frozen=True)
class Saved:
    """What came of writing fields.

    before, after: the remote incident as it was loaded, and as it is now.
    written: the fields that went, by their names there.
    dropped: the names of those that the remote owns or lacks.
    refused: why it refused single ones, by name.
    """

    before: Incident
    after: Incident
    written: dict[str, Any]
    dropped: list[str]
    refused: dict[str, RemoteError]


def save_delta(client: Client, settings: Settings, incident_id: str, delta: dict[str, Any], record: Record) -> Saved:
    """Write local changes into the remote incident and keep everything else of it. One that it refuses keeps back no others."""
    custom_name = functools.cache(functools.partial(custom_field_name, client))
    known = unpack_digests(record.fields)
    loaded = load_same(client, settings, incident_id)
    top, custom, dropped = split_delta(delta, loaded.raw, custom_name, known)
    changes = [(name, value, False) for name, value in top.items()] + [(name, value, True) for name, value in custom.items()]
    before, saved, refused = write_fields(client, settings, loaded, changes)
    written = {(f"{CUSTOM}{name}" if nested else name): value for name, value, nested in changes if name not in refused}
    return Saved(before, saved, written, dropped, refused)


def write_fields(
    client: Client, settings: Settings, loaded: Incident, changes: list[tuple[str, Any, bool]]
) -> tuple[Incident, Incident, dict[str, RemoteError]]:
    """Write fields, given as name, value, and whether it is a custom one; halves of them alone where the remote refuses them.

    Returns:
        The incident as it was when somebody else had changed it last, as it is now, and why single fields were refused.
    """
    for seconds in (*SAVE_PAUSES, None):
        changed = apply_delta(
            loaded.raw,
            {name: value for name, value, nested in changes if not nested},
            {name: value for name, value, nested in changes if nested},
        )
        if changed == loaded.raw:
            return loaded, loaded, {}
        try:
            return loaded, Incident.of(client.save(changed) or changed), {}
        except RemoteError as error:
            if error.kind == CONFLICT and seconds is not None:
                client.pause(seconds)
                loaded = load_same(client, settings, loaded.id)
                continue
            if error.kind != REJECTED or len(changes) > MOST_TRIED_ALONE:
                raise
            if len(changes) == 1:
                return loaded, loaded, {changes[0][0]: error}
            half = len(changes) // 2
            before, saved, refused = write_fields(client, settings, loaded, changes[:half])
            again, latest, more_refused = write_fields(client, settings, saved, changes[half:])
            return before if again is saved else again, latest, refused | more_refused
    raise AssertionError("the last try either returns or raises")


def send_fields(client: Client, settings: Settings, incident_id: str, delta: dict[str, Any]) -> Saved:
    """Write local changes into the remote incident and remember what it looks like now.

    Raises:
        RemoteError: the remote refused some of them, when the others have gone.
    """
    record = read_store().record(incident_id)
    saved = save_delta(client, settings, incident_id, delta, record)
    log(settings, f"update-remote-system: incident {incident_id}: {len(saved.written)} fields.")
    if saved.dropped:
        keys = ", ".join(saved.dropped)
        log(settings, f"update-remote-system: incident {incident_id}: not sent, as the remote owns or lacks them: {keys}.")
    # They are told by a pull.
    notices = conflicts(saved, record, local_now_ms()) if settings.comes_in else {}

    def remember(now: Record) -> Record:
        return after_save(now if not notices else asked_for(now, settings), saved, notices)

    change_record(incident_id, remember)
    if saved.refused:
        names = ", ".join(saved.refused)
        reason = next(iter(saved.refused.values()))
        raise RemoteError(REJECTED, f"The remote tenant does not take the field {names}, so only the others went: {reason}")
    return saved


def after_save(record: Record, saved: Saved, notices: dict[str, str]) -> Record:
    """Return the record of an incident whose fields were written."""
    # Only if nothing else changed there since the last round; otherwise that change has yet to come in.
    modified = saved.after.modified if record.modified == saved.before.modified else record.modified
    record = replace(record, modified=modified, notices={**record.notices, **notices}, news="")
    if not record.fields:
        # What the remote holds besides was never given.
        return record
    before, now = field_digests(saved.before.raw), field_digests(saved.after.raw)
    written = {key: now.get(key) for key in {*before, *now} if before.get(key) != now.get(key)}
    known = {**unpack_digests(record.fields), **written}
    return replace(record, fields=pack_digests({key: value for key, value in known.items() if value is not None}))


def conflicts(saved: Saved, record: Record, now_ms: int) -> dict[str, str]:
    """Return what to tell people here of fields that were changed on both sides: the change made here stands.

    A field changed there as well when it is not what both sides held last, or came in so short a time ago that the change here
    may be older.
    """
    known = unpack_digests(record.fields)
    recent = set(keys_of(record.news)) if now_ms - record.in_ms < BOTH_SIDES_MS else set()
    told: dict[str, str] = {}
    for name, here in saved.written.items() if known else ():
        there = (
            custom_fields(saved.before.raw).get(name.removeprefix(CUSTOM))
            if name.startswith(CUSTOM)
            else saved.before.raw.get(name)
        )
        key, value = name_digest(name), plain(there)
        is_changed_there = key in recent or known.get(key) != (None if value is None else short_digest(value))
        if is_changed_there and value != plain(here):
            text = (
                f"{name.removeprefix(CUSTOM)} was changed in both tenants. There: {shown_value(there)}. Here: "
                f"{shown_value(here)}. The change made here stands in both; set the other value here if that is the right one."
            )
            told[short_digest([text, now_ms])] = text
    return told


def shown_value(value: Any) -> str:
    """Return a field's value as a notice shows it."""
    return short(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)) or "(empty)"


@dataclass(frozen=True)
class Outgoing:
    """A local entry as it is to stand in the remote War Room: a text in a format, or the file at `path` under `name`."""

    entry_id: str
    note: bool
    text: str = ""
    format: str = ""
    name: str = ""
    path: Path | None = None


def outgoing(entry: Entry) -> Outgoing:
    """Return how a local entry is to stand in the remote War Room. Raises RemoteError when its file is no longer here."""
    if not entry.has_file:
        text, entry_format = signed_text(entry)
        return Outgoing(entry.id, entry.is_note, text, entry_format)
    file = local_file(entry)
    if not file:
        raise RemoteError(
            REJECTED, f"The file of the local entry {entry.id} is no longer on this server: remove the entry's tag."
        )
    name, path = file
    return Outgoing(entry.id, entry.is_note, text=signed_comment(entry), name=name, path=path)


def stands_there(item: Outgoing, remote_entry: Entry) -> bool:
    """Return whether a remote entry is what sending a local one leaves behind."""
    raw = remote_entry.raw
    if item.path is None:
        return not remote_entry.has_file and raw.get("contents") == item.text
    metadata = raw.get("fileMetadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    is_named = bare_name(raw.get("file")) == bare_name(item.name)
    if not is_named or metadata.get("size") not in (None, item.path.stat().st_size):
        return False
    if not metadata.get("sha256"):
        return metadata.get("size") is not None or raw.get("contents") == item.text
    with item.path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == metadata["sha256"]


def bare_name(name: Any) -> str:
    """Return a file name without what servers make different things of on its way: quotes, and backslashes before them."""
    return re.sub(r'%22|["\\]', "", str(name))


def write_entry(client: Client, investigation_id: str, item: Outgoing) -> list[dict[str, Any]]:
    """Write an entry into the remote War Room and return the remote entries that came of it."""
    if item.path:
        return client.upload(investigation_id, item.path, item.name, item.text, item.note)
    if item.note and item.format in (EntryFormat.TEXT, EntryFormat.MARKDOWN):
        return [client.add_note(investigation_id, item.text, markdown=item.format == EntryFormat.MARKDOWN)]
    try:
        return [client.add_formatted(investigation_id, item.text, item.format)]
    except RemoteError as error:
        # XSOAR REST API: a route that is not open to keys answers so.
        if error.status not in (303, 404, 405):
            raise
        demisto.info(f"{BRAND}: update-remote-system: the remote has /entry/formatted closed ({error.status}): /entry is used.")
    # A text of ours begins with its author, never with the sign of a command.
    return [client.add_chat(investigation_id, item.text, markdown=item.format == EntryFormat.MARKDOWN)]


def send_entry(client: Client, investigation_id: str, item: Outgoing, there: list[Entry]) -> list[Entry]:
    """Bring an entry into the remote War Room; return the remote entries that it is there.

    Args:
        there: remote entries that an earlier try may have left; the first that fits is taken out of it instead of writing anew.
    """
    found = next((remote_entry for remote_entry in there if stands_there(item, remote_entry)), None)
    if found:
        there.remove(found)
        written = [found]
    else:
        answer = write_entry(client, investigation_id, item)
        written = [Entry.of(raw) for raw in with_ids(answer)]
        if not written or len(written) < len(answer):
            raise RemoteError(
                BUSY, "The remote tenant did not say which entry it has written; it is looked for in the next round."
            )
    if item.note and not written[0].is_note:
        client.mark_as_note(written[0].raw, investigation_id)
    return written


def send_entries(
    client: Client, settings: Settings, incident_id: str, entries: list[Entry], remote: Incident | None = None
) -> bool:
    """Send local entries, the oldest first; return True. One that the remote refuses does not hold up the others.

    Args:
        remote: the remote incident, where it was read in this run.

    Raises:
        RemoteError: the first failure, when all that can go has gone.
    """
    record = read_store().record(incident_id)
    investigation_id = (remote or load_same(client, settings, incident_id)).investigation_id
    if not investigation_id:
        raise RemoteError(
            REJECTED, "The remote incident is pending and has no War Room yet: open it there, and the entries follow."
        )
    # What an earlier try may have left there is looked for by what it is, before it is written a second time.
    is_uncertain = any(entry.key in record.ledger.trying for entry in entries)
    there = read_entries(client, investigation_id, {}) if is_uncertain else []
    there = [remote_entry for remote_entry in there if not record.ledger.has_seen(remote_entry)]
    failures: list[RemoteError] = []
    sent: list[tuple[Entry, list[Entry]]] = []  # What the record does not say yet.
    for entry in entries:
        if client.is_late():
            failures.append(RemoteError(LATE, "Sending the entries takes long; the next round goes on with them."))
            break
        note_entries(incident_id, sent, about_to_go=entry)
        sent = []
        try:
            sent = [(entry, send_entry(client, investigation_id, outgoing(entry), there))]
        except RemoteError as error:
            failures.append(error)
            is_first_try = entry.key not in record.ledger.trying
            if error.kind == CLOSED and is_first_try:
                note_entries(incident_id, [], not_written=entry)
            if error.kind in (CLOSED, RATE_LIMIT) or (error.kind in (BUSY, UNREACHABLE) and is_first_try):
                # It may pass, and then the entries arrive in their order. One that fails again is passed over.
                break
            if error.kind in (BUSY, UNREACHABLE, REFUSED_KEY, NOT_API):
                client.about()
    if sent:
        note_entries(incident_id, sent)
    log(settings, f"update-remote-system: incident {incident_id}: {len(entries) - len(failures)} entries.")
    if failures:
        raise failures[0]
    return True


def note_entries(
    incident_id: str,
    sent: list[tuple[Entry, list[Entry]]],
    about_to_go: Entry | None = None,
    not_written: Entry | None = None,
) -> None:
    """Remember which local entries went out, that what came of them there is not to come in, and which is about to go.

    A try whose end is not known is not simply repeated.

    Args:
        sent: local entries, each with the remote ones that came of it.
        not_written: one that was about to go and that the remote certainly did not take.
    """

    def note(record: Record) -> Record:
        ledger = record.ledger
        done = {entry.key: entry.mark for entry, _ in sent}
        ended = {*done, *([not_written.key] if not_written else [])}
        trying = {key: mark for key, mark in ledger.trying.items() if key not in ended}
        going = {about_to_go.key: about_to_go.mark} if about_to_go else {}
        written = {remote_entry.key: remote_entry.mark for _, remote_entries in sent for remote_entry in remote_entries}
        ledger = replace(ledger, sent={**ledger.sent, **done}, trying={**trying, **going}, seen={**ledger.seen, **written})
        return replace(record, ledger=ledger)

    change_record(incident_id, note, entries_out=len(sent))


def close_remote(client: Client, settings: Settings, incident_id: str, local: dict[str, Any]) -> bool:
    """Close the remote incident, unless it is closed already, and remember that it is; return whether it had to be closed."""
    is_uncertain = CLOSING in read_store().record(incident_id).ledger.trying
    # XSOAR REST API: an answer may come before the incident is closed. A try whose end is not known may show yet.
    remote = closed_soon(client, settings, incident_id, SAVE_PAUSES if is_uncertain else ())
    is_open_there = not is_closed(remote.status)
    if is_open_there:

        def note(record: Record) -> Record:
            return replace(record, ledger=replace(record.ledger, trying={**record.ledger.trying, CLOSING: ""}))

        # The closing matters more than the note of it.
        with contextlib.suppress(DemistoException):
            change_record(incident_id, note)
        version, words = whole(remote.raw.get("version"), 0), closing_words(local, reasons_for(client, local))
        try:
            client.close(incident_id, version, *words)
        except RemoteError as error:
            if error.kind != REJECTED:
                raise
            # It may no longer offer the reason that it is known to offer.
            other_words = closing_words(local, reasons_for(client, local, anew=True))
            if other_words == words:
                raise
            client.close(incident_id, version, *other_words)
        if not is_closed(closed_soon(client, settings, incident_id, SAVE_PAUSES).status):
            raise RemoteError(
                BUSY,
                "The remote tenant has not closed the incident yet; it is tried again. If it stays open, close it there: its "
                "closing form may ask for more.",
            )
    log(settings, f"update-remote-system: incident {incident_id}: closed.")
    change_record(incident_id, lambda record: as_told(record, IncidentStatus.DONE))
    return is_open_there or is_uncertain


def as_told(record: Record, status: int) -> Record:
    """Return the record of an incident that has a status on both sides now."""
    trying = {key: mark for key, mark in record.ledger.trying.items() if key != CLOSING}
    ledger = replace(record.ledger, trying=trying)
    return replace(record, status=status, given=status, told=status, asked=None, ledger=ledger)


def closed_soon(client: Client, settings: Settings, incident_id: str, pauses: tuple[float, ...]) -> Incident:
    """Return the remote incident once it is closed; after a look behind each of the pauses as it is."""
    remote = load_same(client, settings, incident_id)
    for seconds in pauses:
        if is_closed(remote.status):
            break
        client.pause(seconds)
        remote = load_same(client, settings, incident_id)
    return remote


def reasons_for(client: Client, local: dict[str, Any], anew: bool = False) -> tuple[str, ...]:
    """Return the close reasons that the remote offers; none when it takes any, or the key may not ask."""
    reason, _ = closing_words(local, ())

    def holds(schema: Schema) -> bool:
        return not anew and is_recent(schema) and reason in schema.close_reasons

    schema = schema_if_allowed(client, holds, "so the close reason goes as it is")
    return schema.close_reasons if schema else ()


def offered_reasons(fields: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return the close reasons among the remote's incident fields; none when it takes any."""
    ids = ("incident_closereason", "closereason")
    values = next(
        (item.get("selectValues") for item in fields if str(item.get("id") or item.get("cliName")).lower() in ids), None
    )
    return tuple(value for value in texts(values) if value.strip())


def closing_words(local: dict[str, Any], offered: tuple[str, ...]) -> tuple[str, str]:
    """Return the close reason and notes for the remote. A reason that it does not offer becomes Other and goes with the notes.

    Args:
        local: the local incident, its keys in lower case.
    """
    reason = str(local.get("closereason") or "Other")
    notes = str(local.get("closenotes") or "Closed in the mirrored incident.")
    if not offered or reason in offered:
        return reason, notes
    return "Other" if "Other" in offered else offered[0], f"{reason}: {notes}"


def reopen_remote(client: Client, settings: Settings, incident_id: str) -> bool:
    """Reopen the remote incident, unless it is open already; return whether it was reopened.

    XSOAR REST API: there is no route for it, only the command reopenInvestigation, which runs in the War Room of another open
    incident. Where there is none, or the command does not do it, the log says so and the incident stays as it is.
    """
    if not is_closed(load_same(client, settings, incident_id).status):
        change_record(incident_id, lambda record: as_told(record, IncidentStatus.ACTIVE))
        return False
    # Rather in one that is mirrored, where people expect to see us. XSOAR REST API: an investigation has the ID of its incident.
    store = read_store()
    newest = [key for key in store.open if key != incident_id][-SWEEP:]
    active = [key for key, record in store.records(newest).items() if record.status == IncidentStatus.ACTIVE]
    investigation_id = max(active, key=entry_number, default="")
    if not investigation_id:
        open_incidents, _ = client.search("status:active", size=1, ascending=False)
        investigation_id = str((open_incidents or [{}])[0].get("investigationId") or "")
    # The ID becomes a part of a command.
    if investigation_id and re.fullmatch(r"[\w-]+", incident_id):
        try:
            client.run(investigation_id, f"!reopenInvestigation id={incident_id}")
        except RemoteError as error:
            if error.kind not in (CLOSED, NOT_FOUND, REJECTED, FORBIDDEN):
                raise
            demisto.info(f"{BRAND}: update-remote-system: incident {incident_id}: not reopened: {error.kind}.")
    if is_closed(load_same(client, settings, incident_id).status):
        demisto.info(f"{BRAND}: incident {incident_id} was reopened here and stays closed in the remote tenant: reopen it there.")
        return False
    log(settings, f"update-remote-system: incident {incident_id}: reopened.")
    # Also that it was told: a closing here that comes with it may fail, and is then still to be told.
    change_record(incident_id, lambda record: as_told(record, IncidentStatus.ACTIVE))
    return True


def create_remote(client: Client, settings: Settings, data: dict[str, Any], origin: str) -> tuple[str, bool]:
    """Create the remote incident for a local one, unless an earlier try has; return its ID, and whether it was created now.

    The answer of that try may have been lost, so a created incident says where it came from. It is looked for by the local ID;
    without one, which a mapper may leave out, by its data, and only after a try whose end is not known: two local incidents
    may look alike.
    """
    local_id = str(data.get("id") or "")
    store = read_store()
    creating = store.memory.creating
    if creating.get(origin):
        return creating[origin], False
    created, is_new = None, False
    if local_id or origin in creating:
        found, _ = client.search(f"dbotMirrorId:{quoted(origin)}", size=SEARCH_PAGE)
        ours = [incident for incident in found if incident.get("dbotMirrorId") == origin]
        records = store.records(str(incident["id"]) for incident in ours)
        created = next((incident for incident in ours if local_id or str(incident["id"]) not in records), None)
    if created is None:
        change_memory(lambda memory: replace(memory, creating={**memory.creating, origin: ""}))
        schema = schema_if_allowed(client, lambda _: False, "so the incident is created without knowing its custom fields")
        try:
            names = frozenset(schema.custom_fields) if schema else None
            created = client.create(new_remote_incident(data, names, origin, settings.instance))
            is_new = True
        except RemoteError as error:
            if error.kind == REJECTED:
                forget_creation(origin)
            raise
    incident = Incident.of(created)
    log(settings, f"update-remote-system: incident {incident.id}: created.")
    record = Record(
        created_ms=incident.created_ms,
        origin=CREATED,
        met=True,
        modified=incident.modified,
        status=incident.status,
        given=incident.status,
        since_ms=0,
    )

    def remember(now: Store) -> Store:
        known = now.with_records({incident.id: record, **now.records([incident.id])})
        return known.with_memory(lambda memory: replace(memory, creating={**memory.creating, origin: incident.id}))

    change_store(remember)
    return incident.id, is_new


def origin_of(data: dict[str, Any], settings: Settings) -> str:
    """Return what a remote incident that we create carries as its dbotMirrorId: the local incident and this tenant."""
    return f"{data.get('id') or digest_of(data)}@{tenant_name(settings)}"


def forget_creation(origin: str) -> None:
    """Forget a creation that came to its end."""
    change_memory(
        lambda memory: replace(memory, creating={key: value for key, value in memory.creating.items() if key != origin})
    )


def new_remote_incident(data: dict[str, Any], custom_names: frozenset[str] | None, origin: str, instance: str) -> dict[str, Any]:
    """Return the incident to create in the remote tenant from a local one in remote names; it says where it came from.

    XSOAR REST API: a server keeps `sourceBrand` and `sourceInstance` of an incident only beside a label `Instance`.

    Args:
        custom_names: the CLI names of the remote's custom fields; None where the key may not read them: then all that is no
            field of every incident is taken for one.
        origin: see `origin_of`.
        instance: the name of this instance.
    """
    own_names = {name.lower(): name for name in INCIDENT_FIELDS}
    custom_by_name = {name.lower(): name for name in custom_names or ()}
    top: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    for key, value, nested in flat_delta(data):
        name = key.lower()
        if stays(key, value) or steers(key):
            continue
        if nested or name in custom_by_name:
            custom[custom_by_name.get(name, key)] = value
        elif name in own_names or name in FIELD_ALIASES:
            top[own_names.get(name) or FIELD_ALIASES[name]] = value
        elif is_server_owned(name):
            continue
        elif custom_names is None:
            custom[key] = value
        else:
            top[key] = value
    return {
        **top,
        "name": top.get("name") or "Incident of another tenant",
        "CustomFields": custom,
        "labels": [{"type": "Brand", "value": BRAND}, {"type": "Instance", "value": instance}],
        "dbotMirrorId": origin,
        "sourceBrand": BRAND,
        "sourceInstance": instance,
    }


def update_remote_system_command(client: Client, settings: Settings, args: dict[str, Any]) -> str:
    """Bring local changes to the remote incident: fields, tagged entries, closing, reopening; return the remote ID.

    Each step that succeeds is remembered at once, and the rest still tried when one fails.

    Raises:
        RemoteError: a step failed. The server sends everything again, and what is remembered does not go twice.
    """
    if "data" not in args and not args.get("remoteId"):
        # By hand it would create an empty incident there.
        raise ValueError(
            "There is nothing to send: the server calls update-remote-system by itself when a mirrored incident changes."
        )
    update = Update.of(args)
    origin = "" if update.remote_id else origin_of(update.data, settings)
    if origin:
        incident_id, is_new = create_remote(client, settings, update.data, origin)
        # When an earlier try has created it, what was changed here since then has yet to go.
        update = replace(update, remote_id=incident_id, delta={} if is_new else update.delta or update.data)
    record = read_store().record(update.remote_id)
    wanted = leaving(update.entries, record, settings, local_digest)
    log(
        settings,
        f"update-remote-system: incident {update.remote_id}: status {update.status}, changed {update.is_changed}, "
        f"{len(wanted)} entries, delta {', '.join(sorted(map(str, update.delta))) or 'empty'}.",
    )
    failures: list[RemoteError] = []
    went, remote = bool(origin), None
    for step in plan_push(record, update, settings, wanted):
        if not may_follow(step, failures, record):
            continue
        try:
            if step.kind == SAVE:
                saved = send_fields(client, settings, update.remote_id, step.fields)
                went, remote = went or saved.after is not saved.before, saved.after
            else:
                went = take(step, client, settings, update, remote) or went
        except RemoteError as error:
            failures.append(error)
    if failures:
        sentences = " ".join(dict.fromkeys(map(str, failures)))
        is_told = any(error.kind not in (RATE_LIMIT, LATE) for error in failures)
        # The failure itself matters more than the note of it. What the next round goes on with is none to show.
        with contextlib.suppress(DemistoException):
            change_record(
                update.remote_id, lambda now: now if not is_told else after_failure(now, update, settings, short(sentences, 500))
            )
        raise RemoteError(failures[0].kind, f"Incident {update.remote_id}: {sentences}")
    is_shown = went and not read_store().memory.is_limited
    change_record(update.remote_id, lambda now: after_push(now, update, settings, went, is_shown or bool(origin), local_now_ms()))
    if origin:
        forget_creation(origin)
    return update.remote_id


def take(step: Step, client: Client, settings: Settings, update: Update, remote: Incident | None) -> bool:
    """Take a step in the remote other than SAVE, and remember it; return whether anything changed there."""
    if step.kind == REOPEN:
        return reopen_remote(client, settings, update.remote_id)
    if step.kind == SEND:
        return send_entries(client, settings, update.remote_id, step.entries, remote)
    words = in_lower_case(update.data) | {key: value for key, value in in_lower_case(update.delta).items() if value}
    return close_remote(client, settings, update.remote_id, words)


def after_push(record: Record, update: Update, settings: Settings, went: bool, is_listed: bool, now_ms: int) -> Record:
    """Return the record after all that was to go has gone.

    Args:
        went: whether anything changed in the remote.
        is_listed: whether the next round is to bring the incident, so that it shows this.
    """
    after = replace(record, met=True)
    if update.status is not None:
        is_as_asked = record.asked is None or is_closed(record.asked) == is_closed(update.status)
        is_settled = is_as_asked or is_closed(update.status) or person_says(update.delta) == REOPEN
        was_closed = record.is_closed_here
        is_told = settings.close_out or (record.asked is not None and is_as_asked)
        after = replace(
            after,
            here=update.status,
            asked=None if is_settled else record.asked,
            told=update.status if is_settled and is_told else record.told,
        )
        if was_closed and is_settled and is_open(update.status):
            # Entries may have waited for it.
            after = asked_for(after, settings)
    if is_listed or record.out_error:
        # Nothing else may list it: our own change is known, and an entry does not show everywhere.
        after = asked_for(after, settings)
    return replace(after, out_ms=now_ms if went else record.out_ms, out_error="")


def after_failure(record: Record, update: Update, settings: Settings, error: str) -> Record:
    """Return the record of an incident whose changes did not go out: the local one shows why with the next pull."""
    after = replace(record, met=True, here=record.here if update.status is None else update.status)
    return after if record.out_error == error else asked_for(replace(after, out_error=error), settings)


""" SCHEMA """


def mapping_scheme(types: list[dict[str, Any]], fields: list[dict[str, Any]]) -> GetMappingFieldsResponse:
    """Return the fields of the remote that an outgoing mapper may write, for each incident type and for `Default Mapping`.

    Each stands under the name that update-remote-system takes: the incident's own fields as the incident spells them, custom
    ones flat, under their CLI names.
    """
    response = GetMappingFieldsResponse()
    custom_names = custom_field_names(fields)
    named = [(writable_name(item, custom_names), item) for item in fields]
    writable = {field_name: item for field_name, item in named if field_name}
    for name in ["Default Mapping", *(str(item.get("name") or item.get("id")) for item in types)]:
        scheme = SchemeTypeMapping(type_name=name)
        for field_name, item in writable.items():
            if name == "Default Mapping" or item.get("associatedToAll") or not is_bound(item) or name in associated_types(item):
                scheme.add_field(field_name, f"{item.get('name') or field_name} - {item.get('type') or 'shortText'}")
        response.add_scheme_type(scheme)
    return response


def writable_name(incident_field: dict[str, Any], custom_names: frozenset[str]) -> str:
    """Return the name under which an outgoing mapper writes a field of the remote; an empty text when none can."""
    cli_name = str(incident_field.get("cliName"))
    if cli_name in custom_names:
        return cli_name if is_mappable(incident_field) else ""
    own_names = {name.lower(): name for name in INCIDENT_FIELDS}
    return "" if incident_field.get("isReadOnly") else own_names.get(cli_name.lower(), "")


# The types of fields that cannot be mirrored: files cross as files, timers run in each tenant by themselves.
UNMAPPED_TYPES = frozenset({"attachments", "internal", "timer", "sla"})


def is_mappable(incident_field: dict[str, Any]) -> bool:
    """Return whether a custom field can be mirrored: it is no timer, read-only, internal or this pack's own."""
    cli_name, kind = str(incident_field.get("cliName")).lower(), str(incident_field.get("type")).lower()
    is_own = cli_name.startswith(OWN_FIELD_PREFIX) or cli_name in MIRROR_KEYS
    return not is_own and not incident_field.get("isReadOnly") and kind not in UNMAPPED_TYPES


def associated_types(incident_field: dict[str, Any]) -> list[str]:
    """Return the incident types that a field belongs to."""
    return [*texts(incident_field.get("associatedTypes")), *texts(incident_field.get("systemAssociatedTypes"))]


def is_bound(incident_field: dict[str, Any]) -> bool:
    """Return whether a field belongs to certain incident types only."""
    return bool(associated_types(incident_field))


def get_mapping_fields_command(client: Client) -> GetMappingFieldsResponse:
    """Return the schema of the remote for the mapper editor."""
    return mapping_scheme(client.incident_types(), client.incident_fields())


""" WAR ROOM COMMANDS """


def search_incidents_command(client: Client, args: dict[str, Any]) -> CommandResults:
    """Return the remote incidents that match a query, the newest first, as a table and under XSOAR.Incident."""
    wanted = whole_number(args.get("max_results") or 10, "max_results", 1, MOST_RESULTS)
    since_ms = parse_when(args.get("start_time") or "3 days", "start_time", local_now_ms())
    query = str(args.get("query") or "-status:closed -category:job")
    columns = list(listed(args.get("columns"))) or DEFAULT_COLUMNS
    incidents: dict[str, dict[str, Any]] = {}
    size, seen = min(wanted, SEARCH_PAGE), 0
    for page in range(MOST_PAGES):
        portion, total = client.search(query, size=size, page=page, ascending=False, from_ms=since_ms)
        seen += len(portion)
        fresh = [incident for incident in portion if str(incident["id"]) not in incidents]
        recent = [incident for incident in fresh if parse_ms(incident.get("created"), since_ms) >= since_ms]
        incidents.update((str(incident["id"]), incident) for incident in recent)
        # The last page is short, though the remote does not say that there is more, or holds nothing that is new.
        is_short = len(portion) < min(size, PAGE_SMALLEST) and total <= seen
        if len(incidents) >= wanted or is_short or not recent:
            break
    found_incidents = list(incidents.values())[:wanted]
    readable = tableToMarkdown("Search Results:", rows_shown(found_incidents), headers=None if "all" in columns else columns)
    outputs = found_incidents
    if len(found_incidents) > MOST_WHOLE_INCIDENTS:
        outputs = [{key: incident.get(key) for key in BRIEF_FIELDS} for incident in found_incidents]
        readable += (
            f"\nThese are more than {MOST_WHOLE_INCIDENTS} incidents, so the context has of each: {', '.join(BRIEF_FIELDS)}. "
            "The command xsoar-get-incident gives one whole."
        )
    return CommandResults(
        outputs_prefix="XSOAR.Incident",
        outputs_key_field="id",
        outputs=outputs,
        raw_response=found_incidents,
        readable_output=readable,
    )


def shown_entry(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what a table of entries shows of one. What is data, not a text, is shown as JSON."""
    contents = entry.get("contents")
    text = contents if isinstance(contents, str) or contents is None else json.dumps(contents, ensure_ascii=False)
    author = author_of(entry)
    return {**{key: entry.get(key) for key in ENTRY_COLUMNS}, "user": author, "contents": text}


def get_incident_command(client: Client, args: dict[str, Any]) -> CommandResults:
    """Return a remote incident and its newest entries, as tables and under XSOAR.Incident."""
    incident_id = str(args.get("id") or "").strip()
    if not incident_id:
        raise ValueError("id is missing: give the ID of an incident of the remote tenant, for example id=4.")
    wanted = whole_number(args.get("max_results") or 10, "max_results", 1, MOST_RESULTS)
    since_ms = parse_when(args.get("from_date") or "3 days", "from_date", local_now_ms())
    entry_filter: dict[str, Any] = {
        "fromTime": iso(since_ms),
        "categories": list(parse_categories(args.get("categories") or "chats,notes", "categories")),
    }
    if tags := listed(args.get("tags")):
        entry_filter |= {"tags": list(tags), "tagsAndOperator": False}
    incident = client.load(incident_id)
    found = read_entries(client, str(incident.get("investigationId") or ""), entry_filter)[-wanted:]
    entries = [entry.raw for entry in found]
    custom = {key: value for key, value in custom_fields(incident).items() if not is_timer(value)}
    fields = {**{key: incident.get(key) for key in SHOWN_FIELDS}, **custom}
    rows = [{"field": key, "value": value} for key, value in fields.items() if plain(value) is not None]
    title = short(as_text(str(incident.get("name") or incident_id))).replace("`", "\\`")
    readable = tableToMarkdown(f"Incident {title}", rows_shown(rows), headers=["field", "value"])
    readable += "\n" + tableToMarkdown(
        f"Last entries since {iso(since_ms)}",
        rows_shown([shown_entry(entry) for entry in entries]),
        headers=ENTRY_COLUMNS,
        removeNull=True,
    )
    return CommandResults(
        outputs_prefix="XSOAR.Incident",
        outputs_key_field="id",
        outputs=incident,
        raw_response={"incident": incident, "entries": entries},
        readable_output=readable,
    )


""" WAR ROOM COMMANDS: THE MIRROR """

# What the mappers of this pack let cross besides custom fields, and what does not cross although both incidents have it.
COMPARED_FIELDS = ("name", "details", "severity", "owner", "phase", "dueDate")
NOT_COMPARED = {
    "type": "it is set when an incident is fetched, and a mapper would override the type chosen in the instance",
    "occurred": "it comes in when an incident is fetched, and does not go out",
    "closeReason": "it crosses with the closing, and a reason that the other tenant does not offer goes with the notes",
    "closeNotes": "they cross with the closing",
    "playbookId": "playbooks are each tenant's own",
    "labels": "labels are each tenant's own",
    "roles": "roles are each tenant's own; a copied one can hide the incident",
}


def local_incident(args: dict[str, Any]) -> dict[str, Any]:
    """Return the local incident that a command is about: the one given as `incident`, else the one that it runs in.

    Raises:
        ValueError: the argument is no incident.
    """
    given = args.get("incident")
    if given:
        try:
            incident = json.loads(given) if isinstance(given, str) else given
        except ValueError:
            incident = None
        if isinstance(incident, list) and incident:
            incident = incident[0]
        if not isinstance(incident, dict):
            raise ValueError(
                "incident is not an incident as JSON: give ${incident} in a playbook, or leave it out in a War Room."
            )
        return incident
    try:
        incident = demisto.incident()
    except Exception:  # Where there is none, as in the playground, versions differ in what they raise.
        incident = None
    return incident if isinstance(incident, dict) else {}


def wanted_remote_id(args: dict[str, Any], local: dict[str, Any], settings: Settings) -> str:
    """Return the remote incident that a command is about: the one given as `id`, else the one that the local incident mirrors.

    Raises:
        ValueError: neither is known, or the local incident is mirrored by another instance.
    """
    mirrored_id, instance = str(local.get("dbotMirrorId") or ""), str(local.get("dbotMirrorInstance") or "")
    remote_id = str(args.get("id") or "").strip() or mirrored_id
    if not remote_id:
        raise ValueError("id is missing: run the command in the War Room of a mirrored incident, or give the remote ID, id=4.")
    if remote_id == mirrored_id and instance and instance != settings.instance:
        raise ValueError(
            f"This incident is mirrored by the instance {instance}: add using={json.dumps(instance)} to the command."
        )
    return remote_id


def compared(
    local: dict[str, Any], remote: dict[str, Any], ruled: frozenset[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what a local incident and its remote one hold in the fields that cross, and those that differ and never cross.

    Args:
        ruled: the custom fields that have a rule in the mappers, by their CLI names in lower case.

    Returns:
        The fields that cross: field, here, there, equal, mapped (whether there is a rule for it). Those that do not: field,
        reason.
    """
    theirs = custom_fields(remote)
    # In a playbook ${incident} holds the custom fields at its top.
    mine = {**{name: local[name] for name in theirs if name in local}, **custom_fields(local)}
    custom = [name for name in sorted({*mine, *theirs}) if not stays(name, mine.get(name) or theirs.get(name))]
    rows = [
        *((name, local.get(name), remote.get(name), True) for name in COMPARED_FIELDS),
        ("status", status_word(local), status_word(remote), True),
        *((name, mine.get(name), theirs.get(name), name.lower() in ruled) for name in custom),
    ]
    crossing = [
        {"field": name, "here": here, "there": there, "equal": plain(here) == plain(there), "mapped": mapped}
        for name, here, there, mapped in rows
    ]
    timers = [name for name in sorted({*mine, *theirs}) if is_timer(mine.get(name)) or is_timer(theirs.get(name))]
    ignored = [
        *({"field": name, "reason": reason} for name, reason in NOT_COMPARED.items() if differs(name, local, remote)),
        *(
            {"field": name, "reason": "SLA timers run in each tenant by themselves"}
            for name in timers
            if differs(name, mine, theirs)
        ),
    ]
    return crossing, ignored


def status_word(incident: dict[str, Any]) -> str:
    """Return whether an incident is open: whether it is pending or active is each tenant's own affair."""
    return "closed" if incident.get("status") in (IncidentStatus.DONE, IncidentStatus.ARCHIVE) else "open"


def differs(name: str, local: dict[str, Any], remote: dict[str, Any]) -> bool:
    """Return whether two incidents differ in a field."""
    return plain(local.get(name)) != plain(remote.get(name))


def mirror_diff_command(client: Client, settings: Settings, args: dict[str, Any]) -> CommandResults:
    """Return, field by field, what the local and the remote incident hold. It writes nothing."""
    local = local_incident(args)
    remote_id = wanted_remote_id(args, local, settings)
    if not local:
        raise ValueError("There is no local incident: run the command in its War Room, or give it as the argument incident.")
    crossing, ignored = compared(local, client.load(remote_id), ruled_names(read_store().memory.rules))
    different = [row["field"] for row in crossing if not row["equal"]]
    is_unmapped = any(not row["mapped"] for row in crossing)
    outputs = {"id": remote_id, "equal": not different, "different": different, "fields": crossing, "ignored": ignored}
    rows = [
        {**row, "equal": "yes" if row["equal"] else "no", "rule": "" if row["mapped"] else "no rule here"}
        for row in sorted(crossing, key=lambda row: row["equal"])
    ]
    title = f"Here and remote incident {remote_id}: " + (f"{len(different)} fields differ" if different else "equal")
    headers = ["field", "here", "there", "equal", *(["rule"] if is_unmapped else [])]
    readable = tableToMarkdown(title, rows_shown(rows), headers=headers)
    if is_unmapped:
        readable += "\nA field without a rule crosses once, when its incident is fetched: xsoar-mirror-mappers makes rules."
    if ignored:
        readable += "\n" + tableToMarkdown("Different, and never mirrored", ignored, headers=["field", "reason"])
    return CommandResults(
        outputs_prefix="XSOAR.Mirror.Diff",
        outputs_key_field="id",
        outputs=outputs,
        readable_output=readable,
    )


def mirror_resync_command(client: Client, settings: Settings, args: dict[str, Any]) -> CommandResults:
    """Have the next round bring a remote incident anew: its fields, and all earlier entries that match and are not here yet."""
    local = local_incident(args)
    remote_id = wanted_remote_id(args, local, settings)
    fields, entries = (flag(args, name, name, True, "give true or false") for name in ("fields", "entries"))
    if not fields and not entries:
        raise ValueError("There is nothing to resync: set fields or entries to true.")
    remote = Incident.of(client.load(remote_id))
    is_here = local.get("dbotMirrorId") == remote_id
    store = read_store()
    record = store.records([remote_id]).get(remote_id)
    if record is None and not is_here:
        raise ValueError(
            f"This instance mirrors no incident {remote_id}: run the command in the War Room of the incident that mirrors it."
        )
    # A fetched incident names its source. Any other that mirrors a remote one was linked by hand.
    is_linked = is_here and local.get("sourceBrand") != BRAND
    is_forgotten = record is None and not is_linked
    entries = entries and not is_forgotten
    if record and not is_linked:
        ensure_same(record, remote, settings)
    # Without its entries a linked incident begins now; the server would give the time at which it was created.
    begin_ms = max(remote.modified_ms, store.memory.health.cursor_ms) + 1
    # It is still open although it was to be closed, so it is closed once more.
    is_unclosed = is_here and local.get("status") in (IncidentStatus.PENDING, IncidentStatus.ACTIVE)

    def restart(known: Record) -> Record:
        ledger, owes_files = known.ledger, known.owes_files
        if entries:
            # What a note stands for is tried again, and what counted as history comes.
            owes_files = owes_files or bool(ledger.missing)
            seen = {key: mark for key, mark in ledger.seen.items() if key not in ledger.missing}
            ledger = replace(ledger, history={}, missing={}, seen=seen)
        return replace(
            wanted_again(known),
            created_ms=remote.created_ms if is_linked else known.created_ms or remote.created_ms,
            origin=LINKED if is_linked else known.origin,
            modified="" if fields else known.modified,
            fields="" if fields else known.fields,
            since_ms=0 if entries else begin_ms if known.since_ms is None else known.since_ms,
            given=remote.status if is_forgotten else None if is_unclosed and is_closed(known.asked) else known.given,
            asked=None if is_unclosed and is_closed(known.asked) else known.asked,
            # Where nothing goes out, nobody else tells that it was opened here again, and entries would wait.
            here=local["status"] if is_unclosed else known.here,
            owes_files=owes_files,
            ledger=ledger,
            tries=0,
        )

    change_record(remote_id, restart)
    outputs = {"id": remote_id, "fields": fields, "entries": entries}
    parts = [*(["all fields"] if fields else []), *(["the earlier entries that were not brought yet"] if entries else [])] or [
        "what is new"
    ]
    readable = f"The next mirroring round brings, of the remote incident {remote_id}, {' and '.join(parts)}."
    if is_forgotten:
        readable += " Its earlier entries are not remembered: those here stay as they are, and only new ones come."
    if not settings.comes_in:
        readable += " By the instance's direction nothing comes in, so it applies to incidents whose own direction lets it."
    return CommandResults(
        outputs_prefix="XSOAR.Mirror.Resync",
        outputs_key_field="id",
        outputs=outputs,
        readable_output=readable,
    )


def mirror_status_command(client: Client, settings: Settings, args: dict[str, Any]) -> CommandResults:
    """Return what the mirror knows, and how the remote tenant looks from here. It writes nothing."""
    store, now_ms = read_store(), local_now_ms()
    memory, records = store.memory, store.all_records()
    try:
        version, problem = str(client.about().get("demistoVersion") or ""), ""
    except RemoteError as error:
        version, problem = "", str(error)
    skew = round((client.remote_time_ms + 500 - now_ms) / 1000) if client.remote_time_ms else None
    without_rule = None if problem else missing_rules(client, settings, memory.rules)
    outputs = {
        "Instance": settings.instance,
        "Remote": host_of(settings.api_root),
        "RemoteVersion": version,
        "RemoteError": problem,
        "ClockSkewSeconds": skew,
        "EntriesMoveModified": memory.entries_move,
        "FieldsWithoutRule": None if without_rule is None else len(without_rule),
        **memory_status(memory, list(records.values()), now_ms),
    }
    shown = {key: value for key, value in outputs.items() if value not in (None, "")}
    readable = tableToMarkdown(f"Mirroring of {settings.instance}", shown, headers=list(shown), headerTransform=pascalToSpace)
    if without_rule:
        readable += "\n" + as_text(missing_rules_told(without_rule)) + "\n"
    remote_id = str(args.get("id") or "").strip()
    if remote_id:
        incident = incident_status(remote_id, records.get(remote_id), settings)
        outputs["Incident"] = incident
        readable += "\n" + tableToMarkdown(
            f"Remote incident {remote_id}", incident, headers=list(incident), headerTransform=pascalToSpace, removeNull=True
        )
    return CommandResults(
        outputs_prefix="XSOAR.Mirror.Status",
        outputs_key_field="Instance",
        outputs=outputs,
        readable_output=readable,
    )


def memory_status(memory: Memory, records: list[Record], now_ms: int) -> dict[str, Any]:
    """Return what xsoar-mirror-status tells of what the mirror remembers."""
    health = memory.health
    error_ms, error, error_command = max((*last_failure(health, name), name) for name in sorted(MIRRORING_COMMANDS))
    return {
        "Cursor": when(health.cursor_ms),
        "CursorAgeSeconds": (now_ms - health.cursor_ms) // 1000 if health.cursor_ms else None,
        "LastRound": when(health.round_ms),
        "LastRoundCalls": health.round_calls,
        "LastFetch": when(health.fetch_ms),
        "LastFetchCalls": health.fetch_calls,
        "IncidentsTracked": len(records),
        "IncidentsOpen": sum(not is_closed(record.status) for record in records),
        "IncidentsPending": sum(record.is_due and record.not_before_ms <= now_ms for record in records),
        "IncidentsBehind": sum(record.tries > 0 for record in records),
        "IncidentsWithError": sum(bool(record.in_error or record.out_error) for record in records),
        "CreationsPending": len(memory.creating),
        "EntriesIn": health.entries_in,
        "EntriesOut": health.entries_out,
        "LastError": error,
        "LastErrorCommand": error_command if error_ms else "",
        "LastErrorTime": when(error_ms),
    }


def incident_status(remote_id: str, record: Record | None, settings: Settings) -> dict[str, Any]:
    """Return what xsoar-mirror-status tells of one remote incident."""
    if record is None:
        return {"Id": remote_id, "State": "Not mirrored by this instance", "Link": remote_link(settings, remote_id)}
    return {
        "Id": remote_id,
        "State": mirror_state(record),
        "Link": remote_link(settings, remote_id),
        "Pending": record.is_due,
        "NextTry": when(record.not_before_ms) if record.is_due else None,
        "LastIn": when(record.in_ms),
        "LastOut": when(record.out_ms),
        "EntriesKnown": len(record.ledger.seen),
        "EntriesSent": len(record.ledger.sent),
        "EntriesUncertain": len(record.ledger.trying.keys() - {CLOSING}),
        "ErrorIn": record.in_error or None,
        "ErrorOut": record.out_error or None,
    }


def when(time_ms: int) -> str | None:
    """Return a time as it is shown; None for 0."""
    return iso(time_ms) if time_ms else None


""" WAR ROOM COMMANDS: MAPPERS """

ALL_TYPES = "dbot_classification_incident_type_all"  # The section of a mapper whose rules hold for every incident type.
# The rules that the mappers of this pack have for what every tenant has. Incoming: the name of a local field, and what it takes
# of the remote incident; outgoing: the key of a change, and the local field that it takes.
INCOMING_RULES = {
    **{name: name for name in ("name", "details", "severity", "owner", "phase", "occurred")},
    **{name: name for name in ("dbotMirrorId", "dbotMirrorInstance", "dbotMirrorDirection", "dbotMirrorTags")},
    "XSOAR Mirroring Remote ID": "mirror_remote_id",
    "XSOAR Mirroring Remote Link": "mirror_remote_link",
    "XSOAR Mirroring Remote Tenant": "mirror_remote_tenant",
    "XSOAR Mirroring State": "mirror_state",
    "XSOAR Mirroring Last In": "mirror_last_in",
    "XSOAR Mirroring Last Out": "mirror_last_out",
    "XSOAR Mirroring Error In": "in_mirror_error",
    "XSOAR Mirroring Error Out": "out_mirror_error",
    "IncomingMirrorError": "in_mirror_error",
    "OutgoingMirrorError": "out_mirror_error",
}
OUTGOING_RULES = {
    name: name for name in ("id", "name", "details", "severity", "owner", "phase", "dueDate", "closeReason", "closeNotes")
}
# The custom fields that the mappers of this pack have rules for, by their CLI names.
COMMON_FIELDS = frozenset(
    {
        *("accountname", "agentid", "agentversion", "alertid", "alertname", "assetname"),
        *("classification", "commandline", "cveid", "destinationhostname", "destinationip", "destinationmacaddress"),
        *("destinationport", "detecteduser", "devicename", "emailfrom", "emailsubject", "emailto"),
        *("eventid", "eventtype", "externallink", "filehash", "filename", "filesize"),
        *("hostnames", "md5", "mitretacticid", "mitretacticname", "mitretechniqueid", "mitretechniquename"),
        *("parentprocessname", "processname", "protocol", "sha1", "sha256", "signature"),
        *("sourcehostname", "sourceip", "sourcemacaddress", "sourceport", "sourceusername", "username"),
    }
)
# A custom field that is called like one of these belongs to one tenant, or to the incident itself.
TAKEN_NAMES = frozenset(re.sub("[^a-z0-9]", "", name.lower()) for name in (*INCOMING_RULES, *OUTGOING_RULES))
# Fields of different types whose values are alike, so that they cross all the same: texts, and lists of texts. HTML is not among
# the texts: it would show another's text as a page.
ALIKE_TYPES = (frozenset({"shorttext", "longtext", "markdown", "url"}), frozenset({"multiselect", "tagsselect"}))
# What becomes of a custom field, as the table of xsoar-mirror-mappers says it, by the word in the context.
MAPPED, EXPORTED, ONLY_HERE, ONLY_THERE = "Mapped", "Exported", "OnlyHere", "OnlyThere"
TYPE_DIFFERS, EXCLUDED, NEVER_MIRRORED = "TypeDiffers", "Excluded", "NeverMirrored"
FATES = {
    MAPPED: "mapped",
    EXPORTED: "only there: exported and mapped",
    ONLY_HERE: "only here",
    ONLY_THERE: "only there",
    TYPE_DIFFERS: "not mapped: the types differ",
    EXCLUDED: "left out as the arguments say",
    NEVER_MIRRORED: "never mirrored: timers, files, read-only and internal fields, each tenant's own",
}
REPORT, EXPORT, IGNORE = "report", "export", "ignore"
MOST_LISTED = 500  # CLI names of one kind in the context.
MOST_SHOWN = 30  # The same in a table.


@dataclass(frozen=True)
class Choice:
    """The custom fields that are to be mapped, as the arguments of xsoar-mirror-mappers say it. Empty: all.

    types: of these incident types, and those of all types.
    include, exclude: CLI names in lower case.
    missing: what becomes of the fields that only the remote has: report, export or ignore.
    """

    types: frozenset[str] = frozenset()
    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    missing: str = REPORT

    def holds(self, incident_field: dict[str, Any]) -> bool:
        """Return whether a field is among them."""
        name = str(incident_field.get("cliName")).lower()
        if name in self.exclude or (self.include and name not in self.include):
            return False
        return not self.types or is_of_all_types(incident_field) or bool(self.types & {*associated_types(incident_field)})


@dataclass(frozen=True)
class Pair:
    """A custom field of either tenant or both: its CLI name in lower case, what each has of it, and what becomes of it."""

    cli_name: str
    here: dict[str, Any]
    there: dict[str, Any]
    fate: str


def incident_fields_among(fields: Any) -> list[dict[str, Any]]:
    """Return the incident fields of a list that a tenant gave."""
    # XSOAR REST API: the route gives evidence and indicator fields too; group 0 is the incident's.
    return [item for item in objects(fields) if not item.get("group") and is_id(item.get("cliName"))]


def custom_by_name(fields: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the custom fields by their CLI names in lower case."""
    names = custom_field_names(fields)
    return {str(item["cliName"]).lower(): item for item in fields if str(item["cliName"]) in names}


def is_of_all_types(incident_field: dict[str, Any]) -> bool:
    """Return whether a field is one of every incident type, or of none in particular."""
    return bool(incident_field.get("associatedToAll")) or not is_bound(incident_field)


def name_of(incident_field: dict[str, Any]) -> str:
    """Return the name of a field, by which an incoming mapper knows it."""
    return str(incident_field.get("name") or incident_field.get("cliName"))


def type_of(incident_field: dict[str, Any]) -> str:
    """Return the type of a field."""
    return str(incident_field.get("type") or "shortText")


def may_have_rule(incident_field: dict[str, Any]) -> bool:
    """Return whether a custom field can be mirrored, and is no one's own. See `is_mappable`."""
    names = {str(incident_field.get("cliName")).lower(), re.sub("[^a-z0-9]", "", name_of(incident_field).lower())}
    return is_mappable(incident_field) and not names & TAKEN_NAMES


def are_alike(here: dict[str, Any], there: dict[str, Any]) -> bool:
    """Return whether the values of one field fit into the other."""
    types = {type_of(here).lower(), type_of(there).lower()}
    return len(types) == 1 or any(types <= alike for alike in ALIKE_TYPES)


def paired_fields(here: list[dict[str, Any]], there: list[dict[str, Any]], choice: Choice) -> list[Pair]:
    """Return the custom fields of both tenants, by CLI name, and what becomes of each. The order of the lists plays no part."""
    mine, theirs = custom_by_name(here), custom_by_name(there)
    names_here = {name_of(item).lower() for item in here}

    def fate(local: dict[str, Any], remote: dict[str, Any]) -> str:
        # XSOAR REST API: no mapper sets a local field that is `unmapped`.
        if not all(may_have_rule(item) for item in (local, remote) if item) or local.get("unmapped"):
            return NEVER_MIRRORED
        if not choice.holds(local or remote):
            return EXCLUDED
        if local and remote:
            return MAPPED if are_alike(local, remote) else TYPE_DIFFERS
        if local:
            return ONLY_HERE
        # A tenant has each name once.
        return EXPORTED if choice.missing == EXPORT and name_of(remote).lower() not in names_here else ONLY_THERE

    names = sorted({*mine, *theirs})
    fields = [(name, mine.get(name, {}), theirs.get(name, {})) for name in names]
    return [Pair(name, local, remote, fate(local, remote)) for name, local, remote in fields]


def mapper(direction: str, instance: str, base: dict[str, str], rules: dict[str, dict[str, str]]) -> dict[str, Any]:
    """Return a mapper as the server imports it.

    Args:
        direction: Incoming or Outgoing.
        base: the rules that come first in the section of all types, target -> source.
        rules: the others, by section; they are put in order.
    """
    sections = {ALL_TYPES: base, **{name: {} for name in sorted(rules) if name != ALL_TYPES}}
    name = mapper_name(direction, instance)
    return {
        "id": name,
        "name": name,
        "type": f"mapping-{direction.lower()}",
        "description": f"Made by xsoar-mirror-mappers for the custom fields of this tenant and of the remote one of {instance}.",
        "version": -1,
        "fromVersion": "6.10.0",
        "feed": False,
        "defaultIncidentType": "",
        "marketplaces": ["xsoar"],
        "mapping": {
            section: {
                "dontMapEventToLabels": True,
                "internalMapping": {
                    target: {"simple": source} for target, source in [*first.items(), *sorted(rules.get(section, {}).items())]
                },
            }
            for section, first in sections.items()
        },
    }


def mapper_name(direction: str, instance: str) -> str:
    """Return the name of a mapper of an instance, which is its id too."""
    return f"{BRAND} - {instance} - {direction}"


def both_mappers(instance: str, pairs: list[Pair], types_here: frozenset[str], choice: Choice) -> list[dict[str, Any]]:
    """Return the incoming and the outgoing mapper with the rules of this pack, and one for each field that is to cross."""
    incoming: dict[str, dict[str, str]] = {}
    outgoing: dict[str, dict[str, str]] = {}
    for pair in pairs:
        if pair.fate not in (MAPPED, EXPORTED):
            continue
        # A field that is exported has the names here that it has there.
        local = pair.here or pair.there
        for section in sections_of(local, types_here, choice):
            incoming.setdefault(section, {})[name_of(local)] = f"{CUSTOM}{pair.there['cliName']}"
            outgoing.setdefault(section, {})[str(pair.there["cliName"])] = str(local["cliName"])
    return [mapper("Incoming", instance, INCOMING_RULES, incoming), mapper("Outgoing", instance, OUTGOING_RULES, outgoing)]


def sections_of(incident_field: dict[str, Any], types_here: frozenset[str], choice: Choice) -> list[str]:
    """Return the sections of a mapper that a field belongs in: the incident types of it that this tenant has, or that of all."""
    types = types_here & {*associated_types(incident_field)}
    if is_of_all_types(incident_field) or not types:
        return [ALL_TYPES]
    return sorted(types & choice.types or types)


def types_among(fields: list[dict[str, Any]]) -> frozenset[str]:
    """Return the incident types that fields belong to."""
    return frozenset(name for item in fields for name in associated_types(item))


def exported_field(remote: dict[str, Any], types_here: frozenset[str]) -> dict[str, Any]:
    """Return a field of the remote as the server imports it.

    It belongs to the incident types that this tenant has. It is neither required nor in the form of a closing, and brings no
    script along: what a person must fill in, and which scripts there are, is each tenant's own affair.
    """
    cli_name, kind = str(remote["cliName"]), type_of(remote)
    is_for_all = bool(remote.get("associatedToAll"))
    types = sorted(types_here & {*associated_types(remote)})
    described: dict[str, Any] = {
        "id": f"incident_{cli_name}",
        "version": -1,
        "name": name_of(remote),
        "cliName": cli_name,
        "type": kind,
        "description": str(remote.get("description") or ""),
        "placeholder": str(remote.get("placeholder") or ""),
        "validationRegex": str(remote.get("validationRegex") or ""),
        "group": 0,
        "associatedToAll": is_for_all,
        **({"associatedTypes": types} if types and not is_for_all else {}),
        **dict.fromkeys(("system", "required", "isReadOnly", "closeForm", "hidden", "unmapped", "locked", "ownerOnly"), False),
        **dict.fromkeys(("script", "fieldCalcScript", "breachScript"), ""),
        **{key: bool(remote.get(key)) for key in ("unsearchable", "openEnded", "useAsKpi")},
        "content": True,
        "editForm": True,
        "caseInsensitive": remote.get("caseInsensitive") is not False,
        "neverSetAsRequired": False,
        "threshold": 72,
        "sla": 0,
        "marketplaces": ["xsoar"],
        "fromVersion": "6.10.0",
    }
    choices = [value for value in texts(remote.get("selectValues")) if value]
    if choices:
        may_be_empty = kind.lower() == "singleselect" and "" in texts(remote.get("selectValues"))
        described["selectValues"] = [*([""] if may_be_empty else []), *choices]
    if columns := columns_of(remote):
        described["columns"] = [exported_column(column) for column in columns.values()]
    return described


def exported_column(column: dict[str, Any]) -> dict[str, Any]:
    """Return a column of a grid as the server imports it."""
    return {
        "key": str(column["key"]),
        "displayName": str(column.get("displayName") or column["key"]),
        "type": type_of(column),
        "selectValues": texts(column.get("selectValues")) or None,
        "isDefault": True,
        "isReadOnly": bool(column.get("isReadOnly")),
        "required": False,
        "script": "",
        "fieldCalcScript": "",
        "width": whole(column.get("width"), 150),
    }


def columns_of(incident_field: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the columns of a grid by their keys; none for other fields."""
    return {str(column["key"]): column for column in objects(incident_field.get("columns")) if is_id(column.get("key"))}


def difference(here: dict[str, Any], there: dict[str, Any]) -> str:
    """Return in words how the choices or columns of a field differ between the tenants; an empty text when they do not."""
    parts: list[str] = []
    for word, mine, theirs in (
        ("choices", choices_of(here), choices_of(there)),
        ("columns", columns_shown(here), columns_shown(there)),
    ):
        for place, names in (("here", mine - theirs), ("there", theirs - mine)):
            if names:
                parts.append(f"{word} only {place}: {some(sorted(names))}")
    return "; ".join(parts)


def choices_of(incident_field: dict[str, Any]) -> set[str]:
    """Return what can be chosen in a field."""
    return {value for value in texts(incident_field.get("selectValues")) if value}


def columns_shown(incident_field: dict[str, Any]) -> set[str]:
    """Return the columns of a grid, each with its type."""
    return {f"{key} ({type_of(column)})" for key, column in columns_of(incident_field).items()}


def some(names: list[str]) -> str:
    """Return names as a text, at most thirty of them."""
    rest = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    return ", ".join(short(name, 80) for name in names[:MOST_SHOWN]) + rest


def parse_choice(args: dict[str, Any], here: list[dict[str, Any]], there: list[dict[str, Any]]) -> Choice:
    """Return what the arguments of xsoar-mirror-mappers choose. Raises ValueError for what neither tenant has."""
    missing = str(args.get("missing") or REPORT).strip().lower()
    if missing not in (REPORT, EXPORT, IGNORE):
        raise ValueError(f"missing is {short(missing, 80)!r}: choose one of {REPORT}, {EXPORT}, {IGNORE}.")
    known = {*custom_by_name(here), *custom_by_name(there)}
    named: dict[str, frozenset[str]] = {}
    for argument in ("include", "exclude"):
        named[argument] = frozenset(name.lower() for name in listed(args.get(argument)))
        if unknown := sorted(named[argument] - known):
            raise ValueError(
                f"{argument} names {short(unknown[0], 80)!r}, which is the CLI name of no custom field in either tenant: give "
                "CLI names as the page of the incident fields shows them, such as sourceip."
            )
    types, types_here = frozenset(listed(args.get("types"))), types_among(here)
    if strange := sorted(types - types_here):
        raise ValueError(
            f"types names {short(strange[0], 80)!r}, an incident type that no field of this tenant belongs to: choose from "
            f"{some(sorted(types_here)) or 'none'}; the fields of all types are mapped in any case."
        )
    return Choice(types, named["include"], named["exclude"], missing)


def export_advice() -> str:
    """Return what a person does to give this command the incident fields of this tenant."""
    address = str(demisto.demistoUrls().get("server") or "").rstrip("/")
    route = "/xsoar/incidentfields" if is_demisto_version_ge("8.0.0") else "/incidentfields"
    return (
        "run the script XSOARMirroringMappers, which asks through the Core REST API integration, or open "
        f"{address}{route} in a browser that is logged in, save it as a file, add that to this War Room and give its entry ID as "
        "local_fields"
    )


def local_incident_fields(given: Any) -> list[dict[str, Any]]:
    """Return the incident fields of this tenant: those that are given, else what its own server answers.

    Args:
        given: the ID of an entry with a file that holds them as JSON, or the JSON itself; empty for none. It is what
            /incidentfields answers, an export of the page of the fields, or what Core REST API makes of either.

    Raises:
        ValueError: they cannot be had; the message says what to do.
    """
    if given in (None, ""):
        fields = fields_of_own_server()
        if not fields:
            raise ValueError(f"This server does not tell its incident fields to an integration: {export_advice()}.")
        return fields
    value = given
    if isinstance(given, str):
        text = given.strip()
        try:
            value = decoded(text.encode() if text[:1] in ("[", "{") else content_of_entry(text))
        except ValueError:
            value = None
    if not (fields := fields_within(value)):
        raise ValueError(f"local_fields holds no incident fields as JSON: {export_advice()}.")
    return fields


def fields_of_own_server() -> list[dict[str, Any]]:
    """Return the incident fields of this tenant as its own server answers; none where the platform does not let us ask."""
    try:
        answer = demisto.internalHttpRequest("GET", "/incidentfields")
        if answer.get("statusCode") != 200:
            return []
        return incident_fields_among(decoded(str(answer.get("body")).encode()))
    except Exception as error:  # Where it is missing or not allowed, versions differ in what they raise.
        demisto.debug(f"{BRAND}: xsoar-mirror-mappers: the own server does not answer: {type(error).__name__}.")
        return []


def content_of_entry(entry_id: str) -> bytes:
    """Return the file of a local entry. Raises ValueError when there is none, or it is too large to be a list of fields."""
    try:
        path = Path(demisto.getFilePath(entry_id)["path"])
        is_small = path.stat().st_size <= LARGEST_ANSWER
        content = path.read_bytes() if is_small else b""
    except Exception:  # Versions differ in what they raise.
        raise ValueError(
            f"local_fields is {short(entry_id, 80)!r}, the ID of no entry with a file in this War Room: give one such as 12@34."
        )
    return content


def fields_within(value: Any) -> list[dict[str, Any]]:
    """Return the incident fields in a list, in an export, or in an answer of Core REST API; one field may stand alone."""
    for key in ("response", "incidentFields"):
        if isinstance(value, dict) and key in value:
            value = value[key]
    return incident_fields_among([value] if isinstance(value, dict) else value)


def fields_without_rule(remote_fields: list[dict[str, Any]], rules: Rules) -> list[str]:
    """Return the CLI names of the remote's custom fields that could be mirrored and that have no rule, as far as is known."""
    names = {name for name, item in custom_by_name(remote_fields).items() if may_have_rule(item)}
    return sorted(names - ruled_names(rules) - rules.left_out)


def ruled_names(rules: Rules) -> frozenset[str]:
    """Return the custom fields that have a rule: by the mappers exported last; by those of this pack, where none was."""
    return rules.mapped if rules.exported_ms else COMMON_FIELDS


def missing_rules(client: Client, settings: Settings, rules: Rules) -> list[str] | None:
    """Return the remote's custom fields without a rule; None where nothing is mirrored, or the key may not read the fields."""
    if not settings.direction:
        return None
    try:
        return fields_without_rule(client.incident_fields(), rules)
    except RemoteError as error:
        demisto.info(f"{BRAND}: whether custom fields have no rule cannot be told: {error}")
        return None


def missing_rules_told(names: list[str]) -> str:
    """Return the sentence on custom fields that have no rule."""
    count = "1 remote custom field has" if len(names) == 1 else f"{len(names)} remote custom fields have"
    return (
        f"{count} no rule here: run xsoar-mirror-mappers and import what it gives, or exclude there what is not to cross "
        f"({some(names)})."
    )


def mirror_mappers_command(client: Client, settings: Settings, args: dict[str, Any]) -> list[dict[str, Any]]:
    """Return mappers for the custom fields of both tenants, ready to be imported, and what became of each field."""
    here, there = local_incident_fields(args.get("local_fields")), client.incident_fields()
    choice = parse_choice(args, here, there)
    pairs, types_here = paired_fields(here, there, choice), types_among(here)
    names = {fate: [pair.cli_name for pair in pairs if pair.fate == fate] for fate in FATES}
    uneven = {pair.cli_name: told for pair in pairs if pair.fate == MAPPED and (told := difference(pair.here, pair.there))}
    # As file names of a pack are: what is no letter or number is an underscore.
    word = re.sub(r"\W+", "_", f"{BRAND} {settings.instance}").strip("_")[:100]
    files = {
        f"classifier-{described['type'].replace('mapping', 'mapper')}-{word}.json": described
        for described in both_mappers(settings.instance, pairs, types_here, choice)
    }
    exported = [exported_field(pair.there, types_here) for pair in pairs if pair.fate == EXPORTED]
    if exported:
        files[f"incidentfields-{word}.json"] = {"incidentFields": exported}
    settled = [EXCLUDED, NEVER_MIRRORED, *([ONLY_THERE] if choice.missing == IGNORE else [])]
    rules = Rules(
        mapped=frozenset(names[MAPPED] + names[EXPORTED]),
        left_out=frozenset(name for fate in settled for name in names[fate]) & {*custom_by_name(there)},
        exported_ms=local_now_ms(),
    )
    change_memory(lambda memory: replace(memory, rules=rules))
    outputs = {
        "Instance": settings.instance,
        "IncomingMapper": mapper_name("Incoming", settings.instance),
        "OutgoingMapper": mapper_name("Outgoing", settings.instance),
        "Files": list(files),
        **{fate: len(found) for fate, found in names.items()},
        "ChoicesDiffer": len(uneven),
        **{f"{fate}Fields": found[:MOST_LISTED] for fate, found in names.items()},
        "ChoicesDifferFields": list(uneven)[:MOST_LISTED],
    }
    result = CommandResults(
        outputs_prefix="XSOAR.Mirror.Mappers",
        outputs_key_field="Instance",
        outputs=outputs,
        readable_output=mappers_shown(settings.instance, pairs, uneven, bool(exported)),
    )
    contents = {name: json.dumps(content, indent=4) + "\n" for name, content in files.items()}
    return [result.to_context(), *(fileResult(name, text, EntryType.ENTRY_INFO_FILE) for name, text in contents.items())]


def mappers_shown(instance: str, pairs: list[Pair], uneven: dict[str, str], has_fields: bool) -> str:
    """Return what xsoar-mirror-mappers shows: what became of each field, what differs, and what to do next."""
    found = {fate: [pair for pair in pairs if pair.fate == fate] for fate in FATES}
    rows = [
        {"custom fields": FATES[fate], "count": len(fields), "CLI names": some([pair.cli_name for pair in fields])}
        for fate, fields in found.items()
        if fields or fate == MAPPED
    ]
    shown = tableToMarkdown(f"Mappers of {instance}", rows_shown(rows), headers=["custom fields", "count", "CLI names"])
    types = [{"field": pair.cli_name, "here": type_of(pair.here), "there": type_of(pair.there)} for pair in found[TYPE_DIFFERS]]
    if types:
        shown += "\n" + tableToMarkdown("The types differ", rows_shown(types[:MOST_SHOWN]), headers=["field", "here", "there"])
    if uneven:
        differing = [{"field": name, "difference": told} for name, told in list(uneven.items())[:MOST_SHOWN]]
        title = "Mapped, although choices or columns differ"
        shown += "\n" + tableToMarkdown(title, rows_shown(differing), headers=["field", "difference"])
    steps = [
        *(["Import incidentfields-….json on the page of the incident fields."] if has_fields else []),
        "Import both classifier-mapper-….json on the page Classification & Mapping.",
        f"Choose them in the instance {instance} as Mapper (incoming) and Mapper (outgoing).",
    ]
    return shown + "\n" + "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))


""" WAR ROOM COMMANDS: CHECK """

# What an answer of xsoar-mirror-check means: all is well; something does not cross, or is not known; mirroring cannot work so.
OK, WARN, STOP = "ok", "warn", "stop"
SCRATCH_NAME = "Scratch incident of xsoar-mirror-check: it may be closed and deleted"
SCRATCH_TAG = "xsoar-mirror-check"
CHECK_SAMPLE = 20  # Incidents that changed last, among which an incident, a War Room, a file are looked for.
CHECK_ROOMS = 5  # War Rooms that are looked into for one with enough entries.
CHECK_ENTRIES = 10  # Entries of a War Room that are looked at.
CHECK_FILE = 1 << 20  # Bytes: no larger file is downloaded for a check.
CHECK_PAGES = 20  # Pages of the first fetch that are counted.
MANY_AT_FIRST = 1000  # Incidents of a first fetch, above which it is worth a thought.
CHECK_SKEW_MS = MINUTE_MS  # So far clocks may be apart.
INDEX_PAUSES = (1, 2, 3, 4, 5)  # Seconds before each look for a new incident: a search index takes some ten.
QUOTA_SECONDS = 60  # How long a limit of calls is taken to hold.
POSITIONS = {"lastId": "back from an entry", "firstID": "on from an entry"}


@dataclass(frozen=True)
class Finding:
    """What came of one question of xsoar-mirror-check.

    found, remedy: without names, IDs or contents of either tenant, so that a report may hold them.
    names: what only the operator sees: names of types, fields and reasons, and what the remote said.
    """

    verdict: str
    found: str
    remedy: str = ""
    names: str = ""
    question: str = ""


@dataclass
class Inspection:
    """What one run of xsoar-mirror-check has learned so far.

    changed: remote incidents that changed last, the newest first.
    rooms: War Rooms by the ID of the investigation: what a page of CHECK_ENTRIES entries of it keeps, the oldest first.
    fields: the remote's incident fields; None: they could not be read.
    origin: what the scratch incident carries as its dbotMirrorId; empty: none was asked for.
    scratch_id: the scratch incident; empty: there is none, or it is not known.
    moves: by what was written into the scratch incident, whether it moved `modified`.
    has_ended: nothing more is to be asked.
    """

    client: Client
    settings: Settings
    pause: Callable[[float], None]
    changed: list[dict[str, Any]] = field(default_factory=list)
    rooms: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    fields: list[dict[str, Any]] | None = None
    origin: str = ""
    scratch_id: str = ""
    moves: dict[str, bool] = field(default_factory=dict)
    has_ended: bool = False


@dataclass(frozen=True)
class Question:
    """A question of xsoar-mirror-check.

    if_refused: the verdict where the remote refuses to answer it.
    is_basic: where this stops, nothing else is asked.
    """

    name: str
    ask: Callable[[Inspection], Finding]
    if_refused: str = WARN
    is_basic: bool = False


def not_known(why: str, remedy: str = "") -> Finding:
    """Return the finding for a question that nothing there could answer."""
    return Finding(WARN, f"not known: {why}", remedy)


def unanswered(question: Question, error: RemoteError) -> Finding:
    """Return the finding for a question whose call failed."""
    status = f" ({error.status})" if error.status else ""
    remedy = "give the role of the API key that permission" if error.kind == FORBIDDEN else "see what the remote said"
    verdict = WARN if error.kind == BUSY and not question.is_basic else question.if_refused
    return Finding(verdict, f"not answered: {error.kind}{status}", remedy, str(error))


def judge_version(about: dict[str, Any]) -> Finding:
    """Judge what the remote says that it is."""
    version = word_of(about.get("demistoVersion"), r"[0-9.]{0,20}")
    mode = word_of(about.get("productMode"), r"[A-Za-z0-9_]{0,20}")
    if mode.lower() not in ("", "xsoar"):
        return Finding(
            STOP, f"the product is {mode}, not Cortex XSOAR", "enter the address of an XSOAR tenant as XSOAR Server URL"
        )
    told = f"product mode {mode}" if mode else "no product mode is told, as on 6.x"
    if not re.match(r"[68]\.", version):
        return Finding(WARN, f"version {version or 'not told'}; {told}", "this pack knows the versions 6 and 8: test with care")
    return Finding(OK, f"version {version}; {told}")


def word_of(value: Any, form: str) -> str:
    """Return a version or a mode that the remote tells, as a report may hold it: what has not its form is not shown."""
    text = str(value or "")
    return text if re.fullmatch(form, text) else "of an unknown form"


def judge_first_fetch(types: list[str], is_whole: bool, max_fetch: int) -> Finding:
    """Judge how many incidents a first fetch would bring, given the type of each."""
    by_type = {name: types.count(name) for name in dict.fromkeys(types)}
    names = ", ".join(f"{name or 'no type'}: {number}" for name, number in sorted(by_type.items(), key=lambda item: -item[1]))
    if not types:
        return Finding(WARN, "a first fetch would bring no incidents", "check First fetch time and the query, if you expect some")
    count = f"{'' if is_whole else 'more than '}{len(types)}"
    found = f"a first fetch would bring incidents: {count}; their types: {len(by_type)}; fetches: {-(-len(types) // max_fetch)}"
    if is_whole and len(types) <= MANY_AT_FIRST:
        return Finding(OK, found, names=names)
    return Finding(WARN, found, "narrow First fetch time or the query, unless you want them all", names)


def judge_custom_fields(local: list[dict[str, Any]] | None, remote: list[dict[str, Any]] | None) -> Finding:
    """Judge which custom fields of the remote this tenant has, and of which type; None: they could not be read."""
    if remote is None:
        return not_known("the remote's incident fields could not be read", "let the key's role read the incident fields")
    # As xsoar-mirror-mappers tells them apart.
    pairs = paired_fields(local or [], remote, Choice())
    fates = {fate: [pair.cli_name for pair in pairs if pair.fate == fate] for fate in (MAPPED, ONLY_THERE, TYPE_DIFFERS)}
    wanted, missing, other = sum(map(len, fates.values())), fates[ONLY_THERE], fates[TYPE_DIFFERS]
    if local is None:
        return Finding(WARN, f"remote custom fields: {wanted}; which are here is not known", "run xsoar-mirror-mappers")
    found = f"remote custom fields: {wanted}; missing here: {len(missing)}; of another type here: {len(other)}"
    if not missing and not other:
        return Finding(OK, found)
    parts = (("missing", missing), ("other type", other))
    names = "; ".join(f"{title}: {', '.join(group)}" for title, group in parts if group)
    return Finding(WARN, found, "run xsoar-mirror-mappers, and add the fields that you need", names)


def judge_close_reasons(local: list[dict[str, Any]] | None, remote: list[dict[str, Any]] | None) -> Finding:
    """Judge whether the remote offers the close reasons that this tenant has; None: the fields could not be read."""
    if remote is None:
        return not_known("the remote's incident fields could not be read", "let the key's role read the incident fields")
    offered = offered_reasons(remote)
    if not offered:
        return Finding(OK, "the remote lists none (null): a close reason crosses as it is")
    unknown = [reason for reason in offered_reasons(local or []) if reason not in offered]
    found = f"reasons that the remote lists: {len(offered)}"
    if unknown:
        return Finding(
            WARN,
            f"{found}; of those here it lacks: {len(unknown)}",
            "add them there; until then they cross as Other, with the reason in the close notes",
            ", ".join(unknown),
        )
    return Finding(
        OK, f"{found}; {'it has all of those here' if local else 'those here are not known'}", names=", ".join(offered)
    )


def judge_tags(settings: Settings, rooms: int, tagged: int) -> Finding:
    """Judge whether the instance has the tags that its direction needs, and whether entries there carry them.

    Args:
        rooms: how many War Rooms were looked into.
        tagged: how many of them have an entry that would come in.
    """
    comes_in, goes_out = settings.comes_in, settings.direction in ("Out", "Both")
    incoming = f"incoming entry tags: {len(settings.tags) or 'none'}"
    outgoing = f"outgoing entry tags: {len(settings.mirror_tags) or 'none'}"
    lacking = [
        *(["set Incoming Entry tags, or no entry comes in"] if comes_in and not settings.tags else []),
        *(["set Entry Categories, or no entry comes in"] if comes_in and not settings.categories else []),
        *(["set Outgoing Entry Tags, or no entry goes out"] if goes_out and not settings.mirror_tags else []),
    ]
    found = f"{incoming}; {outgoing}"
    if comes_in and takes_entries(settings):
        found += f"; War Rooms with an entry that would come in: {tagged} of {rooms}"
        if not tagged:
            lacking.append("unless nothing there is tagged yet, compare the incoming tags letter by letter with those there")
    return Finding(WARN if lacking else OK, found, "; ".join(lacking))


def judge_untested(direction: str) -> Finding:
    """Judge that the rights to write were not tested."""
    needed = direction in ("Out", "Both")
    found = "not tested" if needed else "not tested; by its direction the instance sends nothing"
    return Finding(WARN if needed else OK, found, "write=true tests them in an incident of its own")


def judge_clocks(here_ms: int, date_ms: int, newest_ms: int) -> Finding:
    """Judge the clocks: ours, the header Date (0: there is none), and the newest `modified` (0: there is none)."""
    if not date_ms:
        return Finding(WARN, "the remote does not tell its clock: no usable header Date", "keep both clocks right by NTP")
    skew_ms = date_ms - here_ms
    found = f"the remote's header Date is {apart(skew_ms)} the clock here"
    if newest_ms - date_ms > CHECK_SKEW_MS:
        return Finding(
            WARN,
            f"{found}, and {apart(date_ms - newest_ms)} the newest change there: it is not the clock of the server",
            "have the gateway's or the server's clock corrected",
        )
    if abs(skew_ms) > CHECK_SKEW_MS:
        return Finding(WARN, found, "correct the clock that is wrong; an advanced key needs both right")
    return Finding(OK, found)


def apart(skew_ms: int) -> str:
    """Return how far a clock is from another, in words."""
    # The header Date tells whole seconds, some time before they are read.
    if abs(skew_ms) <= 2000:
        return "within two seconds of"
    size = f"{round(abs(skew_ms) / MINUTE_MS)} min" if abs(skew_ms) >= MINUTE_MS else f"{round(abs(skew_ms) / 1000)} s"
    return f"about {size} {'ahead of' if skew_ms > 0 else 'behind'}"


def judge_sort_keys(ascending: list[dict[str, Any]] | None, descending: list[dict[str, Any]]) -> Finding:
    """Judge two searches by severity and then created, up and down; None: the remote refuses two keys."""
    if ascending is None:
        return Finding(OK, "two sort keys are refused, so one is used")
    orders = [[str(incident["id"]) for incident in found] for found in (ascending, descending)]
    firsts = [{(item.get("severity"), item.get("created")) for item in found} for found in (ascending, descending)]
    if orders[0] != orders[1]:
        return Finding(OK, "all sort keys count")
    if max(len(pairs) - len({severity for severity, _ in pairs}) for pairs in firsts) < 1:
        return not_known("no two incidents have the same severity")
    return Finding(OK, "only the first sort key counts")


def judge_empty(answer: dict[str, Any]) -> Finding:
    """Judge how a search answers that finds nothing."""
    if answer.get("data"):
        return Finding(WARN, "a search that must find nothing finds something", "tell the maintainers")
    return Finding(OK, "an empty answer is " + ("a list" if isinstance(answer.get("data"), list) else "null"))


def judge_total(total: Any, page: int, counted: int, is_whole: bool) -> Finding:
    """Judge the `total` of a search's first page of `page` incidents, against the incidents counted page by page."""
    if total == counted and is_whole and counted > page:
        return Finding(OK, "total is right")
    if is_whole and counted <= page:
        return not_known("all incidents fit on one page")
    if isinstance(total, int) and total >= counted and not is_whole:
        return Finding(OK, f"total is at least the {counted} that were counted")
    kind = "zero" if total == 0 else "the size of the page" if total == page else "wrong"
    return Finding(OK, f"total is {kind}; it is used for nothing")


def judge_bounds(words: dict[str, str]) -> Finding:
    """Judge what becomes of bounds on a time, by name. See `bound_word`."""
    found = "; ".join(f"{name} {word}" for name, word in words.items())
    if {REFUSED, LOST} & {*words.values()}:
        return Finding(STOP, found, "tell the maintainers: incidents or changes would be missed")
    if all(word in (IGNORED, UNSEEN) for word in words.values()) and IGNORED in words.values():
        return Finding(WARN, f"{found}; times are checked here again, at the price of calls", "tell the maintainers")
    if all(word == UNSEEN for word in words.values()):
        return not_known("no two incidents have times that differ")
    return Finding(OK, found)


# What becomes of a bound on a time.
HOLDS, TO_NEXT, TO_SECOND = "holds", "holds, but not for that very millisecond", "holds to the second"
IGNORED, REFUSED, LOST, UNSEEN = "is ignored", "is refused", "finds nothing", "is not known"


def judge_modified_route(answers_by_method: dict[str, Any]) -> Finding:
    """Judge what the route incidents/modified answers, by method: its JSON, or the error that it gives."""

    def kind(answer: Any) -> str:
        if isinstance(answer, RemoteError):
            return f"is not there ({answer.status})"
        shape = {list: f"a list of {len(answer or ())}", dict: "an object", type(None): "nothing"}.get(
            type(answer), "something else"
        )
        return f"answers with {shape}"

    found = "; ".join(f"{method} {kind(answer)}" for method, answer in answers_by_method.items())
    return Finding(OK, f"incidents/modified: {found}; it is not used")


def judge_page_end(entries: list[dict[str, Any]], page: list[dict[str, Any]]) -> Finding:
    """Judge which entries a page of two keeps, out of a War Room's entries (the oldest first)."""
    kept = {str(entry["id"]) for entry in page}
    ids = [str(entry["id"]) for entry in entries]
    if len(kept) != 2:
        return Finding(OK, f"pageSize 2 gives {len(kept)} entries")
    if kept == set(ids[-2:]):
        return Finding(OK, "a page keeps the newest entries")
    return Finding(OK, "a page keeps the oldest entries" if kept == set(ids[:2]) else "a page keeps neither end of the entries")


def judge_position(name: str, edge: dict[str, Any], page: list[dict[str, Any]] | None) -> Finding:
    """Judge a page of two from an entry on: back from the oldest (`lastId`), on from the newest (`firstID`); None: refused."""
    if page is None:
        return Finding(OK, f"{name} is refused; War Rooms are read whole where they need it")
    at = created_order(edge, 0)
    beyond = [entry for entry in page if (created_order(entry, 0) > at) == (name == "lastId") and entry["id"] != edge["id"]]
    if beyond:
        return Finding(OK, f"{name} is ignored; War Rooms of more than {ENTRY_PAGE} tagged entries may not come whole")
    inclusive = any(entry["id"] == edge["id"] for entry in page)
    return Finding(OK, f"{name} works, and {'includes' if inclusive else 'leaves out'} the entry that it names")


def judge_tag_filter(
    tag: str, both: list[dict[str, Any]], by_category: list[dict[str, Any]], as_category: list[dict[str, Any]]
) -> Finding:
    """Judge the entries that come by a tag and all categories, by these alone, and by a tag and the category `tags`."""

    def carries(entry: dict[str, Any]) -> bool:
        return tag in texts(entry.get("tags"))

    if all(carries(entry) for entry in by_category):
        return not_known("no War Room was seen with a tagged and an untagged entry")
    if all(carries(entry) for entry in both):
        return Finding(OK, "tags and categories combine")
    if as_category and all(carries(entry) for entry in as_category):
        return Finding(OK, "tags count only as a category; entries are checked here again")
    return Finding(OK, "tags are ignored beside categories; entries are checked here again")


def judge_from_time(entry_id: str, found: list[str]) -> Finding:
    """Judge which entries come from a time on that lies between an entry's `created` and its `modified`."""
    return Finding(OK, f"fromTime compares {'modified' if entry_id in found else 'created'}; mirroring does not use it")


def judge_created(status: int, body: Any) -> Finding:
    """Judge the answer to the creation of an incident."""
    if status == 200 and body is None:
        return Finding(
            STOP, "the new incident was dropped (200, empty)", "exempt this integration from the remote's pre-processing rules"
        )
    told = "empty" if body is None else "the incident" if isinstance(body, dict) and is_id(body.get("id")) else "no id"
    return Finding(
        OK, f"created ({status}); the answer holds {told}" if body is not None else f"created ({status}); empty answer"
    )


def judge_brand_without_label(incident: dict[str, Any]) -> Finding:
    """Judge what became of the brand of an incident that was created without a label. Mirroring sends the label."""
    is_kept = incident.get("sourceBrand") == BRAND
    return Finding(OK, "a brand is kept without a label" if is_kept else "a brand is kept only beside a label Instance")


def judge_page_size(first: int, second: int) -> Finding:
    """Judge how many incidents two pages hold that were asked for one more than 1,000."""
    if first > SEARCH_PAGE_LIMIT:
        return Finding(OK, "a page of more than 1,000 incidents is heard")
    if second:
        return Finding(OK, f"a page is cut to {first}")
    return not_known("there are no more than 1,000 incidents")


def judge_brand(incident: dict[str, Any], instance: str, origin: str) -> Finding:
    """Judge what the remote kept of where a new incident comes from."""
    labels = [(item.get("type"), item.get("value")) for item in objects(incident.get("labels"))]
    kept = {
        "sourceBrand": incident.get("sourceBrand") == BRAND,
        "sourceInstance": incident.get("sourceInstance") == instance,
        "label Instance": ("Instance", instance) in labels,
        "label Brand": ("Brand", BRAND) in labels,
        "dbotMirrorId": incident.get("dbotMirrorId") == origin,
    }
    lost = [name for name, is_kept in kept.items() if not is_kept]
    found = (
        f"kept: {', '.join(name for name, is_kept in kept.items() if is_kept) or 'nothing'}; lost: {', '.join(lost) or 'nothing'}"
    )
    if "dbotMirrorId" in lost:
        return Finding(STOP, found, "tell the maintainers: incidents created from here would be fetched back")
    if "sourceBrand" in lost:
        return Finding(WARN, found, "other tenants that fetch from the remote fetch these incidents too: exclude them by query")
    return Finding(OK, found)


def after(waited: float) -> str:
    """Return in words how long something took."""
    return f"after {waited:g} s" if waited else "at once"


def judge_search_by_origin(waited: float | None) -> Finding:
    """Judge after how many seconds a search by dbotMirrorId found the new incident; None: it did not."""
    if waited is not None:
        return Finding(OK, f"a search by dbotMirrorId finds the new incident {after(waited)}")
    return Finding(
        WARN, "a search by dbotMirrorId does not find the new incident", "tell the maintainers: a lost answer doubles it"
    )


def judge_move(what: str, is_moved: bool) -> Finding:
    """Judge whether something that was written into a War Room moved its incident's `modified`."""
    if is_moved:
        return Finding(OK, f"{what} moves modified")
    return Finding(OK, f"{what} does not move modified; more War Rooms are looked into each round")


def all_move(moves: dict[str, bool]) -> bool | None:
    """Return whether entries move `modified`, by what was tried; None: not all of it could be. One that does not is enough."""
    if not all(moves.values()):
        return False
    return True if {"note", "file"} <= moves.keys() else None


def judge_formatted(status: int) -> Finding:
    """Judge the route /entry/formatted by the status that it answers with; 0: it wrote the entry."""
    if status:
        return Finding(OK, f"/entry/formatted is closed to keys ({status}); chats go by /entry, as text or Markdown")
    return Finding(OK, "/entry/formatted is open")


def judge_server_clock(created_ms: int, date_ms: int) -> Finding:
    """Judge the header Date by when an incident was created that was created just now."""
    if not date_ms or not created_ms:
        return not_known("the remote does not tell its clock")
    if abs(date_ms - created_ms) > CHECK_SKEW_MS:
        return Finding(
            WARN,
            f"the header Date is {apart(date_ms - created_ms)} the server's clock",
            "have the clock of the gateway corrected, or First fetch time is off by as much",
        )
    return Finding(OK, f"the header Date is {apart(date_ms - created_ms)} the server's clock")


def judge_closing(waited: float | None) -> Finding:
    """Judge after how many seconds a closing showed; None: it did not."""
    if waited is not None:
        return Finding(OK, f"a closing shows {after(waited)}")
    return Finding(WARN, "a closing does not show", "see whether the closing form there asks for more fields")


def judge_status_write(error: str, is_open: bool) -> Finding:
    """Judge what writing status 1 does to a closed incident; `error`: how it was refused, empty when it was not."""
    told = f"is refused ({error})" if error else "reopens it" if is_open else "changes nothing"
    return Finding(OK, f"writing status 1 into a closed incident {told}; it is not used")


def judge_reopening(waited: float | None) -> Finding:
    """Judge after how many seconds a reopening by reopenInvestigation showed; None: it did not."""
    if waited is not None:
        return Finding(OK, f"reopenInvestigation reopens {after(waited)}")
    return Finding(
        WARN, "reopenInvestigation does not reopen", "let the key's role run it; until then reopen incidents there by hand"
    )


def judge_cleanup(is_closed: bool | None, is_known: bool) -> Finding:
    """Judge whether the scratch incident is closed; None: that could not be seen."""
    if is_closed:
        return Finding(OK, "the scratch incident is closed")
    found = "the scratch incident is still open" if is_known else "whether a scratch incident was created is not known"
    return Finding(WARN, found, f'search the remote for "{SCRATCH_NAME}" and close it by hand')


def found_incidents(
    client: Client, query: str, sort: str, ascending: bool, size: int = CHECK_SAMPLE, **more: Any
) -> list[dict[str, Any]]:
    """Return one page of incidents, ordered by one key."""
    order = [{"field": sort, "asc": ascending}]
    return with_ids(client.answer_of_search({"query": query, "size": size, "page": 0, "sort": order, **more}).get("data"))


def refused_as_none(work: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """Return what a call returns; None where the remote refuses the request as such."""
    try:
        return work(*args, **named)
    except RemoteError as error:
        if error.kind != REJECTED:
            raise
        return None


def waited_until(
    pause: Callable[[float], None], is_so: Callable[[], bool], pauses: Iterable[float] = SAVE_PAUSES
) -> float | None:
    """Return after how many seconds of pauses something was so; None: it was not."""
    waited = 0.0
    for seconds in (0.0, *pauses):
        if seconds:
            pause(seconds)
        waited += seconds
        if is_so():
            return round(waited, 1)
    return None


def ask_version(inspection: Inspection) -> Finding:
    """Ask what the remote is; it shows that the key is good."""
    return judge_version(inspection.client.about())


def ask_search(inspection: Inspection) -> Finding:
    """Search the incidents that changed last."""
    inspection.changed = found_incidents(inspection.client, "", "modified", ascending=False)
    return Finding(OK, "yes")


def ask_load(inspection: Inspection) -> Finding:
    """Load an incident."""
    if not inspection.changed:
        return not_known("no incident was seen")
    inspection.client.load(str(inspection.changed[0]["id"]))
    return Finding(OK, "yes")


def ask_war_room(inspection: Inspection) -> Finding:
    """Look into War Rooms, until one has enough entries."""
    rooms = [str(item["investigationId"]) for item in inspection.changed if is_id(item.get("investigationId"))]
    for room in rooms[:CHECK_ROOMS]:
        inspection.rooms[room] = sorted(inspection.client.entries(room, {"pageSize": CHECK_ENTRIES}), key=created_order)
        if len(inspection.rooms[room]) == CHECK_ENTRIES:
            break
    return Finding(OK, "yes") if rooms else not_known("no incident with a War Room was seen")


def ask_download(inspection: Inspection) -> Finding:
    """Download a small file, if there is one."""
    entries = [entry for room in inspection.rooms.values() for entry in map(Entry.of, room) if entry.has_file]
    small = next((entry for entry in entries if (file_size(entry) or CHECK_FILE + 1) <= CHECK_FILE), None)
    if small is None:
        return not_known("no small file was seen in the War Rooms that changed last")
    with TemporaryDirectory() as folder:
        inspection.client.download(small.id, Path(folder) / "file", file_size(small))
    return Finding(OK, "yes")


def ask_fields(inspection: Inspection) -> Finding:
    """Read the remote's incident fields."""
    inspection.fields = inspection.client.incident_fields()
    return Finding(OK, "yes")


def ask_types(inspection: Inspection) -> Finding:
    """Read the remote's incident types."""
    inspection.client.incident_types()
    return Finding(OK, "yes")


def ask_first_fetch(inspection: Inspection) -> Finding:
    """Count what a first fetch with the settings of this instance would bring."""
    client, settings = inspection.client, inspection.settings
    try:
        start_ms = first_fetch_ms(settings, remote_now_ms(client))
    except ValueError as error:
        return Finding(STOP, "First fetch time cannot be used", "correct that parameter", str(error))
    query = combined_query(settings.query, settings.skip_own)

    def read_page(since_ms: int, page: int) -> tuple[list[dict[str, Any]], int]:
        return client.search(query, size=SEARCH_PAGE, page=page, from_ms=since_ms)

    here, types, portions = tenant_name(settings), [], 0
    for portion in islice(search_everything(client, read_page, SEARCH_PAGE, "created", start_ms), CHECK_PAGES):
        portions += 1
        types += [str(incident.get("type") or "") for incident in portion if not is_from_here(incident, here)]
    return judge_first_fetch(types, portions < CHECK_PAGES and not client.is_late(), settings.max_fetch)


def ask_tags(inspection: Inspection) -> Finding:
    """Look for entries that would come in."""
    settings = inspection.settings
    rooms = inspection.rooms if takes_entries(settings) and settings.comes_in else {}
    pages = [inspection.client.entries(room, {**tag_filter(settings), "pageSize": CHECK_ENTRIES}) for room in rooms]
    return judge_tags(settings, len(rooms), sum(bool(arriving(map(Entry.of, page), settings, EMPTY_RECORD)) for page in pages))


def ask_moves_seen(inspection: Inspection) -> Finding:
    """Look for an entry that is newer than its incident."""
    for incident in inspection.changed:
        entries = inspection.rooms.get(str(incident.get("investigationId")), [])
        newest_ms = max((Entry.of(entry).touched_ms for entry in entries), default=0)
        if newest_ms - parse_ms(incident.get("modified"), 0) <= MOVED_WITHIN_MS:
            continue
        # The entry may have come after the search.
        now = inspection.client.load(str(incident["id"]))
        if newest_ms - parse_ms(now.get("modified"), 0) > MOVED_WITHIN_MS:
            inspection.moves["seen"] = False
            return judge_move("an entry", False)
    return Finding(OK, "whether an entry moves modified is not known", "write=true tells")


def ask_clocks(inspection: Inspection) -> Finding:
    """Compare the clocks."""
    newest_ms = max((parse_ms(incident.get("modified"), 0) for incident in inspection.changed), default=0)
    return judge_clocks(local_now_ms(), inspection.client.remote_time_ms, newest_ms)


def ask_sort_keys(inspection: Inspection) -> Finding:
    """Search by two keys, the second one up and down."""

    def by(ascending: bool) -> list[dict[str, Any]] | None:
        order = [{"field": "severity", "asc": True}, {"field": "created", "asc": ascending}]
        asked = {"query": "", "size": CHECK_SAMPLE, "page": 0, "sort": order}
        answer = refused_as_none(inspection.client.answer_of_search, asked)
        return answer if answer is None else with_ids(answer.get("data"))

    ascending = by(True)
    return judge_sort_keys(ascending, [] if ascending is None else by(False) or [])


def ask_empty(inspection: Inspection) -> Finding:
    """Search what nobody has."""
    query = f'dbotMirrorId:"{secrets.token_hex(16)}@xsoar-mirror-check"'
    order = [{"field": "created", "asc": True}]
    return judge_empty(inspection.client.answer_of_search({"query": query, "size": 1, "page": 0, "sort": order}))


def ask_page_size(inspection: Inspection) -> Finding:
    """Ask for a page of more than 1,000 incidents, and for the next one where it is shorter."""

    def found(page: int) -> int:
        order = [{"field": "id", "asc": True}]
        asked = {"query": "", "size": SEARCH_PAGE_LIMIT + 1, "page": page, "sort": order}
        return len(with_ids(inspection.client.answer_of_search(asked).get("data")))

    first = found(0)
    return judge_page_size(first, found(1) if first <= SEARCH_PAGE_LIMIT else 0)


def ask_total(inspection: Inspection) -> Finding:
    """Count some pages of two incidents, and hear what the first says there are in all."""
    size, pages, total = 2, 4, None
    seen: set[str] = set()
    order = [{"field": "id", "asc": True}]
    for page in range(pages):
        answer = inspection.client.answer_of_search({"query": "", "size": size, "page": page, "sort": order})
        total = answer.get("total") if page == 0 else total
        found = with_ids(answer.get("data"))
        seen.update(str(incident["id"]) for incident in found)
        if len(found) < size:
            return judge_total(total, size, len(seen), is_whole=True)
    return judge_total(total, size, len(seen), is_whole=False)


def bound_word(inspection: Inspection, time_field: str, bound: Callable[[str], tuple[str, dict[str, Any]]]) -> str:
    """Return what becomes of a bound on a time beside a query that names two incidents which changed last.

    Args:
        bound: gives for a time the clause of the query, and what else the filter has.
    """
    dated = sorted((parse_ms(incident.get(time_field), 0), str(incident["id"])) for incident in inspection.changed)
    dated = [item for item in dated if item[0]]
    if len(dated) < 2 or dated[-1][0] <= dated[0][0] + 1000:
        return UNSEEN
    (_, older), (newer_ms, newer) = dated[0], dated[-1]
    for earlier_ms, word in ((0, HOLDS), (1, TO_NEXT), (1000, TO_SECOND)):
        clause, more = bound(iso(newer_ms - earlier_ms))
        query = f"(id:{quoted(older)} or id:{quoted(newer)}){clause}"
        found = refused_as_none(found_incidents, inspection.client, query, "created", True, **more)
        ids = [str(incident["id"]) for incident in found or ()]
        if found is None or older in ids:
            return REFUSED if found is None else IGNORED
        if newer in ids:
            return word
    return LOST


def ask_bounds(inspection: Inspection) -> Finding:
    """Search from a creation time on, by `fromDate` beside a query and by the query itself."""
    return judge_bounds(
        {
            "fromDate beside a query": bound_word(inspection, "created", lambda moment: ("", {"fromDate": moment})),
            "created:>= in it": bound_word(inspection, "created", lambda moment: (f' and created:>="{moment}"', {})),
        }
    )


def ask_modified(inspection: Inspection) -> Finding:
    """Search from a change on."""
    word = bound_word(inspection, "modified", lambda moment: (f' and modified:>="{moment}"', {}))
    return judge_bounds({"modified:>=": word})


def ask_modified_route(inspection: Inspection) -> Finding:
    """Ask the route that some servers have for incidents that changed."""

    def asked_by(method: str) -> Any:
        try:
            return inspection.client.modified_ids(method, local_now_ms() // 1000 - 3600)
        except RemoteError as error:
            if error.kind not in (NOT_API, NOT_FOUND, REJECTED):
                raise
            return error

    return judge_modified_route({method: asked_by(method) for method in ("GET", "POST")})


def fullest_room(inspection: Inspection, least: int) -> tuple[str, list[dict[str, Any]]]:
    """Return the War Room with the most entries seen, and those; an empty one when none has `least`."""
    room, entries = max(inspection.rooms.items(), key=lambda item: len(item[1]), default=("", []))
    return (room, entries) if len(entries) >= least else ("", [])


NO_ROOM = "no War Room with enough entries was seen"
WRITE_ROOM = "write=true asks in a War Room of its own"


def ask_page_end(inspection: Inspection) -> Finding:
    """Ask for a page of two entries."""
    room, entries = fullest_room(inspection, 3)
    if not room:
        return not_known(NO_ROOM, WRITE_ROOM)
    return judge_page_end(entries, inspection.client.entries(room, {"pageSize": 2}))


def ask_position(name: str, inspection: Inspection) -> Finding:
    """Ask for a page of two entries from one on."""
    room, entries = fullest_room(inspection, 3)
    if not room:
        return not_known(NO_ROOM, WRITE_ROOM)
    edge = entries[0] if name == "lastId" else entries[-1]
    page = refused_as_none(inspection.client.entries, room, {"pageSize": 2, name: edge["id"]})
    return judge_position(name, edge, page)


def ask_tag_filter(inspection: Inspection) -> Finding:
    """Ask for entries by a tag and by categories, where there is a tagged entry."""
    tagged = [(room, tag) for room, entries in inspection.rooms.items() for entry in entries for tag in texts(entry.get("tags"))]
    if not tagged:
        return not_known("no tagged entry was seen", WRITE_ROOM)
    room, tag = tagged[-1]

    def found(**asked: Any) -> list[dict[str, Any]]:
        return inspection.client.entries(room, {"pageSize": ENTRY_PAGE, **asked})

    categories = list(CATEGORIES)
    return judge_tag_filter(
        tag,
        found(categories=categories, tags=[tag]),
        found(categories=categories),
        found(categories=["tags"], tags=[tag]),
    )


def ask_from_time(inspection: Inspection) -> Finding:
    """Ask for entries from a time on that lies between the creation and the change of one."""
    for room, entries in inspection.rooms.items():
        for entry in entries:
            created_ms, modified_ms = parse_ms(entry.get("created"), 0), parse_ms(entry.get("modified"), 0)
            if created_ms and modified_ms > created_ms + 1:
                since = iso((created_ms + modified_ms + 1) // 2)
                found = inspection.client.entries(room, {"pageSize": ENTRY_PAGE, "fromTime": since})
                return judge_from_time(str(entry["id"]), [str(item["id"]) for item in found])
    return not_known("no entry was seen that was changed after it was written", WRITE_ROOM)


NOTHING_CREATED = (FORBIDDEN, REFUSED_KEY, REJECTED, NOT_FOUND, RATE_LIMIT)  # How a creation fails that was not carried out.


def find_scratch(inspection: Inspection) -> bool:
    """Look for the scratch incident by where it comes from; return whether it was found, and remember it."""
    found = found_incidents(inspection.client, f"dbotMirrorId:{quoted(inspection.origin)}", "created", ascending=False)
    ours = [str(incident["id"]) for incident in found if incident.get("dbotMirrorId") == inspection.origin]
    inspection.scratch_id = inspection.scratch_id or (ours[0] if ours else "")
    return bool(ours)


def scratch_incident(inspection: Inspection) -> dict[str, Any]:
    """Return the scratch incident as an incident of this tenant would be created."""
    data = {"name": SCRATCH_NAME, "details": "It was made to see how this tenant answers. Nobody has to look at it."}
    return new_remote_incident(data, frozenset(), inspection.origin, inspection.settings.instance)


def ask_to_create(inspection: Inspection) -> Finding:
    """Create the scratch incident."""
    inspection.origin = f"check-{secrets.token_hex(8)}@{tenant_name(inspection.settings)}"
    incident = scratch_incident(inspection)
    try:
        status, body = inspection.client.create_as_answered(incident)
    except RemoteError as error:
        if error.kind in NOTHING_CREATED:
            inspection.origin = ""
        raise
    if isinstance(body, dict) and is_id(body.get("id")):
        inspection.scratch_id = str(body["id"])
    finding = judge_created(status, body)
    inspection.origin = "" if finding.verdict == STOP else inspection.origin
    return finding


def ask_search_by_origin(inspection: Inspection) -> Finding:
    """Look for the scratch incident by its dbotMirrorId."""
    return judge_search_by_origin(waited_until(inspection.pause, lambda: find_scratch(inspection), INDEX_PAUSES))


def ask_brand(inspection: Inspection) -> Finding:
    """See what the remote kept of where the scratch incident comes from."""
    return judge_brand(inspection.client.load(inspection.scratch_id), inspection.settings.instance, inspection.origin)


def ask_brand_without_label(inspection: Inspection) -> Finding:
    """Create another scratch incident without labels, see what becomes of its brand, and close it."""
    bare = replace(inspection, origin=f"bare-{inspection.origin}", scratch_id="")
    _, body = bare.client.create_as_answered({**scratch_incident(bare), "labels": []})
    try:
        if isinstance(body, dict) and is_id(body.get("id")):
            bare.scratch_id = str(body["id"])
        else:
            waited_until(bare.pause, lambda: find_scratch(bare), INDEX_PAUSES)
        finding = judge_brand_without_label(bare.client.load(bare.scratch_id))
    finally:
        cleanup = cleaned_up(bare)
    return finding if cleanup.verdict == OK else cleanup


def ask_server_clock(inspection: Inspection) -> Finding:
    """Compare when the scratch incident was created with the header Date."""
    created_ms = parse_ms(inspection.client.load(inspection.scratch_id).get("created"), 0)
    return judge_server_clock(created_ms, inspection.client.remote_time_ms)


def ask_edit(inspection: Inspection) -> Finding:
    """Change a field of the scratch incident, as mirroring does: the whole incident is written."""
    remote = inspection.client.load(inspection.scratch_id)
    inspection.client.save(apply_delta(remote, {"details": "xsoar-mirror-check may edit this incident."}, {}))
    return Finding(OK, "yes")


def scratch_modified_ms(inspection: Inspection) -> int:
    """Return when the scratch incident changed last."""
    return parse_ms(inspection.client.load(inspection.scratch_id).get("modified"), 0)


def ask_move(what: str, write: Callable[[Inspection], Any], inspection: Inspection) -> Finding:
    """Write something into the scratch incident's War Room and see whether `modified` moves, at once or a little later."""
    seen_ms = [scratch_modified_ms(inspection)]

    def is_still() -> bool:
        seen_ms.append(scratch_modified_ms(inspection))
        return seen_ms[-1] == seen_ms[-2]

    # What the remote itself still does with a new incident, as its playbook, is not to be taken for a move.
    if waited_until(inspection.pause, is_still) is None:
        return not_known("the scratch incident is being changed all the time")
    write(inspection)
    inspection.moves[what] = waited_until(inspection.pause, lambda: scratch_modified_ms(inspection) > seen_ms[-1]) is not None
    return judge_move(f"a {what}", inspection.moves[what])


def write_note(inspection: Inspection) -> None:
    """Write a note into the scratch incident."""
    inspection.client.add_note(inspection.scratch_id, "A note of xsoar-mirror-check.", markdown=False)


def write_tag(inspection: Inspection) -> None:
    """Tag an entry of the scratch incident, which is written before it."""
    entries = sorted(inspection.client.entries(inspection.scratch_id, {"pageSize": CHECK_ENTRIES}), key=created_order)
    inspection.client.tag_entry(entries[-1], inspection.scratch_id, [SCRATCH_TAG])


def write_file(inspection: Inspection) -> None:
    """Add a file to the scratch incident."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_text("A file of xsoar-mirror-check.\n")
        inspection.client.upload(inspection.scratch_id, path, "xsoar-mirror-check.txt", "", note=False)


def ask_formatted(inspection: Inspection) -> Finding:
    """Write a formatted entry, and read what is in the War Room by now."""
    client, room = inspection.client, inspection.scratch_id
    status = 0
    try:
        client.add_formatted(room, "An entry of xsoar-mirror-check.", EntryFormat.TEXT)
    except RemoteError as error:
        if error.status not in (303, 404, 405):
            raise
        status = error.status
        client.add_chat(room, "An entry of xsoar-mirror-check.", markdown=False)
    inspection.rooms = {room: sorted(client.entries(room, {"pageSize": CHECK_ENTRIES}), key=created_order)}
    return judge_formatted(status)


def scratch_status_is(inspection: Inspection, status: int) -> bool:
    """Return whether the scratch incident has a status."""
    return inspection.client.load(inspection.scratch_id).get("status") == status


def close_scratch(inspection: Inspection) -> float | None:
    """Close the scratch incident; return after how many seconds that showed; None: it did not."""
    remote = inspection.client.load(inspection.scratch_id)
    if remote.get("status") != IncidentStatus.DONE:
        reason, _ = closing_words({}, offered_reasons(inspection.fields or []))
        version = whole(remote.get("version"), 0)
        inspection.client.close(inspection.scratch_id, version, reason, "The check is over.")
    return waited_until(inspection.pause, lambda: scratch_status_is(inspection, IncidentStatus.DONE))


def ask_closing(inspection: Inspection) -> Finding:
    """Close the scratch incident."""
    return judge_closing(close_scratch(inspection))


def ask_status_write(inspection: Inspection) -> Finding:
    """Write status 1 into the closed scratch incident."""
    remote = inspection.client.load(inspection.scratch_id)
    if remote.get("status") != IncidentStatus.DONE:
        return not_known("the scratch incident is not closed")
    try:
        inspection.client.save({**remote, "status": IncidentStatus.ACTIVE})
    except RemoteError as error:
        if error.kind not in (CLOSED, REJECTED, CONFLICT):
            raise
        return judge_status_write(error.kind, False)
    return judge_status_write("", not scratch_status_is(inspection, IncidentStatus.DONE))


def ask_reopening(inspection: Inspection) -> Finding:
    """Reopen the scratch incident by a command in the War Room of another open incident."""
    client = inspection.client
    if close_scratch(inspection) is None:
        return not_known("the scratch incident is not closed")
    others = found_incidents(client, "status:active", "created", ascending=False)
    rooms = [str(item.get("investigationId") or "") for item in others if str(item["id"]) != inspection.scratch_id]
    room = next(filter(None, rooms), "")
    if not room or not re.fullmatch(r"[\w-]+", inspection.scratch_id):
        return not_known("there is no other open incident in whose War Room the command could run", "try again when there is one")
    refused_as_none(client.run, room, f"!reopenInvestigation id={inspection.scratch_id}")
    return judge_reopening(waited_until(inspection.pause, lambda: not scratch_status_is(inspection, IncidentStatus.DONE)))


def cleaned_up(inspection: Inspection) -> Finding:
    """Close what was created, whatever happened before."""

    def clean_up() -> Finding:
        if not inspection.scratch_id:
            waited_until(inspection.pause, lambda: find_scratch(inspection), INDEX_PAUSES)
        is_closed = close_scratch(inspection) is not None if inspection.scratch_id else None
        return judge_cleanup(is_closed, bool(inspection.scratch_id))

    try:
        try:
            finding = clean_up()
        except RemoteError as error:
            if error.kind != RATE_LIMIT or inspection.client.is_late():
                raise
            inspection.pause(QUOTA_SECONDS)
            finding = clean_up()
    except Exception as error:  # Whatever it is, the operator must hear that something is left there.
        finding = replace(judge_cleanup(None, bool(inspection.scratch_id)), names=short(error))
    names = [finding.names, f"its ID is {inspection.scratch_id}" if inspection.scratch_id else ""]
    return replace(finding, names="; ".join(filter(None, names)), question="Scratch incident")


READING = (
    Question("Version", ask_version, STOP, is_basic=True),
    Question("Right to search incidents", ask_search, STOP),
    Question("Right to view incidents", ask_load, STOP),
    Question("Right to view War Rooms", ask_war_room, STOP),
    Question("Right to download files", ask_download),
    Question("Right to read incident fields", ask_fields),
    Question("Right to read incident types", ask_types),
    Question("First fetch", ask_first_fetch, STOP),
    Question("Custom fields", lambda inspection: judge_custom_fields(fields_of_own_server() or None, inspection.fields)),
    Question("Close reasons", lambda inspection: judge_close_reasons(fields_of_own_server() or None, inspection.fields)),
    Question("Entry tags", ask_tags),
    Question("Clocks", ask_clocks),
    Question("Sort keys", ask_sort_keys),
    Question("Empty answers", ask_empty),
    Question("Total", ask_total),
    Question("Page of a search", ask_page_size),
    Question("Time bound beside a query", ask_bounds),
    Question("Search by modified", ask_modified),
    Question("Route incidents/modified", ask_modified_route),
)
IN_WAR_ROOMS = (
    Question("Page of a War Room", ask_page_end),
    *(Question(f"War Room, {words}", functools.partial(ask_position, name)) for name, words in POSITIONS.items()),
    Question("Tags beside categories", ask_tag_filter),
    Question("fromTime of a War Room", ask_from_time),
)
NOT_TESTED = (
    Question("Entries and modified", ask_moves_seen),
    Question("Rights to write", lambda _: Finding(OK, "not tested", "write=true tests them in an incident of its own")),
)
CREATING = (
    Question("Creating", ask_to_create, STOP),
    Question("Search by dbotMirrorId", ask_search_by_origin),
)
WRITING = (
    Question("Brand and labels", ask_brand),
    Question("Brand without a label", ask_brand_without_label),
    Question("Clock of the server", ask_server_clock),
    Question("Right to edit incidents", ask_edit),
    Question("A note", functools.partial(ask_move, "note", write_note)),
    Question("A tag", functools.partial(ask_move, "tag", write_tag)),
    Question("A file", functools.partial(ask_move, "file", write_file)),
    Question("Formatted entries", ask_formatted),
)
ENDING = (
    Question("Closing", ask_closing),
    Question("Status of a closed incident", ask_status_write),
    Question("Reopening", ask_reopening),
)


def answers(inspection: Inspection, questions: Iterable[Question]) -> Iterator[Finding]:
    """Yield what came of each question. One that fails does not end the others; a limit of calls, or of time, does."""
    for question in questions:
        if inspection.has_ended:
            return
        if inspection.client.is_late():
            inspection.has_ended = True
            finding = Finding(
                WARN, "this run has lasted long enough: this and what follows is not asked", "run the command again"
            )
        else:
            finding = answer(inspection, question)
        yield replace(finding, question=question.name)


def answer(inspection: Inspection, question: Question) -> Finding:
    """Return what came of a question."""
    try:
        finding = question.ask(inspection)
    except RemoteError as error:
        finding = unanswered(question, error)
        if error.kind == RATE_LIMIT:
            inspection.has_ended = True
            finding = Finding(
                WARN, "the remote accepts no more calls for now (429): this and what follows is not asked", "run it again later"
            )
    except Exception as error:  # What no XSOAR answers must not end the other questions.
        finding = not_known(f"the answer is none that is understood ({type(error).__name__})", "tell the maintainers")
    inspection.has_ended = inspection.has_ended or (question.is_basic and finding.verdict == STOP)
    return finding


def written_answers(inspection: Inspection) -> Iterator[Finding]:
    """Yield what comes of the questions that need a scratch incident, which is closed at the end whatever happens."""
    yield from answers(inspection, CREATING)
    if inspection.scratch_id:
        yield from answers(inspection, (*WRITING, *IN_WAR_ROOMS, *ENDING))
    if inspection.origin:
        yield cleaned_up(inspection)


def report_of(findings: list[Finding]) -> str:
    """Return the findings as a text that an operator may give away: without names, IDs or contents of either tenant."""
    lines = [f"{item.verdict}\t{item.question}: {item.found}{f' -> {item.remedy}' if item.remedy else ''}" for item in findings]
    return "\n".join(["xsoar-mirror-check", *lines, ""])


def remember_moves(moves: bool | None) -> None:
    """Remember whether entries move their incident, if it was seen. That they do not stays, once an incident has shown it."""

    def remember(memory: Memory) -> Memory:
        return memory if moves is None or memory.entries_move is False else replace(memory, entries_move=moves)

    # What was found matters more than the note of it.
    with contextlib.suppress(DemistoException):
        change_memory(remember)


def mirror_check_command(client: Client, settings: Settings, args: dict[str, Any]) -> list[Any]:
    """Return how the remote and this instance fit together, a line for each question, and with `report` a file of it.

    It reads only, unless `write` is true: then it creates two scratch incidents in the remote and closes them.
    """
    writes, wants_report = (flag(args, name, name, False, "give true or false") for name in ("write", "report"))
    inspection = Inspection(client, settings, time.sleep)
    findings = list(answers(inspection, READING if writes else (*READING, *IN_WAR_ROOMS, *NOT_TESTED)))
    if writes and any(item.verdict == STOP for item in findings):
        findings.append(Finding(WARN, "not tried, since something stops", "solve that first", question=CREATING[0].name))
    elif writes and not inspection.has_ended:
        findings += written_answers(inspection)
    remember_moves(all_move(inspection.moves) if inspection.moves else None)
    worst = next((verdict for verdict in (STOP, WARN) if any(item.verdict == verdict for item in findings)), OK)
    columns = ["question", "verdict", "found", "remedy", "names"]
    rows = [{column: getattr(item, column) for column in columns} for item in findings]
    outputs = {
        "Instance": settings.instance,
        "Verdict": worst,
        "Wrote": bool(inspection.origin),
        "Findings": [{column.capitalize(): value for column, value in row.items()} for row in rows],
    }
    title = f"Check of {settings.instance}: {worst}"
    shown = CommandResults(
        outputs_prefix="XSOAR.Mirror.Check",
        outputs_key_field="Instance",
        outputs=outputs,
        readable_output=tableToMarkdown(
            title, rows_shown(rows), headers=columns, headerTransform=string_to_table_header, removeNull=True
        ),
    )
    report = [fileResult("xsoar-mirror-check.txt", report_of(findings))] if wants_report else []
    return [shown.to_context(), *report]


""" TEST """


def run_test(client: Client, settings: Settings) -> str:
    """Return `ok` when an instance with these settings would work. It reads only: no file, no context, no change there.

    Raises:
        RemoteError: it would not; the message says why and what to do.
    """
    try:
        about = client.about()
        ensure_is_xsoar(about, settings)
        start_ms = first_fetch_ms(settings, remote_now_ms(client))
        client.search(combined_query(settings.query, settings.skip_own), size=1, from_ms=start_ms)
        if without_rule := missing_rules(client, settings, read_store().memory.rules):
            # Test knows only ok and failures, and this is none: xsoar-mirror-status shows it.
            demisto.info(f"{BRAND}: {missing_rules_told(without_rule)}")
    except RemoteError as error:
        if error.status == 500 and not settings.key_id:
            # XSOAR REST API: an XSOAR 8 answers so where the address lacks the /xsoar that a key ID brings.
            raise RemoteError(NOT_API, f"{host_of(settings.api_root)} answers with an error (500): {CHECK_URL}")
        if error.kind in (REFUSED_KEY, FORBIDDEN) and settings.key_id and other_kind_works(settings):
            word = "standard key: clear" if settings.advanced_key else "advanced key: select"
            raise RemoteError(
                REFUSED_KEY, f"The API key is right, but it is a {word} the parameter The API key is an advanced key."
            )
        if error.kind == REJECTED and settings.query:
            raise RemoteError(REJECTED, f"{error} It is the parameter Fetch only incidents that match the query.")
        raise
    return "ok"


def ensure_is_xsoar(about: dict[str, Any], settings: Settings) -> None:
    """Raise RemoteError when the remote is another product on the same platform: its incidents are not those of XSOAR."""
    mode = str(about.get("productMode") or "xsoar")
    if mode.lower() != "xsoar":
        raise RemoteError(
            NOT_API,
            f"{host_of(settings.api_root)} is {short(mode, 40)}, not Cortex XSOAR: enter the address of an XSOAR tenant as XSOAR "
            "Server URL.",
        )


def other_kind_works(settings: Settings) -> bool:
    """Return whether the remote accepts the key as one of the other kind, standard or advanced."""
    try:
        Client(replace(settings, advanced_key=not settings.advanced_key)).about()
    except RemoteError:
        return False
    return True


""" MAIN """


def log(settings: Settings, line: str) -> None:
    """Write a line to the log: at info level in debug mode. Lines hold counts and ids, never texts or keys."""
    (demisto.info if settings.debug else demisto.debug)(f"{BRAND}: {line}")


def run_command(command: str, args: dict[str, Any], client: Client, settings: Settings) -> Any:
    """Run a command and return its result; None where it has given it to the server itself."""
    commands: dict[str, Callable[[], Any]] = {
        "test-module": lambda: run_test(client, settings),
        "fetch-incidents": lambda: fetch_incidents_command(client, settings),
        "get-modified-remote-data": lambda: get_modified_remote_data_command(client, settings, args),
        "get-remote-data": lambda: get_remote_data_command(client, settings, args),
        "update-remote-system": lambda: update_remote_system_command(client, settings, args),
        "get-mapping-fields": lambda: get_mapping_fields_command(client),
        "xsoar-search-incidents": lambda: search_incidents_command(client, args),
        "xsoar-get-incident": lambda: get_incident_command(client, args),
        "xsoar-mirror-status": lambda: mirror_status_command(client, settings, args),
        "xsoar-mirror-diff": lambda: mirror_diff_command(client, settings, args),
        "xsoar-mirror-resync": lambda: mirror_resync_command(client, settings, args),
        "xsoar-mirror-mappers": lambda: mirror_mappers_command(client, settings, args),
        "xsoar-mirror-check": lambda: mirror_check_command(client, settings, args),
    }
    if command not in commands:
        raise NotImplementedError(f"{BRAND} has no command {command}.")
    return commands[command]()


def main() -> None:
    """Run the command that the server asks for."""
    command = demisto.command()
    client: Client | None = None
    try:
        settings = parse_settings(demisto.params(), demisto.integrationInstance())
        client = Client(settings)
        result = run_command(command, demisto.args(), client, settings)
        # What get-remote-data has answered must not be lost by anything behind it: it notes the limit before.
        if client.limit and command in MIRRORING_COMMANDS - {"get-remote-data"}:
            with contextlib.suppress(DemistoException):
                note_limit()
        if result is not None:
            return_results(result)
    except NotImplementedError:
        # The platform takes it as: ask for every incident instead.
        raise
    except Exception as error:
        if command in MIRRORING_COMMANDS:
            # The failure itself matters more than the note of it.
            with contextlib.suppress(Exception):
                note_error(command, short(error))
                if client and client.limit:
                    note_limit()
        return_error(str(error), error)


if __name__ in ("__main__", "__builtin__", "builtins"):
    main()
