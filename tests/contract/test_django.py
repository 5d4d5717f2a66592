"""What only a project of Django's can get wrong: its transactions, its forgery protection, its migrations, its connections."""

import io

import pytest
from django.core.management import call_command
from django.db import connections, transaction
from django.test.utils import override_settings
from examples.django_app.database import database
from tests import on_django

from airport_payments import Money

from .harness import open_shop

PRICE = Money(45099, "usd")


@pytest.fixture
def shop(tmp_path):
    with open_shop("django", tmp_path) as opened:
        yield opened


def test_the_migrations_make_the_tables_that_the_models_say(shop) -> None:
    said = io.StringIO()
    call_command("makemigrations", "airport", check_changes=True, dry_run=True, stdout=said)
    assert "No changes detected" in said.getvalue()


def test_a_request_in_one_transaction_of_djangos_still_commits_each_save_by_itself(shop, monkeypatch) -> None:
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    shop.book("b-1")
    assert shop.create("b-1").status == 200
    assert shop.status("b-1").json["data"]["paymentStatus"] == "pending"
    assert shop.post("/bookings", {"amount": 1, "currency": "usd"}).status == 201


def test_a_save_inside_a_transaction_of_somebody_elses_is_refused_and_asks_stripe_nothing(shop) -> None:
    """It could be undone after Stripe was asked. So it is not begun."""
    shop.book("b-1")
    with shop.unwritten(), transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        shop.gateway.create_payment("b-1", owner="alice", amount=PRICE)


def test_a_project_with_forgery_protection_takes_webhooks_all_the_same(shop) -> None:
    intent_id = shop.opened("b-1")
    shop.fake.pay(intent_id)
    with override_settings(MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"]):
        shop.app = type(shop.app)(on_django.Module(shop.app.module.payments), [])
        shop.fake.deliver()
        assert shop.create(shop.book("b-2")).status == 200
    assert shop.status("b-1").json["data"]["bookingStatus"] == "confirmed"


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("sqlite:///airport.db", ("sqlite3", "airport.db")),
        ("sqlite:////var/lib/airport.db", ("sqlite3", "/var/lib/airport.db")),
        (
            "postgresql://ann:p%40ss@db.example:6432/air%20port",
            ("postgresql", "air port", "ann", "p@ss", "db.example", 6432),
        ),
        ("postgresql+psycopg://db.example/airport", ("postgresql", "airport", "", "", "db.example", "")),
    ],
)
def test_an_address_of_a_database_is_read_as_the_other_examples_read_it(url, found) -> None:
    read = database(url)
    assert (
        tuple(value for name, value in read.items() if name in {"NAME", "USER", "PASSWORD", "HOST", "PORT"})
        == found[1:]
    )
    assert read["ENGINE"] == f"django.db.backends.{found[0]}"


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(ValueError, match="DATABASE_URL: sqlite"):
        database("mysql://db.example/airport")


def test_on_sqlite_a_commit_is_on_the_disk_and_a_writer_waits_for_its_turn(shop) -> None:
    with connections["default"].cursor() as cursor:
        found = [
            cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert found == ["wal", 2, 1]
    assert connections.settings["default"]["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
