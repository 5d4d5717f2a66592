"""What Stripe's answer to a command means: rules 1, 2 and 9."""

from typing import Final

from airport_payments.core.commands import (
    CancelIntent,
    CaptureIntent,
    Command,
    ConfirmIntent,
    CreateIntent,
    CreateRefund,
    Effect,
    FindIntent,
    ListRefunds,
    RetrieveIntent,
)
from airport_payments.core.decide.charges import charge_answered
from airport_payments.core.decide.draft import Draft, Step
from airport_payments.core.decide.intents import adopt, identify, looked, observe
from airport_payments.core.decide.refunds import refund_refused, refund_seen, refunds_seen
from airport_payments.core.decide.requests import step
from airport_payments.core.decide.table import (
    LOOK_FIRST,
    NOT_CANCELABLE,
    PROCESSING_FIRST,
    RETRY_FIRST,
    RETRY_MOST,
    SERVER_ERRORS_BEFORE_LOOKING,
    backoff,
    spent,
)
from airport_payments.core.errors import (
    AmountTooLarge,
    AmountTooSmall,
    CaptureRefused,
    CardDeclined,
    FieldError,
    InvalidRequest,
    Misconfigured,
    PaymentsError,
    StripeUnavailable,
)
from airport_payments.core.evolve import replace
from airport_payments.core.facts import (
    Answer,
    BookingChanged,
    IntentSeen,
    IntentView,
    NothingFound,
    RefundSeen,
    RefundsSeen,
    RefusalKind,
    Refused,
    TimePassed,
    Unanswered,
)
from airport_payments.core.model import IntentStatus, Payment, PaymentState

_NAMES: Final[dict[type[Command], str]] = {
    CancelIntent: "cancellation",
    CaptureIntent: "capture",
    ConfirmIntent: "charge",
}


def answer(draft: Draft, fact: Answer) -> Step:
    """Apply an answer, then go on with what it was asked for."""
    payment = draft.attempt(fact.command.attempt_id)
    if payment is None:
        return step(draft, fact.asker)
    reply = fact.reply
    fresh: IntentView | None = None
    error: PaymentsError | None = None
    if isinstance(reply, IntentSeen):
        fresh = _seen(draft, payment, reply, fact)
    elif isinstance(reply, NothingFound):
        _nothing_found(draft, payment)
    elif isinstance(reply, RefundSeen) and isinstance(fact.command, CreateRefund):
        refund_seen(draft, payment, fact.command, reply)
    elif isinstance(reply, RefundsSeen):
        refunds_seen(draft, payment, reply, current=fact.as_of == draft.read.ledger.version)
    elif isinstance(reply, Refused):
        error = _refused(draft, payment, reply, fact)
        if reply.seen is not None and error is None:
            fresh = _seen(draft, payment, reply.seen, fact)
    elif isinstance(reply, Unanswered):
        error = _unanswered(draft, payment, reply, fact)
    charged = charge_answered(draft, payment, fact)
    if charged is not None:
        return charged
    draft.problem = error
    if error is not None and not isinstance(fact.asker, (TimePassed, BookingChanged)):
        return None, error
    return step(draft, fact.asker, fresh)


def _seen(draft: Draft, payment: Payment, reply: IntentSeen, fact: Answer) -> IntentView | None:
    """Identity always applies; status only on the version that was loaded before the call, and never from a replay."""
    view = reply.view
    if payment.intent_id is not None and payment.intent_id != view.id:
        # One attempt, two PaymentIntents: Stripe had forgotten the key. The second is never to be paid.
        if draft.intent(view.id) is None:
            identify(draft, adopt(draft, view), view)
        return None
    payment = identify(draft, payment, view)
    command, lines = fact.command, len(draft.history)
    done = isinstance(command, (CancelIntent, CaptureIntent, ConfirmIntent)) and _stands(draft, command)
    if isinstance(command, (CancelIntent, CaptureIntent, ConfirmIntent)) and done:
        draft.answered(payment, type(command))
        # Whatever the answer's status is worth, what we knew before asking is no longer exact.
        payment = draft.put(replace(payment, stripe_status=None, look_at=draft.now))
    current = not reply.replayed and fact.as_of == draft.read.ledger.version
    if current:
        observe(draft, payment, view, asked=True)
        effect = draft.effect_of(payment)
        if isinstance(effect, (CancelIntent, CaptureIntent, ConfirmIntent)) and spent(effect, draft.now):
            # It was looked at because its key can bring no answer; if it still has to be done, a new command says so.
            draft.answered(payment, type(effect))
            draft.note("looked", f"{_NAMES[type(effect)]} had no answer: it is {view.status.value}", view.id)
    if done and len(draft.history) == lines:
        draft.note("answered", f"{_NAMES[type(command)]} answered: it is {view.status.value}", view.id)
    return view if current else None


def _stands(draft: Draft, command: Effect) -> bool:
    """Return whether it is still without an answer; somebody else may have tried it, too, and put it off."""
    return any(effect.key == command.key for effect in draft.effects)


def _nothing_found(draft: Draft, payment: Payment) -> None:
    """The create left nothing behind. Stripe may still complete it: the attempt is abandoned but watched."""
    if payment.intent_id is not None:
        return
    if payment.state is PaymentState.OPENING:
        draft.answered(payment, CreateIntent)
        draft.note("looked", f"attempt {payment.attempt_id} abandoned: no PaymentIntent was found")
        draft.put(
            replace(payment, state=PaymentState.ABANDONED, closing=False, look_at=draft.now + LOOK_FIRST, looks=1)
        )
    else:
        draft.put(looked(payment, draft.now))


def _refused(draft: Draft, payment: Payment, reply: Refused, fact: Answer) -> PaymentsError | None:
    """Stripe did not do it. Return the error for who asked, None if the asker can go on."""
    command = fact.command
    if reply.kind is RefusalKind.CREDENTIALS:
        # Refused before anything was executed or stored: the command stands, for when the key is mended.
        _later(draft, payment, command)
        return Misconfigured(
            f"Stripe refuses the API key: {reply.reason}. Check STRIPE_SECRET_KEY and its permissions."
        )
    if isinstance(command, CreateIntent):
        # Only while it is opening: a refusal that comes late says nothing of a PaymentIntent that is known by now.
        if payment.state is PaymentState.OPENING:
            draft.answered(payment, CreateIntent)
            draft.note("answered", f"attempt {payment.attempt_id} refused: {reply.code}")
            # Another sending of the same command may have got through: by a process that died before it could say so, or
            # on a slow way. Only an amount that Stripe does not take is one that it never took.
            never = reply.kind in {RefusalKind.AMOUNT_TOO_SMALL, RefusalKind.AMOUNT_TOO_LARGE}
            look_at = None if never else draft.now + LOOK_FIRST
            draft.put(
                replace(payment, state=PaymentState.ABANDONED, closing=False, look_at=look_at, looks=0 if never else 1)
            )
        return _error_of(reply)
    if isinstance(command, CreateRefund):
        return refund_refused(draft, payment, command, reply)
    if isinstance(command, CaptureIntent) and reply.kind is not RefusalKind.MISSING:
        return _capture_refused(draft, payment, command, reply)
    if isinstance(command, (CancelIntent, ConfirmIntent)) and reply.kind is not RefusalKind.MISSING:
        seen = reply.seen.view.status if reply.seen is not None else None
        if seen is not None and (isinstance(command, ConfirmIntent) or seen in NOT_CANCELABLE):
            return None
        if _stands(draft, command):
            draft.answered(payment, type(command))
            draft.note("answered", f"{_NAMES[type(command)]} refused: {reply.code}", payment.intent_id)
            draft.put(looked(replace(payment, stripe_status=None, look_at=draft.now), draft.now))
        return _error_of(reply)
    _later(draft, payment, command, refused=True)
    if reply.kind is RefusalKind.MISSING:
        return Misconfigured(
            f"Stripe does not know PaymentIntent {payment.intent_id}: is STRIPE_SECRET_KEY of another account or mode?"
        )
    return _error_of(reply)


def _capture_refused(draft: Draft, payment: Payment, command: CaptureIntent, reply: Refused) -> PaymentsError | None:
    """Stripe did not capture. If it shows that it no longer could, that is applied next; else nobody tries by himself."""
    if reply.seen is not None and reply.seen.view.status is not IntentStatus.REQUIRES_CAPTURE:
        return None
    if _stands(draft, command):
        draft.answered(payment, CaptureIntent)
        draft.note("answered", f"capture refused: {reply.code}", payment.intent_id)
        draft.put(replace(payment, capture_minor=None, look_at=draft.now))
    return CaptureRefused(reply.reason)


def _error_of(reply: Refused) -> PaymentsError:
    if reply.kind is RefusalKind.AMOUNT_TOO_SMALL:
        return AmountTooSmall()
    if reply.kind is RefusalKind.AMOUNT_TOO_LARGE:
        return AmountTooLarge()
    if reply.kind is RefusalKind.CARD and reply.failure is not None:
        return CardDeclined(reply.failure.code, reply.failure.decline_code, reply.failure.message)
    if reply.kind is RefusalKind.EMAIL:
        return InvalidRequest(FieldError("receipt_email", "an e-mail address that Stripe takes"))
    return Misconfigured(f"Stripe refuses the request: {reply.reason}")


def _unanswered(draft: Draft, payment: Payment, reply: Unanswered, fact: Answer) -> PaymentsError:
    """It may or may not have happened. The command stays; after it was found useless, it is looked for instead."""
    command = fact.command
    effect = _behind(draft, payment, command)
    key = getattr(command, "key", None)
    if key is None:
        _later(draft, payment, command)
    elif effect is not None and effect.key == key:  # else it was given up meanwhile
        wait = backoff(RETRY_FIRST, RETRY_MOST, effect.tries if reply.sent else 0)
        errors = SERVER_ERRORS_BEFORE_LOOKING if reply.key_spent else int(reply.server_error)
        draft.postpone(effect, draft.now + wait, tries=int(reply.sent), server_errors=errors)
    return StripeUnavailable(reply.reason)


def _behind(draft: Draft, payment: Payment, command: Command) -> Effect | None:
    """Return the saved command that this is, or that it was to get answered."""
    if isinstance(command, CreateRefund):
        return draft.refund_effect(command.ref)
    if isinstance(command, ListRefunds):
        mine = (draft.refund_effect(r.ref) for r in payment.refunds)
        return next((e for e in mine if e is not None and spent(e, draft.now)), None)
    return draft.effect_of(payment)


def _later(draft: Draft, payment: Payment, command: Command, *, refused: bool = False) -> None:
    """Leave what could not be done due: soon while Stripe is silent, later while it refuses."""
    now = draft.now
    effect = _behind(draft, payment, command)
    if effect is not None:
        draft.postpone(effect, now + backoff(RETRY_FIRST, RETRY_MOST, effect.tries))
    if isinstance(command, ListRefunds) and payment.refunds_at is not None and payment.refunds_at <= now:
        # It is no look: those that bring something are counted, or an outage would use up all that a refund has.
        draft.put(replace(payment, refunds_at=now + (RETRY_MOST if refused else PROCESSING_FIRST)))
    if isinstance(command, (RetrieveIntent, FindIntent)) and payment.look_at is not None and payment.look_at <= now:
        draft.put(looked(payment, now) if refused else replace(payment, look_at=now + PROCESSING_FIRST))
