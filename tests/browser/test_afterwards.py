"""What becomes of a booking besides being paid: money that goes back, a bank that asks for it, a hold that ends."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect
from tests.browser.steps import (
    DISPUTED,
    SUCCESS,
    THREE_DS,
    bank,
    book,
    expect_paid,
    expect_told,
    pay,
    refund,
    told,
)

ALL_BACK = "Your money goes back to you"
CANCELLED = "This booking is cancelled"

pytestmark = pytest.mark.thorough


def heading(page: Page, name: str):
    return page.get_by_role("heading", name=name)


def expect_status(page: Page, payment: str, booking: str) -> None:
    expect(page.locator("#payment-status")).to_have_text(payment)
    expect(page.locator("#booking-status")).to_have_text(booking)


def paid(page: Page) -> None:
    book(page)
    pay(page, SUCCESS)
    expect_paid(page)


def test_all_of_a_payment_is_refunded(page):
    paid(page)
    refund(page)
    for _ in range(2):
        expect(heading(page, ALL_BACK)).to_be_visible()
        expect(page.get_by_text("$84.00 for parking. The booking is cancelled.")).to_be_visible()
        expect_status(page, "Refunded", "Cancelled")
        expect(page.get_by_role("button", name="Refund")).to_be_hidden()
        expect_told(page, "You asked for all that is left back.")
        expect_told(page, "Stripe gave 84.00 USD back to the card.")
        expect_told(page, "All of the money goes back: the airport cancelled the booking.")
        page.reload()


def test_a_part_is_refunded_and_then_the_rest(page):
    paid(page)
    refund(page, "20")
    for _ in range(2):
        expect(page.get_by_text("You paid $84.00 for parking, and a part of it goes back to you.")).to_be_visible()
        expect_status(page, "Partly refunded", "Confirmed")
        expect_told(page, "Stripe gave 20.00 USD back to the card.")
        page.reload()
    refund(page)
    expect(heading(page, ALL_BACK)).to_be_visible()
    expect_told(page, "Stripe gave 64.00 USD back to the card.")


def test_a_refund_of_more_than_is_left_says_so_and_gives_nothing_back(new_page):
    page = new_page(watched=False)  # a 409 is written to the console
    paid(page)
    refund(page, "84.01")
    expect(page.get_by_role("alert").filter(has_text="more than is left")).to_be_visible()
    expect_status(page, "Paid", "Confirmed")
    refund(page, "84")
    expect(heading(page, ALL_BACK)).to_be_visible()
    expect(page.get_by_role("alert").filter(has_text="more than is left")).to_be_hidden()


@pytest.mark.parametrize("amount", ["", "0", "abc", "1.001"])
def test_an_amount_that_is_none_is_not_sent(page, amount):
    paid(page)
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.url.endswith("/refund") else None)
    refund(page, amount)
    dialog = page.get_by_role("dialog", name="Refund this payment?")
    expect(dialog.get_by_role("alert")).to_be_visible()
    expect(dialog.get_by_label("How much")).to_be_focused()
    dialog.get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("button", name="Refund")).to_be_focused()
    expect_status(page, "Paid", "Confirmed")
    assert sent == []


def test_a_reload_in_the_middle_of_a_refund_gives_the_money_back_once(page):
    paid(page)
    asked = []

    def lose(route):
        asked.append(json.loads(route.request.post_data))
        answer = route.fetch() if len(asked) == 1 else None  # the airport got it; its answer is on the way
        if answer is not None:
            page.evaluate("setTimeout(() => location.reload())")
        else:
            route.continue_()

    page.route("**/refund", lose)
    refund(page, "20")
    expect_status(page, "Partly refunded", "Confirmed")
    expect_told(page, "Stripe gave 20.00 USD back to the card.")
    page.wait_for_function(
        "!JSON.parse(sessionStorage.getItem(Object.keys(sessionStorage).find((k) => k.includes('story')))).refund"
    )
    assert len(asked) == 2
    assert asked[0] == asked[1]
    expect_told(page, "The airport asks Stripe to give 20.00 USD back.")


def test_two_clicks_refund_once(page):
    paid(page)
    page.get_by_role("button", name="Refund").click()
    page.get_by_role("dialog").get_by_role("button", name="Refund").dblclick()
    expect(heading(page, ALL_BACK)).to_be_visible()
    expect_told(page, "The airport asks Stripe to give 84.00 USD back.")


def test_a_refund_in_another_tab_shows_up_by_itself(page):
    paid(page)
    other = page.context.new_page()
    storage = page.evaluate("JSON.stringify({...sessionStorage})")
    other.add_init_script(f"for (const [k, v] of Object.entries({storage})) sessionStorage.setItem(k, v)")
    other.goto(page.url)
    expect_paid(other)
    refund(other)
    expect(heading(other, ALL_BACK)).to_be_visible()
    page.bring_to_front()
    expect(heading(page, ALL_BACK)).to_be_visible()


def test_a_dispute_shows_up_by_itself_and_stops_refunds(page):
    book(page)
    pay(page, DISPUTED)
    for _ in range(2):
        expect(heading(page, "The payment is disputed")).to_be_visible()
        expect_status(page, "Disputed", "Confirmed")
        expect(page.get_by_role("button", name="Refund")).to_be_hidden()
        expect_told(page, "The airport confirmed your booking.")
        expect_told(page, "The bank took the disputed money back.")
        page.reload()


def test_a_reload_right_after_a_disputed_payment_ends_disputed(page):
    book(page)
    pay(page, DISPUTED)
    expect(page.locator("#view-pay")).to_be_hidden()
    page.reload()
    expect(heading(page, "The payment is disputed")).to_be_visible()


# ---- holds ----


def held_for(page: Page, seconds: int) -> None:
    """Choose a hold, and let it be shorter than the page offers."""

    def shorten(route):
        body = json.loads(route.request.post_data)
        assert body["holdSeconds"] == 60
        route.continue_(post_data=json.dumps({**body, "holdSeconds": seconds}))

    page.route("**/bookings", shorten)
    page.get_by_label("Hold it for").select_option("1 minute")


def expect_expired(page: Page) -> None:
    expect(heading(page, CANCELLED)).to_be_visible()
    expect(page.get_by_text("Its hold was over before it was paid. Nothing was charged.")).to_be_visible()
    expect_status(page, "Nothing charged", "Cancelled")
    expect(page.get_by_role("timer")).to_be_hidden()
    expect_told(page, "The hold is over, and nothing was paid.")
    expect_told(page, "Stripe closed the payment: nobody can pay it any more.")
    expect_told(page, "The airport cancelled the booking. Nothing was charged.")


def test_a_hold_that_ends_while_the_page_is_open_cancels_the_booking(page):
    held_for(page, 6)
    book(page)
    expect(page.get_by_role("timer")).to_contain_text("0:0")
    expect_expired(page)
    page.reload()
    expect_expired(page)
    page.get_by_role("button", name="Book something else").click()
    expect(heading(page, "What would you like to book?")).to_be_visible()


def test_a_reload_while_the_hold_runs_goes_on_counting(page):
    page.get_by_label("Hold it for").select_option("15 minutes")
    book(page)
    expect(page.get_by_role("timer")).to_contain_text("14:")
    page.reload()
    expect(page.get_by_role("timer")).to_contain_text("14:")
    pay(page, SUCCESS)
    expect_paid(page)
    expect(page.get_by_role("timer")).to_be_hidden()


def test_a_hold_that_ends_while_the_bank_asks_cancels_the_booking(new_page):
    page = new_page(watched=False)  # the bank's answer comes too late, which is written to the console
    held_for(page, 6)
    book(page)
    pay(page, THREE_DS)
    expect(bank(page)).to_be_visible()
    expect(page.locator("#booking-status")).to_have_text("Cancelled")
    bank(page).get_by_role("button", name="Complete").click()
    expect_expired(page)


def test_a_hold_that_ended_while_nobody_looked_is_said_when_they_come_back(page):
    held_for(page, 3)
    book(page)
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    expect_expired(page)


def test_a_booking_that_is_held_may_be_cancelled(page):
    held_for(page, 60)
    book(page)
    page.get_by_role("button", name="Cancel booking").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel booking").click()
    expect(heading(page, CANCELLED)).to_be_visible()
    expect(page.get_by_text("Nothing was charged.", exact=True)).to_be_visible()
    expect(page.get_by_role("timer")).to_be_hidden()
    assert "You cancelled the booking." in told(page, "this page")
    assert "The airport cancelled the booking. Nothing was charged." in told(page, "the airport")
