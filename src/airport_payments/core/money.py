"""Money as an integer of minor units with its currency, and Stripe's exponents and limits as one table."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Self

from airport_payments.core.errors import FieldError, InvalidRequest

# https://docs.stripe.com/currencies#zero-decimal: one minor unit is one major unit.
ZERO_DECIMAL: Final = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
# https://docs.stripe.com/currencies#three-decimal: 1000 minor units to one, and the last digit must be 0. The codes are
# those of Stripe's older pages; its page of 2026 was not at hand to confirm them.
THREE_DECIMAL: Final = frozenset("bhd jod kwd omr tnd".split())
# https://docs.stripe.com/currencies#special-cases: sent as if they had two decimals, which must be 00.
WHOLE_UNITS_TIMES_100: Final = frozenset("isk ugx".split())
TWO_DECIMAL: Final = frozenset(
    (
        "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf chf cny "
        "cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl hrk htg huf idr ils inr jmd "
        "kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mro mur mvr mwk mxn myr mzn nad ngn nio nok "
        "npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sek sgd shp sle sll sos srd std szl thb tjs top "
        "try ttd twd tzs uah uyu uzs wst xcd xcg yer zar zmw"
    ).split()
)
EXPONENTS: Final[dict[str, int]] = {
    **dict.fromkeys(ZERO_DECIMAL, 0),
    **dict.fromkeys(TWO_DECIMAL | WHOLE_UNITS_TIMES_100, 2),
    **dict.fromkeys(THREE_DECIMAL, 3),
}
# An amount in minor units must be a multiple of this; 1 where the table is silent.
STEPS_MINOR: Final[dict[str, int]] = {
    **dict.fromkeys(THREE_DECIMAL, 10),
    **dict.fromkeys(WHOLE_UNITS_TIMES_100, 100),
}
# Stripe takes up to twelve digits for cards (docs.stripe.com/currencies, 2026) and fewer for some methods; which, it says
# itself (`amount_too_large`).
MAX_AMOUNT_MINOR: Final = 999_999_999_999
# Longer decimals than this are refused before any arithmetic: nobody means them.
MAX_DECIMAL_DIGITS: Final = 40

_DECIMAL = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?", re.ASCII)


def _refuse(field: str, reason: str) -> InvalidRequest:
    return InvalidRequest(FieldError(field, reason))


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An exact amount: `amount_minor` in Stripe's minor units (45099 for 450.99 USD) and a lower-case ISO currency.

    Raises `InvalidRequest` when built with a currency that Stripe does not take, a number that is not an int, an amount
    below 0 or over the limit, or one that Stripe's exponents do not allow (KWD ends in 0, ISK and UGX in 00).
    """

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.currency) is not str or self.currency not in EXPONENTS:
            raise _refuse("currency", "not a currency that Stripe takes, in lower case")
        if type(self.amount_minor) is not int:
            raise _refuse("amount", "minor units are a whole number (int)")
        if not 0 <= self.amount_minor <= MAX_AMOUNT_MINOR:
            raise _refuse("amount", f"not between 0 and {MAX_AMOUNT_MINOR} minor units")
        if self.amount_minor % STEPS_MINOR.get(self.currency, 1):
            raise _refuse("amount", f"not exact in {self.currency.upper()}: its last digits must be zero")

    @classmethod
    def from_major(cls, amount: Decimal | int | str, currency: str) -> Self:
        """Return the Money for an amount in major units, exactly.

        Args:
            amount: 450.99 as a Decimal, "450.99", or a whole number as an int. Never a float: it is not exact.
            currency: ISO code, any case.

        Raises:
            InvalidRequest: the currency is unknown, or the amount is not a finite number, not exact in this currency
                (10.005 EUR, 1.5 JPY), negative or over the limit. Nothing is ever rounded.
        """
        # ASCII only: other letters, such as the Kelvin sign, become ASCII when they are lowered.
        code = currency.lower() if type(currency) is str and currency.isascii() else ""
        exponent = EXPONENTS.get(code)
        if exponent is None:
            raise _refuse("currency", "not a currency that Stripe takes")
        return cls(_scale(_exact(amount), exponent, code), code)

    def to_major(self) -> Decimal:
        """Return the amount in major units, exactly: Decimal('450.99')."""
        # From the digits, because arithmetic on Decimals rounds to whatever precision the program has set.
        digits = tuple(int(digit) for digit in str(self.amount_minor))
        return Decimal((0, digits, -EXPONENTS[self.currency]))

    def __str__(self) -> str:
        return spell(self.amount_minor, self.currency)


def spell(amount_minor: int, currency: str) -> str:
    """Return an amount in words, also one of which no Money can be built: it may be less than nothing, or not ours."""
    sign, digits = int(amount_minor < 0), tuple(int(digit) for digit in str(abs(amount_minor)))
    return f"{Decimal((sign, digits, -EXPONENTS.get(currency, 0)))} {currency.upper()}"


def _exact(amount: Decimal | int | str) -> Decimal:
    """Return the amount as a finite Decimal of sane length, or refuse it."""
    if isinstance(amount, bool) or not isinstance(amount, Decimal | int | str):
        raise _refuse("amount", "must be a Decimal, an int or a decimal string: a float is not exact")
    if isinstance(amount, int):
        if abs(amount) > MAX_AMOUNT_MINOR:
            raise _refuse("amount", "over the limit")
        return Decimal(amount)
    if isinstance(amount, str):
        if not _DECIMAL.fullmatch(amount):
            raise _refuse("amount", "not a decimal number")
        amount = Decimal(amount)
    if not amount.is_finite():
        raise _refuse("amount", "not a finite number")
    _, digits, exponent = amount.as_tuple()
    if len(digits) > MAX_DECIMAL_DIGITS or not -MAX_DECIMAL_DIGITS <= int(exponent) <= MAX_DECIMAL_DIGITS:
        raise _refuse("amount", "too many digits")
    # Not abs(): that rounds to the program's decimal context, or traps in it.
    if amount.copy_abs() > MAX_AMOUNT_MINOR:
        raise _refuse("amount", "over the limit")
    return amount


def _scale(amount: Decimal, exponent: int, code: str) -> int:
    """Return `amount` times ten to the exponent, in whole numbers, so that no context can round it."""
    sign, digits, shift = amount.as_tuple()
    shift = int(shift) + exponent
    whole: int = int("".join(map(str, digits)))
    if shift < 0:
        whole, rest = divmod(whole, 10**-shift)
        if rest:
            raise _refuse("amount", f"not exact in {code.upper()}: at most {exponent} decimals")
    else:
        whole *= int(10**shift)
    return -whole if sign else whole
