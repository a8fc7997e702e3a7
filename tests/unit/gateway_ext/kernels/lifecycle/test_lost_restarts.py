"""When an unreachable kernel that somebody restarted is started again."""

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway_ext.kernels.lifecycle.kernel_care import GatewayKernels
from gateway_ext.kernels.lifecycle.lost_restarts import LostRestarts
from gateway_ext.kernels.refusal import Refusal
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.silence import Silence
from gateway_ext.ownership.states import KernelState
from gateway_ext.process_proxies.agent_process import AgentLife
from tests import skipped_time
from tests.unit.gateway_ext.sample_record import sample_record

ALIVE, DEAD, UNKNOWN = AgentLife.ALIVE, AgentLife.DEAD, AgentLife.UNKNOWN
NOW = datetime(2026, 1, 1, tzinfo=UTC)
WAITING = sample_record(
    KernelState.RESTARTING,
    process={"pid": 7},
    execution_state="busy",
    silence=Silence(7, NOW, restart_by="eve"),
    now=NOW,
)


class Proxy:
    """A pod that is seen so, look after look; the last time for good."""

    progress = ("connecting", "its node does not answer", None)

    def __init__(self, *lives: AgentLife) -> None:
        self.lives = list(lives)
        self.ends = 0

    async def look(self) -> AgentLife:
        return self.lives.pop(0) if len(self.lives) > 1 else self.lives[0]

    async def end(self) -> bool:
        self.ends += 1
        return True


class Fleet:
    """The records, launches and membership of one gateway."""

    takes_kernels = True

    def __init__(self, proxy: Proxy | None) -> None:
        self.record: KernelRecord = WAITING
        self.proxy = proxy
        self.started: list[tuple[int, str]] = []
        self.refusal: Refusal | None = None
        self.dropped: list[str] = []
        self.words: list[str] = []
        self.launching: set[str] = set()
        self.restarts = LostRestarts(
            GatewayKernels(self, self, {}, logging.getLogger("test")),  # type: ignore[arg-type]
            silence_records=self,  # type: ignore[arg-type]
            membership=self,  # type: ignore[arg-type]
            start_again=self.start_again,
            living_seconds=8,
        )

    async def waiting(self, dead_for: timedelta) -> list[KernelRecord]:
        assert dead_for == timedelta(seconds=8)
        silence = self.record.silence
        return [self.record] if silence is not None and silence.restart_by is not None else []

    async def take(self, record: KernelRecord) -> KernelRecord | None:
        return record if record == self.record else None

    async def say(self, record: KernelRecord, words: str) -> None:
        self.words.append(words)

    async def drop_restart(self, record: KernelRecord, reason: str) -> None:
        self.dropped.append(reason)

    async def set_dead(self, kernel_id: str, epoch: int, reason: str) -> bool:
        if epoch != self.record.epoch:
            return False
        self.record = replace(self.record, state=KernelState.DEAD, owner=None, epoch=epoch + 1)
        return True

    async def get(self, kernel_id: str) -> KernelRecord:
        return self.record

    @property
    def processes(self) -> "Fleet":
        return self

    def proxy_of(self, record: KernelRecord) -> Any:
        return self.proxy

    def __contains__(self, kernel_id: str) -> bool:
        return kernel_id in self.launching

    async def start_again(self, record: KernelRecord, username: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.started.append((record.epoch, username))
        self.record = replace(record, state=KernelState.LAUNCHING, silence=None)

    async def finish(self, times: int = 1) -> None:
        for _ in range(times):
            await self.restarts.finish()
            await asyncio.sleep(20)


def test_a_kernel_whose_pod_is_gone_is_started_again_once() -> None:
    fleet = Fleet(Proxy(DEAD))
    skipped_time.run(fleet.finish(3))
    assert fleet.started == [(8, "eve")]


def test_an_agent_that_can_be_ended_is_ended_and_then_the_kernel_started() -> None:
    fleet = Fleet(proxy := Proxy(ALIVE, DEAD))
    skipped_time.run(fleet.finish())
    assert proxy.ends
    assert fleet.started == [(8, "eve")]


def test_nothing_is_started_while_the_old_one_may_run() -> None:
    for lives in ((ALIVE,), (UNKNOWN,)):
        fleet = Fleet(Proxy(*lives))
        skipped_time.run(fleet.finish(5))
        assert fleet.started == []
        assert fleet.record == WAITING
        # Who looks at it is told what it waits for.
        assert set(fleet.words) == {"its node does not answer"}
    unknown = Fleet(None)
    skipped_time.run(unknown.finish(5))
    assert unknown.started == []


def test_a_lost_node_that_goes_at_last_lets_the_new_one_start() -> None:
    fleet = Fleet(Proxy(ALIVE, ALIVE, ALIVE, ALIVE, DEAD))

    async def scenario() -> None:
        await fleet.finish(2)
        assert fleet.started == []
        await fleet.finish()
        assert fleet.started == [(8, "eve")]

    skipped_time.run(scenario())


def test_the_cluster_is_asked_less_and_less_often() -> None:
    fleet = Fleet(proxy := Proxy(ALIVE))

    async def scenario() -> None:
        for _ in range(100):
            await fleet.restarts.finish()
            await asyncio.sleep(1)

    skipped_time.run(scenario())
    assert 10 <= proxy.ends <= 15


def test_a_gateway_that_ended_in_between_leaves_a_dead_kernel_that_is_started() -> None:
    fleet = Fleet(proxy := Proxy(DEAD))
    fleet.record = replace(WAITING, state=KernelState.DEAD, owner=None, epoch=8)
    skipped_time.run(fleet.finish())
    assert fleet.started == [(8, "eve")]
    assert proxy.ends == 0


def test_a_restart_that_is_refused_is_given_up() -> None:
    fleet = Fleet(Proxy(DEAD))
    fleet.refusal = Refusal(403, "too many kernels")
    skipped_time.run(fleet.finish())
    assert fleet.dropped == ["too many kernels"]


def test_a_launch_in_progress_and_a_gateway_that_leaves_are_left_alone() -> None:
    fleet = Fleet(Proxy(DEAD))
    fleet.launching.add("k")
    skipped_time.run(fleet.finish())
    fleet.launching.clear()
    fleet.takes_kernels = False
    skipped_time.run(fleet.finish())
    assert fleet.started == []
