"""Bookings, payments and changes for the tests of the storage: those of the public suite."""

from airport_payments.testing.repository_conformance.values import (
    LATER,
    NOW,
    OTHER_PRICE,
    PRICE,
    booking,
    change,
    closed,
    line,
    opening,
    paying,
    payment,
)

__all__ = [
    "LATER",
    "NOW",
    "OTHER_PRICE",
    "PRICE",
    "booking",
    "change",
    "closed",
    "line",
    "opening",
    "paying",
    "payment",
]
