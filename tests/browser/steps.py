"""What a customer does on the page."""

from __future__ import annotations

from playwright.sync_api import Page, expect

SUCCESS, DECLINED, NO_FUNDS, THREE_DS = "Success", "Declined", "Insufficient funds", "3D Secure"
DISPUTED = "Paid, then disputed"


def book(page: Page, service: str = "Parking") -> None:
    """Book, and wait for the card form."""
    page.get_by_role("radio", name=service).check()
    page.get_by_role("button", name="Book and go to payment").click()
    expect(page.get_by_role("heading", name="Payment")).to_be_visible()


def pay(page: Page, card: str) -> None:
    """Choose a test card, and pay."""
    page.get_by_role("group", name="Test cards").get_by_role("button", name=card).click()
    page.get_by_role("button", name="Pay $").click()


def refund(page: Page, amount: str | None = None) -> None:
    """Give money back: all that is left, or a part."""
    page.get_by_role("button", name="Refund").click()
    dialog = page.get_by_role("dialog", name="Refund this payment?")
    if amount is not None:
        dialog.get_by_role("radio", name="A part of it").check()
        dialog.get_by_label("How much").fill(amount)
    dialog.get_by_role("button", name="Refund").click()


def expect_paid(page: Page) -> None:
    expect(page.get_by_role("heading", name="Your booking is confirmed")).to_be_visible()
    expect(page.locator("#booking-status")).to_have_text("Confirmed")
    expect(page.locator("#payment-status")).to_have_text("Paid")
    expect(page.locator("#cancel")).to_be_hidden()
    expect_told(page, "The airport confirmed your booking.")


def expect_problem(page: Page, text: str) -> None:
    expect(page.locator("#payment-problem")).to_contain_text(text)
    expect(page.locator("#payment-status")).to_have_text("Declined")
    expect(page.locator("#booking-status")).to_have_text("Awaiting payment")


def bank(page: Page):
    """The bank's question."""
    return page.get_by_role("dialog", name="Your bank asks: is it you?")


def timeline(page: Page):
    """What happened."""
    return page.get_by_role("list", name="What happened").get_by_role("listitem")


def expect_told(page: Page, text: str, times: int = 1) -> None:
    """The timeline says this, and no more often than that."""
    expect(timeline(page).filter(has_text=text)).to_have_count(times)


def told(page: Page, by: str) -> list[str]:
    """What the timeline says that somebody said: "this page", or "the airport"."""
    items = [item.split("\n") for item in timeline(page).all_inner_texts()]
    return [text for text, source in items if f"· {by}" in source]
