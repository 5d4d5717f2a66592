"""The transitions of a payment, as one table. The docs' diagrams are drawn from it."""

from datetime import timedelta
from typing import Final

from airport_payments.core.model import IntentStatus, PaymentState

_I = IntentStatus
_S = PaymentState

STATE_OF: Final[dict[IntentStatus, PaymentState]] = {
    _I.REQUIRES_PAYMENT_METHOD: _S.OPEN,
    _I.REQUIRES_CONFIRMATION: _S.OPEN,
    _I.REQUIRES_ACTION: _S.OPEN,
    _I.PROCESSING: _S.OPEN,
    _I.REQUIRES_CAPTURE: _S.REQUIRES_CAPTURE,
    _I.SUCCEEDED: _S.SUCCEEDED,
    _I.CANCELED: _S.CANCELED,
}

# Where a payment goes from each state when Stripe shows a status. What is not listed is old news and changes nothing:
# states only move forward (rule 5). OPENING and ABANDONED first become OPEN, by learning which PaymentIntent is theirs.
FORWARD: Final[dict[PaymentState, frozenset[PaymentState]]] = {
    _S.OPENING: frozenset({_S.OPEN, _S.REQUIRES_CAPTURE, _S.SUCCEEDED, _S.CANCELED, _S.ABANDONED}),
    _S.ABANDONED: frozenset({_S.OPEN, _S.REQUIRES_CAPTURE, _S.SUCCEEDED, _S.CANCELED}),
    _S.OPEN: frozenset({_S.OPEN, _S.REQUIRES_CAPTURE, _S.SUCCEEDED, _S.CANCELED}),
    _S.REQUIRES_CAPTURE: frozenset({_S.REQUIRES_CAPTURE, _S.SUCCEEDED, _S.CANCELED}),
    _S.SUCCEEDED: frozenset(),
    _S.CANCELED: frozenset(),
}

# Stripe forgets an idempotency key after 24 hours; clocks differ, and a call takes its time (rule 9).
KEY_LIFETIME: Final = timedelta(hours=23)
# After so many 5xx answers the create is looked for instead of repeated: Stripe stores the first answer to a key, a 500
# too, and replays it.
SERVER_ERRORS_BEFORE_LOOKING: Final = 2
# While a request is performing its own command, a worker leaves that command alone; longer than a call can take.
LEASE: Final = timedelta(seconds=90)
# A command without an answer is sent again after 5 s, 10 s, 20 s, … and then every 15 minutes.
RETRY_FIRST: Final = timedelta(seconds=5)
RETRY_MOST: Final = timedelta(minutes=15)
# An announcement whose handler raised is tried again after 1 s, 2 s, … and then every 10 minutes.
REDELIVER_FIRST: Final = timedelta(seconds=1)
REDELIVER_MOST: Final = timedelta(minutes=10)
# An open payment that no event tells of is looked at after 15, 30, 60 … minutes, at most daily. A payment is found even
# when every webhook is lost.
LOOK_FIRST: Final = timedelta(minutes=15)
LOOK_MOST: Final = timedelta(hours=24)
# Looks at an open payment before it is left to events and reconcile: 11 looks cover about five days.
MAX_LOOKS: Final = 11
# A cancellation that finds the PaymentIntent `processing` stays due: asked again after 1, 2, 4 … minutes, at most hourly.
PROCESSING_FIRST: Final = timedelta(minutes=1)
PROCESSING_MOST: Final = timedelta(hours=1)

# More attempts than this on one booking are a mistake or an attack; each comes from a change of price.
MAX_PAYMENTS: Final = 100
# News kept per payment: each is one status or one failed charge. What comes after that is seen by looking, not announced.
MAX_NEWS: Final = 32
# Idempotency-Keys of our own endpoint kept per booking.
MAX_REQUEST_KEYS: Final = 8


def backoff(first: timedelta, most: timedelta, tries: int) -> timedelta:
    """Return the wait after `tries` failures: `first`, doubled each time, at most `most`."""
    # The exponent is capped so that the product stays a timedelta however long something has been failing.
    factor: int = 1 << min(tries, 20)
    return min(first * factor, most)
