"""How often slow properties are tried."""

from hypothesis import settings


def examples(number: int) -> int:
    """Return how many examples a slow property gets: so many in CI, the profile's share of them elsewhere."""
    return max(1, number * settings.default.max_examples // 100)
