"""Calls to a cluster that take long, fail, or are not wanted any more."""

import asyncio
import threading

import pytest

from gateway_ext.process_proxies.cluster_calls import ClusterCalls, ClusterSilent
from gateway_ext.process_proxies.uncut import uncut


async def test_a_canceled_call_that_has_begun_is_waited_for() -> None:
    """Or what it makes would not be found by who removes it."""
    begun, goes_on, made = threading.Event(), threading.Event(), threading.Event()

    def make() -> None:
        begun.set()
        goes_on.wait(10)
        made.set()

    calls = ClusterCalls(1, 10.0, "test", "it")
    caller = asyncio.ensure_future(calls.run(make))
    await asyncio.get_running_loop().run_in_executor(None, begun.wait, 10)
    waits = asyncio.ensure_future(calls.run(made.clear))
    await asyncio.sleep(0)
    caller.cancel()
    # One that has not begun never does.
    waits.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits
    assert not caller.done()
    goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert made.is_set()


async def test_a_call_that_takes_too_long_is_left() -> None:
    goes_on = threading.Event()
    calls = ClusterCalls(1, 0.05, "test", "it")
    with pytest.raises(ClusterSilent, match=r"it does not answer within 0\.05 s"):
        await calls.run(lambda: goes_on.wait(10))
    goes_on.set()
    assert await ClusterCalls(1, 10.0, "test", "it").run(lambda: 42) == 42


async def test_work_goes_to_its_end_though_its_caller_is_canceled() -> None:
    goes_on = asyncio.Event()
    done: list[str] = []

    async def work() -> None:
        await goes_on.wait()
        done.append("made")
        raise ValueError("which nobody hears")

    caller = asyncio.ensure_future(uncut(work()))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.sleep(0)
    assert not caller.done()
    goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert done == ["made"]
