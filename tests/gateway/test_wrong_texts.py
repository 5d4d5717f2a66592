"""Text that cannot be sent, and arguments of another kind: refused by name before anything is saved."""

import math
import time
from datetime import UTC, datetime, timedelta

import pytest
from tests.gateway.shop import KEY, opened
from tests.support import BOOKING_ID, OWNER, PRICE, WEBHOOK_SECRET

from airport_payments import (
    Booking,
    ConfigurationError,
    InternalError,
    InvalidRequest,
    InvalidSignature,
    PaymentOptions,
    Secret,
    StripeSettings,
    construct_event,
)
from airport_payments.contract import options_of
from airport_payments.stripe_api.results import ApiResult
from airport_payments.stripe_api.signature import sign
from airport_payments.stripe_api.talk import failed

HALF = "caf\ud800"  # half of a surrogate pair: Python has it, UTF-8 has not
NO_OPTIONS = [{"receipt_email": "a@b.example"}, "x", True, [], 1]
NO_TIMES = [datetime(2026, 1, 1), "x", 5, True]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("description", HALF),
        ("receipt_email", "\ud800@example.org"),
        ("metadata", {"key": HALF}),
        ("metadata", {HALF: "value"}),
        ("metadata", ((HALF, "value"),)),
        ("metadata", None),
        ("metadata", 1),
        ("metadata", "x"),
        ("metadata", b"x"),
        ("metadata", ("ab",)),
        ("metadata", (("a",),)),
        ("metadata", (("a", "b", "c"),)),
        ("metadata", (5,)),
        ("metadata", {5: "x"}),
        ("setup_future_usage", []),
        ("setup_future_usage", {}),
        ("setup_future_usage", 1),
        ("statement_descriptor_suffix", HALF),
        ("return_url", "https://airport.example/\ud800"),
        ("customer_id", HALF),
    ],
    ids=repr,
)
def test_options_refuse_what_cannot_be_sent_and_name_the_field(field, value) -> None:
    with pytest.raises(InvalidRequest) as refused:
        PaymentOptions(**{"customer_id": "cus_1234", field: value})
    assert {error.field for error in refused.value.errors} == {field}
    assert "\ud800" not in str(refused.value)


def test_metadata_may_be_pairs_in_a_list() -> None:
    assert PaymentOptions(metadata=[["a", "b"]]).pairs == (("a", "b"),)


@pytest.fixture(params=["sync", "async"])
def shop(request):
    with opened(request.param) as shop:
        yield shop


def refused(shop, call, field: str) -> None:
    """Check that a call is refused by name, and leaves nothing behind."""
    with pytest.raises(InvalidRequest) as error:
        shop.run(call())
    assert [one.field for one in error.value.errors] == [field]
    assert shop.run(shop.memory.get(BOOKING_ID)).ledger.version == 0


@pytest.mark.parametrize("options", NO_OPTIONS, ids=repr)
def test_what_is_no_payment_options_is_refused_before_anything_is_saved(shop, options) -> None:
    refused(
        shop, lambda: shop.gateway.create_payment(BOOKING_ID, owner=OWNER, amount=PRICE, options=options), "options"
    )


@pytest.mark.parametrize("options", [None, *NO_OPTIONS], ids=repr)
def test_a_saved_card_needs_payment_options(shop, options) -> None:
    refused(
        shop,
        lambda: shop.gateway.charge_saved_card(
            BOOKING_ID, owner=OWNER, amount=PRICE, payment_method_id="pm_1234", options=options
        ),
        "options",
    )


def test_an_owner_or_an_address_that_cannot_be_sent_is_refused(shop) -> None:
    mine = shop.gateway
    refused(shop, lambda: mine.create_payment(BOOKING_ID, owner=HALF, amount=PRICE), "owner")
    refused(shop, lambda: mine.confirm_payment(BOOKING_ID, "pi_12345678", owner=HALF), "owner")
    refused(shop, lambda: mine.payment_status(BOOKING_ID, owner=HALF), "owner")
    refused(shop, lambda: mine.refund(BOOKING_ID, request_id="r", owner=HALF), "owner")
    refused(shop, lambda: mine.cancel(BOOKING_ID, owner=HALF), "owner")
    refused(shop, lambda: mine.customer(HALF), "owner")
    refused(shop, lambda: mine.customer(OWNER, email="\ud800@example.org"), "email")
    refused(shop, lambda: mine.create_payment(HALF, owner=OWNER, amount=PRICE), "bookingId")
    refused(shop, lambda: mine.refund(BOOKING_ID, request_id=HALF), "request_id")
    refused(shop, lambda: mine.resolve(BOOKING_ID, "pi_12345678", "keep", by=HALF), "by")


def test_an_apps_own_options_that_are_none_are_its_fault_and_not_the_customers() -> None:
    for wrong in NO_OPTIONS:
        with pytest.raises(InternalError, match="PaymentOptions"):
            options_of(wrong)
    assert options_of(None) is None


@pytest.mark.parametrize("now", NO_TIMES, ids=repr)
def test_a_tick_at_no_time_is_refused(shop, now) -> None:
    refused(shop, lambda: shop.gateway.tick(now), "now")


@pytest.mark.parametrize("limit", ["x", 1.5, None, True, 10**400, math.nan], ids=repr)
def test_a_tick_of_no_number_is_refused(shop, limit) -> None:
    refused(shop, lambda: shop.gateway.tick(limit=limit), "limit")


@pytest.mark.parametrize("progress", [5, "x", []], ids=repr)
def test_progress_that_cannot_be_called_is_refused(shop, progress) -> None:
    refused(shop, lambda: shop.gateway.reconcile(shop.now - timedelta(days=1), progress=progress), "progress")


@pytest.mark.parametrize("since", NO_TIMES, ids=repr)
def test_reconcile_from_no_time_is_refused(shop, since) -> None:
    refused(shop, lambda: shop.gateway.reconcile(since), "since")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("surplus", []),
        ("surplus", {}),
        ("surplus", None),
        ("max_tries", 2.5),
        ("max_tries", math.nan),
        ("max_tries", "x"),
    ],
    ids=repr,
)
def test_settings_of_another_kind_are_refused_by_name(name, value) -> None:
    with pytest.raises(ConfigurationError, match=name):
        StripeSettings(KEY, WEBHOOK_SECRET, **{name: value})


BODY = b'{"id":"evt_1","object":"event","type":"x","created":1,"livemode":false,"data":{"object":{"id":"x"}}}'


@pytest.mark.parametrize("tolerance", [math.nan, math.inf, -math.inf, -1, None, "300"], ids=repr)
def test_a_tolerance_that_bounds_nothing_lets_no_old_signature_pass(tolerance) -> None:
    for timestamp in (5, int(time.time())):
        with pytest.raises(ConfigurationError, match="tolerance"):
            construct_event(BODY, sign(BODY, WEBHOOK_SECRET, timestamp=timestamp), WEBHOOK_SECRET, tolerance=tolerance)


@pytest.mark.parametrize("now", [math.nan, math.inf, "x"], ids=repr)
def test_a_present_that_is_no_time_verifies_nothing(now) -> None:
    with pytest.raises((ConfigurationError, InvalidSignature)):
        construct_event(BODY, sign(BODY, WEBHOOK_SECRET, timestamp=5), WEBHOOK_SECRET, now=now)


@pytest.mark.parametrize("secrets", [None, 5, (), [], b"whsec_0123456789", (None,), [5]], ids=repr)
def test_what_is_no_secret_verifies_nothing(secrets) -> None:
    with pytest.raises(ConfigurationError, match="secret"):
        construct_event(BODY, sign(BODY, WEBHOOK_SECRET, timestamp=5), secrets, now=5)


@pytest.mark.parametrize(
    "secrets", [WEBHOOK_SECRET, Secret(WEBHOOK_SECRET), [WEBHOOK_SECRET], {WEBHOOK_SECRET}], ids=repr
)
def test_secrets_come_alone_or_together(secrets) -> None:
    assert construct_event(BODY, sign(BODY, WEBHOOK_SECRET, timestamp=5), secrets, now=5).id == "evt_1"


def test_a_booking_of_this_shop_is_payable() -> None:
    """What is refused above is refused for its own sake."""
    with opened("sync", Booking(BOOKING_ID, OWNER, PRICE)) as shop:
        options = PaymentOptions(description="café ✈", metadata={"ключ": "値"}, receipt_email="é@exämple.org")
        assert shop.gateway.create_payment(BOOKING_ID, owner=OWNER, amount=PRICE, options=options).status
        assert shop.gateway.tick(datetime.now(UTC), limit=1)


def test_an_address_that_stripe_refuses_is_the_callers_to_mend(shop, caplog) -> None:
    shop.hooks["perform"] = lambda *_: failed(
        ApiResult(400, error={"type": "invalid_request_error", "code": "email_invalid", "message": "nobody@nowhere"})
    )
    options = PaymentOptions(receipt_email="nobody@nowhere")
    with pytest.raises(InvalidRequest) as refused_:
        shop.run(shop.gateway.create_payment(BOOKING_ID, owner=OWNER, amount=PRICE, options=options))
    assert [error.field for error in refused_.value.errors] == ["receipt_email"]
    with pytest.raises(InvalidRequest, match=r"^email:"):
        shop.run(shop.gateway.customer(OWNER, email="nobody@nowhere"))
    assert [record.levelname for record in caplog.records if record.name == "airport_payments"] == ["WARNING"]
    assert "nobody" not in caplog.text
    shop.hooks.clear()
    assert shop.create().status == "requires_payment_method"
