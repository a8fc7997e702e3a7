"""How many kernels start on this machine at the same time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from jupyter_ext.platform.fair_turns import FairTurns


class LaunchTurns:
    """Lets so many kernels start at once and the others after them: the projects take turns, and
    within a project it is first come, first served. One project never has all turns.

    A start is work for a processor; more at once than there are processors to fill end none of
    them sooner, and leave the gateway but its fair share among all those processes: everybody who
    asks it for something would wait.
    """

    def __init__(self, at_once: int, longest_seconds: float) -> None:
        """A kernel that takes longer than `longest_seconds` makes nobody wait any more."""
        self._turns: FairTurns[str] = FairTurns(at_once, max(1, at_once - 1))
        self._longest_seconds = longest_seconds

    def open(self) -> None:
        """Everybody who waits now has a turn."""
        self._turns.open()

    @asynccontextmanager
    async def turn(self, project: str) -> AsyncIterator[None]:
        """Waits for a turn, which ends with the block."""
        await self._turns.take(project)
        given_back = False

        def give_back() -> None:
            nonlocal given_back
            if not given_back:
                given_back = True
                self._turns.give_back(project)

        timer = asyncio.get_running_loop().call_later(self._longest_seconds, give_back)
        try:
            yield
        finally:
            timer.cancel()
            give_back()
