from __future__ import annotations

import json
import threading
import time

import pytest
import stripe

from airport_payments.testing import FakeConnectionLostError, FakeReadTimeoutError, Fault

CREATE = "/v1/payment_intents"
BODY = b"amount=2000&currency=usd"
DECLINED = BODY + b"&confirm=true&payment_method=pm_card_chargeDeclined&payment_method_types[]=card"


@pytest.fixture
def post(fake):
    def post(key="k", body=BODY, path=CREATE, **headers):
        sent = {"Authorization": "Bearer sk_test_fake", **headers}
        if key is not None:
            sent["Idempotency-Key"] = key
        return fake.handle("POST", path, sent, body)

    return post


def test_a_key_gets_the_same_bytes_again(post, fake):
    first, second = post(), post()
    assert second.body == first.body
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.headers["Original-Request"] == first.headers["Request-Id"] != second.headers["Request-Id"]
    assert "Idempotent-Replayed" not in first.headers
    assert first.headers["Idempotency-Key"] == "k"
    assert (len(fake.intents), len(fake.events)) == (1, 1)
    assert [line.replayed for line in fake.requests] == [False, True]


def test_the_replay_is_the_first_answer_even_when_the_object_moved_on(post, fake):
    first = post()
    fake.pay(json.loads(first.body)["id"])
    assert post().body == first.body


def test_a_key_with_other_parameters_is_an_idempotency_error(post, client):
    post()
    answer = post(body=b"amount=2001&currency=usd")
    assert (answer.status, json.loads(answer.body)["error"]["type"]) == (400, "idempotency_error")
    assert post(path="/v1/refunds", body=b"").status == 400
    with pytest.raises(stripe.IdempotencyError):
        client.payment_intents.create({"amount": 1, "currency": "usd"}, {"idempotency_key": "k"})


def test_the_order_of_parameters_makes_no_other_request(post, fake):
    assert post(body=b"amount=2000&currency=usd").body == post(body=b"currency=usd&amount=2000").body
    assert len(fake.intents) == 1


def test_a_decline_is_stored_and_replayed(post, fake):
    first, second = post(body=DECLINED), post(body=DECLINED)
    assert (first.status, second.status) == (402, 402)
    assert first.body == second.body
    assert len(fake.charges) == 1


@pytest.mark.parametrize("body", [b"amount=2000", b"amount=1&currency=usd", b"amount=2000&currency=usd&x=1"])
def test_refused_parameters_are_not_stored(post, fake, body):
    assert post(body=body).status == 400
    assert post().status == 200
    assert len(fake.intents) == 1


def test_wrong_keys_of_the_api_are_not_stored(post):
    assert post(Authorization="Bearer sk_test_other").status == 401
    assert post().status == 200


def test_executed_refusals_are_stored(post, fake):
    intent = json.loads(post(key=None).body)["id"]
    fake.pay(intent)
    path = f"{CREATE}/{intent}/cancel"
    first, second = post(path=path, body=b""), post(path=path, body=b"")
    assert (first.status, second.headers["Idempotent-Replayed"]) == (400, "true")
    assert first.body == second.body


def test_a_key_is_forgotten_after_24_hours(post, fake, clock):
    post()
    clock.forward(hours=23, minutes=59)
    post()
    assert len(fake.intents) == 1
    clock.forward(minutes=1)
    assert "Idempotent-Replayed" not in post(body=b"amount=3000&currency=usd").headers
    assert len(fake.intents) == 2


def test_keys_belong_to_an_account(post, fake):
    one, two = post(), post(**{"Stripe-Account": "acct_1Other"})
    assert json.loads(one.body)["id"] != json.loads(two.body)["id"]
    assert two.headers["Stripe-Account"] == "acct_1Other"
    assert len(fake.intents) == 1
    (event,) = fake.objects("event", account="acct_1Other").values()
    assert event["account"] == "acct_1Other"


def test_keys_have_at_most_255_characters(post):
    assert post(key="k" * 255).status == 200
    assert post(key="k" * 256).status == 400


def test_keys_mean_nothing_on_get(fake):
    headers = {"Authorization": "Bearer sk_test_fake", "Idempotency-Key": "k"}
    fake.handle("GET", CREATE, headers)
    assert fake.handle("GET", "/v1/charges", headers).status == 200


def test_a_key_in_flight_is_refused_over_threads(post, fake):
    gate, answers = threading.Event(), []
    slow = fake.inject(Fault.slow(gate=gate))
    worker = threading.Thread(target=lambda: answers.append(post()))
    worker.start()
    deadline = time.monotonic() + 5
    while not slow.hits and time.monotonic() < deadline:
        time.sleep(0.001)
    # It has claimed its key once it let go of the lock, which this request needs.
    second = post()
    gate.set()
    worker.join(10)
    assert json.loads(second.body)["error"]["code"] == "idempotency_key_in_use"
    assert answers[0].status == 200
    assert post().body == answers[0].body
    assert len(fake.intents) == 1


def test_many_threads_with_one_key_make_one_intent(post, fake):
    answers, ready = [], threading.Barrier(8)

    def work():
        ready.wait(10)
        answers.append(post())

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(10)
    assert {answer.status for answer in answers} <= {200, 409}
    assert len({answer.body for answer in answers if answer.status == 200}) == 1
    assert len(fake.intents) == 1


def test_a_stored_500_before_the_effect_is_replayed_and_nothing_happened(post, fake):
    fake.inject(Fault.server_error())
    first, second = post(), post()
    assert (first.status, second.status) == (500, 500)
    assert (first.body, second.headers["Idempotent-Replayed"]) == (second.body, "true")
    assert not fake.intents
    assert post(key="other").status == 200


def test_a_stored_500_after_the_effect_is_replayed_and_the_intent_exists(post, fake):
    fake.inject(Fault.server_error(), after_effect=True)
    assert (post().status, post().status) == (500, 500)
    assert len(fake.intents) == 1


def test_an_unstored_answer_after_the_effect_hides_what_the_key_returns_next(post, fake):
    fake.inject(Fault.server_error(stored=False), after_effect=True)
    assert post().status == 500
    assert post().status == 200
    assert len(fake.intents) == 1


@pytest.mark.parametrize(("fault", "error"), [
    (Fault.connection_lost(), FakeConnectionLostError),
    (Fault.read_timeout(), FakeReadTimeoutError),
])  # fmt: skip
@pytest.mark.parametrize("after", [False, True])
def test_lost_answers_are_found_again_by_their_key(post, fake, fault, error, after):
    fake.inject(fault, after_effect=after)
    with pytest.raises(error):
        post()
    assert len(fake.intents) == after
    again = post()
    assert again.status == 200
    assert ("Idempotent-Replayed" in again.headers) is after
    assert len(fake.intents) == 1
    assert fake.requests[0].status is None


@pytest.mark.parametrize(("fault", "status", "code"), [
    (Fault.rate_limited(), 429, "rate_limit"),
    (Fault.rate_limited(lock_timeout=True), 429, "lock_timeout"),
    (Fault.key_in_use(), 409, "idempotency_key_in_use"),
])  # fmt: skip
def test_answers_from_before_the_key_are_not_stored(post, fake, fault, status, code):
    fake.inject(fault, times=2)
    for _ in range(2):
        answer = post()
        assert (answer.status, json.loads(answer.body)["error"]["code"]) == (status, code)
    assert post().status == 200
    assert not fake.requests[-1].replayed
