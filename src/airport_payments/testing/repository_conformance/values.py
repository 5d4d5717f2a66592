"""Bookings, payments and changes, as the rules make them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from airport_payments.core.announcements import BookingConfirmed, Delivery, PaymentFailed, Pending
from airport_payments.core.commands import CreateIntent
from airport_payments.core.decide.draft import Draft, due_at, index_row
from airport_payments.core.model import (
    Booking,
    BookingStatus,
    Change,
    HistoryLine,
    IntentStatus,
    Ledger,
    Payment,
    PaymentState,
    Place,
    Policy,
    Snapshot,
)
from airport_payments.core.money import Money

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
DAY = timedelta(days=1)
PRICE = Money(45099, "usd")
OTHER_PRICE = Money(39900, "usd")


def booking(booking_id: str = "bk_1", **other: object) -> Booking:
    """Return a pending booking of 450.99 USD."""
    return replace(Booking(booking_id, "cust_1", PRICE), **cast("dict[str, Any]", other))


def payment(attempt_id: str = "at_1", intent_id: str | None = "pi_1", **other: object) -> Payment:
    """Return an open payment; one that is still opening where there is no intent yet."""
    state = PaymentState.OPENING if intent_id is None else PaymentState.OPEN
    status = None if intent_id is None else IntentStatus.REQUIRES_PAYMENT_METHOD
    made = Payment(attempt_id, PRICE, state, intent_id, status, opened_at=NOW)
    return replace(made, **cast("dict[str, Any]", other))


def change(
    read: Snapshot,
    *payments: Payment,
    status: BookingStatus | None = None,
    due: datetime | None = None,
    lines: Sequence[HistoryLine] = (),
) -> Change:
    """Return a change to exactly these payments."""
    ledger = Ledger(read.ledger.version + 1, payments)
    before = [index_row(p) for p in read.ledger.payments]
    index = tuple(row for row in map(index_row, payments) if row not in before)
    return Change(read, ledger, status, index, due, tuple(lines))


def line(decision: str, at: datetime = NOW, event_id: str | None = None, intent_id: str | None = None) -> HistoryLine:
    """Return a line of the history."""
    return HistoryLine(at, "payment_intent.succeeded", decision, event_id, intent_id)


def closed(of: Payment) -> Payment:
    """Return a payment after its intent was canceled."""
    return replace(of, state=PaymentState.CANCELED, stripe_status=IntentStatus.CANCELED)


def opening(read: Snapshot, attempt_id: str = "at_1") -> Change:
    """Return the change that opens a payment, as the rules make it."""
    draft = Draft(read, NOW, Policy("tests", livemode=False))
    opened = draft.put(payment(attempt_id, None, amount=read.booking.price))
    key = f"tests/{attempt_id}/create/0"
    draft.command(CreateIntent(opened.attempt_id, read.booking.id, "tests", opened.amount, key, NOW, LATER))
    draft.note("requested", "a payment was opened")
    return cast("Change", draft.change())


def paying(read: Snapshot, intent_id: str = "pi_1") -> Change:
    """Return the change that confirms the booking, with all that a change can hold."""
    price = read.booking.price
    paid = payment(
        "at_1", intent_id, amount=price, state=PaymentState.SUCCEEDED, stripe_status=IntentStatus.SUCCEEDED,
        place=Place.ATTACHED, received_minor=price.amount_minor, news=("failed/ch_1",), look_at=LATER, looks=3, closes=1,
    )  # fmt: skip
    told = (
        Pending(
            PaymentFailed(booking_id=read.booking.id, sequence=1, at=NOW, error_code="card_declined"),
            (Delivery("mailer", NOW, 2), Delivery("printer", LATER)),
        ),
        Pending(BookingConfirmed(booking_id=read.booking.id, sequence=2, at=NOW, amount=price)),
    )
    ledger = Ledger(read.ledger.version + 1, (paid,), announcements=told, announced=2)
    lines = (line("payment failed", event_id="evt_1"), line("paid: booking confirmed", LATER, "evt_2", intent_id))
    return Change(read, ledger, BookingStatus.CONFIRMED, (index_row(paid),), due_at(ledger), lines)
