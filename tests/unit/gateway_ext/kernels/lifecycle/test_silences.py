"""When a kernel counts as unreachable."""

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway_ext.kernels.lifecycle import silences
from gateway_ext.kernels.lifecycle.silences import Silences
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.silence import Silence
from gateway_ext.ownership.states import KernelState
from jupyter_ext.database.engine import DatabaseUnavailable
from tests import skipped_time
from tests.unit.gateway_ext.sample_record import sample_record

NOW = datetime.now(UTC)
RECORD = sample_record(owner="b", now=NOW, changed=NOW - timedelta(hours=1))


class Link:
    kernel_id = "k"

    def __init__(self, epoch: int = 7) -> None:
        self.epoch = epoch


class Records:
    """What is recorded, and what there is to be found."""

    def __init__(self) -> None:
        self.marks: list[tuple[str, int, float]] = []
        self.words: list[str] = []
        self.healed: list[tuple[str, int]] = []
        self.found: list[tuple[KernelRecord, float]] = []
        self.mine: list[KernelRecord] = []
        self.away = 0

    async def mark(self, kernel_id: str, epoch: int, seconds: float) -> bool:
        if self.away:
            self.away -= 1
            raise DatabaseUnavailable("away")
        self.marks.append((kernel_id, epoch, seconds))
        return True

    async def say(self, record: KernelRecord, words: str) -> None:
        self.words.append(words)

    async def heard(self, kernel_id: str, epoch: int) -> None:
        self.healed.append((kernel_id, epoch))

    async def unheard(self, seconds: float) -> list[tuple[KernelRecord, float]]:
        assert seconds == 8
        return self.found

    async def marked(self) -> list[KernelRecord]:
        return self.mine


class Gateway:
    """A gateway whose clock is the skipped one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = 1000.0
        monkeypatch.setattr(silences.time, "monotonic", self.time)
        self.records = Records()
        self.links: dict[str, Any] = {}
        self.silences = Silences(
            self.records,  # type: ignore[arg-type]
            self.links,  # type: ignore[arg-type]
            unreachable_seconds=10,
            living_seconds=8,
            log=logging.getLogger("test"),
        )

    def time(self) -> float:
        try:
            return 1000 + asyncio.get_running_loop().time()
        except RuntimeError:
            return 1000


def test_a_kernel_whose_agent_does_not_come_back_is_marked_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = Gateway(monkeypatch)
    # Also if the database is away at that moment.
    gateway.records.away = 2
    lost = Link()
    skipped_time.run(gateway.silences.lost(lost, 5.0))  # type: ignore[arg-type]
    [(kernel_id, epoch, seconds)] = gateway.records.marks
    assert (kernel_id, epoch) == ("k", 7)
    assert seconds == pytest.approx(12)


def test_one_that_comes_back_is_not_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway(monkeypatch)

    async def scenario() -> None:
        lost: Any = Link()
        waiting = asyncio.create_task(gateway.silences.lost(lost, 5.0))
        await asyncio.sleep(4)
        gateway.links["k"] = Link(8)
        await waiting

    skipped_time.run(scenario())
    assert gateway.records.marks == []


def test_kernels_of_a_gateway_that_ended_are_marked_when_nobody_takes_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = Gateway(monkeypatch)

    async def scenario() -> None:
        await asyncio.sleep(60)
        gateway.records.found = [(RECORD, 11.0)]
        await gateway.silences.look()
        await asyncio.sleep(2)
        await gateway.silences.look()
        assert gateway.records.marks == []
        await asyncio.sleep(2)
        await gateway.silences.look()
        assert [mark[:2] for mark in gateway.records.marks] == [("k", 7)]

    skipped_time.run(scenario())


def test_an_outage_of_the_database_makes_no_kernel_unreachable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = Gateway(monkeypatch)

    async def scenario() -> None:
        await asyncio.sleep(60)
        # The others have not reported again yet; then they have.
        gateway.records.found = [(RECORD, 60.0)]
        await gateway.silences.look()
        gateway.records.found = []
        await asyncio.sleep(2)
        await gateway.silences.look()
        gateway.records.found = [(RECORD, 60.0)]
        await asyncio.sleep(2)
        await gateway.silences.look()
        # Claimed by another one, which has ended too.
        gateway.records.found = [(replace(RECORD, epoch=8), 60.0)]
        await asyncio.sleep(2)
        await gateway.silences.look()
        assert gateway.records.marks == []

    skipped_time.run(scenario())


def test_a_fleet_that_was_down_waits_for_its_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway(monkeypatch)

    async def scenario() -> None:
        gateway.records.found = [(RECORD, 36000.0)]
        for _ in range(5):
            await gateway.silences.look()
            await asyncio.sleep(1.5)
        assert gateway.records.marks == []
        await asyncio.sleep(3)
        await gateway.silences.look()
        [(_, _, seconds)] = gateway.records.marks
        assert seconds == pytest.approx(10.5)

    skipped_time.run(scenario())


def test_a_kernel_that_is_connected_here_is_not_unreachable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = Gateway(monkeypatch)
    marked = replace(RECORD, silence=Silence(7, NOW))
    gateway.records.mine = [marked, replace(marked, kernel_id="other")]
    gateway.links["k"] = Link()
    skipped_time.run(gateway.silences.look())
    assert gateway.records.healed == [("k", 7)]


def test_a_look_tells_the_cluster_s_words_or_marks_what_nobody_watched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = Gateway(monkeypatch)

    async def scenario() -> None:
        await gateway.silences.seen(replace(RECORD, silence=Silence(7, NOW)), "NotReady")
        assert gateway.records.words == ["NotReady"]
        # Its gateway was started again a moment ago.
        await gateway.silences.seen(RECORD, "")
        assert gateway.records.marks == []
        await asyncio.sleep(20)
        lost: Any = Link()
        waiting = asyncio.create_task(gateway.silences.lost(lost, 5.0))
        await asyncio.sleep(0)
        # Its agent was heard 5 s ago.
        await gateway.silences.seen(RECORD, "")
        assert gateway.records.marks == []
        waiting.cancel()
        await asyncio.sleep(0)
        await gateway.silences.seen(replace(RECORD, state=KernelState.LAUNCHING), "")
        assert gateway.records.marks == []
        await gateway.silences.seen(RECORD, "")
        assert len(gateway.records.marks) == 1

    skipped_time.run(scenario())
