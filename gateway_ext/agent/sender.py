"""Sends messages to the gateway, in order and no faster than it receives them.

No messages of the kernel are buffered here: they stay in the journal until the connection can send
them, so that a slow gateway neither uses memory nor delays the kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jupyter_ext.wire.frames import EVERY_STREAM, pack_agent_frame

from .connection import Connection
from .entry import COMM, EVERYBODY, Entry, Reach
from .journal import Journal
from .requests.replay import replayed
from .sessions import Session

_ACKNOWLEDGE_SECONDS = 0.02
_LIVE_TURN_BYTES, _TURN_BYTES = 2**16, 2**18
"""What live streams get, and then one that has missed something: more, or it would never catch up
with a kernel that goes on printing."""


class TooSlow(Exception):
    """The journal dropped messages before the connection took them, and that ends all streams."""


@dataclass
class Stream:
    """A client's stream that a gateway has opened on its connection."""

    number: int
    session: Session
    nonce: str
    received: int | None
    """What the client said that it has when the stream was opened."""
    same_journal: bool = True
    """Whether it said that of this journal."""
    cursor: bool = False
    """Whether its other end remembers by itself what it has, over any connection."""
    person: str = ""
    """Whose it is, in words of the gateway that say nothing of who that is."""
    user: str | None = None
    """The name of whoever sends over it; None if the gateway does not say."""
    closed: bool = False
    start: int | None = None
    """After which number it gets everything; None until it has been opened."""

    @property
    def has(self) -> int:
        """Up to which number its client has all that it wants."""
        return max(self.session.acknowledged, self.start or 0)

    @property
    def acknowledged(self) -> int:
        """The client's highest number that the kernel was given."""
        return self.session.received_from(self.nonce)

    def wants(self, entry: Entry) -> bool:
        """Whether it is to get the message."""
        return entry.concerns(self.session.session_id, self.cursor)


@dataclass
class _Missing:
    """A stream that lags behind: up to where it was `sent` everything, and `told` of a gap."""

    stream: Stream
    sent: int
    told: int


class Sender:
    """Sends results, events, missed and live messages and acknowledgments on one connection.

    A stream is live from the moment its missed messages have been sent; until then it takes turns
    with those that are live, and with others that lag behind. All live streams are at the same
    place of the journal, so that one frame can serve them all.
    """

    def __init__(self, connection: Connection, journal: Journal) -> None:
        self._connection = connection
        self._journal = journal
        self._first: deque[dict[str, Any] | tuple[int, Stream]] = deque()
        self._live: dict[int, Stream] = {}
        self._missing: deque[_Missing] = deque()
        self._in_turn: _Missing | None = None
        """The one of them that is being sent something."""
        self._sent = journal.last
        self._awake = asyncio.Event()
        self._answered = asyncio.Event()
        self._caught_up = asyncio.Event()
        self.on_lost: Callable[[Stream], None] = self.close
        """Ends a page's stream that lags behind, when more is gone than it was told: it comes back,
        and is told."""
        self.people: Callable[[], dict[str, Any]] = dict
        """Who has used the kernel's process, as pages are told."""
        self._unacknowledged: dict[int, Stream] = {}
        self._acknowledging: asyncio.TimerHandle | None = None

    def wake(self) -> None:
        """Tell the sender that the journal has a new message."""
        self._caught_up.clear()
        self._awake.set()

    def post(self, frame: dict[str, Any]) -> None:
        """Send a text frame before any further kernel message."""
        self._first.append(frame)
        self._answered.clear()
        self.wake()

    def open(self, command: int, stream: Stream) -> None:
        """Answer the command `open`, send what the stream has missed, and make it live."""
        self._first.append((command, stream))
        self._answered.clear()
        self.wake()

    def close(self, stream: Stream) -> None:
        """Send nothing more to a stream."""
        stream.closed = True
        self._unacknowledged.pop(stream.number, None)
        if self._live.get(stream.number) is stream:
            del self._live[stream.number]

    def acknowledge(self, stream: Stream) -> None:
        """Tell the client soon up to where its messages were taken, unless a message says so."""
        self._unacknowledged[stream.number] = stream
        if self._acknowledging is None:
            loop = asyncio.get_running_loop()
            self._acknowledging = loop.call_later(_ACKNOWLEDGE_SECONDS, self._acknowledge_now)

    def _acknowledge_now(self) -> None:
        self._acknowledging = None
        self.wake()

    async def answered(self, seconds: float) -> None:
        """Wait until every text frame was sent, at most so many seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._answered.wait(), seconds)

    async def caught_up(self, seconds: float) -> None:
        """Wait until everything was sent, at most so many seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._caught_up.wait(), seconds)

    async def run(self) -> None:
        """Send until canceled; raises Unreachable when the connection ends, or TooSlow."""
        while True:
            if self._first:
                await self._send_first(self._first.popleft())
                continue
            self._answered.set()
            if self._unacknowledged and self._acknowledging is None:
                await self._send_acknowledgements()
            elif self._missing or (self._live and self._sent < self._journal.last):
                # In turns: a page that comes back to much output holds up no other page.
                await self._send_live()
                if self._missing:
                    await self._send_missed()
            else:
                self._caught_up.set()
                self._awake.clear()
                await self._awake.wait()

    async def _send_first(self, item: dict[str, Any] | tuple[int, Stream]) -> None:
        if isinstance(item, tuple):
            await self._open(*item)
        else:
            await self._connection.send(json.dumps(item))

    async def _open(self, command: int, stream: Stream) -> None:
        start = stream.start = stream.session.start(
            stream.received,
            self._journal.last,
            cursor=stream.cursor,
            same_journal=stream.same_journal,
        )
        gap = self._gap(stream, start)
        told = gap[1] if gap is not None else start
        if not self._live:
            self._sent = self._journal.last
        result = {
            "type": "result",
            "id": command,
            "ok": True,
            "start": start,
            "acknowledged": stream.acknowledged,
            "gap": gap,
            "limit": self._journal.limit,
            "journal": self._journal.id,
            "people": {**self.people(), "number": self._journal.last},
        }
        await self._connection.send(json.dumps(result))
        self._missing.append(_Missing(stream, start, told))

    @property
    def sent_to_all(self) -> int:
        """Up to which number every open stream was sent what it wants; the journal's last one if
        none is open."""
        behind = [*self._missing, *([self._in_turn] if self._in_turn is not None else ())]
        sent = [one.sent for one in behind if not one.stream.closed]
        return min([*sent, self._sent] if self._live else sent, default=self._journal.last)

    async def _send_missed(self) -> None:
        """Send some of what one of the streams that lag behind has missed: each in its turn."""
        behind = self._in_turn = self._missing.popleft()
        await self._send_some(behind)
        if not behind.stream.closed:
            if behind.sent < self._sent:
                self._missing.append(behind)
            else:
                self._live[behind.stream.number] = behind.stream
        self._in_turn = None

    async def _send_some(self, behind: _Missing) -> None:
        stream = behind.stream
        size = 0
        while not stream.closed and size < _TURN_BYTES:
            behind.sent = min(self._journal.past_superseded(behind.sent), self._sent)
            if behind.sent >= self._sent:
                return
            entry = await self._journal.read(behind.sent + 1)
            if stream.closed:
                return
            lost = entry is None and behind.sent + 1 > behind.told
            if lost and self._gap(stream, behind.sent):
                self._lost(stream)
                return
            behind.sent += 1
            if entry is None:
                # Millions of numbers may be gone.
                behind.sent = min(self._journal.next_from(behind.sent + 1) - 1, self._sent)
                # More may be gone than when the stream was told.
                if behind.sent > behind.told and self._gap(stream, behind.told):
                    self._lost(stream)
                    return
            elif stream.wants(entry):
                size += await self._send_to(stream, entry)

    def _lost(self, stream: Stream) -> None:
        if not stream.cursor:
            # Stock clients do not come back: their lab or gateway does when the connection ends.
            raise TooSlow
        self.on_lost(stream)

    async def _send_live(self) -> None:
        size = 0
        while self._live and self._sent < self._journal.last and size < _LIVE_TURN_BYTES:
            size += await self._send_next()

    async def _send_next(self) -> int:
        """Send the next message to the live streams; returns how long it is."""
        self._sent = self._journal.past_superseded(self._sent)
        if self._sent >= self._journal.last:
            return 0
        entry = await self._journal.read(self._sent + 1)
        if entry is None and any(self._gap(stream, self._sent) for stream in self._live.values()):
            raise TooSlow
        self._sent += 1
        if entry is None:
            return 0
        if entry.audience.reach is Reach.REPLAY:
            self._let_lag(entry)
            return 0
        # To a stream that lags behind, or that the gateway does not know to be closed yet,
        # EVERY_STREAM would mean that it has all that was before.
        if entry.audience in (EVERYBODY, COMM) and not self._missing and not self._first:
            await self._connection.send(
                pack_agent_frame(EVERY_STREAM, entry.sequence, 0, entry.message)
            )
            return len(entry.message)
        wanting = [stream for stream in self._live.values() if stream.wants(entry)]
        return sum([await self._send_to(stream, entry) for stream in wanting])

    def _let_lag(self, replay: Entry) -> None:
        """Send a part of a replay, which takes long, in a turn of its own: it holds up no other
        page."""
        before = replay.sequence - 1
        for stream in [one for one in self._live.values() if one.wants(replay)]:
            del self._live[stream.number]
            self._missing.append(_Missing(stream, before, told=before))

    async def _send_to(self, stream: Stream, entry: Entry) -> int:
        """Send a message to one stream; returns how long it is."""
        message = entry.message
        if entry.audience.reach is Reach.REPLAY:
            message = await replayed(self._journal, message)
            if stream.closed:
                return 0
        self._unacknowledged.pop(stream.number, None)
        await self._connection.send(
            pack_agent_frame(stream.number, entry.sequence, stream.acknowledged, message)
        )
        return len(message)

    def _gap(self, stream: Stream, after: int) -> tuple[int, int] | None:
        return self._journal.gap(stream.session.session_id, after, cursor=stream.cursor)

    async def _send_acknowledgements(self) -> None:
        waiting, self._unacknowledged = self._unacknowledged, {}
        for stream in waiting.values():
            if not stream.closed:
                await self._connection.send(pack_agent_frame(stream.number, 0, stream.acknowledged))
