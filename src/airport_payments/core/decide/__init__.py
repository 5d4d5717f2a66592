"""Every business rule: `decide` takes what is known and what happened, and says what to save, do and answer.

It is pure: no I/O, no clock, no randomness. The transitions stand in `table.py`; the rules of requests, PaymentIntents,
refunds, disputes, operations, deliveries and answers each in a module of that name; `settle.py` has what follows from how
things stand; `route.py` says which events are ours.
"""

from datetime import datetime

from airport_payments.core.announcements import Deliver
from airport_payments.core.commands import Command
from airport_payments.core.decide.aftermath import observe_aftermath
from airport_payments.core.decide.answers import answer
from airport_payments.core.decide.deliveries import note_delivery
from airport_payments.core.decide.draft import Decision, Done, Draft, Reply
from airport_payments.core.decide.intents import observe_event
from airport_payments.core.decide.requests import step
from airport_payments.core.errors import LedgerTooNew
from airport_payments.core.facts import (
    Answer,
    Delivered,
    DeliveryFailed,
    DisputeObserved,
    Fact,
    IntentObserved,
    RefundObserved,
    RefundsHinted,
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
    act: Command | Deliver | None = None
    reply: Reply | None
    if isinstance(fact, IntentObserved):
        reply = observe_event(draft, fact)
    elif isinstance(fact, Answer):
        act, reply = answer(draft, fact)
    elif isinstance(fact, (RefundObserved, RefundsHinted, DisputeObserved)):
        reply = observe_aftermath(draft, fact)
    elif isinstance(fact, (Delivered, DeliveryFailed)):
        note_delivery(draft, fact)
        act, reply = step(draft, fact.asker) if fact.asker is not None else (None, Done())
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
