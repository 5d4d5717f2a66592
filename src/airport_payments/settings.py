"""The settings of a gateway: frozen, and checked when they are built, never later."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from traceback import clear_frames
from typing import Final, Self, TypeVar, cast

from airport_payments.core.errors import ConfigurationError
from airport_payments.core.model import Policy, Surplus
from airport_payments.core.secret import Secret

DEFAULT_NAMESPACE: Final = "airport"
STRIPE_API_BASE: Final = "https://api.stripe.com"
# What `from_env` reads, in the order in which it does.
VARIABLES: Final = (
    "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "STRIPE_PUBLISHABLE_KEY", "STRIPE_ACCOUNT", "STRIPE_CONTEXT",
    "AIRPORT_PAYMENTS_NAMESPACE", "STRIPE_API_BASE",
)  # fmt: skip
# More secrets than this are a mistake: each is tried on every webhook. Stripe keeps two active while one is rolled.
MAX_WEBHOOK_SECRETS: Final = 16

# Where the mode stands in an organisation's key is remembered, not confirmed: its docs say `sk_org` and no more.
_API_KEY = re.compile(r"(?:sk_org|sk|rk)_(?P<mode>test|live)_[A-Za-z0-9_]{4,247}", re.ASCII)
_ACCOUNT = re.compile(r"acct_[A-Za-z0-9_]{1,64}", re.ASCII)
# A path from the key's owner down to the account: no organisation is deeper (docs.stripe.com/context).
_CONTEXT = re.compile(r"acct_[A-Za-z0-9_]{1,64}(?:/acct_[A-Za-z0-9_]{1,64}){0,3}", re.ASCII)
_WEBHOOK_SECRET = re.compile(r"whsec_[A-Za-z0-9+/=_-]{8,247}", re.ASCII)
_PUBLISHABLE_KEY = re.compile(r"pk_(?:test|live)_[A-Za-z0-9_]{4,247}", re.ASCII)
_NAMESPACE = re.compile(r"[A-Za-z0-9._-]{1,40}", re.ASCII)
_API_BASE = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]{1,253}", re.ASCII)
_LOCAL_BASE = re.compile(r"http://(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?", re.ASCII)

T = TypeVar("T")


def _forgetful(kind: type[T]) -> type[T]:
    """Let no error of a constructor keep what that was given: error trackers send the locals of the frames it passed."""
    init: Callable[..., None] = getattr(kind, "__init__")  # noqa: B009 - mypy takes the attribute for another class's

    @wraps(init)
    def guarded(self: object, *args: object, **named: object) -> None:
        try:
            init(self, *args, **named)
        except BaseException as error:
            clear_frames(error.__traceback__)
            raise
        finally:
            del self, args, named

    setattr(kind, "__init__", guarded)  # noqa: B010 - as above
    return kind


@_forgetful
@dataclass(frozen=True, slots=True)
class StripeSettings:
    """How a gateway talks to Stripe. Keys and secrets are held so that no output shows them.

    Args:
        api_key: `sk_…`, `rk_…` (a restricted key is better), or an organisation's `sk_org_…`. It decides between
            live and test mode.
        webhook_secrets: one `whsec_…` or several, while one is being rolled or for several endpoints.
        publishable_key: `pk_…`, for pages that want to be served it; empty if none does.
        stripe_account: the connected account to act for, `acct_…`, sent as `Stripe-Account` with every call; None: the
            key's own.
        stripe_context: the same for organisations, sent as `Stripe-Context`: the account, or a path down to it such as
            `acct_platform/acct_connected`. A key of an organisation (`sk_org_…`) needs it.
        namespace: marks our objects at Stripe. Give each database that shares a Stripe account one of its own.
        api_base: another API host, for a test peer; plain http only to this machine.
        timeout_s: for each of connecting, sending and waiting for an answer, in seconds.
        max_tries: how often one call is sent before the request gives up; the saved command is sent again later.
        tolerance_s: how old, and how far ahead of our clock, a webhook's signature may be, in seconds.
        surplus: what becomes of money that confirms nothing: a second or late payment, a wrong amount. `review` holds it
            until a person calls `resolve`; `refund` gives it back at once.
        refund_cancels_booking: whether a booking whose money all went back is cancelled.
        manual_capture: whether money is only authorised first, and collected by `capture`.
        confirm_at_authorization: whether the authorisation already confirms the booking.

    Raises:
        ConfigurationError: a value is missing or of the wrong kind. The message names the setting, never its value.
    """

    api_key: Secret | str
    webhook_secrets: tuple[Secret | str, ...] | Secret | str
    publishable_key: str = ""
    namespace: str = DEFAULT_NAMESPACE
    api_base: str = STRIPE_API_BASE
    timeout_s: float = 8.0
    max_tries: int = 3
    tolerance_s: int = 300
    surplus: Surplus | str = Surplus.REVIEW
    refund_cancels_booking: bool = True
    manual_capture: bool = False
    confirm_at_authorization: bool = False
    stripe_account: str | None = None
    stripe_context: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "webhook_secrets", tuple(_secret(s) for s in _several(self.webhook_secrets)))
        object.__setattr__(self, "api_key", _secret(self.api_key))
        _check_keys(self.key.reveal(), [s.reveal() for s in self.secrets], self.publishable_key)
        _check_account(self.key.reveal(), self.stripe_account, self.stripe_context)
        if not _fits(_NAMESPACE, self.namespace):
            raise ConfigurationError("namespace: 1 to 40 letters, digits, dots, dashes or underscores")
        _check_api_base(self.api_base)
        if not _between(0.001, self.timeout_s, 80):
            raise ConfigurationError("timeout_s: at least 0.001 and at most 80 seconds")
        if not _between(1, self.max_tries, 10) or self.max_tries % 1:
            raise ConfigurationError("max_tries: a whole number, 1 to 10")
        if not _between(1, self.tolerance_s, 3600):
            raise ConfigurationError("tolerance_s: 1 to 3600 seconds; Stripe advises 300")
        if self.surplus not in tuple(Surplus):
            raise ConfigurationError("surplus: review or refund")
        object.__setattr__(self, "surplus", Surplus(self.surplus))
        for name in ("refund_cancels_booking", "manual_capture", "confirm_at_authorization"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"{name}: True or False")
        if self.confirm_at_authorization and not self.manual_capture:
            raise ConfigurationError("confirm_at_authorization: only with manual_capture=True")

    @property
    def key(self) -> Secret:
        """The API key."""
        return _secret(self.api_key)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The webhook secrets."""
        return tuple(_secret(s) for s in _several(self.webhook_secrets))

    @property
    def livemode(self) -> bool:
        """Whether the API key is a live one."""
        return _mode_of(self.key.reveal()) == "live"

    @property
    def policy(self) -> Policy:
        """What the rules need to know of these settings."""
        return Policy(
            self.namespace,
            self.livemode,
            account=self.stripe_account,
            context=self.stripe_context,
            surplus=Surplus(self.surplus),
            refund_cancels_booking=self.refund_cancels_booking,
            manual_capture=self.manual_capture,
            confirm_at_authorization=self.confirm_at_authorization,
        )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Return the settings that the environment gives.

        Reads `STRIPE_SECRET_KEY`, `STRIPE_WEBHOOK_SECRET` (several: comma-separated), `STRIPE_PUBLISHABLE_KEY`,
        `STRIPE_ACCOUNT`, `STRIPE_CONTEXT`, `STRIPE_API_BASE` and `AIRPORT_PAYMENTS_NAMESPACE`.

        Args:
            environ: a mapping to read instead of `os.environ`.

        Raises:
            ConfigurationError: as for the class; a missing key or secret says which variable to set.
        """
        try:
            return cls._from(os.environ if environ is None else environ)
        except BaseException as error:
            clear_frames(error.__traceback__)
            raise
        finally:
            del environ

    @classmethod
    def _from(cls, env: object) -> Self:
        if not isinstance(env, Mapping):
            raise ConfigurationError("environ: give a mapping from names to texts, such as os.environ")
        variables = cast("Mapping[str, object]", env)
        key, listed, publishable, account, context, namespace, base = (_text(variables, name) for name in VARIABLES)
        secrets = tuple(part.strip() for part in listed.split(",") if part.strip())
        if not key:
            raise ConfigurationError("STRIPE_SECRET_KEY is not set: put your sk_… or rk_… key there")
        if not secrets:
            raise ConfigurationError("STRIPE_WEBHOOK_SECRET is not set: put the endpoint's whsec_… secret there")
        return cls(
            api_key=key,
            webhook_secrets=secrets,
            publishable_key=publishable,
            stripe_account=account or None,
            stripe_context=context or None,
            namespace=namespace or DEFAULT_NAMESPACE,
            api_base=(base or STRIPE_API_BASE).rstrip("/"),
        )


def _text(variables: Mapping[str, object], name: str) -> str:
    value = variables.get(name)
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"{name}: it is no text")
    return value or ""


# What comes out of an environment or a file may be anything; all of these take it as it is, and say what it should be.


def _secret(given: object) -> Secret:
    return given if isinstance(given, Secret) else Secret(given if isinstance(given, str) else "")


def _several(given: object) -> tuple[object, ...]:
    return tuple(cast("list[object]", given)) if isinstance(given, (tuple, list)) else (given,)


def _fits(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _between(least: float, value: object, most: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most


def _check_keys(api_key: str, secrets: list[str], publishable_key: str) -> None:
    """Refuse what is certainly wrong, so that it fails at the start and not at the first customer."""
    if api_key.startswith("pk_"):
        raise ConfigurationError("api_key (STRIPE_SECRET_KEY) holds a publishable key: it has to be sk_… or rk_…")
    if not _API_KEY.fullmatch(api_key):
        raise ConfigurationError(
            "api_key (STRIPE_SECRET_KEY) has to be sk_test_…, sk_live_…, rk_test_… or rk_live_…, "
            "or an organisation's sk_org_test_… or sk_org_live_…"
        )
    if not 1 <= len(secrets) <= MAX_WEBHOOK_SECRETS:
        raise ConfigurationError(f"webhook_secrets (STRIPE_WEBHOOK_SECRET): 1 to {MAX_WEBHOOK_SECRETS} whsec_… secrets")
    for secret in secrets:
        if not _WEBHOOK_SECRET.fullmatch(secret):
            raise ConfigurationError("webhook_secrets (STRIPE_WEBHOOK_SECRET): each has to be a whole whsec_… secret")
    if publishable_key:
        if not _fits(_PUBLISHABLE_KEY, publishable_key):
            raise ConfigurationError("publishable_key (STRIPE_PUBLISHABLE_KEY) has to be pk_test_… or pk_live_…")
        if publishable_key[3:7] != _mode_of(api_key):
            raise ConfigurationError("publishable_key and api_key: one is of live mode, the other of test mode")


def _mode_of(api_key: str) -> str:
    found = _API_KEY.fullmatch(api_key)
    return found["mode"] if found else ""


def _check_account(api_key: str, account: object, context: object) -> None:
    """Refuse accounts that are none, and a key of an organisation that does not say for which of its accounts it asks."""
    if account is not None and not _fits(_ACCOUNT, account):
        raise ConfigurationError("stripe_account (STRIPE_ACCOUNT): the connected account's id, acct_…")
    if context is not None and not _fits(_CONTEXT, context):
        raise ConfigurationError("stripe_context (STRIPE_CONTEXT): an account's id, acct_…, or a path of them with /")
    if account is not None and context is not None:
        # Stripe-Context supersedes Stripe-Account (docs.stripe.com/context); of two, one would be quietly ignored.
        raise ConfigurationError(
            "stripe_account and stripe_context: give one of them; in an organisation, the path acct_platform/acct_connected"
        )
    if api_key.startswith("sk_org_") and context is None:
        raise ConfigurationError(
            "stripe_context (STRIPE_CONTEXT) is not set: a key of an organisation has to say for which account it asks"
        )


def _check_api_base(api_base: str) -> None:
    if not _fits(_API_BASE, api_base):
        raise ConfigurationError("api_base (STRIPE_API_BASE): scheme and host only, such as https://api.stripe.com")
    if api_base.startswith("http:") and not _LOCAL_BASE.fullmatch(api_base):
        raise ConfigurationError(
            "api_base (STRIPE_API_BASE): plain http would show the API key to the network; use https"
        )
