"""Sockets at the agents' endpoint of callers who prove nothing: they take nobody else's place."""

import asyncio
import secrets
import socket
import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from gateway_ext.kernels.agents.unproven_room import PER_KERNEL
from gateway_ext.ownership.new_kernel import NewKernel
from jupyter_ext.wire.headers import DIAL_HEADER
from jupyter_ext.wire.proof import dial_header
from tests.integration.gateway_ext.fleet_of_gateways import Gateways, running_gateways, wait_until
from tests.integration.gateway_ext.heartbeats import wait_for_heartbeats
from tests.integration.gateway_ext.records_of import records_as, write_launched
from tests.integration.gateway_ext.test_gateway_refusals import KEY, introduce

PLACES = 20
FOR_ANYBODY = PLACES // 2
REQUEST_SECONDS = 3.0


@pytest.fixture(scope="module")
def gateways() -> Iterator[Gateways]:
    # Kernels that are in the database alone must not count as lost while a test needs them.
    changes = {
        "unproven_agents": PLACES,
        "request_seconds": REQUEST_SECONDS,
        "lost_seconds": 600.0,
    }
    with running_gateways(changes={"FleetGatewayApp": changes}, count=1) as some:
        yield some


class Flood:
    """Sockets that answer pings and say nothing."""

    def __init__(self, gateways: Gateways) -> None:
        self._url = gateways.urls[0].replace("http", "ws", 1)
        self._at_once = asyncio.Semaphore(50)
        self.open: list[WebSocketClientConnection] = []
        self.refused: list[HTTPClientError] = []

    async def knock(self, kernel_id: str, header: str = "") -> None:
        """Dials once."""
        url = f"{self._url}/api/fleet/agents/{kernel_id}"
        headers = {DIAL_HEADER: header} if header else {}
        async with self._at_once:
            try:
                self.open.append(await websocket_connect(HTTPRequest(url, headers=headers)))
            except HTTPClientError as error:
                self.refused.append(error)

    async def closed(self) -> None:
        """Returns when the gateway has closed them all."""
        for connection in self.open:
            while await connection.read_message() is not None:
                pass

    def close(self) -> None:
        """Leaves."""
        for connection in self.open:
            connection.close()


def kernel_without_agent(gateways: Gateways) -> str:
    """A kernel whose agent has `KEY`, and is not there; the gateway knows that it exists."""
    new = NewKernel(str(uuid.uuid4()), "demo", "", "ada", "python", {})
    asyncio.run(write_launched(gateways, "gateway-0", new, KEY))
    # It reads as often which kernels exist.
    wait_for_heartbeats(gateways, 0)
    return new.kernel_id


@pytest.mark.parametrize("sockets", [300, pytest.param(6000, marks=pytest.mark.long)])
def test_silent_sockets_keep_no_agent_and_no_cell_out(gateways: Gateways, sockets: int) -> None:
    client = gateways.client()
    kernel_id = gateways.start_kernel(0)
    older, known = kernel_without_agent(gateways), kernel_without_agent(gateways)

    async def scenario() -> None:
        flood = Flood(gateways)
        # Half of them with a header that only a look-up can tell from a right one.
        await asyncio.gather(
            *(
                flood.knock(
                    str(uuid.uuid4()),
                    dial_header(secrets.token_bytes(32), "x") if number % 2 else "",
                )
                for number in range(sockets)
            )
        )
        assert len(flood.open) == FOR_ANYBODY
        assert len(flood.refused) == sockets - FOR_ANYBODY
        answers = [error.response for error in flood.refused]
        assert {(one.code, one.headers["Retry-After"]) for one in answers if one} == {(503, "1")}
        # Nor does the id of a kernel that exists open all of the rest.
        for_known = Flood(gateways)
        forged = [dial_header(secrets.token_bytes(32), known) for _ in range(2 * PER_KERNEL)]
        await asyncio.gather(
            *(for_known.knock(known, header) for header in ("", *forged) for _ in range(2))
        )
        assert len(for_known.open) == PER_KERNEL

        def work() -> None:
            assert client.call("GET", f"{gateways.urls[0]}/api").status_code == 200
            with client.channels(gateways.urls[0], kernel_id) as channels:
                assert channels.run("print(6 * 7)") == "42\n"
            # Its agent proves itself when it dials.
            another = gateways.start_kernel(0)
            answer = client.call("DELETE", f"{gateways.urls[0]}/api/kernels/{another}")
            assert answer.status_code == 204
            # One of before has no header for it, and its kernel exists.
            assert introduce(gateways, older, KEY)["type"] == "welcome"

        await asyncio.to_thread(work)
        # Nobody was dropped for them.
        assert all(one.protocol is not None for one in (*flood.open, *for_known.open))
        # In the end each is closed, though it has answered every ping.
        await asyncio.wait_for(asyncio.gather(flood.closed(), for_known.closed()), 60)
        again = Flood(gateways)
        await again.knock(str(uuid.uuid4()))
        assert len(again.open) == 1
        again.close()

    asyncio.run(scenario())
    for one in (older, known):
        asyncio.run(records_as(gateways, "gateway-0").delete(one, ""))


def test_an_agent_that_proves_itself_needs_no_place(gateways: Gateways) -> None:
    kernel_id = kernel_without_agent(gateways)

    async def scenario() -> None:
        flood = Flood(gateways)
        await asyncio.gather(*(flood.knock(kernel_id) for _ in range(2 * PER_KERNEL)))
        assert len(flood.open) == PER_KERNEL
        header = dial_header(KEY, kernel_id)
        proven = Flood(gateways)
        await proven.knock(kernel_id, header)
        assert len(proven.open) == 1
        # Whoever has overheard it gets nothing by it.
        await proven.knock(kernel_id, header)
        assert [error.code for error in proven.refused] == [503]
        # Nor does code in a kernel that has read the key take sockets without end.
        await asyncio.gather(
            *(proven.knock(kernel_id, dial_header(KEY, kernel_id)) for _ in range(2 * PER_KERNEL))
        )
        assert len(proven.open) == PER_KERNEL
        flood.close()
        proven.close()

    asyncio.run(scenario())
    asyncio.run(records_as(gateways, "gateway-0").delete(kernel_id, ""))


@pytest.mark.parametrize("name", ["x", "", "..", str(uuid.uuid4()).upper()])
def test_what_is_no_kernel_id_gets_no_socket(gateways: Gateways, name: str) -> None:
    async def scenario() -> None:
        flood = Flood(gateways)
        await flood.knock(name)
        assert not flood.open
        assert flood.refused[0].code in (400, 404)

    asyncio.run(scenario())


def test_half_a_request_is_not_waited_for_without_end(gateways: Gateways) -> None:
    halves = [
        b"",
        b"GET /api HTTP/1.1\r\nHost: gateway\r\nX-Long: ",
        b"POST /api/kernels HTTP/1.1\r\nHost: gateway\r\nContent-Length: 100\r\n\r\n{",
    ]
    host, _, port = gateways.urls[0].removeprefix("http://").partition(":")
    with ExitStack() as stack:
        connections = []
        for half in halves:
            connection = socket.create_connection((host, int(port)), timeout=20 * REQUEST_SECONDS)
            connections.append(stack.enter_context(connection))
            connection.sendall(half)
        for connection in connections:
            while connection.recv(4096):
                pass


def test_refused_sockets_are_in_the_log_once_in_a_while(gateways: Gateways) -> None:
    wait_until(lambda: "connections of agents were rejected" in gateways.log(0))
    assert gateways.log(0).count("connections of agents were rejected") < 10
