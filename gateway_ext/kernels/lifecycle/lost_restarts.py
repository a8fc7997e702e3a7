"""Restarts of unreachable kernels: a new one is started when the old one cannot run any more."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from gateway_ext.kernels.background_tasks import BackgroundTasks
from gateway_ext.kernels.lifecycle.each_kernel import each
from gateway_ext.kernels.lifecycle.kernel_care import GatewayKernels, KernelCare
from gateway_ext.kernels.refusal import Refusal, owner_unknown
from gateway_ext.ownership.membership import Membership
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.silence_records import SilenceRecords
from gateway_ext.ownership.states import KernelState
from gateway_ext.process_proxies.agent_process import AgentLife
from jupyter_ext.database.engine import DatabaseUnavailable

_LONGEST_PAUSE = 10.0


class LostRestarts(KernelCare):
    """Finishes restarts that are written in the records, whichever gateway was asked for them."""

    def __init__(
        self,
        kernels: GatewayKernels,
        *,
        silence_records: SilenceRecords,
        membership: Membership,
        start_again: Callable[[KernelRecord, str], Awaitable[None]],
        living_seconds: float,
    ) -> None:
        """`start_again` launches a dead kernel for a user, and raises Refusal. A gateway that has
        not reported for `living_seconds` has ended."""
        super().__init__(kernels)
        self._silence_records = silence_records
        self._membership = membership
        self._start_again = start_again
        self._living = timedelta(seconds=living_seconds)
        # When to look again at each kernel, by the loop's clock, and how long it was until then.
        self._next: dict[str, tuple[float, float]] = {}
        self._at_work: set[str] = set()
        self._background = BackgroundTasks(self._log)

    async def ask(self, record: KernelRecord, username: str) -> None:
        """Has an unreachable kernel restarted for this user as soon as that is possible, whatever
        becomes of this gateway. Raises Refusal (503) if its agent has come back, and
        DatabaseUnavailable."""
        if record.silence is not None and record.silence.restart_by is not None:
            return
        if await self._silence_records.ask_restart(record, username) is None:
            raise owner_unknown(record.kernel_id)
        self._background.start(self._finish_soon())

    async def declare_gone(self, record: KernelRecord) -> None:
        """Marks an unreachable kernel as dead because an operator knows that it cannot run any
        more; a restart that waits for that begins. Raises Refusal (409 for any other kernel, 503
        if it changes at this moment), and DatabaseUnavailable."""
        link = self._links.get(record.kernel_id)
        if record.silence is None or record.state is KernelState.DEAD or link is not None:
            raise Refusal(409, f"kernel {record.kernel_id} is not unreachable")
        reason = "an operator has said that what ran it is gone"
        if not await self._records.set_dead(record.kernel_id, record.epoch, reason):
            raise owner_unknown(record.kernel_id)
        self._background.start(self._finish_soon())

    async def _finish_soon(self) -> None:
        try:
            await self.finish()
        except DatabaseUnavailable as error:
            self._log.warning("restarts of unreachable kernels wait: %s", error)

    async def finish(self) -> None:
        """Goes on with each restart that is this gateway's; raises DatabaseUnavailable."""
        if not self._membership.takes_kernels:
            return
        waiting = await self._silence_records.waiting(self._living)
        self._next = {
            one.kernel_id: self._next[one.kernel_id]
            for one in waiting
            if one.kernel_id in self._next
        }
        now = asyncio.get_running_loop().time()
        due = [one for one in waiting if self._next.get(one.kernel_id, (0.0, 0.0))[0] <= now]
        for record in due:
            _, pause = self._next.get(record.kernel_id, (0.0, 0.5))
            pause = min(2 * pause, _LONGEST_PAUSE)
            self._next[record.kernel_id] = (now + pause, pause)
        await asyncio.gather(*(each([record], self._go_on, self._log) for record in due))

    async def _go_on(self, waiting: KernelRecord) -> None:
        kernel_id = waiting.kernel_id
        if kernel_id in self._launches or kernel_id in self._at_work:
            return
        self._at_work.add(kernel_id)
        try:
            await self._restart(waiting)
        finally:
            self._at_work.discard(kernel_id)

    async def _restart(self, waiting: KernelRecord) -> None:
        record = await self._silence_records.take(waiting)
        if record is None:
            return
        if record.state is not KernelState.DEAD:
            if not await self._has_ended(record):
                return
            reason = "it was unreachable and has ended; it is started again"
            if not await self._records.set_dead(record.kernel_id, record.epoch, reason):
                return
            record = await self._records.get(record.kernel_id)
        silence = None if record is None else record.silence
        if record is None or silence is None or silence.restart_by is None:
            return
        self._log.info("kernel %s: the old one has ended: starting it again", record.kernel_id)
        try:
            await self._start_again(record, silence.restart_by)
        except Refusal as refusal:
            await self._silence_records.drop_restart(record, refusal.message)

    async def _has_ended(self, record: KernelRecord) -> bool:
        """Whether the old agent and its kernel are known to run no more. Ends them where they can
        be reached; a node that is lost does not answer, and they may go on there."""
        proxy = self._launches.processes.proxy_of(record)
        if proxy is None:
            return False
        if await proxy.look() is not AgentLife.DEAD:
            await proxy.end()
            if await proxy.look() is not AgentLife.DEAD:
                await self._silence_records.say(record, proxy.progress[1])
                return False
        # What an agent that was killed could not remove itself.
        await proxy.end()
        return True
