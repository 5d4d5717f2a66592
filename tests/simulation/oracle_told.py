"""The judge of what is announced with a change: all that follows from it, nothing else, and with the right amounts.

What a change has to tell is written here once more, from how a payment was and how it is, so that nothing of ours proves
itself.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.simulation.oracle_money import MoneyJudge

from airport_payments.core.announcements import (
    Announcement,
    AuthorizationLost,
    BookingCancelled,
    BookingConfirmed,
    DisputeClosed,
    PaymentAuthorized,
    PaymentDisputed,
    PaymentFailed,
    PaymentNeedsReview,
    PaymentRefunded,
    RefundFailed,
)
from airport_payments.core.dispute import DisputeStatus
from airport_payments.core.model import BookingStatus, Change, Payment, PaymentState, Place
from airport_payments.core.refund import RefundState

Told = tuple[Any, ...]
ENDED = frozenset({DisputeStatus.WON, DisputeStatus.LOST, DisputeStatus.WARNING_CLOSED, DisputeStatus.PREVENTED})
BACK = frozenset({RefundState.FAILED, RefundState.CANCELED})


class TellingJudge(MoneyJudge):
    """S7: what follows from a change is announced, and nothing else is."""

    def told_with(self, change: Change, fresh: list[Announcement]) -> None:
        before = {p.attempt_id: p for p in change.read.ledger.payments}
        wanted: Counter[Told] = Counter()
        for now in change.ledger.payments:
            was = before.get(now.attempt_id)
            if now is not was:
                wanted.update(_of_payment(change, was, now))
                wanted.update(_of_refunds(was, now))
                wanted.update(_of_disputes(was, now))
        said = Counter(_said(a) for a in fresh if not isinstance(a, BookingConfirmed | BookingCancelled))
        missing, more = wanted - said, said - wanted
        left, new = ([(kind.__name__, *about) for kind, *about in told] for told in (missing, more))
        self.check(not left and not new, "S7", f"not announced: {left}, and announced instead: {new}")
        for confirmed in (a for a in fresh if isinstance(a, BookingConfirmed)):
            payment = change.ledger.attached
            assert payment is not None
            # What pays it: all that is here; of an authorisation, what is held.
            held = payment.state is PaymentState.REQUIRES_CAPTURE
            decided = before.get(payment.attempt_id)
            minor = payment.amount.amount_minor if held else payment.received_minor
            if decided is not None and decided.place is Place.REVIEW:
                minor = payment.rest_minor
            same = (confirmed.amount.amount_minor, confirmed.amount.currency) == (minor, payment.currency)
            self.check(same, "S7", f"{payment.intent_id} is said to pay {confirmed.amount}, and is of {minor}")


def here_before_orders(was: Payment | None, now: Payment) -> int:
    """What was here before somebody gave back more of it in the same step."""
    known = {r.ref for r in was.refunds} if was else set()
    ordered = (r.amount_minor for r in now.refunds if r.refund_id is None and r.ref not in known and r.standing)
    return now.rest_minor + sum(ordered)


def _of_payment(change: Change, was: Payment | None, now: Payment) -> Iterator[Told]:
    about = now.intent_id
    if now.place is Place.REVIEW and (was is None or was.place is not Place.REVIEW):
        yield PaymentNeedsReview, about, now.review, here_before_orders(was, now), now.currency
    heard = set(was.news) if was else set()
    if any(news.startswith("failed/") and news not in heard for news in now.news) and now.failure is not None:
        yield PaymentFailed, about, now.failure.code, now.failure.decline_code
    held = PaymentState.REQUIRES_CAPTURE
    if now.state is held and (was is None or was.state is not held) and now.place is not Place.ATTACHED:
        yield PaymentAuthorized, about
    released = was is not None and was.place is Place.ATTACHED and now.state is PaymentState.CANCELED is not was.state
    if released and change.read.ledger.cancelling is None and change.read.booking.status is BookingStatus.CONFIRMED:
        yield AuthorizationLost, about, now.amount


def _of_refunds(was: Payment | None, now: Payment) -> Iterator[Told]:
    for refund in now.refunds:
        olds = [
            r
            for r in (was.refunds if was else ())
            if r.ref == refund.ref or (r.refund_id and r.refund_id == refund.refund_id)
        ]
        # One of ours that turns out to be known by Stripe's id already is put together with that one.
        if any(r.state is refund.state for r in olds):
            continue
        if refund.state is RefundState.SUCCEEDED:
            yield PaymentRefunded, now.intent_id, refund.refund_id, refund.amount_minor, now.currency
        elif refund.state in BACK or (refund.state is RefundState.REFUSED and refund.request is None):
            yield RefundFailed, now.intent_id, refund.refund_id, refund.amount_minor, now.currency


def _of_disputes(was: Payment | None, now: Payment) -> Iterator[Told]:
    before = {d.dispute_id: d for d in was.disputes} if was else {}
    for new in now.disputes:
        old = before.get(new.dispute_id)
        if new is old:
            continue
        about = (now.intent_id, new.dispute_id, new.status.value, new.amount_minor, new.currency)
        opened = old is None or old.status in ENDED
        formal = old is not None and "warning" in old.status and "warning" not in new.status
        if new.status not in ENDED and (opened or formal):
            yield PaymentDisputed, *about
        elif new.status in ENDED and (old is None or old.status is not new.status):
            yield DisputeClosed, *about


def _said(told: Announcement) -> Told:
    about = told.payment_intent_id
    if isinstance(told, PaymentNeedsReview):
        return PaymentNeedsReview, about, told.reason, told.amount_minor, told.currency
    if isinstance(told, PaymentFailed):
        return PaymentFailed, about, told.error_code, told.decline_code
    if isinstance(told, PaymentRefunded | RefundFailed):
        return type(told), about, told.refund_id, told.amount_minor, told.currency
    if isinstance(told, PaymentDisputed | DisputeClosed):
        return type(told), about, told.dispute_id, told.status, told.amount_minor, told.currency
    if isinstance(told, AuthorizationLost):
        return AuthorizationLost, about, told.amount
    return type(told), about
