"""A small, fast Stripe: its own books, its idempotency keys, its events. It knows nothing of our tables."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.keys import replayed, request_of
from tests.simulation.money import DISPUTE_DEEDS, DUE_S, REFUND_DEEDS, WAITING_REFUND, Aftermath, Dispute, Refund
from tests.simulation.plan import HOUR, MINUTE
from tests.simulation.sched import Violation

from airport_payments.core.commands import (
    CancelIntent,
    CaptureIntent,
    ConfirmIntent,
    CreateRefund,
    Effect,
    Fetch,
    ListRefunds,
    Look,
    RetrieveCharge,
    RetrieveDispute,
    RetrieveIntent,
    RetrieveRefund,
)
from airport_payments.core.dispute import DisputeStatus
from airport_payments.core.facts import (
    ChargeSeen,
    DisputeSeen,
    IntentSeen,
    IntentView,
    NothingFound,
    PortReply,
    RefundSeen,
    RefundsSeen,
    RefusalKind,
    Refused,
    Unanswered,
)
from airport_payments.core.model import Failure, IntentStatus
from airport_payments.core.money import Money
from airport_payments.core.refund import RefundState
from airport_payments.core.secret import Secret

S = IntentStatus
WAITING = frozenset({S.REQUIRES_PAYMENT_METHOD, S.REQUIRES_CONFIRMATION, S.REQUIRES_ACTION})
PAYABLE = WAITING | {S.PROCESSING, S.REQUIRES_CAPTURE}
KEY_MEMORY = 24 * HOUR
# What the port looks for: see FIND_MARGIN and FIND_SPAN in stripe_api/talk.py.
FIND_MARGIN = 10 * MINUTE
FIND_SPAN = 36 * HOUR

# What people and banks do with an intent, and in which statuses Stripe lets them.
DEEDS: dict[str, frozenset[IntentStatus]] = {
    "pay": WAITING,
    "decline": WAITING,
    "want_owner": WAITING,
    "ask": WAITING - {S.REQUIRES_ACTION},
    "authenticate": frozenset({S.REQUIRES_ACTION}),
    "fail_to_authenticate": frozenset({S.REQUIRES_ACTION}),
    "process": WAITING,
    "settle": frozenset({S.PROCESSING}),
    "bounce": frozenset({S.PROCESSING}),
    "dashboard_cancel": WAITING,
    "edit_amount": WAITING,
    "dashboard_capture": frozenset({S.REQUIRES_CAPTURE}),
    "expire": frozenset({S.REQUIRES_CAPTURE}),
    "dashboard_refund": frozenset({S.SUCCEEDED}),
    "dispute": frozenset({S.SUCCEEDED}),
    "inquire": frozenset({S.SUCCEEDED}),
}
# Saved cards, as what they are good for.
SAVED = {"pm_saved_good": "pay", "pm_saved_asks": "want_owner", "pm_saved_bad": "decline"}
# Why a payment failed, where it is not that the card was declined.
REASONS = {"fail_to_authenticate": "payment_intent_authentication_failure", "want_owner": "authentication_required"}
EVENT_OF = {
    S.REQUIRES_PAYMENT_METHOD: "payment_intent.payment_failed",
    S.REQUIRES_ACTION: "payment_intent.requires_action",
    S.PROCESSING: "payment_intent.processing",
    S.REQUIRES_CAPTURE: "payment_intent.amount_capturable_updated",
    S.SUCCEEDED: "payment_intent.succeeded",
    S.CANCELED: "payment_intent.canceled",
}


@dataclass(slots=True)
class Intent:
    """A PaymentIntent in Stripe's books."""

    id: str
    status: IntentStatus
    amount: int
    currency: str
    namespace: str
    booking: str
    attempt: str
    created: int
    received: int = 0
    charge: str | None = None
    error: str | None = None
    error_charge: str | None = None
    failures: int = 0
    manual: bool = False
    money: Aftermath = field(default_factory=Aftermath)

    @property
    def net(self) -> int:
        """What was collected and did not go back."""
        return self.received - self.money.refunded

    @property
    def secret(self) -> str:
        return f"{self.id}_secret_CANARY"

    def view(self) -> IntentView:
        failure = Failure(self.error, "Your card was declined.", None, self.error_charge) if self.error else None
        return IntentView(
            self.id, self.status, Money(self.amount, self.currency), self.received, False, self.namespace, self.booking,
            self.attempt, failure, self.charge, Secret(self.secret),
        )  # fmt: skip

    def charge_json(self) -> dict[str, Any]:
        """Its charge, as an event carries it: what went back in sum, not by which refunds."""
        refunded = self.money.refunded
        return {
            "id": self.charge, "object": "charge", "payment_intent": self.id, "amount": self.amount,
            "amount_captured": self.received, "amount_refunded": refunded, "refunded": refunded >= self.received,
            "currency": self.currency, "livemode": False, "metadata": {},
        }  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """The object as an event carries it."""
        error = self.error and {
            "type": "card_error", "code": self.error, "message": "Your card was declined.", "charge": self.error_charge,
        }  # fmt: skip
        return {
            "id": self.id, "object": "payment_intent", "status": str(self.status), "amount": self.amount,
            "amount_received": self.received, "currency": self.currency, "livemode": False,
            "client_secret": self.secret, "latest_charge": self.charge, "last_payment_error": error or None,
            "metadata": {
                "airport_namespace": self.namespace, "airport_booking": self.booking, "airport_attempt": self.attempt,
            },
        }  # fmt: skip


Told = tuple[str, dict[str, Any]]  # an event's type and object


class Books:
    """Stripe's truth.

    Args:
        changed: called at every change, with the events that tell of it.
        now_s: the time in seconds since 1970.
        first_status: how far a refund comes at once.
    """

    def __init__(
        self,
        changed: Callable[[Intent, tuple[Told, ...]], None],
        now_s: Callable[[], int],
        first_status: Callable[[str], RefundState],
    ) -> None:
        self._on_change = changed
        self._now_s = now_s
        self._first_status = first_status
        self._refunds: dict[str, Refund] = {}
        self._disputes: dict[str, Dispute] = {}
        self._intents: dict[str, Intent] = {}
        self._keys: dict[str, tuple[int, Effect, PortReply]] = {}
        self.in_use: set[str] = set()
        self.charged: dict[tuple[str, str, str], set[str]] = defaultdict(set)  # by which keys saved cards were charged
        self.keys_repeat = False  # whether a database was put back
        self._charges = 0

    def intents(self) -> list[Intent]:
        return list(self._intents.values())

    def get(self, intent_id: str) -> Intent | None:
        return self._intents.get(intent_id)

    def _changed(self, intent: Intent, event_type: str | None) -> None:
        self._on_change(intent, ((event_type, intent.as_json()),) if event_type is not None else ())

    # ---- calls ----

    def execute(self, command: Effect, now: int, fate: str | None) -> PortReply:
        """Execute a POST as Stripe does: once for a key, whose first answer is stored, be it a 500."""
        stored = self._keys.get(command.key)
        if stored is not None and now - stored[0] < KEY_MEMORY:
            if request_of(stored[1]) != request_of(command):
                if self.keys_repeat and isinstance(command, CreateRefund | CaptureIntent | ConfirmIntent):
                    # A database that forgot a refund, a capture or a charge numbers the next one alike: Stripe refuses it.
                    return Unanswered("the idempotency key was used with other parameters", key_spent=True)
                raise Violation("rule 9", f"the key {command.key} came with other parameters")
            return replayed(stored[2])
        reply: PortReply = Unanswered("Stripe answered 500", server_error=True)
        if fate not in {"error_500_before", "error_500_late"}:
            done = self._execute(command, now)
            reply = done if fate != "error_500_after" else reply
        self._keys[command.key] = (now, command, reply)
        return reply

    def knows(self, key: str) -> bool:
        return key in self._keys

    def as_of(self, key: str) -> int:
        """When the answer to this key was made."""
        return self._keys[key][0]

    def complete(self, command: Effect, now: int) -> None:
        """Do at last what Stripe had answered with a 500: it rolls forward, later (error-low-level)."""
        self._execute(command, now)

    def _execute(self, command: Effect, now: int) -> PortReply:
        if isinstance(command, CreateRefund):
            return self._make_refund(command)
        if isinstance(command, ConfirmIntent):
            return self._confirm(command)
        if isinstance(command, CaptureIntent):
            intent = self._intents[command.intent_id]
            if intent.status is not S.REQUIRES_CAPTURE:
                return Refused(RefusalKind.UNEXPECTED_STATE, "unexpected_state", seen=IntentSeen(intent.view()))
            if not 0 < command.amount_minor <= intent.amount:
                return Refused(RefusalKind.INVALID, "amount_to_capture is out of bounds")
            self._collect(intent, command.amount_minor)
            return IntentSeen(intent.view())
        if isinstance(command, CancelIntent):
            intent = self._intents[command.intent_id]
            if intent.status not in WAITING and intent.status is not S.REQUIRES_CAPTURE:
                return Refused(RefusalKind.UNEXPECTED_STATE, "unexpected_state", seen=IntentSeen(intent.view()))
            intent.status, intent.error = S.CANCELED, None
            self._changed(intent, EVENT_OF[S.CANCELED])
            return IntentSeen(intent.view())
        money = command.amount
        intent = Intent(
            f"pi_{len(self._intents) + 1:08d}", S.REQUIRES_PAYMENT_METHOD, money.amount_minor, money.currency,
            command.namespace, command.booking_id, command.attempt_id, now, manual=command.manual_capture,
        )  # fmt: skip
        self._intents[intent.id] = intent
        self._changed(intent, "payment_intent.created")
        return IntentSeen(intent.view())

    def _confirm(self, command: ConfirmIntent) -> PortReply:
        """Charge a saved card: the customer is not there."""
        intent = self._intents[command.intent_id]
        if intent.status not in WAITING:
            return Refused(RefusalKind.UNEXPECTED_STATE, "unexpected_state", seen=IntentSeen(intent.view()))
        if command.payment_method_id not in SAVED:
            return Refused(RefusalKind.PAYMENT_METHOD, "resource_missing: No such PaymentMethod")
        self.charged[intent.namespace, intent.booking, intent.id].add(command.key)
        self.deed(intent.id, SAVED[command.payment_method_id])
        view = intent.view()
        if view.failure is None:
            return IntentSeen(view)
        reason = f"{view.failure.code}: {view.failure.message}"
        return Refused(RefusalKind.CARD, reason, failure=view.failure, seen=IntentSeen(view))

    def _collect(self, intent: Intent, amount: int) -> None:
        intent.status, intent.received = S.SUCCEEDED, amount
        self._changed(intent, EVENT_OF[S.SUCCEEDED])

    def _make_refund(self, command: CreateRefund) -> PortReply:
        intent = self._intents[command.intent_id]
        refused = self._refusal(intent, command.amount_minor)
        if refused is not None:
            return refused
        return RefundSeen(self._refund(intent, command.amount_minor, command.namespace, command.ref).view())

    def _refusal(self, intent: Intent, amount: int) -> Refused | None:
        """Why Stripe makes no refund of this: facts.md A2 and B12."""
        if intent.received <= 0:
            return Refused(RefusalKind.INVALID, "the charge was not captured")
        if intent.net <= 0:
            return Refused(RefusalKind.ALREADY_REFUNDED, "charge_already_refunded")
        if intent.money.blocked:
            return Refused(RefusalKind.DISPUTED, "charge_disputed")
        if amount > intent.net:
            return Refused(RefusalKind.INVALID, "greater than the unrefunded amount")
        return None

    def _refund(self, intent: Intent, amount: int, namespace: str | None, ref: str | None) -> Refund:
        refund_id = f"re_{len(self._refunds) + 1:08d}"
        first = self._first_status(refund_id)
        refund = Refund(refund_id, intent.id, amount, intent.currency, first, namespace, ref)
        self._refunds[refund_id] = refund
        intent.money.refunds.append(refund)
        made = (("refund.created", refund.as_json()), ("charge.refunded", intent.charge_json()))
        self._on_change(intent, made)
        return refund

    def read(self, command: Look | Fetch, since: int) -> PortReply:
        """Answer a GET. `since` is the beginning of a search, in this world's time."""
        if isinstance(command, ListRefunds):
            return RefundsSeen(tuple(r.view() for r in self._intents[command.intent_id].money.refunds))
        missing = Refused(RefusalKind.MISSING, "resource_missing")
        if isinstance(command, RetrieveRefund):
            refund = self._refunds.get(command.refund_id)
            return RefundSeen(refund.view()) if refund else missing
        if isinstance(command, RetrieveDispute):
            dispute = self._disputes.get(command.dispute_id)
            return DisputeSeen(dispute.view()) if dispute else missing
        if isinstance(command, RetrieveCharge):
            charged = next((i for i in self._intents.values() if i.charge == command.charge_id), None)
            return ChargeSeen(charged.id, charged.money.refunded) if charged else missing
        if isinstance(command, RetrieveIntent):
            intent = self._intents.get(command.intent_id)
            return IntentSeen(intent.view()) if intent else missing
        for intent in reversed(self._intents.values()):
            in_window = since - FIND_MARGIN <= intent.created <= since + FIND_SPAN + FIND_MARGIN
            if in_window and (intent.attempt, intent.namespace) == (command.attempt_id, command.namespace):
                return IntentSeen(intent.view())
        return NothingFound()

    # ---- what people and banks do ----

    def deed(self, object_id: str, deed: str, amount: int = 0) -> bool:
        """Do something to an intent, a refund or a dispute, if Stripe lets anyone do that now. `amount` 0: all of it."""
        if deed in REFUND_DEEDS:
            return self._move_refund(self._refunds[object_id], deed)
        if deed in DISPUTE_DEEDS:
            return self._move_dispute(self._disputes[object_id], deed)
        intent = self._intents[object_id]
        if intent.status not in DEEDS[deed] or (intent.manual and deed == "process"):
            return False
        if deed == "dashboard_refund":
            amount = amount or intent.net
            if self._refusal(intent, amount) is not None:
                return False
            self._refund(intent, amount, None, None)
            return True
        if deed in {"dispute", "inquire"}:
            return self._open_dispute(intent, deed)
        if deed == "dashboard_capture":
            self._collect(intent, min(amount, intent.amount) or intent.amount)
            return True
        if deed == "edit_amount":
            intent.amount += 100
            self._changed(intent, None)
            return True
        if deed in {"pay", "decline", "want_owner", "process", "authenticate"}:
            self._charges += 1
            intent.charge = f"ch_{self._charges}"
        intent.error = None
        if deed in {"pay", "authenticate"} and intent.manual:
            intent.status = S.REQUIRES_CAPTURE
        elif deed in {"pay", "authenticate", "settle"}:
            intent.status, intent.received = S.SUCCEEDED, intent.amount
        elif deed == "ask":
            intent.status = S.REQUIRES_ACTION
        elif deed == "process":
            intent.status = S.PROCESSING
        elif deed in {"dashboard_cancel", "expire"}:
            intent.status = S.CANCELED
        else:
            intent.status, intent.failures = S.REQUIRES_PAYMENT_METHOD, intent.failures + 1
            intent.error = REASONS.get(deed, "card_declined")
        self._changed(intent, EVENT_OF[intent.status])
        return True

    def ghost(self, namespace: str, booking: str, money: Money) -> None:
        """A PaymentIntent with our marks that the database forgot, as after a restored backup; it is paid already."""
        number = len(self._intents) + 1
        self._charges += 1
        intent = Intent(
            f"pi_{number:08d}", S.SUCCEEDED, money.amount_minor, money.currency, namespace, booking, f"ghost{number}", 0,
            received=money.amount_minor, charge=f"ch_{self._charges}",
        )  # fmt: skip
        self._intents[intent.id] = intent
        self._changed(intent, EVENT_OF[S.SUCCEEDED])

    def _move_refund(self, refund: Refund, deed: str) -> bool:
        allowed, status = REFUND_DEEDS[deed]
        if refund.status not in allowed:
            return False
        refund.status = status
        failed = status is RefundState.FAILED
        refund.failure = "expired_or_canceled_card" if failed else None
        names = ("refund.failed",) if failed else ()
        names = (*names, "refund.updated", "charge.refund.updated")
        self._on_change(self._intents[refund.intent_id], tuple((name, refund.as_json()) for name in names))
        return True

    def _open_dispute(self, intent: Intent, deed: str) -> bool:
        if intent.received <= 0 or any(d.status is not DisputeStatus.WARNING_CLOSED for d in intent.money.disputes):
            return False
        inquiry = deed == "inquire"
        status = DisputeStatus.WARNING_NEEDS_RESPONSE if inquiry else DisputeStatus.NEEDS_RESPONSE
        dispute = Dispute(
            f"dp_{len(self._disputes) + 1:08d}", intent.id, intent.charge or "", intent.received, intent.currency, status,
            inquiry, self._now_s() + DUE_S, withdrawn=not inquiry,
        )  # fmt: skip
        self._disputes[dispute.id] = dispute
        intent.money.disputes.append(dispute)
        self._tell_dispute(intent, dispute, ("created",) if inquiry else ("created", "funds_withdrawn"))
        return True

    def _move_dispute(self, dispute: Dispute, deed: str) -> bool:
        events = dispute.moved(deed, self._now_s())
        if events:
            self._tell_dispute(self._intents[dispute.intent_id], dispute, events)
        return bool(events)

    def _tell_dispute(self, intent: Intent, dispute: Dispute, events: tuple[str, ...]) -> None:
        self._on_change(intent, tuple((f"charge.dispute.{name}", dispute.as_json()) for name in events))
        if "funds_withdrawn" in events:
            # The money is gone: what was on its way back does not get through.
            for refund in intent.money.refunds:
                if refund.status in WAITING_REFUND:
                    self._move_refund(refund, "fail_refund")
