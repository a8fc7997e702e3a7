"""An interrupt of a kernel that does not run yet."""

import asyncio
import json
import logging
from typing import Any

from jupyter_ext.kernels.aborted_launch import abort_waiting
from jupyter_ext.wire.messages import join_v1, parse_part, split_v1


def request(number: int, kind: str = "execute_request", **more: str) -> bytes:
    header = {"msg_id": f"r-{number}", "msg_type": kind, **more}
    return join_v1("shell", [json.dumps(header).encode(), b"{}", b"{}", b"{}"])


class Stream:
    """A stream in which messages wait."""

    def __init__(self, *messages: bytes) -> None:
        self.waiting = list(messages)

    def drop_unacknowledged(self) -> list[bytes]:
        dropped, self.waiting = self.waiting, []
        return dropped

    def send(self, message: bytes) -> None:
        self.waiting.append(message)


async def aborted(stream: Any) -> list[str]:
    """The ids of the requests that were answered, once for each answer."""
    answered: list[str] = []

    async def to_client(message: bytes) -> None:
        answered.append(parse_part(split_v1(message)[1][1])["msg_id"])

    await abort_waiting(stream, "lab", to_client, logging.getLogger(__name__))
    return answered


async def test_each_request_is_answered_in_order_and_the_kernel_s_own_waits_on() -> None:
    stream = Stream(request(1), request(2, "kernel_info_request"), b"no message", request(3))
    assert await aborted(stream) == ["r-1", "r-1", "r-3", "r-3"]
    assert stream.waiting == [request(2, "kernel_info_request")]


async def test_many_messages_leave_everybody_else_a_turn() -> None:
    turns = 0

    async def everybody_else() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    other = asyncio.ensure_future(everybody_else())
    await aborted(Stream(*map(request, range(500))))
    other.cancel()
    assert turns > 400


async def test_a_header_that_takes_long_to_parse_is_not_parsed() -> None:
    assert await aborted(Stream(request(1, padding="x" * 100_000), request(2))) == ["r-2", "r-2"]
