"""PaymentGateway: what a service calls to take payments for its bookings."""

import random
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from airport_payments.core.announcements import Announcement
from airport_payments.core.decide.route import EventOutcome
from airport_payments.core.errors import BookingNotFound, PaymentsError
from airport_payments.core.facts import BookingChanged, ConfirmRequested
from airport_payments.core.ids import check_booking_id, check_intent_id, check_owner
from airport_payments.core.money import Money
from airport_payments.core.options import PaymentOptions
from airport_payments.core.views import (
    ConfirmedPayment,
    CreatedPayment,
    PaymentReport,
    TickReport,
    report,
)
from airport_payments.loop import (
    charge_request,
    check_tick,
    check_work,
    confirmed,
    created,
    customer_of,
    customer_request,
    new_attempt_id,
    request_of,
    utc_now,
)
from airport_payments.parts import check_gateway_parts
from airport_payments.placing import verified
from airport_payments.reconcile import Reconciler
from airport_payments.repository import BookingRepository
from airport_payments.runner import Port, Runner
from airport_payments.settings import StripeSettings
from airport_payments.staff import Staff
from airport_payments.stripe_api.events import Event, unwrap
from airport_payments.stripe_api.port import StripePort

if TYPE_CHECKING:
    import httpx


A = TypeVar("A", bound=Announcement)
Handler = Callable[[A], object]


class PaymentGateway(Staff):
    """Takes payments for bookings. Safe for threads: build one for the process.

    Args:
        repository: the team's database.
        settings: keys and secrets, checked when they were built.
        http_client: the httpx client to use for Stripe; it stays yours to close, and is of one process. None: the gateway
            owns one, and opens another in a process that was forked and on another event loop.
        port: what to use instead of stripe-python, for tests.
        clock, new_id, sleep, draw: the present (aware UTC), random ids, a wait in seconds, and random numbers from 0 to 1.

    Raises:
        ConfigurationError: a part is of another kind, or of the other colour: async where this is not, or the reverse.
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
        check_gateway_parts(repository, settings, http_client, asynchronous=False)
        self._settings = settings
        self._new_id = new_id
        chosen: Port = port if port is not None else StripePort(settings, client=http_client)
        runner = Runner(repository, chosen, settings.policy, clock=clock, sleep=sleep, draw=draw)
        reconciler = Reconciler(
            repository, chosen, settings.policy, clock=clock, sleep=sleep, draw=draw, wake=runner.wake
        )
        super().__init__(runner, repository, reconciler, clock)

    @property
    def settings(self) -> StripeSettings:
        """The settings that it was built with."""
        return self._settings

    @property
    def repository(self) -> BookingRepository:
        """The repository that it was built with."""
        return self._repository

    # ---- what a customer asks for ----

    def create_payment(
        self,
        booking_id: str,
        *,
        owner: str,
        amount: Money,
        idempotency_key: str | None = None,
        options: PaymentOptions | None = None,
    ) -> CreatedPayment:
        """Return the one PaymentIntent that pays this booking: opened now, or the one that is open already.

        Args:
            booking_id: the booking.
            owner: who asks; it has to be the booking's owner.
            amount: what they think it costs; it has to be the booking's price.
            idempotency_key: the caller's own, 1 to 255 visible ASCII characters.
            options: what the PaymentIntent gets beside its amount, if this call opens it: customer, receipt, metadata.

        Raises:
            InvalidRequest: a malformed id or key, options that are none, or an address that Stripe refuses.
            BookingNotFound: no such booking, or it is someone else's.
            BookingAlreadyPaid, BookingNotPayable, PaymentInReview: it cannot be paid (any more).
            AmountMismatch, CurrencyMismatch: it has another price.
            AmountTooSmall, AmountTooLarge: Stripe's limits.
            IdempotencyKeyReused: the key came with another amount.
            StripeUnavailable, StorageUnavailable, Busy: try again.
            Misconfigured: Stripe refuses the API key or the request.
        """
        check_booking_id(booking_id)
        asked = request_of(owner, amount, self._new_id(), idempotency_key, options)
        return created(self._runner.run(booking_id, asked).reply)

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
        return confirmed(self._runner.run(booking_id, asked).reply)

    def charge_saved_card(
        self, booking_id: str, *, owner: str, amount: Money, payment_method_id: str, options: PaymentOptions
    ) -> ConfirmedPayment:
        """Pay a booking with a card that the customer saved, while they are not there: one try for each call.

        Where the bank wants the customer's own yes, the answer is not completed, its failure's code is
        `authentication_required`, and its client secret lets them give it in their browser or app.

        A call that got no answer may be repeated. While Stripe's answer is missing, the same card goes on with the same
        try; `tick` asks for that answer too, and once it brought a no, the next call is a new try. Another card takes the
        place of the one without answer. A booking that does not want to be paid any more sends nothing again.

        Args:
            booking_id: the booking.
            owner: whose card it is; it has to be the booking's owner.
            amount: what they agreed to; it has to be the booking's price.
            payment_method_id: Stripe's id of the saved card, `pm_…`.
            options: with the `customer_id` that the card was saved for.

        Raises:
            CardDeclined: the bank said no.
            InvalidRequest: a malformed argument, or a card that is not saved for this customer.
            As `create_payment` otherwise, without BookingAlreadyPaid: a booking that is paid is completed.
        """
        check_booking_id(booking_id)
        asked = charge_request(owner, amount, self._new_id(), payment_method_id, options)
        return confirmed(self._runner.run(booking_id, asked).reply)

    def customer(self, owner: str, *, email: str | None = None) -> str:
        """Return the Stripe customer (`cus_…`) of one of your customers, made now if there is none yet.

        Found by a hash of your id in its metadata, so nothing has to be stored; keep it on your own row to save the call.

        Args:
            owner: your id of them, as the Authenticator returns it.
            email: where Stripe sends receipts; used only when the customer is made.

        Raises:
            InvalidRequest: a malformed argument.
            StripeUnavailable: try again.
            Misconfigured: Stripe refuses the API key, or the customer.
        """
        asked = customer_request(self._settings.namespace, owner, email)
        return customer_of(self._runner.fetch(asked))

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
        try:
            event = verified(body, signature, self._settings, self._clock().timestamp())
        finally:
            del body  # no error that passes here may show it
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
        self._runner.note(event)
        return self._runner.event(event)

    # ---- what the team tells, and what time brings ----

    def booking_changed(self, booking_id: str) -> None:
        """Say that a booking was cancelled or given another price, so that its PaymentIntent is cancelled at once.

        It is found without this too, by `tick`. If Stripe does not answer, the cancellation stays due.

        Raises:
            InvalidRequest: a malformed id.
            BookingNotFound: no such booking.
            StorageUnavailable, Busy: try again, or leave it to `tick`.
        """
        decision = self._runner.run(check_booking_id(booking_id), BookingChanged())
        if isinstance(decision.reply, PaymentsError):
            raise decision.reply
        if decision.reply is None:
            raise BookingNotFound

    def tick(self, now: datetime | None = None, limit: int = 100) -> TickReport:
        """Do what is due: send commands that a crash left, look at payments, deliver announcements.

        Any number of workers may do this at once. Call it every second or so, or let `work` do that.

        Args:
            now: the time to act at, aware UTC. None: the clock's.
            limit: how many bookings to look after at most, up to a million.

        Raises:
            InvalidRequest: a time without its zone, or a limit that is no whole number.
            StorageUnavailable: the database did not say what is due.
        """
        check_tick(now, limit)
        return self._runner.tick(now, limit)

    def work(self, stop: threading.Event, every_s: float = 1.0) -> None:
        """Tick until `stop` is set: at every commit that leaves something due, and at least every `every_s` seconds.

        Raises:
            InvalidRequest: `stop` is no event, or `every_s` is not more than 0, or more than a day. Nothing else:
                it outlives a database that is away.
        """
        check_work(stop, every_s)
        self._runner.work(stop, every_s)

    def wake(self) -> None:
        """Let a waiting `work` go on at once, to see a commit, or that `stop` is set."""
        self._runner.wake()

    def on(self, kind: type[A], name: str | None = None) -> Callable[[Handler[A]], Handler[A]]:
        """Register a handler for a kind of announcement, or for all: `@gateway.on(BookingConfirmed, name="mailer")`.

        The announcement was saved with the change that caused it. `tick` delivers it to each subscriber: at least once,
        and in order per booking and subscriber. One that raises is called again for about a day, then it is a dead letter
        (`dead_letters`, `redeliver`); it changes no answer and keeps no other subscriber waiting. Register the same
        handlers in every process that ticks: what has no handler there counts as delivered.

        Args:
            kind: the announcement, or a base class of several.
            name: who hears it, the same after every restart. None: the module and qualified name of the handler.

        Raises:
            ConfigurationError: the handler is of the other colour, `kind` is no announcement, or another handler of that
                name hears the same announcements.
        """

        def register(handler: Handler[A]) -> Handler[A]:
            self._runner.handlers.add(kind, handler, name)
            return handler

        return register

    def close(self) -> None:
        """Close what the gateway opened itself."""
        self._runner.close()
