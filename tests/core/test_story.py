"""What support is told: every word of it, with times in UTC wherever it runs."""

import time
from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from tests.support import INTENT_ID, NOW, PRICE, booking

from airport_payments.core.announcements import BookingCancelled, DeadLetter, Delivery, Pending
from airport_payments.core.commands import CancelIntent, CaptureIntent, ConfirmIntent, CreateIntent, CreateRefund
from airport_payments.core.dispute import Dispute, DisputeStatus
from airport_payments.core.model import (
    BookingStatus,
    CancelReason,
    Failure,
    HistoryLine,
    IntentStatus,
    Ledger,
    Payment,
    PaymentState,
    Place,
    ReviewReason,
    Snapshot,
)
from airport_payments.core.money import Money
from airport_payments.core.refund import Refund, RefundState
from airport_payments.core.story import tell

LATER = NOW + timedelta(hours=1)
OPEN = Payment(
    "a1", PRICE, PaymentState.OPEN, INTENT_ID, IntentStatus.PROCESSING, closing=True,
    failure=Failure("card_declined", "a message", "lost_card"), look_at=LATER,
)  # fmt: skip
LOST = Dispute("dp_2", 7, "eur", DisputeStatus.LOST, "fraudulent", due_by=LATER, withdrawn=True, reinstated=True)
PAID = Payment(
    "a2", PRICE, PaymentState.SUCCEEDED, "pi_2", IntentStatus.SUCCEEDED, place=Place.REVIEW, review=ReviewReason.LATE,
    received_minor=5000, received_currency="jpy", refunds_at=LATER,
    refunds=(Refund("a2.0", 70, RefundState.REQUESTED), Refund("a2.1", 80, RefundState.FAILED, refund_id="re_1")),
    disputes=(
        Dispute("dp_1", 99, "usd", DisputeStatus.NEEDS_RESPONSE, "duplicate", due_by=LATER, withdrawn=True), LOST,
    ),
)  # fmt: skip
TOLD = BookingCancelled(booking_id="BK-1", sequence=3, at=NOW, reason="asked")
EFFECTS = (
    CreateRefund("a2", "a2.0", "BK-1", "airport", "pi_2", 70, None, "k", NOW, LATER, tries=1),
    CancelIntent("a1", INTENT_ID, "k", NOW, LATER, tries=2),
    CaptureIntent("gone", INTENT_ID, 4509, "k", NOW, LATER),
    ConfirmIntent("a1", INTENT_ID, "pm_1", None, "k", NOW, LATER),
    CreateIntent("a9", "BK-1", "airport", PRICE, "k", NOW, LATER),
)
LEDGER = Ledger(
    9, (OPEN, PAID), EFFECTS, (Pending(TOLD), Pending(replace(TOLD, sequence=4), (Delivery("mail", LATER, 3),))), 4,
    cancelling=CancelReason.ASKED, newer=True, dead_letters=(DeadLetter(TOLD, "sms", 36, NOW, "SMTPError"),),
)  # fmt: skip
HISTORY = (
    HistoryLine(NOW, "payment_requested", "attempt a1 opened"),
    HistoryLine(NOW, "a new word", "something", None, "pi_2"),
    HistoryLine(LATER.astimezone(timezone(timedelta(hours=9))), "payment_intent.succeeded", "paid", "evt_1", "pi_2"),
)
WHOLE = """\
Booking BK-1 is pending. It costs 450.99 USD, held until 2026-11-01 13:00:00 UTC.
A newer version of this library wrote its ledger: some of it may be missing here.
Payment pi_00000001 of 450.99 USD: not paid yet (processing), and being canceled.
  The last try failed: lost_card.
Payment pi_2 of 450.99 USD: paid: 5000 JPY; a person has to decide about it (late).
  Refund a2.0 of 70 JPY: asked of Stripe, without an answer yet.
  Refund re_1 of 80 JPY: failed: the money is still here.
  Dispute dp_1 of 0.99 USD (duplicate): needs_response; evidence is taken until 2026-11-01 13:00:00 UTC; the money was \
taken from the balance.
  Dispute dp_2 of 0.07 EUR (fraudulent): lost.

What is to come:
  The booking is to be cancelled (asked) once nobody can pay it any more.
  2026-11-01 13:00:00 UTC: give back 70 JPY of pi_2 (refund a2.0), after 1 try.
  2026-11-01 13:00:00 UTC: cancel pi_00000001, after 2 tries.
  2026-11-01 13:00:00 UTC: collect 45.09 USD of pi_00000001.
  2026-11-01 13:00:00 UTC: charge the saved card by pi_00000001.
  2026-11-01 13:00:00 UTC: open a PaymentIntent of 450.99 USD (attempt a9).
  2026-11-01 13:00:00 UTC: ask Stripe how pi_00000001 stands.
  2026-11-01 13:00:00 UTC: ask Stripe for the refunds of pi_2.
  2026-11-01 12:00:00 UTC: tell your handlers of announcement 3 (BookingCancelled).
  2026-11-01 13:00:00 UTC: tell mail of announcement 4 (BookingCancelled), after 3 tries.
  A person has to decide about pi_2: confirm, refund or keep it (resolve).
  A person has to answer dispute dp_1, at Stripe.
  A person has to see why sms was not told of announcement 3 (BookingCancelled): SMTPError, after 36 tries (redeliver).

What happened:
  2026-11-01 12:00:00 UTC  The customer asked to pay: attempt a1 opened
  2026-11-01 12:00:00 UTC  a new word: something [pi_2]
  2026-11-01 13:00:00 UTC  Stripe's event payment_intent.succeeded (evt_1): paid [pi_2]"""


@pytest.fixture(params=["UTC", "Asia/Tokyo"])
def local_time(request, monkeypatch):
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("local_time")
def test_how_it_stands_what_is_to_come_and_what_happened() -> None:
    story = tell(Snapshot(booking(hold_until=LATER), LEDGER), HISTORY)
    assert str(story).splitlines() == WHOLE.splitlines()
    assert story.booking_id == "BK-1"
    assert story.history == HISTORY


def test_a_hold_that_will_be_over_is_to_come_while_the_booking_is_pending() -> None:
    held = booking(hold_until=LATER)
    assert tell(Snapshot(held), ()).coming == ("  2026-11-01 13:00:00 UTC: its hold is over, and it is cancelled.",)
    assert tell(Snapshot(replace(held, status=BookingStatus.CONFIRMED)), ()).coming == ()


def test_of_nothing_it_says_nothing() -> None:
    lines = tell(Snapshot(booking(price=Money(5, "jpy"))), ()).lines
    assert lines == (
        "Booking BK-1 is pending. It costs 5 JPY.",
        "",
        "What is to come:",
        "  nothing",
        "",
        "What happened:",
        "  nothing",
    )
