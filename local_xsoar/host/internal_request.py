"""demisto.internalHttpRequest: what a script asks of the REST API of the tenant that it runs on."""

import asyncio
import json
from collections import defaultdict
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.types import Message, Scope

from local_xsoar.tenant import Tenant
from local_xsoar.tenant.routes import answer_api


def internal_request(tenant: Tenant, *, method: str, uri: str, body: Any = None) -> dict[str, Any]:
    """Answer a request of a script to its own server, without HTTP and without a key.

    Args:
        tenant: the server.
        method: GET, POST ...
        uri: the path within the API, such as /incidentfields, with a query if need be.
        body: text or an object; None for none.

    Returns:
        {"statusCode": number, "status": text such as "200 OK", "body": text, "headers": lists of texts by name}, as the
        platform's demistomock does.
    """
    path, _, query = uri.partition("?")
    scope: Scope = {
        "type": "http",
        "method": method.upper(),
        "path": path,
        "query_string": query.encode(),
        "headers": [(b"content-type", b"application/json")],
    }
    sent = b"" if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
    status, headers, received = asyncio.run(_answer(tenant, scope, sent))
    return {
        "statusCode": status,
        "status": f"{status} {HTTPStatus(status).phrase}",
        "body": received.decode("utf-8", "replace"),
        "headers": headers,
    }


async def _answer(tenant: Tenant, scope: Scope, body: bytes) -> tuple[int, dict[str, list[str]], bytes]:
    """Return status, headers and body of the answer."""
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    response = await answer_api(Request(scope, receive), tenant, scope["path"])
    await response(scope, receive, send)
    headers: dict[str, list[str]] = defaultdict(list)
    for name, value in messages[0]["headers"]:
        headers[name.decode().title()].append(value.decode("latin-1"))
    return messages[0]["status"], dict(headers), b"".join(message.get("body", b"") for message in messages[1:])
