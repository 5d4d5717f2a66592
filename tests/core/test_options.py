"""What a team may add to a PaymentIntent: Stripe's limits, checked before anything is sent."""

import pytest

from airport_payments import FutureUsage, InvalidRequest, PaymentOptions
from airport_payments.core.options import check_customer, check_email, check_options, check_payment_method

GOOD = {
    "customer_id": "cus_1234",
    "receipt_email": "alice@example.org",
    "description": "x" * 1000,
    "statement_descriptor_suffix": "PARKING P3",
    "metadata": {f"k{n}": "v" * 500 for n in range(47)},
    "setup_future_usage": "off_session",
    "return_url": "https://airport.example/back",
}


def test_what_is_within_stripes_limits_is_taken() -> None:
    options = PaymentOptions(**GOOD)
    assert options.setup_future_usage is FutureUsage.OFF_SESSION
    assert len(options.pairs) == 47
    assert hash(options) == hash(PaymentOptions(**GOOD))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("customer_id", ""),
        ("customer_id", "cus_"),
        ("customer_id", "pi_1234"),
        ("customer_id", "cus_1/../x"),
        ("customer_id", 7),
        ("receipt_email", "nobody"),
        ("receipt_email", "a@b\r\nBcc: c@d"),
        ("receipt_email", "x" * 65 + "@example.org"),
        ("description", ""),
        ("description", "x" * 1001),
        ("statement_descriptor_suffix", ""),
        ("statement_descriptor_suffix", "123"),
        ("statement_descriptor_suffix", "A" * 23),
        ("statement_descriptor_suffix", "A<b"),
        ("statement_descriptor_suffix", "A*b"),
        ("statement_descriptor_suffix", "FLUGHAFEN MÜNCHEN"),
        ("metadata", {f"k{n}": "v" for n in range(48)}),
        ("metadata", {"k" * 41: "v"}),
        ("metadata", {"a[b]": "v"}),
        ("metadata", {"": "v"}),
        ("metadata", {"k": ""}),
        ("metadata", {"k": "v" * 501}),
        ("metadata", {"k": 7}),
        ("metadata", {"airport_booking": "BK-2"}),
        ("setup_future_usage", "sometimes"),
        ("return_url", "http://airport.example"),
        ("return_url", "javascript:alert(1)"),
    ],
)
def test_what_is_not_is_refused_and_names_the_field_but_shows_no_value(field, value) -> None:
    with pytest.raises(InvalidRequest) as refused:
        PaymentOptions(**{**GOOD, field: value})
    assert {error.field for error in refused.value.errors} == {field}
    if isinstance(value, str) and len(value) > 4:
        assert value not in str(refused.value)


def test_a_card_is_saved_for_somebody() -> None:
    with pytest.raises(InvalidRequest, match="customer_id"):
        PaymentOptions(setup_future_usage="on_session")


KEYS = "keys are text of 1 to 40 characters without [ and ]"
OURS = "keys that begin with airport_ are this library's own"
VALUES = "values are text of 1 to 500 characters"


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ({"customer_id": "x"}, [("customer_id", "Stripe's id of a customer, cus_…")]),
        ({"receipt_email": "x"}, [("receipt_email", "an e-mail address")]),
        (
            {"statement_descriptor_suffix": "1"},
            [("statement_descriptor_suffix", "up to 22 Latin characters, at least one letter, none of < > \\ ' \" *")],
        ),
        ({"return_url": "x"}, [("return_url", "an https address")]),
        ({"description": ""}, [("description", "text of up to 1000 characters")]),
        ({"customer_id": "cus_1", "setup_future_usage": "x"}, [("setup_future_usage", "on_session or off_session")]),
        ({"setup_future_usage": "on_session"}, [("setup_future_usage", "needs a customer_id to save the card for")]),
        ({"metadata": 7}, [("metadata", "a dict of text to text, or pairs of text")]),
        ({"metadata": (("a", "b", "c"),)}, [("metadata", "a dict of text to text, or pairs of text")]),
        ({"metadata": (("a", "b"), "ab")}, [("metadata", "a dict of text to text, or pairs of text")]),
        ({"metadata": {f"k{n}": "v" for n in range(48)}}, [("metadata", "at most 47 keys")]),
        ({"metadata": {"airport_x": "v"}}, [("metadata", OURS)]),
        ({"metadata": {"[": ""}}, [("metadata", KEYS), ("metadata", VALUES)]),
        ({"metadata": {"]": "v"}}, [("metadata", KEYS)]),
        ({"metadata": {"k": "v" * 501, "l": "\ud800"}}, [("metadata", VALUES)] * 2),
        ({"metadata": {f"[{n}": "v" for n in range(9)}}, [("metadata", KEYS)] * 8),
        # The 48th is not looked at: it is one too many already.
        ({"metadata": {**{f"k{n}": "v" for n in range(47)}, "[": "v"}}, [("metadata", "at most 47 keys")]),
        (
            {"customer_id": "x", "return_url": "x", "metadata": {"[": "v"}},
            [
                ("customer_id", "Stripe's id of a customer, cus_…"),
                ("return_url", "an https address"),
                ("metadata", KEYS),
            ],
        ),
    ],
)
def test_each_refusal_names_its_field_and_says_what_is_taken(given, errors) -> None:
    with pytest.raises(InvalidRequest) as refused:
        PaymentOptions(**given)
    assert [(error.field, error.reason) for error in refused.value.errors] == errors


@pytest.mark.parametrize("metadata", [{"k" * 40: "v" * 500}, (("a", "b"),), [["a", "b"]], [], {}])
def test_metadata_come_as_a_dict_or_as_pairs(metadata) -> None:
    pairs = PaymentOptions(metadata=metadata).pairs
    assert dict(pairs) == dict(metadata)
    assert all(type(pair) is tuple for pair in pairs)


@pytest.mark.parametrize(
    ("check", "good", "bad", "error"),
    [
        (check_options, PaymentOptions(), {}, ("options", "PaymentOptions(…)")),
        (check_customer, "cus_1", "pm_1", ("customer_id", "Stripe's id of a customer, cus_…")),
        (check_email, "a@b", "a@b\ud800", ("email", "an e-mail address")),
        (check_payment_method, "card_1", 7, ("payment_method_id", "Stripe's id of a saved payment method, pm_…")),
    ],
)
def test_what_is_given_alone_has_one_shape_too(check, good, bad, error) -> None:
    assert check(good) is good
    with pytest.raises(InvalidRequest) as refused:
        check(bad)
    assert [(e.field, e.reason) for e in refused.value.errors] == [error]


def test_no_options_are_none() -> None:
    assert check_options(None) is None
