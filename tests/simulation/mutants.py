"""Deliberate faults in our code, made by patching: each takes away one rule. The simulator has to notice every one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from tests.simulation.mutant import Patches, mutant

from airport_payments import deciding, placing, runner, runner_async
from airport_payments.core import decide as decide_package
from airport_payments.core.commands import CancelIntent, CreateIntent
from airport_payments.core.decide import (
    answers,
    deliveries,
    intents,
    look,
    operations,
    refunds,
    requests,
    settle,
    table,
)
from airport_payments.core.decide.draft import Draft
from airport_payments.core.facts import Answer, Delivered, IntentObserved, IntentSeen, Refused
from airport_payments.core.model import BookingStatus, PaymentState, Place, ReviewReason
from airport_payments.storage import memory


def _wrap_answer(change: Callable[[Draft, Answer], Answer]) -> Patches:
    real = answers.answer
    return [(decide_package, "answer", lambda draft, fact: real(draft, change(draft, fact)))]


@mutant(near=262)
def an_answer_to_an_old_version_tells_the_status() -> Patches:
    """Rule 2: status applies only on the version that was loaded before the call."""
    return _wrap_answer(lambda draft, fact: replace(fact, as_of=draft.read.ledger.version))


@mutant(near=144)
def a_replayed_answer_tells_the_status() -> Patches:
    """Rule 2: never from an answer marked Idempotent-Replayed."""

    def fresh(_: Draft, fact: Answer) -> Answer:
        reply = fact.reply
        if isinstance(reply, IntentSeen):
            reply = replace(reply, replayed=False)
        elif isinstance(reply, Refused) and reply.seen is not None:
            reply = replace(reply, seen=replace(reply.seen, replayed=False))
        return replace(fact, reply=reply)

    return _wrap_answer(fresh)


@mutant(near=120)
def a_key_is_sent_after_23_hours() -> Patches:
    """Rule 9: Stripe forgets after 24."""

    def spent(effect: Any, now: Any) -> bool:
        return effect.server_errors >= table.SERVER_ERRORS_BEFORE_LOOKING

    return [(part, "spent", spent) for part in (look, answers, refunds)]


@mutant(near=123)
def a_stored_500_is_repeated_for_ever() -> Patches:
    """Rule 9: after a few tries the object is looked for."""

    def spent(effect: Any, now: Any) -> bool:
        return now >= effect.first_sent_at + table.KEY_LIFETIME

    return [(part, "spent", spent) for part in (look, answers, refunds)]


@mutant()
def a_saved_command_gets_a_new_key() -> Patches:
    """Rule 9: a saved command is resent exactly as saved."""
    real = look.perform

    def perform(draft: Draft, effect: Any) -> Any:
        command = real(draft, effect)
        return replace(command, key=f"{command.key}/{effect.tries}") if command is effect else command

    return [(part, "perform", perform) for part in (requests, operations)]


def _objection_without(reason: ReviewReason) -> Patches:
    real = intents._objection
    return [(intents, "_objection", lambda *a: None if (found := real(*a)) is reason else found)]


@mutant(near=102)
def an_amount_that_was_not_asked_confirms() -> Patches:
    """Rule 6: amount_received equals what was asked."""
    return _objection_without(ReviewReason.AMOUNT_MISMATCH)


@mutant(near=35)
def a_price_that_changed_confirms() -> Patches:
    """Rule 6: the booking still has that price."""
    return _objection_without(ReviewReason.PRICE_CHANGED)


@mutant()
def a_cancelled_booking_is_confirmed() -> Patches:
    """Rule 6: the booking is still pending."""
    return _objection_without(ReviewReason.LATE)


@mutant(near=81)
def a_second_payment_confirms_again() -> Patches:
    """Rule 7: a second payment is an obligation."""
    return _objection_without(ReviewReason.SURPLUS)


@mutant()
def money_that_confirms_nothing_is_forgotten() -> Patches:
    """Rule 7: never silence."""
    real = intents._collect

    def collect(draft: Draft, payment: Any, view: Any) -> None:
        real(draft, payment, view)
        now = draft.attempt(payment.attempt_id)
        if now is not None and now.place is Place.REVIEW:
            draft.put(replace(now, place=Place.NONE, review=None))

    return [(intents, "_collect", collect)]


@mutant()
def a_second_payable_intent_is_opened() -> Patches:
    """Rule 3: one payable attempt, in the rules and in the storage."""
    real_save = memory._Tables._save

    def save(tables: Any, change: Any) -> bool:
        with patch.object(memory, "sum", lambda _: 0, create=True):
            return real_save(tables, change)

    return [(Draft, "live", lambda _: None), (memory._Tables, "_save", save)]


@mutant()
def old_news_is_applied() -> Patches:
    """Rule 5: states only move forward."""
    backward = dict.fromkeys(intents.FORWARD, frozenset(PaymentState))
    return [(intents, "FORWARD", backward)]


@mutant(near=138)
def an_abandoned_attempt_is_not_watched() -> Patches:
    """Rule 9 and `A stored 500`: Stripe may complete it later."""
    real = answers._nothing_found

    def nothing_found(draft: Draft, payment: Any) -> None:
        real(draft, payment)
        now = draft.attempt(payment.attempt_id)
        if now is not None and now.state is PaymentState.ABANDONED:
            draft.put(replace(now, look_at=None))

    return [(answers, "_nothing_found", nothing_found)]


@mutant()
def what_appears_of_an_abandoned_attempt_is_payable() -> Patches:
    """Rule 3: an abandoned attempt lost its place."""
    real = intents.identify

    def identify(draft: Draft, payment: Any, view: Any) -> Any:
        found = real(draft, payment, view)
        if payment.intent_id is None and found.stray:
            found = draft.put(replace(found, stray=False, closing=False))
        return found

    return [(intents, "identify", identify), (answers, "identify", identify)]


@mutant(near=423)
def a_cancellation_is_taken_for_done() -> Patches:
    """`Cancel has three outcomes`."""
    real = answers._refused

    def refused(draft: Draft, payment: Any, reply: Refused, fact: Answer) -> Any:
        if isinstance(fact.command, CancelIntent) and reply.seen is not None:
            draft.answered(payment, CancelIntent)
            draft.put(replace(payment, state=PaymentState.CANCELED, look_at=None))
            return None
        return real(draft, payment, reply, fact)

    return [(answers, "_refused", refused)]


@mutant()
def an_unanswered_cancellation_is_taken_for_done() -> Patches:
    """Rule 1: a command stays until it is answered."""
    real = answers._unanswered

    def unanswered(draft: Draft, payment: Any, reply: Any, fact: Answer) -> Any:
        error = real(draft, payment, reply, fact)
        if isinstance(fact.command, CancelIntent):
            draft.answered(payment, CancelIntent)
            draft.put(replace(payment, state=PaymentState.CANCELED, look_at=None))
        return error

    return [(answers, "_unanswered", unanswered)]


@mutant()
def money_in_review_lets_a_new_attempt_open() -> Patches:
    """Rule 3: no attempt while money is in review."""
    return [(Draft, "in_review", lambda _: False)]


@mutant()
def an_announcement_counts_as_delivered_when_its_handler_raised() -> Patches:
    """L5: the announcement stays due."""

    def deliver(draft: Draft, fact: Any) -> None:
        real(draft, Delivered(fact.sequence, fact.subscriber))

    real = decide_package.note_delivery
    return [(decide_package, "note_delivery", deliver)]


@mutant()
def two_workers_run_one_delivery() -> Patches:
    """L5: a delivery has a lease."""
    return [(deliveries, "DELIVERY_LEASE", timedelta(0))]


@mutant(near=30)
def a_later_announcement_overtakes_an_earlier_one() -> Patches:
    """L5: of one subscriber the later ones wait for the first."""

    def first_due(draft: Draft) -> Any:
        found = [(p, d) for p in draft.announcements for d in p.deliveries if d.due_at <= draft.now]
        return found[0] if found else None

    return [(deliveries, "_first_due", first_due)]


@mutant()
def it_acts_before_it_commits() -> Patches:
    """Rule 1: commit before act."""
    real = decide_package.decide

    def early(snapshot: Any, fact: Any, now: Any, policy: Any) -> Any:
        decision = real(snapshot, fact, now, policy)
        if decision.change is not None and isinstance(decision.act, CreateIntent):
            return replace(decision, change=None)
        return decision

    return [(deciding, "decide", early)]


@mutant()
def a_save_overwrites_whatever_is_there() -> Patches:
    """Rule 2: compare-and-set on the version."""
    real = memory._Tables._save

    def save(tables: Any, change: Any) -> bool:
        version = tables._ledgers[change.booking_id].version if change.booking_id in tables._ledgers else 0
        return real(
            tables, replace(change, read=replace(change.read, ledger=replace(change.read.ledger, version=version)))
        )

    return [(memory._Tables, "_save", save)]


@mutant()
def a_save_does_not_look_at_the_teams_row() -> Patches:
    """Rule 2: only if what was read of the team's row still stands."""
    real = memory._Tables._save

    def save(tables: Any, change: Any) -> bool:
        now = tables._bookings[change.booking_id]
        return real(tables, replace(change, read=replace(change.read, booking=now)))

    return [(memory._Tables, "_save", save)]


@mutant()
def a_repriced_booking_keeps_its_old_intent() -> Patches:
    """Rule 4: a new price means cancel."""

    def wanted(draft: Draft, payment: Any) -> bool:
        return draft.booking.status is BookingStatus.PENDING and not payment.stray

    return [(settle, "wanted", wanted)]


@mutant()
def anyone_may_ask_for_any_booking() -> Patches:
    """S10: owners only."""
    real = requests.step

    def step(draft: Draft, asker: Any, fresh: Any = None) -> Any:
        if hasattr(asker, "owner"):
            asker = replace(asker, owner=draft.booking.owner)
        return real(draft, asker, fresh)

    return [(decide_package, "step", step), (answers, "step", step)]


@mutant()
def an_event_of_the_other_mode_counts() -> Patches:
    """S9."""
    real = runner.route

    def route(head: Any, policy: Any) -> Any:
        return real(replace(head, livemode=policy.livemode), policy)

    return [(runner, "route", route), (runner_async, "route", route)]


@mutant(near=36)
def an_event_of_another_account_counts() -> Patches:
    """S9."""
    real = runner.route

    def route(head: Any, policy: Any) -> Any:
        return real(replace(head, account=None, context=None), policy)

    return [(runner, "route", route), (runner_async, "route", route)]


@mutant()
def signatures_are_not_verified() -> Patches:
    """S9."""
    from airport_payments.stripe_api import events

    def construct(body: Any, *_: Any, **__: Any) -> Any:
        return events.parse_event(body)

    return [(placing, "construct_event", construct)]


@mutant()
def an_event_is_acknowledged_before_it_is_saved() -> Patches:
    """S6: 2xx means committed."""
    real = decide_package.decide
    from airport_payments.core.decide.draft import Applied

    def lazy(snapshot: Any, fact: Any, now: Any, policy: Any) -> Any:
        decision = real(snapshot, fact, now, policy)
        if isinstance(fact, IntentObserved) and decision.change is not None and isinstance(decision.reply, Applied):
            return replace(decision, change=None)
        return decision

    return [(deciding, "decide", lazy)]


@mutant()
def looks_are_not_planned() -> Patches:
    """L3 without webhooks: an open payment is looked at."""
    return [(intents, "_next_look", lambda *_, **__: (None, 0))]


@mutant()
def the_same_failure_is_announced_each_time() -> Patches:
    """S7: the same news twice finds nothing to change."""
    real = intents._open_news

    def news(draft: Draft, payment: Any, view: Any, *, asked: bool) -> None:
        real(draft, replace(payment, news=()), view, asked=asked)

    return [(intents, "_open_news", news)]


@mutant()
def another_shops_events_are_taken_for_ours() -> Patches:
    """Rule 10: the namespace is compared."""
    real = runner.route

    def route(head: Any, policy: Any) -> Any:
        return real(replace(head, namespace=head.namespace and policy.namespace), policy)

    return [(runner, "route", route), (runner_async, "route", route)]


@mutant(near=313)
def a_refused_create_is_not_watched() -> Patches:
    """Another sending of the same command may have got through."""
    real = answers._refused

    def refused(draft: Draft, payment: Any, reply: Refused, fact: Answer) -> Any:
        error = real(draft, payment, reply, fact)
        now = draft.attempt(payment.attempt_id)
        if now is not None and now.state is PaymentState.ABANDONED:
            draft.put(replace(now, look_at=None))
        return error

    return [(answers, "_refused", refused)]


@mutant(near=29)
def a_stranger_sets_going_what_is_due() -> Patches:
    """S10: a stranger changes nothing."""
    real = requests.step

    def step(draft: Draft, asker: Any, fresh: Any = None) -> Any:
        settle.settle(draft)
        return real(draft, asker, fresh)

    return [(decide_package, "step", step), (answers, "step", step)]


@mutant(near=45)
def a_closing_payment_is_handed_out() -> Patches:
    """Rule 3: until the last attempt is seen canceled the caller gets 503."""
    real = requests._payment

    def payment(draft: Draft, fact: Any, fresh: Any) -> Any:
        live = draft.live()
        if live is not None and live.closing and fresh is not None and fresh.id == live.intent_id:
            return None, requests.Ready(fresh, live.amount)
        return real(draft, fact, fresh)

    return [(requests, "_payment", payment)]
