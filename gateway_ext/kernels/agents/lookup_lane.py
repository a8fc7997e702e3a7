"""Limits database queries for callers that are not authenticated yet."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class LaneFull(Exception):
    """Too many queries are waiting already."""


class LookupLane:
    """Runs `at_once` look-ups at the same time and lets `waiting` more wait.

    Without it a flood of unknown callers would take all threads that the gateway has for its
    database, and kernels that people start or end would stand in one queue with it.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._room = at_once + waiting

    async def run(self, look_up: Callable[[], Awaitable[T]]) -> T:
        """What the look-up returns or raises; raises LaneFull."""
        if not self._room:
            raise LaneFull
        self._room -= 1
        try:
            async with self._turns:
                return await look_up()
        finally:
            self._room += 1
