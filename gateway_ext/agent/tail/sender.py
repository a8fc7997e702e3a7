"""Sends the journal to where it is kept, in parts, one at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from gateway_ext.agent.connection import Unreachable
from gateway_ext.agent.journal import Journal
from jupyter_ext.wire.journal_parts import PartHeader, pack_part

from .parts import Taken, take
from .ways import NotKept, Way

_log = logging.getLogger("fleet.agent")

GATHER_SECONDS = 0.75
"""So long what the kernel says is gathered: with the way to the store less than two seconds."""
_LONGEST_PAUSE = 30.0
_LAST_PAUSE = 0.25
"""When the kernel has ended: little time is left."""


@dataclass(frozen=True)
class Said:
    """What a part says beside its messages: see PartHeader."""

    process: str
    reason: str
    requests: list[dict[str, object]]


@dataclass(frozen=True)
class _Part:
    last: int
    data: bytes
    complete: bool


class JournalTail:
    """What has not been kept waits in the journal: here is one part at most. It is sent again, the
    same to the byte, until it has been answered that it is kept."""

    def __init__(
        self, journal: Journal, said: Callable[[], Said], way: Callable[[], Way | None]
    ) -> None:
        """`way` is how parts can be sent now, None if they cannot; whenever that may have changed,
        `wake` must be called."""
        self._journal = journal
        self._said = said
        self._way = way
        self._kept = 0
        self._looked_at = 0
        """Up to which number there is nothing else to be kept: the next part says so."""
        self._part: _Part | None = None
        self._changed = asyncio.Event()
        self._ending = asyncio.Event()
        self._complete = asyncio.Event()
        self._refused = False
        self._behind = False
        """Whether the last part was full: the next one is sent at once."""

    def wake(self) -> None:
        """The journal has a new message, or there may be a way."""
        self._changed.set()

    async def finish(self, seconds: float) -> None:
        """The kernel has ended: send what is left, at most for so many seconds."""
        self._ending.set()
        self._changed.set()
        if self._way() is None:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._complete.wait(), seconds)

    async def run(self) -> None:
        """Send until canceled."""
        while not self._complete.is_set():
            await self._changed.wait()
            if self._way() is None or not self._has_more():
                self._changed.clear()
                continue
            if self._part is None and not self._behind:
                await self._pause(GATHER_SECONDS)
            try:
                await self._send_part()
            except Unreachable:
                # It is noticed by others, who say when there is a way again.
                self._changed.clear()
            except Exception:
                # Whatever it is: the kernel goes on.
                _log.exception("the journal is not kept outside of the container")
                await self._pause(_LONGEST_PAUSE)

    def _has_more(self) -> bool:
        return self._ending.is_set() or self._journal.last > self._looked_at

    async def _pause(self, seconds: float) -> None:
        """Wait, unless the kernel has ended."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds)

    async def _send_part(self) -> None:
        if self._part is None:
            self._part = await self._next_part()
        part, way = self._part, self._way()
        if part is None or way is None:
            return
        not_kept = await way.send(part.last, part.data)
        if not_kept is not None:
            await self._was_refused(not_kept)
            return
        if self._refused:
            self._refused = False
            _log.info("the journal is kept outside of the container again")
        self._kept = self._looked_at = part.last
        self._part = None
        if part.complete:
            self._complete.set()

    async def _was_refused(self, refusal: NotKept) -> None:
        if not refusal.seconds:
            # Nobody has refused it: the connection has ended.
            return
        level = logging.DEBUG if self._refused else logging.WARNING
        self._refused = True
        _log.log(level, "the journal cannot be kept at the moment: %s", refusal.message)
        if self._ending.is_set():
            await asyncio.sleep(_LAST_PAUSE)
        else:
            await self._pause(refusal.seconds)

    async def _next_part(self) -> _Part | None:
        """The next part; None if nothing of what follows is worth keeping."""
        complete = self._ending.is_set()
        newest = self._journal.last
        taken = Taken(self._looked_at, [], [])
        if self._journal.last > self._looked_at:
            taken = await take(self._journal, self._looked_at)
        complete = complete and taken.last == self._journal.last
        if not taken.messages and not taken.missing and not complete:
            self._looked_at, self._behind = taken.last, False
            return None
        self._behind = taken.last < self._journal.last
        said = self._said()
        header = PartHeader(
            journal=self._journal.id,
            first=self._kept + 1,
            # The last part has the number that nothing has any more: it may have no message.
            last=taken.last + 1 if complete else taken.last,
            missing=taken.missing,
            requests=said.requests,
            process=said.process,
            reason=said.reason,
            complete=complete,
            # What has come since the part was begun is no more than one is always behind.
            behind=taken.last < newest,
        )
        # Compressing releases the interpreter's lock.
        data = await asyncio.to_thread(pack_part, header, taken.messages)
        return _Part(header.last, data, complete)
