"""Starting kernels, and waiting until they run."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable

from jupyter_client.kernelspec import KernelSpec  # type: ignore[import-untyped]

from gateway_ext.kernels.agents.agent_door import AgentDoor
from gateway_ext.kernels.agents.links import AgentLinks
from gateway_ext.kernels.launch_rules import LaunchRules, refuse_another_start
from gateway_ext.kernels.lifecycle.launch_board import LaunchBoard
from gateway_ext.kernels.lifecycle.launches import Launches
from gateway_ext.kernels.lifecycle.pools import Pools
from gateway_ext.kernels.refusal import Refusal, id_taken, still_launching
from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.membership import Membership
from gateway_ext.ownership.new_kernel import NewKernel
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.start_limits import LimitReached, Limits
from gateway_ext.ownership.states import KernelState


class KernelStarts:
    """Starts a kernel for whoever asks for one: one that waits in a pool, or a new one."""

    def __init__(
        self,
        *,
        records: KernelRecords,
        membership: Membership,
        rules: LaunchRules,
        launches: Launches,
        links: AgentLinks,
        board: LaunchBoard,
        door: AgentDoor,
        pools: Pools,
        limits: Callable[[], Limits],
        find: Callable[[str], Awaitable[KernelRecord]],
    ) -> None:
        """`find` reads a kernel's record, and raises Refusal (404)."""
        self._records = records
        self._membership = membership
        self._rules = rules
        self._launches = launches
        self._links = links
        self._board = board
        self._door = door
        self._pools = pools
        self._limits = limits
        self._find = find

    async def start(
        self, new: NewKernel, seconds: float | None, valid: Callable[[], Awaitable[None]]
    ) -> KernelRecord:
        """Starts a kernel, or joins the start of the one that has this id already; its record.
        `valid` is called before that, once nothing is wrong with what was asked for; it may raise
        Refusal.

        Waits at most `seconds` until it runs; with None only until its record is written, and a
        kernel that is dead stays dead. Raises Refusal (503 with `kernel_id` if the time is over,
        and the launch goes on), and DatabaseUnavailable.
        """
        deadline = asyncio.get_running_loop().time() + (seconds or 0.0)
        if not self._membership.takes_kernels:
            raise Refusal(503, "this gateway accepts no new kernels: ask another one")
        spec = await self._launches.processes.kernelspec(new.kernel_name)
        asked = new
        new = await self._rules.decided(new, spec)
        self._check_alone(new.personal, spec)
        await valid()
        agent_key = secrets.token_bytes(32)
        claimed = None
        try:
            if not new.personal:
                claimed = await self._pools.claim(new, spec, self._limits())
            record = claimed or await self._records.insert_launching(new, agent_key, self._limits())
        except LimitReached as error:
            raise Refusal(403, str(error)) from error
        if record is None:
            record = await self._records.get(new.kernel_id)
            if record is None or record.state is KernelState.DELETED:
                raise id_taken(new.kernel_id)
            refuse_another_start(asked, record)
            dead = record.state is KernelState.DEAD and record.owner is None
            if dead and seconds is not None:
                await self.again(record, new.username)
        elif claimed is None:
            self._door.add(new.kernel_id)
            environment, options = dict(new.environment), new.launch_options
            self._launches.begin(
                record, spec, agent_key, environment, options, prepared_by=new.prepared_by
            )
        if seconds is None:
            return record
        return await self.until_running(new.kernel_id, deadline)

    async def again(self, record: KernelRecord, username: str) -> None:
        """Launches a dead kernel again for this user, unless somebody else does; raises Refusal and
        DatabaseUnavailable."""
        spec = await self._launches.processes.kernelspec(record.kernel_name)
        stored = await self._records.secrets(record.kernel_id)
        if stored is None:
            return
        self._check_alone(record.personal, spec)
        options = await self._rules.again(record, stored, spec)
        agent_key = secrets.token_bytes(32)
        try:
            if not await self._records.launch_again(record, agent_key, username, self._limits()):
                # Somebody else was first; whoever called looks again.
                return
        except LimitReached as error:
            raise Refusal(403, str(error)) from error
        launched = await self._records.get(record.kernel_id)
        if launched is not None:
            self._door.add(record.kernel_id)
            environment = dict(stored.environment)
            self._launches.begin(
                launched, spec, agent_key, environment, options, prepared_by=stored.prepared_by
            )

    def _check_alone(self, personal: bool, spec: KernelSpec) -> None:
        why_shared = self._launches.processes.why_shared(spec) if personal else ""
        if why_shared:
            raise Refusal(400, why_shared)

    async def until_running(self, kernel_id: str, deadline: float) -> KernelRecord:
        """Waits for a launch, here or elsewhere, until then by the loop's clock; raises Refusal if
        it fails, or takes longer."""
        loop = asyncio.get_running_loop()
        try:
            await self._launches.wait(kernel_id, deadline - loop.time())
        except Refusal:
            # 404 if it failed because the kernel was deleted meanwhile.
            await self._find(kernel_id)
            raise
        while True:
            record = await self._find(kernel_id)
            link = self._links.get(kernel_id)
            if record.state is KernelState.RUNNING or (
                link is not None and link.process == "running"
            ):
                return record
            if record.state is KernelState.DEAD:
                raise Refusal(500, record.reason, state=record.state.value)
            if loop.time() > deadline:
                raise still_launching(record, self._board.status(kernel_id))
            await asyncio.sleep(0.2)
