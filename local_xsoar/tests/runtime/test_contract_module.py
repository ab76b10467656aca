"""CommonServerPython as a module: what a star import gives, its constants, and what importing it does."""

import importlib.util
import inspect
import logging
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import CommonServerPython as common
import CommonServerUserPython
import demistomock as demisto
import pytest

FreshImport = Callable[[dict[str, Any]], ModuleType]


@pytest.fixture(scope="module")
def loaded() -> list[ModuleType]:
    """What was imported, so that none is collected meanwhile: the platform's takes its handler of warnings back then."""
    return []


@pytest.fixture
def imported_with(monkeypatch: pytest.MonkeyPatch, loaded: list[ModuleType]) -> FreshImport:
    """A function that imports CommonServerPython once more, in an instance with the given parameters."""

    def load(params: dict[str, Any]) -> ModuleType:
        monkeypatch.setattr(demisto, "callingContext", {"params": params})
        monkeypatch.setattr(demisto, "params", lambda: demisto.callingContext["params"])
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
        assert common.__file__
        spec = importlib.util.spec_from_file_location("CommonServerPython_once_more", common.__file__)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        loaded.append(module)
        return module

    return load


def star_import() -> set[str]:
    """Return the names that `from CommonServerPython import *` gives: there is no __all__, so all without an underscore."""
    assert not hasattr(common, "__all__")
    return {name for name in vars(common) if not name.startswith("_")}


@pytest.mark.parametrize(
    "names",
    [
        "demisto",
        "base64 gzip json logging os re socket ssl sys time traceback types urllib warnings",
        "requests HTTPAdapter Retry dateparser",
        "datetime timedelta timezone",
        "Optional Dict List Any Union Set cast",
        "randint ET OrderedDict wraps Lock",
    ],
)
def test_a_star_import_gives_the_imported_names(names: str) -> None:
    """
    Given: an integration that starts with `from CommonServerPython import *`.
    When: it uses modules or classes that it did not import itself.
    Then: the star import has given them.
    """
    assert set(names.split()) <= star_import()


def test_a_star_import_does_not_give_what_integrations_must_import() -> None:
    """
    Given: names that look as if they came with the others.
    When: an integration star-imports CommonServerPython.
    Then: they are not there.
    """
    assert not {"Tuple", "Callable", "pytz", "Path", "dataclass", "UTC"} & star_import()


def test_demisto_is_the_mock_and_datetime_the_class() -> None:
    """
    Given: the names that came with the star import.
    When: they are looked at.
    Then: demisto is demistomock, and datetime is the class, not the module.
    """
    assert common.demisto is demisto
    assert common.datetime.__name__ == "datetime"
    assert common.datetime.now().year > 2000


def test_the_user_module_is_empty() -> None:
    """
    Given: a new tenant.
    When: CommonServerUserPython is imported.
    Then: it brings no name.
    """
    assert [name for name in vars(CommonServerUserPython) if not name.startswith("__")] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_ERROR_MESSAGE_LENGTH", 50000),
        ("MIN_VERSION_FOR_VERSIONED_CONTEXT", "6.0.0"),
        ("MASK", "<XX_REPLACED>"),
    ],
)
def test_constants(name: str, value: Any) -> None:
    """
    Given: a constant of the platform.
    When: an integration reads it.
    Then: it has the platform's value.
    """
    assert getattr(common, name) == value


ENUMS = {
    "EntryType": {
        "NOTE": 1,
        "DOWNLOAD_AGENT": 2,
        "FILE": 3,
        "ERROR": 4,
        "PINNED": 5,
        "USER_MANAGEMENT": 6,
        "IMAGE": 7,
        "PLAYGROUND_ERROR": 8,
        "ENTRY_INFO_FILE": 9,
        "VIDEO_FILE": 10,
        "WARNING": 11,
        "STATIC_VIDEO_FILE": 12,
        "MAP_ENTRY_TYPE": 15,
        "WIDGET": 17,
        "EXECUTION_METRICS": 19,
    },
    "EntryFormat": {
        "HTML": "html",
        "TABLE": "table",
        "JSON": "json",
        "TEXT": "text",
        "DBOT_RESPONSE": "dbotCommandResponse",
        "MARKDOWN": "markdown",
    },
    "IncidentStatus": {"PENDING": 0, "ACTIVE": 1, "DONE": 2, "ARCHIVE": 3},
}


@pytest.mark.parametrize(("name", "values"), ENUMS.items(), ids=list(ENUMS))
def test_enumerations(name: str, values: dict[str, Any]) -> None:
    """
    Given: an enumeration of the platform.
    When: its members are listed.
    Then: they are plain numbers and texts with the platform's values, and there are no others.
    """
    enumeration = getattr(common, name)
    members = {member: value for member, value in vars(enumeration).items() if member.isupper()}
    assert members == values
    assert all(type(value) in (int, float, str) for value in members.values())


@pytest.mark.parametrize(("text", "valid"), [("html", True), ("markdown", True), ("HTML", False), ("xml", False), ("", False)])
def test_entry_formats_are_checked_by_their_text(text: str, valid: bool) -> None:
    """
    Given: a text.
    When: EntryFormat is asked whether it is a format.
    Then: only the formats' own texts are.
    """
    assert common.EntryFormat.is_valid_type(text) is valid


SIGNATURES = {
    "urljoin": "url, suffix=''",
    "add_http_prefix_if_missing": "address=''",
    "BaseClient": "base_url, verify=True, proxy=False, ok_codes=(), headers=None, auth=None, timeout=60",
    "BaseClient._http_request": (
        "self, method, url_suffix='', full_url=None, headers=None, auth=None, json_data=None, params=None, data=None, "
        "files=None, timeout=None, resp_type='json', ok_codes=None, return_empty_response=False, error_handler=None, **kwargs"
    ),
    "DemistoException": "message, exception=None, res=None, error_type=None, *args",
    "CommandResults": (
        "outputs_prefix=None, outputs_key_field=None, outputs=None, readable_output=None, raw_response=None, "
        "ignore_auto_extract=False, mark_as_note=False, tags=None, entry_type=None, content_format=None"
    ),
    "return_results": "results",
    "return_error": "message, error='', outputs=None",
    "fileResult": "filename, data, file_type=None",
    "is_error": "execute_command_result",
    "get_error": "execute_command_result",
    "tableToMarkdown": "name, t, headers=None, headerTransform=None, removeNull=False",
    "stringEscapeMD": "st, minimal_escaping=False, escape_multiline=False",
    "pascalToSpace": "s",
    "string_to_table_header": "string",
    "argToList": "arg, separator=',', transform=None",
    "argToBoolean": "value",
    "assign_params": "keys_to_ignore=None, values_to_ignore=None, **kwargs",
    "GetRemoteDataArgs": "args",
    "UpdateRemoteSystemArgs": "args",
    "GetRemoteDataResponse": "mirrored_object, entries",
    "GetModifiedRemoteDataResponse": "modified_incident_ids",
    "SchemeTypeMapping": "type_name='', fields=None",
    "SchemeTypeMapping.add_field": "self, name, description=''",
    "GetMappingFieldsResponse": "scheme_types_mapping=None",
    "is_demisto_version_ge": "version, build_number=''",
    "get_integration_context": "sync=True, with_version=False",
    "set_integration_context": "context, sync=True, version=-1",
    "get_integration_context_with_version": "sync=True",
    "register_module_line": "module_name, start_end, line, wrapper=0",
}


@pytest.mark.parametrize(("path", "expected"), SIGNATURES.items(), ids=list(SIGNATURES))
def test_signatures(path: str, expected: str) -> None:
    """
    Given: a function or class of the platform.
    When: an integration calls it, with arguments by place or by name.
    Then: it takes the parameters that are used, in their order and with their defaults; the platform's takes others besides.
    """
    target: Any = common
    for part in path.split("."):
        target = getattr(target, part)
    signature = inspect.signature(target)
    plain = [str(parameter.replace(annotation=inspect.Parameter.empty)) for parameter in signature.parameters.values()]
    used = expected.split(", ")
    assert [parameter for parameter in plain if parameter in used] == used


def test_importing_gives_parameters_whose_get_skips_none(imported_with: FreshImport) -> None:
    """
    Given: an instance where a parameter is stored as None.
    When: CommonServerPython is imported.
    Then: demisto.params().get gives the default for it, and a stored False or '' stays.
    """
    imported_with({"url": None, "insecure": False, "text": ""})
    params = demisto.params()
    assert params.get("url", "default") == "default"
    assert params.get("url") is None
    assert params.get("missing", 5) == 5
    assert params.get("insecure", True) is False
    assert params.get("text", "default") == ""
    assert params["url"] is None


def test_importing_leaves_the_parameters_when_told_so(imported_with: FreshImport, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: the environment variable COMMON_SERVER_NO_AUTO_PARAMS_REMOVE_NULLS.
    When: CommonServerPython is imported.
    Then: the parameters stay the plain dict they were.
    """
    monkeypatch.setenv("COMMON_SERVER_NO_AUTO_PARAMS_REMOVE_NULLS", "true")
    params: dict[str, Any] = {"url": None}
    imported_with(params)
    assert demisto.params() is params


def test_importing_sends_python_warnings_to_the_log(imported_with: FreshImport, logged: list[tuple[str, str]]) -> None:
    """
    Given: CommonServerPython is imported.
    When: Python shows a warning.
    Then: it goes to the server's log, and not to the standard error.
    """
    imported_with({})
    warnings.showwarning("the warning", UserWarning, "file.py", 7)
    (entry,) = logged
    assert entry[0] == "info"
    assert entry[1].startswith("python warning: ")
    assert "the warning" in entry[1]
    assert logging.raiseExceptions is False


SECRETS = {
    "apikey": "SECRET-KEY",
    "credentials": {"identifier": "jane", "password": 'pa"ss/w rd', "sshkey": "SSH-KEY"},
    "my_private": "line one\nline two",
    "TokenOfTrust": "Tök",
    "service_account": "ACCOUNT",
    "nested": {"deep": {"client_secret": "DEEP"}},
    "url": "https://example.com",
    "key_number": 12345,
    "token_list": ["LISTED"],
}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("with SECRET-KEY inside", "with <XX_REPLACED> inside"),
        ("twice SECRET-KEY SECRET-KEY", "twice <XX_REPLACED> <XX_REPLACED>"),
        ("base64 U0VDUkVULUtFWQ==", "base64 <XX_REPLACED>"),
        ('plain pa"ss/w rd', "plain <XX_REPLACED>"),
        ('JSON pa\\"ss/w rd', "JSON <XX_REPLACED>"),
        ("address pa%22ss%2Fw+rd", "address <XX_REPLACED>"),
        ("basic amFuZTpwYSJzcy93IHJk", "basic <XX_REPLACED>"),
        ("SSH-KEY", "<XX_REPLACED>"),
        ("line one\nline two", "<XX_REPLACED>"),
        ("line one\\nline two", "<XX_REPLACED>"),
        ("Tök T\\u00f6k T%C3%B6k", "<XX_REPLACED> <XX_REPLACED> <XX_REPLACED>"),
        ("ACCOUNT DEEP", "<XX_REPLACED> <XX_REPLACED>"),
        ("jane https://example.com 12345 LISTED", "jane https://example.com 12345 LISTED"),
        ({"key": "SECRET-KEY"}, "{'key': '<XX_REPLACED>'}"),
        (ValueError("SECRET-KEY"), "<XX_REPLACED>"),
        (None, "None"),
        (5, "5"),
    ],
)
def test_secrets_are_masked_in_the_log(imported_with: FreshImport, message: Any, expected: str) -> None:
    """
    Given: an instance whose parameters hold secrets.
    When: a message is logged that shows one, plain, escaped, in an address or in base64.
    Then: the logged message shows the mask in its place; numbers, lists and other parameters are not masked.
    """
    log = imported_with(SECRETS).LOG
    assert log(message) == expected
    assert log.messages == [expected]


def test_return_error_masks_secrets(imported_with: FreshImport, sent: list[Any], logged: list[tuple[str, str]]) -> None:
    """
    Given: an instance with a secret.
    When: an error that shows it is returned.
    Then: neither the entry nor the server's log shows it.
    """
    module = imported_with(SECRETS)
    with pytest.raises(SystemExit):
        module.return_error("refused for SECRET-KEY", error="because of SECRET-KEY")
    assert sent[0]["Contents"] == "refused for <XX_REPLACED>"
    assert logged == [("info", "Full Integration Log:\nrefused for <XX_REPLACED>\nbecause of <XX_REPLACED>")]


def test_the_log_is_printed_once_as_one(logged: list[tuple[str, str]]) -> None:
    """
    Given: messages in the log.
    When: it is printed, twice.
    Then: they come as one message to the server's log, once.
    """
    common.LOG("one")
    common.LOG("two")
    common.LOG.print_log()
    common.LOG.print_log()
    assert logged == [("info", "Full Integration Log:\none\ntwo")]


@pytest.mark.parametrize("params", [{"apikey": ""}, {"credentials": {"identifier": "", "password": ""}}, None])
def test_an_empty_secret_masks_nothing(imported_with: FreshImport, params: Any) -> None:
    """
    Given: an instance whose secrets are empty, or none at all.
    When: a message is logged.
    Then: it is logged as it is.
    """
    assert imported_with(params).LOG("a message") == "a message"


def test_the_lines_of_a_joined_script_can_be_registered() -> None:
    """
    Given: the lines that the unified form of an integration begins and ends with.
    When: they run.
    Then: they do no harm.
    """
    common.register_module_line("XSOARMirroring", "start", common.__line__())
    common.register_module_line("XSOARMirroring", "end", common.__line__(), wrapper=1)
