"""Limits how many kernels start on this machine at the same time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from jupyter_ext.platform.fair_turns import FairTurns


class LaunchTurns:
    """Lets a limited number of kernels start at a time. The projects take turns, and within a
    project the order is first come, first served. One project never has all turns.

    A start keeps a processor busy. More starts than the processors can handle would finish no
    sooner, and would delay the gateway's responses to all other requests.
    """

    def __init__(self, at_once: int, longest_seconds: float) -> None:
        """A kernel that takes longer than `longest_seconds` no longer blocks others."""
        self._turns: FairTurns[str] = FairTurns(at_once, max(1, at_once - 1))
        self._longest_seconds = longest_seconds

    def open(self) -> None:
        """Give a turn to everybody who waits now."""
        self._turns.open()

    @asynccontextmanager
    async def turn(self, project: str) -> AsyncIterator[None]:
        """Waits for a turn and holds it for the `with` block."""
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
