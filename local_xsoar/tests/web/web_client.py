"""What the tests of the web page share: hostile texts, and a client that calls the page's routes as its script does."""

from typing import Any

import requests

from local_xsoar.tenant import Tenant

TOKEN = "the-token-of-this-start"

# Texts that would run or break out if a page took them for HTML, an attribute, a header or an address.
HOSTILE = (
    "<script>window.ran = 1</script>",
    '"><img src=x onerror="window.ran = 1">',
    "'\"</title></textarea><svg onload=window.ran=1>",
    "javascript:window.ran=1",
    "[click](javascript:window.ran=1) ![x](http://127.0.0.1:9/x.png) <b onmouseover=window.ran=1>b</b>",
)


class PageClient:
    """Calls the routes of a tenant's page as its script does, once the token was exchanged."""

    def __init__(self, tenant: Tenant, address: str) -> None:
        self.tenant = tenant
        self.address = address
        self.session = requests.Session()
        self.session.headers.update({"X-Local-XSOAR": "page", "Origin": address})

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.session.request(method, f"{self.address}/web/{path}", timeout=20, allow_redirects=False, **more)

    def open(self, token: str = TOKEN) -> "PageClient":
        assert self.post("session", {"token": token}).status_code == 200
        return self

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.call("GET", f"api/{path}", **more)

    def post(self, path: str, body: Any = None, **more: Any) -> requests.Response:
        return self.call("POST", f"api/{path}", json=body, **more)

    def done(self, path: str, body: Any = None, **more: Any) -> str:
        """Do something that must succeed; return the sentence that says it."""
        answer = self.post(path, body, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()["said"]

    def refused(self, path: str, body: Any = None, **more: Any) -> str:
        """Do something that must be refused; return the one sentence that says why."""
        answer = self.post(path, body, **more)
        assert 400 <= answer.status_code < 500, answer.text
        return answer.json()["error"]


def texts(nodes: Any) -> str:
    """Return the text of nodes as a person reads it."""
    if isinstance(nodes, str):
        return nodes
    if isinstance(nodes, list):
        return "".join(texts(node) for node in nodes)
    return texts(nodes["children"])


def elements(nodes: Any, tag: str) -> list[dict[str, Any]]:
    """Return the elements of a tag among nodes."""
    found: list[dict[str, Any]] = []
    for node in nodes:
        if isinstance(node, dict):
            found += ([node] if node["tag"] == tag else []) + elements(node["children"], tag)
    return found
