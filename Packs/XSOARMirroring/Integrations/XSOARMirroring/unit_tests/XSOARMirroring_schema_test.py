"""Tests of get-mapping-fields."""

from typing import Any

import pytest

from stand_ins import Remote, Server


def test_mapping_fields_are_given_per_incident_type(server: Server, remote: Remote) -> None:
    """
    Given: a remote with fields for all types, for some, for none in particular, a field that a pack brought, nulls, a type
        without a name, a timer, and fields of indicators.
    When: get-mapping-fields runs.
    Then: each type has its fields, custom ones flat, under the name that an update takes; Default Mapping has all; what cannot
        be written, and indicator fields, are nowhere.
    """
    common = {
        "name": "name - shortText",
        "severity": "severity - singleSelect",
        "details": "details - longText",
        "closeNotes": "closeNotes - longText",
        "closeReason": "closeReason - singleSelect",
        "customerticket": "Customer Ticket - shortText",
        "isactive": "Is Active - boolean",
    }
    phishing = {"sourceip": "Source IP - shortText", "mailfrom": "Mail From - shortText"}
    access = {"sourceip": "Source IP - shortText", "nameless": "nameless - shortText"}

    assert server.ok("get-mapping-fields") == {
        "Default Mapping": {**common, **phishing, **access},
        "Phishing": {**common, **phishing},
        "Access": {**common, **access},
        "nameless-type": common,
    }


def test_reading_the_schema_is_repeated_after_a_fault(server: Server, remote: Remote) -> None:
    """
    Given: a remote that is busy for a moment.
    When: get-mapping-fields runs.
    Then: it has the schema all the same.
    """
    remote.fail("GET /incidenttype", status_code=502)
    remote.fail("GET /incidentfields", status_code=502)

    assert "Phishing" in server.ok("get-mapping-fields")


@pytest.mark.parametrize("answer", [{"json": []}, {"text": "null"}], ids=["list", "null"])
def test_a_remote_without_fields_and_types_gives_a_default_mapping(
    server: Server, remote: Remote, answer: dict[str, Any]
) -> None:
    """
    Given: a remote that names no fields and no types.
    When: get-mapping-fields runs.
    Then: there is still a Default Mapping.
    """
    remote.fail("GET /incidenttype", **answer)
    remote.fail("GET /incidentfields", **answer)

    assert server.ok("get-mapping-fields") == {"Default Mapping": {}}
