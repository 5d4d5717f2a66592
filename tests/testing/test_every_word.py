"""Every type of event and every word of Stripe's enums, in what the fake returns: played, or listed here with a reason."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import stripe
from stripe.events import _event_classes

from airport_payments.testing import FakeStripe, fake_stripe
from airport_payments.testing.fake_stripe.cards import AUTHENTICATION, BY_NAME, CARDS
from airport_payments.testing.fake_stripe.thin import PREFIX, notification

from . import schemas
from .conftest import Clock, stripe_client
from .test_schemas import words

NEW = {"amount": 2000, "currency": "usd", "payment_method_types": ["card"]}

# ---- One story in which happens whatever can happen at the fake ----


def everything():
    clock = Clock()
    fake = FakeStripe(clock=clock)
    client = stripe_client(fake).v1

    def intent(**given):
        return client.payment_intents.create({**NEW, **given}).id

    def pay(card="pm_card_visa", **given):
        return fake.pay(intent(**given), card)["id"]

    for card in sorted({card.names[0] for card in CARDS}):
        try:
            pay(f"pm_card_{card}")
        except stripe.StripeError:
            continue
    for reason in ("duplicate", "fraudulent", "requested_by_customer", "abandoned"):
        client.payment_intents.cancel(intent(), {"cancellation_reason": reason})
    client.payment_intents.capture(pay(capture_method="manual"))
    fake.expire(pay(capture_method="manual"))
    intent(capture_method="automatic", confirmation_method="manual", setup_future_usage="off_session")
    intent(setup_future_usage="on_session", payment_method="pm_card_visa")
    for redirects in ("always", "never"):
        given = {"enabled": True, "allow_redirects": redirects}
        client.payment_intents.create({"amount": 100, "currency": "usd", "automatic_payment_methods": given})
    for account, succeed in (("pm_usBankAccount_processing", True), ("pm_usBankAccount_success", False)):
        slow = {"payment_method_types": ["us_bank_account"], "payment_method": account, "confirm": True}
        made = client.payment_intents.create({**NEW, **slow})
        if succeed:
            continue
        fake.settle(made.id, succeed=succeed)
    refunds(fake, client, pay)
    disputes(fake, pay)
    customers(client)
    clock.forward(days=10)
    fake.advance(0)
    return fake


def refunds(fake, client, pay):
    for reason in ("duplicate", "fraudulent", "requested_by_customer"):
        client.refunds.create({"payment_intent": pay(), "reason": reason})
    for status in ("pending", "requires_action"):
        fake.settle_refund(fake.refund(pay(), status=status)["id"])
        fake.cancel_refund(fake.refund(pay(), status=status)["id"])
        fake.refund(pay(), status=status)
    fake.fail_refund(fake.refund(pay())["id"])
    fake.refund(pay("pm_card_pendingRefund"))
    client.charges.update(next(iter(fake.charges)), {"description": "Flight"})


def disputes(fake, pay):
    for outcome in ("won", "lost"):
        dispute = fake.dispute(pay())["id"]
        fake.answer_dispute(dispute)
        fake.close_dispute(dispute, outcome)
        assert fake.appeal_dispute(dispute)["status"] == "appeal_needs_response"
        if outcome == "won":
            assert fake.answer_dispute(dispute)["status"] == "appeal_under_review"
            fake.close_dispute(dispute, "won")
    fake.dispute(pay(), prevented=True)
    inquiry = fake.dispute(pay(), inquiry=True)["id"]
    fake.answer_dispute(inquiry)
    fake.close_dispute(inquiry, "warning_closed")
    fake.escalate_dispute(fake.dispute(pay(), inquiry=True)["id"])
    for status in ("answered", "open"):
        one = fake.dispute(pay())["id"]
        if status == "answered":
            fake.answer_dispute(one)
    fake.answer_dispute(fake.dispute(pay(), inquiry=True)["id"])
    fake.dispute(pay(), inquiry=True)


def customers(client):
    for word in ("none", "exempt", "reverse"):
        customer = client.customers.create({"tax_exempt": word, "payment_method": "pm_card_visa"})
    client.customers.update(customer.id, {"name": "Ann"})
    method = client.customers.payment_methods.list(customer.id).data[0]
    client.payment_methods.detach(method.id)
    client.customers.delete(customer.id)
    for word in ("always", "limited", "unspecified"):
        given = {"type": "card", "card": {"token": "tok_visa"}, "allow_redisplay": word}
        client.payment_methods.create(given)
    bank = {"type": "sepa_debit", "sepa_debit": {"iban": "AT611904300234573201"}}
    client.payment_methods.create({**bank, "billing_details": {"name": "Ann", "email": "a@example.com"}})
    client.webhook_endpoints.create({"url": "https://example.com", "enabled_events": ["payout.paid"]})


@pytest.fixture(scope="module")
def fake():
    return everything()


# ---- Events ----

# By pattern: what the fake never tells of, and why.
NO_SUCH_EVENT = {
    "payment_intent.partially_funded": "customers have no cash balance here",
    "customer.bank_account.*": "sources are not part of the fake",
    "customer.card.*": "sources are not part of the fake",
    "customer.discount.*": "Billing is not part of the fake",
    "customer.source.*": "sources are not part of the fake",
    "customer.subscription.*": "Billing is not part of the fake",
    "customer.tax_id.*": "taxes are not part of the fake",
    "payment_method.automatically_updated": "test cards are never replaced",
    "payment_method.updated": "the fake does not serve the update of a payment method",
    "radar.early_fraud_warning.updated": "warnings of the fake stay as they are",
    "review.*": "Radar's reviews are not part of the fake",
}
OTHER_PRODUCTS = (
    "account", "application_fee", "apps", "balance", "balance_settings", "billing", "billing_portal", "capability", "cash_balance",
    "checkout", "climate", "coupon", "credit_note", "customer_cash_balance_transaction", "entitlements", "file",
    "financial_connections", "identity", "invoice", "invoice_payment", "invoiceitem", "issuing_authorization",
    "issuing_card", "issuing_cardholder", "issuing_dispute", "issuing_personalization_design", "issuing_token",
    "issuing_transaction", "mandate", "payment_link", "payout", "person", "plan", "price", "product", "promotion_code",
    "quote", "reporting", "reserve", "setup_intent", "sigma", "source", "subscription_schedule", "tax", "tax_rate", "terminal",
    "test_helpers", "three_d_secure", "topup", "transfer", "treasury",
)  # fmt: skip


def told(fake):
    return {event["type"] for event in fake.events.values()}


def is_listed(event_type):
    return event_type.partition(".")[0] in OTHER_PRODUCTS or any(
        fnmatchcase(event_type, pattern) for pattern in NO_SUCH_EVENT
    )


def test_every_type_of_event_is_played_or_listed(fake):
    assert {name for name in words(stripe.Event, "type") - told(fake) if not is_listed(name)} == set()


def test_no_played_event_is_listed_as_not_played(fake):
    assert {name for name in told(fake) if is_listed(name)} == set()


def test_every_event_and_its_thin_twin_have_stripes_form(fake):
    for event in fake.events.values():
        schemas.check(event)
        thin = notification(event, None)
        schemas.check({**thin, "changes": None, "snapshot_event": event["id"]})
        assert thin["related_object"]["id"] == event["data"]["object"]["id"]


def test_every_thin_twin_is_a_type_that_stripe_python_knows(fake):
    known = set(_event_classes._V2_EVENT_NOTIFICATION_CLASS_LOOKUP)
    assert {PREFIX + name for name in told(fake)} - known == NO_THIN_TWIN


NO_THIN_TWIN: set[str] = set()

# ---- The words of the objects ----

# By place: the words that the fake never returns, and why.
NO_SUCH_WORD = {
    "payment_intent.cancellation_reason": {
        "automatic": "Stripe's own cancellations of confirmations without end",
        "failed_invoice": "Billing", "void_invoice": "Billing",
    },
    "refund.pending_reason": {"charge_pending": "a charge that is pending is not refundable in the fake"},
    "refund.reason": {"expired_uncaptured_charge": "since basil an authorisation that ends makes no refund"},
    "balance_transaction.balance_type": dict.fromkeys(
        ("issuing", "refund_and_dispute_prefunding", "risk_reserved"), "the fake has one balance"
    ),
    "api_errors.type": {},
    "dispute.enhanced_eligibility_types[]": dict.fromkeys(
        ("mastercard_compliance", "visa_compelling_evidence_3", "visa_compliance"), "disputes here are eligible for none"
    ),
}  # fmt: skip
# Whole lists of which the fake plays a few.
SOME_OF = {
    "balance_transaction.type": {"charge", "refund", "refund_failure", "adjustment"},
    "payment_method.type": {"card", "sepa_debit", "us_bank_account"},
    # Returned as they were given: test_every_parameter.
    "payment_intent.allowed_payment_method_types[]": set(),
    "payment_intent.excluded_payment_method_types[]": set(),
    # Shown on lists inside objects that are not expanded.
    "charge.refunds.object": set(), "customer.sources.object": set(), "customer.subscriptions.object": set(),
    "customer.tax_ids.object": set(),
}  # fmt: skip


def enums(schema, path, found):
    if "enum" in schema:
        found[path] = found.get(path, set()) | set(schema["enum"])
    for name, inner in schema.get("properties", {}).items():
        enums(inner, f"{path}.{name}", found)
    for option in schema.get("anyOf", ()):
        enums(option, path, found)
    if "items" in schema:
        enums(schema["items"], f"{path}[]", found)
    return found


def all_enums():
    document = json.loads(schemas.FILE.read_text())["$defs"]
    document["dispute"]["properties"]["status"]["enum"] += schemas.ENDIVE_DISPUTE_STATUSES
    found = {}
    for kind in schemas.KINDS:
        enums(document[kind], kind, found)
    # Written once in the description, used in payment intents alone.
    inner = enums(document["payment_flows_automatic_payment_methods_payment_intent"], "", {})
    found |= {f"payment_intent.automatic_payment_methods{path}": words for path, words in inner.items()}
    return found


def values_at(obj, path):
    if not path:
        return [obj]
    name, _, rest = path.partition(".")
    many, name = name.endswith("[]"), name.removesuffix("[]")
    value = obj.get(name) if isinstance(obj, dict) else None
    return [found for item in (value or [] if many else [value]) for found in values_at(item, rest)]


def seen_at(fake, place):
    kind, _, path = place.partition(".")
    # What an object was at some time stands in the events about it.
    then = [event["data"]["object"] for event in fake.events.values()]
    objects = [*fake.objects(kind).values(), *(obj for obj in then if obj["object"] == kind)]
    return {value for obj in objects for value in values_at(obj, path) if value is not None}


@pytest.mark.parametrize(("place", "of_stripe"), sorted(all_enums().items()))
def test_every_word_of_an_object_is_played_or_listed(fake, place, of_stripe):
    seen = seen_at(fake, place)
    assert seen <= of_stripe
    if place in SOME_OF:
        assert seen == SOME_OF[place]
    else:
        assert of_stripe - seen == set(NO_SUCH_WORD.get(place, {}))


# stripe-python's types, where the description has only a string.
LITERALS = [
    (stripe.Dispute, "status", set()),
    (stripe.Refund, "pending_reason", {"charge_pending"}),
    (stripe.Charge, "status", set()),
]


@pytest.mark.parametrize(("kind", "field", "missing"), LITERALS)
def test_every_word_of_stripe_python_is_played_or_listed(fake, kind, field, missing):
    assert words(kind, field) - seen_at(fake, f"{kind.OBJECT_NAME}.{field}") == missing


def test_every_status_of_a_refund_is_played(fake):
    # Stripe's descriptions say it in words: stripe-python, `Refund.status`.
    assert seen_at(fake, "refund.status") == {"pending", "requires_action", "succeeded", "failed", "canceled"}


# ---- Errors ----

SOURCES = Path(fake_stripe.__file__).parent
KNOWN_CODES = words(stripe.PaymentIntent.LastPaymentError, "code")
# API v2 has codes of its own; the other is known from answers that others published.
NOT_IN_THE_LIST = {"invalid_bank_account_iban", "not_found"}
DECLINES = [card.decline for card in CARDS if card.decline] + [AUTHENTICATION]


@pytest.mark.parametrize("name", sorted({f"pm_card_{card.names[0]}" for card in CARDS if card.decline}))
def test_every_decline_has_the_form_of_stripes_errors(name):
    fake = FakeStripe(clock=Clock())
    body = f"amount=2000&currency=usd&payment_method_types[]=card&payment_method={name}&confirm=true"
    answer = fake.handle("POST", "/v1/payment_intents", {"Authorization": "Bearer sk_test_fake"}, body.encode())
    shown = json.loads(answer.body)
    if answer.status == 200:
        assert shown["status"] == "requires_action"
        return
    schemas.check(shown)
    assert answer.status == 402
    assert (shown["error"]["type"], shown["error"]["code"]) == ("card_error", BY_NAME[name].decline.code)
    assert shown["error"]["payment_intent"]["status"] == "requires_payment_method"


def test_every_code_of_an_error_is_one_that_stripe_documents():
    written = {decline.code for decline in DECLINES}
    for path in SOURCES.glob("*.py"):
        written |= set(re.findall(r'code="([a-z_]+)"', path.read_text()))
    assert len(written) >= 20
    assert written - KNOWN_CODES == NOT_IN_THE_LIST
