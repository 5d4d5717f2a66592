"""401 `unauthorized`: a customer proves who they are on every call but the webhook, before anything else is looked at."""

import base64
import json
import time

import jwt
import pytest

from .expect import ok, refused
from .harness import CONFIRM, CREATE, JWT_SECRET, STATUS, bearer, token

CALLS = [("POST", CREATE), ("POST", CONFIRM), ("GET", STATUS + "b-1")]
STAND_IN = [
    ("POST", "/bookings"),
    ("GET", "/bookings/b-1"),
    ("POST", "/bookings/b-1/cancel"),
    ("POST", "/bookings/b-1/refund"),
    ("GET", "/bookings/b-1/history"),
]
GOOD = b'{"bookingId":"b-1","amount":450.99,"currency":"usd","paymentIntentId":"pi_12345678"}'
NOW = int(time.time())


@pytest.fixture(scope="module", autouse=True)
def booked(shared):
    shared.book("b-1")


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(algorithm: str, signature: str = "") -> str:
    return f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part({'sub': 'alice', 'exp': NOW + 600})}.{signature}"


OTHER = "another-secret-of-64-bytes-or-more-so-that-it-will-do-for-HS512!!"
GOOD_TOKEN = token()
TOKENS = {
    "no header": [],
    "nothing": [("Authorization", "")],
    "no token": [("Authorization", "Bearer")],
    "an empty token": [("Authorization", "Bearer ")],
    "another scheme": [("Authorization", f"Basic {GOOD_TOKEN}")],
    "no scheme": [("Authorization", GOOD_TOKEN)],
    "two tokens": [("Authorization", f"Bearer {GOOD_TOKEN} {GOOD_TOKEN}")],
    "two headers": [bearer(GOOD_TOKEN), bearer(GOOD_TOKEN)],
    "two headers, the second empty": [bearer(GOOD_TOKEN), ("Authorization", "")],
    "no JWT": [bearer("letmein")],
    "two parts": [bearer(GOOD_TOKEN.rpartition(".")[0])],
    "four parts": [bearer(GOOD_TOKEN + ".x")],
    "a changed claim": [bearer(GOOD_TOKEN.replace(GOOD_TOKEN.split(".")[1], part({"sub": "bob", "exp": NOW + 600})))],
    "not ASCII": [bearer("ü.ü.ü".encode())],
    "Latin-1": [bearer("é".encode("latin-1"))],
    "too long": [bearer("a" * 9000)],
    "signed by another": [bearer(token(secret=OTHER))],
    "another algorithm of the same family": [bearer(token(algorithm="HS512"))],
    "alg none": [bearer(unsigned("none"))],
    "alg NONE": [bearer(unsigned("NONE", "x"))],
    "alg of a public key": [bearer(unsigned("RS256", "AAAA"))],
    "expired": [bearer(token(exp=NOW - 1))],
    "no exp": [bearer(token(exp=None))],
    "exp is a text": [bearer(token(exp="tomorrow"))],
    "exp is true": [bearer(token(exp=True))],
    "not yet valid": [bearer(token(nbf=NOW + 3600))],
    "issued in the future": [bearer(token(iat=NOW + 3600))],
    "no sub": [bearer(token(None))],
    "sub is empty": [bearer(token(""))],
    "sub is too long": [bearer(token("x" * 256))],
    "an audience that is not ours": [bearer(token(aud="another-service"))],
    "payload is a list": [bearer(f"{part({'alg': 'HS256'})}.{part([])}.AAAA")],
    "header is a list": [bearer(f"{part([])}.{part({})}.AAAA")],
    "an unknown critical extension": [bearer(f"{part({'alg': 'HS256', 'crit': ['x'], 'x': 1})}.{part({})}.AAAA")],
}


@pytest.mark.parametrize("headers", TOKENS.values(), ids=TOKENS)
def test_a_bad_token_is_refused_on_every_call(shared, headers):
    with shared.unwritten():
        for method, path in [*CALLS, *STAND_IN]:
            refused(shared.send(method, path, headers, GOOD), 401, "unauthorized")


ODD_CLAIMS = {
    "sub is a number": '{"sub":1,"exp":4000000000}',
    "sub is true": '{"sub":true,"exp":4000000000}',
    "sub is a list": '{"sub":["alice"],"exp":4000000000}',
    "sub is an object": '{"sub":{"id":"alice"},"exp":4000000000}',
    "exp is beyond any float": '{"sub":"alice","exp":1e999}',
    "exp is NaN": '{"sub":"alice","exp":NaN}',
    "nbf is beyond any float": '{"sub":"alice","exp":4000000000,"nbf":1e999}',
    "not JSON": '{"sub":"alice"',
    "deep nesting": "[" * 1500,
}


@pytest.mark.parametrize("claims", ODD_CLAIMS.values(), ids=ODD_CLAIMS)
def test_odd_claims_are_refused_even_when_signed(shared, claims):
    # PyJWT refuses to write such claims, so they are signed as raw text.
    signed = jwt.api_jws.encode(claims.encode(), JWT_SECRET, "HS256")
    with shared.unwritten():
        for method, path in CALLS:
            refused(shared.send(method, path, [bearer(signed)], GOOD), 401, "unauthorized")


def test_the_token_comes_before_the_body(shared):
    """Who may not ask learns nothing of what would have been wrong, and their body is not read."""
    read = []

    def endless():
        while True:
            read.append(1)
            yield b" " * 1000

    refused(shared.send("POST", CREATE, [], b"not json"), 401, "unauthorized")
    refused(shared.send("POST", CREATE, [], endless()), 401, "unauthorized")
    assert len(read) <= 1


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_comes_in_any_case(shared, scheme):
    pending = {"paymentStatus": "pending", "bookingStatus": "pending", "stripeStatus": None}
    ok(shared.send("GET", STATUS + "b-1", [("Authorization", f"{scheme} {token()}")]), pending)


def test_the_webhook_needs_no_token(shared):
    ok(shared.event({**EVENT}), {"received": True, "outcome": "ignored"})


EVENT = {
    "id": "evt_1",
    "type": "customer.created",
    "created": NOW,
    "livemode": False,
    "data": {"object": {"id": "cus_1", "object": "customer"}},
}
