"""Which kernels are looked at because their cluster may have ended them."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

from gateway_ext.kernels.lifecycle.agent_processes import AgentProcesses
from gateway_ext.kernels.lifecycle.ended_in_cluster import EndedInCluster
from gateway_ext.kernels.lifecycle.kernel_care import GatewayKernels
from gateway_ext.process_proxies.agent_process import AgentLife

LOCAL = "gateway_ext.process_proxies.local.LocalAgentProxy"
YARN = "gateway_ext.process_proxies.yarn.YarnAgentProxy"


class Processes(AgentProcesses):
    """Counts the proxies that are made; each says that the kernel lives."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def proxy_of(self, record: Any) -> Any:
        self.made.append(record.kernel_id)
        return SimpleNamespace(look=self._look, MAY_OUTLIVE_ITS_CLUSTER=True)

    async def _look(self) -> AgentLife:
        return AgentLife.ALIVE


class Links:
    def __init__(self, processes: dict[str, Any]) -> None:
        self._links = {
            kernel_id: SimpleNamespace(
                kernel_id=kernel_id, record=SimpleNamespace(kernel_id=kernel_id, process=process)
            )
            for kernel_id, process in processes.items()
        }

    def __iter__(self) -> Any:
        return iter(self._links.values())

    def get(self, kernel_id: str) -> Any:
        return self._links.get(kernel_id)


class Launches(dict[str, Any]):
    def __init__(self, processes: Processes) -> None:
        super().__init__()
        self.processes = processes


def test_only_kernels_that_may_outlive_their_cluster_take_time_of_the_event_loop() -> None:
    processes = Processes()
    links: Any = Links(
        {
            "local": {"proxy": LOCAL},
            "yarn": {"proxy": YARN},
            "of-a-plugin-that-is-gone": {"proxy": "no.such.Proxy"},
            "unreadable": {},
        }
    )
    records: Any = None
    launches: Any = Launches(processes)
    kernels = GatewayKernels(records, launches, links, logging.getLogger(__name__))
    ended = EndedInCluster(kernels)
    asyncio.run(ended.look())
    assert processes.made == ["yarn"]
