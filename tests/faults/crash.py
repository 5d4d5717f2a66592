"""Kills the processes of a service again and again, and judges what is left."""

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.faults.books import Books, Broken
from tests.faults.town import Town

BOOKINGS_EACH = 6  # customers who come between two kills
SOONEST, LATEST = 1, 90  # how many answers of the service there are between two kills


@dataclass
class Report:
    """What a run did."""

    kills: int
    bookings: int
    events: int
    deliveries: int
    unanswered: int
    acknowledged: int

    def line(self) -> str:
        return (
            f"{self.kills} kills, {self.bookings} bookings, {self.events} events in {self.deliveries} deliveries,"
            f" {self.unanswered} of them without an answer, {self.acknowledged} answered 2xx and found in the tables"
        )


def crash(
    server: str, where: str, folder: Path, *, seed: int, kills: int, say: Callable[[str], object] = lambda _: None
) -> Report:
    """Kill so many times. Raises `Broken` with the seed in its words if something does not hold."""
    town = Town(server, where, folder, seed)
    books = Books(town)
    dice = random.Random(seed)
    found = 0
    try:
        with town.running():
            for number in range(kills):
                town.let_book(BOOKINGS_EACH)
                town.wait_for(dice.randint(SOONEST, LATEST))
                time.sleep(dice.uniform(0.0, 0.005))
                town.kill()
                found += books.acknowledged()
                town.pass_time(20)
                assert not town.problems, town.problems
                if (number + 1) % 20 == 0:
                    say(f"{number + 1} kills, {len(town.stories)} bookings, {len(town.tries)} deliveries")
            town.drain()
            town.close_shop()
            found += books.acknowledged()
            books.settled()
    except (AssertionError, TimeoutError) as error:
        raise Broken(f"seed {seed}, {server}, {kills} kills: {error}\n{town.log()}") from error
    unanswered = sum(one.status is None for one in town.tries)
    return Report(kills, len(town.stories), len(town.fake.events), len(town.tries), unanswered, found)


def any_seed() -> int:
    return int.from_bytes(os.urandom(4))
