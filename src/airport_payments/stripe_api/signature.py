"""Verification of Stripe's webhook signatures: pure, `now` comes in.

The scheme: `Stripe-Signature: t=<unix seconds>,v1=<hex>[,v1=<hex>…]`, where v1 is the HMAC-SHA256 of `t.body` under the
endpoint's whole `whsec_…` string (docs.stripe.com/webhooks#verify-manually). Other schemes are ignored: v0 is a fake one
of test mode and must never count.
"""

import hmac
import math
import re
from collections.abc import Sequence
from typing import Final

from airport_payments.core.errors import ConfigurationError, InvalidSignature
from airport_payments.core.secret import Secret

# Our own cap: a PaymentIntent event has 4 to 20 KB. The endpoints refuse a larger body before it is read whole.
MAX_BODY_BYTES: Final = 256 * 1024
# Stripe sends one signature for each active secret, at most two, and one of scheme v0 in test mode.
MAX_HEADER_CHARS: Final = 4096
MAX_HEADER_PARTS: Final = 32
# Shorter secrets can be guessed; Stripe's have 32 characters after `whsec_`.
MIN_SECRET_CHARS: Final = 8

# What Stripe sends but while a secret is rolled; read in one go, because every delivery passes here.
_USUAL = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})", re.ASCII)
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_HEX_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SCHEME = re.compile(r"[a-z][a-z0-9]{0,7}", re.ASCII)


def read_header(header: str | None, *, body_bytes: int, now: float, tolerance_s: int) -> tuple[str, list[bytes]]:
    """Return the timestamp and the v1 signatures of a header, if the signature is of about now.

    It knows neither the secrets nor the body. So most refusals cost little, and leave no secret in a traceback.

    Args:
        header: the value of `Stripe-Signature`.
        body_bytes: how large the body is.
        now: seconds since 1970.
        tolerance_s: how old, and how far ahead of `now`, the signature may be.

    Raises:
        InvalidSignature: the header is no such header, the signature is of another time, or the body is over the limit.
        ConfigurationError: `now` or `tolerance_s` is no time.
    """
    try:
        # A NaN is neither less nor more than anything: without this it would let a signature of any age pass.
        times = 0 <= tolerance_s < math.inf and -math.inf < now < math.inf
    except TypeError:
        times = False
    if not times:
        raise ConfigurationError("tolerance and now: finite numbers of seconds, and the tolerance at least 0")
    # Some servers hand headers over as bytes: those are not what a caller should pass, and no reason to fall over.
    if not isinstance(header, str) or not header:
        raise InvalidSignature("the Stripe-Signature header is missing, or is not text")
    usual = _USUAL.fullmatch(header)
    timestamp, signatures = _parse(header) if usual is None else (usual[1], [usual[2]])
    if body_bytes > MAX_BODY_BYTES:
        raise InvalidSignature("the body is over the limit")
    if not abs(int(timestamp) - now) <= tolerance_s:
        raise InvalidSignature("the timestamp is outside the tolerance: check this machine's clock")
    return timestamp, [bytes.fromhex(signature) for signature in signatures]


def verify(body: bytes, timestamp: str, signatures: Sequence[bytes], secrets: Sequence[str | Secret]) -> None:
    """Check that one of these signatures is Stripe's for this body, under one of these secrets.

    Args:
        body: the raw bytes, exactly as they arrived.
        timestamp: as `read_header` returned it.
        signatures: as `read_header` returned them.
        secrets: the endpoint's `whsec_…` secrets; several while one is being rolled.

    Raises:
        InvalidSignature: none is.
        ConfigurationError: there is no secret, or one is too short to be one.
    """
    message = b"%s.%s" % (timestamp.encode("ascii"), body)
    matched = False
    for key in _keys(secrets):
        expected = hmac.digest(key, message, "sha256")
        for signature in signatures:
            # Every pair is compared, so that the time taken tells nothing of which one matched.
            matched |= hmac.compare_digest(expected, signature)
    if not matched:
        raise InvalidSignature(
            "no signature matches: the body is forged or altered, or the secret is another endpoint's"
        )


def sign(body: bytes, secret: str | Secret, *, timestamp: int) -> str:
    """Return the `Stripe-Signature` header that Stripe would send: for tests and for doctor checks.

    Args:
        body: the raw bytes.
        secret: the endpoint's `whsec_…` secret.
        timestamp: seconds since 1970.

    Raises:
        ConfigurationError: the secret is too short to be one.
    """
    (key,) = _keys((secret,))
    return f"t={timestamp},v1={hmac.digest(key, b'%d.%s' % (timestamp, body), 'sha256').hex()}"


def _keys(secrets: Sequence[str | Secret]) -> list[bytes]:
    if not secrets:
        raise ConfigurationError("no webhook secret was given: without one, nothing can be verified")
    keys: list[bytes] = []
    for secret in secrets:
        text: object = secret.reveal() if isinstance(secret, Secret) else secret
        if not isinstance(text, str) or len(text.strip()) < MIN_SECRET_CHARS:
            raise ConfigurationError("a webhook secret is empty or too short: copy the whole whsec_… from the endpoint")
        keys.append(text.encode("utf-8", "surrogatepass"))
    return keys


def _parse(header: str) -> tuple[str, list[str]]:
    """Return the timestamp and the v1 signatures of a header of the strict grammar."""
    if len(header) > MAX_HEADER_CHARS:
        raise InvalidSignature("the Stripe-Signature header is too long")
    timestamp: str | None = None
    signatures: list[str] = []
    parts = header.split(",", MAX_HEADER_PARTS)
    if len(parts) > MAX_HEADER_PARTS:
        raise InvalidSignature("the Stripe-Signature header has too many parts")
    for part in parts:
        scheme, _, value = part.partition("=")
        if scheme == "v1":
            if not _HEX_SHA256.fullmatch(value):
                raise InvalidSignature("the Stripe-Signature header is malformed: v1 is 64 hex digits")
            signatures.append(value)
        elif scheme == "t":
            if timestamp is not None or not _TIMESTAMP.fullmatch(value):
                raise InvalidSignature("the Stripe-Signature header is malformed: one t of digits")
            timestamp = value
        elif not _SCHEME.fullmatch(scheme):
            raise InvalidSignature("the Stripe-Signature header is malformed")
    if timestamp is None or not signatures:
        raise InvalidSignature("the Stripe-Signature header has no timestamp or no v1 signature")
    return timestamp, signatures
