"""The format of a segment: a run of the journal's entries in one file.

    header    b"fltsegm1", >I length, JSON {format, journal, kernel, first, codec}
    block     >IIIQI stored length, crc32 of what is stored, raw length, first number, count;
              then the stored bytes: compressed, or raw if stored and raw length are equal
    …
    footer    >IIIQI length, crc32, length, 0, 0; then JSON {blocks: [[offset, first, count], …]}
    trailer   >Q offset of the footer, b"fltsegmE"

The raw bytes of a block are records: >QBHI number, reach, length of the session, length of the
message; then session (UTF-8) and message (v1 layout). A segment without its end, because what wrote
it was killed, is read up to its last complete block.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway_ext.agent.entry import Audience, Entry, Reach

from .codec import Codec, CodecError

FORMAT = 1
BLOCK_BYTES = 256 * 1024
"""Raw bytes of a block; a longer message has a block of its own."""

_MAGIC, _END = b"fltsegm1", b"fltsegmE"
_LENGTH = struct.Struct(">I")
_BLOCK = struct.Struct(">IIIQI")
_RECORD = struct.Struct(">QBHI")
_TRAILER = struct.Struct(f">Q{len(_END)}s")
BLOCK_HEADER_BYTES = _BLOCK.size


class SegmentError(ValueError):
    """Bytes that are not (or no longer) a part of a segment; the text says why."""


class Header(NamedTuple):
    """What is at the beginning of a segment. `first` is the number of its first entry."""

    journal: str
    kernel: str
    first: int
    codec: str


@dataclass(frozen=True)
class Block:
    """Where a block is, and what is in it. `end` is the offset of what follows it."""

    offset: int
    end: int
    crc: int
    raw_bytes: int
    first: int
    count: int

    @property
    def is_footer(self) -> bool:
        """Whether it is the footer, after which no block comes."""
        return self.count == 0

    @property
    def is_raw(self) -> bool:
        """Whether it was stored as it was."""
        return self.end - self.offset - BLOCK_HEADER_BYTES == self.raw_bytes


def pack_header(header: Header) -> bytes:
    """The bytes with which a segment begins."""
    document = json.dumps({"format": FORMAT, **header._asdict()}).encode()
    return _MAGIC + _LENGTH.pack(len(document)) + document


def unpack_header(data: bytes) -> tuple[Header, int]:
    """The header of the segment that begins with `data`, and its length; raises SegmentError."""
    start = len(_MAGIC) + _LENGTH.size
    if len(data) < start or not data.startswith(_MAGIC):
        raise SegmentError("it does not begin as a segment does")
    (length,) = _LENGTH.unpack_from(data, len(_MAGIC))
    try:
        document = json.loads(data[start : start + length])
        if document["format"] != FORMAT:
            raise SegmentError(f"segments of format {document['format']!r} are not known here")
        header = Header(
            str(document["journal"]),
            str(document["kernel"]),
            int(document["first"]),
            str(document["codec"]),
        )
    except SegmentError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise SegmentError(f"its header cannot be read: {error}") from error
    return header, start + length


def in_blocks(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """The entries in pieces of at most BLOCK_BYTES, or of one entry."""
    block: list[Entry] = []
    size = 0
    for entry in entries:
        length = record_bytes(entry)
        if block and size + length > BLOCK_BYTES:
            yield block
            block, size = [], 0
        block.append(entry)
        size += length
    if block:
        yield block


def record_bytes(entry: Entry) -> int:
    """How long an entry's record is."""
    return _RECORD.size + len(entry.audience.session.encode()) + len(entry.message)


def pack_block(entries: Sequence[Entry], codec: Codec | None) -> tuple[bytes, int]:
    """A block of at least one entry, and its raw length; stored raw without a codec, and if it does
    not shrink."""
    pieces = []
    for number, (reach, session), message in entries:
        name = session.encode()
        pieces += [_RECORD.pack(number, reach, len(name), len(message)), name, message]
    stored = raw = b"".join(pieces)
    raw_bytes = len(raw)
    if codec is not None and len(shrunk := codec.compress(raw)) < raw_bytes:
        stored = shrunk
    # A block may be one message of any length, and is copied once more.
    del raw
    return _pack(stored, raw_bytes, entries[0].sequence, len(entries)), raw_bytes


def _pack(stored: bytes, raw_bytes: int, first: int, count: int) -> bytes:
    crc = zlib.crc32(stored)
    return _BLOCK.pack(len(stored), crc, raw_bytes, first, count) + stored


def unpack_block_header(data: bytes, offset: int) -> Block:
    """The block whose first bytes, at `offset` of the file, are `data`; raises SegmentError."""
    if len(data) < _BLOCK.size:
        raise SegmentError("it ends in the middle of a block")
    length, crc, raw_bytes, first, count = _BLOCK.unpack_from(data)
    return Block(offset, offset + _BLOCK.size + length, crc, raw_bytes, first, count)


def unpack_block(block: Block, stored: bytes, codec: Codec) -> list[Entry]:
    """The entries of a block from what is stored after its header; raises SegmentError."""
    if len(stored) != block.end - block.offset - _BLOCK.size or zlib.crc32(stored) != block.crc:
        raise SegmentError(f"the block at {block.offset} is damaged")
    try:
        raw = stored if block.is_raw else codec.decompress(stored, block.raw_bytes)
        if len(raw) != block.raw_bytes:
            raise SegmentError(f"the block at {block.offset} has another length than it says")
        entries = list(_records(raw))
    except SegmentError:
        raise
    except (CodecError, struct.error, ValueError) as error:
        raise SegmentError(f"the block at {block.offset} cannot be read: {error}") from error
    if len(entries) != block.count:
        raise SegmentError(f"the block at {block.offset} has {len(entries)} entries")
    return entries


def _records(raw: bytes) -> Iterator[Entry]:
    place = 0
    while place < len(raw):
        number, reach, name, length = _RECORD.unpack_from(raw, place)
        start = place + _RECORD.size
        middle, place = start + name, start + name + length
        if place > len(raw):
            raise SegmentError("a record is longer than its block")
        yield Entry(number, Audience(Reach(reach), raw[start:middle].decode()), raw[middle:place])


def pack_end(offset: int, blocks: Iterable[tuple[int, int, int]]) -> bytes:
    """Footer and trailer of a segment that ends at `offset`; a block is (offset, first, count)."""
    table = json.dumps({"blocks": [list(block) for block in blocks]}).encode()
    return _pack(table, len(table), 0, 0) + _TRAILER.pack(offset, _END)


END_BYTES = len(pack_end(0, []))
"""What `pack_end` makes for no blocks."""


def block_in_table_bytes(offset: int, entries: Sequence[Entry]) -> int:
    """How much longer a segment's end is for a block; two bytes too much for the first one."""
    return len(json.dumps([offset, entries[0].sequence, len(entries)])) + len(", ")


def entries_of(data: bytes, codec: Codec, start: int) -> Iterator[Entry]:
    """The entries of a whole segment whose header has `start` bytes, up to its last complete block:
    what follows a block that is cut off or damaged is not read."""
    place = start
    while True:
        try:
            block = unpack_block_header(data[place : place + _BLOCK.size], place)
            if block.is_footer:
                return
            entries = unpack_block(block, data[place + _BLOCK.size : block.end], codec)
        except SegmentError:
            return
        yield from entries
        place = block.end
