"""What the agent's journal on disk costs: cells that print much while a page reads, through our
Python kernel and its agent, with the journal on disk and in memory alone."""

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from tests.bench.bench import Bench, Measure
from tests.bench.table import Table
from tests.integration.agent.scripted_gateway import Fleet, Link, Stream
from tests.servers.short_folder import short_folder

DISK, MEMORY = "journal on disk", "memory alone"
LIMITS = {DISK: (2**20, 2**30), MEMORY: (64 * 2**20, 0)}
"""Bytes in memory and on disk: so little in memory that nearly everything goes to disk."""
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
        [DISK, MEMORY],
        DISK,
        "median ms (lowest) from the request to reply and idle; prints/s; MB/s; CPU ms of agent "
        "and kernel; the agent's memory in MB",
    )
    runner = bench.stack.enter_context(asyncio.Runner())
    agents = {name: started(bench, runner, *limits) for name, limits in LIMITS.items()}
    lines = {
        line: {name: measure_of(runner, *agent, prints, code) for name, agent in agents.items()}
        for line, (prints, code) in LINES.items()
    }
    bench.interleave(table, lines)
    return table


def started(
    bench: Bench, runner: asyncio.Runner, memory_bytes: int, disk_bytes: int
) -> tuple[Fleet, Link, Stream]:
    """An agent with a kernel, its connection, and a page."""
    fleet = Fleet(Path(bench.stack.enter_context(short_folder("fleet-journal-"))))
    bench.stack.callback(fleet.stop)
    fleet.agent_command = [os.environ["FLEET_KERNEL_PYTHON"], "-m", "gateway_ext.agent"]
    page = Stream("page", cursor=True)

    async def start() -> Link:
        fleet.gateway()
        link = await fleet.running(
            journal_memory_bytes=memory_bytes, journal_disk_bytes=disk_bytes, ping_timeout=60
        )
        await page.open(link)
        return link

    return fleet, runner.run(start()), page


def measure_of(
    runner: asyncio.Runner, fleet: Fleet, link: Link, page: Stream, prints: int, code: str
) -> Measure:
    """What a cell takes that makes so many prints."""

    def measure() -> tuple[float, Mapping[str, float]]:
        page.messages.clear()
        agent, kernel = psutil.Process(fleet.agent.pid), psutil.Process(link.state["pid"])
        used = [processor_seconds(process) for process in (agent, kernel)]
        begun = time.perf_counter()
        text = runner.run(page.run(code, seconds=120))
        taken = time.perf_counter() - begun
        if text.count("\n") != prints:
            raise RuntimeError(f"{text.count(chr(10))} of {prints} lines came")
        agent_seconds, kernel_seconds = (
            processor_seconds(process) - before
            for process, before in zip((agent, kernel), used, strict=True)
        )
        return taken * 1000, {
            "prints/s": prints / taken,
            "MB/s": len(text) / taken / 1e6,
            "agent": agent_seconds * 1000,
            "kernel": kernel_seconds * 1000,
            "MB": agent.memory_info().rss / 1e6,
        }

    return measure


def processor_seconds(process: psutil.Process) -> float:
    """What a process has used, in all its threads."""
    times = process.cpu_times()
    return float(times.user + times.system)
