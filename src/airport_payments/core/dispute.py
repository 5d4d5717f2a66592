"""Disputes: the customer's bank takes money back, or asks about it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DisputeStatus(StrEnum):
    """The statuses of a Stripe dispute (stripe-python 16.1, `_dispute.py`). Those of an inquiry begin with `warning_`."""

    WARNING_NEEDS_RESPONSE = "warning_needs_response"
    WARNING_UNDER_REVIEW = "warning_under_review"
    WARNING_CLOSED = "warning_closed"
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    APPEAL_NEEDS_RESPONSE = "appeal_needs_response"
    APPEAL_UNDER_REVIEW = "appeal_under_review"
    WON = "won"
    LOST = "lost"
    PREVENTED = "prevented"


NEED_RESPONSE = frozenset(
    {DisputeStatus.WARNING_NEEDS_RESPONSE, DisputeStatus.NEEDS_RESPONSE, DisputeStatus.APPEAL_NEEDS_RESPONSE}
)
CLOSED = frozenset({DisputeStatus.WARNING_CLOSED, DisputeStatus.WON, DisputeStatus.LOST, DisputeStatus.PREVENTED})


@dataclass(frozen=True, slots=True)
class Dispute:
    """One dispute of a payment.

    Args:
        amount_minor: what is disputed; it may differ from what was collected.
        reason: the bank's, in Stripe's words, such as `fraudulent`.
        due_by: until when evidence is taken, None where none is.
        refundable: whether Stripe would still let the payment be refunded.
        withdrawn, reinstated: whether the money was taken from the Stripe balance, and given back to it.
    """

    dispute_id: str
    amount_minor: int
    currency: str
    status: DisputeStatus
    reason: str
    due_by: datetime | None = None
    refundable: bool = False
    withdrawn: bool = False
    reinstated: bool = False

    @property
    def open(self) -> bool:
        """Whether it is not decided yet."""
        return self.status not in CLOSED

    @property
    def needs_response(self) -> bool:
        """Whether the bank waits for evidence, or for an answer."""
        return self.status in NEED_RESPONSE

    @property
    def undecided_or_lost(self) -> bool:
        """Whether its money may be, or is, the customer's already."""
        return self.open or self.status is DisputeStatus.LOST
