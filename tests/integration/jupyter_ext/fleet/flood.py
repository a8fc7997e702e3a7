"""`python -m tests.integration.jupyter_ext.fleet.flood PORT SECONDS [HEADER]`: floods a front as
somebody who is not signed in, perhaps with a header that says otherwise, and prints how much of it
there was."""

import asyncio
import contextlib
import json
import resource
import sys
import time
from collections import Counter

SOCKETS = 6_000
HALVES = 2_000
SENDERS = 8
BODY_BYTES = 60_000_000
_AT_ONCE = 200
ADDRESS = "127.0.0.2"
"""Where it comes from: not where those work who are signed in."""

_HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{says}\r\n"
)
_PATHS = (
    "/api/kernels/0b0f3c8e-9d3f-4f3e-8c0e-0d3b1f8f3c11/channels",
    "/api/events/subscribe",
    "/api/fleet/agents/0b0f3c8e-9d3f-4f3e-8c0e-0d3b1f8f3c11",
)
_HALVES = (
    "",
    "GET /api HTTP/1.1\r\nHost: x\r\n{says}X-Long: ",
    "POST /api/sessions HTTP/1.1\r\nHost: x\r\n{says}Content-Length: 100\r\n\r\n{{",
)


class Flood:
    """Sockets, half-sent requests and long bodies, until the time is over."""

    def __init__(self, port: int, seconds: float, header: str = "") -> None:
        self._port = port
        self._says = f"{header}\r\n" if header else ""
        self._end = time.monotonic() + seconds
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self.counts: Counter[str] = Counter()
        self._open: list[asyncio.StreamWriter] = []

    @property
    def _goes_on(self) -> bool:
        return time.monotonic() < self._end

    async def run(self) -> None:
        """Ends with the time."""
        sockets = (self._socket(_PATHS[number % len(_PATHS)]) for number in range(SOCKETS))
        half = [one.format(says=self._says).encode() for one in _HALVES]
        halves = (self._half(half[number % len(half)]) for number in range(HALVES))
        bodies = (self._bodies() for _ in range(SENDERS))
        await asyncio.gather(*sockets, *halves, *bodies)

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with self._at_once:
            return await asyncio.open_connection("127.0.0.1", self._port, local_addr=(ADDRESS, 0))

    async def _until_closed(self, reader: asyncio.StreamReader) -> bytes:
        """What comes first; returns when the connection was closed, or the time is over."""
        first = b""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(max(0.0, self._end - time.monotonic())):
                while part := await reader.read(4096):
                    first = first or part
        return first

    async def _socket(self, path: str) -> None:
        """Dials once, and stays as long as it may."""
        with contextlib.suppress(OSError):
            reader, writer = await self._connected()
            shaken = _HANDSHAKE.format(path=path, port=self._port, says=self._says)
            writer.write(shaken.encode())
            first = await self._until_closed(reader)
            self.counts["socket " + (first[9:12].decode() or "closed")] += 1
            writer.close()

    async def _half(self, sent: bytes) -> None:
        """Sends half a request again and again."""
        while self._goes_on:
            with contextlib.suppress(OSError):
                reader, writer = await self._connected()
                writer.write(sent)
                self.counts["half"] += 1
                await self._until_closed(reader)
                writer.close()

    async def _bodies(self) -> None:
        """Sends long bodies one after the other, as much as is taken."""
        path = "/api/contents/demo/a.bin"
        said = f"Host: x\r\n{self._says}Content-Length: {BODY_BYTES}"
        head = f"PUT {path} HTTP/1.1\r\n{said}\r\n\r\n"
        part = bytes(1_000_000)
        while self._goes_on:
            with contextlib.suppress(OSError):
                reader, writer = await self._connected()
                writer.write(head.encode())
                for _ in range(BODY_BYTES // len(part)):
                    writer.write(part)
                    await writer.drain()
                    self.counts["megabytes"] += 1
                answer = await reader.read(4096)
                self.counts["body " + answer[9:12].decode()] += 1
                writer.close()


if __name__ == "__main__":
    _most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (_most, _most))
    _flood = Flood(int(sys.argv[1]), float(sys.argv[2]), *sys.argv[3:])
    asyncio.run(_flood.run())
    print(json.dumps(_flood.counts))
