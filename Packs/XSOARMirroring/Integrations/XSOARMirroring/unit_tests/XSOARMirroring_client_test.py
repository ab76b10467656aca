"""Tests of the calls to the remote: keys, addresses, what an error says, what is tried again, what takes too long."""

import hashlib
import itertools
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

import XSOARMirroring as script
from stand_ins import (
    ERRORS,
    FAULTS,
    Fault,
    HOST_6,
    HOST_8,
    KEY,
    LAST_UPDATE,
    PARAMS,
    Remote,
    Server,
    V6,
    attach,
    contents,
    error_body,
    ids,
    local_entry,
    modified,
    push,
    pushed,
)


def test_an_xsoar_6_gets_the_key_alone(server: Server, remote_6: Remote) -> None:
    """
    Given: an instance without a key ID.
    When: Test runs.
    Then: the remote gets the bare key and none of the headers of XSOAR 8.
    """
    assert server.ok("test-module") == "ok"

    assert remote_6.calls
    for call in remote_6.calls:
        assert call.headers["Authorization"] == KEY
        assert not [name for name in call.headers if name.lower().startswith("x-xdr")]


def test_an_xsoar_8_gets_the_key_and_its_id(server: Server, remote: Remote) -> None:
    """
    Given: an instance with a standard key and its ID.
    When: Test runs.
    Then: the remote gets both, unsigned.
    """
    assert server.ok("test-module") == "ok"

    for call in remote.calls:
        assert (call.headers["Authorization"], call.headers["x-xdr-auth-id"]) == (KEY, "7")
        assert "x-xdr-nonce" not in call.headers


def test_an_advanced_key_signs_each_try_anew(server: Server, remote: Remote) -> None:
    """
    Given: an advanced key and a remote that fails at the first two tries.
    When: Test runs.
    Then: each try has a nonce of its own and a signature that only the key can have made; the key itself is not sent.
    """
    server.params["advanced_api_key"] = True
    remote.advanced_key = True
    remote.fail("GET /about", status_code=502, times=2)

    assert server.ok("test-module") == "ok"

    assert [call.route for call in remote.calls] == [*["GET /about"] * 3, "POST /incidents/search", "GET /incidentfields"]
    nonces = [call.headers["x-xdr-nonce"] for call in remote.calls]
    assert len(set(nonces)) == 5
    for call, nonce in zip(remote.calls, nonces, strict=True):
        timestamp = call.headers["x-xdr-timestamp"]
        assert re.fullmatch(r"[A-Za-z0-9]{64}", nonce)
        assert timestamp == "1772366400000"  # NOW, in milliseconds.
        assert call.headers["Authorization"] == hashlib.sha256((KEY + nonce + timestamp).encode()).hexdigest()
        assert KEY not in str(call.headers)


WEB_PAGE = {"text": "<html>Sign in</html>", "headers": {"Content-Type": "text/html; charset=utf-8"}}


@pytest.mark.parametrize(
    ("changes", "answer", "words"),
    [
        pytest.param(
            V6, error_body(403, "v6_wrong_key"), ["refused the API key (403)", "also enter the API Key ID"], id="6.x: wrong key"
        ),
        pytest.param(V6, error_body(401, "v8_wrong_key"), ["API Key ID is missing", "enter the ID"], id="8.x: key id missing"),
        pytest.param(
            {},
            error_body(401, "v8_wrong_key"),
            ["refused the API key (401)", "API Key ID", "expired", "standard"],
            id="8.x: wrong key",
        ),
        pytest.param(
            {"advanced_api_key": True},
            error_body(401, "v8_wrong_key"),
            ["refused the API key (401)", "advanced"],
            id="8.x: advanced",
        ),
        pytest.param(
            {},
            error_body(403, "v8_no_permission"),
            ["may not use the API", "(403)", "permission", "Insufficient"],
            id="no permission",
        ),
        pytest.param({}, error_body(402, "v8_no_licence"), ["may not use the API", "(402)", "No license"], id="no licence"),
        pytest.param({}, {"status_code": 403, "text": ""}, ["may not use the API", "(403)"], id="403 without a body"),
        pytest.param({}, WEB_PAGE, ["web page instead of an API answer", "Copy API URL"], id="web page"),
        pytest.param(
            {},
            WEB_PAGE | {"status_code": 404},
            ["web page instead of an API answer (404)", "XSOAR Server URL"],
            id="404 web page",
        ),
        pytest.param({}, {"text": "It works!"}, ["is not JSON", "XSOAR Server URL"], id="not JSON"),
        pytest.param(
            {},
            {"status_code": 302, "headers": {"Location": "https://sso.example.net/login"}},
            ["redirects to sso.example.net", "XSOAR Server URL"],
            id="redirect",
        ),
        pytest.param({}, {"status_code": 301}, ["redirects to another address"], id="redirect to nowhere"),
        pytest.param({}, error_body(404, "not_found"), ["/xsoar/about (404)", "Item not found"], id="no such route"),
        pytest.param({}, error_body(400, "bad_request"), ["(400)", "bad_request", "must be JSON"], id="bad request"),
        pytest.param({}, error_body(400, "several"), ["(400)", "Item not found"], id="several errors in one body"),
        pytest.param({}, {"status_code": 400, "text": "oops", "reason": "Bad Request"}, ["(400)", "Bad Request"], id="no body"),
        pytest.param({}, {"status_code": 418, "json": ["a"], "reason": "Teapot"}, ["(418)", "Teapot"], id="unknown body"),
        pytest.param({}, error_body(400, "no_investigation"), ["no such investigation", "(400)"], id="no investigation, 400"),
        pytest.param({}, error_body(403, "no_investigation"), ["no such investigation", "(403)"], id="no investigation, 403"),
        pytest.param({}, error_body(412, "closed"), ["closed", "reopen it first"], id="closed"),
        *(
            pytest.param({}, {"status_code": status, "text": "under maintenance"}, [f"({status})", "next round"], id=str(status))
            for status in (500, 502, 503, 504)
        ),
        pytest.param({}, error_body(429, "v8_rate_limit"), ["API rate limit", "(429)"], id="429"),
        pytest.param({}, {"json": ERRORS["bad_query"] | {"id": ""}}, ["unexpected token"], id="200 with an error"),
        pytest.param({}, {"json": ERRORS["bad_query"]}, ["unexpected token"], id="200 with the body of an error"),
    ],
)
def test_an_error_answer_becomes_a_sentence_with_a_remedy(
    server: Server, remote: Remote, requests_mock: Any, changes: dict[str, Any], answer: dict[str, Any], words: list[str]
) -> None:
    """
    Given: a remote that answers with an error as real ones do.
    When: Test runs.
    Then: it says what is wrong and what to do.
    """
    server.params |= changes
    remote.root = HOST_6 if changes is V6 else remote.root
    remote.fail("GET /about", times=9, **answer)

    error = server.fails("test-module")

    for word in words:
        assert word in error
    assert remote.root.split("/")[2] in error or "remote" in error


@pytest.mark.parametrize(
    ("exception", "words"),
    [
        (requests.exceptions.ConnectTimeout("x"), ["the connection timed out", "XSOAR Server URL"]),
        (requests.exceptions.ReadTimeout("x"), ["the connection timed out", "XSOAR Server URL"]),
        (requests.exceptions.SSLError("x"), ["certificate is not trusted", "Trust any certificate"]),
        (requests.exceptions.ProxyError("x"), ["proxy", "Use system proxy settings"]),
        (requests.exceptions.ConnectionError("x"), ["connection failed", "XSOAR Server URL"]),
        (requests.exceptions.ChunkedEncodingError("x"), ["connection failed"]),
        (requests.exceptions.InvalidURL("x"), ["cannot be sent", "XSOAR Server URL"]),
        (requests.exceptions.InvalidHeader("x"), ["cannot be sent", "API Key"]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
@pytest.mark.parametrize("insecure", [False, True], ids=["certificate checked", "any certificate"])
def test_a_remote_that_cannot_be_reached_is_named_with_a_remedy(
    server: Server, remote: Remote, exception: Exception, words: list[str], insecure: bool
) -> None:
    """
    Given: a remote to which no connection comes about.
    When: Test runs.
    Then: it names the remote, what is wrong and what to check.
    """
    server.params["insecure"] = insecure
    remote.fail("GET /about", exception, times=9)

    error = server.fails("test-module")

    for word in ["api-remote.example.com cannot be reached", *words]:
        assert word in error


@pytest.mark.parametrize(
    ("route", "command", "args", "permission"),
    [
        ("GET /incident/load", "xsoar-get-incident", {"id": "1"}, "view the incident"),
        ("POST /incidents/search", "xsoar-search-incidents", {}, "search incidents"),
        ("POST /incident$", "update-remote-system", {"remoteId": "1", "delta": {"severity": 4}}, "create and edit incidents"),
    ],
)
def test_a_missing_permission_is_named(
    server: Server, remote: Remote, route: str, command: str, args: dict[str, Any], permission: str
) -> None:
    """Given a key whose role may not do something; When that is asked; Then the sentence names the permission that it takes."""
    remote.add("1")
    remote.fail(route, status_code=403, json={"detail": "forbidden"}, times=9)

    assert permission in server.fails(command, **{"data": {}, "incidentChanged": True, **args} if "delta" in args else args)


def test_what_the_library_says_of_a_failure_is_not_told(server: Server, remote: Remote) -> None:
    """Given an error of the HTTP library that quotes what was sent; When it ends a run; Then key and quote are nowhere."""
    remote.fail("POST /incidents/search", requests.exceptions.ConnectionError(f"Authorization: {KEY}"), times=9)

    error = server.fails("fetch-incidents")

    assert KEY not in error + server.context + str(server.log)


def test_a_netrc_of_the_server_does_not_take_the_place_of_the_key(
    server: Server, remote: Remote, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Given a .netrc with a password for the remote's host; When the remote is asked; Then it gets the key and nothing else."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine api-remote.example.com login word password word\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    server.fetch()

    assert {call.headers["Authorization"] for call in remote.calls} == {KEY}


@pytest.mark.parametrize(
    ("params", "environment", "proxy", "verify"),
    [
        ({"proxy": True}, {"HTTPS_PROXY": "http://proxy.example.com:3128"}, "http://proxy.example.com:3128", True),
        ({"proxy": True}, {"HTTPS_PROXY": "http://p.example.com", "NO_PROXY": "example.com"}, None, True),
        ({"proxy": False}, {"HTTPS_PROXY": "http://proxy.example.com:3128"}, None, True),
        ({}, {"REQUESTS_CA_BUNDLE": "/etc/our-authorities.pem"}, None, "/etc/our-authorities.pem"),
        ({}, {"CURL_CA_BUNDLE": "/etc/our-authorities.pem"}, None, "/etc/our-authorities.pem"),
        ({"insecure": True}, {"REQUESTS_CA_BUNDLE": "/etc/our-authorities.pem"}, None, False),
    ],
    ids=["proxy", "no proxy for the host", "proxy off", "authorities", "authorities of curl", "insecure"],
)
def test_proxy_and_certificates_are_those_of_the_environment(
    server: Server,
    remote: Remote,
    monkeypatch: pytest.MonkeyPatch,
    requests_mock: Any,
    params: dict[str, Any],
    environment: dict[str, str],
    proxy: str | None,
    verify: bool | str,
) -> None:
    """Given an environment that names a proxy or authorities; When the remote is asked; Then all calls go by what was set."""
    server.params |= params
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    remote.add()

    server.fetch()

    calls = requests_mock.request_history
    assert len(calls) > 1
    assert {(call.proxies.get("https"), call.verify) for call in calls} == {(proxy, verify)}


@pytest.mark.parametrize("last_update", ["9" * 400, "1e400", "9" * 31])
def test_a_time_without_measure_counts_as_missing(server: Server, remote: Remote, last_update: str) -> None:
    """Given a time of hundreds of digits; When an incident is asked for from then on; Then it comes, as without a time."""
    remote.add("9")

    assert server.ok("get-remote-data", id="9", lastUpdate=last_update)[0]["name"] == "incident 9"


def test_a_redirect_is_not_followed_and_the_key_stays_here(server: Server, remote: Remote, requests_mock: Any) -> None:
    """
    Given: a remote that redirects to another host.
    When: a fetch runs.
    Then: that host is asked nothing, so it never sees the key.
    """
    requests_mock.post("https://elsewhere.example.net/incidents/search", json={"data": None, "total": 0})
    elsewhere = {"Location": "https://elsewhere.example.net/incidents/search"}
    remote.fail("POST /incidents/search", status_code=307, headers=elsewhere, times=9)

    error = server.fails("fetch-incidents")

    assert "redirects to elsewhere.example.net" in error
    asked = {request.url for request in requests_mock.request_history}
    assert asked == {f"{HOST_8}/xsoar/about", f"{HOST_8}/xsoar/incidents/search"}


@pytest.mark.parametrize("fault", FAULTS)
def test_reading_is_repeated_after_a_fault(server: Server, remote: Remote, naps: list[float], fault: dict[str, Any]) -> None:
    """
    Given: a remote that is busy or breaks the connection twice.
    When: a fetch reads from it.
    Then: the third try brings the incident, after pauses that grow.
    """
    remote.add()
    remote.fail("POST /incidents/search", times=2, **fault)

    assert ids(server.fetch()) == ["1"]

    searches = [body["filter"]["sort"][0]["field"] for body in remote.bodies("POST /incidents/search")]
    assert searches == ["created"] * 3
    assert len(naps) == 2
    assert 0 < naps[0] < naps[1]


def test_reading_is_given_up_after_three_tries(server: Server, remote: Remote) -> None:
    """
    Given: a remote that is busy for long.
    When: a fetch reads from it.
    Then: it gives up after three tries and says so.
    """
    remote.fail("POST /incidents/search", status_code=503, times=9)

    assert "temporarily unavailable (503)" in server.fails("fetch-incidents")

    assert [call.route for call in remote.calls].count("POST /incidents/search") == 3


def test_calls_run_side_by_side_up_to_their_number_and_keep_their_order() -> None:
    """
    Given: twelve calls, of which three may run at once, and each of which waits until three are under way.
    When: they are made.
    Then: they come to their end, in the order in which they were asked for, and never more than three at once.
    """
    three = threading.Barrier(3, timeout=30)
    under_way: list[int] = []
    most = []

    def work(number: int) -> int:
        under_way.append(number)
        most.append(len(under_way))
        three.wait()
        under_way.remove(number)
        three.wait()
        return number

    with script.ReadPool(3) as calls:
        started = [calls.start(work, number) for number in range(12)]

        assert [call.result() for call in started] == list(range(12))
    assert max(most) == 3


def test_a_call_that_fails_ends_those_that_have_not_begun() -> None:
    """
    Given: three calls at once, the second of which fails while many wait.
    When: they are made.
    Then: those under way come to their end, none of the others begins, and each says why.
    """
    both = threading.Barrier(2, timeout=30)
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        both.wait()
        if number == 1:
            raise script.RemoteError(script.UNREACHABLE, "it is away")
        return number

    with script.ReadPool(2) as calls:
        started = [calls.start(work, number) for number in range(40)]
        outcomes = [call.exception() or call.result() for call in started]

    assert outcomes[0] == 0
    # Another pair may have begun before the failure was known.
    assert begun in ([0, 1], [1, 0], [0, 1, 2, 3], [1, 0, 2, 3])
    assert {str(outcome) for outcome in outcomes[4:]} == {"it is away"}


def test_a_failure_beside_the_calls_ends_those_that_have_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a call under way and others that wait; When the work beside them fails; Then none of those that wait begins."""
    ends = threading.Event()
    shutdown = script.ThreadPoolExecutor.shutdown
    begun: list[int] = []

    def end(pool: Any, **how: Any) -> None:
        ends.set()
        shutdown(pool, **how)

    def fail_beside() -> None:
        with script.ReadPool(1) as calls:
            calls.start(ends.wait, 30)
            waiting.extend(calls.start(begun.append, number) for number in range(3))
            raise OSError("the disk is full")

    monkeypatch.setattr(script.ThreadPoolExecutor, "shutdown", end)
    waiting: list[Any] = []

    with pytest.raises(OSError, match="the disk is full"):
        fail_beside()

    assert begun == []
    assert [str(call.exception()) for call in waiting] == ["the disk is full"] * 3


def test_no_call_begins_while_the_remote_wants_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: two calls side by side, the first of which meets the rate limit and has to wait for five seconds.
    When: it waits.
    Then: the other does not begin until the pause is over.
    """
    told: list[str] = []
    pausing, other_may_end = threading.Event(), threading.Event()

    def pause(seconds: float) -> None:
        told.append(f"pause of {seconds:.0f}")
        pausing.set()
        other_may_end.wait(0.2)
        told.append("pause is over")

    def call_once(client: Any, method: str, route: str, use: Any, **request: Any) -> str:
        told.append(route)
        if told.count("first") == 1 and route == "first":
            raise script.RemoteError(script.RATE_LIMIT, "API rate limit", 5.0)
        if route == "second":
            other_may_end.set()
        return route

    monkeypatch.setattr(script.Client, "_call_once", call_once)
    client = script.Client(script.parse_settings(PARAMS, "headquarters"), pause)

    def second() -> str:
        assert pausing.wait(30)
        return client._call("GET", "second", True, str)

    with script.ReadPool(2) as calls:
        both = [calls.start(client._call, "GET", "first", True, str), calls.start(second)]

        assert [call.result() for call in both] == ["first", "second"]
    assert told[:3] == ["first", "pause of 5", "pause is over"]
    assert sorted(told[3:]) == ["first", "second"]


@pytest.mark.parametrize("is_told", [True, False], ids=["its size is told", "its size is not told"])
def test_a_file_that_is_too_large_comes_as_a_note(
    server: Server, remote: Remote, monkeypatch: pytest.MonkeyPatch, clock: Any, is_told: bool
) -> None:
    """
    Given: an incident with a small and a large attachment, and then a large and a small file in its War Room.
    When: it is fetched and pulled.
    Then: the small ones come; for each large one a note with its name and where it is; and all of that once.
    """
    monkeypatch.setattr(script, "LARGEST_FILE", 1 << 20)
    large, metadata = b"x" * (1 << 20) + b"x", {"size": (1 << 20) + 1} if is_told else {}
    remote.add("1")
    attach(remote, "1", "small.txt", b"small")
    attach(remote, "1", "dump.bin", large)
    for entry in remote.entries["1"]:
        if entry["file"] == "dump.bin":
            entry["fileMetadata"] = metadata
    (fetched,) = server.fetch()
    clock.tick(timedelta(minutes=1))
    remote.write_file("1", "memory.raw", large, fileMetadata=metadata)
    remote.write_file("1", "notes.txt", b"notes")

    entries = server.pull("1")[1]

    assert [attachment["name"] for attachment in fetched["attachment"]] == ["small.txt", "dump.bin (too large).txt"]
    note = Path(fetched["attachment"][1]["path"]).name
    assert [entry.get("File") for entry in entries] == [None, "notes.txt"]
    assert "memory.raw is larger than 1 MiB" in entries[0]["Contents"]
    assert "/Details/1" in entries[0]["Contents"]
    assert any("dump.bin is larger than 1 MiB" in path.read_text() for path in Path().glob(f"*{note}"))
    assert server.pull("1")[1] == []
    assert len(remote.asked("GET /entry/download")) == (2 if is_told else 4)


@contextmanager
def late_after(questions: int) -> Iterator[None]:
    """Let it be late once it was asked so many times whether it is."""
    asked = itertools.count()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script.Client, "is_late", lambda self: next(asked) >= questions)
        yield


@pytest.mark.parametrize("questions", range(10))
def test_a_fetch_that_takes_long_goes_on_in_the_next(server: Server, remote: Remote, questions: int) -> None:
    """
    Given: five incidents with a file each, on pages of two, and a remote so slow that a fetch gets late somewhere.
    When: fetches run, the later ones in time.
    Then: the first brings what it has whole, at least one, and in the end each incident is here once, with its file.
    """
    remote.search_limit = 2
    for number in range(1, 6):
        remote.add(str(number))
        attach(remote, str(number), f"{number}.txt", b"bytes")

    with late_after(questions):
        first = server.fetch()
    rest = [*server.fetch(), *server.fetch()]

    assert len(first) >= 1
    assert ids([*first, *rest]) == ["1", "2", "3", "4", "5"]
    # An incident whose own files take a whole run is not held back for ever.
    assert all(incident.get("attachment") for incident in [*first[1:], *rest])


@pytest.mark.parametrize("questions", range(4))
def test_a_pull_that_takes_long_goes_on_in_the_next_round(server: Server, remote: Remote, mirrored: str, questions: int) -> None:
    """
    Given: three files and a text, and a remote so slow that a pull gets late among the files.
    When: rounds run, the later one in time.
    Then: the text and the files that were had come at once, the rest in the next round, each once.
    """
    for number in range(3):
        remote.write_file(mirrored, f"{number}.txt", b"bytes")
    remote.write(mirrored, "the text")

    with late_after(questions):
        first = server.pull(mirrored)[1]

    assert len(first) == 1 + questions
    assert (mirrored in modified(server)) is (questions < 3)
    second = server.pull(mirrored)[1]
    names = sorted(entry["File"] for entry in [*first, *second] if entry.get("File"))
    assert names == ["0.txt", "1.txt", "2.txt"]
    assert server.pull(mirrored)[1] == []


def test_sending_that_takes_long_goes_on_in_the_next_round(server: Server, remote: Remote, mirrored: str) -> None:
    """
    Given: four entries to send, and a remote so slow that time runs out after two.
    When: the server sends them, and again what failed.
    Then: it is told that some are left, and in the end each is there once, in its order.
    """
    entries = [local_entry(number, f"text {number}") for number in range(4)]

    with late_after(2):
        error = push(server, mirrored, entries=entries).error
    pushed(server, mirrored, entries=entries)

    assert "the next round sends the remaining entries" in error
    assert [entry["contents"].rpartition("\n")[2] for entry in remote.entries[mirrored]] == [f"text {n}" for n in range(4)]


def test_tries_that_take_long_are_not_repeated_for_ever(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: a remote that takes a minute to fail, whatever it is asked.
    When: a command asks for several things.
    Then: it ends within a few minutes, as the server allows no more than five.
    """
    started = time.monotonic()

    class Slow(requests.exceptions.ReadTimeout):
        def __init__(self) -> None:
            clock.tick(timedelta(seconds=60))
            super().__init__()

    for route in ("GET /incident/load", "POST /incidents/search", "GET /about"):
        remote.faults.append(Fault(route, Slow, times=99, after=False, skip=0))

    assert "cannot be reached" in server.fails("get-remote-data", id="1", lastUpdate=LAST_UPDATE)
    assert time.monotonic() - started <= 180


@pytest.mark.parametrize("fault", FAULTS)
def test_writing_is_not_repeated_when_it_may_have_happened(
    server: Server, remote: Remote, mirrored: str, fault: dict[str, Any]
) -> None:
    """
    Given: a remote that fails at a write, so that nobody knows whether it was done.
    When: an entry is sent.
    Then: it is tried once, and the server sees the failure.
    """
    remote.fail("POST /entry/formatted", **fault)

    assert push(server, mirrored, entries=[local_entry(1, "once")]).error

    assert len(remote.asked("POST /entry")) == 1


@pytest.mark.parametrize(
    ("retry_after", "pause"), [(None, 0.5), ("4", 4.0), ("Wed, 01 Mar 2026 12:00:09 GMT", 0.5), ("-5", 0.5), ("0", 0.5)]
)
@pytest.mark.parametrize("route", ["GET /incident/load", "POST /entry/formatted"], ids=["read", "write"])
def test_what_the_rate_limit_refused_is_tried_again_after_the_pause_it_asks_for(
    server: Server, remote: Remote, mirrored: str, naps: list[float], route: str, retry_after: str | None, pause: float
) -> None:
    """
    Given: a remote that refuses a call for its rate, so that nothing was done, with or without saying how long to wait.
    When: an entry is sent.
    Then: it arrives once, after that pause.
    """
    headers = {"Retry-After": retry_after} if retry_after else {}
    remote.fail(route, status_code=429, json=ERRORS["v8_rate_limit"], headers=headers)

    pushed(server, mirrored, entries=[local_entry(1, "once")])

    assert contents([{"Contents": entry["contents"]} for entry in remote.entries[mirrored]]) == ["once"]
    (nap,) = naps
    assert pause <= nap <= pause + 0.25


def test_a_long_rate_limit_is_left_to_the_next_round(server: Server, remote: Remote, naps: list[float]) -> None:
    """
    Given: a remote that asks for a pause of a minute.
    When: a fetch runs.
    Then: it ends at once, with the words that the server knows.
    """
    remote.fail("POST /incidents/search", status_code=429, headers={"Retry-After": "60"})

    assert "API rate limit" in server.fails("fetch-incidents")

    assert ([call.route for call in remote.calls].count("POST /incidents/search"), naps) == (1, [])


@pytest.mark.parametrize("date", ["", "yesterday", None])
def test_a_remote_without_a_clock_in_its_headers_is_mirrored_all_the_same(
    server: Server, remote: Remote, requests_mock: Any, date: str | None
) -> None:
    """
    Given: a remote whose answers carry no usable Date header.
    When: an incident is fetched and an entry written a minute later.
    Then: the entry comes in, and the one from before the fetch does not.
    """
    requests_mock.add_matcher(lambda request: without_date(remote, request, date))
    incident_id = remote.add()["id"]
    remote.write(incident_id, "before")
    remote.clock.tick(timedelta(minutes=1))
    server.fetch()
    remote.clock.tick(timedelta(minutes=1))
    remote.write(incident_id, "after")

    assert contents(server.pull(incident_id)[1]) == ["after"]


def without_date(remote: Remote, request: Any, date: str | None) -> requests.Response:
    """Return the remote's answer with another Date header, or none."""
    response = remote(request)
    response.headers.pop("Date")
    if date is not None:
        response.headers["Date"] = date
    return response
