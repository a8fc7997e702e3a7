"""Kernels whose agent is not connected to the gateway that owns them."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from datetime import timedelta
from functools import partial
from typing import Any

from gateway_ext.kernels.agents.links import AgentLink
from gateway_ext.kernels.lifecycle.abandoned_launches import AbandonedLaunches, is_taken_over
from gateway_ext.kernels.lifecycle.each_kernel import each
from gateway_ext.kernels.lifecycle.kernel_care import GatewayKernels, KernelCare
from gateway_ext.kernels.lifecycle.kernel_ends import KernelEnds
from gateway_ext.kernels.lifecycle.silences import Silences
from gateway_ext.ownership.leftovers import Leftovers
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.states import KernelState
from gateway_ext.process_proxies.agent_process import AgentLife
from jupyter_ext.database.engine import DatabaseUnavailable

PROJECTS_SWEPT_AT_ONCE = 8
_ENDING_SECONDS = 3600.0
"""How long to remember why a cluster was ending an agent that has not ended."""


class LostKernels(KernelCare):
    """Checks kernels whose agents have disappeared, and marks the dead ones."""

    def __init__(
        self,
        kernels: GatewayKernels,
        *,
        leftovers: Leftovers,
        abandoned: AbandonedLaunches,
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
        self._abandoned = abandoned
        self._ends = ends
        self._silences = silences
        self._name = gateway_name
        self._ping_seconds = ping_seconds
        self._lost_seconds = lost_seconds
        # Why clusters were ending agents, and when they said so, by kernel and epoch.
        self._ending: dict[tuple[str, int], tuple[str, float]] = {}
        self._looks: dict[str, asyncio.Task[None]] = {}

    async def leave_overtaken(self) -> None:
        """Disconnects agents whose records have another owner by now; they connect again. Stops
        launches of kernels that another gateway has taken over, or has deleted.

        The first happens after this gateway was frozen, and when another one claimed a kernel so
        slowly, because the database was late, that the agent had come here meanwhile.
        """
        links = [(link, link.kernel_id, link.epoch) for link in self._links]
        launches = list(self._launches)
        owned = await self._records.owned()
        for link, kernel_id, epoch in links:
            if self._links.get(kernel_id) is not link or link.epoch != epoch:
                # It has left, or its kernel was claimed from a pool, while the database answered.
                continue
            if link.overtaken(owned):
                self._log.warning("kernel %s: its record has another owner", kernel_id)
                self._links.remove(link, "the kernel is moving to another gateway")
                link.close()
        for kernel_id in launches:
            if kernel_id not in owned and self._links.get(kernel_id) is None:
                record = await self._records.get(kernel_id)
                if record is None or record.owner != self._name or _is_deleted(record):
                    gone = record is None or _is_deleted(record)
                    self._launches.stop(kernel_id, deleted=gone)

    async def check(self, link: AgentLink) -> None:
        """Looks after a kernel of this gateway whose link was lost."""
        kernel_id = link.kernel_id
        # An agent that has said that it ends is looked at while its cluster still says why.
        pause = 0.0 if link.process == "dead" else self._ping_seconds
        waited = 0.0
        # A cluster may take its time to notice: then the sweep goes on.
        while waited < self._lost_seconds:
            await asyncio.sleep(pause)
            waited += pause
            pause = max(2 * pause, self._ping_seconds)
            try:
                record = await self._records.get(kernel_id)
            except DatabaseUnavailable as error:
                self._log.warning("kernel %s: %s", kernel_id, error)
                continue
            if (
                record is None
                or record.owner != self._name
                or record.state is KernelState.DELETED
                or self._links.get(kernel_id) is not None
            ):
                return
            await self.look(record)
            if (kernel_id, record.epoch) in self._ending:
                pause = self._ping_seconds

    async def look(self, record: KernelRecord, seconds: float | None = None) -> None:
        """Looks once whether the agent of a kernel is dead, and marks it as dead then. Returns
        after `seconds` at the latest; the look goes on, and who asks meanwhile joins it."""
        kernel_id = record.kernel_id
        if kernel_id not in self._looks:
            self._looks[kernel_id] = asyncio.ensure_future(self._look(record))
            self._looks[kernel_id].add_done_callback(lambda _: self._looks.pop(kernel_id))
        await asyncio.wait({self._looks[kernel_id]}, timeout=seconds)

    async def _look(self, record: KernelRecord) -> None:
        # Of another gateway's kernel only the sweep knows for how long nobody has heard of it.
        act = partial(self._mark_if_dead, is_silent=record.owner == self._name)
        try:
            await each([record], act, self._log)
        except DatabaseUnavailable as error:
            self._log.warning("kernel %s: %s", record.kernel_id, error)

    async def _mark_if_dead(self, record: KernelRecord, *, is_silent: bool = True) -> None:
        """Marks a kernel as dead if its agent is known to have ended; `is_silent` says that it may
        be unreachable otherwise."""
        if self._is_attended(record):
            return
        proxy = self._launches.processes.proxy_of(record)
        if proxy is None or is_taken_over(record, proxy):
            return
        if await proxy.look() is AgentLife.DEAD:
            words = await proxy.last_words()
            ending, _ = self._ending.get((record.kernel_id, record.epoch), ("", 0.0))
            if ending and ending not in words:
                words = f"{ending}. {words}".removesuffix(". ")
            self._log.warning("kernel %s: its agent is dead", record.kernel_id)
            if proxy.FOUND_BY_NAME and not await proxy.end():
                # Once it is marked, nobody looks for what is left of it in the cluster.
                return
            ended = "the kernel's process has ended"
            reason = f"{ended}: {words}" if words else ended
            marked = await self._records.set_dead(record.kernel_id, record.epoch, reason)
            if marked and not proxy.FOUND_BY_NAME:
                # What an agent that was killed could not remove itself.
                await proxy.end()
            return
        if proxy.ending:
            self._ending[record.kernel_id, record.epoch] = (proxy.ending, time.monotonic())
        if is_silent:
            await self._silences.seen(record, proxy.progress[1])

    def _is_attended(self, record: KernelRecord) -> bool:
        return self._links.get(record.kernel_id) is not None or record.kernel_id in self._launches

    async def _settle(self, record: KernelRecord) -> None:
        """Finds out what has become of a kernel that nobody has heard of for long."""
        launching = record.state is KernelState.LAUNCHING
        proxy = self._launches.processes.proxy_of(record)
        if not launching or proxy is not None or is_taken_over(record, proxy):
            await self._mark_if_dead(record)
        elif not self._is_attended(record):
            await self._abandoned.settle_unrecorded(record)

    async def sweep(self, *, deleted: timedelta, dead: timedelta) -> None:
        """Cleans up after gateways that have been dead for long, and removes old rows."""
        lost = timedelta(seconds=self._lost_seconds)
        await self._sweep_projects(await self._leftovers.orphans(lost), self._settle)
        await self._sweep_projects(await self._leftovers.unended(lost), self._ends.finish)
        await self._leftovers.forget(deleted=deleted, dead=dead)
        old = time.monotonic() - _ENDING_SECONDS
        self._ending = {key: told for key, told in self._ending.items() if told[1] > old}

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
