"""A simple Stripe with its own truth, for the state machine: it is asked with commands and answers with replies."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tests.support import NAMESPACE, view

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
from airport_payments.core.model import IntentStatus
from airport_payments.core.money import Money

S = IntentStatus
PAYABLE = {S.REQUIRES_PAYMENT_METHOD, S.REQUIRES_CONFIRMATION, S.REQUIRES_ACTION, S.PROCESSING, S.REQUIRES_CAPTURE}
CANCELABLE = PAYABLE - {S.PROCESSING}
KEY_MEMORY = timedelta(hours=24)

# What may happen to one call. `ok` first: hypothesis shrinks to it.
FATES = ("ok", "lost", "dropped", "late", "late_failed", "busy", "failed", "failed_done", "credentials", "invalid")


@dataclass
class TrueStripe:
    intents: dict[str, IntentView] = field(default_factory=dict)
    created_at: dict[str, datetime] = field(default_factory=dict)
    keys: dict[str, tuple[datetime, PortReply, Command]] = field(default_factory=dict)
    events: list[IntentView] = field(default_factory=list)
    limbo: list[Command] = field(default_factory=list)
    charges: int = 0

    # ---- calls ----

    def call(self, command: Command, now: datetime, fate: str) -> PortReply:
        """Execute a command, or let the network or Stripe fail on it."""
        if fate == "credentials":
            return Refused(RefusalKind.CREDENTIALS, "401")
        if fate in {"dropped", "busy"}:
            return Unanswered(fate)
        if isinstance(command, RetrieveIntent | FindIntent):
            return self._read(command, now) if fate in {"ok", "invalid"} else Unanswered(fate)
        if fate in {"late", "late_failed"}:
            self.limbo.append(command)
            return Unanswered(fate, server_error=fate == "late_failed")
        reply = self._execute(command, now, fate)
        return Unanswered("the answer was lost") if fate == "lost" else reply

    def _execute(self, command: CreateIntent | CancelIntent, now: datetime, fate: str = "ok") -> PortReply:
        stored = self.keys.get(command.key)
        if stored is not None and now - stored[0] < KEY_MEMORY:
            assert same_request(stored[2], command), "one key, two requests"
            reply = stored[1]
            return replace(reply, replayed=True) if isinstance(reply, IntentSeen) else reply
        if fate == "invalid":
            return Refused(RefusalKind.INVALID, "parameter_invalid")  # a failed validation is not stored
        reply: PortReply = Unanswered("500", server_error=True)
        if fate != "failed":
            done = self._create(command, now) if isinstance(command, CreateIntent) else self._cancel(command)
            reply = done if fate != "failed_done" else reply
        self.keys[command.key] = (now, reply, command)
        return reply

    def _create(self, command: CreateIntent, now: datetime) -> PortReply:
        intent_id = f"pi_{len(self.intents) + 1:08d}"
        made = view(S.REQUIRES_PAYMENT_METHOD, command.attempt_id, intent_id, amount=command.amount)
        self.created_at[intent_id] = now
        return IntentSeen(self.move(made))

    def _cancel(self, command: CancelIntent) -> PortReply:
        intent = self.intents[command.intent_id]
        if intent.status not in CANCELABLE:
            return Refused(RefusalKind.UNEXPECTED_STATE, "unexpected_state", seen=IntentSeen(intent))
        return IntentSeen(self.move(replace(intent, status=S.CANCELED, failure=None)))

    def _read(self, command: RetrieveIntent | FindIntent, now: datetime) -> PortReply:
        if isinstance(command, RetrieveIntent):
            return IntentSeen(self.intents[command.intent_id])
        assert command.namespace == NAMESPACE
        for intent in self.intents.values():
            window = self.created_at[intent.id] >= command.since - timedelta(minutes=10)
            if intent.attempt_id == command.attempt_id and window:
                return IntentSeen(intent)
        return NothingFound()

    def late_execution(self, now: datetime, index: int) -> None:
        """Execute a call whose caller has long given up."""
        self._execute(self.limbo.pop(index), now)

    # ---- the world ----

    def move(self, intent: IntentView) -> IntentView:
        """Store an intent and make the event that tells of it."""
        self.intents[intent.id] = intent
        self.events.append(intent)
        return intent

    def customer(self, intent_id: str, deed: str) -> None:
        """Let the customer, the bank or the team's dashboard do something, where Stripe lets them."""
        intent = self.intents[intent_id]
        waiting = {S.REQUIRES_PAYMENT_METHOD, S.REQUIRES_CONFIRMATION, S.REQUIRES_ACTION}
        allowed = {
            "pay": waiting,
            "decline": waiting,
            "ask": waiting - {S.REQUIRES_ACTION},
            "process": waiting,
            "settle": {S.PROCESSING},
            "bounce": {S.PROCESSING},
            "authorise": waiting,
            "capture": {S.REQUIRES_CAPTURE},
            "capture_part": {S.REQUIRES_CAPTURE},
            "dashboard_cancel": CANCELABLE,
            "change_amount": waiting,
        }
        if intent.status not in allowed[deed]:
            return
        if deed in {"pay", "decline", "process", "authorise"}:
            self.charges += 1
        charge = f"ch_{self.charges}"
        price = intent.amount.amount_minor
        done = {
            "pay": {"status": S.SUCCEEDED, "received_minor": price, "charge_id": charge, "failure": None},
            "settle": {"status": S.SUCCEEDED, "received_minor": price, "failure": None},
            "capture": {"status": S.SUCCEEDED, "received_minor": price},
            "capture_part": {"status": S.SUCCEEDED, "received_minor": price - 100},
            "decline": {"status": S.REQUIRES_PAYMENT_METHOD, "charge_id": charge, "failure": _failure(charge)},
            "bounce": {"status": S.REQUIRES_PAYMENT_METHOD, "failure": _failure(intent.charge_id)},
            "ask": {"status": S.REQUIRES_ACTION, "failure": None},
            "process": {"status": S.PROCESSING, "charge_id": charge, "failure": None},
            "authorise": {"status": S.REQUIRES_CAPTURE, "charge_id": charge, "failure": None},
            "dashboard_cancel": {"status": S.CANCELED, "failure": None},
            "change_amount": {"amount": Money(price + 100, intent.amount.currency), "failure": None},
        }[deed]
        self.move(replace(intent, **done))

    @property
    def succeeded(self) -> list[IntentView]:
        return [i for i in self.intents.values() if i.status is S.SUCCEEDED]

    @property
    def payable(self) -> list[IntentView]:
        return [i for i in self.intents.values() if i.status in PAYABLE]


def same_request(one: Command, other: Command) -> bool:
    """Whether two sendings of a saved command are the same but for how often they were tried."""
    plain = {"due_at": one.due_at, "tries": 0, "server_errors": 0}
    return replace(one, **plain) == replace(other, **plain)


def _failure(charge: str | None):
    from tests.support import declined

    return declined(charge)
