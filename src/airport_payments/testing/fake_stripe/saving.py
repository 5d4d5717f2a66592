"""Writes the whole state of a fake as JSON, and reads it again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from airport_payments.testing.fake_stripe.books import Books
from airport_payments.testing.fake_stripe.idempotency import forget_unfinished
from airport_payments.testing.fake_stripe.ids import Ids

if TYPE_CHECKING:
    from airport_payments.testing.fake_stripe.api import Api
    from airport_payments.testing.fake_stripe.json_types import Obj

_SAVED_AS = 1  # the version of what `dump` writes


def dump(api: Api) -> str:
    """Return the whole state as JSON. Endpoints that are functions of this process are left out."""
    with api.lock:
        accounts = {account: books.dump() for account, books in api.accounts.items()}
        for saved in accounts.values():
            for endpoint_id in api.queue.targets:
                for kind in ("webhook_endpoint", "event_destination"):
                    saved["objects"][kind].pop(endpoint_id, None)
        pending: list[Obj] = []
        for delivery in api.queue.pending():
            # `restore` queues what is pending once more, and counts it again.
            accounts[delivery.account]["objects"]["event"][delivery.event_id]["pending_webhooks"] -= 1
            if delivery.endpoint_id not in api.queue.targets:
                names = {"event": delivery.event_id, "endpoint": delivery.endpoint_id}
                accounts_of = {"account": delivery.account, "endpoint_account": delivery.endpoint_account}
                pending.append({**accounts_of, **names})
        state = {"saved_as": _SAVED_AS, "ids": api.ids.count, "offset_seconds": api.offset_seconds}
        return json.dumps({**state, "accounts": list(accounts.values()), "pending": pending})


def restore(api: Api, text: str) -> None:
    """Put what `dump` wrote into a fake that has nothing yet.

    Raises:
        ValueError: If the text is of another version, or not such a state.
    """
    read: Any = json.loads(text)
    if not isinstance(read, dict) or cast("Obj", read).get("saved_as") != _SAVED_AS:
        raise ValueError("this is not a state that FakeStripe.dump wrote")
    state = cast("Obj", read)
    api.ids = Ids(api.seed, state["ids"])
    api.offset_seconds = state["offset_seconds"]
    for account in state["accounts"]:
        books = Books.load(account)
        forget_unfinished(books)
        api.accounts[books.account] = books
    for delivery in state["pending"]:
        books = api.accounts[delivery["account"]]
        home = api.accounts[delivery.get("endpoint_account", delivery["account"])]
        api.queue.add(books, books.objects["event"][delivery["event"]], home, delivery["endpoint"])
