"""What Stripe keeps of a command under its idempotency key: the request, and the first answer."""

from dataclasses import replace

from airport_payments.core.commands import (
    CancelIntent,
    CaptureIntent,
    ConfirmIntent,
    CreateIntent,
    CreateRefund,
    Effect,
)
from airport_payments.core.facts import IntentSeen, PortReply, RefundSeen, Refused, Unanswered

REPLAYED = "a stored answer: 500"


def request_of(command: Effect) -> tuple[object, ...]:
    """What Stripe sees of a command: the same for every sending of a saved one."""
    if isinstance(command, CreateIntent):
        return (
            command.attempt_id, command.booking_id, command.namespace, command.amount, command.key,
            command.manual_capture, command.options, command.redirects,
        )  # fmt: skip
    if isinstance(command, CancelIntent):
        return (command.intent_id, command.key)
    if isinstance(command, CaptureIntent):
        return (command.intent_id, command.amount_minor, command.key)
    if isinstance(command, ConfirmIntent):
        return (command.intent_id, command.payment_method_id, command.return_url, command.key)
    if not isinstance(command, CreateRefund):
        return (command,)
    return (
        command.intent_id, command.amount_minor, command.reason, command.namespace, command.booking_id, command.ref,
        command.attempt_id, command.key,
    )  # fmt: skip


def replayed(reply: PortReply) -> PortReply:
    if isinstance(reply, IntentSeen | RefundSeen):
        return replace(reply, replayed=True)
    if isinstance(reply, Unanswered):
        return replace(reply, reason=REPLAYED)
    if isinstance(reply, Refused) and reply.seen is not None:
        return replace(reply, seen=replace(reply.seen, replayed=True))
    return reply
