"""What becomes of a call whose gateway ends, or does not answer."""

import asyncio
import errno
import socket
from collections.abc import Callable

import pytest
from tornado.netutil import DefaultLoopResolver
from tornado.tcpclient import TCPClient

from gateway_ext.kernels.handlers import relay as relay_module
from gateway_ext.kernels.handlers.relay import OwnerAway, Relay


async def away(behave: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]) -> OwnerAway:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        result = behave(reader, writer)
        if asyncio.iscoroutine(result):
            await result

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(OwnerAway) as error:
            await Relay().call(f"http://127.0.0.1:{port}", "POST", "/api/kernels/x/restart", "t")
    return error.value


async def test_a_gateway_that_ends_in_the_middle_may_have_acted() -> None:
    async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    assert (await away(end)).acted


async def test_a_gateway_that_is_silent_may_have_acted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "ANSWER_SECONDS", 0.2)
    assert (await away(lambda reader, writer: asyncio.sleep(1))).acted


async def test_a_gateway_that_is_not_there_has_not_acted() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OwnerAway, match="refused") as error:
            await Relay().call(url, "GET", "/api", "t")
    assert not error.value.acted


@pytest.mark.parametrize(
    "failure",
    [
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        OSError(errno.EHOSTUNREACH, "No route to host"),
        OSError(errno.EMFILE, "Too many open files"),
    ],
)
async def test_a_call_that_never_left_has_not_acted(
    failure: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def connect(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(TCPClient, "connect", connect)
    with pytest.raises(OwnerAway) as error:
        await Relay().call("http://gateway.invalid:1", "POST", "/api/kernels/x/restart", "t")
    assert not error.value.acted
    assert failure.strerror in str(error.value)


async def test_a_name_that_is_not_resolved_in_time_has_not_acted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay_module, "CONNECT_SECONDS", 0.1)
    monkeypatch.setattr(
        DefaultLoopResolver, "resolve", lambda *_, **__: asyncio.sleep(5), raising=True
    )
    with pytest.raises(OwnerAway) as error:
        await Relay().call("http://gateway.invalid:1", "POST", "/api/kernels/x/restart", "t")
    assert not error.value.acted


async def test_a_certificate_that_is_refused_means_that_nothing_was_asked() -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 this is no TLS\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        with pytest.raises(OwnerAway) as error:
            await Relay().call(url, "POST", "/api/kernels/x/restart", "t")
    assert not error.value.acted


async def test_a_silent_gateway_is_not_asked_to_start_a_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay_module, "SIGN_OF_LIFE_SECONDS", 0.2)
    heard = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readline())

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        with pytest.raises(OwnerAway) as error:
            await Relay().start(url, "/api/kernels", "t", b"{}", 60.0)
    assert not error.value.acted
    assert heard == [b"GET /api HTTP/1.1\r\n"]


@pytest.mark.parametrize(
    ("body", "is_answer"),
    [
        (b'{"message": "still being started", "kernel_id": "k"}', True),
        (b'{"message": "this gateway accepts no new kernels: ask another one"}', False),
        (b"<html>busy</html>", False),
        (b"[]", False),
    ],
)
async def test_a_start_that_goes_on_is_not_tried_elsewhere(body: bytes, is_answer: bool) -> None:
    """The kernel is being started there, and its client has waited long enough."""
    asked: list[list[str]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        asked.append(head)
        start = head[0].startswith("POST")
        status, text = ("503 Service Unavailable", body) if start else ("200 OK", b"{}")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        if is_answer:
            answer = await Relay().start(url, "/api/kernels", "t", b"{}", None)
            assert (answer.status, answer.body) == (503, body)
        else:
            with pytest.raises(OwnerAway) as error:
                await Relay().start(url, "/api/kernels", "t", b"{}", None)
            assert not error.value.acted
    # That the caller does not wait is passed on.
    assert "x-fleet-start: async" in [line.lower() for line in asked[1]]
