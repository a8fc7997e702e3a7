"""Calibration against scikit-learn and Ray Data, and prediction against one process."""

from tests.bench.bars import Bar
from tests.bench.bench import Bench, Measure
from tests.bench.table import Table
from tests.bench.xgb import process

OURS, SKLEARN, RAY, PLAIN = "ours", "scikit-learn", "Ray Data groupby", "xgboost alone"
CPU = "CPU ms"


def bars(table: Table) -> list[Bar]:
    """What was promised."""
    exact, by_value, predicted = _lines()
    return [
        Bar(exact, SKLEARN, at_least=3.5, figure=CPU),
        Bar(by_value, RAY, at_least=100),
        Bar(predicted, PLAIN, at_most=1.2),
    ]


def _lines() -> tuple[str, str, str]:
    rows = process.rows_wanted()
    return f"isotonic, {10 * rows} rows", f"isotonic, {rows} rows", f"predict, {rows} x 50"


def run(bench: Bench) -> Table:
    """The table, or one that says why there is none."""
    rows = process.rows_wanted()
    contestants = [OURS, SKLEARN, RAY, PLAIN]
    legend = "median ms (lowest), side figure: CPU ms where one process did it"
    table = Table("Around training", contestants, OURS, legend)
    folder, model = str(bench.directory / "dense"), str(bench.directory / "model.ubj")

    def measure(contestant: str, **arguments: str | int) -> Measure:
        def act() -> tuple[float, dict[str, float]]:
            seen = process.run(contestant, **arguments)
            return seen["ms"], {CPU: seen["cpu_ms"]} if "cpu_ms" in seen else {}

        return act

    try:
        process.run("make_dense", folder=folder, rows=rows)
    except process.Missing as error:
        table.absent[OURS] = str(error)
        return table
    process.run("make_model", folder=folder, model=model)
    exact, by_value, predicted = _lines()
    bench.interleave(
        table,
        {
            exact: {
                OURS: measure("isotonic", rows=10 * rows, who="ours"),
                SKLEARN: measure("isotonic", rows=10 * rows, who="sklearn"),
            },
            by_value: {
                OURS: measure("isotonic", rows=rows, who="ours"),
                RAY: measure("isotonic", rows=rows, who="ray"),
            },
            predicted: {
                OURS: measure("predict_ours", folder=folder, model=model),
                PLAIN: measure("predict_plain", folder=folder, model=model),
            },
        },
        warm_up=False,
    )
    return table
