"""The journal's part on disk: its bound, and files that are gone, damaged or somebody else's."""

from __future__ import annotations

import asyncio
import os
import shutil
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway_ext.agent.entry import Entry
from gateway_ext.agent.segments import disk as disk_module
from gateway_ext.agent.segments.codec import ZLIB
from gateway_ext.agent.segments.disk import JournalDisk
from gateway_ext.agent.segments.format import (
    pack_block,
    unpack_header,
)
from gateway_ext.agent.segments.table import Place
from gateway_ext.agent.segments.writer import SegmentWriter
from tests.unit.agent.segment_files import (
    EVERYBODY,
    PAGE,
    disk_bytes,
    fifo,
    files,
    losses,
    noise,
)


def ends_complete(folder: Path) -> bool:
    return files(folder)[-1].read_bytes().endswith(b"fltsegmE")


def overwrite(folder: Path) -> None:
    for file in files(folder):
        file.write_bytes(b"\0" * file.stat().st_size)


def test_what_was_read_before_it_went_is_gone_as_well(tmp_path: Path) -> None:
    async def scenario() -> None:
        disk, first = JournalDisk(tmp_path, "j", "k", 2**20), 1
        await disk.write(noise(10, first=1))
        while disk.next_from(1) == 1:
            assert await disk.read(1) is not None
            first += 10
            await disk.write(noise(10, first=first))
        assert await disk.read(1) is None
        await disk.close()

    asyncio.run(scenario())


def test_what_goes_while_it_is_read_is_not_kept_for_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, goes = threading.Event(), threading.Event()
    read = JournalDisk._read

    def slow(disk: JournalDisk, place: Place) -> list[Entry]:
        found = read(disk, place)
        reading.set()
        goes.wait(20)
        return found

    async def scenario() -> None:
        disk, first = JournalDisk(tmp_path, "j", "k", 2**20), 1
        written = noise(10, first=1)
        await disk.write(written)
        (block,) = [place for place in disk.places(1, 10) if place.first == 1]
        assert block.last > 1
        monkeypatch.setattr(JournalDisk, "_read", slow)
        being_read = asyncio.create_task(disk.read(1))
        await asyncio.to_thread(reading.wait, 20)
        while disk.next_from(1) == 1:
            first += 10
            await disk.write(noise(10, first=first))
        goes.set()
        assert await being_read == written[0]
        assert await disk.read(2) is None
        await disk.close()

    asyncio.run(scenario())


def test_the_oldest_segments_go_and_say_what_they_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peak, write = 0, os.write

    def measured(file: int, data: bytes) -> int:
        nonlocal peak
        written = write(file, data)
        peak = max(peak, disk_bytes(tmp_path))
        return written

    monkeypatch.setattr(os, "write", measured)

    async def scenario() -> None:
        disk = JournalDisk(tmp_path, "j", "k", 2**20)
        kept: list[Entry] = []
        lost = losses(disk)
        for first in range(1, 200, 10):
            entries = noise(10, first=first)
            entries[3] = entries[3]._replace(audience=PAGE)
            kept += entries
            await disk.write(entries)
            assert peak <= 2**20
        here = [entry for entry in kept if await disk.read(entry.sequence) == entry]
        assert here == kept[-len(here) :]
        assert len(here) > 15
        gone = kept[: -len(here)]
        assert lost == {
            EVERYBODY: max(e.sequence for e in gone if e.audience == EVERYBODY),
            PAGE: max(e.sequence for e in gone if e.audience == PAGE),
        }
        await disk.close()

    asyncio.run(scenario())


def test_a_message_that_is_longer_than_the_bound_goes_for_the_next_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        disk = JournalDisk(tmp_path, "j", "k", 2**20)
        lost = losses(disk)
        await disk.write(noise(5))
        (huge,) = noise(1, size=2**21, first=6)
        await disk.write([huge])
        assert lost == {EVERYBODY: 5}
        assert await disk.read(6) == huge
        await disk.write(noise(1, first=7))
        assert lost == {EVERYBODY: 6}
        assert disk.next_from(1) == 7
        assert disk_bytes(tmp_path) < 50_000
        await disk.close()

    asyncio.run(scenario())


def test_a_disk_that_is_full_is_an_error_and_what_was_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        disk = JournalDisk(tmp_path, "j", "k", 2**20)
        await disk.write(noise(5))

        def full(file: int, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(os, "write", full)
            with pytest.raises(OSError, match="No space left"):
                await disk.write(noise(5, first=6))
        assert [await disk.read(n) for n in range(1, 6)] == noise(5)
        assert await disk.read(6) is None
        await disk.close()

    asyncio.run(scenario())


def link_to_a_copy(path: Path) -> None:
    path.rename(path.with_suffix(".copy"))
    path.symlink_to(path.with_suffix(".copy"))


def other_block(path: Path) -> None:
    data, raw_bytes = pack_block(noise(1, first=1), ZLIB)
    _, start = unpack_header(path.read_bytes())
    length, crc, _, first, count = struct.unpack_from(">IIIQI", data)
    forged = struct.pack(">IIIQI", length, crc, raw_bytes + 1, first, count)
    with path.open("r+b") as file:
        file.seek(start)
        file.write(forged)


@pytest.mark.parametrize("replace", [fifo, Path.mkdir, link_to_a_copy, other_block])
def test_what_was_put_in_place_of_a_segment_is_neither_read_nor_waited_for(
    tmp_path: Path, replace: Callable[[Path], None]
) -> None:
    async def scenario() -> None:
        disk = JournalDisk(tmp_path, "j", "k", 2**20)
        lost = losses(disk)
        await disk.write(noise(1))
        (file,) = files(tmp_path)
        if replace in {fifo, Path.mkdir}:
            file.unlink()
        replace(file)
        async with asyncio.timeout(20):
            assert await disk.read(1) is None
        assert lost == {EVERYBODY: 1}
        await disk.close()

    asyncio.run(scenario())


def test_a_link_in_place_of_the_folder_leads_nowhere(tmp_path: Path) -> None:
    async def scenario() -> None:
        folder, other = tmp_path / "journal", tmp_path / "other"
        disk = JournalDisk(folder, "j", "k", 2**20)
        await disk.write(noise(10, first=1))
        # What an open file and the cache know does not count.
        disk._writer.finish()
        folder.rename(other)
        before = {file: file.read_bytes() for file in files(other)}
        folder.symlink_to(other)
        assert await disk.read(1) is None
        with pytest.raises(NotADirectoryError):
            await disk.write(noise(10, first=11))
        await disk.close()
        assert {file: file.read_bytes() for file in files(other)} == before

    asyncio.run(scenario())


def shorten(folder: Path) -> None:
    for file in files(folder):
        os.truncate(file, 50_000)


def delete(folder: Path) -> None:
    for file in files(folder):
        file.unlink()


@pytest.mark.parametrize("damage", [overwrite, shorten, delete, shutil.rmtree])
def test_a_file_that_is_gone_or_damaged_is_a_gap_that_is_found_once(
    tmp_path: Path,
    damage: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tries: list[Place] = []
    read_place = JournalDisk._read

    def counted(disk: JournalDisk, place: Place) -> list[Entry]:
        tries.append(place)
        return read_place(disk, place)

    monkeypatch.setattr(JournalDisk, "_read", counted)

    async def scenario() -> None:
        folder = tmp_path / "journal"
        disk = JournalDisk(folder, "j", "k", 2**20)
        lost = losses(disk)
        entries = noise(12)
        entries[3] = entries[3]._replace(audience=PAGE)
        await disk.write(entries)
        assert len(files(folder)) > 1
        damage(folder)
        assert [await disk.read(number) for number in range(7, 13)] == [None] * 6
        assert lost == {EVERYBODY: 12}
        # The numbers up to 6 are in another file.
        assert disk.next_from(1) == 1
        assert [await disk.read(number) for number in range(1, 7)] == [None] * 6
        assert lost == {EVERYBODY: 6, PAGE: 4}
        assert disk.next_from(1) is None
        assert len(tries) == 2
        assert caplog.text.count("cannot be read") == 1
        # What is written then can be read.
        await disk.write(noise(3, first=13))
        assert [await disk.read(number) for number in (13, 14, 15)] == noise(3, first=13)
        await disk.close()

    asyncio.run(scenario())


def test_after_a_failure_that_is_not_the_disk_s_everything_is_read_as_well(tmp_path: Path) -> None:
    async def scenario() -> None:
        disk, left = JournalDisk(tmp_path, "j", "k", 2**30), 2

        def compress(raw: bytes) -> bytes:
            nonlocal left
            left -= 1
            if not left:
                raise MemoryError
            return ZLIB.compress(raw)

        await disk.write(noise(1))
        disk._writer._codec = ZLIB._replace(compress=compress)
        with pytest.raises(MemoryError):
            await disk.write(noise(10, first=2))
        await disk.write(noise(10, first=2))
        found = [await disk.read(number) for number in range(1, 12)]
        assert found == [*noise(1), *noise(10, first=2)]
        await disk.close()

    asyncio.run(scenario())


def test_a_segment_is_complete_after_a_while_and_the_next_entries_begin_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(disk_module, "_SEGMENT_SECONDS", 0.01)
        disk = JournalDisk(tmp_path, "j", "k", 2**30)
        finishing: list[int] = []
        finish = SegmentWriter.finish

        def counted(writing: SegmentWriter, least_bytes: int = 0) -> None:
            finish(writing, least_bytes)
            finishing.append(least_bytes)

        monkeypatch.setattr(SegmentWriter, "finish", counted)
        async with asyncio.timeout(20):
            # What is short goes on, however old it is.
            for number in range(1, 6):
                await disk.write(noise(1, first=number))
                while len(finishing) < number:  # noqa: ASYNC110 (a thread does it)
                    await asyncio.sleep(0.01)
                assert len(files(tmp_path)) == 1
            assert not ends_complete(tmp_path)
            await disk.write(noise(2, first=6))
            while not ends_complete(tmp_path):  # noqa: ASYNC110 (a thread writes it)
                await asyncio.sleep(0.01)
        await disk.write(noise(1, first=8))
        assert await disk.read(5) == noise(1, first=5)[0]
        assert await disk.read(8) == noise(1, first=8)[0]
        assert len(files(tmp_path)) == 2
        await disk.close()

    asyncio.run(scenario())
