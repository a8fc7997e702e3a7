"""The pools of kernels that wait for somebody, as one gateway takes part in them."""

from collections.abc import Awaitable, Callable

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager  # type: ignore[import-untyped]

from gateway_ext.kernels.agents.agent_door import AgentDoor
from gateway_ext.kernels.agents.agent_link import AgentLink
from gateway_ext.kernels.lifecycle.kernel_care import GatewayKernels
from gateway_ext.kernels.lifecycle.kernel_ends import KernelEnds
from gateway_ext.kernels.lifecycle.pool_claims import PoolClaims
from gateway_ext.kernels.lifecycle.pool_keeper import PoolKeeper
from gateway_ext.kernels.lifecycle.pool_shapes import PoolShapes
from gateway_ext.kernels.pool_declarations import PoolDeclarationError, declared_pools
from gateway_ext.kernels.refusal import Refusal
from gateway_ext.ownership.membership import Membership
from gateway_ext.ownership.new_kernel import NewKernel
from gateway_ext.ownership.pool_records import PoolRecords
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.start_limits import Limits
from gateway_ext.process_proxies.agent_process import AgentSettings


class Pools:
    """Fills them and empties them, and gives a kernel that waits to whoever asks for one."""

    def __init__(
        self,
        kernels: GatewayKernels,
        *,
        pool_records: PoolRecords,
        specs: KernelSpecManager,
        decided: Callable[[NewKernel, KernelSpec], Awaitable[NewKernel]],
        ends: KernelEnds,
        door: AgentDoor,
        membership: Membership,
        settings: AgentSettings,
        limit: int,
        living_seconds: float,
        seconds: float,
    ) -> None:
        """`decided` completes and checks the launch options of a pool, and raises Refusal. `limit`
        is how many kernels may wait in all. Pools are looked after every
        `seconds`. A gateway that has not reported for `living_seconds` has ended."""
        self._records = pool_records
        self._processes = kernels.launches.processes
        self._decided = decided
        self._shapes = shapes = PoolShapes(self._processes, specs, settings, decided, kernels.log)
        self._keeper = PoolKeeper(
            kernels,
            pools=pool_records,
            shapes=shapes,
            ends=ends,
            door=door,
            membership=membership,
            limit=limit,
            living_seconds=living_seconds,
            seconds=seconds,
        )
        self._claims = PoolClaims(
            kernels,
            pools=pool_records,
            shapes=shapes,
            settings=settings,
            on_claim=self._keeper.wake,
        )
        self.keep: Callable[[], Awaitable[None]] = self._keeper.run
        """Keeps the pools until canceled."""
        self.finish_claims: Callable[[], Awaitable[None]] = self._claims.finish
        """Does what is left of the claims of the kernels that are connected here."""

    async def claim(self, new: NewKernel, spec: KernelSpec, limits: Limits) -> KernelRecord | None:
        """The record of a kernel that was waiting here, and becomes this one; None if there is no
        such kernel. Raises LimitReached and DatabaseUnavailable."""
        return await self._claims.claim(new, spec, limits)

    def connected(self, link: AgentLink) -> None:
        """An agent has connected here."""
        self._claims.connected(link)

    async def stop(self) -> int:
        """Ends the kernels of this gateway's pools, and starts none from now on. Returns how many
        wait at all gateways; raises DatabaseUnavailable."""
        return await self._keeper.stop()

    async def owners(self, new: NewKernel) -> set[str]:
        """The gateways where a kernel waits that this start can get; raises
        DatabaseUnavailable."""
        try:
            spec = await self._processes.kernelspec(new.kernel_name)
            if not declared_pools(spec.metadata):
                return set()
            new = await self._decided(new, spec)
        except (Refusal, PoolDeclarationError):
            # The start says why it is refused, and needs no pool.
            return set()
        shape = await self._shapes.of_start(new, spec)
        return set() if shape is None else await self._records.owners(shape)
