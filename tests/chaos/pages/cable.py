"""The network between a browser and a server, which can be cut."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

from tests.servers.ports import free_ports

CHUNK = 64 * 1024


class Cable:
    """Passes every connection to `address` on to `port` of this machine, from a thread of its own.

    Cut silently, it passes nothing and tells nobody, as a network does that is away; cut loudly, it
    closes what is open and refuses what comes.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        (self.port,) = free_ports(1)
        self.address = f"http://127.0.0.1:{self.port}"
        self._open: set[asyncio.StreamWriter] = set()
        self._refusing = False
        ready = threading.Event()

        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            self._passing = asyncio.Event()
            self._passing.set()
            self._ended = asyncio.Event()
            server = await asyncio.start_server(self._connect, "127.0.0.1", self.port)
            ready.set()
            async with server:
                await self._ended.wait()
                self._close_all()

        self._thread = threading.Thread(target=asyncio.run, args=(serve(),))
        self._thread.start()
        ready.wait()

    async def _connect(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        if self._refusing:
            answers.transport.abort()
            return
        try:
            server, calls = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            answers.transport.abort()
            return
        writers = {answers, calls}
        self._open |= writers
        if self._refusing:
            # It was cut while this one connected.
            self._close_all()
        await asyncio.gather(self._copy(client, calls), self._copy(server, answers))
        self._open -= writers

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(CHUNK):
                await self._passing.wait()
                target.write(data)
                await target.drain()
        await self._passing.wait()
        with suppress(OSError):
            target.close()

    def _close_all(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    def cut(self, *, silently: bool) -> None:
        """From now on nothing comes through."""

        def cut() -> None:
            if silently:
                self._passing.clear()
            else:
                self._refusing = True
                self._close_all()

        self._call(cut)

    def restore(self) -> None:
        """Everything comes through again; what waited in a silent cut, too."""

        def restore() -> None:
            self._refusing = False
            self._passing.set()

        self._call(restore)

    def _call(self, act: Callable[[], None]) -> None:
        """Returns when it is done: what is sent after a cut must not come through."""

        async def call() -> None:
            act()

        asyncio.run_coroutine_threadsafe(call(), self._loop).result()

    def stop(self) -> None:
        """Closes everything."""
        self.restore()
        self._call(self._ended.set)
        self._thread.join()
