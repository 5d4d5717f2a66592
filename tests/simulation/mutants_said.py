"""Deliberate faults of saved cards and holds, and of what is told: announcements, answers, amounts.

The simulator has to notice each.
"""

from dataclasses import replace
from typing import Any

from tests.simulation.mutant import Patches, mutant

from airport_payments import gateway, gateway_async, staff, staff_async
from airport_payments.core.commands import ConfirmIntent
from airport_payments.core.decide import (
    answers,
    charges,
    disputes,
    intents,
    look,
    operations,
    refund_requests,
    refunds,
    requests,
    settle,
)
from airport_payments.core.decide.draft import Draft, NotCompleted, PaymentReply
from airport_payments.core.errors import Busy, CardDeclined
from airport_payments.core.facts import RefusalKind
from airport_payments.core.model import BookingStatus, IntentStatus, PaymentState, Place
from airport_payments.core.refund import RefundState
from airport_payments.core.views import PaymentStatus
from airport_payments.storage.memory import AsyncMemoryBookingRepository

# ---- saved cards ----


@mutant()
def a_declined_saved_card_is_tried_again() -> Patches:
    """One try for each request."""
    return [(answers, "charge_answered", lambda *_: None)]


@mutant()
def a_saved_card_pays_whatever_the_booking_is() -> Patches:
    """An attempt opens only for a booking that can be paid, at its price."""
    return [(charges, "refusal", lambda *_: None)]


@mutant()
def a_charge_without_an_answer_gets_a_new_key() -> Patches:
    """Rule 9: a saved command is resent exactly as saved."""
    real = look.perform

    def perform(draft: Any, effect: Any) -> Any:
        command = real(draft, effect)
        again = isinstance(command, ConfirmIntent)
        return replace(command, key=f"{command.key}/{command.tries}") if again else command

    return [(part, "perform", perform) for part in (charges, requests, operations)]


@mutant()
def what_is_not_wanted_any_more_is_charged_all_the_same() -> Patches:
    """A charge without an answer is given up when its booking does not want it any more."""
    return [(settle, "give_up", lambda *_: None)]


@mutant(near=245)
def another_card_goes_on_with_the_first() -> Patches:
    """Who asks for another card gets a try of their own."""
    real = charges.ask_charge

    def ask_charge(draft: Draft, asker: Any, fresh: Any) -> Any:
        live = draft.live()
        effect = draft.effect_of(live) if live is not None else None
        if isinstance(effect, ConfirmIntent):
            asker = replace(asker, payment_method_id=effect.payment_method_id)
        return real(draft, asker, fresh)

    return [(requests, "ask_charge", ask_charge)]


@mutant()
def who_pays_by_themselves_has_the_card_charged() -> Patches:
    """A customer at the page takes the place of a charge without an answer."""
    real = requests._payment

    def payment(draft: Draft, fact: Any, fresh: Any) -> Any:
        live = draft.live()
        effect = draft.effect_of(live) if live is not None else None
        return (look.perform(draft, effect), None) if isinstance(effect, ConfirmIntent) else real(draft, fact, fresh)

    return [(requests, "_payment", payment)]


@mutant(near=965)
def a_webhook_keeps_the_customer_from_saying_yes() -> Patches:
    """Where the bank wants the customer, the answer lets them say yes, however old it is."""
    real = charges._to_authenticate

    def to_authenticate(draft: Draft, payment: Any, failure: Any, shown: Any) -> Any:
        now = draft.attempt(payment.attempt_id)
        if now is None or now.stripe_status is None:
            return None, CardDeclined(failure.code, failure.decline_code, failure.message)
        return real(draft, payment, failure, shown)

    return [(charges, "_to_authenticate", to_authenticate)]


@mutant()
def a_card_that_nobody_has_is_an_unknown_intent() -> Patches:
    """A refusal of the card says nothing of the PaymentIntent, and ends the charge."""
    real = answers._refused

    def refused(draft: Draft, payment: Any, reply: Any, fact: Any) -> Any:
        missing = reply.kind is RefusalKind.PAYMENT_METHOD
        return real(draft, payment, replace(reply, kind=RefusalKind.MISSING) if missing else reply, fact)

    return [(answers, "_refused", refused)]


# ---- holds ----


@mutant(near=1053)
def a_longer_hold_is_not_seen() -> Patches:
    """A booking expires only if its hold is over as the team has it now."""
    real = settle._think_better

    def think_better(draft: Draft) -> None:
        attached = any(p.place is Place.ATTACHED for p in draft.payments)
        if attached or draft.booking.status is not BookingStatus.PENDING:
            real(draft)

    return [(settle, "_think_better", think_better)]


@mutant()
def what_is_still_held_expires_when_somebody_says_so() -> Patches:
    """`expire` is for what is not held any more."""
    real = operations.ask_cancel

    def ask_cancel(draft: Draft, asker: Any, fresh: Any) -> Any:
        held = draft.booking
        draft.booking = replace(held, hold_until=None)
        step = real(draft, asker, fresh)
        draft.booking = replace(draft.booking, hold_until=held.hold_until)
        return step

    return [(requests, "ask_cancel", ask_cancel)]


# ---- what is announced ----


@mutant()
def a_refund_that_failed_is_not_announced() -> Patches:
    """What follows from a change is announced."""
    real = refunds._tell

    def tell(draft: Draft, payment: Any, refund: Any) -> None:
        if refund.state is RefundState.SUCCEEDED:
            real(draft, payment, refund)

    return [(refunds, "_tell", tell)]


@mutant(near=100)
def money_in_review_is_announced_with_all_that_was_collected() -> Patches:
    """An announcement says what is here."""
    real = refunds.to_review

    def to_review(draft: Draft, payment: Any, reason: Any) -> None:
        real(draft, payment, reason)
        (*others, last) = draft.announcements
        told = replace(last.announcement, amount_minor=payment.received_minor)
        draft.announcements = (*others, replace(last, announcement=told))

    return [(part, "to_review", to_review) for part in (refunds, intents)]


@mutant()
def a_lost_authorisation_is_not_announced() -> Patches:
    """What confirmed a booking and is not there any more is announced."""
    real = intents._canceled

    def canceled(draft: Draft, payment: Any, view: Any) -> None:
        before, number = draft.announcements, draft.announced
        real(draft, payment, view)
        if draft.booking.status is BookingStatus.CONFIRMED:
            draft.announcements, draft.announced = before, number

    return [(intents, "_canceled", canceled)]


@mutant()
def a_dispute_that_is_decided_is_not_announced() -> Patches:
    """How a dispute ended is announced."""
    return [(disputes, "_tell_closed", lambda *_: None)]


@mutant()
def a_booking_is_said_to_be_paid_with_its_price() -> Patches:
    """A part that was captured pays its booking, and is announced as what it is."""
    real = Draft.confirm_booking

    def confirm_booking(draft: Draft, payment: Any, _: int) -> None:
        real(draft, payment, payment.amount.amount_minor)

    return [(Draft, "confirm_booking", confirm_booking)]


# ---- amounts ----


@mutant()
def what_pays_goes_back_at_once() -> Patches:
    """Money that pays its booking goes back only when somebody asks for it."""
    real = intents._collect

    def collect(draft: Draft, payment: Any, view: Any) -> None:
        real(draft, payment, view)
        now = draft.attempt(payment.attempt_id)
        if now is not None and now.place is Place.ATTACHED:
            refunds.order_refund(draft, now, now.rest_minor)

    return [(intents, "_collect", collect)]


@mutant()
def half_of_it_goes_back() -> Patches:
    """As much goes back as was asked for."""
    real = refund_requests.order_refund

    def order_refund(draft: Draft, payment: Any, amount_minor: int, **more: Any) -> Any:
        return real(draft, payment, amount_minor // 2 or 1, **more)

    return [(refund_requests, "order_refund", order_refund)]


@mutant()
def half_of_it_is_captured() -> Patches:
    """As much is captured as was asked for."""
    real = operations.order_capture

    def order_capture(draft: Draft, payment: Any, amount_minor: int) -> None:
        real(draft, payment, amount_minor // 3 or 1)

    return [(operations, "order_capture", order_capture)]


# ---- answers ----


@mutant()
def a_decision_is_only_said() -> Patches:
    """What a person decides about money in review is done."""

    def ask_resolve(draft: Draft, asker: Any) -> Any:
        payment = draft.named(asker.payment_id) or draft.payments[0]
        return None, PaymentReply(draft.booking, payment)

    return [(requests, "ask_resolve", ask_resolve)]


@mutant()
def what_is_paid_is_said_to_be_open() -> Patches:
    """Who asks whether a booking is paid is told so, when it is."""
    real = requests._confirm

    def confirm(draft: Draft, fact: Any, fresh: Any) -> Any:
        payment = draft.intent(fact.intent_id)
        if payment is not None and payment.state is PaymentState.SUCCEEDED and payment.place is Place.ATTACHED:
            return None, NotCompleted(draft.booking, IntentStatus.SUCCEEDED, None, None)
        return real(draft, fact, fresh)

    return [(requests, "_confirm", confirm)]


@mutant()
def a_booking_counts_as_paid_when_it_was_opened() -> Patches:
    """A status says that a booking is paid only when it is."""

    def lies(real: Any) -> Any:
        def report(snapshot: Any) -> Any:
            told = real(snapshot)
            opened = told.payment_status is PaymentStatus.PENDING and snapshot.ledger.payments
            return replace(told, payment_status=PaymentStatus.COMPLETED) if opened else told

        return report

    return [(part, "report", lies(part.report)) for part in (gateway, gateway_async)]


@mutant()
def a_stranger_hears_that_it_is_busy() -> Patches:
    """Someone else's booking and none look the same, also while something is under way."""
    real = requests.step

    def step(draft: Draft, asker: Any, fresh: Any = None) -> Any:
        owner = getattr(asker, "owner", None)
        if owner not in {None, draft.booking.owner} and draft.effects:
            return None, Busy()
        return real(draft, asker, fresh)

    from airport_payments.core import decide

    return [(part, "step", step) for part in (decide, answers)]


@mutant()
def the_office_hears_of_more_money_than_is_there() -> Patches:
    """What waits for a person is listed as it is."""

    def more(real: Any) -> Any:
        def attention(snapshot: Any) -> Any:
            told = real(snapshot)
            reviews = tuple(replace(r, amount_minor=r.amount_minor + 1) for r in told.reviews)
            return replace(told, reviews=reviews)

        return attention

    return [(part, "attention", more(part.attention)) for part in (staff, staff_async)]


# ---- the team's row ----


@mutant()
def a_confirmed_booking_is_not_written() -> Patches:
    """The status of the team's row is saved with the ledger."""
    real = AsyncMemoryBookingRepository._save

    def save(self: Any, change: Any) -> bool:
        confirmed = change.booking_status is BookingStatus.CONFIRMED
        return real(self, replace(change, booking_status=None) if confirmed else change)

    return [(AsyncMemoryBookingRepository, "_save", save)]
