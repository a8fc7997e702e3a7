"""Which pools there should be, and in which of them a kernel that somebody asks for could be."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from jupyter_client.kernelspec import (  # type: ignore[import-untyped]
    KernelSpec,
    KernelSpecManager,
    NoSuchKernel,
)
from tornado import web

from gateway_ext.kernels.lifecycle.agent_processes import AgentProcesses
from gateway_ext.kernels.pool_declarations import (
    DeclaredPool,
    PoolDeclarationError,
    declared_pools,
)
from gateway_ext.kernels.refusal import Refusal
from gateway_ext.ownership.new_kernel import NewKernel
from gateway_ext.ownership.pool_plan import WantedPool
from gateway_ext.process_proxies.agent_process import (
    AgentSettings,
    AgentStart,
    LaunchFailed,
    NoPool,
)

_NO_KEY = bytes(32)


class PoolShapes:
    """Finds the shapes of launches: kernels of one shape differ only in whose they are."""

    def __init__(
        self,
        processes: AgentProcesses,
        specs: KernelSpecManager,
        settings: AgentSettings,
        decided: Callable[[NewKernel, KernelSpec], Awaitable[NewKernel]],
        log: logging.Logger,
    ) -> None:
        """`decided` completes and checks the launch options of a pool, and raises Refusal."""
        self._processes = processes
        self._decided = decided
        self._specs = specs
        self._settings = settings
        self._log = log
        self._said: dict[str, list[str]] = {}

    async def wanted(self) -> tuple[list[WantedPool], set[str]]:
        """The pools that kernelspecs ask for, and the kernelspecs of which that cannot be said at
        the moment."""
        found = await asyncio.get_running_loop().run_in_executor(None, self._metadata)
        wanted: dict[str, WantedPool] = {}
        unsure: set[str] = set()
        for name, metadata in found.items():
            pools, problems = await self._of_kernelspec(name, metadata)
            for pool in pools:
                # The same options in other words are one pool.
                wanted.setdefault(pool.shape, pool)
            if not all(map(_is_final, problems)):
                unsure.add(name)
            self._say(name, list(map(_words, problems)))
        return list(wanted.values()), unsure

    def _metadata(self) -> dict[str, Mapping[str, Any] | Exception]:
        """The metadata of each kernelspec, or why it cannot be read."""
        found: dict[str, Mapping[str, Any] | Exception] = {}
        for name in sorted(self._specs.find_kernel_specs()):
            try:
                found[name] = self._specs.get_kernel_spec(name).metadata
            except NoSuchKernel:
                # Removed meanwhile.
                continue
            except Exception as error:
                found[name] = error
        return found

    async def _of_kernelspec(
        self, name: str, metadata: Mapping[str, Any] | Exception
    ) -> tuple[list[WantedPool], list[Exception]]:
        """The pools of a kernelspec, and why there are no others. Whatever its files do, the pools
        of others are kept."""
        if isinstance(metadata, Exception):
            return [], [metadata]
        pools: list[WantedPool] = []
        problems: list[Exception] = []
        try:
            for declared in declared_pools(metadata):
                try:
                    pools.append(await self._pool(name, declared))
                except Exception as error:
                    problems.append(error)
        except PoolDeclarationError as error:
            problems.append(error)
        return pools, problems

    async def _pool(self, name: str, declared: DeclaredPool) -> WantedPool:
        spec = await self._processes.kernelspec(name)
        new = NewKernel("pool", "", "", "", name, {}, declared.launch_options)
        new = await self._decided(new, spec)
        shape = await self._of(new, spec, pooled=True)
        return WantedPool(shape, name, declared.size, new.launch_options)

    async def of_start(self, new: NewKernel, spec: KernelSpec) -> str | None:
        """The shape of a start; None for one that can only be cold. If it is not allowed, or not
        possible, it fails as it does without a pool."""
        try:
            return await self._of(new, spec, pooled=False)
        except (Refusal, LaunchFailed, web.HTTPError):
            return None
        except Exception as error:
            self._say(f"{new.kernel_name}, for a start", [_words(error)])
            return None

    async def _of(self, new: NewKernel, spec: KernelSpec, *, pooled: bool) -> str:
        """The shape of a launch. Raises NoPool if no such kernel waits in a pool, and Refusal,
        LaunchFailed and HTTPError if it cannot be launched at all."""
        start = AgentStart(
            kernel_id=new.kernel_id,
            project=new.project,
            holder=new.project,
            uid=0,
            agent_key=_NO_KEY,
            gateways=[],
            kernel_name=new.kernel_name,
            kernelspec=spec.to_dict(),
            resource_dir=spec.resource_dir,
            launch_options=new.launch_options,
            pooled=pooled,
        )
        launch = self._processes.planned(start, spec, new.environment, new.username)
        async with launch as (proxy, env):
            return proxy.pool_shape(start, self._settings, env)

    def _say(self, name: str, problems: list[str]) -> None:
        if self._said.get(name, []) != problems:
            self._said[name] = problems
            for problem in problems:
                self._log.error("a pool of the kernelspec %s: %s", name, problem)


def _is_final(error: Exception) -> bool:
    """Whether there is certainly no such pool, until somebody changes what is declared: not while
    a file cannot be read, or is being written."""
    if isinstance(error, Refusal):
        return error.status < 500
    return isinstance(error, NoPool | PoolDeclarationError)


def _words(error: Exception) -> str:
    if isinstance(error, Refusal):
        return error.message
    expected = isinstance(error, LaunchFailed | web.HTTPError | PoolDeclarationError)
    return str(error) if expected else repr(error)
