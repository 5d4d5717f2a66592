"""Whatever is asked, in Stripe's own terms or not: an answer of Stripe's form, never an accident."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airport_payments.testing import FakeStripe
from airport_payments.testing.fake_stripe.request_table import ENDPOINTS, SHARED
from airport_payments.testing.fake_stripe.thin import thin_id

from . import schemas
from .conftest import Clock

KEY = {"Authorization": "Bearer sk_test_fake"}
WORDS = [
    "",
    "usd",
    "pm_card_visa",
    "pm_card_threeDSecure2Required",
    "true",
    "0",
    "1",
    "-1",
    "2000",
    "x",
    "é",
    "2000000000000",
]


def values(kind):
    """Draw a parameter of a type as pairs of a suffix of its name and a text."""
    if isinstance(kind, str) and kind.startswith("@"):
        return values(SHARED[kind[1:]])
    if isinstance(kind, list):
        return st.sampled_from(kind).map(lambda word: [("", word)])
    if isinstance(kind, dict):
        if "|" in kind:
            return st.one_of([values(option) for option in kind["|"]])
        if "[]" in kind:
            return values(kind["[]"]).map(lambda pairs: [(f"[0]{name}", text) for name, text in pairs])
        return st.sampled_from(sorted(kind)).flatmap(
            lambda key: values(kind[key]).map(
                lambda pairs: [(f"[{key.rstrip('!').replace('*', 'any')}]{name}", text) for name, text in pairs]
            )
        )
    numbers = st.integers(-1, 3000).map(str)
    texts = {"integer": numbers, "boolean": st.sampled_from(["true", "false"])}.get(kind, st.sampled_from(WORDS))
    return texts.map(lambda text: [("", text)])


@st.composite
def requests(draw):
    endpoint = draw(st.sampled_from(sorted(ENDPOINTS)))
    names = draw(st.lists(st.sampled_from([*sorted(ENDPOINTS[endpoint]), "colour"]), max_size=4, unique=True))
    pairs = {}
    for name in names:
        kind = ENDPOINTS[endpoint].get(name, "string")
        pairs.update({name + suffix: text for suffix, text in draw(values(kind))})
    # Requests that would all fail for the same reason teach little.
    if endpoint == "POST /v1/payment_intents" and draw(st.booleans()):
        pairs |= {"amount": "2000", "currency": "usd"}
    if draw(st.booleans()):
        pairs.pop("colour", None)
    return endpoint, pairs, draw(st.integers(0, 3)), draw(st.integers(0, 9)) == 9


def prepared():
    """Make a fake with a few of everything."""
    fake = FakeStripe(clock=Clock())
    card = "payment_method_types[]=card"
    for body in (
        f"amount=2000&currency=usd&{card}",
        f"amount=2000&currency=usd&confirm=true&payment_method=pm_card_visa&{card}",
        f"amount=2000&currency=usd&confirm=true&payment_method=pm_card_createDispute&{card}",
        f"amount=2000&currency=usd&confirm=true&payment_method=pm_card_visa&capture_method=manual&{card}",
    ):
        fake.handle("POST", "/v1/payment_intents", KEY, body.encode())
    fake.handle("POST", "/v1/refunds", KEY, f"payment_intent={list(fake.intents)[1]}&amount=500".encode())
    fake.handle("POST", "/v1/customers", KEY, b"payment_method=pm_card_visa")
    fake.send_webhooks_to("http://127.0.0.1:1/", "whsec_only_for_tests", payload="thin")
    return fake


SAVED = prepared().dump()


def path_of(fake, endpoint, number):
    path = endpoint.partition(" ")[2]
    if path.startswith("/v2/"):
        thin = [thin_id(event) for event in fake.events.values()]
        ids = {"events": thin, "event_destinations": list(fake.objects("event_destination"))}[path.split("/")[3]]
    else:
        ids = list(fake.objects(path.split("/")[2].removesuffix("s"))) if "{" in path else []
    return "/".join((ids[number % len(ids)] if ids else "nothing") if "{" in part else part for part in path.split("/"))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(requests())
def test_any_request_gets_an_answer_of_stripes_form(request):
    endpoint, pairs, number, publishable = request
    fake = FakeStripe.load(SAVED, clock=Clock())
    method, path = endpoint.split(" ")[0], path_of(fake, endpoint, number)
    form = urlencode(pairs)
    headers = {"Authorization": "Bearer pk_test_fake"} if publishable else KEY
    target, body = (path, form.encode()) if method == "POST" else (f"{path}?{form}", b"")
    answer = fake.handle(method, target, headers, body)
    assert answer.status in {200, 400, 401, 402, 404}
    shown = json.loads(answer.body)
    if "error" in shown or (not publishable and shown.get("object") != "account"):
        schemas.check(shown)
    for kind in schemas.KINDS:
        for obj in fake.objects(kind).values():
            schemas.check(obj)
