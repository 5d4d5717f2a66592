"""Stripe's schemas, and what of a newer API version differs from them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import jsonschema

FILE = Path(__file__).parent.parent / "schemas" / "schemas.json"
# The schemas are of 2026-08-26.dahlia, one release before stripe-python 16.1 (2026-10-28.endive). Where the two
# differ stripe-python's source decides: its _dispute.py has these statuses too.
ENDIVE_DISPUTE_STATUSES = ["appeal_needs_response", "appeal_under_review"]


@cache
def validator(kind):
    document = json.loads(FILE.read_text())
    document["$defs"]["dispute"]["properties"]["status"]["enum"] += ENDIVE_DISPUTE_STATUSES
    schema = {"$defs": document["$defs"], "$ref": f"#/$defs/{kind}"}
    return jsonschema.Draft202012Validator(schema)


CHECKED = set()  # the fake is deterministic: many tests make the same objects


def check(obj):
    """Validate an object, and those inside an event or a list, against Stripe's schema."""
    kind = obj.get("object")
    if kind == "webhook_endpoint" and obj.get("deleted"):
        return
    if kind in {"list", "search_result"}:
        for item in obj["data"]:
            check(item)
        return
    text = json.dumps(obj)
    if text in CHECKED:
        return
    CHECKED.add(text)
    name = "error" if "error" in obj else "deleted_customer" if obj.get("deleted") else kind
    validator(name).validate(obj)
    if kind == "event" and obj["data"]["object"]["object"] in KINDS:
        check(obj["data"]["object"])


KINDS = (
    "payment_intent",
    "charge",
    "refund",
    "event",
    "customer",
    "payment_method",
    "dispute",
    "webhook_endpoint",
    "balance_transaction",
)
