"""What the database knows of a kernel and of a living gateway, and what follows from it."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway_ext.ownership.launch_status import LaunchStatus
from gateway_ext.ownership.silence import Silence
from gateway_ext.ownership.states import KernelState
from jupyter_ext.platform.personal_kernels import holder_of

LABELLED_AS = "kernel_id"
"""In a record's `process`: the kernel id in the labels of what the agent runs in."""


@dataclass(frozen=True)
class Member:
    """A living gateway. `kernels` is the number of users' kernels that it owns, `pooled` of those
    that belong to nobody."""

    name: str
    url: str
    draining: bool
    kernels: int
    pooled: int = 0


@dataclass(frozen=True)
class KernelRecord:
    """One kernel as the database knows it, without its secrets."""

    kernel_id: str
    project: str
    path: str
    username: str
    kernel_name: str
    state: KernelState
    owner: str | None
    epoch: int
    process: Mapping[str, Any] | None
    execution_state: str
    connections: int
    last_activity: datetime
    created: datetime
    changed: datetime
    reason: str
    launch_status: LaunchStatus | None = None
    """How far the launch is; None unless it is `launching`, or if its gateway does not say."""
    launch_options: Mapping[str, Any] | None = None
    """Without secrets; None if there are none."""
    silence: Silence | None = None
    """Since when its agent has been silent; None unless that is for too long."""
    not_run: bool = False
    """Whether it is dead or restarting and has not run since it was launched."""
    launch_id: str | None = None
    """The id under which its agent was started, if the kernel was taken from a pool."""
    pool: str | None = None
    """The shape of the pool in which it waits; None for a kernel that is somebody's."""

    personal: bool = False
    """Whether it is its user's alone."""

    @property
    def only_for(self) -> str | None:
        """The person who has it alone; None for a kernel of the whole project."""
        return self.username if self.personal else None

    @property
    def holder(self) -> str:
        """Under which name its user id, folders and rows are kept."""
        return holder_of(self.project, self.only_for)

    @property
    def agent_id(self) -> str:
        """The id under which its agent connects."""
        return self.launch_id or self.kernel_id


def living_owner(record: KernelRecord, members: Sequence[Member]) -> Member | None:
    """The living gateway that owns the kernel, None while there is none."""
    return next((member for member in members if member.name == record.owner), None)


def in_order_of(kernel_id: str, urls: Iterable[str]) -> list[str]:
    """The gateways in an order that is always the same for this kernel and another for others:
    each comes first for its share of the kernels, and one more or less moves only that share."""
    return sorted(urls, key=lambda url: hashlib.sha256(f"{kernel_id} {url}".encode()).digest())


def is_lost(record: KernelRecord, now: datetime, lost: timedelta) -> bool:
    """Whether an unowned kernel has been silent for so long that its deletion need not wait for its
    agent."""
    return now - record.changed > lost
