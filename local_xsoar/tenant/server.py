"""The tenant over HTTP: who is let in, what lies outside the API, and the server that runs in a thread."""

import asyncio
import logging
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate

import uvicorn
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Message, Receive, Scope, Send

from local_xsoar.tenant.access import PREFIXES_8, Gate, Quota, api_path
from local_xsoar.tenant.errors import TenantError, TooLarge, TooManyCalls, error_body
from local_xsoar.tenant.routes import API_ROOTS, answer_api, error_response, json_response, unknown_route
from local_xsoar.tenant.settings import TenantSettings
from local_xsoar.tenant.tenant import Tenant
from local_xsoar.tenant.times import SECOND
from local_xsoar.tenant.web import Pairs, Sharing, WebPage, is_page, nothing_shared

BeforeHook = Callable[[Request], Awaitable[Response | None]]
AfterHook = Callable[[Request, Response], Awaitable[Response | None]]

UI_PAGE = '<!DOCTYPE html><html><head><title>Cortex XSOAR</title></head><body><div id="app"></div></body></html>'
GRACE_SECONDS = 1
HEALTHCHECK_8 = "/public_api/v1/healthcheck"

_log = logging.getLogger(__name__)


class LostAnswer(Response):
    """An answer that never arrives: the connection breaks after the headers. For tests, from the `after` hook."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start an answer of one byte and send none, whereupon the server closes the connection."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})


class TenantApplication:
    """The ASGI application of one tenant."""

    def __init__(
        self,
        tenant: Tenant,
        hook: BeforeHook | None = None,
        after: AfterHook | None = None,
        page_token: str = "",
        pairs: Pairs | None = None,
        sharing: Sharing = nothing_shared,
    ) -> None:
        self._tenant = tenant
        self._page = WebPage(tenant, page_token, pairs, sharing)
        self._gate = Gate(tenant.settings)
        self._quota = Quota(tenant.settings.calls_a_minute)
        self._hook = hook
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, bounded(scope, receive, self._tenant.settings))
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return
        ahead = self._tenant.settings.date_header
        if ahead is not None:
            response.headers["Date"] = formatdate(self._tenant.now() / SECOND + ahead, usegmt=True)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        response = await self._hook(request) if self._hook else None
        if response is None:
            try:
                response = await self._tenant_answer(request)
            except ClientDisconnect:
                raise
            except TenantError as error:
                response = error_response(error)
            except Exception:
                _log.exception("%s %s failed", request.method, request.url.path)
                title = "Internal server error"
                response = json_response(error_body(500, "internal", title, title, "The request could not be handled."), 500)
        replaced = await self._after(request, response) if self._after else None
        return replaced or response

    async def _tenant_answer(self, request: Request) -> Response:
        if is_page(request):
            return await self._page.answer(request)
        settings = self._tenant.settings
        path = api_path(request.url.path, settings)
        is_api = path is not None and (settings.is_8 or _is_api_root(path))
        if not is_api and not settings.is_8:
            return HTMLResponse(UI_PAGE)
        if not is_api and request.method == "GET" and not _is_api_root(request.url.path):
            return HTMLResponse(UI_PAGE)
        if not self._gate.lets_in(request.headers, self._tenant.now()):
            return refused(settings)
        if path is None or not is_api:
            return self._outside_8(request)
        if self._quota.is_used_up(self._tenant.now()):
            return too_many_calls(self._tenant)
        is_public = settings.is_8 and request.url.path.startswith(f"{PREFIXES_8[0]}/")
        return await answer_api(request, self._tenant, path, is_public=is_public)

    def _outside_8(self, request: Request) -> Response:
        """Answer a request with a good key outside the API of an 8.x."""
        if request.url.path == HEALTHCHECK_8:
            return json_response({"status": "available"})
        if _is_api_root(request.url.path):  # as probed on real servers
            return error_response(TenantError("The request could not be handled."))
        if request.method == "GET":
            return HTMLResponse(UI_PAGE)
        return unknown_route(request.method, request.url.path)


def bounded(scope: Scope, receive: Receive, settings: TenantSettings) -> Receive:
    """Return what reads the body of a request, up to the tenant's limit. No more than the limit is ever taken in.

    The returned function raises TooLarge when the body is longer, or says beforehand that it will be.
    """
    headers = Headers(scope=scope)
    is_form = headers.get("content-type", "").startswith("multipart/")
    limit = settings.upload_limit if is_form else settings.body_limit
    declared = headers.get("content-length", "")
    is_declared_longer = declared.isdecimal() and int(declared[:19]) > limit
    read = 0

    async def receive_bounded() -> Message:
        nonlocal read
        message = {} if is_declared_longer else await receive()
        read += len(message.get("body", b""))
        if is_declared_longer or read > limit:
            raise TooLarge(f"The request's body is too large: {limit} bytes are allowed.")
        return message

    return receive_bounded


def _is_api_root(path: str) -> bool:
    first = path.split("/")[1] if "/" in path else ""
    return first in API_ROOTS or first == HEALTHCHECK_8.split("/")[1]


def refused(settings: TenantSettings) -> Response:
    """Return the answer to a request whose key, key id or kind of key is wrong (XSOAR REST API: error bodies)."""
    if settings.is_8:
        reply = {"err_code": 401, "err_msg": "Public API request unauthorized", "err_extra": None}
        return json_response({"reply": reply}, 401)
    # 6.x falls back to the cookies of the UI, and misses those.
    return json_response(error_body(403, "forbidden", "Forbidden", "Issue with CSRF code", "http: named cookie not present"), 403)


def too_many_calls(tenant: Tenant) -> Response:
    """Return the answer to a call beyond the quota; how long to wait is told unless the settings say otherwise."""
    response = error_response(TooManyCalls("The calls of this minute are used up."))
    if tenant.settings.retry_after == "told":
        response.headers["Retry-After"] = str(60 - tenant.now() // SECOND % 60)
    return response


class _Server(uvicorn.Server):
    """A server that says when it is ready and stops at once when told to: uvicorn's own looks every 100 ms only."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._ready.set()

    async def main_loop(self) -> None:
        await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            _, late = await asyncio.wait(self.server_state.tasks, timeout=GRACE_SECONDS)
            for task in late:
                task.cancel()

    def wait_until_ready(self) -> None:
        """Wait until requests are answered."""
        self._ready.wait(30)

    def stop(self) -> None:
        """Finish the requests under way, from another thread."""
        if self._ready.is_set():
            self._loop.call_soon_threadsafe(self._stop.set)


@contextmanager
def serving(
    tenant: Tenant,
    port: int = 0,
    hook: BeforeHook | None = None,
    after: AfterHook | None = None,
    page_token: str = "",
    pairs: Pairs | None = None,
    sharing: Sharing = nothing_shared,
) -> Iterator[str]:
    """Serve the tenant's REST API and its web page on 127.0.0.1 in a thread; yields the root address, stops on exit.

    Args:
        tenant: what is served.
        port: 0 takes a free one.
        hook: sees each request before the tenant does, and may answer instead of it.
        after: sees each request with its answer after the work was done, and may answer something else, as `LostAnswer`.
        page_token: opens the web page (see `web.page_address`); with "" nobody gets in.
        pairs: the tenant's mirrored instances, for the web page; None where no host runs on it.
        sharing: with whom the web page can share the entries of an incident.

    Raises:
        TenantError: the port cannot be had.
    """
    listener = _listener(port)
    # Keep-alive outlasts the pauses of a client that polls, so that none finds its connection closed under it.
    config = uvicorn.Config(
        TenantApplication(tenant, hook, after, page_token, pairs, sharing),
        lifespan="off",
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=120,
    )
    server = _Server(config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name=f"tenant-{tenant.settings.name}", daemon=True
    )
    thread.start()
    try:
        server.wait_until_ready()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.stop()
        thread.join()
        listener.close()


def is_free(port: int) -> bool:
    """Say whether `serving` could have a port now."""
    try:
        _listener(port).close()
    except TenantError:
        return False
    return True


def _listener(port: int) -> socket.socket:
    # With the protocol named, asyncio turns Nagle's algorithm off on the connections; else answers wait 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "ports go from 0 to 65535"
        raise TenantError(f"Port {port} cannot be used ({reason}): give another one, or 0 for any free port.")
    listener.listen(128)
    return listener
