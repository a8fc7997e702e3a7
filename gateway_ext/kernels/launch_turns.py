"""How many kernels start on this machine at the same time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class LaunchTurns:
    """Lets so many kernels start at once and the others after them, first come, first served.

    A start is work for a processor; more at once than there are processors to fill end none of
    them sooner, and leave the gateway but its fair share among all those processes: everybody who
    asks it for something would wait.
    """

    def __init__(self, at_once: int, longest_seconds: float) -> None:
        """A kernel that takes longer than `longest_seconds` makes nobody wait any more."""
        self._free = asyncio.Semaphore(at_once)
        self._longest_seconds = longest_seconds
        self._waiting = 0
        # Turns beyond `at_once`, which nobody gets after those who have them.
        self._extra = 0

    def open(self) -> None:
        """Everybody who waits now has a turn."""
        self._extra += self._waiting
        for _ in range(self._waiting):
            self._free.release()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits for a turn, which ends with the block."""
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        given_back = False

        def give_back() -> None:
            nonlocal given_back
            if not given_back:
                given_back = True
                if self._extra:
                    self._extra -= 1
                else:
                    self._free.release()

        timer = asyncio.get_running_loop().call_later(self._longest_seconds, give_back)
        try:
            yield
        finally:
            timer.cancel()
            give_back()
