"""Keeps the pools filled: starts kernels that belong to nobody, and ends those too many."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway_ext.kernels.agents.agent_door import AgentDoor
from gateway_ext.kernels.lifecycle.each_kernel import each_side_by_side
from gateway_ext.kernels.lifecycle.kernel_care import GatewayKernels, KernelCare
from gateway_ext.kernels.lifecycle.kernel_ends import KernelEnds
from gateway_ext.kernels.lifecycle.pool_shapes import PoolShapes
from gateway_ext.kernels.refusal import Refusal
from gateway_ext.ownership.membership import Membership
from gateway_ext.ownership.placement import share_of_pools
from gateway_ext.ownership.pool_plan import PoolMember, PoolPlan, plan_pools
from gateway_ext.ownership.pool_records import Begun, PoolRecords
from gateway_ext.ownership.states import KernelState
from jupyter_ext.database.engine import DatabaseUnavailable

_AT_ONCE = 8
_ROUNDS_FOR_OTHERS = 3
"""How often this gateway looks before it starts what others, with fewer kernels, have not."""


@dataclass(frozen=True)
class _Ending:
    """A kernel that is one too many, and why."""

    kernel_id: str
    reason: str


class PoolKeeper(KernelCare):
    """What one gateway does for the pools of all. Any gateway does it, one at a time."""

    def __init__(
        self,
        kernels: GatewayKernels,
        *,
        pools: PoolRecords,
        shapes: PoolShapes,
        ends: KernelEnds,
        door: AgentDoor,
        membership: Membership,
        limit: int,
        living_seconds: float,
        seconds: float,
    ) -> None:
        """`limit` is how many kernels may wait in all. Looks every `seconds`, and when `wake` is
        called. A gateway that has not reported for `living_seconds` has ended."""
        super().__init__(kernels)
        self._pools = pools
        self._shapes = shapes
        self._ends = ends
        self._door = door
        self._membership = membership
        self._limit = limit
        self._living = timedelta(seconds=living_seconds)
        self._seconds = seconds
        self._woken = asyncio.Event()
        # Since when kernels are to be started, by the loop's clock.
        self._missing_since: float | None = None

    def wake(self) -> None:
        """A kernel was taken: another one is to be started."""
        self._woken.set()

    async def stop(self) -> int:
        """Ends the kernels of this gateway's pools, and starts none from now on. Returns how many
        wait at all gateways; raises DatabaseUnavailable."""
        self._limit = 0
        await self.keep()
        return await self._pools.count()

    async def run(self) -> None:
        """Keeps the pools until canceled."""
        while True:
            try:
                await self.keep()
            except DatabaseUnavailable:
                # The membership says it in the log.
                pass
            except Exception:
                self._log.exception("the pools could not be kept")
            try:
                await asyncio.wait_for(self._woken.wait(), self._seconds)
            except TimeoutError:
                continue
            self._woken.clear()

    async def keep(self) -> None:
        """Starts and ends what is to be started and ended now; raises DatabaseUnavailable."""
        if not self._membership.takes_kernels and self._limit:
            return
        wanted, unsure = await self._shapes.wanted()

        not_waiting = {link.kernel_id for link in self._links if link.pooled and not link.waits}

        def decide(members: Sequence[PoolMember], now: datetime) -> PoolPlan:
            return plan_pools(
                wanted,
                members,
                limit=self._limit,
                unsure=unsure,
                not_waiting=not_waiting,
                now=now,
            )

        plan = await self._pools.plan(decide, self._living)
        ending = [_Ending(kernel_id, reason) for kernel_id, reason in plan.end.items()]
        await each_side_by_side(ending, self._end, _AT_ONCE, self._log)
        share = await self._share() if plan.start else 0
        if not plan.start:
            self._missing_since = None
        if share == 0:
            return

        def decide_here(members: Sequence[PoolMember], now: datetime) -> PoolPlan:
            plan = decide(members, now)
            return replace(plan, start=plan.start[:share])

        await self._start(await self._pools.start(decide_here, self._living))

    async def _share(self) -> int | None:
        """How many of the kernels that are missing this gateway starts; None for all."""
        now = asyncio.get_running_loop().time()
        if self._missing_since is None:
            self._missing_since = now
        # Others may be of the version before, or have no such kernelspec.
        if now - self._missing_since >= _ROUNDS_FOR_OTHERS * self._seconds:
            return None
        await self._membership.beat()
        return share_of_pools(self._membership.name, self._membership.members)

    async def _start(self, started: Sequence[Begun]) -> None:
        for begun in started:
            record = begun.record
            try:
                spec = await self._launches.processes.kernelspec(record.kernel_name)
            except Refusal as refusal:
                await self._records.set_dead(record.kernel_id, record.epoch, refusal.message)
                continue
            self._log.info("kernel %s: started for a pool", record.kernel_id)
            self._door.add(record.kernel_id)
            options = begun.launch_options
            self._launches.begin(record, spec, begun.agent_key, {}, options, prepared_by=())

    async def _end(self, ending: _Ending) -> None:
        """Ends a kernel that is still nobody's: whoever claims it at this moment is first, or finds
        it gone."""
        kernel_id, reason = ending.kernel_id, ending.reason
        record = await self._records.get(kernel_id)
        if record is None or record.pool is None or record.state is KernelState.DELETED:
            return
        if not await self._records.delete(kernel_id, "", epoch=record.epoch, reason=reason):
            return
        self._log.info("kernel %s of a pool is ended: %s", kernel_id, reason)
        link = self._links.get(kernel_id)
        if record.state is KernelState.LAUNCHING:
            await self._ends.cancel_launch(record, link)
        else:
            await self._ends.end_deleted(record, link)
