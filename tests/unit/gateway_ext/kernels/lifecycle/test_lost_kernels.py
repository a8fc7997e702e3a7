"""What becomes of a kernel whose agent has left."""

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from gateway_ext.kernels.agents.agent_link import AgentLink
from gateway_ext.kernels.agents.links import AgentLinks
from gateway_ext.kernels.lifecycle.kernel_care import GatewayKernels
from gateway_ext.kernels.lifecycle.lost_kernels import LostKernels
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.states import KernelState
from gateway_ext.process_proxies.agent_process import AgentLife
from tests import skipped_time
from tests.unit.gateway_ext.sample_record import sample_record

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RECORD = sample_record(process={"pid": 7}, now=NOW)
BEING_ENDED = (AgentLife.ALIVE, "its pod was evicted")
RUNS = (AgentLife.ALIVE, "")
GONE = (AgentLife.DEAD, "the pod does not exist any more")


class Link:
    kernel_id = "k"

    def __init__(self, process: str) -> None:
        self.process = process


class Fleet:
    """The records, proxy and links of one gateway; each look finds the next of `sights`, and takes
    `seconds`."""

    FOUND_BY_NAME = True
    progress = ("", "", None)

    def __init__(self, *sights: tuple[AgentLife, str], seconds: float = 0.0) -> None:
        self.sights, self.seconds = list(sights), seconds
        self.record = RECORD
        self.links: dict[str, Any] = {}
        self.looked: list[float] = []
        self.ending = ""
        self.reasons: list[str] = []
        self.silent: list[str] = []
        self.endable = True
        kernels = GatewayKernels(
            records=self,  # type: ignore[arg-type]
            launches=self,  # type: ignore[arg-type]
            links=self.links,  # type: ignore[arg-type]
            log=logging.getLogger("test"),
        )
        self.lost_kernels = LostKernels(
            kernels,
            leftovers=self,  # type: ignore[arg-type]
            abandoned=self,  # type: ignore[arg-type]
            ends=self,  # type: ignore[arg-type]
            silences=self,  # type: ignore[arg-type]
            gateway_name="a",
            ping_seconds=1.0,
            lost_seconds=20.0,
        )

    @property
    def processes(self) -> "Fleet":
        return self

    def __contains__(self, kernel_id: str) -> bool:
        return False

    def proxy_of(self, record: KernelRecord) -> "Fleet":
        return self

    async def get(self, kernel_id: str) -> KernelRecord:
        return self.record

    async def look(self) -> AgentLife:
        self.looked.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.seconds)
        life, words = self.sights.pop(0) if len(self.sights) > 1 else self.sights[0]
        self.ending = words if life is AgentLife.ALIVE else ""
        self.words = words
        return life

    async def last_words(self) -> str:
        return self.words

    async def end(self) -> bool:
        return self.endable

    async def set_dead(self, kernel_id: str, epoch: int, reason: str) -> bool:
        self.reasons.append(reason)
        self.record = replace(self.record, state=KernelState.DEAD, owner=None)
        return True

    async def seen(self, record: KernelRecord, words: str) -> None:
        self.silent.append(record.kernel_id)


def test_an_agent_that_says_goodbye_is_looked_at_at_once() -> None:
    async def scenario(fleet: Fleet, process: str) -> float:
        began = asyncio.get_running_loop().time()
        await fleet.lost_kernels.check(Link(process))  # type: ignore[arg-type]
        return fleet.looked[0] - began

    assert skipped_time.run(scenario(Fleet(GONE), "dead")) == 0
    # One that has only lost its gateway looks for another one.
    assert skipped_time.run(scenario(Fleet(GONE), "running")) == 1


def test_why_a_cluster_was_ending_a_pod_is_said_when_the_pod_is_gone() -> None:
    fleet = Fleet(BEING_ENDED, BEING_ENDED, GONE)
    skipped_time.run(fleet.lost_kernels.check(Link("dead")))  # type: ignore[arg-type]
    ended = "the kernel's process has ended: its pod was evicted. the pod does not exist any more"
    assert fleet.reasons == [ended]


def test_an_end_without_words_is_no_open_sentence() -> None:
    silent, evicted = Fleet((AgentLife.DEAD, "")), Fleet(BEING_ENDED, (AgentLife.DEAD, ""))
    for fleet in (silent, evicted):
        skipped_time.run(fleet.lost_kernels.check(Link("dead")))  # type: ignore[arg-type]
    assert silent.reasons == ["the kernel's process has ended"]
    assert evicted.reasons == ["the kernel's process has ended: its pod was evicted"]


def test_a_pod_that_is_being_ended_is_looked_at_often() -> None:
    fleet = Fleet(*[BEING_ENDED] * 6, GONE)
    skipped_time.run(fleet.lost_kernels.check(Link("dead")))  # type: ignore[arg-type]
    assert max(b - a for a, b in zip(fleet.looked, fleet.looked[1:], strict=False)) <= 1
    assert len(fleet.reasons) == 1


def test_what_could_not_be_removed_is_dead_later_with_the_same_reason() -> None:
    fleet = Fleet(BEING_ENDED, GONE)

    async def scenario() -> None:
        fleet.endable = False
        await fleet.lost_kernels.check(Link("dead"))  # type: ignore[arg-type]
        assert not fleet.reasons
        fleet.endable = True
        await fleet.lost_kernels.look(fleet.record)

    skipped_time.run(scenario())
    assert "its pod was evicted" in fleet.reasons[0]


def test_who_looks_while_somebody_looks_joins_and_waits_no_longer_than_wanted() -> None:
    fleet = Fleet(GONE, seconds=12.0)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await fleet.lost_kernels.look(RECORD, 5.0)
        assert (loop.time() - began, fleet.reasons) == (5.0, [])
        await fleet.lost_kernels.look(RECORD, 60.0)
        assert loop.time() - began == 12.0

    skipped_time.run(scenario())
    assert len(fleet.looked) == len(fleet.reasons) == 1


def test_a_look_at_another_gateway_s_kernel_does_not_make_it_unreachable() -> None:
    fleet = Fleet(RUNS)

    async def scenario() -> None:
        await fleet.lost_kernels.look(replace(RECORD, owner="b"))
        assert fleet.silent == []
        await fleet.lost_kernels.look(RECORD)

    skipped_time.run(scenario())
    assert fleet.silent == ["k"]


def pooled_link(closed: list[str]) -> AgentLink:
    """The link to the agent of a kernel in a pool."""
    nothing: Any = None
    record = replace(RECORD, kernel_id="member", pool="shape")
    return AgentLink(
        record,
        {"process": "running", "pooled": True},
        nothing,
        lambda: closed.append("closed"),
        lambda link: None,
        nothing,
        nothing,
        logging.getLogger("test"),
    )


def test_a_kernel_that_is_claimed_from_a_pool_while_the_database_answers_keeps_its_agent() -> None:
    async def scenario(claim: bool, *, before: bool) -> tuple[list[str], AgentLink | None]:
        closed: list[str] = []
        nothing: Any = None
        fleet = Fleet(RUNS)
        links = AgentLinks(nothing, logging.getLogger("test"))
        link = pooled_link(closed)
        links.add(link)
        claimed = replace(RECORD, kernel_id="ada", epoch=8, launch_id="member")
        # What was read before the claim, or after it.
        owned = {"member": 7} if before else {"ada": 8}

        async def answer() -> dict[str, int]:
            if claim:
                links.claimed(link, claimed)
            return owned

        fleet.owned = answer  # type: ignore[attr-defined]
        kernels = GatewayKernels(
            records=fleet,  # type: ignore[arg-type]
            launches={},  # type: ignore[arg-type]
            links=links,
            log=logging.getLogger("test"),
        )
        lost_kernels = LostKernels(
            kernels,
            leftovers=nothing,
            abandoned=nothing,
            ends=nothing,
            silences=nothing,
            gateway_name="a",
            ping_seconds=1.0,
            lost_seconds=20.0,
        )
        await lost_kernels.leave_overtaken()
        return closed, links.get("ada")

    for before in (True, False):
        closed, link = asyncio.run(scenario(True, before=before))
        assert (closed, link is not None) == ([], True)
    # One that another gateway has by now is left.
    closed, link = asyncio.run(scenario(False, before=False))
    assert (closed, link) == (["closed"], None)
