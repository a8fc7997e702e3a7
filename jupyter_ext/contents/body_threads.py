"""Threads for work on bodies that would block the event loop: JSON, hashes, base64, signatures."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

from jupyter_ext.auth.user import current_identity
from jupyter_ext.platform.fair_threads import FairThreads

T = TypeVar("T")

THREADS = 4
THREADS_OF_ONE_USER = 2
SMALL_BODY = 256 * 1024
"""Bodies of up to this many bytes have their own threads: they are quick, and must not wait while
several users with large notebooks occupy the other threads for a minute."""

request_bytes: ContextVar[int | None] = ContextVar("request_bytes", default=None)
"""The size of the current request's body in bytes, None if unknown."""


class BodyThreads:
    """Two pools, so that big bodies do not delay small ones."""

    def __init__(self) -> None:
        self._big = FairThreads(THREADS, THREADS_OF_ONE_USER, thread_name_prefix="fleet-body")
        self._small = FairThreads(
            THREADS, THREADS_OF_ONE_USER, thread_name_prefix="fleet-small-body"
        )

    async def run(self, function: Callable[[], T], size: int | None) -> T:
        """Runs work on a body of `size` bytes (None if unknown) on a thread.

        Users take turns, however much one of them requests. Work that is canceled while it waits
        does not start.
        """
        identity = current_identity()
        whose = None if identity is None else identity.user
        small = size is not None and size <= SMALL_BODY
        return await (self._small if small else self._big).run(whose, function)
