"""What the agent sends of its journal to be kept: what, in which order, and when again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from gateway_ext.agent.connection import Unreachable
from gateway_ext.agent.entry import COMM, CURSORS, EVERYBODY, Audience, Reach
from gateway_ext.agent.journal import Journal
from gateway_ext.agent.requests.index import Record
from gateway_ext.agent.tail import parts as parts_module
from gateway_ext.agent.tail import sender as sender_module
from gateway_ext.agent.tail.parts import MOST_REQUESTS, take, unfinished
from gateway_ext.agent.tail.sender import JournalTail, Said
from gateway_ext.agent.tail.ways import InLink
from jupyter_ext.journals.told import told
from jupyter_ext.wire.frames import JOURNAL_PART, unpack_agent_frame
from jupyter_ext.wire.journal_parts import MOST_RAW_BYTES, PartHeader, messages_of, parts_in
from jupyter_ext.wire.messages import split_fleet
from tests import skipped_time
from tests.unit.agent.requests_agent import Agent


@pytest.fixture(autouse=True)
def without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop skips the time that threads take."""

    async def at_once(function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)

    monkeypatch.setattr(sender_module.asyncio, "to_thread", at_once)


class Gateway:
    """Keeps parts, and answers as it is told to."""

    def __init__(self, journal: Journal) -> None:
        self.tail = JournalTail(journal, lambda: Said("running", "", []), self.way)
        self.link = InLink(self.tail.wake)
        self.journal = journal
        self.parts: list[bytes] = []
        self.answer: Callable[[int], dict[str, Any] | None] = lambda last: {"ok": True}

    def way(self) -> InLink | None:
        return self.link if self.link.possible else None

    def connect(self, *, keeps: bool = True) -> None:
        self.link.connected(self.receive, keeps=keeps)

    async def receive(self, frame: bytes) -> None:
        stream, last, _, part = unpack_agent_frame(frame)
        assert stream == JOURNAL_PART
        self.parts.append(part)
        answer = self.answer(last)
        if answer is not None:
            asyncio.get_running_loop().call_soon(self.link.answered, {"last": last, **answer})

    @property
    def headers(self) -> list[PartHeader]:
        return [one.header for part in self.parts for one in parts_in(part)]

    @property
    def messages(self) -> list[bytes]:
        return [
            message
            for part in self.parts
            for one in parts_in(part)
            for _, message in messages_of(part, one)
        ]

    def say(self, message: bytes, audience: Audience = EVERYBODY) -> None:
        self.journal.append(audience, message)
        self.tail.wake()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(100):
            while not condition():  # noqa: ASYNC110 (anything may be waited for)
                await asyncio.sleep(0.001)


def with_gateway(test: Callable[[Gateway], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Runs a test with a gateway that is not connected yet."""

    async def run() -> None:
        journal = Journal(10**6)
        gateway = Gateway(journal)
        running = asyncio.create_task(gateway.tail.run())
        try:
            await test(gateway)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    # Without functools.wraps, by which pytest would look for a fixture.
    def in_loop() -> None:
        skipped_time.run(run())

    return in_loop


@with_gateway
async def test_what_the_kernel_says_is_sent_once_and_in_order(gateway: Gateway) -> None:
    gateway.connect()
    for number in range(20):
        gateway.say(b"%d" % number)
        await asyncio.sleep(0.2)
    await gateway.until(lambda: len(gateway.messages) == 20)
    assert gateway.messages == [b"%d" % number for number in range(20)]
    ends = [0] + [header.last for header in gateway.headers]
    assert [header.first for header in gateway.headers] == [end + 1 for end in ends[:-1]]


@with_gateway
async def test_a_part_says_whether_more_had_been_said_when_it_was_made(gateway: Gateway) -> None:
    with pytest.MonkeyPatch.context() as smaller:
        smaller.setattr(parts_module, "PART_BYTES", 100)
        for _ in range(3):
            gateway.say(b"x" * 100)
        gateway.connect()
        await gateway.until(lambda: len(gateway.parts) == 3)
    assert [header.behind for header in gateway.headers] == [True, True, False]


@with_gateway
async def test_a_gateway_that_keeps_nothing_gets_nothing(gateway: Gateway) -> None:
    gateway.connect(keeps=False)
    gateway.say(b"a")
    await asyncio.sleep(5)
    assert gateway.parts == []
    gateway.link.disconnected()
    gateway.connect()
    await gateway.until(lambda: gateway.messages == [b"a"])


@with_gateway
async def test_a_part_without_an_answer_is_sent_again_unchanged(gateway: Gateway) -> None:
    gateway.answer = lambda last: None
    gateway.connect()
    gateway.say(b"a")
    await gateway.until(lambda: len(gateway.parts) == 1)
    gateway.say(b"b")
    gateway.link.disconnected()
    gateway.answer = lambda last: {"ok": True}
    gateway.connect()
    await gateway.until(lambda: len(gateway.parts) == 3)
    assert gateway.parts[0] == gateway.parts[1]
    assert [header.first for header in gateway.headers] == [1, 1, 2]


@with_gateway
async def test_a_part_that_was_not_kept_is_sent_again(gateway: Gateway) -> None:
    answers = iter([{"ok": False, "seconds": 0.01, "message": "the store is away"}])
    gateway.answer = lambda last: next(answers, {"ok": True})
    gateway.connect()
    gateway.say(b"a")
    await gateway.until(lambda: len(gateway.parts) == 2)
    gateway.say(b"b")
    await gateway.until(lambda: len(gateway.parts) == 3)
    assert gateway.messages == [b"a", b"a", b"b"]


@with_gateway
async def test_a_connection_that_breaks_while_sending_loses_nothing(gateway: Gateway) -> None:
    async def broken(frame: bytes) -> None:
        raise Unreachable("gone")

    gateway.link.connected(broken, keeps=True)
    gateway.say(b"a")
    await asyncio.sleep(5)
    gateway.link.disconnected()
    gateway.connect()
    await gateway.until(lambda: gateway.messages == [b"a"])


@with_gateway
async def test_the_last_part_says_that_nothing_follows(gateway: Gateway) -> None:
    gateway.connect()
    gateway.say(b"a")
    await gateway.tail.finish(10)
    assert gateway.messages == [b"a"]
    assert [header.complete for header in gateway.headers] == [True]


@with_gateway
async def test_the_last_part_may_have_no_message(gateway: Gateway) -> None:
    gateway.connect()
    gateway.say(b"a")
    await gateway.until(lambda: len(gateway.parts) == 1)
    await gateway.tail.finish(10)
    assert [(one.first, one.last, one.complete) for one in gateway.headers] == [
        (1, 1, False),
        (2, 2, True),
    ]


@with_gateway
async def test_the_last_part_is_sent_again_at_once_when_the_kernel_ends(gateway: Gateway) -> None:
    answers = iter([{"ok": False, "seconds": 20, "message": "away"}] * 2)
    gateway.answer = lambda last: next(answers, {"ok": True})
    gateway.connect()
    gateway.say(b"a")
    await gateway.until(lambda: len(gateway.parts) == 1)
    await gateway.tail.finish(10)
    assert gateway.headers[-1].complete


@with_gateway
async def test_ending_waits_for_a_store_that_is_away_no_longer_than_told(gateway: Gateway) -> None:
    gateway.answer = lambda last: {"ok": False, "seconds": 20, "message": "away"}
    gateway.connect()
    gateway.say(b"a")
    async with asyncio.timeout(10):
        await gateway.tail.finish(0.1)


@with_gateway
async def test_replies_that_interest_one_page_alone_are_not_sent(gateway: Gateway) -> None:
    gateway.connect()
    gateway.say(b"completion", Audience(Reach.SESSION, "s"))
    gateway.say(b"replay", Audience(Reach.REPLAY, "s"))
    await asyncio.sleep(5)
    assert gateway.parts == []
    gateway.say(b"reply of a cell", Audience(Reach.SESSION_AND_CURSORS, "s"))
    gateway.say(b"request", CURSORS)
    await gateway.until(lambda: len(gateway.messages) == 2)


@with_gateway
async def test_what_is_not_worth_keeping_is_not_missing(gateway: Gateway) -> None:
    gateway.connect()
    gateway.say(b"a")
    await gateway.until(lambda: len(gateway.messages) == 1)
    for _ in range(3):
        gateway.say(b"replay", Audience(Reach.REPLAY, "s"))
        # Nothing else comes for long.
        await asyncio.sleep(5)
    gateway.say(b"b")
    await gateway.until(lambda: len(gateway.messages) == 2)
    assert [(one.first, one.last) for one in gateway.headers] == [(1, 1), (2, 5)]
    found = told(gateway.parts, None)
    assert found is not None
    assert (found.last, found.missing) == (5, [])


def test_widgets_push_out_no_output_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts_module, "PART_BYTES", 1000)
    journal = Journal(10**8)
    for _ in range(100):
        journal.append(COMM, b"moved" * 100)
    journal.append(COMM, bytes(MOST_RAW_BYTES))
    journal.append(EVERYBODY, b"printed")
    assert skipped_time.run(take(journal, 0)) == (102, [(102, b"printed")], [])


@pytest.mark.parametrize("cell", ["a", None])
def test_why_a_process_ended_in_a_cell_is_sent_also_if_its_client_has_no_cell_ids(
    cell: str | None,
) -> None:
    agent = Agent()
    agent.execute("r", cell)
    agent.say("r", "status", {"execution_state": "busy"})
    asyncio.run(agent.requests.died("out of memory", "k"))
    messages = [split_fleet(one)[1] for _, one in asyncio.run(take(agent.journal, 0)).messages]
    (reply,) = [parts[3] for parts in messages if b'"execute_reply"' in parts[0]]
    said = json.loads(reply)
    assert (said["status"], said["ename"]) == ("error", "KernelDied")
    assert said["evalue"] == "out of memory"


def test_a_part_is_full_at_about_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts_module, "PART_BYTES", 1000)
    journal = Journal(10**6)
    for _ in range(10):
        journal.append(EVERYBODY, b"x" * 400)
    taken = skipped_time.run(take(journal, 0))
    assert (taken.last, len(taken.messages)) == (3, 3)
    assert skipped_time.run(take(journal, taken.last)).messages[0][0] == 4


def test_what_is_gone_or_too_long_is_named() -> None:
    journal = Journal(1000)
    for _ in range(10):
        journal.append(EVERYBODY, b"x" * 400)
    taken = skipped_time.run(take(journal, 0))
    assert (taken.last, taken.missing) == (10, [[1, 7]])
    assert [number for number, _ in taken.messages] == [8, 9, 10]
    journal.append(EVERYBODY, bytes(MOST_RAW_BYTES))
    assert skipped_time.run(take(journal, 10)) == (11, [], [[11, 11]])


def test_a_part_names_the_requests_that_have_not_ended() -> None:
    records = [
        Record(f"r{number}", "c", "s", None, None, 1, state="running" if number % 2 else "done")
        for number in range(500)
    ]
    records[1].cell = "c" * 10_000
    found = unfinished(records)
    assert len(found) == MOST_REQUESTS
    assert found[0]["request"] == "r3"
