"""Writes the segments of one journal, one file after the other. Blocks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gateway_ext.agent.entry import Entry

from .codec import Codec
from .format import BLOCK_BYTES, Header, in_blocks, pack_block, pack_end, pack_header

SEGMENT_BYTES = 8 * 2**20
_SEGMENTS_AT_LEAST = 8
"""So many make up the bound of all: when the oldest one is deleted, most of them remain."""


def segment_bytes(most_bytes: int) -> int:
    """At which length a segment is complete, if all together may have `most_bytes`."""
    return min(SEGMENT_BYTES, max(most_bytes // _SEGMENTS_AT_LEAST, BLOCK_BYTES // 4))


class WrittenBlock(NamedTuple):
    """Where a block has been written, and what is in it."""

    path: Path
    offset: int
    end: int
    raw_bytes: int
    entries: Sequence[Entry]


class SegmentWriter:
    """Appends entries in the order of their numbers. Its methods are called one at a time."""

    def __init__(
        self, folder: Path, journal: str, kernel: str, codec: Codec, most_bytes: int
    ) -> None:
        """`folder` is made when it is needed; `most_bytes` is what all segments together may
        have, which is not this object's to keep."""
        self._folder = folder
        self._journal = journal
        self._kernel = kernel
        self._codec = codec
        self._complete = segment_bytes(most_bytes)
        self._file = -1
        self._path = folder
        self._size = 0
        self._blocks: list[tuple[int, int, int]] = []

    def write(self, entries: Sequence[Entry], compress: bool = True) -> list[WrittenBlock]:
        """Write all of them; raises OSError, and has then finished the segment as it is: it is
        readable up to its last complete block."""
        codec = self._codec if compress else None
        if self._file >= 0 and not self._is_there():
            self.abandon()
        try:
            return [self._write_block(block, codec) for block in in_blocks(entries)]
        except OSError:
            self.abandon()
            raise

    def _is_there(self) -> bool:
        """Whether the file that is being written still is where readers look for it."""
        try:
            return os.path.samestat(os.lstat(self._path), os.fstat(self._file))
        except FileNotFoundError:
            return False

    def _write_block(self, entries: Sequence[Entry], codec: Codec | None) -> WrittenBlock:
        if self._file < 0:
            self._begin(entries[0].sequence)
        block, raw_bytes = pack_block(entries, codec)
        offset = self._size
        self._append(block)
        self._blocks.append((offset, entries[0].sequence, len(entries)))
        written = WrittenBlock(self._path, offset, self._size, raw_bytes, entries)
        if self._size >= self._complete:
            self.finish()
        return written

    def _begin(self, first: int) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = self._folder / f"{first:020d}.segment"
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._size = 0
        self._blocks.clear()
        self._append(pack_header(Header(self._journal, self._kernel, first, self._codec.name)))

    def _append(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._file, left) :]
        self._size += len(data)

    def finish(self, least_bytes: int = 0) -> None:
        """Complete the segment that is being written, if there is one and it is not shorter than
        this; raises OSError."""
        if self._file < 0 or self._size < least_bytes:
            return
        try:
            self._append(pack_end(self._size, self._blocks))
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Leave the segment that is being written as it is."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)
