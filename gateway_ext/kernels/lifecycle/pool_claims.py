"""Giving a kernel of a pool to whoever asks for one, and finishing claims that were begun."""

from collections.abc import Callable
from dataclasses import replace

from jupyter_client.kernelspec import KernelSpec  # type: ignore[import-untyped]
from tornado import web

from gateway_ext.kernels.agents.agent_link import AgentLink, CommandFailed, LinkLost
from gateway_ext.kernels.background_tasks import BackgroundTasks
from gateway_ext.kernels.lifecycle.each_kernel import each_side_by_side
from gateway_ext.kernels.lifecycle.kernel_care import GatewayKernels, KernelCare
from gateway_ext.kernels.lifecycle.launch_kernel_manager import proxy_stanza
from gateway_ext.kernels.lifecycle.pool_shapes import PoolShapes
from gateway_ext.kernels.refusal import Refusal
from gateway_ext.ownership.kernel_records import NewKernel, Secrets
from gateway_ext.ownership.pool_plan import (
    Candidate,
    ClaimStep,
    left_of_claim,
    members_to_claim,
)
from gateway_ext.ownership.pool_records import Begun, PoolRecords
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.start_limits import Limits
from gateway_ext.process_proxies.agent_process import AgentProcessProxy, AgentSettings, LaunchFailed
from gateway_ext.process_proxies.cluster_calls import ClusterRefused, ClusterSilent
from gateway_ext.process_proxies.environment import asked_environment
from jupyter_ext.database.engine import DatabaseUnavailable
from jupyter_ext.platform.encryption import DecryptionError

TELL_SECONDS = 10.0
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

    async def claim(self, new: NewKernel, spec: KernelSpec, limits: Limits) -> KernelRecord | None:
        """The record of a kernel that was waiting here, and becomes this one; None if there is no
        such kernel. Raises LimitReached and DatabaseUnavailable."""
        if not any(self._candidates(new.kernel_name)):
            return None
        try:
            shape = await self._shapes.of(new, spec)
        except (Refusal, LaunchFailed, web.HTTPError):
            # A start that is not allowed, or not possible, fails as it does without a pool.
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
        waits = bool(link.state.get("pooled")) and link.kernel_id not in self._launches
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
        self._launches.begin(
            record, spec, begun.agent_key, dict(new.environment), new.launch_options
        )
        self._on_claim()

    def connected(self, link: AgentLink) -> None:
        """An agent has connected here: it may be one whose claim another gateway has begun."""
        if _left(link):
            self._background.start(self._finish(link))

    async def finish(self) -> None:
        """Does what could not be done before, for the kernels that are connected here."""
        links = [link for link in self._links if _left(link)]
        await each_side_by_side(links, self._finish, _AT_ONCE, self._log)

    async def _finish(self, link: AgentLink) -> None:
        """Tells the agent whose kernel it is, then the cluster."""
        kernel_id = link.kernel_id
        if link in self._at_work:
            return
        self._at_work.add(link)
        try:
            stored = await self._records.secrets(kernel_id)
            if stored is not None:
                await self._finish_claim(link, stored)
        except LinkLost as error:
            self._log.warning("kernel %s: its claim is not complete yet: %s", kernel_id, error)
            # Whether the agent has obeyed is not known: it says so when it connects again.
            link.close()
        except (DatabaseUnavailable, ClusterSilent) as error:
            self._log.warning("kernel %s: its claim is not complete yet: %s", kernel_id, error)
        except ClusterRefused as error:
            self._log.warning(
                "kernel %s: its pod still has the labels of the pool: %s", kernel_id, error
            )
        except (
            Refusal,
            CommandFailed,
            LaunchFailed,
            DecryptionError,
            web.HTTPError,
            # What its record says of its process cannot be read.
            KeyError,
            TypeError,
            ValueError,
        ) as error:
            reason = error.message if isinstance(error, Refusal) else str(error)
            self._log.error("kernel %s: it cannot be claimed: %s", kernel_id, reason)
            if link.must_learn_claim:
                link.claim_failed(reason)
        finally:
            self._at_work.discard(link)

    async def _finish_claim(self, link: AgentLink, stored: Secrets) -> None:
        record = link.record
        spec = await self._processes.kernelspec(record.kernel_name)
        class_name, config = proxy_stanza(spec)
        manager = self._processes.kernel_manager(record.kernel_id, record.kernel_name)
        manager._kernel_spec = spec
        try:
            proxy = manager.proxy(str((record.process or {}).get("proxy") or class_name), config)
            start = await self._processes.agent_start(
                record, spec, stored.agent_key, stored.launch_options
            )
            env = asked_environment(
                stored.environment,
                kernel_id=record.kernel_id,
                project=record.project,
                username=record.username,
            )
            proxy.plan(start, self._settings, env)
            await proxy.prepare(start, env)
            proxy.load_process_info(dict(record.process or {}))
            left = _left(link)
            if ClaimStep.TELL_AGENT in left:
                late = proxy.late_part(start, self._settings, env)
                await link.tell_claim(late, seconds=TELL_SECONDS)
            if ClaimStep.LABEL in left and await proxy.belong_to(start):
                await self._labelled(link, start.agent_key, proxy, class_name)
        finally:
            manager.forget()

    async def _labelled(
        self, link: AgentLink, agent_key: bytes, proxy: AgentProcessProxy, class_name: str
    ) -> None:
        process = {**proxy.get_process_info(), "proxy": class_name}
        if await self._records.set_process(link.kernel_id, agent_key, process):
            link.record = replace(link.record, process=process)


def _left(link: AgentLink) -> list[ClaimStep]:
    return left_of_claim(link.record, agent_waits=link.must_learn_claim)
