"""Calls to gateways that are frozen, that break off, and that work.

The gateways are scripted: a real one cannot be made to break off at a chosen byte.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from tornado import web

from jupyter_ext.kernels.gateway_client import FleetGatewayClient

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def frozen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes every request and says nothing until its client has gone."""
    await reader.read()


async def breaks_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ends in the middle of its answer, as a killed process does."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()


async def reaches_no_agent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Owns a kernel whose agent is silent, as any gateway does."""
    _, path, *_ = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)
    host = writer.get_extra_info("sockname")
    answer: dict[str, object] = {"url": f"http://{host[0]}:{host[1]}", "epoch": 1}
    status = b"200 OK"
    if path.endswith(b"/interrupt"):
        answer = {"message": "its agent has been silent for 12 s", "state": "unreachable"}
        status = b"503 Service Unavailable"
    body = json.dumps(answer).encode()
    head = f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
    writer.write(b"HTTP/1.1 " + status + b"\r\n" + head + body)
    await writer.drain()


async def works(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    method, path, *_ = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)
    body = json.dumps({"method": method.decode(), "path": path.decode(), "url": "u"}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


class Gateways:
    """One server a script; `asked` counts the requests of each, `left` those that have ended."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}
        self.left = 0
        self._servers: list[asyncio.Server] = []

    async def start(self, script: Script) -> str:
        name = script.__name__
        self.asked[name] = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.asked[name] += 1
            try:
                await script(reader, writer)
            finally:
                writer.close()
                self.left += 1

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self._servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def close(self) -> None:
        for server in self._servers:
            server.close()


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not reached():  # noqa: ASYNC110 (the servers set it)
            await asyncio.sleep(0.01)


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text("token")
    return str(path)


def client(urls: list[str], token_file: str) -> FleetGatewayClient:
    return FleetGatewayClient(
        urls=urls,
        service_token_file=token_file,
        read_timeout=0.3,
        call_timeout=0.5,
        patience=3.0,
    )


@pytest.mark.parametrize("script", [frozen, breaks_off])
async def test_another_gateway_is_asked(script: Script, token_file: str) -> None:
    gateways = Gateways()
    urls = [await gateways.start(script), await gateways.start(works)]
    gateway_client = client(urls, token_file)
    assert (await gateway_client.call("GET", "/api/kernels"))["path"] == "/api/kernels"
    assert gateways.asked[script.__name__] == 1
    # The one that did not answer is not asked first any more.
    assert await gateway_client.find_owner("k", gateway_client.headers()) == "u"
    assert gateways.asked[script.__name__] == 1
    gateways.close()


async def test_a_start_does_not_wait_for_a_frozen_gateway(token_file: str) -> None:
    gateways = Gateways()
    urls = [await gateways.start(frozen), await gateways.start(works)]
    call = client(urls, token_file).call("POST", "/api/kernels", {"name": "python"}, seconds=60.0)
    assert (await asyncio.wait_for(call, 10))["method"] == "POST"
    gateways.close()


async def test_what_no_gateway_can_do_is_said_at_once(token_file: str) -> None:
    gateways = Gateways()
    urls = [await gateways.start(reaches_no_agent)]
    with pytest.raises(web.HTTPError) as raised:
        await client(urls, token_file).call_owner("POST", "k", "/interrupt", {})
    assert raised.value.status_code == 503
    # And not that no gateway answers.
    assert raised.value.get_message() == "its agent has been silent for 12 s"
    # The owner, whether it lives, and the call; nothing again.
    assert gateways.asked == {"reaches_no_agent": 3}
    gateways.close()


@pytest.mark.parametrize("script", [frozen, breaks_off])
async def test_nobody_answers(script: Script, token_file: str) -> None:
    gateways = Gateways()
    urls = [await gateways.start(script)]
    with pytest.raises(web.HTTPError) as raised:
        await client(urls, token_file).call("GET", "/api/kernels", patience=1.0)
    assert raised.value.status_code == 503
    gateways.close()


async def test_a_call_that_nobody_waits_for_any_more_ends_without_a_word(
    token_file: str, caplog: pytest.LogCaptureFixture
) -> None:
    gateways = Gateways()
    urls = [await gateways.start(frozen)]
    call = asyncio.ensure_future(client(urls, token_file).call("GET", "/api/kernels"))
    await until(lambda: gateways.asked["frozen"] == 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    # Its own time-out comes later, and ends the connection.
    await until(lambda: gateways.left == 1)
    assert gateways.asked["frozen"] == 1
    assert caplog.text == ""
    gateways.close()
