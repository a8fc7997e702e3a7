"""How many kernels start on this machine at the same time."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class LaunchTurns:
    """Lets so many kernels start at once and the others after them: the projects take turns, and
    within a project it is first come, first served. One project never has all turns.

    A start is work for a processor; more at once than there are processors to fill end none of
    them sooner, and leave the gateway but its fair share among all those processes: everybody who
    asks it for something would wait.
    """

    def __init__(self, at_once: int, longest_seconds: float) -> None:
        """A kernel that takes longer than `longest_seconds` makes nobody wait any more."""
        # Below zero after `open`.
        self._free = at_once
        self._most_of_one = max(1, at_once - 1)
        self._longest_seconds = longest_seconds
        self._held: Counter[str] = Counter()
        # The project whose turn is next comes first.
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    def open(self) -> None:
        """Everybody who waits now has a turn."""
        while self._waiting:
            self._give(next(iter(self._waiting)))

    @asynccontextmanager
    async def turn(self, project: str) -> AsyncIterator[None]:
        """Waits for a turn, which ends with the block."""
        await self._wait(project)
        given_back = False

        def give_back() -> None:
            nonlocal given_back
            if not given_back:
                given_back = True
                self._take_back(project)

        timer = asyncio.get_running_loop().call_later(self._longest_seconds, give_back)
        try:
            yield
        finally:
            timer.cancel()
            give_back()

    async def _wait(self, project: str) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(project, deque()).append(waiter)
        self._give_free()
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                self._remove(project, waiter)
            else:
                self._take_back(project)
            raise

    def _give_free(self) -> None:
        while self._free > 0:
            projects = (one for one in self._waiting if self._held[one] < self._most_of_one)
            project = next(projects, None)
            if project is None:
                return
            self._give(project)

    def _give(self, project: str) -> None:
        """A turn for whoever of the project has waited longest; its others wait behind the other
        projects."""
        waiters = self._waiting.pop(project)
        waiter = waiters.popleft()
        if waiters:
            self._waiting[project] = waiters
        if not waiter.done():
            self._free -= 1
            self._held[project] += 1
            waiter.set_result(None)

    def _take_back(self, project: str) -> None:
        self._free += 1
        self._held[project] -= 1
        if not self._held[project]:
            del self._held[project]
        self._give_free()

    def _remove(self, project: str, waiter: "asyncio.Future[None]") -> None:
        waiters = self._waiting.get(project)
        # Whoever gave turns meanwhile has taken it out already.
        if waiters is not None and waiter in waiters:
            waiters.remove(waiter)
            if not waiters:
                del self._waiting[project]
