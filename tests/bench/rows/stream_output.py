"""100 MB that a cell prints, on their way to one page: ours and stock.

All kernels are ipykernel from the kernel's environment; ours never drops what it prints. The limits
to a kernel's output that stock servers have are taken off.
"""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import websocket

from tests.bench.bench import Bench, Measure
from tests.bench.rows.cell_round_trip import (
    LAB,
    STOCK_GATEWAY,
    STOCK_LOCAL,
    WebsocketKernel,
    stock_gateway,
    stock_lab,
)
from tests.bench.table import Table
from tests.servers.ports import free_ports

TOTAL = 100_000_000
WRITES = {
    "1 KB writes": "for _ in range(100_000): _ = sys.stdout.write('x' * 1000)",
    "100 KB writes, each flushed": "for _ in range(1000): print('x' * 99_999, flush=True)",
}
"""Of the first, ipykernel makes messages of many MB: more than a lab takes from a stock gateway."""
UNLIMITED = "--ZMQChannelsWebsocketConnection.limit_rate=False"
FLEET_COMMAND = Path(sys.executable).parent / "jupyter-fleet"


def fleet_of_one(bench: Bench) -> tuple[str, str]:
    """A fleet's front, and a token."""
    data_dir = bench.directory / "fleet"
    (port,) = free_ports(1)

    def fleet(*arguments: str) -> str:
        return subprocess.run(
            [str(FLEET_COMMAND), *arguments, "--data-dir", str(data_dir)],
            check=True,
            capture_output=True,
            text=True,
            timeout=300,
        ).stdout

    bench.stack.callback(fleet, "down", "--kernels")
    fleet("up", "--detach", "--port", str(port), "--labs", "1", "--gateways", "1")
    processes = json.loads(fleet("status", "--json"))["processes"]
    (front,) = (process["url"] for process in processes if process["role"] == "front")
    return front, fleet("token", "bench").strip()


def run(bench: Bench) -> Table:
    """Starts all of them and prints through each in turns."""
    table = Table(
        "100 MB of output",
        [LAB, STOCK_LOCAL, STOCK_GATEWAY],
        LAB,
        "median ms (lowest) from the request to reply and idle; MB/s; bytes lost",
    )
    front, token = fleet_of_one(bench)
    gateway_url = stock_gateway(bench)
    kernels = {
        LAB: WebsocketKernel(
            bench, front, token, {"name": "python", "project": "demo", "path": "demo/b.ipynb"}
        ),
        STOCK_LOCAL: WebsocketKernel(
            bench, stock_lab(bench, "stock-lab", UNLIMITED), "bench", {"name": "bench"}
        ),
        STOCK_GATEWAY: WebsocketKernel(
            bench,
            stock_lab(bench, "gateway-lab", f"--gateway-url={gateway_url}"),
            "bench",
            {"name": "bench"},
            # In front of a gateway jupyter_server speaks the older JSON only.
            v1=False,
        ),
    }

    def measure_of(kernel: WebsocketKernel, code: str) -> Measure:
        def measure() -> tuple[float, Mapping[str, float]]:
            begun = time.perf_counter()
            try:
                printed, last = kernel.cell("import sys\n" + code)
            except (TimeoutError, websocket.WebSocketException):
                return float("inf"), {"MB/s": 0.0, "lost": TOTAL}
            taken = (last - begun) * 1000
            return taken, {"MB/s": printed / taken / 1000, "lost": TOTAL - printed}

        return measure

    lines = {
        line: {name: measure_of(kernel, code) for name, kernel in kernels.items()}
        for line, code in WRITES.items()
    }
    bench.interleave(table, lines)
    return table
