"""Rules that hold after any sequence of operations."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from hypothesis import given, settings
from hypothesis import strategies as st

from airport_payments.testing import FakeStripe, StripeRefusal
from airport_payments.testing.fake_stripe.cards import BY_NAME

from . import schemas

OPEN = {"requires_payment_method", "requires_confirmation", "requires_action", "processing"}
LEGAL = {
    **{status: OPEN | {"requires_capture", "succeeded", "canceled"} for status in OPEN},
    "requires_capture": {"succeeded", "canceled"},
    "succeeded": set(),
    "canceled": set(),
}
CARDS = sorted(name for name in BY_NAME if name.startswith("pm_card"))
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(
            st.just("create"),
            st.sampled_from(["automatic", "automatic_async", "manual"]),
            st.sampled_from(["automatic", "manual"]),
        ),
        st.tuples(st.just("confirm"), st.sampled_from(CARDS)),
        st.tuples(st.just("pay"), st.sampled_from(CARDS)),
        st.tuples(st.just("authenticate"), st.booleans()),
        st.tuples(st.just("capture"), st.integers(0, 2500)),
        st.tuples(st.just("cancel")),
        st.tuples(st.just("refund"), st.integers(0, 2500)),
        st.tuples(st.just("fail_refund"), st.integers(0, 5)),
        st.tuples(st.just("close_disputes")),
        st.tuples(st.just("wait"), st.sampled_from([1, 60, 86400, 8 * 86400])),
    ),
    max_size=25,
)


class Player:
    """Plays operations on the latest intent, and checks the rules after each."""

    def __init__(self):
        self.fake = FakeStripe()
        self.statuses, self.answers, self.keys = {}, {}, 0
        self.intent = "pi_none"

    def post(self, path, **params):
        self.keys += 1
        key, body = f"k{self.keys}", urlencode(params).encode()
        answer = self.send(path, body, key)
        self.answers[key] = (path, body, answer)
        return json.loads(answer.body)

    def send(self, path, body, key):
        return self.fake.handle("POST", path, {"Authorization": "Bearer sk_test_fake", "Idempotency-Key": key}, body)

    def play(self, name, *args):
        path = f"/v1/payment_intents/{self.intent}"
        if name == "create":
            given = {"capture_method": args[0], "confirmation_method": args[1], "payment_method_types[]": "card"}
            self.intent = self.post("/v1/payment_intents", amount=2000, currency="usd", **given)["id"]
        elif name == "confirm":
            self.post(path + "/confirm", payment_method=args[0])
        elif name == "capture":
            self.post(path + "/capture", amount_to_capture=args[0])
        elif name == "cancel":
            self.post(path + "/cancel")
        elif name == "refund":
            self.post("/v1/refunds", payment_intent=self.intent, **({"amount": args[0]} if args[0] else {}))
        elif name == "close_disputes":
            for dispute in self.fake.disputes:
                self.post(f"/v1/disputes/{dispute}/close")
        elif name == "wait":
            self.fake.advance(args[0])
        else:
            self.by_hand(name, *args)

    def by_hand(self, name, argument):
        try:
            if name == "fail_refund":
                refunds = list(self.fake.refunds)
                self.fake.fail_refund(refunds[argument % len(refunds)] if refunds else "re_none")
            else:
                getattr(self.fake, name)(self.intent, argument)
        except (StripeRefusal, ValueError):
            pass

    def check(self):
        for intent_id, intent in self.fake.intents.items():
            old, new = self.statuses.get(intent_id, "requires_payment_method"), intent["status"]
            assert new == old or new in LEGAL[old], (old, new)
            self.statuses[intent_id] = new
            assert (intent["amount_capturable"] > 0) == (new == "requires_capture")
            assert (intent["amount_received"] > 0) == (new == "succeeded")
            assert (intent["next_action"] is not None) == (new == "requires_action")
            assert (intent["canceled_at"] is not None) == (new == "canceled")
        for charge_id, charge in self.fake.charges.items():
            standing = sum(
                refund["amount"]
                for refund in self.fake.refunds.values()
                if refund["charge"] == charge_id and refund["status"] not in {"failed", "canceled"}
            )
            assert charge["amount_refunded"] == standing
            assert 0 <= charge["amount_captured"] - standing <= charge["amount"]


@settings(max_examples=60, deadline=None)
@given(OPERATIONS)
def test_the_books_hold_after_any_operations(operations):
    player = Player()
    player.play("create", "automatic", "automatic")
    for operation in operations:
        player.play(*operation)
        player.check()
    for key, (path, body, first) in list(player.answers.items())[-10:]:
        again = player.send(path, body, key)
        if "Idempotent-Replayed" in again.headers:
            assert (again.status, again.body) == (first.status, first.body)
    paid = [event for event in player.fake.events.values() if event["type"] == "payment_intent.succeeded"]
    assert len({event["data"]["object"]["id"] for event in paid}) == len(paid)
    for kind in schemas.KINDS:
        for obj in player.fake.objects(kind).values():
            schemas.check(obj)


@settings(max_examples=30, deadline=None)
@given(OPERATIONS, st.integers(0, 3))
def test_the_same_seed_and_operations_give_the_same_state(operations, seed):
    from .conftest import Clock

    def state():
        player = Player()
        player.fake = FakeStripe(clock=Clock(), seed=seed)
        for operation in operations:
            player.play(*operation)
        return player.fake.dump()

    assert state() == state()
