"""Threads that users share fairly: no user can occupy all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future as ThreadFuture
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from jupyter_ext.platform.fair_turns import FairTurns

T = TypeVar("T")


class FairThreads:
    """`threads` threads, of which one user has at most `of_one_user` at a time; see `FairTurns`."""

    def __init__(self, threads: int, of_one_user: int, thread_name_prefix: str) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=thread_name_prefix)
        self._turns: FairTurns[str | None] = FairTurns(threads, of_one_user)

    async def run(self, user: str | None, function: Callable[[], T]) -> T:
        """What the function returns or raises, called on a thread.

        If canceled while it waits, the function is not called. A function that already runs
        continues, and its user occupies the thread until it ends.
        """
        loop = asyncio.get_running_loop()
        await self._turns.take(user)
        try:
            running = self._executor.submit(function)
        except BaseException:
            self._turns.give_back(user)
            raise

        def ended(_: ThreadFuture[T]) -> None:
            try:
                loop.call_soon_threadsafe(self._turns.give_back, user)
            except RuntimeError:
                # The event loop has ended, and nobody waits any more.
                self._turns.give_back(user)

        running.add_done_callback(ended)
        return await asyncio.wrap_future(running)
