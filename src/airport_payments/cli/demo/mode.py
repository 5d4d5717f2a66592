"""Whether the demo runs with the fake or with Stripe's test mode: the environment decides."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from airport_payments.cli.command import CommandError, Exit
from airport_payments.core.errors import ConfigurationError
from airport_payments.settings import StripeSettings

VARIABLES: Final = ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "STRIPE_PUBLISHABLE_KEY")
_LIVE: Final = ("sk_live_", "rk_live_", "pk_live_")


@dataclass(frozen=True, slots=True)
class Mode:
    """What the demo talks to.

    Attributes:
        is_fake: the fake, or else Stripe's test mode.
        folder_name: where its bookings are kept. Each Stripe account has its own: intents of one are unknown to another.
    """

    is_fake: bool
    folder_name: str


def choose(environ: Mapping[str, str]) -> Mode:
    """Return the mode that the environment asks for.

    Raises:
        CommandError: a live key, a variable that is missing while another is set, or a value of the wrong kind.
    """
    given = {name: environ[name] for name in VARIABLES if environ.get(name)}
    for name, value in given.items():
        if value.strip().startswith(_LIVE):
            raise CommandError(f"{name} holds a live key. The demo takes test keys only.", Exit.REFUSED)
    if not given:
        return Mode(is_fake=True, folder_name="fake")
    missing = [name for name in VARIABLES if name not in given]
    if missing:
        raise CommandError(
            f"{' and '.join(given)} set, but not {' and '.join(missing)}. Stripe's test mode needs all of "
            f"{', '.join(VARIABLES)}; with none of them the demo uses a fake Stripe.",
            Exit.REFUSED,
        )
    try:
        StripeSettings.from_env({**given, "AIRPORT_PAYMENTS_NAMESPACE": environ.get("AIRPORT_PAYMENTS_NAMESPACE", "")})
    except ConfigurationError as error:
        raise CommandError(str(error), Exit.REFUSED) from None
    account = hashlib.sha256(given["STRIPE_PUBLISHABLE_KEY"].encode()).hexdigest()[:8]
    return Mode(is_fake=False, folder_name=f"stripe-{account}")
