"""A page's relay against a scripted gateway: frames pass unread, and one end never outlives the
other."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from jupyter_ext.kernels.held_messages import HeldMessages
from jupyter_ext.kernels.owner_socket import StreamEnd
from jupyter_ext.kernels.page_cursor import CursorError, PageCursor, page_cursor
from jupyter_ext.kernels.page_relay import PageRelay
from jupyter_ext.wire.close_codes import (
    BAD_MESSAGE,
    NO_CURSOR,
    NO_SUCH_KERNEL,
    NOT_ACCEPTED,
    NOT_ALLOWED,
    OWNER_CHANGES,
    TOO_MANY,
    TOO_MUCH,
    TRY_AGAIN,
)
from jupyter_ext.wire.frames import pack_client_frame
from tests.unit.jupyter_ext.kernels.test_stream import (
    Gateway,
    deaf_gateway,
    resolver,
    run,
    sent,
    until,
)

pytestmark = pytest.mark.timeout(30)

ID = "0123456789abcdef" * 2
JOURNAL = json.dumps({"type": "journal", "id": ID})
MUCH = bytes(64 * 2**20)
"""More than the buffers of a connection hold."""
CURSOR = PageCursor(ID, 7, ID)


class Page:
    """A page's end of its websocket."""

    def __init__(self) -> None:
        self.frames: list[str | bytes] = []
        self.ends: list[tuple[int, str]] = []
        self.reads = asyncio.Event()
        self.reads.set()

    async def take(self, frame: str | bytes) -> None:
        await self.reads.wait()
        self.frames.append(frame)

    def closed(self, code: int, reason: str) -> None:
        self.ends.append((code, reason))


@asynccontextmanager
async def relaying(
    resolve: Callable[[], Awaitable[str]], **options: Any
) -> AsyncIterator[tuple[PageRelay, Page]]:
    page = Page()
    relay = PageRelay(
        resolve=resolve,
        address=lambda owner: CURSOR.address(owner, "k-1", "s"),
        headers={"Authorization": "Bearer t"},
        to_page=page.take,
        on_closed=page.closed,
        **{"held": HeldMessages(2**30), **options},
    )
    relay.start()
    try:
        yield relay, page
    finally:
        await relay.close()


async def answered(gateway: Gateway, page: Page) -> Any:
    """The gateway's end, after its first frames have reached the page."""
    socket = await gateway.next_socket()
    socket.write_message(JOURNAL)
    socket.write_message(pack_client_frame(7, 2), binary=True)
    await until(lambda: len(page.frames) == 2)
    return socket


def test_a_page_says_in_its_query_who_and_how_far_it_is() -> None:
    offered = "fleet.v1, v1.kernel.websocket.jupyter.org"
    stream, number = {"stream": [ID.encode()]}, {"received": [b"7"], "journal": [ID.encode()]}
    assert page_cursor(offered, stream | number) == CURSOR
    assert page_cursor(offered, stream) == PageCursor(ID, None, None)
    # A client of v1 may have such an argument, and an earlier page offers no other protocol.
    assert page_cursor("v1.kernel.websocket.jupyter.org", stream) is None
    assert page_cursor("not-fleet.v1", stream) is None
    assert page_cursor(offered, {"session_id": [b"s"]}) is None


@pytest.mark.parametrize(
    "wrong",
    [{"stream": b"short"}, {"journal": b"\xff"}, {"received": b"-1"}, {"received": b"1" * 19}],
)
def test_a_query_that_no_page_has_is_refused(wrong: dict[str, bytes]) -> None:
    query = {"stream": [ID.encode()], **{name: [value] for name, value in wrong.items()}}
    with pytest.raises(CursorError):
        page_cursor("fleet.v1", query)


def test_frames_pass_unread_and_in_order() -> None:
    async def test(gateway: Gateway) -> None:
        async with relaying(resolver(gateway)) as (relay, page):
            socket = await answered(gateway, page)
            query = {name: socket.get_argument(name) for name in socket.request.arguments}
            assert query == {
                "session_id": "s",
                "stream": ID,
                "received": "7",
                "journal": ID,
                "cursor": "1",
                "launching": "1",
            }
            gap = json.dumps({"type": "gap", "from": 8, "to": 9, "limit": 5})
            later: list[str | bytes] = [gap, pack_client_frame(10, 2, b"no kernel message")]
            for frame in later:
                socket.write_message(frame, binary=isinstance(frame, bytes))
            await until(lambda: len(page.frames) == 4)
            assert page.frames == [JOURNAL, pack_client_frame(7, 2), *later]
            for number in (3, 4):
                await relay.send(pack_client_frame(number, 10, b"%d" % number))
            assert [await sent(socket, b"3"), await sent(socket, b"4")] == [(3, 10), (4, 10)]

    run(test)


def test_the_owner_is_looked_for_until_it_has_answered() -> None:
    async def test(gateway: Gateway) -> None:
        async with deaf_gateway() as deaf:
            answers: list[Exception | str] = [OSError("away"), deaf]

            async def resolve() -> str:
                answer = answers.pop(0) if answers else gateway.url
                if isinstance(answer, Exception):
                    raise answer
                return answer

            gateway.refusal = (503, "no owner yet")
            async with relaying(resolve, ping_seconds=0.1) as (_, page):
                await until(lambda: gateway.refused > 0)
                gateway.refusal = None
                for code in (OWNER_CHANGES, TRY_AGAIN):
                    socket = await gateway.next_socket()
                    socket.close(code, "not here")
                await answered(gateway, page)
                assert page.ends == []

    run(test)


@pytest.mark.parametrize("code", [OWNER_CHANGES, TRY_AGAIN, NOT_ACCEPTED, NO_SUCH_KERNEL])
def test_an_owner_that_has_answered_takes_the_page_s_websocket_along(code: int) -> None:
    async def test(gateway: Gateway) -> None:
        async with relaying(resolver(gateway)) as (_, page):
            socket = await gateway.next_socket()
            socket.write_message('{"type": "launch", "state": "launching"}')
            socket.close(code, "the kernel moves")
            await until(lambda: page.ends == [(code, "the kernel moves")])
            assert len(page.frames) == 1
            assert gateway.sockets.empty()

    run(test)


def test_an_owner_that_is_cut_off_has_changed() -> None:
    async def test(gateway: Gateway) -> None:
        async with relaying(resolver(gateway)) as (_, page):
            socket = await answered(gateway, page)
            socket.ws_connection.stream.close()
            await until(lambda: [code for code, _ in page.ends] == [OWNER_CHANGES])
            assert gateway.sockets.empty()

    run(test)


def test_an_owner_that_has_answered_and_is_silent_is_left() -> None:
    async def test(gateway: Gateway) -> None:
        first = bytes([0x81, len(JOURNAL)]) + JOURNAL.encode()
        async with deaf_gateway(first) as deaf:

            async def resolve() -> str:
                return deaf

            async with relaying(resolve, ping_seconds=0.2) as (_, page):
                await until(lambda: bool(page.ends))
                assert page.ends == [(OWNER_CHANGES, f"{deaf} is silent")]
                assert page.frames == [JOURNAL]

    run(test)


@pytest.mark.parametrize(
    ("status", "code"), [(404, NO_SUCH_KERNEL), (401, NOT_ACCEPTED), (403, NOT_ALLOWED)]
)
def test_a_refused_handshake_is_passed_on_at_once(status: int, code: int) -> None:
    async def test(gateway: Gateway) -> None:
        gateway.refusal = (status, "not for you")
        async with relaying(resolver(gateway)) as (_, page):
            await until(lambda: page.ends == [(code, "not for you")])
            assert gateway.refused == 1

    run(test)


@pytest.mark.parametrize("code", [NOT_ALLOWED, TOO_MANY])
def test_a_refused_stream_is_passed_on_at_once(code: int) -> None:
    async def test(gateway: Gateway) -> None:
        async with relaying(resolver(gateway)) as (_, page):
            socket = await gateway.next_socket()
            socket.close(code, "close some")
            await until(lambda: page.ends == [(code, "close some")])
            assert gateway.sockets.empty()

    run(test)


def test_what_the_owner_s_lookup_refuses_is_passed_on_at_once() -> None:
    async def test(gateway: Gateway) -> None:
        async def resolve() -> str:
            raise StreamEnd(NO_SUCH_KERNEL, "deleted")

        async with relaying(resolve) as (_, page):
            await until(lambda: page.ends == [(NO_SUCH_KERNEL, "deleted")])

    run(test)


def test_nobody_waits_for_an_owner_for_ever() -> None:
    async def test(gateway: Gateway) -> None:
        async def resolve() -> str:
            raise OSError("the database is away")

        async with relaying(resolve, give_up_seconds=0.3) as (_, page):
            await until(lambda: page.ends == [(TRY_AGAIN, "the database is away")])

    run(test)


def test_an_agent_without_a_journal_is_none_for_a_page_with_a_cursor() -> None:
    async def test(gateway: Gateway) -> None:
        async with relaying(resolver(gateway)) as (_, page):
            socket = await gateway.next_socket()
            launch = '{"type": "launch", "state": "launching"}'
            socket.write_message(launch)
            socket.write_message(pack_client_frame(3, 0), binary=True)
            await until(lambda: bool(page.ends))
            assert page.ends == [(NO_CURSOR, "this kernel's agent is of an earlier version")]
            assert page.frames == [launch]

    run(test)


def test_a_page_that_does_not_read_stops_the_reading_of_the_gateway() -> None:
    async def test(gateway: Gateway) -> None:
        async with relaying(resolver(gateway), ping_seconds=0.1) as (relay, page):
            socket = await answered(gateway, page)
            page.reads.clear()
            # One is with the page, one is queued, and one waits for room in the queue.
            for number in (8, 9, 10):
                socket.write_message(pack_client_frame(number, 0, b"x"), binary=True)
            unread = socket.write_message(pack_client_frame(11, 0, MUCH), binary=True)
            # Such a page's own words pass, and its gateway is not taken for a silent one.
            await relay.send(pack_client_frame(3, 7, b"mine"))
            assert await sent(socket, b"mine") == (3, 7)
            pings = socket.pings
            await until(lambda: socket.pings >= pings + 4)
            assert not unread.done()
            page.reads.set()
            await until(lambda: len(page.frames) == 6)
            assert unread.done()
            assert page.ends == []

    run(test)


def test_a_gateway_that_does_not_read_stops_the_reading_of_the_page() -> None:
    async def test(gateway: Gateway) -> None:
        held = HeldMessages(2**30)
        first = bytes([0x81, len(JOURNAL)]) + JOURNAL.encode()
        async with deaf_gateway(first) as deaf:

            async def resolve() -> str:
                return deaf

            async with relaying(resolve, held=held) as (relay, page):
                await until(lambda: bool(page.frames))
                frame = pack_client_frame(1, 0, MUCH)
                sending = asyncio.ensure_future(relay.send(frame))
                await until(lambda: held.bytes == len(frame))
                assert not sending.done()
                # Another page sends more than there is room for, but this one has sent the most.
                held.most_bytes = len(frame) + 10
                held.holds(Page(), 11)  # type: ignore[arg-type]
                await until(lambda: [code for code, _ in page.ends] == [TOO_MUCH])
                await sending
                assert held.bytes == 11

    run(test)


def test_a_page_s_ping_is_answered_by_the_lab_even_without_an_owner() -> None:
    async def test(gateway: Gateway) -> None:
        async def resolve() -> str:
            raise OSError("nobody")

        async with relaying(resolve) as (relay, page):
            await relay.send('{"type": "ping"}')
            await until(lambda: page.frames == ['{"type": "pong"}'])
            # A page that does not read is not sent one pong after the other.
            page.reads.clear()
            for _ in range(100):
                await relay.send('{"type":"ping"}')
            page.reads.set()
            await until(lambda: len(page.frames) == 2)
            await relay.send('{"type": "ping"}')
            await until(lambda: len(page.frames) == 3)
            assert page.ends == []

    run(test)


@pytest.mark.parametrize(
    "frame",
    [
        *("ping", '{"type": "close"}', "[]", b"too short", bytes(16)),
        pytest.param("[" * 200_000, id="deep"),
        pytest.param('{"type": "ping", "more": "' + 200 * "x" + '"}', id="long"),
    ],
)
def test_a_frame_that_no_page_sends_ends_the_websocket(frame: str | bytes) -> None:
    async def test(gateway: Gateway) -> None:
        async def resolve() -> str:
            raise OSError("nobody")

        async with relaying(resolve) as (relay, page):
            await relay.send(frame)
            assert [code for code, _ in page.ends] == [BAD_MESSAGE]
            # Nothing is done for it any more.
            await relay.send('{"type": "ping"}')
            assert page.frames == []

    run(test)


def test_the_gateway_is_left_when_the_page_has_left() -> None:
    async def test(gateway: Gateway) -> None:
        async with relaying(resolver(gateway)) as (relay, page):
            socket = await answered(gateway, page)
            await relay.close()
            await until(lambda: socket.ws_connection is None or socket.close_code is not None)
            assert page.ends == []

    run(test)
