from __future__ import annotations

import base64
import json
import socket
import threading
import time

import httpx
import pytest
import stripe

from airport_payments.testing import FakeStripe, Fault

from .test_idempotency import BODY

NEW = {"amount": 2000, "currency": "usd"}
KEY = {"Authorization": "Bearer sk_test_fake"}


@pytest.fixture
def server(fake):
    with fake.serve(automatic=False) as server:
        yield server


@pytest.fixture
def web(server):
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        yield client


@pytest.mark.parametrize("key", ["sk_live_x", "rk_live_x"])
def test_live_keys_are_refused(key):
    with pytest.raises(ValueError, match="live"):
        FakeStripe(api_key=key)
    answer = FakeStripe().handle("GET", "/v1/account", {"Authorization": f"Bearer {key}"})
    error = json.loads(answer.body)["error"]
    assert (answer.status, error["type"]) == (401, "invalid_request_error")
    assert "live" in error["message"]
    assert key not in error["message"]


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer sk_test_other"}, {"Authorization": "Basic ???"}, {"Authorization": "Bearer"}],
)
def test_bad_keys_are_401(fake, headers):
    answer = fake.handle("GET", "/v1/account", headers)
    assert answer.status == 401
    assert "request_log_url" in json.loads(answer.body)["error"]


def test_basic_and_bearer_are_taken(fake):
    basic = {"authorization": "Basic " + base64.b64encode(b"sk_test_fake:").decode()}
    assert fake.handle("GET", "/v1/account", basic).status == fake.handle("GET", "/v1/account", KEY).status == 200


def test_unknown_urls_are_404(fake):
    for method, path in (
        ("GET", "/v1/nothing"),
        ("DELETE", "/v1/payment_intents"),
        ("GET", "/v1/payment_intents/a/b"),
        ("GET", "/v2/core/accounts"),
    ):
        answer = fake.handle(method, path, KEY)
        assert answer.status == 404
        assert f"Unrecognized request URL ({method}: {path})" in json.loads(answer.body)["error"]["message"]


def test_a_slash_at_the_end_changes_nothing(fake):
    # What stripe-python asks for with retrieve(""): Stripe answers with the list.
    assert json.loads(fake.handle("GET", "/v1/payment_intents/", KEY).body)["object"] == "list"


def test_headers_are_echoed_as_stripe_does(fake):
    answer = fake.handle(
        "POST", "/v1/payment_intents", {**KEY, "Stripe-Version": "2026-08-26.dahlia", "Idempotency-Key": "k"}, BODY
    )
    assert answer.headers["Stripe-Version"] == "2026-08-26.dahlia"
    assert answer.headers["Idempotency-Key"] == "k"
    assert answer.headers["Request-Id"].startswith("req_")


def test_a_browser_sees_an_intent_without_its_metadata(fake, client):
    intent = client.payment_intents.create({**NEW, "metadata": {"booking": "secret"}})
    path = f"/v1/payment_intents/{intent.id}"
    headers = {"Authorization": "Bearer pk_test_fake"}
    for target, status in (
        (f"{path}?client_secret={intent.client_secret}", 200),
        (f"{path}?client_secret=wrong", 400),
        (path, 400),
    ):
        answer = fake.handle("GET", target, headers)
        assert answer.status == status
        assert b"booking" not in answer.body
    seen = json.loads(fake.handle("GET", f"{path}?client_secret={intent.client_secret}&key=pk_test_fake", {}).body)
    assert seen["status"] == "requires_payment_method"
    assert not {"metadata", "customer", "latest_charge", "amount_received"} & seen.keys()


def test_a_browser_confirms_with_a_card_number(fake, client):
    intent = client.payment_intents.create({**NEW, "metadata": {"booking": "secret"}})
    form = {
        "client_secret": intent.client_secret, "key": "pk_test_fake", "use_stripe_sdk": "true",
        "payment_method_data[type]": "card", "payment_method_data[card][number]": "4000000000000002",
        "payment_method_data[card][exp_month]": "12", "payment_method_data[card][exp_year]": "34",
        "payment_method_data[card][cvc]": "123", "payment_method_data[billing_details][name]": "A",
    }  # fmt: skip
    with httpx.Client(transport=FakeStripe.transport(fake), base_url="http://x") as browser:
        declined = browser.post(f"/v1/payment_intents/{intent.id}/confirm", data=form)
        assert (declined.status_code, declined.json()["error"]["code"]) == (402, "card_declined")
        assert "booking" not in declined.text
        form["payment_method_data[card][number]"] = "4242 4242 4242 4242"
        assert browser.post(f"/v1/payment_intents/{intent.id}/confirm", data=form).json()["status"] == "succeeded"
    assert client.payment_intents.retrieve(intent.id).status == "succeeded"


def test_a_publishable_key_does_nothing_else(fake):
    for method, path in (
        ("POST", "/v1/payment_intents"),
        ("GET", "/v1/payment_intents"),
        ("POST", "/v1/refunds"),
        ("GET", "/v1/events"),
    ):
        answer = fake.handle(method, path, {"Authorization": "Bearer pk_test_fake"})
        assert (answer.status, json.loads(answer.body)["error"]["code"]) == (401, "secret_key_required")


def test_requests_are_logged(fake, client):
    client.payment_intents.create({**NEW, "metadata": {"a": "b"}}, {"idempotency_key": "k"})
    (line,) = fake.requests
    assert (line.method, line.path, line.status, line.idempotency_key) == ("POST", "/v1/payment_intents", 200, "k")
    assert line.params == {"amount": "2000", "currency": "usd", "metadata": {"a": "b"}}


def test_oversized_requests_are_refused(fake):
    assert fake.handle("POST", "/v1/payment_intents", KEY, b"a" * (1 << 20) + b"a").status == 413
    assert fake.handle("GET", "/v1/" + "a" * 20000, KEY).status == 413
    assert fake.handle("POST", "/v1/payment_intents", KEY, b"\xff").status == 400


def test_stripe_python_talks_to_the_socket(server):
    http_client = stripe.UrllibClient()
    client = stripe.StripeClient("sk_test_fake", base_addresses={"api": server.url}, http_client=http_client)
    intent = client.v1.payment_intents.create(NEW)
    assert client.v1.payment_intents.retrieve(intent.id).id == intent.id
    assert client.v1.accounts.retrieve_current().charges_enabled


def test_browsers_may_ask_from_anywhere(web):
    answer = web.options("/v1/payment_intents", headers={"Origin": "https://example.com"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, "*")
    assert web.get("/v1/account").headers["access-control-allow-origin"] == "*"


def test_connections_are_kept_and_answers_quick(web):
    for _ in range(50):
        assert web.get("/v1/account", headers=KEY, timeout=2).status_code == 200


def test_faults_reach_the_socket(fake, web):
    fake.inject(Fault.connection_lost())
    with pytest.raises(httpx.RemoteProtocolError):
        web.get("/v1/account", headers=KEY)
    fake.inject(Fault.read_timeout())
    with pytest.raises(httpx.ReadTimeout):
        web.get("/v1/account", headers=KEY, timeout=0.05)
    fake.inject(Fault.slow(0.01))
    assert web.get("/v1/account", headers=KEY).status_code == 200


@pytest.mark.parametrize(
    "header", [b"Content-Length: 99999999", b"Content-Length: -1", b"Content-Length: x", b"Transfer-Encoding: chunked"]
)
def test_bodies_beyond_the_bounds_are_refused_unread(server, header):
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"POST /v1/payment_intents HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_stopping_closes_everything(fake):
    before = threading.active_count()
    with fake.serve() as server, httpx.Client(trust_env=False) as client:
        assert client.get(server.url + "/v1/account", headers=KEY).status_code == 200
        url = server.url
    assert threading.active_count() == before
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)


@pytest.mark.parametrize(("succeed", "status"), [("true", "succeeded"), ("false", "requires_payment_method")])
def test_the_3ds_page_asks_the_customer(fake, client, web, succeed, status):
    intent = client.payment_intents.create({
        **NEW, "confirm": True, "payment_method": "pm_card_threeDSecure2Required", "return_url": "https://example.com/back?a=b",
    })  # fmt: skip
    url = intent.next_action.redirect_to_url.url
    assert "Complete authentication" in web.get(url).text
    assert web.get(url.replace("_secret_", "_guess_")).status_code == 404
    answer = web.get(f"{url}&succeed={succeed}")
    assert answer.headers["location"].startswith("https://example.com/back?a=b&payment_intent=pi_")
    assert fake.intents[intent.id]["status"] == status


def test_many_threads_lose_nothing(fake):
    """Eight clients at once over the socket; every event reaches the target twice, in any order."""
    bodies, failures = [], []
    fake.send_webhooks_to(
        lambda body, header: bodies.append(body) or 200, "whsec_x", events=["payment_intent.succeeded"]
    )

    def work(number):
        try:
            with httpx.Client(base_url=url, headers=KEY, trust_env=False, timeout=10) as web:
                for n in range(10):
                    form = {
                        **NEW,
                        "payment_method_types[]": "card",
                        "payment_method": "pm_card_visa",
                        "confirm": "true",
                    }
                    answer = web.post(
                        "/v1/payment_intents", data=form, headers={"Idempotency-Key": f"{number}-{n // 2}"}
                    )
                    assert answer.status_code == 200
        except Exception as error:
            failures.append(error)

    with fake.serve(duplicates=True, shuffled=True) as server:
        url = server.url
        workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(20)
        deadline = time.monotonic() + 5
        while len(bodies) < 80 and time.monotonic() < deadline:
            time.sleep(0.005)
    assert failures == []
    assert {intent["status"] for intent in fake.intents.values()} == {"succeeded"}
    assert (len(fake.intents), len(bodies), len(set(bodies))) == (40, 80, 40)


def test_an_account_has_books_of_its_own(fake, client):
    client.payment_intents.create(NEW, {"stripe_account": "acct_1Other"})
    assert (client.payment_intents.list().data, len(fake.objects("payment_intent", account="acct_1Other"))) == ([], 1)
    with pytest.raises(stripe.PermissionError):
        client.payment_intents.create(NEW, {"stripe_account": "not an account"})
