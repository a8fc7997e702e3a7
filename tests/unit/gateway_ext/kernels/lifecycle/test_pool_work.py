"""Work on the kernels of pools, of which one may fail or take long."""

import asyncio
import logging
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from gateway_ext.kernels.lifecycle.kernel_care import GatewayKernels
from gateway_ext.kernels.lifecycle.pool_claims import PoolClaims
from gateway_ext.kernels.lifecycle.pool_keeper import PoolKeeper
from gateway_ext.ownership.pool_plan import PoolPlan
from gateway_ext.ownership.states import KernelState

LOG = logging.getLogger("test")


class Fleet:
    """What a keeper needs: three kernels are too many, and one is to be started."""

    takes_kernels = True

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.started = 0
        self.answers = asyncio.Event()

    async def wanted(self) -> Any:
        return [], set()

    async def plan(self, decide: Any, living: timedelta) -> PoolPlan:
        wanted: Any = object()
        return PoolPlan([wanted], dict.fromkeys(("broken", "slow", "quick"), "too many"))

    async def start(self, decide: Any, living: timedelta) -> list[Any]:
        self.started += 1
        return []

    async def delete(self, kernel_id: str, username: str, **how: Any) -> bool:
        return True

    def get(self, kernel_id: str) -> Any:
        record = SimpleNamespace(
            kernel_id=kernel_id, pool="shape", state=KernelState.RUNNING, epoch=3
        )
        return asyncio.sleep(0, record)

    async def end_deleted(self, record: Any, link: Any) -> None:
        if record.kernel_id == "broken":
            raise KeyError("metadata")
        if record.kernel_id == "slow":
            await self.answers.wait()
        self.ended.append(record.kernel_id)
        self.answers.set()


async def test_a_kernel_that_cannot_be_ended_holds_up_neither_the_others_nor_new_ones() -> None:
    fleet: Any = Fleet()
    links: Any = SimpleNamespace(get=lambda kernel_id: None)
    keeper = PoolKeeper(
        GatewayKernels(fleet, fleet, links, LOG),
        pools=fleet,
        shapes=fleet,
        ends=fleet,
        door=fleet,
        membership=fleet,
        limit=5,
        living_seconds=8.0,
        seconds=2.0,
    )
    await asyncio.wait_for(keeper.keep(), 10)
    assert (fleet.ended, fleet.started) == (["quick", "slow"], 1)


async def test_a_claim_that_cannot_be_finished_holds_up_no_other() -> None:
    def link(kernel_id: str) -> Any:
        record = SimpleNamespace(
            kernel_id=kernel_id, pool=None, launch_id="l", process={"kernel_id": "another"}
        )
        return SimpleNamespace(kernel_id=kernel_id, record=record, must_learn_claim=False)

    answers = asyncio.Event()
    finished: list[str] = []

    async def finish(link: Any) -> None:
        if link.kernel_id == "broken":
            raise KeyError("metadata")
        if link.kernel_id == "slow":
            await answers.wait()
        finished.append(link.kernel_id)
        answers.set()

    claims: Any = SimpleNamespace(
        _links=[link("broken"), link("slow"), link("quick")], _finish=finish, _log=LOG
    )
    await asyncio.wait_for(PoolClaims.finish(claims), 10)
    assert finished == ["quick", "slow"]
