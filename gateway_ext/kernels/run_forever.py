"""Periodic jobs of a gateway."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from jupyter_ext.database.engine import DatabaseUnavailable


def run_forever(
    job: Callable[[], Any], seconds: float, log: logging.Logger, name: str
) -> "asyncio.Task[None]":
    """A task that awaits `job()` every `seconds`, whatever it raises."""

    async def loop() -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await job()
            except DatabaseUnavailable:
                # The membership says it in the log.
                continue
            except Exception:
                log.exception("%s failed", name)

    return asyncio.ensure_future(loop())
