"""Amounts, currencies, metadata, and parameters that are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .registry import NEW, refused, scenario

if TYPE_CHECKING:
    from tests.live.stage import Stage

SETTLES = "the minimum is that of the currency in which the account settles"
# What can be charged, and what is one step below the minimum: docs.stripe.com/currencies, as of August 2026.
MINIMUMS = (("usd", 50), ("eur", 50), ("gbp", 30), ("jpy", 50), ("chf", 50), ("sek", 300), ("huf", 17500))
MAXIMUM = 999_999_999_999


def _in(currency: str, amount: object) -> dict[str, object]:
    return {**NEW, "currency": currency, "amount": amount}


@scenario
def amounts_at_their_limits(stage: Stage) -> None:
    """Minimums by currency, and the twelve digits of the maximum."""
    for currency, least in MINIMUMS:
        stage.post(f"{least} {currency}", "payment_intents", _in(currency, least), depends=SETTLES)
    for currency, _ in MINIMUMS:
        words = refused("amount_too_small", param="amount")
        stage.post(f"1 {currency}", "payment_intents", _in(currency, 1), status=400, words=words)
    stage.post("the most", "payment_intents", _in("usd", MAXIMUM))
    words = refused("amount_too_large", param="amount")
    stage.post("more", "payment_intents", _in("usd", MAXIMUM + 1), status=400, words=words)


@scenario
def just_below_the_minimum(stage: Stage) -> None:
    """One minor unit less than the minimum is refused."""
    for currency, least in MINIMUMS:
        words = refused("amount_too_small", param="amount")
        stage.post(
            f"{least - 1} {currency}",
            "payment_intents",
            _in(currency, least - 1),
            status=400,
            words=words,
            depends=SETTLES,
        )


@scenario
def amounts_that_are_none(stage: Stage) -> None:
    """Nothing, less than nothing, fractions, words."""
    for amount in (0, -1, "10.5", "1e3", "ten", ""):
        stage.post(
            f"amount {amount!r}", "payment_intents", _in("usd", amount), status=400, words=refused(param="amount")
        )


@scenario
def currencies_without_minor_units(stage: Stage) -> None:
    """Yen, won and dong have none: 500 is five hundred of them."""
    for currency, amount in (("jpy", 500), ("krw", 5000), ("vnd", 50000), ("clp", 5000), ("xof", 5000)):
        made = stage.post(currency, "payment_intents", _in(currency, amount))
        stage.check(f"{currency}: as it was given", made["amount"], amount)


@scenario
def currencies_with_three_digits(stage: Stage) -> None:
    """Dinars have thousandths, of which the last digit has to be 0."""
    for currency in ("kwd", "bhd", "jod", "omr", "tnd"):
        stage.post(f"{currency} 5120", "payment_intents", _in(currency, 5120))
        stage.post(f"{currency} 5124", "payment_intents", _in(currency, 5124), status=400, words=refused())


@scenario
def currencies_in_whole_units(stage: Stage) -> None:
    """The Icelandic krona and the Ugandan shilling are sent with two digits that are 00."""
    for currency, amount in (("isk", 100_000), ("ugx", 1_000_000)):
        stage.post(f"{currency} {amount}", "payment_intents", _in(currency, amount))
        stage.post(
            f"{currency} {amount + 1}", "payment_intents", _in(currency, amount + 1), status=400, words=refused()
        )


@scenario
def currencies_that_are_none(stage: Stage) -> None:
    """A currency is one of Stripe's, in any case."""
    stage.check("lower case", stage.post("USD", "payment_intents", _in("USD", 2000))["currency"], "usd")
    for currency in ("xxx", "dollars"):
        stage.post(currency, "payment_intents", _in(currency, 2000), status=400, words=refused(param="currency"))


@scenario
def metadata_at_its_limits(stage: Stage) -> None:
    """50 keys, 40 characters a key, 500 a value. (The run's own mark is one of the keys.)"""
    full = {f"k{n}": "v" for n in range(49)}
    stage.post("50 keys", "payment_intents", {**NEW, "metadata": full})
    stage.post("51 keys", "payment_intents", {**NEW, "metadata": {**full, "more": "v"}}, status=400, words=refused())
    stage.post("a key of 40", "payment_intents", {**NEW, "metadata": {"k" * 40: "v"}})
    stage.post("a key of 41", "payment_intents", {**NEW, "metadata": {"k" * 41: "v"}}, status=400, words=refused())
    stage.post("a value of 500", "payment_intents", {**NEW, "metadata": {"k": "v" * 500}})
    stage.post("a value of 501", "payment_intents", {**NEW, "metadata": {"k": "v" * 501}}, status=400, words=refused())
    text = "Zürich → 東京"
    made = stage.post("other letters", "payment_intents", {**NEW, "metadata": {"k": text}})
    stage.check("as they were given", made["metadata"]["k"] == text, True)


@scenario
def parameters_that_are_none(stage: Stage) -> None:
    """Unknown, missing, empty, of another kind, too long."""
    words = refused("parameter_unknown", param="colour")
    stage.post("unknown", "payment_intents", {**NEW, "colour": "red"}, status=400, words=words)
    stage.get("unknown in a list", "payment_intents", {"colour": "red"}, status=400, words=words)
    for name in ("amount", "currency"):
        less = {key: value for key, value in NEW.items() if key != name}
        stage.post(f"no {name}", "payment_intents", less, status=400, words=refused("parameter_missing", param=name))
    for name, value in (
        ("capture_method", "sometimes"),
        ("confirm", "perhaps"),
        ("receipt_email", "nobody"),
        ("description", ""),
        ("statement_descriptor_suffix", "<"),
        ("statement_descriptor_suffix", "12345"),
        ("payment_method_types", "card"),
    ):
        stage.post(f"{name} {value!r}", "payment_intents", {**NEW, name: value}, status=400, words=refused(param=name))
    words = refused()
    stage.post("a descriptor", "payment_intents", {**NEW, "statement_descriptor": "PARKING"}, status=400, words=words)
    stage.post("a long word", "payment_intents", {**NEW, "description": "x" * 5001}, status=400, words=words)


@scenario
def objects_that_are_not_there(stage: Stage) -> None:
    """404 for an id in the address, 400 for one among the parameters, and for an address that is none."""
    for path in (
        "payment_intents/pi_3NobodysPaymentIntent0",
        "charges/ch_3NobodysCharge0",
        "refunds/re_3NobodysRefund0",
        "disputes/dp_1NobodysDispute0",
        "customers/cus_NobodysCustomer",
        "events/evt_1NobodysEvent0",
    ):
        stage.get(path.split("/")[0], path, status=404, words=refused("resource_missing"))
    words = refused("resource_missing", param="payment_method")
    card = {**NEW, "payment_method": "pm_1NobodysCard0"}
    stage.post("a card of nobody", "payment_intents", card, status=400, words=words)
    stage.post("a customer of nobody", "payment_intents", {**NEW, "customer": "cus_NobodysCustomer"}, status=400,
               words=refused("resource_missing", param="customer"))  # fmt: skip
    stage.get("no such address", "payment_wishes", status=404, words=refused())
    for step in ("cancel", "confirm", "capture"):
        path = f"payment_intents/pi_3NobodysPaymentIntent0/{step}"
        stage.post(step, path, status=404, words=refused("resource_missing"))
