"""Deciding which gateway gets a new kernel, and where kernels go that change gateways."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway_ext.ownership.records import Member

SMALLEST_GAP = 2
"""Kernels are moved while the fullest gateway has this many more than the emptiest. A move
reduces the difference by two, so that no kernel moves back and forth."""


LARGEST_LEAD = 3
"""A start gets a kernel that waits in a pool while the gateway where it waits has at most this many
more than the emptiest then: one that is idle is moved away later."""


@dataclass(frozen=True)
class OwnKernel:
    """A kernel of the gateway that decides. `idle_seconds` is None while it runs a cell, starts, or
    is dead: then it stays."""

    kernel_id: str
    idle_seconds: float | None
    connections: int


def order_for_start(
    members: Sequence[Member], in_flight: Mapping[str, int], preferred: Collection[str] = ()
) -> list[Member]:
    """The gateways that may start a new kernel, the one with the fewest first, ties by name.

    `in_flight` counts, by gateway, starts that `Member.kernels` does not contain yet. Those that
    are `preferred`, because they have a kernel ready, come first as long as they do not get more
    than `LARGEST_LEAD` kernels above the one with the fewest.
    """
    load = {
        member.name: member.kernels + in_flight.get(member.name, 0)
        for member in members
        if not member.draining
    }
    limit = min(load.values(), default=0) + LARGEST_LEAD
    return sorted(
        (member for member in members if member.name in load),
        key=lambda member: (
            member.name not in preferred or load[member.name] >= limit,
            load[member.name],
            member.name,
        ),
    )


def share_of_pools(here: str, members: Sequence[Member]) -> int | None:
    """How many of the kernels that pools lack the gateway `here` starts, so that the others have
    their turn if they have fewer kernels, waiting ones included; None for any number. A kernel of a
    pool is claimed where it waits, and starts go where the fewest kernels are."""
    load = {one.name: one.kernels + one.pooled for one in members if not one.draining}
    own = load.pop(here, 0)
    return max(0, min(load.values()) + 1 - own) if load else None


def kernel_to_move(
    here: str, members: Sequence[Member], kernels: Iterable[OwnKernel], *, idle_seconds: float
) -> tuple[str, Member] | None:
    """The kernel that the gateway `here` hands over now, and to which gateway; None for none.

    Only the fullest gateway gives (ties by name), one kernel, to the emptiest: all gateways see the
    same numbers, so that two never fill the same one. While any gateway drains nothing moves. A
    kernel that has been idle for less than `idle_seconds` is left alone; those that nobody looks at
    go first, then those that have been idle for longest.
    """
    if len(members) < 2 or any(member.draining for member in members):
        return None
    fullest = min(members, key=lambda member: (-member.kernels, member.name))
    emptiest = min(members, key=lambda member: (member.kernels, member.name))
    if fullest.name != here or fullest.kernels - emptiest.kernels < SMALLEST_GAP:
        return None
    idle = [
        (kernel.connections > 0, -kernel.idle_seconds, kernel.kernel_id)
        for kernel in kernels
        if kernel.idle_seconds is not None and kernel.idle_seconds >= idle_seconds
    ]
    return (min(idle)[2], emptiest) if idle else None


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
