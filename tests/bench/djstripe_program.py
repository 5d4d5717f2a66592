"""dj-stripe with its default handlers, in a venv of its own: takes `{"count": n}` on stdin, prints how long n webhooks took.

It is called as its view is, without any middleware; its calls to Stripe are answered at once from here, and counted.
"""

import json
import sys
import time
import uuid
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import django
import stripe
from django.conf import settings

DATABASE, SAMPLE = json.loads(sys.argv[1]), Path(sys.argv[2])
SECRET = "whsec_" + "b" * 32
KEY = "sk_test_" + "b" * 24

settings.configure(
    DATABASES={"default": {**DATABASE, "ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": None}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "djstripe"],
    ROOT_URLCONF="djstripe.urls",
    STRIPE_TEST_SECRET_KEY=KEY,
    STRIPE_LIVE_MODE=False,
    DJSTRIPE_FOREIGN_KEY_TO_FIELD="id",
    SECRET_KEY="b" * 50,
    ALLOWED_HOSTS=["*"],
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    LOGGING_CONFIG=None,
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.test import RequestFactory  # noqa: E402
from djstripe.models import PaymentIntent, WebhookEndpoint  # noqa: E402
from djstripe.views import ProcessWebhookView  # noqa: E402

TEXT = SAMPLE.read_text()
EVENT = json.loads(TEXT)
INTENT = EVENT["data"]["object"]
IDS = {"evt": EVENT["id"], "pi": INTENT["id"], "ch": INTENT["latest_charge"]}
calls: Counter[str] = Counter()


class Stub(stripe.HTTPClient):
    """Answers each call with an object of the kind that was asked for."""

    name = "stub"

    def request(self, method, url, headers, post_data=None, **_):
        parts = [part for part in urlsplit(url).path.split("/") if part][1:]
        calls[f"{method.upper()} /v1/{parts[0]}"] += 1
        answer = object_of(parts[0], parts[1] if len(parts) > 1 else "acct_1")
        return json.dumps(answer), 200, {"Request-Id": "req_1"}


def object_of(kind: str, name: str) -> dict:
    base = {"id": name, "livemode": False, "created": EVENT["created"], "metadata": {}}
    if kind in {"account", "accounts"}:
        return {**base, "id": "acct_1", "object": "account", "type": "standard", "charges_enabled": True, "country": "PT",
                "details_submitted": True, "payouts_enabled": True, "default_currency": "eur", "settings": {}}  # fmt: skip
    if kind == "customers":
        return {**base, "object": "customer", "balance": 0, "currency": "eur", "delinquent": False, "invoice_prefix": "A",
                "default_source": None, "email": "traveller@example.com", "sources": listed(), "subscriptions": listed()}  # fmt: skip
    if kind == "payment_methods":
        return {**base, "object": "payment_method", "type": "card", "customer": INTENT["customer"], "billing_details": {},
                "card": {"brand": "visa", "last4": "4242", "exp_month": 1, "exp_year": 2040}}  # fmt: skip
    if kind == "balance_transactions":
        return {**base, "object": "balance_transaction", "amount": 24900, "net": 24000, "fee": 900, "currency": "eur",
                "fee_details": [], "source": None, "status": "pending", "type": "charge", "available_on": EVENT["created"],
                "reporting_category": "charge", "exchange_rate": None, "description": None}  # fmt: skip
    if kind == "charges":
        intent_id = name.replace("ch_", "pi_")
        return {**base, "object": "charge", "amount": 24900, "amount_captured": 24900, "amount_refunded": 0, "captured": True,
                "currency": "eur", "customer": INTENT["customer"], "payment_intent": intent_id, "paid": True, "refunded": False,
                "balance_transaction": name.replace("ch_", "txn_"), "status": "succeeded", "disputed": False, "invoice": None,
                "payment_method": INTENT["payment_method"], "refunds": listed(), "billing_details": {}, "outcome": None,
                "payment_method_details": {"type": "card", "card": {"brand": "visa"}}, "source": None, "dispute": None,
                "on_behalf_of": None, "transfer": None, "application": None, "application_fee": None}  # fmt: skip
    if kind == "payment_intents":
        return json.loads(json.dumps(INTENT).replace(IDS["pi"], name).replace(IDS["ch"], name.replace("pi_", "ch_")))
    raise LookupError(kind)


def listed() -> dict:
    return {"object": "list", "data": [], "has_more": False, "total_count": 0, "url": "/v1/x"}


def deliveries(first: int, count: int) -> list:
    """Signed requests, each of an event, a PaymentIntent and a charge of its own; customer and card are known after one."""
    made = []
    for number in range(first, first + count):
        body = TEXT
        for prefix, old in IDS.items():
            body = body.replace(old, f"{prefix}_{number:024}")
        signed = stripe.WebhookSignature.generate_signature_header(body, SECRET, int(time.time()))
        request = RequestFactory().post(
            "/", body, content_type="application/json", headers={"Stripe-Signature": signed}
        )
        made.append(request)
    return made


def main() -> None:
    stripe.default_http_client = Stub()
    call_command("migrate", verbosity=0)
    endpoint = WebhookEndpoint.objects.create(
        id="we_1", livemode=False, secret=SECRET, url="https://a.example/", enabled_events=["*"], djstripe_uuid=uuid.uuid4(),
        api_version=EVENT["api_version"], status="enabled", djstripe_validation_method="verify_signature",
    )  # fmt: skip
    view = ProcessWebhookView.as_view()
    first = 0
    for line in sys.stdin:
        count = json.loads(line)["count"]
        requests = deliveries(first, count)
        first += count
        calls.clear()
        began = time.perf_counter()
        statuses = {view(request, uuid=endpoint.djstripe_uuid).status_code for request in requests}
        seconds = (time.perf_counter() - began) / count
        assert statuses == {200}, statuses
        assert PaymentIntent.objects.filter(stripe_data__status="succeeded").count() == first
        print(json.dumps({"seconds": seconds, "calls": {name: n / count for name, n in calls.items()}}), flush=True)


main()
