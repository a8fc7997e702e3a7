"""Spark ML vectors from Parquet to a trainable matrix: ours, and by way of pandas and SciPy.

Side figures: CPU milliseconds of all passes, of the conversion alone, and MB of memory at the peak
above what the process had with its libraries loaded. One thread each.
"""

from tests.bench.bars import Bar
from tests.bench.bench import Bench, Measure
from tests.bench.table import Table
from tests.bench.xgb import process

OURS, PANDAS = "ours", "pandas, SciPy, DMatrix"


def bars(table: Table) -> list[Bar]:
    """What was promised: peak memory, and the CPU of the conversion."""
    conversion = {"sparse": 1 / 3, "mixed": 1 / 1.5, "dense": 1 / 1.5}
    return [
        *(Bar(kind, PANDAS, at_most=1 / 3.5, figure="peak_mb") for kind in conversion),
        *(Bar(k, PANDAS, at_most=most, figure="convert_cpu_ms") for k, most in conversion.items()),
    ]


def run(bench: Bench) -> Table:
    """The table, or one that says why there is none."""
    rows = process.rows_wanted()
    legend = "median ms (lowest), side figures: CPU ms, conversion CPU ms, peak MB"
    table = Table(f"Spark vectors, {rows} x 139", [OURS, PANDAS], OURS, legend)

    def measure(contestant: str, folder: str, missing: float | None) -> Measure:
        def act() -> tuple[float, dict[str, float]]:
            seen = process.run(contestant, folder=folder, missing=missing)
            return seen["ms"], {n: seen[n] for n in ("cpu_ms", "convert_cpu_ms", "peak_mb")}

        return act

    lines = {}
    try:
        for kind, missing in (("sparse", None), ("mixed", 0.0), ("dense", None)):
            folder = str(bench.directory / kind)
            process.run("make_vectors", folder=folder, rows=rows, kind=kind)
            lines[kind] = {
                OURS: measure("vectors_ours", folder, missing),
                PANDAS: measure("vectors_pandas", folder, missing),
            }
    except process.Missing as error:
        table.absent[OURS] = str(error)
        return table
    bench.interleave(table, lines, warm_up=False)
    return table
