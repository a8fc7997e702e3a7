"""The journal's part on disk where messages of widgets have a budget of their own.

A widget that is changed thousands of times a second says much that nobody needs later: pages get
the state of widgets from the kernel. It must not push out what cells have printed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from gateway_ext.agent.entry import COMM, Audience, Entry

from .disk import JournalDisk
from .table import Place

_log = logging.getLogger("fleet.agent")


class SplitDisk:
    """Two disks: one has the messages of widgets (comms), the other one all others. Used as one."""

    def __init__(self, others: JournalDisk, comms: JournalDisk) -> None:
        self._others = others
        self._comms = comms
        self._failed = False
        self.on_lost: Callable[[Audience, int], None] = lambda audience, number: None
        """As that of JournalDisk."""
        for disk in (others, comms):
            disk.on_lost = lambda audience, number: self.on_lost(audience, number)

    @property
    def most_bytes(self) -> int:
        """The bound of what cells have said: nobody is promised messages of widgets."""
        return self._others.most_bytes

    @property
    def held_bytes(self) -> int:
        """What is here of that takes so many bytes of the disk."""
        return self._others.held_bytes

    @property
    def batch_bytes(self) -> int:
        """How much should be written at once at most."""
        return min(self._others.batch_bytes, self._comms.batch_bytes)

    def goes_for(self, entries: Sequence[Entry]) -> int:
        """The last number that `write` would drop for these entries, 0 if none."""
        comms, others = split(entries)
        return max(
            self._comms.goes_for(comms) if comms else 0,
            self._others.goes_for(others) if others else 0,
        )

    async def write(self, entries: Sequence[Entry], *, compress: bool = True) -> None:
        """Write entries that are newer than all others here; raises OSError, and has written none
        then. Messages of widgets that cannot be written are lost."""
        comms, others = split(entries)
        if others:
            await self._others.write(others, compress=compress)
        if not comms:
            return
        try:
            await self._comms.write(comms, compress=compress)
        except Exception as error:
            # The others are there: nobody may write them again.
            if not others:
                raise
            if not self._failed:
                _log.warning("messages of widgets cannot be written to disk: %s", error)
            self._failed = True
            self.on_lost(COMM, comms[-1].sequence)
        else:
            self._failed = False

    async def read(self, number: int) -> Entry | None:
        """The entry with this number, None if it is not here (any more)."""
        return await self._others.read(number) or await self._comms.read(number)

    def next_from(self, number: int) -> int | None:
        """The first number here from this one on, if there is any."""
        found = (self._others.next_from(number), self._comms.next_from(number))
        return min((one for one in found if one is not None), default=None)

    def places(self, first: int, last: int) -> Iterator[Place]:
        """Where any of these numbers are, in order and without overlaps: a block of one disk is cut
        where one of the other disk begins or ends."""
        blocks = [*self._others.places(first, last), *self._comms.places(first, last)]
        yield from without_overlaps(blocks)

    async def close(self) -> None:
        """Stop writing; the files stay."""
        await self._others.close()
        await self._comms.close()


def split(entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """The messages of widgets, and the others."""
    comms = [entry for entry in entries if entry.audience == COMM]
    return comms, [entry for entry in entries if entry.audience != COMM]


def without_overlaps(blocks: Sequence[Place]) -> Iterator[Place]:
    """Pieces that cover the same numbers, each with its share of the bytes of all blocks there."""
    changes: dict[int, tuple[int, float]] = {}
    for block in blocks:
        density = block.raw_bytes / (block.last - block.first + 1)
        for number, count in ((block.first, 1), (block.last + 1, -1)):
            blocks_more, bytes_more = changes.get(number, (0, 0.0))
            changes[number] = blocks_more + count, bytes_more + count * density
    numbers = sorted(changes)
    covering, density = 0, 0.0
    for number, following in pairwise(numbers):
        covering += changes[number][0]
        density += changes[number][1]
        if covering:
            raw_bytes = round(density * (following - number))
            yield Place(Path(), 0, 0, raw_bytes, number, following - 1)
