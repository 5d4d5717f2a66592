"""What stripe-python is given of a key and of an answer, so that it shows nothing and reads no more than it must."""

from collections.abc import Mapping
from typing import Final, Self

from airport_payments.core.secret import Secret

WITHHELD: Final = "[body withheld]"
# In the place of the API key.
KEY_WITHHELD: Final = "key_withheld"


class KeyedHeaders(dict[str, str]):
    """A request's headers with the API key among them, which do not show themselves."""

    __slots__ = ()

    @classmethod
    def of(cls, headers: Mapping[str, str] | None, key: Secret) -> Self:
        """Return these headers with the key that stripe-python was not given."""
        keyed = cls(headers or {})
        keyed["Authorization"] = f"Bearer {key.reveal()}"
        return keyed

    def __repr__(self) -> str:
        return "[headers withheld]"


class QuietBody(str):
    """An answer's body that reads as JSON but does not show itself.

    stripe-python logs whole answers, client secrets included, on its logger at DEBUG. It formats them, and what it
    formats is this.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return WITHHELD

    def __str__(self) -> str:
        return WITHHELD

    def __format__(self, spec: str) -> str:
        return WITHHELD


class HeldBody(QuietBody):
    """A success's body. stripe-python reads an empty object; `content` is what came, for us to read.

    stripe-python hands the body through as it got it. Reading it there first, into dicts that keep their order, took
    as long as all of our rules.
    """

    __slots__ = ("content",)

    content: str | bytes

    @classmethod
    def of(cls, content: str | bytes) -> Self:
        """Return a body that holds what came."""
        body = cls("{}")
        body.content = content
        return body
