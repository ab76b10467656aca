"""How the page looks and reads: in dark and light, wide and narrow, and to those who do not see it."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from local_xsoar.tenant import Tenant
from local_xsoar.tenant.samples import load_samples
from local_xsoar.tenant.web import Share, Shared
from local_xsoar.tests.web.browser.conftest import OpenPage
from local_xsoar.tests.web.conftest import Serve
from local_xsoar.tests.web.web_client import STATUS, PageClient, SomePairs, crossing, drift

SIZES = {"wide": (1360, 900), "half": (800, 900), "phone": (375, 800)}
CROSSED = (("severity, details", "crossed"), ("ticket", "already there"), ("severity", "refused"), ("owner", "as a note"))
LONG = "A-name-without-a-single-space-that-is-much-longer-than-a-narrow-window-is-wide-" * 2


def fill(tenant: Tenant) -> str:
    """Fill a tenant with samples and a mirrored incident that has everything a page can show; return its id."""
    load_samples(tenant, 12)
    custom = {
        "xsoarmirroringstate": "Error",
        "xsoarmirroringremotelink": "https://xsoar.customer.example/#/Details/41",
        "xsoarmirroringremotetenant": "customer (6.12.0)",
        "xsoarmirroringlastin": "2026-11-22T10:00:00Z",
        "xsoarmirroringlastout": "2026-11-22T10:03:00Z",
        "xsoarmirroringerrorin": "The remote answered 503 three times; the next round tries again.",
        "ticket": "HQ-1042",
        "longone": LONG,
        "timer": {"run": {"since": 1}},
    }
    mirror = {
        "dbotMirrorId": "41",
        "dbotMirrorInstance": "Customer",
        "dbotMirrorDirection": "Both",
        "dbotMirrorTags": ["ToRemote"],
    }
    fields = {"name": "Sign-in to the payroll portal, then an export of all contacts", "severity": 4, "owner": "hanna"}
    details = "Seen on twelve more hosts.\nThe customer asks for a call before anything is blocked."
    incident = tenant.create_incident(
        {**fields, **mirror, "details": details, "CustomFields": custom}, attachments=[("a.txt", b"a")]
    )
    assert incident is not None
    incident_id = str(incident["id"])
    tenant.add_entry(
        incident_id, contents="Twelve hosts call the same address.", user="carla", tags=["FromRemote"], mirrored=True
    )
    markdown = (
        "## Findings\n\n**Isolated** `mx1`, see [the runbook](https://wiki.example/run).\n\n|host|state|\n|-|-|\n|mx1|isolated|\n"
    )
    tenant.add_entry(incident_id, contents=markdown, format="markdown", user="carl", note=True, tags=["triage"])
    tenant.add_entry(incident_id, contents={"IP": {"Address": LONG}}, format="json", category="commandAndResults")
    tenant.add_entry(incident_id, contents="The engine timed out.", entry_type=4)
    tenant.add_entry(incident_id, contents=LONG, user="hugo", file=(f"{LONG}.csv", b"address\n" * 300), tags=["ToRemote", LONG])
    return incident_id


def open_all(page: Page) -> None:
    """Unfold every form and section of an incident's page."""
    page.get_by_role("button", name="Edit fields").click()
    page.get_by_role("button", name="Close incident").click()
    page.get_by_role("button", name="Tags of entry 2").click()
    page.get_by_text("All other fields").click()


def faults(page: Page) -> list[dict[str, Any]]:
    """Return what axe-core finds against WCAG 2.2 AA and good practice."""
    found = Axe().run(page).response["violations"]
    return [{"id": fault["id"], "where": [node["html"][:200] for node in fault["nodes"]]} for fault in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_readable_in_each_window(
    serve_page: Serve, open_page: OpenPage, picture: Callable[[Page, str], None], size: str, scheme: str
) -> None:
    """
    Given: a window of any width, dark or light.
    When: list and incident are open.
    Then: all fits, has names and contrast.
    """
    client = serve_page(sharing=lambda incident: Shared([Share("Customer", "ToRemote"), Share(LONG, LONG)]))
    incident_id = fill(client.tenant)
    width, height = SIZES[size]
    page = open_page(client, viewport={"width": width, "height": height}, color_scheme=scheme)
    expect(page.get_by_role("list", name="Incidents").locator("> li")).to_have_count(13)
    page.get_by_role("button", name="New incident").click()
    picture(page, f"list-{scheme}-{size}")
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    page.goto(f"{client.address}/web/#/incident/{incident_id}")
    expect(page.get_by_role("button", name="Tags of entry 6")).to_be_visible()
    picture(page, f"incident-{scheme}-{size}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    open_all(page)
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    picture(page, f"incident-open-{scheme}-{size}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_a_pair_is_readable_in_each_window(
    serve_page: Serve, open_page: OpenPage, picture: Callable[[Page, str], None], size: str, scheme: str
) -> None:
    """
    Given: a window of any width, dark or light.
    When: the page of an instance with everything that it can show is open.
    Then: all fits, has names and contrast.
    """
    crossings = [crossing("4", way, "fields", what, outcome) for way in ("in", "out") for what, outcome in CROSSED]
    decide = "Let the role of the key see the incident again or, if it was deleted there, run xsoar-mirror-stop for it."
    drifts = [drift("3", "gone", decide), drift("4", "entry missing", entries=("7@4", LONG))]
    status = {**STATUS, "RemoteError": LONG, "LastError": LONG, "LastErrorTime": "2026-11-22T10:00:00Z"}
    client = serve_page(pairs=SomePairs(["Customer", LONG], status, crossings, drifts))
    width, height = SIZES[size]
    page = open_page(client, "#/mirroring", viewport={"width": width, "height": height}, color_scheme=scheme)
    page.get_by_role("button", name="Compare all incidents").click()
    expect(page.get_by_role("list", name="Incidents that differ").locator("> li")).to_have_count(2)

    picture(page, f"mirroring-{scheme}-{size}")
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_dark_is_dark_and_light_is_light(page_client: PageClient, open_page: OpenPage) -> None:
    """
    Given: a browser that prefers dark, then light.
    When: the page is open.
    Then: its ground follows at once.
    """
    page = open_page(page_client, color_scheme="dark")
    lightness = (
        "() => { const c = getComputedStyle(document.body).backgroundColor; return Number(/[\\d.]+/.exec(c.split('(')[1])[0]) }"
    )
    dark = page.evaluate(lightness)
    page.emulate_media(color_scheme="light")

    assert dark < 0.3 < 0.9 < page.evaluate(lightness)


def test_two_tenants_look_different(serve_page: Serve, open_page: OpenPage, picture: Callable[[Page, str], None]) -> None:
    """
    Given: the pages of two tenants.
    When: they are open side by side.
    Then: title, name and colour differ.
    """
    seen = []
    for name in ("headquarters", "customer"):
        client = serve_page(name)
        load_samples(client.tenant, 6)
        page = open_page(client, viewport={"width": 680, "height": 800})
        expect(page.get_by_role("list", name="Incidents").locator("> li")).to_have_count(6)
        expect(page.get_by_role("banner")).to_contain_text(name)
        picture(page, f"tenant-{name}")
        colour = page.get_by_role("button", name="Search").evaluate("element => getComputedStyle(element).backgroundColor")
        seen.append((page.title(), colour))

    assert len({title for title, _ in seen}) == len({colour for _, colour in seen}) == 2


def test_landmarks_and_names(page_client: PageClient, open_page: OpenPage) -> None:
    """
    Given: an incident's page.
    When: it is read by its roles.
    Then: landmarks, headings and every control have their names.
    """
    incident_id = fill(page_client.tenant)
    page = open_page(page_client, f"#/incident/{incident_id}")
    expect(page.get_by_role("button", name="Tags of entry 1")).to_be_visible()
    open_all(page)

    assert page.get_by_role("banner").count() == page.get_by_role("main").count() == 1
    assert page.get_by_role("heading", level=1).count() == 1
    for name in ("Mirroring", "Details", "War Room", "Fields", "Attachments", "Custom fields", "All other fields"):
        expect(page.get_by_role("region", name=name, exact=True)).to_be_visible()
    for name in ("Edit fields", "Close incident", "Add to the War Room", "Tags of entry 2"):
        expect(page.get_by_role("form", name=name)).to_be_visible()
    snapshot = page.locator("body").aria_snapshot()
    nameless = [
        line for line in snapshot.splitlines() if line.strip() in ("- button", "- link", "- textbox", "- combobox", "- checkbox")
    ]
    assert nameless == []


def test_nothing_moves_for_those_who_ask(page_client: PageClient, open_page: OpenPage) -> None:
    """
    Given: a browser that asks for less motion.
    When: the page is open.
    Then: nothing is animated.
    """
    page_client.tenant.create_incident({"name": "x"})
    page = open_page(page_client, reduced_motion="reduce")
    expect(page.get_by_role("link", name="#1 x")).to_be_visible()

    times = "() => [...document.querySelectorAll('*')].map(element => getComputedStyle(element).transitionDuration)"
    assert set(page.evaluate(times)) == {"0s"}
