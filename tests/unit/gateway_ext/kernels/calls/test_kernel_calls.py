"""What a gateway answers to the calls of a kernel."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from gateway_ext.kernels.calls import kernel_calls
from gateway_ext.kernels.calls.call_budget import BURST
from gateway_ext.kernels.calls.kernel_call import CallRefused, KernelCall
from gateway_ext.kernels.calls.kernel_calls import KernelCalls
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.states import KernelState
from jupyter_ext.database.engine import DatabaseUnavailable
from tests import skipped_time
from tests.unit.gateway_ext.sample_record import sample_record

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RECORD = sample_record(kernel_id="id", now=NOW)
SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}, "additionalProperties": False}


class Link:
    """An agent's link, which takes answers unless it is deaf."""

    def __init__(self) -> None:
        self.kernel_id, self.epoch = "id", 7
        self.answers: dict[int, dict[str, Any]] = {}
        self.answered = asyncio.Condition()
        self.deaf = asyncio.Event()
        self.deaf.set()

    async def answer_call(self, number: int, answer: dict[str, Any]) -> None:
        await self.deaf.wait()
        async with self.answered:
            self.answers[number] = answer
            self.answered.notify_all()


class Records:
    """The table of kernels, with one row."""

    def __init__(self) -> None:
        self.record: KernelRecord | Exception | None = RECORD

    async def get(self, kernel_id: str) -> KernelRecord | None:
        assert kernel_id in ("id", "other")
        if isinstance(self.record, Exception):
            raise self.record
        return self.record


async def ask(record: KernelRecord, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"project": record.project, "username": record.username, **arguments}


class Gateway:
    """One call `ask`, which does what a test wants."""

    def __init__(
        self,
        handler: Callable[..., Awaitable[dict[str, Any]]] = ask,
        allowed: tuple[str, ...] = ("ask",),
        per_second: float = 10.0,
    ) -> None:
        self.records = Records()
        self.link = Link()
        table = {"ask": KernelCall("ask", SCHEMA, 200, 5.0, True, handler)}
        self.calls = KernelCalls(
            table,
            records=self.records,  # type: ignore[arg-type]
            allowed=allowed,
            per_second=per_second,
            log=logging.getLogger("test"),
        )
        self._number = 0

    def begin(self, name: Any = "ask", arguments: Any = None, size: int = 100) -> int:
        self._number += 1
        frame = {"type": "call", "id": self._number, "call": name, "arguments": arguments or {}}
        self.calls.receive(self.link, frame, size)  # type: ignore[arg-type]
        return self._number

    async def answer(self, number: int) -> dict[str, Any]:
        async with self.link.answered:
            await self.link.answered.wait_for(lambda: number in self.link.answers)
        return self.link.answers[number]

    async def ask(self, **changes: Any) -> dict[str, Any]:
        return await self.answer(self.begin(**changes))


def test_a_call_acts_as_the_kernel_s_project_and_user() -> None:
    async def scenario() -> None:
        gateway = Gateway()
        assert await gateway.ask(arguments={"x": 3}) == {
            "ok": True,
            "result": {"project": "demo", "username": "ada", "x": 3},
        }
        assert gateway.calls.for_agents() == {"ask": {"idempotent": True}}

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"name": "buy"}, 404, "there is no such call; this fleet has: ask"),
        ({"name": ["ask"]}, 404, "there is no such call"),
        ({"arguments": {"y": 3}}, 400, "'y' was unexpected"),
        ({"arguments": [3]}, 400, "is not of type 'object'"),
        ({"size": 201}, 413, "has 201 bytes; ask takes at most 200"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], status: int, words: str) -> None:
    answer = asyncio.run(Gateway().ask(**changes))
    assert (answer["ok"], answer["status"]) == (False, status)
    assert words in answer["message"]


def test_a_call_that_the_operator_does_not_allow_is_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = asyncio.run(Gateway(allowed=("buy",)).ask())
    assert answer["status"] == 403
    assert "FleetGatewayApp.kernel_calls" in answer["message"]
    assert "names of no call: buy" in caplog.text


async def broken(record: KernelRecord, arguments: Mapping[str, Any]) -> dict[str, Any]:
    raise KeyError("a detail of the gateway's")


async def refusing(record: KernelRecord, arguments: Mapping[str, Any]) -> dict[str, Any]:
    raise CallRefused(409, "not now")


async def endless(record: KernelRecord, arguments: Mapping[str, Any]) -> dict[str, Any]:
    await asyncio.sleep(1e9)
    return {}


@pytest.mark.parametrize(
    ("handler", "status", "words"),
    [
        (broken, 500, "ask failed; the gateway's log says why"),
        (refusing, 409, "not now"),
        (endless, 504, "ask was not done within 5 s"),
    ],
)
def test_a_call_that_fails_says_so_and_no_more(
    handler: Callable[..., Awaitable[dict[str, Any]]], status: int, words: str
) -> None:
    answer = skipped_time.run(Gateway(handler).ask())
    assert answer["status"] == status
    assert answer["message"].startswith(words)
    assert "a detail of the gateway's" not in answer["message"]


@pytest.mark.parametrize(
    ("record", "status"),
    [
        (None, 404),
        (replace(RECORD, state=KernelState.DELETED), 404),
        (replace(RECORD, epoch=8, owner="b"), 503),
        (DatabaseUnavailable("the database is away"), 503),
    ],
)
def test_only_the_owner_of_a_kernel_that_exists_acts(
    record: KernelRecord | Exception | None, status: int
) -> None:
    async def handler(record: KernelRecord, arguments: Mapping[str, Any]) -> dict[str, Any]:
        raise AssertionError("it acted")

    async def scenario() -> dict[str, Any]:
        gateway = Gateway(handler)
        gateway.records.record = record
        return await gateway.ask()

    assert asyncio.run(scenario())["status"] == status


def test_a_kernel_that_calls_too_often_is_told_and_others_are_served() -> None:
    async def scenario() -> None:
        gateway = Gateway(per_second=0.1)
        statuses = [(await gateway.ask()).get("status") for _ in range(BURST + 5)]
        assert statuses == [None] * BURST + [429] * 5
        # A new connection of the same kernel is no way around it.
        gateway.link = Link()
        assert (await gateway.ask())["status"] == 429
        gateway.link = other = Link()
        other.kernel_id = "other"
        assert (await gateway.ask())["ok"]

    asyncio.run(scenario())


def timers() -> int:
    """How many timers the event loop has."""
    handles: list[asyncio.TimerHandle] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return sum(not handle.cancelled() for handle in handles)


def test_a_kernel_that_floods_its_gateway_with_calls_takes_no_memory_there() -> None:
    async def scenario() -> None:
        gateway = Gateway(per_second=0.1)
        for _ in range(BURST + 200):
            await gateway.ask()
        assert timers() == 1

    asyncio.run(scenario())


def test_a_kernel_that_is_quiet_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(kernel_calls, "time", SimpleNamespace(monotonic=loop.time))
        gateway = Gateway(per_second=1000.0)
        await asyncio.gather(*(gateway.ask() for _ in range(BURST)))
        await asyncio.sleep(5)
        assert (gateway.calls._budgets, timers()) == ({}, 0)

    skipped_time.run(scenario())


def test_an_agent_that_does_not_read_its_answers_is_cut_off() -> None:
    async def scenario() -> None:
        gateway = Gateway()
        gateway.link.deaf.clear()
        for _ in range(2 * BURST):
            gateway.begin()
        await asyncio.sleep(1)
        with pytest.raises(ValueError, match="calls have no answer"):
            gateway.begin()
        gateway.link.deaf.set()
        await gateway.answer(2 * BURST)
        gateway.begin()

    skipped_time.run(scenario())


@pytest.mark.parametrize("number", [None, "1", True, 1.0])
def test_a_call_without_a_number_is_no_agent_s(number: Any) -> None:
    gateway = Gateway()
    with pytest.raises(ValueError, match="not an integer"):
        gateway.calls.receive(gateway.link, {"id": number, "call": "ask"}, 10)  # type: ignore[arg-type]
