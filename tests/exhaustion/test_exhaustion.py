"""Small worlds, played in every order: `python -m tests.exhaustion` plays all of them with a fault anywhere."""

import logging
from unittest.mock import patch

import pytest
import tests.simulation.mutants  # noqa: F401  # registers them
from tests.exhaustion.explorer import Explorer, Fault, Violation, crashing
from tests.exhaustion.worlds import WORLDS, Shop
from tests.simulation.mutant import MUTANTS


@pytest.fixture(autouse=True)
def _silent():
    """What goes wrong here is meant to."""
    logger = logging.getLogger("airport_payments")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


# The rest is for the command: with a fault anywhere they take minutes.
@pytest.mark.parametrize(
    ("name", "faults"),
    [
        ("cancelled_while_paid", 2),
        ("a_new_price", 1),
        pytest.param("confirm_and_webhook", 1, marks=pytest.mark.thorough),
        pytest.param("two_captures", 0, marks=pytest.mark.thorough),
        pytest.param("two_clients", 0, marks=pytest.mark.thorough),
    ],
)
def test_every_order_keeps_every_promise(name, faults) -> None:
    found = Explorer(lambda: WORLDS[name](faults)).run()
    assert found.states > 50
    assert found.orders >= found.states // 2


@pytest.mark.thorough
def test_two_clients_one_booking_a_webhook_twice_and_one_crash_are_played_in_every_order() -> None:
    """As many states and orders as there are: the docs state both, and another rule or call would change them."""
    found = Explorer(crashing(WORLDS["two_clients"], 1)).run()
    assert (found.states, found.orders) == (10_634, 3_880_684)


@pytest.mark.parametrize("name", ["cancelled_while_paid", pytest.param("a_new_price", marks=pytest.mark.thorough)])
def test_what_is_found_does_not_depend_on_where_it_begins(name) -> None:
    """That is what makes it every order, and not those that came first."""
    there, back = (Explorer(lambda: WORLDS[name](1), backwards=way).run() for way in (False, True))
    assert there == back


def test_the_orders_of_a_world_without_calls_are_as_many_as_can_be_counted_by_hand() -> None:
    """Three that do one thing each can come in 3! orders, through 2**3 states."""

    def world() -> Shop:
        shop = Shop(faults=1)
        for number in range(3):
            shop.actor(f"actor {number}", lambda: None)
        return shop

    found = Explorer(world).run()
    assert (found.states, found.orders, found.longest) == (8, 6, 3)


# Each takes one rule away (`tests/simulation/mutants.py`); the world in which some order then breaks a promise.
CAUGHT = {
    "a_saved_command_gets_a_new_key": ("a_new_price", 0),
    "a_price_that_changed_confirms": ("a_new_price", 0),
    "money_that_confirms_nothing_is_forgotten": ("cancelled_while_paid", 1),
    "an_unanswered_cancellation_is_taken_for_done": ("cancelled_while_paid", 1),
}


@pytest.mark.parametrize("name", CAUGHT)
def test_a_rule_that_is_taken_away_is_missed_in_some_order(name) -> None:
    world, faults = CAUGHT[name]
    with MUTANTS[name].alive(), pytest.raises(Violation) as violation:
        Explorer(lambda: WORLDS[world](faults)).run()
    assert "\n  " in str(violation.value), "a story of who did what"


def test_every_fault_strikes_somewhere() -> None:
    struck = set()
    real = Explorer._follow

    def follow(explorer, world, path, *rest):
        struck.update(fault for _, fault in path)
        return real(explorer, world, path, *rest)

    with patch.object(Explorer, "_follow", follow):
        Explorer(lambda: WORLDS["cancelled_while_paid"](1)).run()
    assert struck == {None, *Fault}
