"""An event loop for tests of time: it skips the time in which nothing happens."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Skipping(selectors.DefaultSelector):
    """Waits for nothing: when no file is ready, the time until the next timer is over at once."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0 if timeout is not None else None)
        if not ready and timeout is not None:
            self.skipped += timeout
        return ready


class SkippedTimeLoop(asyncio.SelectorEventLoop):
    """Its clock stands still while anything can run, however slow the machine is.

    `asyncio.sleep(1)` therefore returns once everything else waits for something later. Only for
    code that waits for the loop alone: what threads, processes and sockets do takes no time here.
    """

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.skipped


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on such a loop."""
    with asyncio.Runner(loop_factory=SkippedTimeLoop) as runner:
        return runner.run(main)
