"""The journal's part on disk, as the event loop uses it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import stat
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateway_ext.agent.entry import Audience, Entry

from .codec import best_codec
from .folder import delete, opened
from .format import BLOCK_BYTES, BLOCK_HEADER_BYTES, SegmentError, unpack_block, unpack_block_header
from .table import MOST_NUMBER, Place, SegmentTable
from .writer import SegmentWriter, WrittenBlock, room_for, segment_bytes

_log = logging.getLogger("fleet.agent")

_SEGMENT_SECONDS = 30.0
"""A segment is completed after this time unless it is short: a kernel that says little for months
does not need thousands of files."""
_CACHED_BYTES = 2**20
"""Raw bytes of blocks that were read last: readers want entry after entry."""


class JournalDisk:
    """Entries in files that take at most `most_bytes` together: the oldest are deleted before new
    ones are written. Only a single entry that is longer than all that takes more, and goes next."""

    def __init__(self, folder: Path, journal: str, kernel: str, most_bytes: int) -> None:
        """`folder` is this journal's alone; `journal` and `kernel` are written into the files."""
        self.most_bytes = most_bytes
        self.on_lost: Callable[[Audience, int], None] = lambda audience, number: None
        """Called with the highest number that an audience loses, before a reader can miss it."""
        self._codec = best_codec()
        self._writer = SegmentWriter(folder, journal, kernel, self._codec, most_bytes)
        self._table = SegmentTable()
        self._thread = ThreadPoolExecutor(1, "journal")
        self._cache: OrderedDict[tuple[Path, int], dict[int, Entry]] = OrderedDict()
        self._cached: dict[tuple[Path, int], int] = {}
        self._read_last: dict[int, Entry] = {}
        self._read_failed = False
        self._finishing: asyncio.TimerHandle | None = None

    async def write(self, entries: Sequence[Entry], *, compress: bool = True) -> None:
        """Write entries that are newer than all others here, for which the oldest may have to go;
        raises OSError."""
        most_bytes = self.most_bytes - room_for(entries, self.most_bytes)
        dropped = self._table.drop_oldest(most_bytes, self._writer.open_path)
        # A reader may ask for them while they are being deleted.
        for _, newest in dropped:
            self._lose(newest)
        paths = [path for path, _ in dropped]
        self._forget(paths)
        loop = asyncio.get_running_loop()
        write = self._delete_and_write
        for block in await loop.run_in_executor(self._thread, write, paths, entries, compress):
            self._table.add(block)
        if self._finishing is None:
            self._finishing = loop.call_later(_SEGMENT_SECONDS, self._finish)

    def _forget(self, paths: Sequence[Path]) -> None:
        """What is dropped is gone for readers, too: they would get it without what came next."""
        for key in [key for key in self._cache if key[0] in paths]:
            del self._cache[key], self._cached[key]
            self._read_last = {}

    def goes_for(self, entries: Sequence[Entry]) -> int:
        """The last number that `write` would drop for these entries, 0 if none."""
        most_bytes = self.most_bytes - room_for(entries, self.most_bytes)
        return self._table.last_beyond(most_bytes, self._writer.open_path)

    def _delete_and_write(
        self, paths: Sequence[Path], entries: Sequence[Entry], compress: bool
    ) -> list[WrittenBlock]:
        _delete(paths)
        return self._writer.write(entries, compress)

    def _lose(self, newest: Mapping[Audience, int]) -> None:
        for audience, number in newest.items():
            self.on_lost(audience, number)

    def _finish(self) -> None:
        self._finishing = None
        finished = self._thread.submit(self._writer.finish, BLOCK_BYTES)
        finished.add_done_callback(
            # The next write fails as well, and says so.
            lambda done: _log.debug("a segment was not completed: %s", done.exception())
        )

    @property
    def batch_bytes(self) -> int:
        """How much should be written at once at most, or too much would go for it."""
        return segment_bytes(self.most_bytes)

    @property
    def held_bytes(self) -> int:
        """What is here takes so many bytes of the disk."""
        return self._table.disk_bytes

    def next_from(self, number: int) -> int | None:
        """The first number here from this one on, if there is any."""
        place = next(self._table.places(number, MOST_NUMBER), None)
        return None if place is None else max(number, place.first)

    def places(self, first: int, last: int) -> Iterator[Place]:
        """The blocks with any of these numbers, in order; to be read before anything is written."""
        return self._table.places(first, last)

    async def read(self, number: int) -> Entry | None:
        """The entry with this number, None if it is not here (any more)."""
        entry = self._read_last.get(number)
        if entry is not None:
            return entry
        place = self._table.find(number)
        if place is None:
            return None
        key = (place.path, place.offset)
        entries = self._cache.get(key)
        if entries is None:
            try:
                read = await asyncio.to_thread(self._read, place)
            except (OSError, SegmentError) as error:
                self._give_up(place.path, error)
                return None
            entries = {entry.sequence: entry for entry in read}
            if self._table.find(number) is None:
                # Dropped while it was read: see `_forget`.
                return entries.get(number)
            self._keep(key, entries, place.raw_bytes)
        else:
            self._cache.move_to_end(key)
        self._read_last = entries
        return entries.get(number)

    def _give_up(self, path: Path, error: Exception) -> None:
        """All of a file that cannot be read is lost: nobody tries each of its entries."""
        newest = self._table.drop(path)
        if not newest:
            return
        self._lose(newest)
        level = logging.DEBUG if self._read_failed else logging.WARNING
        self._read_failed = True
        _log.log(level, "a part of the journal cannot be read, there is a gap: %s", error)
        with contextlib.suppress(RuntimeError):  # It is being closed.
            self._thread.submit(_delete, [path])

    def _read(self, place: Place) -> list[Entry]:
        # The kernel's user may have put something else there, on which nobody may wait.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        with opened(place.path.parent) as folder:
            file = os.open(place.path.name, flags, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise SegmentError(f"{place.path} is no file")
            start = place.offset + BLOCK_HEADER_BYTES
            header = os.pread(file, BLOCK_HEADER_BYTES, place.offset)
            stored = os.pread(file, place.end - start, start)
        finally:
            os.close(file)
        block = unpack_block_header(header, place.offset)
        if (block.end, block.raw_bytes) != (place.end, place.raw_bytes):
            raise SegmentError(f"the block at {place.offset} is not the one that was written")
        return unpack_block(block, stored, self._codec)

    def _keep(self, key: tuple[Path, int], entries: dict[int, Entry], raw_bytes: int) -> None:
        self._cache[key] = entries
        self._cached[key] = raw_bytes
        while len(self._cache) > 1 and sum(self._cached.values()) > _CACHED_BYTES:
            oldest, _ = self._cache.popitem(last=False)
            del self._cached[oldest]

    async def close(self) -> None:
        """Stop writing; the files stay."""
        if self._finishing is not None:
            self._finishing.cancel()
        self._thread.submit(self._writer.abandon)
        await asyncio.to_thread(self._thread.shutdown)


def _delete(paths: Sequence[Path]) -> None:
    for path in paths:
        # One that cannot be deleted is no reason to write nothing more.
        with contextlib.suppress(OSError):
            delete(path)
