"""What the journal costs: cells that print much while a page reads, through an agent.

Ours is the kernel with credit and its agent with the journal on disk. Beside it: the same with the
journal in memory alone; agent and kernel of the version before, which has no journal, only a buffer
for connections that are lost; and stock ipykernel through the same agent with the journal on disk.
"""

import asyncio
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from tests.bench.bars import Bar, Limit
from tests.bench.bench import Bench, Measure
from tests.bench.table import Table
from tests.integration.agent.scripted_gateway import KERNELSPEC, Fleet, Link, Stream
from tests.integration.jupyter_ext.kernels.earlier_version import put_earlier
from tests.servers.short_folder import short_folder

DISK, MEMORY, BEFORE, STOCK = (
    "journal on disk",
    "memory alone",
    "version before, no journal",
    "stock ipykernel, journal on disk",
)
MEMORY_BYTES = 64 * 2**20
ON_DISK = {"journal_memory_bytes": 2**20, "journal_disk_bytes": 2**30}
"""So little in memory that nearly everything goes to disk."""
LINES = {
    "200,000 prints of 100 characters": (200_000, "for i in range(200_000): print(i, 'x' * 92)"),
    "20,000 flushed prints": (20_000, "for i in range(20_000): print(i, 'x' * 92, flush=True)"),
    "100 prints of 1 MB": (100, "for i in range(100): print('x' * 999_999)"),
}
"""How many prints a cell makes, and the cell."""


def run(bench: Bench) -> Table:
    """Each cell in turns, at one agent of each kind."""
    table = Table(
        "The journal",
        [DISK, MEMORY, BEFORE, STOCK],
        DISK,
        "median ms (lowest) from the request to reply and idle; prints/s; MB/s; CPU ms of agent "
        "and kernel; memory of agent and kernel in MB; lines that never came",
    )
    runner = bench.stack.enter_context(asyncio.Runner())
    folder = bench.stack.enter_context(short_folder("fleet-before-"))
    folder.chmod(0o755)
    put_earlier(folder, "gateway_ext", "kernelspecs")
    python = os.environ["FLEET_KERNEL_PYTHON"]
    agent = [python, "-m", "gateway_ext.agent"]
    spec = json.loads(KERNELSPEC.read_text())
    stock = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec_before = json.loads((folder / "kernelspecs" / "python" / "kernel.json").read_text())
    contestants: dict[str, tuple[list[str], dict[str, Any]]] = {
        DISK: (agent, ON_DISK),
        MEMORY: (agent, {"journal_memory_bytes": MEMORY_BYTES, "journal_disk_bytes": 0}),
        BEFORE: (
            ["env", f"PYTHONPATH={folder}", *agent],
            {"journal_bytes": MEMORY_BYTES, "kernelspec": spec_before},
        ),
        STOCK: (agent, {**ON_DISK, "kernelspec": {**spec, "argv": stock}}),
    }
    agents = {name: started(bench, runner, *one) for name, one in contestants.items()}
    lines = {
        line: {name: measure_of(runner, *one, prints, code) for name, one in agents.items()}
        for line, (prints, code) in LINES.items()
    }
    bench.interleave(table, lines)
    return table


def started(
    bench: Bench, runner: asyncio.Runner, command: list[str], document: Mapping[str, Any]
) -> tuple[Fleet, Link, Stream]:
    """An agent with a kernel, its connection, and a page; `document` has what is special of its
    start."""
    fleet = Fleet(Path(bench.stack.enter_context(short_folder("fleet-journal-"))))
    bench.stack.callback(fleet.stop)
    fleet.agent_command = command
    page = Stream("page", cursor=True)

    async def start() -> Link:
        fleet.gateway()
        link = await fleet.running(ping_timeout=60, **document)
        await page.open(link)
        return link

    return fleet, runner.run(start()), page


async def run_and_read(page: Stream, code: str) -> str:
    """What a cell prints, while the page says what it has: a kernel waits for those who do not."""

    async def acknowledge() -> None:
        while True:
            await asyncio.sleep(0.05)
            await page.acknowledge()

    acknowledging = asyncio.create_task(acknowledge())
    try:
        return await page.run(code, seconds=120)
    finally:
        acknowledging.cancel()


def measure_of(
    runner: asyncio.Runner, fleet: Fleet, link: Link, page: Stream, prints: int, code: str
) -> Measure:
    """What a cell takes that makes so many prints."""

    def measure() -> tuple[float, Mapping[str, float]]:
        page.messages.clear()
        agent, kernel = psutil.Process(fleet.agent.pid), psutil.Process(link.state["pid"])
        used = [processor_seconds(process) for process in (agent, kernel)]
        begun = time.perf_counter()
        text = runner.run(run_and_read(page, code))
        taken = time.perf_counter() - begun
        agent_seconds, kernel_seconds = (
            processor_seconds(process) - before
            for process, before in zip((agent, kernel), used, strict=True)
        )
        return taken * 1000, {
            "prints/s": prints / taken,
            "MB/s": len(text) / taken / 1e6,
            "agent": agent_seconds * 1000,
            "kernel": kernel_seconds * 1000,
            "agent MB": agent.memory_info().rss / 1e6,
            "kernel MB": kernel.memory_info().rss / 1e6,
            "lost": prints - text.count("\n"),
        }

    return measure


def processor_seconds(process: psutil.Process) -> float:
    """What a process has used, in all its threads."""
    times = process.cpu_times()
    return float(times.user + times.system)


def bars(table: Table) -> list[Bar | Limit]:
    """It may be one part in twenty slower than the stock kernel, and nothing may be lost."""
    return [
        bar
        for line in LINES
        for bar in (
            Bar(line, STOCK, at_least=0.95),
            Limit(line, 0, figure="lost", every_round=True),
        )
    ]
