"""Keeping pools: work on their kernels, of which one may fail or take long."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from gateway_ext.kernels.lifecycle.kernel_care import GatewayKernels
from gateway_ext.kernels.lifecycle.pool_keeper import PoolKeeper
from gateway_ext.ownership.pool_plan import PoolMember, PoolPlan, WantedPool
from gateway_ext.ownership.records import Member
from gateway_ext.ownership.states import KernelState

LOG = logging.getLogger("test")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Links(dict[str, Any]):
    """The agents that are connected here, by kernel."""

    def __iter__(self) -> Any:
        return iter(list(self.values()))


class Fleet:
    """What a keeper needs: three kernels are too many, and one is to be started. It has another
    gateway with the name `b`."""

    takes_kernels = True
    name = "a"

    async def beat(self) -> None:
        """The members are known."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.started = 0
        self.members = [Member("a", "http://a", False, 0, 0), Member("b", "http://b", False, 9, 9)]
        self.answers = asyncio.Event()

    async def wanted(self) -> Any:
        return [WantedPool("shape", "python", 1)], set()

    async def plan(self, decide: Any, living: timedelta) -> PoolPlan:
        wanted: Any = object()
        return PoolPlan([wanted], dict.fromkeys(("broken", "slow", "quick"), "too many"))

    async def start(self, decide: Any, living: timedelta) -> list[Any]:
        self.started += len(decide([], NOW).start)
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


def keeper_of(fleet: Any, links: Any, seconds: float = 2.0) -> PoolKeeper:
    return PoolKeeper(
        GatewayKernels(fleet, fleet, links, LOG),
        pools=fleet,
        shapes=fleet,
        ends=fleet,
        door=fleet,
        membership=fleet,
        limit=5,
        living_seconds=8.0,
        seconds=seconds,
    )


async def test_a_kernel_that_cannot_be_ended_holds_up_neither_the_others_nor_new_ones() -> None:
    fleet: Any = Fleet()
    await asyncio.wait_for(keeper_of(fleet, Links()).keep(), 10)
    assert (fleet.ended, fleet.started) == (["quick", "slow"], 1)


async def test_a_gateway_with_more_kernels_leaves_new_ones_to_another_for_some_rounds() -> None:
    fleet: Any = Fleet()
    fleet.members = [Member("a", "http://a", False, 3, 1), Member("b", "http://b", False, 2, 1)]
    keeper = keeper_of(fleet, Links())
    await keeper.keep()
    await keeper.keep()
    assert fleet.started == 0
    # The other one is of the version before: it never starts any.
    keeper = keeper_of(fleet, Links(), seconds=0.0)
    await keeper.keep()
    assert fleet.started == 1


async def test_a_kernel_of_a_pool_that_was_started_as_a_user_s_is_ended() -> None:
    fleet: Any = Fleet()
    decided: list[PoolPlan] = []

    async def plan(decide: Any, living: timedelta) -> PoolPlan:
        member = PoolMember(
            "k", "python", "shape", KernelState.RUNNING, True, False, created=NOW, changed=NOW
        )
        decided.append(decide([member], NOW))
        return decided[-1]

    fleet.plan = plan
    agent = SimpleNamespace(kernel_id="k", pooled=True, waits=True)
    links = Links(k=agent)
    await keeper_of(fleet, links).keep()
    assert (fleet.ended, decided[-1].end) == ([], {})
    # A gateway of the version before has gone on with its launch, and knows of no pools.
    agent.waits = False
    fleet.answers.set()

    async def command(*_: Any, **__: Any) -> None:
        return None

    agent.command = command
    await keeper_of(fleet, links).keep()
    assert fleet.ended == ["k"]
