"""Which pools there should be, while kernelspecs and policies change."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpecManager

from gateway_ext.kernels.lifecycle.pool_shapes import PoolShapes
from gateway_ext.kernels.lifecycle.pools import Pools
from gateway_ext.kernels.refusal import Refusal
from gateway_ext.ownership.new_kernel import NewKernel
from gateway_ext.process_proxies.agent_process import AgentStart, LaunchFailed, NoPool


class Kernelspecs:
    """Kernelspecs in a folder. What a kernel of one is can be found out, but for `problem`."""

    def __init__(self, folder: Path, problem: Exception | None = None, pools: Any = 2) -> None:
        self.folder = folder
        self.problem = problem
        self.specs = KernelSpecManager(kernel_dirs=[str(folder)], ensure_native_kernel=False)
        self.write("python", pools)
        settings: Any = None
        processes: Any = self
        self.shapes = PoolShapes(
            processes, self.specs, settings, self.decided, logging.getLogger("pools")
        )

    def write(self, name: str, pools: Any) -> Path:
        """A kernelspec with these pools; its file."""
        file = self.folder / name / "kernel.json"
        file.parent.mkdir(exist_ok=True)
        document = {"argv": ["x"], "display_name": name, "language": "python"}
        file.write_text(json.dumps({**document, "metadata": {"fleet": {"pool": pools}}}))
        return file

    async def kernelspec(self, name: str) -> Any:
        return self.specs.get_kernel_spec(name)

    @asynccontextmanager
    async def planned(self, start: AgentStart, *_: Any) -> AsyncIterator[Any]:
        def pool_shape(*_: Any) -> str:
            if start.kernel_name == "python" and self.problem is not None:
                raise self.problem
            return f"shape of {start.kernel_name}"

        yield SimpleNamespace(pool_shape=pool_shape), {}

    async def decided(self, new: Any, spec: Any) -> Any:
        if isinstance(self.problem, Refusal):
            raise self.problem
        return new

    def wanted(self, times: int = 1) -> tuple[set[str], set[str]]:
        """The shapes that are wanted, and the kernelspecs of which that cannot be said."""
        for _ in range(times):
            pools, unsure = asyncio.run(self.shapes.wanted())
        return {pool.shape for pool in pools}, unsure


@pytest.mark.parametrize(
    "problem",
    [
        Refusal(400, "not allowed: cpus"),
        NoPool("each project has a namespace of its own"),
    ],
)
def test_a_pool_that_cannot_be_is_not_wanted_and_the_log_says_once_why(
    problem: Exception, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    kernelspecs = Kernelspecs(tmp_path, problem, [{"size": 1}])
    assert kernelspecs.wanted(times=3) == (set(), set())
    assert [record.getMessage() for record in caplog.records] == [
        f"a pool of the kernelspec python: {problem}"
    ]


@pytest.mark.parametrize(
    "problem",
    [Refusal(500, "no policy can be read"), LaunchFailed("the template is being written")],
)
def test_while_that_cannot_be_said_the_kernels_that_wait_are_left_alone(
    problem: Exception, tmp_path: Path
) -> None:
    kernelspecs = Kernelspecs(tmp_path, problem, [{"size": 1}, {"size": 2}])
    assert kernelspecs.wanted() == (set(), {"python"})


def test_a_kernelspec_that_is_being_written_leaves_its_pool_alone_and_others_go_on(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    kernelspecs = Kernelspecs(tmp_path, pools={"size": 1})
    file = kernelspecs.write("scala", {"size": 1})
    assert kernelspecs.wanted() == ({"shape of python", "shape of scala"}, set())
    whole = file.read_text()
    file.write_text(whole[: len(whole) // 2])
    assert kernelspecs.wanted(times=3) == ({"shape of python"}, {"scala"})
    [said] = [record.getMessage() for record in caplog.records]
    assert said.startswith("a pool of the kernelspec scala: JSONDecodeError")
    file.write_text(whole)
    assert kernelspecs.wanted() == ({"shape of python", "shape of scala"}, set())
    file.unlink()
    assert kernelspecs.wanted() == ({"shape of python"}, set())


def test_a_template_that_fails_in_an_unexpected_way_stops_no_other_pool(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    kernelspecs = Kernelspecs(tmp_path, KeyError("metadata"), {"size": 1})
    kernelspecs.write("scala", {"size": 1})
    assert kernelspecs.wanted(times=3) == ({"shape of scala"}, {"python"})
    [said] = [record.getMessage() for record in caplog.records]
    assert said == "a pool of the kernelspec python: KeyError('metadata')"


@pytest.mark.parametrize("problem", [LaunchFailed("not now"), KeyError("metadata"), None])
def test_a_start_whose_shape_cannot_be_said_is_cold(
    problem: Exception | None, tmp_path: Path
) -> None:
    kernelspecs = Kernelspecs(tmp_path, problem)
    spec = kernelspecs.specs.get_kernel_spec("python")
    new = NewKernel("k", "demo", "", "ada", "python", {})
    shape = asyncio.run(kernelspecs.shapes.of_start(new, spec))
    assert shape == (None if problem else "shape of python")


@pytest.mark.parametrize(
    ("problem", "pools", "asked"),
    [
        (None, {"size": 1}, ["shape of python"]),
        (None, None, []),
        (None, {"sizes": 1}, []),
        (Refusal(400, "not allowed: cpus"), {"size": 1}, []),
        (KeyError("metadata"), {"size": 1}, []),
    ],
)
def test_a_start_is_sent_where_a_kernel_of_its_very_shape_waits(
    problem: Exception | None, pools: Any, asked: list[str], tmp_path: Path
) -> None:
    kernelspecs = Kernelspecs(tmp_path, problem, pools)
    shapes: list[str] = []

    async def owners(shape: str) -> set[str]:
        shapes.append(shape)
        return {"gateway-1"}

    pools_here: Any = SimpleNamespace(
        _processes=kernelspecs,
        _decided=kernelspecs.decided,
        _shapes=kernelspecs.shapes,
        _records=SimpleNamespace(owners=owners),
    )
    new = NewKernel("k", "demo", "", "ada", "python", {})
    found = asyncio.run(Pools.owners(pools_here, new))
    assert shapes == asked
    assert found == ({"gateway-1"} if asked else set())


def test_a_declaration_that_is_wrong_wants_no_pool(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    assert Kernelspecs(tmp_path, Refusal(500, "not asked")).wanted() == (set(), set())
    assert "metadata.fleet.pool must be an object" in caplog.text
