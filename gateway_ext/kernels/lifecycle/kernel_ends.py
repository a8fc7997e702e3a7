"""The ends of kernels that somebody deleted, or that have been idle for too long."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from gateway_ext.kernels.agents.agent_link import AgentLink, CommandFailed, LinkLost
from gateway_ext.kernels.lifecycle.each_kernel import each
from gateway_ext.kernels.lifecycle.kernel_care import KernelCare
from gateway_ext.ownership.culling import CullRules, cull_time
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.states import KernelState, can_be_canceled
from gateway_ext.process_proxies.agent_process import AgentLife

SHUTDOWN_SECONDS = 20.0


class KernelEnds(KernelCare):
    """Ends kernels with their agents. The record is deleted first: if this gateway fails after
    that, any other gateway tells the agent to end."""

    async def mark_deleted(self, record: KernelRecord, username: str, reason: str) -> None:
        """Deletes the record alone."""
        await self._records.delete(record.kernel_id, username, reason=reason)

    async def mark_canceled(
        self, record: KernelRecord, link: AgentLink | None, username: str, reason: str
    ) -> bool:
        """Deletes the record alone, unless the kernel runs: then False."""

        def still(state: KernelState) -> bool:
            process = None if link is None else link.process
            return can_be_canceled(state, process, not_run=record.not_run)

        return await self._records.delete(record.kernel_id, username, reason=reason, still=still)

    async def cancel_launch(self, record: KernelRecord, link: AgentLink | None) -> None:
        """Ends what a launch has started, whose record is deleted."""
        if link is not None:
            link.deleted()
            self._links.remove(link, "the kernel was deleted")
            link.close()
        if record.kernel_id in self._launches:
            self._launches.stop(record.kernel_id, deleted=True)
        else:
            # Its gateway learns of it from the record, and removes what it makes until then.
            await self.end_deleted(record, None)

    async def end_deleted(self, record: KernelRecord, link: AgentLink | None, by: str = "") -> None:
        """Ends a kernel whose record is deleted, by this user if it was one. What cannot be ended
        now is left to the sweep."""
        proxy = self._launches.processes.proxy_of(record)
        ended = False
        if link is not None:
            link.deleted(by)
            try:
                await link.command("shutdown", seconds=SHUTDOWN_SECONDS, now=False)
                ended = True
            except (LinkLost, CommandFailed) as error:
                self._log.warning("kernel %s: %s", record.kernel_id, error)
        if proxy is not None:
            if not ended and await proxy.look() is AgentLife.ALIVE:
                await proxy.end()
            if not await proxy.clean_up():
                # The sweep tries again.
                return
        if record.state is KernelState.LAUNCHING:
            # The gateway that launches it may be creating objects right now, and be killed before
            # it learns of the deletion: the sweep looks again.
            return
        await self._records.ended(record.kernel_id)

    async def cull(self, rules: CullRules) -> list[KernelRecord]:
        """Ends the kernels of this gateway that have been idle for too long; returns them."""
        now = datetime.now(UTC)
        culled: list[tuple[KernelRecord, AgentLink]] = []

        async def decide(link: AgentLink) -> None:
            record = await self._cull(link, now, rules)
            if record is not None:
                culled.append((record, link))

        try:
            await each(list(self._links), decide, self._log)
        finally:
            # Side by side: an agent that was frozen by its kernel answers after a time-out.
            await asyncio.gather(
                *(
                    each([link], partial(self.end_deleted, record), self._log)
                    for record, link in culled
                )
            )
        return [record for record, _ in culled]

    async def _cull(self, link: AgentLink, now: datetime, rules: CullRules) -> KernelRecord | None:
        """Marks the kernel as deleted if it has been idle for too long; its record if so."""
        if link.pooled or link.must_learn_claim:
            return None
        if not link.measures_work:
            # An older agent does not report work without messages, and its page is not warned.
            rules = replace(rules, connected=False)
        ends = cull_time(link.last_activity, link.connections, link.execution_state, rules)
        if ends is None or ends > now:
            return None
        record = await self._records.get(link.kernel_id)
        idle = (now - link.last_activity).total_seconds()
        reason = f"culled: idle for {idle:.0f} s"
        # Only with the epoch of this link: a gateway that was frozen culls nothing.
        if record is None or not await self._records.delete(
            link.kernel_id, "", epoch=link.epoch, reason=reason
        ):
            return None
        self._log.info("kernel %s: %s", link.kernel_id, reason)
        return record

    async def finish(self, record: KernelRecord) -> None:
        """Ends what is left of a kernel whose gateway ended while deleting it."""
        proxy = self._launches.processes.proxy_of(record)
        if proxy is None or await proxy.clean_up():
            await self._records.ended(record.kernel_id)
