"""The agent's Unix socket, and code that uses it badly."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway_ext.agent import call_connection
from gateway_ext.agent.call_lines import AT_ONCE, LONGEST_LINE, Call
from gateway_ext.agent.call_socket import MOST_CONNECTIONS, CallSocket
from tests.servers.short_folder import short_folder

SECONDS = 30


async def echo(call: Call) -> dict[str, Any]:
    return {"ok": True, "result": {"call": call.name, "arguments": call.arguments}}


@asynccontextmanager
async def opened(
    call: Callable[[Call], Awaitable[dict[str, Any]]] = echo,
) -> AsyncIterator[CallSocket]:
    with short_folder("fleet-calls-") as folder:
        calls = CallSocket(folder / "calls", call)
        await calls.open()
        try:
            yield calls
        finally:
            await calls.close()


class Caller:
    """A connection of the kernel's code."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, path: Path) -> Caller:
        reader, writer = await asyncio.open_unix_connection(path, limit=2 * LONGEST_LINE)
        return cls(reader, writer)

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def call(self, number: int, name: str = "ask", **arguments: Any) -> None:
        call = {"id": number, "call": name, "arguments": arguments}
        self.send(json.dumps(call).encode() + b"\n")

    async def answer(self) -> dict[str, Any]:
        line = await asyncio.wait_for(self.reader.readuntil(b"\n"), SECONDS)
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def ended(self) -> bool:
        try:
            return await asyncio.wait_for(self.reader.read(1), SECONDS) == b""
        except ConnectionResetError:
            return True


def test_only_the_kernel_s_user_can_connect() -> None:
    async def scenario() -> None:
        async with opened() as calls:
            assert calls.path.is_socket()
            assert calls.path.stat().st_mode & 0o777 == 0o600

    asyncio.run(scenario())


def test_calls_of_one_connection_are_answered_as_their_answers_come() -> None:
    async def scenario() -> None:
        slow = asyncio.Event()

        async def call(call: Call) -> dict[str, Any]:
            if call.name == "slow":
                await slow.wait()
            return await echo(call)

        async with opened(call) as calls:
            caller = await Caller.connect(calls.path)
            caller.call(1, "slow")
            caller.call(2, "fast", x="é")
            # Nothing more will come, but the answers are still wanted.
            caller.writer.write_eof()
            second = await caller.answer()
            assert (second["id"], second["result"]["arguments"]) == (2, {"x": "é"})
            slow.set()
            assert (await caller.answer())["id"] == 1
            assert await caller.ended()

    asyncio.run(scenario())


def test_bad_lines_get_an_error_and_the_connection_stays() -> None:
    async def scenario() -> None:
        async with opened() as calls:
            caller = await Caller.connect(calls.path)
            caller.send(b"nonsense\n\n  \n[]\n")
            for words in ("not JSON", "not an object"):
                answer = await caller.answer()
                assert (answer["id"], answer["ok"], answer["status"]) == (None, False, 400)
                assert words in answer["message"]
            # One line in pieces.
            caller.send(b'{"id": 5, "ca')
            await caller.writer.drain()
            caller.send(b'll": "ask"}\n')
            assert (await caller.answer())["id"] == 5

    asyncio.run(scenario())


@pytest.mark.parametrize("length", [LONGEST_LINE + 1, 1_000_000])
def test_a_line_that_is_too_long_is_skipped_to_its_end(length: int) -> None:
    async def scenario() -> None:
        async with opened() as calls:
            caller = await Caller.connect(calls.path)
            caller.send(b'"' + b"x" * (length - 1) + b"\n")
            caller.call(7)
            answer = await caller.answer()
            assert (answer["id"], answer["status"]) == (None, 413)
            assert "at most 65536 bytes" in answer["message"]
            assert (await caller.answer())["id"] == 7

    asyncio.run(scenario())


def test_the_longest_line_is_read() -> None:
    async def scenario() -> None:
        async with opened() as calls:
            caller = await Caller.connect(calls.path)
            begin, end = b'{"id": 1, "call": "ask", "arguments": {"x": "', b'"}}'
            caller.send(begin + b"x" * (LONGEST_LINE - len(begin) - len(end)) + end + b"\n")
            answer = await caller.answer()
            # Its answer would be longer.
            assert (answer["id"], answer["status"]) == (1, 500)

    asyncio.run(scenario())


def test_a_connection_has_no_more_calls_at_once_than_a_kernel_may_have() -> None:
    async def scenario() -> None:
        begun, go, all_begun = 0, asyncio.Event(), asyncio.Event()

        async def call(call: Call) -> dict[str, Any]:
            nonlocal begun
            begun += 1
            if begun == AT_ONCE + 1:
                all_begun.set()
            await go.wait()
            return await echo(call)

        async with opened(call) as calls:
            caller = await Caller.connect(calls.path)
            for number in range(AT_ONCE + 5):
                caller.call(number)
            other = await Caller.connect(calls.path)
            other.call(1)
            await asyncio.wait_for(all_begun.wait(), SECONDS)
            assert begun == AT_ONCE + 1
            go.set()
            numbers = {(await caller.answer())["id"] for _ in range(AT_ONCE + 5)}
            assert numbers == set(range(AT_ONCE + 5))
            # The others began when those before them had ended.
            assert begun == AT_ONCE + 6

    asyncio.run(scenario())


def test_half_lines_keep_nobody_from_calling() -> None:
    async def scenario() -> None:
        async with opened() as calls:
            crowd = []
            for _ in range(2 * MOST_CONNECTIONS):
                crowd.append(await Caller.connect(calls.path))
                crowd[-1].send(b'{"id": ')
            caller = await Caller.connect(calls.path)
            caller.call(1)
            assert (await caller.answer())["ok"]
            # The oldest had to go, and were told why.
            answer = await crowd[0].answer()
            assert (answer["id"], answer["status"]) == (None, 429)
            assert await crowd[0].ended()
            # The youngest can still end its line.
            crowd[-1].send(b'9, "call": "ask"}\n')
            assert (await crowd[-1].answer())["id"] == 9

    asyncio.run(scenario())


def test_connections_with_calls_are_kept_and_a_new_one_is_told_to_try_again() -> None:
    async def scenario() -> None:
        begun, go = asyncio.Semaphore(0), asyncio.Event()

        async def call(call: Call) -> dict[str, Any]:
            begun.release()
            await go.wait()
            return await echo(call)

        async with opened(call) as calls:
            crowd = [await Caller.connect(calls.path) for _ in range(MOST_CONNECTIONS)]
            for caller in crowd:
                caller.call(1)
            for _ in crowd:
                await asyncio.wait_for(begun.acquire(), SECONDS)
            late = await Caller.connect(calls.path)
            answer = await late.answer()
            assert (answer["status"], answer["ok"]) == (429, False)
            assert await late.ended()
            go.set()
            for caller in crowd:
                assert (await caller.answer())["ok"]

    asyncio.run(scenario())


def test_who_does_not_read_its_answers_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_connection, "_SEND_SECONDS", 0.2)

    async def scenario() -> None:
        async with opened() as calls:
            loop = asyncio.get_running_loop()
            deaf = socket.socket(socket.AF_UNIX)
            deaf.setblocking(False)
            await loop.sock_connect(deaf, str(calls.path))
            line = json.dumps({"id": 1, "call": "ask", "arguments": {"x": "y" * 30_000}}).encode()
            with pytest.raises((BrokenPipeError, ConnectionResetError)):
                await asyncio.wait_for(loop.sock_sendall(deaf, 1000 * (line + b"\n")), SECONDS)
            deaf.close()
            caller = await Caller.connect(calls.path)
            caller.call(1)
            assert (await caller.answer())["ok"]

    asyncio.run(scenario())


def test_a_flood_takes_turns_with_everything_else_and_only_some_of_the_time() -> None:
    async def scenario() -> None:
        handled = 0

        async def call(call: Call) -> dict[str, Any]:
            nonlocal handled
            handled += 1
            return await echo(call)

        async with opened(call) as calls:
            crowd = [await Caller.connect(calls.path) for _ in range(20)]
            for caller in crowd:
                caller.send(b'{"id": 1, "call": "ask"}\n' * 1000)
            begun = time.monotonic()
            while handled < 4000:
                before = handled
                await asyncio.sleep(0)
                assert handled - before <= len(crowd)
            # 4000 lines cost as much as twice what a second allows.
            assert time.monotonic() - begun > 0.5

    asyncio.run(scenario())


def test_a_socket_that_somebody_left_is_replaced() -> None:
    async def scenario() -> None:
        with short_folder("fleet-calls-") as folder:
            path = folder / "calls"
            with socket.socket(socket.AF_UNIX) as left:
                left.bind(str(path))
            calls = CallSocket(path, echo)
            await calls.open()
            caller = await Caller.connect(path)
            caller.call(1)
            assert (await caller.answer())["ok"]
            await calls.close()
            assert await caller.ended()

    asyncio.run(scenario())


def test_the_last_line_may_lack_its_end() -> None:
    async def scenario() -> None:
        async with opened() as calls:
            caller = await Caller.connect(calls.path)
            caller.send(b'{"id": 1, "call": "ask"}\n{"id": 2, "call": "ask"}')
            caller.writer.write_eof()
            assert {(await caller.answer())["id"], (await caller.answer())["id"]} == {1, 2}
            assert await caller.ended()
            caller = await Caller.connect(calls.path)
            caller.send(b'{"id": 1, "ca')
            caller.writer.write_eof()
            assert (await caller.answer())["status"] == 400
            assert await caller.ended()

    asyncio.run(scenario())


def test_a_line_that_has_no_end_when_its_connection_is_dropped_is_no_call() -> None:
    async def scenario() -> None:
        made: list[str] = []

        async def call(one: Call) -> dict[str, Any]:
            made.append(one.name)
            return await echo(one)

        async with opened(call) as calls:
            begun = await Caller.connect(calls.path)
            begun.send(b'{"id": 1, "call": "ask"}')
            others = [await Caller.connect(calls.path) for _ in range(MOST_CONNECTIONS)]
            assert (await begun.answer())["status"] == 429
            assert await begun.ended()
            others[-1].call(2, "mine")
            assert (await others[-1].answer())["ok"]
        assert made == ["mine"]

    asyncio.run(scenario())


@pytest.mark.parametrize("replaced", [False, True])
def test_a_socket_that_the_kernel_s_code_has_removed_is_back_for_its_next_process(
    replaced: bool,
) -> None:
    async def scenario() -> None:
        async with opened() as calls:
            before = await Caller.connect(calls.path)
            before.call(1)
            assert (await before.answer())["ok"]
            there = calls.path.stat().st_ino
            await calls.renew()
            assert calls.path.stat().st_ino == there
            calls.path.unlink()
            if replaced:
                calls.path.write_text("mine")
            await calls.renew()
            after = await Caller.connect(calls.path)
            for caller in (before, after):
                caller.call(2)
                assert (await caller.answer())["ok"]

    asyncio.run(scenario())
