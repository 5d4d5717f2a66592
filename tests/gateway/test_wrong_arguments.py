"""What a caller gets wrong is said at once, in words that help, and never by an error from deep inside."""

import pytest
from tests.support import NOW, seen, view

from airport_payments import (
    Announcement,
    Booking,
    BookingConfirmed,
    ConfigurationError,
    EventOutcome,
    InvalidRequest,
    InvalidSignature,
    Money,
    PaymentGateway,
    StripeSettings,
)
from airport_payments.core.facts import IntentSeen
from airport_payments.storage.memory import MemoryBookingRepository
from airport_payments.stripe_api.signature import sign

SECRET = "whsec_0123456789abcdef"
PRICE = Money(45099, "usd")


class Port:
    def perform(self, command) -> IntentSeen:
        return seen("requires_payment_method", command.attempt_id)

    def close(self) -> None:
        """Nothing was opened."""


def gateway() -> PaymentGateway:
    bookings = MemoryBookingRepository([Booking("BK-1", "alice", PRICE)])
    return PaymentGateway(bookings, StripeSettings("sk_test_0123", SECRET), port=Port(), clock=lambda: NOW)


@pytest.mark.parametrize("booking_id", [5, None, b"BK-1", "", "a/b", "x" * 129])
def test_a_booking_id_that_is_none_is_refused_by_every_method(booking_id) -> None:
    mine = gateway()
    for call in (
        lambda: mine.create_payment(booking_id, owner="alice", amount=PRICE),
        lambda: mine.confirm_payment(booking_id, "pi_00000001", owner="alice"),
        lambda: mine.payment_status(booking_id, owner="alice"),
        lambda: mine.booking_changed(booking_id),
    ):
        with pytest.raises(InvalidRequest, match="bookingId"):
            call()


@pytest.mark.parametrize("amount", [450.99, "450.99", 45099, None, (45099, "usd")])
def test_an_amount_that_is_no_money_is_refused_and_the_message_says_what_to_pass(amount) -> None:
    with pytest.raises(InvalidRequest, match="from_major"):
        gateway().create_payment("BK-1", owner="alice", amount=amount)


@pytest.mark.parametrize("owner", [None, "", 5])
def test_nobody_is_not_somebody_not_even_where_a_booking_has_no_owner(owner) -> None:
    bookings = MemoryBookingRepository([Booking("BK-1", owner, PRICE)])
    mine = PaymentGateway(bookings, StripeSettings("sk_test_0123", SECRET), port=Port())
    for call in (
        lambda: mine.create_payment("BK-1", owner=owner, amount=PRICE),
        lambda: mine.confirm_payment("BK-1", "pi_00000001", owner=owner),
        lambda: mine.payment_status("BK-1", owner=owner),
    ):
        with pytest.raises(InvalidRequest, match="owner"):
            call()


def test_a_webhook_may_come_as_text_or_a_bytearray_and_nothing_else() -> None:
    body = '{"id":"evt_1","object":"event","type":"x","created":1,"livemode":false,"data":{"object":{"id":"x"}}}'
    signed = sign(body.encode(), SECRET, timestamp=int(NOW.timestamp()))
    for given in (body, body.encode(), bytearray(body.encode())):
        assert gateway().handle_webhook(given, signed) is EventOutcome.IGNORED
    for wrong in (None, 5, ["x"]):
        with pytest.raises(InvalidSignature, match="not bytes"):
            gateway().handle_webhook(wrong, signed)


def test_a_handler_whose_work_nobody_awaits_is_not_counted_as_delivered() -> None:
    mine = gateway()
    heard = []

    async def send(news: Announcement) -> None:
        heard.append(news)

    mine.on(BookingConfirmed)(lambda news: send(news))
    mine.create_payment("BK-1", owner="alice", amount=PRICE)
    attempt = mine._repository.get("BK-1").ledger.payments[0].attempt_id
    mine._runner._apply("BK-1", _paid(attempt))
    mine.tick()
    assert heard == []
    assert len(mine._repository.get("BK-1").ledger.announcements) == 1


def _paid(attempt_id: str):
    from airport_payments.core.facts import IntentObserved

    return IntentObserved(view("succeeded", attempt_id), "evt_1", "payment_intent.succeeded")


@pytest.mark.parametrize("handler", [None, 5, ""])
def test_a_handler_that_cannot_be_called_is_refused_at_registration(handler) -> None:
    with pytest.raises(ConfigurationError, match="function"):
        gateway().on(BookingConfirmed)(handler)


@pytest.mark.parametrize("kind", [None, int, "BookingConfirmed"])
def test_a_kind_that_is_no_announcement_is_refused(kind) -> None:
    with pytest.raises(ConfigurationError, match="Announcement"):
        gateway().on(kind)(lambda news: None)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_tick_that_may_do_nothing_does_nothing(limit) -> None:
    assert gateway().tick(limit=limit).bookings == 0
