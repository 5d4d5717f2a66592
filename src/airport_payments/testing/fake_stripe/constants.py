"""Every limit and every fixed word of the fake, each with its reason."""

from __future__ import annotations

from typing import Final

# The version that stripe-python 16.1.0 pins (its `_api_version.py`).
API_VERSION: Final = "2026-10-28.endive"
DEFAULT_ACCOUNT: Final = "acct_1FakeStripe00000"
# A live key that is plainly made up: all that the fake takes when it plays live mode.
MADE_UP_LIVE_KEY: Final = r"(?:sk|rk|pk)_live_[Ff]ake[A-Za-z0-9_]*"

DAY: Final = 86_400
# Stripe may forget an idempotency key after 24 hours (docs.stripe.com/api/idempotent_requests).
IDEMPOTENCY_KEY_LIFETIME: Final = DAY
IDEMPOTENCY_KEY_MAX_LENGTH: Final = 255
# An authorisation by card on the internet usually holds for 7 days (docs.stripe.com, place a hold).
AUTHORISATION_LIFETIME: Final = 7 * DAY
# How long a "pending" test refund waits, and how long a "succeeded" one until it fails. Stripe only says
# "later"; a minute of the fake's own clock is long enough to be seen and short enough to be skipped.
REFUND_DELAY: Final = 60
# The bank's reference for a refund comes seconds later; how many, nobody recorded.
REFUND_REFERENCE_DELAY: Final = 10
# Until when a customer may name a bank account for a refund. Remembered, not confirmed.
REFUND_ACTION_PERIOD: Final = 45 * DAY
# Stripe's slow test bank accounts take three minutes (docs.stripe.com/testing, SEPA Direct Debit).
BANK_DEBIT_DELAY: Final = 180
# Until the end of which day a dispute can be answered: recorded once at Stripe's sandbox. Real banks differ.
DISPUTE_EVIDENCE_DAYS: Final = 8
# An inquiry that did not become a chargeback is closed then (docs.stripe.com/disputes/how-disputes-work).
INQUIRY_LIFETIME: Final = 120 * DAY
# Card payments become available two days later, in an account of the United States.
AVAILABLE_AFTER: Final = 2 * DAY
# GET /v1/events goes back 30 days (docs.stripe.com/api/events).
EVENT_LIFETIME: Final = 30 * DAY

# docs.stripe.com/metadata
METADATA_MAX_KEYS: Final = 50
METADATA_MAX_KEY_LENGTH: Final = 40
METADATA_MAX_VALUE_LENGTH: Final = 500

DEFAULT_PAGE: Final = 10
MAX_PAGE: Final = 100
MAX_EVENT_TYPES: Final = 20  # in one list (docs.stripe.com/api/events/list)
DEFAULT_THIN_PAGE: Final = 20  # of /v2/core/events; remembered, not confirmed
# Stripe allows expansions four levels deep (docs.stripe.com/expand).
MAX_EXPAND_DEPTH: Final = 4

# Bounds of the fake's own.
MAX_BODY_BYTES: Final = 1 << 18  # fifty values of metadata and all evidence of a dispute fit
MAX_TARGET_LENGTH: Final = 16_384
MAX_PARAMS: Final = 1_000  # pairs in one form
MAX_PARAM_DEPTH: Final = 10  # brackets in one name; Stripe's deepest is six
MAX_OBJECTS: Final = 200_000  # of one kind, in one account; reaching it is an error, never silent loss
MAX_LOG: Final = 10_000  # requests remembered; the oldest are forgotten
MAX_DELIVERY_LOG: Final = 10_000
MAX_DUE_PER_TICK: Final = 10_000  # timers run by one request
MAX_ACCOUNTS: Final = 100
MAX_WEBHOOK_ENDPOINTS: Final = 16  # Stripe's own limit per account
WEBHOOK_TIMEOUT_SECONDS: Final = 10.0  # Stripe's is not published; third parties measured 3 to 30
MAX_DELIVERY_ATTEMPTS: Final = 4  # a sandbox retries three times (docs.stripe.com/webhooks)
FAULT_MAX_DELAY_SECONDS: Final = 30.0

PAGE_PATH: Final = "/_fake/3ds"
STRIPE_PAGES: Final = "https://hooks.stripe.com"
