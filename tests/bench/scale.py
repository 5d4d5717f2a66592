"""How a webhook's time grows with the tables, against how the same bare SQL's grows: `python -m tests.bench scale`.

The tables are filled by a statement each, with bookings that are paid and their history. The bare SQL is the hand-written
webhook of the other figures, on the same tables in the same rounds.
"""

import sqlite3
import statistics
import tempfile
from collections.abc import Callable
from contextlib import closing
from typing import Any

from sqlalchemy import create_engine
from tests.bench import webhook, webhook_postgresql
from tests.bench.measure import Figure
from tests.bench.webhook import SECRET, _Ours, _Port, _time
from tests.postgres import Schema, Server

from airport_payments import PaymentGateway, StripeSettings
from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository

SMALL, LARGE = 10_000, 1_000_000
ROUNDS, LINES = 15, 4
AIM = 1.1

BOOKING = "'f-' || n, 'owner', 24900, 'eur', 'confirmed', NULL"
FILL = (
    "INSERT INTO airport_bookings (id, owner, amount_minor, currency, status, hold_until_us) SELECT {booking} FROM {numbers}",
    "INSERT INTO airport_ledgers (booking_id, version, document, due_at_us) SELECT 'f-' || n, {version}, {document}, NULL FROM {numbers}",
    "INSERT INTO airport_payments (booking_id, attempt_id, intent_id, state, amount_minor, currency)"
    " SELECT 'f-' || n, 'a-' || n, 'pi_f' || n, 'closed', 24900, 'eur' FROM {numbers}",
    "INSERT INTO airport_history (booking_id, version, line, at_us, fact, decision, event_id, intent_id)"
    " SELECT 'f-' || n, l, 0, 1767225605000000 + n, 'payment_intent.succeeded', 'paid: booking confirmed', 'evt_' || n, 'pi_f' || n"
    " FROM {numbers}, {lines}",
)  # fmt: skip


def figures(large: int = LARGE) -> list[Figure]:
    """Return a figure for each database: our growth over that of the bare SQL."""
    return [_figure("SQLite", *_sqlite(large), large), _figure("PostgreSQL", *_postgresql(large), large)]


def _figure(name: str, small: list[tuple[float, float]], big: list[tuple[float, float]], large: int) -> Figure:
    # Each round gives ours over the bare SQL's at that size; how that changed is how much more ours has grown.
    before, after = (statistics.median(a / b for a, b in measured) for measured in (small, big))
    grown = [statistics.median(m[i] for m in big) / statistics.median(m[i] for m in small) for i in (0, 1)]
    ratio = after / before
    detail = f"{grown[0]:.2f} times its time, against {grown[1]:.2f}"
    title = f"handle_webhook, {name}, from {SMALL:,} to {large:,} bookings"
    return Figure(title, "growth of the hand-written SQL", ratio, f"≤ {AIM} times its growth", ratio <= AIM, detail)


def _sqlite(large: int) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/scale.db"
        engine = create_engine(f"sqlite:///{path}")
        measure = _measures(engine, lambda: webhook._Handwritten(path, "FULL"))

        def numbers(first: int, last: int) -> str:
            return f"(WITH RECURSIVE s(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM s WHERE n < {last}) SELECT n FROM s)"

        def run(sql: str) -> None:
            with closing(sqlite3.connect(path, isolation_level=None)) as connection, connection:
                connection.execute(sql)
            connection.close()

        lines = f"(WITH RECURSIVE s(l) AS (SELECT 1 UNION ALL SELECT l + 1 FROM s WHERE l < {LINES}) SELECT l FROM s)"
        found = _both(measure, lambda first, last: _fill(run, numbers(first, last), lines), run, large)
        engine.dispose()
        return found


def _postgresql(large: int) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    with Server(max_wal_size="4GB", checkpoint_timeout="30min", shared_buffers="256MB") as server:
        schema = Schema(server.dsn)
        engine = schema.engine(create_engine, "psycopg", pool_size=1, max_overflow=0)
        measure = _measures(engine, lambda: webhook_postgresql._Handwritten(schema))

        def fill(first: int, last: int) -> None:
            _fill(schema.run, f"generate_series({first}, {last}) AS s(n)", f"generate_series(1, {LINES}) AS t(l)")

        found = _both(measure, fill, schema.run, large)
        engine.dispose()
        return found


def _fill(run: Callable[[str], Any], numbers: str, lines: str) -> None:
    document = "'{\"payments\":[' || '{}' || ']}'"  # never read: the filling only makes the tables large
    for sql in FILL:
        run(
            sql.format(
                booking=BOOKING, numbers=numbers, lines=lines, version=LINES, document=f"{document} || '{' ' * 600}'"
            )
        )


def _both(
    measure: Callable[[int], list[tuple[float, float]]],
    fill: Callable[[int, int], None],
    run: Callable[[str], Any],
    large: int,
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    fill(1, SMALL)
    run("ANALYZE")
    small = measure(0)
    fill(SMALL + 1, large)
    run("ANALYZE")
    return small, measure(1000)


def _measures(engine: Any, handwritten: Callable[[], Any]) -> Callable[[int], list[tuple[float, float]]]:
    repository = SqlAlchemyBookingRepository(engine)
    repository.create_tables()
    settings = StripeSettings("sk_test_" + "b" * 24, SECRET)
    gateway = PaymentGateway(repository, settings, port=_Port())
    ours = _Ours(gateway, repository, settings)

    def measure(first: int) -> list[tuple[float, float]]:
        theirs = handwritten()
        found = []
        for number in range(first, first + ROUNDS):
            mine, others = ours.prepare(number * 2), ours.prepare(number * 2 + 1)
            seconds = {}
            for one in (0, 1) if number % 2 else (1, 0):
                handle, deliveries = (gateway.handle_webhook, mine) if one else (theirs.handle, others)
                seconds[one] = _time(handle, deliveries)
            found.append((seconds[1], seconds[0]))
        theirs.close()
        return found[2:]  # the first ones find cold caches

    return measure
