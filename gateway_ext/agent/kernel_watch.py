"""Measures the processor time and memory of the kernel's processes."""

from __future__ import annotations

import asyncio
import logging
import os
import time

from .kernel import Kernel
from .leases import is_leased, leases_folder
from .memory_limit import MemoryLimit, MemoryMeter
from .process_tree import Process, descendants, end_all, proportional_bytes, resident_bytes
from .start_document import StartDocument
from .work_meter import WorkMeter

_log = logging.getLogger("fleet.agent")

WORK_SECONDS = 5.0
"""How often work is measured."""
TREE_SECONDS = 1.0
MEMORY_SECONDS = 0.25
"""How often memory is measured if no cgroup limits it."""


class KernelWatch:
    """Reports when the kernel has worked, and ends it if it uses too much memory."""

    def __init__(self, document: StartDocument, kernel: Kernel, limit: MemoryLimit | None) -> None:
        self._kernel = kernel
        self._limit = limit
        self._leases = leases_folder(document.directory)
        self._processes: list[Process] = []
        """All of the kernel's, as they were at the last look."""
        self._work = WorkMeter()
        self._memory = MemoryMeter(limit.limit_bytes) if limit is not None else None
        self._looked = self._measured = float("-inf")

    async def run(self) -> None:
        """Looks until canceled."""
        while True:
            began = time.monotonic()
            pid = self._kernel.state.pid
            if pid is not None:
                try:
                    await self._look(pid)
                except Exception:
                    # No error in reading /proc may end the kernel.
                    _log.exception("the kernel's processes cannot be inspected")
            watched = self._limit is not None and self._limit.is_watched
            pause = MEMORY_SECONDS if watched else WORK_SECONDS
            # A look at thousands of processes takes long: most of the time is the kernel's.
            await asyncio.sleep(max(pause, 4 * (time.monotonic() - began)))

    async def _look(self, pid: int) -> None:
        now = time.monotonic()
        if now - self._looked >= TREE_SECONDS:
            self._looked = now
            self._processes = await asyncio.to_thread(descendants, os.getpid(), self._processes)
        if now - self._measured >= WORK_SECONDS:
            self._measured = now
            leased = await asyncio.to_thread(is_leased, self._leases, time.time())
            if self._work.look(now, self._processes) or leased:
                self._kernel.worked()
            await asyncio.to_thread(self._kernel.look_for_oom_kills)
        if self._limit is not None and self._limit.is_watched:
            used = await asyncio.to_thread(self._too_much)
            if used and self._kernel.end_process(pid, self._limit.exceeded(used)):
                await asyncio.to_thread(end_all, self._processes)

    def _too_much(self) -> int:
        """How many bytes the kernel uses, if it is more than it may; else 0."""
        assert self._memory is not None  # noqa: S101 - for the type checker
        pids = [process.pid for process in self._processes]
        resident = sum(map(resident_bytes, pids))
        now = time.monotonic()
        if not self._memory.is_suspicious(now, resident):
            return 0
        exact = sum(map(proportional_bytes, pids))
        return exact if self._memory.measured(now, resident, exact) else 0
