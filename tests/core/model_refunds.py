"""A simple Stripe with its own truth about the refunds of one payment, for the state machine."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tests.support import INTENT_ID, PRICE, refund_view

from airport_payments.core.commands import Command, CreateRefund, ListRefunds
from airport_payments.core.facts import (
    PortReply,
    RefundSeen,
    RefundsSeen,
    RefundView,
    RefusalKind,
    Refused,
    Unanswered,
)
from airport_payments.core.refund import RefundState

R = RefundState
STANDING = {R.SUCCEEDED, R.PENDING, R.REQUIRES_ACTION}
KEY_MEMORY = timedelta(hours=24)
# What may happen to one call. `ok` first: hypothesis shrinks to it.
FATES = ("ok", "lost", "dropped", "late", "late_failed", "failed", "failed_done", "credentials", "invalid")
MOVES = {
    R.PENDING: (R.SUCCEEDED, R.FAILED, R.CANCELED, R.REQUIRES_ACTION),
    R.REQUIRES_ACTION: (R.SUCCEEDED, R.FAILED, R.CANCELED),
    R.SUCCEEDED: (R.FAILED,),
}


@dataclass
class TrueRefunds:
    refunds: dict[str, RefundView] = field(default_factory=dict)
    keys: dict[str, tuple[datetime, PortReply, Command]] = field(default_factory=dict)
    events: list[RefundView] = field(default_factory=list)
    hints: list[int] = field(default_factory=list)
    limbo: list[CreateRefund] = field(default_factory=list)
    pending_next: bool = False

    @property
    def standing_minor(self) -> int:
        return sum(r.amount.amount_minor for r in self.refunds.values() if r.state in STANDING)

    def call(self, command: Command, now: datetime, fate: str) -> PortReply:
        """Execute a command, or let the network or Stripe fail on it."""
        assert isinstance(command, CreateRefund | ListRefunds), command
        if fate == "credentials":
            return Refused(RefusalKind.CREDENTIALS, "401")
        if fate == "dropped":
            return Unanswered(fate)
        if isinstance(command, ListRefunds):
            return RefundsSeen(tuple(self.refunds.values())) if fate in {"ok", "invalid"} else Unanswered(fate)
        if fate in {"late", "late_failed"}:
            self.limbo.append(command)
            return Unanswered(fate, server_error=fate == "late_failed")
        reply = self._execute(command, now, fate)
        return Unanswered("the answer was lost") if fate == "lost" else reply

    def late_execution(self, now: datetime, index: int) -> None:
        """Execute a call whose caller has long given up."""
        self._execute(self.limbo.pop(index), now, "ok")

    def _execute(self, command: CreateRefund, now: datetime, fate: str) -> PortReply:
        stored = self.keys.get(command.key)
        if stored is not None and now - stored[0] < KEY_MEMORY:
            reply = stored[1]
            return replace(reply, replayed=True) if isinstance(reply, RefundSeen) else reply
        if fate == "invalid":
            return Refused(RefusalKind.INVALID, "parameter_invalid")
        if self.standing_minor + command.amount_minor > PRICE.amount_minor:
            return Refused(RefusalKind.ALREADY_REFUNDED, "charge_already_refunded")
        reply = Unanswered("500", server_error=True)
        if fate != "failed":
            made = RefundSeen(self._make(command.amount_minor, command.ref))
            reply = made if fate != "failed_done" else reply
        self.keys[command.key] = (now, reply, command)
        return reply

    def dashboard(self, amount_minor: int) -> None:
        """Somebody gives money back without us."""
        if self.standing_minor + amount_minor <= PRICE.amount_minor:
            self._make(amount_minor, None)

    def _make(self, amount_minor: int, ref: str | None) -> RefundView:
        state = R.PENDING if self.pending_next else R.SUCCEEDED
        return self._put(refund_view(f"re_{len(self.refunds)}", amount_minor, state, ref=ref, intent_id=INTENT_ID))

    def move(self, refund_id: str, choice: int) -> None:
        """Let a refund go on to its end, or beyond it."""
        old = self.refunds[refund_id]
        ways = MOVES.get(old.state, ())
        if ways:
            state = ways[choice % len(ways)]
            self._put(replace(old, state=state, failure="lost_or_stolen_card" if state is R.FAILED else None))

    def _put(self, view: RefundView) -> RefundView:
        self.refunds[view.id] = view
        self.events.append(view)
        self.hints.append(self.standing_minor)
        return view
