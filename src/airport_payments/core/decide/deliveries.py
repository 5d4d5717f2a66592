"""Who hears an announcement, in which order, how often it is tried, and when it is given up."""

from airport_payments.core.announcements import DeadLetter, Deliver, Delivery, Pending
from airport_payments.core.decide.draft import Draft, RedeliverReply, Step
from airport_payments.core.decide.table import (
    DELIVERY_LEASE,
    MAX_DEAD_LETTERS,
    MAX_DELIVERIES,
    REDELIVER_FIRST,
    REDELIVER_MOST,
    backoff,
)
from airport_payments.core.errors import NothingToRedeliver
from airport_payments.core.evolve import replace
from airport_payments.core.facts import Delivered, DeliveryFailed, RedeliverRequested, TimePassed

# Why a delivery failed, where nothing was raised.
NO_ANSWER = "no answer"  # whoever called it did not come back: it died, or took longer than its lease
NOT_REGISTERED = "not registered"  # no subscriber of this name in the processes that looked


def next_delivery(draft: Draft, asker: TimePassed) -> Deliver | None:
    """Return the next call that is due, with its lease in the ledger: who saves that first makes the call."""
    _take_up(draft, asker)
    while (due := _first_due(draft)) is not None:
        pending, delivery = due
        told = pending.announcement
        if delivery.tries >= MAX_DELIVERIES:
            _give_up(draft, pending, delivery, NO_ANSWER)
            continue
        called = replace(delivery, tries=delivery.tries + 1)
        if any(delivery.subscriber == name and isinstance(told, kind) for kind, name in asker.subscriptions):
            _put(draft, pending, replace(called, due_at=draft.now + DELIVERY_LEASE))
            return Deliver(told, called.subscriber, called.tries)
        # A process of another version took it up. It is left to those, and not for ever.
        _failed(draft, pending, called, NOT_REGISTERED)
    return None


def note_delivery(draft: Draft, fact: Delivered | DeliveryFailed) -> None:
    """Drop what was delivered; try again later what was not."""
    for pending in draft.announcements:
        for delivery in pending.deliveries:
            if (pending.announcement.sequence, delivery.subscriber) != (fact.sequence, fact.subscriber):
                continue
            if isinstance(fact, Delivered):
                _drop(draft, pending, delivery)
            elif delivery.tries == fact.tries:
                _failed(draft, pending, delivery, fact.error)
            return


def ask_redeliver(draft: Draft, asker: RedeliverRequested) -> Step:
    """Let an announcement's dead letters be delivered after all: at once, and before what comes after it."""
    letters = [d for d in draft.dead_letters if d.announcement.sequence == asker.sequence]
    if not letters:
        return None, NothingToRedeliver()
    draft.dead_letters = tuple(d for d in draft.dead_letters if d not in letters)
    told = letters[0].announcement
    names = tuple(d.subscriber for d in letters)
    waiting = {p.announcement.sequence: p for p in draft.announcements}
    same = waiting.get(told.sequence, Pending(told))
    again = tuple(Delivery(name, draft.now) for name in names)
    waiting[told.sequence] = replace(same, deliveries=(*same.deliveries, *again))
    draft.announcements = tuple(waiting[number] for number in sorted(waiting))
    draft.note("redeliver", f"announcement {told.sequence} to be delivered again: {', '.join(names)}")
    return None, RedeliverReply(names)


def _take_up(draft: Draft, asker: TimePassed) -> None:
    """Note who is to hear what no worker has taken up yet. What nobody in this process hears counts as delivered."""
    if all(p.deliveries for p in draft.announcements):
        return
    taken: list[Pending] = []
    for pending in draft.announcements:
        if pending.deliveries:
            taken.append(pending)
            continue
        told = pending.announcement
        names = dict.fromkeys(name for kind, name in asker.subscriptions if isinstance(told, kind))
        if names:
            taken.append(replace(pending, deliveries=tuple(Delivery(name, told.at) for name in names)))
    draft.announcements = tuple(taken)


def _first_due(draft: Draft) -> tuple[Pending, Delivery] | None:
    """Return the first delivery that is due. Of one subscriber the later ones wait for the first: order holds."""
    waiting: set[str] = set()
    for pending in draft.announcements:
        for delivery in pending.deliveries:
            if delivery.subscriber not in waiting and delivery.due_at <= draft.now:
                return pending, delivery
            waiting.add(delivery.subscriber)
    return None


def _failed(draft: Draft, pending: Pending, delivery: Delivery, error: str) -> None:
    """Plan the next call after one that failed and is counted, or give up."""
    if delivery.tries >= MAX_DELIVERIES:
        _give_up(draft, pending, delivery, error)
        return
    wait = backoff(REDELIVER_FIRST, REDELIVER_MOST, delivery.tries - 1)
    _put(draft, pending, replace(delivery, due_at=draft.now + wait))


def _give_up(draft: Draft, pending: Pending, delivery: Delivery, error: str) -> None:
    """Make a dead letter of a delivery, so that later ones go on."""
    told = pending.announcement
    kind = type(told).__name__
    letter = DeadLetter(told, delivery.subscriber, delivery.tries, draft.now, error)
    _drop(draft, pending, delivery)
    draft.note(
        "delivery",
        f"announcement {told.sequence} ({kind}) given up for {delivery.subscriber} after {delivery.tries} tries: {error}",
        told.payment_intent_id,
    )
    for old in draft.dead_letters[: len(draft.dead_letters) + 1 - MAX_DEAD_LETTERS]:
        draft.note(
            "delivery", f"dead letter {old.announcement.sequence} for {old.subscriber} dropped: there are too many"
        )
    draft.dead_letters = (*draft.dead_letters, letter)[-MAX_DEAD_LETTERS:]


def _put(draft: Draft, pending: Pending, delivery: Delivery) -> None:
    changed = tuple(delivery if d.subscriber == delivery.subscriber else d for d in pending.deliveries)
    _replace(draft, pending, replace(pending, deliveries=changed))


def _drop(draft: Draft, pending: Pending, delivery: Delivery) -> None:
    left = tuple(d for d in pending.deliveries if d.subscriber != delivery.subscriber)
    _replace(draft, pending, replace(pending, deliveries=left) if left else None)


def _replace(draft: Draft, old: Pending, new: Pending | None) -> None:
    """Put an announcement into the place of its older self; without anyone left to hear it, it is done with."""
    sequence = old.announcement.sequence
    changed = (new if p.announcement.sequence == sequence else p for p in draft.announcements)
    draft.announcements = tuple(p for p in changed if p is not None)
