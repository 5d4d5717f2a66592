"""Runs that are forked from a process which has imported everything end as those of an interpreter of their own."""

import os
import sqlite3
from contextlib import closing

import pytest


@pytest.mark.e2e
@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("refund", "--nonsense"), ("refund", "b-1", "--request-id", "r-1"), ("explain", "b-9"), ("doctor",)],
    ids=lambda arguments: arguments[0].strip("-") + f"-{len(arguments)}",
)
def test_a_forked_run_ends_as_one_in_an_interpreter_of_its_own(shop, arguments):
    shop.open("b-1")
    forked, own = shop.run(*arguments), shop.run(*arguments, code="pass")
    assert (forked.code, forked.out, forked.err) == (own.code, own.out, own.err)


@pytest.mark.e2e
def test_a_forked_run_leaves_nothing_to_the_next(shop):
    before = dict(os.environ), os.getcwd()
    assert shop.run("db", "init", env={"DATABASE_URL": "sqlite:///other.db"}).code == 0
    assert shop.run("db", "init").code == 0
    for name in ("other.db", "airport.db"):
        with closing(sqlite3.connect(shop.folder / name)) as database, database:
            assert database.execute("SELECT count(*) FROM airport_bookings").fetchone() == (0,)
    assert (dict(os.environ), os.getcwd()) == before
