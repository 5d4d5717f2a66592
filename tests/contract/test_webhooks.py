"""POST /payment/webhook: what is not Stripe's is refused unread; what is, has one of four outcomes."""

import json
import time

import pytest

from airport_payments import BookingStatus
from airport_payments.testing.fake_stripe import Fault, sign

from .expect import ok, refused
from .harness import WEBHOOK_SECRET, never_saves, open_shop

NOW = int(time.time())
OTHER_SECRET = "whsec_of_another_endpoint_000000"
COMPLETED = {"paymentStatus": "completed", "bookingStatus": "confirmed", "stripeStatus": "succeeded"}
PENDING = {"paymentStatus": "pending", "bookingStatus": "pending", "stripeStatus": "requires_payment_method"}
# What an event holds of a customer; it may be in no line of the log.
CUSTOMER = "CANARY-customer@example.com"


@pytest.fixture
def paid(shop):
    """A shop whose booking b-1 is paid at Stripe, which has not said so yet."""
    shop.fake.pay(shop.opened("b-1"))
    shop.fake.drop()
    return shop


def succeeded(shop, **changes) -> dict:
    return {**shop.last_event("payment_intent.succeeded"), **changes}


def of_object(event: dict, **changes) -> dict:
    return {**event, "data": {"object": {**event["data"]["object"], **changes}}}


def outcome(reply, wanted: str) -> None:
    ok(reply, {"received": True, "outcome": wanted})


# ---- signatures ----


def header(body: bytes, *, secret: str = WEBHOOK_SECRET, at: int | None = None) -> str:
    return sign(body, secret, NOW if at is None else at)


def v0(text: str) -> str:
    return text.replace("v1=", "v0=")


SIGNATURES = {
    "missing": lambda body: [],
    "empty": lambda body: [""],
    "forged": lambda body: [header(body, secret=OTHER_SECRET)],
    "of another body": lambda body: [header(body + b" ")],
    "stale": lambda body: [header(body, at=int(time.time()) - 400)],
    "far in the future": lambda body: [header(body, at=int(time.time()) + 400)],
    "of another time": lambda body: [header(body).replace(str(NOW), str(NOW + 1))],
    "only v0": lambda body: [v0(header(body))],
    "no v1": lambda body: [f"t={NOW}"],
    "no t": lambda body: [header(body).partition(",")[2]],
    "two t": lambda body: [f"t={NOW},{header(body)}"],
    "upper case": lambda body: [header(body).upper()],
    "hex in upper case": lambda body: [header(body).replace(header(body)[-64:], header(body)[-64:].upper())],
    "not hex": lambda body: [f"t={NOW},v1={'g' * 64}"],
    "cut off": lambda body: [header(body)[:-1]],
    "blanks": lambda body: [header(body).replace(",", ", ")],
    "t is negative": lambda body: [header(body, at=-NOW)],
    "t has blanks": lambda body: [f"t= {NOW},v1={'0' * 64}"],
    "t is huge": lambda body: [f"t={'9' * 400},v1={'0' * 64}"],
    "too many": lambda body: [header(body) + ",v1=" + ",v1=".join(["0" * 64] * 100)],
    "too long": lambda body: [header(body) + "," + "x" * 9000],
    "not ASCII": lambda body: ["t=1,v1=é".encode()],
    "a comma alone": lambda body: [","],
    "two headers, one good": lambda body: [header(body), header(body, secret=OTHER_SECRET)],
    "two headers, both good": lambda body: [header(body), header(body)],
}


@pytest.mark.parametrize("signatures", SIGNATURES.values(), ids=SIGNATURES)
def test_a_webhook_that_stripe_did_not_sign_is_refused(paid, signatures):
    body = json.dumps(succeeded(paid)).encode()

    with paid.unwritten():
        refused(paid.webhook(body, *signatures(body)), 400, "invalid_signature")
    assert paid.log.of("WARNING")
    ok(paid.status("b-1"), PENDING)


def test_a_changed_byte_is_refused(paid):
    body = json.dumps(succeeded(paid)).encode()
    good = header(body)

    with paid.unwritten():
        for place in range(0, len(body), 97):
            changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
            refused(paid.webhook(changed, good), 400, "invalid_signature")
    outcome(paid.webhook(body, good), "applied")


NO_EVENTS = {
    "not JSON": b"not json",
    "empty": b"",
    "not UTF-8": b'{"id":"evt_\xff"}',
    "UTF-16": json.dumps({"id": "evt_1"}).encode("utf-16"),
    "a list": b"[1]",
    "null": b"null",
    "an object": b"{}",
    "a text": b'"evt_1"',
    "a number": b"1",
    "NaN": b"NaN",
    "deep nesting": b"[" * 200_000,
    "no data": b'{"id":"evt_1","type":"payment_intent.succeeded","created":1,"livemode":false}',
    "wrong types": b'{"id":1,"type":2,"created":"x","livemode":"no","data":[]}',
}


@pytest.mark.parametrize("body", NO_EVENTS.values(), ids=NO_EVENTS)
def test_a_signed_body_that_is_no_event_is_refused(paid, body):
    with paid.unwritten():
        refused(paid.event(body), 400, "invalid_signature")


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_a_signed_event_with_nan_is_refused(paid, constant):
    event = of_object(succeeded(paid), application_fee_amount="@")

    with paid.unwritten():
        refused(paid.event(json.dumps(event).replace('"@"', constant).encode()), 400, "invalid_signature")


def test_a_clock_may_be_off_by_minutes(paid):
    outcome(paid.event(succeeded(paid), ahead_s=-290), "applied")
    outcome(paid.event(succeeded(paid), ahead_s=290), "unchanged")


def test_each_of_several_secrets_will_do(tmp_path, kind):
    with open_shop(kind, tmp_path, STRIPE_WEBHOOK_SECRET=f"{WEBHOOK_SECRET}, {OTHER_SECRET}") as shop:
        shop.fake.pay(shop.opened("b-1"))
        outcome(shop.event(succeeded(shop), secret=OTHER_SECRET), "applied")
        outcome(shop.event(succeeded(shop), secret=WEBHOOK_SECRET), "unchanged")
        refused(shop.event(succeeded(shop), secret="whsec_of_nobody_at_all"), 400, "invalid_signature")


# ---- outcomes ----


def test_news_is_applied_once_and_then_unchanged(paid):
    outcome(paid.event(succeeded(paid)), "applied")
    ok(paid.status("b-1"), COMPLETED)

    with paid.unwritten():
        outcome(paid.event(succeeded(paid)), "unchanged")
        outcome(paid.event(succeeded(paid, id="evt_another_id")), "unchanged")


def test_old_news_is_unchanged(shop):
    intent_id = shop.opened("b-1")
    shop.fake.pay(intent_id, "4000000000000002")
    shop.fake.pay(intent_id)
    outcome(shop.event(succeeded(shop)), "applied")

    with shop.unwritten():
        outcome(shop.event(shop.last_event("payment_intent.created")), "unchanged")
    shop.event(shop.last_event("payment_intent.payment_failed"))
    ok(shop.status("b-1"), COMPLETED)


def test_a_decline_is_applied_and_the_status_is_failed(shop):
    shop.fake.pay(shop.opened("b-1"), "4000000000000002")

    outcome(shop.event(shop.last_event("payment_intent.payment_failed")), "applied")

    ok(shop.status("b-1"), {**PENDING, "paymentStatus": "failed"})


def test_a_confirm_and_a_webhook_come_to_the_same(paid):
    (intent_id,) = paid.fake.intents
    paid.confirm("b-1", intent_id)

    with paid.unwritten():
        outcome(paid.event(succeeded(paid)), "unchanged")


@pytest.mark.parametrize("event_type", ["customer.created", "charge.succeeded", "payment_intent.nobody_knows", "x"])
def test_a_type_that_is_not_handled_is_ignored_quietly(paid, event_type):
    with paid.unwritten():
        outcome(paid.event(succeeded(paid, type=event_type)), "ignored")
    assert not paid.log.of("ERROR")


FOREIGN = {
    "another application": {"airport_namespace": "lounge", "airport_booking": "b-1", "airport_attempt": "a"},
    "no marks": {},
    "marks of something else": {"order": "1"},
}


@pytest.mark.parametrize("metadata", FOREIGN.values(), ids=FOREIGN)
def test_another_applications_payment_on_a_shared_account_is_ignored_quietly(paid, metadata):
    event = of_object(succeeded(paid), id="pi_of_another_application", metadata=metadata)

    with paid.unwritten():
        outcome(paid.event(event), "ignored")
    assert not paid.log.of("ERROR")


ELSEWHERE = {"account": {"account": "acct_1Other"}, "context": {"context": "ctx_1"}, "mode": {"livemode": True}}


@pytest.mark.parametrize("change", ELSEWHERE.values(), ids=ELSEWHERE)
def test_another_accounts_or_modes_event_is_ignored_and_logged_as_an_error(paid, change):
    with paid.unwritten():
        outcome(paid.event(succeeded(paid, **change)), "ignored")
    assert len(paid.log.of("ERROR")) == 1


def test_our_payment_of_an_unknown_booking_is_unmatched_and_logged_as_an_error(paid):
    marks = {"airport_namespace": "airport", "airport_booking": "b-nowhere", "airport_attempt": "a"}
    event = of_object(succeeded(paid), id="pi_of_no_booking", metadata=marks)

    with paid.unwritten():
        outcome(paid.event(event), "unmatched")
    (line,) = paid.log.of("ERROR")
    assert "b-nowhere" in line


def unreadable(event: dict) -> dict:
    """The event as another API version might write it: of a form whose fields we cannot read."""
    return of_object(event, amount={"value": 450.99}, status=["paid"])


def test_an_event_of_another_form_is_asked_for_again_in_ours(paid):
    outcome(paid.event(unreadable(succeeded(paid))), "applied")

    ok(paid.status("b-1"), COMPLETED)


def test_an_event_that_must_be_asked_for_while_stripe_is_down_is_503(paid):
    """So that Stripe sends it again."""
    event = unreadable(succeeded(paid))
    paid.fake.inject(Fault.connection_lost(), times=3)

    with paid.unwritten():
        refused(paid.event(event), 503, "stripe_unavailable")
    outcome(paid.event(event), "applied")


@pytest.mark.parametrize("status", [401, 403])
def test_an_event_that_may_not_be_asked_for_is_misconfigured_and_comes_again(paid, status):
    event = unreadable(succeeded(paid))
    paid.fake.inject(Fault.response(status, {"type": "invalid_request_error", "message": "No such permission"}))

    with paid.unwritten():
        refused(paid.event(event), 500, "misconfigured")
    outcome(paid.event(event), "applied")


def test_an_event_of_another_form_whose_object_does_not_exist_is_ignored_and_logged_as_an_error(paid):
    event = of_object(unreadable(succeeded(paid)), id="pi_of_nobody_at_all")

    with paid.unwritten():
        outcome(paid.event(event), "ignored")
    assert len(paid.log.of("ERROR")) == 1


def test_when_other_writers_keep_winning_a_webhook_is_503_too(paid, monkeypatch):
    never_saves(paid, monkeypatch)

    with paid.unwritten():
        refused(paid.event(succeeded(paid)), 503, "busy")


def test_a_webhook_calls_nothing_at_stripe_that_changes_anything(paid):
    sent = [r for r in paid.fake.requests if r.method != "GET"]
    paid.set_status("b-1", BookingStatus.CANCELLED)

    outcome(paid.event(succeeded(paid)), "applied")

    assert [r for r in paid.fake.requests if r.method != "GET"] == sent
    ok(paid.status("b-1"), {"paymentStatus": "review", "bookingStatus": "cancelled", "stripeStatus": "succeeded"})


def test_nothing_of_an_event_is_logged(paid):
    event = of_object(succeeded(paid), receipt_email=CUSTOMER, description=CUSTOMER, shipping={"name": CUSTOMER})
    for body in (event, {**event, "type": "charge.succeeded"}, {**event, "livemode": True}, {**event, "created": "x"}):
        paid.event(body)
        paid.event(body, secret=OTHER_SECRET)
    # That no line shows it is checked at the end of every test: CANARY.
