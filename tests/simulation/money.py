"""What the small Stripe does with collected money: refunds and disputes, as docs.stripe.com and facts.md have them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airport_payments.core.dispute import DisputeStatus
from airport_payments.core.facts import DisputeView, RefundView
from airport_payments.core.money import Money
from airport_payments.core.refund import RefundState

R = RefundState
D = DisputeStatus
STANDING = frozenset({R.PENDING, R.REQUIRES_ACTION, R.SUCCEEDED})
WAITING_REFUND = frozenset({R.PENDING, R.REQUIRES_ACTION})
DECIDED = frozenset({D.WON, D.LOST, D.WARNING_CLOSED})
# What people and banks do with a refund or a dispute: from which statuses, to which, and the events that tell.
REFUND_DEEDS: dict[str, tuple[frozenset[RefundState], RefundState]] = {
    "settle_refund": (WAITING_REFUND, R.SUCCEEDED),
    "fail_refund": (STANDING, R.FAILED),
    "cancel_refund": (frozenset({R.REQUIRES_ACTION}), R.CANCELED),
}
_INQUIRY = frozenset({D.WARNING_NEEDS_RESPONSE, D.WARNING_UNDER_REVIEW})
DISPUTE_DEEDS: dict[str, tuple[frozenset[DisputeStatus], DisputeStatus, tuple[str, ...]]] = {
    "answer_inquiry": (frozenset({D.WARNING_NEEDS_RESPONSE}), D.WARNING_UNDER_REVIEW, ("updated",)),
    "drop_inquiry": (_INQUIRY, D.WARNING_CLOSED, ("closed",)),
    "escalate": (_INQUIRY, D.NEEDS_RESPONSE, ("updated", "funds_withdrawn")),
    "answer": (frozenset({D.NEEDS_RESPONSE}), D.UNDER_REVIEW, ("updated",)),
    "win": (frozenset({D.NEEDS_RESPONSE, D.UNDER_REVIEW}), D.WON, ("funds_reinstated", "closed")),
    "lose": (frozenset({D.NEEDS_RESPONSE, D.UNDER_REVIEW}), D.LOST, ("closed",)),
}
DUE_S = 7 * 86400


@dataclass(slots=True)
class Refund:
    """A refund in Stripe's books. `ref` is our mark in its metadata; one made at the dashboard has none."""

    id: str
    intent_id: str
    amount: int
    currency: str
    status: RefundState
    namespace: str | None
    ref: str | None
    failure: str | None = None

    def view(self) -> RefundView:
        return RefundView(
            self.id, self.intent_id, Money(self.amount, self.currency), self.status, self.namespace, self.ref, self.failure
        )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        marks = {"airport_namespace": self.namespace, "airport_refund": self.ref} if self.ref else {}
        return {
            "id": self.id, "object": "refund", "payment_intent": self.intent_id, "amount": self.amount,
            "currency": self.currency, "status": str(self.status), "metadata": marks, "failure_reason": self.failure,
        }  # fmt: skip


@dataclass(slots=True)
class Dispute:
    """A dispute in Stripe's books."""

    id: str
    intent_id: str
    charge: str
    amount: int
    currency: str
    status: DisputeStatus
    refundable: bool
    due_s: int
    withdrawn: bool = False
    reinstated: bool = False

    def view(self) -> DisputeView:
        due_by = datetime.fromtimestamp(self.due_s, UTC)
        amount = Money(self.amount, self.currency)
        return DisputeView(self.id, self.intent_id, amount, self.status, "fraudulent", due_by, self.refundable)

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id, "object": "dispute", "payment_intent": self.intent_id, "charge": self.charge,
            "amount": self.amount, "currency": self.currency, "status": str(self.status), "reason": "fraudulent",
            "evidence_details": {"due_by": self.due_s}, "is_charge_refundable": self.refundable, "livemode": False,
            "metadata": {},
        }  # fmt: skip

    def moved(self, deed: str, now_s: int) -> tuple[str, ...]:
        """Move on, and return the events that tell of it, none if Stripe does not let it."""
        allowed, status, events = DISPUTE_DEEDS[deed]
        if self.status not in allowed:
            return ()
        self.status = status
        if deed == "escalate":
            self.refundable, self.withdrawn, self.due_s = False, True, now_s + DUE_S
        elif deed == "win":
            self.refundable = self.reinstated = True
        return events


@dataclass(slots=True)
class Aftermath:
    """What became of one PaymentIntent's money."""

    refunds: list[Refund] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)

    @property
    def refunded(self) -> int:
        return sum(r.amount for r in self.refunds if r.status in STANDING)

    @property
    def blocked(self) -> bool:
        """Whether a dispute keeps it from being refunded."""
        return any(not d.refundable and (d.status not in DECIDED or d.status is D.LOST) for d in self.disputes)
