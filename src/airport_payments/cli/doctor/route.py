"""Checks of the team's own webhook route: a signed event has to come through, a forged one must not."""

import json
import time
from collections.abc import Iterator
from typing import Final, cast

import httpx

from airport_payments.cli.doctor.finding import Finding, ok, problem, warning
from airport_payments.cli.output import plural, shown_url
from airport_payments.core.decide.route import EventOutcome
from airport_payments.settings import StripeSettings
from airport_payments.stripe_api.probe import forged, probe_event, signed

_TIMEOUT_S: Final = 10.0  # a route that takes longer is a finding in itself
_ADVICE: Final = {
    400: "The raw body has to reach handle_webhook byte for byte, and the secret has to be this endpoint's.",
    401: "Stripe sends no login: take the webhook out of what asks for one.",
    403: "Stripe sends no login and no CSRF token: take the webhook out of what asks for them.",
    404: "Is the address right, and is the route mounted?",
    405: "The route has to take POST.",
    413: "Something in front of the service takes smaller bodies only: let it take 256 KiB.",
    415: "The route has to take application/json.",
    419: "Stripe sends no CSRF token: take the webhook out of what asks for one.",
}


def check_route(url: str, settings: StripeSettings, client: httpx.Client | None = None) -> Iterator[Finding]:
    """Post a signed event that changes nothing with each secret, and a forged one.

    Args:
        url: where the webhook is mounted.
        settings: the secrets that it should know.
        client: the httpx client to use; it stays the caller's to close. None: one of ours.
    """
    with client or httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False) as sender:
        now_s = int(time.time())
        body = probe_event(now_s, livemode=settings.livemode)
        accepted = 0
        for number, secret in enumerate(settings.secrets, 1):
            answer = _post(sender, url, body, signed(body, secret, now_s))
            if isinstance(answer, Finding):
                yield answer
                return
            which = "" if len(settings.secrets) == 1 else f" with secret {number} of {len(settings.secrets)}"
            found = _judged(answer, which)
            accepted += found is None
            if found is not None:
                yield found
        if accepted == len(settings.secrets):
            yield ok("route.signed", f"a signed event came through ({plural(accepted, 'secret')} tried)")
        answer = _post(sender, url, body, forged(body, now_s))
        yield answer if isinstance(answer, Finding) else _judged_forged(answer)


def _post(sender: httpx.Client, url: str, body: bytes, signature: str) -> httpx.Response | Finding:
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": signature,
        "User-Agent": "airport-payments doctor",
    }
    try:
        return sender.post(url, content=body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return problem(
            "route.signed",
            f"nothing answers at {shown_url(url)}: {type(error).__name__}",
            "Events that Stripe sends there are lost on the way, until it gives up after three days.",
            "Is the service running, and is the address right?",
        )


def _judged(answer: httpx.Response, which: str) -> Finding | None:
    """Return what is wrong with the answer to a signed event, None if nothing is."""
    status = answer.status_code
    if status == 200 and _outcome(answer) == EventOutcome.IGNORED:
        return None
    if 200 <= status < 300:
        return warning(
            "route.signed",
            f"a signed event{which} was answered {status}, but not with outcome ignored",
            "Whether the gateway saw it cannot be told: something else may answer there.",
            "If the route is your own and calls handle_webhook, all is well.",
        )
    if 300 <= status < 400:
        why = "Stripe follows no redirect: the event counts as failed."
        do = "Give Stripe the address that it is redirected to, with https and the slash at the end as it is there."
    else:
        why = "Stripe's own events are answered like this too, and the endpoint is disabled after some days."
        do = _ADVICE.get(status, "The service's log says what happened.")
    return problem("route.signed", f"a signed event{which} was answered {status} instead of 200", why, do)


def _judged_forged(answer: httpx.Response) -> Finding:
    status = answer.status_code
    if status == 400:
        return ok("route.forged", "a forged event was refused with 400")
    if 200 <= status < 300:
        return problem(
            "route.forged",
            f"a forged event was answered {status}",
            "Anybody can tell your service that a booking was paid.",
            "Verify before anything else: hand raw body and Stripe-Signature to handle_webhook, and answer 400.",
        )
    return warning(
        "route.forged",
        f"a forged event was answered {status} instead of 400",
        "It was not accepted, but the answer is not the gateway's.",
        _ADVICE.get(status, "The service's log says what happened."),
    )


def _outcome(answer: httpx.Response) -> object:
    try:
        document: object = json.loads(answer.content)
    except ValueError:
        return None
    for name in ("data", "outcome"):
        if not isinstance(document, dict):
            return None
        document = cast("dict[str, object]", document).get(name)
    return document
