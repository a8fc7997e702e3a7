"""Training 50 rounds on a million rows of 50 columns, end to end and from Parquet to booster.

Peers: xgboost alone in one process, Ray Train on its documented path (with a 0.1 s health interval
and a report every ten rounds, and with its default of a report every round), and `xgboost.spark`.
"""

from tests.bench.bench import Bench, Measure
from tests.bench.table import Table
from tests.bench.xgb import process

OURS = "ours, 2 workers"
ROUNDS = 50
PEERS = {
    OURS: ("ours", {}),
    "xgboost alone, 2 threads": ("plain", {}),
    "Ray Train, tuned": ("ray_train", {"every": 10}),
    "Ray Train, default": ("ray_train", {"every": 1}),
    "xgboost.spark local[2]": ("spark", {}),
}


def table_of(bench: Bench, rows: int) -> Table:
    """The table for so many rows."""
    legend = "median ms (lowest), side figure: CPU seconds"
    table = Table(f"XGBoost, {rows} x 50, {ROUNDS} rounds", list(PEERS), OURS, legend)
    folder = str(bench.directory / "dense")
    process.run("make_dense", folder=folder, rows=rows)
    seen: dict[str, dict[str, float]] = {}

    def start_to_model(name: str) -> Measure:
        contestant, extra = PEERS[name]

        def act() -> tuple[float, dict[str, float]]:
            seen[name] = process.run(contestant, folder=folder, rounds=ROUNDS, **extra)
            return seen[name]["ms"], {"CPU s": seen[name]["cpu_s"]}

        return act

    def warm(name: str) -> Measure:
        # From the run that was just made for the line above, which is before this one.
        return lambda: (seen[name]["warm_ms"], {})

    bench.interleave(
        table,
        {
            "start to model": {n: start_to_model(n) for n in PEERS},
            "Parquet to model, all up": {n: warm(n) for n in PEERS},
        },
    )
    return table


def run(bench: Bench) -> Table:
    """The table, or one that says why there is none."""
    try:
        return table_of(bench, process.rows_wanted())
    except process.Missing as error:
        return Table("XGBoost", [OURS], OURS, absent={OURS: str(error)})
