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


# API v2 is not in Stripe's description of API v1. This is what stripe-python's classes say (v2/core/_event.py,
# _event_destination.py), and no other field may be there.
TEXT, NULL = {"type": "string"}, {"type": "null"}
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}


def closed(**properties):
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "required": [name for name in properties if name not in {"changes", "snapshot_event"}],
    }


REQUEST = closed(id=TEXT, idempotency_key={"type": ["string", "null"]})
V2 = {
    "v2.core.event": closed(
        id=TEXT, object=TEXT, type={"type": "string", "pattern": r"^v1\."}, created=TIME,
        livemode={"type": "boolean"}, context={"type": ["string", "null"]},
        reason={"anyOf": [closed(type={"const": "request"}, request=REQUEST), NULL]},
        related_object=closed(id=TEXT, type=TEXT, url={"type": "string", "pattern": "^/v1/"}),
        changes=NULL, snapshot_event={"type": "string", "pattern": "^evt_"},
    ),
    "v2.core.event_destination": closed(
        id=TEXT, object=TEXT, created=TIME, updated=TIME, description=TEXT, name=TEXT,
        enabled_events={"type": "array", "items": TEXT}, event_payload={"enum": ["snapshot", "thin"]},
        events_from={"type": "array", "items": {"enum": ["@self", "@accounts", "@organization_members"]}},
        livemode={"type": "boolean"}, metadata={"type": "object"}, status={"enum": ["enabled", "disabled"]},
        snapshot_api_version={"type": ["string", "null"]}, status_details={"type": ["object", "null"]}, type=TEXT,
        webhook_endpoint=closed(signing_secret=NULL, url={"type": ["string", "null"]}),
    ),
}  # fmt: skip
CHECKED = set()  # the fake is deterministic: many tests make the same objects


def check(obj):
    """Validate an object, and those inside an event or a list, against Stripe's schema."""
    kind = obj.get("object")
    if "next_page_url" in obj:
        for item in obj["data"]:
            check(item)
        return
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
    if kind in V2:
        jsonschema.Draft202012Validator(V2[kind]).validate(obj)
        return
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
