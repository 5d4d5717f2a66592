"""`prune` and `erase_customer` beside everything else: webhooks, crashes, and thirty-two of themselves."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from tests.gateway.shop import Crash, Shop, opened
from tests.support import BOOKING_ID, OWNER, PRICE

from airport_payments import Booking, BookingStatus, ConfigurationError, InvalidRequest, Money, RefundTooLarge
from airport_payments.core.keeping import MAX_LOOKED_AT, is_settled
from airport_payments.gateway import PaymentGateway

YEAR = timedelta(days=365)
PART = Money(1000, "usd")


def settled(shop: Shop, booking_id: str = BOOKING_ID) -> str:
    """A booking that was declined once, then paid, then refunded in part, with all of it heard."""
    intent_id = shop.create(booking_id, key="key-1").payment_intent_id
    shop.fake.pay(intent_id, card="4000000000000002")
    shop.fake.pay(intent_id)
    for event in shop.events():
        shop.webhook(event)
    shop.run(shop.gateway.refund(booking_id, request_id=f"case-{booking_id}", amount=PART))
    drain(shop)
    return intent_id


def drain(shop: Shop) -> None:
    for _ in range(30):
        shop.tick(after=timedelta(hours=6))
        if is_settled(shop.snapshot().ledger):
            return
    raise AssertionError(shop.snapshot())


def prune(shop: Shop, **given: Any) -> Any:
    return shop.run(shop.gateway.prune(given.pop("before", shop.now), **given))


def erase(shop: Shop, owner: str = OWNER, **given: Any) -> Any:
    return shop.run(shop.gateway.erase_customer(owner, **given))


# ---- prune ----


def test_the_history_of_a_settled_booking_goes_and_its_money_is_told_as_before(shop) -> None:
    intent_id = settled(shop)
    known = shop.status(), shop.confirm(intent_id), shop.run(shop.gateway.explain(BOOKING_ID)).standing
    lines = len(shop.history())
    shop.pass_time(YEAR)
    told = prune(shop, before=shop.now - timedelta(days=180))
    assert (told.looked_at, told.pruned, told.lines, told.moving, told.after) == (1, 1, lines, 0, None)
    assert shop.history() == []
    ledger = shop.snapshot().ledger
    assert (ledger.payments[0].news, ledger.request_keys) == ((), ())
    assert (shop.status(), shop.confirm(intent_id), shop.run(shop.gateway.explain(BOOKING_ID)).standing) == known
    again = prune(shop)
    assert (again.pruned, again.lines) == (0, 0)


def test_what_happened_since_is_left_alone(shop) -> None:
    settled(shop)
    before, snapshot = shop.history(), shop.snapshot()
    told = prune(shop, before=shop.now - timedelta(days=30))
    assert (told.looked_at, told.pruned, told.moving) == (1, 0, 0)
    assert (shop.history(), shop.snapshot()) == (before, snapshot)


def test_a_dry_run_counts_the_same_and_writes_nothing(shop) -> None:
    settled(shop)
    shop.pass_time(YEAR)
    shop.hooks["save"] = shop.hooks["forget"] = lambda *_, **__: pytest.fail("it wrote")
    told = prune(shop, dry_run=True)
    shop.hooks.clear()
    assert told.lines
    assert prune(shop) == told


def test_money_that_is_still_moving_is_left_alone_however_old(colour) -> None:
    names = ("open", "review", "disputed", "untold")
    with opened(colour, *(Booking(name, OWNER, PRICE) for name in names)) as shop:
        for name in names:
            intent_id = shop.create(name).payment_intent_id
            if name == "review":
                shop.team(name, status=BookingStatus.CANCELLED)
            if name != "open":
                shop.fake.pay(intent_id)
            if name == "disputed":
                shop.fake.dispute(intent_id)
        for event in shop.events(""):
            if event["type"].startswith(("payment_intent", "charge.dispute")):
                shop.webhook(event)
        snapshots = [shop.run(shop.memory.get(name)) for name in names]
        lines = [shop.run(shop.memory.history(name)) for name in names]
        shop.pass_time(YEAR)
        told = prune(shop)
        assert (told.pruned, told.moving) == (0, len(names))
        assert [shop.run(shop.memory.get(name)) for name in names] == snapshots
        assert [shop.run(shop.memory.history(name)) for name in names] == lines


def test_a_large_table_is_walked_through_in_calls_of_a_bounded_size(colour) -> None:
    names = [f"b-{n}" for n in range(7)]
    with opened(colour, *(Booking(name, OWNER, PRICE) for name in names)) as shop:
        for name in names:
            shop.create(name)
            shop.run(shop.gateway.cancel(name))
        for _ in range(3):
            shop.tick(after=timedelta(hours=1))
        shop.pass_time(YEAR)
        asked: list[int] = []
        shop.hooks["newest"] = lambda *, after, limit: asked.append(limit)
        after, calls, pruned = None, 0, 0
        while calls == 0 or after is not None:
            told = prune(shop, after=after, limit=3)
            after, calls, pruned = told.after, calls + 1, pruned + told.pruned
            assert told.looked_at <= 3
        assert (calls, pruned) == (3, 7)
        assert max(asked) <= 3


@pytest.mark.parametrize("bad", [{"limit": 0}, {"limit": MAX_LOOKED_AT + 1}, {"after": "a/b"}])
def test_bad_arguments_are_refused(shop, bad) -> None:
    with pytest.raises(InvalidRequest):
        prune(shop, **bad)
    with pytest.raises(InvalidRequest):
        erase(shop, **bad)
    with pytest.raises(InvalidRequest):
        prune(shop, before=shop.now + timedelta(seconds=1))
    with pytest.raises(InvalidRequest):
        erase(shop, owner="")


def test_a_repository_that_cannot_forget_is_told_what_it_lacks(shop) -> None:
    class Plain:
        get = find = save = due = history = print
        newest = None

    gateway = PaymentGateway(Plain(), shop.settings, port=object(), clock=lambda: shop.now)
    with pytest.raises(ConfigurationError, match="newest, owned_by, forget"):
        gateway.prune(shop.now)


def test_one_booking_that_cannot_be_read_keeps_no_other_waiting(colour, caplog) -> None:
    from airport_payments.core.codec import UnreadableLedger

    with opened(colour, Booking("a", OWNER, PRICE), Booking(BOOKING_ID, OWNER, PRICE)) as shop:
        shop.create("a")
        settled(shop)
        shop.pass_time(YEAR)

        def get(booking_id: str) -> None:
            if booking_id == "a":
                raise UnreadableLedger("made by a newer version")

        shop.hooks["get"] = get
        told = prune(shop)
        assert (told.pruned, told.moving) == (1, 1)
        assert "'a'" in caplog.text


# ---- what comes late ----


def test_events_that_come_again_change_nothing(shop) -> None:
    settled(shop)
    events = shop.events("")
    shop.pass_time(YEAR)
    prune(shop)
    snapshot, calls = shop.snapshot(), len(shop.calls())
    for event in events:
        shop.webhook(event)
    for _ in range(3):
        shop.tick(after=timedelta(hours=1))
    assert (shop.snapshot(), shop.history(), len(shop.calls())) == (snapshot, [], calls)


def test_the_same_request_for_a_refund_gives_nothing_back_twice(shop) -> None:
    settled(shop)
    shop.pass_time(YEAR)
    prune(shop)
    again = shop.run(shop.gateway.refund(BOOKING_ID, request_id=f"case-{BOOKING_ID}", amount=PART))
    assert [r["amount"] for r in shop.fake.refunds.values()] == [1000]
    assert again.refund_id in shop.fake.refunds
    with pytest.raises(RefundTooLarge):
        shop.run(shop.gateway.refund(BOOKING_ID, request_id="case-all", amount=PRICE))
    shop.run(shop.gateway.refund(BOOKING_ID, request_id="case-rest"))
    assert sorted(r["amount"] for r in shop.fake.refunds.values()) == [1000, 44099]
    keys = [r.idempotency_key for r in shop.calls() if r.path == "/v1/refunds"]
    assert len(set(keys)) == len(keys)


def test_a_refund_and_a_dispute_from_elsewhere_months_later_are_known_and_told(shop) -> None:
    intent_id = settled(shop)
    shop.pass_time(YEAR)
    prune(shop)
    seen = len(shop.events(""))
    shop.heard.clear()
    shop.fake.dispute(intent_id, 2000)
    for event in shop.events("")[seen:]:
        shop.webhook(event)
    for _ in range(5):
        shop.tick(after=timedelta(hours=1))
    assert shop.status().payment_status == "disputed"
    assert [type(a).__name__ for a in shop.heard] == ["PaymentDisputed"]
    assert shop.heard[0].sequence > 3  # it goes on counting


# ---- races and crashes ----


def disputed_meanwhile(shop: Shop, step: str) -> Any:
    """Return a hook: at that step, once, another process is told by webhook that the payment is disputed."""
    shop.fake.dispute(shop.snapshot().ledger.payments[0].intent_id, 2000)
    body, header = shop.signed(shop.events("charge.dispute")[0])

    def told_elsewhere() -> None:
        outcome = shop.new_gateway(listening=False).handle_webhook(body, header)
        if shop.asynchronous:
            asyncio.run(outcome)

    def hook(*_: object, **__: object) -> None:
        del shop.hooks[step]
        with ThreadPoolExecutor(1) as other:
            other.submit(told_elsewhere).result()

    return hook


def test_a_webhook_between_reading_and_writing_is_not_lost(shop) -> None:
    settled(shop)
    shop.pass_time(YEAR)
    shop.hooks["save"] = disputed_meanwhile(shop, "save")
    told = prune(shop, before=shop.now)
    assert (told.pruned, told.moving) == (0, 1)
    assert shop.status().payment_status == "disputed"
    assert shop.history()


def test_a_line_that_is_written_while_the_history_goes_stays(shop) -> None:
    settled(shop)
    shop.pass_time(YEAR)
    shop.hooks["forget"] = disputed_meanwhile(shop, "forget")
    lines = len(shop.history())
    prune(shop)
    assert len(shop.history()) > lines  # it moved on, so nothing of it went
    assert shop.status().payment_status == "disputed"


@pytest.mark.parametrize("step", ["get", "history", "save", "forget"])
def test_killed_at_any_step_the_next_run_goes_on(shop, step) -> None:
    settled(shop)
    shop.pass_time(YEAR)
    known = shop.status()

    def die(*_: object, **__: object) -> None:
        raise Crash

    shop.hooks[step] = die
    with pytest.raises(Crash):
        prune(shop)
    shop.hooks.clear()
    assert shop.status() == known
    assert prune(shop).pruned == 1
    assert shop.history() == []
    assert shop.snapshot().ledger.payments[0].news == ()


def test_thirty_two_at_once_beside_thirty_two_webhooks(shop) -> None:
    settled(shop)
    shop.pass_time(YEAR)
    shop.fake.dispute(shop.snapshot().ledger.payments[0].intent_id, 2000)
    body, header = shop.signed(shop.events("charge.dispute")[0])
    now = shop.now
    calls = [lambda: shop.gateway.prune(now), lambda: shop.gateway.handle_webhook(body, header)] * 32
    for result in shop.together(*calls):
        assert not isinstance(result, Exception), result
    assert shop.status().payment_status == "disputed"
    assert sum("dispute" in line for line in shop.history()) == 1
    assert len(shop.snapshot().ledger.payments[0].disputes) == 1


# ---- erase_customer ----


def test_a_customers_settled_bookings_are_erased_however_new_and_the_moving_ones_named(colour) -> None:
    bookings = [Booking(BOOKING_ID, OWNER, PRICE), Booking("open", OWNER, PRICE), Booking("theirs", "bob", PRICE)]
    with opened(colour, *bookings, Booking("untouched", OWNER, PRICE)) as shop:
        settled(shop)
        shop.create("open")
        shop.create("theirs", owner="bob")
        shop.run(shop.gateway.cancel("theirs"))
        known, theirs = shop.status(), shop.history("theirs")
        told = erase(shop)
        assert (told.erased, told.moving, told.after) == ((BOOKING_ID, "untouched"), ("open",), None)
        assert told.lines
        assert (shop.history(), shop.history("theirs")) == ([], theirs)
        assert shop.history("open")
        assert shop.status() == known
        shop.run(shop.gateway.cancel("open"))
        for _ in range(3):
            shop.tick(after=timedelta(hours=1))
        assert erase(shop).moving == ()
        assert erase(shop, "nobody").erased == ()


def test_erasing_is_paged_and_may_be_killed(colour) -> None:
    names = [f"b-{n}" for n in range(5)]
    with opened(colour, *(Booking(name, OWNER, PRICE) for name in names)) as shop:
        for name in names:
            shop.create(name)
            shop.run(shop.gateway.cancel(name))
        for _ in range(3):
            shop.tick(after=timedelta(hours=1))
        first = erase(shop, limit=2)
        assert (first.erased, first.after) == (("b-0", "b-1"), "b-1")

        def die(booking_id: str, **_: object) -> None:
            if booking_id == "b-3":
                raise Crash

        shop.hooks["forget"] = die
        with pytest.raises(Crash):
            erase(shop, after=first.after)
        shop.hooks.clear()
        assert erase(shop).erased == tuple(names)
        assert [line for name in names for line in shop.history(name)] == []


def test_no_word_that_a_customer_typed_or_was_told_is_left(shop) -> None:
    settled(shop)
    erase(shop)
    left = repr((shop.snapshot().ledger, shop.history()))
    for word in (OWNER, "declined", "ch_", "key-1"):
        assert word not in left
