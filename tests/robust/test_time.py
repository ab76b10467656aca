"""Clocks that are wrong, zones, leap days and jumps: nothing is lost, nothing is doubled.

The remote has a clock of its own here, and its own manner of writing times. What the server would hold of it is kept by `Here`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from stand_ins import ERRORS, HOST_6, KEY, Remote, Server, contents, local_entry, modified, pushed

Zone = Callable[[datetime], timedelta]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def always(**offset: float) -> Zone:
    """Return a zone with one offset."""
    return lambda moment: timedelta(**offset)


def change_at(text: str, before: timedelta, after: timedelta) -> Zone:
    """Return a zone whose offset changes at a time of UTC."""
    return lambda moment: before if moment < datetime.fromisoformat(text) else after


class RemoteWithClock(Remote):
    """A remote whose clock is off by `error`, and which writes its times with the offset of a zone and so many digits."""

    error = timedelta()
    zone: Zone = staticmethod(always())
    digits = 3
    refused = 0  # How many signatures were too old, or from the future.

    def moment(self) -> datetime:
        """Return the time by its clock."""
        return datetime.now(UTC) + self.error

    def now(self) -> str:
        """Return the time in its manner, and let 10 ms pass."""
        self.clock.tick(timedelta(milliseconds=10))
        moment = self.moment()
        offset = self.zone(moment)
        text = (moment + offset).strftime("%Y-%m-%dT%H:%M:%S")
        fraction = f"{moment.microsecond:06d}417"[: self.digits].rstrip("0")
        text += f".{fraction}" if fraction else ""
        if not offset:
            return f"{text}Z"
        minutes = int(offset.total_seconds()) // 60
        return f"{text}{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"

    def _refusal(self, headers: dict[str, str]) -> dict[str, Any] | None:
        signed_at = int(headers.get("x-xdr-timestamp") or self.moment().timestamp() * 1000)
        if abs(signed_at / 1000 - self.moment().timestamp()) > 120:
            self.refused += 1
            return {"status_code": 401, "json": ERRORS["v8_wrong_key"]}
        return super()._refusal(headers)

    def _respond(self, request: Any, response: dict[str, Any]) -> Any:
        date = {"Date": self.moment().strftime("%a, %d %b %Y %H:%M:%S GMT")}
        return super()._respond(request, {**response, "headers": {**date, **response.get("headers", {})}})


@dataclass
class Here:
    """What the server here holds of the remote's incidents, and what it does each minute."""

    server: Server
    remote: RemoteWithClock
    clock: Any
    details: dict[str, str] = field(default_factory=dict)
    entries: dict[str, list[Any]] = field(default_factory=dict)
    asked: int = 0

    def minute(self) -> None:
        """Let a minute pass; fetch, ask what changed, and ask for what is listed and here."""
        self.clock.tick(timedelta(minutes=1))
        self.work()

    def work(self) -> None:
        """Fetch, ask what changed, and ask for what is listed and here."""
        for incident in self.server.fetch():
            remote_id = incident["dbotMirrorId"]
            assert remote_id not in self.details, f"incident {remote_id} came twice"
            self.details[remote_id], self.entries[remote_id] = incident.get("details", ""), []
        last_update = datetime.now(UTC).isoformat()
        for remote_id in modified(self.server, last_update):
            if remote_id not in self.details:
                continue
            self.asked += 1
            fields, *came = self.server.ok("get-remote-data", id=remote_id, lastUpdate=last_update)
            self.details[remote_id] = fields.get("details", self.details[remote_id])
            self.entries[remote_id] += contents(came)

    def expect_all(self) -> None:
        """Fail unless both sides hold the same, each thing once and in its order."""
        there = self.remote.incidents
        assert sorted(self.details, key=int) == sorted(there, key=int)
        assert self.details == {key: incident.get("details") or "" for key, incident in there.items()}
        assert self.entries == {key: [entry["contents"] for entry in entries] for key, entries in self.remote.entries.items()}


@pytest.fixture
def start(server: Server, clock: Any, requests_mock: Any) -> Callable[..., Here]:
    """Makes a remote with a clock, an instance for it, and what the server here holds."""

    def make(version: str = "8", error: timedelta = timedelta(), zone: Zone | None = None, digits: int = 3, at: str = "") -> Here:
        if at:
            clock.move_to(at)
        remote = RemoteWithClock(clock, key_id="7" if version == "8" else "")
        remote.error, remote.digits = error, digits
        remote.zone = zone or always()
        requests_mock.add_matcher(remote)
        # Else what was written into an incident before it was fetched would stay there.
        server.params["fetch_incident_history"] = True
        if version == "6":
            server.params |= {"url": HOST_6, "credentials_api_key": {"identifier": "", "password": KEY}}
        return Here(server, remote, clock)

    return make


def work_there(here: Here, minute: int) -> None:
    """Let analysts of the remote do what they do in a minute: open an incident, change three, write into two."""
    remote = here.remote
    newest = remote.add(details="new")["id"]
    for remote_id in {newest, str(1 + minute // 2)}:
        here.clock.tick(timedelta(seconds=1))
        remote.write(remote_id, f"entry of minute {minute}")
        remote.change(remote_id, details=f"change of minute {minute}")
    here.clock.tick(timedelta(seconds=1))
    remote.change(str(1 + minute // 3), details=f"change without an entry of minute {minute}")


def run(here: Here, minutes: int, at: dict[int, Callable[[], None]] | None = None) -> None:
    """Let both sides work for some minutes; `at` happens before the minute of its number."""
    here.work()
    for minute in range(minutes):
        if at and minute in at:
            at[minute]()
        work_there(here, minute)
        here.minute()
    here.minute()
    here.expect_all()


OFF = [-DAY, -HOUR, -timedelta(minutes=3), -timedelta(seconds=90), timedelta(seconds=90), HOUR, DAY]
MANNERS: dict[str, dict[str, Any]] = {
    "8.x": {"version": "8"},
    "6.x": {"version": "6", "digits": 9},
    "6.x at +05:30": {"version": "6", "digits": 9, "zone": always(hours=5, minutes=30)},
    "6.x at -09:30": {"version": "6", "digits": 9, "zone": always(hours=-9, minutes=-30)},
}


@pytest.mark.parametrize("manner", list(MANNERS))
@pytest.mark.parametrize("error", OFF, ids=str)
def test_a_remote_whose_clock_is_off(start: Callable[..., Here], manner: str, error: timedelta) -> None:
    """
    Given: a remote whose clock is off by up to a day.
    When: both sides work.
    Then: all comes in at once, each thing once.
    """
    run(start(**MANNERS[manner], error=error), 6)


@pytest.mark.parametrize("error", OFF, ids=str)
def test_an_advanced_key_is_signed_with_the_time_of_the_remote(
    start: Callable[..., Here], server: Server, error: timedelta
) -> None:
    """
    Given: a remote that takes a signature of two minutes at most.
    When: its clock is off.
    Then: it is not refused for that.
    """
    here = start(error=error)
    server.params["advanced_api_key"] = here.remote.advanced_key = True

    run(here, 3)

    # At most the first call of each run.
    assert bool(here.remote.refused) == (abs(error) > timedelta(minutes=2))
    key = server.params["credentials_api_key"]
    server.params["credentials_api_key"] = {**key, "password": "a" * 30}
    assert "refused the API key" in server.fails("test-module")


@pytest.mark.parametrize("error", [-DAY, -HOUR, HOUR, DAY], ids=str)
@pytest.mark.parametrize("first_fetch", ["1 minute", "1 hour"])
def test_a_short_first_fetch_from_a_remote_whose_clock_is_off(
    start: Callable[..., Here], server: Server, error: timedelta, first_fetch: str
) -> None:
    """
    Given: a first fetch that begins shortly before now.
    When: the remote's clock is off.
    Then: what is new from now on comes.
    """
    server.params["first_fetch"] = first_fetch
    run(start(error=error), 4)


@pytest.mark.parametrize("error", [-DAY, -HOUR, HOUR, DAY], ids=str)
def test_the_first_fetch_reaches_as_far_as_it_says(start: Callable[..., Here], server: Server, error: timedelta) -> None:
    """
    Given: incidents of the last hours by the remote's clock.
    When: the first fetch is set to 2 hours.
    Then: it takes 2 hours.
    """
    server.params["first_fetch"] = "2 hours"
    here = start(error=error)
    now = here.remote.moment()
    for number, hours in enumerate((30, 3, 1), 1):
        here.remote.add(str(number), created=(now - hours * HOUR).isoformat(), CustomFields={})

    came = [incident["dbotMirrorId"] for incident in server.fetch()]

    # A clock that is ahead makes the window wider, never smaller.
    assert came in (["3"], ["2", "3"], ["1", "2", "3"])
    assert came == ["3"] or error > timedelta()


CHANGES = {
    "to summer, at +01:00": (change_at("2026-03-29T01:00:00+00:00", HOUR, 2 * HOUR), "2026-03-29T00:56:00Z"),
    "to winter, at +02:00": (change_at("2026-10-25T01:00:00+00:00", 2 * HOUR, HOUR), "2026-10-25T00:56:00Z"),
    "to summer, at -03:30": (
        change_at("2026-03-08T05:30:00+00:00", -3.5 * HOUR, -2.5 * HOUR),
        "2026-03-08T05:26:00Z",
    ),
    "to winter, at -02:30": (
        change_at("2026-11-01T04:30:00+00:00", -2.5 * HOUR, -3.5 * HOUR),
        "2026-11-01T04:26:00Z",
    ),
    "by half an hour, at +11:00": (
        change_at("2026-04-04T15:00:00+00:00", 11 * HOUR, 10.5 * HOUR),
        "2026-04-04T14:56:00Z",
    ),
    "a leap day, at +05:45": (always(hours=5, minutes=45), "2028-02-28T18:11:00Z"),
    "the end of a leap day": (always(), "2028-02-29T23:56:00Z"),
    "the end of a year, at -03:30": (always(hours=-3, minutes=-30), "2027-01-01T03:26:00Z"),
}


@pytest.mark.parametrize("digits", [9, 3, 0])
@pytest.mark.parametrize("change", list(CHANGES))
def test_across_a_change_of_the_calendar(start: Callable[..., Here], change: str, digits: int) -> None:
    """
    Given: a 6.x in a zone.
    When: its clock is put forward or back, or the day is a leap day.
    Then: each thing comes once.
    """
    zone, at = CHANGES[change]
    run(start(version="6", zone=zone, digits=digits, at=at), 9)


@pytest.mark.parametrize("digits", [9, 3, 0])
def test_times_of_any_precision_keep_the_order(start: Callable[..., Here], server: Server, digits: int) -> None:
    """
    Given: a remote that cuts its times to so many digits.
    When: ten entries come at once.
    Then: they come in their order.
    """
    here = start(version="6", digits=digits)
    remote_id = here.remote.add()["id"]
    here.work()
    for number in range(10):
        here.remote.write(remote_id, f"entry {number}")
    here.minute()
    here.expect_all()


# Jumps

JUMPS = [timedelta(minutes=10), HOUR, 5 * HOUR, DAY]


@pytest.mark.parametrize("jump", JUMPS, ids=str)
@pytest.mark.parametrize("manner", ["8.x", "6.x at +05:30"])
@pytest.mark.parametrize("direction", ["Incoming And Outgoing", "Incoming"])
def test_a_remote_whose_clock_jumps_back(
    start: Callable[..., Here], server: Server, jump: timedelta, manner: str, direction: str
) -> None:
    """
    Given: a remote at work.
    When: its clock jumps back by up to a day.
    Then: what is new comes, and nothing again.
    """
    server.params["mirror_direction"] = direction
    here = start(**MANNERS[manner])

    def jump_back() -> None:
        here.remote.error -= jump

    run(here, 12, {5: jump_back})


@pytest.mark.parametrize("seconds", [130, 190, 250, 330])
def test_a_remote_whose_clock_catches_up_with_itself(start: Callable[..., Here], server: Server, seconds: int) -> None:
    """
    Given: a clock that jumped back and no look-back.
    When: it shows once more what it had shown.
    Then: all comes, once.
    """
    server.params["look_back"] = "0"
    here = start()

    def jump_back() -> None:
        here.remote.error -= timedelta(seconds=seconds)

    run(here, 14, {4: jump_back})


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_an_entry_after_a_jump_back_comes_without_the_history(
    start: Callable[..., Here], server: Server, jump: timedelta
) -> None:
    """
    Given: an incident fetched without its history.
    When: the clock there jumps back.
    Then: what is written there comes.
    """
    here = start()
    server.params["fetch_incident_history"] = False
    remote_id = here.remote.add()["id"]
    here.remote.write(remote_id, "from before", tags=[])
    here.minute()
    here.remote.error -= jump
    for number in range(3):
        here.remote.write(remote_id, f"entry {number}")
        here.minute()

    assert here.entries[remote_id] == ["entry 0", "entry 1", "entry 2"]


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_after_a_jump_back_quiet_rounds_are_quiet_again(start: Callable[..., Here], jump: timedelta) -> None:
    """
    Given: a remote whose clock jumped back.
    When: nothing happens there any more.
    Then: rounds ask for nothing.
    """
    here = start()

    def jump_back() -> None:
        here.remote.error -= jump

    run(here, 6, {4: jump_back})
    for _ in range(3):
        here.minute()
    here.asked = 0
    for _ in range(5):
        here.minute()

    assert here.asked == 0
    here.expect_all()


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_without_mirroring_nothing_is_fetched_twice_after_a_jump_back(
    start: Callable[..., Here], server: Server, jump: timedelta
) -> None:
    """
    Given: an instance that only fetches.
    When: the remote's clock jumps back.
    Then: each incident is created once.
    """
    server.params["mirror_direction"] = "None"
    here = start()
    came: list[str] = []
    for minute in range(10):
        if minute == 5:
            here.remote.error -= jump
        for _ in range(3):
            here.remote.add()
        here.clock.tick(timedelta(minutes=1))
        came += [incident["dbotMirrorId"] for incident in server.fetch()]

    assert sorted(came, key=int) == list(here.remote.incidents)


@pytest.mark.parametrize("jump", [HOUR, DAY], ids=str)
def test_a_remote_whose_clock_jumps_forth_and_back(start: Callable[..., Here], jump: timedelta) -> None:
    """
    Given: a remote whose clock was ahead for some minutes.
    When: it is put right.
    Then: nothing is lost and nothing doubled.
    """
    here = start()

    def jump_forth() -> None:
        here.remote.error += jump

    def jump_back() -> None:
        here.remote.error -= jump

    run(here, 12, {3: jump_forth, 7: jump_back})


@pytest.mark.parametrize("jump", [-DAY, -HOUR, HOUR, DAY], ids=str)
def test_a_local_clock_that_jumps(start: Callable[..., Here], jump: timedelta) -> None:
    """
    Given: both at work.
    When: the clock here jumps, and the remote's does not.
    Then: nothing is lost and nothing doubled.
    """
    here = start()

    def jump_here() -> None:
        here.clock.tick(jump) if jump > timedelta() else here.clock.move_to(datetime.now(UTC) + jump)
        here.remote.error -= jump

    run(here, 12, {5: jump_here})


@pytest.mark.parametrize("error", [-DAY, DAY], ids=str)
def test_what_goes_out_does_not_come_back(start: Callable[..., Here], server: Server, error: timedelta) -> None:
    """
    Given: clocks a day apart, and one that jumps.
    When: entries go out.
    Then: each is there once, and not here again.
    """
    here = start(error=error)
    remote_id = here.remote.add(details="new")["id"]
    here.minute()
    for number in range(6):
        if number == 3:
            here.remote.error -= HOUR
        pushed(server, remote_id, entries=[local_entry(number, f"text {number}")], delta={"severity": number % 4})
        here.minute()

    assert [entry["contents"].rpartition("\n")[2] for entry in here.remote.entries[remote_id]] == [f"text {n}" for n in range(6)]
    assert here.remote.incidents[remote_id]["severity"] == 5 % 4
    assert here.entries[remote_id] == []
    assert "text" not in json.dumps(server.fetch())


@pytest.mark.parametrize("error", [-DAY, -timedelta(minutes=6), timedelta(minutes=6), DAY], ids=str)
def test_the_status_tells_how_far_the_clocks_are_apart(start: Callable[..., Here], server: Server, error: timedelta) -> None:
    """
    Given: a remote whose clock is off.
    When: the status is asked for.
    Then: it tells by how much.
    """
    start(error=error)
    result = server.ok("xsoar-mirror-status")
    (status,) = [value for key, value in result["EntryContext"].items() if "Status" in key]
    assert abs(status["ClockSkewSeconds"] - error.total_seconds()) <= 1
