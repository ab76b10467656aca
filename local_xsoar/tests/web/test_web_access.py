"""Who gets to the web page of a tenant, and what its answers allow a browser."""

import pytest
import requests

from local_xsoar.tests.web.conftest import Serve
from local_xsoar.tests.web.web_client import TOKEN, PageClient

API_PATHS = ("api/tenant", "api/incidents", "api/incidents/1", "api/entries/1@1/file", "api/nothing")


def bare(client: PageClient, method: str, path: str, **headers: str) -> requests.Response:
    """Call the page with the client's cookies and only the headers given."""
    return requests.request(
        method, f"{client.address}/web/{path}", headers=headers, cookies=client.session.cookies, json={}, timeout=20
    )


@pytest.mark.parametrize("version", ["6.12.0", "8.8.0"])
def test_the_page_is_there(serve_page: Serve, version: str) -> None:
    """
    Given: a tenant.
    When: its page is opened.
    Then: its files come with their types, and /web leads to /web/.
    """
    client = serve_page(version=version)

    assert client.call("GET", "").headers["content-type"] == "text/html; charset=utf-8"
    assert client.call("GET", "page.css").headers["content-type"] == "text/css; charset=utf-8"
    assert client.call("GET", "page.js").headers["content-type"] == "text/javascript; charset=utf-8"
    assert client.call("GET", "icon.svg").headers["content-type"].startswith("image/svg+xml")
    assert requests.get(f"{client.address}/web", timeout=20).url == f"{client.address}/web/"


@pytest.mark.parametrize("path", API_PATHS)
def test_nothing_is_told_without_the_token(serve_page: Serve, path: str) -> None:
    """
    Given: a browser that has not shown the token.
    When: it asks for anything.
    Then: it is told where to find the address.
    """
    client = serve_page()

    answer = client.call("GET", path)

    assert answer.status_code == 401
    assert answer.json() == {
        "error": "Open the whole address that was printed in the terminal when this tenant was started: it lets you in."
    }


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", "\ud800", "the-key"])
def test_a_wrong_token_does_not_open(serve_page: Serve, token: str) -> None:
    """
    Given: a wrong token.
    When: it is to be exchanged.
    Then: no cookie comes, and nothing is told.
    """
    client = serve_page()

    answer = client.post("session", {"token": token})

    assert answer.status_code == 401 and "set-cookie" not in answer.headers
    assert client.get("tenant").status_code == 401


def test_without_a_token_of_its_own_nobody_gets_in(serve_page: Serve) -> None:
    """
    Given: a tenant that is served without a token.
    When: an empty one is shown.
    Then: the page stays locked.
    """
    client = serve_page(token="")

    assert client.post("session", {"token": ""}).status_code == 401


def test_the_cookie(serve_page: Serve) -> None:
    """
    Given: the token.
    When: it is exchanged.
    Then: scripts cannot read the cookie, and it goes to this page's paths only.
    """
    client = serve_page()

    answer = client.post("session", {"token": TOKEN})

    name, *attributes = answer.headers["set-cookie"].split("; ")
    assert TOKEN not in name and "the-key" not in name
    assert {"HttpOnly", "SameSite=strict", "Path=/web"} == set(attributes)


def test_two_tenants_on_one_machine(serve_page: Serve) -> None:
    """
    Given: the pages of two tenants, whose ports share their cookies.
    When: both are opened.
    Then: each knows its own only.
    """
    here, there = serve_page("here").open(), serve_page("there", token="another")
    there.session.cookies.update(here.session.cookies)
    assert there.get("tenant").status_code == 401

    there.open("another")
    here.session.cookies.update(there.session.cookies)

    assert [client.get("tenant").json()["name"] for client in (here, there)] == ["here", "there"]


def test_the_page_does_not_open_the_rest_api(page_client: PageClient) -> None:
    """
    Given: a browser that was let in to the page.
    When: it calls the REST API.
    Then: it needs the API key all the same.
    """
    for path in ("xsoar/about", "xsoar/public/v1/about"):
        assert page_client.session.get(f"{page_client.address}/{path}", timeout=20).status_code == 401


def test_the_api_key_does_not_open_the_page(serve_page: Serve) -> None:
    """
    Given: the API key.
    When: the page's data are asked for with it.
    Then: it opens nothing there.
    """
    client = serve_page()

    answer = client.get("tenant", headers={"Authorization": "the-key", "x-xdr-auth-id": "7"})

    assert answer.status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "10.0.0.1:{port}", ""])
def test_another_host_name_is_refused(page_client: PageClient, host: str) -> None:
    """
    Given: a name elsewhere that was made to point to this machine.
    When: the page is asked for by it.
    Then: it is refused.
    """
    named = host.format(port=page_client.address.rpartition(":")[2])

    for path in ("", "page.js", "api/tenant"):
        answer = page_client.call("GET", path, headers={"Host": named})
        assert answer.status_code == 421
        assert answer.json()["error"].count(".") == 4 and "localhost" in answer.json()["error"]  # one sentence and an address


@pytest.mark.parametrize("host", ["localhost:{port}", "127.0.0.1:{port}", "[::1]:{port}", "localhost:9000", "localhost"])
def test_this_machine_by_any_name_and_port(serve_page: Serve, host: str) -> None:
    """
    Given: an address of this machine, perhaps forwarded from another port.
    When: the page is opened there.
    Then: it works.
    """
    client = serve_page()
    named = host.format(port=client.address.rpartition(":")[2])
    headers = {"Host": named, "Origin": f"http://{named}"}

    answer = client.post("session", {"token": TOKEN}, headers=headers)

    cookie = answer.headers["set-cookie"].partition(";")[0]
    assert client.get("tenant", headers=headers | {"Cookie": cookie}).status_code == 200


FOREIGN = {
    "no mark of the page": {"Origin": "{own}"},
    "no origin": {"X-Local-XSOAR": "page"},
    "another origin": {"X-Local-XSOAR": "page", "Origin": "http://evil.example"},
    "another port": {"X-Local-XSOAR": "page", "Origin": "http://127.0.0.1:1"},
    "no origin of its own": {"X-Local-XSOAR": "page", "Origin": "null"},
    "another site": {"X-Local-XSOAR": "page", "Origin": "{own}", "Sec-Fetch-Site": "cross-site"},
    "the same machine, another port": {"X-Local-XSOAR": "page", "Origin": "{own}", "Sec-Fetch-Site": "same-site"},
}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
def test_only_the_page_itself_may_change_something(page_client: PageClient, headers: dict[str, str]) -> None:
    """
    Given: a browser that was let in.
    When: something else than the page posts with its cookie.
    Then: nothing is changed.
    """
    page_client.tenant.create_incident({"name": "open"})
    own = {name: value.format(own=page_client.address) for name, value in headers.items()}

    for path in ("api/incidents", "api/incidents/1/close", "api/incidents/1/entries", "api/incidents/1/files", "api/session"):
        answer = bare(page_client, "POST", path, **own)
        assert (answer.status_code, list(answer.json())) == (403, ["error"])

    assert page_client.tenant.incident("1")["status"] == 1
    assert page_client.tenant.entries("1") == []
    assert page_client.tenant.search({"totalOnly": True})[1] == 1


def test_only_the_page_itself_may_read(page_client: PageClient) -> None:
    """
    Given: a browser that was let in.
    When: another site embeds a route or a file.
    Then: it gets neither.
    """
    page_client.tenant.create_incident({"name": "open"}, attachments=[("a.txt", b"secret")])

    assert bare(page_client, "GET", "api/incidents").status_code == 403  # without the mark, as a script element asks
    assert bare(page_client, "GET", "api/entries/1@1/file", **{"Sec-Fetch-Site": "same-site"}).status_code == 403
    assert bare(page_client, "GET", "api/entries/1@1/file", **{"Sec-Fetch-Site": "same-origin"}).content == b"secret"


@pytest.mark.parametrize("path", ["", "page.js", "page.css", "icon.svg", *API_PATHS])
def test_what_the_answers_allow(page_client: PageClient, path: str) -> None:
    """
    Given: any answer.
    When: a browser takes it.
    Then: inline scripts, frames, other origins and guessed types are barred.
    """
    headers = page_client.call("GET", path).headers

    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
    assert (policy["frame-ancestors"], policy["form-action"], policy["base-uri"]) == ("'none'", "'none'", "'none'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers


def test_unknown_addresses(page_client: PageClient) -> None:
    """
    Given: addresses that do not exist, some of them tricks.
    When: they are asked for.
    Then: none gives a file.
    """
    for path in ("api/nothing", "page.py", "..%2fpage.py", "static/page.js", "%2e%2e/%2e%2e/tenant.sqlite", "api/incidents/1/2"):
        answer = page_client.call("GET", path)
        assert (answer.status_code, list(answer.json())) == (404, ["error"]), path


@pytest.mark.parametrize(
    ("version", "path", "target"),
    [
        ("6.12.0", "", "/web/"),
        ("6.12.0", "#/Details/1", "/web/"),
        ("8.8.0", "Details/12", "/web/#/Details/12"),
        ("8.8.0", "", "/web/"),
    ],
)
def test_links_into_the_ui_lead_to_the_page(serve_page: Serve, version: str, path: str, target: str) -> None:
    """
    Given: a link into the platform's UI.
    When: a browser follows it.
    Then: it comes to the page; other clients do not.
    """
    client = serve_page(version=version)
    address = f"{client.address}/{path}"

    browser = requests.get(address, headers={"Sec-Fetch-Mode": "navigate"}, allow_redirects=False, timeout=20)
    script = requests.get(address, allow_redirects=False, timeout=20)

    assert (browser.status_code, browser.headers["location"]) == (307, target)
    assert (script.status_code, script.text.startswith("<!DOCTYPE html>")) == (200, True)
