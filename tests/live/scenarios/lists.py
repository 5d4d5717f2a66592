"""Lists, pages and search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .registry import NEW, refused, scenario

if TYPE_CHECKING:
    from tests.live.stage import Stage


@scenario
def pages(stage: Stage) -> None:
    """Newest first, in pages, by cursors that go both ways."""
    customer = stage.post("customer", "customers", {})["id"]
    made = [stage.post(f"create {n}", "payment_intents", {**NEW, "customer": customer})["id"] for n in range(5)]
    wanted = {"customer": customer, "limit": 2}
    first = stage.get("first page", "payment_intents", wanted, words={"object": "list"})
    stage.check("first: which", [made.index(item["id"]) for item in first["data"]], [4, 3])
    stage.check("first: there is more", first["has_more"], True)
    second = stage.get("second page", "payment_intents", {**wanted, "starting_after": made[3]})
    stage.check("second: which", [made.index(item["id"]) for item in second["data"]], [2, 1])
    third = stage.get("third page", "payment_intents", {**wanted, "starting_after": made[1]})
    stage.check("third: which", [made.index(item["id"]) for item in third["data"]], [0])
    stage.check("third: there is no more", third["has_more"], False)
    back = stage.get("back", "payment_intents", {**wanted, "ending_before": made[1]})
    stage.check("back: which", [made.index(item["id"]) for item in back["data"]], [3, 2])
    none = stage.get("behind the last", "payment_intents", {**wanted, "starting_after": made[0]})
    stage.check("behind the last: none", len(none["data"]), 0)


@scenario
def pages_that_are_none(stage: Stage) -> None:
    """Limits from 1 to 100, cursors that exist, one of them at a time."""
    for limit in (0, 101):
        words = refused(param="limit")
        stage.get(f"limit {limit}", "payment_intents", {"limit": limit}, status=400, words=words)
    nobody = {"starting_after": "pi_3NobodysPaymentIntent0"}
    words = refused("resource_missing", param="starting_after")
    stage.get("a cursor of nobody", "payment_intents", nobody, status=400, words=words)
    made = stage.post("create", "payment_intents", NEW)["id"]
    both = {"starting_after": made, "ending_before": made}
    stage.get("both cursors", "payment_intents", both, status=400, words=refused())


@scenario
def a_window_of_time(stage: Stage) -> None:
    """Lists by `created`: what reconcile and a lost create rest on."""
    customer = stage.post("customer", "customers", {})["id"]
    made = stage.post("create", "payment_intents", {**NEW, "customer": customer})
    at = made["created"]
    for step, window, there in (
        ("since", {"gte": at}, True),
        ("from until", {"gte": at, "lte": at}, True),
        ("after", {"gt": at}, False),
        ("before", {"lt": at}, False),
    ):
        found = stage.get(step, "payment_intents", {"customer": customer, "created": window})
        stage.check(
            f"{step}: it is there", [item["id"] == made["id"] for item in found["data"]], [True] if there else []
        )


@scenario
def payments_are_searched(stage: Stage) -> None:
    """By metadata and status, some time after they were made; a query that is none is refused."""
    made = stage.post("create", "payment_intents", {**NEW, "metadata": {"searched": stage.key("one")}})
    wanted = {"query": f"metadata['searched']:'{stage.key('one')}' AND status:'requires_payment_method'"}
    found = stage.until(
        "it is found",
        lambda: stage.quietly("get", "payment_intents/search", wanted),
        lambda a: bool(a["data"]),
        seconds=120,
    )
    stage.check("it is the one", [item["id"] == made["id"] for item in found["data"]], [True])
    stage.get("search", "payment_intents/search", wanted, words={"object": "search_result"})
    for step, query in (("no query", "what is this?"), ("no such field", "colour:'red'"), ("both joints", "a:'1' AND")):
        stage.get(step, "payment_intents/search", {"query": query}, status=400, words=refused())
    stage.get("no words at all", "payment_intents/search", status=400, words=refused())


@scenario
def what_is_expanded(stage: Stage) -> None:
    """`expand` puts the object where its id stood; a field that has none is refused."""
    made = stage.post("create", "payment_intents", {**NEW, "payment_method": "pm_card_visa", "confirm": True})
    path = f"payment_intents/{made['id']}"
    whole = stage.get("expand", path, {"expand": ["latest_charge", "payment_method"]})
    stage.check("it is the charge", whole["latest_charge"]["object"], "charge")
    stage.check("it is the card", whole["payment_method"]["object"], "payment_method")
    stage.get("what cannot be", path, {"expand": ["amount"]}, status=400, words=refused())
    listed = stage.get("in a list", "charges", {"payment_intent": made["id"], "expand": ["data.payment_intent"]})
    stage.check("it is the PaymentIntent", listed["data"][0]["payment_intent"]["object"], "payment_intent")
