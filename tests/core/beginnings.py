"""What stories begin with: bookings in one state or another, answers of Stripe, and the list of all stories."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from tests.core.telling import Telling
from tests.support import (
    OWNER,
    POLICY,
    PRICE,
    booking,
    seen,
    view,
)

from airport_payments.core.facts import (
    ChargeRequested,
    RefusalKind,
    Refused,
    Unanswered,
)
from airport_payments.core.model import BookingStatus, Snapshot, Surplus
from airport_payments.core.options import PaymentOptions

STORIES: dict[str, Callable[[], Telling]] = {}

LOST = Unanswered("time-out")
FAILED = Unanswered("500", server_error=True)
REST = seen("requires_payment_method")
DAY = timedelta(days=1)
REFUND = replace(POLICY, surplus=Surplus.REFUND)
HELD = replace(POLICY, manual_capture=True)
HELD_CONFIRMS = replace(HELD, confirm_at_authorization=True)
OPTIONS = PaymentOptions(customer_id="cus_1", return_url="https://shop.example/back", metadata={"gate": "B7"})


def story(play: Callable[[], Telling]) -> Callable[[], Telling]:
    STORIES[play.__name__.replace("_", " ")] = play
    return play


def no(kind: RefusalKind, reason: str = "a_code: said Stripe", **more) -> Refused:
    return Refused(kind, reason, **more)


def start(policy=POLICY, **changes) -> Telling:
    return Telling(Snapshot(booking(**changes)), policy=policy)


def opened(policy=POLICY, **changes) -> Telling:
    told = start(policy, **changes)
    price = told.booking.price
    told.request(seen("requires_payment_method", amount=price), amount=price)
    return told


def paid(policy=POLICY, **changes) -> Telling:
    """A booking that is paid and has told so; how it came there is not told again."""
    told = opened(policy, **changes)
    told.event(view("succeeded", amount=told.booking.price))
    told.tick()
    told.lines.clear()
    return told


def held(policy=HELD) -> Telling:
    told = opened(policy)
    told.event(view("requires_capture"))
    told.tick()
    told.lines.clear()
    return told


def in_review(policy=POLICY) -> Telling:
    """Money that came after the booking was cancelled."""
    told = opened(policy)
    told.team(status=BookingStatus.CANCELLED)
    told.event(view("succeeded"))
    return told


def charge(told: Telling, *replies, attempt="c1", key=None, card="pm_1") -> object:
    return told.ask(ChargeRequested(OWNER, PRICE, attempt, card, OPTIONS, key), *replies)


def both(*several: Telling) -> Telling:
    return Telling(lines=[line for told in several for line in told.whole])
