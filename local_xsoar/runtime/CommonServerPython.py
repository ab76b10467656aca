# ruff: noqa: F401, UP035  (`from CommonServerPython import *` gives integrations these imports too, the old typing names among them)
"""Stand-in of CommonServerPython, the module that a Cortex XSOAR server puts in front of every integration.

It holds what the pack uses, with the names, defaults, results and error texts of the platform's module: HTTP, entries, markdown,
arguments, mirroring, integration context. Where the platform's behaviour surprises and is kept, the docstring says so after
"CommonServerPython:". What the pack does not use is not there; parameters behind one that is missing are taken by name only.

There is no `__all__`: as on the platform, a star import gives every public name, the imported modules included.
"""

import base64
import gzip
import json
import logging
import os
import re
import socket
import ssl
import sys
import time
import traceback
import types
import urllib.parse
import warnings
from collections import OrderedDict
from collections.abc import Callable as _Callable
from collections.abc import Sequence as _Sequence
from datetime import datetime, timedelta, timezone
from functools import wraps
from random import randint
from threading import Lock
from typing import Any, Dict, List, Optional, Set, Union, cast
from typing import NoReturn as _NoReturn
from xml.etree import ElementTree as ET

import dateparser
import demistomock as demisto
import requests
from requests.adapters import HTTPAdapter
from urllib3 import disable_warnings
from urllib3.util.retry import Retry
from urllib3.util.ssl_ import create_urllib3_context

disable_warnings()
logging.raiseExceptions = False

# ==============================================================================================================================
# Constants and enumerations (plain classes with numbers and texts, as on the platform: no enum.Enum)
# ==============================================================================================================================

MAX_ERROR_MESSAGE_LENGTH = 50000
MIN_VERSION_FOR_VERSIONED_CONTEXT = "6.0.0"
MASK = "<XX_REPLACED>"


class EntryType:
    """Kinds of War Room entry (the entry's 'Type')."""

    NOTE = 1
    DOWNLOAD_AGENT = 2
    FILE = 3
    ERROR = 4
    PINNED = 5
    USER_MANAGEMENT = 6
    IMAGE = 7
    PLAYGROUND_ERROR = 8
    ENTRY_INFO_FILE = 9
    VIDEO_FILE = 10
    WARNING = 11
    STATIC_VIDEO_FILE = 12
    MAP_ENTRY_TYPE = 15
    WIDGET = 17
    EXECUTION_METRICS = 19


class EntryFormat:
    """Formats of an entry's contents (the entry's 'ContentsFormat')."""

    HTML = "html"
    TABLE = "table"
    JSON = "json"
    TEXT = "text"
    DBOT_RESPONSE = "dbotCommandResponse"
    MARKDOWN = "markdown"

    @classmethod
    def is_valid_type(cls, _type: str) -> bool:
        """Return whether the text is one of the formats."""
        return _type in (cls.HTML, cls.TABLE, cls.JSON, cls.TEXT, cls.DBOT_RESPONSE, cls.MARKDOWN)


class IncidentStatus:
    """States of an incident."""

    PENDING = 0
    ACTIVE = 1
    DONE = 2
    ARCHIVE = 3


# ==============================================================================================================================
# Import: what the platform's module does to the process when it is loaded
# ==============================================================================================================================


class SmartGetDict(dict):
    """A dict whose get also gives the default where None is stored: the instance parameters are one."""

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the value, or the default where the key is missing or holds None."""
        value = super().get(key)
        return default if value is None else value


def register_module_line(module_name: str, start_end: str, line: int, wrapper: int = 0) -> None:
    """Do nothing; the platform notes where the modules joined into one script begin, to correct line numbers."""


def __line__() -> int:
    """Return the line it is called from; goes with register_module_line."""
    frame = sys._getframe().f_back
    return frame.f_lineno if frame else 0


def _show_warning(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
    """Write a Python warning to the server's log instead of to the standard error."""
    demisto.info(f"python warning: {warnings.formatwarning(message, category, filename, lineno, line)}")


warnings.showwarning = _show_warning

if demisto.params() and not os.getenv("COMMON_SERVER_NO_AUTO_PARAMS_REMOVE_NULLS"):
    demisto.callingContext["params"] = SmartGetDict(demisto.params())


# ==============================================================================================================================
# Log: messages are kept back with their secrets masked, and printed when an error is returned
# ==============================================================================================================================

_SECRET_NAMES = ("key", "private", "password", "secret", "token", "credentials", "service_account")


class IntegrationLogger:
    """The log of an integration: `LOG(message)` keeps the message, with known secrets masked, until `LOG.print_log()`."""

    def __init__(self) -> None:
        """Start with the secrets of the instance parameters, as they are now."""
        self.messages: list[str] = []
        self.replace_strs: list[str] = []
        self._collect_secrets(demisto.params())

    def __call__(self, message: Any) -> str:
        """Keep the message and return it masked."""
        text = self.encode(message)
        self.messages.append(text)
        return text

    def _collect_secrets(self, values: Any) -> None:
        """Take the texts of all parameters whose name looks like a secret's, of nested dicts too."""
        if not isinstance(values, dict):
            return
        for name, value in values.items():
            if isinstance(value, dict):
                if value.get("identifier") and value.get("password"):
                    # What an Authorization header of basic authentication holds.
                    pair = f"{value['identifier']}:{value['password']}"
                    self.add_replace_strs(base64.b64encode(pair.encode()).decode())
                self._collect_secrets(value)
            elif isinstance(value, str) and any(part in str(name).lower() for part in _SECRET_NAMES):
                self.add_replace_strs(value, base64.b64encode(value.encode()).decode())

    def add_replace_strs(self, *args: str) -> None:
        """Mask these texts from now on, also where they are written as JSON or as part of an address."""
        for secret in args:
            if not secret:
                continue
            text = self.encode(secret)
            escaped = text.replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t")
            self.replace_strs += [escaped, text, json.dumps(text)[1:-1], urllib.parse.quote_plus(text)]

    def encode(self, message: Any) -> str:
        """Return the message as text with every known secret replaced by the mask."""
        text = str(message)
        for secret in self.replace_strs:
            text = text.replace(secret, MASK)
        return text

    def print_log(self) -> None:
        """Write all kept messages to the server's log as one, and forget them."""
        if self.messages:
            demisto.info("Full Integration Log:\n" + "\n".join(self.messages))
            self.messages = []


LOG = IntegrationLogger()


def is_debug_mode() -> bool:
    """Return whether the command was called with debug-mode=true."""
    return bool(getattr(demisto, "is_debug", False))


# ==============================================================================================================================
# HTTP
# ==============================================================================================================================

_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
_PROXY_PREFIXES = ("http://", "https://", "socks5://", "socks5h://", "socks4://", "socks4a://")


class DemistoException(Exception):
    """The exception of the platform.

    message: what happened, as shown to the user. exception: the exception behind it, if any. res: the requests.Response, if
    there is one. error_type: a text, for statistics. CommonServerPython: `res` is not part of `args`.
    """

    def __init__(
        self, message: Any, exception: BaseException | None = None, res: Any = None, error_type: str | None = None, *args: Any
    ) -> None:
        super().__init__(message, exception, error_type, *args)
        self.message = message
        self.exception = exception
        self.res = res
        self.error_type = error_type

    def __str__(self) -> str:
        return str(self.message)


def urljoin(url: str, suffix: str = "") -> str:
    """Return url and suffix joined by a slash.

    CommonServerPython: not the urljoin of RFC 3986; one leading slash of the suffix is dropped, an empty suffix leaves a trailing
    slash.
    """
    return (url if url.endswith("/") else url + "/") + suffix.removeprefix("/")


def add_http_prefix_if_missing(address: str = "") -> str:
    """Return the proxy address with http:// in front where it has no scheme; '' for none. The case of the scheme counts."""
    if not address or address.startswith(_PROXY_PREFIXES):
        return address or ""
    return f"http://{address}"


def ensure_proxy_has_http_prefix() -> None:
    """Give the proxy addresses in the environment a scheme."""
    for variable in _PROXY_VARIABLES:
        if os.environ.get(variable):
            os.environ[variable] = add_http_prefix_if_missing(os.environ[variable])


def skip_proxy() -> None:
    """Remove the proxy variables from the environment. CommonServerPython: this is so for the whole process, from now on."""
    for variable in _PROXY_VARIABLES:
        os.environ.pop(variable, None)


def skip_cert_verification() -> None:
    """Remove the variables that name a CA bundle from the environment, which would turn verification on again."""
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        os.environ.pop(variable, None)


class SSLAdapter(HTTPAdapter):
    """Speaks TLS with old servers too, for instances that trust any certificate.

    Old ciphers, no check of the host name, and with OpenSSL 3 the old renegotiation.
    CommonServerPython: all adapters of the process share one SSL context.
    """

    context = create_urllib3_context(ciphers="DEFAULT:@SECLEVEL=1")

    def __init__(self, verify: bool = True, **kwargs: Any) -> None:
        if not verify:
            self.context.check_hostname = False
        if not verify and ssl.OPENSSL_VERSION_INFO >= (3, 0, 0):
            # ssl.OP_LEGACY_SERVER_CONNECT, a name which Python has since 3.12 only.
            self.context.options |= 0x4
        super().__init__(**kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use the permissive context for direct connections."""
        kwargs["ssl_context"] = self.context
        super().init_poolmanager(*args, **kwargs)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Use the permissive context for connections through a proxy."""
        kwargs["ssl_context"] = self.context
        return super().proxy_manager_for(*args, **kwargs)


class BaseClient:
    """The HTTP client that integrations derive theirs from.

    proxy: whether to use the proxy of the environment. CommonServerPython: the choice is made by changing the environment of the
    whole process. verify: whether to check the server's certificate. timeout: seconds; the environment variables
    'REQUESTS_TIMEOUT.<integration>' and 'REQUESTS_TIMEOUT' go before it.
    """

    REQUESTS_TIMEOUT = 60

    def __init__(
        self,
        base_url: str,
        verify: bool = True,
        proxy: bool = False,
        ok_codes: _Sequence[int] = (),
        headers: dict[str, str] | None = None,
        auth: Any = None,
        timeout: float = REQUESTS_TIMEOUT,
    ) -> None:
        self._base_url = base_url
        self._verify: bool | str = verify
        self._ok_codes = ok_codes
        self._headers = headers
        self._auth = auth
        self._session = requests.Session()
        if proxy:
            ensure_proxy_has_http_prefix()
        else:
            skip_proxy()
        if not verify:
            skip_cert_verification()
            self._session.mount("https://", SSLAdapter(verify=verify))
        own_timeout = os.environ.get(f"REQUESTS_TIMEOUT.{get_integration_name() or get_script_name()}")
        self.timeout = float(own_timeout or os.environ.get("REQUESTS_TIMEOUT") or timeout)

    def __del__(self) -> None:
        # An interpreter that is shutting down, or an __init__ that failed, leaves little to work with: nothing to report then.
        try:
            self._session.close()
        except Exception as error:  # pragma: no cover
            demisto.debug(f"Could not close the client: {error}")

    def _http_request(
        self,
        method: str,
        url_suffix: str = "",
        full_url: str | None = None,
        headers: dict[str, str] | None = None,
        auth: Any = None,
        json_data: Any = None,
        params: Any = None,
        data: Any = None,
        files: Any = None,
        timeout: float | None = None,
        resp_type: str = "json",
        ok_codes: _Sequence[int] | None = None,
        return_empty_response: bool = False,
        *,
        error_handler: _Callable[[requests.Response], Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Send one request and return its answer.

        Returns by resp_type: 'json' the decoded body, 'text' str, 'content' bytes, 'response' the requests.Response. A 204 with
        return_empty_response gives the Response.
        CommonServerPython: headers and auth replace those of the client, they are not merged, and an empty dict counts as none.
        The client's Content-Type stays with `files`, which spoils the upload. A redirect that is not followed counts as success.
        When error_handler returns, the answer is returned as if it were a success.

        Raises:
            DemistoException: a status that is not ok, a body that does not parse, no connection, TLS or proxy trouble.
            requests.exceptions.RequestException: what is not translated, above all ReadTimeout, ChunkedEncodingError, InvalidURL.
        """
        try:
            address = full_url or urljoin(self._base_url, url_suffix)
            res = self._session.request(
                method,
                address,
                verify=self._verify,
                params=params,
                data=data,
                json=json_data,
                files=files,
                headers=headers or self._headers,
                auth=auth or self._auth,
                timeout=timeout or self.timeout,
                **kwargs,
            )
            if not self._is_status_code_valid(res, ok_codes):
                (error_handler or self.client_error_handler)(res)
            if return_empty_response and res.status_code == 204:
                return res
            return self.cast_response(res, resp_type)
        except requests.exceptions.ConnectTimeout as exception:
            raise DemistoException(
                "Connection Timeout Error - potential reasons might be that the Server URL parameter is incorrect or that the "
                "Server is not accessible from your host.",
                exception,
            )
        except requests.exceptions.SSLError as exception:
            if not self._verify:
                raise
            raise DemistoException(
                "SSL Certificate Verification Failed - try selecting 'Trust any certificate' checkbox in the integration "
                "configuration.",
                exception,
            )
        except requests.exceptions.ProxyError as exception:
            raise DemistoException(
                "Proxy Error - if the 'Use system proxy' checkbox in the integration configuration is selected, try clearing the "
                "checkbox.",
                exception,
            )
        except requests.exceptions.ConnectionError as exception:
            kind = f"<{type(exception).__module__}.{type(exception).__name__}>"
            numbered = exception.errno and exception.strerror
            detail = f"Error Number: [{exception.errno}]\nMessage: {exception.strerror}\n" if numbered else str(exception)
            raise DemistoException(
                "Verify that the server URL parameter is correct and that you have access to the server from your host."
                f"\nError Type: {kind}\n{detail}",
                exception,
            )

    def _is_status_code_valid(self, response: requests.Response, ok_codes: _Sequence[int] | None = None) -> bool:
        """Return whether the status is one of ok_codes, or of the client's, or with neither below 400."""
        valid = ok_codes or self._ok_codes
        return response.status_code in valid if valid else response.ok

    def cast_response(self, res: requests.Response, resp_type: str, raise_on_error: bool = True) -> Any:
        """Return the body in the shape resp_type names ('json', 'text', 'content', 'response'), in any case.

        Raises:
            DemistoException: the body is not JSON (an empty one is not).
        """
        resp_type = resp_type.lower()
        try:
            match resp_type:
                case "json":
                    return res.json()
                case "text":
                    return res.text
                case "content":
                    return res.content
            return res
        except ValueError as exception:
            if raise_on_error:
                raise DemistoException(f"Failed to parse {resp_type} object from response: {res.content!r}", exception, res)
            return None

    def client_error_handler(self, res: requests.Response) -> None:
        """Raise the DemistoException that tells status, reason and body of the answer."""
        try:
            body = json.dumps(res.json())
        except ValueError:
            body = res.text
        raise DemistoException(f"Error in API call [{res.status_code}] - {res.reason}\n{body}", res=res)


# ==============================================================================================================================
# Entries and results
# ==============================================================================================================================


class CommandResults:
    """What a command gives back: context data (outputs), text for the War Room (readable_output) and the raw answer.

    Raises:
        ValueError: outputs that are no dict without outputs_prefix, a prefix that is a period.
        TypeError: outputs_key_field is neither text nor list, content_format is none of EntryFormat.
    """

    def __init__(
        self,
        outputs_prefix: str | None = None,
        outputs_key_field: str | list[str] | None = None,
        outputs: Any = None,
        *,
        readable_output: str | None = None,
        raw_response: Any = None,
        ignore_auto_extract: bool = False,
        mark_as_note: bool = False,
        tags: list[str] | None = None,
        entry_type: int | None = None,
        content_format: str | None = None,
    ) -> None:
        if outputs is not None:
            if not isinstance(outputs, dict) and not outputs_prefix:
                raise ValueError("outputs_prefix is missing")
            if outputs_prefix == ".":
                raise ValueError("outputs_prefix cannot be a period.")
        if outputs_key_field and not isinstance(outputs_key_field, str | bytes | list):
            raise TypeError("outputs_key_field must be of type str or list")
        if content_format is not None and not EntryFormat.is_valid_type(content_format):
            raise TypeError(f"content_format {content_format} is invalid, see CommonServerPython.EntryFormat")
        self.outputs_prefix = outputs_prefix
        self.outputs_key_field = outputs_key_field
        self.outputs = outputs
        self.readable_output = readable_output
        self.raw_response = outputs if raw_response is None else raw_response
        self.ignore_auto_extract = ignore_auto_extract
        self.mark_as_note = mark_as_note
        self.tags = tags
        self.entry_type = EntryType.NOTE if entry_type is None else entry_type
        self.content_format = content_format

    def to_context(self) -> dict[str, Any]:
        """Return the War Room entry.

        CommonServerPython: an empty list of outputs writes nothing to the context, not even its key.
        """
        contents, content_format = self.raw_response, self.content_format
        if content_format is None:
            content_format = EntryFormat.TEXT if isinstance(contents, str | bytes | int) else EntryFormat.JSON
        entry = {
            "Type": self.entry_type,
            "ContentsFormat": content_format,
            "Contents": contents,
            "HumanReadable": self._human_readable(),
            "EntryContext": self._entry_context(),
            "IndicatorTimeline": [],
            "IgnoreAutoExtract": self.ignore_auto_extract,
            "Note": self.mark_as_note,
            "Relationships": [],
        }
        if self.tags:
            entry["Tags"] = self.tags
        return entry

    def _has_outputs(self) -> bool:
        """Return whether there is something for the context."""
        return self.outputs is not None and self.outputs != []

    def _human_readable(self) -> Any:
        """Return the text for the War Room: the given one, else the outputs as a table."""
        if self.readable_output or not self._has_outputs():
            return self.readable_output or None
        return tableToMarkdown("Results", self.outputs) if isinstance(self.outputs, dict | list) else self.outputs

    def _entry_context(self) -> dict[str, Any]:
        """Return the outputs under their path in the context, whose condition says which object they replace there."""
        if not self._has_outputs():
            return {}
        if not self.outputs_prefix:
            return dict(self.outputs)
        if not self.outputs_key_field:
            return {self.outputs_prefix: self.outputs}
        keys = self.outputs_key_field if isinstance(self.outputs_key_field, list) else [self.outputs_key_field]
        condition = " && ".join(f"val.{key} && val.{key} == obj.{key}" for key in keys)
        return {f"{self.outputs_prefix}({condition})": self.outputs}


def is_integration_command_execution() -> bool:
    """Return whether an integration runs, not an automation script; True where the server does not say."""
    try:
        return demisto.callingContext["context"]["ExecutedCommands"][0]["moduleBrand"] != "Scripts"
    except (KeyError, IndexError, TypeError):
        pass
    try:
        return demisto.callingContext["context"]["ScriptName"] == ""
    except (KeyError, IndexError, TypeError):
        return True


def return_results(results: Any) -> None:
    """Send results to the server: CommandResults, an answer of a mirroring command, an entry, a text, or a list of these.

    CommonServerPython: of a list, dicts and texts are sent last, all in one list; the others before them, one by one.
    """
    if results is None:
        demisto.results(None)
    elif isinstance(results, list) and results:
        plain = []
        for item in results:
            if isinstance(item, dict | str):
                plain.append(item)
            else:
                return_results(item)
        if plain:
            demisto.results(plain)
    else:
        if isinstance(results, CommandResults):
            results = results.to_context()
        elif isinstance(results, GetMappingFieldsResponse):
            results = results.extract_mapping()
        elif isinstance(results, GetRemoteDataResponse):
            results = results.extract_for_local()
        elif hasattr(results, "to_entry"):
            results = results.to_entry()
        demisto.results(results)


def return_error(message: Any, error: Any = "", outputs: Any = None) -> _NoReturn:
    """End the command with an error entry and exit code 0; in a fetch or a long-running execution raise the message instead.

    Known secrets in the message are masked, and a text longer than 50,000 characters loses its middle. The log kept so far, the
    error and the current traceback go to the server's log. CommonServerPython: with get-modified-remote-data the message starts
    with 'skip update. error: ', unless the error is NotImplementedError itself.

    Raises:
        SystemExit: always, with code 0, where no exception is raised; it passes `except Exception`.
        Exception: the message, in commands whose errors the server handles.
    """
    current_error = sys.exc_info()[1]
    text = LOG(message)
    if error:
        LOG(str(error))
    if current_error is not None:
        trace = LOG("\n" + traceback.format_exc())
        if is_debug_mode():
            text += "\n" + trace
    LOG.print_log()

    command = demisto.command()
    unsupported = type(current_error) is NotImplementedError and (not error or isinstance(error, NotImplementedError))
    if command == "get-modified-remote-data" and not unsupported:
        text = f"skip update. error: {text}"
    if command in ("fetch-incidents", "fetch-credentials", "long-running-execution", "fetch-indicators"):
        raise Exception(text)
    if len(text) > MAX_ERROR_MESSAGE_LENGTH:
        half = MAX_ERROR_MESSAGE_LENGTH // 2
        text = f"{text[:half]}...This error body was truncated...{text[-half:]}"
    demisto.results({"Type": EntryType.ERROR, "ContentsFormat": EntryFormat.TEXT, "Contents": text, "EntryContext": outputs})
    sys.exit(0)


def fileResult(filename: str, data: str | bytes, file_type: int | None = None) -> dict[str, Any]:
    """Write a file for the War Room and return its entry; text is written as UTF-8.

    CommonServerPython: the file is named '<investigation id>_<new id>' and lies in the current folder, where the server takes it.

    Raises:
        TypeError: data is neither text nor bytes; the file is made even then.
    """
    file_id = demisto.uniqueFile()
    if isinstance(filename, str) and "../" in filename:
        filename = filename.replace("../", "")
        demisto.debug(f"The name of the file is {filename} without its '../'.")
    # Not Path.write_bytes: the file is made before the data are looked at, as on the platform.
    with open(f"{demisto.investigation()['id']}_{file_id}", "wb") as file:  # noqa: PTH123
        file.write(data.encode("utf-8") if isinstance(data, str) else data)
    return {
        "Contents": "",
        "ContentsFormat": EntryFormat.TEXT,
        "Type": EntryType.FILE if file_type is None else file_type,
        "File": filename,
        "FileID": file_id,
    }


def is_error(execute_command_result: Any) -> bool:
    """Return whether the result of a command, an entry or a list of entries, holds an error entry.

    Raises:
        KeyError: a dict in it has no 'Type'.
    """
    entries = execute_command_result if isinstance(execute_command_result, list) else [execute_command_result]
    return any(isinstance(entry, dict) and entry["Type"] == EntryType.ERROR for entry in entries)


def get_error(execute_command_result: Any) -> str:
    """Return the texts of the error entries, one a line.

    Raises:
        ValueError: there is none.
    """
    if not is_error(execute_command_result):
        raise ValueError("execute_command_result has no error entry. before using get_error use is_error")
    if isinstance(execute_command_result, dict):
        return execute_command_result["Contents"]
    return "\n".join(entry["Contents"] for entry in execute_command_result if is_error(entry))


# ==============================================================================================================================
# Markdown
# ==============================================================================================================================

_MARKDOWN_CHARACTERS = "\\`*_{}[]()#+-!|"


def stringEscapeMD(st: str, minimal_escaping: bool = False, escape_multiline: bool = False) -> str:
    """Return the text with markdown's characters escaped, with minimal_escaping only those that break a table.

    escape_multiline: line breaks become <br>.
    """
    if escape_multiline:
        st = re.sub(r"\r\n|\r|\n", "<br>", st)
    characters = "|`" if minimal_escaping else _MARKDOWN_CHARACTERS
    return st.translate({ord(character): f"\\{character}" for character in characters})


def pascalToSpace(s: str) -> str:
    """Return 'threatScore' or 'ThreatScore' as 'Threat Score'; what is no text comes back as it is."""
    if not isinstance(s, str):
        return s
    return " ".join(re.sub("[A-Z]?[a-z]+", lambda word: f" {word[0].title()} ", s).split())


def string_to_table_header(string: str) -> str:
    """Return 'remote_id' as 'Remote Id', for column headers."""
    if not isinstance(string, str):
        raise Exception(f"The key is not a string: {string}")
    return " ".join(word.capitalize() for word in string.replace("_", " ").split())


def tableToMarkdown(
    name: str | None,
    t: Any,
    headers: Any = None,
    headerTransform: _Callable[[str], str] | None = None,
    removeNull: bool = False,
) -> str:
    """Return a markdown table of a dict or a list of dicts, one a row, under the title.

    headers: the columns in their order, default the keys of the first row, sorted. removeNull: leave out columns without a value.
    CommonServerPython: a dict with a single key and no headers becomes a column of that key's values.

    Raises:
        Exception: rows that are no dicts, and no headers.
    """
    text = "### " + name + "\n" if name else ""
    if not t or not len(t):
        return f"{text}**No entries.**\n"

    rows = t if isinstance(t, list) else [t]
    if not headers and isinstance(t, dict) and len(t) == 1:
        (only_key,) = t
        values = t[only_key] if isinstance(t[only_key], list) else [t[only_key]]
        headers = [only_key]
        rows = values if isinstance(values[0], dict) else [{only_key: value} for value in values]
    if isinstance(headers, str) and headers:
        headers = [headers]
    if not isinstance(rows[0], dict):
        if not headers:
            raise Exception("Missing headers param for tableToMarkdown. Example: headers=['Some Header']")
        rows = [{headers[0]: value} for value in rows]
    if not headers:
        headers = sorted(rows[0])
    if removeNull:
        unused = [header for header in headers if all(row.get(header) in ("", None, [], {}) for row in rows)]
        headers = headers[:]
        for header in unused:
            headers.remove(header)
    if not headers:
        return f"{text}**No entries.**\n"

    titles = [headerTransform(header) if headerTransform else stringEscapeMD(header, minimal_escaping=True) for header in headers]
    lines = ["|" + "|".join(titles) + "|", "|" + "---|" * len(titles)]
    for row in rows:
        cells = (stringEscapeMD(_cell_text(row.get(header)), minimal_escaping=True, escape_multiline=True) for header in headers)
        lines.append("| " + " | ".join(cells) + " |")
    return text + "\n".join(lines) + "\n"


def _cell_text(value: Any) -> str:
    """Return a value as text: '' for None, a list's items and a dict's pairs one a line, other values as JSON."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return "\n".join(f"{key}: {_inner_text(inner)}" for key, inner in value.items())
    return _inner_text(value)


def _inner_text(value: Any) -> Any:
    """Return a value inside a dict as text, where None is 'null'; bytes stay, which no table can show."""
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, list):
        return ",\n".join(str(item) for item in value)
    return json.dumps(value, ensure_ascii=False, default=str)


# ==============================================================================================================================
# Arguments
# ==============================================================================================================================


def argToList(arg: Any, separator: str = ",", transform: _Callable[[Any], Any] | None = None) -> list[Any]:
    """Return an argument as a list: a text is split, one in brackets is read as JSON first, other values are the only item.

    CommonServerPython: a list is returned itself, not copied, empty items of a text are kept, a tuple is one item.
    """
    if not arg:
        items: list[Any] = []
    elif isinstance(arg, list):
        items = arg
    elif isinstance(arg, str):
        items = _split_text(arg, separator)
    elif isinstance(arg, bytes):
        raise TypeError("argToList takes text, not bytes: decode it first.")
    else:
        items = [arg]
    return [transform(item) for item in items] if transform else items


def _split_text(text: str, separator: str) -> list[Any]:
    """Return a text of items as their list."""
    if text.startswith("[") and text.endswith("]"):
        try:
            return json.loads(text)
        except ValueError:
            demisto.debug(f"{text} looks like JSON and is not; it is split at {separator!r}.")
    return [item.strip() for item in text.split(separator)]


def argToBoolean(value: Any) -> bool:
    """Return the boolean that an argument says: true, yes, false or no, in any case.

    Raises:
        ValueError: any other value.
    """
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise ValueError("Argument is neither a string nor a boolean")
    if value.lower() in ("true", "yes"):
        return True
    if value.lower() in ("false", "no"):
        return False
    raise ValueError("Argument does not contain a valid boolean-like value")


def assign_params(
    keys_to_ignore: _Sequence[str] | None = None, values_to_ignore: _Sequence[Any] | None = None, **kwargs: Any
) -> dict[str, Any]:
    """Return the given arguments without those that are None or empty, or else those in values_to_ignore, for a request."""
    unset = (None, "", [], {}, ()) if values_to_ignore is None else values_to_ignore
    return {key: value for key, value in kwargs.items() if value not in unset and key not in (keys_to_ignore or ())}


# ==============================================================================================================================
# Mirroring
# ==============================================================================================================================


class GetRemoteDataArgs:
    """The arguments of get-remote-data, as the server gives them.

    Raises:
        KeyError: 'id' or 'lastUpdate' is missing.
    """

    def __init__(self, args: dict[str, Any]) -> None:
        self.remote_incident_id = args["id"]
        self.last_update = args["lastUpdate"]


class UpdateRemoteSystemArgs:
    """The arguments of update-remote-system. CommonServerPython: what is missing is None, also entries and delta."""

    def __init__(self, args: dict[str, Any]) -> None:
        self.data = args.get("data")
        self.entries = args.get("entries")
        self.incident_changed = args.get("incidentChanged")
        self.remote_incident_id = args.get("remoteId")
        self.inc_status = args.get("status")
        self.delta = args.get("delta")


class GetRemoteDataResponse:
    """The answer of get-remote-data: the remote incident and its new entries."""

    def __init__(self, mirrored_object: dict[str, Any], entries: list[dict[str, Any]]) -> None:
        self.mirrored_object = mirrored_object
        self.entries = entries

    def extract_for_local(self) -> list[dict[str, Any]] | None:
        """Return [object, *entries]. CommonServerPython: None where the object is empty; the entries are lost then."""
        # Joined with +, so that entries that are no list raise TypeError, as on the platform.
        return [self.mirrored_object] + self.entries if self.mirrored_object else None  # noqa: RUF005


class GetModifiedRemoteDataResponse:
    """The answer of get-modified-remote-data: the ids of the incidents that changed."""

    def __init__(self, modified_incident_ids: list[str]) -> None:
        self.modified_incident_ids = modified_incident_ids

    def to_entry(self) -> dict[str, Any]:
        """Return the entry with the ids."""
        demisto.info(f"Modified incidents: {self.modified_incident_ids}")
        return {"Contents": self.modified_incident_ids, "Type": EntryType.NOTE, "ContentsFormat": EntryFormat.JSON}


class SchemeTypeMapping:
    """The fields of one incident type, for the answer of get-mapping-fields: {field: description}."""

    def __init__(self, type_name: str = "", fields: dict[str, Any] | None = None) -> None:
        self.type_name = type_name
        self.fields = fields or {}

    def add_field(self, name: str, description: Any = "") -> None:
        """Add a field, or replace the one of this name; the description may be a dict of inner fields."""
        self.fields[name] = description

    def extract_mapping(self) -> dict[str, dict[str, Any]]:
        """Return {type name: fields}."""
        return {self.type_name: self.fields}


class GetMappingFieldsResponse:
    """The answer of get-mapping-fields: the incident types and their fields."""

    def __init__(self, scheme_types_mapping: list[SchemeTypeMapping] | None = None) -> None:
        self.scheme_types_mappings = scheme_types_mapping or []

    def add_scheme_type(self, scheme_type_mapping: SchemeTypeMapping) -> None:
        """Add an incident type."""
        self.scheme_types_mappings.append(scheme_type_mapping)

    def extract_mapping(self) -> dict[str, dict[str, Any]]:
        """Return {type name: fields} of all types. CommonServerPython: of two with one name, the later one counts."""
        return {name: fields for mapping in self.scheme_types_mappings for name, fields in mapping.extract_mapping().items()}


def get_last_mirror_run() -> dict[str, Any]:
    """Return the last run of the mirror job, {} where there is none.

    Raises:
        DemistoException: the server is older than 6.6.0.
    """
    _require_mirror_run("getLastMirrorRun")
    return demisto.getLastMirrorRun() or {}


def set_last_mirror_run(last_mirror_run: dict[str, Any]) -> None:
    """Store the last run of the mirror job.

    Raises:
        DemistoException: the server is older than 6.6.0.
    """
    _require_mirror_run("setLastMirrorRun")
    demisto.setLastMirrorRun(last_mirror_run)


def _require_mirror_run(function: str) -> None:
    """Raise a DemistoException on servers that keep no last run of the mirror job."""
    if not is_demisto_version_ge("6.6.0"):
        raise DemistoException(f"You cannot use {function} as your version is below 6.6.0")


# ==============================================================================================================================
# Server version, names, threads
# ==============================================================================================================================


class GetDemistoVersion:
    """Asks the server for its version once, and remembers the answer in `_version` for the whole process."""

    def __init__(self) -> None:
        self._version: dict[str, Any] | None = None

    def __call__(self) -> dict[str, Any]:
        """Return {'version': '8.8.0', 'buildNumber': '123'}.

        Raises:
            AttributeError: there is no server object that could tell.
        """
        if self._version is None:
            if not hasattr(demisto, "demistoVersion"):
                raise AttributeError("demistoVersion attribute not found.")
            self._version = demisto.demistoVersion()
        return self._version


get_demisto_version = GetDemistoVersion()


def is_demisto_version_ge(version: str, build_number: str = "") -> bool:
    """Return whether the server has this version (and of the same version at least this build) or a later one.

    CommonServerPython: builds that are no numbers count as late enough, a server that tells no version as older than 5.0.0.
    """
    server: dict[str, Any] = {}
    try:
        server = get_demisto_version()
        server_version = server.get("version")
        own, asked = _version_parts(server_version), _version_parts(version)  # type: ignore[arg-type]
        if own != asked or not build_number:
            return own >= asked
        return int(server.get("buildNumber", "")) >= int(build_number)
    except AttributeError:
        if version >= "5.0.0":
            return False
        raise
    except ValueError:
        demisto.log(
            f"The builds {server.get('buildNumber')} and {build_number} cannot be compared; the server counts as new enough."
        )
        return True


def _version_parts(version: str) -> list[str]:
    """Return '8.15.0' as parts that compare as numbers do."""
    return [part.zfill(8) for part in version.split(".")]


def is_versioned_context_available() -> bool:
    """Return whether the server keeps a version with the integration context: since 6.0.0."""
    return is_demisto_version_ge(MIN_VERSION_FOR_VERSIONED_CONTEXT)


def get_integration_name() -> str:
    """Return the brand of the integration that runs, '' where the server does not say."""
    return demisto.callingContext.get("context", {}).get("IntegrationBrand", "")


def get_script_name() -> str:
    """Return the name of the automation script that runs, '' for integrations."""
    return demisto.callingContext.get("context", {}).get("ScriptName", "")


def support_multithreading() -> None:
    """Let threads share the one channel to the server: one call at a time.

    Raises:
        AttributeError: there is no such channel, as with demistomock.
        RuntimeError: in a later call to the server, when its turn does not come within 60 seconds.
    """
    send = demisto._Demisto__do  # type: ignore[attr-defined]
    if getattr(send, "one_at_a_time", False):
        return

    def send_alone(cmd: Any) -> Any:
        if not demisto.lock.acquire(timeout=60):  # type: ignore[attr-defined]
            raise RuntimeError("Failed acquiring lock")
        try:
            return send(cmd)
        finally:
            demisto.lock.release()  # type: ignore[attr-defined]

    send_alone.one_at_a_time = True  # type: ignore[attr-defined]
    demisto.lock = Lock()  # type: ignore[attr-defined]
    demisto._Demisto__do = send_alone  # type: ignore[attr-defined]


# ==============================================================================================================================
# Integration context: what an instance keeps between its runs
# ==============================================================================================================================


def get_integration_context(sync: bool = True, with_version: bool = False) -> dict[str, Any]:
    """Return the integration context, or with_version {'context': ..., 'version': ...} from servers that keep a version."""
    if not is_versioned_context_available():
        return demisto.getIntegrationContext()
    stored = demisto.getIntegrationContextVersioned(sync)
    return stored if with_version else stored.get("context", {})


def set_integration_context(context: dict[str, Any], sync: bool = True, version: int = -1) -> Any:
    """Replace the integration context.

    version: the version that was read; a server refuses with ValueError when there is a newer one, -1 replaces any.
    """
    if is_versioned_context_available():
        return demisto.setIntegrationContextVersioned(context, version, sync)
    return demisto.setIntegrationContext(context)


def get_integration_context_with_version(sync: bool = True) -> tuple[dict[str, Any], int]:
    """Return the integration context and its version, -1 where there is none or sync is off."""
    stored = get_integration_context(sync, with_version=True)
    if not is_versioned_context_available():
        return stored, -1
    return stored.get("context", {}), stored.get("version", 0) if sync else -1
