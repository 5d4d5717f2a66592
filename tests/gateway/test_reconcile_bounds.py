"""Reconcile is bounded, goes on from where it stopped, and leaves nothing half done."""

import base64
import contextlib
import json
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from tests.gateway.reconciled import DAY, disputed, end, forgotten, found, pay, play, reconcile, refunded_in_part
from tests.gateway.shop import Crash, opened
from tests.support import OWNER, PRICE, WEBHOOK_SECRET

from airport_payments import reconciling
from airport_payments.core.errors import (
    InvalidRequest,
    Misconfigured,
    ReconcileInterrupted,
    StorageUnavailable,
    StripeUnavailable,
)
from airport_payments.core.model import Booking, BookingStatus
from airport_payments.reconciling import PER_SECOND
from airport_payments.testing import Fault


@pytest.fixture
def many(colour, monkeypatch):
    """A shop with 25 bookings, all paid, of which it knows nothing; and a Stripe that gives 10 at a time."""
    monkeypatch.setattr(reconciling, "MAX_PAGE", 10)
    with opened(colour, *[Booking(f"BK-{n}", OWNER, PRICE) for n in range(25)]) as shop:
        for n in range(25):
            pay(shop, f"BK-{n}")
        yield shop


def test_every_page_is_read_and_told_of(many) -> None:
    told = []
    report = reconcile(many, progress=told.append)
    assert report.looked_at == 25
    assert sorted(b for _, b in found(report)) == sorted(f"BK-{n}" for n in range(25))
    assert all(many.booking(f"BK-{n}").status is BookingStatus.CONFIRMED for n in range(25))
    assert [(p.listing, p.looked_at, p.differences) for p in told] == [
        ("payment_intents", 10, 10), ("payment_intents", 20, 20), ("payment_intents", 25, 25),
        ("refunds", 25, 25), ("disputes", 25, 25), ("events", 25, 25),
    ]  # fmt: skip


def test_it_stops_at_the_limit_and_goes_on_from_its_cursor(many) -> None:
    since, cursor, ids = many.now - DAY, None, []
    for _ in range(20):
        report = reconcile(many, since=since, limit=7, cursor=cursor)
        assert report.looked_at <= 7
        ids += [b for _, b in found(report)]
        cursor = report.cursor
        many.pass_time(timedelta(seconds=10))
        if cursor is None:
            break
        assert cursor.isascii()
        assert cursor.isprintable()
    assert sorted(ids) == sorted(f"BK-{n}" for n in range(25))


def test_no_second_has_more_calls_than_stripe_likes(many) -> None:
    times = []

    def sleep(seconds: float) -> None:
        many.pass_time(timedelta(seconds=seconds))

    async def sleep_async(seconds: float) -> None:
        sleep(seconds)

    for asks in ("page", "perform"):
        many.hooks[asks] = lambda *_: times.append(many.now)
    for intent_id in many.fake.intents:
        many.fake.refund(intent_id, 100)
    reconcile(many, since=many.now - DAY, sleep=sleep_async if many.asynchronous else sleep)
    assert len(times) > 2 * PER_SECOND
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) >= timedelta(seconds=1 / PER_SECOND)


@pytest.mark.parametrize("kind", ["payment_intents", "refunds", "disputes", "events"])
def test_stripe_away_is_the_typed_error_and_what_was_done_stays_done(shop, kind) -> None:
    shop.fake.send_webhooks_to(lambda *_: 500, WEBHOOK_SECRET)
    intent_id = pay(shop)
    shop.fake.refund(intent_id, 100)
    shop.fake.dispute(intent_id)
    shop.fake.inject(Fault.connection_lost(), "GET", f"/v1/{kind}", times=9)
    since = shop.now - DAY
    with pytest.raises(ReconcileInterrupted) as caught:
        reconcile(shop, since=since)
    assert isinstance(caught.value.reason, StripeUnavailable)
    shop.fake.clear_faults()
    before = caught.value.report
    after = reconcile(shop, since=since, cursor=before.cursor)
    assert after.cursor is None
    both = {d.object_id for d in (*before.differences, *after.differences)}
    assert both == {intent_id, *shop.fake.refunds, *shop.fake.disputes}
    assert reconcile(shop, since=since).differences == ()


@pytest.mark.parametrize("method", ["get", "find", "save"])
def test_the_database_away_is_the_typed_error(shop, method) -> None:
    shop.fake.refund(pay(shop), 100)
    calls = []

    def away(*_: object, **__: object) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise StorageUnavailable

    shop.hooks[method] = away
    with pytest.raises(ReconcileInterrupted) as caught:
        reconcile(shop)
    assert isinstance(caught.value.reason, StorageUnavailable)
    shop.hooks.clear()
    reconcile(shop, cursor=caught.value.report.cursor)
    assert end(shop) == play("async" if shop.asynchronous else "sync", refunded_in_part, heard=lambda _: True)[0]


def test_a_refused_key_is_told_at_once(shop) -> None:
    shop.fake.inject(Fault.response(401, {"type": "invalid_request_error"}), "GET", times=9)
    with pytest.raises(Misconfigured):
        reconcile(shop)


def test_a_kill_at_any_write_leaves_nothing_that_a_second_run_does_not_find(colour) -> None:
    whole, _ = play(colour, disputed, heard=lambda _: True)
    for at in (1, 2, 3):
        with opened(colour) as shop:
            shop.fake.lose_events(times=100)
            disputed(shop)
            count = []

            def die(*_: object, at: int = at, count: list = count) -> None:
                count.append(1)
                if len(count) == at:
                    raise Crash

            shop.hooks["save"] = die
            with contextlib.suppress(Crash):
                reconcile(shop)
            assert len(count) == min(at, 2)
            shop.hooks.clear()
            reconcile(shop)
            shop.tick()
            assert end(shop) == whole


def test_one_thing_that_cannot_be_compared_leaves_the_others(colour) -> None:
    """A booking whose ledger a newer version wrote is left alone and said; the next one is confirmed."""
    with opened(colour, Booking("BK-1", OWNER, PRICE), Booking("BK-2", OWNER, PRICE)) as shop:
        for booking_id in ("BK-1", "BK-2"):
            pay(shop, booking_id)
        newer = replace(shop.memory._ledgers["BK-1"], newer=True)
        shop.memory._ledgers["BK-1"] = newer
        report = reconcile(shop)
        assert sorted(found(report)) == [("behind", "BK-2"), ("not_compared", "BK-1")]
        assert shop.memory._ledgers["BK-1"] == newer
        assert shop.booking("BK-2").status is BookingStatus.CONFIRMED


def test_thirty_two_runs_at_once_confirm_once(shop) -> None:
    pay(shop)
    since = shop.now - DAY
    reports = shop.together(*[lambda: shop.gateway.reconcile(since, dry_run=False)] * 32)
    assert [r.looked_at for r in reports] == [1] * 32
    assert sum(len(r.differences) for r in reports) == 1
    assert shop.history().count("paid: booking confirmed") == 1


def test_what_follows_wakes_the_worker(shop) -> None:
    shop.create()
    forgotten(shop)
    woken: list[bool] = []
    shop.gateway._runner._waker.set = lambda: woken.append(True)
    reconcile(shop, dry_run=True)
    assert not woken
    reconcile(shop)
    assert woken


class TestWhatIsNoWindowLimitOrCursor:
    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"since": "2026-11-01"}, "since"), ({"since": None}, "since"), ({"until": 5}, "until"),
            ({"limit": 0}, "limit"), ({"limit": True}, "limit"), ({"limit": 1.5}, "limit"), ({"limit": 1_000_001}, "limit"),
            ({"cursor": ""}, "cursor"), ({"cursor": "x"}, "cursor"), ({"cursor": "é"}, "cursor"), ({"cursor": 5}, "cursor"),
            ({"cursor": "W10="}, "cursor"), ({"cursor": "W" * 2000}, "cursor"),
        ],
    )  # fmt: skip
    def test_is_refused_by_name(self, shop, changes, field) -> None:
        with pytest.raises(InvalidRequest) as caught:
            reconcile(shop, **changes)
        assert [e.field for e in caught.value.errors] == [field]

    def test_times_without_a_zone_and_windows_that_end_before_they_begin(self, shop) -> None:
        for changes in (
            {"since": shop.now.replace(tzinfo=None)},
            {"until": shop.now - 2 * DAY},
            {"since": shop.now + DAY},
        ):
            with pytest.raises(InvalidRequest):
                reconcile(shop, **changes)

    def test_a_cursor_of_another_window(self, many) -> None:
        since = many.now - DAY
        cursor = reconcile(many, since=since, limit=1).cursor
        for changes in ({"since": since - DAY}, {"until": many.now + DAY}):
            with pytest.raises(InvalidRequest, match="another window"):
                reconcile(many, **{"since": since, "cursor": cursor, **changes})

    def test_a_cursor_that_stripe_has_forgotten(self, shop) -> None:
        since = shop.now - DAY
        place = [1, int(since.timestamp()), int(shop.now.timestamp()), "payment_intents", "pi_long_gone"]
        cursor = base64.urlsafe_b64encode(json.dumps(place).encode()).decode()
        with pytest.raises(InvalidRequest, match="too old"):
            reconcile(shop, since=since, cursor=cursor)

    def test_any_other_document_in_a_cursor(self, shop) -> None:
        since, until = int((shop.now - DAY).timestamp()), int(shop.now.timestamp())
        for document in (
            None, {}, [], [2, since, until, "events", None], [1, since, until, "charges", None], [1, since, until, "events", 5],
            [1, since, until, "events", "../x"], [1, "a", until, "events", None], [1, -1, until, "events", None],
            [1, since, 10**30, "events", None], [1, True, until, "events", None], [1, since, until, ["events"], None],
        ):  # fmt: skip
            cursor = base64.urlsafe_b64encode(json.dumps(document).encode()).decode()
            with pytest.raises(InvalidRequest):
                reconcile(shop, cursor=cursor)


def test_a_report_shows_no_secret(shop) -> None:
    pay(shop)
    report = reconcile(shop, progress=lambda p: repr(p))
    assert "_secret_" not in repr(report)
