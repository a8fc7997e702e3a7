"""Thirty kernels in pods while their gateways are killed and restarted in turn."""

import asyncio
import signal

import pytest

from tests.chaos.counting_kernel import CountingKernel
from tests.clusters.kubernetes.cluster import Cluster
from tests.clusters.kubernetes.pod_fleet import PodFleet, pod_fleet
from tests.integration.gateway_ext.fleet_of_gateways import wait_until

KERNELS = 30
AT_ONCE = 4
SECONDS = 240.0
ROUNDS = (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGTERM)


@pytest.mark.full
@pytest.mark.timeout(1800)
async def test_thirty_printing_kernels_lose_no_line_when_gateways_end_in_turn(
    audited: Cluster,
) -> None:
    with pod_fleet(audited) as fleet:
        kernels = await _started(fleet)
        pids = {kernel.kernel_id: kernel.pid for kernel in kernels}
        for number, how in enumerate(ROUNDS):
            await asyncio.to_thread(_end_one, fleet, number % 2, how)
            await asyncio.gather(*(kernel.goes_on(SECONDS) for kernel in kernels))
        print(f"{KERNELS} kernels, {sum(kernel.count for kernel in kernels)} lines")
        assert [kernel.violations for kernel in kernels] == [[]] * KERNELS
        assert {kernel.kernel_id: kernel.pid for kernel in kernels} == pids
        await asyncio.gather(*(kernel.close() for kernel in kernels))
        for kernel in kernels:
            await asyncio.to_thread(fleet.end, kernel.kernel_id)
        await asyncio.to_thread(wait_until, lambda: not audited.of_all_kernels(), SECONDS)


async def _started(fleet: PodFleet) -> list[CountingKernel]:
    turns = asyncio.Semaphore(AT_ONCE)

    async def start(number: int) -> CountingKernel:
        async with turns:
            kernel_id = await asyncio.to_thread(fleet.started, "pod", number % 2)
        headers = fleet.gateways.client().headers
        kernel = CountingKernel(kernel_id, fleet.gateways.urls, headers)
        await kernel.begin(SECONDS)
        return kernel

    return list(await asyncio.gather(*(start(number) for number in range(KERNELS))))


def _end_one(fleet: PodFleet, number: int, how: signal.Signals) -> None:
    process = fleet.gateways.processes[number]
    process.signal(how)
    wait_until(lambda: process.exit_code is not None, SECONDS)
    fleet.gateways.start_again(number)
