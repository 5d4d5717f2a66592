"""What a team tells the suite of its database."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, TypeAlias

from airport_payments.core.model import Booking
from airport_payments.core.money import MAX_AMOUNT_MINOR, Money
from airport_payments.repository import AsyncBookingRepository, BookingRepository

AnyRepository: TypeAlias = BookingRepository | AsyncBookingRepository
Opening: TypeAlias = AbstractContextManager[AnyRepository] | AbstractAsyncContextManager[AnyRepository]

DISTANT = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


class Harness(ABC):
    """Your database, as the suite uses it. Return one from a fixture called `harness`; its tables begin empty.

    Three methods have to be written. Any of them may be async, whatever the colour of the repository. They are called from
    several threads, so each opens what it needs.

    Attributes:
        prices: what bookings cost: a price, another amount, and another currency. Two, if your table knows one currency.
        holds: whether your table says until when a booking is held.
    """

    prices: ClassVar[Sequence[Money]] = (Money(45099, "usd"), Money(39900, "usd"), Money(45099, "eur"))
    holds: ClassVar[bool] = True

    @abstractmethod
    def repository(self) -> Opening:
        """Open a repository on the test's database, as `@contextmanager` or `@asynccontextmanager`, and close it after it.

        It is called several times in a test. Each repository has connections of its own, as if in a process of its own. One
        that keeps everything in memory is the same each time.
        """

    @abstractmethod
    def write_booking(self, booking: Booking) -> object:
        """Insert the booking's row into your table, or change it, as your own code would, and commit."""

    @abstractmethod
    def read_booking(self, booking_id: str) -> object:
        """Return the `Booking` that your row says, read by your own code and not by the repository; None without a row."""

    def booking_id(self, number: int) -> str:
        """Return the id of the test's booking of that number (1 to 999). Ids ascend with the numbers, as texts."""
        return f"bk_{number:03}"

    def owner(self, number: int) -> str:
        """Return the id of a customer, another one for each number (1 or 2)."""
        return f"cust_{number}"

    def unsorted_ids(self) -> Sequence[str]:
        """Return ids that a database may sort in another order than Python: capitals, digits, signs."""
        return ("b", "a", "B", "a1", "A", "~", "10", "9", "a:b", "a@b", "a-b")

    def limits(self) -> Sequence[Booking]:
        """Return bookings at the limits of your table. Override it where yours holds less than these."""
        owner, price = self.owner(1), self.prices[0]
        code = price.currency
        strange = "Zoë ✈ \U0001f6eb ' \" ; -- %s %(x)s $1 :y \\ é"
        made = [
            Booking("z" * 128, strange, Money(MAX_AMOUNT_MINOR, code)),
            Booking("azAZ09._~:@-", owner, Money(0, code)),
            *(Booking(f"cents_{n}", owner, Money(n, code)) for n in (1, 29, 115, 435, 1001, 999_999_999_999)),
        ]
        if self.holds:
            early = datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
            summer = datetime(2026, 7, 1, 0, 30, 0, 1, tzinfo=UTC)
            made += [Booking(f"held_{n}", owner, price, hold_until=at) for n, at in enumerate((early, summer, DISTANT))]
        return made

    def code(self) -> Sequence[Path]:
        """Return the files or folders whose lines are the steps of a `save`, where the crashes are put.

        Without any it is the folder of the repository's class, and of those that it is derived from.
        """
        return ()
