"""What may be forgotten: nothing that a later fact could ask for, and nothing of money that is still moving."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.support import (
    INTENT_ID,
    NOW,
    OWNER,
    POLICY,
    PRICE,
    TICK,
    Driver,
    collected,
    declined,
    dispute_view,
    opened,
    refund_request,
    refund_view,
    view,
)

from airport_payments.core.announcements import DeadLetter, PaymentFailed
from airport_payments.core.commands import CreateRefund
from airport_payments.core.decide import Decision, decide
from airport_payments.core.decide.draft import due_at
from airport_payments.core.errors import InvalidRequest
from airport_payments.core.facts import (
    BookingChanged,
    CancelRequested,
    CaptureRequested,
    ConfirmRequested,
    DisputeObserved,
    Fact,
    IntentObserved,
    PaymentRequested,
    RefundObserved,
    RefundsHinted,
    Resolution,
    ResolveRequested,
)
from airport_payments.core.keeping import MAX_LOOKED_AT, check_before, check_pages, forgetting, is_settled
from airport_payments.core.model import BookingStatus, CancelReason, Ledger, RequestKey, Snapshot
from airport_payments.core.money import Money
from airport_payments.core.story import tell
from airport_payments.core.views import report

PART = Money(1000, "usd")
STRANGE = "pi_99999999"

# ---- what can have happened ----

PAST: dict[str, Callable[[Driver, int], object]] = {
    "declined": lambda d, n: d.event(view("requires_payment_method", failure=declined(f"ch_{n}")), f"evt_{n}"),
    "asked by the bank": lambda d, n: d.event(view("requires_action"), f"evt_{n}"),
    "processed": lambda d, n: d.event(view("processing"), f"evt_{n}"),
    "paid": lambda d, n: d.event(view("succeeded"), f"evt_{n}"),
    "canceled at Stripe": lambda d, n: d.event(view("canceled"), f"evt_{n}"),
    "cancelled by the team": lambda d, n: d.team(status=BookingStatus.CANCELLED),
    "repriced by the team": lambda d, n: d.team(price=Money(50000, "usd")),
    "a stray paid": lambda d, n: d.event(view("succeeded", "other", STRANGE), f"evt_{n}", placed=True),
    "refunded from the dashboard": lambda d, n: d.refund_event(refund_view(f"re_{n}", 1000), f"evt_{n}"),
    "refund asked for": lambda d, n: d.feed(refund_request(PART, f"r{n}")),
    "refund made": lambda d, n: ordered(d, "succeeded", n),
    "refund failed": lambda d, n: ordered(d, "failed", n),
    "disputed": lambda d, n: d.dispute_event(dispute_view("needs_response"), event_id=f"evt_{n}"),
    "dispute lost": lambda d, n: d.dispute_event(dispute_view("lost"), "closed", f"evt_{n}"),
    "dispute won": lambda d, n: d.dispute_event(dispute_view("won"), "closed", f"evt_{n}"),
    "kept by a person": lambda d, n: d.feed(ResolveRequested(INTENT_ID, Resolution("keep"), "staff-7")),
}


def ordered(driver: Driver, state: str, number: int) -> None:
    """Stripe's event of a refund that is on its way."""
    for effect in driver.effects:
        if isinstance(effect, CreateRefund):
            driver.refund_event(
                refund_view(f"re_{number}", effect.amount_minor, state, ref=effect.ref), f"evt_{number}"
            )
            return


def lived(past: list[str], *, keys: bool = True) -> Snapshot:
    """A booking after all this, with every announcement heard and nothing looked after any more."""
    driver = opened()
    if keys:
        key = (RequestKey("k", "f"),)
        driver.snapshot = replace(driver.snapshot, ledger=replace(driver.snapshot.ledger, request_keys=key))
    driver.resolving = True
    for number, name in enumerate(past):
        PAST[name](driver, number)
    ledger = driver.snapshot.ledger
    payments = tuple(replace(p, look_at=None, refunds_at=None) for p in ledger.payments)
    return replace(driver.snapshot, ledger=replace(ledger, payments=payments, announcements=()))


pasts = st.lists(st.sampled_from(sorted(PAST)), max_size=9).map(lambda past: [*past, "paid", *past[:3]])

# ---- what may still come ----

TO_COME: list[Fact] = [
    *(IntentObserved(view(s), "evt_x", f"payment_intent.{s}") for s in ("succeeded", "canceled", "processing")),
    IntentObserved(view("requires_payment_method", failure=declined("ch_0")), "evt_x", "payment_intent.payment_failed"),
    IntentObserved(view("requires_payment_method", failure=declined("ch_x")), "evt_x", "payment_intent.payment_failed"),
    IntentObserved(view("succeeded", "other", STRANGE), "evt_x", "payment_intent.succeeded", placed=True),
    IntentObserved(view("succeeded", "new", "pi_88888888"), "evt_x", "payment_intent.succeeded", placed=True),
    *(RefundObserved(refund_view(r, 1000, s), "evt_x", "refund.updated") for r in ("re_0", "re_1", "re_2", "re_x") for s in ("succeeded", "failed", "pending")),
    RefundObserved(refund_view("re_x", 45099), "evt_x", "refund.created"),
    *(RefundsHinted(INTENT_ID, minor, "evt_x", "charge.refunded") for minor in (0, 1000, 45099)),
    *(DisputeObserved(dispute_view(s, i), "evt_x", "charge.dispute.updated") for s in ("needs_response", "won", "lost") for i in ("dp_1", "dp_x")),
    ConfirmRequested(OWNER, INTENT_ID),
    ConfirmRequested(OWNER, "pi_77777777"),
    ConfirmRequested("mallory", INTENT_ID),
    PaymentRequested(OWNER, PRICE, "a9"),
    PaymentRequested(OWNER, PART, "a9"),
    *(refund_request(PART, f"r{n}") for n in range(4)),
    refund_request(None, "r-new"),
    CancelRequested(CancelReason.ASKED),
    CancelRequested(CancelReason.EXPIRED),
    CaptureRequested(None, None),
    *(ResolveRequested(INTENT_ID, Resolution(r), "staff-7") for r in ("confirm", "refund", "keep")),
    BookingChanged(),
    TICK,
]  # fmt: skip


def seen(decision: Decision) -> object:
    """A decision without what is forgotten: that alone may differ."""
    change = decision.change
    if change is None:
        return None, decision.act, repr(blurred(decision.reply)), repr(decision.problem)
    ledger = short(change.ledger)
    saved = ledger, change.booking_status, change.index, change.due_at, change.history
    return saved, decision.act, repr(blurred(decision.reply)), repr(decision.problem)


def short(ledger: Ledger) -> Ledger:
    return replace(ledger, version=0, request_keys=(), payments=tuple(replace(p, news=()) for p in ledger.payments))


def blurred(reply: Any) -> object:
    """A reply without the news, which no caller is shown."""
    if hasattr(reply, "payments"):
        return replace(reply, payments=tuple(replace(p, news=()) for p in reply.payments))
    return replace(reply, payment=replace(reply.payment, news=())) if hasattr(reply, "payment") else reply


@given(past=pasts, late=st.sampled_from(TO_COME), years=st.integers(0, 9))
@settings(max_examples=examples(200), deadline=None)
def test_every_later_fact_is_answered_as_if_nothing_had_been_forgotten(past: list[str], late: Fact, years: int) -> None:
    whole = lived(past)
    assume(is_settled(whole.ledger))
    change = forgetting(whole)
    assume(change is not None)
    assert change is not None
    pruned = Snapshot(whole.booking, change.ledger)
    now = NOW + timedelta(days=365 * years)
    assert seen(decide(pruned, late, now, POLICY)) == seen(decide(whole, late, now, POLICY))
    assert report(pruned) == report(whole)
    assert tell(pruned, ()).lines == tell(whole, ()).lines


@given(past=pasts, then=st.lists(st.sampled_from(TO_COME), max_size=5))
@settings(max_examples=examples(100), deadline=None)
def test_so_is_every_sequence_of_later_facts(past: list[str], then: list[Fact]) -> None:
    whole = lived(past)
    assume(is_settled(whole.ledger))
    change = forgetting(whole)
    assume(change is not None)
    assert change is not None
    both = [whole, Snapshot(whole.booking, change.ledger)]
    for late in then:
        decisions = [decide(snapshot, late, NOW, POLICY) for snapshot in both]
        assert seen(decisions[0]) == seen(decisions[1])
        for place, (snapshot, decision) in enumerate(zip(both, decisions, strict=True)):
            made = decision.change
            if made is not None:
                status = made.booking_status or snapshot.booking.status
                both[place] = Snapshot(replace(snapshot.booking, status=status), made.ledger)


@given(past=pasts)
@settings(max_examples=examples(100), deadline=None)
def test_what_is_forgotten_is_forgotten_once_and_moves_nothing(past: list[str]) -> None:
    whole = lived(past)
    change = forgetting(whole)
    if change is None or not is_settled(whole.ledger):
        return
    assert (change.booking_status, change.index, change.history) == (None, (), ())
    assert change.due_at is due_at(whole.ledger) is None
    assert change.ledger.version == whole.ledger.version + 1
    assert short(change.ledger) == short(whole.ledger)
    assert is_settled(change.ledger)
    assert forgetting(Snapshot(whole.booking, change.ledger)) is None


# ---- what is settled ----


def test_a_booking_that_is_paid_and_heard_of_is_settled() -> None:
    driver = collected()
    assert is_settled(driver.snapshot.ledger)
    assert is_settled(Ledger())


MOVING: dict[str, Callable[[], Driver]] = {
    "a payment that can be paid": opened,
    "a payment whose create has no answer": lambda: started(Driver(), PaymentRequested(OWNER, PRICE, "a1")),
    "an announcement that is not delivered": lambda: after(opened(), lambda d: d.event(view("succeeded"))),
    "money in review": lambda: after(collected(), lambda d: d.event(view("succeeded", "b", STRANGE), placed=True)),
    "a refund without an answer": lambda: started(collected(), refund_request(PART)),
    "a refund under way": lambda: after(collected(), lambda d: d.refund_event(refund_view(state="pending"))),
    "a refund that Stripe is to be asked about": lambda: after(collected(), lambda d: d.hint(500)),
    "a dispute to answer": lambda: after(collected(), lambda d: d.dispute_event(dispute_view())),
    "a dispute under review": lambda: after(collected(), lambda d: d.dispute_event(dispute_view("under_review"))),
    "a booking to be cancelled": lambda: started(opened(), CancelRequested(CancelReason.ASKED)),
}  # fmt: skip


def started(driver: Driver, fact: Fact) -> Driver:
    driver.feed(fact)
    return driver


def after(driver: Driver, happens: Callable[[Driver], object]) -> Driver:
    happens(driver)
    return driver


@pytest.mark.parametrize("name", MOVING)
def test_money_that_moves_or_waits_is_not_settled(name: str) -> None:
    ledger = MOVING[name]().snapshot.ledger
    assert not is_settled(ledger)
    if name not in {"an announcement that is not delivered", "money in review"}:
        # Nor is it for the one reason that all these share: the announcements.
        assert not is_settled(replace(ledger, announcements=()))


def test_a_dead_letter_and_a_newer_versions_ledger_are_not_settled() -> None:
    ledger = collected().snapshot.ledger
    told = PaymentFailed(booking_id="BK-1", sequence=1, at=NOW, error_code="x")
    assert not is_settled(replace(ledger, dead_letters=(DeadLetter(told, "mail", 9, NOW, "E"),)))
    assert not is_settled(replace(ledger, newer=True))


# ---- what is kept ----


def test_every_count_of_idempotency_keys_and_every_request_is_kept() -> None:
    driver = collected()
    driver.feed(refund_request(PART, "r1"))
    driver.refund_event(refund_view("re_1", 1000, ref=driver.refunds[0].ref))
    ledger = replace(driver.snapshot.ledger, announcements=(), request_keys=(RequestKey("k", "f"),))
    ledger = replace(
        ledger, payments=tuple(replace(p, closes=2, captures=3, confirms=4, looks=5) for p in ledger.payments)
    )
    change = forgetting(replace(driver.snapshot, ledger=ledger))
    assert change is not None
    (kept,) = change.ledger.payments
    assert (kept.refund_orders, kept.closes, kept.captures, kept.confirms) == (1, 2, 3, 4)
    assert kept.refunds[0].request is not None
    assert change.ledger.announced == ledger.announced > 0


def test_the_keys_of_requests_are_kept_while_the_booking_can_still_be_paid() -> None:
    snapshot = lived(["canceled at Stripe"])
    assert snapshot.booking.status is BookingStatus.PENDING
    assert is_settled(snapshot.ledger)
    change = forgetting(snapshot)
    assert change is None or change.ledger.request_keys == snapshot.ledger.request_keys


def test_a_message_that_an_early_version_kept_with_a_refund_is_cut_to_its_code() -> None:
    driver = collected()
    driver.refund_event(refund_view("re_1", 1000))
    ledger = replace(driver.snapshot.ledger, announcements=())
    payment = ledger.payments[0]
    for kept, left in [
        ("resource_missing: No such thing: jane@example.com", "resource_missing"),
        ("Jane typed this", "refused"),
        ("expired_or_canceled_card", "expired_or_canceled_card"),
    ]:
        refunds = (replace(payment.refunds[0], failure=kept),)
        change = forgetting(Snapshot(driver.booking, replace(ledger, payments=(replace(payment, refunds=refunds),))))
        cut = kept if change is None else change.ledger.payments[0].refunds[0].failure
        assert cut == left


# ---- what may be asked ----


@pytest.mark.parametrize("before", [None, "2026-01-01", datetime(2026, 1, 1), NOW + timedelta(seconds=1)])
def test_a_time_that_is_none_or_naive_or_to_come_is_refused(before: Any) -> None:
    with pytest.raises(InvalidRequest):
        check_before(before, NOW)
    check_before(NOW, NOW)


@pytest.mark.parametrize(
    ("start", "limit"), [("..", 1), ("a/b", 1), (None, 0), (None, MAX_LOOKED_AT + 1), (None, True)]
)
def test_a_page_out_of_bounds_is_refused(start: Any, limit: Any) -> None:
    with pytest.raises(InvalidRequest):
        check_pages(start, limit)
    check_pages("BK-1", MAX_LOOKED_AT)
