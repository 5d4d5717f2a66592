"""The judge: what must always hold, and what must hold in the end, against Stripe's own books."""

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from tests.simulation.books import PAYABLE, Intent, request_of
from tests.simulation.delivery import Sent
from tests.simulation.plan import HOUR, MINUTE
from tests.simulation.sched import Violation

from airport_payments.core.announcements import (
    Announcement,
    BookingCancelled,
    BookingConfirmed,
    PaymentFailed,
    PaymentNeedsReview,
)
from airport_payments.core.commands import CancelIntent, Command, CreateIntent
from airport_payments.core.decide.route import EventOutcome
from airport_payments.core.errors import BookingNotFound, InternalError, PaymentIntentMismatch, TryAgain
from airport_payments.core.model import (
    Booking,
    BookingStatus,
    Change,
    IndexState,
    IntentStatus,
    Payment,
    PaymentState,
    Place,
    ReviewReason,
)
from airport_payments.core.money import Money
from airport_payments.core.views import ConfirmedPayment, CreatedPayment

if TYPE_CHECKING:
    from tests.simulation.shop import Process, Shop
    from tests.simulation.world import World

FINAL = frozenset({PaymentState.SUCCEEDED, PaymentState.CANCELED})
CANARY = "CANARY"
# Rule 9 by the process's own clock, when it decides to send; the commit before that takes its time, and may stall.
KEY_HOURS = 23 * HOUR + 45 * MINUTE
# Stripe forgets then. What is sent later could be executed a second time.
KEY_FORGOTTEN = 24 * HOUR
MAX_NEWS = 32

Key = tuple[str, str]  # shop's namespace, booking id


class Oracle:
    """Sees every commit, every call, every answer and every change in Stripe's books."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.versions: dict[Key, int] = {}
        self.confirmed_at: dict[Key, int] = {}
        self.given: dict[Key, set[str]] = defaultdict(set)
        self.attempts: dict[tuple[str, str], str] = {}
        self.final: dict[tuple[str, str, str], tuple[Any, ...]] = {}
        self.abandoned: set[tuple[str, str, str]] = set()
        self.effects: dict[str, Command] = {}
        self.reached: dict[str, int] = {}
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
        for effect in new.effects:
            first = self.effects.setdefault(effect.key, effect)
            same = request_of(first) == request_of(effect) and first.first_sent_at == effect.first_sent_at
            self.check(same, "rule 9", f"the saved command {effect.key} was recomputed")
        if change.booking_status is not None:
            self._booking_confirmed(shop, row, change, key)
        for pending in new.announcements:
            if pending.announcement.sequence > old.announced:
                about = new.payment_of_intent(pending.announcement.payment_intent_id or "")
                self._announced(ns, pending.announcement, about)
        gone = {p.announcement.id for p in old.announcements} - {p.announcement.id for p in new.announcements}
        for announcement_id in sorted(gone):
            heard = all(any(a.id == announcement_id for a in heard) for heard in shop.heard.values())
            self.check(heard, "L5", f"announcement {announcement_id} was dropped before its handlers took it")

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
        end = (now.state, now.place, now.review, now.received_minor, now.intent_id)
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
                self._placed(row, change, now, truth, key)

    def _opened(self, row: Booking, change: Change, now: Payment) -> None:
        self.check(row.status is BookingStatus.PENDING, "rule 3", f"an attempt for a booking that is {row.status}")
        self.check(now.amount == row.price, "rule 4", f"an attempt of {now.amount}; the price is {row.price}")
        review = [p for p in change.ledger.payments if p.place is Place.REVIEW]
        self.check(not review, "rule 3", "a new attempt while money is in review")
        attached = [p for p in change.ledger.payments if p.place is Place.ATTACHED]
        self.check(not attached, "rule 3", "a new attempt for a paid booking")
        process = self.world.sched.current and self.world.sched.current.process
        if row.hold_until is not None and process is not None:
            # Its save may have taken a while, but it was decided in time.
            late = (process.clock() - row.hold_until).total_seconds()
            self.check(late < 3600, "rule 3", "a new attempt after the hold")

    def _placed(self, row: Booking, change: Change, now: Payment, truth: Intent, key: tuple[str, str, str]) -> None:
        """Rule 7: collected money is attached, or in review for a reason that is true."""
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
            ReviewReason.AMOUNT_MISMATCH: now.amount != price,
            ReviewReason.UNKNOWN_ATTEMPT: now.stray and key in self.abandoned,
            None: False,
        }[now.review]
        self.check(true, "S2", f"{truth.id} paid, but was put in review ({now.review}) without that reason")

    def _booking_confirmed(self, shop: "Shop", row: Booking, change: Change, key: Key) -> None:
        """S1 and S2: rule 6 holds in Stripe's books at this very moment."""
        if change.booking_status is BookingStatus.CANCELLED:
            over = row.hold_until is not None and row.hold_until <= change.history[-1].at
            over = over or change.read.ledger.cancelling is not None  # decided before, by another clock
            self.check(row.status is BookingStatus.PENDING and over, "S2", "cancelled, and its hold is not over")
            return
        self.check(change.booking_status is BookingStatus.CONFIRMED, "S1", f"set to {change.booking_status}")
        self.check(key not in self.confirmed_at, "S1", f"{key} is confirmed a second time")
        self.check(row.status is BookingStatus.PENDING, "S2", f"confirmed while {row.status}")
        attached = change.ledger.attached
        truth = self.truth(attached.intent_id) if attached else None
        self.check(truth is not None and truth.status is IntentStatus.SUCCEEDED, "S2", "confirmed, but nothing is paid")
        assert truth is not None
        paid = Money(truth.received, truth.currency)
        self.check(paid == row.price, "S2", f"confirmed at {row.price} by {truth.id}, which collected {paid}")
        self.check(truth.amount == truth.received, "S2", f"{truth.id} is not paid whole")
        self.check(
            (truth.namespace, truth.booking) == key, "S2", f"confirmed by {truth.id}, which is of another booking"
        )
        self.confirmed_at[key] = truth.received

    def _announced(self, ns: str, told: Announcement, payment: Payment | None) -> None:
        """S7: each effect once, and each of them true."""
        if isinstance(told, BookingCancelled):
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
        self.check(self.told[name] == 1, "S7", f"{name} was announced twice")
        self.check(truth.status is IntentStatus.SUCCEEDED, "S7", f"{name}, but it is {truth.status}")

    def team_changed(self, shop: "Shop", old: Booking, new: Booking) -> None:
        """The team changed its row; the price at confirmation stays what counts."""

    # ---- calls to Stripe ----

    def performed(self, process: "Process", command: Command) -> None:
        """A process decided to send a command."""
        if isinstance(command, CreateIntent | CancelIntent):
            saved = self.effects.get(command.key)
            self.check(saved is not None, "rule 1", f"{command.key} is performed before it was saved")
            assert saved is not None
            self.check(request_of(saved) == request_of(command), "rule 9", f"{command.key} is not sent as saved")
            age = (process.clock() - command.first_sent_at).total_seconds() * 1000
            self.check(age < KEY_HOURS, "rule 9", f"{command.key} is sent {age / HOUR:.1f} hours after the first time")

    def sent(self, shop: "Shop", command: CreateIntent | CancelIntent) -> None:
        """A POST reached Stripe."""
        now = self.world.sched.now
        age = now - self.reached.setdefault(command.key, now)
        self.check(age < KEY_FORGOTTEN, "rule 9", f"{command.key} came {age / HOUR:.1f} hours after the first time")
        if isinstance(command, CreateIntent):
            money = command.amount
            exact = type(money.amount_minor) is int and money.amount_minor > 0
            self.check(exact, "S13", f"an amount that is no positive integer: {money.amount_minor!r}")

    def stripe_changed(self, intent: Intent) -> None:
        """Something changed in Stripe's books."""
        self.statuses[intent.id].append((self.world.sched.now, intent.status))
        name = (intent.namespace, intent.attempt)
        first = self.attempts.setdefault(name, intent.id)
        self.check(
            first == intent.id, "S5", f"attempt {intent.attempt} has two PaymentIntents: {first} and {intent.id}"
        )

    # ---- answers to people ----

    def fresh(self, intent_id: str, status: IntentStatus, since: int) -> None:
        """An answer is never older than its question: the intent had this status at some time since then."""
        was = self.statuses[intent_id]
        held = {was[i][1] for i in range(len(was)) if i + 1 == len(was) or was[i + 1][0] >= since}
        self.check(status in held, "rule 2", f"{intent_id} is said to be {status}, which it no longer was when asked")

    def created(self, shop: "Shop", booking_id: str, asked: Money, reply: CreatedPayment, since: int) -> None:
        truth = self.truth(reply.payment_intent_id)
        self.check(truth is not None, "S10", "an answer with a PaymentIntent that Stripe does not know")
        assert truth is not None
        self.fresh(truth.id, reply.status, since)
        self.check(reply.amount == asked, "S13", f"asked to pay {asked}, quoted {reply.amount}")

    def returned(self, shop: "Shop", outcome: Any) -> None:
        """A process answers: from now on someone may have this client secret."""
        if not isinstance(outcome, CreatedPayment | ConfirmedPayment) or outcome.client_secret is None:
            return
        secret = outcome.client_secret.reveal()
        self.check(CANARY not in repr(outcome), "S12", "an answer shows its secret")
        truth = self.truth(secret.partition("_secret")[0])
        self.check(truth is not None and truth.secret == secret, "S10", "a client secret that is none")
        assert truth is not None
        key = (truth.namespace, truth.booking)
        self.check(truth.namespace == shop.namespace, "S10", f"{truth.id} is another shop's")
        if isinstance(outcome, CreatedPayment):
            task = self.world.sched.current
            self.fresh(truth.id, outcome.status, task.called_at if task is not None else 0)
            self.check(outcome.payment_intent_id == truth.id, "S10", "the secret of another PaymentIntent")
            edited = self.world.fates.counts["amount_edited"]
            exact = outcome.amount == Money(truth.amount, truth.currency) or edited
            self.check(exact, "S13", f"quoted {outcome.amount}, but {truth.id} is of {truth.amount}")
        given = self.given[key]
        given.add(truth.id)
        payable = [i for i in sorted(given) if (t := self.truth(i)) is not None and t.status in PAYABLE]
        self.check(len(payable) <= 1, "S4", f"{key[1]} can be paid by {' and '.join(payable)}")

    def confirmed(self, shop: "Shop", booking_id: str, intent_id: str, reply: ConfirmedPayment, since: int) -> None:
        truth = self.truth(intent_id)
        assert truth is not None
        self.fresh(truth.id, reply.stripe_status, since)
        paid = truth.status is IntentStatus.SUCCEEDED
        self.check(paid or not reply.completed, "S2", f"{intent_id} is said to be completed, but is {truth.status}")
        self.check(truth.booking == booking_id, "S10", f"{intent_id} is not of {booking_id}")

    def strange(self, outcome: str, value: Any, saves: int) -> None:
        """S10: a stranger learns and changes nothing; not found and not yours look the same."""
        self.check(outcome != "ok", "S10", f"a stranger was shown {value}")
        self.check(not saves, "S10", "a stranger's request wrote something")
        if outcome == "error" and not isinstance(value, TryAgain | InternalError):
            same = type(value) is BookingNotFound and str(value) == str(BookingNotFound())
            self.check(same, "S10", f"a stranger can tell: {value!r}")

    def said(self, error: Exception) -> None:
        self.check(CANARY not in f"{error} {error!r}", "S12", "an error shows a secret")
        self.check(not isinstance(error, PaymentIntentMismatch) or str(error), "S10", "an empty error")

    # ---- events ----

    def answered_event(self, shop: "Shop", sent: Sent, outcome: Any) -> None:
        """S6: what was answered 2xx is committed, as far as it is ours."""
        if not sent.ours:
            return
        obj = sent.object
        marks = obj["metadata"]
        if marks["airport_namespace"] != shop.namespace:
            self.check(outcome is EventOutcome.IGNORED, "S9", f"{sent.id} of another application: {outcome}")
            return
        ok = outcome in {EventOutcome.APPLIED, EventOutcome.UNCHANGED}
        self.check(ok, "S6", f"{sent.id} is ours, and was answered {outcome}")
        snapshot = shop.tables._get(marks["airport_booking"])
        payment = snapshot and snapshot.ledger.payment_of_intent(obj["id"])
        self.check(payment is not None, "S6", f"{sent.id} was answered 2xx, but {obj['id']} is unknown")
        assert payment
        status = obj["status"]
        if status in {"succeeded", "canceled"}:
            self.check(payment.state == status, "S6", f"{sent.id} says {status}, we have committed {payment.state}")
        elif obj["last_payment_error"] and sent.type == "payment_intent.payment_failed":
            error = obj["last_payment_error"]
            known = f"failed/{error['charge'] or error['code']}" in payment.news or payment.state in FINAL
            self.check(known or len(payment.news) == MAX_NEWS, "S6", f"{sent.id}: its failure is not committed")

    def ignored_event(self, sent: Sent, outcome: tuple[str, Any], saves: int) -> None:
        """S9: nothing of another account or mode is written."""
        self.check(not saves, "S9", f"{sent.id}, not of our account and mode, wrote something")
        if outcome[0] == "ok":
            self.check(outcome[1] is EventOutcome.IGNORED, "S9", f"{sent.id} was {outcome[1]}")

    # ---- the end ----

    def soon(self) -> None:
        """An hour after the faults stopped no command is without an answer, and no customer has to wait for one."""
        for shop in self.world.shops:
            for booking_id in shop.tables._bookings:
                snapshot = shop.tables._get(booking_id)
                assert snapshot is not None
                old = [
                    e for e in snapshot.ledger.effects if self.world.ms(e.first_sent_at) < self.world.sched.now - HOUR
                ]
                self.check(not old, "L4", f"{booking_id}: an hour after the faults stopped: {old}")

    def end(self) -> None:
        """Faults have stopped and everything has drained."""
        for shop in self.world.shops:
            for booking_id in shop.tables._bookings:
                self._end(shop, booking_id)

    def _end(self, shop: "Shop", booking_id: str) -> None:
        ns, key = shop.namespace, (shop.namespace, booking_id)
        snapshot = shop.tables._get(booking_id)
        assert snapshot is not None
        ledger, row = snapshot.ledger, snapshot.booking
        intents = [i for i in self.world.stripe.intents() if (i.namespace, i.booking) == key]
        paid = [i for i in intents if i.status is IntentStatus.SUCCEEDED]
        review = {p.intent_id for p in ledger.payments if p.place is Place.REVIEW}
        attached = [p for p in ledger.payments if p.place is Place.ATTACHED]
        for intent in paid:
            payment = ledger.payment_of_intent(intent.id)
            known = payment is not None and payment.place is not Place.NONE
            self.check(known, "L3", f"{intent.id} was paid, and {booking_id} does not know")
        net = sum(i.received for i in paid if i.id not in review)
        self.check(net == self.confirmed_at.get(key, 0), "L1", f"{booking_id}: {net} collected")
        right = len(attached) == (key in self.confirmed_at) == len([i for i in paid if i.id not in review])
        self.check(right, "L2", f"{booking_id}: confirmed without its payment, or paid without being confirmed")
        self.check(not ledger.effects, "L4", f"{booking_id}: a command without an answer: {ledger.effects}")
        opening = [p.attempt_id for p in ledger.payments if p.state is PaymentState.OPENING]
        self.check(not opening, "L4", f"{booking_id}: still opening: {opening}")
        self.check(not ledger.announcements, "L5", f"{booking_id}: announcements that were not delivered")
        self.check(not ledger.dead_letters, "L5", f"{booking_id}: dead letters, though no handler fails for a day")
        for name, told in shop.heard.items():
            heard = list(dict.fromkeys(a.sequence for a in told if a.booking_id == booking_id))
            self.check(heard == list(range(1, ledger.announced + 1)), "L5", f"{booking_id}: {name} heard {heard}")
            confirmed = sum(isinstance(a, BookingConfirmed) for a in {a.id: a for a in told}.values())
            self.check(confirmed == sum(k[0] == ns for k in self.confirmed_at), "L5", "confirmations heard")
        wanted = row.status is BookingStatus.PENDING and not review and not attached
        for intent in intents:
            if intent.status in PAYABLE:
                fits = wanted and Money(intent.amount, intent.currency) == row.price
                self.check(fits, "rule 4", f"{intent.id} can still be paid, but {booking_id} does not want it")
        self.check(
            sum(i.status in PAYABLE for i in intents) <= 1, "rule 3", f"{booking_id}: two payable PaymentIntents"
        )
        index = {r.intent_id: r for r in shop.tables._index.get(booking_id, {}).values()}
        for payment in ledger.payments:
            state = index[payment.intent_id].state if payment.intent_id else IndexState.CLOSED
            self.check(
                (state is not IndexState.CLOSED) == (payment.payable and bool(payment.intent_id)), "rule 3", "index"
            )
