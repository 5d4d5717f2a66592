"""The ledger as one JSON document: what the storage keeps. Defaults are left out, so that documents stay short.

`FORMAT` is the newest that this version can write back without losing anything. During a rolling deploy two versions share
one database, so a version that adds a field, a state or a command writes a higher number into the documents that use it,
and the old number into all others. An older version shows what it can read of a document of a higher format, and never
saves it (`Ledger.newer`).
"""

import json
from typing import Final

from airport_payments.core.codec.announcements import dump_letter, dump_pending, load_letter, load_pending
from airport_payments.core.codec.effects import dump_effect, load_effect
from airport_payments.core.codec.parts import Doc, UnreadableLedger, from_us, to_us
from airport_payments.core.codec.payments import dump_payment, load_payment
from airport_payments.core.errors import PaymentsError
from airport_payments.core.model import CancelReason, Ledger, RequestKey

__all__ = ["FORMAT", "UnreadableLedger", "dump", "from_us", "load", "to_us"]

FORMAT: Final = 1

# Made once: json.dumps() with settings of its own makes an encoder at each call.
_encode: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def dump(ledger: Ledger) -> str:
    """Return a ledger as JSON, without its version, which the storage keeps beside it."""
    doc: Doc = {"format": FORMAT, "payments": [dump_payment(p) for p in ledger.payments]}
    if ledger.effects:
        doc["effects"] = [dump_effect(e) for e in ledger.effects]
    if ledger.announcements:
        doc["announcements"] = [dump_pending(p) for p in ledger.announcements]
    if ledger.announced:
        doc["announced"] = ledger.announced
    if ledger.request_keys:
        doc["request_keys"] = [[k.key, k.fingerprint] for k in ledger.request_keys]
    if ledger.cancelling is not None:
        doc["cancelling"] = ledger.cancelling
    if ledger.dead_letters:
        doc["dead_letters"] = [dump_letter(d) for d in ledger.dead_letters]
    return _encode(doc)


def load(text: str, version: int) -> Ledger:
    """Return the ledger of a JSON document.

    Raises:
        UnreadableLedger: a newer version wrote something that this one does not know, or it is damaged.
    """
    try:
        doc = json.loads(text)
        newer = _newer(doc["format"])
        return Ledger(
            version,
            tuple([load_payment(d) for d in doc["payments"]]),
            tuple([load_effect(d) for d in doc["effects"]]) if "effects" in doc else (),
            tuple([load_pending(d) for d in doc["announcements"]]) if "announcements" in doc else (),
            doc.get("announced", 0),
            tuple([RequestKey(*pair) for pair in doc["request_keys"]]) if "request_keys" in doc else (),
            CancelReason(doc["cancelling"]) if "cancelling" in doc else None,
            newer,
            tuple([load_letter(d) for d in doc["dead_letters"]]) if "dead_letters" in doc else (),
        )
    except UnreadableLedger:
        raise
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
        RecursionError,
        PaymentsError,
    ) as error:
        # PaymentsError: Money answers 400, because it mostly judges a caller's words.
        raise UnreadableLedger(f"a ledger that cannot be read ({type(error).__name__})") from None


def _newer(found: object) -> bool:
    """Return whether a newer version wrote this document."""
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise UnreadableLedger(f"a ledger of format {found!r:.20}: this version writes {FORMAT}")
    return found > FORMAT
