"""How applications are submitted to YARN: a shell in the place of spark-submit."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gateway_ext.process_proxies.submit_run import SubmitRun
from gateway_ext.process_proxies.yarn import YarnAgentProxy
from gateway_ext.process_proxies.yarn_cluster import YarnCluster

SUBMITTED = "echo Submitted application application_1_0001"


class Proxy(SimpleNamespace):
    """What `submit` needs of its proxy."""

    def __init__(self, folder: Path, cluster: YarnCluster, script: str) -> None:
        super().__init__(_folder=str(folder), cluster=cluster, script=script, kernel_id="k")
        self.may_be_there = False

    def _begin(self, run: SubmitRun, *others: Any) -> None:
        run.write({"start.json": b"the key"})
        run.begin(["sh", "-c", self.script], {"PATH": "/usr/bin:/bin"})

    def note(self, words: str) -> None:
        self.noted = words

    async def _applications(self) -> list[Any]:
        return []

    async def submit(self) -> None:
        nothing: Any = None
        await YarnAgentProxy.submit(self, nothing, nothing, nothing)  # type: ignore[arg-type]


def test_no_more_programs_of_spark_run_at_once_than_the_machine_can_bear(tmp_path: Path) -> None:
    cluster = YarnCluster(programs_at_once=2)
    # Fails if it is the third.
    script = (
        f"mkdir ../a 2>/dev/null && own=a || {{ mkdir ../b && own=b; }} || exit 1; "
        f"sleep 0.1; {SUBMITTED}; rmdir ../$own"
    )
    proxies = [Proxy(tmp_path / str(number), cluster, script) for number in range(6)]

    async def submitted() -> None:
        await asyncio.gather(*(proxy.submit() for proxy in proxies))

    asyncio.run(submitted())
    assert [str(proxy._application_id) for proxy in proxies] == ["application_1_0001"] * 6
    assert list(tmp_path.iterdir()) == []


async def test_a_launch_that_another_gateway_has_by_now_is_submitted_to_its_end(
    tmp_path: Path,
) -> None:
    waits = "touch ../runs; until [ -e ../go ]; do sleep 0.05; done; cp start.json ../read"
    proxy = Proxy(tmp_path / "own", YarnCluster(), waits)
    launch = asyncio.ensure_future(proxy.submit())
    async with asyncio.timeout(30):
        while True:
            await asyncio.sleep(0)
            if (tmp_path / "runs").exists():
                break
    launch.cancel()
    await asyncio.wait({launch})
    assert launch.cancelled()
    (tmp_path / "go").touch()
    await proxy._leaving
    assert (tmp_path / "read").read_bytes() == b"the key"
    assert not (tmp_path / "own").exists()
