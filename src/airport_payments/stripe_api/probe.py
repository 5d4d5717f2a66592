"""A signed event that changes nothing: to see whether a webhook's route lets through what Stripe would send."""

import json
import secrets
from typing import Final

from airport_payments.core.secret import Secret
from airport_payments.stripe_api.signature import sign

# No type of Stripe's: whoever gets it ignores it.
TYPE: Final = "airport_payments.doctor"


def probe_event(now_s: int, *, livemode: bool) -> bytes:
    """Return the body of an event of a type that nobody handles.

    It is written as no serialiser writes by itself: a route that reads the JSON and writes it anew, instead of handing on
    the raw bytes, refuses Stripe's events and must not let this one through either.

    Args:
        now_s: seconds since 1970.
        livemode: as the settings' key has it.
    """
    number = secrets.token_hex(8)
    return json.dumps({
        "id": f"evt_doctor{number}",
        "object": "event",
        "api_version": None,
        "created": now_s,
        "data": {"object": {"id": f"doctor_{number}", "object": "doctor"}},
        "livemode": livemode,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": TYPE,
    }, indent=2, separators=(",", " : ")).encode()  # fmt: skip


def signed(body: bytes, secret: Secret, now_s: int) -> str:
    """Return the `Stripe-Signature` header for it."""
    return sign(body, secret, timestamp=now_s)


def forged(body: bytes, now_s: int) -> str:
    """Return a header of the right form, signed with a secret that nobody has."""
    return sign(body, f"whsec_{secrets.token_hex(24)}", timestamp=now_s)
