"""Kernels that have ended for their cluster while their agents are still connected."""

import random

from gateway_ext.kernels.agents.agent_link import AgentLink, CommandFailed, LinkLost
from gateway_ext.kernels.lifecycle.kernel_care import KernelCare
from gateway_ext.process_proxies.agent_process import AgentLife

_SHUTDOWN_SECONDS = 5.0
_MOST_UNKNOWN = 3
"""After so many answers that say nothing in one round, the others would say nothing either."""


class EndedInCluster(KernelCare):
    """Looks at the kernels of this gateway whose cluster may end them without ending their agents.

    The cluster gives the room of such a kernel to others, so it must not go on.
    """

    async def look(self) -> None:
        """Looks at each of them once."""
        links = list(self._links)
        # A round that is cut short begins with others the next time.
        random.shuffle(links)
        unknown = 0
        for link in links:
            if await self._look_at(link) is AgentLife.UNKNOWN:
                unknown += 1
                if unknown >= _MOST_UNKNOWN:
                    return

    async def _look_at(self, link: AgentLink) -> AgentLife | None:
        """What the cluster says; None if it is not asked."""
        kernel_id = link.kernel_id
        if kernel_id in self._launches or self._links.get(kernel_id) is not link:
            return None
        record = link.record
        if record.process is None:
            # It was written after the agent had connected.
            stored = await self._records.get(kernel_id)
            if stored is None:
                return None
            record = stored
        processes = self._launches.processes
        # Asked first: a proxy takes a millisecond of the event loop, and most kernels need none.
        proxy = processes.proxy_of(record) if processes.may_outlive_its_cluster(record) else None
        if proxy is None:
            return None
        life = await proxy.look()
        if life is not AgentLife.DEAD:
            return life
        reason = f"the cluster has ended the kernel. {await proxy.last_words()}".strip()
        # Only with the epoch of this link: the agent may have gone elsewhere meanwhile.
        if not await self._records.set_dead(kernel_id, link.epoch, reason, dismiss=True):
            return life
        self._log.warning("kernel %s: %s", kernel_id, reason)
        try:
            await link.command("shutdown", seconds=_SHUTDOWN_SECONDS, now=True)
        except (LinkLost, CommandFailed) as error:
            # Whichever gateway it connects to tells it to end.
            self._log.warning("kernel %s: its agent is not ended yet: %s", kernel_id, error)
        self._links.remove(link, "the kernel has ended")
        link.close()
        await proxy.end()
        return life
