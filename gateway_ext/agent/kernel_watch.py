"""Looks at what the kernel's processes use: work that no message tells of, and memory."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time

from .kernel import Kernel
from .leases import is_leased, leases_folder
from .memory_limit import MemoryLimit, MemoryMeter
from .process_identity import started_at
from .process_tree import Process, ProcessTree, proportional_bytes, resident_bytes
from .start_document import StartDocument
from .work_meter import WorkMeter

_log = logging.getLogger("fleet.agent")

WORK_SECONDS = 5.0
"""How often work is measured."""
TREE_SECONDS = 1.0
MEMORY_SECONDS = 0.25
"""How often memory is looked at where no cgroup limits it."""


class KernelWatch:
    """Tells the kernel when it has worked, and ends it when it uses too much memory."""

    def __init__(self, document: StartDocument, kernel: Kernel, limit: MemoryLimit | None) -> None:
        self._kernel = kernel
        self._limit = limit
        self._leases = leases_folder(document.directory)
        self._tree = ProcessTree(document.kernel_id)
        self._work = WorkMeter()
        self._memory = MemoryMeter(limit.limit_bytes) if limit is not None else None
        self._looked = self._measured = float("-inf")

    async def run(self) -> None:
        """Looks until cancelled."""
        while True:
            pid = self._kernel.state.pid
            if pid is not None:
                try:
                    await self._look(pid)
                except Exception:
                    # Whatever /proc says here must not cost the kernel.
                    _log.exception("the kernel's processes cannot be looked at")
            watched = self._limit is not None and self._limit.is_watched
            await asyncio.sleep(MEMORY_SECONDS if watched else WORK_SECONDS)

    async def _look(self, pid: int) -> None:
        now = time.monotonic()
        if now - self._looked >= TREE_SECONDS:
            self._looked = now
            await asyncio.to_thread(self._tree.look, pid)
        if now - self._measured >= WORK_SECONDS:
            self._measured = now
            leased = await asyncio.to_thread(is_leased, self._leases, time.time())
            if self._work.look(now, self._tree.known) or leased:
                self._kernel.worked()
            await asyncio.to_thread(self._kernel.look_for_oom_kills)
        if self._limit is not None and self._limit.is_watched:
            used = await asyncio.to_thread(self._too_much)
            if used and self._kernel.end_process(pid, self._limit.exceeded(used)):
                await asyncio.to_thread(end_all, self._tree.known)

    def _too_much(self) -> int:
        """How many bytes the kernel uses, if it is more than it may; else 0."""
        assert self._memory is not None  # noqa: S101 - for the type checker
        pids = [process.pid for process in self._tree.known]
        resident = sum(map(resident_bytes, pids))
        now = time.monotonic()
        if not self._memory.is_suspicious(now, resident):
            return 0
        exact = sum(map(proportional_bytes, pids))
        return exact if self._memory.measured(now, resident, exact) else 0


def end_all(processes: list[Process]) -> None:
    """End processes, but none that got the number of one that has ended."""
    for process in processes:
        if started_at(process.pid) == process.started:
            with contextlib.suppress(OSError):
                os.kill(process.pid, signal.SIGKILL)
