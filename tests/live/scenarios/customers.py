"""Customers and saved cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .registry import NEW, PAID, refused, scenario

if TYPE_CHECKING:
    from tests.live.stage import Stage

OFF = {**NEW, "confirm": True, "off_session": True}


def _saved(stage: Stage, card: str, name: str = "") -> tuple[str, str]:
    """Return a customer and a card of theirs."""
    customer = stage.post(f"customer {name}".strip(), "customers", {"email": "nobody@example.com"})
    answer = stage.post(f"attach {name}".strip(), f"payment_methods/{card}/attach", {"customer": customer["id"]})
    stage.check(f"whose it is {name}".strip(), answer["customer"] == customer["id"], True)
    return customer["id"], answer["id"]


@scenario
def a_customer(stage: Stage) -> None:
    """Made, changed, read, deleted; deleted once more it is not there."""
    made = stage.post("create", "customers", {"email": "nobody@example.com", "metadata": {"a": "1", "b": "2"}})
    path = f"customers/{made['id']}"
    changed = stage.post("change", path, {"name": "Nobody", "metadata": {"a": "", "b": "3"}})
    stage.check("metadata is merged, and an empty value removes its key", {"a", "b"} & {*changed["metadata"]}, {"b"})
    stage.get("retrieve", path, words={"object": "customer"})
    done = stage.ask("delete", "delete", path)
    stage.check("it says so", done["deleted"], True)
    after = stage.get("retrieve what is gone", path)
    stage.check("it is a shell", after["deleted"], True)
    stage.ask("delete again", "delete", path, status=404, words=refused("resource_missing"))
    request = {**NEW, "customer": made["id"]}
    words = refused("resource_missing", param="customer")
    stage.post("pay for who is gone", "payment_intents", request, status=400, words=words)


@scenario
def a_saved_card_pays_off_session(stage: Stage) -> None:
    """A card that the customer saved pays while they are away."""
    customer, method = _saved(stage, "pm_card_visa")
    request = {**OFF, "customer": customer, "payment_method": method}
    stage.post("charge", "payment_intents", request, words={"is": "succeeded"})
    found = stage.get("their cards", f"customers/{customer}/payment_methods")
    stage.check("it is listed", [card["id"] == method for card in found["data"]], [True])
    without = {**OFF, "payment_method": method}
    stage.post("without its customer", "payment_intents", without, status=400, words=refused())
    stage.post("detach", f"payment_methods/{method}/detach")
    stage.post("detach again", f"payment_methods/{method}/detach", status=400, words=refused())
    stage.post("charge what is detached", "payment_intents", request, status=400, words=refused())


@scenario
def a_saved_card_wants_its_owner(stage: Stage) -> None:
    """Off session the bank may want the customer: declined as `authentication_required`, and payable by them."""
    customer, method = _saved(stage, "pm_card_authenticationRequired")
    request = {**OFF, "customer": customer, "payment_method": method}
    words = refused("authentication_required", type="card_error", decline_code="authentication_required")
    answer = stage.post("charge", "payment_intents", request, status=402, words=words)
    intent = answer.error.get("payment_intent", {})
    stage.check("it waits", intent.get("status"), "requires_payment_method")
    stage.check("the error carries the card", answer.error.get("payment_method", {}).get("id") == method, True)
    there = {"payment_method": method}
    path = f"payment_intents/{intent['id']}/confirm"
    stage.post("with the customer there", path, there, words={"is": "requires_action"})


@scenario
def a_saved_card_is_declined(stage: Stage) -> None:
    """`pm_card_chargeCustomerFail` can be saved, and declines each charge; a plain decline cannot be saved."""
    customer, method = _saved(stage, "pm_card_chargeCustomerFail")
    request = {**OFF, "customer": customer, "payment_method": method}
    words = refused("card_declined", type="card_error", decline_code="generic_decline")
    stage.post("charge", "payment_intents", request, status=402, words=words)
    path = "payment_methods/pm_card_visa_chargeDeclined/attach"
    stage.post("save a declining card", path, {"customer": customer}, status=402, words=words)


@scenario
def someone_elses_card(stage: Stage) -> None:
    """A card that is saved for one customer pays for no other."""
    _, method = _saved(stage, "pm_card_visa", "one")
    other = stage.post("customer two", "customers", {})
    request = {**OFF, "customer": other["id"], "payment_method": method}
    stage.post("charge", "payment_intents", request, status=400, words=refused())


@scenario
def a_card_is_saved_by_paying(stage: Stage) -> None:
    """`setup_future_usage` attaches the card to the customer."""
    customer = stage.post("customer", "customers", {})
    request = {**PAID, "customer": customer["id"], "setup_future_usage": "off_session"}
    done = stage.post("pay", "payment_intents", request, words={"is": "succeeded"})
    found = stage.get("their cards", f"customers/{customer['id']}/payment_methods")
    stage.check("it is theirs", [card["id"] == done["payment_method"] for card in found["data"]], [True])


@scenario
def customers_are_searched(stage: Stage) -> None:
    """By metadata, some time after they were made."""
    made = stage.post("create", "customers", {"metadata": {"searched": stage.key("one")}})
    wanted = {"query": f"metadata['searched']:'{stage.key('one')}'"}
    found = stage.until(
        "it is found", lambda: stage.quietly("get", "customers/search", wanted), lambda a: bool(a["data"]), seconds=120
    )
    stage.check("it is the one", [customer["id"] == made["id"] for customer in found["data"]], [True])
    stage.get("search", "customers/search", wanted, words={"object": "search_result"})
    # Also through a restricted key this is the whole of what our own `customer()` asks for.
    nobody = {"query": "metadata['searched']:'nobody has this'"}
    stage.check("nobody", len(stage.get("search for nobody", "customers/search", nobody)["data"]), 0)
