"""Which entries are in which block of which file."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gateway_ext.agent.entry import Audience

from .writer import WrittenBlock

MOST_NUMBER = 2**64 - 1


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
        self.newest: dict[Audience, int] = {}
        """For each audience the highest number."""

    def add(self, block: WrittenBlock) -> None:
        self.firsts.append(block.entries[0].sequence)
        self.lasts.append(block.entries[-1].sequence)
        self.offsets.append(block.offset)
        self.raw_bytes.append(block.raw_bytes)
        self.end = block.end
        for entry in block.entries:
            self.newest[entry.audience] = entry.sequence

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
    """All segments of a journal, oldest first."""

    def __init__(self) -> None:
        self._segments: deque[_Segment] = deque()
        self._bytes = 0

    @property
    def stored_bytes(self) -> int:
        """What all files have together, without their headers and footers."""
        return self._bytes

    def add(self, block: WrittenBlock) -> None:
        """A block was written, after all others."""
        if not self._segments or self._segments[-1].path != block.path:
            self._segments.append(_Segment(block.path))
        self._segments[-1].add(block)
        self._bytes += block.end - block.offset

    def find(self, number: int) -> Place | None:
        """The block that has the entry with this number, if any has."""
        place = next(self.places(number, number), None)
        return place if place is not None and place.first <= number <= place.last else None

    def places(self, first: int, last: int) -> Iterator[Place]:
        """The blocks with any of these numbers, in order."""
        # A segment has one number at least, and there are a hundred segments or so.
        for segment in self._segments:
            if not segment.lasts or segment.lasts[-1] < first:
                continue
            if segment.firsts[0] > last:
                return
            start = max(0, bisect_right(segment.firsts, first) - 1)
            for number in range(start, len(segment.firsts)):
                if segment.firsts[number] > last:
                    return
                if segment.lasts[number] >= first:
                    yield segment.place(number)

    def drop_oldest(self, most_bytes: int) -> list[tuple[Path, dict[Audience, int]]]:
        """Forget the oldest segments until the others have at most `most_bytes`, the newest one
        excepted. Returns their files, and the highest number that was lost for each audience."""
        dropped = []
        while self._bytes > most_bytes and len(self._segments) > 1:
            segment = self._segments.popleft()
            self._bytes -= segment.end - segment.offsets[0]
            dropped.append((segment.path, segment.newest))
        return dropped

    def drop(self, path: Path) -> dict[Audience, int]:
        """Forget what is in a file. Returns the highest number that was lost for each audience."""
        newest: dict[Audience, int] = {}
        for segment in [one for one in self._segments if one.path == path]:
            self._segments.remove(segment)
            self._bytes -= segment.end - segment.offsets[0]
            newest |= segment.newest
        return newest
