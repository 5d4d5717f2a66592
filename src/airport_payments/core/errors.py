"""Every error that the library raises on purpose.

    PaymentsError
    ├── ConfigurationError              something is set up wrongly; raised when it is built, if that can be known
    ├── RequestRefused                  the caller's request cannot be served as it stands
    │   ├── InvalidRequest              400 invalid_request
    │   ├── InvalidSignature            400 invalid_signature
    │   ├── AmountTooSmall              400 amount_too_small
    │   ├── AmountTooLarge              400 amount_too_large
    │   ├── Unauthorized                401 unauthorized
    │   ├── CardDeclined                402 Stripe's own code
    │   ├── BookingNotFound             404 booking_not_found
    │   ├── NoSuchEndpoint              404 not_found
    │   ├── MethodNotAllowed            405 method_not_allowed
    │   ├── Conflict                    409
    │   │   ├── BookingAlreadyPaid          booking_already_paid
    │   │   ├── BookingNotPayable           booking_not_payable
    │   │   ├── PaymentInReview             payment_in_review
    │   │   ├── AmountMismatch              amount_mismatch
    │   │   ├── CurrencyMismatch            currency_mismatch
    │   │   ├── PaymentIntentMismatch       payment_intent_mismatch
    │   │   ├── NothingToRefund             nothing_to_refund
    │   │   ├── RefundTooLarge              refund_too_large
    │   │   ├── RefundRefused               refund_refused
    │   │   ├── DisputedPayment             payment_disputed
    │   │   ├── NotInReview                 not_in_review
    │   │   ├── NothingToCapture            nothing_to_capture
    │   │   ├── CaptureTooLarge             capture_too_large
    │   │   ├── CaptureRefused              capture_refused
    │   │   ├── AlreadyCaptured             already_captured
    │   │   └── NothingToRedeliver          nothing_to_redeliver
    │   ├── PayloadTooLarge             413 payload_too_large
    │   └── IdempotencyKeyReused        422 idempotency_key_reused
    ├── TryAgain                        503, with retry_after_s; nothing is lost, the same call may be made again
    │   ├── StripeUnavailable               stripe_unavailable
    │   ├── StorageUnavailable              storage_unavailable
    │   ├── ReconcileInterrupted            reconcile_interrupted
    │   └── Busy                            busy
    │       └── LedgerTooNew                    busy
    └── ServerFault                     500
        ├── Misconfigured                   misconfigured
        └── InternalError                   internal_error

Each carries `code` (stable, for programs), `http_status` (a hint for whoever must answer) and `public_message` (safe to
show to a customer). `str(error)` may say more, for the team's logs; it never holds a key, a secret or an event's body.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from airport_payments.core.reconcile import ReconcileReport


class PaymentsError(Exception):
    """The root: catch this to catch everything that this library raises on purpose."""

    code: str = "internal_error"
    http_status: ClassVar[int] = 500
    public_message: str = "Something went wrong on our side."

    def __init__(self, detail: str | None = None) -> None:
        """Take `detail`, a line for the team's logs; without it the public message stands."""
        super().__init__(detail or self.public_message)


class ConfigurationError(PaymentsError):
    """A setting is missing or wrong. The message names the setting and says what to put there, never its value."""

    code = "configuration_error"


class RequestRefused(PaymentsError):
    """The request cannot be served as it stands; the same request again gets the same answer."""

    http_status = 400


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong with one field of a request."""

    field: str
    reason: str


class InvalidRequest(RequestRefused):
    """The request is malformed. `errors` lists each field with its reason."""

    code = "invalid_request"
    public_message = "The request is not valid."

    def __init__(self, *errors: FieldError) -> None:
        """Take what is wrong, field by field."""
        super().__init__("; ".join(f"{e.field}: {e.reason}" for e in errors) or None)
        self.errors = errors


class InvalidSignature(RequestRefused):
    """The webhook was not signed by Stripe with one of our secrets, or is too old, too new, or not an event.

    `reason` says which, for the log. The body and the header are not kept.
    """

    code = "invalid_signature"
    public_message = "The webhook signature is not valid."

    @property
    def reason(self) -> str:
        """Why, in words of ours: nothing of the body or of the header."""
        return str(self)


class AmountTooSmall(RequestRefused):
    """Stripe's own minimum for this currency is higher."""

    code = "amount_too_small"
    public_message = "The amount is below the minimum for this currency."


class AmountTooLarge(RequestRefused):
    """Stripe's own maximum for this currency is lower."""

    code = "amount_too_large"
    public_message = "The amount is above the maximum for this currency."


class Unauthorized(RequestRefused):
    """The caller did not prove who they are. Raise it from an Authenticator."""

    code = "unauthorized"
    http_status = 401
    public_message = "Authentication is required."


class CardDeclined(RequestRefused):
    """A call that the server made was refused by the card's bank. `code` is Stripe's, such as `card_declined`."""

    http_status = 402
    code = "card_declined"

    def __init__(self, code: str, decline_code: str | None, message: str) -> None:
        """Take Stripe's code, decline code and message, already made safe to show."""
        super().__init__(message)
        self.code = code
        self.decline_code = decline_code
        self.public_message = message


class BookingNotFound(RequestRefused):
    """There is no such booking, or it is someone else's: the answer is the same, so that nobody can probe."""

    code = "booking_not_found"
    http_status = 404
    public_message = "There is no such booking."


class NoSuchEndpoint(RequestRefused):
    """Nothing is served at this path."""

    code = "not_found"
    http_status = 404
    public_message = "There is nothing at this address."


class MethodNotAllowed(RequestRefused):
    """The path exists, for another method."""

    code = "method_not_allowed"
    http_status = 405
    public_message = "This address does not take that method."

    def __init__(self, allow: str) -> None:
        """Take the method that the address does take."""
        super().__init__()
        self.allow = allow


class Conflict(RequestRefused):
    """The request is well-formed, but the booking or its payment stands otherwise."""

    http_status = 409


class BookingAlreadyPaid(Conflict):
    """The booking is paid, or its money is already authorised."""

    code = "booking_already_paid"
    public_message = "This booking is already paid."


class BookingNotPayable(Conflict):
    """The booking is cancelled, its hold is over, or there is nothing to pay."""

    code = "booking_not_payable"
    public_message = "This booking cannot be paid."


class PaymentInReview(Conflict):
    """Money arrived that confirms nothing. A person has to decide, and no new payment is opened until then."""

    code = "payment_in_review"
    public_message = "A payment for this booking is being reviewed."


class AmountMismatch(Conflict):
    """The amount in the request is not the booking's price."""

    code = "amount_mismatch"
    public_message = "The amount is not the price of this booking."


class CurrencyMismatch(Conflict):
    """The currency in the request is not the booking's."""

    code = "currency_mismatch"
    public_message = "The currency is not the one of this booking."


class PaymentIntentMismatch(Conflict):
    """The PaymentIntent does not belong to this booking."""

    code = "payment_intent_mismatch"
    public_message = "This payment does not belong to this booking."


class NothingToRefund(Conflict):
    """Nothing was collected, or all of it was given back."""

    code = "nothing_to_refund"
    public_message = "There is nothing to give back."


class RefundTooLarge(Conflict):
    """More than is left of the payment. `rest_minor` is what is left, in minor units of `currency`."""

    code = "refund_too_large"
    public_message = "The refund is more than is left of the payment."

    def __init__(self, rest_minor: int, currency: str) -> None:
        """Take what is left."""
        super().__init__(f"{rest_minor} {currency} (minor units) are left of the payment")
        self.rest_minor = rest_minor
        self.currency = currency


class RefundRefused(Conflict):
    """Stripe refuses the refund; the detail says why."""

    code = "refund_refused"
    public_message = "The payment cannot be refunded."


class DisputedPayment(Conflict):
    """The customer's bank has taken the matter up: the money cannot be refunded as well. Answer the dispute instead."""

    code = "payment_disputed"
    public_message = "The payment is disputed."


class NotInReview(Conflict):
    """The payment does not wait for a decision, or was decided about otherwise."""

    code = "not_in_review"
    public_message = "The payment is not in review."


class NothingToCapture(Conflict):
    """No money is authorised for this booking: it is not yet, not any more, or it was collected at once."""

    code = "nothing_to_capture"
    public_message = "There is no authorised payment."


class CaptureTooLarge(Conflict):
    """More than was authorised."""

    code = "capture_too_large"
    public_message = "The amount is more than was authorised."


class CaptureRefused(Conflict):
    """Stripe refuses the capture; the detail says why."""

    code = "capture_refused"
    public_message = "The authorised payment cannot be collected."


class AlreadyCaptured(Conflict):
    """Another amount was collected, or is being collected: an authorisation is captured once."""

    code = "already_captured"
    public_message = "The payment was already collected."


class NothingToRedeliver(Conflict):
    """There is no dead letter of this announcement: it was delivered, or is still being tried."""

    code = "nothing_to_redeliver"
    public_message = "There is nothing to deliver again."


class PayloadTooLarge(RequestRefused):
    """The body is over the limit."""

    code = "payload_too_large"
    http_status = 413
    public_message = "The request body is too large."


class IdempotencyKeyReused(RequestRefused):
    """The same Idempotency-Key came with another body."""

    code = "idempotency_key_reused"
    http_status = 422
    public_message = "This Idempotency-Key was used with another request."


class TryAgain(PaymentsError):
    """Not now. Nothing is lost; the same call may be made again after `retry_after_s` seconds."""

    http_status = 503
    retry_after_s: int = 2


class StripeUnavailable(TryAgain):
    """Stripe did not answer, or asked us to slow down."""

    code = "stripe_unavailable"
    public_message = "The payment service does not answer. Please try again."
    retry_after_s = 5


class StorageUnavailable(TryAgain):
    """The database did not answer. Repositories raise it; a webhook is then sent again by Stripe."""

    code = "storage_unavailable"
    public_message = "The service is not available. Please try again."
    retry_after_s = 5


class ReconcileInterrupted(TryAgain):
    """Stripe or the database went away while reconciling. What was done stays done.

    `report` is what was found up to there; go on from `report.cursor`. `reason` is the error that stopped it.
    """

    code = "reconcile_interrupted"
    public_message = "Reconciling was interrupted. Please go on later."
    retry_after_s = 30

    def __init__(self, reason: TryAgain, report: "ReconcileReport") -> None:
        """Take what stopped it, and what was found before."""
        super().__init__(f"{reason.code}: {reason}")
        self.reason = reason
        self.report = report


class Busy(TryAgain):
    """Other writers kept winning, or an earlier PaymentIntent is still being cancelled."""

    code = "busy"
    public_message = "The booking is busy. Please try again."
    retry_after_s = 1


class LedgerTooNew(Busy):
    """A newer version of this library, of a deploy that is under way, wrote this booking's ledger. Nothing was changed.

    A process of the newer version will answer the same call; a webhook is sent again by Stripe until then.
    """

    public_message = "The service is being updated. Please try again."
    retry_after_s = 5


class ServerFault(PaymentsError):
    """Ours to mend; the customer can do nothing about it."""


class Misconfigured(ServerFault):
    """Stripe refuses our key, its permissions, or an object of another account. The log says what to do."""

    code = "misconfigured"
    public_message = "The payment service is not set up correctly."


class InternalError(ServerFault):
    """Anything that was not foreseen. Its detail is in the log, never in the answer."""
