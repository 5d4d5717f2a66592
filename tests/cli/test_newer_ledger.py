"""The command line on a ledger that a newer version of the library wrote: told, and never changed."""

from __future__ import annotations

import contextlib
import json
import sqlite3

import pytest

from airport_payments.core.codec import FORMAT


def document(shop, change=None):
    """Return the stored ledger of b-1; `change` edits it first, as the newer version would."""
    with contextlib.closing(sqlite3.connect(shop.folder / "airport.db")) as database, database:
        (text,) = database.execute("SELECT document FROM airport_ledgers WHERE booking_id = 'b-1'").fetchone()
        if change is not None:
            found = json.loads(text)
            found["format"] = FORMAT + 1
            change(found)
            text = json.dumps(found)
            database.execute("UPDATE airport_ledgers SET document = ?, due_at_us = 0 WHERE booking_id = 'b-1'", (text,))
        return text


def readable(found):
    found["loyalty_points"] = 7


def unreadable(found):
    found["payments"][0]["state"] = "tokenised"


# What each ends with: where the ledger can be read, and where it cannot. 4 and `busy`: a newer process does it.
COMMANDS = {
    "explain": (["explain", "b-1"], (0, None), (1, "internal_error")),
    "refund": (["refund", "b-1", "--request-id", "r"], (4, "busy"), (1, "internal_error")),
    "cancel": (["cancel", "b-1"], (1, "booking_already_paid"), (1, "internal_error")),
    "redeliver": (["dead-letters", "--redeliver", "b-1", "1"], (1, "nothing_to_redeliver"), (1, "internal_error")),
    "tick": (["tick", "--no-handlers"], (1, None), (1, None)),
    "attention": (["attention"], (0, None), (0, None)),
    "reconcile": (["reconcile", "--since", "3d", "--repair"], (3, None), (3, None)),
    "prune": (["prune", "--before", "1m"], (0, None), (0, None)),
}


@pytest.mark.parametrize("change", [readable, unreadable])
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_tells_it_in_one_document_and_changes_nothing(shop, here, name, change):
    intent = shop.paid("b-1")
    before = document(shop, change)
    shop.fake.refund(intent, 100)
    arguments, *ends = COMMANDS[name]
    ended = here(*arguments, "--json")
    error = ended.json.get("error")
    assert (ended.code, error and error["code"]) == ends[change is unreadable]
    assert document(shop) == before
