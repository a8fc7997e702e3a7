"""Kernels whose agent is not connected to the gateway that owns them."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway_ext.kernels.agents.links import AgentLinks
from gateway_ext.kernels.lifecycle.each_kernel import each
from gateway_ext.kernels.lifecycle.kernel_ends import KernelEnds
from gateway_ext.kernels.lifecycle.launches import NOT_STARTED, Launches
from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.leftovers import Leftovers
from gateway_ext.ownership.records import KernelRecord, is_lost
from gateway_ext.ownership.states import KernelState
from gateway_ext.process_proxies.agent_process import AgentLife, AgentProcessProxy
from jupyter_ext.database.engine import DatabaseUnavailable

PROJECTS_SWEPT_AT_ONCE = 8


class LostKernels:
    """Checks kernels whose agents have disappeared, and marks the dead ones."""

    def __init__(
        self,
        *,
        records: KernelRecords,
        leftovers: Leftovers,
        launches: Launches,
        links: AgentLinks,
        ends: KernelEnds,
        gateway_name: str,
        ping_seconds: float,
        lost_seconds: float,
        launch_seconds: float,
        log: logging.Logger,
    ) -> None:
        """A kernel is looked at `ping_seconds` after its link was lost, then less and less often
        until `lost_seconds`: then it is the sweep's. A launch takes `launch_seconds` at most,
        unless its client says otherwise."""
        self._records = records
        self._leftovers = leftovers
        self._launches = launches
        self._links = links
        self._ends = ends
        self._name = gateway_name
        self._ping_seconds = ping_seconds
        self._lost_seconds = lost_seconds
        self._launch_seconds = launch_seconds
        self._log = log

    async def leave_overtaken(self) -> None:
        """Disconnects agents whose records have another owner by now; they connect again.

        This happens after this gateway was frozen, and when another one claimed a kernel so slowly,
        because the database was late, that the agent had come here meanwhile.
        """
        links = list(self._links)
        owned = await self._records.owned()
        for link in links:
            if self._links.get(link.kernel_id) is link and link.overtaken(owned):
                self._log.warning("kernel %s: its record has another owner", link.kernel_id)
                self._links.remove(link, "the kernel is moving to another gateway")
                link.close()

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
        """Marks a kernel as dead if its agent is known to have ended, and ends a launch in a
        cluster that fails after its gateway has ended."""
        if self._links.get(record.kernel_id) or record.kernel_id in self._launches:
            return
        proxy = self._launches.proxy_of(record)
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
        elif proxy.FOUND_BY_NAME and record.state is KernelState.LAUNCHING:
            await self._end_launch(record, proxy)

    async def _end_launch(self, record: KernelRecord, proxy: AgentProcessProxy) -> None:
        """Ends a launch in a cluster that no gateway waits for, if it will never start or has taken
        too long; its agent has not connected yet."""
        kernel_id = record.kernel_id
        stored = await self._records.secrets(kernel_id)
        if stored is None:
            return
        seconds = float(stored.environment.get("KERNEL_LAUNCH_TIMEOUT", self._launch_seconds))
        if not proxy.obstacle and not is_lost(
            record, datetime.now(UTC), timedelta(seconds=seconds)
        ):
            return
        words = await proxy.last_words()
        # The cluster is only changed with the epoch, and only if everything is as it was seen: an
        # agent that connects meanwhile raises the epoch, a pod that starts changes what was seen.
        claimed = await self._records.claim(
            kernel_id, stored.agent_key, record.epoch, epoch=record.epoch
        )
        if claimed is not None and await proxy.end(as_seen=True):
            self._log.warning("kernel %s: its launch was given up", kernel_id)
            reason = f"the kernel did not start, and its gateway had ended. {words}".strip()
            await self._records.set_dead(kernel_id, claimed.epoch, reason)

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
