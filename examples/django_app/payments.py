"""The gateway of this project, made once in each process."""

import atexit

from airport_payments import PaymentEndpoints, PaymentGateway, StripeSettings

from .. import airport
from .repository import DjangoBookingRepository

tokens = airport.Tokens()
bookings = DjangoBookingRepository()
gateway = PaymentGateway(bookings, StripeSettings.from_env())
endpoints = PaymentEndpoints(gateway, tokens.customer)
atexit.register(gateway.close)
