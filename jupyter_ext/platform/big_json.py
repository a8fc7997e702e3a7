"""JSON of big documents, parsed and written on a thread without stopping the other threads.

`json.loads` and `json.dumps` run in C and keep the interpreter's lock from the first byte to the
last: 16 MB of numbers stop the event loop for 300 ms, whichever thread parses them. Python code
gives the lock up every 5 ms, so here Python code makes the values.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from json import scanner
from typing import Any

_MANY_QUOTES = 200_000
"""json's C scanner calls Python code for numbers and objects, but not for strings: with so many of
them (0.5 us each) it would keep the lock too long."""


class BigDecoder(json.JSONDecoder):
    """A decoder for `json.loads(text, cls=BigDecoder)`.

    Compared with the stock one, numbers take 1.3 times as long, and documents with many strings 3
    times.
    """

    def __init__(self) -> None:
        super().__init__(parse_float=_float, parse_int=_int, object_pairs_hook=_object)

    def decode(self, s: str, *arguments: Any) -> Any:
        """The value of a text; raises ValueError, also for what is nested too deeply to parse."""
        if s.count('"') > _MANY_QUOTES:
            self.scan_once = scanner.py_make_scanner(self)  # type: ignore[attr-defined]
        try:
            return super().decode(s, *arguments)
        except RecursionError:
            raise ValueError("the JSON is nested too deeply") from None


def loads(body: bytes) -> Any:
    """The value of a UTF-8 text; raises ValueError."""
    return json.loads(body.decode(), cls=BigDecoder)


def dumps(value: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    """What `json.dumps` writes, as bytes."""
    # Only the encoder's `encode` uses C for the whole value.
    return "".join(json.JSONEncoder(default=default).iterencode(value)).encode()


# In Python, unlike `float`, `int` and `dict`, so that the scanner gives the lock up here.
def _float(text: str) -> float:
    return float(text)


def _int(text: str) -> int:
    return int(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value for key, value in pairs}  # noqa: C416
