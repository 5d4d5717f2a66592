"""Deliberate faults that only show in runs that go another way: through the endpoints, with thin events, for an account.

And those of what people are shown, and of what happens but once. The simulator has to notice each.
"""

import logging
from dataclasses import replace
from typing import Any

from tests.simulation.mutant import Patches, mutant

from airport_payments import endpoints, endpoints_async, keeping, keeping_async, placing, runner, runner_async
from airport_payments.contract import webhook_answer
from airport_payments.core import decide as decide_package
from airport_payments.core import keeping as core_keeping
from airport_payments.core import story
from airport_payments.core.commands import CreateIntent
from airport_payments.core.decide import (
    answers,
    charges,
    deliveries,
    intents,
    refunds,
    requests,
    route,
)
from airport_payments.core.decide.draft import Draft, RedeliverReply
from airport_payments.core.decide.route import EventOutcome
from airport_payments.core.errors import (
    AmountMismatch,
    BookingNotFound,
    BookingNotPayable,
    CurrencyMismatch,
    TryAgain,
)
from airport_payments.core.facts import Unanswered
from airport_payments.core.model import BookingStatus, Ledger, PaymentState, Place
from airport_payments.core.secret import Secret
from airport_payments.stripe_api import client, events, port, port_async

# ---- through the endpoints ----


@mutant()
def the_endpoints_take_everyone_for_the_owner() -> Patches:
    """Who asks is who the authenticator says."""
    return [(part, "customer_id", lambda _: "alice") for part in (endpoints, endpoints_async)]


@mutant()
def the_endpoints_acknowledge_what_was_not_saved() -> Patches:
    """Rule 10: 2xx means committed."""
    real, real_async = endpoints.PaymentEndpoints._webhook, endpoints_async.AsyncPaymentEndpoints._webhook

    def webhook(self: Any, headers: Any, chunks: Any) -> Any:
        try:
            return real(self, headers, chunks)
        except TryAgain:
            return webhook_answer(EventOutcome.UNCHANGED)

    async def webhook_async(self: Any, headers: Any, chunks: Any) -> Any:
        try:
            return await real_async(self, headers, chunks)
        except TryAgain:
            return webhook_answer(EventOutcome.UNCHANGED)

    return [
        (endpoints.PaymentEndpoints, "_webhook", webhook),
        (endpoints_async.AsyncPaymentEndpoints, "_webhook", webhook_async),
    ]


@mutant()
def an_answer_does_not_say_when_to_try_again() -> Patches:
    """What is to be tried again comes with `Retry-After`, as the contract says."""
    real = endpoints.error_answer

    def error_answer(error: Exception) -> Any:
        answer = real(error)
        return replace(answer, headers=tuple(each for each in answer.headers if each[0] != "retry-after"))

    return [(part, "error_answer", error_answer) for part in (endpoints, endpoints_async)]


# ---- what people ask for, and are shown ----


@mutant()
def any_amount_that_a_client_sends_is_taken() -> Patches:
    """Rule 4: the amount of a request is compared with the booking's price, or refused."""
    real = requests.refusal

    def refusal(draft: Any, fact: Any) -> Any:
        refused = real(draft, fact)
        return None if isinstance(refused, AmountMismatch | CurrencyMismatch) else refused

    return [(requests, "refusal", refusal)]


@mutant()
def someone_elses_booking_looks_different_from_none() -> Patches:
    """S10: whoever may not see a booking cannot tell that it is there."""
    real = requests.step

    def step(draft: Any, asker: Any, fresh: Any = None) -> Any:
        act, reply = real(draft, asker, fresh)
        return act, BookingNotPayable("it is not yours") if isinstance(reply, BookingNotFound) else reply

    return [(decide_package, "step", step), (answers, "step", step)]


@mutant()
def a_secret_shows_itself() -> Patches:
    """S12: what holds a secret does not show it."""
    return [(Secret, "__repr__", Secret.reveal)]


@mutant()
def the_log_shows_what_does_not_match() -> Patches:
    """S12: nor does the log."""
    real = events.verify

    def verify(body: bytes, timestamp: str, signatures: Any, secrets: Any) -> None:
        try:
            real(body, timestamp, signatures, secrets)
        except Exception:
            logging.getLogger("airport_payments").debug("none of %s signed %r", [s.reveal() for s in secrets], body)
            raise

    return [(events, "verify", verify)]


# ---- what happens but once ----


@mutant()
def a_paid_booking_that_was_reopened_is_confirmed_again() -> Patches:
    """S1: its money confirmed it once; what the team does with its row afterwards is the team's."""
    real = Draft.change

    def change(draft: Draft) -> Any:
        paid = draft.read.ledger.attached
        if paid is not None and paid.state is PaymentState.SUCCEEDED and draft.booking.status is BookingStatus.PENDING:
            draft.confirm_booking(paid, paid.received_minor)
        return real(draft)

    return [(Draft, "change", change)]


@mutant()
def an_unanswered_create_is_saved_anew_with_another_key() -> Patches:
    """S5: one PaymentIntent for each attempt."""
    real = Draft.postpone

    def postpone(draft: Draft, effect: Any, due_at: Any, **named: int) -> None:
        real(draft, effect, due_at, **named)
        if isinstance(effect, CreateIntent):
            again = (replace(e, key=f"{e.key}/{e.tries}") if isinstance(e, CreateIntent) else e for e in draft.effects)
            draft.effects = tuple(again)

    return [(Draft, "postpone", postpone)]


# ---- thin events, and events of accounts ----


@mutant()
def a_thin_event_is_acknowledged_unread() -> Patches:
    """What a thin event names is fetched, and applied, before it is acknowledged."""
    real, real_async = runner.Runner.event, runner_async.AsyncRunner.event

    def event(self: Any, event: Any) -> Any:
        return EventOutcome.UNCHANGED if event.thin else real(self, event)

    async def event_async(self: Any, event: Any) -> Any:
        return EventOutcome.UNCHANGED if event.thin else await real_async(self, event)

    return [(runner.Runner, "event", event), (runner_async.AsyncRunner, "event", event_async)]


@mutant(near=218)
def a_thin_event_that_stripe_did_not_explain_is_acknowledged() -> Patches:
    """What could not be fetched is sent again by Stripe: it is answered with an error."""
    real = placing.not_fetched

    def not_fetched(event_id: str, reply: Any) -> Any:
        return placing.NO_SUCH_OBJECT if isinstance(reply, Unanswered) else real(event_id, reply)

    return [(part, "not_fetched", not_fetched) for part in (placing, runner, runner_async)]


@mutant(near=218)
def an_event_that_does_not_say_whose_it_is_is_ours() -> Patches:
    """Where the settings name an account, only Stripe can say whose an event without one is."""
    return [(placing, "unsaid", lambda *_: False)]


@mutant(real=True)
def calls_are_for_the_keys_own_account() -> Patches:
    """Every call is for the account that the settings name."""
    real = client.stripe_client

    def stripe_client(settings: Any, transport: Any) -> Any:
        return real(replace(settings, stripe_account=None), transport)

    return [(part, "stripe_client", stripe_client) for part in (port, port_async)]


@mutant(near=38, real=True)
def calls_are_without_the_context() -> Patches:
    """Every call says for which account of the organisation it is."""
    real = client.stripe_client

    def stripe_client(settings: Any, transport: Any) -> Any:
        return real(replace(settings, stripe_context=None), transport)

    return [(part, "stripe_client", stripe_client) for part in (port, port_async)]


@mutant(near=1431)
def only_the_first_account_of_a_context_counts() -> Patches:
    """A context is a path from the key's owner down to the account: its last part is the account."""
    real = route.account_of

    def account_of(account: str | None, context: str | None) -> str | None:
        return real(account, context and context.partition("/")[0])

    return [(route, "account_of", account_of)]


# ---- announcements that nobody takes ----


@mutant(near=88)
def an_announcement_is_given_up_after_a_few_calls() -> Patches:
    """It is tried for about a day, before it waits for a person."""
    return [(deliveries, "MAX_DELIVERIES", 4)]


# ---- a backup that is restored ----


@mutant(near=38)
def a_restored_backup_is_not_rebuilt() -> Patches:
    """What Stripe knows and we forgot is put back as the booking's own attempt."""
    return [(intents, "_restore", lambda *_: None)]


@mutant(near=82)
def a_rebuilt_payment_is_not_looked_at_by_the_rules() -> Patches:
    """Paid with the right price, it confirms the booking; with another, it does not."""
    real = intents._objection

    def objection(draft: Any, payment: Any, view: Any, received_minor: int) -> Any:
        rebuilt = any(line.decision.startswith("attempt") and "put back" in line.decision for line in draft.history)
        return None if rebuilt else real(draft, payment, view, received_minor)

    return [(intents, "_objection", objection)]


@mutant(near=236)
def a_refund_gets_the_number_of_one_that_was_forgotten() -> Patches:
    """A refund that was ordered before a backup was restored has used up its number, and its key."""
    return [(refunds, "ordinal_of", lambda *_: -1)]


# ---- forgetting ----


@mutant()
def what_still_moves_is_forgotten() -> Patches:
    """Only of what is settled anything is forgotten: which failures were told is not, while it can be paid."""
    return [(part, "is_settled", lambda _: True) for part in (keeping, keeping_async)]


@mutant()
def refunds_are_forgotten_with_the_rest() -> Patches:
    """What went back stays known, whatever else is forgotten."""
    return [(core_keeping, "_brief", lambda payment: replace(payment, news=(), refunds=()))]


# ---- the office ----


@mutant()
def disputes_wait_for_nobody() -> Patches:
    """Whatever waits for a person is listed for one."""

    def waits(ledger: Ledger) -> bool:
        return bool(ledger.dead_letters) or any(p.place is Place.REVIEW for p in ledger.payments)

    return [(Ledger, "needs_attention", property(waits))]


@mutant()
def a_dead_letter_is_dropped_when_it_is_to_be_delivered_again() -> Patches:
    """It is a dead letter until it is an announcement again."""

    def ask_redeliver(draft: Any, asker: Any) -> Any:
        draft.dead_letters = tuple(d for d in draft.dead_letters if d.announcement.sequence != asker.sequence)
        return None, RedeliverReply(("mailer",))

    return [(requests, "ask_redeliver", ask_redeliver)]


@mutant()
def a_story_says_paid_of_what_was_canceled() -> Patches:
    """Support is told how things stand."""
    return [(story, "_STATES", {**story._STATES, PaymentState.CANCELED: "paid"})]


@mutant(near=1100)
def what_is_handed_out_again_is_not_looked_at_anew() -> Patches:
    """Whoever gets a PaymentIntent once more has five days again: nothing else may tell that they paid."""
    return [(part, "watched", lambda payment, _: payment) for part in (requests, charges)]
