"""500 and 503: what is not the customer's fault says so, says when to come back, and leaks nothing."""

import sqlite3
from contextlib import closing, contextmanager

import pytest

from airport_payments import Money
from airport_payments.testing.fake_stripe import Fault

from .expect import ok, refused
from .frameworks import Broken
from .harness import CONFIRM, CREATE, WEBHOOK, bearer, never_saves, open_shop, token

# Statuses, seconds and connections: each of these is "no answer".
DOWN = {
    "connection lost": Fault.connection_lost(),
    "read time-out": Fault.read_timeout(),
    "500": Fault.server_error(stored=False),
    "503 of something in front": Fault(503, b"<html>"),
    "200 that is cut off": Fault(200, b'{"id": "pi_'),
    "429": Fault.rate_limited(),
    "key in use": Fault.key_in_use(),
}


@pytest.mark.parametrize("fault", DOWN.values(), ids=DOWN)
def test_without_an_answer_from_stripe_a_customer_is_asked_to_try_again(shop, fault):
    intent_id = shop.opened("b-1")
    shop.book("b-2")
    injection = shop.fake.inject(fault, times=100)

    refused(shop.create("b-2"), 503, "stripe_unavailable")
    with shop.unwritten():
        refused(shop.confirm("b-1", intent_id), 503, "stripe_unavailable")
        refused(shop.create("b-1"), 503, "stripe_unavailable")
    assert injection.hits >= 3


def test_a_create_whose_answer_was_lost_is_not_made_twice(shop):
    shop.book("b-1")
    shop.fake.inject(Fault.connection_lost(), "POST", after_effect=True, times=3)

    refused(shop.create("b-1"), 503, "stripe_unavailable")
    assert shop.create("b-1").status == 200

    assert len(shop.fake.intents) == 1


def test_one_lost_answer_is_not_noticed(shop):
    shop.book("b-1")
    shop.fake.inject(Fault.connection_lost())

    assert shop.create("b-1").status == 200


def test_a_stripe_that_is_down_is_left_alone_for_a_while(shop):
    shop.book("b-1")
    intent_id = shop.opened("b-2")
    injection = shop.fake.inject(Fault.connection_lost(), times=100)
    for _ in range(3):
        shop.create("b-1")
    hits = injection.hits

    refused(shop.create("b-1"), 503, "stripe_unavailable")
    refused(shop.confirm("b-2", intent_id), 503, "stripe_unavailable")

    assert injection.hits == hits
    shop.fake.pay(intent_id)
    shop.fake.deliver()  # a webhook needs no call to Stripe
    ok(shop.status("b-2"), {"paymentStatus": "completed", "bookingStatus": "confirmed", "stripeStatus": "succeeded"})


@contextmanager
def locked(shop):
    """Another program writes to the database, and does not come to an end."""
    with closing(sqlite3.connect(shop.database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


def test_a_locked_database_is_503_and_nothing_is_half_written(shop):
    intent_id = shop.opened("b-1")
    shop.fake.pay(intent_id)
    shop.book("b-2")
    before = shop.rows()

    with locked(shop):
        refused(shop.create("b-2"), 503, "storage_unavailable")
        refused(shop.confirm("b-1", intent_id), 503, "storage_unavailable")
        refused(shop.event(shop.last_event("payment_intent.succeeded")), 503, "storage_unavailable")
        refused(shop.post("/bookings", {"amount": 1, "currency": "usd"}), 503, "storage_unavailable")
        assert shop.get("/health").status == 200

    assert shop.rows() == before
    assert len(shop.fake.intents) == 1
    ok(shop.event(shop.last_event("payment_intent.succeeded")), {"received": True, "outcome": "applied"})


def test_a_database_that_is_gone_is_503_everywhere(shop):
    intent_id = shop.opened("b-1")
    event = shop.last_event("payment_intent.created")
    shop.sql("ALTER TABLE airport_bookings RENAME TO elsewhere")

    refused(shop.create("b-1"), 503, "storage_unavailable")
    refused(shop.confirm("b-1", intent_id), 503, "storage_unavailable")
    refused(shop.status("b-1"), 503, "storage_unavailable")
    refused(shop.event(event), 503, "storage_unavailable")
    ok(shop.get("/health"), {"database": "down"}, 503, success=False)


def test_health_says_that_the_database_answers(shop):
    with shop.unwritten():
        ok(shop.send("GET", "/health"), {"database": "up"})


def test_when_other_writers_keep_winning_the_answer_is_busy(shop, monkeypatch):
    shop.book("b-1")
    never_saves(shop, monkeypatch)

    with shop.unwritten():
        refused(shop.create("b-1"), 503, "busy")


def test_while_an_old_intent_is_still_processing_a_new_price_is_busy(shop):
    old = shop.opened("b-1")
    shop.pay_slowly(old)
    shop.set_price("b-1", Money(50000, "usd"))

    refused(shop.create("b-1", amount=500), 503, "busy")

    assert len(shop.fake.intents) == 1


def test_a_key_that_stripe_refuses_is_misconfigured_and_logged_with_what_to_do(tmp_path, kind):
    with open_shop(kind, tmp_path, STRIPE_SECRET_KEY="sk_test_CANARYrevoked0") as shop:
        shop.book("b-1")

        refused(shop.create("b-1"), 500, "misconfigured")

        assert any("STRIPE_SECRET_KEY" in line for line in shop.log.of("ERROR")), shop.log.of("ERROR")


def test_a_key_without_permission_is_misconfigured(shop):
    shop.book("b-1")
    intent_id = shop.opened("b-2")
    refusal = {"type": "invalid_request_error", "message": "The provided key 'rk_test_****wxyz' does not have access"}
    shop.fake.inject(Fault.response(403, refusal), times=100)

    refused(shop.create("b-1"), 500, "misconfigured")
    refused(shop.confirm("b-2", intent_id), 500, "misconfigured")
    assert shop.log.of("ERROR")
    # Stripe quotes the end of the key.
    assert not [line for line in shop.log.lines if "wxyz" in line and " airport_payments " in line]
    assert "wxyz" not in "".join(shop.rows())


def test_whatever_is_not_foreseen_is_an_internal_error_without_detail(shop, monkeypatch):
    intent_id = shop.opened("b-1")
    event = shop.last_event("payment_intent.created")

    def odd(*_):
        raise ZeroDivisionError("detail-of-ours in /srv/app/secret.py")

    monkeypatch.setattr(shop.bookings, "get", odd)
    monkeypatch.setattr(shop.bookings, "find", odd)
    monkeypatch.setattr(shop.bookings, "booking", odd)

    replies = [
        shop.create("b-1"),
        shop.confirm("b-1", intent_id),
        shop.status("b-1"),
        shop.event(event),
        shop.get("/bookings/b-1"),
    ]

    for reply in replies:
        refused(reply, 500, "internal_error")
    assert sum("ZeroDivisionError" in line for line in shop.log.of("ERROR")) == len(replies)


def test_a_damaged_ledger_is_an_internal_error_and_stays_as_it_is(shop):
    intent_id = shop.opened("b-1")
    shop.sql("UPDATE airport_ledgers SET document = '{\"damaged\":'")

    with shop.unwritten():
        refused(shop.create("b-1"), 500, "internal_error")
        refused(shop.confirm("b-1", intent_id), 500, "internal_error")
        refused(shop.status("b-1"), 500, "internal_error")
        refused(shop.event(shop.last_event("payment_intent.created")), 500, "internal_error")
    assert "damaged" not in "".join(reply.body.decode() for _, reply in shop.replies)


@pytest.mark.parametrize("path", [CREATE, CONFIRM, WEBHOOK])
def test_a_body_that_breaks_off_is_the_clients_mistake(shop, path):
    """It says that it is longer than it is: what came is judged as it came."""
    headers = [bearer(token()), ("Stripe-Signature", "t=1,v1=" + "0" * 64), ("Content-Length", "400")]

    reply = shop.send("POST", path, headers, Broken(b'{"bookingId":"b-1",'))

    code = "invalid_signature" if path == WEBHOOK else "invalid_request"
    assert (reply.status, reply.json["data"]["error_code"]) == (400, code)
    assert not shop.log.of("ERROR")
