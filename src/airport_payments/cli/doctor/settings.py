"""Checks of the settings: keys, mode, webhook secrets."""

import re
from collections.abc import Iterator
from typing import Final

from airport_payments.cli.doctor.finding import Finding, ok, problem, warning
from airport_payments.cli.output import plural
from airport_payments.core.errors import ConfigurationError
from airport_payments.settings import STRIPE_API_BASE, StripeSettings

_KIND: Final = re.compile(r"(?:sk_org|sk|rk)_(?:test|live)_")
_KEYS: Final = "https://dashboard.stripe.com/apikeys"


def unusable(error: ConfigurationError) -> Finding:
    """Return the finding for settings that a gateway would refuse."""
    return problem(
        "settings.valid",
        str(error),
        "Without it no gateway is built, and the service does not start.",
        "Put it right in the environment, then run doctor again.",
    )


def check_settings(settings: StripeSettings) -> Iterator[Finding]:
    """Check what can be seen without asking anybody."""
    found = _KIND.match(settings.key.reveal())
    prefix = found[0] if found else ""  # it says kind and mode, and nothing of the key
    mode = "live mode" if settings.livemode else "test mode"
    if prefix.startswith("rk_"):
        yield ok("settings.key", f"a restricted key of {mode} ({prefix}…)")
    elif settings.livemode:
        yield warning(
            "settings.key",
            f"a secret key of {mode} ({prefix}…), which may do everything",
            "Whoever gets hold of it can pay your balance out to themselves.",
            f"Make a restricted key (rk_live_…): write PaymentIntents and Refunds, read Disputes, Events and Webhook "
            f"Endpoints. {_KEYS}",
        )
    else:
        yield ok("settings.key", f"a secret key of {mode} ({prefix}…)")
    yield from _secrets(settings)
    if settings.api_base != STRIPE_API_BASE:
        yield warning(
            "settings.api_base",
            f"Stripe is asked at {settings.api_base}, not at {STRIPE_API_BASE}",
            "Key and payments go to that machine. For a fake or a test peer that is right.",
            "In production take STRIPE_API_BASE out of the environment.",
        )


def _secrets(settings: StripeSettings) -> Iterator[Finding]:
    secrets = settings.secrets
    if len(set(secrets)) < len(secrets):
        yield warning(
            "settings.webhook_secrets",
            "one webhook secret is there twice",
            "Then the one that you meant is likely missing, and its endpoint's events are refused.",
            "Compare STRIPE_WEBHOOK_SECRET with the secrets of your endpoints in the dashboard.",
        )
    else:
        yield ok("settings.webhook_secrets", f"{plural(len(secrets), 'webhook secret')}, whole as far as can be seen")
