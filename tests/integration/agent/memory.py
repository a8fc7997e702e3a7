"""What agents and kernels have in memory."""

from __future__ import annotations

import re
from pathlib import Path

import psutil


def peak_memory(pid: int) -> int:
    """Bytes that a process had in memory at most, since it began."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


class Growth:
    """By how many bytes an agent and its kernel have grown at most since this was made."""

    def __init__(self, agent: int, kernel: int) -> None:
        """The arguments are process ids."""
        self._agent = psutil.Process(agent)
        self._kernel = kernel
        self._before = self._agent.memory_info().rss
        self._kernel_before = psutil.Process(kernel).memory_info().rss
        self.agent = 0
        """As `look` has seen it."""

    def look(self) -> None:
        """Note what the agent has now: how it began says nothing, so its peak would not do."""
        self.agent = max(self.agent, self._agent.memory_info().rss - self._before)

    @property
    def kernel(self) -> int:
        """That of the kernel, short peaks included."""
        return peak_memory(self._kernel) - self._kernel_before
