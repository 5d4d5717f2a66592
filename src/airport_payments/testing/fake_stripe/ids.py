"""Ids in Stripe's form, the same for the same seed."""

from __future__ import annotations

import random
import string
from typing import Final

ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
TAIL_LENGTH: Final = 24  # characters after the prefix
# Since about 2022 intents, charges and refunds begin with the shard "3"; most others with "1".
SHARDS: Final = {"pi": "3", "ch": "3", "re": "3", "py": "3", "txn": "3", "evt": "1", "pm": "1", "we": "1", "du": "1"}


class Ids:
    """Makes ids. The order of requests and the seed decide them, nothing else."""

    def __init__(self, seed: int, count: int = 0) -> None:
        self._seed = seed
        self.count = count

    def new(self, prefix: str) -> str:
        """Make the next id with this prefix."""
        self.count += 1
        return f"{prefix}_{SHARDS.get(prefix, '')}{self.text(TAIL_LENGTH - len(SHARDS.get(prefix, '')))}"

    def text(self, length: int) -> str:
        """Make random letters and digits, without counting."""
        self.count += 1
        # A generator per id, so that a saved state needs to remember only the count.
        generator = random.Random(f"{self._seed}/{self.count}")  # noqa: S311 - ids of a fake
        return "".join(generator.choices(ALPHABET, k=length))

    def secret(self) -> str:
        """Make the part of a client secret after `_secret_`."""
        return self.text(25)
