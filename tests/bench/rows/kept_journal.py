"""How much of what a kernel said is not in the store when its whole container is killed.

Two labs, two gateways and the store are real; a cell prints until agent and kernel are killed in
one instant. Stock Jupyter has nothing to compare with: it keeps nothing of a kernel that is gone.
"""

import random
import time

from tests.bench.bars import Limit
from tests.bench.bench import Bench, Measure
from tests.bench.table import Table
from tests.integration.gateway_ext.fleet_of_gateways import kill_container, wait_until
from tests.integration.jupyter_ext.journals.test_journals_of_kernels import Fleet
from tests.servers.seaweedfs import start_seaweedfs
from tests.servers.short_folder import short_folder

OURS = "ours"
MOST_MS = 2000
LINES = {"50 lines/s": 0, "2 MB/s": 40_000}
"""How much longer than its number and time each of 50 lines a second is, in characters."""
BEFORE = 50
"""So many lines are in the store before the container is killed."""
PHASE = 3.0
"""Seconds within which that happens: more than there are between two parts for the store."""
SECONDS = 90.0


def run(bench: Bench) -> Table:
    """One container after the other."""
    table = Table(
        "What the store lacks of a killed container",
        [OURS],
        OURS,
        "median ms (lowest..highest) between the last line in the store and the kill; lines there",
        shows_highest=True,
    )
    directory = bench.stack.enter_context(short_folder("fleet-kept-"))
    store = start_seaweedfs(bench.stack.enter_context(short_folder("fleet-s3-")))
    bench.stack.callback(store.stop)
    fleet = Fleet(directory, store)
    bench.stack.callback(fleet.stop)
    lines = {line: {OURS: measure_of(fleet, more)} for line, more in LINES.items()}
    bench.interleave(table, lines)
    return table


def measure_of(fleet: Fleet, more: int) -> Measure:
    """Kills a kernel that prints, at any time after a part of it was stored."""

    def measure() -> tuple[float, dict[str, float]]:
        kernel_id = fleet.start_kernel()
        client, url = fleet.gateways.client(), fleet.gateways.urls[0]
        with client.channels(url, kernel_id) as channels:
            channels.execute(
                "import time\nfor n in range(10**6):\n"
                f"  print(n, time.time(), 'x' * {more}, flush=True)\n  time.sleep(0.02)"
            )
            wait_until(lambda: fleet.text(kernel_id).count("\n") > BEFORE, SECONDS)
            time.sleep(random.uniform(0, PHASE))
            killed = kill_container(kernel_id)
        lines = stored(fleet, kernel_id).splitlines()
        client.call("DELETE", f"{url}/api/kernels/{kernel_id}")
        if [int(line.split()[0]) for line in lines] != list(range(len(lines))):
            raise RuntimeError("what is in the store has holes")
        return 1000 * (killed - float(lines[-1].split()[1])), {"lines": len(lines)}

    return measure


def stored(fleet: Fleet, kernel_id: str) -> str:
    """What the store has once nothing more comes: a part may still be on its way."""
    before, text = "", fleet.text(kernel_id)
    while text != before:
        time.sleep(1)
        before, text = text, fleet.text(kernel_id)
    return text


def bars(table: Table) -> list[Limit]:
    """What pages say: the last 2 seconds may be missing."""
    return [Limit(line, MOST_MS, every_round=True) for line in LINES]
