"""What may be forgotten of a booking, and what has to be kept however old it is.

A payment is never forgotten, nor a refund or a dispute of it. An event may come months later, and has to find the payment
by its PaymentIntent, see what was given back already, and change nothing a second time. The same request for a refund has
to find the refund that it made. And no idempotency key may be used again, so what counts them stays.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from airport_payments.core.decide.draft import due_at
from airport_payments.core.errors import FieldError, InvalidRequest
from airport_payments.core.evolve import replace
from airport_payments.core.ids import check_booking_id, code_of
from airport_payments.core.model import BookingStatus, Change, Ledger, Payment, PaymentState, Place, Snapshot
from airport_payments.core.refund import Refund

# How many bookings one call looks at: a table of any size is walked through in several.
MAX_LOOKED_AT: Final = 100_000
_OVER: Final = frozenset({PaymentState.SUCCEEDED, PaymentState.CANCELED, PaymentState.ABANDONED})


def is_settled(ledger: Ledger) -> bool:
    """Whether nothing of this ledger is on its way, and nothing waits for a worker or a person."""
    if ledger.newer or ledger.effects or ledger.cancelling is not None or due_at(ledger) is not None:
        return False  # what is due are announcements, looks at Stripe, money in review, disputes and dead letters
    return all(_is_over(payment) for payment in ledger.payments)


def _is_over(payment: Payment) -> bool:
    money_moves = any(r.open for r in payment.refunds) or any(d.open for d in payment.disputes)
    return payment.state in _OVER and payment.place is not Place.REVIEW and not money_moves


def forgetting(read: Snapshot) -> Change | None:
    """Return the change that leaves out of a settled ledger what is never asked again; None if there is nothing.

    That is: which news of a payment came while it could still be paid; the Idempotency-Keys of requests to pay, once it is
    paid or cancelled; and messages of Stripe's that early versions kept with a refused refund.
    """
    ledger = read.ledger
    pending = read.booking.status is BookingStatus.PENDING
    payments = tuple([_brief(payment) for payment in ledger.payments])
    keys = ledger.request_keys if pending else ()
    if payments == ledger.payments and keys == ledger.request_keys:
        return None
    brief = replace(ledger, version=ledger.version + 1, payments=payments, request_keys=keys)
    return Change(read, brief, None, (), due_at(brief), ())


def _brief(payment: Payment) -> Payment:
    # Of a payment that ended, no other news than its refunds and disputes counts any more.
    refunds = tuple([_without_message(refund) for refund in payment.refunds])
    return replace(payment, news=(), refunds=refunds) if payment.news or refunds != payment.refunds else payment


def _without_message(refund: Refund) -> Refund:
    kept = None if refund.failure is None else code_of(refund.failure) or "refused"
    return refund if kept == refund.failure else replace(refund, failure=kept)


@dataclass(frozen=True, slots=True)
class PruneReport:
    """What one call of `prune` did, or would do.

    Args:
        looked_at: how many bookings it looked at.
        pruned: how many of them it pruned.
        lines: how many lines of their history went.
        moving: bookings as old whose money is still moving, or that wait for a person: nothing of them went.
        after: with what to go on, None at the end.
    """

    looked_at: int
    pruned: int
    lines: int
    moving: int
    after: str | None


@dataclass(frozen=True, slots=True)
class EraseReport:
    """What one call of `erase_customer` did.

    Args:
        erased: the customer's bookings of which nothing more can be forgotten.
        lines: how many lines of their history went.
        moving: the customer's bookings whose money is still moving, or that wait for a person. Erase them later.
        after: with what to go on, None at the end.
    """

    erased: tuple[str, ...]
    lines: int
    moving: tuple[str, ...]
    after: str | None


def check_before(before: datetime, now: datetime) -> None:
    """Raise `InvalidRequest` unless it is an aware time that is not in the future."""
    if not isinstance(before, datetime) or before.tzinfo is None or before > now:  # type: ignore[redundant-expr] # callers
        raise InvalidRequest(FieldError("before", "an aware datetime that is not in the future"))


def check_pages(after: str | None, limit: int) -> None:
    """Raise `InvalidRequest` unless these are a booking's id, or none, and a number of bookings within bounds."""
    if after is not None:
        check_booking_id(after)
    if type(limit) is not int or not 1 <= limit <= MAX_LOOKED_AT:
        raise InvalidRequest(FieldError("limit", f"1 to {MAX_LOOKED_AT}"))
