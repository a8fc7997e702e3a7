"""In which order the agent sends, and what to whom, while streams come, close and lag behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from gateway_ext.agent import sender as sender_module
from gateway_ext.agent.connection import Connection
from gateway_ext.agent.entry import EVERYBODY, Audience, Reach
from gateway_ext.agent.journal import Journal
from gateway_ext.agent.sender import Sender, Stream, TooSlow
from gateway_ext.agent.sessions import Session
from jupyter_ext.wire.frames import unpack_agent_frame

ALL = 0


class Frames:
    """A connection that keeps what is sent on it: (stream, number) or a text frame's type."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.before_sending: Callable[[Any], None] = lambda sent: None

    async def send(self, message: str | bytes) -> None:
        if isinstance(message, str):
            frame: Any = json.loads(message)["type"]
        else:
            stream, number, _, _ = unpack_agent_frame(message)
            frame = (stream, number)
        self.before_sending(frame)
        self.sent.append(frame)
        await asyncio.sleep(0)


class Agent:
    """Journal and sender, with two cursor streams: 1 of the session `x`, 2 of `y`."""

    def __init__(self, limit: int = 10**6) -> None:
        self.frames = Frames()
        self.journal = Journal(limit)
        self.sender = Sender(cast(Connection, self.frames), self.journal)
        self.streams = [
            Stream(number, Session(name, 0), "nonce", 0, cursor=True)
            for number, name in enumerate("xy", 1)
        ]

    async def run(self, work: Callable[[], None]) -> list[Any]:
        """What is sent of what `work` does, once both streams are live."""
        sending = asyncio.create_task(self.sender.run())
        for stream in self.streams:
            self.sender.open(stream.number, stream)
        await self.sender.caught_up(5)
        self.frames.sent.clear()
        work()
        self.sender.wake()
        await self.sender.caught_up(5)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        return self.frames.sent


def test_a_replay_holds_up_no_other_page(monkeypatch: pytest.MonkeyPatch) -> None:
    async def replayed(journal: Journal, recipe: bytes) -> bytes:
        return recipe

    monkeypatch.setattr(sender_module, "replayed", replayed)
    agent = Agent()

    def work() -> None:
        for _ in range(3):
            agent.journal.append(Audience(Reach.REPLAY, "x"), b"part")
        agent.journal.append(EVERYBODY, b"live")

    sent = asyncio.run(agent.run(work))
    assert sent.index((2, 4)) < sent.index((1, 1))
    assert [frame for frame in sent if frame[0] == 1] == [(1, 1), (1, 2), (1, 3), (1, 4)]


def test_a_stream_that_was_closed_gets_nothing_beyond_what_it_missed() -> None:
    agent = Agent()

    def close(sent: Any) -> None:
        if sent == (ALL, 1):
            agent.sender.close(agent.streams[0])
            agent.sender.post({"type": "closed", "stream": 1})

    agent.frames.before_sending = close

    def work() -> None:
        agent.journal.append(EVERYBODY, b"before")
        agent.journal.append(Audience(Reach.SESSION, "x"), b"missed")
        agent.journal.append(EVERYBODY, b"after")

    # To all streams would be to the first one, too, until the gateway has heard of its end.
    assert asyncio.run(agent.run(work)) == [(ALL, 1), (2, 3), "closed"]


class Printing(Agent):
    """The journal keeps the newest three messages."""

    def __init__(self) -> None:
        super().__init__(limit=10)
        self.lost: list[int] = []
        self.sender.on_lost = self.end
        # The first stream has missed 1 to 5, and more goes once it was told of 1 and 2.
        self.print_some(5)
        self.frames.before_sending = lambda sent: self.print_some(3) if sent == "result" else None
        self.sender.open(1, self.streams[0])

    def print_some(self, messages: int) -> None:
        for _ in range(messages):
            self.journal.append(EVERYBODY, b"12345")

    def end(self, stream: Stream) -> None:
        self.lost.append(stream.number)
        self.sender.close(stream)


def test_a_page_that_has_lost_more_than_it_was_told_of_is_ended_and_no_other() -> None:
    agent = Printing()

    async def scenario() -> None:
        sending = asyncio.create_task(agent.sender.run())
        await agent.sender.caught_up(5)
        assert (agent.lost, agent.frames.sent) == ([1], ["result"])
        agent.frames.before_sending = lambda sent: None
        agent.sender.open(2, agent.streams[1])
        await agent.sender.caught_up(5)
        agent.print_some(1)
        agent.sender.wake()
        await agent.sender.caught_up(5)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

    asyncio.run(scenario())
    assert agent.lost == [1]
    assert agent.frames.sent[1:] == ["result", (2, 6), (2, 7), (2, 8), (ALL, 9)]


def test_a_stock_client_that_has_lost_more_than_it_was_told_of_ends_the_connection() -> None:
    agent = Printing()
    agent.streams[0].cursor = False
    with pytest.raises(TooSlow):
        asyncio.run(asyncio.wait_for(agent.sender.run(), 5))
    assert agent.lost == []


def test_what_live_pages_have_lost_ends_the_connection() -> None:
    agent = Printing()
    agent.frames.before_sending = lambda sent: None

    async def scenario() -> None:
        sending = asyncio.create_task(agent.sender.run())
        await agent.sender.caught_up(5)
        agent.print_some(5)
        agent.sender.wake()
        await asyncio.wait_for(sending, 5)

    with pytest.raises(TooSlow):
        asyncio.run(scenario())
    assert agent.lost == []


def test_steps_reach_who_reads_before_they_are_left_out() -> None:
    agent = Agent()
    agent.journal.sent_to_all = lambda: agent.sender.sent_to_all

    def work() -> None:
        for number in range(1, 4):
            agent.journal.append(EVERYBODY, b"step")
            if number > 1:
                agent.journal.supersede(number - 1)

    assert asyncio.run(agent.run(work)) == [(ALL, 1), (ALL, 2), (ALL, 3)]
    agent.journal.append(EVERYBODY, b"more")
    assert [agent.journal.get(number) is not None for number in range(1, 5)] == [
        False,
        False,
        True,
        True,
    ]


def test_a_stream_that_lags_behind_keeps_the_steps_that_it_has_not_got() -> None:
    agent = Agent()
    agent.journal.sent_to_all = lambda: agent.sender.sent_to_all
    sent_to_all: list[int] = []

    def look(sent: Any) -> None:
        sent_to_all.append(agent.sender.sent_to_all)
        if sent == (1, 2):
            # While it is being sent what it has missed.
            agent.journal.supersede(3)

    async def scenario() -> None:
        for _ in range(4):
            agent.journal.append(EVERYBODY, b"missed")
        agent.frames.before_sending = look
        sending = asyncio.create_task(agent.sender.run())
        agent.sender.open(1, agent.streams[0])
        await agent.sender.caught_up(5)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

    asyncio.run(scenario())
    assert agent.frames.sent == ["result", (1, 1), (1, 2), (1, 3), (1, 4)]
    assert sent_to_all[1:] == sorted(sent_to_all[1:])
    assert agent.sender.sent_to_all == 4
