"""S10: customer B reads and moves nothing of A's, and cannot tell whether a booking of A's exists."""

from __future__ import annotations

import inspect
import json
import re

import pytest
from tests.contract.harness import KINDS, open_shop
from tests.gateway.shop import opened
from tests.support import PRICE

from airport_payments import AsyncPaymentGateway, PaymentGateway, PaymentOptions
from airport_payments.core.errors import BookingNotFound, InvalidRequest, PaymentIntentMismatch
from airport_payments.core.model import Booking

A, B = "alice", "bob"
OURS, THEIRS, NOBODYS = "BK-B", "BK-A", "BK-404"
each_colour = pytest.mark.parametrize("colour", ["sync", "async"])

# Every public name of a gateway that takes a customer, called as B for a booking.
FOR_CUSTOMERS = {
    "create_payment": lambda g, at, _: g.create_payment(at, owner=B, amount=PRICE),
    "confirm_payment": lambda g, at, intent: g.confirm_payment(at, intent, owner=B),
    "charge_saved_card": lambda g, at, _: g.charge_saved_card(
        at, owner=B, amount=PRICE, payment_method_id="pm_12345678", options=PaymentOptions(customer_id="cus_12345678")
    ),
    "payment_status": lambda g, at, _: g.payment_status(at, owner=B),
    "refund": lambda g, at, intent: g.refund(at, payment_id=intent, request_id="r", owner=B),
    "cancel": lambda g, at, _: g.cancel(at, owner=B),
    "history": lambda g, at, _: g.history(at, owner=B),
}
# Those that no customer calls: the team's own code, staff, Stripe, time.
FOR_THE_TEAM = {
    "booking_changed", "capture", "close", "dead_letters", "erase_customer", "expire", "explain", "handle_event",
    "handle_webhook", "needs_attention", "on", "prune", "reconcile", "redeliver", "repository", "resolve", "settings",
    "tick", "wake", "work",
}  # fmt: skip
# Of those, what the team does about a customer.
OF_AN_OWNER = {"erase_customer"}
# Takes a customer and no booking: what is B's own.
ABOUT_ONESELF = {"customer"}


@pytest.mark.parametrize("kind", [PaymentGateway, AsyncPaymentGateway])
def test_every_operation_that_takes_an_owner_is_in_the_matrix(kind) -> None:
    public = {name for name in dir(kind) if not name.startswith("_")}
    assert public == {*FOR_CUSTOMERS} | FOR_THE_TEAM | ABOUT_ONESELF
    for name in public - {"repository", "settings"}:
        takes_owner = "owner" in inspect.signature(getattr(kind, name)).parameters
        assert takes_owner == (name in {*FOR_CUSTOMERS} | ABOUT_ONESELF | OF_AN_OWNER), name


# What the team calls for a booking.
FOR_A_BOOKING = {
    "booking_changed": lambda g, at, _: g.booking_changed(at),
    "capture": lambda g, at, intent: g.capture(at, payment_id=intent),
    "expire": lambda g, at, _: g.expire(at),
    "explain": lambda g, at, _: g.explain(at),
    "redeliver": lambda g, at, _: g.redeliver(at, 1),
    "resolve": lambda g, at, intent: g.resolve(at, intent, "keep", by="staff"),
}
MALFORMED = ["", ".", "..", "a/b", "a b", "ä", "x" * 129, "a\n", "a\r\nb", "a\x00", None, 5, b"BK-1", ["BK-1"]]
GUESSED = "pi_00000000guess"


def test_every_operation_that_takes_a_booking_is_tried_with_malformed_ids() -> None:
    public = {name for name in FOR_THE_TEAM if callable(getattr(PaymentGateway, name))}
    taking = {name for name in public if "booking_id" in inspect.signature(getattr(PaymentGateway, name)).parameters}
    assert taking == set(FOR_A_BOOKING)


@each_colour
@pytest.mark.parametrize("operation", [*FOR_CUSTOMERS, *FOR_A_BOOKING])
def test_a_malformed_booking_id_is_refused_by_every_operation_before_the_database(colour, operation) -> None:
    call = {**FOR_CUSTOMERS, **FOR_A_BOOKING}[operation]
    with opened(colour, Booking(OURS, B, PRICE)) as shop:
        reads: list[str] = []
        for name in ("get", "find", "history", "save"):
            shop.hooks[name] = lambda *_, name=name: reads.append(name)
        for booking_id in MALFORMED:
            with pytest.raises(InvalidRequest):
                shop.run(call(shop.gateway, booking_id, GUESSED))
        assert not reads
        assert not shop.fake.requests


@each_colour
@pytest.mark.parametrize("operation", ["confirm_payment", "refund", "capture", "resolve"])
@pytest.mark.parametrize(
    "payment_id", ["", "..", "pi_x/../x", "pi_0000000ä", "pi_00000000\n", 5, b"pi_00000000", "x" * 5000]
)
def test_no_malformed_payment_id_reaches_stripe(colour, operation, payment_id) -> None:
    """An attempt's own id names a payment, too: what is plain text is looked for in the ledger, and nowhere else."""
    call = {**FOR_CUSTOMERS, **FOR_A_BOOKING}[operation]
    with opened(colour, Booking(OURS, B, PRICE)) as shop:
        with pytest.raises((InvalidRequest, PaymentIntentMismatch)):
            shop.run(call(shop.gateway, OURS, payment_id))
        assert not shop.fake.requests


# A's booking, in each of the states that an answer might betray.
def _new(shop) -> None:
    pass


def _open(shop) -> None:
    shop.create(THEIRS, owner=A)


def _paid(shop) -> None:
    shop.fake.pay(shop.create(THEIRS, owner=A).payment_intent_id)
    for event in shop.events():
        shop.webhook(event)


def _paid_unheard(shop) -> None:
    shop.fake.pay(shop.create(THEIRS, owner=A).payment_intent_id)


def _refunded(shop) -> None:
    _paid(shop)
    shop.run(shop.gateway.refund(THEIRS, request_id="r"))


def _cancelled(shop) -> None:
    shop.run(shop.gateway.cancel(THEIRS))


STATES = [_new, _open, _paid, _paid_unheard, _refunded, _cancelled]


@each_colour
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
@pytest.mark.parametrize("operation", FOR_CUSTOMERS)
def test_another_customers_booking_in_any_state_is_no_booking_and_nothing_moves(colour, state, operation) -> None:
    with opened(colour, Booking(THEIRS, A, PRICE), Booking(OURS, B, PRICE)) as shop:
        state(shop)
        intents = list(shop.fake.intents) or ["pi_00000000guess"]
        before, history, asked = shop.snapshot(THEIRS), shop.run(shop.memory.history(THEIRS)), len(shop.fake.requests)
        saves: list[object] = []
        shop.hooks["save"] = lambda change: saves.append(change)
        told = []
        for booking_id in (THEIRS, NOBODYS):
            reads: list[str] = []
            for name in ("get", "find", "history"):
                shop.hooks[name] = lambda *_, name=name, reads=reads: reads.append(name)
            with pytest.raises(BookingNotFound) as caught:
                shop.run(FOR_CUSTOMERS[operation](shop.gateway, booking_id, intents[0]))
            error = caught.value
            # The same class of work as well: as many questions to the database, and none to Stripe.
            told.append((str(error), error.args, vars(error), error.code, error.http_status, reads))
        assert told[0] == told[1]
        assert not saves
        shop.hooks.clear()
        assert (shop.snapshot(THEIRS), shop.run(shop.memory.history(THEIRS))) == (before, history)
        assert len(shop.fake.requests) == asked


@each_colour
def test_a_customer_of_stripes_is_found_by_its_own_owner_alone(colour) -> None:
    with opened(colour) as shop:
        alices = shop.run(shop.gateway.customer(A, email="alice@example.com"))
        bobs = shop.run(shop.gateway.customer(B))
        assert alices != bobs
        assert shop.run(shop.gateway.customer(A)) == alices


# ---- every endpoint of both apps ----

INTENT = "pi_00000000guess"
# Every address that names a booking: method, path, body.
ENDPOINTS = {
    "create": ("POST", "/payment/create-payment-intent", {"amount": 450.99, "currency": "usd"}),
    "create at another price": ("POST", "/payment/create-payment-intent", {"amount": 1, "currency": "eur"}),
    "confirm": ("POST", "/payment/confirm-payment", {"paymentIntentId": INTENT}),
    "confirm theirs": ("POST", "/payment/confirm-payment", {"paymentIntentId": "@"}),
    "status": ("GET", "/payment/status/{id}", None),
    "show": ("GET", "/bookings/{id}", None),
    "cancel": ("POST", "/bookings/{id}/cancel", {}),
    "refund": ("POST", "/bookings/{id}/refund", {"requestId": "r"}),
    "refund a part": ("POST", "/bookings/{id}/refund", {"requestId": "r", "amount": 1}),
    "history": ("GET", "/bookings/{id}/history", None),
}
# Those that name none.
OTHERS = {"/payment/webhook", "/bookings", "/config", "/health"}


def addresses(shop) -> set[str]:
    """The addresses that an app serves, with `{id}` for the booking's id."""
    if shop.kind == "fastapi":
        paths = list(shop.app.module.app.openapi()["paths"])
    elif shop.kind == "django":
        from examples.django_app.urls import urlpatterns

        paths = [f"/{one.pattern}" for one in urlpatterns]
    else:
        rules = [str(rule) for rule in shop.app.module.app.url_map.iter_rules()]
        paths = [rule for rule in rules if not rule.startswith("/static")]
    return {re.sub(r"<[^>]*>|\{[^}]*\}", "{id}", path) for path in paths}


@pytest.fixture(scope="module", params=KINDS)
def app(request, tmp_path_factory):
    """An app where Alice has a paid booking, an open one and a new one."""
    with open_shop(request.param, tmp_path_factory.mktemp("two")) as shop:
        shop.fake.pay(shop.opened("b-paid"))
        shop.fake.deliver()
        shop.opened("b-open")
        shop.book("b-new")
        yield shop


def test_every_address_of_the_apps_is_in_the_matrix(app) -> None:
    named = {path for _, path, _ in ENDPOINTS.values()}
    assert addresses(app) == named | OTHERS


@pytest.mark.parametrize("name", ENDPOINTS)
def test_at_every_endpoint_another_customers_booking_answers_as_none_does(app, name) -> None:
    _, path, body = ENDPOINTS[name]
    theirs = {i["metadata"]["airport_booking"]: i["id"] for i in app.fake.intents.values()}
    answers = []
    with app.unwritten():
        for booking_id in ("b-paid", "b-open", "b-new", "b-none", "b-gone"):
            at = path.replace("{id}", booking_id)
            if body is None:
                reply = app.get(at, owner=B)
            else:
                text = json.dumps(body if "{id}" in path else {**body, "bookingId": booking_id})
                given = text.replace("@", theirs.get(booking_id, INTENT)).encode()
                reply = app.post(at, given, ("Idempotency-Key", "k"), owner=B)
            answers.append((reply.status, sorted(reply.headers), reply.body))
    assert answers[0][0] == 404
    assert all(answer == answers[0] for answer in answers)
