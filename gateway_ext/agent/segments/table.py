"""Which entries are in which block of which file."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gateway_ext.agent.entry import Audience

from .format import END_BYTES, block_in_table_bytes
from .writer import WrittenBlock

MOST_NUMBER = 2**64 - 1
_DISK_BLOCK_BYTES = 4096
"""Of what file systems mostly make files: a file of one byte takes as much."""


class Place(NamedTuple):
    """A block: its file and where it is there, its raw length, and its first and last number."""

    path: Path
    offset: int
    end: int
    raw_bytes: int
    first: int
    last: int


class _Segment:
    """The blocks of one file. There may be tens of thousands in all: so no objects."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.firsts = array("Q")
        self.lasts = array("Q")
        self.offsets = array("Q")
        self.raw_bytes = array("Q")
        self.end = 0
        self._table_bytes = 0
        self.newest: dict[Audience, int] = {}
        """For each audience the highest number."""

    def add(self, block: WrittenBlock) -> None:
        self.firsts.append(block.entries[0].sequence)
        self.lasts.append(block.entries[-1].sequence)
        self.offsets.append(block.offset)
        self.raw_bytes.append(block.raw_bytes)
        self.end = block.end
        self._table_bytes += block_in_table_bytes(block.offset, block.entries)
        for entry in block.entries:
            self.newest[entry.audience] = entry.sequence

    @property
    def disk_bytes(self) -> int:
        """What the file takes on the disk, its end included."""
        size = self.end + END_BYTES + self._table_bytes
        return -(-size // _DISK_BLOCK_BYTES) * _DISK_BLOCK_BYTES

    def place(self, number: int) -> Place:
        following = number + 1
        end = self.offsets[following] if following < len(self.offsets) else self.end
        return Place(
            self.path,
            self.offsets[number],
            end,
            self.raw_bytes[number],
            self.firsts[number],
            self.lasts[number],
        )


class SegmentTable:
    """All segments of a journal, oldest first. There may be thousands."""

    def __init__(self) -> None:
        self._segments: list[_Segment] = []
        self._bytes = 0

    @property
    def disk_bytes(self) -> int:
        """What all files together take on the disk."""
        return self._bytes

    def add(self, block: WrittenBlock) -> None:
        """A block was written, after all others."""
        if not self._segments or self._segments[-1].path != block.path:
            self._segments.append(_Segment(block.path))
        else:
            self._bytes -= self._segments[-1].disk_bytes
        self._segments[-1].add(block)
        self._bytes += self._segments[-1].disk_bytes

    def find(self, number: int) -> Place | None:
        """The block that has the entry with this number, if any has."""
        place = next(self.places(number, number), None)
        return place if place is not None and place.first <= number <= place.last else None

    def places(self, first: int, last: int) -> Iterator[Place]:
        """The blocks with any of these numbers, in order; to be read before anything changes."""
        segments = self._segments
        newest = bisect_right(segments, first, key=lambda segment: segment.firsts[0])
        for index in range(max(0, newest - 1), len(segments)):
            segment = segments[index]
            if segment.firsts[0] > last:
                return
            start = max(0, bisect_right(segment.firsts, first) - 1)
            for number in range(start, len(segment.firsts)):
                if segment.firsts[number] > last:
                    return
                if segment.lasts[number] >= first:
                    yield segment.place(number)

    def drop_oldest(
        self, most_bytes: int, but: Path | None
    ) -> list[tuple[Path, dict[Audience, int]]]:
        """Forget the oldest segments until the others take at most `most_bytes`, or all that are
        older than the file `but`. Returns the files, and the highest number that was lost for each
        audience."""
        count = self._count_beyond(most_bytes, but)
        going = self._segments[:count]
        del self._segments[:count]
        self._bytes -= sum(segment.disk_bytes for segment in going)
        return [(segment.path, segment.newest) for segment in going]

    def last_beyond(self, most_bytes: int, but: Path | None) -> int:
        """The last number that `drop_oldest` would drop, 0 if none."""
        count = self._count_beyond(most_bytes, but)
        return self._segments[count - 1].lasts[-1] if count else 0

    def _count_beyond(self, most_bytes: int, but: Path | None) -> int:
        left, count = self._bytes, 0
        for segment in self._segments:
            if left <= most_bytes or segment.path == but:
                break
            left -= segment.disk_bytes
            count += 1
        return count

    def drop(self, path: Path) -> dict[Audience, int]:
        """Forget what is in a file. Returns the highest number that was lost for each audience."""
        newest: dict[Audience, int] = {}
        for segment in [one for one in self._segments if one.path == path]:
            self._segments.remove(segment)
            self._bytes -= segment.disk_bytes
            newest |= segment.newest
        return newest
