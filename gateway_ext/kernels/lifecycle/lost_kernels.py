"""Kernels whose agent is not connected to the gateway that owns them."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from datetime import timedelta
from typing import Any

from gateway_ext.kernels.lifecycle.abandoned_launches import is_taken_over
from gateway_ext.kernels.lifecycle.each_kernel import each
from gateway_ext.kernels.lifecycle.kernel_care import GatewayKernels, KernelCare
from gateway_ext.kernels.lifecycle.kernel_ends import KernelEnds
from gateway_ext.kernels.lifecycle.launches import NOT_STARTED
from gateway_ext.kernels.lifecycle.silences import Silences
from gateway_ext.ownership.leftovers import Leftovers
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.states import KernelState
from gateway_ext.process_proxies.agent_process import AgentLife
from jupyter_ext.database.engine import DatabaseUnavailable

PROJECTS_SWEPT_AT_ONCE = 8


class LostKernels(KernelCare):
    """Checks kernels whose agents have disappeared, and marks the dead ones."""

    def __init__(
        self,
        kernels: GatewayKernels,
        *,
        leftovers: Leftovers,
        ends: KernelEnds,
        silences: Silences,
        gateway_name: str,
        ping_seconds: float,
        lost_seconds: float,
    ) -> None:
        """A kernel is looked at `ping_seconds` after its link was lost, then less and less often
        until `lost_seconds`: then it is the sweep's."""
        super().__init__(kernels)
        self._leftovers = leftovers
        self._ends = ends
        self._silences = silences
        self._name = gateway_name
        self._ping_seconds = ping_seconds
        self._lost_seconds = lost_seconds

    async def leave_overtaken(self) -> None:
        """Disconnects agents whose records have another owner by now; they connect again. Stops
        launches of kernels that another gateway has taken over, or has deleted.

        The first happens after this gateway was frozen, and when another one claimed a kernel so
        slowly, because the database was late, that the agent had come here meanwhile.
        """
        links = list(self._links)
        launches = list(self._launches)
        owned = await self._records.owned()
        for link in links:
            if self._links.get(link.kernel_id) is link and link.overtaken(owned):
                self._log.warning("kernel %s: its record has another owner", link.kernel_id)
                self._links.remove(link, "the kernel is moving to another gateway")
                link.close()
        for kernel_id in launches:
            if kernel_id not in owned and self._links.get(kernel_id) is None:
                record = await self._records.get(kernel_id)
                if record is None or record.owner != self._name or _is_deleted(record):
                    gone = record is None or _is_deleted(record)
                    self._launches.stop(kernel_id, deleted=gone)

    async def check(self, kernel_id: str) -> None:
        """Looks after a kernel of this gateway whose link was lost."""
        # A cluster may take its time to notice: then the sweep goes on.
        pause = self._ping_seconds
        while pause < self._lost_seconds:
            await asyncio.sleep(pause)
            pause *= 2
            try:
                record = await self._records.get(kernel_id)
                if (
                    record is None
                    or record.owner != self._name
                    or record.state is KernelState.DELETED
                    or self._links.get(kernel_id) is not None
                ):
                    return
                await each([record], self._mark_if_dead, self._log)
            except DatabaseUnavailable as error:
                self._log.warning("kernel %s: %s", kernel_id, error)

    async def _mark_if_dead(self, record: KernelRecord) -> None:
        """Marks a kernel as dead if its agent is known to have ended."""
        if self._links.get(record.kernel_id) or record.kernel_id in self._launches:
            return
        proxy = self._launches.processes.proxy_of(record)
        if is_taken_over(record, proxy):
            return
        if proxy is None:
            if record.state is KernelState.LAUNCHING:
                await self._records.set_dead(record.kernel_id, record.epoch, NOT_STARTED)
            return
        if await proxy.look() is AgentLife.DEAD:
            words = await proxy.last_words()
            self._log.warning("kernel %s: its agent is dead", record.kernel_id)
            if proxy.FOUND_BY_NAME and not await proxy.end():
                # Once it is marked, nobody looks for what is left of it in the cluster.
                return
            reason = f"the kernel's agent has ended. {words}".strip()
            marked = await self._records.set_dead(record.kernel_id, record.epoch, reason)
            if marked and not proxy.FOUND_BY_NAME:
                # What an agent that was killed could not remove itself.
                await proxy.end()
        else:
            await self._silences.seen(record, proxy.progress[1])

    async def sweep(self, *, deleted: timedelta, dead: timedelta) -> None:
        """Cleans up after gateways that have been dead for long, and removes old rows."""
        lost = timedelta(seconds=self._lost_seconds)
        await self._sweep_projects(await self._leftovers.orphans(lost), self._mark_if_dead)
        await self._sweep_projects(await self._leftovers.unended(lost), self._ends.finish)
        await self._leftovers.forget(deleted=deleted, dead=dead)

    async def _sweep_projects(
        self,
        records: Iterable[KernelRecord],
        act: Callable[[KernelRecord], Coroutine[Any, Any, None]],
    ) -> None:
        """Does `act` for each kernel, the projects side by side: one whose processes are slow to
        end holds up no other. Raises DatabaseUnavailable."""
        of_project: dict[str, list[KernelRecord]] = {}
        for record in records:
            of_project.setdefault(record.project, []).append(record)
        at_once = asyncio.Semaphore(PROJECTS_SWEPT_AT_ONCE)

        async def of_one(project: list[KernelRecord]) -> None:
            async with at_once:
                await each(project, act, self._log)

        await asyncio.gather(*map(of_one, of_project.values()))


def _is_deleted(record: KernelRecord) -> bool:
    return record.state is KernelState.DELETED
