"""Reconcile: what no event told is found in Stripe's books, and decided by the same rules."""

import shutil
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import create_engine
from tests.gateway.reconciled import DAY, GUIDES_TWO, STORIES, forgotten, found, pay, play, reconcile
from tests.gateway.shop import opened
from tests.support import BOOKING_ID, OWNER, PRICE, WEBHOOK_SECRET

from airport_payments import PaymentGateway, StripeSettings
from airport_payments.core.errors import StripeUnavailable
from airport_payments.core.model import Booking, BookingStatus, Place
from airport_payments.core.money import Money
from airport_payments.core.reconcile import DifferenceKind
from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository
from airport_payments.testing import FakeStripe, Fault


@pytest.mark.parametrize("story", STORIES, ids=lambda s: s.__name__)
def test_whatever_events_are_lost_reconcile_reaches_the_same_end(colour, story) -> None:
    whole, _ = play(colour, story, heard=lambda _: True)
    assert play(colour, story, heard=lambda kind: kind in GUIDES_TWO)[0] == whole
    assert play(colour, story, heard=lambda _: False)[0] == whole
    assert play(colour, story, heard=lambda _: True, made=False)[0] == whole


def test_a_payment_whose_event_was_never_generated_is_found(shop) -> None:
    shop.fake.lose_events(times=100)
    intent_id = pay(shop)
    assert not shop.fake.events
    report = reconcile(shop)
    (difference,) = report.differences
    assert (difference.kind, difference.booking_id, difference.object_id) == (
        DifferenceKind.BEHIND,
        BOOKING_ID,
        intent_id,
    )
    assert (difference.here, difference.at_stripe, difference.amount) == ("requires_payment_method", "succeeded", PRICE)
    assert report.money_minor == {"usd": PRICE.amount_minor}
    assert report.by_booking == {BOOKING_ID: (difference,)}
    assert shop.booking().status is BookingStatus.CONFIRMED
    assert [(line.event_id, line.fact) for line in shop.run(shop.memory.history(BOOKING_ID))][-1] == (
        "reconcile", "reconcile.payment_intent",
    )  # fmt: skip


def test_an_event_that_was_not_delivered_is_found_without_the_lists(shop) -> None:
    """The other way: the PaymentIntent is older than the window."""
    shop.fake.send_webhooks_to(lambda *_: 500, WEBHOOK_SECRET)
    intent_id = shop.create().payment_intent_id
    shop.pass_time(3 * DAY)
    shop.fake.pay(intent_id)
    assert found(reconcile(shop)) == [("behind", BOOKING_ID)]
    assert shop.booking().status is BookingStatus.CONFIRMED
    (event,) = shop.events("payment_intent.succeeded")
    assert shop.run(shop.memory.history(BOOKING_ID))[-1].event_id == event["id"]
    assert reconcile(shop).differences == ()


def test_a_refund_of_an_older_payment_is_found(shop) -> None:
    shop.fake.lose_events(times=100)
    intent_id = pay(shop)
    shop.pass_time(3 * DAY)
    shop.fake.refund(intent_id, 100)
    assert found(reconcile(shop)) == [("refund", BOOKING_ID)]
    assert shop.snapshot().ledger.payments[0].refunds[0].amount_minor == 100


def test_a_refund_that_was_made_after_the_window_is_found_with_its_payment(shop) -> None:
    shop.fake.lose_events(times=100)
    intent_id = pay(shop)
    since, until = shop.now - DAY, shop.now + timedelta(seconds=1)
    shop.pass_time(3 * DAY)
    shop.fake.refund(intent_id, 100)
    assert found(reconcile(shop, since=since, until=until)) == [("behind", BOOKING_ID), ("refund", BOOKING_ID)]


def test_what_both_ways_find_is_one_difference(shop) -> None:
    """Two declined cards: the list shows the second, an event that was not delivered tells of the first as well."""
    shop.fake.send_webhooks_to(lambda *_: 500, WEBHOOK_SECRET)
    intent_id = pay(shop, card="4000000000000002")
    shop.fake.pay(intent_id, "4000000000009995")
    (difference,) = reconcile(shop).differences
    assert (difference.object_id, difference.here) == (intent_id, "requires_payment_method")
    assert len([line for line in shop.history() if line.startswith("payment failed")]) == 2


def test_an_answer_that_was_lost_is_found(shop) -> None:
    """The create's answer never came: the attempt learns which PaymentIntent it is."""
    shop.fake.inject(Fault.connection_lost(), "POST", times=9, after_effect=True)
    with pytest.raises(StripeUnavailable):
        shop.create()
    shop.fake.clear_faults()
    (difference,) = reconcile(shop).differences
    assert (difference.kind, difference.here) == (DifferenceKind.MISSING, "opening")
    assert shop.create().payment_intent_id == difference.object_id


# ---- what this database never asked for ----------------------------------------------------------------------------


@pytest.mark.parametrize("rebuild", [False, True])
class TestARestoredBackup:
    def test_a_paid_attempt_confirms_if_it_is_put_back_and_is_reviewed_if_not(self, shop, rebuild) -> None:
        intent_id = pay(shop)
        assert shop.confirm(intent_id).completed
        forgotten(shop)
        report = reconcile(shop, rebuild=rebuild)
        assert found(report) == [("missing" if rebuild else "orphan", BOOKING_ID)]
        assert report.money_minor == {"usd": PRICE.amount_minor}
        assert shop.booking().status is (BookingStatus.CONFIRMED if rebuild else BookingStatus.PENDING)
        (payment,) = shop.snapshot().ledger.payments
        assert payment.place is (Place.ATTACHED if rebuild else Place.REVIEW)
        assert reconcile(shop, rebuild=rebuild).differences == ()

    def test_an_open_attempt_goes_on_if_it_is_put_back_and_is_cancelled_if_not(self, shop, rebuild) -> None:
        intent_id = shop.create().payment_intent_id
        forgotten(shop)
        reconcile(shop, rebuild=rebuild)
        shop.tick()
        assert shop.fake.intents[intent_id]["status"] == ("requires_payment_method" if rebuild else "canceled")
        assert (shop.create().payment_intent_id == intent_id) is rebuild

    def test_nothing_is_written_by_a_dry_run(self, shop, rebuild) -> None:
        shop.fake.refund(pay(shop), 100)
        forgotten(shop)
        report = reconcile(shop, rebuild=rebuild, dry_run=True)
        assert found(report) == [("missing" if rebuild else "orphan", BOOKING_ID), ("refund", BOOKING_ID)]
        assert shop.snapshot().ledger.version == 0
        assert shop.booking().status is BookingStatus.PENDING
        assert shop.run(shop.memory.history(BOOKING_ID)) == ()

    def test_a_second_payment_never_takes_the_place_of_the_first(self, shop, rebuild) -> None:
        """Two attempts, the first cancelled for a new price: each comes back as what it is."""
        from airport_payments.core.money import Money

        old = shop.create().payment_intent_id
        price = Money(200, "usd")
        shop.changed(price=price)
        new = shop.create(amount=price).payment_intent_id
        shop.fake.pay(new)
        forgotten(shop)
        shop.team(price=price)
        reconcile(shop, rebuild=rebuild)
        shop.tick()
        places = {p.intent_id: p.place for p in shop.snapshot().ledger.payments}
        assert places == {new: Place.ATTACHED if rebuild else Place.REVIEW, old: Place.NONE}

    def test_its_refunds_and_disputes_come_back_with_it(self, shop, rebuild) -> None:
        intent_id = pay(shop)
        assert shop.confirm(intent_id).completed
        shop.fake.refund(intent_id, 100)
        shop.fake.dispute(intent_id)
        forgotten(shop)
        reconcile(shop, rebuild=rebuild)
        (payment,) = shop.snapshot().ledger.payments
        assert ([r.amount_minor for r in payment.refunds], len(payment.disputes)) == ([100], 1)


def test_a_rebuilt_payment_of_another_price_confirms_nothing(shop) -> None:
    pay(shop)
    forgotten(shop)
    shop.team(price=Money(100, "usd"))
    reconcile(shop, rebuild=True)
    assert shop.booking().status is BookingStatus.PENDING
    assert shop.snapshot().ledger.payments[0].place is Place.REVIEW


def test_what_is_live_or_paid_is_never_put_aside_for_what_is_found(shop) -> None:
    """The backup was restored, the customer came back and opened another attempt: that one stands."""
    old = shop.create().payment_intent_id
    forgotten(shop)
    new = shop.create().payment_intent_id
    assert old != new
    reconcile(shop, rebuild=True)
    shop.tick()
    assert shop.fake.intents[old]["status"] == "canceled"
    assert shop.fake.intents[new]["status"] == "requires_payment_method"
    shop.fake.pay(new)
    assert shop.confirm(new).completed


def test_a_paid_orphan_waits_for_a_person_also_where_surplus_goes_back(colour) -> None:
    with opened(colour, surplus="refund") as shop:
        pay(shop)
        forgotten(shop)
        assert found(reconcile(shop)) == [("orphan", BOOKING_ID)]
        shop.tick()
        assert not shop.fake.refunds
        assert shop.snapshot().ledger.payments[0].place is Place.REVIEW


def test_a_restored_sqlite_file_gets_back_what_it_forgot(tmp_path) -> None:
    fake = FakeStripe("sk_test_fake")
    client = httpx.Client(transport=fake.transport())

    def shop():
        engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
        bookings = SqlAlchemyBookingRepository(engine)
        return (
            engine,
            PaymentGateway(bookings, StripeSettings("sk_test_fake", WEBHOOK_SECRET), http_client=client),
            bookings,
        )

    engine, gateway, bookings = shop()
    bookings.create_tables()
    bookings.add_booking(Booking(BOOKING_ID, OWNER, PRICE))
    engine.dispose()
    shutil.copy(tmp_path / "shop.db", tmp_path / "backup.db")
    engine, gateway, _ = shop()
    intent_id = gateway.create_payment(BOOKING_ID, owner=OWNER, amount=PRICE).payment_intent_id
    fake.pay(intent_id)
    assert gateway.confirm_payment(BOOKING_ID, intent_id, owner=OWNER).completed
    engine.dispose()
    for path in tmp_path.glob("shop.db*"):
        path.unlink()
    shutil.copy(tmp_path / "backup.db", tmp_path / "shop.db")
    engine, gateway, bookings = shop()
    since = datetime.now(UTC) - DAY
    assert gateway.payment_status(BOOKING_ID, owner=OWNER).booking_status == "pending"
    assert found(gateway.reconcile(since, rebuild=True)) == [("missing", BOOKING_ID)]
    assert gateway.payment_status(BOOKING_ID, owner=OWNER).booking_status == "pending"
    assert found(gateway.reconcile(since, rebuild=True, dry_run=False)) == [("missing", BOOKING_ID)]
    assert gateway.payment_status(BOOKING_ID, owner=OWNER).booking_status == "confirmed"
    assert gateway.reconcile(since, rebuild=True, dry_run=False).differences == ()
    engine.dispose()
    client.close()


# ---- whose it is ---------------------------------------------------------------------------------------------------


def test_two_databases_on_one_account_leave_each_others_alone(colour) -> None:
    with opened(colour) as ours, opened(colour, namespace="hotel") as theirs:
        theirs.fake = ours.fake
        theirs.gateway = theirs.new_gateway()
        mine, other = pay(ours), pay(theirs)
        for intent_id in (mine, other):
            ours.fake.refund(intent_id, 100)
        asked = len(ours.fake.requests)
        report = reconcile(ours)
        assert {d.object_id for d in report.differences} == {
            mine,
            *[r for r, o in ours.fake.refunds.items() if o["payment_intent"] == mine],
        }
        assert report.foreign == 2
        assert theirs.snapshot().ledger.payments[0].state == "open"
        # What the lists told of a PaymentIntent is not asked again for its refunds.
        assert not [r for r in ours.fake.requests[asked:] if r.path.startswith("/v1/payment_intents/")]
        assert [k for k, _ in found(reconcile(theirs))] == ["behind", "refund"]
        assert theirs.booking().status is BookingStatus.CONFIRMED


def test_ours_but_of_no_booking_is_unmatched_every_time(shop) -> None:
    intent_id = pay(shop)
    shop.fake.refund(intent_id, 100)
    shop.memory._bookings.clear()
    shop.memory._intents.clear()
    for _ in range(2):
        report = reconcile(shop)
        assert [(d.kind, d.booking_id, d.amount) for d in report.differences if d.object_id == intent_id] == [
            (DifferenceKind.UNMATCHED, BOOKING_ID, PRICE)
        ]


def test_a_connected_accounts_books_are_read_in_that_account(colour) -> None:
    with opened(colour, stripe_account="acct_1Mine") as shop:
        shop.fake.send_webhooks_to(lambda *_: 500, WEBHOOK_SECRET, account="acct_1Mine")
        intent_id = shop.create().payment_intent_id
        shop.fake.pay(intent_id, account="acct_1Mine")
        shop.fake.refund(intent_id, 100, account="acct_1Mine")
        assert found(reconcile(shop)) == [("behind", BOOKING_ID), ("refund", BOOKING_ID)]
        assert {r.account for r in shop.fake.requests} == {"acct_1Mine"}
        # What its own lists show is its own: nothing of it is asked for again.
        assert {r.path for r in shop.fake.requests if r.method == "GET"} == {
            f"/v1/{listing}" for listing in ("payment_intents", "refunds", "disputes", "events")
        }
