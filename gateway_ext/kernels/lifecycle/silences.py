"""Kernels whose agents are silent for too long: they are shown as unreachable."""

import asyncio
import logging
import time
from datetime import UTC, datetime

from gateway_ext.kernels.agents.agent_link import AgentLink
from gateway_ext.kernels.agents.links import AgentLinks
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.silence import WITH_KERNEL
from gateway_ext.ownership.silence_records import SilenceRecords
from jupyter_ext.database.engine import DatabaseUnavailable

_PAUSE_SECONDS = 1.0
_CONFIRM_SECONDS = 3.0
"""After an outage of the database all other gateways look as if they had ended, until they report
again."""


class Silences:
    """Records silences, and what clusters say of them."""

    def __init__(
        self,
        records: SilenceRecords,
        links: AgentLinks,
        *,
        unreachable_seconds: float,
        living_seconds: float,
        log: logging.Logger,
    ) -> None:
        """A kernel is unreachable if its agent has been silent for `unreachable_seconds`. A gateway
        that has not reported for `living_seconds` has ended; its agents look for another one
        first."""
        self._records = records
        self._links = links
        self._seconds = unreachable_seconds
        self._living_seconds = living_seconds
        self._log = log
        self._begun = time.monotonic()
        # When the agents were last heard whose links have just been lost.
        self._heard: dict[str, float] = {}
        # Since when nobody has had the kernels of gateways that have ended, by kernel and epoch.
        self._missed: dict[tuple[str, int], float] = {}

    async def lost(self, link: AgentLink, silent: float) -> None:
        """Looks after a kernel whose agent was connected here, and has been silent for so many
        seconds. Returns when that is recorded, or the agent has been heard."""
        self._heard[link.kernel_id] = heard = time.monotonic() - silent
        try:
            await asyncio.sleep(max(0.0, self._seconds - silent))
            while self._links.get(link.kernel_id) is None:
                try:
                    # Conditional on the epoch of the link: another gateway may have the agent now.
                    seconds = time.monotonic() - heard
                    await self._records.mark(link.kernel_id, link.epoch, seconds)
                    return
                except DatabaseUnavailable:
                    await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            if self._heard.get(link.kernel_id) == heard:
                del self._heard[link.kernel_id]

    async def look(self) -> None:
        """Records the silences of kernels whose gateway has ended, and the end of those of kernels
        that are connected here; raises DatabaseUnavailable."""
        for record in await self._records.marked():
            link = self._links.get(record.kernel_id)
            if link is not None and link.epoch == record.epoch:
                await self._records.heard(record.kernel_id, record.epoch)
        now = time.monotonic()
        unheard = await self._records.unheard(self._living_seconds)
        self._missed = {
            (record.kernel_id, record.epoch): self._missed.get(
                (record.kernel_id, record.epoch), now
            )
            for record, _ in unheard
            if self._links.get(record.kernel_id) is None
        }
        for record, since in unheard:
            missed = self._missed.get((record.kernel_id, record.epoch))
            # A fleet that was down has heard nothing of agents that were not silent.
            seconds = min(since, now - self._begun)
            if missed is not None and now - missed >= _CONFIRM_SECONDS and seconds >= self._seconds:
                self._log.warning("kernel %s: nobody hears its agent", record.kernel_id)
                await self._records.mark(record.kernel_id, record.epoch, seconds)

    async def seen(self, record: KernelRecord, words: str) -> None:
        """A look at a kernel without a link, whose agent is not known to be dead; `words` are the
        cluster's. Raises DatabaseUnavailable."""
        if record.silence is not None:
            await self._records.say(record, words)
            return
        # Of a gateway that was started again: since then at least.
        heard = self._heard.get(record.kernel_id, self._begun)
        since_change = (datetime.now(UTC) - record.changed).total_seconds()
        seconds = min(since_change, time.monotonic() - heard)
        if record.state in WITH_KERNEL and seconds >= self._seconds:
            await self._records.mark(record.kernel_id, record.epoch, seconds)
