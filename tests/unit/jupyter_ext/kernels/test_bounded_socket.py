"""Messages of every length through a websocket with a limit, over a real connection."""

import asyncio
import struct
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.tcpclient import TCPClient
from tornado.web import Application
from tornado.websocket import (
    WebSocketClientConnection,
    WebSocketHandler,
    websocket_connect,
)

from jupyter_ext.kernels.bounded_socket import BoundedSocket

LIMIT = 200_000


class Echo(BoundedSocket):
    """Says how long each message is, and whether it was too long."""

    @property
    def longest_message(self) -> int:
        return LIMIT

    def on_message(self, message: str | bytes) -> None:
        self.write_message(f"{type(message).__name__} {len(message)}")

    async def on_too_long(self, head: bytes, size: int) -> None:
        await self.write_message(f"too long {size} {head[:4].decode()}")


async def served(talk: Any) -> None:
    [listening] = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(Application([("/", Echo), ("/compressing", EchoOfCompressing)]))
    server.add_socket(listening)
    try:
        await asyncio.wait_for(talk(listening.getsockname()[1]), 30)
    finally:
        server.stop()
        await server.close_all_connections()


class Settings(WebSocketHandler):
    """Compresses if the server's settings say so, as Jupyter Server's sockets do."""

    def get_compression_options(self) -> Any:
        return {}


class EchoOfCompressing(Echo, Settings):
    """As the lab's socket: the limit's class comes before the stock one."""


def frame(opcode: int, payload: bytes, *, last: bool) -> bytes:
    """A client's frame, with a mask that changes nothing."""
    head = struct.pack("!BB", opcode | (0x80 if last else 0), 0x80 | 127)
    return head + struct.pack("!Q", len(payload)) + b"\0\0\0\0" + payload


def test_no_message_is_compressed_even_if_client_and_server_would() -> None:
    async def talk(port: int) -> None:
        url = f"ws://127.0.0.1:{port}/compressing"
        client = await websocket_connect(url, compression_options={})
        assert "Sec-WebSocket-Extensions" not in client.headers
        await client.write_message(b"a" * (LIMIT + 1), binary=True)
        assert await client.read_message() == f"too long {LIMIT + 1} aaaa"
        client.close()

    asyncio.run(served(talk))


@pytest.mark.parametrize("size", [0, 5, LIMIT - 1, LIMIT])
def test_what_is_short_enough_is_read(size: int) -> None:
    async def talk(port: int) -> None:
        client = await websocket_connect(f"ws://127.0.0.1:{port}/")
        await client.write_message(b"a" * size, binary=True)
        assert await client.read_message() == f"bytes {size}"
        await client.write_message("a" * size)
        assert await client.read_message() == f"str {size}"
        client.close()

    asyncio.run(served(talk))


@pytest.mark.parametrize("size", [LIMIT + 1, 40 * LIMIT])
def test_what_is_too_long_is_said_and_the_connection_goes_on(size: int) -> None:
    async def talk(port: int) -> None:
        client: WebSocketClientConnection = await websocket_connect(f"ws://127.0.0.1:{port}/")
        for binary in (True, False):
            await client.write_message(b"abcd" + b"." * (size - 4), binary=binary)
            assert await client.read_message() == f"too long {size} abcd"
            await client.write_message(b"more", binary=binary)
            assert (await client.read_message() or "").endswith(" 4")
        client.close()

    asyncio.run(served(talk))


@pytest.mark.parametrize("parts", [[3 * LIMIT], [90_000] * 6, [10, 5 * LIMIT, 10], [1000] * 300])
def test_a_message_in_several_frames_counts_whole(parts: list[int]) -> None:
    async def talk(port: int) -> None:
        stream = await TCPClient().connect("127.0.0.1", port)
        key = b"dGhlIHNhbXBsZSBub25jZQ=="
        await stream.write(
            b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
        )
        await stream.read_until(b"\r\n\r\n")

        async def read() -> str:
            _, length = await stream.read_bytes(2)
            return (await stream.read_bytes(length)).decode()

        for number, size in enumerate(parts):
            payload = b"abcd"[:size] + b"." * max(0, size - 4)
            await stream.write(frame(0 if number else 2, payload, last=number == len(parts) - 1))
        assert await read() == f"too long {sum(parts)} abcd"
        # Nothing of it is left over.
        await stream.write(frame(2, b"x" * 10, last=False))
        await stream.write(frame(0, b"x" * 10, last=True))
        assert await read() == "bytes 20"
        stream.close()

    asyncio.run(served(talk))
