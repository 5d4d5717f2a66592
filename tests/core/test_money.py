"""Money: one table, exact or refused, never rounded. Pain 13."""

import decimal
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airport_payments.core.errors import InvalidRequest
from airport_payments.core.money import (
    EXPONENTS,
    MAX_AMOUNT_MINOR,
    STEPS_MINOR,
    THREE_DECIMAL,
    TWO_DECIMAL,
    WHOLE_UNITS_TIMES_100,
    ZERO_DECIMAL,
    Money,
    spell,
)

CURRENCIES = sorted(EXPONENTS)


def test_the_table_names_each_currency_once_and_as_stripe_does() -> None:
    groups = [ZERO_DECIMAL, TWO_DECIMAL, THREE_DECIMAL, WHOLE_UNITS_TIMES_100]
    assert sum(map(len, groups)) == len(EXPONENTS) == len(set().union(*groups))
    assert all(len(c) == 3 and c.isascii() and c.islower() for c in EXPONENTS)
    # docs.stripe.com/currencies, written out again here: a typing error in either list shows.
    assert "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split() == sorted(ZERO_DECIMAL)
    assert sorted(THREE_DECIMAL) == ["bhd", "jod", "kwd", "omr", "tnd"]
    assert sorted(WHOLE_UNITS_TIMES_100) == ["isk", "ugx"]
    assert {"usd", "eur", "gbp", "huf", "twd", "chf", "inr"} <= TWO_DECIMAL


@pytest.mark.parametrize("currency", CURRENCIES)
def test_every_currency_is_exact_in_both_directions(currency) -> None:
    exponent, step = EXPONENTS[currency], STEPS_MINOR.get(currency, 1)
    for minor in (0, step, 7 * step, 12_340 * step, MAX_AMOUNT_MINOR // step * step):
        money = Money(minor, currency)
        assert money.to_major() == Decimal(minor).scaleb(-exponent)
        assert Money.from_major(money.to_major(), currency.upper()) == money
        assert Money.from_major(str(money.to_major()), currency) == money
    assert Money.from_major(10, currency).amount_minor == 10 * 10**exponent


@pytest.mark.parametrize("currency", CURRENCIES)
def test_one_digit_too_fine_is_refused_in_every_currency(currency) -> None:
    exponent, step = EXPONENTS[currency], STEPS_MINOR.get(currency, 1)
    too_fine = Decimal(1).scaleb(-exponent - 1)
    for amount in (10 + too_fine, str(10 + too_fine)):
        with pytest.raises(InvalidRequest):
            Money.from_major(amount, currency)
    if step > 1:
        for minor in (1, step - 1, step + 1):
            with pytest.raises(InvalidRequest):
                Money(minor, currency)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("450.99", "USD", 45099),
        ("0.1", "usd", 10),
        ("0.10", "usd", 10),
        ("0.1000000000", "usd", 10),
        ("00012.30", "usd", 1230),
        (Decimal("1E+2"), "usd", 10000),
        (Decimal("100.00"), "jpy", 100),
        (60, "jpy", 60),
        (5, "ugx", 500),
        (5, "isk", 500),
        ("5.00", "isk", 500),
        ("5.120", "kwd", 5120),
        ("5.12", "kwd", 5120),
        ("19.99", "eur", 1999),
        ("1.15", "eur", 115),
        ("2.675", "bhd", None),
        ("5.124", "kwd", None),
        ("5.01", "isk", None),
        ("5.5", "ugx", None),
        ("0.5", "jpy", None),
        ("10.005", "eur", None),
        (0, "usd", 0),
        ("-0", "usd", 0),
        (Decimal("-0.00"), "usd", 0),
    ],
)
def test_amounts_as_people_write_them(amount, currency, minor) -> None:
    if minor is None:
        with pytest.raises(InvalidRequest):
            Money.from_major(amount, currency)
    else:
        assert Money.from_major(amount, currency) == Money(minor, currency.lower())


@pytest.mark.parametrize(
    "amount",
    [
        1.0, 450.99, True, False, None, b"1", [], {}, "NaN", "nan", "inf", "-Infinity", "sNaN", "", " ", "1 ", " 1", "1\n", "+1", "1e2", "1E2",
        ".5", "5.", "1,5", "1_000", "0x10", "١٢", "１", "--1", "1.2.3", "-1", "-0.01", -1, "1" * 41, "0." + "1" * 41, "9" * 13, 10**12, 10**30, 10**5000,
        Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity"), Decimal(-1), Decimal("1e30"), Decimal("1e-30"),
        Decimal("1e999999"), Decimal("1e-999999"), Decimal("0." + "0" * 50 + "1"), Decimal("1." + "0" * 50),
    ],
    ids=lambda amount: type(amount).__name__,
)  # fmt: skip
def test_what_is_no_exact_amount_is_refused_with_the_typed_error(amount) -> None:
    with pytest.raises(InvalidRequest):
        Money.from_major(amount, "usd")


@pytest.mark.parametrize(
    "minor", [1.0, True, False, "1", None, Decimal(1), -1, MAX_AMOUNT_MINOR + 1, 10**30, float("nan")]
)
def test_minor_units_are_a_whole_number_within_the_limits(minor) -> None:
    with pytest.raises(InvalidRequest):
        Money(minor, "usd")


@pytest.mark.parametrize("currency", ["", "us", "usdx", "USD", "zzz", "btc", "eu ", None, 978, "usd\n", b"usd"])
def test_what_is_no_currency_is_refused(currency) -> None:
    with pytest.raises(InvalidRequest):
        Money(100, currency)


@pytest.mark.parametrize("currency", ["", "us", "usdx", "zzz", "eu ", "usd\n", "\u212arw", "İsk", None, 978, b"usd"])
def test_what_is_no_currency_in_any_case_is_refused(currency) -> None:
    with pytest.raises(InvalidRequest):
        Money.from_major(1, currency)


@settings(deadline=None)
@given(minor=st.integers(0, MAX_AMOUNT_MINOR), currency=st.sampled_from(CURRENCIES))
def test_there_and_back_is_the_same_money(minor, currency) -> None:
    minor -= minor % STEPS_MINOR.get(currency, 1)
    money = Money(minor, currency)
    assert Money.from_major(money.to_major(), currency) == money


@settings(deadline=None)
@given(amount=st.decimals(allow_nan=True) | st.text(max_size=12) | st.floats() | st.integers())
def test_any_amount_is_exact_or_the_typed_error(amount) -> None:
    try:
        money = Money.from_major(amount, "eur")
    except InvalidRequest:
        return
    assert not isinstance(amount, float)
    assert money.to_major() == Decimal(amount)


@pytest.mark.parametrize("amount", [Decimal("450.99"), "450.99", Decimal("9999999999.99"), Decimal("450.990")])
@pytest.mark.parametrize(
    "context",
    [
        decimal.Context(prec=1),
        decimal.Context(prec=3, rounding=decimal.ROUND_UP),
        decimal.Context(prec=3, traps=[decimal.Inexact, decimal.Rounded]),
        decimal.Context(prec=2, Emax=1, Emin=-1, traps=[decimal.Overflow, decimal.Subnormal]),
        decimal.Context(prec=2, traps=[decimal.FloatOperation]),
    ],
    ids=repr,
)
def test_the_programs_decimal_context_rounds_nothing_and_traps_nothing(amount, context) -> None:
    exact = {"450.99": 45099, "450.990": 45099, "9999999999.99": 999_999_999_999}[str(amount)]
    with decimal.localcontext(context):
        money = Money.from_major(amount, "usd")
        assert money.amount_minor == exact
        major = money.to_major()
        assert str(money) == f"{major} USD"
    assert major == Decimal(exact) / 100


def test_the_limits_are_the_same_under_every_context() -> None:
    with decimal.localcontext(decimal.Context(prec=2)):
        assert Money.from_major(MAX_AMOUNT_MINOR, "jpy").amount_minor == MAX_AMOUNT_MINOR
        assert Money.from_major(Decimal(MAX_AMOUNT_MINOR), "jpy").amount_minor == MAX_AMOUNT_MINOR
        with pytest.raises(InvalidRequest):
            Money.from_major(Decimal(MAX_AMOUNT_MINOR + 1), "jpy")


def test_money_is_a_value_that_cannot_be_changed_or_ordered() -> None:
    money = Money(100, "usd")
    assert money == Money(100, "usd") != Money(100, "eur")
    assert len({money, Money(100, "usd")}) == 1
    for change in (lambda: setattr(money, "amount_minor", 1), lambda: money < Money(1, "usd")):
        with pytest.raises((AttributeError, TypeError)):
            change()
    assert str(Money(45099, "usd")) == "450.99 USD"
    assert str(Money(450, "jpy")) == "450 JPY"


NO_CURRENCY = "not a currency that Stripe takes"


@pytest.mark.parametrize(
    ("build", "field", "reason"),
    [
        (lambda: Money(1, "USD"), "currency", f"{NO_CURRENCY}, in lower case"),
        (lambda: Money(True, "usd"), "amount", "minor units are a whole number (int)"),
        (lambda: Money(-1, "usd"), "amount", f"not between 0 and {MAX_AMOUNT_MINOR} minor units"),
        (lambda: Money(5, "kwd"), "amount", "not exact in KWD: its last digits must be zero"),
        (lambda: Money.from_major("1", "zzz"), "currency", NO_CURRENCY),
        (
            lambda: Money.from_major(1.5, "usd"),
            "amount",
            "must be a Decimal, an int or a decimal string: a float is not exact",
        ),
        (lambda: Money.from_major(MAX_AMOUNT_MINOR + 1, "usd"), "amount", "over the limit"),
        (lambda: Money.from_major("one", "usd"), "amount", "not a decimal number"),
        (lambda: Money.from_major(Decimal("NaN"), "usd"), "amount", "not a finite number"),
        (lambda: Money.from_major(Decimal("1e-41"), "usd"), "amount", "too many digits"),
        (lambda: Money.from_major(Decimal("1e40"), "usd"), "amount", "over the limit"),
        (lambda: Money.from_major(Decimal("0." + "1" * 41), "usd"), "amount", "too many digits"),
        (lambda: Money.from_major("10.005", "eur"), "amount", "not exact in EUR: at most 2 decimals"),
        # At the bounds themselves: refused, but not for their length.
        (lambda: Money.from_major(Decimal("1e-40"), "usd"), "amount", "not exact in USD: at most 2 decimals"),
        (lambda: Money.from_major(Decimal("0." + "1" * 40), "usd"), "amount", "not exact in USD: at most 2 decimals"),
        (lambda: Money.from_major(Decimal("1e41"), "usd"), "amount", "too many digits"),
    ],
)
def test_each_refusal_names_its_field_and_says_why(build, field, reason) -> None:
    with pytest.raises(InvalidRequest) as caught:
        build()
    assert [(error.field, error.reason) for error in caught.value.errors] == [(field, reason)]


@pytest.mark.parametrize(
    ("minor", "currency", "words"),
    [(0, "usd", "0.00 USD"), (-5, "usd", "-0.05 USD"), (1, "jpy", "1 JPY"), (7, "zzz", "7 ZZZ")],
)
def test_any_amount_can_be_spelled(minor, currency, words) -> None:
    assert spell(minor, currency) == words
