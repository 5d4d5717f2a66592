"""`construct_event` against stripe-python's `Webhook.construct_event`."""

import time
from pathlib import Path

import stripe
from tests.bench.measure import Figure, rounds

from airport_payments import InvalidSignature, construct_event

SAMPLES = Path(__file__).parent.parent / "samples"
SECRET = "whsec_" + "b" * 32


def figures() -> list[Figure]:
    """Return the figures of verification."""
    small = (SAMPLES / "payment_intent.succeeded.4k.json").read_bytes()
    large = (SAMPLES / "payment_intent.succeeded.20k.json").read_bytes()
    huge = b'{"object":"event","padding":"' + b"x" * 1_000_000 + b'"}'
    return [
        _compare("construct_event, 3.7 KB", small, 40, 400, 20),
        _compare("construct_event, 20 KB", large, 60, 200, 6),
        _compare("construct_event, a stale timestamp", small, 6, 2000, 1000, age_s=301),
        _compare("construct_event, a body of 1 MB", huge, 500, 2000, 5),
    ]


def _compare(name: str, body: bytes, aim: int, ours_n: int, theirs_n: int, age_s: int = 0) -> Figure:
    def header() -> str:
        return stripe.WebhookSignature.generate_signature_header(body.decode(), SECRET, int(time.time()) - age_s)

    signed = header()
    refused = age_s > 0 or len(body) > 256 * 1024

    def ours() -> None:
        try:
            construct_event(body, signed, SECRET)
        except InvalidSignature:
            assert refused

    def theirs() -> None:
        try:
            stripe.Webhook.construct_event(body, signed, SECRET)
        except stripe.SignatureVerificationError:
            assert refused

    ratio, mine, other = rounds(ours, theirs, ours_n=ours_n, theirs_n=theirs_n)
    detail = f"{mine:.1f} µs against {other:.0f} µs"
    return Figure(name, "stripe.Webhook.construct_event", ratio, f"≥ {aim} times faster", ratio >= aim, detail)
