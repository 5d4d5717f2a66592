"""The team's handlers: in order per booking, at least once, of the right colour; what they raise loses nothing."""

import functools
from datetime import timedelta

import pytest
from tests.gateway.shop import Shop

from airport_payments.core.announcements import Announcement, BookingConfirmed, PaymentFailed, PaymentNeedsReview
from airport_payments.core.decide.table import DELIVERY_LEASE, MAX_DELIVERIES
from airport_payments.core.errors import BookingNotFound, ConfigurationError, InvalidRequest, NothingToRedeliver
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


def test_a_handler_that_raises_loses_nothing_and_keeps_only_itself_waiting(told, caplog) -> None:
    mailed: list[int] = []
    broken = [RuntimeError("handler")]

    def mail(announcement: Announcement) -> None:
        if broken:
            raise broken.pop()
        mailed.append(announcement.sequence)

    told.gateway.on(Announcement, name="mailer")(told.handler(mail))
    report = told.tick()
    assert (report.bookings, report.problems) == (1, 0)
    assert ([a.sequence for a in told.heard], mailed) == ([1, 2], [])
    assert told.booking().status is BookingStatus.CONFIRMED
    assert "'mailer' raised RuntimeError" in caplog.text
    told.tick()
    assert mailed == []
    told.tick(after=timedelta(seconds=1))
    assert ([a.sequence for a in told.heard], mailed) == ([1, 2], [1, 2])


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
        told.gateway.on(kind, name=kind.__name__)(told.handler(heard.append))
    told.tick()
    assert [len(heard) for heard in mine.values()] == [1, 1, 0]
    assert len(told.heard) == 2


def test_handlers_are_called_in_the_order_in_which_they_were_registered(told) -> None:
    order: list[str] = []
    for name in "abc":
        told.gateway.on(BookingConfirmed, name)(told.handler(lambda _, name=name: order.append(name)))
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


# ---- names ----


def test_two_handlers_of_one_name_for_the_same_announcements_are_refused(shop) -> None:
    shop.gateway.on(BookingConfirmed, name="mailer")(shop.handler(print))
    for kind in (BookingConfirmed, Announcement):
        with pytest.raises(ConfigurationError, match="'mailer' hears BookingConfirmed"):
            shop.gateway.on(kind, name="mailer")(shop.handler(print))
    shop.gateway.on(PaymentFailed, name="mailer")(shop.handler(print))


def test_without_a_name_a_handler_has_that_of_its_module_and_function(shop) -> None:
    mine = coroutine if shop.asynchronous else plain
    shop.gateway.on(BookingConfirmed)(mine)
    with pytest.raises(ConfigurationError, match=f"tests.gateway.test_handlers.{mine.__name__}"):
        shop.gateway.on(BookingConfirmed)(functools.partial(mine))


@pytest.mark.parametrize("name", ["", "x" * 201, "new\nline", 7])
def test_a_name_is_short_printable_text(shop, name) -> None:
    with pytest.raises(ConfigurationError, match="name"):
        shop.gateway.on(BookingConfirmed, name=name)(shop.handler(print))


def test_a_subscriber_with_a_handler_for_each_kind_hears_them_in_order(told) -> None:
    heard: list[str] = []
    broken = [RuntimeError()]

    def failed(_: object) -> None:
        if broken:
            raise broken.pop()
        heard.append("failed")

    told.gateway.on(PaymentFailed, name="mailer")(told.handler(failed))
    told.gateway.on(BookingConfirmed, name="mailer")(told.handler(lambda _: heard.append("confirmed")))
    told.tick()
    assert heard == []
    told.tick(after=timedelta(seconds=1))
    assert heard == ["failed", "confirmed"]


# ---- several workers ----


def meanwhile(shop: Shop, other, does):
    """A handler during which another worker ticks."""

    async def slow_async(announcement: Announcement) -> None:
        does(announcement)
        assert (await other.tick()).problems == 0

    def slow(announcement: Announcement) -> None:
        does(announcement)
        assert other.tick().problems == 0

    return slow_async if shop.asynchronous else slow


def test_two_workers_do_not_both_run_a_slow_handler(told) -> None:
    other = told.new_gateway()
    ran: list[str] = []
    told.gateway.on(Announcement, name="printer")(meanwhile(told, other, lambda a: ran.append(a.id)))
    other.on(Announcement, name="printer")(told.handler(lambda a: ran.append(f"other {a.id}")))
    told.tick()
    assert ran == ["BK-1:1", "BK-1:2"]


def test_who_loses_the_save_of_the_lease_does_not_call(told) -> None:
    others = [told.new_gateway() for _ in range(8)]
    ran: list[str] = []
    for gateway in others:
        gateway.on(Announcement, name="printer")(told.handler(lambda a: ran.append(a.id)))
    told.together(*[gateway.tick for gateway in others])
    for _ in range(10):
        told.tick(others[0])
    assert ran == ["BK-1:1", "BK-1:2"]
    assert [a.id for a in told.heard] == ["BK-1:1", "BK-1:2"]


def test_a_handler_that_outlives_its_lease_is_called_by_another_worker_too(told) -> None:
    other = told.new_gateway()
    ran: list[str] = []

    def too_slow(announcement: Announcement) -> None:
        ran.append(announcement.id)
        told.pass_time(DELIVERY_LEASE)

    told.gateway.on(PaymentFailed, name="printer")(meanwhile(told, other, too_slow))
    other.on(PaymentFailed, name="printer")(told.handler(lambda a: ran.append(f"other {a.id}")))
    told.tick()
    assert ran == ["BK-1:1", "other BK-1:1"]
    assert not told.snapshot().ledger.announcements


def test_more_deliveries_than_one_visit_has_rounds_for_are_all_noted(told) -> None:
    ran: list[tuple[str, int]] = []
    for n in range(70):
        told.gateway.on(Announcement, f"s{n:02}")(told.handler(lambda a, n=n: ran.append((f"s{n:02}", a.sequence))))
    reports = [told.tick() for _ in range(4)]
    assert [r.problems for r in reports] == [0, 0, 0, 0]
    assert reports[-1].bookings == 0
    assert sorted(ran) == [(f"s{n:02}", sequence) for n in range(70) for sequence in (1, 2)]


# ---- dead letters ----


def dead(shop: Shop, name: str = "mailer") -> list[int]:
    """Let a subscriber fail until it is given up. Returns what it hears once it works again."""
    mailed: list[int] = []
    broken = [True]

    def mail(announcement: Announcement) -> None:
        if broken:
            raise OSError("to alice@canary.example: the mail server is away")
        mailed.append(announcement.sequence)

    shop.gateway.on(Announcement, name=name)(shop.handler(mail))
    for _ in range(MAX_DELIVERIES):
        shop.tick(after=timedelta(hours=1))
    broken.clear()
    return mailed


def test_a_subscriber_that_fails_for_a_day_leaves_a_dead_letter_and_an_error_in_the_log(told, caplog) -> None:
    mailed = dead(told)
    page = told.run(told.gateway.dead_letters())
    assert [(d.announcement.id, d.subscriber, d.tries, d.error) for d in page.items] == [
        ("BK-1:1", "mailer", MAX_DELIVERIES, "OSError")
    ]
    assert page.after is None
    assert "'BK-1:1': given up for 'mailer' after 36 tries (OSError)" in caplog.text
    assert [r.levelname for r in caplog.records if "given up" in r.getMessage()] == ["ERROR"]
    told.tick(after=timedelta(hours=1))
    assert mailed == [2]


def test_an_operator_lets_it_be_delivered_after_all(told) -> None:
    mailed = dead(told)
    assert told.run(told.gateway.redeliver("BK-1", 1)) == ("mailer",)
    told.tick()
    assert mailed == [1]
    told.tick(after=timedelta(seconds=1))
    assert mailed == [1, 2]
    assert told.run(told.gateway.dead_letters()).items == ()
    assert [a.sequence for a in told.heard] == [1, 2]
    with pytest.raises(NothingToRedeliver):
        told.run(told.gateway.redeliver("BK-1", 1))


def test_what_cannot_be_redelivered_is_refused(told) -> None:
    for sequence in (0, -1, True, "1", 1.0):
        with pytest.raises(InvalidRequest):
            told.run(told.gateway.redeliver("BK-1", sequence))
    with pytest.raises(NothingToRedeliver):
        told.run(told.gateway.redeliver("BK-1", 1))
    with pytest.raises(BookingNotFound):
        told.run(told.gateway.redeliver("BK-9", 1))
    with pytest.raises(InvalidRequest):
        told.run(told.gateway.redeliver("", 1))


def test_a_worker_without_any_handler_takes_announcements_for_delivered(told) -> None:
    bare = told.new_gateway(listening=False)
    told.tick(bare)
    assert told.heard == []
    assert not told.snapshot().ledger.announcements


# ---- colours ----


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
