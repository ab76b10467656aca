"""demisto.internalHttpRequest: what a script may ask of its own server, and servers that do not let it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from local_xsoar.host import Host, HostSettings
from local_xsoar.tenant import Tenant
from local_xsoar.tests.host.host_samples import SAMPLES


def asked(host: Host, method: str, uri: str, **args: str) -> dict[str, Any]:
    """Return what the script was answered."""
    run = host.run("rough", "rough-request", {"method": method, "uri": uri, **args})
    assert run.ok, run.error
    contents = run.entries[0]["Contents"]
    assert isinstance(contents, dict)
    return contents


def test_a_script_reads_the_fields_of_its_server(rough: Host, tenant: Tenant) -> None:
    """
    Given: a tenant with a custom field.
    When: a script asks its server for the incident fields.
    Then: the answer has status, headers, and the fields as text.
    """
    tenant.add_incident_field("depth", name="Water Depth")
    answer = asked(rough, "GET", "/incidentfields")
    assert (answer["statusCode"], answer["status"]) == (200, "200 OK")
    assert answer["headers"]["Content-Type"] == ["application/json"]
    assert json.loads(answer["body"]) == tenant.incident_fields()


def test_a_script_may_send_a_body(rough: Host, tenant: Tenant) -> None:
    """
    Given: a tenant with an incident.
    When: a script searches for it.
    Then: it is found.
    """
    tenant.create_incident({"name": "Flood"})
    answer = asked(rough, "POST", "/incidents/search", body='{"filter": {"query": "name:Flood", "size": 5}}')
    assert [incident["name"] for incident in json.loads(answer["body"])["data"]] == ["Flood"]


@pytest.mark.parametrize(("method", "uri", "status"), [("GET", "/incident/load/7", 400), ("GET", "/nowhere?x=1", 404)])
def test_an_error_is_an_answer(rough: Host, method: str, uri: str, status: int) -> None:
    """
    Given: nothing.
    When: a script asks for what is not there.
    Then: it gets the status and the body of the error.
    """
    answer = asked(rough, method, uri)
    assert answer["statusCode"] == status
    assert json.loads(answer["body"])["status"] == status


@pytest.mark.parametrize(
    ("side", "ok", "said"),
    [("missing", True, "there is no internalHttpRequest"), ("raises", False, "ValueError: internalHttpRequest is not supported")],
)
def test_a_server_may_not_have_it(open_host: Callable[..., Host], side: str, ok: bool, said: str) -> None:
    """
    Given: a server that has no internalHttpRequest, or whose one raises.
    When: a script looks for it and calls it.
    Then: it sees what such a server shows it.
    """
    host = open_host(settings=HostSettings(internal_requests=side))
    host.add_instance("rough", SAMPLES / "Rough", {"url": "https://there"})
    run = host.run("rough", "rough-request", {"method": "GET", "uri": "/incidentfields"})
    assert run.ok == ok
    assert said in str(run.entries[0]["Contents"])
