"""The agents' processes: which proxy starts one, and what their kernels' records say of them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from enterprise_gateway.services.kernels.remotemanager import (  # type: ignore[import-untyped]
    RemoteMappingKernelManager,
)
from jupyter_client.kernelspec import KernelSpec, NoSuchKernel  # type: ignore[import-untyped]

from gateway_ext.kernels.agents.links import AgentLinks
from gateway_ext.kernels.lifecycle.launch_kernel_manager import (
    LaunchKernelManager,
    agent_proxy_class,
    proxy_stanza,
)
from gateway_ext.kernels.refusal import Refusal
from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.membership import Membership
from gateway_ext.ownership.project_uids import ProjectUids
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.process_proxies.agent_process import (
    AgentProcessProxy,
    AgentSettings,
    AgentStart,
    KernelspecUnusable,
)
from gateway_ext.process_proxies.environment import asked_environment
from jupyter_ext.database.engine import DatabaseUnavailable

_PAUSE_SECONDS = 0.5

NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})


def unreadable(name: str, error: Exception) -> str:
    """Why the kernelspec of that name cannot be used, for users."""
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
    elif isinstance(error, RecursionError):
        reason = "it is nested too deeply"
    else:
        reason = f"{error}"
    return f"the kernel.json of the kernelspec {name!r} cannot be read: {reason}"


class AgentProcesses:
    """Makes process proxies for agents that are started here, or were started by some gateway."""

    def __init__(
        self,
        manager: RemoteMappingKernelManager,
        *,
        records: KernelRecords,
        uids: ProjectUids,
        membership: Membership,
        links: AgentLinks,
        settings: AgentSettings,
        seconds: float,
        log: logging.Logger,
    ) -> None:
        """`seconds` is how long to try to record a process while the database is unavailable."""
        self._manager = manager
        self._records = records
        self._uids = uids
        self._membership = membership
        self._links = links
        self._settings = settings
        self._seconds = seconds
        self._log = log

    async def kernelspec(self, name: str) -> KernelSpec:
        """The kernelspec of that name; raises Refusal (404; 400 if it can start no agent; 500 while
        it cannot be read). No answer names a path of the host: the log does."""
        loop = asyncio.get_running_loop()
        try:
            spec: KernelSpec = await loop.run_in_executor(
                None, self._manager.kernel_spec_manager.get_kernel_spec, name
            )
        except NoSuchKernel:
            raise Refusal(
                404, f"there is no kernelspec {name!r}: GET /api/kernelspecs lists them"
            ) from None
        except Exception as error:
            # Jupyter checks nothing of what is in the file: it fails in any way.
            kind = type(error).__name__
            self._log.warning("the kernelspec %r cannot be read: %s: %s", name, kind, error)
            raise Refusal(500, unreadable(name, error)) from error
        # Before a record says that it is being launched.
        class_name, config = proxy_stanza(spec)
        proxy_class = agent_proxy_class(class_name)
        document = {**spec.to_dict(), "resource_dir": spec.resource_dir}
        try:
            await loop.run_in_executor(None, proxy_class.check, document, config)
        except KernelspecUnusable as error:
            raise Refusal(400, str(error)) from error
        return spec

    def proxy_of(self, record: KernelRecord) -> AgentProcessProxy | None:
        """The process proxy for a process that some gateway started; None if there is none."""
        if not record.process:
            return None
        manager = self.kernel_manager(record.kernel_id, record.kernel_name)
        try:
            proxy = manager.proxy(str(record.process["proxy"]), {})
            proxy.load_process_info(dict(record.process))
        except (Refusal, KeyError, TypeError, ValueError) as error:
            self._log.warning("kernel %s: its process is unknown: %r", record.kernel_id, error)
            return None
        finally:
            manager.forget()
        return proxy

    def may_outlive_its_cluster(self, record: KernelRecord) -> bool:
        """Whether the kernel's agent may run on after its cluster has ended what it runs in. Costs
        almost nothing, unlike `proxy_of`."""
        try:
            proxy_class = agent_proxy_class(str((record.process or {})["proxy"]))
        except (KeyError, Refusal):
            return False
        return proxy_class.MAY_OUTLIVE_ITS_CLUSTER

    def why_shared(self, spec: KernelSpec) -> str:
        """Why nobody can have a kernel of this kernelspec alone; empty if people can. Raises
        Refusal (400) if it starts no agents."""
        return agent_proxy_class(proxy_stanza(spec)[0]).why_shared(self._manager)

    async def learn(self, record: KernelRecord, agent_key: bytes, said: Mapping[str, Any]) -> None:
        """Records what an agent reports of its own process, if the gateway that started it ended
        too early. Without it no gateway could detect that the agent has died."""
        kernel_id = record.kernel_id
        manager = self.kernel_manager(kernel_id, record.kernel_name)
        try:
            while True:
                try:
                    await self._take(manager, record, agent_key, said)
                    return
                except DatabaseUnavailable as error:
                    self._log.warning("kernel %s: its process is unknown: %s", kernel_id, error)
                # An agent that goes says it again to the next gateway.
                if self._links.get(kernel_id) is None:
                    return
                await asyncio.sleep(_PAUSE_SECONDS)
        except (Refusal, KeyError, TypeError, ValueError, OSError, OverflowError) as error:
            self._log.warning("kernel %s: its process stays unknown: %r", kernel_id, error)
        finally:
            manager.forget()

    async def _take(
        self,
        manager: LaunchKernelManager,
        record: KernelRecord,
        agent_key: bytes,
        said: Mapping[str, Any],
    ) -> None:
        spec = await self.kernelspec(record.kernel_name)
        class_name, config = proxy_stanza(spec)
        proxy = manager.proxy(class_name, config)
        start = await self.agent_start(record, spec, agent_key)
        await proxy.take(start, self._settings, said)
        await self.write(start, proxy, class_name, if_unknown=True)

    async def write(
        self,
        start: AgentStart,
        proxy: AgentProcessProxy,
        class_name: str,
        *,
        if_unknown: bool = False,
    ) -> bool:
        """Records how to find the agent. False if it is not wanted any more."""
        process = {**proxy.get_process_info(), "proxy": class_name}
        wanted = await self._records.set_process(
            start.kernel_id, start.agent_key, process, if_unknown=if_unknown
        )
        if not wanted:
            self._log.warning("kernel %s: its agent is no longer needed", start.kernel_id)
        return wanted

    async def write_at_last(
        self, start: AgentStart, proxy: AgentProcessProxy, class_name: str
    ) -> bool:
        """The same when the agent already runs: without it no gateway could detect its death.
        Retries while the database is unavailable, for as long as a launch may take."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._seconds
        while True:
            try:
                return await self.write(start, proxy, class_name)
            except DatabaseUnavailable:
                if loop.time() > deadline:
                    raise
            await asyncio.sleep(_PAUSE_SECONDS)

    async def agent_start(
        self,
        record: KernelRecord,
        spec: KernelSpec,
        agent_key: bytes,
        options: Mapping[str, Any] = NO_OPTIONS,
        prepared_by: tuple[str | None, ...] = (),
    ) -> AgentStart:
        """What an agent of the kernel is started with; raises DatabaseUnavailable."""
        return AgentStart(
            kernel_id=record.kernel_id,
            project=record.project,
            holder=record.holder,
            # A kernel in a pool is no project's.
            uid=0 if record.pool is not None else await self._uids.assign(record.holder),
            agent_key=agent_key,
            gateways=self._membership.urls_for_a_launch(record.kernel_id),
            kernel_name=record.kernel_name,
            kernelspec=spec.to_dict(),
            resource_dir=spec.resource_dir,
            launch_options=options,
            prepared_by=prepared_by,
            pooled=record.pool is not None,
            shape=record.pool,
        )

    @asynccontextmanager
    async def planned(
        self,
        start: AgentStart,
        spec: KernelSpec,
        client: Mapping[str, str],
        username: str,
        *,
        class_name: str = "",
    ) -> AsyncIterator[tuple[AgentProcessProxy, dict[str, str]]]:
        """A launch that is planned, of which nothing is asked for: its process proxy, and the
        kernel's environment, of which `client` is the client's part. `class_name` is of the process
        proxy that has begun the launch; empty for the kernelspec's. Raises Refusal, LaunchFailed
        and HTTPError."""
        named, config = proxy_stanza(spec)
        manager = self.kernel_manager(start.kernel_id, start.kernel_name)
        manager._kernel_spec = spec
        try:
            proxy = manager.proxy(class_name or named, config)
            env = asked_environment(
                client, kernel_id=start.kernel_id, project=start.project, username=username
            )
            proxy.plan(start, self._settings, env)
            await proxy.prepare(start, env)
            yield proxy, env
        finally:
            manager.forget()

    def kernel_manager(self, kernel_id: str, kernel_name: str) -> LaunchKernelManager:
        """What a process proxy is made with; to be forgotten (`forget`) at its end."""
        return LaunchKernelManager(
            connection_file=str(Path(self._manager.connection_dir) / f"kernel-{kernel_id}.json"),
            parent=self._manager,
            log=self._log,
            kernel_name=kernel_name,
            kernel_spec_manager=self._manager.kernel_spec_manager,
        )
