"""Deciding which gateway a caller should be sent to, from a record and the living gateways."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway_ext.ownership.states import KernelState

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Member:
    """A living gateway. `kernels` is the number of kernels that it owns."""

    name: str
    url: str
    draining: bool
    kernels: int


@dataclass(frozen=True)
class CullRules:
    """When idle kernels are ended, in the words of Jupyter: after `idle_seconds` (0 for never),
    even `connected` ones, even `busy` ones; `warning_seconds` before that pages say so, and no
    connected one is ended sooner than so long after `begun`, when its gateway began to look."""

    idle_seconds: float
    connected: bool
    busy: bool
    warning_seconds: float = 0.0
    begun: datetime = _LONG_AGO

    @property
    def warning(self) -> timedelta:
        """How long before its end a kernel's page says so: less, where idle kernels go quickly."""
        return timedelta(seconds=min(self.warning_seconds, self.idle_seconds / 2))


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


def living_owner(record: KernelRecord, members: Sequence[Member]) -> Member | None:
    """The living gateway that owns the kernel, None while there is none."""
    return next((member for member in members if member.name == record.owner), None)


def in_order_of(kernel_id: str, urls: Iterable[str]) -> list[str]:
    """The gateways in an order that is always the same for this kernel and another for others:
    each comes first for its share of the kernels, and one more or less moves only that share."""
    return sorted(urls, key=lambda url: hashlib.sha256(f"{kernel_id} {url}".encode()).digest())


def cull_time(
    last_activity: datetime, connections: int, execution_state: str, rules: CullRules
) -> datetime | None:
    """When a kernel that does nothing more is to be ended; None if it is not to be.

    `last_activity` is of messages and of work alike.
    """
    if rules.idle_seconds <= 0 or (execution_state == "busy" and not rules.busy):
        return None
    idle = last_activity + timedelta(seconds=rules.idle_seconds)
    if connections == 0:
        return idle
    # Whoever looks at it must have had the time to read that it will be ended.
    return max(idle, rules.begun + rules.warning) if rules.connected else None


def is_lost(record: KernelRecord, now: datetime, lost: timedelta) -> bool:
    """Whether an unowned kernel has been silent for so long that its deletion need not wait for its
    agent."""
    return now - record.changed > lost


def targets_for_handover(kernels: int, members: Sequence[Member], leaving: str) -> list[list[str]]:
    """Where each of `kernels` agents of the gateway `leaving` should go.

    One list of URLs for each, first choice first: the loads of the gateways that stay end up as
    even as they can. The lists are empty if no gateway stays.
    """
    staying = [member for member in members if member.name != leaving and not member.draining]
    load = {member.url: member.kernels for member in staying}
    targets = []
    for _ in range(kernels):
        order = sorted(load, key=lambda url: (load[url], url))
        if order:
            load[order[0]] += 1
        targets.append(order)
    return targets
