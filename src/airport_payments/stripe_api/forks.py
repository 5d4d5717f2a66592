"""Locks after a fork: a thread that held one in the parent is not in the child, so nobody there would let it go."""

import os
import threading
from typing import ClassVar
from weakref import WeakSet


class Locked:
    """Has a lock, `_lock`. In a forked process that is another one, which nobody holds."""

    _all: ClassVar = WeakSet["Locked"]()

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all.add(self)

    @classmethod
    def renew(cls) -> None:
        """Give every object of this process a new lock."""
        for each in list(cls._all):
            each._lock = threading.Lock()  # noqa: SLF001 - one of this class


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=Locked.renew)
