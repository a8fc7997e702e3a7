"""Threads that several users share, none of whom can take them all."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future as ThreadFuture
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class FairThreads:
    """`threads` threads, of which one user has at most `of_one_user` at a time.

    Whoever finds none free waits; a free one goes to the users in turn, each of whom has a queue.
    To be used from one event loop at a time.
    """

    def __init__(self, threads: int, of_one_user: int, thread_name_prefix: str) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=thread_name_prefix)
        self._free = threads
        self._of_one_user = of_one_user
        self._held: Counter[str | None] = Counter()
        # In the order of their turns. A user who waits for nothing is not in it.
        self._waiting: dict[str | None, deque[asyncio.Future[None]]] = {}

    async def run(self, user: str | None, function: Callable[[], T]) -> T:
        """What the function returns or raises, called on a thread.

        Cancelled while it waits, it is not called; a function that runs goes on, and its user holds
        the thread until it ends.
        """
        loop = asyncio.get_running_loop()
        await self._place(user)
        try:
            running = self._executor.submit(function)
        except BaseException:
            self._release(user)
            raise

        def ended(_: ThreadFuture[T]) -> None:
            try:
                loop.call_soon_threadsafe(self._release, user)
            except RuntimeError:
                # The event loop has ended, and nobody waits any more.
                self._release(user)

        running.add_done_callback(ended)
        return await asyncio.wrap_future(running)

    async def _place(self, user: str | None) -> None:
        """Wait for a thread that the user may have, and take it."""
        if self._may_have(user):
            self._take(user)
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(user, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                # It came at the same moment.
                self._release(user)
            raise

    def _may_have(self, user: str | None) -> bool:
        return self._free > 0 and self._held[user] < self._of_one_user

    def _take(self, user: str | None) -> None:
        self._free -= 1
        self._held[user] += 1

    def _release(self, user: str | None) -> None:
        self._free += 1
        self._held[user] -= 1
        if not self._held[user]:
            del self._held[user]
        for waiting in list(self._waiting):
            if self._may_have(waiting):
                self._give(waiting)

    def _give(self, user: str | None) -> None:
        """Let the first of the user's queue have a thread that is free."""
        queue = self._waiting.pop(user)
        while queue:
            turn = queue.popleft()
            if turn.cancelled():
                continue
            self._take(user)
            turn.set_result(None)
            break
        if queue:
            # At the end: the others have their turns first.
            self._waiting[user] = queue
