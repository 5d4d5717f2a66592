"""What has to hold when the faults have stopped and everything has drained."""

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.simulation.books import PAYABLE, Intent
from tests.simulation.oracle_money import Key, MoneyJudge
from tests.simulation.plan import HOUR

from airport_payments.core.announcements import Announcement, BookingCancelled, BookingConfirmed
from airport_payments.core.commands import CreateRefund
from airport_payments.core.model import (
    Booking,
    BookingStatus,
    IndexState,
    IntentStatus,
    Ledger,
    Payment,
    PaymentState,
    Place,
)
from airport_payments.core.money import Money
from airport_payments.core.refund import RefundState

if TYPE_CHECKING:
    from tests.simulation.shop import Shop

# An announcement is given up after so many calls. Where processes die in all of them, a lease ends after five minutes, and
# clocks are two minutes off at most.
TRIES = 36
TRIED_FOR = timedelta(hours=2)


class EndJudge(MoneyJudge):
    """L1 to L5, and once more after reconcile."""

    confirms: Counter[Key]
    reconciled = False  # whether reconcile has compared everything
    restored = False  # whether a backup was restored
    redelivered: set[tuple[str, str, int]]  # announcements that somebody had delivered again
    rebuilding = False  # whether what it forgot is being put back just now

    def was_given(self, intent_id: str) -> bool:
        raise NotImplementedError

    def soon(self) -> None:
        """An hour after the faults stopped no command is without an answer, and no customer has to wait for one.

        But a refund that Stripe answered with nothing but failures, or not in time: it waits until its key is forgotten.
        """
        now = self.world.sched.now
        for shop in self.world.shops:
            for booking_id in shop.tables._bookings:
                snapshot = shop.tables._get(booking_id)
                assert snapshot is not None
                old = [
                    e
                    for e in snapshot.ledger.effects
                    if self.world.ms(e.first_sent_at) < now - HOUR
                    and not (isinstance(e, CreateRefund) and (e.server_errors >= 2 or self._old_key(e)))
                ]
                self.check(not old, "L4", f"{booking_id}: an hour after the faults stopped: {old}")

    def _old_key(self, command: CreateRefund) -> bool:
        """Whether its key was about to be forgotten when the faults stopped, or is: then it is looked for first."""
        age = self.world.sched.now - self.world.ms(command.first_sent_at)
        return 22 * HOUR <= age < 28 * HOUR

    def end(self) -> None:
        """Faults have stopped and everything has drained."""
        for shop in self.world.shops:
            for booking_id in shop.tables._bookings:
                snapshot = shop.tables._get(booking_id)
                assert snapshot is not None
                intents = [
                    i for i in self.world.stripe.intents() if (i.namespace, i.booking) == (shop.namespace, booking_id)
                ]
                self._quiet(shop, booking_id, snapshot.ledger)
                self._money(shop, booking_id, snapshot.ledger, intents)
                self._payable(shop, snapshot.booking, snapshot.ledger, intents)
            for name, told in shop.heard.items():
                heard = {a.id: a for a in (*told, *self._given_up(shop, name))}.values()
                for kind, counted in ((BookingConfirmed, self.confirms), (BookingCancelled, self.cancellations)):
                    times = sum(isinstance(a, kind) for a in heard)
                    done = sum(number for key, number in counted.items() if key[0] == shop.namespace)
                    self.check(times == done, "L5", f"{kind.__name__}: {name} heard {times} of {done}")

    def _quiet(self, shop: "Shop", booking_id: str, ledger: Ledger) -> None:
        """L4 and L5: nothing is under way any more."""
        self.check(not ledger.effects, "L4", f"{booking_id}: a command without an answer: {ledger.effects}")
        self.check(ledger.cancelling is None, "L4", f"{booking_id}: still being cancelled: {ledger.cancelling}")
        opening = [p.attempt_id for p in ledger.payments if p.state is PaymentState.OPENING]
        self.check(not opening, "L4", f"{booking_id}: still opening: {opening}")
        for payment in ledger.payments:
            asked = [r.ref for r in payment.refunds if r.state is RefundState.REQUESTED]
            self.check(not asked, "L4", f"{booking_id}: refunds are requested for ever: {asked}")
        self.check(not ledger.announcements, "L5", f"{booking_id}: announcements that were not delivered")
        for letter in ledger.dead_letters:
            lasted = letter.at - letter.announcement.at
            self.check(letter.tries >= TRIES and lasted > TRIED_FOR, "L5", f"{booking_id}: given up soon: {letter}")
        for name, told in shop.heard.items():
            late = {n for ns, of, n in self.redelivered if (ns, of) == (shop.namespace, booking_id)}
            heard = list(dict.fromkeys(a.sequence for a in told if a.booking_id == booking_id))
            in_time = [number for number in heard if number not in late]
            dead = {letter.announcement.sequence for letter in ledger.dead_letters if letter.subscriber == name}
            missing = set(range(1, ledger.announced + 1)) - set(heard)
            self.check(in_time == sorted(in_time) and missing <= dead, "L5", f"{booking_id}: {name} heard {heard}")

    def delivered(self) -> None:
        """Somebody had all dead letters delivered again: everybody has heard everything."""
        for shop in self.world.shops:
            for booking_id, ledger in shop.tables._ledgers.items():
                self._quiet(shop, booking_id, ledger)
                self.check(not ledger.dead_letters, "L5", f"{booking_id}: dead letters stay: {ledger.dead_letters}")

    def _given_up(self, shop: "Shop", name: str) -> list[Announcement]:
        """Return what a subscriber could not be given, and a person can have delivered again."""
        letters = [letter for ledger in shop.tables._ledgers.values() for letter in ledger.dead_letters]
        return [letter.announcement for letter in letters if letter.subscriber == name]

    # ---- money ----

    def _money(self, shop: "Shop", booking_id: str, ledger: Ledger, intents: list[Intent]) -> None:
        """L1 to L3, but for what only reconcile can find."""
        key = (shop.namespace, booking_id)
        attached = [p for p in ledger.payments if p.place is Place.ATTACHED]
        for intent in intents:
            payment = ledger.payment_of_intent(intent.id)
            if intent.status is IntentStatus.SUCCEEDED:
                # What a database forgot, only events or reconcile can tell it.
                forgotten = (
                    not self.reconciled and intent.attempt.startswith("ghost") and (key[0], intent.id) not in self.shown
                )
                known = forgotten or (payment is not None and payment.place is not Place.NONE)
                self.check(known, "L3", f"{intent.id} was paid, and {booking_id} does not know")
            if payment is None:
                continue
            whole = self._refunds(key, payment, intent)
            self._disputes(key, payment, intent)
            if intent.status is not IntentStatus.SUCCEEDED or not whole:
                continue
            stays = payment.place is not Place.REFUNDED
            cancels = shop.settings.policy.refund_cancels_booking or payment.place is not Place.ATTACHED
            fits = intent.net > 0 if stays else intent.net == 0
            self.check(fits or not cancels, "L1", f"{intent.id} is {payment.place}, and {intent.net} of it is here")
        for payment in ledger.payments:
            truth = self.truth(payment.intent_id)
            here = truth is None or payment.place is Place.NONE or truth.status is IntentStatus.SUCCEEDED
            # Authorisations are looked at until they end, as all of them have by now.
            gone = payment.state is PaymentState.REQUIRES_CAPTURE
            self.check(here and not gone, "L2", f"{payment.intent_id} is {payment.place}, and no money is there")
        by = self.confirmed_by.get(key)
        if attached or by is None:
            right = [p.intent_id for p in attached] == ([by] if by is not None else [])
        else:
            payment = ledger.payment_of_intent(by)
            right = payment is not None and (
                payment.state is PaymentState.CANCELED or payment.place in {Place.REFUNDED, Place.REVIEW, Place.KEPT}
            )
        self.check(right, "L2", f"{booking_id}: confirmed without its payment, or paid without being confirmed")

    def _refunds(self, key: Key, payment: Payment, intent: Intent) -> bool:
        """Return whether all refunds are known as they are; where one is not, nothing may have told of it."""
        whole = True
        for refund in intent.money.refunds:
            known = next((r for r in payment.refunds if r.refund_id == refund.id), None)
            if known is not None and known.state is refund.status:
                continue
            whole = False
            shown = self.shown.get((key[0], refund.id), -1)
            if known is None:
                ours = refund.ref is not None and refund.namespace == key[0]
                self.check(
                    not self.reconciled and not ours and shown < 0,
                    "L3",
                    f"refund {refund.id} of {intent.id} is unknown",
                )
                continue
            # A refund whose end is still to come is looked at; that one fails after it succeeded only events tell.
            silent = not self.reconciled and not known.open and shown <= self._index(refund.id, known.state)
            self.check(silent, "L3", f"{refund.id} is {refund.status}, and for us {known.state}")
        return whole

    def _disputes(self, key: Key, payment: Payment, intent: Intent) -> None:
        """Nothing but events tells of disputes."""
        for dispute in intent.money.disputes:
            known = next((d for d in payment.disputes if d.dispute_id == dispute.id), None)
            shown = self.shown.get((key[0], dispute.id), -1)
            if known is None:
                self.check(not self.reconciled and shown < 0, "L3", f"dispute {dispute.id} of {intent.id} is unknown")
                continue
            newest = (
                dispute.status is known.status if self.reconciled else shown <= self._index(dispute.id, known.status)
            )
            self.check(newest, "L3", f"{dispute.id} is {dispute.status}, and for us {known.status}")
            for flag in ("withdrawn", "reinstated"):
                told = (key[0], dispute.id, flag) in self.flagged
                # Reconcile may have read it in an event that no shop took.
                self.check(getattr(known, flag) or not told, "L3", f"{dispute.id} {flag}: {told}")

    # ---- what can be paid ----

    def _payable(self, shop: "Shop", row: Booking, ledger: Ledger, intents: list[Intent]) -> None:
        review = any(p.place is Place.REVIEW for p in ledger.payments)
        attached = ledger.attached
        over = row.hold_until is not None and self.world.ms(row.hold_until) < self.world.sched.now - HOUR
        held = over and row.status is BookingStatus.PENDING and attached is None
        self.check(not held, "rule 3", f"{row.id} is held for ever")
        wanted = row.status is BookingStatus.PENDING and not review and not attached
        for intent in intents:
            if intent.status in PAYABLE:
                forgotten = self.restored and ledger.payment_of_intent(intent.id) is None
                if forgotten and not self.reconciled and not self.was_given(intent.id):
                    continue  # Stripe completed it after the backup was put back
                fits = wanted and Money(intent.amount, intent.currency) == row.price
                held = attached is not None and attached.intent_id == intent.id
                self.check(fits or held, "rule 4", f"{intent.id} can still be paid, but {row.id} does not want it")
        payable = sum(i.status in PAYABLE for i in intents)
        self.check(payable <= 1, "rule 3", f"{row.id}: two payable PaymentIntents")
        index = {r.attempt_id: r for r in shop.tables._index.get(row.id, {}).values()}
        for payment in ledger.payments:
            state = index[payment.attempt_id].state if payment.intent_id else IndexState.CLOSED
            open_ = payment.payable and bool(payment.intent_id) and payment.place is not Place.ATTACHED
            self.check((state is not IndexState.CLOSED) == open_, "rule 3", "index")

    cancellations: Counter[Key]
