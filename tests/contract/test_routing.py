"""404 and 405: whatever no endpoint serves is refused in the contract's envelope too."""

import pytest

from .expect import ok, refused
from .harness import CONFIRM, CREATE, STATUS, WEBHOOK, bearer, token

UNKNOWN = [
    "/payment", "/payment/", "/payment/nothing", "/payment/status", "/payment/status/", "/payment/status/b-1/refund",
    "/payment/status/b-1/", "/payment/status/b%2F1", "/payment//webhook", "/payment/webhook/", "/payment/webhook/x",
    "/payment/create-payment-intent/", "/payment/Webhook", "/PAYMENT/webhook", "/payment/%2e%2e/health", "/payment/a%0Ab",
    "/payment/%00", "/payments", "/nothing", "/bookings/b-1/pay",
]  # fmt: skip
ENDPOINTS = {CREATE: "POST", CONFIRM: "POST", WEBHOOK: "POST", STATUS + "b-1": "GET"}
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PROPFIND"])
@pytest.mark.parametrize("path", UNKNOWN)
def test_an_unknown_path_is_not_found(shared, path, method):
    with shared.unwritten():
        refused(shared.send(method, path, [bearer(token())], b"{}"), 404, "not_found")


OTHER = [(path, method) for path, taken in ENDPOINTS.items() for method in METHODS if method != taken]


@pytest.mark.parametrize(("path", "method"), OTHER)
def test_another_method_is_told_which_one_it_takes(shared, path, method):
    with shared.unwritten():
        reply = shared.send(method, path, [bearer(token())])
    if method == "HEAD":
        assert (reply.status, reply.body) == (405, b"")
    else:
        refused(reply, 405, "method_not_allowed")
    assert ENDPOINTS[path] in reply.header("allow").split(", ")


def test_a_path_or_method_is_refused_before_the_token_is_asked_for(shared):
    refused(shared.send("GET", "/payment/nothing"), 404, "not_found")
    refused(shared.send("GET", CREATE), 405, "method_not_allowed")


@pytest.mark.parametrize("path", ["/bookings", "/config", "/health"])
def test_the_stand_in_answers_another_method_in_the_envelope(shared, path):
    refused(shared.send("DELETE", path), 405, "method_not_allowed")


@pytest.mark.parametrize("query", ["?x=1", "?%FF", "?#", "?a=b&a=c"])
def test_a_query_changes_nothing(shop, query):
    shop.book("b-1")

    ok(shop.get(STATUS + "b-1" + query), {"paymentStatus": "pending", "bookingStatus": "pending", "stripeStatus": None})
