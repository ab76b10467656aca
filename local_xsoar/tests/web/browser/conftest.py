"""A browser (Debian's Chromium, or another one that CHROMIUM names) that looks at the pages of tenants."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, expect, sync_playwright

from local_xsoar.tenant.web import page_address
from local_xsoar.tests.web.web_client import TOKEN, PageClient

PICTURES = Path(__file__).resolve().parents[4] / "build" / "web"
NAMES = ("chromium", "chromium-browser", "google-chrome")
SWITCHES = ("--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync")

OpenPage = Callable[..., Page]


def find_chromium() -> str:
    """Return the path of the browser."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.fail("There is no Chromium: install it (Debian: apt-get install chromium) or name its path in CHROMIUM.", False)
    return found


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        expect.set_options(timeout=10_000)
        yield started


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    # Root cannot have Chromium's sandbox; nothing but the pages of these tests is opened in it.
    browser = playwright.chromium.launch(executable_path=find_chromium(), args=SWITCHES, chromium_sandbox=os.getuid() != 0)
    yield browser
    browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens a tenant's page, by default with the address that its start prints.

    At the end, no page may have met an error of its script or of its content policy, nor asked anybody but its tenant.
    """
    contexts: list[BrowserContext] = []
    troubles: list[str] = []

    def open_it(client: PageClient, path: str = "", *, locked: bool = False, **settings: Any) -> Page:
        context = browser.new_context(**({"viewport": {"width": 800, "height": 900}, "timezone_id": "UTC"} | settings))
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.extend(_errors(message)))
        page.on("request", lambda request: troubles.extend([] if request.url.startswith(client.address) else [request.url]))
        page.goto(f"{client.address}/web/" if locked else page_address(client.address, TOKEN))
        if path:
            expect(page.get_by_text("Live", exact=True)).to_be_visible()
            page.goto(f"{client.address}/web/{path}")
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert troubles == []


def _errors(message: ConsoleMessage) -> list[str]:
    """Return what is an error of the page; that an answer was a refusal is also logged as one."""
    is_error = message.type in ("error", "warning") and "Failed to load resource" not in message.text
    return [message.text] if is_error else []


@pytest.fixture
def picture() -> Callable[[Page, str], None]:
    """Takes a picture of a page into build/web, to be looked at."""
    PICTURES.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> None:
        page.screenshot(path=PICTURES / f"{name}.png", full_page=True)

    return take
