"""Pages that read more slowly than the kernel prints: before the journal drops what they lack it
waits for them, for a time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

MOST_SECONDS = 30.0
"""Within this time a page must have got what is to be dropped, usually a segment of 8 MB."""
EXCUSED_SECONDS = 600.0
"""For so long nobody waits for pages that a person opens anew after one of theirs was cut: each
would stall the kernel again."""
_LOOK_SECONDS = 0.05
_LONG_SECONDS = 0.01


class Reader(NamedTuple):
    """An open page of a session, and the number up to which it has everything."""

    session: str
    has: int


def who_lacks(readers: Iterable[Reader], number: int) -> list[str]:
    """The sessions that do not have everything up to this number."""
    return [reader.session for reader in readers if reader.has < number]


class SlowReaders:
    """Waits for those who read."""

    def __init__(
        self, readers: Callable[[], Iterable[Reader]], cut: Callable[[list[str]], None]
    ) -> None:
        """`readers` says who reads now, and for whom nobody waits is not among them; `cut` ends the
        streams of sessions that have taken too long: they come back, and are told of the gap."""
        self._readers = readers
        self._cut = cut

    def up_to(self) -> int:
        """Up to which number all have everything."""
        return min((reader.has for reader in self._readers()), default=sys.maxsize)

    async def have(self, number: int) -> None:
        """Return when all have everything up to this number, or have taken too long."""
        loop = asyncio.get_running_loop()
        end = loop.time() + MOST_SECONDS
        while slow := who_lacks(self._readers(), number):
            if loop.time() >= end:
                self._cut(slow)
                return
            await asyncio.sleep(_LOOK_SECONDS)


class ReadersWait:
    """The journal's wait for those who read, and whether it takes long."""

    def __init__(self) -> None:
        self.until_read: Callable[[int], Awaitable[None]] | None = None
        """Waits for those who still need messages up to a number, which are to be dropped."""
        self.up_to: Callable[[], int] = lambda: sys.maxsize
        """Up to which number nobody needs anything."""
        self.is_on = False
        self.was_long = False
        """Whether they were last waited for for long: the disk is not what is slow then."""

    async def have(self, number: int) -> None:
        """Return when nothing up to this number is needed; at once for 0."""
        if self.until_read is None or not number:
            return
        loop = asyncio.get_running_loop()
        begun = loop.time()
        self.is_on = True
        try:
            await self.until_read(number)
        finally:
            self.is_on = False
        self.was_long = loop.time() - begun > _LONG_SECONDS


class Excused:
    """People one of whose pages was cut. Times are in seconds of one clock."""

    def __init__(self) -> None:
        self._cut: dict[str, tuple[int, float]] = {}
        """By person: the journal's last number then, and until when that counts."""

    def cut(self, person: str, last: int, now: float) -> None:
        """A page of the person was cut when the journal was at `last`."""
        self._cut = {one: cut for one, cut in self._cut.items() if now < cut[1]}
        self._cut[person] = last, now + EXCUSED_SECONDS

    def covers(self, person: str, began: int, now: float) -> bool:
        """Whether nobody waits for a session of the person that began at this number. One that is
        older than the cut has to show by itself that it reads."""
        last, until = self._cut.get(person, (began, now))
        return last <= began and now < until
