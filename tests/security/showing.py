"""Every way in which a value shows itself: what logs, error trackers, queues and debuggers do with it."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator

WAYS: dict[str, Callable[[object], object]] = {
    "repr": repr,
    "str": str,
    "%r": lambda value: "%r %s" % (value, value),  # noqa: UP031 - logging formats so
    "f-string": lambda value: f"{value} {value!r} {value!s}",
    "in a list": lambda value: repr([value, {"it": value}]),
    "its attributes": lambda value: repr(getattr(value, "__dict__", None)),
    "copy": lambda value: repr(copy.copy(value)),
    "deepcopy": lambda value: repr(copy.deepcopy(value)),
    "pickle": pickle.dumps,
    "old pickle": lambda value: pickle.dumps(value, 0),
    "JSON": lambda value: json.dumps(value, default=str),
    "JSON of attributes": lambda value: json.dumps(value, default=lambda v: getattr(v, "__dict__", repr(v))),
    "asdict": lambda value: repr(dataclasses.asdict(value)) if dataclasses.is_dataclass(value) else "",
    "astuple": lambda value: repr(dataclasses.astuple(value)) if dataclasses.is_dataclass(value) else "",
    "__reduce__": lambda value: repr(value.__reduce_ex__(4)),
}


def shown(way: str, value: object) -> str:
    """What a way shows; where it is refused, what the refusal shows, with the locals of its frames of ours."""
    try:
        found = WAYS[way](value)
    except Exception as error:
        return f"{error!r} {error.args}"
    return found.decode("latin-1") if isinstance(found, bytes) else str(found)


def with_causes(error: BaseException) -> Iterator[BaseException]:
    """An exception, and all that it holds as its cause or context, shown or not."""
    seen: list[BaseException] = []
    ahead: list[BaseException | None] = [error]
    while ahead:
        now = ahead.pop()
        if now is not None and now not in seen:
            seen.append(now)
            ahead += [now.__cause__, now.__context__]
            yield now


def told_by(error: BaseException, *, only: str = "") -> str:
    """All that an error tracker could send of an exception: arguments, attributes, causes, frames with their locals.

    `only` names a folder: frames of other files are left out (those of a test hold its canaries by right).
    """
    text = []
    for each in with_causes(error):
        text.append(f"{each!r} {each} {each.args!r} {vars(each)!r}")
        told = traceback.TracebackException.from_exception(each, capture_locals=True)
        text += [f"{frame.filename}:{frame.lineno} {frame.locals}" for frame in told.stack if only in frame.filename]
    return "\n".join(text)


class EveryLogger(logging.Handler):
    """What any logger says at DEBUG, formatted and as records, with tracebacks."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []
        self.names: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.names.add(record.name)
        self.said.append(f"{logging.Formatter().format(record)} {record.args!r} {record.__dict__!r}")

    def __enter__(self):
        root = logging.getLogger()
        known = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]
        self._before = [(logger, logger.level, logger.disabled) for logger in [root, *known]]
        for logger, _, _ in self._before:
            logger.setLevel(logging.DEBUG)
            logger.disabled = False
        root.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)
        for logger, level, disabled in self._before:
            logger.setLevel(level)
            logger.disabled = disabled
