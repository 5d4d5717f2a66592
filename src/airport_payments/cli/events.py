"""`airport-payments events`: what to subscribe to."""

import argparse
from typing import Final

from airport_payments.cli.command import Command, Exit, say
from airport_payments.cli.options import add_json
from airport_payments.cli.output import print_json

_DESCRIPTION: Final = """\
Prints the events that this version acts on, one a line: subscribe your webhook
endpoint to them. The two with which everything works, only later, are
payment_intent.succeeded and payment_intent.payment_failed.
"""
# Everything else is found out without it, later.
NEEDED: Final = ("payment_intent.succeeded", "payment_intent.payment_failed")
THIN: Final = "v1."
_LOCAL: Final = "http://localhost:8000/payment/webhook"


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--thin", action="store_true", help="the names that thin events have")
    parser.add_argument("--stripe-cli", action="store_true", help="print calls of Stripe's own command line instead")
    parser.add_argument("--url", metavar="URL", help=f"where your webhook is, for these calls ({_LOCAL})")
    add_json(parser)


def _run(arguments: argparse.Namespace) -> int:
    from airport_payments.core.decide.route import HANDLED  # noqa: PLC0415 - so that --help is quick

    prefix = THIN if arguments.thin else ""
    names = [prefix + name for name in HANDLED]
    if arguments.stripe_cli:
        url = arguments.url or _LOCAL
        calls = [_listen(names, url)]
        if not arguments.thin:
            calls.append(_create(names, arguments.url or "https://your.domain/payment/webhook"))
        if arguments.json:
            print_json({"calls": [" ".join(call) for call in calls]})
        else:
            say("\n\n".join(" \\\n  ".join(call) for call in calls))
        return Exit.OK
    if arguments.json:
        subjects = [subject.value for subject in HANDLED.values()]
        needed = [name in NEEDED for name in HANDLED]
        columns = zip(names, subjects, needed, strict=True)
        print_json({"events": [{"type": name, "object": kind, "needed": must} for name, kind, must in columns]})
    else:
        say("\n".join(names))
    return Exit.OK


def _quoted(text: str) -> str:
    import shlex  # noqa: PLC0415 - so that --help is quick

    return shlex.quote(text)


def _listen(names: list[str], url: str) -> list[str]:
    """Return the call that forwards events to a machine without a public address: both kinds, from its version 1.52 on."""
    return ["stripe listen", f"--events {','.join(names)}", f"--forward-to {_quoted(url)}"]


def _create(names: list[str], url: str) -> list[str]:
    """Return the call that makes a webhook endpoint, whose answer shows its secret, once."""
    from airport_payments.stripe_api.account import pinned_version  # noqa: PLC0415 - loads stripe-python

    events = [f'-d "enabled_events[{number}]={name}"' for number, name in enumerate(names)]
    return ["stripe webhook_endpoints create", f"--url {_quoted(url)}", f"--api-version {pinned_version()}", *events]


EVENTS: Final = Command(
    "events",
    "the events to subscribe your webhook endpoint to",
    _DESCRIPTION,
    _add_arguments,
    _run,
    (
        "airport-payments events",
        "airport-payments events --stripe-cli --url https://your.domain/payment/webhook",
    ),
)
