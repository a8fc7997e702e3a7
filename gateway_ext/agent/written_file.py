"""The agent's half of the record of what a process of the kernel printed last.

`written_region` has the layout. The kernel's user may have written anything to the file.
"""

from __future__ import annotations

import codecs
import json
import logging
import os
import struct
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import NoReturn

from .sent_output import Sent, SentOutput
from .written_region import (
    FILE_BYTES,
    NAME_BYTES,
    NAME_HEAD,
    NAMES,
    NAMES_AT,
    RING_BYTES,
    SPAN_BYTES,
    SPANS,
    SPANS_AT,
    TEXT_AT,
    TEXT_BYTES,
    region_at,
)

_TWO_WORDS = struct.Struct("=QQ")
_MESSAGE_BYTES = 2**19
"""What of a text is published in one message."""

_log = logging.getLogger("fleet.agent")


@dataclass(frozen=True)
class Unsent:
    """A text that has not come by iopub; `parent` is the header of its request as JSON."""

    stream: str
    parent: bytes
    text: str


@dataclass
class Rest:
    """What of the text of one request has not come."""

    parent: bytes
    ranges: list[tuple[int, int, int]] = field(default_factory=list)
    """How many bytes are missing, and from which and up to which byte of the stream there are some
    then."""

    def add(self, lost: int, low: int, high: int) -> None:
        """So many bytes are missing; then those from `low` up to `high` are there."""
        if self.ranges and self.ranges[-1][1] == self.ranges[-1][2]:
            lost += self.ranges.pop()[0]
        self.ranges.append((lost, low, max(low, high)))


class WrittenFile:
    """The file of one process of the kernel, made and read by the agent."""

    def __init__(self, path: Path) -> None:
        """Make the file anew. Its blocks are there from the start: writing to a mapping for which a
        disk has no room ends a process. Blocks; raises OSError."""
        path.unlink(missing_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        weakref.finalize(self, os.close, self._file).atexit = False
        try:
            os.posix_fallocate(self._file, 0, FILE_BYTES)
        except OSError:
            path.unlink()
            raise

    def unsent(self, sent: SentOutput) -> Iterator[Unsent]:
        """What the process, which has ended, has written and not sent. Blocks at each step."""
        try:
            for stream in TEXT_BYTES:
                yield from self._unsent(stream, sent.of(stream))
        except OSError as error:
            _log.warning("what the kernel printed last cannot be read: %s", error)

    def _unsent(self, stream: str, sent: Sent) -> Iterator[Unsent]:
        begin = region_at(stream)
        table = os.pread(self._file, TEXT_AT, begin)
        if len(table) < TEXT_AT:
            return

        def read(low: int, high: int) -> bytes:
            """These bytes of the stream."""
            ring = RING_BYTES[stream]
            first = min(high - low, ring - low % ring)
            data = os.pread(self._file, first, begin + TEXT_AT + low % ring)
            return data + os.pread(self._file, high - low - first, begin + TEXT_AT)

        for rest in rests(table, TEXT_BYTES[stream], sent):
            for text in _texts(rest, read):
                yield Unsent(stream, rest.parent, text)


def open_written(path: Path) -> WrittenFile | None:
    """The file, or None where none can be written: what a process says in the moment of its death
    is then lost. Blocks."""
    try:
        return WrittenFile(path)
    except OSError as error:
        _log.warning("what the kernel prints in the moment of its death may be lost: %s", error)
        return None


def rests(table: bytes, kept: int, sent: Sent) -> list[Rest]:
    """What of each request has not come, by the part of a region that precedes the text, of which
    the last `kept` bytes are there."""
    written, count = _TWO_WORDS.unpack_from(table)
    names = dict(_names(table))
    spans = _spans(table, count)
    begin = max(sent.before, written - kept)
    found: dict[str, Rest] = {}
    known = None
    # What was printed before the first span that is known was printed by nobody knows whom.
    lost = max(0, min(spans[0][0], written) - sent.before) if spans else 0
    for (start, number), (end, _) in pairwise([*spans, (written, 0)]):
        low, high = max(start, sent.before), min(end, written)
        if number in names:
            known = names[number]
            low = max(low, sent.has(known[0]))
        if low >= high:
            continue
        if number not in names:
            lost += high - low
            continue
        lost += max(0, min(high, begin) - low)
        low = max(low, begin)
        request, parent = names[number]
        found.setdefault(request, Rest(parent)).add(lost, low, high)
        lost = 0
    if lost and known is not None:
        request, parent = known
        found.setdefault(request, Rest(parent)).add(lost, written, written)
    return list(found.values())


def _names(table: bytes) -> Iterator[tuple[int, tuple[str, bytes]]]:
    """The numbers of the requests that are known, with their ids and headers."""
    for slot in range(NAMES):
        at = NAMES_AT + slot * NAME_BYTES
        number, length = _TWO_WORDS.unpack_from(table, at)
        if number % NAMES != slot or length > NAME_BYTES - NAME_HEAD:
            continue
        header = table[at + NAME_HEAD : at + NAME_HEAD + length]
        try:
            parsed = json.loads(header.decode(), parse_constant=_no_json)
        except (ValueError, RecursionError):
            continue
        if isinstance(parsed, dict):
            yield number, (str(parsed.get("msg_id", "")), header)


def _no_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _spans(table: bytes, count: int) -> list[tuple[int, int]]:
    """From which byte on the request with which number has printed, in order."""
    kept = (
        _TWO_WORDS.unpack_from(table, SPANS_AT + number % SPANS * SPAN_BYTES)
        for number in range(max(0, count - SPANS), count)
    )
    # Of two from the same byte on the later one holds.
    return sorted(kept, key=itemgetter(0))


def _texts(rest: Rest, read: Callable[[int, int], bytes]) -> Iterator[str]:
    """The text, in pieces for one message each."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = ""
    for lost, begin, end in rest.ranges:
        if lost:
            text += f"[{lost} bytes that were printed just before are missing]\n"
        for low in range(begin, end, _MESSAGE_BYTES):
            text += decoder.decode(read(low, min(low + _MESSAGE_BYTES, end)))
            if len(text) >= _MESSAGE_BYTES:
                yield text
                text = ""
    text += decoder.decode(b"", True)
    if text:
        yield text
