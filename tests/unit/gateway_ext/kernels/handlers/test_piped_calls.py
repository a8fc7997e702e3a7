"""What a gateway passes on to labs, whoever sends it, and to which of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from gateway_ext.kernels.agents.lab_calls import LabCalls
from gateway_ext.kernels.agents.pipes import PipeRoom
from gateway_ext.kernels.handlers.pipe_handler import pipe_handlers

MOST = 1000
HEAD = (
    "POST /api/fleet/kernels/k-1/journal HTTP/1.1\r\nHost: gateway\r\n"
    "Authorization: Bearer t-1\r\n"
)
PIECE = b"~" * 100


class Lab:
    """Reads calls and answers none."""

    def __init__(self) -> None:
        self.connections = self.bytes = 0
        self.has_all, self.ended = asyncio.Event(), asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(2**16):
                self.bytes += piece.count(b"~")
                if self.bytes >= MOST:
                    self.has_all.set()
        writer.close()
        self.ended.set()


class Call:
    """A call of an agent at a gateway with these labs."""

    def __init__(self, labs: list[Lab], port: int) -> None:
        self.labs, self.lab = labs, labs[0]
        self._port = port

    async def begin(self, header: str) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(f"{HEAD}{header}\r\n\r\n".encode())

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._writer.write(piece)
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    async def answer(self) -> bytes:
        with contextlib.suppress(ConnectionError):
            return await self._reader.read(2**16)
        return b""

    def end(self) -> None:
        self._writer.close()


@contextlib.asynccontextmanager
async def call_at_a_gateway() -> AsyncIterator[Call]:
    labs = [Lab(), Lab()]
    listening = [await asyncio.start_server(lab.serve, "127.0.0.1", 0) for lab in labs]
    addresses = [one.sockets[0].getsockname() for one in listening]
    urls = [f"http://{host}:{port}" for host, port in addresses]
    manager = SimpleNamespace(
        links={"k-1": object()},
        agent_tickets=SimpleNamespace(was_given=lambda link, token: token == "t-1"),
        pipe_room=PipeRoom(4, MOST),
        lab_calls=LabCalls(urls, "token", 4),
    )
    server = HTTPServer(web.Application(pipe_handlers, kernel_manager=manager, base_url="/"))
    socket, port = bind_unused_port()
    server.add_sockets([socket])
    call = Call(labs, port)
    try:
        async with asyncio.timeout(30):
            yield call
    finally:
        call.end()
        server.stop()
        await server.close_all_connections()
        for lab, one in zip(labs, listening, strict=True):
            if lab.connections:
                await lab.ended.wait()
            one.close()


def test_a_body_of_the_allowed_length_passes() -> None:
    async def scenario() -> None:
        async with call_at_a_gateway() as call:
            await call.begin(f"Content-Length: {MOST}")
            await call.send(*[PIECE] * 10)
            await call.lab.has_all.wait()

    asyncio.run(scenario())


@pytest.mark.parametrize("length", [str(MOST + 1), "9" * 5000])
def test_no_lab_hears_of_a_longer_one(length: str) -> None:
    async def scenario() -> None:
        async with call_at_a_gateway() as call:
            await call.begin(f"Content-Length: {length}")
            assert (await call.answer()).startswith(b"HTTP/1.1 413 ")
            assert call.lab.connections == 0

    asyncio.run(scenario())


def test_one_that_does_not_say_its_length_ends_when_it_is_too_long() -> None:
    async def scenario() -> None:
        async with call_at_a_gateway() as call:
            await call.begin("Transfer-Encoding: chunked")
            await call.send(*[b"64\r\n" + PIECE + b"\r\n"] * 20)
            await call.lab.ended.wait()
            assert call.lab.bytes <= MOST

    asyncio.run(scenario())


def test_after_a_lab_that_does_not_answer_another_one_is_asked() -> None:
    async def scenario() -> None:
        async with call_at_a_gateway() as call:
            for lab in call.labs:
                await call.begin(f"Content-Length: {MOST}")
                await call.send(*[PIECE] * 10)
                await lab.has_all.wait()
                # The agent has waited long enough.
                call.end()
                await lab.ended.wait()

    asyncio.run(scenario())
