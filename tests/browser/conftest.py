"""One demo and one headless Chromium for all tests of this folder; every page is watched while it is used."""

from __future__ import annotations

import ipaddress
import os
import shutil
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright
from tests.cli.demo import Demo, start_demo
from tests.conftest import Processes

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --force-color-profile=srgb --font-render-hinting=none"
)
# A loaded machine is slow; nothing here is a judgement of speed.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)

# A declined card is a 402, which Chromium writes to the console by itself; Stripe.js shows the same.
EXPECTED = "Failed to load resource: the server responded with a status of 402 (Payment Required)"
REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (e) => console.error("CSP", e.violatedDirective, e.blockedURI));
"""


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/browser/" in item.nodeid:
            for mark in (pytest.mark.e2e, pytest.mark.browser, pytest.mark.xdist_group("browser")):
                item.add_marker(mark)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, NAMES)), None) or os.environ.get("CHROMIUM")
    if found is None:
        pytest.skip(f"no Chromium: none of {', '.join(NAMES)} is installed, and CHROMIUM names none")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, headless=True, args=FLAGS.split())
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Iterator[Demo]:
    processes = Processes(tmp_path_factory.mktemp("processes"))
    try:
        yield start_demo(processes, tmp_path_factory.mktemp("demo"))
    finally:
        for process in processes.started:
            process.stop()


def _is_loopback(address: str) -> bool:
    parts = urlsplit(address)
    if parts.scheme in {"data", "blob"}:
        return True
    return parts.hostname is not None and ipaddress.ip_address(parts.hostname).is_loopback


@pytest.fixture
def new_page(browser, demo) -> Iterator[Callable[..., Page]]:
    """Open the demo in a new context. At the end nothing may have gone wrong in any of the pages that are watched."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []
    asked: list[str] = []

    def watch(page: Page) -> None:
        def said(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"} and message.text != EXPECTED:
                wrong.append(f"{message.text} at {message.location['url']}")

        page.on("console", said)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))

    def opened(path: str = "/", *, watched: bool = True, **options) -> Page:
        chosen = {"viewport": {"width": 1280, "height": 860}, "locale": "en-GB", "timezone_id": "UTC", **options}
        context = browser.new_context(**chosen)
        contexts.append(context)
        context.add_init_script(REPORT_VIOLATIONS)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        if watched:
            watch(page)
        page.goto(demo.url + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []
    assert [address for address in asked if not _is_loopback(address)] == []


@pytest.fixture
def page(new_page) -> Page:
    """The demo, on a desktop."""
    return new_page()
