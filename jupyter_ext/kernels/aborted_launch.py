"""Interrupts of a kernel that does not run yet."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from jupyter_ext.kernels.stream import KernelStream
from jupyter_ext.wire.launch_messages import aborted_replies, survives_interrupt
from jupyter_ext.wire.messages import MessageError


async def abort_waiting(
    stream: KernelStream,
    session: str,
    to_client: Callable[[bytes], Awaitable[None]],
    log: logging.Logger,
) -> None:
    """Answer what waits in `stream` for the kernel as a kernel does that is interrupted.

    `session` is the sender of the answers, which go through `to_client`.
    """
    for message in stream.drop_unacknowledged():
        try:
            if survives_interrupt(message):
                stream.send(message)
                continue
            answers = aborted_replies(session, message)
        except MessageError as error:
            log.info("dropped a message that cannot be answered: %s", error)
            continue
        for answer in answers:
            await to_client(answer)
        # There may be hundreds of thousands; everybody else gets a turn between two of them.
        await asyncio.sleep(0)
