"""The list of scenarios, and the requests that most of them begin with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.live.line import Answer
    from tests.live.stage import Stage

# Only cards, so that nothing redirects, and whatever the account's dashboard has switched on.
NEW = {"amount": 2000, "currency": "usd", "payment_method_types": ["card"]}
VISA = {"payment_method": "pm_card_visa"}
PAID = {**NEW, **VISA, "confirm": True}
AUTHORISED = {**PAID, "capture_method": "manual"}
STATE = "payment_intent_unexpected_state"
INVALID = "invalid_request_error"


@dataclass(frozen=True)
class Scenario:
    """A name, what it shows, and how it goes."""

    name: str
    says: str
    play: Callable[[Stage], None]


SCENARIOS: list[Scenario] = []


def scenario(play: Callable[[Stage], None]) -> Callable[[Stage], None]:
    """Add a function to the list: its name is the scenario's, its docstring says what it shows."""
    assert play.__doc__
    SCENARIOS.append(Scenario(play.__name__, play.__doc__.splitlines()[0], play))
    return play


def refused(code: str | None = None, *, type: str = INVALID, **words: object) -> dict[str, object]:  # noqa: A002
    """Return the words of a refusal. Without a code nothing is said of it."""
    return {"type": type, **({} if code is None else {"code": code}), **words}


def paid(stage: Stage, step: str = "pay", card: str = "pm_card_visa", **params: object) -> Answer:
    """Make a payment that succeeds."""
    request = {**PAID, "payment_method": card, **params}
    return stage.post(step, "payment_intents", request, words={"is": "succeeded"})
