"""Deliberate faults that single checks of the judge are there for. The simulator has to notice each."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from tests.simulation.mutant import Patches, mutant

from airport_payments import gateway, gateway_async
from airport_payments.core import story
from airport_payments.core.commands import CreateRefund
from airport_payments.core.decide import (
    answers,
    charges,
    disputes,
    intents,
    look,
    opening,
    operations,
    refund_requests,
    refunds,
    requests,
    settle,
)
from airport_payments.core.decide import (
    draft as drafts,
)
from airport_payments.core.decide.draft import CancelReply, Completed, Draft, PaymentReply, RefundReply
from airport_payments.core.dispute import DisputeStatus
from airport_payments.core.errors import BookingAlreadyPaid, CardDeclined
from airport_payments.core.facts import Resolution
from airport_payments.core.model import (
    BookingStatus,
    CancelReason,
    IntentStatus,
    PaymentState,
    Place,
    ReviewReason,
    Surplus,
)
from airport_payments.core.refund import RefundState

# ---- what opens, and what confirms ----


@mutant()
def an_attempt_opens_at_another_price() -> Patches:
    """An attempt is of the booking's own price."""
    real = opening.open_attempt

    def open_attempt(draft: Draft, fact: Any, options: Any) -> Any:
        booking = draft.booking
        draft.booking = replace(booking, price=replace(booking.price, amount_minor=booking.price.amount_minor + 1))
        step = real(draft, fact, options)
        draft.booking = booking
        return step

    return [(part, "open_attempt", open_attempt) for part in (requests, charges)]


@mutant(near=235)
def a_paid_booking_that_was_reopened_can_be_paid_again() -> Patches:
    """What is paid is paid, whatever the team's row says."""
    real = opening.refusal

    def refusal(draft: Draft, fact: Any) -> Any:
        error = real(draft, fact)
        pending = draft.booking.status is BookingStatus.PENDING
        return None if isinstance(error, BookingAlreadyPaid) and pending else error

    return [(part, "refusal", refusal) for part in (requests, charges)]


@mutant()
def less_is_noted_than_was_collected() -> Patches:
    """As much counts as Stripe says it received."""
    real = intents._collect

    def collect(draft: Draft, payment: Any, view: Any) -> None:
        real(draft, payment, replace(view, received_minor=view.received_minor - 1))

    return [(intents, "_collect", collect)]


@mutant()
def an_authorisation_confirms_whatever_the_settings_say() -> Patches:
    """Only where the team wants it so, an authorisation confirms."""
    real = intents._authorised

    def authorised(draft: Draft, payment: Any, view: Any) -> None:
        policy = draft.policy
        draft.policy = replace(policy, confirm_at_authorization=True)
        real(draft, payment, view)
        draft.policy = policy

    return [(intents, "_authorised", authorised)]


@mutant()
def a_question_of_the_bank_counts_as_an_authorisation() -> Patches:
    """What the customer's bank still asks about is not authorised."""
    real = intents.observe

    def observe(draft: Draft, payment: Any, view: Any, *, asked: bool) -> None:
        if view.status is IntentStatus.REQUIRES_ACTION and draft.policy.confirm_at_authorization:
            view = replace(view, status=IntentStatus.REQUIRES_CAPTURE)
        real(draft, payment, view, asked=asked)

    return [(part, "observe", observe) for part in (intents, answers)]


@mutant()
def what_is_to_be_kept_confirms() -> Patches:
    """A person decides, and nobody else."""
    real = operations.ask_resolve

    def ask_resolve(draft: Draft, asker: Any) -> Any:
        keeps = asker.resolution is Resolution.KEEP
        return real(draft, replace(asker, resolution=Resolution.CONFIRM) if keeps else asker)

    return [(requests, "ask_resolve", ask_resolve)]


# ---- what is cancelled ----


@mutant()
def a_part_that_went_back_cancels_the_booking() -> Patches:
    """A booking is cancelled when all of its money went back."""
    real = settle.settle_money

    def settle_money(draft: Draft, payment: Any) -> None:
        real(draft, payment)
        confirmed = draft.booking.status is BookingStatus.CONFIRMED
        if payment.refunds and payment.place is Place.ATTACHED and confirmed and payment.rest_minor > 0:
            draft.cancel_booking(CancelReason.REFUNDED)

    return [(settle, "settle_money", settle_money)]


@mutant()
def a_paid_booking_is_cancelled_by_who_asks() -> Patches:
    """What is paid takes a refund."""
    real = operations.ask_cancel

    def ask_cancel(draft: Draft, asker: Any, fresh: Any) -> Any:
        step = real(draft, asker, fresh)
        if isinstance(step[1], BookingAlreadyPaid) and draft.booking.status is BookingStatus.CONFIRMED:
            draft.cancel_booking(asker.reason)
            return None, CancelReply(draft.booking, ())
        return step

    return [(requests, "ask_cancel", ask_cancel)]


@mutant()
def all_goes_back_and_the_booking_stays() -> Patches:
    """Where the settings say so, a full refund cancels the booking."""
    real = settle.settle_money

    def settle_money(draft: Draft, payment: Any) -> None:
        gone = payment.place is Place.ATTACHED and payment.rest_minor <= 0 and payment.refunds
        if gone and all(r.state is not RefundState.REQUESTED for r in payment.refunds):
            draft.put(replace(payment, place=Place.REFUNDED))
            draft.note("settled", "all of its money went back")
        else:
            real(draft, payment)

    return [(settle, "settle_money", settle_money)]


@mutant()
def a_cancellation_is_said_before_it_is_done() -> Patches:
    """What is said to be cancelled can be paid by nobody."""
    real = operations.ask_cancel

    def ask_cancel(draft: Draft, asker: Any, fresh: Any) -> Any:
        act, reply = real(draft, asker, fresh)
        if reply is None:
            return None, CancelReply(replace(draft.booking, status=BookingStatus.CANCELLED), ())
        return act, reply

    return [(requests, "ask_cancel", ask_cancel)]


# ---- what goes back, and what waits ----


@mutant()
def surplus_waits_though_it_is_to_go_back() -> Patches:
    """The settings say what becomes of money that confirms nothing."""
    return [(intents, "Surplus", SimpleNamespace(REFUND=None))]


@mutant()
def surplus_goes_back_though_it_is_to_wait() -> Patches:
    """The settings say what becomes of money that confirms nothing."""
    return [(intents, "Surplus", SimpleNamespace(REFUND=Surplus.REVIEW))]


@mutant()
def what_was_never_asked_for_goes_back() -> Patches:
    """Money of an attempt that this database does not know waits for a person."""
    return [(intents, "_asked_for", lambda *_: True)]


@mutant()
def less_goes_back_than_came_too_much() -> Patches:
    """All of what confirms nothing goes back."""
    real = intents.order_refund

    def order_refund(draft: Draft, payment: Any, amount_minor: int, **more: Any) -> Any:
        return real(draft, payment, amount_minor - 1, **more)

    return [(intents, "order_refund", order_refund)]


@mutant(near=135)
def what_was_kept_waits_again() -> Patches:
    """What a person decided is not asked again."""
    real = settle.settle_money

    def settle_money(draft: Draft, payment: Any) -> None:
        if payment.place is Place.KEPT:
            refunds.to_review(draft, payment, ReviewReason.LATE)
        real(draft, payment)

    return [(settle, "settle_money", settle_money)]


@mutant()
def a_refund_that_waits_counts_as_made() -> Patches:
    """A refund is as Stripe says it is."""
    real = refunds.note_refund

    def note_refund(draft: Draft, payment: Any, view: Any, **more: Any) -> Any:
        waits = view.state is RefundState.PENDING
        return real(draft, payment, replace(view, state=RefundState.SUCCEEDED) if waits else view, **more)

    from airport_payments.core.decide import aftermath

    return [(part, "note_refund", note_refund) for part in (refunds, aftermath) if hasattr(part, "note_refund")]


@mutant()
def a_lost_dispute_counts_as_won() -> Patches:
    """A dispute is as Stripe says it is."""
    real = disputes.note_dispute

    def note_dispute(draft: Draft, payment: Any, fact: Any) -> None:
        lost = fact.view.status is DisputeStatus.LOST
        real(draft, payment, replace(fact, view=replace(fact.view, status=DisputeStatus.WON)) if lost else fact)

    from airport_payments.core.decide import aftermath

    return [(aftermath, "note_dispute", note_dispute)]


@mutant()
def a_refund_is_sent_otherwise_than_it_was_saved() -> Patches:
    """A saved command is resent exactly as saved."""
    real = look.perform

    def perform(draft: Draft, effect: Any) -> Any:
        command = real(draft, effect)
        changed = isinstance(command, CreateRefund) and command.amount_minor > 1
        return replace(command, amount_minor=command.amount_minor - 1) if changed else command

    return [(part, "perform", perform) for part in (requests, operations)]


# ---- what is answered ----


@mutant()
def what_is_quoted_is_not_what_is_paid() -> Patches:
    """What was quoted is what is sent."""

    def more(real: Any) -> Any:
        def created(reply: Any) -> Any:
            told = real(reply)
            return replace(told, amount=replace(told.amount, amount_minor=told.amount.amount_minor + 1))

        return created

    return [(part, "created", more(part.created)) for part in (gateway, gateway_async)]


@mutant(near=168)
def what_is_processed_is_said_to_be_paid() -> Patches:
    """A payment that its bank still works on is not completed."""
    real = requests._confirm

    def confirm(draft: Draft, fact: Any, fresh: Any) -> Any:
        if fresh is not None and fresh.status is IntentStatus.PROCESSING:
            return None, Completed(draft.booking, fresh.status)
        return real(draft, fact, fresh)

    return [(requests, "_confirm", confirm)]


@mutant()
def a_declined_card_is_said_to_have_paid() -> Patches:
    """A charge is completed when Stripe collected it."""
    real = answers.charge_answered

    def charge_answered(draft: Draft, payment: Any, fact: Any) -> Any:
        step = real(draft, payment, fact)
        declined = step is not None and isinstance(step[1], CardDeclined)
        return (None, Completed(draft.booking, IntentStatus.SUCCEEDED)) if declined else step

    return [(answers, "charge_answered", charge_answered)]


@mutant()
def a_paid_booking_is_reported_open() -> Patches:
    """Who asks how a booking stands is told when it is paid."""
    from airport_payments.core.views import PaymentStatus

    def lies(real: Any) -> Any:
        def report(snapshot: Any) -> Any:
            told = real(snapshot)
            return replace(told, payment_status=PaymentStatus.PENDING)

        return report

    return [(part, "report", lies(part.report)) for part in (gateway, gateway_async)]


@mutant()
def another_refund_is_told_than_the_one_of_this_request() -> Patches:
    """A request id names one refund."""
    real = refund_requests._stands

    def stands(draft: Draft, payment: Any, refund: Any) -> Any:
        act, reply = real(draft, payment, refund)
        return act, RefundReply(reply.booking, reply.payment, payment.refunds[0]) if reply is not None else None

    return [(refund_requests, "_stands", stands)]


@mutant()
def a_capture_is_said_before_it_is_done() -> Patches:
    """What is said to be collected is collected."""
    real = operations.ask_capture

    def ask_capture(draft: Draft, asker: Any) -> Any:
        act, reply = real(draft, asker)
        live = draft.live()
        if act is not None and live is not None and live.state is PaymentState.REQUIRES_CAPTURE:
            said = replace(live, state=PaymentState.SUCCEEDED, received_minor=live.amount.amount_minor)
            return None, PaymentReply(draft.booking, said)
        return act, reply

    return [(requests, "ask_capture", ask_capture)]


@mutant()
def a_story_leaves_out_how_it_began() -> Patches:
    """A story tells all that happened."""
    from airport_payments import staff, staff_async

    real = story.tell

    def tell(snapshot: Any, lines: Any) -> Any:
        return real(snapshot, list(lines)[1:])

    return [(part, "tell", tell) for part in (staff, staff_async)]


# ---- the index ----


@mutant()
def what_is_being_cancelled_keeps_its_place_in_the_index() -> Patches:
    """The index says what can be paid."""
    real = drafts.index_row

    def index_row(payment: Any) -> Any:
        return real(replace(payment, state=PaymentState.OPEN) if payment.state is PaymentState.CANCELED else payment)

    return [(drafts, "index_row", index_row)]
