"""The numbered journal of the kernel's messages, bounded in bytes."""

from __future__ import annotations

import asyncio
import logging
import secrets
from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from .dropped import Dropped
from .entry import COMM, Audience, Entry
from .number_set import NumberSet, outside
from .segments.disk import JournalDisk
from .segments.split_disk import SplitDisk
from .slow_readers import ReadersWait
from .unread import Unread

_log = logging.getLogger("fleet.agent")

SHORT_BYTES = 4096
"""Replies and states are rarely longer than this; outputs that fill the journal mostly are."""
BATCH_BYTES = 2**20
"""So much is written to disk at once: small writes make small blocks, and those are not
compressed well."""
MOST_UNWRITTEN = 8 * 2**20
"""How much more than its bound the memory may have while the disk is slower than the kernel, which
may owe as much (`output_credit`); more is dropped."""
ENDS_BYTES = 2**20
"""How much of what says that a request has ended is kept, whatever else is dropped."""
_RETRY_SECONDS = 30.0
"""After this time a disk that failed is tried again."""
_COMM_SHARE = 4
"""Where memory is full, messages of widgets go first unless they take less than this part of it."""
_MOST_HOLES = 1000
_PIECE_BYTES = 2**16
"""How much of what is in memory a replay takes as one piece."""


class Journal:
    """Messages numbered 1, 2, 3, … The newest are in memory, those before them on disk.

    `limit` bounds the bytes in memory; the older half of them is written to `disk`, which has a
    bound of its own. What is superseded is left out of memory: its number is neither here nor
    missing. Without a disk, or while it is full or fails, messages of widgets are dropped first
    above a quarter of the limit, then long ones as long as short ones take no more than half of it;
    others than those if `readers` lack them.
    The newest message is kept whatever its size, and its size does not cause others to be dropped.
    The ends of requests outlive their output, so that a client that missed some of it still learns
    that the cell has ended.
    """

    def __init__(
        self,
        limit: int,
        *,
        journal_id: str | None = None,
        disk: JournalDisk | SplitDisk | None = None,
    ) -> None:
        self.id = journal_id or secrets.token_hex(16)
        self._limit = limit
        self._disk = disk
        if disk is not None:
            disk.on_lost = lambda audience, number: self._dropped.add(audience, 0, number)
        self._disk_fails = False
        self._outage = False
        """Whether the disk has failed since something was last written."""
        self._retrying: asyncio.TimerHandle | None = None
        self._least_batch = min(BATCH_BYTES, limit // 4)
        self.readers = ReadersWait()
        """Before messages are dropped, those who still need them are waited for here."""
        self._unread = Unread()
        """What memory holds, of a journal that does not write now."""
        self._letting_read: asyncio.Task[None] | None = None
        self.on_written: Callable[[], None] = lambda: None
        """Called when messages have been written to disk, cannot be, or were read."""
        self._entries: dict[int, Entry] = {}
        self._writing: dict[int, Entry] = {}
        self._ends: dict[int, Entry] = {}
        self._end_numbers: list[int] = []
        self._ends_bytes = 0
        self._bytes = 0
        self._writing_bytes = 0
        self._short_bytes = 0
        # The first one of these is found at once, however many before it are gone.
        self._short: OrderedDict[int, None] = OrderedDict()
        self._long: OrderedDict[int, None] = OrderedDict()
        self._comms: OrderedDict[int, None] = OrderedDict()
        self._long_comms: set[int] = set()
        self._comm_bytes = 0
        self._comm_numbers = NumberSet()
        """Of all messages of widgets, also of those that are gone."""
        self._steps: deque[int] = deque()
        """Messages that make no difference any more, as soon as nobody waits for them."""
        self._superseded = NumberSet()
        self.sent_to_all: Callable[[], int] = lambda: self.last
        """Up to which number everybody who reads has got everything."""
        self._dropped = Dropped()
        self._spilling: asyncio.Task[None] | None = None
        self.last = 0
        """The number of the newest message, 0 if there is none."""

    @property
    def limit(self) -> int:
        """How many bytes of messages it keeps at least, if there are so many."""
        if self._disk is None:
            return self._limit
        return self._limit + (self._disk.held_bytes if self._outage else self._disk.most_bytes)

    @property
    def excess(self) -> int:
        """How many bytes are in memory because they wait for the disk, or for those who read. With
        what a kernel may owe the memory has no more than its bound, unless that is very small."""
        if self._writes:
            unpaced = max(self._limit - MOST_UNWRITTEN, self._limit // 2 + self._least_batch)
            return max(0, self._bytes - unpaced)
        if self.readers.until_read is None:
            return 0
        unpaced = max(self._limit - MOST_UNWRITTEN - BATCH_BYTES, self._limit // 4)
        return max(0, min(self._bytes, self._unread.bytes) - unpaced)

    @property
    def is_disk_behind(self) -> bool:
        """Whether the disk is slower than what comes."""
        return self.excess > MOST_UNWRITTEN // 2 and not self.readers.is_on

    def append(self, audience: Audience, message: bytes, *, is_end: bool = False) -> Entry:
        """Number a message and keep it; `is_end`: it tells the end of a request."""
        self.last += 1
        entry = self._entries[self.last] = Entry(self.last, audience, message)
        while self._holds_too_much():
            self._drop(self._take(self._oldest()))
        self._bytes += len(message)
        self._place(entry)
        if is_end and len(message) <= SHORT_BYTES:
            self._keep_end(entry)
        self._leave_out_steps()
        self._unread.append(self.last, len(message), self._bytes)
        self._spill_soon()
        self._let_read_soon()
        return entry

    def supersede(self, number: int) -> None:
        """An older message makes no difference any more, whatever readers have had of it and of
        what came after it. It is left out once nobody waits for it, unless it is on disk by then.
        """
        self._steps.append(number)
        self._leave_out_steps()

    def _leave_out_steps(self) -> None:
        sent = self.sent_to_all() if self._steps else 0
        # Those that are on disk, or lost, by now are waited for by nobody.
        while self._steps and (self._steps[0] <= sent or self._steps[0] not in self._entries):
            number = self._steps.popleft()
            if number in self._entries:
                self._bytes -= len(self._take(number).message)
                self._superseded.add(number)

    def _keep_end(self, entry: Entry) -> None:
        self._ends[entry.sequence] = entry
        self._end_numbers.append(entry.sequence)
        self._ends_bytes += len(entry.message)
        while self._ends_bytes > ENDS_BYTES:
            oldest = self._ends.pop(self._end_numbers.pop(0))
            self._ends_bytes -= len(oldest.message)

    def _holds_too_much(self) -> bool:
        """Whether something must be dropped, the newest message not counted."""
        if not self._writes:
            return self._bytes > self._limit
        # What is being written is on its way out of memory, and one message of any size may wait.
        unwritten = self._bytes - self._writing_bytes
        if unwritten <= self._limit + MOST_UNWRITTEN:
            return False
        long = chain(self._long, self._long_comms)
        longest = max((len(self._entries[number].message) for number in long), default=0)
        return unwritten - longest > self._limit + MOST_UNWRITTEN

    def _place(self, entry: Entry) -> None:
        if entry.audience == COMM:
            self._comms[entry.sequence] = None
            if len(entry.message) > SHORT_BYTES:
                self._long_comms.add(entry.sequence)
            self._comm_bytes += len(entry.message)
            self._comm_numbers.add(entry.sequence)
        elif len(entry.message) <= SHORT_BYTES:
            self._short[entry.sequence] = None
            self._short_bytes += len(entry.message)
        else:
            self._long[entry.sequence] = None

    def _take(self, number: int) -> Entry:
        """Take a message out of memory. Its bytes still count."""
        entry = self._entries.pop(number)
        if number in self._comms:
            del self._comms[number]
            self._long_comms.discard(number)
            self._comm_bytes -= len(entry.message)
        elif number in self._short:
            del self._short[number]
            self._short_bytes -= len(entry.message)
        else:
            del self._long[number]
        return entry

    def _oldest(self) -> int:
        """What goes next if something must: the oldest of those that take more than their share,
        and of others if somebody still needs that one."""
        greedy = self._oldest_of_greedy()
        if greedy <= (read := self.readers.up_to()):
            return greedy
        firsts = (next(iter(one), greedy) for one in (self._comms, self._long, self._short))
        return oldest if (oldest := min(firsts)) <= read else greedy

    def _oldest_of_greedy(self) -> int:
        if self._comms and (
            self._comm_bytes > self._limit // _COMM_SHARE or not (self._short or self._long)
        ):
            return next(iter(self._comms))
        if self._long and (not self._short or self._short_bytes <= self._limit // 2):
            return next(iter(self._long))
        return next(iter(self._short))

    def _drop(self, entry: Entry) -> None:
        self._bytes -= len(entry.message)
        self._dropped.add(entry.audience, entry.sequence, entry.sequence)

    # -- disk ---------------------------------------------------------------------------------

    @property
    def _writes(self) -> bool:
        return self._disk is not None and not self._disk_fails

    def _spill_soon(self) -> None:
        if self._spilling is None and self._has_batch():
            self._spilling = asyncio.get_running_loop().create_task(self._spill())

    async def _spill(self) -> None:
        try:
            while self._entries and self._has_batch():
                await self._write_oldest()
        finally:
            self._spilling = None

    def _has_batch(self) -> bool:
        """Whether enough waits to be written; half of the limit stays in memory."""
        return self._writes and self._bytes > self._limit // 2 + self._least_batch

    async def _write_oldest(self) -> None:
        if self._disk is None:
            return
        batch = self._take_oldest(min(BATCH_BYTES, self._disk.batch_bytes))
        try:
            await self.readers.have(self._disk.goes_for(batch))
            # Compressing takes longer than writing, and what waits too long is lost.
            in_haste = self.excess > MOST_UNWRITTEN * 3 // 4 and not self.readers.was_long
            await self._disk.write(batch, compress=not in_haste)
        except Exception as error:
            # Whatever it is: the kernel goes on.
            self._fail(error)
            return
        if self._outage:
            self._outage = False
            _log.info("the journal is written to disk again")
        self._bytes -= self._writing_bytes
        self._writing_bytes = 0
        self._writing.clear()
        self.on_written()

    def _let_read_soon(self) -> None:
        """Without a disk what comes drops what is oldest: a kernel that waits for credit waits
        until those who read have that."""
        if not self._writes and self._letting_read is None and self.excess:
            self._letting_read = asyncio.get_running_loop().create_task(self._let_read())

    async def _let_read(self) -> None:
        try:
            while self.excess and not self._writes:
                number = self._unread.next(min(MOST_UNWRITTEN, self._limit // 2))
                await self.readers.have(number)
                self._unread.read(number)
                self.on_written()
        finally:
            self._letting_read = None

    def _fail(self, error: Exception) -> None:
        if not self._outage:
            _log.warning("the journal cannot be written to disk, memory alone keeps it: %s", error)
        self._outage = self._disk_fails = True
        self._put_back()
        self._let_read_soon()
        self._retrying = asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._retry)
        self.on_written()

    def _retry(self) -> None:
        self._disk_fails = False
        self._spill_soon()

    def _take_oldest(self, most_bytes: int) -> list[Entry]:
        """Take the oldest messages for writing; they count and can be read until they are there."""
        wanted = min(most_bytes, self._bytes - self._limit // 2)
        for number, entry in self._entries.items():
            self._writing[number] = entry
            wanted -= len(entry.message)
            if wanted <= 0:
                break
        for number in self._writing:
            self._writing_bytes += len(self._take(number).message)
        return list(self._writing.values())

    def _put_back(self) -> None:
        self._entries = {**self._writing, **self._entries}
        self._writing.clear()
        self._writing_bytes = 0
        self._short.clear()
        self._long.clear()
        self._short_bytes = 0
        self._comms.clear()
        self._long_comms.clear()
        self._comm_bytes = 0
        for entry in self._entries.values():
            self._place(entry)

    async def close(self) -> None:
        """Write nothing more."""
        if self._retrying is not None:
            self._retrying.cancel()
        for task in (self._spilling, self._letting_read):
            if task is not None:
                task.cancel()
        if self._disk is not None:
            await self._disk.close()

    # -- reading ------------------------------------------------------------------------------

    def get(self, sequence: int) -> Entry | None:
        """The message with this number if it is in memory."""
        for entries in (self._entries, self._writing, self._ends):
            if (entry := entries.get(sequence)) is not None:
                return entry
        return None

    async def read(self, sequence: int) -> Entry | None:
        """The message with this number, None if it was dropped or is not there yet."""
        entry = self.get(sequence)
        if entry is not None or self._disk is None:
            return entry
        return await self._disk.read(sequence)

    def past_superseded(self, number: int) -> int:
        """The last of the superseded numbers that follow `number`, or `number` itself."""
        return self._superseded.next_outside(number + 1) - 1

    def without_superseded(self, runs: list[list[int]]) -> Iterator[list[int]]:
        """The runs, [first, last] each, of the numbers of `runs` that are not superseded."""
        return self._superseded.without(runs)

    def lacking(self, gone: list[list[int]]) -> list[list[int]]:
        """Of numbers that are not here, in runs, those whose messages a cell lacks. Messages of
        widgets are lacked only by who had them until then: others ask the kernel for the state.
        Where too much was left out in between, it is counted as well."""
        return outside(gone, self._superseded, self._comm_numbers, most=_MOST_HOLES)

    def next_from(self, number: int) -> int:
        """From which number on there may be messages, `number` or a higher one: millions may have
        been dropped."""
        place = bisect_left(self._end_numbers, number)
        found = self._end_numbers[place : place + 1]
        if self._disk is not None and (on_disk := self._disk.next_from(number)) is not None:
            found.append(on_disk)
        if oldest := next(chain(self._writing, self._entries), None):
            found.append(max(number, oldest))
        return min(found, default=self.last + 1)

    def sizes(self, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        """What is here of the messages with these numbers, in order: the first and last number of
        a piece, and about how many bytes it has."""
        for place in self._disk.places(first, last) if self._disk is not None else ():
            yield from self._sizes_in_memory(first, place.first - 1)
            start, end = max(first, place.first), min(last, place.last)
            # Whoever wants little of each of many blocks does not get all of them.
            share = (end - start + 1) / (place.last - place.first + 1)
            yield start, end, max(1, round(place.raw_bytes * share))
            first = place.last + 1
        yield from self._sizes_in_memory(first, last)

    def _sizes_in_memory(self, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        numbers: Sequence[int] = range(first, last + 1)
        if len(numbers) > len(self._writing) + len(self._entries):
            held = {*self._ends, *self._writing, *self._entries}
            numbers = sorted(number for number in held if first <= number <= last)
        start = end = size = 0
        for number in numbers:
            entry = self.get(number)
            if entry is None:
                continue
            if size and (number > self.past_superseded(end) + 1 or size >= _PIECE_BYTES):
                yield start, end, size
                size = 0
            if not size:
                start = number
            end = number
            size += len(entry.message)
        if size:
            yield start, end, size

    def gap(self, session: str, after: int, *, cursor: bool = False) -> tuple[int, int] | None:
        """The first and last number of the messages that were dropped for a session which has
        everything up to `after`. Short messages in between may still be here.

        None if all messages for the session are still here.
        """
        return self._dropped.gap(session, after, cursor=cursor)

    def forget(self, session: str) -> None:
        """Forget which messages of a session were dropped, because the session has ended."""
        self._dropped.forget(session)
