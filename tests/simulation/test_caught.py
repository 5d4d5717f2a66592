"""The simulator's own proof: a rule taken away from our code is noticed within a stated number of seeds."""

import pytest
from tests.simulation.mutants import MUTANTS
from tests.simulation.world import simulate


@pytest.mark.parametrize("name", MUTANTS)
def test_a_rule_taken_away_is_noticed(name: str) -> None:
    mutant = MUTANTS[name]
    with mutant.alive():
        caught = next((s for s in range(mutant.seeds) if simulate(s, keep_trace=False).violation is not None), None)
    assert caught is not None, f"not noticed within {mutant.seeds} seeds"
