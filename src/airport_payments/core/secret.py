"""A string that does not show itself."""

from typing import NoReturn, final


@final
class Secret:
    """Holds a key or a secret; every way of showing it gives `[secret]`, only `reveal()` gives the text.

    Pickling and copying are refused, because both would let the text leave unnoticed.
    """

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """Return the text itself. Call this only where the text is used."""
        return self.__text

    def __repr__(self) -> str:
        return "[secret]"

    def __format__(self, spec: str) -> str:
        return format("[secret]", spec)

    def __eq__(self, other: object) -> bool:
        # Values compare so that frozen dataclasses holding one still compare; nothing here verifies a signature.
        return isinstance(other, Secret) and self.__text == other.__text

    def __hash__(self) -> int:
        return hash(("Secret", self.__text))

    def __bool__(self) -> bool:
        return bool(self.__text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled or copied: pass it on, or call reveal() where it is used")
