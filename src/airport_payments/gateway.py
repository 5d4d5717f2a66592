"""The loop: load, decide, commit, act, feed the reply back. It knows no rule."""

import random
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from airport_payments.core.announcements import Announcement, Pending
from airport_payments.core.commands import Command, RetrieveIntent
from airport_payments.core.decide import decide
from airport_payments.core.decide.draft import Decision, Unplaced, after
from airport_payments.core.decide.route import Ask, EventHead, EventOutcome, Ignore, route
from airport_payments.core.errors import BookingNotFound, Busy, PaymentsError, StripeUnavailable
from airport_payments.core.facts import (
    Answer,
    Asker,
    BookingChanged,
    ConfirmRequested,
    Delivered,
    DeliveryFailed,
    Fact,
    IntentObserved,
    IntentSeen,
    IntentView,
    PortReply,
    RefusalKind,
    Refused,
    TimePassed,
    Unanswered,
)
from airport_payments.core.ids import PAYMENT_INTENT_ID, check_booking_id, check_intent_id, check_owner
from airport_payments.core.model import Change, Snapshot
from airport_payments.core.money import Money
from airport_payments.core.views import ConfirmedPayment, CreatedPayment, PaymentReport, TickReport, report
from airport_payments.loop import (
    MAX_ROUNDS,
    Handlers,
    confirmed,
    created,
    log_ignored,
    log_problem,
    logger,
    new_attempt_id,
    pause_s,
    refuse_constants,
    refused_fetch,
    request_of,
    taken,
    unreadable,
    utc_now,
)
from airport_payments.repository import BookingRepository
from airport_payments.settings import StripeSettings
from airport_payments.stripe_api.events import Event, construct_event, to_bytes, unwrap
from airport_payments.stripe_api.port import StripePort
from airport_payments.waiting import wait

if TYPE_CHECKING:
    import httpx


A = TypeVar("A", bound=Announcement)
Handler = Callable[[A], object]


class Port(Protocol):
    """What the gateway needs of Stripe: a command in, a reply out."""

    def perform(self, command: Command) -> PortReply:
        """Perform a command; whatever the network does is a reply."""
        ...

    def close(self) -> None:
        """Let go of what was opened."""
        ...


class PaymentGateway:
    """Takes payments for bookings. Safe for threads: build one for the process.

    Args:
        repository: the team's database.
        settings: keys and secrets, checked when they were built.
        http_client: the httpx client to use for Stripe; it stays yours to close. None: the gateway owns one.
        port: what to use instead of stripe-python, for tests.
        clock: the present, aware UTC.
        new_id: random ids for attempts.
        sleep: waits after a lost race, in seconds.
        draw: a random number from 0 to 1, to wait a different time than others.
    """

    def __init__(
        self,
        repository: BookingRepository,
        settings: StripeSettings,
        *,
        http_client: "httpx.Client | None" = None,
        port: Port | None = None,
        clock: Callable[[], datetime] = utc_now,
        new_id: Callable[[], str] = new_attempt_id,
        sleep: Callable[[float], None] = time.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._repository = repository
        self._settings = settings
        self._policy = settings.policy
        self._port: Port = port if port is not None else StripePort(settings, client=http_client)
        self._clock = clock
        self._new_id = new_id
        self._sleep = sleep
        self._draw = draw
        self._handlers: Handlers[Callable[..., object]] = Handlers(asynchronous=False)
        self._wake = threading.Event()
        self._after: str | None = None

    # ---- what a customer asks for ----

    def create_payment(
        self, booking_id: str, *, owner: str, amount: Money, idempotency_key: str | None = None
    ) -> CreatedPayment:
        """Return the one PaymentIntent that pays this booking: opened now, or the one that is open already.

        Args:
            booking_id: the booking.
            owner: who asks; it has to be the booking's owner.
            amount: what they think it costs; it has to be the booking's price.
            idempotency_key: the caller's own, 1 to 255 visible ASCII characters.

        Raises:
            InvalidRequest: a malformed id or key.
            BookingNotFound: no such booking, or it is someone else's.
            BookingAlreadyPaid, BookingNotPayable, PaymentInReview: it cannot be paid (any more).
            AmountMismatch, CurrencyMismatch: it has another price.
            AmountTooSmall, AmountTooLarge: Stripe's limits.
            IdempotencyKeyReused: the key came with another amount.
            StripeUnavailable, StorageUnavailable, Busy: try again.
            Misconfigured: Stripe refuses the API key or the request.
        """
        check_booking_id(booking_id)
        asked = request_of(owner, amount, self._new_id(), idempotency_key)
        return created(self._run(booking_id, asked).reply)

    def confirm_payment(self, booking_id: str, payment_intent_id: str, *, owner: str) -> ConfirmedPayment:
        """Ask Stripe how a PaymentIntent stands, apply that as a webhook would, and return it.

        Args:
            booking_id: the booking.
            payment_intent_id: its PaymentIntent.
            owner: who asks; it has to be the booking's owner.

        Raises:
            InvalidRequest: a malformed id.
            BookingNotFound: no such booking, or it is someone else's.
            PaymentIntentMismatch: the PaymentIntent is not this booking's.
            PaymentInReview: it was paid, but confirms nothing until a person decides.
            StripeUnavailable, StorageUnavailable, Busy: try again.
            Misconfigured: Stripe refuses the API key.
        """
        check_booking_id(booking_id)
        asked = ConfirmRequested(check_owner(owner), check_intent_id(payment_intent_id))
        return confirmed(self._run(booking_id, asked).reply)

    def payment_status(self, booking_id: str, *, owner: str) -> PaymentReport:
        """Return how a booking and its payment stand, from the repository alone.

        Raises:
            InvalidRequest: a malformed id.
            BookingNotFound: no such booking, or it is someone else's.
            StorageUnavailable: try again.
        """
        snapshot = self._repository.get(check_booking_id(booking_id))
        if snapshot is None or snapshot.booking.owner != check_owner(owner):
            raise BookingNotFound
        return report(snapshot)

    # ---- what Stripe tells ----

    def handle_webhook(self, body: bytes, signature: str | None) -> EventOutcome:
        """Verify a webhook and apply its event. When this returns, what it changed is committed: answer 2xx.

        Args:
            body: the raw body, exactly as it arrived.
            signature: the value of the `Stripe-Signature` header.

        Raises:
            InvalidSignature: answer 400. Nothing was written.
            StorageUnavailable, StripeUnavailable, Busy: answer 503; Stripe sends the event again.
            Misconfigured: answer 500; Stripe sends the event again.
        """
        settings = self._settings
        now = self._clock().timestamp()
        body = to_bytes(body)
        event = construct_event(body, signature, settings.secrets, tolerance=settings.tolerance_s, now=now)
        refuse_constants(body)
        return self.handle_event(event)

    def handle_event(self, event: Event | bytes | str) -> EventOutcome:
        """Apply an event that was verified elsewhere: by `construct_event`, or by a queue that only Stripe can fill.

        Args:
            event: an `Event`, or a message with one, bare or in an EventBridge or Event Grid envelope.

        Raises:
            InvalidSignature: the message holds no event.
            StorageUnavailable, StripeUnavailable, Busy: leave the message in the queue and try again.
        """
        if not isinstance(event, Event):
            event = unwrap(event)
        head = event.head
        way = route(head, self._policy)
        view = event.intent
        if view is None and not isinstance(way, Ignore):
            view = self._fetch(event)
            if view is None:
                way = Ignore("its object does not exist in this account", alarm=True)
            else:
                marked = EventHead(
                    head.type, view.livemode, head.account, head.context, view.namespace, view.booking_id
                )
                way = route(marked, self._policy)
        if view is None or isinstance(way, Ignore):
            log_ignored(event.id, event.type, way if isinstance(way, Ignore) else Ignore("it has no PaymentIntent"))
            return EventOutcome.IGNORED
        booking_id = self._repository.find(view.id) if isinstance(way, Ask) else way.booking_id
        if booking_id is None:
            log_ignored(event.id, event.type, Ignore("another application's object"))
            return EventOutcome.IGNORED
        return self._apply(booking_id, IntentObserved(view, event.id, event.type))

    def _fetch(self, event: Event) -> IntentView | None:
        """Return the PaymentIntent of an event that another API version wrote, as this version shows it."""
        if not PAYMENT_INTENT_ID.fullmatch(event.object_id):
            return None
        reply = self._port.perform(RetrieveIntent("", event.object_id))
        if isinstance(reply, IntentSeen):
            return reply.view
        if isinstance(reply, Unanswered):
            if reply.key_spent:
                raise unreadable(event.id, None)
            raise StripeUnavailable(reply.reason)
        if isinstance(reply, Refused) and reply.kind is not RefusalKind.MISSING:
            raise refused_fetch(event.id, reply)
        return None

    def _apply(self, booking_id: str, fact: IntentObserved) -> EventOutcome:
        decision = self._run(booking_id, fact)
        if isinstance(decision.reply, Unplaced):
            elsewhere = self._repository.find(fact.view.id)
            placed = IntentObserved(fact.view, fact.event_id, fact.event_type, placed=True)
            decision = self._run(elsewhere or booking_id, placed)
        if isinstance(decision.reply, PaymentsError):
            raise decision.reply
        if decision.reply is None:
            logger.error("event %.64r is ours, but there is no booking %r: unmatched", fact.event_id, booking_id[:128])
            return EventOutcome.UNMATCHED
        return EventOutcome.UNCHANGED if decision.change is None else EventOutcome.APPLIED

    # ---- what the team tells, and what time brings ----

    def booking_changed(self, booking_id: str) -> None:
        """Say that a booking was cancelled or given another price, so that its PaymentIntent is cancelled at once.

        It is found without this too, by `tick`. If Stripe does not answer, the cancellation stays due.

        Raises:
            InvalidRequest: a malformed id.
            BookingNotFound: no such booking.
            StorageUnavailable, Busy: try again, or leave it to `tick`.
        """
        decision = self._run(check_booking_id(booking_id), BookingChanged())
        if isinstance(decision.reply, PaymentsError):
            raise decision.reply
        if decision.reply is None:
            raise BookingNotFound

    def tick(self, now: datetime | None = None, limit: int = 100) -> TickReport:
        """Do what is due: send commands that a crash left, look at payments, deliver announcements.

        Any number of workers may do this at once. Call it every second or so, or let `work` do that.

        Args:
            now: the time to act at, aware UTC. None: the clock's.
            limit: how many bookings to look after at most.

        Raises:
            StorageUnavailable: the database did not say what is due.
        """
        before = now if now is not None else self._clock()
        due = self._repository.due(before=before, after=self._after, limit=limit)
        problems = 0
        for booking_id in due:
            try:
                decision = self._run(booking_id, TimePassed(), now)
                problems += isinstance(decision.reply, PaymentsError)
            except Exception as error:  # noqa: BLE001 - one booking's trouble must not keep the others waiting
                problems += 1
                logger.error("booking %r: tick failed: %s", booking_id, type(error).__name__, exc_info=True)
        # The next tick goes on where this one stopped, so that what keeps failing starves nobody.
        more = 0 < limit <= len(due)
        self._after = due[-1] if more else None
        return TickReport(len(due), problems, more)

    def work(self, stop: threading.Event, every_s: float = 1.0) -> None:
        """Tick until `stop` is set: at every commit that leaves something due, and at least every `every_s`."""
        while not stop.is_set():
            self._wake.clear()
            go_on = False
            try:
                report_ = self.tick()
                go_on = report_.more and report_.problems < report_.bookings
            except Exception as error:  # noqa: BLE001 - the worker outlives a database that is away
                logger.error("tick failed: %s", type(error).__name__, exc_info=True)
            if not go_on:
                wait(self._wake, every_s)

    def wake(self) -> None:
        """Let a waiting `work` go on at once, to see a commit, or that `stop` is set."""
        self._wake.set()

    def on(self, kind: type[A]) -> Callable[[Handler[A]], Handler[A]]:
        """Register a handler for a kind of announcement, or for all: `@gateway.on(BookingConfirmed)`.

        The announcement was saved with the change that caused it. `tick` delivers it: in order per booking, at least
        once. A handler that raises is called again later; it loses nothing and changes no answer. Register the same
        handlers in every process that ticks: what has no handler there counts as delivered.

        Raises:
            ConfigurationError: the handler is of the other colour, or `kind` is no announcement.
        """

        def register(handler: Handler[A]) -> Handler[A]:
            self._handlers.add(kind, handler)
            return handler

        return register

    def close(self) -> None:
        """Close what the gateway opened itself."""
        self._port.close()

    # ---- the loop ----

    def _run(self, booking_id: str, asked: Asker | IntentObserved, at: datetime | None = None) -> Decision:
        """Load, decide, commit, act, and feed the reply back, until there is a reply for who asked.

        A decision without a reply means that there is no such booking.
        """
        fact: Fact = asked
        conflicts = 0
        known: Snapshot | None = None
        for _ in range(MAX_ROUNDS):
            snapshot = known if known is not None else self._repository.get(booking_id)
            if snapshot is None:
                return Decision(None)
            decision = decide(snapshot, fact, at if at is not None else self._clock(), self._policy)
            change = decision.change
            if change is None and known is not None:
                # What was just written stands in for a reading only where the next save checks that it still stands.
                known = None
                continue
            if change is not None:
                if not self._repository.save(change):
                    known = None
                    conflicts += 1
                    self._sleep(pause_s(conflicts, self._draw()))
                    continue
                snapshot = after(change)
                self._committed(change)
            log_problem(booking_id, decision)
            act = decision.act
            if act is None:
                return decision
            known = snapshot if change is not None else None
            if isinstance(act, Pending):
                fact = self._deliver(act.announcement)
            elif not isinstance(asked, IntentObserved):
                fact = Answer(act, self._port.perform(act), snapshot.ledger.version, asked)
        return Decision(None, reply=Busy("other writers kept winning"))

    def _committed(self, change: Change) -> None:
        """Wake the worker if the commit left something due."""
        if change.due_at is not None and change.due_at <= self._clock():
            self._wake.set()

    def _deliver(self, announcement: Announcement) -> Delivered | DeliveryFailed:
        for handler in self._handlers.of(announcement):
            try:
                taken(handler(announcement))
            except Exception as error:  # noqa: BLE001 - whatever a team's handler raises, the announcement stays due
                logger.error(
                    "announcement %r: a handler raised %s", announcement.id, type(error).__name__, exc_info=True
                )
                return DeliveryFailed(announcement.sequence)
        return Delivered(announcement.sequence)
