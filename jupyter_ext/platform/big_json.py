"""JSON of big documents, parsed and written on a thread without stopping the other threads.

`json.loads` and `json.dumps` run in C and hold the GIL from the first byte to the last: 16 MB of
numbers stop the event loop for 300 ms, whichever thread parses them. Python code releases the GIL
every 5 ms, so the values are created in Python code here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from json import encoder, scanner
from math import isfinite
from typing import Any

_MANY_QUOTES = 200_000
"""json's C scanner calls Python code for numbers and objects, but not for strings: with this many
of them (0.5 us each) it would hold the GIL too long."""

_RUN = 256
"""Numbers that are written at once: in 0.1 ms, or 3 ms with as many digits as Python allows."""
_NUMBERS = frozenset((int, float, bool, type(None)))

INDENTED_LEVELS = 32
"""Levels of arrays and objects that are indented: notebooks with plots have about 15."""


class BigDecoder(json.JSONDecoder):
    """A decoder for `json.loads(text, cls=BigDecoder)`.

    Compared with the stock one, numbers take 1.3 times as long, and documents with many strings 3
    times.
    """

    def __init__(self) -> None:
        super().__init__(parse_float=_float, parse_int=_int, object_pairs_hook=_object)

    def decode(self, s: str, *arguments: Any) -> Any:
        """The value of a text; raises ValueError, also if it is nested too deeply to parse."""
        if s.count('"') > _MANY_QUOTES:
            self.scan_once = scanner.py_make_scanner(self)  # type: ignore[attr-defined]
        try:
            return super().decode(s, *arguments)
        except RecursionError:
            raise ValueError("the JSON is nested too deeply") from None


def loads(body: bytes) -> Any:
    """The value of a UTF-8 text; raises ValueError."""
    return json.loads(body.decode(), cls=BigDecoder)


class BigEncoder(json.JSONEncoder):
    """An encoder for `json.dumps(value, cls=BigEncoder)`, which writes the same text.

    The stock encoder, in Python, passes each value through one generator per nesting level. Here
    the time is linear in the number of values, and only runs of `_RUN` numbers are written in C.

    With `indent`, values nested deeper than `INDENTED_LEVELS` are written in one line: indented, a
    million numbers in 400 levels (2 MB without spaces) would be 400 MB.
    """

    def encode(self, o: Any) -> str:
        """The text of a value; raises ValueError or TypeError for what JSON cannot express."""
        return "".join(self.iterencode(o))

    def iterencode(self, o: Any, _one_shot: bool = False) -> Iterator[str]:
        """The text of a value in pieces."""
        text = encoder.encode_basestring_ascii if self.ensure_ascii else encoder.encode_basestring
        opened: list[_Opened] = [_Opened(iter([("", o)]), "", id(None), 0)]
        inside: set[int] = set()
        while opened:
            level = opened[-1].level
            for before, value in opened[-1].members:
                yield before
                kind = type(value)
                if kind is str:
                    yield text(value)
                elif kind is _Written:
                    yield value.text
                elif kind in _NUMBERS or isinstance(value, int | float):
                    yield self._number(value)
                elif isinstance(value, str):
                    yield text(value)
                elif isinstance(value, dict | list | tuple) and not value:
                    yield "{}" if isinstance(value, dict) else "[]"
                else:
                    if id(value) in inside:
                        raise ValueError("Circular reference detected")
                    inside.add(id(value))
                    opened.append(self._open(value, level, text))
                    break
            else:
                done = opened.pop()
                inside.discard(done.id)
                yield done.end

    def _open(self, value: Any, level: int, text: Callable[[str], str]) -> _Opened:
        if not isinstance(value, dict | list | tuple):
            # It is kept until its members are written: ids of values that are gone return.
            return _Opened(iter([("", self.default(value))]), "", id(value), level, value)
        inner = outer = ""
        if self.indent is not None and level < INDENTED_LEVELS:
            step = self.indent if isinstance(self.indent, str) else " " * self.indent
            inner, outer = "\n" + step * (level + 1), "\n" + step * level
        separator = self.item_separator + inner
        if isinstance(value, dict):
            members = self._members(value, "{" + inner, separator, text)
            return _Opened(members, outer + "}", id(value), level + 1, value)
        items = self._items(value, "[" + inner, separator)
        return _Opened(items, outer + "]", id(value), level + 1, value)

    def _members(
        self, value: dict[Any, Any], before: str, separator: str, text: Callable[[str], str]
    ) -> Iterator[tuple[str, Any]]:
        members = sorted(value.items()) if self.sort_keys else value.items()
        for key, member in members:
            name = key if isinstance(key, str) else self._name(key)
            yield before + text(name) + self.key_separator, member
            before = separator

    def _name(self, key: Any) -> str:
        if key is None or isinstance(key, int | float):
            return self._number(key)
        raise TypeError(f"keys must be str, int, float, bool or None, not {type(key).__name__}")

    def _items(self, value: Any, before: str, separator: str) -> Iterator[tuple[str, Any]]:
        in_c = json.JSONEncoder(allow_nan=self.allow_nan, separators=(separator, ""))
        for start in range(0, len(value), _RUN):
            run = value[start : start + _RUN]
            if len(run) > 1 and _NUMBERS.issuperset(map(type, run)):
                yield before, _Written(in_c.encode(run)[1:-1])
                before = separator
            else:
                for item in run:
                    yield before, item
                    before = separator

    def _number(self, value: Any) -> str:
        if value is None:
            return "null"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return int.__repr__(value)
        if isfinite(value):
            return float.__repr__(value)
        return json.JSONEncoder(allow_nan=self.allow_nan).encode(float(value))


@dataclass(slots=True)
class _Opened:
    """An array or object that is partly written: its members, each with the text before it; the
    text after the last one; and the nesting level of its members."""

    members: Iterator[tuple[str, Any]]
    end: str
    id: int
    level: int
    value: Any = None


@dataclass(slots=True)
class _Written:
    """Members that are written already."""

    text: str


def dumps(value: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    """What `json.dumps` writes, as bytes."""
    return BigEncoder(default=default).encode(value).encode()


# In Python, unlike `float`, `int` and `dict`, so that the scanner can release the GIL here.
def _float(text: str) -> float:
    return float(text)


def _int(text: str) -> int:
    return int(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value for key, value in pairs}  # noqa: C416
