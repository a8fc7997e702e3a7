"""Deciding which gateway a caller should be sent to, from a record and the living gateways."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway_ext.ownership.states import KernelState


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
    even `connected` ones, even `busy` ones."""

    idle_seconds: float
    connected: bool
    busy: bool


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


def should_cull(
    idle_seconds: float, connections: int, execution_state: str, rules: "CullRules"
) -> bool:
    """Whether a kernel that did nothing for so long is to be ended."""
    return (
        0 < rules.idle_seconds < idle_seconds
        and (rules.connected or connections == 0)
        and (rules.busy or execution_state != "busy")
    )


def is_lost(record: KernelRecord, now: datetime, lost: timedelta) -> bool:
    """Whether nothing has been heard of an unowned kernel for so long that whoever wants it
    deleted need not wait for its agent."""
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
