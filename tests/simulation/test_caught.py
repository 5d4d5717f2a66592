"""The simulator's own proof: a rule taken away from our code is noticed within a stated number of seeds, by its own name."""

import ast
import re
from pathlib import Path

import pytest
import tests.simulation.mutants
import tests.simulation.mutants_checks
import tests.simulation.mutants_money
import tests.simulation.mutants_said
import tests.simulation.mutants_ways  # noqa: F401 - and these
from tests.simulation.mutant import MUTANTS, SEEDS
from tests.simulation.world import simulate

# For each rule of the judge a fault that breaks this one before any other: a rule that nothing breaks may well look nowhere.
PROOF = {
    "S1": "a_paid_booking_that_was_reopened_is_confirmed_again",
    "S2": "a_cancelled_booking_is_confirmed",
    "S3": "money_that_confirms_nothing_is_forgotten",
    "S4": "a_second_payable_intent_is_opened",
    "S5": "an_unanswered_create_is_saved_anew_with_another_key",
    "S6": "an_event_is_acknowledged_before_it_is_saved",
    "S7": "the_same_failure_is_announced_each_time",
    "S8": "an_old_state_of_a_dispute_is_applied",
    "S9": "signatures_are_not_verified",
    "S10": "anyone_may_ask_for_any_booking",
    "S11": "more_is_given_back_than_is_left",
    "S12": "a_secret_shows_itself",
    "S13": "a_repriced_booking_keeps_its_old_intent",
    "L1": "a_full_refund_forgets_the_booking",
    "L2": "a_released_authorisation_still_pays_its_booking",
    "L3": "a_pending_refund_is_not_looked_at",
    "L4": "a_stored_500_is_repeated_for_ever",
    "L5": "an_announcement_counts_as_delivered_when_its_handler_raised",
    "L6": "a_dry_run_of_reconcile_writes",
    "rule 1": "it_acts_before_it_commits",
    "rule 2": "a_save_overwrites_whatever_is_there",
    "rule 3": "money_in_review_lets_a_new_attempt_open",
    "rule 4": "any_amount_that_a_client_sends_is_taken",
    "rule 5": "an_answer_to_an_old_version_tells_the_status",
    "rule 9": "a_key_is_sent_after_23_hours",
    "one try": "a_declined_saved_card_is_tried_again",
    "contract": "an_answer_does_not_say_when_to_try_again",
    "attention": "disputes_wait_for_nobody",
}
# The invariants of the design. The last one, the same trace from the same seed, is looked at by tests of its own.
DESIGN = {f"S{number}" for number in range(1, 14)} | {f"L{number}" for number in range(1, 7)}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_rule_taken_away_is_noticed(name: str) -> None:
    # The rare ones are counted from near a seed that is known to notice: `--mutants` counts all of them from 0.
    mutant = MUTANTS[name]
    found = mutant.caught(mutant.near)
    assert found is not None, f"not noticed within {SEEDS} seeds"
    assert found.violation is not None
    for rule, proof in PROOF.items():
        assert proof != name or found.violation.rule == rule, found.violation


def test_each_rule_of_the_judge_is_seen_to_break() -> None:
    written = set()
    for path in Path(__file__).parent.glob("*.py"):
        if path != Path(__file__):
            texts = (
                node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant)
            )
            written |= {
                t
                for t in texts
                if isinstance(t, str) and re.fullmatch(r"[SL]\d+|rule \d+|contract|one try|attention", t)
            }
    assert written == set(PROOF)
    assert set(PROOF) >= DESIGN
    assert set(MUTANTS) >= set(PROOF.values())


@pytest.mark.parametrize(
    ("name", "rule", "near"),
    [
        ("an_answer_to_an_old_version_tells_the_status", "rule 5", 410),
        ("a_key_is_sent_after_23_hours", "rule 9", 0),
        ("a_declined_saved_card_is_tried_again", "one try", 0),
    ],
)
def test_what_is_seen_at_the_network_is_judged_through_stripe_python_too(name: str, rule: str, near: int) -> None:
    with MUTANTS[name].alive():
        runs = (simulate(seed, real=True, keep_trace=False) for seed in range(near, near + SEEDS))
        found = next(run.violation for run in runs if run.violation is not None)
    assert found.rule == rule
