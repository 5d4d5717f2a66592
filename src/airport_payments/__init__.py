"""Bookings paid through Stripe: never charged twice, never lost, never confirmed unpaid.

The public names stand here. They are loaded when they are first used: importing the package loads no stripe, httpx,
pydantic or sqlalchemy.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airport_payments.core.announcements import (
        Announcement,
        AuthorizationLost,
        BookingCancelled,
        BookingConfirmed,
        DeadLetter,
        DisputeClosed,
        PaymentAuthorized,
        PaymentDisputed,
        PaymentFailed,
        PaymentNeedsReview,
        PaymentRefunded,
        RefundFailed,
    )
    from airport_payments.core.decide.route import EventOutcome
    from airport_payments.core.dispute import Dispute, DisputeStatus
    from airport_payments.core.errors import (
        AlreadyCaptured,
        AmountMismatch,
        AmountTooLarge,
        AmountTooSmall,
        BookingAlreadyPaid,
        BookingNotFound,
        BookingNotPayable,
        Busy,
        CaptureRefused,
        CaptureTooLarge,
        CardDeclined,
        ConfigurationError,
        Conflict,
        CurrencyMismatch,
        DisputedPayment,
        IdempotencyKeyReused,
        InternalError,
        InvalidRequest,
        InvalidSignature,
        LedgerTooNew,
        MethodNotAllowed,
        Misconfigured,
        NoSuchEndpoint,
        NothingToCapture,
        NothingToRedeliver,
        NothingToRefund,
        NotInReview,
        PayloadTooLarge,
        PaymentInReview,
        PaymentIntentMismatch,
        PaymentsError,
        ReconcileInterrupted,
        RefundRefused,
        RefundTooLarge,
        RequestRefused,
        ServerFault,
        StorageUnavailable,
        StripeUnavailable,
        TryAgain,
        Unauthorized,
    )
    from airport_payments.core.facts import Resolution
    from airport_payments.core.keeping import EraseReport, PruneReport
    from airport_payments.core.model import (
        Booking,
        BookingStatus,
        CancelReason,
        Change,
        Failure,
        HistoryLine,
        IntentStatus,
        Ledger,
        Payment,
        PaymentState,
        Place,
        ReviewReason,
        Snapshot,
        Surplus,
    )
    from airport_payments.core.money import Money
    from airport_payments.core.options import FutureUsage, PaymentOptions
    from airport_payments.core.reconcile import Difference, DifferenceKind, ReconcileProgress, ReconcileReport
    from airport_payments.core.refund import Refund, RefundReason, RefundState
    from airport_payments.core.secret import Secret
    from airport_payments.core.story import Story
    from airport_payments.core.views import (
        Attention,
        Cancellation,
        CancelOutcome,
        ConfirmedPayment,
        CreatedPayment,
        DisputeToAnswer,
        MoneyInReview,
        Page,
        PaymentDecision,
        PaymentReport,
        PaymentStatus,
        RefundReport,
        TickReport,
    )
    from airport_payments.endpoints import PaymentEndpoints
    from airport_payments.endpoints_async import AsyncPaymentEndpoints
    from airport_payments.gateway import PaymentGateway
    from airport_payments.gateway_async import AsyncPaymentGateway
    from airport_payments.repository import (
        AsyncBookingRepository,
        AsyncKeepingRepository,
        BookingRepository,
        KeepingRepository,
    )
    from airport_payments.settings import StripeSettings
    from airport_payments.stripe_api.events import Event, construct_event

_HOME = {
    "core.announcements": "Announcement AuthorizationLost BookingCancelled BookingConfirmed DeadLetter DisputeClosed "
    "PaymentAuthorized PaymentDisputed PaymentFailed PaymentNeedsReview PaymentRefunded RefundFailed",
    "core.decide.route": "EventOutcome",
    "core.dispute": "Dispute DisputeStatus",
    "core.errors": "AlreadyCaptured AmountMismatch AmountTooLarge AmountTooSmall BookingAlreadyPaid BookingNotFound "
    "BookingNotPayable Busy CaptureRefused CaptureTooLarge CardDeclined ConfigurationError Conflict "
    "CurrencyMismatch DisputedPayment IdempotencyKeyReused InternalError InvalidRequest InvalidSignature "
    "LedgerTooNew Misconfigured NotInReview NothingToCapture NothingToRedeliver NothingToRefund PaymentInReview "
    "MethodNotAllowed NoSuchEndpoint PayloadTooLarge "
    "PaymentIntentMismatch PaymentsError ReconcileInterrupted RefundRefused RefundTooLarge RequestRefused "
    "ServerFault StorageUnavailable StripeUnavailable TryAgain Unauthorized",
    "core.facts": "Resolution",
    "core.model": "Booking BookingStatus CancelReason Change Failure HistoryLine IntentStatus Ledger Payment "
    "PaymentState Place ReviewReason Snapshot Surplus",
    "core.money": "Money",
    "core.options": "FutureUsage PaymentOptions",
    "core.keeping": "EraseReport PruneReport",
    "core.reconcile": "Difference DifferenceKind ReconcileProgress ReconcileReport",
    "core.refund": "Refund RefundReason RefundState",
    "core.secret": "Secret",
    "core.story": "Story",
    "core.views": "Attention CancelOutcome Cancellation ConfirmedPayment CreatedPayment DisputeToAnswer MoneyInReview Page "
    "PaymentDecision PaymentReport PaymentStatus RefundReport TickReport",
    "endpoints": "PaymentEndpoints",
    "endpoints_async": "AsyncPaymentEndpoints",
    "gateway": "PaymentGateway",
    "gateway_async": "AsyncPaymentGateway",
    "repository": "AsyncBookingRepository AsyncKeepingRepository BookingRepository KeepingRepository",
    "settings": "StripeSettings",
    "stripe_api.events": "Event construct_event",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}

__version__ = "0.1.0"

__all__ = [
    "AlreadyCaptured",
    "AmountMismatch",
    "AmountTooLarge",
    "AmountTooSmall",
    "Announcement",
    "AsyncBookingRepository",
    "AsyncKeepingRepository",
    "AsyncPaymentEndpoints",
    "AsyncPaymentGateway",
    "Attention",
    "AuthorizationLost",
    "Booking",
    "BookingAlreadyPaid",
    "BookingCancelled",
    "BookingConfirmed",
    "BookingNotFound",
    "BookingNotPayable",
    "BookingRepository",
    "BookingStatus",
    "Busy",
    "CancelOutcome",
    "CancelReason",
    "Cancellation",
    "CaptureRefused",
    "CaptureTooLarge",
    "CardDeclined",
    "Change",
    "ConfigurationError",
    "ConfirmedPayment",
    "Conflict",
    "CreatedPayment",
    "CurrencyMismatch",
    "DeadLetter",
    "Difference",
    "DifferenceKind",
    "Dispute",
    "DisputeClosed",
    "DisputeStatus",
    "DisputeToAnswer",
    "DisputedPayment",
    "EraseReport",
    "Event",
    "EventOutcome",
    "Failure",
    "FutureUsage",
    "HistoryLine",
    "IdempotencyKeyReused",
    "IntentStatus",
    "InternalError",
    "InvalidRequest",
    "InvalidSignature",
    "KeepingRepository",
    "Ledger",
    "LedgerTooNew",
    "MethodNotAllowed",
    "Misconfigured",
    "Money",
    "MoneyInReview",
    "NoSuchEndpoint",
    "NotInReview",
    "NothingToCapture",
    "NothingToRedeliver",
    "NothingToRefund",
    "Page",
    "PayloadTooLarge",
    "Payment",
    "PaymentAuthorized",
    "PaymentDecision",
    "PaymentDisputed",
    "PaymentEndpoints",
    "PaymentFailed",
    "PaymentGateway",
    "PaymentInReview",
    "PaymentIntentMismatch",
    "PaymentNeedsReview",
    "PaymentOptions",
    "PaymentRefunded",
    "PaymentReport",
    "PaymentState",
    "PaymentStatus",
    "PaymentsError",
    "Place",
    "PruneReport",
    "ReconcileInterrupted",
    "ReconcileProgress",
    "ReconcileReport",
    "Refund",
    "RefundFailed",
    "RefundReason",
    "RefundRefused",
    "RefundReport",
    "RefundState",
    "RefundTooLarge",
    "RequestRefused",
    "Resolution",
    "ReviewReason",
    "Secret",
    "ServerFault",
    "Snapshot",
    "StorageUnavailable",
    "Story",
    "StripeSettings",
    "StripeUnavailable",
    "Surplus",
    "TickReport",
    "TryAgain",
    "Unauthorized",
    "__version__",
    "construct_event",
]


def __getattr__(name: str) -> object:
    module = _MODULE_OF.get(name)
    if module is None:
        message = f"module 'airport_payments' has no attribute {name!r}"
        raise AttributeError(message)
    value: object = getattr(import_module(f"airport_payments.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
