"""Which pools there should be, while kernelspecs and policies change."""

import asyncio
import logging
from typing import Any

import pytest

from gateway_ext.kernels.lifecycle.pool_shapes import PoolShapes
from gateway_ext.kernels.refusal import Refusal
from gateway_ext.process_proxies.agent_process import LaunchFailed, NoPool


class Kernelspecs:
    """Declares `pools` for one kernelspec, of which nothing can be found out but `problem`."""

    def __init__(self, problem: Exception, pools: Any = 2) -> None:
        self._problem = problem
        self._pools = pools

    def get_all_specs(self) -> dict[str, Any]:
        return {"python": {"spec": {"metadata": {"fleet": {"pool": self._pools}}}}, "other": {}}

    async def kernelspec(self, name: str) -> Any:
        return None

    async def decided(self, *_: Any) -> Any:
        raise self._problem


def wanted(kernelspecs: Any, times: int = 1) -> tuple[list[Any], set[str]]:
    log = logging.getLogger("pools")
    shapes = PoolShapes(kernelspecs, kernelspecs, kernelspecs, kernelspecs.decided, log)
    for _ in range(times):
        found = asyncio.run(shapes.wanted())
    return found


@pytest.mark.parametrize(
    "problem",
    [
        Refusal(400, "not allowed: cpus"),
        NoPool("each project has a namespace of its own"),
    ],
)
def test_a_pool_that_cannot_be_is_not_wanted_and_the_log_says_once_why(
    problem: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    kernelspecs = Kernelspecs(problem, [{"size": 1}])
    assert wanted(kernelspecs, times=3) == ([], set())
    assert [record.getMessage() for record in caplog.records] == [
        f"a pool of the kernelspec python: {problem}"
    ]


@pytest.mark.parametrize(
    "problem",
    [Refusal(500, "no policy can be read"), LaunchFailed("the template is being written")],
)
def test_while_that_cannot_be_said_the_kernels_that_wait_are_left_alone(problem: Exception) -> None:
    assert wanted(Kernelspecs(problem, [{"size": 1}, {"size": 2}])) == ([], {"python"})


def test_a_declaration_that_is_wrong_wants_no_pool(caplog: pytest.LogCaptureFixture) -> None:
    assert wanted(Kernelspecs(Refusal(500, "not asked"))) == ([], set())
    assert "metadata.fleet.pool must be an object" in caplog.text
