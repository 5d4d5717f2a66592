"""What comes from outside has one shape or is refused: with the name of its field, what it should be, and never its value."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from airport_payments.core import ids
from airport_payments.core.errors import InvalidRequest

SHAPES = {
    ids.check_booking_id: ("bookingId", "1 to 128 letters, digits or . _ ~ : @ -"),
    ids.check_intent_id: ("paymentIntentId", "the id of a PaymentIntent, pi_…"),
    ids.check_idempotency_key: ("Idempotency-Key", "1 to 255 visible ASCII characters"),
    ids.check_payment_id: ("payment_id", "the id of a PaymentIntent, pi_…"),
    ids.check_request_id: ("request_id", "1 to 255 visible ASCII characters, one for each refund you mean"),
    ids.check_by: ("by", "who decides: 1 to 128 letters, digits, blanks or . _ ~ : @ -"),
    ids.check_owner: ("owner", "the customer's id, as text that is not empty"),
}
GOOD = {
    ids.check_booking_id: ["A", "X", "a.b_~:@-9", "x" * 128, "..a", "a.."],
    ids.check_intent_id: ["pi_12345678", "pi_" + "x" * 252],
    ids.check_idempotency_key: ["!", "~" * 255],
    ids.check_payment_id: ["!", "pi_1", "~" * 255],
    ids.check_request_id: ["!", "~" * 255],
    ids.check_by: ["A", "Anna B.", "x" * 128],
    ids.check_owner: ["a", " ", "ä\n", "x" * 9999],
}
NEVER = ["", None, 7, b"pi_12345678", "a\x00" * 200 + "\ud800"]
BAD = {
    ids.check_booking_id: [".", "...", "a b", "a/b", "ä", "x" * 129, "a\n"],
    ids.check_intent_id: ["pi_", "pi_1234567", "pi_" + "x" * 253, "ch_12345678", " pi_12345678", "pi_1234567-"],
    ids.check_idempotency_key: [" ", "a b", "ä", "~" * 256, "a\n"],
    ids.check_payment_id: [" ", "a b", "ä", "~" * 256],
    ids.check_request_id: [" ", "a b", "ä", "~" * 256],
    ids.check_by: ["a/b", "ä", "x" * 129, "a\n"],
    ids.check_owner: ["a\ud800"],
}


@pytest.mark.parametrize(("check", "value"), [(check, value) for check, values in GOOD.items() for value in values])
def test_what_has_the_shape_is_returned_as_it_came(check, value) -> None:
    assert check(value) is value


@pytest.mark.parametrize(("check", "value"), [(check, v) for check, values in BAD.items() for v in [*values, *NEVER]])
def test_what_has_another_shape_is_refused_by_its_name_and_without_its_value(check, value) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check(value)
    assert [(error.field, error.reason) for error in caught.value.errors] == [SHAPES[check]]


@pytest.mark.parametrize(
    "at", [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))]
)
def test_a_time_with_a_zone_is_taken(at) -> None:
    assert ids.check_time("since", at) is None


@pytest.mark.parametrize("at", [datetime(2026, 1, 1), None, "2026-01-01T00:00:00Z", 1_790_000_000])
def test_a_time_without_a_zone_is_refused(at) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ids.check_time("since", at)
    assert [(error.field, error.reason) for error in caught.value.errors] == [
        ("since", "a datetime with its time zone, such as datetime.now(UTC)")
    ]


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("a_code: a message: and more", "a_code"),
        ("a_code", "a_code"),
        ("Not a code", None),
        ("", None),
        ("time-out: x", None),
    ],
)
def test_the_code_is_what_a_reason_begins_with(reason, code) -> None:
    assert ids.code_of(reason) == code


@pytest.mark.parametrize(("value", "text"), [("ä", True), ("", True), ("\ud800", False), (None, False), (b"a", False)])
def test_text_is_what_can_be_sent(value, text) -> None:
    assert ids.is_text(value) is text
