"""A stream and a page's relay go on with a newer token, over the connection that is open."""

import asyncio
import json
from typing import Any

import pytest

from jupyter_ext.wire.frames import pack_client_frame
from tests.unit.jupyter_ext.kernels.test_page_relay import JOURNAL, relaying
from tests.unit.jupyter_ext.kernels.test_stream import (
    Gateway,
    resolver,
    run,
    streaming,
    until,
)

pytestmark = pytest.mark.timeout(30)

NEWER = {"Authorization": "Bearer newer", "X-Other": "x"}
SENT = [json.dumps({"type": "token", "token": "newer"})]


async def opened(gateway: Gateway) -> Any:
    socket = await gateway.next_socket()
    socket.write_message(JOURNAL)
    socket.write_message(pack_client_frame(0, 0), binary=True)
    return socket


@pytest.mark.parametrize("takes", [True, False])
def test_a_stream_has_its_gateway_go_on_with_the_newer_token(takes: bool) -> None:
    async def test(gateway: Gateway) -> None:
        gateway.takes_tokens = takes
        async with streaming(resolver(gateway)) as (stream, _):
            socket = await opened(gateway)
            await until(lambda: stream.connected)
            stream.renew(NEWER)
            stream.send(b"\0after it")
            await asyncio.wait_for(socket.frames.get(), 10)
            assert socket.texts == (SENT if takes else []), "older ones would end the connection"
            assert gateway.sockets.empty()
            socket.close()
            again = await gateway.next_socket()
            assert again.request.headers["Authorization"] == "Bearer newer"
            assert again.texts == []

    run(test)


@pytest.mark.parametrize("takes", [True, False])
def test_a_page_s_relay_has_its_gateway_go_on_with_the_newer_token(takes: bool) -> None:
    async def test(gateway: Gateway) -> None:
        gateway.takes_tokens = takes
        async with relaying(resolver(gateway)) as (relay, page):
            socket = await opened(gateway)
            await until(lambda: len(page.frames) == 2)
            relay.renew(NEWER)
            await relay.send(pack_client_frame(1, 0, b"after it"))
            await asyncio.wait_for(socket.frames.get(), 10)
            assert socket.texts == (SENT if takes else []), "older ones would end the connection"
            assert page.ends == []

    run(test)


def test_a_token_that_is_renewed_while_the_relay_connects_is_sent_as_well() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.takes_tokens = True
        async with relaying(resolver(gateway)) as (relay, page):
            socket = await gateway.next_socket()
            assert socket.request.headers["Authorization"] == "Bearer t"
            relay.renew(NEWER)
            socket.write_message(JOURNAL)
            await until(lambda: len(page.frames) == 1)
            await until(lambda: socket.texts == SENT)

    run(test)
