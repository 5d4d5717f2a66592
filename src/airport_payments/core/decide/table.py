"""The transitions of payments, refunds, disputes and bookings, as tables. The docs' diagrams are drawn from them."""

from datetime import UTC, datetime, timedelta
from typing import Final

from airport_payments.core.commands import Effect
from airport_payments.core.dispute import DisputeStatus
from airport_payments.core.model import BookingStatus, IntentStatus, PaymentState
from airport_payments.core.refund import RefundState

_I = IntentStatus
_S = PaymentState
_R = RefundState
_D = DisputeStatus

STATE_OF: Final[dict[IntentStatus, PaymentState]] = {
    _I.REQUIRES_PAYMENT_METHOD: _S.OPEN,
    _I.REQUIRES_CONFIRMATION: _S.OPEN,
    _I.REQUIRES_ACTION: _S.OPEN,
    _I.PROCESSING: _S.OPEN,
    _I.REQUIRES_CAPTURE: _S.REQUIRES_CAPTURE,
    _I.SUCCEEDED: _S.SUCCEEDED,
    _I.CANCELED: _S.CANCELED,
}

# Stripe does not cancel these (docs.stripe.com/api/payment_intents/cancel); `processing` rarely.
NOT_CANCELABLE: Final = frozenset({_I.PROCESSING, _I.SUCCEEDED, _I.CANCELED})

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

# The same for a refund. It may fail after it succeeded. A refused one may turn out to exist: another sending got through.
REFUND_FORWARD: Final[dict[RefundState, frozenset[RefundState]]] = {
    _R.REQUESTED: frozenset({_R.PENDING, _R.REQUIRES_ACTION, _R.SUCCEEDED, _R.FAILED, _R.CANCELED, _R.REFUSED}),
    _R.REFUSED: frozenset({_R.PENDING, _R.REQUIRES_ACTION, _R.SUCCEEDED, _R.FAILED, _R.CANCELED}),
    _R.PENDING: frozenset({_R.REQUIRES_ACTION, _R.SUCCEEDED, _R.FAILED, _R.CANCELED}),
    _R.REQUIRES_ACTION: frozenset({_R.SUCCEEDED, _R.FAILED, _R.CANCELED}),
    _R.SUCCEEDED: frozenset({_R.FAILED, _R.CANCELED}),
    _R.FAILED: frozenset(),
    _R.CANCELED: frozenset(),
}

_INQUIRY: Final = frozenset({_D.WARNING_NEEDS_RESPONSE, _D.WARNING_UNDER_REVIEW})
_FORMAL: Final = frozenset({_D.NEEDS_RESPONSE, _D.UNDER_REVIEW})
_APPEAL: Final = frozenset({_D.APPEAL_NEEDS_RESPONSE, _D.APPEAL_UNDER_REVIEW})
_DECIDED: Final = frozenset({_D.WON, _D.LOST})

# The same for a dispute. An inquiry may become a formal dispute, also after it was closed; what was decided may be
# appealed. Stripe publishes no order of the appeal's statuses: theirs is remembered, not confirmed.
DISPUTE_FORWARD: Final[dict[DisputeStatus, frozenset[DisputeStatus]]] = {
    _D.WARNING_NEEDS_RESPONSE: frozenset(_D) - {_D.WARNING_NEEDS_RESPONSE},
    _D.WARNING_UNDER_REVIEW: frozenset(_D) - _INQUIRY,
    _D.WARNING_CLOSED: _FORMAL | _APPEAL | _DECIDED,
    _D.NEEDS_RESPONSE: frozenset({_D.UNDER_REVIEW, _D.PREVENTED}) | _APPEAL | _DECIDED,
    _D.UNDER_REVIEW: frozenset({_D.PREVENTED}) | _APPEAL | _DECIDED,
    _D.APPEAL_NEEDS_RESPONSE: frozenset({_D.APPEAL_UNDER_REVIEW}) | _DECIDED,
    _D.APPEAL_UNDER_REVIEW: _DECIDED,
    _D.LOST: frozenset({_D.APPEAL_NEEDS_RESPONSE, _D.APPEAL_UNDER_REVIEW, _D.WON}),
    _D.WON: frozenset(),
    _D.PREVENTED: frozenset(),
}

# Where this library moves the team's booking, and for what. The team's own code may move it as it likes.
BOOKING_FORWARD: Final[dict[BookingStatus, dict[BookingStatus, tuple[str, ...]]]] = {
    BookingStatus.PENDING: {
        BookingStatus.CONFIRMED: ("paid or authorised", "a person decides: confirm"),
        BookingStatus.CANCELLED: ("cancel", "its hold is over", "all of its money went back"),
    },
    BookingStatus.CONFIRMED: {
        BookingStatus.CANCELLED: ("all of its money went back", "the authorisation is released"),
    },
    BookingStatus.CANCELLED: {
        BookingStatus.CONFIRMED: ("a person decides: confirm",),
    },
}

# Stripe forgets an idempotency key after 24 hours; clocks differ, and a call takes its time (rule 9).
KEY_LIFETIME: Final = timedelta(hours=23)
# After so many 5xx answers the create is looked for instead of repeated: Stripe stores the first answer to a key, a 500
# too, and replays it.
SERVER_ERRORS_BEFORE_LOOKING: Final = 2
# A refund that Stripe answered with nothing but failures is only commanded again, with another key, when the first key is
# forgotten and the refund was looked for and not found: two keys at once could give the money back twice. The hour beyond
# Stripe's 24 is for a request that was slow to arrive.
KEY_FORGOTTEN: Final = timedelta(hours=25)
# While a request is performing its own command, a worker leaves that command alone; longer than a call can take.
LEASE: Final = timedelta(seconds=90)
# A command without an answer is sent again after 5 s, 10 s, 20 s, … and then every 15 minutes.
RETRY_FIRST: Final = timedelta(seconds=5)
RETRY_MOST: Final = timedelta(minutes=15)
# A subscriber that raised is called again after 1 s, 2 s, … and then every hour. 36 calls take about a day: 12 waits that
# double, which are 68 minutes, and 23 of an hour. Then it is given up, visibly: a person has to look.
REDELIVER_FIRST: Final = timedelta(seconds=1)
REDELIVER_MOST: Final = timedelta(hours=1)
MAX_DELIVERIES: Final = 36
# While a worker calls a subscriber, the others leave that delivery alone. It is longer than mail servers and ticket
# printers take; what takes longer still may be called a second time meanwhile. A worker that died is replaced after it.
DELIVERY_LEASE: Final = timedelta(minutes=5)
# Dead letters kept per booking: one booking has few announcements, and its document is read on every event.
MAX_DEAD_LETTERS: Final = 50
# When a ledger is due that waits for nothing but a person. No tick reaches it; listing what is due before it pages through
# all that wait.
ATTENTION_AT: Final = datetime(9999, 1, 1, tzinfo=UTC)
# An open payment that no event tells of is looked at after 15, 30, 60 … minutes, at most daily. A payment is found even
# when every webhook is lost.
LOOK_FIRST: Final = timedelta(minutes=15)
LOOK_MOST: Final = timedelta(hours=24)
# Looks at an open payment before it is left to events and reconcile: 11 looks cover five days, from when it was last handed
# out. An authorisation is looked at until it ends.
MAX_LOOKS: Final = 11
# A cancellation that finds the PaymentIntent `processing` stays due: asked again after 1, 2, 4 … minutes, at most hourly.
PROCESSING_FIRST: Final = timedelta(minutes=1)
PROCESSING_MOST: Final = timedelta(hours=1)

# More attempts than this on one booking are a mistake or an attack; each comes from a change of price.
MAX_PAYMENTS: Final = 100
# More refunds of one payment than this are a mistake: Stripe's list of them is read in few pages.
MAX_REFUNDS: Final = 100
# News kept per payment: each is one status or one failed charge. What comes after that is seen by looking, not announced.
MAX_NEWS: Final = 32
# Idempotency-Keys of our own endpoint kept per booking.
MAX_REQUEST_KEYS: Final = 8


def backoff(first: timedelta, most: timedelta, tries: int) -> timedelta:
    """Return the wait after `tries` failures: `first`, doubled each time, at most `most`."""
    # The exponent is capped so that the product stays a timedelta however long something has been failing.
    factor: int = 1 << min(tries, 20)
    return min(first * factor, most)


def spent(effect: Effect, now: datetime) -> bool:
    """Return whether this command's key can bring no (new) answer any more."""
    return now >= effect.first_sent_at + KEY_LIFETIME or effect.server_errors >= SERVER_ERRORS_BEFORE_LOOKING
