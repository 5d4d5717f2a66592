"""A Driver that writes down, in full, what each fact makes of a booking: for tests/core/test_decide_stories.py."""

from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from enum import Enum

from tests.support import NOW, OWNER, PRICE, Driver, Reply

from airport_payments.core.announcements import Deliver
from airport_payments.core.decide import Decision
from airport_payments.core.errors import PaymentsError
from airport_payments.core.facts import Answer, ChargeRequested, Fact, IntentView, Observed
from airport_payments.core.model import Change, HistoryLine, Ledger
from airport_payments.core.money import Money
from airport_payments.core.options import PaymentOptions
from airport_payments.core.reconcile import differences
from airport_payments.core.secret import Secret
from airport_payments.core.story import tell
from airport_payments.core.views import attention, report


def spelled(value: object) -> str:
    """A value as text: times as seconds since NOW, and of an object what differs from its defaults."""
    if isinstance(value, datetime):
        return f"{(value - NOW).total_seconds():+g}s" if value.year < 9999 else "for a person"
    if isinstance(value, type):
        return value.__name__
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, (Secret, Money)):
        return "a secret" if isinstance(value, Secret) else str(value)
    if isinstance(value, PaymentsError):
        details = "".join(f" {name}={spelled(item)}" for name, item in sorted(vars(value).items()))
        return f"{type(value).__name__}: {value}{details}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(spelled, value)) + "]"
    if isinstance(value, IntentView):
        return f"{value.id} {value.status.value} {value.amount}"
    if is_dataclass(value):
        told = [f"{f.name}={spelled(getattr(value, f.name))}" for f in fields(value) if _unusual(value, f)]
        return f"{type(value).__name__}({', '.join(told)})"
    return repr(value)


def _unusual(value, item) -> bool:
    # A word in the place of None, or 1 in the place of True, is as unusual as another value.
    given = getattr(value, item.name)
    return given != item.default or type(given) is not type(item.default)


@dataclass
class Telling(Driver):
    lines: list[str] = field(default_factory=list)
    happened: list[HistoryLine] = field(default_factory=list)

    def asker(self, card: str) -> ChargeRequested:
        """Return who asked to charge a saved card."""
        return ChargeRequested(OWNER, PRICE, "c1", card, PaymentOptions(customer_id="cus_1"))

    def feed(self, fact: Fact) -> Decision:
        old = self.snapshot.ledger
        decision = super().feed(fact)
        what = f"{type(fact.reply).__name__} for {type(fact.command).__name__}" if isinstance(fact, Answer) else ""
        self.lines.append(f"{spelled(self.now)} {what or type(fact).__name__}")
        change = decision.change
        if change is not None:
            self.happened += change.history
            self.lines += [f"  {line}" for line in _changes(change, old)]
            if isinstance(fact, Observed):
                self.lines += [f"  differs {spelled(difference)}" for difference in differences(change)]
        if isinstance(decision.act, Deliver):
            told = decision.act
            self.lines.append(f"  tells {told.subscriber} of {told.announcement.sequence}, time {told.tries}")
        elif decision.act is not None:
            saved = decision.act in self.snapshot.ledger.effects
            self.lines.append(f"  performs {type(decision.act).__name__ if saved else spelled(decision.act)}")
        if decision.reply is not None:
            self.lines.append(f"  replies {spelled(decision.reply)}")
        if decision.problem is not None:
            same = decision.problem is decision.reply
            self.lines.append("  which is its problem" if same else f"  problem {spelled(decision.problem)}")
        return decision

    @property
    def whole(self) -> list[str]:
        """What was written down, and then how it stands and what happened, as support is told."""
        if not self.happened:
            return self.lines
        support = [
            spelled(report(self.snapshot)),
            spelled(attention(self.snapshot)),
            *tell(self.snapshot, self.happened).lines,
        ]
        return [*self.lines, *(f"| {line}".rstrip() for line in support)]

    def ask(self, asker: Fact, *replies: Reply) -> object:
        """As a Driver does it; where the script has no more answers, the process dies."""
        try:
            return super().ask(asker, *replies)
        except AssertionError as error:
            if "nothing in the script answers" not in str(error):
                raise
            self.lines.append("  and dies")
            return None


def _changes(change: Change, old: Ledger):
    yield from (f"history {spelled(line)}" for line in change.history)
    if change.booking_status is not None:
        yield f"booking {spelled(change.booking_status)}"
    new = change.ledger
    for place, payment in enumerate(new.payments):
        if place >= len(old.payments):
            yield f"new {spelled(payment)}"
            continue
        before = old.payments[place]
        moved = [
            f.name for f in fields(payment) if spelled(getattr(payment, f.name)) != spelled(getattr(before, f.name))
        ]
        if moved:
            words = ", ".join(f"{name}={spelled(getattr(payment, name))}" for name in moved)
            yield f"payment {payment.attempt_id}: {words}"
    yield from (f"index {spelled(row)}" for row in change.index)
    known = {pending.announcement.sequence for pending in old.announcements}
    yield from (
        f"announces {spelled(p.announcement)}" for p in new.announcements if p.announcement.sequence not in known
    )
    for name in ("effects", "dead_letters", "request_keys"):
        was, now = getattr(old, name), getattr(new, name)
        yield from (f"drops {type(item).__name__} {getattr(item, 'key', '')}" for item in was if item not in now)
        yield from (f"keeps {spelled(item)}" for item in now if item not in was)
    if new.cancelling is not old.cancelling:
        yield f"cancelling {spelled(new.cancelling)}"
    yield f"due {spelled(change.due_at)}, {new.announced} announced"
