"""Many agents lose their gateway at once. They are the real agents, but none starts its kernel: a
hundred kernels do not fit a small machine."""

import asyncio
import secrets
import signal
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway_ext.agent.agent import Agent
from gateway_ext.agent.start_document import StartDocument
from gateway_ext.ownership.new_kernel import NewKernel
from tests.integration.gateway_ext.fleet_of_gateways import Gateways, running_gateways
from tests.integration.gateway_ext.records_of import records_as, write_launched
from tests.servers.short_folder import short_folder

AGENTS = 100
CLAIMS_PER_SECOND = 8
"""So few that the last in a gateway's queue waits for longer than the ping time-out, and some would
wait for so long that they are sent on."""
PING_TIMEOUT = 2.0
PER_AGENT = 5
"""Dials after the loss, on average: another gateway, and a few when that is busy."""


class HerdedGateways(Gateways):
    """Of which the first, to which all agents come before anything is lost, takes each at once."""

    def settings(self, number: int) -> dict[str, Any]:
        settings = super().settings(number)
        if number == 0:
            settings["FleetGatewayApp"]["claims_per_second"] = 1000.0
        return settings


def start_document(kernel_id: str, key: bytes, urls: list[str], directory: Path) -> StartDocument:
    return StartDocument(
        kernel_id=kernel_id,
        agent_key=key,
        gateways=tuple(urls),
        kernelspec={"argv": ["none"]},
        kernel_name="python",
        resource_dir="",
        directory=directory,
        cwd=directory,
        journal_memory_bytes=10**6,
        ping_seconds=PING_TIMEOUT / 4,
        ping_timeout=PING_TIMEOUT,
        orphan_seconds=300.0,
        environment={},
    )


def test_agents_of_a_killed_gateway_spread_without_a_stampede() -> None:
    settings = {"claims_per_second": CLAIMS_PER_SECOND, "ping_timeout": PING_TIMEOUT}
    with (
        running_gateways(
            changes={"FleetGatewayApp": settings}, count=3, kind=HerdedGateways
        ) as gateways,
        short_folder("fleet-herd-") as folder,
    ):
        records = records_as(gateways, "gateway-0")

        async def owners() -> Counter[str | None]:
            return Counter(record.owner for record in await records.list_kernels())

        def claimed(*numbers: int) -> int:
            return sum(gateways.log(number).count("claimed with epoch") for number in numbers)

        async def until(condition: Callable[[], bool]) -> None:
            deadline = time.monotonic() + 60
            while not condition():
                assert time.monotonic() < deadline, await owners()
                await asyncio.sleep(0.3)

        async def run() -> Counter[str | None]:
            work = []
            for _ in range(AGENTS):
                new = NewKernel(str(uuid.uuid4()), "demo", "", "ada", "python", {})
                key = secrets.token_bytes(32)
                await write_launched(gateways, "gateway-0", new, key)
                # At first they know this gateway alone, and are told of the others by it.
                document = start_document(new.kernel_id, key, gateways.urls[:1], folder)
                work.append(asyncio.create_task(Agent(document)._connect()))
            try:
                await until(lambda: claimed(0) == AGENTS)
                assert set(await owners()) == {"gateway-0"}
                gateways.processes[0].signal(signal.SIGKILL)
                await until(lambda: claimed(1, 2) >= AGENTS)
                return await owners()
            finally:
                for task in work:
                    task.cancel()
                await asyncio.gather(*work, return_exceptions=True)

        found = asyncio.run(run())
        logs = gateways.log(1) + gateways.log(2)
        claims = claimed(1, 2)
        dials = logs.count("GET /api/fleet/agents/")
        busy = logs.count("is taking over too many kernels")
        assert (found.total(), set(found)) == (AGENTS, {"gateway-1", "gateway-2"}), found
        # Each of the two is as likely for each agent: one run in a million is further off.
        assert min(found.values()) > AGENTS / 4, found
        # Each was taken over once: nobody who waited for its turn was given up, or went away.
        assert claims == AGENTS, (claims, dials, busy)
        assert dials <= AGENTS * PER_AGENT, (dials, busy)
        print(f"{found}, {dials} dials, {busy} of them answered with busy")
        gateways.start_again(0)
