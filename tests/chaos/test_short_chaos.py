"""Three minutes of faults. `make chaos` makes more of them."""

import asyncio
import os
import time
import uuid

import pytest

from tests.chaos.agent_logs import violations
from tests.chaos.chaos import Chaos
from tests.servers.seaweedfs import SeaweedFS

SECONDS = 110
FAULTS = 40
KERNELS = 6


@pytest.mark.timeout(420)
def test_no_fault_loses_or_doubles_a_kernel(seaweedfs: SeaweedFS) -> None:
    seed = os.environ.get("FLEET_CHAOS_SEED") or uuid.uuid4().hex[:8]
    print(f"FLEET_CHAOS_SEED={seed}")
    chaos = Chaos(gateways=3, labs=2, kernels=KERNELS, store=seaweedfs, say=print)

    async def run() -> None:
        await chaos.run(seed, FAULTS, until=time.monotonic() + SECONDS)
        if not chaos.violations:
            await chaos.end_kernels()

    try:
        asyncio.run(run())
    finally:
        chaos.stop()
    assert not chaos.violations, "\n".join([*chaos.violations, f"see {chaos.directory}"])
    assert sum(chaos.done.values()) >= 3


def test_the_logs_tell_of_two_owners() -> None:
    good = [
        "t INFO gateway http://a, epoch 1",
        "t INFO epoch 1: interrupt",
        "t INFO gateway http://a: connection ended",
        "t INFO gateway http://b, epoch 3",
    ]
    assert violations(good) == []
    assert violations([*good, "t INFO gateway http://a, epoch 4"])
    assert violations([*good, "t INFO epoch 1: restart"])
    ended = [*good, "t INFO gateway http://b: connection ended"]
    assert violations(ended) == []
    assert violations([*ended, "t INFO gateway http://a, epoch 3"])
    assert violations([*ended, "t INFO epoch 3: restart"])
