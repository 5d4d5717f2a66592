"""Makes inputs out of inputs: a small mutator over bytes that knows what JSON, headers and encodings look like."""

from __future__ import annotations

import random
import re

MAX_BYTES = 300_000  # a little over the largest limit that is to be held
_TOKEN = re.compile(rb'-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|"(?:[^"\\]|\\.)*"|true|false|null|[\w-]+')

# What parsers trip over: constants, numbers, encodings, surrogates, depth, keys given twice, header grammar.
NASTY = [
    b"NaN", b"Infinity", b"-Infinity", b"null", b"true", b"[]", b"{}", b'""', b"-0", b"0.0", b"1e400", b"1e-400", b"1e999999999", b"-1",
    b"9" * 30, b"9" * 400, b"9" * 5000, b"253402300800", b"18446744073709551616", b"1_000", b"0x10", b"+1", b"01", b"1.0", b"1.5",
    b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u0000"', b'"\\uFFFF"', b'"\xed\xa0\x80"', b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xc0\x80",
    b"\x00", b"\r\n", b"\n", b"\x1b[2J", "\u2028".encode(), "１２３".encode(), b"\xf4\x90\x80\x80", b"\\", b'\\"', b"/", b"..", b"../",
    b"[" * 100, b"[" * 3000, b'{"a":' * 100, b'{"a":' * 2000, b"]" * 100, b"}" * 100, b'"id":"x",', b'"id":1,', b'"data":[],', b'"data":{"object":[]},',
    b'"object":"payment_intent",', b'"metadata":{"airport_namespace":"airport"},', b'"metadata":null,', b'"currency":"xxx",', b'"amount":1e2,',
    b'"created":-1,', b'"livemode":"no",', b'"object":"v2.core.event",', b'"detail":{},', b'"specversion":"1.0",', b'"format":2,', b'"format":99,',
    b"t=1,", b"t=,", b"v1=,", b"v0=x,", b",,,,", b"=", b"v1=" + b"0" * 64, b"t=" + b"9" * 13, b"," * 100, b"v1=" + b"g" * 64, b" ",
    b"evt_", b"pi_00000000", b"re_1", b"usd", b"kwd", b"jpy", b"succeeded", b"canceled", b"requires_capture",
]  # fmt: skip


class Mutator:
    """Draws inputs from a corpus. The same seed and the same corpus give the same inputs."""

    def __init__(self, seed: int | str) -> None:
        self._random = random.Random(seed)

    def input(self, corpus: list[bytes]) -> bytes:
        """Return a new input: one of the corpus, changed from one to six times."""
        draw = self._random
        data = draw.choice(corpus)
        for _ in range(draw.choice((1, 1, 1, 2, 2, 3, 6))):
            data = draw.choice(self._WAYS)(self, data, corpus)
        return data[:MAX_BYTES]

    def _place(self, data: bytes) -> int:
        return self._random.randrange(len(data) + 1)

    def _flip(self, data: bytes, _: list[bytes]) -> bytes:
        if not data:
            return b"\x00"
        changed = bytearray(data)
        changed[self._random.randrange(len(changed))] ^= 1 << self._random.randrange(8)
        return bytes(changed)

    def _any_byte(self, data: bytes, _: list[bytes]) -> bytes:
        at = self._place(data)
        return data[:at] + bytes([self._random.randrange(256)]) + data[at + self._random.randrange(2) :]

    def _insert(self, data: bytes, _: list[bytes]) -> bytes:
        at = self._place(data)
        return data[:at] + self._random.choice(NASTY) + data[at:]

    def _replace(self, data: bytes, _: list[bytes]) -> bytes:
        """Put something nasty in the place of a number, a text or a word."""
        start = self._place(data)
        found = _TOKEN.search(data, start) or _TOKEN.search(data)
        if found is None:
            return self._random.choice(NASTY)
        return data[: found.start()] + self._random.choice(NASTY) + data[found.end() :]

    def _swap(self, data: bytes, corpus: list[bytes]) -> bytes:
        """Put a number, a text or a word of another input in the place of one."""
        other = self._random.choice(corpus)
        taken = _TOKEN.search(other, self._place(other))
        found = _TOKEN.search(data, self._place(data))
        if taken is None or found is None:
            return self._cross(data, corpus)
        return data[: found.start()] + taken[0] + data[found.end() :]

    def _cut(self, data: bytes, _: list[bytes]) -> bytes:
        start, end = sorted((self._place(data), self._place(data)))
        return data[:start] + data[end:] if self._random.random() < 0.7 else data[start:end]

    def _double(self, data: bytes, _: list[bytes]) -> bytes:
        """Give a piece twice, or very often: a key again, a header again, a body again."""
        start = self._place(data)
        piece = data[start : start + self._random.choice((1, 8, 40, 200, len(data)))]
        times = self._random.choice((1, 1, 1, 2, 50)) if len(piece) < 2000 else 1
        return data[:start] + piece * times + data[start:]

    def _cross(self, data: bytes, corpus: list[bytes]) -> bytes:
        other = self._random.choice(corpus)
        return data[: self._place(data)] + other[self._place(other) :]

    def _encode(self, data: bytes, _: list[bytes]) -> bytes:
        text = data.decode("utf-8", "replace")
        return text.encode(self._random.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7")))

    def _grow(self, data: bytes, _: list[bytes]) -> bytes:
        """Come near the limits, on both sides."""
        size = self._random.choice((4096, 16 * 1024, 256 * 1024)) + self._random.randrange(-2, 3)
        filler = self._random.choice((b" ", b"0", b"a", b"[", b",v9=x", b'"a":1,'))
        at = self._place(data)
        missing = max(0, size - len(data))
        return data[:at] + (filler * (missing // len(filler) + 1))[:missing] + data[at:]

    # Growing is slow for whoever reads it, so it is drawn seldom.
    _WAYS = (
        *[_flip] * 12, *[_any_byte] * 12, *[_insert] * 20, *[_replace] * 40, *[_swap] * 24, *[_cut] * 12, *[_double] * 10, *[_cross] * 10,
        *[_encode] * 3, _grow,
    )  # fmt: skip
