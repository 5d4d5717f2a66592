"""A service that is killed at random moments loses nothing and does nothing twice. `make crash` does it more often."""

from pathlib import Path

import pytest
from tests.faults.crash import any_seed, crash
from tests.faults.town import SERVERS
from tests.postgres import HURRY, Schema, Server

pytestmark = pytest.mark.e2e
KILLS = 5  # for each of two servers, so ten for each database
WITH_EACH_SERVER = [pytest.param(name, marks=[pytest.mark.thorough] if name == "uvicorn" else []) for name in SERVERS]


@pytest.mark.parametrize("server", WITH_EACH_SERVER)
def test_killed_on_sqlite_nothing_is_lost_or_doubled(server: str, tmp_path: Path) -> None:
    report = crash(server, str(tmp_path / "shop.db"), tmp_path, seed=any_seed(), kills=KILLS)
    assert report.unanswered > 0
    assert report.acknowledged > report.bookings


@pytest.mark.parametrize("server", WITH_EACH_SERVER)
def test_killed_on_postgresql_nothing_is_lost_or_doubled(server: str, tmp_path: Path) -> None:
    with Server(**HURRY) as postgres:
        schema = Schema(postgres.dsn)
        report = crash(server, f"{schema.dsn}#{schema.name}", tmp_path, seed=any_seed(), kills=KILLS)
    assert report.unanswered > 0
    assert report.acknowledged > report.bookings
