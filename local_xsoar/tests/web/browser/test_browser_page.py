"""The web page of a tenant in a real browser: what an analyst sees and does there."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from local_xsoar.tenant.samples import load_samples
from local_xsoar.tenant.web import Share, Shared, page_address
from local_xsoar.tests.web.browser.conftest import OpenPage
from local_xsoar.tests.web.conftest import Serve
from local_xsoar.tests.web.web_client import HOSTILE, TOKEN, PageClient, SomePairs, crossing, drift

MakeIncident = Callable[..., str]


def entry(page: Page, number: int) -> Locator:
    """Return an entry of the War Room by its number."""
    return page.get_by_role("list", name="Entries, newest first").get_by_role("listitem").filter(has_text=f"#{number}").first


def test_the_address_opens_the_page(serve_page: Serve, open_page: OpenPage) -> None:
    """
    Given: the printed address.
    When: it is opened.
    Then: the page lets in, tells which tenant it is, and hides the token.
    """
    client = serve_page("customer", version="6.12.0")

    page = open_page(client)

    expect(page.get_by_role("heading", name="Incidents")).to_be_visible()
    expect(page.get_by_role("banner")).to_contain_text("customer")
    expect(page).to_have_title("customer · XSOAR 6.12.0")
    assert "token" not in page.url
    page.reload()
    expect(page.get_by_role("heading", name="Incidents")).to_be_visible()


def test_without_the_token_it_says_what_to_do(serve_page: Serve, open_page: OpenPage) -> None:
    """
    Given: the address without its token.
    When: it is opened.
    Then: one sentence says what to do, and the whole address helps.
    """
    client = serve_page()
    client.tenant.create_incident({"name": "secret"})

    page = open_page(client, locked=True)

    expect(page.get_by_role("main")).to_contain_text("Open the whole address that was printed in the terminal")
    expect(page.get_by_text("secret")).to_have_count(0)
    page.evaluate("location.hash = 'token=the-token-of-this-start'")
    expect(page.get_by_role("link", name="secret")).to_be_visible()


def test_the_list_is_searched(page_client: PageClient, open_page: OpenPage) -> None:
    """
    Given: incidents.
    When: a query is typed, wrong at first.
    Then: one sentence says what is wrong, then the matches come.
    """
    load_samples(page_client.tenant, 35)
    page = open_page(page_client)
    listed = page.get_by_role("list", name="Incidents").locator("> li")
    expect(listed).to_have_count(30)
    expect(page.get_by_text("1 to 30 of 35 incidents")).to_be_visible()

    query = page.get_by_role("searchbox", name="Query")
    query.fill("severity:")
    query.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="The query could not be parsed")).to_be_visible()
    expect(listed).to_have_count(30)

    query.fill("severity:>=3 -status:closed owner:nora")
    query.press("Enter")
    expect(page.get_by_text("The query could not be parsed")).to_have_count(0)
    expect(page.get_by_text("2 incidents", exact=True)).to_be_visible()
    expect(query).to_be_focused()

    page.go_back()
    page.go_back()
    expect(listed).to_have_count(30)
    page.get_by_role("link", name="Next page").click()
    expect(listed).to_have_count(5)
    page.get_by_label("Order").select_option("Most severe")
    expect(listed.first).to_contain_text("Critical")


def test_an_incident_and_the_way_back(page_client: PageClient, open_page: OpenPage) -> None:
    """
    Given: a mirrored incident.
    When: it is opened from a search.
    Then: its sections are there, and the way back.
    """
    tenant = page_client.tenant
    tenant.create_incident({"name": "Other"})
    custom = {
        "xsoarmirroringstate": "Behind",
        "xsoarmirroringremotelink": "https://remote.example/#/Details/41",
        "xsoarmirroringlastin": "2026-11-22T10:00:00Z",
        "xsoarmirroringerrorout": "The remote refused the key.",
        "ticket": "HQ-1",
    }
    mirror = {
        "dbotMirrorId": "41",
        "dbotMirrorInstance": "Customer",
        "dbotMirrorDirection": "Both",
        "dbotMirrorTags": ["ToRemote"],
    }
    tenant.create_incident({"name": "Beacon", "details": "Seen on twelve hosts.", "CustomFields": custom, **mirror})
    page = open_page(page_client, "#/?query=name:Beacon")

    page.get_by_role("link", name="#2 Beacon").click()

    expect(page.get_by_role("heading", name="#2 Beacon", level=1)).to_be_visible()
    mirroring = page.get_by_role("region", name="Mirroring")
    for text in ("Behind", "41", "Customer", "Both", "ToRemote", "2026-11-22 10:00:00", "The remote refused the key."):
        expect(mirroring).to_contain_text(text)
    link = mirroring.get_by_role("link", name="https://remote.example/#/Details/41")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    expect(page.get_by_role("region", name="Details")).to_contain_text("Seen on twelve hosts.")
    expect(page.get_by_role("region", name="Custom fields")).to_contain_text("HQ-1")
    page.get_by_role("link", name="All incidents").click()
    expect(page.get_by_role("searchbox", name="Query")).to_have_value("name:Beacon")
    expect(page.get_by_role("list", name="Incidents").locator("> li")).to_have_count(1)


def test_the_page_of_an_instance(serve_page: Serve, open_page: OpenPage, make_incident: MakeIncident) -> None:
    """
    Given: a mirrored incident, and an instance with a drift.
    When: one goes from the incident to its instance, compares, repairs, and goes back by what crossed.
    Then: each step shows what it should.
    """
    pairs = SomePairs(crossings=[crossing("41", "in", "entry", "7@41")], drifts=[drift("41", "changed")])
    client = serve_page(pairs=pairs)
    make_incident(client.tenant, dbotMirrorId="41", dbotMirrorInstance="Customer")
    make_incident(client.tenant, name="Other")
    page = open_page(client, "#/incident/1")

    page.get_by_role("link", name="How Customer is doing").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Mirroring: Customer")
    expect(page.get_by_role("list", name="State")).to_have_text("Running")
    expect(page.get_by_role("main")).to_contain_text("1 min 30 s")
    expect(page.get_by_role("list", name="What crossed")).to_contain_text("#41 entry 7@41")
    expect(page.get_by_role("region", name="In step?")).to_contain_text("Not compared yet.")

    page.get_by_role("button", name="Compare all incidents").click()
    expect(page.get_by_role("status")).to_have_text("1 of 12 incidents differ.")
    drifts = page.get_by_role("list", name="Incidents that differ")
    expect(drifts).to_contain_text("Repair sets it right.")
    page.get_by_role("button", name="Compare and repair").click()
    expect(drifts).to_contain_text("The next rounds bring it.")

    page.get_by_role("list", name="What crossed").get_by_role("link").click()
    found = page.get_by_role("list", name="Incidents").get_by_role("link")
    expect(found).to_have_count(1)
    expect(found).to_have_text("#1 Beacon")


def test_the_mirroring_is_found_from_the_list(serve_page: Serve, open_page: OpenPage) -> None:
    """
    Given: two instances.
    When: one goes from the list to the mirroring, and to the other instance.
    Then: each is shown, and one that cannot tell how it is says why.
    """
    pairs = SomePairs(instances=["Customer", "North/East"])
    page = open_page(serve_page(pairs=pairs))

    page.get_by_role("link", name="Mirroring", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Mirroring: Customer")
    pairs.trouble = "Set the parameter url."
    page.get_by_role("navigation", name="Instances").get_by_role("link", name="North/East").click()
    expect(page.get_by_role("alert").filter(has_text="Set the parameter url.")).to_be_visible()
    expect(page.get_by_role("button", name="Compare all incidents")).to_be_hidden()


def test_what_an_instance_tells_is_text(serve_page: Serve, open_page: OpenPage) -> None:
    """
    Given: an instance whose name and words are full of HTML, script and quotes.
    When: it is compared and shown.
    Then: they are texts.
    """
    pairs = SomePairs(
        instances=list(HOSTILE),
        crossings=[crossing(text, text, text, text, text) for text in HOSTILE],
        drifts=[drift(text, text, text, (text,)) for text in HOSTILE],
    )
    page = open_page(serve_page(pairs=pairs), "#/mirroring")

    page.get_by_role("button", name="Compare all incidents").click()
    expect(page.get_by_role("list", name="Incidents that differ").locator("> li")).to_have_count(len(HOSTILE))

    for text in HOSTILE:
        expect(page.get_by_role("navigation", name="Instances")).to_contain_text(text)
    assert page.evaluate("window.ran") is None
    assert page.locator("main").locator("img, svg, script, iframe, object, embed, style, link, base").count() == 0


def test_a_tenant_that_mirrors_nothing(page_client: PageClient, open_page: OpenPage) -> None:
    """
    Given: a tenant without instances.
    When: its mirroring is opened.
    Then: one sentence says so.
    """
    page = open_page(page_client, "#/mirroring")

    expect(page.get_by_text("No instance of this tenant mirrors incidents.")).to_be_visible()


def test_an_unknown_incident(page_client: PageClient, open_page: OpenPage) -> None:
    """
    Given: an address of an incident that does not exist.
    When: it is opened.
    Then: one sentence says so, until there is one.
    """
    page = open_page(page_client, "#/incident/1")
    expect(page.get_by_role("alert").filter(has_text="Could not find incident 1")).to_be_visible()

    page_client.tenant.create_incident({"name": "Late"})

    expect(page.get_by_role("heading", name="#1 Late")).to_be_visible()
    expect(page.get_by_text("Could not find incident 1")).to_have_count(0)


@pytest.mark.parametrize(("version", "path"), [("6.12.0", "#/Details/1"), ("8.8.0", "Details/1")])
def test_the_remote_link_leads_to_the_remote_s_page(serve_page: Serve, open_page: OpenPage, version: str, path: str) -> None:
    """
    Given: an incident with a link to its remote one.
    When: it is followed.
    Then: the remote tenant's page shows that one.
    """
    here, there = serve_page("here"), serve_page("there", version=version)
    there.tenant.create_incident({"name": "Remote one"})
    here.tenant.create_incident({"name": "Mirror", "CustomFields": {"xsoarmirroringremotelink": f"{there.address}/{path}"}})
    page = open_page(here, "#/incident/1")
    other = page.context.new_page()
    other.goto(page_address(there.address, TOKEN))
    expect(other.get_by_role("banner")).to_contain_text("there")

    with page.expect_popup() as opened:
        page.get_by_role("link", name=there.address).click()

    expect(opened.value.get_by_role("heading", name="#1 Remote one")).to_be_visible()
    expect(opened.value.get_by_role("banner")).to_contain_text("there")


def test_what_happens_elsewhere_appears_and_what_is_typed_stays(
    page_client: PageClient, open_page: OpenPage, make_incident: MakeIncident
) -> None:
    """
    Given: an incident that is being worked on: a text, tags and a field are typed, an editor is open, the page is scrolled.
    When: entries are written, tagged and fields changed elsewhere.
    Then: all of it appears by itself, and what is typed, the focus and the place on the page stay.
    """
    tenant = page_client.tenant
    incident_id = make_incident(tenant, owner="hanna", details="old")
    for number in range(20):
        tenant.add_entry(incident_id, contents=f"entry {number}", user="carla")
    page = open_page(page_client, f"#/incident/{incident_id}")
    page.get_by_label("Text", exact=True).fill("half a sen")
    page.get_by_role("combobox", name="Tags").fill("ToRem")
    page.get_by_role("button", name="Edit fields").click()
    page.get_by_label("Owner").fill("hugo")
    entry(page, 5).get_by_role("button", name="Tags of entry 5").click()
    box = page.get_by_label("Add a tag")
    box.press_sequentially("tri")
    place = box.evaluate("element => element.getBoundingClientRect().top")

    tenant.add_entry(incident_id, contents="**News** from elsewhere", format="markdown", user="carl", note=True)
    tenant.change_entry(f"5@{incident_id}", tags=["FromRemote"])
    tenant.change_incident(incident_id, {"owner": "nora", "details": "new", "severity": 4})

    expect(entry(page, 21)).to_contain_text("News from elsewhere")
    expect(entry(page, 21).get_by_role("list", name="Marks")).to_contain_text("Note")
    expect(entry(page, 5).get_by_role("list", name="Tags", exact=True)).to_contain_text("FromRemote")
    expect(page.get_by_role("region", name="Fields", exact=True)).to_contain_text("Critical")
    expect(page.get_by_role("status")).to_have_text("1 new entry")
    expect(box).to_be_focused()
    assert box.evaluate("element => [element.selectionStart, element.value]") == [3, "tri"]
    assert abs(box.evaluate("element => element.getBoundingClientRect().top") - place) < 40  # a line of tags grew above it
    expect(page.get_by_label("Text", exact=True)).to_have_value("half a sen")
    expect(page.get_by_role("combobox", name="Tags")).to_have_value("ToRem")
    expect(page.get_by_label("Owner")).to_have_value("hugo")
    expect(page.get_by_role("form", name="Edit fields").get_by_label("Details")).to_have_value("new")  # nobody touched it here


def test_a_list_that_is_looked_at_follows(page_client: PageClient, open_page: OpenPage) -> None:
    """
    Given: the open list.
    When: incidents are created and closed elsewhere.
    Then: it shows by itself, and the query stays.
    """
    page_client.tenant.create_incident({"name": "First"})
    page = open_page(page_client)
    expect(page.get_by_role("link", name="#1 First")).to_be_visible()
    page.get_by_role("searchbox", name="Query").fill("half typed")
    page.get_by_role("link", name="#1 First").focus()

    page_client.tenant.create_incident({"name": "Second"})
    page_client.tenant.close_incident("1")

    rows = page.get_by_role("list", name="Incidents").locator("> li")
    expect(rows).to_contain_text(["#2 Second", "Closed"])
    expect(page.get_by_role("link", name="#1 First")).to_be_focused()
    expect(page.get_by_role("searchbox", name="Query")).to_have_value("half typed")


def test_tagging_by_keyboard_only(page_client: PageClient, open_page: OpenPage, make_incident: MakeIncident) -> None:
    """
    Given: an entry.
    When: an analyst opens it and tags it without a mouse.
    Then: the tags are set, and removed the same way.
    """
    tenant = page_client.tenant
    incident_id = make_incident(tenant)
    entry_id = tenant.add_entry(incident_id, contents="so", user="carla", tags=["old"])["id"]
    page = open_page(page_client)
    expect(page.get_by_role("link", name="#1 Beacon")).to_be_visible()

    press_until(page, "Tab", page.get_by_role("link", name="#1 Beacon"))
    page.keyboard.press("Enter")
    expect(entry(page, 1)).to_be_visible()
    press_until(page, "Tab", page.get_by_role("button", name="Tags of entry 1"))
    page.keyboard.press("Enter")
    expect(page.get_by_label("Add a tag")).to_be_focused()
    page.keyboard.type("ToRemote")
    page.keyboard.press("Enter")

    shown = entry(page, 1).get_by_role("list", name="Tags", exact=True)
    expect(shown).to_have_text("oldToRemote")
    expect(page.get_by_role("status")).to_have_text("The tag ToRemote was added.")
    expect(page.get_by_label("Add a tag")).to_be_focused()
    assert tenant.entry(entry_id)["tags"] == ["old", "ToRemote"]

    press_until(page, "Shift+Tab", page.get_by_role("button", name="Remove tag old"))
    page.keyboard.press("Enter")
    expect(shown).to_have_text("ToRemote")
    expect(page.get_by_label("Add a tag")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Tags of entry 1")).to_be_focused()
    assert tenant.entry(entry_id)["tags"] == ["ToRemote"]


FOCUS_SHOWS = """() => {
  const focused = document.activeElement;
  const outlined = (element) => element !== null && getComputedStyle(element).outlineStyle !== "none";
  return focused === document.body || outlined(focused) || outlined(focused.closest(".incident"));
}"""


def press_until(page: Page, key: str, wanted: Locator) -> None:
    """Press a key until what is wanted has the focus; every stop on the way must show that it has it."""
    for _ in range(60):
        page.keyboard.press(key)
        assert page.evaluate(FOCUS_SHOWS), page.evaluate("document.activeElement.outerHTML")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError("The keyboard does not get there.")


def test_the_link_to_the_content(page_client: PageClient, open_page: OpenPage) -> None:
    """
    Given: the page.
    When: the first link is followed by keyboard.
    Then: the content has the focus and the view stays.
    """
    page = open_page(page_client)
    expect(page.get_by_text("This tenant has no incidents yet.")).to_be_visible()

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.get_by_role("main")).to_be_focused()
    expect(page.get_by_role("heading", name="Incidents")).to_be_visible()


def test_a_chat_a_note_and_a_file(
    page_client: PageClient, open_page: OpenPage, make_incident: MakeIncident, tmp_path: Path
) -> None:
    """
    Given: an open War Room.
    When: a chat, a note in Markdown and a file are added with tags.
    Then: they stand there at once.
    """
    tenant = page_client.tenant
    incident_id = make_incident(tenant)
    page = open_page(page_client, f"#/incident/{incident_id}")
    add = page.get_by_role("button", name="Add entry")
    text = page.get_by_label("Text", exact=True)

    add.click()
    expect(page.get_by_role("alert").filter(has_text="The entry needs a text or a file.")).to_be_visible()
    text.fill("Twelve hosts.")
    page.get_by_role("combobox", name="Tags").fill("ToRemote, triage")
    text.press("Control+Enter")
    expect(entry(page, 1)).to_contain_text("Twelve hosts.")
    expect(entry(page, 1).get_by_role("list", name="Tags")).to_have_text("ToRemotetriage")
    expect(text).to_have_value("")
    expect(text).to_be_focused()

    text.fill("**Isolated** mx1")
    page.get_by_role("checkbox", name="Note").check()
    page.get_by_role("checkbox", name="Markdown").check()
    add.click()
    expect(entry(page, 2).get_by_role("list", name="Marks")).to_have_text("Note")
    expect(entry(page, 2).locator("strong").filter(has_text="Isolated")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("The note was added.")
    expect(page.get_by_role("checkbox", name="Note")).not_to_be_checked()

    (tmp_path / "list.csv").write_bytes(b"address\n203.0.113.7\n")
    page.get_by_label("File").set_input_files(tmp_path / "list.csv")
    text.fill("The blocklist")
    page.get_by_role("combobox", name="Tags").fill("ToRemote")
    add.click()
    expect(entry(page, 3)).to_contain_text("The blocklist")
    with page.expect_download() as download:
        entry(page, 3).get_by_role("link", name="list.csv").click()
    assert download.value.suggested_filename == "list.csv"
    assert download.value.path().read_bytes() == b"address\n203.0.113.7\n"
    assert [found["tags"] for found in tenant.entries(incident_id)] == [["ToRemote", "triage"], None, ["ToRemote"]]


def test_an_entry_is_shared(
    serve_page: Serve, open_page: OpenPage, make_incident: MakeIncident, picture: Callable[[Page, str], None], tmp_path: Path
) -> None:
    """
    Given: an incident whose entries can go to another tenant.
    When: a note, then a file with a tag of its own, are added with the box ticked, and a chat without.
    Then: the first two carry the tag, and the box is clear again each time; the chat is shared later on by a button.
    """
    client = serve_page(sharing=lambda incident: Shared([Share("Customer", "ToRemote")]))
    incident_id = make_incident(client.tenant)
    page = open_page(client, f"#/incident/{incident_id}", viewport={"width": 375, "height": 800})
    text, box = page.get_by_label("Text", exact=True), page.get_by_role("checkbox", name="Mirror to Customer", exact=True)
    add = page.get_by_role("button", name="Add entry")

    text.fill("Twelve hosts.")
    page.get_by_role("checkbox", name="Note").check()
    box.focus()
    page.keyboard.press("Space")
    picture(page, "sharing-phone")
    text.press("Control+Enter")
    expect(entry(page, 1).get_by_role("list", name="Tags")).to_have_text("ToRemote")
    expect(box).not_to_be_checked()

    (tmp_path / "list.csv").write_bytes(b"address\n")
    page.get_by_label("File").set_input_files(tmp_path / "list.csv")
    page.get_by_role("combobox", name="Tags").fill("triage")
    box.check()
    add.click()
    expect(entry(page, 2)).to_contain_text("list.csv")
    expect(text).to_be_focused()
    text.fill("Internal.")
    add.click()
    expect(entry(page, 3)).to_contain_text("Internal.")
    assert [found["tags"] for found in client.tenant.entries(incident_id)] == [["ToRemote"], ["ToRemote", "triage"], None]

    page.get_by_role("button", name="Tags of entry 3").click()
    share = page.get_by_role("list", name="Sharing of entry 3").get_by_role("button", name="Mirror to Customer")
    share.click()
    expect(entry(page, 3).get_by_role("list", name="Tags", exact=True)).to_have_text("ToRemote")
    expect(share).to_have_count(0)
    page.get_by_role("button", name="Remove tag ToRemote").click()
    expect(share).to_be_visible()


def test_a_new_incident_by_keyboard(page_client: PageClient, open_page: OpenPage, picture: Callable[[Page, str], None]) -> None:
    """
    Given: a phone's window, and no pointer.
    When: a new incident is begun and given up, then begun again, and sent.
    Then: the form is empty the second time, and the new incident is open; the way back leads to the list with the form folded.
    """
    page = open_page(page_client, viewport={"width": 375, "height": 800})
    button, form = page.get_by_role("button", name="New incident"), page.get_by_role("form", name="New incident")
    press_until(page, "Tab", button)
    page.keyboard.press("Enter")
    expect(form.get_by_label("Name")).to_be_focused()
    page.keyboard.type("half a na")
    page.keyboard.press("Escape")
    expect(form).to_be_hidden()
    expect(button).to_be_focused()

    page.keyboard.press("Enter")
    expect(form.get_by_label("Name")).to_have_value("")
    page.keyboard.type('<b>"Beacon"')
    page.keyboard.press("Tab")
    page.keyboard.type("Phishing")
    page.keyboard.press("Tab")
    page.keyboard.type("High")
    page.keyboard.press("Tab")
    page.keyboard.type("Twelve hosts.")
    picture(page, "new-incident-phone")
    press_until(page, "Tab", form.get_by_role("button", name="Create"))
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text('#1 <b>"Beacon"')
    expect(page.get_by_role("status")).to_have_text("The incident was created.")
    expect(page.get_by_role("form", name="Add to the War Room")).to_be_visible()
    made = page_client.tenant.incident("1")
    assert (made["type"], made["severity"], made["details"]) == ("Phishing", 3, "Twelve hosts.")
    page.go_back()
    expect(page.get_by_role("link", name='#1 <b>"Beacon"')).to_be_visible()
    expect(form).to_be_hidden()


def test_a_new_incident_that_is_refused(page_client: PageClient, open_page: OpenPage) -> None:
    """
    Given: a name of blanks only.
    When: it is sent.
    Then: one sentence says why not, and what was typed stays.
    """
    page = open_page(page_client)
    page.get_by_role("button", name="New incident").click()
    form = page.get_by_role("form", name="New incident")
    form.get_by_label("Name").fill("  ")
    form.get_by_label("Details").fill("Twelve hosts.")

    form.get_by_role("button", name="Create").click()

    expect(form.get_by_role("alert")).to_have_text("The incident needs a name.")
    expect(form.get_by_label("Details")).to_have_value("Twelve hosts.")


def test_an_entry_is_edited_and_marked(page_client: PageClient, open_page: OpenPage, make_incident: MakeIncident) -> None:
    """
    Given: an entry.
    When: its text is edited and it is marked as a note.
    Then: it shows so; a command cannot be edited.
    """
    tenant = page_client.tenant
    incident_id = make_incident(tenant)
    entry_id = tenant.add_entry(incident_id, contents="tyop", user="carla")["id"]
    tenant.add_entry(incident_id, contents="!ip", category="commandAndResults")
    page = open_page(page_client, f"#/incident/{incident_id}")

    page.get_by_role("button", name="Edit entry 1").click()
    page.get_by_label("New text").fill("typo")
    page.get_by_role("button", name="Save").click()
    expect(entry(page, 1)).to_contain_text("typo")
    expect(page.get_by_label("New text")).to_have_count(0)
    page.get_by_role("button", name="Mark as note: entry 1").click()
    expect(entry(page, 1).get_by_role("list", name="Marks")).to_have_text("NoteEdited")
    expect(page.get_by_role("button", name="Unmark note: entry 1")).to_be_focused()

    assert (tenant.entry(entry_id)["contents"], tenant.entry(entry_id)["note"]) == ("typo", True)
    expect(page.get_by_role("button", name="Edit entry 2")).to_have_count(0)


def test_fields_closing_and_reopening(page_client: PageClient, open_page: OpenPage, make_incident: MakeIncident) -> None:
    """
    Given: an incident.
    When: its fields are changed, it is closed and reopened.
    Then: the page and the tenant follow.
    """
    tenant = page_client.tenant
    incident_id = make_incident(tenant, details="line\nline")
    page = open_page(page_client, f"#/incident/{incident_id}")
    title = page.get_by_role("heading", level=1)

    page.get_by_role("button", name="Edit fields").click()
    form = page.get_by_role("form", name="Edit fields")
    expect(form.get_by_label("Name")).to_be_focused()
    form.get_by_label("Name").fill("Beacons")
    form.get_by_label("Severity").select_option("High")
    form.get_by_role("button", name="Save").click()
    expect(title).to_have_text("#1 Beacons")
    expect(form).to_be_hidden()
    expect(page.get_by_role("button", name="Edit fields")).to_be_focused()
    changed = tenant.incident(incident_id)
    assert (changed["severity"], changed["details"]) == (3, "line\nline")

    page.get_by_role("button", name="Close incident").click()
    form = page.get_by_role("form", name="Close incident")
    form.get_by_label("Reason").fill("Resolved")
    form.get_by_label("Close notes").fill("All clean.")
    form.get_by_role("button", name="Close incident").click()
    state = page.get_by_role("list", name="State", exact=True)
    expect(state).to_contain_text("Closed")
    expect(page.get_by_role("region", name="War Room")).to_contain_text("This incident is closed: reopen it")
    expect(page.get_by_role("form", name="Add to the War Room")).to_be_hidden()
    expect(page.get_by_role("button", name="Reopen")).to_be_focused()
    closed = tenant.incident(incident_id)
    assert (closed["status"], closed["closeReason"], closed["closeNotes"]) == (2, "Resolved", "All clean.")

    page.get_by_role("button", name="Reopen").click()
    expect(state).to_contain_text("Active")
    expect(page.get_by_role("form", name="Add to the War Room")).to_be_visible()
    assert tenant.incident(incident_id)["status"] == 1


def test_closed_elsewhere_while_a_text_is_typed(
    page_client: PageClient, open_page: OpenPage, make_incident: MakeIncident
) -> None:
    """
    Given: a text being typed.
    When: the incident is closed elsewhere.
    Then: the text stays, with the reason why it cannot go.
    """
    incident_id = make_incident(page_client.tenant)
    page = open_page(page_client, f"#/incident/{incident_id}")
    page.get_by_label("Text", exact=True).fill("half a sen")

    page_client.tenant.close_incident(incident_id)

    expect(page.get_by_role("button", name="Reopen")).to_be_visible()
    page.get_by_role("button", name="Add entry").click()
    expect(page.get_by_role("alert").filter(has_text="This incident is closed")).to_be_visible()
    expect(page.get_by_label("Text", exact=True)).to_have_value("half a sen")


def test_forms_do_not_carry_over_to_another_incident(
    page_client: PageClient, open_page: OpenPage, make_incident: MakeIncident
) -> None:
    """
    Given: a text typed at one incident.
    When: another is opened.
    Then: its forms are empty: nothing goes to the wrong one.
    """
    make_incident(page_client.tenant, owner="hanna"), make_incident(page_client.tenant, owner="nora")
    page = open_page(page_client, "#/incident/1")
    page.get_by_label("Text", exact=True).fill("for the first")
    page.get_by_role("button", name="Edit fields").click()
    page.get_by_label("Owner").fill("hugo")

    page.goto(f"{page_client.address}/web/#/incident/2")

    expect(page.get_by_role("heading", name="#2 Beacon")).to_be_visible()
    expect(page.get_by_label("Text", exact=True)).to_have_value("")
    page.get_by_role("button", name="Edit fields").click()
    expect(page.get_by_label("Owner")).to_have_value("nora")


def test_older_entries(page_client: PageClient, open_page: OpenPage, make_incident: MakeIncident) -> None:
    """
    Given: a long War Room.
    When: it is opened.
    Then: it shows the newest entries, and the others when asked.
    """
    incident_id = make_incident(page_client.tenant)
    with page_client.tenant.batch():
        for number in range(205):
            page_client.tenant.add_entry(incident_id, contents=f"entry {number}", user="carla")
    page = open_page(page_client, f"#/incident/{incident_id}")
    entries = page.get_by_role("list", name="Entries, newest first").locator("> li")
    expect(entries).to_have_count(200)

    page.get_by_role("button", name="Show older entries (5)").click()

    expect(entries).to_have_count(205)
    expect(page.get_by_role("button", name="Show older entries")).to_have_count(0)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_texts_and_run_nothing(page_client: PageClient, open_page: OpenPage, text: str) -> None:
    """
    Given: an incident and entries full of HTML, script and quotes.
    When: they are shown.
    Then: they are texts.
    """
    tenant = page_client.tenant
    fields = {"name": text, "details": text, "owner": text, "type": text, "dbotMirrorTags": [text], "rawJSON": text}
    custom = {
        "xsoarmirroringstate": text,
        "xsoarmirroringremotelink": text,
        "xsoarmirroringerrorin": text,
        text: [text],
        "x": {text: text},
    }
    tenant.create_incident({**fields, "CustomFields": custom}, attachments=[(text, b"x")])
    for text_format in ("text", "html", "markdown", "json"):
        tenant.add_entry("1", contents=text, format=text_format, user=text, tags=[text], file=(text, b"<script>1</script>"))
    tenant.add_entry("1", contents=text, user=text)
    page = open_page(page_client)

    page.get_by_role("list", name="Incidents").get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"#1 {text}")
    expect(entry(page, 2)).to_contain_text(text)
    expect(page.get_by_role("region", name="Mirroring")).to_contain_text(text)
    entry(page, 2).get_by_role("button", name="Tags of entry 2").click()
    expect(page.get_by_role("button", name=f"Remove tag {text}")).to_be_visible()
    entry(page, 6).get_by_role("button", name="Edit entry 6").click()
    expect(page.get_by_label("New text")).to_have_value(text)
    page.get_by_text("All other fields").click()

    assert page.evaluate("window.ran") is None
    assert page.locator("main").locator("img, svg, script, iframe, object, embed, style, link, base").count() == 0
    handlers = "() => [...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames()).filter(n => n.startsWith('on'))"
    assert page.evaluate(handlers) == []
    links = page.locator("a[href]").evaluate_all("links => links.map(link => link.protocol)")
    assert set(links) <= {"http:", "https:"}
    page.get_by_role("link", name="All incidents").click()
    expect(page.get_by_role("list", name="Incidents").get_by_role("link").first).to_contain_text(text)
    assert page.evaluate("window.ran") is None


def test_the_tenant_is_away_for_a_while(page_client: PageClient, open_page: OpenPage) -> None:
    """
    Given: an open page.
    When: its tenant does not answer.
    Then: it says so, keeps what it shows, and goes on when it is back.
    """
    page_client.tenant.create_incident({"name": "First"})
    page = open_page(page_client)
    expect(page.get_by_role("link", name="#1 First")).to_be_visible()

    page.route("**/api/**", lambda route: route.fulfill(status=503, body="<html>Maintenance</html>"))
    expect(page.get_by_text("No answer, trying again")).to_be_visible()
    expect(page.get_by_role("link", name="#1 First")).to_be_visible()
    page_client.tenant.create_incident({"name": "Second"})
    page.unroute("**/api/**")

    expect(page.get_by_role("link", name="#2 Second")).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()


def test_a_restarted_tenant_locks_the_page(page_client: PageClient, open_page: OpenPage) -> None:
    """
    Given: an open page.
    When: its session is not known any more.
    Then: it shows nothing but what to do.
    """
    page_client.tenant.create_incident({"name": "First"})
    page = open_page(page_client)
    expect(page.get_by_role("link", name="#1 First")).to_be_visible()

    page.context.clear_cookies()

    expect(page.get_by_role("heading", name="This page is locked")).to_be_visible()
    expect(page.get_by_role("link", name="#1 First")).to_be_hidden()


@pytest.mark.parametrize(
    ("zone", "shown"),
    [("UTC", "13:30:00 UTC"), ("Asia/Kolkata", "19:00:00 UTC+05:30"), ("America/St_Johns", "10:00:00 UTC-03:30")],
)
def test_times_are_told_with_their_zone(
    page_client: PageClient, open_page: OpenPage, make_incident: MakeIncident, zone: str, shown: str
) -> None:
    """
    Given: a time of an incident, and browsers in different time zones.
    When: the incident is opened.
    Then: the time is that of the browser, with its offset.
    """
    incident_id = make_incident(page_client.tenant, occurred="2026-01-05T13:30:00Z")

    page = open_page(page_client, f"#/incident/{incident_id}", timezone_id=zone)

    expect(page.get_by_text(f"2026-01-05 {shown}", exact=True)).to_be_visible()
