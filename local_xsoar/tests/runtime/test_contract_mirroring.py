"""The classes of CommonServerPython for the mirroring commands, and the last run of the mirror job."""

from collections.abc import Callable
from typing import Any

import CommonServerPython as common
import demistomock as demisto
import pytest


def test_arguments_of_get_remote_data() -> None:
    """
    Given: the arguments of get-remote-data.
    When: they are read.
    Then: id and last update are there as they came.
    """
    args = common.GetRemoteDataArgs({"id": "7", "lastUpdate": "0"})
    assert (args.remote_incident_id, args.last_update) == ("7", "0")


@pytest.mark.parametrize(
    ("kind", "args", "missing"),
    [
        ("GetRemoteDataArgs", {"id": "7"}, "lastUpdate"),
        ("GetRemoteDataArgs", {"lastUpdate": "0"}, "id"),
    ],
)
def test_arguments_that_must_be_there(kind: str, args: dict[str, Any], missing: str) -> None:
    """
    Given: arguments of which one is missing.
    When: they are read.
    Then: KeyError names it.
    """
    with pytest.raises(KeyError) as caught:
        getattr(common, kind)(args)
    assert caught.value.args == (missing,)


def test_arguments_of_update_remote_system() -> None:
    """
    Given: the arguments of update-remote-system.
    When: they are read.
    Then: each has its name, as it came.
    """
    args = common.UpdateRemoteSystemArgs(
        {
            "data": {"name": "n"},
            "entries": [{"id": "1"}],
            "incidentChanged": True,
            "remoteId": "7",
            "status": 2,
            "delta": {"name": "n"},
        }
    )
    assert vars(args) == {
        "data": {"name": "n"},
        "entries": [{"id": "1"}],
        "incident_changed": True,
        "remote_incident_id": "7",
        "inc_status": 2,
        "delta": {"name": "n"},
    }


def test_missing_arguments_of_update_remote_system_are_none() -> None:
    """
    Given: no arguments.
    When: they are read as those of update-remote-system.
    Then: each is None, entries and delta too.
    """
    args = common.UpdateRemoteSystemArgs({})
    assert set(vars(args).values()) == {None}
    assert len(vars(args)) == 6


@pytest.mark.parametrize(
    ("mirrored_object", "entries", "extracted"),
    [
        ({"id": "7"}, [{"Contents": "c"}], [{"id": "7"}, {"Contents": "c"}]),
        ({"id": "7"}, [], [{"id": "7"}]),
        ({}, [{"Contents": "c"}], None),
        (None, [], None),
    ],
)
def test_the_answer_of_get_remote_data(mirrored_object: Any, entries: list[Any], extracted: Any) -> None:
    """
    Given: an incident and its new entries.
    When: the answer is made.
    Then: it is the incident and then the entries; without incident it is None, and the entries are lost.
    """
    response = common.GetRemoteDataResponse(mirrored_object, entries)
    assert response.extract_for_local() == extracted
    assert (response.mirrored_object, response.entries) == (mirrored_object, entries)


@pytest.mark.parametrize("entries", [None, (), {}, ""])
def test_entries_of_get_remote_data_must_be_a_list(entries: Any) -> None:
    """
    Given: entries that are no list.
    When: the answer is made.
    Then: TypeError comes.
    """
    with pytest.raises(TypeError):
        common.GetRemoteDataResponse({"id": "7"}, entries).extract_for_local()


def test_the_answer_of_get_modified_remote_data(logged: list[tuple[str, str]]) -> None:
    """
    Given: ids of modified incidents.
    When: the answer is made.
    Then: it is an entry with them, and the log has them too.
    """
    entry = common.GetModifiedRemoteDataResponse(["1", "2"]).to_entry()
    assert entry == {"Contents": ["1", "2"], "Type": 1, "ContentsFormat": "json"}
    ((level, text),) = logged
    assert level == "info"
    assert text.startswith("Modified incidents: ")


def test_the_answer_of_get_mapping_fields() -> None:
    """
    Given: incident types with their fields, one of them described by inner fields.
    When: the answer is made.
    Then: it is the fields by type.
    """
    first = common.SchemeTypeMapping("First")
    first.add_field("name")
    first.add_field("details", "the details")
    first.add_field("name", "replaced")
    first.add_field("CustomFields", {"inner": "text"})
    response = common.GetMappingFieldsResponse([first])
    response.add_scheme_type(common.SchemeTypeMapping("Second", {"field": "text"}))
    assert response.extract_mapping() == {
        "First": {"name": "replaced", "details": "the details", "CustomFields": {"inner": "text"}},
        "Second": {"field": "text"},
    }
    assert len(response.scheme_types_mappings) == 2


def test_of_two_types_with_one_name_the_later_counts() -> None:
    """
    Given: two types of the same name.
    When: the answer is made.
    Then: it has the fields of the later one alone.
    """
    response = common.GetMappingFieldsResponse(
        [common.SchemeTypeMapping("Type", {"a": ""}), common.SchemeTypeMapping("Type", {"b": ""})]
    )
    assert response.extract_mapping() == {"Type": {"b": ""}}


def test_an_empty_answer_of_get_mapping_fields() -> None:
    """
    Given: no types, or a type without name and fields.
    When: the answer is made.
    Then: it is empty, or has an empty name.
    """
    assert common.GetMappingFieldsResponse().extract_mapping() == {}
    assert common.GetMappingFieldsResponse([common.SchemeTypeMapping()]).extract_mapping() == {"": {}}


def test_types_do_not_share_their_fields() -> None:
    """
    Given: two types made without fields.
    When: one gets a field.
    Then: the other has none, and the mapping is the type's own dict.
    """
    first, second = common.SchemeTypeMapping("First"), common.SchemeTypeMapping("Second")
    first.add_field("name")
    assert second.fields == {}
    assert first.extract_mapping()["First"] is first.fields


@pytest.mark.parametrize("version", ["6.6.0", "6.10", "8.8.0"])
@pytest.mark.parametrize(("stored", "expected"), [({"seen": "1"}, {"seen": "1"}), (None, {}), ({}, {})])
def test_the_last_run_of_the_mirror_job(
    monkeypatch: pytest.MonkeyPatch, server_version: Callable[..., None], version: str, stored: Any, expected: Any
) -> None:
    """
    Given: a server that keeps a last run of the mirror job.
    When: it is read and written.
    Then: the server's is given, {} for none, and the server gets the new one.
    """
    server_version(version)
    written: list[Any] = []
    monkeypatch.setattr(demisto, "getLastMirrorRun", lambda: stored, raising=False)
    monkeypatch.setattr(demisto, "setLastMirrorRun", written.append, raising=False)
    assert common.get_last_mirror_run() == expected
    common.set_last_mirror_run({"seen": "2"})
    assert written == [{"seen": "2"}]


@pytest.mark.parametrize("version", ["5.5.0", "6.5.9"])
def test_the_last_run_of_the_mirror_job_needs_a_newer_server(server_version: Callable[..., None], version: str) -> None:
    """
    Given: a server older than 6.6.0.
    When: the last run of the mirror job is read or written.
    Then: DemistoException says that it cannot be.
    """
    server_version(version)
    with pytest.raises(common.DemistoException) as caught:
        common.get_last_mirror_run()
    assert str(caught.value) == "You cannot use getLastMirrorRun as your version is below 6.6.0"
    with pytest.raises(common.DemistoException) as caught:
        common.set_last_mirror_run({})
    assert str(caught.value) == "You cannot use setLastMirrorRun as your version is below 6.6.0"
