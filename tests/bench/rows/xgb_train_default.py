"""Ray Train as it is without any setting, a report a round: `xgb_train` has the bars.

From the start of the first process to the model, once a round, as its reports alone take two
seconds for each of the boosting rounds.
"""

from tests.bench.bench import Bench, Measure
from tests.bench.rows.xgb_train import OURS, ROUNDS, START
from tests.bench.table import Table
from tests.bench.xgb import process

RAY_DEFAULT = "Ray Train, default"


def run(bench: Bench) -> Table:
    """The table, or one that says why there is none."""
    rows = process.rows_wanted()
    legend = "median ms (lowest), side figure: CPU seconds of all processes"
    title = f"XGBoost, {rows} x 50, {ROUNDS} rounds, a report a round"
    table = Table(title, [OURS, RAY_DEFAULT], OURS, legend)
    folder = str(bench.directory / "dense")

    def measure(contestant: str, **arguments: int) -> Measure:
        def act() -> tuple[float, dict[str, float]]:
            seen = process.run(contestant, folder=folder, rounds=ROUNDS, again=False, **arguments)
            return seen["ms"], {"CPU s": seen["cpu_s"]}

        return act

    try:
        process.run("make_dense", folder=folder, rows=rows)
    except process.Missing as error:
        table.absent[OURS] = str(error)
        return table
    lines = {START: {OURS: measure("ours"), RAY_DEFAULT: measure("ray_train", every=1)}}
    bench.interleave(table, lines, warm_up=False)
    return table
