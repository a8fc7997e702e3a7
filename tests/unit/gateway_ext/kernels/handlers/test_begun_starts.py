"""A start for which the caller does not wait, at another gateway."""

import asyncio
import gc
import json
from types import SimpleNamespace
from typing import Any

import pytest

from gateway_ext.kernels.handlers import kernel_handlers
from gateway_ext.kernels.handlers.kernel_handlers import KernelsHandler
from gateway_ext.kernels.handlers.relay import Answer, OwnerAway
from gateway_ext.kernels.refusal import Refusal
from gateway_ext.ownership.states import KernelState
from jupyter_ext.database.engine import DatabaseUnavailable

NEW: Any = SimpleNamespace(kernel_id="k", project="demo", personal=False, launch_options={})


class Handler:
    """What the call needs of its handler; records are found one after the other."""

    def __init__(self, *found: Any) -> None:
        self._found = list(found)
        self.manager: Any = SimpleNamespace(records=SimpleNamespace(get=self._get))

    def model(self, record: Any) -> Any:
        return {"id": record.kernel_id}

    async def _get(self, kernel_id: str) -> Any:
        return self._found.pop(0) if len(self._found) > 1 else self._found[0]

    async def begun(self, start: Any) -> Answer:
        return await KernelsHandler._begun(self, start, NEW)  # type: ignore[arg-type]


def record(state: KernelState, project: str = "demo") -> Any:
    return SimpleNamespace(
        kernel_id="k", state=state, project=project, only_for=None, launch_options=None
    )


async def waits_for_the_kernel() -> Answer:
    """A gateway of the version before, which does not know the header."""
    await asyncio.sleep(60)
    raise AssertionError("nobody waits for it")


async def test_the_other_gateway_s_answer_is_passed_on() -> None:
    async def start() -> Answer:
        return Answer(201, "application/json", b"{}")

    assert (await Handler(None).begun(start())).body == b"{}"


async def test_a_gateway_that_waits_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_handlers, "RECORD_SECONDS", 0.01)
    handler = Handler(None, None, record(KernelState.LAUNCHING))
    answer = await asyncio.wait_for(handler.begun(waits_for_the_kernel()), 10)
    assert (answer.status, json.loads(answer.body)) == (201, {"id": "k"})


async def test_a_kernel_of_another_project_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_handlers, "RECORD_SECONDS", 0.01)
    handler = Handler(record(KernelState.RUNNING, "other"))
    with pytest.raises(Refusal) as refusal:
        await asyncio.wait_for(handler.begun(waits_for_the_kernel()), 10)
    assert refusal.value.status == 409


async def test_a_gateway_that_goes_before_there_is_a_record_was_asked_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernel_handlers, "RECORD_SECONDS", 0.01)

    looked = asyncio.Event()
    handler = Handler(None)
    get = handler.manager.records.get

    async def noticed(kernel_id: str) -> Any:
        looked.set()
        return await get(kernel_id)

    handler.manager.records.get = noticed

    async def start() -> Answer:
        await looked.wait()
        raise OwnerAway("it has ended", acted=True)

    with pytest.raises(OwnerAway):
        await handler.begun(start())


async def test_a_call_that_nobody_waits_for_any_more_fails_in_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernel_handlers, "RECORD_SECONDS", 0.01)
    unseen: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unseen.append(context))
    ends, ended = asyncio.Event(), asyncio.Event()
    handler = Handler(None)

    async def away(kernel_id: str) -> Any:
        raise DatabaseUnavailable("away")

    handler.manager.records.get = away

    async def start() -> Answer:
        await ends.wait()
        asyncio.get_running_loop().call_soon(ended.set)
        raise OwnerAway("it has ended", acted=True)

    with pytest.raises(DatabaseUnavailable):
        await handler.begun(start())
    ends.set()
    await ended.wait()
    await asyncio.sleep(0)
    gc.collect()
    assert unseen == []
