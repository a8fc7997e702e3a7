"""When a process that runs but does not answer is replaced."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

MISSES = 3
"""A process is replaced after this many checks in a row without an answer."""

MISSES_DURING_CHANGE = 6
"""The same while `up` changes the fleet: what it starts may take the processor from the others."""

CHECK_SECONDS = 4.0
"""How long a process has to answer one check."""

PAUSE_SECONDS = 2.0
"""Between two rounds of checks."""

LATE_SECONDS = 1.0
"""If the checker itself was delayed for longer, its round of checks does not count."""

_TICK = 0.2


def misses_after(
    misses: Mapping[str, int], answered: Mapping[str, bool], late_seconds: float
) -> dict[str, int]:
    """How many checks in a row each process has missed, after one more round.

    ``answered`` has every process that was asked; others are forgotten. A round in which the
    checker was late by more than `LATE_SECONDS` (the machine was suspended, or starved of
    processor time) adds no misses: those who did not answer may have waited for the same reason.
    """
    added = 0 if late_seconds > LATE_SECONDS else 1
    return {name: 0 if ok else misses.get(name, 0) + added for name, ok in answered.items()}


def to_replace(misses: Mapping[str, int], *, changing: bool) -> str | None:
    """The one process to replace now: the one with the most misses, the first of equals.

    While the fleet is being changed (``changing``), a process is replaced only after
    `MISSES_DURING_CHANGE` misses. It must be replaced even then, because `up` may be waiting for
    it.
    """
    worst = max(misses, key=lambda name: misses[name], default=None)
    if worst is None or misses[worst] < (MISSES_DURING_CHANGE if changing else MISSES):
        return None
    return worst


async def answers_at_all(url: str, seconds: float = CHECK_SECONDS) -> bool:
    """Whether the process at ``url`` responds to a request.

    An error response counts, and so does closing the connection, as nginx does when it has too
    many: a process that hangs does not close anything. Each check opens a new connection.
    """
    address = urlsplit(url)
    path = address.path or "/"
    request = f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n"
    writer = None
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            writer.write(request.encode())
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                await reader.readline()
            return True
    except (OSError, TimeoutError, ValueError):
        return False
    finally:
        if writer is not None:
            writer.transport.abort()


async def with_lateness(
    work: Callable[[], Awaitable[dict[str, bool]]],
) -> tuple[dict[str, bool], float]:
    """What ``work`` returns, and the longest delay of this process meanwhile, in seconds.

    Measured with the clock that goes on while the machine is suspended.
    """
    worst = 0.0

    async def watch() -> None:
        nonlocal worst
        while True:
            before = time.clock_gettime(time.CLOCK_BOOTTIME)
            try:
                await asyncio.sleep(_TICK)
            finally:
                worst = max(worst, time.clock_gettime(time.CLOCK_BOOTTIME) - before - _TICK)

    watching = asyncio.ensure_future(watch())
    try:
        found = await work()
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
    return found, worst
