"""`tick` and `work`: bounded, fair, awake at a commit."""

import asyncio
import threading
import time
from datetime import timedelta

import pytest
from tests.gateway.shop import Shop, opened
from tests.support import OWNER, PRICE

from airport_payments.core.errors import InvalidRequest, StorageUnavailable
from airport_payments.core.model import Booking, BookingStatus


@pytest.fixture
def five(colour):
    """Five bookings whose payments have to be cancelled."""
    with opened(colour, *[Booking(f"B{n}", OWNER, PRICE) for n in range(5)]) as shop:
        for n in range(5):
            shop.create(f"B{n}")
            shop.team(f"B{n}", status=BookingStatus.CANCELLED)
        yield shop


def canceled(shop: Shop) -> int:
    return sum(i["status"] == "canceled" for i in shop.fake.intents.values())


def test_a_tick_looks_after_at_most_its_limit_and_says_whether_more_is_due(five) -> None:
    seen = [(five.tick(limit=2), canceled(five)) for _ in range(3)]
    assert [(r.bookings, r.more, done) for r, done in seen] == [(2, True, 2), (2, True, 4), (1, False, 5)]


def test_what_keeps_failing_starves_nobody(five) -> None:
    def hook(booking_id: str) -> None:
        if booking_id in {"B0", "B1"}:
            raise StorageUnavailable

    five.hooks["get"] = hook
    for _ in range(3):
        five.tick(limit=2)
    assert canceled(five) == 3
    five.hooks.clear()
    for _ in range(3):
        five.tick(limit=2)
    assert canceled(five) == 5


def test_a_tick_acts_at_the_time_that_it_is_given(shop) -> None:
    shop.create()
    assert shop.tick().bookings == 0
    report = shop.tick(now=shop.now + timedelta(hours=1))
    assert report.bookings == 1
    assert len(shop.calls("GET")) == 1


def test_with_nothing_due_nothing_is_asked(shop) -> None:
    shop.create()
    asked = len(shop.fake.requests)
    report = shop.tick()
    assert (report.bookings, report.problems, report.more) == (0, 0, False)
    assert len(shop.fake.requests) == asked


def test_pain_22_a_payment_whose_webhook_never_comes_is_found(paid) -> None:
    paid.tick(after=timedelta(minutes=16))
    assert paid.booking().status is BookingStatus.CONFIRMED


def worked(shop: Shop, days: float) -> None:
    """Let time pass, with a worker that looks every hour."""
    for _ in range(int(days * 24)):
        shop.tick(after=timedelta(hours=1))


@pytest.mark.parametrize("days", [0.5, 3, 8])
def test_who_comes_back_after_days_and_pays_within_five_is_found_though_no_webhook_comes(shop, days) -> None:
    given = shop.create()
    worked(shop, days)
    assert shop.create().payment_intent_id == given.payment_intent_id
    worked(shop, 5)
    shop.fake.pay(given.payment_intent_id)
    worked(shop, 1)
    assert shop.booking().status is BookingStatus.CONFIRMED


class Worker:
    """`work` of either colour, in the background of a block, and a way to wait for what it does."""

    def __init__(self, shop: Shop, every_s: float) -> None:
        self.shop, self.every_s = shop, every_s

    def run(self, deed, until, timeout_s: float = 5.0) -> float:
        """Start working, do something, wait until it has had its effect, stop. Returns the seconds from deed to effect."""
        return (
            self.shop.runner.run(self._async(deed, until, timeout_s))
            if self.shop.asynchronous
            else self._sync(deed, until, timeout_s)
        )

    def _sync(self, deed, until, timeout_s: float) -> float:
        stop = threading.Event()
        thread = threading.Thread(target=self.shop.gateway.work, args=(stop, self.every_s))
        thread.start()
        try:
            time.sleep(0.05)
            began = time.monotonic()
            deed()
            while not until() and time.monotonic() - began < timeout_s:
                time.sleep(0.005)
            took = time.monotonic() - began
        finally:
            stop.set()
            self.shop.gateway.wake()
            thread.join(5)
        assert not thread.is_alive(), "work() did not stop"
        return took

    async def _async(self, deed, until, timeout_s: float) -> float:
        stop = asyncio.Event()
        task = asyncio.create_task(self.shop.gateway.work(stop, self.every_s))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await deed()
        while not until() and time.monotonic() - began < timeout_s:
            await asyncio.sleep(0.005)
        took = time.monotonic() - began
        stop.set()
        self.shop.gateway.wake()
        await asyncio.wait_for(task, 5)
        return took


def test_work_wakes_at_a_commit_that_leaves_something_due_and_stops_when_told(paid) -> None:
    body, header = paid.signed(paid.events("payment_intent.succeeded")[0])
    took = Worker(paid, every_s=60).run(lambda: paid.gateway.handle_webhook(body, header), lambda: paid.heard)
    assert [type(a).__name__ for a in paid.heard] == ["BookingConfirmed"]
    assert took < 2


@pytest.mark.parametrize("every_s", [0, -1, float("nan"), float("inf"), 86_401, "1", None, True])
def test_work_refuses_a_pace_that_is_none(shop, every_s) -> None:
    """Below zero it would never rest, and a text would only be found where it first waits."""
    stop = asyncio.Event() if shop.asynchronous else threading.Event()
    stop.set()
    with pytest.raises(InvalidRequest, match="every_s"):
        shop.run(shop.gateway.work(stop, every_s))


def test_work_ticks_every_so_often_without_a_commit(shop) -> None:
    intent_id = shop.create().payment_intent_id

    async def nothing() -> None: ...

    def deed() -> object:
        shop.team(status=BookingStatus.CANCELLED)
        return nothing() if shop.asynchronous else None

    Worker(shop, every_s=0.02).run(deed, lambda: shop.fake.intents[intent_id]["status"] == "canceled")
    assert shop.fake.intents[intent_id]["status"] == "canceled"


def test_work_outlives_a_database_that_is_away(paid, caplog) -> None:
    for event in paid.events():
        paid.webhook(event)
    failures = iter([1, 2, 3])

    def hook(**_: object) -> None:
        if next(failures, None):
            raise StorageUnavailable

    paid.hooks["due"] = hook

    async def nothing() -> None: ...

    Worker(paid, every_s=0.01).run(lambda: nothing() if paid.asynchronous else None, lambda: paid.heard)
    assert len(paid.heard) == 1
    assert "tick failed: StorageUnavailable" in caplog.text


def test_work_goes_on_at_once_while_more_is_due(five, monkeypatch) -> None:
    limits = five.gateway.tick
    monkeypatch.setattr(five.gateway, "tick", lambda: limits(limit=1))

    async def nothing() -> None: ...

    took = Worker(five, every_s=60).run(
        lambda: nothing() if five.asynchronous else None, lambda: canceled(five) == 5, timeout_s=3
    )
    assert canceled(five) == 5
    assert took < 3
