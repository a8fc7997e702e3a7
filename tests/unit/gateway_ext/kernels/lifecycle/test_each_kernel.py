"""Work on one kernel after the other, of which one may fail."""

import asyncio
import logging
from types import SimpleNamespace

import pytest

from gateway_ext.kernels.lifecycle.each_kernel import each, each_side_by_side
from jupyter_ext.database.engine import DatabaseUnavailable

KERNELS = [SimpleNamespace(kernel_id=name) for name in "abc"]
LOG = logging.getLogger("test")


async def test_one_kernel_that_fails_keeps_no_other_from_its_turn(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done = []

    async def act(kernel: SimpleNamespace) -> None:
        if kernel.kernel_id == "b":
            raise RuntimeError("the cluster's answer makes no sense")
        done.append(kernel.kernel_id)

    await each(KERNELS, act, LOG)
    assert done == ["a", "c"]
    assert "kernel b" in caplog.text
    assert "makes no sense" in caplog.text


async def test_the_round_ends_when_the_database_is_away() -> None:
    done = []

    async def act(kernel: SimpleNamespace) -> None:
        done.append(kernel.kernel_id)
        raise DatabaseUnavailable("away")

    with pytest.raises(DatabaseUnavailable):
        await each(KERNELS, act, LOG)
    assert done == ["a"]


async def test_kernels_of_a_silent_cluster_hold_up_no_others() -> None:
    done = []
    answers = asyncio.Event()

    async def act(kernel: SimpleNamespace) -> None:
        if kernel.kernel_id == "a":
            await answers.wait()
        done.append(kernel.kernel_id)
        if kernel.kernel_id == "c":
            answers.set()

    await asyncio.wait_for(each_side_by_side(KERNELS, act, 2, LOG), 10)
    assert done == ["b", "c", "a"]


async def test_no_more_kernels_than_allowed_are_worked_on_at_once() -> None:
    working, most = 0, 0

    async def act(kernel: SimpleNamespace) -> None:
        nonlocal working, most
        working += 1
        most = max(most, working)
        await asyncio.sleep(0)
        working -= 1

    await each_side_by_side(KERNELS, act, 2, LOG)
    assert most == 2


async def test_side_by_side_too_nothing_is_begun_when_the_database_is_away() -> None:
    done = []

    async def act(kernel: SimpleNamespace) -> None:
        done.append(kernel.kernel_id)
        raise DatabaseUnavailable("away")

    with pytest.raises(DatabaseUnavailable):
        await each_side_by_side(KERNELS, act, 1, LOG)
    assert done == ["a"]
