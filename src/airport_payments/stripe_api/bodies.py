"""What stripe-python is given of an answer's body, so that its logs show nothing and it reads no more than it must."""

from typing import Final, Self

WITHHELD: Final = "[body withheld]"


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
