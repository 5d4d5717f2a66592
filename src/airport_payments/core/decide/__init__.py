"""Every business rule: `decide` takes what is known and what happened, and says what to save, do and answer.

It is pure: no I/O, no clock, no randomness. The transitions stand in `table.py`; the rules of requests, PaymentIntents,
refunds, disputes, operations and answers each in a module of that name; `settle.py` has what follows from how things
stand; `route.py` says which events are ours.
"""

from datetime import datetime

from airport_payments.core.announcements import Pending
from airport_payments.core.commands import Command
from airport_payments.core.decide.aftermath import observe_aftermath
from airport_payments.core.decide.answers import answer
from airport_payments.core.decide.draft import Decision, Draft, Reply
from airport_payments.core.decide.intents import observe_event
from airport_payments.core.decide.requests import step
from airport_payments.core.decide.table import REDELIVER_FIRST, REDELIVER_MOST, backoff
from airport_payments.core.errors import LedgerTooNew
from airport_payments.core.evolve import replace
from airport_payments.core.facts import (
    Answer,
    Delivered,
    DeliveryFailed,
    DisputeObserved,
    Fact,
    IntentObserved,
    RefundObserved,
    RefundsHinted,
    TimePassed,
)
from airport_payments.core.model import Policy, Snapshot

__all__ = ["Decision", "decide"]


def decide(snapshot: Snapshot, fact: Fact, now: datetime, policy: Policy) -> Decision:
    """Return what follows from a fact.

    Args:
        snapshot: the booking and its ledger, as loaded.
        fact: what happened.
        now: aware UTC.
        policy: what the rules need to know of the settings.

    Returns:
        The change to commit (None: nothing changed), and then either something to do, whose outcome comes back as
        another fact, or the reply to whoever brought the fact.
    """
    draft = Draft(snapshot, now, policy)
    act: Command | Pending | None = None
    reply: Reply | None
    if isinstance(fact, IntentObserved):
        reply = observe_event(draft, fact)
    elif isinstance(fact, Answer):
        act, reply = answer(draft, fact)
    elif isinstance(fact, (RefundObserved, RefundsHinted, DisputeObserved)):
        reply = observe_aftermath(draft, fact)
    elif isinstance(fact, (Delivered, DeliveryFailed)):
        _delivery(draft, fact)
        act, reply = step(draft, TimePassed())
    else:
        act, reply = step(draft, fact)
    change = draft.change()
    if snapshot.ledger.newer and (change is not None or act is not None):
        # Half understood is not understood: what a newer version wrote is left to the processes that run it.
        refused = LedgerTooNew(
            f"the ledger of booking {snapshot.booking.id} was written by a newer version of this library"
        )
        return Decision(None, None, refused, refused)
    return Decision(change, act, reply, draft.problem)


def _delivery(draft: Draft, fact: Delivered | DeliveryFailed) -> None:
    """Drop what was delivered; try again later what was not. Later ones wait: order holds within a booking."""
    for pending in draft.announcements[:1]:
        if pending.announcement.sequence != fact.sequence:
            return
        rest = draft.announcements[1:]
        if isinstance(fact, DeliveryFailed):
            wait = backoff(REDELIVER_FIRST, REDELIVER_MOST, pending.tries)
            rest = (replace(pending, tries=pending.tries + 1, due_at=draft.now + wait), *rest)
        draft.announcements = rest
