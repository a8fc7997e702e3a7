"""How fast cells print in our Python kernel and in stock ipykernel of the same version.

Both run without a fleet, and the same reader takes what they publish: it counts and parses it, and
gives our kernel credit for it at once.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path

from tests.bench.bars import Bar
from tests.bench.bench import Bench, Measure
from tests.bench.table import Table
from tests.integration.agent.credited_kernel import MODULE, CreditedKernel
from tests.servers.short_folder import short_folder

OURS, STOCK = "ours, with credit", "stock ipykernel"
LINES = {
    "200,000 prints of 100 characters": (200_000, "for i in range(200_000): print(i, 'x' * 92)"),
    "20,000 flushed prints": (20_000, "for i in range(20_000): print(i, 'x' * 92, flush=True)"),
    "500 prints of 100 KB": (500, "for i in range(500): print('x' * 99_999)"),
}
"""How many prints a cell makes, and the cell."""


def run(bench: Bench) -> Table:
    """Each cell in turns, in one process of each kernel."""
    table = Table(
        "Printing",
        [OURS, STOCK],
        OURS,
        "median ms (lowest) from the request to reply and idle, with everything printed read; "
        "prints/s; CPU ms of the kernel; its memory in MB",
    )
    kernels = {
        OURS: started(bench, MODULE, credit=True),
        STOCK: started(bench, "ipykernel_launcher", credit=False),
    }
    lines = {
        line: {name: measure_of(kernel, prints, code) for name, kernel in kernels.items()}
        for line, (prints, code) in LINES.items()
    }
    bench.interleave(table, lines)
    return table


def started(bench: Bench, module: str, *, credit: bool) -> CreditedKernel:
    """A kernel of its own folder."""
    folder = Path(bench.stack.enter_context(short_folder("fleet-print-")))
    python = os.environ["FLEET_KERNEL_PYTHON"]
    kernel = CreditedKernel(folder, credit=credit, module=module, python=python)
    return bench.stack.enter_context(kernel)


def measure_of(kernel: CreditedKernel, prints: int, code: str) -> Measure:
    """What a cell takes that makes so many prints."""

    def measure() -> tuple[float, Mapping[str, float]]:
        kernel.messages.clear()
        used = kernel.processor_seconds()
        begun = time.perf_counter()
        printed = kernel.run(code)
        taken = time.perf_counter() - begun
        if printed.count("\n") != prints:
            raise RuntimeError(f"{printed.count(chr(10))} of {prints} lines were heard")
        return taken * 1000, {
            "prints/s": prints / taken,
            "CPU": (kernel.processor_seconds() - used) * 1000,
            "MB": kernel.memory() / 1e6,
        }

    return measure


def bars(table: Table) -> list[Bar]:
    """It may be one part in twenty slower."""
    return [Bar(line, STOCK, at_least=0.95) for line in table.lines]
