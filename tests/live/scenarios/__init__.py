"""What FakeStripe claims, and what our rules rely on: the scenarios. Each is played on both sides."""

from __future__ import annotations

from . import cards, customers, events, keys, life, limits, lists, ours, refunds
from .registry import SCENARIOS, Scenario

__all__ = [
    "SCENARIOS",
    "Scenario",
    "cards",
    "customers",
    "events",
    "keys",
    "life",
    "limits",
    "lists",
    "ours",
    "refunds",
]
