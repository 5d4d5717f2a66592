"""What tests import: a fake Stripe."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airport_payments.testing.fake_stripe import (
        FakeConnectionLostError,
        FakeReadTimeoutError,
        FakeStripe,
        Fault,
        StripeRefusal,
    )

__all__ = ["FakeConnectionLostError", "FakeReadTimeoutError", "FakeStripe", "Fault", "StripeRefusal"]

_HOMES = dict.fromkeys(__all__, "airport_payments.testing.fake_stripe")


def __getattr__(name: str) -> object:
    """Import a name when it is first asked for: importing `testing` alone costs nothing."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
