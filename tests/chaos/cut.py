"""A network that can be cut: a relay of TCP in front of a server, which goes silent on demand.

What was under way when it was cut arrives when it is mended, as after a real partition: that is
when an owner that has been replaced speaks again.
"""

import asyncio
import contextlib
import threading

CHUNK = 256 * 1024


class Network:
    """An event loop of its own for all relays, so that nothing else slows them down."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def relay(self, port: int, target: int) -> "Relay":
        """Listens on `port` of 127.0.0.1 for the server on `target`."""
        relay = Relay(port, target)
        asyncio.run_coroutine_threadsafe(relay.listen(), self.loop).result(10)
        return relay

    def cut(self, relay: "Relay") -> None:
        """From now on nothing comes through, and nobody is told."""
        self.loop.call_soon_threadsafe(relay.open.clear)

    def mend(self, relay: "Relay") -> None:
        """Everything goes on where it stood."""
        self.loop.call_soon_threadsafe(relay.open.set)

    def stop(self) -> None:
        """Ends all relays."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)


class Relay:
    """One server's only way to the world."""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self._target = target
        self.open = asyncio.Event()
        self.open.set()

    async def listen(self) -> None:
        """Begins to listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.open.wait()
        try:
            there = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        ways = (self._carry(reader, there[1]), self._carry(there[0], writer))
        await asyncio.gather(*ways)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self.open.wait()
                writer.write(data)
                await writer.drain()
        # Closed while it was cut: the other end learns of it when the network is back.
        await self.open.wait()
        writer.close()
