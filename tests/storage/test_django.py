"""The Django example in threads, and with connections that break, on PostgreSQL."""

import threading

import httpx
import psycopg
import pytest
from django.db import connections
from tests import on_django
from tests.postgres import Schema

from airport_payments import Booking, Money, PaymentGateway, StorageUnavailable, StripeSettings
from airport_payments.testing import FakeStripe

API_KEY, WEBHOOK_SECRET = "sk_test_of_tests_0000", "whsec_of_tests_000000000000"
PRICE = Money(45099, "usd")

on_django.set_up()
from examples.django_app.repository import DjangoBookingRepository  # noqa: E402 - its models need Django


def test_thirty_two_copies_of_one_event_have_one_effect(postgres_dsn: str) -> None:
    """In threads, as a server has them, each with a connection of its own, on PostgreSQL."""
    schema = Schema(postgres_dsn)
    with on_django.used("copies", on_django.postgresql(schema)):
        on_django.migrate("copies")
        fake = FakeStripe(api_key=API_KEY)
        repository = DjangoBookingRepository("copies")
        gateway = PaymentGateway(
            repository, StripeSettings(API_KEY, WEBHOOK_SECRET), http_client=httpx.Client(transport=fake.transport())
        )
        on_django.put("copies", Booking("b-1", "alice", PRICE))
        fake.pay(gateway.create_payment("b-1", owner="alice", amount=PRICE).payment_intent_id)
        sent: list[tuple[bytes, str]] = []
        fake.send_webhooks_to(lambda body, signature: sent.append((body, signature)) or 200, WEBHOOK_SECRET)
        for event_id in list(fake.events):
            fake.resend(event_id)
        fake.deliver()
        outcomes: list[str] = []

        def deliver() -> None:
            try:
                outcomes.extend(gateway.handle_webhook(*one).value for one in sent)
            finally:
                connections["copies"].close()

        threads = [threading.Thread(target=deliver) for _ in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        confirmed = [line for line in gateway.history("b-1") if "booking confirmed" in line.decision]
        gateway.close()
    schema.drop()
    assert len(outcomes) == 32 * len(sent)
    assert len(confirmed) == 1


def test_a_connection_that_broke_is_replaced_without_a_request_ending(postgres_dsn: str) -> None:
    """A worker has no requests, at whose end Django would look at its connections."""
    schema = Schema(postgres_dsn)
    with on_django.used("broken", on_django.postgresql(schema)):
        on_django.migrate("broken")
        repository = DjangoBookingRepository("broken")
        assert repository.get("b-1") is None
        with connections["broken"].cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (backend,) = cursor.fetchone()
        with psycopg.connect(schema.dsn, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (backend,))
        with pytest.raises(StorageUnavailable):
            repository.get("b-1")
        assert repository.get("b-1") is None
    schema.drop()
