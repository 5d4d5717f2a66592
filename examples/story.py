"""A booking's history in plain words. NOT part of the library: tell your customers, or your staff, what you like."""

import re
from collections.abc import Sequence
from typing import Final

from airport_payments import HistoryLine

_REFUND: Final = r"refund \S+ of (?P<amount>[\d.]+ \w+)"
_DISPUTE: Final = r"dispute \S+: "

# What the library writes down, how it is told, and in which tone the page shows it.
TALES: Final = [
    (r"attempt \S+ opened", "The airport asks Stripe to open a payment.", "neutral"),
    (r"attempt \S+ put back .*", "The airport found this payment again at Stripe.", "neutral"),
    (r"attempt \S+ is this PaymentIntent", "Stripe opened it. The card goes to Stripe alone.", "neutral"),
    (r"attempt \S+ refused: (?P<why>.*)", "Stripe did not open it: {why}.", "bad"),
    (r"attempt \S+ abandoned: .*", "Stripe did not open it.", "warning"),
    (r"waits for the customer to pay", "It waits to be paid.", "neutral"),
    (r"waits for its confirmation", "It waits for its confirmation.", "neutral"),
    (r"waits for the customer's bank .*", "Your bank asks whether it is you.", "neutral"),
    (r"is being processed", "Your bank is working on the payment.", "neutral"),
    (r"payment failed: (?P<why>.*)", "A try to pay failed ({why}). Nothing was charged.", "bad"),
    (r"the money is authorised", "The money is held on the card.", "neutral"),
    (r"to be paid with a saved card", "The airport asks Stripe to charge the saved card.", "neutral"),
    (r"capture of (?P<amount>[\d.]+ \w+) commanded", "The airport asks Stripe to collect {amount}.", "neutral"),
    (r"captured: .*", "The airport collected what was held.", "good"),
    (r"(paid|authorised): booking confirmed", "The airport confirmed your booking.", "good"),
    (
        r"paid, but confirms nothing: (?P<why>.*)",
        "Money came that confirms nothing ({why}): it is looked at.",
        "warning",
    ),
    (r"to be cancelled: asked", "The airport was asked to cancel the booking.", "neutral"),
    (r"the hold is over: .*", "The hold is over, and nothing was paid.", "warning"),
    (r"to be cancelled: .*", "The airport is about to cancel the booking.", "neutral"),
    (
        r"no longer to be cancelled: its hold .*",
        "The airport gave you more time: the booking is not cancelled.",
        "good",
    ),
    (r"no longer to be cancelled: .*", "The booking is not cancelled: something else was faster.", "neutral"),
    (r"(no longer wanted|its amount was changed).*", "Nobody is to pay this payment any more.", "neutral"),
    (
        r"its (charge|capture) had no answer and .*",
        "Stripe did not answer, and the airport does not ask again.",
        "neutral",
    ),
    (r"its cancellation commanded", "The airport asks Stripe to close the payment.", "neutral"),
    (r"canceled", "Stripe closed the payment: nobody can pay it any more.", "neutral"),
    (r"booking cancelled: refunded", "All of the money goes back: the airport cancelled the booking.", "neutral"),
    (r"booking cancelled: .*", "The airport cancelled the booking. Nothing was charged.", "neutral"),
    (rf"{_REFUND} commanded", "The airport asks Stripe to give {amount} back.", "neutral"),
    (rf"{_REFUND}: pending", "{amount} is on its way back.", "neutral"),
    (rf"{_REFUND}: requires_action", "{amount} goes back as soon as you tell Stripe where to.", "warning"),
    (rf"{_REFUND}: succeeded", "Stripe gave {amount} back to the card.", "good"),
    (r"refund \S+ was not made: .*", "Stripe did not make the refund: the airport asks again.", "warning"),
    (r"refund \S+ is \S+", "Stripe has taken the refund on.", "neutral"),
    (rf"{_REFUND}: (failed|canceled)", "{amount} did not reach you: the airport has it again.", "bad"),
    (r"refund \S+ refused: (?P<why>.*)", "Stripe did not give it back: {why}", "bad"),
    (r"refunds were made .*", "Stripe tells of refunds: the airport asks which.", "neutral"),
    (r"all of its money went back", "All of the money went back.", "neutral"),
    (r"it was to go back, and did not.*", "Money that should go back did not: it is looked at.", "warning"),
    (rf"{_DISPUTE}.*, the money was taken.*", "The bank took the disputed money back.", "warning"),
    (
        rf"{_DISPUTE}(warning_)?needs_response",
        "The bank disputes the payment and asks the airport for proof.",
        "warning",
    ),
    (rf"{_DISPUTE}won.*", "The bank decided for the airport: it has the money again.", "good"),
    (rf"{_DISPUTE}lost.*", "The bank decided for the customer: the money stays with them.", "bad"),
    (rf"{_DISPUTE}(?P<why>.*)", "The dispute is at the bank ({why}).", "warning"),
    (r"(?P<what>cancellation|capture|charge) refused: (?P<why>.*)", "Stripe refused the {what}: {why}.", "bad"),
    (
        r"(?P<what>cancellation|capture|charge) .*: it is (?P<why>.*)",
        "Stripe answered the {what}: it is {why}.",
        "neutral",
    ),
    (r"announcement .*|dead letter .*", "The airport's own services were told of it, or not: see the log.", "warning"),
    (r"(?P<why>\w+), decided by \S+", "The airport looked at the money and decided: {why}.", "neutral"),
]
_TALES: Final = [(re.compile(pattern), words, tone) for pattern, words, tone in TALES]


def told(lines: Sequence[HistoryLine]) -> list[dict[str, str | None]]:
    """Return a booking's history, oldest first: when, what, in which tone, and which event of Stripe's told of it."""
    return [_told(line) for line in lines]


def _told(line: HistoryLine) -> dict[str, str | None]:
    text, tone = _words(line)
    event = line.fact if line.event_id is not None else None
    return {"at": line.at.isoformat(), "text": text, "tone": tone, "event": event}


def _words(line: HistoryLine) -> tuple[str, str]:
    for pattern, words, tone in _TALES:
        found = pattern.fullmatch(line.decision)
        if found is not None:
            return words.format(**_values(found.groupdict())), tone
    return f"{line.decision[:1].upper()}{line.decision[1:]}.", "neutral"


def _values(found: dict[str, str]) -> dict[str, str]:
    return {name: text if name == "amount" else text.replace("_", " ").rstrip(".") for name, text in found.items()}
