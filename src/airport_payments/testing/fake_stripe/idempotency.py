"""Stored answers: the same key with the same parameters gets the same bytes."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from airport_payments.testing.fake_stripe.books import Books, FakeIsFull
from airport_payments.testing.fake_stripe.constants import (
    IDEMPOTENCY_KEY_LIFETIME,
    IDEMPOTENCY_KEY_MAX_LENGTH,
    MAX_OBJECTS,
)
from airport_payments.testing.fake_stripe.errors import idempotency_mismatch, invalid_request, key_in_use

if TYPE_CHECKING:
    from airport_payments.testing.fake_stripe.forms import Params
    from airport_payments.testing.fake_stripe.json_types import Obj


def fingerprint(method: str, path: str, params: Params) -> str:
    """Return what must be equal for a request to count as the same: its parameters, in any order."""
    text = json.dumps([method, path, params], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def begin(books: Books, key: str, request: str, now: int) -> Obj | None:
    """Claim a key, or return the answer that is stored under it.

    Raises:
        StripeRefusal: If the key is too long, was used for another request, or is being used right now.
    """
    if len(key) > IDEMPOTENCY_KEY_MAX_LENGTH:
        raise invalid_request(
            f"Idempotency keys can only be up to {IDEMPOTENCY_KEY_MAX_LENGTH} characters long; yours is {len(key)}.",
        )
    record = books.answers.get(key)
    if record is not None and now - record["created"] >= IDEMPOTENCY_KEY_LIFETIME:
        record = None
    if record is None:
        _make_room(books, now)
        books.answers[key] = {"fingerprint": request, "created": now, "status": None}
        return None
    if record["fingerprint"] != request:
        raise idempotency_mismatch(key)
    if record["status"] is None:
        raise key_in_use(key)
    return record


def finish(books: Books, key: str, status: int, body: str, request_id: str) -> None:
    """Store the answer."""
    books.answers[key].update(status=status, body=body, request_id=request_id)


def release(books: Books, key: str) -> None:
    """Give the key back: nothing was executed."""
    books.answers.pop(key, None)


def _make_room(books: Books, now: int) -> None:
    if len(books.answers) < MAX_OBJECTS:
        return
    books.answers = {
        key: record for key, record in books.answers.items() if now - record["created"] < IDEMPOTENCY_KEY_LIFETIME
    }
    if len(books.answers) >= MAX_OBJECTS:
        raise FakeIsFull(f"{MAX_OBJECTS} idempotency keys in account {books.account}")


def forget_unfinished(books: Books) -> None:
    """Give all claimed keys back: their requests ended with the process that saved the state."""
    books.answers = {key: record for key, record in books.answers.items() if record["status"] is not None}
