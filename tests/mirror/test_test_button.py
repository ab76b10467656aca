"""The Test button over HTTP: it tells every wrong setting apart, and changes nothing."""

from typing import Any

import pytest

from tests.mirror.two_tenants import INSTANCE, Mirror, Site


@pytest.fixture(params=["6", "8", "8 advanced"])
def any_remote(request: pytest.FixtureRequest, site: Site) -> Mirror:
    """A remote of each version and kind of key."""
    version, _, advanced = request.param.partition(" ")
    return site.mirror("8", version, advanced_key=bool(advanced))


def test_right_settings(any_remote: Mirror) -> None:
    """
    Given: right settings.
    When: testing.
    Then: it says ok, and neither side has changed.
    """
    any_remote.there.create_incident({"name": "with a file"}, attachments=[("a.txt", b"a")])
    any_remote.configure(query="severity:4 or -status:closed")

    run = any_remote.host.test(INSTANCE)

    assert run.ok, run.error
    assert not [path for path in any_remote.interference.paths if "download" in path]
    assert any_remote.here.search({"query": "", "size": 5})[1] == 0
    assert len(any_remote.fetch()) == 1  # nothing was taken as fetched


@pytest.mark.parametrize("ending", ["", "/", "/xsoar", "/xsoar/", "/xsoar/public/v1", "/xsoar/public/v1/"])
def test_all_spellings_of_the_address(any_remote: Mirror, ending: str) -> None:
    """
    Given: the address with any ending that is in use.
    When: testing.
    Then: it says ok.
    """
    any_remote.configure(url=any_remote.url + ending)

    run = any_remote.host.test(INSTANCE)

    assert run.ok, run.error


def test_a_tenant_of_a_multi_tenant_server(site: Site) -> None:
    """
    Given: a 6.x server with the tenant acc_Blue.
    When: testing with its path.
    Then: it says ok.
    """
    made = site.mirror(there="6", account="Blue")
    made.configure(url=f"{made.url}/acc_Blue/")

    run = made.host.test(INSTANCE)

    assert run.ok, run.error
    assert made.interference.paths[0].endswith("/acc_Blue/about")


def fails_with(made: Mirror, *words: str, **params: Any) -> None:
    """Assert that Test fails with one sentence that holds all of some words, and no stack trace."""
    made.configure(**params)
    run = made.host.test(INSTANCE)
    assert not run.ok
    assert "Traceback" not in run.error
    assert "\n" not in run.error.strip()
    for word in words:
        assert word in run.error


def credentials(made: Mirror, **changed: str) -> dict[str, str]:
    """Return the right credentials with something changed."""
    return {"identifier": made.there.settings.key_id, "password": made.there.settings.api_key, **changed}


def test_a_wrong_key(any_remote: Mirror) -> None:
    """
    Given: a wrong key.
    When: testing.
    Then: it says that the key was refused.
    """
    fails_with(any_remote, "refused the API key", "check API Key", credentials_api_key=credentials(any_remote, password="wrong"))


def test_no_key(any_remote: Mirror) -> None:
    """
    Given: no key.
    When: testing.
    Then: it says how to get one.
    """
    fails_with(any_remote, "API Key is missing", credentials_api_key=credentials(any_remote, password=""))


def test_a_missing_key_id(site: Site) -> None:
    """
    Given: an 8.x remote and no key ID.
    When: testing.
    Then: it says that the ID is missing.
    """
    made = site.mirror(there="8")
    fails_with(made, "API Key ID is missing", credentials_api_key=credentials(made, identifier=""))


def test_a_wrong_key_id(site: Site) -> None:
    """
    Given: an 8.x remote and a wrong key ID.
    When: testing.
    Then: it names the ID as what to check.
    """
    made = site.mirror(there="8")
    fails_with(made, "refused the API key", "API Key ID", credentials_api_key=credentials(made, identifier="8"))


def test_a_key_id_for_6(site: Site) -> None:
    """
    Given: a 6.x remote and a key ID.
    When: testing.
    Then: it says to leave the ID empty.
    """
    made = site.mirror(there="6")
    fails_with(made, "leave the API Key ID empty", credentials_api_key=credentials(made, identifier="7"))


@pytest.mark.parametrize(("is_advanced", "word"), [(True, "advanced key: select"), (False, "standard key: clear")])
def test_the_other_kind_of_key(site: Site, is_advanced: bool, word: str) -> None:
    """
    Given: a right key declared as the other kind.
    When: testing.
    Then: it says which kind it is.
    """
    made = site.mirror(there="8", advanced_key=is_advanced)
    fails_with(made, "The API key is right", word, advanced_api_key=not is_advanced)


def test_an_address_where_nothing_answers(site: Site) -> None:
    """
    Given: an address where nothing listens.
    When: testing.
    Then: it says that it cannot be reached.
    """
    fails_with(site.mirror(), "cannot be reached", "XSOAR Server URL", url="http://127.0.0.1:9")


def test_a_query_that_does_not_parse(any_remote: Mirror) -> None:
    """
    Given: a query with an open parenthesis.
    When: testing.
    Then: it names the query and the parameter.
    """
    fails_with(any_remote, "rejected the query", "Fetch only incidents that match the query", query="severity:4 or")


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"max_fetch": ""}, ["Maximum number of incidents", "blank", "from 1 to 200"]),
        ({"max_fetch": "0"}, ["Maximum number of incidents", "from 1 to 200"]),
        ({"max_fetch": "-1"}, ["Maximum number of incidents", "from 1 to 200"]),
        ({"max_fetch": "201"}, ["Maximum number of incidents", "from 1 to 200"]),
        ({"max_fetch": "many"}, ["Maximum number of incidents", "not a whole number"]),
        ({"look_back": "-5"}, ["Look-back", "from 0 to 1440"]),
        ({"look_back": "soon"}, ["Look-back", "not a whole number"]),
        ({"first_fetch": "whenever"}, ["First fetch time", "3 days"]),
        ({"first_fetch": "2999-01-01T00:00:00Z"}, ["First fetch time", "a time in the past"]),
        ({"url": "ftp://example.com"}, ["XSOAR Server URL", "https://"]),
        ({"tags": "a,b", "mirror_tag": "b,c"}, ["'b'", "Incoming Entry tags", "Outgoing Entry Tags"]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_each_parameter(site: Site, params: dict[str, Any], words: list[str]) -> None:
    """
    Given: one wrong parameter.
    When: testing.
    Then: a sentence names it and the remedy.
    """
    fails_with(site.mirror(), *words, **params)
