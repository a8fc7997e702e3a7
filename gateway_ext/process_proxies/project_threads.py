"""Threads for blocking work, separate for each project."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class _Pool:
    def __init__(self, threads: int, name: str) -> None:
        self.executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self.unfinished = 0


class ProjectThreads:
    """Runs blocking work in at most `threads` threads for each project.

    Processes run under a project's user ID, and its code can freeze them, so that waiting for them
    blocks a thread. Other projects must not need that thread. A project without work has none.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._threads = threads
        self._name = name
        # Work ends in its thread, so the pools are not the event loop's alone.
        self._lock = threading.Lock()
        self._pools: dict[str, _Pool] = {}

    async def run(self, project: str, work: Callable[[], T]) -> T:
        """What `work` returns or raises."""
        with self._lock:
            pool = self._pools.get(project)
            if pool is None:
                pool = self._pools[project] = _Pool(self._threads, self._name)
            pool.unfinished += 1
            future = pool.executor.submit(work)
        future.add_done_callback(lambda done: self._finished(project, pool, done))
        return await asyncio.wrap_future(future)

    def _finished(self, project: str, pool: _Pool, future: "Future[T]") -> None:
        with self._lock:
            pool.unfinished -= 1
            if not pool.unfinished:
                del self._pools[project]
                pool.executor.shutdown(wait=False)
