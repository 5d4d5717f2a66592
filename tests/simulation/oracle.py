"""The judge: what must always hold, and what must hold in the end, against Stripe's own books."""

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from tests.simulation.books import PAYABLE, Intent
from tests.simulation.keys import request_of
from tests.simulation.oracle_answers import CANARY, AnswerJudge
from tests.simulation.oracle_end import EndJudge
from tests.simulation.oracle_events import FINAL, EventJudge
from tests.simulation.oracle_money import Key
from tests.simulation.oracle_told import TellingJudge
from tests.simulation.plan import HOUR, MINUTE
from tests.simulation.sched import Violation
from tests.simulation.wrapped import EFFECTS

from airport_payments.core.announcements import (
    Announcement,
    BookingCancelled,
    BookingConfirmed,
    PaymentFailed,
    PaymentNeedsReview,
)
from airport_payments.core.commands import (
    CaptureIntent,
    Command,
    ConfirmIntent,
    CreateIntent,
    CreateRefund,
    Effect,
)
from airport_payments.core.model import (
    Booking,
    BookingStatus,
    CancelReason,
    Change,
    IntentStatus,
    Ledger,
    Payment,
    PaymentState,
    Place,
    ReviewReason,
    Surplus,
)
from airport_payments.core.money import Money

if TYPE_CHECKING:
    from tests.simulation.shop import Process, Shop
    from tests.simulation.world import World

# Rule 9 by the process's own clock, when it decides to send; the commit before that takes its time, and may stall.
KEY_HOURS = 23 * HOUR + 45 * MINUTE
# Stripe forgets then. What is sent later could be executed a second time.
KEY_FORGOTTEN = 24 * HOUR


class Oracle(AnswerJudge, EventJudge, TellingJudge, EndJudge):
    """Sees every commit, every call, every answer and every change in Stripe's books."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self.world = world
        self.versions: dict[Key, int] = {}
        self.confirmed_by: dict[Key, str] = {}
        self.confirms: Counter[Key] = Counter()
        self.cancellations: Counter[Key] = Counter()
        self.redelivered: set[tuple[str, str, int]] = set()
        self.given: dict[Key, set[str]] = defaultdict(set)
        self.attempts: dict[tuple[str, str], str] = {}
        self.final: dict[tuple[str, str, str], tuple[Any, ...]] = {}
        self.abandoned: set[tuple[str, str, str]] = set()
        self.effects: dict[str, Command] = {}
        self.reached: dict[str, int] = {}
        self.forgotten: set[str] = set()
        self.charge_asks: Counter[Key] = Counter()
        self.cards: dict[str, str] = {}
        self.told: Counter[tuple[str, ...]] = Counter()
        self.writes: Counter[str] = Counter()
        self.checks = 0
        self.asked_as_of: dict[tuple[str, str, str], int] = {}
        self.statuses: dict[str, list[tuple[int, IntentStatus]]] = defaultdict(list)

    def check(self, holds: object, rule: str, what: str) -> None:
        self.checks += 1
        if not holds:
            raise Violation(rule, what)

    def truth(self, intent_id: str | None) -> Intent | None:
        return self.world.stripe.get(intent_id) if intent_id else None

    def was_given(self, intent_id: str) -> bool:
        return any(intent_id in ids for ids in self.given.values())

    def saves_of(self, task_name: str) -> int:
        return self.writes[task_name]

    # ---- commits ----

    def saved(self, shop: "Shop", row: Booking, change: Change, document: str, writer: str) -> None:
        """A change was committed. `row` is the team's row as it was then."""
        ns, key = shop.namespace, (shop.namespace, change.booking_id)
        self.writes[writer] += 1
        old, new = change.read.ledger, change.ledger
        self.check(old.version == self.versions.get(key, 0), "rule 2", "a commit on an old version: a write is lost")
        self.versions[key] = new.version
        self.check(CANARY not in document, "S12", "a secret was stored")
        before = {p.attempt_id: p for p in old.payments}
        for payment in new.payments:
            was = before.get(payment.attempt_id)
            if payment is not was:
                self._payment(shop, row, change, was, payment)
        self.check(sum(p.payable for p in new.payments) <= 1, "rule 3", "two payable attempts")
        self._keys_forgotten(old)
        refused = self.refused_of.get(writer)
        stays = refused is not None and any(e.key == refused.key for e in new.effects)
        self.check(not stays, "L4", f"{refused} was refused for good, and stays")
        for effect in new.effects:
            first = self.effects.setdefault(effect.key, effect)
            same = request_of(first) == request_of(effect) and first.first_sent_at == effect.first_sent_at
            self.check(same, "rule 9", f"the saved command {effect.key} was recomputed")
            if isinstance(effect, ConfirmIntent | CaptureIntent):
                payment = new.payment_of_intent(effect.intent_id)
                self.check(payment and not payment.closing, "S4", f"{effect.key} collects what is to be canceled")
        requests = [r.request[0] for p in new.payments for r in p.refunds if r.request is not None]
        self.check(len(requests) == len(set(requests)), "S11", "one request id gave money back twice")
        fresh = [p.announcement for p in new.announcements if p.announcement.sequence > old.announced]
        for status, kind in ((BookingStatus.CONFIRMED, BookingConfirmed), (BookingStatus.CANCELLED, BookingCancelled)):
            said = sum(isinstance(a, kind) for a in fresh)
            self.check(said == (change.booking_status is status), "S7", f"{kind.__name__} said {said} times")
        self.told_with(change, fresh)
        if change.booking_status is BookingStatus.CANCELLED:
            reason = next(a.reason for a in fresh if isinstance(a, BookingCancelled))
            self._booking_cancelled(shop, row, change, key, CancelReason(reason))
        elif change.booking_status is not None:
            self._booking_confirmed(shop, row, change, key)
        for pending in new.announcements:
            if pending.announcement.sequence > old.announced:
                about = new.payment_of_intent(pending.announcement.payment_intent_id or "")
                self._announced(ns, pending.announcement, about)
        gone = {p.announcement.id for p in old.announcements} - {p.announcement.id for p in new.announcements}
        for announcement_id in sorted(gone):
            ended = all(
                any(a.id == announcement_id for a in (*heard, *self._given_up(shop, name)))
                for name, heard in shop.heard.items()
            )
            self.check(ended, "L5", f"announcement {announcement_id} was dropped before its handlers took it")

    def _keys_forgotten(self, ledger: Ledger) -> None:
        """Count the commands that were still without an answer when Stripe had forgotten their keys."""
        for effect in ledger.effects:
            reached = self.reached.get(effect.key)
            late = reached is not None and self.world.sched.now - reached >= KEY_FORGOTTEN
            if late and effect.key not in self.forgotten:
                self.forgotten.add(effect.key)
                self.world.fates.note("key_forgotten")

    def _payment(self, shop: "Shop", row: Booking, change: Change, was: Payment | None, now: Payment) -> None:
        ns, booking_id, key = shop.namespace, change.booking_id, (shop.namespace, change.booking_id, now.attempt_id)
        if now.state is PaymentState.OPENING and was is None:
            self._opened(row, change, now)
        if now.state is PaymentState.ABANDONED:
            self.abandoned.add(key)
        task = self.world.sched.current
        seen = task.seen if task is not None else None
        known = was is not None and (was.stripe_status, was.failure) == (now.stripe_status, now.failure)
        if seen is not None and seen[0] == now.attempt_id and now.stripe_status is not None and not known:
            # Rules 2 and 5: of what we asked for, the newest wins.
            last = self.asked_as_of.get(key, -1)
            self.check(seen[1] >= last, "rule 5", f"{now.intent_id}: an older answer undid a newer one")
            self.asked_as_of[key] = seen[1]
        self.saved_money(shop, change, was, now)
        end = (now.state, now.received_minor, now.intent_id)
        if key in self.final:
            self.check(self.final[key] == end, "S8", f"{now.intent_id}: {self.final[key]} became {end}")
        elif now.state in FINAL:
            self.final[key] = end
            truth = self.truth(now.intent_id)
            self.check(truth is not None, "S8", f"{now.intent_id} is {now.state}, but Stripe does not know it")
            assert truth is not None
            self.check(
                truth.status == str(now.state), "S8", f"{truth.id} is {now.state} for us, {truth.status} at Stripe"
            )
            self.check((truth.namespace, truth.booking) == (ns, booking_id), "S5", f"{truth.id} is not of {booking_id}")
            if now.state is PaymentState.SUCCEEDED:
                self._placed(shop, row, change, now, truth, key)

    def _opened(self, row: Booking, change: Change, now: Payment) -> None:
        self.check(row.status is BookingStatus.PENDING, "rule 3", f"an attempt for a booking that is {row.status}")
        self.check(now.amount == row.price, "rule 4", f"an attempt of {now.amount}; the price is {row.price}")
        review = [p for p in change.ledger.payments if p.place is Place.REVIEW]
        self.check(not review, "rule 3", "a new attempt while money is in review")
        attached = [p for p in change.ledger.payments if p.place is Place.ATTACHED]
        self.check(not attached, "rule 3", "a new attempt for a paid booking")
        hold, decided = change.read.booking.hold_until, change.history[0].at
        self.check(hold is None or decided < hold, "rule 3", "a new attempt after the hold")
        # The hold may have been made longer since; then what it had ended is not to be cancelled any more.
        cancelling = change.read.ledger.cancelling
        longer = cancelling is CancelReason.EXPIRED and hold is not None and hold > decided
        self.check(cancelling is None or longer, "rule 3", "a new attempt while the booking is being cancelled")

    def _placed(
        self, shop: "Shop", row: Booking, change: Change, now: Payment, truth: Intent, key: tuple[str, str, str]
    ) -> None:
        """Rule 7: collected money is attached, goes back, or is in review, for a reason that is true."""
        self.check(now.place is not Place.NONE, "S3", f"{truth.id} was collected and is nowhere")
        self.check(now.received_minor == truth.received, "S3", f"{truth.id}: {now.received_minor} of {truth.received}")
        others = [p for p in change.ledger.payments if p.place is Place.ATTACHED and p.attempt_id != now.attempt_id]
        if now.place is Place.ATTACHED:
            self.check(not others, "S3", "two payments confirm one booking")
            return
        price = Money(truth.received, truth.currency)
        true = {
            ReviewReason.SURPLUS: others or row.status is BookingStatus.CONFIRMED,
            ReviewReason.LATE: row.status is BookingStatus.CANCELLED or change.read.ledger.cancelling is not None,
            ReviewReason.PRICE_CHANGED: row.price != price,
            ReviewReason.AMOUNT_MISMATCH: now.amount != price or now.rest_minor <= 0 or truth.amount != truth.received,
            ReviewReason.UNKNOWN_ATTEMPT: now.stray and (key in self.abandoned or self._forgotten(change, truth)),
        }
        if now.place is Place.REFUNDED:
            self.placed_refunded(shop, now, any(true.values()), truth.id)
            return
        self.check(now.review and true[now.review], "S2", f"{truth.id} was put in review: {now.review} is not so")
        # What a restored backup forgot is put back and judged in one step: what became of it before, nobody here knows.
        put_back = not now.stray and all(p.attempt_id != now.attempt_id for p in change.read.ledger.payments)
        if put_back:
            self.check(self.restored, "S2", f"{truth.id} was put back, and no backup was restored")
        held = shop.settings.policy.surplus is Surplus.REVIEW or now.review is ReviewReason.UNKNOWN_ATTEMPT or put_back
        self.check(held, "S11", f"{truth.id} is in review; by the settings it goes back")

    def _went_back(self, payment: Payment) -> bool:
        """Whether its money was collected, by Stripe's books, and is for us on its way back."""
        truth = self.truth(payment.intent_id)
        collected = truth is not None and truth.received > 0
        return collected and payment.rest_minor <= 0 and payment.place is Place.REFUNDED

    def _forgotten(self, change: Change, truth: Intent) -> bool:
        """Whether a payment may be unknown: the database forgot it, and it was not rebuilt, or another stood in its place."""
        taken = any(p.payable or p.place is Place.ATTACHED for p in change.read.ledger.payments)
        return (self.restored or truth.attempt.startswith("ghost")) and (taken or not self.rebuilding)

    def _booking_cancelled(self, shop: "Shop", row: Booking, change: Change, key: Key, reason: CancelReason) -> None:
        """A booking is cancelled for a reason that is true, and when nothing of it can be paid any more."""
        ledger = change.ledger
        self.cancellations[key] += 1
        authorised = change.read.ledger.attached
        released = authorised is not None and authorised.state is PaymentState.REQUIRES_CAPTURE
        if reason is CancelReason.REFUNDED:
            if authorised is not None:
                now = next((p for p in ledger.payments if p.attempt_id == authorised.attempt_id), None)
                went = row.status is BookingStatus.CONFIRMED and now is not None and self._went_back(now)
            else:
                # The refund was heard of first: it ends as if the payment had been.
                before = set(change.read.ledger.payments)
                fresh = [p for p in ledger.payments if p not in before]
                went = row.status is BookingStatus.PENDING and any(self._went_back(p) for p in fresh)
            self.check(went, "S2", "cancelled, and its money is here")
            return
        # As who decides has read it: the team may make it longer at the same moment.
        hold = change.read.booking.hold_until
        over = hold is not None and hold <= change.history[-1].at
        asked = key in self.cancels and (reason is CancelReason.ASKED or hold is None)
        self.check(over or asked, "S2", "cancelled, and its hold is not over")
        # The authorisation that had confirmed it ended, and whoever cancels knows that.
        policy = shop.settings.policy
        ended = (p for p in ledger.payments if p.state is PaymentState.CANCELED)
        lost = policy.confirm_at_authorization and any(not p.closing for p in ended)
        released = released or (lost and key in self.cancels)
        self.check(row.status is BookingStatus.PENDING or released, "S2", f"cancelled while {row.status}")
        self.check(ledger.attached is None, "S2", "cancelled, and it is paid")
        for payment in ledger.payments:
            truth = self.truth(payment.intent_id)
            closed = payment.stray or truth is None or truth.status not in PAYABLE
            self.check(closed, "S4", f"cancelled, and {payment.intent_id} can still be paid")

    def _booking_confirmed(self, shop: "Shop", row: Booking, change: Change, key: Key) -> None:
        """S1 and S2: rule 6 holds in Stripe's books at this very moment, or a person said so."""
        self.check(change.booking_status is BookingStatus.CONFIRMED, "S1", f"set to {change.booking_status}")
        attached = change.ledger.attached
        truth = self.truth(attached.intent_id) if attached else None
        self.check(truth is not None, "S2", "confirmed, but nothing is paid")
        assert truth is not None
        assert attached is not None
        before = change.read.ledger.payment_of_intent(truth.id)
        decided = before is not None and before.place is Place.REVIEW
        self.check((truth.namespace, truth.booking) == key, "S2", f"confirmed by {truth.id}, of another booking")
        # Again only after the money that confirmed it before went back, or its authorisation was released.
        earlier = change.ledger.payment_of_intent(self.confirmed_by.get(key, ""))
        again = earlier is None or decided or (earlier is not attached and earlier.place is not Place.ATTACHED)
        self.check(again, "S1", f"{key} is confirmed a second time")
        self.confirmed_by[key] = truth.id
        self.confirms[key] += 1
        if decided:
            asked = "confirm" in self.resolutions[key[0], truth.id]
            self.check(
                asked and truth.status is IntentStatus.SUCCEEDED, "S2", f"nobody decided that {truth.id} confirms"
            )
            self.check(attached.rest_minor > 0, "S2", f"confirmed by {truth.id}, whose money went back")
            return
        self.check(row.status is BookingStatus.PENDING, "S2", f"confirmed while {row.status}")
        self.check(change.read.ledger.cancelling is None, "S2", "confirmed while being cancelled")
        asked_price = Money(truth.amount, truth.currency)
        self.check(asked_price == row.price, "S2", f"confirmed at {row.price} by {truth.id} of {asked_price}")
        policy = shop.settings.policy
        if policy.confirm_at_authorization and attached.state is PaymentState.REQUIRES_CAPTURE:
            # It was authorised at that moment or before; what becomes of it is told.
            held = any(status is IntentStatus.REQUIRES_CAPTURE for _, status in self.statuses[truth.id])
            self.check(held, "S2", f"confirmed by {truth.id}, which never was authorised")
            return
        self.check(truth.status is IntentStatus.SUCCEEDED, "S2", "confirmed, but nothing is paid")
        self.check(attached.rest_minor > 0, "S2", f"confirmed by {truth.id}, whose money went back")
        part = policy.manual_capture and truth.received in self.captures[key]
        self.check(truth.amount == truth.received or part, "S2", f"confirmed by {truth.received} of {truth.amount}")

    def _announced(self, ns: str, told: Announcement, payment: Payment | None) -> None:
        """S7: each effect once, and each of them true."""
        if isinstance(told, BookingCancelled) or self.announced_money(ns, told, payment):
            return
        truth = self.truth(told.payment_intent_id)
        assert truth is not None
        name = (ns, type(told).__name__, truth.id)
        self.told[name] += 1
        if isinstance(told, PaymentFailed):
            self.check(self.told[name] <= truth.failures, "S7", f"{truth.id} failed {truth.failures} times, told more")
            charge = payment.failure.charge_id if payment is not None and payment.failure is not None else None
            if charge is not None:
                once = (ns, truth.id, charge)
                self.told[once] += 1
                self.check(self.told[once] == 1, "S7", f"the failure {charge} of {truth.id} was announced twice")
            return
        assert isinstance(told, BookingConfirmed | PaymentNeedsReview)
        if isinstance(told, BookingConfirmed):
            # A second time only by a person's word: `_booking_confirmed` sees to that.
            authorised = payment is not None and payment.state is PaymentState.REQUIRES_CAPTURE
            self.check(authorised or truth.status is IntentStatus.SUCCEEDED, "S7", f"{name}, but it is {truth.status}")
            return
        failed = 0
        if payment is not None and told.reason == ReviewReason.REFUND_FAILED:
            # One that was refused, and of which another sending got through, may still fail later.
            through = (r for r in payment.refunds if r.refund_id is not None and self.refusals[f"{ns}/{r.ref}"])
            failed = len(payment.refunds) + len(tuple(through))
        self.check(self.told[name] <= 1 + failed, "S7", f"{name} was announced twice")
        self.check(truth.status is IntentStatus.SUCCEEDED, "S7", f"{name}, but it is {truth.status}")

    # ---- calls to Stripe ----

    def performed(self, process: "Process", command: Command) -> None:
        """A process decided to send a command."""
        self.performed_money(command)
        if isinstance(command, ConfirmIntent):
            self.performed_charge(command)
        if isinstance(command, EFFECTS):
            saved = self.effects.get(command.key)
            self.check(saved is not None, "rule 1", f"{command.key} is performed before it was saved")
            assert saved is not None
            self.check(request_of(saved) == request_of(command), "rule 9", f"{command.key} is not sent as saved")
            age = (process.clock() - command.first_sent_at).total_seconds() * 1000
            self.check(age < KEY_HOURS, "rule 9", f"{command.key} is sent {age / HOUR:.1f} hours after the first time")

    def sent(self, shop: "Shop", command: Effect) -> None:
        """A POST reached Stripe."""
        now = self.world.sched.now
        age = now - self.reached.setdefault(command.key, now)
        self.check(age < KEY_FORGOTTEN, "rule 9", f"{command.key} came {age / HOUR:.1f} hours after the first time")
        if isinstance(command, CreateRefund):
            self.sent_refund(command)
        minor = (
            command.amount.amount_minor if isinstance(command, CreateIntent) else getattr(command, "amount_minor", 1)
        )
        self.check(type(minor) is int and minor > 0, "S13", f"an amount that is no positive integer: {minor!r}")

    def stripe_changed(self, intent: Intent) -> None:
        """Something changed in Stripe's books."""
        self.statuses[intent.id].append((self.world.sched.now, intent.status))
        self.money_changed(intent)
        name = (intent.namespace, intent.attempt)
        first = self.attempts.setdefault(name, intent.id)
        self.check(
            first == intent.id, "S5", f"attempt {intent.attempt} has two PaymentIntents: {first} and {intent.id}"
        )
