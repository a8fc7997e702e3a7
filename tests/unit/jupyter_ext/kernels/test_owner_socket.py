"""Connections to the gateway that owns a kernel."""

import asyncio

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler

from jupyter_ext.kernels.owner_socket import dial
from jupyter_ext.wire.frames import SUBPROTOCOL


def test_a_connection_that_is_not_wanted_any_more_is_closed_when_it_opens() -> None:
    async def scenario() -> None:
        asked, opens = asyncio.Event(), asyncio.Event()
        closed = asyncio.Event()

        class Slow(WebSocketHandler):
            """A gateway that looks up the kernel first."""

            async def get(self) -> None:  # type: ignore[override]
                asked.set()
                await opens.wait()
                await super().get()

            def select_subprotocol(self, subprotocols: list[str]) -> str:
                return SUBPROTOCOL

            def on_close(self) -> None:
                closed.set()

        [listening] = bind_sockets(0, "127.0.0.1")
        server = HTTPServer(Application([("/", Slow)]))
        server.add_socket(listening)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        dialing = asyncio.ensure_future(
            dial(url, f"{url.replace('http', 'ws')}/", {}, connect_timeout=20, max_message_bytes=99)
        )
        await asyncio.wait_for(asked.wait(), 20)
        # The page leaves.
        dialing.cancel()
        await asyncio.wait({dialing})
        assert dialing.cancelled()
        opens.set()
        await asyncio.wait_for(closed.wait(), 20)
        server.stop()
        await server.close_all_connections()

    asyncio.run(scenario())
