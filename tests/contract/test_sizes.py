"""413 `payload_too_large`: a body over the limit is refused before it is read whole, said or unsaid."""

import json

import pytest

from .expect import ok, refused
from .harness import CONFIRM, CREATE, WEBHOOK, bearer, token

LIMITS = {CREATE: 16 * 1024, CONFIRM: 16 * 1024, WEBHOOK: 256 * 1024}
# A server reads ahead a little; so much of what is offered may be taken, in pieces of 4 KiB.
AHEAD = 16 * 1024
PIECE = 4096

each_path = pytest.mark.parametrize("path", LIMITS)


def headers(*more):
    return [bearer(token()), ("Stripe-Signature", "t=1,v1=" + "0" * 64), *more]


@each_path
def test_a_body_over_the_limit_is_refused(shared, path):
    with shared.unwritten():
        reply = shared.send("POST", path, headers(), b" " * (LIMITS[path] + 1))
    refused(reply, 413, "payload_too_large")


@each_path
def test_a_body_at_the_limit_is_read(shared, path):
    reply = shared.send("POST", path, headers(), b" " * LIMITS[path])

    assert reply.json["data"]["error_code"] in {"invalid_request", "invalid_signature"}


@each_path
@pytest.mark.parametrize("length", ["16777216", "262145", "9" * 18])
def test_a_body_that_says_that_it_is_too_long_is_not_read_at_all(shared, path, length):
    taken = []

    with shared.unwritten():
        reply = shared.send("POST", path, headers(("Content-Length", length)), pieces(taken))
    refused(reply, 413, "payload_too_large")
    assert not taken


@each_path
def test_a_body_of_unknown_length_is_read_up_to_the_limit_only(shared, path):
    taken = []

    with shared.unwritten():
        reply = shared.send("POST", path, headers(), pieces(taken))
    refused(reply, 413, "payload_too_large")
    assert LIMITS[path] < sum(taken) <= LIMITS[path] + AHEAD


def pieces(taken: list[int]):
    """A body without an end."""
    while True:
        taken.append(PIECE)
        yield b" " * PIECE


def test_a_body_in_pieces_is_one_body(shop):
    shop.book("b-1")
    body = json.dumps({"bookingId": "b-1", "amount": 450.99, "currency": "usd"}).encode()

    reply = shop.send("POST", CREATE, [bearer(token())], [bytes([byte]) for byte in body])

    assert reply.status == 200


@each_path
def test_a_content_length_that_is_no_number_is_no_crash(shared, path):
    for length in ("", "-1", "1e9", "²", "16k"):
        reply = shared.send("POST", path, headers(("Content-Length", length)), [b""])
        assert reply.status in {400, 413}, length
        assert reply.json["success"] is False


def test_status_takes_no_body(shop):
    shop.book("b-1")

    reply = shop.send("GET", "/payment/status/b-1", [bearer(token())], b"x" * 100_000)

    ok(reply, {"paymentStatus": "pending", "bookingStatus": "pending", "stripeStatus": None})
