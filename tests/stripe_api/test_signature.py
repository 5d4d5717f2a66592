"""Verification: every line of Stripe's scheme and of what attackers try. Each refusal is the one typed error."""

import ast
import hashlib
import hmac
import math
from pathlib import Path

import pytest
import stripe

import airport_payments.stripe_api.signature as module
from airport_payments.core.errors import ConfigurationError, InvalidSignature
from airport_payments.core.secret import Secret
from airport_payments.stripe_api.signature import (
    MAX_BODY_BYTES,
    MAX_HEADER_CHARS,
    MAX_HEADER_PARTS,
    MIN_SECRET_CHARS,
    read_header,
    sign,
    verify,
)

BODY = b'{"id": "evt_1", "text": "\xc3\xa4"}'
SECRET = "whsec_test_secret_0123456789"
OTHER = "whsec_another_secret_9876543"
NOW = 1_790_000_000


def mac(timestamp: str = str(NOW), body: bytes = BODY, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


GOOD = mac()
HEADER = f"t={NOW},v1={GOOD}"


def check(header=HEADER, body: bytes = BODY, secrets=(SECRET,), now: float = NOW, tolerance_s: int = 300) -> None:
    verify(body, *read_header(header, body_bytes=len(body), now=now, tolerance_s=tolerance_s), secrets)


@pytest.mark.parametrize(
    "header",
    [
        HEADER,
        f"v1={GOOD},t={NOW}",
        f"t={NOW},v1={'0' * 64},v1={GOOD}",
        f"t={NOW},v1={GOOD},v1={'0' * 64}",
        f"t={NOW},v1={GOOD},v0={'f' * 64}",
        f"t={NOW},v0=,v1={GOOD}",
        f"t={NOW},v2=anything at all,v1={GOOD}",
        f"t={NOW},v2=a=b,v1={GOOD}",
    ],
)
def test_what_stripe_sends_is_accepted(header) -> None:
    check(header)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        " ",
        ",",
        "=",
        "t",
        "v1",
        f"t={NOW}",
        f"v1={GOOD}",
        f"t=,v1={GOOD}",
        f"t={NOW},v1=",
        f"t={NOW},v0={GOOD}",
        f"t={NOW},V1={GOOD}",
        f"T={NOW},v1={GOOD}",
        f"t={NOW}, v1={GOOD}",
        f" t={NOW},v1={GOOD}",
        f"t= {NOW},v1={GOOD}",
        f"t={NOW},v1={GOOD} ",
        f"t={NOW},v1={GOOD}\n",
        f"t={NOW}\n,v1={GOOD}",
        f"t={NOW};v1={GOOD}",
        f"t={NOW},t={NOW},v1={GOOD}",
        f"t=1,t={NOW},v1={GOOD}",
        f"t={NOW},v1={GOOD},t={NOW}",
        f"t=+{NOW},v1={GOOD}",
        f"t=-{NOW},v1={GOOD}",
        f"t={NOW}.0,v1={GOOD}",
        f"t=1_790_000_000,v1={GOOD}",
        f"t=0x6AB13780,v1={GOOD}",
        "t=１７９００００００００,v1=" + GOOD,
        f"t={'9' * 13},v1={GOOD}",
        f"t={'9' * 4000},v1={GOOD}",
        f"t=nan,v1={GOOD}",
        f"t={NOW},v1={GOOD.upper()}",
        f"t={NOW},v1={GOOD[:-1]}",
        f"t={NOW},v1={GOOD}0",
        f"t={NOW},v1={GOOD[:-1]}ä",
        f"t={NOW},v1={GOOD[:-1]}\udcff",
        f"t={NOW},v1={GOOD[:-1]}１",
        f"t={NOW},v1=={GOOD}",
        f"t={NOW},v1={'0' * 64}",
        f"t={NOW},v1={'g' * 64}",
        f"t={NOW},v1={GOOD},v1=short",
        f"t={NOW},v1={GOOD},,",
        f"t={NOW},v1={GOOD},a-b=c",
        f"t={NOW},v1={GOOD}," + ",".join(["v9=x"] * 10_000),
        ",".join([f"t={NOW}"] + [f"v1={'0' * 64}"] * MAX_HEADER_PARTS),
        f"t={NOW},v1={GOOD}," + ",".join(["v9=x"] * (MAX_HEADER_PARTS - 1)),
        f"t={NOW},v1={GOOD},v9=" + "x" * MAX_HEADER_CHARS,
        b"t=1,v1=x",
        12,
    ],
)
def test_every_other_header_is_the_one_typed_error(header) -> None:
    with pytest.raises(InvalidSignature) as caught:
        check(header)
    assert GOOD not in str(caught.value)


def test_as_many_parts_and_characters_as_allowed_are_accepted() -> None:
    fillers = ",".join(["v9=x"] * (MAX_HEADER_PARTS - 2))
    check(f"{HEADER},{fillers}")
    check(f"{HEADER},v9={'x' * (MAX_HEADER_CHARS - len(HEADER) - 4)}")


@pytest.mark.parametrize(
    ("age", "accepted"),
    [(0, True), (299, True), (300, True), (301, False), (-300, True), (-301, False), (300.5, False), (-300.5, False),
     (365 * 86400, False), (-365 * 86400, False)],
)  # fmt: skip
def test_the_tolerance_has_two_sides(age, accepted) -> None:
    if accepted:
        check(now=NOW + age)
        return
    with pytest.raises(InvalidSignature):
        check(now=NOW + age)


def test_a_tolerance_of_zero_is_no_tolerance_and_not_every_age() -> None:
    check(tolerance_s=0)
    with pytest.raises(InvalidSignature):
        check(tolerance_s=0, now=NOW + 1)


@pytest.mark.parametrize("which", ["tolerance_s", "now"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "300"], ids=repr)
def test_a_time_that_is_none_is_a_configuration_error_and_never_lets_a_signature_pass(which, value) -> None:
    with pytest.raises(ConfigurationError, match="tolerance and now: finite numbers"):
        check(**{which: value})


def test_a_negative_tolerance_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError) as caught:
        check(tolerance_s=-1)
    assert str(caught.value) == "tolerance and now: finite numbers of seconds, and the tolerance at least 0"


@pytest.mark.parametrize("bit", range(0, len(BODY) * 8, 7))
def test_one_flipped_bit_of_the_body_is_refused(bit) -> None:
    altered = bytearray(BODY)
    altered[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidSignature):
        check(body=bytes(altered))


@pytest.mark.parametrize("place", range(64))
def test_one_altered_digit_of_the_signature_is_refused(place) -> None:
    digit = "0" if GOOD[place] != "0" else "1"
    with pytest.raises(InvalidSignature):
        check(f"t={NOW},v1={GOOD[:place]}{digit}{GOOD[place + 1 :]}")


def test_the_timestamp_is_signed_too() -> None:
    with pytest.raises(InvalidSignature):
        check(f"t={NOW + 1},v1={GOOD}")
    with pytest.raises(InvalidSignature):
        check(f"t=0{NOW},v1={GOOD}")


def test_another_secret_is_refused() -> None:
    with pytest.raises(InvalidSignature):
        check(secrets=(OTHER,))


def test_pain_14_while_a_secret_is_rolled_both_are_accepted() -> None:
    check(secrets=(OTHER, SECRET))
    check(secrets=(SECRET, OTHER))
    check(secrets=(Secret(OTHER), Secret(SECRET)))
    check(f"t={NOW},v1={mac(secret=OTHER)},v1={GOOD}")
    with pytest.raises(InvalidSignature):
        check(secrets=(OTHER, "whsec_third_secret"))


@pytest.mark.parametrize(
    "secrets", [(), ("",), (" " * 20,), ("short",), (" short  ",), (SECRET, ""), ("\n\t\r        ",)]
)
def test_no_secret_is_a_configuration_error_and_never_a_signature(secrets) -> None:
    empty = mac(secret=secrets[0] if secrets else "")
    with pytest.raises(ConfigurationError):
        check(f"t={NOW},v1={empty}", secrets=secrets)


def test_the_secret_is_used_whole() -> None:
    for wrong in (SECRET.removeprefix("whsec_"), SECRET + " ", SECRET.upper()):
        with pytest.raises(InvalidSignature):
            check(secrets=(wrong,))


def test_a_body_over_the_limit_is_refused_whatever_its_signature() -> None:
    for size, accepted in ((MAX_BODY_BYTES, True), (MAX_BODY_BYTES + 1, False)):
        body = b" " * size
        header = f"t={NOW},v1={mac(body=body)}"
        if accepted:
            check(header, body)
        else:
            with pytest.raises(InvalidSignature):
                check(header, body)


def test_bytes_that_are_no_text_can_be_signed() -> None:
    body = bytes(range(256))
    check(f"t={NOW},v1={mac(body=body)}", body)


def test_sign_makes_what_verify_and_stripe_python_accept() -> None:
    header = sign(BODY, SECRET, timestamp=NOW)
    check(header)
    assert header == HEADER
    assert stripe.WebhookSignature.verify_header(BODY.decode(), header, SECRET)
    with pytest.raises(ConfigurationError):
        sign(BODY, "", timestamp=NOW)


def test_what_stripe_python_signs_is_accepted() -> None:
    text = BODY.decode()
    signature = stripe.WebhookSignature._compute_signature(f"{NOW}.{text}", SECRET)
    check(f"t={NOW},v1={signature}")


def test_only_compare_digest_compares_signatures_and_only_bytes() -> None:
    tree = ast.parse(Path(module.__file__).read_text())
    (function,) = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "verify"]
    secret_names = {"expected", "signature", "signatures", "key", "keys", "message"}
    for node in ast.walk(function):
        if isinstance(node, ast.Compare):
            names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            assert not names & secret_names, ast.unparse(node)
    calls = [ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)]
    assert calls.count("hmac.compare_digest") == 1
    for name in ("startswith", "endswith", "__eq__", "operator.eq"):
        assert not [c for c in calls if c.endswith(name)]


def test_every_pair_is_compared_even_after_a_match(monkeypatch) -> None:
    compared = []
    real = hmac.compare_digest
    monkeypatch.setattr(module.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or real(a, b))
    check(f"t={NOW},v1={GOOD},v1={'0' * 64},v1={'1' * 64}", secrets=(SECRET, OTHER))
    assert len(compared) == 6
    assert all(type(side) is bytes for pair in compared for side in pair)


_HEADER = "the Stripe-Signature header"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"header": None}, f"{_HEADER} is missing, or is not text"),
        ({"header": "x" * (MAX_HEADER_CHARS + 1)}, f"{_HEADER} is too long"),
        ({"header": "," * MAX_HEADER_PARTS}, f"{_HEADER} has too many parts"),
        ({"header": f"t={NOW},v1=0"}, f"{_HEADER} is malformed: v1 is 64 hex digits"),
        ({"header": f"t=now,v1={GOOD}"}, f"{_HEADER} is malformed: one t of digits"),
        ({"header": f"t={NOW},v1={GOOD},-"}, f"{_HEADER} is malformed"),
        ({"header": f"t={NOW}"}, f"{_HEADER} has no timestamp or no v1 signature"),
        ({"body": b" " * (MAX_BODY_BYTES + 1)}, "the body is over the limit"),
        ({"now": NOW + 301}, "the timestamp is outside the tolerance: check this machine's clock"),
        (
            {"secrets": (OTHER,)},
            "no signature matches: the body is forged or altered, or the secret is another endpoint's",
        ),
        ({"secrets": ()}, "no webhook secret was given: without one, nothing can be verified"),
        (
            {"secrets": ("short",)},
            "a webhook secret is empty or too short: copy the whole whsec_… from the endpoint",
        ),
    ],
)
def test_each_refusal_says_what_to_look_at(given, message) -> None:
    with pytest.raises((InvalidSignature, ConfigurationError)) as caught:
        check(**given)
    assert str(caught.value) == message


def test_a_secret_of_the_least_length_is_taken() -> None:
    secret = "x" * MIN_SECRET_CHARS
    check(f"t={NOW},v1={mac(secret=secret)}", secrets=(secret,))
    with pytest.raises(ConfigurationError):
        check(secrets=(secret[1:],))


def test_a_secret_that_is_no_valid_text_is_refused_as_any_other_is() -> None:
    with pytest.raises(InvalidSignature):
        check(secrets=("whsec_" + chr(0xDCFF) * 10,))
