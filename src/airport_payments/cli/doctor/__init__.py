"""`airport-payments doctor`: is it set up as it has to be?"""

import argparse
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from airport_payments.cli.command import Command, CommandError, Exit
from airport_payments.cli.doctor.finding import Finding, Level, ok, problem
from airport_payments.cli.options import add_app
from airport_payments.cli.output import Json, Screen, plural, print_json

if TYPE_CHECKING:
    from airport_payments.cli.desk import Desk
    from airport_payments.settings import StripeSettings

_DESCRIPTION: Final = """\
Checks the set-up, and says of each finding what is wrong, why it matters and
what to do: the keys and webhook secrets, whether Stripe answers, the account's
webhook endpoints, this machine's clock, the database, and your own webhook
route. It changes nothing: what it writes it rolls back, and the event that it
posts is of a type that is ignored.
"""
_TITLES: Final = {
    "app": "Your gateway",
    "settings": "Settings",
    "stripe": "Stripe",
    "clock": "Clock",
    "endpoint": "Webhook endpoints",
    "database": "Database",
    "route": "Your webhook route",
}
_STYLES: Final = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "bold red"}
_ROUTE_HINT: Final = "Your webhook route was not checked: name it with --url http://localhost:8000/payment/webhook"


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", metavar="URL", help="your webhook as this machine reaches it: posts test events there")
    parser.add_argument("--endpoint", metavar="ID", help="your endpoint at Stripe, by its id or its address")
    parser.add_argument("--strict", action="store_true", help="end with 1 if there are warnings")
    add_app(parser)


def _run(arguments: argparse.Namespace) -> int:
    screen = None if arguments.json else Screen()
    findings: list[Finding] = []
    subject = ""
    for finding in _findings(arguments):
        findings.append(finding)
        if screen is not None:
            if finding.subject != subject:
                screen.line((_TITLES[finding.subject], "bold"))
            _show(screen, finding)
        subject = finding.subject
    if screen is None:
        print_json(_document(findings, route_checked=arguments.url is not None))
    else:
        screen.line()
        screen.line(_summary(findings))
        if arguments.url is None:
            screen.wrapped(_ROUTE_HINT)
    if _count(findings, Level.PROBLEM):
        return Exit.REFUSED
    return Exit.FAILED if arguments.strict and _count(findings, Level.WARNING) else Exit.OK


def _findings(arguments: argparse.Namespace) -> Iterator[Finding]:
    yield from _of_environment(arguments) if arguments.app is None else _of_app(arguments)


def _of_environment(arguments: argparse.Namespace) -> Iterator[Finding]:
    """Check settings and database each for itself: what is wrong with one must not hide the other."""
    import asyncio  # noqa: PLC0415 - so that --help is quick

    from airport_payments.cli.database import open_repository  # noqa: PLC0415
    from airport_payments.cli.doctor.database import check_database, unreachable  # noqa: PLC0415
    from airport_payments.cli.doctor.settings import unusable  # noqa: PLC0415
    from airport_payments.core.errors import ConfigurationError  # noqa: PLC0415
    from airport_payments.settings import StripeSettings  # noqa: PLC0415

    settings: StripeSettings | None = None
    try:
        settings = StripeSettings.from_env()
    except ConfigurationError as error:
        yield unusable(error)
    else:
        yield from _of_settings(settings, arguments)
    with asyncio.Runner() as runner:
        try:
            with open_repository(os.environ, runner) as storage:
                yield from check_database(storage.repository, runner)
        except (CommandError, ConfigurationError) as error:
            yield unreachable(str(error))
    if settings is not None:
        yield from _of_route(settings, arguments)


def _of_app(arguments: argparse.Namespace) -> Iterator[Finding]:
    from airport_payments.cli.desk import open_desk  # noqa: PLC0415 - so that --help is quick
    from airport_payments.cli.doctor.database import check_database  # noqa: PLC0415

    try:
        with open_desk(arguments.app) as desk:
            yield ok("app.found", f"{arguments.app} is {_kind(desk)}")
            yield from _of_settings(desk.settings, arguments)
            yield from check_database(desk.repository, desk.runner)
            yield from _of_route(desk.settings, arguments)
    except CommandError as error:
        yield problem(
            "app.found",
            str(error),
            "What this gateway is set up with is not checked.",
            "Name a gateway, or a function that makes one, as your own code imports it.",
        )


def _kind(desk: "Desk") -> str:
    return f"{'an' if desk.asynchronous else 'a'} {type(desk.gateway).__name__}"


def _of_settings(settings: "StripeSettings", arguments: argparse.Namespace) -> Iterator[Finding]:
    from airport_payments.cli.doctor.settings import check_settings  # noqa: PLC0415 - so that --help is quick
    from airport_payments.cli.doctor.stripe import check_stripe  # noqa: PLC0415
    from airport_payments.stripe_api.account import Account  # noqa: PLC0415

    yield from check_settings(settings)
    with Account(settings) as account:
        yield from check_stripe(settings, account, arguments.endpoint)


def _of_route(settings: "StripeSettings", arguments: argparse.Namespace) -> Iterator[Finding]:
    if arguments.url is not None:
        from airport_payments.cli.doctor.route import check_route  # noqa: PLC0415 - so that --help is quick

        yield from check_route(arguments.url, settings)


# ---- what is printed ----


def _show(screen: Screen, finding: Finding) -> None:
    style = _STYLES[finding.level]
    lead = f"  {finding.level.value:<7}  "
    screen.wrapped(finding.what, indent=len(lead), lead=["  ", (f"{finding.level.value:<7}", style), "  "])
    for name, text in (("why", finding.why), ("do", finding.do)):
        if text:
            inner = f"{' ' * len(lead)}{name:<3}  "
            screen.wrapped(text, indent=len(inner), lead=[(inner, "dim")])


def _count(findings: Sequence[Finding], level: Level) -> int:
    return sum(finding.level is level for finding in findings)


def _summary(findings: Sequence[Finding]) -> str:
    problems, warnings, fine = (_count(findings, level) for level in (Level.PROBLEM, Level.WARNING, Level.OK))
    return f"{plural(problems, 'problem')}, {plural(warnings, 'warning')}, {fine} ok."


def _document(findings: Sequence[Finding], *, route_checked: bool) -> Json:
    return {
        "problems": _count(findings, Level.PROBLEM),
        "warnings": _count(findings, Level.WARNING),
        "ok": _count(findings, Level.OK),
        "route_checked": route_checked,
        "findings": [
            {
                "check": finding.check,
                "level": finding.level.value,
                "what": finding.what,
                "why": finding.why or None,
                "do": finding.do or None,
            }
            for finding in findings
        ],
    }


DOCTOR: Final = Command(
    "doctor",
    "check keys, webhooks, clock, database and your route",
    _DESCRIPTION,
    _add_arguments,
    _run,
    (
        "airport-payments doctor",
        "airport-payments doctor --url http://localhost:8000/payment/webhook --strict",
    ),
)
