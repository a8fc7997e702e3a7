"""100 MB that a cell prints, on their way to one page: ours and stock.

All kernels are ipykernel from the kernel's environment; ours never drops what it prints. The limits
to a kernel's output that stock servers have are taken off.
"""

from collections.abc import Mapping

from tests.bench.bench import Bench, Measure, milliseconds_of
from tests.bench.rows.cell_round_trip import (
    LAB,
    STOCK_GATEWAY,
    STOCK_LOCAL,
    WebsocketKernel,
    fleet_of_one,
    stock_gateway,
    stock_lab,
)
from tests.bench.table import Table

TOTAL = 100_000_000
WRITES = {"1 KB writes": 1_000, "100 KB writes": 100_000}
UNLIMITED = "--ZMQChannelsWebsocketConnection.limit_rate=False"


def run(bench: Bench) -> Table:
    """Starts all of them and prints through each in turns."""
    table = Table(
        "100 MB of output",
        [LAB, STOCK_LOCAL, STOCK_GATEWAY],
        LAB,
        "median ms (lowest) from the request to reply and idle; MB/s; bytes lost",
    )
    front, _, token = fleet_of_one(bench)
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

    def measure_of(kernel: WebsocketKernel, size: int) -> Measure:
        code = f"import sys\nfor _ in range({TOTAL // size}): _ = sys.stdout.write('x' * {size})"

        def measure() -> tuple[float, Mapping[str, float]]:
            printed = 0

            def cell() -> None:
                nonlocal printed
                printed = kernel.cell(code)

            taken = milliseconds_of(cell)
            return taken, {"MB/s": printed / taken / 1000, "lost": TOTAL - printed}

        return measure

    lines = {
        line: {name: measure_of(kernel, size) for name, kernel in kernels.items()}
        for line, size in WRITES.items()
    }
    bench.interleave(table, lines)
    return table
