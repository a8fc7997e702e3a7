"""Watching a launch until its kernel runs."""

import asyncio
from datetime import UTC, datetime

from gateway_ext.kernels.agents.links import AgentLinks
from gateway_ext.kernels.lifecycle.launch_board import LaunchBoard
from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.launch_status import LaunchPhase, LaunchStatus
from gateway_ext.ownership.states import KernelState
from gateway_ext.process_proxies.agent_process import AgentLife, AgentProcessProxy, LaunchFailed

_LOOK_SECONDS = 1.0
CONNECTED = "the agent has connected and starts the kernel"


class LaunchTaken(Exception):
    """The launch is not this gateway's any more: another one owns the kernel, or it is deleted."""


class LaunchWatch:
    """Looks after the launches of the gateway called `name`, each until its kernel runs.

    A launch has `queue_seconds` until the cluster has room for it, and `launch_seconds` from then.
    """

    def __init__(
        self,
        *,
        records: KernelRecords,
        links: AgentLinks,
        board: LaunchBoard,
        name: str,
        launch_seconds: float,
        queue_seconds: float,
    ) -> None:
        self._records = records
        self._links = links
        self._board = board
        self._name = name
        self._launch_seconds = launch_seconds
        self._queue_seconds = queue_seconds

    async def until_running(self, kernel_id: str, proxy: AgentProcessProxy) -> None:
        """Returns when the kernel runs, here or at another gateway. Raises LaunchFailed,
        LaunchTaken and DatabaseUnavailable."""
        loop = asyncio.get_running_loop()
        look_at = loop.time()
        # Beside everything else: a cluster that answers late delays nothing.
        looking: asyncio.Task[AgentLife] | None = None
        try:
            while not self._runs_here(kernel_id):
                if looking is not None and looking.done():
                    seen, looking = looking, None
                    await self._judge(kernel_id, proxy, seen.result())
                if loop.time() >= look_at:
                    look_at = loop.time() + _LOOK_SECONDS
                    if looking is None and self._links.get(kernel_id) is None:
                        looking = asyncio.ensure_future(proxy.look())
                    if await self._runs(kernel_id):
                        return
                    await self._check_time(kernel_id, proxy)
                await self._links.wait_for_change(kernel_id, 0.25)
        finally:
            if looking is not None:
                looking.cancel()

    def _runs_here(self, kernel_id: str) -> bool:
        link = self._links.get(kernel_id)
        if link is None:
            return False
        if link.process == "dead":
            raise LaunchFailed(link.reason or "the kernel ended at once")
        self._board.see(kernel_id, LaunchPhase.CONNECTING, link.claim_problem or CONNECTED)
        return link.process == "running"

    async def _judge(self, kernel_id: str, proxy: AgentProcessProxy, life: AgentLife) -> None:
        if self._links.get(kernel_id) is not None:
            return
        if life is AgentLife.DEAD:
            words = await proxy.last_words()
            raise LaunchFailed(words or "the kernel's agent ended without a message")
        if proxy.obstacle:
            raise LaunchFailed(f"the kernel cannot start: {proxy.obstacle}")
        phase, message, position = proxy.progress
        if phase:
            self._board.see(kernel_id, LaunchPhase(phase), message, position)
        elif message and (status := self._board.status(kernel_id)) is not None:
            # The cluster does not answer, or knows nothing at the moment.
            self._board.see(kernel_id, status.phase, message, status.position)

    async def _runs(self, kernel_id: str) -> bool:
        """Whether the record says so; raises LaunchTaken."""
        record = await self._records.get(kernel_id)
        if record is None or record.state is KernelState.DELETED:
            raise LaunchTaken("the kernel was deleted while it started")
        if record.state is KernelState.RUNNING:
            return True
        if record.owner != self._name:
            raise LaunchTaken(f"{record.owner} has taken it over")
        return False

    async def _check_time(self, kernel_id: str, proxy: AgentProcessProxy) -> None:
        status = self._board.status(kernel_id)
        if status is None:
            return
        if late := self.overdue(status):
            link = self._links.get(kernel_id)
            words = (link is not None and link.claim_problem) or await proxy.last_words()
            raise LaunchFailed(f"{late}. {words}".strip())

    def overdue(self, status: LaunchStatus) -> str:
        """What took too long in a launch, in words; empty if there is time left."""
        return status.overdue(
            datetime.now(UTC),
            launch_seconds=self._launch_seconds,
            queue_seconds=self._queue_seconds,
        )
