"""Whoever reads, from wherever and whenever, sees in the end what they would see of all steps."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_ext.agent.connection import Connection
from gateway_ext.agent.segments.disk import JournalDisk
from gateway_ext.agent.sender import Sender, Stream
from gateway_ext.agent.sessions import Session
from gateway_ext.agent.tail.parts import take
from jupyter_ext.wire.frames import EVERY_STREAM, unpack_agent_frame
from jupyter_ext.wire.made_messages import make_message
from jupyter_ext.wire.messages import split_fleet, split_v1
from tests.unit.agent.page_model import Said, shown
from tests.unit.agent.requests_agent import Agent
from tests.unit.agent.test_superseded_steps import display, stream, update

PAGES = 4
"""The odd ones ask what their cells lack when they are opened, the even ones read all of it."""
CELLS = "ab"
STEPS = st.sampled_from(["\r1", "\r2 of 9", "\r3\r", "4 of 9\r", "\r\n", "5\n", "\r6\b", "7"])
SAID = st.one_of(
    st.builds(stream, STEPS),
    st.builds(stream, STEPS, st.sampled_from(["stdout", "stderr"])),
    st.builds(display, st.sampled_from("de"), st.integers(0, 99)),
    st.builds(update, st.sampled_from("de"), st.integers(0, 99)),
    st.booleans().map(lambda wait: ("clear_output", {"wait": wait})),
)
LOOPS = st.one_of(
    # Of which most is left out.
    st.lists(st.integers(0, 99).map(lambda n: stream(f"\r{n:2}%")), min_size=2, max_size=9),
    st.lists(st.integers(0, 99).map(lambda n: update("d", n)), min_size=2, max_size=9),
    st.lists(SAID, min_size=1, max_size=9),
)
SAY = st.tuples(st.just("say"), st.sampled_from(CELLS), LOOPS)
PAGE = st.integers(1, PAGES)
EVENTS = st.lists(
    st.one_of(
        SAY,
        SAY,
        SAY,
        st.tuples(st.just("run"), st.sampled_from(CELLS)),
        st.tuples(st.just("open"), PAGE),
        st.tuples(st.just("close"), PAGE),
        st.tuples(st.just("send"), st.integers(1, 20)),
        st.just(("cut",)),
        st.just(("keep",)),
        st.just(("write",)),
    ),
    min_size=5,
    max_size=40,
)


class Page:
    """What a page got: of a replay, of what was said live, or of both."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.session = Session(f"page {number}", 0)
        self.asks = number % 2 == 1
        self.received: int | None = None if self.asks else 0
        self.fence = -1 if self.asks else 0
        self.said: list[Said] = []

    def take(self, number: int, message: bytes) -> None:
        if self.received is not None and number <= self.received:
            return
        self.received = number
        channel, (header, _, _, content, *buffers) = split_fleet(message)
        if channel == "fleet" and json.loads(header)["msg_type"] == "replay":
            told = json.loads(content)
            assert told["missing"] == []
            self.fence = told["fence"]
            self.said += [of_v1(one) for one in buffers]
        # What comes before the answer is in it.
        elif channel == "iopub" and 0 <= self.fence < number:
            self.said.append(of_v1(message))


def of_v1(message: bytes) -> Said:
    _, parts = split_v1(message)
    header, parent, _, content = map(json.loads, parts[:4])
    return parent["msg_id"], header["msg_type"], content


class Line:
    """A connection that takes as many frames as the test lets it."""

    def __init__(self) -> None:
        self.may_send = asyncio.Semaphore(0)
        self.asked: dict[int, Page] = {}
        self.opened: dict[int, Page] = {}

    async def send(self, message: str | bytes) -> None:
        await self.may_send.acquire()
        if isinstance(message, str):
            opened = json.loads(message)["id"]
            if opened in self.asked:
                self.opened[opened] = self.asked[opened]
            return
        stream, number, _, said = unpack_agent_frame(message)
        for name, page in self.opened.items():
            if stream in (EVERY_STREAM, name):
                page.take(number, said)


class Fleet:
    """An agent with all of its readers; with `keep_steps` it leaves nothing out."""

    def __init__(self, folder: Path, *, keep_steps: bool) -> None:
        # Few messages are in memory, the others on disk.
        self.agent = Agent(4000, JournalDisk(folder, "j", "k", 2**30))
        if keep_steps:
            self.agent.requests.on_superseded = lambda number: None
        self.journal = self.agent.journal
        self.journal.sent_to_all = lambda: (
            self.journal.last if self.sender is None else self.sender.sent_to_all
        )
        self.sender: Sender | None = None
        self.sending: asyncio.Task[None] | None = None
        self.requests: dict[str, str] = {}
        self.pages = [Page(number) for number in range(1, PAGES + 1)]
        self.line = Line()
        self.streams: dict[int, Stream] = {}
        self.kept = 0
        self.store: list[Said] = []
        for cell in CELLS:
            self.run(cell)

    def connect(self) -> Sender:
        if self.sender is None:
            self.line = Line()
            self.sender = Sender(cast(Connection, self.line), self.journal)
            self.sending = asyncio.create_task(self.sender.run())
        return self.sender

    async def cut(self) -> None:
        if self.sending is not None:
            self.sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.sending
        self.sender = None
        self.streams.clear()

    def run(self, cell: str) -> None:
        self.requests[cell] = f"{cell} {self.journal.last}"
        self.agent.execute(self.requests[cell], cell)
        self.wake()

    def say(self, cell: str, loop: list[tuple[str, dict[str, Any]]]) -> None:
        for said in loop:
            self.agent.say(self.requests[cell], *said)
        self.wake()

    def wake(self) -> None:
        if self.sender is not None:
            self.sender.wake()

    def open(self, number: int) -> None:
        if number in self.streams:
            return
        page = self.pages[number - 1]
        is_new = page.received is None
        page.received = self.journal.last if page.received is None else page.received
        self.streams[number] = Stream(number, page.session, "", page.received, cursor=True)
        self.connect().open(number, self.streams[number])
        self.line.asked[number] = page
        if is_new:
            asked = {"cells": dict.fromkeys(CELLS), "adopt": False}
            question = make_message("", "fleet", "ask", b"{}", asked)
            self.agent.requests.from_page(
                self.journal, page.session.session_id, split_fleet(question)[1]
            )
            self.wake()

    def close(self, number: int) -> None:
        if number in self.streams and self.sender is not None:
            self.sender.close(self.streams.pop(number))
            self.line.asked.pop(number)
            self.line.opened.pop(number, None)

    async def keep(self) -> None:
        while self.kept < self.journal.last:
            taken = await take(self.journal, self.kept)
            assert taken.missing == []
            for _, message in taken.messages:
                if split_fleet(message)[0] == "iopub":
                    self.store.append(of_v1(message))
            self.kept = taken.last

    async def write(self) -> None:
        while self.journal._spilling is not None:
            await self.journal._spilling

    async def take_part(self, event: tuple[Any, ...]) -> None:
        match event:
            case ("say", cell, loop):
                self.say(cell, loop)
            case ("run", cell):
                self.run(cell)
            case ("open", number):
                self.open(number)
            case ("close", number):
                self.close(number)
            case ("send", many):
                for _ in range(many if self.sender is not None else 0):
                    self.line.may_send.release()
            case ("cut",):
                await self.cut()
            case ("keep",):
                await self.keep()
            case ("write",):
                await self.write()
        await asyncio.sleep(0)

    async def finish(self) -> dict[str, Any]:
        """What each of them shows in the end."""
        await self.keep()
        for number in range(1, PAGES + 1):
            self.open(number)
        assert self.sender is not None
        for _ in range(10 * self.journal.last + 1000):
            self.line.may_send.release()
        async with asyncio.timeout(30):
            # The agent may put off answers.
            while any(page.fence < 0 for page in self.pages):
                await asyncio.sleep(0.001)
                self.wake()
        await self.sender.caught_up(30)
        await self.write()
        await self.cut()
        await self.journal.close()
        views = {f"page {page.number}": shown(page.said) for page in self.pages}
        return {**views, "store": shown(self.store)}


async def views(events: list[tuple[Any, ...]], *, keep_steps: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder) / "journal", keep_steps=keep_steps)
        for event in events:
            await fleet.take_part(event)
        return await fleet.finish()


@settings(max_examples=100, deadline=None)
@given(EVENTS)
def test_all_readers_see_what_they_would_see_without_any_steps_left_out(
    events: list[tuple[Any, ...]],
) -> None:
    seen = asyncio.run(views(events, keep_steps=False))
    assert seen == asyncio.run(views(events, keep_steps=True))
    # Who was there from the start has everything, and so has the store.
    assert seen["page 2"] == seen["page 4"] == seen["store"]
