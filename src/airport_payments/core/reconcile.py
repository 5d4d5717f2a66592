"""What reconciling found: where our tables and Stripe's books differed, and how much money that concerns."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from airport_payments.core.dispute import Dispute
from airport_payments.core.errors import InvalidRequest
from airport_payments.core.model import Change, Payment, PaymentState
from airport_payments.core.money import Money
from airport_payments.core.refund import Refund


class DifferenceKind(StrEnum):
    """What differed."""

    MISSING = "missing"  # a payment of the booking's own that was not known here, or not by its PaymentIntent
    BEHIND = "behind"  # a payment that had come further at Stripe than was known here
    REFUND = "refund"  # a refund that was not known here, or not in its state
    DISPUTE = "dispute"  # the same for a dispute
    ORPHAN = "orphan"  # a PaymentIntent with our marks of which no attempt is known here
    UNMATCHED = "unmatched"  # ours, but there is no such booking
    NOT_COMPARED = "not_compared"  # it could not be read, or its booking could not be changed


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differed.

    Args:
        kind: what.
        booking_id: whose; None if that could not be told.
        object_id: Stripe's id of the PaymentIntent, refund or dispute.
        here: how it stood in our tables; None: it was not there.
        at_stripe: how it stands at Stripe, or why it could not be compared.
        amount: what was collected, or is asked for, given back or disputed; None if that could not be told.
    """

    kind: DifferenceKind
    booking_id: str | None
    object_id: str
    here: str | None
    at_stripe: str
    amount: Money | None


@dataclass(frozen=True, slots=True)
class ReconcileProgress:
    """How far reconciling has come: told after every page.

    Args:
        listing: what is being read: payment_intents, refunds, disputes or events.
        looked_at: how many objects of Stripe's were compared so far.
        differences: how many differences were found so far.
    """

    listing: str
    looked_at: int
    differences: int


@dataclass(frozen=True, slots=True)
class ReconcileReport:
    """What one call of `reconcile` found.

    Args:
        since, until: the window, aware UTC: what Stripe made in it was compared.
        dry_run: whether nothing was written.
        looked_at: how many objects of Stripe's were compared.
        foreign: how many of them were another application's, or another namespace's, and skipped.
        differences: what differed, in the order in which it was found.
        cursor: where to go on, None when the whole window was compared.
    """

    since: datetime
    until: datetime
    dry_run: bool
    looked_at: int
    foreign: int
    differences: tuple[Difference, ...]
    cursor: str | None

    @property
    def by_booking(self) -> Mapping[str | None, tuple[Difference, ...]]:
        """The differences of each booking; under None those of which that could not be told."""
        found: dict[str | None, tuple[Difference, ...]] = {}
        for difference in self.differences:
            found[difference.booking_id] = (*found.get(difference.booking_id, ()), difference)
        return found

    @property
    def money_minor(self) -> Mapping[str, int]:
        """How much money the differences concern, for each currency, in its minor units."""
        totals: dict[str, int] = {}
        for amount in (d.amount for d in self.differences if d.amount is not None):
            totals[amount.currency] = totals.get(amount.currency, 0) + amount.amount_minor
        return totals


def differences(change: Change) -> tuple[Difference, ...]:
    """Return in what Stripe was ahead of the ledger that this change brings up to date.

    What a change does beside that, such as commanding a cancellation, is no difference.
    """
    before = {payment.attempt_id: payment for payment in change.read.ledger.payments}
    found: list[Difference] = []
    for payment in change.ledger.payments:
        old = before.get(payment.attempt_id)
        if payment is old:
            continue
        found += _of_payment(change.booking_id, payment, old)
        found += _of_refunds(change.booking_id, payment, old.refunds if old else ())
        found += _of_disputes(change.booking_id, payment, old.disputes if old else ())
    return tuple(found)


def _of_payment(booking_id: str, payment: Payment, old: Payment | None) -> list[Difference]:
    if payment.intent_id is None:
        return []
    known = old is not None and old.intent_id is not None
    if old is not None and known and _news(payment) == _news(old):
        return []
    kind = DifferenceKind.BEHIND if known else DifferenceKind.MISSING
    if payment.stray and not known:
        kind = DifferenceKind.ORPHAN
    here = _word(old) if old is not None else None
    amount = payment.amount
    if payment.state is PaymentState.SUCCEEDED:
        amount = _money(payment.received_minor, payment.currency) or amount
    return [Difference(kind, booking_id, payment.intent_id, here, _word(payment), amount)]


def _news(payment: Payment) -> tuple[object, ...]:
    return payment.state, payment.received_minor, payment.failure, payment.news


def _word(payment: Payment) -> str:
    word: str = payment.stripe_status or payment.state
    return f"{word} ({payment.failure.code})" if payment.failure is not None else str(word)


def _of_refunds(booking_id: str, payment: Payment, known: tuple[Refund, ...]) -> list[Difference]:
    before = {refund.ref: refund for refund in known}
    found: list[Difference] = []
    for refund in payment.refunds:
        old = before.get(refund.ref)
        if refund.refund_id is None or (
            old is not None and (old.refund_id, old.state) == (refund.refund_id, refund.state)
        ):
            continue
        here = old.state.value if old is not None else None
        amount = _money(refund.amount_minor, payment.currency)
        found.append(Difference(DifferenceKind.REFUND, booking_id, refund.refund_id, here, refund.state.value, amount))
    return found


def _of_disputes(booking_id: str, payment: Payment, known: tuple[Dispute, ...]) -> list[Difference]:
    before = {dispute.dispute_id: dispute for dispute in known}
    found: list[Difference] = []
    for dispute in payment.disputes:
        old = before.get(dispute.dispute_id)
        if dispute == old:
            continue
        here = old.status.value if old is not None else None
        amount = _money(dispute.amount_minor, dispute.currency)
        found.append(
            Difference(DifferenceKind.DISPUTE, booking_id, dispute.dispute_id, here, dispute.status.value, amount)
        )
    return found


def _money(amount_minor: int, currency: str) -> Money | None:
    try:
        return Money(amount_minor, currency)
    except InvalidRequest:
        return None
