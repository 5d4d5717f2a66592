"""Whoever uses a keyboard, a screen reader, a phone or a dark screen can pay too; and the pictures for the docs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.browser.steps import (
    DECLINED,
    DISPUTED,
    SUCCESS,
    THREE_DS,
    bank,
    book,
    expect_paid,
    expect_problem,
    expect_told,
    pay,
    refund,
)

pytestmark = pytest.mark.thorough
IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
CONTROLS = {"button", "textbox", "combobox", "radio", "checkbox", "link", "dialog"}
ACTIVE = "document.activeElement"

# What differs in every run, as pictures show it: they change only where the page does.
STILL = """() => {
  document.getElementById("reference").textContent = "b-5e1f0c7a92d4";
  document.querySelectorAll("#timeline time").forEach((time, n) => { time.textContent = `09:41:${String(10 + n)}`; });
  document.activeElement.blur();
  scrollTo(0, 0);
}"""

# Every text against the nearest background behind it (WCAG 2.2, 1.4.3).
CONTRAST = """() => {
  const channels = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const color = channels(getComputedStyle(e).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const weak = [];
  for (const e of document.querySelectorAll("body *")) {
    const text = [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data).join("").trim() || e.value;
    if (!text || !e.checkVisibility() || e.matches("option, script, .visually-hidden, .skip, [type=radio]")) continue;
    const style = getComputedStyle(e);
    const [a, b] = [luminance(channels(style.color)), luminance(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 600);
    if (ratio < (large ? 3 : 4.5)) weak.push(`${e.tagName} ${text.slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return weak;
}"""


def tab_to(page: Page, name: str) -> None:
    """Press Tab until a control has the focus, and see that the focus shows."""
    for _ in range(40):
        page.keyboard.press("Tab")
        text = page.evaluate(f"{ACTIVE}.innerText || {ACTIVE}.labels?.[0]?.innerText || ''")
        if name in text:
            outline = page.evaluate(f"getComputedStyle({ACTIVE}.closest('.service') ?? {ACTIVE}).outlineStyle")
            assert outline == "solid", f"{name} has the focus, and nobody sees it"
            return
    pytest.fail(f"Tab never comes to {name}")


def check_access(page: Page) -> None:
    """Every control has a name, every id is there once, one heading leads, and every text can be read."""
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    nameless = [
        node["role"]["value"]
        for node in tree
        if node.get("role", {}).get("value") in CONTROLS
        and not node.get("ignored")
        and not node["name"]["value"].strip()
    ]
    assert nameless == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert sorted(ids) == sorted(set(ids))
    assert page.evaluate("[...document.querySelectorAll('h1')].filter((e) => e.checkVisibility()).length") == 1
    assert page.evaluate(CONTRAST) == []


def check_width(page: Page) -> None:
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = "[...document.querySelectorAll('main *')].filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.outerHTML.slice(0, 80))"
    assert page.evaluate(wide) == []


def test_the_keyboard_is_enough(page):
    expect(page.get_by_role("heading", name="What would you like to book?")).to_be_visible()
    tab_to(page, "Parking")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="Lounge")).to_be_checked()
    tab_to(page, "Book and go to payment")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Payment")).to_be_focused()
    tab_to(page, "3D Secure")
    page.keyboard.press("Space")
    tab_to(page, "Security code")
    page.keyboard.press("Enter")
    expect(bank(page)).to_be_visible()
    seen = []
    for key in ("Tab", "Tab", "Tab", "Shift+Tab", "Shift+Tab"):
        page.keyboard.press(key)
        seen.append(page.evaluate(f"{ACTIVE}.id"))
    assert set(seen) == {"bank-complete", "bank-fail"}, "the focus left the dialog"
    page.keyboard.press("Escape")
    expect_problem(page, "unable to authenticate")
    tab_to(page, "Pay $45.00")
    page.keyboard.press("Enter")
    expect(bank(page).get_by_role("button", name="Complete")).to_be_focused()
    page.keyboard.press("Enter")
    expect_paid(page)
    expect(page.get_by_role("heading", name="Your booking is confirmed")).to_be_focused()


def test_the_first_tab_offers_to_skip_and_the_booking_stays(page):
    book(page)
    page.reload()
    expect(page.get_by_role("heading", name="Payment")).to_be_visible()
    address = page.url
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    assert page.url == address


def test_screen_readers_hear_what_happens(page):
    heard = page.get_by_role("status").and_(page.locator("#announcer"))
    expect(heard).to_have_attribute("aria-live", "polite")
    book(page)
    expect(heard).to_have_text("The payment is open. Choose a card.")
    pay(page, DECLINED)
    expect(page.get_by_role("alert").filter(has_text="Your card was declined.")).to_be_visible()
    expect(heard).to_have_text("Your card was declined. Nothing was charged.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_every_view_is_readable_and_named(new_page, scheme, width):
    page = new_page(viewport={"width": width, "height": 640}, color_scheme=scheme)
    expect(page.get_by_role("heading", name="What would you like to book?")).to_be_visible()

    def check():
        check_access(page)
        check_width(page)

    check()
    page.get_by_label("Amount").fill("nothing")
    page.get_by_role("button", name="Book and go to payment").click()
    expect(page.get_by_role("alert")).to_be_visible()
    check()
    page.get_by_label("Amount").fill("123456789.01")
    page.get_by_role("button", name="Book and go to payment").click()
    expect(page.get_by_role("heading", name="Payment")).to_be_visible()
    page.get_by_role("button", name="Pay $").click()
    expect(page.get_by_text("card number is incomplete")).to_be_visible()
    check()
    pay(page, DECLINED)
    expect_problem(page, "declined")
    check()
    pay(page, THREE_DS)
    expect(bank(page)).to_be_visible()
    check_width(page)
    page.reload()
    expect(page.get_by_role("heading", name="Your bank still has a question")).to_be_visible()
    check()
    page.get_by_role("button", name="Continue with the bank").click()
    bank(page).get_by_role("button", name="Complete").click()
    expect_paid(page)
    check()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_what_comes_after_paying_is_readable_and_named(new_page, scheme, width):
    page = new_page(viewport={"width": width, "height": 640}, color_scheme=scheme)

    def check():
        check_access(page)
        check_width(page)

    page.get_by_label("Hold it for").select_option("15 minutes")
    book(page)
    expect(page.get_by_role("timer")).to_be_visible()
    check()
    pay(page, SUCCESS)
    expect_paid(page)
    refund(page, "nothing")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    check()
    page.get_by_role("dialog").get_by_label("How much").fill("20")
    page.keyboard.press("Enter")
    expect(page.locator("#payment-status")).to_have_text("Partly refunded")
    check()
    refund(page)
    expect(page.get_by_role("heading", name="Your money goes back to you")).to_be_focused()
    check()
    page.get_by_role("button", name="Book something else").click()
    book(page)
    pay(page, DISPUTED)
    expect(page.get_by_role("heading", name="The payment is disputed")).to_be_visible()
    check()


def test_the_keyboard_is_enough_to_refund(page):
    book(page)
    pay(page, SUCCESS)
    expect_paid(page)
    tab_to(page, "Refund")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Refund this payment?")).to_be_visible()
    seen = []
    for key in ("Tab", "Tab", "Tab", "Shift+Tab", "ArrowDown", "Tab", "Shift+Tab", "Shift+Tab"):
        page.keyboard.press(key)
        seen.append(page.evaluate(f"{ACTIVE}.id"))
    everything = [
        "refund-yes",
        "refund-no",
        "refund-all",
        "refund-no",
        "refund-no",
        "refund-all",
        "refund-no",
        "refund-yes",
    ]
    assert seen == everything, "the focus left the dialog"
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Refund")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="A part of it")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.type("20.50")
    page.keyboard.press("Enter")
    expect_told(page, "Stripe gave 20.50 USD back to the card.")
    expect(page.get_by_role("button", name="Refund")).to_be_focused()


def test_who_asked_for_no_motion_sees_none(new_page):
    page = new_page(reduced_motion="reduce")
    moving = "getComputedStyle(document.querySelector('.spinner')).animationName"
    assert page.evaluate(moving) == "none"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("demo.png", {"viewport": {"width": 1180, "height": 830}}),
        ("demo-phone.png", {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}),
        ("demo-refund.png", {"viewport": {"width": 1180, "height": 830}}),
        ("demo-dispute.png", {"viewport": {"width": 1180, "height": 830}}),
        ("demo-history.png", {"viewport": {"width": 1180, "height": 830}, "color_scheme": "dark"}),
    ],
)
def test_pictures_for_the_docs(new_page, name, options):
    page = new_page(**{"color_scheme": "light", "reduced_motion": "reduce", **options})
    book(page)
    if name == "demo-dispute.png":
        pay(page, DISPUTED)
        expect(page.get_by_role("heading", name="The payment is disputed")).to_be_visible()
        expect_told(page, "The bank took the disputed money back.")
    else:
        pay(page, "Insufficient funds")
        expect_problem(page, "insufficient funds")
        expect_told(page, "A try to pay failed")
    if name in {"demo-phone.png", "demo-refund.png", "demo-history.png"}:
        pay(page, SUCCESS)
        expect_paid(page)
    if name == "demo-history.png":
        refund(page, "20")
        expect_told(page, "Stripe gave 20.00 USD back to the card.")
    if name == "demo-refund.png":
        page.get_by_role("button", name="Refund").click()
        page.get_by_role("radio", name="A part of it").check()
        page.get_by_label("How much").fill("20")
    page.mouse.move(0, 0)
    page.evaluate(STILL)
    picture = page.screenshot(full_page=True, animations="disabled")
    assert len(picture) > 10_000
    assert picture.startswith(b"\x89PNG")
    if os.environ.get("UPDATE_SCREENSHOTS") == "1":
        IMAGES.mkdir(parents=True, exist_ok=True)
        (IMAGES / name).write_bytes(picture)
