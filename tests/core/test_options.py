"""What a team may add to a PaymentIntent: Stripe's limits, checked before anything is sent."""

import pytest

from airport_payments import FutureUsage, InvalidRequest, PaymentOptions

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
