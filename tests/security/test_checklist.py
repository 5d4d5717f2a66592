"""The security checklist, line by line, and the tests that hold each line: none is missing, and each named test is there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

# One entry for each line. A test is named as its file and its function, or a class's method.
CHECKLIST: dict[str, list[str]] = {
    "forged, wrong secret, tampered by one bit, missing or v0 only: refused with 400, and nothing written": [
        "contract/test_webhooks.py::test_a_webhook_that_stripe_did_not_sign_is_refused",
        "contract/test_webhooks.py::test_a_changed_byte_is_refused",
        "stripe_api/test_signature.py::test_one_flipped_bit_of_the_body_is_refused",
        "stripe_api/test_signature.py::test_another_secret_is_refused",
    ],
    "301 seconds old, or ahead of our clock: both refused": [
        "stripe_api/test_signature.py::test_the_tolerance_has_two_sides",
        "stripe_api/test_signature.py::test_a_tolerance_of_zero_is_no_tolerance_and_not_every_age",
    ],
    "an exact replay within 300 seconds: 200, and no second effect": [
        "contract/test_webhooks.py::test_news_is_applied_once_and_then_unchanged",
    ],
    "a replay long afterwards: how things stand is the guard, not a table of ids": [
        "security/test_attacks.py::test_an_event_that_is_replayed_with_a_fresh_signature_after_months_changes_nothing",
    ],
    "the header's grammar: two v1, two t, blanks, 10,000 parts, no ASCII, underscores, a huge t, over 4 KB": [
        "stripe_api/test_signature.py::test_every_other_header_is_the_one_typed_error",
        "stripe_api/test_signature.py::test_what_stripe_sends_is_accepted",
        "contract/test_webhooks.py::test_a_webhook_that_stripe_did_not_sign_is_refused",
    ],
    "several Stripe-Signature headers: refused": [
        "contract/test_webhooks.py::test_a_webhook_that_stripe_did_not_sign_is_refused",
    ],
    "the body: over 256 KB, no UTF-8, BOM, NaN, duplicate keys, depth, no object; the HMAC over raw bytes comes first": [
        "security/test_attacks.py::test_nothing_of_a_body_is_read_before_its_signature_is_good",
        "security/test_attacks.py::test_a_signed_body_is_an_event_or_the_one_typed_error",
        "contract/test_webhooks.py::test_a_signed_event_with_nan_is_refused",
        "contract/test_sizes.py::test_a_body_over_the_limit_is_refused",
        "contract/test_invalid_requests.py::test_a_body_that_is_no_json_object_is_refused",
    ],
    "secrets that are empty, short, of the wrong kind or of the wrong mode: no start": [
        "stripe_api/test_signature.py::test_no_secret_is_a_configuration_error_and_never_a_signature",
        "stripe_api/test_settings.py::test_what_is_certainly_wrong_is_refused_by_name_and_never_by_value",
        "stripe_api/test_settings.py::test_a_setting_of_the_wrong_kind_is_the_typed_error_and_names_the_setting",
        "contract/test_start.py::test_an_app_refuses_to_start_and_names_the_variable_but_not_its_value",
    ],
    "amounts that are no exact amount of the currency: refused before anything is sent": [
        "core/test_money.py::test_what_is_no_exact_amount_is_refused_with_the_typed_error",
        "core/test_money.py::test_one_digit_too_fine_is_refused_in_every_currency",
        "core/test_money.py::test_minor_units_are_a_whole_number_within_the_limits",
        "contract/test_invalid_requests.py::test_an_amount_that_is_not_exact_or_not_payable_is_refused",
    ],
    "ids that are none, with dots, slashes, line breaks or other letters: refused before the database": [
        "security/test_two_customers.py::test_every_operation_that_takes_a_booking_is_tried_with_malformed_ids",
        "security/test_two_customers.py::test_a_malformed_booking_id_is_refused_by_every_operation_before_the_database",
        "security/test_two_customers.py::test_no_malformed_payment_id_reaches_stripe",
        "gateway/test_principals.py::test_a_malformed_intent_id_is_refused_before_the_database",
        "contract/test_invalid_requests.py::test_a_malformed_booking_id_in_the_path_is_refused",
    ],
    "another customer's booking: on every operation the same answer as for none, and nothing moves": [
        "security/test_two_customers.py::test_every_operation_that_takes_an_owner_is_in_the_matrix",
        "security/test_two_customers.py::test_another_customers_booking_in_any_state_is_no_booking_and_nothing_moves",
        "security/test_two_customers.py::test_every_address_of_the_apps_is_in_the_matrix",
        "security/test_two_customers.py::test_at_every_endpoint_another_customers_booking_answers_as_none_does",
        "gateway/test_principals.py::test_anothers_intent_with_ones_own_booking_is_a_mismatch_like_a_guessed_one",
    ],
    "mass assignment: what a client sends beside the contract is ignored": [
        "security/test_attacks.py::test_what_a_client_sends_beside_the_contract_reaches_neither_stripe_nor_the_booking",
    ],
    "an idempotency key of another customer is another key": [
        "gateway/test_principals.py::test_the_same_idempotency_key_of_two_customers_are_two_keys",
    ],
    "secrets show in nothing: repr, str, logs, tracebacks with locals, pickle, copy, asdict, JSON": [
        "security/test_canaries.py::test_nothing_that_the_gateway_hands_out_shows_a_secret",
        "security/test_canaries.py::test_no_logger_shows_a_secret_at_debug",
        "security/test_canaries.py::test_no_error_shows_a_secret_in_its_arguments_its_causes_or_the_locals_of_our_frames",
        "security/test_canaries.py::test_an_exception_from_below_shows_no_secret_in_any_frame_on_its_way",
        "stripe_api/test_secrecy.py::test_no_log_line_and_no_console_output_shows_a_secret",
    ],
    "signatures are compared in constant time, all of them, as bytes": [
        "security/test_attacks.py::test_compare_digest_decides_and_nothing_else",
        "security/test_attacks.py::test_as_many_comparisons_wherever_the_good_signature_stands",
        "stripe_api/test_signature.py::test_only_compare_digest_compares_signatures_and_only_bytes",
    ],
    "oversized metadata and keys are refused; nobody writes lines of their own into the log": [
        "security/test_attacks.py::test_metadata_and_texts_over_stripes_limits_are_refused_before_anything_is_sent",
        "security/test_attacks.py::test_nothing_that_anyone_sends_starts_a_line_of_its_own_in_the_log",
        "contract/test_invalid_requests.py::test_a_malformed_idempotency_key_is_refused",
    ],
    "the supply chain: hashed pins, pinned actions, trusted publishing, an SBOM, the same build twice": [
        "packaging/test_supply_chain.py::test_every_pin_of_ci_has_a_hash",
        "packaging/test_supply_chain.py::test_the_release_publishes_without_a_stored_token",
        "packaging/test_supply_chain.py::test_every_action_is_pinned_by_its_full_version",
        "packaging/test_build.py::test_the_wheel_has_an_sbom_of_what_comes_along",
        "packaging/test_build.py::test_two_builds_are_the_same_bit_for_bit",
    ],
    "expressions, colliding keys, compressed bodies: bounded time and memory": [
        "security/test_attacks.py::test_no_regular_expression_repeats_a_repeat_without_end",
        "security/test_attacks.py::test_a_body_of_keys_that_all_collide_is_refused_like_any_other",
        "security/test_attacks.py::test_a_compressed_body_is_not_unpacked",
        "fuzz/test_fuzz.py::test_a_hundred_thousand_inputs_meet_typed_errors_only",
    ],
}
LINES = 18


def functions(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)}


def test_the_checklist_is_whole() -> None:
    assert len(CHECKLIST) == LINES


@pytest.mark.parametrize("line", CHECKLIST)
def test_each_line_of_the_checklist_is_held_by_tests_that_are_there(line) -> None:
    assert CHECKLIST[line]
    for test in CHECKLIST[line]:
        file, name = test.split("::")
        assert name in functions(TESTS / file), test
