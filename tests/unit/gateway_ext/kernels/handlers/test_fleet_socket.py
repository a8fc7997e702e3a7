"""Websockets whose callers leave before they are open."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from gateway_ext.kernels.handlers.agent_handler import AgentHandler
from gateway_ext.kernels.handlers.client_websocket import ChannelsHandler

KERNEL_ID = "6a0c3f5e-3a52-4f0c-9d0b-3f6d8f3c1a11"
UPGRADE = (
    f"GET /{KERNEL_ID} HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
).encode()


class Admission:
    """Admits a caller when the test says so."""

    def __init__(self) -> None:
        self.asked, self.may_enter = asyncio.Event(), asyncio.Event()
        self.caller_left, self.finished = asyncio.Event(), asyncio.Event()
        self.opened = False

    async def wait(self) -> None:
        self.asked.set()
        await self.may_enter.wait()


class _Watched:
    admission: Admission

    def prepare(self: Any) -> None:
        """Named in no table of routes."""

    def on_close(self: Any) -> None:
        super().on_close()  # type: ignore[misc]
        self.admission.caller_left.set()

    def open(self: Any, *args: str) -> Any:
        self.admission.opened = True
        return super().open(*args)  # type: ignore[misc]

    def on_finish(self: Any) -> None:
        self.admission.finished.set()


class Agent(_Watched, AgentHandler):
    """The endpoint of agents, whose door admits everybody in the end."""

    def initialize(self) -> None:
        super().initialize()
        visit = SimpleNamespace(leave=lambda: None)

        async def enter(*_: object) -> Any:
            await self.admission.wait()
            return visit

        self.manager.agent_door = SimpleNamespace(enter=enter)


class Client(_Watched, ChannelsHandler):
    """The endpoint of clients."""

    async def _admit(self, *_: object) -> None:
        await self.admission.wait()


@pytest.mark.parametrize("handler", [Agent, Client])
async def test_the_socket_of_a_caller_that_has_left_is_not_opened(handler: Any) -> None:
    handler.admission = admission = Admission()
    manager = SimpleNamespace(log=None, websockets=set())
    server = HTTPServer(web.Application([("/(.*)", handler)], kernel_manager=manager))
    listening, port = bind_unused_port()
    server.add_sockets([listening])
    try:
        _reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(UPGRADE)
        await admission.asked.wait()
        writer.close()
        await admission.caller_left.wait()
        admission.may_enter.set()
        await admission.finished.wait()
        assert not admission.opened
        assert manager.websockets == set()
    finally:
        server.stop()
