"""The team's handlers: in order per booking, at least once, of the right colour; what they raise loses nothing."""

import functools
from datetime import timedelta

import pytest
from tests.gateway.shop import Shop

from airport_payments.core.announcements import Announcement, BookingConfirmed, PaymentFailed, PaymentNeedsReview
from airport_payments.core.errors import ConfigurationError
from airport_payments.core.model import BookingStatus

DECLINED = "4000000000000002"


@pytest.fixture
def told(shop) -> Shop:
    """A booking with two announcements waiting: a failure, then its confirmation."""
    intent_id = shop.create().payment_intent_id
    shop.fake.pay(intent_id, DECLINED)
    shop.fake.pay(intent_id)
    for event in shop.events():
        shop.webhook(event)
    assert [type(p.announcement) for p in shop.snapshot().ledger.announcements] == [PaymentFailed, BookingConfirmed]
    return shop


def failing(shop: Shop, times: int):
    left = [RuntimeError("handler")] * times

    def does(_: object) -> None:
        if left:
            raise left.pop()

    return shop.handler(does)


def test_nothing_is_delivered_before_a_tick_and_then_all_in_order(told) -> None:
    assert not told.heard
    told.tick()
    assert [(type(a), a.sequence, a.id) for a in told.heard] == [
        (PaymentFailed, 1, "BK-1:1"),
        (BookingConfirmed, 2, "BK-1:2"),
    ]
    told.tick(after=timedelta(days=1))
    assert len(told.heard) == 2


def test_a_handler_that_raises_loses_nothing_and_the_later_ones_wait(told, caplog) -> None:
    told.gateway.on(PaymentFailed)(failing(told, 1))
    report = told.tick()
    assert (report.bookings, report.problems) == (1, 0)
    assert [a.sequence for a in told.heard] == [1]
    assert told.booking().status is BookingStatus.CONFIRMED
    assert "RuntimeError" in caplog.text
    told.tick()
    assert len(told.heard) == 1
    told.tick(after=timedelta(seconds=1))
    assert [a.sequence for a in told.heard] == [1, 1, 2]
    assert told.heard[0] == told.heard[1]


def test_a_raising_handler_changes_no_answer(shop) -> None:
    shop.gateway.on(Announcement)(failing(shop, 99))
    intent_id = shop.create().payment_intent_id
    shop.fake.pay(intent_id)
    assert shop.confirm(intent_id).completed
    assert shop.tick().problems == 0
    assert shop.confirm(intent_id).completed


def test_the_base_class_hears_all_and_a_kind_only_its_own(told) -> None:
    mine: dict[type, list] = {BookingConfirmed: [], PaymentFailed: [], PaymentNeedsReview: []}
    for kind, heard in mine.items():
        told.gateway.on(kind)(told.handler(heard.append))
    told.tick()
    assert [len(heard) for heard in mine.values()] == [1, 1, 0]
    assert len(told.heard) == 2


def test_handlers_are_called_in_the_order_in_which_they_were_registered(told) -> None:
    order: list[str] = []
    for name in "abc":
        told.gateway.on(BookingConfirmed)(told.handler(lambda _, name=name: order.append(name)))
    told.tick()
    assert order == ["a", "b", "c"]


def test_a_booking_whose_handler_fails_does_not_hold_up_another(colour) -> None:
    from tests.gateway.shop import opened
    from tests.support import OWNER, PRICE

    from airport_payments.core.model import Booking

    with opened(colour, Booking("B1", OWNER, PRICE), Booking("B2", OWNER, PRICE)) as shop:
        heard: list[str] = []

        def does(announcement: Announcement) -> None:
            if announcement.booking_id == "B1":
                raise RuntimeError
            heard.append(announcement.booking_id)

        shop.gateway.on(BookingConfirmed)(shop.handler(does))
        for booking_id in ("B1", "B2"):
            shop.fake.pay(shop.create(booking_id).payment_intent_id)
        for event in shop.events("payment_intent.succeeded"):
            shop.webhook(event)
        shop.tick()
        assert heard == ["B2"]


class Callable_:
    def __call__(self, _: object) -> None: ...


class AsyncCallable:
    async def __call__(self, _: object) -> None: ...


async def coroutine(_: object) -> None: ...


def plain(_: object) -> None: ...


@pytest.mark.parametrize(
    ("handler", "asynchronous"),
    [
        (plain, False),
        (coroutine, True),
        (functools.partial(plain), False),
        (functools.partial(coroutine), True),
        (Callable_(), False),
        (AsyncCallable(), True),
        (lambda _: None, False),
    ],
)
def test_a_handler_of_the_wrong_colour_is_refused_at_once(shop, handler, asynchronous) -> None:
    if asynchronous is shop.asynchronous:
        assert shop.gateway.on(BookingConfirmed)(handler) is handler
        return
    with pytest.raises(ConfigurationError, match="BookingConfirmed"):
        shop.gateway.on(BookingConfirmed)(handler)


def test_what_is_no_announcement_cannot_be_listened_to(shop) -> None:
    for kind in (str, Exception, object):
        with pytest.raises(ConfigurationError):
            shop.gateway.on(kind)(shop.handler(print))


def test_no_announcement_shows_a_secret(told) -> None:
    told.tick()
    assert "_secret_" not in repr(told.heard)
