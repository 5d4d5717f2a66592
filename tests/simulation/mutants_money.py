"""Deliberate faults in the rules about collected money, holds and operators. The simulator has to notice every one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.simulation.mutant import Patches, mutant

from airport_payments import reconcile, reconcile_async, reconciling
from airport_payments.core import decide as decide_package
from airport_payments.core.commands import CaptureIntent, CreateRefund
from airport_payments.core.decide import (
    aftermath,
    answers,
    disputes,
    intents,
    look,
    opening,
    operations,
    refund_requests,
    refunds,
    requests,
    settle,
    table,
)
from airport_payments.core.decide.draft import Draft
from airport_payments.core.errors import NothingToRefund, RefundTooLarge
from airport_payments.core.facts import RefundsHinted, RefundView
from airport_payments.core.model import PaymentState, Place, ReviewReason, Surplus
from airport_payments.core.money import Money
from airport_payments.core.refund import RefundState
from airport_payments.stripe_api.lists import Listing

R = RefundState


def _wrap_settle(around: Callable[[Draft, Callable[[Draft], None]], None]) -> Patches:
    real = settle.settle
    return [(part, "settle", lambda draft: around(draft, real)) for part in (requests, operations, intents, aftermath)]


# ---- refunds ----


@mutant()
def a_refund_gets_a_new_key_at_each_sending() -> Patches:
    """Rule 9: a saved command is resent exactly as saved."""
    real = look.perform

    def perform(draft: Draft, effect: Any) -> Any:
        command = real(draft, effect)
        again = command is effect and isinstance(effect, CreateRefund)
        return replace(effect, key=f"{effect.key}/{effect.tries}") if again else command

    return [(part, "perform", perform) for part in (requests, operations)]


@mutant(near=149)
def a_spent_refund_is_commanded_again_at_once() -> Patches:
    """Rule 9: two keys at once could give the money back twice."""
    return [(refunds, "KEY_FORGOTTEN", timedelta(0))]


@mutant(near=509)
def a_replayed_refund_answer_tells_the_status() -> Patches:
    """Rule 2: never from an answer marked Idempotent-Replayed."""
    real = answers.refund_seen

    def seen(draft: Draft, payment: Any, command: Any, reply: Any) -> None:
        real(draft, payment, command, replace(reply, replayed=False))

    return [(answers, "refund_seen", seen)]


@mutant()
def charge_refunded_adds_up() -> Patches:
    """`charge.refunded` is a hint to list the refunds; nothing is ever added up from it."""
    real = aftermath.observe_aftermath

    def observe(draft: Draft, fact: Any) -> Any:
        payment = draft.intent(fact.intent_id) if isinstance(fact, RefundsHinted) else None
        if payment is not None:
            rest = fact.refunded_minor - sum(r.amount_minor for r in payment.refunds if r.made)
            if rest > 0:
                sum_ = RefundView(f"re_{fact.event_id}", payment.intent_id, Money(rest, payment.currency), R.SUCCEEDED)
                refunds.note_refund(draft, payment, sum_)
        return real(draft, fact)

    return [(decide_package, "observe_aftermath", observe)]


@mutant(near=180)
def charge_refunded_is_ignored() -> Patches:
    """`charge.refunded` is a hint to list the refunds."""
    return [(aftermath, "_list_soon", lambda *_: None)]


@mutant()
def more_is_given_back_than_is_left() -> Patches:
    """S11: never more than was captured."""
    real = refund_requests._refusal

    def refusal(payment: Any, asker: Any, amount_minor: int) -> Any:
        found = real(payment, asker, amount_minor)
        collected = payment.state is PaymentState.SUCCEEDED and amount_minor > 0
        return None if collected and isinstance(found, NothingToRefund | RefundTooLarge) else found

    return [(refund_requests, "_refusal", refusal)]


@mutant()
def one_request_id_gives_back_twice() -> Patches:
    """S11: a request id names one refund, whatever else comes with it."""
    real = requests.ask_refund

    def ask(draft: Draft, asker: Any) -> Any:
        # As if it were compared with what it asks for: with other arguments it is another.
        return real(draft, replace(asker, request=("".join(asker.request), asker.request[1])))

    return [(requests, "ask_refund", ask)]


@mutant()
def a_succeeded_refund_cannot_fail() -> Patches:
    """A refund may fail after it succeeded."""
    return [(refunds, "REFUND_FORWARD", {**table.REFUND_FORWARD, R.SUCCEEDED: frozenset()})]


@mutant(near=149)
def a_refund_without_an_answer_is_dropped() -> Patches:
    """Rule 1: a command stays until it is answered."""
    real = answers._unanswered

    def unanswered(draft: Draft, payment: Any, reply: Any, fact: Any) -> Any:
        error = real(draft, payment, reply, fact)
        if isinstance(fact.command, CreateRefund):
            draft.refund_answered(fact.command.ref)
        return error

    return [(answers, "_unanswered", unanswered)]


@mutant()
def a_pending_refund_is_not_looked_at() -> Patches:
    """A refund whose end is still to come is looked at, when no event tells of it."""
    return [(refunds, "MAX_LOOKS", 0)]


@mutant(near=518)
def a_planned_listing_is_forgotten_over_another_refund() -> Patches:
    """A listing stays due until it was made."""
    return [(refunds, "_watch", refunds._listed)]


@mutant(near=50)
def an_authorisation_is_looked_at_as_other_payments() -> Patches:
    """It ends only after the looks at an open payment did."""
    real = intents._next_look
    return [(intents, "_next_look", lambda *given, held=False, **named: real(*given, **named))]


@mutant()
def an_obligation_that_failed_is_forgotten() -> Patches:
    """Rule 7: money that was to go back and did not is in review."""
    real = settle.settle_money

    def settle_money(draft: Draft, payment: Any) -> None:
        if payment.place is not Place.REFUNDED:
            real(draft, payment)

    return [(settle, "settle_money", settle_money)]


@mutant()
def an_obligation_is_noted_and_not_met() -> Patches:
    """Rule 7: what is to go back goes back."""
    return [(intents, "order_refund", lambda *_, **__: None)]


@mutant()
def a_full_refund_forgets_the_booking() -> Patches:
    """`refund_cancels_booking`: a booking whose money all went back is cancelled."""
    real = settle.settle_money

    def settle_money(draft: Draft, payment: Any) -> None:
        policy = draft.policy
        draft.policy = replace(policy, refund_cancels_booking=False)
        real(draft, payment)
        draft.policy = policy

    return [(settle, "settle_money", settle_money)]


@mutant()
def money_of_an_unknown_attempt_goes_back_by_itself() -> Patches:
    """Rule 7: after a restored backup it may well have been a good payment."""
    real = intents._objection

    def objection(draft: Draft, *rest: Any) -> Any:
        found = real(draft, *rest)
        unknown = found is ReviewReason.UNKNOWN_ATTEMPT and draft.policy.surplus is Surplus.REFUND
        return ReviewReason.LATE if unknown else found

    return [(intents, "_objection", objection)]


# ---- disputes ----


@mutant()
def an_old_state_of_a_dispute_is_applied() -> Patches:
    """S8: a dispute only moves forward."""
    everywhere = dict.fromkeys(table.DISPUTE_FORWARD, frozenset(table.DISPUTE_FORWARD))
    return [(disputes, "DISPUTE_FORWARD", everywhere)]


@mutant()
def a_dispute_is_announced_with_each_of_its_events() -> Patches:
    """S7: the same news twice finds nothing to change."""
    real = disputes.note_dispute

    def note(draft: Draft, payment: Any, fact: Any) -> None:
        real(draft, payment, fact)
        now = draft.attempt(payment.attempt_id)
        dispute = next((d for d in now.disputes if d.dispute_id == fact.view.id), None) if now else None
        if now is payment and dispute is not None and dispute.open:
            disputes._tell_open(draft, payment, dispute)

    return [(aftermath, "note_dispute", note)]


# ---- cancelling and holds ----


@mutant()
def a_booking_is_cancelled_before_its_intent_is() -> Patches:
    """Cancel: the PaymentIntent first, so that nobody pays what is gone."""

    def early(draft: Draft, real: Callable[[Draft], None]) -> None:
        real(draft)
        if draft.cancelling is not None:
            draft.cancel_booking(draft.cancelling)

    return _wrap_settle(early)


@mutant(near=708)
def late_money_confirms_a_booking_that_is_being_cancelled() -> Patches:
    """Rule 7: money that comes too late is an obligation."""
    real = intents._objection

    def objection(draft: Draft, *rest: Any) -> Any:
        cancelling, draft.cancelling = draft.cancelling, None
        found = real(draft, *rest)
        draft.cancelling = cancelling
        return found

    return [(intents, "_objection", objection)]


@mutant()
def a_hold_that_is_over_opens_a_new_intent() -> Patches:
    """Rule 3: no attempt for a booking whose hold is over."""
    real = opening.refusal

    def refusal(draft: Draft, fact: Any) -> Any:
        booking = draft.booking
        draft.booking = replace(booking, hold_until=None)
        found = real(draft, fact)
        draft.booking = booking
        return found

    return [(requests, "refusal", refusal)]


@mutant()
def a_hold_that_is_over_is_not_seen() -> Patches:
    """A pending booking whose hold is over is cancelled by `tick`."""
    return [(requests, "expire", lambda _: None)]


# ---- operators ----


@mutant(near=530)
def a_person_confirms_beside_an_attached_payment() -> Patches:
    """S3: two payments never confirm one booking."""
    return [(operations, "_confirm_refusal", lambda *_: None)]


@mutant()
def a_capture_is_commanded_twice_with_a_new_key() -> Patches:
    """Rule 9: captures are never given a new key before they were looked for."""
    real = settle.order_capture

    def order(draft: Draft, payment: Any, amount_minor: int) -> None:
        draft.answered(payment, CaptureIntent)
        real(draft, payment, amount_minor)

    return [(part, "order_capture", order) for part in (settle, operations)]


@mutant()
def a_released_authorisation_still_pays_its_booking() -> Patches:
    """An authorisation that is gone is not money."""
    real = intents._canceled

    def canceled(draft: Draft, payment: Any, view: Any) -> None:
        real(draft, payment, view)
        now = draft.attempt(payment.attempt_id)
        if now is not None and payment.place is Place.ATTACHED:
            draft.put(replace(now, place=Place.ATTACHED))

    return [(intents, "_canceled", canceled)]


# ---- reconcile ----


@mutant()
def reconcile_reads_no_refunds() -> Patches:
    """L6: after it nothing differs."""

    async def nothing(*_: Any) -> None:
        return None

    order = tuple(listing for listing in reconciling.ORDER if listing is not Listing.REFUNDS)
    return [
        (reconciling, "ORDER", order),
        (reconcile.Comparison, "_refunds", lambda *_: None),
        (reconcile_async.AsyncComparison, "_refunds", nothing),
    ]


@mutant(near=45)
def a_dry_run_of_reconcile_writes() -> Patches:
    """L6: a dry run only says what differs."""
    return [(part, "Overlay", lambda: None) for part in (reconcile, reconcile_async)]
