"""Segments: what is written is read, also of files that are cut off or damaged."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import stat
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_ext.agent.entry import Audience, Entry, Reach
from gateway_ext.agent.segments import codec as codecs
from gateway_ext.agent.segments import disk as disk_module
from gateway_ext.agent.segments import table as table_module
from gateway_ext.agent.segments.codec import ZLIB, CodecError, codec_named
from gateway_ext.agent.segments.disk import JournalDisk
from gateway_ext.agent.segments.format import (
    BLOCK_BYTES,
    SegmentError,
    entries_of,
    in_blocks,
    pack_block,
    record_bytes,
    unpack_block,
    unpack_block_header,
    unpack_header,
)
from gateway_ext.agent.segments.table import Place, SegmentTable, _Segment
from gateway_ext.agent.segments.writer import SegmentWriter, WrittenBlock, room_for, segment_bytes

EVERYBODY = Audience(Reach.EVERYBODY)
PAGE = Audience(Reach.SESSION, "page")
AUDIENCES = st.builds(Audience, st.sampled_from(Reach), st.text(max_size=8))
MESSAGES = st.binary(max_size=200) | st.integers(0, 3 * BLOCK_BYTES).map(lambda n: b"x" * n)


def numbered(messages: Sequence[tuple[Audience, bytes]], first: int = 1) -> list[Entry]:
    return [Entry(n, audience, message) for n, (audience, message) in enumerate(messages, first)]


def noise(count: int, size: int = 40_000, first: int = 1) -> list[Entry]:
    """Messages that do not shrink."""
    made = random.Random(first)
    return numbered([(EVERYBODY, made.randbytes(size)) for _ in range(count)], first)


def losses(disk: JournalDisk) -> dict[Audience, int]:
    """What the disk says from now on that it has lost."""
    lost: dict[Audience, int] = {}
    disk.on_lost = lost.__setitem__
    return lost


def writer(folder: Path, most_bytes: int = 2**30) -> SegmentWriter:
    return SegmentWriter(folder, "journal", "kernel", ZLIB, most_bytes)


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def stored_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in files(folder))


def ends_complete(folder: Path) -> bool:
    return files(folder)[-1].read_bytes().endswith(b"fltsegmE")


def overwrite(folder: Path) -> None:
    for file in files(folder):
        file.write_bytes(b"\0" * file.stat().st_size)


def read(file: Path) -> list[Entry]:
    data = file.read_bytes()
    header, start = unpack_header(data)
    return list(entries_of(data, codec_named(header.codec), start))


@given(st.lists(st.tuples(AUDIENCES, MESSAGES), min_size=1, max_size=30), st.integers(1, 2**63))
def test_a_block_is_read_as_it_was_written(
    messages: list[tuple[Audience, bytes]], first: int
) -> None:
    entries = numbered(messages, first)
    blocks = list(in_blocks(entries))
    assert [entry for block in blocks for entry in block] == entries
    for block in blocks:
        assert len(block) == 1 or sum(map(record_bytes, block)) <= BLOCK_BYTES
        data, raw_bytes = pack_block(block, ZLIB)
        found = unpack_block_header(data, 7)
        assert (found.first, found.count, found.end) == (
            block[0].sequence,
            len(block),
            7 + len(data),
        )
        assert found.raw_bytes == raw_bytes
        assert unpack_block(found, data[struct.calcsize(">IIIQI") :], ZLIB) == block


def test_what_does_not_shrink_is_stored_as_it_is() -> None:
    (entry,) = noise(1)
    data, raw_bytes = pack_block([entry], ZLIB)
    assert unpack_block_header(data, 0).is_raw
    assert entry.message in data
    in_haste, _ = pack_block([entry._replace(message=b"x" * 40_000)], None)
    assert unpack_block_header(in_haste, 0).is_raw
    packed, _ = pack_block([entry._replace(message=b"x" * 40_000)], ZLIB)
    assert not unpack_block_header(packed, 0).is_raw
    assert len(packed) < raw_bytes // 10


def test_a_segment_says_what_it_is_and_where_its_blocks_are(tmp_path: Path) -> None:
    writing = writer(tmp_path / "journal")
    writing.write(noise(20, first=5))
    writing.finish()
    (file,) = (tmp_path / "journal").iterdir()
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    data = file.read_bytes()
    header, start = unpack_header(data)
    assert header == ("journal", "kernel", 5, "zlib")
    assert read(file) == noise(20, first=5)
    # Read by hand, from the end, as the format says.
    offset, end = struct.unpack(">Q8s", data[-16:])
    assert end == b"fltsegmE"
    length = int.from_bytes(data[offset : offset + 4], "big")
    table = json.loads(data[offset + 24 : offset + 24 + length])
    assert [(first, count) for _, first, count in table["blocks"]][:2] == [(5, 6), (11, 6)]
    assert table["blocks"][0][0] == start


def test_a_segment_that_is_cut_off_is_read_up_to_its_last_complete_block(tmp_path: Path) -> None:
    writing = writer(tmp_path)
    blocks = writing.write(noise(20))
    writing.finish()
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    _, start = unpack_header(data)
    for length in {start, start + 3, *(b.end - 1 for b in blocks), *(b.end for b in blocks)}:
        complete = [e for b in blocks if b.end <= length for e in b.entries]
        assert list(entries_of(data[:length], ZLIB, start)) == complete


@given(st.data())
def test_no_damage_is_taken_for_a_message(data: st.DataObject) -> None:
    entries = numbered([(EVERYBODY, bytes([n]) * 300) for n in range(20)])
    packed = b"".join(pack_block(entries[n : n + 5], ZLIB)[0] for n in range(0, 20, 5))
    place = data.draw(st.integers(0, len(packed) - 1))
    damaged = bytearray(packed)
    damaged[place] ^= data.draw(st.integers(1, 255))
    found = list(entries_of(bytes(damaged), ZLIB, 0))
    # A block's numbers are repeated in its records: a wrong one in its header harms nobody.
    assert found == entries[: len(found)]
    assert len(found) % 5 == 0


@pytest.mark.parametrize("data", [b"", b"fltsegm1", b"fltsegm1\0\0\0\2{}", b"x" * 100])
def test_what_is_no_segment_is_refused(data: bytes) -> None:
    with pytest.raises(SegmentError):
        unpack_header(data)


def test_a_segment_of_a_later_format_or_codec_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = json.dumps({"format": 2}).encode()
    with pytest.raises(SegmentError, match="format 2"):
        unpack_header(b"fltsegm1" + len(document).to_bytes(4, "big") + document)
    monkeypatch.setattr(codecs, "_zstd", lambda: None)
    for name in ("zstd", "lz4"):
        with pytest.raises(CodecError, match=name):
            codec_named(name)


def test_a_segment_is_complete_at_its_length(tmp_path: Path) -> None:
    most = 2**20
    writing = writer(tmp_path, most)
    blocks = writing.write(noise(30))
    files = sorted(tmp_path.iterdir())
    assert len({block.path for block in blocks}) == len(files) > 3
    assert all(file.stat().st_size >= segment_bytes(most) for file in files[:-1])
    assert [entry for file in files for entry in read(file)] == noise(30)
    assert segment_bytes(2**30) == 8 * 2**20


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=30),
    st.integers(0, 200),
    st.integers(0, 200),
)
def test_every_number_is_found_in_its_block_and_no_other(
    counts: list[int], first: int, last: int
) -> None:
    table, number, held = SegmentTable(), 3, {}
    for place, count in enumerate(counts):
        entries = numbered([(EVERYBODY, b"")] * count, number)
        path = Path(f"/{place // 4}")
        table.add(WrittenBlock(path, place * 10, place * 10 + 10, 5, entries))
        held |= {entry.sequence: (path, place * 10) for entry in entries}
        number += count + place % 2
    for wanted in range(number + 3):
        found = table.find(wanted)
        assert (found and (found.path, found.offset)) == held.get(wanted)
        assert found is None or found.end == found.offset + 10
    first, last = sorted((first, last))
    places = table.places(first, last)
    assert list(dict.fromkeys(held[n] for n in range(first, last + 1) if n in held)) == [
        (place.path, place.offset) for place in places
    ]


@pytest.mark.parametrize("count", [1, 2, 40, 400])
def test_a_file_counts_with_all_that_it_takes_on_the_disk(tmp_path: Path, count: int) -> None:
    table, writing = SegmentTable(), writer(tmp_path)
    for number in range(1, count + 1):
        for block in writing.write(noise(1, size=10, first=number)):
            table.add(block)
    writing.finish()
    (size,) = [file.stat().st_size for file in files(tmp_path)]
    assert size <= table.disk_bytes < size + 4096 + 2
    assert table.disk_bytes % 4096 == 0


def test_a_number_is_found_without_a_look_at_every_file() -> None:
    table, looks = SegmentTable(), 0

    class Counting(_Segment):
        def __getattribute__(self, name: str) -> object:
            nonlocal looks
            looks += 1
            return super().__getattribute__(name)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(table_module, "_Segment", Counting)
        for number in range(1, 4001):
            entries = noise(1, size=1, first=number)
            table.add(WrittenBlock(Path(f"/{number}"), 0, 10, 5, entries))
    looks = 0
    found = table.find(3000)
    assert found is not None
    assert found.path == Path("/3000")
    assert looks < 100


def disk_bytes(folder: Path) -> int:
    """What the files take on a disk of blocks of 4096 bytes."""
    return sum(-(-file.stat().st_size // 4096) * 4096 for file in files(folder))


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


@given(st.lists(st.tuples(AUDIENCES, MESSAGES), min_size=1, max_size=30), st.booleans())
def test_entries_take_no_more_room_than_was_made_for_them(
    messages: list[tuple[Audience, bytes]], compress: bool
) -> None:
    entries = numbered(messages)
    with TemporaryDirectory() as folder:
        writing = writer(Path(folder), 2**20)
        writing.write(entries, compress)
        writing.finish()
        assert disk_bytes(Path(folder)) <= room_for(entries, 2**20)


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


def test_what_could_not_be_written_whole_takes_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, write = writer(tmp_path, 2**20), os.write
    writing.write(noise(1))
    before = stored_bytes(tmp_path)
    for least_files in (1, 4):
        # In the first file or in a later one: each has room for half of what is to be written.
        def full(file: int, data: bytes, least_files: int = least_files) -> int:
            if len(files(tmp_path)) >= least_files and len(data) > 2000:
                write(file, data[:1000])
                raise OSError(28, "No space left on device")
            return write(file, data)

        with monkeypatch.context() as patched:
            patched.setattr(os, "write", full)
            with pytest.raises(OSError, match="No space left"):
                writing.write(noise(20, first=2))
        assert [stored_bytes(tmp_path), len(files(tmp_path))] == [before, 1]
    writing.write(noise(20, first=2))
    assert [entry for file in files(tmp_path) for entry in read(file)] == [
        *noise(1),
        *noise(20, first=2),
    ]


def test_the_writer_begins_a_new_file_when_its_own_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    writing = writer(folder)
    writing.write(noise(1))
    shutil.rmtree(folder)
    writing.write(noise(1, first=2))
    assert [read(file) for file in files(folder)] == [noise(1, first=2)]
    files(folder)[0].rename(folder / "elsewhere")
    (folder / f"{2:020d}.segment").write_bytes(b"of somebody else")
    writing.write(noise(1, first=3))
    writing.finish()
    assert read(files(folder)[1]) == noise(1, first=3)


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
