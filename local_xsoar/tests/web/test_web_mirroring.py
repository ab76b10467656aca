"""What the page tells of the mirrored instances of a tenant, and what it has them do, over HTTP."""

from typing import Any

import pytest

from local_xsoar.tenant.web.mirroring import span_in_words
from local_xsoar.tests.web.conftest import Serve
from local_xsoar.tests.web.web_client import STATUS, PageClient, SomePairs, crossing, drift, texts


def pair(client: PageClient, **params: str) -> dict[str, Any]:
    """Return what the page gets of an instance."""
    answer = client.get("mirroring", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["pair"]


def rows(view: list[dict[str, Any]]) -> dict[str, str]:
    """Return the texts of rows by their label."""
    return {row["label"]: texts(row["value"]) for row in view}


def test_a_tenant_without_instances(page_client: PageClient) -> None:
    """
    Given: a tenant on which no host runs.
    When: its mirroring is looked at.
    Then: there is nothing; what asks for an instance is told so.
    """
    assert page_client.get("mirroring").json() == {"names": [], "pair": None}
    assert page_client.get("mirroring", params={"instance": "Customer"}).status_code == 404
    assert page_client.post("mirroring", {"instance": "Customer"}).status_code == 404


def test_nobody_else_looks(serve_page: Serve) -> None:
    """
    Given: a browser that has not shown the token.
    When: it asks for the mirroring, or for a comparison.
    Then: it gets nothing, and nothing is compared.
    """
    pairs = SomePairs()
    client = serve_page(pairs=pairs)

    assert [client.get("mirroring").status_code, client.post("mirroring", {}).status_code] == [401, 401]
    assert pairs.asked == []


def test_how_an_instance_is(serve_page: Serve) -> None:
    """
    Given: an instance with some crossings.
    When: it is looked at.
    Then: state, lag, what waits and what crossed are told, each crossing with a way to its local incident.
    """
    crossings = [crossing("4", "out", "entry", "7@4", lag=None), crossing("5", "in", "reopen", "", "refused", 61)]
    client = serve_page(pairs=SomePairs(crossings=crossings)).open()
    incident = {"name": "Mirror", "dbotMirrorId": "4", "dbotMirrorInstance": "Customer"}
    client.tenant.create_incident(incident), client.tenant.create_incident({"name": "Other"})

    view = pair(client)

    assert (view["name"], view["badges"], view["errors"]) == ("Customer", [{"text": "Running", "tone": "good"}], [])
    assert rows(view["figures"]) == {
        "Median lag": "12 s",
        "Lag of the slowest 5 %": "1 min 30 s",
        "Oldest pending": "1 h 2 min",
    }
    facts = rows(view["facts"])
    assert (facts["Remote tenant"], facts["Incidents"], facts["Last round"]) == (
        "xsoar.customer.example",
        "12",
        "2026-11-22T10:03:00Z",
    )
    assert "Paused until" not in facts and "With an error" not in facts
    told = [(line["id"], line["direction"]["text"], line["what"], line["outcome"], line["lag"]) for line in view["crossings"]]
    assert told == [
        ("4", "out", "entry 7@4", {"text": "crossed", "tone": "good"}, ""),
        ("5", "in", "reopen", {"text": "refused", "tone": "bad"}, "after 1 min 1 s"),
    ]
    found = client.get(f"incidents?{view['crossings'][0]['query']}").json()["incidents"]
    assert [row["name"] for row in found] == ["Mirror"]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({"State": "Paused", "PausedUntil": "2026-11-22T12:00:00Z"}, "Paused"),
        ({"IncidentsWithError": 1}, "Running, with errors"),
        ({"IncidentsBehind": 2}, "Running, with errors"),
        ({"RemoteError": "It cannot be reached.", "State": "Paused"}, "Remote does not answer"),
    ],
    ids=str,
)
def test_what_ails_an_instance(serve_page: Serve, status: dict[str, Any], state: str) -> None:
    """
    Given: an instance that is not well.
    When: it is looked at.
    Then: its state says so, and an answer of the remote stands in full.
    """
    client = serve_page(pairs=SomePairs(status={**STATUS, **status})).open()

    view = pair(client)

    assert view["badges"][0]["text"] == state
    assert rows(view["errors"]) == ({"Remote tenant": status["RemoteError"]} if "RemoteError" in status else {})


def test_comparing_and_repairing(serve_page: Serve) -> None:
    """
    Given: an instance that was not compared yet, with two drifts.
    When: it is compared, then repaired.
    Then: the page tells what differs, what a person must decide and what is set right.
    """
    decide = "End its mirroring with xsoar-mirror-stop."
    pairs = SomePairs(drifts=[drift("3", "gone", decide), drift("4", "entry missing", entries=("7@4", "8@4"))])
    client = serve_page(pairs=pairs).open()
    assert pair(client)["comparison"] is None

    assert client.done("mirroring", {"instance": "Customer", "repair": False}) == "2 of 12 incidents differ."
    found = pair(client)["comparison"]
    assert [(line["id"], line["what"], line["entries"]) for line in found["drifts"]] == [
        ("3", decide, ""),
        ("4", "Repair sets it right.", "7@4, 8@4"),
    ]
    assert [line["badges"] for line in found["drifts"]] == [
        [{"text": "gone", "tone": "bad"}],
        [{"text": "entry missing", "tone": "warn"}],
    ]
    client.done("mirroring", {"repair": True})
    assert pair(client)["comparison"]["drifts"][1]["what"] == "The next rounds bring it."
    assert pairs.asked == [("Customer", False), ("Customer", True)]
    pairs.drifts = []
    assert client.done("mirroring", {}) == "All 12 incidents are in step."


def test_several_instances(serve_page: Serve) -> None:
    """
    Given: two instances, one with a name that no address carries as it is.
    When: each is looked at.
    Then: it is that one; another name is refused with a sentence.
    """
    client = serve_page(pairs=SomePairs(instances=["Customer", "North/East ?"])).open()

    assert pair(client)["name"] == "Customer"
    assert pair(client, instance="North/East ?")["name"] == "North/East ?"
    answer = client.get("mirroring", params={"instance": "West"})
    assert (answer.status_code, answer.json()) == (404, {"error": 'No instance "West" of this tenant mirrors incidents.'})


def test_an_instance_that_cannot_tell(serve_page: Serve) -> None:
    """
    Given: an instance whose command fails.
    When: it is looked at.
    Then: its sentence is the answer.
    """
    client = serve_page(pairs=SomePairs(trouble="Set the parameter url.")).open()

    assert client.get("mirroring").json() == {"error": "Set the parameter url."}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "-"), (0, "0 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h"), (3661, "1 h 1 min"), (90061, "25 h 1 min")],
)
def test_spans(seconds: int | None, words: str) -> None:
    """
    Given: a number of seconds.
    When: it is put into words.
    Then: people can read it.
    """
    assert span_in_words(seconds) == words
