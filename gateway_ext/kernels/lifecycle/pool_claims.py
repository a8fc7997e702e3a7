"""Giving a kernel of a pool to whoever asks for one, and finishing claims that were begun."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from jupyter_client.kernelspec import KernelSpec  # type: ignore[import-untyped]
from tornado import web

from gateway_ext.kernels.agents.agent_link import AgentLink, CommandFailed, LinkLost
from gateway_ext.kernels.background_tasks import BackgroundTasks
from gateway_ext.kernels.lifecycle.each_kernel import each_side_by_side
from gateway_ext.kernels.lifecycle.kernel_care import GatewayKernels, KernelCare
from gateway_ext.kernels.lifecycle.pool_shapes import PoolShapes
from gateway_ext.kernels.refusal import Refusal
from gateway_ext.ownership.new_kernel import NewKernel
from gateway_ext.ownership.pool_plan import (
    Candidate,
    ClaimStep,
    left_of_claim,
    members_to_claim,
)
from gateway_ext.ownership.pool_records import Begun, PoolRecords
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.start_limits import Limits
from gateway_ext.ownership.states import KernelState
from gateway_ext.process_proxies.agent_process import AgentSettings, LaunchFailed
from gateway_ext.process_proxies.back_off import BackOff
from gateway_ext.process_proxies.cluster_calls import ClusterRefused, ClusterSilent
from jupyter_ext.database.engine import DatabaseUnavailable
from jupyter_ext.platform.encryption import DecryptionError

TELL_SECONDS = 10.0
FIRST_PAUSE, LONGEST_PAUSE = 8.0, 600.0
"""Before the labels of a pod are tried again, doubled each time."""
_AT_ONCE = 8


class PoolClaims(KernelCare):
    """A claim changes the record, then the agent, then what the cluster says of it, in this order.

    After the first step the kernel is somebody's for good: whichever gateway the agent is connected
    to does what is left.
    """

    def __init__(
        self,
        kernels: GatewayKernels,
        *,
        pools: PoolRecords,
        shapes: PoolShapes,
        settings: AgentSettings,
        on_claim: Callable[[], None],
    ) -> None:
        """`on_claim` is called when a kernel has left its pool."""
        super().__init__(kernels)
        self._pools = pools
        self._shapes = shapes
        self._processes = kernels.launches.processes
        self._settings = settings
        self._on_claim = on_claim
        self._background = BackgroundTasks(self._log)
        self._at_work: set[AgentLink] = set()
        # Apart, so that a cluster that does not answer keeps no agent from starting its kernel.
        self._planning = asyncio.Semaphore(_AT_ONCE)
        self._labelling = asyncio.Semaphore(_AT_ONCE)
        self._pauses = BackOff(FIRST_PAUSE, LONGEST_PAUSE)
        # The kernels whose pods cannot be labeled, and what the problem is.
        self._unlabeled: dict[str, str] = {}

    async def claim(self, new: NewKernel, spec: KernelSpec, limits: Limits) -> KernelRecord | None:
        """The record of a kernel that was waiting here, and becomes this one; None if there is no
        such kernel. Raises LimitReached and DatabaseUnavailable."""
        if not any(self._candidates(new.kernel_name)):
            return None
        shape = await self._shapes.of_start(new, spec)
        if shape is None:
            return None
        tried: set[str] = set()
        while True:
            # Looked for again each time: others claim meanwhile.
            found = members_to_claim(shape, self._candidates(new.kernel_name))
            link = next((self._links.get(one) for one in found if one not in tried), None)
            if link is None:
                return None
            tried.add(link.kernel_id)
            link.being_claimed = True
            try:
                begun = await self._pools.claim(link.record, new, limits)
                if begun is not None:
                    self._take(link, begun, spec, new)
                    return begun.record
                if await self._records.get(new.kernel_id) is not None:
                    return None
            finally:
                link.being_claimed = False

    def _candidates(self, kernel_name: str) -> list[Candidate]:
        return [
            Candidate(
                link.kernel_id,
                link.record.pool or "",
                self._is_ready(link),
                link.record.created,
            )
            for link in self._links
            if link.pooled and link.record.kernel_name == kernel_name
        ]

    def _is_ready(self, link: AgentLink) -> bool:
        waits = link.waits and link.kernel_id not in self._launches
        return waits and not link.being_claimed and not link.lost

    def _take(self, link: AgentLink, begun: Begun, spec: KernelSpec, new: NewKernel) -> None:
        record = begun.record
        self._log.info("kernel %s: claimed from a pool as %s", record.kernel_id, record.launch_id)
        if link.lost:
            # The agent connects again, and learns of its claim then.
            link.record = record
        else:
            self._links.claimed(link, record)
            self._background.start(self._finish(link))
        environment, options = dict(new.environment), new.launch_options
        self._launches.begin(
            record, spec, begun.agent_key, environment, options, prepared_by=new.prepared_by
        )
        self._on_claim()

    def connected(self, link: AgentLink) -> None:
        """An agent has connected here: it may be one whose claim another gateway has begun."""
        if _left(link):
            self._background.start(self._finish(link))

    async def finish(self) -> None:
        """Does what could not be done before, for the kernels that are connected here."""
        here = {link.kernel_id for link in self._links}
        self._unlabeled = {one: why for one, why in self._unlabeled.items() if one in here}
        links = [link for link in self._links if _left(link)]
        await each_side_by_side(links, self._finish, _AT_ONCE, self._log)

    async def _finish(self, link: AgentLink) -> None:
        """Tells the agent whose kernel it is, then the cluster."""
        if link in self._at_work:
            return
        self._at_work.add(link)
        try:
            if ClaimStep.TELL_AGENT in _left(link):
                await self._tell(link)
            # Not beside an agent that still waits: what is left of the claim is done in its order.
            if _left(link) == [ClaimStep.LABEL] and not link.lost:
                await self._label(link)
        finally:
            self._at_work.discard(link)

    async def _tell(self, link: AgentLink) -> None:
        kernel_id = link.kernel_id
        try:
            async with self._planning:
                late = await self._late_part(link)
            if late is not None:
                await link.tell_claim(late, seconds=TELL_SECONDS)
        except LinkLost as error:
            self._log.warning("kernel %s: its claim is not complete yet: %s", kernel_id, error)
            # Whether the agent has obeyed is not known: it says so when it connects again.
            link.close()
        except Exception as error:
            await self._not_told(link, error)

    async def _late_part(self, link: AgentLink) -> dict[str, Any] | None:
        """What the agent is to learn; None if its kernel has gone meanwhile."""
        record = link.record
        stored = await self._records.secrets(record.kernel_id)
        if stored is None:
            return None
        spec = await self._processes.kernelspec(record.kernel_name)
        if record.state is KernelState.LAUNCHING and record.kernel_id not in self._launches:
            # From another gateway: somebody has to see that it takes no longer than it may.
            self._launches.begin(
                record,
                spec,
                stored.agent_key,
                dict(stored.environment),
                stored.launch_options,
                prepared_by=stored.prepared_by,
            )
        process = dict(record.process or {})
        start = await self._processes.agent_start(
            record, spec, stored.agent_key, stored.launch_options, stored.prepared_by
        )
        launch = self._processes.planned(
            start,
            spec,
            stored.environment,
            record.username,
            class_name=str(process.get("proxy") or ""),
        )
        async with launch as (proxy, env):
            proxy.load_process_info(process)
            return proxy.late_part(start, self._settings, env)

    async def _not_told(self, link: AgentLink, error: Exception) -> None:
        """What cannot be prepared now may be possible in a moment, until the launch has had its
        time: files are written, keys are distributed, databases come back."""
        kernel_id, reason = link.kernel_id, _words(error)
        if _is_final(error):
            self._log.error("kernel %s: it cannot be claimed: %s", kernel_id, reason)
        else:
            if reason != link.claim_problem:
                self._log.warning("kernel %s: its claim is not complete yet: %s", kernel_id, reason)
            link.claim_problem = reason
            late = self._launches.overdue(link.record)
            if kernel_id in self._launches or not late:
                return
            error = LaunchFailed(f"{late}. {reason}")
        if kernel_id in self._launches:
            # Whoever watches the launch ends it.
            link.claim_failed(reason)
        else:
            await self._launches.fail(link.record, error)

    async def _label(self, link: AgentLink) -> None:
        record = link.record
        if self._pauses.pauses(record.kernel_id):
            return
        try:
            async with self._labelling:
                labeled = await self._labeled(link)
        except DatabaseUnavailable:
            # The membership says it in the log.
            return
        except ClusterRefused as error:
            what = f"{error} (the gateways need the right to patch pods)"
            self._not_labeled(record, str(error.status), what if error.status == 403 else error)
        except (ClusterSilent, DecryptionError) as error:
            self._not_labeled(record, type(error).__name__, error)
        else:
            if labeled is None:
                self._log.info("kernel %s was deleted before its pod was labeled", record.kernel_id)
            elif labeled:
                self._pauses.succeeded(record.kernel_id)
                self._unlabeled.pop(record.kernel_id, None)
            else:
                self._not_labeled(record, "", "its pod is another one by now")

    async def _labeled(self, link: AgentLink) -> bool | None:
        """None if the kernel has been deleted."""
        record = link.record
        proxy = self._processes.proxy_of(record)
        stored = await self._records.secrets(record.kernel_id)
        if stored is None:
            return None
        if proxy is None:
            return False
        if not await proxy.belong_to(record.kernel_id, record.project):
            return False
        process = {**(record.process or {}), **proxy.get_process_info()}
        if await self._records.set_process(record.kernel_id, stored.agent_key, process):
            link.record = replace(link.record, process=process)
        return not _left(link)

    def _not_labeled(self, record: KernelRecord, kind: str, what: object) -> None:
        self._pauses.failed(record.kernel_id)
        # Many kernels have the same problem: the log has it once.
        known = kind in self._unlabeled.values()
        self._unlabeled[record.kernel_id] = kind
        self._log.log(
            logging.DEBUG if known else logging.WARNING,
            "kernel %s: its pod still has the labels of the pool, and gets its own later: %s",
            record.kernel_id,
            what,
        )


def _left(link: AgentLink) -> list[ClaimStep]:
    return left_of_claim(link.record, agent_waits=link.must_learn_claim)


def _is_final(error: Exception) -> bool:
    """Whether a claim can never be finished, here or elsewhere: the agent refuses, there is no such
    kernelspec, or the user may have no kernel."""
    if isinstance(error, Refusal):
        return error.status in (403, 404)
    if isinstance(error, web.HTTPError):
        return error.status_code in (403, 404)
    return isinstance(error, CommandFailed)


def _words(error: Exception) -> str:
    if isinstance(error, Refusal):
        return error.message
    known = (web.HTTPError, CommandFailed, LaunchFailed, DecryptionError, DatabaseUnavailable)
    return str(error) if isinstance(error, known) else repr(error)
