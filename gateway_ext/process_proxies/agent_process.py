"""The base of process proxies that start an agent, which starts the kernel."""

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from enterprise_gateway.services.processproxies.processproxy import (  # type: ignore[import-untyped]
    BaseProcessProxyABC,
)

from gateway_ext.process_proxies.fork_servers import ForkServers


class AgentLife(StrEnum):
    """What can be said of an agent's process."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"
    """It cannot be looked at from here. Never to be taken for dead."""


class LaunchFailed(Exception):
    """The agent could not be started, or ended at once; the text is the launcher's own."""


@dataclass(frozen=True)
class AgentSettings:
    """What every agent that this gateway starts is told, and where it lives. `inherited` names
    variables of the gateway's environment that kernels get too."""

    kernels_dir: Path
    agent_command: list[str]
    journal_bytes: int
    ping_seconds: float
    ping_timeout: float
    orphan_seconds: float
    inherited: list[str]
    fork_servers: ForkServers


@dataclass(frozen=True)
class AgentStart:
    """One agent to be started. `uid` is the project's user id, used where the gateway is root."""

    kernel_id: str
    project: str
    uid: int
    agent_key: bytes = field(repr=False)
    gateways: list[str]
    kernel_name: str
    kernelspec: Mapping[str, Any]
    resource_dir: str


def start_document(
    start: AgentStart, settings: AgentSettings, directory: str, cwd: str
) -> dict[str, Any]:
    """The document that an agent reads from its standard input (docs/protocols.md).

    The kernelspec goes without its `env`: that is in the agent's environment already, below what
    the client asked for.
    """
    kernelspec = {name: value for name, value in start.kernelspec.items() if name != "env"}
    return {
        "kernel_id": start.kernel_id,
        "agent_key": start.agent_key.hex(),
        "gateways": start.gateways,
        "kernelspec": kernelspec,
        "kernel_name": start.kernel_name,
        "resource_dir": start.resource_dir,
        "directory": directory,
        "cwd": cwd,
        "journal_bytes": settings.journal_bytes,
        "ping_seconds": settings.ping_seconds,
        "ping_timeout": settings.ping_timeout,
        "orphan_seconds": settings.orphan_seconds,
    }


class AgentProcessProxy(BaseProcessProxyABC):
    """Starts an agent in some place. The kernel itself is only ever reached through the agent.

    `launch_process` is called with Enterprise Gateway's arguments (the kernel's command, which the
    agent makes itself from the kernelspec, and `env`) and with `start` and `settings`.
    """

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
        await super().launch_process(kernel_cmd, env=env)
        await self.start_agent(start, settings, env)
        return self

    @abc.abstractmethod
    async def start_agent(
        self, start: AgentStart, settings: AgentSettings, environment: Mapping[str, str]
    ) -> None:
        """Starts the agent; `environment` is what goes over the kernelspec's. Raises
        LaunchFailed and leaves nothing behind."""

    @abc.abstractmethod
    async def look(self) -> AgentLife:
        """Whether the agent's process lives."""

    @abc.abstractmethod
    async def end(self) -> None:
        """Ends the agent and all that it started, if they can be reached from here."""

    @abc.abstractmethod
    async def clean_up(self) -> None:
        """Removes what is left of the launch of a kernel that was deleted."""

    @abc.abstractmethod
    async def last_words(self) -> str:
        """The end of what the agent wrote, for people; empty if it cannot be read from here."""
