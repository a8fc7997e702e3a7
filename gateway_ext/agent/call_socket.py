"""The Unix socket on which the kernel's code calls the fleet.

It is the agent's, and stays while kernels are restarted. Only the kernel's user can connect.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from .call_connection import CallConnection
from .call_lines import Call
from .kernel_folder import clear
from .pace import Pace

_log = logging.getLogger("fleet.agent")

MOST_CONNECTIONS = 64
"""More than a kernel's calls at once, so that some are always idle."""
_BACKLOG = 128
_BYTES_PER_SECOND = 2**20
"""Parsing a MiB of the worst JSON takes a sixth of a second."""
_CONNECTION_COST = 1024
"""Accepting a connection takes about as long as parsing this many bytes."""
_ACCEPT_AGAIN_SECONDS = 0.5
"""After this time there may be a free file descriptor again."""
_TOO_MANY = (
    429,
    f"at most {MOST_CONNECTIONS} connections of a kernel to its agent can be open: try again",
)


class CallSocket:
    """Accepts the connections of one kernel's code and serves them."""

    def __init__(self, path: Path, call: Callable[[Call], Awaitable[dict[str, Any]]]) -> None:
        """`call` answers a call, and never raises."""
        self.path = path
        self._call = call
        self._pace = Pace(_BYTES_PER_SECOND, _BYTES_PER_SECOND)
        self._listener: socket.socket | None = None
        self._file: tuple[int, int] | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._connections: dict[CallConnection, asyncio.Task[None]] = {}

    async def open(self) -> None:
        """Begin to accept; raises OSError."""
        self._listener = await asyncio.to_thread(_listen, self.path)
        self._file = _file_at(self.path)
        self._accepting = asyncio.create_task(self._accept(self._listener))

    async def renew(self) -> Path | None:
        """Accept again if the kernel's code has removed or replaced the socket's file. Connections
        that are open stay. Returns the path, None if it is impossible to listen there."""
        if self._file is None or _file_at(self.path) != self._file:
            await self._stop_accepting()
            try:
                await self.open()
            except OSError as error:
                _log.warning("the kernel cannot call the fleet any more: %s", error)
                return None
        return self.path

    async def close(self) -> None:
        """End all connections, and accept no more."""
        tasks = list(self._connections.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, self._stop_accepting(), return_exceptions=True)

    async def _stop_accepting(self) -> None:
        accepting, self._accepting = self._accepting, None
        if accepting is not None:
            accepting.cancel()
            await asyncio.wait({accepting})
        if self._listener is not None:
            self._listener.close()
            self._listener = self._file = None

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connected, _ = await loop.sock_accept(listener)
            except OSError as error:
                _log.warning("a connection of the kernel was not accepted: %s", error)
                await asyncio.sleep(_ACCEPT_AGAIN_SECONDS)
                continue
            self._serve(connected)
            await self._turn(_CONNECTION_COST)

    def _serve(self, connected: socket.socket) -> None:
        connection = CallConnection(connected, self._call, self._turn)
        if len(self._connections) >= MOST_CONNECTIONS:
            idle = [each for each in self._connections if each.is_idle]
            if not idle:
                connection.drop(*_TOO_MANY)
                connected.close()
                return
            longest = min(idle, key=lambda each: each.active)
            longest.drop(*_TOO_MANY)
            # It is still there until its task has noticed.
            self._connections[longest].cancel()
            del self._connections[longest]
        task = asyncio.create_task(connection.serve())
        self._connections[connection] = task
        task.add_done_callback(lambda done: self._served(connection, done))

    def _served(self, connection: CallConnection, done: asyncio.Task[None]) -> None:
        self._connections.pop(connection, None)
        if not done.cancelled() and (error := done.exception()) is not None:
            _log.error("a connection of the kernel failed", exc_info=error)

    async def _turn(self, cost: float) -> None:
        # Also without a wait, everything else gets a turn.
        await asyncio.sleep(self._pace.wait(cost, time.monotonic()))


def _file_at(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _listen(path: Path) -> socket.socket:
    clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
