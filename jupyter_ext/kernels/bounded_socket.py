"""Websockets whose clients are told when a message is too long, and stay connected.

Tornado resets such a connection while the client is still sending, so that the client never reads
the close frame, and nobody learns why a cell does not run.

What is sent to many of them is in memory once, however many do not read it.
"""

from __future__ import annotations

import struct
import sys
from asyncio import Future
from typing import Any

from tornado.websocket import WebSocketHandler, WebSocketProtocol13

_HEAD_BYTES = 64 * 1024
"""How much is kept of a frame that is too long: the message's header is in it."""


_SHARED_BYTES = 2**16
"""From this length on a frame's data is not copied behind its header: its length takes 8 bytes
there."""


class _Kept(bytearray):
    """The frames of one message that have come so far, at most `limit` bytes of them."""

    def __init__(self, first: bytes, limit: int) -> None:
        super().__init__(first)
        self.size = len(first)
        self._limit = limit

    def extend(self, more: Any) -> None:
        self.size += len(more)
        super().extend(more[: max(0, self._limit - len(self))])


class _BoundedProtocol(WebSocketProtocol13):
    """Reads messages of any length, and keeps at most the socket's `longest_message` of one."""

    def __init__(self, socket: BoundedSocket, params: Any) -> None:
        self._socket = socket
        self._limit = socket.longest_message
        # Bytes that were dropped of frames of the present message, and that its frames had then.
        self._dropped = 0
        self._size = 0
        self._frames: _Kept | None = None
        # Otherwise Tornado resets the connection.
        params.max_message_size = sys.maxsize
        super().__init__(socket, False, params)

    @property
    def _fragmented_message_buffer(self) -> _Kept | None:
        return self._frames

    @_fragmented_message_buffer.setter
    def _fragmented_message_buffer(self, value: bytearray | None) -> None:
        self._size = 0 if self._frames is None else self._frames.size
        self._frames = None if value is None else _Kept(bytes(value), self._limit)

    def _write_frame(self, fin: bool, opcode: int, data: bytes, flags: int = 0) -> Future[None]:
        if len(data) < _SHARED_BYTES:
            return super()._write_frame(fin, opcode, data, flags)
        header = struct.pack("!BBQ", (self.FIN if fin else 0) | opcode | flags, 127, len(data))
        self._wire_bytes_out += len(header) + len(data)
        self.stream.write(header)
        return self.stream.write(data)

    async def _read_bytes(self, n: int) -> bytes:
        if n <= self._limit:
            return await super()._read_bytes(n)
        head = await super()._read_bytes(min(n, _HEAD_BYTES))
        left = n - len(head)
        self._dropped += left
        while left:
            left -= len(await self.stream.read_bytes(min(left, _HEAD_BYTES), partial=True))
        return head

    def _handle_message(self, opcode: int, data: bytes) -> Any:
        if opcode & 0x8:
            return super()._handle_message(opcode, data)
        size = max(self._size, len(data)) + self._dropped
        self._size = self._dropped = 0
        if size <= self._limit:
            return super()._handle_message(opcode, data)
        return self._run_callback(self._socket.on_too_long, data[:_HEAD_BYTES], size)


class BoundedSocket(WebSocketHandler):
    """Base of handlers with a limit for what clients send."""

    @property
    def longest_message(self) -> int:
        """Bytes of the longest message."""
        raise NotImplementedError

    def on_too_long(self, head: bytes, size: int) -> Any:
        """A message of `size` bytes came, which begins with `head`; the rest was dropped. As of
        `on_message`, the result may be awaited."""
        raise NotImplementedError

    def get_compression_options(self) -> None:
        """Never compressed, whatever the server's settings say: the limit counts the bytes of
        frames, and a short one could inflate to any length."""
        return

    def get_websocket_protocol(self) -> Any:
        stock: Any = super().get_websocket_protocol()
        return None if stock is None else _BoundedProtocol(self, stock.params)
