"""The team's own bookings table: every type that fits, nothing that does not, and rows that make no sense."""

import asyncio
import enum
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import (
    CHAR,
    BigInteger,
    Column,
    DateTime,
    Double,
    Enum,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
    create_engine,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tests.postgres import Schema
from tests.storage.builders import LATER, NOW, change, line, opening, paying, payment
from tests.storage.stores import load

from airport_payments.core.errors import ConfigurationError, InternalError
from airport_payments.core.model import Booking, BookingStatus, Ledger, Snapshot
from airport_payments.core.money import Money
from airport_payments.storage.sqlalchemy import (
    AsyncSqlAlchemyBookingRepository,
    BookingTable,
    SqlAlchemyBookingRepository,
    UnreadableBooking,
)

PENDING, CONFIRMED, CANCELLED = BookingStatus
WORDS = {"pending": "pending", "confirmed": "confirmed", "cancelled": "cancelled"}
HELD = datetime(2026, 7, 1, 10, 30, tzinfo=UTC)


class State(enum.Enum):
    OPEN = "o"
    QUOTED = "q"
    PAID = "p"
    FLOWN = "f"
    GONE = "g"


STATES = {"pending": [State.OPEN, State.QUOTED], "confirmed": [State.PAID, State.FLOWN], "cancelled": State.GONE}
# What a column may be: its type, a booking's value in it, and the same as the library says it.
IDS = {
    "string": (String(20), "bk_1", "bk_1"),
    "text": (Text(), "bk_1", "bk_1"),
    "collated": (String(20).with_variant(String(20, collation="POSIX"), "postgresql"), "Bk_1", "Bk_1"),
    "char": (CHAR(12), "bk_1", "bk_1"),
    "integer": (Integer(), 41, "41"),
    "bigint": (BigInteger(), 2**62, str(2**62)),
    "uuid": (Uuid(), uuid.UUID(int=7), str(uuid.UUID(int=7))),
    "uuid-text": (Uuid(as_uuid=False), str(uuid.UUID(int=8)), str(uuid.UUID(int=8))),
    "uuid-char": (Uuid(native_uuid=False), uuid.UUID(int=9), str(uuid.UUID(int=9))),
}
PRICES = {
    "minor": (BigInteger(), 45099),
    "small": (Integer(), 45099),
    "major": (Numeric(12, 2), Decimal("450.99")),
    "any-scale": (Numeric(), Decimal("450.990000")),
    "small-scale": (Numeric(9, 3), Decimal("450.99")),
}
CURRENCIES = {"lower": (String(3), "usd"), "upper": (String(3), "USD"), "char": (CHAR(3), "Usd"),
              "enum": (Enum("USD", "EUR", "JPY", name="currency_code"), "USD")}  # fmt: skip
STATUSES = {
    "words": (String(20), WORDS, {s: s.value for s in BookingStatus}),
    "several": (
        Text(),
        {"pending": ("new", "it's 100% new"), PENDING.CONFIRMED: ["paid"], "cancelled": ["gone", "no show"]},
        {PENDING: "it's 100% new", CONFIRMED: "paid", CANCELLED: "no show"},
    ),
    "numbers": (
        SmallInteger(),
        {"pending": [0, 1], "confirmed": 2, "cancelled": (3, 4)},
        {PENDING: 1, CONFIRMED: 2, CANCELLED: 4},
    ),
    "enum": (Enum(State), STATES, {PENDING: State.QUOTED, CONFIRMED: State.PAID, CANCELLED: State.GONE}),
    "enum-of-text": (
        Enum(State, native_enum=False, values_callable=lambda e: [m.value for m in e]),
        STATES,
        {PENDING: State.QUOTED, CONFIRMED: State.FLOWN, CANCELLED: State.GONE},
    ),
    "enum-of-words": (Enum("a", "b", "c", name="letters"), {"pending": "a", "confirmed": "b", "cancelled": "c"},
                      {PENDING: "a", CONFIRMED: "b", CANCELLED: "c"}),
}  # fmt: skip
HOLDS = {
    "aware": (DateTime(timezone=True), HELD.astimezone(timezone(timedelta(hours=5)))),
    "naive": (DateTime(), HELD.replace(tzinfo=None)),
    "none": (DateTime(timezone=True), None),
    "no-column": (None, None),
}


class Team:
    """A database of a team's, with a table of theirs in it, and our repository on top."""

    def __init__(self, name: str, path: Path, schema: Schema | None) -> None:
        self.runner: asyncio.Runner | None = None
        self.path, self.schema = path, schema
        if schema is None:
            self.engine = create_engine(f"sqlite:///{path / 'team.db'}")
            own: Any = None if name == "sqlite" else create_async_engine(f"sqlite+aiosqlite:///{path / 'team.db'}")
        else:
            self.engine = schema.engine(create_engine, "psycopg")
            own = None if name == "psycopg" else schema.engine(create_async_engine, name.removesuffix("-async"))
        self.own = own or self.engine
        if own is not None:
            self.runner = asyncio.Runner()

    def repository(self, bookings: BookingTable | None, **named: Any) -> Any:
        if self.runner is None:
            return SqlAlchemyBookingRepository(self.own, bookings=bookings, **named)
        repository: Any = AsyncSqlAlchemyBookingRepository(self.own, bookings=bookings, **named)
        run = self.runner.run
        names = [name for name in dir(repository) if not name.startswith("_")]
        sync = {n: lambda *a, _m=getattr(repository, n), **k: run(_m(*a, **k)) for n in names}
        return SimpleNamespace(**sync)

    def add(self, table: Table, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(insert(table).values(**values))

    def row(self, table: Table) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(select(table)).one()

    def change(self, table: Table, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(table).values(**values))

    def close(self) -> None:
        self.engine.dispose()
        if self.runner is not None:
            self.runner.run(self.own.dispose())
            self.runner.close()


# The other two differ in how statements are run, not in what they say.
@pytest.fixture(params=["sqlite", "psycopg", "asyncpg"])
def team(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Team]:
    schema = None if request.param.startswith("sqlite") else request.getfixturevalue("schema")
    made = Team(request.param, tmp_path, schema)
    yield made
    made.close()


def table_of(**types: Any) -> Table:
    columns: dict[str, Any] = {
        "ref": String(20), "customer": String(20), "price": BigInteger(), "money": String(3), "state": String(20),
        "held": DateTime(timezone=True), **types,
    }  # fmt: skip
    given = [Column(n, t, primary_key=n == "ref", autoincrement=False) for n, t in columns.items() if t is not None]
    return Table("flights", MetaData(), *given, Column("remark", Text))


def mapped(table: Table, statuses: Any = WORDS, **named: Any) -> BookingTable:
    held = {"hold_until": "held"} if "held" in table.c else {}
    given = {
        "id": "ref",
        "owner": "customer",
        "amount": "price",
        "currency": "money",
        "status": "state",
        **held,
        **named,
    }
    return BookingTable(table, statuses=statuses, **given)


def works(team: Team, table: Table, bookings: BookingTable, row: dict[str, Any], wanted: Booking, **named: Any) -> None:
    """Read a row, save on it, refuse what does not fit, and confirm it."""
    with team.engine.begin() as connection:
        table.metadata.create_all(connection)
    repository = team.repository(bookings, **named)
    repository.create_tables()
    team.add(table, **row, remark="theirs")
    read = load(repository, wanted.id)
    assert read == Snapshot(wanted, Ledger())
    assert repository.get("bk_none") is None
    for other in (replace(wanted, owner=wanted.owner[:-1] + "5"), replace(wanted, price=Money(100, "usd")),
                  replace(wanted, price=replace(wanted.price, currency="eur")), replace(wanted, status=CANCELLED)):  # fmt: skip
        assert not repository.save(opening(replace(read, booking=other)))
    if wanted.hold_until is not None:
        assert list(repository.due(before=wanted.hold_until, after=None, limit=9)) == [wanted.id]
        assert list(repository.due(before=wanted.hold_until - timedelta(microseconds=1), after=None, limit=9)) == []
        assert list(repository.due(before=wanted.hold_until, after=wanted.id, limit=9)) == []
    assert repository.save(opening(read, "at_1"))
    later = load(repository, wanted.id)
    assert repository.save(change(later, payment("at_1", "pi_1")))
    assert list(repository.due(before=NOW, after=None, limit=9)) == []
    assert repository.find("pi_1") == wanted.id
    before = team.row(table)
    team.change(table, price=row["price"] * 2)
    assert list(repository.due(before=NOW, after=None, limit=9)) == [wanted.id]
    team.change(table, price=row["price"])
    assert list(repository.due(before=NOW, after=None, limit=9)) == []
    assert repository.save(paying(load(repository, wanted.id), "pi_1"))
    now = load(repository, wanted.id)
    assert now.booking == replace(wanted, status=CONFIRMED)
    assert now.ledger.version == 3
    first = bookings.statuses[CONFIRMED][0]
    assert team.row(table)._mapping == {**before._mapping, "state": first}
    assert len(repository.history(wanted.id)) == 2 + 1


def plain_row(**other: Any) -> dict[str, Any]:
    return {
        "ref": "bk_1",
        "customer": "cust_1",
        "price": 45099,
        "money": "usd",
        "state": "pending",
        "held": HELD,
        **other,
    }


BOOKING = Booking("bk_1", "cust_1", Money(45099, "usd"), PENDING, HELD)


@pytest.mark.parametrize("kind", IDS)
def test_ids_and_owners_may_be_of_any_type(team: Team, kind: str) -> None:
    type_, theirs, ours = IDS[kind]
    table = table_of(ref=type_, customer=type_)
    row = plain_row(ref=theirs, customer=theirs)
    works(team, table, mapped(table), row, replace(BOOKING, id=ours, owner=ours))


@pytest.mark.parametrize("kind", PRICES)
def test_amounts_may_be_in_minor_or_major_units(team: Team, kind: str) -> None:
    type_, price = PRICES[kind]
    if team.schema is None and isinstance(type_, Numeric):
        pytest.warns
    table = table_of(price=type_)
    works(team, table, mapped(table), plain_row(price=price), BOOKING)


@pytest.mark.parametrize("kind", CURRENCIES)
def test_currencies_may_be_in_any_case(team: Team, kind: str) -> None:
    type_, money = CURRENCIES[kind]
    table = table_of(money=type_)
    works(team, table, mapped(table), plain_row(money=money), BOOKING)


def test_all_bookings_may_be_in_one_currency(team: Team) -> None:
    table = table_of(money=None)
    row = plain_row()
    del row["money"]
    works(team, table, mapped(table, currency="USD"), row, BOOKING)
    repository = team.repository(mapped(table, currency="usd"))
    assert repository.set_booking_price("bk_1", Money(1, "usd"))
    with pytest.raises(ConfigurationError, match="usd"):
        repository.set_booking_price("bk_1", Money(1, "eur"))


@pytest.mark.parametrize("kind", STATUSES)
def test_statuses_may_be_of_any_type_and_several_for_one(team: Team, kind: str) -> None:
    type_, statuses, examples = STATUSES[kind]
    major = "enum" in kind
    table = table_of(state=type_, price=Numeric(12, 2) if major else BigInteger())
    row = plain_row(state=examples[PENDING], price=Decimal("450.99") if major else 45099)
    bookings = mapped(table, statuses)
    works(team, table, bookings, row, BOOKING)
    repository = team.repository(bookings)
    for status, value in examples.items():
        team.change(table, state=value)
        assert load(repository).booking.status is status


@pytest.mark.parametrize("kind", HOLDS)
def test_holds_may_be_aware_or_utc_or_missing(team: Team, kind: str) -> None:
    type_, held = HOLDS[kind]
    table = table_of(held=type_)
    if team.schema is None and held is not None and held.tzinfo is not None:
        held = held.astimezone(UTC)  # SQLAlchemy leaves the zone out when it writes to SQLite
    row = plain_row(held=held)
    if type_ is None:
        del row["held"]
    works(team, table, mapped(table), row, replace(BOOKING, hold_until=None if held is None else HELD))


@pytest.mark.parametrize(
    ("currency", "major", "minor"),
    [("jpy", "5000", 5000), ("kwd", "1.230", 1230), ("isk", "12", 1200), ("usd", "0.29", 29), ("usd", "1.1", 110)],
)
def test_major_units_are_scaled_by_the_currency(team: Team, currency: str, major: str, minor: int) -> None:
    """Also where `due` compares them in SQL: 1.1 * 100 is not 110 in floats."""
    table = table_of(price=Numeric(12, 3))
    price = Money(minor, currency)
    with team.engine.begin() as connection:
        table.metadata.create_all(connection)
    repository = team.repository(mapped(table))
    repository.create_tables()
    team.add(table, **plain_row(price=Decimal(major), money=currency))
    assert load(repository).booking.price == price
    assert repository.save(change(load(repository), payment("at_1", "pi_1", amount=price)))
    assert list(repository.due(before=NOW, after=None, limit=9)) == []
    team.change(table, price=Decimal(major) + 1)
    assert list(repository.due(before=NOW, after=None, limit=9)) == ["bk_1"]


def test_an_id_has_one_spelling(team: Team) -> None:
    table = table_of(ref=Integer(), customer=Uuid())
    owner = uuid.UUID(int=0xABCDEF << 64)
    with team.engine.begin() as connection:
        table.metadata.create_all(connection)
    repository = team.repository(mapped(table))
    repository.create_tables()
    team.add(table, **plain_row(ref=7, customer=owner))
    read = load(repository, "7")
    for wrong in ("07", "+7", " 7", "7 ", "7.0", "\u0667", "0x7", "-0", "", "x", str(2**63), str(2**31), "9" * 400):
        assert repository.get(wrong) is None
    for spelt in (str(owner).upper(), owner.hex, f"{{{owner}}}", "x"):
        assert not repository.save(opening(replace(read, booking=replace(read.booking, owner=spelt))))
    assert not repository.set_booking_status("07", CANCELLED)
    assert not repository.set_booking_price("x", Money(1, "usd"))
    assert not repository.add_booking(replace(read.booking, id="x"))
    assert repository.add_booking(replace(read.booking, id="8"))
    assert load(repository, "8").booking == replace(read.booking, id="8")
    assert repository.save(opening(read))


def test_a_mapped_class_may_be_given(team: Team) -> None:
    class Base(DeclarativeBase):
        pass

    class Flight(Base):
        __tablename__ = "flights"
        ref: Mapped[int] = mapped_column(primary_key=True)
        customer: Mapped[uuid.UUID]
        price: Mapped[Decimal] = mapped_column(Numeric(10, 2))
        money: Mapped[str]
        state: Mapped[State]
        remark: Mapped[str]

    bookings = BookingTable(
        Flight.__table__, id=Flight.ref, owner=Flight.customer, amount=Flight.price, currency=Flight.money,
        status=Flight.state, statuses=STATES,
    )  # fmt: skip
    row = plain_row(ref=1, customer=uuid.UUID(int=1), price=Decimal("450.99"), state=State.QUOTED)
    del row["held"]
    table: Any = Flight.__table__
    wanted = Booking("1", str(uuid.UUID(int=1)), Money(45099, "usd"))
    works(team, table, bookings, row, wanted)


# ---- where ours are ----


def test_our_tables_have_the_prefix_and_theirs_gets_nothing(team: Team) -> None:
    table = table_of()
    works(team, table, mapped(table), plain_row(), BOOKING, prefix="pay_")
    seen = inspect(team.engine)
    assert set(seen.get_table_names()) == {"flights", "pay_ledgers", "pay_payments", "pay_history"}
    assert {column["name"] for column in seen.get_columns("flights")} == set(table.c.keys())
    assert seen.get_indexes("flights") == []
    assert all(seen.get_foreign_keys(name) == [] for name in seen.get_table_names())


def test_two_repositories_with_two_prefixes_share_a_database(team: Team) -> None:
    table = table_of()
    with team.engine.begin() as connection:
        table.metadata.create_all(connection)
    team.add(table, **plain_row())
    one, two = (team.repository(mapped(table), prefix=prefix) for prefix in ("one_", "two_"))
    for repository in (one, two):
        repository.create_tables()
        assert repository.save(opening(load(repository)))
    assert one.save(change(load(one), lines=[line("one")]))
    assert (load(one).ledger.version, load(two).ledger.version) == (2, 1)


def test_our_tables_may_be_in_another_schema(team: Team) -> None:
    table = table_of()
    if team.schema is None:
        return  # SQLite calls an attached file a schema: see below
    other = f"{team.schema.name}_pay"
    team.schema.run(f"CREATE SCHEMA {other}")
    try:
        works(team, table, mapped(table), plain_row(), BOOKING, schema=other)
        assert inspect(team.engine).get_table_names() == ["flights"]
        assert len(inspect(team.engine).get_table_names(schema=other)) == 3
        default = team.repository(None, schema=other, prefix="own_")
        default.create_tables()
        assert default.add_booking(BOOKING)
        assert default.save(paying(load(default)))
        again = change(load(default), payment("at_2", None), payment("at_3", None))
        assert not default.save(again)
    finally:
        team.schema.run(f"DROP SCHEMA {other} CASCADE")


@pytest.mark.parametrize("prefix", ["", "Pay_", "1_", "pay-", "p" * 41, 'x"; DROP TABLE y'])
def test_a_prefix_that_is_no_plain_name_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="prefix"):
        SqlAlchemyBookingRepository(create_engine("sqlite:///x.db"), prefix=prefix)


# ---- what does not fit ----


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda t: mapped(t, id="nothing"), "no column 'nothing'"),
        (lambda t: mapped(t, amount="float"), "Float.*Numeric"),
        (lambda t: mapped(t, amount="double"), "Float.*Numeric"),
        (lambda t: mapped(t, amount="state"), "amount.*Integer or Numeric"),
        (lambda t: mapped(t, id="held"), "id.*String or Integer or Uuid"),
        (lambda t: mapped(t, owner="letter"), "owner.*String or Integer or Uuid"),
        (lambda t: mapped(t, currency="price"), "currency.*String or Enum"),
        (lambda t: mapped(t, currency="xyz"), "neither a column of flights nor a currency"),
        (lambda t: mapped(t, status="blob"), "status.*String or Integer or Enum"),
        (lambda t: mapped(t, hold_until="price"), "hold_until.*DateTime"),
        (lambda t: mapped(t, {"pending": "a", "confirmed": "b"}), "mean cancelled"),
        (lambda t: mapped(t, {**WORDS, "lost": "l"}), "'lost' is none of"),
        (lambda t: mapped(t, {**WORDS, "pending": []}), "at least one"),
        (lambda t: mapped(t, {**WORDS, "pending": None}), "at least one"),
        (lambda t: mapped(t, {**WORDS, "pending": ["new", "confirmed"]}), "means another"),
        (lambda t: BookingTable(select(t).subquery(), id="ref", owner="customer", amount="price", currency="money",
                                status="state", statuses=WORDS), "Table"),
    ],
)  # fmt: skip
def test_a_mapping_that_does_not_fit_is_refused_when_it_is_made(wrong: Callable[[Table], object], words: str) -> None:
    table = table_of(float=Float(), double=Double(), letter=Enum("a", name="letter"), blob=LargeBinary())
    with pytest.raises(ConfigurationError, match=words):
        wrong(table)


@pytest.mark.parametrize(
    ("type_", "statuses"),
    [(Enum(State), WORDS), (Enum("a", "b", "c", name="abc"), WORDS), (Integer(), WORDS)],
)
def test_statuses_that_the_column_does_not_take_are_refused_at_the_start(type_: Any, statuses: Any) -> None:
    bookings = mapped(table_of(state=type_), statuses)
    for url in ("sqlite:///x.db", "postgresql+psycopg://x/"):
        with pytest.raises(ConfigurationError, match="statuses"):
            SqlAlchemyBookingRepository(create_engine(url), bookings=bookings)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("state", "zz-unknown", "state.*add it to BookingTable"),
        ("state", None, "state is NULL"),
        ("customer", None, "customer is NULL"),
        ("price", None, "price is NULL"),
        ("money", None, "money is NULL"),
        ("price", Decimal("450.995"), "price.*not exact in USD"),
        ("price", Decimal(-1), "price.*not between"),
        ("money", "zzz", "price.*not a currency"),
    ],
)
def test_a_row_that_makes_no_sense_is_a_typed_error_that_says_what_to_change(
    team: Team, column: str, value: object, words: str
) -> None:
    table = table_of(price=Numeric(12, 3))
    with team.engine.begin() as connection:
        table.metadata.create_all(connection)
    repository = team.repository(mapped(table))
    repository.create_tables()
    team.add(table, **{**plain_row(price=Decimal("450.99"), customer="zz-customer"), column: value})
    with pytest.raises(UnreadableBooking, match=words) as caught:
        repository.get("bk_1")
    assert isinstance(caught.value, InternalError)
    assert caught.value.__cause__ is None
    assert not {"zz-unknown", "zz-customer", "450.995", "zzz"} & set(str(caught.value).replace("'", " ").split())


def test_sqlite_gives_back_no_float_that_is_not_exact(tmp_path: Path) -> None:
    table = table_of(price=Numeric(12, 2))
    team = Team("sqlite", tmp_path, None)
    with team.engine.begin() as connection:
        table.metadata.create_all(connection)
    repository = team.repository(mapped(table))
    repository.create_tables()
    with closing(sqlite3.connect(tmp_path / "team.db")) as connection, connection:
        connection.execute(
            "INSERT INTO flights (ref, customer, price, money, state) VALUES ('bk_1', 'c', 0.1 + 0.2, 'usd', 'pending')"
        )
    connection.close()
    with pytest.raises(UnreadableBooking, match="not exact"):
        repository.get("bk_1")
    team.close()


def test_a_teams_column_called_state_is_not_taken_for_ours(team: Team) -> None:
    """`due` joins their table to ours, which has columns of these names too."""
    table = Table(
        "flights", MetaData(), Column("booking_id", String(20), primary_key=True), Column("attempt_id", Text),
        Column("state", String(20)), Column("currency", String(3)), Column("amount_minor", BigInteger),
        Column("version", Integer), Column("remark", Text),
    )  # fmt: skip
    bookings = BookingTable(table, id="booking_id", owner="attempt_id", amount="amount_minor", currency="currency",
                            status="state", statuses=WORDS)  # fmt: skip
    with team.engine.begin() as connection:
        table.metadata.create_all(connection)
    repository = team.repository(bookings)
    repository.create_tables()
    team.add(table, booking_id="bk_1", attempt_id="cust_1", state="pending", currency="usd", amount_minor=45099)
    assert repository.save(change(load(repository), payment(), due=LATER))
    assert list(repository.due(before=NOW, after=None, limit=9)) == []
    team.change(table, state="cancelled")
    assert list(repository.due(before=NOW, after=None, limit=9)) == ["bk_1"]
