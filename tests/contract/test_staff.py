"""What the stand-in adds for staff, refunds and a booking's history, and holds; all of it in both apps."""

import ast
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from examples.story import TALES

from airport_payments import BookingStatus
from airport_payments.core.decide.intents import WAITS
from airport_payments.core.refund import RefundState
from airport_payments.testing import Fault

from .expect import check_headers, invalid, ok, refused

RULES = Path(__file__).parents[2] / "src" / "airport_payments" / "core" / "decide"
LOST = 20  # requests: more than the apps try

WORDS = {
    "nothing_to_refund": "There is nothing to give back.",
    "refund_too_large": "The refund is more than is left of the payment.",
    "payment_disputed": "The payment is disputed.",
}


def paid(shop, booking_id: str = "b-1", card: str = "4242424242424242") -> str:
    """Book, pay, and let Stripe tell."""
    intent_id = shop.opened(booking_id)
    shop.fake.pay(intent_id, card)
    shop.fake.deliver()
    return intent_id


def refund(shop, request_id: object = "r-1", *, owner: str = "alice", **more):
    return shop.post("/bookings/b-1/refund", {"requestId": request_id, **more}, owner=owner)


def told(shop, booking_id: str = "b-1") -> list[str]:
    reply = shop.get(f"/bookings/{booking_id}/history")
    check_headers(reply)
    return [line["text"] for line in reply.json["data"]["history"]]


def given_back(shop) -> list[int]:
    return [r["amount"] for r in shop.fake.objects("refund").values()]


# ---- refunds ----


def test_a_refund_without_an_amount_gives_all_that_is_left_back_and_cancels_the_booking(shop):
    paid(shop)

    reply = refund(shop)

    refund_id = reply.json["data"]["refundId"]
    done = {"refundId": refund_id, "amount": 450.99, "left": 0.0, "currency": "usd"}
    ok(reply, {**done, "refundStatus": "succeeded", "bookingStatus": "cancelled"})
    ok(shop.status("b-1"), {"paymentStatus": "refunded", "bookingStatus": "cancelled", "stripeStatus": "succeeded"})
    assert given_back(shop) == [45099]


def test_parts_go_back_until_nothing_is_left(shop):
    paid(shop)

    first = refund(shop, "r-1", amount=100.5).json["data"]
    assert (first["amount"], first["left"], first["bookingStatus"]) == (100.5, 350.49, "confirmed")
    status = {"paymentStatus": "partially_refunded", "bookingStatus": "confirmed", "stripeStatus": "succeeded"}
    ok(shop.status("b-1"), status)
    with shop.unwritten():
        refused(refund(shop, "r-2", amount=350.5), 409, "refund_too_large", WORDS["refund_too_large"])
    assert refund(shop, "r-3").json["data"]["amount"] == 350.49
    with shop.unwritten():
        refused(refund(shop, "r-4"), 409, "nothing_to_refund", WORDS["nothing_to_refund"])
    assert given_back(shop) == [10050, 35049]


def test_the_same_request_again_gives_nothing_back_a_second_time(shop):
    paid(shop)
    first = refund(shop, amount=100)

    with shop.unwritten():
        assert refund(shop, amount=100).json == first.json
        refused(refund(shop, amount=101), 422, "idempotency_key_reused")
    assert given_back(shop) == [10000]


def test_a_refund_that_stripe_did_not_answer_is_asked_for_again_with_the_same_request(shop):
    paid(shop)
    shop.fake.inject(Fault.connection_lost(), "POST", "/v1/refunds", times=LOST)

    refused(refund(shop), 503, "stripe_unavailable")
    shop.fake.clear_faults()

    assert refund(shop).json["data"]["refundStatus"] == "succeeded"
    assert given_back(shop) == [45099]


def test_what_is_not_paid_is_not_refunded(shop):
    shop.opened("b-1")

    with shop.unwritten():
        refused(refund(shop), 409, "nothing_to_refund", WORDS["nothing_to_refund"])


def test_a_disputed_payment_is_not_refunded_as_well(shop):
    paid(shop, card="4000000000000259")
    ok(shop.status("b-1"), {"paymentStatus": "disputed", "bookingStatus": "confirmed", "stripeStatus": "succeeded"})

    with shop.unwritten():
        refused(refund(shop), 409, "payment_disputed", WORDS["payment_disputed"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "requestId"),
        ({"requestId": ""}, "request_id"),
        ({"requestId": 1}, "requestId"),
        ({"requestId": "r", "amount": 0}, "amount"),
        ({"requestId": "r", "amount": -1}, "amount"),
        ({"requestId": "r", "amount": "1"}, "amount"),
        ({"requestId": "r", "amount": 1.001}, "amount"),
    ],
)
def test_a_refund_needs_an_id_and_an_exact_amount(shop, body, field):
    paid(shop)

    with shop.unwritten():
        invalid(shop.post("/bookings/b-1/refund", body), field)


def test_only_the_bookings_owner_plays_staff(shop):
    paid(shop)

    with shop.unwritten():
        refused(refund(shop, owner="bob"), 404, "booking_not_found")
        refused(shop.get("/bookings/b-1/history", owner="bob"), 404, "booking_not_found")
        refused(shop.get("/bookings/b-9/history"), 404, "booking_not_found")
        refused(shop.post("/bookings/b-9/refund", {"requestId": "r"}), 404, "booking_not_found")


# ---- history ----


def test_the_history_of_a_payment_and_its_refunds_is_told_in_order(shop):
    shop.fake.pay(shop.opened("b-1"), "4000000000009995")
    shop.fake.deliver()
    shop.fake.pay(next(iter(shop.fake.intents)))
    shop.fake.deliver()
    refund(shop, "r-1", amount=100)
    shop.fake.deliver()
    refund(shop, "r-2")
    shop.fake.deliver()

    assert told(shop) == [
        "The airport asks Stripe to open a payment.",
        "Stripe opened it. The card goes to Stripe alone.",
        "A try to pay failed (insufficient funds). Nothing was charged.",
        "The airport confirmed your booking.",
        "The airport asks Stripe to give 100.00 USD back.",
        "Stripe gave 100.00 USD back to the card.",
        "The airport asks Stripe to give 350.99 USD back.",
        "Stripe gave 350.99 USD back to the card.",
        "All of the money goes back: the airport cancelled the booking.",
        "All of the money went back.",
    ]


def test_each_line_says_when_and_which_event_told_of_it(shop):
    before = datetime.now(UTC)
    paid(shop)

    lines = shop.get("/bookings/b-1/history").json["data"]["history"]

    times = [datetime.fromisoformat(line["at"]) for line in lines]
    assert before <= times[0]
    assert times == sorted(times)
    assert {line["tone"] for line in lines} <= {"neutral", "good", "warning", "bad"}
    assert [line["event"] for line in lines] == [None, None, "payment_intent.succeeded"]


def test_a_dispute_is_told_and_how_it_ends(shop):
    intent_id = paid(shop)
    dispute = shop.fake.dispute(intent_id)
    shop.fake.deliver()
    shop.fake.close_dispute(dispute["id"], "won")
    shop.fake.deliver()

    lines = told(shop)[3:]
    assert lines[0] == "The bank disputes the payment and asks the airport for proof."
    assert "The bank took the disputed money back." in lines
    assert "The bank decided for the airport: it has the money again." in lines


def test_a_booking_that_nobody_paid_has_a_story_too(shop):
    shop.book("b-1")
    assert told(shop) == []

    shop.post("/bookings/b-1/cancel", {})

    assert told(shop) == [
        "The airport was asked to cancel the booking.",
        "The airport cancelled the booking. Nothing was charged.",
    ]


def decisions() -> list[str]:
    """What the rules may write down: each `note` in their text, with something put in for what it fills in."""
    found = []
    for path in sorted(RULES.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "draft.note":
                found += WAITS.values() if ast.unparse(node.args[1]) == "WAITS[view.status]" else [sample(node.args[1])]
    return found


def sample(text: ast.expr) -> str:
    if isinstance(text, ast.JoinedStr):
        return "".join(sample(part) for part in text.values)
    if isinstance(text, ast.FormattedValue):
        expression = ast.unparse(text.value)
        if expression.startswith("_NAMES") or expression == "name":
            return "capture"
        return "1.00 USD" if "amount" in expression or "spell(" in expression else "x"
    assert isinstance(text, ast.Constant), ast.unparse(text)
    return str(text.value)


def test_whatever_the_rules_write_down_is_told_in_words():
    """What is not is shown as it was written: `refund x: y` is nothing to read for a customer."""
    written = decisions()
    assert len(written) > 20
    # Of what depends on how a refund stands there are five tales, each of them played above or by the rules' own tests.
    bare = [text for text in written if not any(re.fullmatch(pattern, text) for pattern, _, _ in TALES)]
    assert bare == ["refund x of 1.00 USD: x"]
    states = [state.value for state in RefundState if state.value not in {"requested", "refused"}]
    unknown = [s for s in states if not any(re.fullmatch(p, f"refund x of 1.00 USD: {s}") for p, _, _ in TALES)]
    assert unknown == []


# ---- holds ----


def test_a_booking_says_until_when_it_is_held(shop):
    before = datetime.now(UTC)
    reply = shop.post("/bookings", {"amount": 10, "currency": "usd", "holdSeconds": 60})

    data = shop.get(f"/bookings/{reply.json['data']['bookingId']}").json["data"]

    held = datetime.fromisoformat(data.pop("holdUntil")) - before
    assert timedelta(seconds=60) <= held < timedelta(seconds=120)
    assert data == {"bookingId": data["bookingId"], "amount": 10, "currency": "usd", "status": "pending"}


@pytest.mark.parametrize("seconds", [0, -1, 1.5, "60", True, 86_401])
def test_a_hold_is_a_whole_number_of_seconds_up_to_a_day(shop, seconds):
    with shop.unwritten():
        invalid(shop.post("/bookings", {"amount": 10, "currency": "usd", "holdSeconds": seconds}), "holdSeconds")


@pytest.mark.parametrize("opened", [True, False])
def test_a_hold_that_is_over_cancels_the_booking_and_its_payment(shop, opened):
    shop.book("b-1", hold_until=datetime.now(UTC) + timedelta(hours=1))
    intent_id = shop.create("b-1").json["data"]["paymentIntentId"] if opened else None
    past = datetime.now(UTC) - timedelta(seconds=1)
    # As each stores it: microseconds, or Django's text.
    column, value = (
        ("hold_until", f"{past:%Y-%m-%d %H:%M:%S.%f}")
        if shop.kind == "django"
        else ("hold_until_us", past.timestamp() * 1e6)
    )
    shop.sql(f"UPDATE airport_bookings SET {column} = ? WHERE id = 'b-1'", value)
    refused(shop.create("b-1"), 409, "booking_not_payable")

    shop.tick()

    status = shop.status("b-1").json["data"]
    assert status["bookingStatus"] == "cancelled"
    assert status["stripeStatus"] == ("canceled" if opened else None)
    assert told(shop)[-1] == "The airport cancelled the booking. Nothing was charged."
    assert "The hold is over, and nothing was paid." in told(shop)
    if opened:
        assert shop.fake.intents[intent_id]["status"] == "canceled"
        assert shop.run(shop.bookings.booking("b-1")).status is BookingStatus.CANCELLED


# ---- cancelling ----


def test_a_cancellation_that_comes_after_the_payment_says_so(shop):
    shop.fake.pay(shop.opened("b-1"))  # and no webhook told of it

    data = {"bookingId": "b-1", "amount": 450.99, "currency": "usd", "status": "cancelled", "outcome": "paid"}
    ok(shop.post("/bookings/b-1/cancel", {}), data)
    assert shop.status("b-1").json["data"]["paymentStatus"] == "review"


def test_a_cancellation_while_the_bank_works_stays_due(shop):
    intent_id = shop.opened("b-1")
    shop.pay_slowly(intent_id)

    data = {"bookingId": "b-1", "amount": 450.99, "currency": "usd", "status": "pending", "outcome": "processing"}
    ok(shop.post("/bookings/b-1/cancel", {}), data)
    shop.fake.settle(intent_id, succeed=False)
    shop.fake.deliver()
    shop.tick()
    assert shop.status("b-1").json["data"]["bookingStatus"] == "cancelled"


def test_a_cancellation_that_stripe_does_not_answer_stays_due(shop):
    shop.opened("b-1")
    shop.fake.inject(Fault.connection_lost(), times=LOST)

    refused(shop.post("/bookings/b-1/cancel", {}), 503, "stripe_unavailable")
    assert shop.status("b-1").json["data"]["bookingStatus"] == "pending"
    shop.fake.clear_faults()

    assert shop.post("/bookings/b-1/cancel", {}).json["data"]["status"] == "cancelled"
    assert shop.status("b-1").json["data"]["paymentStatus"] == "canceled"
