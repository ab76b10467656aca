"""Setting up an instance: its parameters are checked against the yml, and the script gets them as the UI stores them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local_xsoar.host import Host, HostError
from local_xsoar.tests.host.host_samples import SAMPLES


def params_seen(host: Host, name: str) -> dict[str, Any]:
    run = host.run(name, "rough-echo", {"text": "x"})
    assert run.ok, run.error
    return run.entries[0]["Contents"]["params"]


def test_the_script_gets_its_parameters_with_defaults_and_types(open_host: Callable[..., Host]) -> None:
    """
    Given: an instance with the required parameter only.
    When: a command runs.
    Then: demisto.params() holds the yml's defaults, typed, and nothing for text that was never filled in.
    """
    host = open_host()
    host.add_instance("one", SAMPLES / "Rough", {"url": "https://there"})
    assert params_seen(host, "one") == {
        "url": "https://there",
        "credentials": {"identifier": "", "password": ""},
        "first_fetch": "3 days",
        "note": None,
        "insecure": False,
        "playbooks": True,
        "direction": "In",
        "categories": ["notes", "chats"],
        "secret_word": None,
        "isFetch": False,
        "incidentType": None,
        "incidentFetchInterval": "1",
    }


def test_what_the_user_fills_in_is_kept_as_given(open_host: Callable[..., Host]) -> None:
    """
    Given: values for every kind of parameter, a blank text and a number among them.
    When: a command runs.
    Then: the script sees them: blank stays blank, a number becomes text, credentials have both halves.
    """
    host = open_host()
    given = {
        "url": "https://there",
        "credentials": {"password": "p"},
        "first_fetch": "",
        "note": 5,
        "insecure": True,
        "playbooks": False,
        "direction": "Out",
        "categories": [],
        "secret_word": "s",
        "isFetch": True,
        "incidentType": "Flood",
    }
    host.add_instance("one", SAMPLES / "Rough", given)
    expected = {**given, "credentials": {"identifier": "", "password": "p"}, "note": "5", "incidentFetchInterval": "1"}
    assert params_seen(host, "one") == expected


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "The parameter url .Address. of Rough Goings is required: give it a value."),
        ({"url": ""}, "The parameter url .Address. of Rough Goings is required"),
        ({"url": "u", "uri": "x"}, "Rough Goings has no parameter uri: it has categories, credentials"),
        ({"url": ["u"]}, "The parameter url must be a text: give a text."),
        ({"url": True}, "The parameter url must be a text: give a text."),
        ({"url": "u", "insecure": "true"}, "The parameter insecure must be true or false, not 'true'."),
        ({"url": "u", "direction": "Sideways"}, "The parameter direction cannot be 'Sideways': choose from None, In, Out."),
        ({"url": "u", "categories": "notes,chats"}, "The parameter categories must be a list of texts: give a list."),
        ({"url": "u", "categories": ["notes", "songs"]}, "The parameter categories cannot be 'songs': choose from notes"),
        ({"url": "u", "credentials": "key"}, "The parameter credentials is credentials: give"),
        ({"url": "u", "credentials": {"user": "x"}}, "The parameter credentials is credentials: give"),
    ],
)
def test_a_wrong_parameter_is_refused_in_a_sentence(open_host: Callable[..., Host], params: dict[str, Any], said: str) -> None:
    """
    Given: a parameter that is missing, unknown or of the wrong type.
    When: the instance is added.
    Then: one sentence names it and says what to give, and there is no instance.
    """
    host = open_host()
    with pytest.raises(HostError, match=said):
        host.add_instance("one", SAMPLES / "Rough", params)
    with pytest.raises(HostError, match=r"There is no instance one\. The existing ones are: none"):
        host.test("one")


def test_a_folder_that_is_no_integration_is_refused(open_host: Callable[..., Host], tmp_path: Path) -> None:
    """
    Given: a folder without a yml, one without a script, and one whose yml describes something else.
    When: an instance of each is added.
    Then: a sentence says what is missing.
    """
    host = open_host()
    (tmp_path / "empty").mkdir()
    with pytest.raises(HostError, match=r"contains 0 yml files instead of one"):
        host.add_instance("one", tmp_path / "empty", {})
    scriptless = tmp_path / "scriptless"
    scriptless.mkdir()
    shutil.copy(SAMPLES / "Rough" / "Rough.yml", scriptless)
    with pytest.raises(HostError, match=r"Rough.py is missing"):
        host.add_instance("one", scriptless, {})
    (scriptless / "Rough.yml").write_text("just: this")
    (scriptless / "Rough.py").touch()
    with pytest.raises(HostError, match=r"is not the yml of an integration"):
        host.add_instance("one", scriptless, {})


@pytest.mark.parametrize(
    ("mappers", "said"),
    [
        ({"incoming_mapper": "Nobody"}, r"There is no mapper Nobody in .*Classifiers"),
        ({"outgoing_mapper": "Ledger In"}, "Ledger In is of the type mapping-incoming: give the id of a mapping-outgoing"),
    ],
)
def test_a_wrong_mapper_is_refused(open_host: Callable[..., Host], remote: Any, mappers: dict[str, str], said: str) -> None:
    """
    Given: the id of a mapper that does not exist, or of one for the other direction.
    When: an instance is added with it.
    Then: one sentence says so.
    """
    with pytest.raises(HostError, match=said):
        open_host().add_instance("ledger", SAMPLES / "Ledger", remote.params, **mappers)


def test_instances_are_there_again_after_a_restart(open_host: Callable[..., Host]) -> None:
    """
    Given: a host with an instance that wrote its integration context.
    When: the host is closed and opened again on its folder.
    Then: the instance is there with its parameters and its context, and setting it up anew keeps the context.
    """
    host = open_host()
    host.add_instance("one", SAMPLES / "Rough", {"url": "https://there"})
    host.run("one", "rough-context")
    host.close()
    again = open_host()
    assert params_seen(again, "one")["url"] == "https://there"
    assert again.integration_context("one") == ({"count": 1}, 1)
    again.add_instance("one", SAMPLES / "Rough", {"url": "https://elsewhere"})
    assert params_seen(again, "one")["url"] == "https://elsewhere"
    assert again.integration_context("one") == ({"count": 1}, 1)


def test_two_instances_do_not_share_anything(open_host: Callable[..., Host]) -> None:
    """
    Given: two instances of one integration.
    When: one writes its context.
    Then: the other's is empty.
    """
    host = open_host()
    for name in ("one", "two"):
        host.add_instance(name, SAMPLES / "Rough", {"url": "https://there"})
    host.run("one", "rough-context")
    assert host.integration_context("two") == ({}, 0)


def test_the_state_file_is_for_its_owner_only(rough: Host, tmp_path: Path) -> None:
    """
    Given: a host whose instances hold keys.
    When: its files are looked at.
    Then: nobody else can read the database.
    """
    assert (tmp_path / "host" / "host.sqlite").stat().st_mode & 0o077 == 0
