"""Tests of the settings of an instance, and of the Test button, which says what is wrong with them."""

from pathlib import Path
from typing import Any

import pytest
from freezegun import freeze_time

import XSOARMirroring as script
from stand_ins import HOST_6, HOST_8, KEY, NOW, PARAMS, Remote, Server, V6, attach, error_body, load

""" SETTINGS """

MAX_FETCH = "Maximum number of incidents to pull per fetch"
WRONG_SETTINGS: list[tuple[str, list[Any], str, str]] = [
    ("credentials_api_key", [None, {"identifier": "7"}], "API Key is missing", "generate a key"),
    ("api key", ["", "  "], "API Key is missing", "generate a key"),
    ("api key", ["abc\ndef", "abc\0def", "ключ"], "API Key", "copy"),
    ("advanced key without an ID", [True], "API Key ID is missing", "Enter the ID"),
    ("url", [None, "", "  "], "XSOAR Server URL is blank", "enter the address"),
    (
        "url",
        ["remote.example.com", "ftp://h.example.com", "https://", "https:///xsoar", "https://[h"],
        "XSOAR Server URL",
        "https://",
    ),
    ("url", ["https://me:word@h.example.com"], "XSOAR Server URL contains a user name", "enter only the address"),
    ("max_fetch", [None, "", "  ", "0", 0, "-1", "201", 201, "abc", "1.5", 1.5, "1e2", "٣"], MAX_FETCH, "from 1 to 200"),
    ("max_fetch", ["9" * 20, "5 0", True], MAX_FETCH, "from 1 to 200"),
    ("look_back", ["  ", "-1", "1441", "abc", "1.5", "5 minutes"], "Look-back", "from 0 to 1440"),
    ("first_fetch", ["soon", "3", "-3", "1700000000", "1,5"], "First fetch time", "enter a number and a unit"),
    ("first_fetch", ["in 3 days", "2027-01-01T00:00:00Z"], "First fetch time", "enter a time in the past"),
    (
        "categories",
        [["notes", "comments"], "notes,comments"],
        "Entry Categories contains 'comments'",
        "notes, chats, attachments",
    ),
    ("mirror_direction", ["Both"], "Incident Mirroring Direction", "Incoming And Outgoing"),
    ("mirror_tag", ["share", "send, share"], "The tag 'share'", "different tags for the two directions"),
    ("advanced_api_key", ["maybe", 1], "The API key is an advanced key", "checkbox"),
    ("insecure", ["maybe", 1], "Trust any certificate (not secure)", "checkbox"),
    ("proxy", ["maybe", 1], "Use system proxy settings", "checkbox"),
    ("close_incident", ["maybe", 1], "Close Mirrored XSOAR Incident", "checkbox"),
    ("close_out", ["maybe", 1], "Close Remote Incident", "checkbox"),
    ("disable_from_same_integration", ["maybe", 1], "Disable fetching for incidents that came from this", "checkbox"),
    ("mirror_playbook_id", ["maybe", 1], "Mirror Playbook ID", "checkbox"),
    ("fetch_incident_history", ["maybe", 1], "Fetch incident history", "checkbox"),
    ("debug_mode", ["maybe", 1], "Debug mode", "checkbox"),
]


def setting(name: str, value: Any) -> dict[str, Any]:
    """Return the parameters that a setting changes."""
    if name == "api key":
        return {"credentials_api_key": {"identifier": "7", "password": value}}
    if name == "advanced key without an ID":
        return {"advanced_api_key": value, "credentials_api_key": {"password": KEY}}
    return {name: value}


@pytest.mark.parametrize(
    ("changes", "named", "remedy"),
    [
        pytest.param(setting(name, value), named, remedy, id=f"{name}: {value!r}")
        for name, values, named, remedy in WRONG_SETTINGS
        for value in values
    ],
)
def test_a_wrong_setting_fails_the_test_button_and_names_the_remedy(
    server: Server, remote: Remote, changes: dict[str, Any], named: str, remedy: str
) -> None:
    """
    Given: an instance with one wrong setting.
    When: Test runs.
    Then: it fails with a sentence that names the setting and what to do, before anything is asked of the remote in vain.
    """
    server.params |= changes

    error = server.fails("test-module")

    assert named in error
    assert remedy in error
    assert not [call for call in remote.calls if call.route != "GET /about"]
    assert server.memory() == ({}, {}, {})


READ_SETTINGS: list[tuple[str, str, list[tuple[Any, Any]]]] = [
    ("api key", "api_key", [(f" {KEY}\n", KEY)]),
    ("credentials_api_key", "key_id", [({"password": KEY, "identifier": 12}, "12"), ({"password": KEY}, "")]),
    ("advanced_api_key", "advanced_key", [(None, False), ("true", True)]),
    ("insecure", "verify", [(None, True), ("true", False), ("", True)]),
    ("proxy", "proxy", [(None, False), (True, True)]),
    ("max_fetch", "max_fetch", [("1", 1), ("200", 200), (200, 200), (" 50 ", 50), ("+5", 5)]),
    ("look_back", "look_back_ms", [(None, 300_000), ("", 300_000), ("0", 0), (0, 0), ("1440", 86_400_000), (7, 420_000)]),
    ("first_fetch", "first_fetch", [(None, "3 days"), (" 2 days ", "2 days")]),
    ("query", "query", [(None, ""), ("  type:A ", "type:A")]),
    ("categories", "categories", [(["notes", "chats"], ("notes", "chats")), (None, ()), ("", ()), ('["chats"]', ("chats",))]),
    ("categories", "categories", [(" Notes , chats,chats,", ("notes", "chats"))]),
    ("tags", "tags", [(None, ()), ("  ", ()), (" a , b,,a", ("a", "b")), ('["a", "b"]', ("a", "b")), (["a ", None], ("a",))]),
    ("mirror_tag", "mirror_tags", [("x, y", ("x", "y")), (None, ())]),
    ("mirror_direction", "direction", [(None, ""), ("None", ""), ("Incoming", "In"), ("Outgoing", "Out")]),
    ("mirror_direction", "direction", [("Incoming And Outgoing", "Both")]),
    ("close_incident", "close_in", [(None, True), ("false", False)]),
    ("close_out", "close_out", [(None, True), (True, True), ("yes", True), (False, False), ("false", False), ("no", False)]),
    ("disable_from_same_integration", "skip_own", [(None, True), ("false", False)]),
    ("mirror_playbook_id", "mirror_playbook", [(None, True), ("false", False)]),
    ("fetch_incident_history", "history", [(None, False), ("true", True)]),
    ("debug_mode", "debug", [(None, False), ("true", True)]),
]


@pytest.mark.parametrize(
    ("changes", "name", "expected"),
    [
        pytest.param(setting(name, value), attribute, expected, id=f"{name}: {value!r}")
        for name, attribute, cases in READ_SETTINGS
        for value, expected in cases
    ],
)
def test_settings_are_read_from_what_the_platform_gives(changes: dict[str, Any], name: str, expected: Any) -> None:
    """
    Given: a parameter in one of the shapes in which the platform gives it.
    When: the settings are parsed.
    Then: it has its meaning.
    """
    assert getattr(script.parse_settings(PARAMS | changes, "headquarters"), name) == expected


@pytest.mark.parametrize("end", ["", "/", "/xsoar", "/xsoar/", "/xsoar/public/v1", "/xsoar/public/v1/"])
@pytest.mark.parametrize("account", ["", "/acc_branch"])
@pytest.mark.parametrize(("host", "key_id"), [(HOST_6, ""), (HOST_8, "7")], ids=["6.x", "8.x"])
def test_the_url_may_be_given_in_any_shape(
    server: Server, requests_mock: Any, host: str, key_id: str, account: str, end: str
) -> None:
    """
    Given: the address of a remote with any of the ends that people paste, of XSOAR 6 or 8, with or without a tenant.
    When: Test runs.
    Then: the routes are asked for below the root for 6.x and below /xsoar for 8.x, before the tenant.
    """
    server.params |= {
        "url": f" {host}{account}{end} ",
        "credentials_api_key": {"identifier": key_id, "password": KEY},
    }
    root = f"{host}{'/xsoar' if key_id else ''}{account}"
    requests_mock.get(f"{root}/about", json=load("about")["8"])
    requests_mock.post(f"{root}/incidents/search", json={"data": None, "total": 0})
    requests_mock.get(f"{root}/incidentfields", json=[])

    assert server.ok("test-module") == "ok"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h.example.com/xsoar/acc_branch", "https://h.example.com/xsoar/acc_branch"),
        ("https://h.example.com/gateway/xsoar/?x=1#top", "https://h.example.com/gateway/xsoar"),
        ("HTTPS://h.example.com", "https://h.example.com/xsoar"),
        ("https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443/xsoar"),
    ],
)
def test_the_url_may_name_more_than_a_host(url: str, expected: str) -> None:
    """
    Given: the address of an XSOAR 8 with a tenant, a path of a gateway, a port, a query.
    When: the settings are parsed.
    Then: what leads to the API is kept.
    """
    assert script.parse_settings(PARAMS | {"url": url}, "headquarters").api_root == expected


@pytest.mark.parametrize("text", ["now", "0 minutes", "1 second ago"])
def test_the_first_fetch_may_begin_now(server: Server, remote: Remote, text: str) -> None:
    """
    Given: a first fetch that begins at this moment, and a clock that goes on while the setting is read.
    When: Test runs.
    Then: it does not take the moment for the future.
    """
    server.params["first_fetch"] = text

    with freeze_time(NOW, auto_tick_seconds=0.01):
        assert server.ok("test-module") == "ok"


@pytest.mark.parametrize("url", ["admin:word@xsoar.example.com", "ftp://admin:word@xsoar.example.com"])
def test_a_password_in_the_url_is_repeated_nowhere(server: Server, remote: Remote, url: str) -> None:
    """
    Given: an address with a password in it.
    When: a run fails because of it.
    Then: neither error, log nor context hold it.
    """
    server.params["url"] = url

    error = server.fails("fetch-incidents")

    assert "user name" in error
    assert "word" not in error + server.kept_text() + str(server.log)


""" TEST """


@pytest.mark.parametrize("key_id", ["", "7"], ids=["6.x", "8.x"])
def test_the_test_button_only_reads(server: Server, remote: Remote, key_id: str, tmp_path: Path) -> None:
    """
    Given: an instance that would work, and a remote with incidents and attachments.
    When: Test runs.
    Then: it is ok; nothing was downloaded, written or kept, here or there.
    """
    server.params |= {"fetch_incident_history": True}
    if not key_id:
        server.params |= V6
        remote.key_id, remote.root = "", HOST_6
    attach(remote, remote.add()["id"], "a.txt", b"a")

    assert server.ok("test-module") == "ok"

    assert [call.route for call in remote.calls] == ["GET /about", "POST /incidents/search", "GET /incidentfields"]
    assert server.memory() == ({}, {}, {})
    assert list(tmp_path.iterdir()) == []


def test_the_test_button_tries_the_query(server: Server, remote: Remote) -> None:
    """
    Given: a query that the remote cannot read.
    When: Test runs.
    Then: it fails and names the parameter; without a query of the user it does not blame it.
    """
    remote.fail("POST /incidents/search", times=4, **error_body(400, "bad_query"))
    server.params["query"] = "status:open AND"

    error = server.fails("test-module")

    assert "status:open AND" in error
    assert "Fetch only incidents that match the query" in error
    server.params["query"] = ""
    assert "Fetch only incidents that match the query" not in server.fails("test-module")


@pytest.mark.parametrize("advanced", [True, False], ids=["advanced configured", "standard configured"])
def test_the_test_button_tells_a_key_of_the_other_kind(server: Server, remote: Remote, advanced: bool) -> None:
    """
    Given: a right key of XSOAR 8 whose kind, standard or advanced, is set wrongly.
    When: Test runs.
    Then: it says which checkbox to change.
    """
    server.params["advanced_api_key"] = advanced
    remote.advanced_key = not advanced

    error = server.fails("test-module")

    assert "The API key is right" in error
    assert ("standard key: clear" if advanced else "advanced key: select") in error
    assert "The API key is an advanced key" in error


@pytest.mark.parametrize("advanced", [True, False], ids=["advanced configured", "standard configured"])
def test_the_test_button_does_not_blame_the_kind_of_a_wrong_key(server: Server, remote: Remote, advanced: bool) -> None:
    """
    Given: a wrong key.
    When: Test runs.
    Then: it says that the key is refused, not that it is right.
    """
    server.params |= {"advanced_api_key": advanced, "credentials_api_key": {"identifier": "7", "password": "wrong"}}

    error = server.fails("test-module")

    assert "refused the API key (401)" in error
    assert "is right" not in error


def test_the_test_button_says_that_the_role_of_the_key_does_not_suffice(server: Server, remote: Remote) -> None:
    """
    Given: a key whose role may not search incidents.
    When: Test runs.
    Then: it says so, and not that the kind of the key is wrong.
    """
    remote.fail("POST /incidents/search", times=9, **error_body(403, "v8_no_permission"))

    error = server.fails("test-module")

    assert "permission" in error
    assert "is right" not in error
