"""The simulator's own proof: a rule taken away from our code is noticed within a stated number of seeds."""

import pytest
import tests.simulation.mutants
import tests.simulation.mutants_money
import tests.simulation.mutants_ways  # noqa: F401 - and these two
from tests.simulation.mutant import MUTANTS, SEEDS


@pytest.mark.parametrize("name", MUTANTS)
def test_a_rule_taken_away_is_noticed(name: str) -> None:
    # The rare ones are counted from near a seed that is known to notice: `--mutants` counts all of them from 0.
    mutant = MUTANTS[name]
    assert mutant.caught(mutant.near) is not None, f"not noticed within {SEEDS} seeds"
