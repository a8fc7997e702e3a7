"""One connection of the kernel's code to the agent's socket: calls come in, answers go out.

The code at the other end may be hostile. It can keep a connection busy, but not make it use more
than a few lines of memory, and not take more of the agent's time than `pace` allows.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

from .call_lines import AT_ONCE, LONGEST_LINE, BadLine, Call, answer_line, failed, parse_call

_SEND_SECONDS = 30.0
"""How long the other end may take to receive an answer."""
_READ_COST = _LINE_COST = 512
"""What reading and parsing cost beside the bytes: a short line takes as long as this many bytes of
a long one."""

_TOO_LONG = answer_line(None, failed(413, f"a line may have at most {LONGEST_LINE} bytes"))


class CallConnection:
    """Reads calls and writes their answers, in any order, until the other end has closed."""

    def __init__(
        self,
        connected: socket.socket,
        call: Callable[[Call], Awaitable[dict[str, Any]]],
        pace: Callable[[float], Awaitable[None]],
    ) -> None:
        """`connected` must not block; `call` answers, `pace` waits for the turn of work of so many
        bytes."""
        self._socket = connected
        self._call = call
        self._pace = pace
        self._answering: set[asyncio.Task[None]] = set()
        self._writing = asyncio.Lock()
        self._reading = False
        self._ended = False
        self.active = time.monotonic()
        """When something last arrived."""

    @property
    def is_idle(self) -> bool:
        """Whether it waits for the other end, and has nothing to answer."""
        return self._reading and not self._answering

    async def serve(self) -> None:
        """Answer until the other end has closed or does not read its answers; closes the socket."""
        try:
            await self._read_lines()
            # The other end may have closed only its writing side.
            while self._answering:
                await asyncio.wait(self._answering)
        finally:
            for task in self._answering:
                task.cancel()
            self._socket.close()

    def drop(self, status: int, message: str) -> None:
        """End an idle connection, and say why."""
        with contextlib.suppress(OSError):
            self._socket.send(answer_line(None, failed(status, message)))
        self._end()

    def _end(self) -> None:
        # `serve` then reads the end, and closes it.
        self._ended = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    async def _read_lines(self) -> None:
        begun = b""
        too_long = False
        while piece := await self._read():
            await self._pace(_READ_COST + len(piece))
            # One line after the other: together, short lines would take many times the bytes.
            text, start = begun + piece, 0
            while (end := text.find(b"\n", start)) >= 0:
                line, start = text[start:end], end + 1
                if too_long:
                    # The last part of a line that was rejected.
                    too_long = False
                    continue
                await self._pace(_LINE_COST)
                await self._handle(line)
            begun = text[start:]
            if too_long or len(begun) > LONGEST_LINE:
                if not too_long:
                    await self._send(_TOO_LONG)
                too_long, begun = True, b""
        if not (too_long or self._ended):
            # The last line may lack its end.
            await self._pace(_LINE_COST)
            await self._handle(begun)

    async def _read(self) -> bytes:
        self._reading = True
        try:
            loop = asyncio.get_running_loop()
            return await loop.sock_recv(self._socket, LONGEST_LINE)
        except OSError:
            # What has begun is no line.
            self._ended = True
            return b""
        finally:
            self._reading = False
            self.active = time.monotonic()

    async def _handle(self, line: bytes) -> None:
        if len(line) > LONGEST_LINE:
            await self._send(_TOO_LONG)
            return
        if not line.strip():
            return
        try:
            call = parse_call(line)
        except BadLine as error:
            await self._send(answer_line(error.number, failed(400, str(error))))
            return
        while len(self._answering) >= AT_ONCE:
            await asyncio.wait(self._answering, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.create_task(self._answer(call))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, call: Call) -> None:
        answer = await self._call(call)
        await self._send(answer_line(call.number, answer))

    async def _send(self, line: bytes) -> None:
        loop = asyncio.get_running_loop()
        async with self._writing:
            try:
                await asyncio.wait_for(loop.sock_sendall(self._socket, line), _SEND_SECONDS)
            except (OSError, TimeoutError):
                self._end()
