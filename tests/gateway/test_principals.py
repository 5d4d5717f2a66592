"""S10: a customer reads and changes only their own bookings; not found and not yours look the same."""

import pytest
from tests.gateway.shop import opened
from tests.support import PRICE

from airport_payments.core.errors import BookingNotFound, InvalidRequest, PaymentIntentMismatch
from airport_payments.core.model import Booking
from airport_payments.core.money import Money


@pytest.fixture
def two(colour):
    with opened(colour, Booking("BK-A", "alice", PRICE), Booking("BK-B", "bob", PRICE)) as shop:
        shop.intents = {
            "alice": shop.create("BK-A", owner="alice").payment_intent_id,
            "bob": shop.create("BK-B", owner="bob").payment_intent_id,
        }
        yield shop


def operations(shop, booking_id: str, owner: str):
    """Every operation that takes a customer, as a name and a call."""
    yield "create", lambda: shop.create(booking_id, owner=owner)
    yield "create at a wrong price", lambda: shop.create(booking_id, owner=owner, amount=Money(1, "usd"))
    yield "create with a used key", lambda: shop.create(booking_id, owner=owner, key="k")
    for whose, intent_id in shop.intents.items():
        yield f"confirm {whose}'s intent", lambda intent_id=intent_id: shop.confirm(intent_id, booking_id, owner=owner)
    yield "confirm a guessed intent", lambda: shop.confirm("pi_00000000guess", booking_id, owner=owner)
    yield "status", lambda: shop.status(booking_id, owner=owner)


@pytest.mark.parametrize(("owner", "other"), [("alice", "BK-B"), ("bob", "BK-A"), (" ", "BK-A"), ("ALICE", "BK-A")])
def test_every_operation_on_anothers_booking_looks_like_no_booking(two, owner, other) -> None:
    before, asked = two.snapshot(other), len(two.fake.requests)
    theirs, nobodys = operations(two, other, owner), operations(two, "BK-404", owner)
    for (name, on_theirs), (_, on_nobodys) in zip(theirs, nobodys, strict=True):
        answers = []
        for call in (on_theirs, on_nobodys):
            with pytest.raises(BookingNotFound) as caught:
                call()
            error = caught.value
            answers.append((type(error), str(error), error.code, error.http_status, error.public_message, vars(error)))
        assert answers[0] == answers[1], name
    assert two.snapshot(other) == before
    assert len(two.fake.requests) == asked


def test_anothers_intent_with_ones_own_booking_is_a_mismatch_like_a_guessed_one(two) -> None:
    asked = len(two.fake.requests)
    said = []
    for intent_id in (two.intents["bob"], "pi_00000000guess"):
        with pytest.raises(PaymentIntentMismatch) as caught:
            two.confirm(intent_id, "BK-A", owner="alice")
        said.append((str(caught.value), caught.value.public_message))
    assert said[0] == said[1]
    assert len(two.fake.requests) == asked


def test_the_same_idempotency_key_of_two_customers_are_two_keys(two) -> None:
    for owner, booking_id in (("alice", "BK-A"), ("bob", "BK-B")):
        assert two.create(booking_id, owner=owner, key="same").payment_intent_id == two.intents[owner]


def test_a_key_is_the_callers_own_also_where_a_booking_changes_hands(two) -> None:
    price = Money(50_000, "usd")
    two.create("BK-A", owner="alice", key="same")
    two.team("BK-A", owner="bob", price=price)
    assert two.create("BK-A", owner="bob", amount=price, key="same").payment_intent_id


@pytest.mark.parametrize("booking_id", ["", ".", "..", "a/b", "a b", "ä", "x" * 129, "a\n", "a\r\nb", "a\x00"])
def test_a_malformed_booking_id_is_refused_before_the_database(two, booking_id) -> None:
    asked = []
    two.hooks["get"] = lambda *given: asked.append(given)
    for _, call in operations(two, booking_id, "alice"):
        with pytest.raises(InvalidRequest):
            call()
    with pytest.raises(InvalidRequest):
        two.run(two.gateway.booking_changed(booking_id))
    assert not asked


@pytest.mark.parametrize(
    "intent_id", ["", "..", "pi_", "pi_x/../x", "pi_1234567", "ch_00000000", "pi_0000000ä", "pi_00000000\n"]
)
def test_a_malformed_intent_id_is_refused_before_the_database(two, intent_id) -> None:
    with pytest.raises(InvalidRequest):
        two.confirm(intent_id, "BK-A", owner="alice")
