"""Which currencies there are, and how little or how much may be charged.

Sources: docs.stripe.com/currencies as of August 2026 (decimals, minimums, maximums). The codes with three
decimals and their rule are remembered from older copies of that page: open until seen again.
"""

from __future__ import annotations

from typing import Final

from airport_payments.testing.fake_stripe.errors import StripeRefusal, invalid_request

ZERO_DECIMAL: Final = frozenset((
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof",
    "xpf",
))  # fmt: skip
THREE_DECIMAL: Final = frozenset(("bhd", "jod", "kwd", "omr", "tnd"))
# Sent with two decimals that must be 00, for they have none any more.
WHOLE_UNITS_ONLY: Final = frozenset(("isk", "ugx"))
CURRENCIES: Final = (
    "usd", "aed", "afn", "all", "amd", "ang", "aoa", "ars", "aud", "awg", "azn", "bam", "bbd", "bdt",
    "bgn", "bhd", "bif", "bmd", "bnd", "bob", "brl", "bsd", "bwp", "byn", "bzd", "cad", "cdf", "chf",
    "clp", "cny", "cop", "crc", "cve", "czk", "djf", "dkk", "dop", "dzd", "egp", "etb", "eur", "fjd",
    "fkp", "gbp", "gel", "gip", "gmd", "gnf", "gtq", "gyd", "hkd", "hnl", "hrk", "htg", "huf", "idr",
    "ils", "inr", "isk", "jmd", "jod", "jpy", "kes", "kgs", "khr", "kmf", "krw", "kwd", "kyd", "kzt",
    "lak", "lbp", "lkr", "lrd", "lsl", "mad", "mdl", "mga", "mkd", "mmk", "mnt", "mop", "mur", "mvr",
    "mwk", "mxn", "myr", "mzn", "nad", "ngn", "nio", "nok", "npr", "nzd", "omr", "pab", "pen", "pgk",
    "php", "pkr", "pln", "pyg", "qar", "ron", "rsd", "rub", "rwf", "sar", "sbd", "scr", "sek", "sgd",
    "shp", "sle", "sos", "srd", "std", "szl", "thb", "tjs", "tnd", "top", "try", "ttd", "twd", "tzs",
    "uah", "ugx", "uyu", "uzs", "vnd", "vuv", "wst", "xaf", "xcd", "xcg", "xof", "xpf", "yer",
    "zar", "zmw",
)  # fmt: skip
# In minor units. What is not listed has no minimum of its own (Stripe converts to the settlement currency).
MINIMUM: Final = {
    "aed": 200, "ars": 50, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "cop": 50, "czk": 1500, "dkk": 250,
    "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "idr": 50, "ils": 50, "inr": 50, "jpy": 50, "krw": 50,
    "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50, "php": 50, "pln": 200, "ron": 200, "rub": 50, "sek": 300,
    "sgd": 50, "thb": 1000, "usd": 50, "zar": 50,
}  # fmt: skip
MAXIMUM: Final = 999_999_999_999  # twelve digits, for cards


def checked_currency(value: str) -> str:
    """Lower-case a currency that Stripe has.

    Raises:
        StripeRefusal: If it has no such currency.
    """
    currency = value.lower()
    if currency not in CURRENCIES:
        raise invalid_request(
            f"Invalid currency: {value[:20]}. Stripe currently supports these currencies: {', '.join(CURRENCIES)}",
            param="currency",
        )
    return currency


def check_amount(amount: int, currency: str, param: str = "amount") -> None:
    """Refuse an amount that Stripe would not charge.

    Raises:
        StripeRefusal: If it is below one, below the minimum, above the maximum, or not a whole step of it.
    """
    if amount < 1:
        raise invalid_request(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param=param
        )
    if amount > MAXIMUM:
        raise _limit("large", "no more than", MAXIMUM, currency, param)
    if amount < MINIMUM.get(currency, 1):
        raise _limit("small", "at least", MINIMUM[currency], currency, param)
    step = 10 if currency in THREE_DECIMAL else 100 if currency in WHOLE_UNITS_ONLY else 1
    if amount % step:
        raise invalid_request(
            f"Invalid amount: amounts in {currency} must be divisible by {step}.",
            code="invalid_charge_amount",
            param=param,
        )


def in_words(amount: int, currency: str) -> str:
    """Write an amount as Stripe's messages do."""
    sign = "$" if currency == "usd" else ""
    if currency in ZERO_DECIMAL:
        return f"{amount:,} {currency}"
    digits = 3 if currency in THREE_DECIMAL else 2
    return f"{sign}{amount / 10**digits:,.{digits}f} {currency}"


def with_symbol(amount: int, currency: str) -> str:
    """Write an amount as messages about refunds do: `$` and `€` are recorded, other currencies are guessed."""
    symbol = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}.get(currency)
    number = in_words(amount, currency).removeprefix("$").partition(" ")[0]
    return f"{symbol}{number}" if symbol else f"{number} {currency.upper()}"


def _limit(word: str, relation: str, limit: int, currency: str, param: str) -> StripeRefusal:
    return invalid_request(
        f"Amount must be {relation} {in_words(limit, currency)}", code=f"amount_too_{word}", param=param
    )
