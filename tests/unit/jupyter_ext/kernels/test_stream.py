"""A kernel stream against a scripted gateway: nothing lost, nothing doubled, never silent."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tornado import httpserver, netutil, web
from tornado.websocket import WebSocketHandler, WebSocketProtocol13

from jupyter_ext.kernels.held_messages import HeldMessages
from jupyter_ext.kernels.owner_socket import StreamEnd
from jupyter_ext.kernels.stream import KernelStream
from jupyter_ext.wire.close_codes import (
    NO_SUCH_KERNEL,
    NOT_ACCEPTED,
    NOT_ALLOWED,
    OWNER_CHANGES,
    TOO_MANY,
    TOO_MUCH,
    TRY_AGAIN,
)
from jupyter_ext.wire.frames import SUBPROTOCOL, pack_client_frame, unpack_client_frame
from jupyter_ext.wire.routes import channels_url

pytestmark = pytest.mark.timeout(30)


class Gateway:
    """A gateway that does nothing by itself: the test says what it sends."""

    def __init__(self) -> None:
        self.sockets: asyncio.Queue[Any] = asyncio.Queue()
        self.refusal: tuple[int, str] | None = None
        self.refused = 0
        self.takes_tokens = False
        self.server: httpserver.HTTPServer | None = None
        self.url = ""

    def start(self) -> None:
        gateway = self

        class Channels(WebSocketHandler):
            def select_subprotocol(self, subprotocols: list[str]) -> str | None:
                return SUBPROTOCOL if SUBPROTOCOL in subprotocols else None

            async def get(self, *args: Any, **kwargs: Any) -> None:
                if gateway.refusal:
                    gateway.refused += 1
                    self.set_status(gateway.refusal[0])
                    self.finish(json.dumps({"message": gateway.refusal[1]}))
                    return
                if gateway.takes_tokens:
                    self.set_header("X-Fleet-Takes-Tokens", "1")
                await super().get(*args, **kwargs)

            def open(self, kernel_id: str) -> None:
                self.frames: asyncio.Queue[tuple[int, int, bytes]] = asyncio.Queue()
                self.texts: list[str] = []
                self.pings = 0
                gateway.sockets.put_nowait(self)

            def on_ping(self, data: bytes) -> None:
                self.pings += 1

            def on_message(self, message: str | bytes) -> None:
                if isinstance(message, str):
                    self.texts.append(message)
                    return
                self.frames.put_nowait(unpack_client_frame(message))

        application = web.Application([(r"/api/kernels/([\w-]+)/channels", Channels)])
        sockets = netutil.bind_sockets(0, "127.0.0.1")
        self.server = httpserver.HTTPServer(application)
        self.server.add_sockets(sockets)
        self.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"

    async def next_socket(self) -> Any:
        return await asyncio.wait_for(self.sockets.get(), 10)

    async def stop(self) -> None:
        assert self.server is not None
        self.server.stop()
        await self.server.close_all_connections()


class Page:
    """What the stream's user sees."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.offered: list[bytes] = []
        self.ends: list[tuple[int, str]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def on_message(self, message: bytes) -> None:
        self.offered.append(message)
        await self.gate.wait()
        self.messages.append(message)

    def on_closed(self, code: int, reason: str) -> None:
        self.ends.append((code, reason))


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def sent(socket: Any, message: bytes) -> tuple[int, int]:
    """Wait for the client's `message`; its sequence and what the frame acknowledges."""
    while True:
        sequence, acknowledged, found = await asyncio.wait_for(socket.frames.get(), 10)
        if found == message:
            return sequence, acknowledged


async def acknowledged(socket: Any, number: int) -> None:
    while (await asyncio.wait_for(socket.frames.get(), 10))[1] < number:
        pass


@asynccontextmanager
async def streaming(
    resolve: Callable[[], Awaitable[str]], **options: Any
) -> AsyncIterator[tuple[KernelStream, Page]]:
    page = Page()
    stream = KernelStream(
        resolve=resolve,
        headers={"Authorization": "Bearer t"},
        kernel_id="k-1",
        session_id="s 1",
        on_message=page.on_message,
        on_closed=page.on_closed,
        **options,
    )
    stream.start()
    try:
        yield stream, page
    finally:
        await stream.close()


def run(test: Callable[[Gateway], Awaitable[None]]) -> None:
    async def main() -> None:
        gateway = Gateway()
        gateway.start()
        try:
            await test(gateway)
        finally:
            await gateway.stop()

    asyncio.run(main())


def resolver(gateway: Gateway) -> Callable[[], Awaitable[str]]:
    async def resolve() -> str:
        return gateway.url

    return resolve


def test_addresses_say_who_and_how_far() -> None:
    assert channels_url("http://h:1/", "k", "a b", "n", None) == (
        "ws://h:1/api/kernels/k/channels?session_id=a+b&stream=n"
    )
    assert channels_url("https://h", "k", "a", "n", 7).endswith("&stream=n&received=7")
    assert channels_url("https://h", "k", "a", "n", 7).startswith("wss://")
    assert channels_url("http://h", "k", "a", "n", 7, launching=True).endswith("7&launching=1")


def test_messages_go_both_ways_and_are_acknowledged() -> None:
    async def test(gateway: Gateway) -> None:
        async with streaming(resolver(gateway)) as (stream, page):
            stream.send(b"before the connection")
            socket = await gateway.next_socket()
            assert socket.request.headers["Authorization"] == "Bearer t"
            assert socket.get_argument("session_id") == "s 1"
            assert socket.get_argument("received", None) is None
            socket.write_message(pack_client_frame(5, 0), binary=True)
            assert await sent(socket, b"before the connection") == (1, 5)
            stream.send(b"after it")
            assert (await sent(socket, b"after it"))[0] == 2
            assert stream._outbox.bytes == len(b"before the connection") + len(b"after it")
            socket.write_message(pack_client_frame(0, 2), binary=True)
            await until(lambda: stream._outbox.bytes == 0)
            # A duplicate and what the page has already are not handed over again.
            for number in (4, 6, 6, 9, 7, 10):
                socket.write_message(pack_client_frame(number, 2, b"m%d" % number), binary=True)
            await acknowledged(socket, 10)
            assert page.messages == [b"m6", b"m9", b"m10"]

    run(test)


def test_a_new_owner_gets_what_the_old_one_did_not_take_over() -> None:
    async def test(gateway: Gateway) -> None:
        async with streaming(resolver(gateway)) as (stream, page):
            first = await gateway.next_socket()
            first.write_message(pack_client_frame(0, 0), binary=True)
            for text in (b"a", b"b", b"c"):
                stream.send(text)
            await sent(first, b"c")
            first.write_message(pack_client_frame(1, 1, b"out 1"), binary=True)
            await acknowledged(first, 1)
            first.close(OWNER_CHANGES, "elsewhere")
            stream.send(b"d")

            second = await gateway.next_socket()
            assert second.get_argument("received") == "1"
            assert second.get_argument("stream") == first.get_argument("stream")
            second.write_message(pack_client_frame(1, 2), binary=True)
            assert [(await second.frames.get())[::2] for _ in range(2)] == [(3, b"c"), (4, b"d")]
            second.write_message(pack_client_frame(2, 4, b"out 2"), binary=True)
            await until(lambda: page.messages == [b"out 1", b"out 2"])
            assert page.ends == []

    run(test)


def test_a_new_journal_is_heard_from_its_start() -> None:
    async def test(gateway: Gateway) -> None:
        async with streaming(resolver(gateway)) as (_, page):
            first = await gateway.next_socket()
            first.write_message(pack_client_frame(40, 0), binary=True)
            first.write_message(pack_client_frame(41, 0, b"of the old agent"), binary=True)
            await acknowledged(first, 41)
            first.close(OWNER_CHANGES, "its agent is dead")
            # The kernel was started again by another agent, whose journal begins anew.
            second = await gateway.next_socket()
            assert second.get_argument("received") == "41"
            second.write_message(pack_client_frame(0, 0), binary=True)
            second.write_message(pack_client_frame(1, 0, b"of the new agent"), binary=True)
            await until(lambda: len(page.messages) == 2)
            assert page.messages == [b"of the old agent", b"of the new agent"]

    run(test)


def test_what_was_not_handed_over_is_asked_for_again() -> None:
    async def test(gateway: Gateway) -> None:
        async with streaming(resolver(gateway)) as (_, page):
            first = await gateway.next_socket()
            first.write_message(pack_client_frame(0, 0), binary=True)
            page.gate.clear()
            for number in (1, 2, 3):
                first.write_message(pack_client_frame(number, 0, b"%d" % number), binary=True)
            await until(lambda: page.offered == [b"1"])
            first.close(OWNER_CHANGES)
            page.gate.set()
            second = await gateway.next_socket()
            start = int(second.get_argument("received"))
            second.write_message(pack_client_frame(start, 0), binary=True)
            for number in range(start + 1, 6):
                second.write_message(pack_client_frame(number, 0, b"%d" % number), binary=True)
            await until(lambda: len(page.messages) == 5)
            assert page.messages == [b"1", b"2", b"3", b"4", b"5"]

    run(test)


def test_a_gap_is_taken_and_the_rest_follows(caplog: pytest.LogCaptureFixture) -> None:
    async def test(gateway: Gateway) -> None:
        async with streaming(resolver(gateway)) as (stream, page):
            first = await gateway.next_socket()
            first.write_message(pack_client_frame(3, 0), binary=True)
            first.close(OWNER_CHANGES)
            second = await gateway.next_socket()
            assert second.get_argument("received") == "3"
            second.write_message(pack_client_frame(10, 0), binary=True)
            second.write_message(json.dumps({"type": "gap", "from": 4, "to": 10}))
            await until(lambda: stream.connected)
            second.close(OWNER_CHANGES)
            # What is lost is not asked for again.
            third = await gateway.next_socket()
            assert third.get_argument("received") == "10"
            third.write_message(pack_client_frame(10, 0), binary=True)
            third.write_message(pack_client_frame(11, 0, b"eleven"), binary=True)
            await until(lambda: page.messages == [b"eleven"])

    run(test)
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "kernel k-1: messages 4 to 10 are no longer in the kernel's journal" in warning


@asynccontextmanager
async def deaf_gateway(first: bytes = b"") -> AsyncIterator[str]:
    """The URL of one that answers the handshake and says `first`, then neither reads nor speaks."""
    writers = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(
            line[19:] for line in head.split("\r\n") if line.startswith("Sec-Websocket-Key:")
        )
        answer = WebSocketProtocol13.compute_accept_value(key.strip())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + f"Sec-WebSocket-Accept: {answer}\r\n".encode()
            + f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n".encode()
            + first
        )

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        for writer in writers:
            writer.close()
        server.close()


def test_a_silent_owner_is_left() -> None:
    async def test(gateway: Gateway) -> None:
        async with deaf_gateway() as deaf:
            owners = [deaf, gateway.url]

            async def resolve() -> str:
                return owners.pop(0) if len(owners) > 1 else owners[0]

            async with streaming(resolve, ping_seconds=0.2) as (stream, _):
                socket = await gateway.next_socket()
                socket.write_message(pack_client_frame(0, 0), binary=True)
                await until(lambda: stream.connected)

    run(test)


def test_a_slow_page_is_not_a_silent_owner() -> None:
    async def test(gateway: Gateway) -> None:
        async with streaming(resolver(gateway), ping_seconds=0.25) as (_, page):
            socket = await gateway.next_socket()
            socket.write_message(pack_client_frame(0, 0), binary=True)
            page.gate.clear()
            for number in (1, 2, 3):
                socket.write_message(pack_client_frame(number, 0, b"%d" % number), binary=True)
            # So many that a silent owner would have been left.
            pings = socket.pings
            await until(lambda: socket.pings >= pings + 4)
            page.gate.set()
            await until(lambda: len(page.messages) == 3)
            assert gateway.sockets.empty()

    run(test)


@pytest.mark.parametrize("code", [NO_SUCH_KERNEL, NOT_ACCEPTED, NOT_ALLOWED])
def test_some_ends_are_final(code: int) -> None:
    async def test(gateway: Gateway) -> None:
        async with streaming(resolver(gateway)) as (stream, page):
            socket = await gateway.next_socket()
            socket.close(code, "why")
            await until(lambda: bool(page.ends))
            assert page.ends == [(code, "why")]
            task = stream._task
            await until(lambda: task is None or task.done())
            assert gateway.sockets.empty()

    run(test)


@pytest.mark.parametrize(
    ("status", "code"), [(404, NO_SUCH_KERNEL), (401, NOT_ACCEPTED), (403, NOT_ALLOWED)]
)
def test_a_refused_handshake_is_final_with_the_gateways_words(status: int, code: int) -> None:
    async def test(gateway: Gateway) -> None:
        gateway.refusal = (status, "not for you")
        async with streaming(resolver(gateway)) as (_, page):
            await until(lambda: bool(page.ends))
            assert page.ends == [(code, "not for you")]

    run(test)


def test_a_gateway_that_cannot_tell_yet_is_asked_again() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.refusal = (503, "no owner yet")
        async with streaming(resolver(gateway)) as (stream, page):
            await until(lambda: gateway.refused >= 3)
            gateway.refusal = None
            socket = await gateway.next_socket()
            socket.write_message(pack_client_frame(0, 0), binary=True)
            await until(lambda: stream.connected)
            assert page.ends == []

    run(test)


def test_the_stream_ends_rather_than_wait_for_ever() -> None:
    async def test(gateway: Gateway) -> None:
        async def resolve() -> str:
            return "http://127.0.0.1:1"

        async with streaming(resolve, give_up_seconds=0.5) as (_, page):
            await until(lambda: bool(page.ends))
            assert page.ends[0][0] == TRY_AGAIN
            assert "127.0.0.1:1" in page.ends[0][1]

        async def nobody() -> str:
            raise StreamEnd(NO_SUCH_KERNEL, "deleted")

        async with streaming(nobody) as (_, page):
            await until(lambda: bool(page.ends))
            assert page.ends == [(NO_SUCH_KERNEL, "deleted")]

    run(test)


def test_who_finds_no_place_at_the_kernel_is_told_at_once() -> None:
    async def test(gateway: Gateway) -> None:
        # Unless told, it would try until the test's own time limit.
        async with streaming(resolver(gateway), give_up_seconds=600) as (_, page):
            (await gateway.next_socket()).close(TOO_MANY, "close some of its pages")
            await until(lambda: bool(page.ends))
            assert page.ends == [(TRY_AGAIN, "close some of its pages")]
            assert gateway.sockets.empty()

    run(test)


def test_who_had_a_place_at_the_kernel_tries_until_its_last_connection_is_missed() -> None:
    async def test(gateway: Gateway) -> None:
        async with streaming(resolver(gateway), give_up_seconds=600) as (stream, page):
            socket = await gateway.next_socket()
            socket.write_message(pack_client_frame(5, 0), binary=True)
            await until(lambda: stream.connected)
            socket.close(OWNER_CHANGES)
            (await gateway.next_socket()).close(TOO_MANY, "close some of its pages")
            socket = await gateway.next_socket()
            socket.write_message(pack_client_frame(5, 0), binary=True)
            await until(lambda: stream.connected)
            assert page.ends == []

    run(test)


def test_who_gives_up_is_told_what_the_gateway_said() -> None:
    async def test(gateway: Gateway) -> None:
        async with streaming(resolver(gateway), give_up_seconds=0.5) as (_, page):
            while not page.ends:
                with contextlib.suppress(TimeoutError):
                    (await asyncio.wait_for(gateway.sockets.get(), 0.1)).close(TRY_AGAIN, "full")
            assert page.ends == [(TRY_AGAIN, "full")]

    run(test)


def test_a_connection_without_its_first_frame_does_not_last() -> None:
    async def test(gateway: Gateway) -> None:
        options = {"give_up_seconds": 0.4, "ping_seconds": 0.1}
        async with streaming(resolver(gateway), **options) as (_, page):
            await gateway.next_socket()
            await until(lambda: bool(page.ends))
            assert page.ends[0][0] == TRY_AGAIN

    run(test)


def test_too_much_for_an_absent_owner_ends_the_stream() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.refusal = (503, "no owner yet")
        async with streaming(resolver(gateway), max_pending_bytes=100) as (stream, page):
            stream.send(b"x" * 200)
            assert page.ends == []
            stream.send(b"y")
            assert [code for code, _ in page.ends] == [TOO_MUCH]

    run(test)


def test_of_streams_that_hold_too_much_together_the_one_with_the_most_ends() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.refusal = (503, "no owner yet")
        held = HeldMessages(100)
        async with (
            streaming(resolver(gateway), held=held) as (one, much),
            streaming(resolver(gateway), held=held) as (other, little),
        ):
            one.send(b"x" * 60)
            one.send(b"x" * 30)
            other.send(b"y" * 11)
            assert (little.ends, other._outbox.bytes) == ([], 11)
            [(code, reason)] = much.ends
            assert code == TOO_MUCH
            assert reason.startswith("this server holds too many messages for kernels")
            assert (one._outbox.bytes, held.bytes) == (0, 11)
            one.send(b"more")
            assert held.bytes == 11
        # A stream that is closed holds nothing.
        assert held.bytes == 0

    run(test)


def test_what_the_kernel_has_taken_is_not_held_any_more() -> None:
    async def test(gateway: Gateway) -> None:
        held = HeldMessages(1000)
        async with streaming(resolver(gateway), held=held) as (stream, _):
            socket = await gateway.next_socket()
            socket.write_message(pack_client_frame(0, 0), binary=True)
            stream.send(b"x" * 60)
            assert await sent(socket, b"x" * 60) == (1, 0)
            assert held.bytes == 60
            socket.write_message(pack_client_frame(0, 1), binary=True)
            await until(lambda: held.bytes == 0)

    run(test)


def test_a_gateway_that_closes_at_once_is_not_hammered() -> None:
    async def test(gateway: Gateway) -> None:
        async with streaming(resolver(gateway)) as (_, page):
            loop = asyncio.get_running_loop()
            begun = loop.time()
            for _ in range(5):
                socket = await gateway.next_socket()
                socket.write_message(pack_client_frame(0, 0), binary=True)
                socket.close(OWNER_CHANGES)
            # Pauses of 0.05, 0.1, 0.2 and 0.4 s lie between them.
            assert loop.time() - begun > 0.7
            assert page.ends == []

    run(test)


@pytest.mark.parametrize("swallows", [False, True])
def test_a_stream_that_is_closed_while_its_owner_is_looked_up_never_connects(
    swallows: bool,
) -> None:
    async def test(gateway: Gateway) -> None:
        asked, answered = asyncio.Event(), asyncio.Event()

        async def resolve() -> str:
            asked.set()
            try:
                await answered.wait()
            except asyncio.CancelledError:
                if not swallows:
                    raise
            return gateway.url

        async with streaming(resolve) as (stream, _):
            await asked.wait()
            if not swallows:
                # Both come in the same turn of the loop.
                answered.set()
            await asyncio.wait_for(stream.close(), 10)
        assert gateway.sockets.empty()

    run(test)


def test_a_page_that_cannot_take_a_message_ends_the_stream() -> None:
    async def test(gateway: Gateway) -> None:
        async with streaming(resolver(gateway)) as (stream, page):

            async def fail(message: bytes) -> None:
                raise RuntimeError("the page is gone")

            stream._on_message = fail
            socket = await gateway.next_socket()
            socket.write_message(pack_client_frame(0, 0), binary=True)
            socket.write_message(pack_client_frame(1, 0, b"x"), binary=True)
            await until(lambda: bool(page.ends))
            assert "the page is gone" in page.ends[0][1]
            assert page.messages == []

    run(test)
