"""demistomock: the constant answers of the `demisto` object where no server is.

The newer mock has functions that the older one lacks; those are checked where they are there.
"""

import json
import logging
import uuid
from typing import Any

import demistomock as demisto
import pytest

NEWER = hasattr(demisto, "getLastMirrorRun")

# What each call answers. Functions that only the newer mock has are marked.
ANSWERS: list[tuple[str, tuple[Any, ...], Any, bool]] = [
    ("params", (), {}, False),
    ("args", (), {}, False),
    ("command", (), "", False),
    ("getParam", ("url",), None, False),
    ("getArg", ("id",), None, False),
    ("getLastRun", (), {"lastRun": "2018-10-24T14:13:20+00:00"}, False),
    ("setLastRun", ({"time": "1"},), None, False),
    ("integrationInstance", (), "", False),
    ("getFilePath", ("5@7",), {"id": "5@7", "path": "test/test.txt", "name": "test.txt"}, False),
    ("investigation", (), {"id": "1"}, False),
    ("context", (), {}, False),
    ("demistoVersion", (), {"version": "5.5.0", "buildNumber": "12345"}, False),
    ("executeCommand", ("other", {}), "", False),
    ("getModules", (), {}, False),
    ("dt", (), "", False),
    ("updateModuleHealth", ("well",), "", False),
    ("searchIndicators", (), {}, False),
    ("searchIndicators", ("", "type:IP", 5), {}, False),
    ("getLicenseID", (), "", False),
    ("parentEntry", (), {}, True),
    ("getLastMirrorRun", (), {}, True),
    ("setLastMirrorRun", ({"time": "1"},), None, True),
    ("isTimeSensitive", (), False, True),
]


@pytest.mark.parametrize(
    ("name", "arguments", "answer"),
    [(name, arguments, answer) for name, arguments, answer, newer in ANSWERS if NEWER or not newer],
)
def test_constant_answers(name: str, arguments: tuple[Any, ...], answer: Any) -> None:
    """
    Given: no server.
    When: a function of demisto is called.
    Then: the mock's constant answer comes.
    """
    assert getattr(demisto, name)(*arguments) == answer


@pytest.mark.parametrize(
    "name", ["lock", "_Demisto__do", "heartbeat", *(name for name, _, _, newer in ANSWERS if newer and not NEWER)]
)
def test_what_the_mock_does_not_have(name: str) -> None:
    """
    Given: no server.
    When: something is looked for that only a server has.
    Then: it is not there.
    """
    assert not hasattr(demisto, name)


def test_the_state_at_the_start() -> None:
    """
    Given: a fresh mock.
    When: its variables are looked at.
    Then: there is no debug mode, and contexts are dicts.
    """
    assert demisto.is_debug is False
    assert isinstance(demisto.callingContext, dict)
    assert isinstance(demisto.integrationContext, dict)


def test_parameters_and_arguments_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: parameters and arguments.
    When: one is asked for by name.
    Then: it is that of params and args.
    """
    monkeypatch.setattr(demisto, "params", lambda: {"url": "u"})
    monkeypatch.setattr(demisto, "args", lambda: {"id": "7"})
    assert (demisto.getParam("url"), demisto.getArg("id")) == ("u", "7")


@pytest.mark.parametrize(
    ("text", "params"), [('{"url": "u"}', {"url": "u"} if NEWER else {}), ("no JSON", {}), ("", {})], ids=["json", "bad", "empty"]
)
def test_parameters_from_the_environment(monkeypatch: pytest.MonkeyPatch, text: str, params: dict[str, Any]) -> None:
    """
    Given: the environment variable DEMISTO_PARAMS.
    When: the parameters are asked for.
    Then: the newer mock takes them from there, and {} where that is no JSON.
    """
    monkeypatch.setenv("DEMISTO_PARAMS", text)
    assert demisto.params() == params


# --- Log and results ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("info", ("plain",), "plain"),
        ("info", ("with %s", "argument"), "with argument"),
        ("info", ({"a": 1},), "{'a': 1}"),
        ("debug", ("plain",), "plain"),
        ("log", ("plain",), "plain"),
    ],
)
def test_the_log_is_python_s_at_level_info(
    caplog: pytest.LogCaptureFixture, name: str, arguments: tuple[Any, ...], text: str
) -> None:
    """
    Given: a message.
    When: it is logged, at debug level too.
    Then: the root logger has it at level info.
    """
    with caplog.at_level(logging.DEBUG):
        getattr(demisto, name)(*arguments)
    assert caplog.record_tuples == [("root", logging.INFO, text)]


@pytest.mark.parametrize(("arguments", "text"), [(("plain",), "plain\n"), (("with %s", "argument"), "with %s argument\n")])
def test_an_error_is_printed(capsys: pytest.CaptureFixture[str], arguments: tuple[Any, ...], text: str) -> None:
    """
    Given: an error.
    When: it is logged.
    Then: it is printed to the standard output, with its arguments behind it.
    """
    demisto.error(*arguments)
    assert capsys.readouterr() == (text, "")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("text", '"text"'),
        (None, "null"),
        ({"b": 1, "a": 2}, '{\n    "a": 2,\n    "b": 1\n}'),
        ([{"a": 1}], '[\n    {\n        "a": 1\n    }\n]'),
        ({"contents": {"a": 1}, "type": 1}, '{\n    "a": 1\n}'),
        ({"contents": ""}, '{\n    "contents": ""\n}'),
    ],
)
def test_results_are_logged_as_json(caplog: pytest.LogCaptureFixture, given: Any, shown: str) -> None:
    """
    Given: results.
    When: they are sent.
    Then: the log has them as JSON with sorted keys, of a dict with 'contents' that alone.
    """
    with caplog.at_level(logging.INFO):
        demisto.results(given)
    assert caplog.messages == [f"demisto results: {shown}"]


@pytest.mark.parametrize("given", [{1, 2}, b"x", {1: 2, "a": 3}], ids=["set", "bytes", "mixed keys"])
def test_results_must_be_json(given: Any) -> None:
    """
    Given: results that are no JSON.
    When: they are sent.
    Then: TypeError comes.
    """
    with pytest.raises(TypeError):
        demisto.results(given)


def test_fetched_incidents_are_a_result(monkeypatch: pytest.MonkeyPatch, sent: list[Any]) -> None:
    """
    Given: fetched incidents.
    When: they are handed over.
    Then: they are sent as JSON in an entry; what is no JSON raises TypeError.
    """
    assert demisto.incidents([{"name": "n"}]) is None
    demisto.incidents([])
    assert [entry["Contents"] for entry in sent] == ['[{"name": "n"}]', "[]"]
    assert {key: value for key, value in sent[0].items() if key != "Contents"} == {"Type": 1, "ContentsFormat": "json"}
    with pytest.raises(TypeError):
        demisto.incidents([{"name": {1}}])


def test_there_is_an_example_incident() -> None:
    """
    Given: no server.
    When: the incidents of the run are asked for.
    Then: there is one, with the id 1 and the fields of an incident.
    """
    incidents: Any = demisto.incidents()
    (incident,) = incidents
    assert demisto.incident() == incident
    assert incident["id"] == "1"
    assert {"name", "type", "severity", "status", "created", "modified", "owner", "labels", "CustomFields"} <= set(incident)
    json.dumps(incident)


# --- The rest -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "path", "value"),
    [
        ({"a": {"b": 1}}, "a.b", 1),
        ({"a": {"b": 0}}, "a.b", 0),
        ({"a": {"b": 1}}, "a", {"b": 1}),
        ({"a": {"b": 1}}, "a.c", None),
        ({"a": [1]}, "a.b", None),
        ({"a": None}, "a.b", None),
        ({"a.b": 1}, "a.b", None),
        (None, "a", None),
    ],
)
def test_values_by_dotted_path(given: Any, path: str, value: Any) -> None:
    """
    Given: nested dicts.
    When: a dotted path is asked for.
    Then: its value comes, None where there is none, and gets gives either as text.
    """
    assert demisto.get(given, path) == value
    assert demisto.gets(given, path) == str(value)


def test_file_ids_are_new_each_time() -> None:
    """
    Given: files to write.
    When: ids are asked for.
    Then: each is a new one.
    """
    first, second = demisto.uniqueFile(), demisto.uniqueFile()
    assert first != second
    assert str(uuid.UUID(first)) == first


def test_the_addresses_of_the_server() -> None:
    """
    Given: no server.
    When: its addresses are asked for.
    Then: each page has one on the test server.
    """
    urls = demisto.demistoUrls()
    assert set(urls) == {"evidenceBoard", "investigation", "relatedIncidents", "server", "warRoom", "workPlan"}
    assert urls["server"] == "https://test-address:8443"
    assert all(url.startswith(urls["server"]) for url in urls.values())


def test_the_integration_context_is_handed_out_itself() -> None:
    """
    Given: a stored integration context.
    When: it is read, also with version.
    Then: it is the stored object itself, without wrapper, and any version may be written.
    """
    first: dict[str, Any] = {"a": 1}
    demisto.setIntegrationContext(first)
    assert demisto.getIntegrationContext() is first
    assert demisto.getIntegrationContextVersioned(True) is first
    second: dict[str, Any] = {"b": 2}
    demisto.setIntegrationContextVersioned(second, 99, True)
    assert demisto.getIntegrationContext() is second


def test_the_server_s_own_rest_api_knows_nothing() -> None:
    """
    Given: the newer mock.
    When: the server's own REST API is asked.
    Then: the answer is always the same 404; the older mock cannot ask.
    """
    ask = getattr(demisto, "internalHttpRequest", None)
    assert (ask is not None) is NEWER
    if ask:
        answer = ask("GET", "/about")
        assert (answer["statusCode"], answer["status"]) == (404, "404 Not Found")
        assert answer["body"] == "This is a mock. Your request was not found."
        assert isinstance(answer["headers"], dict)
