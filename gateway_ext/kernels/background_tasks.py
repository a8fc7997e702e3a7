"""Tasks in the background."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any


class BackgroundTasks:
    """Tasks that nobody waits for; what one of them raises is logged."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs it in a new task."""
        self._begin(work)

    async def run(self, work: Coroutine[Any, Any, None], *, seconds: float) -> None:
        """Runs it, and waits so many seconds for it at most: it goes on after that."""
        await asyncio.wait({self._begin(work)}, timeout=seconds)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                self._log.error("work in the background failed", exc_info=error)

        task.add_done_callback(done)
        return task
