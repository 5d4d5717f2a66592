"""Our own gateway, with its port and its rules, over either side."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airport_payments import CardDeclined, PaymentOptions

from .events import pulled
from .registry import refused, scenario

if TYPE_CHECKING:
    from tests.live.stage import Stage

# The gateway leaves the methods to the dashboard, and some of them redirect.
VISA = {"payment_method": "pm_card_visa", "return_url": "https://example.com/back"}


@scenario
def the_gateway_takes_a_payment(stage: Stage) -> None:
    """Create, pay, confirm, refund."""
    shop = stage.shop()
    intent = shop.create()
    stage.check("asked twice it is one", shop.create() == intent, True)
    stage.check("before", shop.confirm(intent).completed, False)
    stage.post("pay", f"payment_intents/{intent}/confirm", VISA, words={"is": "succeeded"})
    stage.check("after", shop.confirm(intent).completed, True)
    stage.check("the booking", shop.status, "confirmed")
    given = shop.gateway.refund(shop.booking_id, request_id="all")
    stage.check("the refund", given.state.value, "succeeded")
    again = shop.gateway.refund(shop.booking_id, request_id="all")
    stage.check("the same request is one refund", again.refund_id == given.refund_id, True)
    stage.check("the booking in the end", shop.status, "cancelled")


@scenario
def the_gateway_hears_events(stage: Stage) -> None:
    """Events are pulled from the list, signed on this machine, and verified, decided and committed as webhooks are."""
    shop = stage.shop()
    intent = shop.create()
    made = stage.get("retrieve", f"payment_intents/{intent}")
    stage.post(
        "decline",
        f"payment_intents/{intent}/confirm",
        {**VISA, "payment_method": "pm_card_visa_chargeDeclined"},
        status=402,
    )
    stage.post("pay", f"payment_intents/{intent}/confirm", VISA, words={"is": "succeeded"})
    events: dict[str, dict] = {}

    def ask():
        events.update({event["type"]: event for event in pulled(stage, intent, made["created"])})
        return stage.side.line.last

    wanted = {"payment_intent.payment_failed", "payment_intent.succeeded"}
    stage.until("they come", ask, lambda _: wanted <= set(events), seconds=60)
    stage.check("the success", shop.deliver(events["payment_intent.succeeded"]), "applied")
    stage.check("the booking", shop.status, "confirmed")
    stage.check("the success again", shop.deliver(events["payment_intent.succeeded"]), "unchanged")
    late = shop.deliver(events["payment_intent.payment_failed"])
    stage.check("the failure before it, late", late in {"applied", "unchanged"}, True)
    stage.check("the booking stays", shop.status, "confirmed")


@scenario
def the_gateway_finds_what_no_event_told(stage: Stage) -> None:
    """Paid, and nothing heard: reconcile finds it, and finds nothing a second time."""
    shop = stage.shop()
    since = shop.now() - timedelta(minutes=1)
    intent = shop.create()
    stage.post("pay", f"payment_intents/{intent}/confirm", VISA, words={"is": "succeeded"})
    stage.check("before", shop.status, "pending")
    first = shop.gateway.reconcile(since, until=shop.now() + timedelta(minutes=5), dry_run=False)
    stage.check("it found something", len(first.differences) > 0, True)
    stage.check("the booking", shop.status, "confirmed")
    second = shop.gateway.reconcile(since, until=shop.now() + timedelta(minutes=5))
    stage.check("a second time", len(second.differences), 0)


@scenario
def the_gateway_captures(stage: Stage) -> None:
    """Authorise, and collect a part."""
    shop = stage.shop(manual_capture=True)
    intent = shop.create()
    stage.post("pay", f"payment_intents/{intent}/confirm", VISA, words={"is": "requires_capture"})
    stage.check("how it stands", shop.confirm(intent).stripe_status.value, "requires_capture")
    done = shop.gateway.capture(shop.booking_id)
    stage.check("captured", done.received == shop.price, True)
    stage.check("the booking", shop.status, "confirmed")


@scenario
def the_gateway_cancels(stage: Stage) -> None:
    """The PaymentIntent first, then the booking; what was paid meanwhile is held for review."""
    shop = stage.shop()
    intent = shop.create()
    stage.check("outcome", shop.gateway.cancel(shop.booking_id).outcome.value, "cancelled")
    stage.get("the PaymentIntent", f"payment_intents/{intent}", words={"is": "canceled"})
    stage.check("the booking", shop.status, "cancelled")
    other = stage.shop()
    intent = other.create()
    stage.post("pay", f"payment_intents/{intent}/confirm", VISA, words={"is": "succeeded"})
    stage.check("outcome when it was paid", other.gateway.cancel(other.booking_id).outcome.value, "paid")
    stage.check("its booking", other.status, "cancelled")
    (payment,) = other.memory.get(other.booking_id).ledger.payments
    stage.check("its money", payment.place.value, "review")


@scenario
def the_gateway_charges_a_saved_card(stage: Stage) -> None:
    """Off session: one card pays, one wants its owner, one is declined."""
    for card, wanted in (
        ("pm_card_visa", "completed"),
        ("pm_card_authenticationRequired", "authentication_required"),
        ("pm_card_chargeCustomerFail", "card_declined"),
    ):
        shop = stage.shop()
        # No search: it is behind, and this customer is new.
        customer = stage.post(f"customer for {card}", "customers", {})["id"]
        method = stage.post(f"attach {card}", f"payment_methods/{card}/attach", {"customer": customer})["id"]
        options = PaymentOptions(customer_id=customer)
        try:
            done = shop.gateway.charge_saved_card(
                shop.booking_id, owner=shop.owner, amount=shop.price, payment_method_id=method, options=options
            )
            found = "completed" if done.completed else done.failure.code if done.failure else None
        except CardDeclined as error:
            found = error.code
        stage.check(card, found, wanted)


@scenario
def the_gateway_reads_a_refusal(stage: Stage) -> None:
    """A refund beyond what is left at Stripe is refused there, and our tables learn how it stands."""
    shop = stage.shop()
    intent = shop.create()
    stage.post("pay", f"payment_intents/{intent}/confirm", VISA, words={"is": "succeeded"})
    stage.check("paid", shop.confirm(intent).completed, True)
    stage.post("refund behind its back", "refunds", {"payment_intent": intent}, words={"is": "succeeded"})
    try:
        found = shop.gateway.refund(shop.booking_id, request_id="late").state.value
    except Exception as error:
        found = type(error).__name__
    stage.check("what becomes of ours", found, "NothingToRefund")
    words = refused("charge_already_refunded")
    stage.post("refund once more", "refunds", {"payment_intent": intent}, status=400, words=words)
