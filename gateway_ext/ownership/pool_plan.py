"""Deciding how many kernels wait in pools, and which of them is taken."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from gateway_ext.ownership.records import LABELLED_AS, KernelRecord
from gateway_ext.ownership.states import KernelState

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=15), timedelta(seconds=600)
"""After a kernel of a pool that has failed, doubled with each one that follows another."""

_IN_A_ROW = 2 * LONGEST_PAUSE
"""Failures that are at most this far apart follow each other: the longest pause is between them,
and the time of a start."""

_LIVING = frozenset({KernelState.LAUNCHING, KernelState.RUNNING, KernelState.RESTARTING})


@dataclass(frozen=True)
class WantedPool:
    """A pool that should have `size` kernels. Kernels of one `shape` differ only in whose they will
    be."""

    shape: str
    kernel_name: str
    size: int
    launch_options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PoolMember:
    """A kernel in a pool, or one of which something may be left. `here` says that the gateway that
    decides owns it, or that its owner has ended."""

    kernel_id: str
    kernel_name: str
    shape: str
    state: KernelState
    here: bool
    silent: bool
    created: datetime
    changed: datetime


@dataclass(frozen=True)
class PoolPlan:
    """What to do: start one kernel for each of `start`, end those of `end`, with the reason."""

    start: Sequence[WantedPool]
    end: Mapping[str, str]


def plan_pools(
    wanted: Sequence[WantedPool],
    members: Sequence[PoolMember],
    *,
    limit: int,
    unsure: Iterable[str] = (),
    not_waiting: Iterable[str] = (),
    now: datetime,
) -> PoolPlan:
    """What one gateway does about the pools of all.

    At most `limit` kernels wait, of all pools together, and those that are being ended count. Of
    the kernelspecs `unsure` it is not known at the moment what should wait: they are left alone.
    A gateway ends only what is its own: while versions or kernelspecs of gateways differ, each
    keeps what it wants itself, and none ends what another one has just started. The agents of
    those `not_waiting` have started a kernel for nobody.
    """
    unsure, not_waiting = frozenset(unsure), frozenset(not_waiting)
    sizes = {pool.shape: pool.size for pool in wanted}
    living = [one for one in members if one.state in _LIVING]
    end: dict[str, str] = {}
    kept: dict[str, int] = {}
    # Those that are ready stay before those that still start, and older ones before newer ones.
    order = sorted(
        living, key=lambda one: (one.state is not KernelState.RUNNING, one.created, one.kernel_id)
    )
    room = limit
    for one in order:
        reason = ""
        if one.silent:
            reason = "its agent is silent"
        elif one.kernel_id in not_waiting:
            reason = "a gateway of another version has started it as a kernel of a user"
        elif room <= 0:
            reason = "fewer kernels may wait"
        elif one.kernel_name not in unsure:
            if one.shape not in sizes:
                reason = "kernels are started in another way by now"
            elif kept.get(one.shape, 0) >= sizes[one.shape]:
                reason = "its pool is smaller by now"
        if reason and one.here:
            end[one.kernel_id] = reason
            continue
        kept[one.shape] = kept.get(one.shape, 0) + (0 if one.silent else 1)
        room -= 1
    # What is being ended still takes its place in the cluster.
    room = limit - len(living) - sum(one.state is KernelState.DELETED for one in members)
    start: list[WantedPool] = []
    for pool in wanted:
        if pool.kernel_name in unsure or _must_pause(pool.shape, members, now):
            continue
        missing = min(room, pool.size - kept.get(pool.shape, 0))
        start += [pool] * max(0, missing)
        room -= max(0, missing)
    return PoolPlan(start, end)


def _must_pause(shape: str, members: Iterable[PoolMember], now: datetime) -> bool:
    """Whether kernels of this shape have failed too recently, or too often, to try again."""
    failed = sorted(
        (one.changed for one in members if one.shape == shape and one.state is KernelState.DEAD),
        reverse=True,
    )
    if not failed:
        return False
    in_a_row = 1
    for later, earlier in pairwise(failed):
        if later - earlier > _IN_A_ROW:
            break
        in_a_row += 1
    pause = min(FIRST_PAUSE * 2 ** min(in_a_row - 1, 10), LONGEST_PAUSE)
    return now - failed[0] < pause


@dataclass(frozen=True)
class Candidate:
    """A kernel in a pool whose agent is connected to the gateway that decides."""

    kernel_id: str
    shape: str
    ready: bool
    created: datetime


def members_to_claim(shape: str, candidates: Iterable[Candidate]) -> list[str]:
    """The kernels that can become one of this shape, in the order in which to try them: the oldest
    first, so that none waits forever."""
    fitting = [one for one in candidates if one.ready and one.shape == shape]
    return [one.kernel_id for one in sorted(fitting, key=lambda one: (one.created, one.kernel_id))]


class ClaimStep(StrEnum):
    """What a claim does after the record is the user's, in this order."""

    TELL_AGENT = "tell agent"
    """The agent learns whose kernel it is."""
    LABEL = "label"
    """The cluster's labels become the kernel's."""


def left_of_claim(record: KernelRecord, *, agent_waits: bool) -> list[ClaimStep]:
    """What is left to do of the claim of a kernel; `agent_waits` says that its agent believes to be
    in a pool. Nothing for a kernel that is in a pool, or came from none."""
    if record.pool is not None or record.launch_id is None:
        return []
    left = [ClaimStep.TELL_AGENT] if agent_waits else []
    labeled_as = (record.process or {}).get(LABELLED_AS)
    if labeled_as not in (None, record.kernel_id):
        left.append(ClaimStep.LABEL)
    return left
