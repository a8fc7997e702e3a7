"""Work that must not be abandoned in the middle."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def uncut(work: Awaitable[T]) -> T:
    """Awaits `work` to its end, also if the caller is canceled meanwhile, which is raised then: a
    process or an object that is just being made must be known before it can be removed."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            await asyncio.wait({task})
        if not task.cancelled():
            # Seen: nobody else is interested.
            task.exception()
        raise
