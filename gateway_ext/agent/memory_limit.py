"""How much memory a kernel may use, and how that is enforced."""

from __future__ import annotations

import logging
import resource
from pathlib import Path

from .cgroup import enter

_log = logging.getLogger("fleet.agent")

DATA_ROOM_BYTES = 16 * 2**30
"""How far RLIMIT_DATA lies above the limit. It counts what a process has reserved, touched or not:
at the limit itself it would end DuckDB, JVMs and Arrow, which reserve much and use little."""
_RECHECK_SECONDS = 2.0


def megabytes(count: float) -> str:
    """A number of bytes for people."""
    return f"{count / 2**20:.0f} MB"


class MemoryLimit:
    """The limit of one kernel: enforced by a cgroup that the gateway created, or else by the
    agent, which measures the kernel's processes."""

    def __init__(self, limit_bytes: int, cgroup: Path | None) -> None:
        self.limit_bytes = limit_bytes
        self.cgroup = cgroup

    @property
    def is_watched(self) -> bool:
        """Whether only the agent enforces it."""
        return self.cgroup is None

    def apply(self, pid: int) -> None:
        """Put the kernel's process under the limit, before it does anything."""
        if self.cgroup is not None:
            try:
                enter(self.cgroup, pid)
                return
            except OSError as error:
                _log.warning("no memory cgroup, the agent watches instead: %s", error)
                self.cgroup = None
        most = min(self.limit_bytes + DATA_ROOM_BYTES, 2**63 - 1)
        try:
            resource.prlimit(pid, resource.RLIMIT_DATA, (most, most))
        except (OSError, ValueError) as error:
            _log.warning("the kernel has no RLIMIT_DATA: %s", error)

    def exceeded(self, used_bytes: int) -> str:
        """The reason for a kernel that was ended because it used this much."""
        return (
            f"out of memory: the kernel used {megabytes(used_bytes)}, and may use "
            f"{megabytes(self.limit_bytes)}. Work on less data at a time, or ask for more"
        )

    @property
    def reached(self) -> str:
        """The reason for a kernel that the system ended at its limit."""
        return (
            f"out of memory: the kernel needed more than the {megabytes(self.limit_bytes)} that it "
            "may use. Work on less data at a time, or ask for more"
        )


class MemoryMeter:
    """Says when to measure exactly (PSS), which takes long for large processes.

    The sum of the processes' resident memory is an upper bound that is cheap to read.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._harmless = limit_bytes
        self._measured = 0.0

    def is_suspicious(self, now: float, resident: int) -> bool:
        """Whether so many resident bytes may be more than the limit allows."""
        if resident <= self._limit:
            return False
        return resident > self._harmless or now - self._measured > _RECHECK_SECONDS

    def measured(self, now: float, resident: int, exact: int) -> bool:
        """Whether the exact number is above the limit."""
        self._measured = now
        self._harmless = resident + max(0, self._limit - exact)
        return exact > self._limit
