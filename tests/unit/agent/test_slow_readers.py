"""The journal waits for open pages before it drops what they lack, but not for ever."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from gateway_ext.agent.entry import EVERYBODY
from gateway_ext.agent.journal import MOST_UNWRITTEN, Journal
from gateway_ext.agent.segments.disk import JournalDisk
from gateway_ext.agent.sender import Stream
from gateway_ext.agent.sessions import Session
from gateway_ext.agent.slow_readers import (
    EXCUSED_SECONDS,
    MOST_SECONDS,
    Excused,
    Reader,
    SlowReaders,
    who_lacks,
)
from tests import skipped_time


def test_who_has_all_that_goes_lacks_nothing() -> None:
    readers = [Reader("slow", 9), Reader("just", 10), Reader("fast", 100)]
    assert who_lacks(readers, 10) == ["slow"]
    assert who_lacks(readers, 9) == []
    assert who_lacks([], 10**9) == []


def test_who_reads_in_time_is_waited_for() -> None:
    async def scenario() -> None:
        has, cut = 0, list[list[str]]()
        readers = SlowReaders(lambda: [Reader("a", has), Reader("b", 99)], cut.append)
        waiting = asyncio.create_task(readers.have(10))
        for number in range(11):
            assert not waiting.done()
            has = number
            await asyncio.sleep(MOST_SECONDS / 12)
        await waiting
        assert cut == []

    skipped_time.run(scenario())


def test_who_takes_too_long_is_cut_and_others_are_not() -> None:
    async def scenario() -> None:
        cut = list[list[str]]()
        readers = SlowReaders(lambda: [Reader("a", 9), Reader("b", 10)], cut.append)
        begun = asyncio.get_running_loop().time()
        await readers.have(10)
        assert cut == [["a"]]
        assert 0 <= asyncio.get_running_loop().time() - begun - MOST_SECONDS < 1

    skipped_time.run(scenario())


def test_who_has_gone_is_not_waited_for() -> None:
    async def scenario() -> None:
        open_pages, cut = [Reader("a", 0)], list[list[str]]()
        readers = SlowReaders(lambda: open_pages, cut.append)
        waiting = asyncio.create_task(readers.have(10))
        await asyncio.sleep(1)
        open_pages.clear()
        await waiting
        assert cut == []

    skipped_time.run(scenario())


def test_who_opens_pages_anew_after_a_cut_is_not_waited_for_a_while() -> None:
    excused = Excused()
    assert not excused.covers("ann", 0, 0.0)
    excused.cut("ann", 10, 100.0)
    assert excused.covers("ann", 10, 100.0)
    assert excused.covers("ann", 99, 100.0 + EXCUSED_SECONDS - 1)
    # A page that she had before, which reads well.
    assert not excused.covers("ann", 9, 101.0)
    assert not excused.covers("bob", 99, 101.0)
    excused.cut("bob", 50, 200.0)
    assert not excused.covers("ann", 99, 100.0 + EXCUSED_SECONDS)
    assert excused.covers("bob", 50, 100.0 + EXCUSED_SECONDS)


def test_a_stream_has_what_was_before_it_and_what_its_client_has_said() -> None:
    session = Session("page", 5)
    assert Stream(1, session, "nonce", 3, start=3).has == 5
    # A page that comes back without a number asks for what it lacks, and gets the rest live.
    assert Stream(1, session, "nonce", None, cursor=True, start=9).has == 9
    session.acknowledge(10)
    assert Stream(1, session, "nonce", None, cursor=True, start=9).has == 10


def test_nothing_goes_from_the_disk_while_somebody_waits_for_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        disk, made = JournalDisk(tmp_path / "journal", "j", "k", 2**22), random.Random(1)
        journal, has, waited = Journal(2**21, disk=disk), 0, list[int]()

        async def until_read(number: int) -> None:
            waited.append(number)
            while has < number:  # noqa: ASYNC110 (the test says it)
                await asyncio.sleep(0.001)

        journal.readers.until_read = until_read
        while not waited:
            journal.append(EVERYBODY, made.randbytes(50_000))
            while journal._spilling is not None and not waited:  # noqa: ASYNC110 (a thread writes)
                await asyncio.sleep(0.001)
        # A kernel with credit stops when so much waits.
        while journal.excess < MOST_UNWRITTEN // 2:
            journal.append(EVERYBODY, made.randbytes(50_000))
        assert not journal.is_disk_behind, "pages' questions are answered meanwhile"
        found = [await journal.read(number) for number in range(1, journal.last + 1)]
        assert None not in found
        assert journal.gap("page", 0) is None
        has = 10**9
        while journal._spilling is not None:
            await journal._spilling
        assert journal.excess == 0
        gap = journal.gap("page", 0)
        # No more than it had waited for.
        assert gap is not None
        assert gap[1] == waited[-1]
        assert waited == sorted(waited)
        await journal.close()

    asyncio.run(scenario())


def test_nothing_goes_from_memory_alone_while_somebody_waits_for_it() -> None:
    async def scenario() -> None:
        journal, has, given = Journal(2**24), 10_000, list[int]()

        async def until_read(number: int) -> None:
            while has < number:  # noqa: ASYNC110 (the test says it)
                await asyncio.sleep(0.001)

        journal.readers.until_read, journal.readers.up_to = until_read, lambda: has
        # Short ones may take half of the memory, which long ones need now.
        for _ in range(has):
            journal.append(EVERYBODY, bytes(1000))
        while journal.excess:  # noqa: ASYNC110 (it is what a kernel does)
            await asyncio.sleep(0.001)
        journal.on_written = lambda: given.append(journal.excess)
        for _ in range(3):
            for _ in range(200):
                # A kernel with credit stops when so much waits.
                if journal.excess < MOST_UNWRITTEN:
                    journal.append(EVERYBODY, bytes(100_000))
                    await asyncio.sleep(0)
            assert journal.last - has > 130
            assert None not in [journal.get(number) for number in range(has + 1, journal.last + 1)]
            assert not given
            assert not journal.is_disk_behind, "pages' questions are answered meanwhile"
            has = journal.last
            while not given or journal.excess:  # noqa: ASYNC110 (it is what a kernel does)
                await asyncio.sleep(0.001)
            given.clear()

    asyncio.run(scenario())


def test_who_reads_nothing_does_not_hold_memory_alone_up_for_ever() -> None:
    async def scenario() -> None:
        journal, cut = Journal(24 * 2**20), list[list[str]]()
        reading = [Reader("a", 0)]

        def end(sessions: list[str]) -> None:
            cut.append(sessions)
            reading.clear()

        journal.readers.until_read = SlowReaders(lambda: reading, end).have
        begun = asyncio.get_running_loop().time()
        for _ in range(1000):
            journal.append(EVERYBODY, bytes(100_000))
            while journal.excess > MOST_UNWRITTEN - 100_000:  # noqa: ASYNC110 (it is what a kernel does)
                await asyncio.sleep(0.1)
        assert cut == [["a"]]
        assert asyncio.get_running_loop().time() - begun < MOST_SECONDS + 5

    skipped_time.run(scenario())
