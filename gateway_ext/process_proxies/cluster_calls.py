"""Calls to a cluster: on threads, limited in number and time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class ClusterSilent(Exception):
    """The cluster gave no usable response, and nothing may be concluded of what there is. A
    requested change may or may not have been made, unless it is `unmade`: then it certainly was
    not, because the call was not let in, or never reached the cluster. The text is for operators;
    users are told `words`, without addresses and texts of libraries."""

    def __init__(self, message: str, *, unmade: bool = False, words: str = "") -> None:
        super().__init__(message)
        self.unmade = unmade
        self.words = words or message


class CredentialsRefused(ClusterSilent):
    """The cluster does not know who calls."""

    def __init__(self, message: str) -> None:
        super().__init__(message, unmade=True)


class ClusterRefused(Exception):
    """The cluster refuses; the text is the cluster's own. `status` is the HTTP status, `reason` the
    cluster's machine-readable reason."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class NoCluster(ClusterRefused):
    """The gateway has no such cluster; the text says how it gets one."""

    def __init__(self, message: str) -> None:
        super().__init__(0, "NoCluster", message)


class ClusterCalls:
    """Runs blocking calls in at most `threads` threads.

    A call that takes longer than `seconds`, including the wait for a thread, is abandoned: it
    occupies its thread until its own timeout. If the caller is canceled, a call that has begun is
    waited for: what it makes could not be found and removed before its end.
    """

    def __init__(self, threads: int, seconds: float, name: str, who: str) -> None:
        """`name` is that of the threads, `who` is called, in the words of an error."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._seconds = seconds
        self._who = who

    async def run(self, call: Callable[[], T]) -> T:
        """What `call` returns or raises; raises ClusterSilent if it takes too long."""
        begun = self._pool.submit(call)
        answer = asyncio.wrap_future(begun)
        answer.add_done_callback(_look_at)
        try:
            done, _ = await asyncio.wait({answer}, timeout=self._seconds)
        except asyncio.CancelledError:
            if not begun.cancel():
                await asyncio.wait({answer}, timeout=self._seconds)
            raise
        if not done:
            answer.cancel()
            raise ClusterSilent(
                f"{self._who} does not answer within {self._seconds:g} s",
                words=f"{self._who} does not answer",
            )
        return answer.result()


def _look_at(answer: "asyncio.Future[T]") -> None:
    # The caller may have been canceled, or have given up waiting.
    if not answer.cancelled():
        answer.exception()
