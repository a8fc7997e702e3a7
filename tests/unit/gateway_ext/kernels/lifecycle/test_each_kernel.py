"""Work on one kernel after the other, of which one may fail."""

import logging
from types import SimpleNamespace

import pytest

from gateway_ext.kernels.lifecycle.each_kernel import each
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
