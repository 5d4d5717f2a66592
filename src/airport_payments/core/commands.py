"""What must be done at Stripe.

Effects change something there: they are saved in the ledger before they are performed, with their idempotency key and
exact parameters, and stay until answered. Looks only read: nothing is lost with them, so they are not saved.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from airport_payments.core.money import Money


@dataclass(frozen=True, slots=True)
class CreateIntent:
    """Create the PaymentIntent of one attempt.

    Args:
        first_sent_at: saved before the first sending, so it is never later than that.
        due_at: when a worker should send it again if no answer was saved.
        tries: how often it stayed unanswered.
        server_errors: how often Stripe answered 5xx, which it may go on repeating for a day.
    """

    attempt_id: str
    booking_id: str
    namespace: str
    amount: Money
    key: str
    first_sent_at: datetime
    due_at: datetime
    tries: int = 0
    server_errors: int = 0


@dataclass(frozen=True, slots=True)
class CancelIntent:
    """Cancel the PaymentIntent of one attempt, so that it can no longer be paid. Fields as in `CreateIntent`."""

    attempt_id: str
    intent_id: str
    key: str
    first_sent_at: datetime
    due_at: datetime
    tries: int = 0
    server_errors: int = 0


@dataclass(frozen=True, slots=True)
class RetrieveIntent:
    """Ask for the present state of a PaymentIntent."""

    attempt_id: str
    intent_id: str


@dataclass(frozen=True, slots=True)
class FindIntent:
    """Look for the PaymentIntent of an attempt whose create was never answered, by its metadata.

    `since` bounds the search: it is the create's `first_sent_at`.
    """

    attempt_id: str
    booking_id: str
    namespace: str
    since: datetime


Effect: TypeAlias = CreateIntent | CancelIntent
Look: TypeAlias = RetrieveIntent | FindIntent
Command: TypeAlias = Effect | Look
