"""The kernel's half of the record of what a process of it printed last, and how that is laid out.

What a process prints is in its memory for a moment: in the buffers of its streams, and in ZMQ's
queue. If it is killed or crashes then, the agent finds here what has not come by iopub
(`written_file`). The process has mapped the file, so that a print costs no system call.

For each stream there is a region: how many bytes it was given in all and how often the request
changed, a table of the headers of the latest requests, a ring of spans (from which byte on which
request printed), and a ring of the last bytes.

The process may end between any two statements here, and be interrupted there and go on: what the
agent reads then lacks something, and gives no text to another request.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Hashable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

FILE_NAME = "written"
"""Beside the file of the credit."""
TEXT_BYTES = {"stdout": 8 * 2**20, "stderr": 2**20}
"""How much of each stream is kept."""
NAMES = 64
"""So many requests are known by their headers."""
NAME_BYTES = 2048
NAME_HEAD = 16
"""What precedes a header: the number of the request, and the header's length."""
SPANS = 4096
SPAN_BYTES = 16
"""The first byte of the stream, and the number of the request that printed from there on."""
NAMES_AT = 16
"""What precedes the table: how many bytes the stream was given, and how many spans there were."""
SPANS_AT = NAMES_AT + NAMES * NAME_BYTES
TEXT_AT = SPANS_AT + SPANS * SPAN_BYTES
_PIECE = 2**16
"""Characters that are written at once."""
_PIECE_BYTES = 4 * _PIECE
RING_BYTES = {stream: kept + _PIECE_BYTES for stream, kept in TEXT_BYTES.items()}
"""A piece that is being written when the process ends has replaced nothing that is kept."""
FILE_BYTES = sum(TEXT_AT + ring for ring in RING_BYTES.values())
_WORD = 8

_REPLY = ("msg_id", "session", "username", "date", "msg_type", "version")
"""What a reply needs of a header."""
_CUT = 32
"""Characters of a value that is too long; a date has as many."""


def region_at(stream: str) -> int:
    """Where the region of a stream begins in the file."""
    streams = list(TEXT_BYTES)
    return sum(TEXT_AT + RING_BYTES[one] for one in streams[: streams.index(stream)])


class WrittenRegion:
    """The region of one stream, as the process writes it. The caller has a lock."""

    def __init__(self, mapped: memoryview, stream: str) -> None:
        """`mapped` is the whole file."""
        begin, self._ring = region_at(stream), RING_BYTES[stream]
        self._table = mapped[begin : begin + TEXT_AT]
        self._text = mapped[begin + TEXT_AT : begin + TEXT_AT + self._ring]
        # A word is written as a whole.
        self._words = self._table.cast("Q")
        self._parent: Mapping[str, Any] | None = None
        self._spans = 0
        self._named = 0
        """The number of the latest request that was given one; the first one has 1."""
        self._numbers: dict[Hashable, int] = {}
        """By the `msg_id` of the request; those whose headers stay for now."""
        self._in_slots: list[Hashable] = [None] * NAMES
        self.written = 0
        """How many bytes the stream was given."""

    def write(self, parent: Mapping[str, Any], text: str) -> None:
        """The stream is given a text while the request with this header runs."""
        if parent is not self._parent:
            self._change(parent)
        size = len(text)
        if size > _PIECE:
            # A copy of all of it may be more than there is memory for.
            for at in range(0, size, _PIECE):
                self._put(_encoded(text[at : at + _PIECE]))
        else:
            self._put(_encoded(text))

    def _put(self, data: bytes) -> None:
        at = self.written % self._ring
        end = at + len(data)
        if end <= self._ring:
            self._text[at:end] = data
        else:
            first = self._ring - at
            self._text[at:] = data[:first]
            self._text[: end - self._ring] = data[first:]
        self.written += len(data)
        self._words[0] = self.written

    def _change(self, parent: Mapping[str, Any]) -> None:
        request = parent.get("msg_id", "")
        number = self._numbers.get(request) or self._name(request, parent)
        at = (SPANS_AT + self._spans % SPANS * SPAN_BYTES) // _WORD
        # In this order: with the first of them, what was here before has no text any more.
        self._words[at] = self.written
        self._words[at + 1] = number
        self._spans += 1
        self._words[1] = self._spans
        self._parent = parent

    def _name(self, request: Hashable, parent: Mapping[str, Any]) -> int:
        header = short_header(parent)
        number = self._named + 1
        # Whose turn it is next goes now: so what prints when a header is replaced is another one.
        leaves = self._in_slots[(number + 1) % NAMES]
        if self._numbers.get(leaves) == number + 1 - NAMES:
            del self._numbers[leaves]
        begin = NAMES_AT + number % NAMES * NAME_BYTES
        word = begin // _WORD
        self._words[word] = 0
        self._words[word + 1] = len(header)
        self._table[begin + NAME_HEAD : begin + NAME_HEAD + len(header)] = header
        self._words[word] = number
        # No other request gets this number, whatever is interrupted from here on.
        self._named = number
        self._in_slots[number % NAMES] = request
        self._numbers[request] = number
        return number


def short_header(parent: Mapping[str, Any]) -> bytes:
    """A header as JSON, cut down to what a reply needs, and to what there is room for."""
    header = dict(parent)
    for cut in ((), _REPLY[2:], _REPLY[1:], _REPLY):
        packed = json.dumps(header, default=_time, ensure_ascii=False)
        if len(packed) <= NAME_BYTES and len(data := _encoded(packed)) <= NAME_BYTES - NAME_HEAD:
            return data
        header = {name: parent[name] for name in _REPLY if name in parent}
        header |= {name: _cut(header[name]) for name in cut if name in header}
    return _encoded(json.dumps(header, ensure_ascii=False))


def _cut(value: object) -> str:
    return (value if isinstance(value, str) else _time(value))[:_CUT]


def _encoded(text: str) -> bytes:
    try:
        # Half of the time that it takes with a name of what is done with errors.
        return text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace")


def _time(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def mapped_by_kernel(path: Path) -> memoryview | None:
    """The agent's file, as the process maps it; None if the agent has made none."""
    try:
        with path.open("r+b") as file:
            return memoryview(mmap.mmap(file.fileno(), FILE_BYTES))
    except (OSError, ValueError):
        return None
