"""What the tests of the web page share: hostile texts, and a client that calls the page's routes as its script does."""

from dataclasses import dataclass, field
from typing import Any

import requests

from local_xsoar.tenant import BadRequest, Tenant
from local_xsoar.tenant.web.mirroring import Comparison, Pair

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


STATUS: dict[str, Any] = {
    "State": "Running",
    "PausedUntil": None,
    "Remote": "xsoar.customer.example",
    "RemoteVersion": "6.12.0",
    "RemoteError": "",
    "LastRound": "2026-11-22T10:03:00Z",
    "LastFetch": "2026-11-22T10:02:00Z",
    "IncidentsTracked": 12,
    "IncidentsOpen": 10,
    "IncidentsPending": 1,
    "IncidentsBehind": 0,
    "IncidentsWithError": 0,
    "IncidentsStopped": 0,
    "OldestPendingSeconds": 3725,
    "LagP50Seconds": 12,
    "LagP95Seconds": 90,
    "EntriesIn": 14,
    "EntriesOut": 3,
    "LastError": "",
    "LastErrorTime": None,
}


def crossing(number: str, direction: str, kind: str, what: str, outcome: str = "crossed", lag: int | None = 5) -> dict[str, Any]:
    """Return an item of the journal."""
    at = {"Time": "2026-11-22T10:03:00Z", "Direction": direction, "Id": number}
    return {**at, "Kind": kind, "What": what, "Outcome": outcome, "LagSeconds": lag}


def drift(number: str, kind: str, decide: str = "", entries: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return an item of what a comparison found."""
    return {"id": number, "kinds": [kind], "entries": list(entries), "repaired": False, "decide": decide}


@dataclass
class SomePairs:
    """Mirrored instances that say what a test wants them to."""

    instances: list[str] = field(default_factory=lambda: ["Customer"])
    status: dict[str, Any] = field(default_factory=lambda: dict(STATUS))
    crossings: list[dict[str, Any]] = field(default_factory=list)
    drifts: list[dict[str, Any]] = field(default_factory=list)
    trouble: str = ""
    asked: list[tuple[str, bool]] = field(default_factory=list)
    comparison: Comparison | None = None

    def names(self) -> list[str]:
        return self.instances

    def look(self, name: str) -> Pair:
        if self.trouble:
            raise BadRequest(self.trouble)
        return Pair(self.status, {"Total": len(self.crossings), "Crossings": self.crossings}, self.comparison)

    def compare(self, name: str, repair: bool) -> Comparison:
        self.asked.append((name, repair))
        summary = {"LookedAt": 12, "NotLookedAt": 0, "Differ": len(self.drifts)}
        found = [{**item, "repaired": repair and not item["decide"]} for item in self.drifts]
        self.comparison = Comparison("2026-11-22T10:05:00Z", summary, found)
        return self.comparison


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
