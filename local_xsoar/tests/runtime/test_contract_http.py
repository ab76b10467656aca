"""The HTTP client of CommonServerPython and what belongs to it."""

import json
import os
import ssl
from typing import TYPE_CHECKING, Any

import CommonServerPython as common
import demistomock as demisto
import pytest
import requests
import requests_mock
from requests import exceptions

if TYPE_CHECKING:
    from local_xsoar.tests.runtime.conftest import Server

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
PROXY_TEXT = (
    "Proxy Error - if the 'Use system proxy' checkbox in the integration configuration is selected, try clearing the checkbox."
)
TIMEOUT_TEXT = (
    "Connection Timeout Error - potential reasons might be that the Server URL parameter is incorrect or that the Server is not "
    "accessible from your host."
)
TLS_TEXT = (
    "SSL Certificate Verification Failed - try selecting 'Trust any certificate' checkbox in the integration configuration."
)
CONNECTION_TEXT = (
    "Verify that the server URL parameter is correct and that you have access to the server from your host.\n"
    "Error Type: <requests.exceptions.ConnectionError>\n"
)


def proxies_of_the_environment() -> dict[str, str]:
    """Return the proxy variables that are set."""
    return {name: os.environ[name] for name in PROXY_VARIABLES if name in os.environ}


# --- DemistoException, urljoin ------------------------------------------------------------------------------------------------


def test_demisto_exception_keeps_the_response_out_of_its_args() -> None:
    """
    Given: an exception with all that it can hold.
    When: it is looked at.
    Then: the attributes hold everything, and args everything but the response.
    """
    cause = ValueError("cause")
    error = common.DemistoException("what happened", cause, "the response", "AuthError", 1, 2)
    assert (error.message, error.exception, error.res, error.error_type) == ("what happened", cause, "the response", "AuthError")
    assert error.args == ("what happened", cause, "AuthError", 1, 2)
    assert str(error) == "what happened"
    assert repr(common.DemistoException("m")) == "DemistoException('m', None, None)"


@pytest.mark.parametrize(("message", "text"), [({"a": 1}, "{'a': 1}"), (None, "None"), (5, "5")])
def test_demisto_exception_shows_any_message_as_text(message: Any, text: str) -> None:
    """
    Given: a message that is no text.
    When: the exception is shown.
    Then: the message is turned into text.
    """
    assert str(common.DemistoException(message)) == text


@pytest.mark.parametrize(
    ("url", "suffix", "joined"),
    [
        ("http://a", "", "http://a/"),
        ("http://a/", "", "http://a/"),
        ("http://a", "b", "http://a/b"),
        ("http://a", "/b", "http://a/b"),
        ("http://a/", "/b/", "http://a/b/"),
        ("http://a//", "//b", "http://a///b"),
        ("http://a/p", "http://b", "http://a/p/http://b"),
        ("http://a", "b?c=d e", "http://a/b?c=d e"),
        ("", "b", "/b"),
    ],
)
def test_urljoin_only_puts_a_slash_between(url: str, suffix: str, joined: str) -> None:
    """
    Given: an address and a suffix.
    When: they are joined.
    Then: one slash stands between them, one leading slash of the suffix is dropped, and nothing is resolved or quoted.
    """
    assert common.urljoin(url, suffix) == joined


def test_urljoin_without_suffix_ends_with_a_slash() -> None:
    """
    Given: an address alone.
    When: it is joined.
    Then: it ends with a slash.
    """
    assert common.urljoin("http://a") == "http://a/"


# --- Proxy and certificates ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("", ""),
        (None, ""),
        ("proxy:3128", "http://proxy:3128"),
        ("http://proxy", "http://proxy"),
        ("https://proxy", "https://proxy"),
        ("socks4://proxy", "socks4://proxy"),
        ("socks4a://proxy", "socks4a://proxy"),
        ("socks5://proxy", "socks5://proxy"),
        ("socks5h://proxy", "socks5h://proxy"),
        ("HTTP://proxy", "http://HTTP://proxy"),
        ("ftp://proxy", "http://ftp://proxy"),
    ],
)
def test_a_proxy_address_gets_a_scheme(address: str, expected: str) -> None:
    """
    Given: the address of a proxy.
    When: it has no scheme that proxies have, in small letters.
    Then: http:// is put in front.
    """
    assert common.add_http_prefix_if_missing(address) == expected


def test_the_proxies_of_the_environment_get_a_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: proxy variables with and without scheme, and an empty one.
    When: they are given a scheme.
    Then: those without have one, and the empty one stays empty.
    """
    monkeypatch.setenv("HTTP_PROXY", "one:1")
    monkeypatch.setenv("https_proxy", "https://two:2")
    monkeypatch.setenv("http_proxy", "")
    common.ensure_proxy_has_http_prefix()
    assert proxies_of_the_environment() == {"HTTP_PROXY": "http://one:1", "https_proxy": "https://two:2", "http_proxy": ""}


def test_skipping_the_proxy_removes_it_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: all four proxy variables.
    When: the proxy is to be skipped.
    Then: the process has none of them any more.
    """
    for name in PROXY_VARIABLES:
        monkeypatch.setenv(name, "proxy")
    common.skip_proxy()
    assert proxies_of_the_environment() == {}


def test_skipping_the_certificate_check_removes_the_bundles(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: the variables that name a CA bundle.
    When: certificates are not to be checked.
    Then: the process has none of them any more.
    """
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "bundle")
    monkeypatch.setenv("CURL_CA_BUNDLE", "bundle")
    common.skip_cert_verification()
    assert "REQUESTS_CA_BUNDLE" not in os.environ
    assert "CURL_CA_BUNDLE" not in os.environ


# --- A new client -------------------------------------------------------------------------------------------------------------


def test_a_new_client_keeps_its_arguments() -> None:
    """
    Given: arguments by place.
    When: a client is made.
    Then: it keeps them, in this order, and has a session and a timeout in seconds as float.
    """
    client = common.BaseClient("http://a", True, False, (200,), {"X": "1"}, ("u", "p"), 30)
    kept = (client._base_url, client._verify, client._ok_codes, client._headers, client._auth, client.timeout)
    assert kept == ("http://a", True, (200,), {"X": "1"}, ("u", "p"), 30.0)
    assert isinstance(client._session, requests.Session)
    assert isinstance(client.timeout, float)
    assert common.BaseClient.REQUESTS_TIMEOUT == 60
    assert common.BaseClient("http://a").timeout == 60.0


@pytest.mark.parametrize(("proxy", "expected"), [(True, {"HTTPS_PROXY": "http://one:1"}), (False, {})])
def test_a_new_client_changes_the_environment_for_its_proxy(
    monkeypatch: pytest.MonkeyPatch, proxy: bool, expected: dict[str, str]
) -> None:
    """
    Given: a proxy in the environment.
    When: a client is made that uses it, or one that does not.
    Then: the environment of the process has it with a scheme, or not at all.
    """
    monkeypatch.setenv("HTTPS_PROXY", "one:1")
    common.BaseClient("http://a", proxy=proxy)
    assert proxies_of_the_environment() == expected


@pytest.mark.parametrize(("verify", "kept"), [(True, True), (False, False)])
def test_a_client_that_trusts_any_certificate_drops_the_bundle(monkeypatch: pytest.MonkeyPatch, verify: bool, kept: bool) -> None:
    """
    Given: a CA bundle in the environment.
    When: a client is made.
    Then: the bundle stays only for a client that checks certificates.
    """
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "bundle")
    common.BaseClient("http://a", verify=verify)
    assert ("REQUESTS_CA_BUNDLE" in os.environ) is kept


def test_a_client_that_trusts_any_certificate_speaks_with_old_servers() -> None:
    """
    Given: a client that trusts any certificate.
    When: its connections are looked at.
    Then: https ones use the permissive adapter without check of the host name and with the old renegotiation, one context for all
    clients, and http ones do not.
    """
    first, second = (common.BaseClient("http://a", verify=False) for _ in range(2))
    adapters: list[Any] = [client._session.get_adapter("https://a") for client in (first, second)]
    assert all(type(adapter) is common.SSLAdapter for adapter in adapters)
    contexts = [adapter.poolmanager.connection_pool_kw["ssl_context"] for adapter in adapters]
    assert contexts[0] is contexts[1]
    assert contexts[0].check_hostname is False
    allows_old_renegotiation = bool(contexts[0].options & 0x4)
    assert allows_old_renegotiation or ssl.OPENSSL_VERSION_INFO < (3, 0, 0)
    assert type(first._session.get_adapter("http://a")) is requests.adapters.HTTPAdapter
    assert type(common.BaseClient("http://a")._session.get_adapter("https://a")) is requests.adapters.HTTPAdapter


@pytest.mark.parametrize(
    ("context", "variables", "argument", "seconds"),
    [
        ({}, {}, "5", 5.0),
        ({}, {"REQUESTS_TIMEOUT": "7"}, 9, 7.0),
        ({}, {"REQUESTS_TIMEOUT": ""}, 9, 9.0),
        ({}, {"REQUESTS_TIMEOUT.": "3"}, 9, 3.0),
        ({"IntegrationBrand": "Brand"}, {"REQUESTS_TIMEOUT.Brand": "4", "REQUESTS_TIMEOUT": "7"}, 9, 4.0),
        ({"IntegrationBrand": "Other"}, {"REQUESTS_TIMEOUT.Brand": "4", "REQUESTS_TIMEOUT": "7"}, 9, 7.0),
        ({"IntegrationBrand": "", "ScriptName": "Script"}, {"REQUESTS_TIMEOUT.Script": "4"}, 9, 4.0),
    ],
)
def test_the_timeout_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, context: dict[str, str], variables: dict[str, str], argument: Any, seconds: float
) -> None:
    """
    Given: timeouts in the environment, for one integration or for all.
    When: a client is made.
    Then: the one for the integration goes first, then that for all, then the argument.
    """
    monkeypatch.setattr(demisto, "callingContext", {"context": context})
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert common.BaseClient("http://a", timeout=argument).timeout == seconds


def test_a_timeout_of_two_values_is_refused() -> None:
    """
    Given: the pair of timeouts that requests takes.
    When: a client is made with it.
    Then: TypeError says that one number is meant.
    """
    pair: Any = (1, 2)
    with pytest.raises(TypeError):
        common.BaseClient("http://a", timeout=pair)


# --- What is sent -------------------------------------------------------------------------------------------------------------


def test_a_request_goes_to_base_and_suffix(server: "Server") -> None:
    """
    Given: a client with headers and authentication.
    When: it sends a POST with parameters and JSON.
    Then: the server gets all of it at the joined address.
    """
    client = common.BaseClient(f"{server.url}/base", headers={"X": "1"}, auth=("user", "pass"))
    assert client._http_request("POST", "/path", params={"a": "b c", "list": [1, 2], "none": None}, json_data={"k": "ö"}) == {}
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/base/path")
    assert request.query == [("a", "b c"), ("list", "1"), ("list", "2")]
    assert json.loads(request.body) == {"k": "ö"}
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["X"] == "1"
    assert request.headers["Authorization"] == requests.auth._basic_auth_str("user", "pass")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "post"])
def test_any_method_is_sent(server: "Server", method: str) -> None:
    """
    Given: a method.
    When: a request is sent with it.
    Then: the server gets it in capitals.
    """
    common.BaseClient(server.url)._http_request(method, "x")
    assert server.requests[0].method == method.upper()


@pytest.mark.parametrize(("full_url", "path"), [("/full", "/full"), ("", "/suffix"), (None, "/suffix")])
def test_a_full_address_replaces_base_and_suffix(server: "Server", full_url: str | None, path: str) -> None:
    """
    Given: a full address besides the suffix.
    When: a request is sent.
    Then: it goes to the full address, and to base and suffix when that is empty.
    """
    given = server.url + full_url if full_url else full_url
    common.BaseClient(server.url)._http_request("GET", "suffix", full_url=given)
    assert server.requests[0].path == path


@pytest.mark.parametrize(
    ("headers", "expected"),
    [(None, {"X": "1"}), ({}, {"X": "1"}), ({"Y": "2"}, {"Y": "2"})],
    ids=["none", "empty", "own"],
)
def test_headers_replace_those_of_the_client(server: "Server", headers: dict[str, str] | None, expected: dict[str, str]) -> None:
    """
    Given: a client with headers.
    When: a request has headers of its own.
    Then: those replace the client's, they are not merged, and an empty dict counts as none.
    """
    common.BaseClient(server.url, headers={"X": "1"})._http_request("GET", "x", headers=headers)
    assert {name: value for name, value in server.requests[0].headers.items() if name in ("X", "Y")} == expected


@pytest.mark.parametrize(
    ("auth", "user"),
    [(None, "client"), ((), "client"), (("request", "p"), "request")],
    ids=["none", "empty", "own"],
)
def test_authentication_replaces_that_of_the_client(server: "Server", auth: Any, user: str) -> None:
    """
    Given: a client with user and password.
    When: a request has its own, or an empty pair.
    Then: its own is sent, or the client's.
    """
    common.BaseClient(server.url, auth=("client", "p"))._http_request("GET", "x", auth=auth)
    assert server.requests[0].headers["Authorization"] == requests.auth._basic_auth_str(user, "p")


def test_an_upload_is_multipart_without_a_content_type_of_the_client(server: "Server") -> None:
    """
    Given: a client without Content-Type, and one with.
    When: each uploads a file.
    Then: the first sends a multipart form with its boundary, and the second the form under the client's type: the header is not
    dropped for `files`.
    """
    files = {"file": ("name.txt", b"content")}
    common.BaseClient(server.url, headers={"X": "1"})._http_request("POST", "x", files=files, data={"comment": "c"})
    common.BaseClient(server.url, headers={"Content-Type": "application/json"})._http_request("POST", "x", files=files)
    good, spoilt = server.requests
    assert good.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert b'name="comment"\r\n\r\nc\r\n' in good.body
    assert b'filename="name.txt"\r\n\r\ncontent\r\n' in good.body
    assert spoilt.headers["Content-Type"] == "application/json"
    assert b"content" in spoilt.body


@pytest.mark.parametrize(
    ("arguments", "body"),
    [({"data": "raw"}, b"raw"), ({"data": {"a": 1}}, b"a=1"), ({"data": "raw", "json_data": {"a": 1}}, b"raw"), ({}, b"")],
)
def test_data_is_sent_as_it_is(server: "Server", arguments: dict[str, Any], body: bytes) -> None:
    """
    Given: data as text or form, alone or with JSON.
    When: a request is sent.
    Then: its body is the data, and JSON only where there is no data.
    """
    common.BaseClient(server.url)._http_request("POST", "x", **arguments)
    assert server.requests[0].body == body


def test_cookies_are_kept_within_a_client(server: "Server") -> None:
    """
    Given: a server that sets a cookie.
    When: the client sends its next request.
    Then: it brings the cookie: all requests of a client are one session.
    """
    server.give("/login", headers={"Set-Cookie": "session=1"})
    client = common.BaseClient(server.url)
    client._http_request("GET", "login")
    client._http_request("GET", "next")
    assert server.requests[1].headers["Cookie"] == "session=1"


@pytest.mark.parametrize("arguments", [{"timeout": 0.05}, {}], ids=["of the request", "of the client"])
def test_a_server_that_says_nothing_raises_the_read_timeout_of_requests(server: "Server", arguments: dict[str, Any]) -> None:
    """
    Given: a server that accepts and then says nothing.
    When: the timeout of the request, or else of the client, is over.
    Then: ReadTimeout of requests is raised as it is.
    """
    server.give("/x", fault="hang")
    client = common.BaseClient(server.url, timeout=60 if arguments else 0.05)
    with pytest.raises(exceptions.ReadTimeout):
        client._http_request("GET", "x", **arguments)


def test_the_proxy_of_the_environment_is_used(server: "Server", monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: a proxy in the environment and a client that uses it.
    When: it asks a far server.
    Then: the request reaches the proxy.
    """
    monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{server.port}")
    common.BaseClient("http://far.invalid", proxy=True)._http_request("GET", "x")
    assert server.requests[0].headers["Host"] == "far.invalid"


# --- What comes back ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resp_type", "expected"),
    [("json", {"a": "ö"}), ("JSON", {"a": "ö"}), ("text", '{"a": "ö"}'), ("content", '{"a": "ö"}'.encode())],
)
def test_the_body_is_returned_in_the_wanted_shape(server: "Server", resp_type: str, expected: Any) -> None:
    """
    Given: an answer with JSON.
    When: it is asked for as JSON, text or bytes, in any case.
    Then: it is returned so.
    """
    server.give("/x", body='{"a": "ö"}'.encode(), headers={"Content-Type": "application/json; charset=utf-8"})
    assert common.BaseClient(server.url)._http_request("GET", "x", resp_type=resp_type) == expected


@pytest.mark.parametrize("resp_type", ["response", "Response", "whatever"])
def test_the_response_itself_is_returned(server: "Server", resp_type: str) -> None:
    """
    Given: an answer that is XML.
    When: it is asked for as response, or as something unknown.
    Then: the Response of requests is returned.
    """
    server.give("/x", status=201, body=b"<a><b/></a>")
    response = common.BaseClient(server.url)._http_request("GET", "x", resp_type=resp_type)
    assert isinstance(response, requests.Response)
    assert (response.status_code, response.text) == (201, "<a><b/></a>")


@pytest.mark.parametrize("body", [b"[1]", b"null", b"5", b'"text"'])
def test_any_json_is_returned(server: "Server", body: bytes) -> None:
    """
    Given: an answer with JSON that is no object.
    When: it is asked for as JSON.
    Then: the value is returned, null as None.
    """
    server.give("/x", body=body)
    assert common.BaseClient(server.url)._http_request("GET", "x") == json.loads(body)


@pytest.mark.parametrize(("status", "body"), [(200, b""), (200, b"<html>"), (201, b'{"cut": '), (204, b"")])
def test_a_body_that_is_no_json_is_an_error(server: "Server", status: int, body: bytes) -> None:
    """
    Given: an answer with a good status and no JSON in it, an empty 204 too.
    When: it is asked for as JSON.
    Then: DemistoException shows the body, and holds the response and the parser's error.
    """
    server.give("/x", status=status, body=body)
    with pytest.raises(common.DemistoException) as caught:
        common.BaseClient(server.url)._http_request("GET", "x")
    assert str(caught.value) == f"Failed to parse json object from response: {body!r}"
    assert isinstance(caught.value.exception, ValueError)
    assert caught.value.res.status_code == status


def test_a_body_that_is_no_json_may_be_none(server: "Server") -> None:
    """
    Given: an answer that is no JSON.
    When: it is cast without raising.
    Then: there is None.
    """
    client = common.BaseClient(server.url)
    server.give("/x", body=b"<html>")
    response = client._http_request("GET", "x", resp_type="response")
    assert client.cast_response(response, "json", raise_on_error=False) is None


@pytest.mark.parametrize(("status", "returned"), [(204, True), (200, False)])
def test_an_empty_answer_may_be_returned_as_response(server: "Server", status: int, returned: bool) -> None:
    """
    Given: an empty answer.
    When: return_empty_response is set.
    Then: a 204 gives the Response; another is parsed, and fails.
    """
    server.give("/x", status=status, body=b"")
    client = common.BaseClient(server.url)
    if returned:
        response = client._http_request("GET", "x", return_empty_response=True)
        assert response.status_code == status
    else:
        with pytest.raises(common.DemistoException, match="Failed to parse json object"):
            client._http_request("GET", "x", return_empty_response=True)


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_is_followed(server: "Server", status: int) -> None:
    """
    Given: a server that redirects.
    When: a request is sent.
    Then: the answer is that of the new place.
    """
    server.give("/old", status=status, headers={"Location": "/new"}, body=b"")
    server.give("/new", body=b'{"new": 1}')
    assert common.BaseClient(server.url)._http_request("GET", "old") == {"new": 1}


@pytest.mark.parametrize("headers", [{}, {"Location": "/new"}], ids=["no location", "not followed"])
def test_a_redirect_that_is_not_followed_counts_as_success(server: "Server", headers: dict[str, str]) -> None:
    """
    Given: a redirect without a place, or one that the caller does not want to follow.
    When: a request is sent.
    Then: its body is returned, without error.
    """
    server.give("/old", status=303, headers=headers, body=b'{"old": 1}')
    assert common.BaseClient(server.url)._http_request("GET", "old", allow_redirects=not headers) == {"old": 1}


# --- Failures -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (404, b'{"error": "nope"}', 'Error in API call [404] - Not Found\n{"error": "nope"}'),
        (400, '{"error": "ö"}'.encode(), 'Error in API call [400] - Bad Request\n{"error": "\\u00f6"}'),
        (500, b"<b>broken</b>", "Error in API call [500] - Internal Server Error\n<b>broken</b>"),
        (401, b"", "Error in API call [401] - Unauthorized\n"),
        (409, b"null", "Error in API call [409] - Conflict\nnull"),
    ],
)
def test_a_bad_status_is_an_error_that_tells_all(server: "Server", status: int, body: bytes, message: str) -> None:
    """
    Given: an answer with a status of 400 or more.
    When: the request returns.
    Then: DemistoException tells status, reason and body, and holds the response.
    """
    server.give("/x", status=status, body=body)
    with pytest.raises(common.DemistoException) as caught:
        common.BaseClient(server.url)._http_request("GET", "x")
    assert str(caught.value) == caught.value.message == message
    assert caught.value.res.status_code == status
    assert caught.value.exception is None


def test_a_bad_status_without_reason_says_none() -> None:
    """
    Given: an answer that gives no reason with its status.
    When: the request returns.
    Then: the message says None for it.
    """
    with requests_mock.Mocker() as fake, pytest.raises(common.DemistoException) as caught:
        fake.get("http://a/x", status_code=418, reason=None, text="teapot")
        common.BaseClient("http://a")._http_request("GET", "x")
    assert str(caught.value) == "Error in API call [418] - None\nteapot"


@pytest.mark.parametrize(
    ("status", "of_client", "of_request", "ok"),
    [
        (200, (), None, True),
        (399, (), None, True),
        (400, (), None, False),
        (404, (404,), None, True),
        (200, (404,), None, False),
        (200, (404,), (200,), True),
        (404, (404,), (200,), False),
        (404, (404,), (), True),
        (500, (), [500], True),
    ],
)
def test_ok_codes_say_which_status_is_good(
    server: "Server", status: int, of_client: tuple[int, ...], of_request: Any, ok: bool
) -> None:
    """
    Given: ok_codes of the client and of the request.
    When: a status comes back.
    Then: those of the request count, else those of the client, and with neither all below 400.
    """
    server.give("/x", status=status)
    client = common.BaseClient(server.url, ok_codes=of_client)
    if ok:
        assert client._http_request("GET", "x", ok_codes=of_request) == {}
    else:
        with pytest.raises(common.DemistoException, match=rf"\[{status}\]"):
            client._http_request("GET", "x", ok_codes=of_request)


def test_an_error_handler_that_returns_makes_it_a_success(server: "Server") -> None:
    """
    Given: an error handler that returns.
    When: a bad status comes back.
    Then: the handler has seen the response, and the body is returned as if all were well.
    """
    server.give("/x", status=404, body=b'{"error": "nope"}')
    seen: list[int] = []
    client = common.BaseClient(server.url)
    assert client._http_request("GET", "x", error_handler=lambda res: seen.append(res.status_code)) == {"error": "nope"}
    assert seen == [404]


def test_what_an_error_handler_raises_is_raised(server: "Server") -> None:
    """
    Given: an error handler that raises.
    When: a bad status comes back.
    Then: that exception comes out unchanged.
    """
    server.give("/x", status=404)

    def refuse(res: requests.Response) -> None:
        raise LookupError(f"status {res.status_code}")

    with pytest.raises(LookupError, match="status 404"):
        common.BaseClient(server.url)._http_request("GET", "x", error_handler=refuse)


def test_a_connection_error_of_an_error_handler_is_translated_too(server: "Server") -> None:
    """
    Given: an error handler that raises a ConnectionError of requests.
    When: a bad status comes back.
    Then: it comes out as that of the request itself would.
    """
    server.give("/x", status=404)

    def refuse(res: requests.Response) -> None:
        raise exceptions.ConnectionError("inner")

    with pytest.raises(common.DemistoException) as caught:
        common.BaseClient(server.url)._http_request("GET", "x", error_handler=refuse)
    assert str(caught.value) == CONNECTION_TEXT + "inner"


def failing(error: Exception, verify: bool = True, **arguments: Any) -> Exception:
    """Return what a request raises when requests raises the error."""
    with requests_mock.Mocker() as fake, pytest.raises(Exception) as caught:
        fake.get("http://a/x", exc=error)
        common.BaseClient("http://a", verify=verify)._http_request("GET", "x", **arguments)
    return caught.value


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (exceptions.ConnectTimeout("late"), TIMEOUT_TEXT),
        (exceptions.SSLError("self-signed"), TLS_TEXT),
        (exceptions.ProxyError("no proxy"), PROXY_TEXT),
        (exceptions.ConnectionError("gone"), CONNECTION_TEXT + "gone"),
        (exceptions.ConnectionError(), CONNECTION_TEXT),
        (exceptions.ConnectionError(111, "refused"), CONNECTION_TEXT + "Error Number: [111]\nMessage: refused\n"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_troubles_of_the_line_are_translated(error: Exception, message: str) -> None:
    """
    Given: trouble on the line.
    When: a request is sent.
    Then: DemistoException says what an administrator can do, holds the error of requests and no response.
    """
    raised = failing(error)
    assert isinstance(raised, common.DemistoException)
    assert str(raised) == message
    assert raised.exception is error
    assert raised.res is None


@pytest.mark.parametrize("attribute", ["errno", "strerror"])
def test_a_connection_error_with_half_a_number_shows_its_text(attribute: str) -> None:
    """
    Given: a connection error with a number and no message, or a message and no number.
    When: a request is sent.
    Then: the text of the error is shown.
    """
    error = exceptions.ConnectionError("gone")
    setattr(error, attribute, {"errno": 111, "strerror": "refused"}[attribute])
    assert str(failing(error)) == CONNECTION_TEXT + str(error)


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ReadTimeout("r"),
        exceptions.Timeout("t"),
        exceptions.ChunkedEncodingError("c"),
        exceptions.ContentDecodingError("d"),
        exceptions.TooManyRedirects("m"),
        exceptions.InvalidURL("u"),
        exceptions.MissingSchema("s"),
        exceptions.HTTPError("h"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_other_errors_of_requests_come_out_as_they_are(error: Exception) -> None:
    """
    Given: an error of requests that the client does not translate.
    When: a request is sent.
    Then: it is raised as it is.
    """
    assert failing(error) is error


def test_a_tls_error_comes_out_as_it_is_where_any_certificate_is_trusted() -> None:
    """
    Given: a client that trusts any certificate.
    When: TLS fails all the same.
    Then: the error of requests is raised as it is: there is no checkbox left to try.
    """
    error = exceptions.SSLError("no TLS at all")
    assert failing(error, verify=False) is error


def test_a_closed_port_is_a_connection_error(closed_port: int) -> None:
    """
    Given: nobody listens.
    When: a request is sent.
    Then: the sentence about the server's address comes, with the words of the system.
    """
    with pytest.raises(common.DemistoException) as caught:
        common.BaseClient(f"http://127.0.0.1:{closed_port}")._http_request("GET", "x")
    assert str(caught.value).startswith(CONNECTION_TEXT)
    assert "Connection refused" in str(caught.value)
    assert isinstance(caught.value.exception, exceptions.ConnectionError)


def test_a_proxy_that_does_not_listen_is_a_proxy_error(closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: a proxy in the environment that does not listen.
    When: a client that uses it sends a request.
    Then: the sentence about the checkbox of the proxy comes.
    """
    monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{closed_port}")
    with pytest.raises(common.DemistoException) as caught:
        common.BaseClient("http://far.invalid", proxy=True)._http_request("GET", "x")
    assert str(caught.value) == PROXY_TEXT


@pytest.mark.parametrize("verify", [True, False])
def test_a_proxy_that_makes_no_tunnel_is_a_proxy_error(server: "Server", monkeypatch: pytest.MonkeyPatch, verify: bool) -> None:
    """
    Given: a proxy in the environment that knows no CONNECT.
    When: a client asks an https server through it, whether it checks certificates or not.
    Then: the sentence about the checkbox of the proxy comes.
    """
    monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{server.port}")
    with pytest.raises(common.DemistoException) as caught:
        common.BaseClient("https://far.invalid", proxy=True, verify=verify)._http_request("GET", "x")
    assert str(caught.value) == PROXY_TEXT


@pytest.mark.parametrize("verify", [True, False])
def test_a_server_that_does_not_speak_tls(server: "Server", verify: bool) -> None:
    """
    Given: an https address where a server speaks plain http.
    When: a client that checks certificates asks, and one that does not.
    Then: the first says the sentence about the checkbox, the second raises the error of requests.
    """
    client = common.BaseClient(f"https://127.0.0.1:{server.port}", verify=verify)
    with pytest.raises(common.DemistoException if verify else exceptions.SSLError) as caught:
        client._http_request("GET", "x")
    assert (str(caught.value) == TLS_TEXT) is verify


@pytest.mark.parametrize(
    ("fault", "error"),
    [("drop", common.DemistoException), ("cut", exceptions.ChunkedEncodingError)],
    ids=["no answer", "half a body"],
)
def test_a_line_that_breaks(server: "Server", fault: str, error: type[Exception]) -> None:
    """
    Given: a server that closes without an answer, or in the middle of the body.
    When: a request is sent.
    Then: the first is a connection error, the second ChunkedEncodingError of requests as it is.
    """
    server.give("/x", fault=fault)
    with pytest.raises(error):
        common.BaseClient(server.url)._http_request("GET", "x")


def test_an_address_without_scheme_raises_the_error_of_requests() -> None:
    """
    Given: an instance whose address has no scheme.
    When: a request is sent.
    Then: MissingSchema of requests is raised as it is.
    """
    with pytest.raises(exceptions.MissingSchema):
        common.BaseClient("server.example")._http_request("GET", "x")
