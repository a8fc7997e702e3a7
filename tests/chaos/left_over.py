"""Processes that should not be there. Only where a run has a process namespace of its own."""

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

FIRST = 1
"""The first process of the namespace. What has lost its parent is its child, and nobody's."""


def processes() -> dict[int, int]:
    """The living processes that can be seen, each with its parent."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state not in "ZX":
            found[int(entry.name)] = int(parent)
    return found


def left_over(
    parents: Mapping[int, int], servers: Collection[int], agents: Mapping[int, bool]
) -> list[int]:
    """Those of the processes in `parents` that are nobody's.

    `servers` may have children of any depth. Each of `agents` may have one child if it has a
    kernel, which may have any; whose child an agent is does not matter, for it outlives the gateway
    that started it.
    """

    children = Counter(parents.values())

    def belongs(pid: int) -> bool:
        if pid in agents or pid in servers:
            return True
        parent = parents.get(pid, 0)
        if parent in agents:
            return agents[parent] and children[parent] == 1
        return parent > FIRST and belongs(parent)

    return sorted(pid for pid in parents if pid != FIRST and not belongs(pid))
