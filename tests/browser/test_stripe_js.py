"""With real keys the page loads Stripe.js; here a stub answers in its place, so that nothing leaves this machine."""

from __future__ import annotations

import re

from playwright.sync_api import expect
from tests.cli.demo import start_demo
from tests.cli.test_command_line import TEST_KEYS

STUB = "window.Stripe = (key) => { document.documentElement.dataset.key = key; return {}; };"


def test_real_keys_load_stripe_js_under_the_policy(browser, processes, tmp_path):
    demo = start_demo(processes, tmp_path, env=TEST_KEYS)
    context = browser.new_context()
    loaded, wrong = [], []

    def answer(route):
        loaded.append(route.request.url)
        route.fulfill(status=200, content_type="text/javascript", body=STUB)

    context.route(re.compile(r"^https://"), answer)
    page = context.new_page()
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(demo.url)
    expect(page.get_by_role("complementary")).to_contain_text("Stripe’s test mode. No real money moves.")
    expect(page.get_by_role("heading", name="What would you like to book?")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("data-key", TEST_KEYS["STRIPE_PUBLISHABLE_KEY"])
    context.close()
    assert loaded == ["https://js.stripe.com/v3/"]
    assert wrong == []


def test_a_page_without_stripe_js_says_so(browser, processes, tmp_path):
    demo = start_demo(processes, tmp_path, env=TEST_KEYS)
    context = browser.new_context()
    context.route(re.compile(r"^https://"), lambda route: route.abort())
    page = context.new_page()
    page.goto(demo.url)
    expect(page.get_by_text("Stripe.js could not be loaded from js.stripe.com.")).to_be_visible()
    context.close()
