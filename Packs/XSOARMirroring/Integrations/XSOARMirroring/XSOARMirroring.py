import demistomock as demisto
from CommonServerPython import *
from CommonServerUserPython import *

"""Mirrors incidents between two Cortex XSOAR tenants.

Read from top to bottom: constants, basics, settings, incidents and entries, sharing, client, what the mirror remembers, cursor,
fetch, pull, push, schema, War Room commands (the mirror, mappers, check), Test, main. A pull and a push read, plan, execute and
record. Planning functions are pure and take plain data; `demisto` is touched only by the functions whose names end in _command,
by the few that keep state or files, and by main.

Times are integers: nanoseconds since 1970 where they order incidents or entries (`_ns`), milliseconds where they are stored or
sent (`_ms`), since an XSOAR 8 tenant has no finer time than that.
"""

import base64
import contextlib
import functools
import hashlib
import html
import io
import ipaddress
import math
import secrets
import string
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from itertools import accumulate, islice, pairwise, takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit

from requests.exceptions import InvalidHeader, InvalidURL, ProxyError, RequestException, SSLError, Timeout

""" CONSTANTS """

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS

BRAND = "XSOAR Mirroring"  # The sourceBrand of the incidents that this integration creates.
DIRECTIONS = {"None": "", "Incoming": "In", "Outgoing": "Out", "Incoming And Outgoing": "Both"}
FETCH_BY = ("Creation", "Also when an incident comes to match")
AS_CLOSING = "As closing"
NEWEST_WINS, REMOTE_WINS, LOCAL_WINS = CONFLICTS = ("Newest wins", "Remote wins", "Local wins")
CATEGORIES = ("notes", "chats", "attachments")
FIRST_PAGE, OLDER, NEWER, ALL_AT_ONCE = "first", "older", "newer", "all"  # How a War Room is read. See `war_room_pages`.
CUSTOM = "CustomFields."  # Prefix of a custom field's CLI name where top-level fields stand beside it.
DEFAULT_COLUMNS = ["id", "name", "type", "status", "severity", "owner", "occurred"]
MOST_WHOLE_INCIDENTS = 50  # For more, the context gets BRIEF_FIELDS only, as the platform's design guide asks.
BRIEF_FIELDS = (*DEFAULT_COLUMNS, "created", "modified", "closed", "closeReason", "phase", "sourceBrand", "sourceInstance")
ENTRY_COLUMNS = ["id", "created", "user", "category", "tags", "file", "contents"]
SHOWN_FIELDS = (*BRIEF_FIELDS, "details", "dueDate", "closeNotes", "playbookId", "investigationId")
MOST_RESULTS = 10_000
SEARCH_PAGE = 500
SEARCH_PAGE_LIMIT = 1000  # XSOAR REST API: a search returns at most 1,000 incidents a page.
ENTRY_PAGE = 1000
PAGE_SMALLEST = 50  # No tenant is known to cap pages below this, so a page that is shorter than this and its limit is the last.
RETRY_PAUSES = (0.5, 1.0)  # Seconds before the second and third attempt, plus up to 50 % jitter.
RETRY_BUDGET = 90.0  # Seconds that failed attempts may take in one run. Beyond it a failure is not retried.
RETRY_AFTER_LIMIT = 10.0  # Seconds. When the remote asks for a longer pause, the next round tries again.
LARGEST_ANSWER = 100 << 20  # Bytes, uncompressed.
LARGEST_FILE = 1 << 30  # Bytes. A larger file is replaced by a note with its name and a link.
SLOWEST_ANSWER_MS = 4 * MINUTE_MS  # The server ends a run after five minutes.
MOST_PAGES = 200  # Pages of one search per run; the next run reads on. A War Room with more is not read.
LONGEST_ID = 200  # Characters. No tenant is known to have longer IDs or times.
RUN_SECONDS = 150  # After this a run starts nothing that can wait for the next one: the server ends it after five minutes.
AT_ONCE = 8  # Reading calls in parallel.
SAVE_PAUSES = (0.2, 0.4, 0.8, 1.6)  # Seconds before saving again after a version conflict.
CONTEXT_TRIES = 5
SWEEP = 20  # War Rooms a round reads for new entries where these do not change their incident. Bounds the calls of a round.
SWEEP_TRUSTED = 3  # The same where entries are known to change their incident.
SWEEP_LIMITED = 4  # The same while the remote limits calls.
MOVED_WITHIN_MS = 100  # An incident modified this soon after its newest entry was modified by it.
LONGEST_PAUSE_MS = 24 * HOUR_MS
LIMITED_MS = 10 * MINUTE_MS  # How long a rate limit is assumed to hold.
CENSUS_RECORDS = 400  # A portion of a census is the fewest shards of records that hold so many.
CENSUS_CALLS = 5  # Calls of a round from which on it begins no further portion of a census.
MOST_DRIFTED = 50  # Incidents that a census lists in one round.
MOST_TRIED_ALONE = 64  # When the remote refuses more fields than this, they are not tried one by one.
BOTH_SIDES_MS = 2 * MINUTE_MS  # A field that came in this recently may have been changed here before that.
BUSY_TRIES = 3  # After so many server errors for one incident, while the remote is well, the incident is unreadable.
MOST_TRIES = 10  # Give up on an unreadable incident after this many tries (about three weeks).
FILE_TRIES = 3  # Replace a file that cannot be downloaded by a note after this many tries.
KEPT_CLOSED_MS = 30 * 24 * HOUR_MS  # Forget a closed incident that has not changed for this long.
KEPT_RECORDS = 20_000
MODIFIED_OVERLAP_MS = 2 * MINUTE_MS  # How late a change may appear in the remote's search index.
SETTLED_MS = 10 * MINUTE_MS  # Younger differences are not reported as drift. A Date header can be four minutes off.
LARGEST_SKEW_MS = 7 * 24 * HOUR_MS  # A clock further off than this is ignored.
KEPT_KNOWN_MS = 24 * HOUR_MS  # How far the remote's clock may be set back without incidents being missed or fetched twice.
KEPT_KNOWN = 2_000
SCHEMA_MS = 10 * MINUTE_MS  # How long the remote's schema may be cached.
MOST_CROSSINGS = 2_000  # In the journal.
LARGEST_JOURNAL = 64 << 10  # Bytes in the integration context.
HEALTH_MS = 5 * MINUTE_MS  # How stale xsoar-mirror-status may be while there is nothing else to write.
# What a fetched incident gets from the remote one besides custom fields. Mappers find the rest in rawJSON.
FETCHED_FIELDS = ("name", "type", "severity", "details", "occurred", "phase", "dueDate", "playbookId")
FETCHED_TIMES = ("occurred", "dueDate")
SEVERITIES: dict[float, str] = {0: "Unknown", 0.5: "Informational", 1: "Low", 2: "Medium", 3: "High", 4: "Critical"}
WRITTEN_FIELDS = frozenset({"name", "details", "closeNotes", "contents"})  # What people wrote is shown as it is.
STATUSES: dict[float, str] = {0: "Pending", 1: "Active", 2: "Closed", 3: "Archived"}
# Fields of the incident itself that may be set when an incident is created in the remote.
INCIDENT_FIELDS = (
    *("name", "type", "severity", "owner", "details", "occurred", "phase", "category", "reason", "dueDate", "reminder"),
    *("closeReason", "closeNotes"),
)
# Fields that the remote server owns: never written, whatever an outgoing mapper returns.
SERVER_OWNED_FIELDS = frozenset(
    "id version modified created autime cacheVersn sizeInBytes syncHash indexName numericId shardid sequenceNumber primaryTerm "
    "account activated activatingingUserId attachment canvases changeStatus closed closingUserId droppedCount exported "
    "feedBased hasRole insights investigationId isDebug isPlayground lastJobRunTime lastOpen linkedCount linkedIncidents "
    "notifyTime openDuration parent playbookId previousRoles rawCategory rawCloseReason rawJSON rawName rawPhase rawType "
    "retained roles labels runStatus sla sortValues sourceBrand sourceInstance status allRead allReadWrite todoTaskIds "
    "in_mirror_error out_mirror_error".lower().split()
)
SERVER_OWNED_PREFIXES = ("dbot", "xsoar", "haintegration", "haoriginal")  # Of top-level fields, never of custom ones.
CLOSING_KEYS = frozenset({"closereason", "closenotes"})  # In lower case: mappers use several spellings.
# They tell a tenant how to mirror an incident, and mean nothing to the other tenant.
MIRROR_KEYS = frozenset(
    "dbotMirrorId dbotMirrorDirection dbotMirrorInstance dbotMirrorTags dbotMirrorLastSync dbotDirtyFields "
    "dbotCurrentDirtyFields".lower().split()
)
FIELD_ALIASES = {"dbotduedate": "dueDate"}  # XSOAR REST API: mappers know the field `dueDate` as dbotDueDate.
LIST_TYPES = frozenset({"multiselect", "tagsselect", "grid", "role", "attachments"})  # Types of fields that hold lists.
OWN_FIELD_PREFIX = "xsoarmirroring"  # Of this pack's incident fields, which describe one tenant's mirroring.
# Commands that the server runs itself. xsoar-mirror-status reports their failures.
MIRRORING_COMMANDS = frozenset({"fetch-incidents", "get-modified-remote-data", "get-remote-data", "update-remote-system"})
# `RemoteError.kind`, as far as the code must tell errors apart.
RATE_LIMIT, BUSY, UNREACHABLE, LATE = "rate limit", "busy", "unreachable", "late"
REFUSED_KEY, FORBIDDEN, NOT_API = "refused key", "forbidden", "not an API"
NOT_FOUND, CONFLICT, CLOSED, REJECTED = "not found", "conflict", "closed", "rejected"
UNUSABLE, TOO_LARGE, STRANGER = "unusable", "too large", "stranger"
NOT_SHARED, HELD = "not shared", "held"
UNREADABLE = (NOT_FOUND, REJECTED, FORBIDDEN, UNUSABLE, TOO_LARGE, STRANGER)  # These concern a single incident.

""" BASICS """


def local_now_ms() -> int:
    """Return the local clock, in milliseconds since 1970."""
    return int(time.time() * 1000)


def is_within(span_ms: int, moment_ms: int) -> bool:
    """Return whether a moment lies less than a span ago by the local clock; if it lies ahead, that clock was put back."""
    return 0 <= local_now_ms() - moment_ms < span_ms


def short(text: Any, length: int = 300) -> str:
    """Return a text on one line, cut to a length."""
    line = " ".join(str(text).split())
    return line if len(line) <= length else line[: length - 1] + "…"


def host_of(url: str) -> str:
    """Return the host and port of a URL; an empty text if it has none."""
    try:
        return short(urlsplit(url).netloc.rpartition("@")[2], LONGEST_ID)
    except ValueError:
        return ""


def keys_of(packed: str) -> list[str]:
    """Split a text into its four-character keys."""
    return [packed[position : position + 4] for position in range(0, len(packed), 4)]


def digest_of(data: Any) -> str:
    """Return a digest of JSON-like data, 16 characters long."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()[:16]


def to_json(value: Any) -> str:
    """Return a value as compact JSON."""
    return json.dumps(value, separators=(",", ":"))


UNITS_MS = {"second": 1000, "minute": MINUTE_MS, "hour": HOUR_MS, "day": 24 * HOUR_MS, "week": 7 * 24 * HOUR_MS}
PAST_TIME = rf"(?i)([0-9]{{1,9}}) ?({'|'.join(UNITS_MS)})s?( ago)?"
ISO_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|z|[+-]\d\d:?\d\d)?")


@functools.lru_cache(maxsize=8192)
def parse_ns(text: Any) -> int:
    """Return a time of the remote in nanoseconds since 1970. Without an offset it is UTC.

    Raises ValueError if it is not an ISO time, or TypeError for a list or an object. Cached, as each time is parsed repeatedly.
    XSOAR REST API: 6.x gives up to nine digits of a second and sometimes an offset, 8.x three without trailing zeros.
    """
    match = ISO_TIME.fullmatch(str(text).strip())
    if not match:
        raise ValueError(f"{short(text, 80)!r} is not an ISO time.")
    day, clock, fraction, offset = match.groups()
    since_1970 = datetime.fromisoformat(f"{day}T{clock}{(offset or 'Z').upper()}") - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since_1970.days * 86_400 + since_1970.seconds) * 10**9 + int((fraction or "")[:9].ljust(9, "0"))


def parse_ms(text: Any, otherwise: int) -> int:
    """Return a time of the remote in milliseconds since 1970, rounded down; `otherwise` if it is not one."""
    try:
        return parse_ns(text) // 1_000_000
    except (TypeError, ValueError):
        return otherwise


def is_same_time(one: str, other: str) -> bool:
    """Return whether two times of the remote are one, of which two routes may give another precision or offset.

    Where one has no finer time than milliseconds, these decide.
    """
    try:
        times = parse_ns(one), parse_ns(other)
    except ValueError:
        return one == other
    return times[0] == times[1] or (times[0] // 10**6 == times[1] // 10**6 and any(time_ns % 10**6 == 0 for time_ns in times))


def iso(time_ms: int) -> str:
    """Return a time as the REST API takes it, in UTC."""
    return (datetime(1970, 1, 1) + timedelta(milliseconds=time_ms)).isoformat(timespec="milliseconds") + "Z"


def parse_last_update(value: Any, otherwise_ms: int) -> int:
    """Return the server's lastUpdate in milliseconds; `otherwise_ms` if it is missing or malformed.

    It is an ISO time, or an epoch in seconds, milliseconds, microseconds or nanoseconds.
    """
    text = str(value or "").strip()
    if not re.fullmatch(r"\d{1,30}(\.\d+)?", text):
        return parse_ms(text, otherwise_ms)
    number = float(text)
    while number > 10**14:
        number /= 1000
    return int(number if number > 10**11 else number * 1000)


def entry_number(entry_id: str) -> tuple[int, str]:
    """Return the sort key for entries of the same instant: the number before the @, then the ID itself."""
    number = str(entry_id).partition("@")[0]
    return (int(number) if number.isdecimal() and len(number) < 20 else 0, str(entry_id))


def safe_file_name(name: Any) -> str:
    """Return a file name without folders, control characters or a device's name, short enough for any file system."""
    base = re.split(r"[\\/]", name if isinstance(name, str) else "")[-1].encode(errors="replace").decode()
    clean = "".join(filter(str.isprintable, base)).strip().rstrip(". ") or "file"
    # Windows opens the device, whatever the suffix.
    if re.match(r"(con|prn|aux|nul|(com|lpt)[1-9])\s*(\.|$)", clean, re.IGNORECASE):
        clean = f"_{clean}"
    stem, dot, suffix = clean.rpartition(".")
    if not stem or len(suffix.encode()) > 20:
        stem, dot, suffix = clean, "", ""
    room = 200 - len((dot + suffix).encode())
    return stem.encode()[:room].decode(errors="ignore") + dot + suffix


def is_id(value: Any) -> bool:
    """Return whether a value of the remote can be an ID or a field name: safe in a URL and small enough to store."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return 0 < len(text) <= LONGEST_ID and text.isprintable() and text.strip(" .") != ""


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a list of the remote; none if it is not a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def with_ids(value: Any) -> list[dict[str, Any]]:
    """Return the incidents or entries in a list of the remote. Without an ID they cannot be mirrored."""
    return [item for item in objects(value) if is_id(item.get("id"))]


def texts(value: Any) -> list[str]:
    """Return the texts in a list of the remote; none if it is not a list."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def whole(value: Any, otherwise: int) -> int:
    """Return a value of the remote if it is a whole number, else `otherwise`."""
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise


def decoded(body: bytes) -> Any:
    """Parse JSON, with numbers that are not finite as None. Raises ValueError if it is not JSON."""
    try:
        value = json.loads(
            body, parse_constant=lambda _: None, parse_float=lambda text: float(text) if math.isfinite(float(text)) else None
        )
        # Half a surrogate cannot be encoded.
        return json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace")) if b"\\ud" in body.lower() else value
    except RecursionError:
        raise ValueError("It is nested too deep.")


def as_text(value: Any) -> Any:
    """Return a value for a cell of a table, with its Markdown and HTML escaped."""
    if isinstance(value, str):
        return re.sub(r"([\\*_\[\]~!])", r"\\\1", html.escape(value, quote=False))
    if not isinstance(value, dict | list):
        return value
    if any(isinstance(item, dict | list) for item in (value.values() if isinstance(value, dict) else value)):
        return as_text(json.dumps(value, ensure_ascii=False))
    return {as_text(key): as_text(item) for key, item in value.items()} if isinstance(value, dict) else [*map(as_text, value)]


def in_words(name: str, value: Any) -> Any:
    """Return a field's value as people read it: a status or severity as its word, a time to the millisecond, no time as blank."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return STATUSES.get(value, value) if name == "status" else SEVERITIES.get(value, value) if name == "severity" else value
    if name in WRITTEN_FIELDS or not isinstance(value, str) or not ISO_TIME.fullmatch(value):
        return value
    return "" if value.startswith("0001-01-01") else re.sub(r"(\.\d{3})\d+", r"\1", value)


def rows_shown(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a table with their values in words and escaped. The cell `field` says what the rest of its row holds."""
    return [{key: as_text(in_words(row.get("field", key), value)) for key, value in row.items()} for row in rows]


def parse_when(text: Any, name: str, now_ms: int) -> int:
    """Return a time that a person typed, ISO or relative to `now_ms` ("3 days"), in milliseconds since 1970.

    Without a zone it is UTC. Raises ValueError if it is not a time.
    """
    typed = str(text or "").strip()
    if ago := re.fullmatch(PAST_TIME, typed):
        return max(0, now_ms - int(ago[1]) * UNITS_MS[ago[2].lower()])
    with contextlib.suppress(ValueError):
        return parse_ns(typed if "T" in typed.upper() else f"{typed}T00:00:00") // 1_000_000
    # dateparser reads a bare number as a month or an epoch.
    if not re.fullmatch(r"[+-]?[0-9.,]*", typed):
        base = datetime(1970, 1, 1) + timedelta(milliseconds=now_ms)
        options = {"RELATIVE_BASE": base, "TIMEZONE": "UTC", "RETURN_AS_TIMEZONE_AWARE": True}
        with contextlib.suppress(ValueError, OverflowError):
            # It is slow, more so for long texts and all languages; and in some languages a single letter is a month.
            if moment := dateparser.parse(typed[:LONGEST_ID], languages=["en"], settings=options):
                return int(moment.timestamp() * 1000)
    raise ValueError(
        f"{name} is {short(typed, 80)!r}: enter a number and a unit such as 3 days, or an ISO time such as 2026-03-01T00:00:00Z."
    )


""" SETTINGS """


def whole_number(value: Any, name: str, lowest: int, highest: int | None = None) -> int:
    """Return a whole number within bounds. Raises ValueError with a sentence that names the parameter or argument."""
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
    """Return a checkbox parameter or a true/false argument; `default` if it was never set."""
    value = params.get(name)
    try:
        return default if value is None or value == "" else argToBoolean(value)
    except ValueError:
        raise ValueError(f"{display} is {short(value, 80)!r}: {remedy}.")


def listed(value: Any) -> tuple[str, ...]:
    """Return the distinct items of a list or comma-separated text, stripped and in order, without blank ones."""
    return tuple(dict.fromkeys(text for text in (str(item or "").strip() for item in argToList(value)) if text))


def whole_query(value: Any) -> str:
    """Return the user's query. Raises ValueError if an open bracket or quote in it would change the query that it joins."""
    query = str(value or "").strip()
    # Outside quotes and escapes, only brackets can reach beyond the end.
    rest = re.sub(r'"(?:[^"\\]|\\.)*"|\\.', "", query, flags=re.DOTALL)
    depths = list(accumulate(({"(": 1, ")": -1}.get(character, 0) for character in rest), initial=0))
    if min(depths) < 0 or depths[-1] or '"' in rest or "\\" in rest:
        name = "Fetch only incidents that match the query"
        raise ValueError(f"{name} is {short(query, 80)!r}: it has an unmatched bracket, quote or backslash. Correct the query.")
    return query


def parse_categories(value: Any, name: str) -> tuple[str, ...]:
    """Return the entry categories, as the REST API spells them. Raises ValueError for an unknown one."""
    categories = tuple(category.lower() for category in listed(value))
    if unknown := [category for category in categories if category not in CATEGORIES]:
        raise ValueError(f"{name} contains {short(unknown[0], 80)!r}: choose from {', '.join(CATEGORIES)}.")
    return categories


def choice(params: dict[str, Any], name: str, display: str, options: Iterable[str]) -> str:
    """Return a parameter with options; the first of them if it was never set."""
    chosen, options = str(params.get(name) or "").strip(), tuple(options)
    if chosen and chosen not in options:
        raise ValueError(f"{display} is {short(chosen, 80)!r}: choose one of {', '.join(filter(None, options))}.")
    return chosen or options[0]


def parse_close_reasons(value: Any) -> tuple[tuple[str, str], ...]:
    """Return the close reasons of the remote and ours for them, from lines `theirs = ours`."""
    pairs: dict[str, str] = {}
    for line in filter(None, map(str.strip, str(value or "").splitlines())):
        theirs, sign, ours = (part.strip() for part in line.partition("="))
        if not (theirs and sign and ours):
            raise ValueError(f"Close reasons contains the line {short(line, 80)!r}: write each line as theirs = ours.")
        if theirs in pairs:
            raise ValueError(f"Close reasons has {short(theirs, 80)!r} twice on the left: keep only one of the lines.")
        pairs[theirs] = ours
    return tuple(pairs.items())


def api_root(url: Any, key_id: str) -> str:
    """Return the URL that routes are appended to: with `/xsoar` for XSOAR 8 (a key ID is given), without for XSOAR 6.

    The URL may end in `/`, `/xsoar`, `/xsoar/public/v1` and `/acc_<tenant>`. The official clients use `/xsoar`; the documented
    `/xsoar/public/v1` lacks some routes.
    """
    text = str(url or "").strip()
    if not text:
        raise ValueError("XSOAR Server URL is blank: enter the address of the remote tenant, such as https://xsoar.example.com.")
    if "@" in text:
        raise ValueError("XSOAR Server URL contains a user name: enter only the address, and the key as API Key.")
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"XSOAR Server URL is {short(text, 80)!r}: enter an address that begins with https://.")
    path, account = parts.path.rstrip("/"), ""
    while match := re.search(r"/(acc_[^/]+|xsoar|xsoar/public/v1)$", path):
        account = match[0] if match[1].startswith("acc_") else account
        path = path[: match.start()].rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, path + ("/xsoar" if key_id else "") + account, "", ""))


class Settings(NamedTuple):
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
    reopen_in: bool
    reopen_out: bool
    close_reasons: tuple[tuple[str, str], ...]  # The remote's and ours.
    conflicts: str
    came_in_tag: str
    sharing: "Sharing"
    fetch_late: bool
    skip_own: bool
    mirror_playbook: bool
    history: bool
    debug: bool

    @property
    def comes_in(self) -> bool:
        """Whether changes of the remote incident are mirrored here."""
        return self.direction in ("In", "Both")


def parse_settings(params: dict[str, Any], instance: str) -> Settings:
    """Return the settings of the instance of that name, from `demisto.params()`.

    Raises ValueError if a parameter is missing or wrong: one sentence that names the parameter and the remedy.
    """
    credentials = params.get("credentials_api_key")
    credentials = credentials if isinstance(credentials, dict) else {}
    api_key, key_id = (str(credentials.get(part) or "").strip() for part in ("password", "identifier"))
    checkbox = functools.partial(flag, params)
    advanced_key = checkbox("advanced_api_key", "The API key is an advanced key", False)
    if not api_key:
        raise ValueError(
            "API Key is missing: generate a key in the remote tenant (Settings > Integrations > API Keys) and enter it."
        )
    if not (api_key + key_id).isprintable() or not (api_key + key_id).isascii():
        raise ValueError("API Key or its ID contains an invalid character: copy both again from the remote tenant.")
    if advanced_key and not key_id:
        raise ValueError(
            "API Key ID is missing: an advanced key needs its ID. Enter the ID from the API Keys page of the remote tenant."
        )

    direction = choice(params, "mirror_direction", "Incident Mirroring Direction", DIRECTIONS)
    tags, mirror_tags = listed(params.get("tags")), listed(params.get("mirror_tag"))
    if shared := sorted({*tags} & {*mirror_tags}):
        raise ValueError(
            f"The tag {short(shared[0], 80)!r} is in both Incoming Entry tags and Outgoing Entry Tags, so entries would be sent "
            "back and forth: use different tags for the two directions."
        )
    came_in_tags = listed(params.get("came_in_tag"))
    if len(came_in_tags) > 1 or {*came_in_tags} & {*mirror_tags}:
        raise ValueError(
            f"Tag on what comes in is {short(params.get('came_in_tag'), 80)!r}: enter one tag that is not in Outgoing Entry "
            "Tags, or entries that came in would be sent back."
        )
    close_in = checkbox("close_incident", "Close Mirrored XSOAR Incident", True)
    close_out = checkbox("close_out", "Close Remote Incident", True)
    reopen = choice(params, "reopen", "Reopen", (AS_CLOSING, *DIRECTIONS))
    look_back = 5 if params.get("look_back") in (None, "") else params.get("look_back")
    return Settings(
        instance=instance,
        api_root=api_root(params.get("url"), key_id),
        api_key=api_key,
        key_id=key_id,
        advanced_key=advanced_key,
        verify=not checkbox("insecure", "Trust any certificate (not secure)", False),
        proxy=checkbox("proxy", "Use system proxy settings", False),
        max_fetch=whole_number(params.get("max_fetch"), "Maximum number of incidents to pull per fetch", 1, 200),
        query=whole_query(params.get("query")),
        first_fetch=str(params.get("first_fetch") or "3 days").strip(),
        look_back_ms=whole_number(look_back, "Look-back", 0, 1440) * MINUTE_MS,
        categories=parse_categories(params.get("categories"), "Entry Categories"),
        tags=tags,
        mirror_tags=mirror_tags,
        direction=DIRECTIONS[direction],
        close_in=close_in,
        close_out=close_out,
        reopen_in=close_in if reopen == AS_CLOSING else DIRECTIONS[reopen] in ("In", "Both"),
        reopen_out=close_out if reopen == AS_CLOSING else DIRECTIONS[reopen] in ("Out", "Both"),
        close_reasons=parse_close_reasons(params.get("close_reasons")),
        conflicts=choice(params, "conflicts", "Conflicts", CONFLICTS),
        came_in_tag=came_in_tags[0] if came_in_tags else "",
        sharing=parse_sharing(params),
        fetch_late=choice(params, "fetch_by", "Fetch by", FETCH_BY) != FETCH_BY[0],
        skip_own=checkbox(
            "disable_from_same_integration", "Disable fetching for incidents that came from this integration", True
        ),
        mirror_playbook=checkbox("mirror_playbook_id", "Mirror Playbook ID", True),
        history=checkbox("fetch_incident_history", "Fetch incident history", False),
        debug=checkbox("debug_mode", "Debug mode", False),
    )


def remote_link(settings: Settings, incident_id: str) -> str:
    """Return the URL of an incident's page in the remote tenant.

    XSOAR 8 serves its API on the tenant's host name prefixed with `api-`. The path of the page is undocumented: `#/Details` in
    6.x, as its own links have it, and `Details` in 8.x.
    """
    parts = urlsplit(settings.api_root)
    page = f"/Details/{quote(incident_id, safe='', errors='replace')}"
    if settings.key_id:
        return urlunsplit((parts.scheme, parts.netloc.removeprefix("api-"), page, "", ""))
    return urlunsplit((parts.scheme, parts.netloc, f"{parts.path}/", "", page))


def first_fetch_ms(settings: Settings, now_ms: int) -> int:
    """Return where the first fetch starts, in milliseconds since 1970. Raises ValueError if it is not a time in the past.

    now_ms: the remote's clock, which may differ from the local one.
    """
    start_ms = parse_when(settings.first_fetch, "First fetch time", now_ms)
    if start_ms > now_ms:
        raise ValueError(
            f"First fetch time is {short(settings.first_fetch, 80)!r}, which is in the future: enter a time in the past."
        )
    return start_ms


""" INCIDENTS AND ENTRIES """

SHUT = (IncidentStatus.DONE, IncidentStatus.ARCHIVE)
UNMARKED = "AA"  # The mark of an entry without a creation time.
UNHELD = "attachment "  # Begins what stands for the ID of an attachment that no entry holds.


class Incident(NamedTuple):
    """A remote incident, parsed once.

    created_ms: when it was created there, 0 if unknown. With the ID it is the incident's identity.
    modified: changes whenever the incident does. It is stored, so anything that cannot be a time is replaced by a digest.
    status: 0 to 3; None if unknown.
    raw: the incident as the remote returned it.
    """

    id: str
    created_ms: int
    modified: str
    status: int | None
    investigation_id: str
    raw: dict[str, Any]

    @staticmethod
    def of(raw: dict[str, Any]) -> "Incident":
        """Parse an incident of the remote."""
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
        """When it last changed, in the remote's time; 0 if unknown."""
        return parse_ms(self.modified, 0)


class Entry(NamedTuple):
    """A War Room entry of either tenant, parsed once.

    key: the ID; for an edited text also the number of edits and a digest of the text. XSOAR REST API: `history` holds the
        earlier texts; their order and maximum number are undocumented. Marking an entry as a note may add an unchanged text,
        which is no edit.
    mark: a digest of the creation time. It tells the entry from one that gets the same ID after a restore from a backup.
    touched_ms: when it was created or last changed.
    order: the sort key of entries: creation time, then number.
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
        """Parse an entry of a tenant."""
        entry_id, created_ms = str(raw.get("id")), parse_ms(raw.get("created"), 0)
        has_file = bool(raw.get("file") or raw.get("fileID"))  # XSOAR REST API: several entry types carry one.
        history = [item for item in objects(raw.get("history")) if item.get("contents") is not None]
        history.sort(key=lambda item: parse_ms(item.get("contentDate"), 0))
        edits = sum(before != after for before, after in pairwise([*(item["contents"] for item in history), raw.get("contents")]))
        return Entry(
            id=entry_id,
            key=f"{entry_id}#{edits}.{digest_of(raw.get('contents'))[:6]}" if edits and not has_file else entry_id,
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
        """Its category as filters spell it, if the entry shows it; empty if only the remote can tell."""
        if self.has_file:
            return "attachments"
        return "notes" if self.is_note else "chats" if self.raw.get("category") == "chat" else ""


def is_closed(status: int | None) -> bool:
    """Return whether a status is that of a closed or archived incident."""
    return status in SHUT


def is_open(status: int | None) -> bool:
    """Return whether a status is known and that of an open incident."""
    return status is not None and status not in SHUT


def is_marked(entry: Entry, kept: str | None) -> bool:
    """Return whether a ledger's value under an entry's key belongs to this entry: the creation times match or one is unknown."""
    return kept is not None and (kept[: len(UNMARKED)] == entry.mark or UNMARKED in (kept[: len(UNMARKED)], entry.mark))


def created_order(item: dict[str, Any], otherwise_ms: int = 0) -> tuple[int, tuple[int, str]]:
    """Return the sort key of an incident or entry: creation time, then number."""
    try:
        created_ns = parse_ns(item.get("created"))
    except (TypeError, ValueError):
        created_ns = otherwise_ms * 1_000_000
    return created_ns, entry_number(str(item.get("id")))


def copy_digest(text: Any, file: Path | None = None) -> str:
    """Return a digest that identifies an entry's copy in the other tenant: of its text, or of a file's name and content."""
    if file is None:
        return short_digest(text.strip() if isinstance(text, str) else text)
    with file.open("rb") as content:
        return short_digest([text, hashlib.file_digest(content, "sha256").hexdigest()])


def custom_fields(incident: dict[str, Any]) -> dict[str, Any]:
    """Return the custom fields of an incident or of its changes; none if they are no object."""
    custom = incident.get("CustomFields")
    return custom if isinstance(custom, dict) else {}


def is_files(value: Any) -> bool:
    """Return whether a custom field's value is a list of files, which lie in one tenant's store.

    XSOAR REST API: each is `{name, path, type, description, showMediaFile, isTempPath}`, with the path `<ID>_<uuid>_<name>`.
    The columns of a grid may have these names too.
    """
    files = objects(value)
    keys = {"name", "path", "type", "description", "showMediaFile", "isTempPath"}
    return 0 < len(files) == len(value) and all(
        "path" in file
        and keys.issuperset(file)
        and ("showMediaFile" in file or str(file["path"]).endswith(f"_{file.get('name')}"))
        for file in files
    )


def is_timer(value: Any) -> bool:
    """Return whether a custom field's value is the state of an SLA timer, which each tenant runs itself."""
    return isinstance(value, dict) and {"runStatus", "accumulatedPause"} <= set(value)


def stays(key: str, value: Any) -> bool:
    """Return whether a custom field belongs to one tenant alone: it describes its mirroring, is an SLA timer or holds files."""
    return key.lower().startswith(OWN_FIELD_PREFIX) or is_timer(value) or is_files(value)


def steers(key: str) -> bool:
    """Return whether a field tells a tenant how to mirror an incident, which means nothing to the other tenant."""
    return key.lower() in MIRROR_KEYS


def is_server_owned(key: str) -> bool:
    """Return whether only the remote server may write a field."""
    return key.lower() in SERVER_OWNED_FIELDS or key.lower().startswith(SERVER_OWNED_PREFIXES)


def plain(value: Any) -> Any:
    """Return a field's value for comparison: all empty values are None, and times are compared in milliseconds."""
    if value in (None, "", [], {}) or str(value).startswith("0001-01-01T00:00:00"):
        return None
    moment_ms = parse_ms(value, -1) if isinstance(value, str) else -1
    return f"time {moment_ms}" if moment_ms >= 0 else value


def field_digests(incident: dict[str, Any]) -> dict[str, str]:
    """Return a digest of each field of an incident that is not empty, by the digest of its name, four characters each.

    Custom fields have a prefix, as one at the top may have the same name. Fields that the server owns are left out.
    """
    values = {key: plain(value) for key, value in incident.items() if key != "CustomFields" and not is_server_owned(key)}
    values |= {f"{CUSTOM}{key}": plain(value) for key, value in custom_fields(incident).items() if not stays(key, value)}
    return {name_digest(key): short_digest(value) for key, value in values.items() if value is not None}


def short_digest(value: Any) -> str:
    """Return a digest of four characters: two values share it once in 16 million."""
    text = json.dumps(value, sort_keys=True, default=str)
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:3]).decode()


name_digest = functools.lru_cache(maxsize=4096)(short_digest)  # A field's name in `field_digests`.


def pack_digests(digests: dict[str, str]) -> str:
    """Return digests of fields as one text. The names come first: incidents of one type share them, so they compress well."""
    return "".join(sorted(digests)) + "".join(digests[key] for key in sorted(digests))


def unpack_digests(packed: str) -> dict[str, str]:
    """Return the digests that `pack_digests` packed; none if the text is damaged."""
    parts = keys_of(packed)
    half = len(parts) // 2
    return dict(zip(parts[:half], parts[half:], strict=False)) if len(packed) == 8 * half else {}


def quoted(text: str) -> str:
    """Return a text as one value of the search language."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


""" SHARING """

EMAIL, IP, PHONE, CARD = "email", "ip", "phone", "card"
# What each kind may be called in the parameter Redact.
KIND_NAMES = {
    EMAIL: r"e-?mails?(?: address(?:es)?)?",
    IP: r"ips?(?: address(?:es)?)?",
    PHONE: r"(?:tele)?phones?(?: numbers?)?",
    CARD: r"(?:(?:credit|payment) )?cards?(?: numbers?)?",
}
SHORTEST_WORD, LONGEST_WORD = 3, 200  # Characters. A shorter one would hit parts of many others.
MOST_WORDS = 50
DEEPEST = 60  # Levels of data inside data. What lies deeper is redacted unread.
REDACTED = "[redacted]"
# What mirroring itself needs of a remote incident. It crosses whatever a list says.
NEEDED = frozenset(
    {"id", "version", "created", "modified", "closed", "status", "investigationid", "autime", "sequencenumber", "primaryterm"}
)
# They repeat what other fields hold. Beside a list they cross only where it names them.
REPEATING = frozenset({"rawjson", "labels", "rawname", "rawtype", "rawcategory", "rawphase", "rawclosereason", "sortvalues"})
OWN_NAMES = SERVER_OWNED_FIELDS | {name.lower() for name in (*INCIDENT_FIELDS, *SHOWN_FIELDS)}
# What an entry is known by, and how it is shown. It stays, whatever is redacted.
ENTRY_IDENTITY = frozenset(
    {"id", "created", "modified", "tags", "investigationId", "parentId", "type", "format", "category", "note", "version"}
)
FIXED_KEYS = {
    *("name", "path", "type", "description", "showMediaFile", "isTempPath"),
    "runStatus",
    "accumulatedPause",
    "value",
}  # By these the mirror knows files, timers and labels.

# Each of these reads a text once: what repeats is bounded or cannot begin again inside itself, and the class of characters at
# its head is what Python looks for first; lookbehinds stand after it. They are compiled when first used: most instances redact
# nothing.
PLACEHOLDER = r"\[(?:e-mail address|IP address|telephone number|card number|redacted)\]"
# Times, dates, UUIDs and hashes, which in parts look like numbers of other kinds.
NO_NUMBER = (
    r"[0-9A-Fa-f](?<![^\W_].)(?:"
    r"[0-9]{3}-[01][0-9]-[0-3][0-9]"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?(?![0-9])"
    r"|(?<![./-].)[0-9]?[./-][0-3]?[0-9][./-](?:19|20)[0-9]{2}(?![0-9])"
    r"|(?<![.:].)[0-9]?:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?![\w:])"
    r"|[0-9A-Fa-f]{7}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![^\W_])"
    r"|[0-9A-Fa-f]{31,127}(?![^\W_]))"
)
DOT = r"(?:\.| ?[\[(](?:\.|dot)[\])] ?)"
# An e-mail address from its @ on. A version (lodash@4.17.21) has no letter there.
EMAIL_END = (
    r"(?i)[@\[(%&](?:(?<=@)|(?<=[\[(])(?:@|at)[\])] ?|(?<=%)40|(?<=&)#64;)"
    rf"(?=[0-9.()\[\]-]{{0,60}}[^\W\d_])[\w-]+(?:{DOT}[\w-]+){{1,40}}"
)
IPV4 = rf"(?i)[0-9](?<![0-9].)(?<![0-9]\..)(?<![vV].)[0-9]{{0,2}}(?:{DOT}[0-9]{{1,3}}){{3}}(?![0-9]|{DOT}[0-9])"
IPV6_END = r":[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{0,41}"  # From its first colon on.
CARD_START = (
    r"[2-6](?<![0-9].)(?<![0-9]\..)(?=(?:(?<=4)|(?<=3)[05-9]|(?<=2)[2-7]|(?<=5)[0-8]|(?<=6)[024-7]))[0-9]{3}"
    r"(?=((?:[ \u00a0-]?[0-9]){8,15}))"
)
CARD_NUMBER = (
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})|3[47][0-9]{13}|3(?:0[0-5]|[689][0-9])[0-9]{11}"
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"
    r"|(?:6011|64[4-9][0-9]|65[0-9]{2}|62[0-9]{2}|352[89]|35[3-8][0-9])[0-9]{12,15}|(?:50|5[6-8]|67)[0-9]{10,17}"
)
DIGITS = frozenset(string.digits)
NO_SEPARATORS = str.maketrans("", "", " \u00a0-")
DOUBLED = str.maketrans("0123456789", "0246813579")  # Of the check digit: twice a digit, and of that the sum of its digits.
# With a country code; with 00; with the area code in brackets; as in North America; with an area code that begins with 0.
TELEPHONE = (
    r"[+(0-9](?<![^\W\d_].)(?:(?<=\+)\(?[1-9](?:[ \u00a0\u2009\u202f./()\u2010-\u2013-]{0,3}[0-9]){7,14}(?![0-9])"
    r"|(?:(?<=\()0[0-9]{1,4}\)(?:[ \u00a0/-]{0,3}[0-9]){5,10}|(?<=\()[2-9][0-9]{2}\)[-. ]?[0-9]{3}[-. ]?[0-9]{4}"
    r"|(?<![0-9+].)(?<![^\W_]-.)(?<![0-9]\..)(?:"
    r"(?<=0)0[1-9](?:[ \u00a0./()-]{0,3}[0-9]){7,13}"
    r"|(?<=1)[-. ]?\([2-9][0-9]{2}\)[-. ]?[0-9]{3}[-. ]?[0-9]{4}"
    r"|(?:(?<=1)[-. ][2-9]|(?<=[2-9]))[0-9]{2}[-. ][0-9]{3}[-. ][0-9]{4}"
    r"|(?<=0)[1-9][0-9]{1,4} ?[ \u00a0/-] ?[0-9](?:[ \u00a0-]?[0-9]){5,9}"
    r"|(?<=0)[1-9][ /-](?!(?:19|20)[0-9]{6})[0-9]{6,8}"
    r"|(?<=0)[1-9](?:[ .-][0-9]{2}){4}"
    r"))(?![^\W_]|[-.][0-9]))"
)


class Sharing(NamedTuple):
    """What may cross between the two tenants. By default, everything.

    in_fields, out_fields: names of fields in lower case, a custom one perhaps behind `customfields.`; only these cross, or where
        they have a minus before them, all but these. Empty: all.
    max_file_mb: the size of the largest file, in units of 1,048,576 bytes.
    file_types: suffixes without their dot, as the lists of fields.
    redact: kinds (EMAIL, IP, PHONE, CARD), and words in double quotes.
    """

    in_fields: tuple[str, ...] = ()
    out_fields: tuple[str, ...] = ()
    max_file_mb: int = LARGEST_FILE >> 20
    file_types: tuple[str, ...] = ()
    redact: tuple[str, ...] = ()


def parse_sharing(params: dict[str, Any]) -> Sharing:
    """Return what may cross, from the parameters of an instance. Raises ValueError as `parse_settings` does."""
    size = params.get("max_file_mb")
    is_blank = size is None or not str(size).strip()
    most = LARGEST_FILE >> 20
    return Sharing(
        in_fields=parse_fields(params.get("in_fields"), "Fields that come in"),
        out_fields=parse_fields(params.get("out_fields"), "Fields that go out"),
        max_file_mb=most if is_blank else whole_number(size, "Largest file (in MB)", 1, most),
        file_types=parse_file_types(params.get("file_types"), "File types"),
        redact=parse_redact(params.get("redact"), "Redact"),
    )


def one_sided(items: Iterable[str], name: str) -> tuple[str, ...]:
    """Return a list in lower case that names what alone crosses, or what does not. Raises ValueError when it does both."""
    chosen = tuple(dict.fromkeys(item.lower() for item in items))
    if len({item.startswith("-") for item in chosen}) > 1:
        raise ValueError(
            f"{name} has items both with and without a minus: put a minus before every item (all but these) or before none "
            "(only these)."
        )
    return chosen


def parse_fields(value: Any, name: str) -> tuple[str, ...]:
    """Return a list of fields. See `Sharing`."""
    chosen = []
    for item in one_sided(listed(value), name):
        minus, field_name = item[: item.startswith("-")], item.removeprefix("-").strip()
        field_name = FIELD_ALIASES.get(field_name, field_name).lower()
        if not re.fullmatch(r"(?:customfields\.)?\w+", field_name) or field_name == "customfields":
            raise ValueError(f"{name} contains {short(item, 80)!r}, which is not a field name: enter CLI names such as sourceip.")
        if minus and is_needed(field_name):
            raise ValueError(f"{name} excludes {short(field_name, 80)}, which mirroring itself needs: remove it from the list.")
        chosen.append(minus + field_name)
    return tuple(dict.fromkeys(chosen))


def parse_file_types(value: Any, name: str) -> tuple[str, ...]:
    """Return a list of suffixes. See `Sharing`."""
    chosen = []
    for item in one_sided(listed(value), name):
        minus, suffix = item[: item.startswith("-")], item.removeprefix("-").strip().removeprefix(".")
        if not re.fullmatch(r"\w{1,20}", suffix):
            raise ValueError(f"{name} contains {short(item, 80)!r}, which is not a file type: enter file extensions such as pdf.")
        chosen.append(minus + suffix)
    return tuple(dict.fromkeys(chosen))


def parse_redact(value: Any, name: str) -> tuple[str, ...]:
    """Return what is redacted. See `Sharing`."""
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value or "")
    text = re.sub("[“”„‟]", '"', text)
    if text.count('"') % 2:
        raise ValueError(f"{name} has an unmatched quotation mark: put each word or phrase in double quotes.")
    found: dict[str, str] = {}
    for part in (part.strip() for part in re.findall(r'(?:"[^"]*"|[^,"])+', text)):
        if re.fullmatch(r'"[^"]*"', part):
            word = " ".join(part[1:-1].split())
            if not SHORTEST_WORD <= len(word) <= LONGEST_WORD:
                raise ValueError(
                    f"{name} contains {short(part, 80)}: enter words and phrases of {SHORTEST_WORD} to {LONGEST_WORD} characters."
                )
            found.setdefault(word.casefold(), f'"{word}"')
        elif part:
            kind = next((kind for kind, names in KIND_NAMES.items() if re.fullmatch(names, part, re.IGNORECASE)), "")
            if not kind:
                raise ValueError(
                    f"{name} contains {short(part, 80)!r}: choose from {', '.join(KIND_NAMES)}, and put your own words and "
                    "phrases in double quotes."
                )
            found[f"{kind} "] = kind
    if sum(item.startswith('"') for item in found.values()) > MOST_WORDS:
        raise ValueError(f"{name} has more than {MOST_WORDS} words and phrases: remove some.")
    return tuple(found.values())


def lets(chosen: tuple[str, ...], *names: str) -> bool:
    """Return whether a list, as in `Sharing`, lets cross what has one of these names."""
    if chosen and chosen[0].startswith("-"):
        return not any(f"-{name}" in chosen for name in names)
    return not chosen or any(name in chosen for name in names)


def is_needed(key: str) -> bool:
    """Return whether mirroring itself needs a key of a remote incident."""
    return key.lower() in NEEDED


def is_shared(key: str, chosen: tuple[str, ...]) -> bool:
    """Return whether a list of fields lets one cross: an incident's own by its key, a custom one as `CustomFields.<CLI name>`.

    A mapper may name a custom field by its CLI name alone: what is no field of every incident is taken for both.
    """
    name = key.lower()
    if name.startswith(CUSTOM.lower()):
        return lets(chosen, name, name.removeprefix(CUSTOM.lower()))
    name = FIELD_ALIASES.get(name, name).lower()
    if name in REPEATING:
        return not chosen or name in chosen
    return lets(chosen, name) if name in OWN_NAMES else lets(chosen, name, f"{CUSTOM}{name}".lower())


def shared_in(raw: dict[str, Any], sharing: Sharing) -> dict[str, Any]:
    """Return a remote incident as this tenant may see it; the incident itself where everything may cross.

    It may lack fields, so it is never what goes back to the remote, nor what tells which fields were emptied there.
    """
    shared = shared_fields(raw, sharing.in_fields, sharing, is_needed)
    limits_files = sharing.file_types or sharing.max_file_mb << 20 < LARGEST_FILE
    # The list of attachments names those that are kept back as well.
    return {key: value for key, value in shared.items() if key != "attachment"} if limits_files else shared


def shared_out(fields: dict[str, Any], sharing: Sharing) -> dict[str, Any]:
    """Return a delta, or an incident that is to be created, in remote names, as the remote tenant may see it."""
    return shared_fields(fields, sharing.out_fields, sharing, lambda key: key.lower() == "id")


def shared_fields(
    fields: dict[str, Any], chosen: tuple[str, ...], sharing: Sharing, must_cross: Callable[[str], bool]
) -> dict[str, Any]:
    """Return the fields that a list lets cross, with what is redacted in them. Their names stay."""
    if not chosen and not sharing.redact:
        return fields
    shared: dict[str, Any] = {}
    for key, value in fields.items():
        if must_cross(key):
            shared[key] = value
        elif key.lower() == CUSTOM[:-1].lower():
            custom = value.items() if isinstance(value, dict) else ()
            let = {name: cleaned(item, sharing.redact) for name, item in custom if is_shared(f"{CUSTOM}{name}", chosen)}
            shared[key] = None if value is None else let
        elif is_shared(key, chosen):
            shared[key] = value if steers(key) else cleaned(value, sharing.redact)
    return shared


def redacted_name(name: str, sharing: Sharing) -> str:
    """Return the name of a file with what is redacted in it. Its suffix stays where that is no part of it."""
    stem, _, suffix = name.rpartition(".")
    clean_stem, clean = cleaned(stem, sharing.redact), cleaned(name, sharing.redact)
    return f"{clean_stem}.{suffix}" if clean_stem != stem and not clean.endswith(f".{suffix}") else clean


def shared_entry(entry: Entry, sharing: Sharing) -> Entry:
    """Return an entry with what is redacted in its text or data, its file's name and its author; it stays the same entry."""
    if not sharing.redact:
        return entry
    raw = {key: value if key in ENTRY_IDENTITY else cleaned(value, sharing.redact) for key, value in entry.raw.items()}
    return entry._replace(raw=raw)


def file_refusal(name: Any, size: int | None, sharing: Sharing) -> str:
    """Return why a file is not shared, in words that do not hold its name; an empty text where it is.

    Args:
        size: in bytes; None where it is not known yet.
    """
    # The list must hold however the server or the file system normalizes a name.
    _, dot, last = safe_file_name(name).partition(":")[0].rstrip(". ").lower().rpartition(".")
    suffix = last.strip() if dot else ""
    if not lets(sharing.file_types, suffix):
        if not suffix:
            return "it has no type, and only some types are shared"
        is_plain = re.fullmatch("[a-z0-9]{1,8}", suffix) and cleaned(suffix, sharing.redact) == suffix
        return f"its type .{suffix} is not shared" if is_plain else "its type is not shared"
    if size is not None and sharing.max_file_mb << 20 < LARGEST_FILE and size > sharing.max_file_mb << 20:
        return f"it is larger than {sharing.max_file_mb} MB"
    return ""


def unknown_fields(names: Iterable[str], incident_fields: Any) -> list[str]:
    """Return which fields of a list, as in `Sharing`, a tenant does not have.

    Args:
        incident_fields: what its /incidentfields gives.
    """
    fields = incident_fields_among(incident_fields)
    custom = {f"{CUSTOM}{name}".lower() for name in custom_field_names(fields)}
    known = OWN_NAMES | custom | {str(item["cliName"]).lower() for item in fields}
    plain_names = (name.removeprefix("-") for name in names)
    return [name for name in plain_names if name not in known and not is_needed(name)]


def redacted(value: Any, sharing: Sharing) -> Any:
    """Return a value with what is redacted in its texts, at any depth; the keys of an object itself are names, and stay.

    Numbers stay as well, but for the number of a payment card, which becomes None.
    """
    if not sharing.redact:
        return value
    if isinstance(value, dict):
        return {key: cleaned(item, sharing.redact) for key, item in value.items()}
    return cleaned(value, sharing.redact)


def cleaned(value: Any, redact: tuple[str, ...], depth: int = 0) -> Any:
    """Return a value with what is redacted in it, its keys included. See `redacted`."""
    if not redact or value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        is_whole = isinstance(value, int) or value.is_integer()
        return None if CARD in redact and is_whole and abs(value) < 10**19 and is_card(str(int(value))) else value
    if depth > DEEPEST:
        return REDACTED
    if isinstance(value, str):
        return cleaned_text(value, redact, depth)
    if isinstance(value, list):
        return [cleaned(item, redact, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    clean: dict[str, Any] = {}
    number = 1
    for key, item in value.items():
        name = own_name = key if key in FIXED_KEYS else cleaned_text(str(key), redact, DEEPEST)
        while name in clean:
            number += 1
            name = f"{own_name} {number}"
        clean[name] = cleaned(item, redact, depth + 1)
    return clean


def cleaned_text(text: str, redact: tuple[str, ...], depth: int) -> str:
    """Return a text with what is redacted in it. JSON is redacted as data: it may spell words otherwise."""
    if ISO_TIME.fullmatch(text):
        return text
    if depth < DEEPEST and re.match(r"\s{0,20}[\[{]", text):
        with contextlib.suppress(ValueError, RecursionError):
            data = json.loads(text)
            clean = cleaned(data, redact, depth + 1)
            if clean != data:
                text = json.dumps(clean, ensure_ascii=False).encode(errors="replace").decode()
    for _ in range(3):
        # Removing one match may expose the beginning of another.
        before, text = text, cleaned_once(text, redact)
        if text == before:
            break
    return text


def cleaned_once(text: str, redact: tuple[str, ...]) -> str:
    """Return a text with everything redacted that one pass finds."""
    if EMAIL in redact:
        text = between(PLACEHOLDER, text, lambda part: replaced(part, email_addresses(part), "[e-mail address]"))
    if {IP, PHONE, CARD} & set(redact):
        text = between(NO_NUMBER, text, lambda part: without_numbers(part, redact))
    folded = text.casefold()
    words = [item[1:-1] for item in redact if item.startswith('"')]
    present = tuple(word for word in words if word.casefold().split()[0] in folded)
    return between(PLACEHOLDER, text, lambda part: words_pattern(present).sub(REDACTED, part)) if present else text


def without_numbers(text: str, redact: tuple[str, ...]) -> str:
    """Return a text without IP addresses, card numbers and telephone numbers, as far as they are redacted."""
    if IP in redact:
        text = replaced(text, ipv6_addresses(text), "[IP address]")
        text = replaced(text, ipv4_addresses(text), "[IP address]")
    if CARD in redact:
        text = replaced(text, card_numbers(text), "[card number]")
    return re.sub(TELEPHONE, "[telephone number]", text) if PHONE in redact else text


def between(pattern: str, text: str, change: Callable[[str], str]) -> str:
    """Return a text with a change made to all that a pattern does not match."""
    parts, end = [], 0
    for match in re.finditer(pattern, text):
        parts += [change(text[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*parts, change(text[end:])])


def replaced(text: str, places: Iterable[tuple[int, int]], placeholder: str) -> str:
    """Return a text with a placeholder in place of what stands at these places, given by start and end; the first wins."""
    parts, done = [], 0
    for start, end in places:
        if start >= done:
            parts += [text[done:start], placeholder]
            done = end
    return "".join([*parts, text[done:]]) if parts else text


@functools.lru_cache(maxsize=64)
def words_pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds the words and phrases, the longest first, in any case and with any space between their parts."""
    spelled = sorted({*words, *(word.casefold() for word in words)}, key=len, reverse=True)
    escaped = (r"\s{1,5}".join(map(re.escape, word.split())) for word in spelled)
    return re.compile("|".join(word.replace("ss", "(?:ss|ß)") for word in escaped), re.IGNORECASE)


def email_addresses(text: str) -> Iterator[tuple[int, int]]:
    """Yield where e-mail addresses stand in a text."""
    done = 0
    for match in re.finditer(EMAIL_END, text):
        at = match.start() - (match[0][0] in "[(" and text[match.start() - 1 : match.start()] == " ")
        start = at
        while start > done and (text[start - 1].isalnum() or text[start - 1] in "_.+'-"):
            start -= 1
        while start < at and text[start] in ".+'-":
            start += 1
        if start < at:
            done = match.end()
            yield start, done


def ipv4_addresses(text: str) -> Iterator[tuple[int, int]]:
    """Yield where IPv4 addresses stand in a text."""
    for match in re.finditer(IPV4, text):
        if is_ip(".".join(str(int(number)) for number in re.findall("[0-9]+", match[0]))):
            yield match.span()


def ipv6_addresses(text: str) -> Iterator[tuple[int, int]]:
    """Yield where IPv6 addresses stand in a text. What touches another word at its edges belongs to that."""
    for match in re.finditer(IPV6_END, text):
        start, end = match.span()
        while start > max(0, match.start() - 4) and text[start - 1] in string.hexdigits:
            start -= 1
        if start and text[start - 1].isalnum():
            start = match.start() + 1
        if text[end : end + 1].isalnum():
            end = text.rindex(":", match.start(), end)
        found = text[start:end].rstrip(".")
        if found.startswith(":") and not found.startswith("::"):
            start, found = start + 1, found[1:]
        if found.endswith(":") and not found.endswith("::"):
            found = found[:-1]
        # Perhaps with a port. A scope as in std::add is no address.
        for address in (found, found.rpartition(":")[0]):
            is_written_so = re.search("[0-9]", address) or len(re.findall("[A-Fa-f]+", address)) > 2
            if is_written_so and address.count(":") > 1 and is_ip(address):
                yield start, start + len(address)
                break


@functools.lru_cache(maxsize=4096)
def is_ip(text: str) -> bool:
    """Return whether a text is an IP address of either version."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def card_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the numbers of payment cards stand in a text. One may end wherever a group of its digits does."""
    done = 0
    for match in re.finditer(CARD_START, text):
        start, behind = match.span()
        if start < done:
            continue
        rest, after = match[1], text[behind + len(match[1]) : behind + len(match[1]) + 1]
        stops = [len(rest)] if after not in DIGITS else []
        stops += [place for place in range(len(rest) - 1, 7, -1) if rest[place] not in DIGITS]
        for stop in stops:
            if is_card(match[0] + rest[:stop].translate(NO_SEPARATORS)):
                done = behind + stop
                yield start, done
                break


def is_card(digits: str) -> bool:
    """Return whether digits are the number of a payment card: its beginning, its length and its check digit."""
    if not re.fullmatch(CARD_NUMBER, digits):
        return False
    return sum(map(int, digits[-1::-2] + digits[-2::-2].translate(DOUBLED))) % 10 == 0


""" CLIENT """


class RemoteError(DemistoException):
    """A failed call to the remote tenant. `kind` is for the code; the message is for people.

    retry_after: the pause that the remote asks for, in seconds. status: that of an HTTP error; 0 if there was none.
    refused: what the journal calls the fields or the entries that the remote refused, if not everything.
    """

    refused: tuple[str, ...] = ()

    def __init__(self, kind: str, message: str, retry_after: float = 0.0, status: int = 0) -> None:
        super().__init__(message)
        self.kind, self.retry_after, self.status = kind, retry_after, status


CHECK_URL = (
    "check XSOAR Server URL. For XSOAR 8, enter the value of Copy API URL from the API Keys page, and the API Key ID. "
    "For XSOAR 6, enter the address of the server and leave the API Key ID empty."
)
# The permission that a call needs, by the beginning of its route.
PERMISSIONS = (
    ("/incidents/search", "search incidents"),
    ("/incident/load", "view the incident"),
    ("/incident/close", "close incidents"),
    ("/incidentfields", "read the incident fields"),
    ("/incidenttype", "read the incident types"),
    ("/incident", "create and edit incidents"),
    ("/investigation", "view the War Room of the incident"),
    ("/entry/download", "download War Room files"),
    ("/entry/upload", "add files to the War Room"),
    ("/entry/execute", "run commands in the War Room"),
    ("/entry", "write into the War Room"),
    ("/about", "use the API"),
)
# What to do when a call got no answer, or only a part of one.
UNREACHABLE_ADVICE: tuple[tuple[type[Exception], str], ...] = (
    (SSLError, "its certificate is not trusted; install a trusted one there, or select Trust any certificate"),
    (ProxyError, "the proxy refused the connection; check the proxy and Use system proxy settings"),
    (Timeout, "the connection timed out; check XSOAR Server URL and that this server or engine may connect to it"),
    (InvalidURL, "the address or the key contains a character that cannot be sent; enter XSOAR Server URL and API Key again"),
    (InvalidHeader, "the address or the key contains a character that cannot be sent; enter XSOAR Server URL and API Key again"),
    (Exception, "the connection failed; check XSOAR Server URL and that this server or engine may connect to it"),
)


def pieces_of(response: requests.Response, most: int) -> Iterator[bytes]:
    """Yield an answer piece by piece. Raises RemoteError if it exceeds `most` bytes uncompressed, or takes too long."""
    host = host_of(response.url)
    if response.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity", "gzip"):
        raise RemoteError(UNUSABLE, f"{host} compressed its answer in an unsupported way: check the proxy in front of it.")
    begin_ms, size = local_now_ms(), 0
    # 16 KiB of gzip unpack to 16 MiB at most.
    for piece in response.iter_content(chunk_size=1 << 14):
        size += len(piece)
        if size > most:
            raise RemoteError(TOO_LARGE, f"The answer from {host} is too large to read: it exceeds {most >> 20} MiB.")
        if local_now_ms() - begin_ms > SLOWEST_ANSWER_MS:
            raise RemoteError(UNUSABLE, f"The answer from {host} took more than {SLOWEST_ANSWER_MS // MINUTE_MS} minutes.")
        yield piece


def without_key(response: requests.Response, text: Any) -> str:
    """Return a text of an answer without the key or signature that was sent: a proxy may echo it."""
    sent = str(response.request.headers.get("Authorization") or "")
    return str(text).replace(sent, "<key>") if sent else str(text)


def detail_of(response: requests.Response) -> str:
    """Return the message in the body of an error, shortened. XSOAR and the gateway of XSOAR 8 use different keys for it."""
    try:
        body = decoded(b"".join(pieces_of(response, 1 << 20)))
    except (ValueError, RemoteError):
        return ""
    parts: list[Any] = []
    for answer in objects([body]):
        parts += [answer.get("id"), answer.get("detail"), answer.get("error")]
        parts += [reply.get("err_msg") for reply in objects([answer.get("reply")])]
        parts += [error.get("detail") for error in objects(answer.get("errors"))]
    return without_key(response, "; ".join(dict.fromkeys(str(part) for part in parts if part)))


def shown_detail(response: requests.Response, detail: str, sharing: "Sharing") -> str:
    """Return what an error says as this tenant may see it, shortened: it may repeat values of the incident that it is about."""
    # An incident is saved whole, with the fields that are not shared.
    is_save = urlsplit(response.url).path.endswith("/incident")
    return "" if is_save and sharing.in_fields else short(cleaned(detail[:3000], sharing.redact))


def empty_answer(response: requests.Response) -> str:
    """Return the sentence for an answer without content."""
    return f"{host_of(response.url)} returned an empty answer ({response.status_code}); the next round tries again."


def complaint_of(response: requests.Response, settings: Settings) -> tuple[str, str] | None:
    """Return the kind and the message of an error answer; None if the answer is good."""
    status, host = response.status_code, host_of(settings.api_root)
    is_page = "text/html" in response.headers.get("Content-Type", "")
    if 300 <= status < 400:
        target = host_of(response.headers.get("Location", "")) or "another address"
        return NOT_API, f"{host} redirects to {target}: {CHECK_URL}"
    if status == 204:
        # The API never answers like this. Whether a change was made is as uncertain as without an answer.
        return BUSY, empty_answer(response)
    if status < 400:
        if is_page and "content-disposition" not in response.headers:
            return NOT_API, f"{host} returned a web page instead of an API answer: {CHECK_URL}"
        return None

    detail = detail_of(response)
    shown = shown_detail(response, detail, settings.sharing)
    if status == 429:
        return RATE_LIMIT, f"API rate limit: {host} is refusing calls (429); the next round tries again."
    if "errOptimisticLock" in detail or "version conflict" in detail.lower():
        return CONFLICT, "Somebody else changed the remote incident in the meantime; try again."
    if missing := re.search("could not find (incident|investigation)", detail.lower()):
        return NOT_FOUND, (
            f"The remote tenant has no such {missing[1]}, or the API key may not read it ({status}): check the ID, and that the "
            "role of the key can see the incident."
        )
    if status == 401 or (status == 403 and "csrf" in detail.lower()):
        advice = "check API Key; if the remote tenant is XSOAR 8, also enter the API Key ID."
        if settings.key_id:
            kind = "an advanced" if settings.advanced_key else "a standard"
            advice = f"check API Key and API Key ID, that the key has not expired, and that it is {kind} key as configured."
        elif status == 401:
            return REFUSED_KEY, (
                f"{host} refused the request ({status}), as XSOAR 8 does if the API Key ID is missing: enter the ID that the "
                "API Keys page of the remote tenant shows for the key."
            )
        return REFUSED_KEY, f"{host} refused the API key ({status}): {advice}"
    if status in (402, 403):
        # A role may lack the permission for this call alone.
        deed = next((permission for route, permission in PERMISSIONS if route in urlsplit(response.url).path), "do this")
        return (
            FORBIDDEN,
            f"The API key may not {deed} on {host} ({status}): add this permission to the role of the key. {shown}".strip(),
        )
    if status == 412:
        return CLOSED, "The remote incident is closed and its War Room takes no entries: reopen it first."
    if status in (500, 502, 503, 504):
        return BUSY, f"{host} is temporarily unavailable ({status}); the next round tries again."
    if is_page:
        return NOT_API, f"{host} returned a web page instead of an API answer ({status}): {CHECK_URL}"
    if status == 404:
        return NOT_FOUND, f"The remote tenant has no {urlsplit(response.url).path} (404). {shown}".strip()
    return REJECTED, f"The remote tenant refused the request ({status}): {(shown or response.reason).rstrip('.')}."


def json_body(response: requests.Response, reads: bool = False, sharing: "Sharing | None" = None) -> Any:
    """Return the JSON of an answer, None if it is empty. Raises RemoteError if it is not JSON, or empty to a reading call."""
    content = b"".join(pieces_of(response, LARGEST_ANSWER))
    if not content.strip():
        if reads:  # An XSOAR returns `null` if it has nothing.
            raise RemoteError(BUSY, empty_answer(response))
        return None
    try:
        body = decoded(content)
    except ValueError:
        raise RemoteError(NOT_API, f"The answer from {host_of(response.url)} is not JSON: {CHECK_URL}")
    # XSOAR REST API: some failures come with status 200 and an `error` that is not null.
    if isinstance(body, dict) and body.get("error"):
        detail = without_key(response, body["error"])
        shown = shown_detail(response, detail, sharing or Sharing())
        raise RemoteError(REJECTED, f"The remote tenant answered: {shown or 'an error'}.")
    return body


def signed_headers(settings: Settings, now_ms: int) -> dict[str, str]:
    """Return the headers that authenticate one request.

    XSOAR REST API: 6.x takes the key alone; 8.x the key with its ID. An advanced key signs each request:
    sha256(key + nonce + timestamp), with a nonce of 64 letters and digits, and the timestamp in milliseconds.
    """
    headers = {"Accept": "application/json", "Authorization": settings.api_key}
    if settings.key_id:
        headers["x-xdr-auth-id"] = settings.key_id
    if settings.advanced_key:
        nonce = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(64))
        signature = hashlib.sha256(f"{settings.api_key}{nonce}{now_ms}".encode()).hexdigest()
        headers |= {"x-xdr-nonce": nonce, "x-xdr-timestamp": str(now_ms), "Authorization": signature}
    return headers


class MultipartFile:
    """The body of an upload: form fields and one file, which is read from disk while it is sent.

    requests would build the body in memory, but streams an object with a length and `read`.
    """

    def __init__(self, fields: dict[str, str], name: str, file: io.BufferedReader) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        file_name = name.replace('"', '\\"')  # RFC 2045. Browsers write %22, which servers take for a part of the name.
        parts = [f'name="{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()]
        parts.append(f'name="file"; filename="{file_name}"\r\nContent-Type: application/octet-stream\r\n\r\n')
        head = "".join(f"--{boundary}\r\nContent-Disposition: form-data; {part}" for part in parts)
        tail = f"\r\n--{boundary}--\r\n"
        self._pieces = (io.BytesIO(head.encode(errors="replace")), file, io.BytesIO(tail.encode()))
        self._size = sum(piece.seek(0, io.SEEK_END) for piece in self._pieces)

    def __len__(self) -> int:
        return self._size

    def rewind(self) -> None:
        """Start over, before each attempt to send it."""
        for piece in self._pieces:
            piece.seek(0)

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes of the body, all of the rest without a size; none at its end."""
        if size < 0:
            return b"".join(piece.read() for piece in self._pieces)
        return next((read for piece in self._pieces if (read := piece.read(size))), b"")


class Client(BaseClient):
    """The REST API of the remote tenant: a method for each route, which returns what the tenant answers.

    Every method raises RemoteError. Reading calls are retried while the remote is busy or the connection fails; writing ones
    only if nothing was done for certain. Threads may share a client.
    """

    def __init__(self, settings: Settings, pause: Callable[[float], None] = time.sleep) -> None:
        super().__init__(base_url=settings.api_root, verify=settings.verify, proxy=settings.proxy)
        # Read proxies and certificates from the environment once, not for each call, and nothing else: requests would replace
        # the key with the credentials in a .netrc of this server or engine.
        named = self._session.merge_environment_settings(settings.api_root, {}, None, self._verify, None)
        self._session.proxies, self._verify = dict(named["proxies"]), named["verify"] or False
        self._session.trust_env = False
        # Otherwise requests reads the whole body of a redirect, even if told not to follow it.
        self._session.get_redirect_target = lambda resp: None  # type: ignore[method-assign]
        self._settings = settings
        self.pause = pause
        self.limit: RemoteError | None = None  # The rate limit that this run met.
        self.remote_time_ms = 0  # The remote's clock at its last answer, in whole seconds; 0 if unknown.
        self.calls = 0  # Requests sent.
        self.schema: Schema | None = None  # The remote's incident fields: cached, or read by this run (`has_read_schema`).
        self.has_read_schema = False
        self._ahead_ms = 0  # How far the remote's clock is ahead of ours, for signatures.
        self._sort_keys = 2
        self._failing_seconds = 0.0  # Spent on failed attempts.
        self._begun = time.monotonic()
        self._counting = threading.Lock()
        self._gate = threading.Lock()  # Held while the remote wants no calls.

    def is_late(self) -> bool:
        """Return whether this run has lasted so long that everything that can wait is left to the next one."""
        return time.monotonic() - self._begun > RUN_SECONDS

    def about(self) -> dict[str, Any]:
        """Return the version of the remote and its modes."""
        return self._object("GET", "/about", reads=True)

    def search(
        self, query: str, size: int, page: int = 0, sort: str = "created", ascending: bool = True, from_ms: int | None = None
    ) -> tuple[list[dict[str, Any]], int]:
        """Return a page of the incidents that match, created since `from_ms`, and the number of all as the remote gives it.

        XSOAR REST API: `total` is unreliable on some tenants: it may say that there are more, never that there are not. Whether
        `fromDate` applies beside a query is uncertain, so the bound is in both, and callers check it again.
        """
        bound = f'created:>="{iso(from_ms)}"' if from_ms is not None else ""
        incident_filter: dict[str, Any] = {
            "query": f"({query}) and {bound}" if query and bound else query or bound,
            "size": size,
            "page": page,
            "sort": [{"field": sort, "asc": ascending}, {"field": "id", "asc": ascending}][: self._sort_keys],
            **({"fromDate": iso(from_ms)} if from_ms is not None else {}),
        }
        try:
            answer = self.answer_of_search(incident_filter)
        except RemoteError as error:
            if error.kind != REJECTED:
                raise
            if self._sort_keys == 1:
                raise RemoteError(REJECTED, f"The remote tenant rejected the query {query!r}. {error} Correct the query.")
            # Maybe it sorts by one field only. The second one only saves calls.
            self._sort_keys = 1
            return self.search(query, size, page, sort, ascending, from_ms)
        # XSOAR REST API: `data` is null when nothing matches.
        return with_ids(answer.get("data")), whole(answer.get("total"), 0)

    def answer_of_search(self, incident_filter: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a search."""
        return self._object("POST", "/incidents/search", reads=True, json_data={"filter": incident_filter})

    def modified_ids(self, method: str, since_seconds: int) -> Any:
        """Return the answer of the route for changed incidents, which some servers have.

        XSOAR REST API: it is undocumented; upstream sends a start in whole seconds.
        """
        route = f"{'/public/v1' if self._settings.key_id else ''}/incidents/modified"
        start = {"params" if method == "GET" else "json_data": {"lastUpdate": since_seconds}}
        return self._call(method, route, reads=True, use=json_body, **start)

    def load(self, incident_id: str) -> dict[str, Any]:
        """Return an incident with all its fields."""
        if not is_id(incident_id):
            raise RemoteError(REJECTED, f"{short(incident_id, 40)!r} is not an incident ID.")
        incident = self._object("GET", f"/incident/load/{quote(incident_id, safe='')}", reads=True)
        if str(incident.get("id")) != incident_id:
            raise RemoteError(NOT_FOUND, f"The remote tenant has no incident {incident_id}, or the API key may not read it.")
        return incident

    def save(self, incident: dict[str, Any]) -> dict[str, Any]:
        """Write a whole incident and return the result. Fields left out are wiped. Kind CONFLICT: its version is outdated."""
        return self._object("POST", "/incident", json_data=incident)

    def create(self, incident: dict[str, Any]) -> dict[str, Any]:
        """Create an incident with its War Room, and return it."""
        status, created = self.create_as_answered(incident)
        if created is None and status == 200:
            # XSOAR REST API: 200 with an empty body. Other servers answer 201 with an empty body to what they accepted.
            raise RemoteError(
                REJECTED, "The remote tenant dropped the new incident: exempt it from the pre-processing rules there."
            )
        if not isinstance(created, dict) or not is_id(created.get("id")):
            raise RemoteError(UNUSABLE, "The remote tenant did not say which incident it created; the next try looks for it.")
        return created

    def create_as_answered(self, incident: dict[str, Any]) -> tuple[int, Any]:
        """Create an incident with its War Room. Return the HTTP status and the JSON of the answer, None if it is empty."""
        new = {**incident, "createInvestigation": True}
        return self._call("POST", "/incident", use=lambda answer: (answer.status_code, json_body(answer)), json_data=new)

    def close(self, incident_id: str, version: int, reason: str, notes: str) -> None:
        """Close an incident. The remote may answer before it is closed."""
        body = {"id": incident_id, "version": version, "closeReason": reason, "closeNotes": notes, "CustomFields": {}}
        self._call("POST", "/incident/close", json_data=body)

    def entries(self, investigation_id: str, entry_filter: dict[str, Any]) -> list[dict[str, Any]]:
        """Return a page of the entries of a War Room."""
        if not is_id(investigation_id):
            raise RemoteError(NOT_FOUND, f"{short(investigation_id, 40)!r} is not a War Room ID.")
        route = f"/investigation/{quote(investigation_id, safe='')}"
        return with_ids(self._object("POST", route, reads=True, json_data=entry_filter).get("entries"))

    def add_note(self, investigation_id: str, text: str, markdown: bool) -> dict[str, Any]:
        """Write a note and return its entry."""
        body = {"investigationId": investigation_id, "data": text, "markdown": markdown, "id": "", "version": 0}
        return self._object("POST", "/entry/note", json_data=body)

    def mark_as_note(self, entry: dict[str, Any], investigation_id: str) -> None:
        """Turn an entry into a note."""
        body = {"id": entry.get("id"), "version": entry.get("version", 0), "investigationId": investigation_id, "data": "true"}
        self._call("POST", "/entry/note", json_data=body)

    def add_formatted(self, investigation_id: str, text: str, entry_format: str) -> dict[str, Any]:
        """Write an entry in a format and return it. Unlike /entry, this route never runs a text that looks like a command."""
        body = {"investigationId": investigation_id, "contents": text, "format": entry_format}
        return self._object("POST", "/entry/formatted", json_data=body)

    def add_chat(self, investigation_id: str, text: str, markdown: bool) -> dict[str, Any]:
        """Write a chat and return its entry. The text must not begin with ! or /, as this route would run it."""
        body = {"investigationId": investigation_id, "data": text, "markdown": markdown, "id": "", "version": 0}
        return self._object("POST", "/entry", json_data=body)

    def tag_entry(self, entry: dict[str, Any], investigation_id: str, tags: list[str]) -> None:
        """Set the tags of an entry."""
        body = {"id": entry.get("id"), "version": entry.get("version", 0), "investigationId": investigation_id, "tags": tags}
        self._call("POST", "/entry/tags", json_data=body)

    def run(self, investigation_id: str, command: str) -> None:
        """Run a command in a War Room and wait for its end."""
        body = {"investigationId": investigation_id, "data": command, "id": "", "version": 0}
        self._call("POST", "/entry/execute/sync", json_data=body)

    def upload(self, investigation_id: str, path: Path, name: str, comment: str, note: bool) -> list[dict[str, Any]]:
        """Add a file to a War Room and return the resulting entries."""
        fields = {"fileComment": comment, "isNoteEntry": "true" if note else "false"}
        route = f"/entry/upload/{quote(investigation_id, safe='')}"
        with path.open("rb") as file:
            body = MultipartFile(fields, name, file)
            answer = self._call("POST", route, data=body, headers={"Content-Type": body.content_type})
        entries = answer.get("entries") if isinstance(answer, dict) else None
        return with_ids(entries if isinstance(entries, list) else [entries])

    def download(self, entry_id: str, target: Path, size: int | None = None) -> None:
        """Stream the file of an entry to `target`. Raises RemoteError if it does not have its `size`, if that is known."""

        def save_to_target(response: requests.Response) -> None:
            # XSOAR REST API: a file comes with this header.
            if "content-disposition" not in response.headers and "json" in response.headers.get("Content-Type", ""):
                raise RemoteError(NOT_API, f"{host_of(response.url)} returned something other than the file: {CHECK_URL}")
            with target.open("wb") as content:
                content.writelines(pieces_of(response, LARGEST_FILE))
            arrived = target.stat().st_size
            if size not in (None, arrived):
                raise RemoteError(UNREACHABLE, f"{host_of(response.url)} returned {arrived} bytes of a file of {size} bytes.")

        if size is not None and size > LARGEST_FILE:
            raise RemoteError(TOO_LARGE, f"The file of entry {entry_id} is larger than {LARGEST_FILE >> 20} MiB.")
        route = f"/entry/download/{quote(entry_id, safe='')}"
        # Compressed, a truncated file would look whole.
        self._call("GET", route, reads=True, use=save_to_target, headers={"Accept-Encoding": "identity"})

    def incident_fields(self) -> list[dict[str, Any]]:
        """Return the incident fields of the remote."""
        return incident_fields_among(self._call("GET", "/incidentfields", reads=True))

    def incident_types(self) -> list[dict[str, Any]]:
        """Return the incident types of the remote."""
        return objects(self._call("GET", "/incidenttype", reads=True))

    def _object(self, method: str, route: str, reads: bool = False, **request: Any) -> dict[str, Any]:
        """Make a call and return the JSON object of its answer, an empty one if the answer is empty."""
        answer = self._call(method, route, reads, **request)
        if answer is not None and not isinstance(answer, dict):
            raise RemoteError(UNUSABLE, f"{host_of(self._settings.api_root)} did not answer like the XSOAR API: {CHECK_URL}")
        return answer or {}

    def _call(
        self, method: str, route: str, reads: bool = False, use: Callable[[requests.Response], Any] | None = None, **request: Any
    ) -> Any:
        """Make a call, retry it where that is safe, and return what `use` makes of the answer, else its JSON."""
        use = use or functools.partial(json_body, reads=reads, sharing=self._settings.sharing)
        pauses = iter(RETRY_PAUSES)
        while True:
            with self._gate:
                started = time.monotonic()
            try:
                return self._call_once(method, route, use, **request)
            except RemoteError as error:
                with self._counting:
                    self._failing_seconds += time.monotonic() - started
                pause, ahead_ms = next(pauses, None), remote_now_ms(self) - local_now_ms()
                is_outdated = self._settings.advanced_key and abs(ahead_ms - self._ahead_ms) >= MINUTE_MS
                if error.kind in (REFUSED_KEY, FORBIDDEN) and is_outdated and pause:
                    # The timestamp of the signature was off: take the remote's time.
                    self._ahead_ms = ahead_ms
                    continue
                # After a rate limit nothing was done. NOT_API: a gateway in trouble may answer with a web page.
                is_safe = error.kind == RATE_LIMIT or (reads and error.kind in (BUSY, UNREACHABLE, NOT_API))
                is_short = error.retry_after <= RETRY_AFTER_LIMIT and self._failing_seconds <= RETRY_BUDGET
                if not (pause and is_safe and is_short):
                    self.limit = error if error.kind == RATE_LIMIT else self.limit
                    raise
                # A rate limit stops all threads. The jitter keeps them, and other instances, from coming back at once.
                with self._gate if error.kind == RATE_LIMIT else contextlib.nullcontext():
                    self.pause(max(pause, error.retry_after) + pause * secrets.randbelow(500) / 1000)

    def _call_once(self, method: str, route: str, use: Callable[[requests.Response], Any], **request: Any) -> Any:
        signed = signed_headers(self._settings, local_now_ms() + self._ahead_ms)
        headers = {**signed, "Content-Type": "application/json", "Accept-Encoding": "gzip", **request.pop("headers", {})}
        if isinstance(request.get("data"), MultipartFile):
            request["data"].rewind()
        with self._counting:
            self.calls += 1
        # A redirect would carry the key to another address. An answer is streamed, so that it is not read beyond a limit.
        request |= {"headers": headers, "allow_redirects": False, "stream": True}
        try:
            with self._http_request(method, route, resp_type="response", error_handler=lambda _: None, **request) as response:
                # The header may be missing or malformed.
                with contextlib.suppress(KeyError, TypeError, ValueError, IndexError, OverflowError):
                    time_ms = int(parsedate_to_datetime(response.headers["Date"]).timestamp()) * 1000
                    if abs(time_ms - local_now_ms()) < LARGEST_SKEW_MS:
                        self.remote_time_ms = time_ms
                if complaint := complaint_of(response, self._settings):
                    error = RemoteError(*complaint, status=response.status_code)
                    if error.kind == RATE_LIMIT:
                        with contextlib.suppress(ValueError):
                            error.retry_after = max(0.0, float(response.headers.get("Retry-After", "0")))
                    raise error
                return use(response)
        except RemoteError:
            raise
        except (DemistoException, RequestException) as failure:
            cause = getattr(failure, "exception", None) or failure
            advice = next(advice for kind, advice in UNREACHABLE_ADVICE if isinstance(cause, kind))
            sentence = f"{host_of(self._settings.api_root)} cannot be reached: {advice} ({type(cause).__name__})."
            # Without its cause: that may contain what was sent, and return_error logs it.
            raise RemoteError(UNREACHABLE, sentence) from None


def remote_now_ms(client: "Client") -> int:
    """Return the remote's clock at its last answer, in milliseconds since 1970; the local clock if it is unknown."""
    return client.remote_time_ms or local_now_ms()


def asked_now_ms(client: "Client") -> int:
    """Ask the remote for its clock."""
    client.about()
    return remote_now_ms(client)


def as_result(work: Callable[..., Any], *args: Any) -> Any:
    """Return what a call returns, or its RemoteError."""
    try:
        return work(*args)
    except RemoteError as error:
        return error


class ReadPool(contextlib.AbstractContextManager["ReadPool"]):
    """Runs calls to the remote in parallel, at most `at_once`. Once one fails, those not yet begun fail with its error.

    The calls must not use `demisto`, which belongs to the main thread. With 0, `start` makes the call itself.
    """

    def __init__(self, at_once: int) -> None:
        self._pool = ThreadPoolExecutor(at_once) if at_once else None
        self._failure: BaseException | None = None

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


class Ledger(NamedTuple):
    """Which entries of an incident have crossed: marks by `Entry.key`. IDs are reused after a restore; the mark tells."""

    # Remote entries that came in or were written from here. Behind the mark stands the `copy_digest` of the local copy, so that
    # the copy is recognized when somebody tags it here.
    seen: dict[str, str] = {}
    history: dict[str, str] = {}  # Remote entries from before the incident was mirrored.
    missing: dict[str, str] = {}  # Remote entries whose file could not be read: the number of tries.
    trying: dict[str, str] = {}  # Local entries, and CLOSING, that the remote may have already.
    sent: dict[str, str] = {}  # Local entries that the remote has.

    def has_seen(self, entry: "Entry") -> bool:
        """Return whether a remote entry is known. An edited one has its plain ID where the remote no longer gives its history."""

        def edited(known: dict[str, str]) -> str | None:
            return next((mark for key, mark in known.items() if key.startswith(f"{entry.id}#")), None)

        return any(
            is_marked(entry, known.get(entry.key)) or (entry.key == entry.id and is_marked(entry, edited(known)))
            for known in (self.seen, self.history)
        )

    def has_sent(self, entry: "Entry") -> bool:
        """Return whether the remote has a local entry."""
        return is_marked(entry, self.sent.get(entry.key))

    def has_copy(self, digest: str) -> bool:
        """Return whether a local entry of that `copy_digest` came in."""
        return bool(digest) and any(value[len(UNMARKED) :] == digest for value in self.seen.values())


class Record(NamedTuple):
    """What is remembered of one remote incident: IDs, times and digests, and no text but sentences for people."""

    created_ms: int = 0  # When it was created there, which with its ID identifies it; 0: not given.
    origin: str = ""  # How the two incidents were paired: FETCHED, CREATED (there, from here) or LINKED (by hand).
    met: bool = False  # A local incident mirrors it: the server asked for it or sent it, or kept the last run of its fetch.
    modified: str = ""  # The remote's `modified` of the fields delivered last.
    fields: str = ""  # Digests of the fields when both sides last agreed. See `field_digests` and `pack_digests`.
    all_fields: bool = False  # The next pull gives all fields, changed or not.
    is_resync: bool = False  # A resync asked for the next pull: how long what it brings took is not known.
    news: str = ""  # The keys of the fields that the last pull gave, packed as in `fields`.
    status: int | None = None  # The remote's status, as last read.
    given: int | None = None  # The remote's status, as last delivered here.
    asked: int | None = None  # The status that the server here was asked for and has not confirmed yet.
    told: int | None = None  # The local status that the remote was told last.
    here: int | None = None  # The local status, as last seen.
    since_ms: int | None = None  # Entries before it are history, until the War Room was read once; None: before lastUpdate.
    owes_files: bool = False  # Attachments of the fetched incident have yet to come.
    ledger: Ledger = Ledger()
    wanted: int = 0  # How often it was asked for. It is due while this and `done` differ.
    done: int = 0  # The `wanted` that the last complete pull had read.
    tries: int = 0  # Failed reads in a row.
    not_before_ms: int = 0  # When to try again (local clock).
    in_ms: int = 0  # When something last came in (local clock); 0: never.
    in_error: str = ""  # Why something does not come in.
    out_ms: int = 0  # When something last went out (local clock); 0: never.
    out_error: str = ""  # Why something does not go out.
    unsent: dict[str, int] = {}  # Since when each change waits (local clock), by `change_digest`.
    shown: str = ""  # Digest of the report that the local incident shows. See `mirror_report`.
    notices: dict[str, str] = {}  # What people here have yet to be told in the War Room, by digest.
    settled: dict[str, str] = {}  # Digests of local values that went, or gave way to what is there, in
    # an update yet to succeed: the server sends them again.
    came_late: bool = False  # It was fetched because a change made it match.
    is_stopped: bool = False  # Somebody stopped its mirroring with xsoar-mirror-stop.

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
        """Whether it may have new entries that `modified` does not show. A pending incident has no War Room yet."""
        return not self.is_stopped and self.status not in (IncidentStatus.PENDING, *SHUT)


class Health(NamedTuple):
    """What xsoar-mirror-status reports about the instance. 0: not yet."""

    cursor_ms: int = 0  # The newest change that a round answered, in the remote's time.
    fetch_ms: int = 0  # When a fetch last succeeded (local clock); may lag by HEALTH_MS, as `round_ms`.
    fetch_calls: int = 0  # The requests it made.
    round_ms: int = 0  # When get-modified-remote-data last succeeded (local clock).
    round_calls: int = 0
    entries_in: int = 0
    entries_out: int = 0
    errors: dict[str, list[Any]] = {}  # The last failure of each command: its time and its sentence.


class Schema(NamedTuple):
    """What is kept of the remote's incident fields."""

    custom_fields: dict[str, str] = {}  # The types of the custom ones, by CLI name.
    close_reasons: tuple[str, ...] = ()  # The close reasons it takes; none: any.
    read_ms: int = 0  # When they were read (local clock); 0: not yet.


class Rules(NamedTuple):
    """Which of the remote's custom fields have a rule in the mappers that xsoar-mirror-mappers exported last."""

    mapped: frozenset[str] = frozenset()  # Those that have one, by their CLI names in lower case.
    left_out: frozenset[str] = frozenset()  # Those that were to have none.
    exported_ms: int = 0  # When (local clock); 0: never, and the instance is taken to use this pack's own mappers.


class Memory(NamedTuple):
    """What the mirror remembers besides the records of its incidents."""

    entries_move: bool | None = None  # Whether a new entry moves its incident's `modified` in the remote; None: not known yet.
    # The incidents being created there: remote ID by origin, empty while unknown. The server learns the ID only when the whole
    # update succeeds, and until then asks for the creation again.
    creating: dict[str, str] = {}
    begun_ms: dict[str, int] = {}  # When each of them was begun that is unknown yet (local clock), by origin.
    reach_ms: int = 0  # How far back the next question for changes must reach, in the remote's time; 0: as usual.
    limited_ms: int = 0  # When the remote last refused a call because there were too many (local clock); 0: never.
    paused_until_ms: int = 0  # Until when all mirroring pauses (local clock).
    fetched: tuple[str, ...] = ()  # The IDs of all that was ever fetched or forgotten. See `packed_ids`.
    schema: Schema = Schema()
    rules: Rules = Rules()
    health: Health = Health()

    @property
    def is_limited(self) -> bool:
        """Whether the remote refused calls a short time ago, so that optional calls are left out."""
        return is_within(LIMITED_MS, self.limited_ms)

    @property
    def is_paused(self) -> bool:
        """Whether all mirroring pauses. A local clock that was put back does not make the pause longer than it may be."""
        return 0 < self.paused_until_ms - local_now_ms() <= LONGEST_PAUSE_MS

    def with_fetched(self, incident_ids: Iterable[str]) -> "Memory":
        """Return the memory with more incidents that were fetched."""
        known = unpacked_ids(self.fetched)
        new = {*incident_ids} - known
        return self._replace(fetched=packed_ids(known | new)) if new else self

    def with_health(self, **health: Any) -> "Memory":
        """Return the memory with some of its health changed."""
        return self._replace(health=self.health._replace(**health))


class Crossing(NamedTuple):
    """One thing that crossed, or did not, for the journal. It names fields and entries and holds nothing of their contents."""

    direction: str  # IN or OUT.
    incident_id: str  # Of the remote incident.
    kind: str  # FETCHED, CREATED, "fields", "entry", "file", "close", "reopen" or "error".
    what: str = ""  # The names of the fields, the ID of the entry, or when a fetched incident was created.
    outcome: str = "crossed"
    since_ms: int = 0  # When it came about, by the clock of the side it comes from; 0: not known.


FETCHED, CREATED, LINKED = "fetched", "created", "linked"
IN, OUT = "in", "out"
OUTCOMES = ("crossed", "already there", "gave way", "refused", "as a note", "given up")
CROSSED, STOOD_THERE, GAVE_WAY, REFUSED_THERE, AS_NOTE, GIVEN_UP = OUTCOMES
EMPTY_RECORD = Record()
CLOSING = "closing"  # Stands in `Ledger.trying` for a closing that was begun; it may have succeeded.
SHARD_KEY, SHARDS = "incidents_", 64  # A command on one of 10,000 incidents unpacks and packs some 150 of them.
MEMORY_KEY, QUEUE_KEY, OPEN_KEY, JOURNAL_KEY = "memory", "queue", "open", "journal"


def packed_ids(ids: Iterable[str]) -> tuple[str, ...]:
    """Return IDs as texts: numbers that follow one another as a range (1-200), any other ID behind an equals sign (=x7)."""
    plain_ids = set(ids)
    numbers = {int(key) for key in plain_ids if re.fullmatch("0|[1-9][0-9]{0,17}", key)}
    first = sorted(number for number in numbers if number - 1 not in numbers)
    last = sorted(number for number in numbers if number + 1 not in numbers)
    others = sorted(plain_ids - {str(number) for number in numbers})
    return (*(f"{begin}-{end}" for begin, end in zip(first, last, strict=True)), *(f"={key}" for key in others))


def unpacked_ids(packed: Iterable[str]) -> set[str]:
    """Return the IDs that `packed_ids` packed."""
    ranges = [re.fullmatch(r"(\d{1,18})-(\d{1,18})", item) for item in packed]
    numbers = {str(number) for found in ranges if found for number in range(int(found[1]), int(found[2]) + 1)}
    return numbers | {item[1:] for item in packed if item.startswith("=")}


def pack_marks(marks: dict[str, str]) -> dict[str, Any]:
    """Return a table of a ledger in half the space, with the entries of each War Room joined.

    Under "" stands for each of them [what follows the @, the steps from number to number, the marks in one text]; and once more
    where marks differ in length.
    """
    packed: dict[str, Any] = {}
    rooms: dict[tuple[str, int], dict[int, str]] = {}
    for key, mark in marks.items():
        number, _, room = key.partition("@")
        if room and number.isdecimal() and number == str(int(number)):
            rooms.setdefault((room, len(mark)), {})[int(number)] = mark
        else:
            packed[key] = mark
    if rooms:
        packed[""] = [
            [room, [after - before for before, after in pairwise([0, *found])], "".join(found.values())]
            for (room, _), found in rooms.items()
        ]
    return packed


def unpack_marks(packed: Any) -> dict[str, str]:
    """Return the table of a ledger that `pack_marks` packed; an empty one when it is damaged."""
    try:
        marks = dict(packed)
        for room, steps, row in marks.pop("", []):
            width = len(row) // len(steps)
            marks |= {f"{number}@{room}": row[at * width :][:width] for at, number in enumerate(accumulate(steps))}
        return marks
    except (TypeError, ValueError, ZeroDivisionError):
        return {}


def is_record(value: Any) -> bool:
    """Return whether a value has named fields, as Record, Memory and their parts have."""
    return hasattr(value, "_fields")


def pack(value: Any) -> Any:
    """Return a value as plain data; of a record only what differs from a new one."""
    if is_record(value):
        new = type(value)()
        names = [name for name in value._fields if getattr(value, name) != getattr(new, name)]
        pack_field: Callable[[Any], Any] = pack_marks if isinstance(value, Ledger) else pack
        return {name: pack_field(getattr(value, name)) for name in names}
    return sorted(value) if isinstance(value, frozenset) else list(value) if isinstance(value, tuple) else value


def unpack(packed: Any, new: Any) -> Any:
    """Return what `pack` packed, in the type of `new`; what is missing or damaged is as in `new`."""
    if is_record(new):
        kept = packed if isinstance(packed, dict) else {}
        names = [name for name in new._fields if name in kept]
        if isinstance(new, Ledger):
            return Ledger(**{name: unpack_marks(kept[name]) for name in names})
        return type(new)(**{name: unpack(kept[name], getattr(new, name)) for name in names})
    if isinstance(new, frozenset | tuple):
        return type(new)(texts(packed))
    return packed if type(packed) is type(new) or (new is None and isinstance(packed, int)) else new


def kept_as(kind: type[Any], text: Any) -> Any:
    """Return the value of a JSON text that was kept; an empty one of that kind when it is missing or damaged."""
    try:
        value = json.loads(text)
    except (TypeError, ValueError):
        return kind()
    return value if isinstance(value, kind) else kind()


def squeezed(value: Any) -> str:
    """Return plain data as a compressed text."""
    return base64.b64encode(zlib.compress(to_json(value).encode(), 1)).decode()


def expanded(text: Any) -> dict[str, Any]:
    """Return the object that `squeezed` was given; an empty one when the text is missing or damaged."""
    try:
        return kept_as(dict, zlib.decompress(base64.b64decode(str(text or ""))))
    except (ValueError, zlib.error):
        return {}


@dataclass(frozen=True)
class Store:
    """The integration context as a value: all that the mirror remembers between commands.

    Records are kept in compressed shards, of which a command touches only a few. Beside them, as plain JSON, stand `queue` (when
    to pull each incident that is due, by ID, and since when it is) and `open` (the incidents that may have quiet news), so that
    a quiet round opens no shard. `journal` is compressed as well.
    """

    context: dict[str, Any]

    def records(self, incident_ids: Iterable[str]) -> dict[str, Record]:
        """Return the records of some incidents by ID, without those that are not mirrored."""
        shards = {incident_id: self._shard(shard_of(incident_id)) for incident_id in incident_ids}
        return {key: unpack(shard[key], EMPTY_RECORD) for key, shard in shards.items() if key in shard}

    def record(self, incident_id: str) -> Record:
        """Return the record of an incident, an empty one when there is none."""
        return self.records([incident_id]).get(incident_id, EMPTY_RECORD)

    def all_records(self) -> dict[str, Record]:
        """Return all records by ID."""
        shards = sorted(key for key in self.context if key.startswith(SHARD_KEY))
        return {key: unpack(packed, EMPTY_RECORD) for shard in shards for key, packed in self._shard(shard).items()}

    def portion(self, begin: int, most: int) -> tuple[dict[str, Record], int]:
        """Return the records of some shards, until there are `most`, and the number of the next shard; SHARDS: that is all."""
        found: dict[str, Record] = {}
        for number in range(begin, SHARDS):
            if len(found) >= most:
                return found, number
            found |= {key: unpack(kept, EMPTY_RECORD) for key, kept in self._shard(f"{SHARD_KEY}{number:02d}").items()}
        return found, SHARDS

    @functools.cached_property
    def memory(self) -> Memory:
        """What is remembered besides the records."""
        return unpack(expanded(self.context.get(MEMORY_KEY)), Memory())

    @functools.cached_property
    def queue(self) -> dict[str, int]:
        """When to pull each incident that is due (local clock, in ms), by ID, the longest waiting first."""
        return {key: not_before_ms for key, (not_before_ms, _) in self.waiting.items()}

    @functools.cached_property
    def waiting(self) -> dict[str, tuple[int, int]]:
        """The queue with since when each incident is due (local clock, in ms); 0: an older version did not keep it."""
        kept = kept_as(dict, self.context.get(QUEUE_KEY))
        pairs = {key: value if isinstance(value, list) and len(value) == 2 else (value, 0) for key, value in kept.items()}
        return {key: (whole(not_before_ms, 0), whole(since_ms, 0)) for key, (not_before_ms, since_ms) in pairs.items()}

    @functools.cached_property
    def journal(self) -> list[list[Any]]:
        """The last crossings, the oldest first. See `journaled`."""
        return unpack_journal(self.context.get(JOURNAL_KEY))

    def was_refused(self, crossing: Crossing) -> bool:
        """Return whether the journal has the same refusal since something of this kind last crossed: the server retries."""
        told = (row[4:6] for row in reversed(self.journal) if row[1:4] == [*crossing[:3]])
        told_since = takewhile(lambda row: row[1] != CROSSED, told)
        return crossing.outcome == REFUSED_THERE and [short(crossing.what), REFUSED_THERE] in told_since

    @functools.cached_property
    def open(self) -> list[str]:
        """The incidents that may have quiet news, by age."""
        return texts(kept_as(list, self.context.get(OPEN_KEY)))

    @functools.cached_property
    def _expanded(self) -> dict[str, dict[str, Any]]:
        return {}

    def _shard(self, key: str) -> dict[str, Any]:
        """Return the packed records of a shard, which is expanded once."""
        if key not in self._expanded:
            self._expanded[key] = expanded(self.context.get(key))
        return self._expanded[key]

    def due(self, now_ms: int) -> list[str]:
        """Return the incidents to pull now, the longest waiting first."""
        return [incident_id for incident_id, not_before_ms in self.queue.items() if not_before_ms <= now_ms]

    def with_records(self, records: dict[str, Record], gone: Iterable[str] = ()) -> "Store":
        """Return the store with some records as they are now, and without others."""
        after: dict[str, Record | None] = {**records, **dict.fromkeys(gone)}
        shards = {key: dict(self._shard(key)) for key in map(shard_of, after)}
        for incident_id, record in after.items():
            shard = shards[shard_of(incident_id)]
            shard.pop(incident_id, None)
            if record:
                shard[incident_id] = pack(record)
        context = {key: value for key, value in self.context.items() if key not in shards}
        context |= {key: squeezed(shard) for key, shard in shards.items() if shard}
        since = {key: since_ms for key, (_, since_ms) in self.waiting.items()}
        now_ms = local_now_ms()
        due = {key: (record.not_before_ms, since.get(key, now_ms)) for key, record in after.items() if record and record.is_due}
        waiting = {key: times for key, times in {**self.waiting, **due}.items() if key in due or key not in after}
        if waiting != self.waiting:
            context[QUEUE_KEY] = to_json(waiting)
        quiet = {key for key, record in after.items() if record and record.may_have_quiet_news}
        still_open = quiet | (set(self.open) - after.keys())
        if still_open != set(self.open):
            context[OPEN_KEY] = to_json(sorted(still_open, key=entry_number))
        return Store(context)

    def with_memory(self, change: Callable[[Memory], Memory]) -> "Store":
        """Return the store with what is remembered besides the records changed."""
        after = change(self.memory)
        return self if after == self.memory else Store({**self.context, MEMORY_KEY: squeezed(pack(after))})

    def with_crossings(self, crossings: Iterable[Crossing], there_ms: int = 0, is_fetch: bool = False) -> "Store":
        """Return the store with more crossings in its journal. `there_ms`: the remote's clock. `is_fetch`: see `journaled`."""
        if not (new := list(crossings)):
            return self
        rows = journaled(self.journal, new, local_now_ms(), there_ms, is_fetch)
        return Store({**self.context, JOURNAL_KEY: packed_journal(rows)})

    def with_health(self, before: "Store", noted: str, **health: Any) -> "Store":
        """Return the store with some of its health changed, and the time `noted`, which tells when, set to now.

        Where nothing else differs from `before`, the store as it is kept, health alone is written every five minutes only.
        """
        if self == before and is_within(HEALTH_MS, getattr(self.memory.health, noted)):
            return before
        return self.with_memory(lambda memory: memory.with_health(**{**health, noted: local_now_ms()}))


def journaled(
    rows: list[list[Any]], crossings: list[Crossing], now_ms: int, there_ms: int, is_fetch: bool = False
) -> list[list[Any]]:
    """Return the journal with more crossings, each as [time here in ms, direction, remote ID, kind, what, outcome, lag].

    The lag is in seconds; None where it is not known. What a fetch brings takes the place of the same in the journal: the first
    run was killed before its incidents were created.
    """
    new: list[list[Any]] = [
        [
            *(now_ms, crossing.direction, crossing.incident_id, crossing.kind, short(crossing.what), crossing.outcome),
            max(0, (there_ms if crossing.direction == IN else now_ms) - crossing.since_ms) // 1000
            if crossing.since_ms > 0
            else None,
        ]
        for crossing in crossings
    ]
    again = {tuple(row[1:5]) for row in new} if is_fetch else ()
    return [*(row for row in rows if tuple(row[1:5]) not in again), *new][-MOST_CROSSINGS:]


def packed_journal(rows: list[list[Any]]) -> str:
    """Return the rows of a journal as a compressed text, without the oldest where it would be too large.

    They are kept by columns, and the times as the steps between them, since this compresses better.
    """
    while True:
        times, *columns = zip(*rows, strict=True) if rows else [()]
        steps = [after - before for before, after in pairwise([0, *times])]
        packed = squeezed({"columns": [steps, *columns]})
        if len(packed) <= LARGEST_JOURNAL:
            return packed
        rows = rows[len(rows) // 16 + 1 :]


def unpack_journal(packed: Any) -> list[list[Any]]:
    """Return the rows that `packed_journal` packed; none when they are damaged."""
    try:
        steps, *columns = expanded(packed)["columns"]
        rows = [list(row) for row in zip(accumulate(steps), *columns, strict=True)]
    except (KeyError, TypeError, ValueError):
        return []
    kinds = [int, *[str] * 5]
    return [row for row in rows if [*map(type, row[:-1])] == kinds and type(row[-1]) in (int, type(None))]


def percentile(values: Iterable[int], share: float) -> int | None:
    """Return the value that a share of all values does not exceed; None without values."""
    ordered = sorted(values)
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None


def named_entry(key: str) -> str:
    """Return how an entry is named to people, by its key: its ID and the number of its edit, without the digest of the text.

    An attachment without an entry is known by its file's name, which is left out.
    """
    return "attachment" if key.startswith(UNHELD) else re.sub(r"#(\d+)\..*", r"#\1", key)


def entry_crossing(direction: str, incident_id: str, entry: Entry, outcome: str = CROSSED) -> Crossing:
    """Return the crossing of an entry or its file."""
    return Crossing(
        direction, incident_id, "file" if entry.has_file else "entry", named_entry(entry.key), outcome, entry.touched_ms
    )


def names_among(incident: dict[str, Any], digests: Iterable[str]) -> str:
    """Return the names of those fields of an incident whose names have one of the digests, in one text."""
    names = [*(key for key in incident if key != "CustomFields"), *(f"{CUSTOM}{key}" for key in custom_fields(incident))]
    return named(name for name in names if name_digest(name) in digests)


def named(names: Iterable[str]) -> str:
    """Return names of fields in one text, the custom ones without their prefix."""
    return ", ".join(sorted({name.removeprefix(CUSTOM) for name in names}))


def shard_of(incident_id: str) -> str:
    """Return the key of the integration context under which the record of an incident is kept, with a few others."""
    return f"{SHARD_KEY}{zlib.crc32(incident_id.encode(errors='replace')) % SHARDS:02d}"


def read_store() -> Store:
    """Return what the mirror remembers; nothing when the integration context is damaged."""
    context = get_integration_context()
    return Store(context if isinstance(context, dict) else {})


def change_store(change: Callable[[Store], Store]) -> None:
    """Change what the mirror remembers; if another command changed it in the meantime, apply the change to the new version.

    Raises:
        DemistoException: other commands changed it each time.
    """
    for _ in range(CONTEXT_TRIES):
        context, version = get_integration_context_with_version()
        before = Store(context if isinstance(context, dict) else {})
        after = change(before)
        if after == before:
            return
        with contextlib.suppress(ValueError):  # The platform raises this if the version is stale.
            set_integration_context(after.context, version=version)
            return
    raise DemistoException(
        "The integration context could not be saved because other commands keep changing it; the next round tries again."
    )


def change_memory(change: Callable[[Memory], Memory]) -> None:
    """Change what the mirror remembers besides its records. See `change_store`."""
    change_store(lambda store: store.with_memory(change))


def change_record(
    incident_id: str, change: Callable[[Record], Record], entries_out: int = 0, crossings: Iterable[Crossing] = ()
) -> None:
    """Change the record of one incident, count entries that went out, and journal what crossed. See `change_store`.

    What did not cross is journaled only with a change of the record, and only once, so that retries neither write nor list it.
    """

    def change_one(store: Store) -> Store:
        before = store.record(incident_id)
        after = change(before)
        changed = store if after == before else store.with_records({incident_id: after})
        changed = changed.with_crossings(
            item for item in crossings if item.outcome == CROSSED or (after != before and not store.was_refused(item))
        )
        return changed.with_memory(lambda memory: memory.with_health(entries_out=memory.health.entries_out + entries_out))

    change_store(change_one)


def merged(before: Any, after: Any, now: Any) -> Any:
    """Three-way merge of records: apply `before` -> `after` onto `now`. A field that both changed stays as in `now`."""
    if now == before:
        return after
    changes: dict[str, Any] = {}
    for name in before._fields:
        was, then, current = (getattr(record, name) for record in (before, after, now))
        if is_record(was):
            changes[name] = merged(was, then, current)
        elif isinstance(was, dict):
            added = {key: value for key, value in then.items() if was.get(key) != value}
            gone = was.keys() - then.keys()
            changes[name] = {key: value for key, value in {**current, **added}.items() if key not in gone}
        elif current == was:
            changes[name] = then
    return now._replace(**changes)


def asked_for(record: Record, settings: Settings) -> Record:
    """Return the record of an incident for the next round to pull, if changes come in at all."""
    return wanted_again(record) if settings.comes_in else record


def wanted_again(record: Record) -> Record:
    """Return the record of an incident to pull once more, at once."""
    return record._replace(wanted=record.wanted + 1, not_before_ms=0, tries=0 if record.tries >= MOST_TRIES else record.tries)


def tried_in_vain(record: Record, now_ms: int, at_once: int = 0) -> Record:
    """Return the record of an incident that could not be read completely: it is retried after ever longer pauses.

    Args:
        at_once: how many of the first pauses are left out.
    """
    pauses = record.tries - at_once
    return record._replace(
        wanted=max(record.wanted, record.done + 1),
        tries=min(record.tries + 1, MOST_TRIES),
        not_before_ms=now_ms + HOUR_MS * 2**pauses if pauses >= 0 else 0,
    )


def note_error(command: str, error: str) -> None:
    """Remember why a command failed, for xsoar-mirror-status.

    An outage fails each minute, and for many incidents: the failures of a command are written at most once a minute, and every
    five minutes while they differ only in the incident.
    """

    def note(memory: Memory) -> Memory:
        last_ms, last_error = last_failure(memory.health, command)
        is_other = len({re.sub(r"^Incident [^:]+: ", "", sentence) for sentence in (error, last_error)}) > 1
        if is_within(MINUTE_MS if is_other else HEALTH_MS, last_ms):
            return memory
        return memory.with_health(errors={**memory.health.errors, command: [local_now_ms(), error]})

    change_memory(note)


def note_limit() -> None:
    """Remember that the remote refuses calls because there were too many, at most once a minute."""
    now_ms = local_now_ms()
    change_memory(lambda memory: memory if is_within(MINUTE_MS, memory.limited_ms) else memory._replace(limited_ms=now_ms))


def last_failure(health: Health, command: str) -> tuple[int, str]:
    """Return when a command failed last, and why; 0 and an empty text when it did not, or what was kept is damaged."""
    match health.errors.get(command):
        case [int(moment_ms), error]:
            return moment_ms, str(error)
    return 0, ""


def forgotten(records: dict[str, Record], now_ms: int) -> set[str]:
    """Return the incidents to forget: those that were closed long ago, and the oldest of those beyond KEPT_RECORDS."""

    def is_old(record: Record) -> bool:
        # Without its record, one that was reopened here would be closed again: its remote is closed.
        is_shut = is_closed(record.status) and not is_open(record.told) and not is_open(record.here)
        return is_shut and not record.is_stopped and parse_ms(record.modified, now_ms) <= now_ms - KEPT_CLOSED_MS

    recent = {key: record for key, record in records.items() if not is_old(record)}
    oldest_first = sorted(recent, key=lambda key: (not is_closed(recent[key].status), parse_ms(recent[key].modified, 0)))
    return set(records) - set(oldest_first[-KEPT_RECORDS:])


""" CURSOR """

UNREADABLE_RUN = (
    "The last run cannot be read: set First fetch time to when incidents were last fetched, so that none is fetched twice, "
    "then use Reset the last run timestamp in the instance settings."
)


class Cursor(NamedTuple):
    """Up to where incidents of the remote have been delivered, in the remote's own time."""

    time_ms: int  # When the newest delivered one was created (fetch) or changed (mirroring).
    since_ms: int  # From when on `known` is complete; nothing before it is asked for again.
    known: dict[str, int] = {}  # What was delivered from `since_ms` on: key and time. It is skipped.

    def start(self, look_back_ms: int) -> int:
        """Return from when on to ask: no earlier than what is known, even where the look-back was enlarged."""
        return max(self.since_ms, self.time_ms - look_back_ms)

    def is_ahead(self, now_ms: int) -> bool:
        """Return whether the remote clock seems to have been set back to before what was delivered."""
        return now_ms < self.time_ms

    def advance(self, delivered: dict[str, int], look_back_ms: int, now_ms: int, kept_ms: int = 0) -> "Cursor":
        """Return the cursor behind a delivery, given as times by key.

        From before the look-back it keeps only what is at most `kept_ms` old and among the newest 2,000. A time in the future
        moves it no further than to now, so that it skips nothing that comes until then.
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
    """Return the cursor of a last run; without one, a cursor at the time that `first_ms` gives.

    Raises:
        ValueError: the last run is damaged, or not one of ours. Starting over unasked would deliver incidents again.
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
    """Return a last run in our own form where the official pack left it, whose integration has the same name and instances.

    There `last_fetch` is the time from which on it would fetch next, and `last_fetched_incidents` holds the IDs that it
    fetched from then on already; versions before 2.0.20 kept the time alone. Any other last run is returned as it is.

    Raises:
        ValueError: the time or the IDs cannot be read.
    """
    if "last_fetch" not in run or "time" in run:
        return run
    time_ms, fetched = parse_last_update(run["last_fetch"], -1), run.get("last_fetched_incidents") or []
    with contextlib.suppress(ValueError):
        fetched = json.loads(fetched) if isinstance(fetched, str) else fetched
    if time_ms < 0 or not isinstance(fetched, list) or not all(map(is_id, fetched)):
        raise ValueError(UNREADABLE_RUN)
    ours = {key: value for key, value in run.items() if key not in ("last_fetch", "last_fetched_incidents")}
    return ours | Cursor(time_ms, time_ms, {str(incident_id): time_ms for incident_id in fetched}).to_run()


def cursor_at_rest(last_run: dict[str, Any], cursor: Cursor, begun_ms: int, client: Client) -> dict[str, str]:
    """Return what the last mirror run keeps beside the cursor: when it moved last, and its time once all before that was read.

    A change may reach the remote's search index MODIFIED_OVERLAP_MS after it was made, so all of them were there for a round that
    began later than that after the cursor moved. Both clocks must say so, as either may have been put forward. As long as the
    overlap holds no more than one page, reading it again costs nothing, and is done however late the index is.
    """
    time_there, now_ms = iso(cursor.time_ms), local_now_ms()
    moved_ms = parse_ms(last_run.get("moved"), now_ms)
    if time_there != last_run.get("time") or moved_ms > now_ms:
        moved_ms = now_ms
    rested_ms = min(begun_ms - moved_ms, remote_now_ms(client) - cursor.time_ms)
    was_read = rested_ms > MODIFIED_OVERLAP_MS and len(cursor.known) > PAGE_SMALLEST and not client.is_late()
    return {"moved": iso(moved_ms), "complete": time_there if was_read else ""}


def search_everything(
    client: Client,
    read_page: Callable[[int, int], tuple[list[dict[str, Any]], int]],
    size: int,
    time_field: str,
    since_ms: int,
) -> Iterator[list[dict[str, Any]]]:
    """Yield all incidents from a time on, ascending, page by page, each once; stop early once the client is late.

    Pages shift while they are read when incidents leave the result. So the next page is asked for by time, from the last
    incident read on, and by page number only where more incidents share one millisecond than a page holds. The last page is
    one that is short although the remote does not say that there is more, or that holds nothing new. Incidents older than
    `since_ms` are skipped: a remote that ignores the bound costs pages, and delivers nothing twice.

    Args:
        read_page: takes a time in milliseconds and a page number; returns that page of the incidents from that time on
            (inclusive, ascending by `time_field`), and how many the remote says there are in all.
        size: how many incidents `read_page` asks for.
    """
    begin_ms, page, keeps_bound, seen = since_ms, 0, True, set[str]()
    for _ in range(MOST_PAGES):
        incidents, total = read_page(since_ms, page)
        # By ID, as a page may hold one twice.
        fresh = {key: incident for incident in incidents if (key := str(incident.get("id"))) not in seen}
        seen.update(fresh)
        wanted = [incident for incident in fresh.values() if parse_ms(incident.get(time_field), begin_ms) >= begin_ms]
        if wanted:
            yield wanted
        is_short = len(incidents) < min(size, PAGE_SMALLEST) and total <= (page + 1) * len(incidents)
        if not incidents or is_short or (page > 0 and not fresh) or client.is_late():
            return
        times = [parse_ms(incident.get(time_field), since_ms) for incident in incidents]
        keeps_bound = keeps_bound and min(times) >= since_ms
        since_ms, page = (max(times), 0) if keeps_bound and max(times) > since_ms else (since_ms, page + 1)


""" FETCH """


def combined_query(query: str, skip_own: bool) -> str:
    """Return the user's query, its meaning unchanged, with the incidents that this integration made left out.

    This only saves calls: a remote may drop the brand of a new incident. Records and `is_from_here` decide.
    """
    own = f'-sourceBrand:"{BRAND}"' if skip_own else ""
    return f"({query}) and {own}" if query and own else query or own


def fetch_new(client: Client, settings: Settings, cursor: Cursor, store: Store) -> list[Incident]:
    """Return the remote incidents to create, the oldest first, at most `max_fetch`.

    It leaves out those that a local incident mirrors, as their records say, and those that were created from here, as
    `dbotMirrorId` says where a record is lost.
    """
    query, here = combined_query(settings.query, settings.skip_own), tenant_name(settings)
    start_ms = cursor.start(settings.look_back_ms)
    size = min(SEARCH_PAGE_LIMIT, sum(moment >= start_ms for moment in cursor.known.values()) + settings.max_fetch)

    def read_page(since_ms: int, page: int) -> tuple[list[dict[str, Any]], int]:
        return client.search(query, size=size, page=page, from_ms=since_ms)

    def is_new(incident: Incident) -> bool:
        if {incident.id, fetched_key(incident)} & cursor.known.keys():
            return False
        record = store.record(incident.id)  # Perhaps of another incident: a restored tenant assigns an ID again.
        return not (record.is_mirrored_here and is_same(record, incident)) and not is_from_here(incident.raw, here)

    new: list[Incident] = []
    for portion in search_everything(client, read_page, size, "created", start_ms):
        new += filter(is_new, map(Incident.of, portion))
        if len(new) >= settings.max_fetch:
            break
    return sorted(new, key=lambda incident: created_order(incident.raw, cursor.time_ms))[: settings.max_fetch]


def late_cursor(client: Client, kept: str) -> Cursor:
    """Return up to where changes were looked at for incidents that came to match; it begins now.

    Where it is damaged, or the remote's clock was put back, it begins anew: what was ever fetched is not fetched again.
    """
    try:
        cursor = read_cursor(json.loads(kept), lambda: 0)
    except ValueError:
        now_ms = asked_now_ms(client)
        return Cursor(now_ms, now_ms)
    begin_ms = remote_now_ms(client) - HOUR_MS
    return Cursor(begin_ms, begin_ms) if cursor.is_ahead(remote_now_ms(client)) else cursor


def fetch_late(
    client: Client, settings: Settings, late: Cursor, store: Store, cursor: Cursor, room: int
) -> tuple[list[Incident], dict[str, int]]:
    """Return older incidents that a change made match the query, the earliest change first, at most `room`.

    It leaves out what was ever fetched, what is mirrored here or was created from here, and what the search by creation covers.
    Returns the changes that were looked at as well, as times by `changed_key`.
    """
    query, here = combined_query(settings.query, settings.skip_own), tenant_name(settings)
    covered_ms, fetched = cursor.start(settings.look_back_ms), unpacked_ids(store.memory.fetched)
    fetched |= {key.partition(" ")[0] for key in cursor.known}

    def read_page(since_ms: int, page: int) -> tuple[list[dict[str, Any]], int]:
        bound = f'modified:>="{iso(since_ms)}"'
        return client.search(f"({query}) and {bound}" if query else bound, size=SEARCH_PAGE, page=page, sort="modified")

    def is_known(incident: Incident) -> bool:
        record = store.record(incident.id)
        is_mirrored = record.is_mirrored_here and is_same(record, incident)
        return incident.id in fetched or is_mirrored or is_from_here(incident.raw, here)

    found: list[Incident] = []
    looked_at: dict[str, int] = {}
    for portion in search_everything(client, read_page, SEARCH_PAGE, "modified", late.start(MODIFIED_OVERLAP_MS)):
        for incident in map(Incident.of, portion):
            if changed_key(incident) in late.known or incident.id in [item.id for item in found]:
                continue
            if not is_known(incident):
                if incident.created_ms >= covered_ms:
                    # Not noted: if it came to match after that search, and that search moves on, it is found here next time.
                    continue
                if len(found) >= room:
                    return found, looked_at
                found.append(incident)
            looked_at[changed_key(incident)] = incident.modified_ms or late.time_ms
    return found, looked_at


def fetched_key(incident: Incident) -> str:
    """Return the key of an incident among what was fetched. What the official pack fetched is there by its ID alone."""
    return f"{incident.id} {incident.created_ms}"


def is_same(record: Record, incident: Incident) -> bool:
    """Return whether a record is about a remote incident: same time of creation, which tenants give in different precision."""
    return not record.created_ms or not incident.created_ms or abs(record.created_ms - incident.created_ms) < 1000


def is_from_here(remote: dict[str, Any], here: str) -> bool:
    """Return whether a remote incident was created for one of this tenant. See `origin_of`."""
    return str(remote.get("dbotMirrorId") or "").endswith(f"@{here}")


def tenant_name(settings: Settings) -> str:
    """Return what tells this tenant from others: its host, or the name of the instance where the server does not tell."""
    return host_of(str(demisto.demistoUrls().get("server"))) or settings.instance


def is_older(incident: Incident, record: Record) -> bool:
    """Return whether a remote incident seems older than what its record knows: by its time, or by a status that moved without."""
    modified_ms, known_ms = incident.modified_ms, parse_ms(record.modified, 0)
    is_moved = None not in (incident.status, record.status) and is_closed(incident.status) != is_closed(record.status)
    return 0 < modified_ms < known_ms or (is_moved and 0 < modified_ms == known_ms)


def ensure_same(record: Record, incident: Incident, settings: Settings) -> Incident:
    """Return a remote incident that is the one of its record. Raises RemoteError for a stranger that has its ID."""
    if is_same(record, incident):
        return incident
    raise RemoteError(
        STRANGER,
        f"Incident {incident.id} of {host_of(settings.api_root)} is not the one mirrored here: it was created "
        f"{iso(incident.created_ms)[:19]}Z, not {iso(record.created_ms)[:19]}Z. Check XSOAR Server URL. If the remote tenant was "
        "restored from a backup, end the mirroring of this incident with xsoar-mirror-stop.",
    )


def ensure_current(client: Client, settings: Settings, record: Record, loaded: Incident) -> Incident:
    """Return a remote incident that was loaded, loaded again where it seems older than its record. See `ensure_same`.

    A server of a cluster may lag behind the others. A remote that was restored from a backup gives the same again.
    """
    incident = ensure_same(record, loaded, settings)
    return ensure_same(record, Incident.of(client.load(loaded.id)), settings) if is_older(incident, record) else incident


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
    """Return whether the server accepts a value for a field of a fetched incident. A bad one may fail the whole fetch."""
    if key == "severity":
        return isinstance(value, int | float) and not isinstance(value, bool) and value in SEVERITIES
    return parse_ms(value, -1) != -1 if key in FETCHED_TIMES else isinstance(value, str)


def mirrored_fields(remote: dict[str, Any], settings: Settings, record: Record) -> dict[str, Any]:
    """Return a remote incident for the incoming mapper: custom fields also stand at the top, under their CLI names.

    SLA timers stay behind, and the playbook unless it is wanted. The remote's own mirror fields, with which it may itself
    mirror a third tenant, give way to ours: otherwise the mapper would point the local incident at that tenant.
    """
    remote_id = str(remote.get("id"))
    custom = {key: value for key, value in custom_fields(remote).items() if not stays(key, value) and not steers(key)}
    own = {key: value for key, value in remote.items() if not key.lower().startswith("dbot")}
    if not settings.mirror_playbook:
        own.pop("playbookId", None)
    return {
        **{key: value for key, value in {**custom, **own}.items() if key not in REPORT_KEYS},
        **remote_owner(own),
        "CustomFields": custom,
        "dbotMirrorId": remote_id,
        "dbotMirrorInstance": settings.instance,
        **mirror_report(settings, remote_id, record),
    }


def remote_owner(remote: dict[str, Any]) -> dict[str, str]:
    """Return the owner of a remote incident for the incoming mapper, where it is shared."""
    return {"mirror_remote_owner": str(remote["owner"] or "")} if "owner" in remote else {}


REPORT_KEYS = {
    *("mirror_remote_id", "mirror_remote_link", "mirror_remote_tenant", "mirror_state", "mirror_last_in", "mirror_last_out"),
    *("in_mirror_error", "out_mirror_error", "mirror_remote_owner"),
}


def mirror_report(settings: Settings, incident_id: str, record: Record) -> dict[str, Any]:
    """Return what the incoming mapper puts into this pack's incident fields, by REPORT_KEYS.

    Where changes do not come in, no later error could be shown either, so the state is left out.
    """
    report = {
        "mirror_remote_id": incident_id,
        "mirror_remote_link": remote_link(settings, incident_id),
        "mirror_remote_tenant": host_of(settings.api_root).removeprefix("api-"),
        "mirror_state": mirror_state(record) if settings.comes_in else None,
        "mirror_last_in": iso(record.in_ms) if record.in_ms and settings.comes_in else None,
        "mirror_last_out": iso(record.out_ms) if record.out_ms else None,
        "in_mirror_error": record.in_error,
        "out_mirror_error": record.out_error,
    }
    return {key: value for key, value in report.items() if value is not None}


def mirror_state(record: Record) -> str:
    """Return the mirroring state of an incident: in step, behind (something is being retried), an error, or stopped."""
    if record.is_stopped:
        return "Stopped"
    return "Error" if record.in_error or record.out_error else "Behind" if record.tries else "In Step"


def report_digest(settings: Settings, incident_id: str, record: Record) -> str:
    """Return the digest of a report, which tells whether the local incident shows it already."""
    return short_digest(mirror_report(settings, incident_id, record))


NO_FILE = RemoteError(NOT_FOUND, "No entry in the remote War Room holds it.")


def entries_with_files(client: Client, incident: Incident) -> list[Entry]:
    """Return the entries of an incident that hold files."""
    return read_entries(client, incident.investigation_id, {"categories": ["attachments"]})


def readable(client: Client, work: Callable[..., Any], *args: Any) -> Any:
    """Return what a call returns, or why only it failed: this run is out of time or calls, or this one item cannot be read.

    Raises:
        RemoteError: the remote as a whole is away, so that the run is repeated.
    """
    if client.is_late():
        return RemoteError(LATE, "This run is out of time; the next one continues.")
    if client.limit:
        return client.limit
    try:
        return work(*args)
    except RemoteError as error:
        if error.kind in (BUSY, UNREACHABLE, REFUSED_KEY, NOT_API):
            client.about()
        return error


class Download(NamedTuple):
    """A file of the remote that was read, or a note in its place: its file result, the digest that recognizes its local copy
    (`copy_digest`), and its outcome for the journal.
    """

    result: dict[str, Any]
    digest: str
    outcome: str = CROSSED


def start_download(client: Client, settings: Settings, pool: ReadPool, entry: Entry, name: str) -> "Future[Any]":
    """Begin to download the file of an entry into the working folder. Its result is a Download, or what `readable` gives."""
    kind = entry.raw.get("type")
    # These the War Room shows in place.
    is_shown = kind in (EntryType.IMAGE, EntryType.ENTRY_INFO_FILE, EntryType.VIDEO_FILE, EntryType.STATIC_VIDEO_FILE)
    shown_name = safe_file_name(redacted_name(name, settings.sharing))
    result = fileResult(shown_name, "", file_type=kind if is_shown else EntryType.FILE)
    # CommonServerPython: fileResult creates the file under this name. The download fills it, so it is never in memory whole.
    path = Path(f"{demisto.investigation()['id']}_{result['FileID']}")

    def check(size: int | None) -> None:
        if refusal := file_refusal(name, size, settings.sharing):
            raise RemoteError(NOT_SHARED, refusal)

    def download() -> Download:
        try:
            check(file_size(entry))
            client.download(entry.id, path, file_size(entry))
            check(path.stat().st_size)
            return Download(result, copy_digest(result["File"], path))
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    return pool.start(readable, client, download)


def file_size(entry: Entry) -> int | None:
    """Return how many bytes the file of an entry has; None where the entry does not say."""
    metadata = entry.raw.get("fileMetadata")
    size = whole(metadata.get("size"), -1) if isinstance(metadata, dict) else -1
    return size if size >= 0 else None


NOTED = (TOO_LARGE, NOT_SHARED)  # For such a file a note comes at once.


def note_for_file(settings: Settings, incident_id: str, name: str, problem: RemoteError) -> str:
    """Return the note that replaces a file that is not mirrored. It does not name a file that is not shared."""
    name, link = redacted(name, settings.sharing), remote_link(settings, incident_id)
    if problem.kind == NOT_SHARED:
        return f"A file added there is not shared: {problem}. It is in the remote incident: {link}"
    if problem.kind == TOO_LARGE:
        size = f"{LARGEST_FILE >> 20} MiB"
        return f"The file {name} is larger than {size}, so it is not mirrored. It is in the remote incident: {link}"
    return (
        f"The file {name} could not be read from the remote tenant and is no longer retried: {problem} If it is still there, get "
        f"it from the remote incident: {link}"
    )


def attachment_entries(incident: Incident, entries: list[Entry]) -> list[tuple[str, Entry | None]]:
    """Return an incident's attachments as (name, entry); the entry is None where no War Room entry holds the file.

    XSOAR REST API: an attachment cannot be downloaded itself, its War Room entry can. They are matched by the server's
    file name and, where that differs, by name, each entry once.
    """
    left = {entry.id: entry for entry in entries if entry.has_file}
    found: list[tuple[str, Entry | None]] = []
    for attachment in objects(incident.raw.get("attachment")):
        path, name = attachment.get("path"), attachment.get("name") or attachment.get("path")
        by_path = [entry for entry in left.values() if path and entry.raw.get("fileID") == path]
        by_name = [entry for entry in left.values() if entry.raw.get("file") == name]
        match = next(iter(by_path or by_name), None)
        if match:
            left.pop(match.id)
        found.append((str(name or "file"), match))
    return found


def has_attachments(incident: Incident, settings: Settings) -> bool:
    """Return whether an incident has attachments that are shared."""
    return bool(incident.raw.get("attachment")) and is_shared("attachment", settings.sharing.in_fields)


class Attachments(NamedTuple):
    """The attachments of one incident, as far as they could be read."""

    files: list[tuple[Entry, Download]] = []  # What was downloaded, with the entry that holds it.
    is_whole: bool = True  # All of them were.
    problem: RemoteError | None = None  # Why the first that was not could not be.


def read_attachments(
    client: Client, settings: Settings, incidents: list[Incident], at_once: int
) -> Iterator[tuple[Incident, Attachments]]:
    """Yield the incidents in their order with their attachments; a note takes the place of a file that is too large.

    Args:
        at_once: how many calls run side by side. War Rooms are listed no further ahead, so that under a quota of calls the first
            incidents are complete first.
    """
    with ReadPool(at_once) as pool:
        with_files = [incident for incident in incidents if has_attachments(incident, settings)]
        listings = (pool.start(readable, client, entries_with_files, client, incident) for incident in with_files)
        ahead = list(islice(listings, at_once))
        begun: list[tuple[Incident, RemoteError | None, list[tuple[str, Entry | None, Any]]]] = []
        for incident in incidents:
            listed = ahead.pop(0).result() if has_attachments(incident, settings) else []
            problem = listed if isinstance(listed, RemoteError) else None
            downloads = [
                (name, entry, start_download(client, settings, pool, entry, name) if entry else None)
                for name, entry in (
                    attachment_entries(incident, [] if problem else listed) if has_attachments(incident, settings) else ()
                )
            ]
            begun.append((incident, problem, downloads))
            ahead += islice(listings, 1)
        for incident, problem, downloads in begun:
            files: list[tuple[Entry, Download]] = []
            for name, entry, download in downloads:
                outcome = download.result() if download else problem or NO_FILE
                if isinstance(outcome, RemoteError) and outcome.kind == NOT_SHARED and entry and not settings.comes_in:
                    # No pull will bring a note.
                    note = note_for_file(settings, incident.id, name, outcome)
                    outcome = Download(fileResult("A file that is not shared.txt", note), copy_digest(note))
                elif isinstance(outcome, RemoteError) and outcome.kind == TOO_LARGE and entry:
                    note, title = note_for_file(settings, incident.id, name, outcome), redacted_name(name, settings.sharing)
                    outcome = Download(fileResult(safe_file_name(f"{title} (too large).txt"), note), copy_digest(note), AS_NOTE)
                if entry and isinstance(outcome, Download):
                    files.append((entry, outcome))
                else:
                    problem = problem or outcome
                    key = entry.id if entry else "an attachment"
                    demisto.info(f"{BRAND}: a file of the remote incident {incident.id} is skipped for now ({key}): {outcome}")
            yield incident, Attachments(files, len(files) == len(downloads), problem)


def delivered_whole(found: Iterable[tuple[Incident, Attachments]]) -> list[tuple[Incident, Attachments]]:
    """Return the new incidents before the first whose files are missing because time or calls ran out.

    When that is the very first, it goes alone with the files that were read, and the others follow in the next fetch.

    Raises:
        RemoteError: calls ran out before anything was read.
    """
    ready: list[tuple[Incident, Attachments]] = []
    for incident, attachments in found:
        problem = attachments.problem
        if problem and problem.kind in (LATE, RATE_LIMIT):
            if not ready and problem.kind == RATE_LIMIT and not attachments.files:
                raise problem
            return ready or [(incident, attachments)]
        ready.append((incident, attachments))
    return ready


def with_brought(store: Store, brought: list[str]) -> Store:
    """Return the store with what a fetch brought, given by `fetched_key`, noted as fetched and mirrored here."""
    ids = [key.rpartition(" ")[0] for key in brought]
    records = store.records(ids)
    is_brought = {key: record._replace(met=True) for key, record in records.items() if f"{key} {record.created_ms}" in brought}
    return store.with_records(is_brought).with_memory(lambda memory: memory.with_fetched(ids))


TAKEN_ID = (
    "Another local incident already mirrors the remote ID {}, as after a restore from a backup, so this one is not mirrored: "
    "work on it in the remote tenant."
)


def fetched_record(incident: Incident, attachments: Attachments, settings: Settings, since_ms: int) -> Record:
    """Return the record of an incident that is fetched now.

    Args:
        since_ms: where its history ends.
    """
    problem = attachments.problem
    record = Record(
        created_ms=incident.created_ms,
        origin=FETCHED,
        modified=incident.modified,
        fields=pack_digests(field_digests(shared_in(incident.raw, settings.sharing))),
        status=incident.status,
        given=IncidentStatus.ACTIVE,  # Also for one that is closed already, so that the first pull delivers the closing.
        since_ms=0 if settings.history else since_ms,
        ledger=Ledger(seen={entry.key: entry.mark + download.digest for entry, download in attachments.files}),
        in_ms=local_now_ms(),
        in_error=short(problem) if problem and problem.kind == FORBIDDEN else "",
    )
    if not attachments.is_whole and settings.comes_in:
        return tried_in_vain(record._replace(owes_files=True), local_now_ms(), at_once=1)
    has_more = settings.history and takes_entries(settings)
    return asked_for(record, settings) if has_more or (is_closed(incident.status) and settings.close_in) else record


def fetched_crossings(incident: Incident, attachments: Attachments, came_late: bool, begun_ms: int) -> list[Crossing]:
    """Return what the journal records of a fetched incident. What is older than the first fetch has no meaningful lag."""
    since_ms, what = incident.modified_ms if came_late else incident.created_ms, iso(incident.created_ms)
    crossings = [
        Crossing(IN, incident.id, FETCHED, what, since_ms=since_ms),
        *(entry_crossing(IN, incident.id, entry, download.outcome) for entry, download in attachments.files),
    ]
    return [item if item.since_ms >= begun_ms else item._replace(since_ms=0) for item in crossings]


def fetch_incidents_command(client: Client, settings: Settings) -> None:
    """Create the local incidents for the new remote ones, with their attachments, and move the last run past them."""
    if read_store().memory.is_paused:
        if not demisto.getLastRun():
            # First fetch time counts from now, not from the end of the pause.
            start_ms = first_fetch_ms(settings, local_now_ms())
            demisto.setLastRun(Cursor(start_ms, start_ms).to_run())
        demisto.incidents([])
        return
    last_run = taken_over(demisto.getLastRun() or {})
    cursor = read_cursor(last_run, lambda: first_fetch_ms(settings, asked_now_ms(client)))
    last_run = last_run or {"begun": iso(remote_now_ms(client))}  # When the first fetch was. See `fetched_crossings`.
    # The server kept the last run, so it also created the incidents that the last fetch brought.
    brought = texts(kept_as(list, last_run.pop("brought", "")))
    store = with_brought(read_store(), brought)
    new = fetch_new(client, settings, cursor, store)
    was_put_back = cursor.is_ahead(remote_now_ms(client))
    if was_put_back:
        cursor = cursor._replace(time_ms=cursor.since_ms)
        new = fetch_new(client, settings, cursor, store)
    kept_late = last_run.pop("late", "")  # Gone once it is switched off: later on it begins anew.
    late = late_cursor(client, kept_late) if settings.fetch_late else None
    found, looked_at = fetch_late(client, settings, late, store, cursor, settings.max_fetch - len(new)) if late else ([], {})
    new = [*new, *found]
    # The newest change seen there so far. What is older is history; what is newer is left to the next round. A time in the
    # future, perhaps from before the clock there was put back, tells nothing.
    times = [*filter(None, (store.memory.health.cursor_ms, *(incident.modified_ms for incident in new)))]
    latest_ms = client.remote_time_ms + SETTLED_MS if client.remote_time_ms else local_now_ms() + LARGEST_SKEW_MS
    # If all are later than that, the header Date is wrong.
    seen_ms = max([moment for moment in times if moment < latest_ms] or times, default=0)
    ready = delivered_whole(read_attachments(client, settings, new, 1 if store.memory.is_limited else AT_ONCE))
    if was_put_back and len(ready) == len(new) < settings.max_fetch and not client.is_late():
        # That was everything until now, but for what the index does not hold yet.
        cursor = cursor._replace(time_ms=max(cursor.since_ms, remote_now_ms(client) - MODIFIED_OVERLAP_MS))
    # What was linked by hand while the files were read is here already.
    former = read_store().records(incident.id for incident, _ in ready)
    linked_now = {key for key, record in former.items() if record.origin == LINKED}
    ready = [
        (incident, attachments)
        for incident, attachments in ready
        if not (incident.id in linked_now and is_same(former[incident.id], incident))
    ]
    incidents: list[dict[str, Any]] = []
    records: dict[str, Record] = {}
    for incident, attachments in ready:
        is_taken = incident.id in former and former[incident.id].is_mirrored_here
        record = fetched_record(incident, attachments, settings, seen_ms + 1)._replace(came_late=incident in found)
        if is_taken:
            record = record._replace(in_error=TAKEN_ID.format(incident.id))
        record = record._replace(shown=report_digest(settings, incident.id, record))
        files = [{"path": download.result["FileID"], "name": download.result["File"]} for _, download in attachments.files]
        incidents.append(
            fetched_incident(shared_in(incident.raw, settings.sharing), settings, record, files, is_mirrored=not is_taken)
        )
        if settings.direction and not is_taken:
            records[incident.id] = record
    begun_ms = parse_ms(last_run.get("begun"), 0)
    crossings = [row for item in ready for row in fetched_crossings(*item, item[0] in found, begun_ms)]
    brought_now = [fetched_key(incident) for incident, _ in ready]
    names = ", ".join(incident.id for incident, _ in ready)
    log(settings, f"fetch-incidents: {len(ready)} new incidents: {names or 'none'}.")

    def remember(kept: Store) -> Store:
        # An incident that was linked during the fetch keeps its record, and with it the resync that it waits for.
        linked = {key for key, record in kept.records(records).items() if record.origin == LINKED}
        after = with_brought(kept, brought)
        after = after.with_records({key: record for key, record in records.items() if key not in linked})
        after = after.with_crossings(crossings, remote_now_ms(client), is_fetch=True)
        if records:
            after = after.with_memory(lambda memory: memory._replace(reach_ms=max(1, min(memory.reach_ms or seen_ms, seen_ms))))
        return after.with_health(kept, "fetch_ms", fetch_calls=client.calls)

    change_store(remember)
    # An incident without a time of creation is remembered as long as the newest.
    newest_ms = max((incident.created_ms or cursor.time_ms for incident, _ in ready), default=cursor.time_ms)
    delivered = {fetched_key(incident): incident.created_ms or newest_ms for incident, _ in ready}
    cursor = cursor.advance(delivered, settings.look_back_ms, remote_now_ms(client), KEPT_KNOWN_MS)
    after = {**last_run, **cursor.to_run(), **({"brought": to_json(brought_now)} if brought_now else {})}
    if late:
        # Not past a change whose incident was not delivered.
        undelivered = {changed_key(incident) for incident in found if fetched_key(incident) not in brought_now}
        passed = dict(takewhile(lambda change: change[0] not in undelivered, looked_at.items()))
        after["late"] = to_json(late.advance(passed, MODIFIED_OVERLAP_MS, remote_now_ms(client)).to_run())
    # Keys of a newer version of this pack stay.
    demisto.setLastRun(after)
    demisto.incidents(incidents)


""" PULL """

# How a remote incident may differ from what is known of it here.
GONE, OTHER, CHANGED, PUT_BACK, CLOSED_THERE, REOPENED_THERE = "gone", "stranger", "changed", "restored", "closed", "reopened"


def modified_since(client: Client, cursor: Cursor, start_ms: int) -> list[Incident]:
    """Return the remote incidents that changed since a time."""

    def read_page(since_ms: int, page: int) -> tuple[list[dict[str, Any]], int]:
        return client.search(f'modified:>="{iso(since_ms)}"', size=SEARCH_PAGE, page=page, sort="modified")

    portions = search_everything(client, read_page, SEARCH_PAGE, "modified", start_ms)
    return [Incident.of(raw) for portion in portions for raw in portion]


def changed_key(incident: Incident) -> str:
    """Return the key of a change in the cursor."""
    return f"{incident.id} {incident.modified}"


def not_delivered(changed: list[Incident], cursor: Cursor, records: dict[str, Record]) -> list[str]:
    """Return the incidents whose change was not reported to the server yet and not delivered by the last pull.

    A change that was reported before its record was kept is reported again.
    """

    def is_news(incident: Incident) -> bool:
        record, is_told = records.get(incident.id), changed_key(incident) in cursor.known
        if record is None or not incident.modified:
            return not is_told
        is_other = not is_same_time(record.modified, incident.modified) or not is_same(record, incident)
        return is_other and not record.is_stopped and not (is_told and record.wanted > record.done)

    return list(dict.fromkeys(incident.id for incident in changed if is_news(incident)))


def get_modified_remote_data_command(client: Client, settings: Settings, args: dict[str, Any]) -> GetModifiedRemoteDataResponse:
    """Return the IDs of the remote incidents to pull: those that are due, then those that changed, then those with quiet news.

    Raises:
        NotImplementedError: the platform keeps no last mirror run (below 6.6).
    """
    try:
        last_run = get_last_mirror_run() or {}
    except DemistoException as error:
        raise NotImplementedError(str(error))

    def first_ms() -> int:
        # lastUpdate is local time, and the remote's clock may be behind.
        return max(0, parse_last_update(args.get("lastUpdate"), local_now_ms()) - MODIFIED_OVERLAP_MS)

    try:
        cursor = read_cursor(last_run, first_ms)
    except ValueError:
        # Starting over costs a few calls and repeats nothing: the records show what was delivered.
        cursor = read_cursor(None, first_ms)
    store, now_ms = read_store(), local_now_ms()
    if store.memory.is_paused:
        return GetModifiedRemoteDataResponse([])
    reach_ms = store.memory.reach_ms
    overlap_ms = 0 if last_run.get("complete") == iso(cursor.time_ms) else MODIFIED_OVERLAP_MS
    start_ms = cursor.start(overlap_ms)
    changed = modified_since(client, cursor, min(start_ms, reach_ms - MODIFIED_OVERLAP_MS) if reach_ms else start_ms)
    # A complete cursor lies at least an overlap back, unless the clock was put back meanwhile and has almost come up to it again.
    if cursor.is_ahead(remote_now_ms(client) - (MODIFIED_OVERLAP_MS - overlap_ms)):
        # What is listed again is not delivered again.
        start_ms = remote_now_ms(client) - HOUR_MS
        cursor = Cursor(start_ms, start_ms)
        changed = modified_since(client, cursor, start_ms)
    news = not_delivered(changed, cursor, store.records(incident.id for incident in changed))
    due = store.due(now_ms)
    found, read, looks = list[str](), dict[str, list[Entry]](), dict[str, str]()
    # The sweep and the census are optional: what is due comes first when time or calls run short.
    if not client.is_late() and not (store.memory.is_limited and (due or news)):
        skipped = frozenset([*due, *news])
        quiet, read, swept = sweep(client, settings, store, skipped, str(last_run.get("swept") or ""))
        gone, counted = census(client, store, skipped, last_run)
        found, looks = [*quiet, *gone], {"swept": swept, **counted}
    ids = list(dict.fromkeys([*due, *news, *found]))
    told = {changed_key(incident): incident.modified_ms or start_ms for incident in changed}
    cursor = cursor.advance(told, MODIFIED_OVERLAP_MS, remote_now_ms(client))
    is_forgetting = abs(now_ms - parse_ms(last_run.get("forgot"), 0)) >= HOUR_MS

    def remember(kept: Store) -> Store:
        after = kept.with_records(
            {key: with_history_known(record, read[key], settings) for key, record in kept.records(read).items()}
        )
        after = after.with_records({key: wanted_again(record) for key, record in after.records([*news, *found]).items()})
        if is_forgetting:
            gone = forgotten(after.all_records(), now_ms)
            after = after.with_records({}, gone=gone).with_memory(lambda memory: memory.with_fetched(gone))
        if after.memory.reach_ms == reach_ms and not client.is_late():
            after = after.with_memory(lambda memory: memory._replace(reach_ms=0))
        return after.with_health(kept, "round_ms", round_calls=client.calls, cursor_ms=cursor.time_ms)

    change_store(remember)
    forgot = {"forgot": iso(now_ms)} if is_forgetting else {}
    set_last_mirror_run({**last_run, **cursor.to_run(), **cursor_at_rest(last_run, cursor, now_ms, client), **looks, **forgot})
    log(settings, f"get-modified-remote-data: {len(ids)} incidents: {', '.join(ids) or 'none'}.")
    return GetModifiedRemoteDataResponse(ids)


def sweep(
    client: Client, settings: Settings, store: Store, skipped: frozenset[str], swept: str
) -> tuple[list[str], dict[str, list[Entry]], str]:
    """Look into the War Rooms of the next few quiet incidents for entries that left `modified` as it was.

    XSOAR REST API: whether a new entry moves its incident's `modified` is not documented. The memory holds what was learned.
    Returns the incidents with new entries, the entries of War Rooms read for the first time, and the last incident looked into.
    """
    found: list[str] = []
    read: dict[str, list[Entry]] = {}
    if not takes_entries(settings):
        return found, read, swept

    def look(investigation_id: str) -> list[Entry] | RemoteError:
        return client.limit or as_result(read_entries, client, investigation_id, tag_filter(settings))

    most = SWEEP_LIMITED if store.memory.is_limited else SWEEP_TRUSTED if store.memory.entries_move else SWEEP
    with ReadPool(AT_ONCE) as pool:
        # XSOAR REST API: an investigation has the ID of its incident.
        turn = islice(quiet_in_turn(store, swept, skipped), most)
        for incident_id, record, looking in [(key, record, pool.start(look, key)) for key, record in turn]:
            entries = looking.result()
            if isinstance(entries, RemoteError):
                demisto.info(
                    f"{BRAND}: get-modified-remote-data: the War Room of incident {incident_id} cannot be read: {entries}"
                )
                if entries.kind in (RATE_LIMIT, UNREACHABLE):
                    break
            else:
                found += [incident_id] if arriving(entries, settings, record) else []
                read |= {incident_id: entries} if record.since_ms else {}
            swept = incident_id  # Even if unreadable, so that it does not hold up the others.
    return found, read, swept


def quiet_in_turn(store: Store, swept: str, skipped: frozenset[str]) -> Iterator[tuple[str, Record]]:
    """Yield the open incidents that are neither due nor skipped, starting after the one looked into last."""
    last = entry_number(swept)
    for incident_id in sorted(store.open, key=lambda key: (entry_number(key) <= last, entry_number(key))):
        if incident_id not in skipped and incident_id not in store.queue:
            record = store.record(incident_id)
            if not record.is_closed_here:  # A closed incident takes no entries.
                yield incident_id, record


def unsettled_ms(read_ms: int) -> int:
    """Return the age in ms below which a change is not reported as drift: the next round may bring it.

    Or it came in since the records were read: `read_ms`, by the local clock. The header Date may be some minutes off.
    """
    return SETTLED_MS + max(0, local_now_ms() - read_ms)


def drift(record: Record, incident: Incident | None, now_ms: int, young_ms: int = MODIFIED_OVERLAP_MS) -> str:
    """Return how a remote incident, as a search gave it, differs from its record; empty if it does not.

    Args:
        incident: None when the search did not give it.
        now_ms: the remote's clock.
        young_ms: what is younger is left to the next rounds: the search may not show it yet.
    """
    if incident and not is_same(record, incident):
        return OTHER
    modified_ms, known_ms = incident.modified_ms if incident else 0, parse_ms(record.modified, 0)
    if any(abs(now_ms - moment) < young_ms for moment in (record.created_ms, modified_ms, known_ms)):
        return ""
    if not incident:
        return GONE
    is_moved = None not in (incident.status, record.status) and incident.status != record.status
    if is_moved and is_closed(incident.status) != is_closed(record.status):
        return CLOSED_THERE if is_closed(incident.status) else REOPENED_THERE
    # A search may give times in another precision than the incident itself.
    is_other = modified_ms != known_ms if modified_ms and known_ms else incident.modified not in ("", record.modified)
    return PUT_BACK if is_other and 0 < modified_ms < known_ms else CHANGED if is_other or is_moved else ""


def drifts(client: Client, records: dict[str, Record], young_ms: int = MODIFIED_OVERLAP_MS) -> dict[str, str]:
    """Return which incidents differ from their records, and how. See `drift`.

    A remote may return fewer incidents than asked for, so ask again for those it left out, until it lists none of them.

    Raises:
        RemoteError: the remote cannot be asked. UNUSABLE: it returns others, so it ignores the filter and proves nothing.
    """
    there: dict[str, Incident] = {}
    while missing := [incident_id for incident_id in records if incident_id not in there]:
        if client.is_late():
            raise RemoteError(LATE, "This run is out of time; the next one continues.")
        answer = client.answer_of_search({"query": "", "id": missing, "size": len(missing)})
        found = {incident.id: incident._replace(raw={}) for incident in map(Incident.of, with_ids(answer.get("data")))}
        if not found.keys() <= set(missing):
            raise RemoteError(UNUSABLE, "The remote tenant ignores a search by ID, so its incidents cannot be compared.")
        if not found:
            break
        there |= found
    now_ms = remote_now_ms(client)
    kinds = {key: drift(records[key], there.get(key), now_ms, young_ms) for key in sorted(records, key=entry_number)}
    return {key: kind for key, kind in kinds.items() if kind}


def census(client: Client, store: Store, skipped: frozenset[str], last_run: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """Compare all tracked incidents with the remote once an hour, one search for each portion, until the round's share is done.

    Returns those that differ, and what to keep in the last mirror run: when the census began, and where it goes on: at which
    shard and, if not all of its portion that differ were listed, behind which incident.
    """

    def by_shard(key: str) -> tuple[str, tuple[int, str]]:
        # A portion may have more shards the next time, when incidents were forgotten.
        return shard_of(key), entry_number(key)

    begun_ms, now_ms = parse_ms(last_run.get("census"), 0), local_now_ms()
    place, _, behind = str(last_run.get("counting") or SHARDS).partition(" ")
    shard = int(place) if place.isdecimal() else SHARDS
    if shard >= SHARDS:
        if not begun_ms or abs(now_ms - begun_ms) < HOUR_MS:
            return [], {} if begun_ms else {"census": iso(now_ms)}
        begun_ms, shard = now_ms, 0
    found, most_calls = list[str](), client.calls + (1 if store.memory.is_limited else CENSUS_CALLS)
    while shard < SHARDS and len(found) < MOST_DRIFTED and client.calls < most_calls and not (client.limit or client.is_late()):
        portion, after = store.portion(shard, CENSUS_RECORDS)
        # A pull is about to tell of one that is due, and has told of one that could not be read at all.
        records = {
            key: record
            for key, record in portion.items()
            if (not behind or by_shard(key) > by_shard(behind))
            and not (key in skipped or (record.tries and not record.modified) or record.is_stopped)
        }
        try:
            # What is closed may be cleared away there.
            kinds = drifts(client, records).items()
            differing = [key for key, kind in kinds if kind != GONE or not is_closed(records[key].status)]
            differing.sort(key=by_shard)
        except RemoteError as error:
            demisto.info(f"{BRAND}: get-modified-remote-data: the incidents for the hourly comparison cannot be read: {error}")
            if error.kind not in UNREADABLE:
                break
            differing = []
        listed_now = differing[: MOST_DRIFTED - len(found)]
        found += listed_now
        shard, behind = (after, "") if listed_now == differing else (shard, listed_now[-1])
    return sorted(found, key=entry_number), {"census": iso(begun_ms), "counting": f"{shard} {behind}".strip()}


def read_entries(client: Client, investigation_id: str, entry_filter: dict[str, Any]) -> list[Entry]:
    """Return all entries of a War Room that pass a filter, oldest first; none while there is no War Room."""
    pages = war_room_pages(client, ReadPool(0), investigation_id, entry_filter) if investigation_id else []
    return in_order(entry for page in pages for entry in page)


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries, oldest first."""
    return sorted(entries, key=lambda entry: entry.order)


def war_room_pages(client: Client, pool: ReadPool, investigation_id: str, entry_filter: dict[str, Any]) -> Iterator[list[Entry]]:
    """Yield the entries of a War Room that pass a filter, in portions, each entry once.

    XSOAR REST API: which entries a page holds is not documented, so paging goes both ways: back from the oldest entry, and on
    from the newest. If the remote refuses or ignores either, all entries are asked for at once.
    """
    seen: set[str] = set()
    ends: list[Entry] = []  # The oldest and the newest entry so far.
    begun: list[str] = []
    reading: dict[Future[Any], str] = {}

    def begin(*ways: str) -> None:
        for way in ways:
            begun.append(way)
            if len(begun) > MOST_PAGES:
                raise RemoteError(
                    UNUSABLE, f"The War Room {investigation_id} has more than {MOST_PAGES} pages of entries and is not read."
                )
            # XSOAR REST API: without a `pageSize` all entries come.
            position: dict[str, Any] = {} if way == ALL_AT_ONCE else {"pageSize": ENTRY_PAGE}
            if way in (OLDER, NEWER):
                position |= {"lastId": ends[0].id} if way == OLDER else {"firstID": ends[1].id}
            reading[pool.start(as_result, client.entries, investigation_id, entry_filter | position)] = way

    begin(FIRST_PAGE)
    while reading:
        wait(reading, return_when=FIRST_COMPLETED)
        future = next(future for future in reading if future.done())
        way, page = reading.pop(future), future.result()
        is_refused = isinstance(page, RemoteError)
        if is_refused and (way not in (OLDER, NEWER) or page.kind not in UNREADABLE):
            raise page
        found = [] if is_refused else map(Entry.of, page)
        fresh = [*{entry.id: entry for entry in found if entry.id not in seen}.values()]
        # A remote that hears the position gives at most the entry that it names, if there is nothing behind that.
        is_unheard = way in (OLDER, NEWER) and not fresh and (is_refused or len(page) > 1)
        if is_unheard and ALL_AT_ONCE not in begun:
            begin(ALL_AT_ONCE)
        if fresh:
            seen.update(entry.id for entry in fresh)
            ends = in_order([*ends, *fresh])
            ends = [ends[0], ends[-1]]
            # Before yielding: the caller starts calls of its own.
            if len(page) >= PAGE_SMALLEST and way != ALL_AT_ONCE:
                begin(*((OLDER, NEWER) if way == FIRST_PAGE else (way,)))
            yield fresh


def takes_entries(settings: Settings) -> bool:
    """Return whether entries come in at all."""
    return bool(settings.tags and settings.categories)


def tag_filter(settings: Settings) -> dict[str, Any]:
    """Return the filter for entries with an incoming tag. No fromTime: an old entry may be tagged late."""
    return {"categories": list(settings.categories), "tags": list(settings.tags), "tagsAndOperator": False}


def is_meant(entry: Entry, settings: Settings) -> bool:
    """Return whether a remote entry is tagged to come in, and of a wanted category: not every remote applies the whole filter."""
    return bool(set(settings.tags) & set(entry.tags)) and entry.category in (*settings.categories, "")


def arriving(entries: Iterable[Entry], settings: Settings, record: Record) -> list[Entry]:
    """Return the remote entries that are to come in: meant to, neither known nor history."""
    return [
        entry
        for entry in entries
        if is_meant(entry, settings) and entry.touched_ms >= (record.since_ms or 0) and not record.ledger.has_seen(entry)
    ]


def author_of(entry: dict[str, Any]) -> str:
    """Return who wrote an entry, on one line, without the signs that begin a command."""
    name = next((name for name in (entry.get("user"), entry.get("dbotCreatedBy")) if name and isinstance(name, str)), "")
    return short(name, LONGEST_ID).lstrip("!/@{ ") or "DBot"


def signature(entry: Entry) -> str:
    """Return the line with the author and time of an entry: an API key cannot write in another person's name."""
    created = parse_ms(entry.raw.get("created"), -1)
    written = f", {iso(created)[:19].replace('T', ' ')} UTC" if created > 0 else ""
    return f"{author_of(entry.raw)}{written}{', edited' if entry.key != entry.id else ''}"


def signed_comment(entry: Entry) -> str:
    """Return the comment of a file: who added it, when, and what that person wrote with it."""
    return ": ".join(text for text in (signature(entry), str(entry.raw.get("contents") or "").strip()) if text)


def signed_text(entry: Entry) -> tuple[str, str]:
    """Return the text of an entry with its author above it, and its format.

    Text, Markdown and HTML keep their format. Data (JSON, a table) becomes Markdown, the only way to put a line above it.
    """
    line, contents = signature(entry), entry.raw.get("contents")
    contents = "" if contents is None else contents
    entry_format = (entry.raw.get("format") or EntryFormat.TEXT) if isinstance(contents, str) else EntryFormat.JSON
    if entry_format == EntryFormat.TEXT:
        return f"{line}:\n{contents}", EntryFormat.TEXT
    if entry_format == EntryFormat.HTML:
        escaped = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return f"<p><b>{escaped}:</b></p>\n{contents}", EntryFormat.HTML
    if entry_format != EntryFormat.MARKDOWN:
        text = contents if isinstance(contents, str) else json.dumps(contents, indent=2, ensure_ascii=False)
        fence = "`" * max([3, *(len(ticks) + 1 for ticks in re.findall("`+", text))])
        contents = f"{fence}\n{text}\n{fence}"
    return "**" + re.sub(r"([\\`*_\[\]<>|])", r"\\\1", line) + f":**\n\n{contents}", EntryFormat.MARKDOWN


class Look(NamedTuple):
    """What was read of a remote incident for one pull."""

    incident: Incident
    entries: list[Entry] = []  # The tagged ones, known ones included.
    files: dict[str, Any] = {}  # By the key of the entry: its Download, or why there is none.
    attachments: list[tuple[str, Entry | None]] = []  # Those that the fetch still owes.
    problem: RemoteError | None = None  # Why its War Room could not be read whole.
    unredacted: dict[str, str] = {}  # The `field_digests` without what is redacted, if anything is.


def read_incident(client: Client, settings: Settings, incident_id: str, record: Record) -> Look:
    """Read a remote incident, and of its War Room what is to come in. Raises RemoteError if the incident itself is unreadable."""
    with ReadPool(AT_ONCE) as pool:
        loading = pool.start(as_result, client.load, incident_id)
        # XSOAR REST API: an investigation has the ID of its incident. A pending incident has none yet.
        expected_id = incident_id if record.status else ""
        entries, downloads, problem = read_war_room(client, settings, pool, expected_id, record)
        loaded = loading.result()
        if isinstance(loaded, RemoteError):
            raise loaded
        incident = ensure_current(client, settings, record, Incident.of(loaded))
        if incident.investigation_id != expected_id:
            entries, downloads, problem = read_war_room(client, settings, pool, incident.investigation_id, record)
        attachments: list[tuple[str, Entry | None]] = []
        if record.owes_files and not problem:
            holding = readable(client, entries_with_files, client, incident)
            problem = holding if isinstance(holding, RemoteError) else None
            matched = [] if problem else attachment_entries(incident, holding)
            attachments = [(name, entry) for name, entry in matched if entry is None or not record.ledger.has_seen(entry)]
            for name, entry in attachments:
                if entry and entry.key not in downloads:
                    downloads[entry.key] = start_download(client, settings, pool, entry, name)
        files = {key: download.result() for key, download in downloads.items()}
        shared = incident._replace(raw=shared_in(incident.raw, settings.sharing))
        unredacted = field_digests(incident.raw) if settings.sharing.redact else {}
        return Look(shared, in_order(entries), files, attachments, problem, unredacted)


def read_war_room(
    client: Client, settings: Settings, pool: ReadPool, investigation_id: str, record: Record
) -> tuple[list[Entry], dict[str, "Future[Any]"], RemoteError | None]:
    """Read the tagged entries of a War Room, and start to download the files that are to come in, page by page."""
    entries, downloads, problem = list[Entry](), dict[str, "Future[Any]"](), None
    is_read = takes_entries(settings) and investigation_id
    try:
        for page in war_room_pages(client, pool, investigation_id, tag_filter(settings)) if is_read else ():
            entries += page
            for entry in arriving(page, settings, record):
                if entry.has_file:
                    downloads[entry.key] = start_download(client, settings, pool, entry, str(entry.raw.get("file")))
    except RemoteError as error:
        # Neither an unreadable War Room nor a limit of calls holds back the fields.
        if error.kind == BUSY:
            client.about()
        elif error.kind not in (*UNREADABLE, RATE_LIMIT):
            raise
        problem = error
    return entries, downloads, problem


def with_history_known(record: Record, entries: Iterable[Entry], settings: Settings) -> Record:
    """Return the record after its War Room was read whole: entries are history by their keys now, no longer by a time."""
    since_ms, ledger = record.since_ms or 0, record.ledger
    # An entry that is tagged only later is no history.
    old = [entry for entry in entries if is_meant(entry, settings) and entry.touched_ms < since_ms]
    past = {entry.key: entry.mark for entry in old if not ledger.has_seen(entry)}
    return record._replace(since_ms=0, ledger=ledger._replace(history={**ledger.history, **past}))


class PullPlan(NamedTuple):
    """What one pull gives to the server, and the record to keep of it."""

    fields: dict[str, Any]  # For the incoming mapper.
    entries: list[dict[str, Any]]  # For the local War Room, in order; closing and reopening are among them.
    record: Record
    crossed: int = 0  # How many entries come in.
    log: list[str] = []
    crossings: list[Crossing] = []


def plan_pull(
    before: Record, look: Look, settings: Settings, now_ms: int, schema: Schema, is_for_person: bool = False
) -> PullPlan:
    """Decide what a pull delivers, by comparing what was read with what the record says was delivered.

    `schema` names the remote's custom fields, should one have been emptied. A person who runs the command gets all fields.
    """
    incident, problem = look.incident, look.problem
    # An incident that does not say when it changed may have changed.
    is_changed = not incident.modified or incident.modified != before.modified
    is_closed_there = is_closed(incident.status)
    closes = settings.close_in and is_closed_there and not is_closed(before.given) and not before.is_closed_here
    reopens = settings.reopen_in and is_open(incident.status) and is_closed(before.given)
    # The server takes entries only into an open incident.
    is_shut_here = before.is_closed_here and not reopens
    waits = is_shut_here and not (settings.close_in and is_closed_there)
    delivery, notices = (Delivery([], {}, {}, [], []), {}) if waits else (plan_entries(before, look, settings), before.notices)
    note = {"Type": EntryType.NOTE, "ContentsFormat": EntryFormat.TEXT, "Tags": [], "Note": True}
    entries = [*delivery.entries, *({**note, "Contents": text} for text in notices.values())]
    # It was reopened there, written into and closed again since the last pull, or an entry of a closed incident was tagged.
    opens_briefly = is_shut_here and bool(entries)
    reason = str(incident.raw.get("closeReason") or "Other")
    closing = {
        "dbotIncidentClose": True,
        "closeReason": dict(settings.close_reasons).get(reason, reason),
        "closeNotes": str(incident.raw.get("closeNotes") or "Closed in the remote tenant."),
    }
    steering = {"Type": EntryType.NOTE, "ContentsFormat": EntryFormat.JSON}
    if reopens or opens_briefly:
        entries.insert(0, {**steering, "Contents": {"dbotIncidentReopen": True}})
    if closes or opens_briefly:
        entries.append({**steering, "Contents": closing})

    # While its switch is off, a closing or reopening is not delivered but waits until it is on.
    follows = settings.close_in if is_closed_there else settings.reopen_in or not is_closed(before.given)
    is_delivered = incident.status is not None and follows
    is_whole = delivery.tried.keys() <= delivery.seen.keys()
    told = {f"notice {key}": UNMARKED + copy_digest(text) for key, text in notices.items()}
    missing = {key: tries for key, tries in before.ledger.missing.items() if key not in delivery.seen} | delivery.tried
    after = before._replace(
        created_ms=incident.created_ms or before.created_ms,
        met=True,
        modified=incident.modified,
        all_fields=before.all_fields and not is_changed,
        status=incident.status if incident.status is not None else before.status,
        given=incident.status if is_delivered else before.given,
        asked=IncidentStatus.DONE if closes or opens_briefly else IncidentStatus.ACTIVE if reopens else before.asked,
        owes_files=before.owes_files and (waits or not is_whole or problem is not None),
        ledger=before.ledger._replace(seen={**before.ledger.seen, **delivery.seen, **told}, missing=missing),
        notices=before.notices if waits else {},
        in_ms=now_ms if entries or (is_changed and incident.modified) else before.in_ms,
        in_error="",
        # Of the same age as `in_ms`.
        news="" if entries else before.news,
    )
    if takes_entries(settings) and not problem and not waits:
        after = with_history_known(after, look.entries, settings)
    if problem:
        delivery.log.append(f"get-remote-data: the War Room of incident {incident.id} cannot be read: {problem}")
        if problem.kind not in (RATE_LIMIT, LATE):
            sentence = f"The War Room of the remote incident cannot be read: {problem}"
            after = after._replace(in_error=short(sentence, 500))
    kinds = {failure.kind for failure in (problem, *look.files.values()) if isinstance(failure, RemoteError)}
    if kinds & {RATE_LIMIT, LATE}:
        after = after._replace(wanted=max(before.wanted, before.done + 1), not_before_ms=0)
    elif problem or not is_whole:
        after = tried_in_vain(after, now_ms, at_once=BUSY_TRIES if problem and problem.kind == BUSY else 1)
    else:
        after = after._replace(done=before.wanted, tries=0, not_before_ms=0, is_resync=False)
    after = after._replace(shown=report_digest(settings, incident.id, after))

    fields: dict[str, Any] = {"id": incident.id}
    was, names = unpack_digests(before.fields), ""
    if is_changed:
        now = field_digests(incident.raw)
        # What came in before it was to be redacted has not changed.
        original = look.unredacted or now
        changed = {key for key in {*was, *now} if was.get(key) not in (now.get(key), original.get(key))} if was else set()
        after = after._replace(fields=pack_digests(now), news="".join(sorted(changed)))
        news = news_of(incident.raw, changed, schema, settings.sharing)
        if is_for_person or before.all_fields or not was:
            # Besides what is there, what was emptied.
            news = {**news, **incident.raw, "CustomFields": {**custom_fields(news), **custom_fields(incident.raw)}}
        fields = mirrored_fields(news, settings, after) | remote_owner(incident.raw)
        names = names_among(news, changed if was else now)
    elif after.shown != before.shown:
        fields |= mirror_report(settings, incident.id, after) | remote_owner(incident.raw)
    turns = [("reopen", reopens or opens_briefly, ""), ("fields", names, names), ("close", closes or opens_briefly, "")]
    crossings = [
        *(Crossing(IN, incident.id, kind, what, since_ms=incident.modified_ms) for kind, is_so, what in turns if is_so),
        *delivery.crossings,
    ]
    # Of what comes anew or for the first time nobody knows since when it was to come.
    if before.is_resync or (not was and not before.tries) or (settings.history and not before.done):
        crossings = [item._replace(since_ms=0) for item in crossings]
    return PullPlan(fields, entries, after, len(delivery.seen), delivery.log, crossings)


class Delivery(NamedTuple):
    """The entries that a pull delivers, oldest first, and what the ledger keeps of them and of missing files."""

    entries: list[dict[str, Any]]
    seen: dict[str, str]
    tried: dict[str, str]  # Also in `seen` when a note takes the place of the file.
    log: list[str]
    crossings: list[Crossing]


def plan_entries(before: Record, look: Look, settings: Settings) -> Delivery:
    """Decide which entries are delivered, and how. After a few tries, a note replaces a file that cannot be read."""
    plan, incident = Delivery([], {}, {}, [], []), look.incident
    attached = [(entry or entry_of_attachment(name, incident, settings.sharing), name) for name, entry in look.attachments]
    keys = {entry.key for entry, _ in attached}
    tagged = [(entry, str(entry.raw.get("file"))) for entry in arriving(look.entries, settings, before) if entry.key not in keys]
    for entry, name in sorted([*attached, *tagged], key=lambda item: item[0].order):
        if before.ledger.has_seen(entry):
            continue
        outcome = look.files.get(entry.key, NO_FILE) if entry.has_file else None
        if outcome is NO_FILE and (refusal := file_refusal(name, None, settings.sharing)):
            outcome = RemoteError(NOT_SHARED, refusal)
        note, came_as = "", CROSSED
        if isinstance(outcome, RemoteError) and outcome.kind in NOTED:
            came_as = AS_NOTE
            note = note_for_file(settings, incident.id, name, outcome)
        elif isinstance(outcome, RemoteError):
            tries = int(before.ledger.missing.get(entry.key, "0")) + (outcome.kind not in (RATE_LIMIT, LATE))
            plan.tried[entry.key] = str(tries)
            if tries < FILE_TRIES:
                plan.log.append(f"get-remote-data: the file of the entry {entry.id} is skipped for now: {outcome}")
                continue
            came_as = GIVEN_UP
            note = note_for_file(settings, incident.id, name, outcome)
        shared = shared_entry(entry, settings.sharing)
        if isinstance(outcome, Download):
            given, digest = {**outcome.result, "Contents": signed_comment(shared)}, outcome.digest
        else:
            raw = {**shared.raw, "contents": note, "format": EntryFormat.TEXT} if note else shared.raw
            text, entry_format = signed_text(entry._replace(raw=raw))
            category = entry.raw["category"] if isinstance(entry.raw.get("category"), str) else ""
            given = {"Type": EntryType.NOTE, "Contents": text, "ContentsFormat": entry_format, "Category": category}
            digest = copy_digest(text)
        # The copy keeps no tag that would send it out again.
        tags = [tag for tag in dict.fromkeys((*entry.tags, settings.came_in_tag)) if tag and tag not in settings.mirror_tags]
        plan.entries.append({**given, "Tags": tags, "Note": entry.is_note})
        plan.seen[entry.key] = entry.mark + digest
        plan.crossings.append(entry_crossing(IN, incident.id, entry, came_as))
    return plan


def entry_of_attachment(name: str, incident: Incident, sharing: Sharing) -> Entry:
    """Return what stands for an attachment that no entry holds: it is known by its name alone, or a digest of one that may not be
    remembered here.
    """
    is_plain = redacted_name(name, sharing) == name and not file_refusal(name, None, sharing)
    known_by = name if is_plain else short_digest(name)
    return Entry.of({"id": f"{UNHELD}{known_by}", "file": name, "created": incident.raw.get("created")})


def plan_unreadable(before: Record, problem: RemoteError, settings: Settings, incident_id: str, now_ms: int) -> PullPlan:
    """Decide what to give of an unreadable incident: the reason, in a field that a mapper can show. It is tried again."""
    is_last = before.tries + 1 >= MOST_TRIES
    sentence = f"{problem} It is no longer retried: run xsoar-mirror-resync to try again." if is_last else str(problem)
    # The first pull that succeeds compares all fields.
    failed = before._replace(met=True, modified="", news="", in_error=short(sentence, 500))
    # A search may show an incident before it can be loaded.
    after = tried_in_vain(failed, now_ms)
    after = after._replace(shown=report_digest(settings, incident_id, after))
    fields = {"id": incident_id, "dbotMirrorId": incident_id, "dbotMirrorInstance": settings.instance}
    fields |= mirror_report(settings, incident_id, after)
    crossings = [Crossing(IN, incident_id, "error", problem.kind, GIVEN_UP)] if is_last else []
    line = f"get-remote-data: incident {incident_id} cannot be read: {problem.kind}."
    return PullPlan(fields, [], after, log=[line], crossings=crossings)


def held_fields(store: Store, settings: Settings, incident_id: str) -> dict[str, Any]:
    """Return what is given of an incident while nothing crosses: once that it is stopped, and remember that."""
    fields: dict[str, Any] = {"id": incident_id}
    if store.record(incident_id).is_stopped and not store.memory.is_paused:

        def shown(record: Record) -> Record:
            return record._replace(done=record.wanted, shown=report_digest(settings, incident_id, record))

        change_record(incident_id, shown)
        fields |= mirror_report(settings, incident_id, store.record(incident_id))
    return fields


def get_remote_data_command(client: Client, settings: Settings, args: dict[str, Any]) -> None:
    """Give the server what is new of one remote incident: its fields if they changed, closing or reopening, new entries.

    It is remembered before it is given, so that nothing is given twice because remembering failed.
    """
    incident_id = str(args.get("id") or "").strip()
    if not incident_id:
        raise ValueError("id is missing: give the ID of a remote incident, for example id=4.")
    # The server always gives lastUpdate. Without it a person runs the command, and nothing reaches an incident.
    is_for_person = not args.get("lastUpdate")
    is_remembered = not is_for_person and is_id(incident_id)
    store, now_ms = read_store(), local_now_ms()
    before = store.record(incident_id)
    if not is_for_person and held_sentence(store, settings, incident_id):
        return_results(GetRemoteDataResponse(held_fields(store, settings, incident_id), []))
        return
    if before.since_ms is None:
        # Its first pull. It was listed only once, so keep that it is due, and where its history ends, before reading it.
        read, since_ms = before, parse_last_update(args.get("lastUpdate"), 0)
        before = wanted_again(read)._replace(met=True, since_ms=since_ms)
        if is_remembered:
            change_record(incident_id, lambda now: merged(read, before, now))
    moves: bool | None = None
    try:
        look = read_incident(client, settings, incident_id, before)
        moves = learned_moves(client, look, store.memory.entries_move)
        schema = store.memory.schema
        if unpack_digests(before.fields).keys() - field_digests(look.incident.raw).keys():
            # A field was emptied there. The record tells only the digest of its name.
            schema = schema_if_allowed(client, lambda _: False, "so what was emptied there stays here") or schema
        plan = plan_pull(before, look, settings, now_ms, schema, is_for_person)
    except RemoteError as error:
        if error.kind == BUSY:
            # Perhaps the remote cannot return only this incident. Raises if the remote as a whole is away.
            client.about()
            if before.tries < BUSY_TRIES:
                if is_remembered:
                    again = tried_in_vain(before, now_ms, at_once=BUSY_TRIES)
                    change_record(incident_id, lambda now: merged(before, again, now))
                raise
        elif error.kind not in UNREADABLE:
            raise
        plan = plan_unreadable(before, error, settings, incident_id, now_ms)
    for line in plan.log:
        demisto.info(f"{BRAND}: {line}")
    brings = plan.record.ledger.seen.keys() - before.ledger.seen.keys()
    is_overtaken = False

    def remember(now: Store) -> Store:
        nonlocal is_overtaken
        current, memory = now.records([incident_id]).get(incident_id, before), now.memory
        learned = memory._replace(limited_ms=local_now_ms() if client.limit else memory.limited_ms)
        is_overtaken = planned_from(current, brings) != planned_from(before, brings)
        if is_overtaken:
            # Another command has given some of it, or changed what is to be given: the next pull gives what is left.
            return now.with_records({incident_id: wanted_again(current)}).with_memory(lambda _: learned)
        learned = learned._replace(
            health=memory.health._replace(entries_in=memory.health.entries_in + plan.crossed),
            entries_move=memory.entries_move if moves is None else moves,
        )
        record = merged(before, plan.record, current)
        after = now.with_records({incident_id: record}).with_crossings(plan.crossings, remote_now_ms(client))
        return after.with_memory(lambda _: learned)

    if is_remembered:
        change_store(remember)
    fields, entries = ({"id": incident_id}, []) if is_overtaken else (plan.fields, plan.entries)
    log(settings, f"get-remote-data: incident {incident_id}: {len(fields)} fields, {len(entries)} entries.")
    return_results(GetRemoteDataResponse(fields, entries))


def planned_from(record: Record, keys: set[str]) -> tuple[Any, ...]:
    """Return what decides what a pull gives and another command may change; of the entries known, only those with these keys."""
    seen = {key: mark for key, mark in record.ledger.seen.items() if key in keys}
    fields = record.modified, record.fields, record.all_fields
    status = record.is_closed_here, record.given, record.is_stopped
    return fields, status, record.notices, record.since_ms, record.ledger.history, seen


def learned_moves(client: Client, look: Look, known: bool | None) -> bool | None:
    """Return whether new entries move their incident's `modified`, as far as this pull shows; None: it does not show.

    An entry newer than its incident proves for good that they do not. An incident as new as its newest entry suggests they do.
    """
    newest_ms = max((entry.touched_ms for entry in look.entries), default=0)
    if known is False or not newest_ms:
        return None
    if newest_ms > look.incident.modified_ms:
        # The entry may have come between the two calls: the incident as it is now decides.
        again = client.limit or as_result(client.load, look.incident.id)
        return False if isinstance(again, dict) and newest_ms > Incident.of(again).modified_ms else None
    return True if look.incident.modified_ms - newest_ms < MOVED_WITHIN_MS else None


def news_of(remote: dict[str, Any], changed: set[str], schema: Schema, sharing: Sharing) -> dict[str, Any]:
    """Return a remote incident with only the fields whose digests changed, and those that the remote's server owns.

    XSOAR REST API: whether the server spares a local change that it has not sent yet is not certain, so what did not change
    there must not be given: it could undo one. A field that was emptied may be missing there; it is given empty.
    """

    def is_new(name: str) -> bool:
        # A field that is no longer shared was not emptied there.
        return name_digest(name) in changed and is_shared(name, sharing.in_fields)

    news = {key: value for key, value in remote.items() if key in ("id", "type") or is_server_owned(key) or is_new(key)}
    news |= {name: "" for name in INCIDENT_FIELDS if name not in remote and is_new(name)}
    custom = {name: [] if kind.lower() in LIST_TYPES else "" for name, kind in schema.custom_fields.items()}
    custom |= custom_fields(remote)
    news["CustomFields"] = {key: value for key, value in custom.items() if is_new(f"{CUSTOM}{key}")}
    return news


""" PUSH """


class Update(NamedTuple):
    """What the server sends with update-remote-system."""

    remote_id: str
    data: dict[str, Any]  # The local incident, in remote names.
    delta: dict[str, Any]  # Its changes, in remote names.
    entries: list[Entry]  # The local entries that the server offers, the oldest first.
    status: int | None  # The local status; None: the server does not say.
    is_changed: bool  # Whether fields changed.

    @staticmethod
    def of(args: dict[str, Any]) -> "Update":
        """Return the update of a command's arguments. Lone surrogates, which no encoding takes, are replaced."""
        given = UpdateRemoteSystemArgs(decoded(json.dumps(args).encode()))
        return Update(
            remote_id=str(given.remote_incident_id or ""),
            data=given.data or {},
            delta=given.delta or {},
            entries=in_order(Entry.of(entry) for entry in with_ids(given.entries)),
            status=given.inc_status,
            is_changed=bool(given.incident_changed),
        )


class Step(NamedTuple):
    """One thing to do in the remote: REOPEN, SAVE its fields, SEND the entries or CLOSE."""

    kind: str
    fields: dict[str, Any] = {}
    local: dict[str, Any] = {}  # The same fields, and more, before anything in them is redacted, by `bare_name`.


REOPEN, SAVE, SEND, CLOSE = "reopen", "save", "send", "close"
STEP_KINDS = {REOPEN: "reopen", SAVE: "fields", SEND: "entry", CLOSE: "close"}  # In the journal.


def plan_status(
    told: int | None, asked: int | None, now: int | None, follows: bool, says: str = "", brings_into_closed: bool = False
) -> tuple[str, ...]:
    """Decide what happens to the remote's status: nothing, CLOSE, REOPEN, or both.

    Args:
        told, asked: see `Record`. now: the local status; None: unknown.
        follows: whether the remote follows (*Close Remote Incident*, *Reopen*).
        says: REOPEN or CLOSE if the delta shows that a person did it. Without it, an open incident that the server was asked to
            close counts as not closed yet: its closing form may need more than we can give.
        brings_into_closed: new entries come with the closing, and the remote incident is closed.
    """
    if not follows or now is None:
        return ()
    was_closed = is_closed(told if asked is None else asked)
    if not is_closed(now):
        return (REOPEN,) if was_closed and (asked is None or says == REOPEN) else ()
    if not was_closed:
        return (CLOSE,)
    # Since the last update it was reopened here, written into and closed again.
    return (REOPEN, CLOSE) if says == CLOSE and brings_into_closed else ()


def plan_push(record: Record, update: Update, settings: Settings, wanted: list[Entry]) -> list[Step]:
    """Decide what to do in the remote, in order: reopen before writing, close last. See `leaving` for the `wanted` entries."""
    # Entries that failed before must not reopen and close the remote incident on every retry.
    brings_into_closed = is_closed(record.status) and any(entry.key not in record.ledger.trying for entry in wanted)
    says = person_says(update.delta)
    follows = settings.close_out if is_closed(update.status) else settings.reopen_out
    # A closing whose answer was lost may have been carried out.
    may_be_closed = CLOSING in record.ledger.trying and is_open(update.status)
    told = IncidentStatus.DONE if may_be_closed else record.told
    turns = plan_status(told, record.asked, update.status, follows, says, brings_into_closed)
    # The close reason and notes go with the closing or not at all.
    left_out = SERVER_OWNED_FIELDS | MIRROR_KEYS | (CLOSING_KEYS if is_closed(update.status) else frozenset())
    fields = {
        f"{CUSTOM}{key}" if is_custom else key: value
        for key, value, is_custom in flat_delta(update.delta)
        if not stays(key, value) and (is_custom or key.lower() not in left_out)
    }
    local = {bare_name(key): value for key, value in fields.items()}
    fields = shared_out(fields, settings.sharing)
    needed = {REOPEN: REOPEN in turns, SAVE: update.is_changed and fields, SEND: wanted, CLOSE: CLOSE in turns}
    return [Step(kind, *((fields, local) if kind == SAVE else ())) for kind, is_needed in needed.items() if is_needed]


def leaving(entries: list[Entry], record: Record, settings: Settings, digest: Callable[[Entry], str]) -> list[Entry]:
    """Return which of the offered entries to send: those with a tag of this side that were not sent and did not come in.

    The server picks entries by the tags that the incident was fetched with, which may have changed since; some servers offer
    untagged ones too. `digest` gives an entry's `copy_digest`; it is called only if entries came in.
    """
    ledger = record.ledger
    return [
        entry
        for entry in entries
        if settings.mirror_tags
        and set(entry.tags) - {*settings.tags, settings.came_in_tag}
        and not ledger.has_sent(entry)
        and not (ledger.seen and ledger.has_copy(digest(entry)))
    ]


def local_digest(entry: Entry) -> str:
    """Return the `copy_digest` of a local entry; an empty text if its file is gone."""
    if not entry.has_file:
        return copy_digest(entry.raw.get("contents"))
    file = local_file(entry)
    return copy_digest(*file) if file else ""


def local_file(entry: Entry) -> tuple[str, Path] | None:
    """Return the name and path of a local entry's file; None if it is no longer on this server."""
    try:
        local = demisto.getFilePath(entry.id)
        path = Path(local["path"])
        path.stat()
        return safe_file_name(local.get("name") or entry.raw.get("file")), path
    except (AttributeError, KeyError, OSError, TypeError, ValueError):
        return None


def person_says(delta: dict[str, Any]) -> str:
    """Return REOPEN or CLOSE if the delta shows that a person did it, else an empty text.

    XSOAR REST API: closing sets `closingUserId`; reopening empties it and `runStatus`. Either may change `status` as well. A
    running playbook changes `runStatus` too, so `runStatus` alone proves nothing.
    """
    changed = in_lower_case(delta)
    user, status = changed.get("closinguserid"), changed.get("status")
    if user == "" or status in (IncidentStatus.PENDING, IncidentStatus.ACTIVE):
        return REOPEN
    return CLOSE if user or status == IncidentStatus.DONE else ""


def in_lower_case(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields with their names in lower case, since mappers vary."""
    return {str(key).lower(): value for key, value in fields.items()}


def flat_delta(delta: dict[str, Any]) -> Iterator[tuple[str, Any, bool]]:
    """Yield the fields of a delta: name, value, and whether it is plainly a custom field (under or with `CustomFields`)."""
    for key, value in delta.items():
        if key.lower().startswith(CUSTOM.lower()):
            yield key[len(CUSTOM) :], value, True
        elif key != "CustomFields":
            yield key, value, False
    yield from ((key, value, True) for key, value in custom_fields(delta).items())


def placed(
    delta: dict[str, Any], at_top: Iterable[str], in_custom: Iterable[str], custom_name: Callable[[str], str] = lambda _: ""
) -> tuple[dict[str, Any], dict[str, Any], list[tuple[str, Any]]]:
    """Split fields into those at the top of a remote incident, its custom fields, and the rest, which it owns or lacks.

    A mapper may spell a name in any case, and put `CustomFields.` before a CLI name.

    Args:
        at_top, in_custom: the fields that the incident has at its top, and the CLI names of its custom fields.
        custom_name: finds the CLI name of a custom field that the incident lacks by its name in lower case; empty: none.
    """
    owned = SERVER_OWNED_FIELDS | {name.lower() for name in at_top if is_server_owned(name)}
    top_names = {name.lower(): name for name in at_top if name != "CustomFields" and name.lower() not in owned} | FIELD_ALIASES
    custom_names = {name.lower(): name for name in in_custom}
    top: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    rest: list[tuple[str, Any]] = []
    for key, value, is_custom in flat_delta(delta):
        name = key.lower()
        if stays(key, value) or steers(key):
            rest.append((key, value))
        elif is_custom or name in custom_names:
            custom[custom_names.get(name) or custom_name(name) or key] = value
        elif name in top_names:
            top[top_names[name]] = value
        elif name not in owned and (own_name := custom_name(name)):
            custom[own_name] = value
        else:
            rest.append((key, value))
    return top, custom, rest


def apply_delta(remote: dict[str, Any], top: dict[str, Any], custom: dict[str, Any]) -> dict[str, Any]:
    """Return a remote incident with fields changed and everything else kept."""
    nested = {"CustomFields": {**custom_fields(remote), **custom}} if custom else {}
    return {**remote, **top, **nested}


def custom_field_names(fields: Iterable[dict[str, Any]]) -> frozenset[str]:
    """Return the CLI names of the custom fields. XSOAR REST API: a field of a content pack is one too."""
    return frozenset(str(item.get("cliName")) for item in fields if item.get("content") or not item.get("system"))


def schema_if_allowed(client: Client, holds: Callable[[Schema], bool], purpose: str) -> Schema | None:
    """Return the remote's incident fields as kept, or read once per run if they fail `holds`; None if the key may not."""
    if client.schema is None:
        client.schema = read_store().memory.schema
    if client.has_read_schema or holds(client.schema):
        return client.schema
    try:
        fields = client.incident_fields()
    except RemoteError as error:
        if error.kind not in (FORBIDDEN, NOT_FOUND, REJECTED):
            raise
        demisto.info(f"{BRAND}: the remote incident fields cannot be read, {purpose}: {error}")
        return None
    client.has_read_schema = True
    types = {str(item.get("cliName")): str(item.get("type") or "") for item in fields}
    custom = {name: types[name] for name in sorted(custom_field_names(fields))}
    schema = client.schema = Schema(custom, offered_reasons(fields), local_now_ms())

    def remember(memory: Memory) -> Memory:
        is_known = memory.schema._replace(read_ms=schema.read_ms) == schema
        return memory if is_known and is_recent(memory.schema) else memory._replace(schema=schema)

    # Failing to keep it must not stop what needs it.
    with contextlib.suppress(DemistoException):
        change_memory(remember)
    return schema


def is_recent(schema: Schema) -> bool:
    """Return whether the remote's fields were read within SCHEMA_MS."""
    return is_within(SCHEMA_MS, schema.read_ms)


def load_same(client: Client, settings: Settings, incident_id: str) -> Incident:
    """Return a remote incident. Raises RemoteError if it is not the one of its record, but another with its ID."""
    return ensure_current(client, settings, read_store().record(incident_id), Incident.of(client.load(incident_id)))


def write_fields(
    client: Client, settings: Settings, loaded: Incident, changes: dict[str, Any], yields: Callable[[Incident, str, Any], bool]
) -> tuple[Incident, Incident, dict[str, RemoteError]]:
    """Write fields, custom ones named `CustomFields.<CLI name>`. If the remote rejects them, find out which by halving.

    Args:
        yields: whether a field gives way to the value of the remote incident as it is loaded.

    Returns the incident as it was before our changes, as it is now, and why single fields were refused.
    """
    for seconds in (*SAVE_PAUSES, None):
        going = {name: value for name, value in changes.items() if not yields(loaded, name, value)}
        top = {name: value for name, value in going.items() if not name.startswith(CUSTOM)}
        custom = {name.removeprefix(CUSTOM): value for name, value in going.items() if name.startswith(CUSTOM)}
        changed = apply_delta(loaded.raw, top, custom)
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
                return loaded, loaded, dict.fromkeys(changes, error)
            items, half = list(changes.items()), len(changes) // 2
            before, saved, refused = write_fields(client, settings, loaded, dict(items[:half]), yields)
            again, latest, more_refused = write_fields(client, settings, saved, dict(items[half:]), yields)
            return before if again is saved else again, latest, refused | more_refused
    raise AssertionError("the last try either returns or raises")


TO_COME = "~~~~"  # Stands for the digest of a field whose remote value is to come in, whatever it is.


def value_digest(value: Any) -> str | None:
    """Return the digest of a field's value as in `field_digests`; None if it is empty."""
    value = plain(value)
    return None if value is None else short_digest(value)


def bare_name(name: str) -> str:
    """Return the name of a field in one spelling, however a mapper spells it."""
    name = name.lower().removeprefix(CUSTOM.lower())
    return FIELD_ALIASES.get(name, name).lower()


def held_there(remote: Incident, name: str, redact: tuple[str, ...]) -> Any:
    """Return what a remote incident holds in a field, redacted as it comes in; a custom one is `CustomFields.<CLI name>`."""
    key = name.removeprefix(CUSTOM)
    return cleaned((remote.raw if key == name else custom_fields(remote.raw)).get(key), redact)


def is_conflict(remote: Incident, name: str, here: Any, record: Record, settings: Settings, now_ms: int) -> bool:
    """Return whether a field that changed here holds something else there, and changed there too since both were last equal.

    It did if it is not what both sides held last, or came in so recently that the local change may be older.
    """
    known, original = unpack_digests(record.fields), held_there(remote, name, ())
    there = cleaned(original, settings.sharing.redact)
    if not known or plain(there) == plain(here) or not is_shared(name, settings.sharing.in_fields):
        return False
    is_recent_news = abs(now_ms - record.in_ms) < BOTH_SIDES_MS and name_digest(name) in keys_of(record.news)
    # It may have come in before it was to be redacted.
    return is_recent_news or known.get(name_digest(name)) not in (TO_COME, value_digest(there), value_digest(original))


def is_redacted_edit(remote: Incident, name: str, here: Any, redact: tuple[str, ...]) -> bool:
    """Return whether a local value, itself not redacted, would overwrite the original there with a redaction placeholder."""
    original = held_there(remote, name, ())
    there = cleaned(original, redact)
    return original != there and plain(here) != plain(there) and bool(re.search(PLACEHOLDER, to_json(here)))


def remote_wins(settings: Settings, remote: Incident, changed_ms: int) -> bool:
    """Return whether the remote value of a field stands that was changed on both sides, each by its own clock.

    Args:
        changed_ms: when the local change was made; 0: unknown, and then it stands under *Newest wins*.
    """
    # Only what comes in can take the place of the local value.
    if not settings.comes_in or settings.conflicts == LOCAL_WINS:
        return False
    return settings.conflicts == REMOTE_WINS or 0 < changed_ms < remote.modified_ms


def both_values(there: Any, here: Any) -> str:
    """Return the sentences with the two values of a field."""
    texts = (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in (there, here))
    return "There: {}. Here: {}.".format(*(short(text) or "(empty)" for text in texts))


def conflict_notice(name: str, there: Any, here: Any, is_remote: bool) -> str:
    """Return the note about a field that was changed on both sides."""
    said = f"{name.removeprefix(CUSTOM)} was changed in both tenants. {both_values(there, here)}"
    if is_remote:
        return f"{said} The remote value wins and is mirrored in. If the local value is right, set it again."
    return f"{said} The local value wins in both tenants. If the remote value is right, set it here."


def redacted_notice(name: str, there: Any, here: Any) -> str:
    """Return the note about a change that was held back. See `is_redacted_edit`."""
    why = "contains text that is redacted here, so this change was not written over the original."
    return f"{name.removeprefix(CUSTOM)} {why} {both_values(there, here)} Make the change there."


def send_fields(
    client: Client, settings: Settings, incident_id: str, delta: dict[str, Any], local: dict[str, Any], changed_ms: int
) -> tuple[Incident, bool]:
    """Write local changes into the remote incident, remember what it holds now; return it, and whether it changed.

    Args:
        local: see `Step`.
        changed_ms: when the last change was made, see `remote_wins`.

    Raises:
        RemoteError: some fields were refused; the others have gone.
    """

    @functools.cache
    def custom_name(name: str) -> str:
        purpose = f"so whether there is a field {short(name, 80)} is not known"
        schema = schema_if_allowed(client, lambda kept: name in map(str.lower, kept.custom_fields), purpose)
        return next((cli_name for cli_name in schema.custom_fields if cli_name.lower() == name), "") if schema else ""

    record, now_ms = read_store().record(incident_id), local_now_ms()
    known = unpack_digests(record.fields)
    loaded = load_same(client, settings, incident_id)
    top, custom, dropped = placed(delta, loaded.raw, custom_fields(loaded.raw), custom_name)
    nested = {f"{CUSTOM}{name}": value for name, value in custom.items()}
    if known:
        # A server may send all custom fields when one changed. The unchanged ones must not undo newer changes there.
        nested = {name: value for name, value in nested.items() if known.get(name_digest(name)) != value_digest(value)}

    def made_ms(name: str, here: Any) -> int:
        # A change that could not go out at once is at least as old as its first try.
        return min(filter(None, (record.unsent.get(change_digest(name, here)), changed_ms)), default=0)

    def is_held_back(remote: Incident, name: str) -> bool:
        return is_redacted_edit(remote, name, local.get(bare_name(name)), settings.sharing.redact)

    def yields(remote: Incident, name: str, here: Any) -> bool:
        # What was redacted on its way in must not take the place of the original.
        if plain(here) == plain(held_there(remote, name, settings.sharing.redact)) or is_held_back(remote, name):
            return True
        if record.settled.get(name_digest(name)) == (value_digest(here) or ""):
            return True
        is_both = is_conflict(remote, name, here, record, settings, now_ms)
        return is_both and remote_wins(settings, remote, made_ms(name, here))

    changes = top | nested
    before, after, refused = write_fields(client, settings, loaded, changes, yields)
    # A run that was killed may have written it.
    stood = {
        name
        for name, here in changes.items()
        if known
        and is_shared(name, settings.sharing.in_fields)  # What both sides hold of the others is not known.
        and known.get(name_digest(name)) != value_digest(here)
        and plain(here) == plain(held_there(before, name, settings.sharing.redact))
    }
    written = {name for name, here in changes.items() if name not in refused and not yields(before, name, here)}
    conflicting = {
        name: here
        for name, here in changes.items()
        if is_held_back(before, name) or is_conflict(before, name, here, record, settings, now_ms)
    }
    yielded = {name for name, here in conflicting.items() if yields(before, name, here)}
    is_new = after is not before or yielded
    settled = {name_digest(name): value_digest(here) or "" for name, here in changes.items() if is_new and name not in refused}
    told = {
        name: redacted_notice(name, held_there(before, name, settings.sharing.redact), local.get(bare_name(name)))
        if is_held_back(before, name)
        else conflict_notice(name, held_there(before, name, settings.sharing.redact), here, name in yielded)
        for name, here in conflicting.items()
        if name not in refused and record.settled.get(name_digest(name)) != (value_digest(here) or "")
    }
    crossings = [
        Crossing(OUT, incident_id, "fields", named(names), outcome, min(made_ms(name, changes[name]) or now_ms for name in names))
        for outcome, names in ((CROSSED, written), (STOOD_THERE, stood), (GAVE_WAY, told.keys() & yielded))
        if names
    ]
    # Only a pull can show them.
    notices = {short_digest([text, now_ms]): text for text in told.values()} if settings.comes_in else {}
    log(settings, f"update-remote-system: incident {incident_id}: {len(changes.keys() - refused - yielded)} fields.")
    if dropped:
        keys = ", ".join(name for name, _ in dropped)
        log(
            settings,
            f"update-remote-system: incident {incident_id}: not sent because the remote tenant owns or lacks them: {keys}.",
        )

    def remember(current: Record) -> Record:
        # If something else changed there too, a pull has yet to deliver that.
        modified = after.modified if current.modified == before.modified else current.modified
        modified = "" if yielded else modified
        notices_now, settled_now = {**current.notices, **notices}, {**current.settled, **settled}
        current = current._replace(modified=modified, notices=notices_now, settled=settled_now, news="")
        if current.fields:  # Without them, it is not known what else both sides hold.
            was, now = (field_digests(shared_in(incident.raw, settings.sharing)) for incident in (before, after))
            moved = {key for key in {*was, *now} if was.get(key) != now.get(key)} | {name_digest(name) for name in stood}
            both = unpack_digests(current.fields) | {key: now[key] for key in moved & now.keys()}
            both |= {name_digest(name): TO_COME for name in yielded}
            emptied = moved - now.keys()
            current = current._replace(fields=pack_digests({key: value for key, value in both.items() if key not in emptied}))
        return asked_for(current, settings) if notices or yielded else current

    change_record(incident_id, remember, crossings=crossings)
    if refused:
        names = ", ".join(name.removeprefix(CUSTOM) for name in refused)
        reason = next(iter(refused.values()))
        error = RemoteError(REJECTED, f"The remote tenant rejected the field {names}; only the others were written: {reason}")
        error.refused = (named(refused),)
        raise error
    return after, after is not before


def stands_there(remote_entry: Entry, text: str, file: tuple[str, Path] | None) -> bool:
    """Return whether a remote entry is what sending a text, or a file with that comment, leaves behind."""
    raw = remote_entry.raw
    if file is None:
        return not remote_entry.has_file and raw.get("contents") == text
    name, path = file
    metadata = raw["fileMetadata"] if isinstance(raw.get("fileMetadata"), dict) else {}
    # Servers store quotes, and backslashes before them, in different ways.
    there, here = (re.sub(r'%22|["\\]', "", str(file_name)) for file_name in (raw.get("file"), name))
    if there != here or metadata.get("size") not in (None, path.stat().st_size):
        return False
    if not metadata.get("sha256"):
        return metadata.get("size") is not None or raw.get("contents") == text
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == metadata["sha256"]


def send_entry(client: Client, sharing: Sharing, investigation_id: str, entry: Entry, there: list[Entry]) -> list[Entry]:
    """Bring a local entry into the remote War Room; return the remote entries that it became.

    `there` are remote entries that an earlier try may have left: the first that matches is taken out of it instead.
    """
    file = local_file(entry) if entry.has_file else None
    if entry.has_file and not file:
        raise RemoteError(REJECTED, f"The file of local entry {entry.id} is no longer on this server: remove the entry's tag.")
    shared = shared_entry(entry, sharing)
    if file and (refusal := file_refusal(file[0], file[1].stat().st_size, sharing)):
        note = f"A file was added here that is not shared: {refusal}."
        shared, file = shared._replace(raw={**shared.raw, "contents": note, "format": EntryFormat.TEXT}), None
    elif file:
        file = (safe_file_name(redacted_name(file[0], sharing)), file[1])
    text, entry_format = (signed_comment(shared), "") if file else signed_text(shared)
    is_markdown = entry_format == EntryFormat.MARKDOWN
    found = next((remote_entry for remote_entry in there if stands_there(remote_entry, text, file)), None)
    if found:
        there.remove(found)
        answer = [found.raw]
    elif file:
        name, path = file
        answer = client.upload(investigation_id, path, name, text, entry.is_note)
    elif entry.is_note and entry_format in (EntryFormat.TEXT, EntryFormat.MARKDOWN):
        answer = [client.add_note(investigation_id, text, is_markdown)]
    else:
        try:
            answer = [client.add_formatted(investigation_id, text, entry_format)]
        except RemoteError as error:
            # XSOAR REST API: a route that is closed to API keys answers with one of these.
            if error.status not in (303, 404, 405):
                raise
            demisto.info(
                f"{BRAND}: update-remote-system: the remote does not allow /entry/formatted ({error.status}): using /entry."
            )
            # /entry runs commands, but a signed text begins with its author, never with ! or /.
            answer = [client.add_chat(investigation_id, text, is_markdown)]
    written = [Entry.of(raw) for raw in with_ids(answer)]
    if not written or len(written) < len(answer):
        raise RemoteError(BUSY, "The remote tenant did not say which entry it wrote; the next round looks for it.")
    if entry.is_note and not written[0].is_note:
        client.mark_as_note(written[0].raw, investigation_id)
    return written


def send_entries(client: Client, settings: Settings, incident_id: str, entries: list[Entry], remote: Incident | None) -> None:
    """Send local entries, the oldest first, past those that the remote refuses. Raises the first RemoteError at the end."""
    record = read_store().record(incident_id)
    investigation_id = (remote or load_same(client, settings, incident_id)).investigation_id
    if not investigation_id:
        raise RemoteError(
            REJECTED,
            "The remote incident is pending and has no War Room yet: start its investigation there, then the entries are sent.",
        )
    # An earlier try may have written an entry without our learning of it.
    is_uncertain = any(entry.key in record.ledger.trying for entry in entries)
    there = read_entries(client, investigation_id, {}) if is_uncertain else []
    there = [remote_entry for remote_entry in there if not record.ledger.has_seen(remote_entry)]
    failures: list[RemoteError] = []
    refused: list[str] = []
    ended: list[tuple[Entry, list[Entry]]] = []  # Not recorded yet.
    for entry in entries:
        if client.is_late():
            failures.append(RemoteError(LATE, "This run is out of time; the next round sends the remaining entries."))
            break
        note_entries(incident_id, ended, about_to_go=entry)
        ended = []
        try:
            ended = [(entry, send_entry(client, settings.sharing, investigation_id, entry, there))]
        except RemoteError as error:
            failures.append(error)
            refused += [entry_crossing(OUT, incident_id, entry).what] if error.kind in UNREADABLE else []
            is_first_try = entry.key not in record.ledger.trying
            if error.kind == CLOSED and is_first_try:
                ended = [(entry, [])]
            if error.kind in (CLOSED, RATE_LIMIT) or (error.kind in (BUSY, UNREACHABLE) and is_first_try):
                # It may pass, so stop to keep the order. An entry that fails again is passed over.
                break
            if error.kind in (BUSY, UNREACHABLE, REFUSED_KEY, NOT_API):
                client.about()  # Raises if the remote as a whole is down.
    if ended:
        note_entries(incident_id, ended)
    log(settings, f"update-remote-system: incident {incident_id}: {len(entries) - len(failures)} entries.")
    if failures:
        failures[0].refused = tuple(refused)
        raise failures[0]


def note_entries(incident_id: str, ended: list[tuple[Entry, list[Entry]]], about_to_go: Entry | None = None) -> None:
    """Remember which entries went, so that what they became does not come in; and which is about to go.

    Args:
        ended: local entries, each with the remote entries that it became; none if the remote has certainly not written it.
        about_to_go: if this run is killed, the next one looks for it in the remote before it sends it again.
    """
    sent = {entry.key: entry.mark for entry, written in ended if written}
    arrived = {remote_entry.key: remote_entry.mark for _, written in ended for remote_entry in written}
    going = {about_to_go.key: about_to_go.mark} if about_to_go else {}
    crossings = [
        # A note may stand for a file.
        entry_crossing(OUT, incident_id, entry, CROSSED if written[0].has_file or not entry.has_file else AS_NOTE)
        for entry, written in ended
        if written
    ]

    def note(record: Record) -> Record:
        ledger, ended_keys = record.ledger, {entry.key for entry, _ in ended}
        trying = {key: mark for key, mark in ledger.trying.items() if key not in ended_keys} | going
        return record._replace(ledger=ledger._replace(sent=ledger.sent | sent, trying=trying, seen=ledger.seen | arrived))

    change_record(incident_id, note, len(sent), crossings)


def load_closed(client: Client, settings: Settings, incident_id: str, pauses: Iterable[float]) -> Incident:
    """Return a remote incident, loaded again after each pause until it is closed.

    XSOAR REST API: the answer of a closing may come before the incident is closed.
    """
    remote = load_same(client, settings, incident_id)
    for seconds in pauses:
        if is_closed(remote.status):
            break
        client.pause(seconds)
        remote = load_same(client, settings, incident_id)
    return remote


def unsettled_pauses(incident_id: str) -> Iterable[float]:
    """Return the pauses in which an earlier try to close a remote incident may still take effect; none without one."""
    return SAVE_PAUSES if CLOSING in read_store().record(incident_id).ledger.trying else ()


def close_remote(client: Client, settings: Settings, incident_id: str, local: dict[str, Any], since_ms: int = 0) -> bool:
    """Close the remote incident if it is open, and remember that it is closed; return whether we closed it.

    `local` is the local incident, with its keys in lower case, `since_ms` when it was closed here or this was first offered.
    """

    def words(anew: bool = False) -> tuple[str, str]:
        """Return the close reason and notes, with one of the reasons that the remote is known to offer."""
        reason, purpose = closing_words(local, (), settings.close_reasons)[0], "so the close reason goes as it is"
        schema = schema_if_allowed(client, lambda kept: not anew and is_recent(kept) and reason in kept.close_reasons, purpose)
        return closing_words(local, schema.close_reasons if schema else (), settings.close_reasons)

    pauses = unsettled_pauses(incident_id)
    remote = load_closed(client, settings, incident_id, pauses)
    was_open = not is_closed(remote.status)
    if was_open:
        # Failing to note it must not stop the closing.
        with contextlib.suppress(DemistoException):
            change_record(
                incident_id, lambda now: now._replace(ledger=now.ledger._replace(trying=now.ledger.trying | {CLOSING: ""}))
            )
        version, first_words = whole(remote.raw.get("version"), 0), words()
        try:
            client.close(incident_id, version, *first_words)
        except RemoteError as error:
            # The remote may no longer offer that reason.
            if error.kind != REJECTED or (other_words := words(anew=True)) == first_words:
                raise
            client.close(incident_id, version, *other_words)
        remote = load_closed(client, settings, incident_id, SAVE_PAUSES)
        if not is_closed(remote.status):
            remedy = "If it stays open, close it there: its close form may require more fields."
            raise RemoteError(BUSY, f"The remote tenant has not closed the incident yet; the next round tries again. {remedy}")
    log(settings, f"update-remote-system: incident {incident_id}: closed.")
    is_ours = was_open or bool(pauses)
    crossings = [Crossing(OUT, incident_id, "close", since_ms=since_ms)] if is_ours else []
    # What we closed it with is no news from there.
    ours = {key: value for key, value in remote.raw.items() if key in ("closeReason", "closeNotes")} if is_ours else {}

    def remember(record: Record) -> Record:
        known = unpack_digests(record.fields)
        both = known | field_digests(shared_in(ours, settings.sharing)) if known else known
        return as_told(record._replace(fields=pack_digests(both)), IncidentStatus.DONE)

    change_record(incident_id, remember, crossings=crossings)
    return is_ours


def as_told(record: Record, status: int) -> Record:
    """Return the record of an incident that has the same status on both sides now."""
    trying = {key: mark for key, mark in record.ledger.trying.items() if key != CLOSING}
    ledger = record.ledger._replace(trying=trying)
    return record._replace(status=status, given=status, told=status, asked=None, ledger=ledger)


def offered_reasons(fields: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return the close reasons among the remote's incident fields; none if it accepts any."""
    ids = ("incident_closereason", "closereason")
    found: dict[str, Any] = next((item for item in fields if str(item.get("id") or item.get("cliName")).lower() in ids), {})
    return tuple(value for value in texts(found.get("selectValues")) if value.strip())


def closing_words(
    local: dict[str, Any], offered: tuple[str, ...], close_reasons: tuple[tuple[str, str], ...] = ()
) -> tuple[str, str]:
    """Return the close reason and notes for a local incident, its keys in lower case. A reason not offered goes to the notes.

    `close_reasons`: the remote's and ours. One of ours that stands for several of theirs is not translated.
    """
    reason = str(local.get("closereason") or "Other")
    theirs = [their_reason for their_reason, our_reason in close_reasons if our_reason == reason]
    reason = theirs[0] if len(theirs) == 1 else reason
    notes = str(local.get("closenotes") or "Closed in the mirrored incident.")
    if not offered or reason in offered:
        return reason, notes
    return "Other" if "Other" in offered else offered[0], f"{reason}: {notes}"


def reopen_remote(client: Client, settings: Settings, incident_id: str, since_ms: int = 0) -> bool:
    """Reopen the remote incident if it is closed; return whether it was reopened. `since_ms`: see `close_remote`.

    XSOAR REST API: there is no route for it, only the command reopenInvestigation, which runs in the War Room of another open
    incident. If there is none, or the command has no effect, the log says so and the incident stays closed.
    """
    was_closed = is_closed(load_closed(client, settings, incident_id, unsettled_pauses(incident_id)).status)
    if was_closed:
        # Prefer a mirrored incident, where our entries are expected. XSOAR REST API: an investigation has the ID of its incident.
        store = read_store()
        newest = [key for key in store.open if key != incident_id][-SWEEP:]
        active = [key for key, record in store.records(newest).items() if record.status == IncidentStatus.ACTIVE]
        investigation_id = max(active, key=entry_number, default="")
        if not investigation_id:
            found, _ = client.search("status:active", size=1, ascending=False)
            investigation_id = str(found[0].get("investigationId") or "") if found else ""
        # The ID becomes part of a command.
        if investigation_id and re.fullmatch(r"[\w-]+", incident_id):
            try:
                client.run(investigation_id, f"!reopenInvestigation id={incident_id}")
            except RemoteError as error:
                if error.kind not in (CLOSED, NOT_FOUND, REJECTED, FORBIDDEN):
                    raise
                demisto.info(f"{BRAND}: update-remote-system: incident {incident_id}: not reopened: {error.kind}.")
        if is_closed(load_same(client, settings, incident_id).status):
            demisto.info(f"{BRAND}: incident {incident_id} is open here but still closed in the remote tenant: reopen it there.")
            return False
        log(settings, f"update-remote-system: incident {incident_id}: reopened.")
    # Recorded as told now: if a closing follows and fails, it must still count as untold.
    crossings = [Crossing(OUT, incident_id, "reopen", since_ms=since_ms)] if was_closed else []
    change_record(incident_id, lambda record: as_told(record, IncidentStatus.ACTIVE), crossings=crossings)
    return was_closed


def create_remote(client: Client, settings: Settings, data: dict[str, Any], origin: str) -> tuple[str, bool]:
    """Create the remote incident for a local one, unless an earlier try did; return its ID, and whether it is new.

    The answer of that try may have been lost, so the remote incident carries its origin, for which we search. A mapper may leave
    out the local ID; the origin is then not unique, and we search for it only after a try whose outcome is unknown.
    """
    local_id, begun_ms = str(data.get("id") or ""), local_now_ms()
    store = read_store()
    creating = store.memory.creating
    if begun := creating.get(origin):
        loaded = as_result(client.load, begun)
        if not (isinstance(loaded, RemoteError) and loaded.kind == NOT_FOUND):
            return begun, False
        # It was deleted there before all of this incident was in it.
        change_store(lambda now: now.with_records({}, gone=[begun]))
    created, is_new, sent = None, False, dict[str, Any]()
    if local_id or origin in creating:
        found, _ = client.search(f"dbotMirrorId:{quoted(origin)}", size=SEARCH_PAGE)
        ours = [incident for incident in found if incident.get("dbotMirrorId") == origin]
        records = store.records(str(incident["id"]) for incident in ours)
        created = next((incident for incident in ours if local_id or str(incident["id"]) not in records), None)
    if created is None:
        if abs(begun_ms - store.memory.begun_ms.get(origin, 0)) <= MODIFIED_OVERLAP_MS:
            # What the last try may have created is perhaps not in the remote's search index yet.
            raise RemoteError(
                BUSY, "It is not known yet whether the remote tenant created the incident: the next try looks for it again."
            )
        schema = schema_if_allowed(client, lambda _: False, "so the incident is created without knowing its custom fields")
        names = frozenset(schema.custom_fields) if schema else None
        sent = new_remote_incident(shared_out(data, settings.sharing), names, origin, settings.instance)
        change_memory(lambda memory: with_creation(memory, origin, "", begun_ms))
        try:
            created, is_new = client.create(sent), True
        except RemoteError as error:
            if error.kind in (REJECTED, RATE_LIMIT, REFUSED_KEY, FORBIDDEN, NOT_FOUND):  # Nothing was created for certain.
                forget_creation(origin)
            raise
    incident = Incident.of(created)
    log(settings, f"update-remote-system: incident {incident.id}: created.")
    # What the remote holds otherwise than it was sent has yet to come in.
    sent = sent or new_remote_incident(shared_out(data, settings.sharing), None, origin, settings.instance)
    both = field_digests(sent)
    crossing = Crossing(OUT, incident.id, CREATED, names_among(sent, both), since_ms=parse_ms(data.get("modified"), begun_ms))
    if not is_new:
        there = field_digests(shared_in(incident.raw, settings.sharing))
        both = {key: both[key] if both.get(key) == there.get(key) else TO_COME for key in {*both, *there}}
    fields = pack_digests(both)
    record = Record(created_ms=incident.created_ms, origin=CREATED, met=True, fields=fields, since_ms=0)
    record = record._replace(status=incident.status, given=incident.status)

    def remember(now: Store) -> Store:
        before = now.records([incident.id])
        known = now.with_records({incident.id: record, **before}).with_crossings([] if before else [crossing])
        return known.with_memory(lambda memory: with_creation(memory, origin, incident.id))

    change_store(remember)
    return incident.id, is_new


def origin_of(data: dict[str, Any], settings: Settings) -> str:
    """Return the dbotMirrorId of a remote incident that we create: the local incident and this tenant."""
    return f"{data.get('id') or digest_of(data)}@{tenant_name(settings)}"


def with_creation(memory: Memory, origin: str, remote_id: str, begun_ms: int = 0) -> Memory:
    """Return the memory with a creation: as the remote incident that it became, or as unknown since `begun_ms`."""
    after = without_creation(memory, origin)
    begun = {origin: begun_ms} if begun_ms else {}
    return after._replace(creating={**after.creating, origin: remote_id}, begun_ms={**after.begun_ms, **begun})


def without_creation(memory: Memory, origin: str) -> Memory:
    """Return the memory without a creation."""
    creating = {key: remote_id for key, remote_id in memory.creating.items() if key != origin}
    return memory._replace(creating=creating, begun_ms={key: since for key, since in memory.begun_ms.items() if key != origin})


def forget_creation(origin: str) -> None:
    """Forget a creation that has ended."""
    change_memory(lambda memory: without_creation(memory, origin))


def new_remote_incident(data: dict[str, Any], custom_names: frozenset[str] | None, origin: str, instance: str) -> dict[str, Any]:
    """Return the incident to create in the remote for a local one in remote names. See `origin_of`.

    XSOAR REST API: a server keeps `sourceBrand` and `sourceInstance` of an incident only if it has a label `Instance`.

    Args:
        custom_names: the CLI names of the remote's custom fields. None: the key may not read them, so every field that is not in
            INCIDENT_FIELDS is taken for a custom one.
    """
    top, custom, rest = placed(data, INCIDENT_FIELDS, custom_names or ())
    unknown = {key: value for key, value in rest if not (stays(key, value) or steers(key) or is_server_owned(key))}
    if custom_names is None:
        custom = unknown | custom
    else:
        top = unknown | top
    return {
        **top,
        "name": top.get("name") or "Incident of another tenant",
        "CustomFields": custom,
        "labels": [{"type": "Brand", "value": BRAND}, {"type": "Instance", "value": instance}],
        "dbotMirrorId": origin,
        "sourceBrand": BRAND,
        "sourceInstance": instance,
    }


def held_sentence(store: Store, settings: Settings, incident_id: str) -> str:
    """Return why nothing crosses for now: the instance is paused, or the incident is stopped; empty if it does."""
    if store.memory.is_paused:
        until = iso(store.memory.paused_until_ms)[:19]
        return f"Mirroring of {settings.instance} is paused until {until}Z: run xsoar-mirror-resume to end the pause."
    if incident_id and store.record(incident_id).is_stopped:
        return f"Mirroring of incident {incident_id} is stopped: run xsoar-mirror-start id={incident_id} to start it again."
    return ""


def update_remote_system_command(client: Client, settings: Settings, args: dict[str, Any]) -> str:
    """Bring local changes to the remote incident: fields, tagged entries, closing, reopening; return the remote ID.

    Each step is recorded as soon as it succeeds; if one fails, the others are still tried. Raises RemoteError if one failed: the
    server then sends everything again, and recorded steps are not repeated.
    """
    if "data" not in args and not args.get("remoteId"):
        # Run by hand, it would create an empty incident there. That is not a failure of the mirror.
        raise RemoteError(
            HELD, "Nothing to send: do not run update-remote-system by hand. The server runs it when a mirrored incident changes."
        )
    update = Update.of(args)
    store = read_store()
    if held := held_sentence(store, settings, update.remote_id):
        if update.remote_id and update.is_changed:
            change_record(update.remote_id, lambda now: with_unsent(now, update, settings))
        # The server keeps the changes and sends them again.
        raise RemoteError(HELD, held)
    origin = "" if update.remote_id else origin_of(update.data, settings)
    if origin:
        incident_id, is_new = create_remote(client, settings, update.data, origin)
        # Created by an earlier try, it lacks the local changes since then.
        update = update._replace(remote_id=incident_id, delta={} if is_new else update.delta or update.data)
    record = read_store().record(update.remote_id)
    wanted = leaving(update.entries, record, settings, local_digest)
    were_tried = all(entry.key in record.ledger.trying for entry in wanted)
    log(
        settings,
        f"update-remote-system: incident {update.remote_id}: status {update.status}, changed {update.is_changed}, "
        f"{len(wanted)} entries, delta {', '.join(sorted(map(str, update.delta))) or 'empty'}.",
    )
    changed_ms = parse_ms(update.data.get("modified"), 0)
    # A closing or reopening that was not offered before has not waited with the fields that could not go out.
    waiting = record.unsent.values() if record.here == update.status else ()
    since_ms = min(filter(None, [*waiting, changed_ms]), default=local_now_ms())
    failures: list[RemoteError] = []
    refused: list[Crossing] = []
    went, remote = bool(origin), None
    for step in plan_push(record, update, settings, wanted):
        if step.kind == CLOSE and failures and not (were_tried and all(error.kind in UNREADABLE for error in failures)):
            # A closed War Room takes no entries, so the closing waits for what may still go out, not for what is refused again.
            continue
        try:
            if step.kind == REOPEN:
                went |= reopen_remote(client, settings, update.remote_id, since_ms)
            elif step.kind == SAVE:
                remote, is_changed = send_fields(client, settings, update.remote_id, step.fields, step.local, changed_ms)
                went |= is_changed
            elif step.kind == SEND:
                send_entries(client, settings, update.remote_id, wanted, remote)
                went = True
            else:
                data, delta = (in_lower_case(shared_out(fields, settings.sharing)) for fields in (update.data, update.delta))
                words = data | {key: value for key, value in delta.items() if value}
                went |= close_remote(client, settings, update.remote_id, words, since_ms)
        except RemoteError as error:
            failures.append(error)
            whats = error.refused or ((named(step.fields),) if error.kind in UNREADABLE else ())
            refused += [Crossing(OUT, update.remote_id, STEP_KINDS[step.kind], what, REFUSED_THERE) for what in whats]
    if failures:
        sentences = " ".join(dict.fromkeys(map(str, failures)))
        # Show nothing that the next round simply continues.
        shown = short(sentences, 500) if any(error.kind not in (RATE_LIMIT, LATE) for error in failures) else ""
        with contextlib.suppress(DemistoException):  # The failure itself matters more.
            change_record(update.remote_id, lambda now: after_failure(now, update, settings, shown), crossings=refused)
        raise RemoteError(failures[0].kind, f"Incident {update.remote_id}: {sentences}")
    is_shown = bool(origin) or (went and not read_store().memory.is_limited)
    change_record(update.remote_id, lambda now: after_push(now, update, settings, went, is_shown, record.settled))
    if origin:
        forget_creation(origin)
    return update.remote_id


def after_push(
    record: Record, update: Update, settings: Settings, went: bool, is_shown: bool, sent_before: dict[str, str]
) -> Record:
    """Return the record after a push without failures.

    `went`: whether the remote changed. `is_shown`: whether a pull is to show that, as nothing else may list the incident.
    `sent_before`: what an earlier try settled, see `Record`.
    """
    after = record._replace(met=True, out_ms=local_now_ms() if went else record.out_ms, out_error="", unsent={}, settled={})
    known = unpack_digests(record.fields)
    # While the update failed they changed there, and the server may have kept the local value.
    older = {name for name, value in sent_before.items() if known and known.get(name, "") not in (TO_COME, value)}
    if older:
        after = after._replace(modified="", fields=pack_digests(known | dict.fromkeys(older, TO_COME)))
    is_reopened = False
    if update.status is not None:
        is_as_asked = record.asked is None or is_closed(record.asked) == is_closed(update.status)
        is_settled = is_as_asked or is_closed(update.status) or person_says(update.delta) == REOPEN
        follows = settings.close_out if is_closed(update.status) else settings.reopen_out or not is_closed(record.told)
        is_told = is_settled and (follows or (record.asked is not None and is_as_asked))
        is_reopened = record.is_closed_here and is_settled and is_open(update.status)
        asked = None if is_settled else record.asked
        after = after._replace(here=update.status, asked=asked, told=update.status if is_told else record.told)
    # Entries may have waited for the reopening.
    return asked_for(after, settings) if is_reopened or is_shown or record.out_error or older else after


def change_digest(name: str, value: Any) -> str:
    """Return what tells a change of a field from others, however a mapper spells the name."""
    return short_digest([bare_name(name), plain(value)])


def with_unsent(record: Record, update: Update, settings: Settings) -> Record:
    """Return the record with the time since when each change of a failed update waits."""
    steps = plan_push(record, update, settings, [])
    changes = [change_digest(name, value) for step in steps if step.kind == SAVE for name, value in step.fields.items()]
    return record._replace(unsent={key: record.unsent.get(key) or local_now_ms() for key in changes})


def after_failure(record: Record, update: Update, settings: Settings, error: str) -> Record:
    """Return the record of an incident whose changes did not all go. The next pull shows an error, if there is one to show."""
    here = record.here if update.status is None else update.status
    after = with_unsent(record._replace(met=True, here=here), update, settings)
    return after if error in ("", record.out_error) else asked_for(after._replace(out_error=error), settings)


""" SCHEMA """


def is_mappable(incident_field: dict[str, Any]) -> bool:
    """Return whether a custom field can be mirrored. Files cross as entries, and timers run in each tenant by themselves."""
    cli_name, kind = str(incident_field.get("cliName")).lower(), str(incident_field.get("type")).lower()
    is_own = cli_name.startswith(OWN_FIELD_PREFIX) or cli_name in MIRROR_KEYS
    return not is_own and not incident_field.get("isReadOnly") and kind not in ("attachments", "internal", "timer", "sla")


def associated_types(incident_field: dict[str, Any]) -> list[str]:
    """Return the incident types that a field belongs to."""
    return [*texts(incident_field.get("associatedTypes")), *texts(incident_field.get("systemAssociatedTypes"))]


def is_bound(incident_field: dict[str, Any]) -> bool:
    """Return whether a field belongs to certain incident types only."""
    return bool(associated_types(incident_field))


def get_mapping_fields_command(client: Client) -> GetMappingFieldsResponse:
    """Return the remote's fields that an outgoing mapper may write, for each incident type and for `Default Mapping`.

    Their names are those that update-remote-system takes: an incident's own fields as the incident spells them, custom ones by
    their CLI names.
    """
    types, fields = client.incident_types(), client.incident_fields()
    own_names = {name.lower(): name for name in INCIDENT_FIELDS}
    custom_names = custom_field_names(fields)
    writable: dict[str, dict[str, Any]] = {}
    for item in fields:
        name = str(item.get("cliName"))
        if name in custom_names:
            writable |= {name: item} if is_mappable(item) else {}
        elif name.lower() in own_names and not item.get("isReadOnly"):
            writable[own_names[name.lower()]] = item
    response = GetMappingFieldsResponse()
    for type_name in ["Default Mapping", *(str(item.get("name") or item.get("id")) for item in types)]:
        scheme = SchemeTypeMapping(type_name=type_name)
        for name, item in writable.items():
            is_general = type_name == "Default Mapping" or item.get("associatedToAll") or not is_bound(item)
            if is_general or type_name in associated_types(item):
                scheme.add_field(name, f"{item.get('name') or name} - {item.get('type') or 'shortText'}")
        response.add_scheme_type(scheme)
    return response


""" WAR ROOM COMMANDS """


def search_incidents_command(client: Client, settings: Settings, args: dict[str, Any]) -> CommandResults:
    """Return the remote incidents that match a query, newest first, as a table and under XSOAR.Incident."""
    wanted = whole_number(args.get("max_results") or 10, "max_results", 1, MOST_RESULTS)
    since_ms = parse_when(args.get("start_time") or "3 days", "start_time", local_now_ms())
    query = str(args.get("query") or "-status:closed -category:job")
    columns = list(listed(args.get("columns"))) or DEFAULT_COLUMNS
    incidents: dict[str, dict[str, Any]] = {}
    size, seen = min(wanted, SEARCH_PAGE), 0
    for page in range(MOST_PAGES):
        portion, total = client.search(query, size=size, page=page, ascending=False, from_ms=since_ms)
        seen += len(portion)
        fresh = [shared_in(incident, settings.sharing) for incident in portion if str(incident["id"]) not in incidents]
        recent = [incident for incident in fresh if parse_ms(incident.get("created"), since_ms) >= since_ms]
        incidents.update((str(incident["id"]), incident) for incident in recent)
        # The last page is a short one, unless the remote says that there is more, or one without anything new.
        is_short = len(portion) < min(size, PAGE_SMALLEST) and total <= seen
        if len(incidents) >= wanted or is_short or not recent:
            break
    found = outputs = list(incidents.values())[:wanted]
    readable = tableToMarkdown("Search Results:", rows_shown(found), headers=None if "all" in columns else columns)
    if len(found) > MOST_WHOLE_INCIDENTS:
        outputs = [{key: incident.get(key) for key in BRIEF_FIELDS} for incident in found]
        readable += (
            f"\nWith more than {MOST_WHOLE_INCIDENTS} incidents, the context holds only these fields: {', '.join(BRIEF_FIELDS)}. "
            "To get a whole incident, run xsoar-get-incident."
        )
    return CommandResults(
        outputs_prefix="XSOAR.Incident", outputs_key_field="id", outputs=outputs, raw_response=found, readable_output=readable
    )


def get_incident_command(client: Client, settings: Settings, args: dict[str, Any]) -> CommandResults:
    """Return a remote incident and its newest entries, as tables and under XSOAR.Incident."""
    incident_id = str(args.get("id") or "").strip()
    if not incident_id:
        raise ValueError("id is missing: give the ID of a remote incident, for example id=4.")
    wanted = whole_number(args.get("max_results") or 10, "max_results", 1, MOST_RESULTS)
    since_ms = parse_when(args.get("from_date") or "3 days", "from_date", local_now_ms())
    entry_filter: dict[str, Any] = {
        "fromTime": iso(since_ms),
        "categories": list(parse_categories(args.get("categories") or "chats,notes", "categories")),
    }
    if tags := listed(args.get("tags")):
        entry_filter |= {"tags": list(tags), "tagsAndOperator": False}
    incident = shared_in(client.load(incident_id), settings.sharing)
    found = read_entries(client, str(incident.get("investigationId") or ""), entry_filter)

    def seen(entry: Entry) -> dict[str, Any]:
        raw, name = shared_entry(entry, settings.sharing).raw, entry.raw.get("file")
        if not (entry.has_file and (refusal := file_refusal(name, file_size(entry), settings.sharing))):
            return raw
        return {**raw, "file": "", "fileID": "", "fileMetadata": None, "contents": f"A file that is not shared: {refusal}."}

    entries = [seen(entry) for entry in found[-wanted:]]
    custom = {key: value for key, value in custom_fields(incident).items() if not is_timer(value)}
    fields = {**{key: incident.get(key) for key in SHOWN_FIELDS}, **custom}
    rows = [{"field": key, "value": value} for key, value in fields.items() if plain(value) is not None]
    title = short(as_text(str(incident.get("name") or incident_id))).replace("`", "\\`")
    readable = tableToMarkdown(f"Incident {title}", rows_shown(rows), headers=["field", "value"])

    def shown_entry(entry: dict[str, Any]) -> dict[str, Any]:
        contents = entry.get("contents")
        text = contents if isinstance(contents, str | None) else json.dumps(contents, ensure_ascii=False)
        return {**{key: entry.get(key) for key in ENTRY_COLUMNS}, "user": author_of(entry), "contents": text}

    rows = rows_shown([shown_entry(entry) for entry in entries])
    readable += "\n" + tableToMarkdown(f"Last entries since {iso(since_ms)}", rows, headers=ENTRY_COLUMNS, removeNull=True)
    return CommandResults(
        outputs_prefix="XSOAR.Incident",
        outputs_key_field="id",
        outputs=incident,
        raw_response={"incident": incident, "entries": entries},
        readable_output=readable,
    )


""" WAR ROOM COMMANDS: THE MIRROR """

# The fields besides custom ones that the mappers of this pack let cross, and why others do not.
COMPARED_FIELDS = ("name", "details", "severity", "phase", "dueDate")
NOT_COMPARED = {
    "type": "set when an incident is fetched; a mapper would override the type chosen in the instance",
    "occurred": "comes in when an incident is fetched, and does not go out",
    "closeReason": "crosses with the closing; a reason that the other tenant does not offer goes into the close notes",
    "closeNotes": "cross with the closing",
    "playbookId": "playbooks are each tenant's own",
    "labels": "labels are each tenant's own",
    "owner": "users differ between tenants; XSOAR Mirroring Remote Owner shows the remote one",
    "roles": "roles are each tenant's own; a copied role could hide the incident",
}


def local_incident(args: dict[str, Any]) -> dict[str, Any]:
    """Return the local incident that a command is about: the argument `incident`, else the one that it runs in, if any."""
    given = args.get("incident")
    try:
        incident = json.loads(given) if given and isinstance(given, str) else given or demisto.incident()
    except Exception:  # Where there is no incident, as in the playground, versions differ in what they raise.
        incident = None
    if given and isinstance(incident, list) and incident:
        incident = incident[0]
    if given and not isinstance(incident, dict):
        raise ValueError("incident is not JSON of an incident: give ${incident} in a playbook, or leave it out in a War Room.")
    return incident if isinstance(incident, dict) else {}


def wanted_remote_id(args: dict[str, Any], local: dict[str, Any], settings: Settings) -> str:
    """Return the remote incident that a command is about: the argument `id`, else the one that the local incident mirrors."""
    mirrored_id, instance = str(local.get("dbotMirrorId") or ""), str(local.get("dbotMirrorInstance") or "")
    remote_id = str(args.get("id") or "").strip() or mirrored_id
    if not remote_id:
        raise ValueError(
            "id is missing: run the command in the War Room of a mirrored incident, or give the remote ID, for example id=4."
        )
    if remote_id == mirrored_id and instance and instance != settings.instance:
        raise ValueError(
            f"This incident is mirrored by the instance {instance}: add using={json.dumps(instance)} to the command."
        )
    return remote_id


def mirror_diff_command(client: Client, settings: Settings, args: dict[str, Any]) -> CommandResults:
    """Return, field by field, what the local and the remote incident hold. Writes nothing."""
    local = local_incident(args)
    remote_id = wanted_remote_id(args, local, settings)
    if not local:
        raise ValueError("There is no local incident: run the command in its War Room, or give the argument incident.")
    store, sharing = read_store(), settings.sharing
    memory, store_record = store.memory, store.record(remote_id)
    loaded, ruled = client.load(remote_id), ruled_names(memory.rules)
    remote = shared_in(loaded, sharing)

    def not_shared(name: str) -> str:
        """Return why the policy keeps a field back; empty if it does not."""
        lists = {"Fields that come in": sharing.in_fields, "Fields that go out": sharing.out_fields}
        return " and ".join(title for title, chosen in lists.items() if not is_shared(name, chosen))

    theirs = dict.fromkeys(custom_fields(loaded)) | custom_fields(remote)
    # In a playbook ${incident} holds the custom fields at its top.
    mine = {**{name: local[name] for name in theirs if name in local}, **custom_fields(local)}
    names = sorted({*mine, *theirs})
    custom = [name for name in names if not stays(name, mine.get(name) or theirs.get(name))]
    # Each tenant decides for itself whether an open incident is pending or active.
    states = ["closed" if is_closed(incident.get("status")) else "open" for incident in (local, remote)]
    crossing = [
        {"field": name, "here": here, "there": there, "equal": plain(here) == plain(there), "mapped": mapped}
        for name, here, there, mapped in [
            *((name, local.get(name), remote.get(name), True) for name in COMPARED_FIELDS if not not_shared(name)),
            ("status", *states, True),
            *(
                (name, mine.get(name), theirs.get(name), name.lower() in ruled)
                for name in custom
                if not not_shared(f"{CUSTOM}{name}")
            ),
        ]
    ]
    timers = [name for name in names if is_timer(mine.get(name)) or is_timer(theirs.get(name))]
    ignored = [
        {"field": name, "reason": reason}
        for name, here, there, reason in [
            *((name, local.get(name), remote.get(name), reason) for name, reason in NOT_COMPARED.items()),
            *((name, mine.get(name), theirs.get(name), "each tenant runs its own SLA timers") for name in timers),
        ]
        if plain(here) != plain(there)
    ]
    kept_back = {name: not_shared(name) for name in COMPARED_FIELDS} | {name: not_shared(f"{CUSTOM}{name}") for name in custom}
    ignored += [{"field": name, "reason": f"not shared: {lists}"} for name, lists in kept_back.items() if lists]
    conflicts = list(store_record.notices.values())
    different = [row["field"] for row in crossing if not row["equal"]]
    is_unmapped = any(not row["mapped"] for row in crossing)
    outputs = {
        "id": remote_id,
        "equal": not different,
        "different": different,
        "fields": crossing,
        "ignored": ignored,
        "conflicts": conflicts,
    }
    rows = [
        {**row, "equal": "yes" if row["equal"] else "no", "rule": "" if row["mapped"] else "no rule here"}
        for row in sorted(crossing, key=lambda row: row["equal"])
    ]
    title = f"Here and remote incident {remote_id}: " + (f"{len(different)} fields differ" if different else "equal")
    headers = ["field", "here", "there", "equal", *(["rule"] if is_unmapped else [])]
    readable = tableToMarkdown(title, rows_shown(rows), headers=headers)
    if is_unmapped:
        readable += (
            "\nA field without a rule crosses only once, when its incident is fetched. To create rules, run xsoar-mirror-mappers."
        )
    for text in conflicts:
        readable += f"\n{as_text(text)}"
    if ignored:
        readable += "\n" + tableToMarkdown("Never mirrored", ignored, headers=["field", "reason"])
    return CommandResults(outputs_prefix="XSOAR.Mirror.Diff", outputs_key_field="id", outputs=outputs, readable_output=readable)


def mirror_resync_command(client: Client, settings: Settings, args: dict[str, Any]) -> CommandResults:
    """Make the next round bring a remote incident again: its fields, and all earlier entries that match and are not here yet."""
    local = local_incident(args)
    remote_id = wanted_remote_id(args, local, settings)
    again = str(args.get("entries") or "").strip().lower() == "again"
    given = {**args, "entries": True} if again else args
    fields, entries = (flag(given, name, name, True, "give true or false") for name in ("fields", "entries"))
    if not fields and not entries:
        raise ValueError("There is nothing to resync: set fields or entries to true.")
    remote = Incident.of(client.load(remote_id))
    store, is_here = read_store(), local.get("dbotMirrorId") == remote_id
    record = store.records([remote_id]).get(remote_id)
    if record is None and not is_here:
        raise ValueError(
            f"This instance does not mirror incident {remote_id}: run the command in the War Room of the local incident."
        )
    # A fetched incident names its source. Any other that mirrors a remote one was linked by hand.
    is_linked = is_here and local.get("sourceBrand") != BRAND
    is_forgotten = record is None and not is_linked
    entries = entries and not is_forgotten
    if record and not is_linked:
        ensure_same(record, remote, settings)
    # A linked incident without its earlier entries begins now. By default it would begin when it was created here.
    begin_ms = max(remote.modified_ms, store.memory.health.cursor_ms) + 1
    is_open_here = is_here and local.get("status") in (IncidentStatus.PENDING, IncidentStatus.ACTIVE)

    def restart(known: Record) -> Record:
        ledger = known.ledger
        if entries:
            # History comes, and files that a note stands for are tried again.
            anew = {*ledger.missing}
            if again:
                # What was written from here has a mark alone.
                anew |= {key for key, mark in ledger.seen.items() if len(mark) > len(UNMARKED) and " " not in key}
            # Their copies here are still recognized, also where each resync brings another text.
            seen = {f"again {mark}" if key in anew else key: mark for key, mark in ledger.seen.items()}
            ledger = ledger._replace(history={}, missing={}, seen=seen)
        # Its closing did not succeed, so it is delivered again.
        is_unclosed = is_open_here and is_closed(known.asked)
        return wanted_again(known)._replace(
            created_ms=remote.created_ms if is_linked else known.created_ms or remote.created_ms,
            origin=LINKED if is_linked else known.origin,
            modified="" if fields else known.modified,
            all_fields=fields or known.all_fields,
            is_resync=True,
            since_ms=0 if entries else begin_ms if known.since_ms is None else known.since_ms,
            given=remote.status if is_forgotten else None if is_unclosed else known.given,
            asked=None if is_unclosed else known.asked,
            # If nothing goes out, nothing else tells that it was reopened here, and entries would wait.
            here=local["status"] if is_open_here else known.here,
            owes_files=known.owes_files or (entries and bool(known.ledger.missing)),
            ledger=ledger,
            tries=0,
        )

    change_record(remote_id, restart)
    outputs = {"id": remote_id, "fields": fields, "entries": entries, "again": again and entries}
    parts = ["all fields"] if fields else []
    parts += (
        [f"{'all earlier entries again' if again else 'the earlier entries that were not mirrored in yet'}"] if entries else []
    )
    parts = parts or ["what is new"]
    readable = f"The next mirroring round syncs from remote incident {remote_id}: {' and '.join(parts)}."
    if is_forgotten:
        readable += " The record of its earlier entries is gone: those here stay as they are, and only new ones are mirrored in."
    if not settings.comes_in:
        readable += " The instance does not mirror in, so this only works for incidents whose own mirroring direction allows it."
    return CommandResults(outputs_prefix="XSOAR.Mirror.Resync", outputs_key_field="id", outputs=outputs, readable_output=readable)


# Further kinds of drift, and what to do about those that the next rounds cannot repair.
NO_ENTRY, NO_COPY = "entry missing", "file missing"
NOT_THERE, TWICE, GIVEN_UP, UNSENT, UNREAD = "entry lost", "entry doubled", "file given up", "unsent", "War Room unread"
NOT_HEALED = {NOT_THERE, TWICE, GIVEN_UP, UNSENT, UNREAD}
DECISIONS = {
    GONE: "Let the role of the key see the incident again or, if it was deleted there, run xsoar-mirror-stop for it.",
    OTHER: "Another incident has its ID: check XSOAR Server URL or, after a restore there, run xsoar-mirror-stop for it.",
    NOT_THERE: "Entries that crossed are no longer there, as after a restore from a backup: write the ones you need there again.",
    TWICE: "An entry sent from here is there twice: delete one of the two there.",
    GIVEN_UP: "A note replaced the file here: to try to read it again, run xsoar-mirror-resync.",
    UNSENT: "Some local changes may not have gone out: if the server does not send them soon, see xsoar-mirror-status.",
    UNREAD: "Its entries were not compared: let the role of the key see its War Room.",
}


def kept_drift(record: Record) -> dict[str, list[str]]:
    """Return what a record itself says is missing, as IDs of entries by kind: files, and what has not gone out for certain."""
    seen, missing, trying = record.ledger.seen, record.ledger.missing, record.ledger.trying
    kinds = {NO_COPY: [key for key in missing if key not in seen], GIVEN_UP: [key for key in missing if key in seen]}
    kinds[UNSENT] = [key for key in trying if key != CLOSING]
    is_so = {NO_COPY: record.owes_files, UNSENT: bool(record.unsent or trying)}
    return {kind: [*map(named_entry, keys)] for kind, keys in kinds.items() if keys or is_so.get(kind)}


def war_room_drift(client: Client, settings: Settings, incident_id: str, record: Record, read_ms: int) -> dict[str, list[str]]:
    """Return the entries that are missing here, and those that crossed and are no longer there or there twice: IDs by kind.

    `read_ms`: see `unsettled_ms`. Raises RemoteError if the War Room cannot be read.
    """
    tagged = read_entries(client, incident_id, tag_filter(settings)) if takes_entries(settings) else []
    settled_ms = remote_now_ms(client) - unsettled_ms(read_ms)
    new = [entry for entry in arriving(tagged, settings, record) if entry.touched_ms <= settled_ms]
    crossed = {key.partition("#")[0]: mark for key, mark in record.ledger.seen.items() if " " not in key}

    def lost(entries: list[Entry]) -> list[str]:
        there = {entry.id for entry in entries if is_marked(entry, crossed.get(entry.id))}
        return sorted(crossed.keys() - there, key=entry_number)

    kinds = {NO_ENTRY: [entry.id for entry in new if not entry.has_file], NO_COPY: [entry.id for entry in new if entry.has_file]}
    if lost(tagged):
        # What was written from here has no tag of theirs, and a tag may have been taken off.
        whole = read_entries(client, incident_id, {})
        kinds |= {NOT_THERE: lost(whole), TWICE: doubled(whole, crossed)}
    return {kind: entry_ids for kind, entry_ids in kinds.items() if entry_ids}


def doubled(entries: Iterable[Entry], crossed: dict[str, str]) -> list[str]:
    """Return the IDs of remote entries that say the same as one that was written from here, and are not known.

    `crossed`: the ledger's `seen`, by ID. What was written from here has a mark alone, and its text names its author and time.
    """

    def said(entry: Entry) -> tuple[str, ...]:
        return tuple(str(entry.raw.get(name) or "") for name in ("user", "contents", "file"))

    ours = {
        said(entry) for entry in entries if is_marked(entry, crossed.get(entry.id)) and len(crossed[entry.id]) == len(UNMARKED)
    }
    return [entry.id for entry in entries if entry.id not in crossed and said(entry) in ours]


def compared(
    client: Client, settings: Settings, records: dict[str, Record], read_ms: int, entries: bool, is_trusting: bool
) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Yield incidents in their order with how they differ from the remote: the IDs of entries by kind of drift.

    Args:
        read_ms: see `unsettled_ms`.
        entries: whether to compare War Rooms.
        is_trusting: leave out the War Room of an incident that was pulled whole and has not changed since.

    Raises:
        RemoteError: the others cannot be compared, for now or at all.
    """

    def look(key: str, record: Record, kind: str) -> Any:
        # A pending incident has no War Room. While one is closed here alone, its entries wait.
        waits = record.is_closed_here and not (settings.close_in and is_closed(record.status))
        is_proved = is_trusting and not kind and record.wanted == record.done
        has_none = not takes_entries(settings) and not record.ledger.seen
        if not (entries and record.status) or record.since_ms is None or has_none or waits or kind in (GONE, OTHER) or is_proved:
            return {}
        return readable(client, war_room_drift, client, settings, key, record, read_ms)

    for begin in range(0, len(records), SEARCH_PAGE):
        portion = dict(islice(records.items(), begin, begin + SEARCH_PAGE))
        kinds = readable(client, drifts, client, portion, unsettled_ms(read_ms))
        if isinstance(kinds, RemoteError):
            raise kinds
        with ReadPool(AT_ONCE) as pool:
            reading = {key: pool.start(look, key, record, kinds.get(key, "")) for key, record in portion.items()}
            for key, record in portion.items():
                room = reading[key].result()
                if isinstance(room, RemoteError):
                    if room.kind in (LATE, RATE_LIMIT):
                        raise room
                    room = {UNREAD: []}
                yield key, {**({kinds[key]: []} if key in kinds else {}), **kept_drift(record), **room}


def must_be_here(record: Record, now_ms: int) -> bool:
    """Return whether a local incident that mirrors it must be found, unless it was deleted.

    The server keeps a remote ID in the local incident only after the push that created the remote one.
    """
    return record.is_mirrored_here and abs(now_ms - max(record.in_ms, record.out_ms)) >= MODIFIED_OVERLAP_MS


def mirror_reconcile_command(client: Client, settings: Settings, args: dict[str, Any]) -> CommandResults:
    """List how the mirrored incidents differ from the remote ones. With `repair` the next rounds set right what they can.

    The raw response gives the IDs of those compared that must be here, as a script sees whether they are: {"known_here": [ID]}.
    """
    scope, after = choice(args, "scope", "scope", ("open", "all")), str(args.get("after") or "").strip()
    most = whole_number(args.get("max") or KEPT_RECORDS, "max", 1, KEPT_RECORDS)
    is_thorough = str(args.get("entries") or "").strip().lower() == "all"
    given = {**args, "entries": True} if is_thorough else args
    repair = flag(given, "repair", "repair", False, "give true or false")
    entries = flag(given, "entries", "entries", False, "give true, false or all")
    store, read_ms = read_store(), local_now_ms()
    if store.memory.is_paused:
        raise ValueError(held_sentence(store, settings, ""))
    records = store.all_records()
    wanted = [
        key
        for key in sorted(records, key=entry_number)
        if entry_number(key) > entry_number(after) and not records[key].is_stopped
        if scope == "all" or not is_closed(records[key].status)
    ]
    found, why = dict[str, dict[str, list[str]]](), "The maximum is reached."
    try:
        chosen = {key: records[key] for key in wanted[:most]}
        is_trusting = bool(store.memory.entries_move) and not is_thorough
        for key, kinds in compared(client, settings, chosen, read_ms, entries, is_trusting):
            # Where nothing comes in, only these are no matter of course.
            found[key] = {kind: ids for kind, ids in kinds.items() if settings.comes_in or kind in DECISIONS}
    except RemoteError as error:
        if not found:
            raise
        why = str(error)
    differing = {key: kinds for key, kinds in found.items() if kinds}
    # The pull of one that is gone says so in the incident. What is closed may be cleared away there.
    cleared = {key for key, kinds in differing.items() if GONE in kinds and is_closed(records[key].status)}
    can_heal = [key for key, kinds in differing.items() if kinds.keys() - NOT_HEALED and key not in cleared]
    healed = can_heal if settings.comes_in else []  # Otherwise they would wait for a pull that never comes.
    if repair and healed:
        change_store(lambda kept: kept.with_records({key: wanted_again(kept.record(key)) for key in kept.records(healed)}))
    rows = [
        {
            "id": key,
            "instance": settings.instance,
            "kinds": [*kinds],
            "entries": [entry_id for ids in kinds.values() for entry_id in ids],
            "repaired": repair and key in healed,
            "decide": " ".join(DECISIONS[kind] for kind in kinds if kind in DECISIONS),
        }
        for key, kinds in differing.items()
    ]
    left = len(wanted) - len(found)
    go_on = next(reversed(found)) if left else ""
    summary = {"Instance": settings.instance, "LookedAt": len(found), "NotLookedAt": left, "After": go_on, "Differ": len(rows)}
    title = f"{len(rows)} of {len(found)} incidents differ from {host_of(settings.api_root)}"
    readable = tableToMarkdown(title, rows_shown(rows), headers=["id", "kinds", "entries", "decide"], removeNull=True)
    if left:
        readable += f"\nNot compared: {left} incidents. {why} Continue with after={go_on}."
    if healed and not repair:
        readable += "\nWith repair=true, the next rounds repair what does not need a decision."
    readable += "\nTo compare field values, run xsoar-mirror-diff in the War Room of an incident."
    keys = "(val.Instance && val.Instance == obj.Instance)", "(val.id && val.id == obj.id && val.instance == obj.instance)"
    outputs = {f"XSOAR.Mirror.Reconcile{keys[0]}": summary, f"XSOAR.Mirror.Drift{keys[1]}": rows}
    # While a creation is under way, the local incident does not have the remote ID.
    here = [key for key in found if must_be_here(records[key], read_ms) and key not in store.memory.creating.values()]
    return CommandResults(outputs=outputs, readable_output=readable, raw_response={"known_here": here})


def mirror_stop_command(settings: Settings, args: dict[str, Any], is_stopped: bool) -> CommandResults:
    """Stop the mirroring of one incident, or start it again."""
    remote_id = wanted_remote_id(args, local_incident({}), settings)
    if remote_id not in read_store().records([remote_id]):
        raise ValueError(
            f"This instance does not mirror incident {short(remote_id, 80)}: give the ID of one that it mirrors, such as id=4."
        )
    # The next pull shows the state, and after a start brings what changed meanwhile.
    change_record(remote_id, lambda record: wanted_again(record)._replace(is_stopped=is_stopped))
    told = {
        True: f"Mirroring of remote incident {remote_id} is stopped. To start it again, run xsoar-mirror-start id={remote_id}.",
        False: f"Mirroring of remote incident {remote_id} continues. The next rounds mirror what changed in the meantime.",
    }
    return CommandResults(
        outputs_prefix="XSOAR.Mirror.Stop",
        outputs_key_field="id",
        outputs={"id": remote_id, "stopped": is_stopped},
        readable_output=told[is_stopped],
    )


def parse_until(value: Any, now_ms: int) -> int:
    """Return the end of a pause: a time from now ("2 hours"), or an ISO time. Raises ValueError if it is not within 24 hours."""
    typed = str(value or "").strip()
    if match := re.fullmatch(r"(?:in )?([0-9]{1,5}) ?(second|minute|hour|day)s?", typed, re.IGNORECASE):
        until_ms = now_ms + int(match[1]) * UNITS_MS[match[2].lower()]
    else:
        until_ms = parse_ms(typed, 0)
    if not 0 < until_ms - now_ms <= LONGEST_PAUSE_MS:
        raise ValueError(
            f"until is {short(typed, 80)!r}: enter a time within the next 24 hours, such as 2 hours or "
            f"{iso(now_ms + HOUR_MS)[:19]}Z."
        )
    return until_ms


def mirror_pause_command(settings: Settings, until_ms: int) -> CommandResults:
    """Pause all mirroring of the instance until a time (local clock), or end the pause; 0: it ends."""
    change_memory(lambda memory: memory._replace(paused_until_ms=until_ms))
    readable = (
        f"Mirroring of {settings.instance} is paused until {iso(until_ms)[:19]}Z. To end the pause, run xsoar-mirror-resume."
        if until_ms
        else f"Mirroring of {settings.instance} continues. The next rounds mirror what changed in the meantime."
    )
    return CommandResults(
        outputs_prefix="XSOAR.Mirror.Pause",
        outputs_key_field="Instance",
        outputs={"Instance": settings.instance, "Until": iso(until_ms) if until_ms else ""},
        readable_output=readable,
    )


UNASKED_MS = 24 * HOUR_MS


def mirror_status_command(client: Client, settings: Settings, args: dict[str, Any]) -> CommandResults:
    """Return what the mirror knows, and how the remote tenant looks from here. Writes nothing."""

    def when(time_ms: int) -> str | None:
        return iso(time_ms) if time_ms else None

    store, now_ms = read_store(), local_now_ms()
    memory, health, records = store.memory, store.memory.health, store.all_records()
    try:
        version, problem = str(client.about().get("demistoVersion") or ""), ""
    except RemoteError as error:
        version, problem = "", str(error)
    skew = round((client.remote_time_ms + 500 - now_ms) / 1000) if client.remote_time_ms else None
    without_rule = None if problem else missing_rules(client, settings, memory.rules)
    lags = [row[-1] for row in store.journal if row[-1] is not None]
    going = {key: record for key, record in records.items() if not record.is_stopped}
    # What was listed for a day and never asked for has no local incident any more.
    since = [
        since_ms
        for key, (_, since_ms) in store.waiting.items()
        if key in going and (going[key].tries or now_ms - since_ms < UNASKED_MS)
    ]
    since += [moment for record in going.values() for moment in record.unsent.values()]
    error_ms, last_error, command = max((*last_failure(health, name), name) for name in sorted(MIRRORING_COMMANDS))
    outputs: dict[str, Any] = {
        "Instance": settings.instance,
        "State": "Paused" if memory.is_paused else "Running",
        "PausedUntil": when(memory.paused_until_ms) if memory.is_paused else None,
        "Direction": settings.direction or "None",
        "OutgoingTags": list(settings.mirror_tags),
        "Remote": host_of(settings.api_root),
        "RemoteVersion": version,
        "RemoteError": problem,
        "ClockSkewSeconds": skew,
        "EntriesMoveModified": memory.entries_move,
        "FieldsWithoutRule": None if without_rule is None else len(without_rule),
        "Cursor": when(health.cursor_ms),
        "CursorAgeSeconds": (now_ms - health.cursor_ms) // 1000 if health.cursor_ms else None,
        "LastRound": when(health.round_ms),
        "LastRoundCalls": health.round_calls,
        "LastFetch": when(health.fetch_ms),
        "LastFetchCalls": health.fetch_calls,
        "IncidentsTracked": len(records),
        "IncidentsOpen": sum(not is_closed(record.status) for record in records.values()),
        "IncidentsPending": sum(record.is_due and record.not_before_ms <= now_ms for record in records.values()),
        "IncidentsBehind": sum(record.tries > 0 for record in records.values()),
        "IncidentsWithError": sum(bool(record.in_error or record.out_error) for record in records.values()),
        "IncidentsStopped": sum(record.is_stopped for record in records.values()),
        "OldestPendingSeconds": max(0, now_ms - min(filter(None, since), default=now_ms)) // 1000,
        "LagP50Seconds": percentile(lags, 0.5),
        "LagP95Seconds": percentile(lags, 0.95),
        "CreationsPending": len(memory.creating),
        "FetchedLate": sum(record.came_late for record in records.values()),
        "EntriesIn": health.entries_in,
        "EntriesOut": health.entries_out,
        "LastError": last_error,
        "LastErrorCommand": command if error_ms else "",
        "LastErrorTime": when(error_ms),
    }
    shown = {key: value for key, value in outputs.items() if value not in (None, "")}
    readable = tableToMarkdown(f"Mirroring of {settings.instance}", shown, headers=list(shown), headerTransform=pascalToSpace)
    if without_rule:
        readable += "\n" + as_text(missing_rules_told(without_rule)) + "\n"
    remote_id = str(args.get("id") or "").strip()
    if remote_id:
        record = records.get(remote_id)
        incident = outputs["Incident"] = {
            "Id": remote_id,
            "State": ("Paused" if memory.is_paused else mirror_state(record)) if record else "Not mirrored by this instance",
            "Link": remote_link(settings, remote_id),
        }
        if record:
            incident |= {
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
        readable += "\n" + tableToMarkdown(
            f"Remote incident {remote_id}", incident, headers=list(incident), headerTransform=pascalToSpace, removeNull=True
        )
    return CommandResults(
        outputs_prefix="XSOAR.Mirror.Status", outputs_key_field="Instance", outputs=outputs, readable_output=readable
    )


def mirror_journal_command(settings: Settings, args: dict[str, Any]) -> CommandResults:
    """Return the last crossings that match the arguments, the newest first. Asks the remote nothing, and writes nothing."""
    remote_id = str(args.get("id") or "").strip()
    direction, outcome = (
        choice(args, name, name, ("", *options)) for name, options in (("direction", (IN, OUT)), ("outcome", OUTCOMES))
    )
    since_ms = parse_when(args["since"], "since", local_now_ms()) if args.get("since") else 0
    limit = whole_number(args.get("limit") or 50, "limit", 1, MOST_CROSSINGS)
    wanted = {1: direction, 2: remote_id, 5: outcome}
    newest = reversed(read_store().journal)
    found = [row for row in newest if row[0] >= since_ms and all(row[at] == value for at, value in wanted.items() if value)]
    columns = ["Time", "Direction", "Id", "Kind", "What", "Outcome", "LagSeconds"]
    rows = [dict(zip(columns, [iso(row[0]), *row[1:]], strict=True)) for row in found[:limit]]
    title = f"Crossings of {settings.instance}: {len(rows)} of {len(found)}"
    return CommandResults(
        outputs_prefix="XSOAR.Mirror.Journal",
        outputs_key_field="Instance",
        outputs={"Instance": settings.instance, "Total": len(found), "Crossings": rows},
        readable_output=tableToMarkdown(title, rows_shown(rows), headers=columns, headerTransform=pascalToSpace),
    )


""" WAR ROOM COMMANDS: MAPPERS """

ALL_TYPES = "dbot_classification_incident_type_all"  # The section of a mapper whose rules apply to every incident type.
# The rules that this pack's mappers have on every tenant. Incoming: local field -> key of the remote incident; outgoing: key of
# a change -> local field.
INCOMING_RULES = {
    **{name: name for name in ("name", "details", "severity", "phase", "occurred")},
    **{name: name for name in ("dbotMirrorId", "dbotMirrorInstance", "dbotMirrorDirection", "dbotMirrorTags")},
    "XSOAR Mirroring Remote ID": "mirror_remote_id",
    "XSOAR Mirroring Remote Link": "mirror_remote_link",
    "XSOAR Mirroring Remote Tenant": "mirror_remote_tenant",
    "XSOAR Mirroring Remote Owner": "mirror_remote_owner",
    "XSOAR Mirroring State": "mirror_state",
    "XSOAR Mirroring Last In": "mirror_last_in",
    "XSOAR Mirroring Last Out": "mirror_last_out",
    "XSOAR Mirroring Error In": "in_mirror_error",
    "XSOAR Mirroring Error Out": "out_mirror_error",
    "IncomingMirrorError": "in_mirror_error",
    "OutgoingMirrorError": "out_mirror_error",
}
OUTGOING_RULES = {name: name for name in ("id", "name", "details", "severity", "phase", "dueDate", "closeReason", "closeNotes")}
# The custom fields that the mappers of this pack have rules for, by CLI name.
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
# A custom field with one of these names would overwrite what belongs to one tenant, or to the incident itself.
TAKEN_NAMES = frozenset(re.sub("[^a-z0-9]", "", name.lower()) for name in (*INCOMING_RULES, *OUTGOING_RULES, "owner"))
# Types whose values are compatible: texts, and lists of texts. HTML is not a text here: it would render another's text as a page.
ALIKE_TYPES = (frozenset({"shorttext", "longtext", "markdown", "url"}), frozenset({"multiselect", "tagsselect"}))
# What becomes of a custom field: as the context of xsoar-mirror-mappers has it, and as its table does.
MAPPED, EXPORTED, ONLY_HERE, ONLY_THERE = "Mapped", "Exported", "OnlyHere", "OnlyThere"
TYPE_DIFFERS, EXCLUDED, NEVER_MIRRORED = "TypeDiffers", "Excluded", "NeverMirrored"
FATES = {
    MAPPED: "mapped",
    EXPORTED: "only there: exported and mapped",
    ONLY_HERE: "only here",
    ONLY_THERE: "only there",
    TYPE_DIFFERS: "not mapped: the types differ",
    EXCLUDED: "excluded by the arguments",
    NEVER_MIRRORED: "never mirrored: timers, files, read-only and internal fields, fields that belong to one tenant",
}
REPORT, EXPORT, IGNORE = "report", "export", "ignore"
MOST_LISTED = 500  # CLI names of one kind in the context.
MOST_SHOWN = 30  # The same in a table.


class Choice(NamedTuple):
    """The custom fields to map, as the arguments of xsoar-mirror-mappers choose them. Empty: all.

    types: fields of these incident types, besides those of all types.
    include, exclude: CLI names in lower case.
    missing: what to do with fields that only the remote has: report, export or ignore.
    """

    types: frozenset[str] = frozenset()
    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    missing: str = REPORT


class Pair(NamedTuple):
    """A custom field by its CLI name in lower case: as each tenant has it (empty: it does not), and what becomes of it."""

    cli_name: str
    here: dict[str, Any]
    there: dict[str, Any]
    fate: str


def incident_fields_among(fields: Any) -> list[dict[str, Any]]:
    """Return the incident fields in a list from a tenant."""
    # XSOAR REST API: the route lists evidence and indicator fields too; group 0 is the incident's.
    return [item for item in objects(fields) if not item.get("group") and is_id(item.get("cliName"))]


def custom_by_name(fields: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the custom fields by CLI name in lower case."""
    names = custom_field_names(fields)
    return {str(item["cliName"]).lower(): item for item in fields if str(item["cliName"]) in names}


def is_of_all_types(incident_field: dict[str, Any]) -> bool:
    """Return whether a field is one of every incident type, or of none in particular."""
    return bool(incident_field.get("associatedToAll")) or not is_bound(incident_field)


def name_of(incident_field: dict[str, Any]) -> str:
    """Return the name of a field, by which an incoming mapper refers to it."""
    return str(incident_field.get("name") or incident_field.get("cliName"))


def type_of(incident_field: dict[str, Any]) -> str:
    """Return the type of a field, or of a grid's column."""
    return str(incident_field.get("type") or "shortText")


def may_have_rule(incident_field: dict[str, Any]) -> bool:
    """Return whether a custom field can be mirrored and its name is free. See `is_mappable`."""
    names = {str(incident_field.get("cliName")).lower(), re.sub("[^a-z0-9]", "", name_of(incident_field).lower())}
    return is_mappable(incident_field) and not names & TAKEN_NAMES


def paired_fields(here: list[dict[str, Any]], there: list[dict[str, Any]], choice: Choice) -> list[Pair]:
    """Return the custom fields of both tenants and what becomes of each, sorted by CLI name."""
    mine, theirs = custom_by_name(here), custom_by_name(there)
    names_here = {name_of(item).lower() for item in here}
    pairs: list[Pair] = []
    for cli_name in sorted({*mine, *theirs}):
        local, remote = mine.get(cli_name, {}), theirs.get(cli_name, {})
        given = [item for item in (local, remote) if item]
        is_named = cli_name not in choice.exclude and (not choice.include or cli_name in choice.include)
        is_of_type = not choice.types or is_of_all_types(given[0]) or choice.types & {*associated_types(given[0])}
        types = {type_of(item).lower() for item in given}
        # XSOAR REST API: no mapper sets a local field that is `unmapped`.
        if not all(may_have_rule(item) for item in given) or local.get("unmapped"):
            fate = NEVER_MIRRORED
        elif not (is_named and is_of_type):
            fate = EXCLUDED
        elif local and remote:
            fate = MAPPED if len(types) == 1 or any(types <= alike for alike in ALIKE_TYPES) else TYPE_DIFFERS
        elif local:
            fate = ONLY_HERE
        else:
            # Field names are unique in a tenant.
            fate = EXPORTED if choice.missing == EXPORT and name_of(remote).lower() not in names_here else ONLY_THERE
        pairs.append(Pair(cli_name, local, remote, fate))
    return pairs


def mapper_name(direction: str, instance: str) -> str:
    """Return the name of an instance's mapper, which is its ID too."""
    return f"{BRAND} - {instance} - {direction}"


def both_mappers(instance: str, pairs: list[Pair], types_here: frozenset[str], choice: Choice) -> list[dict[str, Any]]:
    """Return the incoming and the outgoing mapper as the server imports them: this pack's rules, and those of `pairs`."""
    incoming: dict[str, dict[str, str]] = {ALL_TYPES: {}}  # By section: target -> source.
    outgoing: dict[str, dict[str, str]] = {ALL_TYPES: {}}
    for pair in pairs:
        if pair.fate in (MAPPED, EXPORTED):
            # An exported field gets its remote names here.
            local, name_there = pair.here or pair.there, str(pair.there["cliName"])
            types = types_here & {*associated_types(local)}
            for section in [ALL_TYPES] if is_of_all_types(local) or not types else types & choice.types or types:
                incoming.setdefault(section, {})[name_of(local)] = f"{CUSTOM}{name_there}"
                outgoing.setdefault(section, {})[name_there] = str(local["cliName"])

    def mapper(direction: str, base: dict[str, str], rules: dict[str, dict[str, str]]) -> dict[str, Any]:
        sections = {
            section: sorted(rules[section].items()) for section in sorted(rules, key=lambda name: (name != ALL_TYPES, name))
        }
        sections[ALL_TYPES] = [*base.items(), *sections[ALL_TYPES]]
        return {
            "id": mapper_name(direction, instance),
            "name": mapper_name(direction, instance),
            "type": f"mapping-{direction.lower()}",
            "description": "Made by xsoar-mirror-mappers for the custom fields of this tenant and of the remote one of "
            f"{instance}.",
            "version": -1,
            "fromVersion": "6.10.0",
            "feed": False,
            "defaultIncidentType": "",
            "marketplaces": ["xsoar"],
            "mapping": {
                section: {
                    "dontMapEventToLabels": True,
                    "internalMapping": {target: {"simple": source} for target, source in its_rules},
                }
                for section, its_rules in sections.items()
            },
        }

    return [mapper("Incoming", INCOMING_RULES, incoming), mapper("Outgoing", OUTGOING_RULES, outgoing)]


def exported_field(remote: dict[str, Any], types_here: frozenset[str]) -> dict[str, Any]:
    """Return a field of the remote as the server imports it, bound to those of its incident types that this tenant has.

    It is neither required nor part of the close form, and comes without scripts: each tenant has its own.
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
        **{key: str(remote.get(key) or "") for key in ("description", "placeholder", "validationRegex")},
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
    values = texts(remote.get("selectValues"))
    if choices := [value for value in values if value]:
        described["selectValues"] = [*([""] if kind.lower() == "singleselect" and "" in values else []), *choices]
    if columns := columns_of(remote):
        described["columns"] = [
            {
                "key": key,
                "displayName": str(column.get("displayName") or key),
                "type": type_of(column),
                "selectValues": texts(column.get("selectValues")) or None,
                "isDefault": True,
                "isReadOnly": bool(column.get("isReadOnly")),
                "required": False,
                "script": "",
                "fieldCalcScript": "",
                "width": whole(column.get("width"), 150),
            }
            for key, column in columns.items()
        ]
    return described


def columns_of(incident_field: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the columns of a grid by key; none for other fields."""
    return {str(column["key"]): column for column in objects(incident_field.get("columns")) if is_id(column.get("key"))}


def difference(here: dict[str, Any], there: dict[str, Any]) -> str:
    """Return how the choices or columns of a field differ between the tenants, in words; an empty text when they do not."""

    def offered(incident_field: dict[str, Any]) -> dict[str, set[str]]:
        columns = {f"{key} ({type_of(column)})" for key, column in columns_of(incident_field).items()}
        return {"choices": {value for value in texts(incident_field.get("selectValues")) if value}, "columns": columns}

    mine, theirs = offered(here), offered(there)
    return "; ".join(
        f"{word} only {place}: {some(sorted(names))}"
        for word in mine
        for place, names in (("here", mine[word] - theirs[word]), ("there", theirs[word] - mine[word]))
        if names
    )


def some(names: list[str]) -> str:
    """Return names as a text, at most MOST_SHOWN of them."""
    rest = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    return ", ".join(short(name, 80) for name in names[:MOST_SHOWN]) + rest


def parse_choice(args: dict[str, Any], names: set[str], types_here: frozenset[str]) -> Choice:
    """Return what the arguments of xsoar-mirror-mappers choose. Raises ValueError for what there is not.

    Args:
        names: the custom fields of both tenants, by CLI name in lower case.
    """
    missing = str(args.get("missing") or REPORT).strip().lower()
    if missing not in (REPORT, EXPORT, IGNORE):
        raise ValueError(f"missing is {short(missing, 80)!r}: choose one of {REPORT}, {EXPORT}, {IGNORE}.")
    named: dict[str, frozenset[str]] = {}
    for argument in ("include", "exclude"):
        named[argument] = frozenset(name.lower() for name in listed(args.get(argument)))
        if unknown := sorted(named[argument] - names):
            raise ValueError(
                f"{argument} has {short(unknown[0], 80)!r}, which is not the CLI name of a custom field in either tenant: give "
                "CLI names as shown on the incident fields page, such as sourceip."
            )
    types = frozenset(listed(args.get("types")))
    if unknown := sorted(types - types_here):
        raise ValueError(
            f"types has {short(unknown[0], 80)!r}, an incident type without fields of its own in this tenant: choose from "
            f"{some(sorted(types_here)) or 'none'}. Fields of all types are always mapped."
        )
    return Choice(types, named["include"], named["exclude"], missing)


def local_incident_fields(given: Any) -> list[dict[str, Any]]:
    """Return the incident fields of this tenant: those that are given, else what its own server answers.

    Args:
        given: JSON, or the ID of an entry with a JSON file; empty for none. It is what /incidentfields answers, an export of
            the incident fields page, one field alone, or what Core REST API makes of them.

    Raises:
        ValueError: there are none to be had; the message says what to do.
    """
    address = str(demisto.demistoUrls().get("server") or "").rstrip("/")
    route = "/xsoar/incidentfields" if is_demisto_version_ge("8.0.0") else "/incidentfields"
    advice = (
        "run the script XSOARMirroringMappers, which reads them through the Core REST API integration, or open "
        f"{address}{route} in a browser where you are logged in, save it as a file, add the file to this War Room and give its "
        "entry ID as local_fields"
    )
    if given in (None, ""):
        if fields := fields_of_own_server():
            return fields
        raise ValueError(f"This server does not let an integration read its incident fields: {advice}.")
    value = given
    if isinstance(given, str):
        try:
            content = given.strip().encode()
            if content[:1] not in (b"[", b"{"):
                path = Path(demisto.getFilePath(given.strip())["path"])
                content = path.read_bytes() if path.stat().st_size <= LARGEST_ANSWER else b""
            value = decoded(content)
        except Exception:  # Versions differ in what they raise for an entry without a file.
            value = None
    for key in ("response", "incidentFields"):
        if isinstance(value, dict) and key in value:
            value = value[key]
    if fields := incident_fields_among([value] if isinstance(value, dict) else value):
        return fields
    raise ValueError(f"local_fields contains no incident fields as JSON: {advice}.")


def fields_of_own_server() -> list[dict[str, Any]]:
    """Return the incident fields of this tenant as its own server answers; none where the platform does not let us ask."""
    try:
        answer = demisto.internalHttpRequest("GET", "/incidentfields")
        return incident_fields_among(decoded(str(answer.get("body")).encode())) if answer.get("statusCode") == 200 else []
    except Exception as error:  # Versions differ in what they raise where it is missing or not allowed.
        demisto.debug(f"{BRAND}: xsoar-mirror-mappers: this server does not answer: {type(error).__name__}.")
        return []


def ruled_names(rules: Rules) -> frozenset[str]:
    """Return the custom fields that have a rule: in the mappers exported last, or in those of this pack before any export."""
    return rules.mapped if rules.exported_ms else COMMON_FIELDS


def missing_rules(client: Client, settings: Settings, rules: Rules) -> list[str] | None:
    """Return the remote's custom fields that lack a rule, by CLI name; None where nothing is mirrored, or they cannot be read."""
    if not settings.direction:
        return None
    try:
        fields = custom_by_name(client.incident_fields())
    except RemoteError as error:
        demisto.info(f"{BRAND}: cannot check which custom fields have no rule: {error}")
        return None
    return sorted({name for name, item in fields.items() if may_have_rule(item)} - ruled_names(rules) - rules.left_out)


def missing_rules_told(names: list[str]) -> str:
    """Return the sentence on custom fields that have no rule."""
    count = "1 remote custom field has" if len(names) == 1 else f"{len(names)} remote custom fields have"
    return (
        f"{count} no rule here: run xsoar-mirror-mappers and import its mappers, or exclude there the fields not to mirror "
        f"({some(names)})."
    )


def mirror_mappers_command(client: Client, settings: Settings, args: dict[str, Any]) -> list[dict[str, Any]]:
    """Return mappers for the custom fields of both tenants, ready to be imported, and what became of each field."""
    here, there = local_incident_fields(args.get("local_fields")), client.incident_fields()
    types_here = frozenset(name for item in here for name in associated_types(item))
    choice = parse_choice(args, {*custom_by_name(here), *custom_by_name(there)}, types_here)
    pairs = paired_fields(here, there, choice)
    names = {fate: [pair.cli_name for pair in pairs if pair.fate == fate] for fate in FATES}
    uneven = {pair.cli_name: told for pair in pairs if pair.fate == MAPPED and (told := difference(pair.here, pair.there))}
    # The file names of a pack have underscores for what is no letter or number.
    word = re.sub(r"\W+", "_", f"{BRAND} {settings.instance}").strip("_")[:100]
    files = {
        f"classifier-{described['type'].replace('mapping', 'mapper')}-{word}.json": described
        for described in both_mappers(settings.instance, pairs, types_here, choice)
    }
    if exported := [exported_field(pair.there, types_here) for pair in pairs if pair.fate == EXPORTED]:
        files[f"incidentfields-{word}.json"] = {"incidentFields": exported}
    settled = [EXCLUDED, NEVER_MIRRORED, *([ONLY_THERE] if choice.missing == IGNORE else [])]
    rules = Rules(
        mapped=frozenset(names[MAPPED] + names[EXPORTED]),
        left_out=frozenset(name for fate in settled for name in names[fate]) & {*custom_by_name(there)},
        exported_ms=local_now_ms(),
    )
    change_memory(lambda memory: memory._replace(rules=rules))
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
        readable_output=mappers_shown(settings.instance, pairs, names, uneven),
    )
    contents = {name: json.dumps(content, indent=4) + "\n" for name, content in files.items()}
    return [result.to_context(), *(fileResult(name, text, EntryType.ENTRY_INFO_FILE) for name, text in contents.items())]


def mappers_shown(instance: str, pairs: list[Pair], names: dict[str, list[str]], uneven: dict[str, str]) -> str:
    """Return what xsoar-mirror-mappers shows: what happened to each field, what differs, and what to do next."""
    tables: dict[str, list[dict[str, Any]]] = {
        f"Mappers of {instance}": [
            {"custom fields": FATES[fate], "count": len(found), "CLI names": some(found)}
            for fate, found in names.items()
            if found or fate == MAPPED
        ],
        "The types differ": [
            {"field": pair.cli_name, "here": type_of(pair.here), "there": type_of(pair.there)}
            for pair in pairs
            if pair.fate == TYPE_DIFFERS
        ],
        "Mapped although choices or columns differ": [{"field": name, "difference": told} for name, told in uneven.items()],
    }
    shown = [
        tableToMarkdown(title, rows_shown(rows[:MOST_SHOWN]), headers=list(rows[0])) for title, rows in tables.items() if rows
    ]
    steps = [
        *(["Import incidentfields-….json on the incident fields page."] if names[EXPORTED] else []),
        "Import both classifier-mapper-….json files on the Classification & Mapping page.",
        f"Select them in the instance {instance} as Mapper (incoming) and Mapper (outgoing).",
    ]
    return "\n".join([*shown, *(f"{number}. {step}" for number, step in enumerate(steps, 1))])


""" WAR ROOM COMMANDS: CHECK """

OK, WARN, STOP = "ok", "warn", "stop"  # All is well; something does not cross, or is not known; mirroring cannot work.
SCRATCH_NAME = "Scratch incident of xsoar-mirror-check: it may be closed and deleted"
CHECK_SAMPLE = 20  # Incidents, the last to change, in which an incident, a War Room and a file are looked for.
CHECK_ROOMS = 5  # War Rooms to try until one has enough entries.
CHECK_ENTRIES = 10  # Entries to read of a War Room.
CHECK_FILE = 1 << 20  # Bytes of the largest file to download.
CHECK_PAGES = 20  # Pages of the first fetch to count.
MANY_AT_FIRST = 1000  # Incidents that a first fetch may bring without a warning.
INDEX_PAUSES = (1, 2, 3, 4, 5)  # Seconds before each search for a new incident, which is indexed within some ten.
QUOTA_SECONDS = 60  # How long a call limit is taken to hold.
NOTHING_CREATED = (FORBIDDEN, REFUSED_KEY, REJECTED, NOT_FOUND, RATE_LIMIT)  # The errors of a creation that was not carried out.
STILL = "does not change modified; each round reads more War Rooms"
IGNORED, REFUSED, LOST, UNSEEN = "is ignored", "is refused", "finds nothing", "is not known"  # What becomes of a time bound.


class Finding(NamedTuple):
    """The answer to one question of xsoar-mirror-check.

    found, remedy: hold no names, IDs or contents of either tenant, so that they may go into the report.
    names: for the operator alone: names of types, fields and reasons, and what the remote said.
    """

    verdict: str
    found: str
    remedy: str = ""
    names: str = ""
    question: str = ""


@dataclass
class Check:
    """What a run of xsoar-mirror-check knows so far.

    fields_here: this tenant's incident fields; empty: its server does not tell them.
    fields: the remote's; None: they could not be read.
    changed: the remote incidents that changed last, newest first.
    rooms: by investigation ID, one page of the War Room's entries, oldest first.
    origin: the dbotMirrorId of the scratch incident; empty: none was created.
    scratch_id: the scratch incident; empty: there is none, or its ID is not known.
    moves: whether `modified` moved, by what was written into the scratch incident.
    has_ended: ask nothing more.
    """

    client: Client
    settings: Settings
    fields_here: list[dict[str, Any]] = field(default_factory=list)
    fields: list[dict[str, Any]] | None = None
    changed: list[dict[str, Any]] = field(default_factory=list)
    rooms: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    origin: str = ""
    scratch_id: str = ""
    moves: dict[str, bool] = field(default_factory=dict)
    has_ended: bool = False


Ask = Callable[[Check], Any]  # Returns a Finding; a text stands for one that is ok, all else for "yes".


def not_known(why: str, remedy: str = "") -> Finding:
    """Return the finding for a question that nothing there could answer."""
    return Finding(WARN, f"not known: {why}", remedy)


NO_FIELDS = not_known("the remote incident fields could not be read", "let the role of the key read the incident fields")
NO_ROOM = not_known("found no War Room with enough entries", "write=true asks in a War Room of its own")
TOO_LATE = Finding(WARN, "this run is out of time: this and the following questions were not asked", "run the command again")
NO_MORE_CALLS = Finding(
    WARN, "the remote tenant is refusing calls (429): this and the following questions were not asked", "run it again later"
)


def search_page(client: Client, query: str, order: str, size: int = CHECK_SAMPLE, page: int = 0, **more: Any) -> dict[str, Any]:
    """Return what a search answers. `order`: the sort keys, one with a minus descends."""
    sort = [{"field": key.lstrip("-"), "asc": key[0] != "-"} for key in order.split()]
    return client.answer_of_search({"query": query, "size": size, "page": page, "sort": sort, **more})


def found_incidents(client: Client, query: str, order: str, **more: Any) -> list[dict[str, Any]]:
    """Return the incidents on a page of a search. See `search_page`."""
    return with_ids(search_page(client, query, order, **more).get("data"))


def some_entries(client: Client, room: str) -> list[dict[str, Any]]:
    """Return a page of a War Room's entries, oldest first."""
    return sorted(client.entries(room, {"pageSize": CHECK_ENTRIES}), key=created_order)


def refused_as_none(work: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """Return what a call returns; None where the remote rejects the request as such."""
    try:
        return work(*args, **named)
    except RemoteError as error:
        if error.kind != REJECTED:
            raise
        return None


def waited_until(client: Client, is_so: Callable[[], bool], pauses: Iterable[float] = SAVE_PAUSES) -> str:
    """Return how long it took until something was so, in words; an empty text when it never was."""
    waited = 0.0
    for seconds in (0.0, *pauses):
        if seconds:
            client.pause(seconds)
        waited += seconds
        if is_so():
            return f"after {round(waited, 1):g} s" if waited else "at once"
    return ""


def ask_version(check: Check) -> Finding | str:
    """Read what the remote is, which also shows that the key is good."""
    about = check.client.about()

    def told(key: str, form: str) -> str:
        text = str(about.get(key) or "")
        return text if re.fullmatch(form, text) else "in an unknown format"  # It goes into the report.

    version, mode = told("demistoVersion", r"[0-9.]{0,20}"), told("productMode", r"[A-Za-z0-9_]{0,20}")
    if mode.lower() not in ("", "xsoar"):
        remedy = "enter the address of an XSOAR tenant as XSOAR Server URL"
        return Finding(STOP, f"the product is {mode}, not Cortex XSOAR", remedy)
    found = f"version {version or 'not given'}; " + (f"product mode {mode}" if mode else "no product mode given, as on 6.x")
    return found if re.match(r"[68]\.", version) else Finding(WARN, found, "this pack supports versions 6 and 8: test with care")


def ask_search(check: Check) -> None:
    """Search the incidents that changed last."""
    check.changed = found_incidents(check.client, "", "-modified")


def ask_load(check: Check) -> Any:
    """Load an incident."""
    return check.client.load(str(check.changed[0]["id"])) if check.changed else not_known("found no incident")


def ask_war_room(check: Check) -> Finding | None:
    """Read War Rooms until one has enough entries."""
    rooms = [str(item["investigationId"]) for item in check.changed if is_id(item.get("investigationId"))]
    for room in rooms[:CHECK_ROOMS]:
        check.rooms[room] = some_entries(check.client, room)
        if len(check.rooms[room]) == CHECK_ENTRIES:
            break
    return None if rooms else not_known("found no incident with a War Room")


def ask_download(check: Check) -> Finding | None:
    """Download a small file, if there is one."""
    entries = [entry for room in check.rooms.values() for entry in map(Entry.of, room) if entry.has_file]
    small = next((entry for entry in entries if (file_size(entry) or CHECK_FILE + 1) <= CHECK_FILE), None)
    if small is None:
        return not_known("found no small file in the War Rooms that changed last")
    with TemporaryDirectory() as folder:
        check.client.download(small.id, Path(folder) / "file", file_size(small))
    return None


def ask_fields(check: Check) -> None:
    """Read the remote's incident fields."""
    check.fields = check.client.incident_fields()


def ask_first_fetch(check: Check) -> Finding:
    """Count what a first fetch with the settings of this instance would bring."""
    client, settings = check.client, check.settings
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
    if not types:
        return Finding(WARN, "a first fetch would find no incidents", "if you expect some, check First fetch time and the query")
    is_whole = portions < CHECK_PAGES and not client.is_late()
    by_type = sorted(((types.count(name), name) for name in dict.fromkeys(types)), key=lambda item: -item[0])
    names = ", ".join(f"{name or 'no type'}: {count}" for count, name in by_type)
    found = f"incidents a first fetch would bring: {'' if is_whole else 'more than '}{len(types)}; their types: {len(by_type)}; "
    found += f"fetches: {-(-len(types) // settings.max_fetch)}"
    if is_whole and len(types) <= MANY_AT_FIRST:
        return Finding(OK, found, names=names)
    return Finding(WARN, found, "narrow First fetch time or the query, unless you want them all", names)


def ask_custom_fields(check: Check) -> Finding | str:
    """Compare the custom fields of both tenants, as xsoar-mirror-mappers does."""
    if check.fields is None:
        return NO_FIELDS
    pairs = paired_fields(check.fields_here, check.fields, Choice())
    both, missing, other = ([pair.cli_name for pair in pairs if pair.fate == fate] for fate in (MAPPED, ONLY_THERE, TYPE_DIFFERS))
    found = f"remote custom fields: {len(both + missing + other)}"
    if not check.fields_here:
        return Finding(WARN, f"{found}; those here are not known", "run xsoar-mirror-mappers")
    found += f"; missing here: {len(missing)}; of another type here: {len(other)}"
    if not missing and not other:
        return found
    names = "; ".join(f"{title}: {', '.join(group)}" for title, group in (("missing", missing), ("other type", other)) if group)
    return Finding(WARN, found, "run xsoar-mirror-mappers, and add the fields you need", names)


def ask_close_reasons(check: Check) -> Finding | str:
    """Tell whether the remote offers the close reasons that this tenant has."""
    if check.fields is None:
        return NO_FIELDS
    offered = offered_reasons(check.fields)
    if not offered:
        return "the remote tenant lists none (null): a close reason crosses unchanged"
    found = f"reasons listed by the remote tenant: {len(offered)}"
    if unknown := [reason for reason in offered_reasons(check.fields_here) if reason not in offered]:
        remedy = "add them there; until then they cross as Other, with the reason in the close notes"
        return Finding(WARN, f"{found}; local ones it lacks: {len(unknown)}", remedy, ", ".join(unknown))
    rest = "it has all local ones" if check.fields_here else "the local ones are not known"
    return Finding(OK, f"{found}; {rest}", names=", ".join(offered))


def ask_tags(check: Check) -> Finding:
    """Tell whether the instance has the tags that its direction needs, and whether entries there carry them."""
    settings = check.settings
    found = f"incoming entry tags: {len(settings.tags) or 'none'}; outgoing entry tags: {len(settings.mirror_tags) or 'none'}"
    needed = [
        (settings.comes_in, settings.tags, "set Incoming Entry tags, or no entry comes in"),
        (settings.comes_in, settings.categories, "set Entry Categories, or no entry comes in"),
        (settings.direction in ("Out", "Both"), settings.mirror_tags, "set Outgoing Entry Tags, or no entry goes out"),
    ]
    lacking = [remedy for is_needed, value, remedy in needed if is_needed and not value]
    if settings.comes_in and takes_entries(settings):
        entry_filter = {**tag_filter(settings), "pageSize": CHECK_ENTRIES}
        pages = [map(Entry.of, check.client.entries(room, entry_filter)) for room in check.rooms]
        tagged = sum(bool(arriving(page, settings, EMPTY_RECORD)) for page in pages)
        found += f"; War Rooms with an entry that would come in: {tagged} of {len(pages)}"
        if not tagged:
            lacking.append("unless nothing there is tagged yet, check that the incoming tags are spelled exactly as there")
    return Finding(WARN if lacking else OK, found, "; ".join(lacking))


def apart(skew_ms: int) -> str:
    """Return how far a clock is from another, in words."""
    # The header Date has whole seconds, and is read some time after it was written.
    if abs(skew_ms) <= 2000:
        return "within two seconds of"
    size = f"{round(abs(skew_ms) / MINUTE_MS)} min" if abs(skew_ms) >= MINUTE_MS else f"{round(abs(skew_ms) / 1000)} s"
    return f"about {size} {'ahead of' if skew_ms > 0 else 'behind'}"


def ask_clocks(check: Check) -> Finding | str:
    """Compare the remote's header Date with the clock here, and with the newest change there."""
    date_ms = check.client.remote_time_ms
    if not date_ms:
        return Finding(WARN, "the remote clock is not known: no usable Date header", "keep both clocks in sync with NTP")
    newest_ms = max((parse_ms(incident.get("modified"), 0) for incident in check.changed), default=0)
    skew_ms = date_ms - local_now_ms()
    found = f"the remote Date header is {apart(skew_ms)} the local clock"
    if newest_ms - date_ms > MINUTE_MS:
        found += f", and {apart(date_ms - newest_ms)} the newest change there: it is not the server clock"
        return Finding(WARN, found, "have the clock of the gateway or server corrected")
    if abs(skew_ms) > MINUTE_MS:
        return Finding(WARN, found, "correct the clock that is wrong; an advanced key needs both to be right")
    return found


def ask_sort_keys(check: Check) -> Finding | str:
    """Search by severity and then created, the second key up and down."""
    ascending = refused_as_none(found_incidents, check.client, "", "severity created")
    if ascending is None:
        return "two sort keys are refused, so one is used"
    descending = refused_as_none(found_incidents, check.client, "", "severity -created") or []
    if [incident["id"] for incident in ascending] != [incident["id"] for incident in descending]:
        return "all sort keys count"
    keys = {(incident.get("severity"), incident.get("created")) for incident in ascending}
    if len(keys) == len({severity for severity, _ in keys}):
        return not_known("no two incidents have the same severity")
    return "only the first sort key counts"


def ask_empty(check: Check) -> Finding | str:
    """Search for what nobody has."""
    query = f'dbotMirrorId:"{secrets.token_hex(16)}@xsoar-mirror-check"'
    data = search_page(check.client, query, "created", size=1).get("data")
    if data:
        return Finding(WARN, "a search that should find nothing finds something", "report it to the maintainers")
    return f"an empty answer is {'a list' if isinstance(data, list) else 'null'}"


def ask_total(check: Check) -> Finding | str:
    """Count incidents on some pages of two, and compare with the `total` of the first page."""
    size, total, is_whole = 2, None, False
    seen: set[str] = set()
    for page in range(4):
        answer = search_page(check.client, "", "id", size, page)
        total = answer.get("total") if page == 0 else total
        found = with_ids(answer.get("data"))
        seen.update(str(incident["id"]) for incident in found)
        if is_whole := len(found) < size:
            break
    if is_whole and len(seen) <= size:
        return not_known("all incidents fit on one page")
    if is_whole and total == len(seen):
        return "total is right"
    if not is_whole and isinstance(total, int) and total >= len(seen):
        return f"total is at least the {len(seen)} that were counted"
    kind = "zero" if total == 0 else "the size of the page" if total == size else "wrong"
    return f"total is {kind}; mirroring does not use it"


def ask_page_size(check: Check) -> Finding | str:
    """Ask for a page of more than 1,000 incidents, and for the next one where it is shorter."""

    def count(page: int) -> int:
        return len(found_incidents(check.client, "", "id", size=SEARCH_PAGE_LIMIT + 1, page=page))

    first = count(0)
    if first > SEARCH_PAGE_LIMIT:
        return "a page of more than 1,000 incidents is accepted"
    return f"a page is cut to {first}" if count(1) else not_known("there are no more than 1,000 incidents")


def bound_word(check: Check, time_field: str, filter_key: str) -> str:
    """Return what becomes of a time bound in a search for the oldest and the newest of the incidents that changed last.

    Args:
        filter_key: where the bound stands beside the query; empty: in the query.
    """
    dated = sorted((parse_ms(incident.get(time_field), 0), str(incident["id"])) for incident in check.changed)
    dated = [item for item in dated if item[0]]
    if len(dated) < 2 or dated[-1][0] <= dated[0][0] + 1000:
        return UNSEEN
    (_, older), (newer_ms, newer) = dated[0], dated[-1]
    for earlier_ms, word in ((0, "holds"), (1, "holds, but excludes that exact millisecond"), (1000, "holds to the second")):
        moment = iso(newer_ms - earlier_ms)
        query = f"(id:{quoted(older)} or id:{quoted(newer)})" + ("" if filter_key else f' and {time_field}:>="{moment}"')
        more = {filter_key: moment} if filter_key else {}
        found = refused_as_none(found_incidents, check.client, query, "created", **more)
        if found is None:
            return REFUSED
        ids = [str(incident["id"]) for incident in found]
        if older in ids:
            return IGNORED
        if newer in ids:
            return word
    return LOST


def ask_bounds(bounds: dict[str, tuple[str, str]], check: Check) -> Finding | str:
    """Search from a time on. `bounds`: the arguments of `bound_word`, by what the bound is called."""
    words = {name: bound_word(check, *bound) for name, bound in bounds.items()}
    found, kinds = "; ".join(f"{name} {word}" for name, word in words.items()), {*words.values()}
    if kinds & {REFUSED, LOST}:
        return Finding(STOP, found, "report it to the maintainers: incidents or changes would be missed")
    if kinds == {UNSEEN}:
        return not_known("no two incidents have times that differ")
    if kinds <= {IGNORED, UNSEEN}:
        return Finding(WARN, f"{found}; times are checked again here, at the cost of more calls", "report it to the maintainers")
    return found


def ask_modified_route(check: Check) -> str:
    """Ask the route for changed incidents that some servers have."""
    told = []
    for method in ("GET", "POST"):
        try:
            answer = check.client.modified_ids(method, local_now_ms() // 1000 - 3600)
        except RemoteError as error:
            if error.kind not in (NOT_API, NOT_FOUND, REJECTED):
                raise
            told.append(f"{method} is not there ({error.status})")
            continue
        shapes = {list: f"a list of {len(answer or ())}", dict: "an object", type(None): "nothing"}
        told.append(f"{method} answers with {shapes.get(type(answer), 'something else')}")
    return f"incidents/modified: {'; '.join(told)}; mirroring does not use it"


def ask_page(position: str, check: Check) -> Finding | str:
    """Ask for a page of two entries: back from the oldest (`lastId`), on from the newest (`firstID`), or without a position."""
    room, entries = max(check.rooms.items(), key=lambda item: len(item[1]), default=("", []))
    if len(entries) < 3:
        return NO_ROOM
    edge, ids = entries[0 if position == "lastId" else -1], [str(entry["id"]) for entry in entries]
    if ids != sorted(ids, key=entry_number):
        # Whether the remote orders by number or by time would be a guess.
        return not_known("numbers and times of the entries seen disagree", NO_ROOM.remedy)
    if not position:
        kept = {str(entry["id"]) for entry in check.client.entries(room, {"pageSize": 2})}
        if len(kept) != 2:
            return f"pageSize 2 gives {len(kept)} entries"
        end = "the newest" if kept == {*ids[-2:]} else "the oldest" if kept == {*ids[:2]} else "neither end of the"
        return f"a page keeps {end} entries"
    page = refused_as_none(check.client.entries, room, {"pageSize": 2, position: edge["id"]})
    if page is None:
        return f"{position} is refused; War Rooms are read whole where necessary"
    others = [entry for entry in page if entry["id"] != edge["id"]]
    if any((created_order(entry) > created_order(edge)) == (position == "lastId") for entry in others):
        return f"{position} is ignored; War Rooms are read whole where necessary"
    return f"{position} works, and {'leaves out' if len(others) == len(page) else 'includes'} the entry that it names"


def ask_tag_filter(check: Check) -> Finding | str:
    """Ask a War Room with a tagged entry for entries by a tag and all categories, by these alone, and by the category `tags`."""
    tagged = [(room, tag) for room, entries in check.rooms.items() for entry in entries for tag in texts(entry.get("tags"))]
    if not tagged:
        return not_known("found no tagged entry", NO_ROOM.remedy)
    room, tag = tagged[-1]

    def carry(**asked: Any) -> list[bool]:
        entries = check.client.entries(room, {"pageSize": ENTRY_PAGE, **asked})
        return [tag in texts(entry.get("tags")) for entry in entries]

    categories = list(CATEGORIES)
    both = carry(categories=categories, tags=[tag])
    by_category = carry(categories=categories)
    as_category = carry(categories=["tags"], tags=[tag])
    if all(by_category):
        return not_known("found no War Room with both a tagged and an untagged entry")
    if all(both):
        return "tags and categories combine"
    if as_category and all(as_category):
        return "tags count only as a category; entries are checked again here"
    return "tags are ignored beside categories; entries are checked again here"


def ask_from_time(check: Check) -> Finding | str:
    """Ask for the entries since a time between the creation and the change of one."""
    for room, entries in check.rooms.items():
        for entry in entries:
            created_ms, modified_ms = parse_ms(entry.get("created"), 0), parse_ms(entry.get("modified"), 0)
            if created_ms and modified_ms > created_ms + 1:
                since = iso((created_ms + modified_ms + 1) // 2)
                found = check.client.entries(room, {"pageSize": ENTRY_PAGE, "fromTime": since})
                is_in = any(str(item["id"]) == str(entry["id"]) for item in found)
                return f"fromTime compares {'modified' if is_in else 'created'}; mirroring does not use it"
    return not_known("found no entry that was changed after it was written", NO_ROOM.remedy)


def ask_moves_seen(check: Check) -> Finding | str:
    """Look for an entry that is newer than its incident."""
    for incident in check.changed:
        entries = check.rooms.get(str(incident.get("investigationId")), [])
        newest_ms = max((Entry.of(entry).touched_ms for entry in entries), default=0)
        if newest_ms - parse_ms(incident.get("modified"), 0) <= MOVED_WITHIN_MS:
            continue
        # The entry may be newer than the search.
        now = check.client.load(str(incident["id"]))
        if newest_ms - parse_ms(now.get("modified"), 0) > MOVED_WITHIN_MS:
            check.moves["seen"] = False
            return f"an entry {STILL}"
    return Finding(OK, "not known: whether an entry changes modified", "run the check with write=true to find out")


def create_scratch(check: Check, **changes: Any) -> tuple[int, Any]:
    """Create an incident as mirroring does, and note its ID if the remote tells it; return HTTP status and JSON of the answer."""
    data = {"name": SCRATCH_NAME, "details": "Created to test how this tenant answers. You can ignore it."}
    incident = new_remote_incident(data, frozenset(), check.origin, check.settings.instance)
    status, body = check.client.create_as_answered({**incident, **changes})
    if isinstance(body, dict) and is_id(body.get("id")):
        check.scratch_id = str(body["id"])
    return status, body


def find_scratch(check: Check) -> bool:
    """Search for the scratch incident by its origin, and note its ID; return whether it was found."""
    found = found_incidents(check.client, f"dbotMirrorId:{quoted(check.origin)}", "-created")
    found_id = next((str(incident["id"]) for incident in found if incident.get("dbotMirrorId") == check.origin), "")
    check.scratch_id = check.scratch_id or found_id
    return bool(found_id)


def scratch_is_closed(check: Check) -> bool:
    """Return whether the scratch incident is closed."""
    return check.client.load(check.scratch_id).get("status") == IncidentStatus.DONE


def close_scratch(check: Check) -> str:
    """Close the scratch incident; return how long it took to show, in words; an empty text when it did not."""
    remote = check.client.load(check.scratch_id)
    if remote.get("status") != IncidentStatus.DONE:
        reason, _ = closing_words({}, offered_reasons(check.fields or []))
        check.client.close(check.scratch_id, whole(remote.get("version"), 0), reason, "The check is over.")
    return waited_until(check.client, lambda: scratch_is_closed(check))


def cleaned_up(check: Check) -> Finding:
    """Close what was created, whatever happened before."""

    def close() -> bool:
        if not check.scratch_id:
            waited_until(check.client, lambda: find_scratch(check), INDEX_PAUSES)
        return bool(check.scratch_id and close_scratch(check))

    is_closed, names = False, []
    try:
        try:
            is_closed = close()
        except RemoteError as error:
            if error.kind != RATE_LIMIT or check.client.is_late():
                raise
            check.client.pause(QUOTA_SECONDS)
            is_closed = close()
    except Exception as error:  # Whatever it is, the operator must know that something is left there.
        names.append(short(error))
    names += [f"its ID is {check.scratch_id}"] if check.scratch_id else []
    verdict, found, remedy = OK, "the scratch incident is closed", ""
    if not is_closed:
        verdict, remedy = WARN, f'search the remote tenant for "{SCRATCH_NAME}" and close it by hand'
        found = "the scratch incident is still open" if check.scratch_id else "not known: whether a scratch incident was created"
    return Finding(verdict, found, remedy, "; ".join(names), "Scratch incident")


def ask_to_create(check: Check) -> Finding | str:
    """Create the scratch incident."""
    check.origin = f"check-{secrets.token_hex(8)}@{tenant_name(check.settings)}"
    try:
        status, body = create_scratch(check)
    except RemoteError as error:
        if error.kind in NOTHING_CREATED:
            check.origin = ""
        raise
    if status == 200 and body is None:
        check.origin = ""
        remedy = "exempt this integration from the remote pre-processing rules"
        return Finding(STOP, "the new incident was dropped (200, empty)", remedy)
    told = "empty answer" if body is None else f"the answer holds {'the incident' if check.scratch_id else 'no id'}"
    return f"created ({status}); {told}"


def ask_search_by_origin(check: Check) -> Finding | str:
    """Search for the scratch incident by its dbotMirrorId."""
    if not check.origin:
        return not_known("no incident was created")  # Without an origin, others match: those that were not created from here.
    if after := waited_until(check.client, lambda: find_scratch(check), INDEX_PAUSES):
        return f"a search by dbotMirrorId finds the new incident {after}"
    remedy = "report it to the maintainers: a lost answer would duplicate the incident"
    return Finding(WARN, "a search by dbotMirrorId does not find the new incident", remedy)


def ask_brand(check: Check) -> Finding | str:
    """Tell what the remote kept of where the scratch incident comes from."""
    incident, instance = check.client.load(check.scratch_id), check.settings.instance
    labels = [(item.get("type"), item.get("value")) for item in objects(incident.get("labels"))]
    is_kept = {
        "sourceBrand": incident.get("sourceBrand") == BRAND,
        "sourceInstance": incident.get("sourceInstance") == instance,
        "label Instance": ("Instance", instance) in labels,
        "label Brand": ("Brand", BRAND) in labels,
        "dbotMirrorId": incident.get("dbotMirrorId") == check.origin,
    }
    kept, lost = ([name for name in is_kept if is_kept[name] is wanted] for wanted in (True, False))
    found = f"kept: {', '.join(kept) or 'nothing'}; lost: {', '.join(lost) or 'nothing'}"
    if "dbotMirrorId" in lost:
        return Finding(STOP, found, "report it to the maintainers: incidents created from here would be fetched back")
    if "sourceBrand" in lost:
        return Finding(
            WARN, found, "other tenants that fetch from the remote tenant fetch these incidents too: exclude them in their query"
        )
    return found


def ask_brand_without_label(check: Check) -> Finding | str:
    """Create another scratch incident without labels, see what becomes of its brand, and close it. Mirroring sends the labels."""
    bare = replace(check, origin=f"bare-{check.origin}", scratch_id="")
    create_scratch(bare, labels=[])
    try:
        if not bare.scratch_id:
            waited_until(bare.client, lambda: find_scratch(bare), INDEX_PAUSES)
        is_kept = bare.client.load(bare.scratch_id).get("sourceBrand") == BRAND
    finally:
        cleanup = cleaned_up(bare)
    told = "a brand is kept without a label" if is_kept else "a brand is kept only with an Instance label"
    return told if cleanup.verdict == OK else cleanup


def ask_server_clock(check: Check) -> Finding | str:
    """Compare when the scratch incident was created with the header Date."""
    created_ms = parse_ms(check.client.load(check.scratch_id).get("created"), 0)
    date_ms = check.client.remote_time_ms
    if not date_ms or not created_ms:
        return not_known("no clock in the remote answers")
    found = f"the Date header is {apart(date_ms - created_ms)} the server clock"
    if abs(date_ms - created_ms) > MINUTE_MS:
        return Finding(WARN, found, "have the clock of the gateway corrected; until then First fetch time is off by as much")
    return found


def ask_edit(check: Check) -> None:
    """Change a field of the scratch incident as mirroring does, by writing the whole incident."""
    remote = check.client.load(check.scratch_id)
    check.client.save(apply_delta(remote, {"details": "xsoar-mirror-check may edit this incident."}, {}))


def ask_move(what: str, check: Check) -> Finding | str:
    """Write a note or a file into the scratch incident, or tag its newest entry, and see whether its `modified` moves soon."""
    client, room = check.client, check.scratch_id

    def modified_ms() -> int:
        return parse_ms(client.load(room).get("modified"), 0)

    seen_ms = [modified_ms()]

    def is_still() -> bool:
        seen_ms.append(modified_ms())
        return seen_ms[-1] == seen_ms[-2]

    # The playbook of a new incident changes it too.
    if not waited_until(check.client, is_still):
        return not_known("the scratch incident keeps changing")
    if what == "note":
        client.add_note(room, "A note of xsoar-mirror-check.", markdown=False)
    elif what == "tag":
        client.tag_entry(some_entries(client, room)[-1], room, ["xsoar-mirror-check"])
    else:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "file"
            path.write_text("A file of xsoar-mirror-check.\n")
            client.upload(room, path, "xsoar-mirror-check.txt", "", note=False)
    check.moves[what] = bool(waited_until(check.client, lambda: modified_ms() > seen_ms[-1]))
    return f"a {what} changes modified" if check.moves[what] else f"a {what} {STILL}"


def ask_formatted(check: Check) -> str:
    """Write a formatted entry, and read what is in the War Room by now for the questions that follow."""
    client, room, text = check.client, check.scratch_id, "An entry of xsoar-mirror-check."
    found = "API keys may use /entry/formatted"
    try:
        client.add_formatted(room, text, EntryFormat.TEXT)
    except RemoteError as error:
        if error.status not in (303, 404, 405):
            raise
        found = f"API keys may not use /entry/formatted ({error.status}); chats go through /entry, as text or Markdown"
        client.add_chat(room, text, markdown=False)
    check.rooms = {room: some_entries(client, room)}
    return found


def ask_closing(check: Check) -> Finding | str:
    """Close the scratch incident."""
    if after := close_scratch(check):
        return f"the closing takes effect {after}"
    return Finding(WARN, "the closing did not take effect", "check whether the close form there requires more fields")


def ask_status_write(check: Check) -> Finding | str:
    """Write status 1 into the closed scratch incident."""
    remote = check.client.load(check.scratch_id)
    if remote.get("status") != IncidentStatus.DONE:
        return not_known("the scratch incident is not closed")
    try:
        check.client.save({**remote, "status": IncidentStatus.ACTIVE})
    except RemoteError as error:
        if error.kind not in (CLOSED, REJECTED, CONFLICT):
            raise
        told = f"is refused ({error.kind})"
    else:
        told = "changes nothing" if scratch_is_closed(check) else "reopens it"
    return f"writing status 1 into a closed incident {told}; mirroring does not use it"


def ask_reopening(check: Check) -> Finding | str:
    """Reopen the scratch incident by a command in the War Room of another open incident."""
    client = check.client
    if not close_scratch(check):
        return not_known("the scratch incident is not closed")
    others = found_incidents(client, "status:active", "-created")
    rooms = [str(item.get("investigationId") or "") for item in others if str(item["id"]) != check.scratch_id]
    room = next(filter(None, rooms), "")
    if not room or not re.fullmatch(r"[\w-]+", check.scratch_id):
        return not_known("there is no other open incident in whose War Room to run the command", "try again when there is one")
    refused_as_none(client.run, room, f"!reopenInvestigation id={check.scratch_id}")
    if after := waited_until(check.client, lambda: not scratch_is_closed(check)):
        return f"reopenInvestigation reopens {after}"
    remedy = "let the role of the key run it; until then reopen incidents there by hand"
    return Finding(WARN, "reopenInvestigation does not reopen", remedy)


READING: dict[str, Ask] = {
    "Version": ask_version,
    "Right to search incidents": ask_search,
    "Right to view incidents": ask_load,
    "Right to view War Rooms": ask_war_room,
    "Right to download files": ask_download,
    "Right to read incident fields": ask_fields,
    "Right to read incident types": lambda check: check.client.incident_types(),
    "First fetch": ask_first_fetch,
    "Custom fields": ask_custom_fields,
    "Close reasons": ask_close_reasons,
    "Entry tags": ask_tags,
    "Clocks": ask_clocks,
    "Sort keys": ask_sort_keys,
    "Empty answers": ask_empty,
    "Total": ask_total,
    "Page of a search": ask_page_size,
    "Time bound beside a query": functools.partial(
        ask_bounds, {"fromDate beside a query": ("created", "fromDate"), "created:>= in it": ("created", "")}
    ),
    "Search by modified": functools.partial(ask_bounds, {"modified:>=": ("modified", "")}),
    "Route incidents/modified": ask_modified_route,
}
IN_WAR_ROOMS: dict[str, Ask] = {
    "Page of a War Room": functools.partial(ask_page, ""),
    "War Room, back from an entry": functools.partial(ask_page, "lastId"),
    "War Room, on from an entry": functools.partial(ask_page, "firstID"),
    "Tags beside categories": ask_tag_filter,
    "fromTime of a War Room": ask_from_time,
}
NOT_TESTED: dict[str, Ask] = {
    "Entries and modified": ask_moves_seen,
    "Rights to write": lambda _: Finding(OK, "not tested", "write=true tests them in an incident of its own"),
}
CREATING: dict[str, Ask] = {"Creating": ask_to_create, "Search by dbotMirrorId": ask_search_by_origin}
WRITING: dict[str, Ask] = {
    "Brand and labels": ask_brand,
    "Brand without a label": ask_brand_without_label,
    "Clock of the server": ask_server_clock,
    "Right to edit incidents": ask_edit,
    "A note": functools.partial(ask_move, "note"),
    "A tag": functools.partial(ask_move, "tag"),
    "A file": functools.partial(ask_move, "file"),
    "Formatted entries": ask_formatted,
}
ENDING: dict[str, Ask] = {"Closing": ask_closing, "Status of a closed incident": ask_status_write, "Reopening": ask_reopening}
# Mirroring cannot work where one of these is refused.
ESSENTIAL = (
    "Version",
    "Right to search incidents",
    "Right to view incidents",
    "Right to view War Rooms",
    "First fetch",
    "Creating",
)


def answers(check: Check, questions: dict[str, Ask]) -> Iterator[Finding]:
    """Yield the finding of each question. A failed one does not stop the rest; a rate limit, the time or a wrong remote does."""
    for name, ask in questions.items():
        if check.has_ended:
            return
        check.has_ended = check.client.is_late()
        try:
            finding = TOO_LATE if check.has_ended else ask(check)
        except RemoteError as error:
            check.has_ended = error.kind == RATE_LIMIT
            stops = name in ESSENTIAL and (error.kind != BUSY or name == "Version")
            status = f" ({error.status})" if error.status else ""
            remedy = (
                "add that permission to the role of the API key" if error.kind == FORBIDDEN else "see what the remote tenant said"
            )
            finding = Finding(STOP if stops else WARN, f"not answered: {error.kind}{status}", remedy, str(error))
            finding = NO_MORE_CALLS if check.has_ended else finding
        except Exception as error:  # No XSOAR answers like this; the other questions can still be asked.
            finding = not_known(f"cannot make sense of the answer ({type(error).__name__})", "report it to the maintainers")
        if not isinstance(finding, Finding):
            finding = Finding(OK, finding if isinstance(finding, str) else "yes")
        check.has_ended = check.has_ended or (name == "Version" and finding.verdict == STOP)
        yield finding._replace(question=name)


def remember_moves(moves: dict[str, bool]) -> None:
    """Remember whether entries move `modified`: one that did not settles it for good, a yes takes a note and a file."""
    found = None if all(moves.values()) and not {"note", "file"} <= moves.keys() else all(moves.values())

    def remember(memory: Memory) -> Memory:
        return memory if found is None or memory.entries_move is False else memory._replace(entries_move=found)

    # The findings matter more than remembering them.
    with contextlib.suppress(DemistoException):
        change_memory(remember)


def mirror_check_command(client: Client, settings: Settings, args: dict[str, Any]) -> list[Any]:
    """Return how the remote and this instance fit together, a line for each question, and with `report` a file of it.

    It only reads, unless `write` is true: then it creates two scratch incidents in the remote and closes them.
    """
    writes, wants_report = (flag(args, name, name, False, "give true or false") for name in ("write", "report"))
    check = Check(client, settings, fields_of_own_server())
    findings = list(answers(check, READING if writes else {**READING, **IN_WAR_ROOMS, **NOT_TESTED}))
    if writes and any(item.verdict == STOP for item in findings):
        findings.append(Finding(WARN, "not tried because of a stop above", "fix that first", question="Creating"))
    elif writes:
        findings += answers(check, CREATING)
        if check.scratch_id:
            findings += answers(check, {**WRITING, **IN_WAR_ROOMS, **ENDING})
        if check.origin:
            findings.append(cleaned_up(check))
    remember_moves(check.moves)
    worst = next((verdict for verdict in (STOP, WARN) if any(item.verdict == verdict for item in findings)), OK)
    columns = ["question", "verdict", "found", "remedy", "names"]
    rows = [{column: getattr(item, column) for column in columns} for item in findings]
    title = f"Check of {settings.instance}: {worst}"
    shown = CommandResults(
        outputs_prefix="XSOAR.Mirror.Check",
        outputs_key_field="Instance",
        outputs={
            "Instance": settings.instance,
            "Verdict": worst,
            "Wrote": bool(check.origin),
            "Findings": [{column.capitalize(): value for column, value in row.items()} for row in rows],
        },
        readable_output=tableToMarkdown(
            title, rows_shown(rows), headers=columns, headerTransform=string_to_table_header, removeNull=True
        ),
    )
    if not wants_report:
        return [shown.to_context()]
    # An operator may pass it on: it has no names, IDs or contents of either tenant.
    lines = [f"{item.verdict}\t{item.question}: {item.found}{f' -> {item.remedy}' if item.remedy else ''}" for item in findings]
    return [shown.to_context(), fileResult("xsoar-mirror-check.txt", "\n".join(["xsoar-mirror-check", *lines, ""]))]


""" TEST """


def run_test(client: Client, settings: Settings) -> str:
    """Return `ok` when an instance with these settings would work. It reads only: no file, no context, no change there.

    Raises:
        RemoteError: it would not; the message says why and what to do.
    """

    def other_kind_works() -> bool:
        try:
            Client(settings._replace(advanced_key=not settings.advanced_key)).about()
        except RemoteError:
            return False
        return True

    try:
        mode = str(client.about().get("productMode") or "xsoar")
        if mode.lower() != "xsoar":
            # Other products on the same platform have incidents of another kind.
            raise RemoteError(
                NOT_API,
                f"{host_of(settings.api_root)} is {short(mode, 40)}, not Cortex XSOAR: enter the address of an XSOAR tenant as "
                "XSOAR Server URL.",
            )
        start_ms = first_fetch_ms(settings, remote_now_ms(client))
        client.search(combined_query(settings.query, settings.skip_own), size=1, from_ms=start_ms)
        named = (*settings.sharing.in_fields, *settings.sharing.out_fields)
        if named and (unknown := unknown_fields(named, client.incident_fields())):
            raise RemoteError(
                NOT_SHARED,
                f"Fields that come in or Fields that go out has {short(', '.join(unknown), 200)}, which the remote tenant does "
                "not have: enter CLI names of its fields, such as sourceip.",
            )
        if without_rule := missing_rules(client, settings, read_store().memory.rules):
            # Test knows only ok and failures, and this is none: xsoar-mirror-status shows it.
            demisto.info(f"{BRAND}: {missing_rules_told(without_rule)}")
    except RemoteError as error:
        if error.status == 500 and not settings.key_id:
            # XSOAR REST API: an XSOAR 8 answers so where the address lacks the /xsoar that a key ID brings.
            raise RemoteError(NOT_API, f"{host_of(settings.api_root)} returned an error (500): {CHECK_URL}")
        if error.kind in (REFUSED_KEY, FORBIDDEN) and settings.key_id and other_kind_works():
            word = "standard key: clear" if settings.advanced_key else "advanced key: select"
            raise RemoteError(
                REFUSED_KEY, f"The API key is right, but it is a {word} the parameter The API key is an advanced key."
            )
        if error.kind == REJECTED and settings.query:
            raise RemoteError(REJECTED, f"{error} It is the parameter Fetch only incidents that match the query.")
        raise
    return "ok"


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
        "xsoar-search-incidents": lambda: search_incidents_command(client, settings, args),
        "xsoar-get-incident": lambda: get_incident_command(client, settings, args),
        "xsoar-mirror-status": lambda: mirror_status_command(client, settings, args),
        "xsoar-mirror-journal": lambda: mirror_journal_command(settings, args),
        "xsoar-mirror-diff": lambda: mirror_diff_command(client, settings, args),
        "xsoar-mirror-resync": lambda: mirror_resync_command(client, settings, args),
        "xsoar-mirror-reconcile": lambda: mirror_reconcile_command(client, settings, args),
        "xsoar-mirror-stop": lambda: mirror_stop_command(settings, args, is_stopped=True),
        "xsoar-mirror-start": lambda: mirror_stop_command(settings, args, is_stopped=False),
        "xsoar-mirror-pause": lambda: mirror_pause_command(settings, parse_until(args.get("until"), local_now_ms())),
        "xsoar-mirror-resume": lambda: mirror_pause_command(settings, until_ms=0),
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
        # get-remote-data notes the limit before it answers, since a failure after that would lose the answer.
        if client.limit and command in MIRRORING_COMMANDS - {"get-remote-data"}:
            with contextlib.suppress(DemistoException):
                note_limit()
        if result is not None:
            return_results(result)
    except NotImplementedError:
        # The platform then asks for every incident instead.
        raise
    except Exception as error:
        is_held = isinstance(error, RemoteError) and error.kind == HELD
        if command in MIRRORING_COMMANDS and not is_held:
            # The failure itself matters more than the note of it.
            with contextlib.suppress(Exception):
                note_error(command, short(error))
                if client and client.limit:
                    note_limit()
        return_error(str(error), error)


if __name__ in ("__main__", "__builtin__", "builtins"):
    main()
