"""Six kernels on YARN while their gateways are killed and restarted in turn."""

from __future__ import annotations

import asyncio
import signal

import pytest

from tests.chaos.counting_kernel import CountingKernel
from tests.clusters.yarn.yarn_fleet import SECONDS, YarnFleet, yarn_fleet
from tests.integration.gateway_ext.fleet_of_gateways import wait_until

KERNELS = 6
ROUNDS = (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGTERM)


@pytest.mark.full
@pytest.mark.timeout(1800)
async def test_six_printing_kernels_lose_no_line_when_gateways_end_in_turn(
    fleet: YarnFleet,
) -> None:
    # A gateway ends with the thread that started it, and those of this test end with it.
    with yarn_fleet(fleet.yarn) as own:
        kernels = [await _started(own, number) for number in range(KERNELS)]
        pids = {kernel.kernel_id: kernel.pid for kernel in kernels}
        for number, how in enumerate(ROUNDS):
            await asyncio.to_thread(_end_one, own, number % 2, how)
            await asyncio.gather(*(kernel.goes_on(SECONDS) for kernel in kernels))
        print(f"{KERNELS} kernels, {sum(kernel.count for kernel in kernels)} lines")
        assert [kernel.violations for kernel in kernels] == [[]] * KERNELS
        assert {kernel.kernel_id: kernel.pid for kernel in kernels} == pids
        await asyncio.gather(*(kernel.close() for kernel in kernels))
        for kernel in kernels:
            await asyncio.to_thread(own.end, kernel.kernel_id)
        # Applications, folders of staging, folders of nodes, processes.
        await asyncio.to_thread(wait_until, lambda: not own.yarn.left(), SECONDS)


async def _started(fleet: YarnFleet, number: int) -> CountingKernel:
    kernel_id = await asyncio.to_thread(fleet.started, "spark", number % 2)
    headers = fleet.gateways.client().headers
    kernel = CountingKernel(kernel_id, fleet.gateways.urls, headers)
    await kernel.begin(SECONDS)
    return kernel


def _end_one(fleet: YarnFleet, number: int, how: signal.Signals) -> None:
    process = fleet.gateways.processes[number]
    process.signal(how)
    wait_until(lambda: process.exit_code is not None, SECONDS)
    fleet.gateways.start_again(number)
