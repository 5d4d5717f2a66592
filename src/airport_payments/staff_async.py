"""What the team decides about bookings and their money: the part of the gateway that no customer calls."""

from airport_payments.core.facts import CancelRequested, Resolution
from airport_payments.core.ids import check_booking_id, check_owner
from airport_payments.core.model import CancelReason
from airport_payments.core.money import Money
from airport_payments.core.refund import RefundReason
from airport_payments.core.views import Cancellation, PaymentDecision, RefundReport
from airport_payments.loop import cancelled, capture_request, decided, refund_request, refunded, resolve_request
from airport_payments.repository import AsyncBookingRepository
from airport_payments.runner_async import AsyncRunner


class AsyncStaff:
    """The methods of `AsyncPaymentGateway` for staff, back offices and the team's own code."""

    def __init__(self, runner: AsyncRunner, repository: AsyncBookingRepository) -> None:
        self._runner = runner
        self._repository = repository

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
        """Cancel a booking as `cancel` does, because its hold is over. `tick` does it by itself."""
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
