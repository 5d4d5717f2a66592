"""What waits for a person, and the story of a booking: all of it, in order, without secrets or personal data."""

import json
from datetime import timedelta

import pytest
from tests.gateway.shop import Shop, opened
from tests.support import BOOKING_ID, OWNER, PRICE

from airport_payments.core.announcements import Announcement
from airport_payments.core.decide.table import MAX_DELIVERIES
from airport_payments.core.errors import BookingNotFound, InvalidRequest, PaymentsError
from airport_payments.core.facts import RefusalKind, Refused
from airport_payments.core.model import Booking, BookingStatus, ReviewReason
from airport_payments.core.money import Money
from airport_payments.core.options import PaymentOptions
from airport_payments.loop import MAX_PAGES_READ, PAGE

CANARY = "canary@personal.example"


def reviewed(shop: Shop, booking_id: str = BOOKING_ID) -> str:
    """A booking that was cancelled while its customer paid. Returns the PaymentIntent."""
    intent_id = shop.create(booking_id).payment_intent_id
    shop.fake.pay(intent_id)
    shop.team(booking_id, status=BookingStatus.CANCELLED)
    shop.webhook(next(e for e in shop.events("payment_intent.succeeded") if e["data"]["object"]["id"] == intent_id))
    return intent_id


def everything(shop: Shop) -> str:
    """A booking that was declined, paid and refunded in part. Returns the PaymentIntent."""
    intent_id = shop.create().payment_intent_id
    shop.fake.pay(intent_id, "4000000000000002")
    shop.fake.pay(intent_id)
    for event in shop.events():
        shop.webhook(event)
    shop.run(shop.gateway.refund(BOOKING_ID, amount=Money(10_000, "usd"), request_id="r1", reason="duplicate"))
    for event in shop.events(""):
        shop.webhook(event)
    shop.tick()
    return intent_id


# ---- what waits for a person ----


def test_money_in_review_is_listed_until_it_is_resolved(shop) -> None:
    intent_id = reviewed(shop)
    shop.tick()
    (waiting,) = shop.run(shop.gateway.needs_attention()).items
    assert (waiting.booking_id, waiting.booking_status) == (BOOKING_ID, BookingStatus.CANCELLED)
    (money,) = waiting.reviews
    assert (money.payment_intent_id, money.amount_minor, money.currency) == (intent_id, PRICE.amount_minor, "usd")
    assert money.reason is ReviewReason.LATE
    assert (waiting.disputes, waiting.dead_letters) == ((), ())
    shop.run(shop.gateway.resolve(BOOKING_ID, money.payment_intent_id, "keep", by="operator-7"))
    assert shop.run(shop.gateway.needs_attention()).items == ()


def test_a_dispute_is_listed_until_it_is_answered(shop) -> None:
    intent_id = shop.create().payment_intent_id
    shop.fake.pay(intent_id, "4000000000000259")
    for event in shop.events(""):
        shop.webhook(event)
    shop.tick()
    (waiting,) = shop.run(shop.gateway.needs_attention()).items
    (dispute,) = waiting.disputes
    assert (dispute.payment_intent_id, dispute.amount_minor, dispute.reason) == (intent_id, 45099, "fraudulent")
    assert dispute.due_by is not None
    assert dispute.due_by > shop.now
    shop.fake.close_dispute(dispute.dispute_id, "won")
    for event in shop.events("charge.dispute.closed"):
        shop.webhook(event)
    shop.tick()
    assert shop.run(shop.gateway.needs_attention()).items == ()


def test_nothing_else_is_listed_however_much_is_due(shop) -> None:
    everything(shop)
    shop.memory.put_booking(Booking("BK-2", OWNER, PRICE))
    shop.create("BK-2")
    page = shop.run(shop.gateway.needs_attention())
    assert (page.items, page.after) == ((), None)


def test_it_is_listed_while_a_tick_still_has_something_to_do_for_it(shop) -> None:
    reviewed(shop)
    assert shop.snapshot().ledger.announcements
    assert len(shop.run(shop.gateway.needs_attention()).items) == 1


def test_no_tick_looks_after_what_waits_for_a_person_alone(shop) -> None:
    reviewed(shop)
    shop.tick()
    before = shop.snapshot()
    for _ in range(3):
        assert shop.tick(after=timedelta(days=400)).bookings == 0
    assert shop.snapshot() == before


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_the_list_comes_in_pages_in_the_order_of_the_bookings(colour, limit) -> None:
    names = [f"B{n}" for n in range(7)]
    with opened(colour, *[Booking(name, OWNER, PRICE) for name in names]) as shop:
        for name in names:
            if name in {"B1", "B3", "B4", "B6"}:
                reviewed(shop, name)
            else:
                shop.create(name)  # is due, and waits for nobody
        found, after = [], None
        for _ in range(10):
            page = shop.run(shop.gateway.needs_attention(after=after, limit=limit))
            found += [b.booking_id for b in page.items]
            assert len(page.items) <= limit
            after = page.after
            if after is None:
                break
        assert (after, found) == (None, ["B1", "B3", "B4", "B6"])


def test_one_call_reads_a_bounded_number_of_ledgers_and_says_where_to_go_on(shop) -> None:
    names = [f"B{n:05}" for n in range(PAGE * MAX_PAGES_READ + 1)]
    reads: list[str] = []

    def due(*, after: str | None, limit: int, **_: object) -> list[str]:
        return [name for name in names if after is None or name > after][:limit]

    shop.hooks |= {"get": reads.append, "due": due}
    page = shop.run(shop.gateway.needs_attention())
    assert (page.items, page.after, len(reads)) == ((), names[-2], len(names) - 1)
    assert shop.run(shop.gateway.needs_attention(after=page.after)).after is None


@pytest.mark.parametrize("asked", [{"limit": 0}, {"limit": 1001}, {"limit": True}, {"limit": "9"}, {"after": ""}])
def test_what_cannot_be_listed_is_refused(shop, asked) -> None:
    for method in (shop.gateway.needs_attention, shop.gateway.dead_letters):
        with pytest.raises(InvalidRequest):
            shop.run(method(**asked))


# ---- the story ----


def test_the_story_tells_how_it_stands_what_is_to_come_and_what_happened(shop) -> None:
    intent_id = everything(shop)
    story = shop.run(shop.gateway.explain(BOOKING_ID))
    assert story.standing[0] == "Booking BK-1 is confirmed. It costs 450.99 USD."
    assert story.standing[1] == f"Payment {intent_id} of 450.99 USD: paid: 450.99 USD; it confirmed the booking."
    assert story.standing[2].endswith("of 100.00 USD: given back.")
    assert story.coming == ()
    told = "\n".join(story.timeline)
    for words in ("payment failed: ", "paid: booking confirmed", "refund attempt1.0 of 100.00 USD commanded", "evt_"):
        assert words in told
    assert told.index("payment failed") < told.index("paid: booking confirmed") < told.index("commanded")
    assert str(story) == "\n".join(story.lines)
    assert story.history == shop.run(shop.gateway.history(BOOKING_ID))


def test_it_says_what_a_person_has_to_do(shop) -> None:
    intent_id = reviewed(shop)
    coming = shop.run(shop.gateway.explain(BOOKING_ID)).coming
    assert any("tell your handlers of announcement 1 (PaymentNeedsReview)" in line for line in coming)
    assert f"  A person has to decide about {intent_id}: confirm, refund or keep it (resolve)." in coming


def test_it_says_what_is_due_and_when(shop) -> None:
    class Away(Exception): ...

    def away(*_: object) -> None:
        raise Away

    shop.team(hold_until=shop.now + timedelta(hours=1))
    shop.hooks["perform"] = away
    with pytest.raises(Away):
        shop.create()
    assert shop.run(shop.gateway.explain(BOOKING_ID)).coming == (
        "  2026-11-01 13:00:00 UTC: its hold is over, and it is cancelled.",
        "  2026-11-01 12:01:30 UTC: open a PaymentIntent of 450.99 USD (attempt attempt1).",
    )


def test_a_booking_of_which_nothing_is_known_has_a_story_too(shop) -> None:
    lines = shop.run(shop.gateway.explain(BOOKING_ID)).lines
    nothing = ("", "What is to come:", "  nothing", "", "What happened:", "  nothing")
    assert lines == ("Booking BK-1 is pending. It costs 450.99 USD.", *nothing)


def test_there_is_no_story_of_a_booking_that_does_not_exist(shop) -> None:
    for method in (shop.gateway.explain, shop.gateway.history):
        with pytest.raises(BookingNotFound):
            shop.run(method("BK-9"))
        with pytest.raises(InvalidRequest):
            shop.run(method(""))


def test_a_customer_reads_the_history_of_their_own_bookings_only(shop) -> None:
    shop.create()
    assert shop.run(shop.gateway.history(BOOKING_ID, owner=OWNER))[0].decision.endswith("opened")
    with pytest.raises(BookingNotFound):
        shop.run(shop.gateway.history(BOOKING_ID, owner="mallory"))


def test_no_story_shows_a_secret_or_personal_data(colour) -> None:
    with opened(colour, Booking(BOOKING_ID, CANARY, PRICE)) as shop:

        def mail(_: object) -> None:
            raise OSError(CANARY)

        options = PaymentOptions(receipt_email=CANARY, description=CANARY, metadata={"name": CANARY})
        asked = {"owner": CANARY, "amount": PRICE, "idempotency_key": CANARY, "options": options}
        created = shop.run(shop.gateway.create_payment(BOOKING_ID, **asked))
        shop.gateway.on(Announcement, name="mailer")(shop.handler(mail))
        shop.fake.pay(created.payment_intent_id, "4000000000000002")
        shop.fake.pay(created.payment_intent_id)
        for event in shop.events():
            shop.webhook(event)
        with pytest.raises(PaymentsError):
            shop.run(shop.gateway.refund(BOOKING_ID, amount=Money(PRICE.amount_minor + 1, "usd"), request_id=CANARY))
        shop.run(shop.gateway.refund(BOOKING_ID, request_id=CANARY))
        for _ in range(MAX_DELIVERIES + 1):
            shop.tick(after=timedelta(hours=1))
        assert shop.snapshot().ledger.dead_letters
        story = shop.run(shop.gateway.explain(BOOKING_ID))
        waiting = shop.run(shop.gateway.needs_attention())
        assert waiting.items
        for text in (str(story), repr(story), repr(waiting), json.dumps(story.lines)):
            assert CANARY not in text
            assert created.client_secret.reveal() not in text
            assert "_secret_" not in text


def test_a_refusal_of_stripes_is_kept_by_its_code_not_by_its_words(colour) -> None:
    with opened(colour, Booking(BOOKING_ID, CANARY, PRICE)) as shop:
        refused = Refused(RefusalKind.INVALID, f"email_invalid: {CANARY} is not an address")
        shop.hooks["perform"] = lambda *_: refused
        with pytest.raises(PaymentsError):
            shop.create(owner=CANARY)
        assert "attempt attempt1 refused: email_invalid" in shop.history()
        assert CANARY not in str(shop.run(shop.gateway.explain(BOOKING_ID)))
