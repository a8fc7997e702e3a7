"""Training 50 rounds on a million rows of 50 columns: from the start of the first process, and
once more with everything up.

Peers: xgboost alone in one process, Ray Train on its documented path (with a 0.1 s health interval
and a report every ten rounds; for its default see `xgb_train_default`), and `xgboost.spark`. Every
contestant may use two CPUs: ours has two workers of one.
"""

from tests.bench.bars import Bar
from tests.bench.bench import Bench, Measure
from tests.bench.table import Table
from tests.bench.xgb import process

OURS, PLAIN = "ours, 2 workers", "xgboost alone, 2 threads"
RAY = "Ray Train, tuned"
SPARK = "xgboost.spark local[2]"
ROUNDS = 50
INTERLEAVED = {
    OURS: ("ours", {}),
    PLAIN: ("plain", {}),
    RAY: ("ray_train", {"every": 10}),
    SPARK: ("spark", {}),
}
START, WARM = "start to model", "Parquet to model, all up"


def bars(table: Table) -> list[Bar]:
    """What was promised."""
    return [
        Bar(START, SPARK, at_least=2),
        Bar(START, RAY, at_least=1.5),
        Bar(WARM, SPARK, at_least=2.2),
        Bar(WARM, RAY, at_least=2.2),
        Bar(WARM, PLAIN, at_most=1.15),
    ]


def table_of(bench: Bench, rows: int) -> Table:
    """The table for so many rows."""
    legend = "median ms (lowest), side figure: CPU seconds of all processes"
    table = Table(f"XGBoost, {rows} x 50, {ROUNDS} rounds", list(INTERLEAVED), OURS, legend)
    folder = str(bench.directory / "dense")
    process.run("make_dense", folder=folder, rows=rows)
    seen: dict[str, dict[str, float]] = {}

    def start_to_model(name: str) -> Measure:
        contestant, extra = INTERLEAVED[name]

        def act() -> tuple[float, dict[str, float]]:
            seen[name] = process.run(contestant, folder=folder, rounds=ROUNDS, **extra)
            return seen[name]["ms"], {"CPU s": seen[name]["cpu_s"]}

        return act

    def warm(name: str) -> Measure:
        # From the run that was just made for the line above, which is before this one.
        return lambda: (seen[name]["warm_ms"], {"CPU s": seen[name]["warm_cpu_s"]})

    bench.interleave(
        table,
        {
            START: {n: start_to_model(n) for n in INTERLEAVED},
            WARM: {n: warm(n) for n in INTERLEAVED},
        },
        warm_up=False,
    )
    return table


def run(bench: Bench) -> Table:
    """The table, or one that says why there is none."""
    try:
        return table_of(bench, process.rows_wanted())
    except process.Missing as error:
        return Table("XGBoost", [OURS], OURS, absent={OURS: str(error)})
