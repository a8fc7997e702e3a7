"""A lab that has nothing but the websockets of pages and starts in a second: it is often killed."""

import asyncio
import json
import logging
import os
import sys
from pathlib import Path

from tornado import web, websocket
from tornado.httpclient import AsyncHTTPClient

from jupyter_ext.kernels.held_messages import HeldMessages
from jupyter_ext.kernels.page_cursor import page_cursor
from jupyter_ext.kernels.page_relay import PageRelay
from jupyter_ext.kernels.stream import KernelStream
from jupyter_ext.wire.frames import SUBPROTOCOL
from jupyter_ext.wire.headers import DIRECT, DIRECT_HEADER
from jupyter_ext.wire.messages import V1_PROTOCOL
from jupyter_ext.wire.routes import OWNER_ROUTE, path_of
from tests.integration.gateway_ext.fleet_of_gateways import REPOSITORY, Gateways
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs
from tests.servers.ports import free_ports
from tests.servers.process import ServerProcess


class BareLabs:
    """Such labs, as `Labs` has real ones."""

    def __init__(self, directory: Path, gateways: Gateways, count: int) -> None:
        self._directory = directory
        self._gateways = gateways
        self._ports = free_ports(count)
        self.urls = [f"http://127.0.0.1:{port}" for port in self._ports]
        self.processes = [self._start(number) for number in range(count)]
        for number in range(count):
            self.wait_for(number)

    def _start(self, number: int) -> ServerProcess:
        return ServerProcess(
            [sys.executable, "-m", __name__, str(self._ports[number]), *self._gateways.urls],
            self._directory / f"bare-lab-{number}.log",
            environment={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            directory=REPOSITORY,
        )

    def start_again(self, number: int) -> None:
        """Starts a lab that has ended, at the same address."""
        self.processes[number] = self._start(number)
        self.wait_for(number)

    def wait_for(self, number: int) -> None:
        """Returns when the lab listens."""
        process = self.processes[number]
        process.wait_until(lambda: f"listening {process.pid}" in process.log.read_text())

    def stop(self) -> None:
        """Ends the labs."""
        for process in self.processes:
            process.stop()


class LabKiller:
    """Kills labs of a page, and starts them again while it is at another one."""

    def __init__(self, labs: Labs | BareLabs) -> None:
        self._labs = labs
        self._killed: int | None = None

    def kill(self, number: int) -> None:
        """SIGKILL, at once."""
        self._labs.processes[number].kill()
        self._killed = number

    def start_again(self) -> None:
        """Starts what was killed; returns when all labs run. A process ends with the thread that
        has started it, which must be that of the test."""
        killed, self._killed = self._killed, None
        if killed is not None:
            self._labs.start_again(killed)


class _Channels(websocket.WebSocketHandler):
    relay: PageRelay | None = None
    stream: KernelStream | None = None

    def initialize(self, gateways: list[str], held: HeldMessages) -> None:
        self._gateways = gateways
        self._held = held

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return next((name for name in (SUBPROTOCOL, V1_PROTOCOL) if name in subprotocols), None)

    def open(self, kernel_id: str) -> None:
        self.set_nodelay(True)
        headers = {
            "Authorization": self.request.headers["Authorization"],
            DIRECT_HEADER: DIRECT,
        }

        async def resolve() -> str:
            path, error = path_of(OWNER_ROUTE, kernel_id=kernel_id), Exception("no gateway")
            for gateway in self._gateways:
                try:
                    answer = await AsyncHTTPClient().fetch(gateway + path, headers=headers)
                    return str(json.loads(answer.body)["url"])
                except Exception as away:
                    error = away
            raise error

        async def to_page(frame: str | bytes) -> None:
            await self.write_message(frame, binary=isinstance(frame, bytes))

        session_id = self.get_query_argument("session_id")
        if self.selected_subprotocol == V1_PROTOCOL:
            self.stream = KernelStream(
                resolve=resolve,
                headers=headers,
                kernel_id=kernel_id,
                session_id=session_id,
                on_message=to_page,
                on_closed=self.close,
            )
            self.stream.start()
            return
        cursor = page_cursor(SUBPROTOCOL, self.request.query_arguments)
        assert cursor is not None
        self.relay = PageRelay(
            resolve=resolve,
            address=lambda owner: cursor.address(owner, kernel_id, session_id),
            headers=headers,
            to_page=to_page,
            on_closed=self.close,
            held=self._held,
            log=logging.getLogger(),
        )
        self.relay.start()

    async def on_message(self, message: str | bytes) -> None:
        if self.stream is not None and isinstance(message, bytes):
            self.stream.send(message)
        elif self.relay is not None:
            await self.relay.send(message)

    def on_close(self) -> None:
        for end in (self.stream, self.relay):
            if end is not None:
                self._closing = asyncio.ensure_future(end.close())


async def _serve(port: int, gateways: list[str]) -> None:
    arguments = {"gateways": gateways, "held": HeldMessages(2**30)}
    application = web.Application([(r"/api/kernels/([^/]+)/channels", _Channels, arguments)])
    application.listen(port, "127.0.0.1")
    print("listening", os.getpid(), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2:]))
