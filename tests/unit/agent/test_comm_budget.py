"""What widgets say pushes out nothing that cells have said."""

from __future__ import annotations

import asyncio
import os
import random
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_ext.agent.entry import COMM, EVERYBODY, Audience
from gateway_ext.agent.journal import MOST_UNWRITTEN, Journal
from gateway_ext.agent.requests.replay import in_parts
from gateway_ext.agent.segments.disk import JournalDisk
from gateway_ext.agent.segments.split_disk import SplitDisk, without_overlaps
from gateway_ext.agent.segments.table import Place
from gateway_ext.agent.tail.parts import take
from tests.unit.agent.requests_agent import Agent

PAGE = Audience.of_session("page")


def split_disk(folder: Path, others: int, comms: int) -> SplitDisk:
    return SplitDisk(
        JournalDisk(folder / "journal", "j", "k", others),
        JournalDisk(folder / "comms", "j", "k", comms),
    )


async def written(journal: Journal) -> None:
    while journal._spilling is not None:
        await journal._spilling


def blocks_of(lengths: list[tuple[int, int]], first: int) -> list[Place]:
    """Blocks of one disk: of so many numbers each, and so many bytes a number."""
    blocks = []
    for length, density in lengths:
        blocks.append(Place(Path("x"), 0, 1, length * density, first, first + length - 1))
        first += length
    return blocks


LENGTHS = st.lists(st.tuples(st.integers(1, 20), st.integers(1, 9)), max_size=6)


@given(LENGTHS, st.integers(1, 30), LENGTHS, st.integers(1, 30))
def test_pieces_of_two_disks_cover_all_their_numbers_once_and_in_order(
    some: list[tuple[int, int]], first: int, more: list[tuple[int, int]], other: int
) -> None:
    blocks = [*blocks_of(some, first), *blocks_of(more, other)]
    pieces = list(without_overlaps(blocks))
    numbers = [n for piece in pieces for n in range(piece.first, piece.last + 1)]
    assert numbers == sorted({n for b in blocks for n in range(b.first, b.last + 1)})
    total = sum(block.raw_bytes for block in blocks)
    assert abs(sum(piece.raw_bytes for piece in pieces) - total) <= len(pieces) / 2 + 0.001
    # None is longer than a block: a part of a replay is made of whole pieces.
    starts = {block.first for block in blocks}
    assert not [p for p in pieces if starts & set(range(p.first + 1, p.last + 1))]


def test_widgets_push_out_none_of_the_output_on_disk(tmp_path: Path) -> None:
    async def scenario() -> None:
        journal = Journal(100_000, disk=split_disk(tmp_path, 2**21, 2**18))
        made = random.Random(1)
        outputs, comms = [], []
        for number in range(2000):
            comms.append(journal.append(COMM, made.randbytes(1000)))
            if number % 10 == 0:
                outputs.append(journal.append(EVERYBODY, b"%d" % number * 100))
            await written(journal)
        for entry in outputs:
            assert await journal.read(entry.sequence) == entry
        gone = [entry.sequence for entry in comms if await journal.read(entry.sequence) is None]
        assert 1000 < len(gone) < 2000
        assert gone == [entry.sequence for entry in comms[: len(gone)]]
        files = [file.stat().st_size for file in (tmp_path / "comms").iterdir()]
        assert sum(files) <= 2**18
        # Whoever goes on from before has lost something, but no cell has.
        assert journal.gap("page", 0) == (1, gone[-1])
        assert journal.gap("page", gone[-1]) is None
        assert journal.limit == 100_000 + 2**21
        parts, missing = in_parts(journal, [[1, journal.last]])
        assert missing == []
        numbers = [n for runs in parts for start, end in runs for n in range(start, end + 1)]
        assert {entry.sequence for entry in outputs} <= set(numbers)
        assert numbers == sorted(set(numbers))
        taken = await take(journal, 0)
        assert taken.missing == []
        await journal.close()

    asyncio.run(scenario())


def test_output_that_is_lost_is_missing_all_the_same(tmp_path: Path) -> None:
    async def scenario() -> None:
        journal, made = Journal(100_000, disk=split_disk(tmp_path, 2**20, 2**22)), random.Random(1)
        for _ in range(100):
            journal.append(EVERYBODY, made.randbytes(20_000))
            journal.append(COMM, b"moved")
            await written(journal)
        lost = [n for n in range(1, 201) if await journal.read(n) is None]
        assert lost
        assert all(number % 2 for number in lost), "a message of a widget went for output"
        _, missing = in_parts(journal, [[1, 200]])
        told = {n for first, last in missing for n in range(first, last + 1)}
        assert told <= set(lost)
        await journal.close()

    asyncio.run(scenario())


def test_widgets_that_cannot_be_written_do_not_keep_output_from_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        # Where their folder will be is a file.
        (tmp_path / "comms").write_text("")
        journal = Journal(100_000, disk=split_disk(tmp_path, 2**30, 2**22))
        outputs = []
        for _ in range(200):
            outputs.append(journal.append(EVERYBODY, os.urandom(1000)))
            journal.append(COMM, b"moved" * 100)
            await written(journal)
        for entry in outputs:
            assert await journal.read(entry.sequence) == entry
        assert caplog.text.count("messages of widgets cannot be written") == 1
        assert journal.gap("page", 0) is not None
        assert in_parts(journal, [[1, journal.last]])[1] == []
        await journal.close()

    asyncio.run(scenario())


def test_widgets_push_out_none_of_the_output_in_memory() -> None:
    journal = Journal(10_000)
    output = journal.append(EVERYBODY, b"x" * 5000)
    short = journal.append(PAGE, b"reply")
    for _ in range(1000):
        journal.append(COMM, b"moved" * 20)
    assert journal.get(output.sequence) == output
    assert journal.get(short.sequence) == short
    comms = [n for n in range(1, journal.last + 1) if (e := journal.get(n)) and e.audience == COMM]
    assert comms == list(range(journal.last - len(comms) + 1, journal.last + 1))
    # Output that needs room gets it, but for a quarter of it.
    for _ in range(20):
        journal.append(EVERYBODY, b"y" * 5000)
    left = [n for n in comms if journal.get(n)]
    assert 10_000 // 4 - 100 <= 100 * len(left) <= 10_000 // 4
    assert left == comms[-len(left) :]


def test_what_widgets_say_is_known_and_goes_to_everybody() -> None:
    agent = Agent()
    agent.execute("r", "a")
    for kind in ("comm_open", "comm_msg", "comm_close"):
        agent.say("r", kind, {"comm_id": "c", "data": {}})
        entry = agent.journal.get(agent.journal.last)
        assert entry is not None
        assert entry.audience == COMM
        assert entry.concerns("any")
        assert entry.concerns("page", cursor=True)
    agent.print("r", "text")
    entry = agent.journal.get(agent.journal.last)
    assert entry is not None
    assert entry.audience == EVERYBODY
    ((content, messages),) = agent.ask(a=None)
    assert len(messages) == 4
    assert content["missing"] == []


class CountedLooks(OrderedDict[int, None]):
    """Counts how many of its keys somebody looks at."""

    looks = 0

    def __iter__(self) -> Iterator[int]:
        for key in super().__iter__():
            self.looks += 1
            yield key


def test_each_message_of_a_widget_is_dropped_without_a_look_at_all_others(tmp_path: Path) -> None:
    async def scenario() -> None:
        journal = Journal(2**20, disk=split_disk(tmp_path, 2**30, 2**20))
        # The disk takes nothing any more.
        stands = journal._spilling = asyncio.create_task(asyncio.sleep(3600))
        comms = journal._comms = CountedLooks()
        most = (2**20 + MOST_UNWRITTEN) // 400 + 1
        for _ in range(most + 1000):
            journal.append(COMM, bytes(400))
        assert len(comms) == most
        assert comms.looks < 3000
        # A long one drops none of them.
        for length in (2**20, 400):
            journal.append(COMM, bytes(length))
        assert len(comms) >= most
        stands.cancel()

    asyncio.run(scenario())
