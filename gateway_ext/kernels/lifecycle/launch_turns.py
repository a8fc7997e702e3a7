"""Limits how many kernels start on this machine at the same time."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import zip_longest

from jupyter_ext.platform.fair_turns import FairTurns


def places(line: Mapping[str, Sequence[str]], order: Sequence[str]) -> dict[str, int]:
    """In which place each kernel gets its turn, if the projects take turns in this order; `line`
    has the kernels of each project, first come first. Kernels of other projects have no place."""
    rounds = zip_longest(*(line.get(project, ()) for project in order))
    waiting = [kernel_id for turn in rounds for kernel_id in turn if kernel_id is not None]
    return {kernel_id: place for place, kernel_id in enumerate(waiting, 1)}


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
        self._line: dict[str, list[str]] = {}

    def places(self) -> dict[str, int]:
        """The place in the line of each kernel that waits, 1 for the next."""
        return places(self._line, self._turns.keys())

    def open(self) -> None:
        """Give a turn to everybody who waits now."""
        self._turns.open()

    @asynccontextmanager
    async def turn(self, project: str, kernel_id: str) -> AsyncIterator[None]:
        """Waits for a turn and holds it for the `with` block."""
        line = self._line.setdefault(project, [])
        line.append(kernel_id)
        try:
            await self._turns.take(project)
        finally:
            line.remove(kernel_id)
            if not line:
                self._line.pop(project, None)
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
