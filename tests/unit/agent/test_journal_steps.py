"""The journal leaves out what makes no difference once nobody waits for it, and none of it is
missing."""

from __future__ import annotations

import asyncio
import json
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway_ext.agent.entry import EVERYBODY
from gateway_ext.agent.journal import Journal
from gateway_ext.agent.requests.replay import in_parts, replayed
from gateway_ext.agent.segments.disk import JournalDisk
from gateway_ext.agent.tail.parts import take
from jupyter_ext.wire.made_messages import make_message
from jupyter_ext.wire.messages import split_fleet, split_v1
from tests.unit.agent.page_model import Said, shown
from tests.unit.agent.requests_agent import Agent


def here(journal: Journal) -> list[int]:
    return [number for number in range(1, journal.last + 1) if journal.get(number)]


async def written(journal: Journal) -> None:
    """Wait until all is on disk that should be."""
    while journal._spilling is not None:
        await journal._spilling


def stored_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir()) if folder.exists() else 0


def test_a_step_stays_until_everybody_has_got_it() -> None:
    journal, sent = Journal(1000), 0
    journal.sent_to_all = lambda: sent
    for number in range(1, 6):
        journal.append(EVERYBODY, b"step")
        if number > 1:
            journal.supersede(number - 1)
    assert here(journal) == [1, 2, 3, 4, 5]
    sent = 2
    journal.append(EVERYBODY, b"more")
    assert here(journal) == [3, 4, 5, 6]
    sent = 6
    journal.append(EVERYBODY, b"more")
    assert here(journal) == [5, 6, 7]
    assert journal.past_superseded(0) == 4
    assert journal.past_superseded(4) == 4
    assert journal.gap("page", 0) is None


def test_what_is_left_out_makes_room_for_others() -> None:
    journal = Journal(10_000)
    journal.append(EVERYBODY, b"x" * 9000)
    for number in range(2, 1000):
        journal.append(EVERYBODY, b"step" * 50)
        if number > 2:
            journal.supersede(number - 1)
    # Long ones as well.
    for number in range(1000, 2000):
        journal.append(EVERYBODY, b"y" * 5000)
        journal.supersede(number - 1)
    assert here(journal) == [1999]
    assert journal.gap("page", 1) is None


def test_what_is_superseded_is_missed_by_nobody() -> None:
    async def scenario() -> None:
        journal = Journal(300)
        for number in range(1, 11):
            journal.append(EVERYBODY, b"%d" % number * 50)
        # The first ones were lost, and of the others two are superseded.
        lost = [number for number in range(1, 11) if not journal.get(number)]
        assert lost == [1, 2, 3]
        for number in (6, 7):
            journal.supersede(number)
        assert here(journal) == [4, 5, 8, 9, 10]
        parts, missing = in_parts(journal, [[1, 10]])
        assert missing == [[1, 3]]
        # One piece: a replay does not name each step.
        assert parts == [[[4, 10]]]
        taken = await take(journal, 0)
        assert [number for number, _ in taken.messages] == [4, 5, 8, 9, 10]
        assert (taken.last, taken.missing) == (10, [[1, 3]])
        later = await take(journal, 5)
        assert ([number for number, _ in later.messages], later.missing) == ([8, 9, 10], [])

    asyncio.run(scenario())


def test_steps_that_somebody_waits_for_in_vain_take_no_memory() -> None:
    journal = Journal(10_000)
    journal.sent_to_all = lambda: 0
    for number in range(1, 10_000):
        journal.append(EVERYBODY, b"step" * 50)
        journal.supersede(number - 1)
    assert len(journal._steps) < 100


def test_much_that_is_lost_between_steps_is_told_in_few_words() -> None:
    journal = Journal(1000)
    for number in range(1, 200_000, 2):
        journal.append(EVERYBODY, b"lost" * 50)
        journal.append(EVERYBODY, b"step" * 50)
        journal.supersede(number + 1 - 2)
    journal.append(EVERYBODY, b"x" * 900)
    tracemalloc.start()
    try:
        _, missing = in_parts(journal, [[1, journal.last]])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20
    assert missing[:3] == [[1, 1], [3, 3], [5, 5]]
    assert len(missing) <= 1000
    # All are in it, and at its end more than those.
    assert missing[-1][1] == here(journal)[0] - 1
    few = [one for first, last in missing[:-1] for one in range(first, last + 1)]
    assert few == list(range(1, missing[-1][0], 2))


def test_a_step_that_is_on_its_way_to_the_disk_stays_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        disk = JournalDisk(tmp_path / "journal", "j", "k", 2**30)
        journal, sent = Journal(1000, disk=disk), 0
        journal.sent_to_all = lambda: sent
        for number in range(1, 101):
            journal.append(EVERYBODY, b"step" * 25)
            if number > 1:
                journal.supersede(number - 1)
            await written(journal)
        on_disk = [number for number in range(1, 101) if not journal.get(number)]
        assert on_disk
        sent = 100
        journal.append(EVERYBODY, b"more")
        for number in on_disk:
            assert await journal.read(number) is not None
        assert here(journal) == [100, 101]
        pieces = list(journal.sizes(1, 101))
        assert pieces[-1][1] == 101
        assert in_parts(journal, [[1, 101]])[1] == []
        await journal.close()

    asyncio.run(scenario())


def bar(number: int, steps: int) -> tuple[str, dict[str, Any]]:
    """As tqdm writes it."""
    percent = 100 * number // steps
    done = "█" * (percent // 10)
    rate = f"[{number / 9000:08.2f}<{(steps - number) / 9000:08.2f}, 9000.00it/s]"
    text = f"\r{percent:3}%|{done:10}| {number:>6}/{steps} {rate}"
    return "stream", {"name": "stderr", "text": text}


def figure(number: int, steps: int) -> tuple[str, dict[str, Any]]:
    kind = "update_display_data" if number else "display_data"
    data = {"text/plain": f"epoch {number} of {steps}", "text/html": f"<b>{number}</b>" * 20}
    return kind, {"data": data, "metadata": {}, "transient": {"display_id": "d"}}


async def replay(agent: Agent) -> list[Said]:
    """What a page that was away is told of the only cell."""
    before = agent.journal.last
    question = make_message("page", "fleet", "ask", b"{}", {"cells": {"a": None}, "adopt": False})
    agent.requests.from_page(agent.journal, "page", split_fleet(question)[1])
    said: list[Said] = []
    for number in range(before + 1, agent.journal.last + 1):
        entry = await agent.journal.read(number)
        assert entry is not None
        message = await replayed(agent.journal, entry.message)
        _, (_, _, _, content, *buffers) = split_fleet(message)
        assert json.loads(content)["missing"] == []
        for one in buffers:
            _, parts = split_v1(one)
            header, told = json.loads(parts[0]), json.loads(parts[3])
            said.append(("r", header["msg_type"], told))
    return said


async def run_steps(
    folder: Path, steps: int, step: Callable[[int, int], tuple[str, dict[str, Any]]], *, keep: bool
) -> tuple[int, float, Any, int]:
    """Bytes in memory and on disk, seconds that a replay takes, what a page shows that got it, and
    how many messages it got; with `keep` nothing is left out."""
    agent = Agent(2**24, JournalDisk(folder, "j", "k", 2**30))
    if keep:
        agent.requests.on_superseded = lambda number: None
    agent.execute("r", "a")
    agent.say("r", "status", {"execution_state": "busy"})
    for number in range(steps):
        agent.say("r", *step(number, steps))
        if number % 100 == 0:
            await written(agent.journal)
    agent.say("r", "status", {"execution_state": "idle"})
    await written(agent.journal)
    stored = stored_bytes(folder)
    begun = time.monotonic()
    said = await replay(agent)
    seconds = time.monotonic() - begun
    await agent.journal.close()
    return agent.journal._bytes + stored, seconds, shown(said), len(said)


@pytest.mark.parametrize("step", [bar, figure])
@pytest.mark.parametrize("steps", [5000, pytest.param(100_000, marks=pytest.mark.long)])
def test_a_loop_with_many_steps_takes_the_room_of_one(
    tmp_path: Path, step: Callable[[int, int], tuple[str, dict[str, Any]]], steps: int
) -> None:
    async def scenario() -> None:
        before, slow, expected, many = await run_steps(tmp_path / "kept", steps, step, keep=True)
        after, fast, seen, few = await run_steps(tmp_path / "journal", steps, step, keep=False)
        print(
            f"{steps} steps ({step.__name__}): {before:,} bytes and {slow:.2f} s to replay"
            f" {many} messages, {after:,} bytes and {fast:.2f} s to replay {few} of them"
        )
        assert seen == expected
        assert few <= many
        assert after < 20_000 < before

    asyncio.run(scenario())
