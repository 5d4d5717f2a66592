"""How a booking and its money stand, what is to come, and what happened: in plain words, for support.

Nothing here shows a secret or personal data: no client secret, no owner, no e-mail, no message of Stripe's or a handler's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from airport_payments.core.announcements import Announcement
from airport_payments.core.commands import CancelIntent, CaptureIntent, ConfirmIntent, CreateRefund, Effect
from airport_payments.core.dispute import Dispute
from airport_payments.core.model import (
    Booking,
    BookingStatus,
    HistoryLine,
    Ledger,
    Payment,
    PaymentState,
    Place,
    Snapshot,
)
from airport_payments.core.money import spell
from airport_payments.core.refund import Refund, RefundState


@dataclass(frozen=True, slots=True)
class Story:
    """A booking's money, told for support: `print(story)`.

    Args:
        booking_id: the booking.
        standing: how the booking and each of its payments stand now.
        coming: what is to happen, and when; also what a person has to decide.
        timeline: what happened, oldest first.
        history: the same as it was saved, for programs.
    """

    booking_id: str
    standing: tuple[str, ...]
    coming: tuple[str, ...]
    timeline: tuple[str, ...]
    history: tuple[HistoryLine, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it, line by line."""
        return (
            *self.standing,
            "",
            "What is to come:",
            *(self.coming or ("  nothing",)),
            "",
            "What happened:",
            *(self.timeline or ("  nothing",)),
        )

    def __str__(self) -> str:
        return "\n".join(self.lines)


def tell(snapshot: Snapshot, history: Sequence[HistoryLine]) -> Story:
    """Return the story of a booking.

    Args:
        snapshot: the booking and its ledger.
        history: its lines, oldest first.
    """
    booking, ledger = snapshot.booking, snapshot.ledger
    standing = [_booking(booking)]
    if ledger.newer:
        standing.append("A newer version of this library wrote its ledger: some of it may be missing here.")
    for payment in ledger.payments:
        standing += _payment(payment)
    return Story(
        booking.id,
        tuple(standing),
        tuple(f"  {line}" for line in _coming(booking, ledger)),
        tuple(f"  {_happened(line)}" for line in history),
        tuple(history),
    )


# ---- how it stands ---------------------------------------------------------------------------------------------------

_STATES: Final[dict[PaymentState, str]] = {
    PaymentState.OPENING: "asked of Stripe, without an answer yet",
    PaymentState.OPEN: "not paid yet",
    PaymentState.REQUIRES_CAPTURE: "authorised: the money is held on the card and waits for its capture",
    PaymentState.SUCCEEDED: "paid",
    PaymentState.CANCELED: "canceled",
    PaymentState.ABANDONED: "given up: Stripe has no PaymentIntent of it",
}
_PLACES: Final[dict[Place, str]] = {
    Place.NONE: "",
    Place.ATTACHED: "; it confirmed the booking",
    Place.REVIEW: "; a person has to decide about it",
    Place.REFUNDED: "; it goes back, or went back, whole",
    Place.KEPT: "; a person decided to keep it",
}
_REFUNDS: Final[dict[RefundState, str]] = {
    RefundState.REQUESTED: "asked of Stripe, without an answer yet",
    RefundState.PENDING: "on its way",
    RefundState.REQUIRES_ACTION: "waits for the customer",
    RefundState.SUCCEEDED: "given back",
    RefundState.FAILED: "failed: the money is still here",
    RefundState.CANCELED: "canceled: the money is still here",
    RefundState.REFUSED: "refused by Stripe: the money is still here",
}


def _when(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _booking(booking: Booking) -> str:
    hold = f", held until {_when(booking.hold_until)}" if booking.hold_until is not None else ""
    return f"Booking {booking.id} is {booking.status.value}. It costs {booking.price}{hold}."


def _name(payment: Payment) -> str:
    return payment.intent_id or f"attempt {payment.attempt_id}"


def _payment(payment: Payment) -> Iterator[str]:
    state = _STATES[payment.state]
    if payment.state is PaymentState.OPEN and payment.stripe_status is not None:
        state = f"{state} ({payment.stripe_status.value})"
    if payment.state is PaymentState.SUCCEEDED:
        state = f"{state}: {spell(payment.received_minor, payment.currency)}"
    if payment.closing and payment.payable:
        state = f"{state}, and being canceled"
    why = f" ({payment.review.value})" if payment.review is not None else ""
    yield f"Payment {_name(payment)} of {payment.amount}: {state}{_PLACES[payment.place]}{why}."
    if payment.failure is not None:
        yield f"  The last try failed: {payment.failure.decline_code or payment.failure.code}."
    for refund in payment.refunds:
        yield f"  {_refund(refund, payment.currency)}"
    for dispute in payment.disputes:
        yield f"  {_dispute(dispute)}"


def _refund(refund: Refund, currency: str) -> str:
    money = spell(refund.amount_minor, currency)
    return f"Refund {refund.refund_id or refund.ref} of {money}: {_REFUNDS[refund.state]}."


def _dispute(dispute: Dispute) -> str:
    money = spell(dispute.amount_minor, dispute.currency)
    until = f"; evidence is taken until {_when(dispute.due_by)}" if dispute.due_by and dispute.open else ""
    taken = "; the money was taken from the balance" if dispute.withdrawn and not dispute.reinstated else ""
    return f"Dispute {dispute.dispute_id} of {money} ({dispute.reason}): {dispute.status.value}{until}{taken}."


# ---- what is to come -------------------------------------------------------------------------------------------------


def _coming(booking: Booking, ledger: Ledger) -> Iterator[str]:
    """Return what is due and when, then what waits for a person."""
    if ledger.cancelling is not None:
        yield f"The booking is to be cancelled ({ledger.cancelling.value}) once nobody can pay it any more."
    elif booking.status is BookingStatus.PENDING and booking.hold_until is not None:
        yield f"{_when(booking.hold_until)}: its hold is over, and it is cancelled."
    currencies = {p.attempt_id: p.currency for p in ledger.payments}
    for effect in ledger.effects:
        command = _command(effect, currencies.get(effect.attempt_id, booking.price.currency))
        yield f"{_when(effect.due_at)}: {command}{_tries(effect.tries)}."
    for payment in ledger.payments:
        if payment.look_at is not None:
            yield f"{_when(payment.look_at)}: ask Stripe how {_name(payment)} stands."
        if payment.refunds_at is not None:
            yield f"{_when(payment.refunds_at)}: ask Stripe for the refunds of {_name(payment)}."
    for pending in ledger.announcements:
        told = pending.announcement
        if not pending.deliveries:
            yield f"{_when(told.at)}: tell your handlers of {_title(told)}."
        for delivery in pending.deliveries:
            tries = _tries(delivery.tries)
            yield f"{_when(delivery.due_at)}: tell {delivery.subscriber} of {_title(told)}{tries}."
    for payment in ledger.payments:
        if payment.place is Place.REVIEW:
            yield f"A person has to decide about {_name(payment)}: confirm, refund or keep it (resolve)."
        for dispute in payment.disputes:
            if dispute.needs_response:
                yield f"A person has to answer dispute {dispute.dispute_id}, at Stripe."
    for letter in ledger.dead_letters:
        given_up = f"{letter.subscriber} was not told of {_title(letter.announcement)}"
        yield f"A person has to see why {given_up}: {letter.error}{_tries(letter.tries)} (redeliver)."


def _tries(tries: int) -> str:
    return f", after {tries} {'try' if tries == 1 else 'tries'}" if tries else ""


def _title(told: Announcement) -> str:
    return f"announcement {told.sequence} ({type(told).__name__})"


def _command(effect: Effect, currency: str) -> str:
    if isinstance(effect, CreateRefund):
        return f"give back {spell(effect.amount_minor, currency)} of {effect.intent_id} (refund {effect.ref})"
    if isinstance(effect, CancelIntent):
        return f"cancel {effect.intent_id}"
    if isinstance(effect, CaptureIntent):
        return f"collect {spell(effect.amount_minor, currency)} of {effect.intent_id}"
    if isinstance(effect, ConfirmIntent):
        return f"charge the saved card by {effect.intent_id}"
    return f"open a PaymentIntent of {effect.amount} (attempt {effect.attempt_id})"


# ---- what happened ---------------------------------------------------------------------------------------------------

# Who brought a fact that came with no event. A word that is missing here is shown as it is.
_WHO: Final[dict[str, str]] = {
    "payment_requested": "The customer asked to pay",
    "charge": "The saved card",
    "cancel": "Somebody cancelled",
    "capture": "The capture",
    "refund": "A refund",
    "resolve": "A person decided",
    "redeliver": "A person decided",
    "delivery": "A handler",
    "answered": "Stripe answered",
    "observed": "Stripe was asked",
    "identified": "Stripe answered",
    "looked": "Stripe was asked",
    "settled": "By the rules",
}


def _happened(line: HistoryLine) -> str:
    who = f"Stripe's event {line.fact} ({line.event_id})" if line.event_id else _WHO.get(line.fact, line.fact)
    about = f" [{line.intent_id}]" if line.intent_id is not None else ""
    return f"{_when(line.at)}  {who}: {line.decision}{about}"
