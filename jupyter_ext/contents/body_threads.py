"""Threads for work on bodies that would hold the event loop: JSON, hashes, base64, signatures."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

from jupyter_ext.auth.user import current_identity
from jupyter_ext.platform.fair_threads import FairThreads

T = TypeVar("T")

THREADS = 4
THREADS_OF_ONE_USER = 2
SMALL_BODY = 256 * 1024
"""Bytes of a body that has threads of its own: work on it ends soon, and several users with costly
notebooks may have all other threads for a minute."""

request_bytes: ContextVar[int | None] = ContextVar("request_bytes", default=None)
"""The size of the body of the request that is being answered, if that is known."""


class BodyThreads:
    """Two pools: big bodies do not hold up small ones."""

    def __init__(self) -> None:
        self._big = FairThreads(THREADS, THREADS_OF_ONE_USER, thread_name_prefix="fleet-body")
        self._small = FairThreads(
            THREADS, THREADS_OF_ONE_USER, thread_name_prefix="fleet-small-body"
        )

    async def run(self, function: Callable[[], T], size: int | None) -> T:
        """Runs work on a body of `size` bytes (None if unknown) on a thread.

        Callers take turns, however much one of them wants. Cancelled, it does not begin.
        """
        identity = current_identity()
        whose = None if identity is None else identity.user
        small = size is not None and size <= SMALL_BODY
        return await (self._small if small else self._big).run(whose, function)
