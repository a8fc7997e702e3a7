"""A semaphore that users or projects share fairly: none of them can hold all turns."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class FairTurns(Generic[Key]):
    """`at_once` turns, of which each key (a user, a project) holds at most `of_one` at a time.

    If none is free, the caller waits in its key's queue; free turns go to the keys round-robin.
    Use it from one event loop at a time.
    """

    def __init__(self, at_once: int, of_one: int) -> None:
        # Below zero after `open`.
        self._free = at_once
        self._of_one = of_one
        self._held: Counter[Key] = Counter()
        # The key whose turn is next comes first. Keys without waiters are not in it.
        self._waiting: dict[Key, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def turn(self, key: Key) -> AsyncIterator[None]:
        """Wait for a turn and hold it for the `with` block."""
        await self.take(key)
        try:
            yield
        finally:
            self.give_back(key)

    async def take(self, key: Key) -> None:
        """Wait for a turn and hold it until `give_back`; if canceled, no turn is held."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(waiter)
        self._give_free()
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                self._remove(key, waiter)
            else:
                # The turn was given at the moment of the cancellation.
                self.give_back(key)
            raise

    def give_back(self, key: Key) -> None:
        """End a turn that was taken."""
        self._free += 1
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]
        self._give_free()

    def waiting(self, key: Key) -> int:
        """How many callers with this key wait."""
        return len(self._waiting.get(key, ()))

    def keys(self) -> list[Key]:
        """The keys with callers that wait, in the order of their turns."""
        return list(self._waiting)

    def open(self) -> None:
        """Give a turn to everybody who is waiting now."""
        while self._waiting:
            self._give(next(iter(self._waiting)))

    def _give_free(self) -> None:
        while self._free > 0:
            keys = (one for one in self._waiting if self._held[one] < self._of_one)
            key = next(keys, None)
            if key is None:
                return
            self._give(key)

    def _give(self, key: Key) -> None:
        """Give a turn to the key's longest waiter; the key then goes to the end of the line."""
        waiters = self._waiting.pop(key)
        waiter = waiters.popleft()
        if waiters:
            self._waiting[key] = waiters
        if not waiter.done():
            self._free -= 1
            self._held[key] += 1
            waiter.set_result(None)

    def _remove(self, key: Key, waiter: asyncio.Future[None]) -> None:
        waiters = self._waiting.get(key)
        # Whoever gave turns meanwhile has taken it out already.
        if waiters is not None and waiter in waiters:
            waiters.remove(waiter)
            if not waiters:
                del self._waiting[key]
