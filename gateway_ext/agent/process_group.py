"""The process group of the kernel, in which its processes get signals together.

Usually the kernel leads a group of its own. But some containers end with their process group: YARN
kills the group of a container and nothing else. There the agent and the kernel stay in it, and the
kernel's part of the group is what of it is below the agent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

from .process_identity import started_at
from .process_tree import Process, descendants

_REST_SECONDS = 5.0
"""How long processes may take to end after SIGKILL."""


class OwnGroup:
    """The kernel leads its group."""

    def signal(self, kernel: int, number: int) -> None:
        """Send a signal to the kernel, which has not been reaped, and to its group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(kernel, number)

    async def end_rest(self, kernel: int) -> None:
        """End what a kernel that has ended left in its group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(kernel, signal.SIGKILL)


class SharedGroup:
    """The kernel is in the agent's group, with others that are not the agent's."""

    def signal(self, kernel: int, number: int) -> None:
        """See OwnGroup."""
        # Found before the kernel can end: afterwards they are still below the agent, but later.
        others = [process for process in _below() if process.pid != kernel]
        with contextlib.suppress(ProcessLookupError):
            os.kill(kernel, number)
        for process in others:
            _signal(process, number)

    async def end_rest(self, kernel: int) -> None:
        """See OwnGroup."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _REST_SECONDS
        while (rest := _below()) and loop.time() < deadline:
            for process in rest:
                _signal(process, signal.SIGKILL)
            await asyncio.sleep(0.01)


def kernel_group(*, shared: bool) -> OwnGroup | SharedGroup:
    """The group of kernels; `shared` says that it is the agent's own."""
    return SharedGroup() if shared else OwnGroup()


def _below() -> list[Process]:
    """The processes of the agent's group that are below the agent."""
    group = os.getpgrp()
    found = []
    for process in descendants(os.getpid()):
        with contextlib.suppress(OSError):
            if os.getpgid(process.pid) == group:
                found.append(process)
    return found


def _signal(process: Process, number: int) -> None:
    with contextlib.suppress(OSError):
        if started_at(process.pid) == process.started:
            os.kill(process.pid, number)
