"""Calls to a cluster: off the event loop, so many at once, each for so long."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class ClusterSilent(Exception):
    """The cluster gave no answer, or one that says nothing of what was asked: whether a change was
    made is not known, and nothing may be concluded."""


class ClusterRefused(Exception):
    """The cluster will not do it; the text is the cluster's own. `status` is HTTP's, `reason` the
    cluster's word for programs."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class ClusterCalls:
    """Runs blocking calls in at most `threads` threads.

    A call that takes longer than `seconds`, the wait for a thread included, is given up: it then
    ends by its own time-out, and holds its thread until then.
    """

    def __init__(self, threads: int, seconds: float, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._seconds = seconds

    async def run(self, call: Callable[[], T]) -> T:
        """What `call` returns or raises; raises ClusterSilent if it takes too long."""
        future = asyncio.get_running_loop().run_in_executor(self._pool, call)
        try:
            return await asyncio.wait_for(future, self._seconds)
        except TimeoutError:
            raise ClusterSilent(f"no answer within {self._seconds:g} s") from None
