"""What must be true after a process was killed, and when everything has settled: our tables against Stripe's own books."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from tests.faults.service import SUBSCRIBERS
from tests.faults.town import API_KEY, SECRET, Story, Town, Try

from airport_payments import PaymentGateway, StripeSettings
from airport_payments.core.model import BookingStatus, PaymentState, Place, Snapshot

CONFIRMS = "paid: booking confirmed"
CREATED, PAID = (
    "payment_intent.created",
    "payment_intent.succeeded",
)  # the first may change nothing that the history tells
CHUNK = 500


class Books:
    """Judges one town. `Broken` says what does not hold."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self._checked = 0

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with self.town.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(sql)]

    # ---- after each kill ----

    def acknowledged(self) -> int:
        """What was answered 2xx since the last time is in the tables. Returns how many answers that were."""
        new = self.town.tries[self._checked :]
        self._checked += len(new)
        answered = [one for one in new if one.status == 200]
        applied = [one.event["id"] for one in answered if one.outcome == "applied" and one.event["type"] != CREATED]
        for begin in range(0, len(applied), CHUNK):
            some = applied[begin : begin + CHUNK]
            listed = ", ".join(f"'{event_id}'" for event_id in some)
            found = {row[0] for row in self.ask(f"SELECT event_id FROM airport_history WHERE event_id IN ({listed})")}
            hold(set(some) <= found, f"answered 2xx, and not in the tables: {sorted(set(some) - found)}")
        for one in answered:
            if one.event["type"] in {CREATED, PAID}:
                self._known(one)
        return len(answered)

    def _known(self, one: Try) -> None:
        """Its PaymentIntent is known, and paid if the event says so; whether or not it was this delivery that told."""
        intent = one.event["data"]["object"]
        snapshot = self._load(intent["metadata"]["airport_booking"])
        payment = snapshot.ledger.payment_of_intent(intent["id"])
        known = payment is not None and (one.event["type"] == CREATED or payment.state is PaymentState.SUCCEEDED)
        hold(
            known,
            f"{one.event['id']} was answered 2xx ({one.outcome}), and {intent['id']} is {payment and payment.state}",
        )

    def _load(self, booking_id: str) -> Snapshot:
        found = self.town.repository.get(booking_id)
        assert found is not None
        return found

    # ---- in the end ----

    def settled(self) -> None:
        """Everything was told, done and written down exactly once, and Stripe's books say the same."""
        events = {one.event["id"] for one in self.town.tries}
        answered = {one.event["id"] for one in self.town.tries if one.status == 200}
        hold(events == answered, f"never answered 2xx: {sorted(events - answered)}")
        hold(events == set(self.town.fake.events), "an event was not sent at all")
        saves, tickets = (
            self._counted("SELECT booking_id, version FROM effects"),
            self._counted("SELECT booking_id FROM tickets"),
        )
        confirmed = self._counted(f"SELECT booking_id FROM airport_history WHERE decision = '{CONFIRMS}'")
        for what, counts in (("on_save's row", saves), ("the ticket", tickets), ("the confirmation", confirmed)):
            twice = [key for key, count in counts.items() if count > 1]
            hold(not twice, f"{what} is doubled: {twice}")
        self.mails: dict[tuple[str, str], list[int]] = defaultdict(list)
        for subscriber, booking_id, sequence in self.ask(
            "SELECT subscriber, booking_id, sequence FROM mails ORDER BY heard_ns"
        ):
            self.mails[subscriber, booking_id].append(sequence)
        self.intents: dict[str, list[Any]] = defaultdict(list)
        made: list[Any] = list(self.town.fake.intents.values())
        for intent in made:
            self.intents[intent["metadata"]["airport_booking"]].append(intent)
        self.refunds: dict[str, list[Any]] = defaultdict(list)
        given_back: list[Any] = list(self.town.fake.refunds.values())
        for refund in given_back:
            self.refunds[refund["payment_intent"]].append(refund)
        for story in self.town.stories:
            snapshot = self._load(story.booking_id)
            self._effects(snapshot, saves, tickets, confirmed)
            self._commands(snapshot)
            self._told(story, snapshot)
        hold(not saves, f"on_save's rows of changes that were never committed: {sorted(saves)[:5]}")
        hold(set(self.intents) <= {story.booking_id for story in self.town.stories}, "an intent of nobody's")
        self._reconciled()

    def _counted(self, sql: str) -> Counter[tuple[Any, ...]]:
        return Counter(self.ask(sql))

    def _effects(self, now: Snapshot, saves: Any, tickets: Any, confirmed: Any) -> None:
        """No handler's effect is missing, and none is of a change that was never committed."""
        name, ledger = now.booking.id, now.ledger
        for version in range(1, ledger.version + 1):
            hold(saves.pop((name, version), 0) == 1, f"{name}: version {version} has no row of on_save's")
        was_confirmed = (name,) in confirmed
        hold(
            was_confirmed == any(p.state is PaymentState.SUCCEEDED for p in ledger.payments),
            f"{name}: paid, not confirmed",
        )
        hold(((name,) in tickets) == was_confirmed, f"{name}: the ticket and the confirmation do not fit")
        for subscriber in SUBSCRIBERS:
            heard = self.mails[subscriber, name]
            hold(
                heard == list(range(1, ledger.announced + 1)),
                f"{name}: {subscriber} heard {heard} of {ledger.announced}",
            )

    def _commands(self, now: Snapshot) -> None:
        """What was commanded was done at Stripe, once."""
        name, ledger = now.booking.id, now.ledger
        hold(not ledger.effects and not ledger.announcements and not ledger.dead_letters, f"{name}: something waits")
        ours = {p.attempt_id: p.intent_id for p in ledger.payments}
        theirs = Counter(i["metadata"]["airport_attempt"] for i in self.intents[name])
        hold(all(count == 1 for count in theirs.values()), f"{name}: an attempt with two PaymentIntents: {theirs}")
        found = {i["metadata"]["airport_attempt"]: i["id"] for i in self.intents[name]}
        hold(ours == found, f"{name}: commanded {ours}, at Stripe {found}")
        for payment in ledger.payments:
            wanted = sorted(str(r.refund_id) for r in payment.refunds)
            made = self.refunds[payment.intent_id or ""]
            hold(
                wanted == sorted(r["id"] for r in made),
                f"{name}: refunds {wanted}, at Stripe {[r['id'] for r in made]}",
            )
            hold(sum(r["amount"] for r in made) <= payment.received_minor, f"{name}: more went back than was collected")

    def _told(self, story: Story, now: Snapshot) -> None:
        """What a customer did and was told is true."""
        name, ledger = story.booking_id, now.ledger
        if story.paid is not None:
            payment = ledger.payment_of_intent(story.paid)
            right = {Place.ATTACHED, Place.REFUNDED}
            hold(payment is not None and payment.place in right, f"{name} was paid, and it does not have the money")
            assert payment is not None
            gone = payment.rest_minor == 0
            hold(
                (now.booking.status is BookingStatus.CANCELLED) == gone,
                f"{name} is {now.booking.status}, {payment.rest_minor} left",
            )
            hold(gone <= story.refund_asked, f"{name}: nobody asked for that refund")
            if story.refund_told is not None:
                hold(
                    [r["id"] for r in self.refunds[story.paid]] == [story.refund_told],
                    f"{name}: the refund that was told",
                )
        else:
            hold(now.booking.status is not BookingStatus.CONFIRMED, f"{name} is confirmed, and nobody paid")
        if now.booking.status is BookingStatus.CANCELLED:
            payable = [i["id"] for i in self.intents[name] if i["status"] not in {"succeeded", "canceled"}]
            hold(not payable, f"{name} is cancelled, and {payable} can be paid")

    def _reconciled(self) -> None:
        """The library's own comparison finds nothing either."""
        settings = StripeSettings(API_KEY, SECRET, api_base="http://127.0.0.1:9")
        with httpx.Client(transport=self.town.fake.transport()) as client:
            gateway = PaymentGateway(self.town.repository, settings, http_client=client)
            end = datetime.now(UTC) + timedelta(seconds=self.town.offset_s + 60)
            report = gateway.reconcile(datetime.now(UTC) - timedelta(days=1), until=end, limit=1_000_000)
        hold(not report.differences, f"reconcile finds {report.differences[:3]}")


class Broken(AssertionError):
    """Something that must always hold does not."""


def hold(holds: object, what: str) -> None:
    if not holds:
        raise Broken(what)
