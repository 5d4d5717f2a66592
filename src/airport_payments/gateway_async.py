"""AsyncPaymentGateway: what a service calls to take payments for its bookings."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from airport_payments.core.announcements import Announcement
from airport_payments.core.decide.route import EventOutcome
from airport_payments.core.errors import BookingNotFound, PaymentsError
from airport_payments.core.facts import BookingChanged, CancelRequested, ConfirmRequested, Resolution
from airport_payments.core.ids import check_booking_id, check_intent_id, check_owner
from airport_payments.core.model import CancelReason
from airport_payments.core.money import Money
from airport_payments.core.refund import RefundReason
from airport_payments.core.views import (
    Cancellation,
    ConfirmedPayment,
    CreatedPayment,
    PaymentDecision,
    PaymentReport,
    RefundReport,
    TickReport,
    report,
)
from airport_payments.loop import (
    cancelled,
    capture_request,
    confirmed,
    created,
    decided,
    new_attempt_id,
    refund_request,
    refunded,
    refuse_constants,
    request_of,
    resolve_request,
    utc_now,
)
from airport_payments.repository import AsyncBookingRepository
from airport_payments.runner_async import AsyncPort, AsyncRunner
from airport_payments.settings import StripeSettings
from airport_payments.stripe_api.events import Event, construct_event, to_bytes, unwrap
from airport_payments.stripe_api.port_async import AsyncStripePort

if TYPE_CHECKING:
    import httpx


A = TypeVar("A", bound=Announcement)
Handler = Callable[[A], Awaitable[object]]


class AsyncPaymentGateway:
    """Takes payments for bookings. Safe for tasks: build one for the event loop.

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
        repository: AsyncBookingRepository,
        settings: StripeSettings,
        *,
        http_client: "httpx.AsyncClient | None" = None,
        port: AsyncPort | None = None,
        clock: Callable[[], datetime] = utc_now,
        new_id: Callable[[], str] = new_attempt_id,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._repository = repository
        self._settings = settings
        self._clock = clock
        self._new_id = new_id
        chosen: AsyncPort = port if port is not None else AsyncStripePort(settings, client=http_client)
        self._runner = AsyncRunner(repository, chosen, settings.policy, clock=clock, sleep=sleep, draw=draw)

    # ---- what a customer asks for ----

    async def create_payment(
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
        return created((await self._runner.run(booking_id, asked)).reply)

    async def confirm_payment(self, booking_id: str, payment_intent_id: str, *, owner: str) -> ConfirmedPayment:
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
        return confirmed((await self._runner.run(booking_id, asked)).reply)

    async def payment_status(self, booking_id: str, *, owner: str) -> PaymentReport:
        """Return how a booking and its payment stand, from the repository alone.

        Raises:
            InvalidRequest: a malformed id.
            BookingNotFound: no such booking, or it is someone else's.
            StorageUnavailable: try again.
        """
        snapshot = await self._repository.get(check_booking_id(booking_id))
        if snapshot is None or snapshot.booking.owner != check_owner(owner):
            raise BookingNotFound
        return report(snapshot)

    # ---- what the team decides ----

    async def refund(
        self,
        booking_id: str,
        *,
        payment_id: str | None = None,
        amount: Money | None = None,
        reason: RefundReason | str = RefundReason.REQUESTED_BY_CUSTOMER,
        request_id: str,
        owner: str | None = None,
    ) -> RefundReport:
        """Give money back: all that is left of a payment, or a part of it.

        The sum of a payment's refunds never exceeds what was collected, however many people ask at once. The same
        `request_id` again, with the same arguments, gives nothing back a second time: it says how that refund stands.
        If Stripe does not answer, the refund is saved, and `tick` goes on with it.

        Args:
            booking_id: the booking.
            payment_id: which payment, as its PaymentIntent's id. None: the one that paid the booking, or the only one.
            amount: how much. None: all that is left.
            reason: duplicate, fraudulent or requested_by_customer, as Stripe has them.
            request_id: your own name of this refund, 1 to 255 visible ASCII characters; one for each that you mean.
            owner: who asks, if it is a customer; then it has to be the booking's owner.

        Raises:
            InvalidRequest: a malformed argument, or several payments and none named.
            BookingNotFound: no such booking, or it is someone else's.
            PaymentIntentMismatch: the payment is not this booking's.
            NothingToRefund, RefundTooLarge, CurrencyMismatch: not so much was collected, or it went back already.
            DisputedPayment, RefundRefused: Stripe does not allow it.
            IdempotencyKeyReused: the `request_id` asked for another refund before.
            StripeUnavailable, StorageUnavailable, Busy: try again, with the same `request_id`.
            Misconfigured: Stripe refuses the API key.
        """
        check_booking_id(booking_id)
        asked = refund_request(payment_id, amount, reason, request_id, owner)
        return refunded((await self._runner.run(booking_id, asked)).reply)

    async def cancel(self, booking_id: str, *, owner: str | None = None) -> Cancellation:
        """Cancel a booking that is not paid: its PaymentIntent at Stripe first, so that nobody pays what is gone.

        Also releases an authorisation that was not captured. If Stripe does not answer, `tick` goes on with it.

        Args:
            booking_id: the booking.
            owner: who asks, if it is a customer; then it has to be the booking's owner.

        Raises:
            InvalidRequest: a malformed id.
            BookingNotFound: no such booking, or it is someone else's.
            BookingAlreadyPaid: it is paid: refund it instead.
            StripeUnavailable, StorageUnavailable, Busy: it stays due; ask again to know.
            Misconfigured: Stripe refuses the API key.
        """
        check_booking_id(booking_id)
        asked = CancelRequested(CancelReason.ASKED, None if owner is None else check_owner(owner))
        return cancelled((await self._runner.run(booking_id, asked)).reply)

    async def expire(self, booking_id: str) -> Cancellation:
        """Cancel a booking because its hold is over, whatever `hold_until` says. As `cancel`; `tick` does it by itself."""
        check_booking_id(booking_id)
        return cancelled((await self._runner.run(booking_id, CancelRequested(CancelReason.EXPIRED))).reply)

    async def resolve(
        self, booking_id: str, payment_id: str, resolution: Resolution | str, *, by: str
    ) -> PaymentDecision:
        """Decide about money in review. Deciding the same again changes nothing.

        Args:
            booking_id: the booking.
            payment_id: the payment, as its PaymentIntent's id.
            resolution: `confirm` (it pays the booking, cancelled or not), `refund` (all of it), or `keep`.
            by: who decides, as an id rather than a name: it is kept in the history.

        Raises:
            InvalidRequest: a malformed argument.
            BookingNotFound: no such booking.
            PaymentIntentMismatch: the payment is not this booking's.
            NotInReview: it does not wait for a decision.
            BookingAlreadyPaid: to confirm, when another payment confirmed the booking.
            StorageUnavailable, Busy: try again.
        """
        check_booking_id(booking_id)
        asked = resolve_request(payment_id, resolution, by)
        return decided((await self._runner.run(booking_id, asked)).reply)

    async def capture(
        self, booking_id: str, *, payment_id: str | None = None, amount: Money | None = None
    ) -> PaymentDecision:
        """Collect an authorised payment, once: all of it, or less, which releases the rest. `cancel` releases it whole.

        Args:
            booking_id: the booking.
            payment_id: which payment, as its PaymentIntent's id. None: the one that is authorised.
            amount: how much. None: all of it.

        Raises:
            InvalidRequest: a malformed argument.
            BookingNotFound: no such booking.
            PaymentIntentMismatch: the payment is not this booking's.
            NothingToCapture, CaptureTooLarge, CurrencyMismatch, AlreadyCaptured, CaptureRefused: it cannot be collected.
            StripeUnavailable, StorageUnavailable, Busy: try again; what was saved, `tick` goes on with.
            Misconfigured: Stripe refuses the API key.
        """
        check_booking_id(booking_id)
        return decided((await self._runner.run(booking_id, capture_request(payment_id, amount))).reply)

    # ---- what Stripe tells ----

    async def handle_webhook(self, body: bytes, signature: str | None) -> EventOutcome:
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
        return await self.handle_event(event)

    async def handle_event(self, event: Event | bytes | str) -> EventOutcome:
        """Apply an event that was verified elsewhere: by `construct_event`, or by a queue that only Stripe can fill.

        Args:
            event: an `Event`, or a message with one, bare or in an EventBridge or Event Grid envelope.

        Raises:
            InvalidSignature: the message holds no event.
            StorageUnavailable, StripeUnavailable, Busy: leave the message in the queue and try again.
        """
        if not isinstance(event, Event):
            event = unwrap(event)
        return await self._runner.event(event)

    # ---- what the team tells, and what time brings ----

    async def booking_changed(self, booking_id: str) -> None:
        """Say that a booking was cancelled or given another price, so that its PaymentIntent is cancelled at once.

        It is found without this too, by `tick`. If Stripe does not answer, the cancellation stays due.

        Raises:
            InvalidRequest: a malformed id.
            BookingNotFound: no such booking.
            StorageUnavailable, Busy: try again, or leave it to `tick`.
        """
        decision = await self._runner.run(check_booking_id(booking_id), BookingChanged())
        if isinstance(decision.reply, PaymentsError):
            raise decision.reply
        if decision.reply is None:
            raise BookingNotFound

    async def tick(self, now: datetime | None = None, limit: int = 100) -> TickReport:
        """Do what is due: send commands that a crash left, look at payments, deliver announcements.

        Any number of workers may do this at once. Call it every second or so, or let `work` do that.

        Args:
            now: the time to act at, aware UTC. None: the clock's.
            limit: how many bookings to look after at most.

        Raises:
            StorageUnavailable: the database did not say what is due.
        """
        return await self._runner.tick(now, limit)

    async def work(self, stop: asyncio.Event, every_s: float = 1.0) -> None:
        """Tick until `stop` is set: at every commit that leaves something due, and at least every `every_s`."""
        await self._runner.work(stop, every_s)

    def wake(self) -> None:
        """Let a waiting `work` go on at once, to see a commit, or that `stop` is set."""
        self._runner.wake()

    def on(self, kind: type[A]) -> Callable[[Handler[A]], Handler[A]]:
        """Register a handler for a kind of announcement, or for all: `@gateway.on(BookingConfirmed)`.

        The announcement was saved with the change that caused it. `tick` delivers it: in order per booking, at least
        once. A handler that raises is called again later; it loses nothing and changes no answer. Register the same
        handlers in every process that ticks: what has no handler there counts as delivered.

        Raises:
            ConfigurationError: the handler is of the other colour, or `kind` is no announcement.
        """

        def register(handler: Handler[A]) -> Handler[A]:
            self._runner.handlers.add(kind, handler)
            return handler

        return register

    async def close(self) -> None:
        """Close what the gateway opened itself."""
        await self._runner.close()
