"""400 `invalid_request`: what is not exactly the contract's body is refused, field by field, and nothing is written."""

import pytest

from airport_payments import Money

from .expect import invalid
from .harness import CONFIRM, CREATE, STATUS

GOOD = {"bookingId": "b-1", "amount": 450.99, "currency": "usd"}
INTENT = "pi_3Pabc12345678"


@pytest.fixture(scope="module", autouse=True)
def booked(shared):
    shared.book("b-1")
    shared.book("b-jpy", Money(1000, "jpy"))


def body(amount: str = "450.99", currency: str = "usd", booking_id: str = "b-1") -> bytes:
    return f'{{"bookingId":"{booking_id}","amount":{amount},"currency":"{currency}"}}'.encode()


NOT_JSON = {
    "nothing": b"",
    "a space": b" ",
    "half": b'{"bookingId":"b-1"',
    "a second value": body() + body(),
    "single quotes": body().replace(b'"', b"'"),
    "a trailing comma": b'{"bookingId":"b-1",}',
    "a form": b"bookingId=b-1&amount=450.99&currency=usd",
    "a key twice": b'{"bookingId":"b-1","amount":450.99,"amount":1,"currency":"usd"}',
    "a key twice, once escaped": b'{"bookingId":"b-1","amount":450.99,"\\u0061mount":1,"currency":"usd"}',
    "a key twice, deeper": b'{"bookingId":"b-1","amount":450.99,"currency":"usd","x":{"y":1,"y":2}}',
    "NaN": body("NaN"),
    "Infinity": body("Infinity"),
    "-Infinity": body("-Infinity"),
    "NaN in an unknown field": b'{"bookingId":"b-1","amount":450.99,"currency":"usd","x":NaN}',
    "a plus sign": body("+1"),
    "a leading zero": body("0450.99"),
    "no digit before the point": body(".5"),
    "hexadecimal": body("0x10"),
    "an underscore": body("4_5"),
    "full-width digits": body("４５０"),
    "not UTF-8": b'{"bookingId":"b-\xff1","amount":450.99,"currency":"usd"}',
    "Latin-1": '{"bookingId":"bü","amount":450.99,"currency":"usd"}'.encode("latin-1"),
    "UTF-16": body().decode().encode("utf-16"),
    "UTF-16 without a mark": body().decode().encode("utf-16-le"),
    "UTF-32": body().decode().encode("utf-32"),
    "a byte order mark": b"\xef\xbb\xbf" + body(),
    "an encoded surrogate": b'{"bookingId":"\xed\xa0\x80","amount":450.99,"currency":"usd"}',
    "deep nesting": b"[" * 15_000,
    "deep nesting, closed": b"[" * 8_000 + b"]" * 8_000,
    "an exponent beyond all arithmetic": body("1e99999999999999999999"),
    "an int of 10,000 digits": body("1" * 10_000),
}
NO_OBJECT = {"a list": b"[]", "null": b"null", "a number": b"1", "a text": b'"{}"', "true": b"true", "objects": b"[{}]"}


@pytest.mark.parametrize("path", [CREATE, CONFIRM])
@pytest.mark.parametrize("sent", [*NOT_JSON.values(), *NO_OBJECT.values()], ids=[*NOT_JSON, *NO_OBJECT])
def test_a_body_that_is_no_json_object_is_refused(shared, path, sent):
    with shared.unwritten():
        invalid(shared.post(path, sent), "body")


def test_a_field_of_deep_nesting_is_refused(shared):
    deep = b'{"bookingId":' + b'{"a":' * 2_000 + b"1" + b"}" * 2_001
    with shared.unwritten():
        reply = shared.post(CREATE, deep)
    # Whether it is read to its end is the parser's business.
    invalid(reply, *(error["field"] for error in reply.json["data"]["errors"]))


AMOUNTS = {
    "zero": "0",
    "zero with decimals": "0.00",
    "minus zero": "-0",
    "negative": "-450.99",
    "a third decimal": "450.999",
    "many decimals": "450.99" + "0" * 60 + "1",
    "a hair above": "450.9900000000000000000000000000000001",
    "what a float would make of it": "450.99000000000000909494701772928237915039",
    "beyond any float": "1e400",
    "1e999999": "1e999999",
    "1e-999999": "1e-999999",
    "over the limit": "10000000000",
    "far over the limit": "1e30",
    "an int over the limit": "9" * 30,
    "a text": '"450.99"',
    "an empty text": '""',
    "true": "true",
    "null": "null",
    "a list": "[450.99]",
    "an object": '{"value":450.99}',
}


@pytest.mark.parametrize("amount", AMOUNTS.values(), ids=AMOUNTS)
def test_an_amount_that_is_not_exact_or_not_payable_is_refused(shared, amount):
    with shared.unwritten():
        invalid(shared.post(CREATE, body(amount)), "amount")


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("1000.5", "jpy"),
        ("0.1", "jpy"),
        ("10.235", "kwd"),
        ("10.2301", "kwd"),
        ("10.5", "isk"),
        ("10.01", "ugx"),
        ("1000000000000", "jpy"),
        ("10.005", "eur"),
    ],
)
def test_an_amount_has_to_be_exact_in_its_currency(shared, amount, currency):
    with shared.unwritten():
        invalid(shared.post(CREATE, body(amount, currency)), "amount")


CURRENCIES = ["", "us", "usdd", "xxx", "zzz", "US$", " usd", "usd ", "u\\u0000d", "ＵＳＤ", "uſd", "btc", "usd,eur"]


@pytest.mark.parametrize("currency", CURRENCIES)
def test_an_unknown_currency_is_refused(shared, currency):
    with shared.unwritten():
        invalid(shared.post(CREATE, body(currency=currency)), "currency")


@pytest.mark.parametrize("currency", [None, 840, True, ["usd"], {"code": "usd"}])
def test_a_currency_is_a_text(shared, currency):
    with shared.unwritten():
        invalid(shared.post(CREATE, {**GOOD, "currency": currency}), "currency")


MALFORMED_BOOKINGS = ["", ".", "..", "a b", "b-1\n", "b/1", "b%2F1", "ü", "b\x00", "b'--", "x" * 129, "b?", "\ud800"]


@pytest.mark.parametrize("booking_id", [*MALFORMED_BOOKINGS, None, 1, True, ["b-1"], {"id": "b-1"}], ids=repr)
def test_a_malformed_booking_id_is_refused(shared, booking_id):
    with shared.unwritten():
        invalid(shared.post(CREATE, {**GOOD, "bookingId": booking_id}), "bookingId")
        invalid(shared.post(CONFIRM, {"bookingId": booking_id, "paymentIntentId": INTENT}), "bookingId")


@pytest.mark.parametrize(
    "intent_id",
    ["", "pi_", "pi_1234567", "ch_12345678", "PI_12345678", "pi_1234/5678", "pi_12345678?", "pi_" + "x" * 253, "pi_ü1234567",
     "pi_12345678\n", "../v1/refunds", None, 12345678, True, ["pi_12345678"]],
    ids=repr,
)  # fmt: skip
def test_a_malformed_intent_id_is_refused(shared, intent_id):
    with shared.unwritten():
        invalid(shared.post(CONFIRM, {"bookingId": "b-1", "paymentIntentId": intent_id}), "paymentIntentId")


@pytest.mark.parametrize(
    "path", ["%00", "b%20", "b%0A", "%C3%BC", "%FF", "b%3F", "b-1%3Fx", "b-1%23x", "%25", "..%2e", "x" * 129], ids=repr
)
def test_a_malformed_booking_id_in_the_path_is_refused(shared, path):
    with shared.unwritten():
        invalid(shared.get(STATUS + path), "bookingId")


def test_every_missing_field_is_named(shared):
    with shared.unwritten():
        invalid(shared.post(CREATE, {}), "bookingId", "amount", "currency")
        invalid(shared.post(CREATE, {"amount": 450.99}), "bookingId", "currency")
        invalid(shared.post(CONFIRM, {}), "paymentIntentId", "bookingId")
        # The names on the wire are camelCase; Python's are no second spelling.
        invalid(shared.post(CREATE, {**GOOD, "bookingId": None, "booking_id": "b-1"}), "bookingId")
        invalid(
            shared.post(CONFIRM, {"payment_intent_id": INTENT, "booking_id": "b-1"}), "paymentIntentId", "bookingId"
        )


def test_the_list_of_errors_is_bounded_and_quotes_nothing(shared):
    reply = shared.post(CREATE, {"bookingId": ["<script>"], "amount": "<script>", "currency": {"<script>": 1}})

    invalid(reply, "bookingId", "amount", "currency")
    assert b"script" not in reply.body


KEYS = ["", " ", '""', '"', "a b", "k\x00", "k" * 256, "k\x7f", "clé", '"a" b', '"a","b"', "a,b", '"a', 'a"']


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_a_malformed_idempotency_key_is_refused(shared, key):
    with shared.unwritten():
        invalid(shared.post(CREATE, GOOD, ("Idempotency-Key", key)), "Idempotency-Key")


@pytest.mark.parametrize("keys", [("a", "b"), ("a", "a"), ('"a"', '"b"')])
def test_two_idempotency_keys_are_refused(shared, keys):
    with shared.unwritten():
        reply = shared.post(CREATE, GOOD, *(("Idempotency-Key", key) for key in keys))
        invalid(reply, "Idempotency-Key")
