"""The journal whose older half is on disk."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import threading
from pathlib import Path

import pytest

from gateway_ext.agent import journal as journal_module
from gateway_ext.agent.entry import CURSORS, EVERYBODY, Audience, Entry, Reach
from gateway_ext.agent.journal import BATCH_BYTES, ENDS_BYTES, MOST_UNWRITTEN, Journal
from gateway_ext.agent.segments.disk import JournalDisk

PAGE = Audience.of_session("page")


def on_disk(folder: Path, memory: int, disk: int) -> Journal:
    return Journal(memory, journal_id="j", disk=JournalDisk(folder / "journal", "j", "k", disk))


def stored_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


async def written(journal: Journal) -> None:
    """Wait until all is on disk that should be."""
    while journal._spilling is not None:
        await journal._spilling


async def read_all(journal: Journal) -> list[Entry | None]:
    return [await journal.read(number) for number in range(1, journal.last + 1)]


def test_what_memory_does_not_hold_is_read_from_disk(tmp_path: Path) -> None:
    async def scenario() -> None:
        journal = on_disk(tmp_path, 100_000, 2**30)
        said = [journal.append(EVERYBODY if n % 3 else PAGE, b"%d" % n * 300) for n in range(900)]
        await written(journal)
        assert journal.excess == 0
        in_memory = [entry for entry in said if journal.get(entry.sequence)]
        assert 0 < sum(len(entry.message) for entry in in_memory) <= 100_000 * 3 // 4
        assert in_memory == said[-len(in_memory) :]
        assert await read_all(journal) == said
        assert journal.gap("page", 0) is None
        assert await journal.read(901) is None
        await journal.close()

    asyncio.run(scenario())


def test_slow_output_is_written_in_whole_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    write = JournalDisk.write

    async def counted(disk: JournalDisk, entries: list[Entry], **options: bool) -> None:
        batches.append(sum(len(entry.message) for entry in entries))
        await write(disk, entries, **options)

    monkeypatch.setattr(JournalDisk, "write", counted)

    async def scenario(memory: int, least: int) -> None:
        batches.clear()
        journal = on_disk(tmp_path / str(memory), memory, 2**30)
        for _ in range(2 * memory // 10_000):
            journal.append(EVERYBODY, b"x" * 10_000)
            await written(journal)
        assert len(batches) > 2
        assert min(batches) >= least
        await journal.close()

    asyncio.run(scenario(100_000, 25_000))
    asyncio.run(scenario(8 * BATCH_BYTES, BATCH_BYTES))


def test_a_message_can_be_read_while_it_is_being_written(tmp_path: Path) -> None:
    async def scenario() -> None:
        journal = on_disk(tmp_path, 1000, 2**30)
        said = []
        for number in range(200):
            said.append(journal.append(EVERYBODY, b"x" * 100))
            assert await journal.read(1) == said[0]
            assert await journal.read(number // 2 + 1) == said[number // 2]
            await asyncio.sleep(0)
        await journal.close()

    asyncio.run(scenario())


def test_above_the_bound_of_the_disk_the_oldest_go_with_a_gap_for_whom_it_concerns(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        journal, made = on_disk(tmp_path, 2**20, 2**21), random.Random(1)
        journal.append(PAGE, b"question")
        journal.append(CURSORS, b"request")
        ends = [journal.append(PAGE, b"reply", is_end=True) for _ in range(10)]
        for _ in range(200):
            journal.append(EVERYBODY, made.randbytes(50_000))
            await written(journal)
        found = [entry for entry in await read_all(journal) if entry]
        # A client that missed all of the output still learns that its cells have ended.
        assert found[:10] == ends
        assert list(journal.sizes(1, 12)) == [(3, 12, 50)]
        here = found[10:]
        first = here[0].sequence
        # Whoever has missed millions of messages is not led through each of them.
        assert [journal.next_from(n) for n in (1, 3, 5, 12)] == [3, 3, 5, 12]
        assert {journal.next_from(n) for n in range(13, first + 1)} == {first}
        last = journal.last
        assert [journal.next_from(n) for n in (first + 1, last, last + 1)] == [
            first + 1,
            last,
            last + 1,
        ]
        assert here[-1].sequence == journal.last
        assert len(here) == journal.last - first + 1
        assert journal.gap("page", 0) == (1, first - 1)
        assert journal.gap("page", 0, cursor=True) == (1, first - 1)
        assert journal.gap("page", first - 1) is None
        assert stored_bytes(tmp_path / "journal") <= 2**21
        assert journal.limit == 2**20 + 2**21
        await journal.close()

    asyncio.run(scenario())


def test_a_reader_learns_of_a_gap_while_the_files_are_being_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        journal, made, go_on = on_disk(tmp_path, 2**20, 2**21), random.Random(1), threading.Event()
        unlink = Path.unlink

        def slow(path: Path, missing_ok: bool = False) -> None:
            assert go_on.wait(60)
            unlink(path, missing_ok)

        monkeypatch.setattr(Path, "unlink", slow)
        try:
            async with asyncio.timeout(20):
                while journal.next_from(1) == 1:
                    if journal.excess == 0:
                        journal.append(EVERYBODY, made.randbytes(50_000))
                    await asyncio.sleep(0)
            assert await journal.read(1) is None
            assert journal.gap("page", 0) == (1, journal.next_from(1) - 1)
        finally:
            go_on.set()
        await written(journal)
        await journal.close()

    asyncio.run(scenario())


def test_a_file_that_cannot_be_deleted_is_no_failure_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        def refused(path: Path, missing_ok: bool = False) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "unlink", refused)
        journal, made = on_disk(tmp_path, 2**20, 2**21), random.Random(1)
        for _ in range(200):
            journal.append(EVERYBODY, made.randbytes(50_000))
            await written(journal)
        assert journal.gap("page", 0) is not None
        assert not caplog.text
        await journal.close()

    asyncio.run(scenario())


def test_a_file_that_is_gone_is_a_gap_but_for_the_ends_of_requests(tmp_path: Path) -> None:
    async def scenario() -> None:
        journal, made = on_disk(tmp_path, 2**20, 2**23), random.Random(1)
        for number in range(1, 101):
            if number % 10 == 0:
                journal.append(PAGE, b"reply", is_end=True)
            else:
                journal.append(EVERYBODY, made.randbytes(50_000))
            await written(journal)
        folder = tmp_path / "journal"
        first, gone, following = (int(file.stem) for file in sorted(folder.iterdir())[:3])
        assert first == 1
        (folder / f"{gone:020d}.segment").unlink()
        assert journal.gap("page", 0) is None
        here = [entry.sequence for entry in await read_all(journal) if entry]
        missing = [n for n in range(gone, following) if n % 10]
        assert sorted({*range(1, 101)} - {*here}) == missing
        assert journal.gap("page", 0) == (1, missing[-1])
        pieces = [range(start, end + 1) for start, end, _ in journal.sizes(1, 100)]
        assert [n for piece in pieces for n in piece] == here
        await journal.close()

    asyncio.run(scenario())


def test_a_gap_in_what_cursor_streams_get_outlives_the_session_that_got_it_too() -> None:
    journal = Journal(0)
    journal.append(Audience(Reach.SESSION_AND_CURSORS, "page"), b"reply")
    journal.append(PAGE, b"question")
    journal.append(EVERYBODY, b"idle")
    assert journal.gap("page", 0) == (1, 2)
    assert journal.gap("other", 0) is None
    assert journal.gap("other", 0, cursor=True) == (1, 1)
    journal.forget("page")
    assert journal.gap("page", 0) is None
    assert journal.gap("other", 0, cursor=True) == (1, 1)


def test_a_disk_that_fails_is_said_once_and_memory_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        journal = on_disk(tmp_path, 100_000, 2**30)
        said = [journal.append(EVERYBODY, b"a" * 1000) for _ in range(100)]
        await written(journal)
        on_it = sum(1 for n in range(1, 101) if not journal.get(n))
        assert on_it > 30

        def full(file: int, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        for _ in range(5):
            said.append(journal.append(PAGE, b"reply"))
            said += [journal.append(EVERYBODY, b"b" * 10_000) for _ in range(100)]
            await written(journal)
        assert caplog.text.count("cannot be written to disk") == 1
        found = await read_all(journal)
        # What was written is there, and of the rest what is short, and as much as memory holds.
        assert found[:on_it] == said[:on_it]
        assert sum(1 for e in found if e and e.audience == PAGE) == 5
        in_memory = [e for e in found if e and journal.get(e.sequence)]
        assert 50_000 < sum(len(entry.message) for entry in in_memory) <= 110_000
        assert journal.gap("page", 0) is not None
        # Nothing waits: a kernel that did so for this would wait forever.
        journal.append(EVERYBODY, b"x" * 10**6)
        assert journal.excess == 0
        await journal.close()

    asyncio.run(scenario())


def test_a_disk_that_has_room_again_is_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(journal_module, "_RETRY_SECONDS", 0.01)
    caplog.set_level(logging.INFO, "fleet.agent")

    async def scenario() -> None:
        journal, made = on_disk(tmp_path, 100_000, 2**30), random.Random(1)
        said = [journal.append(EVERYBODY, made.randbytes(1000)) for _ in range(100)]
        await written(journal)
        folder = tmp_path / "journal"
        stored = stored_bytes(folder)
        assert journal.limit == 100_000 + 2**30
        for outage in (1, 2):
            tries = 0

            def full(file: int, data: bytes) -> int:
                nonlocal tries
                tries += 1
                raise OSError(28, "No space left on device")

            with monkeypatch.context() as patched:
                patched.setattr(os, "write", full)
                said += [journal.append(EVERYBODY, made.randbytes(1000)) for _ in range(50)]
                async with asyncio.timeout(20):
                    while tries < 4:  # noqa: ASYNC110 (a thread counts)
                        await asyncio.sleep(0.001)
                # What cannot be used is not promised.
                assert stored <= journal.limit - 100_000 < stored + 4096 * (1 + outage)
            async with asyncio.timeout(20):
                while caplog.text.count("to disk again") != outage:  # noqa: ASYNC110 (a log)
                    await asyncio.sleep(0.001)
            await written(journal)
            assert caplog.text.count("cannot be written") == outage
            assert journal.limit == 100_000 + 2**30
            stored = stored_bytes(folder)
            assert await read_all(journal) == said
        assert journal.gap("page", 0) is None
        await journal.close()

    asyncio.run(scenario())


def test_a_kernel_that_waits_for_credit_has_filled_no_more_than_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        limit = 2 * MOST_UNWRITTEN
        journal = on_disk(tmp_path, limit, 2**30)
        held = asyncio.Event()

        async def never(disk: JournalDisk, entries: list[Entry], **options: bool) -> None:
            await held.wait()

        monkeypatch.setattr(JournalDisk, "write", never)
        assert journal.excess == 0
        # So much may be owed.
        while journal.excess <= MOST_UNWRITTEN:
            journal.append(EVERYBODY, b"x" * 2**20)
            await asyncio.sleep(0)
        assert journal.is_disk_behind
        assert limit < journal._bytes <= limit + 2 * 2**20
        held.set()
        await written(journal)
        assert journal.excess == 0
        await journal.close()

    asyncio.run(scenario())


def test_a_disk_that_is_slower_than_the_kernel_bounds_the_memory_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        limit = 2 * MOST_UNWRITTEN
        journal = on_disk(tmp_path, limit, 2**30)
        held = asyncio.Event()
        write = JournalDisk.write

        async def slow(disk: JournalDisk, entries: list[Entry], **options: bool) -> None:
            await held.wait()
            await write(disk, entries, **options)

        monkeypatch.setattr(JournalDisk, "write", slow)
        memory, on_written = 0, []
        journal.on_written = lambda: on_written.append(journal.excess)
        for _ in range(60):
            journal.append(EVERYBODY, b"x" * 2**20)
            await asyncio.sleep(0)
            memory = max(memory, journal._bytes)
        # What is being written, one message of any size, and the newest one come on top.
        assert limit < memory <= limit + MOST_UNWRITTEN + 3 * 2**20
        assert not on_written
        held.set()
        await written(journal)
        assert journal.excess == 0
        assert on_written == sorted(on_written, reverse=True)
        assert on_written[0] > on_written[-1] == 0
        found = [entry for entry in await read_all(journal) if entry]
        gap = journal.gap("page", 0)
        assert gap is not None
        assert len(found) >= 24
        assert {entry.sequence for entry in found} > set(range(gap[1] + 1, 61))
        await journal.close()

    asyncio.run(scenario())


def test_a_huge_message_costs_no_other_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        journal = on_disk(tmp_path, 100_000, 2**30)
        held = asyncio.Event()
        write = JournalDisk.write

        async def slow(disk: JournalDisk, entries: list[Entry], **options: bool) -> None:
            await held.wait()
            await write(disk, entries, **options)

        monkeypatch.setattr(JournalDisk, "write", slow)
        said = []
        for _ in range(2):
            # The first while nothing is being written, the second while something is.
            said.append(journal.append(EVERYBODY, b"x" * 3 * MOST_UNWRITTEN))
            await asyncio.sleep(0)
            for _ in range(20):
                said.append(journal.append(PAGE, b"reply"))
                await asyncio.sleep(0)
        held.set()
        await written(journal)
        assert await read_all(journal) == said
        assert journal.gap("page", 0) is None
        await journal.close()

    asyncio.run(scenario())


def test_the_ends_of_requests_are_bounded_too() -> None:
    journal = Journal(0)
    for _ in range(2000):
        journal.append(PAGE, b"r" * 1000, is_end=True)
    journal.append(PAGE, b"r" * 2 * ENDS_BYTES, is_end=True)
    journal.append(EVERYBODY, b"output")
    kept = [number for number in range(1, journal.last) if journal.get(number)]
    assert kept == list(range(2001 - ENDS_BYTES // 1000, 2001))


def test_the_sizes_of_what_is_here_cover_it_once_and_in_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        journal = on_disk(tmp_path, 100_000, 2**30)
        for _ in range(1000):
            journal.append(EVERYBODY, b"x" * 1000)
            await written(journal)
        for first, last in ((1, 1000), (1, 1), (250, 999), (999, 1500), (1200, 1300)):
            pieces = list(journal.sizes(first, last))
            numbers = [n for start, end, _ in pieces for n in range(start, end + 1)]
            assert numbers == list(range(first, min(last, 1000) + 1))
            # What is left out of a block is not counted.
            for start, end, size in pieces:
                assert abs(size / (end - start + 1) - 1000) < 100
        await journal.close()

    asyncio.run(scenario())
