"""What must be done at Stripe.

Effects change something there: they are saved in the ledger before they are performed, with their idempotency key and
exact parameters, and stay until answered. Looks only read: nothing is lost with them, so they are not saved.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from airport_payments.core.evolve import quick
from airport_payments.core.money import Money
from airport_payments.core.options import PaymentOptions


@quick
@dataclass(frozen=True, slots=True)
class CreateIntent:
    """Create the PaymentIntent of one attempt.

    Args:
        first_sent_at: saved before the first sending, so it is never later than that.
        due_at: when a worker should send it again if no answer was saved.
        tries: how often it stayed unanswered.
        server_errors: how often Stripe answered 5xx, which it may go on repeating for a day.
        redirects: whether it may be paid by methods that send the customer to another page.
        options: what the team adds. It may hold personal data, and goes with the command when that is answered.
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
    manual_capture: bool = False
    options: PaymentOptions | None = None
    redirects: bool = True

    @property
    def target(self) -> str:
        """What it is about: of one target there is one command at a time."""
        return self.attempt_id


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

    @property
    def target(self) -> str:
        """What it is about."""
        return self.attempt_id


@dataclass(frozen=True, slots=True)
class ConfirmIntent:
    """Pay a PaymentIntent with a saved payment method, while the customer is not there. Fields as in `CreateIntent`."""

    attempt_id: str
    intent_id: str
    payment_method_id: str
    return_url: str | None
    key: str
    first_sent_at: datetime
    due_at: datetime
    tries: int = 0
    server_errors: int = 0

    @property
    def target(self) -> str:
        """What it is about."""
        return self.attempt_id


@dataclass(frozen=True, slots=True)
class CaptureIntent:
    """Collect an authorised amount, or a part of it; the rest is released. Fields as in `CreateIntent`."""

    attempt_id: str
    intent_id: str
    amount_minor: int
    key: str
    first_sent_at: datetime
    due_at: datetime
    tries: int = 0
    server_errors: int = 0

    @property
    def target(self) -> str:
        """What it is about."""
        return self.attempt_id


@dataclass(frozen=True, slots=True)
class CreateRefund:
    """Give money of one PaymentIntent back. `ref` is our own name of the refund; other fields as in `CreateIntent`."""

    attempt_id: str
    ref: str
    booking_id: str
    namespace: str
    intent_id: str
    amount_minor: int
    reason: str | None
    key: str
    first_sent_at: datetime
    due_at: datetime
    tries: int = 0
    server_errors: int = 0

    @property
    def target(self) -> str:
        """What it is about."""
        return self.ref


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


@dataclass(frozen=True, slots=True)
class ListRefunds:
    """Ask for all refunds of a PaymentIntent."""

    attempt_id: str
    intent_id: str


@dataclass(frozen=True, slots=True)
class RetrieveRefund:
    """Ask for the present state of a refund."""

    refund_id: str


@dataclass(frozen=True, slots=True)
class RetrieveDispute:
    """Ask for the present state of a dispute."""

    dispute_id: str


@dataclass(frozen=True, slots=True)
class RetrieveCharge:
    """Ask how much of a charge went back."""

    charge_id: str


@dataclass(frozen=True, slots=True)
class EnsureCustomer:
    """Find the Stripe customer of an owner, or make one. `owner` is a hash of our own id of them."""

    owner: str
    namespace: str
    email: str | None
    key: str


IntentEffect: TypeAlias = CreateIntent | ConfirmIntent | CancelIntent | CaptureIntent
Effect: TypeAlias = IntentEffect | CreateRefund
Look: TypeAlias = RetrieveIntent | FindIntent | ListRefunds
# What decisions command, and what is asked outside of any decision.
Command: TypeAlias = Effect | Look
Fetch: TypeAlias = RetrieveIntent | RetrieveRefund | RetrieveDispute | RetrieveCharge | EnsureCustomer
