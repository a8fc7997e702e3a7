"""Which pools there should be, and in which of them a kernel that somebody asks for could be."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager  # type: ignore[import-untyped]
from tornado import web

from gateway_ext.kernels.lifecycle.agent_processes import AgentProcesses
from gateway_ext.kernels.lifecycle.launch_kernel_manager import proxy_stanza
from gateway_ext.kernels.pool_declarations import (
    DeclaredPool,
    PoolDeclarationError,
    declared_pools,
)
from gateway_ext.kernels.refusal import Refusal
from gateway_ext.ownership.kernel_records import NewKernel
from gateway_ext.ownership.pool_plan import WantedPool
from gateway_ext.process_proxies.agent_process import (
    AgentSettings,
    AgentStart,
    LaunchFailed,
    NoPool,
)
from gateway_ext.process_proxies.environment import asked_environment

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
        found: Mapping[str, Any] = await asyncio.get_running_loop().run_in_executor(
            None, self._specs.get_all_specs
        )
        wanted: dict[str, WantedPool] = {}
        unsure: set[str] = set()
        for name, entry in sorted(found.items()):
            metadata = (entry.get("spec") or {}).get("metadata") or {}
            try:
                declared = declared_pools(metadata)
            except PoolDeclarationError as error:
                self._say(name, [str(error)])
                continue
            problems = []
            for one in declared:
                try:
                    pool = await self._pool(name, one)
                except (Refusal, LaunchFailed, web.HTTPError) as error:
                    problems.append(error.message if isinstance(error, Refusal) else str(error))
                    if not _is_final(error):
                        unsure.add(name)
                else:
                    # The same options in other words are one pool.
                    wanted.setdefault(pool.shape, pool)
            self._say(name, problems)
        return list(wanted.values()), unsure

    async def _pool(self, name: str, declared: DeclaredPool) -> WantedPool:
        spec = await self._processes.kernelspec(name)
        new = NewKernel("pool", "", "", "", name, {}, declared.launch_options)
        new = await self._decided(new, spec)
        shape = await self.of(new, spec, pooled=True)
        return WantedPool(shape, name, declared.size, new.launch_options)

    async def of(self, new: NewKernel, spec: KernelSpec, *, pooled: bool = False) -> str:
        """The shape of a launch. Raises NoPool if no such kernel waits in a pool, and Refusal,
        LaunchFailed and HTTPError if it cannot be launched at all."""
        class_name, config = proxy_stanza(spec)
        manager = self._processes.kernel_manager(new.kernel_id, new.kernel_name)
        manager._kernel_spec = spec
        try:
            proxy = manager.proxy(class_name, config)
            start = AgentStart(
                kernel_id=new.kernel_id,
                project=new.project,
                uid=0,
                agent_key=_NO_KEY,
                gateways=[],
                kernel_name=new.kernel_name,
                kernelspec=spec.to_dict(),
                resource_dir=spec.resource_dir,
                launch_options=new.launch_options,
                pooled=pooled,
            )
            env = asked_environment(
                new.environment,
                kernel_id=new.kernel_id,
                project=new.project,
                username=new.username,
            )
            proxy.plan(start, self._settings, env)
            await proxy.prepare(start, env)
            return proxy.pool_shape(start, self._settings, env)
        finally:
            manager.forget()

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
    return isinstance(error, NoPool)
