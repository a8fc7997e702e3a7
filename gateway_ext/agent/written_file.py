"""What one process of the kernel has printed last, in a file that outlives it.

What a process prints is in its memory for a moment: in the buffers of its streams, and in ZMQ's
queue. If it is killed or crashes then, the agent finds here what has not come by iopub. The process
has mapped the file, so that a print costs no system call.

For each stream there is a region: how many bytes it was given in all, a table of the headers of the
requests during which, and a ring of the last bytes.
"""

from __future__ import annotations

import json
import logging
import mmap
import os
import struct
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

FILE_NAME = "written"
"""Beside the file of the credit."""
STREAMS = ("stdout", "stderr")
TEXT_BYTES = 2**20
"""How much of each stream is kept. One with half as many characters is sent at once."""
WRITTEN = "fleet_written"
"""The field of a stream message's metadata that says what has come with it: `[stream, bytes]`, all
bytes that the stream was given until then."""
_HEAD = struct.Struct("=QQ")
"""How many bytes the stream was given, and how many headers were written."""
_NAMES = 64
_NAME_BYTES = 512
_NAME = struct.Struct("=QH")
"""From which byte on a header holds, and its length."""
_TEXT = _HEAD.size + _NAMES * _NAME_BYTES
_REGION = _TEXT + TEXT_BYTES
_PIECE = 2**16
"""Characters that are written at once."""
FILE_BYTES = len(STREAMS) * _REGION

_log = logging.getLogger("fleet.agent")


class WrittenRegion:
    """The region of one stream, as the process writes it. The caller has a lock."""

    def __init__(self, mapped: memoryview, stream: str) -> None:
        """`mapped` is the whole file."""
        begin = STREAMS.index(stream) * _REGION
        self._region = mapped[begin : begin + _REGION]
        self._text = self._region[_TEXT:]
        self._head = self._region[: _HEAD.size].cast("Q")
        self._parent: Mapping[str, Any] | None = None
        self.written = 0
        """How many bytes the stream was given."""

    def write(self, parent: Mapping[str, Any], text: str) -> None:
        """The stream is given a text while the request with this header runs."""
        if parent is not self._parent:
            self._name(parent)
        size = len(text)
        if size > _PIECE:
            # A copy of all of it may be more than there is memory for.
            for at in range(0, size, _PIECE):
                self._put(_encoded(text[at : at + _PIECE]))
        else:
            self._put(_encoded(text))

    def _put(self, data: bytes) -> None:
        at = self.written % TEXT_BYTES
        end = at + len(data)
        if end <= TEXT_BYTES:
            self._text[at:end] = data
        else:
            self._wrap(data)
        self.written += len(data)
        self._head[0] = self.written

    def _wrap(self, data: bytes) -> None:
        kept = data[-TEXT_BYTES:]
        at = (self.written + len(data) - len(kept)) % TEXT_BYTES
        first = min(len(kept), TEXT_BYTES - at)
        self._text[at : at + first] = kept[:first]
        self._text[: len(kept) - first] = kept[first:]

    def _name(self, parent: Mapping[str, Any]) -> None:
        header = json.dumps(dict(parent), default=_time).encode()
        if len(header) > _NAME_BYTES - _NAME.size:
            header = b"{}"
        at = _HEAD.size + self._head[1] % _NAMES * _NAME_BYTES
        _NAME.pack_into(self._region, at, self.written, len(header))
        self._region[at + _NAME.size : at + _NAME.size + len(header)] = header
        self._head[1] += 1
        self._parent = parent


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


@dataclass(frozen=True)
class Unsent:
    """A text that has not come by iopub; `parent` is the header of its request as JSON."""

    stream: str
    parent: bytes
    text: str


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

    def unsent(self, sent: Mapping[str, int]) -> list[Unsent]:
        """What the process, which has ended, has written and not sent. `sent` says how many bytes
        of each stream have come by iopub. Blocks."""
        found = []
        for number, stream in enumerate(STREAMS):
            try:
                region = os.pread(self._file, _REGION, number * _REGION)
            except OSError as error:
                _log.warning("what the kernel printed last cannot be read: %s", error)
                break
            # The kernel's user may have written anything to the file.
            if len(region) == _REGION:
                found += unsent(region, stream, sent.get(stream, 0))
        return found


def open_written(path: Path) -> WrittenFile | None:
    """The file, or None where none can be written: what a process says in the moment of its death
    is then lost. Blocks."""
    try:
        return WrittenFile(path)
    except OSError as error:
        _log.warning("what the kernel prints in the moment of its death may be lost: %s", error)
        return None


def unsent(region: bytes, stream: str, sent: int) -> list[Unsent]:
    """The texts in a region behind its first `sent` bytes, one for each request."""
    written, count = _HEAD.unpack_from(region)
    kept = range(max(0, count - _NAMES), count)
    # Of two headers from the same byte on the later one holds.
    names = sorted((_name(region, number) for number in kept), key=itemgetter(0))
    if written <= sent or not names:
        return []
    begin = max(sent, written - TEXT_BYTES, names[0][0])
    found = []
    for at, (start, parent) in enumerate(names):
        end = names[at + 1][0] if at + 1 < len(names) else written
        low, high = max(start, begin), min(end, written)
        if low < high:
            found.append(Unsent(stream, parent, _decoded(region, low, high)))
    if found and begin > sent:
        first = found[0]
        text = f"[{begin - sent} bytes that were printed just before are missing]\n{first.text}"
        found[0] = Unsent(stream, first.parent, text)
    return found


def _name(region: bytes, number: int) -> tuple[int, bytes]:
    at = _HEAD.size + number % _NAMES * _NAME_BYTES
    start, length = _NAME.unpack_from(region, at)
    header = region[at + _NAME.size : at + min(_NAME.size + length, _NAME_BYTES)]
    try:
        is_header = isinstance(json.loads(header), dict)
    except (ValueError, RecursionError):
        is_header = False
    return start, header if is_header else b"{}"


def _decoded(region: bytes, low: int, high: int) -> str:
    ring = region[_TEXT:]
    at, end = low % TEXT_BYTES, (high - 1) % TEXT_BYTES + 1
    data = ring[at:end] if at < end else ring[at:] + ring[:end]
    return data.decode(errors="replace")


class SentOutput:
    """How much of what one process has written has come by iopub."""

    def __init__(self) -> None:
        self.bytes: dict[str, int] = {}
        """Of each stream."""

    def heard(self, parts: list[bytes]) -> None:
        """A stream message has come, with these parts from the header on: take out what is said to
        the agent alone."""
        if parts[2] == b"{}":
            return
        try:
            metadata = json.loads(parts[2])
            stream, size = metadata.pop(WRITTEN)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return
        parts[2] = json.dumps(metadata).encode() if metadata else b"{}"
        if stream in STREAMS and isinstance(size, int):
            self.bytes[stream] = max(size, self.bytes.get(stream, 0))
