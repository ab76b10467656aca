"""What CommonServerPython knows about the server and the run, and the integration context."""

import copy
import json
import threading
from collections.abc import Callable
from typing import Any

import CommonServerPython as common
import demistomock as demisto
import pytest

VERSIONED = "6.0.0"
OLDER = "5.5.0"


class Store:
    """The integration context as a server keeps it: copies go in and out, and a stale version is refused."""

    def __init__(self, context: dict[str, Any], version: int = 3) -> None:
        self.context = context
        self.version = version
        self.written: list[tuple[dict[str, Any], int, bool]] = []
        self.read: list[bool] = []

    def get(self, refresh: bool = False) -> dict[str, Any]:
        """Stand for demisto.getIntegrationContextVersioned."""
        self.read.append(refresh)
        return {"context": copy.deepcopy(self.context), "version": self.version}

    def set(self, context: dict[str, Any], version: int = -1, sync: bool = False) -> str:
        """Stand for demisto.setIntegrationContextVersioned."""
        if version not in (-1, self.version):
            raise ValueError("stale")
        self.written.append((copy.deepcopy(context), version, sync))
        self.context, self.version = copy.deepcopy(context), self.version + 1
        return "written"


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch, server_version: Callable[..., None]) -> Callable[[dict[str, Any]], Store]:
    """A function that puts a context into a server that keeps a version with it."""

    def put(context: dict[str, Any]) -> Store:
        server_version(VERSIONED)
        store = Store(context)
        monkeypatch.setattr(demisto, "getIntegrationContextVersioned", store.get)
        monkeypatch.setattr(demisto, "setIntegrationContextVersioned", store.set)
        return store

    return put


# --- The server's version -----------------------------------------------------------------------------------------------------


def test_the_server_is_asked_for_its_version_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: a server.
    When: its version is asked for twice.
    Then: the server itself was asked once.
    """
    asked: list[str] = []

    def version() -> dict[str, str]:
        asked.append("once more")
        return {"version": "8.8.0", "buildNumber": "9"}

    monkeypatch.setattr(demisto, "demistoVersion", version)
    assert common.get_demisto_version() == {"version": "8.8.0", "buildNumber": "9"}
    assert common.get_demisto_version() == {"version": "8.8.0", "buildNumber": "9"}
    assert len(asked) == 1


def test_a_server_that_cannot_tell_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: a server object that has no demistoVersion.
    When: the version is asked for.
    Then: AttributeError says so, and the server counts as older than 5.0.0.
    """
    monkeypatch.delattr(demisto, "demistoVersion")
    with pytest.raises(AttributeError, match=r"^demistoVersion attribute not found\.$"):
        common.get_demisto_version()
    assert common.is_demisto_version_ge("5.0.0") is False
    with pytest.raises(AttributeError):
        common.is_demisto_version_ge("4.5.0")


@pytest.mark.parametrize(
    ("server", "asked", "expected"),
    [
        ("8.15.0", "8.9", True),
        ("8.15.0", "8.15", True),
        ("8.15.0", "8.15.0", True),
        ("8.15.0", "8.15.0.1", False),
        ("8.9.0", "8.15.0", False),
        ("8.15.0", "10", False),
        ("10.0", "8.15.0", True),
        ("5.5.0", "5.5", True),
        ("5.5", "5.5.0", False),
        ("6.0", "6.0.0", False),
    ],
)
def test_versions_are_compared_by_their_numbers(
    server_version: Callable[..., None], server: str, asked: str, expected: bool
) -> None:
    """
    Given: a server of a version.
    When: it is compared with another.
    Then: each part counts as a number, and a version with more parts is the later of two that are else the same.
    """
    server_version(server)
    assert common.is_demisto_version_ge(asked) is expected


@pytest.mark.parametrize(
    ("build", "asked", "expected"),
    [("100", "99", True), ("100", "100", True), ("100", "101", False), (100, 99, True), ("99", "100", False)],
)
def test_builds_of_the_same_version_are_compared(
    server_version: Callable[..., None], build: Any, asked: Any, expected: bool
) -> None:
    """
    Given: a server of a version and a build.
    When: the same version is asked for with a build, and another version.
    Then: the build decides for the same version only.
    """
    server_version("8.15.0", build)
    assert common.is_demisto_version_ge("8.15.0", asked) is expected
    assert common.is_demisto_version_ge("8.14.0", asked) is True


@pytest.mark.parametrize(("build", "asked"), [("100", "abc"), ("dev", "5")])
def test_builds_that_are_no_numbers_are_late_enough(
    server_version: Callable[..., None], logged: list[tuple[str, str]], build: str, asked: str
) -> None:
    """
    Given: builds that are no numbers.
    When: they are compared.
    Then: the server counts as late enough, and the log says so.
    """
    server_version("8.15.0", build)
    assert common.is_demisto_version_ge("8.15.0", asked) is True
    assert [level for level, _ in logged] == ["log"]


# --- The run ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("calling_context", "names"),
    [
        ({}, ("", "")),
        ({"context": {}}, ("", "")),
        ({"context": {"IntegrationBrand": "Brand", "ScriptName": "Script"}}, ("Brand", "Script")),
    ],
)
def test_names_of_what_runs(monkeypatch: pytest.MonkeyPatch, calling_context: dict[str, Any], names: tuple[str, ...]) -> None:
    """
    Given: what the server says about the run.
    When: the names of integration and script are asked for.
    Then: they are those, '' where the server does not say.
    """
    monkeypatch.setattr(demisto, "callingContext", calling_context)
    assert (common.get_integration_name(), common.get_script_name()) == names


class FakeLock:
    """A lock that is free, or never."""

    def __init__(self, free: bool) -> None:
        self.free = free
        self.steps: list[Any] = []

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Return whether it is free."""
        self.steps.append(timeout)
        return self.free

    def release(self) -> None:
        """Note the release."""
        self.steps.append("released")


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The commands that went to the server through its one channel, which demistomock does not have."""
    commands: list[Any] = []

    def send(cmd: Any) -> str:
        commands.append(cmd)
        return f"answer to {cmd}"

    monkeypatch.setattr(demisto, "_Demisto__do", send, raising=False)
    monkeypatch.setattr(demisto, "lock", None, raising=False)
    return commands


def test_threads_use_the_channel_one_at_a_time(channel: list[Any]) -> None:
    """
    Given: multithreading is supported.
    When: a thread holds the lock and another calls the server.
    Then: the call goes out once the lock is free, and its answer comes back.
    """
    common.support_multithreading()
    answers: list[Any] = []
    caller = threading.Thread(target=lambda: answers.append(demisto._Demisto__do("log")))  # type: ignore[attr-defined]
    with demisto.lock:  # type: ignore[attr-defined]
        caller.start()
        caller.join(0.05)
        assert channel == []
    caller.join()
    assert (channel, answers) == (["log"], ["answer to log"])


@pytest.mark.parametrize("free", [True, False])
def test_a_call_waits_a_minute_for_the_channel(monkeypatch: pytest.MonkeyPatch, channel: list[Any], free: bool) -> None:
    """
    Given: multithreading is supported.
    When: the channel stays taken.
    Then: after 60 seconds RuntimeError comes; when it is free the call goes out and the lock is given back.
    """
    common.support_multithreading()
    lock = FakeLock(free)
    monkeypatch.setattr(demisto, "lock", lock)
    if free:
        demisto._Demisto__do("log")  # type: ignore[attr-defined]
    else:
        with pytest.raises(RuntimeError, match=r"^Failed acquiring lock$"):
            demisto._Demisto__do("log")  # type: ignore[attr-defined]
    assert lock.steps == ([60, "released"] if free else [60])
    assert channel == (["log"] if free else [])


# --- The integration context --------------------------------------------------------------------------------------------------


def test_reading_the_context_of_an_older_server() -> None:
    """
    Given: a server that keeps no version with the integration context.
    When: the context is read.
    Then: it is the server's own, and its version -1.
    """
    demisto.setIntegrationContext({"a": "1"})
    assert common.get_integration_context() == {"a": "1"}
    assert common.get_integration_context(with_version=True) == {"a": "1"}
    assert common.get_integration_context_with_version() == ({"a": "1"}, -1)
    assert common.get_integration_context() is demisto.getIntegrationContext()


def test_writing_the_context_of_an_older_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: a server that keeps no version with the integration context.
    When: the context is written.
    Then: the server gets it by its older function.
    """
    assert common.set_integration_context({"a": "1"}, version=7) is None
    assert demisto.getIntegrationContext() == {"a": "1"}


@pytest.mark.parametrize("sync", [True, False])
def test_reading_a_versioned_context(stored: Callable[[dict[str, Any]], Store], sync: bool) -> None:
    """
    Given: a server that keeps a version with the integration context.
    When: the context is read, in sync with the server or not.
    Then: it comes without its wrapper, with it when asked, and the version counts only in sync.
    """
    store = stored({"a": "1"})
    assert common.get_integration_context(sync) == {"a": "1"}
    assert common.get_integration_context(sync, with_version=True) == {"context": {"a": "1"}, "version": 3}
    assert common.get_integration_context_with_version(sync) == ({"a": "1"}, 3 if sync else -1)
    assert store.read == [sync] * 3


@pytest.mark.parametrize(
    ("wrapper", "expected"), [({}, ({}, 0)), ({"context": {"a": "1"}}, ({"a": "1"}, 0)), ({"version": 5}, ({}, 5))]
)
def test_reading_a_context_that_is_not_there_yet(
    monkeypatch: pytest.MonkeyPatch, server_version: Callable[..., None], wrapper: dict[str, Any], expected: Any
) -> None:
    """
    Given: a server that has no context for the instance yet.
    When: it is read.
    Then: it is empty, and its version 0.
    """
    server_version(VERSIONED)
    monkeypatch.setattr(demisto, "getIntegrationContextVersioned", lambda refresh=False: wrapper)
    assert common.get_integration_context_with_version() == expected
    assert common.get_integration_context() == expected[0]


@pytest.mark.parametrize(
    ("arguments", "written"),
    [(({"a": "1"},), ({"a": "1"}, -1, True)), (({"a": "1"}, False, 3), ({"a": "1"}, 3, False))],
)
def test_writing_a_versioned_context(
    stored: Callable[[dict[str, Any]], Store], arguments: tuple[Any, ...], written: tuple[Any, ...]
) -> None:
    """
    Given: a server that keeps a version with the integration context.
    When: the context is written.
    Then: the server gets context, version and sync, and what it says comes back.
    """
    store = stored({})
    assert common.set_integration_context(*arguments) == "written"
    assert store.written == [written]


def _in_order(text: str) -> str:
    """Return a JSON list of objects in the order of their ids: a merge keeps none."""
    if not text.startswith("[{"):
        return text
    return json.dumps(sorted(json.loads(text), key=lambda element: element["id"]))
