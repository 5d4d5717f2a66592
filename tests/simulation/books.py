"""A small, fast Stripe: its own books, its idempotency keys, its events. It knows nothing of our tables."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.simulation.plan import HOUR, MINUTE
from tests.simulation.sched import Violation

from airport_payments.core.commands import CancelIntent, Command, CreateIntent, FindIntent, RetrieveIntent
from airport_payments.core.facts import (
    IntentSeen,
    IntentView,
    NothingFound,
    PortReply,
    RefusalKind,
    Refused,
    Unanswered,
)
from airport_payments.core.model import Failure, IntentStatus
from airport_payments.core.money import Money
from airport_payments.core.secret import Secret

S = IntentStatus
WAITING = frozenset({S.REQUIRES_PAYMENT_METHOD, S.REQUIRES_CONFIRMATION, S.REQUIRES_ACTION})
PAYABLE = WAITING | {S.PROCESSING, S.REQUIRES_CAPTURE}
KEY_MEMORY = 24 * HOUR
REPLAYED = "a stored answer: 500"
# What the port looks for: see FIND_MARGIN and FIND_SPAN in stripe_api/talk.py.
FIND_MARGIN = 10 * MINUTE
FIND_SPAN = 24 * HOUR

# What people and banks do with an intent, and in which statuses Stripe lets them.
DEEDS: dict[str, frozenset[IntentStatus]] = {
    "pay": WAITING,
    "decline": WAITING,
    "ask": WAITING - {S.REQUIRES_ACTION},
    "authenticate": frozenset({S.REQUIRES_ACTION}),
    "fail_to_authenticate": frozenset({S.REQUIRES_ACTION}),
    "process": WAITING,
    "settle": frozenset({S.PROCESSING}),
    "bounce": frozenset({S.PROCESSING}),
    "dashboard_cancel": WAITING,
    "edit_amount": WAITING,
}
EVENT_OF = {
    S.REQUIRES_PAYMENT_METHOD: "payment_intent.payment_failed",
    S.REQUIRES_ACTION: "payment_intent.requires_action",
    S.PROCESSING: "payment_intent.processing",
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

    @property
    def secret(self) -> str:
        return f"{self.id}_secret_CANARY"

    def view(self) -> IntentView:
        failure = Failure(self.error, "Your card was declined.", None, self.error_charge) if self.error else None
        return IntentView(
            self.id, self.status, Money(self.amount, self.currency), self.received, False, self.namespace, self.booking,
            self.attempt, failure, self.charge, Secret(self.secret),
        )  # fmt: skip

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


class Books:
    """Stripe's truth. `changed(intent, event type)` is called at every change."""

    def __init__(self, changed: Callable[[Intent, str | None], None]) -> None:
        self._changed = changed
        self._intents: dict[str, Intent] = {}
        self._keys: dict[str, tuple[int, Command, PortReply]] = {}
        self.in_use: set[str] = set()
        self._charges = 0

    def intents(self) -> list[Intent]:
        return list(self._intents.values())

    def get(self, intent_id: str) -> Intent | None:
        return self._intents.get(intent_id)

    # ---- calls ----

    def execute(self, command: CreateIntent | CancelIntent, now: int, fate: str | None) -> PortReply:
        """Execute a POST as Stripe does: once for a key, whose first answer is stored, be it a 500."""
        stored = self._keys.get(command.key)
        if stored is not None and now - stored[0] < KEY_MEMORY:
            if request_of(stored[1]) != request_of(command):
                raise Violation("rule 9", f"the key {command.key} came with other parameters")
            return _replayed(stored[2])
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

    def complete(self, command: CreateIntent | CancelIntent, now: int) -> None:
        """Do at last what Stripe had answered with a 500: it rolls forward, later (error-low-level)."""
        self._execute(command, now)

    def _execute(self, command: CreateIntent | CancelIntent, now: int) -> PortReply:
        if isinstance(command, CancelIntent):
            intent = self._intents[command.intent_id]
            if intent.status not in WAITING:
                return Refused(RefusalKind.UNEXPECTED_STATE, "unexpected_state", seen=IntentSeen(intent.view()))
            intent.status, intent.error = S.CANCELED, None
            self._changed(intent, EVENT_OF[S.CANCELED])
            return IntentSeen(intent.view())
        money = command.amount
        intent = Intent(
            f"pi_{len(self._intents) + 1:08d}", S.REQUIRES_PAYMENT_METHOD, money.amount_minor, money.currency,
            command.namespace, command.booking_id, command.attempt_id, now,
        )  # fmt: skip
        self._intents[intent.id] = intent
        self._changed(intent, "payment_intent.created")
        return IntentSeen(intent.view())

    def read(self, command: RetrieveIntent | FindIntent, since: int) -> PortReply:
        """Answer a GET. `since` is the beginning of a search, in this world's time."""
        if isinstance(command, RetrieveIntent):
            intent = self._intents.get(command.intent_id)
            return IntentSeen(intent.view()) if intent else Refused(RefusalKind.MISSING, "resource_missing")
        for intent in reversed(self._intents.values()):
            in_window = since - FIND_MARGIN <= intent.created <= since + FIND_SPAN + FIND_MARGIN
            if in_window and (intent.attempt, intent.namespace) == (command.attempt_id, command.namespace):
                return IntentSeen(intent.view())
        return NothingFound()

    # ---- what people and banks do ----

    def deed(self, intent_id: str, deed: str) -> bool:
        """Do something to an intent, if Stripe lets anyone do that now."""
        intent = self._intents[intent_id]
        if intent.status not in DEEDS[deed]:
            return False
        if deed == "edit_amount":
            intent.amount += 100
            self._changed(intent, None)
            return True
        if deed in {"pay", "decline", "process", "authenticate"}:
            self._charges += 1
            intent.charge = f"ch_{self._charges}"
        intent.error = None
        if deed in {"pay", "authenticate", "settle"}:
            intent.status, intent.received = S.SUCCEEDED, intent.amount
        elif deed == "ask":
            intent.status = S.REQUIRES_ACTION
        elif deed == "process":
            intent.status = S.PROCESSING
        elif deed == "dashboard_cancel":
            intent.status = S.CANCELED
        else:
            intent.status, intent.failures = S.REQUIRES_PAYMENT_METHOD, intent.failures + 1
            intent.error = (
                "card_declined" if deed != "fail_to_authenticate" else "payment_intent_authentication_failure"
            )
        self._changed(intent, EVENT_OF[intent.status])
        return True


def request_of(command: Command) -> tuple[object, ...]:
    """What Stripe sees of a command: the same for every sending of a saved one."""
    if isinstance(command, CreateIntent):
        return (command.attempt_id, command.booking_id, command.namespace, command.amount, command.key)
    if isinstance(command, CancelIntent):
        return (command.intent_id, command.key)
    return (command,)


def _replayed(reply: PortReply) -> PortReply:
    if isinstance(reply, IntentSeen):
        return replace(reply, replayed=True)
    if isinstance(reply, Unanswered):
        return replace(reply, reason=REPLAYED)
    if isinstance(reply, Refused) and reply.seen is not None:
        return replace(reply, seen=replace(reply.seen, replayed=True))
    return reply
