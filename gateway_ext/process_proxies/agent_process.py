"""The base of process proxies that start an agent, which starts the kernel."""

import abc
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from enterprise_gateway.services.kernels.remotemanager import (  # type: ignore[import-untyped]
    RemoteMappingKernelManager,
)
from enterprise_gateway.services.processproxies.processproxy import (  # type: ignore[import-untyped]
    BaseProcessProxyABC,
)

from gateway_ext.process_proxies.fork_servers import ForkServers
from gateway_ext.process_proxies.kernel_walls import KernelWalls
from gateway_ext.process_proxies.memory_cgroups import MemoryCgroups

POOLED_ORPHAN_SECONDS = 600.0


class AgentLife(StrEnum):
    """What is known about an agent's process."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"
    """It cannot be inspected from here. Must never be treated as dead."""


class LaunchFailed(Exception):
    """The agent could not be started, or ended at once; the text is the launcher's own."""


class NoPool(LaunchFailed):
    """No kernel of this kind can wait for somebody; the text says why."""


class KernelspecUnusable(Exception):
    """This kernelspec can never start an agent; the text says what to change."""


@dataclass(frozen=True)
class AgentSettings:
    """Settings for all agents that this gateway starts, and their folders. `inherited` names
    variables of the gateway's environment that kernels get too."""

    kernels_dir: Path
    agent_command: list[str]
    journal_memory_bytes: int
    journal_disk_bytes: int
    journal_comm_bytes: int
    ping_seconds: float
    ping_timeout: float
    orphan_seconds: float
    inherited: list[str]
    fork_servers: ForkServers
    memory: MemoryCgroups
    """The limits of the kernels of this machine."""
    walls: KernelWalls
    """Their namespaces."""


@dataclass(frozen=True)
class AgentStart:
    """One agent to be started. `holder` is whose user id, home and packages it has on this machine,
    a project's, or one person's in it; `uid` is that id, used where the gateway is root."""

    kernel_id: str
    project: str
    holder: str
    uid: int
    agent_key: bytes = field(repr=False)
    gateways: list[str]
    kernel_name: str
    kernelspec: Mapping[str, Any]
    resource_dir: str
    launch_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Checked; what they mean is the process proxy's matter."""
    prepared_by: tuple[str | None, ...] = ()
    """The users who may have chosen what the kernel's processes do from their start on; None for
    unknown ones."""
    pooled: bool = False
    """Whether the kernel is nobody's yet: its agent waits to learn whose it is."""
    shape: str | None = None
    """The shape (`pool_shape`) with which the kernel is recorded in a pool, if it is."""

    @property
    def chosen_environment(self) -> dict[str, str]:
        """The variables that whoever starts the kernel has chosen, for the kernel alone."""
        return dict(self.launch_options.get("environment") or {})

    @property
    def launch(self) -> str:
        """Identifies one launch of a kernel, in 16 hexadecimal digits. It is derived from the
        agent's key, which is new for each launch and cannot be computed from this."""
        return hashlib.sha256(self.agent_key).hexdigest()[:16]


def start_document(
    start: AgentStart,
    settings: AgentSettings,
    directory: str,
    *,
    kernelspec: Mapping[str, Any],
    **more: Any,
) -> dict[str, Any]:
    """The document that an agent is started with (docs/protocols.md). `kernelspec` is what of the
    kernelspec it needs."""
    return {
        "kernel_id": start.kernel_id,
        "agent_key": start.agent_key.hex(),
        "gateways": start.gateways,
        "kernelspec": dict(kernelspec),
        "kernel_name": start.kernel_name,
        "resource_dir": start.resource_dir,
        "directory": directory,
        "journal_memory_bytes": settings.journal_memory_bytes,
        "journal_disk_bytes": settings.journal_disk_bytes,
        "journal_comm_bytes": settings.journal_comm_bytes,
        # What agents of the version before read.
        "journal_bytes": settings.journal_memory_bytes,
        "ping_seconds": settings.ping_seconds,
        "ping_timeout": settings.ping_timeout,
        "orphan_seconds": orphan_seconds(start, settings),
        "prepared_by": list(start.prepared_by),
        **({"pooled": True} if start.pooled else {}),
        **more,
    }


def orphan_seconds(start: AgentStart, settings: AgentSettings) -> float:
    """How long an agent lives on without a gateway: not for long while its kernel is nobody's."""
    most = POOLED_ORPHAN_SECONDS if start.pooled else settings.orphan_seconds
    return min(most, settings.orphan_seconds)


class AgentProcessProxy(BaseProcessProxyABC):
    """Starts an agent in some place. The kernel itself is only ever reached through the agent.

    `launch_process` is called with Enterprise Gateway's arguments (the kernel's command, which the
    agent makes itself from the kernelspec, and `env`) and with `start` and `settings`.
    """

    FOUND_BY_NAME: ClassVar[bool] = False
    """Whether the result of `plan` is enough to find the agent again. It is then recorded before
    the launch, so that another gateway can finish or end the launch."""

    ON_THIS_MACHINE: ClassVar[bool] = False
    """Whether kernels take the processors of the gateway's own machine."""

    MAY_OUTLIVE_ITS_CLUSTER: ClassVar[bool] = False
    """Whether the agent may run on after the cluster has ended what it runs in."""

    OPTIONS: ClassVar[frozenset[str]] = frozenset()
    """The launch options that kernelspecs of this process proxy may declare."""

    @classmethod
    def check(cls, kernelspec: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        """Raises KernelspecUnusable; `config` is of the kernelspec's process proxy."""
        return

    @classmethod
    def why_shared(cls, manager: RemoteMappingKernelManager) -> str:
        """Why nobody can have a kernel alone: what lets the code of other people reach it. Empty if
        people can. `manager` is the gateway's."""
        return ""

    def plan(self, start: AgentStart, settings: AgentSettings, env: dict[str, str]) -> None:
        """Decides the names of what will be launched, before anything is; may add to `env`. Raises
        LaunchFailed, or HTTPError (403) if the client may not ask for what `env` says."""
        return

    def can_submit_again(self, process: Mapping[str, Any]) -> bool:
        """Whether a launch that another gateway has begun, and recorded as `process`, may be asked
        for again after `plan`: what exists of it already is found and used."""
        return False

    def go_on(self) -> None:
        """This launch, which another gateway has begun, goes on here as it is: what that one asked
        for may not be there yet."""
        return

    @property
    def made_nothing(self) -> bool:
        """Whether it is certain that this launch never started anything, anywhere."""
        return False

    @property
    def progress(self) -> tuple[str, str, int | None]:
        """What the last `look` says of a launch: its phase (`LaunchPhase`; empty if nothing is
        known), the cluster's words, and the place in a queue, None if it is not known."""
        return "connecting", "", None

    @property
    def denied(self) -> bool:
        """Whether the cluster has refused the last `look`: this gateway may not see what there
        is."""
        return False

    @property
    def obstacle(self) -> str:
        """Why the last `look` says that the agent will never start; empty if it may."""
        return ""

    @property
    def ending(self) -> str:
        """Why, according to the last `look`, the agent is being ended, which still lives; empty if
        it is not, or if nobody says so."""
        return ""

    async def launch_process(
        self,
        kernel_cmd: list[str],
        *,
        start: AgentStart,
        settings: AgentSettings,
        env: dict[str, str],
    ) -> "AgentProcessProxy":
        """Starts the agent, without waiting for its kernel. Raises LaunchFailed, or HTTPError (403)
        if Enterprise Gateway's lists of users forbid it."""
        await self.prepare(start, env)
        await self.start_agent(start, settings, env)
        return self

    async def prepare(self, start: AgentStart, env: dict[str, str]) -> None:
        """Completes `env` and looks at Enterprise Gateway's lists of users, which raise HTTPError
        (403). Who may have a kernel of a pool is looked at when somebody asks for it."""
        self._is_nobodys = start.pooled
        await super().launch_process([], env=env)

    _is_nobodys = False

    def _enforce_authorization(self, **kwargs: Any) -> None:
        if self._is_nobodys:
            kwargs["env"]["EG_IMPERSONATION_ENABLED"] = str(
                self.kernel_manager.impersonation_enabled
            )
            return
        super()._enforce_authorization(**kwargs)

    def pool_shape(self, start: AgentStart, settings: AgentSettings, env: Mapping[str, str]) -> str:
        """What this launch, after `plan` and `prepare`, has in common with all others that differ
        only in whose kernel it is: one that was started for nobody can be claimed for another of
        the same shape. Raises NoPool if there is no pool for such a launch, and LaunchFailed."""
        raise NoPool("only kernels in pods of Kubernetes wait in pools")

    def late_part(
        self, start: AgentStart, settings: AgentSettings, env: Mapping[str, str]
    ) -> dict[str, Any]:
        """What an agent that was started for nobody learns when its kernel is claimed: what a cold
        start would have given it, after `plan` and `prepare`, as `env` says."""
        raise LaunchFailed("kernels of this kind are not claimed from pools")

    async def belong_to(self, kernel_id: str, project: str) -> bool:
        """Has the cluster say whose the agent is, after a claim and `load_process_info`. False if
        that has to be tried again later."""
        return True

    @abc.abstractmethod
    async def start_agent(
        self, start: AgentStart, settings: AgentSettings, environment: Mapping[str, str]
    ) -> None:
        """Starts the agent; `environment` is what goes over the kernelspec's. Raises
        LaunchFailed and leaves nothing behind."""

    async def take(
        self, start: AgentStart, settings: AgentSettings, said: Mapping[str, Any]
    ) -> None:
        """Adopts an agent that another gateway has started but not recorded, with the data about
        its process from its hello. Raises KeyError, TypeError or ValueError if they do not
        identify it."""
        raise ValueError("it is found by its name alone")

    @abc.abstractmethod
    async def look(self) -> AgentLife:
        """Whether the agent's process lives."""

    @abc.abstractmethod
    async def end(self, *, as_seen: bool = False) -> bool:
        """Ends the agent and everything that it started, if they can be reached from here; with
        `as_seen` only if nothing is known to have changed since the last `look`. Returns whether
        it is certain that nothing of it still runs."""

    @abc.abstractmethod
    async def clean_up(self) -> bool:
        """Removes what is left of the launch of a kernel that was deleted. False if that has to be
        tried again later."""

    @abc.abstractmethod
    async def last_words(self) -> str:
        """The end of what the agent wrote, for people; empty if it cannot be read from here."""
