"""Who may use the web page: whoever has the address that was printed in the terminal, and only through the page itself.

The address carries a token in its fragment, which browsers send to nobody. The page's script exchanges it for a cookie that
scripts cannot read. Cookies and "same site" do not tell the ports of a machine apart, so every request must also show that
the page of this very port made it.
"""

import hmac
import re
import secrets
from collections.abc import Mapping

from starlette.responses import Response

from local_xsoar.tenant.errors import TenantError

PREFIX = "/web"
MARK = "x-local-xsoar"  # A header that no other origin may send without asking first, which is never granted.
_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?")


class WrongHost(TenantError):
    """The request names another host than this machine: a name elsewhere was made to point here (DNS rebinding)."""

    status = 421


class NotThePage(TenantError):
    """The request does not come from the page itself."""

    status = 403


class NoSession(TenantError):
    """The browser has not shown the token, or it is that of an earlier start."""

    status = 401


HOW_TO_OPEN = "Open the whole address that was printed in the terminal when this tenant was started: it lets you in."


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(24)


def page_address(address: str, token: str) -> str:
    """Return the address to open in a browser, for a tenant that answers at the root address given."""
    return f"{address}{PREFIX}/#token={token}"


class Guard:
    """Lets requests to the page pass, or not. The token and the cookie's value live as long as the server runs."""

    def __init__(self, token: str) -> None:
        """Take the token that opens the page; with "" nobody gets in."""
        self._token = token
        self._session = secrets.token_urlsafe(32)

    def open(self, token: str, headers: Mapping[str, str], response: Response) -> None:
        """Give the browser the cookie, when it has shown the token.

        Raises:
            NoSession: the token is not that of this start.
        """
        if not self._token or not _same(token, self._token):
            raise NoSession(HOW_TO_OPEN)
        response.set_cookie(_cookie_name(headers), self._session, path=PREFIX, httponly=True, samesite="strict")

    def check_session(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> None:
        """Raise NoSession unless the request carries the cookie."""
        if not self._token or not _same(cookies.get(_cookie_name(headers), ""), self._session):
            raise NoSession(HOW_TO_OPEN)


def check_host(headers: Mapping[str, str]) -> None:
    """Raise WrongHost unless the request was made to an address of this machine, whatever the port: it may be forwarded."""
    if not _LOOPBACK.fullmatch(headers.get("host", "")):
        raise WrongHost("This page answers only at 127.0.0.1 and localhost: open it under one of these.")


def check_origin(method: str, headers: Mapping[str, str], marked: bool = True) -> None:
    """Raise NotThePage unless the page of this host and port made the request.

    Args:
        method: the request's method.
        headers: the request's headers, by lower-case name.
        marked: the request must carry the page's header; off for what a link opens.
    """
    same_origin = headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    posted_from = headers.get("origin", "") if method != "GET" else _own_origin(headers)
    if not same_origin or posted_from != _own_origin(headers) or (marked and MARK not in headers):
        raise NotThePage("This request did not come from the tenant's own page: use the page itself.")


def _own_origin(headers: Mapping[str, str]) -> str:
    return f"http://{headers.get('host', '')}"


def _cookie_name(headers: Mapping[str, str]) -> str:
    """Return the name of the cookie: one a port, since all ports of a machine share their cookies."""
    return f"local-xsoar-{headers.get('host', '').rpartition(':')[2]}"


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode("utf-8", "replace"))
