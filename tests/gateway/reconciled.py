"""Stories of what happens to a payment, told by whichever events arrive, and how they end once they were reconciled."""

import copy
from datetime import timedelta

from tests.gateway.shop import Shop, opened
from tests.support import BOOKING_ID, WEBHOOK_SECRET

from airport_payments.core.model import BookingStatus
from airport_payments.core.money import Money

DAY = timedelta(days=1)


def reconcile(shop, **given):
    """Reconcile the last day, for good unless told otherwise, and at no pace."""
    shop.gateway._reconciler._sleep = given.pop("sleep", shop._no_sleep())
    return shop.run(shop.gateway.reconcile(given.pop("since", shop.now - DAY), **{"dry_run": False, **given}))


def forgotten(shop) -> None:
    """Restore the backup from before the first payment: the tables forget, Stripe's books do not."""
    with opened("async" if shop.asynchronous else "sync") as fresh:
        for name in ("_bookings", "_ledgers", "_index", "_intents", "_due", "_history"):
            setattr(shop.memory, name, copy.deepcopy(getattr(fresh.memory, name)))


def found(report) -> list[tuple[str, str | None]]:
    return [(d.kind.value, d.booking_id) for d in report.differences]


def pay(shop, booking_id=BOOKING_ID, *, card="4242424242424242") -> str:
    intent_id = shop.create(booking_id).payment_intent_id
    shop.fake.pay(intent_id, card)
    return intent_id


def end(shop) -> list[object]:
    """How everything ended, without what differs from one run to the next."""
    shown: list[object] = []
    for booking_id in sorted(shop.memory._bookings):
        ledger = shop.snapshot(booking_id).ledger
        shown.append((booking_id, shop.booking(booking_id).status))
        for p in sorted(ledger.payments, key=lambda p: p.attempt_id):
            refunds = sorted((r.amount_minor, r.state) for r in p.refunds)
            disputes = sorted((d.amount_minor, d.status) for d in p.disputes)
            shown.append((p.state, p.place, p.review, p.received_minor, p.stray, refunds, disputes))
    return shown


def paid(shop) -> None:
    pay(shop)


def declined_then_paid(shop) -> None:
    shop.fake.pay(pay(shop, card="4000000000000002"))


def declined(shop) -> None:
    pay(shop, card="4000000000000002")


def left_alone(shop) -> None:
    shop.create()


def canceled_by_hand(shop) -> None:
    intent_id = shop.create().payment_intent_id
    shop.fake.handle("POST", f"/v1/payment_intents/{intent_id}/cancel", {"Authorization": "Bearer sk_test_fake"})


def refunded_in_part(shop) -> None:
    shop.fake.refund(pay(shop), 100)


def refunded_twice(shop) -> None:
    intent_id = pay(shop)
    shop.fake.refund(intent_id, 100)
    shop.fake.refund(intent_id)


def a_refund_that_came_back(shop) -> None:
    shop.fake.fail_refund(shop.fake.refund(pay(shop), 100)["id"])


def a_refund_that_waits(shop) -> None:
    shop.fake.refund(pay(shop), 100, status="pending")


def disputed(shop) -> None:
    shop.fake.dispute(pay(shop))


def dispute_lost(shop) -> None:
    shop.fake.close_dispute(shop.fake.dispute(pay(shop))["id"], "lost")


def paid_when_it_was_cancelled(shop) -> None:
    intent_id = shop.create().payment_intent_id
    shop.team(status=BookingStatus.CANCELLED)
    shop.fake.pay(intent_id)


def paid_at_another_price(shop) -> None:
    intent_id = shop.create().payment_intent_id
    shop.team(price=Money(100, "usd"))
    shop.fake.pay(intent_id)


GUIDES_TWO = ("payment_intent.succeeded", "payment_intent.payment_failed")
STORIES = [
    paid, declined_then_paid, declined, left_alone, canceled_by_hand, refunded_in_part, refunded_twice, a_refund_that_came_back,
    a_refund_that_waits, disputed, dispute_lost, paid_when_it_was_cancelled, paid_at_another_price,
]  # fmt: skip


def play(colour, story, *, heard, made=True) -> tuple[list[object], Shop]:
    """Play a story; `heard` says which events arrive, `made` whether Stripe makes any. Then reconcile, and tick."""
    with opened(colour) as shop:
        if not made:
            shop.fake.lose_events(times=10_000)
        shop.fake.send_webhooks_to(lambda *_: 500, WEBHOOK_SECRET)
        story(shop)
        shop.pass_time(timedelta(seconds=2))
        for event in shop.events(""):
            if heard(event["type"]):
                shop.webhook(event)
        before = copy.deepcopy(shop.memory._ledgers)
        dry = reconcile(shop, dry_run=True)
        assert shop.memory._ledgers == before
        report = reconcile(shop)
        assert found(dry) == found(report)
        again = reconcile(shop)
        assert (again.differences, again.cursor) == ((), None)
        shop.tick()
        assert reconcile(shop).differences == ()
        return end(shop), shop
