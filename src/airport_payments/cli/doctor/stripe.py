"""Checks of Stripe: the key, the clock, the account's webhook endpoints."""

from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from airport_payments.cli.doctor.finding import Finding, Level, ok, problem, warning
from airport_payments.cli.events import NEEDED
from airport_payments.cli.output import plural, shown_url
from airport_payments.contract_models import WEBHOOK_PATH
from airport_payments.core.decide.route import DOES, HANDLED
from airport_payments.settings import StripeSettings
from airport_payments.stripe_api.account import READS, Account, Endpoint, Said, pinned_version

# A clock that is kept by NTP is off by far less.
SKEW_S: Final = 10
_DASHBOARD: Final = "https://dashboard.stripe.com/webhooks"


def check_stripe(settings: StripeSettings, account: Account, endpoint: str | None) -> Iterator[Finding]:
    """Check what only Stripe knows.

    Args:
        settings: what the gateway has.
        account: asks Stripe with them.
        endpoint: the id or the address of our endpoint; None to find it by its path.
    """
    first, *others = READS
    said = account.may_read(first)
    yield _answers(said)
    if said.status is None or said.status == 401:
        return  # nothing else would be answered either
    refused = [path for path in others if account.may_read(path).status == 403]
    if refused:
        yield warning(
            "stripe.permissions",
            f"the key may not read {', '.join(path.rpartition('/')[2] for path in refused)}",
            f"The gateway reads them {'; '.join(READS[path] for path in refused)}.",
            "Give the restricted key these permissions in the dashboard: https://dashboard.stripe.com/apikeys",
        )
    elif said.status == 200:
        yield ok("stripe.permissions", "the key may read all that the gateway reads")
    yield _clock(said, settings.tolerance_s)
    yield from check_endpoints(settings, account.endpoints(), endpoint)


def _answers(said: Said[bool]) -> Finding:
    if said.found:
        return ok("stripe.answers", "Stripe answers this key")
    if said.status is None:
        return problem(
            "stripe.answers",
            f"Stripe does not answer: {said.reason}",
            "No payment can be opened and none is confirmed until it does.",
            "Is this machine allowed to connect to it (firewall, proxy, DNS)? See https://status.stripe.com",
        )
    if said.status == 401:
        return problem(
            "stripe.answers",
            "Stripe does not know this key (HTTP 401)",
            "Every call fails: no payment can be opened.",
            "Was it rolled, or is it of another account? Put the present one into STRIPE_SECRET_KEY.",
        )
    if said.status == 403:
        return problem(
            "stripe.answers",
            "the key may not read PaymentIntents (HTTP 403)",
            "The gateway can neither open payments nor look after them.",
            "Give the restricted key write access to PaymentIntents: https://dashboard.stripe.com/apikeys",
        )
    return problem(
        "stripe.answers",
        f"Stripe answered, but not as it should ({said.reason})",
        "The gateway's own calls are likely answered like this too.",
        "Run doctor again in a minute. See https://status.stripe.com",
    )


def _clock(said: Said[bool], tolerance_s: int) -> Finding:
    ahead_s = said.ahead_s
    if ahead_s is None:
        return warning(
            "clock.skew",
            "Stripe's answer had no time to compare with",
            "A clock that is wrong makes every webhook look old or from the future.",
            "Check this machine's clock. If a proxy takes the Date header away, that is why.",
        )
    if abs(ahead_s) <= SKEW_S:
        return ok("clock.skew", "this machine's clock agrees with Stripe's")
    side = "ahead of" if ahead_s > 0 else "behind"
    found = problem if abs(ahead_s) >= tolerance_s / 2 else warning
    return found(
        "clock.skew",
        f"this machine's clock is {abs(ahead_s):.0f} seconds {side} Stripe's",
        f"Webhooks are refused whose signature is more than {tolerance_s} seconds old or new.",
        "Let NTP keep the clock (timedatectl set-ntp true).",
    )


# ---- webhook endpoints ----


def check_endpoints(
    settings: StripeSettings, said: Said[tuple[Endpoint, ...]], wanted: str | None
) -> Iterator[Finding]:
    """Check the account's webhook endpoints, of which one is to be ours."""
    if said.found is None:
        why_not = "the key may not read them" if said.status == 403 else said.reason
        yield warning(
            "endpoint.found",
            f"the account's webhook endpoints cannot be read: {why_not}",
            "Whether Stripe sends your service what it needs is not checked.",
            "Give a restricted key read access to Webhook Endpoints, or look yourself: " + _DASHBOARD,
        )
        return
    ours = chosen(said.found, wanted)
    if not ours:
        yield _none(settings, said.found, wanted)
        return
    yield ok("endpoint.found", f"{plural(len(ours), 'endpoint')} of yours: {', '.join(shown_url(e.url) for e in ours)}")
    for endpoint in ours:
        yield from _endpoint(settings, endpoint)
    enabled = sum(endpoint.enabled for endpoint in ours)
    if enabled > len(settings.secrets):
        yield warning(
            "endpoint.secrets",
            f"{plural(enabled, 'endpoint')} of yours, but {plural(len(settings.secrets), 'webhook secret')}",
            "Each endpoint signs with a secret of its own. The events of the others are refused.",
            "Put all of them into STRIPE_WEBHOOK_SECRET, with commas between them.",
        )


def chosen(endpoints: Sequence[Endpoint], wanted: str | None) -> list[Endpoint]:
    """Return the endpoints that are ours: the one that was named, or those with our path, or the only one there is."""
    if wanted is not None:
        return [endpoint for endpoint in endpoints if wanted in {endpoint.id, endpoint.url}]
    by_path = [endpoint for endpoint in endpoints if urlsplit(endpoint.url).path.rstrip("/").endswith(WEBHOOK_PATH)]
    return by_path or (list(endpoints) if len(endpoints) == 1 else [])


def _none(settings: StripeSettings, endpoints: Sequence[Endpoint], wanted: str | None) -> Finding:
    if wanted is not None or endpoints:
        what = f"no endpoint is {wanted}" if wanted else f"no endpoint ends with {WEBHOOK_PATH}"
        others = (
            f"; there are {', '.join(shown_url(e.url) for e in endpoints)}" if endpoints else "; there is none at all"
        )
        do = "Name yours with --endpoint, by its id (we_…) or its address."
        return (problem if settings.livemode else warning)("endpoint.found", what + others, _UNTOLD, do)
    if settings.livemode:
        do = f"Make one: airport-payments events --stripe-cli prints the call. {_DASHBOARD}"
        return problem("endpoint.found", "the account has no webhook endpoint", _UNTOLD, do)
    do = "Run stripe listen while you work (airport-payments events --stripe-cli), or make an endpoint."
    return warning("endpoint.found", "the account has no webhook endpoint in test mode", _UNTOLD, do)


_UNTOLD: Final = "Stripe tells your service nothing: payments are found only by asking, minutes later."


def _endpoint(settings: StripeSettings, endpoint: Endpoint) -> Iterator[Finding]:
    if endpoint.livemode is not settings.livemode:
        yield problem(
            "endpoint.mode",
            f"{endpoint.id} is of {'live' if endpoint.livemode else 'test'} mode, the key of the other",
            "Events of the other mode are ignored: nothing that they tell is applied.",
            "Use key and endpoint of one mode.",
        )
    if not endpoint.enabled:
        yield problem(
            "endpoint.enabled",
            f"{endpoint.id} is disabled",
            "Stripe sends it nothing. It disables endpoints by itself that fail for days.",
            f"Mend what failed, then enable it: {_DASHBOARD}",
        )
    yield from _subscription(endpoint)
    yield _version(endpoint)


def _subscription(endpoint: Endpoint) -> Iterator[Finding]:
    if "*" in endpoint.events:
        yield warning(
            "endpoint.events",
            f"{endpoint.id} gets every event of the account (*)",
            f"All but {len(HANDLED)} types are answered for nothing, and a busy account sends many.",
            "Subscribe to what airport-payments events lists.",
        )
        return
    missing = [name for name in HANDLED if name not in endpoint.events]
    superfluous = [name for name in endpoint.events if name not in HANDLED]
    if not missing and not superfluous:
        yield ok("endpoint.events", f"{endpoint.id} gets all {len(HANDLED)} events that are used, and no others")
    needed = [name for name in missing if name in NEEDED]
    if needed:
        yield problem(
            "endpoint.events",
            f"{endpoint.id} does not get {' and '.join(needed)}",
            " ".join(DOES[name] for name in needed) + " Without it, that is found out minutes later.",
            f"Subscribe to what airport-payments events lists: {_DASHBOARD}",
        )
    later = [name for name in missing if name not in NEEDED]
    if later:
        yield warning(
            "endpoint.events_later",
            f"{endpoint.id} does not get {plural(len(later), 'event')} that would be used: {', '.join(later)}",
            _why(later),
            f"Subscribe to what airport-payments events lists: {_DASHBOARD}",
        )
    if superfluous:
        yield warning(
            "endpoint.superfluous",
            f"{endpoint.id} gets {plural(len(superfluous), 'event')} that nothing uses: {', '.join(superfluous)}",
            "They are answered for nothing.",
            "Take them off the endpoint, if nothing else of yours listens there.",
        )


def _why(missing: Sequence[str]) -> str:
    """Say what is known late without these events."""
    subjects = {
        "charge.dispute.": "disputes, whose time to answer is short",
        "refund.": "refunds that were made in the dashboard, or that fail",
        "charge.refund": "refunds that were made in the dashboard, or that fail",
        "payment_intent.": "what happens to a payment before it is paid, or when it is canceled",
    }
    told = dict.fromkeys(why for start, why in subjects.items() for name in missing if name.startswith(start))
    return f"Known late, or only by reconcile: {'; '.join(told)}."


def _version(endpoint: Endpoint) -> Finding:
    pinned = pinned_version()
    if endpoint.api_version == pinned:
        return ok("endpoint.api_version", f"{endpoint.id} sends API version {pinned}, as this library asks")
    theirs = endpoint.api_version or "the account's default, which it does not show"
    return Finding(
        "endpoint.api_version",
        Level.WARNING,
        f"{endpoint.id} sends API version {theirs}; this library asks in {pinned}",
        "Fields may have other names or be missing. An event that cannot be read is asked for again: it costs a call.",
        f"Make an endpoint with version {pinned} (airport-payments events --stripe-cli), then delete this one.",
    )
