"""The calls of a kernel while gateways come and go."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway_ext.agent.call_lines import AT_ONCE, Call
from gateway_ext.agent.kernel_calls import KernelCalls, idempotent_calls
from tests import skipped_time

KNOWN = {"ask": True, "buy": False}
"""One that may be repeated, and one that may not."""


class Gateway:
    """What a gateway is sent."""

    def __init__(self, calls: KernelCalls, known: dict[str, bool] | None) -> None:
        self.frames: list[dict[str, Any]] = []
        self._calls = calls
        calls.connected(self.frames.append, known)

    def answer(self, **answer: Any) -> None:
        """Answer what was sent first."""
        self._calls.called({"type": "called", "id": self.frames.pop(0)["id"], **answer})


async def begun(calls: KernelCalls, name: str, **arguments: Any) -> asyncio.Task[dict[str, Any]]:
    task = asyncio.create_task(calls.call(Call(1, name, arguments)))
    await asyncio.sleep(0)
    return task


def test_each_call_gets_its_own_answer() -> None:
    async def scenario() -> None:
        calls = KernelCalls()
        gateway = Gateway(calls, KNOWN)
        first, second = await begun(calls, "ask", x=1), await begun(calls, "ask", x=2)
        assert [frame["arguments"] for frame in gateway.frames] == [{"x": 1}, {"x": 2}]
        gateway.frames.reverse()
        gateway.answer(ok=True, result={"y": 2})
        gateway.answer(ok=False, status=403, message="no")
        assert await second == {"ok": True, "result": {"y": 2}}
        assert await first == {"ok": False, "status": 403, "message": "no"}

    skipped_time.run(scenario())


def test_a_call_without_an_answer_is_sent_to_the_next_gateway_if_it_may_be_repeated() -> None:
    async def scenario() -> None:
        calls = KernelCalls()
        first = Gateway(calls, KNOWN)
        ask, buy = await begun(calls, "ask"), await begun(calls, "buy")
        calls.disconnected()
        answer = await buy
        assert answer["status"] == 503
        assert "may or may not have been done" in answer["message"]
        # One that comes meanwhile waits, and was never sent.
        later = await begun(calls, "buy")
        second = Gateway(calls, KNOWN)
        assert [frame["call"] for frame in second.frames] == ["ask", "buy"]
        # The first one's answer comes too late.
        second.answer(ok=True, result={"from": "second"})
        first.answer(ok=True, result={"from": "first"})
        second.answer(ok=True, result={})
        assert (await ask)["result"] == {"from": "second"}
        assert (await later)["ok"]

    skipped_time.run(scenario())


def test_a_call_that_the_gateway_does_not_list_is_not_repeated() -> None:
    async def scenario() -> None:
        calls = KernelCalls()
        gateway = Gateway(calls, KNOWN)
        new = await begun(calls, "new")
        assert [frame["call"] for frame in gateway.frames] == ["new"]
        calls.disconnected()
        assert (await new)["status"] == 503

    skipped_time.run(scenario())


def test_gateways_that_know_no_calls_get_none() -> None:
    async def scenario() -> None:
        calls = KernelCalls()
        waiting = await begun(calls, "ask")
        old = Gateway(calls, None)
        for answer in (await waiting, await calls.call(Call(1, "ask", {}))):
            assert answer["status"] == 503
            assert answer["message"].startswith("this fleet's gateways are too old")
        assert old.frames == []

    skipped_time.run(scenario())


def test_a_call_does_not_wait_for_ever() -> None:
    async def scenario() -> None:
        calls = KernelCalls()
        answer = await calls.call(Call(1, "ask", {}))
        assert answer["status"] == 503
        assert answer["message"] == "no gateway of the fleet could be reached for 60 s"
        gateway = Gateway(calls, KNOWN)
        assert (await calls.call(Call(1, "ask", {})))["status"] == 504
        # An answer that comes too late is nobody's.
        gateway.answer(ok=True, result={})
        assert asyncio.get_running_loop().time() == 120

    skipped_time.run(scenario())


def test_only_so_many_calls_wait_at_once() -> None:
    async def scenario() -> None:
        calls = KernelCalls()
        gateway = Gateway(calls, KNOWN)
        tasks = [await begun(calls, "ask") for _ in range(AT_ONCE)]
        assert (await calls.call(Call(1, "ask", {})))["status"] == 429
        assert len(gateway.frames) == AT_ONCE
        gateway.answer(ok=True, result={})
        await tasks[0]
        tasks.append(await begun(calls, "ask"))
        assert len(gateway.frames) == AT_ONCE
        for task in tasks:
            task.cancel()

    skipped_time.run(scenario())


@pytest.mark.parametrize(
    "frame",
    [{}, {"ok": True}, {"ok": True, "result": 3}, {"ok": False}, {"ok": False, "status": "x"}],
)
def test_an_answer_that_cannot_be_read_is_an_error(frame: dict[str, Any]) -> None:
    async def scenario() -> None:
        calls = KernelCalls()
        gateway = Gateway(calls, KNOWN)
        ask = await begun(calls, "ask")
        calls.called({"type": "called", **frame})
        calls.called({"type": "called", "id": [], **frame})
        gateway.answer(**frame)
        assert (await ask)["status"] == 502

    skipped_time.run(scenario())


@pytest.mark.parametrize(
    ("calls", "known"),
    [
        (None, None),
        ([], None),
        ({}, {}),
        ({"ask": {"idempotent": True}, "buy": {"idempotent": False}}, KNOWN),
        ({"ask": {"idempotent": True, "more": 1}, "buy": None}, KNOWN),
    ],
)
def test_a_welcome_says_which_calls_there_are(calls: Any, known: dict[str, bool] | None) -> None:
    assert idempotent_calls({"type": "welcome", "calls": calls}) == known
    assert idempotent_calls({"type": "welcome"}) is None
