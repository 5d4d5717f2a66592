"""Sets up the Django example once for each process of tests, on databases that the tests name."""

import contextlib
import functools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import django
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connections
from psycopg.conninfo import conninfo_to_dict
from tests.postgres import Schema

from airport_payments import Booking, BookingStatus, Money

NAMELESS = {"DJANGO_SECRET_KEY": "of tests", "DATABASE_URL": "sqlite:///nowhere/never-opened.db"}


def set_up() -> None:
    """Let Django read the example's settings. Doing it again changes nothing."""
    with mock.patch.dict(os.environ, {**NAMELESS, "DJANGO_SETTINGS_MODULE": "examples.django_app.settings"}):
        from django.conf import settings

        settings.configured or settings._setup()
        django.setup()


def use(alias: str, database: dict[str, Any]) -> None:
    """Let an alias be this database, in this thread and in those to come."""
    if alias in connections.settings:
        connections[alias].close()
        del connections[alias]
    # Django fills in what the settings leave out.
    connections.settings[alias] = connections.configure_settings({"default": {}, alias: database})[alias]


@contextlib.contextmanager
def used(alias: str, database: dict[str, Any]) -> Iterator[None]:
    """Let an alias be this database, and let go of its connection in the end."""
    use(alias, database)
    try:
        yield
    finally:
        connections[alias].close()


def postgresql(schema: Schema) -> dict[str, Any]:
    """Return the settings of a schema of its own."""
    given = conninfo_to_dict(schema.dsn)
    known = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    options = {name: value for name, value in given.items() if name not in known.values()}
    options["options"] = f"{options.get('options', '')} -csearch_path={schema.name}"
    settings = {name: str(given.get(key) or "") for name, key in known.items()}
    return {"ENGINE": "django.db.backends.postgresql", **settings, "OPTIONS": options}


def emptied(alias: str) -> None:
    """Empty the example's tables."""
    from examples.django_app import models

    for model in (models.HistoryRow, models.PaymentRow, models.Ledger, models.Booking):
        model.objects.using(alias).all().delete()
    connections[alias].close()


def close() -> None:
    """Let go of this thread's connections."""
    connections.close_all()


@functools.cache
def _template() -> bytes:
    """The example's tables, as a SQLite file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "airport.db"
        with used("template", {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}):
            migrate("template")
        return path.read_bytes()


def copied(alias: str) -> None:
    """Make the example's tables in an alias's SQLite file, unless it has them: quicker than to migrate it."""
    path = Path(connections.settings[alias]["NAME"])
    if not path.exists():
        path.write_bytes(_template())


def put(alias: str, booking: Booking) -> None:
    """Insert a booking, or overwrite it, as the team's own code would."""
    from examples.django_app import models

    price = booking.price
    values = {"owner": booking.owner, "amount_minor": price.amount_minor, "currency": price.currency}
    values |= {"status": booking.status.value, "hold_until": booking.hold_until}
    models.Booking.objects.using(alias).update_or_create(id=booking.id, defaults=values)


class Module:
    """What the tests of the contract use of an example: the app, the gateway, and the team's side of its bookings."""

    def __init__(self, payments: Any) -> None:
        from examples.django_app import models

        self.payments, self.app = payments, get_wsgi_application()
        self.gateway, self.bookings, self.rows = payments.gateway, payments.bookings, models.Booking.objects
        for name in ("add_booking", "set_booking_status", "set_booking_price", "booking"):
            setattr(self.bookings, name, getattr(self, name))

    def add_booking(self, booking: Booking) -> bool:
        """Insert a booking, as the team's own code would."""
        put("default", booking)
        return True

    def set_booking_status(self, booking_id: str, status: BookingStatus) -> bool:
        """Change it behind the gateway's back."""
        return self.rows.filter(pk=booking_id).update(status=status.value) == 1

    def set_booking_price(self, booking_id: str, price: Money) -> bool:
        """Change it behind the gateway's back."""
        return self.rows.filter(pk=booking_id).update(amount_minor=price.amount_minor, currency=price.currency) == 1

    def booking(self, booking_id: str) -> Booking | None:
        """Read it."""
        snapshot = self.bookings.get(booking_id)
        return None if snapshot is None else snapshot.booking


def migrate(alias: str) -> None:
    """Make the example's tables."""
    call_command("migrate", database=alias, verbosity=0)


set_up()
