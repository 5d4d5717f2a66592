"""The invariants of the design over `decide` alone, in every order of what can happen: S1 S2 S4 S5 S8 S13, L1-L5."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from tests.core.model_stripe import FATES, TrueStripe, same_request
from tests.examples import examples
from tests.support import OWNER, PRICE, TICK, Driver

from airport_payments.core.announcements import Deliver
from airport_payments.core.codec import dump, load
from airport_payments.core.commands import CancelIntent, Command, CreateIntent
from airport_payments.core.decide import Decision
from airport_payments.core.decide.draft import NotCompleted, Ready, Unplaced
from airport_payments.core.decide.table import STATE_OF
from airport_payments.core.facts import (
    Answer,
    BookingChanged,
    ConfirmRequested,
    Delivered,
    DeliveryFailed,
    Fact,
    IntentObserved,
    PaymentRequested,
    PortReply,
    TimePassed,
)
from airport_payments.core.model import BookingStatus, IntentStatus, PaymentState, Place
from airport_payments.core.money import Money

OTHER_PRICE = Money(50000, "usd")
DEEDS = [
    "pay",
    "decline",
    "ask",
    "process",
    "settle",
    "bounce",
    "authorise",
    "capture",
    "dashboard_cancel",
    "change_amount",
]
# A call that a process has decided on leaves it within this time, or never.
MOST_DELAY = timedelta(minutes=30)
FINAL = {PaymentState.SUCCEEDED, PaymentState.CANCELED}


@dataclass
class Actor:
    """One request or worker in the middle of its loop: it has a command to send, or an answer to feed back."""

    asker: Fact
    act: Command
    version: int
    reply: PortReply | None = None


class Payments(RuleBasedStateMachine):
    webhooks_are_lost = False
    jumps = (1, 2, 20, 70, 60 * 12, 60 * 23, 60 * 23 + 45, 60 * 25)

    def __init__(self) -> None:
        super().__init__()
        self.driver = Driver()
        self.stripe = TrueStripe()
        self.actors: list[Actor] = []
        self.given: set[str] = set()
        self.sent: dict[str, Command] = {}
        self.attempts = 0
        self.confirmed_at: Money | None = None
        self.final: dict[str, tuple] = {}

    # ---- the loop, in steps that others can come between ----

    def feed(self, fact: Fact) -> Decision:
        before = self.driver.snapshot
        decision = self.driver.feed(fact)
        change = decision.change
        if change is not None and change.booking_status is BookingStatus.CONFIRMED:
            attached = self.driver.snapshot.ledger.attached
            paid = self.stripe.intents[attached.intent_id]
            assert paid.status is IntentStatus.SUCCEEDED, "S2: confirmed unpaid"
            assert before.booking.status is BookingStatus.PENDING
            assert paid.amount == before.booking.price == Money(paid.received_minor, paid.amount.currency), "S2"
            assert self.confirmed_at is None, "S1: confirmed twice"
            self.confirmed_at = before.booking.price
        self._note_given(decision)
        return decision

    def _note_given(self, decision: Decision) -> None:
        reply = decision.reply
        if isinstance(reply, Ready) and reply.view.client_secret:
            assert reply.amount == self.driver.booking.price == reply.view.amount, "S13: quoted another price"
            self.given.add(reply.view.id)
        if isinstance(reply, NotCompleted) and reply.client_secret:
            self.given.add(reply.client_secret.reveal().partition("_secret")[0])

    def go_on(self, asker: Fact, decision: Decision, *, deliver: bool = True) -> None:
        for _ in range(200):
            act = decision.act
            if act is None:
                return
            if not isinstance(act, Deliver):
                if isinstance(act, CreateIntent | CancelIntent):
                    assert act in self.driver.effects, "rule 1: performed before it was saved"
                self.actors.append(Actor(asker, act, self.driver.snapshot.ledger.version))
                return
            number, name = act.announcement.sequence, act.subscriber
            assert isinstance(asker, TimePassed)
            if deliver:
                self.driver.heard.append(act.announcement)
                decision = self.feed(Delivered(number, name, asker))
            else:
                decision = self.feed(DeliveryFailed(number, name, act.tries, "RuntimeError", asker))
        raise AssertionError("a loop without an end")

    def start(self, asker: Fact, *, deliver: bool = True) -> None:
        self.go_on(asker, self.feed(asker), deliver=deliver)

    def send(self, actor: Actor, fate: str) -> None:
        command = actor.act
        if isinstance(command, CreateIntent | CancelIntent):
            assert self.driver.now - command.first_sent_at < timedelta(hours=23) + MOST_DELAY, (
                "rule 9: a key past its hours"
            )
            first = self.sent.setdefault(command.key, command)
            assert same_request(first, command), "rule 9: a saved command was recomputed"
        actor.reply = self.stripe.call(command, self.driver.now, fate)

    def receive(self, actor: Actor) -> None:
        self.actors.remove(actor)
        self.go_on(actor.asker, self.feed(Answer(actor.act, actor.reply, actor.version, actor.asker)))

    # ---- what can happen ----

    @rule(wrong=st.sampled_from([False, False, False, True]))
    def customer_asks(self, wrong: bool) -> None:
        self.attempts += 1
        amount = OTHER_PRICE if wrong else self.driver.booking.price
        self.start(PaymentRequested(OWNER, amount, f"a{self.attempts}"))

    @rule()
    def customer_asks_and_all_goes_well(self) -> None:
        self.attempts += 1
        self.to_the_end(PaymentRequested(OWNER, self.driver.booking.price, f"a{self.attempts}"))

    @rule()
    def worker_ticks_and_all_goes_well(self) -> None:
        self.to_the_end(TICK)

    @rule()
    def stripe_fails_for_a_while_but_does_it_later(self) -> None:
        self.attempts += 1
        self.to_the_end(PaymentRequested(OWNER, self.driver.booking.price, f"a{self.attempts}"), "late_failed")
        for _ in range(2):
            self.driver.now += timedelta(minutes=1)
            self.to_the_end(TICK, "late_failed")

    @precondition(lambda self: self.stripe.limbo)
    @rule()
    def a_call_executes_late_and_is_told_of(self) -> None:
        known = len(self.stripe.events)
        self.stripe.late_execution(self.driver.now, 0)
        for seen in self.stripe.events[known:]:
            self.deliver(seen)

    def to_the_end(self, asker: Fact, fate: str = "ok") -> None:
        known = len(self.actors)
        self.start(asker)
        for _ in range(500):
            if len(self.actors) == known:
                return
            if self.actors[-1].reply is None:
                self.send(self.actors[-1], fate)
            self.receive(self.actors[-1])
        raise AssertionError("calls without an end")

    @precondition(lambda self: self.stripe.intents)
    @rule(data=st.data())
    def customer_confirms(self, data) -> None:
        self.start(ConfirmRequested(OWNER, data.draw(st.sampled_from(sorted(self.stripe.intents)))))

    @rule(deliver=st.sampled_from([True, True, False]))
    def worker_ticks(self, deliver: bool) -> None:
        self.start(TICK, deliver=deliver)

    @rule()
    def team_says_so(self) -> None:
        self.start(BookingChanged())

    @rule(status=st.sampled_from(["cancelled", "pending"]))
    def team_sets_status(self, status: str) -> None:
        self.driver.team(status=BookingStatus(status))

    @rule(price=st.sampled_from([PRICE, OTHER_PRICE]))
    def team_sets_price(self, price: Money) -> None:
        self.driver.team(price=price)

    @precondition(lambda self: self.given)
    @rule(data=st.data(), deed=st.sampled_from(DEEDS))
    def customer_acts(self, data, deed: str) -> None:
        self.stripe.customer(data.draw(st.sampled_from(sorted(self.given))), deed)

    @precondition(lambda self: self.stripe.events)
    @rule(data=st.data())
    def event_arrives(self, data) -> None:
        self.deliver(data.draw(st.sampled_from(self.stripe.events)))

    @precondition(lambda self: self.stripe.events)
    @rule(data=st.data())
    def all_events_arrive_in_some_order(self, data) -> None:
        for seen in data.draw(st.permutations(self.stripe.events[-6:])):
            self.deliver(seen)

    def deliver(self, seen) -> None:
        if self.webhooks_are_lost:
            return
        told = IntentObserved(seen, f"evt_{len(self.stripe.events)}", f"payment_intent.{seen.status}")
        if isinstance(self.feed(told).reply, Unplaced):
            assert not isinstance(self.feed(replace(told, placed=True)).reply, Unplaced)

    @precondition(lambda self: any(a.reply is None for a in self.actors))
    @rule(data=st.data(), fate=st.sampled_from(FATES))
    def call_is_sent(self, data, fate: str) -> None:
        self.send(data.draw(st.sampled_from([a for a in self.actors if a.reply is None])), fate)

    @precondition(lambda self: any(a.reply is not None for a in self.actors))
    @rule(data=st.data())
    def answer_arrives(self, data) -> None:
        self.receive(data.draw(st.sampled_from([a for a in self.actors if a.reply is not None])))

    @precondition(lambda self: self.actors)
    @rule(data=st.data())
    def process_dies(self, data) -> None:
        self.actors.remove(data.draw(st.sampled_from(self.actors)))

    @precondition(lambda self: self.stripe.limbo)
    @rule(data=st.data())
    def call_executes_late(self, data) -> None:
        self.stripe.late_execution(self.driver.now, data.draw(st.integers(0, len(self.stripe.limbo) - 1)))

    @rule(which=st.integers(0, 7))
    def time_passes(self, which: int) -> None:
        minutes = self.jumps[which % len(self.jumps)]
        self.driver.now += timedelta(minutes=minutes)
        if timedelta(minutes=minutes) > MOST_DELAY:
            self.actors = [a for a in self.actors if a.reply is not None]
            self.stripe.limbo.clear()

    # ---- what must always hold ----

    @invariant()
    def s4_one_payable_intent_was_given(self) -> None:
        payable = [i.id for i in self.stripe.payable if i.id in self.given]
        assert len(payable) <= 1, f"S4: {payable}"

    @invariant()
    def s5_one_intent_per_attempt(self) -> None:
        attempts = [i.attempt_id for i in self.stripe.intents.values()]
        assert len(attempts) == len(set(attempts))

    @invariant()
    def rule_3_one_payable_attempt(self) -> None:
        assert sum(p.payable for p in self.driver.payments) <= 1

    @invariant()
    def s8_final_states_never_regress(self) -> None:
        for payment in self.driver.payments:
            end = replace(payment, news=(), closing=False, stray=False)
            if payment.state in FINAL:
                assert self.final.setdefault(payment.attempt_id, end) == end, "S8"
            else:
                assert payment.attempt_id not in self.final, "S8"

    @invariant()
    def the_ledger_survives_storage_and_holds_no_secret(self) -> None:
        ledger = self.driver.snapshot.ledger
        text = dump(ledger)
        assert load(text, ledger.version) == ledger
        assert "CANARY" not in text

    # ---- the end: faults stop and everything drains ----

    def teardown(self) -> None:
        for actor in list(self.actors):
            if actor.reply is None:
                self.send(actor, "ok")
            self.receive(actor)
        for intent_id in list(self.stripe.intents):
            self.stripe.customer(intent_id, "settle")
        delivered = 0
        self.drain_calls()
        for _ in range(60):
            for seen in self.stripe.events[delivered:]:
                self.deliver(seen)
            delivered = len(self.stripe.events)
            self.start(TICK)
            self.drain_calls()
            due = self.driver.due_at
            if due is None and delivered == len(self.stripe.events):
                break
            self.driver.now = max(self.driver.now, due or self.driver.now)
        self.check_end()
        before = self.driver.snapshot
        for seen in reversed(self.stripe.events):
            self.deliver(seen)
        same = {"version": before.ledger.version, "payments": before.ledger.payments}
        assert replace(self.driver.snapshot.ledger, **same) == before.ledger, "rule 8: old news has an effect"
        for old, new in zip(before.ledger.payments, self.driver.payments, strict=True):
            assert old == new or old.state is new.state is PaymentState.OPEN, "S8: old news of what has ended"

    def drain_calls(self) -> None:
        for _ in range(500):
            if not self.actors:
                return
            actor = self.actors[0]
            if actor.reply is None:
                self.send(actor, "ok")
            self.receive(actor)
        raise AssertionError("calls without an end")

    def check_end(self) -> None:
        ledger, team = self.driver.snapshot.ledger, self.driver.booking
        by_intent = {p.intent_id: p for p in ledger.payments if p.intent_id}
        attached = [p for p in ledger.payments if p.place is Place.ATTACHED]
        reviewed = [p for p in ledger.payments if p.place is Place.REVIEW]
        for intent in self.stripe.succeeded:
            assert by_intent[intent.id].place is not Place.NONE, "L3: money that nobody knows of"
        for intent_id, payment in by_intent.items():
            assert payment.state is STATE_OF[self.stripe.intents[intent_id].status], (
                "L6: our tables and Stripe's differ"
            )
        collected = sum(i.received_minor for i in self.stripe.succeeded)
        held = sum(p.received_minor for p in reviewed)
        assert collected - held == (self.confirmed_at.amount_minor if self.confirmed_at else 0), "L1"
        assert len(attached) == (self.confirmed_at is not None) == self.driver.confirmations, "L2"
        assert len(attached) + len(reviewed) == len(self.stripe.succeeded), "L3"
        assert not ledger.effects, "L4: a command without an answer"
        assert not [p for p in ledger.payments if p.state is PaymentState.OPENING], "L4: an attempt opening"
        assert not ledger.announcements, "L5"
        assert [a.sequence for a in self.driver.heard] == list(range(1, ledger.announced + 1)), "L5: order"
        assert self.driver.announced.count("BookingConfirmed") == len(attached)
        assert self.driver.announced.count("PaymentNeedsReview") == len(reviewed)
        wanted = [i for i in self.stripe.payable if team.status is BookingStatus.PENDING and i.amount == team.price]
        if not self.webhooks_are_lost:
            assert self.stripe.payable == wanted, "rule 4: a payable intent that the booking does not want"
        assert len([i for i in self.stripe.payable if i.id in self.given and i not in wanted]) == 0, "rule 4"
        assert len([i for i in wanted if i.id in self.given]) <= 1, "rule 3"


class PaymentsWithoutWebhooks(Payments):
    """Every event is lost: looks alone reach the same ends, for what happens within the days that they cover."""

    webhooks_are_lost = True
    jumps = (1, 2, 20, 70)


@pytest.mark.parametrize(("machine", "number"), [(Payments, 90), (PaymentsWithoutWebhooks, 30)])
def test_the_invariants_hold_in_any_order_of_events(machine, number) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples(number),
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
