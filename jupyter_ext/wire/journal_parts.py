"""Parts of a kernel's journal, as its agent sends them to be kept outside of its container.

    b"fltpart1", >II length of the header and of what follows it; the header:
    JSON {journal, first, last, raw, missing, requests, process, reason, complete, behind};
    then, compressed with zlib, records: >QI number and length of a message, the message (v1 layout)

A part is about all messages from `first` to `last`; the next one begins with `last` + 1. Parts one
after the other in one piece of bytes can be read as well as each alone. What is in them comes from
code of users: nothing in it is believed.
"""

from __future__ import annotations

import json
import math
import re
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

MOST_RAW_BYTES = 8 * 2**20
"""Of the records of a part. A message that is longer by itself is in no part."""
MOST_MESSAGES = 65_536
"""Of a part: several times what kernels can say in so many bytes."""
MOST_HEADER_BYTES = 256 * 1024
MOST_PART_BYTES = MOST_RAW_BYTES + MOST_HEADER_BYTES + 2**16
"""Of a whole part: messages that do not shrink are a little longer when they are compressed."""
MOST_NUMBER = 2**63 - 1
"""As many as a column of a database can have."""

_MAGIC = b"fltpart1"
_LENGTHS = struct.Struct(">II")
_RECORD = struct.Struct(">QI")
_HEAD = len(_MAGIC) + _LENGTHS.size
_JOURNAL = re.compile(r"[0-9a-f]{32}\Z")


class PartError(ValueError):
    """Bytes that are no part of a journal; the text says why."""


@dataclass(frozen=True)
class PartHeader:
    """What a part says about itself."""

    journal: str
    """The id of the journal, 32 hexadecimal digits."""
    first: int
    last: int
    missing: Sequence[Sequence[int]] = field(default=())
    """First and last numbers of messages that the agent had no longer, or that are too long."""
    requests: Sequence[Mapping[str, Any]] = field(default=())
    """The records of requests that had not ended."""
    process: str = ""
    """What the kernel's process did: `running`, `dead`, …"""
    reason: str = ""
    """Why, if the process has ended."""
    complete: bool = False
    """Whether the kernel has ended and nothing follows."""
    behind: bool = False
    """Whether the kernel had said more by then: where the agent's way to the store is slower."""


def pack_part(header: PartHeader, messages: Sequence[tuple[int, bytes]]) -> bytes:
    """A part with these numbered messages. Blocks for some 10 ms."""
    pieces = []
    for number, message in messages:
        pieces += [_RECORD.pack(number, len(message)), message]
    raw = b"".join(pieces)
    said = json.dumps(
        {
            "journal": header.journal,
            "first": header.first,
            "last": header.last,
            "raw": len(raw),
            "missing": [list(run) for run in header.missing],
            "requests": list(header.requests),
            "process": header.process,
            "reason": header.reason,
            "complete": header.complete,
            "behind": header.behind,
        }
    ).encode()
    stored = zlib.compress(raw, 1)
    return b"".join([_MAGIC, _LENGTHS.pack(len(said), len(stored)), said, stored])


def check_part(part: bytes) -> PartHeader:
    """The header of bytes that must be exactly one part, whose messages are not looked at; raises
    PartError."""
    found = _part(part, 0)
    if found.end != len(part):
        raise PartError(f"it has {len(part)} bytes instead of {found.end}")
    return found.header


class Part(NamedTuple):
    """A part in some bytes: what is compressed is from `start` to `end`."""

    header: PartHeader
    raw_bytes: int
    start: int
    end: int


def parts_in(data: bytes) -> Iterator[Part]:
    """The parts in `data`, one after the other, up to the first one whose header cannot be read."""
    place = 0
    while place < len(data):
        try:
            found = _part(data, place)
        except PartError:
            return
        yield found
        place = found.end


def messages_of(data: bytes, part: Part) -> list[tuple[int, bytes]]:
    """The numbered messages of a part that is in `data`; raises PartError if they cannot be read.
    Blocks."""
    raw = _decompressed(data[part.start : part.end], part.raw_bytes)
    return list(_records(raw, part.header))


def _part(data: bytes, place: int) -> Part:
    """The part at `place`."""
    if data[place : place + len(_MAGIC)] != _MAGIC or len(data) < place + _HEAD:
        raise PartError("it does not begin like a part of a journal")
    said, stored = _LENGTHS.unpack_from(data, place + len(_MAGIC))
    start = place + _HEAD + said
    if said > MOST_HEADER_BYTES or start + stored > len(data):
        raise PartError("it is shorter than it says, or its header is too long")
    try:
        header = json.loads(
            data[place + _HEAD : start], parse_constant=_refused, parse_float=_finite
        )
        raw_bytes = _number(header, "raw", 0)
        found = PartHeader(
            journal=str(header["journal"]),
            first=_number(header, "first", 1),
            last=_number(header, "last", 1),
            missing=[(int(start), int(end)) for start, end in header["missing"]],
            requests=[one for one in list(header["requests"]) if isinstance(one, dict)],
            process=_text(header["process"])[:32],
            reason=_text(header["reason"])[:2000],
            complete=header["complete"] is True,
            # Agents of the version before do not say it.
            behind=header.get("behind") is True,
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise PartError(f"its header cannot be read: {error!r}") from error
    if raw_bytes > MOST_RAW_BYTES or found.first > found.last:
        raise PartError("its header has numbers that no part has")
    if not _JOURNAL.match(found.journal):
        raise PartError("its journal's id does not have 32 hexadecimal digits")
    return Part(found, raw_bytes, start, start + stored)


def _number(header: Mapping[str, Any], name: str, least: int) -> int:
    value = header[name]
    if type(value) is not int or not least <= value <= MOST_NUMBER:
        raise ValueError(f"{name} is {value!r}")
    return value


def _refused(name: str) -> float:
    """Not JSON, though Python writes and reads it: browsers do not."""
    raise ValueError(f"{name} is no number")


def _finite(digits: str) -> float:
    """Python reads 1e999 as infinity, and writes that as no JSON."""
    value = float(digits)
    return value if math.isfinite(value) else _refused(digits)


def _text(value: Any) -> str:
    """As text that can be encoded: JSON may have halves of characters."""
    return str(value).encode(errors="replace").decode()


def _decompressed(stored: bytes, raw_bytes: int) -> bytes:
    try:
        # One more than there should be, since 0 would mean any number.
        raw = zlib.decompressobj().decompress(stored, raw_bytes + 1)
    except zlib.error as error:
        raise PartError(f"it cannot be decompressed: {error}") from error
    if len(raw) != raw_bytes:
        raise PartError("its records have another length than it says")
    return raw


def _records(raw: bytes, header: PartHeader) -> Iterator[tuple[int, bytes]]:
    place, before, count = 0, header.first - 1, 0
    while place < len(raw):
        if place + _RECORD.size > len(raw):
            raise PartError("it ends in the middle of a record")
        number, length = _RECORD.unpack_from(raw, place)
        place += _RECORD.size
        count += 1
        if not before < number <= header.last or place + length > len(raw):
            raise PartError("a record does not belong to it")
        if count > MOST_MESSAGES:
            raise PartError(f"it has more than {MOST_MESSAGES} messages")
        before = number
        yield number, raw[place : place + length]
        place += length
