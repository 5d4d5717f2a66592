"""Bookings paid through Stripe: never charged twice, never lost, never confirmed unpaid.

The public names stand here. They are loaded when they are first used: importing the package loads no stripe, httpx,
pydantic or sqlalchemy.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airport_payments.core.announcements import Announcement, BookingConfirmed, PaymentFailed, PaymentNeedsReview
    from airport_payments.core.decide.route import EventOutcome
    from airport_payments.core.errors import (
        AmountMismatch,
        AmountTooLarge,
        AmountTooSmall,
        BookingAlreadyPaid,
        BookingNotFound,
        BookingNotPayable,
        Busy,
        CardDeclined,
        ConfigurationError,
        Conflict,
        CurrencyMismatch,
        IdempotencyKeyReused,
        InternalError,
        InvalidRequest,
        InvalidSignature,
        Misconfigured,
        PaymentInReview,
        PaymentIntentMismatch,
        PaymentsError,
        RequestRefused,
        ServerFault,
        StorageUnavailable,
        StripeUnavailable,
        TryAgain,
        Unauthorized,
    )
    from airport_payments.core.model import (
        Booking,
        BookingStatus,
        Change,
        Failure,
        HistoryLine,
        IntentStatus,
        Ledger,
        Snapshot,
    )
    from airport_payments.core.money import Money
    from airport_payments.core.secret import Secret
    from airport_payments.core.views import (
        ConfirmedPayment,
        CreatedPayment,
        PaymentReport,
        PaymentStatus,
        TickReport,
    )
    from airport_payments.endpoints import PaymentEndpoints
    from airport_payments.endpoints_async import AsyncPaymentEndpoints
    from airport_payments.gateway import PaymentGateway
    from airport_payments.gateway_async import AsyncPaymentGateway
    from airport_payments.repository import AsyncBookingRepository, BookingRepository
    from airport_payments.settings import StripeSettings
    from airport_payments.stripe_api.events import Event, construct_event

_HOME = {
    "core.announcements": "Announcement BookingConfirmed PaymentFailed PaymentNeedsReview",
    "core.decide.route": "EventOutcome",
    "core.errors": "AmountMismatch AmountTooLarge AmountTooSmall BookingAlreadyPaid BookingNotFound BookingNotPayable "
    "Busy CardDeclined ConfigurationError Conflict CurrencyMismatch IdempotencyKeyReused InternalError InvalidRequest "
    "InvalidSignature Misconfigured PaymentInReview PaymentIntentMismatch PaymentsError RequestRefused ServerFault "
    "StorageUnavailable StripeUnavailable TryAgain Unauthorized",
    "core.model": "Booking BookingStatus Change Failure HistoryLine IntentStatus Ledger Snapshot",
    "core.money": "Money",
    "core.secret": "Secret",
    "core.views": "ConfirmedPayment CreatedPayment PaymentReport PaymentStatus TickReport",
    "endpoints": "PaymentEndpoints",
    "endpoints_async": "AsyncPaymentEndpoints",
    "gateway": "PaymentGateway",
    "gateway_async": "AsyncPaymentGateway",
    "repository": "AsyncBookingRepository BookingRepository",
    "settings": "StripeSettings",
    "stripe_api.events": "Event construct_event",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}

__version__ = "0.1.0"

__all__ = [
    "AmountMismatch",
    "AmountTooLarge",
    "AmountTooSmall",
    "Announcement",
    "AsyncBookingRepository",
    "AsyncPaymentEndpoints",
    "AsyncPaymentGateway",
    "Booking",
    "BookingAlreadyPaid",
    "BookingConfirmed",
    "BookingNotFound",
    "BookingNotPayable",
    "BookingRepository",
    "BookingStatus",
    "Busy",
    "CardDeclined",
    "Change",
    "ConfigurationError",
    "ConfirmedPayment",
    "Conflict",
    "CreatedPayment",
    "CurrencyMismatch",
    "Event",
    "EventOutcome",
    "Failure",
    "HistoryLine",
    "IdempotencyKeyReused",
    "IntentStatus",
    "InternalError",
    "InvalidRequest",
    "InvalidSignature",
    "Ledger",
    "Misconfigured",
    "Money",
    "PaymentEndpoints",
    "PaymentFailed",
    "PaymentGateway",
    "PaymentInReview",
    "PaymentIntentMismatch",
    "PaymentNeedsReview",
    "PaymentReport",
    "PaymentStatus",
    "PaymentsError",
    "RequestRefused",
    "Secret",
    "ServerFault",
    "Snapshot",
    "StorageUnavailable",
    "StripeSettings",
    "StripeUnavailable",
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
