"""What the page tells of incidents and War Rooms, and what it does with what is sent, over HTTP."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from local_xsoar.tenant import Tenant, TenantSettings, serving
from local_xsoar.tenant.samples import load_samples
from local_xsoar.tenant.web import Share, Shared, Sharing
from local_xsoar.tenant.web.views import hue
from local_xsoar.tests.web.conftest import Serve
from local_xsoar.tests.web.web_client import HOSTILE, TOKEN, PageClient, elements, texts

MakeIncident = Callable[..., str]


def rows(view: list[dict[str, Any]]) -> dict[str, str]:
    """Return the texts of rows by their label."""
    return {row["label"]: texts(row["value"]) for row in view}


def incident(client: PageClient, incident_id: str, **more: Any) -> dict[str, Any]:
    """Return what the page gets of an incident."""
    answer = client.get(f"incidents/{incident_id}", **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_tenants_are_told_apart(serve_page: Serve) -> None:
    """
    Given: the two tenants of the demo.
    When: their pages are opened.
    Then: name, version, colour and icon differ.
    """
    seen = []
    for name, version in (("headquarters", "8.8.0"), ("customer", "6.12.0")):
        client = serve_page(name, version=version).open()
        view = client.get("tenant").json()
        assert (view["name"], view["version"]) == (name, version)
        seen.append((view["hue"], client.call("GET", "icon.svg").text))
    assert seen[0][0] != seen[1][0]
    assert ">H<" in seen[0][1] and ">C<" in seen[1][1]


@pytest.mark.parametrize("name", ['<script>"', "", "\u00e9clair", "\U0001f600"])
def test_an_icon_for_any_name(serve_page: Serve, tmp_path: Path, name: str) -> None:
    """
    Given: a tenant whose name begins with no plain letter.
    When: its icon is loaded.
    Then: it is one without a letter.
    """
    client = serve_page(name, folder=tmp_path / "tenant")

    assert "></text>" in client.call("GET", "icon.svg").text
    assert 0 <= hue(name) < 360


def test_the_list_and_its_pages(page_client: PageClient) -> None:
    """
    Given: 35 incidents.
    When: the list is asked for.
    Then: it has 30 of them, newest first, and the rest on the next page.
    """
    load_samples(page_client.tenant, 35)

    first = page_client.get("incidents").json()
    second = page_client.get("incidents", params={"page": "1"}).json()

    assert [row["id"] for row in first["incidents"][:2]] == ["35", "34"]
    assert (first["count"], first["earlier"], first["later"]) == ("1 to 30 of 35 incidents", False, True)
    assert [row["id"] for row in second["incidents"]] == ["5", "4", "3", "2", "1"]
    assert (second["count"], second["earlier"], second["later"]) == ("31 to 35 of 35 incidents", True, False)


def test_incidents_of_one_moment_are_listed_newest_first(tmp_path: Path) -> None:
    """
    Given: twelve incidents that were created at the same moment.
    When: the list is asked for.
    Then: the last one created comes first.
    """
    settings = TenantSettings("still", tmp_path / "still", api_key="the-key", key_id="7")
    with closing(Tenant(settings, lambda: 1_767_600_000_000_000_000)) as tenant, serving(tenant, page_token=TOKEN) as address:
        for number in range(1, 13):
            tenant.create_incident({"name": f"number {number}"})
        client = PageClient(tenant, address).open()
        with client.session:
            listed = client.get("incidents").json()["incidents"]
    assert [row["name"] for row in listed] == [f"number {number}" for number in range(12, 0, -1)]


def test_an_empty_tenant_says_so(page_client: PageClient) -> None:
    """
    Given: a tenant without incidents.
    When: the list is asked for, without a query and with one.
    Then: the first says that there are none yet, the second that none matches.
    """
    assert page_client.get("incidents", params={"query": " "}).json()["count"] == "This tenant has no incidents yet."
    assert page_client.get("incidents", params={"query": "severity:4"}).json()["count"] == "No incident matches."


def test_the_search_speaks_the_tenant_s_query_language(page_client: PageClient) -> None:
    """
    Given: incidents.
    When: a query is sent.
    Then: those that match come, in the order that was chosen.
    """
    load_samples(page_client.tenant, 12)

    found = page_client.get("incidents", params={"query": "severity:>=3 -status:closed", "sort": "severity"}).json()

    assert [row["severity"]["text"] for row in found["incidents"]] == ["Critical", "Critical", "High", "High"]
    assert page_client.get("incidents", params={"query": "name:nothing"}).json()["count"] == "No incident matches."


@pytest.mark.parametrize("query", ["severity:", 'name:"x', "(a", "created:>=yesterdayish"])
def test_a_wrong_query_costs_one_sentence(page_client: PageClient, query: str) -> None:
    """
    Given: a query that cannot be read.
    When: it is sent.
    Then: one sentence says what is wrong with it.
    """
    answer = page_client.get("incidents", params={"query": query})

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("The query ")
    assert "\n" not in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "status"),
    [("incidents/99", 404), ("incidents/x", 404), ("incidents?page=x", 400), ("incidents/1?entries=-1", 400)],
)
def test_what_cannot_be_shown(page_client: PageClient, make_incident: MakeIncident, path: str, status: int) -> None:
    """
    Given: an incident that does not exist, or a number that is none.
    When: it is asked for.
    Then: one sentence says so.
    """
    make_incident(page_client.tenant)

    answer = page_client.get(path)

    assert (answer.status_code, list(answer.json())) == (status, ["error"])


def test_an_incident(page_client: PageClient, make_incident: MakeIncident) -> None:
    """
    Given: an incident.
    When: it is opened.
    Then: its fields and custom fields are shown with their names, empty ones are not.
    """
    tenant = page_client.tenant
    tenant.add_incident_field("ticket", name="Ticket")
    tenant.add_incident_field("report", name="Report", type="markdown")
    custom = {
        "ticket": "HQ-1",
        "report": "**bold**",
        "hosts": ["a", "b"],
        "score": 0,
        "asked": False,
        "empty": "",
        "timer": {"run": 1},
    }
    incident_id = make_incident(tenant, severity=3, owner="hanna", details="Two\nlines", CustomFields=custom)

    view = incident(page_client, incident_id)

    assert [badge["text"] for badge in view["badges"]] == ["Active", "High"]
    assert texts(view["details"]) == "Two\nlines"
    facts = rows(view["facts"])
    assert (facts["Owner"], facts["Severity"]) == ("hanna", "High")
    assert "Closed" not in facts and "Close Notes" not in facts
    shown = rows(view["custom"])
    assert list(shown)[-1] == "timer"
    assert (shown["Ticket"], shown["Report"], shown["score"], shown["asked"]) == ("HQ-1", "bold", "0", "no")
    assert "empty" not in shown
    assert '"run": 1' in shown["timer"]
    assert elements(next(row["value"] for row in view["custom"] if row["name"] == "report"), "strong")
    assert rows(view["others"])["Investigation ID"] == incident_id


def test_the_mirroring_of_an_incident(page_client: PageClient, make_incident: MakeIncident) -> None:
    """
    Given: a mirrored incident with the pack's fields.
    When: it is opened.
    Then: state, link, times and errors are shown apart.
    """
    incident_id = make_incident(
        page_client.tenant,
        dbotMirrorId="41",
        dbotMirrorInstance="Customer",
        dbotMirrorDirection="Both",
        dbotMirrorTags=["FromRemote", "ToRemote"],
        CustomFields={
            "xsoarmirroringstate": "Error",
            "xsoarmirroringremotelink": "https://remote.example/#/Details/41",
            "xsoarmirroringremotetenant": "customer",
            "xsoarmirroringremoteid": "41",
            "xsoarmirroringlastin": "2026-11-22T10:00:00Z",
            "xsoarmirroringlastout": "",
            "xsoarmirroringerrorin": "The remote does not answer.",
            "xsoarmirroringsomethingnew": "later",
            "ticket": "HQ-1",
        },
    )
    page_client.tenant.change_incident(incident_id, {"owner": "hanna"})

    view = incident(page_client, incident_id)
    mirror = view["mirror"]

    assert mirror["state"] == {"text": "Error", "tone": "bad"}
    assert rows(mirror["errors"]) == {"Error in": "The remote does not answer."}
    assert rows(mirror["rows"]) == {
        "Remote incident": "41",
        "Instance": "Customer",
        "Direction": "Both",
        "Tags": "FromRemoteToRemote",
        "Waiting to go out": "owner",
        "Remote link": "https://remote.example/#/Details/41",
        "Remote tenant": "customer",
        "Last in": "2026-11-22T10:00:00Z",
        "xsoarmirroringsomethingnew": "later",
    }
    (link,) = elements([node for row in mirror["rows"] for node in row["value"]], "a")
    assert link["href"] == "https://remote.example/#/Details/41"
    assert list(rows(view["custom"])) == ["ticket"]
    page_client.tenant.change_incident(incident_id, {"CustomFields": {"xsoarmirroringremoteid": "42"}})
    changed = rows(incident(page_client, incident_id)["mirror"]["rows"])
    assert (changed["Remote incident"], changed["Remote ID"]) == ("41", "42")
    assert mirror["status"] == "Active here; the remote one may be Pending: only closing and reopening cross."
    assert {"text": "Mirror: Error", "tone": "bad"} in page_client.get("incidents").json()["incidents"][0]["badges"]


@pytest.mark.parametrize(
    ("fields", "remark"),
    [
        ({"dbotMirrorInstance": "Customer", "investigate": False}, "Pending here; the remote one may be Active"),
        ({"dbotMirrorInstance": "Customer", "status": 2}, ""),
        ({}, ""),
    ],
    ids=["pending", "closed", "not mirrored"],
)
def test_when_a_status_may_differ(
    page_client: PageClient, make_incident: MakeIncident, fields: dict[str, Any], remark: str
) -> None:
    """
    Given: a mirrored incident that is pending or closed, and one that is not mirrored.
    When: it is opened.
    Then: only of the pending one it is said that the remote one may be active.
    """
    incident_id = make_incident(page_client.tenant, **fields)
    assert incident(page_client, incident_id)["mirror"]["status"].partition(":")[0] == remark


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "JAVASCRIPT:alert(1)", " https://a.example", "https://a b", "data:text/html,x", "//a.example", "http://",
     "https:\\\\a.example", "ftp://a.example", "http://[", "java\nscript:alert(1)"],
)  # fmt: skip
def test_only_http_links_are_links(page_client: PageClient, make_incident: MakeIncident, link: str) -> None:
    """
    Given: a remote link that is no http address.
    When: it is shown.
    Then: it is a text.
    """
    incident_id = make_incident(page_client.tenant, CustomFields={"xsoarmirroringremotelink": link})

    (row,) = incident(page_client, incident_id)["mirror"]["rows"]

    assert texts(row["value"]) == link
    assert elements(row["value"], "a") == []


@pytest.mark.parametrize(
    "source", ["[here](javascript:x)", "[here](ftp://a.example)", "[here](//a.example)", "[here](x)", "<mailto:a@b.c>"]
)
def test_only_http_links_of_markdown_are_links(page_client: PageClient, make_incident: MakeIncident, source: str) -> None:
    """
    Given: a Markdown link that is no http address.
    When: it is shown.
    Then: it is a text.
    """
    incident_id = make_incident(page_client.tenant)
    page_client.tenant.add_entry(incident_id, contents=source, format="markdown")

    assert elements(incident(page_client, incident_id)["entries"][0]["body"], "a") == []


def test_a_war_room(page_client: PageClient, make_incident: MakeIncident) -> None:
    """
    Given: entries of each kind.
    When: the War Room is opened.
    Then: each shows who, what, marks and tags, newest first.
    """
    tenant = page_client.tenant
    incident_id = make_incident(tenant)
    tenant.add_entry(incident_id, contents="**so**", user="carla", tags=["FromRemote"])
    tenant.add_entry(incident_id, contents="**so** it is", format="markdown", user="carl", note=True, mirrored=True)
    tenant.add_entry(incident_id, contents={"a": 1}, format="json", category="commandAndResults")
    tenant.add_entry(incident_id, contents="broken", entry_type=4)
    tenant.add_entry(incident_id, contents="see", user="hugo", file=("list.csv", b"x" * 2400))

    file, error, command, note, chat = incident(page_client, incident_id)["entries"]

    assert (chat["author"], texts(chat["body"]), chat["tags"], chat["badges"]) == ("carla", "**so**", ["FromRemote"], [])
    assert texts(note["body"]) == "so it is" and elements(note["body"], "strong")
    assert [badge["text"] for badge in note["badges"]] == ["Note", "Mirrored"]
    assert (command["author"], [badge["text"] for badge in command["badges"]]) == ("DBot", ["Command"])
    assert texts(command["body"]) == '{\n  "a": 1\n}'
    assert [badge["text"] for badge in error["badges"]] == ["Error"]
    assert (file["file"]["name"], file["file"]["size"], texts(file["body"])) == ("list.csv", "2.4 kB", "see")
    assert [entry["text"] is not None for entry in (file, error, command, note, chat)] == [False, False, False, True, True]


def test_files_are_downloaded_never_shown(page_client: PageClient, make_incident: MakeIncident) -> None:
    """
    Given: files whose names and types would run in a browser.
    When: they are loaded.
    Then: they are bytes to be kept.
    """
    tenant = page_client.tenant
    for name in ("evil.html", 'a"; x="b.svg', "new\r\nline.txt", "<b>.htm"):
        incident_id = make_incident(tenant)
        entry = tenant.add_entry(incident_id, file=(name, b"<script>1</script>"))

        answer = page_client.call("GET", incident(page_client, incident_id)["entries"][0]["file"]["href"])

        assert answer.content == b"<script>1</script>"
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith("attachment; filename=")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert tenant.entry(entry["id"])["file"] == name


def test_attachments_lead_to_their_files(page_client: PageClient) -> None:
    """
    Given: an incident with an attachment.
    When: it is opened.
    Then: the attachment is a link to its bytes.
    """
    page_client.tenant.create_incident({"name": "x"}, attachments=[("report.txt", b"bytes")])

    (row,) = incident(page_client, "1")["attachments"]

    assert page_client.call("GET", elements(row["value"], "a")[0]["href"]).content == b"bytes"


def test_a_long_war_room_and_a_long_text(page_client: PageClient, make_incident: MakeIncident) -> None:
    """
    Given: more and longer entries than a page should hold.
    When: it is opened.
    Then: the newest come, and how many do not.
    """
    tenant = page_client.tenant
    incident_id = make_incident(tenant)
    with tenant.batch():
        for number in range(5):
            tenant.add_entry(incident_id, contents=f"{number}", user="carla")
        tenant.add_entry(incident_id, contents="x" * 30_000, user="carla")

    view = incident(page_client, incident_id, params={"entries": "3"})

    assert [entry["number"] for entry in view["entries"]] == ["6", "5", "4"]
    assert view["older"] == 3
    assert texts(view["entries"][0]["body"]).endswith("… and 10,000 characters more.")
    assert view["entries"][0]["text"] is None  # what is not shown whole cannot be edited


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_texts(page_client: PageClient, make_incident: MakeIncident, text: str) -> None:
    """
    Given: texts that look like HTML, script or quotes.
    When: they are shown.
    Then: the page gets them as texts.
    """
    tenant = page_client.tenant
    incident_id = make_incident(
        tenant, name=text, details=text, owner=text, type=text, CustomFields={"field": text, text: [text]}
    )
    for text_format in ("text", "html", "markdown", "json"):
        tenant.add_entry(incident_id, contents=text, format=text_format, user=text, tags=[text], file=(text, b"x"))

    answer = page_client.get(f"incidents/{incident_id}")
    view = answer.json()

    assert answer.headers["content-type"] == "application/json"
    assert view["name"] == text and texts(view["details"]) == text
    for entry in view["entries"]:
        assert (entry["author"], entry["tags"], entry["file"]["name"]) == (text, [text], text)
        found = {node["tag"] for node in _all_elements(entry["body"])}
        assert found <= {"p", "span", "em", "strong", "a"}, found
        assert all(node.get("href", "http").startswith("http") for node in _all_elements(entry["body"]))
    assert page_client.get("incidents").json()["incidents"][0]["name"] == text


def _all_elements(nodes: list[Any]) -> list[dict[str, Any]]:
    return [found for node in nodes if isinstance(node, dict) for found in (node, *_all_elements(node["children"]))]


MARKDOWN = {
    "# Head": [("p", "Head")],
    "a\nb": [("p", "a\nb")],
    "- one\n- two": [("ul", "onetwo"), ("li", "one"), ("li", "two")],
    "1. one": [("ol", "one"), ("li", "one")],
    "`x` ~~y~~": [("p", "x y"), ("code", "x"), ("del", "y")],
    "```\n<b>\n```": [("pre", "<b>\n")],
    "> said": [("blockquote", "said"), ("p", "said")],
    "[to](https://a.example/x)": [("p", "to"), ("a", "to")],
    "![pic](https://a.example/x.png)": [("p", "picture: pic"), ("a", "picture: pic")],
    "<img src=x onerror=y>": [("p", "<img src=x onerror=y>")],
    "<div>\n<b>x</b>": [("p", "<div>\n<b>x</b>")],
    "|a|\n|-|\n|1|": [("table", "a1"), ("thead", "a"), ("tr", "a"), ("th", "a"), ("tbody", "1"), ("tr", "1"), ("td", "1")],
    "---": [("hr", "")],
}


@pytest.mark.parametrize("source", MARKDOWN)
def test_markdown(page_client: PageClient, make_incident: MakeIncident, source: str) -> None:
    """
    Given: an entry in Markdown.
    When: it is shown.
    Then: it has the elements of the Markdown, and none of HTML.
    """
    incident_id = make_incident(page_client.tenant)
    page_client.tenant.add_entry(incident_id, contents=source, format="markdown")

    body = incident(page_client, incident_id)["entries"][0]["body"]

    assert [(node["tag"], texts(node["children"])) for node in _all_elements(body)] == MARKDOWN[source]


# What is done


def test_a_new_incident(page_client: PageClient) -> None:
    """
    Given: the types and severities that the page offers.
    When: an incident is created.
    Then: it is there as it was given, with its War Room open, and its id is told.
    """
    offered = page_client.get("tenant").json()
    assert offered["types"][0] == "Unclassified" and "Phishing" in offered["types"]
    given = {"name": "Beacon", "type": "Phishing", "severity": offered["severities"][4]["value"], "details": "Two\nlines"}

    answer = page_client.post("incidents", given)

    assert (answer.status_code, answer.json()["said"]) == (200, "The incident was created.")
    made = page_client.tenant.incident(answer.json()["id"])
    assert {name: made[name] for name in given} == {**given, "severity": 3}
    assert (made["status"], made["dbotCreatedBy"]) == (1, "admin")
    assert page_client.done(f"incidents/{made['id']}/entries", {"text": "first"}) == "The chat was added."


@pytest.mark.parametrize("text", HOSTILE)
def test_a_new_incident_may_be_called_anything(page_client: PageClient, text: str) -> None:
    """
    Given: texts that look like HTML, script or quotes.
    When: an incident is created with them.
    Then: the page gets them as texts.
    """
    made = page_client.post("incidents", {"name": text, "type": text, "details": text}).json()["id"]

    view = incident(page_client, made)
    assert (view["name"], texts(view["details"]), rows(view["facts"])["Type"]) == (text, text, text)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "The incident needs a name."),
        ({"name": " "}, "The incident needs a name."),
        ({"name": ["x"]}, "name must be a text."),
        ({"name": "x", "severity": "9"}, "The severity is none of those to choose from."),
        ({"name": "x", "type": 4}, "type must be a text."),
    ],
)
def test_a_new_incident_that_cannot_be(page_client: PageClient, given: dict[str, Any], sentence: str) -> None:
    """
    Given: an incident without a name, or with a value that cannot be.
    When: it is to be created.
    Then: one sentence says why not, and there is none.
    """
    assert page_client.refused("incidents", given) == sentence
    assert page_client.tenant.search({"totalOnly": True})[1] == 0


def test_a_new_incident_that_a_rule_drops(serve_page: Serve) -> None:
    """
    Given: a pre-processing rule that drops incidents by their name.
    When: one of that name is created.
    Then: the page says so.
    """
    client = serve_page(drop_created_if_name_contains="test").open()
    assert "dropped the incident" in client.refused("incidents", {"name": "a test"})


def shared_with(*shares: Share, foreign: tuple[str, ...] = ()) -> Sharing:
    """Return a sharing that is the same for every incident."""
    return lambda incident: Shared(shares, frozenset(foreign))


def test_whom_an_entry_can_be_shared_with(serve_page: Serve, make_incident: MakeIncident) -> None:
    """
    Given: a tag by which entries go to one tenant, two by which they go to another, and tags of the other direction in use.
    When: an incident is opened.
    Then: each is offered by the tenant's name, two of one tenant with their tags, and no tag of the other direction is suggested.
    """
    shares = Share("Customer", "ToRemote"), Share("Region", "out"), Share("Region", "copy")
    client = serve_page(sharing=shared_with(*shares, foreign=("FromRemote",))).open()
    incident_id = make_incident(client.tenant, dbotMirrorTags=["ToRemote"])
    client.tenant.add_entry(incident_id, contents="came in", user="carla", tags=["FromRemote", "triage"])

    view = incident(client, incident_id)

    assert [(share["key"], share["label"]) for share in view["shares"]] == [
        ("ToRemote", "Mirror to Customer"),
        ("out", "Mirror to Region (out)"),
        ("copy", "Mirror to Region (copy)"),
    ]
    assert view["tags"] == ["ToRemote", "out", "copy", "triage"]
    assert "If Customer or Region mirrors it" in view["mirror"]["none"]


def test_a_tenant_that_nobody_is_known_to_mirror_shares_nothing(page_client: PageClient, make_incident: MakeIncident) -> None:
    """
    Given: a tenant that is served alone.
    When: an incident is opened.
    Then: nothing is offered, and the tags in use are suggested as they are.
    """
    incident_id = make_incident(page_client.tenant)
    page_client.tenant.add_entry(incident_id, contents="x", user="carla", tags=["FromRemote"])

    view = incident(page_client, incident_id)

    assert (view["shares"], view["tags"]) == ([], ["FromRemote"])
    assert "If another tenant mirrors it" in view["mirror"]["none"]


def test_chats_and_notes(page_client: PageClient, make_incident: MakeIncident) -> None:
    """
    Given: an open War Room.
    When: a chat and a note are added.
    Then: both stand there with their tags, and no command runs.
    """
    tenant = page_client.tenant
    incident_id = make_incident(tenant)

    said = [
        page_client.done(
            f"incidents/{incident_id}/entries", {"text": "!reopenInvestigation id=1", "tags": ["a", " b ", "a", ""]}
        ),
        page_client.done(f"incidents/{incident_id}/entries", {"text": "**so**", "note": True, "markdown": True, "tags": []}),
    ]

    assert said == ["The chat was added.", "The note was added."]
    chat, note = tenant.entries(incident_id)
    assert (chat["contents"], chat["category"], chat["tags"], chat["user"]) == (
        "!reopenInvestigation id=1", "chat", ["a", "b"], "admin",
    )  # fmt: skip
    assert (note["note"], note["category"], note["format"], note["tags"]) == (True, "note", "markdown", None)


def test_a_file(page_client: PageClient, make_incident: MakeIncident) -> None:
    """
    Given: an open War Room.
    When: a file is added.
    Then: it stands there with its bytes, comment and tags.
    """
    tenant = page_client.tenant
    incident_id = make_incident(tenant)

    said = page_client.done(
        f"incidents/{incident_id}/files",
        files={"file": ("<b>.csv", b"a,b\n")},
        data={"fileComment": "see", "tags": "ToRemote, x", "isNoteEntry": "true"},
    )

    (entry,) = tenant.entries(incident_id)
    assert said == "The file was added."
    assert (entry["file"], entry["contents"], entry["tags"], entry["note"]) == ("<b>.csv", "see", ["ToRemote", "x"], True)
    assert tenant.entry_file(entry["id"])[1].read_bytes() == b"a,b\n"


def test_an_entry_is_tagged_marked_and_edited(page_client: PageClient, make_incident: MakeIncident) -> None:
    """
    Given: an entry.
    When: tags come and go, it becomes a note, and its text is changed.
    Then: the tenant has it so.
    """
    tenant = page_client.tenant
    incident_id = make_incident(tenant)
    entry_id = tenant.add_entry(incident_id, contents="so", user="carla", tags=["old"])["id"]

    assert page_client.done(f"entries/{entry_id}", {"add": " ToRemote "}) == "The tag ToRemote was added."
    assert tenant.entry(entry_id)["tags"] == ["old", "ToRemote"]
    assert page_client.done(f"entries/{entry_id}", {"remove": "old"}) == "The tag old was removed."
    assert tenant.entry(entry_id)["tags"] == ["ToRemote"]
    page_client.done(f"entries/{entry_id}", {"note": True})
    assert tenant.entry(entry_id)["note"] is True
    page_client.done(f"entries/{entry_id}", {"note": False})
    assert tenant.entry(entry_id)["note"] is False
    page_client.done(f"entries/{entry_id}", {"text": "otherwise"})
    assert tenant.entry(entry_id)["contents"] == "otherwise"
    assert [badge["text"] for badge in incident(page_client, incident_id)["entries"][0]["badges"]] == ["Edited"]


def test_fields_are_changed(page_client: PageClient, make_incident: MakeIncident) -> None:
    """
    Given: an incident that is mirrored out.
    When: fields are changed.
    Then: only those change, and they wait to go out.
    """
    tenant = page_client.tenant
    incident_id = make_incident(tenant, owner="hanna", dbotMirrorInstance="Customer", dbotMirrorDirection="Out")

    page_client.done(f"incidents/{incident_id}/fields", {"name": "Beacons", "severity": "0.5"})

    changed = tenant.incident(incident_id)
    assert (changed["name"], changed["severity"], changed["owner"]) == ("Beacons", 0.5, "hanna")
    assert sorted(changed["dbotCurrentDirtyFields"]) == ["name", "severity"]


def test_closing_and_reopening(page_client: PageClient, make_incident: MakeIncident) -> None:
    """
    Given: an incident.
    When: it is closed.
    Then: its War Room takes nothing and says why, until it is reopened.
    """
    tenant = page_client.tenant
    incident_id = make_incident(tenant)

    page_client.done(f"incidents/{incident_id}/close", {"reason": "Resolved", "notes": "All clean."})

    closed = tenant.incident(incident_id)
    assert (closed["status"], closed["closeReason"], closed["closeNotes"], closed["closingUserId"]) == (
        2, "Resolved", "All clean.", "admin",
    )  # fmt: skip
    why = "This incident is closed: reopen it to write into its War Room."
    assert incident(page_client, incident_id)["why_not"] == why
    assert page_client.refused(f"incidents/{incident_id}/entries", {"text": "late"}) == why
    assert page_client.refused(f"incidents/{incident_id}/files", files={"file": ("a", b"a")}) == why
    page_client.done(f"incidents/{incident_id}/reopen", {})
    assert tenant.incident(incident_id)["status"] == 1
    assert incident(page_client, incident_id)["open"] is True
    page_client.done(f"incidents/{incident_id}/entries", {"text": "in time"})


def test_a_pending_incident_has_no_war_room(page_client: PageClient) -> None:
    """
    Given: a pending incident.
    When: it is opened.
    Then: it says that its War Room is not open yet.
    """
    page_client.tenant.create_incident({"name": "x"}, investigate=False)

    view = incident(page_client, "1")

    assert (view["entries"], view["open"]) == ([], False)
    assert view["why_not"] == "This incident is pending: its War Room is not open yet."


WRONG: dict[str, tuple[str, Any, str]] = {
    "no incident": ("incidents/9/close", {}, "Could not find incident 9"),
    "no entry": ("entries/9@1", {"add": "x"}, "Could not find entry 9@1"),
    "no text": ("incidents/1/entries", {"text": "  "}, "The entry needs a text or a file."),
    "no text of text": ("incidents/1/entries", {"text": 5}, "text must be a text."),
    "tags of another kind": ("incidents/1/entries", {"text": "x", "tags": "a"}, "tags must be a list of texts."),
    "no name": ("incidents/1/fields", {"name": " "}, "The incident needs a name."),
    "no severity": ("incidents/1/fields", {"severity": "9"}, "The severity is none of those to choose from."),
    "no tag": ("entries/1@1", {"add": " "}, "The tag needs a name."),
    "an edit of nothing": ("entries/1@1", {"text": ""}, "The entry needs a text."),
    "an edit of a file": ("entries/2@1", {"text": "x"}, "Only chats and notes can be edited."),
    "no object": ("incidents/1/close", [], "Request body is not well-formed. It must be JSON."),
    "no file": ("incidents/1/files", {}, "The form needs a part named file, with a file name."),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_done_costs_one_sentence(page_client: PageClient, make_incident: MakeIncident, case: str) -> None:
    """
    Given: something that cannot be done.
    When: it is sent.
    Then: one sentence says why, and nothing is changed.
    """
    tenant = page_client.tenant
    make_incident(tenant)
    tenant.add_entry("1", contents="so", user="carla")
    tenant.add_entry("1", contents="so", user="carla", file=("a", b"a"))
    before = tenant.incident("1"), tenant.entries("1")
    path, body, sentence = WRONG[case]

    assert page_client.refused(path, body) == sentence

    assert (tenant.incident("1"), tenant.entries("1")) == before
