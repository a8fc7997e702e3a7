"""A kernel stream while its kernel is being launched, against a scripted gateway."""

import asyncio
import contextlib
import json
from typing import Any

import pytest

from jupyter_ext.kernels.stream import KernelStream
from jupyter_ext.wire.close_codes import NO_SUCH_KERNEL, OWNER_CHANGES, TRY_AGAIN
from jupyter_ext.wire.frames import pack_client_frame
from tests.unit.jupyter_ext.kernels.test_stream import (
    Gateway,
    Page,
    resolver,
    run,
    sent,
    streaming,
    until,
)

pytestmark = pytest.mark.timeout(30)


class Notices:
    """What the stream's user is told besides messages, in one list with them."""

    def __init__(self) -> None:
        self.all: list[Any] = []

    async def on_notice(self, notice: dict[str, Any]) -> None:
        self.all.append(notice)


def launch(**more: Any) -> str:
    return json.dumps({"type": "launch", "state": "launching", "launch": more})


def test_what_is_sent_during_a_launch_waits_and_follows_on_the_same_socket() -> None:
    async def test(gateway: Gateway) -> None:
        told = Notices()
        async with streaming(resolver(gateway), on_notice=told.on_notice) as (stream, page):
            stream.send(b"early")
            socket = await gateway.next_socket()
            assert socket.get_argument("launching") == "1"
            socket.write_message(launch(phase="pulling"))
            socket.write_message(launch(phase="connecting"))
            stream.send(b"later")
            await until(lambda: len(told.all) == 2)
            assert [notice["launch"]["phase"] for notice in told.all] == ["pulling", "connecting"]
            assert (socket.frames.empty(), stream.connected) == (True, False)
            socket.write_message(pack_client_frame(0, 0), binary=True)
            assert await sent(socket, b"early") == (1, 0)
            assert await sent(socket, b"later") == (2, 0)
            socket.write_message(pack_client_frame(1, 2, b"out"), binary=True)
            await until(lambda: page.messages == [b"out"])
            assert gateway.sockets.empty()

    run(test)


def test_a_user_that_takes_no_notices_asks_for_none() -> None:
    async def test(gateway: Gateway) -> None:
        async with streaming(resolver(gateway)) as (stream, _):
            socket = await gateway.next_socket()
            assert socket.get_argument("launching", None) is None
            socket.write_message(launch(phase="pulling"))
            socket.write_message(pack_client_frame(0, 0), binary=True)
            await until(lambda: stream.connected)

    run(test)


def test_what_was_dropped_is_not_sent_and_its_numbers_are_not_used_again() -> None:
    async def test(gateway: Gateway) -> None:
        told = Notices()
        async with streaming(resolver(gateway), on_notice=told.on_notice) as (stream, _):
            socket = await gateway.next_socket()
            for text in (b"one", b"two"):
                stream.send(text)
            socket.write_message(json.dumps({"type": "interrupted"}))
            await until(lambda: told.all == [{"type": "interrupted"}])
            assert stream.drop_unacknowledged() == [b"one", b"two"]
            stream.send(b"three")
            socket.write_message(pack_client_frame(0, 0), binary=True)
            assert await sent(socket, b"three") == (3, 0)
            assert socket.frames.empty()

    run(test)


def test_a_launch_takes_longer_than_an_owner_may_be_away() -> None:
    async def test(gateway: Gateway) -> None:
        told = Notices()
        options = {"give_up_seconds": 0.3, "ping_seconds": 0.05, "on_notice": told.on_notice}
        async with streaming(resolver(gateway), **options) as (stream, page):
            first = await gateway.next_socket()
            first.write_message(launch(phase="queued"))
            # So many that a connection without its first frame would have been left.
            await until(lambda: first.pings > 20)
            first.close(OWNER_CHANGES, "the agent is at another gateway")
            second = await gateway.next_socket()
            second.write_message(pack_client_frame(0, 0), binary=True)
            await until(lambda: stream.connected)
            assert page.ends == []

    run(test)


def test_a_failed_launch_is_told_before_the_stream_ends() -> None:
    async def test(gateway: Gateway) -> None:
        told = Notices()
        async with streaming(resolver(gateway), on_notice=told.on_notice) as (_, page):
            socket = await gateway.next_socket()
            socket.write_message(json.dumps({"type": "dead", "reason": "no such image"}))
            socket.close(NO_SUCH_KERNEL, "no such image")
            await until(lambda: bool(page.ends))
            assert told.all == [{"type": "dead", "reason": "no such image"}]
            assert page.ends == [(NO_SUCH_KERNEL, "no such image")]

    run(test)


def test_an_older_gateway_that_closes_until_the_kernel_runs_is_waited_for() -> None:
    async def test(gateway: Gateway) -> None:
        asked, page = 0, Page()

        async def still_launching() -> bool:
            nonlocal asked
            asked += 1
            if asked == 1:
                return True
            if asked == 2:
                raise OSError("nobody can tell")
            raise AssertionError("the stream has ended")

        stream = KernelStream(
            resolve=resolver(gateway),
            headers={},
            kernel_id="k-1",
            session_id="s",
            on_message=page.on_message,
            on_closed=page.on_closed,
            still_launching=still_launching,
            give_up_seconds=0.2,
        )
        stream.start()
        while not page.ends:
            with contextlib.suppress(TimeoutError):
                (await asyncio.wait_for(gateway.sockets.get(), 0.1)).close(TRY_AGAIN, "not yet")
        assert (asked, page.ends) == (2, [(TRY_AGAIN, "not yet")])
        await stream.close()

    run(test)
