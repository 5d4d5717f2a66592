"""Refunds: money of one payment that goes back."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class RefundState(StrEnum):
    """How far a refund has come. All but the first and the last are Stripe's own (stripe-python 16.1, `_refund.py`)."""

    REQUESTED = "requested"  # we asked Stripe for it and have no answer yet
    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # also after it had succeeded
    CANCELED = "canceled"
    REFUSED = "refused"  # Stripe did not make it


class RefundReason(StrEnum):
    """Why money is given back, in Stripe's words (docs.stripe.com/api/refunds/create, `reason`)."""

    DUPLICATE = "duplicate"
    FRAUDULENT = "fraudulent"
    REQUESTED_BY_CUSTOMER = "requested_by_customer"


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund of a payment, in the payment's currency.

    Args:
        ref: ours, given before anything is sent; Stripe's id for one that was made elsewhere.
        refund_id: Stripe's id, once known.
        request: hashes of the caller's request id and of what it asked for, None for one that nobody asked us for.
        failure: why Stripe refused it, or why it failed: Stripe's code, no message.
        asked_at: when it was commanded last; when it was first seen for one that was made elsewhere.
    """

    ref: str
    amount_minor: int
    state: RefundState
    refund_id: str | None = None
    request: tuple[str, str] | None = None
    failure: str | None = None
    asked_at: datetime | None = None

    @property
    def standing(self) -> bool:
        """Whether it counts against what may still be given back."""
        return self.state is RefundState.REQUESTED or self.made

    @property
    def made(self) -> bool:
        """Whether Stripe has it, and it did not fail."""
        state = self.state
        return state is RefundState.SUCCEEDED or state is RefundState.PENDING or state is RefundState.REQUIRES_ACTION

    @property
    def open(self) -> bool:
        """Whether its end is still to come."""
        state = self.state
        return state is RefundState.REQUESTED or state is RefundState.PENDING or state is RefundState.REQUIRES_ACTION


# Metadata can be edited: a number longer than this is not one that was ever given.
_MAX_DIGITS: Final = 4


def ref_of(attempt_id: str, ordinal: int) -> str:
    """Return the name of the refund that an attempt ordered as its `ordinal`th, from 0."""
    return f"{attempt_id}.{ordinal}"


def ordinal_of(ref: str, attempt_id: str) -> int:
    """Return which of an attempt's refunds has this name, from 0; -1 if none of them has."""
    named, _, ordinal = ref.rpartition(".")
    known = named == attempt_id and ordinal.isascii() and ordinal.isdigit() and len(ordinal) <= _MAX_DIGITS
    return int(ordinal) if known else -1
