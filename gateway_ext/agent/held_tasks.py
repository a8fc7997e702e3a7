"""Tasks that nobody else holds."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class HeldTasks:
    """Keeps a reference to each task until it is done, as asyncio's event loop does not."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
