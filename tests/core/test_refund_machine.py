"""Refunds in every order of requests, answers, replays, lists, events, crashes and days: S7, S8, S11, rule 9, pain 18."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from tests.core.model_refunds import FATES, TrueRefunds
from tests.examples import examples
from tests.support import POLICY, PRICE, TICK, collected, refund_request

from airport_payments.core.announcements import Deliver
from airport_payments.core.commands import Command, CreateRefund, ListRefunds
from airport_payments.core.decide import Decision
from airport_payments.core.decide.table import KEY_FORGOTTEN, KEY_LIFETIME
from airport_payments.core.facts import Answer, Delivered, Fact, PortReply
from airport_payments.core.model import BookingStatus, Place
from airport_payments.core.money import Money
from airport_payments.core.refund import RefundState

R = RefundState
# A call that a process has decided on leaves it within this time, or never.
MOST_DELAY = timedelta(minutes=30)
JUMPS = (1, 2, 20, 70, 60 * 12, 60 * 23, 60 * 23 + 45, 60 * 25)
ASKED = [(f"r{n}", amount) for n in range(3) for amount in (None, 10_000, 30_000)]


@dataclass
class Actor:
    """One request or worker in the middle of its loop."""

    asker: Fact
    act: Command
    version: int
    reply: PortReply | None = None


class Refunds(RuleBasedStateMachine):
    policy = POLICY

    def __init__(self) -> None:
        super().__init__()
        self.driver = collected(self.policy)
        self.stripe = TrueRefunds()
        self.actors: list[Actor] = []
        self.sent: dict[str, dict[str, CreateRefund]] = {}  # by our ref, then by key
        self.listed_at: datetime | None = None
        self.ends: dict[str, R] = {}

    # ---- the loop, in steps that others can come between ----

    def go_on(self, asker: Fact, decision: Decision) -> None:
        for _ in range(200):
            act = decision.act
            if act is None:
                return
            if not isinstance(act, Deliver):
                if isinstance(act, CreateRefund):
                    assert act in self.driver.effects, "rule 1: performed before it was saved"
                self.actors.append(Actor(asker, act, self.driver.snapshot.ledger.version))
                return
            self.driver.heard.append(act.announcement)
            decision = self.driver.feed(Delivered(act.announcement.sequence, act.subscriber, TICK))
        raise AssertionError("a loop without an end")

    def start(self, asker: Fact) -> None:
        self.go_on(asker, self.driver.feed(asker))

    def send(self, actor: Actor, fate: str) -> None:
        command, now = actor.act, self.driver.now
        if isinstance(command, CreateRefund):
            assert now - command.first_sent_at < KEY_LIFETIME + MOST_DELAY, "rule 9: a key past its hours"
            keys = self.sent.setdefault(command.ref, {})
            same = keys.setdefault(command.key, command)
            assert (same.amount_minor, same.intent_id) == (command.amount_minor, command.intent_id), "recomputed"
            for other in keys.values():
                if other.key != command.key and other.first_sent_at < command.first_sent_at:
                    assert command.first_sent_at - other.first_sent_at >= KEY_FORGOTTEN, "two keys that both count"
                    assert self.listed_at is not None, "another key before it was looked for"
                    assert self.listed_at > other.first_sent_at, "another key before it was looked for"
        elif fate in {"ok", "invalid"} and isinstance(command, ListRefunds):
            self.listed_at = now
        actor.reply = self.stripe.call(command, now, fate)

    def receive(self, actor: Actor) -> None:
        self.actors.remove(actor)
        self.go_on(actor.asker, self.driver.feed(Answer(actor.act, actor.reply, actor.version, actor.asker)))

    def to_the_end(self, asker: Fact, fate: str = "ok") -> None:
        known = len(self.actors)
        self.start(asker)
        for _ in range(50):
            if len(self.actors) == known:
                return
            if self.actors[-1].reply is None:
                self.send(self.actors[-1], fate)
            self.receive(self.actors[-1])
        raise AssertionError("calls without an end")

    # ---- what can happen ----

    @rule(asked=st.sampled_from(ASKED))
    def somebody_asks(self, asked: tuple[str, int | None]) -> None:
        self.start(self.asked(asked))

    @rule(asked=st.sampled_from(ASKED), fate=st.sampled_from(FATES))
    def somebody_asks_and_waits(self, asked: tuple[str, int | None], fate: str) -> None:
        self.to_the_end(self.asked(asked), fate)

    def asked(self, asked: tuple[str, int | None]) -> Fact:
        request, amount = asked
        return refund_request(None if amount is None else Money(amount, "usd"), request)

    @rule()
    def worker_ticks(self) -> None:
        self.start(TICK)

    @rule()
    def worker_ticks_and_all_goes_well(self) -> None:
        self.to_the_end(TICK)

    @rule(amount=st.sampled_from([10_000, 30_000, PRICE.amount_minor]))
    def dashboard_refunds(self, amount: int) -> None:
        self.stripe.dashboard(amount)

    @rule(pending=st.booleans())
    def stripe_makes_them_pending(self, pending: bool) -> None:
        self.stripe.pending_next = pending

    @precondition(lambda self: self.stripe.refunds)
    @rule(data=st.data(), choice=st.integers(0, 3))
    def a_refund_goes_on(self, data, choice: int) -> None:
        self.stripe.move(data.draw(st.sampled_from(sorted(self.stripe.refunds))), choice)

    @precondition(lambda self: self.stripe.events)
    @rule(data=st.data())
    def event_arrives(self, data) -> None:
        self.driver.refund_event(data.draw(st.sampled_from(self.stripe.events)))

    @precondition(lambda self: self.stripe.hints)
    @rule(data=st.data())
    def hint_arrives(self, data) -> None:
        self.driver.hint(data.draw(st.sampled_from(self.stripe.hints)))

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

    @rule(minutes=st.sampled_from(JUMPS))
    def time_passes(self, minutes: int) -> None:
        self.driver.now += timedelta(minutes=minutes)
        if timedelta(minutes=minutes) > MOST_DELAY:
            # What was not sent by now never is; an answer may still come, from a process that hung.
            self.actors = [a for a in self.actors if a.reply is not None]
            self.stripe.limbo.clear()

    # ---- what must always hold ----

    @invariant()
    def s11_each_refund_of_ours_is_made_once(self) -> None:
        refs = [r.ref for r in self.stripe.refunds.values() if r.ref is not None]
        assert len(refs) == len(set(refs)), "S11: one refund, made twice"

    @invariant()
    def one_refund_per_request(self) -> None:
        requests = [r.request[0] for r in self.driver.refunds if r.request is not None]
        assert len(requests) == len(set(requests))

    @invariant()
    def s8_ends_are_ends(self) -> None:
        for refund in self.driver.refunds:
            if refund.refund_id and refund.state in {R.FAILED, R.CANCELED}:
                assert self.ends.setdefault(refund.refund_id, refund.state) is refund.state
            else:
                assert refund.refund_id not in self.ends, "S8: it came back"

    @invariant()
    def what_went_back_whole_waits_for_nobody(self) -> None:
        payment = self.driver.payment
        assert (payment.place is Place.REVIEW) == (payment.review is not None)

    # ---- the end: faults stop and everything drains ----

    def teardown(self) -> None:
        for actor in list(self.actors):
            if actor.reply is None:
                self.send(actor, "ok")
            self.receive(actor)
        self.drain()
        for seen in reversed(self.stripe.events):
            self.driver.refund_event(seen)
        if self.stripe.hints:
            self.driver.hint(self.stripe.standing_minor)
        self.drain()
        self.check_end()
        before = self.driver.snapshot
        for seen in self.stripe.events:
            assert self.driver.refund_event(seen).change is None, "rule 8: old news has an effect"
        assert self.driver.snapshot == before

    def drain(self) -> None:
        for _ in range(300):
            self.to_the_end(TICK)
            while self.actors:
                if self.actors[0].reply is None:
                    self.send(self.actors[0], "ok")
                self.receive(self.actors[0])
            due = self.driver.due_at
            if due is None:
                return
            self.driver.now = max(self.driver.now, due)
        raise AssertionError(f"it is never done: {self.driver.effects} {self.driver.payment}")

    def check_end(self) -> None:
        payment, true = self.driver.payment, self.stripe.refunds
        ours = {r.refund_id: r for r in payment.refunds if r.refund_id is not None}
        assert {i: (r.amount_minor, r.state) for i, r in ours.items()} == {
            i: (v.amount.amount_minor, v.state) for i, v in true.items()
        }, "L6: our tables and Stripe's differ"
        assert not self.driver.effects, "L4"
        assert not [r for r in payment.refunds if r.state is R.REQUESTED], "L4"
        assert payment.rest_minor == PRICE.amount_minor - self.stripe.standing_minor >= 0
        assert self.driver.announced.count("PaymentRefunded") <= sum(
            v.state in {R.SUCCEEDED, R.FAILED} for v in true.values()
        )
        self.check_obligation()

    def check_obligation(self) -> None:
        """Rule 7: after a full refund cancelled the booking, what came back of it is in review."""
        payment, status = self.driver.payment, self.driver.booking.status
        assert (status is BookingStatus.CANCELLED) == (self.driver.cancellations == 1)
        if status is BookingStatus.CANCELLED:
            assert payment.place is (Place.REFUNDED if payment.rest_minor == 0 else Place.REVIEW)
        else:
            assert payment.place is Place.ATTACHED
            assert payment.rest_minor > 0


class RefundsThatLeaveTheBooking(Refunds):
    """The same, where a full refund does not cancel the booking."""

    policy = replace(POLICY, refund_cancels_booking=False)

    def check_obligation(self) -> None:
        assert (self.driver.payment.place, self.driver.booking.status) == (Place.ATTACHED, BookingStatus.CONFIRMED)


@pytest.mark.parametrize(("machine", "number"), [(Refunds, 120), (RefundsThatLeaveTheBooking, 40)])
def test_refunds_end_as_stripe_has_them_in_any_order_of_events(machine, number) -> None:
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
