"""Ten million rows with an object store that holds a quarter of them: does it complete, and in how
much memory?

From Parquet to the model, on a cluster that is up. Side figures, in MB: all that the driver and the
processes of the cluster had at one time, with the object store; the largest worker, with what it
shares with the store; what was spilled to disk; the store; the data as float32.
"""

from tests.bench.bench import Bench
from tests.bench.table import Table
from tests.bench.xgb import process

OURS = "ours"
COLUMNS = 50
ROUNDS = 10
FIGURES = ("peak_mb", "worker_mb", "spilled_mb", "store_mb", "data_mb")


def run(bench: Bench) -> Table:
    """The table, or one that says why there is none."""
    rows = 10 * process.rows_wanted()
    legend = f"median ms (lowest), side figures in MB: {', '.join(FIGURES)}"
    table = Table(f"Capped object store, {rows} x {COLUMNS}, {ROUNDS} rounds", [OURS], OURS, legend)
    folder = str(bench.directory / "dense")
    data = rows * COLUMNS * 4 / 1e6

    def measure() -> tuple[float, dict[str, float]]:
        seen = process.run("capped_store", folder=folder, megabytes=round(data / 4), rounds=ROUNDS)
        return seen["ms"], {**{n: seen[n] for n in FIGURES[:-1]}, "data_mb": data}

    try:
        process.run("make_dense", folder=folder, rows=rows, columns=COLUMNS)
    except process.Missing as error:
        table.absent[OURS] = str(error)
        return table
    bench.interleave(table, {"2 workers": {OURS: measure}}, warm_up=False)
    return table
