"""Whether the gateway at the other end of a websocket still responds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, TypeVar

from tornado.iostream import IOStream, StreamClosedError
from tornado.websocket import WebSocketClientConnection, WebSocketError

from jupyter_ext.kernels.owner_socket import ConnectionEnd
from jupyter_ext.wire.socket_progress import bytes_received

T = TypeVar("T")


class SignsOfLife:
    """Reads the frames of a gateway, and detects that it no longer responds.

    While the reader is busy with a frame nothing is read, so then silence means nothing.
    """

    def __init__(
        self,
        connection: WebSocketClientConnection,
        wire: IOStream,
        owner: str,
        ping_seconds: float,
    ) -> None:
        self._connection = connection
        self._wire = wire
        self._owner = owner
        self._ping_seconds = ping_seconds
        self._reading = False
        self._heard = False
        self._arrived = 0
        connection.on_pong = self._on_pong  # type: ignore[method-assign]

    async def read(self) -> str | bytes | None:
        """The next frame; None when the connection has ended."""
        self._reading = True
        frame = await self._connection.read_message()
        self._reading = False
        self._heard = True
        return frame

    async def ping(self) -> None:
        """Wait for a sign of life, for `ping_seconds`; raises ConnectionEnd if there is none."""
        self._heard = False
        # A connection that has ended is the reader's to notice, after it has handed over what it
        # holds.
        with contextlib.suppress(StreamClosedError, WebSocketError):
            self._connection.ping()
        await asyncio.sleep(self._ping_seconds)
        before = self._arrived
        if not self._wire.closed():
            self._arrived = bytes_received(self._wire.socket)
        # A long message can take longer to arrive than the timeout for a silent peer.
        if not self._heard and self._reading and self._arrived == before:
            raise ConnectionEnd(f"{self._owner} is silent", at_once=True)

    async def during(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, during which the gateway must respond; raises ConnectionEnd."""
        working = asyncio.ensure_future(work)
        watching = asyncio.ensure_future(self._watch())
        try:
            await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                watching.result()
            return await working
        finally:
            working.cancel()
            watching.cancel()
            await asyncio.gather(working, watching, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await self.ping()

    def _on_pong(self, data: bytes) -> None:
        self._heard = True
