"""`airport-payments refund`, `cancel` and `resolve`: what a person decides about a booking's money."""

import argparse
import re
from typing import TYPE_CHECKING, Final

from airport_payments.cli.command import Command, CommandError, Exit
from airport_payments.cli.options import add_app, add_booking
from airport_payments.cli.output import Json, Screen, print_json

if TYPE_CHECKING:
    from airport_payments.cli.desk import Desk
    from airport_payments.core.model import Booking
    from airport_payments.core.money import Money
    from airport_payments.core.views import PaymentDecision

RESOLUTIONS: Final = ("confirm", "refund", "keep")
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?", re.ASCII)
REASONS: Final = ("duplicate", "fraudulent", "requested_by_customer")

_REFUND: Final = """\
Gives money back: all that is left of a booking's payment, or a part of it.

--request-id is your own name of this refund. The same name again, with the same
arguments, gives nothing back a second time: so repeat the very command if there
was no answer, and use another name for another refund.
"""
_CANCEL: Final = """\
Cancels a booking that is not paid: its PaymentIntent at Stripe first, so that
nobody pays for what is gone. A paid booking is refunded instead.
"""
_RESOLVE: Final = """\
Decides about money in review, which confirmed nothing:
  confirm  it pays the booking, cancelled or not
  refund   all of it goes back
  keep     it stays, and confirms nothing
"""


def money_json(money: "Money") -> Json:
    """Return an amount for programs: minor units, which are exact."""
    return {"amount_minor": money.amount_minor, "currency": money.currency}


def booking_json(booking: "Booking") -> Json:
    """Return a booking for programs."""
    return {"id": booking.id, "status": booking.status.value, "price": money_json(booking.price)}


def _refund_arguments(parser: argparse.ArgumentParser) -> None:
    add_booking(parser)
    parser.add_argument("--request-id", metavar="ID", required=True, help="your own name of this refund")
    parser.add_argument("--amount", help="how much, as 12.50 (all that is left)")
    parser.add_argument("--currency", help="of the amount (that of the booking's price)")
    parser.add_argument(
        "--payment", metavar="PI", help="which payment (the one that paid the booking, or the only one)"
    )
    parser.add_argument(
        "--reason",
        choices=REASONS,
        default=REASONS[-1],
        metavar="WHY",
        help=f"{REASONS[0]}, {REASONS[1]} or {REASONS[2]} (the last)",
    )
    add_app(parser)


def _refund(arguments: argparse.Namespace) -> int:
    from airport_payments.cli.desk import open_desk  # noqa: PLC0415 - so that --help is quick

    with open_desk(arguments.app) as desk:
        report = desk.wait(
            desk.gateway.refund(
                arguments.booking,
                payment_id=arguments.payment,
                amount=_amount(desk, arguments),
                reason=arguments.reason,
                request_id=arguments.request_id,
            )
        )
    if arguments.json:
        print_json({
            "refund": report.refund_id,
            "ref": report.ref,
            "payment": report.payment_intent_id,
            "amount": money_json(report.amount),
            "state": report.state.value,
            "left": money_json(report.rest),
            "booking": {"id": arguments.booking, "status": report.booking_status.value},
        })  # fmt: skip
        return Exit.OK
    screen = Screen()
    screen.line(f"{report.amount} of booking {arguments.booking} go back: {report.state.value.replace('_', ' ')}.")
    screen.fields(
        ("refund", report.refund_id),
        ("payment", report.payment_intent_id),
        ("left of it", report.rest),
        ("booking", report.booking_status.value),
    )
    return Exit.OK


def _amount(desk: "Desk", arguments: argparse.Namespace) -> "Money | None":
    from airport_payments.core.money import Money  # noqa: PLC0415 - so that --help is quick

    if arguments.amount is None:
        if arguments.currency is not None:
            raise CommandError("--currency says nothing without --amount", Exit.REFUSED, "invalid_request")
        return None
    currency: str | None = arguments.currency
    if currency is None:
        from airport_payments.core.errors import BookingNotFound, FieldError, InvalidRequest  # noqa: PLC0415
        from airport_payments.core.ids import check_booking_id  # noqa: PLC0415

        if not _NUMBER.fullmatch(arguments.amount):
            # Said before the booking is asked for its currency: it is wrong whatever that is.
            raise InvalidRequest(FieldError("amount", "not a decimal number"))
        snapshot = desk.wait(desk.repository.get(check_booking_id(arguments.booking)))
        if snapshot is None:
            raise BookingNotFound
        currency = snapshot.booking.price.currency
    return Money.from_major(arguments.amount, currency)


def _cancel_arguments(parser: argparse.ArgumentParser) -> None:
    add_booking(parser)
    add_app(parser)


def _cancel(arguments: argparse.Namespace) -> int:
    from airport_payments.cli.desk import open_desk  # noqa: PLC0415 - so that --help is quick

    with open_desk(arguments.app) as desk:
        done = desk.wait(desk.gateway.cancel(arguments.booking))
    if arguments.json:
        print_json({"outcome": done.outcome.value, "booking": booking_json(done.booking)})
        return Exit.OK
    screen = Screen()
    words = {
        "cancelled": "is cancelled, and nobody can pay it any more.",
        "paid": "was paid before it could be cancelled: its money is in review, or goes back, as your settings have it.",
        "processing": "has a payment that is being processed: it is cancelled, or answered, as soon as that ends.",
    }
    screen.wrapped(f"Booking {done.booking.id} {words[done.outcome.value]}")
    screen.fields(("booking", done.booking.status.value))
    return Exit.OK


def _resolve_arguments(parser: argparse.ArgumentParser) -> None:
    add_booking(parser)
    parser.add_argument("payment", metavar="PAYMENT", help="its PaymentIntent, pi_…")
    parser.add_argument("resolution", choices=RESOLUTIONS, metavar="confirm|refund|keep", help="what to do")
    parser.add_argument("--by", metavar="WHO", required=True, help="who decides, as an id: it is kept in the history")
    add_app(parser)


def _resolve(arguments: argparse.Namespace) -> int:
    from airport_payments.cli.desk import open_desk  # noqa: PLC0415 - so that --help is quick

    with open_desk(arguments.app) as desk:
        done = desk.wait(
            desk.gateway.resolve(arguments.booking, arguments.payment, arguments.resolution, by=arguments.by)
        )
    if arguments.json:
        print_json(_decision_json(done))
        return Exit.OK
    screen = Screen()
    screen.line(f"{done.received} of booking {done.booking.id}: {done.place.value}.")
    screen.fields(("payment", done.payment_intent_id), ("booking", done.booking.status.value))
    return Exit.OK


def _decision_json(done: "PaymentDecision") -> Json:
    return {
        "payment": done.payment_intent_id,
        "state": done.state.value,
        "place": done.place.value,
        "received": money_json(done.received),
        "booking": booking_json(done.booking),
    }


REFUND: Final = Command(
    "refund",
    "give money back",
    _REFUND,
    _refund_arguments,
    _refund,
    (
        "airport-payments refund parking-17 --request-id case-1204",
        "airport-payments refund parking-17 --amount 12.50 --request-id case-1205",
    ),
)
CANCEL: Final = Command(
    "cancel",
    "cancel a booking that is not paid",
    _CANCEL,
    _cancel_arguments,
    _cancel,
    ("airport-payments cancel parking-17",),
)
RESOLVE: Final = Command(
    "resolve",
    "decide about money in review",
    _RESOLVE,
    _resolve_arguments,
    _resolve,
    ("airport-payments resolve parking-17 pi_3Pabc12345678 refund --by staff-7",),
)
