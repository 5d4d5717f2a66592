"""The guide's flow in a real browser: every card, every way to leave in the middle."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect
from tests.browser.steps import (
    DECLINED,
    NO_FUNDS,
    SUCCESS,
    THREE_DS,
    bank,
    book,
    expect_paid,
    expect_problem,
    expect_told,
    pay,
    timeline,
    told,
)


def opened_intent(page: Page, act) -> dict:
    """Do something that opens a payment, and return what the airport answered."""
    with page.expect_response("**/payment/create-payment-intent") as answered:
        act()
    return json.loads(answered.value.body())["data"]


def test_it_says_that_it_is_a_fake(page):
    banner = page.get_by_role("complementary", name="About this demo")
    expect(banner).to_contain_text("This is a fake Stripe. No real money moves. Never enter a real card.")


def test_a_good_card_pays(page):
    book(page)
    pay(page, SUCCESS)
    expect_paid(page)
    expect_told(page, "Stripe took $84.00 from your card.")
    assert told(page, "this page") == [
        "You booked parking for $84.00.",
        "The payment is open. Choose a card.",
        "Stripe took $84.00 from your card.",
    ]
    assert told(page, "the airport") == [
        "The airport asks Stripe to open a payment.",
        "Stripe opened it. The card goes to Stripe alone.",
        "The airport confirmed your booking.",
    ]


@pytest.mark.parametrize(
    ("card", "message"), [(DECLINED, "Your card was declined."), (NO_FUNDS, "Your card has insufficient funds.")]
)
def test_a_declined_card_says_why_and_another_one_pays(page, card, message):
    book(page, "Lounge")
    pay(page, card)
    expect_problem(page, message)
    expect_told(page, f"{message} Nothing was charged.")
    expect_told(page, "A try to pay failed")
    pay(page, SUCCESS)
    expect_paid(page)


def test_3d_secure_completed_pays(page):
    book(page)
    pay(page, THREE_DS)
    expect(bank(page)).to_contain_text("$84.00")
    bank(page).get_by_role("button", name="Complete").click()
    expect_paid(page)


@pytest.mark.parametrize("how", ["button", "Escape"])
def test_3d_secure_failed_says_so_and_the_next_attempt_pays(page, how):
    book(page)
    pay(page, THREE_DS)
    expect(bank(page)).to_be_visible()
    if how == "button":
        bank(page).get_by_role("button", name="Fail").click()
    else:
        page.keyboard.press("Escape")
    expect_problem(page, "We are unable to authenticate your payment method.")
    pay(page, THREE_DS)
    bank(page).get_by_role("button", name="Complete").click()
    expect_paid(page)


def test_a_reload_finds_the_same_payment_and_keeps_no_secret(page):
    first = opened_intent(page, lambda: book(page, "Fast track"))
    pay(page, DECLINED)
    expect_problem(page, "declined")
    again = opened_intent(page, page.reload)
    assert again["paymentIntentId"] == first["paymentIntentId"]
    expect(page.locator("#payment-status")).to_have_text("Declined")
    expect(timeline(page).first).to_contain_text("You booked fast track for $12.50.")
    kept = page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}, document.cookie, location.href])")
    assert "_secret_" not in kept
    pay(page, SUCCESS)
    expect_paid(page)


def test_a_reload_after_paying_shows_the_confirmation(page):
    book(page)
    pay(page, SUCCESS)
    expect_paid(page)
    expect_told(page, "Stripe took $84.00 from your card.")
    before = timeline(page).all_inner_texts()
    page.reload()
    expect_paid(page)
    assert timeline(page).all_inner_texts() == before


def test_a_reload_at_the_bank_goes_on_with_the_bank(page):
    book(page)
    pay(page, THREE_DS)
    expect(bank(page)).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Your bank still has a question")).to_be_visible()
    page.get_by_role("button", name="Continue with the bank").click()
    bank(page).get_by_role("button", name="Complete").click()
    expect_paid(page)


def test_a_reload_while_it_is_confirmed_ends_confirmed(page):
    book(page)
    pay(page, SUCCESS)
    expect(page.get_by_role("heading", name="Payment")).to_be_hidden()
    page.reload()
    expect_paid(page)


def test_cancelling_is_asked_twice_and_stays(page):
    book(page)
    page.get_by_role("button", name="Cancel booking").click()
    dialog = page.get_by_role("dialog", name="Cancel this booking?")
    dialog.get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("heading", name="Payment")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel booking")).to_be_focused()
    page.get_by_role("button", name="Cancel booking").click()
    dialog.get_by_role("button", name="Cancel booking").click()
    for _ in range(2):
        expect(page.get_by_role("heading", name="This booking is cancelled")).to_be_visible()
        expect(page.locator("#booking-status")).to_have_text("Cancelled")
        expect(page.locator("#payment-status")).to_have_text("Nothing charged")
        page.reload()
    page.get_by_role("button", name="Book something else").click()
    book(page)


def test_any_amount_in_any_currency(page):
    page.get_by_label("Currency").select_option("jpy")
    page.get_by_label("Amount").fill("1234.5")
    page.get_by_role("button", name="Book and go to payment").click()
    expect(page.get_by_role("alert").filter(has_text="JPY")).to_have_text("Amounts in JPY have no decimals.")
    expect(page.get_by_label("Amount")).to_be_focused()
    page.get_by_label("Amount").fill("1234")
    page.get_by_role("button", name="Book and go to payment").click()
    page.get_by_role("button", name="Success").click()
    page.get_by_role("button", name="Pay ¥1,234").click()
    expect_paid(page)


def test_an_incomplete_card_is_not_sent(page):
    book(page)
    page.get_by_label("Card number").fill("4242 4242 4242 4241")
    page.get_by_role("button", name="Pay $").click()
    expect(page.get_by_text("Your card number is invalid.")).to_be_visible()
    expect(page.get_by_text("expiry date is incomplete")).to_be_visible()
    expect(page.get_by_text("security code is incomplete")).to_be_visible()
    expect(page.get_by_label("Card number")).to_be_focused()


def test_two_clicks_pay_once(page):
    book(page)
    page.get_by_role("button", name="Success").click()
    asked = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/confirm") else None)
    page.get_by_role("button", name="Pay $").dblclick()
    expect_paid(page)
    assert len(asked) == 1


def test_two_tabs_pay_once(page):
    book(page)
    other = page.context.new_page()
    storage = page.evaluate("JSON.stringify({...sessionStorage})")
    other.add_init_script(f"for (const [k, v] of Object.entries({storage})) sessionStorage.setItem(k, v)")
    other.goto(page.url)
    expect(other.get_by_role("heading", name="Payment")).to_be_visible()
    pay(page, SUCCESS)
    expect_paid(page)
    expect(other.get_by_role("heading", name="Your booking is confirmed")).to_be_visible()


def test_a_booking_of_somebody_else_is_not_shown(page, new_page):
    book(page)
    other = new_page()
    # A 404 is written to the console, so this page is not one that is watched for errors.
    stranger = other.context.new_page()
    stranger.goto(page.url)
    expect(stranger.get_by_role("heading", name="Something does not work")).to_be_visible()
    expect(stranger.get_by_text("This booking does not exist")).to_be_visible()
    stranger.get_by_role("button", name="Start over").click()
    expect(stranger.get_by_role("heading", name="What would you like to book?")).to_be_visible()
