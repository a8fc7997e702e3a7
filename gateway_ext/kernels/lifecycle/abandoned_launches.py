"""Launches whose gateway has ended: they go on at this one, or what is left of them is removed."""

import secrets
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gateway_ext.kernels.agents.agent_link import AgentLink
from gateway_ext.kernels.lifecycle.each_kernel import each_side_by_side
from gateway_ext.kernels.lifecycle.kernel_care import GatewayKernels, KernelCare
from gateway_ext.kernels.lifecycle.launch_watch import CONNECTED
from gateway_ext.kernels.refusal import Refusal
from gateway_ext.ownership.launch_records import LaunchRecords
from gateway_ext.ownership.launch_status import (
    WITHOUT_ROOM,
    LaunchPhase,
    begun_status,
)
from gateway_ext.ownership.membership import Membership
from gateway_ext.ownership.new_kernel import Secrets
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.states import KernelState
from gateway_ext.process_proxies.agent_process import AgentLife, AgentProcessProxy, LaunchFailed

_AT_ONCE = 8
_DENIED_SECONDS = 10.0
"""How long a cluster must have refused to show what a failed launch has made until nobody waits for
that any more: its agent was dismissed, and would end by itself."""
MOST_LOST = 3
"""With how many gateways a launch ends before it is taken for what ends them."""


def is_taken_over(record: KernelRecord, proxy: AgentProcessProxy | None) -> bool:
    """Whether another gateway goes on with the launch when its own has ended; `proxy` is that of
    the agent's process, None if none is recorded. An agent that was started on a machine connects
    by itself, or is dead: the sweep finds out. A cluster is asked for nothing before it is recorded
    what that is called."""
    if record.state is not KernelState.LAUNCHING:
        return False
    status = record.launch_status
    if proxy is None:
        return status is not None and status.phase in WITHOUT_ROOM and not status.given_up
    return proxy.FOUND_BY_NAME or (status is not None and bool(status.given_up))


def why_not_again(record: KernelRecord) -> str:
    """Why a launch does not begin again of which no process was recorded, and whose agent had time
    to connect; empty if it does. A pool makes another kernel instead."""
    status = record.launch_status
    if status is not None and status.given_up:
        return status.given_up
    if status is not None and status.lost < MOST_LOST and record.pool is None:
        return ""
    return "the gateway ended before it had started the kernel"


class AbandonedLaunches(KernelCare):
    """Takes over launches, each with a claim, so that one gateway does."""

    def __init__(
        self,
        kernels: GatewayKernels,
        *,
        launch_records: LaunchRecords,
        membership: Membership,
        living_seconds: float,
    ) -> None:
        """A gateway that has not reported for `living_seconds` has ended."""
        super().__init__(kernels)
        self._launch_records = launch_records
        self._membership = membership
        self._living = timedelta(seconds=living_seconds)
        # Since when clusters have refused to show what there is of kernels.
        self._denied: dict[str, float] = {}

    async def take_over(self) -> None:
        """Takes over what there is, and ends what takes too long; raises DatabaseUnavailable."""
        starting = [link for link in self._links if link.process == "starting" and not link.pooled]
        await each_side_by_side(starting, self._check_connected, _AT_ONCE, self._log)
        if self._membership.takes_kernels:
            abandoned = await self._launch_records.abandoned(self._living)
            known = {record.kernel_id for record in abandoned}
            self._denied = {one: since for one, since in self._denied.items() if one in known}
            await each_side_by_side(abandoned, self._take_over, _AT_ONCE, self._log)

    async def _take_over(self, record: KernelRecord) -> None:
        kernel_id, status = record.kernel_id, record.launch_status
        if kernel_id in self._launches or self._links.get(kernel_id) is not None:
            return
        proxy = self._launches.processes.proxy_of(record)
        if not is_taken_over(record, proxy):
            if proxy is not None and (late := self._launches.overdue(record)):
                await self._end_late(record, proxy, late)
            return
        if proxy is None:
            await self._begin_again(record)
        elif status is not None and status.given_up:
            await self._end(record, proxy, status.given_up)
        else:
            await self._go_on(record)

    async def settle_unrecorded(self, record: KernelRecord) -> None:
        """Begins a launch again of which no process was recorded, whose gateway has ended, and
        whose agent, if there was one, had time to connect; or gives it up."""
        reason = why_not_again(record)
        if reason:
            await self._records.set_dead(record.kernel_id, record.epoch, reason)
        elif self._membership.takes_kernels:
            await self._begin_again(record)

    async def _check_connected(self, link: AgentLink) -> None:
        """Ends a launch that another gateway has begun, and whose agent is connected here by now,
        when its time is over."""
        record = await self._records.get(link.kernel_id)
        if (
            record is None
            or (record.state, record.epoch) != (KernelState.LAUNCHING, link.epoch)
            or link.kernel_id in self._launches
        ):
            return
        now = datetime.now(UTC)
        status = record.launch_status or begun_status(now)
        seen = status.after(LaunchPhase.CONNECTING, link.claim_problem or CONNECTED, None, now)
        if seen is not record.launch_status:
            await self._launch_records.write({link.kernel_id: (link.epoch, seen)})
        late = self._launches.overdue(replace(record, launch_status=seen))
        if late and self._links.get(link.kernel_id) is link and link.process == "starting":
            proxy = self._launches.processes.proxy_of(record)
            words = link.claim_problem or ("" if proxy is None else await proxy.last_words())
            await self._launches.fail(record, LaunchFailed(f"{late}. {words}".strip()))

    async def _end_late(self, record: KernelRecord, proxy: AgentProcessProxy, late: str) -> None:
        """Ends a launch on this machine whose agent was to connect by itself, and has not."""
        if await proxy.look() is AgentLife.UNKNOWN:
            # On another machine, whose gateways see it.
            return
        claimed = await self._claim(record)
        if claimed is not None:
            words = await proxy.last_words()
            await self._launches.fail(claimed, LaunchFailed(f"{late}. {words}".strip()))

    async def _end(self, record: KernelRecord, proxy: AgentProcessProxy, reason: str) -> None:
        """Ends what is left of a launch that was given up; its agent was dismissed."""
        unknown = await proxy.look() is AgentLife.UNKNOWN
        denied = self._is_denied(record.kernel_id, proxy)
        if unknown and not denied:
            return
        claimed = await self._claim(record)
        if claimed is not None and (denied or await proxy.end(as_seen=True)):
            # The record still says where to look: who deletes the kernel removes what there is.
            await self._records.set_dead(record.kernel_id, claimed.epoch, reason)

    def _is_denied(self, kernel_id: str, proxy: AgentProcessProxy) -> bool:
        """Whether the cluster has refused for long to show what there is of a launch."""
        if not proxy.denied:
            self._denied.pop(kernel_id, None)
            return False
        now = time.monotonic()
        return now - self._denied.setdefault(kernel_id, now) >= _DENIED_SECONDS

    async def _go_on(self, record: KernelRecord) -> None:
        """Goes on with a launch in a cluster, of which anything may exist already."""
        claimed = await self._claim(record)
        stored = await self._records.secrets(record.kernel_id)
        if claimed is None or stored is None:
            return
        self._log.info("kernel %s: its launch goes on here", record.kernel_id)
        await self._begin(claimed, stored.agent_key, stored)

    async def _begin_again(self, record: KernelRecord) -> None:
        """Begins a launch of which nothing runs. With another key: if its gateway was only frozen
        and starts an agent when it wakes, or an agent connects late, that one is told to end."""
        stored = await self._records.secrets(record.kernel_id)
        agent_key = secrets.token_bytes(32)
        if stored is None or not await self._records.launch_again(record, agent_key, ""):
            return
        launched = await self._records.get(record.kernel_id)
        if launched is not None:
            self._log.info("kernel %s: its launch begins here", record.kernel_id)
            await self._begin(launched, agent_key, stored)

    async def _begin(self, record: KernelRecord, agent_key: bytes, stored: Secrets) -> None:
        try:
            spec = await self._launches.processes.kernelspec(record.kernel_name)
        except Refusal as refusal:
            if refusal.status >= 500:
                # It is being written at the moment, perhaps: this is tried again.
                self._log.warning("kernel %s: %s", record.kernel_id, refusal.message)
                return
            # This gateway, or the fleet by now, has no such kernelspec.
            proxy = self._launches.processes.proxy_of(record)
            if proxy is None or await proxy.end():
                await self._records.set_dead(record.kernel_id, record.epoch, refusal.message)
            return
        environment, options = dict(stored.environment), stored.launch_options
        self._launches.begin(
            record, spec, agent_key, environment, options, prepared_by=stored.prepared_by
        )

    async def _claim(self, record: KernelRecord) -> KernelRecord | None:
        """The record as this gateway's; None if it has changed since it was read."""
        stored = await self._records.secrets(record.kernel_id)
        if stored is None:
            return None
        return await self._records.claim(
            record.kernel_id, stored.agent_key, record.epoch, epoch=record.epoch
        )
