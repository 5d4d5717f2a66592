"""A pytest suite for the repository that you wrote on your own tables, sync or async.

It needs one fixture:

    class OurDatabase(Harness):
        def __init__(self, dsn): ...

        @contextmanager
        def repository(self):
            with ConnectionPool(self.dsn) as pool:
                yield OurRepository(pool)

        def write_booking(self, booking): ...  # insert or change the row, as your own code would
        def read_booking(self, booking_id): ...

    class TestOurRepository(RepositoryConformance):
        @pytest.fixture
        def harness(self, dsn):
            return OurDatabase(dsn)

Each message of a failure says what to change. No plugin of pytest's is needed, for async repositories neither.
"""

from collections.abc import Generator

import pytest

from airport_payments.testing.repository_conformance.crashing import Crashes
from airport_payments.testing.repository_conformance.dues import Dues
from airport_payments.testing.repository_conformance.gateways import Gateways
from airport_payments.testing.repository_conformance.harness import AnyRepository, Harness, Opening
from airport_payments.testing.repository_conformance.keeping import Keeping
from airport_payments.testing.repository_conformance.limiting import Limits
from airport_payments.testing.repository_conformance.races import Races
from airport_payments.testing.repository_conformance.reading import Reading
from airport_payments.testing.repository_conformance.saving import Saving
from airport_payments.testing.repository_conformance.subject import Subject

__all__ = ["AnyRepository", "Harness", "KeepingConformance", "Opening", "RepositoryConformance"]


class RepositoryConformance(Reading, Saving, Dues, Limits, Crashes, Races, Gateways):
    """What the gateway relies on. Derive a class from it whose name begins with `Test`, with a fixture `harness`.

    The fixture returns a `Harness` whose tables are empty. It may have parameters: then all runs on each of them.
    """

    @pytest.fixture
    def subject(self, harness: Harness) -> Generator[Subject]:
        """Open the repository under test."""
        with Subject(harness) as opened:
            yield opened


class KeepingConformance(RepositoryConformance, Keeping):
    """The same, and what `prune` and `erase_customer` need. Derive from it where yours is a `KeepingRepository`."""
