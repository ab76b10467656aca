"""Entries, and the functions of CommonServerPython that send them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import CommonServerPython as common
import demistomock as demisto
import pytest

# What an entry holds when CommandResults was given nothing.
NOTHING = {
    "Type": 1,
    "ContentsFormat": "json",
    "Contents": None,
    "HumanReadable": None,
    "EntryContext": {},
    "IndicatorTimeline": [],
    "IgnoreAutoExtract": False,
    "Note": False,
    "Relationships": [],
}


class OwnEntry:
    """Stands for an object that knows its entry."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self.entry = entry

    def to_entry(self) -> dict[str, Any]:
        """Return the given entry."""
        return self.entry


# --- CommandResults -----------------------------------------------------------------------------------------------------------


def test_empty_command_results_are_an_empty_entry() -> None:
    """
    Given: CommandResults with nothing.
    When: the entry is made.
    Then: it has exactly these keys, in this order.
    """
    entry = common.CommandResults().to_context()
    assert entry == NOTHING
    assert list(entry) == list(NOTHING)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"outputs": [1]}, ValueError, "outputs_prefix is missing"),
        ({"outputs": ""}, ValueError, "outputs_prefix is missing"),
        ({"outputs": {"a": 1}, "outputs_prefix": "."}, ValueError, "outputs_prefix cannot be a period."),
        ({"outputs_key_field": ("a",)}, TypeError, "outputs_key_field must be of type str or list"),
        ({"outputs_key_field": 5}, TypeError, "outputs_key_field must be of type str or list"),
        ({"content_format": "x"}, TypeError, "content_format x is invalid, see CommonServerPython.EntryFormat"),
    ],
)
def test_command_results_refuse_what_makes_no_entry(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    """
    Given: arguments that make no entry.
    When: CommandResults are made.
    Then: the platform's error comes.
    """
    with pytest.raises(error) as caught:
        common.CommandResults(**arguments)
    assert str(caught.value) == message


@pytest.mark.parametrize("arguments", [{"outputs_prefix": "."}, {"outputs": {"a": 1}}, {"outputs_key_field": {}}])
def test_command_results_accept_what_is_not_used(arguments: dict[str, Any]) -> None:
    """
    Given: odd arguments that do no harm, as a prefix that is a period where there are no outputs.
    When: CommandResults are made.
    Then: there is no error.
    """
    common.CommandResults(**arguments)


def test_command_results_keep_their_arguments() -> None:
    """
    Given: arguments by place.
    When: CommandResults are made.
    Then: they are attributes, the raw response is the outputs where none is given, and the type a note.
    """
    outputs = {"a": 1}
    results = common.CommandResults("P", "a", outputs, readable_output="text")
    kept = (results.outputs_prefix, results.outputs_key_field, results.outputs, results.readable_output, results.raw_response)
    assert kept == ("P", "a", outputs, "text", outputs)
    assert results.entry_type == 1


@pytest.mark.parametrize(
    ("arguments", "context"),
    [
        ({"outputs": {"a": 1}, "outputs_prefix": "P"}, {"P": {"a": 1}}),
        ({"outputs": {"a": 1}, "outputs_prefix": "P", "outputs_key_field": "id"}, {"P(val.id && val.id == obj.id)": {"a": 1}}),
        ({"outputs": {"a": 1}, "outputs_prefix": "P", "outputs_key_field": ["id"]}, {"P(val.id && val.id == obj.id)": {"a": 1}}),
        (
            {"outputs": [{"a": 1}], "outputs_prefix": "P.Q", "outputs_key_field": ["a", "b"]},
            {"P.Q(val.a && val.a == obj.a && val.b && val.b == obj.b)": [{"a": 1}]},
        ),
        ({"outputs": {"A.B": 1, "C": 2}}, {"A.B": 1, "C": 2}),
        ({"outputs": {}, "outputs_prefix": "P"}, {"P": {}}),
        ({"outputs": [], "outputs_prefix": "P"}, {}),
        ({"outputs": None, "outputs_prefix": "P"}, {}),
        ({"outputs": "text", "outputs_prefix": "P"}, {"P": "text"}),
        ({"outputs": 0, "outputs_prefix": "P"}, {"P": 0}),
    ],
)
def test_where_outputs_go_in_the_context(arguments: dict[str, Any], context: dict[str, Any]) -> None:
    """
    Given: outputs, with or without prefix and key fields.
    When: the entry is made.
    Then: its context has them under the prefix, with the condition that finds the object to replace; an empty list writes
    nothing.
    """
    assert common.CommandResults(readable_output="text", **arguments).to_context()["EntryContext"] == context


@pytest.mark.parametrize(
    ("arguments", "contents", "content_format"),
    [
        ({"raw_response": {"a": 1}}, {"a": 1}, "json"),
        ({"raw_response": []}, [], "json"),
        ({"raw_response": 1.5}, 1.5, "json"),
        ({"raw_response": "text"}, "text", "text"),
        ({"raw_response": ""}, "", "text"),
        ({"raw_response": b"x"}, b"x", "text"),
        ({"raw_response": 5}, 5, "text"),
        ({"raw_response": False}, False, "text"),
        ({"raw_response": "<b>", "content_format": "html"}, "<b>", "html"),
        ({"outputs": {"a": 1}, "outputs_prefix": "P"}, {"a": 1}, "json"),
        ({"outputs": {"a": 1}, "outputs_prefix": "P", "raw_response": 0}, 0, "text"),
    ],
)
def test_contents_and_their_format(arguments: dict[str, Any], contents: Any, content_format: str) -> None:
    """
    Given: a raw response, or outputs alone.
    When: the entry is made.
    Then: its contents are the raw response, else the outputs; text and numbers are text, other values JSON.
    """
    entry = common.CommandResults(readable_output="text", **arguments).to_context()
    assert (entry["Contents"], entry["ContentsFormat"]) == (contents, content_format)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"readable_output": "given", "outputs": {"a": 1}}, "given"),
        ({"readable_output": ""}, None),
        ({"outputs": {"a": 1, "b": "x"}}, "### Results\n|a|b|\n|---|---|\n| 1 | x |\n"),
        ({"outputs": [{"a": 1}], "outputs_prefix": "P"}, "### Results\n|a|\n|---|\n| 1 |\n"),
        ({"outputs": {}, "outputs_prefix": "P"}, "### Results\n**No entries.**\n"),
        ({"outputs": [], "outputs_prefix": "P"}, None),
        ({"outputs": 5, "outputs_prefix": "P"}, 5),
        ({"outputs": False, "outputs_prefix": "P"}, False),
        ({"outputs": "text", "outputs_prefix": "P"}, "text"),
    ],
)
def test_the_readable_text(arguments: dict[str, Any], text: Any) -> None:
    """
    Given: a readable output, or outputs alone.
    When: the entry is made.
    Then: its text is the readable output, else the outputs as table, and values that are no table as they are.
    """
    assert common.CommandResults(**arguments).to_context()["HumanReadable"] == text


def test_a_list_of_plain_values_needs_a_readable_output() -> None:
    """
    Given: a list of numbers as outputs and no text.
    When: the entry is made.
    Then: the table that cannot be made is the error.
    """
    with pytest.raises(Exception, match="Missing headers param for tableToMarkdown"):
        common.CommandResults(outputs=[1, 2], outputs_prefix="P").to_context()


def test_the_other_parts_of_an_entry() -> None:
    """
    Given: all that an entry can say.
    When: it is made.
    Then: it says so.
    """
    entry = common.CommandResults(
        readable_output="text",
        ignore_auto_extract=True,
        mark_as_note=True,
        tags=["one"],
        entry_type=9,
    ).to_context()
    assert entry == {
        **NOTHING,
        "Type": 9,
        "HumanReadable": "text",
        "IgnoreAutoExtract": True,
        "Note": True,
        "Tags": ["one"],
    }


def test_no_tags_leave_no_key() -> None:
    """
    Given: an empty list of tags.
    When: the entry is made.
    Then: it has no key for them.
    """
    assert "Tags" not in common.CommandResults(tags=[]).to_context()


# --- return_results -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "text", 5, {"a": 1}, [], (1, 2), ""])
def test_return_results_sends_plain_values_as_they_are(sent: list[Any], value: Any) -> None:
    """
    Given: a value that is no object of the platform.
    When: it is returned.
    Then: demisto.results gets it as it is.
    """
    common.return_results(value)
    assert sent == [value]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: common.CommandResults(readable_output="text"), {**NOTHING, "HumanReadable": "text"}),
        (
            lambda: common.GetMappingFieldsResponse([common.SchemeTypeMapping("type", {"field": "text"})]),
            {"type": {"field": "text"}},
        ),
        (lambda: common.GetRemoteDataResponse({"id": "1"}, [{"Contents": "c"}]), [{"id": "1"}, {"Contents": "c"}]),
        (lambda: common.GetRemoteDataResponse({}, [{"Contents": "c"}]), None),
        (lambda: common.GetModifiedRemoteDataResponse(["1"]), {"Contents": ["1"], "Type": 1, "ContentsFormat": "json"}),
        (lambda: OwnEntry({"own": "entry"}), {"own": "entry"}),
    ],
    ids=["CommandResults", "mapping", "remote data", "empty remote data", "modified", "to_entry"],
)
def test_return_results_sends_objects_as_the_server_takes_them(
    sent: list[Any], logged: list[tuple[str, str]], make: Callable[[], Any], expected: Any
) -> None:
    """
    Given: an object of the platform, or one with to_entry.
    When: it is returned.
    Then: demisto.results gets what the server takes.
    """
    common.return_results(make())
    assert sent == [expected]


@pytest.mark.parametrize(
    ("results", "calls"),
    [
        (["a", {"b": 1}], [["a", {"b": 1}]]),
        ([None], [None]),
        ([5, "a"], [5, ["a"]]),
        ([["a", {"b": 1}], "c"], [["a", {"b": 1}], ["c"]]),
    ],
)
def test_return_results_sends_the_plain_ones_of_a_list_together(sent: list[Any], results: list[Any], calls: list[Any]) -> None:
    """
    Given: a list of results.
    When: it is returned.
    Then: its dicts and texts go in one call, and each other one in a call of its own, before that.
    """
    common.return_results(results)
    assert sent == calls


def test_return_results_changes_the_order_of_a_mixed_list(sent: list[Any]) -> None:
    """
    Given: CommandResults between texts and dicts.
    When: the list is returned.
    Then: the CommandResults go first.
    """
    common.return_results(["a", {"b": 1}, common.CommandResults(readable_output="c"), "d"])
    assert sent == [{**NOTHING, "HumanReadable": "c"}, ["a", {"b": 1}, "d"]]


# --- return_error -------------------------------------------------------------------------------------------------------------


def of_command(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let the server call this command."""
    monkeypatch.setattr(demisto, "command", lambda: name)


@pytest.mark.parametrize(
    ("message", "contents"), [("text", "text"), (None, "None"), ({"a": 1}, "{'a': 1}"), (ValueError("v"), "v"), ("ö\n", "ö\n")]
)
def test_return_error_sends_an_error_entry_and_ends_with_code_0(
    sent: list[Any], logged: list[tuple[str, str]], message: Any, contents: str
) -> None:
    """
    Given: any message.
    When: it is returned as error.
    Then: an error entry with its text is sent, the log is printed, and the process is to end with code 0.
    """
    with pytest.raises(SystemExit) as caught:
        common.return_error(message)
    assert caught.value.code == 0
    assert sent == [{"Type": 4, "ContentsFormat": "text", "Contents": contents, "EntryContext": None}]
    assert logged == [("info", f"Full Integration Log:\n{contents}")]


def test_return_error_puts_outputs_into_the_context(sent: list[Any], logged: list[tuple[str, str]]) -> None:
    """
    Given: outputs besides the message.
    When: the error is returned.
    Then: they are the context of its entry.
    """
    with pytest.raises(SystemExit):
        common.return_error("text", outputs={"a": 1})
    assert sent[0]["EntryContext"] == {"a": 1}


def test_return_error_logs_error_and_traceback(sent: list[Any], logged: list[tuple[str, str]]) -> None:
    """
    Given: an exception that is handled.
    When: an error is returned with it, after a line in the log.
    Then: the log has line, message, error and traceback as one, and the entry the message alone.
    """
    common.LOG("a line")
    try:
        raise ValueError("the cause")
    except ValueError as error:
        with pytest.raises(SystemExit):
            common.return_error("text", error)
    ((level, text),) = logged
    assert level == "info"
    assert text.startswith("Full Integration Log:\na line\ntext\nthe cause\n\nTraceback (most recent call last):\n")
    assert text.endswith("ValueError: the cause\n")
    assert sent[0]["Contents"] == "text"


def test_return_error_shows_the_traceback_in_debug_mode(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], logged: list[tuple[str, str]]
) -> None:
    """
    Given: debug mode and an exception that is handled.
    When: an error is returned.
    Then: the entry shows the traceback too.
    """
    monkeypatch.setattr(demisto, "is_debug", True)
    assert common.is_debug_mode() is True
    try:
        raise ValueError("the cause")
    except ValueError:
        with pytest.raises(SystemExit):
            common.return_error("text")
    assert sent[0]["Contents"].startswith("text\n\nTraceback (most recent call last):\n")
    assert sent[0]["Contents"].endswith("ValueError: the cause\n")


@pytest.mark.parametrize("command", ["fetch-incidents", "fetch-credentials", "long-running-execution", "fetch-indicators"])
def test_return_error_raises_where_the_server_handles_errors(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], logged: list[tuple[str, str]], command: str
) -> None:
    """
    Given: a command whose errors the server handles.
    When: an error is returned.
    Then: it is raised as a plain exception, and no entry is sent.
    """
    of_command(monkeypatch, command)
    with pytest.raises(Exception, match=r"^text$") as caught:
        common.return_error("text")
    assert type(caught.value) is Exception
    assert sent == []
    assert logged


@pytest.mark.parametrize(
    "command", ["test-module", "fetch-events", "get-remote-data", "update-remote-system", "", "xsoar-search"]
)
def test_return_error_sends_an_entry_for_other_commands(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], logged: list[tuple[str, str]], command: str
) -> None:
    """
    Given: another command, one of mirroring too.
    When: an error is returned.
    Then: its entry is sent with the message as it is.
    """
    of_command(monkeypatch, command)
    with pytest.raises(SystemExit):
        common.return_error("text")
    assert sent[0]["Contents"] == "text"


class OwnNotImplementedError(NotImplementedError):
    """A kind of its own."""


@pytest.mark.parametrize(
    ("active", "error", "skipped"),
    [
        (None, "", True),
        (None, NotImplementedError("n"), True),
        (ValueError("v"), "", True),
        (ValueError("v"), NotImplementedError("n"), True),
        (OwnNotImplementedError("n"), "", True),
        (NotImplementedError("n"), "text", True),
        (NotImplementedError("n"), ValueError("v"), True),
        (NotImplementedError("n"), "", False),
        (NotImplementedError("n"), NotImplementedError("n"), False),
    ],
)
def test_return_error_marks_errors_of_get_modified_remote_data(
    monkeypatch: pytest.MonkeyPatch,
    sent: list[Any],
    logged: list[tuple[str, str]],
    active: Exception | None,
    error: Any,
    skipped: bool,
) -> None:
    """
    Given: get-modified-remote-data, and an exception that is handled or none.
    When: an error is returned.
    Then: its message starts with 'skip update. error: ', unless all that happened is NotImplementedError itself.
    """
    of_command(monkeypatch, "get-modified-remote-data")
    with pytest.raises(SystemExit):
        if active is None:
            common.return_error("text", error)
        try:
            raise active
        except Exception:
            common.return_error("text", error)
    assert sent[0]["Contents"] == ("skip update. error: text" if skipped else "text")


@pytest.mark.parametrize(("length", "cut"), [(50000, False), (50001, True)])
def test_return_error_cuts_a_very_long_message(sent: list[Any], logged: list[tuple[str, str]], length: int, cut: bool) -> None:
    """
    Given: a message of 50,000 characters, or one more.
    When: it is returned as error.
    Then: the longer one keeps its two ends, 25,000 characters each, and a text between them.
    """
    message = "a" * 30000 + "b" * (length - 30000)
    with pytest.raises(SystemExit):
        common.return_error(message)
    shortened = message[:25000] + "...This error body was truncated..." + message[-25000:]
    assert sent[0]["Contents"] == (shortened if cut else message)


# --- fileResult, is_error, get_error ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "content"), [("tëxt", "tëxt".encode()), (b"\x00\xff", b"\x00\xff"), ("", b"")])
def test_file_result_writes_the_file_for_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str | bytes, content: bytes
) -> None:
    """
    Given: text or bytes.
    When: they are made a file entry.
    Then: the current folder has the file under investigation and id, text as UTF-8, and the entry names both.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demisto, "uniqueFile", lambda: "unique")
    monkeypatch.setattr(demisto, "investigation", lambda: {"id": "77"})
    entry = common.fileResult("name.txt", data)
    assert entry == {"Contents": "", "ContentsFormat": "text", "Type": 3, "File": "name.txt", "FileID": "unique"}
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"77_unique": content}


@pytest.mark.parametrize(
    ("given", "name", "told"),
    [("../../name.txt", "name.txt", True), ("a/../b", "a/b", True), ("....//x", "../x", True), ("a/b.txt", "a/b.txt", False)],
)
def test_file_result_drops_parent_folders_from_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[tuple[str, str]], given: str, name: str, told: bool
) -> None:
    """
    Given: a file name with '../' in it.
    When: it is made a file entry.
    Then: each '../' is gone, once, and the log says so.
    """
    monkeypatch.chdir(tmp_path)
    assert common.fileResult(given, "text")["File"] == name
    assert [level for level, _ in logged] == (["debug"] if told else [])


def test_file_result_of_another_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: a type of entry.
    When: a file entry is made.
    Then: it has that type.
    """
    monkeypatch.chdir(tmp_path)
    assert common.fileResult("name", "text", common.EntryType.ENTRY_INFO_FILE)["Type"] == 9


@pytest.mark.parametrize("data", [5, None, {"a": 1}])
def test_file_result_refuses_other_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Any) -> None:
    """
    Given: data that is neither text nor bytes.
    When: it is made a file entry.
    Then: TypeError comes, and an empty file is there all the same.
    """
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TypeError):
        common.fileResult("name", data)
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [0]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (None, False),
        ("", False),
        ("text", False),
        (5, False),
        ([], False),
        (["text"], False),
        ({"Type": 1}, False),
        ({"Type": 4}, True),
        ([{"Type": 1}, {"Type": 4}], True),
        ([{"Type": 1}], False),
    ],
)
def test_is_error_looks_for_an_error_entry(result: Any, expected: bool) -> None:
    """
    Given: the result of a command.
    When: is_error looks at it.
    Then: it is one when an entry of type error is in it.
    """
    assert common.is_error(result) is expected


@pytest.mark.parametrize("result", [{}, {"Contents": "c"}, [{"Contents": "c"}]])
def test_is_error_needs_the_type(result: Any) -> None:
    """
    Given: an entry without type.
    When: is_error looks at it.
    Then: KeyError comes.
    """
    with pytest.raises(KeyError):
        common.is_error(result)


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"Type": 4, "Contents": "one"}, "one"),
        ([{"Type": 4, "Contents": "one"}, {"Type": 1, "Contents": "x"}, {"Type": 4, "Contents": "two"}], "one\ntwo"),
    ],
)
def test_get_error_joins_the_texts_of_error_entries(result: Any, text: str) -> None:
    """
    Given: error entries among others.
    When: their text is asked for.
    Then: it is that of the error entries, one a line.
    """
    assert common.get_error(result) == text


@pytest.mark.parametrize("result", [None, "text", [], {"Type": 1, "Contents": "c"}])
def test_get_error_needs_an_error(result: Any) -> None:
    """
    Given: a result without error entry.
    When: its error is asked for.
    Then: ValueError says what to ask before.
    """
    with pytest.raises(ValueError, match=r"^execute_command_result has no error entry\. before using get_error use is_error$"):
        common.get_error(result)


def test_system_exit_passes_the_handlers_of_an_integration(sent: list[Any], logged: list[tuple[str, str]]) -> None:
    """
    Given: an integration that returns an error within `try ... except Exception`.
    When: return_error ends the process.
    Then: the handler does not run: the error is sent once.
    """
    with pytest.raises(SystemExit):
        try:
            common.return_error("text")
        except Exception:
            common.return_error("again")
    assert len(sent) == 1
