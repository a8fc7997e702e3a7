"""Writes the segments of one journal, one file after the other. Blocks."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gateway_ext.agent.entry import Entry

from .codec import Codec
from .folder import delete, opened, truncate
from .format import BLOCK_BYTES, Header, in_blocks, pack_block, pack_end, pack_header, record_bytes

SEGMENT_BYTES = 8 * 2**20
_SEGMENTS_AT_LEAST = 8
"""So many make up the bound of all: when the oldest one is deleted, most of them remain."""

_BLOCK_EXTRA_BYTES = 128
"""More than a block's header, and what the segment's end says of it."""
_SEGMENT_EXTRA_BYTES = 8192
"""More than a segment's header and end, and what the file system adds to a file."""
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def segment_bytes(most_bytes: int) -> int:
    """At which length a segment is complete, if all together may have `most_bytes`."""
    return min(SEGMENT_BYTES, max(most_bytes // _SEGMENTS_AT_LEAST, BLOCK_BYTES // 4))


def room_for(entries: Sequence[Entry], most_bytes: int) -> int:
    """How many bytes of the disk these entries take at most."""
    raw = sum(map(record_bytes, entries))
    # Two blocks that follow each other have more than BLOCK_BYTES together.
    blocks = 2 * raw // BLOCK_BYTES + 1
    segments = raw // segment_bytes(most_bytes) + 1
    return raw + blocks * _BLOCK_EXTRA_BYTES + segments * _SEGMENT_EXTRA_BYTES


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
        self._begun: list[Path] = []
        """The files that were begun for what is being written."""

    @property
    def open_path(self) -> Path | None:
        """The file that is being written, if there is one."""
        return self._path if self._file >= 0 else None

    def write(self, entries: Sequence[Entry], compress: bool = True) -> list[WrittenBlock]:
        """Write all of them or none; raises OSError, and begins another segment next time."""
        codec = self._codec if compress else None
        if self._file >= 0 and not self._is_there():
            self.abandon()
        self._begun.clear()
        before = (self._path, self._size) if self._file >= 0 else None
        try:
            return [self._write_block(block, codec) for block in in_blocks(entries)]
        except Exception:
            self._take_back(before)
            raise

    def _take_back(self, before: tuple[Path, int] | None) -> None:
        """What was written of them would take room on a disk that may be full, and be written
        again."""
        self.abandon()
        with contextlib.suppress(OSError):
            if before is not None:
                truncate(*before)
        for path in self._begun:
            with contextlib.suppress(OSError):
                delete(path)

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
        name = self._path.name
        with opened(self._folder) as folder:
            try:
                self._file = os.open(name, _NEW_FILE, 0o600, dir_fd=folder)
            except FileExistsError:
                # Nothing of this journal can be in a file that is there already.
                os.unlink(name, dir_fd=folder)
                self._file = os.open(name, _NEW_FILE, 0o600, dir_fd=folder)
        self._begun.append(self._path)
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
